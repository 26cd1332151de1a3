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
	fd = writer_lock(m, m->region);
	if (fd < 0) {
		writer_refuse(m, reason);
		return fd == -ETIMEDOUT ? sm_diag_set(diag, fd, "%s: its lock was not free in time", m->path) :
					  sm_diag_set(diag, fd, "%s: cannot open it to take its lock: %s",
						      m->path, strerror(-fd));
	}
	rc = family_declare(m->region, fd, &f->def, m->slot, &record, &reason, diag);
	if (rc) {
		writer_refuse(m, reason);
	} else {
		f->record = record;
		f->incarnation = region_family(m->region, record)->incarnation;
		/* All writers of a family must agree on what a label value becomes. */
		if (!f->handles)
			f->def.normalise = region_family(m->region, record)->normalise;
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

static bool is_shared(sm_where_ place)
{
	return WHERE_ENTRY(place) & 1;
}

/* What the look-up needs. The words once only: other threads read them when they have seen the lengths. */
static void publish_key(const struct handle *h)
{
	struct handle_public *pub = h->pub;

	if (h->key_lens >= PUBLIC_BOUND || h->nvalues > 3)
		return;
	if (memcmp(pub->word, h->key, sizeof(pub->word)) != 0)
		memcpy(pub->word, h->key, sizeof(pub->word));
	store_release(&pub->lens, PUBLIC_BOUND | h->key_lens);
}

/* The public part of a handle that is bound. A gauge's `where` is its cell's address: there is one for all
 * threads. */
static void publish_public(const struct handle *h)
{
	const struct sm_family *f = h->family;
	sm_where_ where = 0;
	char *shared;

	if (has_inline_path(&f->def) && !is_shared(h->place)) {
		where = lanes_inline_where(h->place);
	} else if (has_inline_path(&f->def)) {
		shared = lane_shared(WHERE_ENTRY(h->place) / 2);
		where = shared ? (sm_where_)(uintptr_t)(shared + WHERE_BYTE(h->place)) : 0;
	}
	if (f->def.kind == SM_HISTOGRAM && !h->pub->histogram.buckets)
		h->pub->histogram.buckets = &f->buckets->pub;
	store_release(&h->pub->where, where);
	publish_key(h);
}

void publish_handles(struct sm *m)
{
	const struct region *r = m->region;
	struct handle *h;

	if (!(m->flags & SM_OPEN_COMMON) && lanes_inline() != r->number &&
	    (!lanes_inline() || lanes_inline_writer() == m)) {
		/* Nobody else has any. Those of a removed file that find no place in the new one have
		 * none any more. */
		for (h = load_acquire(&m->handles); h; h = h->next)
			if (!is_shared(h->place))
				store_relaxed(&h->pub->where, 0);
		lanes_inline_begin(r->number, (uintptr_t)r->base + r->geo.file_bytes);
	}
	for (h = load_acquire(&m->handles); h; h = h->next)
		if (h->incarnation && WHERE_ENTRY(h->place) / 2 == r->number)
			publish_public(h);
}

static void publish(struct handle *h, uint32_t record, uint64_t incarnation, sm_where_ place)
{
	bool again = h->place || h->retry_ns;

	store_relaxed(&h->series, record);
	store_relaxed(&h->incarnation, incarnation);
	store_relaxed(&h->removed, false);
	store_release(&h->place, place);	/* pairs with handle_bound() */
	publish_public(h);
	if (again)
		lanes_changed();
}

static unsigned cell_index(const struct family_def *def)
{
	if (def->kind != SM_COUNTER || def->number == SM_NUMBER_U64)
		return 0;
	return def->number == SM_NUMBER_FIXED ? SM_CELL_FIXED : SM_CELL_DOUBLE;
}

void release_hold(struct sm *m, const struct handle *h, uint32_t record)
{
	const struct handle *other;

	/* One bit serves all handles of this process: a counter may be declared in whole units and in
	 * fixed point, too. */
	for (other = m->handles; other; other = other->next)
		if (other != h && other->incarnation && other->series == record)
			return;
	hold_clear(m->region, m->slot, series_bit(m->region, record));
}

/* Bind to a series that has its cells, if it still is this incarnation. fd may be -1. 0, -EAGAIN (it
 * was removed just now), -errno. */
static int attach(struct handle *h, int fd, uint32_t record, uint64_t incarnation)
{
	struct sm *m = h->family->m;
	const struct sm_series_rec *s = region_series(m->region, record);
	sm_where_ place;
	uint32_t cell = load_acquire(&s->cell[cell_index(&h->family->def)]);
	int rc;

	place = WHERE(entry_of(h->family), cell);
	if (!series_hold(m->region, m->slot, record, incarnation))
		return -EAGAIN;
	rc = writer_reserve(m, fd, place, handle_cells(h));
	if (rc) {
		release_hold(m, h, record);
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
		rc = attach(h, fd, record, region_series(r, record)->incarnation);
	}
	return rc;
}

/* Is the family still what it was when it was bound? Once it is held nobody replaces it; but a forked
 * child holds nothing until it claims. */
static bool family_current(const struct sm_family *f)
{
	const struct sm_family_rec *rec = region_family(f->m->region, f->record);

	return f->incarnation && load_acquire(&rec->state) == SM_REC_LIVE &&
	       load_relaxed(&rec->incarnation) == f->incarnation;
}

/* The way without the lock: 0, or -EDQUOT (not there, and no more may be made), or -EAGAIN. */
static int bind_without_lock(struct handle *h, uint64_t hash)
{
	struct sm_family *f = h->family;
	const struct region *r = f->m->region;
	uint64_t generation = load_acquire(&r->head->catalog_gen), incarnation;
	uint32_t record = series_find(r, f->record, hash, h->values, h->nvalues);

	if (record == NO_RECORD) {
		/* While the index is rebuilt a miss means nothing. op is set until after the new
		 * generation, so it cannot have been rebuilt since unless one of them tells. */
		if (h != f->overflow && at_cap(f) && load_acquire(&r->head->op) == SM_OP_NONE &&
		    load_relaxed(&r->head->catalog_gen) == generation)
			return -EDQUOT;
		return -EAGAIN;
	}
	/* What was found may have become another series before its incarnation was read: look again. */
	incarnation = load_acquire(&region_series(r, record)->incarnation);
	if (series_find(r, f->record, hash, h->values, h->nvalues) != record ||
	    !load_acquire(&region_series(r, record)->cell[cell_index(&f->def)]) ||
	    attach(h, -1, record, incarnation) != 0)
		return -EAGAIN;
	return 0;
}

int bind_handle(struct handle *h)
{
	struct sm_family *f = h->family;
	struct sm *m = f->m;
	bool overflow = h == f->overflow;
	unsigned reason = SM_REFUSED_LOCK_TIMEOUT;
	uint64_t hash;
	int fd, rc;

	if (!m->region || !lanes_claimed(m->number))
		return -ENOTCONN;
	if (!family_current(f)) {
		f->incarnation = 0;
		rc = bind_family(f, NULL);
		if (rc)
			return rc;
	}
	hash = sm_series_hash(f->record, h->values, h->nvalues);
	rc = bind_without_lock(h, hash);
	if (rc != -EAGAIN)
		return rc;
	fd = writer_lock(m, m->region);
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

int bind_or_overflow(struct handle *h)
{
	int rc = bind_handle(h);
	struct handle *overflow;

	if (rc != -EDQUOT)
		return rc;
	overflow = family_overflow(h->family);
	if (!handle_bound(overflow))
		return -EDQUOT;
	publish(h, overflow->series, overflow->incarnation, overflow->place);
	return 0;
}

void unbind_handle(struct handle *h)
{
	store_relaxed(&h->pub->lens, 0);
	store_release(&h->pub->where, 0);
	store_release(&h->place, 0);
	store_relaxed(&h->incarnation, 0);
	store_relaxed(&h->retry_ns, 1);
	lanes_changed();
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
static void carry_over(struct handle *h, sm_where_ old_place)
{
	const struct region *old = h->family->m->region->older;
	uint64_t *from, *to;
	bool shared;
	uint32_t i;

	if (!is_shared(old_place))
		return;
	while (old && old->number != WHERE_ENTRY(old_place) / 2)
		old = old->older;
	/* A child that never claimed there leaves its parent's gauges alone. */
	if (!old || !lanes_claimed(old->number))
		return;
	from = region_lane(old, sm_lane_number(&old->geo, old->slot, 0)) + WHERE_BYTE(old_place) / 8;
	to = lane_cell(h->place, handle_cells(h), &shared);
	for (i = 0; to && i < handle_cells(h); i++) {
		uint64_t unset = 0;

		cas_relaxed(&to[i], &unset, load_relaxed(&from[i]));
		store_relaxed(&from[i], 0);
	}
}

void forget_records(struct sm *m)
{
	struct sm_family *f;
	struct handle *h;

	for (f = m->families; f; f = f->next)
		f->incarnation = 0;
	for (h = m->handles; h; h = h->next) {
		store_relaxed(&h->pub->lens, 0);
		store_relaxed(&h->incarnation, 0);
	}
}

void bind_all(struct sm *m)
{
	struct sm_family *f;
	struct handle *h;
	sm_where_ old_place;
	int rc = 0;

	m->pending = false;
	for (f = m->families; f; f = f->next)
		if (!f->incarnation && !f->null && rc != -ETIMEDOUT)
			rc = bind_family(f, NULL);
	for (h = m->handles; h; h = h->next) {
		if (h->removed || h->incarnation)
			continue;
		old_place = h->place;
		/* A lock that is not free costs the wait once, not once for each handle. */
		if (rc != -ETIMEDOUT)
			rc = bind_or_overflow(h);
		if (rc)
			m->pending = true;
		else if (old_place)
			carry_over(h, old_place);
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
		release_hold(m, h, h->series);
		if (bind_or_overflow(h) != 0) {
			unbind_handle(h);
			m->pending = true;
		}
	}
}
