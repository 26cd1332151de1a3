/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series.c - /api/v1/series: what is counted, and how much, now; or what the history knows.
 *
 * Values are of one collection, the one that /metrics would be written from at this moment.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/api/call.h"
#include "exporter/api/past.h"

#define LIMIT_DEFAULT	1000
#define LIMIT_MAX	100000
#define BUCKETS_MAX	1025

struct listing {
	struct call *c;
	struct matches matches;
	const char *segment;
	const struct view *view;
	const struct view_family *family;
	int writers, buckets;
	uint64_t limit, shown, total;
	int family_open;
};

/* ---- parts of both lists -------------------------------------------------------------------- */

static void put_texts(struct json_out *j, const char *key, const char *const *text, unsigned n)
{
	unsigned i;

	json_open(j, key, '[');
	for (i = 0; i < n; i++)
		json_text(j, NULL, text[i]);
	json_close(j, ']');
}

static void put_labels(struct json_out *j, const struct selectable *s)
{
	unsigned i;

	json_open(j, "labels", '{');
	for (i = 0; i < s->nlabels; i++)
		json_text_n(j, s->labels[i], s->values[i].ptr ? s->values[i].ptr : "",
			s->values[i].len);
	if (*s->writer)
		json_text(j, "writer", s->writer);
	json_close(j, '}');
}

/* Count a series that matches; is it within the limit? */
static int takes(struct listing *l, const struct selectable *s)
{
	if (!matches_series(&l->matches, s))
		return 0;
	return l->total++ < l->limit;
}

/* A family as the answer describes it, of a snapshot or of the history. */
struct facts {
	const char *name, *unit, *help;
	enum sm_kind kind;
	enum sm_gauge_mode mode;
	unsigned nlabels, nstates;
	const char *const *labels, *const *states;
};

static void open_family(struct listing *l, const struct facts *f)
{
	struct json_out *j = &l->c->json;

	if (l->family_open)
		return;
	l->family_open = 1;
	json_open(j, NULL, '{');
	json_text(j, "segment", l->segment);
	json_text(j, "name", f->name);
	json_text(j, "kind", call_kind_name(f->kind));
	json_text(j, "unit", f->unit);
	json_text(j, "help", f->help);
	if (f->kind == SM_GAUGE)
		json_text(j, "mode", call_mode_name(f->mode));
	put_texts(j, "labels", f->labels, f->nlabels);
	if (f->kind == SM_STATESET)
		put_texts(j, "states", f->states, f->nstates);
	json_open(j, "series", '[');
}

static void close_family(struct listing *l)
{
	if (!l->family_open)
		return;
	json_close(&l->c->json, ']');
	json_close(&l->c->json, '}');
	l->family_open = 0;
}

/* ---- now ------------------------------------------------------------------------------------ */

static void put_number(struct listing *l, const struct sm_value *v)
{
	const struct sm_family_info *f = l->family->info;
	struct json_out *j = &l->c->json;

	call_value(l->c, "value", v);
	if (v->is_set && !isfinite(v->value))
		json_text(j, "not_a_number", isnan(v->value) ? "NaN" : v->value > 0 ? "+Inf" :
			"-Inf");
	if (f->kind == SM_STATESET && v->is_set && v->value >= 0 && v->value < f->nstates)
		json_text(j, "state", f->states[(unsigned)v->value]);
}

