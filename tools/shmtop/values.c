/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.c - what is computed from the values of a row: rates, averages, quantiles.
 *
 * Rates are differences of exact integers over the time between the two samples, as measured.
 *
 * Averages decay: a sample of dt seconds weighs 1 - exp(-dt/T). While a row is younger than T it
 * would lean to its first value, so there each sample weighs its share of the time so far. A row
 * that begins while we watch was 0 all the time before: its first error is one in all that time.
 *
 * Quantiles of a whole life say nothing about now, and keeping the buckets of every sample would
 * take megabytes. So each histogram keeps its buckets of two points in time that turn every 30 s:
 * now minus the older one is what came in during the last 30 to 60 s.
 */
#include <math.h>
#include <string.h>

#include "model.h"

const double top_quantile[TOP_QUANTILES] = { 0.5, 0.95, 0.99 };
const double top_average_s[TOP_AVERAGES] = { 10, 60, 300 };

/* ---- numbers -------------------------------------------------------------------------------- */

float top_row_history(const struct top_model *m, const struct top_row *row, unsigned ago)
{
	if (ago >= TOP_HISTORY || ago >= m->sample)
		return NAN;
	return row->history[(m->sample - ago) % TOP_HISTORY];
}

double top_row_value(const struct top_row *row)
{
	return row->histogram ? (double)row->histogram->count : row->value.value;
}

static int counts_up(const struct top_row *row)
{
	return row->family->kind == SM_COUNTER || row->family->kind == SM_HISTOGRAM;
}

double top_row_average(const struct top_model *m, const struct top_row *row)
{
	uint64_t now = m->boot_ns;

	if (!counts_up(row) || now <= row->created_boot_ns || !row->created_boot_ns)
		return NAN;
	return top_row_value(row) / ((double)(now - row->created_boot_ns) / 1e9);
}

/* Whether the row is seen for the first time and was made after the last sample: it was 0 then. */
static int began_at_zero(const struct top_model *m, const struct top_row *row)
{
	return !row->valued && m->sample > 1 && row->created_boot_ns > m->last_boot_ns;
}

/* The row grew by `change` since its last value. */
static void row_rate(struct top_model *m, struct top_row *row, double change, int went_back)
{
	uint64_t since = row->valued ? row->at_boot_ns : m->last_boot_ns;
	float *now = &row->history[m->sample % TOP_HISTORY];

	*now = NAN;
	if (went_back) {
		row->rating = TOP_RATE_RESET;
		row->reset_boot_ns = m->boot_ns;
	} else if ((row->valued || began_at_zero(m, row)) && m->boot_ns > since) {
		row->rating = TOP_RATE_OK;
		row->rate = change / ((double)(m->boot_ns - since) / 1e9);
		*now = (float)row->rate;
	} else {
		row->rating = TOP_RATE_UNKNOWN;
	}
}

void top_model_decay(struct top_model *m)
{
	double dt = m->boot_ns > m->last_boot_ns ? (double)(m->boot_ns - m->last_boot_ns) / 1e9 : 0;
	int i;

	for (i = 0; i < TOP_AVERAGES; i++)
		m->decay[i] = m->last_boot_ns ? 1 - exp(-dt / top_average_s[i]) : 1;
}

void top_model_reset_stats(struct top_model *m)
{
	size_t i;

	m->watched_boot_ns = m->boot_ns;
	for (i = 0; i < m->nshown; i++)
		m->rows[i]->stats.since_boot_ns = 0;
}

static void row_stats(const struct top_model *m, struct top_row *row, double x)
{
	struct top_stats *s = &row->stats;
	double so_far, dt, weight;
	int i, zero;

	if (!isfinite(x))
		return;
	if (!s->since_boot_ns) {
		s->min = s->max = x;
		zero = counts_up(row) && began_at_zero(m, row);
		s->since_boot_ns = zero ? m->watched_boot_ns
				   : row->valued ? row->at_boot_ns : m->boot_ns;
		for (i = 0; i < TOP_AVERAGES; i++)
			s->average[i] = zero ? 0 : x;
		if (!zero)
			return;
	}
	dt = (double)(m->boot_ns - m->last_boot_ns);
	so_far = (double)(m->boot_ns - s->since_boot_ns);
	for (i = 0; i < TOP_AVERAGES; i++) {
		weight = so_far > 0 && dt / so_far > m->decay[i] ? dt / so_far : m->decay[i];
		s->average[i] += (x - s->average[i]) * (weight < 1 ? weight : 1);
	}
	s->min = fmin(s->min, x);
	s->max = fmax(s->max, x);
}

static void row_valued(struct top_model *m, struct top_row *row)
{
	row->valued = m->sample;
	row->at_boot_ns = m->boot_ns;
	row->gone_boot_ns = 0;
}

/* A point in time, in seconds since 1970, by the naming rules of Prometheus. */
static int is_timestamp(const struct top_family *f)
{
	static const char end[] = "_timestamp_seconds";
	size_t n = strlen(f->name);

	return f->kind == SM_GAUGE && n >= sizeof(end) &&
	       !strcmp(f->name + n - (sizeof(end) - 1), end);
}

