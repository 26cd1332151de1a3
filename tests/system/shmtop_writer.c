/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmtop_writer.c - a bot on strings, for test_shmtop.py: does what each line of standard input
 * says and answers "ok", so that the test knows what is in the segment.
 *
 *	count N LABEL	add N to commands_total{command=LABEL}; LABEL in hex
 *	gauge X		set queue_length
 *	all X		set open_files, a gauge that is shown for each writer
 *	state N		set connection_state: 0 down, 1 up
 *	observe X N	observe X seconds N times in command_duration_seconds
 *	fill N		make N counters more
 *	more N		count on the first N of them
 *	fill-durations N	make N histograms more
 *	durations N	observe something in the first N of them
 *	flow LABEL STATUS	a command from start to end, kept as a slow operation
 *	health N	set the health of the component database: 0 critical, 1 degraded, 2 ok
 *	beat		heartbeat
 *	close		close the segment and end
 */
#include "line_writer.h"

static struct sm_family *commands, *more, *durations;
static struct sm_flow_type *flow;
static struct sm_gauge *queue, *files;
static struct sm_stateset *state;
static struct sm_histogram *duration;

static void declare_all(void)
{
	static const char *const states[] = { "down", "up" };
	struct sm_family_options o = { .kind = SM_COUNTER, .name = "commands_total",
				       .help = "Commands.", .labels = { "command" } };

	commands = declare(&o);
	o.name = "more_total";
	o.labels[0] = "number";
	o.cap = 20000;
	more = declare(&o);
	o = (struct sm_family_options){ .kind = SM_GAUGE, .name = "queue_length" };
	queue = sm_gauge(declare(&o), SM_NO_LABELS);
	o = (struct sm_family_options){ .kind = SM_GAUGE, .name = "open_files",
					.mode = SM_MODE_ALL };
	files = sm_gauge(declare(&o), SM_NO_LABELS);
	o = (struct sm_family_options){ .kind = SM_STATESET, .name = "connection_state",
					.states = states, .nstates = 2 };
	state = sm_stateset(declare(&o), SM_NO_LABELS);
	o = (struct sm_family_options){ .kind = SM_HISTOGRAM, .name = "command_duration_seconds",
					.unit = SM_SECONDS };
	duration = sm_histogram(declare(&o), SM_NO_LABELS);
	o.name = "more_duration_seconds";
	o.labels[0] = "number";
	o.cap = 20000;
	durations = declare(&o);
	flow = sm_flow_declare(m, &(struct sm_flow_options){ .name = "request",
			       .labels = { "route" }, .slow_ns = 1, .slow_per_second = 1000 }, NULL);
}

static void count(unsigned long n, const char *hex)
{
	struct sm_str value = from_hex(hex);

	sm_counter_add(sm_counter(commands, &value, 1), n);
}

static void fill(unsigned long n)
{
	char number[24];
	unsigned long i;

	for (i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%lu", i);
		sm_counter_add(sm_counter(more, SM_LABELS(number)), i + 1);
	}
}

/* Count on n counters, or observe in n histograms. */
static void repeat(unsigned long n, int observe)
{
	char number[24];
	unsigned long i;

	for (i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%lu", i);
		if (observe)
			sm_histogram_observe(sm_histogram(durations, SM_LABELS(number)),
					     0.001 * (double)(i + 1));
		else
			sm_counter_add(sm_counter(more, SM_LABELS(number)), 1);
	}
}

static void make_flow(const char *route, const char *status)
{
	struct sm_flow f;

	sm_flow_start(&f, flow, SM_LABELS(route), NULL);
	sm_flow_attribute(&f, "guild", "266");
	sm_flow_checkpoint(&f, "load");
	sm_flow_checkpoint(&f, "database");
	sm_flow_end(&f, status);
}

/* 0 to end. */
static int obey(const char *line)
{
	char what[16] = "", hex[1025] = "", status[33] = "";
	double x = 0;
	unsigned long n = 0;

	if (sscanf(line, "%15s %lf", what, &x) < 1)
		return 1;
	n = (unsigned long)x;
	if (!strcmp(what, "count") && sscanf(line, "%*s %lu %1024s", &n, hex) == 2)
		count(n, hex);
	else if (!strcmp(what, "gauge"))
		sm_gauge_set(queue, x);
	else if (!strcmp(what, "all"))
		sm_gauge_set(files, x);
	else if (!strcmp(what, "state"))
		sm_stateset_set(state, (unsigned)n);
	else if (!strcmp(what, "observe") && sscanf(line, "%*s %*s %lu", &n) == 1)
		for (; n; n--)
			sm_histogram_observe(duration, x);
	else if (!strcmp(what, "fill"))
		fill(n);
	else if (!strcmp(what, "more") || !strcmp(what, "durations"))
		repeat(n, what[0] == 'd');
	else if (!strcmp(what, "fill-durations"))
		repeat(n, 1);
	else if (!strcmp(what, "flow") && sscanf(line, "%*s %1024s %32s", hex, status) == 2)
		make_flow(hex, status);
	else if (!strcmp(what, "health"))
		sm_health_set(m, "database", (enum sm_health)n, 1);
	else if (!strcmp(what, "beat"))
		sm_heartbeat(m);
	else if (!strcmp(what, "close"))
		return 0;
	else
		fprintf(stderr, "shmtop_writer: what is \"%s\"?\n", line);
	return 1;
}

int main(int argc, char **argv)
{
	struct sm_options o = { .max_writers = 16, .max_series = 16384, .max_cells = 1 << 16 };

	return serve(argc, argv, o, declare_all, obey);
}
