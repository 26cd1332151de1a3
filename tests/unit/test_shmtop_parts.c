/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_snapshot_number -Wl,--wrap=sm_snapshot_buckets
/* Tests of tools/shmtop/parts.c: what each writer adds, dead ones and new owners of a slot too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "shmtop_feed.h"
#include "tools/shmtop/parts.h"

#define WRITERS 4

static struct top_model model;
static struct top_parts parts;
static struct feed_series counter, histogram;
static struct sm_writer writers[WRITERS];
static struct sm_snapshot snapshot;
static struct sm_family_info families[2];

/* What the snapshot has of each writer; UINT64_MAX: nothing. */
static uint64_t numbers[WRITERS], counts[WRITERS][FEED_BOUNDS + 1];

int __wrap_sm_snapshot_number(const struct sm_snapshot *s, const struct sm_series_info *series,
			      int writer, struct sm_value *ret_value)
{
	memset(ret_value, 0, sizeof(*ret_value));
	if (numbers[writer] == UINT64_MAX)
		return 0;
	*ret_value = (struct sm_value){ .is_set = 1, .is_integer = 1, .units = numbers[writer],
					.value = (double)numbers[writer] };
	return 0;
}

int __wrap_sm_snapshot_buckets(const struct sm_snapshot *s, const struct sm_series_info *series,
			       int writer, uint64_t *ret_counts, struct sm_sum *ret_sum)
{
	memcpy(ret_counts, counts[writer], sizeof(counts[writer]));
	memset(ret_sum, 0, sizeof(*ret_sum));
	return 0;
}

static int make_parts(void **state)
{
	static const char *const names[WRITERS] = { "shard-10", "shard-9", "shard-\x1b", "shard-1" };
	unsigned w;

	memset(&parts, 0, sizeof(parts));
	memset(numbers, 0, sizeof(numbers));
	memset(counts, 0, sizeof(counts));
	top_model_init(&model, 0);
	feed_series(&counter, 1, SM_COUNTER, "x_total", "", NULL);
	feed_series(&histogram, 2, SM_HISTOGRAM, "d_seconds", "seconds", NULL);
	for (w = 0; w < WRITERS; w++)
		writers[w] = (struct sm_writer){ .slot = w, .incarnation = 1, .name = names[w],
						 .state = SM_WRITER_LIVE };
	return 0;
}

static int drop_parts(void **state)
{
	top_parts_release(&parts);
	top_model_release(&model);
	return 0;
}

static void sample(double seconds)
{
	static const uint64_t none[FEED_BOUNDS + 1];

	top_model_begin(&model, (uint64_t)(seconds * 1e9));
	feed_count(&model, &counter, 1);
	feed_buckets(&model, &histogram, none);
	assert_int_equal(top_model_end(&model), 0);
	families[0] = counter.family;
	families[0].series = &counter.series;
	families[0].nseries = 1;
	families[1] = histogram.family;
	families[1].series = &histogram.series;
	families[1].nseries = 1;
	snapshot = (struct sm_snapshot){ .taken_boot_ns = (uint64_t)(seconds * 1e9),
					 .nfamilies = 2, .families = families,
					 .nwriters = WRITERS, .writers = writers };
	assert_int_equal(top_parts_sample(&parts, &model, &snapshot), 0);
}

static const struct top_part *part(const char *name)
{
	size_t i;

	for (i = 0; i < parts.n; i++)
		if (!strcmp(parts.part[i].name, name))
			return &parts.part[i];
	return NULL;
}

static const struct top_ref of_counter = { 1, 1, -1 }, of_histogram = { 2, 1, -1 };

static void nothing__wanted__is_nothing(void **state)
{
	sample(100);
	assert_int_equal(parts.n, 0);
	top_parts_want(&parts, &(struct top_ref){ 77, 1, -1 }, 1);
	sample(101);
	assert_int_equal(parts.n, 0);
}

