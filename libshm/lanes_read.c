/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes_read.c - reading lanes: which pages, and how their cells are put together.
 *
 * Only pages whose bit is set in the lane's page map are read (the others are holes), and of them
 * only what the catalog's marks cover; neighbouring pages in one system call. Cells of the ADD and
 * LIVE zones are added vertically as 64-bit integers, in stretches between the few cells that
 * are something else (catalog_read.h: struct special): sums, whose carries are counted so that the
 * total has 128 bits, and doubles, which are added as doubles in the order of the lanes. Lanes that
 * are prepared but that nobody has counted in (sm_slot.written) are passed over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "snapshot.h"

#if defined(__GNUC__) && !defined(__clang__)
#define VECTORISE __attribute__((optimize("O3")))
#else
#define VECTORISE
#endif

static VECTORISE void add_cells_plain(uint64_t *restrict to, const uint64_t *restrict from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] += from[i];
}

#if defined(__x86_64__)
/* The same four at a time where the processor can: 7 % of a large snapshot. */
static VECTORISE __attribute__((target("avx2")))
void add_cells_avx2(uint64_t *restrict to, const uint64_t *restrict from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] += from[i];
}

static void add_cells(uint64_t *restrict to, const uint64_t *restrict from, size_t n)
{
	if (__builtin_cpu_supports("avx2"))
		add_cells_avx2(to, from, n);
	else
		add_cells_plain(to, from, n);
}
#else
#define add_cells add_cells_plain
#endif

static uint64_t add_doubles(uint64_t a, uint64_t b)
{
	double x, y;

	memcpy(&x, &a, sizeof(x));
	memcpy(&y, &b, sizeof(y));
	x += y;
	memcpy(&a, &x, sizeof(a));
	return a;
}

static int count_carry(struct column *c, const uint64_t *cell, int32_t by)
{
	if (!c->carry) {
		c->carry = calloc(c->nv, sizeof(*c->carry));
		if (!c->carry)
			return -ENOMEM;
	}
	c->carry[cell - c->v] += by;
	return 0;
}

static int add_special(struct column *c, uint64_t *to, uint64_t v, uint32_t kind)
{
	uint64_t old = *to;
	int32_t carry;

	if (kind == SPECIAL_DOUBLE || kind == SPECIAL_DOUBLE_SIGNED) {
		*to = add_doubles(old, v);
		return 0;
	}
	*to = old + v;
	carry = *to < old;
	if (kind == SPECIAL_SUM_SIGNED && v >> 63)
		carry--;
	return carry ? count_carry(c, to, carry) : 0;
}

/* Add n cells, of which `cell` is the number of the first, to those at `to` in column c. */
static int add_run(const struct sm_catalog *cat, unsigned zone, struct column *c, uint64_t *to,
		   const uint64_t *from, uint32_t cell, uint32_t n)
{
	size_t s = zone == SM_ZONE_ADD ? sm_catalog_special_from(cat, cell) : cat->nspecials;
	uint32_t done = 0, at;
	int rc;

	for (; s < cat->nspecials && cat->special[s].cell - cell < n; s++) {
		at = cat->special[s].cell - cell;
		add_cells(to + done, from + done, at - done);
		rc = add_special(c, to + at, from[at], cat->special[s].kind);
		if (rc)
			return rc;
		done = at + 1;
	}
	add_cells(to + done, from + done, n - done);
	return 0;
}

/* ---- pages --------------------------------------------------------------------------------- */

static bool page_set(const uint64_t *map, uint32_t page)
{
	return map[page / 64] >> (page % 64) & 1;
}

/* The next run of set pages in [*first, end): true, and *first to *last. */
static bool next_run(const uint64_t *map, uint32_t *first, uint32_t *last, uint32_t end)
{
	uint32_t p = *first;

	while (p < end && !page_set(map, p))
		p += map[p / 64] >> (p % 64) ? 1 : 64 - p % 64;
	if (p >= end)
		return false;
	*first = p;
	while (p < end && page_set(map, p))
		p++;
	*last = p;
	return true;
}

