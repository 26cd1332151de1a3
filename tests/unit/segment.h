/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment.h - a writer on a segment of its own, for unit tests of what writes cells. The values
 * are read through the writer's own mapping: what readers make of them is tested with the reader.
 */
#ifndef TEST_SEGMENT_H
#define TEST_SEGMENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lane.h"
#include "metric.h"
#include "writer.h"

struct segment {
	char dir[64];
	char path[96];
	struct sm *m;
};

/* One test's segment; small, so that many fit. */
static struct segment segment;

__attribute__((unused)) static void segment_open_as(const char *writer, unsigned flags)
{
	struct sm_options o = {
		.segment = segment.path, .writer = writer, .flags = flags,
		.max_writers = 8, .lanes_per_writer = 4, .max_families = 64, .max_series = 1024,
		.max_cells = 1 << 16, .ring_entries = 8,
	};
	struct sm_diag diag;

	segment.m = sm_open(&o, &diag);
	if (diag.error)
		fail_msg("sm_open: %s", diag.message);
}

__attribute__((unused)) static int segment_set_up(void **state)
{
	(void)state;
	strcpy(segment.dir, "/dev/shm/shardmeter-test-XXXXXX");
	if (!mkdtemp(segment.dir))
		return -1;
	snprintf(segment.path, sizeof(segment.path), "%s/segment", segment.dir);
	segment_open_as("unit", 0);
	return 0;
}

__attribute__((unused)) static int segment_tear_down(void **state)
{
	(void)state;
	sm_close(segment.m);
	unlink(segment.path);
	return rmdir(segment.dir);
}

#define segment_test(f) cmocka_unit_test_setup_teardown(f, segment_set_up, segment_tear_down)

__attribute__((unused)) static struct sm_family *declare(const struct sm_family_options *o)
{
	struct sm_diag diag;
	struct sm_family *f = sm_declare(segment.m, o, &diag);

	if (diag.error)
		fail_msg("sm_declare: %s", diag.message);
	return f;
}

/* Where a public handle writes. */
__attribute__((unused)) static sm_where_ place_of(const void *handle)
{
	return handle_of(handle)->place;
}

/* Cell i of a handle in lane l of the writer's slot. */
__attribute__((unused)) static uint64_t *lane_word(const void *handle, unsigned l, unsigned i)
{
	const struct region *r = segment.m->region;

	return region_lane(r, sm_lane_number(&r->geo, segment.m->slot, l)) +
	       WHERE_BYTE(place_of(handle)) / 8 + i;
}

/* The sum over the slot's lanes. */
__attribute__((unused)) static uint64_t cell_sum(const void *handle, unsigned i)
{
	const struct region *r = segment.m->region;
	uint32_t cell = WHERE_BYTE(place_of(handle)) / 8 + i;
	uint64_t sum = 0;
	unsigned l, lane;

	for (l = 0; l < r->geo.lanes_per_slot; l++) {
		lane = sm_lane_number(&r->geo, segment.m->slot, l);
		if (region_page_reserved(r, lane, cell / (SM_PAGE / 8)))
			sum += region_lane(r, lane)[cell];
	}
	return sum;
}

__attribute__((unused)) static uint64_t refused(unsigned reason)
{
	return load_relaxed(&writer_slot(segment.m)->refused[reason]);
}

#endif
