/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_out.h - write JSON into a buf, on one line.
 *
 * Depends on buf.h and json.h. What a caller opens it closes; commas are put by themselves. key is
 * NULL inside an array. Foreign text may be any bytes: what is not UTF-8 becomes U+FFFD, what cannot
 * be seen is escaped. Numbers: every digit of an integer, a double so short that it reads back as
 * the same; JSON has no NaN and no infinity, so those are null.
 *
 *	struct json_out j = { .b = &buf };
 *	json_open(&j, NULL, '{');
 *	json_u64(&j, "count", 3);
 *	json_close(&j, '}');		// {"count":3}
 */
#ifndef COMMON_JSON_OUT_H
#define COMMON_JSON_OUT_H

#include <stdint.h>

#include "common/buf.h"

struct json_out {
	struct buf *b;
	int more;		/* something stands before in this object or array */
};

void json_open(struct json_out *j, const char *key, char bracket);
void json_close(struct json_out *j, char bracket);

void json_text(struct json_out *j, const char *key, const char *text);
void json_text_n(struct json_out *j, const char *key, const char *text, size_t len);
void json_u64(struct json_out *j, const char *key, uint64_t v);
void json_bool(struct json_out *j, const char *key, int v);
void json_null(struct json_out *j, const char *key);

/* json_number - digits as they are: the caller knows that they are a JSON number. */
void json_number(struct json_out *j, const char *key, const char *digits);

/* json_fixed - v / 10^decimals exactly, without trailing zeros. json_seconds: ns as seconds. */
void json_fixed(struct json_out *j, const char *key, uint64_t v, unsigned decimals);
void json_seconds(struct json_out *j, const char *key, uint64_t ns);

/* json_time - a Unix time as "2026-11-20T13:21:07.250Z"; null for 0. */
void json_time(struct json_out *j, const char *key, uint64_t real_ns);

#endif
