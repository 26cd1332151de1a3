/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_builder.h - a segment made by hand, byte by byte from layout.h, for tests of readers.
 *
 * No writer code is involved: what a reader reads here stands in the format and nowhere else, and
 * any state can be made, also those that no writer leaves. A writer is alive while the test holds
 * its life lock on a descriptor of its own (open-file-description locks conflict within one
 * process, too).
 *
 *	struct builder b;
 *	builder_new(&b);
 *	uint32_t f = builder_family(&b, SM_COUNTER, "a_total", .labels = { "l" });
 *	uint32_t s = builder_series(&b, f, "play", NULL);
 *	uint32_t w = builder_writer(&b, "shard-1", true);
 *	*builder_cell(&b, w, 1, builder_rec(&b, s)->cell[0]) = 5;
 *	builder_free(&b);
 */
#ifndef TEST_SEGMENT_BUILDER_H
#define TEST_SEGMENT_BUILDER_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "bounds.h"
#include "geometry.h"
#include "hash.h"
#include "layout.h"
#include "reader_internal.h"

#define UNUSED __attribute__((unused))
#define RETIRED UINT32_MAX	/* as a slot: lane 0 and 1 are the retired lanes */
#define BUILDER_SLOTS 16

struct builder {
	char dir[64];
	char path[96];
	int fd;
	char *base;
	struct sm_header *h;
	int life[BUILDER_SLOTS];
};

UNUSED static struct sm_family_rec *builder_frec(struct builder *b, uint32_t i)
{
	return (struct sm_family_rec *)(void *)(b->base + b->h->off_families) + i;
}

UNUSED static struct sm_series_rec *builder_rec(struct builder *b, uint32_t i)
{
	return (struct sm_series_rec *)(void *)(b->base + b->h->off_series) + i;
}

UNUSED static struct sm_slot *builder_slot(struct builder *b, uint32_t i)
{
	return (struct sm_slot *)(void *)(b->base + b->h->off_slots) + i;
}

UNUSED static uint64_t *builder_map(struct builder *b, unsigned lane)
{
	return (uint64_t *)(void *)(b->base + sm_pagemap_offset(b->h, lane));
}

UNUSED static uint64_t *builder_holds(struct builder *b, uint32_t slot)
{
	return (uint64_t *)(void *)(b->base + sm_hold_offset(b->h, slot));
}

UNUSED static struct sm_ring_entry *builder_ring(struct builder *b, uint32_t slot, unsigned i)
{
	return (struct sm_ring_entry *)(void *)(b->base + sm_ring_offset(b->h, slot, i));
}

UNUSED static struct sm_exemplar_rec *builder_exemplar(struct builder *b, uint32_t i)
{
	return (struct sm_exemplar_rec *)(void *)(b->base + b->h->off_exemplars) + i;
}

UNUSED static uint32_t *builder_index(struct builder *b)
{
	return (uint32_t *)(void *)(b->base + b->h->off_index);
}

