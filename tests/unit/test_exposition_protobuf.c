/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of exporter/exposition/protobuf.c, byte by byte. That Prometheus takes it is tested in
 * tests/system.
 */
#include "exposition_zoo.h"

static void expect_bytes(struct zoo *z, const char *query, const char *expect, size_t len)
{
	struct page page;
	size_t i;

	zoo_ask(z, query, zoo_protobuf, NULL, &page);
	for (i = 0; i < page.body.len && i < len; i++)
		if (page.body.data[i] != expect[i])
			fail_msg("byte %zu is %02x, not %02x", i, (uint8_t)page.body.data[i],
				(uint8_t)expect[i]);
	assert_int_equal(page.body.len, len);
	buf_free(&page.body);
}

#define EXPECT(z, query, expect) expect_bytes(z, query, expect, sizeof(expect) - 1)

static void protobuf__gauge_and_pairs__these_bytes(void **state)
{
	struct zoo z;

	zoo_new(&z, 1);
	zoo_take(&z, 0);
	/* name, help, type gauge, unit; two metrics of labels and a gauge. */
	EXPECT(&z, "name[]=memory_bytes",
		"\x77" "\x0a\x0c" "memory_bytes" "\x12\x02" "M." "\x18\x01" "\x2a\x05" "bytes"
		"\x22\x2c" "\x0a\x0c\x0a\x04" "kind" "\x12\x04" "heap"
		"\x0a\x11\x0a\x06" "writer" "\x12\x07" "shard-1"
		"\x12\x09\x09" "\0\0\0\0\x80\x84\x2e\x41"
		"\x22\x2c" "\x0a\x0c\x0a\x04" "kind" "\x12\x04" "heap"
		"\x0a\x11\x0a\x06" "writer" "\x12\x07" "shard-2"
		"\x12\x09\x09" "\0\0\0\0\0\0\x14\x40");
	EXPECT(&z, "name[]=queue", "\x1a\x0a\x05" "queue" "\x12\x02" "Q." "\x18\x01"
		"\x22\x0b\x12\x09\x09" "\0\0\0\0\0\0\x1c\xc0");
	zoo_free(&z);
}

static void protobuf__counter__starts_when_it_was_made(void **state)
{
	struct zoo z;

	zoo_new(&z, 1);
	builder_rec(&z.b[0], 2)->created_real_ns = 1700000000000000007;
	zoo_take(&z, 0);
	EXPECT(&z, "name[]=cpu_seconds_total",
		"\x3b\x0a\x11" "cpu_seconds_total" "\x12\x04" "CPU." "\x18\0"
		"\x2a\x07" "seconds"
		"\x22\x15\x1a\x13\x09\0\0\0\0\0\0\x08\x40\x1a\x08\x08\x80\xe2\xcf\xaa\x06\x10\x07");
	zoo_free(&z);
}

/* ---- histograms ----------------------------------------------------------------------------- */

/* A histogram of a grid from 1/2 to 2, with a bound of its own at 1.2: 17 united bounds. */
static uint32_t add_grid(struct builder *b, uint32_t *ret_cell)
{
	static const double bounds[] = { 1.2 };
	uint32_t f = builder_family(b, SM_HISTOGRAM, "grid", .bounds = bounds, .nbounds = 1,
		.grid_lo = -1, .grid_hi = 1, .sum_decimals = 0);
	uint32_t s = builder_series(b, f, NULL);

	builder_rec(b, s)->created_real_ns = 0;
	*ret_cell = builder_rec(b, s)->cell[0];
	return s;
}

static void protobuf__empty_histogram__still_native(void **state)
{
	struct zoo z;
	uint32_t cell;

	zoo_new(&z, 1);
	add_grid(&z.b[0], &cell);
	zoo_take(&z, 0);
	EXPECT(&z, "name[]=grid",
		"\x44\x0a\x04" "grid" "\x18\x04" "\x22\x3a\x3a\x38"
		"\x08\0" "\x11\0\0\0\0\0\0\0\0"
		"\x1a\x0b\x08\0\x11\x33\x33\x33\x33\x33\x33\xf3\x3f"	/* le 1.2 */
		"\x1a\x0b\x08\0\x11\0\0\0\0\0\0\xf0\x7f"		/* +Inf */
		"\x28\x06" "\x31\0\0\0\0\0\0\xe0\x3f" "\x38\0"		/* schema 3, 1/2, 0 */
		"\x62\x04\x08\0\x10\0");				/* no buckets */
	zoo_free(&z);
}

