/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of exporter/exposition/digits.h: every length of number, and copies. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/exposition/digits.h"

static void check(uint64_t v)
{
	char text[20 + DIGITS_SLACK], expect[24];
	size_t len = (size_t)(digits_put(text, v) - text);

	snprintf(expect, sizeof(expect), "%" PRIu64, v);
	text[len] = '\0';
	if (strcmp(text, expect) != 0)
		fail_msg("%s, not %s", text, expect);
}

static void digits__around_powers_and_at_random__as_printf(void **state)
{
	uint64_t power = 1, v = 1;
	unsigned i, k;

	for (i = 0; i < 20; i++, power *= 10)
		for (k = 0; k < 12; k++) {
			check(power + k);
			check(power - k);
			check(power * k);
		}
	check(UINT64_MAX);
	for (i = 0; i < 120000; i++)
		check(i);
	for (i = 0; i < 300000; i++) {
		v = v * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		check(v >> (v % 64));
	}
}

static void copy__every_length__only_these_bytes_count(void **state)
{
	char from[200 + DIGITS_SLACK], to[200 + DIGITS_SLACK];
	size_t len;

	for (len = 0; len < sizeof(from); len++)
		from[len] = (char)('a' + len % 23);
	for (len = 0; len <= 200; len++) {
		memset(to, 0, sizeof(to));
		assert_ptr_equal(digits_copy(to, from, len), to + len);
		assert_memory_equal(to, from, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digits__around_powers_and_at_random__as_printf),
		cmocka_unit_test(copy__every_length__only_these_bytes_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