static void counter__each_writer__has_value_and_rate(void **state)
{
	top_parts_want(&parts, &of_counter, 1);
	numbers[1] = 5;
	numbers[2] = UINT64_MAX;
	sample(100);
	assert_int_equal(parts.n, 3);
	/* In the order of people, not of slots. */
	assert_string_equal(parts.part[0].name, "shard-1");
	assert_string_equal(parts.part[1].name, "shard-9");
	assert_string_equal(parts.part[2].name, "shard-10");
	assert_int_equal(part("shard-9")->rating, TOP_RATE_UNKNOWN);
	numbers[1] = 25;
	sample(102);
	assert_int_equal(part("shard-9")->rating, TOP_RATE_OK);
	assert_true(fabs(part("shard-9")->rate - 10) < 1e-9);
	assert_true(part("shard-10")->rate == 0);
	numbers[1] = 3;
	sample(103);
	assert_int_equal(part("shard-9")->rating, TOP_RATE_RESET);
	/* The same sample again adds nothing. */
	assert_int_equal(top_parts_sample(&parts, &model, &snapshot), 0);
	assert_true(part("shard-9")->value.value == 3);
}

static void writer__dead_or_replaced__keeps_its_part(void **state)
{
	top_parts_want(&parts, &of_counter, 1);
	numbers[1] = 5;
	sample(100);
	writers[1].state = SM_WRITER_DEAD;
	numbers[1] = UINT64_MAX;
	sample(101);
	assert_int_equal(part("shard-9")->state, SM_WRITER_DEAD);
	assert_true(part("shard-9")->value.value == 5);
	assert_true(part("shard-9")->at_boot_ns == 100 * FEED_SECOND);
	writers[1] = (struct sm_writer){ .slot = 1, .incarnation = 2, .name = "shard-11",
					 .state = SM_WRITER_LIVE };
	numbers[1] = 1;
	sample(102);
	assert_int_equal(parts.n, 5);
	assert_int_equal(part("shard-9")->state, SM_WRITER_DEAD);
	assert_int_equal(part("shard-11")->state, SM_WRITER_LIVE);
	assert_non_null(part("shard-\\x1b"));
}

static void histogram__slow_writer__is_marked(void **state)
{
	unsigned w, t;

	top_parts_want(&parts, &of_histogram, 1);
	for (w = 0; w < WRITERS; w++)
		counts[w][0] = 100;
	sample(100);
	assert_int_equal(parts.n, 4);
	assert_false(part("shard-9")->recent);
	assert_false(part("shard-9")->slow);
	for (t = 1; t < 5; t++) {
		for (w = 0; w < WRITERS; w++)
			counts[w][w == 1 ? 2 : 0] += 10;
		sample(100 + t);
	}
	/* Of what came since we look: its past was as good as that of the others. */
	assert_true(part("shard-9")->recent);
	assert_true(part("shard-9")->quantile[0] > 0.1);
	assert_true(part("shard-9")->slow);
	assert_false(part("shard-10")->slow);
	assert_true(fabs(part("shard-9")->rate - 10) < 1e-9);
	assert_int_equal(part("shard-9")->count, 140);
}

static void want__another_series__drops_the_parts(void **state)
{
	struct top_ref many[TOP_PARTS_REFS + 8];
	size_t i;

	top_parts_want(&parts, &of_counter, 1);
	sample(100);
	assert_int_equal(parts.n, 4);
	top_parts_want(&parts, &of_counter, 1);
	assert_int_equal(parts.n, 4);
	top_parts_want(&parts, &of_histogram, 1);
	assert_int_equal(parts.n, 0);
	for (i = 0; i < TOP_PARTS_REFS + 8; i++)
		many[i] = of_counter;
	top_parts_want(&parts, many, TOP_PARTS_REFS + 8);
	assert_int_equal(parts.nrefs, TOP_PARTS_REFS);
	top_parts_want(&parts, NULL, 0);
	assert_int_equal(parts.nrefs, 0);
}

static int use_utf8(void **state)
{
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_parts, drop_parts)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing__wanted__is_nothing),
		TEST(counter__each_writer__has_value_and_rate),
		TEST(writer__dead_or_replaced__keeps_its_part),
		TEST(histogram__slow_writer__is_marked),
		TEST(want__another_series__drops_the_parts),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
