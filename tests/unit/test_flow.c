/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_now_ns
/* test_flow.c - flows on a clock that stands still unless told. */
#include <errno.h>

#include "ring.h"
#include "segment.h"
#include "trace.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define MS UINT64_C(1000000)

static uint64_t now_ns = 1000;

uint64_t __wrap_sm_now_ns(void)
{
	return now_ns;
}

static const double bounds[] = { .1, 1 };

static struct sm_flow_type *command_type(uint64_t slow_ns)
{
	struct sm_diag diag;
	struct sm_flow_type *t = sm_flow_declare(segment.m, &(struct sm_flow_options){
		.name = "command", .labels = { "command", "node" }, .bounds = bounds, .nbounds = 2,
		.grid = SM_GRID_OFF, .slow_ns = slow_ns }, &diag);

	if (diag.error)
		fail_msg("sm_flow_declare: %s", diag.message);
	return t;
}

/* The histogram of a flow that is there already, as the process' own table has it. */
static struct handle_public *series(const char *family, const struct sm_str *values, size_t n)
{
	struct sm_family *f;
	struct handle *h = NULL;

	for (f = segment.m->families; f; f = f->next)
		if (!strcmp(f->def.name, family))
			h = family_find(f, values, n);
	assert_non_null(h);
	return h ? h->pub : NULL;
}

static void assert_series(const char *family, const struct sm_str *values, size_t n, uint64_t b0,
	uint64_t b1, uint64_t over, uint64_t sum_ns)
{
	struct handle_public *h = series(family, values, n);

	assert_int_equal(cell_sum(h, 0), b0);
	assert_int_equal(cell_sum(h, 1), b1);
	assert_int_equal(cell_sum(h, 2), over);
	assert_int_equal(cell_sum(h, 3), sum_ns);
}

static struct sm_ring_entry *entry(unsigned i)
{
	return region_ring(segment.m->region, segment.m->slot, i);
}

static uint64_t ring_head(void)
{
	return writer_slot(segment.m)->ring_head;
}

static void flow__with_stages__is_observed_in_total_and_by_stage(void **state)
{
	struct sm_flow_type *t = command_type(0);
	struct sm_flow f;

	assert_int_equal(sm_flow_start(&f, t, SM_LABELS("play", "n1"), NULL), 0);
	now_ns += 5 * MS;
	assert_int_equal(sm_flow_checkpoint(&f, "load"), 5 * MS);
	now_ns += 200 * MS;
	assert_int_equal(sm_flow_checkpoint(&f, "search"), 200 * MS);
	now_ns += 1 * MS;
	assert_int_equal(sm_flow_end(&f, "success"), 206 * MS);
	assert_series(
		"command_stage_duration_seconds", SM_LABELS("play", "n1", "load"), 1, 0, 0, 5 * MS);
	assert_series("command_stage_duration_seconds", SM_LABELS("play", "n1", "search"), 0, 1, 0,
		200 * MS);
	assert_series(
		"command_duration_seconds", SM_LABELS("play", "n1", "success"), 0, 1, 0, 206 * MS);
	assert_int_equal(ring_head(), 0);
}

static void flow__ended__takes_no_more(void **state)
{
	struct sm_flow_type *t = command_type(0);
	struct sm_flow f;

	sm_flow_start(&f, t, SM_LABELS("play", "n1"), NULL);
	now_ns += 50 * MS;
	assert_int_equal(sm_flow_end(&f, "success"), 50 * MS);
	now_ns += 50 * MS;
	assert_int_equal(sm_flow_end(&f, "success"), 0);
	assert_int_equal(sm_flow_checkpoint(&f, "late"), 0);
	sm_flow_attribute(&f, "late", "yes");
	assert_series(
		"command_duration_seconds", SM_LABELS("play", "n1", "success"), 1, 0, 0, 50 * MS);
	/* Never started. */
	memset(&f, 0, sizeof(f));
	assert_int_equal(sm_flow_checkpoint(&f, "x"), 0);
	assert_int_equal(sm_flow_end(&f, "x"), 0);
	sm_flow_attribute(&f, "x", "y");
}

