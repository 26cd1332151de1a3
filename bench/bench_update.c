/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_update.c - updates by the inline code, beside an empty loop and a plain add to ordinary
 * memory; and look-ups.
 */
#include "bench.h"

#define TURNS 64

static uint64_t memory[TURNS];
static struct sm_counter *counter, *counters[TURNS], *fixed_point;
static struct sm_gauge *gauge;
static struct sm_updown *updown;
static struct sm_histogram *histogram;
static struct sm_family *thousand, *third, *longer, *normalised;
static struct sm_str three[BENCH_PICKS][3], long_pick[BENCH_PICKS][2];

BENCH_CASE static void empty_loop(uint64_t n)
{
	for (; n; n--)
		__asm__ volatile("");
}

BENCH_CASE static void plain_add(uint64_t n)
{
	uint64_t *cell = memory;

	__asm__("" : "+r"(cell));
	for (; n; n--)
		sm_cell_add_(cell, 1);
}

BENCH_CASE static void plain_add_turns(uint64_t n)
{
	for (; n; n--)
		sm_cell_add_(&memory[n % TURNS], 1);
}

BENCH_CASE static void counter_add(uint64_t n)
{
	struct sm_counter *c = counter;

	for (; n; n--)
		sm_counter_add(c, 1);
}

BENCH_CASE static void counter_add_turns(uint64_t n)
{
	for (; n; n--)
		sm_counter_add(counters[n % TURNS], 1);
}

BENCH_CASE static void counter_add_double(uint64_t n)
{
	for (; n; n--)
		sm_counter_add_double(fixed_point, bench_seconds[n % BENCH_VALUES]);
}

BENCH_CASE static void counter_add_signal(uint64_t n)
{
	for (; n; n--)
		sm_counter_add_signal(counter, 1);
}

BENCH_CASE static void gauge_set(uint64_t n)
{
	for (; n; n--)
		sm_gauge_set(gauge, bench_seconds[n % BENCH_VALUES]);
}

BENCH_CASE static void updown_add(uint64_t n)
{
	struct sm_updown *u = updown;

	for (; n; n--)
		sm_updown_add(u, 1);
}

BENCH_CASE static void observe(uint64_t n)
{
	for (; n; n--)
		sm_histogram_observe(histogram, bench_seconds[n % BENCH_VALUES]);
}

BENCH_CASE static void observe_ns(uint64_t n)
{
	for (; n; n--)
		sm_histogram_observe_ns(histogram, bench_ns[n % BENCH_VALUES]);
}

BENCH_CASE static void look_up(uint64_t n)
{
	for (; n; n--)
		sm_counter_add(sm_counter(thousand, bench_pick[n % BENCH_PICKS_FEW], 2), 1);
}

BENCH_CASE static void look_up_unlearnable(uint64_t n)
{
	for (; n; n--)
		sm_counter_add(sm_counter(thousand, bench_pick[n % BENCH_PICKS], 2), 1);
}

BENCH_CASE static void look_up_same(uint64_t n)
{
	for (; n; n--)
		sm_counter_add(sm_counter(thousand, bench_pick[0], 2), 1);
}

BENCH_CASE static void look_up_three(uint64_t n)
{
	for (; n; n--)
		sm_counter_add(sm_counter(third, three[n % BENCH_PICKS_FEW], 3), 1);
}

BENCH_CASE static void look_up_long(uint64_t n)
{
	for (; n; n--)
		sm_counter_add(sm_counter(longer, long_pick[n % BENCH_PICKS_FEW], 2), 1);
}

BENCH_CASE static void look_up_normalised(uint64_t n)
{
	static const char *const guilds[] = {
		"guild 81384788765712384", "guild 41771983423143937",
	};
	struct sm_str values[2] = { bench_str("play"), bench_str(guilds[0]) };

	for (; n; n--) {
		values[1].ptr = guilds[n % 2];
		sm_counter_add(sm_counter(normalised, values, 2), 1);
	}
}

