/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage.h - what scenes.h is played with: a program that has one series of each kind, the truth about
 * what was counted, and the look of a reader at it.
 *
 * Updates happen between steps, so totals are exact, not only bounded. CLOCK_BOOTTIME runs ahead by
 * as much as the test likes, so that removed series cool off at once; whoever includes this links
 * with --wrap=clock_gettime.
 */
#ifndef CRASH_STAGE_H
#define CRASH_STAGE_H

#include "harness.h"

#define NAMES_FOR_FOLD 3		/* as many as the segment has slots */
#define COOL_OFF_NS (UINT64_C(61) * 1000000000u)

/* What must be counted. Written between steps only. */
struct truth {
	uint64_t whole[2];
	uint64_t fixed;			/* in units of 10^-6, in the same series as whole[0] */
	uint64_t halves;
	uint64_t bucket[3];
	uint64_t sum_ns;
	double kept;			/* the value of the kept gauge, if has_kept */
	bool has_kept;
	uint64_t other;			/* counted in the overflow series */
	enum { REMOVING_NOTHING, REMOVING_WHOLE, REMOVING_OTHER } removing;	/* it may be gone */
	uint64_t boot_ahead_ns;
};

static struct truth *truth;

int __real_clock_gettime(clockid_t id, struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = __real_clock_gettime(id, ts);

	if (id == CLOCK_BOOTTIME && truth)
		ts->tv_sec += (time_t)(load_relaxed(&truth->boot_ahead_ns) / 1000000000u);
	return rc;
}

static void let_cool_off(void)
{
	add_relaxed(&truth->boot_ahead_ns, COOL_OFF_NS);
}

/* ---- a program that counts ------------------------------------------------------------------- */

struct program {
	struct sm *m;
	struct sm_counter *whole[2], *fixed, *halves;
	struct sm_histogram *seconds;
	struct sm_gauge *kept, *level;
	struct sm_updown *open;
};

static struct sm *open_writer(const char *name)
{
	struct sm_options o = {
		.segment = segment_path, .writer = name, .flags = SM_OPEN_NO_ENVIRONMENT,
		.app_version = "1.2", .metadata = { "shard=3", "node=a" },
		.lock_timeout_ms = 5000, .max_writers = NAMES_FOR_FOLD + 1, .lanes_per_writer = 3,
		.max_families = 16, .max_series = 96, .max_cells = 4096, .ring_entries = 4,
	};
	struct sm_diag diag;
	struct sm *m = sm_open(&o, &diag);

	if (diag.error)
		FAIL("sm_open(%s): %s", name, diag.message);
	return m;
}

static struct sm_family *declare(struct sm *m, const struct sm_family_options *o)
{
	struct sm_diag diag;
	struct sm_family *f = sm_declare(m, o, &diag);

	if (diag.error)
		FAIL("sm_declare(%s): %s", o->name, diag.message);
	return f;
}

/* A null handle would count into nowhere and the totals would tell; this tells at once. */
static void *bound(void *handle, const char *what)
{
	if (!*(const sm_where_ *)handle)
		FAIL("the handle of %s counts into nowhere", what);
	return handle;
}

static struct sm_family *declare_whole(struct sm *m, enum sm_number number)
{
	return declare(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "whole_total", .help = "Whole.", .labels = { "k" },
		.number = number });
}

static const double wait_bounds[] = { 0.001, 0.01 };

/* The kinds of series, one by one. */
enum item { WHOLE_A, WHOLE_B, FIXED, HALVES, WAIT, KEPT, LEVEL, OPEN, ITEMS };

static const char *const item_names[] = {
	"whole a", "whole b", "fixed a", "halves", "wait", "kept", "level", "open",
};

static struct sm_family *declare_item(struct sm *m, enum item item)
{
	switch (item) {
	case WHOLE_A:
	case WHOLE_B:
		return declare_whole(m, SM_NUMBER_U64);
	case FIXED:
		return declare_whole(m, SM_NUMBER_FIXED);
	case HALVES:
		return declare(m, &(struct sm_family_options){
			.kind = SM_COUNTER, .name = "halves_total", .number = SM_NUMBER_DOUBLE });
	case WAIT:
		return declare(m, &(struct sm_family_options){
			.kind = SM_HISTOGRAM, .name = "wait_seconds", .unit = SM_SECONDS,
			.bounds = wait_bounds, .nbounds = 2, .exemplars = 1 });
	case KEPT:
		return declare(m, &(struct sm_family_options){
			.kind = SM_GAUGE, .name = "kept", .mode = SM_MODE_SUM, .keep = 1 });
	case LEVEL:
		return declare(m, &(struct sm_family_options){
			.kind = SM_GAUGE, .name = "level", .mode = SM_MODE_SUM });
	default:
		return declare(m, &(struct sm_family_options){
			.kind = SM_UPDOWN, .name = "open" });
	}
}

