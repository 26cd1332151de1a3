/* SPDX-License-Identifier: Apache-2.0 */
/* test_normalise.c - ids in label values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "writer.h"

/* The normal form in a buffer of exactly `size` bytes, so that a sanitizer sees a byte too many. */
static void assert_normal_in(const char *value, size_t len, size_t size, const char *expected)
{
	char *text = malloc(size ? size : 1);
	size_t n;

	assert_non_null(text);
	n = normalise((struct sm_str){ value, len }, text, size);
	assert_true(n <= size);
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(text, expected, n);
	free(text);
}

static void assert_normal(const char *value, const char *expected)
{
	assert_normal_in(value, strlen(value), SM_LABEL_VALUE_MAX, expected);
	/* Normal forms are their own. */
	assert_normal_in(expected, strlen(expected), SM_LABEL_VALUE_MAX, expected);
}

static void value__with_ids__loses_them(void **state)
{
	assert_normal("42", ":id");
	assert_normal("80351110224678912", ":id");
	assert_normal("guild-80351110224678912/channel-7", "guild-:id/channel-:id");
	assert_normal("/users/42/orders/7", "/users/:id/orders/:id");
	assert_normal("550e8400-e29b-41d4-a716-446655440000", ":id");
	assert_normal("550E8400-E29B-41D4-A716-446655440000", ":id");
	assert_normal("req 550e8400-e29b-41d4-a716-446655440000!", "req :id!");
	assert_normal("9f86d081884c7d659a2feaa0c55ad015", ":id");
	assert_normal("blob/9f86d081", "blob/:id");
	assert_normal("0x1f", ":id");
	assert_normal("0XdeadBEEF", ":id");
	assert_normal("01ARZ3NDEKTSV4RRFFQ69G5FAV", ":id");
	assert_normal("shard12_user345", "shard:id_user:id");
	assert_normal("1.5", ":id.:id");
	assert_normal("1a1", ":ida:id");
}

static void value__without_ids__is_copied(void **state)
{
	assert_normal("", "");
	assert_normal("general", "general");
	assert_normal("facade", "facade");
	assert_normal("deadbeef", "deadbeef");
	assert_normal("0x", ":idx");	/* no number follows */
	assert_normal("a-very-long-word-that-has-no-digit-at-all",
		"a-very-long-word-that-has-no-digit-at-all");
	assert_normal("internationalizations", "internationalizations");
	assert_normal("gr\xc3\xbc\xc3\x9f dich \xe6\x9d\xb1\xe4\xba\xac",
		"gr\xc3\xbc\xc3\x9f dich \xe6\x9d\xb1\xe4\xba\xac");
	assert_normal(":id", ":id");
}

static void value__nearly_a_uuid__is_taken_word_by_word(void **state)
{
	assert_normal("550e8400-e29b-41d4-a716-44665544000", ":id-e:idb-:idd:id-a:id-:id");
	assert_normal("550e8400-e29b-41d4-a716-446655440000f", ":id-e:idb-:idd:id-a:id-:id");
	assert_normal("550e8400-e29b-41d4-a716-44665544000g", ":id-e:idb-:idd:id-a:id-:idg");
	assert_normal("550e8400_e29b_41d4_a716_446655440000", ":id_e:idb_:idd:id_a:id_:id");
}

static void value__too_long_for_the_buffer__is_cut_between_pieces(void **state)
{
	assert_normal_in("7", 1, 2, "");
	assert_normal_in("7", 1, 3, ":id");
	assert_normal_in("a 7 b", 5, 4, "a ");
	assert_normal_in("a 7 b", 5, 5, "a :id");
	assert_normal_in("\xe6\x9d\xb1\xe4\xba\xac", 6, 5, "\xe6\x9d\xb1");
	assert_normal_in("abc", 3, 0, "");
}

static void value__of_any_bytes__has_no_digit_left(void **state)
{
	static const char bytes[] = "0123456789abcdefxXG-/:_ \xc3\xa9\x80\xff";
	char value[64], text[SM_LABEL_VALUE_MAX], again[SM_LABEL_VALUE_MAX];
	unsigned seed = 3, round;
	size_t len, n, i;

	for (round = 0; round < 50000; round++) {
		len = (size_t)rand_r(&seed) % sizeof(value);
		for (i = 0; i < len; i++)
			value[i] = bytes[(size_t)rand_r(&seed) % (sizeof(bytes) - 1)];
		n = normalise((struct sm_str){ value, len }, text, sizeof(text));
		assert_true(n <= 2 * len + 2);
		for (i = 0; i < n; i++)
			assert_false(text[i] >= '0' && text[i] <= '9');
		assert_int_equal(normalise((struct sm_str){ text, n }, again, sizeof(again)), n);
		assert_memory_equal(again, text, n);
	}
}

static void label__by_name__is_normalised_by_default(void **state)
{
	assert_true(normalise_default("user"));
	assert_true(normalise_default("guild"));
	assert_true(normalise_default("channel"));
	assert_true(normalise_default("shard_id"));
	assert_true(normalise_default("user_id"));
	assert_false(normalise_default("_id"));
	assert_false(normalise_default("users"));
	assert_false(normalise_default("command"));
	assert_false(normalise_default("id"));
	assert_false(normalise_default("grid"));
	assert_false(normalise_default(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value__with_ids__loses_them),
		cmocka_unit_test(value__without_ids__is_copied),
		cmocka_unit_test(value__nearly_a_uuid__is_taken_word_by_word),
		cmocka_unit_test(value__too_long_for_the_buffer__is_cut_between_pieces),
		cmocka_unit_test(value__of_any_bytes__has_no_digit_left),
		cmocka_unit_test(label__by_name__is_normalised_by_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
