/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_snapshot_number -Wl,--wrap=sm_snapshot_buckets -Wl,--wrap=sm_snapshot_classic
/* view.c: the snapshots of several files of one segment as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "exporter/view.h"
#include "tests/unit/fake_snapshot.h"

static struct fake newer, older;
static struct view view;

static int setup(void **state)
{
	fake_init(&newer, 2);
	fake_init(&older, 1);
	return 0;
}

static void look(void)
{
	const struct sm_snapshot *snapshots[] = { &newer.s, &older.s };

	assert_int_equal(view_init(&view, snapshots, 2), 0);
}

static struct sm_value number(const char *name, const char *label)
{
	struct sm_value v;
	size_t f, s;

	for (f = 0; f < view.nfamilies; f++)
		for (s = 0; s < view.families[f].nseries; s++)
			if (strcmp(view.families[f].info->name, name) == 0 &&
			    strcmp(view.families[f].series[s].info->values[0].ptr, label) == 0) {
				assert_int_equal(view_number(&view, &view.families[f],
					&view.families[f].series[s], &v), 0);
				return v;
			}
	fail_msg("no series %s %s", name, label);
	return (struct sm_value){ 0 };
}

static void counters__in_both_files__are_added(void **state)
{
	unsigned n = fake_family(&newer, "b_total", SM_COUNTER, "x");
	unsigned a = fake_family(&older, "a_total", SM_COUNTER, "x");
	unsigned o = fake_family(&older, "b_total", SM_COUNTER, "x");

	fake_series(&newer, n, "2")->all = fake_units(2);
	fake_series(&newer, n, "1")->all = fake_units(10);
	fake_series(&older, o, "1")->all = fake_fixed(1500, 3);
	fake_series(&older, o, "3")->all = fake_units(30);
	fake_series(&older, a, "0")->all = fake_units(7);
	look();
	assert_int_equal(view.nfamilies, 2);
	assert_string_equal(view.families[0].info->name, "a_total");
	assert_int_equal(view.families[1].nseries, 3);
	assert_true(number("b_total", "1").units == 11500 && number("b_total", "1").decimals == 3);
	assert_int_equal(number("b_total", "2").units, 2);
	assert_int_equal(number("b_total", "3").units, 30);
	assert_int_equal(number("a_total", "0").units, 7);
	view_release(&view);
}

static void counters__sum_too_large_for_exact__is_a_double(void **state)
{
	unsigned n = fake_family(&newer, "b_total", SM_COUNTER, "x");
	unsigned o = fake_family(&older, "b_total", SM_COUNTER, "x");
	struct sm_value v;

	fake_series(&newer, n, "1")->all = fake_units(UINT64_MAX);
	fake_series(&older, o, "1")->all = fake_units(1);
	look();
	v = number("b_total", "1");
	assert_true(v.is_set && !v.is_integer && v.value == 0x1p64);
	view_release(&view);
}

static void families__with_another_definition__give_way_to_the_newest(void **state)
{
	unsigned n = fake_family(&newer, "b", SM_GAUGE, "x");
	unsigned o = fake_family(&older, "b", SM_GAUGE, "y");

	newer.families[n].flags = SM_FAMILY_KEEP;
	fake_series(&newer, n, "1")->all = fake_double(1);
	fake_series(&older, o, "1")->all = fake_double(2);
	look();
	assert_int_equal(view.conflicts, 1);
	assert_true(number("b", "1").value == 1);
	view_release(&view);
}

static double gauge(enum sm_gauge_mode mode)
{
	unsigned n, o, w;
	double value;

	fake_init(&newer, 2);
	fake_init(&older, 1);
	n = fake_family(&newer, "b", SM_GAUGE, "x");
	o = fake_family(&older, "b", SM_GAUGE, "x");
	newer.families[n].mode = older.families[o].mode = mode;
	fake_series(&newer, n, "1");
	fake_series(&older, o, "1");
	w = fake_writer(&newer, "moved");
	newer.writers[w].start_boot_ns = 50;
	newer.cells[n][0].of[w] = fake_double(4);
	newer.cells[n][0].of[w].at_boot_ns = 100;
	/* In the older file: the same writer's former value, and a writer that has not moved. */
	w = fake_writer(&older, "moved");
	older.cells[o][0].of[w] = fake_double(1000);
	w = fake_writer(&older, "stays");
	older.writers[w].start_boot_ns = 40;
	older.cells[o][0].of[w] = fake_double(2);
	older.cells[o][0].of[w].at_boot_ns = 200;
	look();
	value = number("b", "1").value;
	view_release(&view);
	return value;
}

