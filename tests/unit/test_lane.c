/* SPDX-License-Identifier: Apache-2.0 */
/* test_lane.c - which lane a thread writes to: rows, prepared lanes, ended threads, children. */
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#include "segment.h"

static struct sm_counter *counter;
static sm_where_ where;
static unsigned number;

static int set_up(void **state)
{
	struct sm_options o = {
		.segment = segment.path,
		.writer = "unit",
		.thread_lanes = 2,
		.max_writers = 8,
		.lanes_per_writer = 4,
		.max_families = 8,
		.max_series = 64,
		.max_cells = 4096,
		.ring_entries = 2,
	};

	(void)state;
	strcpy(segment.dir, "/dev/shm/shardmeter-test-XXXXXX");
	if (!mkdtemp(segment.dir))
		return -1;
	snprintf(segment.path, sizeof(segment.path), "%s/segment", segment.dir);
	segment.m = sm_open(&o, NULL);
	counter = sm_counter(
		declare(&(struct sm_family_options){ .kind = SM_COUNTER, .name = "c_total" }),
		SM_NO_LABELS);
	where = place_of(counter);
	number = WHERE_ENTRY(where) / 2;
	return 0;
}

#define lane_test(f) cmocka_unit_test_setup_teardown(f, set_up, segment_tear_down)

/* In a thread of its own. */
static void in_thread(void *(*f)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, f, arg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void where__holds_entry_and_byte(void **state)
{
	sm_where_ w = WHERE(63, 5);

	assert_int_equal(WHERE_ENTRY(w), 63);
	assert_int_equal(WHERE_BYTE(w), 40);
	w = WHERE(2, SM_MAX_CELLS - 1);
	assert_int_equal(WHERE_BYTE(w), (SM_MAX_CELLS - 1) * UINT64_C(8));
	assert_int_equal(WHERE_ENTRY(w), 2);
	/* A sum's cell is reached by adding its distance. */
	assert_int_equal(WHERE_BYTE(WHERE(4, 100) + ((sm_where_)7 << 35)), 107 * 8);
}

static void cell__of_the_first_thread__is_in_a_lane_of_its_own(void **state)
{
	uint64_t *cell, *shared_cell;
	bool shared = true;

	cell = lane_cell(where, 1, &shared);
	assert_false(shared);
	assert_ptr_equal(cell, lane_word(counter, 1, 0));
	assert_ptr_equal(lane_cell(where, 1, &shared), cell);
	shared_cell = lane_shared_cell(where, 1);
	assert_ptr_equal(shared_cell, lane_word(counter, 0, 0));
	/* And the inline code finds it without help. */
	sm_counter_add(counter, 3);
	assert_int_equal(*cell, 3);
	assert_int_equal(*shared_cell, 0);
}

static void cell__of_nowhere__is_null(void **state)
{
	bool shared;

	assert_null(lane_cell(0, 1, &shared));
	assert_null(lane_cell(1, 1, &shared));
	assert_null(lane_cell(WHERE(62, 8), 1, &shared));	/* a region that nobody opened */
	assert_null(lane_cell(WHERE(200, 8), 1, &shared));
	errno = 42;
	lane_cell(0, 1, &shared);
	assert_int_equal(errno, 42);
}

struct seen {
	uint64_t *cell;
	bool shared;
	pthread_barrier_t *barrier;
};

static void *look(void *arg)
{
	struct seen *s = arg;

	s->cell = lane_cell(where, 1, &s->shared);
	if (s->barrier)
		pthread_barrier_wait(s->barrier);
	return NULL;
}

static void threads__at_the_same_time__have_different_lanes(void **state)
{
	pthread_barrier_t barrier;
	struct seen s[4];
	pthread_t thread[4];
	unsigned i, k, own = 0;

	assert_int_equal(lanes_prepared(number), 2);
	assert_int_equal(lanes_free(number), 2);
	assert_false(lanes_wanted(number));
	pthread_barrier_init(&barrier, NULL, 4);
	for (i = 0; i < 4; i++) {
		s[i].barrier = &barrier;
		assert_int_equal(pthread_create(&thread[i], NULL, look, &s[i]), 0);
	}
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 4; i++) {
		own += !s[i].shared;
		if (s[i].shared)
			assert_ptr_equal(s[i].cell, lane_word(counter, 0, 0));
		for (k = 0; k < i; k++)
			assert_true(s[i].cell != s[k].cell || (s[i].shared && s[k].shared));
	}
	assert_int_equal(own, 2);
	assert_true(lanes_wanted(number));
	assert_false(lanes_wanted(number));		/* since the last call */
	assert_true(writer_slot(segment.m)->shared_updates >= 2);
	pthread_barrier_destroy(&barrier);
}

