/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/sample.c: what a snapshot says about the segment and its writers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "tools/shmtop/sample.h"

#define SECOND UINT64_C(1000000000)
#define NOW (1000 * SECOND)

static struct top_model model;
static struct sm_writer writers[40];
static struct sm_segment_info info;
static struct sm_snapshot snapshot;

static int make_snapshot(void **state)
{
	memset(writers, 0, sizeof(writers));
	memset(&snapshot, 0, sizeof(snapshot));
	memset(&info, 0, sizeof(info));
	top_model_init(&model, 0);
	info.path = "/dev/shm/shardmeter.bot";
	info.layout_major = 1;
	info.segment_id[0] = 0xab;
	info.segment_id[15] = 0x01;
	snapshot.segment = &info;
	snapshot.writers = writers;
	snapshot.taken_boot_ns = NOW;
	snapshot.taken_real_ns = 5 * NOW;
	return 0;
}

static int drop_snapshot(void **state)
{
	top_model_release(&model);
	return 0;
}

/* One more writer; its last heartbeat was beat_s seconds ago, one each second before that. */
static struct sm_writer *add(const char *name, enum sm_writer_state state, unsigned beat_s)
{
	struct sm_writer *w = &writers[snapshot.nwriters];

	w->slot = (unsigned)snapshot.nwriters++;
	w->state = state;
	w->name = name;
	w->version = "2.14.0";
	w->claimed_boot_ns = NOW - 900 * SECOND;
	w->heartbeat_boot_ns = NOW - beat_s * SECOND;
	w->heartbeats = 900 - beat_s;
	return w;
}

static const struct top_status *status(void)
{
	assert_int_equal(top_sample_status(&model, &snapshot, 0), 0);
	return &model.status;
}

static void status__empty_segment__is_plain(void **state)
{
	const struct top_status *st = status();

	assert_string_equal(st->segment, "bot");
	assert_string_equal(st->path, "/dev/shm/shardmeter.bot");
	assert_string_equal(st->id, "ab000000000000000000000000000001");
	assert_int_equal(st->total, 0);
	assert_true(st->worst_age_ns == UINT64_MAX);
	assert_null(st->fill_what);
	assert_string_equal(st->version, "");
}

static void writers__alive_dead_ended_common__are_counted_right(void **state)
{
	const struct top_status *st;

	add("common", SM_WRITER_COMMON, 0)->heartbeats = 0;
	add("shard-1", SM_WRITER_LIVE, 1);
	add("shard-2", SM_WRITER_LIVE, 3);
	add("shard-3", SM_WRITER_DEAD, 60);
	add("shard-4", SM_WRITER_DEAD, 50);
	add("shard-5", SM_WRITER_DEAD, 5)->exited_boot_ns = NOW - 5 * SECOND;
	st = status();
	assert_int_equal(st->up, 2);
	assert_int_equal(st->total, 4);
	assert_int_equal(st->died, 2);
	assert_string_equal(st->died_name, "shard-4");
	assert_true(st->died_age_ns == 50 * SECOND);
	assert_string_equal(st->worst_name, "shard-2");
	assert_true(st->worst_age_ns == 3 * SECOND);
	assert_int_equal(st->silent, 0);
	assert_int_equal(st->nwriters, 6);
	assert_int_equal(st->writers[5].ended, 1);
	assert_int_equal(st->writers[4].ended, 0);
	assert_true(st->writers[0].heartbeat_age_ns == UINT64_MAX);
}

static void writers__old_heartbeat__is_silent_by_its_own_measure(void **state)
{
	const struct top_status *st;
	struct sm_writer *w;

	add("shard-1", SM_WRITER_LIVE, 11);
	w = add("slow", SM_WRITER_LIVE, 40);
	w->heartbeats = 30;	/* one in 30 s: 40 s are nothing */
	add("never", SM_WRITER_LIVE, 500)->heartbeats = 0;	/* attached, and no beat since */
	add("ahead", SM_WRITER_LIVE, 0)->heartbeat_boot_ns = NOW + 5 * SECOND;
	st = status();
	assert_int_equal(st->up, 4);
	assert_int_equal(st->silent, 1);
	assert_string_equal(st->silent_name, "shard-1");
	assert_string_equal(st->worst_name, "slow");
	assert_true(st->best_age_ns == 0);
}

static void version__several__most_frequent_wins(void **state)
{
	const struct top_status *st;
	char many[30][12];
	int i;

	add("a", SM_WRITER_LIVE, 1)->version = "2.13.0";
	add("b", SM_WRITER_LIVE, 1);
	add("c", SM_WRITER_LIVE, 1);
	add("d", SM_WRITER_LIVE, 1)->version = "";
	add("e", SM_WRITER_DEAD, 1)->version = "1.0";
	st = status();
	assert_string_equal(st->version, "2.14.0");
	assert_int_equal(st->nversions, 2);
	/* More versions than we count: no harm. */
	for (i = 0; i < 30; i++) {
		snprintf(many[i], sizeof(many[i]), "%d", i);
		add("x", SM_WRITER_LIVE, 1)->version = many[i];
	}
	st = status();
	assert_int_equal(st->nversions, 16);
}

static void names__hostile__are_escaped(void **state)
{
	const struct top_status *st;

	info.path = "/dev/shm/a\x1b[2J";
	add("\x1b]0;x\x07", SM_WRITER_LIVE, 1)->version = "\x1b[31m";
	st = status();
	assert_string_equal(st->segment, "a\\x1b[2J");
	assert_string_equal(st->worst_name, "\\x1b]0;x\\x07");
	assert_string_equal(st->version, "\\x1b[31m");
}

static void fill__fullest_part__is_named(void **state)
{
	const struct top_status *st;

	snapshot.fill = (struct sm_fill){ .families = 10, .families_max = 100, .series = 93,
					  .series_max = 100, .cells = 500, .cells_max = 1000,
					  .fs_free_bytes = 50, .fs_total_bytes = 100 };
	st = status();
	assert_string_equal(st->fill_what, "series");
	assert_int_equal(st->fill_percent, 93);
	/* A file system that is shared with others counts only when it is nearly full. */
	snapshot.fill.fs_free_bytes = 2;
	st = status();
	assert_string_equal(st->fill_what, "file system");
	assert_int_equal(st->fill_percent, 98);
	snapshot.fill.cells = UINT64_MAX;
	st = status();
	assert_int_equal(st->fill_percent, 100);
}

static void refused__since_attached__is_counted(void **state)
{
	snapshot.refused[1] = 5;
	snapshot.refused[2] = 7;
	assert_int_equal(top_sample_refused(&snapshot), 12);
	assert_int_equal(top_sample_status(&model, &snapshot, 12), 0);
	assert_int_equal(model.status.refused, 0);
	assert_null(model.status.refused_reason);
	snapshot.refused[2] = 9;
	assert_int_equal(top_sample_status(&model, &snapshot, 12), 0);
	assert_int_equal(model.status.refused, 2);
	assert_string_equal(model.status.refused_reason, sm_refused_reason(2));
}

static int use_utf8(void **state)
{
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_snapshot, drop_snapshot)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(status__empty_segment__is_plain),
		TEST(writers__alive_dead_ended_common__are_counted_right),
		TEST(writers__old_heartbeat__is_silent_by_its_own_measure),
		TEST(version__several__most_frequent_wins),
		TEST(names__hostile__are_escaped),
		TEST(fill__fullest_part__is_named),
		TEST(refused__since_attached__is_counted),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
