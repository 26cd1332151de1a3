/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind.c - see bind.h.
 *
 * The lock-free way first: a series that exists, whose cells have memory in our lanes, is held and
 * published without a lock or system call. Otherwise under the catalog lock.
 */
#include "bind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "hash.h"
#include "lock.h"
#include "slot.h"

uint32_t handle_cells(const struct handle *h)
{
	const struct family_def *def = &h->family->def;

	if (def->kind == SM_HISTOGRAM)
		return def->nbuckets + 1;
	return def->kind == SM_GAUGE && def->mode == SM_MODE_MOSTRECENT ? SM_RECENT_CELLS : 1;
}

int bind_family(struct sm_family *f, struct sm_diag *diag)
{
	struct sm *m = f->m;
	unsigned reason = SM_REFUSED_LOCK_TIMEOUT;
	uint32_t record;
	int fd, rc;

	if (!m->region || !lanes_claimed(m->number))
		return sm_diag_set(diag, m->error ? m->error : -ENOTCONN, "%s", m->message);
	fd = catalog_lock(m->region, m->lock_timeout_ms);
	if (fd < 0) {
		writer_refuse(m, reason);
		return sm_diag_set(diag, fd, "%s: its lock was not free in time", m->path);
	}
	rc = family_declare(m->region, fd, &f->def, m->slot, &record, &reason, diag);
	if (rc) {
		writer_refuse(m, reason);
	} else {
		f->record = record;
		f->incarnation = region_family(m->region, record)->incarnation;
	}
	catalog_unlock(m->region, fd);
	return rc;
}

/* Row entry of a family's cells: gauges live in the shared lane. */
static unsigned entry_of(const struct sm_family *f)
{
	bool shared = f->def.kind == SM_GAUGE || f->def.kind == SM_INFO || f->def.kind == SM_STATESET;

	return 2 * f->m->number + shared;
}

/* Has the public inline code a way to update it? */
static bool has_inline_path(const struct family_def *def)
{
	switch (def->kind) {
	case SM_COUNTER:
		return def->number != SM_NUMBER_DOUBLE;
	case SM_GAUGE:
		return def->mode != SM_MODE_MOSTRECENT;
	case SM_UPDOWN:
	case SM_HISTOGRAM:
		return true;
	default:
		return false;
	}
}

static void publish(struct handle *h, uint32_t record, uint64_t incarnation, sm_where_ place)
{
	h->series = record;
	h->incarnation = incarnation;
	h->removed = false;
	store_release(&h->place, place);
	store_release(&h->pub.where, has_inline_path(&h->family->def) ? place : 0);
}

static unsigned cell_index(const struct family_def *def)
{
	if (def->kind != SM_COUNTER || def->number == SM_NUMBER_U64)
		return 0;
	return def->number == SM_NUMBER_FIXED ? SM_CELL_FIXED : SM_CELL_DOUBLE;
}

/* Bind to a series that has its cells. fd may be -1. 0, -EAGAIN (it was removed just now), -errno. */
static int attach(struct handle *h, int fd, uint32_t record)
{
	struct sm *m = h->family->m;
	const struct sm_series_rec *s = region_series(m->region, record);
	uint64_t incarnation = load_relaxed(&s->incarnation);
	sm_where_ place;
	uint32_t cell = load_acquire(&s->cell[cell_index(&h->family->def)]);
	int rc;

	place = WHERE(entry_of(h->family), cell);
	if (!series_hold(m->region, m->slot, record, incarnation))
		return -EAGAIN;
	rc = writer_reserve(m, fd, place, handle_cells(h));
	if (rc) {
		hold_clear(m->region, m->slot, series_bit(m->region, record));
		return rc;
	}
	publish(h, record, incarnation, place);
	return 0;
}

static bool at_cap(const struct sm_family *f)
{
	const struct sm_family_rec *rec = region_family(f->m->region, f->record);

	return load_relaxed(&rec->series_live) >= rec->cap;
}

static int insert(struct handle *h, int fd, uint64_t hash, bool overflow, unsigned *ret_reason)
{
	struct sm_family *f = h->family;
	const struct region *r = f->m->region;
	uint32_t record, cell;
	int rc = 0;

	record = series_find(r, f->record, hash, h->values, h->nvalues);
	if (record == NO_RECORD) {
		if (!overflow && at_cap(f))
			return -EDQUOT;
		rc = series_insert(r, fd, f->record, hash, h->values, h->nvalues, overflow, &record, ret_reason);
	}
	if (!rc && f->def.kind == SM_COUNTER)
		rc = series_number_cell(r, fd, record, f->def.number, &cell, ret_reason);
	if (!rc) {
		*ret_reason = SM_REFUSED_NO_SPACE;
		rc = attach(h, fd, record);
	}
	return rc;
}

