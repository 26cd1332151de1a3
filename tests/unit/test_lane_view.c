/* SPDX-License-Identifier: Apache-2.0 */
/* test_lane_view.c - view.c: cells as bindings see them, and the word that tells when they move. */
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#include "segment.h"

#define UNSET UINT64_C(0x7ff4d5e7a11e57ed)

static struct sm_lane_view take(void)
{
	struct sm_lane_view view;

	assert_int_equal(sm_lane_view(segment.m, &view), 0);
	assert_int_equal(view.generation, *sm_generation());
	return view;
}

static struct sm_counter *counter(const char *name)
{
	return sm_counter(declare(&(struct sm_family_options){ .kind = SM_COUNTER, .name = name }),
		SM_NO_LABELS);
}

static void cells__stored_to_by_hand__are_those_of_the_functions(void **state)
{
	struct sm_gauge *g =
		sm_gauge(declare(&(struct sm_family_options){ .kind = SM_GAUGE, .name = "g" }),
			SM_NO_LABELS);
	struct sm_updown *u =
		sm_updown(declare(&(struct sm_family_options){ .kind = SM_UPDOWN, .name = "u" }),
			SM_NO_LABELS);
	struct sm_counter *c = counter("c_total");
	struct sm_lane_view view = take();
	double v = 2.5;
	uint64_t bits;

	view.lane[sm_counter_cell(c)] += 5;
	sm_counter_add(c, 2);
	assert_int_equal(cell_sum(c, 0), 7);
	assert_int_equal(view.lane[sm_counter_cell(c)], 7);

	view.lane[sm_updown_cell(u)] -= 5;
	sm_updown_add(u, 1);
	assert_int_equal((int64_t)cell_sum(u, 0), -4);

	memcpy(&bits, &v, sizeof(bits));
	view.shared[sm_gauge_cell(g)] = bits ^ UNSET;
	sm_gauge_add(g, 1);
	bits = view.shared[sm_gauge_cell(g)] ^ UNSET;
	memcpy(&v, &bits, sizeof(v));
	assert_true(v == 3.5);
}

static void buckets__of_a_histogram__end_with_the_rest_and_the_sum(void **state)
{
	struct sm_histogram *h =
		sm_histogram(declare(&(struct sm_family_options){
				     .kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS }),
			SM_NO_LABELS);
	struct sm_lane_view view = take();
	uint64_t *first = view.lane + sm_histogram_cell(h);
	struct sm_bucket_view b;
	unsigned i;

	sm_histogram_buckets(h, &b);
	assert_true(b.count > 240 && b.scale == 1e9);
	for (i = 0; i < b.count; i++)
		sm_histogram_observe(h, b.bounds[i]);
	for (i = 0; i < b.count; i++)
		assert_int_equal(first[i], 1);
	sm_histogram_observe(h, 1e6);
	assert_int_equal(first[b.count], 1);
	assert_true(first[b.count + 1] > UINT64_C(1000000) * 1000000000);

	h = sm_histogram(declare(&(struct sm_family_options){
				 .kind = SM_HISTOGRAM, .name = "s", .is_signed = 1 }),
		SM_NO_LABELS);
	sm_histogram_buckets(h, &b);
	assert_true(b.scale == 0);
}

static void cell__of_what_has_none__is_negative(void **state)
{
	struct sm_family *f = declare(&(struct sm_family_options){
		.kind = SM_GAUGE, .name = "recent", .mode = SM_MODE_MOSTRECENT });
	struct sm_bucket_view b;

	assert_int_equal(sm_gauge_cell(sm_gauge(f, SM_NO_LABELS)), -2);
	assert_int_equal(sm_counter_cell(sm_counter(f, SM_NO_LABELS)), -1);
	assert_int_equal(sm_histogram_cell(sm_histogram(f, SM_NO_LABELS)), -1);
	sm_histogram_buckets(sm_histogram(f, SM_NO_LABELS), &b);
	assert_true(b.bounds != NULL && b.count == 0);
}

static void *take_in_thread(void *arg)
{
	struct sm_lane_view *ret = arg;

	return (void *)(intptr_t)sm_lane_view(segment.m, ret);
}

static void lane__of_each_thread__is_its_own(void **state)
{
	struct sm_lane_view mine = take(), again = take(), other;
	pthread_t thread;
	void *rc;

	assert_ptr_equal(mine.lane, again.lane);
	assert_int_equal(pthread_create(&thread, NULL, take_in_thread, &other), 0);
	assert_int_equal(pthread_join(thread, &rc), 0);
	assert_null(rc);
	assert_ptr_not_equal(mine.lane, other.lane);
	assert_ptr_equal(mine.shared, other.shared);
	assert_int_equal(mine.generation, other.generation);
}

static pthread_barrier_t everyone;

static void *hold_a_lane(void *arg)
{
	void *rc = take_in_thread(arg);

	pthread_barrier_wait(&everyone);
	return rc;
}

