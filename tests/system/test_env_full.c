/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_env_full.c - a segment that is full: of series, families, cells, strings, writers,
 * exemplars. Each is refused by its reason and counted; what was there before goes on; no crash,
 * no other series hurt.
 */
#include "proc.h"

static struct sm *open_sized(const struct sm_options *o)
{
	struct sm_diag diag;
	struct sm *m = sm_open(o, &diag);

	if (diag.error)
		FAIL("%s", diag.message);
	return m;
}

static struct sm_family *labelled(struct sm *m, const char *name)
{
	return declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = name, .labels = { "l" }, .cap = 100000 });
}

/* Add 1 to n series of a family; only so many are there in the end, and no more were counted. */
static void fill(struct sm *m, unsigned n, unsigned want, const char *reason)
{
	struct sm_family *f = labelled(m, "c_total");
	const struct sm_snapshot *s;
	char text[16];
	unsigned i, round;

	for (round = 1; round <= 2; round++) {
		for (i = 0; i < n; i++) {
			snprintf(text, sizeof(text), "%u", i);
			sm_counter_add(sm_counter(f, SM_LABELS(text)), 1);
		}
		s = snapshot_of(test_path);
		CHECK_U64(find_family(s, "c_total")->nseries, want);
		CHECK_U64(count_in(s, "c_total", SM_ALL_WRITERS), want * round);
		sm_snapshot_free(s);
	}
	CHECK(refusals(test_path, reason) >= n - want);
	CHECK(sm_heartbeat(m) == 0);
	CHECK_U64(count_of(test_path, "c_total"), want * 2);
	check_sane(test_path);
}

static void series__beyond_max_series__are_refused(void)
{
	struct sm_options o = small("w");

	o.max_series = 10;
	fill(open_sized(&o), 30, 10, "series_full");
}

static void families__beyond_max_families__are_refused(void)
{
	struct sm_options o = small("w");
	struct sm_diag diag;
	struct sm *m;
	char name[32];
	unsigned i;

	o.max_families = 5;
	m = open_sized(&o);
	for (i = 0; i < 12; i++) {
		struct sm_family *f;

		snprintf(name, sizeof(name), "f%u_total", i);
		f = sm_declare(
			m, &(struct sm_family_options){ .kind = SM_COUNTER, .name = name }, &diag);
		CHECK(diag.error == (i < 5 ? 0 : -ENOSPC));
		if (diag.error)
			CHECK_TEXT(diag.message, name);
		sm_counter_add(sm_counter(f, SM_NO_LABELS), 1);
	}
	CHECK(refusals(test_path, "families_full") >= 7);
	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "f%u_total", i);
		CHECK_U64(count_of(test_path, name), i < 5);
	}
	CHECK(sm_heartbeat(m) == 0);
	check_sane(test_path);
}

static void cells__that_are_used_up__refuse_histograms(void)
{
	struct sm_options o = small("w");
	struct sm *m;
	struct sm_family *f;
	unsigned i, n;
	uint64_t have;
	char text[8];

	o.max_cells = 1024;
	m = open_sized(&o);
	f = declare_family(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS, .labels = { "l" } });
	for (i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "%u", i);
		sm_histogram_observe(sm_histogram(f, SM_LABELS(text)), 1);
	}
	have = count_of(test_path, "h");
	CHECK(have >= 2 && have <= 4);			/* some 250 cells each */
	CHECK(refusals(test_path, "cells_full") >= 20 - have);
	/* A counter takes one cell: there is still room for some. */
	for (i = 0; i < 1100; i++) {
		snprintf(text, sizeof(text), "%u", i);
		sm_counter_add(sm_counter(labelled(m, "c_total"), SM_LABELS(text)), 1);
	}
	n = (unsigned)count_of(test_path, "c_total");
	CHECK(n > 0 && n < 300);
	CHECK_U64(count_of(test_path, "h"), have);
	/* Gauges live in a zone of their own. */
	sm_gauge_set(open_gauge(m, "g", SM_MODE_SUM), 1);
	CHECK(gauge_of(test_path, "g") == 1);
	check_sane(test_path);
}

static void strings__that_are_used_up__refuse_series(void)
{
	struct sm_options o = small("w");
	struct sm *m;
	struct sm_family *f;
	char text[1025];
	unsigned i;
	uint64_t have;

	o.max_series = 128;		/* makes 64 bytes of strings each */
	o.max_families = 8;
	m = open_sized(&o);
	f = labelled(m, "c_total");
	memset(text, 'x', 1024);
	text[1024] = '\0';
	for (i = 0; i < 40; i++) {
		text[0] = (char)('A' + i);
		sm_counter_add(sm_counter(f, SM_LABELS(text)), 1);
	}
	have = count_of(test_path, "c_total");
	CHECK(have >= 4 && have < 12);
	CHECK(refusals(test_path, "strings_full") >= 40 - have);
	/* A short one still fits. */
	sm_counter_add(sm_counter(f, SM_LABELS("short")), 1);
	CHECK_U64(count_of(test_path, "c_total"), have + 1);
	check_sane(test_path);
}

