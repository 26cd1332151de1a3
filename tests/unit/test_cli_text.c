/* SPDX-License-Identifier: Apache-2.0 */
/* test_cli_text.c - what a terminal may see, and numbers and times as text. */
#include "test_cli.h"

#include <math.h>
#include <stdlib.h>

#include "common/utf8.h"
#include "tools/shardmeter/table.h"
#include "tools/shardmeter/text.h"

static const char *escaped(const char *s, size_t len)
{
	return PRINTED(f, cli_put_text(f, s, len));
}

static void text__plain_and_utf8__is_left_alone(void **state)
{
	static const char s[] = "a b~\\ \"Gr\xc3\xbc\xc3\x9f"
				"e\" \xe6\x97\xa5 \xf0\x9f\x8e\xb5";

	assert_string_equal(escaped(s, strlen(s)), s);
}

static void text__control_characters__are_escaped(void **state)
{
	assert_string_equal(escaped("\x1b[2J\r\n\t\x7f", 8), "\\x1b[2J\\x0d\\x0a\\x09\\x7f");
	assert_string_equal(escaped("a\0b", 3), "a\\x00b");
	/* C1: U+009B is an escape sequence of one character. */
	assert_string_equal(escaped("\xc2\x9b"
				    "2J",
				    4),
		"\\xc2\\x9b2J");
}

static void text__direction_controls__are_escaped(void **state)
{
	assert_string_equal(escaped("\xe2\x80\xae"
				    "x",
				    4),
		"\\xe2\\x80\\xaex");
	assert_string_equal(escaped("\xe2\x81\xa6", 3), "\\xe2\\x81\\xa6");
	assert_string_equal(escaped("\xe2\x80\x8f", 3), "\\xe2\\x80\\x8f");
	assert_string_equal(escaped("\xe2\x80\xa8", 3), "\\xe2\\x80\\xa8");
}

static void text__not_utf8__is_escaped_byte_by_byte(void **state)
{
	assert_string_equal(escaped("\xff", 1), "\\xff");
	assert_string_equal(escaped("\xc3", 1), "\\xc3");
	assert_string_equal(escaped("\xc3(", 2), "\\xc3(");
	assert_string_equal(escaped("\xe6\x97", 2), "\\xe6\\x97");
	assert_string_equal(escaped("\xc0\x80", 2), "\\xc0\\x80");
	assert_string_equal(escaped("\xed\xa0\x80", 3), "\\xed\\xa0\\x80");
	assert_string_equal(escaped("\xf5\x80\x80\x80", 4), "\\xf5\\x80\\x80\\x80");
}

static void text__every_two_bytes__print_only_harmless_ones(void **state)
{
	char s[2];
	const char *out;
	uint32_t cp = 0;
	size_t n;

	for (unsigned i = 0; i < 65536; i++) {
		s[0] = (char)(i >> 8);
		s[1] = (char)i;
		out = escaped(s, 2);
		for (size_t at = 0; out[at]; at += n) {
			n = utf8_next(out + at, strlen(out + at), &cp);
			assert_true(n > 0);
			assert_true(cp >= 0x20 && cp != 0x7f && !(cp >= 0x80 && cp < 0xa0));
		}
	}
}

static void time__utc__has_milliseconds(void **state)
{
	char t[CLI_TEXT_MAX];

	cli_utc(0, t);
	assert_string_equal(t, "1970-01-01T00:00:00.000Z");
	cli_utc(UINT64_C(1795180867123456789), t);
	assert_string_equal(t, "2026-11-20T13:21:07.123Z");
	cli_utc(UINT64_MAX, t);
	assert_string_equal(t, "2554-07-21T23:34:33.709Z");
}

static void age__each_range__has_its_form(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} table[] = { { 0, "0.0s" }, { 449000000, "0.4s" }, { UINT64_C(59999999999), "59.9s" },
		{ UINT64_C(60000000000), "1m00s" }, { UINT64_C(221000000000), "3m41s" },
		{ UINT64_C(7500000000000), "2h05m" }, { UINT64_C(1062000000000000), "12d07h" } };
	char t[CLI_TEXT_MAX];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		cli_age(table[i].ns, t);
		assert_string_equal(t, table[i].text);
	}
	cli_plain_seconds(UINT64_C(221004999999), t);
	assert_string_equal(t, "221.004");
}

static void bytes__each_size__has_its_unit(void **state)
{
	char t[CLI_TEXT_MAX];

	cli_bytes(1023, t);
	assert_string_equal(t, "1023 B");
	cli_bytes(1024, t);
	assert_string_equal(t, "1.0 KiB");
	cli_bytes(3 << 19, t);
	assert_string_equal(t, "1.5 MiB");
	cli_bytes(UINT64_MAX, t);
	assert_string_equal(t, "16.0 EiB");
}

