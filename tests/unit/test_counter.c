/* SPDX-License-Identifier: Apache-2.0 */
/* test_counter.c - counters, beside the inline path. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>

#include "segment.h"

static struct sm_counter *counter(const char *name, enum sm_number number, unsigned decimals)
{
	return sm_counter(
		declare(&(struct sm_family_options){
			.kind = SM_COUNTER, .name = name, .number = number, .decimals = decimals }),
		SM_NO_LABELS);
}

/* The value of a double counter: the sum over the lanes of what their bits mean. */
static double double_sum(const struct sm_counter *c)
{
	double sum = 0;
	unsigned l;

	for (l = 0; l < 4; l++)
		sum += bits_double(*lane_word(c, l, 0));
	return sum;
}

static void counter__counted_inline_and_by_function__is_exact(void **state)
{
	struct sm_counter *c = counter("u_total", SM_NUMBER_U64, 0);

	sm_counter_add(c, 3);
	sm_counter_inc(c);
	sm_counter_add_fn(c, 10);
	sm_counter_add_slow_(c, 100);
	sm_counter_add_signal(c, 1000);
	assert_int_equal(cell_sum(c, 0), 1114);
	assert_int_equal(*lane_word(c, 0, 0), 1000);	/* the shared lane */
}

static void counter__of_whole_units__rounds_doubles(void **state)
{
	struct sm_counter *c = counter("u_total", SM_NUMBER_U64, 0);

	sm_counter_add_double(c, 2.4);
	sm_counter_add_double(c, 2.5);
	sm_counter_add_double(c, 0);
	sm_counter_add_double(c, -0.0);
	assert_int_equal(cell_sum(c, 0), 5);
	/* Odd numbers beyond 2^52 are not rounded to even ones. */
	sm_counter_add_double(c, 0x1.0000000000001p52);
	assert_int_equal(cell_sum(c, 0), 5 + (UINT64_C(1) << 52) + 1);
}

static void counter__of_fixed_point__is_exact(void **state)
{
	struct sm_counter *c = counter("f_total", SM_NUMBER_FIXED, 6);
	unsigned i;

	for (i = 0; i < 1000000; i++)
		sm_counter_add_double(c, 0.1);
	assert_int_equal(cell_sum(c, 0), UINT64_C(100000) * 1000000);
	sm_counter_add(c, 1);		/* in units of 10^-6 */
	assert_int_equal(cell_sum(c, 0), UINT64_C(100000) * 1000000 + 1);
}

static void counter__of_doubles__takes_all_ways(void **state)
{
	struct sm_counter *c = counter("d_total", SM_NUMBER_DOUBLE, 0);

	sm_counter_add_double(c, 0.25);
	sm_counter_add_double(c, 1e-300);
	sm_counter_add(c, 3);
	sm_counter_add_fn(c, 4);
	sm_counter_add_signal(c, 8);
	assert_true(double_sum(c) == 15.25);
}

static void value__that_is_no_amount__is_refused(void **state)
{
	static const double bad[] = { -1, -1e-300, NAN, -NAN, INFINITY, -INFINITY };
	struct sm_counter *u = counter("u_total", SM_NUMBER_U64, 0);
	struct sm_counter *f = counter("f_total", SM_NUMBER_FIXED, 9);
	struct sm_counter *d = counter("d_total", SM_NUMBER_DOUBLE, 0);
	unsigned i;

	for (i = 0; i < 6; i++) {
		sm_counter_add_double(u, bad[i]);
		sm_counter_add_double(f, bad[i]);
		sm_counter_add_double(d, bad[i]);
	}
	assert_int_equal(refused(SM_REFUSED_VALUE), 18);
	/* From 2^62 units on. */
	sm_counter_add_double(u, 0x1p62);
	sm_counter_add_double(f, 0x1p62 / 1e9);
	sm_counter_add_double(d, DBL_MAX);
	assert_int_equal(refused(SM_REFUSED_VALUE), 21);
	assert_int_equal(cell_sum(u, 0), 0);
	assert_int_equal(cell_sum(f, 0), 0);
	assert_true(double_sum(d) == 0);
	sm_counter_add_double(u, 0x1.fffffffffffffp61);
	assert_int_equal(cell_sum(u, 0), (UINT64_C(1) << 62) - 512);
	sm_counter_add_double(d, 0x1p62);
	assert_int_equal(refused(SM_REFUSED_VALUE), 21);
}

