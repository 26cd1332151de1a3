/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.c - observations that the inline path does not do: threads without a lane of their
 * own, values that must be refused, negative zero, signed histograms, durations in a histogram
 * that is not of seconds.
 *
 * The sum is fixed point; a signed histogram has a double (SM_FF_SUM_DOUBLE), whose bits are
 * added by compare-and-swap. For both the limit is 2^62 units of 10^-sum_decimals, so that
 * neither wraps nor becomes infinite by one wild value.
 *
 * Order: bucket, then sum, as inline. A process killed between them leaves that value out of the
 * sum.
 */
#include <math.h>

#include "metric.h"

/* Can v be counted? *v becomes 0 for -0. */
static bool accept(const struct handle *h, double *v)
{
	const struct sm_buckets_ *b = handle_buckets(h);

	if (*v == 0)
		*v = 0;
	if (b->limit_bits)	/* the bits of NaN, infinity and of all below 0 are above it */
		return double_bits(*v) < b->limit_bits;
	if (*v < 0 && !(h->family->def.flags & SM_FF_SIGNED))
		return false;
	return fabs(*v) * b->scale < UNITS_LIMIT;
}

static size_t bucket_of(const struct sm_buckets_ *b, double v)
{
	return v < 0 ? buckets_find(b, v) : sm_bucket_(b, double_bits(v));
}

static void add_to_cells(const struct handle *h, uint64_t *cells, bool shared, double v)
{
	const struct sm_buckets_ *b = handle_buckets(h);

	lane_add(&cells[bucket_of(b, v)], shared, 1);
	if (b->limit_bits)
		lane_add(sm_cell_((uintptr_t)&cells[b->sum]), shared,
			 (uint64_t)(int64_t)(v * b->scale + 0.5));
	else
		lane_add_double(&cells[b->sum], v);
}

static void observe(const struct handle *h, double v)
{
	sm_where_ place = handle_place(h);
	uint64_t *cells;
	bool shared;

	if (!place)
		return;
	if (!accept(h, &v)) {
		handle_refuse_value(h);
		return;
	}
	cells = lane_cell(place, handle_buckets(h)->sum + 1u, &shared);
	if (cells)
		add_to_cells(h, cells, shared, v);
}

static void observe_ns(const struct handle *h, uint64_t ns)
{
	const struct sm_buckets_ *b;
	sm_where_ place = handle_place(h);
	uint64_t *cells;
	bool shared;

	if (!place)
		return;
	if (ns >= UINT64_C(1) << 62) {
		handle_refuse_value(h);
		return;
	}
	b = handle_buckets(h);
	if (!b->bounds_ns) {
		observe(h, (double)ns / 1e9);
		return;
	}
	cells = lane_cell(place, b->sum + 1u, &shared);
	if (cells) {
		/* The quotient decides, as it made bounds_ns. */
		lane_add(&cells[bucket_of(b, (double)ns / 1e9)], shared, 1);
		lane_add(sm_cell_((uintptr_t)&cells[b->sum]), shared, ns);
	}
}

uint64_t sm_histogram_observe_slow_(struct sm_histogram *hist, double v)
{
	observe(handle_of(hist), v);
	return lane_inline_word();
}

uint64_t sm_histogram_observe_ns_slow_(struct sm_histogram *hist, uint64_t ns)
{
	observe_ns(handle_of(hist), ns);
	return lane_inline_word();
}

void sm_histogram_observe_fn(struct sm_histogram *h, double v)
{
	sm_histogram_observe(h, v);
}

void sm_histogram_observe_ns_fn(struct sm_histogram *h, uint64_t ns)
{
	sm_histogram_observe_ns(h, ns);
}

void sm_histogram_observe_signal(struct sm_histogram *hist, double v)
{
	struct handle *h = handle_of(hist);
	sm_where_ place = handle_place(h);
	uint64_t *cells;

	if (!place)
		return;
	if (!accept(h, &v)) {
		handle_refuse_value(h);
		return;
	}
	cells = lane_shared_cell(place, handle_buckets(h)->sum + 1u);
	if (cells)
		add_to_cells(h, cells, true, v);
}
