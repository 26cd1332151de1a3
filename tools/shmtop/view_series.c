/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_series.c - all series; and what other views of series share with it.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cell.h"
#include "view.h"

static const struct top_column columns[] = {
	[TOP_SORT_NAME] = { "SERIES", "name", 0, 0, 0, TOP_COL_NAME },
	[TOP_SORT_VALUE] = { "VALUE", "value", 9, 1, 11, 0 },
	[TOP_SORT_RATE] = { "CHANGE/s", "rate", 9, 1, 10, 0 },
	[TOP_SORT_10S] = { "AVG 10s", "avg10s", 8, 1, 3, 0 },
	[TOP_SORT_1M] = { "AVG 1m", "avg1m", 8, 1, 6, 0 },
	[TOP_SORT_5M] = { "AVG 5m", "avg5m", 8, 1, 4, 0 },
	[TOP_SORT_MIN] = { "MIN", "min", 8, 1, 1, 0 },
	[TOP_SORT_MAX] = { "MAX", "max", 8, 1, 2, 0 },
	[TOP_SORT_P50] = { "p50", "p50", 7, 1, 5, 0 },
	[TOP_SORT_P95] = { "p95", "p95", 7, 1, 9, 0 },
	[TOP_SORT_P99] = { "p99", "p99", 7, 1, 8, 0 },
	[TOP_SORTS] = { "LAST", NULL, 8, 2, 7, TOP_COL_STRETCH | TOP_COL_DRAWN },
};
#define QUANTILE_COLUMNS (1u << TOP_SORT_P50 | 1u << TOP_SORT_P95 | 1u << TOP_SORT_P99)

/* ---- shared --------------------------------------------------------------------------------- */

struct top_key_of top_key_of_row(const void *item)
{
	const struct top_row *row = item;

	return (struct top_key_of){ (uint64_t)row->id << 32 | (uint32_t)row->slot,
				    row->incarnation };
}

struct top_ref top_ref_of_key(struct top_key_of key)
{
	return (struct top_ref){ (uint32_t)(key.a >> 32), key.b, (int)(uint32_t)key.a };
}

int top_compare_rows(const void *pa, const void *pb)
{
	const struct top_row *a = pa, *b = pb;
	int c = strverscmp(a->wide, b->wide);

	if (c)
		return c;
	/* Two series may look alike once escaped. */
	return a->id != b->id ? (a->id < b->id ? -1 : 1) : a->slot - b->slot;
}

int top_row_name_width(const struct top_scene *s, const void *item, int wide)
{
	const struct top_row *row = item;

	(void)s;
	return wide ? row->wide_width : row->brief_width;
}

void top_row_mark(const struct top_scene *s, const void *item, struct top_text *ret)
{
	const struct top_row *row = item;
	const struct top_model *m = &s->d->model;

	if (row->gone_boot_ns) {
		snprintf(ret->text, sizeof(ret->text), "%s", s->g->gone);
		ret->style = TOP_DIM;
	} else if (row->reset_boot_ns && m->boot_ns - row->reset_boot_ns < TOP_WINDOW_NS) {
		snprintf(ret->text, sizeof(ret->text), "!");
		ret->style = TOP_WARN;
	}
}

/* ---- the view ------------------------------------------------------------------------------- */

static int collect(struct top_list *l, const struct top_view *v, const struct top_data *d)
{
	const struct top_model *m = &d->model;
	int hide = !v->zeros && !v->filter.text[0];
	const struct top_row *row;
	size_t i;

	l->all = m->nshown;
	for (i = 0; i < m->nshown; i++) {
		row = m->rows[i];
		if (hide && !row->moved &&
		    (row->family->kind == SM_COUNTER || row->histogram)) {
			l->zeros++;
			continue;
		}
		if (top_filter_match(&v->filter, row->wide) && top_list_add(l, row))
			return -ENOMEM;
	}
	return 0;
}

static double number(const struct top_data *d, const void *item, unsigned column)
{
	const struct top_row *row = item;

	(void)d;
	switch (column) {
	case TOP_SORT_VALUE:
		return top_row_value(row);
	case TOP_SORT_RATE:
		return row->rating == TOP_RATE_OK && !row->gone_boot_ns ? row->rate : NAN;
	case TOP_SORT_10S:
	case TOP_SORT_1M:
	case TOP_SORT_5M:
		return row->stats.average[column - TOP_SORT_10S];
	case TOP_SORT_MIN:
		return row->stats.min;
	case TOP_SORT_MAX:
		return row->stats.max;
	case TOP_SORT_P50:
	case TOP_SORT_P95:
	case TOP_SORT_P99:
		return row->histogram ? row->histogram->quantile[column - TOP_SORT_P50] : NAN;
	default:
		return NAN;
	}
}

static void cell(const struct top_scene *s, const void *item, unsigned column, int room,
		 struct top_text *ret)
{
	const struct top_row *row = item;
	const struct top_view *v = s->v;

	switch (column) {
	case TOP_SORT_NAME:
		snprintf(ret->text, sizeof(ret->text), "%s",
			 room > TOP_WIDTH_MAX ? row->wide : row->brief);
		break;
	case TOP_SORT_VALUE:
		top_cell_value_in(row, s->g, v->exact, room, ret);
		break;
	case TOP_SORT_RATE:
		top_cell_rate(&s->d->model, row, s->g, ret);
		return;
	case TOP_SORT_P50:
	case TOP_SORT_P95:
	case TOP_SORT_P99:
		top_cell_quantile(row, (int)(column - TOP_SORT_P50), s->g, ret);
		break;
	default:
		top_cell_stat(row, s->g, number(s->d, item, column), ret);
		break;
	}
	if (row->gone_boot_ns)
		ret->style = TOP_DIM;
}

static float history(const void *context, unsigned ago)
{
	const void *const *both = context;

	return top_row_history(both[0], both[1], ago);
}

static void draw(const struct top_scene *s, const void *item, unsigned column, int x, int y,
		 int room)
{
	const void *const context[] = { &s->d->model, item };

	(void)column;
	top_spark(s->c, x, y, room, s->g, TOP_SPARK, history, context);
}

static unsigned absent(const struct top_scene *s)
{
	return s->d->model.nhistograms ? 0 : QUANTILE_COLUMNS;
}

static int width(const struct top_scene *s, unsigned column)
{
	const struct top_list *l = top_list_of(s->v);
	int most = columns[column].width;
	char text[TOP_NAME];
	size_t n;

	/* Columns that the longest exact value takes. */
	for (n = 0; column == TOP_SORT_VALUE && s->v->exact && n < l->n; n++) {
		top_cell_value(l->item[n], s->g, 1, text);
		if (top_width(text) > most)
			most = top_width(text);
	}
	return most;
}

static void head(const struct top_scene *s, unsigned column, int room, char *ret, size_t size)
{
	if (column == TOP_SORTS)
		snprintf(ret, size, "LAST %gs", room * s->v->delay_s);
}

const struct top_view_def top_view_series = {
	.title = "Series", .setting = "series",
	.nothing = "no values yet: no program has counted anything here",
	.columns = columns, .ncolumns = TOP_SORTS + 1, .sort = TOP_SORT_NAME, .name_min = 32,
	.collect = collect, .key = top_key_of_row, .number = number, .compare = top_compare_rows,
	.name_width = top_row_name_width, .cell = cell, .mark = top_row_mark, .draw = draw,
	.absent = absent, .width = width, .head = head, .detail = top_detail_row,
};
