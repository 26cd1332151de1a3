/* SPDX-License-Identifier: Apache-2.0 */
/* sd.c - systemd's protocols for services; see sd.h. */
#include "exporter/sd.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "exporter/clock.h"

/* A whole positive number in the environment, or 0. */
static unsigned long long number(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	unsigned long long v;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	v = strtoull(text, &end, 10);
	return errno || *end ? 0 : v;
}

int sd_listen_fds(void)
{
	unsigned long long n = number("LISTEN_FDS");
	int mine = number("LISTEN_PID") == (unsigned long long)getpid();

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return mine && n < INT_MAX - SD_FIRST_FD ? (int)n : 0;
}

uint64_t sd_watchdog_ms(void)
{
	unsigned long long us = number("WATCHDOG_USEC");

	if (getenv("WATCHDOG_PID") && number("WATCHDOG_PID") != (unsigned long long)getpid())
		return 0;
	return us ? us / 1000 ? us / 1000 : 1 : 0;
}

int sd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len;
	int fd, rc = 0;

	if (!path || (path[0] != '/' && path[0] != '@'))
		return 0;
	len = strlen(path);
	if (len >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, len);
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

void sd_notify_reloading(void)
{
	char text[64];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)(clock_now() / 1000));
	sd_notify(text);
}
