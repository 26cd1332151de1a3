/* SPDX-License-Identifier: Apache-2.0 */
/* test_cli_args.c - options, numbers, moments and series as people type them. */
#include "test_cli.h"

#include <math.h>
#include <stdlib.h>

#include "tools/shardmeter/args.h"
#include "tools/shardmeter/series.h"

static struct capture cap;

/* The message of a call that must fail with exit code 2. */
#define MESSAGE(call)                                \
	({                                           \
		int code_;                           \
		capture_begin(&cap, stderr);         \
		code_ = (call);                      \
		capture_end(&cap);                   \
		assert_int_equal(code_, CLI_FAILED); \
		cap.text;                            \
	})

static const struct cli *const c = &test_cli;

/* ---- numbers ---- */

static void number__whole_and_in_range__is_taken(void **state)
{
	uint64_t v;

	assert_int_equal(cli_number(c, "n", "0", 0, 10, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(cli_number(c, "n", "18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
}

static void number__anything_else__is_refused_by_name(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x10", "1e3", "1.0",
		"ten" };
	uint64_t v = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(
			strstr(MESSAGE(cli_number(c, "--n", bad[i], 0, 10, &v)), "--n: \""));
	assert_int_equal(v, 7);
}

static void number__out_of_range__names_the_range(void **state)
{
	uint64_t v;

	assert_string_equal(MESSAGE(cli_number(c, "--n", "11", 1, 10, &v)),
		"shardmeter inc: --n: 11 is out of range (1 to 10)\n");
	assert_string_equal(MESSAGE(cli_number(c, "--n", "18446744073709551616", 0, 9, &v)),
		"shardmeter inc: --n: 18446744073709551616 is out of range (0 to 9)\n");
}

static void double__every_spelling__is_taken(void **state)
{
	static const struct {
		const char *text;
		double v;
	} good[] = { { "0", 0 }, { "-0.5", -0.5 }, { "+2", 2 }, { ".25", .25 }, { "3.", 3 },
		{ "1e3", 1000 }, { "2.5E-3", .0025 }, { "1e-400", 0 }, { "Inf", INFINITY },
		{ "-inf", -INFINITY } };
	double v;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(cli_double(c, "n", good[i].text, &v), 0);
		assert_true(v <= good[i].v && v >= good[i].v);
	}
	assert_int_equal(cli_double(c, "n", "NaN", &v), 0);
	assert_true(isnan(v));
}

static void double__odd_spellings__are_refused(void **state)
{
	static const char *const bad[] = { "", ".", "-", "1,5", " 1", "1 ", "0x1p3", "1e", "1e+",
		"1d3", "infinity", "nan(1)", "--1" };
	double v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		MESSAGE(cli_double(c, "VALUE", bad[i], &v));
	assert_non_null(strstr(
		MESSAGE(cli_double(c, "VALUE", "1e999", &v)), "VALUE: 1e999 is out of range"));
	MESSAGE(cli_real(c, "VALUE", "NaN", -INFINITY, INFINITY, &v));
	MESSAGE(cli_real(c, "VALUE", "Inf", -INFINITY, INFINITY, &v));
}

static void amount__decimal__is_exact(void **state)
{
	static const struct {
		const char *text;
		bool exact;
		uint64_t units;
		unsigned decimals;
	} table[] = { { "1", true, 1, 0 }, { "0", true, 0, 0 }, { "1.50", true, 15, 1 },
		{ "2.000", true, 2, 0 }, { "100", true, 100, 0 }, { "0.000000001", true, 1, 9 },
		{ ".5", true, 5, 1 }, { "7.", true, 7, 0 }, { "+3", true, 3, 0 },
		{ "18446744073709551615", true, UINT64_MAX, 0 },
		{ "18446744073709551616", false, 0, 0 }, { "0.0000000001", false, 0, 0 },
		{ "1e3", false, 0, 0 } };
	struct cli_amount a;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(cli_amount(c, "by", table[i].text, &a), 0);
		assert_int_equal(a.exact, table[i].exact);
		if (!a.exact)
			continue;
		assert_true(a.units == table[i].units);
		assert_int_equal(a.decimals, table[i].decimals);
	}
	MESSAGE(cli_amount(c, "by", "-1", &a));
	MESSAGE(cli_amount(c, "by", "NaN", &a));
	MESSAGE(cli_amount(c, "by", "", &a));
}

static void amount__in_other_units__only_if_whole(void **state)
{
	struct cli_amount a;
	uint64_t units;

	assert_int_equal(cli_amount(c, "by", "1.25", &a), 0);
	assert_false(cli_amount_in(&a, 1, &units));
	assert_true(cli_amount_in(&a, 2, &units));
	assert_int_equal(units, 125);
	assert_true(cli_amount_in(&a, 9, &units));
	assert_int_equal(units, 1250000000);
	assert_int_equal(cli_amount(c, "by", "18446744073709551615", &a), 0);
	assert_false(cli_amount_in(&a, 1, &units));
}

static void bounds__list__ascends_or_is_refused(void **state)
{
	double b[4];
	size_t n;

	assert_int_equal(cli_bounds(c, "--buckets", "0.1,1,2.5e1", b, 4, &n), 0);
	assert_int_equal(n, 3);
	assert_true(b[2] > 24.9 && b[2] < 25.1);
	assert_non_null(
		strstr(MESSAGE(cli_bounds(c, "--buckets", "1,1", b, 4, &n)), "must ascend"));
	assert_non_null(
		strstr(MESSAGE(cli_bounds(c, "--buckets", "1,2,3,4,5", b, 4, &n)), "more than 4"));
	MESSAGE(cli_bounds(c, "--buckets", "", b, 4, &n));
	MESSAGE(cli_bounds(c, "--buckets", "1,,2", b, 4, &n));
	MESSAGE(cli_bounds(c, "--buckets", "1,2,", b, 4, &n));
	MESSAGE(cli_bounds(c, "--buckets", "1,Inf", b, 4, &n));
}

/* ---- moments ---- */

static void moment__each_form__is_understood(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} table[] = { { "now", 1000000000000 }, { "-90s", 999999910000 }, { "-15m", 999999100000 },
		{ "-1.5h", 999994600000 }, { "-3d", 999740800000 }, { "1700000000", 1700000000000 },
		{ "1700000000.25", 1700000000250 }, { "2026-11-20T13:21:07Z", 1795180867000 },
		{ "2026-11-20 13:21:07", 1795180867000 },
		{ "2026-11-20T13:21:07.5Z", 1795180867500 }, { "2026-11-20T13:21Z", 1795180860000 },
		{ "2026-11-20", 1795132800000 } };
	uint64_t ms;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(cli_moment(c, "--from", table[i].text, 1000000000000, &ms), 0);
		assert_true(ms == table[i].ms);
	}
}

