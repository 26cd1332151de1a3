/* SPDX-License-Identifier: Apache-2.0 */
/* test_cli_json.c - JSON and CSV. What Python's parsers think of it is in
 * tests/system/test_cli.py. */
#include "test_cli.h"

#include <math.h>

#include "tools/shardmeter/json.h"

static void json__objects_and_arrays__have_their_commas(void **state)
{
	const char *text = PRINTED(f, {
		struct cli_json j = { .f = f };

		cli_json_open(&j, NULL, '{');
		cli_json_u64(&j, "n", UINT64_MAX);
		cli_json_open(&j, "empty", '[');
		cli_json_close(&j, ']');
		cli_json_open(&j, "list", '[');
		cli_json_text(&j, NULL, "a");
		cli_json_open(&j, NULL, '{');
		cli_json_bool(&j, "yes", true);
		cli_json_close(&j, '}');
		cli_json_null(&j, NULL);
		cli_json_close(&j, ']');
		cli_json_bool(&j, "no", false);
		cli_json_close(&j, '}');
	});

	assert_string_equal(text,
		"{\"n\":18446744073709551615,\"empty\":[],\"list\":[\"a\",{\"yes\":true},null],"
		"\"no\":false}\n");
}

static void json__indented__has_lines_for_the_upper_levels(void **state)
{
	const char *text = PRINTED(f, {
		struct cli_json j = { .f = f, .indent = true };

		cli_json_open(&j, NULL, '{');
		cli_json_u64(&j, "a", 1);
		cli_json_open(&j, "b", '[');
		cli_json_u64(&j, NULL, 2);
		cli_json_close(&j, ']');
		cli_json_close(&j, '}');
	});

	assert_string_equal(text, "{\n \"a\":1,\n \"b\":[\n  2\n ]\n}\n");
}

static const char *one_text(const char *s, size_t len)
{
	return PRINTED(f, {
		struct cli_json j = { .f = f };

		cli_json_open(&j, NULL, '[');
		cli_json_text_n(&j, NULL, s, len);
		cli_json_close(&j, ']');
	});
}

static void json__text__is_valid_whatever_the_bytes(void **state)
{
	assert_string_equal(one_text("q\"\\/", 4), "[\"q\\\"\\\\/\"]\n");
	assert_string_equal(one_text("\0\n\x1f\x7f", 4), "[\"\\u0000\\u000a\\u001f\\u007f\"]\n");
	assert_string_equal(one_text("\xc2\x85\xe2\x80\xa8", 5), "[\"\\u0085\\u2028\"]\n");
	assert_string_equal(
		one_text("\xff\xc3\xa4\xe6\x97", 5), "[\"\\ufffd\xc3\xa4\\ufffd\\ufffd\"]\n");
}

static const char *one_double(double v)
{
	return PRINTED(f, {
		struct cli_json j = { .f = f };

		cli_json_open(&j, NULL, '[');
		cli_json_double(&j, NULL, v);
		cli_json_close(&j, ']');
	});
}

static void json__numbers__are_numbers_or_strings(void **state)
{
	assert_string_equal(one_double(0.25), "[0.25]\n");
	assert_string_equal(one_double(1e21), "[1e+21]\n");
	assert_string_equal(one_double(-3), "[-3]\n");
	assert_string_equal(one_double(NAN), "[\"NaN\"]\n");
	assert_string_equal(one_double(INFINITY), "[\"+Inf\"]\n");
	assert_string_equal(one_double(-INFINITY), "[\"-Inf\"]\n");
}

static void json__absent__is_null(void **state)
{
	const char *text = PRINTED(f, {
		struct cli_json j = { .f = f };

		cli_json_open(&j, NULL, '{');
		cli_json_number(&j, "v", "");
		cli_json_time(&j, "t", 0);
		cli_json_time(&j, "u", UINT64_C(1500000000));
		cli_json_seconds(&j, "s", UINT64_C(1500000000));
		cli_json_close(&j, '}');
	});

	assert_string_equal(
		text, "{\"v\":null,\"t\":null,\"u\":\"1970-01-01T00:00:01.500Z\",\"s\":1.500}\n");
}

static void csv__fields__are_quoted_where_rfc_4180_says(void **state)
{
	const char *text = PRINTED(f, {
		cli_csv_field(f, true, "plain", 5);
		cli_csv_field(f, false, "", 0);
		cli_csv_field(f, false, "a,b", 3);
		cli_csv_field(f, false, "say \"hi\"", 8);
		cli_csv_field(f, false, "1\r\n2", 4);
		cli_csv_end(f);
	});

	assert_string_equal(text, "plain,,\"a,b\",\"say \"\"hi\"\"\",\"1\r\n2\"\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json__objects_and_arrays__have_their_commas),
		cmocka_unit_test(json__indented__has_lines_for_the_upper_levels),
		cmocka_unit_test(json__text__is_valid_whatever_the_bytes),
		cmocka_unit_test(json__numbers__are_numbers_or_strings),
		cmocka_unit_test(json__absent__is_null),
		cmocka_unit_test(csv__fields__are_quoted_where_rfc_4180_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
