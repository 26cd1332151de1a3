/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=clock_gettime
/* test_ring.c - the ring of slow operations: order, rate, busy places, texts that do not fit. */
#include <errno.h>
#include <time.h>

#include "ring.h"
#include "segment.h"

#define TRACEPARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define ENTRIES 8		/* of the fixture's segment */

static uint64_t skipped_ns;	/* what the coarse clock is ahead */

int __real_clock_gettime(clockid_t id, struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = __real_clock_gettime(id, ts);

	if (id == CLOCK_MONOTONIC_COARSE)
		ts->tv_sec += (time_t)(skipped_ns / 1000000000u);
	return rc;
}

static void next_second(void)
{
	skipped_ns += UINT64_C(2000000000);
}

static struct sm_ring_entry *entry(unsigned i)
{
	return region_ring(segment.m->region, segment.m->slot, i);
}

static void record__with_everything__is_stored(void **state)
{
	struct sm_ring_entry *e = entry(0);
	uint64_t now = clock_ns(CLOCK_REALTIME);

	assert_int_equal(sm_slow_record(segment.m, "play", "error", 2500000000, TRACEPARENT,
					"guild=big\ncause=rate limit\n"), 0);
	assert_int_equal(e->seq, 2);
	assert_string_equal(e->operation, "play");
	assert_string_equal(e->status, "error");
	assert_int_equal(e->duration_ns, 2500000000);
	assert_in_range(e->start_real_ns, now - 2500000000, now - 2500000000 + 1000000000);
	assert_int_equal(e->trace_id[0], 0x0a);
	assert_int_equal(e->parent_id[7], 0x31);
	assert_true(e->flags & RING_REMOTE);
	assert_int_equal(e->incarnation, segment.m->incarnation);
	assert_int_equal(e->attributes_len, 27);
	assert_memory_equal(e->attributes, "guild=big\0cause=rate limit\0", 27);
	assert_int_equal(e->parts_refused, 0);
	assert_int_equal(writer_slot(segment.m)->ring_head, 1);
}

static void record__with_nothing__has_ids_of_its_own(void **state)
{
	static const uint8_t zero[16];
	struct sm_ring_entry *e = entry(0);

	assert_int_equal(sm_slow_record(segment.m, NULL, NULL, 0, NULL, NULL), 0);
	assert_string_equal(e->operation, "");
	assert_memory_not_equal(e->trace_id, zero, 16);
	assert_memory_not_equal(e->span_id, zero, 8);
	assert_memory_equal(e->parent_id, zero, 8);
	assert_int_equal(e->flags, 0);
	assert_int_equal(e->attributes_len, 0);
}

static void ring__gone_round__keeps_the_last(void **state)
{
	char name[16];
	unsigned i;

	for (i = 0; i < 3 * ENTRIES + 2; i++) {
		if (i % 5 == 0)
			next_second();
		snprintf(name, sizeof(name), "op%u", i);
		assert_int_equal(sm_slow_record(segment.m, name, "ok", i, NULL, NULL), 0);
	}
	assert_int_equal(writer_slot(segment.m)->ring_head, 26);
	assert_string_equal(entry(0)->operation, "op24");
	assert_int_equal(entry(0)->seq, 2 * 25);
	assert_string_equal(entry(1)->operation, "op25");
	assert_string_equal(entry(2)->operation, "op18");
	assert_int_equal(entry(7)->seq, 2 * 24);
}

static void records__over_the_rate__are_refused_and_counted(void **state)
{
	unsigned i;

	next_second();
	for (i = 0; i < 10; i++)
		assert_int_equal(sm_slow_record(segment.m, "a", "ok", 1, NULL, NULL), 0);
	assert_int_equal(sm_slow_record(segment.m, "b", "ok", 1, NULL, NULL), -EAGAIN);
	assert_int_equal(sm_slow_record(segment.m, "b", "ok", 1, NULL, NULL), -EAGAIN);
	assert_int_equal(refused(SM_REFUSED_RING_RATE), 2);
	assert_int_equal(writer_slot(segment.m)->ring_head, 10);
	next_second();
	assert_int_equal(sm_slow_record(segment.m, "c", "ok", 1, NULL, NULL), 0);
	assert_int_equal(refused(SM_REFUSED_RING_RATE), 2);
}