/* Waits until the kernel does not know a joined thread any more. */
static void wait_for_free_lanes(unsigned n)
{
	unsigned tries;

	for (tries = 0; lanes_free(number) < n && tries < 5000; tries++)
		usleep(1000);
	assert_int_equal(lanes_free(number), n);
}

static void lane__of_an_ended_thread__is_taken_by_the_next(void **state)
{
	struct seen s[2] = { { 0 } };

	in_thread(look, &s[0]);
	wait_for_free_lanes(2);
	in_thread(look, &s[1]);
	assert_false(s[0].shared || s[1].shared);
	assert_ptr_equal(s[0].cell, s[1].cell);
}

/* That a thread knows the shared lane from a gauge says nothing of counts. */
static void shared_lane__with_its_first_count__is_said_to_have_counts(void **state)
{
	struct sm_gauge *g =
		sm_gauge(declare(&(struct sm_family_options){ .kind = SM_GAUGE, .name = "g" }),
			SM_NO_LABELS);
	const struct sm_slot *s = writer_slot(segment.m);

	sm_gauge_set(g, 1);
	sm_gauge_add(g, 1);
	sm_gauge_add(g, 1);
	assert_int_equal(s->written, 0);
	sm_counter_add_signal(counter, 1);
	assert_int_equal(s->written, 1);
	sm_counter_add(counter, 1);
	assert_int_equal(s->written, 3);
	assert_int_equal(*lane_word(counter, 0, 0), 1);
}

/* More threads, one after the other, than there are rows. */
static void rows__of_ended_threads__are_used_again(void **state)
{
	struct seen s = { 0 };
	unsigned i;

	for (i = 0; i < 1100; i++)
		in_thread(look, &s);
	wait_for_free_lanes(2);
	in_thread(look, &s);
	assert_false(s.shared);
}

/* ---- the inline region --------------------------------------------------------------------- */

#define KEY(x) ((x) >> 48)

static void *word_of(void *arg)
{
	sm_counter_add(counter, 1);
	*(uint64_t *)arg = sm_lane_;
	return NULL;
}

static void word__of_a_thread__leads_to_its_own_cell(void **state)
{
	uint64_t other;

	sm_lane_ = SM_NO_LANE_;
	sm_counter_add(counter, 1);
	assert_int_equal(sm_lane_, lane_inline_word());
	assert_int_equal(KEY(counter->where), KEY(sm_lane_ - 1) + 1);
	assert_ptr_equal((uint64_t *)(uintptr_t)(counter->where - sm_lane_),
			 lane_word(counter, 1, 0));
	in_thread(word_of, &other);
	assert_ptr_equal((uint64_t *)(uintptr_t)(counter->where - other), lane_word(counter, 2, 0));
}

static void word__of_an_earlier_claim__finds_nothing(void **state)
{
	struct sm_counter *before = counter;
	uint64_t lane, key = KEY(counter->where);
	uintptr_t cell;

	sm_counter_add(counter, 1);
	lane = sm_lane_now_();
	assert_true(sm_find_(lane, counter->where, &cell));
	sm_close(segment.m);
	assert_false(sm_find_(lane, counter->where, &cell));
	assert_int_equal(lanes_inline(), 0);
	assert_int_equal(lane_inline_word(), SM_NO_LANE_);
	assert_int_equal(lanes_prepared(number), 0);
	assert_false(lanes_claimed(number));
	segment_open_as("unit", 0);
	counter = sm_counter(
		declare(&(struct sm_family_options){ .kind = SM_COUNTER, .name = "c_total" }),
		SM_NO_LABELS);
	assert_int_equal(KEY(counter->where), key - 1);
	/* This file's word is from before; it is replaced by the update that finds out. */
	assert_int_equal(sm_lane_, lane);
	assert_false(sm_find_(lane, counter->where, &cell));
	sm_counter_add(before, 1);
	sm_counter_add(counter, 1);
	sm_counter_add(counter, 1);
	assert_true(sm_find_(sm_lane_now_(), counter->where, &cell));
	assert_int_equal(cell_sum(counter, 0), 3);
}