static void protobuf__native_histogram__spans_deltas_and_overflow(void **state)
{
	struct zoo z;
	uint32_t cell, w = 1;

	zoo_new(&z, 1);
	add_grid(&z.b[0], &cell);
	/* United bounds: 2^(-8/8) ... 2^(-1/8), 1, 2^(1/8), 2^(2/8), 1.2, 2^(3/8) ... 2. */
	*builder_cell(&z.b[0], w, 1, cell) = 5;		/* at most 1/2: the zero bucket */
	*builder_cell(&z.b[0], w, 1, cell + 1) = 3;	/* index -7 */
	*builder_cell(&z.b[0], w, 1, cell + 2) = 1;	/* -6 */
	*builder_cell(&z.b[0], w, 1, cell + 4) = 2;	/* -4: one empty bucket is listed */
	*builder_cell(&z.b[0], w, 1, cell + 10) = 4;	/* 2^(1/8) to 2^(2/8): index 2 */
	*builder_cell(&z.b[0], w, 1, cell + 11) = 6;	/* up to 1.2: part of index 3 */
	*builder_cell(&z.b[0], w, 1, cell + 18) = 9;	/* above the grid */
	zoo_take(&z, 0);
	EXPECT(&z, "name[]=grid",
		"\x5a\x0a\x04" "grid" "\x18\x04" "\x22\x50\x3a\x4e"
		"\x08\x1e" "\x11\0\0\0\0\0\0\0\0"
		"\x1a\x0b\x08\x15\x11\x33\x33\x33\x33\x33\x33\xf3\x3f"
		"\x1a\x0b\x08\x1e\x11\0\0\0\0\0\0\xf0\x7f"
		"\x28\x06" "\x31\0\0\0\0\0\0\xe0\x3f" "\x38\x05"
		"\x62\x04\x08\x0d\x10\x04"		/* from -7, 4 buckets */
		"\x62\x04\x08\x0a\x10\x02"		/* 5 on, 2: 2 and 3 */
		"\x62\x05\x08\xfa\x7f\x10\x01"		/* 8189 on, 1: 8193 */
		"\x6a\x07\x06\x03\x01\x04\x04\x04\x06");	/* 3, 1, 0, 2, 4, 6, 9 */
	zoo_free(&z);
}

static void protobuf__long_family__length_before_it(void **state)
{
	struct zoo z;
	struct page page;
	char value[32];
	uint32_t f, i;
	size_t len;

	zoo_new(&z, 1);
	f = builder_family(&z.b[0], SM_COUNTER, "many_total", .labels = { "l" });
	for (i = 0; i < 400; i++) {
		snprintf(value, sizeof(value), "%u", i);
		builder_series(&z.b[0], f, value, NULL);
	}
	zoo_take(&z, 0);
	zoo_ask(&z, "name[]=many_total", zoo_protobuf, NULL, &page);
	assert_true(page.body.data[0] & 0x80);
	len = (size_t)(page.body.data[0] & 0x7f) | (size_t)(uint8_t)page.body.data[1] << 7;
	assert_int_equal(page.body.len, len + 2);
	assert_memory_equal(page.body.data + 2, "\x0a\x0amany_total\x18\0\x22", 15);
	buf_free(&page.body);
	zoo_free(&z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protobuf__gauge_and_pairs__these_bytes),
		cmocka_unit_test(protobuf__counter__starts_when_it_was_made),
		cmocka_unit_test(protobuf__empty_histogram__still_native),
		cmocka_unit_test(protobuf__native_histogram__spans_deltas_and_overflow),
		cmocka_unit_test(protobuf__long_family__length_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
