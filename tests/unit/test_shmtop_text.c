/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/text.c: nothing dangerous reaches a terminal, numbers fit their columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shmtop/text.h"

static void assert_escaped(const char *text, size_t len, unsigned flags, const char *expected)
{
	struct buf b = { 0 };

	top_escape(&b, text, len, flags);
	assert_false(b.failed);
	assert_string_equal(b.data ? b.data : "", expected);
	buf_free(&b);
}

#define ESCAPED(text, flags, expected) assert_escaped(text, sizeof(text) - 1, flags, expected)

static void escape__plain_text__stays(void **state)
{
	ESCAPED("commands_total", 0, "commands_total");
	ESCAPED("", 0, "");
	ESCAPED("na\xc3\xafve \xe6\xbc\xa2", 0, "na\xc3\xafve \xe6\xbc\xa2");
}

static void escape__controls__become_hex(void **state)
{
	ESCAPED("a\x1b[2Jb", 0, "a\\x1b[2Jb");
	ESCAPED("a\0b\r\n\t\x7f", 0, "a\\x00b\\x0d\\x0a\\x09\\x7f");
	/* C1: U+009B is CSI in one character. */
	ESCAPED("\xc2\x9b" "2J", 0, "\\xc2\\x9b2J");
}

static void escape__direction_and_invisible__become_hex(void **state)
{
	ESCAPED("\xe2\x80\xae" "abc", 0, "\\xe2\\x80\\xaeabc");	/* U+202E */
	ESCAPED("\xe2\x81\xa6", 0, "\\xe2\\x81\\xa6");		/* U+2066 */
	ESCAPED("\xd8\x9c", 0, "\\xd8\\x9c");			/* U+061C */
	ESCAPED("\xe2\x80\x8b", 0, "\\xe2\\x80\\x8b");		/* zero width space */
	ESCAPED("\xf3\xa0\x81\x81", 0, "\\xf3\\xa0\\x81\\x81");	/* a tag character */
}

static void escape__invalid_utf8__becomes_hex(void **state)
{
	ESCAPED("\xff\xfe", 0, "\\xff\\xfe");
	ESCAPED("\xc0\xaf", 0, "\\xc0\\xaf");			/* overlong */
	ESCAPED("\xed\xa0\x80", 0, "\\xed\\xa0\\x80");		/* a surrogate */
	ESCAPED("\xf4\x90\x80\x80", 0, "\\xf4\\x90\\x80\\x80");	/* beyond U+10FFFF */
	ESCAPED("a\xe6\xbc", 0, "a\\xe6\\xbc");			/* cut */
}

static void escape__flags__do_what_they_say(void **state)
{
	ESCAPED("na\xc3\xafve", TOP_ESCAPE_ASCII, "na\\xc3\\xafve");
	ESCAPED("a\"b\\c\nx", TOP_ESCAPE_QUOTE, "a\\\"b\\\\c\\nx");
	setlocale(LC_CTYPE, "C");
	ESCAPED("na\xc3\xafve", TOP_ESCAPE_UTF8, "na\xc3\xafve");
	setlocale(LC_CTYPE, "C.UTF-8");
}

static void escape__every_code_point__is_never_dangerous(void **state)
{
	struct buf b = { 0 };
	uint32_t c, d;
	char utf8[4];
	size_t i, used;

	for (c = 0; c < 0x110000; c++) {
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		b.len = 0;
		top_escape(&b, utf8, top_utf8_encode(c, utf8), 0);
		assert_true(b.len >= 1);
		for (i = 0; i < b.len; i += used) {
			used = top_utf8_decode(b.data + i, b.len - i, &d);
			if (d == UINT32_MAX || d < 0x20 || (d >= 0x7f && d < 0xa0) ||
			    (d >= 0x202a && d <= 0x202e) || (d >= 0x2066 && d <= 0x2069))
				fail_msg("U+%04X comes out as U+%04X", c, d);
		}
	}
	buf_free(&b);
}

static void utf8__every_code_point__round_trips(void **state)
{
	uint32_t c, d;
	char utf8[4];
	size_t n;

	for (c = 0; c < 0x110000; c++) {
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		n = top_utf8_encode(c, utf8);
		assert_int_equal(top_utf8_decode(utf8, n, &d), n);
		assert_int_equal(c, d);
		if (n > 1) {
			assert_int_equal(top_utf8_decode(utf8, n - 1, &d), 1);
			assert_int_equal(d, UINT32_MAX);
		}
	}
}

static void assert_json(const char *text, const char *expected)
{
	struct buf b = { 0 };

	top_json_string(&b, text);
	assert_string_equal(b.data, expected);
	buf_free(&b);
}

static void json__awkward_text__is_valid(void **state)
{
	assert_json("", "\"\"");
	assert_json("a\"b\\c\n\x1b", "\"a\\\"b\\\\c\\u000a\\u001b\"");
	assert_json("na\xc3\xafve", "\"na\xc3\xafve\"");
	assert_json("\xff", "\"\\ufffd\"");
	assert_json("\xe2\x80\xae\xc2\x9b\x7f", "\"\\u202e\\u009b\\u007f\"");
	assert_json("\xf3\xa0\x81\x81", "\"\\udb40\\udc41\"");
}

static void width__wide_and_combining__counts_columns(void **state)
{
	assert_int_equal(top_width("abc"), 3);
	assert_int_equal(top_width("\xe6\xbc\xa2"), 2);		/* a CJK character */
	assert_int_equal(top_width("e\xcc\x81"), 1);		/* e and an acute accent */
	assert_int_equal(top_width("\xe2\x96\x81"), 1);		/* a block element */
}

