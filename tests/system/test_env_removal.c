/* SPDX-License-Identifier: Apache-2.0 */
// LINK: static
/*
 * test_env_removal.c - series that are removed: gone at once, their storage used again only after
 * it cooled off and while no live writer holds them, and then from zero.
 */
#include "catalog.h"
#include "proc.h"

static struct sm *m;

static struct sm_family *family(struct sm *of)
{
	return declare_family(of, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "l" } });
}

static bool exists(const char *value)
{
	const struct sm_snapshot *s = snapshot_of(test_path);
	bool there = find_series(s, "c_total", value) != NULL;

	sm_snapshot_free(s);
	return there;
}

/* Record number of a series; NO_RECORD if it is not there. */
static uint32_t record_of(const char *value)
{
	const struct sm_snapshot *s = snapshot_of(test_path);
	const struct sm_series_info *series = find_series(s, "c_total", value);
	uint32_t id = series ? series->id : NO_RECORD;

	sm_snapshot_free(s);
	return id;
}

static uint64_t value_of(const char *value)
{
	const struct sm_snapshot *s = snapshot_of(test_path);
	struct sm_value v;

	CHECK(sm_snapshot_number(s, find_series(s, "c_total", value), SM_ALL_WRITERS, &v) == 0);
	sm_snapshot_free(s);
	return v.units;
}

static uint32_t make(const char *value, uint64_t n)
{
	sm_counter_add(sm_counter(family(m), SM_LABELS(value)), n);
	return record_of(value);
}

static void series__removed__is_gone_and_its_handle_null(void)
{
	struct sm_counter *c;

	m = open_writer("w");
	make("a", 5);
	make("b", 7);
	c = sm_counter(family(m), SM_LABELS("a"));
	CHECK(sm_remove(family(m), SM_LABELS("a"), 0) == 0);
	CHECK(!exists("a") && exists("b"));
	sm_counter_add(c, 100);				/* into nowhere */
	CHECK(!exists("a"));
	CHECK(sm_remove(family(m), SM_LABELS("a"), 0) == -ENOENT);
	CHECK(sm_remove(family(m), SM_LABELS("never"), 0) == -ENOENT);
	CHECK(sm_remove(family(m), SM_LABELS("a", "b"), 0) == -EINVAL);
	/* Resolved again it is a new series, from 0. */
	CHECK(sm_counter(family(m), SM_LABELS("a")) == c);
	sm_counter_add(c, 2);
	CHECK_U64(value_of("a"), 2);
	CHECK_U64(value_of("b"), 7);
	CHECK(sm_heartbeat(m) == 0);
	CHECK_U64(value_of("a"), 2);
	check_sane(test_path);
}

static void storage__is_used_again_only_after_it_cooled_off(void)
{
	struct sm_gc_result gc;
	uint32_t a;

	m = open_writer("w");
	a = make("a", 5);
	CHECK(sm_remove(family(m), SM_LABELS("a"), 0) == 0);
	CHECK(make("b", 1) != a);			/* still hot */
	CHECK(sm_gc(test_path, 0, &gc, NULL) == 0 && gc.series == 0);
	catalog_cool_off_ns = 1;
	CHECK_U64(make("c", 1), a);
	CHECK_U64(value_of("c"), 1);			/* from 0, not from 5 */
	CHECK_U64(value_of("b"), 1);
	check_sane(test_path);
}

/* Another writer that holds the series keeps it from being removed, and, if it is removed by
 * force, its storage from being used. */
static void storage__that_a_live_writer_holds__is_not_used(void)
{
	struct sm_gc_result gc;
	struct sm *other;
	struct sm_counter *theirs;
	uint32_t a;

	m = open_writer("w");
	other = open_writer("other");
	a = make("a", 5);
	theirs = sm_counter(family(other), SM_LABELS("a"));
	sm_counter_add(theirs, 10);
	CHECK(sm_remove(family(m), SM_LABELS("a"), 0) == -EBUSY);
	CHECK_U64(value_of("a"), 15);
	CHECK(sm_remove(family(m), SM_LABELS("a"), SM_REMOVE_FORCE) == 0);
	CHECK(!exists("a"));
	catalog_cool_off_ns = 1;
	sm_counter_add(theirs, 1000);			/* it has not noticed; lost */
	CHECK(make("b", 1) != a);
	CHECK(sm_gc(test_path, 0, &gc, NULL) == 0 && gc.series == 0);
	/* At its heartbeat it lets go and begins anew. */
	CHECK(sm_heartbeat(other) == 0);
	sm_counter_add(theirs, 3);
	CHECK_U64(value_of("a"), 3);
	CHECK_U64(value_of("b"), 1);
	CHECK(record_of("a") == a || make("c", 1) == a);
	CHECK_U64(count_of(test_path, "c_total"), record_of("a") == a ? 4 : 5);
	check_sane(test_path);
}

/* The dead hold nothing: neither removal nor reuse waits for them, nor for those that are
 * adopted. */
static void storage__that_only_the_dead_held__is_used(void)
{
	uint32_t a = NO_RECORD;
	pid_t pid;

	m = open_writer("w");
	pid = fork();
	if (pid == 0) {
		sm_counter_add(sm_counter(family(open_writer("dead")), SM_LABELS("a")), 40);
		_exit(0);
	}
	wait_ok(pid);
	a = record_of("a");
	CHECK_U64(value_of("a"), 40);
	CHECK(sm_remove(family(m), SM_LABELS("a"), 0) == 0);
	catalog_cool_off_ns = 1;
	CHECK_U64(make("b", 2), a);
	CHECK_U64(value_of("b"), 2);			/* the dead one's 40 are not in it */
	open_writer("dead");				/* nor when its slot is adopted */
	CHECK_U64(value_of("b"), 2);
	check_sane(test_path);
}

