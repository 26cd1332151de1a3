/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - the table of a view: which columns have a place, heads, rows.
 *
 * Depends on view.h. What does not fit is left out by priority, never overlapped: each column has
 * a turn at which it gives way; the names take the rest and are cut in the middle.
 */
#ifndef TOP_TABLE_H
#define TOP_TABLE_H

#include "view.h"

#define TOP_COLUMNS_MAX 16

/* The columns that find no place on s->c: 1 << column each, for top_list.hidden. */
unsigned top_table_hidden(const struct top_scene *s);
/* Draw heads, if the screen is not too low for them, and rows from line y on. */
void top_table_draw(const struct top_scene *s, int y, int lines);
/* The column at x, or -1. */
int top_table_column(const struct top_scene *s, int x);

/* Shorten a series' name to `width` columns: its labels tell rows apart, so the family's name gives
 * way first. */
void top_cut_name(const char *name, int width, const struct top_glyphs *g, char *ret, size_t size);

#endif
