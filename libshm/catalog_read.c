/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_read.c - see catalog_read.h.
 *
 * Reading. Families, series, then the string area are copied, then the records once more: a record
 * counts if it was LIVE with one incarnation both times. A record that is removed keeps its text
 * and cells for 60 s, so whatever was LIVE at the second look had its text in place between. Cells
 * and text given out later than the first look belong to no record that counts.
 *
 * Memory. All arrays hang on the catalog and are freed with it; what a segment may make us
 * allocate is bounded by the memory that it holds itself (sm_reader_afford()).
 *
 * Two series of one family with equal values would be one series twice in an exposition, which
 * makes a scraper refuse all of it: the second is dropped and counted. The table that finds them
 * is keyed with random bits, since label values may come from strangers.
 */
#include "catalog_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "atomics.h"
#include "diag.h"

struct arena_block {
	struct arena_block *next;
	uint64_t data[];
};

/* A catalog under construction. */
struct build {
	struct sm_reader *r;
	struct sm_diag *diag;
	struct sm_catalog *c;
	struct sm_family_rec *families;		/* copies; state FREE: does not count */
	struct sm_series_rec *series;
	uint32_t nfamilies, nseries;		/* records copied */
	uint32_t nstrings;
	uint32_t *family_at;			/* record -> index in c->families, or NONE */
	uint32_t *overflow;			/* index -> 1 + record of the overflow series */
	uint64_t spent;				/* bytes in blocks */
	int error; /* why there is no memory or no copy, if not -ENOMEM */
	char *room;				/* rest of the newest small block */
	size_t left;
	uint64_t key[2];
	struct { uint32_t tag, series; } *seen;	/* duplicates: series = 1 + index */
	uint32_t seen_mask;
};

#define NONE UINT32_MAX
#define SMALL_BLOCK (32u * 1024)

/* An allocation that lives as long as the catalog; never NULL for want of bytes. */
static void *arena_alloc(void *ctx, size_t bytes)
{
	struct build *b = ctx;
	struct arena_block *block;
	size_t size = ((bytes ? bytes : 1) + 15) & ~(size_t)15;
	char *p;

	if (size > b->left) {
		size_t want = size > SMALL_BLOCK / 4 ? size : SMALL_BLOCK;

		b->spent += want;
		/* The public form of a record takes up to 8 times its bytes. */
		b->error = sm_reader_afford(b->r, b->spent / 8, "catalog", b->diag);
		if (b->error)
			return NULL;
		block = malloc(sizeof(*block) + want);
		if (!block)
			return NULL;
		block->next = b->c->blocks;
		b->c->blocks = block;
		if (want == size)
			return block->data;
		b->room = (char *)block->data;
		b->left = want;
	}
	p = b->room;
	b->room += size;
	b->left -= size;
	return p;
}

/* ---- copying ------------------------------------------------------------------------------ */

/* A copy of part of the file, or NULL and why in b->error. */
static void *copy_area(struct build *b, uint64_t offset, uint64_t bytes, const char *what)
{
	void *p;

	b->error = sm_reader_afford(b->r, bytes, what, b->diag);
	if (b->error)
		return NULL;
	p = malloc(bytes ? (size_t)bytes : 1);
	if (!p) {
		b->error = sm_diag_set(b->diag, -ENOMEM, "no memory for %llu bytes of %s",
				       (unsigned long long)bytes, what);
		return NULL;
	}
	b->error = sm_reader_pread(b->r, p, (size_t)bytes, offset, b->diag);
	if (b->error) {
		free(p);
		return NULL;
	}
	return p;
}

/* The same records again: those that changed meanwhile do not count. Both kinds of record begin
 * with a 32-bit state and have their incarnation at byte 8. */
struct record_head {
	uint32_t state;
	uint32_t other;
	uint64_t incarnation;
};

_Static_assert(offsetof(struct sm_family_rec, incarnation) == 8 &&
		       offsetof(struct sm_series_rec, incarnation) == 8,
	       "struct record_head");

