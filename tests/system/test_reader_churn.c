/* SPDX-License-Identifier: Apache-2.0 */
/* TIMEOUT: 180 */
/*
 * test_reader_churn.c - a reader that polls while writers come, die, are adopted and folded.
 *
 * Each writer counts the same in every kind of counter and ends itself by SIGKILL between two
 * updates. So at the end totals are known exactly, and in between no reader may see any of them go
 * back, nor a histogram whose buckets do not ascend, nor more gauges than there are live writers.
 */
#include <math.h>

#include "proc.h"

#define WRITERS 1000		/* lives, two at a time, in a segment with three slots */
#define UPDATES 3000

static const double bounds[] = { 0.001, 0.01, 0.1, 1 };

struct seen {
	uint64_t whole, fixed, buckets[5];
	sm_u128 sum;
	double real;
};

struct metrics {
	struct sm_counter *whole, *fixed, *real;
	struct sm_histogram *histogram;
	struct sm_updown *updown;
	struct sm_gauge *gauge;
};

static struct sm *open_metrics(const char *name, struct metrics *x)
{
	struct sm_options o = small(name);
	struct sm_diag diag;
	struct sm *m;

	o.max_writers = 4;
	m = sm_open(&o, &diag);
	if (diag.error)
		FAIL("sm_open: %s", diag.message);
	x->whole = open_counter(m, "whole_total");
	x->fixed =
		sm_counter(declare_family(m, &(struct sm_family_options){ .kind = SM_COUNTER,
									  .name = "fixed_total",
									  .number = SM_NUMBER_FIXED,
									  .decimals = 3 }),
			   SM_NO_LABELS);
	x->real = sm_counter(
		declare_family(m, &(struct sm_family_options){ .kind = SM_COUNTER,
							       .name = "real_total",
							       .number = SM_NUMBER_DOUBLE }),
		SM_NO_LABELS);
	x->histogram =
		sm_histogram(declare_family(m, &(struct sm_family_options){ .kind = SM_HISTOGRAM,
									    .name = "wait_seconds",
									    .unit = SM_SECONDS,
									    .bounds = bounds,
									    .nbounds = 4 }),
			     SM_NO_LABELS);
	x->updown = sm_updown(declare_family(m, &(struct sm_family_options){
		.kind = SM_UPDOWN, .name = "depth" }), SM_NO_LABELS);
	x->gauge = open_gauge(m, "level", SM_MODE_SUM);
	return m;
}

static void live(unsigned number)
{
	struct metrics x;
	char name[32];
	unsigned i;

	/* Every third one takes over from a dead one, if that was not folded yet. */
	snprintf(name, sizeof(name), "w%u", number % 3 ? number : number / 9);
	open_metrics(name, &x);
	sm_gauge_set(x.gauge, 1);
	sm_updown_add(x.updown, 1);
	for (i = 0; i < UPDATES; i++) {
		sm_counter_add(x.whole, 1);
		sm_counter_add(x.fixed, 1);
		sm_counter_add_double(x.real, 0.1);
		sm_histogram_observe_ns(x.histogram, (uint64_t)i * 1000000);
	}
	kill(getpid(), SIGKILL);
}

static double real_of(const struct sm_snapshot *s)
{
	struct sm_value v;

	if (!find_series(s, "real_total", NULL))
		return 0;
	CHECK(sm_snapshot_number(s, find_series(s, "real_total", NULL), SM_ALL_WRITERS, &v) == 0);
	return v.value;
}

