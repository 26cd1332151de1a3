/* SPDX-License-Identifier: Apache-2.0 */
/* clean.c - see clean.h. */
#include "clean.h"

#include <string.h>

#include "utf8.h"

/* Length of the well-formed character at p; 1 for a byte that is part of none. */
static size_t character(const char *p, size_t n, bool *ret_printable)
{
	unsigned char c = (unsigned char)p[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	*ret_printable = false;
	if (len > n || !sm_utf8_valid(p, len))
		return 1;
	*ret_printable = c >= 0x20 && c != 0x7f && !(c == 0xc2 && (unsigned char)p[1] < 0xa0);
	return len;
}

size_t sm_clean_text(char *ret_text, const char *from, size_t n)
{
	size_t len, out = 0;
	bool printable;

	for (; n; from += len, n -= len) {
		len = character(from, n, &printable);
		if (printable) {
			memcpy(ret_text + out, from, len);
			out += len;
		} else {
			ret_text[out++] = '?';
		}
	}
	ret_text[out] = '\0';
	return out;
}
