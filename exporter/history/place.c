/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - the store's directory; see place.h.
 *
 * The lock is an open-file-description lock: it cannot be dropped by closing another descriptor of
 * the same file, and it ends with the process however that ends.
 */
#include "exporter/history/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "exporter/history/bytes.h"
#include "exporter/history/history.h"

#define SYSTEM_DIR	"/var/lib/shardmeter"
#define DEFAULT_SEGMENT	"default"
#define LOCK_NAME	"history.lock"
#define NAME_MAX_CHARS	100u
#define NAME_CHARS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

int place_path(const char *dir, const char *name, char *ret_path, size_t size)
{
	int n = snprintf(ret_path, size, "%s/%s", dir, name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int is_store(const char *dir)
{
	char path[PATH_MAX];

	return place_path(dir, PLACE_DATA, path, sizeof(path)) == 0 && access(path, F_OK) == 0;
}

/* ---- directories of segments ---------------------------------------------------------------- */

static int is_name(const char *s)
{
	size_t len = strlen(s);

	return len && len <= NAME_MAX_CHARS && *s != '.' && strspn(s, NAME_CHARS) == len;
}

/* The name that a path in one of the usual places stands for, else NULL. */
static const char *name_of_path(const char *path)
{
	static const char *const usual[] = { "/run/shardmeter/", "/dev/shm/shardmeter." };
	size_t i, len;

	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		len = strlen(usual[i]);
		if (strncmp(path, usual[i], len) == 0 && is_name(path + len))
			return path + len;
	}
	return NULL;
}

/* An absolute path, without empty parts and "." in it. */
static int whole_path(const char *path, char *ret_whole, size_t size)
{
	char cwd[PATH_MAX] = "";
	const char *parts[] = { cwd, path }, *at;
	size_t i, n, len = 0;

	if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return -errno;
	for (i = 0; i < 2; i++) {
		for (at = parts[i]; *at; at += n) {
			at += strspn(at, "/");
			n = strcspn(at, "/");
			if (n == 0 || (n == 1 && *at == '.'))
				continue;
			if (len + n + 2 > size)
				return -ENAMETOOLONG;
			ret_whole[len++] = '/';
			memcpy(ret_whole + len, at, n);
			len += n;
		}
	}
	ret_whole[len] = '\0';
	return len ? 0 : -EINVAL;
}

/* FILE@XXXXXXXX: other characters of FILE become '_', and a '.' in front, too. */
static int dir_of_path(const char *path, char *ret_name, size_t size)
{
	char whole[PATH_MAX];
	size_t i;
	int rc = path[strlen(path) - 1] == '/' ? -EINVAL : whole_path(path, whole, sizeof(whole));

	if (rc < 0)
		return rc;
	snprintf(ret_name, size, "%.*s@%08x", (int)NAME_MAX_CHARS, strrchr(whole, '/') + 1,
		bytes_crc32c(whole, strlen(whole)));
	for (i = 0; ret_name[i] && ret_name[i] != '@'; i++)
		if (!strchr(NAME_CHARS, ret_name[i]) || (i == 0 && ret_name[i] == '.'))
			ret_name[i] = '_';
	return 0;
}

int place_segment_dir(const char *storage, const char *segment, char *ret_dir, size_t size)
{
	char name[NAME_MAX_CHARS + 16];
	const char *usual;
	int rc;

	if (!segment || !*segment)
		segment = getenv("SHARDMETER_SEGMENT");
	if (!segment || !*segment)
		segment = DEFAULT_SEGMENT;
	usual = strchr(segment, '/') ? name_of_path(segment) : segment;
	if (usual)
		return is_name(usual) ? place_path(storage, usual, ret_dir, size) : -EINVAL;
	rc = dir_of_path(segment, name, sizeof(name));
	return rc < 0 ? rc : place_path(storage, name, ret_dir, size);
}

int place_each(const char *storage, int (*fn)(void *ctx, const char *name), void *ctx)
{
	struct dirent **list;
	char path[PATH_MAX];
	int i, rc = 0, n = scandir(storage, &list, NULL, alphasort);

	for (i = 0; i < n; i++) {
		if (rc == 0 && list[i]->d_name[0] != '.' &&
		    place_path(storage, list[i]->d_name, path, sizeof(path)) == 0 && is_store(path))
			rc = fn(ctx, list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return rc;
}

struct only {
	char name[NAME_MAX + 1];
	unsigned n;
};

static int count_store(void *ctx, const char *name)
{
	struct only *only = ctx;

	snprintf(only->name, sizeof(only->name), "%s", name);
	return ++only->n > 1;
}

static int has_store(const char *storage)
{
	struct only only = { .n = 0 };

	place_each(storage, count_store, &only);
	return only.n > 0 || is_store(storage);
}

int place_find(const char *storage, const char *segment, char *ret_dir, size_t size)
{
	const char *from_env = getenv("SHARDMETER_SEGMENT");
	struct only only = { .n = 0 };
	char fallback[PATH_MAX];
	int rc;

	if (!storage || !*storage) {
		rc = history_default_dir(0, fallback, sizeof(fallback));
		if (rc < 0)
			return rc;
		storage = fallback;
	}
	if (is_store(storage))
		return (size_t)snprintf(ret_dir, size, "%s", storage) >= size ? -ENAMETOOLONG : 0;
	if (!(segment && *segment) && !(from_env && *from_env)) {
		place_each(storage, count_store, &only);
		if (only.n == 1)
			return place_path(storage, only.name, ret_dir, size);
		if (only.n > 1)
			return (size_t)snprintf(ret_dir, size, "%s", storage) >= size ?
				-ENAMETOOLONG : -ENOTUNIQ;
	}
	rc = place_segment_dir(storage, segment, ret_dir, size);
	return rc < 0 ? rc : is_store(ret_dir) ? 0 : -ENOENT;
}

/* ---- making and locking --------------------------------------------------------------------- */

static int can_write(const char *dir)
{
	char parent[PATH_MAX];
	char *slash;

	if (access(dir, F_OK) == 0)
		return access(dir, W_OK | X_OK) == 0;
	snprintf(parent, sizeof(parent), "%s", dir);
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return 0;
	*slash = '\0';
	return access(parent, W_OK | X_OK) == 0;
}

int history_default_dir(int for_writing, char *ret_dir, size_t size)
{
	const char *base = getenv("XDG_STATE_HOME"), *below = "shardmeter";
	int n;

	if (for_writing ? can_write(SYSTEM_DIR) : has_store(SYSTEM_DIR)) {
		n = snprintf(ret_dir, size, "%s", SYSTEM_DIR);
		return (size_t)n >= size ? -ENAMETOOLONG : 0;
	}
	/* A relative XDG directory is invalid by its specification. */
	if (!base || base[0] != '/') {
		base = getenv("HOME");
		below = ".local/state/shardmeter";
	}
	if (!base || base[0] != '/')
		return -ENOENT;
	return place_path(base, below, ret_dir, size);
}

int place_make(const char *dir)
{
	char path[PATH_MAX];
	size_t i, len = strlen(dir);
	struct stat st;
	int rc;

	if (len == 0 || len >= sizeof(path))
		return len ? -ENAMETOOLONG : -ENOENT;
	memcpy(path, dir, len + 1);
	for (i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		path[i] = '\0';
		rc = mkdir(path, 0750) < 0 ? -errno : 0;
		if (rc < 0 && rc != -EEXIST && stat(path, &st) < 0)
			return rc;
		if (i < len)
			path[i] = '/';
	}
	if (stat(dir, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int diag_set(struct sm_diag *diag, int rc, const char *text)
{
	if (diag) {
		diag->error = rc;
		snprintf(diag->message, sizeof(diag->message), "%s", text);
	}
	return rc;
}

static int lock_busy(int fd, const char *dir, struct sm_diag *diag)
{
	char text[SM_DIAG_MESSAGE], pid[24] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
	size_t digits = n > 0 ? strspn(pid, "0123456789") : 0;

	pid[digits] = '\0';
	snprintf(text, sizeof(text), "the store %.300s is in use by another shardmeter-exporter%s%s: "
		"give this one a --storage.path of its own, or --no-storage",
		dir, digits ? ", pid " : "", pid);
	return diag_set(diag, -EBUSY, text);
}

int place_lock(const char *dir, int *ret_fd, struct sm_diag *diag)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX], text[SM_DIAG_MESSAGE];
	int fd = -1, rc = place_make(dir);

	if (rc == 0)
		rc = place_path(dir, LOCK_NAME, path, sizeof(path));
	if (rc == 0) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
		rc = fd < 0 ? -errno : 0;
	}
	if (rc == 0 && fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		rc = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
		if (rc == -EBUSY) {
			rc = lock_busy(fd, dir, diag);
			close(fd);
			return rc;
		}
	}
	if (rc < 0) {
		snprintf(text, sizeof(text), "the store %.300s cannot be written: %s", dir,
			strerror(-rc));
		if (fd >= 0)
			close(fd);
		return diag_set(diag, rc, text);
	}
	/* Only for messages: a disk that is full takes the lock all the same. */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%ld\n", (long)getpid());
	*ret_fd = fd;
	return diag_set(diag, 0, "");
}

int place_locked(const char *dir, int fd)
{
	struct stat ours, named;
	char path[PATH_MAX];

	return place_path(dir, LOCK_NAME, path, sizeof(path)) == 0 && fstat(fd, &ours) == 0 &&
		stat(path, &named) == 0 && ours.st_dev == named.st_dev &&
		ours.st_ino == named.st_ino;
}

static int is_aside(const struct dirent *e)
{
	return strncmp(e->d_name, PLACE_ASIDE, sizeof(PLACE_ASIDE) - 1) == 0;
}

/* Names end in the time, so that their order is the order in time. */
static void remove_oldest_aside(const char *dir)
{
	struct dirent **list;
	char path[PATH_MAX];
	int i, n = scandir(dir, &list, is_aside, alphasort);

	for (i = 0; i < n; i++) {
		if (i < n - PLACE_ASIDE_KEPT &&
		    place_path(dir, list[i]->d_name, path, sizeof(path)) == 0)
			unlink(path);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

int place_set_aside(const char *dir, uint64_t now_ms, char *ret_name, size_t size)
{
	time_t seconds = (time_t)(now_ms / 1000);
	char from[PATH_MAX], to[PATH_MAX], name[64], when[32];
	struct tm tm;
	int rc;

	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm);
	snprintf(name, sizeof(name), "%s%s.%03uZ", PLACE_ASIDE, when, (unsigned)(now_ms % 1000));
	rc = place_path(dir, PLACE_DATA, from, sizeof(from));
	if (rc == 0)
		rc = place_path(dir, name, to, sizeof(to));
	if (rc == 0 && rename(from, to) < 0)
		rc = -errno;
	if (rc < 0)
		return rc;
	/* The lock file belongs to the damaged one: a mutex in it may be held for ever. */
	if (place_path(dir, PLACE_DATA "-lock", from, sizeof(from)) == 0)
		unlink(from);
	remove_oldest_aside(dir);
	snprintf(ret_name, size, "%s", name);
	return 0;
}
