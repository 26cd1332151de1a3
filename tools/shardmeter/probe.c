/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - see probe.h. The other side may be anything that listens there: nothing is trusted. */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int fail(struct probe *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct probe *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->error, sizeof(p->error), fmt, ap);
	va_end(ap);
	return -1;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#define UNIX_PREFIX "unix:"

static bool is_unix(const char *address)
{
	return strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
}

static socklen_t parse_unix(const char *path, struct sockaddr_storage *ret)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ret;

	memset(ret, 0, sizeof(*ret));
	if (path[0] != '/' || strlen(path) >= sizeof(un->sun_path))
		return 0;
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	return sizeof(*un);
}

/* HOST:PORT to a socket address; its length, or 0. */
static socklen_t parse_address(const char *address, struct sockaddr_storage *ret)
{
	const char *colon = strrchr(address, ':');
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	char host[64];
	size_t len = colon ? (size_t)(colon - address) : 0;
	unsigned long port;
	char *end;

	memset(ret, 0, sizeof(*ret));
	if (len == 0 || len >= sizeof(host) || colon[1] < '0' || colon[1] > '9')
		return 0;
	port = strtoul(colon + 1, &end, 10);
	if (*end || port == 0 || port > 65535)
		return 0;
	memcpy(host, address, len);
	host[len] = '\0';
	if (strcmp(host, "localhost") == 0)
		strcpy(host, "127.0.0.1");
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ? sizeof(*v6) : 0;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? sizeof(*v4) : 0;
}

/* Wait until fd is ready: 0, or -1 at the deadline. */
static int wait_ready(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int rc;

	do {
		left = deadline_ms - now_ms();
		if (left <= 0)
			return -1;
		rc = poll(&p, 1, (int)left);
	} while (rc < 0 && errno == EINTR);
	return rc > 0 ? 0 : -1;
}

static int connect_by(int fd, const struct sockaddr_storage *to, socklen_t len, int64_t deadline_ms,
	struct probe *p)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (connect(fd, (const struct sockaddr *)to, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return fail(p, "%s", strerror(errno));
	if (wait_ready(fd, POLLOUT, deadline_ms) != 0)
		return fail(p, "no connection in time");
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error)
		return fail(p, "%s", strerror(error ? error : errno));
	return 0;
}

static int send_all(int fd, const char *data, size_t len, int64_t deadline_ms, struct probe *p)
{
	ssize_t n;

	while (len > 0) {
		n = send(fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fail(p, "%s", strerror(errno));
		if (n < 0 && wait_ready(fd, POLLOUT, deadline_ms) != 0)
			return fail(p, "the request could not be sent in time");
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Read until the end, the deadline, or the buffer is full. Returns how much. */
static size_t receive(int fd, char *buffer, size_t size, int64_t deadline_ms)
{
	size_t at = 0;
	ssize_t n;

	while (at < size) {
		n = recv(fd, buffer + at, size - at, 0);
		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
			 wait_ready(fd, POLLIN, deadline_ms) != 0)
			break;
	}
	return at;
}

static int parse_answer(const char *answer, struct probe *p)
{
	const char *body = strstr(answer, "\r\n\r\n");

	if (!answer[0])
		return fail(p, "connected, but no answer in time");
	p->status = strncmp(answer, "HTTP/1.", 7) == 0 && answer[7] && answer[8] == ' '
			    ? atoi(answer + 9)
			    : 0;
	if (p->status < 100 || p->status > 599) {
		p->status = 0;
		p->foreign = 1;
		return fail(p, "what answers there does not speak HTTP");
	}
	snprintf(p->body, sizeof(p->body), "%s", body ? body + 4 : "");
	return 0;
}

int probe_http(const char *address, const char *path, unsigned timeout_ms, struct probe *ret_probe)
{
	int64_t deadline = now_ms() + timeout_ms;
	struct sockaddr_storage to;
	char request[512], answer[16384];
	socklen_t len = is_unix(address) ? parse_unix(address + strlen(UNIX_PREFIX), &to)
					 : parse_address(address, &to);
	int fd, rc;

	memset(ret_probe, 0, sizeof(*ret_probe));
	if (!len) {
		ret_probe->bad_address = 1;
		return fail(ret_probe, "\"%s\" is neither ADDRESS:PORT nor unix:/PATH", address);
	}
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(ret_probe, "%s", strerror(errno));
	snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
		to.ss_family == AF_UNIX ? "localhost" : address);
	rc = connect_by(fd, &to, len, deadline, ret_probe);
	if (!rc)
		rc = send_all(fd, request, strlen(request), deadline, ret_probe);
	if (!rc) {
		answer[receive(fd, answer, sizeof(answer) - 1, deadline)] = '\0';
		rc = parse_answer(answer, ret_probe);
	}
	close(fd);
	return rc;
}
