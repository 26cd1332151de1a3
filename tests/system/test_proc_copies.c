/* SPDX-License-Identifier: Apache-2.0 */
// LINK: static
// LDFLAGS: -rdynamic
/*
 * test_proc_copies.c - the library twice in one process: linked in, and loaded as a shared
 * object; loaded and unloaded again and again. Each copy is a writer of its own, and neither
 * leaks. This program exports its copy, as those that load plugins do.
 */
#include <dlfcn.h>
#include <pthread.h>

#include "proc.h"

/* What a program that loads the library at run time uses of it. */
struct copy {
	void *so;
	struct sm *(*open)(const struct sm_options *, struct sm_diag *);
	void (*close)(struct sm *);
	struct sm_family *(*declare)(
		struct sm *, const struct sm_family_options *, struct sm_diag *);
	struct sm_counter *(*counter)(struct sm_family *, const struct sm_str *, size_t);
	void (*add)(struct sm_counter *, uint64_t);
	int (*heartbeat)(struct sm *);
	const char *(*writer_name)(struct sm *);
};

static void load_symbol(struct copy *c, void *ret, const char *name)
{
	void *p = dlsym(c->so, name);

	if (!p)
		FAIL("dlsym: %s", dlerror());
	memcpy(ret, &p, sizeof(p));
}

static void load(struct copy *c)
{
	char path[4096], *slash;
	const char *build = getenv("BUILD");
	ssize_t n;
	int i;

	if (build) {
		snprintf(path, sizeof(path), "%s/libshardmeter.so.0", build);
	} else {
		n = readlink("/proc/self/exe", path, sizeof(path) - 32);
		CHECK(n > 0);
		path[n] = '\0';
		for (i = 0; i < 3 && (slash = strrchr(path, '/')); i++)
			*slash = '\0';
		strcat(path, "/libshardmeter.so.0");
	}
	c->so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!c->so)
		FAIL("dlopen: %s", dlerror());
	load_symbol(c, &c->open, "sm_open");
	load_symbol(c, &c->close, "sm_close");
	load_symbol(c, &c->declare, "sm_declare");
	load_symbol(c, &c->counter, "sm_counter");
	load_symbol(c, &c->add, "sm_counter_add_fn");
	load_symbol(c, &c->heartbeat, "sm_heartbeat");
	load_symbol(c, &c->writer_name, "sm_writer_name");
	CHECK(c->open != sm_open);
}

static struct sm *open_in(const struct copy *c, const char *name)
{
	struct sm_options o = small(name);
	struct sm_diag diag;
	struct sm *m = c->open(&o, &diag);

	if (diag.error)
		FAIL("%s", diag.message);
	return m;
}

static struct sm_counter *counter_in(const struct copy *c, struct sm *m)
{
	return c->counter(
		c->declare(m, &(struct sm_family_options){ .kind = SM_COUNTER, .name = "c_total" },
			NULL),
		SM_NO_LABELS);
}

#define ADDS 20000

struct work {
	struct sm_counter *first, *second;
	void (*add_second)(struct sm_counter *, uint64_t);
};

static void *count_in_both(void *arg)
{
	const struct work *w = arg;
	unsigned i;

	for (i = 0; i < ADDS; i++) {
		sm_counter_add(w->first, 1);
		w->add_second(w->second, 1);
	}
	return NULL;
}

