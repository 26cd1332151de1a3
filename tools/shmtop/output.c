/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.c - one sample as a table, JSON or CSV.
 */
#include "output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const kind_name[] = { "",	      "counter", "gauge",   "updown",
					 "histogram", "info",	 "stateset" };

/* ---- numbers -------------------------------------------------------------------------------- */

static void add_time(struct buf *b, uint64_t real_ns)
{
	time_t seconds = (time_t)(real_ns / 1000000000u);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "%s.%03uZ", text, (unsigned)(real_ns / 1000000u % 1000u));
}

/* What JSON has no number for is a string there. */
static void add_double(struct buf *b, double v, int quote)
{
	char text[TOP_NUMBER];

	sm_format_double(v, 0, text, sizeof(text));
	if (quote && !isfinite(v))
		buf_printf(b, "\"%s\"", text);
	else
		buf_puts(b, text);
}

static void add_value(struct buf *b, const struct sm_value *v, int quote)
{
	int negative = v->is_signed && (int64_t)v->units < 0;
	char text[TOP_NUMBER];

	if (!v->is_integer) {
		add_double(b, v->value, quote);
		return;
	}
	sm_format_units(negative ? -(sm_u128)(int64_t)v->units : v->units, v->decimals, text,
			sizeof(text));
	buf_printf(b, "%s%s", negative ? "-" : "", text);
}

static void add_sum(struct buf *b, const struct sm_sum *sum, int quote)
{
	char text[TOP_NUMBER];

	if (!sum->is_integer) {
		add_double(b, sum->value, quote);
		return;
	}
	sm_format_units(sum->units, sum->decimals, text, sizeof(text));
	buf_puts(b, text);
}

/* ---- table ---------------------------------------------------------------------------------- */

#define COLUMNS 6

static void table_cells(const struct top_model *m, const struct top_row *row, int average,
			const struct top_glyphs *g, char cells[COLUMNS][TOP_NAME])
{
	double rate = average ? top_row_average(m, row) : NAN;
	char number[TOP_NUMBER];
	int q;

	top_cell_value(row, g, 0, cells[1]);
	if (!average && row->rating == TOP_RATE_OK && !row->gone_boot_ns)
		rate = row->rate;
	snprintf(cells[2], TOP_NAME, "%s", g->none);
	if (row->gone_boot_ns) {
		snprintf(cells[2], TOP_NAME, "gone");
	} else if (!average && row->rating == TOP_RATE_RESET) {
		snprintf(cells[2], TOP_NAME, "reset");
	} else if (!isnan(rate)) {
		top_format_rate(rate, row->histogram ? "" : row->family->unit, number);
		snprintf(cells[2], TOP_NAME, "%s", number);
	}
	for (q = 0; q < TOP_QUANTILES; q++) {
		top_cell_quantile(row, q, g, cells[3 + q]);
		/* Of the whole life, as is everything then: not worth a mark. */
		if (average && cells[3 + q][0] == '~')
			memmove(cells[3 + q], cells[3 + q] + 1, strlen(cells[3 + q]));
	}
}

