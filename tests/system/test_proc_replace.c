/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_proc_replace.c - the segment file goes away under its writers: removed (logind's
 * RemoveIPC), replaced, truncated, impossible to make anew. What was counted in the old file and
 * in the new one adds up.
 */
#include <pthread.h>

#include "proc.h"

/* ---- counting through a removal -------------------------------------------------------------- */

static struct sm_counter *busy_counter;
static struct sm_histogram *busy_histogram;
static uint32_t busy_stop;

static void *count_on(void *arg)
{
	uint64_t *n = arg;
	unsigned i;

	while (!__atomic_load_n(&busy_stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < 100; i++) {
			sm_counter_add(busy_counter, 1);
			sm_histogram_observe_ns(busy_histogram, 3000000);
		}
		__atomic_store_n(n, *n + 100, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

#define REMOVALS 6

static void file__removed_again_and_again__loses_no_count(void)
{
	struct sm *m = open_writer("w");
	struct sm_gauge *g = open_gauge(m, "g", SM_MODE_SUM);
	struct sm_reader *reader[REMOVALS + 1];
	uint64_t n[3] = { 0 }, sum = 0, observed = 0, want = 0, before;
	pthread_t thread[3];
	unsigned i;

	busy_counter = open_counter(m, "c_total");
	busy_histogram = open_histogram(m, "h");
	sm_gauge_set(g, 2.5);
	for (i = 0; i < 3; i++)
		CHECK(pthread_create(&thread[i], NULL, count_on, &n[i]) == 0);
	for (i = 0; i < REMOVALS; i++) {
		before = __atomic_load_n(&n[0], __ATOMIC_RELAXED);
		WAIT_FOR(__atomic_load_n(&n[0], __ATOMIC_RELAXED) > before);
		reader[i] = open_reader(test_path);
		CHECK(unlink(test_path) == 0);
		CHECK(sm_reader_current(reader[i]) == 1);
		CHECK(sm_heartbeat(m) == 0);
		CHECK(sm_reader_current(reader[i]) == 2);
		CHECK(access(test_path, R_OK | W_OK) == 0);
		CHECK(sm_reader_live_writers(reader[i]) ==
			1); /* readers keep the old file while it lives */
	}
	__atomic_store_n(&busy_stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 3; i++) {
		CHECK(pthread_join(thread[i], NULL) == 0);
		want += n[i];
	}
	reader[REMOVALS] = open_reader(test_path);
	for (i = 0; i <= REMOVALS; i++) {
		const struct sm_snapshot *s = take(reader[i]);
		const struct sm_series_info *series = find_series(s, "g", NULL);
		struct sm_value v = { .is_set = 0 };

		sum += count_in(s, "c_total", SM_ALL_WRITERS);
		observed += count_in(s, "h", SM_ALL_WRITERS);
		CHECK(series && sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0);
		CHECK(i == REMOVALS ? v.is_set && v.value == 2.5 : !v.is_set);
		sm_snapshot_free(s);
		sm_reader_close(reader[i]);
	}
	CHECK_U64(sum, want);
	CHECK_U64(observed, want);
	CHECK(strcmp(sm_writer_name(m), "w") == 0);
	check_sane(test_path);
}

/* Updates of a thread are interrupted by its own, which find the new file first. */
#define REPLACEMENTS 40

static uint64_t handled;

static void on_signal(int sig)
{
	(void)sig;
	sm_counter_add(busy_counter, 1);
	sm_histogram_observe_ns(busy_histogram, 3000000);
	handled++;
}

static void *count_interrupted(void *arg)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct itimerspec spec = { { 0, 20000 }, { 0, 20000 } };
	sigset_t set;
	timer_t timer;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &spec, NULL) == 0);
	count_on(arg);
	CHECK(timer_delete(timer) == 0);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	return NULL;
}

