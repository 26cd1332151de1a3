/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc.h - what the process tests share.
 *
 * A test program is a table of cases. Each runs in a process of its own, forked before the
 * library was used, with a segment of its own in a new directory under /dev/shm and a deadline;
 * the directory is removed afterwards whatever happened. Totals are read as any exporter would
 * read them.
 */
#ifndef TEST_PROC_H
#define TEST_PROC_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shardmeter.h>
#include <shardmeter_reader.h>

#define UNUSED __attribute__((unused))
#define EXIT_SKIP 77

#ifndef CASE_SECONDS
#define CASE_SECONDS 60
#endif

struct test_case {
	const char *name;
	void (*run)(void);
};

static char test_dir[64];
static char test_path[96];

/* ---- checks -------------------------------------------------------------------------------- */

static __attribute__((noreturn, format(printf, 3, 4))) void test_fail(const char *file, int line,
								      const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d (process %d): ", file, line, (int)getpid());
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	_exit(1);
}

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(cond) do { if (!(cond)) FAIL("not so: %s", #cond); } while (0)
#define CHECK_U64(have, want)                                                          \
	do {                                                                           \
		uint64_t have_ = (have), want_ = (want);                               \
		if (have_ != want_)                                                    \
			FAIL("%s is %llu, not %llu", #have, (unsigned long long)have_, \
				(unsigned long long)want_);                            \
	} while (0)
#define CHECK_TEXT(text, part) do { \
		if (!strstr((text), (part))) \
			FAIL("\"%s\" is not in \"%s\"", (part), (text)); \
	} while (0)
#define SKIP(...)                    \
	do {                         \
		printf(__VA_ARGS__); \
		printf("\n");        \
		fflush(stdout);      \
		_exit(EXIT_SKIP);    \
	} while (0)

UNUSED static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

UNUSED static void pause_ms(unsigned ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

/* Wait for a condition; it must come within 20 s. */
#define WAIT_FOR(cond) do { \
		uint64_t until_ = now_ns() + UINT64_C(20000000000); \
		while (!(cond)) { \
			if (now_ns() > until_) \
				FAIL("still not so after 20 s: %s", #cond); \
			pause_ms(1); \
		} \
	} while (0)

/* ---- running cases ------------------------------------------------------------------------- */

static void remove_tree(const char *dir)
{
	char path[4096];
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			remove_tree(path);
		else
			unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

static int run_case(const struct test_case *c)
{
	uint64_t until = now_ns() + CASE_SECONDS * UINT64_C(1000000000);
	int status = 0;
	pid_t pid;

	strcpy(test_dir, "/dev/shm/shardmeter-test-XXXXXX");
	if (!mkdtemp(test_dir)) {
		perror(test_dir);
		return 1;
	}
	chmod(test_dir, 0755);
	snprintf(test_path, sizeof(test_path), "%s/segment", test_dir);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		c->run();
		fflush(NULL);
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ns() > until) {
			fprintf(stderr, "%s: not done after %d s\n", c->name, CASE_SECONDS);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
		pause_ms(2);
	}
	kill(-pid, SIGKILL);	/* the case's group: what it left behind */
	remove_tree(test_dir);
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s: ended by signal %d (%s)\n", c->name, WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Run all cases, or those named on the command line. */
UNUSED static int run_cases(const struct test_case *c, size_t n, int argc, char **argv)
{
	unsigned failed = 0, skipped = 0, ran = 0;
	size_t i;
	int k, rc;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < n; i++) {
		for (k = 1; k < argc && strcmp(argv[k], c[i].name) != 0; k++)
			;
		if (argc > 1 && k == argc)
			continue;
		rc = run_case(&c[i]);
		printf("%s %s\n",
			rc == 0		  ? "ok     "
			: rc == EXIT_SKIP ? "skipped"
					  : "FAILED ",
			c[i].name);
		fflush(stdout);
		ran++;
		failed += rc != 0 && rc != EXIT_SKIP;
		skipped += rc == EXIT_SKIP;
	}
	if (failed || !ran)
		return 1;
	if (skipped == ran)
		return EXIT_SKIP;
	return 0;
}

#define TEST_CASE(f) { #f, f }
#define TEST_MAIN(cases) \
	int main(int argc, char **argv) \
	{ \
		return run_cases(cases, sizeof(cases) / sizeof((cases)[0]), argc, argv); \
	}

/* ---- children ------------------------------------------------------------------------------ */

UNUSED static void wait_ok(pid_t pid)
{
	int status;

	CHECK(pid > 0);
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	if (WIFSIGNALED(status))
		FAIL("child %d ended by signal %d (%s)", (int)pid, WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		FAIL("child %d exited with %d", (int)pid, WEXITSTATUS(status));
}

UNUSED static void kill_and_wait(pid_t pid)
{
	int status;

	CHECK(kill(pid, SIGKILL) == 0);
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
}

/* Wait until a child is stopped. */
UNUSED static void wait_stopped(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, WUNTRACED) < 0)
		CHECK(errno == EINTR);
	CHECK(WIFSTOPPED(status));
}

/* A pair of pipes between a process and its child: each side says go and waits for the other. */
struct gate {
	int to_child[2], to_parent[2];
};

UNUSED static void gate_open(struct gate *g)
{
	CHECK(pipe2(g->to_child, O_CLOEXEC) == 0 && pipe2(g->to_parent, O_CLOEXEC) == 0);
}

UNUSED static void gate_say(const int fds[2])
{
	CHECK(write(fds[1], "x", 1) == 1);
}

UNUSED static void gate_wait(const int fds[2])
{
	char c;
	ssize_t n;

	do
		n = read(fds[0], &c, 1);
	while (n < 0 && errno == EINTR);
	CHECK(n == 1);
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Options of a small segment at the case's path. */
UNUSED static struct sm_options small(const char *writer)
{
	struct sm_options o = {
		.segment = test_path,
		.writer = writer,
		.flags = SM_OPEN_NO_ENVIRONMENT,
		.lock_timeout_ms = 5000, /* a busy machine is not what is tested */
		.max_writers = 16,
		.max_families = 64,
		.max_series = 4096,
		.max_cells = 1 << 16,
		.ring_entries = 8,
	};

	return o;
}

UNUSED static struct sm *open_writer(const char *writer)
{
	struct sm_options o = small(writer);
	struct sm_diag diag;
	struct sm *m = sm_open(&o, &diag);

	if (diag.error)
		FAIL("sm_open: %s", diag.message);
	return m;
}

UNUSED static struct sm_family *declare_family(struct sm *m, const struct sm_family_options *o)
{
	struct sm_diag diag;
	struct sm_family *f = sm_declare(m, o, &diag);

	if (diag.error)
		FAIL("sm_declare %s: %s", o->name, diag.message);
	return f;
}

UNUSED static struct sm_counter *open_counter(struct sm *m, const char *name)
{
	return sm_counter(
		declare_family(m, &(struct sm_family_options){ .kind = SM_COUNTER, .name = name }),
		SM_NO_LABELS);
}

UNUSED static struct sm_gauge *open_gauge(struct sm *m, const char *name, enum sm_gauge_mode mode)
{
	return sm_gauge(declare_family(m, &(struct sm_family_options){
		.kind = SM_GAUGE, .name = name, .mode = mode }), SM_NO_LABELS);
}

UNUSED static struct sm_histogram *open_histogram(struct sm *m, const char *name)
{
	return sm_histogram(declare_family(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = name, .unit = SM_SECONDS }), SM_NO_LABELS);
}

/* ---- reading ------------------------------------------------------------------------------- */

UNUSED static struct sm_reader *open_reader(const char *path)
{
	struct sm_reader *r = NULL;
	struct sm_diag diag;
	int rc = sm_reader_open(path, &r, &diag);

	if (rc)
		FAIL("sm_reader_open: %d: %s", rc, diag.message);
	return r;
}

UNUSED static const struct sm_snapshot *take(struct sm_reader *r)
{
	const struct sm_snapshot *s = NULL;
	struct sm_diag diag;
	int rc = sm_snapshot_take(r, SM_SNAPSHOT_WRITERS, &s, &diag);

	if (rc)
		FAIL("sm_snapshot_take: %d: %s", rc, diag.message);
	return s;
}

UNUSED static const struct sm_snapshot *snapshot_of(const char *path)
{
	struct sm_reader *r = open_reader(path);
	const struct sm_snapshot *s = take(r);

	sm_reader_close(r);
	return s;
}

UNUSED static const struct sm_family_info *find_family(
	const struct sm_snapshot *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nfamilies; i++)
		if (strcmp(s->families[i].name, name) == 0)
			return &s->families[i];
	return NULL;
}

