/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.c - the settings file.
 *
 * Saved by writing a new file beside it and renaming: a full disk leaves the old one.
 */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MAX_READ 16384

static const char *const window_names[TOP_WINDOWS] = { "minute", "interval", "life" };

/* 0, or -ENOENT if there is no home. */
static int find_path(char *ret, size_t size)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n;

	/* Relative ones are to be ignored, says the XDG specification. */
	if (config && config[0] == '/')
		n = snprintf(ret, size, "%s/shardmeter/shmtop.conf", config);
	else if (home && home[0] == '/')
		n = snprintf(ret, size, "%s/.config/shardmeter/shmtop.conf", home);
	else
		n = -1;
	if (n < 0 || (size_t)n >= size) {
		ret[0] = '\0';
		return n < 0 ? -ENOENT : -ENAMETOOLONG;
	}
	return 0;
}

/* ---- text ----------------------------------------------------------------------------------- */

void top_settings_text(const struct top_view *v, struct buf *b)
{
	const struct top_view_def *def;
	int i;

	buf_puts(b, "# shmtop, written by its key W; see shmtop(1)\n");
	buf_printf(b, "view=%s\ninterval=%g\nexact=%d\nzeros=%d\nwindow=%s\nmouse=%d\n",
		   top_views[v->id]->setting, v->delay_s, v->exact != 0, v->zeros != 0,
		   window_names[v->window], v->mouse != 0);
	for (i = 0; i < TOP_VIEWS; i++) {
		def = top_views[i];
		buf_printf(b, "sort.%s=%s%s\n", def->setting, v->list[i].reverse ? "-" : "",
			   def->columns[v->list[i].sort].sort);
	}
}

static void apply_sort(struct top_view *v, const char *view, const char *value)
{
	const struct top_view_def *def;
	unsigned c;
	int i, reverse = value[0] == '-';

	for (i = 0; i < TOP_VIEWS; i++) {
		def = top_views[i];
		if (strcmp(view, def->setting) != 0)
			continue;
		for (c = 0; c < def->ncolumns; c++) {
			if (!def->columns[c].sort ||
			    strcmp(def->columns[c].sort, value + reverse) != 0)
				continue;
			v->list[i].sort = c;
			v->list[i].reverse = reverse;
		}
	}
}

static void apply(struct top_view *v, const char *name, const char *value,
		  const struct top_options *o)
{
	int i, yes = !strcmp(value, "1");
	double delay;

	if (!strcmp(name, "view")) {
		for (i = 0; i < TOP_VIEWS && o->view < 0; i++)
			if (!strcmp(value, top_views[i]->setting))
				v->id = (enum top_view_id)i;
	} else if (!strcmp(name, "interval")) {
		delay = strtod(value, NULL);
		if (!o->delayed && delay >= TOP_DELAY_MIN && delay <= TOP_DELAY_MAX)
			v->delay_s = delay;
	} else if (!strcmp(name, "exact")) {
		v->exact = yes;
	} else if (!strcmp(name, "zeros")) {
		v->zeros = yes;
	} else if (!strcmp(name, "window")) {
		for (i = 0; i < TOP_WINDOWS; i++)
			if (!strcmp(value, window_names[i]))
				v->window = (enum top_window)i;
	} else if (!strcmp(name, "mouse")) {
		v->mouse = o->mouse ? o->mouse > 0 : yes;
	} else if (!strncmp(name, "sort.", 5)) {
		if (!o->sorted || strcmp(name + 5, top_views[TOP_SERIES]->setting) != 0)
			apply_sort(v, name + 5, value);
	}
}

void top_settings_apply(struct top_view *v, const char *text, const struct top_options *o)
{
	char line[200], *equals;
	size_t n;

	for (; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		if (n >= sizeof(line) || text[0] == '#')
			continue;
		memcpy(line, text, n);
		line[n] = '\0';
		equals = strchr(line, '=');
		if (!equals)
			continue;
		*equals = '\0';
		apply(v, line, equals + 1, o);
	}
}

/* ---- file ----------------------------------------------------------------------------------- */

int top_settings_load(struct top_view *v, const struct top_options *o)
{
	char path[PATH_MAX], text[SIZE_MAX_READ];
	ssize_t n;
	int fd;

	if (find_path(path, sizeof(path)))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	text[n] = '\0';
	top_settings_apply(v, text, o);
	return 0;
}

/* Directories above path; those that are there are fine. */
static void make_directories(const char *path)
{
	char part[PATH_MAX];
	char *slash;

	snprintf(part, sizeof(part), "%s", path);
	for (slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(part, 0700);
		*slash = '/';
	}
}

int top_settings_save(const struct top_view *v, char *ret_path, size_t size)
{
	char temporary[PATH_MAX + 8];
	struct buf b = { 0 };
	int fd, rc;

	rc = find_path(ret_path, size);
	if (rc)
		return rc;
	top_settings_text(v, &b);
	make_directories(ret_path);
	snprintf(temporary, sizeof(temporary), "%s.new", ret_path);
	fd = b.failed ? -1 : open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = b.failed ? -ENOMEM : -errno;
		buf_free(&b);
		return rc;
	}
	if (write(fd, b.data, b.len) != (ssize_t)b.len)
		rc = errno ? -errno : -ENOSPC;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(temporary, ret_path))
		rc = -errno;
	if (rc)
		unlink(temporary);
	buf_free(&b);
	return rc;
}