static void file__removed_under_signal_handlers__loses_no_count(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct sm *m = open_writer("w");
	struct sm_reader *reader[REPLACEMENTS + 1];
	uint64_t n = 0, sum = 0, observed = 0, before;
	pthread_t thread;
	sigset_t set;
	unsigned i;

	busy_counter = open_counter(m, "c_total");
	busy_histogram = open_histogram(m, "h");
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, count_interrupted, &n) == 0);
	for (i = 0; i < REPLACEMENTS; i++) {
		before = __atomic_load_n(&handled, __ATOMIC_RELAXED);
		WAIT_FOR(__atomic_load_n(&handled, __ATOMIC_RELAXED) > before + 20);
		reader[i] = open_reader(test_path);
		CHECK(unlink(test_path) == 0);
		CHECK(sm_heartbeat(m) == 0);
	}
	__atomic_store_n(&busy_stop, 1, __ATOMIC_RELAXED);
	CHECK(pthread_join(thread, NULL) == 0);
	reader[REPLACEMENTS] = open_reader(test_path);
	for (i = 0; i <= REPLACEMENTS; i++) {
		const struct sm_snapshot *s = take(reader[i]);

		sum += count_in(s, "c_total", SM_ALL_WRITERS);
		observed += count_in(s, "h", SM_ALL_WRITERS);
		sm_snapshot_free(s);
		sm_reader_close(reader[i]);
	}
#if defined(__x86_64__)
	CHECK_U64(sum, n + handled);
	CHECK_U64(observed, n + handled);
#else
	/* Load, add and store are three instructions. */
	CHECK(sum <= n + handled && observed <= n + handled);
#endif
	check_sane(test_path);
}

/* Another process made the new file first, of another shape: this one moves there. */
static void file__replaced_by_another_process__is_moved_to(void)
{
	struct sm *m = open_writer("w");
	struct sm_counter *c = open_counter(m, "c_total");
	struct sm_gauge *g = open_gauge(m, "g", SM_MODE_SUM);
	struct sm_reader *old = open_reader(test_path);
	struct sm_options o = small("other");
	const struct sm_snapshot *s;
	struct sm_diag diag;
	struct gate gate;
	struct sm *m2;
	pid_t pid;

	sm_counter_add(c, 5);
	sm_gauge_set(g, 1);
	CHECK(unlink(test_path) == 0);
	gate_open(&gate);
	pid = fork();
	if (pid == 0) {
		o.max_writers = 4;
		o.lanes_per_writer = 2;
		o.max_cells = 4096;
		m2 = sm_open(&o, &diag);
		CHECK(!diag.error);
		open_counter(m2, "before_total");
		sm_counter_add(open_counter(m2, "c_total"), 100);
		sm_gauge_set(open_gauge(m2, "g", SM_MODE_SUM), 40);
		gate_say(gate.to_parent);
		gate_wait(gate.to_child);
		_exit(0);
	}
	gate_wait(gate.to_parent);
	sm_counter_add(c, 6);			/* still into the old one */
	CHECK(sm_heartbeat(m) == 0);
	sm_counter_add(c, 7);
	CHECK_U64(count_of(test_path, "c_total"), 107);
	CHECK(gauge_of(test_path, "g") == 41);
	s = take(old);
	CHECK_U64(count_in(s, "c_total", SM_ALL_WRITERS), 11);
	sm_snapshot_free(s);
	gate_say(gate.to_child);
	wait_ok(pid);
	check_sane(test_path);
}

/* A resolve notices, too, without a heartbeat. */
static void file__removed__is_made_anew_at_a_resolve(void)
{
	struct sm *m = open_writer("w");
	struct sm_family *f = declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "l" } });
	struct sm_counter *a = sm_counter(f, SM_LABELS("a"));

	sm_counter_add(a, 1);
	CHECK(unlink(test_path) == 0);
	sm_counter_add(sm_counter(f, SM_LABELS("b")), 2);
	sm_counter_add(a, 4);
	CHECK_U64(count_of(test_path, "c_total"), 6);
	CHECK(sm_counter(f, SM_LABELS("a")) == a);
}

