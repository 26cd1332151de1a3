/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "exporter/history/dict.h"

static const char *const labels[] = { "shard", "caf\xc3\xa9" };
static const char *const states[] = { "up", "down", "" };
static const double bounds[] = { 0.5, 1 };
static const double united[] = { -1, 0.5, 0.75, 1, 1e300 };

static const struct sm_family_info family = {
	.kind = SM_HISTOGRAM, .mode = SM_MODE_MAX, .name = "latency_seconds",
	.help = "Time\nof \"things\".", .unit = "seconds", .nlabels = 2, .labels = labels,
	.nstates = 3, .states = states, .nbounds = 2, .bounds = bounds, .nunited = 5,
	.united = united,
};

static void family__every_field__round_trips(void **state)
{
	struct bytes_out out = { 0 };
	struct history_family *f;

	dict_put_family(&out, &family);
	assert_false(out.failed);
	assert_int_equal(dict_get_family(out.data, out.len, 9, &f), 0);
	assert_int_equal(f->id, 9);
	assert_int_equal(f->kind, SM_HISTOGRAM);
	assert_int_equal(f->mode, SM_MODE_MAX);
	assert_string_equal(f->name, family.name);
	assert_string_equal(f->help, family.help);
	assert_string_equal(f->unit, family.unit);
	assert_int_equal(f->nlabels, 2);
	assert_string_equal(f->labels[1], labels[1]);
	assert_int_equal(f->nstates, 3);
	assert_string_equal(f->states[1], "down");
	assert_string_equal(f->states[2], "");
	assert_int_equal(f->nbounds, 2);
	assert_memory_equal(f->bounds, bounds, sizeof(bounds));
	assert_int_equal(f->nunited, 5);
	assert_memory_equal(f->united, united, sizeof(united));
	free(f);
	bytes_free(&out);
}

static void series__every_field__round_trips(void **state)
{
	const struct sm_str values[] = { { "3", 1 }, { "", 0 } };
	const struct history_family f = { .id = 9, .nlabels = 2 };
	struct bytes_out out = { 0 };
	struct history_series *s;
	uint32_t id;

	dict_put_series(&out, 9, values, 2, "shard-3", 123456789);
	assert_int_equal(dict_series_family(out.data, out.len, &id), 0);
	assert_int_equal(id, 9);
	assert_int_equal(dict_get_series(out.data, out.len, 4, &f, &s), 0);
	assert_int_equal(s->id, 4);
	assert_ptr_equal(s->family, &f);
	assert_string_equal(s->writer, "shard-3");
	assert_int_equal(s->created_real_ns, 123456789);
	assert_string_equal(s->values[0].ptr, "3");
	assert_int_equal(s->values[1].len, 0);
	assert_string_equal(s->values[1].ptr, "");
	free(s);
	bytes_free(&out);
}

static void series__of_another_family__is_refused(void **state)
{
	const struct sm_str values[] = { { "3", 1 } };
	const struct history_family other = { .id = 8, .nlabels = 1 };
	const struct history_family wider = { .id = 9, .nlabels = 2 };
	struct bytes_out out = { 0 };
	struct history_series *s;

	dict_put_series(&out, 9, values, 1, "", 1);
	assert_int_equal(dict_get_series(out.data, out.len, 1, &other, &s), -EBADMSG);
	assert_int_equal(dict_get_series(out.data, out.len, 1, &wider, &s), -EBADMSG);
	bytes_free(&out);
}

static int get_copy(const uint8_t *data, size_t len, int series)
{
	const struct history_family f = { .id = 9, .nlabels = 2 };
	/* In memory of its own size, so that a sanitizer sees a read beyond. */
	uint8_t *copy = malloc(len ? len : 1);
	struct history_family *family_got = NULL;
	struct history_series *series_got = NULL;
	int rc;

	memcpy(copy, data, len);
	rc = series ? dict_get_series(copy, len, 1, &f, &series_got) :
		dict_get_family(copy, len, 1, &family_got);
	free(copy);
	free(family_got);
	free(series_got);
	return rc;
}

