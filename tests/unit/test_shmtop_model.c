/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/model.c and values.c: rates, quantiles, history, and rows that come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "shmtop_feed.h"

static struct top_model model;
static struct feed_series counter, gauge, histogram;

static int make_model(void **state)
{
	top_model_init(&model, 0);
	feed_series(&counter, 1, SM_COUNTER, "commands_total", "",
		    (const char *const[]){ "command", "play", "status", "ok", NULL });
	feed_series(&gauge, 2, SM_GAUGE, "queue_length", "", NULL);
	feed_series(&histogram, 3, SM_HISTOGRAM, "duration_seconds", "seconds", NULL);
	return 0;
}

static int drop_model(void **state)
{
	top_model_release(&model);
	assert_null(model.buckets);
	assert_null(model.families);
	return 0;
}

static void begin(double seconds)
{
	top_model_begin(&model, (uint64_t)(seconds * 1e9));
}

static void end(size_t rows)
{
	assert_int_equal(top_model_end(&model), 0);
	assert_int_equal(model.nshown, rows);
}

static void counter__first_sample__has_no_rate(void **state)
{
	struct top_row *row;

	begin(100);
	row = feed_count(&model, &counter, 5);
	end(1);
	assert_int_equal(row->rating, TOP_RATE_UNKNOWN);
	assert_true(isnan(top_row_history(&model, row, 0)));
	assert_string_equal(row->wide, "commands_total{command=play,status=ok}");
	assert_string_equal(row->brief, "commands_total{play,ok}");
	/* Made at 1 s. */
	assert_true(fabs(top_row_average(&model, row) - 5.0 / 99) < 1e-9);
}

static void counter__second_sample__has_the_rate_of_the_measured_time(void **state)
{
	struct top_row *row;

	begin(100);
	feed_count(&model, &counter, 5);
	end(1);
	begin(100.5);
	row = feed_count(&model, &counter, 15);
	end(1);
	assert_int_equal(row->rating, TOP_RATE_OK);
	assert_true(fabs(row->rate - 20) < 1e-6);
	assert_true(top_row_history(&model, row, 0) == 20);
	assert_true(isnan(top_row_history(&model, row, 1)));
	assert_true(isnan(top_row_history(&model, row, TOP_HISTORY)));
}

static void counter__large__keeps_small_differences(void **state)
{
	struct top_row *row;

	begin(100);
	feed_count(&model, &counter, UINT64_C(1) << 60);
	end(1);
	begin(101);
	row = feed_count(&model, &counter, (UINT64_C(1) << 60) + 1);
	end(1);
	assert_true(fabs(row->rate - 1) < 1e-6);
}

static void counter__fixed_point__rate_is_in_its_unit(void **state)
{
	struct sm_value v = { .is_set = 1, .is_integer = 1, .decimals = 9, .units = 500000000 };
	struct top_row *row;

	begin(100);
	feed_number(&model, &counter, &v);
	end(1);
	v.units = 2000000000;
	begin(101);
	row = feed_number(&model, &counter, &v);
	end(1);
	assert_true(fabs(row->rate - 1.5) < 1e-6);
}

static void counter__went_back__is_a_reset_and_no_rate(void **state)
{
	struct top_row *row;

	begin(100);
	feed_count(&model, &counter, 5);
	end(1);
	begin(101);
	row = feed_count(&model, &counter, 3);
	end(1);
	assert_int_equal(row->rating, TOP_RATE_RESET);
	assert_true(isnan(top_row_history(&model, row, 0)));
	assert_int_equal(row->reset_boot_ns, 101 * FEED_SECOND);
	begin(102);
	row = feed_count(&model, &counter, 4);
	end(1);
	assert_int_equal(row->rating, TOP_RATE_OK);
	assert_true(fabs(row->rate - 1) < 1e-6);
}

static void counter__new_since_the_last_sample__began_at_zero(void **state)
{
	struct top_row *row;

	begin(100);
	end(0);
	counter.series.created_boot_ns = 100 * FEED_SECOND + 1;
	begin(102);
	row = feed_count(&model, &counter, 10);
	end(1);
	assert_int_equal(row->rating, TOP_RATE_OK);
	assert_true(fabs(row->rate - 5) < 1e-6);
}

static void counter__missed_samples__rate_is_over_the_gap(void **state)
{
	struct top_row *row;

	begin(100);
	feed_count(&model, &counter, 0);
	end(1);
	begin(101);
	feed_absent(&model, &counter);
	end(1);
	begin(104);
	row = feed_count(&model, &counter, 8);
	end(1);
	assert_true(fabs(row->rate - 2) < 1e-6);
	assert_true(isnan(top_row_history(&model, row, 1)));
}

