/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collection.c - read all segments once for all who ask; see collection.h.
 *
 * Work on the sources is a `job`, of which there is at most one; the thread that began it does it,
 * outside the mutex. Others wait for it: those whom its result suits take a reference to that,
 * the rest begin the next one. A waiter that has to give up leaves the job alone: there is nothing to
 * cancel, since a reading is bounded by the segment's size.
 *
 * Changes of a segment's state are logged here, once each.
 */
#include "exporter/collection.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "exporter/clock.h"
#include "exporter/log.h"

struct made {
	struct collection pub;
	atomic_uint refs;
	struct collection_segment segment[];
};

/* One segment as it is followed. */
struct followed {
	char *name;
	struct source *source;
	struct recorder *recorder;
	int is_once;		/* nobody waits for it */
	/* Of the status that was logged last. */
	int logged;
	enum source_state logged_state;
	unsigned logged_files;
};

struct job {
	unsigned refs;		/* threads that hold it */
	unsigned flags;
	int look_only;		/* nothing to share */
	int done;
	struct made *made;	/* NULL if memory was short */
};

struct collector {
	size_t n;
	struct followed *followed;	/* whoever does the job uses the sources */
	void (*fill)(void *ctx, struct collection_exporter *ret_exporter);
	void *fill_ctx;
	pthread_mutex_t mutex;		/* of what follows and of jobs */
	pthread_cond_t ended;		/* a job */
	struct job *job;
	unsigned wanted;		/* flags that waiting threads need next */
};

/* ---- what changes in a segment's state is logged -------------------------------------------- */

/* What to do about a segment that cannot be read. */
static const char *remedy(enum source_state state)
{
	switch (state) {
	case SOURCE_NO_PERMISSION:
		return "run the exporter as the user or in the group that the segment is for";
	case SOURCE_INCOMPATIBLE:
		return "use the exporter of the programs' release";
	case SOURCE_DAMAGED:
		return "is it the right file? shardmeter check says what is wrong with it";
	case SOURCE_ERROR:
		return "choose another one with --segment";
	default:
		return NULL;
	}
}

/* One line when what the segment's name means has changed. */
static void log_change(struct followed *f, const struct source_status *status)
{
	unsigned files = status->current_files + status->removed_files;
	enum log_level level;
	const char *what;
	char removed[16];

	if (f->logged && f->logged_state == status->state && f->logged_files == files)
		return;
	f->logged = 1;
	f->logged_state = status->state;
	f->logged_files = files;
	snprintf(removed, sizeof(removed), "%u", status->removed_files);
	if (status->state == SOURCE_UP) {
		level = LOG_LEVEL_INFO;
		what = "reading the segment";
	} else if (status->up) {
		level = LOG_LEVEL_WARN;
		what = "the segment was removed, reading it until its programs end";
	} else if (f->is_once && status->state == SOURCE_NO_SEGMENT) {
		level = LOG_LEVEL_WARN;
		what = "there is no such segment; shardmeter ls lists those that there are";
	} else if (status->state == SOURCE_NO_SEGMENT || status->state == SOURCE_NOT_READY) {
		/* That there is none, or none yet, is no mistake. */
		level = LOG_LEVEL_INFO;
		what = "waiting for the segment, it is made by the first writer";
	} else {
		level = LOG_LEVEL_WARN;
		what = "cannot read the segment";
	}
	log_at(level, what, "path", status->path, "state", source_state_name(status->state),
		"error", status->message, "remedy", status->up ? NULL : remedy(status->state),
		"removed-files", status->removed_files ? removed : "");
}

/* ---- jobs ----------------------------------------------------------------------------------- */

/* With the mutex held, and no job under way. NULL without memory. */
static struct job *begin_job(struct collector *k, unsigned flags, int look_only)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->refs = 1;
	job->flags = flags;
	job->look_only = look_only;
	k->job = job;
	return job;
}

/* With the mutex held. */
static void put_job(struct job *job)
{
	if (--job->refs)
		return;
	if (job->made)
		collection_release(&job->made->pub);
	free(job);
}

