/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines_fill.c - rows of history become the points of lines; see lines.h.
 *
 * Three levels: a member takes its value of a row and adds what is new to its line; a line ends the
 * row and adds it to the step; at the end of a step its point is written. Nothing but the last row
 * of each member is kept.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/api/lines_internal.h"

#define NO_STEP SIZE_MAX

/* One segment's walk. */
struct walk {
	struct call *c;
	struct lines *l;
	const struct past_segment *past;
	unsigned segment;
	struct member **member;		/* by series id */
	uint8_t *wanted;
	uint32_t limit;			/* of ids */
	size_t nrows, cap;
	struct moment *row;		/* when each was taken; the last is the one being read */
	double seconds;			/* from the row before it */
	size_t step;
};

/* ---- a value of a row ----------------------------------------------------------------------- */

/* Seconds between two rows. 0 if they are one reading: writers were busy, and the last good one was
 * taken again. */
static double elapsed(const struct moment *from, const struct moment *to)
{
	if (memcmp(from->boot_id, to->boot_id, sizeof(from->boot_id)) == 0 &&
		to->boot_ns >= from->boot_ns)
		return (double)(to->boot_ns - from->boot_ns) / 1e9;
	return to->at_ms > from->at_ms ? (double)(to->at_ms - from->at_ms) / 1e3 : 0;
}

static struct quantity value_quantity(const struct member *m, const struct history_value *v)
{
	if (m->is_histogram)
		return quantity_count(v->count);
	if (!v->is_integer || (!v->is_signed && v->units > INT64_MAX))
		return quantity_double(v->value);
	return quantity_units((int64_t)v->units, v->decimals, v->value);
}

static double sum_difference(const struct sm_sum *from, const struct sm_sum *to)
{
	double scale = 1;
	unsigned i;

	if (!from->is_integer || !to->is_integer || from->decimals != to->decimals)
		return to->value - from->value;
	for (i = 0; i < to->decimals; i++)
		scale *= 10;
	return (double)(__int128)(to->units - from->units) / scale;
}

