/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/filter.c: which series a filter lets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tools/shmtop/filter.h"

#define PLAY "commands_total{command=play,status=ok}"

static int matches(const char *filter, const char *series)
{
	struct top_filter f = { .bad = 0 };
	int rc;

	top_filter_set(&f, filter);
	rc = top_filter_match(&f, series);
	top_filter_release(&f);
	return rc;
}

static void filter__empty__shows_all(void **state)
{
	struct top_filter f = { .bad = 0 };

	assert_true(top_filter_match(&f, PLAY));
	assert_true(matches("", PLAY));
	assert_true(matches("!", PLAY));
	assert_true(matches("~", PLAY));
}

static void filter__text__is_found(void **state)
{
	assert_true(matches("play", PLAY));
	assert_true(matches("command=play", PLAY));
	assert_true(matches("command=\"play\"", PLAY));
	assert_false(matches("search", PLAY));
	assert_false(matches("command=ok", PLAY));
}

static void filter__case__matters_only_with_capitals(void **state)
{
	assert_true(matches("play", "x{PLAY}"));
	assert_false(matches("Play", "x{PLAY}"));
	assert_true(matches("PLAY", "x{PLAY}"));
	assert_true(matches("~^X", "X"));
	assert_true(matches("~^x", "X"));
	assert_false(matches("~^X", "x"));
}

static void filter__negated__shows_the_others(void **state)
{
	assert_false(matches("!play", PLAY));
	assert_true(matches("!search", PLAY));
	assert_false(matches("!~^commands", PLAY));
}

static void filter__expression__is_extended(void **state)
{
	assert_true(matches("~command=(play|search)", PLAY));
	assert_false(matches("~command=(ban|search)", PLAY));
	assert_true(matches("~^commands_.*[}]$", PLAY));
}

static void filter__broken_expression__is_marked_and_shows_all(void **state)
{
	struct top_filter f = { .bad = 0 };

	top_filter_set(&f, "~play(");
	assert_true(f.bad);
	assert_true(top_filter_match(&f, "anything"));
	top_filter_set(&f, "~play");
	assert_false(f.bad);
	assert_false(top_filter_match(&f, "anything"));
	top_filter_release(&f);
}

static void filter__too_long__is_cut(void **state)
{
	char text[1000];
	struct top_filter f = { .bad = 0 };

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	top_filter_set(&f, text);
	assert_int_equal(strlen(f.text), TOP_FILTER_MAX - 1);
	assert_true(top_filter_match(&f, text));
	top_filter_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter__empty__shows_all),
		cmocka_unit_test(filter__text__is_found),
		cmocka_unit_test(filter__case__matters_only_with_capitals),
		cmocka_unit_test(filter__negated__shows_the_others),
		cmocka_unit_test(filter__expression__is_extended),
		cmocka_unit_test(filter__broken_expression__is_marked_and_shows_all),
		cmocka_unit_test(filter__too_long__is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
