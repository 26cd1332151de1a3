/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cells.h - a screen in memory: what the views paint on and term.c sends to the terminal.
 *
 * Depends on text.h. No terminal is needed to draw, so tests compare screens as text. A cell has
 * one character with up to two combining marks and a style by meaning; what a style looks like
 * is decided in term.c. Everything outside the screen is clipped.
 */
#ifndef TOP_CELLS_H
#define TOP_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "text.h"

enum top_style {
	TOP_PLAIN,
	TOP_DIM,	/* less important: zeros, placeholders, old values */
	TOP_BOLD,
	TOP_TITLE,	/* the header line */
	TOP_HEADING,	/* heads of the columns */
	TOP_SORTED,	/* the head of the column that is sorted by */
	TOP_KEY,	/* the key itself in the line of keys */
	TOP_GOOD,
	TOP_WARN,
	TOP_BAD,
	TOP_SPARK,
	TOP_STYLES
};
#define TOP_SELECTED 0x80u	/* added to a style: the row under the cursor */

#define TOP_CELL_MARKS 2

struct top_cell {
	uint32_t ch;			/* 0: the right half of a wide character */
	uint32_t marks[TOP_CELL_MARKS];	/* combining, 0 if none */
	uint8_t style;
};

#define TOP_WIDTH_MAX 2000
#define TOP_HEIGHT_MAX 1000

struct top_cells {
	int width, height;
	int cursor_x, cursor_y;	/* where the terminal's cursor rests */
	struct top_cell *cell;	/* row by row */
};

/* Zero is an empty screen. Sizes are brought into 1..MAX; the content is cleared. 0 or -ENOMEM. */
int top_cells_resize(struct top_cells *c, int width, int height);
void top_cells_release(struct top_cells *c);
void top_cells_clear(struct top_cells *c);

/* Write escaped text from (x, y) on, over at most `room` columns. Returns the columns used. */
int top_cells_put(struct top_cells *c, int x, int y, int room, unsigned style, const char *s);
/* The same, so that it ends at column x + room. Text that is too long keeps its begin. */
void top_cells_put_right(struct top_cells *c, int x, int y, int room, unsigned style,
			 const char *s);
/* Restyle a part of a row: `style` replaces, TOP_SELECTED is added. */
void top_cells_fill(struct top_cells *c, int x, int y, int room, unsigned style);

/* Make row y empty. */
void top_cells_blank(struct top_cells *c, int y);
/* Copy `lines` rows of a page, from its row `first` on, to row y. */
void top_cells_copy(struct top_cells *c, int y, int lines, const struct top_cells *page, int first);

/* Row y as text, without the spaces at its end. */
void top_cells_row(const struct top_cells *c, int y, struct buf *b);

#endif
