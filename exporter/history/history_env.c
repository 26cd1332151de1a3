/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history_env.c - open the store's file for reading, and look into it; see history.h.
 *
 * Every look into LMDB is one short read transaction that copies one record, inside guard_run(), and
 * is decoded only after that. LMDB is opened without its locks, so nothing keeps the writer from
 * using the pages of our snapshot again; but it does so two commits later at the earliest: what a
 * commit frees, the one after the next takes. So a look is good if the newest commit afterwards is
 * that of the snapshot or the next one. Else it is void, whatever came of it, and taken again.
 */
#include "exporter/history/history_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "exporter/history/place.h"

#define LOOKS_MAX	100u	/* until one is not overtaken */

/* ---- looks ---------------------------------------------------------------------------------- */

int history_fail(struct history *h, int rc, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(h->error, sizeof(h->error), format, ap);
	va_end(ap);
	return rc;
}

/* A job inside one short transaction; it may run several times. */
struct job {
	struct history *h;
	int (*work)(struct history *h, void *arg);
	void *arg;
};

static void end_look(struct history *h)
{
	if (h->cursor)
		mdb_cursor_close(h->cursor);
	h->cursor = NULL;
	mdb_txn_reset(h->txn);
}

static int run_job(void *arg)
{
	struct job *job = arg;
	struct history *h = job->h;
	int rc = h->txn ? mdb_txn_renew(h->txn) : mdb_txn_begin(h->env, NULL, MDB_RDONLY, &h->txn);

	if (rc)
		return guard_errno(rc);
	rc = job->work(h, job->arg);
	end_look(h);
	return rc;
}

static int newest_commit(void *arg)
{
	struct job *job = arg;
	MDB_envinfo info;
	int rc = mdb_env_info(job->h->env, &info);

	*(size_t *)job->arg = rc ? 0 : info.me_last_txnid;
	return rc;
}

static int was_overtaken(struct history *h)
{
	size_t newest = 0;
	struct job job = { h, NULL, &newest };

	return h->txn && guard_run(newest_commit, &job) == 0 && newest > mdb_txn_id(h->txn) + 1;
}

/* Run work in a transaction that is not overtaken; on failure explain it. */
int history_look(struct history *h, int (*work)(struct history *h, void *arg), void *arg)
{
	struct job job = { h, work, arg };
	int rc = -EBADMSG, overtaken = 1;
	unsigned tries;

	for (tries = 0; tries < LOOKS_MAX && overtaken && !h->damaged; tries++) {
		rc = guard_run(run_job, &job);
		overtaken = was_overtaken(h);
		/* A fault left them open. */
		if (rc == -EFAULT && h->txn)
			end_look(h);
	}
	if (overtaken && !h->damaged)
		return history_fail(h, -EBUSY, "%.300s was written too fast to be read", h->path);
	if (rc == -EFAULT)
		rc = -EBADMSG;
	/* LMDB itself cannot go on, and would say the same each time. */
	if (rc == -EBADMSG) {
		h->damaged = 1;
		return history_fail(h, rc, "%.300s is damaged", h->path);
	}
	if (rc == -EPROTONOSUPPORT)
		return history_fail(h, rc, "%.300s was written by a later version", h->path);
	return rc < 0 ? history_fail(h, rc, "cannot read %.300s: %s", h->path, strerror(-rc)) : rc;
}

static int is_inside(const struct history *h, const MDB_val *v)
{
	uintptr_t at = (uintptr_t)v->mv_data;

	return at >= h->map_begin && at <= h->map_end && v->mv_size <= h->map_end - at;
}

int history_cursor(struct history *h, MDB_dbi dbi)
{
	MDB_stat tree;
	/* Finds the tree's root, which may fault; opening would have allocated by then. */
	int rc = mdb_stat(h->txn, dbi, &tree);

	return guard_errno(rc ? rc : mdb_cursor_open(h->txn, dbi, &h->cursor));
}

int history_row_key(const struct history *h, const MDB_val *key, struct row_key *ret_key)
{
	return is_inside(h, key) ? row_get_key(key->mv_data, key->mv_size, ret_key) : -EBADMSG;
}

