/* SPDX-License-Identifier: Apache-2.0 */
/* clean.c - see clean.h. */
#include "clean.h"

#include <string.h>

#include "utf8.h"

/* Length of the printable character at p, 0 if there is none. */
static size_t printable(const char *p, size_t n)
{
	unsigned char c = (unsigned char)p[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (len > n || !sm_utf8_valid(p, len) || c < 0x20 || c == 0x7f)
		return 0;
	return c == 0xc2 && (unsigned char)p[1] < 0xa0 ? 0 : len;
}

size_t sm_clean_text(char *ret_text, const char *from, size_t n)
{
	size_t len, out = 0;

	while (n) {
		len = printable(from, n);
		if (len)
			memcpy(ret_text + out, from, len);
		else
			ret_text[out] = '?';
		out += len ? len : 1;
		len = len ? len : 1;
		from += len;
		n -= len;
	}
	ret_text[out] = '\0';
	return out;
}
