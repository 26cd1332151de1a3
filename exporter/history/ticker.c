/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticker.c - when the next row is due; see ticker.h.
 *
 * Between two looks at the clocks: what boottime gained on the monotonic clock was sleep, what the
 * wall clock gained or lost against boottime was a step.
 */
#include "exporter/history/ticker.h"

#include <time.h>

#include "exporter/history/history.h"

static uint64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void ticker_now(struct ticker_clocks *ret_now)
{
	ret_now->real_ms = clock_ms(CLOCK_REALTIME);
	ret_now->boot_ms = clock_ms(CLOCK_BOOTTIME);
	ret_now->awake_ms = clock_ms(CLOCK_MONOTONIC);
}

static void see(struct ticker *t, const struct ticker_clocks *now)
{
	uint64_t passed = now->boot_ms - t->last.boot_ms;
	uint64_t asleep = passed - (now->awake_ms - t->last.awake_ms);
	int64_t step = (int64_t)(now->real_ms - t->last.real_ms - passed);

	/* The clocks are read one after the other: a little of either is nothing. */
	if ((int64_t)asleep > (int64_t)t->interval_ms / 2)
		t->seen |= HISTORY_MISSED_SUSPEND;
	if (step > (int64_t)t->interval_ms || step < -(int64_t)t->interval_ms) {
		t->seen |= TICKER_STEPPED;
		t->clock_steps++;
	}
	t->last = *now;
}

/* Boottime of the next multiple of the interval on the wall clock. */
static uint64_t next_due(const struct ticker *t, const struct ticker_clocks *now)
{
	return now->boot_ms + t->interval_ms - now->real_ms % t->interval_ms;
}

static void miss(struct ticker *t, uint64_t n)
{
	if (!n)
		return;
	t->missed += n;
	if (t->seen & HISTORY_MISSED_SUSPEND) {
		t->missed_why |= HISTORY_MISSED_SUSPEND;
		t->suspended += n;
	} else {
		t->missed_why |= HISTORY_MISSED_LATE;
		t->late += n;
	}
}

void ticker_start(struct ticker *t, uint64_t interval_ms, const struct ticker_clocks *now)
{
	*t = (struct ticker){ .interval_ms = interval_ms, .last = *now };
	t->due_boot_ms = next_due(t, now);
}

uint64_t ticker_wait_ms(struct ticker *t, const struct ticker_clocks *now)
{
	see(t, now);
	return now->boot_ms < t->due_boot_ms ? t->due_boot_ms - now->boot_ms : 0;
}

/* The multiple of the interval that is meant; none after the clock was set. */
static uint64_t due_of(const struct ticker *t, uint64_t ms)
{
	uint64_t multiple = (ms + t->interval_ms / 2) / t->interval_ms * t->interval_ms;
	uint64_t off = ms > multiple ? ms - multiple : multiple - ms;

	return off <= t->interval_ms / 10 ? multiple : ms;
}

void ticker_begin(struct ticker *t, const struct ticker_clocks *now, struct store_tick *ret_tick)
{
	uint64_t over = now->boot_ms > t->due_boot_ms ? now->boot_ms - t->due_boot_ms : 0;

	see(t, now);
	miss(t, over / t->interval_ms);
	t->due_boot_ms += over / t->interval_ms * t->interval_ms;
	over %= t->interval_ms;
	*ret_tick = (struct store_tick){
		.now_ms = now->real_ms,
		.due_ms = due_of(t, now->real_ms > over ? now->real_ms - over : 0),
		.missed = t->missed < UINT32_MAX ? (uint32_t)t->missed : UINT32_MAX,
		.missed_why = t->missed_why,
	};
}

void ticker_end(struct ticker *t, const struct ticker_clocks *now, unsigned why)
{
	uint64_t next, distance;

	see(t, now);
	if (why) {
		t->missed++;
		t->missed_why |= why;
	} else {
		t->missed = 0;
		t->missed_why = 0;
	}
	next = next_due(t, now);
	distance = next > t->due_boot_ms ? next - t->due_boot_ms : 0;
	/* A clock that was set moves the multiples: up to an interval more is its doing. */
	if (!(t->seen & TICKER_STEPPED))
		distance += t->interval_ms / 2;
	if (distance >= 2 * t->interval_ms)
		miss(t, distance / t->interval_ms - 1);
	t->due_boot_ms = next;
	t->seen = 0;
}

uint32_t ticker_missed_since(uint64_t row_ms, uint64_t due_ms, uint64_t interval_ms)
{
	uint64_t n = due_ms > row_ms ? (due_ms - row_ms - 1) / interval_ms : 0;

	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}
