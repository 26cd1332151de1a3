/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticker.h - when the next row is due, and what became of the ticks before it.
 *
 * Depends on nothing; the caller brings the clocks. A tick is due at each multiple of the interval on
 * the wall clock, so that rows of several exporters and restarts fall on the same times. Waiting is
 * for the boottime clock, which nobody sets and which goes on while the machine sleeps: a step of
 * the wall clock neither delays a tick nor makes one too many, it only moves the next to a multiple
 * again. Ticks that were due and left no row are counted, with the reason, until a row takes the
 * count with it: a gap is never to be guessed.
 *
 *	ticker_start(&t, 10000, &now);
 *	for (;;) {
 *		... wait until ticker_wait_ms(&t, &now) is 0
 *		ticker_begin(&t, &now, &tick);
 *		... write a row with tick
 *		ticker_end(&t, &now, wrote ? 0 : HISTORY_MISSED_STORE);
 *	}
 *
 * Thread: one at a time.
 */
#ifndef HISTORY_TICKER_H
#define HISTORY_TICKER_H

#include "exporter/history/store.h"

struct ticker_clocks {
	uint64_t real_ms;	/* CLOCK_REALTIME */
	uint64_t boot_ms;	/* CLOCK_BOOTTIME */
	uint64_t awake_ms;	/* CLOCK_MONOTONIC, which stands still while the machine sleeps */
};

struct ticker {
	uint64_t interval_ms;
	uint64_t due_boot_ms;		/* of the next tick, or of the one under way */
	struct ticker_clocks last;	/* as it was last told */
	unsigned seen;			/* HISTORY_MISSED_SUSPEND, TICKER_STEPPED: since the last end */
	uint64_t missed;		/* since the last row */
	unsigned missed_why;
	uint64_t late, suspended;	/* ticks missed for these reasons, in all */
	uint64_t clock_steps;		/* by more than an interval, in all */
};

#define TICKER_STEPPED	0x8000u		/* beside HISTORY_MISSED_* */

void ticker_now(struct ticker_clocks *ret_now);
void ticker_start(struct ticker *t, uint64_t interval_ms, const struct ticker_clocks *now);

/* ticker_wait_ms - until the next tick; 0: it is due. Also tells t how time passes: call it at least
 * once between two ticks. */
uint64_t ticker_wait_ms(struct ticker *t, const struct ticker_clocks *now);

/* ticker_begin - a tick is due: its moment, and what was missed since the last row. */
void ticker_begin(struct ticker *t, const struct ticker_clocks *now, struct store_tick *ret_tick);

/* ticker_end - the tick is over; why is 0 if it left a row, else the HISTORY_MISSED_* that it is. */
void ticker_end(struct ticker *t, const struct ticker_clocks *now, unsigned why);

/* ticker_missed_since - how many ticks lie between a row of an earlier run and a moment. */
uint32_t ticker_missed_since(uint64_t row_ms, uint64_t due_ms, uint64_t interval_ms);

#endif /* HISTORY_TICKER_H */