static int look_again(struct build *b, void *records, uint32_t n, size_t size, uint64_t offset)
{
	uint32_t first, count, i, per_chunk = (uint32_t)(READER_CHUNK / size);
	struct record_head now, *then;
	int rc;

	for (first = 0; first < n; first += count) {
		count = n - first < per_chunk ? n - first : per_chunk;
		rc = sm_reader_pread(b->r, b->r->chunk, count * size,
				     offset + (uint64_t)first * size, b->diag);
		if (rc)
			return rc;
		for (i = 0; i < count; i++) {
			then = (struct record_head *)(void *)((char *)records +
							      (size_t)(first + i) * size);
			memcpy(&now, (const char *)b->r->chunk + i * size, sizeof(now));
			if (now.state != then->state || now.incarnation != then->incarnation)
				then->state = SM_REC_FREE;
		}
	}
	return 0;
}

static int damaged_mark(struct build *b, const char *what, uint32_t have, uint32_t most)
{
	return sm_diag_set(b->diag, -EBADMSG, "%s: damaged: %u %s in use, of %u", b->r->facts->path,
			   have, what, most);
}

static int copy_catalog(struct build *b, const struct sm_header *h)
{
	const struct sm_header *geo = &b->r->geo;
	struct sm_header now;
	unsigned z;
	int rc;

	if (h->families_used > geo->nfamilies)
		return damaged_mark(b, "families", h->families_used, geo->nfamilies);
	if (h->series_used > geo->nseries)
		return damaged_mark(b, "series", h->series_used, geo->nseries);
	b->nfamilies = h->families_used;
	b->nseries = h->series_used;
	b->families = copy_area(b, geo->off_families, (uint64_t)b->nfamilies * sizeof(*b->families),
				"families");
	if (!b->families)
		return b->error;
	b->series =
		copy_area(b, geo->off_series, (uint64_t)b->nseries * sizeof(*b->series), "series");
	if (!b->series)
		return b->error;
	/* Marks of storage only grow: read after the records, they cover all that these name. */
	rc = sm_reader_header(b->r, &now, b->diag);
	if (rc)
		return rc;
	if (now.strings_used > geo->strings_bytes)
		return damaged_mark(b, "bytes of strings", now.strings_used, geo->strings_bytes);
	if (now.exemplars_used > geo->nexemplars)
		return damaged_mark(b, "exemplars", now.exemplars_used, geo->nexemplars);
	for (z = 0; z < SM_ZONES; z++) {
		if (now.cells_used[z] > geo->zone_cells[z])
			return damaged_mark(b, "cells", now.cells_used[z], geo->zone_cells[z]);
		b->c->cells_used[z] = now.cells_used[z];
	}
	b->nstrings = now.strings_used;
	b->c->families_used = b->nfamilies;
	b->c->series_used = b->nseries;
	b->c->strings_used = b->nstrings;
	b->c->exemplars_used = now.exemplars_used;
	b->c->generation = h->catalog_gen;
	b->c->strings = copy_area(b, geo->off_strings, b->nstrings, "strings");
	if (!b->c->strings)
		return b->error;
	rc = look_again(b, b->families, b->nfamilies, sizeof(*b->families), geo->off_families);
	if (!rc)
		rc = look_again(b, b->series, b->nseries, sizeof(*b->series), geo->off_series);
	return rc;
}

/* ---- families ----------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct sm_family_info *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->id > y->id) - (x->id < y->id);
}

static const struct sm_family_info *find_family(const struct sm_family_info *list, size_t n,
						const char *name)
{
	size_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (strcmp(list[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && strcmp(list[lo].name, name) == 0 ? &list[lo] : NULL;
}

/* A histogram x gives samples x_bucket, x_sum, x_count: families of such names would clash with
 * them. Marks those by kind 0. */
static void mark_clashes(struct sm_family_info *list, size_t n)
{
	static const char *const suffixes[] = { "_bucket", "_sum", "_count" };
	const struct sm_family_info *other;
	char name[SM_NAME_MAX + 8];
	size_t i, s, len;

	for (i = 0; i < n; i++) {
		if (list[i].kind != SM_HISTOGRAM)
			continue;
		len = strlen(list[i].name);
		memcpy(name, list[i].name, len);
		for (s = 0; s < sizeof(suffixes) / sizeof(suffixes[0]); s++) {
			memcpy(name + len, suffixes[s], strlen(suffixes[s]) + 1);
			other = find_family(list, n, name);
			if (other)
				list[other - list].kind = (enum sm_kind)0;
		}
	}
}

