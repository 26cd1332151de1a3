/* SPDX-License-Identifier: Apache-2.0 */
/* test_geometry.c - sizes and offsets: computed, checked, every single bit of them guarded. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "geometry.h"

static struct sm_header make(const struct sm_geometry_wish *wish)
{
	struct sm_header h;
	struct sm_diag diag;

	memset(&h, 0, sizeof(h));
	assert_int_equal(sm_geometry_init(&h, wish, &diag), 0);
	h.magic = SM_MAGIC;
	h.endian = SM_ENDIAN_TAG;
	h.header_size = sizeof(h);
	h.major = SM_LAYOUT_MAJOR;
	h.minor = SM_LAYOUT_MINOR;
	return h;
}

static int check(const struct sm_header *h)
{
	struct sm_diag diag = { 0 };
	int rc = sm_geometry_check(h, h->file_bytes, "/dev/shm/x", &diag);

	assert_int_equal(diag.error, rc);
	assert_int_equal(rc != 0, diag.message[0] != '\0');
	return rc;
}

static void geometry__by_default__is_the_documented_one(void **state)
{
	struct sm_header h = make(&(struct sm_geometry_wish){ 0 });

	assert_int_equal(check(&h), 0);
	assert_int_equal(h.nslots, 128);
	assert_int_equal(h.lanes_per_slot, 4);
	assert_int_equal(h.nfamilies, 1024);
	assert_int_equal(h.nseries, 65536);
	assert_int_equal(h.zone_cells[SM_ZONE_ADD], 1 << 19);
	assert_int_equal(h.ring_entries, 64);
	assert_int_equal(sm_lane_count(&h), 2 + 128 * 4);
}

/* Areas follow each other, each on a page, and the last one ends the file. */
static void areas__of_any_wish__do_not_overlap(void **state)
{
	static const struct sm_geometry_wish wishes[] = {
		{ 0 }, { 2, 2, 1, 1, 1024, 1 }, { 4096, 64, 65535, 1 << 20, 1 << 20, 4096 },
		{ 3, 5, 7, 11, 1025, 2 }, { 128, 4, 1024, 1 << 24, 1 << 27, 64 },
	};
	unsigned i, l, s;

	for (i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		struct sm_header h = make(&wishes[i]);
		uint64_t ends[] = {
			h.off_slots,
			h.off_slots + (uint64_t)h.nslots * sizeof(struct sm_slot),
			h.off_pagemaps,
			h.off_pagemaps + (uint64_t)sm_lane_count(&h) * h.pagemap_bytes,
			h.off_index,
			h.off_index + (uint64_t)h.index_entries * 4,
			h.off_families,
			h.off_families + (uint64_t)h.nfamilies * sizeof(struct sm_family_rec),
			h.off_series,
			h.off_series + (uint64_t)h.nseries * sizeof(struct sm_series_rec),
			h.off_strings,
			h.off_strings + h.strings_bytes,
			h.off_exemplars,
			h.off_exemplars + (uint64_t)h.nexemplars * sizeof(struct sm_exemplar_rec),
			h.off_holds,
			h.off_holds + (uint64_t)h.nslots * h.hold_bytes,
			h.off_rings,
			h.off_rings +
				(uint64_t)h.nslots * h.ring_entries * sizeof(struct sm_ring_entry),
			h.off_lanes,
			h.off_lanes + (uint64_t)sm_lane_count(&h) * h.cells * 8,
			h.file_bytes,
		};

		assert_int_equal(check(&h), 0);
		assert_true(h.off_slots >= sizeof(h));
		for (s = 1; s < sizeof(ends) / sizeof(ends[0]); s++)
			assert_true(ends[s] >= ends[s - 1]);
		for (s = 0; s < 20; s += 2)
			assert_true(ends[s] % SM_PAGE == 0);
		assert_true(sm_lane_offset(&h, 0) == h.off_lanes);
		l = sm_lane_number(&h, h.nslots - 1, h.lanes_per_slot - 1);
		assert_int_equal(l, sm_lane_count(&h) - 1);
		assert_true(sm_lane_offset(&h, l) + (uint64_t)h.cells * 8 == h.file_bytes);
		assert_true(sm_pagemap_offset(&h, l) + h.pagemap_bytes <= h.off_index);
		assert_true(h.pagemap_bytes * 8 >= h.cells / (SM_PAGE / 8));
		assert_true(sm_hold_offset(&h, h.nslots - 1) + h.hold_bytes <= h.off_rings);
		assert_true(h.hold_bytes * 8 >= h.nfamilies + h.nseries);
		assert_true(sm_ring_offset(&h, h.nslots - 1, h.ring_entries - 1) +
				    sizeof(struct sm_ring_entry) <=
			    h.off_lanes);
		assert_true(h.index_entries >= 2 * h.nseries &&
			    !(h.index_entries & (h.index_entries - 1)));
	}
}

