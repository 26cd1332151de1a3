/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_lanes.c - sm_check(): page maps, cells, hold bits, rings and exemplars.
 *
 * Which pages of the lanes hold anything is asked of the file system (SEEK_DATA), not of the page
 * maps: data that its lane's map does not know of is what readers miss.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "utf8.h"

#define CELLS_PER_PAGE	(SM_PAGE / 8)

static bool bit(const uint64_t *map, uint64_t i)
{
	return map[i / 64] >> (i % 64) & 1;
}

/* "retired lane 1", "slot 3 lane 0" */
static const char *lane_name(const struct check *c, unsigned lane, char ret_name[48])
{
	unsigned per = c->r->geo.lanes_per_slot;

	if (lane < 2)
		snprintf(ret_name, 48, "retired lane %u", lane);
	else
		snprintf(ret_name, 48, "slot %u lane %u", (lane - 2) / per, (lane - 2) % per);
	return ret_name;
}

static int read_map(struct check *c, unsigned lane)
{
	c->error = sm_reader_pread(c->r, c->r->pagemaps, c->r->geo.pagemap_bytes,
				   sm_pagemap_offset(&c->r->geo, lane), NULL);
	return c->error;
}

/* ---- page maps ----------------------------------------------------------------------------- */

static void check_map(struct check *c, unsigned lane)
{
	const struct sm_header *geo = &c->r->geo;
	uint32_t pages = geo->cells / CELLS_PER_PAGE,
		 slot = lane < 2 ? 0 : (lane - 2) / geo->lanes_per_slot, w, p;
	const uint64_t *map = c->r->pagemaps;
	bool any = false;
	char name[48];

	/* Most lanes of most segments have nothing: look at whole words. */
	for (w = 0; w < geo->pagemap_bytes / 8; w++) {
		if (!map[w])
			continue;
		any = true;
		p = w * 64 + 63 - (uint32_t)__builtin_clzll(map[w]);
		if (p >= pages) {
			sm_check_found(c, "%s: its page map names page %u of %u",
				       lane_name(c, lane, name), p, pages);
			return;
		}
	}
	if (any && lane >= 2 && c->slots[slot].state == SM_SLOT_FREE)
		sm_check_found(c, "%s: has memory, but the slot is free", lane_name(c, lane, name));
}

/* Counts of dead writers must find room: a fold that cannot would lose them. */
static void check_retired(struct check *c, unsigned lane)
{
	const struct sm_series_rec *s;
	uint32_t i;

	for (i = 0; i < c->nseries; i++) {
		s = &c->series[i];
		if (s->state != SM_REC_LIVE || s->zone != SM_ZONE_ADD || !s->ncells ||
		    s->cell[0] >= c->r->geo.cells)
			continue;
		if (!bit(c->r->pagemaps, s->cell[0] / CELLS_PER_PAGE)) {
			sm_check_found(
				c,
				"retired lane %u: no memory for page %u, where series %u has cells",
				lane, s->cell[0] / CELLS_PER_PAGE, i);
			return;
		}
	}
}

void sm_check_pagemaps(struct check *c)
{
	unsigned lane, n = sm_lane_count(&c->r->geo);

	for (lane = 0; lane < n && !read_map(c, lane); lane++) {
		check_map(c, lane);
		if (lane < 2)
			check_retired(c, lane);
	}
}

/* ---- cells --------------------------------------------------------------------------------- */

static unsigned zone_of(const struct sm_header *geo, uint32_t cell)
{
	return cell < geo->zone_first[SM_ZONE_SET]    ? SM_ZONE_ADD
	       : cell < geo->zone_first[SM_ZONE_LIVE] ? SM_ZONE_SET
						      : SM_ZONE_LIVE;
}

static bool state_wrong(const struct check *c, uint32_t cell, uint64_t v)
{
	return cell < c->h.cells_used[SM_ZONE_SET] && c->most[cell] && v > c->most[cell];
}

/* Do readers look for counts in this lane? See sm_slot.written. */
static bool is_read(const struct check *c, unsigned lane)
{
	unsigned per = c->r->geo.lanes_per_slot;
	const struct sm_slot *s;

	if (lane < 2)
		return true;
	s = &c->slots[(lane - 2) / per];
	return s->state == SM_SLOT_COMMON || (s->written >> ((lane - 2) % per) & 1);
}

