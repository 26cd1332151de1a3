/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_floor.c - what an answer costs a server that has nothing to do but to send it.
 *
 *	bench_floor FILE write|microhttpd		serve FILE's bytes to every GET
 *	bench_floor FILE memcpy				time memcpy() of them instead
 *	bench_floor FILE pread LINES WRITERS		time reading and adding cells, see below
 *
 * As a server it prints the port it has on 127.0.0.1 and ends when its standard input does. `write`
 * is one connection at a time, recv() and send() in a loop: below that there is only not to use a
 * socket. `microhttpd` is the library that the exporter uses, as the exporter uses it. What is
 * measured is measured by bench_scrape.
 *
 * `pread` makes FILE, on a tmpfs, with LINES 64-bit cells of each of WRITERS, and then reads them
 * into a small buffer and adds them up, as who may not map a segment has to.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <sys/socket.h>

#include "bench.h"

static struct {
	char *p;
	size_t n;
} body;

static void load(const char *path)
{
	FILE *f = fopen(path, "r");
	long n;

	if (!f || fseek(f, 0, SEEK_END) != 0)
		bench_fail(path);
	n = ftell(f);
	rewind(f);
	body.n = (size_t)n;
	body.p = malloc(body.n + 1);
	if (!body.p || fread(body.p, 1, body.n, f) != body.n)
		bench_fail(path);
	fclose(f);
}

static void copy(void)
{
	char *to = malloc(body.n);
	double start;
	unsigned i;

	if (!to)
		bench_fail("malloc");
	memset(to, 1, body.n);
	for (i = 0; i < bench_repetitions(); i++) {
		start = bench_cpu_ns();
		memcpy(to, body.p, body.n);
		__asm__ volatile("" : : "r"(to) : "memory");
		bench_record("memcpy", bench_cpu_ns() - start);
	}
	free(to);
	bench_print();
}

#define CHUNK	32768u

static void read_cells(const char *path, size_t cells, unsigned writers)
{
	static uint64_t chunk[CHUNK / 8];
	size_t lane = (cells * 8 + 4095) / 4096 * 4096, at, i, n;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint64_t *total = calloc(lane, 1);
	unsigned r, w;
	double start;

	if (fd < 0 || !total || posix_fallocate(fd, 0, (off_t)(lane * writers)) != 0)
		bench_fail(path);
	unlink(path);
	memset(chunk, 1, sizeof(chunk));
	for (at = 0; at < lane * writers; at += n) {
		n = lane * writers - at < CHUNK ? lane * writers - at : CHUNK;
		if (pwrite(fd, chunk, n, (off_t)at) != (ssize_t)n)
			bench_fail("pwrite");
	}
	for (r = 0; r < bench_repetitions(); r++) {
		start = bench_cpu_ns();
		for (w = 0; w < writers; w++)
			for (at = 0; at < lane; at += n) {
				n = lane - at < CHUNK ? lane - at : CHUNK;
				if (pread(fd, chunk, n, (off_t)(w * lane + at)) != (ssize_t)n)
					bench_fail("pread");
				for (i = 0; i < n / 8; i++)
					total[at / 8 + i] += chunk[i];
			}
		__asm__ volatile("" : : "r"(total) : "memory");
		bench_record("pread", bench_cpu_ns() - start);
	}
	free(total);
	close(fd);
	bench_print();
}

static int listening(uint16_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 8) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		bench_fail("cannot listen");
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static void send_all(int fd, const char *p, size_t n)
{
	ssize_t sent;

	for (; n; p += sent, n -= (size_t)sent) {
		sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
	}
}

static void *serve(void *arg)
{
	int listener = *(int *)arg, fd;
	char head[128], request[4096];
	size_t n = (size_t)snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body.n), have = 0;
	ssize_t got;

	for (;;) {
		fd = accept(listener, NULL, NULL);
		for (have = 0; fd >= 0; ) {
			got = recv(fd, request + have, sizeof(request) - have - 1, 0);
			if (got <= 0)
				break;
			have += (size_t)got;
			request[have] = '\0';
			if (!strstr(request, "\r\n\r\n"))
				continue;
			have = 0;
			if (send(fd, head, n, MSG_MORE | MSG_NOSIGNAL) == (ssize_t)n)
				send_all(fd, body.p, body.n);
		}
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size, void **state)
{
	static int seen;
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)cls, (void)url, (void)method, (void)version, (void)upload, (void)upload_size;
	/* An answer to the first call, at the headers, would close the connection. */
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	r = MHD_create_response_from_buffer(body.n, body.p, MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return rc;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	uint16_t port;
	char byte;
	int fd;

	if (argc == 5 && strcmp(argv[2], "pread") == 0) {
		bench_pin(0);
		read_cells(argv[1], strtoul(argv[3], NULL, 10),
			(unsigned)strtoul(argv[4], NULL, 10));
		return 0;
	}
	if (argc != 3)
		bench_fail("bench_floor FILE write|microhttpd|memcpy");
	load(argv[1]);
	if (strcmp(argv[2], "memcpy") == 0) {
		copy();
		return 0;
	}
	fd = listening(&port);
	if (strcmp(argv[2], "microhttpd") == 0) {
		if (!MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL,
			on_request, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_END))
			bench_fail("MHD_start_daemon");
	} else if (pthread_create(&thread, NULL, serve, &fd) != 0) {
		bench_fail("pthread_create");
	}
	printf("%u\n", port);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
