/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw.c - the frame around the views: header, line of views, the lowest line.
 *
 * Help and details are pages: drawn in full into cells of their own, of which the screen shows a
 * part.
 */
#include "draw.h"

#include <stdio.h>
#include <string.h>

#include "cell.h"

#define SMALL_WIDTH 40
#define SMALL_HEIGHT 8
#define HEADER_LINES 3
#define LONG_WIDTH 100	/* of a screen whose lowest line has room for words */
#define PAGE_LINES 400	/* of a help or detail */

static int is_small(const struct top_cells *c)
{
	return c->width < SMALL_WIDTH || c->height < SMALL_HEIGHT;
}

static int at_most(int a, int b)
{
	return a < b ? a : b;
}

/* ---- header --------------------------------------------------------------------------------- */

static void add_marks(struct top_line *l, const struct top_scene *s)
{
	const struct top_status *st = &s->d->model.status;
	char age[TOP_NUMBER];

	if (s->v->paused)
		snprintf(top_line_item(l, TOP_WARN, 20)->text, TOP_NAME, "PAUSED");
	if (st->stale) {
		top_format_age(st->now_boot_ns > st->boot_ns ? st->now_boot_ns - st->boot_ns : 0,
			       age);
		snprintf(top_line_item(l, TOP_BAD, 21)->text, TOP_NAME, "STALE %s", age);
	} else if (st->removed) {
		snprintf(top_line_item(l, TOP_WARN, 19)->text, TOP_NAME, "REMOVED");
	}
	if (st->total && !st->up)
		snprintf(top_line_item(l, TOP_BAD, 18)->text, TOP_NAME, "DEAD");
}

static void add_writers(struct top_line *l, const struct top_status *st)
{
	struct top_item *i = top_line_item(l, st->died ? TOP_BAD : TOP_PLAIN, 8);
	char age[TOP_NUMBER];

	top_cell_writers(st, i->text);
	i = top_line_item(l, st->silent ? TOP_WARN : TOP_PLAIN, 7);
	if (st->worst_age_ns != UINT64_MAX) {
		top_format_age(st->worst_age_ns, age);
		snprintf(i->text, TOP_NAME, "worst beat %s %.160s", age, st->worst_name);
	}
	i = top_line_item(l, TOP_DIM, 2);
	if (st->up_ns) {
		top_format_age(st->up_ns, age);
		snprintf(i->text, TOP_NAME, "up %s", age);
	}
}

static void add_identity(struct top_line *l, const struct top_status *st)
{
	struct top_item *i;

	i = top_line_item(l, TOP_TITLE, 9);
	i->cut = 1;
	snprintf(i->text, TOP_NAME, "%s", st->segment);
	i = top_line_item(l, TOP_PLAIN, 6);
	if (st->nversions)
		snprintf(i->text, TOP_NAME, "v%.*s%s", TOP_NAME - 4, st->version,
			 st->nversions > 1 ? "+" : "");
	snprintf(top_line_item(l, TOP_DIM, 1)->text, TOP_NAME, "layout %u.%u", st->layout_major,
		 st->layout_minor);
}

static void add_judgement(struct top_line *l, const struct top_scene *s, int weight)
{
	struct buf b = { 0 };
	enum top_style style = top_judgement(&s->d->model.status, &s->d->ops, s->g, &b);
	struct top_item *i = top_line_item(l, style, weight);

	i->cut = 1;
	snprintf(i->text, TOP_NAME, "%s", b.data ? b.data : "");
	buf_free(&b);
}

