/* SPDX-License-Identifier: Apache-2.0 */
/*
 * size.c - sm_size_predict(): how much tmpfs a segment of some shape takes. The formula, with its
 * reasons, stands in docs/sizing.md; tests/unit/test_size.c compares it with real segments.
 */
#include <shardmeter_reader.h>

#include "geometry.h"

#define DEFAULT_LANES_USED \
	3 /* a writer with two threads that count: one lane each, and the shared one */
#define DEFAULT_BOUNDS		11
#define DEFAULT_LABEL_BYTES	32
#define GRID_BOUNDS		241	/* seconds: 8 a doubling from 2^-20 to 2^10 */
#define SERIES_PER_FAMILY	10
#define FAMILY_TEXT		512	/* name, help, label names, bounds, as size classes */
#define FIRST_CELL		8	/* of each zone; those before it are not given out */

static uint64_t pages(uint64_t bytes)
{
	return (bytes + SM_PAGE - 1) / SM_PAGE * SM_PAGE;
}

static uint32_t at_least(uint64_t want, uint32_t most)
{
	return want > most ? most : (uint32_t)want;
}

uint64_t sm_size_predict(const struct sm_size_question *q)
{
	uint64_t series = (uint64_t)q->counters + q->gauges + q->histograms, families, add, set,
		 bytes;
	uint64_t buckets = (uint64_t)(q->bounds ? q->bounds : DEFAULT_BOUNDS) +
			   (q->grid ? GRID_BOUNDS : 0) + 1;
	uint64_t lanes = q->lanes_used ? q->lanes_used : DEFAULT_LANES_USED;
	uint32_t label_bytes = q->label_bytes ? q->label_bytes : DEFAULT_LABEL_BYTES;
	struct sm_geometry_wish wish = { 0 };
	struct sm_header h = { 0 };

	families = (series + SERIES_PER_FAMILY - 1) / SERIES_PER_FAMILY;
	add = q->counters + q->histograms * (buckets + 1) + FIRST_CELL;
	set = (uint64_t)q->gauges + FIRST_CELL;
	/* The defaults, larger only where they would not do. */
	sm_geometry_init(&h, &wish, NULL);
	if (q->writers >= h.nslots)
		wish.writers = at_least((uint64_t)q->writers + 1, SM_MAX_SLOTS);
	if (families > h.nfamilies)
		wish.families = at_least(families, SM_MAX_FAMILIES);
	if (series > h.nseries)
		wish.series = at_least(series, SM_MAX_SERIES);
	if (add > h.zone_cells[SM_ZONE_ADD])
		wish.cells = at_least(add, SM_MAX_CELLS / 2);
	sm_geometry_init(&h, &wish, NULL);

	bytes = h.off_families + h.hold_bytes; /* at creation, with the common writer's hold bits */
	bytes += pages(families * sizeof(struct sm_family_rec)) +
		 pages(series * sizeof(struct sm_series_rec));
	bytes += pages(families * FAMILY_TEXT + series * sm_size_class(label_bytes + 1));
	bytes += q->writers * (h.hold_bytes + pages((uint64_t)h.ring_entries * h.ring_entry_size));
	/* Two retired lanes and those of the writers; set gauges only in a writer's shared lane. */
	bytes += (2 + q->writers * lanes) * pages(add * 8);
	if (q->gauges)
		bytes += q->writers * pages(set * 8);
	return bytes;
}
