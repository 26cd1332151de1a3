/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - view, order, filter, cursor, pause, interval.
 *
 * The cursor follows its item, not its line: sorted by rate, rows change places at every
 * sample. Only in its first place, where nobody has touched it yet (or after Home), it stays in
 * the first line, so that the top of the list is what is on the screen.
 */
#include "view.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct top_view_def *const top_views[TOP_VIEWS] = {
	&top_view_overview, &top_view_series, &top_view_writers, &top_view_histograms,
	&top_view_slow,
};

void top_view_init(struct top_view *v, const struct top_options *o)
{
	int i;

	memset(v, 0, sizeof(*v));
	for (i = 0; i < TOP_VIEWS; i++) {
		v->list[i].sort = top_views[i]->sort;
		v->list[i].page = 1;
	}
	v->id = o->view >= 0 && o->view < TOP_VIEWS ? (enum top_view_id)o->view : TOP_OVERVIEW;
	v->list[TOP_SERIES].sort = o->sort;
	v->list[TOP_SERIES].reverse = o->reverse;
	v->delay_s = o->delay_s;
	v->mouse = o->mouse > 0;
	v->zeros = o->mode != TOP_MODE_SCREEN && o->mode != TOP_MODE_SCRIPT;
	top_filter_set(&v->filter, o->filter ? o->filter : "");
}

void top_view_release(struct top_view *v)
{
	int i;

	top_filter_release(&v->filter);
	for (i = 0; i < TOP_VIEWS; i++)
		free(v->list[i].item);
	memset(v, 0, sizeof(*v));
}

void top_view_note(struct top_view *v, uint64_t until_ns, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->note, sizeof(v->note), format, args);
	va_end(args);
	v->note_until_ns = until_ns;
}

/* ---- order ---------------------------------------------------------------------------------- */

struct order {
	const struct top_view_def *def;
	const struct top_data *d;
	unsigned column;
	int by_name, down;
};

static int compare(const void *pa, const void *pb, void *context)
{
	const void *a = *(const void *const *)pa, *b = *(const void *const *)pb;
	const struct order *o = context;
	double x, y;
	int c;

	if (o->by_name)
		return o->down ? o->def->compare(b, a) : o->def->compare(a, b);
	x = o->def->number(o->d, a, o->column);
	y = o->def->number(o->d, b, o->column);
	/* Items without the number come last, whatever the direction. */
	if (isnan(x) || isnan(y))
		c = isnan(x) - isnan(y);
	else
		c = o->down ? (x < y) - (x > y) : (x > y) - (x < y);
	return c ? c : o->def->compare(a, b);
}

static int is_ascending(const struct top_column *c)
{
	return (c->flags & (TOP_COL_NAME | TOP_COL_ASCENDS)) != 0;
}

int top_list_add(struct top_list *l, const void *item)
{
	const void **list;

	if (l->n == l->room) {
		list = realloc(l->item, (l->room * 2 + 64) * sizeof(const void *));
		if (!list)
			return -ENOMEM;
		l->item = list;
		l->room = l->room * 2 + 64;
	}
	l->item[l->n++] = item;
	return 0;
}

static int same_key(struct top_key_of a, struct top_key_of b)
{
	return a.a == b.a && a.b == b.b;
}

int top_view_arrange(struct top_view *v, const struct top_data *d)
{
	const struct top_view_def *def = top_views[v->id];
	struct top_list *l = &v->list[v->id];
	const struct top_column *column = &def->columns[l->sort];
	struct order o = { .def = def, .d = d, .column = l->sort,
			   .by_name = (column->flags & TOP_COL_NAME) != 0,
			   .down = is_ascending(column) == (l->reverse != 0) };
	size_t i;
	int rc;

	l->n = l->all = l->zeros = 0;
	rc = def->collect(l, v, d);
	if (rc) {
		l->n = 0;
		return rc;
	}
	if (l->n > 1)
		qsort_r(l->item, l->n, sizeof(const void *), compare, &o);
	if (!l->following) {
		l->cursor = 0;
	} else {
		for (i = 0; i < l->n && !same_key(def->key(l->item[i]), l->cursor_key); i++)
			;
		if (i < l->n)
			l->cursor = i;
	}
	top_view_fit(v, l->page);
	return 0;
}