static void record__cut_or_longer__is_damaged(void **state)
{
	const struct sm_str values[] = { { "3", 1 }, { "x", 1 } };
	struct bytes_out f = { 0 }, s = { 0 };
	size_t len;

	dict_put_family(&f, &family);
	dict_put_series(&s, 9, values, 2, "w", 1);
	for (len = 0; len < f.len; len++)
		assert_int_equal(get_copy(f.data, len, 0), -EBADMSG);
	for (len = 0; len < s.len; len++)
		assert_int_equal(get_copy(s.data, len, 1), -EBADMSG);
	bytes_put_u8(&f, 0);
	bytes_put_u8(&s, 0);
	assert_int_equal(get_copy(f.data, f.len, 0), -EBADMSG);
	assert_int_equal(get_copy(s.data, s.len, 1), -EBADMSG);
	bytes_free(&f);
	bytes_free(&s);
}

static void record__any_byte_changed__decodes_within_bounds(void **state)
{
	const struct sm_str values[] = { { "3", 1 }, { "x", 1 } };
	struct bytes_out record[2] = { { 0 }, { 0 } };
	size_t i;
	int series, change, rc;
	uint8_t before;

	dict_put_family(&record[0], &family);
	dict_put_series(&record[1], 9, values, 2, "w", 1);
	for (series = 0; series < 2; series++) {
		for (i = 0; i < record[series].len; i++) {
			before = record[series].data[i];
			for (change = 1; change < 256; change++) {
				record[series].data[i] = (uint8_t)(before ^ change);
				rc = get_copy(record[series].data, record[series].len, series);
				assert_true(rc == 0 || rc == -EBADMSG || rc == -EPROTONOSUPPORT);
			}
			record[series].data[i] = before;
		}
		bytes_free(&record[series]);
	}
}

static void text__not_utf8_or_with_nul__is_damaged(void **state)
{
	const char *const bad[] = { "\xff", "\xc0\x80", "\xed\xa0\x80", "\xe2\x82", "a\0b",
		"\xf4\x90\x80\x80" };
	const size_t len[] = { 1, 2, 3, 2, 3, 4 };
	const struct history_family f = { .id = 9, .nlabels = 1 };
	struct history_series *s;
	size_t i;

	for (i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		struct bytes_out out = { 0 };
		struct sm_str value = { bad[i], len[i] };

		dict_put_series(&out, 9, &value, 1, "", 1);
		assert_int_equal(dict_get_series(out.data, out.len, 1, &f, &s), -EBADMSG);
		bytes_free(&out);
	}
}

static void bounds__not_ascending_or_not_finite__are_damaged(void **state)
{
	static const double bad[][2] = { { 1, 1 }, { 2, 1 }, { 1, INFINITY }, { NAN, 1 } };
	struct sm_family_info info = family;
	struct history_family *f;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bytes_out out = { 0 };

		info.bounds = bad[i];
		dict_put_family(&out, &info);
		assert_int_equal(dict_get_family(out.data, out.len, 1, &f), -EBADMSG);
		bytes_free(&out);
	}
}

static void record__of_a_later_version__is_refused(void **state)
{
	struct bytes_out out = { 0 };
	struct history_family *f;
	uint32_t id;

	dict_put_family(&out, &family);
	out.data[0] = DICT_VERSION + 1;
	assert_int_equal(dict_get_family(out.data, out.len, 1, &f), -EPROTONOSUPPORT);
	assert_int_equal(dict_series_family(out.data, out.len, &id), -EPROTONOSUPPORT);
	bytes_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(family__every_field__round_trips),
		cmocka_unit_test(series__every_field__round_trips),
		cmocka_unit_test(series__of_another_family__is_refused),
		cmocka_unit_test(record__cut_or_longer__is_damaged),
		cmocka_unit_test(record__any_byte_changed__decodes_within_bounds),
		cmocka_unit_test(text__not_utf8_or_with_nul__is_damaged),
		cmocka_unit_test(bounds__not_ascending_or_not_finite__are_damaged),
		cmocka_unit_test(record__of_a_later_version__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
