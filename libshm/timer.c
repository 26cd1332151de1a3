/* SPDX-License-Identifier: Apache-2.0 */
/* timer.c - laps and marks; start and stop are inline in shardmeter.h. */
#include "writer.h"

#include <errno.h>

uint64_t sm_timer_lap(struct sm_timer *t, struct sm_histogram *h)
{
	uint64_t ns = sm_since_ns_(t->lap_ns);

	t->lap_ns += ns;
	if (h)
		sm_histogram_observe_ns(h, ns);
	return ns;
}

int sm_timer_mark(struct sm_timer *t)
{
	if (t->nmarks >= SM_TIMER_MARKS)
		return -ENOSPC;
	t->mark_ns[t->nmarks] = sm_now_ns();
	return (int)t->nmarks++;
}

uint64_t sm_timer_measure(struct sm_timer *t, int from, int to, struct sm_histogram *h)
{
	int nmarks = t->nmarks < SM_TIMER_MARKS ? (int)t->nmarks : SM_TIMER_MARKS;
	uint64_t from_ns, ns;

	if (from < -1 || from >= nmarks || to < 0 || to >= nmarks)
		return 0;
	from_ns = from < 0 ? t->start_ns : t->mark_ns[from];
	if (t->mark_ns[to] < from_ns)
		return 0;
	ns = t->mark_ns[to] - from_ns;
	if (h)
		sm_histogram_observe_ns(h, ns);
	return ns;
}
