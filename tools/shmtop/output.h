/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - one sample as plain text: a table for people, JSON and CSV for programs.
 *
 * Depends on draw.h, model.h, view.h. Series come in the order and selection of the view
 * (top_view_arrange() first). None of this has escape sequences; JSON and CSV are the
 * same in every locale, with integers in full, and documented in shmtop(1) as stable.
 */
#ifndef TOP_OUTPUT_H
#define TOP_OUTPUT_H

#include "draw.h"

/* average: change over the whole life instead of since the last sample, for a single sample. */
void top_output_table(struct buf *b, const struct top_model *m, const struct top_view *v,
		      int average);
/* One object in one line. */
void top_output_json(struct buf *b, const struct top_model *m, const struct top_view *v);
void top_output_csv_head(struct buf *b);
void top_output_csv(struct buf *b, const struct top_model *m, const struct top_view *v);

#endif
