/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - see file.h. */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nobody else calls a file PATH and this and six letters: it may be removed. */
#define MARK ".shardmeter-"

/* Of mkostemp(). */
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static int code_of_errno(int error)
{
	return error == EACCES || error == EPERM || error == EROFS ? CLI_DENIED : CLI_FAILED;
}

/* Is it one that its maker does not write any more? Makers hold a lock on theirs. */
static bool is_stale(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	bool stale;

	if (fd < 0)
		return false;
	stale = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
		flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	return stale;
}

static bool is_temporary(const char *name, const char *path)
{
	size_t len = strlen(path), mark = strlen(MARK);

	return strncmp(name, path, len) == 0 && strncmp(name + len, MARK, mark) == 0 &&
	       strlen(name + len + mark) == 6 && strspn(name + len + mark, letters) == 6;
}

/* The directory of a path as a text to free; NULL without memory. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
}

static void remove_stale(const char *path, const char *directory)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	DIR *d = opendir(directory);
	struct dirent *e;
	char *full;

	while (d && (e = readdir(d))) {
		if (!is_temporary(e->d_name, name) ||
			asprintf(&full, "%s%s", directory, e->d_name) < 0)
			continue;
		if (is_stale(full))
			unlink(full);
		free(full);
	}
	if (d)
		closedir(d);
}

/* A file with a name, locked so that nobody takes it for a stale one. */
static int open_named(struct cli_file *file)
{
	int fd;

	snprintf(file->temporary, sizeof(file->temporary), "%s" MARK "XXXXXX", file->path);
	fd = mkostemp(file->temporary, O_CLOEXEC);
	if (fd < 0)
		file->temporary[0] = '\0';
	else
		flock(fd, LOCK_EX | LOCK_NB);
	return fd;
}

static int open_nameless(const char *directory)
{
	if (access("/proc/self/fd", X_OK) != 0)
		return -1; /* it could not be given a name */
	return open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

/* What a symbolic link leads to is what is meant, and what is no regular file is not to be replaced by one.
 * 0 or an exit code. */
static int look_at_path(const struct cli *c, struct cli_file *file)
{
	struct stat st;

	if (lstat(file->path, &st) != 0)
		return 0;
	if (S_ISLNK(st.st_mode)) {
		if (!realpath(file->path, file->target) || stat(file->target, &st) != 0)
			return cli_fail(c, CLI_FAILED, "cannot write %s: it is a symbolic link to nothing",
				file->path);
		file->path = file->target;
	}
	file->direct = !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
	return 0;
}

static int open_direct(const struct cli *c, struct cli_file *file)
{
	int fd = open(file->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	file->f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (file->f)
		return 0;
	if (fd >= 0)
		close(fd);
	return cli_fail(c, code_of_errno(errno), "cannot write %s: %s", file->path, strerror(errno));
}

int cli_file_open(const struct cli *c, struct cli_file *file, const char *path)
{
	char *directory;
	int fd, error, rc;

	file->f = NULL;
	file->path = path;
	file->temporary[0] = '\0';
	file->direct = 0;
	rc = look_at_path(c, file);
	if (rc)
		return rc;
	if (file->direct)
		return open_direct(c, file);
	path = file->path;
	directory = directory_of(path);
	if (!directory || strlen(path) + sizeof(MARK "XXXXXX") > sizeof(file->temporary)) {
		free(directory);
		return cli_fail(c, CLI_FAILED, "the file name is too long");
	}
	remove_stale(path, directory);
	fd = open_nameless(directory);
	free(directory);
	if (fd < 0)
		fd = open_named(file);
	if (fd < 0)
		return cli_fail(c, code_of_errno(errno), "cannot write beside %s: %s", path,
			strerror(errno));
	file->f = fchmod(fd, 0644) == 0 ? fdopen(fd, "w") : NULL;
	if (!file->f) {
		error = errno;
		close(fd);
		if (file->temporary[0])
			unlink(file->temporary);
		return cli_fail(c, CLI_FAILED, "cannot write beside %s: %s", path, strerror(error));
	}
	return 0;
}

/* rename() needs a name, and link() one that nobody has. 0 or errno. */
static int give_name(struct cli_file *file, int fd)
{
	unsigned char random[6];
	char self[64], ending[7];

	flock(fd, LOCK_EX | LOCK_NB);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	do {
		if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return EAGAIN;
		for (size_t i = 0; i < sizeof(random); i++)
			ending[i] = letters[random[i] % (sizeof(letters) - 1)];
		ending[sizeof(random)] = '\0';
		snprintf(file->temporary, sizeof(file->temporary), "%s" MARK "%s", file->path,
			ending);
		if (linkat(AT_FDCWD, self, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) == 0)
			return 0;
	} while (errno == EEXIST);
	file->temporary[0] = '\0';
	return errno;
}

/* The rename itself must reach the disk, too. */
static void sync_directory(const char *path)
{
	char *directory = directory_of(path);
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
	if (fflush(f) != 0 || ferror(f) || (!file->direct && fsync(fileno(f)) != 0))
		error = errno ? errno : EIO;
	if (file->direct) {
		if (fclose(f) != 0 && !error)
			error = errno;
		return error ? cli_fail(c, CLI_FAILED, "cannot write %s: %s", file->path,
				strerror(error)) : 0;
	}
	if (!error && !file->temporary[0])
		error = give_name(file, fileno(f));
	if (!error && rename(file->temporary, file->path) != 0)
		error = errno;
	if (fclose(f) != 0 && !error)
		error = errno;
	if (error) {
		if (file->temporary[0])
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
	if (file->temporary[0])
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
