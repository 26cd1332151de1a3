/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of exporter/exposition/query.c: parameters of /metrics. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/exposition/query.h"

static struct request one(struct request_param *p, const char *key, const char *value)
{
	p->key = key;
	p->value = value;
	return (struct request){ .path = "/metrics", .nparams = 1, .param = p };
}

static void query__bad_parameter__named_with_what_is_wrong(void **state)
{
	static const struct {
		const char *key, *value, *message;
	} table[] = {
		{ "aggregate", "sum", "aggregate=sum: only" },
		{ "aggregate", "", "aggregate=: only" },
		{ "name[]", "", "name[]=: not a name" },
		{ "name[]", "a-b", "name[]=a-b: not a name" },
		{ "name[]", "a*b", "name[]=a*b: not a name" },
		{ "name[]", "*a", "name[]=*a: not a name" },
		{ "name[]", "a**", "name[]=a**: not a name" },
		{ "name[]", "a\x1b[31m\xff", "name[]=a?[31m?: not a name" },
		{ "writer[]", "shard 3", "writer[]=shard 3: not a name" },
		{ "name", "a", "name: no such parameter" },
		{ "", "", ": no such parameter" },
	};
	struct request_param p;
	struct request r;
	struct query q;
	char message[256];
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		r = one(&p, table[i].key, table[i].value);
		assert_int_equal(query_parse(&r, &q, message, sizeof(message)), -EINVAL);
		if (strncmp(message, table[i].message, strlen(table[i].message)) != 0)
			fail_msg("%s=%s: %s", table[i].key, table[i].value, message);
		assert_int_equal(message[strlen(message) - 1], '\n');
	}
}

static void query__too_many_patterns__refused(void **state)
{
	static struct request_param p[QUERY_PATTERNS_MAX + 1];
	struct request r = { .path = "/metrics", .nparams = QUERY_PATTERNS_MAX + 1, .param = p };
	struct query q;
	char message[256];
	size_t i;

	for (i = 0; i <= QUERY_PATTERNS_MAX; i++)
		p[i] = (struct request_param){ "name[]", "a" };
	assert_int_equal(query_parse(&r, &q, message, sizeof(message)), -EINVAL);
	r.nparams--;
	assert_int_equal(query_parse(&r, &q, message, sizeof(message)), 0);
}

static int wants(const char *pattern, const char *name, int is_histogram)
{
	struct request_param p;
	struct request r = one(&p, "name[]", pattern);
	struct query q;
	char message[256];

	assert_int_equal(query_parse(&r, &q, message, sizeof(message)), 0);
	return query_wants_family(&q, name, is_histogram);
}

static void query__names__exact_prefix_and_samples_of_histograms(void **state)
{
	assert_true(wants("a_total", "a_total", 0));
	assert_false(wants("a_tota", "a_total", 0));
	assert_false(wants("a_totals", "a_total", 0));
	assert_true(wants("a_t*", "a_total", 0));
	assert_true(wants("a_total*", "a_total", 0));
	assert_false(wants("a_total_*", "a_total", 0));
	assert_true(wants("*", "a_total", 0));
	assert_true(wants("h", "h", 1));
	assert_true(wants("h_bucket", "h", 1));
	assert_true(wants("h_count", "h", 1));
	assert_true(wants("h_sum", "h", 1));
	assert_true(wants("h_s*", "h", 1));
	assert_false(wants("h_s*", "h", 0));
	assert_false(wants("h_max", "h", 1));
	assert_false(wants("h_sum", "h", 0));
}

static void query__writers__imply_one_line_each(void **state)
{
	struct request_param p;
	struct request r = one(&p, "writer[]", "shard-1*");
	struct query q;
	char message[256];

	assert_int_equal(query_parse(&r, &q, message, sizeof(message)), 0);
	assert_true(q.per_writer);
	assert_true(query_wants_writer(&q, "shard-1"));
	assert_true(query_wants_writer(&q, "shard-12"));
	assert_false(query_wants_writer(&q, "shard-2"));
	assert_true(query_wants_family(&q, "anything", 0));
	r.nparams = 0;
	assert_int_equal(query_parse(&r, &q, message, sizeof(message)), 0);
	assert_false(q.per_writer);
	assert_true(query_wants_writer(&q, "shard-2"));
	r = one(&p, "aggregate", "none");
	assert_int_equal(query_parse(&r, &q, message, sizeof(message)), 0);
	assert_true(q.per_writer);
	assert_false(q.by_writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query__bad_parameter__named_with_what_is_wrong),
		cmocka_unit_test(query__too_many_patterns__refused),
		cmocka_unit_test(query__names__exact_prefix_and_samples_of_histograms),
		cmocka_unit_test(query__writers__imply_one_line_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
