/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of exporter/exposition/exposition.c and of what it is made of: plans, names, our own metrics,
 * compression. The formats have tests of their own.
 */
#include "exposition_zoo.h"

#include <isa-l/igzip_lib.h>
#include <pthread.h>

#include "exporter/exposition/write.h"

static const char *const accepts[] = { zoo_text, zoo_openmetrics, zoo_protobuf };

/* What may differ between two answers when nothing has changed: times, and what the kernel says. */
static int is_measured(const char *line)
{
	static const char *const names[] = { "process_", "shardmeter_scrape_duration_seconds",
		"shardmeter_collection_duration_seconds", "shardmeter_writer_heartbeat_age_seconds",
		"shardmeter_writer_cpu_seconds", "shardmeter_writer_resident_memory_bytes",
		"shardmeter_writer_virtual_memory_bytes" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(line, names[i], strlen(names[i])) == 0)
			return 1;
	return 0;
}

static char *without_measured(char *text)
{
	char *from, *to = text, *next;

	for (from = text; *from; from = next) {
		next = strchr(from, '\n') + 1;
		if (*from != '#' && is_measured(from))
			continue;
		memmove(to, from, (size_t)(next - from));
		to += next - from;
	}
	*to = '\0';
	return text;
}

static void answer__nothing_changed__same_bytes(void **state)
{
	/* Everything but the measured: protobuf has no lines to leave out. */
	static const char steady[] = "name[]=b*&name[]=c*&name[]=m*&name[]=q*&name[]=t*&name[]=w*"
		"&name[]=shardmeter_segment*&name[]=shardmeter_refused*";
	struct page one, two;
	char *first, *second;
	struct zoo z;
	size_t i;

	zoo_new(&z, 2);
	for (i = 0; i < 3; i++) {
		zoo_take(&z, 0);
		zoo_ask(&z, steady, accepts[i], "gzip", &one);
		zoo_take(&z, 0);
		zoo_ask(&z, steady, accepts[i], "gzip", &two);
		assert_string_equal(one.encoding, "gzip");
		assert_int_equal(one.body.len, two.body.len);
		assert_memory_equal(one.body.data, two.body.data, one.body.len);
		buf_free(&one.body);
		buf_free(&two.body);
	}
	for (i = 0; i < 2; i++) {
		first = without_measured(zoo_body(&z, "", accepts[i]));
		zoo_take(&z, 0);
		second = without_measured(zoo_body(&z, "", accepts[i]));
		assert_string_equal(first, second);
		free(first);
		free(second);
	}
	zoo_free(&z);
}

static void answer__gzip__same_text_and_headers(void **state)
{
	static const char query[] = "name[]=shardmeter_segment*";
	static char back[1 << 16];
	struct inflate_state inflate;
	struct page plain, packed;
	struct zoo z;

	zoo_new(&z, 1);
	zoo_take(&z, 0);
	zoo_ask(&z, query, NULL, NULL, &plain);
	zoo_ask(&z, query, NULL, "gzip", &packed);
	assert_null(plain.encoding);
	assert_string_equal(plain.vary, "Accept, Accept-Encoding");
	assert_string_equal(packed.encoding, "gzip");
	assert_string_equal(packed.vary, "Accept, Accept-Encoding");
	assert_string_equal(packed.type, "text/plain; version=0.0.4; charset=utf-8");
	assert_true(packed.body.len < plain.body.len / 3);
	isal_inflate_init(&inflate);
	inflate.crc_flag = ISAL_GZIP;
	inflate.next_in = (uint8_t *)packed.body.data;
	inflate.avail_in = (uint32_t)packed.body.len;
	inflate.next_out = (uint8_t *)back;
	inflate.avail_out = sizeof(back);
	assert_int_equal(isal_inflate(&inflate), ISAL_DECOMP_OK);
	assert_int_equal(inflate.block_state, ISAL_BLOCK_FINISH);
	assert_int_equal(inflate.total_out, plain.body.len);
	assert_memory_equal(back, plain.body.data, plain.body.len);
	buf_free(&plain.body);
	buf_free(&packed.body);
	/* A small body is not worth it, unless the client insists. */
	zoo_ask(&z, "name[]=queue", NULL, "gzip", &packed);
	assert_null(packed.encoding);
	buf_free(&packed.body);
	zoo_ask(&z, "name[]=queue", NULL, "gzip, identity;q=0", &packed);
	assert_string_equal(packed.encoding, "gzip");
	buf_free(&packed.body);
	zoo_free(&z);
}

