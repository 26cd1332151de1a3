/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_snapshot_number -Wl,--wrap=sm_snapshot_buckets -Wl,--wrap=sm_snapshot_classic
/* Rows and time: clocks that are set, ranges, what a row says of its moment. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/store_fixture.h"

static void append__clock_set_back__is_flagged_and_stays_in_order(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	static const uint64_t want[] = { 5000, 5001, 5002, 6000 };
	struct history *history;
	struct history_row row;
	struct store *s = open_store();
	size_t i;

	fake_series(&fake, c, "1")->all = fake_units(1);
	append(s, &fake, 5000);
	append(s, &fake, 3000);
	append(s, &fake, 5001);
	append(s, &fake, 6000);
	store_close(s);
	history = open_history();
	for (i = 0; i < 4; i++) {
		assert_int_equal(history_next_row(history, &row), 1);
		assert_int_equal(row.at_ms, want[i]);
		assert_int_equal(row.flags & HISTORY_CLOCK_BACK, i == 1 || i == 2);
	}
	history_close(history);
}

static void append__clock_set_far_back__begins_an_epoch_with_true_times(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	static const uint64_t times[] = { 1000000, 2000000, 500000, 510000, 2000000, 3000000, 400000 };
	struct history *history;
	struct history_row row;
	struct store *s = open_store();
	unsigned i;

	fake_series(&fake, c, "1")->all = fake_units(1);
	for (i = 0; i < 7; i++) {
		append(s, &fake, times[i]);
		if (i == 3) {	/* what the file says is enough to go on */
			store_close(s);
			s = open_store();
		}
	}
	store_close(s);
	history = open_history();
	for (i = 0; i < 7; i++) {
		assert_int_equal(history_next_row(history, &row), 1);
		assert_int_equal(row.at_ms, times[i]);
		assert_int_equal(row.tick, i + 1);
		assert_int_equal(row.run, i < 4 ? 1 : 2);
		assert_int_equal(row.flags & HISTORY_CLOCK_BACK, i == 2 || i == 6);
	}
	assert_int_equal(history_next_row(history, &row), 0);
	/* A range of time takes from each epoch what is in it. */
	history_seek(history, 450000, 2000000);
	for (i = 0; i < 5; i++) {
		assert_int_equal(history_next_row(history, &row), 1);
		assert_int_equal(row.tick, i + 1);
	}
	assert_int_equal(history_next_row(history, &row), 0);
	history_seek(history, 505000, 600000);
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(row.tick, 4);
	assert_int_equal(history_next_row(history, &row), 0);
	history_close(history);
}

static void seek_last__of_any_moment__is_the_row_written_last(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	static const uint64_t times[] = { 1000000, 2000000, 500000, 510000, 2000000, 400000 };
	static const struct {
		uint64_t at_ms;
		unsigned tick;
	} table[] = {
		{ UINT64_MAX, 6 }, { 2000000, 6 }, { 400000, 6 }, { 399999, 0 }, { 0, 0 },
	};
	struct history *history;
	struct history_row row;
	struct store *s = open_store();
	unsigned i;

	fake_series(&fake, c, "1")->all = fake_units(1);
	for (i = 0; i < 5; i++)
		append(s, &fake, times[i]);
	history = open_history();
	assert_int_equal(history_seek_last(history, 1999999), 1);
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(row.tick, 4);
	assert_int_equal(history_next_row(history, &row), 0);
	append(s, &fake, times[5]);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(history_seek_last(history, table[i].at_ms), table[i].tick ? 1 : 0);
		if (!table[i].tick)
			continue;
		assert_int_equal(history_next_row(history, &row), 1);
		assert_int_equal(row.tick, table[i].tick);
		assert_int_equal(history_next_row(history, &row), 0);
	}
	history_close(history);
	store_close(s);
}

static void retention__clock_far_ahead_for_a_while__costs_few_rows(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	struct store_stats stats;
	struct store *s = open_store();
	uint64_t at;

	fake_series(&fake, c, "1")->all = fake_units(1);
	for (at = 10000; at <= 1000000; at += 10000)
		append(s, &fake, at);
	for (; at <= 1100000; at += 10000)
		append(s, &fake, at + UINT64_C(10) * 365 * 86400 * 1000);
	store_stats(s, &stats);
	assert_int_equal(stats.rows, 100 + 10 - 20);
	for (; at <= 2000000; at += 10000)
		append(s, &fake, at);
	store_stats(s, &stats);
	assert_int_equal(stats.rows, 100 + 10 - 20 + 90);
	assert_int_equal(stats.last_tick, 200);
	store_close(s);
}

static void row__says_what_was_missed_who_lived_and_in_which_run(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	const struct sm_snapshot *snapshots[] = { &fake.s };
	struct store_tick tick = { .now_ms = 5300, .due_ms = 5000, .missed = 7,
		.missed_why = HISTORY_MISSED_SUSPEND };
	struct history_writer writer;
	struct history *history;
	struct history_row row;
	struct store *s = open_store();
	struct view v;

	fake_series(&fake, c, "1")->all = fake_units(1);
	fake.writers[fake_writer(&fake, "shard-1")].incarnation = 3;
	fake.writers[fake_writer(&fake, "shard-2")].incarnation = 4;
	fake.writers[fake_writer(&fake, "gone")].state = SM_WRITER_DEAD;
	assert_int_equal(view_init(&v, snapshots, 1), 0);
	assert_int_equal(store_append(s, &v, &tick, &diag), 0);
	view_release(&v);
	store_close(s);
	history = open_history();
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(row.due_ms, 5000);
	assert_int_equal(row.at_ms, 5300);
	assert_int_equal(row.interval_ms, 10000);
	assert_int_equal(row.missed, 7);
	assert_int_equal(row.missed_why, HISTORY_MISSED_SUSPEND);
	assert_int_equal(row.run, 1);
	assert_int_equal(row.files, 1);
	assert_int_not_equal(row.boot_id[0] | row.boot_id[1] | row.boot_id[2] | row.boot_id[3], 0);
	assert_int_equal(row.live_writers, 2);
	assert_int_equal(history_next_writer(history, &writer), 1);
	assert_string_equal(writer.name, "shard-1");
	assert_int_equal(writer.incarnation, 3);
	assert_int_equal(history_next_writer(history, &writer), 1);
	assert_string_equal(writer.name, "shard-2");
	assert_int_equal(history_next_writer(history, &writer), 0);
	history_close(history);
}

static void seek__a_range__gives_its_rows_only(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, NULL);
	struct history *history;
	struct history_row row;
	struct store *s = open_store();
	uint64_t at;

	fake_series(&fake, c, NULL)->all = fake_units(1);
	for (at = 1000; at <= 9000; at += 1000)
		append(s, &fake, at);
	store_close(s);
	history = open_history();
	history_seek(history, 2500, 4000);
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(row.at_ms, 3000);
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(row.at_ms, 4000);
	assert_int_equal(history_next_row(history, &row), 0);
	history_seek(history, 9000, UINT64_MAX);
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(history_next_row(history, &row), 0);
	history_seek(history, 9001, UINT64_MAX);
	assert_int_equal(history_next_row(history, &row), 0);
	history_close(history);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(append__clock_set_back__is_flagged_and_stays_in_order),
		TEST(append__clock_set_far_back__begins_an_epoch_with_true_times),
		TEST(seek_last__of_any_moment__is_the_row_written_last),
		TEST(retention__clock_far_ahead_for_a_while__costs_few_rows),
		TEST(row__says_what_was_missed_who_lived_and_in_which_run),
		TEST(seek__a_range__gives_its_rows_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