static void draw_small_header(const struct top_scene *s)
{
	const struct top_status *st = &s->d->model.status;
	const struct top_list *list = top_list_of(s->v);
	size_t hidden = list->n > list->page ? list->n - list->page : 0;
	struct top_line l = { .n = 0 };
	struct top_item *i;

	if (st->died || st->silent || st->trouble[0])
		add_judgement(&l, s, 10);
	i = top_line_item(&l, TOP_TITLE, 9);
	i->cut = 1;
	snprintf(i->text, TOP_NAME, "%s", st->segment);
	i = top_line_item(&l, TOP_PLAIN, 7);
	if (st->total)
		snprintf(i->text, TOP_NAME, "%u/%u up", st->up, st->total);
	else
		top_cell_writers(st, i->text);
	l.right = l.n;
	add_marks(&l, s);
	/* There is no lowest line to say it. */
	if (hidden && !s->v->help && !s->v->detail)
		snprintf(top_line_item(&l, TOP_DIM, 2)->text, TOP_NAME, "%zu rows hidden", hidden);
	snprintf(top_line_item(&l, TOP_DIM, 1)->text, TOP_NAME, "%s", s->local_time);
	top_line_draw(s->c, 0, &l, s->g);
}

static void draw_header(const struct top_scene *s)
{
	struct top_line l = { .n = 0 };

	add_identity(&l, &s->d->model.status);
	add_writers(&l, &s->d->model.status);
	l.right = l.n;
	snprintf(top_line_item(&l, TOP_PLAIN, 5)->text, TOP_NAME, "%s", s->local_time);
	top_line_draw(s->c, 0, &l, s->g);
	memset(&l, 0, sizeof(l));
	add_judgement(&l, s, 11);
	l.right = l.n;
	snprintf(top_line_item(&l, TOP_PLAIN, 4)->text, TOP_NAME, "every %gs", s->v->delay_s);
	add_marks(&l, s);
	top_line_draw(s->c, 1, &l, s->g);
}

/* ---- line of views -------------------------------------------------------------------------- */

/* How much room there is for the names of the views: 2 all of them, 1 only the current one's. */
static int names_fit(int width)
{
	int all = 0, i;

	for (i = 0; i < TOP_VIEWS; i++)
		all += 3 + top_width(top_views[i]->title);
	return all + 1 <= width ? 2 : 1;
}

/* "[1 Overview]", "2 Series" or "2" */
static void view_label(const struct top_scene *s, int i, char ret[TOP_NAME])
{
	int current = i == (int)s->v->id;

	if (current)
		snprintf(ret, TOP_NAME, "[%d %s]", i + 1, top_views[i]->title);
	else if (names_fit(s->c->width) == 2)
		snprintf(ret, TOP_NAME, "%d %s", i + 1, top_views[i]->title);
	else
		snprintf(ret, TOP_NAME, "%d", i + 1);
}

/* Append what still fits into `room` columns. */
static void append(char *text, size_t size, int room, const char *more)
{
	if (top_width(text) + top_width(more) + (text[0] ? 2 : 0) > room)
		return;
	if (text[0])
		strncat(text, "  ", size - strlen(text) - 1);
	strncat(text, more, size - strlen(text) - 1);
}

static void draw_counts(const struct top_scene *s, int y, int x)
{
	const struct top_list *l = top_list_of(s->v);
	char text[2 * TOP_NAME] = "", more[TOP_NAME];
	int room = s->c->width - x - 1;
	struct buf b = { 0 };

	if (s->v->filter.text[0]) {
		snprintf(more, sizeof(more), "%zu of %zu", l->n, l->all);
		append(text, sizeof(text), room, more);
		top_escape(&b, s->v->filter.text, strlen(s->v->filter.text), s->d->model.escape);
		more[0] = '/';
		top_cut(b.data ? b.data : "", 20, 100, s->g->ellipsis, more + 1, sizeof(more) - 1);
		append(text, sizeof(text), room, more);
		buf_free(&b);
	} else {
		snprintf(more, sizeof(more), "%zu series", s->d->model.nshown);
		append(text, sizeof(text), room, more);
		snprintf(more, sizeof(more), "%u%% used", s->d->model.status.fill_percent);
		append(text, sizeof(text), room, s->d->model.status.fill_what ? more : "");
	}
	top_cells_put_right(s->c, x, y, s->c->width - x,
			    s->v->filter.text[0] ? TOP_WARN : TOP_DIM, text);
}

static void draw_views(const struct top_scene *s, int y)
{
	char label[TOP_NAME];
	int i, x = 0;

	for (i = 0; i < TOP_VIEWS; i++) {
		view_label(s, i, label);
		x += top_cells_put(s->c, x, y, s->c->width - x,
				   i == (int)s->v->id ? TOP_TITLE : TOP_PLAIN, label);
		x++;
	}
	draw_counts(s, y, x);
}

