/* SPDX-License-Identifier: Apache-2.0 */
/* check_catalog.c - sm_check(): records, their storage, and the index that finds them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hash.h"

#define INDEX_DELETED	UINT32_MAX
#define FLAGS_KNOWN                                                                         \
	(SM_FF_FINE_GRID | SM_FF_SUM_DOUBLE | SM_FF_KEEP | SM_FF_EXEMPLARS | SM_FF_SIGNED | \
	 SM_FF_CRITICAL)

static bool size_class_ok(uint32_t bytes)
{
	return bytes >= 16 && (bytes & (bytes - 1)) == 0;
}

static bool state_ok(struct check *c, const char *what, uint32_t i, uint32_t state)
{
	if (state > SM_REC_TOMB)
		sm_check_found(c, "%s %u: state is %u", what, i, state);
	else if (state == SM_REC_INIT && c->quiet)
		sm_check_found(c, "%s %u: was left half made", what, i);
	return state == SM_REC_LIVE;
}

/* ---- families ------------------------------------------------------------------------------ */

/* Live series of each family, its overflow series not counted. */
static uint32_t *count_series(struct check *c)
{
	uint32_t *n = sm_check_alloc(c, c->nfamilies * sizeof(*n)), i;
	const struct sm_series_rec *s;

	if (!n)
		return NULL;
	memset(n, 0, c->nfamilies * sizeof(*n));
	for (i = 0; i < c->nseries; i++) {
		s = &c->series[i];
		if (s->state == SM_REC_LIVE && s->family < c->nfamilies &&
		    s->family_incarnation == c->families[s->family].incarnation &&
		    c->families[s->family].overflow != i + 1)
			n[s->family]++;
	}
	return n;
}

static void check_family(struct check *c, uint32_t i, uint32_t live)
{
	const struct sm_family_rec *f = &c->families[i];
	const char *why, *name;
	int rc;

	rc = sm_catalog_parse_family(f, c->strings, c->nstrings, sm_check_alloc, c, &c->info[i],
				     &c->more[i], &why);
	if (rc == -EBADMSG) {
		c->info[i].kind = (enum sm_kind)0;
		sm_check_found(c, "family %u: %s", i, why);
		return;
	}
	if (rc)
		return;
	name = c->info[i].name;
	if (f->hash != sm_hash_bytes(SM_HASH_K1, name, strlen(name)))
		sm_check_found(c, "family %u (%s): hash is wrong", i, name);
	if (f->flags & ~FLAGS_KNOWN)
		sm_check_found(c, "family %u (%s): flags 0x%x are unknown", i, name, f->flags);
	if (!size_class_ok(f->strings_bytes) ||
	    (f->bounds_bytes && !size_class_ok(f->bounds_bytes)))
		sm_check_found(c, "family %u (%s): a block has no size class", i, name);
	if (!f->incarnation)
		sm_check_found(c, "family %u (%s): incarnation is 0", i, name);
	if (!f->cap)
		sm_check_found(c, "family %u (%s): cap is 0", i, name);
	if (f->series_live != live)
		sm_check_found(c, "family %u (%s): series_live is %u, but %u are live", i, name,
			       f->series_live, live);
	if (f->overflow && (f->overflow > c->nseries || c->series[f->overflow - 1].family != i))
		sm_check_found(c, "family %u (%s): overflow series %u is not its own", i, name,
			       f->overflow - 1);
	c->info[i].id = i;
}