static void moment__nonsense__is_refused(void **state)
{
	static const char *const bad[] = { "", "yesterday", "-5", "-5w", "5m", "-m", "2026-13-01",
		"2026-11-20T", "2026-11-20T13:21:07Zx", "2026-11-20X13:21", "1e30", "-99999d",
		"2026-11-20T1:2:3." };
	uint64_t ms;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		MESSAGE(cli_moment(c, "--from", bad[i], 1000000000000, &ms));
}

/* ---- series ---- */

static void series__with_braces__is_taken_apart(void **state)
{
	struct cli_series s;

	assert_int_equal(cli_series_init(c, "x_total{ a=\"1\" , b=\"q\\\"\\\\\\n,}\", }", &s), 0);
	assert_string_equal(s.name, "x_total");
	assert_int_equal(s.nlabels, 2);
	assert_string_equal(s.label[0].name, "a");
	assert_string_equal(s.label[0].value, "1");
	assert_string_equal(s.label[1].name, "b");
	assert_string_equal(s.label[1].value, "q\"\\\n,}");
	cli_series_release(&s);
	assert_int_equal(cli_series_init(c, "x{}", &s), 0);
	assert_int_equal(s.nlabels, 0);
	cli_series_release(&s);
}

static void series__badly_written__is_refused(void **state)
{
	static const char *const bad[] = { "", "1x", "x-y", "x{", "x{a}", "x{a=}", "x{a=1}",
		"x{a=\"1}", "x{a=\"1\"", "x{a=\"1\"}y", "x{1a=\"1\"}", "x{a=\"\\x\"}",
		"x{a=\"1\" b=\"2\"}", "x{a=\"1\",a=\"2\"}", "{a=\"1\"}", "x{,}", "x{a=\"1\"\\" };
	struct cli_series s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		MESSAGE(cli_series_init(c, bad[i], &s));
		cli_series_release(&s);
	}
}

