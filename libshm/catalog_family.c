/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_family.c - declaring families in the segment: compare, make, replace. See catalog.h.
 *
 * One name has one live family. A definition that differs is refused while a live writer holds the
 * family; otherwise the family and its series are removed and a new one begins, with a new record (or
 * the old one, once it cooled off), so that nobody mixes counts of two definitions.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "catalog.h"
#include "diag.h"
#include "hash.h"
#include "lock.h"
#include "slot.h"
#include "steps.h"

static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = { "?", "counter", "gauge", "updown", "histogram", "info", "stateset" };

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : names[0];
}

static const char *mode_name(unsigned mode)
{
	static const char *const names[] = { "sum", "min", "max", "avg", "mostrecent", "first", "all" };

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "?";
}

static uint32_t find_family(const struct region *r, const char *name, uint64_t hash)
{
	uint32_t i, n = r->head->families_used;
	size_t len = strlen(name);
	const struct sm_family_rec *f;
	const char *text;

	for (i = 0; i < n; i++) {
		f = region_family(r, i);
		if (load_acquire(&f->state) != SM_REC_LIVE || f->hash != hash || f->name_len != len)
			continue;
		text = region_string(r, f->strings, f->text_len);
		if (text && memcmp(text, name, len) == 0)
			return i;
	}
	return NO_RECORD;
}

/* The strings of a record: help, unit, labels, states in turn; NULL at the end. */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at, *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	if (!nul)
		return NULL;
	*at = nul + 1;
	return text;
}

static bool same_texts(const struct sm_family_rec *f, const char *text, const struct family_def *def)
{
	const char *at = text, *end = text + f->text_len, *t;
	unsigned i;

	next_text(&at, end);		/* the name is the same, and of two helps the first stays */
	next_text(&at, end);
	t = next_text(&at, end);
	if (!t || strcmp(t, def->unit) != 0)
		return false;
	for (i = 0; i < def->nlabels; i++) {
		t = next_text(&at, end);
		if (!t || strcmp(t, def->labels[i]) != 0)
			return false;
	}
	for (i = 0; i < def->nstates; i++) {
		t = next_text(&at, end);
		if (!t || strcmp(t, def->states[i]) != 0)
			return false;
	}
	return true;
}

static bool same_family(const struct region *r, const struct sm_family_rec *f, const struct family_def *def)
{
	const char *text = region_string(r, f->strings, f->text_len);
	const char *bounds = region_string(r, f->bounds, f->nbounds * 8u);

	if (f->kind != (uint32_t)def->kind || f->flags != def->flags || f->gauge_mode != def->mode ||
	    f->decimals != def->decimals || f->sum_decimals != def->sum_decimals ||
	    f->nlabels != def->nlabels || f->nstates != def->nstates || f->nbounds != def->nbounds ||
	    f->grid_lo != def->grid_lo || f->grid_hi != def->grid_hi || !text || !bounds)
		return false;
	return same_texts(f, text, def) &&
	       (!def->nbounds || memcmp(bounds, def->bounds, def->nbounds * 8u) == 0);
}

static size_t add(char *ret, size_t size, size_t at, const char *text)
{
	int n = at < size ? snprintf(ret + at, size - at, "%s", text) : 0;

	return at + (n > 0 ? (size_t)n : 0);
}

static size_t add_list(char *ret, size_t size, size_t at, const char *const *texts, unsigned n, const char *first)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		at = add(ret, size, at, i ? "," : first);
		at = add(ret, size, at, texts[i]);
	}
	return at;
}

