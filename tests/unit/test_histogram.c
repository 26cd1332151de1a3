/* SPDX-License-Identifier: Apache-2.0 */
/* test_histogram.c - observations, beside the inline path; what is refused; sums. */
#include <float.h>
#include <math.h>
#include <pthread.h>

#include "segment.h"

static const double bounds[] = { -1, 0, .5, 2 };

static struct sm_histogram *histogram(const char *name, const char *unit, int is_signed)
{
	return sm_histogram(declare(&(struct sm_family_options){ .kind = SM_HISTOGRAM,
				    .name = name,
				    .unit = unit,
				    .bounds = bounds + (is_signed ? 0 : 2),
				    .nbounds = is_signed ? 4 : 2,
				    .is_signed = is_signed,
				    .grid = SM_GRID_OFF }),
		SM_NO_LABELS);
}

static void assert_buckets(const struct sm_histogram *h, const uint64_t *expected, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (cell_sum(h, i) != expected[i])
			fail_msg("bucket %u holds %llu, not %llu", i,
				(unsigned long long)cell_sum(h, i),
				(unsigned long long)expected[i]);
}

static double double_sum(const struct sm_histogram *h)
{
	double sum = 0;
	unsigned l;

	for (l = 0; l < 4; l++)
		sum += bits_double(*lane_word(h, l, h->buckets->sum));
	return sum;
}

static void histogram__observed_in_every_way__is_exact(void **state)
{
	struct sm_histogram *h = histogram("h_seconds", SM_SECONDS, 0);

	sm_histogram_observe(h, .25);
	sm_histogram_observe_fn(h, .5);
	sm_histogram_observe_slow_(h, 1);
	sm_histogram_observe_signal(h, 3);
	sm_histogram_observe_ns(h, 500000000);
	sm_histogram_observe_ns_fn(h, 500000001);
	sm_histogram_observe_ns_slow_(h, 2000000001);
	sm_histogram_observe_ms(h, 250);
	assert_buckets(h, (const uint64_t[]){ 4, 2, 2, UINT64_C(8000000002) }, 4);
	assert_int_equal(*lane_word(h, 0, 2), 1);	/* the shared lane has the signal's */
	assert_int_equal(*lane_word(h, 0, 3), UINT64_C(3000000000));
}

static void value__that_has_no_bucket__is_refused(void **state)
{
	static const double bad[] = { -1, -DBL_TRUE_MIN, NAN, -NAN, INFINITY, -INFINITY, DBL_MAX };
	struct sm_histogram *h = histogram("h_seconds", SM_SECONDS, 0);
	unsigned i;

	for (i = 0; i < 7; i++) {
		sm_histogram_observe(h, bad[i]);
		sm_histogram_observe_signal(h, bad[i]);
	}
	assert_int_equal(refused(SM_REFUSED_VALUE), 14);
	sm_histogram_observe_ns(h, UINT64_C(1) << 62);
	sm_histogram_observe_ns(h, UINT64_MAX);
	assert_int_equal(refused(SM_REFUSED_VALUE), 16);
	assert_buckets(h, (const uint64_t[]){ 0, 0, 0, 0 }, 4);
	sm_histogram_observe(h, -0.0);
	sm_histogram_observe(h, 0);
	assert_buckets(h, (const uint64_t[]){ 2, 0, 0, 0 }, 4);
}

static void sum__at_its_limit__is_refused_from_there(void **state)
{
	struct sm_histogram *s = histogram("h_seconds", SM_SECONDS, 0);
	struct sm_histogram *b = histogram("h_bytes", SM_BYTES, 0);
	struct sm_histogram *o = histogram("h", NULL, 0);
	double limit = 0x1p62 / 1e9, last = nextafter(limit, 0);

	sm_histogram_observe(s, limit);
	sm_histogram_observe(b, 0x1p62);
	sm_histogram_observe(o, 0x1p62 / 1e6);
	assert_int_equal(refused(SM_REFUSED_VALUE), 3);
	sm_histogram_observe(s, last);
	sm_histogram_observe_slow_(s, last);
	assert_int_equal(cell_sum(s, 2), 2);
	assert_int_equal(cell_sum(s, 3), 2 * (uint64_t)(last * 1e9));
	sm_histogram_observe_ns(b, 5000000000);		/* not of seconds: the quotient */
	sm_histogram_observe_bytes(b, UINT64_C(1) << 61);
	assert_int_equal(cell_sum(b, 2), 2);
	assert_int_equal(cell_sum(b, 3), (UINT64_C(1) << 61) + 5);
	sm_histogram_observe(o, 1.2345675);
	assert_int_equal(cell_sum(o, 3), 1234568);
	assert_int_equal(refused(SM_REFUSED_VALUE), 3);
}

