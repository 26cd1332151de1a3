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

#include "exporter/history/row.h"

static struct row_reader reader;

static const struct history_row head = {
	.taken_real_ns = 1111, .taken_boot_ns = 2222, .flags = HISTORY_STALE,
	.segment_id = { 1, 2, 3 }, .catalog_generation = 99, .live_writers = 7, .tick = 12345,
	.due_ms = 1100, .interval_ms = 1000, .missed = 3, .run = 9, .files = 2,
	.missed_why = HISTORY_MISSED_STORE | HISTORY_MISSED_LATE, .boot_id = { 4, 5, 6 },
};

static void build(struct row_writer *w)
{
	static const uint64_t counts[] = { 0, 3, 0, 0, UINT64_MAX, 1 };
	struct sm_value v = { .is_set = 1, .is_integer = 1, .units = UINT64_MAX, .decimals = 9 };
	struct sm_sum sum = { .is_integer = 1, .decimals = 9, .units = ~(sm_u128)0 };

	row_begin(w, &head);
	row_add_writer(w, &(struct history_writer){ "shard-1", 17, 1000 });
	row_add_writer(w, &(struct history_writer){ "", UINT64_MAX, 0 });
	row_add_number(w, 1, &v);
	v = (struct sm_value){ .is_set = 1, .is_integer = 1, .is_signed = 1,
		.units = (uint64_t)INT64_MIN };
	row_add_number(w, 2, &v);
	v = (struct sm_value){ .is_set = 1, .value = NAN };
	row_add_number(w, 300, &v);
	row_add_histogram(w, 301, counts, 6, &sum);
	sum = (struct sm_sum){ .value = -2.5 };
	row_add_histogram(w, 302, counts, 3, &sum);
}

static void row__all_types__round_trips(void **state)
{
	struct row_writer w = { 0 };
	struct history_writer writer;
	struct history_row got;
	struct history_value v;
	uint32_t id;

	build(&w);
	assert_int_equal(row_finish(&w, 303), 0);
	assert_int_equal(row_open(&reader, w.out.data, w.out.len, &got), 0);
	assert_int_equal(got.taken_real_ns, 1111);
	assert_int_equal(got.taken_boot_ns, 2222);
	assert_int_equal(got.flags, HISTORY_STALE);
	assert_memory_equal(got.segment_id, head.segment_id, 16);
	assert_int_equal(got.catalog_generation, 99);
	assert_int_equal(got.live_writers, 7);
	assert_int_equal(got.nvalues, 5);
	assert_int_equal(got.bytes, w.out.len);
	assert_int_equal(got.tick, 12345);
	assert_int_equal(got.due_ms, 1100);
	assert_int_equal(got.interval_ms, 1000);
	assert_int_equal(got.missed, 3);
	assert_int_equal(got.missed_why, HISTORY_MISSED_STORE | HISTORY_MISSED_LATE);
	assert_int_equal(got.run, 9);
	assert_int_equal(got.files, 2);
	assert_memory_equal(got.boot_id, head.boot_id, 16);
	assert_int_equal(got.nwriters, 2);
	assert_int_equal(row_next_writer(&reader, &writer), 1);
	assert_string_equal(writer.name, "shard-1");
	assert_int_equal(writer.incarnation, 17);
	assert_int_equal(writer.start_real_ns, 1000);
	assert_int_equal(row_next_writer(&reader, &writer), 1);
	assert_string_equal(writer.name, "");
	assert_true(writer.incarnation == UINT64_MAX);
	assert_int_equal(row_next_writer(&reader, &writer), 0);

	assert_int_equal(row_next(&reader, &id, &v), 1);
	assert_int_equal(id, 1);
	assert_true(v.is_integer && !v.is_signed && v.units == UINT64_MAX && v.decimals == 9);
	assert_true(fabs(v.value - 18446744073.709551615) < 1e-5);
	assert_int_equal(row_next(&reader, &id, &v), 1);
	assert_int_equal(id, 2);
	assert_true(v.is_signed && (int64_t)v.units == INT64_MIN && v.value == -0x1p63);
	assert_int_equal(row_next(&reader, &id, &v), 1);
	assert_int_equal(id, 300);
	assert_true(!v.is_integer && isnan(v.value));
	assert_int_equal(row_next(&reader, &id, &v), 1);
	assert_int_equal(id, 301);
	assert_int_equal(v.nbuckets, 3);
	assert_int_equal(v.buckets[0].index, 1);
	assert_int_equal(v.buckets[0].count, 3);
	assert_int_equal(v.buckets[1].index, 4);
	assert_true(v.buckets[1].count == UINT64_MAX);
	assert_int_equal(v.buckets[2].index, 5);
	assert_int_equal(v.count, 3);	/* wraps, as cells do */
	assert_true(v.sum.is_integer && v.sum.units == ~(sm_u128)0 && v.sum.decimals == 9);
	assert_int_equal(row_next(&reader, &id, &v), 1);
	assert_int_equal(id, 302);
	assert_int_equal(v.nbuckets, 1);
	assert_true(!v.sum.is_integer && v.sum.value == -2.5);
	assert_int_equal(row_next(&reader, &id, &v), 0);
	assert_int_equal(row_next(&reader, &id, &v), 0);
	row_free(&w);
}

