/* SPDX-License-Identifier: Apache-2.0 */
/* test_declare.c - from a user's options to a checked definition: every default, every rule. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "declare.h"

static struct family_def good(const struct sm_family_options *o)
{
	struct family_def d;
	struct sm_diag diag;

	if (def_from_options(o, &d, &diag) != 0)
		fail_msg("%s", diag.message);
	return d;
}

/* Refused, with this in the message; and without a diag, too. */
static void bad_(const struct sm_family_options *o, const char *part, int line)
{
	struct family_def d;
	struct sm_diag diag = { 0 };

	if (def_from_options(o, &d, &diag) != -EINVAL || diag.error != -EINVAL)
		fail_msg("line %d: not refused", line);
	if (!strstr(diag.message, part))
		fail_msg("line %d: \"%s\" is not in \"%s\"", line, part, diag.message);
	assert_int_equal(def_from_options(o, &d, NULL), -EINVAL);
}

#define GOOD(...) good(&(struct sm_family_options){ __VA_ARGS__ })
#define BAD(part, ...) bad_(&(struct sm_family_options){ __VA_ARGS__ }, part, __LINE__)

static void options__of_zeros__get_the_documented_defaults(void **state)
{
	struct family_def d = GOOD(.kind = SM_COUNTER, .name = "c_total");

	assert_int_equal(d.cap, 1000);
	assert_int_equal(d.number, SM_NUMBER_U64);
	assert_int_equal(d.decimals, 6);
	assert_string_equal(d.help, "");
	assert_string_equal(d.unit, "");
	assert_int_equal(d.flags, 0);
	assert_int_equal(d.normalise, 0);
	d = GOOD(.kind = SM_COUNTER, .name = "c_total", .unit = SM_SECONDS,
		.number = SM_NUMBER_FIXED);
	assert_int_equal(d.decimals, 9);
	d = GOOD(.kind = SM_GAUGE, .name = "g");
	assert_int_equal(d.mode, SM_MODE_SUM);
	d = GOOD(.kind = SM_GAUGE, .name = "g", .keep = 1);
	assert_int_equal(d.flags, SM_FF_KEEP);
	d = GOOD(.kind = SM_COUNTER, .name = "c_total", .exemplars = 1);
	assert_int_equal(d.flags, SM_FF_EXEMPLARS);
	d = GOOD(.kind = SM_GAUGE, .name = "g", .exemplars = 1);
	assert_int_equal(d.flags, 0);		/* only counters and histograms have them */
}

static void histogram__by_unit__has_its_bounds_and_grid(void **state)
{
	struct family_def d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS);

	assert_int_equal(d.nbounds, 11);
	assert_true(d.bounds[0] == .005 && d.bounds[10] == 10);
	assert_int_equal(d.flags, SM_FF_FINE_GRID);
	assert_int_equal(d.grid_lo, -20);
	assert_int_equal(d.grid_hi, 10);
	assert_int_equal(d.sum_decimals, 9);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h");
	assert_int_equal(d.sum_decimals, 6);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .decimals = 2);
	assert_int_equal(d.sum_decimals, 2);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS, .decimals = 9);
	assert_int_equal(d.nbuckets, 241 + 11 - 3 + 1);		/* .25, .5 and 1 are in both */
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .unit = SM_BYTES);
	assert_int_equal(d.nbounds, 12);
	assert_int_equal(d.grid_lo, 0);
	assert_int_equal(d.grid_hi, 30);
	assert_int_equal(d.sum_decimals, 0);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .unit = SM_RATIO);
	assert_int_equal(d.nbounds, 13);
	assert_int_equal(d.flags, SM_FF_FINE_GRID);
	assert_int_equal(d.sum_decimals, 6);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h");
	assert_int_equal(d.nbounds, 11);
	assert_int_equal(d.flags, 0);
	assert_int_equal(d.nbuckets, 12);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .grid = SM_GRID_ON);
	assert_int_equal(d.flags, SM_FF_FINE_GRID);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS, .grid = SM_GRID_OFF);
	assert_int_equal(d.nbuckets, 12);
	assert_int_equal(d.grid_lo, 0);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS, .is_signed = 1);
	assert_int_equal(d.flags, SM_FF_SIGNED | SM_FF_SUM_DOUBLE);
}