/* First and end page of a zone, in the page numbers of a lane. */
static void zone_pages(const struct take *t, unsigned zone, uint32_t *ret_first, uint32_t *ret_end)
{
	*ret_first = t->r->geo.zone_first[zone] / CELLS_PER_PAGE;
	*ret_end = *ret_first +
		   (t->d->catalog->cells_used[zone] + CELLS_PER_PAGE - 1) / CELLS_PER_PAGE;
}

static int charge(struct take *t, uint64_t bytes)
{
	t->bytes += bytes;
	return sm_reader_afford(t->r, t->bytes, "lanes", t->diag);
}

static int no_memory(struct take *t)
{
	return sm_diag_set(t->diag, -ENOMEM, "no memory for a snapshot");
}

void sm_column_release(struct column *c)
{
	free(c->page);
	free(c->v);
	free(c->carry);
	memset(c, 0, sizeof(*c));
}

static int make_dense(struct take *t, struct column *c, uint32_t ncells)
{
	int rc = charge(t, (uint64_t)ncells * sizeof(*c->v));

	if (rc)
		return rc;
	c->v = calloc(ncells ? ncells : 1, sizeof(*c->v));
	c->ncells = ncells;
	c->nv = ncells;
	return c->v ? 0 : no_memory(t);
}

/* Room for the pages of a zone that any of the maps has (nmaps maps, `words` words apart). */
static int make_paged(struct take *t, struct column *c, unsigned zone, const uint64_t *maps,
		      unsigned nmaps, size_t words)
{
	uint32_t first, end, page, stored = 0;
	unsigned m;
	int rc;

	zone_pages(t, zone, &first, &end);
	rc = charge(t, (uint64_t)(end - first) * sizeof(*c->page));
	if (rc)
		return rc;
	c->page = calloc(end - first ? end - first : 1, sizeof(*c->page));
	if (!c->page)
		return no_memory(t);
	for (page = first; page < end; page++) {
		for (m = 0; m < nmaps && !page_set(maps + m * words, page); m++)
			;
		if (m < nmaps)
			c->page[page - first] = ++stored;
	}
	rc = charge(t, (uint64_t)stored * SM_PAGE);
	if (rc)
		return rc;
	c->nv = (size_t)stored * CELLS_PER_PAGE;
	c->v = calloc(c->nv ? c->nv : 1, sizeof(*c->v));
	c->ncells = t->d->catalog->cells_used[zone];
	return c->v ? 0 : no_memory(t);
}

/* Where a page of the zone (counted from the zone's first) begins in c. */
static uint64_t *page_in(const struct column *c, uint32_t page)
{
	return c->v + (size_t)(c->page ? c->page[page] - 1 : page) * CELLS_PER_PAGE;
}

/* Add one lane's zone to one or two columns (b may be NULL). */
static int add_zone(struct take *t, unsigned lane, const uint64_t *map, unsigned zone,
		    struct column *a, struct column *b)
{
	uint64_t base = sm_lane_offset(&t->r->geo, lane);
	uint32_t first, end, last, page, cell, n, used = t->d->catalog->cells_used[zone], per_chunk,
						  zone_page;
	int rc;

	zone_pages(t, zone, &first, &end);
	zone_page = first;
	per_chunk = READER_CHUNK / SM_PAGE;
	for (; next_run(map, &first, &last, end); first = last) {
		for (page = first; page < last; page += per_chunk) {
			cell = (page - zone_page) * CELLS_PER_PAGE;
			n = (last - page < per_chunk ? last - page : per_chunk) * CELLS_PER_PAGE;
			n = n < used - cell ? n : used - cell;
			rc = charge(t, (uint64_t)n * 8);
			if (!rc)
				rc = sm_reader_pread(t->r, t->r->chunk, (size_t)n * 8,
						     base + (uint64_t)page * SM_PAGE, t->diag);
			if (!rc)
				rc = add_run(t->d->catalog, zone, a, page_in(a, page - zone_page),
					     t->r->chunk, cell, n);
			if (!rc && b)
				rc = add_run(t->d->catalog, zone, b, page_in(b, page - zone_page),
					     t->r->chunk, cell, n);
			if (rc)
				return rc == -ENOMEM ? no_memory(t) : rc;
		}
	}
	return 0;
}

