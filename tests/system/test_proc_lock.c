/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_proc_lock.c - a process holds the catalog lock and is stopped: nobody hangs. Others wait a
 * bounded time, get null handles, count on with those they have, and bind the rest by themselves
 * later.
 */
#include <pthread.h>

#include "layout.h"
#include "proc.h"

#define WAIT_MS 100		/* the default bound, which these tests leave alone */

static pid_t holder;

/* A process that takes the lock, as any writer does, and stands still. */
static void hold_lock(void)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SM_LOCK_CATALOG, .l_len = 1
	};
	int fd;

	holder = fork();
	if (holder == 0) {
		fd = open(test_path, O_RDWR);
		CHECK(fd >= 0 && fcntl(fd, F_OFD_SETLKW, &fl) == 0);
		raise(SIGSTOP);
		close(fd);
		_exit(0);
	}
	wait_stopped(holder);
}

static void release_lock(void)
{
	CHECK(kill(holder, SIGCONT) == 0);
	wait_ok(holder);
}

static struct sm_options patient(const char *writer)
{
	struct sm_options o = small(writer);

	o.lock_timeout_ms = 0;		/* the default */
	return o;
}

static struct sm *open_patiently(const char *writer)
{
	struct sm_options o = patient(writer);
	struct sm_diag diag;
	struct sm *m = sm_open(&o, &diag);

	CHECK(!diag.error);
	return m;
}

static uint64_t elapsed_ms(uint64_t since)
{
	return (now_ns() - since) / 1000000;
}

static void open__while_the_lock_is_held__is_bounded_and_binds_later(void)
{
	struct sm_options o = patient("late");
	struct sm_family_options c = { .kind = SM_COUNTER, .name = "c_total" };
	struct sm_counter *counter;
	struct sm_family *f;
	struct sm_diag diag;
	uint64_t start;
	struct sm *m;

	sm_close(open_patiently("first"));
	hold_lock();
	start = now_ns();
	m = sm_open(&o, &diag);
	CHECK(elapsed_ms(start) >= WAIT_MS && elapsed_ms(start) < 20 * WAIT_MS);
	CHECK(diag.error == -ETIMEDOUT);
	CHECK_TEXT(diag.message, test_path);
	CHECK_TEXT(diag.message, "stopped");
	CHECK(sm_status(m, &diag) == -ETIMEDOUT);
	f = sm_declare(m, &c, &diag);
	CHECK(diag.error == -ETIMEDOUT);
	counter = sm_counter(f, SM_NO_LABELS);
	sm_counter_add(counter, 1000);		/* into nowhere, and no crash */
	CHECK(sm_heartbeat(m) == -ETIMEDOUT);
	release_lock();
	CHECK(sm_heartbeat(m) == 0);
	CHECK(sm_status(m, &diag) == 0 && !diag.message[0]);
	sm_counter_add(counter, 5);
	CHECK(sm_counter(f, SM_NO_LABELS) == counter);
	CHECK_U64(count_by(test_path, "c_total", "late"), 5);
	check_sane(test_path);
}

static void resolve__while_the_lock_is_held__binds_later(void)
{
	struct sm *m = open_patiently("w");
	struct sm_family *f = declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "l" } });
	struct sm_counter *known = sm_counter(f, SM_LABELS("known")), *c[30], *of_late;
	struct sm_family *late;
	struct sm_diag diag;
	uint64_t start;
	char text[16];
	unsigned i;

	sm_counter_add(known, 1);
	hold_lock();
	start = now_ns();
	for (i = 0; i < 30; i++) {
		snprintf(text, sizeof(text), "%u", i);
		c[i] = sm_counter(f, SM_LABELS(text));
		sm_counter_add(c[i], 1000);
		sm_counter_add(sm_counter(f, SM_LABELS("known")), 1);
	}
	printf("30 resolves took %llu ms\n", (unsigned long long)elapsed_ms(start));
	CHECK(elapsed_ms(start) < 15 * WAIT_MS);	/* the wait is not paid each time */
	late = sm_declare(
		m, &(struct sm_family_options){ .kind = SM_GAUGE, .name = "late" }, &diag);
	CHECK(diag.error == -ETIMEDOUT);
	of_late = (struct sm_counter *)(void *)sm_gauge(late, SM_NO_LABELS);
	CHECK_U64(count_of(test_path, "c_total"), 31);
	CHECK(refusals(test_path, "lock_timeout") >= 30);
	release_lock();
	CHECK(sm_heartbeat(m) == 0);
	for (i = 0; i < 30; i++) {
		snprintf(text, sizeof(text), "%u", i);
		CHECK(sm_counter(f, SM_LABELS(text)) == c[i]);
		sm_counter_add(c[i], 1);
	}
	sm_gauge_set((struct sm_gauge *)(void *)of_late, 3);
	CHECK_U64(count_of(test_path, "c_total"), 61);
	CHECK(gauge_of(test_path, "late") == 3);
	check_sane(test_path);
}

