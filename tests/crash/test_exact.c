/* SPDX-License-Identifier: Apache-2.0 */
/* TIMEOUT: 240 */
/*
 * test_exact.c - 8 processes of 4 threads count at full rate, more than 10^7 updates of all kinds,
 * while a reader polls. Totals are exact to the unit: while they live, when they are dead, when a
 * second crew of the same names has adopted and counted, and when all have been folded.
 *
 * Each writer has three lanes for its four threads, so one of them counts in the shared lane.
 */
#include <pthread.h>

#include "counting.h"

#define PROCESSES	8
#define THREADS		4
#define UPDATES		1000000u	/* of thread t: 8 t more; twice */

struct meeting {
	uint32_t ready, begin, counted, leave;
};

struct crew {
	struct program program;
	unsigned next_thread;
};

static struct meeting *meeting;		/* shared */

static void wait_for(const uint32_t *word, uint32_t value)
{
	uint64_t until = now_ns() + UINT64_C(100000000000);
	struct timespec pause = { 0, 1000000 };

	while (load_acquire(word) < value) {
		CHECK(now_ns() < until);
		nanosleep(&pause, NULL);
	}
}

static uint64_t updates_of(unsigned thread)
{
	return UPDATES + 8 * thread;
}

static void *count(void *arg)
{
	struct crew *crew = arg;
	uint64_t i, n = updates_of(__atomic_fetch_add(&crew->next_thread, 1, __ATOMIC_RELAXED));

	for (i = 0; i < n; i++)
		program_count(&crew->program, i);
	return NULL;
}

static void counting_process(unsigned number)
{
	struct crew crew = { .next_thread = 0 };
	pthread_t thread[THREADS];
	struct sm_diag diag;
	char name[16];
	unsigned i;

	snprintf(name, sizeof(name), "exact-%u", number);
	if (program_open(&crew.program, name, PROCESSES + 1, &diag))
		FAIL("sm_open(%s): %s", name, diag.message);
	CHECK(strcmp(sm_writer_name(crew.program.m), name) == 0);
	add_relaxed(&meeting->ready, 1);
	wait_for(&meeting->begin, 1);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, count, &crew) == 0);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	__atomic_add_fetch(&meeting->counted, 1, __ATOMIC_RELEASE);
	wait_for(&meeting->leave, 1);
	_exit(0);
}

/* The up-down gauge of the living: of kind 6, every other one adds 1 and the others subtract 1. */
static int64_t open_of(uint64_t n)
{
	return (int64_t)in_turn(n, 14, 16) - (int64_t)in_turn(n, 6, 16);
}

static void check_exact(const struct totals *want, int64_t open, bool alive, const char *when)
{
	const struct sm_series_info *series;
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct totals have;
	struct sm_diag diag;
	struct sm_value v;
	unsigned i;

	check_context = when;
	if (sm_reader_open(segment_path, &r, &diag) || sm_snapshot_take(r, 0, &s, &diag))
		FAIL("no snapshot: %s", diag.message);
	have = read_totals(s);
	for (i = 0; i < NUMBERS; i++)
		if (have.n[i] != want->n[i])
			FAIL("%s is %llu, not %llu", number_names[i], LLU(have.n[i]),
			     LLU(want->n[i]));
	series = find_series(s, "open", "");
	CHECK(series && sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0);
	CHECK((v.is_set != 0) == alive);
	if (alive && (int64_t)v.units != open)
		FAIL("open is %lld, not %lld", (long long)v.units, (long long)open);
	sm_snapshot_free(s);
	sm_reader_close(r);
	check_context = "";
}

/* One crew of writers, from their start to their end. */
static void count_once(struct totals *total)
{
	pid_t pid[PROCESSES];
	int64_t open = 0;
	int status;
	unsigned i, t;

	memset(meeting, 0, sizeof(*meeting));
	for (i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (pid[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			counting_process(i);
		}
	}
	wait_for(&meeting->ready, PROCESSES);
	check_exact(total, 0, true, "[nobody has counted]");
	store_release(&meeting->begin, 1);
	wait_for(&meeting->counted, PROCESSES);
	for (i = 0; i < PROCESSES; i++) {
		for (t = 0; t < THREADS; t++) {
			add_updates(total, updates_of(t));
			open += open_of(updates_of(t));
		}
	}
	check_exact(total, open, true, "[all have counted]");
	store_release(&meeting->leave, 1);
	for (i = 0; i < PROCESSES; i++) {
		CHECK(waitpid(pid[i], &status, 0) == pid[i]);
		CHECK(was_fine(status));
	}
	check_exact(total, 0, false, "[all have ended]");
}

int main(void)
{
	struct reading *reading = shared_memory(sizeof(*reading));
	struct totals total = { { 0 } };
	struct sm_gc_result result;
	struct sm_header h;
	struct sm_diag diag;
	uint64_t begin = now_ns(), updates = 0;
	unsigned round, t;
	int status;
	pid_t pid = 0;

	segment_init("exact");
	meeting = shared_memory(sizeof(*meeting));
	/* The first crew makes the segment; there is nothing to read before. */
	for (round = 0; round < 2; round++) {
		count_once(&total);
		for (t = 0; t < THREADS; t++)
			updates += PROCESSES * updates_of(t);
		if (round == 0) {
			pid = fork();
			CHECK(pid >= 0);
			if (pid == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				poll_for_ever(reading);
				_exit(0);
			}
		}
	}
	CHECK(updates >= 10000000);
	CHECK(segment_header(&h));
	CHECK_U64(h.claims, PROCESSES);
	CHECK_U64(h.adoptions, PROCESSES);
	if (sm_gc(segment_path, 0, &result, &diag))
		FAIL("sm_gc(): %s", diag.message);
	CHECK_U64(result.writers, PROCESSES);
	check_exact(&total, 0, false, "[all are folded]");
	store_relaxed(&reading->stop, 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(was_fine(status));
	segment_check_clean();
	printf("%llu updates by %u processes of %u threads, all there; %llu snapshots, %.1f s\n",
	       LLU(updates), PROCESSES, THREADS, LLU(reading->snapshots),
	       (double)(now_ns() - begin) / 1e9);
	return 0;
}