/* Copy one lane's zone into a paged column made for its map. */
static int copy_zone(struct take *t, unsigned lane, const uint64_t *map, unsigned zone,
		     struct column *c)
{
	uint64_t base = sm_lane_offset(&t->r->geo, lane);
	uint32_t first, end, last, cell, n, used = t->d->catalog->cells_used[zone], zone_page;
	int rc = 0;

	zone_pages(t, zone, &first, &end);
	zone_page = first;
	for (; !rc && next_run(map, &first, &last, end); first = last) {
		cell = (first - zone_page) * CELLS_PER_PAGE;
		n = (last - first) * CELLS_PER_PAGE;
		n = n < used - cell ? n : used - cell;
		rc = sm_reader_pread(t->r, page_in(c, first - zone_page), (size_t)n * 8,
				  base + (uint64_t)first * SM_PAGE, t->diag);
	}
	return rc;
}

/* ---- gauges -------------------------------------------------------------------------------- */

#define RECENT_TRIES 4

struct recent {
	uint64_t cell[SM_RECENT_CELLS];
};

static struct recent recent_of(const struct column *c, uint32_t cell)
{
	struct recent v;
	uint32_t i;

	for (i = 0; i < SM_RECENT_CELLS; i++)
		v.cell[i] = column_get(c, cell + i);
	return v;
}

static void recent_put(struct column *c, uint32_t cell, const struct recent *v)
{
	uint32_t i, place;

	for (i = 0; i < SM_RECENT_CELLS; i++) {
		place = c->page[(cell + i) / CELLS_PER_PAGE];
		if (place)
			c->v[(size_t)(place - 1) * CELLS_PER_PAGE + (cell + i) % CELLS_PER_PAGE] =
				v->cell[i];
	}
}

static bool recent_steady(const struct recent *a, const struct recent *b)
{
	return memcmp(a, b, sizeof(*a)) == 0 && !(a->cell[SM_RECENT_SEQ] & 1);
}

/*
 * A mostrecent gauge is three cells under a sequence lock. Two copies, one after the other, that
 * are equal and even are a value that stood between them. One that goes on changing, or whose
 * writer died inside, is absent.
 */
static int settle_recents(struct take *t, unsigned lane, const uint64_t *map, struct column *c)
{
	const struct sm_catalog *cat = t->d->catalog;
	uint64_t base =
		sm_lane_offset(&t->r->geo, lane) + (uint64_t)t->r->geo.zone_first[SM_ZONE_SET] * 8;
	struct column again = { 0 };
	struct recent first, second;
	unsigned tries;
	size_t i;
	int rc;

	rc = make_paged(t, &again, SM_ZONE_SET, map, 1, 0);
	if (!rc)
		rc = copy_zone(t, lane, map, SM_ZONE_SET, &again);
	for (i = 0; !rc && i < cat->nrecents; i++) {
		first = recent_of(c, cat->recent[i]);
		second = recent_of(&again, cat->recent[i]);
		for (tries = 0; !rc && !recent_steady(&first, &second) && tries < RECENT_TRIES;
		     tries++) {
			first = second;
			rc = sm_reader_pread(t->r, &second, sizeof(second),
					     base + (uint64_t)cat->recent[i] * 8, t->diag);
		}
		if (!recent_steady(&first, &second))
			memset(&second, 0, sizeof(second));
		recent_put(c, cat->recent[i], &second);
	}
	sm_column_release(&again);
	return rc;
}