/* ---- the lowest line ------------------------------------------------------------------------ */

static void draw_prompt(const struct top_scene *s, int y)
{
	const struct top_filter *f = &s->v->filter;
	struct top_cells *c = s->c;
	struct buf b = { 0 };
	int x;

	top_cells_blank(c, y);
	x = top_cells_put(c, 0, y, c->width, TOP_KEY, "Filter: ");
	top_escape(&b, f->text, strlen(f->text), s->d->model.escape);
	x += top_cells_put(c, x, y, c->width - x, TOP_BOLD, b.data ? b.data : "");
	buf_free(&b);
	c->cursor_x = at_most(x, c->width - 1);
	c->cursor_y = y;
	if (f->bad)
		top_cells_put(c, x + 2, y, c->width, TOP_BAD, "not a valid expression; Esc drops it");
	else if (!f->text[0])
		top_cells_put(c, x + 2, y, c->width, TOP_DIM, "text  label=text  ~regex  !not");
}

/* Which rows one sees, and what is hidden. */
static void place_text(const struct top_scene *s, char *ret, size_t size)
{
	const struct top_list *l = top_list_of(s->v);
	size_t last = l->top + l->page;
	int len = 0;

	ret[0] = '\0';
	if (s->v->help || s->v->detail)
		return;
	if (l->n > l->page)
		len = snprintf(ret, size, "%zu-%zu of %zu", l->top + 1, last < l->n ? last : l->n,
			       l->n);
	if (l->n > l->page && s->c->width > LONG_WIDTH)
		len += snprintf(ret + len, size - (size_t)len, ", %zu rows hidden",
				l->n - l->page);
	if (l->zeros && len >= 0 && (size_t)len < size)
		snprintf(ret + len, size - (size_t)len, "%s%zu zero hidden", len ? ", " : "",
			 l->zeros);
}

static void draw_bar(const struct top_scene *s, int y)
{
	struct top_cells *c = s->c;
	int x = 0, end = c->width, width;
	const struct top_key *k;
	char place[80];
	size_t i;

	place_text(s, place, sizeof(place));
	if (place[0])
		end -= top_width(place) + 2;
	for (i = 0; i < top_nkeys; i++) {
		k = &top_keys[i];
		if (!k->bar)
			continue;
		width = top_width(k->bar) + 1 + top_width(k->bar_help);
		if (x + width > end)
			continue;
		x += top_cells_put(c, x, y, c->width, TOP_KEY, k->bar) + 1;
		x += top_cells_put(c, x, y, c->width, TOP_DIM, k->bar_help) + 2;
	}
	if (place[0])
		top_cells_put_right(c, 0, y, c->width, TOP_DIM, place);
}

/* Whether the page on the screen shows quantiles, of which `w` changes the window. */
static int page_has_quantiles(const struct top_scene *s)
{
	struct top_ref ref = top_ref_of_key(s->v->subject);
	const struct top_row *row = NULL;
	const struct top_op *op;

	if (s->v->help)
		return 0;
	if (s->v->id == TOP_OVERVIEW) {
		op = top_ops_find(&s->d->ops, s->v->subject.a);
		row = op && op->nrows ? op->rows[0] : NULL;
	} else if (s->v->id == TOP_SERIES || s->v->id == TOP_HISTOGRAMS) {
		row = top_model_find(&s->d->model, &ref);
	}
	return row && row->histogram;
}