static void gauge__any__has_no_rate(void **state)
{
	struct top_row *row;

	begin(100);
	feed_gauge(&model, &gauge, 7);
	end(1);
	begin(101);
	row = feed_gauge(&model, &gauge, 3);
	end(1);
	assert_int_equal(row->rating, TOP_RATE_NONE);
	assert_true(top_row_value(row) == 3);
	assert_true(top_row_history(&model, row, 1) == 7);
	assert_true(isnan(top_row_average(&model, row)));
}

static void gauge__absent__keeps_its_last_value_as_gone(void **state)
{
	struct top_row *row;

	begin(100);
	feed_gauge(&model, &gauge, 7);
	end(1);
	begin(101);
	row = feed_absent(&model, &gauge);
	end(1);
	assert_true(top_row_value(row) == 7);
	assert_int_equal(row->gone_boot_ns, 101 * FEED_SECOND);
	begin(102);
	feed_absent(&model, &gauge);
	end(1);
	assert_int_equal(row->gone_boot_ns, 101 * FEED_SECOND);
	begin(103);
	feed_gauge(&model, &gauge, 8);
	end(1);
	assert_int_equal(row->gone_boot_ns, 0);
}

static void gauge__never_set__is_no_row(void **state)
{
	begin(100);
	assert_null(feed_absent(&model, &gauge));
	end(0);
}

static void series__removed__is_dropped(void **state)
{
	begin(100);
	feed_gauge(&model, &gauge, 7);
	feed_count(&model, &counter, 1);
	end(2);
	begin(101);
	feed_count(&model, &counter, 1);
	end(1);
	assert_int_equal(model.nrows, 1);
	assert_null(model.families->next);
}

static void series__record_used_again__is_another_row(void **state)
{
	struct top_row *row;

	begin(100);
	feed_count(&model, &counter, 50);
	end(1);
	counter.series.incarnation++;
	begin(101);
	row = feed_count(&model, &counter, 2);
	end(1);
	assert_int_equal(row->rating, TOP_RATE_UNKNOWN);
}

static void writers__of_one_series__are_rows_each(void **state)
{
	struct sm_writer a = { .slot = 1, .incarnation = 1, .name = "shard-1" };
	struct sm_writer b = { .slot = 2, .incarnation = 1, .name = "shard\x1b-2" };
	struct sm_value v = { .is_set = 1, .value = 1 };
	struct buf text = { 0 };
	struct top_family *f;
	struct top_row *row;

	begin(100);
	f = top_model_family(&model, &gauge.family);
	top_row_number(&model, top_model_row(&model, f, &gauge.series, &a, 1), &v);
	row = top_model_row(&model, f, &gauge.series, &b, 1);
	top_row_number(&model, row, &v);
	end(2);
	assert_string_equal(row->wide, "queue_length{writer=shard\\x1b-2}");
	top_row_text(row, 0, &text);
	assert_string_equal(text.data, "queue_length{writer=\"shard\\x1b-2\"}");
	buf_free(&text);
	/* The slot's next owner is another row. */
	b.incarnation = 2;
	begin(101);
	f = top_model_family(&model, &gauge.family);
	assert_null(top_model_row(&model, f, &gauge.series, &b, 0));
	top_model_row(&model, f, &gauge.series, &a, 0);
	end(1);
}

static void text__awkward_labels__are_quoted(void **state)
{
	struct feed_series s;
	struct buf text = { 0 };
	struct top_row *row;

	feed_series(&s, 9, SM_COUNTER, "x_total", "",
		    (const char *const[]){ "a", "q\"\\\n\x1b", NULL });
	begin(100);
	row = feed_count(&model, &s, 1);
	end(1);
	top_row_text(row, 0, &text);
	assert_string_equal(text.data, "x_total{a=\"q\\\"\\\\\\n\\x1b\"}");
	assert_string_equal(row->wide, "x_total{a=q\"\\\\x0a\\x1b}");
	buf_free(&text);
}

static double quantile(const uint64_t *counts, const double *bounds, size_t n, double q)
{
	double v;

	top_buckets_quantiles(counts, NULL, bounds, n, &q, 1, &v);
	return v;
}

