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

#include <shardmeter_reader.h>

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

static void fixed__every_scale__as_the_library(void **state)
{
	char text[32 + DIGITS_SLACK], expect[48];
	uint64_t v = 1, units;
	unsigned i, decimals;
	size_t len;

	for (i = 0; i < 400000; i++) {
		v = v * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		units = i < 1000 ? i : v >> (v % 64);
		/* Many with zeros at the end. */
		if (i % 3 == 0)
			units -= units % 1000000;
		decimals = i % 10;
		len = (size_t)(digits_put_fixed(text, units, decimals) - text);
		text[len] = '\0';
		sm_format_units(units, decimals, expect, sizeof(expect));
		if (strcmp(text, expect) != 0)
			fail_msg("%" PRIu64 " / 10^%u: %s, not %s", units, decimals, text, expect);
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
		cmocka_unit_test(fixed__every_scale__as_the_library),
		cmocka_unit_test(copy__every_length__only_these_bytes_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
