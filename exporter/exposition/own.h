/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own.h - our own metrics: about each segment, the processes that write to it, and the exporter.
 *
 * Depends on collection.h, extra.h, plan.h, process.h and values.h.
 */
#ifndef EXPOSITION_OWN_H
#define EXPOSITION_OWN_H

#include "exporter/collection.h"
#include "exporter/exposition/extra.h"
#include "exporter/exposition/plan.h"
#include "exporter/exposition/process.h"
#include "exporter/exposition/values.h"

/* What one exposition does not know by itself: readings of each segment that met a change. */
struct own_reads {
	uint64_t began_ns;		/* of the last collection that was counted */
	size_t n;
	struct {
		uint64_t retries, stale;
	} *segment;
};

/* own_reads_count - count those of a collection that was not counted yet. External lock. 0 or
 * -ENOMEM. */
int own_reads_count(struct own_reads *reads, const struct collection *c);

/* own_segments - what the library and the exporter know about each segment and its writers
 * (own_segment.c). */
void own_segments(struct extra *x, const struct collection *c, const struct values *v);

/* own_reads - how often readings were repeated (own_segment.c). External lock. */
void own_reads(struct extra *x, const struct collection *c, const struct own_reads *reads);

/* own_writers - the processes of live writers (own_writer.c). */
void own_writers(struct extra *x, const struct collection *c, const struct values *v,
	struct process_table *table);

/* own_store - the history of each segment (own_store.c). */
void own_store(struct extra *x, const struct collection *c);

/* own_exporter - this process, its configuration and connections, how long this took (own_exporter.c). */
void own_exporter(struct extra *x, const struct collection *c, struct process_table *table);

/* What is in an exposition, and what was left out. */
struct own_losses {
	size_t samples;			/* of the segments' families */
	const struct plan *plan;
	size_t nunreadable;		/* families whose values could not be read: */
	struct plan_drop *unreadable;
};

/* own_losses - how many samples there are, how many families were left out, and the first of those by
 * name (own_exporter.c). */
void own_losses(struct extra *x, const struct collection *c, const struct own_losses *l);

#endif /* EXPOSITION_OWN_H */
