/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_read.h - a reader's copy of the catalog: families and series that were found valid, and
 * what a snapshot must know of their cells. Immutable once made, counted by reference, shared by
 * all snapshots that were taken while the catalog did not change.
 */
#ifndef SM_CATALOG_READ_H
#define SM_CATALOG_READ_H

#include "reader_internal.h"

/* Cells of SM_ZONE_ADD that are not just added as 64-bit integers. */
enum special_kind {
	SPECIAL_SUM,		/* wraps per lane at 2^64, is added in 128 bits */
	SPECIAL_SUM_SIGNED,	/* the same, as int64_t */
	SPECIAL_DOUBLE,		/* bits of a double that never falls */
	SPECIAL_DOUBLE_SIGNED	/* bits of a double */
};

struct special {
	uint32_t cell;		/* counted from the zone's first */
	uint32_t kind;
	uint64_t series_incarnation;
};

/* What the public struct sm_family_info does not show. */
struct family_more {
	uint16_t nbuckets;
	bool sum_signed;
	const uint16_t *classic_at;	/* index of each classic bound among the united ones */
	const uint32_t *whole;		/* a counter, all of whose series count in whole units only: their
					   cells, 0 none; else NULL */
};

struct sm_catalog {
	unsigned refs;			/* atomic */
	uint64_t generation;
	uint64_t damaged;		/* records that were LIVE but not valid, or there twice */
	uint32_t families_used, series_used, strings_used, exemplars_used;
	uint32_t cells_used[SM_ZONES];
	size_t nfamilies;
	struct sm_family_info *families;	/* by name */
	struct family_more *more;		/* same index */
	size_t nspecials;
	struct special *special;		/* by cell */
	size_t nrecents;
	uint32_t *recent; /* first cells of mostrecent gauges, from the zone's first */
	bool any_keep, any_updown;
	char *strings;				/* copy of the string area; texts point into it */
	struct arena_block *blocks;		/* everything else */
};

/*
 * sm_catalog_read - copy and check the whole catalog. h: the header as just read. 0 and a new
 * catalog with one reference, or -EBADMSG, -ENOMEM, -errno with diag.
 */
int sm_catalog_read(struct sm_reader *r, const struct sm_header *h, struct sm_catalog **ret_catalog,
		 struct sm_diag *diag);

struct sm_catalog *sm_catalog_ref(struct sm_catalog *c);
void sm_catalog_unref(struct sm_catalog *c);

/* First special cell at or after `cell`: index into c->special. */
size_t sm_catalog_special_from(const struct sm_catalog *c, uint32_t cell);

/* [a-zA-Z_][a-zA-Z0-9_]*, 1 to max bytes. */
bool sm_catalog_name_ok(const char *name, size_t len, size_t max);

/*
 * The family of a record, its texts taken from the string area of n bytes. Everything of it is
 * checked; the arrays come from alloc(ctx, bytes), which may return NULL (-ENOMEM). 0, or -EBADMSG
 * and in *ret_why what is wrong.
 */
int sm_catalog_parse_family(const struct sm_family_rec *rec, const char *strings, uint32_t n,
			    void *(*alloc)(void *ctx, size_t bytes), void *ctx,
			    struct sm_family_info *ret_family, struct family_more *ret_more,
			    const char **ret_why);

/* Cells of a series of this family: 0, or -EBADMSG and why. Fills zone and number of cells
 * behind cell[0]. */
int sm_catalog_check_cells(const struct sm_header *geo, const uint32_t *cells_used,
			const struct sm_family_info *f, const struct family_more *more,
			const struct sm_series_rec *rec, const char **ret_why);

/* Split the series' text into the family's label values. 0, or -EBADMSG and why. */
int sm_catalog_parse_values(const struct sm_series_rec *rec, const char *strings, uint32_t n,
			    unsigned nlabels, struct sm_str *ret_values, const char **ret_why);

#endif
