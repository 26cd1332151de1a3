/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line.h - a line of items of which the weightiest get a place: nothing overlaps, at any width.
 *
 *	struct top_line l = { .n = 0 };
 *
 *	snprintf(top_line_item(&l, TOP_TITLE, 9)->text, TOP_NAME, "%s", name);
 *	l.right = l.n;		// what follows stands at the right end
 *	...
 *	top_line_draw(c, y, &l, g);
 *
 * Depends on glyphs.h.
 */
#ifndef TOP_LINE_H
#define TOP_LINE_H

#include "glyphs.h"
#include "model.h"

#define TOP_LINE_ITEMS 16

struct top_item {
	char text[TOP_NAME];
	unsigned style;
	int weight;	/* the heaviest gets its place first */
	int cut;	/* may be shortened; else it is there or not */
	int width;	/* on the screen; 0: no place */
};

struct top_line {
	struct top_item items[TOP_LINE_ITEMS];
	int n, right;	/* items from `right` on stand at the right end */
};

/* The next item, empty; the last one again if there are too many. */
struct top_item *top_line_item(struct top_line *l, unsigned style, int weight);
void top_line_draw(struct top_cells *c, int y, struct top_line *l, const struct top_glyphs *g);

#endif