static void answer__bad_parameter__400_and_why(void **state)
{
	struct page page;
	struct zoo z;

	zoo_new(&z, 1);
	zoo_take(&z, 0);
	zoo_ask(&z, "aggregate=sum", zoo_openmetrics, "gzip", &page);
	assert_int_equal(page.status, 400);
	assert_string_equal(page.type, "text/plain; charset=utf-8");
	assert_string_equal(page.body.data, "aggregate=sum: only aggregate=none is known: a value "
		"for each writer\n");
	buf_free(&page.body);
	zoo_free(&z);
}

static void answer__no_segment__only_our_own(void **state)
{
	struct zoo z;
	char *text;
	size_t i;

	zoo_new(&z, 1);
	z.segment[0].name = "first";
	z.c.nsegments = 1;
	z.c.segment = z.segment;
	for (i = 0; i < 2; i++) {
		text = zoo_body(&z, "", accepts[i]);
		assert_non_null(strstr(text, "\nshardmeter_segment_up 0\n"));
		assert_non_null(strstr(text, "\nshardmeter_build_info{version="));
		assert_null(strstr(text, "commands"));
		free(text);
	}
	zoo_free(&z);
}

static void answer__new_series__in_the_next_one(void **state)
{
	struct zoo z;
	uint32_t s;

	zoo_new(&z, 1);
	zoo_take(&z, 0);
	zoo_expect(&z, "name[]=queue", NULL, "# HELP queue Q.\n# TYPE queue gauge\nqueue -7\n");
	s = builder_series(&z.b[0], builder_family(&z.b[0], SM_UPDOWN, "queue2"), NULL);
	builder_hold(&z.b[0], 1, s);
	z.b[0].h->catalog_gen += 2;
	zoo_take(&z, 0);
	zoo_expect(&z, "name[]=queue*", NULL, "# HELP queue Q.\n# TYPE queue gauge\nqueue -7\n"
		"# TYPE queue2 gauge\nqueue2 0\n");
	zoo_free(&z);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void names__same_sample_twice__the_second_is_left_out_and_named(void **state)
{
	struct zoo z;
	uint32_t s;
	size_t i;

	zoo_new(&z, 1);
	s = builder_series(&z.b[0], builder_family(&z.b[0], SM_GAUGE, "wait_seconds_created"), NULL);
	builder_gauge(&z.b[0], 1, s, 5);
	s = builder_series(&z.b[0], builder_family(&z.b[0], SM_GAUGE, "process_threads",
		.help = "Theirs."), NULL);
	builder_gauge(&z.b[0], 1, s, 5);
	zoo_take(&z, 0);
	for (i = 0; i < 2; i++) {
		char *text = zoo_body(&z, "", accepts[i]), *at;

		assert_null(strstr(text, "TYPE wait_seconds_created"));
		assert_non_null(strstr(text, "\nwait_seconds_count{op=\"x\"} 7\n"));
		assert_non_null(strstr(text, "\nshardmeter_exposition_families_left_out 1\n"));
		assert_non_null(strstr(text, "\nshardmeter_exposition_family_left_out{"
			"family=\"wait_seconds_created\",reason=\"name_clash\"} 1\n"));
		/* A program's own comes before ours. */
		at = strstr(text, "HELP process_threads Theirs.\n");
		assert_non_null(at);
		assert_null(strstr(at + 1, "HELP process_threads"));
		free(text);
	}
	zoo_free(&z);
}

static void names__openmetrics_family_is_taken__unknown_with_all_samples(void **state)
{
	struct zoo z;
	uint32_t s;

	zoo_new(&z, 1);
	s = builder_series(&z.b[0], builder_family(&z.b[0], SM_GAUGE, "cpu_seconds"), NULL);
	builder_gauge(&z.b[0], 1, s, 5);
	s = builder_series(&z.b[0], builder_family(&z.b[0], SM_GAUGE, "build"), NULL);
	builder_gauge(&z.b[0], 1, s, 6);
	zoo_take(&z, 0);
	zoo_expect(&z, "name[]=cpu*&name[]=build*", zoo_openmetrics,
		"# TYPE build gauge\nbuild 6.0\n"
		"# TYPE build_info gauge\n# HELP build_info B.\nbuild_info{version=\"1.2\"} 1\n"
		"# TYPE cpu_seconds gauge\ncpu_seconds 5.0\n"
		"# TYPE cpu_seconds_total unknown\n# HELP cpu_seconds_total CPU.\n"
		"cpu_seconds_total 3.0\n# EOF\n");
	zoo_expect(&z, "name[]=cpu*", zoo_text, "# TYPE cpu_seconds gauge\ncpu_seconds 5\n"
		"# HELP cpu_seconds_total CPU.\n# TYPE cpu_seconds_total counter\n"
		"cpu_seconds_total 3\n");
	zoo_free(&z);
}

static void names__other_type_in_another_segment__the_first_stays(void **state)
{
	struct zoo z;
	uint32_t s;

	zoo_new(&z, 2);
	s = builder_series(&z.b[0], builder_family(&z.b[0], SM_GAUGE, "twice"), NULL);
	builder_gauge(&z.b[0], 1, s, 5);
	builder_series(&z.b[1], builder_family(&z.b[1], SM_HISTOGRAM, "twice",
		.labels = { "segment" }), "x", NULL);
	builder_series(&z.b[1], builder_family(&z.b[1], SM_HISTOGRAM, "own",
		.labels = { "segment" }), "x", NULL);
	zoo_take(&z, 0);
	zoo_expect(&z, "name[]=twice&name[]=own&name[]=shardmeter_exposition_family_left_out", NULL,
		"# TYPE own histogram\n"
		"own_bucket{segment=\"second\",exported_segment=\"x\",le=\"+Inf\"} 0\n"
		"own_sum{segment=\"second\",exported_segment=\"x\"} 0\n"
		"own_count{segment=\"second\",exported_segment=\"x\"} 0\n"
		"# TYPE twice gauge\ntwice{segment=\"first\"} 5\n"
		"# HELP shardmeter_exposition_family_left_out A family that is not in this "
		"exposition, and why; at most 20 are named.\n"
		"# TYPE shardmeter_exposition_family_left_out gauge\n"
		"shardmeter_exposition_family_left_out{segment=\"second\",family=\"twice\","
		"reason=\"type_clash\"} 1\n");
	zoo_free(&z);
}

/* ---- isolation ------------------------------------------------------------------------------ */

static void values__cannot_be_read__others_still_are(void **state)
{
	struct zoo z;
	char *text;

	zoo_new(&z, 1);
	zoo_take(&z, 0);	/* without values per writer */
	text = zoo_body(&z, "aggregate=none", NULL);
	assert_non_null(strstr(text, "\ntemperature{writer=\"shard-2\"} -22.5\n"));
	assert_null(strstr(text, "\ncommands_total"));
	assert_non_null(strstr(text, "\nshardmeter_exposition_families_left_out 4\n"));
	assert_non_null(strstr(text, "\nshardmeter_exposition_family_left_out{"
		"family=\"commands_total\",reason=\"unreadable\"} 1\n"));
	free(text);
	zoo_free(&z);
}

static void values__too_many__the_rest_is_left_out_and_named(void **state)
{
	size_t max = write_body_max;
	struct zoo z;
	char *text;

	zoo_new(&z, 1);
	zoo_take(&z, 0);
	write_body_max = 100;
	text = zoo_body(&z, "", NULL);
	write_body_max = max;
	assert_non_null(strstr(text, "\nbuild_info{version=\"1.2\"} 1\n"));
	assert_null(strstr(text, "\nqueue"));
	assert_null(strstr(text, "\nwait_seconds_bucket"));
	assert_non_null(strstr(text, "\nshardmeter_exposition_family_left_out{"
		"family=\"wait_seconds\",reason=\"too_large\"} 1\n"));
	assert_non_null(strstr(text, "\nshardmeter_segment_up 1\n"));
	free(text);
	zoo_free(&z);
}

/* ---- what only some formats have ------------------------------------------------------------ */

static void put_exemplar(struct zoo *z, uint32_t i, const char *labels, size_t len, double v)
{
	struct sm_exemplar_rec *e = builder_exemplar(&z->b[0], i);

	memset(e, 0, sizeof(*e));
	e->seq = UINT64_C(1) << 17;
	memcpy(&e->value, &v, sizeof(v));
	e->at_real_ns = 1700000000123456789u;
	e->text_len = (uint32_t)len;
	memcpy(e->labels, labels, len);
}

static void exemplars__in_their_buckets__shown_others_dropped(void **state)
{
	static const double bounds[] = { 1, 2 };
	struct zoo z;
	uint32_t s;

	zoo_new(&z, 1);
	s = builder_series(&z.b[0], builder_family(&z.b[0], SM_HISTOGRAM, "h", .bounds = bounds,
		.nbounds = 2, .flags = SM_FF_EXEMPLARS), NULL);
	builder_rec(&z.b[0], s)->created_real_ns = 0;
	put_exemplar(&z, 0, "trace_id\0a\"b\0k\0", 16, 0.5);
	put_exemplar(&z, 1, "x\0y", 4, 2.5);		/* not up to 2 */
	put_exemplar(&z, 2, "trace_id\0c", 11, 7);
	builder_series(&z.b[0], builder_family(&z.b[0], SM_COUNTER, "n_total",
		.flags = SM_FF_EXEMPLARS), NULL);
	put_exemplar(&z, 3, "t\0z", 4, 1);
	zoo_take(&z, SM_SNAPSHOT_EXEMPLARS);
	zoo_expect(&z, "name[]=h&name[]=n_total", zoo_openmetrics,
		"# TYPE h histogram\n"
		"h_bucket{le=\"1.0\"} 0 # {trace_id=\"a\\\"b\",k=\"\"} 0.5 1700000000.123\n"
		"h_bucket{le=\"2.0\"} 0\n"
		"h_bucket{le=\"+Inf\"} 0 # {trace_id=\"c\"} 7.0 1700000000.123\n"
		"h_sum 0\nh_count 0\n"
		"# TYPE n counter\nn_total 0 # {t=\"z\"} 1.0 1700000000.123\n# EOF\n");
	zoo_expect(&z, "name[]=n_total", zoo_text, "# TYPE n_total counter\nn_total 0\n");
	zoo_free(&z);
}

static void created__option__a_line_each(void **state)
{
	struct exposition_options o = EXPOSITION_DEFAULTS;
	struct zoo z;
	uint32_t i;

	zoo_new(&z, 1);
	o.created = 1;
	exposition_free(z.x);
	assert_int_equal(exposition_create(&o, &z.x), 0);
	for (i = 0; i < z.b[0].h->series_used; i++)
		builder_rec(&z.b[0], i)->created_real_ns = 1700000000500000000u;
	zoo_take(&z, 0);
	zoo_expect(&z, "name[]=cpu*&name[]=wait_seconds&name[]=queue", zoo_openmetrics,
		"# TYPE cpu_seconds counter\n# UNIT cpu_seconds seconds\n# HELP cpu_seconds CPU.\n"
		"cpu_seconds_total 3.0\ncpu_seconds_created 1700000000.5\n"
		"# TYPE queue gauge\n# HELP queue Q.\nqueue -7\n"
		"# TYPE wait_seconds histogram\n# UNIT wait_seconds seconds\n"
		"# HELP wait_seconds Waiting.\n"
		"wait_seconds_bucket{op=\"x\",le=\"1e-05\"} 1\n"
		"wait_seconds_bucket{op=\"x\",le=\"0.5\"} 3\n"
		"wait_seconds_bucket{op=\"x\",le=\"1.0\"} 3\n"
		"wait_seconds_bucket{op=\"x\",le=\"+Inf\"} 7\n"
		"wait_seconds_sum{op=\"x\"} 12.345678901\nwait_seconds_count{op=\"x\"} 7\n"
		"wait_seconds_created{op=\"x\"} 1700000000.5\n# EOF\n");
	zoo_expect(&z, "name[]=cpu*", zoo_text, "# HELP cpu_seconds_total CPU.\n"
		"# TYPE cpu_seconds_total counter\ncpu_seconds_total 3\n");
	zoo_free(&z);
}

static void flags__by_request__what_it_needs(void **state)
{
	struct request_param p = { "aggregate", "none" };
	struct request r = { .path = "/metrics" };

	assert_int_equal(exposition_flags(&r), 0);
	r.accept = zoo_openmetrics;
	assert_int_equal(exposition_flags(&r), SM_SNAPSHOT_EXEMPLARS);
	r.nparams = 1;
	r.param = &p;
	assert_int_equal(exposition_flags(&r), SM_SNAPSHOT_WRITERS);
	p.value = "sum";
	assert_int_equal(exposition_flags(&r), 0);
}

/* ---- threads -------------------------------------------------------------------------------- */

struct asker {
	struct zoo *z;
	size_t format;
	char *expect;
};

static void *ask_often(void *arg)
{
	const struct asker *a = arg;
	unsigned i;

	for (i = 0; i < 50; i++)
		zoo_expect(a->z, "name[]=c*&name[]=m*&name[]=wait_seconds", accepts[a->format],
			a->expect);
	return NULL;
}

static void answer__many_threads__all_the_same(void **state)
{
	struct asker askers[6];
	pthread_t thread[6];
	struct zoo z;
	unsigned i;

	zoo_new(&z, 1);
	zoo_take(&z, 0);
	for (i = 0; i < 6; i++) {
		askers[i] = (struct asker){ &z, i % 2, NULL };
		askers[i].expect = zoo_body(&z, "name[]=c*&name[]=m*&name[]=wait_seconds",
			accepts[i % 2]);
	}
	exposition_free(z.x);
	assert_int_equal(exposition_create(&(struct exposition_options)EXPOSITION_DEFAULTS, &z.x),
		0);
	for (i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, ask_often, &askers[i]), 0);
	for (i = 0; i < 6; i++) {
		pthread_join(thread[i], NULL);
		free(askers[i].expect);
	}
	zoo_free(&z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answer__nothing_changed__same_bytes),
		cmocka_unit_test(answer__gzip__same_text_and_headers),
		cmocka_unit_test(answer__bad_parameter__400_and_why),
		cmocka_unit_test(answer__no_segment__only_our_own),
		cmocka_unit_test(answer__new_series__in_the_next_one),
		cmocka_unit_test(names__same_sample_twice__the_second_is_left_out_and_named),
		cmocka_unit_test(names__openmetrics_family_is_taken__unknown_with_all_samples),
		cmocka_unit_test(names__other_type_in_another_segment__the_first_stays),
		cmocka_unit_test(values__cannot_be_read__others_still_are),
		cmocka_unit_test(values__too_many__the_rest_is_left_out_and_named),
		cmocka_unit_test(exemplars__in_their_buckets__shown_others_dropped),
		cmocka_unit_test(created__option__a_line_each),
		cmocka_unit_test(flags__by_request__what_it_needs),
		cmocka_unit_test(answer__many_threads__all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
