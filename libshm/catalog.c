/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.c - see catalog.h.
 *
 * A record is filled in state INIT and published by releasing LIVE. Storage is given out from
 * high-water marks and never returned to them: a removed series keeps its record, its string block
 * and its cells as one unit (TOMB), and a new series of the same shape takes the whole unit. So there
 * is no free list to tear, and recovery recomputes the marks from the records.
 *
 * A TOMB is reused when it has cooled off (60 s: a reader that copied the catalog before the removal
 * is done by then) and no live writer holds it. Its cells are zeroed first, in all lanes.
 *
 * The index maps hashes to record numbers, linear probing, value = record + 1, DELETED for the place of
 * a reused record. Readers and lock-free look-ups take nothing from it on trust: they compare hash,
 * family and text in the record. A rebuild under the lock may make a look-up miss; a miss is
 * repeated under the lock before anything is made.
 */
#include "catalog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "diag.h"
#include "hash.h"
#include "lock.h"
#include "slot.h"
#include "steps.h"

#define DELETED UINT32_MAX

TEST_MUTABLE uint64_t catalog_cool_off_ns = SM_COOL_OFF_NS;

/* ---- storage ------------------------------------------------------------------------------ */

static int take_strings(const struct region *r, int fd, uint32_t bytes, uint32_t *ret_offset,
			uint32_t *ret_class, unsigned *ret_reason)
{
	uint32_t size = sm_size_class(bytes), used = r->head->strings_used;
	int rc;

	if (size > r->geo.strings_bytes || used > r->geo.strings_bytes - size) {
		*ret_reason = SM_REFUSED_STRINGS_FULL;
		return -ENOSPC;
	}
	rc = region_reserve(r, fd, r->geo.off_strings + used, size);
	if (rc) {
		*ret_reason = SM_REFUSED_NO_SPACE;
		return rc;
	}
	store_relaxed(&r->head->strings_used, used + size);
	*ret_offset = used;
	*ret_class = size;
	return 0;
}

/* Memory in the retired lanes, where this family's dead writers' values may come to rest. */
static int reserve_retired(const struct region *r, int fd, const struct sm_family_rec *f, unsigned zone,
			   uint32_t cell, uint32_t n)
{
	int rc;

	if (!n || !(zone == SM_ZONE_ADD || (zone == SM_ZONE_SET && (f->flags & SM_FF_KEEP))))
		return 0;
	rc = region_reserve_cells(r, fd, 0, cell, n);
	return rc ? rc : region_reserve_cells(r, fd, 1, cell, n);
}

/* n cells of a zone for a family. */
static int take_cells(const struct region *r, int fd, const struct sm_family_rec *f, unsigned zone, uint32_t n,
		      uint32_t *ret_cell, unsigned *ret_reason)
{
	uint32_t used = r->head->cells_used[zone], cell = r->geo.zone_first[zone] + used;
	int rc;

	if (n > r->geo.zone_cells[zone] || used > r->geo.zone_cells[zone] - n) {
		*ret_reason = SM_REFUSED_CELLS_FULL;
		return -ENOSPC;
	}
	rc = reserve_retired(r, fd, f, zone, cell, n);
	if (rc) {
		*ret_reason = SM_REFUSED_NO_SPACE;
		return rc;
	}
	store_release(&r->head->cells_used[zone], used + n);
	*ret_cell = cell;
	return 0;
}

/* Zero cells in every lane that has memory there. */
static void zero_cells(const struct region *r, uint32_t cell, uint32_t n)
{
	unsigned lane, lanes = sm_lane_count(&r->geo);
	uint32_t c;

	for (lane = 0; lane < lanes; lane++)
		for (c = cell; c < cell + n; c++)
			if (region_page_reserved(r, lane, c / (SM_PAGE / 8)))
				store_relaxed(&region_lane(r, lane)[c], 0);
}

/* ---- index -------------------------------------------------------------------------------- */

static void index_put(const struct region *r, uint64_t hash, uint32_t record)
{
	uint32_t *index = region_index(r), mask = r->geo.index_entries - 1, i, at;

	for (i = 0; i <= mask; i++) {
		at = ((uint32_t)hash + i) & mask;
		if (index[at] == 0 || index[at] == DELETED) {
			store_release(&index[at], record + 1);
			return;
		}
	}
}

