/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that is written piece by piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/json_out.h"

static struct buf b;
static struct json_out j;

static int setup(void **state)
{
	j = (struct json_out){ .b = &b };
	return 0;
}

static int teardown(void **state)
{
	buf_free(&b);
	return 0;
}

static void write__nested__has_commas_where_they_belong(void **state)
{
	json_open(&j, NULL, '{');
	json_u64(&j, "a", 1);
	json_open(&j, "b", '[');
	json_close(&j, ']');
	json_open(&j, "c", '[');
	json_null(&j, NULL);
	json_open(&j, NULL, '{');
	json_close(&j, '}');
	json_bool(&j, NULL, 1);
	json_close(&j, ']');
	json_bool(&j, "d", 0);
	json_close(&j, '}');
	assert_string_equal(b.data, "{\"a\":1,\"b\":[],\"c\":[null,{},true],\"d\":false}");
}

static void text__hostile_bytes__become_valid(void **state)
{
	json_text(&j, "k\"", "a\"\\\n\x1b[31m\xff \xc3\xa9 \xe2\x80\xae\x7f");
	json_text_n(&j, "", "a\0b", 3);
	assert_string_equal(b.data, "\"k\\\"\":\"a\\\"\\\\\\u000a\\u001b[31m\\ufffd \xc3\xa9 "
		"\\u202e\\u007f\",\"\":\"a\\u0000b\"");
}

static void number__fixed_point__is_exact(void **state)
{
	static const struct {
		uint64_t v;
		unsigned decimals;
		const char *text;
	} table[] = {
		{ 0, 0, "0" }, { 0, 9, "0" }, { 7, 0, "7" }, { 1500000000, 9, "1.5" },
		{ 1, 9, "0.000000001" }, { 1000000000, 9, "1" }, { 120, 2, "1.2" },
		{ 100, 0, "100" }, { UINT64_MAX, 0, "18446744073709551615" },
		{ UINT64_MAX, 9, "18446744073.709551615" },
		{ UINT64_MAX, 20, "0.18446744073709551615" },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		buf_free(&b);
		j.more = 0;
		json_fixed(&j, NULL, table[i].v, table[i].decimals);
		assert_string_equal(b.data, table[i].text);
	}
}

static void time__ns_since_1970__is_rfc3339(void **state)
{
	json_time(&j, NULL, 0);
	json_time(&j, NULL, UINT64_C(1795180867250999999));
	json_seconds(&j, NULL, 2500000);
	json_time(&j, NULL, UINT64_MAX);
	assert_string_equal(b.data, "null,\"2026-11-20T13:21:07.250Z\",0.0025,"
		"\"2554-07-21T23:34:33.709Z\"");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(write__nested__has_commas_where_they_belong),
		TEST(text__hostile_bytes__become_valid),
		TEST(number__fixed_point__is_exact),
		TEST(time__ns_since_1970__is_rfc3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
