/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace.c - the traceparent header, and ids. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static const struct { const char *header; int expected; } table[] = {
	{ "00-" TRACE "-" SPAN "-01", 0 },
	{ "00-" TRACE "-" SPAN "-00", 0 },
	{ "00-" TRACE "-" SPAN "-ff", 0 },
	{ "01-" TRACE "-" SPAN "-01", 0 },
	{ "fe-" TRACE "-" SPAN "-01-what-comes-later", 0 },
	{ "fe-" TRACE "-" SPAN "-01-", 0 },
	{ "00-" "00000000000000000000000000000001" "-" "0000000000000001" "-01", 0 },
	/* the version */
	{ "ff-" TRACE "-" SPAN "-01", -EINVAL },
	{ "0-" TRACE "-" SPAN "-01", -EINVAL },
	{ "FE-" TRACE "-" SPAN "-01", -EINVAL },
	{ "g0-" TRACE "-" SPAN "-01", -EINVAL },
	{ "00-" TRACE "-" SPAN "-01-", -EINVAL },
	{ "00-" TRACE "-" SPAN "-01-more", -EINVAL },
	{ "00-" TRACE "-" SPAN "-011", -EINVAL },
	{ "01-" TRACE "-" SPAN "-011", -EINVAL },
	{ "01-" TRACE "-" SPAN "-01.x", -EINVAL },
	/* the ids */
	{ "00-" "00000000000000000000000000000000" "-" SPAN "-01", -EINVAL },
	{ "00-" TRACE "-" "0000000000000000" "-01", -EINVAL },
	{ "00-" "0AF7651916CD43DD8448EB211C80319C" "-" SPAN "-01", -EINVAL },
	{ "00-" TRACE "-" "B7AD6B7169203331" "-01", -EINVAL },
	{ "00-" "0af7651916cd43dd8448eb211c80319" "-" SPAN "-01", -EINVAL },
	{ "00-" TRACE "0-" SPAN "-01", -EINVAL },
	{ "00-" "0af7651916cd43dd8448eb211c80319g" "-" SPAN "-01", -EINVAL },
	{ "00-" TRACE "-" "b7ad6b716920333" "-01", -EINVAL },
	/* the flags, and dashes */
	{ "00-" TRACE "-" SPAN "-0A", -EINVAL },
	{ "00-" TRACE "-" SPAN "-0", -EINVAL },
	{ "00-" TRACE "-" SPAN "-", -EINVAL },
	{ "00-" TRACE "-" SPAN, -EINVAL },
	{ "00_" TRACE "-" SPAN "-01", -EINVAL },
	{ "00-" TRACE "_" SPAN "-01", -EINVAL },
	{ "00-" TRACE "-" SPAN "_01", -EINVAL },
	{ " 00-" TRACE "-" SPAN "-01", -EINVAL },
	{ "00-" TRACE "-" SPAN "-01 ", -EINVAL },
	{ "", -EINVAL },
	{ "0", -EINVAL },
	{ "00", -EINVAL },
	{ "00-", -EINVAL },
	{ NULL, -EINVAL },
};

static void traceparent__in_all_forms__is_taken_strictly(void **state)
{
	struct trace_parent t;
	char *copy;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		/* In memory of just its size, so that a sanitizer sees a byte too many. */
		copy = table[i].header ? strdup(table[i].header) : NULL;
		if (trace_parse(copy, &t) != table[i].expected)
			fail_msg("\"%s\" is taken wrongly",
				table[i].header ? table[i].header : "NULL");
		free(copy);
	}
}

static void traceparent__cut_anywhere__is_refused(void **state)
{
	static const char whole[] = "00-" TRACE "-" SPAN "-01";
	struct trace_parent t;
	char *copy;
	size_t i;

	for (i = 0; i < sizeof(whole) - 1; i++) {
		copy = strndup(whole, i);
		assert_int_equal(trace_parse(copy, &t), -EINVAL);
		free(copy);
	}
}

static void traceparent__refused__leaves_the_result_alone(void **state)
{
	struct trace_parent t, before;

	memset(&t, 0x5a, sizeof(t));
	before = t;
	assert_int_equal(trace_parse("00-" TRACE "-" "0000000000000000" "-01", &t), -EINVAL);
	assert_memory_equal(&t, &before, sizeof(t));
}

static void traceparent__parsed_and_formatted__is_the_same(void **state)
{
	static const char header[] = "00-" TRACE "-" SPAN "-01";
	struct trace_parent t;
	char again[56];

	assert_int_equal(trace_parse(header, &t), 0);
	assert_int_equal(t.trace_id[0], 0x0a);
	assert_int_equal(t.parent_id[7], 0x31);
	assert_int_equal(t.flags, 1);
	trace_format(t.trace_id, t.parent_id, t.flags, again);
	assert_string_equal(again, header);
}

/* ---- ids ---------------------------------------------------------------------------------- */

#define IDS 2000

static void make_ids(uint8_t (*ids)[16], size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		trace_id(ids[i], 16);
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void assert_all_differ(uint8_t (*ids)[16], unsigned n)
{
	static const uint8_t zero[16];
	unsigned i;

	qsort(ids, n, 16, compare_ids);
	for (i = 0; i < n; i++) {
		assert_true(memcmp(ids[i], zero, 16) != 0);
		if (i)
			assert_true(memcmp(ids[i], ids[i - 1], 16) != 0);
	}
}

static void *make_in_thread(void *arg)
{
	make_ids(arg, IDS);
	return NULL;
}

static void ids__of_threads__differ(void **state)
{
	static uint8_t ids[4 * IDS][16];
	pthread_t t[4];
	unsigned i;

	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, make_in_thread, ids[i * IDS]), 0);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_all_differ(ids, 4 * IDS);
}

static void ids__of_8_bytes__stay_inside(void **state)
{
	uint8_t *id = malloc(8);
	unsigned i, bits[64] = { 0 }, k;

	assert_non_null(id);
	for (i = 0; i < 4000; i++) {
		trace_id(id, 8);
		for (k = 0; k < 64; k++)
			bits[k] += id[k / 8] >> (k % 8) & 1;
	}
	/* Each bit is set half the times: 2000 +- 7 standard deviations. */
	for (k = 0; k < 64; k++)
		assert_in_range(bits[k], 1778, 2222);
	free(id);
}

static void init(void **state)
{
	trace_init();
	trace_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(traceparent__in_all_forms__is_taken_strictly),
		cmocka_unit_test(traceparent__cut_anywhere__is_refused),
		cmocka_unit_test(traceparent__refused__leaves_the_result_alone),
		cmocka_unit_test(traceparent__parsed_and_formatted__is_the_same),
		cmocka_unit_test(init),
		cmocka_unit_test(ids__of_threads__differ),
		cmocka_unit_test(ids__of_8_bytes__stay_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
