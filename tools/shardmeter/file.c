/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int code_of_errno(int error)
{
	return error == EACCES || error == EPERM || error == EROFS ? CLI_DENIED : CLI_FAILED;
}

int cli_file_open(const struct cli *c, struct cli_file *file, const char *path)
{
	int fd, n = snprintf(file->temporary, sizeof(file->temporary), "%s.XXXXXX", path);

	file->f = NULL;
	file->path = path;
	if (n < 0 || (size_t)n >= sizeof(file->temporary))
		return cli_fail(c, CLI_FAILED, "the file name is too long");
	fd = mkostemp(file->temporary, O_CLOEXEC);
	if (fd < 0)
		return cli_fail(c, code_of_errno(errno), "cannot write beside %s: %s", path,
			strerror(errno));
	file->f = fchmod(fd, 0644) == 0 ? fdopen(fd, "w") : NULL;
	if (!file->f) {
		int error = errno;

		close(fd);
		unlink(file->temporary);
		return cli_fail(
			c, CLI_FAILED, "cannot write %s: %s", file->temporary, strerror(error));
	}
	return 0;
}

/* The rename itself must reach the disk, too. */
static void sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(directory);
}

int cli_file_commit(const struct cli *c, struct cli_file *file)
{
	FILE *f = file->f;
	int error = 0;

	file->f = NULL;
	errno = 0;
	if (fflush(f) != 0 || ferror(f) || fsync(fileno(f)) != 0)
		error = errno ? errno : EIO;
	if (fclose(f) != 0 && !error)
		error = errno;
	if (!error && rename(file->temporary, file->path) != 0)
		error = errno;
	if (error) {
		unlink(file->temporary);
		return cli_fail(c, code_of_errno(error),
			"cannot write %s: %s; what was there is unchanged", file->path,
			strerror(error));
	}
	sync_directory(file->path);
	return 0;
}

void cli_file_abandon(struct cli_file *file)
{
	if (!file->f)
		return;
	fclose(file->f);
	file->f = NULL;
	unlink(file->temporary);
}

/* Which write failed, and why, stdio has forgotten; a pipe without a reader still shows. */
static bool reader_is_gone(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}

int cli_finish(const struct cli *c, int code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno == EPIPE || reader_is_gone(fileno(stdout)))
		return CLI_OK;
	return cli_fail(c, CLI_FAILED, "cannot write the output: %s",
		errno ? strerror(errno) : "the disk may be full");
}
