/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buckets.c - the index of a histogram: from a value to the first bound that is >= it.
 *
 * The bits of a non-negative double, read as an integer, ascend with its value. Their upper part,
 * exponent and a few mantissa bits, is the key of a guide cell; guide[cell] counts the bounds
 * below the cell's lowest value. What is left are the bounds inside the cell: with two of them
 * the index is the guide's number and two comparisons, made side by side; each further one is a
 * comparison after those.
 *
 *      key_min
 *      | cell 0: all below |  one cell per key  ...  to the largest value that is accepted |
 *
 * Cell 0 ends before the smallest positive bound, so at most a bound of 0 is inside it.
 *
 * The number of mantissa bits is the smallest that leaves two bounds to a cell, or the fewest
 * beyond: tables stay as small as they can, for the sake of the cache.
 *
 * Durations in whole ns have a guide of their own, whose cells are cut by the integer's leading
 * bits. There the guide and the comparisons are one addition, see struct sm_buckets_: a timer that
 * reads the clock right after is not slowed down by the work but by how long one step waits for the
 * one before, since reading the time-stamp counter waits for all (measured: 6 ns shorter than by
 * the doubles). What decides is bounds_ns, made so that ns falls as the quotient ns / 1e9 does.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bounds.h"
#include "metric.h"

#define GUIDE_MAX 16384		/* cells */
#define MANTISSA_BITS 52
#define GUIDE_MANTISSA_MAX 5	/* bits */
#define COMPARES 2		/* made in any case */
#define NS_BASE_BIT 8u
#define NS_FIRST_CELL ((NS_BASE_BIT + 1) << SM_NS_BITS_)
#define NS_PART (SM_NS_LIMIT_ - 1)	/* of a word of guide_ns: the rest is a number of bounds */

/* What the plans of both guides need. */
struct outline {
	const double *bounds;
	const uint64_t *bounds_ns;
	uint32_t n;
	uint32_t positive;	/* number of the first bound > 0 */
	uint32_t cells;		/* of the guide for values */
};

static const double null_bounds[COMPARES] = { INFINITY, INFINITY };
static const uint16_t null_guide[1] = { 0 };

/* Both limits are 0: every value takes the slow path. */
const struct sm_buckets_ sm_null_buckets = {
	.shift = MANTISSA_BITS + 11,
	.scale = 1,
	.bounds = null_bounds,
	.guide = null_guide,
};

static int64_t key_of(double v, unsigned shift)
{
	return (int64_t)(double_bits(v) >> shift);
}

/* Most bounds in one cell, with this many mantissa bits. */
static uint32_t fullest_cell(const struct outline *o, unsigned mantissa)
{
	unsigned shift = MANTISSA_BITS - mantissa;
	uint32_t i, end, count, most = 0;
	int64_t key;

	for (i = o->positive; i < o->n; i = end) {
		key = key_of(o->bounds[i], shift);
		for (end = i; end < o->n && key_of(o->bounds[end], shift) == key; )
			end++;
		/* 0 has the key of the least numbers. */
		count = end - i + (key == 0 && i && o->bounds[i - 1] == 0);
		if (count > most)
			most = count;
	}
	return most;
}

static void plan_guide(struct sm_buckets_ *b, struct outline *o)
{
	double limit = UNITS_LIMIT / b->scale;
	uint32_t most, best = UINT32_MAX;
	unsigned mantissa;
	int64_t min, cells;

	for (mantissa = 0; mantissa <= GUIDE_MANTISSA_MAX; mantissa++) {
		min = key_of(o->bounds[o->positive], MANTISSA_BITS - mantissa) - 1;
		/* The limit's own cell, too: a quotient may be rounded up to it. */
		cells = key_of(limit, MANTISSA_BITS - mantissa) - min + 1;
		most = fullest_cell(o, mantissa);
		if (most < COMPARES)
			most = COMPARES;
		if (most >= best || (mantissa && cells > GUIDE_MAX))
			continue;
		best = most;
		b->shift = (uint8_t)(MANTISSA_BITS - mantissa);
		b->key_min = min;
		b->extra = (uint16_t)(most - COMPARES);
		o->cells = cells > 1 ? (uint32_t)cells : 1;
	}
}

static void fill_guide(const struct sm_buckets_ *b, const struct outline *o, uint16_t *guide)
{
	uint32_t below = 0, cell;
	double start;

	for (cell = 0; cell < o->cells; cell++) {
		start = cell ? bits_double((uint64_t)(b->key_min + cell) << b->shift) : 0;
		while (below < o->n && o->bounds[below] < start)
			below++;
		guide[cell] = (uint16_t)below;
	}
}

/* A duration below SM_NS_LIMIT_ added to this goes beyond 2^52 if it is above the bound. */
static uint64_t carrying(const struct outline *o, uint32_t bound)
{
	if (bound >= o->n || o->bounds_ns[bound] > NS_PART)
		return 0;
	return NS_PART - o->bounds_ns[bound];
}

