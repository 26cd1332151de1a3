/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposition_zoo.h - a segment with a family of every kind, and asking an exposition about it.
 *
 *	struct zoo z;
 *	zoo_new(&z, 1);
 *	zoo_take(&z, 0);			// a collection of 1 segment
 *	zoo_ask(&z, "name[]=*&aggregate=none", "text/plain", NULL, &page);
 *	zoo_free(&z);
 */
#ifndef TEST_EXPOSITION_ZOO_H
#define TEST_EXPOSITION_ZOO_H

#include "segment_builder.h"

#include "exporter/exposition/exposition.h"

#define ZOO_SEGMENTS 2
#define ZOO_PARAMS 8

static const char zoo_text[] = "text/plain;version=0.0.4";
static const char zoo_openmetrics[] = "application/openmetrics-text;version=1.0.0";
static const char zoo_protobuf[] = "application/vnd.google.protobuf;"
	"proto=io.prometheus.client.MetricFamily;encoding=delimited";

struct zoo {
	struct builder b[ZOO_SEGMENTS];
	struct sm_reader *reader[ZOO_SEGMENTS];
	struct collection_segment segment[ZOO_SEGMENTS];
	struct collection c;
	struct exposition *x;
	uint32_t counter;		/* series of the first segment */
	size_t n;
};

UNUSED static void zoo_numbers(struct builder *b, uint32_t one, uint32_t two)
{
	uint32_t f, s;

	f = builder_family(b, SM_COUNTER, "commands_total", .help = "Commands \\ \"done\".\nAll.",
		.decimals = 9, .labels = { "command", "x" });
	s = builder_series(b, f, "a\\b\"c\n9", "\xc3\xa9", NULL);
	*builder_cell(b, one, 1, builder_rec(b, s)->cell[SM_CELL_U64]) = 41;
	*builder_cell(b, two, 1, builder_rec(b, s)->cell[SM_CELL_U64]) = 12345678901u;
	s = builder_series(b, f, "", "two", NULL);
	*builder_cell(b, one, 1, builder_rec(b, s)->cell[SM_CELL_FIXED]) = 1500000001;
	s = builder_series(b, builder_family(b, SM_COUNTER, "cpu_seconds_total", .help = "CPU.",
		.unit = "seconds"), NULL);
	*builder_cell(b, one, 1, builder_rec(b, s)->cell[SM_CELL_DOUBLE]) = builder_bits(3);
	s = builder_series(b, builder_family(b, SM_GAUGE, "temperature", .help = "T."), NULL);
	builder_gauge(b, one, s, 20);
	builder_gauge(b, two, s, -22.5);
	f = builder_family(b, SM_GAUGE, "memory_bytes", .help = "M.", .unit = "bytes",
		.mode = SM_MODE_ALL, .labels = { "kind" });
	s = builder_series(b, f, "heap", NULL);
	builder_gauge(b, one, s, 1e6);
	builder_gauge(b, two, s, 5);
	s = builder_series(b, builder_family(b, SM_UPDOWN, "queue", .help = "Q."), NULL);
	*builder_cell(b, one, 1, builder_rec(b, s)->cell[0]) = (uint64_t)-7;
	builder_hold(b, one, s);
	builder_series(b, builder_family(b, SM_GAUGE, "never_set", .help = "Nothing."), NULL);
}

UNUSED static void zoo_others(struct builder *b, uint32_t one)
{
	static const double bounds[] = { 0.00001, 0.5, 1 };
	uint32_t s, cell;

	s = builder_series(b, builder_family(b, SM_INFO, "build_info", .help = "B.",
		.labels = { "version" }), "1.2", NULL);
	*builder_cell(b, one, 0, builder_rec(b, s)->cell[0]) = 1;
	s = builder_series(b, builder_family(b, SM_STATESET, "mode", .help = "M.",
		.states = { "idle", "bus\"y" }), NULL);
	*builder_cell(b, one, 0, builder_rec(b, s)->cell[0]) = 2;
	s = builder_series(b, builder_family(b, SM_HISTOGRAM, "wait_seconds", .help = "Waiting.",
		.unit = "seconds", .bounds = bounds, .nbounds = 3, .sum_decimals = 9,
		.labels = { "op" }), "x", NULL);
	cell = builder_rec(b, s)->cell[0];
	*builder_cell(b, one, 1, cell) = 1;
	*builder_cell(b, one, 1, cell + 1) = 2;
	*builder_cell(b, one, 1, cell + 3) = 4;
	*builder_cell(b, one, 1, cell + 4) = 12345678901;
}