static void resolve_item(struct sm_family *f, enum item item, struct program *p)
{
	const char *name = item_names[item];

	switch (item) {
	case WHOLE_A:
	case WHOLE_B:
		p->whole[item] = bound(sm_counter(f, SM_LABELS(item == WHOLE_A ? "a" : "b")), name);
		return;
	case FIXED:
		p->fixed = bound(sm_counter(f, SM_LABELS("a")), name);
		return;
	case HALVES:
		p->halves = sm_counter(f, SM_NO_LABELS);	/* no inline path: `where` is 0 */
		return;
	case WAIT:
		p->seconds = bound(sm_histogram(f, SM_NO_LABELS), name);
		return;
	case KEPT:
		p->kept = bound(sm_gauge(f, SM_NO_LABELS), name);
		return;
	case LEVEL:
		p->level = bound(sm_gauge(f, SM_NO_LABELS), name);
		return;
	default:
		p->open = bound(sm_updown(f, SM_NO_LABELS), name);
	}
}

static void declare_all(struct sm *m, struct program *p)
{
	unsigned i;

	p->m = m;
	for (i = 0; i < ITEMS; i++)
		resolve_item(declare_item(m, i), i, p);
}

static void count(struct program *p)
{
	static const struct sm_str trace[] = { { "trace_id", 8 }, { "1", 1 } };

	sm_counter_add(p->whole[0], 3);
	truth->whole[0] += 3;
	sm_counter_add(p->whole[1], 5);
	truth->whole[1] += 5;
	sm_counter_add(p->fixed, 250000);
	truth->fixed += 250000;
	sm_counter_add_double(p->halves, 0.5);
	truth->halves++;
	sm_histogram_observe_ns(p->seconds, 1000000);
	sm_histogram_observe_ns(p->seconds, 1000001);
	sm_histogram_observe_ns(p->seconds, 2000000000);
	truth->bucket[0]++;
	truth->bucket[1]++;
	truth->bucket[2]++;
	truth->sum_ns += 2002000001;
	sm_histogram_exemplar(p->seconds, 2, trace, 1);
	sm_gauge_set(p->level, 1000);
	sm_updown_add(p->open, 1);
}

/* ---- what a reader must see ------------------------------------------------------------------ */

static void check_buckets(const struct sm_snapshot *s)
{
	const struct sm_series_info *series = find_series(s, "wait_seconds", "");
	uint64_t have[3];
	struct sm_sum sum;

	if (!series) {
		CHECK_U64(truth->sum_ns, 0);
		return;
	}
	CHECK(sm_snapshot_classic(s, series, SM_ALL_WRITERS, have, &sum) == 0);
	CHECK_U64(have[0], truth->bucket[0]);
	CHECK_U64(have[1], truth->bucket[0] + truth->bucket[1]);
	CHECK_U64(have[2], truth->bucket[0] + truth->bucket[1] + truth->bucket[2]);
	CHECK_U64((uint64_t)sum.units, truth->sum_ns);
}

/* Nobody is alive, or nobody who has set a gauge. */
static void check_totals(void)
{
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct sm_diag diag;
	double v;
	int rc = sm_reader_open(segment_path, &r, &diag);

	if (rc == SM_NOT_READY || rc == -ENOENT) {
		CHECK_U64(truth->whole[0], 0);
		return;
	}
	if (rc)
		FAIL("sm_reader_open(): %d %s", rc, diag.message);
	rc = sm_snapshot_take(r, SM_SNAPSHOT_WRITERS, &s, &diag);
	if (rc)
		FAIL("sm_snapshot_take(): %d %s", rc, diag.message);
	CHECK_U64(s->damaged_records, 0);
	if (truth->removing == REMOVING_WHOLE && !find_series(s, "whole_total", "a"))
		truth->whole[0] = truth->fixed = 0;
	if (truth->removing == REMOVING_OTHER && !find_series(s, "capped_total", "__other__"))
		truth->other = 0;
	truth->removing = REMOVING_NOTHING;
	CHECK_U64(read_units(s, "whole_total", "a", 6), truth->whole[0] * 1000000 + truth->fixed);
	CHECK_U64(read_units(s, "whole_total", "b", 6), truth->whole[1] * 1000000);
	read_double(s, "halves_total", "", &v);
	CHECK(v == (double)truth->halves / 2);
	check_buckets(s);
	CHECK_U64(read_units(s, "capped_total", "__other__", 0), truth->other);
	CHECK(!read_double(s, "level", "", &v));
	CHECK(!read_double(s, "open", "", &v));
	if (truth->has_kept) {
		CHECK(read_double(s, "kept", "", &v));
		CHECK(v == truth->kept);
	}
	sm_snapshot_free(s);
	sm_reader_close(r);
}

#endif
