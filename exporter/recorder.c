/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder.c - the thread that writes a segment's history; see recorder.h.
 *
 * When a tick is due, and what is missing, is ticker.h's. Between two ticks the thread looks once a
 * second whether the segment's file is still the one it reads: a file that is made and removed
 * within one interval is not missed. A failed store is opened again at a later tick; a damaged one is
 * set aside first; one whose file or lock was removed or replaced is closed, and what is in its place
 * opened. The mutex covers the numbers that others see and the wish to stop, nothing that may take
 * time.
 */
#include "exporter/recorder.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporter/history/history.h"
#include "exporter/history/place.h"
#include "exporter/history/ticker.h"
#include "exporter/log.h"
#include "exporter/source.h"

#define RETRY_TICKS_MAX	6u	/* ticks between attempts to open a store that cannot be opened */
#define LOOK_MS		1000u

struct recorder {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	int stopping;
	struct recorder_stats stats;
	/* The thread's own. */
	struct source *source;
	struct store *store;
	struct store_options opts;
	char dir[3072];
	int lock_fd;
	struct ticker ticker;
	struct store_stats closed;	/* counts of stores that were closed */
	int wrote;			/* a row, in this run */
	unsigned retry_in, retry_ticks;
	int failed;			/* rc that was logged last, 0: all is well */
};

static uint64_t real_ms(void)
{
	struct ticker_clocks now;

	ticker_now(&now);
	return now.real_ms;
}

const char *recorder_miss_name(enum recorder_miss miss)
{
	static const char *const names[] = { "segment", "store", "late", "suspend" };

	return names[miss];
}

/* ---- what others see ------------------------------------------------------------------------ */

/* What to do about a store that cannot be opened or written. */
static const char *remedy(int rc)
{
	switch (rc) {
	case -EACCES:
	case -EPERM:
	case -EROFS:
	case -ENOENT:
	case -ENOTDIR:
		return "choose a directory that can be written with --storage.path, or --no-storage";
	case -ENOSPC:
	case -EDQUOT:
		return "make room there, choose another --storage.path, or --no-storage";
	case -EFBIG:
		return "raise the limit of file sizes (ulimit -f, LimitFSIZE=)";
	default:
		return NULL;
	}
}

static void report_failure(struct recorder *r, int rc, const char *message)
{
	char left[24];

	pthread_mutex_lock(&r->mutex);
	r->stats.up = 0;
	r->stats.errors++;
	snprintf(r->stats.message, sizeof(r->stats.message), "%s", message);
	snprintf(left, sizeof(left), "%llu", (unsigned long long)r->stats.errors);
	pthread_mutex_unlock(&r->mutex);
	if (rc != r->failed)
		log_error("history is not written", "error", message, "errors", left,
			"remedy", remedy(rc));
	r->failed = rc;
}

/* The counts that go on when a store is closed and another one opened. */
static void put_counts(struct recorder *r, const struct store_stats *store)
{
	r->stats.evicted_rows = r->closed.evicted_rows + store->evicted_rows;
	r->stats.stale_readers = r->closed.stale_readers + store->stale_readers;
	r->stats.commits = r->closed.commits + store->commits;
	r->stats.commit_ns_total = r->closed.commit_ns_total + store->commit_ns_total;
}

static void report_success(struct recorder *r, int wrote)
{
	struct store_stats stats = { 0 };

	if (r->store)
		store_stats(r->store, &stats);
	pthread_mutex_lock(&r->mutex);
	r->stats.up = 1;
	r->stats.message[0] = '\0';
	if (wrote) {
		/* The flush of this append took the row before it along. */
		r->stats.synced_tick = r->stats.store.last_tick;
		r->stats.synced_tick_ms = r->stats.store.last_ms;
		r->stats.last_tick = stats.last_tick;
		r->stats.last_tick_ms = stats.last_ms;
	}
	r->stats.store = stats;
	put_counts(r, &stats);
	pthread_mutex_unlock(&r->mutex);
	if (r->failed)
		log_info("history is written again", "path", r->dir);
	r->failed = 0;
}