static void table_head(struct buf *b, const struct top_model *m, const struct top_view *v,
		       const struct top_glyphs *g)
{
	const struct top_status *st = &m->status;
	char age[TOP_NUMBER];

	buf_printf(b, "%s", st->segment);
	if (st->nversions)
		buf_printf(b, "  v%s%s", st->version, st->nversions > 1 ? "+" : "");
	buf_printf(b, "  layout %u.%u  %u/%u writers up", st->layout_major, st->layout_minor,
		       st->up, st->total);
	if (st->worst_age_ns != UINT64_MAX) {
		top_format_age(st->worst_age_ns, age);
		buf_printf(b, "  worst beat %s %s", age, st->worst_name);
	}
	if (v->filter.text[0])
		buf_printf(b, "  %zu of %zu series", v->nshown, m->nshown);
	else
		buf_printf(b, "  %zu series", m->nshown);
	buf_printf(b, "  %u%% used  ", st->fill_percent);
	add_time(b, st->real_ns);
	buf_puts(b, "\n");
	top_judgement(st, g, b);
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

void top_output_table(struct buf *b, const struct top_model *m, const struct top_view *v,
		      int average)
{
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
	for (n = 0; n < v->nshown; n++) {
		name.len = 0;
		top_row_text(v->shown[n], m->escape, &name);
		w = top_width(name.data ? name.data : "");
		width[0] = w > width[0] ? w : width[0];
		table_cells(m, v->shown[n], average, &g, cells);
		for (i = 1; i < columns; i++) {
			w = top_width(cells[i]);
			width[i] = w > width[i] ? w : width[i];
		}
	}
	if (v->text_width)
		fit(v->text_width, width);
	table_head(b, m, v, &g);
	table_line(b, width, "SERIES", heads, &g);
	for (n = 0; n < v->nshown; n++) {
		name.len = 0;
		top_row_text(v->shown[n], m->escape, &name);
		table_cells(m, v->shown[n], average, &g, cells);
		table_line(b, width, name.data ? name.data : "", cells, &g);
	}
	b->failed |= name.failed;
	buf_free(&name);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_number(struct buf *b, const char *key, double v)
{
	buf_printf(b, ",\"%s\":", key);
	if (isnan(v))
		buf_puts(b, "null");
	else
		add_double(b, v, 1);
}

static void json_writer(struct buf *b, const struct top_writer *w)
{
	const char *state = w->state == SM_WRITER_LIVE	   ? "live"
			    : w->state == SM_WRITER_COMMON ? "common"
			    : w->ended			   ? "ended"
							   : "dead";

	buf_puts(b, "{\"name\":");
	top_json_string(b, w->name);
	buf_printf(b, ",\"state\":\"%s\",\"version\":", state);
	top_json_string(b, w->version);
	buf_printf(b, ",\"pid\":%llu,\"restarts\":%llu", (unsigned long long)w->pid,
		       (unsigned long long)w->restarts);
	json_number(b, "heartbeat_age_s",
		    w->heartbeat_age_ns == UINT64_MAX ? NAN : (double)w->heartbeat_age_ns / 1e9);
	buf_puts(b, ",\"started\":");
	if (w->start_real_ns) {
		buf_puts(b, "\"");
		add_time(b, w->start_real_ns);
		buf_puts(b, "\"}");
	} else {
		buf_puts(b, "null}");
	}
}

static void json_histogram(struct buf *b, const struct top_row *row)
{
	static const char *const names[TOP_QUANTILES] = { "p50", "p95", "p99" };
	const struct top_histogram *h = row->histogram;
	int q;

	buf_printf(b, ",\"count\":%llu,\"sum\":", (unsigned long long)h->count);
	add_sum(b, &h->sum, 1);
	for (q = 0; q < TOP_QUANTILES; q++)
		json_number(b, names[q], h->whole[q]);
	if (!h->recent)
		return;
	buf_printf(b, ",\"recent\":{\"count\":%llu", (unsigned long long)h->recent_count);
	for (q = 0; q < TOP_QUANTILES; q++)
		json_number(b, names[q], h->quantile[q]);
	buf_puts(b, "}");
}

static void json_series(struct buf *b, const struct top_model *m, const struct top_row *row)
{
	const struct top_family *f = row->family;
	unsigned i;

	buf_puts(b, "{\"name\":");
	top_json_string(b, f->name);
	buf_printf(b, ",\"kind\":\"%s\",\"unit\":",
		       f->kind >= SM_COUNTER && f->kind <= SM_STATESET ? kind_name[f->kind] : "");
	top_json_string(b, f->unit);
	buf_puts(b, ",\"labels\":{");
	for (i = 0; i < f->nlabels; i++) {
		buf_puts(b, i ? "," : "");
		top_json_string(b, f->labels[i]);
		buf_puts(b, ":");
		top_json_string(b, row->values[i]);
	}
	buf_puts(b, "}");
	if (row->writer) {
		buf_puts(b, ",\"writer\":");
		top_json_string(b, row->writer);
	}
	if (row->histogram) {
		json_histogram(b, row);
	} else {
		buf_puts(b, ",\"value\":");
		add_value(b, &row->value, 1);
	}
	if (f->kind == SM_STATESET && row->value.units < f->nstates) {
		buf_puts(b, ",\"state\":");
		top_json_string(b, f->states[row->value.units]);
	}
	if (f->kind == SM_COUNTER || f->kind == SM_HISTOGRAM) {
		json_number(b, "rate", row->rating == TOP_RATE_OK ? row->rate : NAN);
		json_number(b, "average", top_row_average(m, row));
	}
	buf_puts(b, "}");
}

void top_output_json(struct buf *b, const struct top_model *m, const struct top_view *v)
{
	const struct top_status *st = &m->status;
	const char *comma = "";
	size_t i;

	buf_puts(b, "{\"schema\":1,\"program\":\"shmtop " SHARDMETER_VERSION "\",\"time\":\"");
	add_time(b, st->real_ns);
	buf_puts(b, "\"");
	json_number(b, "interval_s",
		    m->sample > 1 ? (double)(m->boot_ns - m->last_boot_ns) / 1e9 : NAN);
	buf_puts(b, ",\"segment\":{\"name\":");
	top_json_string(b, st->segment);
	buf_puts(b, ",\"path\":");
	top_json_string(b, st->path);
	buf_printf(b, ",\"id\":\"%s\",\"layout\":\"%u.%u\",\"used_percent\":%u,\"stale\":%s,"
			  "\"removed\":%s},\"writers_up\":%u,\"writers_total\":%u,\"writers\":[",
		       st->id, st->layout_major, st->layout_minor, st->fill_percent,
		       st->stale ? "true" : "false", st->removed ? "true" : "false", st->up,
		       st->total);
	for (i = 0; i < st->nwriters; i++) {
		buf_puts(b, i ? "," : "");
		json_writer(b, &st->writers[i]);
	}
	buf_puts(b, "],\"series\":[");
	for (i = 0; i < v->nshown; i++) {
		if (v->shown[i]->gone_boot_ns)
			continue;
		buf_puts(b, comma);
		json_series(b, m, v->shown[i]);
		comma = ",";
	}
	buf_puts(b, "]}\n");
}

/* ---- CSV ------------------------------------------------------------------------------------ */

/* RFC 4180: quotes around what needs them, a quote inside doubled. */
static void csv_text(struct buf *b, const char *s)
{
	buf_puts(b, ",");
	if (!strpbrk(s, ",\"\r\n")) {
		buf_puts(b, s);
		return;
	}
	buf_puts(b, "\"");
	for (; *s; s++) {
		if (*s == '"')
			buf_put(b, s, 1);
		buf_put(b, s, 1);
	}
	buf_puts(b, "\"");
}

static void csv_number(struct buf *b, double v)
{
	buf_puts(b, ",");
	if (!isnan(v))
		add_double(b, v, 0);
}

void top_output_csv_head(struct buf *b)
{
	buf_puts(b, "time,name,labels,writer,kind,unit,value,state,count,sum,rate,average,"
			"p50,p95,p99\r\n");
}

/* Foreign text: the escapes of the text format leave no control character. */
static void csv_foreign(struct buf *b, const char *s)
{
	struct buf text = { 0 };

	top_escape(&text, s, strlen(s), TOP_ESCAPE_UTF8);
	csv_text(b, text.data ? text.data : "");
	b->failed |= text.failed;
	buf_free(&text);
}

static void csv_series(struct buf *b, const struct top_model *m, const struct top_row *row)
{
	const struct top_family *f = row->family;
	const struct top_histogram *h = row->histogram;
	struct buf labels = { 0 };
	int q;

	add_time(b, m->status.real_ns);
	csv_foreign(b, f->name);
	top_row_labels(row, TOP_ESCAPE_UTF8, &labels);
	csv_text(b, labels.data ? labels.data : "");
	b->failed |= labels.failed;
	buf_free(&labels);
	csv_foreign(b, row->writer ? row->writer : "");
	csv_text(b, f->kind >= SM_COUNTER && f->kind <= SM_STATESET ? kind_name[f->kind] : "");
	csv_foreign(b, f->unit);
	buf_puts(b, ",");
	if (!h)
		add_value(b, &row->value, 0);
	csv_foreign(b, f->kind == SM_STATESET && row->value.units < f->nstates
			       ? f->states[row->value.units]
			       : "");
	if (h) {
		buf_printf(b, ",%llu,", (unsigned long long)h->count);
		add_sum(b, &h->sum, 0);
	} else {
		buf_puts(b, ",,");
	}
	csv_number(b, row->rating == TOP_RATE_OK ? row->rate : NAN);
	csv_number(b, top_row_average(m, row));
	for (q = 0; q < TOP_QUANTILES; q++)
		csv_number(b, h ? h->whole[q] : NAN);
	buf_puts(b, "\r\n");
}

void top_output_csv(struct buf *b, const struct top_model *m, const struct top_view *v)
{
	size_t i;

	for (i = 0; i < v->nshown; i++)
		if (!v->shown[i]->gone_boot_ns)
			csv_series(b, m, v->shown[i]);
}
