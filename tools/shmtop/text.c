/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - growing text, escaping, widths, and numbers for people.
 *
 * Escaping is an allow-list by effect: a code point is shown as it is if it is valid, not a
 * control or invisible format character, and wcwidth() knows its width. Terminals act on more
 * than ESC: C1 controls are one-byte CSI in some, direction marks reorder a whole line, and a
 * character of unknown width shifts the columns after it.
 */
#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* ---- growing text --------------------------------------------------------------------------- */

static int reserve(struct top_buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 64;
	char *data;

	if (b->failed)
		return 0;
	if (more < b->cap - b->len)
		return 1;
	while (cap - b->len <= more) {
		if (cap > SIZE_MAX / 2) {
			b->failed = 1;
			return 0;
		}
		cap *= 2;
	}
	data = realloc(b->data, cap);
	if (!data) {
		b->failed = 1;
		return 0;
	}
	b->data = data;
	b->cap = cap;
	return 1;
}

void top_buf_release(struct top_buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

void top_buf_add(struct top_buf *b, const char *data, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void top_buf_puts(struct top_buf *b, const char *s)
{
	top_buf_add(b, s, strlen(s));
}

void top_buf_printf(struct top_buf *b, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !reserve(b, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(b->data + b->len, b->cap - b->len, format, args);
	va_end(args);
	b->len += (size_t)len;
}

char *top_buf_take(struct top_buf *b)
{
	char *data;

	top_buf_add(b, "", 0);
	if (b->failed)
		top_buf_release(b);
	data = b->data;
	memset(b, 0, sizeof(*b));
	return data;
}

/* ---- characters ----------------------------------------------------------------------------- */

size_t top_utf8_decode(const char *s, size_t len, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)s;
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t need, i;
	uint32_t c;

	*ret = UINT32_MAX;
	if (p[0] < 0x80) {
		*ret = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 1;
	need = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (need > len)
		return 1;
	c = p[0] & (0xffu >> (need + 1));
	for (i = 1; i < need; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < smallest[need] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 1;
	*ret = c;
	return need;
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

/* Invisible characters that move, join or reorder what stands around them. */
static int invisible(uint32_t c)
{
	static const uint32_t ranges[][2] = {
		{ 0x00ad, 0x00ad }, { 0x034f, 0x034f }, { 0x061c, 0x061c }, { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff },
	};
	size_t i;

	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return 1;
	return 0;
}

static int showable(uint32_t c, unsigned flags)
{
	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	if (flags & TOP_ESCAPE_ASCII || c == UINT32_MAX || c < 0xa0 || invisible(c))
		return 0;
	return flags & TOP_ESCAPE_UTF8 || wcwidth((wchar_t)c) >= 0;
}

void top_escape(struct top_buf *b, const char *s, size_t len, unsigned flags)
{
	size_t used, i;
	uint32_t c;

	for (; len; s += used, len -= used) {
		used = top_utf8_decode(s, len, &c);
		if (flags & TOP_ESCAPE_QUOTE && (c == '\\' || c == '"')) {
			top_buf_add(b, "\\", 1);
			top_buf_add(b, s, 1);
		} else if (flags & TOP_ESCAPE_QUOTE && c == '\n') {
			top_buf_add(b, "\\n", 2);
		} else if (showable(c, flags)) {
			top_buf_add(b, s, used);
		} else {
			for (i = 0; i < used; i++)
				top_buf_printf(b, "\\x%02x", (unsigned char)s[i]);
		}
	}
}

void top_json_string(struct top_buf *b, const char *s)
{
	size_t len = strlen(s), used;
	uint32_t c;

	top_buf_puts(b, "\"");
	for (; len; s += used, len -= used) {
		used = top_utf8_decode(s, len, &c);
		if (c == UINT32_MAX)
			c = 0xfffd;
		if (c == '"' || c == '\\') {
			top_buf_puts(b, c == '"' ? "\\\"" : "\\\\");
		} else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffd || invisible(c)) {
			if (c > 0xffff)
				top_buf_printf(b, "\\u%04x", 0xd7c0 + (c >> 10));
			top_buf_printf(b, "\\u%04x", c > 0xffff ? 0xdc00 + (c & 0x3ff) : c);
		} else {
			top_buf_add(b, s, used);
		}
	}
	top_buf_puts(b, "\"");
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