static void end_job(struct collector *k)
{
	pthread_mutex_lock(&k->mutex);
	k->job->done = 1;
	k->job = NULL;
	pthread_cond_broadcast(&k->ended);
}

/* Wait with the mutex held. 0 or -ETIMEDOUT. */
static int wait_for(struct collector *k, const struct job *job, uint64_t deadline_ns)
{
	struct timespec until = clock_timespec(deadline_ns);
	int rc = 0;

	while (!job->done && rc == 0)
		rc = deadline_ns ? pthread_cond_timedwait(&k->ended, &k->mutex, &until) :
			pthread_cond_wait(&k->ended, &k->mutex);
	return job->done ? 0 : -rc;
}

static struct made *make(struct collector *k, unsigned flags)
{
	struct made *made = calloc(1, sizeof(*made) + k->n * sizeof(made->segment[0]));
	size_t i;

	if (!made)
		return NULL;
	atomic_init(&made->refs, 1);
	made->pub.began_ns = clock_now();
	made->pub.nsegments = k->n;
	made->pub.segment = made->segment;
	for (i = 0; i < k->n; i++) {
		made->segment[i].name = k->followed[i].name;
		source_read(k->followed[i].source, flags, &made->segment[i].reading);
		recorder_stats(k->followed[i].recorder, &made->segment[i].recorder);
		log_change(&k->followed[i], &made->segment[i].reading.status);
	}
	made->pub.recorder = made->segment[0].recorder;
	if (k->fill)
		k->fill(k->fill_ctx, &made->pub.exporter);
	made->pub.took_ns = clock_now() - made->pub.began_ns;
	return made;
}

/* The result of a job, with the mutex held. */
static int take(struct job *job, uint64_t deadline_ns, const struct collection **ret_collection)
{
	if (!job->made)
		return -ENOMEM;
	if (deadline_ns && clock_now() >= deadline_ns)
		return -ETIMEDOUT;
	atomic_fetch_add_explicit(&job->made->refs, 1, memory_order_relaxed);
	*ret_collection = &job->made->pub;
	return 0;
}

int collector_get(struct collector *k, unsigned flags, uint64_t deadline_ns,
	const struct collection **ret_collection)
{
	struct job *job;
	int suits, rc = 0;

	pthread_mutex_lock(&k->mutex);
	while ((job = k->job) != NULL) {
		suits = !job->look_only && !(flags & ~job->flags);
		if (!suits)
			k->wanted |= flags;
		job->refs++;
		rc = wait_for(k, job, deadline_ns);
		if (rc < 0 || suits)
			break;
		assert(k->job != job);	/* it has ended */
		put_job(job);
	}
	if (!job) {
		job = begin_job(k, flags | k->wanted, 0);
		if (!job) {
			pthread_mutex_unlock(&k->mutex);
			return -ENOMEM;
		}
		k->wanted = 0;
		pthread_mutex_unlock(&k->mutex);
		job->made = make(k, job->flags);
		end_job(k);
	}
	if (rc == 0)
		rc = take(job, deadline_ns, ret_collection);
	put_job(job);
	pthread_mutex_unlock(&k->mutex);
	return rc;
}

