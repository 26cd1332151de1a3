/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hash.c - the hash that is part of the format: the values that segments of layout 1 hold,
 * no read beyond the string, and few collisions among label values as they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hash.h"

#define HASH_EMPTY UINT64_C(0x8dd9092e2a448508)
#define HASH_A UINT64_C(0x14577709d4798899)
#define HASH_ABCD UINT64_C(0x5ab515456bec8f98)
#define HASH_COMMANDS UINT64_C(0xbb5553c016bf0812)
#define HASH_LONG UINT64_C(0x8c7d737e5f6950a1)
#define HASH_SERIES UINT64_C(0x1b38a3bba65f2a40)
#define HASH_NO_LABELS UINT64_C(0xc2b2ae3d27d4eb4f)

static uint64_t of(const char *text)
{
	return sm_hash_bytes(SM_HASH_K1, text, strlen(text));
}

/* These may never change within a layout major: families in a segment are found by them. */
static void hash__of_known_texts__is_what_layout_1_has(void **state)
{
	struct sm_str values[2] = { { "play", 4 }, { "ok", 2 } };

	assert_true(of("") == HASH_EMPTY);
	assert_true(of("a") == HASH_A);
	assert_true(of("abcd") == HASH_ABCD);
	assert_true(of("commands_total") == HASH_COMMANDS);
	assert_true(of("a text that is longer than two words of 8 bytes") == HASH_LONG);
	assert_true(sm_series_hash(7, values, 2) == HASH_SERIES);
	assert_true(sm_series_hash(0, NULL, 0) == HASH_NO_LABELS);
}

/* Every length, at the end of an allocation: the address sanitizer sees a byte too many. */
static void hash__of_each_length__reads_nothing_else(void **state)
{
	char *p;
	uint64_t h;
	size_t n;

	for (n = 1; n < 200; n++) {
		p = malloc(n);
		assert_non_null(p);
		memset(p, 'x', n);
		h = sm_hash_bytes(1, p, n);
		assert_true(h == sm_hash_bytes(1, p, n));
		p[n - 1] = 'y';
		assert_true(h != sm_hash_bytes(1, p, n));
		p[n - 1] = 'x';
		p[0] = 'y';
		assert_true(h != sm_hash_bytes(1, p, n));
		p[0] = 'x';
		p[n / 2] = 'y';
		assert_true(h != sm_hash_bytes(1, p, n));
		free(p);
	}
}

/* A look-up compares the words instead of the strings: each byte must be in them. */
static void words__of_each_length__tell_strings_apart(void **state)
{
	uint64_t a, b, a2, b2;
	size_t n, i;
	char *p;

	for (n = 0; n <= SM_WORDS_MAX; n++) {
		p = malloc(n ? n : 1);
		assert_non_null(p);
		memset(p, 'x', n);
		sm_words(p, n, &a, &b);
		for (i = 0; i < n; i++) {
			p[i] = 'y';
			sm_words(p, n, &a2, &b2);
			assert_true(a != a2 || b != b2);
			p[i] = 'x';
		}
		free(p);
	}
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

#define MANY 200000

static void hash__of_many_label_values__does_not_collide(void **state)
{
	static uint64_t h[MANY];
	char a[32], b[32];
	struct sm_str values[2] = { { a, 0 }, { b, 0 } };
	unsigned i;

	for (i = 0; i < MANY; i++) {
		values[0].len = (size_t)snprintf(a, sizeof(a), "shard-%u", i / 500);
		values[1].len = (size_t)snprintf(b, sizeof(b), "%u", i % 500);
		h[i] = sm_series_hash(i % 3, values, 2);
	}
	qsort(h, MANY, sizeof(h[0]), by_value);
	for (i = 1; i < MANY; i++)
		assert_true(h[i] != h[i - 1]);
}

/* The index takes the low bits. */
static void hash__of_similar_values__spreads_over_the_index(void **state)
{
	static unsigned bucket[1024];
	unsigned i, most = 0;
	char a[32];
	struct sm_str value = { a, 0 };

	for (i = 0; i < 65536; i++) {
		value.len = (size_t)snprintf(a, sizeof(a), "%08u", i);
		bucket[sm_series_hash(1, &value, 1) & 1023]++;
	}
	for (i = 0; i < 1024; i++)
		most = bucket[i] > most ? bucket[i] : most;
	assert_in_range(most, 64, 64 * 2);
}

/* Where a value ends is part of it. */
static void hash__of_values_cut_elsewhere__differs(void **state)
{
	struct sm_str ab_c[2] = { { "ab", 2 }, { "c", 1 } }, a_bc[2] = { { "a", 1 }, { "bc", 2 } };
	struct sm_str none[2] = { { "", 0 }, { "abc", 3 } }, all[2] = { { "abc", 3 }, { "", 0 } };

	assert_true(sm_series_hash(0, ab_c, 2) != sm_series_hash(0, a_bc, 2));
	assert_true(sm_series_hash(0, none, 2) != sm_series_hash(0, all, 2));
	assert_true(sm_series_hash(0, all, 1) != sm_series_hash(0, all, 2));
	assert_true(sm_series_hash(0, all, 1) != sm_series_hash(1, all, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash__of_known_texts__is_what_layout_1_has),
		cmocka_unit_test(hash__of_each_length__reads_nothing_else),
		cmocka_unit_test(words__of_each_length__tell_strings_apart),
		cmocka_unit_test(hash__of_many_label_values__does_not_collide),
		cmocka_unit_test(hash__of_similar_values__spreads_over_the_index),
		cmocka_unit_test(hash__of_values_cut_elsewhere__differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