/* "histogram{command,status} in seconds, bounds 0.005 0.01 ..., no grid" */
static void describe(const struct family_def *d, char *ret, size_t size)
{
	char number[40];
	size_t at = add(ret, size, 0, kind_name((uint32_t)d->kind));
	unsigned i;

	at = add_list(ret, size, at, d->labels, d->nlabels, "{");
	at = add(ret, size, at, d->nlabels ? "}" : "");
	if (*d->unit) {
		at = add(ret, size, at, " in ");
		at = add(ret, size, at, d->unit);
	}
	if (d->kind == SM_GAUGE) {
		at = add(ret, size, at, ", mode ");
		at = add(ret, size, at, mode_name(d->mode));
		at = add(ret, size, at, d->flags & SM_FF_KEEP ? ", kept" : "");
	}
	if (d->kind == SM_COUNTER) {
		snprintf(number, sizeof(number), ", %u decimals", d->decimals);
		at = add(ret, size, at, number);
	}
	at = add_list(ret, size, at, d->states, d->nstates, ", states ");
	if (d->kind == SM_HISTOGRAM) {
		at = add(ret, size, at, d->flags & SM_FF_SIGNED ? ", signed" : "");
		at = add(ret, size, at, d->flags & SM_FF_FINE_GRID ? ", fine grid" : ", no grid");
	}
	at = add(ret, size, at, d->flags & SM_FF_EXEMPLARS ? ", exemplars" : "");
	for (i = 0; i < d->nbounds; i++) {
		snprintf(number, sizeof(number), "%s%.6g", i ? " " : ", bounds ", d->bounds[i]);
		at = add(ret, size, at, number);
	}
}

static void describe_record(const struct region *r, const struct sm_family_rec *f, char *ret, size_t size)
{
	const char *text = region_string(r, f->strings, f->text_len), *at = text, *end;
	struct family_def d = { .kind = (enum sm_kind)f->kind, .mode = (enum sm_gauge_mode)f->gauge_mode,
				.flags = f->flags, .decimals = f->decimals };
	unsigned i;

	d.nlabels = f->nlabels < SM_MAX_LABELS ? f->nlabels : SM_MAX_LABELS;
	d.nstates = f->nstates < SM_MAX_STATES ? f->nstates : SM_MAX_STATES;
	d.nbounds = f->nbounds < SM_MAX_BOUNDS ? f->nbounds : SM_MAX_BOUNDS;
	ret[0] = '\0';
	if (!text || !region_string(r, f->bounds, d.nbounds * 8))
		return;
	end = text + f->text_len;
	next_text(&at, end);
	next_text(&at, end);
	d.unit = next_text(&at, end);
	if (!d.unit)
		return;
	for (i = 0; i < d.nlabels; i++) {
		d.labels[i] = next_text(&at, end);
		if (!d.labels[i])
			return;
	}
	for (i = 0; i < d.nstates; i++) {
		d.states[i] = next_text(&at, end);
		if (!d.states[i])
			return;
	}
	memcpy(d.bounds, region_string(r, f->bounds, d.nbounds * 8), d.nbounds * 8);
	describe(&d, ret, size);
}

/* Did a shell command count here? The common writer is never dead, and what it counted is not to be
 * lost by somebody's first declaration. */
static bool common_counted(const struct region *r, const struct sm_series_rec *s)
{
	unsigned lane = sm_lane_number(&r->geo, 0, 0), i;
	uint32_t n, c;

	for (i = 0; i < SM_CELLS_PER_SERIES; i++) {
		n = !s->cell[i] ? 0 : i == 0 && s->ncells ? s->ncells : 1;
		for (c = s->cell[i]; n; c++, n--)
			if (region_page_reserved(r, lane, c / (SM_PAGE / 8)) && load_relaxed(&region_lane(r, lane)[c]))
				return true;
	}
	return false;
}

static uint32_t held_by(const struct region *r, int fd, uint32_t record, uint32_t except)
{
	uint32_t holder = slot_holding(r, fd, family_bit(record), except);
	uint32_t i, n = r->head->series_used;

	for (i = 0; holder == UINT32_MAX && i < n; i++)
		if (region_series(r, i)->state == SM_REC_LIVE && region_series(r, i)->family == record)
			holder = common_counted(r, region_series(r, i)) ? 0 :
				 slot_holding(r, fd, series_bit(r, i), except);
	return holder;
}

