/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - is this text UTF-8? (RFC 3629: no overlong forms, no surrogates, no NUL.) */
#ifndef SM_UTF8_H
#define SM_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool sm_utf8_valid(const char *text, size_t len);

/* Code points in valid UTF-8. */
size_t sm_utf8_length(const char *text, size_t len);

#endif
