/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c - a thread with a queue; see jobs.h. */
#include "exporter/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "exporter/clock.h"

struct jobs {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t pushed;
	struct job *first, **last;
	unsigned reserved, most;
	int stopping;
};

static void *run(void *arg)
{
	struct jobs *j = arg;
	struct job *job;

	pthread_mutex_lock(&j->mutex);
	for (;;) {
		/* A place that is reserved will be used: its request is suspended until then. */
		while (!j->first && !(j->stopping && !j->reserved))
			pthread_cond_wait(&j->pushed, &j->mutex);
		job = j->first;
		if (!job)
			break;
		j->first = job->next;
		if (!j->first)
			j->last = &j->first;
		pthread_mutex_unlock(&j->mutex);
		job->work(job);
		pthread_mutex_lock(&j->mutex);
		j->reserved--;
	}
	pthread_mutex_unlock(&j->mutex);
	return NULL;
}

static void release(struct jobs *j)
{
	pthread_cond_destroy(&j->pushed);
	pthread_mutex_destroy(&j->mutex);
	free(j);
}

int jobs_create(unsigned most, struct jobs **ret_jobs)
{
	struct jobs *j = calloc(1, sizeof(*j));
	int rc;

	if (!j)
		return -ENOMEM;
	pthread_mutex_init(&j->mutex, NULL);
	pthread_cond_init(&j->pushed, NULL);
	j->last = &j->first;
	j->most = most;
	rc = -pthread_create(&j->thread, NULL, run, j);
	if (rc < 0) {
		release(j);
		return rc;
	}
	*ret_jobs = j;
	return 0;
}

int jobs_reserve(struct jobs *j)
{
	int rc = 0;

	pthread_mutex_lock(&j->mutex);
	if (j->reserved == j->most || j->stopping)
		rc = -EAGAIN;
	else
		j->reserved++;
	pthread_mutex_unlock(&j->mutex);
	return rc;
}

void jobs_push(struct jobs *j, struct job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&j->mutex);
	*j->last = job;
	j->last = &job->next;
	pthread_cond_signal(&j->pushed);
	pthread_mutex_unlock(&j->mutex);
}

int jobs_stop(struct jobs *j, uint64_t timeout_ms)
{
	struct timespec until;

	if (!j)
		return 0;
	pthread_mutex_lock(&j->mutex);
	j->stopping = 1;
	pthread_cond_signal(&j->pushed);
	pthread_mutex_unlock(&j->mutex);
	clock_gettime(CLOCK_REALTIME, &until);
	until = clock_timespec((uint64_t)until.tv_sec * CLOCK_S + (uint64_t)until.tv_nsec +
		timeout_ms * CLOCK_MS);
	if (pthread_timedjoin_np(j->thread, NULL, &until))
		return -ETIMEDOUT;
	release(j);
	return 0;
}