static void remove_family(const struct region *r, uint32_t record)
{
	struct sm_family_rec *f = region_family(r, record);
	uint32_t i, n = r->head->series_used;

	for (i = 0; i < n; i++)
		if (region_series(r, i)->state == SM_REC_LIVE && region_series(r, i)->family == record &&
		    region_series(r, i)->family_incarnation == f->incarnation)
			series_remove(r, -1, i, UINT32_MAX);
	catalog_begin(r, SM_OP_REMOVE, record);
	f->removed_boot_ns = clock_ns(CLOCK_BOOTTIME);
	store_release(&f->state, SM_REC_TOMB);
	SM_STEP("remove:family");
	catalog_done(r, true);
}

/* A record for a new family: one that cooled off and whose blocks are large enough, or the next. */
static int take_record(const struct region *r, int fd, uint32_t text_len, uint32_t bounds_len,
		       uint32_t *ret_record, unsigned *ret_reason)
{
	uint64_t now = clock_ns(CLOCK_BOOTTIME);
	uint32_t i, n = r->head->families_used, size = sm_size_class(text_len), bsize = 0, at;
	struct sm_family_rec *f;
	int rc;

	if (bounds_len)
		bsize = sm_size_class(bounds_len);
	for (i = 0; i < n; i++) {
		f = region_family(r, i);
		if (f->strings_bytes < text_len || f->bounds_bytes < bounds_len)
			continue;
		if (f->state == SM_REC_FREE ||
		    (f->state == SM_REC_TOMB && now - f->removed_boot_ns >= catalog_cool_off_ns &&
		     slot_holding(r, fd, family_bit(i), UINT32_MAX) == UINT32_MAX)) {
			*ret_record = i;
			return 0;
		}
	}
	if (n >= r->geo.nfamilies) {
		*ret_reason = SM_REFUSED_FAMILIES_FULL;
		return -ENOSPC;
	}
	at = r->head->strings_used;
	if (size + bsize > r->geo.strings_bytes || at > r->geo.strings_bytes - size - bsize) {
		*ret_reason = SM_REFUSED_STRINGS_FULL;
		return -ENOSPC;
	}
	rc = region_reserve(r, fd, r->geo.off_families + (uint64_t)n * sizeof(*f), sizeof(*f));
	if (!rc)
		rc = region_reserve(r, fd, r->geo.off_strings + at, size + bsize);
	if (rc) {
		*ret_reason = SM_REFUSED_NO_SPACE;
		return rc;
	}
	f = region_family(r, n);
	f->strings = at;
	f->strings_bytes = size;
	f->bounds = bsize ? at + size : 0;
	f->bounds_bytes = bsize;
	store_release(&f->state, SM_REC_INIT);
	store_relaxed(&r->head->strings_used, at + size + bsize);
	store_release(&r->head->families_used, n + 1);
	*ret_record = n;
	return 0;
}

static uint32_t put(char *text, uint32_t at, const char *s)
{
	size_t len = strlen(s) + 1;

	if (text)
		memcpy(text + at, s, len);
	return at + (uint32_t)len;
}

/* The string block; with text NULL only its length. */
static uint32_t write_texts(char *text, const struct family_def *def)
{
	uint32_t at = 0;
	unsigned i;

	at = put(text, at, def->name);
	at = put(text, at, def->help);
	at = put(text, at, def->unit);
	for (i = 0; i < def->nlabels; i++)
		at = put(text, at, def->labels[i]);
	for (i = 0; i < def->nstates; i++)
		at = put(text, at, def->states[i]);
	return at;
}

