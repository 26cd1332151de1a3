/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - write the exporter's history.
 *
 * Depends on view.h and the other modules here; history.h reads what this writes. LMDB, so one
 * writer at a time: the caller holds place_lock(). One LMDB file with five trees:
 *
 *	meta      text -> number: whose it is, format, runs, next ids
 *	rows      epoch, time, tick -> row (row.h)
 *	families  id (u32 big-endian) -> text (dict.h)
 *	series    id -> text
 *	gone      tick, id -> nothing: the series' last row; what retention forgets the series by
 *
 * One append is one transaction. When it returns, the row's data is on disk, and the page that
 * points to it is the kernel's to write; the next append flushes that first (MDB_NOMETASYNC: one flush
 * a row). So the death of the process undoes nothing, a power failure at most the last row, and
 * neither damages what was there.
 *
 * It adds a row and, bounded in number, deletes the oldest rows that are too old or too many, and
 * series that no row is about any more. Deletion follows the order of writing, so that the file
 * stays at its high-water mark. For their age alone no more than EVICT_AGED_MAX rows go with each
 * new one: a clock that is wrong for a while, and far ahead, costs little.
 *
 * Thread: one. Signal: unsafe. Fork: not usable in the child. Nothing here logs.
 */
#ifndef HISTORY_STORE_H
#define HISTORY_STORE_H

#include "exporter/view.h"

#define STORE_MAP_BYTES (UINT64_C(64) << 30)	/* address space only: the file grows as used */

struct store;

struct store_options {
	const char *dir;
	uint64_t interval_ms;	/* between rows: with retention it bounds their number */
	uint64_t retention_ms;
	uint64_t max_bytes;	/* live pages; oldest rows go first */
	uint64_t map_bytes;	/* 0: STORE_MAP_BYTES */
};

/*
 * store_open - open or begin a store; also counts one more run of it. Returns 0 or
 *   -EBADMSG  the file is damaged, or something else: set it aside (place.h) and open again
 *   -EPROTONOSUPPORT  written by a later version: leave it alone
 *   -EACCES, -EROFS, -ENOSPC, -ENOTDIR, ... the system's reason
 * diag says it in words.
 */
int store_open(const struct store_options *opts, struct store **ret_store, struct sm_diag *diag);

/* The moment of a row. */
struct store_tick {
	uint64_t now_ms;	/* wall clock */
	uint64_t due_ms;	/* when it should have been */
	uint32_t missed;	/* ticks without a row since the row before */
	unsigned missed_why;	/* HISTORY_MISSED_* */
};

/*
 * store_append - add a row of what v shows, for the time tick->now_ms. If that is before the last
 * row's by less than an interval, for 1 ms after that; if by more, in a new epoch (row.h). Snapshots
 * of v need SM_SNAPSHOT_WRITERS. On failure nothing was written. Returns 0 or
 *   -ENOSPC   disk or map full, or a foreign reader has pinned so much that the file would grow
 *             beyond bounds: try again later
 *   -EBADMSG  damaged: close, set aside, open again
 *   -ESTALE   another program wrote the file: close and open again, which checks it
 *   or another error, after which the store should be closed and opened again.
 */
int store_append(struct store *s, const struct view *v, const struct store_tick *tick,
	struct sm_diag *diag);

/* store_current - 1 while the file that is open is the one in the directory, 0 when it was removed or
 * replaced: close and open again. */
int store_current(const struct store *s);

/* store_close - make the last rows durable and close. NULL is allowed. */
void store_close(struct store *s);

struct store_stats {
	uint64_t rows;
	uint64_t first_ms, last_ms;	/* 0 without rows */
	uint64_t last_tick;		/* number of the last row; the first ever has 1 */
	uint64_t series;		/* in the dictionary */
	uint64_t map_bytes;		/* the most that the file could grow to */
	uint64_t used_bytes;		/* live pages */
	uint64_t file_bytes;
	uint64_t free_bytes;		/* of the file: pages that wait for new data */
	uint64_t readers;		/* LMDB transactions of others, as mdb_copy has them */
	uint64_t oldest_reader_lag;	/* rows written since the oldest of them began; 0: none */
	uint64_t stale_readers;		/* slots of dead readers that were cleared; since open */
	uint64_t evicted_rows;		/* deleted for max_bytes, before their time; since open */
	uint64_t deferred_series;	/* left out of the last row: too many new ones at once */
	uint64_t commit_ns;		/* of the last append: until it was on disk */
	uint64_t commits, commit_ns_total;	/* since open */
};
void store_stats(const struct store *s, struct store_stats *ret_stats);

#endif /* HISTORY_STORE_H */
