/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_proc_close_range.c - a program that closes every descriptor it did not open itself: the
 * library keeps none, so nothing changes.
 */
#include <pthread.h>
#include <sys/syscall.h>

#include "proc.h"

static void close_all(void)
{
	int fd;

	fflush(NULL);
	if (syscall(SYS_close_range, 3, ~0u, 0) == 0)
		return;
	for (fd = 3; fd < 4096; fd++)		/* a kernel before 5.9 */
		close(fd);
}

static void *count_100(void *arg)
{
	unsigned i;

	for (i = 0; i < 100; i++)
		sm_counter_add(arg, 1);
	return NULL;
}

static void library__holds_no_descriptor(void)
{
	unsigned before = count_entries("/proc/self/fd");
	struct sm *m = open_writer("w");

	sm_counter_add(open_counter(m, "c_total"), 1);
	CHECK(sm_heartbeat(m) == 0);
	CHECK_U64(count_entries("/proc/self/fd"), before);
}

static void everything__after_close_range__still_works(void)
{
	struct sm *m = open_writer("w");
	struct sm_family *f = declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "l" } });
	struct sm_counter *c = sm_counter(f, SM_LABELS("a"));
	struct sm_diag diag;
	pthread_t thread;
	pid_t pid;

	sm_counter_add(c, 1);
	close_all();
	CHECK_U64(live_writers(test_path), 1); /* the life lock is not tied to a descriptor */
	sm_counter_add(c, 1);
	sm_counter_add(sm_counter(f, SM_LABELS("b")), 1);
	sm_counter_add(open_counter(m, "new_total"), 1);
	sm_histogram_observe(open_histogram(m, "h"), 1);
	CHECK(sm_heartbeat(m) == 0 && sm_status(m, &diag) == 0);
	CHECK(pthread_create(&thread, NULL, count_100, c) == 0 && pthread_join(thread, NULL) == 0);
	pid = fork();
	if (pid == 0) {
		close_all();
		sm_counter_add(c, 10);
		close_all();
		sm_counter_add(sm_counter(f, SM_LABELS("child")), 10);
		CHECK(sm_heartbeat(m) == 0);
		CHECK_U64(live_writers(test_path), 2);
		_exit(0);
	}
	wait_ok(pid);
	CHECK_U64(count_of(test_path, "c_total"), 3 + 100 + 20);
	CHECK_U64(live_writers(test_path), 1);
	CHECK(unlink(test_path) == 0);
	close_all();
	CHECK(sm_heartbeat(m) == 0);
	sm_counter_add(c, 5);
	CHECK_U64(count_of(test_path, "c_total"), 5);
	sm_close(m);
	CHECK_U64(live_writers(test_path), 0);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(library__holds_no_descriptor),
	TEST_CASE(everything__after_close_range__still_works),
};

TEST_MAIN(cases)