static void flow__slower_than_its_threshold__leaves_a_record(void **state)
{
	struct sm_flow_type *t = command_type(100 * MS);
	struct sm_ring_entry *e = entry(0);
	uint64_t now = clock_ns(CLOCK_REALTIME);
	struct sm_flow f;

	sm_flow_start(&f, t, SM_LABELS("play", "n1"), "00-" TRACE "-" SPAN "-00");
	now_ns += 100 * MS;
	sm_flow_end(&f, "success");
	assert_int_equal(ring_head(), 0);	/* exactly the threshold: not over it */

	sm_flow_start(&f, t, SM_LABELS("play", "n1"), "00-" TRACE "-" SPAN "-00");
	sm_flow_attribute(&f, "guild", "big");
	sm_flow_attribute(&f, "empty", NULL);
	now_ns += 70 * MS;
	sm_flow_checkpoint(&f, "load");
	now_ns += 40 * MS;
	sm_flow_checkpoint(&f, "a name of more than 23 bytes");
	sm_flow_end(&f, "error");
	assert_int_equal(ring_head(), 1);
	assert_string_equal(e->operation, "command");
	assert_string_equal(e->status, "error");
	assert_int_equal(e->duration_ns, 110 * MS);
	assert_int_equal(e->threshold_ns, 100 * MS);
	assert_in_range(e->start_real_ns, now - 111 * MS, now + 1000 * MS);
	assert_int_equal(f.start_real_ns, e->start_real_ns);
	assert_memory_equal(e->trace_id, f.trace_id, 16);
	assert_memory_equal(e->span_id, f.span_id, 8);
	assert_memory_equal(e->parent_id, "\xb7\xad\x6b\x71\x69\x20\x33\x31", 8);
	assert_int_equal(e->flags, RING_REMOTE);
	assert_int_equal(e->ncheckpoints, 2);
	assert_string_equal(e->checkpoint[0].name, "load");
	assert_int_equal(e->checkpoint[0].duration_ns, 70 * MS);
	assert_string_equal(e->checkpoint[1].name, "a name of more than 23 ");
	assert_int_equal(e->checkpoint[1].duration_ns, 40 * MS);
	assert_int_equal(e->parts_refused, 1);
	assert_int_equal(e->attributes_len, 38);
	assert_memory_equal(e->attributes, "command=play\0node=n1\0guild=big\0empty=\0", 38);
}

static void flow__of_too_many_parts__counts_them(void **state)
{
	struct sm_flow_type *t = command_type(1);
	char value[SM_FLOW_ATTRIBUTES];
	struct sm_flow f;
	unsigned i;

	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	sm_flow_start(&f, t, SM_LABELS("play", "n1"), NULL);
	for (i = 0; i < SM_FLOW_CHECKPOINTS + 3; i++) {
		now_ns += 10;
		sm_flow_checkpoint(&f, "step");
	}
	sm_flow_attribute(&f, "", "no key");
	sm_flow_attribute(&f, NULL, "no key");
	sm_flow_attribute(&f, "a=b", "key with =");
	sm_flow_attribute(&f, "k", value);	/* 2 bytes too many */
	assert_int_equal(f.parts_refused, 3 + 4);
	value[SM_FLOW_ATTRIBUTES - 3] = '\0';
	sm_flow_attribute(&f, "k", value);	/* fills it to the last byte */
	assert_int_equal(f.attributes_len, SM_FLOW_ATTRIBUTES);
	sm_flow_attribute(&f, "l", "");
	assert_int_equal(f.parts_refused, 8);
	sm_flow_end(&f, "success");
	assert_int_equal(entry(0)->ncheckpoints, SM_FLOW_CHECKPOINTS);
	assert_int_equal(entry(0)->parts_refused, 9);	/* labels come first, so "k" did not fit */
	assert_string_equal(entry(0)->attributes, "command=play");
	assert_int_equal(refused(SM_REFUSED_RING_PART), 9);
	assert_series(
		"command_stage_duration_seconds", SM_LABELS("play", "n1", "step"), 19, 0, 0, 190);
}

static void flow__with_wrong_values__counts_as_other(void **state)
{
	struct sm_flow_type *t = command_type(0);
	struct sm_str values[2] = { { "a\0b", 3 }, { "n1", 2 } };
	char text[256];
	struct sm_flow f;

	memset(text, 'x', sizeof(text));
	assert_int_equal(sm_flow_start(&f, t, SM_LABELS("play"), NULL), -EINVAL);
	sm_flow_end(&f, "ok");
	assert_int_equal(sm_flow_start(&f, t, NULL, 0, "malformed"), -EINVAL);
	sm_flow_end(&f, "ok");
	assert_int_equal(sm_flow_start(&f, t, values, 2, NULL), -EINVAL);
	sm_flow_end(&f, "ok");
	values[0] = (struct sm_str){ text, 239 };
	assert_int_equal(sm_flow_start(&f, t, values, 2, NULL), -E2BIG);
	sm_flow_end(&f, "ok");
	assert_series(
		"command_duration_seconds", SM_LABELS("__other__", "__other__", "ok"), 4, 0, 0, 0);
	values[0].len = 238;		/* 240 in all */
	assert_int_equal(sm_flow_start(&f, t, values, 2, NULL), 0);
	sm_flow_end(&f, "ok");
	assert_series("command_duration_seconds",
		(const struct sm_str[]){ values[0], values[1], { "ok", 2 } }, 3, 1, 0, 0, 0);
	values[1].len = 0;		/* an empty value is one, too */
	assert_int_equal(sm_flow_start(&f, t, values, 2, NULL), 0);
	sm_flow_end(&f, NULL);
	assert_series("command_duration_seconds",
		(const struct sm_str[]){ values[0], values[1], { "", 0 } }, 3, 1, 0, 0, 0);
}

