/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_flow.c - whole flows: start, three stages, end. And 1,000 of them open at once, their steps
 * interleaved, with the totals compared afterwards.
 */
#include <shardmeter_reader.h>

#include "bench.h"

#define OPEN 1000
#define STAGES 3

static const char *const stages[STAGES] = { "load_preferences", "query", "reply" };
static const char traceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
static struct sm_flow_type *type;
static struct sm_flow flows[OPEN];
static struct sm_histogram *histogram[1 + STAGES];
static uint64_t ended[2];	/* ok, error */

static void one_flow(struct sm_flow *flow, const char *parent, uint64_t number)
{
	struct sm_str values[1] = { bench_str(bench_commands[number % BENCH_COMMANDS]) };
	unsigned s;

	sm_flow_start(flow, type, values, 1, parent);
	for (s = 0; s < STAGES; s++)
		sm_flow_checkpoint(flow, stages[s]);
	sm_flow_end(flow, number % 8 ? "success" : "error");
	ended[number % 8 == 0]++;
}

BENCH_CASE static void flow(uint64_t n)
{
	for (; n; n--)
		one_flow(&flows[0], NULL, n);
}

BENCH_CASE static void flow_traced(uint64_t n)
{
	for (; n; n--)
		one_flow(&flows[0], traceparent, n);
}

/* The clock reads and observations in a flow, by hand: what is beyond is the flow's own. */
BENCH_CASE static void by_hand(uint64_t n)
{
	struct sm_timer t;
	unsigned s;

	for (; n; n--) {
		sm_timer_start(&t, histogram[0]);
		for (s = 0; s < STAGES; s++)
			sm_timer_lap(&t, histogram[1 + s]);
		sm_timer_stop(&t);
	}
}

/* n flows, OPEN of them open at any time, each step of all before the next step of any. */
BENCH_CASE static void flows_interleaved(uint64_t n)
{
	struct sm_str value;
	uint64_t i, some, number = n;
	unsigned s;

	for (; n; n -= some) {
		some = n < OPEN ? n : OPEN;
		for (i = 0; i < some; i++) {
			value = bench_str(bench_commands[(number - i) % BENCH_COMMANDS]);
			sm_flow_start(&flows[i], type, &value, 1, NULL);
		}
		for (s = 0; s < STAGES; s++)
			for (i = 0; i < some; i++)
				sm_flow_checkpoint(&flows[i], stages[s]);
		for (i = 0; i < some; i++) {
			sm_flow_end(&flows[i], i % 8 ? "success" : "error");
			ended[i % 8 == 0]++;
		}
	}
}

static uint64_t of_family(const struct sm_snapshot *s, const struct sm_family_info *f,
	const char *last_value)
{
	uint64_t cumulative[64], total = 0;
	struct sm_sum sum;
	size_t i;

	for (i = 0; f->nbounds < 64 && i < f->nseries; i++) {
		if (strcmp(f->series[i].values[f->nlabels - 1].ptr, last_value) != 0)
			continue;
		if (sm_snapshot_classic(s, &f->series[i], SM_ALL_WRITERS, cumulative, &sum) != 0)
			bench_fail("sm_snapshot_classic");
		total += cumulative[f->nbounds];
	}
	return total;
}

/* How far the observations with this last label value are from what was counted here. */
static double off_by(const struct sm_snapshot *s, const char *family, const char *last_value,
	uint64_t counted)
{
	uint64_t total = 0;
	size_t f;

	for (f = 0; f < s->nfamilies; f++)
		if (strcmp(s->families[f].name, family) == 0)
			total += of_family(s, &s->families[f], last_value);
	return total > counted ? (double)(total - counted) : (double)(counted - total);
}

/* How many observations are missing or too many, in all. */
static double wrong(void)
{
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct sm_diag diag;
	double total;
	unsigned i;

	if (sm_reader_open(bench_segment(), &r, &diag) != 0 ||
	    sm_snapshot_take(r, 0, &s, &diag) != 0)
		bench_fail(diag.message);
	total = off_by(s, "command_duration_seconds", "success", ended[0]);
	total += off_by(s, "command_duration_seconds", "error", ended[1]);
	for (i = 0; i < STAGES; i++)
		total += off_by(s, "command_stage_duration_seconds", stages[i],
			ended[0] + ended[1]);
	sm_snapshot_free(s);
	sm_reader_close(r);
	return total;
}

int main(void)
{
	static const struct bench_case cases[] = {
		{ "clock and observations by hand", by_hand },
		{ "flow", flow },
		{ "flow, traced", flow_traced },
		{ "flow, 1,000 open", flows_interleaved },
	};
	struct sm_family *f;
	struct sm_diag diag;
	struct sm *m;
	unsigned i;

	bench_pin(0);
	m = bench_open("bench", SM_OPEN_TSC);
	type = sm_flow_declare(m, &(struct sm_flow_options){ .name = "command",
		.labels = { "command" }, .slow_ns = UINT64_C(3600000000000) }, &diag);
	if (diag.error)
		bench_fail(diag.message);
	f = bench_declare(m, &(struct sm_family_options){ .kind = SM_HISTOGRAM,
		.name = "by_hand_seconds", .unit = SM_SECONDS, .labels = { "stage" } });
	histogram[0] = sm_histogram(f, SM_LABELS("all"));
	for (i = 0; i < STAGES; i++)
		histogram[1 + i] = sm_histogram(f, SM_LABELS(stages[i]));
	bench_run(cases, sizeof(cases) / sizeof(cases[0]));
	bench_record("flow, miscounted", wrong());
	sm_close(m);
	unlink(bench_segment());
	bench_print();
	return 0;
}
