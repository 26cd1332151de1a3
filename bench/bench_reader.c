/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_reader.c - what a reader costs the writers that it reads, and itself.
 *
 * First a writer adds to 1,000 counters and observes in 10 histograms while another process, on
 * another processor, takes 1,000 snapshots a second, or none, in turn. Then snapshots of 10,000
 * counters that 8 processes write, and 64, beside memcpy() of as many bytes as there are values.
 */
#include <shardmeter_reader.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bench.h"

#define COUNTERS 1000
#define HISTOGRAMS 10
#define WRITER_OPERATIONS 20000000	/* 50 ms and more: many snapshots */
#define PERIOD_NS 1000000

#define LARGE 10000
#define FEW_WRITERS 8
#define MANY_WRITERS 64

/* ---- the cost for writers ----------------------------------------------------------------- */

struct shared {
	uint32_t reading;	/* wanted */
	uint32_t snapshots;
	uint32_t ready;		/* writers that have all their series */
};

static struct shared *shared;
static struct sm_counter *counters[COUNTERS];
static struct sm_histogram *histograms[HISTOGRAMS];

BENCH_CASE static void write_all(uint64_t n)
{
	for (; n; n--) {
		sm_counter_add(counters[n % COUNTERS], 1);
		if (n % 8 == 0)
			sm_histogram_observe(histograms[n / 8 % HISTOGRAMS],
					     bench_seconds[n % BENCH_VALUES]);
	}
}

static struct sm_reader *reader_open(void)
{
	struct sm_reader *r;
	struct sm_diag diag;

	if (sm_reader_open(bench_segment(), &r, &diag) != 0)
		bench_fail(diag.message);
	return r;
}

static void take(struct sm_reader *r)
{
	const struct sm_snapshot *s;
	struct sm_diag diag;

	if (sm_snapshot_take(r, 0, &s, &diag) != 0)
		bench_fail(diag.message);
	sm_snapshot_free(s);
}

static void read_on_demand(void)
{
	struct sm_reader *r = reader_open();
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		next.tv_nsec += PERIOD_NS;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		if (__atomic_load_n(&shared->reading, __ATOMIC_RELAXED)) {
			take(r);
			__atomic_fetch_add(&shared->snapshots, 1, __ATOMIC_RELAXED);
		}
	}
}

static struct sm_family *counter_family(struct sm *m, unsigned n)
{
	return bench_declare(m, &(struct sm_family_options){ .kind = SM_COUNTER,
		.name = "units_total", .labels = { "n" }, .cap = n });
}

static struct sm_counter *numbered(struct sm_family *f, unsigned i)
{
	char text[12];

	snprintf(text, sizeof(text), "%u", i);
	return sm_counter(f, SM_LABELS(text));
}

static void make_series(struct sm *m)
{
	struct sm_family *f = counter_family(m, COUNTERS);
	char text[12];
	unsigned i;

	for (i = 0; i < COUNTERS; i++)
		counters[i] = numbered(f, i);
	f = bench_declare(m, &(struct sm_family_options){ .kind = SM_HISTOGRAM,
		.name = "took_seconds", .unit = SM_SECONDS, .labels = { "n" } });
	for (i = 0; i < HISTOGRAMS; i++) {
		snprintf(text, sizeof(text), "%u", i);
		histograms[i] = sm_histogram(f, SM_LABELS(text));
	}
}

