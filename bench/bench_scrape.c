/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_scrape.c - a scraper that costs the server as little as it can, and what the server takes.
 *
 *	bench_scrape PORT PID N PAUSE_US PATH FILE [HEADER ...]
 *
 * Asks N times over one kept-alive connection on 127.0.0.1 (a server that closes it gets a new one)
 * and reads the whole answer each time, by Content-Length, by chunks or to the end. PID is the
 * server's: its CPU time, all threads, is read before the request and PAUSE_US after the answer:
 * the kernel brings a thread's time up to date when it goes to sleep.
 * The body of the last answer goes to FILE ("-": nowhere). Prints one line of JSON:
 *
 *	{"cpu_ns": [...], "wall_ns": [...], "bytes": n, "status": n, "connects": n}
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "bench.h"

#define ROOM_FIRST	(1u << 20)
#define ANSWERS_MAX	100000
#define RETRIES		3

static struct {
	int fd;
	uint16_t port;
	unsigned connects;
	char *p;			/* the answer: head, then body as sent */
	size_t n, room;
	char request[2048];
} http;

/* What is left of chunked coding. */
struct chunks {
	size_t at;			/* of the next size line */
	size_t body;			/* bytes without the coding */
	int done;
};

static clockid_t clock_of(pid_t pid)
{
	clockid_t clock = 0;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0)
		bench_fail("no such process");
	return clock;
}

static void connect_again(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(http.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	if (http.fd >= 0)
		close(http.fd);
	http.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (http.fd < 0 || connect(http.fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		bench_fail("cannot connect");
	setsockopt(http.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	http.connects++;
}

/* More of the answer; 0 at its end. */
static ssize_t more(void)
{
	ssize_t n;

	if (http.room - http.n < ROOM_FIRST / 2) {
		http.room = http.room ? http.room * 2 : ROOM_FIRST;
		http.p = realloc(http.p, http.room);
		if (!http.p)
			bench_fail("realloc");
	}
	n = recv(http.fd, http.p + http.n, http.room - http.n - 1, 0);
	if (n > 0)
		http.n += (size_t)n;
	if (http.p)
		http.p[http.n] = '\0';
	return n;
}

/* A header's value in the head of the answer, or NULL. */
static const char *header(const char *name)
{
	const char *at = strcasestr(http.p, name);

	return at && at[-1] == '\n' ? at + strlen(name) : NULL;
}

/* Walk over the chunks that are there, moving their bytes together from `body` on. */
static void walk(struct chunks *c, size_t body)
{
	char *end;
	size_t size;

	while (!c->done) {
		char *line = http.p + c->at;
		const char *newline = memchr(line, '\n', http.n - c->at);

		if (!newline)
			return;
		size = strtoul(line, &end, 16);
		if (end == line)
			bench_fail("a bad chunk");
		if (c->at + (size_t)(newline + 1 - line) + size + 2 > http.n)
			return;
		memmove(http.p + body + c->body, newline + 1, size);
		c->body += size;
		c->at += (size_t)(newline + 1 - line) + size + 2;
		c->done = size == 0;
	}
}

/* Read one answer: 0, or -1 if the server had closed the connection before it. */
static int answer(size_t *ret_body, size_t *ret_len, unsigned *ret_status)
{
	const char *length, *end = NULL;
	struct chunks c = { 0 };
	size_t body, wanted;

	http.n = 0;
	for (; !end; end = strstr(http.p, "\r\n\r\n"))
		if (more() <= 0)
			return -1;
	body = (size_t)(end + 4 - http.p);
	*ret_status = (unsigned)strtoul(http.p + 9, NULL, 10);
	length = header("Content-Length:");
	if (length) {
		for (wanted = strtoul(length, NULL, 10); http.n < body + wanted; )
			if (more() <= 0)
				bench_fail("a short answer");
	} else if (header("Transfer-Encoding:")) {
		c.at = body;
		for (walk(&c, body); !c.done; walk(&c, body))
			if (more() <= 0)
				bench_fail("a short answer");
		wanted = c.body;
	} else {
		while (more() > 0)
			;
		wanted = http.n - body;
	}
	*ret_body = body;
	*ret_len = wanted;
	return 0;
}

static void ask(size_t *ret_body, size_t *ret_len, unsigned *ret_status)
{
	size_t len = strlen(http.request);
	unsigned tries;

	for (tries = 0; tries < RETRIES; tries++) {
		if (http.fd >= 0 && send(http.fd, http.request, len, MSG_NOSIGNAL) == (ssize_t)len &&
		    answer(ret_body, ret_len, ret_status) == 0)
			return;
		connect_again();
	}
	bench_fail("no answer");
}

static void make_request(const char *path, char **headers)
{
	size_t n = (size_t)snprintf(http.request, sizeof(http.request),
		"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", path, http.port);

	for (; *headers && n < sizeof(http.request); headers++)
		n += (size_t)snprintf(http.request + n, sizeof(http.request) - n, "%s\r\n",
			*headers);
	if (n + 3 > sizeof(http.request))
		bench_fail("too many headers");
	memcpy(http.request + n, "\r\n", 3);
}

static void print_list(const char *name, const double *list, unsigned n)
{
	unsigned i;

	printf("\"%s\": [", name);
	for (i = 0; i < n; i++)
		printf("%s%.0f", i ? ", " : "", list[i]);
	printf("], ");
}

static void keep(const char *file, size_t body, size_t len)
{
	FILE *f;

	if (strcmp(file, "-") == 0)
		return;
	f = fopen(file, "w");
	if (!f || fwrite(http.p + body, 1, len, f) != len || fclose(f) != 0)
		bench_fail(file);
}

int main(int argc, char **argv)
{
	static double cpu[ANSWERS_MAX], wall[ANSWERS_MAX];
	size_t body = 0, len = 0;
	unsigned status = 0, i, n, pause_us;
	clockid_t clock;

	if (argc < 7)
		bench_fail("bench_scrape PORT PID N PAUSE_US PATH FILE [HEADER ...]");
	http.fd = -1;
	http.port = (uint16_t)strtoul(argv[1], NULL, 10);
	clock = clock_of((pid_t)strtol(argv[2], NULL, 10));
	n = (unsigned)strtoul(argv[3], NULL, 10);
	pause_us = (unsigned)strtoul(argv[4], NULL, 10);
	if (n < 1 || n > ANSWERS_MAX)
		bench_fail("1 to 100000 requests");
	make_request(argv[5], argv + 7);
	connect_again();
	for (i = 0; i < n; i++) {
		wall[i] = bench_clock_ns(CLOCK_MONOTONIC);
		cpu[i] = bench_clock_ns(clock);
		ask(&body, &len, &status);
		wall[i] = bench_clock_ns(CLOCK_MONOTONIC) - wall[i];
		usleep(pause_us);
		cpu[i] = bench_clock_ns(clock) - cpu[i];
	}
	keep(argv[6], body, len);
	printf("{");
	print_list("cpu_ns", cpu, n);
	print_list("wall_ns", wall, n);
	printf("\"bytes\": %zu, \"status\": %u, \"connects\": %u}\n", len, status, http.connects);
	return 0;
}
