/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h - the two kernel locks of a segment: the catalog lock, and one life lock per slot.
 *
 * Both are open-file-description locks (not POSIX record locks, which any close() of the file
 * drops and which two copies of the library in one process would both get).
 */
#ifndef SM_LOCK_H
#define SM_LOCK_H

#include "region.h"

/*
 * catalog_lock - take the catalog lock, waiting at most timeout_ms, and mend what a holder that
 * died left half done (recover.c). Returns a descriptor to use for reservations and to give to
 * catalog_unlock(), or -ESTALE (the file was removed or replaced), -ETIMEDOUT, -errno.
 * The caller holds the process mutex of lane.h, except gc on a region of its own.
 */
int catalog_lock(const struct region *r, unsigned timeout_ms);
void catalog_unlock(const struct region *r, int fd);

/* Mark what is being done, for recovery. catalog_done() also bumps catalog_gen if `changed`. */
void catalog_begin(const struct region *r, uint32_t op, uint32_t arg);
void catalog_done(const struct region *r, bool changed);

/*
 * life_take - take the life lock of a slot and tie it to this address space: *ret_page is a
 * one-page mapping of the lock's own description, marked MADV_DONTFORK. It holds until
 * life_drop(), exec or death, whatever descriptors are closed. -EAGAIN if somebody has it.
 */
int life_take(const struct region *r, unsigned slot, void **ret_page);
void life_drop(void *page);

/* Is somebody alive in this slot? fd: any open descriptor of the file but the owner's.
 * 1 yes, 0 no, -errno (then take it as alive). */
int life_held(int fd, unsigned slot);

/* recover.c: mend after a holder that died. Called by catalog_lock(). */
void recover(const struct region *r, int fd);

#endif
