/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.h - one segment file mapped by a writer (or by gc): creating, opening, reserving pages,
 * and the one place where offsets become pointers. Layout below, catalog and slots above.
 *
 * A region keeps no descriptor: every operation that needs one (lock, fallocate) opens the path
 * again and compares device and inode, so a program may close_range() everything.
 */
#ifndef SM_REGION_H
#define SM_REGION_H

#include <stdbool.h>
#include <sys/types.h>

#include "atomics.h"
#include "geometry.h"
#include "layout.h"
#include "paths.h"

struct region {
	char *base;			/* NULL: not open */
	struct sm_header geo;		/* checked copy of the write-once header: use this for geometry */
	struct sm_header *head;		/* the shared one, for the dynamic words */
	dev_t dev;
	ino_t ino;
	bool other_major;		/* region_open() failed on another layout major */
	char path[SM_PATH_MAX];
	/* Of the writer that uses it; nothing to this module. */
	unsigned number;		/* in the rows of lane.h */
	uint32_t slot;			/* good while lanes_claimed(number) */
	void *life;			/* page that holds the life lock; the same */
	struct region *older;		/* the file that was removed before */
};

struct region_options {
	const char *path;
	bool create;
	gid_t group;			/* (gid_t)-1: none */
	unsigned lock_timeout_ms;
	struct sm_geometry_wish wish;
};

/* Open or create, check, map. 0 or -errno as sm_open() lists them. */
int region_open(struct region *r, const struct region_options *o, struct sm_diag *diag);
void region_close(struct region *r);

/* Open the file behind r again: fd, or -ESTALE if the path is gone or another file, or -errno. */
int region_reopen(const struct region *r);

/* Is the path still this file? 0 yes, -ESTALE no. */
int region_current(const struct region *r);

/* Give real memory to [offset, offset + bytes). 0, -ENOSPC or -errno. */
int region_reserve(const struct region *r, int fd, uint64_t offset, uint64_t bytes);

/* The same for cells [cell, cell + n) of a lane: whole pages, remembered in the lane's page map, so a
 * second call costs nothing. fd may be -1: then the file is opened if need be. */
int region_reserve_cells(const struct region *r, int fd, unsigned lane, uint32_t cell, uint32_t n);

/* Give a lane's pages back and clear its page map; the lane then reads as zeros. */
int region_release_lane(const struct region *r, int fd, unsigned lane);

static inline struct sm_slot *region_slot(const struct region *r, uint32_t i)
{
	return (struct sm_slot *)(void *)(r->base + r->geo.off_slots + (uint64_t)i * sizeof(struct sm_slot));
}

static inline struct sm_family_rec *region_family(const struct region *r, uint32_t i)
{
	return (struct sm_family_rec *)(void *)(r->base + r->geo.off_families +
						(uint64_t)i * sizeof(struct sm_family_rec));
}

static inline struct sm_series_rec *region_series(const struct region *r, uint32_t i)
{
	return (struct sm_series_rec *)(void *)(r->base + r->geo.off_series +
						(uint64_t)i * sizeof(struct sm_series_rec));
}

static inline uint32_t *region_index(const struct region *r)
{
	return (uint32_t *)(void *)(r->base + r->geo.off_index);
}

static inline uint64_t *region_lane(const struct region *r, unsigned lane)
{
	return (uint64_t *)(void *)(r->base + sm_lane_offset(&r->geo, lane));
}

static inline uint64_t *region_pagemap(const struct region *r, unsigned lane)
{
	return (uint64_t *)(void *)(r->base + sm_pagemap_offset(&r->geo, lane));
}

static inline bool region_page_reserved(const struct region *r, unsigned lane, uint32_t page)
{
	return load_acquire(&region_pagemap(r, lane)[page / 64]) >> (page % 64) & 1;
}

/* Hold bits: families first, then series. */
static inline uint64_t *region_holds(const struct region *r, unsigned slot)
{
	return (uint64_t *)(void *)(r->base + sm_hold_offset(&r->geo, slot));
}

static inline struct sm_ring_entry *region_ring(const struct region *r, unsigned slot, unsigned i)
{
	return (struct sm_ring_entry *)(void *)(r->base + sm_ring_offset(&r->geo, slot, i));
}

static inline struct sm_exemplar_rec *region_exemplar(const struct region *r, uint32_t i)
{
	return (struct sm_exemplar_rec *)(void *)(r->base + r->geo.off_exemplars +
						  (uint64_t)i * sizeof(struct sm_exemplar_rec));
}

/* The checked accessor for strings and bounds: NULL unless [offset, offset + len) is inside. */
static inline char *region_string(const struct region *r, uint32_t offset, uint32_t len)
{
	if (len > r->geo.strings_bytes || offset > r->geo.strings_bytes - len)
		return NULL;
	return r->base + r->geo.off_strings + offset;
}

#endif
