/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_library.c - updates by calls into the shared library, loaded at run time as an extension
 * loads it, beside a call of the emptiest function it has: sm_version(), which returns a pointer.
 */
#include <dlfcn.h>

#include "bench.h"

static struct {
	const char *(*empty)(void);
	struct sm *(*open)(const struct sm_options *, struct sm_diag *);
	void (*close)(struct sm *);
	struct sm_family *(*declare)(struct sm *, const struct sm_family_options *,
		struct sm_diag *);
	struct sm_counter *(*counter)(struct sm_family *, const struct sm_str *, size_t);
	struct sm_gauge *(*gauge)(struct sm_family *, const struct sm_str *, size_t);
	struct sm_histogram *(*histogram)(struct sm_family *, const struct sm_str *, size_t);
	void (*add)(struct sm_counter *, uint64_t);
	void (*set)(struct sm_gauge *, double);
	void (*observe)(struct sm_histogram *, double);
	void (*observe_ns)(struct sm_histogram *, uint64_t);
} library;

static struct sm_counter *counter;
static struct sm_gauge *gauge;
static struct sm_histogram *histogram;
static struct sm_family *thousand;

BENCH_CASE static void empty_call(uint64_t n)
{
	for (; n; n--)
		library.empty();
}

BENCH_CASE static void counter_add(uint64_t n)
{
	struct sm_counter *c = counter;

	for (; n; n--)
		library.add(c, 1);
}

BENCH_CASE static void gauge_set(uint64_t n)
{
	for (; n; n--)
		library.set(gauge, bench_seconds[n % BENCH_VALUES]);
}

BENCH_CASE static void observe(uint64_t n)
{
	for (; n; n--)
		library.observe(histogram, bench_seconds[n % BENCH_VALUES]);
}

BENCH_CASE static void observe_ns(uint64_t n)
{
	for (; n; n--)
		library.observe_ns(histogram, bench_ns[n % BENCH_VALUES]);
}

BENCH_CASE static void look_up(uint64_t n)
{
	for (; n; n--)
		library.add(library.counter(thousand, bench_pick[n % BENCH_PICKS_FEW], 2), 1);
}

static void load(void)
{
	const char *build = getenv("BUILD");
	char path[1024];
	void *so;
	unsigned i;
	/* dlsym() gives object pointers; POSIX lets them be copied into function pointers. */
	const struct {
		const char *name;
		void *at;
	} wanted[] = {
		{ "sm_version", &library.empty },
		{ "sm_open", &library.open },
		{ "sm_close", &library.close },
		{ "sm_declare", &library.declare },
		{ "sm_counter", &library.counter },
		{ "sm_gauge", &library.gauge },
		{ "sm_histogram", &library.histogram },
		{ "sm_counter_add_fn", &library.add },
		{ "sm_gauge_set_fn", &library.set },
		{ "sm_histogram_observe_fn", &library.observe },
		{ "sm_histogram_observe_ns_fn", &library.observe_ns },
	};

	snprintf(path, sizeof(path), "%s/libshardmeter.so", build ? build : "build/release");
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		bench_fail(dlerror());
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *symbol = dlsym(so, wanted[i].name);

		if (!symbol)
			bench_fail(dlerror());
		memcpy(wanted[i].at, &symbol, sizeof(symbol));
	}
}

static struct sm_family *declare(struct sm *m, const struct sm_family_options *o)
{
	struct sm_diag diag;
	struct sm_family *f = library.declare(m, o, &diag);

	if (diag.error)
		bench_fail(diag.message);
	return f;
}

static struct sm *set_up(void)
{
	struct sm_options o = { .segment = bench_segment(), .writer = "library",
		.flags = SM_OPEN_NO_ENVIRONMENT };
	struct sm_diag diag;
	struct sm *m = library.open(&o, &diag);
	unsigned i;

	if (diag.error)
		bench_fail(diag.message);
	counter = library.counter(declare(m, &(struct sm_family_options){ .kind = SM_COUNTER,
		.name = "one_total" }), SM_NO_LABELS);
	gauge = library.gauge(declare(m, &(struct sm_family_options){ .kind = SM_GAUGE,
		.name = "level" }), SM_NO_LABELS);
	histogram = library.histogram(declare(m, &(struct sm_family_options){ .kind = SM_HISTOGRAM,
		.name = "took_seconds", .unit = SM_SECONDS, .bounds = bench_bounds,
		.nbounds = BENCH_BOUNDS }), SM_NO_LABELS);
	thousand = declare(m, &(struct sm_family_options){ .kind = SM_COUNTER,
		.name = "commands_total", .labels = { "command", "status" } });
	for (i = 0; i < BENCH_PICKS_FEW; i++)
		library.counter(thousand, bench_pick[i], 2);
	return m;
}

int main(void)
{
	static const struct bench_case cases[] = {
		{ "empty call", empty_call },
		{ "counter", counter_add },
		{ "gauge set", gauge_set },
		{ "observe", observe },
		{ "observe ns", observe_ns },
		{ "look-up", look_up },
	};
	struct sm *m;

	bench_pin(0);
	bench_make_values();
	bench_make_picks();
	load();
	m = set_up();
	bench_run(cases, sizeof(cases) / sizeof(cases[0]));
	library.close(m);
	unlink(bench_segment());
	bench_print();
	return 0;
}