/* After each tick; why as for ticker_end(). */
static void report_tick(struct recorder *r, unsigned why)
{
	pthread_mutex_lock(&r->mutex);
	r->stats.missed[RECORDER_MISS_SEGMENT] += why == HISTORY_MISSED_SEGMENT;
	r->stats.missed[RECORDER_MISS_STORE] += why == HISTORY_MISSED_STORE;
	r->stats.missed[RECORDER_MISS_LATE] = r->ticker.late;
	r->stats.missed[RECORDER_MISS_SUSPEND] = r->ticker.suspended;
	r->stats.clock_steps = r->ticker.clock_steps;
	pthread_mutex_unlock(&r->mutex);
}

void recorder_stats(struct recorder *r, struct recorder_stats *ret_stats)
{
	if (!r) {
		memset(ret_stats, 0, sizeof(*ret_stats));
		return;
	}
	pthread_mutex_lock(&r->mutex);
	*ret_stats = r->stats;
	pthread_mutex_unlock(&r->mutex);
}

/* ---- the store ------------------------------------------------------------------------------ */

/* Make way for a new file. */
static int set_aside(struct recorder *r, const char *why)
{
	char name[128];
	int rc = place_set_aside(r->dir, real_ms(), name, sizeof(name));

	pthread_mutex_lock(&r->mutex);
	r->stats.errors++;
	r->stats.set_aside += rc == 0;
	pthread_mutex_unlock(&r->mutex);
	if (rc < 0)
		return rc;
	log_error("the history was damaged, beginning a new one", "error", why, "path", r->dir,
		"kept-as", name);
	return 0;
}

static void close_store(struct recorder *r)
{
	struct store_stats stats;

	if (!r->store)
		return;
	store_stats(r->store, &stats);
	r->closed.evicted_rows += stats.evicted_rows;
	r->closed.stale_readers += stats.stale_readers;
	r->closed.commits += stats.commits;
	r->closed.commit_ns_total += stats.commit_ns_total;
	store_close(r->store);
	r->store = NULL;
}

/* Is what we write still what others find? */
static void check_place(struct recorder *r)
{
	int locked = r->lock_fd < 0 || place_locked(r->dir, r->lock_fd);

	if (r->store && (!locked || !store_current(r->store))) {
		log_warn("the history's files were removed or replaced, opening what is there now",
			"path", r->dir);
		close_store(r);
	}
	if (!locked) {
		close(r->lock_fd);
		r->lock_fd = -1;
	}
}

static int open_store(struct recorder *r, struct sm_diag *diag)
{
	int rc = 0;

	if (r->lock_fd < 0)
		rc = place_lock(r->dir, &r->lock_fd, diag);
	if (rc == 0)
		rc = store_open(&r->opts, &r->store, diag);
	if (rc == -EBADMSG && set_aside(r, diag->message) == 0)
		rc = store_open(&r->opts, &r->store, diag);
	return rc;
}

/* Open the store if it is not, at growing distances while that fails. 1 when it is open. */
static int have_store(struct recorder *r)
{
	struct sm_diag diag = { 0 };
	int rc;

	if (r->store)
		return 1;
	if (r->retry_in) {
		r->retry_in--;
		return 0;
	}
	rc = open_store(r, &diag);
	if (rc < 0) {
		r->retry_in = r->retry_ticks;
		if (r->retry_ticks < RETRY_TICKS_MAX)
			r->retry_ticks++;
		report_failure(r, rc, diag.message);
		return 0;
	}
	r->retry_ticks = 0;
	/* To open is to commit, which makes durable what was there. */
	pthread_mutex_lock(&r->mutex);
	store_stats(r->store, &r->stats.store);
	r->stats.synced_tick = r->stats.store.last_tick;
	r->stats.synced_tick_ms = r->stats.store.last_ms;
	pthread_mutex_unlock(&r->mutex);
	return 1;
}

static int append(struct recorder *r, const struct source_reading *reading,
	struct store_tick *tick, struct sm_diag *diag)
{
	struct store_stats stats;
	struct view view;
	int rc = view_init(&view, reading->snapshot, reading->n);

	if (rc < 0) {
		snprintf(diag->message, sizeof(diag->message), "out of memory");
		return rc;
	}
	/* What was missed before this run: by the last row that there is. */
	store_stats(r->store, &stats);
	if (!r->wrote && stats.rows) {
		tick->missed = ticker_missed_since(stats.last_ms, tick->due_ms,
			r->opts.interval_ms);
		tick->missed_why |= tick->missed ? HISTORY_MISSED_STOPPED : 0;
	}
	rc = store_append(r->store, &view, tick, diag);
	view_release(&view);
	r->wrote |= rc == 0;
	return rc;
}

