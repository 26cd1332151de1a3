/* SPDX-License-Identifier: Apache-2.0 */
/* When rows are due and what is missing, with clocks that the test sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "exporter/history/history.h"
#include "exporter/history/ticker.h"

#define INTERVAL 10000u

static struct ticker t;
static struct ticker_clocks now;
static struct store_tick tick;

static int setup(void **state)
{
	now = (struct ticker_clocks){ .real_ms = 1000000003, .boot_ms = 500000, .awake_ms = 400000 };
	ticker_start(&t, INTERVAL, &now);
	return 0;
}

static void pass(uint64_t ms)
{
	now.real_ms += ms;
	now.boot_ms += ms;
	now.awake_ms += ms;
}

static void sleep_for(uint64_t ms)
{
	now.real_ms += ms;
	now.boot_ms += ms;
}

static void set_clock(int64_t by_ms)
{
	now.real_ms = (uint64_t)((int64_t)now.real_ms + by_ms);
}

/* As the recorder does: look at least once a second. */
static void wait_until_due(void)
{
	uint64_t left;

	while ((left = ticker_wait_ms(&t, &now)) > 0)
		pass(left < 1000 ? left : 1000);
}

static void take(uint64_t ms, unsigned why)
{
	wait_until_due();
	ticker_begin(&t, &now, &tick);
	pass(ms);
	ticker_end(&t, &now, why);
}

static void ticks__undisturbed__are_at_multiples_and_miss_nothing(void **state)
{
	unsigned i;

	for (i = 1; i <= 20; i++) {
		take(i * 400, 0);	/* up to 8 s each: slow, but in time */
		assert_int_equal(tick.due_ms, 1000000000 + i * INTERVAL);
		assert_int_equal(tick.now_ms, tick.due_ms);
		assert_int_equal(tick.missed, 0);
		assert_int_equal(tick.missed_why, 0);
	}
	assert_int_equal(t.late + t.suspended + t.clock_steps, 0);
}

static void tick__woken_late__has_its_row_and_says_when_it_was_due(void **state)
{
	pass(9997 + 7300);
	assert_int_equal(ticker_wait_ms(&t, &now), 0);
	take(0, 0);
	assert_int_equal(tick.due_ms, 1000010000);
	assert_int_equal(tick.now_ms, 1000017300);
	assert_int_equal(tick.missed, 0);
	take(0, 0);
	assert_int_equal(tick.due_ms, 1000020000);
	assert_int_equal(tick.missed, 0);
}

static void tick__longer_than_the_interval__the_next_row_says_how_many(void **state)
{
	take(34000, 0);
	take(0, 0);
	assert_int_equal(tick.due_ms, 1000050000);
	assert_int_equal(tick.missed, 3);
	assert_int_equal(tick.missed_why, HISTORY_MISSED_LATE);
	take(0, 0);
	assert_int_equal(tick.missed, 0);
	assert_int_equal(t.late, 3);
}

static void ticks__without_a_row__are_counted_with_all_reasons(void **state)
{
	take(0, 0);
	take(0, HISTORY_MISSED_SEGMENT);
	take(0, HISTORY_MISSED_SEGMENT);
	take(0, HISTORY_MISSED_STORE);
	take(0, 0);
	assert_int_equal(tick.missed, 3);
	assert_int_equal(tick.missed_why, HISTORY_MISSED_SEGMENT | HISTORY_MISSED_STORE);
	take(0, 0);
	assert_int_equal(tick.missed, 0);
}

static void machine__asleep_between_ticks__says_so(void **state)
{
	take(0, 0);
	pass(3000);
	ticker_wait_ms(&t, &now);
	sleep_for(3600 * 1000 + 2000);
	assert_int_equal(ticker_wait_ms(&t, &now), 0);
	take(0, 0);
	assert_int_equal(tick.due_ms, 1000010000 + 3600 * 1000);
	assert_int_equal(tick.missed, 359);
	assert_int_equal(tick.missed_why, HISTORY_MISSED_SUSPEND);
	assert_int_equal(t.suspended, 359);
	assert_int_equal(t.clock_steps, 0);
	take(0, 0);
	assert_int_equal(tick.missed, 0);
}

static void machine__asleep_in_the_middle_of_a_tick__says_so(void **state)
{
	wait_until_due();
	ticker_begin(&t, &now, &tick);
	sleep_for(100000);
	ticker_end(&t, &now, 0);
	take(0, 0);
	assert_int_equal(tick.missed, 10);
	assert_int_equal(tick.missed_why, HISTORY_MISSED_SUSPEND);
}

static void clock__set_forth__delays_nothing_and_misses_nothing(void **state)
{
	uint64_t boot_ms;

	take(0, 0);
	boot_ms = now.boot_ms;
	pass(2000);
	set_clock(86400 * 1000 + 3700);
	take(0, 0);
	assert_int_equal(now.boot_ms - boot_ms, INTERVAL);
	assert_int_equal(tick.now_ms, 1000010000 + 86400 * 1000 + 13700);
	assert_int_equal(tick.missed, 0);
	take(0, 0);
	/* Multiples again, and none counted as missed for the move there. */
	assert_int_equal(tick.due_ms % INTERVAL, 0);
	assert_int_equal(tick.missed, 0);
	assert_true(now.boot_ms - boot_ms <= 3 * INTERVAL);
	assert_int_equal(t.clock_steps, 1);
}

static void clock__set_back__delays_nothing_and_misses_nothing(void **state)
{
	uint64_t boot_ms;

	take(0, 0);
	boot_ms = now.boot_ms;
	pass(9000);
	set_clock(-86400 * 1000 - 1300);
	take(0, 0);
	assert_int_equal(now.boot_ms - boot_ms, INTERVAL);
	assert_int_equal(tick.missed, 0);
	take(0, 0);
	assert_int_equal(tick.due_ms % INTERVAL, 0);
	assert_int_equal(tick.missed, 0);
	assert_int_equal(t.clock_steps, 1);
	/* Slewing is no step. */
	set_clock(300);
	take(0, 0);
	assert_int_equal(t.clock_steps, 1);
}

static void missed_since__a_row_of_another_run__counts_what_lies_between(void **state)
{
	static const struct {
		uint64_t row, due;
		uint32_t want;
	} table[] = {
		{ 10000, 20000, 0 }, { 10050, 20000, 0 }, { 10050, 30000, 1 }, { 9999, 20000, 1 },
		{ 10000, 3610000, 359 }, { 50000, 20000, 0 }, { 20000, 20000, 0 },
		{ 0, UINT64_MAX, UINT32_MAX },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(ticker_missed_since(table[i].row, table[i].due, INTERVAL),
			table[i].want);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(ticks__undisturbed__are_at_multiples_and_miss_nothing),
		TEST(tick__woken_late__has_its_row_and_says_when_it_was_due),
		TEST(tick__longer_than_the_interval__the_next_row_says_how_many),
		TEST(ticks__without_a_row__are_counted_with_all_reasons),
		TEST(machine__asleep_between_ticks__says_so),
		TEST(machine__asleep_in_the_middle_of_a_tick__says_so),
		TEST(clock__set_forth__delays_nothing_and_misses_nothing),
		TEST(clock__set_back__delays_nothing_and_misses_nothing),
		TEST(missed_since__a_row_of_another_run__counts_what_lies_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
