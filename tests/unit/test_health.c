/* SPDX-License-Identifier: Apache-2.0 */
/* test_health.c - the state of components. */
#include <errno.h>

#include "segment.h"

static struct handle_public *series(const char *component, const char *critical)
{
	struct sm_family *f = segment.m->families;
	struct handle *h;

	while (f && strcmp(f->def.name, "component_health") != 0)
		f = f->next;
	h = f ? family_find(f, SM_LABELS(component, critical)) : NULL;
	return h ? h->pub : NULL;
}

static void assert_health(const char *component, const char *critical, double expected)
{
	struct handle_public *h = series(component, critical);

	assert_non_null(h);
	assert_true(bits_double(*lane_word(h, 0, 0) ^ SM_UNSET) == expected);
}

static void health__set__is_a_gauge(void **state)
{
	assert_int_equal(sm_health_set(segment.m, "database", SM_HEALTH_OK, 1), 0);
	assert_health("database", "true", 2);
	assert_int_equal(sm_health_set(segment.m, "database", SM_HEALTH_CRITICAL, 1), 0);
	assert_health("database", "true", 0);
	assert_int_equal(sm_health_set(segment.m, "cache", SM_HEALTH_DEGRADED, 0), 0);
	assert_health("cache", "false", 1);
	assert_health("database", "true", 0);
	assert_null(series("cache", "true"));
}

static void health__of_another_importance__leaves_one_series(void **state)
{
	assert_int_equal(sm_health_set(segment.m, "cache", SM_HEALTH_CRITICAL, 1), 0);
	assert_int_equal(sm_health_set(segment.m, "cache", SM_HEALTH_OK, 0), 0);
	assert_health("cache", "false", 2);
	assert_int_equal(*lane_word(series("cache", "true"), 0, 0), 0);
}

static void health__that_is_no_state__is_refused(void **state)
{
	char name[80];

	memset(name, 'n', sizeof(name));
	name[65] = '\0';
	assert_int_equal(sm_health_set(segment.m, NULL, SM_HEALTH_OK, 0), -EINVAL);
	assert_int_equal(sm_health_set(segment.m, "", SM_HEALTH_OK, 0), -EINVAL);
	assert_int_equal(sm_health_set(segment.m, name, SM_HEALTH_OK, 0), -EINVAL);
	assert_int_equal(sm_health_set(segment.m, "x", (enum sm_health)3, 0), -EINVAL);
	assert_int_equal(sm_health_set(segment.m, "\xff", SM_HEALTH_OK, 0), -EINVAL);
	name[64] = '\0';
	assert_int_equal(sm_health_set(segment.m, name, SM_HEALTH_OK, 0), 0);
}

static void health__of_a_writer_that_is_off__is_no_error(void **state)
{
	struct sm *off = sm_open(&(struct sm_options){ .flags = SM_OPEN_DISABLED }, NULL);
	struct sm *bad =
		sm_open(&(struct sm_options){ .segment = segment.path, .writer = "a b" }, NULL);

	assert_int_equal(sm_health_set(off, "x", SM_HEALTH_OK, 0), 0);
	assert_int_equal(sm_health_set(bad, "x", SM_HEALTH_OK, 0), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(health__set__is_a_gauge),
		segment_test(health__of_another_importance__leaves_one_series),
		segment_test(health__that_is_no_state__is_refused),
		segment_test(health__of_a_writer_that_is_off__is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
