/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libshm/format.c: numbers as Go's strconv writes them, and exact decimals. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format.h"

static const char *text(double v, int point)
{
	static char out[32];
	size_t n = sm_format_double(v, point, out, sizeof(out));

	assert_int_equal(n, strlen(out));
	return out;
}

static const char *units(sm_u128 v, unsigned decimals)
{
	static char out[48];
	size_t n = sm_format_units(v, decimals, out, sizeof(out));

	assert_int_equal(n, strlen(out));
	return out;
}

/* A fixed generator, so that a failure can be repeated. */
static uint64_t random_bits(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void double__table__as_go_writes_it(void **state)
{
	static const struct { double v; const char *text;
	} table[] = {
		{ 0, "0" },
		{ -0.0, "-0" },
		{ 1, "1" },
		{ -1, "-1" },
		{ 10, "10" },
		{ 0.25, "0.25" },
		{ 0.1, "0.1" },
		{ 0.3, "0.3" },
		{ 2.5, "2.5" },
		{ 100000, "100000" },
		{ 999999, "999999" },
		{ 123456, "123456" },
		{ 123456.5, "123456.5" },
		{ 1e6, "1e+06" },
		{ 1234567, "1.234567e+06" },
		{ 123456789, "1.23456789e+08" },
		{ 1234567.5, "1.2345675e+06" },
		{ 1e-4, "0.0001" },
		{ 1e-5, "1e-05" },
		{ 2.5e-5, "2.5e-05" },
		{ 0.00012345, "0.00012345" },
		{ 1e21, "1e+21" },
		{ 1e100, "1e+100" },
		{ 1e-100, "1e-100" },
		{ 0x1p-20, "9.5367431640625e-07" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ DBL_MIN, "2.2250738585072014e-308" },
		{ 5e-324, "5e-324" },
		{ -5e-324, "-5e-324" },
		{ 9007199254740993.0, "9.007199254740992e+15" },
		{ 0.30000000000000004, "0.30000000000000004" },
		{ 4.35, "4.35" },
		{ 5e-5, "5e-05" },
		{ 2.2250738585072011e-308, "2.225073858507201e-308" },
		{ 9.5367431640625e-07, "9.5367431640625e-07" },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_string_equal(text(table[i].v, 0), table[i].text);
	assert_string_equal(text((double)NAN, 0), "NaN");
	assert_string_equal(text((double)INFINITY, 0), "+Inf");
	assert_string_equal(text((double)-INFINITY, 0), "-Inf");
}

static void double__with_point__has_point_or_exponent(void **state)
{
	assert_string_equal(text(1, 1), "1.0");
	assert_string_equal(text(0, 1), "0.0");
	assert_string_equal(text(-2, 1), "-2.0");
	assert_string_equal(text(100000, 1), "100000.0");
	assert_string_equal(text(1e6, 1), "1e+06");
	assert_string_equal(text(1e-5, 1), "1e-05");
	assert_string_equal(text(0.5, 1), "0.5");
	assert_string_equal(text((double)INFINITY, 1), "+Inf");
	assert_string_equal(text((double)NAN, 1), "NaN");
}

static void double__small_buffer__nothing(void **state)
{
	char out[31] = "x";

	assert_int_equal(sm_format_double(1, 0, out, sizeof(out)), 0);
	assert_string_equal(out, "x");
}

/* Digits after sign, without point, exponent and zeros at either end. */
static size_t significant(const char *s)
{
	char digits[32];
	size_t n = 0;

	for (; *s && *s != 'e'; s++)
		if (*s >= '0' && *s <= '9' && (n || *s != '0'))
			digits[n++] = *s;
	while (n && digits[n - 1] == '0')
		n--;
	return n;
}

static void check_shortest(double v)
{
	const char *ours = text(v, 0);
	char theirs[40];
	int precision;

	if (strtod(ours, NULL) != v)
		fail_msg("%s does not read back as %.17g", ours, v);
	for (precision = 1; precision < 17; precision++) {
		snprintf(theirs, sizeof(theirs), "%.*e", precision - 1, v);
		if (strtod(theirs, NULL) == v)
			break;
	}
	if (significant(ours) > (size_t)precision)
		fail_msg("%s: %d digits would do for %.17g", ours, precision, v);
}

static void double__random_bits__shortest_that_reads_back(void **state)
{
	uint64_t seed = 1, bits;
	double v;
	int i, rounds = getenv("EMULATED") ? 5000 : 100000;

	for (i = 0; i < rounds; i++) {
		bits = random_bits(&seed);
		memcpy(&v, &bits, sizeof(v));
		if (isfinite(v))
			check_shortest(v);
	}
}

static void double__each_power_of_two_and_neighbours__shortest(void **state)
{
	uint64_t e, m, bits;
	double v;

	for (e = 0; e < 2047; e++) {
		for (m = 0; m < 4; m++) {
			bits = e << 52 | (m < 2 ? m : (UINT64_C(1) << 52) - m + 1);
			memcpy(&v, &bits, sizeof(v));
			check_shortest(v);
		}
	}
}

static void double__decimal_fractions__as_typed(void **state)
{
	char typed[32];
	unsigned i;

	for (i = 1; i < 100000; i += 7) {
		snprintf(typed, sizeof(typed), "%u.%03u", i / 1000, i % 1000);
		while (typed[strlen(typed) - 1] == '0')
			typed[strlen(typed) - 1] = '\0';
		if (typed[strlen(typed) - 1] == '.')
			typed[strlen(typed) - 1] = '\0';
		assert_string_equal(text(strtod(typed, NULL), 0), typed);
	}
}

static void units__table__exact_without_trailing_zeros(void **state)
{
	assert_string_equal(units(0, 0), "0");
	assert_string_equal(units(0, 9), "0");
	assert_string_equal(units(3, 0), "3");
	assert_string_equal(units(1500000000, 9), "1.5");
	assert_string_equal(units(3000000000, 9), "3");
	assert_string_equal(units(1, 9), "0.000000001");
	assert_string_equal(units(10, 9), "0.00000001");
	assert_string_equal(units(UINT64_MAX, 0), "18446744073709551615");
	assert_string_equal(units(UINT64_MAX, 9), "18446744073.709551615");
	assert_string_equal(units((sm_u128)UINT64_MAX + 1, 0), "18446744073709551616");
	assert_string_equal(units(~(sm_u128)0, 0), "340282366920938463463374607431768211455");
	assert_string_equal(units((sm_u128)10000000000000000000u * 10000000000000000000u, 0),
			    "100000000000000000000000000000000000000");
	assert_string_equal(units((sm_u128)10000000000000000000u * 10000000000000000000u, 9),
			    "100000000000000000000000000000");
}

static void units__as_double__nearest(void **state)
{
	uint64_t seed = 7;
	char exact[48];
	sm_u128 v;
	int i;

	for (i = 0; i < 20000; i++) {
		unsigned decimals = (unsigned)(random_bits(&seed) % 10);

		v = ((sm_u128)random_bits(&seed) << 64 | random_bits(&seed)) >>
		    random_bits(&seed) % 128;
		sm_format_units(v, decimals, exact, sizeof(exact));
		/* strtod() of glibc and musl rounds exactly. */
		if (sm_units_value(v, decimals) != strtod(exact, NULL))
			fail_msg("%s became %.17g", exact, sm_units_value(v, decimals));
	}
}

static void u64__ends__right(void **state)
{
	char out[24];

	assert_int_equal(sm_format_u64(0, out), 1);
	assert_string_equal(out, "0");
	assert_int_equal(sm_format_u64(UINT64_MAX, out), 20);
	assert_string_equal(out, "18446744073709551615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(double__table__as_go_writes_it),
		cmocka_unit_test(double__with_point__has_point_or_exponent),
		cmocka_unit_test(double__small_buffer__nothing),
		cmocka_unit_test(double__random_bits__shortest_that_reads_back),
		cmocka_unit_test(double__each_power_of_two_and_neighbours__shortest),
		cmocka_unit_test(double__decimal_fractions__as_typed),
		cmocka_unit_test(units__table__exact_without_trailing_zeros),
		cmocka_unit_test(units__as_double__nearest),
		cmocka_unit_test(u64__ends__right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
