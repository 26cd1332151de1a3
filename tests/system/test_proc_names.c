/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_proc_names.c - one name: two live writers, one that is stopped while a second starts,
 * successors.
 */
#include "proc.h"

struct child {
	pid_t pid;
	struct gate gate;
};

/* A writer in a child that counts 10 each time it is told to, then says so. */
static void start(struct child *c, const char *name, const char *want_name)
{
	gate_open(&c->gate);
	c->pid = fork();
	if (c->pid == 0) {
		struct sm *m = open_writer(name);
		struct sm_counter *counter = open_counter(m, "c_total");
		struct sm_histogram *h = open_histogram(m, "h");
		struct sm_gauge *g = open_gauge(m, "g", SM_MODE_SUM);
		unsigned i;

		CHECK(strcmp(sm_writer_name(m), want_name) == 0);
		for (;;) {
			sm_gauge_set(g, 1);
			for (i = 0; i < 10; i++) {
				sm_counter_add(counter, 1);
				sm_histogram_observe(h, .2);
			}
			gate_say(c->gate.to_parent);
			gate_wait(c->gate.to_child);
		}
	}
	gate_wait(c->gate.to_parent);
}

static void again(struct child *c)
{
	gate_say(c->gate.to_child);
	gate_wait(c->gate.to_parent);
}

static uint64_t conflicts(void)
{
	const struct sm_snapshot *s = snapshot_of(test_path);
	uint64_t n = s->conflicts;

	sm_snapshot_free(s);
	return n;
}

static void writers__of_one_name__get_names_of_their_own(void)
{
	struct child a, b, c;

	start(&a, "shard-3", "shard-3");
	CHECK_U64(conflicts(), 0);
	start(&b, "shard-3", "shard-3~2");
	CHECK_U64(conflicts(), 1);
	start(&c, "shard-3", "shard-3~3");
	CHECK_U64(conflicts(), 2);
	again(&a);
	CHECK_U64(count_by(test_path, "c_total", "shard-3"), 20);
	CHECK_U64(count_by(test_path, "c_total", "shard-3~2"), 10);
	CHECK_U64(count_by(test_path, "c_total", "shard-3~3"), 10);
	CHECK(gauge_of(test_path, "g") == 3);
	kill_and_wait(a.pid);
	CHECK(gauge_of(test_path, "g") == 2);
	start(&a, "shard-3", "shard-3");	/* the successor, though ~2 and ~3 still live */
	CHECK_U64(conflicts(), 2);
	CHECK_U64(count_by(test_path, "c_total", "shard-3"), 30);
	CHECK_U64(count_of(test_path, "c_total"), 50);
	kill_and_wait(b.pid);
	kill_and_wait(c.pid);
	CHECK_U64(count_of(test_path, "c_total"), 50);
	CHECK_U64(count_of(test_path, "h"), 50);
	CHECK_U64(live_writers(test_path), 1);
	check_sane(test_path);
}

/* A name of the full 60 bytes is cut, so that the number fits. */
static void name__of_full_length__is_cut_for_the_number(void)
{
	char name[61], second[64];
	struct child a, b;

	memset(name, 'x', 60);
	name[60] = '\0';
	snprintf(second, sizeof(second), "%s~2", name);
	start(&a, name, name);
	start(&b, name, second);
	CHECK_U64(count_of(test_path, "c_total"), 20);
}

