/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - take foreign text apart. Depends on nothing. */
#ifndef EXPORTER_UTF8_H
#define EXPORTER_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* utf8_next - length of the character that text begins with, its code point to *ret_code (NULL
 * allowed). 0 if it is not UTF-8 (RFC 3629: no overlong forms, no surrogates) or len is 0. */
size_t utf8_next(const char *text, size_t len, uint32_t *ret_code);

/* utf8_is_printable - may this code point go to a terminal or a log: no control character, no
 * line or paragraph separator, nothing that turns the writing direction? */
int utf8_is_printable(uint32_t code);

#endif /* EXPORTER_UTF8_H */
