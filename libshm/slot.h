/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot.h - writer slots in the segment: finding one for a name, adopting a dead one's, folding.
 * Everything here runs under the catalog lock.
 */
#ifndef SM_SLOT_H
#define SM_SLOT_H

#include "lock.h"
#include "region.h"

/* What a writer says of itself. */
struct slot_identity {
	const char *name;		/* wanted */
	bool numbered;			/* append "-1", "-2", ...: the first that no live writer has */
	const char *version;
	const char *metadata;
	uint32_t metadata_len;
};

/*
 * slot_claim - take a slot for a name: the dead slot of that name (adopt), else a free one, else one
 * that a fold of the longest dead writer makes free. A name that a live writer has gets "~2", "~3", ...
 * On success *ret_slot is LIVE with a new incarnation, its life lock is *ret_life, and its hold bits
 * and ring have memory. -ENOSPC if every slot is alive or the file system is full. op is begun and done
 * inside. Allocates nothing: safe in a forked child.
 */
int slot_claim(const struct region *r, int fd, const struct slot_identity *who, uint32_t *ret_slot,
	       void **ret_life);

/* Is the writer of this slot alive? fd as for life_held(). A failed query counts as alive. */
bool slot_alive(const struct region *r, int fd, uint32_t slot);

/* Was this slot left by a writer that is dead? *ret_last_boot_ns: its last sign of life. */
bool slot_dead(const struct region *r, int fd, uint32_t slot, uint64_t *ret_last_boot_ns);

/* Does a live writer other than `except` hold this bit (family or nfamilies + series)? Its slot, or
 * UINT32_MAX. */
uint32_t slot_holding(const struct region *r, int fd, uint32_t bit, uint32_t except);

/* fold.c: add a dead writer's lanes to the retired ones and free the slot. 0 or -errno. */
int slot_fold(const struct region *r, int fd, uint32_t slot);

/* fold.c: finish or undo a fold that its process did not survive, for recover(). */
void fold_recover(const struct region *r, int fd);

/* Forget the gauges of a slot that a new incarnation must not inherit: all but those that are kept. */
void slot_clear_gauges(const struct region *r, uint32_t slot);

/* Free exemplar slots that a dead writer of this slot left busy. */
void slot_clear_exemplars(const struct region *r, uint32_t slot);

#endif
