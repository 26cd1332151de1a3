/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8.h - take foreign text apart.
 *
 * Depends on nothing. What is inline here the library uses, too; utf8.c is for the programs.
 */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * utf8_next - length of the character that text begins with, its code point to *ret_code. 0 if it is
 * not UTF-8 (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF), cut off, or len is 0.
 */
static inline size_t utf8_next(const char *text, size_t len, uint32_t *ret_code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text;
	uint32_t code;
	size_t n, i;

	if (!len)
		return 0;
	if (p[0] < 0x80) {
		*ret_code = p[0];
		return 1;
	}
	n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	if (!n || n > len)
		return 0;
	code = p[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*ret_code = code;
	return n;
}

/* utf8_is_control - C0, DEL or C1: a terminal acts on it. */
static inline int utf8_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/*
 * utf8_is_hidden - a control character, or one that cannot be seen but moves, joins, reorders or breaks
 * what stands around it. Programs show none of these as they are.
 */
int utf8_is_hidden(uint32_t code);

#endif
