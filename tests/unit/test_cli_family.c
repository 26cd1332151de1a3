/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_declare
/* test_cli_family.c - labels by name, units by ending, and how a family is declared again. */
#include "test_cli.h"

#include "tools/shardmeter/family.h"

static struct capture cap;
static struct sm_family_options declared; /* of the last sm_declare() */

struct sm_family *__wrap_sm_declare(
	struct sm *m, const struct sm_family_options *opts, struct sm_diag *diag);
struct sm_family *__wrap_sm_declare(
	struct sm *m, const struct sm_family_options *opts, struct sm_diag *diag)
{
	declared = *opts;
	memset(diag, 0, sizeof(*diag));
	return NULL;
}

static const char *const labels[] = { "job", "status" };
static struct sm_family_info counter = { .kind = SM_COUNTER,
	.name = "jobs_total",
	.help = "Jobs.",
	.unit = "",
	.nlabels = 2,
	.labels = labels,
	.decimals = 6,
	.cap = 77 };

static void unit__of_a_name__is_its_ending(void **state)
{
	assert_string_equal(fam_unit_of_name("x_seconds"), "seconds");
	assert_string_equal(fam_unit_of_name("x_seconds_total"), "seconds");
	assert_string_equal(fam_unit_of_name("received_bytes_total"), "bytes");
	assert_string_equal(fam_unit_of_name("hit_ratio"), "ratio");
	assert_null(fam_unit_of_name("kilobytes"));
	assert_null(fam_unit_of_name("seconds"));
	assert_null(fam_unit_of_name("_total"));
	assert_null(fam_unit_of_name("jobs_total"));
}

static void labels__in_any_order__are_matched_by_name(void **state)
{
	struct cli_series s = { .nlabels = 2,
		.label = { { "status", "ok", CLI_EQUAL }, { "job", "a", CLI_EQUAL } } };
	struct sm_str values[SM_LABELS_MAX];

	assert_int_equal(fam_match_labels(&test_cli, &counter, &s, values), 0);
	assert_string_equal(values[0].ptr, "a");
	assert_string_equal(values[1].ptr, "ok");
}

static void labels__wrong_and_missing__are_both_named(void **state)
{
	struct cli_series s = { .nlabels = 2,
		.label = { { "state", "ok", CLI_EQUAL }, { "job", "a", CLI_EQUAL } } };
	struct sm_str values[SM_LABELS_MAX];

	capture_begin(&cap, stderr);
	assert_int_equal(fam_match_labels(&test_cli, &counter, &s, values), CLI_FAILED);
	assert_string_equal(capture_end(&cap),
		"shardmeter inc: jobs_total has the labels: job, status; missing: "
		"status; not its labels: state\n");
}

static void family__declared_again__is_exactly_what_is_there(void **state)
{
	static const double bounds[] = { 1, 2 };
	struct sm_family_info h = { .kind = SM_HISTOGRAM,
		.name = "x_seconds",
		.help = "X.",
		.unit = "seconds",
		.nlabels = 1,
		.labels = labels,
		.flags = SM_FAMILY_FINE_GRID | SM_FAMILY_EXEMPLARS,
		.nbounds = 2,
		.bounds = bounds,
		.cap = 5,
		.decimals = 9 };
	struct sm_diag diag;

	fam_redeclare(NULL, &h, SM_NUMBER_U64, &diag);
	assert_int_equal(declared.kind, SM_HISTOGRAM);
	assert_string_equal(declared.unit, "seconds");
	assert_string_equal(declared.labels[0], "job");
	assert_null(declared.labels[1]);
	assert_int_equal(declared.nbounds, 2);
	assert_int_equal(declared.grid, SM_GRID_ON);
	assert_true(declared.exemplars);
	assert_int_equal(declared.cap, 5);
	h.flags = SM_FAMILY_SIGNED;
	fam_redeclare(NULL, &h, SM_NUMBER_U64, &diag);
	assert_int_equal(declared.grid, SM_GRID_OFF);
	assert_true(declared.is_signed);
	assert_false(declared.exemplars);
}

static void family__with_decimals_of_its_own__stays_fixed_point(void **state)
{
	struct sm_family_info own = counter;
	struct sm_diag diag;

	fam_redeclare(NULL, &own, SM_NUMBER_DOUBLE, &diag);
	assert_int_equal(declared.number, SM_NUMBER_DOUBLE);
	own.decimals = 2;
	fam_redeclare(NULL, &own, SM_NUMBER_DOUBLE, &diag);
	assert_int_equal(declared.number, SM_NUMBER_FIXED);
	assert_int_equal(declared.decimals, 2);
}

