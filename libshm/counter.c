/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counter.c - updates of counters that the inline path does not do: threads without a lane of
 * their own, fractional amounts, doubles.
 *
 * Processes may count one family in whole units, in fixed point and in doubles; each way has a
 * cell of its own in the series, and `place` of a handle is the cell of its process' way.
 */
#include "metric.h"

static void add_double(sm_where_ place, double v)
{
	bool shared;
	uint64_t *cell = lane_cell(place, 1, &shared);

	if (cell)
		lane_add_double(cell, v);
}

uint64_t sm_counter_add_slow_(struct sm_counter *c, uint64_t n)
{
	struct handle *h = handle_of(c);
	sm_where_ place = handle_place(h);
	uint64_t *cell;
	bool shared;

	if (place && h->family->def.number == SM_NUMBER_DOUBLE) {
		add_double(place, (double)n);
	} else if (place) {
		cell = lane_cell(place, 1, &shared);
		if (cell)
			lane_add(cell, shared, n);
	}
	return lane_inline_word();
}

void sm_counter_add_double(struct sm_counter *c, double v)
{
	struct handle *h = handle_of(c);
	sm_where_ place = handle_place(h);
	const struct family_def *def;
	double scaled;

	if (!place)
		return;
	def = &h->family->def;
	/* False for NaN, too. The sum of doubles stays finite as long as nobody adds 10^290 a
	 * second. */
	if (!(v >= 0 && v <= 0x1p1000)) {
		handle_refuse_value(h);
		return;
	}
	if (def->number == SM_NUMBER_DOUBLE) {
		add_double(place, v);
		return;
	}
	scaled = def->number == SM_NUMBER_FIXED ? v * power_of_ten(def->decimals) : v;
	if (scaled < UNITS_LIMIT)
		sm_counter_add(c, whole_units(scaled));
	else
		handle_refuse_value(h);
}

void sm_counter_add_fn(struct sm_counter *c, uint64_t n)
{
	/* Many programs count one at a time. An addition of a constant is forwarded to the next one
	 * of the same cell at no cost, one of a register is not (recent Intel cores: 2 ns). */
	if (n == 1)
		sm_counter_add(c, 1);
	else
		sm_counter_add(c, n);
}

void sm_counter_add_signal(struct sm_counter *c, uint64_t n)
{
	struct handle *h = handle_of(c);
	sm_where_ place = handle_place(h);
	uint64_t *cell;

	cell = place ? lane_shared_cell(place, 1) : NULL;
	if (!cell)
		return;
	if (h->family->def.number == SM_NUMBER_DOUBLE)
		lane_add_double(cell, (double)n);
	else
		add_relaxed(cell, n);
}
