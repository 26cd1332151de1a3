/* SPDX-License-Identifier: Apache-2.0 */
/* TIMEOUT: 300 */
/*
 * test_env_tmpfs.c - a tmpfs that is full, or becomes full at any moment: opening, declaring,
 * resolving, lanes for threads, forked children. An error or a null handle each time, never
 * SIGBUS, and nothing that was counted is lost. When there is room again the writer goes on by
 * itself.
 */
#include <pthread.h>
#include <sys/statvfs.h>

#define CASE_SECONDS 200
#include "proc.h"

#define PAGE 4096

/* A tmpfs of so many pages, for this process alone, at the case's directory. */
static void mount_pages(unsigned pages)
{
	char options[64], map[64];
	uid_t uid = getuid();
	gid_t gid = getgid();
	int fd;

	if (unshare(CLONE_NEWNS) != 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
			SKIP("cannot have a mount namespace here: %s", strerror(errno));
		fd = open("/proc/self/setgroups", O_WRONLY);
		CHECK(fd >= 0 && write(fd, "deny", 4) == 4 && close(fd) == 0);
		snprintf(map, sizeof(map), "0 %u 1", uid);
		fd = open("/proc/self/uid_map", O_WRONLY);
		CHECK(fd >= 0 && write(fd, map, strlen(map)) > 0 && close(fd) == 0);
		snprintf(map, sizeof(map), "0 %u 1", gid);
		fd = open("/proc/self/gid_map", O_WRONLY);
		CHECK(fd >= 0 && write(fd, map, strlen(map)) > 0 && close(fd) == 0);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		SKIP("cannot have mounts of its own here: %s", strerror(errno));
	snprintf(options, sizeof(options), "size=%u", pages * PAGE);
	if (mount("tmpfs", test_dir, "tmpfs", 0, options) != 0)
		SKIP("cannot mount a tmpfs here: %s", strerror(errno));
}

static void resize(unsigned pages)
{
	char options[64];

	snprintf(options, sizeof(options), "size=%u", pages * PAGE);
	CHECK(mount(NULL, test_dir, NULL, MS_REMOUNT, options) == 0);
}

static unsigned free_pages(void)
{
	struct statvfs fs;

	CHECK(statvfs(test_dir, &fs) == 0);
	return (unsigned)(fs.f_bavail * fs.f_frsize / PAGE);
}

/* Fill it up but for so many pages. */
static int ballast = -1;

static void fill_to(unsigned leave)
{
	char path[128];
	struct stat st;
	unsigned have = free_pages();

	if (ballast < 0) {
		snprintf(path, sizeof(path), "%s/ballast", test_dir);
		ballast = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		CHECK(ballast >= 0);
	}
	CHECK(fstat(ballast, &st) == 0);
	if (have > leave)
		CHECK(fallocate(ballast, 0, st.st_size, (off_t)(have - leave) * PAGE) == 0);
	CHECK(free_pages() <= leave);
}

static void empty_ballast(void)
{
	CHECK(ftruncate(ballast, 0) == 0);
}

static struct sm_options tiny(const char *writer)
{
	struct sm_options o = small(writer);

	o.max_writers = 4;
	o.max_series = 512;
	o.max_families = 16;
	o.max_cells = 16384;
	return o;
}

/* ---- opening ------------------------------------------------------------------------------- */

static void *count_100(void *arg)
{
	unsigned i;

	for (i = 0; i < 100; i++)
		sm_counter_add(arg, 1);
	return NULL;
}

/* All that a program does, in a tmpfs of so many pages. What counts must be there, to the last
 * one. */
static void live_in(unsigned pages)
{
	struct sm_options o = tiny("w");
	struct sm_diag diag, first;
	struct sm_histogram *h[8];
	struct sm_counter *c;
	struct sm_family *f;
	uint64_t before;
	pthread_t thread[2];
	struct sm *m;
	char text[8];
	unsigned i, bound = 0, k;

	mount_pages(pages);
	m = sm_open(&o, &first);
	if (first.error && first.error != -ENOSPC)
		FAIL("%u pages: sm_open: %d: %s", pages, first.error, first.message);
	if (first.error)
		CHECK_TEXT(first.message, test_path);
	c = sm_counter(
		sm_declare(m, &(struct sm_family_options){ .kind = SM_COUNTER, .name = "c_total" },
			&diag),
		SM_NO_LABELS);
	CHECK(!diag.error || diag.error == -ENOSPC);
	sm_counter_add(c, 1);
	f = sm_declare(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS, .labels = { "l" } }, &diag);
	CHECK(!diag.error || diag.error == -ENOSPC);
	for (i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "%u", i);
		h[i] = sm_histogram(f, SM_LABELS(text));
		for (k = 0; k < 10; k++)
			sm_histogram_observe(h[i], .01);
		bound += h[i]->where != 0;
	}
	for (i = 0; i < 2; i++)
		CHECK(pthread_create(&thread[i], NULL, count_100, c) == 0);
	for (i = 0; i < 2; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	(void)sm_heartbeat(m);
	if (first.error) {
		/* Nothing half-made keeps the memory. */
		resize(4096);
		CHECK(sm_heartbeat(m) == 0);
		before = count_of(test_path, "c_total");
		CHECK(before == 0);
	} else {
		CHECK_U64(count_of(test_path, "c_total"), c->where ? 201 : 0);
		CHECK_U64(count_of(test_path, "h"), 10 * bound);
		resize(4096);
		CHECK(sm_heartbeat(m) == 0);
	}
	/* Everything binds now, and what was counted is still there. */
	before = count_of(test_path, "c_total");
	sm_counter_add(c, 1);
	CHECK_U64(count_of(test_path, "c_total"), before + 1);
	before = count_of(test_path, "h");
	for (i = 0; i < 8; i++)
		sm_histogram_observe(h[i], 1);
	CHECK_U64(count_of(test_path, "h"), before + 8);
	check_sane(test_path);
}

