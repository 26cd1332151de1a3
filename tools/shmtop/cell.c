/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cell.c - numbers of the model as text of a cell.
 */
#include "cell.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void top_text_none(struct top_text *ret, const struct top_glyphs *g)
{
	snprintf(ret->text, sizeof(ret->text), "%s", g->none);
	ret->style = TOP_DIM;
}

void top_text_quantity(struct top_text *ret, const struct top_glyphs *g, double v, const char *unit)
{
	char number[TOP_NUMBER];

	if (isnan(v)) {
		top_text_none(ret, g);
		return;
	}
	top_format_quantity(v, unit, g->micro, number);
	snprintf(ret->text, sizeof(ret->text), "%s", number);
}

const char *top_window_name(enum top_window window)
{
	return window == TOP_WINDOW_MINUTE ? "1m" : window == TOP_WINDOW_INTERVAL ? "last" : "life";
}

void top_cell_number(const struct sm_value *v, const struct top_family *f,
		     const struct top_glyphs *g, int exact, char ret[TOP_NAME])
{
	struct buf b = { 0 };
	char number[1 + TOP_NUMBER];
	int64_t n = (int64_t)v->units;

	if (f->kind == SM_INFO) {
		snprintf(ret, TOP_NAME, "%s", g->none);
	} else if (f->kind == SM_STATESET && v->units < f->nstates) {
		top_escape(&b, f->states[v->units], strlen(f->states[v->units]),
			   g == &top_glyphs_ascii ? TOP_ESCAPE_ASCII : 0);
		snprintf(ret, TOP_NAME, "%s", b.data ? b.data : "");
		buf_free(&b);
	} else if (v->is_integer && (exact || !v->decimals)) {
		number[0] = '-';
		sm_format_units(v->is_signed && n < 0 ? -(sm_u128)n : (sm_u128)v->units,
				v->decimals, number + 1, sizeof(number) - 1);
		snprintf(ret, TOP_NAME, "%s", number + !(v->is_signed && n < 0));
	} else if (exact) {
		sm_format_double(v->value, 0, number, sizeof(number));
		snprintf(ret, TOP_NAME, "%s", number);
	} else {
		top_format_quantity(v->value, f->unit, g->micro, number);
		snprintf(ret, TOP_NAME, "%s", number);
	}
}

void top_cell_value(const struct top_row *row, const struct top_glyphs *g, int exact,
		    char ret[TOP_NAME])
{
	char number[TOP_NUMBER];

	if (row->histogram) {
		snprintf(ret, TOP_NAME, "%llu", (unsigned long long)row->histogram->count);
	} else if (!exact && row->age_s >= 0) {
		top_format_age((uint64_t)(row->age_s * 1e9), number);
		snprintf(ret, TOP_NAME, "%s ago", number);
	} else {
		top_cell_number(&row->value, row->family, g, exact, ret);
	}
}

void top_cell_value_in(const struct top_row *row, const struct top_glyphs *g, int exact, int room,
		       struct top_text *ret)
{
	char number[TOP_NUMBER], text[TOP_NAME];

	top_cell_value(row, g, exact, text);
	snprintf(ret->text, sizeof(ret->text), "%s", text);
	if (top_row_value(row) == 0 && row->family->kind != SM_STATESET)
		ret->style = TOP_DIM;
	if (top_width(text) <= room || row->family->kind == SM_STATESET)
		return;
	if (row->age_s >= 0 && !exact)
		top_format_age((uint64_t)(row->age_s * 1e9), number);
	else
		top_format_quantity(top_row_value(row), row->histogram ? "" : row->family->unit,
				    g->micro, number);
	snprintf(ret->text, sizeof(ret->text), "%s", number);
}

void top_cell_writers(const struct top_status *st, char ret[TOP_NAME])
{
	if (st->total)
		snprintf(ret, TOP_NAME, "%u/%u writers up", st->up, st->total);
	else
		snprintf(ret, TOP_NAME, "no writers");
}

void top_cell_stale(uint64_t age_ns, struct top_text *ret)
{
	char age[TOP_NUMBER];

	top_format_age(age_ns, age);
	/* "3m41s" in three columns: its first part. */
	if (strlen(age) > 4 && strpbrk(age, "mhd"))
		strpbrk(age, "mhd")[1] = '\0';
	snprintf(ret->text, sizeof(ret->text), "stale %s", age);
	ret->style = TOP_DIM;
}

void top_cell_rate(const struct top_model *m, const struct top_row *row,
		   const struct top_glyphs *g, struct top_text *ret)
{
	char number[TOP_NUMBER];

	if (row->gone_boot_ns) {
		top_cell_stale(m->boot_ns - row->gone_boot_ns, ret);
		return;
	}
	ret->style = TOP_DIM;
	switch (row->rating) {
	case TOP_RATE_NONE:
		top_text_none(ret, g);
		break;
	case TOP_RATE_RESET:
		snprintf(ret->text, sizeof(ret->text), "reset");
		ret->style = TOP_WARN;
		break;
	case TOP_RATE_OK:
		top_format_rate(row->rate, row->histogram ? "" : row->family->unit, number);
		snprintf(ret->text, sizeof(ret->text), "%s", number);
		ret->style = row->rate > 0 ? TOP_PLAIN : TOP_DIM;
		break;
	default:
		break;
	}
}

void top_cell_quantile(const struct top_row *row, int q, const struct top_glyphs *g,
		       struct top_text *ret)
{
	char number[TOP_NUMBER];

	if (!row->histogram || isnan(row->histogram->quantile[q])) {
		top_text_none(ret, g);
		return;
	}
	top_format_quantity(row->histogram->quantile[q], row->family->unit, g->micro, number);
	snprintf(ret->text, sizeof(ret->text), "%s%s", row->histogram->recent ? "" : "~", number);
	ret->style = row->histogram->recent ? TOP_PLAIN : TOP_DIM;
}

void top_cell_stat(const struct top_row *row, const struct top_glyphs *g, double x,
		   struct top_text *ret)
{
	int is_rate = row->family->kind == SM_COUNTER || row->histogram;
	char number[TOP_NUMBER];

	if (isnan(x) || row->age_s >= 0 || row->family->kind == SM_STATESET ||
	    row->family->kind == SM_INFO) {
		top_text_none(ret, g);
		return;
	}
	if (is_rate)
		top_format_rate(x, row->histogram ? "" : row->family->unit, number);
	else
		top_format_quantity(x, row->family->unit, g->micro, number);
	snprintf(ret->text, sizeof(ret->text), "%s", number);
	ret->style = x == 0 ? TOP_DIM : TOP_PLAIN;
}
