/* SPDX-License-Identifier: Apache-2.0 */
/* TIMEOUT: 300 */
/*
 * test_thread_churn.c - threads come and go: 10,000 short ones, more at once than there are
 * lanes, ended in every way. Totals are exact and lanes are used again. Runs under TSAN, too.
 */
#include <pthread.h>
#include <semaphore.h>

#define CASE_SECONDS 250
#include "proc.h"

#if defined(__SANITIZE_THREAD__)
#define CHURN 2000
#else
#define CHURN 10000
#endif
#define ADDS 20

static struct sm *m;
static struct sm_counter *counter;
static struct sm_histogram *histogram;

static void declare_all(void)
{
	m = open_writer("w");
	counter = open_counter(m, "c_total");
	histogram = open_histogram(m, "h");
}

static uint64_t lanes_in_use(void)
{
	const struct sm_snapshot *s = snapshot_of(test_path);
	uint64_t n = find_writer(s, "w")->lanes_in_use;

	sm_snapshot_free(s);
	return n;
}

static uint64_t shared_updates(void)
{
	const struct sm_snapshot *s = snapshot_of(test_path);
	uint64_t n = find_writer(s, "w")->shared_updates;

	sm_snapshot_free(s);
	return n;
}

static void *update(void *arg)
{
	unsigned i;

	(void)arg;
	for (i = 0; i < ADDS; i++) {
		sm_counter_add(counter, 1);
		sm_histogram_observe_ns(histogram, 1000);
	}
	return NULL;
}

static void threads__one_after_the_other__use_one_lane(void)
{
	pthread_t thread;
	unsigned i;

	declare_all();
	for (i = 0; i < CHURN; i++) {
		CHECK(pthread_create(&thread, NULL, update, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	CHECK_U64(count_of(test_path, "c_total"), (uint64_t)CHURN * ADDS);
	CHECK_U64(count_of(test_path, "h"), (uint64_t)CHURN * ADDS);
	/* The shared lane and one. A thread that is joined may not quite be gone for the
	 * kernel, so a few had to share. */
	CHECK_U64(lanes_in_use(), 2);
	CHECK(shared_updates() < (uint64_t)CHURN * ADDS / 10);
	check_sane(test_path);
}

static void threads__of_which_eight_run_at_once__are_exact(void)
{
	pthread_t thread[8];
	unsigned i;

	declare_all();
	for (i = 0; i < CHURN; i++) {
		if (i >= 8)
			CHECK(pthread_join(thread[i % 8], NULL) == 0);
		CHECK(pthread_create(&thread[i % 8], NULL, update, NULL) == 0);
		if (i % 1000 == 0)
			CHECK(sm_heartbeat(m) == 0);	/* prepares lanes that were wanted */
	}
	for (i = 0; i < 8; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	CHECK_U64(count_of(test_path, "c_total"), (uint64_t)CHURN * ADDS);
	CHECK_U64(count_of(test_path, "h"), (uint64_t)CHURN * ADDS);
	CHECK(lanes_in_use() <= 4);
	CHECK_U64(refusals(test_path, "lost_update"), 0);
	check_sane(test_path);
}

/* Detached, by pthread_exit(), cancelled: whatever ends a thread gives its lane back. */
static sem_t done;

static void *update_and_exit(void *arg)
{
	update(arg);
	sem_post(&done);
	pthread_exit(NULL);
}

static void *update_until_cancelled(void *arg)
{
	update(arg);
	sem_post(&done);
	for (;;)
		pause_ms(1000);
	return NULL;
}

static void threads__ended_in_other_ways__give_their_lanes_back(void)
{
	pthread_t thread;
	unsigned i;

	declare_all();
	CHECK(sem_init(&done, 0, 0) == 0);
	for (i = 0; i < 300; i++) {
		CHECK(pthread_create(&thread, NULL,
			      i % 2 ? update_and_exit : update_until_cancelled, NULL) == 0);
		while (sem_wait(&done) != 0)
			;
		if (i % 2) {
			CHECK(pthread_detach(thread) == 0);
		} else {
			CHECK(pthread_cancel(thread) == 0);
			CHECK(pthread_join(thread, NULL) == 0);
		}
	}
	CHECK_U64(count_of(test_path, "c_total"), 300 * ADDS);
	CHECK(lanes_in_use() <= 4);
}

/* Updates from the last destructor of a thread are as good as any. */
static pthread_key_t key;

static void last_update(void *arg)
{
	(void)arg;
	update(NULL);
}

static void *update_in_a_destructor(void *arg)
{
	CHECK(pthread_setspecific(key, &key) == 0);
	return update(arg);
}

static void destructor__of_a_thread__counts(void)
{
	pthread_t thread;
	unsigned i;

	declare_all();
	CHECK(pthread_key_create(&key, last_update) == 0);
	for (i = 0; i < 200; i++) {
		CHECK(pthread_create(&thread, NULL, update_in_a_destructor, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	CHECK_U64(count_of(test_path, "c_total"), 2 * 200 * ADDS);
	CHECK_U64(lanes_in_use(), 2);
}

/* Threads that have no lane get one once others have ended. */
static uint32_t go, stop;
static uint64_t counted;

static void *long_life(void *arg)
{
	uint64_t n = 0;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		update(NULL);
		n += ADDS;
		sched_yield();
	}
	__atomic_fetch_add(&counted, n, __ATOMIC_RELAXED);
	return NULL;
}

static void *hold_a_lane(void *arg)
{
	update(arg);
	sem_post(&done);
	while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
		pause_ms(1);
	return NULL;
}

static void thread__without_a_lane__gets_one_when_there_is_one(void)
{
	pthread_t holder[3], late;
	struct sm_options o = small("w");
	uint64_t shared, now;
	unsigned i;

	o.thread_lanes = 3;
	m = sm_open(&o, NULL);
	counter = open_counter(m, "c_total");
	histogram = open_histogram(m, "h");
	CHECK(sem_init(&done, 0, 0) == 0);
	for (i = 0; i < 3; i++) {
		CHECK(pthread_create(&holder[i], NULL, hold_a_lane, NULL) == 0);
		while (sem_wait(&done) != 0)
			;
	}
	CHECK_U64(lanes_in_use(), 4);
	CHECK(pthread_create(&late, NULL, long_life, NULL) == 0);
	WAIT_FOR(shared_updates() > 0);
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 3; i++)
		CHECK(pthread_join(holder[i], NULL) == 0);
	/* From some moment on it has a lane of its own: the shared ones stop growing. */
	do {
		shared = shared_updates();
		now = count_of(test_path, "c_total");
		WAIT_FOR(count_of(test_path, "c_total") > now + 5000);
	} while (shared_updates() != shared);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	CHECK(pthread_join(late, NULL) == 0);
	CHECK_U64(count_of(test_path, "c_total"), 3 * ADDS + counted);
}

static const struct test_case cases[] = {
	TEST_CASE(threads__one_after_the_other__use_one_lane),
	TEST_CASE(threads__of_which_eight_run_at_once__are_exact),
	TEST_CASE(threads__ended_in_other_ways__give_their_lanes_back),
	TEST_CASE(destructor__of_a_thread__counts),
	TEST_CASE(thread__without_a_lane__gets_one_when_there_is_one),
};

TEST_MAIN(cases)
