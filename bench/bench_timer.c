/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_timer.c - timing an empty block, beside two reads of the clock: with CLOCK_MONOTONIC, then,
 * in the same process, with the time-stamp counter where it can be used.
 */
#include "bench.h"

static struct sm_histogram *histogram;

BENCH_CASE static void two_reads(uint64_t n)
{
	uint64_t start, sum = 0;

	for (; n; n--) {
		start = sm_now_ns();
		sum += sm_now_ns() - start;
	}
	__asm__ volatile("" : : "r"(sum));
}

BENCH_CASE static void scope(uint64_t n)
{
	for (; n; n--) {
		SM_TIME_SCOPE(histogram);
	}
}

BENCH_CASE static void timer(uint64_t n)
{
	struct sm_timer t;

	for (; n; n--) {
		sm_timer_start(&t, histogram);
		sm_timer_stop(&t);
	}
}

int main(void)
{
	static const struct bench_case monotonic[] = {
		{ "two clock reads", two_reads },
		{ "scope", scope },
		{ "timer", timer },
	};
	static const struct bench_case counter[] = {
		{ "two clock reads, TSC", two_reads },
		{ "scope, TSC", scope },
		{ "timer, TSC", timer },
	};
	struct sm *m, *with_tsc;

	bench_pin(0);
	m = bench_open("bench", 0);
	histogram = sm_histogram(bench_declare(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "took_seconds", .unit = SM_SECONDS,
		.bounds = bench_bounds, .nbounds = BENCH_BOUNDS }), SM_NO_LABELS);
	bench_run(monotonic, 3);
	with_tsc = bench_open("tsc", SM_OPEN_TSC);
	bench_run(counter, 3);
	sm_close(with_tsc);
	sm_close(m);
	unlink(bench_segment());
	bench_print();
	return 0;
}