void top_row_number(struct top_model *m, struct top_row *row, const struct sm_value *value)
{
	const struct sm_value *old = &row->value;
	double change;
	int back;

	if (!value->is_set)
		return;
	if (row->family->kind == SM_COUNTER) {
		if (value->is_integer && (!row->valued || old->is_integer)) {
			back = row->valued && value->units < old->units;
			change = (double)(value->units - (row->valued ? old->units : 0));
			change /= pow(10, value->decimals);
		} else {
			back = row->valued && value->value < old->value;
			change = value->value - (row->valued ? old->value : 0);
		}
		row_rate(m, row, change, back);
	} else {
		row->rating = TOP_RATE_NONE;
		row->history[m->sample % TOP_HISTORY] = (float)value->value;
	}
	row->value = *value;
	row->moved |= value->value != 0;
	row_stats(m, row, row->family->kind == SM_COUNTER
				  ? row->rating == TOP_RATE_OK ? row->rate : NAN
				  : value->value);
	row->age_s = is_timestamp(row->family) && m->real_ns && value->value > 0
			     ? (double)m->real_ns / 1e9 - value->value
			     : NAN;
	row_valued(m, row);
}

uint64_t top_buckets_quantiles(const uint64_t *now, const uint64_t *before, const double *bounds,
			       size_t nbounds, const double *q, unsigned nq, double *ret)
{
	uint64_t total = 0, n;
	double below = 0, rank, lower;
	unsigned k = 0;
	size_t i;

	for (i = 0; i <= nbounds; i++)
		total += now[i] - (before ? before[i] : 0);
	for (i = 0; i < nq; i++)
		ret[i] = total && nbounds ? bounds[nbounds - 1] : NAN;
	for (i = 0; total && i < nbounds && k < nq; i++) {
		n = now[i] - (before ? before[i] : 0);
		if (!n)
			continue;
		lower = i ? bounds[i - 1] : 0;
		while (k < nq && (rank = q[k] * (double)total) <= below + (double)n) {
			ret[k++] = !i && bounds[0] <= 0
					   ? bounds[0]
					   : lower + (bounds[i] - lower) * (rank - below) / (double)n;
		}
		below += (double)n;
	}
	return total;
}

void top_row_whole(const struct top_row *row, double ret[TOP_QUANTILES])
{
	const struct top_family *f = row->family;

	top_buckets_quantiles(row->histogram->counts, NULL, f->united, f->nunited, top_quantile,
			      TOP_QUANTILES, ret);
}

static void histogram_quantiles(struct top_histogram *h, const struct top_family *f,
				enum top_window window)
{
	const uint64_t *before = window == TOP_WINDOW_MINUTE	 ? h->older
				 : window == TOP_WINDOW_INTERVAL ? h->before
								 : NULL;

	h->recent = 0;
	if (before)
		h->recent = top_buckets_quantiles(h->counts, before, f->united, f->nunited,
						  top_quantile, TOP_QUANTILES, h->quantile) > 0;
	if (!h->recent)
		top_buckets_quantiles(h->counts, NULL, f->united, f->nunited, top_quantile,
				      TOP_QUANTILES, h->quantile);
	if (window == TOP_WINDOW_LIFE)
		h->recent = h->count > 0;
}

void top_model_set_window(struct top_model *m, enum top_window window)
{
	struct top_row *row;
	size_t i;

	m->window = window;
	for (i = 0; i < m->nshown; i++) {
		row = m->rows[i];
		if (row->histogram)
			histogram_quantiles(row->histogram, row->family, window);
	}
}

static uint64_t sum_of(const uint64_t *counts, unsigned n)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i <= n; i++)
		sum += counts[i];
	return sum;
}

/* 1 if a bucket has less than it had. */
static int buckets_differ(const uint64_t *now, const uint64_t *then, unsigned n, uint64_t *ret_count)
{
	uint64_t count = 0;
	int back = 0;
	unsigned i;

	for (i = 0; i <= n; i++) {
		count += now[i];
		back |= now[i] < then[i];
	}
	*ret_count = count;
	return back;
}

void top_row_histogram(struct top_model *m, struct top_row *row, const uint64_t *counts,
		       const struct sm_sum *sum)
{
	const struct top_family *f = row->family;
	struct top_histogram *h = row->histogram;
	size_t size = (f->nunited + 1) * sizeof(*counts);
	uint64_t count, *swap;
	int back, whole_turn, still;

	/* A row that is new has zeros. */
	back = buckets_differ(counts, h->counts, f->nunited, &count);
	still = row->valued && count == h->count && !back;
	row_rate(m, row, (double)(count - (row->valued ? h->count : 0)), back);
	whole_turn = back || (!row->valued && !began_at_zero(m, row));
	swap = h->before;
	h->before = h->counts;
	h->counts = swap;
	memcpy(h->counts, counts, size);
	if (whole_turn) {
		memcpy(h->before, counts, size);
		memcpy(h->older, counts, size);
		memcpy(h->newer, counts, size);
	} else if (m->turn) {
		swap = h->older;
		h->older = h->newer;
		h->newer = swap;
		memcpy(h->newer, counts, size);
	}
	h->count = count;
	h->sum = *sum;
	h->recent_count = count - sum_of(h->older, f->nunited);
	/* Most series rest most of the time. */
	if (!still || m->turn || m->window == TOP_WINDOW_INTERVAL)
		histogram_quantiles(h, f, m->window);
	row->moved |= count > 0;
	row_stats(m, row, row->rating == TOP_RATE_OK ? row->rate : NAN);
	row_valued(m, row);
}
