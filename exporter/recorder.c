/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder.c - the thread that writes history; see recorder.h.
 *
 * A tick is at each multiple of the interval on the wall clock, so that rows of several exporters
 * and restarts fall on the same times; waiting is on the monotonic clock, so that a clock that is
 * set does not make it wait long. A failed store is opened again at a later tick; a damaged one is
 * set aside first. The mutex covers the numbers that others see and the wish to stop, nothing that
 * may take time.
 */
#include "exporter/recorder.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporter/history/place.h"
#include "exporter/log.h"
#include "exporter/source.h"

#define RETRY_TICKS_MAX	6u	/* ticks between attempts to open a store that cannot be opened */

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
	unsigned retry_in, retry_ticks;
	int failed;			/* rc that was logged last, 0: all is well */
};

static uint64_t real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

const char *recorder_miss_name(enum recorder_miss miss)
{
	static const char *const names[] = { "segment", "store", "late", "suspend" };

	return names[miss];
}

/* ---- what others see ------------------------------------------------------------------------ */

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
		log_error("history is not written", "error", message, "errors", left);
	r->failed = rc;
}

static void report_success(struct recorder *r, int wrote)
{
	struct store_stats stats = { 0 };

	if (r->store)
		store_stats(r->store, &stats);
	pthread_mutex_lock(&r->mutex);
	r->stats.up = 1;
	r->stats.message[0] = '\0';
	r->stats.store = stats;
	if (wrote)
		r->stats.last_tick_ms = stats.last_ms;
	pthread_mutex_unlock(&r->mutex);
	if (r->failed)
		log_info("history is written again", "path", r->dir);
	r->failed = 0;
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
	pthread_mutex_unlock(&r->mutex);
	if (rc < 0)
		return rc;
	log_error("the history was damaged, beginning a new one", "error", why, "path", r->dir,
		"kept-as", name);
	return 0;
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
	return 1;
}

static int append(struct recorder *r, const struct source_reading *reading, struct sm_diag *diag)
{
	struct view view;
	int rc = view_init(&view, reading->snapshot, reading->n);

	if (rc < 0) {
		snprintf(diag->message, sizeof(diag->message), "out of memory");
		return rc;
	}
	rc = store_append(r->store, &view, real_ms(), diag);
	view_release(&view);
	return rc;
}

static void tick(struct recorder *r)
{
	struct source_reading reading;
	struct sm_diag diag = { 0 };
	int rc;

	if (!have_store(r))
		return;
	source_read(r->source, SM_SNAPSHOT_WRITERS, &reading);
	if (reading.n == 0) {
		report_success(r, 0);
		return;
	}
	rc = append(r, &reading, &diag);
	if (rc == -EBADMSG) {
		store_close(r->store);
		r->store = NULL;
		if (set_aside(r, diag.message) == 0 && have_store(r))
			rc = append(r, &reading, &diag);
	}
	source_release(&reading);
	if (rc == 0) {
		report_success(r, 1);
		return;
	}
	report_failure(r, rc, diag.message);
	/* A full disk leaves the environment in order, anything else may not. */
	if (rc != -ENOSPC && r->store) {
		store_close(r->store);
		r->store = NULL;
	}
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Wait for the next multiple of the interval. 0 when it is time to stop. */
static int wait_for_tick(struct recorder *r)
{
	uint64_t now_ms = real_ms();
	uint64_t wait_ms = r->opts.interval_ms - now_ms % r->opts.interval_ms;
	struct timespec until;
	int rc = 0, stopping;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(wait_ms / 1000);
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
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

static void *run(void *arg)
{
	struct recorder *r = arg;

	/* Open at once: what is wrong with the store shows at start, not at the first tick. */
	if (have_store(r))
		report_success(r, 0);
	while (wait_for_tick(r))
		tick(r);
	store_close(r->store);
	r->store = NULL;
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
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)(timeout_ms / 1000);
	if (pthread_timedjoin_np(r->thread, NULL, &until))
		return -ETIMEDOUT;
	release(r);
	return 0;
}
