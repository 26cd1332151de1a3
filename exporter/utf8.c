/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - decode UTF-8 one character at a time; see utf8.h. */
#include "exporter/utf8.h"

size_t utf8_next(const char *text, size_t len, uint32_t *ret_code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	uint32_t code;
	size_t n, i;

	if (!len)
		return 0;
	n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
		s[0] < 0xf8 ? 4 : 0;
	if (!n || n > len)
		return 0;
	code = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	if (ret_code)
		*ret_code = code;
	return n;
}

int utf8_is_printable(uint32_t code)
{
	return code >= 0x20 && !(code >= 0x7f && code < 0xa0) &&
		!(code >= 0x200b && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202e) &&
		!(code >= 0x2060 && code <= 0x206f) && code != 0xfeff;
}
