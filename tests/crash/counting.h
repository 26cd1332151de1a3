/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counting.h - a program that counts in every way, what its updates are worth, and a reader that
 * polls.
 *
 * Update number i of a thread is of kind i % KINDS, so how many updates a thread has made says what
 * all totals must be.
 */
#ifndef CRASH_COUNTING_H
#define CRASH_COUNTING_H

#include "harness.h"

#define WRITER_LANES	4
#define KINDS		8		/* of updates, in turn */
#define VALUES		5		/* of observations, in turn */

/* ---- what is counted ------------------------------------------------------------------------- */

enum number {
	HITS, BYTES, COST, HALVES, SIGNALS, WAIT_LE_1, WAIT_LE_2, WAIT_ALL, WAIT_SUM,
	SIZE_LE_1, SIZE_LE_2, SIZE_ALL, SIZE_SUM, NUMBERS
};

static const char *const number_names[NUMBERS] = {
	"hits", "bytes", "cost", "halves", "signals",
	"wait le 1 ms", "wait le 10 ms", "wait count", "wait sum",
	"size le 1024", "size le 65536", "size count", "size sum",
};

struct totals {
	uint64_t n[NUMBERS];
};

static const double wait_bounds[2] = { 0.001, 0.01 };
static const uint64_t wait_ns[VALUES] = { 500000, 1000000, 1000001, 5000000, 20000000 };
static const double size_bounds[2] = { 1024, 65536 };
static const uint64_t size_bytes[VALUES] = { 100, 1024, 1025, 65536, 70000 };
static const unsigned at_most_1 = 2, at_most_2 = 4;	/* so many values are within the bounds */

/* Of n things in turn, from number 0 on: how many are number k of every `every`? */
static uint64_t in_turn(uint64_t n, unsigned k, unsigned every)
{
	return (n + every - 1 - k) / every;
}

/* n observations: ret[0] and [1] at most a bound, [2] all, [3] the sum. */
static void add_observations(uint64_t n, const uint64_t *values, uint64_t *ret)
{
	uint64_t times;
	unsigned v;

	for (v = 0; v < VALUES; v++) {
		times = in_turn(n, v, VALUES);
		ret[0] += v < at_most_1 ? times : 0;
		ret[1] += v < at_most_2 ? times : 0;
		ret[2] += times;
		ret[3] += times * values[v];
	}
}

/* What n updates of one thread are worth. */
UNUSED static void add_updates(struct totals *t, uint64_t n)
{
	uint64_t *x = t->n;

	x[HITS] += in_turn(n, 0, KINDS);
	x[BYTES] += 7 * in_turn(n, 1, KINDS);
	x[COST] += 250000 * in_turn(n, 2, KINDS);
	x[HALVES] += in_turn(n, 3, KINDS);
	x[SIGNALS] += in_turn(n, 5, KINDS);
	add_observations(in_turn(n, 4, KINDS), wait_ns, &x[WAIT_LE_1]);
	add_observations(in_turn(n, 7, KINDS), size_bytes, &x[SIZE_LE_1]);
}

struct program {
	struct sm *m;
	struct sm_counter *hits, *bytes, *cost, *halves, *signals;
	struct sm_histogram *wait, *size;
	struct sm_updown *open;
	struct sm_gauge *level;
};

static struct sm_family *declare(struct sm *m, const struct sm_family_options *o)
{
	struct sm_diag diag;
	struct sm_family *f = sm_declare(m, o, &diag);

	if (diag.error)
		FAIL("sm_declare(%s): %s", o->name, diag.message);
	return f;
}

static struct sm_counter *counter(struct sm *m, const char *name, enum sm_number number)
{
	struct sm_family_options o = { .kind = SM_COUNTER, .name = name, .number = number };
	struct sm_counter *c = sm_counter(declare(m, &o), SM_NO_LABELS);

	CHECK(c->where || number == SM_NUMBER_DOUBLE);
	return c;
}

/* Errors are for the caller: there may be no slot. slots: of the segment, if it is made. */
UNUSED static int program_open(struct program *p, const char *name, unsigned slots,
			       struct sm_diag *diag)
{
	struct sm_options o = {
		.segment = segment_path, .writer = name, .flags = SM_OPEN_NO_ENVIRONMENT,
		.app_version = random_below(2) ? "1.2" : "1.3-rc1", .metadata = { "shard=3", "node=a" },
		.lock_timeout_ms = 10000, .thread_lanes = 1 + random_below(2),
		.max_writers = slots, .lanes_per_writer = WRITER_LANES,
		.max_families = 16, .max_series = 64, .max_cells = 4096, .ring_entries = 4,
	};

