/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder.h - the thread that writes history.
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

struct recorder_stats {
	int enabled;
	int up;				/* the last tick was written, or there was nothing to write */
	uint64_t errors;
	uint64_t last_tick_ms;		/* Unix time of the last row written by this process, 0: none */
	char message[SM_DIAG_MESSAGE];	/* why it is not up */
	struct store_stats store;	/* of the last row */
};

/*
 * recorder_start - begin to record. opts->dir is where; its lock (place.h) is taken by the caller
 * or, if lock_fd is -1, by the thread as soon as that is possible. recorder_stop() closes it.
 */
int recorder_start(const char *segment, const struct store_options *opts, int lock_fd,
	struct recorder **ret_recorder);

/* recorder_stop - finish the row under way, make it durable, end the thread. NULL is allowed. 0, or
 * -ETIMEDOUT when the disk hangs: then r still belongs to the thread. */
int recorder_stop(struct recorder *r, uint64_t timeout_ms);

/* recorder_stats - NULL is allowed: not enabled. Thread: safe, never waits for the disk. */
void recorder_stats(struct recorder *r, struct recorder_stats *ret_stats);

#endif /* EXPORTER_RECORDER_H */
