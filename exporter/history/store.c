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
#define EVICT_AGED_MAX		2u	/* of these for their age alone */
#define FORGET_SERIES_MAX	1000u
#define ROWS_SLACK		1000u	/* beyond retention / interval */
#define FULL_BYTES		(256u * 1024)	/* a disk with less left counts as full */
/* A foreign reader keeps LMDB from using freed pages again. Beyond this many times the size limit,
 * and this many bytes, the file does not grow for it. */
#define PINNED_TIMES		2u
#define PINNED_BYTES		(UINT64_C(16) << 20)

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

int store_cursor(struct store *s, MDB_txn *txn, MDB_dbi dbi)
{
	MDB_stat tree;
	/* Finds the tree's root, which may fault; opening would have allocated by then. */
	int rc = mdb_stat(txn, dbi, &tree);

	return guard_errno(rc ? rc : mdb_cursor_open(txn, dbi, &s->cursor));
}

void store_cursor_close(struct store *s)
{
	mdb_cursor_close(s->cursor);
	s->cursor = NULL;
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

/* Is the file empty, or one of ours? LMDB files of others are not to be written to. */
static int check_owner(struct store *s, MDB_txn *txn)
{
	uint64_t magic = 0, format = 0;
	MDB_dbi main_tree;
	MDB_stat tree;
	int rc = mdb_dbi_open(txn, NULL, 0, &main_tree);

	if (rc == 0)
		rc = mdb_stat(txn, main_tree, &tree);
	if (rc || tree.ms_entries == 0)
		return guard_errno(rc);
	rc = mdb_dbi_open(txn, "meta", 0, &s->meta);
	s->foreign = rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE;
	if (rc)
		return s->foreign ? -EBADMSG : guard_errno(rc);
	rc = store_get_number(s, txn, "magic", &magic);
	if (rc == 0)
		rc = store_get_number(s, txn, "format", &format);
	s->foreign = rc == 0 && magic != PLACE_MAGIC;
	if (s->foreign)
		return -EBADMSG;
	return rc < 0 ? rc : format != PLACE_FORMAT ? -EPROTONOSUPPORT : 0;
}

static int open_trees(struct store *s, MDB_txn *txn)
{
	static const char *const names[] = { "meta", "rows", "families", "series", "gone" };
	MDB_dbi *dbis[] = { &s->meta, &s->rows, &s->families, &s->series, &s->gone };
	uint64_t run = 0;
	size_t i;
	int rc = check_owner(s, txn);

	for (i = 0; i < sizeof(names) / sizeof(names[0]) && rc == 0; i++)
		rc = guard_errno(mdb_dbi_open(txn, names[i], MDB_CREATE, dbis[i]));
	if (rc == 0)
		rc = store_put_number(s, txn, "magic", PLACE_MAGIC);
	if (rc == 0)
		rc = store_put_number(s, txn, "format", PLACE_FORMAT);
	if (rc == 0)
		rc = store_get_number(s, txn, "run", &run);
	s->run = (uint32_t)run + 1;
	return rc < 0 ? rc : store_put_number(s, txn, "run", s->run);
}

/* Key of the first or last row, zeros without one. */
static int edge_row(struct store *s, MDB_txn *txn, MDB_cursor_op op, struct row_key *ret_key)
{
	MDB_val key, data;
	int rc = store_cursor(s, txn, s->rows);

	*ret_key = (struct row_key){ 0 };
	if (rc < 0)
		return rc;
	rc = mdb_cursor_get(s->cursor, &key, &data, op);
	store_cursor_close(s);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : guard_errno(rc);
	return row_get_key(key.mv_data, key.mv_size, ret_key);
}

struct counts {
	struct store_stats stats;
	struct row_key first, last;
};

static int count(struct store *s, MDB_txn *txn, struct counts *c)
{
	MDB_dbi dbis[] = { s->meta, s->rows, s->families, s->series, s->gone };
	struct store_stats *stats = &c->stats;
	MDB_stat tree;
	size_t i;
	int rc = 0;

	stats->used_bytes = 0;
	for (i = 0; i < sizeof(dbis) / sizeof(dbis[0]) && rc == 0; i++) {
		rc = guard_errno(mdb_stat(txn, dbis[i], &tree));
		if (rc == 0)
			stats->used_bytes += tree.ms_psize * (tree.ms_branch_pages +
				tree.ms_leaf_pages + tree.ms_overflow_pages);
		if (dbis[i] == s->rows)
			stats->rows = tree.ms_entries;
		if (dbis[i] == s->series)
			stats->series = tree.ms_entries;
	}
	if (rc == 0)
		rc = edge_row(s, txn, MDB_FIRST, &c->first);
	if (rc == 0)
		rc = edge_row(s, txn, MDB_LAST, &c->last);
	stats->first_ms = c->first.at_ms;
	stats->last_ms = c->last.at_ms;
	stats->last_tick = c->last.tick;
	return rc;
}

static void measure_file(struct store *s, struct store_stats *stats)
{
	struct stat st;

	if (stat(s->path, &st) < 0)
		return;
	s->modified = st.st_mtim;
	s->changed = st.st_ctim;
	stats->file_bytes = (uint64_t)st.st_size;
	stats->free_bytes = stats->file_bytes > stats->used_bytes ?
		stats->file_bytes - stats->used_bytes : 0;
}

static int open_env(void *arg)
{
	struct store *s = arg;
	struct counts c = { .stats = s->stats };
	MDB_txn *txn;
	struct stat st;
	mdb_filehandle_t fd;
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
		rc = mdb_env_get_fd(s->env, &fd);
	if (rc == 0 && fstat(fd, &st) < 0)
		rc = errno;
	if (rc == 0)
		rc = mdb_reader_check(s->env, &dead);
	if (rc == 0)
		rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc)
		return guard_errno(rc);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	rc = open_trees(s, txn);
	if (rc == 0)
		rc = count(s, txn, &c);
	s->last = c.last;
	s->stats = c.stats;
	if (rc == 0)
		rc = store_load(s, txn);
	if (rc < 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = guard_errno(mdb_txn_commit(txn));
	measure_file(s, &s->stats);
	return rc;
}

/* A new file's name lasts only when its directory is on disk as well. */
static int sync_dir(const char *dir)
{
	int rc, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	rc = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

/* 0 where there is none. */
static void read_boot_id(uint8_t ret_id[16])
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC), digit = 0;
	ssize_t i, n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	memset(ret_id, 0, 16);
	for (i = 0; i < n && digit < 32; i++) {
		const char *hex = "0123456789abcdef", *at = text[i] ? strchr(hex, text[i]) : NULL;

		if (at) {
			ret_id[digit / 2] |= (uint8_t)((at - hex) << (digit % 2 ? 0 : 4));
			digit++;
		}
	}
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
	if (rc == -EBADMSG && s->foreign)
		return explain(diag, rc, "%.300s is not a history, but another program's database",
			s->path);
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
		read_boot_id(s->boot_id);
		s->stats.map_bytes = s->opts.map_bytes;
		rc = guard_run(open_env, s);
		if (rc == 0)
			rc = sync_dir(s->dir);
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
	const struct store_tick *tick;
	struct row_key key;
	struct counts c;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- readers that are not ours -------------------------------------------------------------- */

struct reader_list {
	uint64_t n, oldest;
	pid_t pid;
};

/* "pid thread transaction", or "-" for a slot without one; LMDB has no other way to ask. */
static int see_reader(const char *line, void *ctx)
{
	struct reader_list *list = ctx;
	long pid;
	unsigned long long transaction;

	if (sscanf(line, " %ld %*s %llu", &pid, &transaction) != 2)
		return 0;
	list->n++;
	if (transaction < list->oldest) {
		list->oldest = transaction;
		list->pid = (pid_t)pid;
	}
	return 0;
}

/* Clear the slots of the dead, count the living. */
static int look_at_readers(struct store *s)
{
	struct reader_list list = { .oldest = UINT64_MAX };
	MDB_envinfo info = { 0 };
	int dead = 0, rc = guard_errno(mdb_reader_check(s->env, &dead));

	if (rc == 0)
		rc = guard_errno(mdb_env_info(s->env, &info));
	if (rc == 0 && mdb_reader_list(s->env, see_reader, &list) < 0)
		rc = -EIO;
	if (rc < 0)
		return rc;
	s->stats.stale_readers += (uint64_t)dead;
	s->stats.readers = list.n;
	s->stats.oldest_reader_lag = list.oldest < info.me_last_txnid ?
		info.me_last_txnid - list.oldest : 0;
	s->oldest_reader = list.pid;
	return 0;
}

static int is_pinned(const struct store *s)
{
	return s->stats.oldest_reader_lag > 2 &&
		s->stats.file_bytes > PINNED_TIMES * s->opts.max_bytes + PINNED_BYTES;
}

/* ---- a row ---------------------------------------------------------------------------------- */

/* Delete the oldest rows that are too old, too many or take too much; the newest stays. */
static int evict(struct append *a, MDB_txn *txn)
{
	struct store *s = a->s;
	uint64_t now_ms = a->tick->now_ms;
	uint64_t most = s->opts.retention_ms / s->opts.interval_ms + ROWS_SLACK;
	uint64_t keep_from = now_ms > s->opts.retention_ms ? now_ms - s->opts.retention_ms : 0;
	uint8_t buf[ROW_KEY_BYTES];
	MDB_val key = { sizeof(buf), buf };
	unsigned n, aged = 0;
	int rc = 0, too_big, too_many, too_old;

	for (n = 0; n < EVICT_ROWS_MAX && rc == 0; n++) {
		rc = count(s, txn, &a->c);
		if (rc < 0)
			return rc;
		too_big = a->c.stats.used_bytes > s->opts.max_bytes;
		too_many = a->c.stats.rows > most;
		too_old = a->c.first.at_ms < keep_from;
		if (a->c.stats.rows <= 1 || !(too_big || too_many ||
			(too_old && aged++ < EVICT_AGED_MAX)))
			break;
		if (too_big && !too_old)
			a->c.stats.evicted_rows++;
		row_put_key(buf, &a->c.first);
		rc = guard_errno(mdb_del(txn, s->rows, &key, NULL));
	}
	return rc < 0 ? rc : store_forget(s, txn, a->c.first.tick, FORGET_SERIES_MAX);
}

/* Where the row goes, and what its head says. */
static void place_row(struct append *a, struct history_row *ret_head)
{
	struct store *s = a->s;
	const struct row_key *last = &s->last;
	uint64_t now_ms = a->tick->now_ms;

	*ret_head = (struct history_row){ .due_ms = a->tick->due_ms, .run = s->run,
		.interval_ms = (uint32_t)s->opts.interval_ms, .missed = a->tick->missed,
		.missed_why = a->tick->missed_why };
	memcpy(ret_head->boot_id, s->boot_id, sizeof(s->boot_id));
	a->key = (struct row_key){ .epoch = last->epoch, .at_ms = now_ms, .tick = last->tick + 1 };
	if (last->tick && now_ms <= last->at_ms) {
		ret_head->flags |= HISTORY_CLOCK_BACK;
		if (last->at_ms - now_ms < s->opts.interval_ms)
			a->key.at_ms = last->at_ms + 1;
		else
			a->key.epoch++;
	}
	ret_head->tick = a->key.tick;
}

static int write_row(struct append *a, MDB_txn *txn)
{
	struct store *s = a->s;
	struct history_row head;
	uint32_t families, series;
	uint8_t buf[ROW_KEY_BYTES];
	MDB_val key = { sizeof(buf), buf }, data;
	int rc = s->loaded ? 0 : store_load(s, txn);

	if (rc < 0)
		return rc;
	place_row(a, &head);
	if (!a->key.tick || !a->key.at_ms || a->key.epoch < s->last.epoch)
		return -EBADMSG;	/* a last row at the end of numbers: not one of ours */
	families = s->next_family;
	series = s->next_series;
	rc = store_build_row(s, txn, a->v, &head);
	if (rc == 0 && families != s->next_family)
		rc = store_put_number(s, txn, "next_family", s->next_family);
	if (rc == 0 && series != s->next_series)
		rc = store_put_number(s, txn, "next_series", s->next_series);
	if (rc < 0)
		return rc;
	row_put_key(buf, &a->key);
	data = (MDB_val){ s->writer.out.len, s->writer.out.data };
	rc = guard_errno(mdb_put(txn, s->rows, &key, &data, MDB_APPEND));
	return rc < 0 ? rc : evict(a, txn);
}

static int is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/*
 * Did somebody else write the file since we did? LMDB would copy pages to the heap by sizes that the
 * pages say, and relies on what it remembers of the last transaction. So everything begins again
 * with the check of opening.
 */
static int check_untouched(struct store *s, struct sm_diag *diag)
{
	struct stat st;

	if (stat(s->path, &st) < 0)
		return explain(diag, -errno, "cannot look at %.300s: %s", s->path,
			strerror(errno));
	if (is_same_time(&st.st_mtim, &s->modified) && is_same_time(&st.st_ctim, &s->changed) &&
	    (uint64_t)st.st_size == s->stats.file_bytes)
		return 0;
	if (st.st_size == 0)
		return explain(diag, -EBADMSG, "%.300s is damaged: it was emptied", s->path);
	return explain(diag, -ESTALE, "%.300s was changed by another program", s->path);
}

static int append(void *arg)
{
	struct append *a = arg;
	struct store *s = a->s;
	uint64_t began_ns;
	MDB_txn *txn = NULL;
	int rc = look_at_readers(s);

	if (rc == 0 && is_pinned(s))
		rc = -ETXTBSY;
	if (rc == 0)
		rc = guard_errno(mdb_txn_begin(s->env, NULL, 0, &txn));
	if (rc < 0)
		return rc;
	a->c.stats = s->stats;
	rc = write_row(a, txn);
	if (rc == 0)
		rc = count(s, txn, &a->c);
	if (rc < 0) {
		mdb_txn_abort(txn);
		/* What is looked for here was there a moment ago. */
		return rc == -ENOENT ? -EBADMSG : rc;
	}
	began_ns = now_ns();
	rc = guard_errno(mdb_txn_commit(txn));
	a->c.stats.commit_ns = now_ns() - began_ns;
	a->c.stats.commit_ns_total += a->c.stats.commit_ns;
	a->c.stats.commits++;
	a->c.stats.deferred_series = s->stats.deferred_series;
	measure_file(s, &a->c.stats);
	return rc;
}

int store_append(struct store *s, const struct view *v, const struct store_tick *tick,
	struct sm_diag *diag)
{
	struct append a = { .s = s, .v = v, .tick = tick };
	int rc = s->faulted ? fail(s, -EBADMSG, "write", diag) : check_untouched(s, diag);

	if (rc < 0)
		return rc;
	rc = guard_run(append, &a);
	/* Also what a failed attempt wrote was ours. */
	if (rc < 0)
		measure_file(s, &s->stats);
	if (rc == -ETXTBSY)
		return explain(diag, -ENOSPC, "%.300s would grow without bound: process %ld has "
			"had a transaction of it open for %llu rows", s->path,
			(long)s->oldest_reader, (unsigned long long)s->stats.oldest_reader_lag);
	if (rc < 0) {
		store_unload(s);
		return fail(s, rc, "write", diag);
	}
	s->stats = a.c.stats;
	s->last = a.key;
	return explain(diag, 0, "%s", "");
}

int store_current(const struct store *s)
{
	struct stat st;

	return stat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino;
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
	if (s->env && (s->faulted || guard_run(close_env, s) < 0)) {
		guard_abandon(s->env);
		guard_abandon(s->cursor);
	}
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
