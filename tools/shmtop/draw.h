/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw.h - the whole screen, in memory. Pure: no clock, no terminal, no segment.
 *
 * Depends on table.h, line.h. Works at every size from 1x1:
 *
 *	demo  v2.14.0  15/16 writers up  worst beat 0.4s shard-3  up 2h05m     13:21:07
 *	! shard-11 died 3m41s ago · lyrics 7% fail                     every 1s  PAUSED
 *	[1 Overview] 2 Series 3 Writers 4 Histograms 5 Slow        12 of 214  3% used
 *	  OPERATION         RATE/s   ERR%     p95     p99  LAST 10s    NOTE▼
 *	! lyrics              1.20   7.14   1.30s   1.81s  ▂▃▃▂▃▂▃▇▇▇  7% fail
 *	h Help  / Filter  s Sort  r Reverse  Space Pause  Enter Detail         1-19 of 214
 *
 * Below 40 columns or 8 lines: one header line and rows.
 */
#ifndef TOP_DRAW_H
#define TOP_DRAW_H

#include "line.h"
#include "table.h"

/* How many rows fit on a screen of this size: what top_view_fit() wants. */
size_t top_draw_page(int width, int height);
void top_draw(const struct top_scene *s);
struct top_hit top_draw_hit(const struct top_scene *s, int x, int y);

/* One line of judgement about the segment and its operations (ops may be NULL). */
enum top_style top_judgement(const struct top_status *st, const struct top_ops *ops,
			     const struct top_glyphs *g, struct buf *b);
/* The help, from line 0 of s->c on. Returns the lines used. */
int top_help(const struct top_scene *s);

#endif