static void slo__becomes_a_bound(void **state)
{
	static const double bounds[] = { 1, 2, 4 };
	struct family_def d =
		GOOD(.kind = SM_HISTOGRAM, .name = "h", .bounds = bounds, .nbounds = 3, .slo = 3);

	assert_int_equal(d.nbounds, 4);
	assert_true(d.bounds[0] == 1 && d.bounds[1] == 2 && d.bounds[2] == 3 && d.bounds[3] == 4);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .bounds = bounds, .nbounds = 3, .slo = 2);
	assert_int_equal(d.nbounds, 3);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .bounds = bounds, .nbounds = 3, .slo = .5);
	assert_true(d.nbounds == 4 && d.bounds[0] == .5);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .bounds = bounds, .nbounds = 3, .slo = 9);
	assert_true(d.nbounds == 4 && d.bounds[3] == 9);
	BAD("decimals", .kind = SM_HISTOGRAM, .name = "h", .decimals = 10);
	BAD("decimals", .kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS, .decimals = 3);
	BAD("slo", .kind = SM_HISTOGRAM, .name = "h", .slo = -1);
	BAD("slo", .kind = SM_HISTOGRAM, .name = "h", .slo = NAN);
	BAD("slo", .kind = SM_HISTOGRAM, .name = "h", .slo = INFINITY);
}

static void bounds__are_checked(void **state)
{
	static const double descending[] = { 1, 2, 2 }, infinite[] = { 1, INFINITY },
			    nan_in[] = { 1, NAN };
	static const double negative[] = { -1, 0, 1 }, zero[] = { -0.0, 1 };
	double many[SM_MAX_BOUNDS + 1];
	struct family_def d;
	unsigned i;

	BAD("ascending", .kind = SM_HISTOGRAM, .name = "h", .bounds = descending, .nbounds = 3);
	BAD("finite", .kind = SM_HISTOGRAM, .name = "h", .bounds = infinite, .nbounds = 2);
	BAD("finite", .kind = SM_HISTOGRAM, .name = "h", .bounds = nan_in, .nbounds = 2);
	BAD("is_signed", .kind = SM_HISTOGRAM, .name = "h", .bounds = negative, .nbounds = 3);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .bounds = negative, .nbounds = 3,
		.is_signed = 1);
	assert_int_equal(d.nbuckets, 4);
	BAD("grid", .kind = SM_HISTOGRAM, .name = "h", .is_signed = 1, .grid = SM_GRID_ON);
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .bounds = zero, .nbounds = 2);
	assert_false(signbit(d.bounds[0]));
	for (i = 0; i <= SM_MAX_BOUNDS; i++)
		many[i] = i + .1;
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .bounds = many, .nbounds = SM_MAX_BOUNDS,
		.grid = SM_GRID_ON);
	assert_int_equal(d.nbuckets, SM_MAX_BOUNDS + 241 + 1);
	BAD("at most 256", .kind = SM_HISTOGRAM, .name = "h", .bounds = many,
		.nbounds = SM_MAX_BOUNDS + 1);
	BAD("at most 256", .kind = SM_HISTOGRAM, .name = "h", .bounds = many,
		.nbounds = SM_MAX_BOUNDS, .slo = .05);
	/* None at all: one bucket, +Inf. */
	d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .bounds = many, .nbounds = 0);
	assert_int_equal(d.nbuckets, 1);
}

static void name__that_is_malformed__is_refused(void **state)
{
	char longest[SM_NAME_MAX + 2];

	BAD("(null)", .kind = SM_GAUGE);
	BAD("name", .kind = SM_GAUGE, .name = "");
	BAD("name", .kind = SM_GAUGE, .name = "1st");
	BAD("name", .kind = SM_GAUGE, .name = "a-b");
	BAD("name", .kind = SM_GAUGE, .name = "a:b");
	BAD("name", .kind = SM_GAUGE, .name = "a b");
	BAD("name", .kind = SM_GAUGE, .name = "caf\xc3\xa9");
	BAD("our own", .kind = SM_GAUGE, .name = "shardmeter_x");
	BAD("_bucket", .kind = SM_GAUGE, .name = "x_bucket");
	BAD("_count", .kind = SM_GAUGE, .name = "x_count");
	BAD("_sum", .kind = SM_GAUGE, .name = "x_sum");
	BAD("_created", .kind = SM_GAUGE, .name = "x_created");
	BAD("_total", .kind = SM_COUNTER, .name = "x");
	BAD("_total", .kind = SM_GAUGE, .name = "x_total");
	BAD("_info", .kind = SM_INFO, .name = "x");
	BAD("_info", .kind = SM_GAUGE, .name = "x_info");
	memset(longest, 'a', sizeof(longest));
	longest[SM_NAME_MAX + 1] = '\0';
	BAD("201 bytes", .kind = SM_GAUGE, .name = longest);
	longest[SM_NAME_MAX] = '\0';
	GOOD(.kind = SM_GAUGE, .name = longest);
	GOOD(.kind = SM_GAUGE, .name = "_x9");
	GOOD(.kind = SM_INFO, .name = "build_info");
}