static void gauges__by_mode__are_combined_over_all_writers(void **state)
{
	assert_true(gauge(SM_MODE_SUM) == 6);
	assert_true(gauge(SM_MODE_AVG) == 3);
	assert_true(gauge(SM_MODE_MIN) == 2);
	assert_true(gauge(SM_MODE_MAX) == 4);
	assert_true(gauge(SM_MODE_MOSTRECENT) == 2);
	assert_true(gauge(SM_MODE_FIRST) == 2);
}

static void gauges__that_outlive_their_writers__are_combined_by_file(void **state)
{
	unsigned n = fake_family(&newer, "b", SM_GAUGE, "x");
	unsigned o = fake_family(&older, "b", SM_GAUGE, "x");

	newer.families[n].flags = older.families[o].flags = SM_FAMILY_KEEP;
	newer.families[n].mode = older.families[o].mode = SM_MODE_MAX;
	fake_series(&newer, n, "1")->all = fake_double(1);
	fake_series(&older, o, "1")->all = fake_double(5);
	look();
	assert_true(number("b", "1").value == 5);
	view_release(&view);
}

static int join(void *ctx, const struct sm_writer *writer, const struct sm_value *value)
{
	char *text = ctx, one[64];

	snprintf(one, sizeof(one), "%s=%g;", writer->name, value->value);
	strcat(text, one);
	return 0;
}

static void writers__of_both_files__come_once_each(void **state)
{
	unsigned n = fake_family(&newer, "b", SM_GAUGE, "x");
	unsigned o = fake_family(&older, "b", SM_GAUGE, "x");
	char text[128] = "";

	newer.families[n].mode = older.families[o].mode = SM_MODE_ALL;
	fake_series(&newer, n, "1")->of[fake_writer(&newer, "moved")] = fake_double(1);
	fake_series(&older, o, "1")->of[fake_writer(&older, "moved")] = fake_double(2);
	older.cells[o][0].of[fake_writer(&older, "stays")] = fake_double(3);
	look();
	assert_true(view_is_per_writer(&view.families[0]));
	assert_int_equal(view_each_writer(&view, &view.families[0], &view.families[0].series[0],
		join, text), 0);
	assert_string_equal(text, "moved=1;stays=3;");
	view_release(&view);
}

/* Of one writer, given by its index in each file. */
static double number_of(size_t f, int in_newer, int in_older, int *ret_is_set)
{
	const int writer[VIEW_PARTS] = { in_newer, in_older, -1, -1 };
	struct sm_value v;

	assert_int_equal(view_number_of(&view, &view.families[f], &view.families[f].series[0],
		writer, &v), 0);
	*ret_is_set = v.is_set;
	return v.value;
}

static void writers__of_several_files__counts_are_added_gauges_are_the_newest(void **state)
{
	unsigned c = fake_family(&newer, "a_total", SM_COUNTER, "x");
	unsigned g = fake_family(&newer, "g", SM_GAUGE, "x");
	struct fake_cell *cell;
	int is_set;

	assert_int_equal(fake_family(&older, "a_total", SM_COUNTER, "x"), c);
	assert_int_equal(fake_family(&older, "g", SM_GAUGE, "x"), g);
	fake_writer(&newer, "moved");
	fake_writer(&older, "stays");
	fake_writer(&older, "moved");
	fake_series(&newer, c, "1")->of[0] = fake_units(5);
	fake_series(&newer, g, "1");	/* moved has not set it in the new file */
	cell = fake_series(&older, c, "1");
	cell->of[0] = fake_units(7);
	cell->of[1] = fake_units(100);
	cell = fake_series(&older, g, "1");
	cell->of[0] = fake_double(1.5);
	cell->of[1] = fake_double(2.5);
	look();
	assert_true(number_of(0, 0, 1, &is_set) == 105 && is_set);
	assert_true(number_of(0, -1, 0, &is_set) == 7 && is_set);
	assert_true(number_of(1, -1, 0, &is_set) == 1.5 && is_set);
	number_of(1, 0, 1, &is_set);
	assert_false(is_set);
	view_release(&view);
}