static void index_drop(const struct region *r, uint64_t hash, uint32_t record)
{
	uint32_t *index = region_index(r), mask = r->geo.index_entries - 1, i, at;

	for (i = 0; i <= mask; i++) {
		at = ((uint32_t)hash + i) & mask;
		if (index[at] == record + 1) {
			store_release(&index[at], DELETED);
			/* Before an empty place no look-up needs the mark; else the index would fill up with
			 * marks and each miss would walk through all of it. */
			if (index[(at + 1) & mask] == 0)
				for (; index[at] == DELETED; at = (at - 1) & mask)
					store_release(&index[at], 0);
			return;
		}
		if (index[at] == 0)
			return;
	}
}

static void index_rebuild(const struct region *r)
{
	uint32_t i, n = r->head->series_used;

	store_relaxed(&r->head->index_dirty, 1);
	for (i = 0; i < r->geo.index_entries; i++)
		store_relaxed(&region_index(r)[i], 0);
	for (i = 0; i < n; i++)
		if (region_series(r, i)->state == SM_REC_LIVE)
			index_put(r, region_series(r, i)->hash, i);
	store_release(&r->head->index_dirty, 0);
}

static bool values_equal(const struct region *r, const struct sm_series_rec *s, const struct sm_str *values,
			 size_t n)
{
	const char *text = region_string(r, s->strings, s->text_len);
	size_t i, at = 0;

	if (!text)
		return false;
	for (i = 0; i < n; i++) {
		if (s->text_len - at < values[i].len + 1 || memcmp(text + at, values[i].ptr, values[i].len) != 0 ||
		    text[at + values[i].len])
			return false;
		at += values[i].len + 1;
	}
	return at == s->text_len;
}

uint32_t series_find(const struct region *r, uint32_t family, uint64_t hash, const struct sm_str *values,
		     size_t n)
{
	uint32_t *index = region_index(r), mask = r->geo.index_entries - 1, i, entry;
	const struct sm_series_rec *s;

	for (i = 0; i <= mask; i++) {
		entry = load_acquire(&index[((uint32_t)hash + i) & mask]);
		if (entry == 0)
			break;
		if (entry == DELETED || entry > r->geo.nseries)
			continue;
		s = region_series(r, entry - 1);
		/* Pairs with publish(): a LIVE record is whole. */
		if (load_acquire(&s->state) == SM_REC_LIVE && s->hash == hash && s->family == family &&
		    s->family_incarnation == region_family(r, family)->incarnation &&
		    values_equal(r, s, values, n))
			return entry - 1;
	}
	return NO_RECORD;
}

/* ---- holds -------------------------------------------------------------------------------- */

static void hold_set(const struct region *r, uint32_t slot, uint32_t bit)
{
	if (slot)	/* the common slot holds nothing: shell commands are gone before 60 s */
		fetch_or_full(&region_holds(r, slot)[bit / 64], UINT64_C(1) << (bit % 64));
}

void hold_clear(const struct region *r, uint32_t slot, uint32_t bit)
{
	if (slot)
		fetch_and_full(&region_holds(r, slot)[bit / 64], ~(UINT64_C(1) << (bit % 64)));
}

bool series_hold(const struct region *r, uint32_t slot, uint32_t record, uint64_t incarnation)
{
	const struct sm_series_rec *s = region_series(r, record);

	hold_set(r, slot, series_bit(r, record));
	/* Pairs with the fence in series_remove(): either this sees the tomb, or the remover's later
	 * look at the hold bits sees this one. */
	fence_full();
	if (load_acquire(&s->state) == SM_REC_LIVE && load_relaxed(&s->incarnation) == incarnation)
		return true;
	hold_clear(r, slot, series_bit(r, record));
	return false;
}

/* ---- series ------------------------------------------------------------------------------- */

static unsigned shape(const struct sm_family_rec *f, uint32_t *ret_zone, uint32_t *ret_exemplars)
{
	*ret_exemplars = 0;
	*ret_zone = SM_ZONE_ADD;
	switch (f->kind) {
	case SM_COUNTER:
		*ret_exemplars = f->flags & SM_FF_EXEMPLARS ? 1 : 0;
		return 0;		/* cells by way of counting: series_number_cell() */
	case SM_HISTOGRAM:
		*ret_exemplars = f->flags & SM_FF_EXEMPLARS ? f->nbounds + 1u : 0;
		return f->nbuckets + 1u;
	case SM_UPDOWN:
		*ret_zone = SM_ZONE_LIVE;
		return 1;
	default:
		*ret_zone = SM_ZONE_SET;
		return f->kind == SM_GAUGE && f->gauge_mode == SM_MODE_MOSTRECENT ? SM_RECENT_CELLS : 1;
	}
}

