/* SPDX-License-Identifier: Apache-2.0 */
/* json_out.c - see json_out.h. */
#include "common/json_out.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json.h"

static int is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_string(struct buf *b, const char *text, size_t len)
{
	char one[JSON_CHAR];
	size_t n;

	buf_put(b, "\"", 1);
	while (len) {
		for (n = 0; n < len && is_plain(text[n]); n++)
			;
		buf_put(b, text, n);
		text += n;
		len -= n;
		if (!len)
			break;
		n = json_next(text, len, one);
		buf_puts(b, one);
		text += n;
		len -= n;
	}
	buf_put(b, "\"", 1);
}

static void start(struct json_out *j, const char *key)
{
	if (j->more)
		buf_put(j->b, ",", 1);
	if (key) {
		put_string(j->b, key, strlen(key));
		buf_put(j->b, ":", 1);
	}
	j->more = 1;
}

void json_open(struct json_out *j, const char *key, char bracket)
{
	start(j, key);
	buf_put(j->b, &bracket, 1);
	j->more = 0;
}

void json_close(struct json_out *j, char bracket)
{
	buf_put(j->b, &bracket, 1);
	j->more = 1;
}

void json_text_n(struct json_out *j, const char *key, const char *text, size_t len)
{
	start(j, key);
	put_string(j->b, text, len);
}

void json_text(struct json_out *j, const char *key, const char *text)
{
	json_text_n(j, key, text, strlen(text));
}

void json_number(struct json_out *j, const char *key, const char *digits)
{
	start(j, key);
	buf_puts(j->b, digits);
}

void json_u64(struct json_out *j, const char *key, uint64_t v)
{
	json_fixed(j, key, v, 0);
}

void json_fixed(struct json_out *j, const char *key, uint64_t v, unsigned decimals)
{
	char text[48], *at = text + sizeof(text) - 1;
	unsigned i;

	for (; decimals && v % 10 == 0; decimals--)
		v /= 10;
	*at = '\0';
	for (i = 0; v || i <= decimals; i++) {
		if (i && i == decimals)
			*--at = '.';
		*--at = (char)('0' + v % 10);
		v /= 10;
	}
	json_number(j, key, at);
}

void json_seconds(struct json_out *j, const char *key, uint64_t ns)
{
	json_fixed(j, key, ns, 9);
}

void json_bool(struct json_out *j, const char *key, int v)
{
	json_number(j, key, v ? "true" : "false");
}

void json_null(struct json_out *j, const char *key)
{
	json_number(j, key, "null");
}

void json_time(struct json_out *j, const char *key, uint64_t real_ns)
{
	time_t seconds = (time_t)(real_ns / 1000000000u);
	char text[64];
	struct tm tm;

	if (!real_ns || !gmtime_r(&seconds, &tm)) {
		json_null(j, key);
		return;
	}
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		(unsigned)(real_ns / 1000000u % 1000u));
	json_text(j, key, text);
}
