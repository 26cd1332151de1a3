/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - foreign text inside a JSON string. Depends on utf8.h.
 *
 *	char text[JSON_CHAR];
 *
 *	for (; len; s += n, len -= n) {
 *		n = json_next(s, len, text);
 *		fputs(text, f);
 *	}
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stddef.h>

#define JSON_CHAR 16

/*
 * json_next - the character that s begins with (len > 0) as it stands between the quotes: itself,
 * \" and \\, or \uNNNN for what utf8_is_hidden(). A byte that is not part of UTF-8 becomes \ufffd.
 * Returns the bytes of s that it took.
 */
size_t json_next(const char *s, size_t len, char ret_text[JSON_CHAR]);

#endif
