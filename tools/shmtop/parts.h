/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts.h - what each writer adds to the series that the detail shows.
 *
 * Depends on model.h. One writer is slower than the others: that is the question here. So
 * writers keep their part, with its age, when they are dead or their slot has a new owner.
 *
 *	top_parts_want(p, &ref, 1);		// again and again is free
 *	top_parts_sample(p, m, snapshot);	// with SM_SNAPSHOT_WRITERS, after each sample
 */
#ifndef TOP_PARTS_H
#define TOP_PARTS_H

#include "model.h"

#define TOP_PARTS_REFS 32	/* series that are added up at most */

struct top_part {
	char name[TOP_NAME];		/* escaped */
	unsigned slot;
	uint64_t incarnation;
	enum sm_writer_state state;
	int ended;
	uint64_t seen;			/* number of the last sample that had a value */
	uint64_t at_boot_ns, before_boot_ns; /* when that was, and the value before */
	struct sm_value value;		/* of all but histograms */
	double before;			/* the number it had in the sample before */
	enum top_rate rating;
	double rate;
	uint64_t *counts, *first;	/* of histograms: now, and when we began to look */
	uint64_t count;
	double quantile[TOP_QUANTILES];
	int recent;			/* they are of what came since we look, not of the whole life */
	int slow;			/* p95 is twice that of the others */
};

struct top_parts {
	size_t nrefs;
	struct top_ref ref[TOP_PARTS_REFS];
	enum sm_kind kind;
	unsigned nbuckets;
	uint64_t sampled;		/* number of the last sample, 0: none */
	size_t n, room;
	struct top_part *part;		/* in order of names */
};

/* Zero wants nothing. Other refs than before drop what there is. */
void top_parts_want(struct top_parts *p, const struct top_ref *refs, size_t n);
void top_parts_release(struct top_parts *p);
/* 0 or -ENOMEM. */
int top_parts_sample(struct top_parts *p, const struct top_model *m, const struct sm_snapshot *s);

#endif