/* Fill both parts of the guide for durations; returns the most bounds in one cell. */
static uint32_t fill_guide_ns(const struct outline *o, uint64_t *guide_ns)
{
	uint32_t below = 0, in_cell, most = 0, cell;
	uint64_t start, end, width;
	unsigned high;

	_Static_assert(SM_NS_BASE_ >> NS_BASE_BIT == 1, "the cell of a duration of 0");
	_Static_assert((52u + 1) << SM_NS_BITS_ < SM_NS_CELLS_, "the cell of the longest duration");
	/* No duration is below a negative bound: those have no ns. */
	while (below < o->n && o->bounds[below] < 0)
		below++;
	for (cell = NS_FIRST_CELL; cell < SM_NS_CELLS_; cell++) {
		/* Upper part of its number: the highest bit + 1; lower one: the bits after it. */
		high = (cell >> SM_NS_BITS_) - 1;
		width = UINT64_C(1) << (high - SM_NS_BITS_);
		start = (cell - (high << SM_NS_BITS_)) * width - SM_NS_BASE_;
		end = start + width;
		while (below < o->n && o->bounds_ns[below] < start)
			below++;
		for (in_cell = 0; below + in_cell < o->n && o->bounds_ns[below + in_cell] < end; )
			in_cell++;
		guide_ns[cell] = ((uint64_t)below << 52) + carrying(o, below);
		guide_ns[cell + SM_NS_CELLS_] = carrying(o, below + 1);
		if (in_cell > most)
			most = in_cell;
	}
	return most;
}

/* The struct with all its tables behind it, filled in. */
static struct buckets *create(const struct sm_buckets_ *pub, const struct outline *o)
{
	size_t ns_words = pub->limit_ns ? o->n + 1 + (size_t)2 * SM_NS_CELLS_ : 0;
	size_t words = o->n + COMPARES + ns_words;
	struct buckets *b = calloc(1, sizeof(*b) + words * sizeof(uint64_t) +
					      o->cells * sizeof(uint16_t));
	uint64_t *bounds_ns, *guide_ns;
	uint32_t in_cell, i;
	uint16_t *guide;
	double *bounds;

	if (!b)
		return NULL;
	b->pub = *pub;
	b->cells = o->cells;
	bounds = (double *)(void *)(b + 1);
	memcpy(bounds, o->bounds, o->n * sizeof(*bounds));
	for (i = 0; i < COMPARES; i++)
		bounds[o->n + i] = INFINITY;
	b->pub.bounds = bounds;
	bounds_ns = (uint64_t *)(void *)(bounds + o->n + COMPARES);
	if (pub->limit_ns) {
		memcpy(bounds_ns, o->bounds_ns, o->n * sizeof(*bounds_ns));
		bounds_ns[o->n] = UINT64_MAX;
		guide_ns = bounds_ns + o->n + 1;
		in_cell = fill_guide_ns(o, guide_ns);
		b->pub.extra_ns = (uint16_t)(in_cell > COMPARES ? in_cell - COMPARES : 0);
		b->pub.bounds_ns = bounds_ns;
		b->pub.guide_ns = guide_ns;
	}
	guide = (uint16_t *)(void *)(bounds_ns + ns_words);
	fill_guide(pub, o, guide);
	b->pub.guide = guide;
	return b;
}

int buckets_new(const struct family_def *def, struct buckets **ret)
{
	bool plain = !(def->flags & (SM_FF_SIGNED | SM_FF_SUM_DOUBLE));
	bool timed = plain && def->unit && !strcmp(def->unit, SM_SECONDS) && def->sum_decimals == 9;
	bool grid = def->flags & SM_FF_FINE_GRID;
	double united[SM_MAX_BUCKETS];
	uint64_t united_ns[SM_MAX_BUCKETS];
	struct sm_buckets_ pub = { 0 };
	struct outline o = { .bounds = united, .bounds_ns = united_ns, .cells = 1 };
	uint32_t i;

	o.n = sm_bounds_unite(def->bounds, def->nbounds, grid, def->grid_lo, def->grid_hi, united,
			      SM_MAX_BUCKETS - 1);
	if (o.n == 0 && (def->nbounds || grid))
		return -EINVAL;
	for (i = 0; i < o.n; i++) {
		united[i] += 0.0;	/* no -0: bits are compared */
		united_ns[i] = sm_bound_ns(united[i]);
	}
	while (o.positive < o.n && !(united[o.positive] > 0))
		o.positive++;
	pub.nbounds = o.n;
	pub.sum = (uint16_t)(o.n + 1);
	pub.scale = power_of_ten(def->sum_decimals);
	pub.limit_bits = plain ? double_bits(UNITS_LIMIT / pub.scale) : 0;
	pub.limit_ns = timed ? SM_NS_LIMIT_ : 0;
	/* Of bounds that are not positive, 0 at most is to be found: one cell. */
	pub.shift = MANTISSA_BITS + 11;
	if (o.positive < o.n)
		plan_guide(&pub, &o);
	*ret = create(&pub, &o);
	return *ret ? 0 : -ENOMEM;
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
