/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors: what they match, and what is wrong with those that are refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "exporter/api/select.h"

static const char *const labels[] = { "command", "outcome" };

static int matches_writer(const char *selector, const char *name, const char *command,
	const char *outcome, const char *writer)
{
	struct sm_str values[2] = { SM_STR(command), SM_STR(outcome) };
	struct selectable s = { name, 2, labels, values, writer };
	struct selector *sel = NULL;
	char message[256] = "";
	int rc = selector_parse(selector, &sel, message, sizeof(message));

	if (rc < 0)
		fail_msg("%s: %s", selector, message);
	rc = selector_matches(sel, &s);
	/* A family that is not wanted has no series that match. */
	assert_true(!rc || selector_wants_family(sel, name));
	selector_free(sel);
	return rc;
}

static int matches(const char *selector, const char *name, const char *command,
	const char *outcome)
{
	return matches_writer(selector, name, command, outcome, "");
}

static void refused(const char *selector, const char *part)
{
	struct selector *sel = NULL;
	char message[256] = "";

	assert_int_equal(selector_parse(selector, &sel, message, sizeof(message)), -EINVAL);
	if (!strstr(message, part))
		fail_msg("%s: \"%s\" does not say \"%s\"", selector, message, part);
}

static void match__names__whole_prefix_or_any(void **state)
{
	assert_true(matches("c_total", "c_total", "play", "ok"));
	assert_false(matches("c_tota", "c_total", "play", "ok"));
	assert_false(matches("c_total_x", "c_total", "play", "ok"));
	assert_true(matches("c_*", "c_total", "play", "ok"));
	assert_false(matches("d_*", "c_total", "play", "ok"));
	assert_true(matches("*", "c_total", "play", "ok"));
	assert_true(matches(" c_total { } ", "c_total", "play", "ok"));
	assert_true(matches("{__name__=\"c_total\"}", "c_total", "play", "ok"));
	assert_true(matches("{__name__=~\"c_.*\"}", "c_total", "play", "ok"));
	assert_false(matches("{__name__!~\"c_.*\"}", "c_total", "play", "ok"));
	assert_false(matches("c_total{__name__=\"d\"}", "c_total", "play", "ok"));
}

static void match__labels__by_the_four_operators(void **state)
{
	assert_true(matches("c{command=\"play\"}", "c", "play", "ok"));
	assert_false(matches("c{command=\"pla\"}", "c", "play", "ok"));
	assert_true(matches("c{command!=\"skip\",outcome='ok',}", "c", "play", "ok"));
	assert_false(matches("c{command!=\"play\"}", "c", "play", "ok"));
	assert_true(matches("c{command =~ \"pl.*|skip\" , outcome !~ \"e.*\"}", "c", "play", "ok"));
	assert_false(matches("c{command=~\"pla\"}", "c", "play", "ok"));
	assert_false(matches("c{outcome!~\"o.\"}", "c", "play", "ok"));
	assert_true(matches("c{outcome!=\"a\",outcome!=\"b\"}", "c", "play", "ok"));
}

static void match__labels_that_are_not_there__are_empty(void **state)
{
	assert_true(matches("c{shard=\"\"}", "c", "play", "ok"));
	assert_false(matches("c{shard!=\"\"}", "c", "play", "ok"));
	assert_true(matches("c{shard=~\".*\"}", "c", "play", "ok"));
	assert_false(matches("c{shard=~\".+\"}", "c", "play", "ok"));
	assert_true(matches("c{writer=\"\"}", "c", "play", "ok"));
	assert_true(matches_writer("c{writer=\"shard-1\"}", "c", "play", "ok", "shard-1"));
	assert_false(matches_writer("c{writer=\"shard-1\"}", "c", "play", "ok", "shard-10"));
}

static void match__escapes__are_taken_off_values_and_left_to_patterns(void **state)
{
	assert_true(matches("c{command=\"a\\\"b\\\\c\\nx\"}", "c", "a\"b\\c\nx", ""));
	assert_true(matches("c{command='a\"b'}", "c", "a\"b", ""));
	assert_true(matches("c{command=~\"a\\\\.b\"}", "c", "a.b", ""));
	assert_false(matches("c{command=~\"a\\\\.b\"}", "c", "axb", ""));
	assert_true(matches("c{command=~\"a\\.b\"}", "c", "a.b", ""));
	assert_true(matches("c{command=~\"\\d\"}", "c", "7", ""));
	refused("c{command=\"a\\.b\"}", "after a backslash");
}

static void parse__mistakes__say_what_and_where(void **state)
{
	char text[SELECT_TEXT_MAX + 2], *at = text;
	unsigned i;

	refused("", "a name or {");
	refused("{}", "selects everything");
	refused("9a", "a name or {");
	refused("c d", "nothing may follow here, at byte 3");
	refused("c{", "a label's name must stand here, at byte 3");
	refused("c{a", "one of = != =~ !~");
	refused("c{a>\"1\"}", "one of = != =~ !~");
	refused("c{a=1}", "a value in quotes");
	refused("c{a=\"1}", "without its closing quote");
	refused("c{a=\"1\\\"}", "without its closing quote");
	refused("c{a=\"1\" b=\"2\"}", "a comma or }");
	refused("c{a=\"1\"}x", "nothing may follow");
	refused("c{a=~\"(\"}", "the pattern of label a: a ( without its )");
	refused("sum(c)", "nothing may follow here, at byte 4");
	refused("c[5m]", "nothing may follow");
	refused("c{a=\"1\"", "a comma or }");
	at += sprintf(at, "c{");
	for (i = 0; i < 17; i++)
		at += sprintf(at, "l%u=\"\",", i);
	refused(text, "more than 16 labels");
	memset(text, 'c', sizeof(text));
	text[SELECT_TEXT_MAX + 1] = '\0';
	refused(text, "longer than 2048");
}

static void parse__random_bytes__is_parsed_or_refused(void **state)
{
	static const char alphabet[] = "cab{}=~!\"'\\,n *:\n(|)\xc3\xa9";
	struct selector *sel;
	char text[48], message[256];
	uint32_t seed = 3;
	unsigned i, k, n;

	for (i = 0; i < 300000; i++) {
		seed = seed * 1664525 + 1013904223;
		n = (seed >> 24) % 40;
		for (k = 0; k < n; k++) {
			seed = seed * 1664525 + 1013904223;
			text[k] = alphabet[(seed >> 8) % (sizeof(alphabet) - 1)];
		}
		text[n] = '\0';
		if (selector_parse(text, &sel, message, sizeof(message)) == 0)
			selector_free(sel);
		else
			assert_true(strlen(message) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(match__names__whole_prefix_or_any),
		cmocka_unit_test(match__labels__by_the_four_operators),
		cmocka_unit_test(match__labels_that_are_not_there__are_empty),
		cmocka_unit_test(match__escapes__are_taken_off_values_and_left_to_patterns),
		cmocka_unit_test(parse__mistakes__say_what_and_where),
		cmocka_unit_test(parse__random_bytes__is_parsed_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