static int make_family(const struct region *r, int fd, const struct family_def *def, uint64_t hash,
		       uint32_t slot, uint32_t *ret_record, unsigned *ret_reason)
{
	uint32_t text_len = write_texts(NULL, def), record = 0;
	struct sm_family_rec *f;
	int rc;

	catalog_begin(r, SM_OP_REGISTER, 0);
	rc = take_record(r, fd, text_len, def->nbounds * 8u, &record, ret_reason);
	if (rc) {
		catalog_done(r, false);
		return rc;
	}
	f = region_family(r, record);
	store_release(&f->state, SM_REC_INIT);
	SM_STEP("register:family-init");
	store_relaxed(&f->incarnation, f->incarnation + 1);
	fence_release();
	f->kind = (uint32_t)def->kind;
	f->created_real_ns = clock_ns(CLOCK_REALTIME);
	f->created_boot_ns = clock_ns(CLOCK_BOOTTIME);
	f->removed_boot_ns = 0;
	f->name_len = (uint16_t)strlen(def->name);
	f->help_len = (uint16_t)strlen(def->help);
	f->unit_len = (uint16_t)strlen(def->unit);
	f->nlabels = (uint16_t)def->nlabels;
	f->nstates = (uint16_t)def->nstates;
	f->nbounds = (uint16_t)def->nbounds;
	f->nbuckets = (uint16_t)def->nbuckets;
	f->gauge_mode = (uint8_t)def->mode;
	f->decimals = (uint8_t)def->decimals;
	f->sum_decimals = (uint8_t)def->sum_decimals;
	f->grid_lo = (int8_t)def->grid_lo;
	f->grid_hi = (int8_t)def->grid_hi;
	f->flags = def->flags;
	f->normalise = def->normalise;
	f->cap = def->cap;
	f->series_live = 0;
	f->overflow = 0;
	f->hash = hash;
	f->declared_slot = slot;
	f->text_len = text_len;
	write_texts(region_string(r, f->strings, f->strings_bytes), def);
	if (def->nbounds)
		memcpy(region_string(r, f->bounds, f->bounds_bytes), def->bounds, def->nbounds * 8u);
	SM_STEP("register:family-filled");
	store_release(&f->state, SM_REC_LIVE);	/* publish: pairs with find_family() and readers */
	SM_STEP("register:family-live");
	catalog_done(r, true);
	*ret_record = record;
	return 0;
}

int family_declare(const struct region *r, int fd, const struct family_def *def, uint32_t slot,
		   uint32_t *ret_record, unsigned *ret_reason, struct sm_diag *diag)
{
	uint64_t hash = sm_hash_bytes(SM_HASH_K1, def->name, strlen(def->name));
	uint32_t record = find_family(r, def->name, hash), holder;
	char theirs[180] = "", ours[180];
	int rc = 0;

	if (record != NO_RECORD && !same_family(r, region_family(r, record), def)) {
		describe_record(r, region_family(r, record), theirs, sizeof(theirs));
		describe(def, ours, sizeof(ours));
		/* The common writer (slot 0) holds nothing while it lives, so that two shell commands
		 * of different opinions would replace each other's family at every update. */
		if (!slot) {
			*ret_reason = SM_REFUSED_CONFLICT;
			return sm_diag_set(diag, -EEXIST,
					   "%.60s is declared as %s, and here as %s; the common writer never replaces a family",
					   def->name, theirs, ours);
		}
		holder = held_by(r, fd, record, UINT32_MAX);
		if (holder == 0) {
			*ret_reason = SM_REFUSED_CONFLICT;
			return sm_diag_set(diag, -EEXIST,
					   "%.60s is declared as %s and shell commands counted in it, and here as %s: make them equal, or remove its series (shardmeter rm)",
					   def->name, theirs, ours);
		}
		if (holder != UINT32_MAX) {
			*ret_reason = SM_REFUSED_CONFLICT;
			return sm_diag_set(diag, -EEXIST,
					   "%.60s is declared as %s by writer \"%.40s\", which is alive, and here as %s: make them equal, or use another name",
					   def->name, theirs, region_slot(r, holder)->name, ours);
		}
		remove_family(r, record);
		record = NO_RECORD;
	}
	if (record == NO_RECORD)
		rc = make_family(r, fd, def, hash, slot, &record, ret_reason);
	if (rc)
		return sm_diag_set(diag, rc, "no room to declare %.60s: %s (see shardmeter doctor)", def->name,
				   strerror(-rc));
	if (slot)
		fetch_or_full(&region_holds(r, slot)[family_bit(record) / 64],
			      UINT64_C(1) << (family_bit(record) % 64));
	if (theirs[0])
		sm_diag_set(diag, 0, "%.60s was declared as %s and nobody used it any more: it begins anew as %s",
			    def->name, theirs, ours);
	*ret_record = record;
	return 0;
}
