/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cell.h - numbers of the model as text of a cell, for the views and the tables in plain text.
 *
 * Depends on views.h. "" is nothing to say yet, g->none has no meaning.
 */
#ifndef TOP_CELL_H
#define TOP_CELL_H

#include "views.h"

void top_cell_value(const struct top_row *row, const struct top_glyphs *g, int exact,
		    char ret[TOP_NAME]);
/* The same in at most `room` columns, with its style: numbers lose digits, not columns. */
void top_cell_value_in(const struct top_row *row, const struct top_glyphs *g, int exact, int room,
		       struct top_text *ret);
/* An sm_value with its unit. */
void top_cell_number(const struct sm_value *v, const struct top_family *f,
		     const struct top_glyphs *g, int exact, char ret[TOP_NAME]);
void top_cell_rate(const struct top_model *m, const struct top_row *row,
		   const struct top_glyphs *g, struct top_text *ret);
void top_cell_quantile(const struct top_row *row, int q, const struct top_glyphs *g,
		       struct top_text *ret);
/* An average, minimum or maximum of a row: a rate, or in the row's unit. */
void top_cell_stat(const struct top_row *row, const struct top_glyphs *g, double x,
		   struct top_text *ret);
/* "3/4 writers up", or "no writers". */
void top_cell_writers(const struct top_status *st, char ret[TOP_NAME]);
/* "stale 3m" in 9 columns. */
void top_cell_stale(uint64_t age_ns, struct top_text *ret);

#endif
