/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - the table of a view.
 */
#include "table.h"

#include <stdio.h>
#include <string.h>

#define MARK_WIDTH 2
#define STRETCH_MAX 60
#define WIDE 100		/* a screen on which names may take more */

struct plan {
	int width[TOP_COLUMNS_MAX];	/* 0: not shown */
	int x[TOP_COLUMNS_MAX];
	int mark;
	int wide;			/* names with all they have */
};

static int at_most(int a, int b)
{
	return a < b ? a : b;
}

static const struct top_view_def *def_of(const struct top_scene *s)
{
	return top_views[s->v->id];
}

static int total(const struct top_view_def *def, const struct plan *p)
{
	int sum = p->mark;
	unsigned i;

	for (i = 0; i < def->ncolumns; i++)
		if (p->width[i])
			sum += p->width[i] + def->columns[i].gap;
	return sum;
}

/* The column that gives way next; -1: none is left. */
static int next_to_go(const struct top_view_def *def, const struct plan *p)
{
	int found = -1;
	unsigned i;

	for (i = 0; i < def->ncolumns; i++)
		if (p->width[i] && def->columns[i].turn &&
		    (found < 0 || def->columns[i].turn < def->columns[found].turn))
			found = (int)i;
	return found;
}

static void name_widths(const struct top_scene *s, int *ret_brief, int *ret_wide)
{
	const struct top_list *l = top_list_of(s->v);
	const struct top_view_def *def = def_of(s);
	int brief, wide, w;
	unsigned i = 0;
	size_t n;

	while (!(def->columns[i].flags & TOP_COL_NAME))
		i++;
	/* With the mark of the order. */
	brief = wide = top_width(def->columns[i].head) + 1;
	for (n = 0; n < l->n; n++) {
		w = def->name_width(s, l->item[n], 0);
		brief = w > brief ? w : brief;
		w = def->name_width(s, l->item[n], 1);
		wide = w > wide ? w : wide;
	}
	*ret_brief = brief;
	*ret_wide = wide;
}

static void plan_table(const struct top_scene *s, struct plan *p)
{
	const struct top_view_def *def = def_of(s);
	unsigned absent = def->absent ? def->absent(s) : 0, i, name = 0, stretch = 0;
	int screen = s->c->width, brief, wide, want, left, x, go;

	memset(p, 0, sizeof(*p));
	p->mark = screen >= 12 && def->mark ? MARK_WIDTH : 0;
	for (i = 0; i < def->ncolumns; i++) {
		if (def->columns[i].flags & TOP_COL_NAME)
			name = i;
		else if (!(absent >> i & 1))
			p->width[i] = def->width ? def->width(s, i) : def->columns[i].width;
	}
	name_widths(s, &brief, &wide);
	want = at_most(brief, screen > WIDE ? screen * 2 / 5 : at_most(def->name_min, screen * 2 / 5));
	while (total(def, p) + want > screen && (go = next_to_go(def, p)) >= 0)
		p->width[go] = 0;
	left = screen - total(def, p) - def->columns[name].gap;
	left = left < 1 ? 1 : left;
	p->wide = wide + 12 <= left;
	p->width[name] = at_most(p->wide ? wide : brief, left);
	left -= p->width[name];
	for (i = 0; i < def->ncolumns; i++)
		stretch += p->width[i] && def->columns[i].flags & TOP_COL_STRETCH;
	for (i = 0; i < def->ncolumns; i++) {
		if (!p->width[i] || !(def->columns[i].flags & TOP_COL_STRETCH))
			continue;
		x = at_most(left / (int)stretch--, STRETCH_MAX - p->width[i]);
		p->width[i] += x;
		left -= x;
	}
	for (x = p->mark, i = 0; i < def->ncolumns; i++) {
		if (!p->width[i])
			continue;
		/* Nothing before the first one, but the mark. */
		x += x > p->mark ? def->columns[i].gap : 0;
		p->x[i] = x;
		x += p->width[i];
	}
}

unsigned top_table_hidden(const struct top_scene *s)
{
	unsigned hidden = 0, i;
	struct plan p;

	plan_table(s, &p);
	for (i = 0; i < def_of(s)->ncolumns; i++)
		if (!p.width[i])
			hidden |= 1u << i;
	return hidden;
}

int top_table_column(const struct top_scene *s, int x)
{
	const struct top_view_def *def = def_of(s);
	struct plan p;
	unsigned i;

	plan_table(s, &p);
	for (i = 0; i < def->ncolumns; i++)
		if (p.width[i] && x >= p.x[i] - def->columns[i].gap && x < p.x[i] + p.width[i])
			return (int)i;
	return -1;
}

