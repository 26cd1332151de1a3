/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accessible.h - the linear mode: a summary, then one line for each change of state. For screen
 * readers and logs: no screen, nothing is drawn again, no number ticks.
 *
 * A fact is something that is so now ("shard-2: died"). Facts are compared from sample to sample:
 * a new one is said once; of some the end is said, too.
 *
 * Depends on draw.h.
 */
#ifndef TOP_ACCESSIBLE_H
#define TOP_ACCESSIBLE_H

#include "draw.h"

struct top_fact {
	uint64_t key;		/* what it is about, hashed with its kind */
	char text[TOP_NAME], end[TOP_NAME];	/* end "": its end is no news */
	unsigned patience;	/* samples that it may be missing before it has ended */
	unsigned missing;
};

struct top_facts {
	size_t n, room;
	struct top_fact *fact;
};

void top_accessible_summary(struct buf *b, const struct top_data *d, const struct top_glyphs *g);
/* Compare with what was known, append a line for each change, each after the time; *known is
 * updated. The first time (known is zero) nothing is said. 0 or -ENOMEM. */
int top_accessible_changes(struct buf *b, const struct top_data *d, struct top_facts *known,
			   const char *local_time);
void top_facts_release(struct top_facts *f);

#endif
