/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_writer.c - metrics about the processes of live writers.
 *
 * A process number means something only in its own namespace. Where that is ours the kernel is asked,
 * and the time of its start must be that of the writer, so that a number that was given to another
 * process is not believed. Else, or where /proc does not show it, there is what the writer said of
 * itself with its last heartbeat.
 */
#include <stdlib.h>
#include <string.h>

#include "exporter/exposition/own.h"

enum { CPU, MAX_FDS, OPEN_FDS, RESIDENT, THREADS, VIRTUAL, METRICS };

static const struct {
	const char *name, *unit;
	enum model_type type;
	const char *help;
	unsigned decimals;
} metrics[METRICS] = {
	[CPU] = { "shardmeter_writer_cpu_seconds_total", "seconds", MODEL_COUNTER,
		"CPU time that the process of a live writer used, user and system.", 9 },
	[MAX_FDS] = { "shardmeter_writer_max_fds", "", MODEL_GAUGE,
		"Descriptors that the process of a live writer may have open.", 0 },
	[OPEN_FDS] = { "shardmeter_writer_open_fds", "", MODEL_GAUGE,
		"Descriptors that the process of a live writer has open.", 0 },
	[RESIDENT] = { "shardmeter_writer_resident_memory_bytes", "bytes", MODEL_GAUGE,
		"Memory of the process of a live writer.", 0 },
	[THREADS] = { "shardmeter_writer_threads", "", MODEL_GAUGE,
		"Threads of the process of a live writer.", 0 },
	[VIRTUAL] = { "shardmeter_writer_virtual_memory_bytes", "bytes", MODEL_GAUGE,
		"Address space of the process of a live writer.", 0 },
};

struct usage {
	uint64_t value[METRICS];	/* PROCESS_UNKNOWN: absent */
};

static uint64_t if_any(uint64_t v)
{
	return v && v < (uint64_t)1 << 63 ? v : PROCESS_UNKNOWN;
}

static void by_heartbeat(const struct sm_usage *u, struct usage *ret)
{
	ret->value[CPU] = u->cpu_user_ns + u->cpu_system_ns;
	ret->value[MAX_FDS] = if_any(u->max_fds);
	ret->value[OPEN_FDS] = if_any(u->open_fds);
	ret->value[RESIDENT] = if_any(u->resident_bytes);
	ret->value[THREADS] = if_any(u->threads);
	ret->value[VIRTUAL] = if_any(u->virtual_bytes);
}

/* False if nothing is known. */
static int get_usage(struct process_table *table, const struct sm_writer *w, struct usage *ret)
{
	struct process p;

	if (w->state != SM_WRITER_LIVE)
		return 0;
	if (w->pidns && w->pidns == process_namespace() && w->pid && w->pid <= INT32_MAX &&
	    w->start_boot_ns && process_get(table, (pid_t)w->pid, w->start_boot_ns, &p) == 0) {
		ret->value[CPU] = p.cpu_ns;
		ret->value[MAX_FDS] = p.max_fds;
		ret->value[OPEN_FDS] = p.open_fds;
		ret->value[RESIDENT] = p.resident_bytes;
		ret->value[THREADS] = p.threads;
		ret->value[VIRTUAL] = p.virtual_bytes;
		return 1;
	}
	if (!w->usage.at_boot_ns)
		return 0;
	by_heartbeat(&w->usage, ret);
	return 1;
}

/* All writers of a segment, metric by metric: the others of a family are then found at once. */
static void put_usages(struct extra *x, const struct values *v, const struct usage *usage)
{
	const char *label[2] = { "writer" };
	unsigned m;
	size_t w;

	for (m = 0; m < METRICS; m++) {
		for (w = 0; w < v->nwriters; w++) {
			label[1] = v->writers[w].info->name;
			if (usage[w].value[m] != PROCESS_UNKNOWN &&
			    extra_family(x, metrics[m].name, metrics[m].unit, metrics[m].type,
				    metrics[m].help))
				extra_add_units(x, label, 1, usage[w].value[m],
					metrics[m].decimals);
		}
	}
}

void own_writers(struct extra *x, const struct collection *c, const struct values *v,
	struct process_table *table)
{
	struct usage *usage;
	size_t s, w;

	for (s = 0; s < c->nsegments; s++) {
		x->segment = c->nsegments > 1 ? c->segment[s].name : NULL;
		usage = malloc((v[s].nwriters + 1) * sizeof(*usage));
		x->failed |= !usage;
		for (w = 0; usage && w < v[s].nwriters; w++)
			if (!query_wants_writer(x->query, v[s].writers[w].info->name) ||
			    !get_usage(table, v[s].writers[w].info, &usage[w]))
				memset(&usage[w], 0xff, sizeof(usage[w]));
		if (usage)
			put_usages(x, &v[s], usage);
		free(usage);
	}
	x->segment = NULL;
}
