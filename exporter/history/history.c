/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - read the store; see history.h.
 *
 * Every look into LMDB is one short read transaction (renewed and reset, so that it costs no system
 * call) that copies a row or decodes a dictionary record, all of it inside guard_run(). What was
 * decoded is kept until the end: the dictionary is small beside the rows, and callers may hold
 * on to it.
 */
#include "exporter/history/history.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "exporter/history/dict.h"
#include "exporter/history/guard.h"
#include "exporter/history/place.h"
#include "exporter/history/row.h"

#define FORMAT		1u	/* as store_internal.h says */
#define CHUNK		512u	/* dictionary records in one transaction */

/* id -> decoded record: open addressing, a power of two, id 0 is empty. */
struct table {
	struct slot {
		uint32_t id;
		void *record;
	} *slots;
	size_t n, cap;
};

struct history {
	MDB_env *env;
	MDB_txn *txn;		/* reset between calls */
	MDB_dbi meta, rows, families, series;
	char path[PATH_MAX];
	int damaged;		/* LMDB failed: env is not touched any more */
	int beside;		/* opened by history_open_beside() */
	int overtaken;		/* what was read last may be void */
	const uint8_t *want;	/* of history_want() */
	uint32_t want_limit;
	uint64_t from_ms, to_ms;
	int at_end;		/* the row at UINT64_MAX was read */
	uint8_t *row;
	size_t row_cap, row_len;
	int in_row;
	struct row_reader reader;
	struct table family_table, series_table;
	char error[SM_DIAG_MESSAGE];
};

/* ---- decoded records ------------------------------------------------------------------------ */

static void *table_find(const struct table *t, uint32_t id)
{
	size_t i;

	if (!t->cap)
		return NULL;
	for (i = id * UINT32_C(2654435769); t->slots[i & (t->cap - 1)].id; i++)
		if (t->slots[i & (t->cap - 1)].id == id)
			return t->slots[i & (t->cap - 1)].record;
	return NULL;
}

static void table_put(struct table *t, uint32_t id, void *record)
{
	size_t i = id * UINT32_C(2654435769);

	while (t->slots[i & (t->cap - 1)].id)
		i++;
	t->slots[i & (t->cap - 1)] = (struct slot){ id, record };
	t->n++;
}

static int table_add(struct table *t, uint32_t id, void *record)
{
	struct table bigger = { .cap = t->cap ? t->cap * 2 : 1024 };
	size_t i;

	if (t->n * 2 >= t->cap) {
		bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
		if (!bigger.slots)
			return -ENOMEM;
		for (i = 0; i < t->cap; i++)
			if (t->slots[i].id)
				table_put(&bigger, t->slots[i].id, t->slots[i].record);
		free(t->slots);
		*t = bigger;
	}
	table_put(t, id, record);
	return 0;
}

static void table_free(struct table *t)
{
	size_t i;

	for (i = 0; i < t->cap; i++)
		free(t->slots[i].record);
	free(t->slots);
}

/* ---- transactions --------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4)))
static int fail(struct history *h, int rc, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(h->error, sizeof(h->error), format, ap);
	va_end(ap);
	return rc;
}

/* A job inside one short transaction. */
struct job {
	struct history *h;
	int (*work)(struct history *h, void *arg);
	void *arg;
};

