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
static char error[4096];
static char path[64];

static int setup(void **state)
{
	clearenv();
	strcpy(path, "/tmp/shardmeter-test-XXXXXX");
	close(mkstemp(path));
	return 0;
}

static int teardown(void **state)
{
	options_release(&o);
	return unlink(path);
}

static void write_config(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	setenv("SHARDMETER_EXPORTER_CONFIG", path, 1);
}

#define PARSE(...) parse((const char *const[]){ "x", __VA_ARGS__, NULL })

static int parse(const char *const *args)
{
	static char texts[16][128];
	char *argv[16];
	struct buf errors = { 0 };
	int argc, rc;

	for (argc = 0; args[argc]; argc++) {
		snprintf(texts[argc], sizeof(texts[argc]), "%s", args[argc]);
		argv[argc] = texts[argc];
	}
	argv[argc] = NULL;
	options_release(&o);
	rc = options_parse(&o, argc, argv, &errors);
	/* Without the last newline, which makes one message easier to compare. */
	snprintf(error, sizeof(error), "%.*s", errors.len ? (int)errors.len - 1 : 0,
		errors.data ? errors.data : "");
	buf_free(&errors);
	return rc;
}

static void parse__nothing__gives_the_defaults(void **state)
{
	assert_int_equal(parse((const char *const[]){ "x", NULL }), 0);
	assert_int_equal(o.segments.n, 1);
	assert_string_equal(o.segments.item[0], "");
	assert_int_equal(o.listen_addresses.n, 1);
	assert_string_equal(o.listen_addresses.item[0], "127.0.0.1:10464");
	assert_string_equal(o.telemetry_path, "/metrics");
	assert_int_equal(o.socket_mode, 0660);
	assert_int_equal(o.has_config, 0);
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
	assert_int_equal(o.listen_addresses.n, 1);
	assert_string_equal(o.listen_addresses.item[0], "127.0.0.1:2");
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
	assert_int_equal(PARSE("--storage.interval=5"), -EINVAL);
	assert_string_equal(error, "--storage.interval: \"5\" lacks a unit; a time such as 500ms, 15s "
		"or 1h30m, from 100ms to 1h");
	assert_int_equal(PARSE("--storage.max-size=0"), -EINVAL);
	assert_string_equal(error, "--storage.max-size: \"0\" lacks a unit; a size such as 512MB or "
		"2GB, from 1MB to 48GB");
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
	assert_int_equal(PARSE("--web.max-request=3"), -EINVAL);
	assert_string_equal(error, "unknown flag --web.max-request=3; did you mean --web.max-requests?");
	assert_int_equal(PARSE("--web.max-request", "3"), -EINVAL);
	assert_string_equal(error, "unknown flag --web.max-request; did you mean --web.max-requests?");
	assert_int_equal(PARSE("--no-stor"), -EINVAL);
	assert_string_equal(error, "unknown flag --no-stor; did you mean --no-storage?");
	assert_int_equal(PARSE("--log.level", "--lo"), -EINVAL);
	assert_string_equal(error, "--log.level: \"--lo\" is not error|warn|info|debug");
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

static void parse__everything_wrong__is_all_told(void **state)
{
	setenv("SHARDMETER_EXPORTER_WEB_MAX_REQUESTS", "none", 1);
	assert_int_equal(PARSE("--nonsense", "--segment=bad name", "--web.telemetry-path=/-/x",
		"--web.listen-address=nowhere", "--web.socket-mode=0999", "--output=x"), -EINVAL);
	assert_string_equal(error,
		"SHARDMETER_EXPORTER_WEB_MAX_REQUESTS: \"none\" is not a whole number\n"
		"unknown flag --nonsense (see --help)\n"
		"--segment: \"bad name\" is not a segment: 1 to 100 of A-Z a-z 0-9 _ . -, not "
		"starting with a dot, or a path with a /\n"
		"--web.telemetry-path: \"/-/x\" is not a path such as /metrics; / and what begins "
		"with /-/ or /api/ are taken\n"
		"--web.listen-address: \"nowhere\" is not of the form ADDRESS:PORT or unix:/PATH\n"
		"--web.socket-mode: \"0999\" is not permissions such as 0660\n"
		"--output is for --once");
}

static void parse__file__is_between_default_and_variable(void **state)
{
	write_config("segment: [one, two]\nweb:\n  listen-address: 127.0.0.1:7\n"
		"  max-requests: 5\n  idle-timeout: 20s\nlog.level: debug\n");
	setenv("SHARDMETER_EXPORTER_WEB_MAX_REQUESTS", "6", 1);
	assert_int_equal(PARSE("--web.idle-timeout=21s"), 0);
	assert_int_equal(o.has_config, 1);
	assert_int_equal(o.segments.n, 2);
	assert_string_equal(o.segments.item[1], "two");
	assert_string_equal(o.listen_addresses.item[0], "127.0.0.1:7");
	assert_int_equal(o.max_requests, 6);
	assert_int_equal(o.idle_timeout_ms, 21000);
	assert_int_equal(o.log_level, 3);
	/* A list is replaced as a whole; a variable has commas. */
	setenv("SHARDMETER_EXPORTER_SEGMENT", "a,b,c", 1);
	assert_int_equal(PARSE("--once"), 0);
	assert_int_equal(o.segments.n, 3);
	assert_int_equal(PARSE("--segment=x", "--segment", "y"), 0);
	assert_int_equal(o.segments.n, 2);
	assert_string_equal(o.segments.item[0], "x");
}

static void parse__bad_file__is_told_with_its_place(void **state)
{
	char expected[512];

	write_config("wbe:\n  x: 1\nweb:\n  max-requests: many\nonce: true\n");
	assert_int_equal(PARSE("--once"), -EINVAL);
	snprintf(expected, sizeof(expected), "%s:1:1: unknown setting \"wbe\"\n"
		"%s:4:17: web.max-requests: \"many\" is not a whole number\n"
		"%s:5:1: unknown setting \"once\"", path, path, path);
	assert_string_equal(error, expected);
	write_config("wbe: 1\nweb:\n  max-requests: many\nx: [\n");
	assert_int_equal(PARSE("--once", "--log.level=x"), -EINVAL);
	snprintf(expected, sizeof(expected), "%s:5:1: not YAML: did not find expected node content "
		"while parsing a flow node\n--log.level: \"x\" is not error|warn|info|debug", path);
	assert_string_equal(error, expected);
	assert_int_equal(PARSE("--config=/nowhere/at/all.yml"), -EINVAL);
	assert_string_equal(error, "--config: /nowhere/at/all.yml does not exist");
	assert_int_equal(PARSE("--config="), -EINVAL);
	assert_non_null(strstr(error, "--config: \"\" is not the name of a file"));
	assert_int_equal(PARSE("--config=/dev/zero"), -EINVAL);
	assert_string_equal(error, "/dev/zero: Not a regular file");
	assert_int_equal(PARSE("--config=/"), -EINVAL);
	assert_string_equal(error, "/: Is a directory");
}

static void fixed__a_setting_that_needs_a_restart__is_named(void **state)
{
	char name[] = "x", requests[] = "--web.max-requests=3", storage[] = "--storage.path=/x",
		segment[] = "--segment=b";
	char *argv[] = { name, requests, storage, segment, NULL };
	struct buf errors = { 0 };
	struct options other;
	size_t position = 0;

	assert_int_equal(PARSE("--segment=a"), 0);
	assert_int_equal(options_parse(&other, 4, argv, &errors), 0);
	assert_string_equal(options_fixed(&o, &other, &position), "segment");
	assert_string_equal(options_fixed(&o, &other, &position), "storage.path");
	assert_null(options_fixed(&o, &other, &position));
	options_release(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(parse__nothing__gives_the_defaults),
		TEST(parse__flag_variable_default__in_this_order),
		TEST(parse__bad_value__says_what_and_where),
		TEST(parse__unknown_flag_or_argument__is_an_error),
		TEST(unknown__variable_with_our_prefix__is_found),
		TEST(parse__everything_wrong__is_all_told),
		TEST(parse__file__is_between_default_and_variable),
		TEST(parse__bad_file__is_told_with_its_place),
		TEST(fixed__a_setting_that_needs_a_restart__is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
