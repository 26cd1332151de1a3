/* SPDX-License-Identifier: Apache-2.0 */
/* test_bounds.c - the fine grid, its union with classic bounds, and bounds in nanoseconds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bounds.h"
#include "layout.h"

static void grid__is_exact_powers_and_ascends(void **state)
{
	long double exact;
	double v;
	int k;

	for (k = -400; k <= 400; k++) {
		v = sm_grid_bound(k);
		exact = powl(2, (long double)k / 8);
		/* The nearest double: no neighbour is nearer. (Where long double is no longer,
		 * as near as it gets.) */
		assert_true(fabsl(v - exact) <= fabsl(nextafter(v, 0) - exact) * 1.0000001L);
		assert_true(fabsl(v - exact) <= fabsl(nextafter(v, INFINITY) - exact) * 1.0000001L);
		assert_true(sm_grid_bound(k + 1) > v);
		assert_true(sm_grid_bound(k + 8) == 2 * v);
	}
	assert_true(sm_grid_bound(0) == 1 && sm_grid_bound(8) == 2 && sm_grid_bound(-8) == .5);
	/* As Prometheus prints those of schema 3. */
	assert_true(
		sm_grid_bound(1) == 1.0905077326652577 && sm_grid_bound(7) == 1.8340080864093424);
}

static void union__of_bounds_and_grid__is_ascending_without_twins(void **state)
{
	static const double classic[] = { 0, 1e-9, .5, .7, 1, 1024, 5000 };
	double united[SM_MAX_BUCKETS];
	unsigned n = sm_bounds_unite(classic, 7, 1, -20, 10, united, SM_MAX_BUCKETS), i, k;

	/* 241 of the grid; .5, 1 and 1024 are there already. */
	assert_int_equal(n, 241 + 4);
	for (i = 1; i < n; i++)
		assert_true(united[i] > united[i - 1]);
	for (k = 0; k < 7; k++) {
		for (i = 0; i < n && united[i] != classic[k]; i++)
			;
		assert_true(i < n);
	}
	for (k = 0; k < 241; k++) {
		for (i = 0; i < n && united[i] != sm_grid_bound((int)k - 160); i++)
			;
		assert_true(i < n);
	}
}

static void union__without_grid__is_the_bounds(void **state)
{
	static const double classic[] = { -3, 0, 2.5 };
	double united[8];
	unsigned n = sm_bounds_unite(classic, 3, 0, 0, 0, united, 8), i;

	assert_int_equal(n, 3);
	for (i = 0; i < 3; i++)
		assert_true(united[i] == classic[i]);
	assert_int_equal(sm_bounds_unite(NULL, 0, 0, 0, 0, united, 8), 0);
}

static void union__of_a_grid_alone__is_the_grid(void **state)
{
	double united[300];
	unsigned n = sm_bounds_unite(NULL, 0, 1, 0, 30, united, 300), i;

	assert_int_equal(n, 241);
	for (i = 0; i < n; i++)
		assert_true(united[i] == sm_grid_bound((int)i));
}

static void union__that_is_too_long__is_an_error(void **state)
{
	double classic[10], united[16];
	unsigned i;

	for (i = 0; i < 10; i++)
		classic[i] = i + .25;
	assert_int_equal(sm_bounds_unite(classic, 10, 0, 0, 0, united, 10), 10);
	assert_int_equal(sm_bounds_unite(classic, 10, 0, 0, 0, united, 9), 0);
	assert_int_equal(sm_bounds_unite(classic, 10, 1, 0, 1, united, 16), 0);
}

/* ns <= sm_bound_ns(b) exactly if ns / 1e9, correctly rounded, <= b. */
static void ns__of_a_bound__is_the_last_that_belongs(void **state)
{
	static const double seconds[] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 1e-9,
		3.3e-9, .3, 86400, 1e6, 4e9 };
	unsigned i;
	uint64_t ns;
	int k;

	for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		ns = sm_bound_ns(seconds[i]);
		assert_true((double)ns / 1e9 <= seconds[i]);
		assert_true((double)(ns + 1) / 1e9 > seconds[i]);
	}
	for (k = -160; k <= 80; k++) {
		ns = sm_bound_ns(sm_grid_bound(k));
		assert_true((double)ns / 1e9 <= sm_grid_bound(k));
		assert_true((double)(ns + 1) / 1e9 > sm_grid_bound(k));
	}
	assert_true(sm_bound_ns(.0025) == 2500000 && sm_bound_ns(10) == UINT64_C(10000000000));
	assert_true(sm_bound_ns(0) == 0 && sm_bound_ns(-1) == 0 && sm_bound_ns(NAN) == 0);
	assert_true(sm_bound_ns(1e300) == UINT64_C(1) << 62 &&
		    sm_bound_ns(INFINITY) == UINT64_C(1) << 62);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grid__is_exact_powers_and_ascends),
		cmocka_unit_test(union__of_bounds_and_grid__is_ascending_without_twins),
		cmocka_unit_test(union__without_grid__is_the_bounds),
		cmocka_unit_test(union__of_a_grid_alone__is_the_grid),
		cmocka_unit_test(union__that_is_too_long__is_an_error),
		cmocka_unit_test(ns__of_a_bound__is_the_last_that_belongs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
