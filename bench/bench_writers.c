/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_writers.c - writers for the benchmarks of what reads: they register series, then wait.
 *
 *	bench_writers SEGMENT WRITERS COUNTERS HISTOGRAMS GRID TICK_MS
 *
 * Each writer is a process that has opened the segment by itself and resolved every series.
 * Counters have two labels, in ten families; so have histograms, with 8 bounds and, if GRID is 1,
 * the fine grid. Series i of each writer is counted up by i * 7919 % 1000003, so that the peers can
 * show the same numbers. With TICK_MS each writer adds to every second series that often. Prints
 * "ready" and the total of all counters when all is there; ends, with its writers, when its
 * standard input does, and removes the segment.
 *
 * For 64 writers of a million series the resolving alone would take a minute: from 4 million
 * resolves on, writers are forked from the first one and inherit what it has resolved, as any
 * forked child does. Each still has its own slot and lanes.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bench.h"

#define FAMILIES	10
#define LABELS		2
#define RESOLVES_MAX	4000000u
#define WRITERS_MAX	256
#define SERIES_MAX	2000000u
#define SLOW_BOUNDS	8

static const double slow_bounds[SLOW_BOUNDS] = { .005, .01, .025, .05, .1, .5, 1, 5 };

static struct {
	const char *segment;
	unsigned writers, counters, histograms, grid, tick_ms;
} want;

static struct sm_counter *counters[SERIES_MAX];
static struct sm_histogram *histograms[SERIES_MAX];

static unsigned amount(unsigned i)
{
	return (unsigned)((uint64_t)i * 7919 % 1000003);
}

static struct sm *open_segment(unsigned number)
{
	struct sm_options o = { .segment = want.segment, .flags = SM_OPEN_NO_ENVIRONMENT };
	unsigned cells = want.counters + want.histograms * (want.grid ? 260 : SLOW_BOUNDS + 2);
	struct sm_diag diag;
	char name[16];
	struct sm *m;

	snprintf(name, sizeof(name), "writer-%u", number);
	o.writer = name;
	o.app_version = "1.0";
	o.max_series = want.counters + want.histograms + 64;
	o.max_cells = cells + cells / 8 + 4096;
	m = sm_open(&o, &diag);
	if (diag.error)
		bench_fail(diag.message);
	return m;
}

/* The labels of series i: names of mixed length, alike in length to those of a bot. */
static void labels(unsigned i, char (*text)[32], struct sm_str *values)
{
	snprintf(text[0], sizeof(text[0]), "%s-%04u", bench_commands[i % BENCH_COMMANDS],
		i / BENCH_COMMANDS);
	snprintf(text[1], sizeof(text[1]), "%s", bench_statuses[i % BENCH_STATUSES]);
	values[0] = bench_str(text[0]);
	values[1] = bench_str(text[1]);
}

static struct sm_family *family(struct sm *m, unsigned n, enum sm_kind kind, unsigned cap)
{
	struct sm_family_options o = { .kind = kind, .help = "A benchmark's family.",
		.labels = { "command", "status" }, .cap = cap };
	char name[48];

	if (kind == SM_COUNTER) {
		snprintf(name, sizeof(name), "bot_requests_%u_total", n);
	} else {
		snprintf(name, sizeof(name), "bot_latency_%u_seconds", n);
		o.unit = SM_SECONDS;
		o.bounds = slow_bounds;
		o.nbounds = SLOW_BOUNDS;
		o.grid = want.grid ? SM_GRID_ON : SM_GRID_OFF;
	}
	o.name = name;
	return bench_declare(m, &o);
}

static void register_all(struct sm *m)
{
	struct sm_family *of_counters[FAMILIES], *of_histograms[FAMILIES];
	struct sm_str values[LABELS];
	char text[LABELS][32];
	unsigned i;

	for (i = 0; i < FAMILIES; i++) {
		if (want.counters)
			of_counters[i] = family(m, i, SM_COUNTER, want.counters);
		if (want.histograms)
			of_histograms[i] = family(m, i, SM_HISTOGRAM, want.histograms);
	}
	for (i = 0; i < want.counters; i++) {
		labels(i / FAMILIES, text, values);
		counters[i] = sm_counter(of_counters[i % FAMILIES], values, LABELS);
	}
	for (i = 0; i < want.histograms; i++) {
		labels(i / FAMILIES, text, values);
		histograms[i] = sm_histogram(of_histograms[i % FAMILIES], values, LABELS);
	}
}

static void count_all(unsigned step)
{
	unsigned i;

	for (i = 0; i < want.counters; i += step)
		sm_counter_add(counters[i], amount(i));
	for (i = 0; i < want.histograms; i += step)
		sm_histogram_observe(histograms[i], bench_seconds[i % BENCH_VALUES]);
}

/* A writer; m: inherited from the first one, or NULL. */
static void write_and_wait(struct sm *m, unsigned number, int ready_fd)
{
	if (!m) {
		m = open_segment(number);
		register_all(m);
	}
	count_all(1);
	sm_heartbeat(m);
	if (write(ready_fd, "", 1) != 1)
		_exit(2);
	while (want.tick_ms) {
		usleep(want.tick_ms * 1000);
		count_all(2);
		sm_heartbeat(m);
	}
	for (;;)
		pause();
}

static pid_t start(struct sm *first, unsigned number)
{
	pid_t parent = getpid(), pid;
	int fds[2];
	char byte;

	if (pipe(fds) != 0)
		bench_fail("pipe");
	pid = fork();
	if (pid < 0)
		bench_fail("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		close(fds[0]);
		write_and_wait(first, number, fds[1]);
	}
	close(fds[1]);
	if (read(fds[0], &byte, 1) != 1)
		bench_fail("a writer did not start");
	close(fds[0]);
	return pid;
}

static unsigned argument(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	struct sm *first = NULL;
	pid_t pids[WRITERS_MAX];
	uint64_t total = 0;
	unsigned i, begin = 0;
	char byte;

	if (argc != 7)
		bench_fail("bench_writers SEGMENT WRITERS COUNTERS HISTOGRAMS GRID TICK_MS");
	want.segment = argv[1];
	want.writers = argument(argv[2]);
	want.counters = argument(argv[3]);
	want.histograms = argument(argv[4]);
	want.grid = argument(argv[5]);
	want.tick_ms = argument(argv[6]);
	if (want.writers < 1 || want.writers > WRITERS_MAX)
		bench_fail("1 to 256 writers");
	if (want.counters > SERIES_MAX || want.histograms > SERIES_MAX)
		bench_fail("at most 2,000,000 series");
	bench_make_values();
	if ((uint64_t)want.writers * (want.counters + want.histograms) > RESOLVES_MAX) {
		first = open_segment(0);
		register_all(first);
		count_all(1);
		begin = 1;
	}
	for (i = begin; i < want.writers; i++)
		pids[i] = start(first, i);
	for (i = 0; i < want.counters; i++)
		total += (uint64_t)want.writers * amount(i);
	printf("ready %llu\n", (unsigned long long)total);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (i = begin; i < want.writers; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	unlink(want.segment);
	return 0;
}