static void writers__beyond_max_writers__get_null_handles(void)
{
	struct sm_options o = small("a");
	struct sm *a, *b;
	struct sm_counter *ca, *cb;
	struct sm_diag diag;
	pid_t pid;

	o.max_writers = 2;		/* one of which is the common one */
	a = open_sized(&o);
	ca = open_counter(a, "c_total");
	sm_counter_add(ca, 1);
	o.writer = "b";
	b = sm_open(&o, &diag);
	CHECK(diag.error == -ENOSPC);
	CHECK_TEXT(diag.message, "max_writers");
	CHECK_TEXT(diag.message, test_path);
	CHECK(refusals(test_path, "writers_full") > 0);
	cb = sm_counter(
		sm_declare(b, &(struct sm_family_options){ .kind = SM_COUNTER, .name = "c_total" },
			&diag),
		SM_NO_LABELS);
	CHECK(diag.error == -ENOSPC);
	sm_counter_add(cb, 100);	/* into nowhere */
	CHECK(sm_heartbeat(b) == -ENOSPC);
	CHECK(sm_heartbeat(a) == 0);
	/* A forked child of the one that has a slot counts through the common writer. */
	pid = fork();
	if (pid == 0) {
		sm_counter_add(ca, 10);
		_exit(0);
	}
	wait_ok(pid);
	CHECK_U64(count_of(test_path, "c_total"), 11);
	CHECK_U64(count_by(test_path, "c_total", "common"), 10);
	/* When the first is gone its slot is folded, and the second gets it at a heartbeat. */
	sm_close(a);
	CHECK(sm_heartbeat(b) == 0);
	sm_counter_add(cb, 5);
	CHECK_U64(count_of(test_path, "c_total"), 16);
	CHECK(strcmp(sm_writer_name(b), "b") == 0);
	check_sane(test_path);
}

static void exemplars__that_are_used_up__are_refused(void)
{
	struct sm_options o = small("w");
	struct sm_str pair[2] = { { "trace_id", 8 }, { "abc", 3 } };
	struct sm_exemplar e;
	struct sm_reader *r;
	const struct sm_snapshot *s;
	const struct sm_family_info *info;
	struct sm_family *f;
	struct sm *m;
	unsigned i, have = 0;
	char text[8];

	o.max_series = 256;		/* then there are 64 exemplars */
	m = open_sized(&o);
	f = declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "l" }, .exemplars = 1 });
	for (i = 0; i < 100; i++) {
		struct sm_counter *c;

		snprintf(text, sizeof(text), "%u", i);
		c = sm_counter(f, SM_LABELS(text));
		sm_counter_add(c, 1);
		sm_counter_exemplar(c, 1, pair, 1);
	}
	CHECK_U64(count_of(test_path, "c_total"), 100);		/* all of them count */
	CHECK_U64(refusals(test_path, "exemplar"), 36);
	r = open_reader(test_path);
	s = take(r);
	info = find_family(s, "c_total");
	for (i = 0; i < info->nseries; i++)
		have += sm_reader_exemplar(r, &info->series[i], 0, &e) == 0;
	CHECK_U64(have, 64);
	CHECK_U64(s->fill.exemplars, 64);
	sm_snapshot_free(s);
	sm_reader_close(r);
	check_sane(test_path);
}

/* How full it is can be read. */
static void fill__of_a_segment__is_told(void)
{
	struct sm *m = open_writer("w");
	const struct sm_snapshot *s;

	sm_counter_add(open_counter(m, "c_total"), 1);
	s = snapshot_of(test_path);
	CHECK_U64(s->fill.series, 1);
	CHECK_U64(s->fill.series_max, 4096);
	CHECK_U64(s->fill.families, 1);
	CHECK_U64(s->fill.families_max, 64);
	CHECK_U64(s->fill.writers, 1);
	CHECK_U64(s->fill.writers_max, 15);
	CHECK(s->fill.cells > 0 && s->fill.cells < s->fill.cells_max);
	CHECK(s->fill.strings > 0 && s->fill.strings < s->fill.strings_max);
	CHECK(s->fill.allocated_bytes > 4096 && s->fill.fs_free_bytes > 0);
	sm_snapshot_free(s);
}

static const struct test_case cases[] = {
	TEST_CASE(series__beyond_max_series__are_refused),
	TEST_CASE(families__beyond_max_families__are_refused),
	TEST_CASE(cells__that_are_used_up__refuse_histograms),
	TEST_CASE(strings__that_are_used_up__refuse_series),
	TEST_CASE(writers__beyond_max_writers__get_null_handles),
	TEST_CASE(exemplars__that_are_used_up__are_refused),
	TEST_CASE(fill__of_a_segment__is_told),
};

TEST_MAIN(cases)
