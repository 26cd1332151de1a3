/* SPDX-License-Identifier: Apache-2.0 */
/* test_cli_probe.c - one HTTP GET against servers that behave, or do not. */
#include "test_cli.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "tools/shardmeter/probe.h"

static int listener = -1;
static char address[64];
static char request[1024];

static int setup(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) || listen(listener, 4) ||
		getsockname(listener, (struct sockaddr *)&a, &len))
		return -1;
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(a.sin_port));
	return 0;
}

static int teardown(void **state)
{
	return close(listener);
}

/* Serve one connection: read the request, send the answer, close. */
static void *serve(void *answer)
{
	int fd = accept(listener, NULL, NULL);
	size_t at = 0;
	ssize_t n = 1;

	while (fd >= 0 && n > 0 && at < sizeof(request) - 1 && !strstr(request, "\r\n\r\n")) {
		n = recv(fd, request + at, sizeof(request) - 1 - at, 0);
		at += n > 0 ? (size_t)n : 0;
		request[at] = '\0';
	}
	if (answer)
		send(fd, answer, strlen(answer), MSG_NOSIGNAL);
	else
		recv(fd, request + at, 1, 0); /* say nothing until the other side gives up */
	close(fd);
	return NULL;
}

static int probe_against(const char *answer, unsigned timeout_ms, struct probe *p)
{
	char copy[20000];
	pthread_t t;
	int rc;

	memset(request, 0, sizeof(request));
	if (answer)
		snprintf(copy, sizeof(copy), "%s", answer);
	assert_int_equal(pthread_create(&t, NULL, serve, answer ? copy : NULL), 0);
	rc = probe_http(address, "/-/ready", timeout_ms, p);
	pthread_join(t, NULL);
	return rc;
}

static void probe__good_server__gives_status_and_body(void **state)
{
	struct probe p;

	assert_int_equal(
		probe_against(
			"HTTP/1.1 503 Service Unavailable\r\nX: y\r\n\r\nno segment\n", 5000, &p),
		0);
	assert_int_equal(p.status, 503);
	assert_string_equal(p.body, "no segment\n");
	assert_non_null(strstr(request, "GET /-/ready HTTP/1.1\r\nHost: 127.0.0.1:"));
}

static void probe__endless_or_odd_answers__are_cut(void **state)
{
	char big[20000];
	struct probe p;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	memcpy(big, "HTTP/1.0 200 OK\r\n\r\n", 19);
	assert_int_equal(probe_against(big, 5000, &p), 0);
	assert_int_equal(p.status, 200);
	assert_int_equal(strlen(p.body), sizeof(p.body) - 1);
	assert_int_equal(probe_against("HTTP/1.1 200", 5000, &p), 0);
	assert_int_equal(p.status, 200);
}

static void probe__what_is_not_http__is_said(void **state)
{
	static const char *const answers[] = { "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1",
		"HTTP/1.1 abc", "HTTP/1.1 99999 x", "HTTP/2" };
	struct probe p;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		assert_int_equal(probe_against(answers[i], 5000, &p), -1);
		assert_string_equal(p.error, "what answers there does not speak HTTP");
		assert_int_equal(p.status >= 100 && p.status <= 599, 0);
	}
}

static void probe__silent_server__ends_at_the_deadline(void **state)
{
	struct timespec a, b;
	struct probe p;

	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(probe_against(NULL, 150, &p), -1);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_string_equal(p.error, "connected, but no answer in time");
	assert_true(b.tv_sec - a.tv_sec < 10);
}

static void probe__nobody_listens__is_refused(void **state)
{
	struct probe p;

	close(listener);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(probe_http(address, "/", 2000, &p), -1);
	assert_string_equal(p.error, "Connection refused");
}

static void probe__bad_address__is_said(void **state)
{
	static const char *const bad[] = { "", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
		"127.0.0.1:65536", "127.0.0.1:80x", "example.org:80", "[::1:80", "[x]:80",
		"127.0.0.1:-1", "unix:", "unix:name" };
	struct probe p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(probe_http(bad[i], "/", 100, &p), -1);
		assert_non_null(strstr(p.error, "is neither ADDRESS:PORT nor unix:/PATH"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			probe__good_server__gives_status_and_body, setup, teardown),
		cmocka_unit_test_setup_teardown(
			probe__endless_or_odd_answers__are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(probe__what_is_not_http__is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(
			probe__silent_server__ends_at_the_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(probe__nobody_listens__is_refused, setup, teardown),
		cmocka_unit_test(probe__bad_address__is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
