/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - which segment, and staying with it while it is replaced, removed or damaged.
 *
 * Depends on sample.h and the reader library.
 */
#ifndef TOP_SOURCE_H
#define TOP_SOURCE_H

#include <limits.h>

#include "parts.h"
#include "sample.h"
#include "slow.h"

struct top_source {
	struct sm_reader *reader;	/* NULL: not attached */
	char path[PATH_MAX];
	unsigned flags;			/* of sm_snapshot_take() */
	int fresh;			/* the next sample is the first one of this file */
	struct top_parts *parts;	/* what is wanted of each writer; may be NULL */
	struct top_slows *slows;	/* NULL: they are not looked at */
	uint64_t refused_before;
};

/* Attach to the file at path. 0, SM_NOT_READY or -errno, with its reason in diag. */
int top_source_open(struct top_source *s, const char *path, struct sm_diag *diag);
void top_source_close(struct top_source *s);

#define TOP_SOURCE_REPLACED 1	/* attached to the file that has taken the place of the old one */

/*
 * top_source_sample - take a sample into the model. Whatever happens to the segment, the model
 * keeps its last values and its status says since when and why they are old.
 *
 * Returns 0, TOP_SOURCE_REPLACED, or -errno when there is no new sample.
 */
int top_source_sample(struct top_source *s, struct top_model *m);
/* Read parts and slow operations alone, for a view that was just opened: the model stays, so that
 * its samples keep their distance. */
void top_source_look(struct top_source *s, const struct top_model *m);

#endif
