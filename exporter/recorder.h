/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder.h - the thread that writes a segment's history; one for each segment.
 *
 * Depends on source.h and history/. It has a source of its own and shares nothing with the thread
 * that serves but a few numbers: a store that is slow, full or damaged never touches a scrape.
 * Errors are logged once, and once more when they are over.
 */
#ifndef EXPORTER_RECORDER_H
#define EXPORTER_RECORDER_H

#include <stdint.h>

#include "exporter/history/store.h"

struct recorder;

/* Why a tick left no row. */
enum recorder_miss {
	RECORDER_MISS_SEGMENT,		/* there was no segment, or it could not be read */
	RECORDER_MISS_STORE,		/* the store could not be opened or written */
	RECORDER_MISS_LATE,		/* the tick before it took longer than the interval */
	RECORDER_MISS_SUSPEND,		/* the machine slept */
	RECORDER_MISSES
};

/* recorder_miss_name - "segment", "store", ...: what machines read. */
const char *recorder_miss_name(enum recorder_miss miss);

/*
 * What others see. Counts are since the start of the process.
 *
 * last_tick is the acknowledgement: what it says is on disk before it says so. The death of the
 * exporter by whatever signal loses nothing up to last_tick; a power failure or a crash of the
 * system nothing up to synced_tick, which is the row before: LMDB flushes a row's data at once and
 * the pointer to it with the next row (MDB_NOMETASYNC).
 */
struct recorder_stats {
	int enabled;
	int up;				/* the last tick was written, or there was nothing to write */
	uint64_t errors;		/* rows not written, files set aside */
	uint64_t set_aside;		/* damaged or foreign files */
	uint64_t last_tick;		/* number of the last row written by this process, 0: none */
	uint64_t last_tick_ms;		/* and its Unix time */
	uint64_t synced_tick, synced_tick_ms;
	uint64_t missed[RECORDER_MISSES];	/* ticks without a row */
	uint64_t clock_steps;		/* the wall clock was set, by more than an interval */
	uint64_t evicted_rows;		/* as in store_stats, over every store opened */
	uint64_t stale_readers;
	uint64_t commits, commit_ns_total;
	char message[SM_DIAG_MESSAGE];	/* why it is not up */
	struct store_stats store;	/* of the last row */
};

/*
 * recorder_start - begin to record. opts->dir is where (place_segment_dir()); its lock (place.h) is
 * taken by the caller or, if lock_fd is -1, by the thread as soon as that is possible.
 * recorder_stop() closes it.
 */
int recorder_start(const char *segment, const struct store_options *opts, int lock_fd,
	struct recorder **ret_recorder);

/* recorder_stop - finish the row under way, make it durable, end the thread. NULL is allowed. 0, or
 * -ETIMEDOUT when the disk hangs: then r still belongs to the thread. */
int recorder_stop(struct recorder *r, uint64_t timeout_ms);

/* recorder_stats - NULL is allowed: not enabled. Thread: safe, never waits for the disk. */
void recorder_stats(struct recorder *r, struct recorder_stats *ret_stats);

#endif /* EXPORTER_RECORDER_H */
