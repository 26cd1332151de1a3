/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_histograms.c - histograms with the shape of their distribution.
 *
 * The distribution is of the whole life, from 10 us to 100 s for what is measured in seconds, so
 * that rows can be compared by eye; what has another unit is drawn from its smallest to its
 * largest bucket. Height is the share of the observations, on a scale of its own in each row.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cell.h"
#include "view.h"

enum { NAME, RATE, COUNT, MEAN, P50, P95, P99, SHAPE, COLUMNS };

static const struct top_column columns[COLUMNS] = {
	[NAME] = { "HISTOGRAM", "name", 0, 0, 0, TOP_COL_NAME },
	[RATE] = { "RATE/s", "rate", 7, 1, 5, 0 },
	[COUNT] = { "COUNT", "count", 8, 1, 2, 0 },
	[MEAN] = { "MEAN", "mean", 7, 1, 1, 0 },
	[P50] = { "p50", "p50", 7, 1, 3, 0 },
	[P95] = { "p95", "p95", 7, 1, 7, 0 },
	[P99] = { "p99", "p99", 7, 1, 4, 0 },
	[SHAPE] = { "SHAPE", NULL, 14, 2, 6, TOP_COL_STRETCH | TOP_COL_DRAWN },
};

#define SHAPE_LOW 1e-5
#define SHAPE_HIGH 100.0
#define SHAPE_MAX 128

static int collect(struct top_list *l, const struct top_view *v, const struct top_data *d)
{
	int hide = !v->zeros && !v->filter.text[0];
	const struct top_model *m = &d->model;
	const struct top_row *row;
	size_t i;

	for (i = 0; i < m->nshown; i++) {
		row = m->rows[i];
		if (!row->histogram)
			continue;
		l->all++;
		if (hide && !row->moved) {
			l->zeros++;
			continue;
		}
		if (top_filter_match(&v->filter, row->wide) && top_list_add(l, row))
			return -ENOMEM;
	}
	return 0;
}

static double mean(const struct top_row *row)
{
	const struct sm_sum *sum = &row->histogram->sum;

	return row->histogram->count ? sum->value / (double)row->histogram->count : NAN;
}

static double number(const struct top_data *d, const void *item, unsigned column)
{
	const struct top_row *row = item;

	(void)d;
	switch (column) {
	case RATE:
		return row->rating == TOP_RATE_OK ? row->rate : NAN;
	case COUNT:
		return (double)row->histogram->count;
	case MEAN:
		return mean(row);
	case P50:
	case P95:
	case P99:
		return row->histogram->quantile[column - P50];
	default:
		return NAN;
	}
}

static void cell(const struct top_scene *s, const void *item, unsigned column, int room,
		 struct top_text *ret)
{
	const struct top_row *row = item;

	switch (column) {
	case NAME:
		snprintf(ret->text, sizeof(ret->text), "%s",
			 room > TOP_WIDTH_MAX ? row->wide : row->brief);
		break;
	case RATE:
		top_cell_rate(&s->d->model, row, s->g, ret);
		break;
	case COUNT:
		top_cell_value_in(row, s->g, s->v->exact, room, ret);
		break;
	case MEAN:
		top_text_quantity(ret, s->g, mean(row), row->family->unit);
		break;
	default:
		top_cell_quantile(row, (int)(column - P50), s->g, ret);
		break;
	}
	if (row->gone_boot_ns)
		ret->style = TOP_DIM;
}

/* Add the buckets up into `room` columns of equal ratio. */
static double shape(const struct top_row *row, int room, double bins[SHAPE_MAX])
{
	const struct top_family *f = row->family;
	const uint64_t *counts = row->histogram->counts;
	double low = SHAPE_LOW, high = SHAPE_HIGH, most = 0, x;
	unsigned i, first = f->nunited, last = 0;
	int at;

	memset(bins, 0, sizeof(*bins) * SHAPE_MAX);
	for (i = 0; i <= f->nunited; i++) {
		if (!counts[i])
			continue;
		first = i < first ? i : first;
		last = i;
	}
	if (!f->nunited || first > last)
		return 0;
	if (strcmp(f->unit, "seconds") != 0) {
		low = f->united[first ? first - 1 : 0];
		high = f->united[last < f->nunited ? last : f->nunited - 1];
	}
	for (i = first; i <= last; i++) {
		/* The middle of the bucket tells its column. */
		x = f->united[i < f->nunited ? i : f->nunited - 1];
		if (i && i < f->nunited && f->united[i - 1] > 0)
			x = sqrt(f->united[i - 1] * x);
		at = low > 0 && high > low && x > 0
			     ? (int)(log(x / low) / log(high / low) * room)
			     : (int)(i - first);
		at = at < 0 ? 0 : at >= room ? room - 1 : at;
		bins[at] += (double)counts[i];
		most = bins[at] > most ? bins[at] : most;
	}
	return most;
}

static void draw(const struct top_scene *s, const void *item, unsigned column, int x, int y,
		 int room)
{
	double bins[SHAPE_MAX], most;
	int i, level;

	(void)column;
	room = room < SHAPE_MAX ? room : SHAPE_MAX;
	most = shape(item, room, bins);
	for (i = 0; i < room && most > 0; i++) {
		if (bins[i] <= 0)
			continue;
		level = (int)(bins[i] / most * TOP_SPARK_LEVELS);
		level = level < TOP_SPARK_LEVELS ? level : TOP_SPARK_LEVELS - 1;
		top_cells_put(s->c, x + i, y, 1, TOP_SPARK, s->g->spark[level]);
	}
}

/* A scale over the shapes: the decades that have room for their name. */
static void head(const struct top_scene *s, unsigned column, int room, char *ret, size_t size)
{
	static const char *const names[] = { "10us", "100us", "1ms", "10ms", "100ms", "1s", "10s",
					     "100s" };
	char line[SHAPE_MAX + 1];
	int at, free_from = 0, i;
	size_t n;

	(void)s;
	if (column != SHAPE || room > SHAPE_MAX)
		return;
	memset(line, ' ', (size_t)room);
	line[room] = '\0';
	for (i = 0; i < 8; i++) {
		n = strlen(names[i]);
		at = (int)(i * room / 7.0);
		at = at + (int)n > room ? room - (int)n : at;
		/* The ends always; in between each second one. */
		if (i != 7 && (at < free_from || at + (int)n + 5 > room || (i && i % 2)))
			continue;
		if (at < free_from)
			continue;
		memcpy(line + at, names[i], n);
		free_from = at + (int)n + 1;
	}
	snprintf(ret, size, "%s", line);
}

const struct top_view_def top_view_histograms = {
	.title = "Histograms", .setting = "histograms",
	.nothing = "no histogram has been declared",
	.columns = columns, .ncolumns = COLUMNS, .sort = NAME, .name_min = 30,
	.collect = collect, .key = top_key_of_row, .number = number, .compare = top_compare_rows,
	.name_width = top_row_name_width, .cell = cell, .mark = top_row_mark, .draw = draw,
	.head = head, .detail = top_detail_row,
};
