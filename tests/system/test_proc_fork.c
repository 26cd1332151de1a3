/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_proc_fork.c - every way to make a process: who counts where, and what it costs nobody.
 */
#include <pthread.h>
#include <spawn.h>
#include <sys/syscall.h>

#include "proc.h"

extern char **environ;

/* The three ways to fork without an exec. */
enum how { BY_FORK, BY_FORK_RAW, BY_CLONE, HOWS };

static const char *const how_names[] = { "fork()", "_Fork()", "clone()" };

static pid_t make_process(enum how how)
{
	switch (how) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
	case BY_FORK_RAW:
		return _Fork();
#endif
	case BY_CLONE:
		return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	default:
		return fork();
	}
}

/* ---- one child ------------------------------------------------------------------------------- */

static void child__that_counts__is_a_writer_of_its_own(void)
{
	struct sm *m = open_writer("p");
	struct sm_counter *c = open_counter(m, "c_total");
	struct sm_histogram *h = open_histogram(m, "h");
	struct sm_gauge *g = open_gauge(m, "g", SM_MODE_MAX);
	struct sm_gauge *first = open_gauge(m, "first", SM_MODE_FIRST);
	struct gate gate;
	pid_t pid;
	int how;

	sm_gauge_set(g, 5);
	sm_gauge_set(first, 1);
	for (how = 0; how < HOWS; how++) {
		gate_open(&gate);
		pid = make_process((enum how)how);
		if (pid == 0) {
			sm_counter_add(c, 7);
			sm_histogram_observe(h, .01);
			sm_gauge_set(g, 9);
			gate_say(gate.to_parent);
			gate_wait(gate.to_child);
			_exit(0);
		}
		gate_wait(gate.to_parent);
		sm_counter_add(c, 10);
		sm_histogram_observe(h, 1);
		printf("%s: ", how_names[how]);
		CHECK_U64(live_writers(test_path), 2);
		CHECK_U64(count_by(test_path, "c_total", "p"), 10 * ((unsigned)how + 1));
		CHECK_U64(count_by(test_path, "c_total", "p~2"), 7 * ((unsigned)how + 1));
		CHECK_U64(count_of(test_path, "h"), 2 * ((unsigned)how + 1));
		CHECK(gauge_of(test_path, "g") == 9 && gauge_of(test_path, "first") == 1);
		gate_say(gate.to_child);
		wait_ok(pid);
		CHECK_U64(live_writers(test_path), 1);
		CHECK(gauge_of(test_path, "g") == 5);		/* the child's vanished with it */
		CHECK_U64(count_of(test_path, "c_total"), 17 * ((unsigned)how + 1));
		printf("ok\n");
	}
	check_sane(test_path);
}

/* Each source file knows its threads' lanes by itself: here this one, and the library's own behind the
 * exported function. A child inherits what both know, and has a brother who does. */
static void child__of_several_source_files__leaves_its_parents_lane_alone(void)
{
	struct sm *m = open_writer("p");
	struct sm_counter *c = open_counter(m, "c_total");
	struct sm_histogram *h = open_histogram(m, "h");
	struct gate gate[2];
	pid_t pid[2];
	int how, i;

	for (how = 0; how < HOWS; how++) {
		sm_counter_add(c, 1);
		sm_counter_add_fn(c, 1);
		sm_histogram_observe_fn(h, 1);
		sm_histogram_observe(h, 1);
		for (i = 0; i < 2; i++) {
			gate_open(&gate[i]);
			pid[i] = make_process((enum how)how);
			if (pid[i])
				continue;
			if (i)
				sm_counter_add(c, 3);
			sm_counter_add_fn(c, 3);
			sm_histogram_observe_fn(h, .01);
			sm_histogram_observe(h, .01);
			if (!i)
				sm_counter_add(c, 3);
			gate_say(gate[i].to_parent);
			gate_wait(gate[i].to_child);
			_exit(0);
		}
		for (i = 0; i < 2; i++)
			gate_wait(gate[i].to_parent);
		sm_counter_add_fn(c, 1);
		sm_counter_add(c, 1);
		CHECK_U64(live_writers(test_path), 3);
		CHECK_U64(count_by(test_path, "c_total", "p"), 4 * ((unsigned)how + 1));
		CHECK_U64(count_by(test_path, "c_total", "p~2"), 6 * ((unsigned)how + 1));
		CHECK_U64(count_by(test_path, "c_total", "p~3"), 6 * ((unsigned)how + 1));
		CHECK_U64(count_by(test_path, "h", "p"), 2 * ((unsigned)how + 1));
		for (i = 0; i < 2; i++) {
			gate_say(gate[i].to_child);
			wait_ok(pid[i]);
		}
	}
	check_sane(test_path);
}

