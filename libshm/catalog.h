/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.h - families and series in the segment. Changes run under the catalog lock (fd is its
 * descriptor); series_find() is lock-free.
 */
#ifndef SM_CATALOG_H
#define SM_CATALOG_H

#include "region.h"
#include "writer.h"

#define NO_RECORD UINT32_MAX

/* How long what was removed cools off: SM_COOL_OFF_NS. Tests set it. */
#ifdef SM_TEST
#define TEST_MUTABLE
#else
#define TEST_MUTABLE const
#endif
extern TEST_MUTABLE uint64_t catalog_cool_off_ns;

/* Bit of a family or series in the hold maps. */
static inline uint32_t family_bit(uint32_t record)
{
	return record;
}

static inline uint32_t series_bit(const struct region *r, uint32_t record)
{
	return r->geo.nfamilies + record;
}

/*
 * family_declare - find the family of this definition or make it. slot: of the caller, whose hold
 * bit is set. 0 and *ret_record; -EEXIST (other definition, held by a live writer; both definitions in
 * diag), -ENOSPC with *ret_reason, -errno. A replaced definition leaves error 0 and a text in diag.
 */
int family_declare(const struct region *r, int fd, const struct family_def *def, uint32_t slot,
		   uint32_t *ret_record, unsigned *ret_reason, struct sm_diag *diag);

/* Look a series up by family record and label values, without a lock: its number or NO_RECORD. A miss may
 * be wrong while the index is rebuilt; under the lock it is right. */
uint32_t series_find(const struct region *r, uint32_t family, uint64_t hash, const struct sm_str *values,
		     size_t n);

/*
 * series_insert - make a series (which series_find() just missed, under this lock). overflow: it is the
 * family's __other__ series and not counted against the cap. 0, or -ENOSPC and why in *ret_reason
 * (SM_REFUSED_*), or -errno.
 */
int series_insert(const struct region *r, int fd, uint32_t family, uint64_t hash, const struct sm_str *values,
		  size_t n, bool overflow, uint32_t *ret_record, unsigned *ret_reason);

/* Make sure that a counter series has the cell for this way of counting; *ret_cell. Not needed under the
 * lock if the cell is there. */
int series_number_cell(const struct region *r, int fd, uint32_t record, enum sm_number number,
		       uint32_t *ret_cell, unsigned *ret_reason);

/* Take a series out of the catalog; its storage cools off. With fd >= 0 only if no live writer but
 * `except` holds it, else -EBUSY. */
int series_remove(const struct region *r, int fd, uint32_t record, uint32_t except);

/* Zero what cooled off and nobody holds, so that it can be reused; returns how many. */
unsigned catalog_sweep(const struct region *r, int fd, uint64_t now_boot_ns);

/* Set a hold bit of a slot, then look again: is the series still this incarnation and live? */
bool series_hold(const struct region *r, uint32_t slot, uint32_t record, uint64_t incarnation);
void hold_clear(const struct region *r, uint32_t slot, uint32_t bit);

/* recover(): free half-made records, recompute marks, rebuild the index. */
void catalog_recover(const struct region *r);

#endif
