/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output_table.c - one sample as a table for people.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cell.h"
#include "output.h"

#define COLUMNS 6

static void table_cells(const struct top_model *m, const struct top_row *row, int average,
			const struct top_glyphs *g, char cells[COLUMNS][TOP_NAME])
{
	double rate = average ? top_row_average(m, row) : NAN;
	char number[TOP_NUMBER];
	struct top_text text = { .style = TOP_PLAIN };
	int q;

	top_cell_value(row, g, 0, cells[1]);
	if (!average && row->rating == TOP_RATE_OK && !row->gone_boot_ns)
		rate = row->rate;
	snprintf(cells[2], TOP_NAME, "%s", g->none);
	if (row->gone_boot_ns) {
		snprintf(cells[2], TOP_NAME, "stale");
	} else if (!average && row->rating == TOP_RATE_RESET) {
		snprintf(cells[2], TOP_NAME, "reset");
	} else if (!isnan(rate)) {
		top_format_rate(rate, row->histogram ? "" : row->family->unit, number);
		snprintf(cells[2], TOP_NAME, "%s", number);
	}
	for (q = 0; q < TOP_QUANTILES; q++) {
		text.text[0] = '\0';
		top_cell_quantile(row, q, g, &text);
		snprintf(cells[3 + q], TOP_NAME, "%.*s", TOP_NAME - 1, text.text);
		/* Of the whole life, as is everything then: not worth a mark. */
		if (average && cells[3 + q][0] == '~')
			memmove(cells[3 + q], cells[3 + q] + 1, strlen(cells[3 + q]));
	}
}

static void table_head(struct buf *b, const struct top_data *d, const struct top_view *v,
		       const struct top_glyphs *g)
{
	const struct top_status *st = &d->model.status;
	char age[TOP_NUMBER], writers[TOP_NAME];

	buf_printf(b, "%s", st->segment);
	if (st->nversions)
		buf_printf(b, "  v%s%s", st->version, st->nversions > 1 ? "+" : "");
	top_cell_writers(st, writers);
	buf_printf(b, "  layout %u.%u  %s", st->layout_major, st->layout_minor, writers);
	if (st->worst_age_ns != UINT64_MAX) {
		top_format_age(st->worst_age_ns, age);
		buf_printf(b, "  worst beat %s %s", age, st->worst_name);
	}
	if (v->filter.text[0])
		buf_printf(b, "  %zu of %zu series", v->list[TOP_SERIES].n, d->model.nshown);
	else
		buf_printf(b, "  %zu series", d->model.nshown);
	buf_printf(b, "  %u%% used  ", st->fill_percent);
	top_output_time(b, st->real_ns);
	buf_puts(b, "\n");
	top_judgement(st, &d->ops, g, b);
	buf_puts(b, "\n\n");
}

/* Make the table fit: first columns give way to the names, then the names are cut. */
static void fit(int text_width, int width[COLUMNS])
{
	static const int first_to_go[] = { 3, 5, 4, 2 };	/* p50, p99, p95, change */
	unsigned gone = 0;
	int rest, i;

	for (;;) {
		rest = 0;
		for (i = 1; i < COLUMNS; i++)
			rest += width[i] ? 2 + width[i] : 0;
		if (width[0] <= text_width - rest)
			return;
		if (text_width - rest >= text_width * 2 / 5 || gone == 4)
			break;
		width[first_to_go[gone++]] = 0;
	}
	width[0] = text_width - rest > 1 ? text_width - rest : 1;
}

static void table_line(struct buf *b, const int width[COLUMNS], const char *name,
		       char cells[COLUMNS][TOP_NAME], const struct top_glyphs *g)
{
	char cut[8 * TOP_NAME];
	int i;

	if (top_width(name) > width[0]) {
		top_cut_name(name, width[0], g, cut, sizeof(cut));
		name = cut;
	}
	buf_puts(b, name);
	buf_printf(b, "%*s", width[0] - top_width(name), "");
	for (i = 1; i < COLUMNS; i++)
		if (width[i])
			buf_printf(b, "  %*s%s", width[i] - top_width(cells[i]), "", cells[i]);
	buf_puts(b, "\n");
}

void top_output_table(struct buf *b, const struct top_data *d, const struct top_view *v,
		      int average)
{
	const struct top_list *l = &v->list[TOP_SERIES];
	const struct top_model *m = &d->model;
	struct top_glyphs g = m->escape & TOP_ESCAPE_ASCII ? top_glyphs_ascii : top_glyphs_utf8;
	char cells[COLUMNS][TOP_NAME], heads[COLUMNS][TOP_NAME] = { "SERIES", "VALUE",
								     "CHANGE/s", "p50",
								     "p95", "p99" };
	int width[COLUMNS] = { 6 }, w, i, columns = m->nhistograms ? COLUMNS : 3;
	struct buf name = { 0 };
	size_t n;

	g.none = "-";
	if (average)
		snprintf(heads[2], TOP_NAME, "AVERAGE/s");
	for (i = 1; i < columns; i++)
		width[i] = top_width(heads[i]);
	/* Twice: for the widths of the columns, then for the text. */
	for (n = 0; n < l->n; n++) {
		name.len = 0;
		top_row_text(l->item[n], m->escape, &name);
		w = top_width(name.data ? name.data : "");
		width[0] = w > width[0] ? w : width[0];
		table_cells(m, l->item[n], average, &g, cells);
		for (i = 1; i < columns; i++) {
			w = top_width(cells[i]);
			width[i] = w > width[i] ? w : width[i];
		}
	}
	if (v->text_width)
		fit(v->text_width, width);
	table_head(b, d, v, &g);
	table_line(b, width, "SERIES", heads, &g);
	for (n = 0; n < l->n; n++) {
		name.len = 0;
		top_row_text(l->item[n], m->escape, &name);
		table_cells(m, l->item[n], average, &g, cells);
		table_line(b, width, name.data ? name.data : "", cells, &g);
	}
	b->failed |= name.failed;
	buf_free(&name);
}

