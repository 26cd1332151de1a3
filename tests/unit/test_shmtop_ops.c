/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/ops.c and judge.c: what is an operation, when it is flagged, what is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "shmtop_feed.h"
#include "tools/shmtop/draw.h"

static struct top_data data;
#define model data.model
static struct feed_series s[12];
static uint64_t counts[12][FEED_BOUNDS + 1];
static unsigned nseries, sample;

static int make_data(void **state)
{
	memset(s, 0, sizeof(s));
	memset(counts, 0, sizeof(counts));
	nseries = sample = 0;
	top_data_init(&data, 0);
	return 0;
}

static int drop_data(void **state)
{
	top_data_release(&data);
	assert_null(data.ops.op);
	return 0;
}

/* One series more; those of one name are of one family. Returns its number. */
static unsigned series(enum sm_kind kind, const char *name, const char *const *pairs)
{
	unsigned i, n = nseries++;

	feed_series(&s[n], n + 1, kind, name, kind == SM_HISTOGRAM ? "seconds" : "", pairs);
	for (i = 0; i < n; i++)
		if (!strcmp(s[i].family.name, name))
			s[n].family.id = s[i].family.id;
	return n;
}

#define PAIRS(...) (const char *const[]){ __VA_ARGS__, NULL }

/* n samples, a second each, in which series i counts add[i] in its second bucket. */
static void run(unsigned n, const unsigned *add)
{
	unsigned i;

	for (; n; n--, sample++) {
		top_model_begin(&model, (1000 + sample) * FEED_SECOND);
		for (i = 0; i < nseries; i++) {
			counts[i][1] += add[i];
			if (s[i].family.kind == SM_HISTOGRAM)
				feed_buckets(&model, &s[i], counts[i]);
			else
				feed_count(&model, &s[i], counts[i][1]);
		}
		assert_int_equal(top_model_end(&model), 0);
		assert_int_equal(top_ops_update(&data.ops, &model), 0);
	}
}

static const struct top_op *op(const char *group, const char *name)
{
	size_t i;

	for (i = 0; i < data.ops.n; i++)
		if (!strcmp(data.ops.op[i]->group + data.ops.prefix, group) &&
		    !strcmp(data.ops.op[i]->name, name))
			return data.ops.op[i];
	return NULL;
}

static void histogram__with_status__is_one_operation(void **state)
{
	const struct top_op *o;

	series(SM_HISTOGRAM, "bot_command_duration_seconds",
	       PAIRS("command", "play", "status", "success"));
	series(SM_HISTOGRAM, "bot_command_duration_seconds",
	       PAIRS("command", "play", "status", "error"));
	series(SM_HISTOGRAM, "bot_command_duration_seconds",
	       PAIRS("command", "skip", "status", "success"));
	run(10, (const unsigned[12]){ 9, 1, 2 });
	assert_int_equal(data.ops.n, 2);
	o = op("command", "play");
	assert_non_null(o);
	assert_int_equal(o->nrows, 2);
	assert_true(fabs(o->rate - 10) < 1e-6);
	assert_true(fabs(o->errors - 0.1) < 1e-6);
	assert_true(o->quantile[0] > 0.01 && o->quantile[0] < 0.1);
	assert_true(fabs(op("command", "skip")->errors) < 1e-9);
	assert_false(data.ops.several_groups);
	assert_true(fabs((double)top_op_history(&model, o, 0) - 10) < 1e-3);
}

static void histogram__of_stages__is_left_out(void **state)
{
	series(SM_HISTOGRAM, "command_stage_duration_seconds",
	       PAIRS("command", "play", "stage", "database"));
	series(SM_HISTOGRAM, "reply_bytes", NULL);
	s[1].family.unit = "bytes";
	run(2, (const unsigned[12]){ 1, 1 });
	assert_int_equal(data.ops.n, 0);
}

