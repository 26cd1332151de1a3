/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/output.c, output_table.c, openmetrics.c: exact numbers, quoting, no escape sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shmtop_feed.h"
#include "tools/shmtop/output.h"

static struct top_data data;
#define model data.model
static struct top_view view;
static struct buf text;

static int make_model(void **state)
{
	struct top_options o = { .delay_s = 1, .view = TOP_SERIES, .mode = TOP_MODE_ONCE };

	top_data_init(&data, 0);
	top_view_init(&view, &o);
	return 0;
}

static int drop_model(void **state)
{
	buf_free(&text);
	top_view_release(&view);
	top_data_release(&data);
	return 0;
}

static void begin(void)
{
	top_model_begin(&model, (100 + model.sample) * FEED_SECOND);
	model.status.real_ns = UINT64_C(1767323045678000000);
	model.status.worst_age_ns = UINT64_MAX;
	strcpy(model.status.segment, "default");
}

static void end(void)
{
	assert_int_equal(top_model_end(&model), 0);
	assert_int_equal(top_view_arrange(&view, &data), 0);
	text.len = 0;
}

static void assert_has(const char *what)
{
	if (!strstr(text.data, what))
		fail_msg("\"%s\" is not in\n%s", what, text.data);
}

static void feed_value(const struct feed_series *s, struct sm_value v)
{
	v.is_set = 1;
	feed_number(&model, s, &v);
}

/* The widest line of the table, in columns; the two lines of its head are text of any length. */
static int widest_line(void)
{
	char *copy = strdup(text.data), *line, *rest = copy;
	int widest = 0, n = 0;

	assert_non_null(copy);
	while ((line = strsep(&rest, "\n")))
		if (n++ >= 2 && top_width(line) > widest)
			widest = top_width(line);
	free(copy);
	return widest;
}

static void table__narrow_terminal__is_not_broken(void **state)
{
	struct feed_series h, c;
	int width;

	feed_series(&h, 1, SM_HISTOGRAM, "a_very_long_name_of_a_histogram_duration_seconds", "seconds",
		    NULL);
	feed_series(&c, 2, SM_COUNTER, "an_even_longer_name_of_a_counter_that_counts_things_total", "",
		    NULL);
	begin();
	feed_buckets(&model, &h, (uint64_t[]){ 1, 2, 3, 4, 0 });
	feed_count(&model, &c, 1234567);
	end();
	for (width = 20; width <= 200; width++) {
		text.len = 0;
		view.text_width = width;
		top_output_table(&text, &data, &view, 1);
		assert_in_range(widest_line(), 1, (unsigned)width);
		assert_has("1234567");
	}
	assert_has("a_very_long_name_of_a_histogram_duration_seconds ");
	assert_has("p50");
}

static void table__timestamp__is_an_age(void **state)
{
	struct feed_series t;

	feed_series(&t, 1, SM_GAUGE, "backup_timestamp_seconds", "seconds", NULL);
	begin();
	model.real_ns = UINT64_C(1700000020) * 1000000000;
	feed_gauge(&model, &t, 1700000000);
	end();
	top_output_table(&text, &data, &view, 1);
	assert_has("  20s ago");
	text.len = 0;
	top_output_json(&text, &data, &view);
	assert_has("\"value\":1.7e+09}");
}

static void json__integers__are_exact(void **state)
{
	struct feed_series big, fixed, down;

	feed_series(&big, 1, SM_COUNTER, "big_total", "", NULL);
	feed_series(&fixed, 2, SM_COUNTER, "cpu_seconds_total", "seconds", NULL);
	feed_series(&down, 3, SM_UPDOWN, "down", "", NULL);
	begin();
	feed_count(&model, &big, UINT64_MAX);
	feed_value(&fixed, (struct sm_value){ .is_integer = 1, .decimals = 9,
					      .units = UINT64_C(1234567890123456789) });
	feed_value(&down, (struct sm_value){ .is_integer = 1, .is_signed = 1,
					     .units = (uint64_t)INT64_MIN });
	end();
	top_output_json(&text, &data, &view);
	assert_has("\"value\":18446744073709551615,");
	assert_has("\"value\":1234567890.123456789,");
	assert_has("\"value\":-9223372036854775808}");
	assert_has("\"time\":\"2026-01-02T03:04:05.678Z\"");
	assert_has("\"interval_s\":null");
	text.len = 0;
	top_output_csv(&text, &data, &view);
	assert_has(",18446744073709551615,");
	assert_has(",1234567890.123456789,");
	assert_has(",-9223372036854775808,");
}

