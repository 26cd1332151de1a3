/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.c - one sample as JSON or CSV.
 */
#include "output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const kind_name[] = { "",	      "counter", "gauge",   "updown",
					 "histogram", "info",	 "stateset" };

/* ---- numbers -------------------------------------------------------------------------------- */

void top_output_time(struct buf *b, uint64_t real_ns)
{
	time_t seconds = (time_t)(real_ns / 1000000000u);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "%s.%03uZ", text, (unsigned)(real_ns / 1000000u % 1000u));
}

/* What JSON has no number for is a string there. */
void top_output_double(struct buf *b, double v, int quote)
{
	char text[TOP_NUMBER];

	sm_format_double(v, 0, text, sizeof(text));
	if (quote && !isfinite(v))
		buf_printf(b, "\"%s\"", text);
	else
		buf_puts(b, text);
}

void top_output_value(struct buf *b, const struct sm_value *v, int quote)
{
	int negative = v->is_signed && (int64_t)v->units < 0;
	char text[TOP_NUMBER];

	if (!v->is_integer) {
		top_output_double(b, v->value, quote);
		return;
	}
	sm_format_units(negative ? -(sm_u128)(int64_t)v->units : v->units, v->decimals, text,
			sizeof(text));
	buf_printf(b, "%s%s", negative ? "-" : "", text);
}

void top_output_sum(struct buf *b, const struct sm_sum *sum, int quote)
{
	char text[TOP_NUMBER];

	if (!sum->is_integer) {
		top_output_double(b, sum->value, quote);
		return;
	}
	sm_format_units(sum->units, sum->decimals, text, sizeof(text));
	buf_puts(b, text);
}

/* The upper bound of a bucket: always with a point or exponent, in all formats alike. */
void top_output_le(struct buf *b, double bound)
{
	char text[TOP_NUMBER];

	sm_format_double(bound, 1, text, sizeof(text));
	buf_puts(b, text);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_number(struct buf *b, const char *key, double v)
{
	buf_printf(b, ",\"%s\":", key);
	if (isnan(v))
		buf_puts(b, "null");
	else
		top_output_double(b, v, 1);
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
		top_output_time(b, w->start_real_ns);
		buf_puts(b, "\"}");
	} else {
		buf_puts(b, "null}");
	}
}

/* Cumulative, as in the Prometheus formats: the user's own bounds, and +Inf. */
static void json_buckets(struct buf *b, const struct top_row *row)
{
	const struct top_family *f = row->family;
	uint64_t sum = 0;
	unsigned i, k = 0;

	buf_puts(b, ",\"buckets\":{");
	for (i = 0; i < f->nunited; i++) {
		sum += row->histogram->counts[i];
		if (k == f->nbounds || f->united[i] < f->bounds[k])
			continue;
		buf_puts(b, k++ ? ",\"" : "\"");
		top_output_le(b, f->united[i]);
		buf_printf(b, "\":%llu", (unsigned long long)sum);
	}
	buf_printf(b, "%s\"+Inf\":%llu}", k ? "," : "",
		   (unsigned long long)row->histogram->count);
}

static void json_histogram(struct buf *b, const struct top_row *row)
{
	static const char *const names[TOP_QUANTILES] = { "p50", "p95", "p99" };
	const struct top_histogram *h = row->histogram;
	double whole[TOP_QUANTILES];
	int q;

	top_row_whole(row, whole);

	buf_printf(b, ",\"count\":%llu,\"sum\":", (unsigned long long)h->count);
	top_output_sum(b, &h->sum, 1);
	for (q = 0; q < TOP_QUANTILES; q++)
		json_number(b, names[q], whole[q]);
	json_buckets(b, row);
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
		top_output_value(b, &row->value, 1);
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

void top_output_json(struct buf *b, const struct top_data *d, const struct top_view *v)
{
	const struct top_list *l = &v->list[TOP_SERIES];
	const struct top_model *m = &d->model;
	const struct top_status *st = &m->status;
	const char *comma = "";
	size_t i;

	buf_puts(b, "{\"schema\":1,\"program\":\"shmtop " SHARDMETER_VERSION "\",\"time\":\"");
	top_output_time(b, st->real_ns);
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
	for (i = 0; i < l->n; i++) {
		if (((const struct top_row *)l->item[i])->gone_boot_ns)
			continue;
		buf_puts(b, comma);
		json_series(b, m, l->item[i]);
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
		top_output_double(b, v, 0);
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
	double whole[TOP_QUANTILES] = { NAN, NAN, NAN };
	struct buf labels = { 0 };
	int q;

	if (h)
		top_row_whole(row, whole);
	top_output_time(b, m->status.real_ns);
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
		top_output_value(b, &row->value, 0);
	csv_foreign(b, f->kind == SM_STATESET && row->value.units < f->nstates
			       ? f->states[row->value.units]
			       : "");
	if (h) {
		buf_printf(b, ",%llu,", (unsigned long long)h->count);
		top_output_sum(b, &h->sum, 0);
	} else {
		buf_puts(b, ",,");
	}
	csv_number(b, row->rating == TOP_RATE_OK ? row->rate : NAN);
	csv_number(b, top_row_average(m, row));
	for (q = 0; q < TOP_QUANTILES; q++)
		csv_number(b, whole[q]);
	buf_puts(b, "\r\n");
}

void top_output_csv(struct buf *b, const struct top_data *d, const struct top_view *v)
{
	const struct top_list *l = &v->list[TOP_SERIES];
	const struct top_row *row;
	size_t i;

	for (i = 0; i < l->n; i++) {
		row = l->item[i];
		if (!row->gone_boot_ns)
			csv_series(b, &d->model, row);
	}
}