/* The library in the child is as good as in the parent: it declares, resolves, beats, closes. */
static void child__that_resolves__goes_on_with_what_it_inherited(void)
{
	struct sm *m = open_writer("p");
	struct sm_family *f = declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "who" } });
	struct sm_counter *c = sm_counter(f, SM_LABELS("parent"));
	pid_t pid = fork();

	if (pid == 0) {
		struct sm_diag diag;

		sm_counter_add(sm_counter(f, SM_LABELS("child")), 3);
		CHECK(sm_counter(f, SM_LABELS("parent")) == c);
		sm_counter_add(c, 4);
		sm_counter_add(open_counter(m, "new_total"), 5);
		CHECK(sm_heartbeat(m) == 0 && sm_status(m, &diag) == 0);
		CHECK(strcmp(sm_writer_name(m), "p~2") == 0);
		sm_close(m);
		_exit(0);
	}
	wait_ok(pid);
	sm_counter_add(c, 100);
	CHECK_U64(count_of(test_path, "c_total"), 107);
	CHECK_U64(count_of(test_path, "new_total"), 5);
	CHECK(strcmp(sm_writer_name(m), "p") == 0);
	CHECK_U64(live_writers(test_path), 1);
	check_sane(test_path);
}

static void children__of_children__each_count_exactly(void)
{
	struct sm *m = open_writer("p");
	struct sm_counter *c = open_counter(m, "c_total");
	pid_t pid = fork();
	unsigned depth;

	if (pid == 0) {
		for (depth = 0; depth < 6; depth++) {
			if (depth % 2)		/* every second one forks without having counted */
				sm_counter_add(c, 1);
			pid = make_process((enum how)(depth % HOWS));
			if (pid) {
				wait_ok(pid);
				sm_counter_add(c, 10);
				_exit(0);
			}
		}
		sm_counter_add(c, 100);
		_exit(0);
	}
	wait_ok(pid);
	CHECK_U64(count_of(test_path, "c_total"), 100 + 6 * 10 + 3);
	CHECK_U64(live_writers(test_path), 1);
	check_sane(test_path);
}

/* The child of a dead parent takes over the name. */
static void child__that_outlives_its_parent__adopts_its_slot(void)
{
	struct gate gate;
	pid_t middle;

	gate_open(&gate);
	middle = fork();
	if (middle == 0) {
		struct sm *m = open_writer("p");
		struct sm_counter *c = open_counter(m, "c_total");

		sm_counter_add(c, 1);
		if (fork() == 0) {
			gate_wait(gate.to_child);
			sm_counter_add(c, 2);
			CHECK(strcmp(sm_writer_name(m), "p") == 0);
			gate_say(gate.to_parent);
			gate_wait(gate.to_child);
			_exit(0);
		}
		_exit(0);
	}
	wait_ok(middle);
	gate_say(gate.to_child);
	gate_wait(gate.to_parent);
	CHECK_U64(count_of(test_path, "c_total"), 3);
	CHECK_U64(count_by(test_path, "c_total", "p"), 3);
	CHECK_U64(live_writers(test_path), 1);
	gate_say(gate.to_child);
}

/* ---- children that never count ------------------------------------------------------------- */

static char *const true_argv[] = { (char *)(uintptr_t)"true", NULL };