static void put_buckets(struct listing *l, const uint64_t *cumulative)
{
	const struct sm_family_info *f = l->family->info;
	struct json_out *j = &l->c->json;
	unsigned i;

	json_open(j, "buckets", '[');
	for (i = 0; i <= f->nbounds; i++) {
		json_open(j, NULL, '{');
		if (i < f->nbounds)
			call_double(l->c, "le", f->bounds[i]);
		else
			json_null(j, "le");
		json_u64(j, "count", cumulative[i]);
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* Count, sum and quantiles of counts under the united bounds. */
static void put_counts(struct listing *l, const uint64_t *counts, const struct sm_sum *sum)
{
	static const struct {
		const char *key;
		double q;
	} quantiles[] = { { "p50", 0.5 }, { "p95", 0.95 }, { "p99", 0.99 } };
	const struct sm_family_info *f = l->family->info;
	uint64_t count = 0;
	size_t i;

	for (i = 0; i <= f->nunited; i++)
		count += counts[i];
	json_u64(&l->c->json, "count", count);
	call_sum(l->c, "sum", sum);
	for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		call_double(l->c, quantiles[i].key, call_quantile(counts, f->united, f->nunited,
			quantiles[i].q));
}

static int has_any(const uint64_t *counts, unsigned n)
{
	unsigned i;

	for (i = 0; i < n && !counts[i]; i++)
		;
	return i < n;
}

/* What each writer observed into the newest file: another one may have other bounds. */
static void put_histogram_writers(struct listing *l, const struct view_series *s)
{
	const struct sm_snapshot *newest = l->view->part[0];
	uint64_t counts[BUCKETS_MAX];
	struct sm_sum sum;
	size_t w;

	json_open(&l->c->json, "writers", '[');
	for (w = 0; s->part[0] && w < newest->nwriters; w++) {
		if (sm_snapshot_buckets(newest, s->part[0], (int)w, counts, &sum) < 0 ||
			!has_any(counts, l->family->info->nunited + 1))
			continue;
		json_open(&l->c->json, NULL, '{');
		json_text(&l->c->json, "writer", newest->writers[w].name);
		put_counts(l, counts, &sum);
		json_close(&l->c->json, '}');
	}
	json_close(&l->c->json, ']');
}

static void put_histogram(struct listing *l, const struct view_series *s)
{
	uint64_t counts[BUCKETS_MAX] = { 0 }, cumulative[BUCKETS_MAX] = { 0 };
	const struct sm_family_info *f = l->family->info;
	struct sm_sum sum;

	if (f->nunited >= BUCKETS_MAX || f->nbounds >= BUCKETS_MAX ||
		view_buckets(l->view, l->family, s, counts, &sum) < 0)
		return;
	put_counts(l, counts, &sum);
	if (l->buckets && view_classic(l->view, l->family, s, cumulative, &sum) == 0)
		put_buckets(l, cumulative);
	if (l->writers)
		put_histogram_writers(l, s);
}

static int put_writer(void *ctx, const struct sm_writer *writer, const struct sm_value *value)
{
	struct listing *l = ctx;

	json_open(&l->c->json, NULL, '{');
	json_text(&l->c->json, "writer", writer->name);
	put_number(l, value);
	json_close(&l->c->json, '}');
	return 0;
}

static struct selectable selectable_of(const struct listing *l, const struct view_series *s,
	const char *writer)
{
	const struct sm_family_info *f = l->family->info;

	return (struct selectable){ .name = f->name, .nlabels = f->nlabels, .labels = f->labels,
		.values = s->info->values, .writer = writer };
}

static void begin_series(struct listing *l, const struct view_series *s,
	const struct selectable *as)
{
	const struct sm_family_info *f = l->family->info;
	struct facts facts = { f->name, f->unit, f->help, f->kind, f->mode, f->nlabels, f->nstates,
		f->labels, f->states };

	open_family(l, &facts);
	l->shown++;
	json_open(&l->c->json, NULL, '{');
	put_labels(&l->c->json, as);
	json_time(&l->c->json, "created", view_created_real_ns(s));
}

/* A series of which each writer has its own. */
struct own_values {
	struct listing *l;
	const struct view_series *s;
};

static int put_own(void *ctx, const struct sm_writer *writer, const struct sm_value *value)
{
	struct own_values *own = ctx;
	struct selectable as = selectable_of(own->l, own->s, writer->name);

	if (!takes(own->l, &as))
		return 0;
	begin_series(own->l, own->s, &as);
	put_number(own->l, value);
	json_close(&own->l->c->json, '}');
	return 0;
}

static int put_series(struct listing *l, const struct view_series *s)
{
	struct own_values own = { l, s };
	struct selectable as = selectable_of(l, s, "");
	struct sm_value v;
	int rc;

	if (view_is_per_writer(l->family)) {
		rc = view_each_writer(l->view, l->family, s, put_own, &own);
		return rc == -EINVAL ? 0 : rc;
	}
	if (!takes(l, &as))
		return 0;
	begin_series(l, s, &as);
	if (l->family->info->kind == SM_HISTOGRAM)
		put_histogram(l, s);
	else if (view_number(l->view, l->family, s, &v) == 0)
		put_number(l, &v);
	if (l->writers && l->family->info->kind != SM_HISTOGRAM) {
		json_open(&l->c->json, "writers", '[');
		view_each_writer(l->view, l->family, s, put_writer, l);
		json_close(&l->c->json, ']');
	}
	json_close(&l->c->json, '}');
	return 0;
}

static int put_view(struct listing *l)
{
	size_t f, s;
	int rc = 0;

	for (f = 0; f < l->view->nfamilies && rc == 0; f++) {
		l->family = &l->view->families[f];
		if (!matches_family(&l->matches, l->family->info->name))
			continue;
		for (s = 0; s < l->family->nseries && rc == 0; s++) {
			rc = put_series(l, &l->family->series[s]);
			if (rc == 0 && s % 64 == 0)
				rc = call_is_over(l->c);
		}
		close_family(l);
	}
	return rc;
}

static void put_segments(struct call *c, const struct collection *all)
{
	const struct collection_segment *one;
	struct json_out *j = &c->json;
	size_t i;

	json_open(j, "segments", '[');
	for (i = 0; i < all->nsegments; i++) {
		one = &all->segment[i];
		if (!call_segment(c, one->name))
			continue;
		json_open(j, NULL, '{');
		json_text(j, "segment", one->name);
		json_text(j, "state", source_state_name(one->reading.status.state));
		json_time(j, "taken", one->reading.n ?
			one->reading.snapshot[0]->taken_real_ns : 0);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static int put_reading(struct listing *l, const struct collection_segment *one)
{
	struct view view;
	int rc = view_init(&view, one->reading.snapshot, one->reading.n);

	if (rc < 0)
		return rc;
	l->segment = one->name;
	l->view = &view;
	rc = put_view(l);
	l->view = NULL;
	view_release(&view);
	return rc;
}

static int put_now(struct listing *l)
{
	const struct collection *all = NULL;
	size_t i;
	int rc = call_collect(l->c, SM_SNAPSHOT_WRITERS, &all);

	if (rc < 0)
		return rc;
	json_open(&l->c->json, "families", '[');
	for (i = 0; i < all->nsegments && rc == 0; i++)
		if (call_segment(l->c, all->segment[i].name) && all->segment[i].reading.n)
			rc = put_reading(l, &all->segment[i]);
	json_close(&l->c->json, ']');
	put_segments(l->c, all);
	collection_release(all);
	return rc;
}

/* ---- of the history ------------------------------------------------------------------------- */

struct known {
	size_t n, cap;
	const struct history_series **series;
};

static int keep(void *ctx, const struct history_series *s)
{
	struct known *k = ctx;
	const struct history_series **grown;

	if (k->n == k->cap) {
		grown = realloc(k->series, (k->cap ? k->cap * 2 : 1024) * sizeof(struct history_series *));
		if (!grown)
			return -ENOMEM;
		k->series = grown;
		k->cap = k->cap ? k->cap * 2 : 1024;
	}
	k->series[k->n++] = s;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct history_series *x = *(const struct history_series *const *)a;
	const struct history_series *y = *(const struct history_series *const *)b;
	int order = strcmp(x->family->name, y->family->name);

	/* Definitions of one name apart; within them by id, the order of first appearance. */
	if (order == 0 && x->family->id != y->family->id)
		order = x->family->id < y->family->id ? -1 : 1;
	return order ? order : x->id < y->id ? -1 : x->id > y->id;
}

static void put_known_series(struct listing *l, const struct history_series *s,
	const struct selectable *as)
{
	const struct history_family *f = s->family;
	struct facts facts = { f->name, f->unit, f->help, f->kind, f->mode, f->nlabels, f->nstates,
		f->labels, f->states };

	open_family(l, &facts);
	l->shown++;
	json_open(&l->c->json, NULL, '{');
	put_labels(&l->c->json, as);
	json_time(&l->c->json, "created", s->created_real_ns);
	json_close(&l->c->json, '}');
}

static int put_known(struct listing *l, const struct known *k)
{
	struct selectable as;
	size_t i;

	for (i = 0; i < k->n; i++) {
		if (i % 256 == 0 && call_is_over(l->c) < 0)
			return CALL_FAILED;
		if (i && k->series[i]->family != k->series[i - 1]->family)
			close_family(l);
		as = past_selectable(k->series[i]);
		if (takes(l, &as))
			put_known_series(l, k->series[i], &as);
	}
	close_family(l);
	return 0;
}

static int put_past(struct listing *l)
{
	struct known known = { 0 };
	struct past past;
	unsigned i;
	int rc = past_open(l->c, &past);

	if (rc < 0)
		return rc;
	json_open(&l->c->json, "families", '[');
	for (i = 0; i < past.n && rc == 0; i++) {
		l->segment = past.of[i].segment;
		known.n = 0;
		rc = past_each_series(l->c, &past.of[i], keep, &known);
		if (rc == 0 && known.n) {
			qsort(known.series, known.n, sizeof(struct history_series *), compare);
			rc = put_known(l, &known);
		}
	}
	json_close(&l->c->json, ']');
	json_open(&l->c->json, "segments", '[');
	for (i = 0; i < past.n; i++) {
		json_open(&l->c->json, NULL, '{');
		json_text(&l->c->json, "segment", past.of[i].segment);
		json_time(&l->c->json, "first", past.of[i].first_ms * 1000000);
		json_time(&l->c->json, "last", past.of[i].last_ms * 1000000);
		json_close(&l->c->json, '}');
	}
	json_close(&l->c->json, ']');
	free(known.series);
	past_close(&past);
	return rc;
}

/* ---- the endpoint --------------------------------------------------------------------------- */

int endpoint_series(struct call *c)
{
	static const char *const sources[] = { "now", "history", NULL };
	struct listing l = { .c = c, .limit = LIMIT_DEFAULT };
	unsigned source = 0;
	int rc = call_matches(c, &l.matches);

	if (rc == 0)
		rc = call_word(c, "source", sources, &source);
	if (rc == 0)
		rc = call_bool(c, "writers", &l.writers);
	if (rc == 0)
		rc = call_bool(c, "buckets", &l.buckets);
	if (rc == 0)
		rc = call_u64(c, "limit", 1, LIMIT_MAX, &l.limit);
	if (rc == 0)
		rc = source ? put_past(&l) : put_now(&l);
	json_u64(&c->json, "shown", l.shown);
	json_u64(&c->json, "total", l.total);
	matches_free(&l.matches);
	return rc;
}