int history_take(struct history *h, struct copy *c, const MDB_val *key, const MDB_val *data)
{
	uint8_t *grown;

	if (key->mv_size > sizeof(c->key) || !is_inside(h, key) || !is_inside(h, data))
		return -EBADMSG;
	if (data->mv_size > c->cap) {
		grown = realloc(c->data, data->mv_size);
		if (!grown)
			return -ENOMEM;
		c->data = grown;
		c->cap = data->mv_size;
	}
	memcpy(c->key, key->mv_data, key->mv_size);
	c->key_len = key->mv_size;
	if (data->mv_size)
		memcpy(c->data, data->mv_data, data->mv_size);
	c->len = data->mv_size;
	return 0;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Find the mapping of the file that a value of it is in. */
static int find_map(struct history *h, uintptr_t within)
{
	FILE *f = fopen("/proc/self/maps", "re");
	mdb_filehandle_t fd;
	struct stat st;
	unsigned long begin, end, inode;
	char *line = NULL;
	size_t size = 0;

	h->map_end = f ? 0 : UINTPTR_MAX;	/* without /proc there is no telling */
	if (!f)
		return 0;
	if (mdb_env_get_fd(h->env, &fd) == 0 && fstat(fd, &st) == 0)
		while (getline(&line, &size, f) > 0)
			if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &begin, &end, &inode) == 3 &&
			    inode == st.st_ino && within >= begin && within < end) {
				h->map_begin = begin;
				h->map_end = end;
			}
	free(line);
	fclose(f);
	return h->map_end ? 0 : -EBADMSG;
}

static int get_number(MDB_txn *txn, MDB_dbi dbi, const char *name, uint64_t *ret_number,
	uintptr_t *ret_at)
{
	char text[16];
	MDB_val key = { strlen(name), text }, data;
	int rc;

	memcpy(text, name, key.mv_size);
	rc = mdb_get(txn, dbi, &key, &data);
	if (rc)
		return rc == MDB_NOTFOUND ? -EBADMSG : guard_errno(rc);
	if (data.mv_size != 8)
		return -EBADMSG;
	*ret_number = bytes_from_key_u64(data.mv_data);
	*ret_at = (uintptr_t)data.mv_data;
	return 0;
}

static int open_trees(struct history *h)
{
	static const char *const names[] = { "meta", "rows", "families", "series" };
	MDB_dbi *dbis[] = { &h->meta, &h->rows, &h->families, &h->series };
	uint64_t magic = 0, format = 0;
	size_t i;
	int rc = mdb_txn_begin(h->env, NULL, MDB_RDONLY, &h->txn);

	if (rc)
		return guard_errno(rc);
	for (i = 0; i < sizeof(names) / sizeof(names[0]) && rc == 0; i++)
		rc = mdb_dbi_open(h->txn, names[i], 0, dbis[i]);
	/* An LMDB file, but not of ours. */
	if (rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE)
		rc = MDB_INVALID;
	rc = rc ? guard_errno(rc) : get_number(h->txn, h->meta, "magic", &magic, &h->map_begin);
	if (rc == 0 && magic != PLACE_MAGIC)
		rc = -EBADMSG;
	if (rc == 0)
		rc = get_number(h->txn, h->meta, "format", &format, &h->map_begin);
	if (rc == 0 && format != PLACE_FORMAT)
		rc = -EPROTONOSUPPORT;
	/* A commit keeps the handles of the trees. */
	if (rc == 0)
		rc = guard_errno(mdb_txn_commit(h->txn));
	else
		mdb_txn_abort(h->txn);
	h->txn = NULL;
	return rc;
}

static int open_env(void *arg)
{
	struct history *h = arg;
	int rc = mdb_env_create(&h->env);

	if (rc == 0)
		rc = mdb_env_set_assert(h->env, guard_assert);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(h->env, 8);
	/* No map size: the writer's, which the file knows. */
	if (rc == 0)
		rc = mdb_env_open(h->env, h->path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0640);
	return rc ? guard_errno(rc) : open_trees(h);
}

static int say(struct sm_diag *diag, int rc, const char *text)
{
	if (diag) {
		diag->error = rc;
		snprintf(diag->message, sizeof(diag->message), "%s", text);
	}
	return rc;
}

static int explain_open(struct history *h, int rc, struct sm_diag *diag)
{
	char text[SM_DIAG_MESSAGE];
	struct stat st;

	if (rc == -EFAULT)
		rc = -EBADMSG;
	if (rc == -ENOENT)
		snprintf(text, sizeof(text), "no history in %.300s: is an exporter running that "
			"keeps its history there?", h->path);
	else if (rc == -EACCES && stat(h->path, &st) == 0)
		snprintf(text, sizeof(text), "no permission for %.300s: it belongs to user %u, group "
			"%u; read it as that user", h->path, (unsigned)st.st_uid,
			(unsigned)st.st_gid);
	else if (rc == -EBADMSG)
		snprintf(text, sizeof(text), "%.300s is damaged, or not a history", h->path);
	else if (rc == -EPROTONOSUPPORT)
		snprintf(text, sizeof(text), "%.300s was written by a later version", h->path);
	else
		snprintf(text, sizeof(text), "cannot open %.300s: %s", h->path, strerror(-rc));
	return say(diag, rc, text);
}