/* Sort by name and drop what is there twice. more goes along by the record number in id. */
static int order_families(struct build *b, size_t n)
{
	struct sm_family_info *list = b->c->families;
	struct family_more *more = b->c->more, *sorted;
	uint32_t *at = b->family_at;		/* record -> index before sorting */
	size_t i, kept = 0;

	sorted = arena_alloc(b, n * sizeof(*sorted));
	b->overflow = calloc(n ? n : 1, sizeof(*b->overflow));
	if (!sorted || !b->overflow)
		return -ENOMEM;
	if (n)
		qsort(list, n, sizeof(*list), by_name);
	mark_clashes(list, n);
	for (i = 0; i < n; i++) {
		uint32_t record = list[i].id, before = at[record];

		at[record] = NONE;
		if (!list[i].kind || (kept && strcmp(list[kept - 1].name, list[i].name) == 0)) {
			b->c->damaged++;
			continue;
		}
		list[kept] = list[i];
		sorted[kept] = more[before];
		b->overflow[kept] = b->families[record].overflow;
		at[record] = (uint32_t)kept++;
	}
	b->c->more = sorted;
	b->c->nfamilies = kept;
	return 0;
}

static int build_families(struct build *b)
{
	struct sm_catalog *c = b->c;
	uint32_t i, n = 0, live = 0;
	const char *why;
	int rc;

	for (i = 0; i < b->nfamilies; i++)
		live += b->families[i].state == SM_REC_LIVE;
	c->families = arena_alloc(b, live * sizeof(*c->families));
	c->more = arena_alloc(b, live * sizeof(*c->more));
	b->family_at = malloc((b->nfamilies ? b->nfamilies : 1) * sizeof(*b->family_at));
	if (!c->families || !c->more || !b->family_at)
		return -ENOMEM;
	for (i = 0; i < b->nfamilies; i++) {
		b->family_at[i] = NONE;
		if (b->families[i].state != SM_REC_LIVE)
			continue;
		rc = sm_catalog_parse_family(&b->families[i], c->strings, b->nstrings, arena_alloc,
					     b, &c->families[n], &c->more[n], &why);
		if (rc == -EBADMSG) {
			c->damaged++;
			continue;
		}
		if (rc)
			return rc;
		c->families[n].id = i;
		b->family_at[i] = n++;
	}
	return order_families(b, n);
}

/* ---- series ------------------------------------------------------------------------------- */

