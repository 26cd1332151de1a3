/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_setup.c - what happens seldom: opening, declaring, resolving what is new, heartbeats,
 * exemplars, a thread's first update. Wall time matters here, but other programs run, too: CPU time
 * as everywhere.
 */
#include <pthread.h>

#include "bench.h"

#define SERIES 4000

static struct sm *m;
static struct sm_family *many;
static struct sm_counter *with_exemplars;
static struct sm_histogram *histogram;

BENCH_CASE static void heartbeat(uint64_t n)
{
	for (; n; n--)
		sm_heartbeat(m);
}

BENCH_CASE static void exemplar(uint64_t n)
{
	static const struct sm_str pairs[2] = {
		{ "trace_id", 8 }, { "4bf92f3577b34da6a3ce929d0e0e4736", 32 },
	};

	for (; n; n--) {
		sm_counter_add(with_exemplars, 1);
		sm_counter_exemplar(with_exemplars, 1, pairs, 1);
	}
}

BENCH_CASE static void histogram_exemplar(uint64_t n)
{
	static const struct sm_str pairs[2] = {
		{ "trace_id", 8 }, { "4bf92f3577b34da6a3ce929d0e0e4736", 32 },
	};

	for (; n; n--) {
		sm_histogram_observe(histogram, .02);
		sm_histogram_exemplar(histogram, .02, pairs, 1);
	}
}

static void *first_update(void *arg)
{
	double start = bench_cpu_ns();

	sm_counter_add(with_exemplars, 1);
	*(double *)arg = bench_cpu_ns() - start;
	return NULL;
}

static void threads(void)
{
	pthread_t thread;
	double ns = 0;
	unsigned r;

	for (r = 0; r < bench_repetitions(); r++) {
		if (pthread_create(&thread, NULL, first_update, &ns) != 0)
			bench_fail("pthread_create");
		pthread_join(thread, NULL);
		bench_record("thread's first update", ns);
	}
}

/* Series that nobody has: the catalog lock, a record, strings, cells. */
static void resolve_new(void)
{
	static char text[SERIES][20];
	struct sm_str values[2];
	unsigned i, r, each = SERIES / bench_repetitions();
	double start;

	for (i = 0; i < SERIES; i++)
		snprintf(text[i], sizeof(text[i]), "series-%u", i);
	values[1] = bench_str("ok");
	for (i = 0, r = 0; r < bench_repetitions(); r++) {
		unsigned end = i + each;

		start = bench_cpu_ns();
		for (; i < end; i++) {
			values[0] = bench_str(text[i]);
			sm_counter(many, values, 2);
		}
		bench_record("resolve, new", (bench_cpu_ns() - start) / each);
	}
}

/* A second writer finds all of them there. */
static void resolve_existing(void)
{
	struct sm *second = bench_open("second", 0);
	struct sm_family *f = bench_declare(second, &(struct sm_family_options){ .kind = SM_COUNTER,
		.name = "many_total", .labels = { "name", "status" }, .cap = SERIES });
	unsigned i, r, each = SERIES / bench_repetitions();
	struct sm_str values[2];
	char text[20];
	double start;

	values[1] = bench_str("ok");
	for (i = 0, r = 0; r < bench_repetitions(); r++) {
		unsigned end = i + each;

		start = bench_cpu_ns();
		for (; i < end; i++) {
			snprintf(text, sizeof(text), "series-%u", i);
			values[0] = bench_str(text);
			sm_counter(f, values, 2);
		}
		bench_record("resolve, existing", (bench_cpu_ns() - start) / each);
	}
	sm_close(second);
}

static void open_close(void)
{
	double start, opened;
	struct sm *again;
	unsigned r;

	for (r = 0; r < bench_repetitions(); r++) {
		start = bench_cpu_ns();
		again = bench_open("again", 0);
		opened = bench_cpu_ns();
		bench_record("open", opened - start);
		sm_close(again);
		bench_record("close", bench_cpu_ns() - opened);
	}
}

int main(void)
{
	static const struct bench_case cases[] = {
		{ "heartbeat", heartbeat },
		{ "counter with exemplar", exemplar },
		{ "observe with exemplar", histogram_exemplar },
	};
	double start;

	bench_pin(0);
	start = bench_cpu_ns();
	m = bench_open("bench", 0);
	bench_record("open, creating", bench_cpu_ns() - start);
	many = bench_declare(m, &(struct sm_family_options){ .kind = SM_COUNTER,
		.name = "many_total", .labels = { "name", "status" }, .cap = SERIES });
	with_exemplars = sm_counter(bench_declare(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "traced_total", .exemplars = 1 }), SM_NO_LABELS);
	histogram = sm_histogram(bench_declare(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "took_seconds", .unit = SM_SECONDS, .exemplars = 1 }),
		SM_NO_LABELS);
	bench_run(cases, sizeof(cases) / sizeof(cases[0]));
	threads();
	resolve_new();
	resolve_existing();
	open_close();
	sm_close(m);
	unlink(bench_segment());
	bench_print();
	return 0;
}
