/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libshm/clean.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "clean.h"

static const char *clean(const char *from, size_t n)
{
	static char out[64];
	size_t len = sm_clean_text(out, from, n);

	assert_int_equal(len, strlen(out));
	assert_true(len <= n);
	return out;
}

static void clean__plain_text__unchanged(void **state)
{
	assert_string_equal(clean("shard-3", 7), "shard-3");
	assert_string_equal(clean("", 0), "");
	assert_string_equal(clean("Zürich 東京 \xf0\x9f\x8e\xb5", 19), "Zürich 東京 \xf0\x9f\x8e\xb5");
}

static void clean__control_characters__question_marks(void **state)
{
	assert_string_equal(clean("a\x1b[31mb\n\t\x7f", 10), "a?[31mb???");
	assert_string_equal(clean("a\0b", 3), "a?b");
	/* C1 as UTF-8: CSI in one character. A no-break space is none. */
	assert_string_equal(clean("x\xc2\x9b" "31m", 6), "x?31m");
	assert_string_equal(clean("x\xc2\xa0y", 4), "x\xc2\xa0y");
}

static void clean__malformed_utf8__one_mark_a_byte(void **state)
{
	assert_string_equal(clean("a\xff" "b", 3), "a?b");
	assert_string_equal(clean("\xc3", 1), "?");
	assert_string_equal(clean("\xe2\x82", 2), "??");
	assert_string_equal(clean("\xc0\xaf", 2), "??");
	assert_string_equal(clean("\xed\xa0\x80", 3), "???");
	assert_string_equal(clean("\xf4\x90\x80\x80", 4), "????");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean__plain_text__unchanged),
		cmocka_unit_test(clean__control_characters__question_marks),
		cmocka_unit_test(clean__malformed_utf8__one_mark_a_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
