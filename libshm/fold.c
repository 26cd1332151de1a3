/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.c - adding a dead writer's lanes to the retired ones, so that no reader sees a step.
 *
 * There are two retired lanes R0 and R1 and one commit word g; R[g & 1] is the one that counts. To
 * fold a slot:
 *
 *	1  slot.fold = g + 1
 *	2  R[(g + 1) & 1] = R[g & 1] + all lanes of the slot, cell by cell
 *	3  g = g + 1, released
 *	4  give the slot's lanes back (they read as zeros), slot FREE
 *	5  slot.fold = 0
 *
 * A reader adds R[g & 1] and the lanes of every slot without 0 < fold <= g, and tries again if g
 * or the slot's incarnation changed meanwhile. Before 3 it counts the slot itself; from 3 on it counts
 * the slot in R. Recovery: fold > g, the commit did not happen: forget it (a next fold writes the
 * same R again, from R[g & 1]). fold <= g: it did: finish 4 and 5.
 *
 * Nobody writes the lanes meanwhile: their writer is dead, and a successor would have to adopt the
 * slot under the catalog lock, which the folder holds.
 *
 * SM_ZONE_ADD cells are added as integers, then those that hold doubles are done again from the
 * catalog. Gauges that outlive their writer (SM_FF_KEEP) are combined by mode; others vanish.
 *
 * tests/model/fold.pml is a model of 1-5 with claims, kills and readers.
 */
#include <errno.h>
#include <string.h>

#include <shardmeter.h>

#include "slot.h"
#include "steps.h"

