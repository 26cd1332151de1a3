/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slow.h - the slow operations that are in the writers' rings now.
 *
 * Depends on the reader library and text.h.
 */
#ifndef TOP_SLOW_H
#define TOP_SLOW_H

#include <shardmeter_reader.h>

#include "text.h"

#define TOP_SLOW_MAX 4096	/* entries kept; the newest of each writer */
#define TOP_SLOW_TEXT 160
#define TOP_SLOW_STEPS 16

/* All texts are escaped. */
struct top_slow {
	unsigned slot;
	uint64_t number, incarnation;
	uint64_t start_real_ns, duration_ns, threshold_ns;
	char writer[TOP_SLOW_TEXT], operation[TOP_SLOW_TEXT], status[TOP_SLOW_TEXT];
	char *attributes;	/* key=value key=value ... */
	char trace_id[33], span_id[17], parent_id[17];	/* "" if none */
	unsigned parts_refused;
	unsigned nsteps, longest;
	struct {
		char name[TOP_SLOW_TEXT];
		uint64_t duration_ns;
	} step[TOP_SLOW_STEPS];
};

struct top_slows {
	size_t n, room;
	struct top_slow *slow;
	unsigned escape;
	int rc;			/* of the last reading: 0 or -errno */
};

/* Zero is empty; set escape. What was there before is replaced. */
void top_slows_read(struct top_slows *s, struct sm_reader *r);
/* One more; 0, or -ENOMEM. */
int top_slows_add(struct top_slows *s, const struct sm_slow *slow);
void top_slows_clear(struct top_slows *s);
void top_slows_release(struct top_slows *s);

#endif
