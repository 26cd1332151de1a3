/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs.h - one thread for requests that may take long, with a short queue.
 *
 * Depends on nothing. What reads history must not hold up a scrape, so it runs here, one at a time;
 * when the queue is full the client is told to come back later.
 *
 *	if (jobs_reserve(j) == 0)	// -EAGAIN: full
 *		jobs_push(j, &my->job);	// my->job.work() is called by the thread
 */
#ifndef EXPORTER_JOBS_H
#define EXPORTER_JOBS_H

#include <stdint.h>

struct jobs;

struct job {
	struct job *next;
	void (*work)(struct job *job);
};

/* jobs_create - with room for `most` jobs, the running one included. 0 or -errno. */
int jobs_create(unsigned most, struct jobs **ret_jobs);

/* jobs_reserve - a place for one job: 0, or -EAGAIN. jobs_push - use it. The place is free again
 * after work(). */
int jobs_reserve(struct jobs *j);
void jobs_push(struct jobs *j, struct job *job);

/* jobs_stop - finish all jobs that were pushed and end the thread. NULL is allowed. 0, or -ETIMEDOUT:
 * then j belongs to the thread. */
int jobs_stop(struct jobs *j, uint64_t timeout_ms);

#endif /* EXPORTER_JOBS_H */