/* A forked child that has not claimed yet holds nothing: if its series goes and the storage is
 * another's, it must not count there. */
static void child__that_slept_through_a_removal__counts_nothing_wrong(void)
{
	struct sm_counter *c;
	struct gate gate;
	uint32_t a;
	pid_t pid;

	catalog_cool_off_ns = 1;
	m = open_writer("w");
	a = make("a", 5);
	c = sm_counter(family(m), SM_LABELS("a"));
	gate_open(&gate);
	pid = fork();
	if (pid == 0) {
		gate_wait(gate.to_child);
		sm_counter_add(c, 1000);
		sm_counter_add(c, 1000);
		CHECK(sm_heartbeat(m) == 0);
		sm_counter_add(c, 3);
		_exit(0);
	}
	CHECK(sm_remove(family(m), SM_LABELS("a"), 0) == 0);
	CHECK_U64(make("b", 1), a);
	gate_say(gate.to_child);
	wait_ok(pid);
	CHECK_U64(value_of("b"), 1);
	CHECK_U64(value_of("a"), 3);
	check_sane(test_path);
}

/* Storage of all shapes comes back, many times over: the segment does not fill up. */
static void segment__of_many_removals__does_not_fill_up(void)
{
	struct sm_options o = small("w");
	const struct sm_snapshot *first, *last;
	struct sm_family *h, *c, *g;
	char text[32];
	unsigned i;

	o.max_series = 64;
	o.max_cells = 4096;
	catalog_cool_off_ns = 0;
	m = sm_open(&o, NULL);
	first = NULL;
	for (i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "value %u", i % 100);
		c = family(m);
		h = declare_family(m, &(struct sm_family_options){
			.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS,
			.labels = { "l" }, .exemplars = 1 });
		g = declare_family(m, &(struct sm_family_options){
			.kind = SM_GAUGE, .name = "g", .labels = { "l" },
			.mode = SM_MODE_MOSTRECENT });
		sm_counter_add(sm_counter(c, SM_LABELS(text)), i + 1);
		sm_histogram_observe(sm_histogram(h, SM_LABELS(text)), 1);
		sm_gauge_set(sm_gauge(g, SM_LABELS(text)), i);
		CHECK_U64(count_of(test_path, "c_total"), i + 1);
		CHECK_U64(count_of(test_path, "h"), 1);
		CHECK(gauge_of(test_path, "g") == i);
		CHECK(sm_remove(c, SM_LABELS(text), 0) == 0);
		CHECK(sm_remove(h, SM_LABELS(text), 0) == 0);
		CHECK(sm_remove(g, SM_LABELS(text), 0) == 0);
		if (i == 10)
			first = snapshot_of(test_path);
	}
	last = snapshot_of(test_path);
	CHECK_U64(last->fill.series, first->fill.series);
	CHECK_U64(last->fill.cells, first->fill.cells);
	CHECK_U64(last->fill.strings, first->fill.strings);
	CHECK_U64(last->removals, 1500);
	CHECK_U64(refusals(test_path, "series_full") + refusals(test_path, "cells_full"), 0);
	check_sane(test_path);
}

/* gc zeroes what cooled off, and folds the dead. */
static void gc__frees_and_folds(void)
{
	struct sm_gc_result gc;
	struct sm_diag diag;
	pid_t pid;

	m = open_writer("w");
	pid = fork();
	if (pid == 0) {
		sm_counter_add(sm_counter(family(open_writer("dead")), SM_LABELS("a")), 40);
		_exit(0);
	}
	wait_ok(pid);
	make("b", 2);
	CHECK(sm_remove(family(m), SM_LABELS("b"), 0) == 0);
	CHECK(sm_gc(test_path, 3600, &gc, &diag) == 0);
	CHECK_U64(gc.writers, 0);			/* not yet an hour dead */
	CHECK_U64(gc.series, 0);
	catalog_cool_off_ns = 1;
	CHECK(sm_gc(test_path, 0, &gc, &diag) == 0);
	CHECK_U64(gc.writers, 1);
	CHECK_U64(gc.series, 1);
	CHECK(gc.bytes > 0);
	CHECK_U64(value_of("a"), 40);
	{
		const struct sm_snapshot *s = snapshot_of(test_path);

		CHECK(!find_writer(s, "dead") && find_writer(s, "w"));
		CHECK_U64(s->folds, 1);
		sm_snapshot_free(s);
	}
	CHECK(sm_gc(test_path, 0, &gc, &diag) == 0);
	CHECK_U64(gc.writers + gc.series, 0);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(series__removed__is_gone_and_its_handle_null),
	TEST_CASE(storage__is_used_again_only_after_it_cooled_off),
	TEST_CASE(storage__that_a_live_writer_holds__is_not_used),
	TEST_CASE(storage__that_only_the_dead_held__is_used),
	TEST_CASE(child__that_slept_through_a_removal__counts_nothing_wrong),
	TEST_CASE(segment__of_many_removals__does_not_fill_up),
	TEST_CASE(gc__frees_and_folds),
};

TEST_MAIN(cases)