/* What every segment of the zoo has. */
UNUSED static void zoo_fill(struct zoo *z, size_t i)
{
	struct builder *b = &z->b[i];
	uint32_t one, two;

	builder_new(b);
	one = builder_writer(b, "shard-1", true);
	two = builder_writer(b, "shard-2", true);
	zoo_numbers(b, one, two);
	zoo_others(b, one);
}

UNUSED static void zoo_new(struct zoo *z, size_t nsegments)
{
	struct exposition_options o = { .own_metrics = 1, .gzip_min_bytes = 1000,
		.native_buckets_max = 160, .allowed_labels = "" };
	size_t i;

	memset(z, 0, sizeof(*z));
	for (i = 0; i < nsegments; i++)
		zoo_fill(z, i);
	z->n = nsegments;
	assert_int_equal(exposition_create(&o, &z->x), 0);
}

UNUSED static void zoo_release(struct zoo *z)
{
	size_t i;

	for (i = 0; i < z->n; i++)
		source_release(&z->segment[i].reading);
}

/* A new snapshot of each segment. */
UNUSED static void zoo_take(struct zoo *z, unsigned flags)
{
	size_t i;

	zoo_release(z);
	for (i = 0; i < z->n; i++) {
		if (!z->reader[i])
			z->reader[i] = builder_reader(&z->b[i]);
		z->segment[i].name = i ? "second" : "first";
		z->segment[i].reading.n = 1;
		z->segment[i].reading.status.up = 1;
		z->segment[i].reading.snapshot[0] = builder_take(z->reader[i], flags);
	}
	z->c.nsegments = z->n;
	z->c.segment = z->segment;
}

UNUSED static void zoo_free(struct zoo *z)
{
	size_t i;

	zoo_release(z);
	for (i = 0; i < z->n; i++) {
		sm_reader_close(z->reader[i]);
		builder_free(&z->b[i]);
	}
	exposition_free(z->x);
}

/* Ask for a query such as "name[]=a&writer[]=b"; the page's body is the caller's. */
UNUSED static void zoo_ask(struct zoo *z, const char *query, const char *accept,
	const char *encoding, struct page *ret_page)
{
	struct request_param param[ZOO_PARAMS];
	struct request r = { .path = "/metrics", .param = param, .accept = accept,
		.accept_encoding = encoding };
	char text[1024], *at = text, *one, *equals;

	snprintf(text, sizeof(text), "%s", query);
	while ((one = strsep(&at, "&")) != NULL && *one) {
		assert_true(r.nparams < ZOO_PARAMS);
		equals = strchr(one, '=');
		param[r.nparams].key = one;
		param[r.nparams++].value = equals ? equals + 1 : "";
		if (equals)
			*equals = '\0';
	}
	assert_int_equal(exposition_answer(z->x, &z->c, &r, ret_page), 0);
}

/* The same as a string; free it. */
UNUSED static char *zoo_body(struct zoo *z, const char *query, const char *accept)
{
	struct page page;

	zoo_ask(z, query, accept, NULL, &page);
	if (page.status != 200)
		fail_msg("%s: status %u: %s", query, page.status, page.body.data);
	assert_null(page.encoding);
	return buf_take(&page.body);
}

UNUSED static void zoo_expect(struct zoo *z, const char *query, const char *accept,
	const char *expect)
{
	char *text = zoo_body(z, query, accept);

	assert_string_equal(text, expect);
	free(text);
}

#endif /* TEST_EXPOSITION_ZOO_H */
