/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - see buf.h. */
#include "common/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

int buf_reserve(struct buf *b, size_t len)
{
	size_t cap = b->cap ? b->cap : FIRST_SIZE;
	char *grown;

	if (b->failed || len >= SIZE_MAX / 4 - b->len) {
		b->failed = 1;
		return 0;
	}
	while (cap <= b->len + len)
		cap *= 2;
	if (cap > b->cap) {
		grown = realloc(b->data, cap);
		if (!grown) {
			b->failed = 1;
			return 0;
		}
		b->data = grown;
		b->cap = cap;
	}
	return 1;
}

void buf_put(struct buf *b, const char *data, size_t len)
{
	if (!buf_reserve(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !buf_reserve(b, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
	va_end(args);
	b->len += (size_t)len;
}

void buf_free(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

char *buf_take(struct buf *b)
{
	char *data;

	buf_put(b, "", 0);
	if (b->failed)
		buf_free(b);
	data = b->data;
	memset(b, 0, sizeof(*b));
	return data;
}
