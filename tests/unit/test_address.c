/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/address.h"

static const char *host(const char *text)
{
	static char got[64];

	return address_host(text, got, sizeof(got)) == 0 ? got : NULL;
}

static void host__any_form__is_without_port_and_lower_case(void **state)
{
	assert_string_equal(host("Example.COM:80"), "example.com");
	assert_string_equal(host("example.com."), "example.com");
	assert_string_equal(host("[::1]:10464"), "::1");
	assert_string_equal(host("[::1]"), "::1");
	assert_string_equal(host(":10464"), "");
	assert_null(host("::1"));
	assert_null(host("[::1"));
	assert_null(host("[::1]x"));
	assert_null(host("a:8x"));
	assert_null(host("a:80:90"));
	assert_null(host("a-name-that-is-longer-than-the-buffer-which-it-should-fit-into-here"));
}

static void allowed__by_default__is_this_machine_only(void **state)
{
	assert_true(address_allowed("127.0.0.1:10464", ""));
	assert_true(address_allowed("localhost", ""));
	assert_true(address_allowed("LOCALHOST:1", ""));
	assert_true(address_allowed("[::1]:10464", ""));
	assert_false(address_allowed("evil.example", ""));
	assert_false(address_allowed("localhost.evil.example", ""));
	assert_false(address_allowed("127.0.0.1@evil.example", ""));
	assert_false(address_allowed("", ""));
	assert_false(address_allowed("::1", ""));
}

static void allowed__listed_or_listened_on__is_served(void **state)
{
	assert_true(address_allowed("10.0.0.5:10464", ""));
	assert_true(address_allowed("[fd00::1]", ""));
	assert_false(address_allowed("", ""));
	assert_true(address_allowed("metrics.lan:99", "a, Metrics.LAN ,b"));
	assert_false(address_allowed("metrics", "a, metrics.lan"));
	assert_true(address_allowed("anything", "a,*"));
	assert_true(address_allowed("::::", "*"));
	assert_false(address_allowed("", ",, ,"));
}

static void listen__good_and_bad_addresses__work_or_say_why(void **state)
{
	char error[256], text[64];
	const char *const bad[] = { "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:80",
		"127.0.0.1:http", "no.such.host.invalid:80" };
	size_t i;
	int fd, second;

	fd = address_listen("127.0.0.1:0", error, sizeof(error));
	assert_true(fd >= 0);
	address_of(fd, text, sizeof(text));
	assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
	second = address_listen(text, error, sizeof(error));
	assert_int_equal(second, -EADDRINUSE);
	assert_non_null(strstr(error, text));
	close(fd);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error[0] = '\0';
		assert_true(address_listen(bad[i], error, sizeof(error)) < 0);
		assert_int_not_equal(error[0], '\0');
	}
	fd = address_listen(":0", error, sizeof(error));
	assert_true(fd >= 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host__any_form__is_without_port_and_lower_case),
		cmocka_unit_test(allowed__by_default__is_this_machine_only),
		cmocka_unit_test(allowed__listed_or_listened_on__is_served),
		cmocka_unit_test(listen__good_and_bad_addresses__work_or_say_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
