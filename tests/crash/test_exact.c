/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_exact.c - exact totals: 8 processes of 4 threads at full rate, 16 million updates of mixed metrics, one
 * thread of each process without a lane of its own; then 200 kills (kills.h).
 * TIMEOUT: 300
 */
#include <pthread.h>

#include "kills.h"

#define PROCESSES 8
#define THREADS 4
#define EACH 125000u	/* rounds of four updates a thread */

static void *count(void *arg)
{
	workload_update(arg, EACH);
	return NULL;
}

static void counting_process(void *arg)
{
	pthread_t thread[THREADS];
	const unsigned *number = arg;
	struct handles h;
	struct sm *m;
	char name[16];
	unsigned i;

	snprintf(name, sizeof(name), "full-%u", *number);
	CHECK(workload_open(&m, &h, name, *number % SERIES, THREADS - 1) == 0);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, count, &h) == 0);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
}

static void test_full_rate(void)
{
	uint64_t total = (uint64_t)PROCESSES * THREADS * EACH;
	unsigned i, number[PROCESSES];
	pid_t pid[PROCESSES];
	int status;

	for (i = 0; i < PROCESSES; i++) {
		number[i] = i;
		fflush(NULL);
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (pid[i] == 0) {
			counting_process(&number[i]);
			_exit(0);
		}
	}
	for (i = 0; i < PROCESSES; i++) {
		CHECK(waitpid(pid[i], &status, 0) == pid[i]);
		CHECK(was_fine(status));
	}
	CHECK(4 * total >= 10000000);
	/* Exact: between the same number and itself. */
	check_final(total, total);
	printf("%llu rounds of four updates by %d processes of %d threads: exact\n", (unsigned long long)total,
	       PROCESSES, THREADS);
}

int main(void)
{
	steps_init();
	segment_init("exact");
	ledger = shared_memory(sizeof(*ledger));
	test_full_rate();
	ledger->attempted = ledger->acked = (uint64_t)PROCESSES * THREADS * EACH;
	run_kills(200);
	return 0;
}
