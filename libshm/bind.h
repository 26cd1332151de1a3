/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind.h - tying families and handles to records and cells. Process mutex held throughout.
 */
#ifndef SM_BIND_H
#define SM_BIND_H

#include "catalog.h"
#include "writer.h"

/* Cells of a handle's series, from its place on. */
uint32_t handle_cells(const struct handle *h);

/* Give a family its record. 0 or -errno as sm_declare() lists them. */
int bind_family(struct sm_family *f, struct sm_diag *diag);

/* Give a handle its cells: finds or makes the series, reserves memory, holds it, publishes `where`.
 * 0, or -EDQUOT (the family is at its cap: use the overflow handle), or -errno; counted. */
int bind_handle(struct handle *h);

/* The same for a handle that the program has already: at the cap it counts in the overflow series. */
int bind_or_overflow(struct handle *h);

/* m has claimed its region: make that the inline region if there is no other, and tell the handles that are
 * bound to it. In a forked child nothing else gives them a `where` again. */
void publish_handles(struct sm *m);

/* family.c: the handle of the overflow series, made if need be; the null handle without memory. */
struct handle *family_overflow(struct sm_family *f);

/* Bind what is not bound to m's region. What cannot be bound stays what it is: a null object, or bound to
 * a file that was removed. */
void bind_all(struct sm *m);

/* m moves to another file: records mean nothing there. Handles go on counting in the old one until
 * bind_all() finds them a place. */
void forget_records(struct sm *m);

/* Make every handle a null object, for good. */
void unbind_all(struct sm *m);
void unbind_handle(struct handle *h);

/* Let go of a series that h (or NULL) was bound to, unless another handle of m is. */
void release_hold(struct sm *m, const struct handle *h, uint32_t record);

/* Handles whose series another process removed begin a new one. */
void rebind_removed(struct sm *m);

/* writer.c: prepare lanes until so many are free; memory for one more series in all lanes. */
int writer_prepare_lanes(struct sm *m, unsigned wanted_free);
int writer_reserve(struct sm *m, int fd, sm_where_ place, uint32_t ncells);

#endif
