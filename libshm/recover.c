/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover.c - what the next holder of the catalog lock does when the last one died inside a
 * change (header.op is set). Every step may itself be cut short and be done again from the start.
 *
 * What a death leaves, by operation:
 *
 *	create    a file that is not READY: region.c fills it in from the start
 *	register  a family or series in state INIT, marks ahead of it, an index that is being changed
 *	claim     a slot in state CLAIMING: freed, its lanes hold nothing yet
 *	adopt     a slot in state ADOPTING: LIVE again, and dead; its counters were not touched
 *	fold      see fold.c
 *	remove    a TOMB that is in the index still (harmless) or half zeroed (zeroed again)
 *
 * Updates need no recovery: each is one store.
 */
#include <string.h>

#include "catalog.h"
#include "lock.h"
#include "slot.h"
#include "steps.h"

static void recover_slots(const struct region *r, int fd)
{
	struct sm_slot *s;
	uint32_t i, l;

	for (i = 1; i < r->geo.nslots; i++) {
		s = region_slot(r, i);
		if (s->state == SM_SLOT_CLAIMING) {
			for (l = 0; l < r->geo.lanes_per_slot; l++)
				region_release_lane(r, fd, sm_lane_number(&r->geo, i, l));
			store_release(&s->state, SM_SLOT_FREE);
		} else if (s->state == SM_SLOT_ADOPTING) {
			/* Its name is whole, the rest of its identity may be torn: see fill_identity(). */
			memset(s->version, 0, sizeof(s->version));
			s->metadata_len = 0;
			memset(s->metadata, 0, sizeof(s->metadata));
			store_release(&s->state, SM_SLOT_LIVE);
		}
	}
}

void recover(const struct region *r, int fd)
{
	uint32_t op = load_relaxed(&r->head->op);

	fold_recover(r, fd);
	SM_STEP("recover:folds");
	recover_slots(r, fd);
	SM_STEP("recover:slots");
	catalog_recover(r);
	SM_STEP("recover:mended");
	/* A removal that nobody counted would not be noticed by writers that have the series. */
	if (op == SM_OP_REMOVE)
		store_release(&r->head->removals, r->head->removals + 1);
	if (op < SM_OP_COUNT)
		r->head->recovered[op]++;
	store_release(&r->head->catalog_gen, r->head->catalog_gen + 1);
	store_release(&r->head->op, SM_OP_NONE);
}
