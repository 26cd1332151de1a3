/* SPDX-License-Identifier: Apache-2.0 */
/* own_exporter.c - metrics about the exporter itself and about the exposition. */
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "exporter/exposition/own.h"

#define LOSSES_NAMED 20		/* families; the count is always whole */

static void known(struct extra *x, const char *name, const char *unit, enum model_type type,
	const char *help, uint64_t units, unsigned decimals)
{
	if (units != PROCESS_UNKNOWN)
		extra_one(x, name, unit, type, help, units, decimals);
}

static void put_process(struct extra *x, struct process_table *table)
{
	struct timespec cpu;
	struct rlimit rl;
	struct process p;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
		known(x, "process_cpu_seconds_total", "seconds", MODEL_COUNTER,
			"CPU time that the exporter used, user and system.",
			(uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec, 9);
	if (getrlimit(RLIMIT_AS, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY)
		known(x, "process_virtual_memory_max_bytes", "bytes", MODEL_GAUGE,
			"Address space that the exporter may have.", rl.rlim_cur, 0);
	if (process_get(table, getpid(), 0, &p) < 0)
		return;
	known(x, "process_max_fds", "", MODEL_GAUGE, "Descriptors that the exporter may have open.",
		p.max_fds, 0);
	known(x, "process_open_fds", "", MODEL_GAUGE, "Descriptors that the exporter has open.",
		p.open_fds, 0);
	known(x, "process_resident_memory_bytes", "bytes", MODEL_GAUGE, "Memory of the exporter.",
		p.resident_bytes, 0);
	known(x, "process_start_time_seconds", "seconds", MODEL_GAUGE,
		"Start of the exporter, since 1970.",
		(process_boot_real_ns() + p.start_boot_ns) / 10000000, 2);
	known(x, "process_threads", "", MODEL_GAUGE, "Threads of the exporter.", p.threads, 0);
	known(x, "process_virtual_memory_bytes", "bytes", MODEL_GAUGE,
		"Address space of the exporter; a history's file takes 64 GiB of it.",
		p.virtual_bytes, 0);
}

static void put_state(struct extra *x, const struct collection_exporter *e)
{
	if (e->has_config) {
		extra_one(x, "shardmeter_config_last_reload_successful", "", MODEL_GAUGE,
			"1 if the configuration file was taken when it was read last.",
			e->config_ok != 0, 0);
		extra_one(x, "shardmeter_config_last_reload_success_timestamp_seconds",
			"seconds", MODEL_GAUGE,
			"When a configuration file was taken last, since 1970.",
			(uint64_t)(e->config_loaded_seconds * 1000), 3);
	}
	extra_one(x, "shardmeter_http_connections", "", MODEL_GAUGE, "Open connections.",
		e->connections, 0);
	extra_one(x, "shardmeter_http_connections_cut_total", "", MODEL_COUNTER,
		"Connections that were cut: too slow, or to make room.", e->connections_cut, 0);
	extra_one(x, "shardmeter_http_requests_rejected_total", "", MODEL_COUNTER,
		"Requests answered with 503: too many at once, or no time left.",
		e->requests_rejected, 0);
}

void own_exporter(struct extra *x, const struct collection *c, struct process_table *table)
{
	static const char *const version[] = { "version", SHARDMETER_VERSION };
	struct timespec now;
	uint64_t now_ns;

	put_process(x, table);
	put_state(x, &c->exporter);
	if (extra_family(x, "shardmeter_build_info", "", MODEL_INFO, "The exporter's version."))
		extra_add_units(x, version, 1, 1, 0);
	extra_one(x, "shardmeter_collection_duration_seconds", "seconds", MODEL_GAUGE,
		"Time that reading the segments took.", c->took_ns, 9);
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	extra_one(x, "shardmeter_scrape_duration_seconds", "seconds", MODEL_GAUGE,
		"Time from the beginning of the collection until the values of this exposition were "
		"written.", now_ns > c->began_ns ? now_ns - c->began_ns : 0, 9);
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

	extra_one(x, "shardmeter_exposition_samples", "", MODEL_GAUGE,
		"Samples of the segments in this exposition, without those about Shardmeter; compare "
		"with sample_limit.", l->samples, 0);
	extra_one(x, "shardmeter_exposition_families_left_out", "", MODEL_GAUGE,
		"Families that are not in this exposition, because they cannot be.", n, 0);
	if (!n || !extra_family(x, "shardmeter_exposition_family_left_out", "", MODEL_GAUGE,
		"A family that is not in this exposition, and why; at most 20 are named."))
		return;
	for (i = 0; i < n && i < LOSSES_NAMED; i++)
		name_one(x, c, i < l->plan->ndropped ? &l->plan->dropped[i] :
			&l->unreadable[i - l->plan->ndropped]);
}
