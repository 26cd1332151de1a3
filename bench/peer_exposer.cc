/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_exposer.cc - prometheus-cpp with its own HTTP server, showing what bench_writers shows.
 *
 *	peer_exposer COUNTERS HISTOGRAMS WRITERS
 *
 * Same names, labels, bounds and numbers (WRITERS only scales them). Prints its port on 127.0.0.1
 * and ends when its standard input does.
 */
#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>
#include <vector>

#include "bench.h"

namespace {

constexpr unsigned families = 10;

std::map<std::string, std::string> labels(unsigned i)
{
	char command[32];

	snprintf(command, sizeof(command), "%s-%04u", bench_commands[i % BENCH_COMMANDS],
		 i / BENCH_COMMANDS);
	return { { "command", command }, { "status", bench_statuses[i % BENCH_STATUSES] } };
}

double amount(unsigned i)
{
	return (double)((uint64_t)i * 7919 % 1000003);
}

} // namespace

int main(int argc, char **argv)
{
	const prometheus::Histogram::BucketBoundaries bounds{ .005, .01, .025, .05, .1, .5, 1, 5 };
	auto registry = std::make_shared<prometheus::Registry>();
	std::vector<prometheus::Family<prometheus::Counter> *> counters;
	std::vector<prometheus::Family<prometheus::Histogram> *> histograms;
	unsigned numbers[3], i, w;
	char byte;

	if (argc != 4)
		bench_fail("peer_exposer COUNTERS HISTOGRAMS WRITERS");
	for (i = 0; i < 3; i++)
		numbers[i] = (unsigned)strtoul(argv[i + 1], nullptr, 10);
	bench_make_values();
	for (i = 0; i < families && numbers[0]; i++)
		counters.push_back(&prometheus::BuildCounter()
			.Name("bot_requests_" + std::to_string(i) + "_total")
			.Help("A benchmark's family.").Register(*registry));
	for (i = 0; i < families && numbers[1]; i++)
		histograms.push_back(&prometheus::BuildHistogram()
			.Name("bot_latency_" + std::to_string(i) + "_seconds")
			.Help("A benchmark's family.").Register(*registry));
	for (i = 0; i < numbers[0]; i++)
		counters[i % families]->Add(labels(i / families)).Increment(numbers[2] * amount(i));
	for (i = 0; i < numbers[1]; i++) {
		auto &h = histograms[i % families]->Add(labels(i / families), bounds);

		for (w = 0; w < numbers[2]; w++)
			h.Observe(bench_seconds[i % BENCH_VALUES]);
	}

	prometheus::Exposer exposer("127.0.0.1:0");

	exposer.RegisterCollectable(registry);
	printf("%d\n", exposer.GetListeningPorts().at(0));
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