static void lane__of_more_threads_than_lanes__is_refused(void **state)
{
	struct sm_lane_view view[4];
	pthread_t thread[4];
	unsigned i, refusals = 0;
	void *rc;

	/* Of four lanes one is shared. */
	pthread_barrier_init(&everyone, NULL, 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, hold_a_lane, &view[i]), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(thread[i], &rc), 0);
		assert_true(rc == NULL || (intptr_t)rc == -EAGAIN);
		refusals += rc != NULL;
	}
	pthread_barrier_destroy(&everyone);
	assert_int_equal(refusals, 1);
}

static void generation__new_series_and_heartbeats__stays(void **state)
{
	uint32_t before = take().generation;

	sm_counter_inc(counter("c_total"));
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_int_equal(take().generation, before);
}

static void generation__file_gone__changes_with_the_cells(void **state)
{
	struct sm_counter *c = counter("c_total");
	struct sm_lane_view before = take(), after;

	before.lane[sm_counter_cell(c)] += 5;
	assert_int_equal(unlink(segment.path), 0);
	assert_int_equal(*sm_generation(), before.generation);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_int_not_equal(*sm_generation(), before.generation);
	/* Whoever has not looked yet does no harm. */
	before.lane[sm_counter_cell(c)] += 5;
	after = take();
	assert_ptr_not_equal(after.lane, before.lane);
	assert_int_equal(after.lane[sm_counter_cell(c)], 0);
}

static void generation__series_removed__changes(void **state)
{
	struct sm_family *f =
		declare(&(struct sm_family_options){ .kind = SM_COUNTER, .name = "c_total" });
	struct sm_counter *c = sm_counter(f, SM_NO_LABELS);
	uint32_t before = take().generation, removed;

	assert_int_equal(sm_remove(f, SM_NO_LABELS, 0), 0);
	removed = *sm_generation();
	assert_int_not_equal(removed, before);
	assert_int_equal(sm_counter_cell(c), -1);
	/* And again when there is a place for it. */
	assert_ptr_equal(sm_counter(f, SM_NO_LABELS), c);
	assert_int_not_equal(*sm_generation(), removed);
	assert_true(sm_counter_cell(c) > 0);
}

static void generation__series_removed_by_another__changes_at_the_heartbeat(void **state)
{
	struct sm_family_options o = { .kind = SM_COUNTER, .name = "c_total" };
	struct sm_options other = { .segment = segment.path, .writer = "other" };
	struct sm_counter *c = sm_counter(declare(&o), SM_NO_LABELS);
	int64_t cell = sm_counter_cell(c);
	uint32_t before = take().generation;
	struct sm *m = sm_open(&other, NULL);

	assert_int_equal(sm_remove(sm_declare(m, &o, NULL), SM_NO_LABELS, SM_REMOVE_FORCE), 0);
	sm_close(m);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_int_not_equal(take().generation, before);
	assert_int_not_equal(sm_counter_cell(c), cell);
}

static void generation__closed__changes_and_there_is_no_view(void **state)
{
	struct sm_lane_view view = take();

	sm_close(segment.m);
	assert_int_not_equal(*sm_generation(), view.generation);
	assert_int_equal(sm_lane_view(segment.m, &view), -ESHUTDOWN);
	segment_open_as("unit", SM_OPEN_DISABLED);
	assert_int_equal(sm_lane_view(segment.m, &view), -ENOTCONN);
}

static void generation__in_a_child__is_another(void **state)
{
	struct sm_lane_view view = take(), child;
	int status;
	pid_t pid;

	if (getenv("EMULATED"))
		skip(); /* qemu-user takes MADV_WIPEONFORK and does nothing */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (*sm_generation() == view.generation)
			_exit(1);
		if (sm_lane_view(segment.m, &child) != 0 || child.generation == view.generation)
			_exit(2);
		_exit(child.lane == view.lane ? 3 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(*sm_generation(), view.generation);
}

static void counter__counted_in_three_ways_with_decimals__is_one_family(void **state)
{
	struct sm_family_options o = {
		.kind = SM_COUNTER, .name = "euros_total", .number = SM_NUMBER_FIXED, .decimals = 2
	};
	int64_t fixed = sm_counter_cell(sm_counter(declare(&o), SM_NO_LABELS)), whole;

	o.number = SM_NUMBER_U64;
	whole = sm_counter_cell(sm_counter(declare(&o), SM_NO_LABELS));
	o.number = SM_NUMBER_DOUBLE;
	assert_true(
		sm_counter_cell(sm_counter(declare(&o), SM_NO_LABELS)) != whole && whole != fixed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(cells__stored_to_by_hand__are_those_of_the_functions),
		segment_test(buckets__of_a_histogram__end_with_the_rest_and_the_sum),
		segment_test(cell__of_what_has_none__is_negative),
		segment_test(lane__of_each_thread__is_its_own),
		segment_test(lane__of_more_threads_than_lanes__is_refused),
		segment_test(generation__new_series_and_heartbeats__stays),
		segment_test(generation__file_gone__changes_with_the_cells),
		segment_test(generation__series_removed__changes),
		segment_test(generation__series_removed_by_another__changes_at_the_heartbeat),
		segment_test(generation__closed__changes_and_there_is_no_view),
		segment_test(generation__in_a_child__is_another),
		segment_test(counter__counted_in_three_ways_with_decimals__is_one_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
