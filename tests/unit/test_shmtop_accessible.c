/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/accessible.c: each change is one line, and nothing else is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>

#include "shmtop_bot.h"
#include "tools/shmtop/accessible.h"

static struct top_facts known;
static struct buf text;

static int make_bot(void **state)
{
	bot_make(0);
	return 0;
}

static int drop_bot(void **state)
{
	top_facts_release(&known);
	buf_free(&text);
	bot_drop();
	return 0;
}

static const char *changes(void)
{
	text.len = 0;
	if (text.data)
		text.data[0] = '\0';
	assert_int_equal(top_accessible_changes(&text, &bot.data, &known, "13:21:07"), 0);
	return text.data ? text.data : "";
}

static void changes__first_time_and_no_change__are_silent(void **state)
{
	assert_string_equal(changes(), "");
	bot_sample();
	assert_string_equal(changes(), "");
}

static void changes__of_writers__are_said_once(void **state)
{
	struct top_writer *w = bot.data.model.status.writers;

	changes();
	w[0].state = SM_WRITER_DEAD;
	assert_string_equal(changes(), "13:21:07 shard-1: died\n");
	assert_string_equal(changes(), "");
	w[0].state = SM_WRITER_LIVE;
	w[0].incarnation++;
	assert_string_equal(changes(), "13:21:07 shard-1: attached\n");
	w[0].silent = 1;
	w[0].heartbeat_age_ns = 11 * FEED_SECOND;
	assert_string_equal(changes(), "13:21:07 shard-1: no heartbeat for 11s\n");
	w[0].heartbeat_age_ns = 12 * FEED_SECOND;
	assert_string_equal(changes(), "");
	w[0].silent = 0;
	assert_string_equal(changes(), "13:21:07 shard-1: heartbeat again\n");
	w[0].state = SM_WRITER_DEAD;
	w[0].ended = 1;
	assert_string_equal(changes(), "13:21:07 shard-1: ended\n");
}

static void changes__of_the_segment__are_said(void **state)
{
	struct top_status *st = &bot.data.model.status;

	changes();
	strcpy(st->trouble, "damaged");
	assert_string_equal(changes(), "13:21:07 no new values: damaged\n");
	st->trouble[0] = '\0';
	assert_string_equal(changes(), "13:21:07 new values again\n");
	st->fill_percent = 85;
	assert_string_equal(changes(), "13:21:07 cells 85% full\n");
	st->refused = 3;
	st->refused_reason = "cap";
	assert_string_equal(changes(), "13:21:07 3 refused (cap)\n");
	st->nailments = 1;
	strcpy(st->ailment[0].text, "database degraded");
	assert_string_equal(changes(), "13:21:07 database degraded\n");
	st->nailments = 0;
	assert_string_equal(changes(), "13:21:07 database degraded: no more\n");
}

static void changes__of_an_operation__are_not_chatter(void **state)
{
	struct top_op *op = bot.data.ops.op[0];
	int i;

	op->level = TOP_LEVEL_OK;
	changes();
	op->level = TOP_LEVEL_WARN;
	strcpy(op->note, "p95 +60%");
	snprintf(op->name, 5, "play");
	assert_string_equal(changes(), "13:21:07 play: p95 +60%\n");
	for (i = 0; i < 40; i++) {
		op->level = i % 5 ? TOP_LEVEL_WARN : TOP_LEVEL_OK;
		assert_string_equal(changes(), "");
	}
	op->level = TOP_LEVEL_OK;
	for (i = 0; i < 9; i++)
		assert_string_equal(changes(), "");
	assert_string_equal(changes(), "13:21:07 play: as usual\n");
	assert_string_equal(changes(), "");
}

static void summary__of_the_bot__is_lines_without_drawing(void **state)
{
	const char *p;

	top_accessible_summary(&text, &bot.data, &top_glyphs_utf8);
	assert_non_null(strstr(text.data, "segment default, version 2.14.0, 5 of 5 writers up, "));
	assert_non_null(strstr(text.data, "\ncommand search: 0.06"));
	for (p = text.data; *p; p++)
		assert_true(*p == '\n' || (*p >= 0x20 && *p < 0x7f));
}

static int use_utf8(void **state)
{
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_bot, drop_bot)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(changes__first_time_and_no_change__are_silent),
		TEST(changes__of_writers__are_said_once),
		TEST(changes__of_the_segment__are_said),
		TEST(changes__of_an_operation__are_not_chatter),
		TEST(summary__of_the_bot__is_lines_without_drawing),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