static void counter__that_is_null__counts_nowhere(void **state)
{
	struct sm_counter *c = sm_counter(&sm_null_family, SM_NO_LABELS);

	sm_counter_add(c, 1);
	sm_counter_add_fn(c, 1);
	sm_counter_add_signal(c, 1);
	sm_counter_add_double(c, 1);
	sm_counter_add_double(c, NAN);
	assert_int_equal(refused(SM_REFUSED_VALUE), 0);
}

struct worker {
	pthread_t thread;
	struct sm_counter *u, *f, *d;
};

#define ADDS 20000

static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned i;

	for (i = 0; i < ADDS; i++) {
		sm_counter_add(w->u, 1);
		sm_counter_add_double(w->f, 0.001);
		sm_counter_add_double(w->d, 0.5);
		sm_counter_add_signal(w->u, 1);
	}
	return NULL;
}

static void counter__of_more_threads_than_lanes__is_exact(void **state)
{
	struct worker w[8];
	unsigned i;

	for (i = 0; i < 8; i++) {
		w[i].u = counter("u_total", SM_NUMBER_U64, 0);
		w[i].f = counter("f_total", SM_NUMBER_FIXED, 3);
		w[i].d = counter("d_total", SM_NUMBER_DOUBLE, 0);
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (i = 0; i < 8; i++)
		pthread_join(w[i].thread, NULL);
	assert_int_equal(cell_sum(w[0].u, 0), 8 * 2 * ADDS);
	assert_int_equal(cell_sum(w[0].f, 0), 8 * ADDS);
	assert_true(double_sum(w[0].d) == 8 * ADDS * .5);
}

static struct sm_counter *signalled_u, *signalled_d;
static volatile sig_atomic_t signals;

static void on_alarm(int sig)
{
	int saved = errno;

	(void)sig;
	signals++;
	sm_counter_add(signalled_u, 1);
	sm_counter_add_double(signalled_d, 1);
	errno = saved;
}

/* The handler falls into the slow paths of the same counters. */
static void counter__updated_in_a_handler__is_exact(void **state)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct itimerspec every = { { 0, 50000 }, { 0, 50000 } }, never = { { 0, 0 }, { 0, 0 } };
	uint64_t n = 0;
	timer_t timer;

	signalled_u = counter("u_total", SM_NUMBER_U64, 0);
	signalled_d = counter("d_total", SM_NUMBER_DOUBLE, 0);
	signals = 0;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &every, NULL), 0);
	while (signals < 500) {
		sm_counter_add(signalled_u, 1);
		sm_counter_add_double(signalled_d, 1);
		n++;
	}
	assert_int_equal(timer_settime(timer, 0, &never, NULL), 0);
	timer_delete(timer);
	assert_true(double_sum(signalled_d) == (double)(n + (uint64_t)signals));
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
	assert_int_equal(cell_sum(signalled_u, 0), n + (uint64_t)signals);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(counter__counted_inline_and_by_function__is_exact),
		segment_test(counter__of_whole_units__rounds_doubles),
		segment_test(counter__of_fixed_point__is_exact),
		segment_test(counter__of_doubles__takes_all_ways),
		segment_test(value__that_is_no_amount__is_refused),
		segment_test(counter__that_is_null__counts_nowhere),
		segment_test(counter__of_more_threads_than_lanes__is_exact),
		segment_test(counter__updated_in_a_handler__is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
