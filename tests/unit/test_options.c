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

#include "exporter/options.h"

static struct options o;
static char error[256];

static int setup(void **state)
{
	clearenv();
	return 0;
}

#define PARSE(...) parse((const char *const[]){ "x", __VA_ARGS__, NULL })

static int parse(const char *const *args)
{
	static char texts[16][128];
	char *argv[16];
	int argc;

	for (argc = 0; args[argc]; argc++) {
		snprintf(texts[argc], sizeof(texts[argc]), "%s", args[argc]);
		argv[argc] = texts[argc];
	}
	argv[argc] = NULL;
	error[0] = '\0';
	return options_parse(&o, argc, argv, error, sizeof(error));
}

static void parse__nothing__gives_the_defaults(void **state)
{
	assert_int_equal(parse((const char *const[]){ "x", NULL }), 0);
	assert_string_equal(o.segment, "");
	assert_string_equal(o.listen_address, "127.0.0.1:10464");
	assert_int_equal(o.storage_retention_ms, 48 * 3600 * 1000);
	assert_int_equal(o.storage_interval_ms, 10000);
	assert_true(o.storage_max_bytes == UINT64_C(2) << 30);
	assert_int_equal(o.no_storage, 0);
	assert_int_equal(o.log_level, 2);
	assert_int_equal(o.log_format, 0);
}

static void parse__flag_variable_default__in_this_order(void **state)
{
	setenv("SHARDMETER_EXPORTER_WEB_LISTEN_ADDRESS", "127.0.0.1:1", 1);
	setenv("SHARDMETER_EXPORTER_NO_STORAGE", "1", 1);
	setenv("SHARDMETER_EXPORTER_STORAGE_RETENTION", "1h30m", 1);
	assert_int_equal(PARSE("--web.listen-address=127.0.0.1:2", "--log.level", "debug"), 0);
	assert_string_equal(o.listen_address, "127.0.0.1:2");
	assert_int_equal(o.no_storage, 1);
	assert_int_equal(o.storage_retention_ms, 5400000);
	assert_int_equal(o.log_level, 3);
}

static void parse__bad_value__says_what_and_where(void **state)
{
	assert_int_equal(PARSE("--storage.interval=soon"), -EINVAL);
	assert_string_equal(error,
		"--storage.interval: \"soon\" is not a time such as 500ms, 15s or 1h30m");
	assert_int_equal(PARSE("--storage.interval=1ms"), -EINVAL);
	assert_string_equal(error, "--storage.interval: 1ms is too small; the minimum is 100ms");
	assert_int_equal(PARSE("--log.format=xml"), -EINVAL);
	assert_string_equal(error, "--log.format: \"xml\" is not logfmt|json");
	assert_int_equal(PARSE("--storage.max-size", "9000000000GB"), -EINVAL);
	assert_int_equal(PARSE("--web.max-connections=12x"), -EINVAL);
	assert_int_equal(PARSE("--web.max-connections=99999999999999999999"), -EINVAL);
	setenv("SHARDMETER_EXPORTER_LOG_LEVEL", "loud", 1);
	assert_int_equal(PARSE("--once"), -EINVAL);
	assert_string_equal(error,
		"SHARDMETER_EXPORTER_LOG_LEVEL: \"loud\" is not error|warn|info|debug");
}

static void parse__unknown_flag_or_argument__is_an_error(void **state)
{
	assert_int_equal(PARSE("--nonsense"), -EINVAL);
	assert_string_equal(error, "unknown flag --nonsense (see --help)");
	assert_int_equal(PARSE("--segment"), -EINVAL);
	assert_string_equal(error, "--segment needs a value");
	assert_int_equal(PARSE("--once", "more"), -EINVAL);
	assert_string_equal(error, "unexpected argument \"more\" (see --help)");
}

static void unknown__variable_with_our_prefix__is_found(void **state)
{
	size_t position = 0;

	setenv("SHARDMETER_EXPORTER_LOG_LEVEL", "info", 1);
	setenv("SHARDMETER_EXPORTER_LOGLEVEL", "info", 1);
	setenv("SHARDMETER_SEGMENT", "x", 1);
	assert_string_equal(options_unknown(&position), "SHARDMETER_EXPORTER_LOGLEVEL=info");
	assert_null(options_unknown(&position));
}

static void duration__many_forms__are_exact(void **state)
{
	uint64_t ms;

	assert_int_equal(options_duration("1d2h3m4s5ms", &ms), 0);
	assert_int_equal(ms, 86400000 + 7200000 + 180000 + 4000 + 5);
	assert_int_equal(options_duration("2w", &ms), 0);
	assert_int_equal(ms, 14 * 86400000);
	assert_int_equal(options_duration("", &ms), -EINVAL);
	assert_int_equal(options_duration("5", &ms), -EINVAL);
	assert_int_equal(options_duration("-5s", &ms), -EINVAL);
	assert_int_equal(options_duration("5s ", &ms), -EINVAL);
	assert_int_equal(options_duration("99999999999999999w", &ms), -EINVAL);
}

static void size__many_forms__are_powers_of_1024(void **state)
{
	uint64_t bytes;

	assert_int_equal(options_size("3KB", &bytes), 0);
	assert_int_equal(bytes, 3072);
	assert_int_equal(options_size("1GiB", &bytes), 0);
	assert_int_equal(bytes, 1 << 30);
	assert_int_equal(options_size("12B", &bytes), 0);
	assert_int_equal(bytes, 12);
	assert_int_equal(options_size("1", &bytes), -EINVAL);
	assert_int_equal(options_size("1gb", &bytes), -EINVAL);
	assert_int_equal(options_size("1GB1", &bytes), -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(parse__nothing__gives_the_defaults),
		TEST(parse__flag_variable_default__in_this_order),
		TEST(parse__bad_value__says_what_and_where),
		TEST(parse__unknown_flag_or_argument__is_an_error),
		TEST(unknown__variable_with_our_prefix__is_found),
		TEST(duration__many_forms__are_exact),
		TEST(size__many_forms__are_powers_of_1024),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