static void histograms__with_other_bounds__stay_cumulative_and_exact_where_they_meet(void **state)
{
	static const double few[] = { 1, 4 }, many[] = { 1, 2, 4, 8 };
	unsigned n = fake_family(&newer, "b", SM_HISTOGRAM, "x");
	unsigned o = fake_family(&older, "b", SM_HISTOGRAM, "x");
	struct fake_cell *cn, *co;
	uint64_t counts[8], cumulative[8];
	struct sm_sum sum;

	newer.families[n].bounds = newer.families[n].united = many;
	newer.families[n].nbounds = newer.families[n].nunited = 4;
	older.families[o].bounds = older.families[o].united = few;
	older.families[o].nbounds = older.families[o].nunited = 2;
	cn = fake_series(&newer, n, "1");
	co = fake_series(&older, o, "1");
	memcpy(cn->counts, (uint64_t[]){ 1, 1, 1, 1, 1 }, 5 * sizeof(uint64_t));
	memcpy(co->counts, (uint64_t[]){ 10, 20, 30 }, 3 * sizeof(uint64_t));
	cn->sum = (struct sm_sum){ .is_integer = 1, .decimals = 3, .units = 500, .value = 0.5 };
	co->sum = (struct sm_sum){ .is_integer = 1, .decimals = 9, .units = 1, .value = 1e-9 };
	look();
	assert_int_equal(view_buckets(&view, &view.families[0], &view.families[0].series[0], counts,
		&sum), 0);
	assert_memory_equal(counts, ((uint64_t[]){ 11, 1, 21, 1, 31 }), 5 * sizeof(uint64_t));
	assert_true(sum.is_integer && sum.decimals == 9 && sum.units == 500000001);
	assert_int_equal(view_classic(&view, &view.families[0], &view.families[0].series[0],
		cumulative, &sum), 0);
	assert_memory_equal(cumulative, ((uint64_t[]){ 11, 12, 33, 34, 65 }), 5 * sizeof(uint64_t));
	view_release(&view);
}

static void histograms__of_the_older_file_only__are_as_they_were(void **state)
{
	static const double few[] = { 1, 4 };
	unsigned o = fake_family(&older, "b", SM_HISTOGRAM, "x");
	uint64_t cumulative[8];
	struct fake_cell *c;
	struct sm_sum sum;

	older.families[o].bounds = older.families[o].united = few;
	older.families[o].nbounds = older.families[o].nunited = 2;
	c = fake_series(&older, o, "1");
	memcpy(c->counts, (uint64_t[]){ 10, 20, 30 }, 3 * sizeof(uint64_t));
	c->sum = (struct sm_sum){ .value = -1.5 };
	look();
	assert_int_equal(view_classic(&view, &view.families[0], &view.families[0].series[0],
		cumulative, &sum), 0);
	assert_memory_equal(cumulative, ((uint64_t[]){ 10, 30, 60 }), 3 * sizeof(uint64_t));
	assert_true(!sum.is_integer && sum.value == -1.5);
	view_release(&view);
}

static void created__of_both_files__is_the_older(void **state)
{
	unsigned n = fake_family(&newer, "b_total", SM_COUNTER, "x");
	unsigned o = fake_family(&older, "b_total", SM_COUNTER, "x");

	fake_series(&newer, n, "1");
	fake_series(&older, o, "1");
	newer.series[n][0].created_real_ns = 20;
	older.series[o][0].created_real_ns = 10;
	look();
	assert_int_equal(view_created_real_ns(&view.families[0].series[0]), 10);
	view_release(&view);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(counters__in_both_files__are_added),
		TEST(counters__sum_too_large_for_exact__is_a_double),
		TEST(families__with_another_definition__give_way_to_the_newest),
		TEST(gauges__by_mode__are_combined_over_all_writers),
		TEST(gauges__that_outlive_their_writers__are_combined_by_file),
		TEST(writers__of_both_files__come_once_each),
		TEST(writers__of_several_files__counts_are_added_gauges_are_the_newest),
		TEST(histograms__with_other_bounds__stay_cumulative_and_exact_where_they_meet),
		TEST(histograms__of_the_older_file_only__are_as_they_were),
		TEST(created__of_both_files__is_the_older),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
