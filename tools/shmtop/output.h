/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - one sample as plain text: a table for people; JSON, CSV, OpenMetrics for programs.
 *
 * Depends on draw.h. Series come in the order and selection of the view of all series
 * (top_view_arrange() first), in OpenMetrics by family. None of this has escape sequences; what is
 * for programs is the same in every locale, with integers in full, and documented in shmtop(1) as
 * stable.
 */
#ifndef TOP_OUTPUT_H
#define TOP_OUTPUT_H

#include "draw.h"

/* average: change over the whole life instead of since the last sample, for a single sample. */
void top_output_table(struct buf *b, const struct top_data *d, const struct top_view *v,
		      int average);
/* One object in one line. */
void top_output_json(struct buf *b, const struct top_data *d, const struct top_view *v);
void top_output_csv_head(struct buf *b);
void top_output_csv(struct buf *b, const struct top_data *d, const struct top_view *v);
/* OpenMetrics 1.0, with its end. */
void top_output_openmetrics(struct buf *b, const struct top_data *d, const struct top_view *v);

/* ISO 8601, UTC, milliseconds. */
void top_output_time(struct buf *b, uint64_t real_ns);
/* quote: what JSON has no number for becomes a string. */
void top_output_double(struct buf *b, double v, int quote);
void top_output_value(struct buf *b, const struct sm_value *v, int quote);
void top_output_sum(struct buf *b, const struct sm_sum *sum, int quote);
void top_output_le(struct buf *b, double bound);

#endif
