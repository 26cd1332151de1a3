/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - see utf8.h. */
#include "utf8.h"

#include "common/utf8.h"

bool sm_utf8_valid(const char *text, size_t len)
{
	size_t n;
	uint32_t code;

	for (; len; text += n, len -= n) {
		n = utf8_next(text, len, &code);
		if (!n || !code)
			return false;
	}
	return true;
}

size_t sm_utf8_length(const char *text, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}