static void place__busy_with_a_thread_of_ours__is_left_alone(void **state)
{
	struct sm_ring_entry *e = entry(0);

	e->seq = 1;
	e->incarnation = segment.m->incarnation;
	assert_int_equal(sm_slow_record(segment.m, "a", "ok", 1, NULL, NULL), -EAGAIN);
	assert_int_equal(e->seq, 1);
	assert_string_equal(e->operation, "");
	assert_int_equal(refused(SM_REFUSED_RING_RATE), 1);
	assert_int_equal(sm_slow_record(segment.m, "b", "ok", 1, NULL, NULL), 0);
	assert_string_equal(entry(1)->operation, "b");
}

static void place__left_busy_by_the_dead__is_taken(void **state)
{
	struct sm_ring_entry *e = entry(0);

	e->seq = 17;
	e->incarnation = segment.m->incarnation - 1;
	assert_int_equal(sm_slow_record(segment.m, "a", "ok", 1, NULL, NULL), 0);
	assert_int_equal(e->seq, 2);
	assert_string_equal(e->operation, "a");
}

static void text__too_long__is_cut_at_a_character_and_counted(void **state)
{
	char field[8], name[200], lines[1200];

	assert_true(ring_text(field, sizeof(field), "1234567"));
	assert_string_equal(field, "1234567");
	assert_false(ring_text(field, sizeof(field), "12345678"));
	assert_string_equal(field, "1234567");
	assert_false(ring_text(field, sizeof(field), "123456\xc3\xa9"));
	assert_string_equal(field, "123456");
	assert_false(ring_text(field, sizeof(field), "\x80\x80\x80\x80\x80\x80\x80\x80\x80"));
	assert_string_equal(field, "");
	assert_true(ring_text(field, sizeof(field), NULL));
	assert_int_equal(field[0] | field[7], 0);

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(lines, 'x', sizeof(lines) - 1);
	lines[sizeof(lines) - 1] = '\0';
	memcpy(lines, "a=", 2);
	lines[500] = '\n';		/* fits */
	lines[520] = '\n';		/* does not any more */
	memcpy(lines + 521, "b=1\n\n", 5);	/* does */
	assert_int_equal(sm_slow_record(segment.m, name, name, 1, "malformed", lines), 0);
	assert_int_equal(strlen(entry(0)->operation), 63);
	assert_int_equal(strlen(entry(0)->status), 31);
	assert_int_equal(entry(0)->attributes_len, 501 + 4);
	assert_string_equal(entry(0)->attributes + 501, "b=1");
	assert_int_equal(entry(0)->parts_refused, 4);
	assert_int_equal(refused(SM_REFUSED_RING_PART), 4);
}

static void threshold__in_the_environment__wins(void **state)
{
	sm_close(segment.m);
	setenv("SHARDMETER_SLOW", "play=500ms,stop=2s", 1);
	segment_open_as("unit", 0);
	unsetenv("SHARDMETER_SLOW");
	assert_int_equal(ring_threshold(segment.m, "play", 7), 500000000);
	assert_int_equal(ring_threshold(segment.m, "stop", 7), 2000000000);
	assert_int_equal(ring_threshold(segment.m, "other", 7), 7);
	assert_int_equal(sm_slow_record(segment.m, "stop", "ok", 1, NULL, NULL), 0);
	assert_int_equal(entry(0)->threshold_ns, 2000000000);
}

static void record__of_a_writer_without_ring__is_refused(void **state)
{
	struct sm *off = sm_open(&(struct sm_options){ .flags = SM_OPEN_DISABLED }, NULL);
	struct sm *common = sm_open(&(struct sm_options){
		.segment = segment.path, .flags = SM_OPEN_COMMON }, NULL);

	assert_int_equal(sm_slow_record(off, "a", "ok", 1, NULL, NULL), 0);
	assert_int_equal(sm_status(common, NULL), 0);
	assert_int_equal(sm_slow_record(common, "a", "ok", 1, NULL, NULL), -EAGAIN);
	sm_close(common);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(record__with_everything__is_stored),
		segment_test(record__with_nothing__has_ids_of_its_own),
		segment_test(ring__gone_round__keeps_the_last),
		segment_test(records__over_the_rate__are_refused_and_counted),
		segment_test(place__busy_with_a_thread_of_ours__is_left_alone),
		segment_test(place__left_busy_by_the_dead__is_taken),
		segment_test(text__too_long__is_cut_at_a_character_and_counted),
		segment_test(threshold__in_the_environment__wins),
		segment_test(record__of_a_writer_without_ring__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
