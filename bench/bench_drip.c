/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_drip.c - clients that a server should not have to suffer from.
 *
 *	bench_drip PORT DRIPPING IDLE
 *
 * DRIPPING clients begin a request and send one byte of a header a second, which never ends; IDLE
 * ones have had an answer and keep their connection open. Each has one of 250 addresses in
 * 127.1.0.0/24, so that no limit per address meets them all. Whoever is cut comes again a second
 * later. Prints "ready" when all have connected, and at the end of standard input, with which it
 * ends, {"connects": n, "sent": n}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench.h"

#define CLIENTS_MAX	5000
#define ADDRESSES	250
#define EVENTS		64
#define SLICES		100		/* of a second: so many times something is done */
#define SLICE_MS	(1000 / SLICES)

static const char beginning[] = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ";
static const char whole[] = "GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/* A client's turn comes once a second. */
struct client {
	int fd;			/* -1: not connected */
	int drips;
	int asked;		/* its first bytes are sent */
};

static struct client clients[CLIENTS_MAX];
static unsigned nclients;
static struct sockaddr_in server = { .sin_family = AF_INET };
static unsigned long connects, sent;
static int epoll;

static void drop(struct client *c)
{
	close(c->fd);
	c->fd = -1;
}

/* Begin the request, or make a whole one, or another byte of it. */
static void say(struct client *c)
{
	const char *text = c->asked ? "x" : c->drips ? beginning : whole;
	size_t n = strlen(text);

	if (send(c->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n) {
		c->asked = 1;
		sent += n;
	} else if (errno != EAGAIN && errno != ENOTCONN) {
		drop(c);
	}
}

static void connect_one(struct client *c, unsigned number)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f010001u + number % ADDRESSES) };
	struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP, .data.u32 = number };

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		bench_fail("socket: too many open files?");
	c->asked = 0;
	connects++;
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    (connect(c->fd, (struct sockaddr *)&server, sizeof(server)) != 0 &&
	     errno != EINPROGRESS) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		drop(c);
	else
		say(c);
}

static void turn(struct client *c, unsigned number)
{
	if (c->fd < 0)
		connect_one(c, number);
	else if (!c->asked || c->drips)
		say(c);
}

/* An answer, or the end. */
static void event(struct client *c)
{
	char answer[4096];
	ssize_t n;

	if (c->fd < 0)
		return;
	n = recv(c->fd, answer, sizeof(answer), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		drop(c);
}

static void look(void)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, 0), i;

	for (; n > 0; n = epoll_wait(epoll, events, EVENTS, 0))
		for (i = 0; i < n; i++)
			event(&clients[events[i].data.u32]);
}

int main(int argc, char **argv)
{
	struct pollfd end = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned long slice = 0;
	unsigned i, dripping;

	if (argc != 4)
		bench_fail("bench_drip PORT DRIPPING IDLE");
	server.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	dripping = (unsigned)strtoul(argv[2], NULL, 10);
	nclients = dripping + (unsigned)strtoul(argv[3], NULL, 10);
	if (nclients > CLIENTS_MAX)
		bench_fail("at most 5000 clients");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < nclients; i++)
		clients[i] = (struct client){ .fd = -1, .drips = i < dripping };
	while (poll(&end, 1, SLICE_MS) == 0) {
		for (i = (unsigned)(slice % SLICES); i < nclients; i += SLICES)
			turn(&clients[i], i);
		look();
		if (++slice == 2 * SLICES) {
			printf("ready\n");
			fflush(stdout);
		}
	}
	printf("{\"connects\": %lu, \"sent\": %lu}\n", connects, sent);
	return 0;
}
