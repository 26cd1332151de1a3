/* SPDX-License-Identifier: Apache-2.0 */
/*
 * geometry.c - see geometry.h.
 *
 * The creator's sizes win: whoever opens a segment uses the sizes in its header, never those of
 * its own build, and the fingerprint covers exactly those write-once fields. A check never
 * multiplies two unchecked numbers.
 */
#include "geometry.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "hash.h"

#define CELLS_PER_PAGE	(SM_PAGE / 8)

/* Defaults: see docs/sizing.md. Nothing here costs memory until it is used. */
#define DEFAULT_WRITERS		128u
#define DEFAULT_LANES		4u
#define DEFAULT_FAMILIES	1024u
#define DEFAULT_SERIES		65536u
#define DEFAULT_CELLS		(1u << 19)
#define DEFAULT_RING		64u

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

uint64_t sm_fingerprint(const struct sm_header *h)
{
	const char *first = (const char *)h + offsetof(struct sm_header, slot_size);

	return sm_hash_bytes(SM_LAYOUT_MAJOR, first,
			     offsetof(struct sm_header, fingerprint) - offsetof(struct sm_header, slot_size));
}

static int out_of_range(struct sm_diag *diag, const char *what, unsigned have, unsigned lo, unsigned hi)
{
	return sm_diag_set(diag, -EINVAL, "option %s is %u; it must be %u to %u", what, have, lo, hi);
}

static void place_areas(struct sm_header *h)
{
	uint64_t at = SM_PAGE;

	h->off_slots = at;
	at = round_up(at + (uint64_t)h->nslots * h->slot_size, SM_PAGE);
	h->off_pagemaps = at;
	at = round_up(at + (uint64_t)sm_lane_count(h) * h->pagemap_bytes, SM_PAGE);
	h->off_index = at;
	at = round_up(at + (uint64_t)h->index_entries * 4, SM_PAGE);
	h->off_families = at;
	at = round_up(at + (uint64_t)h->nfamilies * h->family_size, SM_PAGE);
	h->off_series = at;
	at = round_up(at + (uint64_t)h->nseries * h->series_size, SM_PAGE);
	h->off_strings = at;
	at = round_up(at + h->strings_bytes, SM_PAGE);
	h->off_exemplars = at;
	at = round_up(at + (uint64_t)h->nexemplars * h->exemplar_size, SM_PAGE);
	h->off_holds = at;
	at = round_up(at + (uint64_t)h->nslots * h->hold_bytes, SM_PAGE);
	h->off_rings = at;
	at = round_up(at + (uint64_t)h->nslots * h->ring_entries * h->ring_entry_size, SM_PAGE);
	h->off_lanes = at;
	h->file_bytes = at + (uint64_t)sm_lane_count(h) * h->cells * 8;
}