static bool unit_reusable(const struct region *r, int fd, uint32_t i, uint64_t now)
{
	const struct sm_series_rec *s = region_series(r, i);

	return s->state == SM_REC_TOMB && now > s->removed_boot_ns &&
	       now - s->removed_boot_ns >= catalog_cool_off_ns &&
	       slot_holding(r, fd, series_bit(r, i), UINT32_MAX) == UINT32_MAX;
}

static void unit_zero(const struct region *r, const struct sm_series_rec *s)
{
	unsigned i;

	if (s->cell[0] && s->ncells)
		zero_cells(r, s->cell[0], s->ncells);
	for (i = s->ncells ? 1 : 0; i < SM_CELLS_PER_SERIES; i++)
		if (s->cell[i])
			zero_cells(r, s->cell[i], 1);
	for (i = 0; s->exemplar && i < s->nexemplars; i++)
		region_exemplar(r, s->exemplar - 1 + i)->text_len = 0;
}

/* A removed series whose storage fits, or NO_RECORD. */
static uint32_t find_unit(const struct region *r, int fd, uint32_t zone, uint32_t ncells, uint32_t nexemplars,
			  uint32_t text_len)
{
	uint64_t now = clock_ns(CLOCK_BOOTTIME);
	const struct sm_series_rec *s;
	uint32_t i, n = r->head->series_used;

	for (i = 0; r->head->tombs && i < n; i++) {
		s = region_series(r, i);
		if (s->state == SM_REC_TOMB && s->zone == zone && s->ncells == ncells &&
		    s->nexemplars == nexemplars && s->strings_bytes >= text_len && unit_reusable(r, fd, i, now))
			return i;
	}
	return NO_RECORD;
}

static int take_unit(const struct region *r, int fd, const struct sm_family_rec *f, uint32_t zone, uint32_t ncells,
		     uint32_t nexemplars, uint32_t text_len, uint32_t *ret_record, unsigned *ret_reason)
{
	uint32_t i = r->head->series_used, strings = r->head->strings_used, class, offset;
	struct sm_series_rec *s;
	int rc;

	if (i >= r->geo.nseries) {
		*ret_reason = SM_REFUSED_SERIES_FULL;
		return -ENOSPC;
	}
	rc = region_reserve(r, fd, r->geo.off_series + (uint64_t)i * sizeof(*s), sizeof(*s));
	if (rc) {
		*ret_reason = SM_REFUSED_NO_SPACE;
		return rc;
	}
	s = region_series(r, i);
	memset((char *)s + offsetof(struct sm_series_rec, family), 0,
	       sizeof(*s) - offsetof(struct sm_series_rec, family));
	/* Not whole: recovery gives its storage back instead of keeping it as a unit. */
	s->family = NO_RECORD;
	store_release(&s->state, SM_REC_INIT);
	store_release(&r->head->series_used, i + 1);
	SM_STEP("register:series-init");
	rc = take_strings(r, fd, text_len, &offset, &class, ret_reason);
	if (rc)
		goto out_free;
	s->strings = offset;
	s->strings_bytes = class;
	s->zone = zone;
	SM_STEP("register:strings-taken");
	if (ncells) {
		rc = take_cells(r, fd, f, zone, ncells, &s->cell[0], ret_reason);
		if (rc)
			goto out_free;
		s->ncells = ncells;
	}
	if (nexemplars && nexemplars <= r->geo.nexemplars &&
	    r->head->exemplars_used <= r->geo.nexemplars - nexemplars) {
		/* Exemplars are a courtesy: without room the series does without. */
		offset = r->head->exemplars_used;
		if (region_reserve(r, fd, r->geo.off_exemplars + (uint64_t)offset * sizeof(struct sm_exemplar_rec),
				   (uint64_t)nexemplars * sizeof(struct sm_exemplar_rec)) == 0) {
			store_relaxed(&r->head->exemplars_used, offset + nexemplars);
			s->exemplar = offset + 1;
			s->nexemplars = nexemplars;
		}
	}
	*ret_record = i;
	return 0;

out_free:
	/* What was taken is given back, or each refusal would use up some strings for good. */
	store_release(&s->state, SM_REC_FREE);
	store_relaxed(&r->head->series_used, i);
	store_relaxed(&r->head->strings_used, strings);
	return rc;
}

