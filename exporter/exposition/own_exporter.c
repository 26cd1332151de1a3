/* SPDX-License-Identifier: Apache-2.0 */
/* own_exporter.c - metrics about the exporter itself and about the exposition. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporter/exposition/own.h"
#include "exporter/exposition/process.h"

#define LOSSES_NAMED 20		/* families; the count is always whole */

static void known(struct extra *x, const char *name, const char *unit, enum model_type type,
	const char *help, double value)
{
	if (value >= 0)
		extra_one_double(x, name, unit, type, help, value);
}

static void count(struct extra *x, const char *name, const char *unit, const char *help,
	double value)
{
	if (value >= 0 && value < 1e18)
		extra_one(x, name, unit, MODEL_GAUGE, help, (uint64_t)value, 0);
	else
		known(x, name, unit, MODEL_GAUGE, help, value);
}

static void put_process(struct extra *x)
{
	struct process p;

	process_read(&p);
	known(x, "process_cpu_seconds_total", "seconds", MODEL_COUNTER,
		"CPU time that the exporter used, user and system.", p.cpu_seconds);
	count(x, "process_max_fds", "", "Descriptors that the exporter may have open.", p.max_fds);
	count(x, "process_open_fds", "", "Descriptors that the exporter has open.", p.open_fds);
	count(x, "process_resident_memory_bytes", "bytes", "Memory of the exporter.",
		p.resident_bytes);
	known(x, "process_start_time_seconds", "seconds", MODEL_GAUGE,
		"Start of the exporter, since 1970.", p.start_time_seconds);
	count(x, "process_threads", "", "Threads of the exporter.", p.threads);
	count(x, "process_virtual_memory_bytes", "bytes",
		"Address space of the exporter; a history's file takes 64 GiB of it.",
		p.virtual_bytes);
	count(x, "process_virtual_memory_max_bytes", "bytes",
		"Address space that the exporter may have.", p.virtual_max_bytes);
}

static void put_state(struct extra *x, const struct collection_exporter *e)
{
	if (e->has_config) {
		extra_one(x, "shardmeter_config_last_reload_successful", "", MODEL_GAUGE,
			"1 if the configuration file was taken when it was read last.",
			e->config_ok != 0, 0);
		extra_one_double(x, "shardmeter_config_last_reload_success_timestamp_seconds",
			"seconds", MODEL_GAUGE,
			"When a configuration file was taken last, since 1970.",
			e->config_loaded_seconds);
	}
	extra_one(x, "shardmeter_http_connections", "", MODEL_GAUGE, "Open connections.",
		e->connections, 0);
	extra_one(x, "shardmeter_http_connections_cut_total", "", MODEL_COUNTER,
		"Connections that were cut: too slow, or to make room.", e->connections_cut, 0);
	extra_one(x, "shardmeter_http_requests_rejected_total", "", MODEL_COUNTER,
		"Requests answered with 503: too many at once, or no time left.",
		e->requests_rejected, 0);
}

void own_exporter(struct extra *x, const struct collection *c)
{
	static const char *const version[] = { "version", SHARDMETER_VERSION };
	struct timespec now;
	double took;

	put_process(x);
	put_state(x, &c->exporter);
	if (extra_family(x, "shardmeter_build_info", "", MODEL_INFO, "The exporter's version."))
		extra_add_units(x, version, 1, 1, 0);
	extra_one(x, "shardmeter_collection_duration_seconds", "seconds", MODEL_GAUGE,
		"Time that reading the segments took.", c->took_ns, 9);
	clock_gettime(CLOCK_MONOTONIC, &now);
	took = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)c->began_ns / 1e9;
	extra_one_double(x, "shardmeter_scrape_duration_seconds", "seconds", MODEL_GAUGE,
		"Time from the beginning of the collection until the values of this exposition were "
		"written.", fmax(took, 0));
}

/* ---- losses --------------------------------------------------------------------------------- */

static void name_one(struct extra *x, const struct collection *c, const struct plan_drop *d)
{
	const char *labels[4] = { "family", d->family, "reason", plan_reason_name(d->reason) };

	x->segment = c->nsegments > 1 ? c->segment[d->segment].name : NULL;
	extra_add_units(x, labels, 2, 1, 0);
	x->segment = NULL;
}

void own_losses(struct extra *x, const struct collection *c, const struct own_losses *l)
{
	size_t n = l->plan->ndropped + l->nunreadable, i;

	extra_one(x, "shardmeter_exposition_families_left_out", "", MODEL_GAUGE,
		"Families that are not in this exposition, because they cannot be.", n, 0);
	if (!n || !extra_family(x, "shardmeter_exposition_family_left_out", "", MODEL_GAUGE,
		"A family that is not in this exposition, and why; at most 20 are named."))
		return;
	for (i = 0; i < n && i < LOSSES_NAMED; i++)
		name_one(x, c, i < l->plan->ndropped ? &l->plan->dropped[i] :
			&l->unreadable[i - l->plan->ndropped]);
}
