/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - open the store, append rows, keep it within its limits; see store.h.
 *
 * LMDB copies on write and switches to the new state by one meta page: killed at any moment, the
 * file is as after the last commit. It is checked as a whole (verify.c) before LMDB maps it, and
 * every call into LMDB runs in guard_run(), since afterwards somebody may still truncate it.
 */
#include "exporter/history/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "exporter/history/place.h"
#include "exporter/history/store_internal.h"
#include "exporter/history/verify.h"

#define READERS			126
#define EVICT_ROWS_MAX		64u	/* in one transaction */
#define FORGET_SERIES_MAX	1000u
#define ROWS_SLACK		1000u	/* beyond retention / interval */
#define READER_CHECK_ROWS	60u
#define FULL_BYTES		(256u * 1024)	/* a disk with less left counts as full */

__attribute__((format(printf, 3, 4)))
static int explain(struct sm_diag *diag, int rc, const char *format, ...)
{
	va_list ap;

	if (diag) {
		diag->error = rc;
		va_start(ap, format);
		vsnprintf(diag->message, sizeof(diag->message), format, ap);
		va_end(ap);
	}
	return rc;
}

int store_get_number(struct store *s, MDB_txn *txn, const char *name, uint64_t *ret_number)
{
	char text[32];
	MDB_val key = { strlen(name), text }, data;
	int rc;

	memcpy(text, name, key.mv_size);
	rc = mdb_get(txn, s->meta, &key, &data);
	if (rc && rc != MDB_NOTFOUND)
		return guard_errno(rc);
	if (!rc && data.mv_size != 8)
		return -EBADMSG;
	*ret_number = rc ? 0 : bytes_from_key_u64(data.mv_data);
	return 0;
}

int store_put_number(struct store *s, MDB_txn *txn, const char *name, uint64_t number)
{
	char text[32];
	uint8_t value[8];
	MDB_val key = { strlen(name), text }, data = { sizeof(value), value };

	memcpy(text, name, key.mv_size);
	bytes_key_u64(value, number);
	return guard_errno(mdb_put(txn, s->meta, &key, &data, 0));
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Look at the file before LMDB does. 0 also if there is none yet. */
static int check_file(struct store *s, struct sm_diag *diag)
{
	struct verify_result result;
	int rc, fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0 :
			explain(diag, -errno, "cannot open %.300s: %s", s->path, strerror(errno));
	rc = verify_file(fd, s->opts.map_bytes, &result);
	close(fd);
	if (rc == -ENODATA)
		return 0;
	if (rc < 0)
		return explain(diag, rc, "%.300s is damaged: %s", s->path,
			rc == -EBADMSG ? result.finding : strerror(-rc));
	return 0;
}

static int open_trees(struct store *s, MDB_txn *txn)
{
	static const char *const names[] = { "meta", "rows", "families", "series", "gone" };
	MDB_dbi *dbis[] = { &s->meta, &s->rows, &s->families, &s->series, &s->gone };
	uint64_t format = 0;
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(names) / sizeof(names[0]) && rc == 0; i++)
		rc = guard_errno(mdb_dbi_open(txn, names[i], MDB_CREATE, dbis[i]));
	if (rc == 0)
		rc = store_get_number(s, txn, "format", &format);
	if (rc == 0 && format > STORE_FORMAT)
		rc = -EPROTONOSUPPORT;
	if (rc == 0 && format != STORE_FORMAT)
		rc = store_put_number(s, txn, "format", STORE_FORMAT);
	return rc;
}

/* Time of the first or last row, 0 without one. */
static int edge_row(struct store *s, MDB_txn *txn, MDB_cursor_op op, uint64_t *ret_ms)
{
	MDB_val key, data;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, s->rows, &cursor);

	if (rc)
		return guard_errno(rc);
	rc = mdb_cursor_get(cursor, &key, &data, op);
	mdb_cursor_close(cursor);
	if (rc && rc != MDB_NOTFOUND)
		return guard_errno(rc);
	if (!rc && key.mv_size != 8)
		return -EBADMSG;
	*ret_ms = rc ? 0 : bytes_from_key_u64(key.mv_data);
	return 0;
}

