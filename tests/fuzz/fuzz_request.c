/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_request.c - any bytes as what a client sends, to a server without a segment.
 *
 * The server is the real one with its threads; the bytes come in through a socket of the file system,
 * and the end of what the client sends ends the connection. Whatever comes back begins with a status
 * line of ours, and has as many bytes as it says.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "exporter/http.h"
#include "exporter/listen.h"
#include "exporter/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWER_MAX	(1u << 20)
#define DEADLINE_MS	20000

static struct sockaddr_un address = { .sun_family = AF_UNIX };

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_request: %s\n", what);
	abort();
}

static int slow(void *ctx, const struct request *r, struct page *ret_page)
{
	struct page page = { .status = 200, .type = "text/plain" };

	(void)ctx;
	buf_printf(&page.body, "%zu parameters\n", r->nparams);
	*ret_page = page;
	return 0;
}

/* Once; the process ends with it. */
static void start(void)
{
	static struct listener listener;
	static struct http *http;
	static char name[] = "fuzz_request", socket_mode[] = "--web.idle-timeout=1s";
	static char *argv[] = { name, socket_mode, NULL };
	const struct exposition_options defaults = EXPOSITION_DEFAULTS;
	const char *segment = "/dev/shm/shardmeter-fuzz-request/none", *bad;
	struct pages pages = { .telemetry_path = "/metrics", .slow = slow };
	struct buf errors = { 0 };
	static struct options o;
	char text[120], error[256];

	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
	must(options_parse(&o, 2, argv, &errors) == 0, "options");
	must(collector_create(&segment, 1, &pages.collector, &bad) == 0, "collector");
	must(exposition_create(&defaults, &pages.exposition) == 0, "exposition");
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/shardmeter-fuzz-%ld",
		(long)getpid());
	snprintf(text, sizeof(text), "unix:%s", address.sun_path);
	must(listen_open(text, 0600, &listener, error, sizeof(error)) == 0, error);
	must(http_create(&o, &pages, &http) == 0, "server");
	must(http_open(http, &listener, 1) == 0, "gate");
}

/* One answer at p; its length, or 0 if it is not whole. */
static size_t check_answer(const char *p, size_t len, int is_head)
{
	const char *end = memmem(p, len, "\r\n\r\n", 4), *length;
	unsigned status;
	size_t body;

	must(len >= 13 && memcmp(p, "HTTP/1.", 7) == 0 && p[8] == ' ', "no status line");
	status = (unsigned)strtoul(p + 9, NULL, 10);
	must(status == 100 || (status >= 200 && status < 600), "a status that is none");
	if (!end)
		return 0;
	length = memmem(p, (size_t)(end - p), "\r\nContent-Length: ", 18);
	if (status == 100)
		return (size_t)(end - p) + 4;
	must(length != NULL, "no Content-Length");
	body = is_head ? 0 : strtoul(length + 18, NULL, 10);
	return (size_t)(end - p) + 4 + body <= len ? (size_t)(end - p) + 4 + body : 0;
}

/* Read until the end of the connection, or until nothing comes: 0.9.75 misses some ends. */
static size_t read_all(int fd, char *answer)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	int ready;
	ssize_t n;

	do {
		/* libFuzzer has a timer that interrupts. */
		do
			ready = poll(&p, 1, DEADLINE_MS);
		while (ready < 0 && errno == EINTR);
		must(ready > 0, "the connection neither answers nor ends");
		n = recv(fd, answer + len, ANSWER_MAX - len, 0);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len < ANSWER_MAX);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char last[] = "\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: localhost\r\n"
		"Connection: close\r\n\r\n";
	static char answer[ANSWER_MAX];
	static int started;
	size_t len;
	int fd;

	if (!started)
		start();
	started = 1;
	if (size > 60000)
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
	/* The server may have refused and closed before it has all. The last request ends most of what
	 * is still open, at once rather than by a deadline. */
	if (send(fd, data, size, MSG_NOSIGNAL) >= 0 &&
	    send(fd, last, sizeof(last) - 1, MSG_NOSIGNAL) >= 0)
		shutdown(fd, SHUT_WR);
	len = read_all(fd, answer);
	/* Answers to what follows a HEAD cannot be told from its body: only the first is looked at. */
	if (len)
		check_answer(answer, len, size > 4 && memcmp(data, "HEAD", 4) == 0);
	close(fd);
	return 0;
}
