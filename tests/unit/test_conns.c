/* SPDX-License-Identifier: Apache-2.0 */
/* conns.c with real sockets on loopback: who is cut, and when. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/clock.h"
#include "exporter/conns.h"

#define PAIRS 16

static const struct conns_limits wide = { .max = 100, .max_per_ip = 100, .header_timeout_ms = 1000 };
static struct conns *conns;
static int listener;
static struct sockaddr_in address;

static struct pair {
	int client, server;
	struct conn *conn;
} pair[PAIRS];

static int setup(void **state)
{
	socklen_t len = sizeof(address);
	unsigned i;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	address = (struct sockaddr_in){ .sin_family = AF_INET };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, PAIRS) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) < 0)
		return -1;
	for (i = 0; i < PAIRS; i++)
		pair[i] = (struct pair){ .client = -1, .server = -1 };
	return conns_create(&wide, &conns);
}

static void close_pair(struct pair *p)
{
	if (p->conn)
		conns_remove(conns, p->conn);
	if (p->server >= 0)
		close(p->server);
	if (p->client >= 0)
		close(p->client);
	*p = (struct pair){ .client = -1, .server = -1 };
}

static int teardown(void **state)
{
	unsigned i;

	for (i = 0; i < PAIRS; i++)
		close_pair(&pair[i]);
	conns_free(conns);
	return close(listener);
}

/* Connect from 127.0.0.`last`. */
static void join(unsigned i, unsigned last)
{
	struct sockaddr_in from = { .sin_family = AF_INET };

	from.sin_addr.s_addr = htonl(0x7f000000 + last);
	pair[i].client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(pair[i].client, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(pair[i].client, (struct sockaddr *)&address, sizeof(address)), 0);
	pair[i].server = accept(listener, NULL, NULL);
	assert_true(pair[i].server >= 0);
	pair[i].conn = conns_add(conns, pair[i].server);
	assert_non_null(pair[i].conn);
}

static void send_byte(unsigned i)
{
	struct pollfd p = { .fd = pair[i].server, .events = POLLIN };

	assert_int_equal(send(pair[i].client, "x", 1, 0), 1);
	assert_int_equal(poll(&p, 1, 5000), 1);
}

/* Has the server's side been shut down? */
static int is_cut(unsigned i)
{
	struct pollfd p = { .fd = pair[i].server, .events = POLLOUT };

	poll(&p, 1, 0);
	return !!(p.revents & (POLLHUP | POLLERR));
}

static void limits(uint64_t max, uint64_t max_per_ip)
{
	const struct conns_limits l = { .max = max, .max_per_ip = max_per_ip,
		.header_timeout_ms = 1000 };

	conns_set_limits(conns, &l);
}

static void add__beyond_the_limit__cuts_who_waits_longest(void **state)
{
	struct conns_stats stats;

	limits(3, 100);
	join(0, 1);
	conn_busy(conns, pair[0].conn, UINT64_MAX);
	join(1, 1);
	conn_busy(conns, pair[1].conn, UINT64_MAX);
	conn_idle(conns, pair[1].conn);
	join(2, 1);
	join(3, 1);
	assert_true(is_cut(2));		/* who waits goes before who is idle */
	join(4, 1);
	assert_true(is_cut(3));
	conn_busy(conns, pair[4].conn, UINT64_MAX);
	join(5, 1);
	assert_true(is_cut(1));		/* then who is idle */
	conn_busy(conns, pair[5].conn, UINT64_MAX);
	join(6, 1);
	assert_true(is_cut(6));		/* all others are being answered */
	assert_false(is_cut(0) || is_cut(4) || is_cut(5));
	conns_stats(conns, &stats);
	assert_int_equal(stats.open, 3);
	assert_int_equal(stats.cut_for_room, 4);
}

static void add__beyond_the_limit_of_an_address__cuts_one_of_that(void **state)
{
	limits(100, 2);
	join(0, 1);
	join(1, 2);
	join(2, 2);
	join(3, 2);
	assert_true(is_cut(1));
	assert_false(is_cut(0) || is_cut(2) || is_cut(3));
}

static void add__one_is_gone__it_goes_first(void **state)
{
	struct pollfd p;

	limits(3, 100);
	join(0, 1);
	join(1, 1);
	join(2, 1);
	shutdown(pair[1].client, SHUT_WR);
	p = (struct pollfd){ .fd = pair[1].server, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 5000), 1);
	join(3, 1);
	assert_true(is_cut(1));
	assert_false(is_cut(0));
}

/* The kernel is asked about a connection in one round of four. */
static void watch(uint64_t now)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		conns_watch(conns, now);
}

static void watch__no_request_in_time__is_cut(void **state)
{
	uint64_t now;

	join(0, 1);
	join(1, 1);
	conn_busy(conns, pair[1].conn, clock_now() + 5 * CLOCK_S);
	join(2, 1);
	conn_busy(conns, pair[2].conn, UINT64_MAX);
	conn_idle(conns, pair[2].conn);
	now = clock_now();
	watch(now + CLOCK_S / 2);
	assert_false(is_cut(0) || is_cut(1) || is_cut(2));
	watch(now + 2 * CLOCK_S);
	assert_true(is_cut(0));
	assert_false(is_cut(1) || is_cut(2));
	watch(now + 6 * CLOCK_S);
	assert_true(is_cut(1));
	watch(now + 400 * CLOCK_S);
	assert_false(is_cut(2));	/* idle for as long as it likes ... */
	send_byte(2);
	watch(now + 500 * CLOCK_S);
	assert_false(is_cut(2));	/* ... until its first byte */
	watch(now + 502 * CLOCK_S);
	assert_true(is_cut(2));
}

static void drain__what_asks_for_nothing__ends(void **state)
{
	char byte;

	join(0, 1);
	conn_busy(conns, pair[0].conn, UINT64_MAX);
	conn_idle(conns, pair[0].conn);
	join(1, 1);
	conn_busy(conns, pair[1].conn, UINT64_MAX);
	conn_idle(conns, pair[1].conn);
	send_byte(1);
	join(2, 1);
	join(3, 1);
	conn_busy(conns, pair[3].conn, UINT64_MAX);
	assert_int_equal(conns_drain(conns), 4);
	assert_int_equal(recv(pair[0].server, &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(recv(pair[1].server, &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(recv(pair[2].server, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(recv(pair[3].server, &byte, 1, MSG_DONTWAIT), -1);
	conns_cut_all(conns);
	assert_true(is_cut(3));
}

static void local__loopback_and_unix__are(void **state)
{
	int fds[2], is_unix;

	join(0, 77);
	assert_true(conns_is_local(pair[0].server, &is_unix));
	assert_false(is_unix);
	assert_false(conn_is_unix(pair[0].conn));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_true(conns_is_local(fds[0], &is_unix));
	assert_true(is_unix);
	close(fds[0]);
	close(fds[1]);
	assert_false(conns_is_local(-1, &is_unix));
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(add__beyond_the_limit__cuts_who_waits_longest),
		test(add__beyond_the_limit_of_an_address__cuts_one_of_that),
		test(add__one_is_gone__it_goes_first),
		test(watch__no_request_in_time__is_cut),
		test(drain__what_asks_for_nothing__ends),
		test(local__loopback_and_unix__are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
