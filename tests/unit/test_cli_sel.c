/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_segment_list
/* test_cli_sel.c - which segment is meant. The list of segments is the test's. */
#include "test_cli.h"

#include <stdlib.h>

#include "tools/shardmeter/sel.h"

static const char *const *listed; /* names, NULL at the end */
static struct capture cap;

int __wrap_sm_segment_list(int (*fn)(void *ctx, const char *name, const char *path), void *ctx);
int __wrap_sm_segment_list(int (*fn)(void *ctx, const char *name, const char *path), void *ctx)
{
	char path[128];
	int rc = 0;

	for (size_t i = 0; listed[i] && !rc; i++) {
		snprintf(path, sizeof(path), "/nowhere/shardmeter.%s", listed[i]);
		rc = fn(ctx, listed[i], path);
	}
	return rc;
}

static int setup(void **state)
{
	static const char *const none[] = { NULL };

	listed = none;
	return unsetenv("SHARDMETER_SEGMENT");
}

/* Choose with -S segment (NULL: none); returns the exit code. */
static int choose(const char *segment, bool create, struct sel *ret)
{
	struct cli c = { .command = &cli_cmd_inc, .segment = segment };
	int rc;

	capture_begin(&cap, stderr);
	rc = sel_choose(&c, create, ret);
	capture_end(&cap);
	return rc;
}

static void segment__option__wins_over_the_environment(void **state)
{
	struct sel s;

	setenv("SHARDMETER_SEGMENT", "/other/b", 1);
	assert_int_equal(choose("/some/a", false, &s), 0);
	assert_string_equal(s.path, "/some/a");
	assert_string_equal(s.how, "-S");
}

static void segment__environment__wins_over_the_only_one(void **state)
{
	static const char *const one[] = { "bot", NULL };
	struct sel s;

	listed = one;
	setenv("SHARDMETER_SEGMENT", "/other/b", 1);
	assert_int_equal(choose(NULL, false, &s), 0);
	assert_string_equal(s.path, "/other/b");
	setenv("SHARDMETER_SEGMENT", "", 1);
	assert_int_equal(choose(NULL, false, &s), 0);
	assert_string_equal(s.path, "/nowhere/shardmeter.bot");
	assert_string_equal(s.how, "the only one");
}

static void segment__several__are_listed_with_code_4(void **state)
{
	static const char *const two[] = { "bot", "music", NULL };
	struct sel s;

	listed = two;
	assert_int_equal(choose(NULL, false, &s), CLI_SEVERAL);
	assert_non_null(strstr(cap.text, "2 segments; choose one with -S"));
	assert_non_null(strstr(cap.text, "\n  bot "));
	assert_non_null(strstr(cap.text, "\n  music "));
	assert_int_equal(choose(NULL, true, &s), CLI_SEVERAL);
}

static void segment__none__says_where_it_looked_with_code_3(void **state)
{
	struct sel s;

	assert_int_equal(choose(NULL, false, &s), CLI_NO_SEGMENT);
	assert_non_null(strstr(cap.text, "no segment (looked for /"));
	assert_int_equal(choose(NULL, true, &s), 0);
	assert_string_equal(s.how, "new");
	assert_non_null(strstr(s.path, "default"));
}

static void segment__beginning_of_a_name__is_enough_if_it_fits_one(void **state)
{
	static const char *const names[] = { "unlikely-bot", "unlikely-box", "unlikely-music",
		NULL };
	struct sel s;

	listed = names;
	assert_int_equal(choose("unlikely-m", false, &s), 0);
	assert_string_equal(s.path, "/nowhere/shardmeter.unlikely-music");
	assert_int_equal(choose("unlikely-bo", false, &s), CLI_SEVERAL);
	assert_non_null(strstr(cap.text, "2 segments begin with unlikely-bo"));
	assert_null(strstr(cap.text, "music"));
	/* What is to be created or removed is named in full. */
	assert_int_equal(choose("unlikely-m", true, &s), 0);
	assert_null(strstr(s.path, "/nowhere/"));
}

static void segment__bad_name__is_refused(void **state)
{
	struct sel s;

	assert_int_equal(choose("", false, &s), CLI_FAILED);
	assert_int_equal(choose(".hidden", false, &s), CLI_FAILED);
	assert_int_equal(choose("a b", false, &s), CLI_FAILED);
}

static void family__by_name__is_found_by_halves(void **state)
{
	struct sm_family_info f[] = { { .name = "a" }, { .name = "c" }, { .name = "e" } };
	struct sm_snapshot s = { .nfamilies = 3, .families = f };

	assert_ptr_equal(sel_family(&s, "a"), &f[0]);
	assert_ptr_equal(sel_family(&s, "c"), &f[1]);
	assert_ptr_equal(sel_family(&s, "e"), &f[2]);
	assert_null(sel_family(&s, "b"));
	assert_null(sel_family(&s, ""));
	s.nfamilies = 0;
	assert_null(sel_family(&s, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(segment__option__wins_over_the_environment, setup),
		cmocka_unit_test_setup(segment__environment__wins_over_the_only_one, setup),
		cmocka_unit_test_setup(segment__several__are_listed_with_code_4, setup),
		cmocka_unit_test_setup(segment__none__says_where_it_looked_with_code_3, setup),
		cmocka_unit_test_setup(
			segment__beginning_of_a_name__is_enough_if_it_fits_one, setup),
		cmocka_unit_test_setup(segment__bad_name__is_refused, setup),
		cmocka_unit_test(family__by_name__is_found_by_halves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