static void quantile__known_counts__interpolates(void **state)
{
	static const double bounds[] = { 1, 2, 4 };
	static const uint64_t counts[] = { 10, 0, 10, 0 };
	static const uint64_t above[] = { 0, 0, 0, 3 }, none[] = { 0, 0, 0, 0 };

	assert_true(fabs(quantile(counts, bounds, 3, 0.25) - 0.5) < 1e-9);
	assert_true(fabs(quantile(counts, bounds, 3, 0.5) - 1) < 1e-9);
	assert_true(fabs(quantile(counts, bounds, 3, 0.75) - 3) < 1e-9);
	assert_true(fabs(quantile(counts, bounds, 3, 1) - 4) < 1e-9);
	assert_true(fabs(quantile(counts, bounds, 3, 0)) < 1e-9);
	assert_true(quantile(above, bounds, 3, 0.5) == 4);
	assert_true(isnan(quantile(none, bounds, 3, 0.5)));
	assert_true(isnan(quantile(none, NULL, 0, 0.5)));
}

static void quantile__negative_first_bound__is_its_bound(void **state)
{
	static const double bounds[] = { -1, 1 };
	static const uint64_t counts[] = { 4, 0, 0 };

	assert_true(quantile(counts, bounds, 2, 0.5) == -1);
}

static void histogram__window__forgets_what_is_old(void **state)
{
	uint64_t counts[FEED_BOUNDS + 1] = { 0, 1000, 0, 0, 0 };
	double whole[TOP_QUANTILES];
	struct top_row *row;
	int t;

	begin(1000);
	row = feed_buckets(&model, &histogram, counts);
	end(1);
	/* Nothing came since we look: of the whole life. */
	assert_false(row->histogram->recent);
	assert_true(fabs(row->histogram->quantile[0] - 0.055) < 1e-9);
	for (t = 1; t <= 100; t++) {
		counts[2]++;
		begin(1000 + t);
		row = feed_buckets(&model, &histogram, counts);
		end(1);
		assert_true(row->histogram->recent);
		assert_true(row->histogram->recent_count <= 60);
		assert_true(row->histogram->recent_count >= (t < 30 ? (uint64_t)t : 30));
	}
	assert_true(row->histogram->quantile[0] > 0.1);
	top_row_whole(row, whole);
	assert_true(whole[0] < 0.1);
	assert_int_equal(row->histogram->count, 1100);
	assert_true(fabs(row->rate - 1) < 1e-6);
	for (; t <= 170; t++) {
		begin(1000 + t);
		feed_buckets(&model, &histogram, counts);
		end(1);
	}
	assert_false(row->histogram->recent);
}

static void histogram__went_back__starts_its_window_again(void **state)
{
	uint64_t counts[FEED_BOUNDS + 1] = { 0, 1000, 0, 0, 0 };
	struct top_row *row;

	begin(1000);
	feed_buckets(&model, &histogram, counts);
	end(1);
	counts[1] = 10;
	begin(1001);
	row = feed_buckets(&model, &histogram, counts);
	end(1);
	assert_int_equal(row->rating, TOP_RATE_RESET);
	assert_false(row->histogram->recent);
	assert_int_equal(row->histogram->count, 10);
}

static void histogram__window__can_be_chosen(void **state)
{
	uint64_t counts[FEED_BOUNDS + 1] = { 1000, 0, 0, 0, 0 };
	struct top_row *row;
	int t;

	for (t = 0; t < 10; t++) {
		begin(1000 + t);
		counts[t < 9 ? 1 : 3] += 10;
		row = feed_buckets(&model, &histogram, counts);
		end(1);
	}
	/* 80 in the second bucket and 10 in the fourth since we look, 1,000 in the first before. */
	assert_true(row->histogram->quantile[0] > 0.01 && row->histogram->quantile[0] < 0.1);
	top_model_set_window(&model, TOP_WINDOW_INTERVAL);
	assert_true(row->histogram->quantile[0] > 1);
	assert_true(row->histogram->recent);
	top_model_set_window(&model, TOP_WINDOW_LIFE);
	assert_true(row->histogram->quantile[0] < 0.01);
	/* An interval without observations shows the whole life, and says so. */
	top_model_set_window(&model, TOP_WINDOW_INTERVAL);
	begin(1010);
	feed_buckets(&model, &histogram, counts);
	end(1);
	assert_false(row->histogram->recent);
	assert_true(row->histogram->quantile[0] < 0.01);
}

static void averages__steady_rate__is_theirs(void **state)
{
	struct top_row *row = NULL;
	int t;

	for (t = 0; t < 100; t++) {
		begin(1000 + t);
		row = feed_count(&model, &counter, (uint64_t)t * 7);
		end(1);
	}
	assert_true(fabs(row->stats.average[0] - 7) < 1e-6);
	assert_true(fabs(row->stats.average[2] - 7) < 1e-6);
	assert_true(row->stats.min == 7 && row->stats.max == 7);
}

