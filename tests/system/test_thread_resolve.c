/* SPDX-License-Identifier: Apache-2.0 */
/* TIMEOUT: 300 */
/*
 * test_thread_resolve.c - threads that count, declare, resolve, remove, beat and lose their file
 * at the same time. Runs under TSAN, too.
 */
#include <pthread.h>

#define CASE_SECONDS 250
#include "proc.h"

#if defined(__SANITIZE_THREAD__)
#define ROUNDS 300
#else
#define ROUNDS 3000
#endif
#define THREADS 6
#define SERIES 200

static struct sm *m;
static uint32_t finished;

static struct sm_family *declare_it(void)
{
	return declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "thread", "value" } });
}

/* All threads resolve the same series, each in another order. */
static void *resolve_and_count(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg, i;
	char text[16];

	for (i = 0; i < ROUNDS; i++) {
		snprintf(text, sizeof(text), "%u", (i * (2 * number + 1)) % SERIES);
		sm_counter_add(sm_counter(declare_it(), SM_LABELS("all", text)), 1);
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void *beat(void *arg)
{
	(void)arg;
	while (__atomic_load_n(&finished, __ATOMIC_RELAXED) < THREADS) {
		CHECK(sm_heartbeat(m) == 0);
		sched_yield();
	}
	return NULL;
}

static void threads__that_resolve_the_same_series__are_exact(void)
{
	pthread_t thread[THREADS], beater;
	unsigned i;

	m = open_writer("w");
	CHECK(pthread_create(&beater, NULL, beat, NULL) == 0);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, resolve_and_count, (void *)(uintptr_t)i) ==
			0);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	CHECK(pthread_join(beater, NULL) == 0);
	CHECK_U64(count_of(test_path, "c_total"), THREADS * ROUNDS);
	check_sane(test_path);
}

/* Two writers of one process, from all threads. */
static struct sm *second;

static void *count_in_both(void *arg)
{
	struct sm_counter *a = open_counter(m, "c_total"), *b = open_counter(second, "c_total");
	unsigned i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		sm_counter_add(a, 1);
		sm_counter_add(b, 2);
	}
	return NULL;
}

static void threads__with_two_writers__are_exact(void)
{
	pthread_t thread[THREADS];
	unsigned i;

	m = open_writer("a");
	second = open_writer("b");
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, count_in_both, NULL) == 0);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	CHECK_U64(count_by(test_path, "c_total", "a"), THREADS * ROUNDS);
	CHECK_U64(count_by(test_path, "c_total", "b"), 2 * THREADS * ROUNDS);
}

/* Writers that come and go in threads of their own. */
static void *open_count_close(void *arg)
{
	char name[16];
	unsigned i;

	snprintf(name, sizeof(name), "w%u", (unsigned)(uintptr_t)arg);
	for (i = 0; i < 20; i++) {
		struct sm *own = open_writer(name);

		CHECK(strcmp(sm_writer_name(own), name) == 0);
		sm_counter_add(open_counter(own, "c_total"), 5);
		sm_close(own);
	}
	return NULL;
}

static void threads__that_open_and_close__are_exact(void)
{
	pthread_t thread[THREADS];
	unsigned i;

	for (i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, open_count_close, (void *)(uintptr_t)i) ==
			0);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	CHECK_U64(count_of(test_path, "c_total"), THREADS * 20 * 5);
	CHECK_U64(live_writers(test_path), 0);
	check_sane(test_path);
}

/* The file is removed again and again while more threads count than there are lanes. */
#define REMOVALS 8

static void *count_through(void *arg)
{
	struct sm_counter *c = open_counter(m, "c_total");
	uint64_t *n = arg;

	while (!__atomic_load_n(&finished, __ATOMIC_ACQUIRE)) {
		sm_counter_add(c, 1);
		sm_counter_add_double(c, 1);
		*n += 2;
		if (*n % 512 == 0)
			sched_yield();
	}
	return NULL;
}

static void threads__whose_file_is_removed__are_exact(void)
{
	struct sm_reader *reader[REMOVALS + 1];
	uint64_t n[THREADS] = { 0 }, want = 0, have = 0;
	const struct sm_snapshot *s;
	pthread_t thread[THREADS];
	unsigned i;

	m = open_writer("w");
	open_counter(m, "c_total");
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, count_through, &n[i]) == 0);
	for (i = 0; i < REMOVALS; i++) {
		WAIT_FOR(count_of(test_path, "c_total") > 1000);
		reader[i] = open_reader(test_path);
		CHECK(unlink(test_path) == 0);
		CHECK(sm_heartbeat(m) == 0);
	}
	__atomic_store_n(&finished, 1, __ATOMIC_RELEASE);
	for (i = 0; i < THREADS; i++) {
		CHECK(pthread_join(thread[i], NULL) == 0);
		want += n[i];
	}
	reader[REMOVALS] = open_reader(test_path);
	for (i = 0; i <= REMOVALS; i++) {
		s = take(reader[i]);
		have += count_in(s, "c_total", SM_ALL_WRITERS);
		sm_snapshot_free(s);
		sm_reader_close(reader[i]);
	}
	CHECK_U64(have, want);
}

/* One removes series that another goes on resolving; what is counted is what remains. */
static void *remove_all(void *arg)
{
	struct sm_family *f = declare_it();
	char text[16];
	unsigned i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		int rc;

		snprintf(text, sizeof(text), "%u", i % SERIES);
		rc = sm_remove(f, SM_LABELS("all", text), 0);
		CHECK(rc == 0 || rc == -ENOENT);
	}
	return NULL;
}

static void threads__that_remove_and_resolve__crash_nothing(void)
{
	pthread_t thread[3];
	unsigned i;

	m = open_writer("w");
	CHECK(pthread_create(&thread[0], NULL, resolve_and_count, (void *)0) == 0);
	CHECK(pthread_create(&thread[1], NULL, resolve_and_count, (void *)1) == 0);
	CHECK(pthread_create(&thread[2], NULL, remove_all, NULL) == 0);
	for (i = 0; i < 3; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	CHECK(count_of(test_path, "c_total") <= 2 * ROUNDS);
	CHECK(sm_heartbeat(m) == 0);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(threads__that_resolve_the_same_series__are_exact),
	TEST_CASE(threads__with_two_writers__are_exact),
	TEST_CASE(threads__that_open_and_close__are_exact),
	TEST_CASE(threads__whose_file_is_removed__are_exact),
	TEST_CASE(threads__that_remove_and_resolve__crash_nothing),
};

TEST_MAIN(cases)