void top_view_fit(struct top_view *v, size_t page)
{
	struct top_list *l = &v->list[v->id];

	l->page = page ? page : 1;
	if (l->cursor >= l->n)
		l->cursor = l->n ? l->n - 1 : 0;
	if (l->top > l->cursor)
		l->top = l->cursor;
	if (l->cursor - l->top >= l->page)
		l->top = l->cursor - l->page + 1;
	/* No empty lines below while rows are hidden above. */
	if (l->n <= l->page)
		l->top = 0;
	else if (l->top > l->n - l->page)
		l->top = l->n - l->page;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void move_to(struct top_view *v, size_t index)
{
	struct top_list *l = &v->list[v->id];

	if (!l->n)
		return;
	l->cursor = index < l->n ? index : l->n - 1;
	l->cursor_key = top_views[v->id]->key(l->item[l->cursor]);
	l->following = 1;
	top_view_fit(v, l->page);
}

static void move_page(struct top_view *v, int down)
{
	struct top_list *l = &v->list[v->id];
	size_t step = l->page > 1 ? l->page - 1 : 1;

	if (down) {
		l->top += step;
		move_to(v, l->cursor + step);
	} else {
		l->top -= l->top < step ? l->top : step;
		move_to(v, l->cursor < step ? 0 : l->cursor - step);
	}
}

static void change_filter(struct top_view *v, const char *text)
{
	struct top_list *l = &v->list[v->id];

	top_filter_set(&v->filter, text);
	l->top = 0;
	if (!l->following)
		l->cursor = 0;
}

static void type_key(struct top_view *v, int code)
{
	char text[TOP_FILTER_MAX + 4];
	size_t len;

	snprintf(text, sizeof(text), "%s", v->filter.text);
	len = strlen(text);
	if (code == TOP_ENTER || code == TOP_CODE_UP || code == TOP_CODE_DOWN) {
		/* A wrong expression would filter nothing: stay, the prompt says so. */
		v->typing = v->filter.bad;
	} else if (code == TOP_ESC) {
		v->typing = 0;
		change_filter(v, "");
	} else if (code == TOP_CTRL_U) {
		change_filter(v, "");
	} else if (code == TOP_CODE_BACKSPACE) {
		if (!len)
			v->typing = 0;
		while (len && (text[len - 1] & 0xc0) == 0x80)
			len--;
		text[len ? len - 1 : 0] = '\0';
		change_filter(v, text);
	} else if (code >= 0x20 && code != 0x7f && code < TOP_CODE_FIRST &&
		   len + 4 < TOP_FILTER_MAX) {
		len += top_utf8_encode((uint32_t)code, text + len);
		text[len] = '\0';
		change_filter(v, text);
	}
}

/* Keys of a page: the help or a detail. 1 if it was one. */
static int page_key(struct top_view *v, enum top_action action)
{
	switch (action) {
	case TOP_DO_HELP:
	case TOP_DO_QUIT:
	case TOP_DO_BACK:
		if (v->help)
			v->help = 0;
		else if (action == TOP_DO_HELP)
			v->help = 1;
		else
			v->detail = 0;
		v->page_top = 0;
		return 1;
	case TOP_DO_UP:
		v->page_top -= v->page_top > 0;
		return 1;
	case TOP_DO_DOWN:
		v->page_top++;
		return 1;
	case TOP_DO_PAGE_UP:
		v->page_top -= v->page_top < 10 ? v->page_top : 10;
		return 1;
	case TOP_DO_HOME:
		v->page_top = 0;
		return 1;
	case TOP_DO_PAGE_DOWN:
		v->page_top += 10;
		return 1;
	case TOP_DO_END:
		v->page_top = 100000;
		return 1;
	default:
		return 0;
	}
}

static void change_delay(struct top_view *v, int longer, uint64_t now_ns)
{
	static const double steps[] = { TOP_DELAY_MIN, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900,
					TOP_DELAY_MAX };
	size_t n = sizeof(steps) / sizeof(steps[0]), i;

	if (longer) {
		for (i = 0; i + 1 < n && steps[i] <= v->delay_s * 1.0001; i++)
			;
	} else {
		for (i = n - 1; i > 0 && steps[i] >= v->delay_s * 0.9999; i--)
			;
	}
	v->delay_s = steps[i];
	top_view_note(v, now_ns + TOP_NOTE_KEY_NS, "a sample every %g s", v->delay_s);
}

static void change_sort(struct top_view *v, int next, uint64_t now_ns)
{
	const struct top_view_def *def = top_views[v->id];
	struct top_list *l = &v->list[v->id];
	unsigned n = def->ncolumns, tries;

	/* Not by what one cannot see. */
	for (tries = 0; tries < n; tries++) {
		l->sort = (l->sort + (next ? 1 : n - 1)) % n;
		if (def->columns[l->sort].sort && !(l->hidden >> l->sort & 1))
			break;
	}
	l->reverse = 0;
	top_view_note(v, now_ns + TOP_NOTE_KEY_NS, "sorted by %s", def->columns[l->sort].sort);
}

static void change_view(struct top_view *v, unsigned id)
{
	v->id = (enum top_view_id)(id % TOP_VIEWS);
	v->detail = 0;
	v->help = 0;
	v->page_top = 0;
	v->look = 1;
}

static void open_detail(struct top_view *v)
{
	const struct top_list *l = &v->list[v->id];

	if (v->detail || !l->n || !top_views[v->id]->detail)
		return;
	v->detail = 1;
	v->subject = top_views[v->id]->key(l->item[l->cursor]);
	v->page_top = 0;
	v->look = 1;
	/* On the way back the cursor is where it was. */
	move_to(v, l->cursor);
}

/* Keys that change what is shown of the same data. 1 if it was one. */
static int switch_key(struct top_view *v, enum top_action action, uint64_t now_ns)
{
	static const char *const windows[] = { "the last minute", "the last interval",
					       "the whole life" };

	switch (action) {
	case TOP_DO_EXACT:
		v->exact = !v->exact;
		return 1;
	case TOP_DO_ZEROS:
		v->zeros = !v->zeros;
		top_view_note(v, now_ns + TOP_NOTE_KEY_NS, "series that never counted: %s",
			      v->zeros ? "shown" : "hidden");
		return 1;
	case TOP_DO_WINDOW:
		v->window = (enum top_window)((v->window + 1) % TOP_WINDOWS);
		top_view_note(v, now_ns + TOP_NOTE_KEY_NS, "quantiles of %s", windows[v->window]);
		return 1;
	case TOP_DO_RESET:
		v->reset = 1;
		top_view_note(v, now_ns + TOP_NOTE_KEY_NS, "averages, min and max begin anew");
		return 1;
	case TOP_DO_MOUSE:
		v->mouse = !v->mouse;
		top_view_note(v, now_ns + TOP_NOTE_KEY_NS, "mouse %s",
			      v->mouse ? "on: wheel, click on heads and rows"
				       : "off: the terminal can copy again");
		return 1;
	case TOP_DO_SAVE:
		v->save = 1;
		return 1;
	case TOP_DO_PAUSE:
		v->paused = !v->paused;
		v->sample_now = !v->paused;
		return 1;
	case TOP_DO_SLOWER:
	case TOP_DO_FASTER:
		change_delay(v, action == TOP_DO_SLOWER, now_ns);
		return 1;
	case TOP_DO_SAMPLE:
		v->sample_now = !v->paused;
		v->redraw = 1;
		return 1;
	default:
		return 0;
	}
}

static void list_key(struct top_view *v, enum top_action action, uint64_t now_ns)
{
	struct top_list *l = &v->list[v->id];

	switch (action) {
	case TOP_DO_HELP:
		v->help = 1;
		v->page_top = 0;
		break;
	case TOP_DO_QUIT:
		v->quit = 1;
		break;
	case TOP_DO_UP:
		move_to(v, l->cursor ? l->cursor - 1 : 0);
		break;
	case TOP_DO_DOWN:
		move_to(v, l->cursor + 1);
		break;
	case TOP_DO_PAGE_UP:
	case TOP_DO_PAGE_DOWN:
		move_page(v, action == TOP_DO_PAGE_DOWN);
		break;
	case TOP_DO_HOME:
		move_to(v, 0);
		l->following = 0;
		break;
	case TOP_DO_END:
		move_to(v, SIZE_MAX);
		break;
	case TOP_DO_FILTER:
		v->typing = 1;
		break;
	case TOP_DO_DETAIL:
		open_detail(v);
		break;
	case TOP_DO_BACK:
		change_filter(v, "");
		break;
	case TOP_DO_SORT_NEXT:
	case TOP_DO_SORT_PREVIOUS:
		change_sort(v, action == TOP_DO_SORT_NEXT, now_ns);
		break;
	case TOP_DO_REVERSE:
		l->reverse = !l->reverse;
		break;
	default:
		break;
	}
}

void top_view_key(struct top_view *v, int code, uint64_t now_ns)
{
	enum top_action action = top_key_action(code);

	v->note_until_ns = 0;
	if (v->typing) {
		type_key(v, code);
		return;
	}
	if (code >= '1' && code < '1' + TOP_VIEWS) {
		change_view(v, (unsigned)(code - '1'));
		return;
	}
	if (action == TOP_DO_VIEW_NEXT || action == TOP_DO_VIEW_PREVIOUS) {
		change_view(v, v->id + (action == TOP_DO_VIEW_NEXT ? 1 : TOP_VIEWS - 1));
		return;
	}
	if (switch_key(v, action, now_ns))
		return;
	if ((v->help || v->detail) && page_key(v, action))
		return;
	if (!v->help && !v->detail)
		list_key(v, action, now_ns);
}

void top_view_click(struct top_view *v, struct top_hit hit, uint64_t now_ns)
{
	struct top_list *l = &v->list[v->id];
	const struct top_column *column;

	if (hit.what == TOP_HIT_VIEW) {
		change_view(v, (unsigned)hit.which);
	} else if (hit.what == TOP_HIT_HEAD) {
		column = &top_views[v->id]->columns[hit.which];
		if (!column->sort)
			return;
		l->reverse = l->sort == hit.which ? !l->reverse : 0;
		l->sort = (unsigned)hit.which;
		top_view_note(v, now_ns + TOP_NOTE_KEY_NS, "sorted by %s", column->sort);
	} else if (hit.what == TOP_HIT_ROW) {
		if (l->cursor == hit.which)
			open_detail(v);
		else
			move_to(v, hit.which);
	}
}

size_t top_view_refs(const struct top_view *v, const struct top_data *d,
		     struct top_ref ret[TOP_PARTS_REFS])
{
	const struct top_row *row;
	const struct top_op *op;
	size_t n;

	if (!v->detail || v->id == TOP_WRITERS || v->id == TOP_SLOW)
		return 0;
	if (v->id != TOP_OVERVIEW) {
		ret[0] = top_ref_of_key(v->subject);
		return 1;
	}
	op = top_ops_find(&d->ops, v->subject.a);
	for (n = 0; op && n < op->nrows && n < TOP_PARTS_REFS; n++) {
		row = op->rows[n];
		ret[n] = (struct top_ref){ row->id, row->incarnation, row->slot };
	}
	return n;
}
