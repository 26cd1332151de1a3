/* SPDX-License-Identifier: Apache-2.0 */
/* test_state.c - state sets and info. */
#include <errno.h>

#include "segment.h"

static void stateset__set__holds_the_state(void **state)
{
	static const char *const states[] = { "starting", "ready", "draining" };
	struct sm_family *f = declare(&(struct sm_family_options){ .kind = SM_STATESET,
		.name = "bot_state",
		.labels = { "part" },
		.states = states,
		.nstates = 3 });
	struct sm_stateset *s = sm_stateset(f, SM_LABELS("gateway"));

	assert_int_equal(*lane_word(s, 0, 0), 0);
	sm_stateset_set(s, 0);
	assert_int_equal(*lane_word(s, 0, 0), 1);
	sm_stateset_set(s, 2);
	assert_int_equal(*lane_word(s, 0, 0), 3);
	assert_ptr_equal(sm_stateset(f, SM_LABELS("gateway")), s);
}

static void stateset__set_to_no_state__is_refused(void **state)
{
	static const char *const states[] = { "off", "on" };
	struct sm_stateset *s = sm_stateset(declare(&(struct sm_family_options){
		.kind = SM_STATESET, .name = "s", .states = states, .nstates = 2 }), SM_NO_LABELS);

	sm_stateset_set(s, 1);
	sm_stateset_set(s, 2);
	sm_stateset_set(s, UINT32_MAX);
	assert_int_equal(*lane_word(s, 0, 0), 2);
	assert_int_equal(refused(SM_REFUSED_VALUE), 2);
	sm_stateset_set(sm_stateset(&sm_null_family, SM_NO_LABELS), 1);
}

static void info__set__is_there(void **state)
{
	struct sm_family *f = declare(&(struct sm_family_options){
		.kind = SM_INFO, .name = "build_info", .labels = { "version" } });
	struct handle *h;

	assert_int_equal(sm_info_set(f, SM_LABELS("2.14")), 0);
	h = family_find(f, SM_LABELS("2.14"));
	assert_non_null(h);
	assert_int_equal(*lane_word(h->pub, 0, 0), 1);
}

static void info__that_cannot_be__is_an_error(void **state)
{
	struct sm_family *f = declare(&(struct sm_family_options){
		.kind = SM_INFO, .name = "build_info", .labels = { "version" } });

	assert_int_equal(sm_info_set(f, SM_NO_LABELS), -EINVAL);
	assert_int_equal(sm_info_set(f, SM_LABELS("\xff")), -EINVAL);
	assert_int_equal(sm_info_set(&sm_null_family, SM_LABELS("1")), -ENOTCONN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(stateset__set__holds_the_state),
		segment_test(stateset__set_to_no_state__is_refused),
		segment_test(info__set__is_there),
		segment_test(info__that_cannot_be__is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