/* While no new file can be made, handles go on counting in the old one. */
static void file__that_cannot_be_made_anew__costs_no_count(void)
{
	struct sm *m = open_writer("w");
	struct sm_counter *c = open_counter(m, "c_total");
	struct sm_gauge *g = open_gauge(m, "g", SM_MODE_SUM);
	struct sm_reader *old = open_reader(test_path);
	const struct sm_snapshot *s;
	struct sm_diag diag;

	sm_counter_add(c, 1);
	sm_gauge_set(g, 3);
	CHECK(unlink(test_path) == 0 && mkdir(test_path, 0755) == 0);
	CHECK(sm_heartbeat(m) < 0);
	CHECK(sm_status(m, &diag) < 0);
	CHECK_TEXT(diag.message, test_path);
	sm_counter_add(c, 10);
	CHECK(sm_heartbeat(m) < 0);
	sm_counter_add(c, 100);
	s = take(old);
	CHECK_U64(count_in(s, "c_total", SM_ALL_WRITERS), 111);
	sm_snapshot_free(s);
	CHECK(rmdir(test_path) == 0);
	CHECK(sm_heartbeat(m) == 0);
	CHECK(sm_status(m, &diag) == 0);
	sm_counter_add(c, 1000);
	CHECK_U64(count_of(test_path, "c_total"), 1000);
	CHECK(gauge_of(test_path, "g") == 3);
	s = take(old);
	CHECK_U64(count_in(s, "c_total", SM_ALL_WRITERS), 111);
	CHECK(sm_reader_live_writers(old) == 1);
	sm_snapshot_free(s);
}

/* A series that has no room in the new file stays in the old one. */
static void series__without_room_in_the_new_file__stays_in_the_old(void)
{
	struct sm *m = open_writer("w");
	struct sm_options o = small("other");
	struct sm_counter *c[20];
	struct sm_family *f = declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "l" } });
	struct sm_reader *old = open_reader(test_path);
	const struct sm_snapshot *s;
	uint64_t there;
	struct sm_diag diag;
	struct gate gate;
	char text[16];
	unsigned i;
	pid_t pid;

	for (i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "%u", i);
		c[i] = sm_counter(f, SM_LABELS(text));
		sm_counter_add(c[i], 1);
	}
	CHECK(unlink(test_path) == 0);
	gate_open(&gate);
	pid = fork();
	if (pid == 0) {
		o.max_series = 12;
		sm_open(&o, &diag);
		CHECK(!diag.error);
		gate_say(gate.to_parent);
		gate_wait(gate.to_child);
		_exit(0);
	}
	gate_wait(gate.to_parent);
	CHECK(sm_heartbeat(m) == 0);
	for (i = 0; i < 20; i++)
		sm_counter_add(c[i], 10);
	there = count_of(test_path, "c_total");
	CHECK_U64(there, 120);
	s = take(old);
	CHECK_U64(count_in(s, "c_total", SM_ALL_WRITERS), 20 + 200 - there);
	sm_snapshot_free(s);
	CHECK(refusals(test_path, "series_full") > 0);
	CHECK(sm_heartbeat(m) == 0);
	gate_say(gate.to_child);
	wait_ok(pid);
}

/* A child that was forked before, and counts after: it takes nothing from its parent. */
static void child__forked_before_the_removal__leaves_the_parents_gauges(void)
{
	struct sm *m = open_writer("w");
	struct sm_counter *c = open_counter(m, "c_total");
	struct sm_gauge *g = open_gauge(m, "g", SM_MODE_SUM);
	struct sm_reader *old = open_reader(test_path);
	const struct sm_snapshot *s;
	struct sm_value v;
	struct gate gate;
	pid_t pid;

	sm_gauge_set(g, 7);
	gate_open(&gate);
	pid = fork();
	if (pid == 0) {
		gate_wait(gate.to_child);
		CHECK(sm_heartbeat(m) == 0);
		sm_counter_add(c, 3);
		gate_say(gate.to_parent);
		gate_wait(gate.to_child);
		sm_close(m);
		_exit(0);
	}
	CHECK(unlink(test_path) == 0);
	gate_say(gate.to_child);
	gate_wait(gate.to_parent);
	s = take(old);
	CHECK(sm_snapshot_number(s, find_series(s, "g", NULL), SM_ALL_WRITERS, &v) == 0);
	CHECK(v.is_set && v.value == 7);
	sm_snapshot_free(s);
	CHECK_U64(count_of(test_path, "c_total"), 3);
	CHECK(gauge_of(test_path, "g") != gauge_of(test_path, "g"));	/* absent */
	CHECK(sm_heartbeat(m) == 0);
	CHECK(gauge_of(test_path, "g") == 7);
	gate_say(gate.to_child);
	wait_ok(pid);
	CHECK_U64(live_writers(test_path), 1);
}