static void draw_page_bar(const struct top_scene *s, int y, int first, int lines, int total)
{
	struct top_cells *c = s->c;
	char place[80] = "";
	int x = 0;

	x += top_cells_put(c, x, y, c->width, TOP_KEY, "Esc") + 1;
	x += top_cells_put(c, x, y, c->width, TOP_DIM, "Back") + 2;
	if (total > lines) {
		x += top_cells_put(c, x, y, c->width, TOP_KEY, "Up Down") + 1;
		x += top_cells_put(c, x, y, c->width, TOP_DIM, "Scroll") + 2;
		snprintf(place, sizeof(place), "lines %d-%d of %d", first + 1, first + lines, total);
	}
	if (page_has_quantiles(s)) {
		x += top_cells_put(c, x, y, c->width, TOP_KEY, "w") + 1;
		x += top_cells_put(c, x, y, c->width, TOP_DIM, "Quantiles") + 2;
	}
	if (x + top_width(place) <= c->width)
		top_cells_put_right(c, 0, y, c->width, TOP_DIM, place);
}

/* ---- the whole ------------------------------------------------------------------------------ */

size_t top_draw_page(int width, int height)
{
	int small = width < SMALL_WIDTH || height < SMALL_HEIGHT;
	int lines = height - (small ? 1 : HEADER_LINES + 1) - (height >= 4 ? 1 : 0);

	return lines > 0 ? (size_t)lines : 0;
}

/* The help or a detail: returns its lines, with the first one shown in *ret_first. */
static int draw_page(const struct top_scene *s, int y, int lines, int *ret_first)
{
	const struct top_view_def *def = top_views[s->v->id];
	struct top_cells page = { 0 };
	struct top_scene inside = *s;
	int total, first;

	*ret_first = 0;
	if (lines <= 0 || top_cells_resize(&page, s->c->width, PAGE_LINES))
		return 0;
	inside.c = &page;
	total = s->v->help ? top_help(&inside) : def->detail(&inside, s->v->subject);
	total = at_most(total, PAGE_LINES);
	first = at_most(s->v->page_top, total - lines);
	first = first < 0 ? 0 : first;
	top_cells_copy(s->c, y, at_most(lines, total - first), &page, first);
	top_cells_release(&page);
	*ret_first = first;
	return total;
}

void top_draw(const struct top_scene *s)
{
	struct top_cells *c = s->c;
	int small = is_small(c), low = c->height - 1, y = small ? 1 : HEADER_LINES;
	int lines = c->height - y - !small, total = 0, first = 0;
	char cut[4 * TOP_NAME];

	top_cells_clear(c);
	if (small) {
		draw_small_header(s);
	} else {
		draw_header(s);
		draw_views(s, 2);
	}
	if (s->v->help || s->v->detail)
		total = draw_page(s, y, lines, &first);
	else
		top_table_draw(s, y, lines);
	if (s->v->typing && low > 0) {
		draw_prompt(s, low);
	} else if (s->now_ns < s->v->note_until_ns && low > 0) {
		top_cells_blank(c, low);
		top_cut_middle(s->v->note, c->width, s->g->ellipsis, cut, sizeof(cut));
		top_cells_put(c, 0, low, c->width, TOP_BOLD, cut);
	} else if (!small && (s->v->help || s->v->detail)) {
		draw_page_bar(s, low, first, lines, total);
	} else if (!small) {
		draw_bar(s, low);
	}
}

struct top_hit top_draw_hit(const struct top_scene *s, int x, int y)
{
	int head = is_small(s->c) ? 1 : HEADER_LINES, i, at = 0;
	const struct top_list *l = top_list_of(s->v);
	char label[TOP_NAME];

	if (y == 2 && !is_small(s->c)) {
		for (i = 0; i < TOP_VIEWS; i++) {
			view_label(s, i, label);
			if (x >= at && x < at + top_width(label))
				return (struct top_hit){ TOP_HIT_VIEW, (size_t)i };
			at += top_width(label) + 1;
		}
	}
	if (s->v->help || s->v->detail)
		return (struct top_hit){ TOP_HIT_NOTHING, 0 };
	if (s->c->height >= 4) {
		i = top_table_column(s, x);
		if (y == head && i >= 0)
			return (struct top_hit){ TOP_HIT_HEAD, (size_t)i };
		head++;
	}
	if (y >= head && (size_t)(y - head) < l->page && l->top + (size_t)(y - head) < l->n)
		return (struct top_hit){ TOP_HIT_ROW, l->top + (size_t)(y - head) };
	return (struct top_hit){ TOP_HIT_NOTHING, 0 };
}
