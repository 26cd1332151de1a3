/* SPDX-License-Identifier: Apache-2.0 */
/* body.h - a text that grows. Depends on nothing. */
#ifndef EXPOSITION_BODY_H
#define EXPOSITION_BODY_H

#include <stddef.h>

/* Zero-initialise; body_free() at the end, or hand data over to whoever free()s it. */
struct body {
	char *data;
	size_t len, cap;
	int failed;		/* out of memory: the text is incomplete, drop it */
};

void body_put(struct body *b, const char *data, size_t len);
void body_puts(struct body *b, const char *text);
void body_printf(struct body *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void body_free(struct body *b);

/* body_sink - for sm_snapshot_text(); ctx is the body. */
int body_sink(void *ctx, const char *data, size_t len);

#endif /* EXPOSITION_BODY_H */
