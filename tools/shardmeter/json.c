/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - see json.h. */
#include "json.h"

#include <math.h>
#include <string.h>

#include "common/json.h"

/* Levels that get a line for each member: families and their series, not what is inside a series.
 * */
#define INDENTED_LEVELS 4

static void put_string(FILE *f, const char *s, size_t len)
{
	char one[JSON_CHAR];
	size_t n;

	putc('"', f);
	for (; len; s += n, len -= n) {
		n = json_next(s, len, one);
		fputs(one, f);
	}
	putc('"', f);
}

static void new_line(struct cli_json *j)
{
	if (!j->indent || j->depth > INDENTED_LEVELS)
		return;
	putc('\n', j->f);
	for (unsigned i = 0; i < j->depth; i++)
		putc(' ', j->f);
}

static void start(struct cli_json *j, const char *key)
{
	if (j->more)
		putc(',', j->f);
	if (j->depth > 0)
		new_line(j);
	if (key) {
		put_string(j->f, key, strlen(key));
		putc(':', j->f);
	}
	j->more = true;
}

void cli_json_open(struct cli_json *j, const char *key, char bracket)
{
	start(j, key);
	putc(bracket, j->f);
	j->depth++;
	j->more = false;
}

void cli_json_close(struct cli_json *j, char bracket)
{
	bool empty = !j->more;

	j->depth--;
	if (!empty && j->depth < INDENTED_LEVELS)
		new_line(j);
	putc(bracket, j->f);
	j->more = j->depth > 0;
	if (j->depth == 0)
		putc('\n', j->f);
}

void cli_json_text_n(struct cli_json *j, const char *key, const char *s, size_t len)
{
	start(j, key);
	put_string(j->f, s, len);
}

void cli_json_text(struct cli_json *j, const char *key, const char *s)
{
	cli_json_text_n(j, key, s, strlen(s));
}

void cli_json_u64(struct cli_json *j, const char *key, uint64_t v)
{
	start(j, key);
	fprintf(j->f, "%llu", (unsigned long long)v);
}

void cli_json_bool(struct cli_json *j, const char *key, bool v)
{
	start(j, key);
	fputs(v ? "true" : "false", j->f);
}

void cli_json_null(struct cli_json *j, const char *key)
{
	start(j, key);
	fputs("null", j->f);
}

void cli_json_number(struct cli_json *j, const char *key, const char *text)
{
	start(j, key);
	if (text[0] == '\0')
		fputs("null", j->f);
	else if (strpbrk(text, "NI"))
		put_string(j->f, text, strlen(text));
	else
		fputs(text, j->f);
}

void cli_json_double(struct cli_json *j, const char *key, double v)
{
	char text[CLI_TEXT_MAX];

	sm_format_double(v, 0, text, sizeof(text));
	cli_json_number(j, key, text);
}

void cli_json_time(struct cli_json *j, const char *key, uint64_t real_ns)
{
	char text[CLI_TEXT_MAX];

	if (real_ns == 0) {
		cli_json_null(j, key);
		return;
	}
	cli_utc(real_ns, text);
	cli_json_text(j, key, text);
}

void cli_json_seconds(struct cli_json *j, const char *key, uint64_t ns)
{
	char text[CLI_TEXT_MAX];

	cli_plain_seconds(ns, text);
	cli_json_number(j, key, text);
}

void cli_csv_field(FILE *f, bool first, const char *s, size_t len)
{
	if (!first)
		putc(',', f);
	if (!memchr(s, '"', len) && !memchr(s, ',', len) && !memchr(s, '\n', len) &&
		!memchr(s, '\r', len)) {
		fwrite(s, 1, len, f);
		return;
	}
	putc('"', f);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"')
			putc('"', f);
		putc(s[i], f);
	}
	putc('"', f);
}

void cli_csv_end(FILE *f)
{
	fputs("\r\n", f);
}
