/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - state sets and info: one cell in the writer's shared lane, gone with the writer. */
#include <errno.h>

#include "metric.h"

struct sm_stateset *sm_stateset(struct sm_family *f, const struct sm_str *values, size_t n)
{
	return (struct sm_stateset *)(void *)family_resolve(f, SM_STATESET, values, n);
}

void sm_stateset_set(struct sm_stateset *s, unsigned state)
{
	struct handle *h = handle_of(s);
	sm_where_ place = handle_place(h);
	uint64_t *cell;

	if (!place)
		return;
	if (state >= h->family->def.nstates) {
		handle_refuse_value(h);
		return;
	}
	cell = lane_shared_cell(place, 1);
	if (cell)
		store_relaxed(cell, 1 + (uint64_t)state);
}

int sm_info_set(struct sm_family *f, const struct sm_str *values, size_t n)
{
	struct handle *h = handle_of(family_resolve(f, SM_INFO, values, n));
	sm_where_ place = handle_place(h);
	uint64_t *cell;

	if (f->null)
		return -ENOTCONN;
	if (!h->family)
		return -EINVAL;
	if (!place)
		return h->family->m->error ? h->family->m->error : -ENOSPC;
	cell = lane_shared_cell(place, 1);
	if (!cell)
		return -ENOSPC;
	store_relaxed(cell, 1);
	return 0;
}
