/* SPDX-License-Identifier: Apache-2.0 */
/* address.c - listen addresses and host names; see address.h. */
#include "exporter/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_MAX 256

/* Where the host ends: at the port's colon, or at the end. NULL if it is malformed. */
static const char *split(const char *text, const char **ret_host)
{
	const char *end;

	if (*text == '[') {
		*ret_host = text + 1;
		end = strchr(text, ']');
		return end && (end[1] == ':' || end[1] == '\0') ? end : NULL;
	}
	*ret_host = text;
	end = strchr(text, ':');
	/* More than one colon is an IPv6 address without its brackets. */
	if (end && strchr(end + 1, ':'))
		return NULL;
	return end ? end : text + strlen(text);
}

int address_host(const char *text, char *ret_host, size_t size)
{
	const char *host, *end = split(text, &host), *port;
	size_t len, i;

	if (!end)
		return -EINVAL;
	port = *end == ']' ? end + 1 : end;
	for (i = 1; *port && port[i]; i++)
		if (!isdigit((unsigned char)port[i]))
			return -EINVAL;
	len = (size_t)(end - host);
	if (len && host[len - 1] == '.')
		len--;
	if (len >= size)
		return -EINVAL;
	for (i = 0; i < len; i++)
		ret_host[i] = (char)tolower((unsigned char)host[i]);
	ret_host[len] = '\0';
	return 0;
}

static int in_list(const char *host, const char *list)
{
	char item[HOST_MAX], name[HOST_MAX];
	size_t n;

	while (*list) {
		list += strspn(list, ", ");
		n = strcspn(list, ", ");
		if (n == 1 && *list == '*')
			return 1;
		if (n && n < sizeof(item)) {
			memcpy(item, list, n);
			item[n] = '\0';
			if (address_host(item, name, sizeof(name)) == 0 && *name &&
			    strcmp(name, host) == 0)
				return 1;
		}
		list += n;
	}
	return 0;
}

static int is_ip(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

int address_allowed(const char *header, const char *list)
{
	char host[HOST_MAX];

	if (address_host(header, host, sizeof(host)) < 0)
		return in_list("", list);	/* only if all are */
	return strcmp(host, "localhost") == 0 || is_ip(host) || in_list(host, list);
}

int address_check(const char *address)
{
	const char *port = strrchr(address, ':');
	char host[HOST_MAX];

	return port && port[1] && address_host(address, host, sizeof(host)) == 0 &&
		strtoul(port + 1, NULL, 10) <= 65535 ? 0 : -EINVAL;
}

static int open_socket(const struct addrinfo *ai)
{
	int one = 1, rc;
	int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		ai->ai_protocol);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 128) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int address_listen(const char *address, char *error, size_t size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list, *ai;
	char host[HOST_MAX];
	const char *port = strrchr(address, ':');
	int rc = -EINVAL, failed;

	if (address_check(address) < 0 || address_host(address, host, sizeof(host)) < 0) {
		snprintf(error, size, "\"%.100s\" is not of the form ADDRESS:PORT", address);
		return -EINVAL;
	}
	failed = getaddrinfo(*host ? host : NULL, port + 1, &hints, &list);
	if (failed) {
		snprintf(error, size, "cannot listen on %.100s: %s", address, gai_strerror(failed));
		return -EINVAL;
	}
	/* Every address: the IPv6 socket takes IPv4, too, so it is tried first. */
	if (!*host)
		for (ai = list; ai && rc < 0; ai = ai->ai_next)
			if (ai->ai_family == AF_INET6)
				rc = open_socket(ai);
	for (ai = list; ai && rc < 0; ai = ai->ai_next)
		rc = open_socket(ai);
	freeaddrinfo(list);
	if (rc < 0)
		snprintf(error, size, "cannot listen on %.100s: %s; --web.listen-address takes "
			"another one", address, strerror(-rc));
	return rc;
}

void address_of(int fd, char *ret_text, size_t size)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char host[64], port[16];

	ret_text[0] = '\0';
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
	    getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	snprintf(ret_text, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}
