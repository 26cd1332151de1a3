/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - a snapshot as Prometheus text format 0.0.4.
 *
 * Families by name, series in order of registration, so two scrapes differ in values only. HELP
 * and TYPE come with the first sample: a family without any is not mentioned. `le` is always in
 * its canonical form ("1.0", "1e+06"), as every other format writes it, so that a series keeps its
 * identity whatever a server asks for. Integers and sums are exact decimals.
 *
 *	counter         counter
 *	gauge, updown   gauge; mode `all`: a sample per live writer, with a label writer
 *	histogram       classic histogram, +Inf and _count derived from the buckets
 *	info            gauge, 1
 *	state set       gauge per writer and state, 0 or 1; the state is a label
 */
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "snapshot.h"

#define FLUSH_AT	(32u * 1024)
#define OUR_PREFIX	"shardmeter_"

/* ---- pieces -------------------------------------------------------------------------------- */

static void flush(struct text *t)
{
	int rc;

	if (t->error || !t->n || !t->sink)
		return;
	rc = t->sink(t->ctx, t->p, t->n);
	t->n = 0;
	if (rc)
		t->error = rc < 0 ? rc : -ECANCELED;
}

void sm_text_put(struct text *t, const char *p, size_t n)
{
	size_t room;
	char *more;

	if (t->error)
		return;
	if (t->sink && t->n >= FLUSH_AT)
		flush(t);
	if (n > t->room - t->n) {
		for (room = t->room ? t->room : 4096; room - t->n < n; room *= 2)
			;
		more = realloc(t->p, room);
		if (!more) {
			t->error = -ENOMEM;
			return;
		}
		t->p = more;
		t->room = room;
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
}

void sm_text_puts(struct text *t, const char *s)
{
	sm_text_put(t, s, strlen(s));
}

void sm_text_escaped(struct text *t, const char *p, size_t n, bool quotes)
{
	size_t i, from = 0;

	for (i = 0; i < n; i++) {
		if (p[i] != '\\' && p[i] != '\n' && !(quotes && p[i] == '"'))
			continue;
		sm_text_put(t, p + from, i - from);
		sm_text_put(t, p[i] == '\n' ? "\\n" : p[i] == '"' ? "\\\"" : "\\\\", 2);
		from = i + 1;
	}
	sm_text_put(t, p + from, n - from);
}

void sm_text_label(struct text *t, const char *name, const char *value, size_t len)
{
	if (t->n)
		sm_text_put(t, ",", 1);
	sm_text_puts(t, name);
	sm_text_put(t, "=\"", 2);
	sm_text_escaped(t, value, len, true);
	sm_text_put(t, "\"", 1);
}

void sm_text_family(struct text *t, const char *name, const char *help, const char *type)
{
	if (*help) {
		sm_text_puts(t, "# HELP ");
		sm_text_puts(t, name);
		sm_text_put(t, " ", 1);
		sm_text_escaped(t, help, strlen(help), false);
		sm_text_put(t, "\n", 1);
	}
	sm_text_puts(t, "# TYPE ");
	sm_text_puts(t, name);
	sm_text_put(t, " ", 1);
	sm_text_puts(t, type);
	sm_text_put(t, "\n", 1);
}

void sm_text_sample(struct text *t, const char *name, const char *suffix, const struct text *labels,
		 const char *value, size_t value_len)
{
	sm_text_puts(t, name);
	sm_text_puts(t, suffix);
	if (labels && labels->n) {
		sm_text_put(t, "{", 1);
		sm_text_put(t, labels->p, labels->n);
		sm_text_put(t, "}", 1);
	}
	sm_text_put(t, " ", 1);
	sm_text_put(t, value, value_len);
	sm_text_put(t, "\n", 1);
	if (labels && labels->error && !t->error)
		t->error = labels->error;
}

/* ---- families ------------------------------------------------------------------------------ */

struct render {
	struct text out;
	struct text labels;		/* of the series at hand */
	const struct sm_snapshot *s;
	const struct sm_family_info *f;
	bool begun;			/* HELP and TYPE of f are out */
};

static const char *type_name(enum sm_kind kind)
{
	return kind == SM_COUNTER ? "counter" : kind == SM_HISTOGRAM ? "histogram" : "gauge";
}

static void begin(struct render *r)
{
	if (!r->begun)
		sm_text_family(&r->out, r->f->name, r->f->help, type_name(r->f->kind));
	r->begun = true;
}

static void put_value(struct render *r, const struct sm_value *v)
{
	char number[64];
	size_t len = 0;

	begin(r);
	if (v->is_integer && v->is_signed && (int64_t)v->units < 0) {
		number[len++] = '-';
		len += sm_format_u64(-v->units, number + len);
	} else if (v->is_integer) {
		len = sm_format_units(v->units, v->decimals, number, sizeof(number));
	} else {
		len = sm_format_double(v->value, 0, number, sizeof(number));
	}
	sm_text_sample(&r->out, r->f->name, "", &r->labels, number, len);
}

/* One more label, only for what put() writes now. */
static size_t push_label(struct render *r, const char *name, const char *value)
{
	size_t mark = r->labels.n;

	sm_text_label(&r->labels, name, value, strlen(value));
	return mark;
}

static void put_states(struct render *r, const struct sm_value *v)
{
	struct sm_value one = { .is_set = 1, .is_integer = 1 };
	size_t mark;
	unsigned i;

	for (i = 0; i < r->f->nstates; i++) {
		mark = push_label(r, r->f->name, r->f->states[i]);
		one.units = v->units == i;
		put_value(r, &one);
		r->labels.n = mark;
	}
}

/* Gauges of mode `all` and state sets: a value per writer. */
static void put_per_writer(struct render *r, const struct sm_series_info *series)
{
	struct sm_value v;
	size_t w, mark;

	for (w = 0; w < r->s->nwriters; w++) {
		if (sm_snap_number(snapshot_data(r->s), series, (int)w, &v) || !v.is_set)
			continue;
		mark = push_label(r, "writer", r->s->writers[w].name);
		if (r->f->kind == SM_STATESET)
			put_states(r, &v);
		else
			put_value(r, &v);
		r->labels.n = mark;
	}
}

static void put_histogram(struct render *r, const struct sm_series_info *series)
{
	uint64_t cumulative[SM_MAX_BOUNDS + 1];
	struct sm_sum sum;
	char text[64];
	size_t mark, len;
	unsigned b;

	if (sm_snapshot_classic(r->s, series, SM_ALL_WRITERS, cumulative, &sum))
		return;
	begin(r);
	for (b = 0; b <= r->f->nbounds; b++) {
		if (b < r->f->nbounds)
			sm_format_double(r->f->bounds[b], 1, text, sizeof(text));
		else
			memcpy(text, "+Inf", 5);
		mark = push_label(r, "le", text);
		len = sm_format_u64(cumulative[b], text);
		sm_text_sample(&r->out, r->f->name, "_bucket", &r->labels, text, len);
		r->labels.n = mark;
	}
	if (sum.is_integer)
		len = sm_format_units(sum.units, sum.decimals, text, sizeof(text));
	else
		len = sm_format_double(sum.value, 0, text, sizeof(text));
	sm_text_sample(&r->out, r->f->name, "_sum", &r->labels, text, len);
	len = sm_format_u64(cumulative[r->f->nbounds], text);
	sm_text_sample(&r->out, r->f->name, "_count", &r->labels, text, len);
}

static void put_family(struct render *r, const struct sm_family_info *f)
{
	const struct sm_series_info *series;
	struct sm_value v;
	size_t i;
	unsigned l;

	r->f = f;
	r->begun = false;
	for (i = 0; i < f->nseries && !r->out.error; i++) {
		series = &f->series[i];
		r->labels.n = 0;
		for (l = 0; l < f->nlabels; l++)
			sm_text_label(&r->labels, f->labels[l], series->values[l].ptr,
				      series->values[l].len);
		if (f->kind == SM_HISTOGRAM)
			put_histogram(r, series);
		else if (f->kind == SM_STATESET || (f->kind == SM_GAUGE && f->mode == SM_MODE_ALL))
			put_per_writer(r, series);
		else if (!sm_snap_number(snapshot_data(r->s), series, SM_ALL_WRITERS, &v) &&
			 v.is_set)
			put_value(r, &v);
	}
}

int sm_snapshot_text(const struct sm_snapshot *s, unsigned flags,
		     int (*sink)(void *ctx, const char *data, size_t len), void *ctx)
{
	struct render r = { .out = { .sink = sink, .ctx = ctx }, .s = s };
	bool ours = false;
	size_t i;

	if (flags)
		return -EINVAL;
	for (i = 0; i < s->nfamilies && !r.out.error; i++) {
		if (!ours && strcmp(s->families[i].name, OUR_PREFIX) > 0) {
			sm_text_about_segment(&r.out, s);
			ours = true;
		}
		put_family(&r, &s->families[i]);
	}
	if (!ours)
		sm_text_about_segment(&r.out, s);
	flush(&r.out);
	free(r.out.p);
	free(r.labels.p);
	return r.out.error;
}
