/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/settings.c: what is saved comes back; what is wrong does no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/shmtop/settings.h"

static struct top_options options;
static struct top_view view;

static int make_view(void **state)
{
	options = (struct top_options){ .delay_s = 1, .view = -1 };
	top_view_init(&view, &options);
	return 0;
}

static int drop_view(void **state)
{
	top_view_release(&view);
	return 0;
}

static void text__of_a_view__makes_the_same_view(void **state)
{
	struct buf b = { 0 };

	view.id = TOP_HISTOGRAMS;
	view.delay_s = 0.5;
	view.exact = view.zeros = view.mouse = 1;
	view.window = TOP_WINDOW_LIFE;
	view.list[TOP_SERIES].sort = TOP_SORT_P95;
	view.list[TOP_SERIES].reverse = 1;
	view.list[TOP_WRITERS].sort = 2;
	top_settings_text(&view, &b);
	drop_view(NULL);
	make_view(NULL);
	top_settings_apply(&view, b.data, &options);
	buf_free(&b);
	assert_int_equal(view.id, TOP_HISTOGRAMS);
	assert_true(view.delay_s == 0.5);
	assert_true(view.exact && view.zeros && view.mouse);
	assert_int_equal(view.window, TOP_WINDOW_LIFE);
	assert_int_equal(view.list[TOP_SERIES].sort, TOP_SORT_P95);
	assert_true(view.list[TOP_SERIES].reverse);
	assert_int_equal(view.list[TOP_WRITERS].sort, 2);
}

static void text__wrong__changes_nothing(void **state)
{
	struct top_view before = view;

	top_settings_apply(&view,
			   "view=nowhere\ninterval=-1\ninterval=1e99\nwindow=\nsort.series=LAST\n"
			   "sort.nowhere=p95\nsort.=\nsort.series=--p95\n=\n==\nnonsense\n\n#view=slow\n"
			   "\x1b[2J=\xff\xff\nwindow=minute", &options);
	assert_memory_equal(&view, &before, sizeof(view));
}

static void text__options_given__win(void **state)
{
	options.view = TOP_WRITERS;
	options.delayed = options.sorted = 1;
	options.mouse = -1;
	view.id = TOP_WRITERS;
	top_settings_apply(&view, "view=slow\ninterval=5\nsort.series=p95\nmouse=1\nsort.slow=limit",
			   &options);
	assert_int_equal(view.id, TOP_WRITERS);
	assert_true(view.delay_s == 1);
	assert_int_equal(view.list[TOP_SERIES].sort, TOP_SORT_NAME);
	assert_false(view.mouse);
	assert_int_not_equal(view.list[TOP_SLOW].sort, top_view_slow.sort);
}

static void file__saved__is_loaded(void **state)
{
	char directory[] = "/tmp/shmtop-settings-XXXXXX", path[512], command[600];

	assert_non_null(mkdtemp(directory));
	setenv("XDG_CONFIG_HOME", directory, 1);
	assert_int_equal(top_settings_load(&view, &options), 0);
	view.exact = 1;
	assert_int_equal(top_settings_save(&view, path, sizeof(path)), 0);
	assert_non_null(strstr(path, "/shardmeter/shmtop.conf"));
	view.exact = 0;
	assert_int_equal(top_settings_load(&view, &options), 0);
	assert_true(view.exact);
	/* Again, over the old one. */
	assert_int_equal(top_settings_save(&view, path, sizeof(path)), 0);
	snprintf(command, sizeof(command), "%s.new", path);
	assert_int_equal(access(command, F_OK), -1);
	/* Something else is in the way. */
	unlink(path);
	snprintf(command, sizeof(command), "%s/shardmeter", directory);
	assert_int_equal(rmdir(command), 0);
	fclose(fopen(command, "w"));
	assert_int_equal(top_settings_save(&view, path, sizeof(path)), -ENOTDIR);
	unlink(command);
	assert_int_equal(rmdir(directory), 0);
}

static void file__no_home__is_no_error_to_load(void **state)
{
	char path[512];

	unsetenv("XDG_CONFIG_HOME");
	setenv("HOME", "relative", 1);
	assert_int_equal(top_settings_load(&view, &options), 0);
	assert_int_equal(top_settings_save(&view, path, sizeof(path)), -ENOENT);
	assert_string_equal(path, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_view, drop_view)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(text__of_a_view__makes_the_same_view),
		TEST(text__wrong__changes_nothing),
		TEST(text__options_given__win),
		TEST(file__saved__is_loaded),
		TEST(file__no_home__is_no_error_to_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