static void put_aligned(const struct top_scene *s, const struct plan *p, unsigned column, int y,
			unsigned style, const char *text)
{
	unsigned flags = def_of(s)->columns[column].flags;

	if (flags & (TOP_COL_NAME | TOP_COL_LEFT))
		top_cells_put(s->c, p->x[column], y, p->width[column], style, text);
	else
		top_cells_put_right(s->c, p->x[column], y, p->width[column], style, text);
}

static void draw_heads(const struct top_scene *s, int y, const struct plan *p)
{
	const struct top_view_def *def = def_of(s);
	const struct top_list *l = top_list_of(s->v);
	const struct top_column *col;
	char head[TOP_NAME], sorted[TOP_NAME + 8];
	int descending;
	unsigned i;

	top_cells_fill(s->c, 0, y, s->c->width, TOP_HEADING);
	for (i = 0; i < def->ncolumns; i++) {
		col = &def->columns[i];
		if (!p->width[i])
			continue;
		snprintf(head, sizeof(head), "%s", col->head);
		if (def->head)
			def->head(s, i, p->width[i], head, sizeof(head));
		snprintf(sorted, sizeof(sorted), "%s", head);
		if (i == l->sort && col->sort) {
			descending = !(col->flags & (TOP_COL_NAME | TOP_COL_ASCENDS)) != !!l->reverse;
			snprintf(sorted, sizeof(sorted), "%s%s", head,
				 descending ? s->g->descending : s->g->ascending);
		}
		put_aligned(s, p, i, y, i == l->sort && col->sort ? TOP_SORTED : TOP_HEADING,
			    sorted);
	}
}

void top_cut_name(const char *name, int width, const struct top_glyphs *g, char *ret, size_t size)
{
	const char *labels = strchr(name, '{');
	char family[TOP_NAME];
	int left = labels ? width - top_width(labels) : 0;

	if (top_width(name) <= width || left < 6) {
		top_cut_middle(name, width, g->ellipsis, ret, size);
		return;
	}
	snprintf(family, sizeof(family), "%.*s", (int)(labels - name), name);
	/* Families differ at their beginning; at their end most have a unit. */
	top_cut(family, left, 75, g->ellipsis, ret, size);
	strncat(ret, labels, size - strlen(ret) - 1);
}

static void draw_row(const struct top_scene *s, int y, const struct plan *p, const void *item)
{
	const struct top_view_def *def = def_of(s);
	char cut[4 * sizeof(((struct top_text *)0)->text)];
	struct top_text text;
	unsigned i;

	if (p->mark) {
		text = (struct top_text){ .style = TOP_PLAIN };
		def->mark(s, item, &text);
		top_cells_put(s->c, 0, y, 1, text.style, text.text);
	}
	for (i = 0; i < def->ncolumns; i++) {
		if (!p->width[i])
			continue;
		if (def->columns[i].flags & TOP_COL_DRAWN) {
			def->draw(s, item, i, p->x[i], y, p->width[i]);
			continue;
		}
		text.text[0] = '\0';
		text.style = TOP_PLAIN;
		def->cell(s, item, i, def->columns[i].flags & TOP_COL_NAME && p->wide
					      ? 2 * TOP_WIDTH_MAX
					      : p->width[i],
			  &text);
		if (def->columns[i].flags & TOP_COL_NAME)
			top_cut_name(text.text, p->width[i], s->g, cut, sizeof(cut));
		else
			top_cut(text.text, p->width[i], 100, s->g->ellipsis, cut, sizeof(cut));
		put_aligned(s, p, i, y, text.style, cut);
	}
}

static void draw_nothing(const struct top_scene *s, int y)
{
	const struct top_list *l = top_list_of(s->v);
	const char *text = def_of(s)->nothing;

	if (l->zeros && !s->v->filter.text[0])
		text = "only series that never counted anything; d shows them";
	else if (l->all && s->v->filter.text[0])
		text = s->v->filter.bad ? "" : "nothing matches the filter; Esc drops it";
	top_cells_put(s->c, s->c->width >= 12 ? MARK_WIDTH : 0, y, s->c->width, TOP_DIM, text);
}

void top_table_draw(const struct top_scene *s, int y, int lines)
{
	const struct top_list *l = top_list_of(s->v);
	struct plan p;
	size_t i;

	plan_table(s, &p);
	if (s->c->height >= 4) {
		draw_heads(s, y++, &p);
		lines--;
	}
	if (!l->n && lines > 0)
		draw_nothing(s, y);
	for (i = l->top; i < l->n && lines > 0; i++, y++, lines--) {
		draw_row(s, y, &p, l->item[i]);
		if (i == l->cursor) {
			top_cells_fill(s->c, 0, y, s->c->width, TOP_SELECTED);
			s->c->cursor_y = y;
		}
	}
}