static void value__integers__are_exact(void **state)
{
	char t[CLI_TEXT_MAX];

	cli_value(&(struct sm_value){ .is_set = 1, .is_integer = 1, .units = UINT64_MAX }, t);
	assert_string_equal(t, "18446744073709551615");
	cli_value(
		&(struct sm_value){ .is_set = 1, .is_integer = 1, .units = 1500000, .decimals = 6 },
		t);
	assert_string_equal(t, "1.5");
	cli_value(
		&(struct sm_value){
			.is_set = 1, .is_integer = 1, .is_signed = 1, .units = (uint64_t)-7 },
		t);
	assert_string_equal(t, "-7");
	cli_value(&(struct sm_value){ .is_set = 1,
			  .is_integer = 1,
			  .is_signed = 1,
			  .units = (uint64_t)INT64_MIN },
		t);
	assert_string_equal(t, "-9223372036854775808");
	cli_value(&(struct sm_value){ .is_set = 1, .value = -INFINITY }, t);
	assert_string_equal(t, "-Inf");
	cli_value(&(struct sm_value){ .is_set = 0, .value = 1 }, t);
	assert_string_equal(t, "");
}

static void sum__128_bits__is_exact(void **state)
{
	struct sm_sum sum = { .is_integer = 1, .decimals = 9, .units = (sm_u128)UINT64_MAX * 1000 };
	char t[CLI_TEXT_MAX];

	cli_sum(&sum, t);
	assert_string_equal(t, "18446744073709.551615");
}

static void series__text__is_that_of_the_exposition(void **state)
{
	const char *labels[] = { "a", "b" };
	struct sm_str values[] = { { "x\"\\\ny", 5 }, { "", 0 } };
	struct sm_family_info family = { .name = "n", .nlabels = 2, .labels = labels };
	struct sm_series_info series = { .values = values };
	char *text = cli_series_text(&family, &series, "");

	assert_string_equal(text, "n{a=\"x\\\"\\\\\\ny\",b=\"\"}");
	free(text);
	family.nlabels = 0;
	text = cli_series_text(&family, &series, "");
	assert_string_equal(text, "n");
	free(text);
	text = cli_series_text(&family, &series, "a\"b");
	assert_string_equal(text, "n{writer=\"a\\\"b\"}");
	free(text);
}

static void kind__out_of_range__is_unknown(void **state)
{
	assert_string_equal(cli_kind(SM_UPDOWN), "updown");
	assert_string_equal(cli_kind((enum sm_kind)77), "unknown");
	assert_string_equal(cli_mode(SM_MODE_ALL), "all");
	assert_string_equal(cli_mode((enum sm_gauge_mode)77), "unknown");
	assert_int_equal(cli_mode_find("mostrecent"), SM_MODE_MOSTRECENT);
	assert_int_equal(cli_mode_find("no"), -1);
}

static void table__not_a_terminal__is_tabs_and_plain_numbers(void **state)
{
	static const char *const headers[] = { "A", "B", "C" };
	static struct capture cap;
	struct cli_table t;
	int rc;

	capture_begin(&cap, stdout);
	cli_table_init(&t, 3, headers, "lrr");
	cli_table_cell(&t, "x\ty\n");
	cli_table_bytes(&t, 4096);
	cli_table_age(&t, UINT64_C(61500000000));
	cli_table_cell(&t, "");
	cli_table_number(&t, UINT64_MAX);
	cli_table_cell2(&t, "people", "scripts");
	rc = cli_table_print(&test_cli, &t);
	assert_string_equal(
		capture_end(&cap), "x\\x09y\\x0a\t4096\t61.500\n\t18446744073709551615\tscripts\n");
	assert_int_equal(rc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text__plain_and_utf8__is_left_alone),
		cmocka_unit_test(text__control_characters__are_escaped),
		cmocka_unit_test(text__direction_controls__are_escaped),
		cmocka_unit_test(text__not_utf8__is_escaped_byte_by_byte),
		cmocka_unit_test(text__every_two_bytes__print_only_harmless_ones),
		cmocka_unit_test(time__utc__has_milliseconds),
		cmocka_unit_test(age__each_range__has_its_form),
		cmocka_unit_test(bytes__each_size__has_its_unit),
		cmocka_unit_test(value__integers__are_exact),
		cmocka_unit_test(sum__128_bits__is_exact),
		cmocka_unit_test(series__text__is_that_of_the_exposition),
		cmocka_unit_test(kind__out_of_range__is_unknown),
		cmocka_unit_test(table__not_a_terminal__is_tabs_and_plain_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