static void program__in_a_tmpfs_of_any_size__counts_or_says_why(void)
{
	unsigned pages, opened = 0;
	int status;
	pid_t pid;

	for (pages = 1; pages < 140; pages++) {
		fflush(NULL);
		pid = fork();
		if (pid == 0) {
			live_in(pages);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP)
			_exit(EXIT_SKIP);
		if (status)
			FAIL("with %u pages: status 0x%x%s", pages, status,
			     WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS ? " (SIGBUS)" : "");
		opened++;
	}
	CHECK_U64(opened, 139);
}

/* ---- resolving ----------------------------------------------------------------------------- */

static void resolve__with_so_many_free_pages(unsigned leave)
{
	struct sm_options o = tiny("w");
	struct sm_diag diag;
	struct sm_family *f, *late;
	struct sm_counter *c;
	struct sm_histogram *h[60], *of_late;
	unsigned i, bound = 0, k;
	uint64_t refused;
	struct sm *m;
	char text[8];

	mount_pages(2048);
	m = sm_open(&o, &diag);
	CHECK(!diag.error);
	c = open_counter(m, "c_total");
	f = declare_family(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS, .labels = { "l" } });
	sm_counter_add(c, 5);
	fill_to(leave);
	for (i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), "%u", i);
		h[i] = sm_histogram(f, SM_LABELS(text));
		for (k = 0; k < 3; k++)
			sm_histogram_observe_ns(h[i], 1000 * k);
		bound += h[i]->where != 0;
	}
	late = sm_declare(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "late", .unit = SM_BYTES }, &diag);
	CHECK(!diag.error || diag.error == -ENOSPC);
	of_late = sm_histogram(late, SM_NO_LABELS);
	sm_histogram_observe(of_late, 1);
	CHECK(bound < 60);
	CHECK_U64(count_of(test_path, "h"), 3 * bound);
	CHECK_U64(count_of(test_path, "c_total"), 5);
	refused = refusals(test_path, "no_space");
	CHECK(refused >= 60 - bound);
	/* Room again: all bind at the next heartbeat, and go on where they were. */
	empty_ballast();
	CHECK(sm_heartbeat(m) == 0);
	for (i = 0; i < 60; i++) {
		CHECK(h[i]->where != 0);
		sm_histogram_observe_ns(h[i], 1);
	}
	sm_histogram_observe(of_late, 1);
	sm_counter_add(c, 5);
	CHECK_U64(count_of(test_path, "h"), 3 * bound + 60);
	CHECK(count_of(test_path, "late") >= 1);
	CHECK_U64(count_of(test_path, "c_total"), 10);
	check_sane(test_path);
}

static void resolve__on_the_edge__binds_later(void)
{
	unsigned leave;
	int status;
	pid_t pid;

	for (leave = 0; leave < 24; leave++) {
		fflush(NULL);
		pid = fork();
		if (pid == 0) {
			resolve__with_so_many_free_pages(leave);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP)
			_exit(EXIT_SKIP);
		if (status)
			FAIL("with %u pages left: status 0x%x", leave, status);
	}
}

/* ---- threads ------------------------------------------------------------------------------- */

struct work {
	struct sm_counter *counter;
	struct sm_histogram *histogram;
	uint64_t done;
	uint32_t *stop;
};

static void *work_on(void *arg)
{
	struct work *w = arg;
	unsigned i;

	while (!__atomic_load_n(w->stop, __ATOMIC_ACQUIRE)) {
		for (i = 0; i < 100; i++) {
			sm_counter_add(w->counter, 1);
			sm_histogram_observe_ns(w->histogram, 77);
		}
		__atomic_store_n(&w->done, w->done + 100, __ATOMIC_RELEASE);
		sched_yield();
	}
	return NULL;
}