	p->m = sm_open(&o, diag);
	if (diag->error)
		return diag->error;
	p->hits = counter(p->m, "hits_total", SM_NUMBER_U64);
	p->bytes = counter(p->m, "bytes_total", SM_NUMBER_U64);
	p->cost = counter(p->m, "cost_total", SM_NUMBER_FIXED);
	p->halves = counter(p->m, "halves_total", SM_NUMBER_DOUBLE);
	p->signals = counter(p->m, "signals_total", SM_NUMBER_U64);
	p->wait = sm_histogram(declare(p->m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "wait_seconds", .unit = SM_SECONDS,
		.bounds = wait_bounds, .nbounds = 2, .exemplars = 1 }), SM_NO_LABELS);
	p->size = sm_histogram(declare(p->m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "size_bytes", .unit = SM_BYTES,
		.bounds = size_bounds, .nbounds = 2, .grid = SM_GRID_OFF }), SM_NO_LABELS);
	p->open = sm_updown(declare(p->m, &(struct sm_family_options){
		.kind = SM_UPDOWN, .name = "open" }), SM_NO_LABELS);
	p->level = sm_gauge(declare(p->m, &(struct sm_family_options){
		.kind = SM_GAUGE, .name = "level", .mode = SM_MODE_MOSTRECENT }), SM_NO_LABELS);
	CHECK(p->wait->where && p->size->where && p->open->where);
	return 0;
}

/* Update number i of a thread. */
UNUSED static inline void program_count(const struct program *p, uint64_t i)
{
	static const struct sm_str trace[] = { { "trace_id", 8 }, { "7", 1 } };

	switch (i % KINDS) {
	case 0:
		sm_counter_add(p->hits, 1);
		return;
	case 1:
		sm_counter_add(p->bytes, 7);
		return;
	case 2:
		sm_counter_add_double(p->cost, 0.25);
		return;
	case 3:
		sm_counter_add_double(p->halves, 0.5);
		return;
	case 4:
		sm_histogram_observe_ns(p->wait, wait_ns[i / KINDS % VALUES]);
		return;
	case 5:
		sm_counter_add_signal(p->signals, 1);
		return;
	case 6:		/* nothing that is added up */
		sm_updown_add(p->open, i & 8 ? 1 : -1);
		if (i % 64 == 6) {
			sm_gauge_set(p->level, (double)i);
			sm_histogram_exemplar(p->wait, 0.002, trace, 1);
		}
		if (i % 8192 == 6)
			sm_slow_record(p->m, "kills", "slow", 1000000000, NULL, "seat=1");
		return;
	default:
		sm_histogram_observe(p->size, (double)size_bytes[i / KINDS % VALUES]);
	}
}

static void read_histogram(const struct sm_snapshot *s, const char *name, uint64_t *ret)
{
	const struct sm_series_info *series = find_series(s, name, "");
	struct sm_sum sum;

	if (!series)
		return;
	CHECK(sm_snapshot_classic(s, series, SM_ALL_WRITERS, ret, &sum) == 0);
	CHECK(ret[0] <= ret[1] && ret[1] <= ret[2]);
	CHECK(sum.is_integer);
	ret[3] = (uint64_t)sum.units;
}

UNUSED static struct totals read_totals(const struct sm_snapshot *s)
{
	struct totals t = { { 0 } };
	double halves;

	CHECK_U64(s->damaged_records, 0);
	t.n[HITS] = read_units(s, "hits_total", "", 0);
	t.n[BYTES] = read_units(s, "bytes_total", "", 0);
	t.n[COST] = read_units(s, "cost_total", "", 6);
	read_double(s, "halves_total", "", &halves);
	t.n[HALVES] = (uint64_t)(halves * 2);
	t.n[SIGNALS] = read_units(s, "signals_total", "", 0);
	read_histogram(s, "wait_seconds", &t.n[WAIT_LE_1]);
	read_histogram(s, "size_bytes", &t.n[SIZE_LE_1]);
	return t;
}

/* ---- the reader ------------------------------------------------------------------------------ */

struct reading {
	uint64_t snapshots, stale, again, retries;
	uint32_t stop;
};

/* Every number of every snapshot is at least what it was in the one before. */
UNUSED static void poll_for_ever(struct reading *reading)
{
	struct totals last = { { 0 } }, now;
	const struct sm_snapshot *s;
	struct timespec pause = { 0, 100000 };
	struct sm_reader *r;
	struct sm_diag diag;
	unsigned i, flags;
	int rc;

	check_context = "[reader]";
	rc = sm_reader_open(segment_path, &r, &diag);
	if (rc)
		FAIL("sm_reader_open(): %d %s", rc, diag.message);
	while (!load_relaxed(&reading->stop)) {
		/* With and without the values of each writer. */
		flags = reading->snapshots & 1 ? SM_SNAPSHOT_WRITERS : 0;
		rc = sm_snapshot_take(r, flags, &s, &diag);
		if (rc == -EAGAIN) {
			add_relaxed(&reading->again, 1);
			continue;
		}
		if (rc)
			FAIL("sm_snapshot_take(): %d %s", rc, diag.message);
		now = read_totals(s);
		for (i = 0; i < NUMBERS; i++)
			if (now.n[i] < last.n[i])
				FAIL("%s went back from %llu to %llu", number_names[i],
				     LLU(last.n[i]), LLU(now.n[i]));
		last = now;
		add_relaxed(&reading->snapshots, 1);
		add_relaxed(&reading->retries, s->retries);
		add_relaxed(&reading->stale, s->stale ? 1 : 0);
		sm_snapshot_free(s);
		nanosleep(&pause, NULL);
	}
	sm_reader_close(r);
}

#endif