static void text__that_is_malformed__is_refused(void **state)
{
	char longest[SM_HELP_MAX + 2];

	memset(longest, 'a', sizeof(longest));
	longest[SM_HELP_MAX + 1] = '\0';
	BAD("help", .kind = SM_GAUGE, .name = "g", .help = longest);
	longest[SM_HELP_MAX] = '\0';
	GOOD(.kind = SM_GAUGE, .name = "g", .help = longest);
	longest[SM_UNIT_MAX + 1] = '\0';
	BAD("unit", .kind = SM_GAUGE, .name = "g", .unit = longest);
	BAD("UTF-8", .kind = SM_GAUGE, .name = "g", .help = "\xff");
	BAD("UTF-8", .kind = SM_GAUGE, .name = "g", .unit = "\xc3");
}

static void labels__are_checked(void **state)
{
	struct sm_family_options o = { .kind = SM_GAUGE, .name = "g" };
	char names[SM_LABELS_MAX][4], longest[SM_LABEL_NAME_MAX + 2];
	unsigned i;

	BAD("label", .kind = SM_GAUGE, .name = "g", .labels = { "" });
	BAD("label", .kind = SM_GAUGE, .name = "g", .labels = { "a-b" });
	BAD("label", .kind = SM_GAUGE, .name = "g", .labels = { "9a" });
	BAD("label", .kind = SM_GAUGE, .name = "g", .labels = { "__name" });
	BAD("reserved", .kind = SM_GAUGE, .name = "g", .labels = { "le" });
	BAD("reserved", .kind = SM_GAUGE, .name = "g", .labels = { "a", "quantile" });
	BAD("reserved", .kind = SM_GAUGE, .name = "g", .labels = { "writer" });
	BAD("twice", .kind = SM_GAUGE, .name = "g", .labels = { "a", "b", "a" });
	BAD("name of its family", .kind = SM_GAUGE, .name = "g", .labels = { "g" });
	memset(longest, 'a', sizeof(longest));
	longest[SM_LABEL_NAME_MAX + 1] = '\0';
	BAD("label", .kind = SM_GAUGE, .name = "g", .labels = { longest });
	for (i = 0; i < SM_LABELS_MAX; i++) {
		names[i][0] = 'k';
		names[i][1] = (char)('a' + i);
		names[i][2] = '\0';
		o.labels[i] = names[i];
	}
	assert_int_equal(good(&o).nlabels, SM_LABELS_MAX);
}

static void normaliser__by_default_and_by_mask(void **state)
{
	struct family_def d =
		GOOD(.kind = SM_GAUGE, .name = "g", .labels = { "shard", "user", "x_id", "_id" });

	assert_int_equal(d.normalise, 0x6);
	d = GOOD(.kind = SM_GAUGE, .name = "g", .labels = { "user" },
		.normalise = SM_NORMALISE_NONE);
	assert_int_equal(d.normalise, 0);
	d = GOOD(.kind = SM_GAUGE, .name = "g", .labels = { "user", "path" }, .normalise = 2);
	assert_int_equal(d.normalise, 2);
	BAD("normalise", .kind = SM_GAUGE, .name = "g", .labels = { "a" }, .normalise = 2);
	BAD("normalise", .kind = SM_GAUGE, .name = "g", .normalise = 1);
}

static void enumerations__out_of_range__are_refused(void **state)
{
	BAD("kind", .kind = (enum sm_kind)0, .name = "g");
	BAD("kind", .kind = (enum sm_kind)7, .name = "g");
	BAD("kind", .kind = (enum sm_kind)-1, .name = "g");
	BAD("number", .kind = SM_COUNTER, .name = "c_total", .number = (enum sm_number)3);
	BAD("decimals", .kind = SM_COUNTER, .name = "c_total", .decimals = 10);
	BAD("mode", .kind = SM_GAUGE, .name = "g", .mode = (enum sm_gauge_mode)7);
	BAD("kept", .kind = SM_GAUGE, .name = "g", .mode = SM_MODE_ALL, .keep = 1);
	BAD("kept", .kind = SM_GAUGE, .name = "g", .mode = SM_MODE_AVG, .keep = 1);
}

static void states__are_checked(void **state)
{
	static const char *const two[] = { "up", "down" }, *const twins[] = { "up", "up" };
	const char *many[SM_MAX_STATES + 1];
	char text[SM_MAX_STATES + 1][4];
	struct family_def d = GOOD(.kind = SM_STATESET, .name = "s", .states = two, .nstates = 2);
	unsigned i;

	assert_int_equal(d.nstates, 2);
	BAD("state", .kind = SM_STATESET, .name = "s");
	BAD("state", .kind = SM_STATESET, .name = "s", .states = two, .nstates = 0);
	BAD("twice", .kind = SM_STATESET, .name = "s", .states = twins, .nstates = 2);
	for (i = 0; i <= SM_MAX_STATES; i++) {
		text[i][0] = (char)('a' + i / 26);
		text[i][1] = (char)('a' + i % 26);
		text[i][2] = '\0';
		many[i] = text[i];
	}
	GOOD(.kind = SM_STATESET, .name = "s", .states = many, .nstates = SM_MAX_STATES);
	BAD("1 to 64", .kind = SM_STATESET, .name = "s", .states = many,
		.nstates = SM_MAX_STATES + 1);
}

