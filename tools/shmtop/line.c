/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line.c - a line of items of which the weightiest get a place.
 */
#include "line.h"

#include <string.h>

#define CUT_MIN 8	/* columns below which a piece of text says nothing */

struct top_item *top_line_item(struct top_line *l, unsigned style, int weight)
{
	struct top_item *i = &l->items[l->n < TOP_LINE_ITEMS ? l->n++ : TOP_LINE_ITEMS - 1];

	memset(i, 0, sizeof(*i));
	i->style = style;
	i->weight = weight;
	return i;
}

/* Give places by weight, two columns apart. */
static void place_items(struct top_line *l, int room)
{
	int used = 0, i, need, left;
	struct top_item *heaviest, *next;

	for (;;) {
		heaviest = &l->items[0];
		for (i = 1; i < l->n; i++) {
			next = &l->items[i];
			if (next->weight > heaviest->weight)
				heaviest = next;
		}
		if (!heaviest->weight)
			return;
		heaviest->weight = 0;
		need = top_width(heaviest->text);
		left = room - used - (used ? 2 : 0);
		if (need > left)
			need = heaviest->cut && (left >= CUT_MIN || !used) ? left : 0;
		heaviest->width = need;
		if (need)
			used += need + (used ? 2 : 0);
	}
}

void top_line_draw(struct top_cells *c, int y, struct top_line *l, const struct top_glyphs *g)
{
	char cut[4 * TOP_NAME];
	int x = 0, i, right = 0;

	place_items(l, c->width);
	for (i = l->right; i < l->n; i++)
		if (l->items[i].width)
			right += l->items[i].width + (right ? 2 : 0);
	for (i = 0; i < l->n; i++) {
		if (i == l->right && c->width - right > x)
			x = c->width - right;
		if (!l->items[i].width)
			continue;
		top_cut_middle(l->items[i].text, l->items[i].width, g->ellipsis, cut, sizeof(cut));
		top_cells_put(c, x, y, l->items[i].width, l->items[i].style, cut);
		x += l->items[i].width + 2;
	}
}