int series_insert(const struct region *r, int fd, uint32_t family, uint64_t hash, const struct sm_str *values,
		  size_t n, bool overflow, uint32_t *ret_record, unsigned *ret_reason)
{
	struct sm_family_rec *f = region_family(r, family);
	uint32_t zone, nexemplars, text_len = 0, i, record;
	uint32_t ncells = shape(f, &zone, &nexemplars);
	struct sm_series_rec *s;
	char *text;
	size_t v;
	int rc;

	for (v = 0; v < n; v++)
		text_len += (uint32_t)values[v].len + 1;
	catalog_begin(r, SM_OP_REGISTER, family);
	record = find_unit(r, fd, zone, ncells, nexemplars, text_len);
	/* Once there is no room for more exemplars, units that got none must be reused, too. */
	if (record == NO_RECORD && nexemplars && r->head->exemplars_used + nexemplars > r->geo.nexemplars)
		record = find_unit(r, fd, zone, ncells, 0, text_len);
	if (record != NO_RECORD) {
		s = region_series(r, record);
		rc = reserve_retired(r, fd, f, s->zone, s->cell[0], ncells);
		if (rc) {
			*ret_reason = SM_REFUSED_NO_SPACE;
			catalog_done(r, false);
			return rc;
		}
		unit_zero(r, s);
		SM_STEP("register:unit-zeroed");
		index_drop(r, s->hash, record);
		store_relaxed(&r->head->tombs, r->head->tombs - 1);
		store_release(&s->state, SM_REC_INIT);
	} else {
		rc = take_unit(r, fd, f, zone, ncells, nexemplars, text_len, &record, ret_reason);
		if (rc) {
			catalog_done(r, false);
			return rc;
		}
		s = region_series(r, record);
	}
	store_relaxed(&s->incarnation, s->incarnation + 1);
	fence_release();
	text = region_string(r, s->strings, s->strings_bytes);
	for (v = 0, i = 0; v < n; v++) {
		memcpy(text + i, values[v].ptr, values[v].len);
		i += (uint32_t)values[v].len;
		text[i++] = '\0';
	}
	s->text_len = text_len;
	s->family = family;
	s->family_incarnation = f->incarnation;
	s->hash = hash;
	s->created_real_ns = clock_ns(CLOCK_REALTIME);
	s->created_boot_ns = clock_ns(CLOCK_BOOTTIME);
	s->removed_boot_ns = 0;
	SM_STEP("register:series-filled");
	/* Before it is LIVE: recovery clears an overflow that is not, but would never set it. */
	if (overflow)
		store_release(&f->overflow, record + 1);
	/* Publish: whoever sees LIVE sees the record. Killed before: recovery frees it. */
	store_release(&s->state, SM_REC_LIVE);
	SM_STEP("register:series-live");
	store_relaxed(&r->head->index_dirty, 1);
	index_put(r, hash, record);
	store_release(&r->head->index_dirty, 0);
	SM_STEP("register:series-indexed");
	if (!overflow)
		store_release(&f->series_live, f->series_live + 1);
	catalog_done(r, true);
	*ret_record = record;
	return 0;
}

int series_number_cell(const struct region *r, int fd, uint32_t record, enum sm_number number,
		       uint32_t *ret_cell, unsigned *ret_reason)
{
	struct sm_series_rec *s = region_series(r, record);
	unsigned which = number == SM_NUMBER_U64 ? SM_CELL_U64 :
			 number == SM_NUMBER_FIXED ? SM_CELL_FIXED : SM_CELL_DOUBLE;
	uint32_t cell = load_acquire(&s->cell[which]);
	int rc;

	if (!cell) {
		catalog_begin(r, SM_OP_REGISTER, record);
		rc = take_cells(r, fd, region_family(r, s->family), SM_ZONE_ADD, 1, &cell, ret_reason);
		if (rc) {
			catalog_done(r, false);
			return rc;
		}
		SM_STEP("register:cell-taken");
		store_release(&s->cell[which], cell);
		catalog_done(r, true);
	}
	*ret_cell = cell;
	return 0;
}

int series_remove(const struct region *r, int fd, uint32_t record, uint32_t except)
{
	struct sm_series_rec *s = region_series(r, record);
	struct sm_family_rec *f = region_family(r, s->family);
	uint32_t bit = series_bit(r, record);

	if (fd >= 0 && slot_holding(r, fd, bit, except) != UINT32_MAX)
		return -EBUSY;
	catalog_begin(r, SM_OP_REMOVE, record);
	s->removed_boot_ns = clock_ns(CLOCK_BOOTTIME);
	store_relaxed(&r->head->tombs, r->head->tombs + 1);
	SM_STEP("remove:stamped");
	store_release(&s->state, SM_REC_TOMB);
	fence_full();		/* pairs with series_hold() */
	if (fd >= 0 && slot_holding(r, fd, bit, except) != UINT32_MAX) {
		/* Somebody took hold of it just before it was a tomb, and counts. */
		s->removed_boot_ns = 0;
		store_relaxed(&r->head->tombs, r->head->tombs - 1);
		store_release(&s->state, SM_REC_LIVE);
		catalog_done(r, true);
		return -EBUSY;
	}
	SM_STEP("remove:tomb");
	if (f->overflow == record + 1)
		store_release(&f->overflow, 0);
	else if (f->series_live)
		store_release(&f->series_live, f->series_live - 1);
	index_drop(r, s->hash, record);
	r->head->removals++;
	SM_STEP("remove:unindexed");
	catalog_done(r, true);
	return 0;
}