static void copies__in_one_process__both_count_exactly(void)
{
	struct sm *mine = open_writer("w"), *theirs;
	struct work w = { .first = open_counter(mine, "c_total") };
	pthread_t thread[5];
	struct copy c;
	unsigned i;
	pid_t pid;

	load(&c);
	theirs = open_in(&c, "w");
	w.second = counter_in(&c, theirs);
	w.add_second = c.add;
	/* The life lock of one copy does not give way to the other. */
	CHECK(strcmp(sm_writer_name(mine), "w") == 0 && strcmp(c.writer_name(theirs), "w~2") == 0);
	CHECK_U64(live_writers(test_path), 2);
	for (i = 0; i < 5; i++)
		CHECK(pthread_create(&thread[i], NULL, count_in_both, &w) == 0);
	for (i = 0; i < 5; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	CHECK(sm_heartbeat(mine) == 0 && c.heartbeat(theirs) == 0);
	CHECK_U64(count_by(test_path, "c_total", "w"), 5 * ADDS);
	CHECK_U64(count_by(test_path, "c_total", "w~2"), 5 * ADDS);
	/* In a child each takes a slot of its own. */
	pid = fork();
	if (pid == 0) {
		sm_counter_add(w.first, 1);
		c.add(w.second, 1);
		CHECK_U64(live_writers(test_path), 4);
		_exit(0);
	}
	wait_ok(pid);
	CHECK_U64(count_of(test_path, "c_total"), 2 * 5 * ADDS + 2);
	c.close(theirs);
	CHECK_U64(live_writers(test_path), 1);
	sm_counter_add(w.first, 1);
	CHECK_U64(count_of(test_path, "c_total"), 2 * 5 * ADDS + 3);
	sm_close(mine);
	CHECK_U64(live_writers(test_path), 0);
	check_sane(test_path);
}

#define LOADS 100

static void library__loaded_and_unloaded_again_and_again__leaks_nothing(void)
{
	unsigned maps = 0, fds = 0, tasks = 0, i;
	const struct sm_snapshot *s;
	struct sm_counter *counter;
	struct copy c;
	struct sm *m;

	for (i = 0; i < LOADS; i++) {
		load(&c);
		m = open_in(&c, "w");
		counter = counter_in(&c, m);
		c.add(counter, 1);
		CHECK(c.heartbeat(m) == 0);
		c.close(m);
		c.add(counter, 1);		/* into nowhere */
		CHECK(dlclose(c.so) == 0);
		/* It stays loaded (-z nodelete): threads may have its thread-local storage. */
		if (i == 1) {
			maps = count_lines("/proc/self/maps");
			fds = count_entries("/proc/self/fd");
			tasks = count_entries("/proc/self/task");
		}
	}
	CHECK_U64(count_entries("/proc/self/fd"), fds);
	CHECK_U64(count_entries("/proc/self/task"), tasks);
	CHECK(count_lines("/proc/self/maps") < maps + 10);	/* malloc() may need one, too */
	s = snapshot_of(test_path);
	CHECK_U64(s->nwriters, 2);		/* and the common one */
	CHECK_U64(find_writer(s, "w")->restarts, LOADS - 1);
	CHECK_U64(count_in(s, "c_total", SM_ALL_WRITERS), LOADS);
	CHECK_U64(live_writers(test_path), 0);
	check_sane(test_path);
}

/* A writer that nobody closed goes on after dlclose(). */
static void library__unloaded_with_a_writer_open__goes_on(void)
{
	struct sm_counter *counter;
	struct copy c;
	struct sm *m;

	load(&c);
	m = open_in(&c, "w");
	counter = counter_in(&c, m);
	CHECK(dlclose(c.so) == 0);
	c.add(counter, 3);
	CHECK_U64(count_of(test_path, "c_total"), 3);
	CHECK_U64(live_writers(test_path), 1);
	load(&c);
	c.add(counter, 4);
	CHECK(c.heartbeat(m) == 0);
	CHECK_U64(count_of(test_path, "c_total"), 7);
	c.close(m);
	CHECK_U64(live_writers(test_path), 0);
}

static const struct test_case cases[] = {
	TEST_CASE(copies__in_one_process__both_count_exactly),
	TEST_CASE(library__loaded_and_unloaded_again_and_again__leaks_nothing),
	TEST_CASE(library__unloaded_with_a_writer_open__goes_on),
};

TEST_MAIN(cases)