static void child__that_only_execs__burns_no_slot(void)
{
	struct sm *m = open_writer("p");
	struct sm_counter *c = open_counter(m, "c_total");
	const struct sm_snapshot *before, *after;
	unsigned i;
	pid_t pid;

	sm_counter_add(c, 1);
	before = snapshot_of(test_path);
	for (i = 0; i < 20; i++) {
		pid = make_process((enum how)(i % HOWS));
		if (pid == 0) {
			execv("/bin/true", true_argv);
			_exit(127);
		}
		wait_ok(pid);
		pid = vfork(); /* as programs do it */
		if (pid == 0) {
			execv("/bin/true", true_argv);
			_exit(127);
		}
		wait_ok(pid);
		CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, true_argv, environ) == 0);
		wait_ok(pid);
		CHECK(system("true") == 0);
		sm_counter_add(c, 1);
	}
	/* A child that lives and does nothing with metrics does not take one, either. */
	pid = fork();
	if (pid == 0)
		_exit(0);
	wait_ok(pid);
	after = snapshot_of(test_path);
	CHECK_U64(after->claims, before->claims);
	CHECK_U64(after->adoptions, before->adoptions);
	CHECK_U64(after->nwriters, before->nwriters);
	CHECK_U64(after->conflicts, 0);
	CHECK_U64(count_in(after, "c_total", SM_ALL_WRITERS), 21);
}

