/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libshm/reasons.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <shardmeter_reader.h>

#include "layout.h"

static void reasons__each__has_a_label_value_and_a_sentence(void **state)
{
	const char *name, *help;
	unsigned i, k;

	for (i = 0; i < SM_REFUSED_COUNT; i++) {
		name = sm_refused_reason(i);
		help = sm_refused_help(i);
		assert_non_null(name);
		assert_non_null(help);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		assert_true(strlen(help) > 20);
		assert_int_equal(help[strlen(help) - 1], '.');
		for (k = 0; k < i; k++)
			assert_string_not_equal(name, sm_refused_reason(k));
	}
}

static void reasons__beyond_the_last__null(void **state)
{
	assert_null(sm_refused_reason(SM_REFUSED_COUNT));
	assert_null(sm_refused_help(UINT32_MAX));
}

static void reasons__known_numbers__keep_their_names(void **state)
{
	assert_string_equal(sm_refused_reason(SM_REFUSED_CAP), "cap");
	assert_string_equal(sm_refused_reason(SM_REFUSED_SERIES_FULL), "series_full");
	assert_string_equal(sm_refused_reason(SM_REFUSED_NO_SPACE), "no_space");
	assert_string_equal(sm_refused_reason(SM_REFUSED_INVALID), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons__each__has_a_label_value_and_a_sentence),
		cmocka_unit_test(reasons__beyond_the_last__null),
		cmocka_unit_test(reasons__known_numbers__keep_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
