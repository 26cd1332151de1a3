/* SPDX-License-Identifier: Apache-2.0 */
/*
 * geometry.h - sizes and offsets of a segment: computing them for a new one, checking those of
 * an existing one, finding things by them. Works on a copy of the header, for writers and readers.
 */
#ifndef SM_GEOMETRY_H
#define SM_GEOMETRY_H

#include <shardmeter.h>
#include <stdbool.h>
#include "layout.h"

struct sm_geometry_wish {
	unsigned writers, lanes_per_writer, families, series, cells, ring_entries;	/* 0: default */
};

/* Fill the write-once geometry of h (not magic, ids or state). 0, or -EINVAL with diag. */
int sm_geometry_init(struct sm_header *h, const struct sm_geometry_wish *wish, struct sm_diag *diag);

/*
 * Check a *copied* header of a file of file_bytes: 0; -EPROTONOSUPPORT (other layout or features;
 * message has both versions); -EBADMSG (not a segment or damaged; message says where). path is for
 * the messages.
 */
int sm_geometry_check(const struct sm_header *h, uint64_t file_bytes, const char *path,
		      struct sm_diag *diag);

/* Say what is wrong with the segment at path, and the command that removes it. Returns -EBADMSG. */
int sm_damaged(struct sm_diag *diag, const char *path, const char *what);

/* Hash over exactly the geometry fields. */
uint64_t sm_fingerprint(const struct sm_header *h);

static inline unsigned sm_lane_number(const struct sm_header *h, unsigned slot, unsigned lane)
{
	return 2 + slot * h->lanes_per_slot + lane;
}

static inline unsigned sm_lane_count(const struct sm_header *h)
{
	return 2 + h->nslots * h->lanes_per_slot;
}

static inline uint64_t sm_lane_offset(const struct sm_header *h, unsigned lane)
{
	return h->off_lanes + (uint64_t)lane * h->cells * 8;
}

static inline uint64_t sm_pagemap_offset(const struct sm_header *h, unsigned lane)
{
	return h->off_pagemaps + (uint64_t)lane * h->pagemap_bytes;
}

static inline uint64_t sm_hold_offset(const struct sm_header *h, unsigned slot)
{
	return h->off_holds + (uint64_t)slot * h->hold_bytes;
}

static inline uint64_t sm_ring_offset(const struct sm_header *h, unsigned slot, unsigned entry)
{
	return h->off_rings + ((uint64_t)slot * h->ring_entries + entry) * h->ring_entry_size;
}

/* Is [cell, cell + n) inside one zone, and is it this one? */
static inline bool sm_cells_in_zone(const struct sm_header *h, unsigned zone, uint64_t cell, uint64_t n)
{
	return cell > h->zone_first[zone] && n <= h->zone_cells[zone] &&
	       cell - h->zone_first[zone] <= h->zone_cells[zone] - n;
}

/* Size class of a string block: a power of two, at least 16. */
static inline uint32_t sm_size_class(uint32_t bytes)
{
	uint32_t c = 16;

	while (c < bytes)
		c <<= 1;
	return c;
}

#endif
