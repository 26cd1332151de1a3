/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "exporter/jobs.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int closed, begun;
static unsigned order[8], ndone;

struct numbered {
	struct job job;
	unsigned number;
};

static void work(struct job *job)
{
	const struct numbered *n = (const void *)job;

	pthread_mutex_lock(&mutex);
	begun = 1;
	pthread_cond_broadcast(&changed);
	while (closed)
		pthread_cond_wait(&changed, &mutex);
	order[ndone++] = n->number;
	pthread_mutex_unlock(&mutex);
}

static void set_gate(int is_closed)
{
	pthread_mutex_lock(&mutex);
	closed = is_closed;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static void await_begin(void)
{
	pthread_mutex_lock(&mutex);
	while (!begun)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static void jobs__up_to_the_limit__run_in_order(void **state)
{
	struct numbered n[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
	struct jobs *j;
	unsigned i;

	ndone = 0;
	begun = 0;
	set_gate(1);
	assert_int_equal(jobs_create(3, &j), 0);
	for (i = 0; i < 3; i++) {
		n[i].job.work = work;
		assert_int_equal(jobs_reserve(j), 0);
		jobs_push(j, &n[i].job);
	}
	await_begin();
	assert_int_equal(jobs_reserve(j), -EAGAIN);
	set_gate(0);
	assert_int_equal(jobs_stop(j, 20000), 0);
	assert_int_equal(ndone, 3);
	for (i = 0; i < 3; i++)
		assert_int_equal(order[i], i);
}

static void stop__a_job_hangs__says_so(void **state)
{
	static struct numbered n = { .job.work = work };
	struct jobs *j;

	ndone = 0;
	begun = 0;
	set_gate(1);
	assert_int_equal(jobs_create(2, &j), 0);
	assert_int_equal(jobs_reserve(j), 0);
	jobs_push(j, &n.job);
	await_begin();
	assert_int_equal(jobs_stop(j, 10), -ETIMEDOUT);
	assert_int_equal(jobs_reserve(j), -EAGAIN);
	set_gate(0);
	assert_int_equal(jobs_stop(j, 20000), 0);
	assert_int_equal(jobs_stop(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs__up_to_the_limit__run_in_order),
		cmocka_unit_test(stop__a_job_hangs__says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