static void counter__that_repeats_a_histogram__is_left_out(void **state)
{
	series(SM_HISTOGRAM, "bot_command_duration_seconds",
	       PAIRS("command", "play", "status", "success"));
	series(SM_COUNTER, "bot_commands_total", PAIRS("command", "play", "status", "success"));
	series(SM_COUNTER, "bot_rest_requests_total", PAIRS("route", "/x", "status", "200"));
	series(SM_COUNTER, "bot_rest_requests_total", PAIRS("route", "/x", "status", "429"));
	series(SM_COUNTER, "bot_cache_requests_total", PAIRS("cache", "c", "result", "miss"));
	run(10, (const unsigned[12]){ 1, 1, 3, 1, 5 });
	assert_int_equal(data.ops.n, 2);
	assert_non_null(op("command", "play"));
	assert_false(op("rest_request", "/x")->timed);
	assert_true(fabs(op("rest_request", "/x")->errors - 0.25) < 1e-6);
	assert_true(data.ops.several_groups);
}

static void errors__of_a_counter_beside__are_joined_by_labels(void **state)
{
	series(SM_HISTOGRAM, "http_request_duration_seconds", PAIRS("route", "/a"));
	series(SM_HISTOGRAM, "http_request_duration_seconds", PAIRS("route", "/b"));
	series(SM_COUNTER, "http_requests_total", PAIRS("route", "/a", "status", "200"));
	series(SM_COUNTER, "http_requests_total", PAIRS("route", "/a", "status", "503"));
	series(SM_HISTOGRAM, "check_duration_seconds", PAIRS("kind", "x"));
	series(SM_COUNTER, "check_failures_total", PAIRS("kind", "x", "reason", "late"));
	series(SM_HISTOGRAM, "lag_seconds", NULL);
	run(10, (const unsigned[12]){ 4, 1, 3, 1, 10, 2, 1 });
	assert_int_equal(data.ops.n, 4);
	assert_true(fabs(op("http_request", "/a")->errors - 0.25) < 1e-6);
	assert_true(fabs(op("http_request", "/b")->errors) < 1e-9);
	assert_true(fabs(op("check", "x")->errors - 0.2) < 1e-6);
	assert_true(isnan(op("lag", "")->errors));
}

static void failures__words_and_codes__are_known(void **state)
{
	static const struct {
		const char *label, *value;
		int failure;
	} cases[] = {
		{ "status", "success", 0 },   { "status", "ok", 0 },	   { "status", "error", 1 },
		{ "status", "Failed", 1 },    { "status", "200", 0 },	   { "status", "304", 0 },
		{ "status", "404", 1 },	      { "status", "5xx", 1 },	   { "outcome", "timeout", 1 },
		{ "outcome", "rejected", 1 }, { "success", "true", 0 },	   { "success", "false", 1 },
		{ "error", "", 0 },	      { "error", "disk full", 1 }, { "code", "1006", 0 },
		{ "result", "hit", 0 },	      { "result", "miss", 0 },
	};
	struct feed_series f;
	struct top_row *row;
	uint64_t none[FEED_BOUNDS + 1] = { 1 };
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		feed_series(&f, (uint32_t)i + 1, SM_HISTOGRAM, "x_seconds", "seconds",
			    PAIRS(cases[i].label, cases[i].value));
		top_model_begin(&model, (2000 + i) * FEED_SECOND);
		row = feed_buckets(&model, &f, none);
		assert_int_equal(row->failure, cases[i].failure);
		top_model_end(&model);
	}
}

static void operation__that_fails_much__is_flagged(void **state)
{
	const struct top_op *o;

	series(SM_HISTOGRAM, "command_duration_seconds", PAIRS("command", "play", "status", "ok"));
	series(SM_HISTOGRAM, "command_duration_seconds",
	       PAIRS("command", "play", "status", "error"));
	run(120, (const unsigned[12]){ 100, 1 });
	o = op("command", "play");
	assert_int_equal(o->level, TOP_LEVEL_OK);
	run(60, (const unsigned[12]){ 90, 10 });
	assert_int_equal(o->level, TOP_LEVEL_BAD);
	assert_string_equal(o->note, "7% fail");
}

