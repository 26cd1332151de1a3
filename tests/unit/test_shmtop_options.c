/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/options.c: the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "tools/shmtop/options.h"

static struct top_options options;
static char message[300];

/* Parse up to 7 words. */
static int parse(const char *const words[8])
{
	static char copy[8][200];
	char *argv[10] = { copy[0] };
	int argc = 1;

	strcpy(copy[0], "shmtop");
	for (; argc < 8 && words[argc - 1]; argc++) {
		strcpy(copy[argc], words[argc - 1]);
		argv[argc] = copy[argc];
	}
	argv[argc] = NULL;
	message[0] = '\0';
	return top_options_parse(&options, argc, argv, message, sizeof(message));
}

#define PARSE(...) parse((const char *const[8]){ __VA_ARGS__ })

static void parse__nothing__gives_defaults(void **state)
{
	assert_int_equal(PARSE(NULL), 0);
	assert_int_equal(options.mode, TOP_MODE_SCREEN);
	assert_int_equal(options.format, TOP_FORMAT_TABLE);
	assert_int_equal(options.sort, TOP_SORT_NAME);
	assert_true(options.delay_s == 1);
	assert_null(options.segment);
	assert_true(options.wait_s == 0);
}

static void parse__each_option__is_taken(void **state)
{
	assert_int_equal(PARSE("-S", "bot", "-d", "0.5", "-n3", "-rs", "rate"), 0);
	assert_string_equal(options.segment, "bot");
	assert_true(options.delay_s == 0.5);
	assert_int_equal(options.count, 3);
	assert_int_equal(options.mode, TOP_MODE_BATCH);
	assert_int_equal(options.reverse, 1);
	assert_int_equal(options.sort, TOP_SORT_RATE);
	assert_int_equal(PARSE("--filter=play", "--ascii", "--color=never", "-w", "-b"), 0);
	assert_string_equal(options.filter, "play");
	assert_int_equal(options.ascii, 1);
	assert_int_equal(options.color, -1);
	assert_true(options.wait_s < 0);
	assert_int_equal(PARSE("--wait=2.5", "bot", "--color"), 0);
	assert_true(options.wait_s == 2.5);
	assert_int_equal(options.color, 1);
	assert_string_equal(options.segment, "bot");
	assert_int_equal(PARSE("--list"), 0);
	assert_int_equal(options.mode, TOP_MODE_LIST);
}

static void parse__machine_format__means_once(void **state)
{
	assert_int_equal(PARSE("--json"), 0);
	assert_int_equal(options.mode, TOP_MODE_ONCE);
	assert_int_equal(options.format, TOP_FORMAT_JSON);
	assert_int_equal(PARSE("--csv", "-b"), 0);
	assert_int_equal(options.mode, TOP_MODE_BATCH);
	assert_int_equal(options.format, TOP_FORMAT_CSV);
}

static void parse__help__wins(void **state)
{
	assert_int_equal(PARSE("--help", "--nonsense"), 0);
	assert_int_equal(options.mode, TOP_MODE_HELP);
	assert_int_equal(PARSE("-V", "a", "b"), 0);
	assert_int_equal(options.mode, TOP_MODE_VERSION);
}

static void assert_refused(int rc, const char *what)
{
	assert_int_equal(rc, -EINVAL);
	if (!strstr(message, what))
		fail_msg("\"%s\" does not name %s", message, what);
	assert_null(strchr(message, '\n'));
}

static void parse__wrong__is_refused_by_name(void **state)
{
	assert_refused(PARSE("--nonsense"), "--nonsense");
	assert_refused(PARSE("-x"), "-x");
	assert_refused(PARSE("-d"), "--delay");
	assert_refused(PARSE("--once=3"), "--once");
	assert_refused(PARSE("-d", "0"), "--delay");
	assert_refused(PARSE("-d", "0x10"), "--delay");
	assert_refused(PARSE("-d", "nan"), "--delay");
	assert_refused(PARSE("-d", "1,5"), "--delay");
	assert_refused(PARSE("-d", "99999"), "--delay");
	assert_refused(PARSE("-n", "0"), "--count");
	assert_refused(PARSE("-n", "1.5"), "--count");
	assert_refused(PARSE("-n", "-1"), "--count");
	assert_refused(PARSE("-s", "size"), "--sort");
	assert_refused(PARSE("--color=pink"), "--color");
	assert_refused(PARSE("a", "b"), "\"b\"");
	assert_refused(PARSE(""), "empty");
	assert_refused(PARSE("-S", ""), "--segment");
}

static void help__whole__fits_one_screen(void **state)
{
	char text[8192] = "", *line, *rest = text;
	FILE *f = fmemopen(text, sizeof(text), "w");
	int lines = 0;

	assert_non_null(f);
	top_options_help(f);
	fclose(f);
	while ((line = strsep(&rest, "\n")) && rest) {
		assert_true(strlen(line) < 80);
		lines++;
	}
	assert_true(lines > 10 && lines <= 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse__nothing__gives_defaults),
		cmocka_unit_test(parse__each_option__is_taken),
		cmocka_unit_test(parse__machine_format__means_once),
		cmocka_unit_test(parse__help__wins),
		cmocka_unit_test(parse__wrong__is_refused_by_name),
		cmocka_unit_test(help__whole__fits_one_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
