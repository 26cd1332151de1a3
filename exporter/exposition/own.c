/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own.c - the exporter's metrics about itself, the segment it follows and its store.
 *
 * Programs may have families of the same names (process_* from a language's own collector): then
 * theirs is shown, since two families of one name would spoil the whole scrape.
 */
#include "exporter/exposition/expose.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "exporter/exposition/process.h"

struct own {
	struct buf *out;
	const struct view *v;
};

/* Families of a view are sorted by name. */
static int is_taken(const struct view *v, const char *name)
{
	size_t low = 0, high = v ? v->nfamilies : 0, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = strcmp(v->families[middle].info->name, name);
		if (order == 0)
			return 1;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

static int family(const struct own *o, const char *name, const char *type, const char *help)
{
	if (is_taken(o->v, name))
		return 0;
	buf_printf(o->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
	return 1;
}

static void sample(const struct own *o, const char *name, const char *labels, double value)
{
	char text[64];

	/* Whole numbers are easier to read without an exponent. */
	if (value < 1e15 && value == floor(value))
		snprintf(text, sizeof(text), "%.0f", value);
	else
		sm_format_double(value, 0, text, sizeof(text));
	buf_printf(o->out, "%s%s %s\n", name, labels, text);
}

static void metric(const struct own *o, const char *name, const char *type, const char *help,
	double value)
{
	if (value >= 0 && family(o, name, type, help))
		sample(o, name, "", value);
}

static void put_segment(const struct own *o, const struct expose *e)
{
	const struct source_status *s = &e->reading->status;

	metric(o, "shardmeter_segment_up", "gauge",
		"1 if the segment's values are in this exposition.", s->up);
	if (family(o, "shardmeter_segment_files", "gauge", "Files of the segment that are read: the "
		"current one, and removed or replaced ones that programs still write to.")) {
		sample(o, "shardmeter_segment_files", "{state=\"current\"}", s->current_files);
		sample(o, "shardmeter_segment_files", "{state=\"removed\"}", s->removed_files);
	}
	metric(o, "shardmeter_segment_conflicting_families", "gauge", "Families of removed files "
		"that are left out, because the current file has them with another definition.",
		o->v ? o->v->conflicts : 0);
}

static void put_store(const struct own *o, const struct recorder_stats *r)
{
	if (!r->enabled)
		return;
	metric(o, "shardmeter_store_up", "gauge", "1 if history is being written.", r->up);
	metric(o, "shardmeter_store_errors_total", "counter",
		"Rows of history that could not be written, and damaged stores set aside.",
		(double)r->errors);
	metric(o, "shardmeter_store_commit_seconds", "gauge",
		"Time that the last row of history took until it was on disk.",
		(double)r->store.commit_ns / 1e9);
	metric(o, "shardmeter_store_bytes", "gauge", "Size of the history in use.",
		(double)r->store.used_bytes);
	metric(o, "shardmeter_store_file_bytes", "gauge",
		"Size of the history's file: its high-water mark.", (double)r->store.file_bytes);
	metric(o, "shardmeter_store_rows", "gauge", "Rows of history.", (double)r->store.rows);
	metric(o, "shardmeter_store_series", "gauge", "Series that rows of history are about.",
		(double)r->store.series);
	metric(o, "shardmeter_store_evicted_rows_total", "counter",
		"Rows deleted before their time, because the history reached its size limit.",
		(double)r->store.evicted_rows);
	metric(o, "shardmeter_store_deferred_series", "gauge",
		"New series left out of the last row, because there were too many at once.",
		(double)r->store.deferred_series);
	if (r->last_tick_ms)
		metric(o, "shardmeter_history_last_tick_timestamp_seconds", "gauge",
			"Time of the last row of history, since 1970.",
			(double)r->last_tick_ms / 1e3);
}

static void put_process(const struct own *o)
{
	struct process p;

	process_read(&p);
	metric(o, "process_cpu_seconds_total", "counter",
		"CPU time that the exporter used, user and system.", p.cpu_seconds);
	metric(o, "process_max_fds", "gauge", "Descriptors that the exporter may have open.",
		p.max_fds);
	metric(o, "process_open_fds", "gauge", "Descriptors that the exporter has open.",
		p.open_fds);
	metric(o, "process_resident_memory_bytes", "gauge", "Memory of the exporter.",
		p.resident_bytes);
	metric(o, "process_start_time_seconds", "gauge", "Start of the exporter, since 1970.",
		p.start_time_seconds);
	metric(o, "process_threads", "gauge", "Threads of the exporter.", p.threads);
	metric(o, "process_virtual_memory_bytes", "gauge",
		"Address space of the exporter; the history's file takes 64 GiB of it.",
		p.virtual_bytes);
	metric(o, "process_virtual_memory_max_bytes", "gauge",
		"Address space that the exporter may have.", p.virtual_max_bytes);
}

void expose_own(struct buf *b, const struct expose *e, const struct view *v)
{
	struct own o = { .out = b, .v = v };
	struct timespec now;
	double took;

	put_segment(&o, e);
	put_store(&o, e->recorder);
	put_process(&o);
	if (family(&o, "shardmeter_build_info", "gauge", "The exporter's version."))
		sample(&o, "shardmeter_build_info", "{version=\"" SHARDMETER_VERSION "\"}", 1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	took = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)e->began_ns / 1e9;
	metric(&o, "shardmeter_scrape_duration_seconds", "gauge",
		"Time that collecting this exposition took.", fmax(took, 0));
}
