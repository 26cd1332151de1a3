/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own.h - our own metrics: about each segment, the processes that write to it, and the exporter.
 *
 * Depends on collection.h, extra.h, plan.h and values.h.
 */
#ifndef EXPOSITION_OWN_H
#define EXPOSITION_OWN_H

#include "exporter/collection.h"
#include "exporter/exposition/extra.h"
#include "exporter/exposition/plan.h"
#include "exporter/exposition/values.h"

/* own_segments - what the library and the exporter know about each segment and its writers
 * (own_segment.c). */
void own_segments(struct extra *x, const struct collection *c, const struct values *v);

/* own_store - the history of each segment (own_store.c). */
void own_store(struct extra *x, const struct collection *c);

/* own_exporter - this process, its configuration and connections, how long this took (own_exporter.c). */
void own_exporter(struct extra *x, const struct collection *c);

/* What was left out of an exposition. */
struct own_losses {
	const struct plan *plan;
	size_t nunreadable;		/* families whose values could not be read: */
	struct plan_drop *unreadable;
};

/* own_losses - how many families were left out, and the first of them by name (own_exporter.c). */
void own_losses(struct extra *x, const struct collection *c, const struct own_losses *l);

#endif /* EXPOSITION_OWN_H */