void collection_release(const struct collection *c)
{
	/* Nobody else writes to it: only the count changes. */
	struct made *made = (struct made *)(uintptr_t)c;
	size_t i;

	if (!c || atomic_fetch_sub_explicit(&made->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < made->pub.nsegments; i++)
		source_release(&made->segment[i].reading);
	free(made);
}

int collector_slow(struct collector *k, size_t i, uint64_t deadline_ns,
	int (*fn)(void *ctx, const struct sm_slow *slow), void *ctx)
{
	struct timespec until = clock_timespec(deadline_ns);
	struct job *job = NULL;
	int rc = 0;

	pthread_mutex_lock(&k->mutex);
	while (k->job && rc == 0)
		rc = deadline_ns ? pthread_cond_timedwait(&k->ended, &k->mutex, &until) :
			pthread_cond_wait(&k->ended, &k->mutex);
	if (!k->job)
		job = begin_job(k, 0, 1);
	rc = job ? 0 : k->job ? -rc : -ENOMEM;
	pthread_mutex_unlock(&k->mutex);
	if (!job)
		return rc;
	rc = source_slow(k->followed[i].source, fn, ctx);
	end_job(k);
	put_job(job);
	pthread_mutex_unlock(&k->mutex);
	return rc > 0 ? 0 : rc;
}

void collector_look(struct collector *k)
{
	struct source_reading reading;
	struct job *job = NULL;
	size_t i;

	pthread_mutex_lock(&k->mutex);
	/* A reading under way looks itself. */
	if (!k->job)
		job = begin_job(k, 0, 1);
	pthread_mutex_unlock(&k->mutex);
	if (!job)
		return;
	for (i = 0; i < k->n; i++) {
		/* A new file is read once: only that tells whether it is in order. */
		if (source_look(k->followed[i].source, &reading.status))
			source_read(k->followed[i].source, 0, &reading);
		else
			reading.n = 0;
		log_change(&k->followed[i], &reading.status);
		source_release(&reading);
	}
	end_job(k);
	put_job(job);
	pthread_mutex_unlock(&k->mutex);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	if (strcmp(a, b) == 0)
		return 1;
	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
		sa.st_ino == sb.st_ino;
}

static const char *default_name(void)
{
	const char *name = getenv("SHARDMETER_SEGMENT");

	return name && *name ? name : "default";
}

static int follow(struct collector *k, const char *segment)
{
	struct followed *f = &k->followed[k->n];
	size_t i;
	int rc;

	f->name = strdup(*segment ? segment : default_name());
	if (!f->name)
		return -ENOMEM;
	rc = source_create(f->name, &f->source);
	for (i = 0; rc == 0 && i < k->n; i++)
		if (same_file(source_path(f->source), source_path(k->followed[i].source)))
			rc = -EEXIST;
	k->n++;
	return rc;
}

int collector_create(const char *const *segments, size_t n, struct collector **ret_collector,
	const char **ret_bad)
{
	struct collector *k = calloc(1, sizeof(*k));
	pthread_condattr_t attr;
	size_t i;
	int rc = 0;

	if (!k)
		return -ENOMEM;
	pthread_mutex_init(&k->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->ended, &attr);
	pthread_condattr_destroy(&attr);
	k->followed = calloc(n ? n : 1, sizeof(*k->followed));
	if (!k->followed)
		rc = -ENOMEM;
	for (i = 0; i < n && rc == 0; i++) {
		rc = follow(k, segments[i]);
		if (rc < 0 && ret_bad)
			*ret_bad = segments[i];
	}
	if (rc < 0) {
		collector_free(k);
		return rc;
	}
	*ret_collector = k;
	return 0;
}

void collector_free(struct collector *k)
{
	size_t i;

	if (!k)
		return;
	for (i = 0; k->followed && i < k->n; i++) {
		source_free(k->followed[i].source);
		free(k->followed[i].name);
	}
	free(k->followed);
	pthread_cond_destroy(&k->ended);
	pthread_mutex_destroy(&k->mutex);
	free(k);
}

void collector_set_recorder(struct collector *k, size_t segment, struct recorder *recorder)
{
	k->followed[segment].recorder = recorder;
}

void collector_set_quiet(struct collector *k)
{
	size_t i;

	for (i = 0; i < k->n; i++) {
		k->followed[i].is_once = 1;
		k->followed[i].logged = 1;
		k->followed[i].logged_state = SOURCE_UP;
		k->followed[i].logged_files = 1;
	}
}

void collector_describe(struct collector *k,
	void (*fill)(void *ctx, struct collection_exporter *ret_exporter), void *ctx)
{
	k->fill = fill;
	k->fill_ctx = ctx;
}

size_t collector_segments(const struct collector *k)
{
	return k->n;
}

const char *collector_name(const struct collector *k, size_t i)
{
	return k->followed[i].name;
}

const char *collector_path(const struct collector *k, size_t i)
{
	return source_path(k->followed[i].source);
}
