/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - lanes and cells as bindings see them. The inline code of shardmeter.h is the model for what
 * they may do with them.
 */
#include <errno.h>

#include "bind.h"
#include "metric.h"

const uint32_t *sm_generation(void)
{
	return lanes_init() == 0 ? lanes_generation_word() : NULL;
}

int sm_lane_view(struct sm *m, struct sm_lane_view *ret)
{
	char *own, *shared;
	int rc;

	if (m->null)
		return m->error ? m->error : -ENOTCONN;
	rc = process_lock();
	if (rc)
		return rc;
	rc = writer_bind(m);
	own = rc ? NULL : lane_own(m->number);
	if (!rc && !own && writer_prepare_lanes(m, 1) == 0)
		own = lane_own(m->number);
	shared = rc ? NULL : lane_shared(m->number);
	if (shared)
		writer_lane_written(m, m->number, 0, 0);
	if (!rc && (!own || !shared))
		rc = -EAGAIN;
	if (!rc)
		*ret = (struct sm_lane_view){
			.lane = (uint64_t *)(void *)own, .shared = (uint64_t *)(void *)shared,
			.cells = m->region->geo.cells, .generation = lanes_generation(),
		};
	process_unlock();
	return rc;
}

static int64_t cell_of(const void *pub)
{
	const struct handle *h = handle_of(pub);
	sm_where_ place = load_acquire(&h->place);

	if (!place)
		return -1;
	/* A series that found no room in a new file is in the removed one, where the view is not. */
	if (WHERE_ENTRY(place) / 2 != h->family->m->number)
		return -2;
	return (int64_t)(WHERE_BYTE(place) / 8);
}

int64_t sm_counter_cell(const struct sm_counter *c)
{
	return cell_of(c);
}

int64_t sm_gauge_cell(const struct sm_gauge *g)
{
	int64_t cell = cell_of(g);

	return cell >= 0 && handle_of(g)->family->def.mode == SM_MODE_MOSTRECENT ? -2 : cell;
}

int64_t sm_updown_cell(const struct sm_updown *u)
{
	return cell_of(u);
}

int64_t sm_histogram_cell(const struct sm_histogram *h)
{
	return cell_of(h);
}

void sm_histogram_buckets(const struct sm_histogram *histogram, struct sm_bucket_view *ret)
{
	const struct handle *h = handle_of(histogram);
	const struct sm_buckets_ *b = h->family ? handle_buckets(h) : &sm_null_buckets;
	bool as_double = !h->family || (h->family->def.flags & SM_FF_SUM_DOUBLE);

	*ret = (struct sm_bucket_view){ .bounds = b->bounds, .count = b->nbounds,
					.scale = as_double ? 0 : b->scale };
}
