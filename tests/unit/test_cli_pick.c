/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -Wl,--wrap=sm_snapshot_number,--wrap=sm_snapshot_buckets,--wrap=sm_snapshot_classic */
/* Selectors, and numbers that stay exact while they are added up. */
#include "test_cli.h"

#include "fake_snapshot.h"
#include "tools/shardmeter/pick.h"
#include "tools/shardmeter/reading.h"

static struct fake f;
static struct capture cap;

static int set_up(void **state)
{
	unsigned family;

	(void)state;
	fake_init(&f, 1);
	family = fake_family(&f, "a_total", SM_COUNTER, "job");
	fake_series(&f, family, "x")->all = fake_units(12);
	fake_series(&f, family, "y.z")->all = fake_units(30);
	family = fake_family(&f, "b_total", SM_COUNTER, NULL);
	fake_series(&f, family, NULL)->all = fake_units(UINT64_MAX);
	return 0;
}

/* How many rows the words pick; -1 if they are refused. *ret_exact of the first. */
static int picked(bool *ret_exact, const char *w1, const char *w2, const char *w3)
{
	char *words[3];
	const char *given[] = { w1, w2, w3 };
	struct picks p;
	struct pick_row *rows = NULL;
	size_t n = 0;
	int nwords = 0, rc;

	for (; nwords < 3 && given[nwords]; nwords++)
		words[nwords] = strdup(given[nwords]);
	capture_begin(&cap, stderr);
	rc = picks_init(&test_cli, words, nwords, &p);
	capture_end(&cap);
	if (!rc)
		assert_int_equal(picks_rows(&p, &f.s, &rows, &n), 0);
	if (ret_exact)
		*ret_exact = n && rows[0].exact;
	free(rows);
	picks_release(&p);
	for (int i = 0; i < nwords; i++)
		free(words[i]);
	return rc ? -1 : (int)n;
}

static void selector__of_each_kind__picks_what_it_says(void **state)
{
	bool exact;

	assert_int_equal(picked(&exact, "a_total", NULL, NULL), 2);
	assert_false(exact);
	assert_int_equal(picked(&exact, "a_total", "job=x", NULL), 1);
	assert_true(exact);
	assert_int_equal(picked(&exact, "b_total", NULL, NULL), 1);
	assert_true(exact);
	assert_int_equal(picked(&exact, "b_tota*", NULL, NULL), 1);
	assert_false(exact);
	assert_int_equal(picked(&exact, "[ab]_total", NULL, NULL), 3);
	assert_int_equal(picked(&exact, "b_total", "a_total", "job=x"), 2);
	assert_false(exact);
	assert_int_equal(picked(&exact, "a_total", "job=~y.z", NULL), 1);
	assert_false(exact);
	assert_int_equal(picked(NULL, "a_total", "job=~y", NULL), 0);
	assert_int_equal(picked(NULL, "a_total", "job!~x|y", NULL), 1);
	assert_int_equal(picked(NULL, "a_total{job!=\"x\", job!=\"q\"}", NULL, NULL), 1);
	assert_int_equal(picked(NULL, "b_total", "job=", NULL), 1);
	assert_int_equal(picked(NULL, "b_total", "job!=", NULL), 0);
	assert_int_equal(picked(NULL, "c_total", NULL, NULL), 0);
}

static void selector__malformed__is_refused(void **state)
{
	assert_int_equal(picked(NULL, NULL, NULL, NULL), -1);
	assert_int_equal(picked(NULL, "job=x", NULL, NULL), -1);
	assert_int_equal(picked(NULL, "a_total", "job=~(", NULL), -1);
	assert_int_equal(picked(NULL, "a_total{job<\"x\"}", NULL, NULL), -1);
	assert_int_equal(picked(NULL, "a_total{job=\"x\"", NULL, NULL), -1);
	assert_int_equal(picked(NULL, "a total", NULL, NULL), -1);
	/* What takes all memory of the C library. */
	assert_int_equal(
		picked(NULL, "a_total", "job=~x+++++++++++++++++++++++++++++++", NULL), -1);
	assert_int_equal(picked(NULL, "a_total", "job=~((x{99}){99}){99}", NULL), -1);
	assert_int_equal(picked(NULL, "a_total", "job=~x{1,999}", NULL), -1);
	assert_int_equal(picked(NULL, "a_total", "job=~\\+\\+\\+\\+\\+\\+\\+|x{1,2}", NULL), 1);
}

static struct number exact(__int128 units, unsigned decimals)
{
	return (struct number){ .is_set = true,
		.exact = true,
		.decimals = decimals,
		.units = units,
		.value = (double)units };
}

static const char *text_of(struct number n)
{
	static char text[CLI_TEXT_MAX];

	number_text(&n, text);
	return text;
}

static void number__added__stays_exact(void **state)
{
	struct number big = exact((__int128)UINT64_MAX, 0);

	assert_string_equal(
		text_of(number_add(big, exact(1, 9))), "18446744073709551615.000000001");
	assert_string_equal(text_of(number_add(big, big)), "36893488147419103230");
	assert_string_equal(text_of(number_subtract(exact(5, 1), exact(75, 2))), "-0.25");
	assert_string_equal(text_of(number_add((struct number){ 0 }, exact(5, 1))), "0.5");
	assert_string_equal(text_of((struct number){ 0 }), "");
	assert_string_equal(
		text_of(number_add(exact(1, 0), (struct number){ .is_set = true, .value = 0.5 })),
		"1.5");
}

static void field__each_form__is_parsed_or_refused(void **state)
{
	struct field fields[FIELDS_MAX];
	static const char *const bad[] = { "", "p", "p101", "px", "p50,", "counts", "p1e1", "p.5",
		"p1.2.3", "aaaaaaaaaaaaaaaaaaaaaaaaa" };
	size_t n = 0;

	assert_int_equal(fields_parse(&test_cli, "-f", "count,p99.9,avg", fields, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(fields[0].kind, FIELD_COUNT);
	assert_float_equal(fields[1].q, 0.999, 1e-12);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		capture_begin(&cap, stderr);
		assert_int_equal(fields_parse(&test_cli, "-f", bad[i], fields, &n), CLI_FAILED);
		capture_end(&cap);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(selector__of_each_kind__picks_what_it_says, set_up),
		cmocka_unit_test_setup(selector__malformed__is_refused, set_up),
		cmocka_unit_test(number__added__stays_exact),
		cmocka_unit_test(field__each_form__is_parsed_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
