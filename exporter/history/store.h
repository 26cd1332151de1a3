/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - write the exporter's history.
 *
 * Depends on view.h and the other modules here; history.h reads what this writes. LMDB, so one
 * writer at a time: the caller holds place_lock(). One LMDB file with five trees:
 *
 *	meta      text -> number: format, next ids
 *	rows      time (u64 big-endian, ms) -> row (row.h)
 *	families  id (u32 big-endian) -> text (dict.h)
 *	series    id -> text
 *	gone      time, id -> nothing: the series' last row; what retention forgets the series by
 *
 * One append is one transaction, durable up to the last one (MDB_NOMETASYNC: one flush; a power
 * failure may undo the last, never damage). It adds a row and, bounded in number, deletes the
 * oldest rows that are too old or too many, and series that no row is about any more. Deletion
 * follows the order in time, so that the file stays at its high-water mark.
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
 * store_open - open or begin a store. Returns 0 or
 *   -EBADMSG  the file is damaged: set it aside (place.h) and open again
 *   -EPROTONOSUPPORT  written by a later version: leave it alone
 *   -EACCES, -EROFS, -ENOSPC, -ENOTDIR, ... the system's reason
 * diag says it in words.
 */
int store_open(const struct store_options *opts, struct store **ret_store, struct sm_diag *diag);

/*
 * store_append - add a row of what v shows, for the time now_ms (if that is not after the last
 * row's, for 1 ms after that). Snapshots of v need SM_SNAPSHOT_WRITERS. On failure nothing was
 * written. Returns 0 or
 *   -ENOSPC   disk or map full: try again later
 *   -EBADMSG  damaged: close, set aside, open again
 *   or another error, after which the store should be closed and opened again.
 */
int store_append(struct store *s, const struct view *v, uint64_t now_ms, struct sm_diag *diag);

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
