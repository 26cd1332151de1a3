/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "exporter/setting.h"

static void duration__many_forms__are_exact(void **state)
{
	uint64_t ms;

	assert_int_equal(setting_duration("1d2h3m4s5ms", &ms), 0);
	assert_int_equal(ms, 86400000 + 7200000 + 180000 + 4000 + 5);
	assert_int_equal(setting_duration("2w", &ms), 0);
	assert_int_equal(ms, 14 * 86400000);
	assert_int_equal(setting_duration("", &ms), -EINVAL);
	assert_int_equal(setting_duration("5", &ms), -EINVAL);
	assert_int_equal(setting_duration("-5s", &ms), -EINVAL);
	assert_int_equal(setting_duration("5s ", &ms), -EINVAL);
	assert_int_equal(setting_duration("99999999999999999w", &ms), -EINVAL);
}

static void size__many_forms__are_powers_of_1024(void **state)
{
	uint64_t bytes;

	assert_int_equal(setting_size("3KB", &bytes), 0);
	assert_int_equal(bytes, 3072);
	assert_int_equal(setting_size("1GiB", &bytes), 0);
	assert_int_equal(bytes, 1 << 30);
	assert_int_equal(setting_size("12B", &bytes), 0);
	assert_int_equal(bytes, 12);
	assert_int_equal(setting_size("1", &bytes), -EINVAL);
	assert_int_equal(setting_size("1gb", &bytes), -EINVAL);
	assert_int_equal(setting_size("1GB1", &bytes), -EINVAL);
}

static void mode__octal__is_taken_within_0777(void **state)
{
	uint64_t mode;

	assert_int_equal(setting_mode("0660", &mode), 0);
	assert_int_equal(mode, 0660);
	assert_int_equal(setting_mode("777", &mode), 0);
	assert_int_equal(mode, 0777);
	assert_int_equal(setting_mode("1777", &mode), -EINVAL);
	assert_int_equal(setting_mode("", &mode), -EINVAL);
	assert_int_equal(setting_mode("8", &mode), -EINVAL);
	assert_int_equal(setting_mode("0660 ", &mode), -EINVAL);
}

static void switch_and_choice__words__are_exact(void **state)
{
	uint64_t index;
	int on;

	assert_int_equal(setting_switch("yes", &on), 0);
	assert_int_equal(on, 1);
	assert_int_equal(setting_switch("0", &on), 0);
	assert_int_equal(on, 0);
	assert_int_equal(setting_switch("on", &on), -EINVAL);
	assert_int_equal(setting_choice("a|bc|d", "bc", &index), 0);
	assert_int_equal(index, 1);
	assert_int_equal(setting_choice("a|bc|d", "b", &index), -EINVAL);
	assert_int_equal(setting_choice("a|bc|d", "a|bc", &index), -EINVAL);
}

static void print__whole_units__takes_the_largest(void **state)
{
	char text[40];

	setting_print_duration(7200000, text, sizeof(text));
	assert_string_equal(text, "2h");
	setting_print_duration(100, text, sizeof(text));
	assert_string_equal(text, "100ms");
	setting_print_size(UINT64_C(48) << 30, text, sizeof(text));
	assert_string_equal(text, "48GB");
	setting_print_size(1000, text, sizeof(text));
	assert_string_equal(text, "1000B");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(duration__many_forms__are_exact),
		cmocka_unit_test(size__many_forms__are_powers_of_1024),
		cmocka_unit_test(mode__octal__is_taken_within_0777),
		cmocka_unit_test(switch_and_choice__words__are_exact),
		cmocka_unit_test(print__whole_units__takes_the_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
