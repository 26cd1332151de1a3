/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_env_series.c - label values: the cap and its overflow series, ids that are normalised,
 * values and names that are too long or malformed, too many labels. Nothing is dropped in
 * silence.
 */
#include "proc.h"

static struct sm *m;

static struct sm_family *family(const char *name, const char *label, unsigned cap)
{
	return declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = name, .labels = { label }, .cap = cap });
}

static uint64_t count_in_series(const char *name, const char *value)
{
	const struct sm_snapshot *s = snapshot_of(test_path);
	const struct sm_series_info *series = find_series(s, name, value);
	struct sm_value v = { .is_set = 0 };
	uint64_t n;

	CHECK(!series || sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0);
	n = v.units;
	sm_snapshot_free(s);
	return series ? n : UINT64_MAX;
}

static size_t number_of_series(const char *name)
{
	const struct sm_snapshot *s = snapshot_of(test_path);
	size_t n = find_family(s, name)->nseries;

	sm_snapshot_free(s);
	return n;
}

/* ---- the cap ------------------------------------------------------------------------------- */

static void series__beyond_the_cap__count_as_other(void)
{
	const struct sm_snapshot *s;
	const struct sm_series_info *other;
	struct sm_family *f;
	struct sm_counter *c;
	char text[16];
	unsigned i, round;

	m = open_writer("w");
	f = family("c_total", "l", 10);
	for (round = 0; round < 3; round++)
		for (i = 0; i < 50; i++) {
			snprintf(text, sizeof(text), "value %u", i);
			sm_counter_add(sm_counter(f, SM_LABELS(text)), 1);
		}
	CHECK_U64(number_of_series("c_total"), 11);
	CHECK_U64(count_of(test_path, "c_total"), 150);
	CHECK_U64(count_in_series("c_total", "value 3"), 3);
	CHECK_U64(count_in_series("c_total", "__other__"), 120);
	CHECK(refusals(test_path, "cap") >= 40);
	/* All that are too many share one handle. */
	c = sm_counter(f, SM_LABELS("value 49"));
	CHECK(c == sm_counter(f, SM_LABELS("value 48")) &&
		c != sm_counter(f, SM_LABELS("value 1")));
	s = snapshot_of(test_path);
	other = find_series(s, "c_total", "__other__");
	CHECK(other && other->overflow && !find_series(s, "c_total", "value 3")->overflow);
	sm_snapshot_free(s);
	check_sane(test_path);
}

/* The cap is the segment's, over all processes; one that comes later goes to other at once. */
static void cap__over_several_processes__is_one(void)
{
	char text[16];
	unsigned i, k;
	pid_t pid;

	for (k = 0; k < 4; k++) {
		pid = fork();
		if (pid == 0) {
			struct sm_family *f;

			m = open_writer("w");
			f = family("c_total", "l", 20);
			for (i = 0; i < 10; i++) {
				snprintf(text, sizeof(text), "%u", 10 * k + i);
				sm_counter_add(sm_counter(f, SM_LABELS(text)), 1);
				sm_counter_add(sm_counter(f, SM_LABELS("5")), 1);
			}
			_exit(0);
		}
		wait_ok(pid);
	}
	CHECK_U64(number_of_series("c_total"), 21);
	CHECK_U64(count_of(test_path, "c_total"), 80);
	CHECK_U64(count_in_series("c_total", "__other__"), 20);
	CHECK_U64(count_in_series("c_total", "5"), 41);
	check_sane(test_path);
}

/* Every type has an overflow series, all of whose labels say so. */
static void overflow__of_each_type__counts(void)
{
	struct sm_family_options o = { .labels = { "a", "b" }, .cap = 1 };
	const struct sm_snapshot *s;
	const struct sm_series_info *series;
	struct sm_value v;

	m = open_writer("w");
	o.kind = SM_HISTOGRAM;
	o.name = "h";
	sm_histogram_observe(sm_histogram(declare_family(m, &o), SM_LABELS("1", "1")), 1);
	sm_histogram_observe(sm_histogram(declare_family(m, &o), SM_LABELS("1", "2")), 1);
	sm_histogram_observe(sm_histogram(declare_family(m, &o), SM_LABELS("2", "2")), 1);
	o.kind = SM_GAUGE;
	o.name = "g";
	sm_gauge_set(sm_gauge(declare_family(m, &o), SM_LABELS("1", "1")), 5);
	sm_gauge_set(sm_gauge(declare_family(m, &o), SM_LABELS("1", "2")), 6);
	o.kind = SM_UPDOWN;
	o.name = "u";
	sm_updown_add(sm_updown(declare_family(m, &o), SM_LABELS("1", "1")), 3);
	sm_updown_add(sm_updown(declare_family(m, &o), SM_LABELS("1", "2")), -4);
	s = snapshot_of(test_path);
	CHECK_U64(count_in(s, "h", SM_ALL_WRITERS), 3);
	series = find_series(s, "g", "__other__");
	CHECK(series && strcmp(series->values[1].ptr, "__other__") == 0);
	CHECK(sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0 && v.value == 6);
	CHECK(sm_snapshot_number(s, find_series(s, "u", "__other__"), SM_ALL_WRITERS, &v) == 0 &&
		v.value == -4);
	sm_snapshot_free(s);
	check_sane(test_path);
}

