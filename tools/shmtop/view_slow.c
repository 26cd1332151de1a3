/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_slow.c - the slow operations that programs kept, with where the time went.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "view.h"

enum { WHEN, NAME, DURATION, LIMIT, STATUS, WRITER, STEP, ATTRIBUTES, COLUMNS };

static const struct top_column columns[COLUMNS] = {
	[WHEN] = { "WHEN", "when", 8, 0, 7, 0 },
	[NAME] = { "OPERATION", "name", 0, 2, 0, TOP_COL_NAME },
	[DURATION] = { "TOOK", "duration", 7, 1, 0, 0 },
	[LIMIT] = { "LIMIT", "limit", 6, 1, 1, 0 },
	[STATUS] = { "STATUS", NULL, 8, 2, 2, TOP_COL_LEFT },
	[WRITER] = { "WRITER", "writer", 9, 2, 4, TOP_COL_LEFT | TOP_COL_ASCENDS },
	[STEP] = { "LONGEST STEP", NULL, 16, 2, 5, TOP_COL_LEFT },
	[ATTRIBUTES] = { "WITH", NULL, 14, 2, 6, TOP_COL_LEFT | TOP_COL_STRETCH },
};

static int collect(struct top_list *l, const struct top_view *v, const struct top_data *d)
{
	const struct top_slow *s;
	char text[2048];
	size_t i;

	l->all = d->slows.n;
	for (i = 0; i < d->slows.n; i++) {
		s = &d->slows.slow[i];
		snprintf(text, sizeof(text), "%s{status=%s,writer=%s} %s %s", s->operation,
			 s->status, s->writer, s->trace_id, s->attributes);
		if (top_filter_match(&v->filter, text) && top_list_add(l, s))
			return -ENOMEM;
	}
	return 0;
}

static struct top_key_of key(const void *item)
{
	const struct top_slow *s = item;

	return (struct top_key_of){ (uint64_t)s->slot << 48 ^ s->incarnation, s->number };
}

static double number(const struct top_data *d, const void *item, unsigned column)
{
	const struct top_slow *s = item;

	(void)d;
	switch (column) {
	case WHEN:
		return (double)s->start_real_ns;
	case DURATION:
		return (double)s->duration_ns;
	case LIMIT:
		return s->threshold_ns ? (double)s->duration_ns / (double)s->threshold_ns : NAN;
	case WRITER:
		return s->slot;
	default:
		return NAN;
	}
}

static int compare(const void *pa, const void *pb)
{
	const struct top_slow *a = pa, *b = pb;
	int c = strverscmp(a->operation, b->operation);

	if (c)
		return c;
	if (a->start_real_ns != b->start_real_ns)
		return a->start_real_ns > b->start_real_ns ? -1 : 1;
	if (a->slot != b->slot)
		return a->slot < b->slot ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

static int name_width(const struct top_scene *s, const void *item, int wide)
{
	(void)s;
	(void)wide;
	return top_width(((const struct top_slow *)item)->operation);
}

static void when(const struct top_slow *slow, struct top_text *ret)
{
	time_t seconds = (time_t)(slow->start_real_ns / 1000000000u);
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(ret->text, sizeof(ret->text), "%H:%M:%S", &tm);
	ret->style = TOP_DIM;
}

static void cell(const struct top_scene *s, const void *item, unsigned column, int room,
		 struct top_text *ret)
{
	const struct top_slow *slow = item;
	double x = number(s->d, item, column);

	(void)room;
	switch (column) {
	case WHEN:
		when(slow, ret);
		break;
	case NAME:
		snprintf(ret->text, sizeof(ret->text), "%s", slow->operation);
		break;
	case DURATION:
		top_text_quantity(ret, s->g, x / 1e9, "seconds");
		ret->style = TOP_BOLD;
		break;
	case LIMIT:
		if (isnan(x))
			top_text_none(ret, s->g);
		else
			snprintf(ret->text, sizeof(ret->text), x < 9.95 ? "%s%.1f" : "%s%.0f",
				 s->g->times, x);
		break;
	case STATUS:
		snprintf(ret->text, sizeof(ret->text), "%s", slow->status);
		break;
	case WRITER:
		snprintf(ret->text, sizeof(ret->text), "%s", slow->writer);
		break;
	case STEP:
		if (slow->nsteps && slow->duration_ns)
			snprintf(ret->text, sizeof(ret->text), "%s %.0f%%",
				 slow->step[slow->longest].name,
				 (double)slow->step[slow->longest].duration_ns * 100 /
					 (double)slow->duration_ns);
		break;
	default:
		snprintf(ret->text, sizeof(ret->text), "%s", slow->attributes);
		ret->style = TOP_DIM;
		break;
	}
}

const struct top_view_def top_view_slow = {
	.title = "Slow", .setting = "slow",
	.nothing = "no operation was slower than its limit (see sm_flow_declare(3))",
	.columns = columns, .ncolumns = COLUMNS, .sort = WHEN, .name_min = 12,
	.collect = collect, .key = key, .number = number, .compare = compare,
	.name_width = name_width, .cell = cell, .detail = top_detail_slow,
};
