/* SPDX-License-Identifier: Apache-2.0 */
/* clean.c - see clean.h. */
#include "clean.h"

#include <string.h>

#include "common/utf8.h"

size_t sm_clean_text(char *ret_text, const char *from, size_t n)
{
	size_t len, out = 0;
	uint32_t code;

	for (; n; from += len, n -= len) {
		len = utf8_next(from, n, &code);
		if (len && !utf8_is_control(code)) {
			memcpy(ret_text + out, from, len);
			out += len;
		} else {
			ret_text[out++] = '?';
			len = len ? len : 1;
		}
	}
	ret_text[out] = '\0';
	return out;
}