static void flow__started_from_a_header__goes_on_with_its_trace(void **state)
{
	static const uint8_t zero[16];
	struct sm_flow_type *t = command_type(0);
	struct trace_parent parent, sent;
	char header[56];
	struct sm_flow f;

	assert_int_equal(
		sm_flow_start(&f, t, SM_LABELS("play", "n1"), "00-" TRACE "-" SPAN "-00"), 0);
	trace_parse("00-" TRACE "-" SPAN "-00", &parent);
	assert_memory_equal(f.trace_id, parent.trace_id, 16);
	assert_memory_equal(f.parent_id, parent.parent_id, 8);
	sm_flow_traceparent(&f, header);
	assert_int_equal(trace_parse(header, &sent), 0);
	assert_memory_equal(sent.trace_id, parent.trace_id, 16);
	assert_memory_equal(sent.parent_id, f.span_id, 8);
	assert_int_equal(sent.flags, 0);	/* not sampled above, not sampled below */

	/* A malformed one is as none, and none is no mistake. */
	assert_int_equal(
		sm_flow_start(&f, t, SM_LABELS("play", "n1"), "00-" TRACE "-" SPAN "-0G"), -EINVAL);
	assert_memory_not_equal(f.trace_id, parent.trace_id, 16);
	assert_memory_not_equal(f.trace_id, zero, 16);
	assert_memory_equal(f.parent_id, zero, 8);
	sm_flow_traceparent(&f, header);
	assert_int_equal(trace_parse(header, &sent), 0);
	assert_int_equal(sent.flags, TRACE_SAMPLED);
	assert_int_equal(sm_flow_start(&f, t, SM_LABELS("play", "n1"), ""), 0);
	assert_int_equal(sm_flow_start(&f, t, SM_LABELS("play", "n1"), NULL), 0);
}

#define OPEN 1000

/* Many at once, started, marked and ended in different orders. */
static void flows__interleaved__are_exact(void **state)
{
	static struct sm_flow f[OPEN];
	struct sm_flow_type *t = command_type(UINT64_MAX);
	uint64_t started[OPEN], sum = 0, stage_sum = 0, b0 = 0;
	unsigned i, k;

	for (i = 0; i < OPEN; i++) {
		now_ns += 17;
		started[i] = now_ns;
		assert_int_equal(
			sm_flow_start(&f[i], t, SM_LABELS(i % 2 ? "odd" : "even", "n1"), NULL), 0);
	}
	for (i = 0; i < OPEN; i++) {
		k = i * 7 % OPEN;
		now_ns += 200000;
		stage_sum += now_ns - started[k];
		assert_int_equal(sm_flow_checkpoint(&f[k], "half"), now_ns - started[k]);
	}
	for (i = 0; i < OPEN; i++) {
		k = i * 3 % OPEN;
		now_ns += 100;
		if (k % 2) {
			sum += now_ns - started[k];
			b0 += now_ns - started[k] <= 100 * MS;
		}
		assert_int_equal(sm_flow_end(&f[k], "ok"), now_ns - started[k]);
	}
	assert_series("command_duration_seconds", SM_LABELS("odd", "n1", "ok"), b0, OPEN / 2 - b0,
		0, sum);
	sum = cell_sum(
		      series("command_stage_duration_seconds", SM_LABELS("odd", "n1", "half")), 3) +
	      cell_sum(
		      series("command_stage_duration_seconds", SM_LABELS("even", "n1", "half")), 3);
	assert_int_equal(sum, stage_sum);
}

static void type__declared_again__is_the_same(void **state)
{
	assert_ptr_equal(command_type(5), command_type(5));
	assert_ptr_not_equal(command_type(5), command_type(6));
}

