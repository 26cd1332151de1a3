/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "exporter/request.h"

static struct request_target target;
static struct request_head head;

static int setup(void **state)
{
	memset(&head, 0, sizeof(head));
	return 0;
}

static int teardown(void **state)
{
	request_target_release(&target);
	request_head_release(&head);
	return 0;
}

static void target__path_and_query__are_decoded_once(void **state)
{
	struct request r;
	size_t position = 0;

	assert_int_equal(request_target("/a%2Fb+c?name[]=x%20y&n%61me[]=a+b&&empty&=v&e=%2525", &target),
		0);
	assert_string_equal(target.path, "/a/b+c");
	assert_int_equal(target.nparams, 5);
	r = (struct request){ .nparams = target.nparams, .param = target.param };
	assert_string_equal(request_param(&r, "name[]"), "x y");
	assert_string_equal(request_next_param(&r, "name[]", &position), "x y");
	assert_string_equal(request_next_param(&r, "name[]", &position), "a b");
	assert_null(request_next_param(&r, "name[]", &position));
	assert_string_equal(request_param(&r, "empty"), "");
	assert_string_equal(request_param(&r, ""), "v");
	assert_string_equal(request_param(&r, "e"), "%25");
	assert_null(request_param(&r, "x y"));
}

static void target__malformed__is_refused(void **state)
{
	static const char *const bad[] = { "", "*", "metrics", "http://localhost/", "/%", "/%1", "/%zz",
		"/%00", "/a?%00", "/a?b=%0", "/a?b=c%00d", "/a b", "/\t", "/\x7f", "/\x01" };
	char many[1024] = "/?";
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(request_target(bad[i], &target), -EINVAL);
		assert_null(target.text);
	}
	for (i = 0; i <= REQUEST_PARAMS_MAX; i++)
		strcat(many, "a&");
	assert_int_equal(request_target(many, &target), -E2BIG);
	assert_int_equal(request_target("/\xff?\xfe=\xfd", &target), 0);
}

static void add(const char *name, const char *value)
{
	request_head_add(&head, name, strlen(name), value, strlen(value));
}

static unsigned refuse(const char *method, const char *version)
{
	const char *why = NULL;
	unsigned status = request_refuse(&head, method, version, 0, "metrics.lan", &why);

	assert_int_equal(status != 0, why != NULL);
	return status;
}

static void refuse__good_requests__are_not(void **state)
{
	assert_int_equal(refuse("GET", "HTTP/1.0"), 0);
	add("hOsT", "metrics.lan:80 ");
	add("X-Anything", "\xc3\xa4 \t\"");
	add("Content-Length", "0");
	assert_int_equal(refuse("GET", "HTTP/1.1"), 0);
	assert_int_equal(refuse("HEAD", "HTTP/1.1"), 0);
	assert_int_equal(refuse("POST", "HTTP/1.1"), 405);
	assert_int_equal(refuse("get", "HTTP/1.1"), 405);
}

static void refuse__no_or_two_or_another_host__is(void **state)
{
	const char *why;

	assert_int_equal(refuse("GET", "HTTP/1.1"), 400);
	add("Host", "evil.example");
	assert_int_equal(refuse("GET", "HTTP/1.1"), 421);
	assert_int_equal(refuse("GET", "HTTP/1.0"), 421);
	assert_int_equal(request_refuse(&head, "GET", "HTTP/1.1", 1, "", &why), 0);
	add("Host", "localhost");
	assert_int_equal(refuse("GET", "HTTP/1.1"), 400);
}

static void refuse__bodies_and_ambiguous_lengths__is(void **state)
{
	static const char *const names[][2] = {
		{ "Content-Length", "1" }, { "Content-Length", "-0" }, { "Content-Length", "0 0" },
		{ "Transfer-Encoding", "chunked" }, { "Transfer-Encoding", "" },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		memset(&head, 0, sizeof(head));
		add("Host", "localhost");
		add(names[i][0], names[i][1]);
		assert_int_equal(refuse("GET", "HTTP/1.1"), 400);
	}
	memset(&head, 0, sizeof(head));
	add("Host", "localhost");
	add("Content-Length", "0");
	add("content-length", "0");
	assert_int_equal(refuse("GET", "HTTP/1.1"), 400);
}

static void head__bytes_that_no_header_has__are_noticed(void **state)
{
	static const struct {
		const char *name, *value;
		size_t value_len;
	} bad[] = {
		{ "Host", "localhost\0.evil", 15 }, { "X Y", "a", 1 }, { "", "a", 1 },
		{ "X\x01", "a", 1 }, { "X", "\x7f", 1 }, { "X", "a\rb", 3 }, { "X:", "", 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&head, 0, sizeof(head));
		add("Host", "localhost");
		request_head_add(&head, bad[i].name, strlen(bad[i].name), bad[i].value,
			bad[i].value_len);
		assert_int_equal(refuse("GET", "HTTP/1.1"), 400);
	}
}

static void head__repeated_accept__is_joined(void **state)
{
	add("Accept", "a/b");
	add("ACCEPT", "c/d;q=0.5");
	add("Accept-Encoding", "gzip");
	assert_string_equal(head.accept.data, "a/b, c/d;q=0.5");
	assert_string_equal(head.accept_encoding.data, "gzip");
}

static void head__scrape_timeout__is_taken_if_it_is_one(void **state)
{
	static const char *const bad[] = { "", "x", "-1", "0", "nan", "inf", "1e300", "5s", "1 2" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		add("X-Prometheus-Scrape-Timeout-Seconds", bad[i]);
		assert_true(head.timeout_seconds == 0);
	}
	add("x-prometheus-scrape-timeout-seconds", "9.5");
	assert_true(head.timeout_seconds == 9.5);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(target__path_and_query__are_decoded_once),
		test(target__malformed__is_refused),
		test(refuse__good_requests__are_not),
		test(refuse__no_or_two_or_another_host__is),
		test(refuse__bodies_and_ambiguous_lengths__is),
		test(head__bytes_that_no_header_has__are_noticed),
		test(head__repeated_accept__is_joined),
		test(head__scrape_timeout__is_taken_if_it_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
