/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write.h - the values of a plan's families, and our own metrics, in a format.
 *
 * Depends on plan.h, extra.h, query.h and own.h.
 */
#ifndef EXPOSITION_WRITE_H
#define EXPOSITION_WRITE_H

#include "exporter/exposition/own.h"

/* Only tests may assign what depends on this. */
#ifdef SM_TEST
#define WRITE_MUTABLE
#else
#define WRITE_MUTABLE const
#endif

/* Bytes after which nothing of the segments is added. Only a falsified one gets there: a histogram of 256
 * bounds has its labels so often. */
extern WRITE_MUTABLE size_t write_body_max;

struct write {
	const struct collection *collection;
	const struct values *values;	/* of each segment */
	const struct query *query;
	const struct format *format;
	int created;			/* when each series began */
	unsigned native_buckets_max;
};

/* write_families - the families that the request wants; losses counts their samples. A family whose
 * values cannot be read is left out, and put into the list of losses, which the caller frees. 0 or
 * -ENOMEM. */
int write_families(const struct write *w, const struct plan *plan, struct buf *out,
	struct own_losses *losses);

/* write_extra - the metrics of x whose names the plan leaves free; then what a format ends with. 0 or
 * -ENOMEM. */
int write_extra(const struct write *w, const struct plan *plan, const struct extra *x,
	struct buf *out);

#endif /* EXPOSITION_WRITE_H */
