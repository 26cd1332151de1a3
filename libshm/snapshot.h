/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h - what one reading of all lanes leaves in memory. Built by snapshot.c with the help of
 * lanes_read.c, immutable afterwards, read by value.c.
 */
#ifndef SM_SNAPSHOT_H
#define SM_SNAPSHOT_H

#include "catalog_read.h"
#include "reader_internal.h"

#define CELLS_PER_PAGE (SM_PAGE / 8)

/*
 * Cells of one zone, of one lane or added over several. Dense (page is NULL): v has ncells cells.
 * Paged: only those pages that the lanes have; page[p] is 1 + the page's place in v, 0 reads as
 * zeros. carry counts, per cell of v, how often a sum wrapped at 2^64; NULL as long as none did.
 */
struct column {
	uint32_t ncells;
	uint32_t *page;
	uint64_t *v;
	size_t nv;		/* cells in v */
	int32_t *carry;
};

/* The cell, or NULL if it was never written. *ret_run: how many from it on are alike, itself
 * included. */
static inline const uint64_t *column_at(const struct column *c, uint32_t cell, uint32_t *ret_run)
{
	uint32_t place;

	*ret_run = UINT32_MAX;
	if (cell >= c->ncells)
		return NULL;
	if (!c->page) {
		*ret_run = c->ncells - cell;
		return c->v + cell;
	}
	place = c->page[cell / CELLS_PER_PAGE];
	*ret_run = CELLS_PER_PAGE - cell % CELLS_PER_PAGE;
	return place ? c->v + (size_t)(place - 1) * CELLS_PER_PAGE + cell % CELLS_PER_PAGE : NULL;
}

static inline uint64_t column_get(const struct column *c, uint32_t cell)
{
	uint32_t run;
	const uint64_t *p = column_at(c, cell, &run);

	return p ? *p : 0;
}

static inline int32_t column_carry(const struct column *c, uint32_t cell)
{
	uint32_t run;
	const uint64_t *p = c->carry ? column_at(c, cell, &run) : NULL;

	return p ? c->carry[p - c->v] : 0;
}

void sm_column_release(struct column *c);

/* One writer of a snapshot; same index as the public list. */
struct snap_writer {
	bool live;			/* or the common writer: its gauges count */
	bool common;
	struct column zone[SM_ZONES];	/* SET: shared lane. ADD, LIVE: with SM_SNAPSHOT_WRITERS */
	uint64_t *holds;		/* bits of series, from number 0; NULL: not read */
};

struct snap_data {
	unsigned refs;			/* atomic */
	struct sm_snapshot pub;		/* what every handle on it is a copy of */
	struct sm_catalog *catalog;
	struct segment_facts *facts;
	bool per_writer;
	uint32_t zone_first[SM_ZONES];
	struct column total[SM_ZONES];	/* ADD and LIVE: sums. SET: kept gauges of folded writers */
	struct sm_exemplar_rec *exemplars;	/* with SM_SNAPSHOT_EXEMPLARS; seq 1: was being written */
	uint32_t nexemplars;
	struct sm_writer *writers;
	struct snap_writer *more;
	void *texts;			/* of the writers */
};

/* What sm_snapshot_take() gives out: the public part first. */
struct snapshot {
	struct sm_snapshot pub;
	struct snap_data *data;
};

void sm_snap_data_unref(struct snap_data *d);

static inline const struct snap_data *snapshot_data(const struct sm_snapshot *s)
{
	return ((const struct snapshot *)s)->data;
}

/* ---- lanes_read.c -------------------------------------------------------------------------- */

/* One attempt to read all lanes. */
struct take {
	struct sm_reader *r;
	struct sm_diag *diag;
	unsigned flags;
	struct sm_header h;		/* as read at the start */
	struct snap_data *d;
	uint64_t bytes;			/* read and allocated so far, see sm_reader_afford() */
};

/* Make the sums' dense columns. 0, -ENOMEM, -EBADMSG. */
int sm_take_prepare(struct take *t);

/* Add retired lane R[g & 1], and take its kept gauges. */
int sm_take_retired(struct take *t);

/*
 * Add the lanes of a slot. w: where to keep what is wanted per writer, NULL if the slot is none
 * yet. s: a copy of the slot. gauges: its set gauges and up-down gauges count (it lives); kept: only its kept gauges do.
 */
int sm_take_slot(struct take *t, uint32_t slot, const struct sm_slot *s, struct snap_writer *w,
		 bool gauges, bool kept);

/* ---- exemplar_read.c ----------------------------------------------------------------------- */

int sm_take_exemplars(struct take *t);

/* ---- value.c ------------------------------------------------------------------------------- */

/* As sm_snapshot_number(), but per-writer values of gauges, info and state sets need no flag. */
int sm_snap_number(const struct snap_data *d, const struct sm_series_info *series, int writer,
		    struct sm_value *ret_value);

#endif