static void operation__with_few_failures__is_not_flagged(void **state)
{
	series(SM_HISTOGRAM, "command_duration_seconds", PAIRS("command", "play", "status", "ok"));
	series(SM_HISTOGRAM, "command_duration_seconds",
	       PAIRS("command", "play", "status", "error"));
	run(300, (const unsigned[12]){ 1, 0 });
	run(2, (const unsigned[12]){ 0, 1 });
	run(1, (const unsigned[12]){ 1, 0 });
	assert_int_equal(op("command", "play")->level, TOP_LEVEL_OK);
}

/* The first error of a series that is made with it counts by the time watched. */
static void operation__first_errors__are_a_share_of_all_watched(void **state)
{
	const unsigned add[12] = { 10 };
	const struct top_op *o;

	series(SM_COUNTER, "commands_total", PAIRS("command", "play", "status", "ok"));
	run(9, add);
	series(SM_COUNTER, "commands_total", PAIRS("command", "play", "status", "error"));
	s[1].series.created_boot_ns = (1000 + sample) * FEED_SECOND - FEED_SECOND / 2;
	run(1, (const unsigned[12]){ 9, 1 });
	o = op("command", "play");
	assert_non_null(o);
	assert_true(fabs(o->errors - 1.0 / 90) < 1e-9);
	assert_int_equal(o->level, TOP_LEVEL_OK);
	/* One more of 10, then none: nothing is forgotten. */
	run(1, (const unsigned[12]){ 9, 1 });
	assert_true(fabs(o->errors - 2.0 / 100) < 1e-9);
	run(1, add);
	assert_true(fabs(o->errors - 2.0 / 110) < 1e-9);
	assert_int_equal(o->level, TOP_LEVEL_OK);
	assert_string_equal(o->note, "");
	/* After a reset what was before is not watched. */
	top_model_reset_stats(&model);
	run(4, add);
	series(SM_COUNTER, "commands_total", PAIRS("command", "play", "status", "timeout"));
	s[2].series.created_boot_ns = (1000 + sample) * FEED_SECOND - FEED_SECOND / 2;
	run(1, (const unsigned[12]){ 9, 0, 1 });
	assert_true(fabs(o->errors - 1.0 / 50) < 1e-9);
}

static void operation__that_is_slower__is_flagged(void **state)
{
	const struct top_op *o;
	unsigned i;

	series(SM_HISTOGRAM, "command_duration_seconds", PAIRS("command", "play"));
	run(1000, (const unsigned[12]){ 10 });
	o = op("command", "play");
	assert_int_equal(o->level, TOP_LEVEL_OK);
	/* Some slow ones are chance, */
	counts[0][3] += 2;
	run(1, (const unsigned[12]){ 10 });
	assert_int_equal(o->level, TOP_LEVEL_OK);
	/* many are not. */
	for (i = 0; i < 60; i++) {
		counts[0][3] += 2;
		run(1, (const unsigned[12]){ 10 });
	}
	assert_int_equal(o->level, TOP_LEVEL_WARN);
	assert_true(!strncmp(o->note, "p95 ", 4));
}

static void operations__come_and_go__with_their_series(void **state)
{
	series(SM_HISTOGRAM, "a_duration_seconds", PAIRS("x", "1"));
	series(SM_HISTOGRAM, "a_duration_seconds", PAIRS("x", "2"));
	run(3, (const unsigned[12]){ 1, 1 });
	assert_int_equal(data.ops.n, 2);
	nseries = 1;
	run(1, (const unsigned[12]){ 1 });
	assert_int_equal(data.ops.n, 1);
	assert_null(op("a", "2"));
	nseries = 0;
	run(1, NULL);
	assert_int_equal(data.ops.n, 0);
	nseries = 2;
	run(1, (const unsigned[12]){ 1, 1 });
	assert_int_equal(data.ops.n, 2);
}