/* A handle that could not be bound, and finds the cap reached when it could, counts as other,
 * too. */
static void cap__reached_while_a_handle_was_not_bound__makes_it_other(void)
{
	struct sm_options o = small("late");
	struct sm_counter *c[5];
	struct sm_family *f;
	struct sm *late;
	char text[16];
	unsigned i;

	o.flags |= SM_OPEN_NO_CREATE;
	late = sm_open(&o, NULL);		/* there is no segment yet */
	f = sm_declare(late, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "l" }, .cap = 10 }, NULL);
	for (i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "late %u", i);
		c[i] = sm_counter(f, SM_LABELS(text));
		sm_counter_add(c[i], 1000);	/* into nowhere */
	}
	m = open_writer("w");
	for (i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "%u", i);
		sm_counter_add(sm_counter(family("c_total", "l", 10), SM_LABELS(text)), 1);
	}
	CHECK(sm_heartbeat(late) == 0);
	for (i = 0; i < 5; i++)
		sm_counter_add(c[i], 1);
	CHECK_U64(count_of(test_path, "c_total"), 13);
	CHECK_U64(number_of_series("c_total"), 11);
	CHECK_U64(count_in_series("c_total", "__other__"), 3);
	check_sane(test_path);
}

/* Removing series makes room below the cap. */
static void cap__after_a_removal__has_room(void)
{
	struct sm_family *f;

	m = open_writer("w");
	f = family("c_total", "l", 2);
	sm_counter_add(sm_counter(f, SM_LABELS("a")), 1);
	sm_counter_add(sm_counter(f, SM_LABELS("b")), 1);
	CHECK(sm_remove(f, SM_LABELS("a"), 0) == 0);
	sm_close(m);
	m = open_writer("w");
	f = family("c_total", "l", 2);
	sm_counter_add(sm_counter(f, SM_LABELS("c")), 1);
	CHECK_U64(count_in_series("c_total", "c"), 1);
	CHECK_U64(count_in_series("c_total", "__other__"), UINT64_MAX);
	check_sane(test_path);
}

/* ---- the normaliser ------------------------------------------------------------------------ */

static void values__of_id_labels__are_normalised(void)
{
	static const char *const labels[] = { "user", "guild", "channel", "message_id" };
	static const char *const values[] = { "123456789012345678", "42",
		"550e8400-e29b-41d4-a716-446655440000" };
	char name[32];
	unsigned i, k;

	m = open_writer("w");
	for (i = 0; i < 4; i++) {
		struct sm_family *f;

		snprintf(name, sizeof(name), "%s_total", labels[i]);
		f = family(name, labels[i], 0);
		for (k = 0; k < 3; k++)
			sm_counter_add(sm_counter(f, SM_LABELS(values[k])), 1);
		CHECK(sm_counter(f, SM_LABELS("7")) == sm_counter(f, SM_LABELS(":id")));
		CHECK_U64(number_of_series(name), 1);
		CHECK_U64(count_in_series(name, ":id"), 3);
	}
	/* Others are not, unless they are asked to be. */
	sm_counter_add(sm_counter(family("shard_total", "shard", 0), SM_LABELS("42")), 1);
	CHECK_U64(count_in_series("shard_total", "42"), 1);
	sm_counter_add(sm_counter(declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "path_total", .labels = { "method", "path" },
		.normalise = 2 }),
			       SM_LABELS("GET2", "/users/42/tracks/7")),
		1);
	CHECK_U64(count_in_series("path_total", "GET2"), 1);
	{
		const struct sm_snapshot *s = snapshot_of(test_path);

		CHECK(strcmp(find_series(s, "path_total", NULL)->values[1].ptr,
			      "/users/:id/tracks/:id") == 0);
		sm_snapshot_free(s);
	}
	sm_counter_add(sm_counter(declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "raw_total", .labels = { "user" },
		.normalise = SM_NORMALISE_NONE }),
			       SM_LABELS("42")),
		1);
	CHECK_U64(count_in_series("raw_total", "42"), 1);
	/* What was normalised is found and removed by any of its forms. */
	CHECK(sm_remove(family("user_total", "user", 0), SM_LABELS("99"), 0) == 0);
	CHECK_U64(count_in_series("user_total", ":id"), UINT64_MAX);
	check_sane(test_path);
}

/* ---- malformed ----------------------------------------------------------------------------- */

