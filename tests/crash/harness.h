/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness.h - what the crash tests share: dying at a named step, a segment in a directory of its
 * own, processes, and reading totals as any exporter would.
 *
 * The library is built with SM_STEP() calling sm_test_step(). A process that has armed itself
 * counts the steps it passes and kills itself at the one it was told. Which of the steps that stand
 * in the sources were ever passed, and which ever killed somebody, is kept in memory that all
 * processes share.
 */
#ifndef CRASH_HARNESS_H
#define CRASH_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shardmeter.h>
#include <shardmeter_reader.h>

#include "atomics.h"
#include "layout.h"
#include "steps.h"

#define UNUSED __attribute__((unused))
#define LLU(v) ((unsigned long long)(v))	/* for printf */

/* ---- checks -------------------------------------------------------------------------------- */

static const char *check_context = "";

static char segment_dir[64];
static char segment_path[96];
static pid_t segment_maker;

UNUSED static void segment_remove(void)
{
	if (getpid() != segment_maker)
		return;
	unlink(segment_path);
	rmdir(segment_dir);
}

static __attribute__((noreturn, format(printf, 3, 4))) void check_failed(const char *file, int line,
									 const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d (process %d) %s: ", file, line, (int)getpid(), check_context);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	segment_remove();
	_exit(1);
}

#define FAIL(...) check_failed(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(cond) do { if (!(cond)) FAIL("not so: %s", #cond); } while (0)
#define CHECK_U64(have, want) do { \
		uint64_t have_ = (have), want_ = (want); \
		if (have_ != want_) \
			FAIL("%s is %llu, not %llu", #have, LLU(have_), LLU(want_)); \
	} while (0)

UNUSED static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Memory that all processes of a test share. */
UNUSED static void *shared_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* A small generator (xorshift64*): each process seeds its own. */
static uint64_t random_state = 88172645463325252u;

UNUSED static uint64_t random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717);
}

UNUSED static unsigned random_below(unsigned n)
{
	return (unsigned)(random_u64() >> 32) % n;
}

UNUSED static void random_seed(uint64_t seed)
{
	unsigned i;

	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (i = 0; i < 4; i++)
		random_u64();
}

/* ---- steps --------------------------------------------------------------------------------- */

#define STEP_NAMES 128

struct step_counts {
	char name[40];
	uint32_t passed;
	uint32_t killed;
};

/* Shared by all processes; NULL: nobody wants to know. */
static struct step_counts *steps;
static unsigned nsteps;

/* Of this process. */
static struct {
	bool armed;
	uint32_t passed;
	uint32_t kill_at;		/* 0: nowhere */
} plan;

static struct step_counts *step_find(const char *name)
{
	unsigned i;

	for (i = 0; i < nsteps; i++)
		if (strcmp(steps[i].name, name) == 0)
			return &steps[i];
	return NULL;
}