static int run_job(void *arg)
{
	struct job *job = arg;
	struct history *h = job->h;
	int rc = h->txn ? mdb_txn_renew(h->txn) : mdb_txn_begin(h->env, NULL, MDB_RDONLY, &h->txn);

	if (rc)
		return rc == EAGAIN ? -EBUSY : guard_errno(rc);
	rc = job->work(h, job->arg);
	mdb_txn_reset(h->txn);
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

/*
 * Beside the writer: may it have used pages of our snapshot again? What a commit frees, LMDB uses
 * two commits later, so that one newer commit, and a second under way, leave the snapshot whole.
 */
static int was_overtaken(struct history *h)
{
	size_t newest = 0;
	struct job job = { h, NULL, &newest };

	return h->beside && h->txn && guard_run(newest_commit, &job) == 0 &&
		newest > mdb_txn_id(h->txn) + 1;
}

/* Run work in a transaction; on failure explain it. */
static int look(struct history *h, int (*work)(struct history *h, void *arg), void *arg)
{
	struct job job = { h, work, arg };
	int rc = h->damaged ? -EBADMSG : h->overtaken ? -EBUSY : guard_run(run_job, &job);

	if (!h->damaged && !h->overtaken && was_overtaken(h)) {
		h->overtaken = 1;
		/* A fault left the transaction open. */
		if (rc == -EFAULT)
			mdb_txn_reset(h->txn);
		rc = -EBUSY;
	}
	if (h->overtaken)
		return fail(h, rc, "%.300s was written too fast to be read", h->path);
	if (rc == -EFAULT) {
		h->damaged = 1;
		rc = -EBADMSG;
	}
	if (rc == -EBADMSG)
		return fail(h, rc, "%.300s is damaged", h->path);
	if (rc == -EBUSY)
		return fail(h, rc, "%.300s has too many readers just now", h->path);
	if (rc == -EPROTONOSUPPORT)
		return fail(h, rc, "%.300s was written by a later version", h->path);
	return rc < 0 ? fail(h, rc, "cannot read %.300s: %s", h->path, strerror(-rc)) : rc;
}

/* ---- opening -------------------------------------------------------------------------------- */

static int open_trees(struct history *h)
{
	static const char *const names[] = { "meta", "rows", "families", "series" };
	MDB_dbi *dbis[] = { &h->meta, &h->rows, &h->families, &h->series };
	char name[] = "format";
	MDB_val key = { sizeof(name) - 1, name }, data = { 0 };
	MDB_txn *txn;
	size_t i;
	int rc = mdb_txn_begin(h->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return rc == EAGAIN ? -EBUSY : guard_errno(rc);
	for (i = 0; i < sizeof(names) / sizeof(names[0]) && rc == 0; i++)
		rc = mdb_dbi_open(txn, names[i], 0, dbis[i]);
	if (rc == 0)
		rc = mdb_get(txn, h->meta, &key, &data);
	rc = guard_errno(rc);
	if (rc == 0 && (data.mv_size != 8 || bytes_from_key_u64(data.mv_data) == 0))
		rc = -EBADMSG;
	if (rc == 0 && bytes_from_key_u64(data.mv_data) > FORMAT)
		rc = -EPROTONOSUPPORT;
	/* A commit keeps the handles of the trees. */
	if (rc == 0)
		return guard_errno(mdb_txn_commit(txn));
	mdb_txn_abort(txn);
	return rc;
}

static int open_env(void *arg)
{
	struct history *h = arg;
	unsigned flags = MDB_NOSUBDIR | MDB_RDONLY | (h->beside ? MDB_NOLOCK : 0);
	int dead, rc = mdb_env_create(&h->env);

	if (rc == 0)
		rc = mdb_env_set_assert(h->env, guard_assert);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(h->env, 8);
	/* No map size: the writer's, which the file knows. */
	if (rc == 0)
		rc = mdb_env_open(h->env, h->path, flags, 0640);
	if (rc == 0 && !h->beside)
		rc = mdb_reader_check(h->env, &dead);
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

	if (rc == -EFAULT) {
		h->damaged = 1;
		rc = -EBADMSG;
	}
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

static int open_as(const char *dir, int beside, struct history **ret_history,
	struct sm_diag *diag)
{
	struct history *h = calloc(1, sizeof(*h));
	char fallback[PATH_MAX];
	struct stat st;
	int rc = 0;

	if (!h)
		return say(diag, -ENOMEM, "out of memory");
	h->beside = beside;
	h->to_ms = UINT64_MAX;
	if (!dir || !*dir) {
		rc = history_default_dir(0, fallback, sizeof(fallback));
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
	if (rc < 0) {
		rc = explain_open(h, rc, diag);
		history_close(h);
		return rc;
	}
	*ret_history = h;
	return say(diag, 0, "");
}

int history_open(const char *dir, struct history **ret_history, struct sm_diag *diag)
{
	return open_as(dir, 0, ret_history, diag);
}

int history_open_beside(const char *dir, struct history **ret_history, struct sm_diag *diag)
{
	return open_as(dir, 1, ret_history, diag);
}

static int close_env(void *arg)
{
	struct history *h = arg;

	if (h->txn)
		mdb_txn_abort(h->txn);
	mdb_env_close(h->env);
	return 0;
}

void history_close(struct history *h)
{
	if (!h)
		return;
	if (h->env && (h->damaged || guard_run(close_env, h) < 0)) {
		guard_abandon(h->txn);
		guard_abandon(h->env);
	}
	table_free(&h->family_table);
	table_free(&h->series_table);
	free(h->row);
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

/* ---- dictionary ----------------------------------------------------------------------------- */

static MDB_val id_key(uint8_t buf[4], uint32_t id)
{
	bytes_key_u32(buf, id);
	return (MDB_val){ .mv_size = 4, .mv_data = buf };
}

static int load_family(struct history *h, uint32_t id, struct history_family **ret_family)
{
	struct history_family *family = table_find(&h->family_table, id);
	uint8_t buf[4];
	MDB_val key = id_key(buf, id), data;
	int rc = 0;

	if (!family) {
		rc = mdb_get(h->txn, h->families, &key, &data);
		if (rc)
			return guard_errno(rc);
		rc = dict_get_family(data.mv_data, data.mv_size, id, &family);
		if (rc < 0)
			return rc;
		rc = table_add(&h->family_table, id, family);
		if (rc < 0)
			free(family);
	}
	if (rc == 0)
		*ret_family = family;
	return rc;
}

static int decode_series(struct history *h, uint32_t id, const MDB_val *data,
	struct history_series **ret_series)
{
	struct history_family *family = NULL;
	struct history_series *series = NULL;
	uint32_t family_id = 0;
	int rc = id ? dict_series_family(data->mv_data, data->mv_size, &family_id) : -EBADMSG;

	if (rc == 0)
		rc = load_family(h, family_id, &family);
	if (rc == 0)
		rc = dict_get_series(data->mv_data, data->mv_size, id, family, &series);
	if (rc < 0)
		return rc == -ENOENT ? -EBADMSG : rc;
	rc = table_add(&h->series_table, id, series);
	if (rc < 0)
		free(series);
	else
		*ret_series = series;
	return rc;
}

struct wanted {
	uint32_t id;
	struct history_series *series;
};

static int load_series(struct history *h, void *arg)
{
	struct wanted *wanted = arg;
	uint8_t buf[4];
	MDB_val key = id_key(buf, wanted->id), data;
	int rc = mdb_get(h->txn, h->series, &key, &data);

	/* Forgotten since the row was read: no error. */
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : guard_errno(rc);
	return decode_series(h, wanted->id, &data, &wanted->series);
}

struct chunk {
	uint32_t from;
	unsigned n;
	struct history_series *series[CHUNK];
};

static int load_chunk(struct history *h, void *arg)
{
	struct chunk *chunk = arg;
	MDB_cursor_op op = MDB_SET_RANGE;
	uint8_t buf[4];
	const uint8_t *b;
	MDB_val key = id_key(buf, chunk->from), data;
	MDB_cursor *cursor;
	uint32_t id;
	int rc = guard_errno(mdb_cursor_open(h->txn, h->series, &cursor)), found;

	if (rc < 0)
		return rc;
	for (chunk->n = 0; chunk->n < CHUNK && rc == 0; op = MDB_NEXT) {
		found = mdb_cursor_get(cursor, &key, &data, op);
		if (found == MDB_NOTFOUND)
			break;
		rc = found ? guard_errno(found) : key.mv_size == 4 ? 0 : -EBADMSG;
		if (rc < 0)
			break;
		b = key.mv_data;
		id = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
		chunk->series[chunk->n] = table_find(&h->series_table, id);
		if (!chunk->series[chunk->n])
			rc = decode_series(h, id, &data, &chunk->series[chunk->n]);
		if (rc == 0)
			chunk->n++;
	}
	mdb_cursor_close(cursor);
	return rc;
}

int history_each_series(struct history *h, int (*fn)(void *ctx, const struct history_series *s),
	void *ctx)
{
	struct chunk chunk = { .from = 1 };
	unsigned i;
	int rc;

	do {
		rc = look(h, load_chunk, &chunk);
		for (i = 0; i < chunk.n && rc == 0; i++)
			rc = fn(ctx, chunk.series[i]);
		if (chunk.n)
			chunk.from = chunk.series[chunk.n - 1]->id + 1;
	} while (rc == 0 && chunk.n == CHUNK && chunk.from);
	return rc;
}

/* ---- rows ----------------------------------------------------------------------------------- */

void history_seek(struct history *h, uint64_t from_ms, uint64_t to_ms)
{
	h->from_ms = from_ms;
	h->to_ms = to_ms;
	h->at_end = 0;
	h->in_row = 0;
}

void history_want(struct history *h, const uint8_t *ids, uint32_t limit)
{
	while (limit && !(ids[(limit - 1) / 8] >> (limit - 1) % 8 & 1))
		limit--;
	h->want = ids;
	h->want_limit = limit;
}

static int is_wanted(const struct history *h, uint32_t id)
{
	return !h->want || (id < h->want_limit && h->want[id / 8] >> id % 8 & 1);
}

/* Copy the next row; its time to *arg. 1, 0 at the end, -errno. */
static int copy_row(struct history *h, void *arg)
{
	uint64_t *at_ms = arg;
	uint8_t buf[8];
	MDB_val key = { sizeof(buf), buf }, data;
	MDB_cursor *cursor;
	uint8_t *grown;
	int rc = mdb_cursor_open(h->txn, h->rows, &cursor);

	if (rc)
		return guard_errno(rc);
	bytes_key_u64(buf, h->from_ms);
	rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
	mdb_cursor_close(cursor);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : guard_errno(rc);
	if (key.mv_size != 8)
		return -EBADMSG;
	*at_ms = bytes_from_key_u64(key.mv_data);
	if (*at_ms > h->to_ms)
		return 0;
	if (data.mv_size > h->row_cap) {
		grown = realloc(h->row, data.mv_size);
		if (!grown)
			return -ENOMEM;
		h->row = grown;
		h->row_cap = data.mv_size;
	}
	if (data.mv_size)
		memcpy(h->row, data.mv_data, data.mv_size);
	h->row_len = data.mv_size;
	return 1;
}

static int row_fails(struct history *h, int rc, uint64_t at_ms)
{
	time_t seconds = (time_t)(at_ms / 1000);
	char when[64] = "";
	struct tm tm;

	h->in_row = 0;
	if (gmtime_r(&seconds, &tm))
		strftime(when, sizeof(when), " (%Y-%m-%dT%H:%M:%SZ)", &tm);
	return fail(h, rc, "the row of %llu%s in %.300s is %s", (unsigned long long)at_ms, when,
		h->path, rc == -EPROTONOSUPPORT ? "of a later version" : "damaged");
}

int history_next_row(struct history *h, struct history_row *ret_row)
{
	struct history_row row;
	uint64_t at_ms = 0;
	int rc;

	h->in_row = 0;
	if (h->at_end)
		return 0;
	rc = look(h, copy_row, &at_ms);
	if (rc <= 0)
		return rc;
	h->from_ms = at_ms + 1;
	h->at_end = h->from_ms == 0;
	rc = row_open(&h->reader, h->row, h->row_len, &row);
	if (rc < 0)
		return row_fails(h, rc, at_ms);
	row.at_ms = at_ms;
	h->in_row = 1;
	*ret_row = row;
	return 1;
}

int history_next_value(struct history *h, struct history_value *ret_value)
{
	struct history_value value;
	struct wanted wanted = { 0 };
	int rc;

	while (h->in_row) {
		rc = row_next(&h->reader, &wanted.id, &value);
		if (rc < 0)
			return row_fails(h, rc, h->from_ms - 1);
		if (rc == 0 || (h->want && wanted.id >= h->want_limit)) {
			h->in_row = 0;
			break;
		}
		if (!is_wanted(h, wanted.id))
			continue;
		wanted.series = table_find(&h->series_table, wanted.id);
		rc = wanted.series ? 0 : look(h, load_series, &wanted);
		if (rc < 0)
			return rc;
		if (!wanted.series)
			continue;
		/* An index beyond the family's bounds is not for this series. */
		if (value.nbuckets && value.buckets[value.nbuckets - 1].index >
			wanted.series->family->nunited)
			return row_fails(h, -EBADMSG, h->from_ms - 1);
		value.series = wanted.series;
		*ret_value = value;
		return 1;
	}
	return 0;
}

/* ---- summary -------------------------------------------------------------------------------- */

static int summarise(struct history *h, void *arg)
{
	struct history_summary *summary = arg;
	MDB_dbi dbis[] = { h->meta, h->rows, h->families, h->series };
	uint64_t *entries[] = { NULL, &summary->rows, &summary->families, &summary->series };
	MDB_val key, data;
	MDB_cursor *cursor;
	MDB_stat st;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(dbis) / sizeof(dbis[0]); i++) {
		rc = mdb_stat(h->txn, dbis[i], &st);
		if (rc)
			return guard_errno(rc);
		summary->used_bytes += st.ms_psize *
			(st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages);
		if (entries[i])
			*entries[i] = st.ms_entries;
	}
	rc = mdb_cursor_open(h->txn, h->rows, &cursor);
	if (rc)
		return guard_errno(rc);
	rc = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);
	if (rc == 0 && key.mv_size == 8) {
		summary->first_ms = bytes_from_key_u64(key.mv_data);
		rc = mdb_cursor_get(cursor, &key, &data, MDB_LAST);
		if (rc == 0 && key.mv_size == 8)
			summary->last_ms = bytes_from_key_u64(key.mv_data);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : guard_errno(rc);
}

int history_summarise(struct history *h, struct history_summary *ret_summary)
{
	struct history_summary summary = { 0 };
	struct stat st;
	int rc = look(h, summarise, &summary);

	if (rc < 0)
		return rc;
	snprintf(summary.path, sizeof(summary.path), "%s", h->path);
	if (stat(h->path, &st) == 0)
		summary.file_bytes = (uint64_t)st.st_size;
	*ret_summary = summary;
	return 0;
}