static int by_name(const void *a, const void *b)
{
	const struct sm_family_info *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	return order ? order : ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static void check_names(struct check *c)
{
	const struct sm_family_info **list = sm_check_alloc(c, c->nfamilies * sizeof(void *));
	size_t i, n = 0;

	for (i = 0; list && i < c->nfamilies; i++)
		if (c->info[i].kind)
			list[n++] = &c->info[i];
	if (n)
		qsort(list, n, sizeof(void *), by_name);
	for (i = 1; i < n; i++)
		if (strcmp(list[i - 1]->name, list[i]->name) == 0)
			sm_check_found(c, "family %u (%s): family %u has the same name",
				       list[i]->id, list[i]->name, list[i - 1]->id);
}

void sm_check_families(struct check *c)
{
	uint32_t *live = count_series(c), i;

	c->info = sm_check_alloc(c, c->nfamilies * sizeof(*c->info));
	c->more = sm_check_alloc(c, c->nfamilies * sizeof(*c->more));
	if (c->error)
		return;
	memset(c->info, 0, c->nfamilies * sizeof(*c->info));
	for (i = 0; i < c->nfamilies; i++)
		if (state_ok(c, "family", i, c->families[i].state))
			check_family(c, i, live[i]);
	check_names(c);
}

/* ---- series -------------------------------------------------------------------------------- */

/* Mark cells as some series'. Out of range is reported elsewhere. */
static void own_cells(struct check *c, uint32_t series, uint32_t cell, uint32_t n)
{
	uint32_t i;
	bool twice = false;

	for (i = cell; i < c->r->geo.cells && i - cell < n; i++) {
		twice |= c->owned[i / 64] >> (i % 64) & 1;
		c->owned[i / 64] |= UINT64_C(1) << (i % 64);
	}
	if (twice)
		sm_check_found(c, "series %u: its cells belong to another series, too", series);
}

static void own_all_cells(struct check *c, uint32_t i)
{
	const struct sm_series_rec *s = &c->series[i];
	unsigned k;

	if (s->cell[0])
		own_cells(c, i, s->cell[0], s->ncells ? s->ncells : 1);
	for (k = 1; k < SM_CELLS_PER_SERIES; k++)
		if (s->cell[k])
			own_cells(c, i, s->cell[k], 1);
}

static void check_series_text(struct check *c, uint32_t i)
{
	const struct sm_series_rec *s = &c->series[i];
	const struct sm_family_info *f = &c->info[s->family];
	struct sm_str values[SM_MAX_LABELS];
	const char *why;
	uint64_t hash;

	if (sm_catalog_parse_values(s, c->strings, c->nstrings, f->nlabels, values, &why)) {
		sm_check_found(c, "series %u of %s: %s", i, f->name, why);
		return;
	}
	hash = sm_series_hash(s->family, values, f->nlabels);
	if (s->hash != hash)
		sm_check_found(c, "series %u of %s: hash is wrong", i, f->name);
	c->labelled[c->nlabelled].rec = s;
	c->labelled[c->nlabelled++].text = c->strings + s->strings;
}

static void check_series(struct check *c, uint32_t i)
{
	const struct sm_series_rec *s = &c->series[i];
	const struct sm_family_info *f;
	const char *why;

	if (s->family >= c->nfamilies) {
		sm_check_found(c, "series %u: family %u does not exist", i, s->family);
		return;
	}
	f = &c->info[s->family];
	if (c->families[s->family].state != SM_REC_LIVE ||
	    c->families[s->family].incarnation != s->family_incarnation) {
		sm_check_found(c, "series %u: its family %u is gone", i, s->family);
		return;
	}
	if (!f->kind)
		return;			/* the family was reported */
	if (!s->incarnation)
		sm_check_found(c, "series %u of %s: incarnation is 0", i, f->name);
	if (!size_class_ok(s->strings_bytes))
		sm_check_found(c, "series %u of %s: its block has no size class", i, f->name);
	if (sm_catalog_check_cells(&c->r->geo, c->h.cells_used, f, &c->more[s->family], s, &why))
		sm_check_found(c, "series %u of %s: %s", i, f->name, why);
	if (s->exemplar ? (uint64_t)s->exemplar - 1 + s->nexemplars > c->h.exemplars_used ||
				  !s->nexemplars
			: s->nexemplars != 0)
		sm_check_found(c, "series %u of %s: its exemplars are out of range", i, f->name);
	check_series_text(c, i);
}

static int by_labels(const void *a, const void *b)
{
	const struct check_labelled *x = a, *y = b;
	int order = (x->rec->family > y->rec->family) - (x->rec->family < y->rec->family);

	if (!order)
		order = (x->rec->text_len > y->rec->text_len) -
			(x->rec->text_len < y->rec->text_len);
	if (!order)
		order = memcmp(x->text, y->text, x->rec->text_len);
	return order ? order : (x->rec > y->rec) - (x->rec < y->rec);
}

static void check_twice(struct check *c)
{
	const struct check_labelled *x, *y;
	size_t i;

	if (c->nlabelled)
		qsort(c->labelled, c->nlabelled, sizeof(*c->labelled), by_labels);
	for (i = 1; i < c->nlabelled; i++) {
		x = &c->labelled[i - 1];
		y = &c->labelled[i];
		if (x->rec->family == y->rec->family && x->rec->text_len == y->rec->text_len &&
		    memcmp(x->text, y->text, x->rec->text_len) == 0)
			sm_check_found(c, "series %u of %s: series %u has the same labels",
				       (unsigned)(y->rec - c->series), c->info[y->rec->family].name,
				       (unsigned)(x->rec - c->series));
	}
}

void sm_check_series(struct check *c)
{
	size_t words = c->r->geo.cells / 64;
	uint32_t i;

	c->error = sm_reader_afford(c->r, words * 8, "cells", NULL);
	if (!c->error)
		c->owned = sm_check_alloc(c, words * 8);
	if (!c->error)
		c->labelled = sm_check_alloc(c, c->nseries * sizeof(*c->labelled));
	if (c->error)
		return;
	memset(c->owned, 0, words * 8);
	for (i = 0; i < c->nseries; i++) {
		/* What was removed keeps its cells. */
		if (c->series[i].state != SM_REC_FREE)
			own_all_cells(c, i);
		if (state_ok(c, "series", i, c->series[i].state))
			check_series(c, i);
	}
	check_twice(c);
}

/* ---- storage ------------------------------------------------------------------------------- */

struct storage {
	uint32_t offset, bytes;
	const char *what;
	uint32_t record;
};

static int by_offset(const void *a, const void *b)
{
	const struct storage *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static void check_overlaps(struct check *c, struct storage *list, size_t n, uint32_t used,
			   const char *area)
{
	size_t i;

	if (n)
		qsort(list, n, sizeof(*list), by_offset);
	for (i = 0; i < n; i++) {
		if ((uint64_t)list[i].offset + list[i].bytes > used)
			sm_check_found(c, "%s %u: its %s reach beyond what is used", list[i].what,
				       list[i].record, area);
		if (i && (uint64_t)list[i - 1].offset + list[i - 1].bytes > list[i].offset)
			sm_check_found(c, "%s %u: its %s overlap those of %s %u", list[i].what,
				       list[i].record, area, list[i - 1].what, list[i - 1].record);
	}
}

static size_t add_storage(struct storage *list, size_t n, uint32_t offset, uint32_t bytes,
			  const char *what, uint32_t record)
{
	if (!bytes)
		return n;
	list[n].offset = offset;
	list[n].bytes = bytes;
	list[n].what = what;
	list[n].record = record;
	return n + 1;
}

void sm_check_blocks(struct check *c)
{
	struct storage *list =
		sm_check_alloc(c, (2 * (size_t)c->nfamilies + c->nseries) * sizeof(*list));
	uint32_t i;
	size_t n = 0;

	if (!list)
		return;
	for (i = 0; i < c->nfamilies; i++) {
		const struct sm_family_rec *f = &c->families[i];

		n = add_storage(list, n, f->strings, f->strings_bytes, "family", i);
		n = add_storage(list, n, f->bounds, f->bounds_bytes, "family", i);
	}
	for (i = 0; i < c->nseries; i++)
		n = add_storage(list, n, c->series[i].strings, c->series[i].strings_bytes, "series",
				i);
	check_overlaps(c, list, n, c->nstrings, "strings");
	for (i = 0, n = 0; i < c->nseries; i++)
		if (c->series[i].exemplar)
			n = add_storage(list, n, c->series[i].exemplar - 1, c->series[i].nexemplars,
					"series", i);
	check_overlaps(c, list, n, c->h.exemplars_used, "exemplars");
}

/* ---- index --------------------------------------------------------------------------------- */

/*
 * Where each series stands in the index (1 + place), and how many empty entries precede each
 * place: a look-up ends at an empty entry, so a series is found if there is none between the place
 * of its hash and its own. Both bounded, whatever the index holds.
 */
static void check_entries(struct check *c, uint32_t *place, uint32_t *empties)
{
	uint32_t n = c->r->geo.index_entries, i, entry;

	for (i = 0; i < n; i++) {
		entry = c->index[i];
		empties[i + 1] = empties[i] + (entry == 0);
		if (!entry || entry == INDEX_DELETED)
			continue;
		if (entry > c->nseries) {
			sm_check_found(c, "index entry %u: series %u does not exist", i, entry - 1);
			continue;
		}
		if (c->series[entry - 1].state != SM_REC_LIVE)
			sm_check_found(c, "index entry %u: series %u is not live", i, entry - 1);
		if (place[entry - 1])
			sm_check_found(c, "index entry %u: series %u is there twice", i, entry - 1);
		place[entry - 1] = i + 1;
	}
}

void sm_check_index(struct check *c)
{
	uint32_t n = c->r->geo.index_entries, i, from, to, between;
	uint32_t *place = sm_check_alloc(c, ((size_t)c->nseries + 1) * sizeof(*place));
	uint32_t *empties = sm_check_alloc(c, ((size_t)n + 1) * sizeof(*empties));

	if (!place || !empties)
		return;
	memset(place, 0, ((size_t)c->nseries + 1) * sizeof(*place));
	empties[0] = 0;
	check_entries(c, place, empties);
	for (i = 0; i < c->nseries; i++) {
		if (c->series[i].state != SM_REC_LIVE)
			continue;
		from = (uint32_t)c->series[i].hash & (n - 1);
		to = place[i] - 1;
		if (place[i])
			between = to >= from ? empties[to] - empties[from]
					     : empties[n] - empties[from] + empties[to];
		if (!place[i] || between)
			sm_check_found(c, "series %u: the index does not lead to it", i);
	}
}