__attribute__((noreturn)) static void die_here(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

void sm_test_step(const char *name)
{
	struct step_counts *s;

	if (!plan.armed)
		return;
	s = step_find(name);
	if (steps && !s)
		FAIL("the step \"%s\" is not in the sources", name);
	if (s)
		add_relaxed(&s->passed, 1);
	if (__atomic_add_fetch(&plan.passed, 1, __ATOMIC_RELAXED) == plan.kill_at) {
		if (s)
			add_relaxed(&s->killed, 1);
		die_here();
	}
}

static void steps_of_source(const char *path)
{
	static const char mark[] = "SM_STEP(\"";
	char line[512], *at, *end;
	FILE *f = fopen(path, "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, mark);
		end = at ? strchr(at + strlen(mark), '"') : NULL;
		if (!end)
			continue;
		*end = '\0';
		at += strlen(mark);
		if (step_find(at))
			continue;
		CHECK(nsteps < STEP_NAMES && strlen(at) < sizeof(steps[0].name));
		strcpy(steps[nsteps++].name, at);
	}
	fclose(f);
}

/* Take the names from the sources below SRCDIR (the working directory, if that is not set). */
UNUSED static void steps_init(void)
{
	const char *top = getenv("SRCDIR");
	char pattern[4096];
	glob_t found;
	size_t i;

	steps = shared_memory(STEP_NAMES * sizeof(*steps));
	snprintf(pattern, sizeof(pattern), "%s/libshm/*.c", top ? top : ".");
	CHECK(glob(pattern, 0, NULL, &found) == 0);
	for (i = 0; i < found.gl_pathc; i++)
		steps_of_source(found.gl_pathv[i]);
	globfree(&found);
	CHECK(nsteps);
}

/* From here on this process counts steps, and dies at step number kill_at. */
UNUSED static void steps_arm(uint32_t kill_at)
{
	plan.passed = 0;
	plan.kill_at = kill_at;
	plan.armed = true;
}

UNUSED static uint32_t steps_disarm(void)
{
	plan.armed = false;
	return plan.passed;
}

/* ---- a segment ----------------------------------------------------------------------------- */

UNUSED static void segment_init(const char *name)
{
	snprintf(segment_dir, sizeof(segment_dir), "/dev/shm/shardmeter-%.20s-XXXXXX", name);
	CHECK(mkdtemp(segment_dir));
	snprintf(segment_path, sizeof(segment_path), "%s/segment", segment_dir);
	segment_maker = getpid();
	atexit(segment_remove);
}

/* The header as it is in the file; false if there is none yet. */
UNUSED static bool segment_header(struct sm_header *ret)
{
	int fd = open(segment_path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? pread(fd, ret, sizeof(*ret), 0) : -1;

	if (fd >= 0)
		close(fd);
	return n == sizeof(*ret);
}

UNUSED static uint64_t segment_blocks(void)
{
	struct stat st;

	CHECK(stat(segment_path, &st) == 0);
	return (uint64_t)st.st_blocks;
}

static void tell_finding(void *ctx, const char *finding)
{
	(void)ctx;
	fprintf(stderr, "%s: check: %s\n", check_context, finding);
}

UNUSED static void segment_check_clean(void)
{
	struct sm_diag diag;
	int rc = sm_check(segment_path, tell_finding, NULL, &diag);

	if (rc)
		FAIL("sm_check() returned %d: %s", rc, diag.message);
}

/* ---- processes ----------------------------------------------------------------------------- */

/* Run fn in a process of its own and wait for it: its wait status. */
UNUSED static int run_process(void (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	return status;
}

UNUSED static bool was_killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

UNUSED static bool was_fine(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

UNUSED static void run_process_fine(void (*fn)(void *arg), void *arg)
{
	int status = run_process(fn, arg);

	if (!was_fine(status))
		FAIL("a process ended with wait status 0x%x", status);
}

/* ---- reading ------------------------------------------------------------------------------- */

UNUSED static const struct sm_family_info *find_family(const struct sm_snapshot *s,
						       const char *name)
{
	size_t i;

	for (i = 0; i < s->nfamilies; i++)
		if (strcmp(s->families[i].name, name) == 0)
			return &s->families[i];
	return NULL;
}

/* The series of a family whose first label has this value (or the first, if the family has
 * none). */
UNUSED static const struct sm_series_info *find_series(const struct sm_snapshot *s,
						       const char *family, const char *label)
{
	const struct sm_family_info *f = find_family(s, family);
	size_t i;

	for (i = 0; f && i < f->nseries; i++)
		if (!f->nlabels || strcmp(f->series[i].values[0].ptr, label) == 0)
			return &f->series[i];
	return NULL;
}

/* A counter in units of 10^-decimals; 0 if it is not there. */
UNUSED static uint64_t read_units(const struct sm_snapshot *s, const char *family,
				  const char *label, unsigned decimals)
{
	const struct sm_series_info *series = find_series(s, family, label);
	struct sm_value v;

	if (!series)
		return 0;
	CHECK(sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0);
	CHECK(v.is_integer || !v.is_set);
	for (; v.decimals < decimals; v.decimals++)
		v.units *= 10;
	return v.units;
}

UNUSED static bool read_double(const struct sm_snapshot *s, const char *family, const char *label,
			       double *ret)
{
	const struct sm_series_info *series = find_series(s, family, label);
	struct sm_value v;

	*ret = 0;
	if (!series)
		return false;
	CHECK(sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0);
	*ret = v.value;
	return v.is_set;
}

#endif