/* After an exec the same process is another writer, which adopts its own slot. */
static void exec__by_a_writer__frees_its_life_lock(void)
{
	struct sm *m;
	char *argv[] = { (char *)(uintptr_t) "test_proc_fork", (char *)(uintptr_t) "after-exec",
		test_path, NULL };
	pid_t pid = fork();

	if (pid == 0) {
		m = open_writer("p");
		sm_counter_add(open_counter(m, "c_total"), 30);
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	wait_ok(pid);
	CHECK_U64(count_of(test_path, "c_total"), 35);
	CHECK_U64(count_by(test_path, "c_total", "p"), 35);
}

static int after_exec(const char *path)
{
	const struct sm_snapshot *s;
	struct sm *m;

	snprintf(test_path, sizeof(test_path), "%s", path);
	CHECK_U64(live_writers(test_path), 0);
	m = open_writer("p");
	CHECK(strcmp(sm_writer_name(m), "p") == 0);
	sm_counter_add(open_counter(m, "c_total"), 5);
	s = snapshot_of(test_path);
	CHECK_U64(find_writer(s, "p")->restarts, 1);
	return 0;
}

/* The page that holds the life lock is not in the child: what lies there is the child's own. */
static void child__that_closes__leaves_its_own_memory_alone(void)
{
	struct sm *m = open_writer("p");
	struct sm_counter *c = open_counter(m, "c_total");
	unsigned long from = 0, to, life = 0;
	char line[512], flags[5];
	FILE *maps = fopen("/proc/self/maps", "r");
	pid_t pid;

	CHECK(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, test_path) &&
			sscanf(line, "%lx-%lx %4s", &from, &to, flags) == 3 &&
			strcmp(flags, "r--s") == 0 && to - from == 4096)
			life = from;
	fclose(maps);
	CHECK(life);
	sm_counter_add(c, 1);
	pid = fork();
	if (pid == 0) {
		volatile char *mine = mmap((void *)life, 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		CHECK((unsigned long)mine == life);
		mine[0] = 42;
		sm_close(m);
		CHECK(mine[0] == 42);
		sm_counter_add(c, 1);	/* into nowhere */
		_exit(0);
	}
	wait_ok(pid);
	CHECK_U64(live_writers(test_path), 1);
	CHECK_U64(count_of(test_path, "c_total"), 1);
}

/* ---- a threaded parent --------------------------------------------------------------------- */

#define COUNTERS 3
#define CHILDREN 60
#define CHILD_ADDS 1000

static struct sm *threaded;
static struct sm_family *threaded_family;
static struct sm_counter *threaded_counter;
static uint32_t threads_stop;

static void *count_on(void *arg)
{
	uint64_t *n = arg;

	while (!__atomic_load_n(&threads_stop, __ATOMIC_RELAXED)) {
		unsigned i;

		for (i = 0; i < 100; i++)
			sm_counter_add(threaded_counter, 1);
		*n += 100;
		sched_yield();
	}
	return NULL;
}

/* Resolves new series all the time, so that forks fall into the library's own mutex. */
static void *resolve_on(void *arg)
{
	uint64_t *n = arg;
	char text[32];

	while (!__atomic_load_n(&threads_stop, __ATOMIC_RELAXED)) {
		snprintf(text, sizeof(text), "value %llu", (unsigned long long)(*n % 2000));
		sm_counter_add(sm_counter(threaded_family, SM_LABELS(text)), 1);
		++*n;
		if (*n % 64 == 0)
			CHECK(sm_heartbeat(threaded) == 0);
		sched_yield();
	}
	return NULL;
}

static void child_of_threads(enum how how, unsigned number)
{
	unsigned i;

	for (i = 0; i < CHILD_ADDS; i++)
		sm_counter_add(threaded_counter, 1);
	/* After the raw ways malloc() may be locked for ever: updates need none. */
	if (how == BY_FORK) {
		char text[32];

		snprintf(text, sizeof(text), "child %u", number);
		sm_counter_add(sm_counter(threaded_family, SM_LABELS(text)), 1);
		CHECK(sm_heartbeat(threaded) == 0);
	}
	_exit(0);
}

static void fork__in_a_threaded_process__is_exact(void)
{
	uint64_t counted[COUNTERS] = { 0 }, resolved = 0, want = CHILDREN * CHILD_ADDS,
		 labelled = 0;
	pthread_t threads[COUNTERS + 1];
	pid_t pid[2] = { 0, 0 };
	unsigned i;

	threaded = open_writer("p");
	threaded_counter = open_counter(threaded, "c_total");
	threaded_family = declare_family(threaded, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "l_total", .labels = { "l" }, .cap = 3000 });
	for (i = 0; i < COUNTERS; i++)
		CHECK(pthread_create(&threads[i], NULL, count_on, &counted[i]) == 0);
	CHECK(pthread_create(&threads[COUNTERS], NULL, resolve_on, &resolved) == 0);
	for (i = 0; i < CHILDREN; i++) {
		enum how how = (enum how)(i % HOWS);

		if (pid[i % 2])
			wait_ok(pid[i % 2]);
		pid[i % 2] = make_process(how);
		if (pid[i % 2] == 0)
			child_of_threads(how, i);
		labelled += how == BY_FORK;
	}
	wait_ok(pid[0]);
	wait_ok(pid[1]);
	__atomic_store_n(&threads_stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i <= COUNTERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (i = 0; i < COUNTERS; i++)
		want += counted[i];
	CHECK_U64(count_of(test_path, "c_total"), want);
	CHECK_U64(refusals(test_path, "lock_timeout"), 0);
	CHECK_U64(refusals(test_path, "lost_update"), 0);
	CHECK_U64(count_of(test_path, "l_total"), resolved + labelled);
	CHECK_U64(live_writers(test_path), 1);
	check_sane(test_path);
}

/* A prefork server: the master opens, its workers run threads. */
static void *worker_thread(void *arg)
{
	unsigned i;

	for (i = 0; i < 5000; i++)
		sm_counter_add(arg, 1);
	return NULL;
}

static void workers__forked_from_a_master__are_exact(void)
{
	struct sm *m = open_writer("master");
	struct sm_counter *c = open_counter(m, "c_total");
	pthread_t threads[3];
	pid_t pid[6];
	unsigned i, k;

	for (i = 0; i < 6; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		for (k = 0; k < 3; k++)
			CHECK(pthread_create(&threads[k], NULL, worker_thread, c) == 0);
		for (k = 0; k < 3; k++)
			CHECK(pthread_join(threads[k], NULL) == 0);
		CHECK(sm_heartbeat(m) == 0);
		sm_counter_add(c, 1);
		_exit(0);
	}
	for (i = 0; i < 6; i++)
		wait_ok(pid[i]);
	CHECK_U64(count_of(test_path, "c_total"), 6 * (3 * 5000 + 1));
	CHECK_U64(live_writers(test_path), 1);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(child__that_counts__is_a_writer_of_its_own),
	TEST_CASE(child__of_several_source_files__leaves_its_parents_lane_alone),
	TEST_CASE(child__that_resolves__goes_on_with_what_it_inherited),
	TEST_CASE(children__of_children__each_count_exactly),
	TEST_CASE(child__that_outlives_its_parent__adopts_its_slot),
	TEST_CASE(child__that_only_execs__burns_no_slot),
	TEST_CASE(exec__by_a_writer__frees_its_life_lock),
	TEST_CASE(child__that_closes__leaves_its_own_memory_alone),
	TEST_CASE(fork__in_a_threaded_process__is_exact),
	TEST_CASE(workers__forked_from_a_master__are_exact),
};

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "after-exec"))
		return after_exec(argv[2]);
	return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
