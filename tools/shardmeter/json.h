/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - JSON and CSV for machines.
 *
 * JSON: integers exactly as counted (also above 2^53), times in UTC, always valid: bytes of a text
 * that are not UTF-8 become U+FFFD, NaN and the infinities become the strings "NaN", "+Inf",
 * "-Inf". Every outermost object carries "schema". CSV: RFC 4180.
 *
 * Calling sequence:
 *
 *	struct cli_json j = { .f = stdout, .indent = true };
 *	cli_json_open(&j, NULL, '{');
 *	cli_json_u64(&j, "schema", CLI_JSON_SCHEMA);
 *	cli_json_open(&j, "series", '[');
 *	...
 *	cli_json_close(&j, ']');
 *	cli_json_close(&j, '}');
 *
 * key is NULL inside an array. Write errors stay in the FILE.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "text.h"

/* Version of the JSON that this program prints: +1 when the meaning of something changes. New
 * members may appear without that. */
#define CLI_JSON_SCHEMA 1

struct cli_json {
	FILE *f;
	bool indent; /* a line for each member of the upper levels; else one line in all */
	unsigned depth;
	bool more; /* something stands before in this object or array */
};

/* bracket is '{' or '[' and '}' or ']'. Closing the outermost one ends the line. */
void cli_json_open(struct cli_json *j, const char *key, char bracket);
void cli_json_close(struct cli_json *j, char bracket);

void cli_json_text(struct cli_json *j, const char *key, const char *s);
void cli_json_text_n(struct cli_json *j, const char *key, const char *s, size_t len);
void cli_json_u64(struct cli_json *j, const char *key, uint64_t v);
void cli_json_bool(struct cli_json *j, const char *key, bool v);

/* A number as cli_value(), cli_sum() or sm_format_double() write it; null for "". */
void cli_json_number(struct cli_json *j, const char *key, const char *text);
void cli_json_double(struct cli_json *j, const char *key, double v);

/* A time; null for 0. */
void cli_json_time(struct cli_json *j, const char *key, uint64_t real_ns);
/* ns as seconds with three decimals. */
void cli_json_seconds(struct cli_json *j, const char *key, uint64_t ns);
void cli_json_null(struct cli_json *j, const char *key);

/* One field of a CSV record, with a comma before it unless it is the first. */
void cli_csv_field(FILE *f, bool first, const char *s, size_t len);
void cli_csv_end(FILE *f);

#endif
