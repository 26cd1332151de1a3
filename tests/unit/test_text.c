/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of libshm/text.c and text_segment.c: the exposition, byte by byte. That other parsers take
 * it is tested in tests/system.
 */
#include "segment_builder.h"

struct output {
	char *p;
	size_t n;
	unsigned calls, fail_at;
};

static int sink(void *ctx, const char *data, size_t len)
{
	struct output *o = ctx;

	if (++o->calls == o->fail_at)
		return -EPIPE;
	o->p = realloc(o->p, o->n + len + 1);
	assert_non_null(o->p);
	memcpy(o->p + o->n, data, len);
	o->n += len;
	o->p[o->n] = '\0';
	return 0;
}

/* The whole exposition; free it. */
static char *render(struct builder *b)
{
	struct sm_reader *r = builder_reader(b);
	const struct sm_snapshot *s = builder_take(r, 0);
	struct output o = { 0 };

	assert_int_equal(sm_snapshot_text(s, 0, sink, &o), 0);
	sm_snapshot_free(s);
	sm_reader_close(r);
	assert_int_equal(o.p[o.n - 1], '\n');
	return o.p;
}

/* What is said of one family (HELP, TYPE and samples), without our own metrics. */
static char *render_users(struct builder *b)
{
	char *text = render(b), *from, *line, *next, *out = malloc(strlen(text) + 1);
	size_t n = 0;

	for (from = text; *from; from = next) {
		next = strchr(from, '\n') + 1;
		line = strncmp(from, "# HELP ", 7) == 0 || strncmp(from, "# TYPE ", 7) == 0
			       ? from + 7
			       : from;
		if (strncmp(line, "shardmeter_", 11) == 0)
			continue;
		memcpy(out + n, from, (size_t)(next - from));
		n += (size_t)(next - from);
	}
	out[n] = '\0';
	free(text);
	return out;
}

static void expect_users(struct builder *b, const char *expect)
{
	char *text = render_users(b);

	assert_string_equal(text, expect);
	free(text);
	builder_free(b);
}

static void text__counter__exact_and_escaped(void **state)
{
	struct builder b;
	uint32_t f, w, one, two;

	builder_new(&b);
	w = builder_writer(&b, "a", true);
	f = builder_family(&b, SM_COUNTER, "commands_total",
			   .help = "Commands \\ \"done\".\nTwice.", .decimals = 9,
			   .labels = { "command", "x" });
	one = builder_series(&b, f, "a\\b\"c\n9", "\xc3\xa9", NULL);
	two = builder_series(&b, f, "", "two", NULL);
	*builder_cell(&b, w, 1, builder_rec(&b, one)->cell[SM_CELL_U64]) = UINT64_MAX;
	*builder_cell(&b, w, 1, builder_rec(&b, two)->cell[SM_CELL_FIXED]) = 1500000001;
	expect_users(
		&b,
		"# HELP commands_total Commands \\\\ \"done\".\\nTwice.\n"
		"# TYPE commands_total counter\n"
		"commands_total{command=\"a\\\\b\\\"c\\n9\",x=\"\xc3\xa9\"} 18446744073709551615\n"
		"commands_total{command=\"\",x=\"two\"} 1.500000001\n");
}

static void text__double_counter__shortest(void **state)
{
	struct builder b;
	uint32_t s;

	builder_new(&b);
	s = builder_series(&b, builder_family(&b, SM_COUNTER, "cpu_seconds_total", .help = "CPU."),
			   NULL);
	*builder_cell(&b, 0, 0, builder_rec(&b, s)->cell[SM_CELL_DOUBLE]) = builder_bits(0.1 + 0.2);
	expect_users(&b, "# HELP cpu_seconds_total CPU.\n# TYPE cpu_seconds_total counter\n"
			 "cpu_seconds_total 0.30000000000000004\n");
}

static void text__histogram__canonical_le_exact_sum(void **state)
{
	static const double bounds[] = { 0.00001, 0.005, 1, 2.5, 1000000 };
	struct builder b;
	uint32_t w, s, cell, i;

	builder_new(&b);
	w = builder_writer(&b, "a", true);
	s = builder_series(&b,
			   builder_family(&b, SM_HISTOGRAM, "wait_seconds", .help = "Waiting.",
					  .bounds = bounds, .nbounds = 5, .sum_decimals = 9,
					  .labels = { "op" }),
			   "x", NULL);
	cell = builder_rec(&b, s)->cell[0];
	for (i = 0; i < 6; i++)
		*builder_cell(&b, w, 1, cell + i) = i + 1;
	*builder_cell(&b, w, 1, cell + 6) = 12345678901;
	expect_users(&b, "# HELP wait_seconds Waiting.\n# TYPE wait_seconds histogram\n"
			 "wait_seconds_bucket{op=\"x\",le=\"1e-05\"} 1\n"
			 "wait_seconds_bucket{op=\"x\",le=\"0.005\"} 3\n"
			 "wait_seconds_bucket{op=\"x\",le=\"1.0\"} 6\n"
			 "wait_seconds_bucket{op=\"x\",le=\"2.5\"} 10\n"
			 "wait_seconds_bucket{op=\"x\",le=\"1e+06\"} 15\n"
			 "wait_seconds_bucket{op=\"x\",le=\"+Inf\"} 21\n"
			 "wait_seconds_sum{op=\"x\"} 12.345678901\n"
			 "wait_seconds_count{op=\"x\"} 21\n");
}