/* ---- judgement ------------------------------------------------------------------------------ */

static void assert_judged(const char *expected, enum top_style style)
{
	struct buf b = { 0 };

	assert_int_equal(top_judgement(&model.status, &data.ops, &top_glyphs_ascii, &b), style);
	assert_string_equal(b.data, expected);
	buf_free(&b);
}

static void judgement__each_trouble__is_named(void **state)
{
	struct top_status *st = &model.status;

	st->up = st->total = 5;
	st->nversions = 1;
	st->fill_what = "cells";
	assert_judged("all writers are well", TOP_GOOD);
	st->nversions = 2;
	assert_judged("2 versions run", TOP_PLAIN);
	st->fill_percent = 93;
	assert_judged("! cells 93% full | 2 versions run", TOP_WARN);
	st->nversions = 1;
	st->refused = 12;
	st->refused_reason = "cap";
	assert_judged("! 12 refused (cap) | cells 93% full", TOP_WARN);
	st->fill_percent = 12;
	st->refused = 0;
	st->silent = 1;
	st->silent_age_ns = 14 * FEED_SECOND;
	strcpy(st->silent_name, "shard-2");
	st->died = 1;
	st->died_age_ns = 221 * FEED_SECOND;
	strcpy(st->died_name, "shard-4");
	assert_judged("! shard-4 died 3m41s ago | shard-2 silent for 14s", TOP_BAD);
	st->died = 3;
	st->silent = 2;
	assert_judged("! 3 writers died, last shard-4 3m41s ago | 2 writers silent, longest "
		      "shard-2 14s", TOP_BAD);
	st->died = st->silent = 0;
	st->up = 0;
	assert_judged("no writer is running", TOP_PLAIN);
}

static void judgement__states__are_named_by_weight(void **state)
{
	struct top_status *st = &model.status;

	st->up = 1;
	st->nailments = 2;
	st->nbad = 1;
	strcpy(st->ailment[0].text, "voice degraded");
	strcpy(st->ailment[1].text, "database critical");
	st->ailment[1].bad = 1;
	assert_judged("! database critical | voice degraded", TOP_BAD);
	st->nbad = 0;
	st->nailments = 6;
	memset(st->ailment, 0, sizeof(st->ailment));
	strcpy(st->ailment[0].text, "a degraded");
	strcpy(st->ailment[1].text, "b degraded");
	assert_judged("! a degraded | b degraded, 4 more", TOP_WARN);
}

static void judgement__operations__come_with_errors(void **state)
{
	model.status.up = 1;
	series(SM_HISTOGRAM, "command_duration_seconds", PAIRS("command", "play", "status", "ok"));
	series(SM_HISTOGRAM, "command_duration_seconds",
	       PAIRS("command", "play", "status", "error"));
	run(100, (const unsigned[12]){ 10, 0 });
	assert_judged("all writers are well | errors usual", TOP_GOOD);
	run(60, (const unsigned[12]){ 10, 10 });
	assert_int_equal(data.ops.op[0]->level, TOP_LEVEL_BAD);
	assert_true(data.ops.errors > data.ops.usual_errors);
	run(600, (const unsigned[12]){ 1, 1 });
	assert_judged("! play 50% fail | errors usual", TOP_BAD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_data, drop_data)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(histogram__with_status__is_one_operation),
		TEST(histogram__of_stages__is_left_out),
		TEST(counter__that_repeats_a_histogram__is_left_out),
		TEST(errors__of_a_counter_beside__are_joined_by_labels),
		TEST(failures__words_and_codes__are_known),
		TEST(operation__that_fails_much__is_flagged),
		TEST(operation__with_few_failures__is_not_flagged),
		TEST(operation__first_errors__are_a_share_of_all_watched),
		TEST(operation__that_is_slower__is_flagged),
		TEST(operations__come_and_go__with_their_series),
		TEST(judgement__each_trouble__is_named),
		TEST(judgement__states__are_named_by_weight),
		TEST(judgement__operations__come_with_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
