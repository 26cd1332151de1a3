/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c - the time-stamp counter as a clock. Order matters: it cannot be switched off
 * again. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "writer.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static bool use_tsc;

/* sm_now_ns() minus CLOCK_MONOTONIC, from the narrowest of many brackets, and its width. */
static int64_t ahead_of_monotonic(uint64_t *ret_at, uint64_t *ret_width)
{
	uint64_t before, now, after, best = UINT64_MAX;
	int64_t ahead = 0;
	unsigned i;

	for (i = 0; i < 200; i++) {
		before = clock_ns(CLOCK_MONOTONIC);
		now = sm_now_ns();
		after = clock_ns(CLOCK_MONOTONIC);
		if (after - before < best) {
			best = after - before;
			ahead = (int64_t)(now - (before + best / 2));
			*ret_at = before;
		}
	}
	*ret_width = best;
	return ahead;
}

static void now__without_tsc__is_monotonic_time(void **state)
{
	uint64_t before = clock_ns(CLOCK_MONOTONIC), now = sm_now_ns();

	assert_in_range(now, before, clock_ns(CLOCK_MONOTONIC));
}

static bool invariant(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
#else
	return false;
#endif
}

static bool trusted_by_kernel(void)
{
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");
	char name[64] = "tsc";

	if (f) {
		assert_int_equal(fscanf(f, "%63s", name), 1);
		fclose(f);
	}
	return !strcmp(name, "tsc") || !strcmp(name, "kvm-clock") ||
	       !strcmp(name, "hyperv_clocksource_tsc_page");
}

static void tsc__where_it_is_invariant__is_used(void **state)
{
	uint64_t before = sm_now_ns(), reading = sm_clock_();
	int rc = clock_use_tsc();

	use_tsc = invariant() && trusted_by_kernel();
	assert_int_equal(rc, use_tsc ? 0 : -EOPNOTSUPP);
	assert_int_equal(clock_use_tsc(), rc);
	/* A timer that runs across the switch. */
	assert_in_range(sm_now_ns() - before, 0, UINT64_C(10000000000));
	assert_in_range(sm_clock_since_(reading), 0, UINT64_C(10000000000));
}

/* Sleeping is what is measured here: 50 ms of it, three times at most. */
static void now__beside_monotonic_time__runs_at_the_same_rate(void **state)
{
	struct timespec pause = { 0, 50000000 };
	uint64_t at1 = 0, at2 = 0, width1 = 0, width2 = 0;
	int64_t ahead1, ahead2 = 0;
	double drift = 1;
	unsigned i;

	for (i = 0; i < 3 && fabs(drift) > 1e-4; i++) {
		ahead1 = ahead_of_monotonic(&at1, &width1);
		nanosleep(&pause, NULL);
		ahead2 = ahead_of_monotonic(&at2, &width2);
		/* Less what the brackets leave open. */
		drift = (double)(ahead2 - ahead1) / (double)(at2 - at1);
	}
	print_message("drift %g, offset %lld ns, bracket %llu ns\n", drift, (long long)ahead2,
		      (unsigned long long)width2);
	assert_true(fabs(drift) <= 1e-4);
	assert_in_range(ahead2 + 1000000, 0, 2000000);
}

static void now__read_again__never_steps_back(void **state)
{
	uint64_t last = sm_now_ns(), now;
	unsigned i;

	for (i = 0; i < 1000000; i++) {
		now = sm_now_ns();
		assert_true(now >= last);
		last = now;
	}
}

/* A time that goes from thread to thread, as a timer does that is started in one and stopped in
 * another. The counter is read without a barrier, so it may be early by what a processor
 * reorders. */
#define REORDERED_NS 1000

static void clock__since_a_reading__is_the_time_between(void **state)
{
	uint64_t before = sm_now_ns(), reading = sm_clock_(), after = sm_now_ns(), low, since, high;

	do {
		low = sm_now_ns();
		since = sm_clock_since_(reading);
		high = sm_now_ns();
	} while (since < 1000000);
	assert_in_range(since, low - after - REORDERED_NS, high - before + REORDERED_NS);
	/* A reading of another thread, "later" than now. */
	assert_int_equal(sm_clock_since_(sm_clock_() + (UINT64_C(1) << 40)), 0);
}

static uint64_t passed_on;
static uint64_t back_steps;

static void *pass_on(void *arg)
{
	uint64_t seen, now;
	unsigned i;

	for (i = 0; i < 300000; i++) {
		seen = load_acquire(&passed_on);
		now = sm_now_ns();
		if (now + REORDERED_NS < seen || sm_since_ns_(seen) > UINT64_C(10000000000))
			add_relaxed(&back_steps, 1);	/* no assertion in a thread */
		else if (now > seen)
			cas_acq_rel(&passed_on, &seen, now);
	}
	return arg;
}

static void now__passed_between_threads__hardly_steps_back(void **state)
{
	pthread_t t[2];
	unsigned i;

	passed_on = sm_now_ns();
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, pass_on, NULL), 0);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(back_steps, 0);
}

static void coarse_clock__is_near_boottime(void **state)
{
	uint64_t before = clock_ns(CLOCK_BOOTTIME), now = clock_boot_coarse_ns(), last;
	unsigned i;

	assert_in_range(now, before - 50000000, clock_ns(CLOCK_BOOTTIME) + 5000000);
	for (i = 0; i < 10000; i++) {
		last = now;
		now = clock_boot_coarse_ns();
		assert_true(now >= last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(now__without_tsc__is_monotonic_time),
		cmocka_unit_test(clock__since_a_reading__is_the_time_between),
		cmocka_unit_test(coarse_clock__is_near_boottime),
		cmocka_unit_test(tsc__where_it_is_invariant__is_used),
		cmocka_unit_test(now__beside_monotonic_time__runs_at_the_same_rate),
		cmocka_unit_test(now__read_again__never_steps_back),
		cmocka_unit_test(clock__since_a_reading__is_the_time_between),
		cmocka_unit_test(now__passed_between_threads__hardly_steps_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