static void type__with_a_target__is_slow_beyond_it(void **state)
{
	struct sm_flow_type *t = sm_flow_declare(segment.m, &(struct sm_flow_options){
		.name = "job", .slo = .25 }, NULL);
	struct sm_flow f;

	assert_int_equal(sm_flow_start(&f, t, SM_NO_LABELS, NULL), 0);
	now_ns += 250 * MS + 1;
	sm_flow_end(&f, "ok");
	assert_int_equal(entry(0)->threshold_ns, 250 * MS);
	t = sm_flow_declare(segment.m, &(struct sm_flow_options){ .name = "other" }, NULL);
	sm_flow_start(&f, t, SM_NO_LABELS, NULL);
	now_ns += 1000 * MS + 1;
	sm_flow_end(&f, "ok");
	assert_int_equal(entry(1)->threshold_ns, 1000 * MS);
	assert_int_equal(ring_head(), 2);
}

static void type__that_cannot_be__is_null(void **state)
{
	static const struct sm_flow_options bad[] = {
		{ .name = NULL },
		{ .name = "" },
		{ .name = "9" },
		{ .name = "a", .labels = { "status" } },
		{ .name = "b", .labels = { "stage" } },
		{ .name = "c", .labels = { "x", "x" } },
	};
	struct sm_flow_type *null = sm_flow_declare(NULL, &bad[0], NULL);
	char name[200];
	struct sm_diag diag;
	struct sm_flow f;
	unsigned i;

	assert_non_null(null);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_ptr_equal(sm_flow_declare(segment.m, &bad[i], &diag), null);
		assert_int_equal(diag.error, -EINVAL);
		assert_true(strlen(diag.message) > 0);
	}
	memset(name, 'n', sizeof(name));
	name[161] = '\0';
	assert_ptr_equal(
		sm_flow_declare(segment.m, &(struct sm_flow_options){ .name = name }, &diag), null);
	name[160] = '\0';
	assert_ptr_not_equal(
		sm_flow_declare(segment.m, &(struct sm_flow_options){ .name = name }, &diag), null);
	assert_int_equal(diag.error, 0);

	/* It measures, and counts nowhere. */
	assert_int_equal(sm_flow_start(&f, null, SM_LABELS("any", "number", "of values"), NULL), 0);
	now_ns += 5;
	assert_int_equal(sm_flow_checkpoint(&f, "x"), 5);
	now_ns += UINT64_C(10000000000);
	assert_int_equal(sm_flow_end(&f, "ok"), UINT64_C(10000000005));
	assert_int_equal(sm_flow_start(&f, NULL, SM_NO_LABELS, NULL), 0);
	sm_flow_end(&f, "ok");
	assert_int_equal(ring_head(), 0);
}

static void type__with_one_family_switched_off__counts_in_the_other(void **state)
{
	struct sm_flow f;

	sm_close(segment.m);
	setenv("SHARDMETER_DISABLE_FAMILIES", "command_duration_*", 1);
	segment_open_as("unit", 0);
	unsetenv("SHARDMETER_DISABLE_FAMILIES");
	assert_int_equal(sm_flow_start(&f, command_type(1), SM_LABELS("play", "n1"), NULL), 0);
	now_ns += 10;
	sm_flow_checkpoint(&f, "load");
	sm_flow_end(&f, "ok");
	assert_series(
		"command_stage_duration_seconds", SM_LABELS("play", "n1", "load"), 1, 0, 0, 10);
	assert_string_equal(entry(0)->attributes, "command=play");
}

static void flows__of_a_disabled_writer__count_nowhere(void **state)
{
	struct sm *off = sm_open(&(struct sm_options){ .flags = SM_OPEN_DISABLED }, NULL);
	struct sm_diag diag;
	struct sm_flow_type *t =
		sm_flow_declare(off, &(struct sm_flow_options){ .name = "x" }, &diag);
	struct sm_flow f;

	assert_int_equal(diag.error, 0);
	assert_int_equal(sm_flow_start(&f, t, SM_NO_LABELS, NULL), 0);
	sm_flow_checkpoint(&f, "x");
	sm_flow_end(&f, "ok");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(flow__with_stages__is_observed_in_total_and_by_stage),
		segment_test(flow__ended__takes_no_more),
		segment_test(flow__slower_than_its_threshold__leaves_a_record),
		segment_test(flow__of_too_many_parts__counts_them),
		segment_test(flow__with_wrong_values__counts_as_other),
		segment_test(flow__started_from_a_header__goes_on_with_its_trace),
		segment_test(flows__interleaved__are_exact),
		segment_test(type__declared_again__is_the_same),
		segment_test(type__with_a_target__is_slow_beyond_it),
		segment_test(type__that_cannot_be__is_null),
		segment_test(type__with_one_family_switched_off__counts_in_the_other),
		segment_test(flows__of_a_disabled_writer__count_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