static void json__what_is_no_number__is_text(void **state)
{
	struct feed_series nan, inf;

	feed_series(&nan, 1, SM_GAUGE, "nan", "", NULL);
	feed_series(&inf, 2, SM_GAUGE, "inf", "", NULL);
	begin();
	feed_gauge(&model, &nan, NAN);
	feed_gauge(&model, &inf, -INFINITY);
	end();
	top_output_json(&text, &data, &view);
	assert_has("\"value\":\"NaN\"");
	assert_has("\"value\":\"-Inf\"");
}

static void json__histogram__has_count_sum_and_quantiles(void **state)
{
	struct feed_series h;

	feed_series(&h, 1, SM_HISTOGRAM, "d_seconds", "seconds", NULL);
	begin();
	feed_buckets(&model, &h, (const uint64_t[]){ 0, 10, 0, 0, 0 });
	end();
	top_output_json(&text, &data, &view);
	assert_has("\"count\":10,\"sum\":1.5,\"p50\":0.055");
	assert_has(",\"p95\":0.0955,\"p99\":0.0991");
	assert_has("\"buckets\":{\"0.01\":0,\"0.1\":10,\"1.0\":10,\"10.0\":10,\"+Inf\":10}");
	assert_null(strstr(text.data, "recent"));
	begin();
	feed_buckets(&model, &h, (const uint64_t[]){ 0, 10, 4, 0, 0 });
	end();
	top_output_json(&text, &data, &view);
	assert_has("\"recent\":{\"count\":4,\"p50\":0.55");
	assert_has("\"interval_s\":1,");
	assert_has("\"rate\":4,");
}

static void json__gone__is_left_out(void **state)
{
	struct feed_series g;

	feed_series(&g, 1, SM_GAUGE, "g", "", NULL);
	begin();
	feed_gauge(&model, &g, 1);
	end();
	begin();
	feed_absent(&model, &g);
	end();
	assert_int_equal(view.list[TOP_SERIES].n, 1);
	top_output_json(&text, &data, &view);
	assert_has("\"series\":[]}\n");
	text.len = 0;
	top_output_table(&text, &data, &view, 0);
	assert_has("stale");
}

static void openmetrics__each_kind__is_written_its_way(void **state)
{
	static const char *const names[] = { "down", "up" };
	struct feed_series c, other, h, g, info, st;

	feed_series(&c, 1, SM_COUNTER, "x_total", "",
		    (const char *const[]){ "a", "q\"\\\n", NULL });
	feed_series(&other, 2, SM_COUNTER, "x_total", "", (const char *const[]){ "a", "b", NULL });
	other.family.id = 1;
	feed_series(&h, 3, SM_HISTOGRAM, "d_seconds", "seconds", NULL);
	feed_series(&g, 4, SM_GAUGE, "heap", "bytes", NULL);
	feed_series(&info, 5, SM_INFO, "build_info", "", (const char *const[]){ "v", "1", NULL });
	feed_series(&st, 6, SM_STATESET, "link", "", NULL);
	st.family.states = names;
	st.family.nstates = 2;
	c.family.help = other.family.help = "How often.\nAnd why.";
	begin();
	feed_count(&model, &c, UINT64_MAX);
	feed_buckets(&model, &h, (const uint64_t[]){ 1, 2, 0, 0, 4 });
	feed_gauge(&model, &g, 1.5);
	feed_count(&model, &other, 3);
	feed_value(&info, (struct sm_value){ .is_integer = 1, .units = 1, .value = 1 });
	feed_value(&st, (struct sm_value){ .is_integer = 1, .units = 1, .value = 1 });
	end();
	/* The order of the view does not tear families apart. */
	view.list[TOP_SERIES].sort = TOP_SORT_VALUE;
	top_view_arrange(&view, &data);
	top_output_openmetrics(&text, &data, &view);
	assert_string_equal(text.data,
			    "# TYPE build info\n"
			    "build_info{v=\"1\"} 1\n"
			    "# TYPE d_seconds histogram\n"
			    "# UNIT d_seconds seconds\n"
			    "d_seconds_bucket{le=\"0.01\"} 1\n"
			    "d_seconds_bucket{le=\"0.1\"} 3\n"
			    "d_seconds_bucket{le=\"1.0\"} 3\n"
			    "d_seconds_bucket{le=\"10.0\"} 3\n"
			    "d_seconds_bucket{le=\"+Inf\"} 7\n"
			    "d_seconds_count 7\n"
			    "d_seconds_sum 1.5\n"
			    "# TYPE heap gauge\n"
			    "heap 1.5\n"
			    "# TYPE link stateset\n"
			    "link{link=\"down\"} 0\n"
			    "link{link=\"up\"} 1\n"
			    "# TYPE x counter\n"
			    "# HELP x How often.\\nAnd why.\n"
			    "x_total{a=\"b\"} 3\n"
			    "x_total{a=\"q\\\"\\\\\\n\"} 18446744073709551615\n"
			    "# EOF\n");
}

