/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.h - from a snapshot of a segment to the model.
 *
 * Depends on model.h and the reader library. Looks at a snapshot that somebody else took; source.c
 * takes it and decides from which file.
 */
#ifndef TOP_SAMPLE_H
#define TOP_SAMPLE_H

#include "model.h"

/* Whether the snapshot needs SM_SNAPSHOT_WRITERS: it has series without a common value. */
int top_sample_needs_writers(const struct sm_snapshot *s);
/* Feed all series. 0 or -ENOMEM. */
int top_sample_series(struct top_model *m, const struct sm_snapshot *s);
/* Fill the header's facts. refused_before: top_sample_refused() when we attached. 0 or -ENOMEM. */
int top_sample_status(struct top_model *m, const struct sm_snapshot *s, uint64_t refused_before);
uint64_t top_sample_refused(const struct sm_snapshot *s);

#endif