/* A small segment with the common writer and nothing else. */
UNUSED static void builder_new_sized(struct builder *b, const struct sm_geometry_wish *wish)
{
	struct sm_header h;
	struct sm_slot *common;
	unsigned i;

	memset(b, 0, sizeof(*b));
	for (i = 0; i < BUILDER_SLOTS; i++)
		b->life[i] = -1;
	strcpy(b->dir, "/dev/shm/shardmeter-test-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/segment", b->dir);
	b->fd = open(b->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(b->fd >= 0);
	memset(&h, 0, sizeof(h));
	assert_int_equal(sm_geometry_init(&h, wish, NULL), 0);
	h.magic = SM_MAGIC;
	h.endian = SM_ENDIAN_TAG;
	h.header_size = sizeof(h);
	h.major = SM_LAYOUT_MAJOR;
	h.minor = SM_LAYOUT_MINOR;
	h.state = SM_SEG_READY;
	memset(h.segment_id, 0xa5, sizeof(h.segment_id));
	strcpy(h.boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	h.created_real_ns = 1700000000000000000u;
	h.created_boot_ns = 1000;
	h.catalog_gen = 1;
	h.strings_used = 16;
	for (i = 0; i < SM_ZONES; i++)
		h.cells_used[i] = 8;
	assert_int_equal(ftruncate(b->fd, (off_t)h.file_bytes), 0);
	assert_int_equal(pwrite(b->fd, &h, sizeof(h), 0), sizeof(h));
	b->base = mmap(NULL, h.file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		       b->fd, 0);
	assert_true(b->base != MAP_FAILED);
	b->h = (struct sm_header *)(void *)b->base;
	common = builder_slot(b, 0);
	common->state = SM_SLOT_COMMON;
	common->incarnation = 1;
	common->lanes = 1;
	strcpy(common->name, "common");
}

UNUSED static void builder_new(struct builder *b)
{
	struct sm_geometry_wish wish = { .writers = BUILDER_SLOTS,
					 .lanes_per_writer = 3,
					 .families = 64,
					 .series = 512,
					 .cells = 16384,
					 .ring_entries = 8 };

	builder_new_sized(b, &wish);
}

UNUSED static void builder_kill(struct builder *b, uint32_t slot)
{
	close(b->life[slot]);
	b->life[slot] = -1;
}

UNUSED static void builder_free(struct builder *b)
{
	unsigned i;

	for (i = 0; i < BUILDER_SLOTS; i++)
		if (b->life[i] >= 0)
			builder_kill(b, i);
	munmap(b->base, b->h->file_bytes);
	close(b->fd);
	unlink(b->path);
	assert_int_equal(rmdir(b->dir), 0);
}

UNUSED static struct sm_reader *builder_reader(struct builder *b)
{
	struct sm_diag diag;
	struct sm_reader *r = NULL;

	if (sm_reader_open(b->path, &r, &diag))
		fail_msg("sm_reader_open: %s", diag.message);
	return r;
}

UNUSED static const struct sm_snapshot *builder_take(struct sm_reader *r, unsigned flags)
{
	const struct sm_snapshot *s = NULL;
	struct sm_diag diag;

	if (sm_snapshot_take(r, flags, &s, &diag))
		fail_msg("sm_snapshot_take: %s", diag.message);
	return s;
}

/* ---- catalog ------------------------------------------------------------------------------- */

UNUSED static uint32_t builder_text(struct builder *b, const char *text, size_t len,
				    uint32_t *ret_class)
{
	uint32_t at = b->h->strings_used, size = sm_size_class((uint32_t)len);

	assert_true(at + size <= b->h->strings_bytes);
	if (len)
		memcpy(b->base + b->h->off_strings + at, text, len);
	b->h->strings_used = at + size;
	*ret_class = size;
	return at;
}

struct builder_family {
	enum sm_kind kind;
	const char *name, *help, *unit;
	const char *labels[SM_MAX_LABELS];
	const char *states[SM_MAX_STATES];
	enum sm_gauge_mode mode;
	uint32_t flags;
	const double *bounds;
	unsigned nbounds;
	int grid_lo, grid_hi;		/* fine grid if they differ */
	unsigned decimals, sum_decimals;
};

static inline size_t builder_put(char *text, size_t at, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	memcpy(text + at, s ? s : "", len + 1);
	return at + len + 1;
}

UNUSED static uint32_t builder_add_family(struct builder *b, const struct builder_family *o)
{
	uint32_t i = b->h->families_used++;
	struct sm_family_rec *f = builder_frec(b, i);
	double united[SM_MAX_BUCKETS];
	char text[4096];
	size_t at = 0;
	unsigned n;

	memset(f, 0, sizeof(*f));
	f->kind = (uint32_t)o->kind;
	f->incarnation = 1;
	f->created_real_ns = 1700000000000000000u;
	f->created_boot_ns = 2000;
	at = builder_put(text, at, o->name);
	f->name_len = (uint16_t)strlen(o->name);
	at = builder_put(text, at, o->help);
	f->help_len = (uint16_t)(o->help ? strlen(o->help) : 0);
	at = builder_put(text, at, o->unit);
	f->unit_len = (uint16_t)(o->unit ? strlen(o->unit) : 0);
	for (n = 0; n < SM_MAX_LABELS && o->labels[n]; n++)
		at = builder_put(text, at, o->labels[n]);
	f->nlabels = (uint16_t)n;
	for (n = 0; n < SM_MAX_STATES && o->states[n]; n++)
		at = builder_put(text, at, o->states[n]);
	f->nstates = (uint16_t)n;
	f->text_len = (uint32_t)at;
	f->strings = builder_text(b, text, at, &f->strings_bytes);
	f->flags = o->flags | (o->grid_lo != o->grid_hi ? SM_FF_FINE_GRID : 0);
	if (o->kind == SM_HISTOGRAM) {
		f->nbounds = (uint16_t)o->nbounds;
		if (o->nbounds)
			f->bounds = builder_text(b, (const char *)o->bounds, o->nbounds * 8,
						 &f->bounds_bytes);
		f->grid_lo = (int8_t)o->grid_lo;
		f->grid_hi = (int8_t)o->grid_hi;
		f->nbuckets =
			(uint16_t)(sm_bounds_unite(o->bounds, o->nbounds, o->grid_lo != o->grid_hi,
						   o->grid_lo, o->grid_hi, united, SM_MAX_BUCKETS) +
				   1);
	}
	f->gauge_mode = (uint8_t)o->mode;
	f->decimals = (uint8_t)o->decimals;
	f->sum_decimals = (uint8_t)o->sum_decimals;
	f->cap = 1000;
	f->hash = sm_hash_bytes(SM_HASH_K1, o->name, strlen(o->name));
	f->state = SM_REC_LIVE;
	b->h->catalog_gen++;
	return i;
}

#define builder_family(b, k, n, ...) \
	builder_add_family((b), &(struct builder_family){ .kind = (k), .name = (n), __VA_ARGS__ })

UNUSED static uint32_t builder_cells(struct builder *b, unsigned zone, uint32_t n)
{
	uint32_t cell = b->h->zone_first[zone] + b->h->cells_used[zone], p;
	unsigned lane;

	b->h->cells_used[zone] += n;
	assert_true(b->h->cells_used[zone] <= b->h->zone_cells[zone]);
	for (lane = 0; zone == SM_ZONE_ADD && lane < 2; lane++)
		for (p = cell / 512; p <= (cell + n - 1) / 512; p++)
			builder_map(b, lane)[p / 64] |= UINT64_C(1) << (p % 64);
	return cell;
}

UNUSED static void builder_enter(struct builder *b, uint64_t hash, uint32_t record)
{
	uint32_t at = (uint32_t)hash;

	while (builder_index(b)[at & (b->h->index_entries - 1)])
		at++;
	builder_index(b)[at & (b->h->index_entries - 1)] = record + 1;
}

/* A series with these label values (n of them). Counters get all three cells. */
UNUSED static uint32_t builder_add_series(struct builder *b, uint32_t family,
					  const struct sm_str *values, size_t n)
{
	uint32_t i = b->h->series_used++;
	struct sm_family_rec *f = builder_frec(b, family);
	struct sm_series_rec *s = builder_rec(b, i);
	static char text[SM_MAX_LABELS * (SM_LABEL_VALUE_MAX + 2)];
	size_t v, at = 0;
	unsigned k;

	memset(s, 0, sizeof(*s));
	for (v = 0; v < n; v++) {
		memcpy(text + at, values[v].ptr, values[v].len);
		at += values[v].len;
		text[at++] = '\0';
	}
	s->text_len = (uint32_t)at;
	s->strings = builder_text(b, text, at, &s->strings_bytes);
	s->family = family;
	s->incarnation = 1;
	s->family_incarnation = f->incarnation;
	s->hash = sm_series_hash(family, values, n);
	s->created_real_ns = 1700000001000000000u;
	s->created_boot_ns = 3000;
	if (f->kind == SM_COUNTER) {
		for (k = 0; k < 3; k++)
			s->cell[k] = builder_cells(b, SM_ZONE_ADD, 1);
	} else {
		s->zone = f->kind == SM_HISTOGRAM ? SM_ZONE_ADD
			  : f->kind == SM_UPDOWN  ? SM_ZONE_LIVE
						  : SM_ZONE_SET;
		s->ncells = f->kind == SM_HISTOGRAM ? f->nbuckets + 1u :
			    f->kind == SM_GAUGE && f->gauge_mode == SM_MODE_MOSTRECENT ? 3 : 1;
		s->cell[0] = builder_cells(b, s->zone, s->ncells);
	}
	if ((f->flags & SM_FF_EXEMPLARS)) {
		s->exemplar = b->h->exemplars_used + 1;
		s->nexemplars = f->kind == SM_HISTOGRAM ? f->nbounds + 1u : 1;
		b->h->exemplars_used += s->nexemplars;
	}
	s->state = SM_REC_LIVE;
	f->series_live++;
	builder_enter(b, s->hash, i);
	b->h->catalog_gen++;
	return i;
}

/* The same with C strings, NULL at the end. */
UNUSED static uint32_t builder_series(struct builder *b, uint32_t family, ...)
{
	struct sm_str values[SM_MAX_LABELS];
	const char *v;
	size_t n = 0;
	va_list ap;

	va_start(ap, family);
	while (n < SM_MAX_LABELS && (v = va_arg(ap, const char *)))
		values[n++] = SM_STR(v);
	va_end(ap);
	return builder_add_series(b, family, values, n);
}

/* ---- writers and cells --------------------------------------------------------------------- */

UNUSED static uint32_t builder_writer(struct builder *b, const char *name, bool alive)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	struct sm_slot *s;
	uint32_t i;

	for (i = 1; builder_slot(b, i)->state != SM_SLOT_FREE; i++)
		;
	assert_true(i < BUILDER_SLOTS);
	s = builder_slot(b, i);
	memset(s, 0, sizeof(*s));
	s->incarnation = 1;
	b->h->claims++;
	s->lanes = 7;
	s->pid = 1000 + i;
	s->start_boot_ns = 1000000 * i;
	s->start_real_ns = 1700000000000000000u + i;
	s->claimed_boot_ns = 5000;
	snprintf(s->name, sizeof(s->name), "%s", name);
	strcpy(s->version, "1.2.3");
	s->state = SM_SLOT_LIVE;
	if (alive) {
		b->life[i] = open(b->path, O_RDWR | O_CLOEXEC);
		fl.l_start = SM_LOCK_LIFE(i);
		assert_int_equal(fcntl(b->life[i], F_OFD_SETLK, &fl), 0);
	}
	return i;
}

/* A cell of a lane of a slot (or of RETIRED), its page reserved; a count's lane is marked as written. */
UNUSED static uint64_t *builder_cell(struct builder *b, uint32_t slot, unsigned lane, uint32_t cell)
{
	unsigned number = slot == RETIRED ? lane : sm_lane_number(b->h, slot, lane);

	builder_map(b, number)[cell / 512 / 64] |= UINT64_C(1) << (cell / 512 % 64);
	/* Before the first fold readers do not look at the retired lanes. */
	if (slot == RETIRED && !b->h->fold_commit)
		b->h->fold_commit = 2;
	if (slot != RETIRED && (cell < b->h->zone_first[SM_ZONE_SET] ||
				cell >= b->h->zone_first[SM_ZONE_LIVE]))
		builder_slot(b, slot)->written |= UINT64_C(1) << lane;
	return (uint64_t *)(void *)(b->base + sm_lane_offset(b->h, number)) + cell;
}

UNUSED static uint64_t builder_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

UNUSED static void builder_gauge(struct builder *b, uint32_t slot, uint32_t series, double v)
{
	*builder_cell(b, slot, 0, builder_rec(b, series)->cell[0]) = builder_bits(v) ^ SM_UNSET;
}

UNUSED static void builder_hold(struct builder *b, uint32_t slot, uint32_t series)
{
	uint32_t bit = b->h->nfamilies + series;

	builder_holds(b, slot)[bit / 64] |= UINT64_C(1) << (bit % 64);
}

/* The series of a snapshot that this record became, or NULL. */
UNUSED static const struct sm_series_info *builder_find(const struct sm_snapshot *s,
							uint32_t series)
{
	size_t f, i;

	for (f = 0; f < s->nfamilies; f++)
		for (i = 0; i < s->families[f].nseries; i++)
			if (s->families[f].series[i].id == series)
				return &s->families[f].series[i];
	return NULL;
}

UNUSED static struct sm_value builder_value(const struct sm_snapshot *s, uint32_t series,
					    int writer)
{
	const struct sm_series_info *info = builder_find(s, series);
	struct sm_value v;

	assert_non_null(info);
	assert_int_equal(sm_snapshot_number(s, info, writer, &v), 0);
	return v;
}

#endif