static void csv__awkward_labels__are_quoted(void **state)
{
	struct feed_series s;

	feed_series(&s, 1, SM_COUNTER, "x_total", "",
		    (const char *const[]){ "a", "1,\"\r\n\x1b", "b", "na\xc3\xafve", NULL });
	begin();
	feed_count(&model, &s, 3);
	end();
	top_output_csv_head(&text);
	top_output_csv(&text, &data, &view);
	assert_string_equal(text.data,
			    "time,name,labels,writer,kind,unit,value,state,count,sum,rate,"
			    "average,p50,p95,p99\r\n"
			    "2026-01-02T03:04:05.678Z,x_total,"
			    "\"a=\"\"1,\\\"\"\\x0d\\n\\x1b\"\",b=\"\"na\xc3\xafve\"\"\","
			    ",counter,,3,,,,,0.030303030303030304,,,\r\n");
}

static void table__any__is_aligned_and_has_no_control(void **state)
{
	struct feed_series s, h;
	const char *p;

	feed_series(&s, 1, SM_COUNTER, "x_total", "",
		    (const char *const[]){ "a", "\x1b[2J", NULL });
	feed_series(&h, 2, SM_HISTOGRAM, "d_seconds", "seconds", NULL);
	begin();
	feed_count(&model, &s, UINT64_MAX);
	feed_buckets(&model, &h, (const uint64_t[]){ 0, 10, 0, 0, 0 });
	end();
	top_output_table(&text, &data, &view, 1);
	assert_has("\nSERIES                               VALUE  AVERAGE/s     p50     p95     "
		   "p99\n");
	assert_has("\nx_total{a=\"\\x1b[2J\"}  18446744073709551615  ");
	assert_has("  55.0ms  95.5ms  99.1ms\n");
	for (p = text.data; *p; p++)
		assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
}

static void all__comma_locale__write_points(void **state)
{
	struct feed_series g;

	/* The program sets LC_CTYPE alone; where the locale is missing this proves nothing new. */
	setlocale(LC_CTYPE, "de_DE.UTF-8");
	feed_series(&g, 1, SM_GAUGE, "g", "", NULL);
	begin();
	feed_gauge(&model, &g, 1.5);
	end();
	top_output_json(&text, &data, &view);
	assert_has("\"value\":1.5}");
	setlocale(LC_CTYPE, "C.UTF-8");
}

static int use_utf8(void **state)
{
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_model, drop_model)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(table__narrow_terminal__is_not_broken),
		TEST(table__timestamp__is_an_age),
		TEST(json__integers__are_exact),
		TEST(json__what_is_no_number__is_text),
		TEST(json__histogram__has_count_sum_and_quantiles),
		TEST(json__gone__is_left_out),
		TEST(openmetrics__each_kind__is_written_its_way),
		TEST(csv__awkward_labels__are_quoted),
		TEST(table__any__is_aligned_and_has_no_control),
		TEST(all__comma_locale__write_points),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