static int count(struct store *s, MDB_txn *txn, struct store_stats *ret_stats)
{
	MDB_dbi dbis[] = { s->meta, s->rows, s->families, s->series, s->gone };
	struct store_stats stats = *ret_stats;
	struct stat st;
	MDB_stat tree;
	size_t i;
	int rc = 0;

	stats.used_bytes = 0;
	for (i = 0; i < sizeof(dbis) / sizeof(dbis[0]) && rc == 0; i++) {
		rc = guard_errno(mdb_stat(txn, dbis[i], &tree));
		if (rc == 0)
			stats.used_bytes += tree.ms_psize * (tree.ms_branch_pages +
				tree.ms_leaf_pages + tree.ms_overflow_pages);
		if (dbis[i] == s->rows)
			stats.rows = tree.ms_entries;
		if (dbis[i] == s->series)
			stats.series = tree.ms_entries;
	}
	if (rc == 0)
		rc = edge_row(s, txn, MDB_FIRST, &stats.first_ms);
	if (rc == 0)
		rc = edge_row(s, txn, MDB_LAST, &stats.last_ms);
	if (stat(s->path, &st) == 0)
		stats.file_bytes = (uint64_t)st.st_size;
	if (rc == 0)
		*ret_stats = stats;
	return rc;
}

static int open_env(void *arg)
{
	struct store *s = arg;
	MDB_txn *txn;
	int dead, rc = mdb_env_create(&s->env);

	if (rc == 0)
		rc = mdb_env_set_assert(s->env, guard_assert);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(s->env, 8);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(s->env, READERS);
	if (rc == 0)
		rc = mdb_env_set_mapsize(s->env, s->opts.map_bytes);
	if (rc == 0)
		rc = mdb_env_open(s->env, s->path, MDB_NOSUBDIR | MDB_NOMETASYNC, 0640);
	if (rc == 0)
		rc = mdb_reader_check(s->env, &dead);
	if (rc == 0)
		rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc)
		return guard_errno(rc);
	rc = open_trees(s, txn);
	if (rc == 0)
		rc = count(s, txn, &s->stats);
	if (rc == 0)
		rc = store_load(s, txn);
	if (rc < 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return guard_errno(mdb_txn_commit(txn));
}

/* LMDB reports a short write as EIO, which is what a full disk gives. */
static int disk_full(const struct store *s, int rc)
{
	struct statvfs fs;

	return rc == -ENOSPC || rc == -EDQUOT || (rc == -EIO && statvfs(s->dir, &fs) == 0 &&
		(uint64_t)fs.f_bavail * fs.f_frsize < FULL_BYTES);
}

static int fail(struct store *s, int rc, const char *what, struct sm_diag *diag)
{
	if (rc == -EFAULT) {
		s->faulted = 1;
		return explain(diag, -EBADMSG, "%.300s is damaged: LMDB failed in the middle of it",
			s->path);
	}
	if (rc == -EBADMSG)
		return explain(diag, rc, "%.300s is damaged: its records do not fit together",
			s->path);
	if (rc == -EPROTONOSUPPORT)
		return explain(diag, rc, "%.300s was written by a later version", s->path);
	if (disk_full(s, rc))
		return explain(diag, -ENOSPC, "cannot %s %.300s: the disk is full", what, s->path);
	return explain(diag, rc, "cannot %s %.300s: %s", what, s->path, strerror(-rc));
}

int store_open(const struct store_options *opts, struct store **ret_store, struct sm_diag *diag)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return explain(diag, -ENOMEM, "out of memory");
	s->opts = *opts;
	if (!s->opts.map_bytes)
		s->opts.map_bytes = STORE_MAP_BYTES;
	if ((size_t)snprintf(s->dir, sizeof(s->dir), "%s", opts->dir) >= sizeof(s->dir) ||
	    place_path(s->dir, PLACE_DATA, s->path, sizeof(s->path)) < 0) {
		free(s);
		return explain(diag, -ENAMETOOLONG, "the store's path is too long");
	}
	if (getrandom(&s->seed, sizeof(s->seed), GRND_NONBLOCK) < 0)
		s->seed = (uint64_t)time(NULL);
	rc = place_make(s->dir);
	if (rc < 0)
		rc = explain(diag, rc, "cannot make the directory %.300s: %s", s->dir,
			strerror(-rc));
	if (rc == 0)
		rc = check_file(s, diag);
	if (rc == 0) {
		rc = guard_run(open_env, s);
		if (rc < 0)
			rc = fail(s, rc, "open", diag);
	}
	if (rc < 0) {
		store_close(s);
		return rc;
	}
	*ret_store = s;
	return explain(diag, 0, "%s", "");
}

/* ---- appending ------------------------------------------------------------------------------ */