static pid_t child(void (*run)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		bench_fail("fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run();
	_exit(0);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void read_elsewhere(void)
{
	bench_pin(1);
	read_on_demand();
}

static void writer_beside_reader(void)
{
	const struct bench_case c = { "", write_all };
	struct sm *m = bench_open("writer", 0);
	double start, cpu, seconds;
	pid_t reader;
	unsigned r;

	make_series(m);
	bench_once(&c, WRITER_OPERATIONS / 10);
	reader = child(read_elsewhere);
	for (r = 0; r < 2 * bench_repetitions(); r++) {
		__atomic_store_n(&shared->reading, r % 2, __ATOMIC_RELAXED);
		/* Until the first of them is done, or the last. */
		usleep(3 * PERIOD_NS / 1000);
		__atomic_store_n(&shared->snapshots, 0, __ATOMIC_RELAXED);
		start = bench_clock_ns(CLOCK_MONOTONIC);
		cpu = bench_once(&c, WRITER_OPERATIONS) / WRITER_OPERATIONS;
		seconds = (bench_clock_ns(CLOCK_MONOTONIC) - start) / 1e9;
		if (r % 2 == 0) {
			bench_record("writer alone", cpu);
			continue;
		}
		bench_record("writer, read 1,000 times a second", cpu);
		bench_record("snapshots a second",
			__atomic_load_n(&shared->snapshots, __ATOMIC_RELAXED) / seconds);
	}
	end(reader);
	sm_close(m);
	unlink(bench_segment());
}

/* ---- the cost for the reader -------------------------------------------------------------- */

static unsigned writer_number;

static void write_large(void)
{
	struct sm_options o = { .segment = bench_segment(), .flags = SM_OPEN_NO_ENVIRONMENT,
		.max_series = 2 * LARGE };
	struct sm_family *f;
	struct sm_diag diag;
	char name[16];
	struct sm *m;
	unsigned i;

	snprintf(name, sizeof(name), "writer-%u", writer_number);
	o.writer = name;
	m = sm_open(&o, &diag);
	if (diag.error)
		bench_fail(diag.message);
	f = counter_family(m, LARGE);
	for (i = 0; i < LARGE; i++)
		sm_counter_add(numbered(f, i), i + writer_number);
	__atomic_fetch_add(&shared->ready, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

/* Every value counted as often as there are writers? */
static void check(struct sm_reader *r, unsigned writers)
{
	const struct sm_snapshot *s;
	struct sm_value value;
	struct sm_diag diag;
	uint64_t total = 0, wanted = (uint64_t)writers * LARGE * (LARGE - 1) / 2;
	size_t i;

	wanted += (uint64_t)LARGE * writers * (writers - 1) / 2;
	if (sm_snapshot_take(r, 0, &s, &diag) != 0)
		bench_fail(diag.message);
	for (i = 0; s->nfamilies == 1 && i < s->families[0].nseries; i++) {
		sm_snapshot_number(s, &s->families[0].series[i], SM_ALL_WRITERS, &value);
		total += value.units;
	}
	sm_snapshot_free(s);
	if (total != wanted)
		bench_fail("a snapshot's total is wrong");
}

static void snapshots(unsigned writers, const char *name, const char *copy_name)
{
	size_t bytes = (size_t)writers * LARGE * sizeof(uint64_t);
	pid_t pids[MANY_WRITERS];
	struct sm_reader *r;
	char *from, *to;
	double start;
	unsigned i;

	__atomic_store_n(&shared->ready, 0, __ATOMIC_RELAXED);
	for (i = 0; i < writers; i++) {
		writer_number = i;
		pids[i] = child(write_large);
		while (__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE) <= i) {
			if (waitpid(pids[i], NULL, WNOHANG) != 0)
				bench_fail("a writer did not start");
			usleep(1000);
		}
	}
	r = reader_open();
	check(r, writers);
	from = malloc(bytes);
	to = malloc(bytes);
	if (!from || !to)
		bench_fail("malloc");
	memset(from, 1, bytes);
	memset(to, 2, bytes);
	for (i = 0; i < bench_repetitions(); i++) {
		start = bench_cpu_ns();
		take(r);
		bench_record(name, bench_cpu_ns() - start);
		start = bench_cpu_ns();
		memcpy(to, from, bytes);
		__asm__ volatile("" : : "r"(to) : "memory");
		bench_record(copy_name, bench_cpu_ns() - start);
	}
	free(from);
	free(to);
	sm_reader_close(r);
	for (i = 0; i < writers; i++)
		end(pids[i]);
	unlink(bench_segment());
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);
	if (shared == MAP_FAILED)
		bench_fail("mmap");
	bench_segment();	/* children write to the parent's */
	bench_make_values();
	bench_pin(0);
	snapshots(FEW_WRITERS, "snapshot of 8 writers", "memcpy of 8 writers");
	snapshots(MANY_WRITERS, "snapshot of 64 writers", "memcpy of 64 writers");
	writer_beside_reader();
	bench_print();
	return 0;
}
