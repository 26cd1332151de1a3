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

static void add_time(struct top_buf *b, uint64_t real_ns)
{
	time_t seconds = (time_t)(real_ns / 1000000000u);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	top_buf_printf(b, "%s.%03uZ", text, (unsigned)(real_ns / 1000000u % 1000u));
}

/* What JSON has no number for is a string there. */
static void add_double(struct top_buf *b, double v, int quote)
{
	char text[TOP_NUMBER];

	sm_format_double(v, 0, text, sizeof(text));
	if (quote && !isfinite(v))
		top_buf_printf(b, "\"%s\"", text);
	else
		top_buf_puts(b, text);
}

static void add_value(struct top_buf *b, const struct sm_value *v, int quote)
{
	int negative = v->is_signed && (int64_t)v->units < 0;
	char text[TOP_NUMBER];

	if (!v->is_integer) {
		add_double(b, v->value, quote);
		return;
	}
	sm_format_units(negative ? -(sm_u128)(int64_t)v->units : v->units, v->decimals, text,
			sizeof(text));
	top_buf_printf(b, "%s%s", negative ? "-" : "", text);
}

static void add_sum(struct top_buf *b, const struct sm_sum *sum, int quote)
{
	char text[TOP_NUMBER];

	if (!sum->is_integer) {
		add_double(b, sum->value, quote);
		return;
	}
	sm_format_units(sum->units, sum->decimals, text, sizeof(text));
	top_buf_puts(b, text);
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

static void table_head(struct top_buf *b, const struct top_model *m, const struct top_view *v,
		       const struct top_glyphs *g)
{
	const struct top_status *st = &m->status;
	char age[TOP_NUMBER];

	top_buf_printf(b, "%s", st->segment);
	if (st->nversions)
		top_buf_printf(b, "  v%s%s", st->version, st->nversions > 1 ? "+" : "");
	top_buf_printf(b, "  layout %u.%u  %u/%u writers up", st->layout_major, st->layout_minor,
		       st->up, st->total);
	if (st->worst_age_ns != UINT64_MAX) {
		top_format_age(st->worst_age_ns, age);
		top_buf_printf(b, "  worst beat %s %s", age, st->worst_name);
	}
	if (v->filter.text[0])
		top_buf_printf(b, "  %zu of %zu series", v->nshown, m->nshown);
	else
		top_buf_printf(b, "  %zu series", m->nshown);
	top_buf_printf(b, "  %u%% used  ", st->fill_percent);
	add_time(b, st->real_ns);
	top_buf_puts(b, "\n");
	top_judgement(st, g, b);
	top_buf_puts(b, "\n\n");
}

static void table_line(struct top_buf *b, int name_width, const int *width, const char *name,
		       char cells[COLUMNS][TOP_NAME], int columns)
{
	int i;

	top_buf_puts(b, name);
	top_buf_printf(b, "%*s", name_width - top_width(name), "");
	for (i = 1; i < columns; i++)
		top_buf_printf(b, "  %*s%s", width[i] - top_width(cells[i]), "", cells[i]);
	top_buf_puts(b, "\n");
}

void top_output_table(struct top_buf *b, const struct top_model *m, const struct top_view *v,
		      int average)
{
	struct top_glyphs g = m->escape & TOP_ESCAPE_ASCII ? top_glyphs_ascii : top_glyphs_utf8;
	char cells[COLUMNS][TOP_NAME], heads[COLUMNS][TOP_NAME] = { "SERIES", "VALUE",
								     "CHANGE/s", "p50",
								     "p95", "p99" };
	int width[COLUMNS], name_width = 6, w, i, columns = m->nhistograms ? COLUMNS : 3;
	struct top_buf name = { 0 };
	size_t n;

	g.none = "-";
	if (average)
		snprintf(heads[2], TOP_NAME, "AVERAGE/s");
	for (i = 1; i < COLUMNS; i++)
		width[i] = top_width(heads[i]);
	/* Twice: for the widths of the columns, then for the text. */
	for (n = 0; n < v->nshown; n++) {
		name.len = 0;
		top_row_text(v->shown[n], m->escape, &name);
		w = top_width(name.data ? name.data : "");
		name_width = w > name_width ? w : name_width;
		table_cells(m, v->shown[n], average, &g, cells);
		for (i = 1; i < columns; i++) {
			w = top_width(cells[i]);
			width[i] = w > width[i] ? w : width[i];
		}
	}
	table_head(b, m, v, &g);
	table_line(b, name_width, width, "SERIES", heads, columns);
	for (n = 0; n < v->nshown; n++) {
		name.len = 0;
		top_row_text(v->shown[n], m->escape, &name);
		table_cells(m, v->shown[n], average, &g, cells);
		table_line(b, name_width, width, name.data ? name.data : "", cells, columns);
	}
	b->failed |= name.failed;
	top_buf_release(&name);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_number(struct top_buf *b, const char *key, double v)
{
	top_buf_printf(b, ",\"%s\":", key);
	if (isnan(v))
		top_buf_puts(b, "null");
	else
		add_double(b, v, 1);
}

static void json_writer(struct top_buf *b, const struct top_writer *w)
{
	const char *state = w->state == SM_WRITER_LIVE	   ? "live"
			    : w->state == SM_WRITER_COMMON ? "common"
			    : w->ended			   ? "ended"
							   : "dead";

	top_buf_puts(b, "{\"name\":");
	top_json_string(b, w->name);
	top_buf_printf(b, ",\"state\":\"%s\",\"version\":", state);
	top_json_string(b, w->version);
	top_buf_printf(b, ",\"pid\":%llu,\"restarts\":%llu", (unsigned long long)w->pid,
		       (unsigned long long)w->restarts);
	json_number(b, "heartbeat_age_s",
		    w->heartbeat_age_ns == UINT64_MAX ? NAN : (double)w->heartbeat_age_ns / 1e9);
	top_buf_puts(b, ",\"started\":");
	if (w->start_real_ns) {
		top_buf_puts(b, "\"");
		add_time(b, w->start_real_ns);
		top_buf_puts(b, "\"}");
	} else {
		top_buf_puts(b, "null}");
	}
}

static void json_histogram(struct top_buf *b, const struct top_row *row)
{
	static const char *const names[TOP_QUANTILES] = { "p50", "p95", "p99" };
	const struct top_histogram *h = row->histogram;
	int q;

	top_buf_printf(b, ",\"count\":%llu,\"sum\":", (unsigned long long)h->count);
	add_sum(b, &h->sum, 1);
	for (q = 0; q < TOP_QUANTILES; q++)
		json_number(b, names[q], h->whole[q]);
	if (!h->recent)
		return;
	top_buf_printf(b, ",\"recent\":{\"count\":%llu", (unsigned long long)h->recent_count);
	for (q = 0; q < TOP_QUANTILES; q++)
		json_number(b, names[q], h->quantile[q]);
	top_buf_puts(b, "}");
}

static void json_series(struct top_buf *b, const struct top_model *m, const struct top_row *row)
{
	const struct top_family *f = row->family;
	unsigned i;

	top_buf_puts(b, "{\"name\":");
	top_json_string(b, f->name);
	top_buf_printf(b, ",\"kind\":\"%s\",\"unit\":",
		       f->kind >= SM_COUNTER && f->kind <= SM_STATESET ? kind_name[f->kind] : "");
	top_json_string(b, f->unit);
	top_buf_puts(b, ",\"labels\":{");
	for (i = 0; i < f->nlabels; i++) {
		top_buf_puts(b, i ? "," : "");
		top_json_string(b, f->labels[i]);
		top_buf_puts(b, ":");
		top_json_string(b, row->values[i]);
	}
	top_buf_puts(b, "}");
	if (row->writer) {
		top_buf_puts(b, ",\"writer\":");
		top_json_string(b, row->writer);
	}
	if (row->histogram) {
		json_histogram(b, row);
	} else {
		top_buf_puts(b, ",\"value\":");
		add_value(b, &row->value, 1);
	}
	if (f->kind == SM_STATESET && row->value.units < f->nstates) {
		top_buf_puts(b, ",\"state\":");
		top_json_string(b, f->states[row->value.units]);
	}
	if (f->kind == SM_COUNTER || f->kind == SM_HISTOGRAM) {
		json_number(b, "rate", row->rating == TOP_RATE_OK ? row->rate : NAN);
		json_number(b, "average", top_row_average(m, row));
	}
	top_buf_puts(b, "}");
}

void top_output_json(struct top_buf *b, const struct top_model *m, const struct top_view *v)
{
	const struct top_status *st = &m->status;
	const char *comma = "";
	size_t i;

	top_buf_puts(b, "{\"schema\":1,\"program\":\"shmtop " SHARDMETER_VERSION "\",\"time\":\"");
	add_time(b, st->real_ns);
	top_buf_puts(b, "\"");
	json_number(b, "interval_s",
		    m->sample > 1 ? (double)(m->boot_ns - m->last_boot_ns) / 1e9 : NAN);
	top_buf_puts(b, ",\"segment\":{\"name\":");
	top_json_string(b, st->segment);
	top_buf_puts(b, ",\"path\":");
	top_json_string(b, st->path);
	top_buf_printf(b, ",\"id\":\"%s\",\"layout\":\"%u.%u\",\"used_percent\":%u,\"stale\":%s,"
			  "\"removed\":%s},\"writers_up\":%u,\"writers_total\":%u,\"writers\":[",
		       st->id, st->layout_major, st->layout_minor, st->fill_percent,
		       st->stale ? "true" : "false", st->removed ? "true" : "false", st->up,
		       st->total);
	for (i = 0; i < st->nwriters; i++) {
		top_buf_puts(b, i ? "," : "");
		json_writer(b, &st->writers[i]);
	}
	top_buf_puts(b, "],\"series\":[");
	for (i = 0; i < v->nshown; i++) {
		if (v->shown[i]->gone_boot_ns)
			continue;
		top_buf_puts(b, comma);
		json_series(b, m, v->shown[i]);
		comma = ",";
	}
	top_buf_puts(b, "]}\n");
}

/* ---- CSV ------------------------------------------------------------------------------------ */

/* RFC 4180: quotes around what needs them, a quote inside doubled. */
static void csv_text(struct top_buf *b, const char *s)
{
	top_buf_puts(b, ",");
	if (!strpbrk(s, ",\"\r\n")) {
		top_buf_puts(b, s);
		return;
	}
	top_buf_puts(b, "\"");
	for (; *s; s++) {
		if (*s == '"')
			top_buf_add(b, s, 1);
		top_buf_add(b, s, 1);
	}
	top_buf_puts(b, "\"");
}

static void csv_number(struct top_buf *b, double v)
{
	top_buf_puts(b, ",");
	if (!isnan(v))
		add_double(b, v, 0);
}

void top_output_csv_head(struct top_buf *b)
{
	top_buf_puts(b, "time,name,labels,writer,kind,unit,value,state,count,sum,rate,average,"
			"p50,p95,p99\r\n");
}

/* Foreign text: the escapes of the text format leave no control character. */
static void csv_foreign(struct top_buf *b, const char *s)
{
	struct top_buf text = { 0 };

	top_escape(&text, s, strlen(s), TOP_ESCAPE_UTF8);
	csv_text(b, text.data ? text.data : "");
	b->failed |= text.failed;
	top_buf_release(&text);
}

static void csv_series(struct top_buf *b, const struct top_model *m, const struct top_row *row)
{
	const struct top_family *f = row->family;
	const struct top_histogram *h = row->histogram;
	struct top_buf labels = { 0 };
	int q;

	add_time(b, m->status.real_ns);
	csv_foreign(b, f->name);
	top_row_labels(row, TOP_ESCAPE_UTF8, &labels);
	csv_text(b, labels.data ? labels.data : "");
	b->failed |= labels.failed;
	top_buf_release(&labels);
	csv_foreign(b, row->writer ? row->writer : "");
	csv_text(b, f->kind >= SM_COUNTER && f->kind <= SM_STATESET ? kind_name[f->kind] : "");
	csv_foreign(b, f->unit);
	top_buf_puts(b, ",");
	if (!h)
		add_value(b, &row->value, 0);
	csv_foreign(b, f->kind == SM_STATESET && row->value.units < f->nstates
			       ? f->states[row->value.units]
			       : "");
	if (h) {
		top_buf_printf(b, ",%llu,", (unsigned long long)h->count);
		add_sum(b, &h->sum, 0);
	} else {
		top_buf_puts(b, ",,");
	}
	csv_number(b, row->rating == TOP_RATE_OK ? row->rate : NAN);
	csv_number(b, top_row_average(m, row));
	for (q = 0; q < TOP_QUANTILES; q++)
		csv_number(b, h ? h->whole[q] : NAN);
	top_buf_puts(b, "\r\n");
}

void top_output_csv(struct top_buf *b, const struct top_model *m, const struct top_view *v)
{
	size_t i;

	for (i = 0; i < v->nshown; i++)
		if (!v->shown[i]->gone_boot_ns)
			csv_series(b, m, v->shown[i]);
}
