/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - writing Prometheus text format 0.0.4 piece by piece. */
#ifndef SM_TEXT_H
#define SM_TEXT_H

#include <shardmeter_reader.h>
#include <stdbool.h>

/* Text that grows in memory (sink NULL), or goes to a sink whenever there is enough of it. */
struct text {
	char *p;
	size_t n, room;
	int error;		/* 0 or -errno; nothing is added after an error */
	int (*sink)(void *ctx, const char *data, size_t len);
	void *ctx;
};

void sm_text_put(struct text *t, const char *p, size_t n);
void sm_text_puts(struct text *t, const char *s);

/* Backslash, newline and, if quotes, the quotation mark escaped. */
void sm_text_escaped(struct text *t, const char *p, size_t n, bool quotes);

/* name="value" with a comma before it if something is there already. */
void sm_text_label(struct text *t, const char *name, const char *value, size_t len);

/* HELP (unless empty) and TYPE. */
void sm_text_family(struct text *t, const char *name, const char *help, const char *type);

/* name + suffix {labels} value; labels NULL or empty: no braces. */
void sm_text_sample(struct text *t, const char *name, const char *suffix, const struct text *labels,
		 const char *value, size_t value_len);

/* Our own metrics about the segment, sorted by name. */
void sm_text_about_segment(struct text *t, const struct sm_snapshot *s);

#endif