int sm_geometry_init(struct sm_header *h, const struct sm_geometry_wish *wish, struct sm_diag *diag)
{
	unsigned writers = wish->writers ? wish->writers : DEFAULT_WRITERS;
	unsigned lanes = wish->lanes_per_writer ? wish->lanes_per_writer : DEFAULT_LANES;
	unsigned families = wish->families ? wish->families : DEFAULT_FAMILIES;
	unsigned series = wish->series ? wish->series : DEFAULT_SERIES;
	unsigned cells = wish->cells ? wish->cells : DEFAULT_CELLS;
	unsigned ring = wish->ring_entries ? wish->ring_entries : DEFAULT_RING;
	uint32_t small;

	if (writers < 2 || writers > SM_MAX_SLOTS)
		return out_of_range(diag, "max_writers", writers, 2, SM_MAX_SLOTS);
	if (lanes < 2 || lanes > SM_MAX_LANES_PER_SLOT)
		return out_of_range(diag, "lanes_per_writer", lanes, 2, SM_MAX_LANES_PER_SLOT);
	if (families > SM_MAX_FAMILIES)
		return out_of_range(diag, "max_families", families, 1, SM_MAX_FAMILIES);
	if (series > SM_MAX_SERIES)
		return out_of_range(diag, "max_series", series, 1, SM_MAX_SERIES);
	if (cells < 1024 || cells > SM_MAX_CELLS / 2)
		return out_of_range(diag, "max_cells", cells, 1024, SM_MAX_CELLS / 2);
	if (ring > SM_MAX_RING_ENTRIES || (ring & (ring - 1)))
		return sm_diag_set(diag, -EINVAL, "option ring_entries is %u; it must be a power of two up to %u",
				   ring, SM_MAX_RING_ENTRIES);

	h->slot_size = sizeof(struct sm_slot);
	h->family_size = sizeof(struct sm_family_rec);
	h->series_size = sizeof(struct sm_series_rec);
	h->ring_entry_size = sizeof(struct sm_ring_entry);
	h->exemplar_size = sizeof(struct sm_exemplar_rec);
	h->nslots = writers;
	h->lanes_per_slot = lanes;
	h->nfamilies = families;
	h->nseries = series;
	for (h->index_entries = 16; h->index_entries < 2 * series; h->index_entries *= 2)
		;
	h->ring_entries = ring;
	/* Strings: 64 bytes of label values a series and 512 a family are ample. */
	h->strings_bytes = (uint32_t)round_up((uint64_t)series * 64 + (uint64_t)families * 512, SM_PAGE);
	h->nexemplars = series / 8 < 64 ? 64 : series / 8 > SM_MAX_EXEMPLARS ? SM_MAX_EXEMPLARS : series / 8;
	/* A gauge takes one or three cells, an up-down gauge one. */
	small = (uint32_t)round_up(series < 512 ? 512 : series, CELLS_PER_PAGE);
	h->zone_cells[SM_ZONE_ADD] = (uint32_t)round_up(cells, CELLS_PER_PAGE);
	h->zone_cells[SM_ZONE_SET] = small;
	h->zone_cells[SM_ZONE_LIVE] = small;
	h->zone_first[SM_ZONE_ADD] = 0;
	h->zone_first[SM_ZONE_SET] = h->zone_cells[SM_ZONE_ADD];
	h->zone_first[SM_ZONE_LIVE] = h->zone_first[SM_ZONE_SET] + small;
	h->cells = h->zone_first[SM_ZONE_LIVE] + small;
	h->pagemap_bytes = (uint32_t)round_up(h->cells / CELLS_PER_PAGE, 64) / 8;
	h->hold_bytes = (uint32_t)round_up((families + series + 7) / 8, SM_PAGE);
	place_areas(h);
	h->fingerprint = sm_fingerprint(h);
	return 0;
}

int sm_damaged(struct sm_diag *diag, const char *path, const char *what)
{
	/* A path that is cut would name another file. */
	return sm_diag_set(diag, -EBADMSG, "%.160s: %.120s; stop its writers, then: shardmeter rm --segment=%s --force",
			   path, what, strlen(path) <= 160 ? path : "PATH");
}

static int damaged(struct sm_diag *diag, const char *path, const char *what, uint64_t have)
{
	char text[120];

	snprintf(text, sizeof(text), "damaged header, or one of another build: %s is %llu", what,
		 (unsigned long long)have);
	return sm_damaged(diag, path, text);
}

static int check_identity(const struct sm_header *h, const char *path, struct sm_diag *diag)
{
	if (h->magic != SM_MAGIC)
		return sm_diag_set(diag, -EBADMSG, "%.160s: not a shardmeter segment (magic 0x%016llx); use another name or path",
				   path, (unsigned long long)h->magic);
	if (h->endian != SM_ENDIAN_TAG)
		return sm_diag_set(diag, -EPROTONOSUPPORT,
				   "%.160s: written on a machine of the other byte order (tag 0x%08x)", path, h->endian);
	if (h->major != SM_LAYOUT_MAJOR)
		return sm_diag_set(diag, -EPROTONOSUPPORT,
				   "%.160s: segment layout %u.%u, this program reads %d.%d; use programs of one release",
				   path, h->major, h->minor, SM_LAYOUT_MAJOR, SM_LAYOUT_MINOR);
	if (h->incompatible & ~SM_FEATURE_INCOMPATIBLE)
		return sm_diag_set(diag, -EPROTONOSUPPORT,
				   "%.160s: segment layout %u.%u needs features 0x%x that this program (%d.%d) lacks",
				   path, h->major, h->minor, h->incompatible, SM_LAYOUT_MAJOR, SM_LAYOUT_MINOR);
	if (h->header_size != sizeof(*h))
		return damaged(diag, path, "header_size", h->header_size);
	if (h->fingerprint != sm_fingerprint(h))
		return damaged(diag, path, "the geometry's fingerprint", h->fingerprint);
	return 0;
}