static void value__that_is_too_long_or_not_utf8__is_refused(void)
{
	char longest[1025], longer[1026];
	struct sm_family *f;
	uint64_t before;

	m = open_writer("w");
	f = family("c_total", "l", 0);
	memset(longest, 'v', 1024);
	longest[1024] = '\0';
	memset(longer, 'v', 1025);
	longer[1025] = '\0';
	before = refusals(test_path, "label_value");
	sm_counter_add(sm_counter(f, SM_LABELS(longest)), 1);
	CHECK_U64(refusals(test_path, "label_value"), before);
	CHECK_U64(count_in_series("c_total", longest), 1);
	sm_counter_add(sm_counter(f, SM_LABELS(longer)), 1);
	sm_counter_add(sm_counter(f, SM_LABELS("\xff")), 1);
	sm_counter_add(sm_counter(f, SM_LABELS("\xc0\x80")), 1);
	sm_counter_add(sm_counter(f, SM_LABELS("\xed\xa0\x80")), 1);
	{
		struct sm_str with_nul = { "a\0b", 3 };

		sm_counter_add(sm_counter(f, &with_nul, 1), 1);
	}
	CHECK_U64(refusals(test_path, "label_value"), before + 5);
	CHECK_U64(count_of(test_path, "c_total"), 1);
	/* Empty, and any other UTF-8, is fine; so is what need not end in NUL. */
	sm_counter_add(sm_counter(f, SM_LABELS("")), 2);
	sm_counter_add(sm_counter(f, SM_LABELS("\xf0\x9f\x8e\xb5 \"\\\n")), 4);
	{
		struct sm_str part = { "playing", 4 };

		sm_counter_add(sm_counter(f, &part, 1), 8);
	}
	CHECK_U64(count_in_series("c_total", ""), 2);
	CHECK_U64(count_in_series("c_total", "\xf0\x9f\x8e\xb5 \"\\\n"), 4);
	CHECK_U64(count_in_series("c_total", "play"), 8);
	check_sane(test_path);
}

static void labels__of_a_wrong_number_or_type__give_null_handles(void)
{
	struct sm_str values[20] = { { "x", 1 } };
	struct sm_family *f;
	uint64_t before;

	m = open_writer("w");
	f = family("c_total", "l", 0);
	before = refusals(test_path, "invalid");
	sm_counter_add(sm_counter(f, SM_NO_LABELS), 1);
	sm_counter_add(sm_counter(f, SM_LABELS("a", "b")), 1);
	sm_counter_add(sm_counter(f, values, 20), 1);
	sm_gauge_set(sm_gauge(f, SM_LABELS("a")), 1);
	sm_histogram_observe(sm_histogram(f, SM_LABELS("a")), 1);
	CHECK_U64(refusals(test_path, "invalid"), before + 5);
	CHECK_U64(number_of_series("c_total"), 0);
	CHECK(sm_heartbeat(m) == 0);
}

/* Sixteen labels are allowed, and long names; what is more is one clear error. */
static void names__to_their_limits__are_kept_whole(void)
{
	struct sm_family_options o = { .kind = SM_COUNTER };
	char name[260], labels[16][120];
	struct sm_str values[16];
	const struct sm_snapshot *s;
	struct sm_diag diag;
	struct sm_family *f;
	unsigned i;

	m = open_writer("w");
	memset(name, 'n', sizeof(name));
	strcpy(name + 194, "_total");		/* 200 bytes */
	o.name = name;
	for (i = 0; i < 16; i++) {
		memset(labels[i], 'a' + (int)i, 100);
		labels[i][100] = '\0';
		o.labels[i] = labels[i];
		values[i] = SM_STR(labels[i]);
	}
	f = sm_declare(m, &o, &diag);
	if (diag.error)
		FAIL("%s", diag.message);
	sm_counter_add(sm_counter(f, values, 16), 9);
	s = snapshot_of(test_path);
	CHECK_U64(count_in(s, name, SM_ALL_WRITERS), 9);
	CHECK_U64(find_family(s, name)->nlabels, 16);
	CHECK(strcmp(find_family(s, name)->labels[15], labels[15]) == 0);
	CHECK(strcmp(find_series(s, name, labels[0])->values[15].ptr, labels[15]) == 0);
	sm_snapshot_free(s);
	memset(name, 'n', sizeof(name));
	strcpy(name + 195, "_total");
	sm_declare(m, &o, &diag);
	CHECK(diag.error == -EINVAL);
	CHECK_TEXT(diag.message, "201 bytes");
	o.name = "short_total";
	labels[3][100] = 'x';
	labels[3][101] = '\0';
	sm_declare(m, &o, &diag);
	CHECK(diag.error == -EINVAL);
	CHECK_TEXT(diag.message, "at most 100 bytes");
	CHECK(refusals(test_path, "invalid") == 2);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(series__beyond_the_cap__count_as_other),
	TEST_CASE(cap__over_several_processes__is_one),
	TEST_CASE(overflow__of_each_type__counts),
	TEST_CASE(cap__reached_while_a_handle_was_not_bound__makes_it_other),
	TEST_CASE(cap__after_a_removal__has_room),
	TEST_CASE(values__of_id_labels__are_normalised),
	TEST_CASE(value__that_is_too_long_or_not_utf8__is_refused),
	TEST_CASE(labels__of_a_wrong_number_or_type__give_null_handles),
	TEST_CASE(names__to_their_limits__are_kept_whole),
};

TEST_MAIN(cases)