/* Programs compiled with an older header give a smaller struct; what it lacks is zero. */
static void options__of_another_size__are_understood_or_refused(void **state)
{
	struct sm_family_options o = { .kind = SM_GAUGE, .name = "g", .mode = SM_MODE_MAX };
	struct family_def d;

	o.size = offsetof(struct sm_family_options, mode);
	d = good(&o);
	assert_int_equal(d.mode, SM_MODE_SUM);
	o.size = sizeof(o);
	d = good(&o);
	assert_int_equal(d.mode, SM_MODE_MAX);
	o.size = sizeof(o) + 8;
	bad_(&o, "newer library", __LINE__);
	bad_(NULL, "without options", __LINE__);
}

static void definition__copied__is_equal_and_its_own(void **state)
{
	static const char *const two[] = { "up", "down" };
	struct family_def d = GOOD(.kind = SM_STATESET, .name = "s", .help = "Help.", .unit = "u",
				   .labels = { "a", "b" }, .states = two, .nstates = 2), copy;

	assert_int_equal(def_copy(&d, &copy), 0);
	assert_true(def_equal(&d, &copy) && def_equal(&copy, &d));
	assert_ptr_not_equal(d.name, copy.name);
	assert_ptr_not_equal(d.labels[1], copy.labels[1]);
	assert_string_equal(copy.states[1], "down");
	assert_string_equal(copy.help, "Help.");
	def_free(&copy);
	assert_null(copy.name);
}

static void definitions__that_differ__are_not_equal(void **state)
{
	static const double bounds[] = { 1, 2 }, others[] = { 1, 3 };
	struct family_def d = GOOD(.kind = SM_HISTOGRAM, .name = "h", .labels = { "a" },
				  .bounds = bounds, .nbounds = 2),
			  e;

	e = GOOD(.kind = SM_HISTOGRAM, .name = "h", .labels = { "a" }, .bounds = others,
		.nbounds = 2);
	assert_false(def_equal(&d, &e));
	e = GOOD(.kind = SM_HISTOGRAM, .name = "h", .labels = { "b" }, .bounds = bounds,
		.nbounds = 2);
	assert_false(def_equal(&d, &e));
	e = GOOD(.kind = SM_HISTOGRAM, .name = "h", .bounds = bounds, .nbounds = 2);
	assert_false(def_equal(&d, &e));
	e = GOOD(.kind = SM_HISTOGRAM, .name = "i", .labels = { "a" }, .bounds = bounds,
		.nbounds = 2);
	assert_false(def_equal(&d, &e));
	e = GOOD(.kind = SM_HISTOGRAM, .name = "h", .labels = { "a" }, .bounds = bounds,
		.nbounds = 2, .exemplars = 1);
	assert_false(def_equal(&d, &e));
	/* Help and cap may differ: the first one's stay. */
	e = GOOD(.kind = SM_HISTOGRAM, .name = "h", .help = "x", .labels = { "a" },
		.bounds = bounds, .nbounds = 2, .cap = 5);
	assert_true(def_equal(&d, &e));
	d = GOOD(.kind = SM_COUNTER, .name = "c_total");
	e = GOOD(.kind = SM_COUNTER, .name = "c_total", .number = SM_NUMBER_DOUBLE);
	assert_false(def_equal(&d, &e)); /* not for this process: handles count in another way */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options__of_zeros__get_the_documented_defaults),
		cmocka_unit_test(histogram__by_unit__has_its_bounds_and_grid),
		cmocka_unit_test(slo__becomes_a_bound),
		cmocka_unit_test(bounds__are_checked),
		cmocka_unit_test(name__that_is_malformed__is_refused),
		cmocka_unit_test(text__that_is_malformed__is_refused),
		cmocka_unit_test(labels__are_checked),
		cmocka_unit_test(normaliser__by_default_and_by_mask),
		cmocka_unit_test(enumerations__out_of_range__are_refused),
		cmocka_unit_test(states__are_checked),
		cmocka_unit_test(options__of_another_size__are_understood_or_refused),
		cmocka_unit_test(definition__copied__is_equal_and_its_own),
		cmocka_unit_test(definitions__that_differ__are_not_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