static void writer__stopped_while_a_second_starts__counts_on_exactly(void)
{
	struct child a, b;

	start(&a, "w", "w");
	CHECK(kill(a.pid, SIGSTOP) == 0);
	wait_stopped(a.pid);
	start(&b, "w", "w~2");
	again(&b);
	CHECK_U64(count_by(test_path, "c_total", "w"), 10);
	CHECK_U64(count_by(test_path, "c_total", "w~2"), 20);
	CHECK(kill(a.pid, SIGCONT) == 0);
	again(&a);
	again(&b);
	again(&a);
	CHECK_U64(count_by(test_path, "c_total", "w"), 30);
	CHECK_U64(count_by(test_path, "c_total", "w~2"), 30);
	CHECK_U64(count_of(test_path, "c_total"), 60);
	CHECK_U64(count_of(test_path, "h"), 60);
	CHECK(gauge_of(test_path, "g") == 2);
	/* Stopped and killed: dead all the same. */
	CHECK(kill(a.pid, SIGSTOP) == 0);
	wait_stopped(a.pid);
	kill_and_wait(a.pid);
	CHECK_U64(live_writers(test_path), 1);
	CHECK(gauge_of(test_path, "g") == 1);
	CHECK_U64(count_of(test_path, "c_total"), 60);
	check_sane(test_path);
}

#define LIVES 30

static void name__of_many_lives__goes_on_where_it_stopped(void)
{
	const struct sm_snapshot *s;
	const struct sm_writer *w;
	struct child c;
	unsigned i;

	for (i = 1; i <= LIVES; i++) {
		start(&c, "w", "w");
		CHECK_U64(count_of(test_path, "c_total"), 10 * i);
		CHECK(gauge_of(test_path, "g") == 1);
		kill_and_wait(c.pid);
		CHECK(gauge_of(test_path, "g") != 1);	/* absent */
		CHECK_U64(count_by(test_path, "c_total", "w"), 10 * i);
	}
	s = snapshot_of(test_path);
	w = find_writer(s, "w");
	CHECK(w && w->state == SM_WRITER_DEAD);
	CHECK_U64(w->restarts, LIVES - 1);
	CHECK_U64(s->nwriters, 2);		/* and the common one */
	CHECK_U64(s->claims, 1);
	check_sane(test_path);
}

/* Without a name: the program's, with an ordinal; never a pid. */
static void writer__without_a_name__gets_the_programs(void)
{
	struct sm_options o = small(NULL);
	struct sm *m = sm_open(&o, NULL), *m2 = sm_open(&o, NULL);

	CHECK(strcmp(sm_writer_name(m), "test_proc_names-1") == 0);
	CHECK(strcmp(sm_writer_name(m2), "test_proc_names-2") == 0);
	CHECK_U64(conflicts(), 0);
	sm_close(m);
	m = sm_open(&o, NULL);
	CHECK(strcmp(sm_writer_name(m), "test_proc_names-1") == 0);
}

/* Several writers in one process: each has its slot; a closed one is dead at once. */
static void writers__of_one_process__count_apart(void)
{
	struct sm *a = open_writer("a"), *b = open_writer("b");
	struct sm_counter *ca = open_counter(a, "c_total"), *cb = open_counter(b, "c_total");

	sm_counter_add(ca, 1);
	sm_counter_add(cb, 2);
	CHECK_U64(count_by(test_path, "c_total", "a"), 1);
	CHECK_U64(count_by(test_path, "c_total", "b"), 2);
	CHECK_U64(live_writers(test_path), 2);
	sm_close(a);
	CHECK_U64(live_writers(test_path), 1);
	sm_counter_add(ca, 100);		/* into nowhere */
	sm_counter_add(cb, 4);
	CHECK_U64(count_of(test_path, "c_total"), 7);
	a = open_writer("a");
	sm_counter_add(open_counter(a, "c_total"), 8);
	CHECK_U64(count_by(test_path, "c_total", "a"), 9);
	sm_close(a);
	sm_close(b);
	CHECK_U64(live_writers(test_path), 0);
	CHECK_U64(count_of(test_path, "c_total"), 15);
}

static const struct test_case cases[] = {
	TEST_CASE(writers__of_one_name__get_names_of_their_own),
	TEST_CASE(name__of_full_length__is_cut_for_the_number),
	TEST_CASE(writer__stopped_while_a_second_starts__counts_on_exactly),
	TEST_CASE(name__of_many_lives__goes_on_where_it_stopped),
	TEST_CASE(writer__without_a_name__gets_the_programs),
	TEST_CASE(writers__of_one_process__count_apart),
};

TEST_MAIN(cases)