static void assert_cut(const char *text, int width, const char *expected)
{
	char cut[200];

	top_cut_middle(text, width, "\xe2\x80\xa6", cut, sizeof(cut));
	assert_string_equal(cut, expected);
	assert_true(top_width(cut) <= width || width < 0);
}

static void cut__long_text__keeps_both_ends(void **state)
{
	assert_cut("abcdefgh", 8, "abcdefgh");
	assert_cut("abcdefgh", 7, "abc\xe2\x80\xa6" "fgh");
	assert_cut("abcdefgh", 4, "ab\xe2\x80\xa6h");
	assert_cut("abcdefgh", 2, "ab");
	assert_cut("abcdefgh", 0, "");
	/* A wide character that does not fit is left out whole; a mark stays with its letter. */
	assert_cut("\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", 6,
		   "\xe6\xbc\xa2\xe2\x80\xa6\xe6\xbc\xa2");
	assert_cut("abcdefge\xcc\x81", 4, "ab\xe2\x80\xa6" "e\xcc\x81");
}

static void cut__any_width__fits(void **state)
{
	static const char text[] = "a\xe6\xbc\xa2" "be\xcc\x81" "c\xe6\xbc\xa2\xe6\xbc\xa2z";
	char cut[200];
	int w;

	for (w = 0; w < 20; w++) {
		top_cut_middle(text, w, "..", cut, sizeof(cut));
		assert_true(top_width(cut) <= w);
	}
}

static void assert_quantity(double v, const char *unit, const char *expected)
{
	char text[TOP_NUMBER];

	top_format_quantity(v, unit, "u", text);
	assert_string_equal(text, expected);
}

static void quantity__seconds__are_scaled(void **state)
{
	assert_quantity(0, "seconds", "0");
	assert_quantity(12e-9, "seconds", "12ns");
	assert_quantity(1.5e-6, "seconds", "1.50us");
	assert_quantity(0.022, "seconds", "22.0ms");
	assert_quantity(0.164, "seconds", "164ms");
	assert_quantity(0.99949, "seconds", "999ms");
	assert_quantity(0.99951, "seconds", "1.00s");
	assert_quantity(1.25, "seconds", "1.25s");
	assert_quantity(59.99, "seconds", "60.0s");
	assert_quantity(221, "seconds", "3m41s");
	assert_quantity(7500, "seconds", "2h05m");
	assert_quantity(86400 * 12 + 3600 * 3, "seconds", "12d3h");
	assert_quantity(-0.5, "seconds", "-500ms");
}

static void quantity__others__are_scaled(void **state)
{
	assert_quantity(512, "bytes", "512B");
	assert_quantity(1023, "bytes", "1.0KiB");
	assert_quantity(1.2 * 1048576, "bytes", "1.2MiB");
	assert_quantity(98.0 * 1073741824, "bytes", "98GiB");
	assert_quantity(0.125, "ratio", "12.5%");
	assert_quantity(1234567, "", "1234567");
	assert_quantity(12345678, "", "12.3M");
	assert_quantity(999.6e6, "", "1.00G");
	assert_quantity(3.14159, "volts", "3.14");
	assert_quantity(1234.5, "", "1234");
	assert_quantity(1e-5, "", "1e-05");
	assert_quantity(NAN, "", "NaN");
	assert_quantity(-INFINITY, "seconds", "-Inf");
}

static void quantity__any_number__fits_its_column(void **state)
{
	static const char *const units[] = { "", "seconds", "bytes", "ratio" };
	char text[TOP_NUMBER];
	double v;
	size_t u;
	int e, k;

	for (u = 0; u < 4; u++) {
		for (e = -30; e <= 60; e++) {
			for (k = 0; k < 200; k++) {
				v = (1 + k * 0.04999) * pow(10, e);
				top_format_quantity(v, units[u], "u", text);
				if (strlen(text) > 7)
					fail_msg("%g %s: \"%s\"", v, units[u], text);
				top_format_quantity(-v, units[u], "u", text);
				assert_true(strlen(text) <= 8);
			}
		}
	}
}

static void age__grows__changes_unit(void **state)
{
	char text[TOP_NUMBER];

	top_format_age(400000000, text);
	assert_string_equal(text, "0.4s");
	top_format_age(UINT64_C(14200000000), text);
	assert_string_equal(text, "14s");
	top_format_age(UINT64_C(221000000000), text);
	assert_string_equal(text, "3m41s");
	top_format_age(UINT64_MAX, text);
	assert_true(strlen(text) < 16);
}

static int use_utf8(void **state)
{
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escape__plain_text__stays),
		cmocka_unit_test(escape__controls__become_hex),
		cmocka_unit_test(escape__direction_and_invisible__become_hex),
		cmocka_unit_test(escape__invalid_utf8__becomes_hex),
		cmocka_unit_test(escape__flags__do_what_they_say),
		cmocka_unit_test(escape__every_code_point__is_never_dangerous),
		cmocka_unit_test(utf8__every_code_point__round_trips),
		cmocka_unit_test(json__awkward_text__is_valid),
		cmocka_unit_test(width__wide_and_combining__counts_columns),
		cmocka_unit_test(cut__long_text__keeps_both_ends),
		cmocka_unit_test(cut__any_width__fits),
		cmocka_unit_test(quantity__seconds__are_scaled),
		cmocka_unit_test(quantity__others__are_scaled),
		cmocka_unit_test(quantity__any_number__fits_its_column),
		cmocka_unit_test(age__grows__changes_unit),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
