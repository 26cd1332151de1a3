/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gauge.c - gauges: what the inline path does not do.
 *
 * A set gauge is one cell in the writer's shared lane, stored by any of its threads. An up-down
 * gauge is a cell in each lane, as a counter.
 *
 * A mostrecent gauge is three cells there: sequence, value, time. Setting makes the sequence odd,
 * writes, makes it even; a reader that sees the same even sequence before and after has a pair
 * that belongs together. Its time is a coarse clock (4 ms or so): sets of two writers within one
 * tick are in no order. Cost: the clock 4 ns, two compare-and-swaps 5 ns each.
 *
 * Nobody waits for ever. Who finds the same odd number TAKE_OVER times (the holder is preempted,
 * or is what this signal handler interrupted, or died) makes it the next odd number and goes on;
 * the holder then finds that the number is not its own and leaves it. Both have stored whole
 * words, so the worst is the value of one with the time of the other, a moment apart.
 */
#include "metric.h"

#include "clock.h"

#define TAKE_OVER 64
#define TRIES 1024

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Make the sequence odd: the number that is ours now, or 0 if others were always faster. */
static uint64_t recent_begin(uint64_t *seq)
{
	uint64_t now, next, last = 0;
	unsigned tries, stuck = 0;

	for (tries = 0; tries < TRIES; tries++) {
		now = load_relaxed(seq);
		stuck = now == last ? stuck + 1 : 0;
		last = now;
		if (!(now & 1)) {
			next = now + 1;
		} else if (stuck >= TAKE_OVER) {
			next = now + 2;
		} else {
			relax();
			continue;
		}
		if (cas_acq_rel(seq, &now, next)) {
			/* The odd number is seen before what is stored under it. Pairs with
			 * the acquire fence between a reader's cells and its second look. */
			fence_release();
			return next;
		}
	}
	return 0;
}

/* Release: who sees the even number sees the cells. Pairs with the reader's first look. */
static void recent_end(uint64_t *seq, uint64_t ours)
{
	cas_acq_rel(seq, &ours, ours + 1);
}

static void add_to_cell(uint64_t *cell, double v)
{
	uint64_t old = load_relaxed(cell), sum;

	do {
		sum = double_bits((old ? bits_double(old ^ SM_UNSET) : 0) + v) ^ SM_UNSET;
	} while (!cas_relaxed(cell, &old, sum));
}

/* Store bits (XOR SM_UNSET), or add v to the value that is there. Adding is a compare-and-swap
 * here, too: exact although the sequence may have been taken over. */
static void recent_change(struct handle *h, sm_where_ place, uint64_t bits, const double *v)
{
	uint64_t *cells = lane_shared_cell(place, SM_RECENT_CELLS), ours;

	if (!cells)
		return;
	ours = recent_begin(&cells[SM_RECENT_SEQ]);
	if (!ours) {
		writer_refuse(h->family->m, SM_REFUSED_LOST_UPDATE);
		return;
	}
	if (v)
		add_to_cell(&cells[SM_RECENT_VALUE], *v);
	else
		store_relaxed(&cells[SM_RECENT_VALUE], bits);
	store_relaxed(&cells[SM_RECENT_TIME], clock_boot_coarse_ns());
	recent_end(&cells[SM_RECENT_SEQ], ours);
}

static bool is_recent(const struct handle *h)
{
	return h->family->def.mode == SM_MODE_MOSTRECENT;
}

static void gauge_store(struct handle *h, uint64_t bits)
{
	sm_where_ place = handle_place(h);
	uint64_t *cell;

	if (!place)
		return;
	if (is_recent(h)) {
		recent_change(h, place, bits, NULL);
		return;
	}
	cell = lane_shared_cell(place, 1);
	if (cell)
		store_relaxed(cell, bits);
}

void sm_gauge_set_slow_(struct sm_gauge *g, double v)
{
	gauge_store(handle_of(g), double_bits(v) ^ SM_UNSET);
}

void sm_gauge_unset(struct sm_gauge *g)
{
	gauge_store(handle_of(g), 0);
}

void sm_gauge_add(struct sm_gauge *g, double v)
{
	struct handle *h = handle_of(g);
	sm_where_ place = handle_place(h);
	uint64_t *cell;

	if (!place)
		return;
	if (is_recent(h)) {
		recent_change(h, place, 0, &v);
		return;
	}
	cell = lane_shared_cell(place, 1);
	if (cell)
		add_to_cell(cell, v);
}

void sm_gauge_set_fn(struct sm_gauge *g, double v)
{
	sm_gauge_set(g, v);
}

uint64_t sm_updown_add_slow_(struct sm_updown *u, int64_t n)
{
	sm_where_ place = handle_place(handle_of(u));
	uint64_t *cell;
	bool shared;

	cell = place ? lane_cell(place, 1, &shared) : NULL;
	if (cell)
		lane_add(cell, shared, (uint64_t)n);
	return lane_inline_word();
}

void sm_updown_add_fn(struct sm_updown *u, int64_t n)
{
	sm_updown_add(u, n);
}

void sm_updown_add_signal(struct sm_updown *u, int64_t n)
{
	sm_where_ place = handle_place(handle_of(u));
	uint64_t *cell;

	cell = place ? lane_shared_cell(place, 1) : NULL;
	if (cell)
		add_relaxed(cell, (uint64_t)n);
}
