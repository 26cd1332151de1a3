/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw.h - from model and view to a screen in memory. Pure: no clock, no terminal, no segment.
 *
 * Depends on model.h, view.h, cells.h. Works at every size from 1x1:
 *
 *	default  v2.14.0  layout 1.0  5/6 writers up  worst beat 0.9s shard-3   13:21:07
 *	! shard-4 died 3m41s ago                             214 series  12% used  every 1s
 *	  SERIES▲                           VALUE  CHANGE/s    p95    p99  LAST 10s
 *	  commands_total{play,ok}          141203     141.2      ·      ·  ▂▃▃▂▃▂▃▇▇▇
 *	h Help  q Quit  / Filter  s Sort  r Reverse  Space Pause  +- Interval     1-19 of 214
 *
 * Below 40 columns or 8 lines: one header line and rows.
 */
#ifndef TOP_DRAW_H
#define TOP_DRAW_H

#include "cells.h"
#include "model.h"
#include "view.h"

#define TOP_SPARK_LEVELS 8

/* The characters that are not text, in UTF-8 or ASCII. */
struct top_glyphs {
	const char *ellipsis, *none, *ascending, *descending, *gone, *micro, *joint;
	const char *spark[TOP_SPARK_LEVELS];
};
extern const struct top_glyphs top_glyphs_utf8, top_glyphs_ascii;

/* How many rows of series fit on a screen of this size: what top_view_fit() wants. */
size_t top_draw_page(int width, int height);
/* The columns that find no place at this width: 1 << TOP_SORT_x each, for top_view.hidden. */
unsigned top_draw_hidden(int width, const struct top_model *m, const struct top_view *v,
			 const struct top_glyphs *g);
/* local_time: of the sample, "HH:MM:SS". now_ns: the clock of top_view_key(). */
void top_draw(struct top_cells *c, const struct top_model *m, const struct top_view *v,
	      const struct top_glyphs *g, const char *local_time, uint64_t now_ns);

/* Shorten a series' name to `width` columns: its labels tell rows apart, so the family's name gives
 * way first. */
void top_cut_name(const char *name, int width, const struct top_glyphs *g, char *ret, size_t size);

/* The cells of the table, for output.c too. "" is nothing to say, g->none has no meaning. */
void top_cell_value(const struct top_row *row, const struct top_glyphs *g, int exact,
		    char ret[TOP_NAME]);
void top_cell_quantile(const struct top_row *row, int q, const struct top_glyphs *g,
		       char ret[TOP_NAME]);

/* One line of judgement about the segment. */
enum top_style top_judgement(const struct top_status *st, const struct top_glyphs *g,
			     struct buf *b);

#endif
