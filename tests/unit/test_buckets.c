/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_buckets.c - the histogram index against linear search. What is tested is the inline code
 * of shardmeter.h itself: this file's word leads to a lane in ordinary memory.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bounds.h"
#include "metric.h"

#define ULP_BOUNDS 200

static uint64_t lane[SM_MAX_BUCKETS + 16];

static struct family_def def;

static struct buckets *make(const double *bounds, unsigned n, bool grid)
{
	struct buckets *b;

	memset(&def, 0, sizeof(def));
	def.kind = SM_HISTOGRAM;
	def.unit = SM_SECONDS;
	def.sum_decimals = 9;
	memcpy(def.bounds, bounds, n * sizeof(*bounds));
	def.nbounds = n;
	def.flags = grid ? SM_FF_FINE_GRID : 0;
	def.grid_lo = -20;
	def.grid_hi = 10;
	assert_int_equal(buckets_new(&def, &b), 0);
	assert_true(b->cells <= 16384);
	assert_int_equal(b->pub.sum, b->pub.nbounds + 1);
	assert_true(isinf(b->pub.bounds[b->pub.nbounds]));
	return b;
}

static uint32_t linear(const struct buckets *b, double v)
{
	uint32_t i = 0;

	while (i < b->pub.nbounds && v > b->pub.bounds[i])
		i++;
	return i;
}

/* The bucket that the inline code took: lane cell 8 + bucket. Cleared again. */
static void assert_counted(const struct buckets *b, uint32_t bucket, double v)
{
	uint64_t *cells = lane + 8;

	if (cells[bucket] != 1) {
		memset(lane, 0, sizeof(lane));
		fail_msg("%a is not in bucket %u (bounds %a and %a)", v, bucket,
			 bucket ? b->pub.bounds[bucket - 1] : 0, b->pub.bounds[bucket]);
	}
	cells[bucket] = 0;
	cells[b->pub.sum] = 0;
}

static struct sm_histogram histogram_on(const struct buckets *b)
{
	const uint64_t key = UINT64_C(1) << 48;

	sm_lane_ = key - (uintptr_t)lane;
	return (struct sm_histogram){ key | 8 * sizeof(lane[0]), &b->pub };
}

static void check(const struct buckets *b, double v)
{
	struct sm_histogram h = histogram_on(b);

	if (!(v >= 0) || signbit(v) || double_bits(v) >= b->pub.limit_bits)
		return;
	sm_histogram_observe(&h, v);
	assert_counted(b, linear(b, v), v);
	assert_int_equal(buckets_find(&b->pub, v), linear(b, v));
}

static void check_ns(const struct buckets *b, uint64_t ns)
{
	struct sm_histogram h = histogram_on(b);
	double v = (double)ns / 1e9;

	if (ns >= b->pub.limit_ns)
		return;
	sm_histogram_observe_ns(&h, ns);
	assert_counted(b, linear(b, v), v);
}

/* Every bound, its neighbours, whole ns around it, the limits. */
static void check_all(const struct buckets *b)
{
	uint32_t i;
	int k;

	check(b, 0);
	check(b, 0x1p-1074);
	check(b, bits_double(b->pub.limit_bits - 1));
	check_ns(b, 0);
	check_ns(b, 1);
	check_ns(b, SM_NS_LIMIT_ - 1);
	for (i = 0; i < b->pub.nbounds; i++) {
		double v = b->pub.bounds[i];

		check(b, nextafter(v, -INFINITY));
		check(b, v);
		check(b, nextafter(v, INFINITY));
		for (k = -3; k <= 3; k++)
			check_ns(b, b->pub.bounds_ns[i] + (uint64_t)(int64_t)k);
	}
}

static void check_set(const double *bounds, unsigned n, bool grid)
{
	struct buckets *b = make(bounds, n, grid);

	check_all(b);
	buckets_free(b);
}

static const double seconds[] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 };