static int check_counts(const struct sm_header *h, const char *path, struct sm_diag *diag)
{
	if (h->slot_size != sizeof(struct sm_slot))
		return damaged(diag, path, "slot_size", h->slot_size);
	if (h->family_size != sizeof(struct sm_family_rec))
		return damaged(diag, path, "family_size", h->family_size);
	if (h->series_size != sizeof(struct sm_series_rec))
		return damaged(diag, path, "series_size", h->series_size);
	if (h->ring_entry_size != sizeof(struct sm_ring_entry))
		return damaged(diag, path, "ring_entry_size", h->ring_entry_size);
	if (h->exemplar_size != sizeof(struct sm_exemplar_rec))
		return damaged(diag, path, "exemplar_size", h->exemplar_size);
	if (h->nslots < 2 || h->nslots > SM_MAX_SLOTS)
		return damaged(diag, path, "nslots", h->nslots);
	if (h->lanes_per_slot < 2 || h->lanes_per_slot > SM_MAX_LANES_PER_SLOT)
		return damaged(diag, path, "lanes_per_slot", h->lanes_per_slot);
	if (!h->nfamilies || h->nfamilies > SM_MAX_FAMILIES)
		return damaged(diag, path, "nfamilies", h->nfamilies);
	if (!h->nseries || h->nseries > SM_MAX_SERIES)
		return damaged(diag, path, "nseries", h->nseries);
	if (h->index_entries < 2 * h->nseries || h->index_entries > 4 * SM_MAX_SERIES ||
	    (h->index_entries & (h->index_entries - 1)))
		return damaged(diag, path, "index_entries", h->index_entries);
	if (!h->strings_bytes || h->strings_bytes > 2 * SM_MAX_STRINGS || h->strings_bytes % SM_PAGE)
		return damaged(diag, path, "strings_bytes", h->strings_bytes);
	if (h->nexemplars > SM_MAX_EXEMPLARS)
		return damaged(diag, path, "nexemplars", h->nexemplars);
	if (!h->ring_entries || h->ring_entries > SM_MAX_RING_ENTRIES ||
	    (h->ring_entries & (h->ring_entries - 1)))
		return damaged(diag, path, "ring_entries", h->ring_entries);
	return 0;
}

static int check_cells(const struct sm_header *h, const char *path, struct sm_diag *diag)
{
	uint64_t next = 0;
	unsigned z;

	if (!h->cells || h->cells > SM_MAX_CELLS || h->cells % CELLS_PER_PAGE)
		return damaged(diag, path, "cells", h->cells);
	for (z = 0; z < SM_ZONES; z++) {
		if (h->zone_first[z] != next || !h->zone_cells[z] || h->zone_cells[z] % CELLS_PER_PAGE)
			return damaged(diag, path, "a cell zone", h->zone_first[z]);
		next += h->zone_cells[z];
	}
	if (next != h->cells)
		return damaged(diag, path, "the sum of the cell zones", next);
	if (h->pagemap_bytes % 8 || h->pagemap_bytes < h->cells / CELLS_PER_PAGE / 8 ||
	    h->pagemap_bytes > SM_MAX_CELLS / CELLS_PER_PAGE / 8)
		return damaged(diag, path, "pagemap_bytes", h->pagemap_bytes);
	if (h->hold_bytes % SM_PAGE || h->hold_bytes < (h->nfamilies + h->nseries) / 8 ||
	    h->hold_bytes > (SM_MAX_FAMILIES + SM_MAX_SERIES) / 8 + SM_PAGE)
		return damaged(diag, path, "hold_bytes", h->hold_bytes);
	return 0;
}

int sm_geometry_check(const struct sm_header *h, uint64_t file_bytes, const char *path,
		      struct sm_diag *diag)
{
	struct sm_header expect;
	char text[120];
	int rc;

	rc = check_identity(h, path, diag);
	if (!rc)
		rc = check_counts(h, path, diag);
	if (!rc)
		rc = check_cells(h, path, diag);
	if (rc)
		return rc;
	/* The areas follow from the counts: any other offset is damage. */
	expect = *h;
	place_areas(&expect);
	if (sm_fingerprint(&expect) != h->fingerprint)
		return damaged(diag, path, "an area's offset", h->off_lanes);
	if (h->file_bytes > file_bytes) {
		snprintf(text, sizeof(text), "truncated: %llu bytes, the header says %llu",
			 (unsigned long long)file_bytes, (unsigned long long)h->file_bytes);
		return sm_damaged(diag, path, text);
	}
	return 0;
}
