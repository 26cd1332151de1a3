/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_now_ns,--wrap=sm_clock_,--wrap=sm_clock_since_
/* test_timer.c - timers on a clock that stands still unless told. */
#include <errno.h>

#include "segment.h"

static uint64_t now_ns;

uint64_t __wrap_sm_now_ns(void)
{
	return now_ns;
}

/* What a scope uses. */
uint64_t __wrap_sm_clock_(void)
{
	return now_ns;
}

uint64_t __wrap_sm_clock_since_(uint64_t reading)
{
	return now_ns - reading;
}

static struct sm_histogram *seconds_histogram(void)
{
	static const double bounds[] = { .001, .01, .1 };

	return sm_histogram(declare(&(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "took_seconds", .unit = SM_SECONDS, .bounds = bounds,
		.nbounds = 3, .grid = SM_GRID_OFF }), SM_NO_LABELS);
}

static void assert_observed(struct sm_histogram *h, uint64_t b0, uint64_t b1, uint64_t b2,
	uint64_t over, uint64_t sum_ns)
{
	assert_int_equal(cell_sum(h, 0), b0);
	assert_int_equal(cell_sum(h, 1), b1);
	assert_int_equal(cell_sum(h, 2), b2);
	assert_int_equal(cell_sum(h, 3), over);
	assert_int_equal(cell_sum(h, 4), sum_ns);
}

static void timer__stopped_twice__observes_once(void **state)
{
	struct sm_histogram *h = seconds_histogram();
	struct sm_timer t;

	now_ns = 1000;
	sm_timer_start(&t, h);
	now_ns += 1000000;
	assert_int_equal(sm_timer_stop(&t), 1000000);
	now_ns += 5;
	assert_int_equal(sm_timer_stop(&t), 1000005);
	assert_observed(h, 1, 0, 0, 0, 1000000);
}

static void timer__without_histogram__only_measures(void **state)
{
	struct sm_timer t;

	sm_timer_start(&t, NULL);
	now_ns += 7;
	assert_int_equal(sm_timer_lap(&t, NULL), 7);
	assert_int_equal(sm_timer_stop(&t), 7);
}

static void timer__laps__each_begin_at_the_last(void **state)
{
	struct sm_histogram *h = seconds_histogram();
	struct sm_timer t;

	sm_timer_start(&t, NULL);
	now_ns += 2000000;
	assert_int_equal(sm_timer_lap(&t, h), 2000000);
	now_ns += 50000000;
	assert_int_equal(sm_timer_lap(&t, h), 50000000);
	assert_int_equal(sm_timer_stop(&t), 52000000);
	assert_observed(h, 0, 1, 1, 0, 52000000);
}

static void timer__marks__measure_between_any_two(void **state)
{
	struct sm_histogram *h = seconds_histogram();
	struct sm_timer t;

	sm_timer_start(&t, NULL);
	now_ns += 10;
	assert_int_equal(sm_timer_mark(&t), 0);
	now_ns += 100;
	assert_int_equal(sm_timer_mark(&t), 1);
	assert_int_equal(sm_timer_measure(&t, -1, 0, NULL), 10);
	assert_int_equal(sm_timer_measure(&t, -1, 1, NULL), 110);
	assert_int_equal(sm_timer_measure(&t, 0, 1, h), 100);
	assert_int_equal(sm_timer_measure(&t, 0, 0, NULL), 0);
	assert_observed(h, 1, 0, 0, 0, 100);
	/* Not there, or the wrong way round: nothing is observed. */
	assert_int_equal(sm_timer_measure(&t, 1, 0, h), 0);
	assert_int_equal(sm_timer_measure(&t, 0, 2, h), 0);
	assert_int_equal(sm_timer_measure(&t, -2, 1, h), 0);
	assert_int_equal(sm_timer_measure(&t, 0, -1, h), 0);
	assert_observed(h, 1, 0, 0, 0, 100);
}

static void timer__nine_marks__refuses_the_ninth(void **state)
{
	struct sm_timer t;
	int i;

	sm_timer_start(&t, NULL);
	for (i = 0; i < SM_TIMER_MARKS; i++) {
		now_ns++;
		assert_int_equal(sm_timer_mark(&t), i);
	}
	assert_int_equal(sm_timer_mark(&t), -ENOSPC);
	assert_int_equal(sm_timer_measure(&t, 0, SM_TIMER_MARKS - 1, NULL), SM_TIMER_MARKS - 1);
}

static int work(struct sm_histogram *h, int early)
{
	SM_TIME_SCOPE(h);

	now_ns += 500;
	if (early)
		return 1;
	now_ns += 20000000;
	return 2;
}

static void scope__left_in_any_way__is_observed(void **state)
{
	struct sm_histogram *h = seconds_histogram();

	assert_int_equal(work(h, 1), 1);
	assert_observed(h, 1, 0, 0, 0, 500);
	assert_int_equal(work(h, 0), 2);
	assert_observed(h, 1, 0, 1, 0, 20001000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(timer__stopped_twice__observes_once),
		segment_test(timer__without_histogram__only_measures),
		segment_test(timer__laps__each_begin_at_the_last),
		segment_test(timer__marks__measure_between_any_two),
		segment_test(timer__nine_marks__refuses_the_ninth),
		segment_test(scope__left_in_any_way__is_observed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