static void text__histogram_without_bounds__plus_inf_only(void **state)
{
	struct builder b;

	builder_new(&b);
	builder_series(&b, builder_family(&b, SM_HISTOGRAM, "h", ), NULL);
	expect_users(&b, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n");
}

static void text__gauges__set_ones_only_by_name(void **state)
{
	struct builder b;
	uint32_t f, w, v, s;

	builder_new(&b);
	w = builder_writer(&b, "shard-1", true);
	v = builder_writer(&b, "shard-2", true);
	builder_series(&b, builder_family(&b, SM_GAUGE, "z_never_set", .help = "Nothing."), NULL);
	builder_family(&b, SM_GAUGE, "y_no_series", .help = "Nothing.");
	s = builder_series(&b, builder_family(&b, SM_GAUGE, "temperature", .help = "T."), NULL);
	builder_gauge(&b, w, s, -2.5);
	f = builder_family(&b, SM_GAUGE, "memory", .help = "M.", .mode = SM_MODE_ALL,
			   .labels = { "kind" });
	s = builder_series(&b, f, "heap", NULL);
	builder_gauge(&b, w, s, 1e6);
	builder_gauge(&b, v, s, (double)0x1p-1074);
	s = builder_series(&b, builder_family(&b, SM_UPDOWN, "queue", .help = "Q."), NULL);
	*builder_cell(&b, w, 1, builder_rec(&b, s)->cell[0]) = (uint64_t)INT64_MIN;
	expect_users(&b, "# HELP memory M.\n# TYPE memory gauge\n"
			 "memory{kind=\"heap\",writer=\"shard-1\"} 1e+06\n"
			 "memory{kind=\"heap\",writer=\"shard-2\"} 5e-324\n"
			 "# HELP queue Q.\n# TYPE queue gauge\nqueue -9223372036854775808\n"
			 "# HELP temperature T.\n# TYPE temperature gauge\ntemperature -2.5\n");
}

static void text__info_and_states__labels(void **state)
{
	struct builder b;
	uint32_t w, i, s;

	builder_new(&b);
	w = builder_writer(&b, "a", true);
	i = builder_series(
		&b,
		builder_family(&b, SM_INFO, "build_info", .help = "B.", .labels = { "version" }),
		"1.2", NULL);
	*builder_cell(&b, w, 0, builder_rec(&b, i)->cell[0]) = 1;
	s = builder_series(&b,
			   builder_family(&b, SM_STATESET, "mode", .help = "M.",
					  .states = { "idle", "bus\"y" }),
			   NULL);
	*builder_cell(&b, w, 0, builder_rec(&b, s)->cell[0]) = 2;
	expect_users(
		&b, "# HELP build_info B.\n# TYPE build_info gauge\nbuild_info{version=\"1.2\"} 1\n"
		    "# HELP mode M.\n# TYPE mode gauge\n"
		    "mode{writer=\"a\",mode=\"idle\"} 0\n"
		    "mode{writer=\"a\",mode=\"bus\\\"y\"} 1\n");
}

static void text__overflow_series__as_it_is(void **state)
{
	struct builder b;
	uint32_t f, s;

	builder_new(&b);
	f = builder_family(&b, SM_COUNTER, "n_total", .help = "N.", .labels = { "user" });
	s = builder_series(&b, f, "__other__", NULL);
	builder_frec(&b, f)->overflow = s + 1;
	*builder_cell(&b, 0, 0, builder_rec(&b, s)->cell[0]) = 3;
	expect_users(&b,
		     "# HELP n_total N.\n# TYPE n_total counter\nn_total{user=\"__other__\"} 3\n");
}

/* ---- our own metrics ----------------------------------------------------------------------- */

static void expect_line(const char *text, const char *line)
{
	char with_ends[256];

	snprintf(with_ends, sizeof(with_ends), "\n%s\n", line);
	if (!strstr(text, with_ends))
		fail_msg("no line: %s", line);
}

static void own__writers__one_of_each(void **state)
{
	struct sm_slot *s;
	struct builder b;
	char *text;
	uint32_t w;

	builder_new(&b);
	w = builder_writer(&b, "shard-1", true);
	builder_writer(&b, "gone", false);
	s = builder_slot(&b, w);
	memcpy(s->metadata, "shard=1\0re-gion=eu\0writer=x\0re.gion=us\0__x=y\0instance=h", 56);
	s->metadata_len = 56;
	s->restarts = 4;
	s->shared_updates = 12;
	s->refused[SM_REFUSED_VALUE] = 9;
	s->start_real_ns = 1700000000500000000u;
	b.h->folds = 3;
	text = render(&b);
	expect_line(text, "shardmeter_writer_up{writer=\"shard-1\"} 1");
	expect_line(text, "shardmeter_writer_up{writer=\"gone\"} 0");
	expect_line(
		text,
		"shardmeter_writer_info{writer=\"shard-1\",version=\"1.2.3\",shard=\"1\",re_gion=\"eu\"} 1");
	expect_line(text, "shardmeter_writer_restarts_total{writer=\"shard-1\"} 4");
	expect_line(text, "shardmeter_writer_start_time_seconds{writer=\"shard-1\"} 1700000000.5");
	expect_line(text, "shardmeter_shared_lane_updates_total{writer=\"shard-1\"} 12");
	expect_line(text, "shardmeter_refused_total{reason=\"value\"} 9");
	expect_line(text, "shardmeter_refused_total{reason=\"cap\"} 0");
	expect_line(text, "shardmeter_segment_writers 2");
	expect_line(text, "shardmeter_segment_writers_max 15");
	expect_line(text, "shardmeter_segment_folds_total 3");
	expect_line(
		text,
		"shardmeter_segment_info{segment_id=\"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\",layout=\"1.0\"} 1");
	expect_line(text, "shardmeter_snapshot_stale 0");
	assert_null(strstr(text, "shardmeter_writer_info{writer=\"gone\""));
	assert_null(strstr(text, "shardmeter_writer_heartbeat_age_seconds"));	/* never gave one */
	assert_null(strstr(text, "writer=\"common\""));
	free(text);
	s->heartbeat_boot_ns = 1;
	text = render(&b);
	assert_non_null(
		strstr(text, "\nshardmeter_writer_heartbeat_age_seconds{writer=\"shard-1\"} "));
	free(text);
	builder_free(&b);
}

/* HELP and TYPE once for each family, samples together, all names in order. */
static void own__all_together__sorted_and_grouped(void **state)
{
	char *text, *line, *next, last[128] = "", name[128];
	struct builder b;
	size_t n;

	builder_new(&b);
	builder_writer(&b, "a", true);
	builder_series(&b, builder_family(&b, SM_COUNTER, "zebra_total", .help = "Z."), NULL);
	builder_series(&b, builder_family(&b, SM_COUNTER, "ant_total", .help = "A."), NULL);
	builder_series(&b, builder_family(&b, SM_COUNTER, "shardmeter", .help = "S."), NULL);
	text = render(&b);
	for (line = text; *line; line = next) {
		next = strchr(line, '\n') + 1;
		if (strncmp(line, "# HELP ", 7) != 0)
			continue;
		n = strcspn(line + 7, " ");
		assert_true(n < sizeof(name));
		memcpy(name, line + 7, n);
		name[n] = '\0';
		assert_true(strcmp(last, name) < 0);
		strcpy(last, name);
		assert_int_equal(strncmp(next, "# TYPE ", 7), 0);
		assert_int_equal(strncmp(next + 7, name, n), 0);
	}
	assert_string_equal(last, "zebra_total");
	free(text);
	builder_free(&b);
}

static void text__sink_fails__its_error_and_no_more_calls(void **state)
{
	struct output o = { .fail_at = 1 };
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct builder b;
	char value[8];
	uint32_t f, i;

	builder_new(&b);
	f = builder_family(&b, SM_HISTOGRAM, "a", .grid_lo = -5, .grid_hi = 5, .labels = { "l" });
	for (i = 0; i < 100; i++) {
		snprintf(value, sizeof(value), "%u", i);
		builder_series(&b, f, value, NULL);
	}
	r = builder_reader(&b);
	s = builder_take(r, 0);
	assert_int_equal(sm_snapshot_text(s, 0, sink, &o), -EPIPE);
	assert_int_equal(o.calls, 1);
	assert_int_equal(sm_snapshot_text(s, 1, sink, &o), -EINVAL);
	free(o.p);
	sm_snapshot_free(s);
	sm_reader_close(r);
	builder_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text__counter__exact_and_escaped),
		cmocka_unit_test(text__double_counter__shortest),
		cmocka_unit_test(text__histogram__canonical_le_exact_sum),
		cmocka_unit_test(text__histogram_without_bounds__plus_inf_only),
		cmocka_unit_test(text__gauges__set_ones_only_by_name),
		cmocka_unit_test(text__info_and_states__labels),
		cmocka_unit_test(text__overflow_series__as_it_is),
		cmocka_unit_test(own__writers__one_of_each),
		cmocka_unit_test(own__all_together__sorted_and_grouped),
		cmocka_unit_test(text__sink_fails__its_error_and_no_more_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
