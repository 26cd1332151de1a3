/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_writer.c - a program that counts, for test_cli.py: does what each line of standard input
 * says and answers "ok".
 *
 *	cli_writer SEGMENT WRITER
 *
 *	cents N		add N hundredths to paid_total, a counter with two decimals
 *	jobs N		add N to jobs_total{job="bot",status="ok"}
 *	label HEX	add 1 to odd_total{text=...}
 *	max		make huge_total 2^64 - 1
 *	all X		set open_files, a gauge of mode all
 *	state N		set connection_state: 0 down, 1 up
 *	signed X	observe X in drift, a histogram that takes negative values
 *	beat		heartbeat
 *	close		close the segment and end
 */
#include "line_writer.h"

static void cents(uint64_t n)
{
	const struct sm_family_options o = { .kind = SM_COUNTER,
		.name = "paid_total",
		.help = "Euros.",
		.number = SM_NUMBER_FIXED,
		.decimals = 2 };

	sm_counter_add(sm_counter(declare(&o), SM_NO_LABELS), n);
}

static void jobs(uint64_t n)
{
	const struct sm_family_options o = { .kind = SM_COUNTER,
		.name = "jobs_total",
		.help = "Jobs done.",
		.labels = { "job", "status" } };

	sm_counter_add(sm_counter(declare(&o), SM_LABELS("bot", "ok")), n);
}

static void label(const char *hex)
{
	const struct sm_family_options o = {
		.kind = SM_COUNTER, .name = "odd_total", .labels = { "text" }
	};
	struct sm_str value = from_hex(hex);

	sm_counter_add(sm_counter(declare(&o), &value, 1), 1);
}

static void maximum(void)
{
	const struct sm_family_options o = { .kind = SM_COUNTER, .name = "huge_total" };

	sm_counter_add(sm_counter(declare(&o), SM_NO_LABELS), UINT64_MAX);
}

static void all(double v)
{
	const struct sm_family_options o = {
		.kind = SM_GAUGE, .name = "open_files", .mode = SM_MODE_ALL
	};

	sm_gauge_set(sm_gauge(declare(&o), SM_NO_LABELS), v);
}

static void state(unsigned n)
{
	static const char *const states[] = { "down", "up" };
	const struct sm_family_options o = {
		.kind = SM_STATESET, .name = "connection_state", .states = states, .nstates = 2
	};

	sm_stateset_set(sm_stateset(declare(&o), SM_NO_LABELS), n);
}

static void signed_value(double v)
{
	static const double bounds[] = { -1, 0, 1 };
	const struct sm_family_options o = { .kind = SM_HISTOGRAM,
		.name = "drift",
		.bounds = bounds,
		.nbounds = 3,
		.is_signed = 1,
		.grid = SM_GRID_OFF };

	sm_histogram_observe(sm_histogram(declare(&o), SM_NO_LABELS), v);
}

/* 0 to end. */
static int obey(const char *line)
{
	char what[16] = "", hex[1025] = "";
	double x = 0;

	if (sscanf(line, "%15s %1024s", what, hex) < 1)
		return 1;
	x = strtod(hex, NULL);
	if (!strcmp(what, "cents"))
		cents(strtoull(hex, NULL, 10));
	else if (!strcmp(what, "jobs"))
		jobs(strtoull(hex, NULL, 10));
	else if (!strcmp(what, "label"))
		label(hex);
	else if (!strcmp(what, "max"))
		maximum();
	else if (!strcmp(what, "all"))
		all(x);
	else if (!strcmp(what, "state"))
		state((unsigned)x);
	else if (!strcmp(what, "signed"))
		signed_value(x);
	else if (!strcmp(what, "beat"))
		sm_heartbeat(m);
	else if (!strcmp(what, "close"))
		return 0;
	else
		fprintf(stderr, "cli_writer: what is \"%s\"?\n", line);
	return 1;
}

int main(int argc, char **argv)
{
	struct sm_options o = { .metadata = { "shard=3", "node=a\x1b[31m" } };

	return serve(argc, argv, o, NULL, obey);
}