/* As a signal handler may do it: it comes between the word and `where`, and has a new word. */
static void word__read_before_the_file_is_replaced__finds_nothing(void **state)
{
	sm_where_ before = counter->where;
	uintptr_t cell;
	uint64_t lane;

	sm_counter_add(counter, 1);
	lane = sm_lane_now_();
	assert_int_equal(unlink(segment.path), 0);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	sm_counter_add(counter, 1);
	assert_true(KEY(counter->where) < KEY(before) && sm_lane_ < lane);
	assert_false(sm_find_(lane, counter->where, &cell));
	assert_int_equal(*lane_word(counter, 1, 0), 1);
}

/* Without a key there is no inline path but that of gauges. */
static void keys__used_up__leave_the_functions(void **state)
{
	struct sm_gauge *g;

	sm_close(segment.m);
	lanes_keys_left = 1;
	segment_open_as("unit", 0);
	assert_int_equal(lanes_inline(), 1);
	assert_int_equal(lanes_keys_left, 0);
	assert_int_equal(unlink(segment.path), 0);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_int_equal(lanes_inline(), 0);
	counter = sm_counter(
		declare(&(struct sm_family_options){ .kind = SM_COUNTER, .name = "c_total" }),
		SM_NO_LABELS);
	g = sm_gauge(declare(&(struct sm_family_options){ .kind = SM_GAUGE, .name = "g" }),
		SM_NO_LABELS);
	assert_true(counter->where == 0 && g->where != 0);
	sm_counter_add(counter, 2);
	sm_counter_add(counter, 2);
	sm_gauge_set(g, 7);
	assert_int_equal(*lane_word(counter, 1, 0), 4);
	assert_true(bits_double(*lane_word(g, 0, 0) ^ SM_UNSET) == 7);
	lanes_keys_left = 1000;
}

static void region__too_high_for_a_key__has_none(void **state)
{
	uint32_t left = lanes_keys_left;

	assert_int_equal(process_lock(), 0);
	lanes_inline_begin(number, (uintptr_t)UINT64_C(0x1000000000000));
	assert_int_equal(lanes_inline(), 0);
	assert_int_equal(lane_inline_word(), SM_NO_LANE_);
	assert_int_equal(lanes_keys_left, left);
	lanes_inline_begin(number, (uintptr_t)UINT64_C(0xffffffffffff));
	assert_int_equal(lanes_inline(), number);
	assert_int_equal(lanes_keys_left, left - 1);
	process_unlock();
}

/* One region has it; when that is given up the next, at its heartbeat. */
static void writers__two_in_a_process__both_count(void **state)
{
	struct sm *first = segment.m;
	struct sm_counter *c, *mine = counter;
	struct sm_gauge *g;

	segment_open_as("other", 0);
	c = sm_counter(
		declare(&(struct sm_family_options){ .kind = SM_COUNTER, .name = "c_total" }),
		SM_NO_LABELS);
	g = sm_gauge(declare(&(struct sm_family_options){ .kind = SM_GAUGE, .name = "g" }),
		SM_NO_LABELS);
	assert_true(mine->where && !c->where && g->where);
	sm_counter_add(mine, 1);
	sm_counter_add(c, 10);
	sm_counter_add(mine, 1);
	sm_counter_add(c, 10);
	assert_int_equal(*lane_word(c, 1, 0), 20);	/* a lane of the thread's own */
	sm_heartbeat(segment.m);
	assert_int_equal(c->where, 0);
	sm_close(first);
	assert_int_equal(c->where, 0);
	sm_heartbeat(segment.m);
	assert_int_not_equal(c->where, 0);
	sm_counter_add(c, 10);
	sm_counter_add(c, 10);
	assert_int_equal(*lane_word(c, 1, 0), 40);
}

