/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of common/json.c and of what common/utf8.c hides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/utf8.h"

/* The text as it stands between the quotes. */
static const char *json(const char *s, size_t len)
{
	static char all[256];
	char one[JSON_CHAR];
	size_t n;

	all[0] = '\0';
	for (; len; s += n, len -= n) {
		n = json_next(s, len, one);
		assert_true(n >= 1 && n <= len);
		assert_true(strlen(all) + strlen(one) < sizeof(all));
		strcat(all, one);
	}
	return all;
}

static void text__plain__stays_as_it_is(void **state)
{
	assert_string_equal(json("", 0), "");
	assert_string_equal(json("a b/~", 5), "a b/~");
	assert_string_equal(json("\xc3\xa4\xe6\x97\xa5\xf0\x9f\x8e\xb5", 9),
		"\xc3\xa4\xe6\x97\xa5\xf0\x9f\x8e\xb5");
}

static void text__special__is_escaped(void **state)
{
	assert_string_equal(json("a\"b\\c", 5), "a\\\"b\\\\c");
	assert_string_equal(json("\n\t\x1b\x7f", 4), "\\u000a\\u0009\\u001b\\u007f");
	assert_string_equal(json("a\0b", 3), "a\\u0000b");
	assert_string_equal(json("\xc2\x9b", 2), "\\u009b");
	assert_string_equal(json("\xe2\x80\xae\xef\xbb\xbf", 6), "\\u202e\\ufeff");
	/* Beyond 16 bits: two surrogates. */
	assert_string_equal(json("\xf3\xa0\x81\x81", 4), "\\udb40\\udc41");
}

static void text__not_utf8__is_one_mark_a_byte(void **state)
{
	assert_string_equal(json("\xff", 1), "\\ufffd");
	assert_string_equal(json("a\xe2\x82", 3), "a\\ufffd\\ufffd");
	assert_string_equal(json("\xed\xa0\x80", 3), "\\ufffd\\ufffd\\ufffd");
	assert_string_equal(json("\xc3(", 2), "\\ufffd(");
}

static void character__of_every_code_point__comes_back_or_is_hidden(void **state)
{
	unsigned hidden = 0;
	uint32_t c, code;
	char s[4], one[JSON_CHAR];
	size_t n;

	for (c = 0x80; c < 0x110000; c++) {
		n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		s[0] = (char)(n == 2 ? 0xc0 | c >> 6 : n == 3 ? 0xe0 | c >> 12 : 0xf0 | c >> 18);
		s[n - 1] = (char)(0x80 | (c & 0x3f));
		s[n - 2] = n > 2 ? (char)(0x80 | (c >> 6 & 0x3f)) : s[0];
		if (n == 4)
			s[1] = (char)(0x80 | (c >> 12 & 0x3f));
		if (c >= 0xd800 && c < 0xe000) {
			assert_int_equal(utf8_next(s, n, &code), 0);
			continue;
		}
		assert_int_equal(utf8_next(s, n, &code), n);
		assert_int_equal(code, c);
		assert_int_equal(utf8_next(s, n - 1, &code), 0);
		assert_int_equal(json_next(s, n, one), n);
		if (utf8_is_hidden(c)) {
			assert_memory_equal(one, "\\u", 2);
			hidden++;
		} else {
			assert_true(strlen(one) == n && memcmp(one, s, n) == 0);
		}
	}
	/* 32 C1 characters, the 4,096 of the tags, and few others. */
	assert_true(hidden > 32 + 4096 && hidden < 32 + 4096 + 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text__plain__stays_as_it_is),
		cmocka_unit_test(text__special__is_escaped),
		cmocka_unit_test(text__not_utf8__is_one_mark_a_byte),
		cmocka_unit_test(character__of_every_code_point__comes_back_or_is_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