static double from_bits(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static uint64_t to_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static uint64_t slot_cell(const struct region *r, uint32_t slot, unsigned lane, uint32_t cell)
{
	unsigned n = sm_lane_number(&r->geo, slot, lane);

	/* A hole reads as zero, but reading it through the mapping would allocate it. */
	if (!region_page_reserved(r, n, cell / (SM_PAGE / 8)))
		return 0;
	return load_relaxed(&region_lane(r, n)[cell]);
}

static void fold_page(const struct region *r, uint32_t slot, unsigned to, uint32_t page)
{
	uint32_t per_page = SM_PAGE / 8, c, l;
	uint64_t *dst = region_lane(r, to) + (size_t)page * per_page;
	const uint64_t *src;

	if (region_page_reserved(r, to ^ 1, page))
		memcpy(dst, region_lane(r, to ^ 1) + (size_t)page * per_page, SM_PAGE);
	else
		memset(dst, 0, SM_PAGE);
	for (l = 0; l < r->geo.lanes_per_slot; l++) {
		unsigned lane = sm_lane_number(&r->geo, slot, l);

		if (!region_page_reserved(r, lane, page))
			continue;
		src = region_lane(r, lane) + (size_t)page * per_page;
		for (c = 0; c < per_page; c++)
			dst[c] += src[c];
	}
}

static void fold_double(const struct region *r, uint32_t slot, unsigned to, uint32_t cell)
{
	double sum = from_bits(region_lane(r, to ^ 1)[cell]);
	uint32_t l;

	for (l = 0; l < r->geo.lanes_per_slot; l++)
		sum += from_bits(slot_cell(r, slot, l, cell));
	region_lane(r, to)[cell] = to_bits(sum);
}

static void fold_gauge(const struct region *r, uint32_t slot, unsigned to, uint32_t cell,
		       enum sm_gauge_mode mode)
{
	uint64_t *dst = region_lane(r, to) + cell, *old = region_lane(r, to ^ 1) + cell;
	uint64_t have = old[0], src = slot_cell(r, slot, 0, cell);
	double a, b;

	if (mode == SM_MODE_MOSTRECENT) {
		uint64_t at = slot_cell(r, slot, 0, cell + SM_RECENT_TIME);
		bool torn = src & 1;

		dst[0] = 0;
		dst[SM_RECENT_VALUE] = old[SM_RECENT_VALUE];
		dst[SM_RECENT_TIME] = old[SM_RECENT_TIME];
		if (!torn && slot_cell(r, slot, 0, cell + SM_RECENT_VALUE) && at > old[SM_RECENT_TIME]) {
			dst[SM_RECENT_VALUE] = slot_cell(r, slot, 0, cell + SM_RECENT_VALUE);
			dst[SM_RECENT_TIME] = at;
		}
		return;
	}
	if (!src || !have || mode == SM_MODE_FIRST) {
		dst[0] = have ? have : src;
		return;
	}
	a = from_bits(have ^ SM_UNSET);
	b = from_bits(src ^ SM_UNSET);
	if (mode == SM_MODE_SUM)
		a += b;
	else if (mode == SM_MODE_MIN ? b < a : b > a)
		a = b;
	dst[0] = to_bits(a) ^ SM_UNSET;
}

/* Cells that are not plain integers. */
static void fold_special(const struct region *r, uint32_t slot, unsigned to)
{
	const struct sm_family_rec *f;
	const struct sm_series_rec *s;
	uint32_t i, n = r->head->series_used;

	for (i = 0; i < n && i < r->geo.nseries; i++) {
		s = region_series(r, i);
		if (s->state != SM_REC_LIVE || s->family >= r->geo.nfamilies)
			continue;
		f = region_family(r, s->family);
		if (f->kind == SM_COUNTER && s->cell[SM_CELL_DOUBLE])
			fold_double(r, slot, to, s->cell[SM_CELL_DOUBLE]);
		else if (f->kind == SM_HISTOGRAM && (f->flags & SM_FF_SUM_DOUBLE))
			fold_double(r, slot, to, s->cell[SM_CELL_BUCKETS] + f->nbuckets);
		else if (f->kind == SM_GAUGE && (f->flags & SM_FF_KEEP))
			fold_gauge(r, slot, to, s->cell[SM_CELL_GAUGE], f->gauge_mode);
	}
}

/* Step 4 and 5: the slot's counts are in R now. Harmless to repeat. */
static void finish(const struct region *r, int fd, uint32_t slot)
{
	struct sm_slot *s = region_slot(r, slot);
	uint32_t l;

	s->incarnation++;
	fence_release();
	for (l = 0; l < r->geo.lanes_per_slot; l++) {
		region_release_lane(r, fd, sm_lane_number(&r->geo, slot, l));
		SM_STEP("fold:lane-released");
	}
	slot_clear_exemplars(r, slot);
	memset(region_holds(r, slot), 0, r->geo.hold_bytes);
	s->lanes = s->written = 0;
	memset(s->name, 0, sizeof(s->name));
	store_release(&s->state, SM_SLOT_FREE);
	SM_STEP("fold:freed");
	store_release(&s->fold, 0);
}

/* What the writer was refused goes on to be counted in the header. Killed between the two stores: that
 * one reason is not counted any more. */
static void move_refusals(const struct region *r, struct sm_slot *s)
{
	uint64_t n;
	unsigned i;

	for (i = 0; i < SM_REFUSED_COUNT; i++) {
		n = load_relaxed(&s->refused[i]);
		store_relaxed(&s->refused[i], 0);
		if (n)
			add_relaxed(&r->head->refused[i], n);
	}
}

int slot_fold(const struct region *r, int fd, uint32_t slot)
{
	struct sm_slot *s = region_slot(r, slot);
	uint64_t g = load_relaxed(&r->head->fold_commit);
	unsigned to = (g + 1) & 1, i;
	uint32_t page, pages, l;
	bool any;
	int rc = 0;

	/* gc comes here with damaged segments, too: nothing may lead out of the zone. */
	pages = (r->head->cells_used[SM_ZONE_ADD] + SM_PAGE / 8 - 1) / (SM_PAGE / 8);
	if (pages > r->geo.zone_cells[SM_ZONE_ADD] / (SM_PAGE / 8))
		return -EBADMSG;
	catalog_begin(r, SM_OP_FOLD, slot);
	store_release(&s->fold, g + 1);
	fence_full();
	SM_STEP("fold:marked");
	for (page = 0; page < pages && !rc; page++) {
		any = false;
		for (i = 0; i < 2; i++)
			any |= region_page_reserved(r, i, page);
		for (l = 0; l < r->geo.lanes_per_slot; l++)
			any |= region_page_reserved(r, sm_lane_number(&r->geo, slot, l), page);
		if (!any)
			continue;
		rc = region_reserve_cells(r, fd, to, page * (SM_PAGE / 8), SM_PAGE / 8);
		if (!rc)
			fold_page(r, slot, to, page);
		SM_STEP("fold:page");
	}
	if (rc) {
		store_release(&s->fold, 0);
		catalog_done(r, false);
		return rc;
	}
	fold_special(r, slot, to);
	move_refusals(r, s);
	SM_STEP("fold:added");
	r->head->folds++;
	/* Pairs with the reader's acquire of g before it reads R: it sees all sums above. */
	store_release(&r->head->fold_commit, g + 1);
	SM_STEP("fold:committed");
	finish(r, fd, slot);
	SM_STEP("fold:done");
	catalog_done(r, false);
	return 0;
}

void fold_recover(const struct region *r, int fd)
{
	uint64_t g = load_relaxed(&r->head->fold_commit), fold;
	uint32_t i;

	for (i = 0; i < r->geo.nslots; i++) {
		fold = load_relaxed(&region_slot(r, i)->fold);
		if (fold > g)
			store_release(&region_slot(r, i)->fold, 0);
		else if (fold)
			finish(r, fd, i);
	}
}
