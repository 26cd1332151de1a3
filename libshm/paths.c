/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths.c - see paths.h. A value with a '/' is a path. A name lives in /run/shardmeter/ where that
 * directory exists (made by the administrator, on a tmpfs, with the right group), else it is the file
 * /dev/shm/shardmeter.<name>.
 */
#include "paths.h"

#include <dirent.h>
#include <errno.h>
#include <shardmeter_reader.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "diag.h"

#define RUN_DIR		"/run/shardmeter"
#define SHM_DIR		"/dev/shm"
#define SHM_PREFIX	"shardmeter."
#define NAME_CHARS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int sm_path_for(const char *name, char *ret_path, size_t size, struct sm_diag *diag)
{
	int n;

	if (!name || !*name)
		name = "default";
	if (strchr(name, '/')) {
		n = snprintf(ret_path, size, "%s", name);
	} else {
		if (name[0] == '.' || strlen(name) > 100 || name[strspn(name, NAME_CHARS)])
			return sm_diag_set(diag, -EINVAL,
					   "segment name \"%.100s\": use 1 to 100 of [A-Za-z0-9_.-], not starting with a point, or a path with a '/'",
					   name);
		if (is_directory(RUN_DIR))
			n = snprintf(ret_path, size, "%s/%s", RUN_DIR, name);
		else
			n = snprintf(ret_path, size, "%s/%s%s", SHM_DIR, SHM_PREFIX, name);
	}
	if (n < 0 || (size_t)n >= size)
		return sm_diag_set(diag, -ENAMETOOLONG, "segment path is longer than %zu bytes: %.100s...",
				   size - 1, name);
	return 0;
}

int sm_segment_resolve(const char *name, char *ret_path, size_t size)
{
	if (!name || !*name)
		name = getenv("SHARDMETER_SEGMENT");
	return sm_path_for(name, ret_path, size, NULL);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of regular files in dir that start with prefix, without it; sorted. */
static int list_directory(const char *dir, const char *prefix, char ***ret_names, size_t *ret_count)
{
	size_t skip = strlen(prefix), n = 0, room = 0;
	char **names = NULL, **more;
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, prefix, skip) != 0 || e->d_name[skip] == '.' || !e->d_name[skip] ||
		    e->d_name[skip + strspn(e->d_name + skip, NAME_CHARS)])
			continue;
		if (n == room) {
			more = realloc(names, (room = room ? 2 * room : 16) * sizeof(*names));
			if (!more)
				break;
			names = more;
		}
		names[n] = strdup(e->d_name + skip);
		if (names[n])
			n++;
	}
	if (d)
		closedir(d);
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	*ret_names = names;
	*ret_count = n;
	return 0;
}

int sm_segment_list(int (*fn)(void *ctx, const char *name, const char *path), void *ctx)
{
	bool run = is_directory(RUN_DIR);
	const char *dir = run ? RUN_DIR : SHM_DIR, *prefix = run ? "" : SHM_PREFIX;
	char **names, path[SM_PATH_MAX];
	size_t n, i;
	int rc = 0;

	list_directory(dir, prefix, &names, &n);
	for (i = 0; i < n; i++) {
		if (!rc && snprintf(path, sizeof(path), "%s/%s%s", dir, prefix, names[i]) < (int)sizeof(path))
			rc = fn(ctx, names[i], path);
		free(names[i]);
	}
	free(names);
	return rc;
}