/* The series whose first label value is `value` (NULL: the first one). */
UNUSED static const struct sm_series_info *find_series(
	const struct sm_snapshot *s, const char *name, const char *value)
{
	const struct sm_family_info *f = find_family(s, name);
	size_t i;

	for (i = 0; f && i < f->nseries; i++)
		if (!value || strcmp(f->series[i].values[0].ptr, value) == 0)
			return &f->series[i];
	return NULL;
}

UNUSED static const struct sm_writer *find_writer(const struct sm_snapshot *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nwriters; i++)
		if (strcmp(s->writers[i].name, name) == 0)
			return &s->writers[i];
	return NULL;
}

/* The count of a family: units of a counter, or observations of a histogram, over all of its
 * series; of one writer, or SM_ALL_WRITERS. 0 if there is none. */
UNUSED static uint64_t count_in(const struct sm_snapshot *s, const char *name, int writer)
{
	const struct sm_family_info *f = find_family(s, name);
	uint64_t sum = 0, *counts;
	struct sm_value v;
	struct sm_sum total;
	size_t i;

	for (i = 0; f && i < f->nseries; i++) {
		if (f->kind == SM_HISTOGRAM) {
			counts = calloc(f->nbounds + 1, sizeof(*counts));
			CHECK(counts &&
				sm_snapshot_classic(s, &f->series[i], writer, counts, &total) == 0);
			sum += counts[f->nbounds];
			free(counts);
		} else {
			CHECK(sm_snapshot_number(s, &f->series[i], writer, &v) == 0);
			sum += v.is_set ? v.units : 0;
		}
	}
	return sum;
}