/* One page of a lane that has data. False: enough was said of this lane. */
static bool check_page(struct check *c, unsigned lane, uint32_t page)
{
	const struct sm_header *geo = &c->r->geo;
	unsigned zone = zone_of(geo, page * CELLS_PER_PAGE);
	bool shared = lane < 2 || (lane - 2) % geo->lanes_per_slot == 0;
	const uint64_t *cells = c->r->chunk;
	char name[48];
	uint32_t i, cell;

	c->error = sm_reader_pread(c->r, c->r->chunk, SM_PAGE,
				   sm_lane_offset(geo, lane) + (uint64_t)page * SM_PAGE, NULL);
	if (c->error)
		return false;
	for (i = 0; i < CELLS_PER_PAGE && !cells[i]; i++)
		;
	if (i == CELLS_PER_PAGE)
		return true;
	if (!bit(c->r->pagemaps, page)) {
		sm_check_found(c, "%s: page %u holds counts, but its page map does not say so",
			       lane_name(c, lane, name), page);
		return false;
	}
	if (zone != SM_ZONE_SET && !is_read(c, lane)) {
		sm_check_found(c, "%s: holds counts, but its slot does not say so: readers pass it over",
			       lane_name(c, lane, name));
		return false;
	}
	if (zone == SM_ZONE_SET && !shared) {
		sm_check_found(c, "%s: set gauges outside the shared lane",
			       lane_name(c, lane, name));
		return false;
	}
	for (; i < CELLS_PER_PAGE; i++) {
		cell = page * CELLS_PER_PAGE + i;
		if (cells[i] && !bit(c->owned, cell)) {
			sm_check_found(c, "%s: cell %u holds something, but belongs to no series",
				       lane_name(c, lane, name), cell);
			return false;
		}
		if (zone == SM_ZONE_SET && state_wrong(c, cell - geo->zone_first[zone], cells[i])) {
			sm_check_found(c, "%s: cell %u holds %llu, of %u states",
				       lane_name(c, lane, name), cell, (unsigned long long)cells[i],
				       c->most[cell - geo->zone_first[zone]]);
			return false;
		}
	}
	return true;
}

static void check_lane(struct check *c, unsigned lane)
{
	const struct sm_header *geo = &c->r->geo;
	uint64_t begin = sm_lane_offset(geo, lane), end = begin + (uint64_t)geo->cells * 8;
	off_t data = (off_t)begin, hole;
	bool go_on = true;

	while (go_on && !c->error) {
		data = lseek(c->r->fd, data, SEEK_DATA);
		if (data < 0 || (uint64_t)data >= end)
			return;
		hole = lseek(c->r->fd, data, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole > end)
			hole = (off_t)end;
		for (; go_on && data < hole; data += SM_PAGE)
			go_on = check_page(c, lane, (uint32_t)(((uint64_t)data - begin) / SM_PAGE));
	}
}

/* Largest value that each cell of the SET zone may hold: 1 for info, the number of states for state
 * sets; 0 means anything. */
static void limit_states(struct check *c)
{
	const struct sm_header *geo = &c->r->geo;
	const struct sm_series_rec *s;
	uint32_t i, n = c->h.cells_used[SM_ZONE_SET], cell;

	c->most = sm_check_alloc(c, (size_t)n + 1);
	if (!c->most)
		return;
	memset(c->most, 0, (size_t)n + 1);
	for (i = 0; i < c->nseries; i++) {
		s = &c->series[i];
		if (s->state != SM_REC_LIVE || s->family >= c->nfamilies ||
		    s->cell[0] < geo->zone_first[SM_ZONE_SET])
			continue;
		cell = s->cell[0] - geo->zone_first[SM_ZONE_SET];
		if (cell < n && c->info[s->family].kind == SM_INFO)
			c->most[cell] = 1;
		else if (cell < n && c->info[s->family].kind == SM_STATESET)
			c->most[cell] = (uint8_t)c->info[s->family].nstates;
	}
}

void sm_check_cells(struct check *c)
{
	unsigned lane, n = sm_lane_count(&c->r->geo);

	limit_states(c);
	for (lane = 0; !c->error && lane < n && !read_map(c, lane); lane++)
		check_lane(c, lane);
}

/* ---- hold bits ----------------------------------------------------------------------------- */

/* Do the bits [first, first + n) in map hold something that is not there? */
static bool check_hold_bits(struct check *c, uint32_t slot, const uint64_t *map, uint32_t first,
			    uint32_t n)
{
	const struct sm_header *geo = &c->r->geo;
	uint32_t i, at;
	bool family;

	for (i = 0; i < n; i++) {
		if (!map[i / 64]) {
			i |= 63;
			continue;
		}
		at = first + i;
		family = at < geo->nfamilies;
		if (!bit(map, i) || (family ? at < c->nfamilies : at - geo->nfamilies < c->nseries))
			continue;
		sm_check_found(c, "slot %u: holds %s %u, which does not exist", slot,
			       family ? "family" : "series", family ? at : at - geo->nfamilies);
		return true;
	}
	return false;
}

