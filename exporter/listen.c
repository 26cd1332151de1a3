/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen.c - listening sockets; see listen.h.
 *
 * A socket file is made under a name of its own and renamed when it listens and has its mode: nobody
 * ever finds it without either, and one that takes over from another exporter leaves no moment
 * without a file.
 */
#include "exporter/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "exporter/address.h"

#define BACKLOG 128
#define UNIX_PREFIX "unix:"

static const char *unix_path(const char *address)
{
	size_t n = sizeof(UNIX_PREFIX) - 1;

	return strncmp(address, UNIX_PREFIX, n) == 0 ? address + n : NULL;
}

int listen_check(const char *address)
{
	const char *path = unix_path(address);

	if (!path)
		return address_check(address);
	return path[0] == '/' && path[1] && path[strlen(path) - 1] != '/' ? 0 : -EINVAL;
}

static int fill_address(struct sockaddr_un *sa, const char *path)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	return (size_t)snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", path) <
		sizeof(sa->sun_path) ? 0 : -ENAMETOOLONG;
}

/* May a file at this path be replaced? 0 if there is none, or a socket that nobody listens on. */
static int check_stale(const char *path)
{
	struct sockaddr_un sa;
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	rc = fill_address(&sa, path);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 ? -EADDRINUSE : -errno;
	close(fd);
	if (rc == -ECONNREFUSED || rc == -ENOENT)
		return 0;
	/* A full backlog is a live process, too. */
	return rc == -EAGAIN ? -EADDRINUSE : rc;
}

/* Bind under a temporary name, with the mode, and listen. */
static int open_unix(const char *temporary, mode_t mode)
{
	struct sockaddr_un sa;
	mode_t before;
	int fd, rc = fill_address(&sa, temporary);

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(temporary);
	before = umask(0177);
	rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	umask(before);
	if (rc == 0 && (chmod(temporary, mode) < 0 || listen(fd, BACKLOG) < 0)) {
		rc = -errno;
		unlink(temporary);
	}
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static int listen_unix(const char *path, mode_t mode, struct listener *l)
{
	char temporary[sizeof(l->path) + 16];
	struct stat st;
	int rc;

	if ((size_t)snprintf(l->path, sizeof(l->path), "%s", path) >= sizeof(l->path))
		return -ENAMETOOLONG;
	snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
	rc = check_stale(path);
	if (rc < 0)
		return rc;
	l->fd = open_unix(temporary, mode);
	if (l->fd < 0)
		return l->fd;
	if (lstat(temporary, &st) < 0 || rename(temporary, path) < 0) {
		rc = -errno;
		unlink(temporary);
		close(l->fd);
		return rc;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

int listen_open(const char *address, mode_t mode, struct listener *ret_listener, char *error,
	size_t size)
{
	struct listener l = { .fd = -1 };
	const char *path = unix_path(address);
	int rc;

	if (!path) {
		l.fd = address_listen(address, error, size);
		if (l.fd < 0)
			return l.fd;
		address_of(l.fd, l.text, sizeof(l.text));
		*ret_listener = l;
		return 0;
	}
	rc = listen_unix(path, mode, &l);
	if (rc < 0) {
		snprintf(error, size, "cannot listen on %.120s: %s", address, rc == -EEXIST ?
			"there is a file that is not a socket" : rc == -EADDRINUSE ?
			"another process listens there" : rc == -ENAMETOOLONG ?
			"the path is too long; 90 characters are safe" : strerror(-rc));
		return rc;
	}
	snprintf(l.text, sizeof(l.text), "%s", address);
	*ret_listener = l;
	return 0;
}

int listen_adopt(int fd, struct listener *ret_listener, char *error, size_t size)
{
	struct listener l = { .fd = fd, .is_inherited = 1 };
	struct sockaddr_un sa = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(sa), one = sizeof(int);
	int type = 0, listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &one) < 0 || type != SOCK_STREAM ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &one) < 0 || !listens) {
		snprintf(error, size, "descriptor %d from systemd is not a listening stream socket: "
			"ListenStream= makes one", fd);
		return -EINVAL;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && sa.sun_family == AF_UNIX)
		snprintf(l.text, sizeof(l.text), "unix:%.107s", sa.sun_path);
	else
		address_of(fd, l.text, sizeof(l.text));
	*ret_listener = l;
	return 0;
}

void listen_close(struct listener *l)
{
	struct stat st;

	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	if (*l->path && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	l->path[0] = '\0';
}
