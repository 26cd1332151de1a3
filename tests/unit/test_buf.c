/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=realloc
/* Tests of common/buf.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

static int calls_left = -1;	/* of realloc() before it fails; negative: it never does */

void *__real_realloc(void *p, size_t size);

void *__wrap_realloc(void *p, size_t size)
{
	if (calls_left == 0)
		return NULL;
	if (calls_left > 0)
		calls_left--;
	return __real_realloc(p, size);
}

static int setup(void **state)
{
	calls_left = -1;
	return 0;
}

static void text__added_in_pieces__is_whole_and_ends_in_nul(void **state)
{
	struct buf b = { 0 };
	char expected[4016];
	unsigned i;

	for (i = 0; i < 1000; i++) {
		buf_printf(&b, "%03u", i);
		buf_put(&b, "-", 1);
		snprintf(expected + 4ul * i, 16, "%03u-", i);
		assert_int_equal(b.len, 4 * (i + 1));
		assert_int_equal(strlen(b.data), b.len);
		assert_true(b.len < b.cap);
	}
	assert_string_equal(b.data, expected);
	assert_int_equal(b.failed, 0);
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.len + b.cap, 0);
}

static void text__longer_than_the_room__is_printed_whole(void **state)
{
	struct buf b = { 0 };
	char *text;

	buf_puts(&b, "x");
	buf_printf(&b, "%*s", 5000, "y");
	text = buf_take(&b);
	assert_non_null(text);
	assert_int_equal(strlen(text), 5001);
	assert_int_equal(text[5000], 'y');
	assert_null(b.data);
	free(text);
}

static void text__with_nul__keeps_it(void **state)
{
	struct buf b = { 0 };

	buf_put(&b, "a\0b", 3);
	buf_put(&b, NULL, 0);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 4);
	buf_free(&b);
}

static void take__of_nothing__is_the_empty_text(void **state)
{
	struct buf b = { 0 };
	char *text = buf_take(&b);

	assert_string_equal(text, "");
	free(text);
}

static void memory__short__fails_for_good_and_keeps_what_was_there(void **state)
{
	struct buf b = { 0 };

	calls_left = 1;
	buf_puts(&b, "first");
	buf_printf(&b, "%*s", 5000, "");
	assert_int_equal(b.failed, 1);
	assert_string_equal(b.data, "first");
	calls_left = -1;
	buf_puts(&b, "second");
	assert_string_equal(b.data, "first");
	assert_null(buf_take(&b));
	assert_int_equal(b.failed, 0);
}

static void length__beyond_all_memory__fails(void **state)
{
	struct buf b = { 0 };

	buf_puts(&b, "x");
	buf_put(&b, "", SIZE_MAX - 1);
	assert_int_equal(b.failed, 1);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(text__added_in_pieces__is_whole_and_ends_in_nul, setup),
		cmocka_unit_test_setup(text__longer_than_the_room__is_printed_whole, setup),
		cmocka_unit_test_setup(text__with_nul__keeps_it, setup),
		cmocka_unit_test_setup(take__of_nothing__is_the_empty_text, setup),
		cmocka_unit_test_setup(memory__short__fails_for_good_and_keeps_what_was_there, setup),
		cmocka_unit_test_setup(length__beyond_all_memory__fails, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