static void histogram__that_is_signed__takes_negative_values(void **state)
{
	struct sm_histogram *h = histogram("s", NULL, 1);

	sm_histogram_observe(h, -5);
	sm_histogram_observe(h, -1);
	sm_histogram_observe_fn(h, nextafter(-1, 0));
	sm_histogram_observe(h, -0.0);
	sm_histogram_observe_signal(h, .25);
	sm_histogram_observe(h, 100);
	assert_buckets(h, (const uint64_t[]){ 2, 2, 1, 0, 1 }, 5);
	assert_true(fabs(double_sum(h) - (-5 - 1 - 1 + .25 + 100)) < 1e-9);
	sm_histogram_observe(h, NAN);
	sm_histogram_observe(h, INFINITY);
	sm_histogram_observe(h, -INFINITY);
	sm_histogram_observe(h, -0x1p62);
	assert_int_equal(refused(SM_REFUSED_VALUE), 4);
	assert_buckets(h, (const uint64_t[]){ 2, 2, 1, 0, 1 }, 5);
}

static void histogram__with_the_grid__counts_fine(void **state)
{
	struct sm_histogram *h = sm_histogram(declare(&(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "g_seconds", .unit = SM_SECONDS }), SM_NO_LABELS);
	uint64_t ns, n = 0;
	uint32_t i, at;

	/* Beyond what the inline path takes, too. */
	for (ns = 1; ns < UINT64_C(1) << 62; ns += ns / 4 + 1, n++) {
		at = 0;
		while (at < h->buckets->nbounds && (double)ns / 1e9 > h->buckets->bounds[at])
			at++;
		i = (uint32_t)cell_sum(h, at);
		sm_histogram_observe_ns(h, ns);
		assert_int_equal(cell_sum(h, at), i + 1);
	}
	for (i = 0, at = 0; i <= h->buckets->nbounds; i++)
		at += (uint32_t)cell_sum(h, i);
	assert_int_equal(at, n);
}

#define OBSERVATIONS 20000

static void *observe_many(void *arg)
{
	struct sm_histogram **h = arg;
	unsigned i;

	for (i = 0; i < OBSERVATIONS; i++) {
		sm_histogram_observe_ns(h[0], 1000 + i % 2 * UINT64_C(1000000000));
		sm_histogram_observe(h[1], i % 2 ? 1 : -2);
	}
	return NULL;
}

static void histogram__of_more_threads_than_lanes__is_exact(void **state)
{
	struct sm_histogram *h[2] = { histogram("h_seconds", SM_SECONDS, 0),
		histogram("s", NULL, 1) };
	const uint64_t half = 8 * OBSERVATIONS / 2;
	pthread_t t[8];
	unsigned i;

	for (i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&t[i], NULL, observe_many, h), 0);
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	assert_buckets(h[0],
		(const uint64_t[]){ half, half, 0, half * 1000 + half * UINT64_C(1000001000) }, 4);
	assert_buckets(h[1], (const uint64_t[]){ half, 0, 0, half, 0 }, 5);
	assert_true(double_sum(h[1]) == -(double)half);
}

static void histogram__that_is_null__counts_nowhere(void **state)
{
	struct sm_histogram *h = sm_histogram(&sm_null_family, SM_NO_LABELS);

	sm_histogram_observe(h, 1);
	sm_histogram_observe(h, NAN);
	sm_histogram_observe_fn(h, 1);
	sm_histogram_observe_ns(h, 1);
	sm_histogram_observe_ns(h, UINT64_MAX);
	sm_histogram_observe_ns_fn(h, 1);
	sm_histogram_observe_signal(h, -1);
	assert_int_equal(refused(SM_REFUSED_VALUE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(histogram__observed_in_every_way__is_exact),
		segment_test(value__that_has_no_bucket__is_refused),
		segment_test(sum__at_its_limit__is_refused_from_there),
		segment_test(histogram__that_is_signed__takes_negative_values),
		segment_test(histogram__with_the_grid__counts_fine),
		segment_test(histogram__of_more_threads_than_lanes__is_exact),
		segment_test(histogram__that_is_null__counts_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
