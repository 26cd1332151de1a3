/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - escaping, widths, and numbers for people.
 *
 * Escaping is an allow-list by effect: a code point is shown as it is if it is valid, not a
 * control or invisible format character, and wcwidth() knows its width. Terminals act on more
 * than ESC: C1 controls are one-byte CSI in some, direction marks reorder a whole line, and a
 * character of unknown width shifts the columns after it.
 */
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "common/json.h"
#include "common/utf8.h"

/* ---- characters ----------------------------------------------------------------------------- */

size_t top_utf8_decode(const char *s, size_t len, uint32_t *ret)
{
	size_t n = utf8_next(s, len, ret);

	if (n)
		return n;
	*ret = UINT32_MAX;
	return 1;
}

size_t top_utf8_encode(uint32_t c, char ret[4])
{
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (char)(0xc0 | c >> 6);
		ret[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		ret[0] = (char)(0xe0 | c >> 12);
		ret[1] = (char)(0x80 | (c >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | c >> 18);
	ret[1] = (char)(0x80 | (c >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (c >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static int showable(uint32_t c, unsigned flags)
{
	if (c == UINT32_MAX || utf8_is_hidden(c) || (flags & TOP_ESCAPE_ASCII && c >= 0x80))
		return 0;
	return flags & TOP_ESCAPE_UTF8 || c < 0x80 || wcwidth((wchar_t)c) >= 0;
}

void top_escape(struct buf *b, const char *s, size_t len, unsigned flags)
{
	size_t used, i;
	uint32_t c;

	for (; len; s += used, len -= used) {
		used = top_utf8_decode(s, len, &c);
		if (flags & TOP_ESCAPE_QUOTE && (c == '\\' || c == '"')) {
			buf_put(b, "\\", 1);
			buf_put(b, s, 1);
		} else if (flags & TOP_ESCAPE_QUOTE && c == '\n') {
			buf_put(b, "\\n", 2);
		} else if (showable(c, flags)) {
			buf_put(b, s, used);
		} else {
			for (i = 0; i < used; i++)
				buf_printf(b, "\\x%02x", (unsigned char)s[i]);
		}
	}
}

void top_json_string(struct buf *b, const char *s)
{
	size_t len = strlen(s), used;
	char one[JSON_CHAR];

	buf_puts(b, "\"");
	for (; len; s += used, len -= used) {
		used = json_next(s, len, one);
		buf_puts(b, one);
	}
	buf_puts(b, "\"");
}

static int char_width(uint32_t c)
{
	int w;

	if (c < 0x80)
		return 1;
	w = c == UINT32_MAX ? -1 : wcwidth((wchar_t)c);
	return w < 0 ? 1 : w;
}

int top_width(const char *s)
{
	size_t len = strlen(s), used;
	uint32_t c;
	int width = 0;

	for (; len; s += used, len -= used) {
		used = top_utf8_decode(s, len, &c);
		width += char_width(c);
	}
	return width;
}

/* Bytes of s that fill at most `width` columns, marks on the last character included. */
static size_t head_bytes(const char *s, int width)
{
	size_t len = strlen(s), used, at = 0;
	uint32_t c;

	while (at < len) {
		used = top_utf8_decode(s + at, len - at, &c);
		width -= char_width(c);
		if (width < 0)
			break;
		at += used;
	}
	return at;
}

/* Where the last part of s begins that fits into `width` columns; not at a combining mark. */
static size_t tail_start(const char *s, int width)
{
	size_t len = strlen(s), at = 0, used;
	int left = top_width(s);
	uint32_t c;

	while (at < len) {
		used = top_utf8_decode(s + at, len - at, &c);
		if (left <= width && char_width(c) > 0)
			break;
		left -= char_width(c);
		at += used;
	}
	return at;
}

void top_cut(const char *s, int width, int head, const char *ellipsis, char *ret_text, size_t size)
{
	int gap = top_width(ellipsis), room = width - gap, tail = room * (100 - head) / 100;
	int len;

	if (!size)
		return;
	if (top_width(s) <= width || room < 2) {
		/* Too narrow for a middle: the begin says most. */
		len = (int)(width > 0 ? head_bytes(s, width) : 0);
		snprintf(ret_text, size, "%.*s", len, s);
		return;
	}
	len = (int)head_bytes(s, room - tail);
	snprintf(ret_text, size, "%.*s%s%s", len, s, ellipsis, s + tail_start(s, tail));
}

void top_cut_middle(const char *s, int width, const char *ellipsis, char *ret_text, size_t size)
{
	top_cut(s, width, 50, ellipsis, ret_text, size);
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Three significant digits; v is 0 <= |v| < 1000 (or a little more after rounding). */
static void three_digits(double v, const char *suffix, char ret[TOP_NUMBER])
{
	double a = fabs(v);
	int decimals = a < 9.995 ? 2 : a < 99.95 ? 1 : 0;

	snprintf(ret, TOP_NUMBER, "%.*f%s", decimals, v, suffix);
}

static void format_plain(double v, char ret[TOP_NUMBER])
{
	static const char suffixes[][2] = { "M", "G", "T", "P", "E" };
	double a = fabs(v), scale = 1e6;
	size_t i = 0;

	if (a < 9999999.5 && v == floor(v)) {
		snprintf(ret, TOP_NUMBER, "%.0f", v);
	} else if (a < 0.001) {
		snprintf(ret, TOP_NUMBER, "%.0e", v);
	} else if (a < 999.5) {
		three_digits(v, "", ret);
	} else if (a < 9999999.5) {
		snprintf(ret, TOP_NUMBER, "%.0f", v);
	} else if (a >= 999.5e18) {
		snprintf(ret, TOP_NUMBER, "%.0e", v);
	} else {
		while (a / scale >= 999.5 && i + 1 < sizeof(suffixes) / sizeof(suffixes[0])) {
			scale *= 1e3;
			i++;
		}
		three_digits(v / scale, suffixes[i], ret);
	}
}

static void format_bytes(double v, char ret[TOP_NUMBER])
{
	static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double a = fabs(v);
	size_t i = 0;

	while (a >= 999.5 && i + 1 < sizeof(units) / sizeof(units[0])) {
		a /= 1024;
		v /= 1024;
		i++;
	}
	if (a >= 999.5)
		snprintf(ret, TOP_NUMBER, "%.0e", v);
	else
		snprintf(ret, TOP_NUMBER, "%.*f%s", i && a < 9.95 ? 1 : 0, v, units[i]);
}

static void format_long(double s, char ret[TOP_NUMBER])
{
	uint64_t t = (uint64_t)(s + 0.5);

	if (t < 3600)
		snprintf(ret, TOP_NUMBER, "%um%02us", (unsigned)(t / 60), (unsigned)(t % 60));
	else if (t < 86400)
		snprintf(ret, TOP_NUMBER, "%uh%02um", (unsigned)(t / 3600),
			 (unsigned)(t / 60 % 60));
	else if (t < UINT64_C(86400) * 1000)
		snprintf(ret, TOP_NUMBER, "%ud%uh", (unsigned)(t / 86400),
			 (unsigned)(t / 3600 % 24));
	else
		snprintf(ret, TOP_NUMBER, "%.0fd", s / 86400);
}

static void format_seconds(double v, const char *micro, char ret[TOP_NUMBER])
{
	double a = fabs(v);

	if (a >= 59.995) {
		if (v < 0 || v >= 8.64e9)	/* more than 100,000 days is not a duration */
			snprintf(ret, TOP_NUMBER, "%.0es", v);
		else
			format_long(v, ret);
	} else if (a >= 0.9995) {
		three_digits(v, "s", ret);
	} else if (a >= 0.9995e-3) {
		three_digits(v * 1e3, "ms", ret);
	} else if (a >= 0.9995e-6) {
		three_digits(v * 1e6, micro, ret);
		strncat(ret, "s", TOP_NUMBER - strlen(ret) - 1);
	} else {
		snprintf(ret, TOP_NUMBER, "%.0fns", v * 1e9);
	}
}

void top_format_quantity(double v, const char *unit, const char *micro, char ret[TOP_NUMBER])
{
	if (isnan(v))
		snprintf(ret, TOP_NUMBER, "NaN");
	else if (isinf(v))
		snprintf(ret, TOP_NUMBER, v < 0 ? "-Inf" : "+Inf");
	else if (v == 0)
		snprintf(ret, TOP_NUMBER, "0");
	else if (!strcmp(unit, "seconds"))
		format_seconds(v, micro, ret);
	else if (!strcmp(unit, "bytes"))
		format_bytes(v, ret);
	else if (!strcmp(unit, "ratio") && fabs(v) < 99.995)
		three_digits(v * 100, "%", ret);
	else
		format_plain(v, ret);
}

void top_format_rate(double v, const char *unit, char ret[TOP_NUMBER])
{
	top_format_quantity(v, strcmp(unit, "bytes") ? "" : unit, "u", ret);
}

void top_format_age(uint64_t ns, char ret[TOP_NUMBER])
{
	double s = (double)ns / 1e9;

	if (s < 9.95)
		snprintf(ret, TOP_NUMBER, "%.1fs", s);
	else if (s < 59.5)
		snprintf(ret, TOP_NUMBER, "%.0fs", s);
	else
		format_long(s, ret);
}