/* Every region takes a number; there are so many of them. */
static void numbers__of_regions__run_out_in_good_order(void **state)
{
	int taken[LANE_REGIONS], n = 0, i;

	assert_int_equal(process_lock(), 0);
	while ((taken[n] = lanes_region_new(segment.m)) > 0)
		n++;
	assert_int_equal(taken[n], -ENOSPC);
	assert_int_equal(n, LANE_REGIONS - 2);		/* 0 is nowhere, and one was in use */
	for (i = 0; i < n; i++)
		lanes_region_free((unsigned)taken[i]);
	assert_true(lanes_region_new(segment.m) > 0);
	for (i = 1; i < (int)LANE_REGIONS; i++)
		if ((unsigned)i != number)
			lanes_region_free((unsigned)i);
	process_unlock();
}

/* ---- the process mutex --------------------------------------------------------------------- */

static uint32_t inside, together;

static void *take_turns(void *arg)
{
	unsigned i;

	for (i = 0; i < 2000; i++) {
		if (process_lock() != 0)
			return arg;
		together += ++inside != 1;
		inside--;
		process_unlock();
	}
	return NULL;
}

static void mutex__of_the_process__is_one(void **state)
{
	pthread_t thread[4];
	void *failed;
	unsigned i;

	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take_turns, &thread), 0);
	for (i = 0; i < 4; i++) {
		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(together, 0);
	assert_true(process_trylock());
	assert_false(process_trylock());
	process_unlock();
}

/* ---- children ------------------------------------------------------------------------------ */

static int child_of_fork(void)
{
	uint64_t lane = sm_lane_;
	bool shared;

	if (lanes_claimed(number) || lanes_prepared(number) || counter->where ||
	    lane_inline_word() != SM_NO_LANE_)
		return 1;
	if (!process_trylock())		/* its parent may have had it */
		return 2;
	process_unlock();
	if (!lane_cell(where, 1, &shared) || shared || !lanes_claimed(number))
		return 3;
	if (counter->where >= lane || lane_inline_word() >= lane || lane_inline_word() > counter->where)
		return 4;
	return 0;
}

static void child__of_fork__starts_without_lanes(void **state)
{
	uint32_t slot = segment.m->slot;
	int status;
	pid_t pid;

	if (getenv("EMULATED"))
		skip();			/* qemu-user 7.2 does nothing for MADV_WIPEONFORK */
	sm_counter_add(counter, 1);
	pid = fork();
	if (pid == 0)
		_exit(child_of_fork());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(segment.m->slot, slot);
	assert_true(lanes_claimed(number));
	assert_int_equal(cell_sum(counter, 0), 1);
}

static void double__added_by_many__is_exact(void **state)
{
	uint64_t cell = 0;
	double v;
	unsigned i;

	for (i = 0; i < 1000; i++)
		lane_add_double(&cell, .5);
	memcpy(&v, &cell, 8);
	assert_true(v == 500);
	lane_add_double(&cell, -500);
	memcpy(&v, &cell, 8);
	assert_true(v == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		lane_test(where__holds_entry_and_byte),
		lane_test(cell__of_the_first_thread__is_in_a_lane_of_its_own),
		lane_test(cell__of_nowhere__is_null),
		lane_test(threads__at_the_same_time__have_different_lanes),
		lane_test(lane__of_an_ended_thread__is_taken_by_the_next),
		lane_test(shared_lane__with_its_first_count__is_said_to_have_counts),
		lane_test(rows__of_ended_threads__are_used_again),
		lane_test(word__of_a_thread__leads_to_its_own_cell),
		lane_test(word__of_an_earlier_claim__finds_nothing),
		lane_test(word__read_before_the_file_is_replaced__finds_nothing),
		lane_test(keys__used_up__leave_the_functions),
		lane_test(region__too_high_for_a_key__has_none),
		lane_test(writers__two_in_a_process__both_count),
		lane_test(numbers__of_regions__run_out_in_good_order),
		lane_test(mutex__of_the_process__is_one),
		lane_test(child__of_fork__starts_without_lanes),
		lane_test(double__added_by_many__is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
