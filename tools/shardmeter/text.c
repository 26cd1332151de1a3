/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - see text.h.
 *
 * Everything that a segment says was written by somebody else: names, labels, help texts, writer
 * names. cli_put_text() is the only way from there to a terminal.
 */
#include "text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "common/utf8.h"

/* One locale for the whole run: set when the first terminal is seen. */
static bool locale_known, locale_utf8;

bool cli_is_terminal(FILE *f)
{
	if (!isatty(fileno(f)))
		return false;
	if (!locale_known) {
		setlocale(LC_CTYPE, "");
		locale_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
		locale_known = true;
	}
	return true;
}

/* The length of what follows at s that may be printed as it is; *ret_bad is how many bytes
 * behind it must be escaped. */
static size_t printable(const char *s, size_t len, bool ascii, size_t *ret_bad)
{
	size_t i = 0, n;
	uint32_t cp;

	while (i < len) {
		n = utf8_next(s + i, len - i, &cp);
		if (n == 0 || utf8_is_hidden(cp) || (ascii && n > 1)) {
			*ret_bad = n ? n : 1;
			return i;
		}
		i += n;
	}
	*ret_bad = 0;
	return i;
}

void cli_put_text(FILE *f, const char *s, size_t len)
{
	bool ascii = locale_known && !locale_utf8 && isatty(fileno(f));
	size_t good, bad;

	while (len > 0) {
		good = printable(s, len, ascii, &bad);
		fwrite(s, 1, good, f);
		for (size_t i = 0; i < bad; i++)
			fprintf(f, "\\x%02x", (unsigned char)s[good + i]);
		s += good + bad;
		len -= good + bad;
	}
}

size_t cli_text_width(const char *s, size_t len)
{
	size_t width = 0, n;
	uint32_t cp;
	int w;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_next(s + i, len - i, &cp);
		if (n == 0 || utf8_is_hidden(cp) || (!locale_utf8 && n > 1)) {
			n = n ? n : 1;
			width += 4 * n;
			continue;
		}
		w = n == 1 ? 1 : wcwidth((wchar_t)cp);
		width += w > 0 ? (size_t)w : 0;
	}
	return width;
}

static void put_quoted(FILE *f, struct sm_str v)
{
	putc('"', f);
	for (size_t i = 0; i < v.len; i++) {
		if (v.ptr[i] == '\n') {
			fputs("\\n", f);
			continue;
		}
		if (v.ptr[i] == '"' || v.ptr[i] == '\\')
			putc('\\', f);
		putc(v.ptr[i], f);
	}
	putc('"', f);
}

unsigned cli_put_labels(FILE *f, const struct sm_family_info *family,
	const struct sm_series_info *series, const char *le)
{
	unsigned n = 0;

	for (; n < family->nlabels; n++) {
		fprintf(f, "%s%s=", n ? "," : "", family->labels[n]);
		put_quoted(f, series->values[n]);
	}
	if (le)
		fprintf(f, "%sle=\"%s\"", n++ ? "," : "", le);
	return n;
}

char *cli_series_text(const struct sm_family_info *family, const struct sm_series_info *series,
	const char *writer)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fputs(family->name, f);
	if (family->nlabels || writer[0]) {
		putc('{', f);
		cli_put_labels(f, family, series, NULL);
		if (writer[0]) {
			fputs(family->nlabels ? ",writer=" : "writer=", f);
			put_quoted(f, SM_STR(writer));
		}
		putc('}', f);
	}
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

void cli_utc(uint64_t real_ns, char ret_text[CLI_TEXT_MAX])
{
	time_t t = (time_t)(real_ns / 1000000000u);
	char seconds[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text, CLI_TEXT_MAX, "%s.%03uZ", seconds,
		(unsigned)(real_ns % 1000000000u / 1000000u));
}

void cli_age(uint64_t ns, char ret_text[CLI_TEXT_MAX])
{
	unsigned long long s = ns / 1000000000u;

	if (s < 60)
		snprintf(ret_text, CLI_TEXT_MAX, "%llu.%us", s, (unsigned)(ns / 100000000u % 10));
	else if (s < 3600)
		snprintf(ret_text, CLI_TEXT_MAX, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(ret_text, CLI_TEXT_MAX, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(ret_text, CLI_TEXT_MAX, "%llud%02lluh", s / 86400, s / 3600 % 24);
}

void cli_plain_seconds(uint64_t ns, char ret_text[CLI_TEXT_MAX])
{
	snprintf(ret_text, CLI_TEXT_MAX, "%llu.%03u", (unsigned long long)(ns / 1000000000u),
		(unsigned)(ns % 1000000000u / 1000000u));
}

void cli_bytes(uint64_t bytes, char ret_text[CLI_TEXT_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	unsigned i = 0;

	for (; v >= 1024 && i < 6; i++)
		v /= 1024;
	if (i == 0)
		snprintf(ret_text, CLI_TEXT_MAX, "%llu B", (unsigned long long)bytes);
	else
		snprintf(ret_text, CLI_TEXT_MAX, "%.1f %s", v, units[i]);
}

void cli_value(const struct sm_value *value, char ret_text[CLI_TEXT_MAX])
{
	uint64_t units = value->units;
	bool negative = value->is_signed && (int64_t)units < 0;

	ret_text[0] = '\0';
	if (!value->is_set)
		return;
	if (!value->is_integer) {
		sm_format_double(value->value, 0, ret_text, CLI_TEXT_MAX);
		return;
	}
	if (negative) {
		ret_text[0] = '-';
		units = 0 - units;
	}
	sm_format_units(units, value->decimals, ret_text + negative, CLI_TEXT_MAX - 1);
}

void cli_sum(const struct sm_sum *sum, char ret_text[CLI_TEXT_MAX])
{
	if (sum->is_integer)
		sm_format_units(sum->units, sum->decimals, ret_text, CLI_TEXT_MAX);
	else
		sm_format_double(sum->value, 0, ret_text, CLI_TEXT_MAX);
}

const char *cli_kind(enum sm_kind kind)
{
	switch (kind) {
	case SM_COUNTER: return "counter";
	case SM_GAUGE: return "gauge";
	case SM_UPDOWN: return "updown";
	case SM_HISTOGRAM: return "histogram";
	case SM_INFO: return "info";
	case SM_STATESET: return "stateset";
	}
	return "unknown";
}

static const char *const modes[] = { "sum", "min", "max", "avg", "mostrecent", "first", "all" };
#define MODES (sizeof(modes) / sizeof(modes[0]))

const char *cli_mode(enum sm_gauge_mode mode)
{
	return (size_t)mode < MODES ? modes[mode] : "unknown";
}

int cli_mode_find(const char *name)
{
	for (size_t i = 0; i < MODES; i++)
		if (strcmp(modes[i], name) == 0)
			return (int)i;
	return -1;
}
