/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past.h - the histories that a question is about: one for each segment that keeps one.
 *
 * Depends on call.h and history/. They are opened for one question and closed after it: the recorder
 * may set a file aside and begin another at any time.
 */
#ifndef API_PAST_H
#define API_PAST_H

#include "exporter/api/call.h"
#include "exporter/history/history.h"

struct past_segment {
	const char *segment;
	struct history *history;
	uint64_t first_ms, last_ms;	/* of its rows; 0 without */
	uint64_t resolution_ms;		/* between rows as they are written now; 0: no row */
};

struct past {
	unsigned n;
	struct past_segment of[CALL_SEGMENTS];
};

/* past_open - 0; CALL_FAILED: no history is kept, or none can be read. */
int past_open(struct call *c, struct past *ret_past);
void past_close(struct past *p);

/* past_each_series - as history_each_series(), failing as calls do. */
int past_each_series(struct call *c, const struct past_segment *s,
	int (*fn)(void *ctx, const struct history_series *series), void *ctx);

/* past_fails - what a history's error means for the answer. */
int past_fails(struct call *c, const struct past_segment *s, int rc);

struct selectable past_selectable(const struct history_series *s);

#endif /* API_PAST_H */
