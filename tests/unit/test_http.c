/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.c: the real server on a socket file, with a slow page behind a gate. What requests may look
 * like is tested in test_request.c and from outside.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/clock.h"
#include "exporter/http.h"
#include "exporter/log.h"

#define JOBS 16		/* as many as http.c lets wait, the running one included */

static char dir[64], address[112];
static struct sockaddr_un sa;
static struct options o;
static struct pages pages;
static struct listener listener;
static struct http *http;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int closed;
static unsigned begun;

static int slow(void *ctx, const struct request *r, struct page *ret_page)
{
	struct page page = { .status = 200, .type = "text/plain" };

	pthread_mutex_lock(&mutex);
	begun++;
	pthread_cond_broadcast(&changed);
	while (closed)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	if (request_param(r, "none"))
		return -ENOENT;
	buf_printf(&page.body, "slow %s\n", request_param(r, "n"));
	*ret_page = page;
	return 0;
}

static void set_gate(int is_closed)
{
	pthread_mutex_lock(&mutex);
	closed = is_closed;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static int setup(void **state)
{
	static char name[] = "test", segment[] = "--segment=/nowhere/at/all", *argv[] = { name, segment, NULL };
	const struct exposition_options defaults = EXPOSITION_DEFAULTS;
	struct buf errors = { 0 };
	const char *bad;
	char error[256];

	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
	strcpy(dir, "/tmp/shardmeter-test-XXXXXX");
	if (!mkdtemp(dir) || options_parse(&o, 2, argv, &errors) < 0)
		return -1;
	snprintf(address, sizeof(address), "unix:%s/s", dir);
	sa.sun_family = AF_UNIX;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", dir);
	pages = (struct pages){ .telemetry_path = "/metrics", .slow = slow };
	closed = 0;
	begun = 0;
	if (collector_create((const char *const *)o.segments.item, 1, &pages.collector, &bad) < 0 ||
	    exposition_create(&defaults, &pages.exposition) < 0 ||
	    listen_open(address, 0600, &listener, error, sizeof(error)) < 0 ||
	    http_create(&o, &pages, &http) < 0)
		return -1;
	return http_open(http, &listener, 1);
}

static int teardown(void **state)
{
	if (http_free(http) < 0)
		return -1;
	listen_close(&listener);
	exposition_free(pages.exposition);
	collector_free(pages.collector);
	options_release(&o);
	return rmdir(dir);
}

static int begin(const char *path)
{
	char text[256];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	return fd;
}

/* The status of an answer, whose body begins with `expected`; 0 if the connection ended without. */
static unsigned end(int fd, const char *expected)
{
	static char answer[65536];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	const char *body;
	size_t len = 0;
	ssize_t n;

	do {
		assert_int_equal(poll(&p, 1, 20000), 1);
		n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len < sizeof(answer) - 1);
	answer[len] = '\0';
	close(fd);
	body = strstr(answer, "\r\n\r\n");
	if (!body)
		return 0;
	assert_memory_equal(body + 4, expected, strlen(expected));
	return (unsigned)strtoul(answer + 9, NULL, 10);
}

static unsigned get(const char *path, const char *expected)
{
	return end(begin(path), expected);
}

static void await_begun(unsigned n)
{
	pthread_mutex_lock(&mutex);
	while (begun < n)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static void await_rejected(uint64_t n)
{
	const struct timespec step = { .tv_nsec = 1000000 };
	struct collection_exporter e = { 0 };
	unsigned i;

	for (i = 0; i < 20000 && e.requests_rejected < n; i++) {
		nanosleep(&step, NULL);
		http_describe(http, &e);
	}
	assert_int_equal(e.requests_rejected, n);
}

static void slow_page__hangs__holds_up_no_other(void **state)
{
	unsigned i, status, rejected = 0;
	int fd[JOBS + 2];

	set_gate(1);
	for (i = 0; i < JOBS + 2; i++)
		fd[i] = begin("/api/v1/x?n=1");
	/* Which of them find no place is up to the serving threads. */
	await_rejected(2);
	/* Every serving thread answers, though all of them have requests that wait. */
	for (i = 0; i < 8; i++) {
		assert_int_equal(get("/-/healthy", "shardmeter-exporter is healthy"), 200);
		assert_int_equal(get("/metrics", "# HELP"), 200);
	}
	assert_int_equal(http_probe(http, 20000), 0);
	set_gate(0);
	for (i = 0; i < JOBS + 2; i++) {
		status = end(fd[i], "");
		assert_true(status == 200 || status == 503);
		rejected += status == 503;
	}
	assert_int_equal(rejected, 2);
	assert_int_equal(begun, JOBS);
	assert_int_equal(get("/api/v1/x?n=5", "slow 5\n"), 200);
	assert_int_equal(get("/api/v1/x?none", "There is nothing here"), 404);
}

static void slow_page__client_goes__is_no_harm(void **state)
{
	unsigned i;
	int fd;

	set_gate(1);
	for (i = 0; i < 4; i++) {
		fd = begin("/api/v1/x?n=1");
		await_begun(1);
		close(fd);
	}
	set_gate(0);
	assert_int_equal(get("/api/v1/x?n=2", "slow 2\n"), 200);
}

static void drain__a_running_answer__is_waited_for(void **state)
{
	int fd;

	set_gate(1);
	fd = begin("/api/v1/x?n=1");
	await_begun(1);
	http_stop_accepting(http);
	assert_int_equal(http_drain(http, 50), -ETIMEDOUT);
	set_gate(0);
	assert_int_equal(http_drain(http, 20000), 0);
	assert_int_equal(end(fd, "slow 1\n"), 200);
}

static void free__a_running_job__is_cut_and_waited_for(void **state)
{
	struct http *other;
	int fd;

	set_gate(1);
	fd = begin("/api/v1/x?n=1");
	await_begun(1);
	http_stop_accepting(http);
	assert_int_equal(http_drain(http, 10), -ETIMEDOUT);
	set_gate(0);
	assert_int_equal(http_free(http), 0);
	end(fd, "");
	assert_int_equal(http_create(&o, &pages, &other), 0);
	http = other;
}

static void configure__fewer_scrapes__is_taken(void **state)
{
	struct collection_exporter e = { 0 };

	o.max_requests = 0;
	assert_int_equal(http_configure(http, &o), 0);
	assert_int_equal(get("/metrics", "Too many scrapes"), 503);
	http_describe(http, &e);
	assert_int_equal(e.requests_rejected, 1);
	o.max_requests = 1;
	assert_int_equal(http_configure(http, &o), 0);
	assert_int_equal(get("/metrics", "# HELP"), 200);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(slow_page__hangs__holds_up_no_other),
		test(slow_page__client_goes__is_no_harm),
		test(drain__a_running_answer__is_waited_for),
		test(free__a_running_job__is_cut_and_waited_for),
		test(configure__fewer_scrapes__is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
