/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - order, filter, cursor, pause, interval.
 *
 * The cursor follows its series, not its line: sorted by rate, rows change places at every
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

void top_view_init(struct top_view *v, const struct top_options *o)
{
	memset(v, 0, sizeof(*v));
	v->sort = o->sort;
	v->reverse = o->reverse;
	v->delay_s = o->delay_s;
	v->page = 1;
	top_filter_set(&v->filter, o->filter ? o->filter : "");
}

void top_view_release(struct top_view *v)
{
	top_filter_release(&v->filter);
	free(v->shown);
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

double top_row_key(const struct top_row *row, enum top_sort sort)
{
	switch (sort) {
	case TOP_SORT_VALUE:
		return top_row_value(row);
	case TOP_SORT_RATE:
		return row->rating == TOP_RATE_OK && !row->gone_boot_ns ? row->rate : NAN;
	case TOP_SORT_P50:
	case TOP_SORT_P95:
	case TOP_SORT_P99:
		return row->histogram ? row->histogram->quantile[sort - TOP_SORT_P50] : NAN;
	default:
		return NAN;
	}
}

static int compare_names(const struct top_row *a, const struct top_row *b)
{
	int c = strverscmp(a->wide, b->wide);

	if (c)
		return c;
	/* Two series may look alike once escaped. */
	return a->id != b->id ? (a->id < b->id ? -1 : 1) : a->slot - b->slot;
}

static int compare(const void *pa, const void *pb, void *context)
{
	const struct top_row *a = *(const struct top_row *const *)pa;
	const struct top_row *b = *(const struct top_row *const *)pb;
	const struct top_view *v = context;
	double x, y;
	int c;

	if (v->sort == TOP_SORT_NAME)
		return v->reverse ? compare_names(b, a) : compare_names(a, b);
	x = top_row_key(a, v->sort);
	y = top_row_key(b, v->sort);
	/* Rows without the number come last, whatever the direction. */
	if (isnan(x) || isnan(y))
		c = isnan(x) - isnan(y);
	else
		c = v->reverse ? (x > y) - (x < y) : (x < y) - (x > y);
	return c ? c : compare_names(a, b);
}

static int is_cursor(const struct top_view *v, const struct top_row *row)
{
	return row->id == v->cursor_id && row->incarnation == v->cursor_incarnation &&
	       row->slot == v->cursor_slot;
}

int top_view_arrange(struct top_view *v, const struct top_model *m)
{
	struct top_row **shown = realloc(v->shown, (m->nshown + 1) * sizeof(struct top_row *));
	size_t i;

	if (!shown) {
		v->nshown = 0;
		return -ENOMEM;
	}
	v->shown = shown;
	v->histograms = m->nhistograms > 0;
	v->nshown = 0;
	for (i = 0; i < m->nshown; i++)
		if (top_filter_match(&v->filter, m->rows[i]->wide))
			shown[v->nshown++] = m->rows[i];
	if (v->nshown)
		qsort_r(shown, v->nshown, sizeof(struct top_row *), compare, v);
	if (!v->following) {
		v->cursor = 0;
	} else {
		for (i = 0; i < v->nshown && !is_cursor(v, shown[i]); i++)
			;
		if (i < v->nshown)
			v->cursor = i;
	}
	top_view_fit(v, v->page);
	return 0;
}

void top_view_fit(struct top_view *v, size_t page)
{
	v->page = page ? page : 1;
	if (v->cursor >= v->nshown)
		v->cursor = v->nshown ? v->nshown - 1 : 0;
	if (v->top > v->cursor)
		v->top = v->cursor;
	if (v->cursor - v->top >= v->page)
		v->top = v->cursor - v->page + 1;
	/* No empty lines below while rows are hidden above. */
	if (v->nshown <= v->page)
		v->top = 0;
	else if (v->top > v->nshown - v->page)
		v->top = v->nshown - v->page;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void move_to(struct top_view *v, size_t index)
{
	if (!v->nshown)
		return;
	v->cursor = index < v->nshown ? index : v->nshown - 1;
	v->cursor_id = v->shown[v->cursor]->id;
	v->cursor_incarnation = v->shown[v->cursor]->incarnation;
	v->cursor_slot = v->shown[v->cursor]->slot;
	v->following = 1;
	top_view_fit(v, v->page);
}

static void move_page(struct top_view *v, int down)
{
	size_t step = v->page > 1 ? v->page - 1 : 1;

	if (down) {
		v->top += step;
		move_to(v, v->cursor + step);
	} else {
		v->top -= v->top < step ? v->top : step;
		move_to(v, v->cursor < step ? 0 : v->cursor - step);
	}
}

static void change_filter(struct top_view *v, const char *text)
{
	top_filter_set(&v->filter, text);
	v->top = 0;
	if (!v->following)
		v->cursor = 0;
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

static void help_key(struct top_view *v, enum top_action action)
{
	switch (action) {
	case TOP_DO_HELP:
	case TOP_DO_QUIT:
	case TOP_DO_CLEAR:
		v->help = 0;
		break;
	case TOP_DO_UP:
		v->help_top -= v->help_top > 0;
		break;
	case TOP_DO_DOWN:
		v->help_top++;
		break;
	case TOP_DO_PAGE_UP:
	case TOP_DO_HOME:
		v->help_top = 0;
		break;
	case TOP_DO_PAGE_DOWN:
	case TOP_DO_END:
		v->help_top += 10;
		break;
	default:
		break;
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
	unsigned n = v->histograms ? TOP_SORTS : TOP_SORT_P50, tries;

	/* Not by what one cannot see. The name is always there. */
	for (tries = 0; tries < n; tries++) {
		v->sort = (enum top_sort)(((unsigned)v->sort + (next ? 1 : n - 1)) % n);
		if (!(v->hidden >> v->sort & 1))
			break;
	}
	v->reverse = 0;
	top_view_note(v, now_ns + TOP_NOTE_KEY_NS, "sorted by %s", top_sort_name[v->sort]);
}

void top_view_key(struct top_view *v, int code, uint64_t now_ns)
{
	enum top_action action = top_key_action(code);

	v->note_until_ns = 0;
	if (v->typing) {
		type_key(v, code);
		return;
	}
	if (v->help && action != TOP_DO_SAMPLE) {
		help_key(v, action);
		return;
	}
	switch (action) {
	case TOP_DO_HELP:
		v->help = 1;
		v->help_top = 0;
		break;
	case TOP_DO_QUIT:
		v->quit = 1;
		break;
	case TOP_DO_UP:
		move_to(v, v->cursor ? v->cursor - 1 : 0);
		break;
	case TOP_DO_DOWN:
		move_to(v, v->cursor + 1);
		break;
	case TOP_DO_PAGE_UP:
		move_page(v, 0);
		break;
	case TOP_DO_PAGE_DOWN:
		move_page(v, 1);
		break;
	case TOP_DO_HOME:
		move_to(v, 0);
		v->following = 0;
		break;
	case TOP_DO_END:
		move_to(v, SIZE_MAX);
		break;
	case TOP_DO_FILTER:
		v->typing = 1;
		break;
	case TOP_DO_CLEAR:
		change_filter(v, "");
		break;
	case TOP_DO_SORT_NEXT:
		change_sort(v, 1, now_ns);
		break;
	case TOP_DO_SORT_PREVIOUS:
		change_sort(v, 0, now_ns);
		break;
	case TOP_DO_REVERSE:
		v->reverse = !v->reverse;
		break;
	case TOP_DO_PAUSE:
		v->paused = !v->paused;
		v->sample_now = !v->paused;
		break;
	case TOP_DO_SLOWER:
	case TOP_DO_FASTER:
		change_delay(v, action == TOP_DO_SLOWER, now_ns);
		break;
	case TOP_DO_EXACT:
		v->exact = !v->exact;
		break;
	case TOP_DO_SAMPLE:
		v->sample_now = !v->paused;
		v->redraw = 1;
		break;
	case TOP_DO_NOTHING:
		break;
	}
}