static void wish__out_of_range__is_named(void **state)
{
	static const struct { struct sm_geometry_wish wish; const char *name;
	} bad[] = {
		{ { .writers = 1 }, "max_writers" },
		{ { .writers = 4097 }, "max_writers" },
		{ { .lanes_per_writer = 1 }, "lanes_per_writer" },
		{ { .lanes_per_writer = 65 }, "lanes_per_writer" },
		{ { .families = 65536 }, "max_families" },
		{ { .series = (1 << 24) + 1 }, "max_series" },
		{ { .cells = 1023 }, "max_cells" },
		{ { .cells = (1u << 27) + 1 }, "max_cells" },
		{ { .ring_entries = 3 }, "ring_entries" },
		{ { .ring_entries = 8192 }, "ring_entries" },
	};
	struct sm_header h;
	struct sm_diag diag;
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(sm_geometry_init(&h, &bad[i].wish, &diag), -EINVAL);
		assert_non_null(strstr(diag.message, bad[i].name));
	}
}

/* Any bit of the geometry: told as damage, for the fingerprint covers it. */
static void bit__of_the_geometry_that_flips__is_damage(void **state)
{
	struct sm_header good = make(&(struct sm_geometry_wish){ 0 }), h;
	size_t first = offsetof(struct sm_header, slot_size),
	       end = offsetof(struct sm_header, fingerprint) + 8, i;

	for (i = first * 8; i < end * 8; i++) {
		h = good;
		((unsigned char *)&h)[i / 8] ^= (unsigned char)(1u << (i % 8));
		assert_int_equal(check(&h), -EBADMSG);
	}
	/* What is not geometry may change. */
	h = good;
	h.minor = 9;
	h.compatible = 77;
	h.families_used = 5;
	h.op = 3;
	assert_int_equal(check(&h), 0);
}

/* The same with a fingerprint that fits: each field's own check stands. Bounded work, no
 * overflow. */
static void field__out_of_range_with_a_good_fingerprint__is_damage(void **state)
{
	static const size_t fields[] = {
		offsetof(struct sm_header, slot_size),
		offsetof(struct sm_header, family_size),
		offsetof(struct sm_header, series_size),
		offsetof(struct sm_header, ring_entry_size),
		offsetof(struct sm_header, exemplar_size),
		offsetof(struct sm_header, nslots),
		offsetof(struct sm_header, lanes_per_slot),
		offsetof(struct sm_header, nfamilies),
		offsetof(struct sm_header, nseries),
		offsetof(struct sm_header, index_entries),
		offsetof(struct sm_header, strings_bytes),
		offsetof(struct sm_header, nexemplars),
		offsetof(struct sm_header, ring_entries),
		offsetof(struct sm_header, cells),
		offsetof(struct sm_header, zone_first),
		offsetof(struct sm_header, zone_first) + 4,
		offsetof(struct sm_header, zone_cells),
		offsetof(struct sm_header, zone_cells) + 8,
		offsetof(struct sm_header, pagemap_bytes),
		offsetof(struct sm_header, hold_bytes),
	};
	static const uint32_t values[] = { 0, 1, 3, 0x7fffffff, 0x80000000, UINT32_MAX - 1,
		UINT32_MAX };
	struct sm_header good = make(&(struct sm_geometry_wish){ 0 }), h;
	unsigned i, k;
	uint32_t old;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		for (k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			h = good;
			memcpy(&old, (char *)&h + fields[i], 4);
			if (old == values[k])
				continue;
			memcpy((char *)&h + fields[i], &values[k], 4);
			h.fingerprint = sm_fingerprint(&h);
			assert_int_equal(check(&h), -EBADMSG);
		}
	for (i = 0; i < 11; i++) {
		h = good;
		((uint64_t *)(void *)&h.off_slots)[i] += SM_PAGE;
		h.fingerprint = sm_fingerprint(&h);
		assert_int_equal(check(&h), -EBADMSG);
	}
}