static struct sm_family *counters_by(struct sm *m, const char *name, const char *a, const char *b,
	const char *c)
{
	return bench_declare(m, &(struct sm_family_options){ .kind = SM_COUNTER, .name = name,
		.labels = { a, b, c }, .cap = 2000 });
}

static void set_up(struct sm *m)
{
	static char routes[BENCH_COMMANDS][40];
	struct sm_family *f = counters_by(m, "turns_total", "n", NULL, NULL);
	char text[TURNS][8];
	unsigned i;

	for (i = 0; i < TURNS; i++) {
		snprintf(text[i], sizeof(text[i]), "%u", i);
		counters[i] = sm_counter(f, SM_LABELS(text[i]));
	}
	counter = sm_counter(counters_by(m, "one_total", NULL, NULL, NULL), SM_NO_LABELS);
	fixed_point = sm_counter(bench_declare(m, &(struct sm_family_options){ .kind = SM_COUNTER,
		.name = "spent_seconds_total", .unit = SM_SECONDS, .number = SM_NUMBER_FIXED }),
		SM_NO_LABELS);
	gauge = sm_gauge(bench_declare(m, &(struct sm_family_options){ .kind = SM_GAUGE,
		.name = "level" }), SM_NO_LABELS);
	updown = sm_updown(bench_declare(m, &(struct sm_family_options){ .kind = SM_UPDOWN,
		.name = "open" }), SM_NO_LABELS);
	histogram = sm_histogram(bench_declare(m, &(struct sm_family_options){ .kind = SM_HISTOGRAM,
		.name = "took_seconds", .unit = SM_SECONDS, .bounds = bench_bounds,
		.nbounds = BENCH_BOUNDS }), SM_NO_LABELS);
	thousand = counters_by(m, "commands_total", "command", "status", NULL);
	third = counters_by(m, "three_total", "command", "status", "kind");
	longer = counters_by(m, "routes_total", "route", "status", NULL);
	normalised = counters_by(m, "guilds_total", "command", "guild", NULL);
	for (i = 0; i < BENCH_COMMANDS; i++)
		snprintf(routes[i], sizeof(routes[i]), "/api/v1/commands/%s", bench_commands[i]);
	for (i = 0; i < BENCH_PICKS; i++) {
		three[i][0] = bench_pick[i][0];
		three[i][1] = bench_pick[i][1];
		three[i][2] = bench_str(i % 3 ? "slash" : "text");
		long_pick[i][0] = bench_str(routes[bench_random() % BENCH_COMMANDS]);
		long_pick[i][1] = bench_pick[i][1];
		sm_counter(thousand, bench_pick[i], 2);
		sm_counter(third, three[i], 3);
		sm_counter(longer, long_pick[i], 2);
	}
}

int main(void)
{
	static const struct bench_case cases[] = {
		{ "empty loop", empty_loop },
		{ "plain add", plain_add },
		{ "plain add, in turn", plain_add_turns },
		{ "counter", counter_add },
		{ "counter, in turn", counter_add_turns },
		{ "counter, fixed point", counter_add_double },
		{ "counter, signal form", counter_add_signal },
		{ "gauge set", gauge_set },
		{ "updown", updown_add },
		{ "observe", observe },
		{ "observe ns", observe_ns },
		{ "look-up", look_up },
		{ "look-up, unlearnable", look_up_unlearnable },
		{ "look-up, same series", look_up_same },
		{ "look-up, three labels", look_up_three },
		{ "look-up, long value", look_up_long },
		{ "look-up, normalised", look_up_normalised },
	};
	struct sm *m;

	bench_pin(0);
	bench_make_values();
	bench_make_picks();
	m = bench_open("bench", 0);
	set_up(m);
	bench_run(cases, sizeof(cases) / sizeof(cases[0]));
	sm_close(m);
	unlink(bench_segment());
	bench_print();
	return 0;
}