/* One snapshot: nothing went back, buckets ascend, and no more gauges than live writers. */
static void look(struct sm_reader *r, unsigned flags, struct seen *last, unsigned *stale,
		 unsigned *retries)
{
	const struct sm_snapshot *s = NULL;
	const struct sm_series_info *info;
	struct seen now = *last;
	struct sm_sum sum;
	struct sm_diag diag;
	struct sm_value v;
	unsigned i, live_writers = 0;
	int rc = sm_snapshot_take(r, flags, &s, &diag);

	if (rc == -EAGAIN)
		return;
	if (rc)
		FAIL("sm_snapshot_take: %d: %s", rc, diag.message);
	*stale += (unsigned)s->stale;
	*retries += s->retries;
	now.whole = count_in(s, "whole_total", SM_ALL_WRITERS);
	now.fixed = count_in(s, "fixed_total", SM_ALL_WRITERS);
	now.real = real_of(s);
	info = find_series(s, "wait_seconds", NULL);
	if (info) {
		CHECK(sm_snapshot_classic(s, info, SM_ALL_WRITERS, now.buckets, &sum) == 0);
		now.sum = sum.units;
	}
	if (now.whole < last->whole || now.fixed < last->fixed || now.real < last->real ||
	    now.sum < last->sum)
		FAIL("a step back: %llu after %llu, %llu after %llu, %.17g after %.17g",
		     (unsigned long long)now.whole, (unsigned long long)last->whole,
		     (unsigned long long)now.fixed, (unsigned long long)last->fixed, now.real,
		     last->real);
	for (i = 0; i < 5; i++) {
		CHECK(now.buckets[i] >= last->buckets[i]);
		CHECK(i == 0 || now.buckets[i] >= now.buckets[i - 1]);
	}
	for (i = 0; i < s->nwriters; i++)
		live_writers += s->writers[i].state == SM_WRITER_LIVE;
	info = find_series(s, "depth", NULL);
	if (info) {
		CHECK(sm_snapshot_number(s, info, SM_ALL_WRITERS, &v) == 0);
		CHECK((int64_t)v.units >= 0 && (int64_t)v.units <= (int64_t)live_writers);
	}
	info = find_series(s, "level", NULL);
	if (info) {
		CHECK(sm_snapshot_number(s, info, SM_ALL_WRITERS, &v) == 0);
		CHECK(!v.is_set || v.value <= live_writers);
	}
	CHECK_U64(s->damaged_records, 0);
	sm_snapshot_free(s);
	*last = now;
}

static void reader__writers_die_and_are_folded__never_a_step_back(void)
{
	unsigned started = 0, running = 0, polls = 0, stale = 0, retries = 0, i;
	uint64_t expect = (uint64_t)WRITERS * UPDATES, ns = 0;
	const struct sm_snapshot *s;
	struct seen last = { 0 };
	struct sm_reader *r;
	struct metrics x;
	int status;

	sm_close(open_metrics("first", &x));
	r = open_reader(test_path);
	while (started < WRITERS || running) {
		while (running < 2 && started < WRITERS) {
			if (fork() == 0)
				live(started);
			started++;
			running++;
		}
		look(r, polls++ % 2 ? SM_SNAPSHOT_WRITERS : 0, &last, &stale, &retries);
		while (running && waitpid(-1, &status, WNOHANG) > 0) {
			CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
			running--;
		}
	}
	look(r, 0, &last, &stale, &retries);
	for (i = 0; i < UPDATES; i++)
		ns += (uint64_t)i * 1000000;
	CHECK_U64(last.whole, expect);
	CHECK_U64(last.fixed, expect);
	CHECK_U64(last.buckets[4], expect);
	CHECK(last.sum == (sm_u128)ns * WRITERS);
	CHECK(fabs(last.real - 0.1 * (double)expect) < 1e-6 * last.real);
	s = take(r);
	printf("%u polls, %u tried again, %u stale; %llu folds, %llu adoptions, %llu claims\n",
	       polls, retries, stale, (unsigned long long)s->folds,
	       (unsigned long long)s->adoptions, (unsigned long long)s->claims);
	CHECK(s->folds > WRITERS / 4);
	CHECK(s->adoptions > 0);
	CHECK(polls > WRITERS);
	sm_snapshot_free(s);
	sm_reader_close(r);
	check_sane(test_path);
}

static void refusals__writer_is_folded__stay_counted(void)
{
	struct sm_gc_result gc;
	struct sm_diag diag;
	struct metrics x;
	unsigned i;
	pid_t pid = fork();

	if (pid == 0) {
		open_metrics("refused", &x);
		for (i = 0; i < 7; i++)
			sm_counter_add_double(x.real, -1);
		_exit(0);
	}
	wait_ok(pid);
	CHECK_U64(refusals(test_path, "value"), 7);
	CHECK(sm_gc(test_path, 0, &gc, &diag) == 0);
	CHECK_U64(gc.writers, 1);
	CHECK_U64(refusals(test_path, "value"), 7);
	/* Another name in the slot does not bring them back. */
	sm_close(open_metrics("other", &x));
	CHECK_U64(refusals(test_path, "value"), 7);
}

static const struct test_case cases[] = {
	TEST_CASE(reader__writers_die_and_are_folded__never_a_step_back),
	TEST_CASE(refusals__writer_is_folded__stay_counted),
};

TEST_MAIN(cases)