static void value__at_a_bound_and_beside_it__falls_into_its_bucket(void **state)
{
	static const double zero[] = { 0 }, nano[] = { 1e-9 }, huge[] = { 1e12 },
			    tiny[] = { 0x1p-1074 };
	static const double wide[] = { 0, 0x1p-1074, 0x1p-1030, 1e-300, 1e-9, .5, 1, 1e12, 1e300 };
	static const double negative[] = { -5, -1, 0, 1 }, century[] = { 4.6e9, 4.61e9 };
	double many[SM_MAX_BOUNDS];
	unsigned i;

	check_set(seconds, 11, false);
	check_set(seconds, 11, true);
	check_set(zero, 1, false);
	check_set(zero, 1, true);
	check_set(nano, 1, false);
	check_set(nano, 1, true);
	check_set(huge, 1, true);
	check_set(tiny, 1, true);
	check_set(wide, 9, false);
	check_set(wide, 9, true);
	check_set(negative, 4, false);
	check_set(century, 2, false);
	for (i = 0; i < SM_MAX_BOUNDS; i++)
		many[i] = .001 * (i + 1);
	check_set(many, SM_MAX_BOUNDS, false);
	check_set(many, SM_MAX_BOUNDS, true);
}

static void value__with_bounds_beside_the_grid__falls_into_its_bucket(void **state)
{
	double beside[SM_MAX_BOUNDS], g;
	unsigned n = 0;
	int k;

	for (k = -160; k <= 80 && n + 2 <= SM_MAX_BOUNDS; k += 2) {
		g = sm_grid_bound(k);
		beside[n++] = nextafter(g, 0);
		beside[n++] = nextafter(g, INFINITY);
	}
	check_set(beside, n, true);
	check_set(beside, n, false);
}

/* Bounds one ulp apart, on both sides of the start of a guide cell. */
static void value__with_bounds_one_ulp_apart__falls_into_its_bucket(void **state)
{
	static const double starts[] = { 0x1p-1022, 0x1p-20, 1, 1.03125, 0x1p17, 0x1p20 };
	double bounds[ULP_BOUNDS];
	unsigned s, i;

	for (s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		bounds[ULP_BOUNDS / 2] = starts[s];
		for (i = ULP_BOUNDS / 2; i > 0; i--)
			bounds[i - 1] = nextafter(bounds[i], 0);
		for (i = ULP_BOUNDS / 2; i + 1 < ULP_BOUNDS; i++)
			bounds[i + 1] = nextafter(bounds[i], INFINITY);
		check_set(bounds, ULP_BOUNDS, false);
		check_set(bounds, ULP_BOUNDS, true);
	}
}

