/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_two.c - two processes at once, each pinned to a processor of its own: on one counter, on
 * one each; the same with histograms; and, for comparison, with one shared cell and locked
 * additions. Prints nothing but {} where only one processor may be used.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bench.h"

#define SAMPLES 25
#define PATIENCE_NS 1e10

struct shared {
	uint32_t arrived;	/* counts up by two at each barrier */
	double ns[2];		/* per operation, of the sample that is under way */
	uint64_t cell __attribute__((aligned(64)));
};

static struct shared *shared;
static struct sm_counter *same_counter, *own_counter;
/* Several, since one may have the bad luck that its sum's address and another that is in use are
 * alike in the lower 12 bits. */
#define HISTOGRAMS 8
static struct sm_histogram *same_histogram[HISTOGRAMS], *own_histogram[HISTOGRAMS];

BENCH_CASE static void on_same_counter(uint64_t n)
{
	struct sm_counter *c = same_counter;

	for (; n; n--)
		sm_counter_add(c, 1);
}

BENCH_CASE static void on_own_counter(uint64_t n)
{
	struct sm_counter *c = own_counter;

	for (; n; n--)
		sm_counter_add(c, 1);
}

BENCH_CASE static void on_same_histogram(uint64_t n)
{
	for (; n; n--)
		sm_histogram_observe(same_histogram[n % HISTOGRAMS],
			bench_seconds[n % BENCH_VALUES]);
}

BENCH_CASE static void on_own_histogram(uint64_t n)
{
	for (; n; n--)
		sm_histogram_observe(own_histogram[n % HISTOGRAMS],
			bench_seconds[n % BENCH_VALUES]);
}

BENCH_CASE static void on_shared_cell(uint64_t n)
{
	for (; n; n--)
		__atomic_fetch_add(&shared->cell, 1, __ATOMIC_RELAXED);
}

static const struct {
	struct bench_case c;
	uint64_t n;
} modes[] = {
	{ { "one counter", on_same_counter }, 10000000 },
	{ { "a counter each", on_own_counter }, 10000000 },
	{ { "the same histograms", on_same_histogram }, 2000000 },
	{ { "histograms of each", on_own_histogram }, 2000000 },
	{ { "one cell, locked", on_shared_cell }, 300000 },
};
#define MODES (sizeof(modes) / sizeof(modes[0]))

/* Both start their sample within some 100 ns. */
static void meet(uint32_t *round)
{
	double start = bench_clock_ns(CLOCK_MONOTONIC);

	*round += 2;
	__atomic_fetch_add(&shared->arrived, 1, __ATOMIC_ACQ_REL);
	while ((int32_t)(__atomic_load_n(&shared->arrived, __ATOMIC_ACQUIRE) - *round) < 0)
		if (bench_clock_ns(CLOCK_MONOTONIC) - start > PATIENCE_NS)
			bench_fail("the other process does not come");
}

static void work(unsigned who)
{
	static const char *const writers[] = { "first", "second" };
	const struct sm_family_options durations = { .kind = SM_HISTOGRAM, .name = "took_seconds",
		.unit = SM_SECONDS, .labels = { "who", "n" }, .bounds = bench_bounds,
		.nbounds = BENCH_BOUNDS };
	struct sm *m;
	struct sm_family *f;
	uint32_t round = 0;
	unsigned s, i;
	char text[12];

	bench_make_values();
	m = bench_open(writers[who], 0);
	f = bench_declare(m, &(struct sm_family_options){ .kind = SM_COUNTER, .name = "done_total",
		.labels = { "who" } });
	same_counter = sm_counter(f, SM_LABELS("both"));
	own_counter = sm_counter(f, SM_LABELS(writers[who]));
	f = bench_declare(m, &durations);
	for (i = 0; i < HISTOGRAMS; i++) {
		snprintf(text, sizeof(text), "%u", i);
		same_histogram[i] = sm_histogram(f, SM_LABELS("both", text));
		own_histogram[i] = sm_histogram(f, SM_LABELS(writers[who], text));
	}
	for (s = 0; s < SAMPLES + 1; s++) {
		for (i = 0; i < MODES; i++) {
			meet(&round);
			shared->ns[who] = bench_once(&modes[i].c, modes[i].n) / (double)modes[i].n;
			meet(&round);
			if (who == 0 && s > 0)	/* the first warms up */
				bench_record(modes[i].c.name, (shared->ns[0] + shared->ns[1]) / 2);
		}
	}
	sm_close(m);
}

int main(void)
{
	int status;
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);
	if (shared == MAP_FAILED)
		bench_fail("mmap");
	bench_segment();	/* the path has the parent's number in both */
	if (!bench_pin(1)) {
		printf("{}\n");
		return 0;
	}
	pid = fork();
	if (pid < 0)
		bench_fail("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(1);
		_exit(0);
	}
	bench_pin(0);
	work(0);
	waitpid(pid, &status, 0);
	unlink(bench_segment());
	bench_print();
	return status != 0;
}