static int copy_gauges(struct take *t, unsigned lane, const uint64_t *map, struct column *c)
{
	int rc = make_paged(t, c, SM_ZONE_SET, map, 1, 0);

	if (!rc)
		rc = copy_zone(t, lane, map, SM_ZONE_SET, c);
	if (!rc && t->d->catalog->nrecents)
		rc = settle_recents(t, lane, map, c);
	return rc;
}

/* ---- lanes --------------------------------------------------------------------------------- */

int sm_take_prepare(struct take *t)
{
	int rc = make_dense(t, &t->d->total[SM_ZONE_ADD], t->d->catalog->cells_used[SM_ZONE_ADD]);

	return rc ? rc
		  : make_dense(t, &t->d->total[SM_ZONE_LIVE],
			       t->d->catalog->cells_used[SM_ZONE_LIVE]);
}

int sm_take_retired(struct take *t)
{
	unsigned lane = (unsigned)(t->h.fold_commit & 1);
	uint64_t *map = t->r->pagemaps;
	int rc;

	if (!t->h.fold_commit)
		return 0;		/* nothing was ever folded */
	rc = sm_reader_pread(t->r, map, t->r->geo.pagemap_bytes,
			     sm_pagemap_offset(&t->r->geo, lane), t->diag);
	if (!rc)
		rc = add_zone(t, lane, map, SM_ZONE_ADD, &t->d->total[SM_ZONE_ADD], NULL);
	if (!rc && t->d->catalog->any_keep)
		rc = copy_gauges(t, lane, map, &t->d->total[SM_ZONE_SET]);
	return rc;
}

int sm_take_slot(struct take *t, uint32_t slot, const struct sm_slot *s, struct snap_writer *w,
		 bool gauges, bool kept)
{
	const struct sm_header *geo = &t->r->geo;
	/* The common writer's lane is written by many, at any time. */
	uint64_t counted = s->state == SM_SLOT_COMMON ? s->lanes | 1 : s->lanes & s->written;
	size_t words = geo->pagemap_bytes / 8;
	unsigned l, lane, zones[2] = { SM_ZONE_ADD, SM_ZONE_LIVE }, z;
	bool own;
	int rc;

	rc = sm_reader_pread(t->r, t->r->pagemaps, (size_t)geo->lanes_per_slot * geo->pagemap_bytes,
			  sm_pagemap_offset(geo, sm_lane_number(geo, slot, 0)), t->diag);
	if (rc)
		return rc;
	for (l = 0; l < geo->lanes_per_slot; l++)
		if (!(s->lanes >> l & 1))
			memset(t->r->pagemaps + l * words, 0, geo->pagemap_bytes);
	for (z = 0; z < 2; z++) {
		if (zones[z] == SM_ZONE_LIVE && !gauges)
			continue;
		/* Which pages the common writer has also says which up-down gauges it has. */
		own = w &&
		      ((t->flags & SM_SNAPSHOT_WRITERS) || (w->common && zones[z] == SM_ZONE_LIVE));
		if (own)
			rc = make_paged(t, &w->zone[zones[z]], zones[z], t->r->pagemaps,
					geo->lanes_per_slot, words);
		for (l = 0; !rc && l < geo->lanes_per_slot; l++) {
			if (!(counted >> l & 1))
				continue;
			lane = sm_lane_number(geo, slot, l);
			rc = add_zone(t, lane, t->r->pagemaps + l * words, zones[z],
				      &t->d->total[zones[z]], own ? &w->zone[zones[z]] : NULL);
		}
		if (rc)
			return rc;
	}
	if (w && (gauges || (kept && t->d->catalog->any_keep)))
		rc = copy_gauges(t, sm_lane_number(geo, slot, 0), t->r->pagemaps,
				 &w->zone[SM_ZONE_SET]);
	return rc;
}