struct append {
	struct store *s;
	const struct view *v;
	uint64_t now_ms;
	struct store_stats stats;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Delete the oldest rows that are too old, too many or take too much; the newest stays. */
static int evict(struct append *a, MDB_txn *txn)
{
	struct store *s = a->s;
	uint64_t most = s->opts.retention_ms / s->opts.interval_ms + ROWS_SLACK;
	uint64_t keep_from = a->now_ms > s->opts.retention_ms ? a->now_ms - s->opts.retention_ms : 0;
	uint8_t buf[8];
	MDB_val key = { sizeof(buf), buf };
	unsigned n;
	int rc = 0, too_big;

	for (n = 0; n < EVICT_ROWS_MAX && rc == 0; n++) {
		rc = count(s, txn, &a->stats);
		if (rc < 0)
			return rc;
		too_big = a->stats.used_bytes > s->opts.max_bytes;
		if (a->stats.rows <= 1 || (a->stats.first_ms >= keep_from &&
			a->stats.rows <= most && !too_big))
			break;
		if (a->stats.first_ms >= keep_from && too_big)
			a->stats.evicted_rows++;
		bytes_key_u64(buf, a->stats.first_ms);
		rc = guard_errno(mdb_del(txn, s->rows, &key, NULL));
	}
	return rc < 0 ? rc : store_forget(s, txn, a->stats.first_ms, FORGET_SERIES_MAX);
}

static int write_row(struct append *a, MDB_txn *txn)
{
	struct store *s = a->s;
	uint64_t at_ms = a->now_ms > s->stats.last_ms ? a->now_ms : s->stats.last_ms + 1;
	unsigned flags = a->now_ms > s->stats.last_ms ? 0 : HISTORY_CLOCK_BACK;
	uint32_t families, series;
	uint8_t buf[8];
	MDB_val key = { sizeof(buf), buf }, data;
	int rc = s->loaded ? 0 : store_load(s, txn);

	if (rc < 0)
		return rc;
	if (at_ms == 0)
		return -EBADMSG;	/* a last row at the end of time: not one of ours */
	families = s->next_family;
	series = s->next_series;
	rc = store_build_row(s, txn, a->v, at_ms, flags);
	if (rc == 0 && families != s->next_family)
		rc = store_put_number(s, txn, "next_family", s->next_family);
	if (rc == 0 && series != s->next_series)
		rc = store_put_number(s, txn, "next_series", s->next_series);
	if (rc < 0)
		return rc;
	bytes_key_u64(buf, at_ms);
	data = (MDB_val){ s->writer.out.len, s->writer.out.data };
	rc = guard_errno(mdb_put(txn, s->rows, &key, &data, MDB_APPEND));
	return rc < 0 ? rc : evict(a, txn);
}

static int append(void *arg)
{
	struct append *a = arg;
	struct store *s = a->s;
	uint64_t began_ns;
	MDB_txn *txn = NULL;
	int dead, rc = 0;

	if (s->appends++ % READER_CHECK_ROWS == 0)
		rc = guard_errno(mdb_reader_check(s->env, &dead));
	if (rc == 0)
		rc = guard_errno(mdb_txn_begin(s->env, NULL, 0, &txn));
	if (rc < 0)
		return rc;
	a->stats = s->stats;
	rc = write_row(a, txn);
	if (rc == 0)
		rc = count(s, txn, &a->stats);
	if (rc < 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	began_ns = now_ns();
	rc = guard_errno(mdb_txn_commit(txn));
	a->stats.commit_ns = now_ns() - began_ns;
	a->stats.deferred_series = s->stats.deferred_series;
	return rc;
}

int store_append(struct store *s, const struct view *v, uint64_t now_ms, struct sm_diag *diag)
{
	struct append a = { .s = s, .v = v, .now_ms = now_ms };
	int rc = s->faulted ? -EBADMSG : guard_run(append, &a);

	if (rc < 0) {
		store_unload(s);
		return fail(s, rc, "write", diag);
	}
	s->stats = a.stats;
	return explain(diag, 0, "%s", "");
}

static int close_env(void *arg)
{
	struct store *s = arg;

	mdb_env_sync(s->env, 1);
	mdb_env_close(s->env);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->env && (s->faulted || guard_run(close_env, s) < 0))
		guard_abandon(s->env);
	store_unload(s);
	row_free(&s->writer);
	bytes_free(&s->record);
	free(s->items);
	free(s->plain);
	free(s);
}

void store_stats(const struct store *s, struct store_stats *ret_stats)
{
	*ret_stats = s->stats;
}
