/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - a text that grows; see body.h. */
#include "exporter/exposition/body.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct body *b, size_t len)
{
	size_t cap = b->cap ? b->cap : 16384;
	char *grown;

	if (b->failed || len > (size_t)-1 / 4 - b->len) {
		b->failed = 1;
		return 0;
	}
	while (cap < b->len + len)
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

void body_put(struct body *b, const char *data, size_t len)
{
	if (len && reserve(b, len)) {
		memcpy(b->data + b->len, data, len);
		b->len += len;
	}
}

void body_puts(struct body *b, const char *text)
{
	body_put(b, text, strlen(text));
}

void body_printf(struct body *b, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n + 1))
		return;
	va_start(ap, format);
	vsnprintf(b->data + b->len, (size_t)n + 1, format, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void body_free(struct body *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

int body_sink(void *ctx, const char *data, size_t len)
{
	struct body *b = ctx;

	body_put(b, data, len);
	return b->failed ? -ENOMEM : 0;
}