unsigned catalog_sweep(const struct region *r, int fd, uint64_t now_boot_ns)
{
	uint32_t i, n = r->head->series_used, done = 0;
	struct sm_series_rec *s;

	catalog_begin(r, SM_OP_GC, 0);
	for (i = 0; i < n; i++) {
		s = region_series(r, i);
		/* removed_boot_ns 1: swept before. */
		if (s->removed_boot_ns <= 1 || !unit_reusable(r, fd, i, now_boot_ns))
			continue;
		unit_zero(r, s);
		s->removed_boot_ns = 1;
		done++;
		SM_STEP("gc:series-zeroed");
	}
	catalog_done(r, false);
	return done;
}

/* ---- recovery ----------------------------------------------------------------------------- */

static void raise_to(uint32_t *mark, uint64_t end)
{
	if (end > *mark)
		*mark = (uint32_t)end;
}

/* Is the family's overflow series alive and its own? */
static bool is_overflow(const struct region *r, uint32_t family, uint32_t series_used)
{
	const struct sm_family_rec *f = region_family(r, family);
	const struct sm_series_rec *s = region_series(r, f->overflow - 1);

	return f->overflow <= series_used && s->state == SM_REC_LIVE && s->family == family &&
	       s->family_incarnation == f->incarnation;
}

void catalog_recover(const struct region *r)
{
	uint32_t strings = 16, cells[SM_ZONES] = { 8, 8, 8 }, families = 0, series = 0, exemplars = 0, tombs = 0;
	struct sm_family_rec *f;
	struct sm_series_rec *s;
	uint32_t i, c, nf = r->head->families_used, ns = r->head->series_used;

	nf = nf > r->geo.nfamilies ? r->geo.nfamilies : nf;
	ns = ns > r->geo.nseries ? r->geo.nseries : ns;
	for (i = 0; i < nf; i++) {
		f = region_family(r, i);
		/* A half-made family had no series: its blocks, if it has any, serve the next one. */
		if (f->state == SM_REC_INIT)
			store_release(&f->state, SM_REC_FREE);
		f->series_live = 0;
		if (f->overflow && !is_overflow(r, i, ns))
			store_release(&f->overflow, 0);
		raise_to(&strings, (uint64_t)f->strings + f->strings_bytes);
		raise_to(&strings, (uint64_t)f->bounds + f->bounds_bytes);
		families = i + 1;
	}
	for (i = 0; i < ns; i++) {
		s = region_series(r, i);
		if (s->state == SM_REC_INIT) {
			/* Nobody ever saw it: a whole unit cools at once, and what was being taken from the
			 * marks goes back there, for it is the last of everything. */
			s->removed_boot_ns = 2;
			store_release(&s->state, s->family == NO_RECORD ? SM_REC_FREE : SM_REC_TOMB);
		}
		if (s->state == SM_REC_FREE || s->zone >= SM_ZONES || s->family >= r->geo.nfamilies)
			continue;
		raise_to(&strings, (uint64_t)s->strings + s->strings_bytes);
		for (c = 0; c < SM_CELLS_PER_SERIES; c++)
			if (s->cell[c])
				raise_to(&cells[s->zone], (uint64_t)s->cell[c] + (c == 0 && s->ncells ? s->ncells : 1) -
							  r->geo.zone_first[s->zone]);
		raise_to(&exemplars, s->exemplar ? (uint64_t)s->exemplar - 1 + s->nexemplars : 0);
		tombs += s->state == SM_REC_TOMB;
		series = i + 1;
		f = region_family(r, s->family);
		if (s->state == SM_REC_LIVE && f->incarnation == s->family_incarnation &&
		    f->overflow != i + 1)
			f->series_live++;
	}
	r->head->families_used = families;
	r->head->series_used = series;
	r->head->strings_used = strings;
	r->head->exemplars_used = exemplars;
	memcpy(r->head->cells_used, cells, sizeof(cells));
	r->head->tombs = tombs;
	index_rebuild(r);
}