static void threads__without_memory_for_lanes__share_one(void)
{
	struct sm_options o = tiny("w");
	struct sm_diag diag;
	struct sm *m;
	struct work w[4];
	pthread_t thread[4];
	uint32_t stop = 0;
	uint64_t want = 0;
	unsigned i;

	mount_pages(2048);
	m = sm_open(&o, &diag);
	CHECK(!diag.error);
	for (i = 0; i < 4; i++) {
		w[i] = (struct work){ open_counter(m, "c_total"), open_histogram(m, "h"), 0,
			&stop };
		sm_counter_add(w[i].counter, 1); /* this thread takes the one lane that is ready */
	}
	fill_to(0);
	for (i = 0; i < 4; i++)
		CHECK(pthread_create(&thread[i], NULL, work_on, &w[i]) == 0);
	for (i = 0; i < 4; i++)
		WAIT_FOR(__atomic_load_n(&w[i].done, __ATOMIC_ACQUIRE) > 0);
	CHECK(sm_heartbeat(m) == 0);		/* wants to prepare lanes, and cannot */
	empty_ballast();
	CHECK(sm_heartbeat(m) == 0);		/* now it can */
	for (i = 0; i < 4; i++) {
		uint64_t before = __atomic_load_n(&w[i].done, __ATOMIC_ACQUIRE);

		WAIT_FOR(__atomic_load_n(&w[i].done, __ATOMIC_ACQUIRE) > before + 3000);
	}
	CHECK(sm_heartbeat(m) == 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 4; i++) {
		CHECK(pthread_join(thread[i], NULL) == 0);
		want += w[i].done;
	}
	CHECK_U64(count_of(test_path, "c_total"), want + 4);
	CHECK_U64(count_of(test_path, "h"), want);
	CHECK_U64(refusals(test_path, "lost_update"), 0);
	check_sane(test_path);
}

/* A child that finds no memory for a slot: what it cannot count is counted as lost, the rest
 * is there. */
static void child__on_a_full_tmpfs__loses_nothing_in_silence(void)
{
	struct sm_options o = tiny("w");
	struct sm_diag diag;
	struct sm_counter *c;
	struct sm *m;
	unsigned leave, i;
	uint64_t have = 7;
	pid_t pid;

	mount_pages(2048);
	m = sm_open(&o, &diag);
	CHECK(!diag.error);
	c = open_counter(m, "c_total");
	sm_counter_add(c, 7);
	for (leave = 0; leave < 40; leave++) {
		fill_to(leave);
		pid = fork();
		if (pid == 0) {
			for (i = 0; i < 10; i++)
				sm_counter_add(c, 1);
			_exit(0);
		}
		wait_ok(pid);
		have += 10;
		CHECK_U64(
			count_of(test_path, "c_total") + refusals(test_path, "lost_update"), have);
		empty_ballast();
	}
	sm_counter_add(c, 1);
	CHECK_U64(count_of(test_path, "c_total") + refusals(test_path, "lost_update"), have + 1);
	check_sane(test_path);
}

/* Folding dead writers needs memory, too: a claim that cannot have it is refused, nothing is
 * lost. */
static void claim__that_must_fold_on_a_full_tmpfs__loses_nothing(void)
{
	struct sm_options o = tiny("w");
	struct sm_diag diag;
	char name[8];
	unsigned i;
	pid_t pid;

	mount_pages(2048);
	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		pid = fork();
		if (pid == 0) {
			struct sm *m;

			o.writer = name;
			m = sm_open(&o, &diag);
			CHECK(!diag.error);
			sm_counter_add(open_counter(m, "c_total"), 1);
			sm_histogram_observe(open_histogram(m, "h"), 1);
			_exit(0);
		}
		wait_ok(pid);
		if (i < 3)
			continue;
		/* From here on each claim folds one. Once on a full file system first. */
		fill_to(0);
		pid = fork();
		if (pid == 0) {
			o.writer = "full";
			sm_open(&o, &diag);
			CHECK(!diag.error || diag.error == -ENOSPC);
			_exit(0);
		}
		wait_ok(pid);
		CHECK_U64(count_of(test_path, "c_total"), i + 1);
		CHECK_U64(count_of(test_path, "h"), i + 1);
		empty_ballast();
	}
	CHECK_U64(count_of(test_path, "c_total"), 12);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(program__in_a_tmpfs_of_any_size__counts_or_says_why),
	TEST_CASE(resolve__on_the_edge__binds_later),
	TEST_CASE(threads__without_memory_for_lanes__share_one),
	TEST_CASE(child__on_a_full_tmpfs__loses_nothing_in_silence),
	TEST_CASE(claim__that_must_fold_on_a_full_tmpfs__loses_nothing),
};

TEST_MAIN(cases)