static int compare_doubles(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static double random_double(unsigned *seed, int lo, int hi)
{
	double mantissa = 1 + rand_r(seed) / (double)RAND_MAX;

	return ldexp(mantissa, lo + rand_r(seed) % (hi - lo + 1));
}

static void value__with_random_bounds__falls_into_its_bucket(void **state)
{
	double bounds[64];
	struct buckets *b;
	unsigned seed = 7, round, n, i, out, k;
	int lo, hi;

	for (round = 0; round < 300; round++) {
		n = 1 + (unsigned)rand_r(&seed) % 64;
		lo = rand_r(&seed) % 40 - 30;
		hi = lo + rand_r(&seed) % 30;
		for (i = 0; i < n; i++)
			bounds[i] = random_double(&seed, lo, hi);
		qsort(bounds, n, sizeof(*bounds), compare_doubles);
		for (i = out = 1; i < n; i++)
			if (bounds[i] > bounds[out - 1])
				bounds[out++] = bounds[i];
		b = make(bounds, out, round % 2);
		check_all(b);
		for (k = 0; k < 500; k++) {
			check(b, random_double(&seed, lo - 2, hi + 2));
			check_ns(b, (uint64_t)(random_double(&seed, lo - 2, hi + 2) * 1e9));
		}
		buckets_free(b);
	}
}

/* All whole microseconds to 20 s: what people measure, and where ns * 1e-9 fails. */
static void duration__in_whole_microseconds__falls_as_the_quotient_does(void **state)
{
	struct buckets *b = make(seconds, 11, true);
	struct sm_histogram h = histogram_on(b);
	uint64_t ns, *cells = lane + 8;
	uint32_t bucket = 0, i;

	for (ns = 0; ns <= UINT64_C(20000000000); ns += 1000) {
		while ((double)ns / 1e9 > b->pub.bounds[bucket])
			bucket++;
		sm_histogram_observe_ns(&h, ns);
		if (cells[bucket] != 1)
			fail_msg("%llu ns is not in bucket %u", (unsigned long long)ns, bucket);
		cells[bucket] = 0;
	}
	for (i = 0; i <= b->pub.nbounds; i++)
		assert_int_equal(cells[i], 0);
	cells[b->pub.sum] = 0;
	buckets_free(b);
}

static void index__of_default_bounds__is_small(void **state)
{
	struct buckets *b = make(seconds, 11, false);

	assert_int_equal(b->pub.extra, 0);
	assert_int_equal(b->pub.extra_ns, 0);
	assert_true(b->cells < 64);
	buckets_free(b);
	b = make(seconds, 11, true);
	assert_int_equal(b->pub.nbounds, 241 + 11 - 3);	/* .25, .5 and 1 are in both */
	assert_int_equal(b->pub.extra, 0);
	assert_int_equal(b->pub.extra_ns, 0);
	assert_true(b->cells <= 1024);
	buckets_free(b);
}

static void index__by_kind__sends_to_the_slow_path_what_is_not_plain(void **state)
{
	struct buckets *b = make(seconds, 11, false);

	assert_int_equal(b->pub.limit_bits, double_bits(0x1p62 / 1e9));
	assert_non_null(b->pub.bounds_ns);
	buckets_free(b);

	def.flags = SM_FF_SIGNED | SM_FF_SUM_DOUBLE;
	assert_int_equal(buckets_new(&def, &b), 0);
	assert_int_equal(b->pub.limit_bits, 0);
	assert_null(b->pub.bounds_ns);
	buckets_free(b);

	def.flags = 0;
	def.unit = SM_BYTES;
	def.sum_decimals = 0;
	assert_int_equal(buckets_new(&def, &b), 0);
	assert_int_equal(b->pub.limit_bits, double_bits(0x1p62));
	assert_null(b->pub.bounds_ns);
	buckets_free(b);

	def.unit = SM_SECONDS;
	def.sum_decimals = 6;
	assert_int_equal(buckets_new(&def, &b), 0);
	assert_null(b->pub.bounds_ns);
	buckets_free(b);
	assert_int_equal(sm_null_buckets.limit_bits, 0);
}

static void index__of_no_bounds__has_one_bucket(void **state)
{
	struct buckets *b = make(seconds, 0, false);

	assert_int_equal(b->pub.nbounds, 0);
	check(b, 0);
	check(b, 1);
	check_ns(b, 1);
	buckets_free(b);
	buckets_free(NULL);
}

static void index__of_too_many_bounds__is_refused(void **state)
{
	struct buckets *b = make(seconds, 11, true);

	buckets_free(b);
	def.grid_lo = -100;
	def.grid_hi = 100;
	assert_int_equal(buckets_new(&def, &b), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value__at_a_bound_and_beside_it__falls_into_its_bucket),
		cmocka_unit_test(value__with_bounds_beside_the_grid__falls_into_its_bucket),
		cmocka_unit_test(value__with_bounds_one_ulp_apart__falls_into_its_bucket),
		cmocka_unit_test(value__with_random_bounds__falls_into_its_bucket),
		cmocka_unit_test(duration__in_whole_microseconds__falls_as_the_quotient_does),
		cmocka_unit_test(index__of_default_bounds__is_small),
		cmocka_unit_test(index__by_kind__sends_to_the_slow_path_what_is_not_plain),
		cmocka_unit_test(index__of_no_bounds__has_one_bucket),
		cmocka_unit_test(index__of_too_many_bounds__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
