/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_overview.c - rate, errors and durations of each operation, the worst first.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "view.h"

enum { NAME, RATE, ERRORS, P50, P95, P99, LAST, NOTE, COLUMNS };

static const struct top_column columns[COLUMNS] = {
	[NAME] = { "OPERATION", "name", 0, 0, 0, TOP_COL_NAME },
	[RATE] = { "RATE/s", "rate", 7, 1, 6, 0 },
	[ERRORS] = { "ERR%", "errors", 6, 1, 3, 0 },
	[P50] = { "p50", "p50", 7, 1, 1, 0 },
	[P95] = { "p95", "p95", 7, 1, 7, 0 },
	[P99] = { "p99", "p99", 7, 1, 4, 0 },
	[LAST] = { "LAST", NULL, 8, 2, 2, TOP_COL_STRETCH | TOP_COL_DRAWN },
	[NOTE] = { "NOTE", "worst", 9, 2, 5, TOP_COL_LEFT },
};

static int collect(struct top_list *l, const struct top_view *v, const struct top_data *d)
{
	int hide = !v->zeros && !v->filter.text[0], moved;
	const struct top_op *op;
	size_t i, k;

	l->all = d->ops.n;
	for (i = 0; i < d->ops.n; i++) {
		op = d->ops.op[i];
		for (moved = 0, k = 0; k < op->nrows; k++)
			moved |= op->rows[k]->moved;
		if (hide && !moved) {
			l->zeros++;
			continue;
		}
		if (top_filter_match(&v->filter, op->text) && top_list_add(l, op))
			return -ENOMEM;
	}
	return 0;
}

static struct top_key_of key(const void *item)
{
	return (struct top_key_of){ ((const struct top_op *)item)->hash, 0 };
}

static double number(const struct top_data *d, const void *item, unsigned column)
{
	const struct top_op *op = item;
	double p95;

	(void)d;
	switch (column) {
	case RATE:
		return op->rate;
	case ERRORS:
		return op->errors;
	case P50:
	case P95:
	case P99:
		return op->timed ? op->quantile[column - P50] : NAN;
	case NOTE:
		p95 = op->timed && isfinite(op->quantile[1]) ? fmin(op->quantile[1], 1e6) : 0;
		return op->level * 1e7 + p95;
	default:
		return NAN;
	}
}

static int compare(const void *pa, const void *pb)
{
	const struct top_op *a = pa, *b = pb;
	int c = strverscmp(a->group, b->group);

	c = c ? c : strverscmp(a->name, b->name);
	return c ? c : (a->hash > b->hash) - (a->hash < b->hash);
}

/* "command play" where there are several kinds of operations, "play" where there is one. */
static const char *group_of(const struct top_scene *s, const struct top_op *op)
{
	if (!op->name[0])
		return op->group + s->d->ops.prefix;
	return s->d->ops.several_groups ? op->group + s->d->ops.prefix : "";
}

static int name_width(const struct top_scene *s, const void *item, int wide)
{
	const struct top_op *op = item;
	int group = top_width(group_of(s, op));

	(void)wide;
	return op->name_width + group + (op->name[0] && group);
}

static void cell(const struct top_scene *s, const void *item, unsigned column, int room,
		 struct top_text *ret)
{
	const struct top_op *op = item;
	const char *group;
	char text[TOP_NUMBER];

	(void)room;
	switch (column) {
	case NAME:
		group = group_of(s, op);
		snprintf(ret->text, sizeof(ret->text), "%.500s%s%.500s", group,
			 group[0] && op->name[0] ? " " : "", op->name);
		break;
	case RATE:
		if (isnan(op->rate))
			break;
		top_format_rate(op->rate, "", text);
		snprintf(ret->text, sizeof(ret->text), "%s", text);
		ret->style = op->rate > 0 ? TOP_PLAIN : TOP_DIM;
		break;
	case ERRORS:
		if (isnan(op->errors)) {
			top_text_none(ret, s->g);
			break;
		}
		snprintf(ret->text, sizeof(ret->text), op->errors < 0.0995 ? "%.2f" : "%.1f",
			 op->errors * 100);
		ret->style = op->errors == 0 ? TOP_DIM
			     : op->errors >= 0.05 ? TOP_BAD
						  : TOP_PLAIN;
		break;
	case P50:
	case P95:
	case P99:
		top_text_quantity(ret, s->g, op->timed ? op->quantile[column - P50] : NAN,
				  "seconds");
		if (op->timed && !op->recent)
			ret->style = TOP_DIM;
		break;
	default:
		snprintf(ret->text, sizeof(ret->text), "%s", op->note);
		ret->style = op->level == TOP_LEVEL_BAD ? TOP_BAD : TOP_WARN;
		break;
	}
}

static void mark(const struct top_scene *s, const void *item, struct top_text *ret)
{
	const struct top_op *op = item;

	if (op->level == TOP_LEVEL_BAD) {
		snprintf(ret->text, sizeof(ret->text), "!");
		ret->style = TOP_BAD;
	} else if (op->level == TOP_LEVEL_WARN) {
		snprintf(ret->text, sizeof(ret->text), "%s", s->g->ascending);
		ret->style = TOP_WARN;
	}
}

static float history(const void *context, unsigned ago)
{
	const void *const *both = context;

	return top_op_history(both[0], both[1], ago);
}

static void draw(const struct top_scene *s, const void *item, unsigned column, int x, int y,
		 int room)
{
	const void *const context[] = { &s->d->model, item };

	(void)column;
	top_spark(s->c, x, y, room, s->g, TOP_SPARK, history, context);
}

static void head(const struct top_scene *s, unsigned column, int room, char *ret, size_t size)
{
	if (column == LAST)
		snprintf(ret, size, "LAST %gs", room * s->v->delay_s);
}

const struct top_view_def top_view_overview = {
	.title = "Overview", .setting = "overview",
	.nothing = "no operations: nothing is timed or has a status; 2 shows all series",
	.columns = columns, .ncolumns = COLUMNS, .sort = NOTE, .name_min = 22,
	.collect = collect, .key = key, .number = number, .compare = compare,
	.name_width = name_width, .cell = cell, .mark = mark, .draw = draw, .head = head,
	.detail = top_detail_op,
};
