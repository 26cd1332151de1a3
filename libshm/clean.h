/* SPDX-License-Identifier: Apache-2.0 */
/* clean.h - foreign text that may come to a terminal: names, versions, slow operations. */
#ifndef SM_CLEAN_H
#define SM_CLEAN_H

#include <stddef.h>

/*
 * Copy n bytes and a NUL. Each byte that is not part of well-formed UTF-8, and each control
 * character (C0, DEL, C1), becomes '?'. Returns the length, at most n.
 */
size_t sm_clean_text(char *ret_text, const char *from, size_t n);

#endif