static void header__of_another_layout__names_both(void **state)
{
	struct sm_header good = make(&(struct sm_geometry_wish){ 0 }), h = good;
	struct sm_diag diag;

	h.major = 7;
	h.minor = 3;
	assert_int_equal(sm_geometry_check(&h, h.file_bytes, "/dev/shm/x", &diag), -EPROTONOSUPPORT);
	assert_non_null(strstr(diag.message, "7.3"));
	assert_non_null(strstr(diag.message, "1.0"));
	h = good;
	h.endian = 0x04030201;
	assert_int_equal(sm_geometry_check(&h, h.file_bytes, "/dev/shm/x", &diag), -EPROTONOSUPPORT);
	h = good;
	h.incompatible = 0x100;
	assert_int_equal(sm_geometry_check(&h, h.file_bytes, "/dev/shm/x", &diag), -EPROTONOSUPPORT);
	assert_non_null(strstr(diag.message, "0x100"));
	h = good;
	h.magic++;
	assert_int_equal(sm_geometry_check(&h, h.file_bytes, "/dev/shm/x", &diag), -EBADMSG);
	h = good;
	h.header_size = 8192;
	assert_int_equal(sm_geometry_check(&h, h.file_bytes, "/dev/shm/x", &diag), -EBADMSG);
}

static void file__shorter_than_its_header_says__is_truncated(void **state)
{
	struct sm_header h = make(&(struct sm_geometry_wish){ 0 });
	struct sm_diag diag;

	assert_int_equal(sm_geometry_check(&h, h.file_bytes - 1, "/dev/shm/x", &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "truncated"));
	assert_non_null(strstr(diag.message, "; stop its writers, then: shardmeter rm --segment=/dev/shm/x --force"));
	assert_int_equal(sm_geometry_check(&h, h.file_bytes + 1, "/dev/shm/x", &diag), 0);
}

static void cells__beside_a_zone__are_told(void **state)
{
	struct sm_header h = make(&(struct sm_geometry_wish){ 0 });
	uint32_t first = h.zone_first[SM_ZONE_SET], n = h.zone_cells[SM_ZONE_SET];

	assert_true(sm_cells_in_zone(&h, SM_ZONE_SET, first + 8, 1));
	assert_true(sm_cells_in_zone(&h, SM_ZONE_SET, first + 1, n - 1));
	assert_false(
		sm_cells_in_zone(&h, SM_ZONE_SET, first, 1)); /* its first is never given out */
	assert_false(sm_cells_in_zone(&h, SM_ZONE_SET, first + 1, n));
	assert_false(sm_cells_in_zone(&h, SM_ZONE_SET, first + n, 1));
	assert_false(sm_cells_in_zone(&h, SM_ZONE_SET, first - 1, 1));
	assert_false(sm_cells_in_zone(&h, SM_ZONE_SET, first + 8, UINT32_MAX));
	assert_false(sm_cells_in_zone(&h, SM_ZONE_SET, UINT64_MAX, UINT64_MAX));
	assert_false(sm_cells_in_zone(&h, SM_ZONE_ADD, 0, 1));
}

static void size_class__is_the_next_power_of_two(void **state)
{
	assert_int_equal(sm_size_class(0), 16);
	assert_int_equal(sm_size_class(16), 16);
	assert_int_equal(sm_size_class(17), 32);
	assert_int_equal(sm_size_class(1024), 1024);
	assert_int_equal(sm_size_class(1025), 2048);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geometry__by_default__is_the_documented_one),
		cmocka_unit_test(areas__of_any_wish__do_not_overlap),
		cmocka_unit_test(wish__out_of_range__is_named),
		cmocka_unit_test(bit__of_the_geometry_that_flips__is_damage),
		cmocka_unit_test(field__out_of_range_with_a_good_fingerprint__is_damage),
		cmocka_unit_test(header__of_another_layout__names_both),
		cmocka_unit_test(file__shorter_than_its_header_says__is_truncated),
		cmocka_unit_test(cells__beside_a_zone__are_told),
		cmocka_unit_test(size_class__is_the_next_power_of_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