static void averages__step__are_followed_in_their_time(void **state)
{
	struct top_row *row = NULL;
	uint64_t n = 0;
	int t;

	for (t = 0; t < 1000; t++) {
		begin(1000 + t);
		n += t < 990 ? 10 : 110;
		row = feed_count(&model, &counter, n);
		end(1);
	}
	/* After 10 s at 110: 1 - 1/e of the way for the 10 s average. */
	assert_true(fabs(row->stats.average[0] - (10 + 100 * (1 - exp(-1)))) < 1);
	assert_true(fabs(row->stats.average[1] - (10 + 100 * (1 - exp(-10.0 / 60)))) < 1);
	assert_true(fabs(row->stats.average[2] - (10 + 100 * (1 - exp(-10.0 / 300)))) < 1);
	assert_true(row->stats.min == 10 && row->stats.max == 110);
	top_model_reset_stats(&model);
	begin(2000);
	row = feed_count(&model, &counter, n + 3);
	end(1);
	assert_true(fabs(row->stats.average[2] - 3) < 0.1);
	assert_true(row->stats.max < 4);
}

static void averages__young_row__are_the_mean_so_far(void **state)
{
	struct top_row *row = NULL;
	uint64_t n = 0;
	int t;

	for (t = 0; t <= 20; t++) {
		begin(1000 + t);
		n += t % 2 ? 0 : 10;
		row = feed_count(&model, &counter, n);
		end(1);
	}
	assert_true(fabs(row->stats.average[2] - 5) < 0.6);
	/* What went back has no rate that could be averaged. */
	begin(1021);
	feed_count(&model, &counter, 0);
	end(1);
	assert_true(fabs(row->stats.average[2] - 5) < 0.6);
	assert_true(row->stats.max == 10);
}

static void find__by_reference__until_it_is_gone(void **state)
{
	struct top_ref ref = { 1, 1, -1 };
	struct top_row *row;

	assert_null(top_model_find(&model, &ref));
	begin(100);
	row = feed_count(&model, &counter, 1);
	end(1);
	assert_ptr_equal(top_model_find(&model, &ref), row);
	ref.slot = 3;
	assert_null(top_model_find(&model, &ref));
}

static void many__rows__are_all_found_again(void **state)
{
	struct feed_series s;
	uint32_t i;
	int t;

	for (t = 0; t < 3; t++) {
		begin(100 + t);
		for (i = 0; i < 5000; i++) {
			feed_series(&s, i, SM_COUNTER, "x_total", "", NULL);
			s.family.id = 1;
			feed_count(&model, &s, i * (uint32_t)t);
		}
		end(5000);
	}
	for (i = 0; i < 5000; i++)
		assert_true(fabs(model.rows[i]->rate - model.rows[i]->id) < 1e-3);
}

static void reset__all__is_forgotten(void **state)
{
	begin(100);
	feed_count(&model, &counter, 1);
	end(1);
	top_model_reset(&model);
	assert_int_equal(model.sample, 0);
	begin(50);
	feed_count(&model, &counter, 1);
	end(1);
}

static int use_utf8(void **state)
{
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_model, drop_model)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counter__first_sample__has_no_rate),
		TEST(counter__second_sample__has_the_rate_of_the_measured_time),
		TEST(counter__large__keeps_small_differences),
		TEST(counter__fixed_point__rate_is_in_its_unit),
		TEST(counter__went_back__is_a_reset_and_no_rate),
		TEST(counter__new_since_the_last_sample__began_at_zero),
		TEST(counter__missed_samples__rate_is_over_the_gap),
		TEST(gauge__any__has_no_rate),
		TEST(gauge__absent__keeps_its_last_value_as_gone),
		TEST(gauge__never_set__is_no_row),
		TEST(series__removed__is_dropped),
		TEST(series__record_used_again__is_another_row),
		TEST(writers__of_one_series__are_rows_each),
		TEST(text__awkward_labels__are_quoted),
		TEST(quantile__known_counts__interpolates),
		TEST(quantile__negative_first_bound__is_its_bound),
		TEST(histogram__window__forgets_what_is_old),
		TEST(histogram__went_back__starts_its_window_again),
		TEST(histogram__window__can_be_chosen),
		TEST(averages__steady_rate__is_theirs),
		TEST(averages__step__are_followed_in_their_time),
		TEST(averages__young_row__are_the_mean_so_far),
		TEST(find__by_reference__until_it_is_gone),
		TEST(many__rows__are_all_found_again),
		TEST(reset__all__is_forgotten),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