static uint64_t rotate(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein): nobody can choose values that collide without the key. */
static uint64_t keyed_hash(const uint64_t key[2], uint32_t family, const char *p, size_t n)
{
	uint64_t v[4] = { key[0] ^ UINT64_C(0x736f6d6570736575),
			  key[1] ^ UINT64_C(0x646f72616e646f6d),
			  key[0] ^ UINT64_C(0x6c7967656e657261),
			  key[1] ^ UINT64_C(0x7465646279746573) };
	uint64_t word = family, total = n;

	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = 0;
	memcpy(&word, p, n);
	word |= total << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static int seen_init(struct build *b, uint32_t n)
{
	uint32_t size = 16;

	while (size < 2 * n)		/* n <= SM_MAX_SERIES */
		size *= 2;
	b->seen = calloc(size, sizeof(*b->seen));
	b->seen_mask = size - 1;
	if (getrandom(b->key, sizeof(b->key), GRND_NONBLOCK) != sizeof(b->key)) {
		b->key[0] = sm_reader_clock_ns(CLOCK_MONOTONIC);
		b->key[1] = (uintptr_t)b->seen;
	}
	return b->seen ? 0 : -ENOMEM;
}

/* Record this label set of a family; false if it was there. record: number of the series record. */
static bool seen_add(struct build *b, uint32_t record)
{
	const struct sm_series_rec *s = &b->series[record], *other;
	const char *text = b->c->strings + s->strings;
	uint64_t hash = keyed_hash(b->key, s->family, text, s->text_len);
	uint32_t at = (uint32_t)hash & b->seen_mask, tag = (uint32_t)(hash >> 32);

	for (; b->seen[at].series; at = (at + 1) & b->seen_mask) {
		other = &b->series[b->seen[at].series - 1];
		if (b->seen[at].tag == tag && other->family == s->family &&
		    other->text_len == s->text_len &&
		    memcmp(b->c->strings + other->strings, text, s->text_len) == 0)
			return false;
	}
	b->seen[at].tag = tag;
	b->seen[at].series = record + 1;
	return true;
}

/* Check one record and fill in *info. values: room for the labels. */
static bool build_series(struct build *b, uint32_t record, uint32_t family, struct sm_str *values,
			 struct sm_series_info *info)
{
	const struct sm_series_rec *s = &b->series[record];
	const struct sm_family_info *f = &b->c->families[family];
	const char *why;

	if (sm_catalog_check_cells(&b->r->geo, b->c->cells_used, f, &b->c->more[family], s, &why) ||
	    sm_catalog_parse_values(s, b->c->strings, b->nstrings, f->nlabels, values, &why) ||
	    !seen_add(b, record))
		return false;
	memset(info, 0, sizeof(*info));
	info->id = record;
	info->incarnation = s->incarnation;
	info->values = values;
	info->created_real_ns = s->created_real_ns;
	info->created_boot_ns = s->created_boot_ns;
	info->overflow = b->overflow[family] == record + 1;
	info->family = family;
	memcpy(info->cell, s->cell, sizeof(info->cell));
	if (s->exemplar && s->nexemplars <= b->r->geo.nexemplars &&
	    s->exemplar - 1 <= b->r->geo.nexemplars - s->nexemplars) {
		info->exemplar = s->exemplar;
		info->nexemplars = s->nexemplars;
	}
	return true;
}

/* Which family's series is this? Index, or NONE if it does not count. */
static uint32_t series_family(const struct build *b, uint32_t record)
{
	const struct sm_series_rec *s = &b->series[record];

	if (s->state != SM_REC_LIVE || s->family >= b->nfamilies ||
	    b->family_at[s->family] == NONE ||
	    b->families[s->family].incarnation != s->family_incarnation)
		return NONE;
	return b->family_at[s->family];
}

static int build_all_series(struct build *b)
{
	struct sm_catalog *c = b->c;
	struct sm_series_info *info;
	struct sm_str *values;
	size_t *next, candidates = 0, nvalues = 0, count;
	uint32_t i, f;
	int rc;

	next = calloc(c->nfamilies + 1, sizeof(*next));
	if (!next)
		return -ENOMEM;
	for (i = 0; i < b->nseries; i++) {
		f = series_family(b, i);
		if (f == NONE)
			continue;
		next[f]++;
		candidates++;
		nvalues += c->families[f].nlabels;
	}
	info = arena_alloc(b, candidates * sizeof(*info));
	values = arena_alloc(b, nvalues * sizeof(*values));
	rc = info && values ? seen_init(b, (uint32_t)candidates) : -ENOMEM;
	for (f = 0, candidates = 0; !rc && f < c->nfamilies; f++) {
		count = next[f];
		c->families[f].series = info + candidates;
		next[f] = candidates;
		candidates += count;
	}
	for (i = 0; !rc && i < b->nseries; i++) {
		f = series_family(b, i);
		if (f == NONE)
			continue;
		/* In order of their records, which is that of registration but for reused ones. */
		if (build_series(b, i, f, values, &info[next[f]])) {
			next[f]++;
			c->families[f].nseries++;
			values += c->families[f].nlabels;
		} else {
			c->damaged++;
		}
	}
	free(next);
	return rc;
}

/* ---- what a snapshot must know ------------------------------------------------------------- */

static int by_cell(const void *a, const void *b)
{
	const struct special *x = a, *y = b;

	return (x->cell > y->cell) - (x->cell < y->cell);
}

static size_t special_of(const struct sm_catalog *c, size_t family, const struct sm_series_info *s,
			 const struct sm_header *geo, struct special *ret)
{
	const struct sm_family_info *f = &c->families[family];
	bool is_signed = c->more[family].sum_signed;

	if (f->kind == SM_COUNTER && s->cell[SM_CELL_DOUBLE]) {
		ret->cell = s->cell[SM_CELL_DOUBLE];
		ret->kind = SPECIAL_DOUBLE;
	} else if (f->kind == SM_HISTOGRAM) {
		ret->cell = s->cell[SM_CELL_BUCKETS] + c->more[family].nbuckets;
		if (f->flags & SM_FAMILY_SUM_DOUBLE)
			ret->kind = is_signed ? SPECIAL_DOUBLE_SIGNED : SPECIAL_DOUBLE;
		else
			ret->kind = is_signed ? SPECIAL_SUM_SIGNED : SPECIAL_SUM;
	} else {
		return 0;
	}
	ret->cell -= geo->zone_first[SM_ZONE_ADD];
	ret->series_incarnation = s->incarnation;
	return 1;
}

static int build_cells(struct build *b)
{
	const struct sm_header *geo = &b->r->geo;
	struct sm_catalog *c = b->c;
	size_t f, i, specials = 0, recents = 0, kept = 0;
	struct special one;

	for (f = 0; f < c->nfamilies; f++) {
		const struct sm_family_info *info = &c->families[f];

		for (i = 0; i < info->nseries; i++)
			specials += special_of(c, f, &info->series[i], geo, &one);
		if (info->kind == SM_GAUGE && info->mode == SM_MODE_MOSTRECENT)
			recents += info->nseries;
		c->any_keep |= (info->flags & SM_FAMILY_KEEP) != 0;
		c->any_updown |= info->kind == SM_UPDOWN;
	}
	c->special = arena_alloc(b, specials * sizeof(*c->special));
	c->recent = arena_alloc(b, recents * sizeof(*c->recent));
	if (!c->special || !c->recent)
		return -ENOMEM;
	for (f = 0; f < c->nfamilies; f++) {
		const struct sm_family_info *info = &c->families[f];

		for (i = 0; i < info->nseries; i++) {
			c->nspecials +=
				special_of(c, f, &info->series[i], geo, &c->special[c->nspecials]);
			if (info->kind == SM_GAUGE && info->mode == SM_MODE_MOSTRECENT)
				c->recent[c->nrecents++] = info->series[i].cell[SM_CELL_GAUGE] -
							   geo->zone_first[SM_ZONE_SET];
		}
	}
	if (c->nspecials)
		qsort(c->special, c->nspecials, sizeof(*c->special), by_cell);
	/* One cell twice is damage; the rest of the reader counts on there being none. */
	for (i = 0; i < c->nspecials; i++)
		if (!kept || c->special[kept - 1].cell != c->special[i].cell)
			c->special[kept++] = c->special[i];
	c->damaged += c->nspecials - kept;
	c->nspecials = kept;
	return 0;
}

/* For sm_snapshot_counts(): a large family's cells close together. */
static int build_whole(struct build *b)
{
	const struct sm_family_info *info;
	uint32_t *cells;
	size_t f, i;

	for (f = 0; f < b->c->nfamilies; f++) {
		info = &b->c->families[f];
		for (i = 0; i < info->nseries && !info->series[i].cell[SM_CELL_FIXED] &&
			    !info->series[i].cell[SM_CELL_DOUBLE]; i++)
			;
		if (info->kind != SM_COUNTER || i < info->nseries)
			continue;
		cells = arena_alloc(b, info->nseries * sizeof(*cells));
		if (!cells)
			return -ENOMEM;
		for (i = 0; i < info->nseries; i++)
			cells[i] = info->series[i].cell[SM_CELL_U64];
		b->c->more[f].whole = cells;
	}
	return 0;
}

static void build_release(struct build *b)
{
	free(b->families);
	free(b->series);
	free(b->family_at);
	free(b->overflow);
	free(b->seen);
	sm_catalog_unref(b->c);
}

int sm_catalog_read(struct sm_reader *r, const struct sm_header *h, struct sm_catalog **ret_catalog,
		 struct sm_diag *diag)
{
	struct build b = { .r = r, .diag = diag };
	int rc;

	b.c = calloc(1, sizeof(*b.c));
	if (!b.c)
		return sm_diag_set(diag, -ENOMEM, "no memory");
	b.c->refs = 1;
	rc = copy_catalog(&b, h);
	if (!rc)
		rc = build_families(&b);
	if (!rc)
		rc = build_all_series(&b);
	if (!rc)
		rc = build_cells(&b);
	if (!rc)
		rc = build_whole(&b);
	if (!rc) {
		*ret_catalog = b.c;
		b.c = NULL;
	} else if (b.error) {
		rc = b.error;
	} else if (rc == -ENOMEM) {
		sm_diag_set(diag, rc, "no memory for the catalog");
	}
	build_release(&b);
	return rc;
}

struct sm_catalog *sm_catalog_ref(struct sm_catalog *c)
{
	add_relaxed(&c->refs, 1);
	return c;
}

void sm_catalog_unref(struct sm_catalog *c)
{
	struct arena_block *block, *next;

	if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	for (block = c->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	free(c->strings);
	free(c);
}

size_t sm_catalog_special_from(const struct sm_catalog *c, uint32_t cell)
{
	size_t lo = 0, hi = c->nspecials, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (c->special[mid].cell < cell)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}
