/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glyphs.h - the characters that are not text, and what is drawn with them: sparks, bars, graphs.
 *
 * Depends on cells.h. In UTF-8 eighths of a block, never braille: with many fonts it shows dots or
 * boxes, and a braille display reads it as letters.
 */
#ifndef TOP_GLYPHS_H
#define TOP_GLYPHS_H

#include "cells.h"

#define TOP_SPARK_LEVELS 8

struct top_glyphs {
	const char *ellipsis, *none, *ascending, *descending, *gone, *micro, *joint, *at_most, *times;
	const char *spark[TOP_SPARK_LEVELS];	/* from low to high; the last is full */
	const char *bar[TOP_SPARK_LEVELS];	/* from narrow to wide; the last is full */
};
extern const struct top_glyphs top_glyphs_utf8, top_glyphs_ascii;

/* The n-th number before the last one; NaN: none. */
typedef float (*top_series_fn)(const void *context, unsigned ago);

/*
 * top_spark - one line, newest right, a gap where there is no number. Levels span from the smallest
 * to the largest, but not less than a fifth of the largest: noise on a steady value shall look
 * steady.
 */
void top_spark(struct top_cells *c, int x, int y, int room, const struct top_glyphs *g,
	       unsigned style, top_series_fn at, const void *context);
/* The same as a graph of several lines, from zero if nothing is below; the range it shows comes back
 * (NaN: no number at all). */
void top_graph(struct top_cells *c, int x, int y, int width, int height, const struct top_glyphs *g,
	       top_series_fn at, const void *context, double *ret_low, double *ret_high);
/* A bar of share (0 to 1) of `room` columns. What is more than nothing is visible. */
void top_bar(struct top_cells *c, int x, int y, int room, const struct top_glyphs *g, unsigned style,
	     double share);

#endif
