/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload.h - what victims count, and how a reader checks it while they are being killed.
 *
 * One update adds 1 to a whole counter, 1 unit to a fixed-point counter, 1.0 to a double counter and one
 * observation to a histogram. A victim says how many it is about to do (attempted, in shared memory), does
 * them, and then acknowledges them through a pipe. Whatever dies when:
 *
 *	acknowledged <= total <= attempted
 *
 * and no reader ever sees a counter, a bucket or a count go back.
 */
#ifndef CRASH_WORKLOAD_H
#define CRASH_WORKLOAD_H

#include "harness.h"

#define SERIES 4	/* label values "0" to "3": a victim counts in one of them */

struct ledger {
	uint64_t attempted;
	uint64_t acked;
	uint32_t stop;		/* to the reader */
	uint64_t snapshots;
	uint64_t retries;
	uint64_t stale;
};

static struct ledger *ledger;

struct handles {
	struct sm_counter *whole, *fixed, *real;
	struct sm_histogram *time;
};

/* 0, or -errno if this process cannot count. */
UNUSED static int workload_open(struct sm **ret_m, struct handles *h, const char *name, unsigned series,
				unsigned threads)
{
	static const double bounds[] = { .001, .01, .1, 1 };
	struct sm_options o = { .segment = segment_path, .writer = name, .max_writers = 9, .max_series = 64,
				.max_cells = 8192, .lock_timeout_ms = 5000, .thread_lanes = threads };
	struct sm_family_options f = { .name = "whole_total", .kind = SM_COUNTER, .labels = { "n" } };
	const char *const label[] = { "0", "1", "2", "3" };
	struct sm_diag diag;
	struct sm *m = sm_open(&o, &diag);

	*ret_m = m;
	if (diag.error)
		return diag.error;
	h->whole = sm_counter(sm_declare(m, &f, NULL), SM_LABELS(label[series]));
	f.name = "fixed_total";
	f.number = SM_NUMBER_FIXED;
	h->fixed = sm_counter(sm_declare(m, &f, NULL), SM_LABELS(label[series]));
	f.name = "real_total";
	f.number = SM_NUMBER_DOUBLE;
	h->real = sm_counter(sm_declare(m, &f, NULL), SM_LABELS(label[series]));
	h->time = sm_histogram(sm_declare(m, &(struct sm_family_options){ .name = "time_seconds",
			       .kind = SM_HISTOGRAM, .unit = SM_SECONDS, .labels = { "n" }, .bounds = bounds,
			       .nbounds = 4 }, NULL), SM_LABELS(label[series]));
	return h->whole->where && h->fixed->where && h->time->where ? 0 : -ENOTCONN;
}

UNUSED static void workload_update(const struct handles *h, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++) {
		sm_counter_add(h->whole, 1);
		sm_counter_add(h->fixed, 1);
		sm_counter_add_double(h->real, 1);
		sm_histogram_observe_ns(h->time, (i % 3000) * 1000000);
	}
}

/* ---- the reader ---------------------------------------------------------------------------- */

#define TOTALS (SERIES * (3 + 5))

/* All numbers that may only grow: three counters and five cumulative buckets for each series. */
UNUSED static void read_totals(const struct sm_snapshot *s, uint64_t *ret)
{
	static const char *const label[] = { "0", "1", "2", "3" };
	const struct sm_series_info *h;
	uint64_t cumulative[5];
	struct sm_sum sum;
	unsigned i, k;
	double real;

	for (i = 0; i < SERIES; i++, ret += 8) {
		ret[0] = read_units(s, "whole_total", label[i], 0);
		ret[1] = read_units(s, "fixed_total", label[i], 6);
		read_double(s, "real_total", label[i], &real);
		ret[2] = (uint64_t)real;
		memset(cumulative, 0, sizeof(cumulative));
		h = find_series(s, "time_seconds", label[i]);
		if (h)
			CHECK(sm_snapshot_classic(s, h, SM_ALL_WRITERS, cumulative, &sum) == 0);
		for (k = 1; k < 5; k++)
			CHECK(cumulative[k] >= cumulative[k - 1]);
		memcpy(ret + 3, cumulative, sizeof(cumulative));
	}
}

UNUSED static void check_range(const uint64_t *totals, uint64_t acked, uint64_t attempted)
{
	static const unsigned which[] = { 0, 1, 2, 7 };	/* whole, fixed, real, count */
	uint64_t sum;
	unsigned w, i;

	for (w = 0; w < 4; w++) {
		for (sum = 0, i = 0; i < SERIES; i++)
			sum += totals[i * 8 + which[w]];
		if (sum < acked || sum > attempted)
			FAIL("number %u is %llu: %llu were acknowledged, %llu attempted", which[w],
			     (unsigned long long)sum, (unsigned long long)acked, (unsigned long long)attempted);
	}
}

/* A process that polls until it is told to stop. */
UNUSED static void poll_totals(void *unused)
{
	uint64_t last[TOTALS] = { 0 }, totals[TOTALS], acked;
	const struct sm_snapshot *s;
	struct sm_reader *r = NULL;
	struct sm_diag diag;
	unsigned i;
	int rc;

	(void)unused;
	check_context = "reader";
	while (!load_acquire(&ledger->stop)) {
		if (!r && sm_reader_open(segment_path, &r, &diag) != 0) {
			r = NULL;
			continue;
		}
		acked = load_acquire(&ledger->acked);
		rc = sm_snapshot_take(r, 0, &s, &diag);
		if (rc == -EAGAIN)
			continue;
		if (rc)
			FAIL("snapshot: %d %s", rc, diag.message);
		read_totals(s, totals);
		for (i = 0; i < TOTALS; i++)
			if (totals[i] < last[i])
				FAIL("number %u went back from %llu to %llu", i, (unsigned long long)last[i],
				     (unsigned long long)totals[i]);
		memcpy(last, totals, sizeof(last));
		if (!s->stale)
			check_range(totals, acked, load_acquire(&ledger->attempted));
		ledger->snapshots++;
		ledger->retries += s->retries;
		ledger->stale += (uint64_t)s->stale;
		sm_snapshot_free(s);
	}
	sm_reader_close(r);
}

/* Totals now, by a fresh reader. */
UNUSED static void check_final(uint64_t acked, uint64_t attempted)
{
	const struct sm_snapshot *s;
	uint64_t totals[TOTALS];
	struct sm_reader *r;
	struct sm_diag diag;

	CHECK(sm_reader_open(segment_path, &r, &diag) == 0);
	CHECK(sm_snapshot_take(r, 0, &s, &diag) == 0);
	read_totals(s, totals);
	check_range(totals, acked, attempted);
	sm_snapshot_free(s);
	sm_reader_close(r);
}

#endif
