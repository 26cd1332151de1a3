/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - a text that grows. Depends on nothing. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stddef.h>

/*
 * Zero is the empty text; buf_free() or buf_take() at the end. After an allocation failed, `failed` is
 * set and adding does nothing, so that only the end has to look. data ends in NUL, or is NULL as long as
 * nothing was added.
 */
struct buf {
	char *data;
	size_t len, cap;
	int failed;
};

/* buf_reserve - room for len bytes more and a NUL, which the caller may write to b->data + b->len and then
 * add to b->len. 0 if memory was short. */
int buf_reserve(struct buf *b, size_t len);

void buf_put(struct buf *b, const char *data, size_t len);
void buf_puts(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_free(struct buf *b);

/* buf_take - the text, which the caller frees; "" if nothing was added, NULL if memory was short. The
 * buf is empty afterwards. */
char *buf_take(struct buf *b);

#endif
