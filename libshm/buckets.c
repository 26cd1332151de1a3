/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buckets.c - the index of a histogram: from a value to the first bound that is >= it.
 *
 * The bits of a non-negative double, read as an integer, ascend with its value. Their upper part,
 * exponent and a few mantissa bits, is the key of a guide cell; guide[cell] counts the bounds
 * below the cell's lowest value. What is left are the bounds inside the cell, at most `compares`.
 *
 *      key_min                                            key_min + key_max
 *      | cell 0: all below |  one cell per key  ...  | last cell: all above |
 *
 * Cell 0 ends before the smallest positive bound, so at most a bound of 0 is inside it. The last
 * cell begins with the one of the largest bound.
 *
 * The number of mantissa bits is the smallest that gives the fewest comparisons: tables stay as
 * small as they can (26 bytes for the default bounds in seconds), for the sake of the cache.
 * Bounds may lie as near to each other as they like; then there are more comparisons.
 *
 * Durations. The inline path enters the guide a little below ns / 1e9 (by 10^-14 of it), since
 * the product with 1e-9 is not exact, and then compares integers, one time more. Let `low` be
 * what it enters with and v = ns / 1e9 rounded; low < v always. If both are in one cell,
 * `compares` would do. Else v lies at most 1.1 * 10^-14 of itself above the start of its cell,
 * and what has to be compared are the bounds of low's cell and those of v's that are below v:
 * near_start() counts them when compares is set.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bounds.h"
#include "metric.h"

#define GUIDE_MAX 16384		/* cells */
#define MANTISSA_BITS 52
#define GUIDE_MANTISSA_MAX 5	/* bits */

static const double null_bounds[1] = { INFINITY };
static const uint64_t null_bounds_ns[1] = { UINT64_MAX };
static const uint16_t null_guide[1] = { 0 };

const struct sm_buckets_ sm_null_buckets = {
	.shift = MANTISSA_BITS,
	.compares = 1,
	.scale = 1,
	.bounds = null_bounds,
	.bounds_ns = null_bounds_ns,
	.guide = null_guide,
};

static int64_t key_of(double v, unsigned shift)
{
	return (int64_t)(double_bits(v) >> shift);
}

static double start_of(int64_t key, unsigned shift)
{
	return bits_double((uint64_t)key << shift);
}

/* Of the bounds from `i` to `end`, all in the cell `key`: how many are within 10^-13 of its
 * start? */
static uint32_t near_start(const double *bounds, uint32_t i, uint32_t end, int64_t key,
			   unsigned shift)
{
	double start = start_of(key, shift);
	uint32_t n = 0;

	while (i + n < end && bounds[i + n] - start <= start * 1e-13)
		n++;
	return n;
}

/*
 * Set shift, key_min, key_max and compares of b for this many mantissa bits. positive is the
 * number of the first bound > 0; there is one.
 */
static void plan(struct sm_buckets_ *b, const double *bounds, uint32_t positive, unsigned mantissa)
{
	unsigned shift = MANTISSA_BITS - mantissa;
	uint32_t n = b->nbounds, i, end, count, near, before = 1, most = 1;
	uint32_t zeros = positive && bounds[positive - 1] == 0;
	int64_t key, last_key;

	b->shift = shift;
	b->key_min = last_key = key_of(bounds[positive], shift) - 1;
	b->key_max = key_of(bounds[n - 1], shift) - b->key_min;
	for (i = positive; i < n; i = end) {
		key = key_of(bounds[i], shift);
		for (end = i; end < n && key_of(bounds[end], shift) == key; )
			end++;
		/* 0 has the key of the least numbers. */
		count = end - i + (key == 0 ? zeros : 0);
		/* A duration may enter one cell too early and has one comparison more. */
		near = near_start(bounds, i, end, key, shift);
		if (key == last_key + 1 && before + near > most + 1)
			most = before + near - 1;
		if (count > most)
			most = count;
		before = count;
		last_key = key;
	}
	b->compares = most;
}

static void plan_best(struct sm_buckets_ *b, const double *bounds)
{
	struct sm_buckets_ best, try = *b;
	uint32_t positive = 0;
	unsigned mantissa;

	while (positive < b->nbounds && !(bounds[positive] > 0))
		positive++;
	if (positive == b->nbounds) {
		/* One cell; of the bounds that are not positive at most 0 is in it. */
		b->shift = MANTISSA_BITS;
		b->compares = 1;
		return;
	}
	plan(&try, bounds, positive, 0);
	best = try;
	for (mantissa = 1; mantissa <= GUIDE_MANTISSA_MAX; mantissa++) {
		plan(&try, bounds, positive, mantissa);
		if (try.key_max < GUIDE_MAX && try.compares < best.compares)
			best = try;
	}
	*b = best;
}

static void fill_guide(const struct sm_buckets_ *b, const double *bounds, uint16_t *guide)
{
	uint32_t below = 0;
	int64_t cell;
	double start;

	for (cell = 0; cell <= b->key_max; cell++) {
		start = cell ? start_of(b->key_min + cell, b->shift) : 0;
		while (below < b->nbounds && bounds[below] < start)
			below++;
		guide[cell] = (uint16_t)below;
	}
}

int buckets_new(const struct family_def *def, struct buckets **ret)
{
	bool plain = !(def->flags & (SM_FF_SIGNED | SM_FF_SUM_DOUBLE));
	bool timed = plain && def->unit && !strcmp(def->unit, SM_SECONDS) && def->sum_decimals == 9;
	bool grid = def->flags & SM_FF_FINE_GRID;
	double united[SM_MAX_BUCKETS], *bounds;
	struct sm_buckets_ pub = { 0 };
	struct buckets *b;
	uint64_t *bounds_ns;
	uint16_t *guide;
	uint32_t n, i;

	n = sm_bounds_unite(def->bounds, def->nbounds, grid, def->grid_lo, def->grid_hi, united,
			    SM_MAX_BUCKETS - 1);
	if (n == 0 && (def->nbounds || grid))
		return -EINVAL;
	pub.nbounds = n;
	pub.sum = n + 1;
	pub.sum_where = (sm_where_)pub.sum << 35;
	pub.scale = power_of_ten(def->sum_decimals);
	pub.limit_bits = plain ? double_bits(UNITS_LIMIT / pub.scale) : 0;
	plan_best(&pub, united);

	b = calloc(1, sizeof(*b) + 2 * (n + 1) * sizeof(uint64_t) +
		   (size_t)(pub.key_max + 1) * sizeof(*guide));
	if (!b)
		return -ENOMEM;
	bounds = (double *)(void *)(b + 1);
	bounds_ns = (uint64_t *)(void *)(bounds + n + 1);
	guide = (uint16_t *)(void *)(bounds_ns + n + 1);
	for (i = 0; i < n; i++) {
		bounds[i] = united[i];
		bounds_ns[i] = sm_bound_ns(united[i]);
	}
	bounds[n] = INFINITY;
	bounds_ns[n] = UINT64_MAX;
	fill_guide(&pub, bounds, guide);
	pub.bounds = bounds;
	pub.bounds_ns = timed ? bounds_ns : NULL;
	pub.guide = guide;
	b->pub = pub;
	*ret = b;
	return 0;
}

void buckets_free(struct buckets *b)
{
	free(b);
}

uint32_t buckets_find(const struct sm_buckets_ *b, double v)
{
	uint32_t low = 0, high = b->nbounds, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (b->bounds[middle] < v)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
