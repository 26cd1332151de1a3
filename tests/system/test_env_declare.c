/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_env_declare.c - families that several processes declare: equal ones meet, others are
 * refused with both definitions and the writer's name while one lives that holds the family, and
 * begin anew when none does.
 */
#include "proc.h"

/* Another process that declares and counts 1, and lives until it is told to end. */
struct other {
	pid_t pid;
	struct gate gate;
};

static void start(struct other *o, const struct sm_family_options *f)
{
	gate_open(&o->gate);
	o->pid = fork();
	if (o->pid == 0) {
		struct sm *m = open_writer("other");
		struct sm_family *family = declare_family(m, f);
		struct sm_str values[4] = { SM_STR("a"), SM_STR("b"), SM_STR("c"), SM_STR("d") };
		size_t n = 0;

		while (n < 4 && f->labels[n])
			n++;
		if (f->kind == SM_COUNTER)
			sm_counter_add(sm_counter(family, values, n), 1);
		else if (f->kind == SM_HISTOGRAM)
			sm_histogram_observe(sm_histogram(family, values, n), .01);
		else if (f->kind == SM_GAUGE)
			sm_gauge_set(sm_gauge(family, values, n), 1);
		gate_say(o->gate.to_parent);
		gate_wait(o->gate.to_child);
		_exit(0);
	}
	gate_wait(o->gate.to_parent);
}

static void end(struct other *o)
{
	gate_say(o->gate.to_child);
	wait_ok(o->pid);
}

/* Refused while the other lives, with these parts in the message; replaced when it is gone. */
static void conflict(const struct sm_family_options *theirs, const struct sm_family_options *ours,
		     const char *their_part, const char *our_part)
{
	struct sm *m = open_writer("w");
	struct sm_family *f;
	struct other other;
	struct sm_diag diag;
	uint64_t before;

	start(&other, theirs);
	before = refusals(test_path, "conflict");
	f = sm_declare(m, ours, &diag);
	CHECK(diag.error == -EEXIST);
	CHECK_TEXT(diag.message, ours->name);
	CHECK_TEXT(diag.message, "\"other\"");
	CHECK_TEXT(diag.message, their_part);
	CHECK_TEXT(diag.message, our_part);
	if (ours->kind == SM_COUNTER)
		sm_counter_add(sm_counter(f, SM_NO_LABELS), 5);		/* into nowhere */
	CHECK_U64(refusals(test_path, "conflict"), before + 1);
	if (theirs->kind == SM_COUNTER || theirs->kind == SM_HISTOGRAM)
		CHECK_U64(count_of(test_path, theirs->name), 1);
	end(&other);
	sm_declare(m, ours, &diag);
	CHECK(diag.error == 0);
	CHECK_TEXT(diag.message, their_part);
	CHECK_TEXT(diag.message, our_part);
	CHECK_TEXT(diag.message, "anew");
	if (theirs->kind == SM_COUNTER || theirs->kind == SM_HISTOGRAM)
		CHECK_U64(count_of(test_path, theirs->name), 0);
	/* And once only. */
	sm_declare(m, ours, &diag);
	CHECK(diag.error == 0 && !diag.message[0]);
	CHECK(sm_heartbeat(m) == 0);
	check_sane(test_path);
	sm_close(m);
}

static void declaration__of_another_type__is_refused(void)
{
	conflict(&(struct sm_family_options){ .kind = SM_GAUGE, .name = "f" },
		 &(struct sm_family_options){ .kind = SM_UPDOWN, .name = "f" }, "gauge", "updown");
	conflict(
		&(struct sm_family_options){
			.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS },
		&(struct sm_family_options){ .kind = SM_GAUGE, .name = "h", .unit = SM_SECONDS },
		"histogram", "gauge");
}

static void declaration__of_other_labels__is_refused(void)
{
	conflict(
		&(struct sm_family_options){
			.kind = SM_COUNTER, .name = "c_total", .labels = { "command", "status" } },
		&(struct sm_family_options){
			.kind = SM_COUNTER, .name = "c_total", .labels = { "command" } },
		"counter{command,status}", "counter{command}");
	/* Their order is part of it. */
	conflict(
		&(struct sm_family_options){
			.kind = SM_COUNTER, .name = "d_total", .labels = { "a", "b" } },
		&(struct sm_family_options){
			.kind = SM_COUNTER, .name = "d_total", .labels = { "b", "a" } },
		"counter{a,b}", "counter{b,a}");
}

static void declaration__of_other_bounds__is_refused(void)
{
	static const double ours[] = { .1, .5, 2 }, theirs[] = { .25, 1 };

	conflict(&(struct sm_family_options){ .kind = SM_HISTOGRAM,
			 .name = "h",
			 .unit = SM_SECONDS,
			 .bounds = theirs,
			 .nbounds = 2 },
		&(struct sm_family_options){ .kind = SM_HISTOGRAM,
			.name = "h",
			.unit = SM_SECONDS,
			.bounds = ours,
			.nbounds = 3 },
		"0.25 1", "0.1 0.5 2");
	/* As from two languages with different defaults. */
	conflict(
		&(struct sm_family_options){
			.kind = SM_HISTOGRAM, .name = "i", .unit = SM_SECONDS },
		&(struct sm_family_options){ .kind = SM_HISTOGRAM,
			.name = "i",
			.unit = SM_SECONDS,
			.grid = SM_GRID_OFF },
		"fine grid", "no grid");
}

