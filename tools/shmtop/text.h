/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - text that came from outside, made fit for a terminal, and numbers made fit for people.
 *
 * Depends on common. Names, labels and everything else in a segment are written by programs we
 * do not know: each byte passes top_escape() before a terminal sees it. What comes out of it is
 * either ASCII or valid UTF-8 without control characters, and the other functions take only that.
 */
#ifndef TOP_TEXT_H
#define TOP_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/* ---- characters ----------------------------------------------------------------------------- */

/* Decode one code point of len > 0 bytes. Returns the bytes used; *ret is UINT32_MAX for a byte
 * that is not part of valid UTF-8 (1 is returned then). */
size_t top_utf8_decode(const char *s, size_t len, uint32_t *ret);
/* Encode one; returns 1 to 4 bytes. */
size_t top_utf8_encode(uint32_t c, char ret[4]);

#define TOP_ESCAPE_ASCII	0x1u	/* the terminal takes only ASCII: escape all else */
#define TOP_ESCAPE_UTF8		0x2u	/* not for this terminal: any locale, any width */
#define TOP_ESCAPE_QUOTE	0x4u	/* also write \\ \" \n as in the Prometheus text format */

/*
 * top_escape - append len bytes of foreign text. Control characters (C0, DEL, C1), invalid
 * UTF-8, direction and other invisible format characters, and what the terminal has no width
 * for become \xNN, byte by byte.
 */
void top_escape(struct buf *b, const char *s, size_t len, unsigned flags);

/* Append foreign text as a JSON string, with its quotes: what top_escape() would not show becomes
 * \uNNNN, what is not UTF-8 becomes U+FFFD. The result is the same in every locale. */
void top_json_string(struct buf *b, const char *s);

/* Columns on the screen of escaped text. */
int top_width(const char *s);

/*
 * top_cut - shorten escaped text to at most `width` columns, keeping begin and end, with `ellipsis`
 * where something was left out; `head` of 100 parts of what is kept are the begin.
 */
void top_cut(const char *s, int width, int head, const char *ellipsis, char *ret_text, size_t size);
/* The same with 50. */
void top_cut_middle(const char *s, int width, const char *ellipsis, char *ret_text, size_t size);

/* ---- numbers -------------------------------------------------------------------------------- */

#define TOP_NUMBER 48	/* bytes that a formatted number needs at most */

/* top_format_quantity - at most 7 columns, scaled by the unit: "22.0ms", "3m41s", "1.2MiB",
 * "12.5%", "1234567", "12.3M". micro is how to spell the micro sign. */
void top_format_quantity(double v, const char *unit, const char *micro, char ret[TOP_NUMBER]);
/* top_format_rate - change per second: bytes keep their unit, all others are plain numbers. */
void top_format_rate(double v, const char *unit, char ret[TOP_NUMBER]);
/* top_format_age - "0.4s", "14s", "3m41s", "2h05m", "12d3h". */
void top_format_age(uint64_t ns, char ret[TOP_NUMBER]);

#endif