int bind_handle(struct handle *h)
{
	struct sm_family *f = h->family;
	struct sm *m = f->m;
	bool overflow = h == f->overflow;
	unsigned reason = SM_REFUSED_LOCK_TIMEOUT;
	uint64_t hash;
	uint32_t record;
	int fd, rc;

	if (!m->region || !lanes_claimed(m->number))
		return -ENOTCONN;
	if (f->incarnation && load_acquire(&region_family(m->region, f->record)->incarnation) != f->incarnation)
		f->incarnation = 0;
	if (!f->incarnation && (rc = bind_family(f, NULL)))
		return rc;
	hash = sm_series_hash(f->record, h->values, h->nvalues);
	record = series_find(m->region, f->record, hash, h->values, h->nvalues);
	if (record != NO_RECORD && region_series(m->region, record)->cell[cell_index(&f->def)] &&
	    attach(h, -1, record) == 0)
		return 0;
	if (record == NO_RECORD && !overflow && at_cap(f))
		return -EDQUOT;
	fd = catalog_lock(m->region, m->lock_timeout_ms);
	if (fd < 0) {
		writer_refuse(m, reason);
		return fd;
	}
	rc = insert(h, fd, hash, overflow, &reason);
	catalog_unlock(m->region, fd);
	if (rc && rc != -EDQUOT)
		writer_refuse(m, reason);
	/* The first lane goes to the first thread; have one ready for the next. */
	if (!rc && !lanes_free(m->number))
		writer_prepare_lanes(m, 1);
	return rc;
}

void unbind_handle(struct handle *h)
{
	store_release(&h->pub.where, 0);
	store_release(&h->place, 0);
	h->incarnation = 0;
}

void unbind_all(struct sm *m)
{
	struct sm_family *f;
	struct handle *h;

	for (h = m->handles; h; h = h->next)
		unbind_handle(h);
	for (f = m->families; f; f = f->next)
		f->incarnation = 0;
}

/* A gauge goes on with its value in the new file and leaves the old one, for readers add both. */
static void carry_over(struct handle *h, const struct region *old, unsigned old_slot, sm_where_ old_place)
{
	uint64_t *from, *to;
	bool shared;
	uint32_t i;

	if (!old_place || !(WHERE_ENTRY(old_place) & 1))
		return;
	from = region_lane(old, sm_lane_number(&old->geo, old_slot, 0)) + WHERE_BYTE(old_place) / 8;
	to = lane_cell(h->place, handle_cells(h), &shared);
	for (i = 0; to && i < handle_cells(h); i++) {
		uint64_t unset = 0;

		cas_relaxed(&to[i], &unset, load_relaxed(&from[i]));
		store_relaxed(&from[i], 0);
	}
}

void bind_all(struct sm *m, struct region *old, unsigned old_slot)
{
	struct sm_family *f;
	struct handle *h;
	sm_where_ old_place;
	int rc = 0;

	m->pending = false;
	for (f = m->families; f; f = f->next) {
		/* Records of another file mean nothing here. */
		if (old)
			f->incarnation = 0;
		if (!f->incarnation && !f->null && rc != -ETIMEDOUT)
			rc = bind_family(f, NULL);
	}
	for (h = m->handles; h; h = h->next) {
		if (h->removed || (!old && h->incarnation))
			continue;
		old_place = old ? h->place : 0;
		/* A lock that is not free costs the wait once, not once for each handle. */
		if (rc != -ETIMEDOUT)
			rc = bind_handle(h);
		if (rc) {
			unbind_handle(h);
			m->pending = true;
		} else {
			carry_over(h, old, old_slot, old_place);
		}
	}
}

void rebind_removed(struct sm *m)
{
	const struct sm_series_rec *s;
	struct handle *h;

	if (m->seen_removals == load_relaxed(&m->region->head->removals))
		return;
	m->seen_removals = load_relaxed(&m->region->head->removals);
	for (h = m->handles; h; h = h->next) {
		if (!h->incarnation)
			continue;
		s = region_series(m->region, h->series);
		if (load_acquire(&s->state) == SM_REC_LIVE && load_relaxed(&s->incarnation) == h->incarnation)
			continue;
		hold_clear(m->region, m->slot, series_bit(m->region, h->series));
		if (bind_handle(h) != 0) {
			unbind_handle(h);
			m->pending = true;
		}
	}
}