UNUSED static uint64_t count_of(const char *path, const char *name)
{
	const struct sm_snapshot *s = snapshot_of(path);
	uint64_t n = count_in(s, name, SM_ALL_WRITERS);

	sm_snapshot_free(s);
	return n;
}

/* What one writer counted. */
UNUSED static uint64_t count_by(const char *path, const char *name, const char *writer)
{
	const struct sm_snapshot *s = snapshot_of(path);
	const struct sm_writer *w = find_writer(s, writer);
	uint64_t n;

	if (!w)
		FAIL("there is no writer \"%s\"", writer);
	n = count_in(s, name, (int)(w - s->writers));
	sm_snapshot_free(s);
	return n;
}

/* A gauge's combined value; NaN if it is absent. */
UNUSED static double gauge_of(const char *path, const char *name)
{
	const struct sm_snapshot *s = snapshot_of(path);
	const struct sm_series_info *series = find_series(s, name, NULL);
	struct sm_value v = { .is_set = 0 };

	CHECK(!series || sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0);
	sm_snapshot_free(s);
	return v.is_set ? v.value : __builtin_nan("");
}

UNUSED static unsigned live_writers(const char *path)
{
	struct sm_reader *r = open_reader(path);
	int n = sm_reader_live_writers(r);

	CHECK(n >= 0);
	sm_reader_close(r);
	return (unsigned)n;
}

/* Refusals of a reason, of all writers and of none. */
UNUSED static uint64_t refusals(const char *path, const char *reason)
{
	const struct sm_snapshot *s = snapshot_of(path);
	uint64_t n;
	unsigned i;

	for (i = 0; sm_refused_reason(i) && strcmp(sm_refused_reason(i), reason) != 0; i++)
		;
	CHECK(sm_refused_reason(i));
	n = s->refused[i];
	sm_snapshot_free(s);
	return n;
}

static void print_finding(void *ctx, const char *finding)
{
	(void)ctx;
	fprintf(stderr, "sm_check: %s\n", finding);
}

/* The segment's structure is whole. */
UNUSED static void check_sane(const char *path)
{
	struct sm_diag diag;
	int n = sm_check(path, print_finding, NULL, &diag);

	if (n < 0)
		FAIL("sm_check: %s", diag.message);
	CHECK_U64((uint64_t)n, 0);
}

/* ---- the process itself ---------------------------------------------------------------------- */

UNUSED static unsigned count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

UNUSED static unsigned count_lines(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned n = 0;
	int c;

	CHECK(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

#endif