/* ---- what is refused before anything is declared ---- */

static struct fam_series target;

static int declare(struct sm_family_info *info, const struct fam_want *want, const struct cli *c)
{
	struct cli_series s = { .name = (char[]){ "jobs_total" },
		.nlabels = 2,
		.label = { { "status", "ok", CLI_EQUAL }, { "job", "a", CLI_EQUAL } } };
	struct sm_snapshot snapshot = { .nfamilies = info ? 1 : 0, .families = info };
	struct fam f = { .snapshot = &snapshot };
	int rc;

	memset(&declared, 0, sizeof(declared));
	capture_begin(&cap, stderr);
	rc = fam_declare(c, &f, &s, want, &target);
	capture_end(&cap);
	return rc;
}

static void family__of_another_kind__is_refused_with_the_right_verb(void **state)
{
	struct fam_want want = { .kinds = 1u << SM_GAUGE, .make = SM_GAUGE };

	assert_int_equal(declare(&counter, &want, &test_cli), CLI_FAILED);
	assert_string_equal(cap.text, "shardmeter inc: jobs_total is a counter: use inc\n");
	assert_null(declared.name);
}

static void family__new__takes_labels_in_the_order_typed(void **state)
{
	struct fam_want want = { .kinds = 1u << SM_COUNTER, .make = SM_COUNTER, .help = "H." };

	assert_int_equal(declare(NULL, &want, &test_cli), 0);
	assert_string_equal(declared.labels[0], "status");
	assert_string_equal(declared.labels[1], "job");
	assert_null(declared.unit);
	assert_string_equal(declared.help, "H.");
}

static void amount__of_a_new_counter__is_counted_exactly(void **state)
{
	static const struct {
		struct cli_amount amount;
		const char *unit;
		enum sm_number number;
	} table[] = { { { 1, true, 1, 0 }, NULL, SM_NUMBER_U64 },
		{ { 1.5, true, 15, 1 }, NULL, SM_NUMBER_FIXED },
		{ { 1e-9, true, 1, 9 }, NULL, SM_NUMBER_DOUBLE },
		{ { 1e-9, true, 1, 9 }, "seconds", SM_NUMBER_FIXED },
		{ { 1e30, false, 0, 0 }, NULL, SM_NUMBER_DOUBLE } };
	struct fam_want want = { .kinds = 1u << SM_COUNTER, .make = SM_COUNTER };
	struct sm_family_info own = counter;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		want.amount = &table[i].amount;
		want.unit = table[i].unit;
		assert_int_equal(declare(NULL, &want, &test_cli), 0);
		assert_int_equal(target.number, table[i].number);
		assert_int_equal(declared.number, table[i].number);
		assert_int_equal(target.decimals, table[i].unit ? 9 : 6);
	}
	want.unit = NULL;
	own.decimals = 2;
	assert_int_equal(declare(&own, &want, &test_cli), 0);
	assert_int_equal(target.number, SM_NUMBER_FIXED);
	assert_int_equal(target.decimals, 2);
}

static void family__with_another_unit_or_other_buckets__is_refused(void **state)
{
	static const double bounds[] = { 1, 2 }, others[] = { 1, 3 };
	struct sm_family_info h = counter;
	struct fam_want want = {
		.kinds = 1u << SM_HISTOGRAM, .make = SM_HISTOGRAM, .bounds = others, .nbounds = 2
	};

	h.kind = SM_HISTOGRAM;
	h.nbounds = 2;
	h.bounds = bounds;
	assert_int_equal(declare(&h, &want, &test_cli), CLI_FAILED);
	assert_non_null(strstr(cap.text, "other buckets"));
	want.bounds = bounds;
	assert_int_equal(declare(&h, &want, &test_cli), 0);
	want.unit = "bytes";
	assert_int_equal(declare(&h, &want, &test_cli), CLI_FAILED);
	assert_non_null(strstr(cap.text, "has the unit \"\", not \"bytes\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unit__of_a_name__is_its_ending),
		cmocka_unit_test(labels__in_any_order__are_matched_by_name),
		cmocka_unit_test(labels__wrong_and_missing__are_both_named),
		cmocka_unit_test(family__declared_again__is_exactly_what_is_there),
		cmocka_unit_test(family__with_decimals_of_its_own__stays_fixed_point),
		cmocka_unit_test(family__of_another_kind__is_refused_with_the_right_verb),
		cmocka_unit_test(family__new__takes_labels_in_the_order_typed),
		cmocka_unit_test(amount__of_a_new_counter__is_counted_exactly),
		cmocka_unit_test(family__with_another_unit_or_other_buckets__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
