/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - see json.h. */
#include "common/json.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

size_t json_next(const char *s, size_t len, char ret_text[JSON_CHAR])
{
	uint32_t code = 0;
	size_t n = utf8_next(s, len, &code);

	if (!n) {
		strcpy(ret_text, "\\ufffd");
		return 1;
	}
	if (code == '"' || code == '\\') {
		ret_text[0] = '\\';
		ret_text[1] = *s;
		ret_text[2] = '\0';
	} else if (!utf8_is_hidden(code)) {
		memcpy(ret_text, s, n);
		ret_text[n] = '\0';
	} else if (code > 0xffff) {
		/* As two surrogates. */
		snprintf(ret_text, JSON_CHAR, "\\u%04x\\u%04x", 0xd7c0 + (code >> 10),
			0xdc00 + (code & 0x3ff));
	} else {
		snprintf(ret_text, JSON_CHAR, "\\u%04x", code);
	}
	return n;
}