static void series__label_words__are_added(void **state)
{
	char good[] = "job=a=b", empty[] = "kind=", twice[] = "job=c", no_name[] = "=x",
	     bad_name[] = "a-b=x";
	char no_value[] = "job";
	struct cli_series s;

	assert_int_equal(cli_series_init(c, "x_total", &s), 0);
	assert_int_equal(cli_series_label(c, &s, good), 0);
	assert_string_equal(s.label[0].value, "a=b");
	assert_int_equal(cli_series_label(c, &s, empty), 0);
	assert_string_equal(s.label[1].value, "");
	assert_non_null(strstr(MESSAGE(cli_series_label(c, &s, twice)), "\"job\" is given twice"));
	MESSAGE(cli_series_label(c, &s, no_name));
	MESSAGE(cli_series_label(c, &s, bad_name));
	MESSAGE(cli_series_label(c, &s, no_value));
	cli_series_release(&s);
}

static void series__seventeen_labels__is_refused(void **state)
{
	char words[17][16];
	struct cli_series s;

	assert_int_equal(cli_series_init(c, "x", &s), 0);
	for (int i = 0; i < 16; i++) {
		snprintf(words[i], sizeof(words[i]), "l%d=v", i);
		assert_int_equal(cli_series_label(c, &s, words[i]), 0);
	}
	strcpy(words[16], "l16=v");
	assert_non_null(strstr(MESSAGE(cli_series_label(c, &s, words[16])), "more than 16 labels"));
	cli_series_release(&s);
}

/* ---- options ---- */

enum { T_FLAG, T_VALUE, T_MAYBE };

static int run_nothing(struct cli *run)
{
	return run->nargs;
}

static const struct cli_command test_command = { .name = "t",
	.synopsis = "",
	.help = "",
	.text = "",
	.run = run_nothing,
	.options = (const struct cli_option[]){ [T_FLAG] = { "flag", 'f', NULL, NULL, "" },
		[T_VALUE] = { "value", 'v', "V", "preset", "" },
		[T_MAYBE] = { "segment", 0, "[NAME]", NULL, "" },
		{ NULL, 0, NULL, NULL, NULL } } };
static struct cli_command runs_command;

static struct cli parsed;
static char **memory;

/* Parse words, the first of which is the command; returns the code. */
static int parse(const struct cli_command *command, ...)
{
	static char copies[16][64];
	static char *words[17];
	va_list ap;
	int n = 0;

	free(memory);
	memory = NULL;
	memset(&parsed, 0, sizeof(parsed));
	parsed.command = command;
	va_start(ap, command);
	strcpy(copies[n], "t");
	words[n] = copies[n];
	for (const char *w = va_arg(ap, const char *); w; w = va_arg(ap, const char *)) {
		n++;
		strcpy(copies[n], w);
		words[n] = copies[n];
	}
	va_end(ap);
	words[n + 1] = NULL;
	return cli_parse(&parsed, n + 1, words, &memory);
}

static void options__between_words__all_keep_their_places(void **state)
{
	assert_int_equal(
		parse(&test_command, "a", "-f", "b=c", "--value", "x", "-S", "seg", "d", NULL), 0);
	assert_int_equal(parsed.nargs, 3);
	assert_string_equal(parsed.args[0], "a");
	assert_string_equal(parsed.args[1], "b=c");
	assert_string_equal(parsed.args[2], "d");
	assert_true(parsed.given[T_FLAG]);
	assert_string_equal(parsed.value[T_VALUE], "x");
	assert_string_equal(parsed.segment, "seg");
}

static void options__not_given__have_their_presets(void **state)
{
	assert_int_equal(parse(&test_command, NULL), 0);
	assert_string_equal(parsed.value[T_VALUE], "preset");
	assert_false(parsed.given[T_VALUE]);
	assert_null(parsed.value[T_MAYBE]);
	assert_int_equal(parsed.nargs, 0);
}