void sm_check_holds(struct check *c)
{
	const struct sm_header *geo = &c->r->geo;
	uint32_t slot, at, n;

	for (slot = 1; slot < geo->nslots; slot++) {
		if (c->slots[slot].state != SM_SLOT_LIVE)
			continue;
		for (at = 0; at < geo->hold_bytes; at += n) {
			n = geo->hold_bytes - at < READER_CHUNK ? geo->hold_bytes - at
								: READER_CHUNK;
			c->error = sm_reader_pread(c->r, c->r->chunk, n,
						   sm_hold_offset(geo, slot) + at, NULL);
			if (c->error)
				return;
			if (check_hold_bits(c, slot, c->r->chunk, at * 8, n * 8))
				break;
		}
	}
}

/* ---- rings --------------------------------------------------------------------------------- */

static bool text_ok(const char *p, size_t size)
{
	return sm_utf8_valid(p, strnlen(p, size));
}

static void check_entry(struct check *c, uint32_t slot, uint32_t i, const struct sm_ring_entry *e)
{
	uint64_t number = e->seq / 2 - 1;

	if (!e->seq || (e->seq & 1))
		return;		/* empty, or being written, or its writer died in it */
	if ((number & (c->r->geo.ring_entries - 1)) != i || number >= c->slots[slot].ring_head)
		sm_check_found(c, "slot %u ring entry %u: holds number %llu, of %llu", slot, i,
			       (unsigned long long)number,
			       (unsigned long long)c->slots[slot].ring_head);
	if (e->ncheckpoints > 16)
		sm_check_found(c, "slot %u ring entry %u: %u checkpoints", slot, i,
			       e->ncheckpoints);
	if (e->attributes_len > sizeof(e->attributes) ||
	    (e->attributes_len && e->attributes[e->attributes_len - 1]))
		sm_check_found(c, "slot %u ring entry %u: its attributes are not terminated", slot,
			       i);
	if (!text_ok(e->operation, sizeof(e->operation)) || !text_ok(e->status, sizeof(e->status)))
		sm_check_found(c, "slot %u ring entry %u: operation or status is not UTF-8", slot,
			       i);
	if (e->incarnation > c->slots[slot].incarnation)
		sm_check_found(c,
			       "slot %u ring entry %u: of incarnation %llu, which is yet to come",
			       slot, i, (unsigned long long)e->incarnation);
}

void sm_check_rings(struct check *c)
{
	const struct sm_header *geo = &c->r->geo;
	struct sm_ring_entry e;
	uint32_t slot, i;

	for (slot = 0; slot < geo->nslots; slot++) {
		if (c->slots[slot].state != SM_SLOT_LIVE)
			continue;
		for (i = 0; i < geo->ring_entries && !c->error; i++) {
			c->error = sm_reader_pread(c->r, &e, sizeof(e),
						   sm_ring_offset(geo, slot, i), NULL);
			if (!c->error)
				check_entry(c, slot, i, &e);
		}
	}
}

/* ---- exemplars ----------------------------------------------------------------------------- */

static bool labels_ok(const struct sm_exemplar_rec *e)
{
	uint32_t i, texts = 0;

	if (e->text_len > sizeof(e->labels) || (e->text_len && e->labels[e->text_len - 1]))
		return false;
	for (i = 0; i < e->text_len; i++)
		texts += e->labels[i] == '\0';
	for (i = 0; i < e->text_len; i += (uint32_t)strlen(e->labels + i) + 1)
		if (!sm_utf8_valid(e->labels + i, strlen(e->labels + i)))
			return false;
	return texts % 2 == 0;
}

void sm_check_exemplars(struct check *c)
{
	struct sm_exemplar_rec e;
	uint32_t i;

	for (i = 0; i < c->h.exemplars_used && !c->error; i++) {
		c->error = sm_reader_pread(c->r, &e, sizeof(e),
					   c->r->geo.off_exemplars + (uint64_t)i * sizeof(e), NULL);
		if (!c->error && !(e.seq & 1) && !labels_ok(&e))
			sm_check_found(c, "exemplar %u: its labels are damaged", i);
	}
}