static void declaration__of_another_mode_or_unit__is_refused(void)
{
	conflict(&(struct sm_family_options){ .kind = SM_GAUGE, .name = "g", .mode = SM_MODE_MAX },
		&(struct sm_family_options){ .kind = SM_GAUGE, .name = "g", .mode = SM_MODE_MIN },
		"max", "min");
	conflict(
		&(struct sm_family_options){
			.kind = SM_GAUGE, .name = "k", .mode = SM_MODE_MAX, .keep = 1 },
		&(struct sm_family_options){ .kind = SM_GAUGE, .name = "k", .mode = SM_MODE_MAX },
		"kept", "mode max");
	conflict(
		&(struct sm_family_options){
			.kind = SM_COUNTER, .name = "u_total", .unit = "tracks" },
		&(struct sm_family_options){
			.kind = SM_COUNTER, .name = "u_total", .unit = "songs" },
		"tracks", "songs");
	conflict(&(struct sm_family_options){ .kind = SM_COUNTER,
			 .name = "n_total",
			 .number = SM_NUMBER_FIXED,
			 .decimals = 2 },
		&(struct sm_family_options){ .kind = SM_COUNTER,
			.name = "n_total",
			.number = SM_NUMBER_FIXED,
			.decimals = 3 },
		"2 decimals", "3 decimals");
}

/* The message of state sets, exemplars and signs tells where the two differ. */
static void declaration__of_other_states__is_refused(void)
{
	static const char *const up[] = { "up", "down" }, *const on[] = { "on", "off" };

	conflict(
		&(struct sm_family_options){
			.kind = SM_STATESET, .name = "s", .states = up, .nstates = 2 },
		&(struct sm_family_options){
			.kind = SM_STATESET, .name = "s", .states = on, .nstates = 2 },
		"up", "on");
}

static void declaration__that_is_equal__meets_the_other(void)
{
	struct sm_family_options o = {
		.kind = SM_COUNTER, .name = "c_total", .help = "Ours.", .labels = { "l" }
	};
	struct sm *m = open_writer("w");
	const struct sm_snapshot *s;
	struct sm_family *f;
	struct other other;
	struct sm_diag diag;

	start(&other, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .help = "Theirs.", .labels = { "l" } });
	f = sm_declare(m, &o, &diag);
	CHECK(diag.error == 0 && !diag.message[0]);
	sm_counter_add(sm_counter(f, SM_LABELS("a")), 2);
	CHECK(sm_declare(m, &o, &diag) == f);
	s = snapshot_of(test_path);
	CHECK_U64(count_in(s, "c_total", SM_ALL_WRITERS), 3);
	CHECK_U64(find_family(s, "c_total")->nseries, 1);
	CHECK(strcmp(find_family(s, "c_total")->help, "Theirs.") == 0);	/* the first help stays */
	sm_snapshot_free(s);
	end(&other);
	CHECK_U64(count_of(test_path, "c_total"), 3);
}

/* Whole units, fixed point and doubles meet in one family, as from three languages. */
static void counters__of_three_ways_to_count__add_up(void)
{
	static const enum sm_number numbers[] = { SM_NUMBER_U64, SM_NUMBER_FIXED,
		SM_NUMBER_DOUBLE };
	const struct sm_snapshot *s;
	struct sm_value v;
	unsigned i;
	pid_t pid;

	for (i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0) {
			struct sm *m = open_writer(i == 0 ? "c" : i == 1 ? "js" : "py");
			struct sm_counter *c = sm_counter(
				declare_family(m, &(struct sm_family_options){
					.kind = SM_COUNTER, .name = "c_total",
					.number = numbers[i] }),
				SM_NO_LABELS);

			sm_counter_add_double(c, i == 0 ? 100 : 1.25);
			_exit(0);
		}
		wait_ok(pid);
	}
	s = snapshot_of(test_path);
	CHECK(sm_snapshot_number(s, find_series(s, "c_total", NULL), SM_ALL_WRITERS, &v) == 0);
	CHECK(v.is_set && v.value == 102.5);
	CHECK_U64(find_family(s, "c_total")->nseries, 1);
	sm_snapshot_free(s);
	check_sane(test_path);
}

/* A redeploy with other labels, while one process of the old version still runs: it goes on,
 * too. */
static void redeploy__with_other_labels__takes_over_when_the_last_old_one_ends(void)
{
	struct sm_family_options old = { .kind = SM_COUNTER, .name = "c_total", .labels = { "a" } };
	struct sm_family_options new = {
		.kind = SM_COUNTER, .name = "c_total", .labels = { "a", "b" }
	};
	struct sm *m = open_writer("new");
	struct sm_family *f;
	struct other first;
	struct sm_diag diag;

	start(&first, &old);
	f = sm_declare(m, &new, &diag);
	CHECK(diag.error == -EEXIST);
	sm_counter_add(sm_counter(f, SM_LABELS("a", "b")), 1);
	CHECK_U64(count_of(test_path, "c_total"), 1);
	kill_and_wait(first.pid);
	f = sm_declare(m, &new, &diag);
	CHECK(diag.error == 0);
	sm_counter_add(sm_counter(f, SM_LABELS("a", "b")), 7);
	CHECK_U64(count_of(test_path, "c_total"), 7);
	/* Now it is the old version that is refused. */
	sm_declare(open_writer("old"), &old, &diag);
	CHECK(diag.error == -EEXIST);
	CHECK_TEXT(diag.message, "\"new\"");
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(declaration__of_another_type__is_refused),
	TEST_CASE(declaration__of_other_labels__is_refused),
	TEST_CASE(declaration__of_other_bounds__is_refused),
	TEST_CASE(declaration__of_another_mode_or_unit__is_refused),
	TEST_CASE(declaration__of_other_states__is_refused),
	TEST_CASE(declaration__that_is_equal__meets_the_other),
	TEST_CASE(counters__of_three_ways_to_count__add_up),
	TEST_CASE(redeploy__with_other_labels__takes_over_when_the_last_old_one_ends),
};

TEST_MAIN(cases)