/* Without a heartbeat: a handle binds when it is resolved again, a second later. */
static void resolve__after_the_lock_is_free__binds(void)
{
	struct sm *m = open_patiently("w");
	struct sm_family *f = declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "l" } });
	struct sm_counter *c;

	hold_lock();
	c = sm_counter(f, SM_LABELS("a"));
	sm_counter_add(c, 1000);
	release_lock();
	WAIT_FOR((sm_counter_add(sm_counter(f, SM_LABELS("a")), 1),
		count_of(test_path, "c_total") > 0));
	CHECK(sm_counter(f, SM_LABELS("a")) == c);
}

/* A series that another process made needs no lock. */
static void resolve__of_a_known_series__needs_no_lock(void)
{
	struct sm *a = open_patiently("a"), *b = open_patiently("b");
	struct sm_family_options o = { .kind = SM_COUNTER, .name = "c_total", .labels = { "l" } };
	struct sm_family *fa = declare_family(a, &o), *fb = declare_family(b, &o);
	uint64_t start;

	sm_counter_add(sm_counter(fa, SM_LABELS("x")), 1);
	hold_lock();
	start = now_ns();
	sm_counter_add(sm_counter(fb, SM_LABELS("x")), 2);
	CHECK(elapsed_ms(start) < WAIT_MS);
	CHECK_U64(count_of(test_path, "c_total"), 3);
	release_lock();
}

/* A forked child cannot claim: the common writer counts for it. */
static void child__while_the_lock_is_held__loses_no_count(void)
{
	struct sm *m = open_patiently("w");
	struct sm_counter *c = open_counter(m, "c_total");
	struct sm_histogram *h = open_histogram(m, "h");
	struct sm_gauge *g = open_gauge(m, "g", SM_MODE_SUM);
	struct gate gate;
	uint64_t start;
	unsigned i;
	pid_t pid;

	sm_gauge_set(g, 2);
	hold_lock();
	gate_open(&gate);
	pid = fork();
	if (pid == 0) {
		start = now_ns();
		for (i = 0; i < 5000; i++) {
			sm_counter_add(c, 1);
			sm_histogram_observe(h, .1);
		}
		CHECK(sm_heartbeat(m) == -ETIMEDOUT);
		for (i = 0; i < 5000; i++)
			sm_counter_add(c, 1);
		printf("10,000 updates of a child without a slot took %llu ms\n",
		       (unsigned long long)elapsed_ms(start));
		fflush(stdout);
		CHECK(elapsed_ms(start) < 50 * WAIT_MS);
		gate_say(gate.to_parent);
		gate_wait(gate.to_child);
		CHECK(sm_heartbeat(m) == 0);
		sm_counter_add(c, 7);
		CHECK_U64(count_by(test_path, "c_total", "w~2"), 7);
		_exit(0);
	}
	gate_wait(gate.to_parent);
	CHECK_U64(count_of(test_path, "c_total"), 10000);
	CHECK_U64(count_of(test_path, "h"), 5000);
	CHECK(gauge_of(test_path, "g") == 2);
	release_lock();
	gate_say(gate.to_child);
	wait_ok(pid);
	CHECK_U64(count_of(test_path, "c_total"), 10007);
	CHECK_U64(refusals(test_path, "lost_update"), 0);
	check_sane(test_path);
}

/* Threads that resolve all at once wait for one bound, not one after the other. */
static struct sm_family *contended;

static void *resolve_new(void *arg)
{
	sm_counter_add(sm_counter(contended, SM_LABELS((char *)arg)), 1);
	return NULL;
}

static void threads__that_resolve_while_the_lock_is_held__do_not_queue_up(void)
{
	struct sm *m = open_patiently("w");
	char text[20][8];
	pthread_t thread[20];
	uint64_t start;
	unsigned i;

	contended = declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "l" } });
	hold_lock();
	start = now_ns();
	for (i = 0; i < 20; i++) {
		snprintf(text[i], sizeof(text[i]), "%u", i);
		CHECK(pthread_create(&thread[i], NULL, resolve_new, text[i]) == 0);
	}
	for (i = 0; i < 20; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	printf("20 threads took %llu ms\n", (unsigned long long)elapsed_ms(start));
	CHECK(elapsed_ms(start) < 10 * WAIT_MS);
	release_lock();
	CHECK(sm_heartbeat(m) == 0);
}

/* Stopped for good: killing it frees the lock. */
static void holder__that_is_killed__frees_the_lock(void)
{
	struct sm *m = open_patiently("w");

	hold_lock();
	kill_and_wait(holder);
	sm_counter_add(open_counter(m, "c_total"), 1);
	CHECK_U64(count_of(test_path, "c_total"), 1);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(open__while_the_lock_is_held__is_bounded_and_binds_later),
	TEST_CASE(resolve__while_the_lock_is_held__binds_later),
	TEST_CASE(resolve__after_the_lock_is_free__binds),
	TEST_CASE(resolve__of_a_known_series__needs_no_lock),
	TEST_CASE(child__while_the_lock_is_held__loses_no_count),
	TEST_CASE(threads__that_resolve_while_the_lock_is_held__do_not_queue_up),
	TEST_CASE(holder__that_is_killed__frees_the_lock),
};

TEST_MAIN(cases)
