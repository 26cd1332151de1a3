/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h - the writer's ring of slow operations. Stands on writer.h. */
#ifndef SM_RING_H
#define SM_RING_H

#include "writer.h"

#define RING_REMOTE 0x1u	/* flag of an entry: its trace id came from outside */

/* What SHARDMETER_SLOW says of this operation, else `otherwise`; ns. */
uint64_t ring_threshold(const struct sm *m, const char *operation, uint64_t otherwise);

/* Copy text into a field of an entry, padded with NULs; false if it was too long and is cut, at a
 * character. NULL is "". */
bool ring_text(char *field, size_t size, const char *text);

/*
 * Put *e, of which seq and incarnation are set here, into the ring unless this process wrote
 * per_second entries in this second. 0, -EAGAIN (over the rate, the place is busy, or the writer
 * has no ring; counted), or the error why the writer is not bound. About 0.2 us. Thread: safe.
 * Signal: safe.
 */
int ring_record(struct sm *m, struct sm_ring_entry *e, uint32_t per_second);

#endif