static void options__negative_number__is_a_word(void **state)
{
	assert_int_equal(parse(&test_command, "a", "-5", "-.5", "-inf", "-f", "--", "-f", NULL), 0);
	assert_int_equal(parsed.nargs, 5);
	assert_string_equal(parsed.args[1], "-5");
	assert_string_equal(parsed.args[3], "-inf");
	assert_string_equal(parsed.args[4], "-f");
	assert_true(parsed.given[T_FLAG]);
}

static void options__own_segment_option__shadows_the_long_one_only(void **state)
{
	assert_int_equal(parse(&test_command, "--segment", "word", "-S", "chosen", NULL), 0);
	assert_true(parsed.given[T_MAYBE]);
	assert_null(parsed.value[T_MAYBE]);
	assert_string_equal(parsed.segment, "chosen");
	assert_int_equal(parsed.nargs, 1);
	assert_int_equal(parse(&test_command, "--segment=name", NULL), 0);
	assert_string_equal(parsed.value[T_MAYBE], "name");
}

static void options__after_the_double_dash__belong_to_the_program(void **state)
{
	runs_command = test_command;
	runs_command.flags = CLI_RUNS;
	assert_int_equal(parse(&runs_command, "n", "a=b", "--", "ls", "-l", "--", "x", NULL), 0);
	assert_int_equal(parsed.nargs, 2);
	assert_string_equal(parsed.rest[0], "ls");
	assert_string_equal(parsed.rest[2], "--");
	assert_null(parsed.rest[4]);
	assert_int_equal(parse(&runs_command, "n", "--", NULL), 0);
	assert_non_null(parsed.rest);
	assert_null(parsed.rest[0]);
	assert_int_equal(parse(&runs_command, "n", NULL), 0);
	assert_null(parsed.rest);
}

static void options__wrong__one_specific_line(void **state)
{
	assert_string_equal(MESSAGE(parse(&test_command, "--bogus", NULL)),
		"shardmeter t: unknown or ambiguous option --bogus; see \"shardmeter help t\"\n");
	assert_string_equal(MESSAGE(parse(&test_command, "-x", NULL)),
		"shardmeter t: unknown option -x; see \"shardmeter help t\"\n");
	assert_string_equal(MESSAGE(parse(&test_command, "--value", NULL)),
		"shardmeter t: option --value needs V\n");
	assert_string_equal(
		MESSAGE(parse(&test_command, "-v", NULL)), "shardmeter t: option -v needs V\n");
	assert_string_equal(MESSAGE(parse(&test_command, "--flag=1", NULL)),
		"shardmeter t: option --flag takes no value\n");
	assert_string_equal(
		MESSAGE(parse(&test_command, "-S", NULL)), "shardmeter t: option -S needs NAME\n");
}

static int release(void **state)
{
	free(memory);
	memory = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(number__whole_and_in_range__is_taken),
		cmocka_unit_test(number__anything_else__is_refused_by_name),
		cmocka_unit_test(number__out_of_range__names_the_range),
		cmocka_unit_test(double__every_spelling__is_taken),
		cmocka_unit_test(double__odd_spellings__are_refused),
		cmocka_unit_test(amount__decimal__is_exact),
		cmocka_unit_test(amount__in_other_units__only_if_whole),
		cmocka_unit_test(bounds__list__ascends_or_is_refused),
		cmocka_unit_test(moment__each_form__is_understood),
		cmocka_unit_test(moment__nonsense__is_refused),
		cmocka_unit_test(series__with_braces__is_taken_apart),
		cmocka_unit_test(series__badly_written__is_refused),
		cmocka_unit_test(series__label_words__are_added),
		cmocka_unit_test(series__seventeen_labels__is_refused),
		cmocka_unit_test_teardown(options__between_words__all_keep_their_places, release),
		cmocka_unit_test_teardown(options__not_given__have_their_presets, release),
		cmocka_unit_test_teardown(options__negative_number__is_a_word, release),
		cmocka_unit_test_teardown(
			options__own_segment_option__shadows_the_long_one_only, release),
		cmocka_unit_test_teardown(
			options__after_the_double_dash__belong_to_the_program, release),
		cmocka_unit_test_teardown(options__wrong__one_specific_line, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
