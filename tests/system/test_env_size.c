/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_env_size.c - 16 writers of 360 histograms each, default bounds of seconds with the fine
 * grid, fit a tmpfs of 48 MB, with the default geometry and all four lanes of each writer in use.
 */
#include <pthread.h>
#include <sys/statvfs.h>

#include "proc.h"

#define WRITERS 16
#define HISTOGRAMS 360
#define THREADS 3		/* and the shared lane: the default four */

static struct sm_histogram *histogram[HISTOGRAMS];

struct thread {
	pthread_t thread;
	pthread_barrier_t *barrier;
};

/* All threads at once, so that each takes a lane of its own. */
static void *observe_all(void *arg)
{
	struct thread *t = arg;
	unsigned i;

	sm_histogram_observe(histogram[0], .001);
	pthread_barrier_wait(t->barrier);
	for (i = 1; i < HISTOGRAMS; i++)
		sm_histogram_observe(histogram[i], .01 * i);
	pthread_barrier_wait(t->barrier);
	return NULL;
}

static void be_a_writer(unsigned number, const struct gate *gate)
{
	struct sm_options o = { .segment = test_path,
		.flags = SM_OPEN_NO_ENVIRONMENT,
		.thread_lanes = THREADS,
		.lock_timeout_ms = 20000 };
	struct thread t[THREADS];
	pthread_barrier_t barrier;
	struct sm_family *f;
	struct sm_diag diag;
	char name[16], text[16];
	struct sm *m;
	unsigned i;

	snprintf(name, sizeof(name), "shard-%u", number);
	o.writer = name;
	m = sm_open(&o, &diag);
	if (diag.error)
		FAIL("%s: %s", name, diag.message);
	f = declare_family(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "command_duration_seconds", .unit = SM_SECONDS,
		.labels = { "command" } });
	for (i = 0; i < HISTOGRAMS; i++) {
		snprintf(text, sizeof(text), "command %u", i);
		histogram[i] = sm_histogram(f, SM_LABELS(text));
	}
	CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
	for (i = 0; i < THREADS; i++) {
		t[i].barrier = &barrier;
		CHECK(pthread_create(&t[i].thread, NULL, observe_all, &t[i]) == 0);
	}
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_join(t[i].thread, NULL) == 0);
	CHECK(sm_heartbeat(m) == 0);
	gate_say(gate->to_parent);
	gate_wait(gate->to_child);
	_exit(0);
}

static void writers__sixteen_with_360_histograms__fit_48_megabytes(void)
{
	struct sm_size_question q = {
		.writers = WRITERS, .lanes_used = THREADS + 1, .histograms = HISTOGRAMS, .grid = 1
	};
	const struct sm_snapshot *s;
	struct statvfs fs;
	struct gate gate;
	pid_t pid[WRITERS];
	unsigned i;

	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", test_dir, "tmpfs", 0, "size=48m") != 0)
		SKIP("cannot mount a tmpfs here: %s", strerror(errno));
	gate_open(&gate);
	for (i = 0; i < WRITERS; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			be_a_writer(i, &gate);
		gate_wait(gate.to_parent);
	}
	s = snapshot_of(test_path);
	CHECK(statvfs(test_dir, &fs) == 0);
	printf("%llu KiB of 49152 used; predicted %llu KiB\n",
		(unsigned long long)s->fill.allocated_bytes / 1024,
		(unsigned long long)sm_size_predict(&q) / 1024);
	CHECK_U64(count_in(s, "command_duration_seconds", SM_ALL_WRITERS),
		WRITERS * THREADS * HISTOGRAMS);
	CHECK_U64(find_family(s, "command_duration_seconds")->nseries, HISTOGRAMS);
	CHECK_U64(find_family(s, "command_duration_seconds")->flags & SM_FAMILY_FINE_GRID,
		SM_FAMILY_FINE_GRID);
	for (i = 0; i < s->nwriters; i++)
		if (s->writers[i].state == SM_WRITER_LIVE)
			CHECK_U64(s->writers[i].lanes_in_use, THREADS + 1);
	for (i = 0; i < SM_REFUSED_REASONS; i++)
		CHECK_U64(s->refused[i], 0);
	/* What was predicted is near. */
	CHECK(sm_size_predict(&q) > s->fill.allocated_bytes * 9 / 10 &&
	      sm_size_predict(&q) < s->fill.allocated_bytes * 11 / 10);
	sm_snapshot_free(s);
	for (i = 0; i < WRITERS; i++)
		gate_say(gate.to_child);
	for (i = 0; i < WRITERS; i++)
		wait_ok(pid[i]);
	CHECK_U64(count_of(test_path, "command_duration_seconds"), WRITERS * THREADS * HISTOGRAMS);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(writers__sixteen_with_360_histograms__fit_48_megabytes),
};

TEST_MAIN(cases)