/* The line's bucket for one of the member's family: the same, or the first that reaches as far. */
static unsigned line_bucket(const struct line *line, const struct history_family *f, unsigned i)
{
	unsigned low = 0, high = line->family->nunited, middle;

	if (f == line->family || i >= f->nunited)
		return f == line->family ? i : line->family->nunited;
	while (low < high) {
		middle = low + (high - low) / 2;
		if (line->family->united[middle] < f->united[i])
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Keep the buckets; add what is new in them to the line. is_new: all of it is. */
static void take_buckets(const struct walk *w, struct member *m, const struct history_value *v,
	int has_before, int is_new)
{
	const struct history_family *f = m->series->family;
	uint64_t *to = m->line->state->row_counts, *counts = m->histogram->counts, old;
	size_t i;
	unsigned at;

	if (w->l->q->fn != LINES_QUANTILE)
		return;
	for (i = 0; i < v->nbuckets; i++) {
		at = v->buckets[i].index;
		old = is_new || v->buckets[i].count < counts[at] ? 0 : counts[at];
		counts[at] = v->buckets[i].count;
		if (has_before)
			to[line_bucket(m->line, f, at)] += v->buckets[i].count - old;
	}
}

static int make_histogram(struct walk *w, struct member *m)
{
	size_t n = w->l->q->fn == LINES_QUANTILE ? m->series->family->nunited + 1u : 0;

	w->l->nbuckets += n;
	if (w->l->nbuckets > LINES_BUCKETS_MAX)
		return call_fail(w->c, 422, "too_many_series", "match[]", "the histograms that match "
			"have more than %u buckets: narrow match[]", LINES_BUCKETS_MAX);
	m->histogram = calloc(1, sizeof(*m->histogram) + n * sizeof(m->histogram->counts[0]));
	return m->histogram ? 0 : -ENOMEM;
}

/* What a histogram has counted more than in its row before. */
static int take_histogram(struct walk *w, struct member *m, const struct history_value *v,
	int has_before, int is_new)
{
	struct line_state *s = m->line->state;
	int rc = m->histogram ? 0 : make_histogram(w, m);

	if (!m->histogram)
		return rc;
	take_buckets(w, m, v, has_before, is_new);
	if (has_before) {
		s->row_count += is_new ? v->count : v->count - m->histogram->count;
		s->row_sum += is_new ? v->sum.value : sum_difference(&m->histogram->sum, &v->sum);
	}
	m->histogram->count = v->count;
	m->histogram->sum = v->sum;
	return 0;
}

/*
 * What was counted since the member's row before; all of it if it began, or began anew, since. Without
 * time between the rows the difference is of the next one.
 */
static int take_difference(struct walk *w, struct member *m, const struct history_value *v,
	struct quantity now)
{
	struct line_state *s = m->line->state;
	const struct moment *here = &w->row[w->nrows - 1];
	uint32_t before = m->row;
	int is_new = 0;
	double seconds = 0;

	if (!before && w->nrows > 1 && m->series->created_real_ns > here[-1].real_ns) {
		before = (uint32_t)w->nrows - 1;
		is_new = 1;
	}
	if (before)
		seconds = before + 1 == w->nrows ? w->seconds : elapsed(&w->row[before - 1], here);
	if (m->row && seconds <= 0)
		return 0;
	is_new |= m->row && quantity_less(now, m->value);
	if (seconds > 0) {
		struct quantity more = is_new ? now : quantity_add(now, m->value, -1);

		quantity_collect(&s->row_increase, &more);
		if (before + 1 == w->nrows)
			s->row_amount += more.value;
		else
			s->row_rate += more.value / seconds;
		s->row_seconds = seconds > s->row_seconds ? seconds : s->row_seconds;
	}
	m->row = (uint32_t)w->nrows;
	m->value = now;
	return m->is_histogram ? take_histogram(w, m, v, seconds > 0, is_new) : 0;
}

static int take_value(struct walk *w, struct member *m, const struct history_value *v)
{
	struct quantity now = value_quantity(m, v);

	if (w->l->q->fn != LINES_VALUE)
		return take_difference(w, m, v, now);
	quantity_collect(&m->line->state->row_value, &now);
	return 0;
}

/* ---- the end of a row ----------------------------------------------------------------------- */

static void widen(struct quantity *min, struct quantity *max, struct quantity v)
{
	if (isnan(v.value))
		return;
	if (!min->is_set || quantity_less(v, *min))
		*min = v;
	if (!max->is_set || quantity_less(*max, v))
		*max = v;
}

static void end_row_quantiles(const struct lines_question *q, const struct line *line)
{
	struct line_state *s = line->state;
	unsigned i, n = line->family->nunited;
	double v;

	if (s->row_count) {
		for (i = 0; i < q->nquantiles; i++) {
			v = call_quantile(s->row_counts, line->family->united, n, q->quantile[i]);
			widen(&s->quantile_min[i], &s->quantile_max[i], quantity_double(v));
		}
		for (i = 0; i <= n; i++)
			s->counts[i] += s->row_counts[i];
	}
	memset(s->row_counts, 0, (n + 1) * sizeof(*s->row_counts));
}

static void end_row(const struct lines_question *q, const struct line *line, double seconds)
{
	struct line_state *s = line->state;

	quantity_settle(&s->row_value);
	quantity_settle(&s->row_increase);
	if (seconds > 0)
		s->row_rate += s->row_amount / seconds;
	if (s->row_value.is_set) {
		s->value = s->row_value;
		widen(&s->min, &s->max, s->row_value);
	}
	if (s->row_seconds > 0) {
		s->increase = quantity_add(s->increase, s->row_increase, 1);
		s->amount += s->row_rate * s->row_seconds;
		s->seconds += s->row_seconds;
		s->sum += s->row_sum;
		s->count += s->row_count;
		if (q->fn == LINES_RATE)
			widen(&s->min, &s->max, quantity_double(s->row_rate));
		else if (q->fn == LINES_MEAN && s->row_count)
			widen(&s->min, &s->max, quantity_double(s->row_sum /
				(double)s->row_count));
	}
	if (q->fn == LINES_QUANTILE)
		end_row_quantiles(q, line);
	s->row_value = s->row_increase = (struct quantity){ 0 };
	s->row_amount = s->row_rate = s->row_seconds = s->row_sum = 0;
	s->row_count = 0;
}

/* ---- the end of a step ---------------------------------------------------------------------- */

static struct quantity step_value(const struct lines_question *q, const struct line_state *s)
{
	switch (q->fn) {
	case LINES_VALUE:
		return s->value;
	case LINES_RATE:
		return s->seconds > 0 ? quantity_double(s->amount / s->seconds) :
			(struct quantity){ 0 };
	case LINES_INCREASE:
		return s->increase;
	case LINES_MEAN:
		return s->count ? quantity_double(s->sum / (double)s->count) :
			(struct quantity){ 0 };
	case LINES_QUANTILE:
		break;
	}
	return (struct quantity){ 0 };
}

static void end_step_of(const struct lines_question *q, const struct line *line, size_t step)
{
	struct line_state *s = line->state;
	struct lines_point *p;
	unsigned i;
	double v;

	if (q->fn != LINES_QUANTILE) {
		p = &line->point[step];
		p->value = step_value(q, s);
		p->min = s->min;
		p->max = s->max;
	}
	for (i = 0; q->fn == LINES_QUANTILE && i < q->nquantiles && s->count; i++) {
		v = call_quantile(s->counts, line->family->united, line->family->nunited,
			q->quantile[i]);
		p = &line->point[i * q->nsteps + step];
		p->value = quantity_double(v);
		p->min = s->quantile_min[i];
		p->max = s->quantile_max[i];
	}
}

static void clear_step(const struct lines_question *q, const struct line *line)
{
	struct line_state *s = line->state;

	s->value = s->min = s->max = s->increase = (struct quantity){ 0 };
	s->amount = s->seconds = s->sum = 0;
	s->count = 0;
	if (q->fn == LINES_QUANTILE)
		memset(s->counts, 0, (line->family->nunited + 1u) * sizeof(*s->counts));
	memset(s->quantile_min, 0, sizeof(s->quantile_min));
	memset(s->quantile_max, 0, sizeof(s->quantile_max));
}

static void end_step(struct walk *w)
{
	size_t i;

	for (i = 0; i < w->l->n; i++) {
		if (w->l->line[i].state->segment != w->segment)
			continue;
		if (w->step != NO_STEP)
			end_step_of(w->l->q, &w->l->line[i], w->step);
		clear_step(w->l->q, &w->l->line[i]);
	}
}

/* ---- the walk ------------------------------------------------------------------------------- */

/* Which step a row belongs to: by the tick that it was taken for. It is taken some ms late (or, when
 * the clock is slewed, early), and must not fall into the step of another tick. */
static size_t step_of(const struct walk *w, const struct history_row *row)
{
	const struct lines_question *q = w->l->q;
	uint64_t step;

	if (row->due_ms <= q->from_ms || row->due_ms > q->to_ms)
		return NO_STEP;
	if (row->due_ms <= q->first_ms)
		return 0;
	step = (row->due_ms - q->first_ms - 1) / q->step_ms + 1;
	return step < q->nsteps ? (size_t)step : NO_STEP;
}

static int take_row(struct walk *w)
{
	struct history_value v;
	size_t i;
	int rc;

	while ((rc = history_next_value(w->past->history, &v)) > 0) {
		rc = v.id < w->limit && w->member[v.id] ? take_value(w, w->member[v.id], &v) : 0;
		if (rc < 0)
			return rc;
	}
	for (i = 0; i < w->l->n; i++)
		if (w->l->line[i].state->segment == w->segment)
			end_row(w->l->q, &w->l->line[i], w->seconds);
	/* The rest of a damaged row is not there; the next row is. */
	if (rc == -EBADMSG && !history_damaged(w->past->history)) {
		w->l->unreadable++;
		return 0;
	}
	return rc < 0 ? past_fails(w->c, w->past, rc) : 0;
}

/* Begin with the row before the first step: the next one is compared with it. */
static int seek(struct walk *w)
{
	const struct lines_question *q = w->l->q;
	uint64_t from_ms = q->from_ms;
	struct history_row row = { 0 };
	int rc = history_seek_last(w->past->history, from_ms);

	if (rc > 0)
		rc = history_next_row(w->past->history, &row);
	if (rc > 0)
		from_ms = row.at_ms;
	else if (rc < 0 && (rc != -EBADMSG || history_damaged(w->past->history)))
		return past_fails(w->c, w->past, rc);
	/* A row may be taken well after it was due. */
	history_seek(w->past->history, from_ms, q->to_ms + w->past->resolution_ms);
	return 0;
}

/* Remember when a row was taken. */
static int add_row(struct walk *w, const struct history_row *row)
{
	struct moment *grown;

	if (w->nrows == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 512;
		grown = realloc(w->row, w->cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		w->row = grown;
	}
	w->row[w->nrows] = (struct moment){ row->at_ms, row->taken_real_ns, row->taken_boot_ns,
		{ 0 } };
	memcpy(w->row[w->nrows].boot_id, row->boot_id, sizeof(row->boot_id));
	w->nrows++;
	w->seconds = w->nrows > 1 ? elapsed(&w->row[w->nrows - 2], &w->row[w->nrows - 1]) : 0;
	w->l->rows++;
	return 0;
}

static int walk(struct walk *w)
{
	struct history_row row = { 0 };
	size_t step;
	int rc;

	history_want(w->past->history, w->wanted, w->limit);
	rc = seek(w);
	if (rc < 0)
		return rc;
	while ((rc = history_next_row(w->past->history, &row)) != 0) {
		if (call_is_over(w->c) < 0)
			return CALL_FAILED;
		if (rc == -EBADMSG && !history_damaged(w->past->history)) {
			w->l->unreadable++;
			continue;
		}
		if (rc < 0)
			return past_fails(w->c, w->past, rc);
		step = step_of(w, &row);
		if (step != w->step)
			end_step(w);
		w->step = step;
		rc = add_row(w, &row);
		if (rc == 0)
			rc = take_row(w);
		if (rc < 0)
			return rc;
	}
	end_step(w);
	return 0;
}

/* Members of one segment, found by the id of their series. */
static int index_members(struct walk *w)
{
	struct member *m = w->l->member;
	size_t i;
	uint32_t id;

	for (i = 0; i < w->l->nmembers; i++)
		if (m[i].segment == w->segment && m[i].series->id >= w->limit)
			w->limit = m[i].series->id + 1;
	w->member = calloc(w->limit + 1u, sizeof(struct member *));
	w->wanted = calloc(w->limit / 8u + 1u, 1);
	if (!w->member || !w->wanted)
		return -ENOMEM;
	for (i = 0; i < w->l->nmembers; i++) {
		if (m[i].segment != w->segment)
			continue;
		id = m[i].series->id;
		w->member[id] = &m[i];
		w->wanted[id / 8] |= (uint8_t)(1u << id % 8);
	}
	return 0;
}

int lines_fill(struct call *c, const struct past *past, struct lines *l)
{
	struct walk w;
	unsigned i;
	int rc = 0;

	for (i = 0; i < past->n && rc == 0; i++) {
		w = (struct walk){ .c = c, .l = l, .past = &past->of[i], .segment = i,
			.step = NO_STEP };
		rc = index_members(&w);
		if (rc == 0 && w.limit)
			rc = walk(&w);
		free(w.row);
		free(w.member);
		free(w.wanted);
	}
	return rc;
}