/* ---- truncation ---------------------------------------------------------------------------- */

static void file__truncated_under_a_reader__is_one_clear_error(void)
{
	static const long sizes[] = { 0, 1, 39, 40, 4095, 4096, 20000, 1 << 20 };
	struct sm *m = open_writer("w");
	const struct sm_snapshot *s;
	struct sm_reader *r, *fresh;
	struct sm_diag diag;
	struct stat st;
	unsigned i;
	int rc;
	pid_t pid;

	sm_counter_add(open_counter(m, "c_total"), 1);
	sm_counter_add(open_counter(m, "d_total"), 1);
	CHECK(stat(test_path, &st) == 0);
	for (i = 0; i <= sizeof(sizes) / sizeof(sizes[0]); i++) {
		/* Biggest first: what is gone does not come back. */
		long size = i ? sizes[sizeof(sizes) / sizeof(sizes[0]) - i] : st.st_size - 1;

		r = i ? NULL : open_reader(test_path);
		CHECK(truncate(test_path, size) == 0);
		if (r) {
			rc = sm_snapshot_take(r, 0, &s, &diag);
			CHECK(rc == 0 || rc == -EBADMSG); /* the last page need not be looked at */
			sm_reader_close(r);
		}
		rc = sm_reader_open(test_path, &fresh, &diag);
		CHECK(rc == -EBADMSG || (rc == SM_NOT_READY && size == 0));
		CHECK_TEXT(diag.message, rc == SM_NOT_READY ? "" : test_path);
		/* And for a writer that opens it now. */
		pid = fork();
		if (pid == 0) {
			struct sm_options o = small("second");

			o.flags |= size ? 0 : SM_OPEN_NO_CREATE;
			sm_open(&o, &diag);
			if (diag.error != (size ? -EBADMSG : -ENOENT))
				FAIL("size %ld: %d: %s", size, diag.error, diag.message);
			CHECK_TEXT(diag.message, test_path);
			_exit(0);
		}
		wait_ok(pid);
	}
}

static void file__truncated_while_a_reader_looks__is_damage(void)
{
	struct sm *m = open_writer("w");
	struct sm_family *f = declare_family(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS, .labels = { "l" } });
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct sm_diag diag;
	struct stat st;
	char text[16];
	unsigned i;
	long size;
	int rc;

	for (i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "%u", i);
		sm_histogram_observe(sm_histogram(f, SM_LABELS(text)), .1);
	}
	r = open_reader(test_path);
	rc = sm_snapshot_take(r, SM_SNAPSHOT_WRITERS, &s, &diag);
	CHECK(rc == 0);
	sm_snapshot_free(s);
	CHECK(stat(test_path, &st) == 0);
	for (size = st.st_size; size > 0; size = size * 3 / 4) {
		CHECK(truncate(test_path, size - 1) == 0);
		rc = sm_snapshot_take(r, SM_SNAPSHOT_WRITERS, &s, &diag);
		if (rc == 0)
			sm_snapshot_free(s);
		else if (rc != -EBADMSG)
			FAIL("size %ld: %d: %s", size, rc, diag.message);
	}
	CHECK(rc == -EBADMSG);
	CHECK_TEXT(diag.message, test_path);
	sm_reader_close(r);
}

static const struct test_case cases[] = {
	TEST_CASE(file__removed_again_and_again__loses_no_count),
	TEST_CASE(file__removed_under_signal_handlers__loses_no_count),
	TEST_CASE(file__replaced_by_another_process__is_moved_to),
	TEST_CASE(file__removed__is_made_anew_at_a_resolve),
	TEST_CASE(file__that_cannot_be_made_anew__costs_no_count),
	TEST_CASE(series__without_room_in_the_new_file__stays_in_the_old),
	TEST_CASE(child__forked_before_the_removal__leaves_the_parents_gauges),
	TEST_CASE(file__truncated_under_a_reader__is_one_clear_error),
	TEST_CASE(file__truncated_while_a_reader_looks__is_damage),
};

TEST_MAIN(cases)
