/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_prometheus.cc - the same work with prometheus-cpp and with Shardmeter, in one process and in
 * turn: a counter's child, the same found by two labels at each use, a histogram of nine bounds.
 * Shardmeter's histogram has its fine grid as well.
 */
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <string>
#include <vector>

#include "bench.h"

namespace {

prometheus::Registry registry;
prometheus::Counter *peer_counter;
prometheus::Family<prometheus::Counter> *peer_thousand;
prometheus::Histogram *peer_histogram;
std::vector<std::map<std::string, std::string>> peer_labels;

struct sm_counter *counter;
struct sm_family *thousand;
struct sm_histogram *histogram;
uint64_t memory;

BENCH_CASE void plain_add(uint64_t n)
{
	uint64_t *cell = &memory;

	__asm__("" : "+r"(cell));
	for (; n; n--)
		sm_cell_add_(cell, 1);
}

BENCH_CASE void counter_add(uint64_t n)
{
	struct sm_counter *c = counter;

	for (; n; n--)
		sm_counter_add(c, 1);
}

BENCH_CASE void peer_counter_add(uint64_t n)
{
	for (; n; n--)
		peer_counter->Increment();
}

BENCH_CASE void look_up(uint64_t n)
{
	for (; n; n--)
		sm_counter_add(sm_counter(thousand, bench_pick[n % BENCH_PICKS_FEW], 2), 1);
}

BENCH_CASE void peer_look_up(uint64_t n)
{
	for (; n; n--) {
		const struct sm_str *pick = bench_pick[n % BENCH_PICKS_FEW];

		peer_thousand->Add({ { "command", { pick[0].ptr, pick[0].len } },
				     { "status", { pick[1].ptr, pick[1].len } } }).Increment();
	}
}

BENCH_CASE void peer_look_up_prebuilt(uint64_t n)
{
	for (; n; n--)
		peer_thousand->Add(peer_labels[n % BENCH_PICKS_FEW]).Increment();
}

BENCH_CASE void observe(uint64_t n)
{
	for (; n; n--)
		sm_histogram_observe(histogram, bench_seconds[n % BENCH_VALUES]);
}

BENCH_CASE void peer_observe(uint64_t n)
{
	for (; n; n--)
		peer_histogram->Observe(bench_seconds[n % BENCH_VALUES]);
}

struct sm_family_options options(enum sm_kind kind, const char *name)
{
	struct sm_family_options o;

	memset(&o, 0, sizeof(o));
	o.kind = kind;
	o.name = name;
	return o;
}

void set_up(struct sm *m)
{
	struct sm_family_options one = options(SM_COUNTER, "one_total");
	struct sm_family_options commands = options(SM_COUNTER, "commands_total");
	struct sm_family_options took = options(SM_HISTOGRAM, "took_seconds");

	counter = sm_counter(bench_declare(m, &one), nullptr, 0);
	commands.labels[0] = "command";
	commands.labels[1] = "status";
	thousand = bench_declare(m, &commands);
	took.unit = SM_SECONDS;
	took.bounds = bench_bounds;
	took.nbounds = BENCH_BOUNDS;
	histogram = sm_histogram(bench_declare(m, &took), nullptr, 0);

	peer_counter = &prometheus::BuildCounter().Name("one_total").Register(registry).Add({});
	peer_thousand = &prometheus::BuildCounter().Name("commands_total").Register(registry);
	const prometheus::Histogram::BucketBoundaries bounds(bench_bounds,
							     bench_bounds + BENCH_BOUNDS);
	peer_histogram = &prometheus::BuildHistogram().Name("took_seconds").Register(registry).Add(
		{}, bounds);
	for (const auto &command : bench_commands) {
		for (const auto &status : bench_statuses) {
			struct sm_str values[2] = { bench_str(command), bench_str(status) };

			sm_counter(thousand, values, 2);
			peer_thousand->Add({ { "command", command }, { "status", status } });
		}
	}
	for (unsigned i = 0; i < BENCH_PICKS_FEW; i++)
		peer_labels.push_back({ { "command", bench_pick[i][0].ptr },
					{ "status", bench_pick[i][1].ptr } });
}

} // namespace

int main()
{
	static const struct bench_case cases[] = {
		{ "plain add", plain_add },
		{ "counter", counter_add },
		{ "counter, prometheus-cpp", peer_counter_add },
		{ "look-up", look_up },
		{ "look-up, prometheus-cpp", peer_look_up },
		{ "look-up, prometheus-cpp, map kept", peer_look_up_prebuilt },
		{ "observe", observe },
		{ "observe, prometheus-cpp", peer_observe },
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