int history_open(const char *dir, struct history **ret_history, struct sm_diag *diag)
{
	struct history *h = calloc(1, sizeof(*h));
	char fallback[PATH_MAX];
	struct stat st;
	int rc = 0;

	if (!h)
		return say(diag, -ENOMEM, "out of memory");
	h->to_ms = UINT64_MAX;
	if (!dir || !*dir) {
		rc = place_find(NULL, NULL, fallback, sizeof(fallback));
		rc = rc == -ENOENT ? 0 : rc;
		dir = fallback;
	}
	if (rc == 0)
		rc = place_path(dir, PLACE_DATA, h->path, sizeof(h->path));
	if (rc == 0 && stat(h->path, &st) < 0)
		rc = -errno;
	if (rc == 0 && st.st_size == 0)
		rc = -ENOENT;
	if (rc == 0)
		rc = guard_run(open_env, h);
	if (rc == 0)
		rc = find_map(h, h->map_begin);
	if (rc < 0) {
		rc = explain_open(h, rc, diag);
		history_close(h);
		return rc;
	}
	*ret_history = h;
	return say(diag, 0, "");
}

static void table_free(struct table *t)
{
	size_t i;

	for (i = 0; i < t->cap; i++)
		free(t->slots[i].record);
	free(t->slots);
}

static int close_env(void *arg)
{
	struct history *h = arg;

	if (h->cursor)
		mdb_cursor_close(h->cursor);
	if (h->txn)
		mdb_txn_abort(h->txn);
	mdb_env_close(h->env);
	return 0;
}

void history_close(struct history *h)
{
	if (!h)
		return;
	/* Also after a fault: reading changes nothing of what closing frees. */
	if (h->env && guard_run(close_env, h) < 0) {
		guard_abandon(h->txn);
		guard_abandon(h->env);
	}
	table_free(&h->family_table);
	table_free(&h->series_table);
	free(h->row.data);
	free(h->record.data);
	free(h);
}

const char *history_error(const struct history *h)
{
	return h->error;
}

int history_damaged(const struct history *h)
{
	return h->damaged;
}

/* ---- summary -------------------------------------------------------------------------------- */

static int summarise(struct history *h, void *arg)
{
	struct history_summary *ret_summary = arg, summary = { .rows = 0 };
	MDB_dbi dbis[] = { h->meta, h->rows, h->families, h->series };
	uint64_t *entries[] = { NULL, &summary.rows, &summary.families, &summary.series };
	struct row_key first = { 0 }, last = { 0 };
	MDB_val key, data;
	MDB_stat st;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(dbis) / sizeof(dbis[0]); i++) {
		rc = mdb_stat(h->txn, dbis[i], &st);
		if (rc)
			return guard_errno(rc);
		summary.used_bytes += st.ms_psize *
			(st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages);
		if (entries[i])
			*entries[i] = st.ms_entries;
	}
	rc = history_cursor(h, h->rows);
	if (rc < 0)
		return rc;
	rc = mdb_cursor_get(h->cursor, &key, &data, MDB_FIRST);
	if (rc == 0 && history_row_key(h, &key, &first) == 0)
		rc = mdb_cursor_get(h->cursor, &key, &data, MDB_LAST);
	if (rc == 0)
		history_row_key(h, &key, &last);
	if (rc && rc != MDB_NOTFOUND)
		return guard_errno(rc);
	summary.first_ms = first.at_ms;
	summary.first_tick = first.tick;
	summary.last_ms = last.at_ms;
	summary.last_tick = last.tick;
	*ret_summary = summary;
	return 0;
}

int history_summarise(struct history *h, struct history_summary *ret_summary)
{
	struct history_summary summary = { 0 };
	struct stat st;
	int rc = history_look(h, summarise, &summary);

	if (rc < 0)
		return rc;
	snprintf(summary.path, sizeof(summary.path), "%s", h->path);
	if (stat(h->path, &st) == 0)
		summary.file_bytes = (uint64_t)st.st_size;
	*ret_summary = summary;
	return 0;
}