static void row__ids_not_ascending__is_not_written(void **state)
{
	struct row_writer w = { 0 };
	struct sm_value v = { .is_integer = 1 };

	row_begin(&w, &head);
	row_add_number(&w, 2, &v);
	row_add_number(&w, 2, &v);
	assert_true(row_finish(&w, 3) < 0);
	row_free(&w);
}

static void row__empty__has_no_values(void **state)
{
	struct row_writer w = { 0 };
	struct history_row got;
	struct history_value v;
	uint32_t id;

	row_begin(&w, &head);
	assert_int_equal(row_finish(&w, 1), 0);
	assert_int_equal(w.out.len, ROW_HEADER_BYTES);
	assert_int_equal(row_open(&reader, w.out.data, w.out.len, &got), 0);
	assert_int_equal(row_next(&reader, &id, &v), 0);
	row_free(&w);
}

static void row__any_bit_flipped__is_damaged(void **state)
{
	struct row_writer w = { 0 };
	struct history_row got;
	size_t bit;

	build(&w);
	assert_int_equal(row_finish(&w, 303), 0);
	for (bit = 0; bit < w.out.len * 8; bit++) {
		w.out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(row_open(&reader, w.out.data, w.out.len, &got), -EBADMSG);
		w.out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	row_free(&w);
}

static void row__cut_anywhere__is_damaged(void **state)
{
	struct row_writer w = { 0 };
	struct history_row got;
	size_t len;
	uint8_t *copy;

	build(&w);
	assert_int_equal(row_finish(&w, 303), 0);
	for (len = 0; len < w.out.len; len++) {
		/* In memory of its own size, so that a sanitizer sees a read beyond. */
		copy = malloc(len ? len : 1);
		memcpy(copy, w.out.data, len);
		assert_int_equal(row_open(&reader, copy, len, &got), -EBADMSG);
		free(copy);
	}
	row_free(&w);
}

static void row__of_a_later_version__is_refused(void **state)
{
	struct row_writer w = { 0 };
	struct history_row got;

	row_begin(&w, &head);
	w.out.data[4] = ROW_VERSION + 1;
	assert_int_equal(row_finish(&w, 1), 0);
	assert_int_equal(row_open(&reader, w.out.data, w.out.len, &got), -EPROTONOSUPPORT);
	row_free(&w);
}

/* Random bodies with a right checksum: decoding ends inside its bounds. */
static void row__hostile_body__decodes_within_bounds(void **state)
{
	struct row_writer w = { 0 };
	struct history_row got;
	struct history_value v;
	uint32_t id, last;
	uint8_t b;
	int round, i, n, rc;
	uint64_t x = 88172645463325252u;

	for (round = 0; round < 20000; round++) {
		row_begin(&w, &head);
		n = round % 60;
		for (i = 0; i < n; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			/* Small numbers mostly, so that decoding gets far. */
			b = (uint8_t)(x & 0x300 ? x & 0x0f : x);
			bytes_put_u8(&w.out, b);
		}
		w.nvalues = (uint32_t)(x >> 32 & 7);
		assert_int_equal(row_finish(&w, 50), 0);
		assert_int_equal(row_open(&reader, w.out.data, w.out.len, &got), 0);
		last = 0;
		while ((rc = row_next(&reader, &id, &v)) == 1) {
			assert_true(id > last && id < 50);
			assert_true(v.nbuckets <= ROW_BUCKETS_MAX);
			last = id;
		}
		assert_true(rc == 0 || rc == -EBADMSG);
	}
	row_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row__all_types__round_trips),
		cmocka_unit_test(row__ids_not_ascending__is_not_written),
		cmocka_unit_test(row__empty__has_no_values),
		cmocka_unit_test(row__any_bit_flipped__is_damaged),
		cmocka_unit_test(row__cut_anywhere__is_damaged),
		cmocka_unit_test(row__of_a_later_version__is_refused),
		cmocka_unit_test(row__hostile_body__decodes_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