/* One tick. 0 if it left a row, else why not. */
static unsigned tick(struct recorder *r, struct store_tick *when)
{
	struct source_reading reading;
	struct sm_diag diag = { 0 };
	int rc;

	check_place(r);
	if (!have_store(r))
		return HISTORY_MISSED_STORE;
	source_read(r->source, SM_SNAPSHOT_WRITERS, &reading);
	if (reading.n == 0) {
		report_success(r, 0);
		return HISTORY_MISSED_SEGMENT;
	}
	rc = append(r, &reading, when, &diag);
	if (rc == -EBADMSG || rc == -ESTALE) {
		close_store(r);
		if (rc == -ESTALE)
			log_warn("the history's file is checked again", "reason", diag.message);
		if ((rc == -ESTALE || set_aside(r, diag.message) == 0) && have_store(r))
			rc = append(r, &reading, when, &diag);
	}
	source_release(&reading);
	if (rc == 0) {
		report_success(r, 1);
		return 0;
	}
	report_failure(r, rc, diag.message);
	/* A full disk leaves the environment in order, anything else may not. */
	if (rc != -ENOSPC)
		close_store(r);
	return HISTORY_MISSED_STORE;
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Wait, unless it is time to stop. 0 when it is. */
static int wait_ms(struct recorder *r, uint64_t ms)
{
	struct timespec until;
	int rc = 0, stopping;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&r->mutex);
	while (!r->stopping && rc == 0)
		rc = pthread_cond_timedwait(&r->wake, &r->mutex, &until);
	stopping = r->stopping;
	pthread_mutex_unlock(&r->mutex);
	return !stopping;
}

/* Wait for the next tick, and look after the segment meanwhile. 0 when it is time to stop. */
static int wait_for_tick(struct recorder *r, struct ticker_clocks *ret_now)
{
	struct source_status status;
	uint64_t left;

	for (;;) {
		ticker_now(ret_now);
		left = ticker_wait_ms(&r->ticker, ret_now);
		if (!left)
			return wait_ms(r, 0);
		if (!wait_ms(r, left < LOOK_MS ? left : LOOK_MS))
			return 0;
		if (left > LOOK_MS)
			source_look(r->source, &status);
	}
}

static void *run(void *arg)
{
	struct recorder *r = arg;
	struct ticker_clocks now;
	struct store_tick when;
	unsigned why;

	/* Open at once: what is wrong with the store shows at start, not at the first tick. */
	if (have_store(r))
		report_success(r, 0);
	ticker_now(&now);
	ticker_start(&r->ticker, r->opts.interval_ms, &now);
	while (wait_for_tick(r, &now)) {
		ticker_begin(&r->ticker, &now, &when);
		why = tick(r, &when);
		ticker_now(&now);
		ticker_end(&r->ticker, &now, why);
		report_tick(r, why);
	}
	close_store(r);
	return NULL;
}

static void release(struct recorder *r)
{
	source_free(r->source);
	if (r->lock_fd >= 0)
		close(r->lock_fd);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}

int recorder_start(const char *segment, const struct store_options *opts, int lock_fd,
	struct recorder **ret_recorder)
{
	struct recorder *r = calloc(1, sizeof(*r));
	pthread_condattr_t attr;
	int rc;

	if (!r)
		return -ENOMEM;
	snprintf(r->dir, sizeof(r->dir), "%s", opts->dir);
	r->opts = *opts;
	r->opts.dir = r->dir;
	r->lock_fd = lock_fd;
	r->stats.enabled = 1;
	pthread_mutex_init(&r->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->wake, &attr);
	pthread_condattr_destroy(&attr);
	rc = source_create(segment, &r->source);
	if (rc == 0)
		rc = -pthread_create(&r->thread, NULL, run, r);
	if (rc < 0) {
		r->lock_fd = -1;
		release(r);
		return rc;
	}
	*ret_recorder = r;
	return 0;
}

int recorder_stop(struct recorder *r, uint64_t timeout_ms)
{
	struct timespec until;

	if (!r)
		return 0;
	pthread_mutex_lock(&r->mutex);
	r->stopping = 1;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->mutex);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(timeout_ms / 1000);
	if (pthread_clockjoin_np(r->thread, NULL, CLOCK_MONOTONIC, &until))
		return -ETIMEDOUT;
	release(r);
	return 0;
}
