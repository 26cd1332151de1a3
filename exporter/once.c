/* SPDX-License-Identifier: Apache-2.0 */
/* once.c - one exposition; see once.h. */
#include "exporter/once.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/log.h"
#include "exporter/options.h"

static int exit_code(const struct source_status *status)
{
	switch (status->state) {
	case SOURCE_NO_SEGMENT:
	case SOURCE_NOT_READY:
		return status->up ? 0 : EXIT_NO_SEGMENT;
	case SOURCE_NO_PERMISSION:
		return EXIT_NO_PERMISSION;
	case SOURCE_INCOMPATIBLE:
	case SOURCE_DAMAGED:
		return EXIT_DAMAGED;
	case SOURCE_ERROR:
		return EXIT_USAGE;
	case SOURCE_UP:
		break;
	}
	return 0;
}

static int write_all(int fd, const struct buf *b)
{
	size_t done = 0;
	ssize_t n;

	while (done < b->len) {
		n = write(fd, b->data + done, b->len - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* A device or a pipe is written to. */
static int write_through(const char *path, const struct buf *b)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY), rc;

	if (fd < 0)
		return -errno;
	rc = write_all(fd, b);
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

/* The name does not end as the file's: collectors take *.prom. Only a file is replaced: not a device, and
 * not a link, whose maker wants the file elsewhere. */
static int write_file(const char *path, const struct buf *b)
{
	char temporary[4096];
	struct stat st;
	int fd, rc;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return write_through(path, b);
	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return -ELOOP;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", path, (long)getpid()) >=
	    sizeof(temporary))
		return -ENAMETOOLONG;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, b);
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(temporary);
	return rc;
}

int once(const struct pages *p, const char *path)
{
	const struct request r = { .path = "" };
	const struct collection *c;
	struct page page = { 0 };
	int code = 0, rc;
	size_t i;

	collector_set_quiet(p->collector);
	rc = collector_get(p->collector, 0, 0, &c);
	if (rc == 0) {
		for (i = 0; i < c->nsegments && code == 0; i++)
			code = exit_code(&c->segment[i].reading.status);
		rc = pages_metrics(p, c, &r, &page);
		collection_release(c);
	}
	if (rc == 0)
		rc = *path ? write_file(path, &page.body) : write_all(STDOUT_FILENO, &page.body);
	buf_free(&page.body);
	if (rc < 0) {
		log_error("the exposition could not be written", "file", path, "error",
			strerror(-rc));
		return EXIT_USAGE;
	}
	return code;
}
