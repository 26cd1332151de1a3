/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=clock_boot_coarse_ns
/* test_gauge.c - set gauges, those of mode mostrecent, up-down gauges. */
#include <math.h>
#include <pthread.h>

#include "clock.h"
#include "segment.h"

/* Called, once, in the middle of setting a mostrecent gauge. */
static void (*in_the_middle)(void);
static uint64_t boot_ns;

uint64_t __wrap_clock_boot_coarse_ns(void)
{
	void (*f)(void) = __atomic_exchange_n(&in_the_middle, NULL, __ATOMIC_RELAXED);

	if (f)
		f();
	return boot_ns;
}

static struct sm_gauge *gauge(const char *name, enum sm_gauge_mode mode)
{
	return sm_gauge(declare(&(struct sm_family_options){
		.kind = SM_GAUGE, .name = name, .mode = mode }), SM_NO_LABELS);
}

static bool is_set(const struct sm_gauge *g)
{
	return *lane_word(g, 0, 0) != 0;
}

static double value_of(const struct sm_gauge *g)
{
	return bits_double(*lane_word(g, 0, 0) ^ SM_UNSET);
}

static void gauge__set_inline_and_by_function__holds_the_last(void **state)
{
	struct sm_gauge *g = gauge("g", SM_MODE_SUM);

	assert_false(is_set(g));
	sm_gauge_set(g, 0);
	assert_true(is_set(g) && value_of(g) == 0);
	sm_gauge_set(g, -2.5);
	assert_true(value_of(g) == -2.5);
	sm_gauge_set_fn(g, INFINITY);
	assert_true(isinf(value_of(g)));
	sm_gauge_set_slow_(g, NAN);
	assert_true(is_set(g) && isnan(value_of(g)));
	sm_gauge_unset(g);
	assert_false(is_set(g));
}

static void gauge__added_to__starts_from_nothing(void **state)
{
	struct sm_gauge *g = gauge("g", SM_MODE_MAX);

	sm_gauge_add(g, 1.5);
	assert_true(value_of(g) == 1.5);
	sm_gauge_add(g, -2);
	assert_true(value_of(g) == -.5);
	sm_gauge_set(g, 10);
	sm_gauge_add(g, 1);
	assert_true(value_of(g) == 11);
	sm_gauge_unset(g);
	sm_gauge_add(g, 1);
	assert_true(value_of(g) == 1);
}

static void *add_many(void *arg)
{
	unsigned i;

	for (i = 0; i < 50000; i++)
		sm_gauge_add(arg, 1);
	return NULL;
}

static void *updown_many(void *arg)
{
	unsigned i;

	for (i = 0; i < 50000; i++) {
		sm_updown_add(arg, 3);
		sm_updown_add_signal(arg, -1);
		sm_updown_add_fn(arg, -1);
	}
	return NULL;
}

static void in_threads(void *(*f)(void *), void *arg)
{
	pthread_t t[6];
	unsigned i;

	for (i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&t[i], NULL, f, arg), 0);
	for (i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
}

static void gauge__added_to_by_threads__is_exact(void **state)
{
	struct sm_gauge *g = gauge("g", SM_MODE_SUM), *r = gauge("r", SM_MODE_MOSTRECENT);

	in_threads(add_many, g);
	assert_true(value_of(g) == 300000);
	in_threads(add_many, r);
	assert_int_equal(*lane_word(r, 0, SM_RECENT_SEQ) % 2, 0);
	assert_int_equal(refused(SM_REFUSED_LOST_UPDATE), 0);
	assert_true(bits_double(*lane_word(r, 0, SM_RECENT_VALUE) ^ SM_UNSET) == 300000);
}

static void updown__moved_by_threads__is_exact(void **state)
{
	struct sm_updown *u = sm_updown(declare(&(struct sm_family_options){
		.kind = SM_UPDOWN, .name = "u" }), SM_NO_LABELS);

	sm_updown_add_slow_(u, -7);
	in_threads(updown_many, u);
	assert_int_equal((int64_t)cell_sum(u, 0), 300000 - 7);
}

/* ---- mostrecent --------------------------------------------------------------------------- */

static struct sm_gauge *recent;

static void assert_recent(double value, uint64_t at_ns)
{
	assert_int_equal(*lane_word(recent, 0, SM_RECENT_SEQ) % 2, 0);
	assert_true(bits_double(*lane_word(recent, 0, SM_RECENT_VALUE) ^ SM_UNSET) == value);
	assert_int_equal(*lane_word(recent, 0, SM_RECENT_TIME), at_ns);
}

static void recent__set__has_its_time(void **state)
{
	recent = gauge("r", SM_MODE_MOSTRECENT);
	boot_ns = 100;
	sm_gauge_set(recent, 4);
	assert_recent(4, 100);
	assert_int_equal(*lane_word(recent, 0, SM_RECENT_SEQ), 2);
	boot_ns = 200;
	sm_gauge_set_fn(recent, 5);
	assert_recent(5, 200);
	boot_ns = 300;
	sm_gauge_add(recent, -7);
	assert_recent(-2, 300);
	sm_gauge_unset(recent);
	assert_int_equal(*lane_word(recent, 0, SM_RECENT_VALUE), 0);
	sm_gauge_add(recent, 8);
	assert_recent(8, 300);
}

static void set_in_the_middle(void)
{
	sm_gauge_set(recent, 77);
}

/* What a signal handler does to the set that it interrupts. */
static void recent__set_within_a_set__ends_whole(void **state)
{
	recent = gauge("r", SM_MODE_MOSTRECENT);
	boot_ns = 1;
	in_the_middle = set_in_the_middle;
	sm_gauge_set(recent, 4);
	assert_int_equal(*lane_word(recent, 0, SM_RECENT_SEQ) % 2, 0);
	assert_int_equal(refused(SM_REFUSED_LOST_UPDATE), 0);
	/* The handler came after the value was stored, so its own stays. */
	assert_true(bits_double(*lane_word(recent, 0, SM_RECENT_VALUE) ^ SM_UNSET) == 77);
	boot_ns = 2;
	sm_gauge_set(recent, 5);
	assert_recent(5, 2);
}

static void recent__left_odd_by_the_dead__is_taken_over(void **state)
{
	recent = gauge("r", SM_MODE_MOSTRECENT);
	sm_gauge_set(recent, 1);
	*lane_word(recent, 0, SM_RECENT_SEQ) = 9;
	boot_ns = 3;
	sm_gauge_set(recent, 6);
	assert_recent(6, 3);
	assert_int_equal(*lane_word(recent, 0, SM_RECENT_SEQ), 12);
	assert_int_equal(refused(SM_REFUSED_LOST_UPDATE), 0);
}

static void gauge__that_is_null__is_set_nowhere(void **state)
{
	struct sm_gauge *g = sm_gauge(&sm_null_family, SM_NO_LABELS);
	struct sm_updown *u = sm_updown(&sm_null_family, SM_NO_LABELS);

	sm_gauge_set(g, 1);
	sm_gauge_set_fn(g, 1);
	sm_gauge_add(g, 1);
	sm_gauge_unset(g);
	sm_updown_add(u, 1);
	sm_updown_add_signal(u, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(gauge__set_inline_and_by_function__holds_the_last),
		segment_test(gauge__added_to__starts_from_nothing),
		segment_test(gauge__added_to_by_threads__is_exact),
		segment_test(updown__moved_by_threads__is_exact),
		segment_test(recent__set__has_its_time),
		segment_test(recent__set_within_a_set__ends_whole),
		segment_test(recent__left_odd_by_the_dead__is_taken_over),
		segment_test(gauge__that_is_null__is_set_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
