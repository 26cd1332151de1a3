/* SPDX-License-Identifier: Apache-2.0 */
/*
 * about.c - our own metrics about a segment and its writers: shardmeter_writer_*,
 * shardmeter_segment_*, shardmeter_refused_total. The one place that knows them: every format is
 * made from what sm_snapshot_about() tells.
 *
 * One table, by name. A plain metric is a field of the snapshot; of a metric per writer it is a field
 * of the writer; the others have a function.
 */
#include <shardmeter_reader.h>
#include <stddef.h>
#include <string.h>

#include "catalog_read.h"
#include "format.h"

struct teller {
	const struct sm_snapshot *s;
	int (*fn)(void *ctx, const struct sm_about *about);
	void *ctx;
	struct sm_about about;		/* of the metric at hand */
	const char *labels[2 * (SM_METADATA_MAX + 2)];
};

struct metric {
	const char *name, *help, *unit;
	enum sm_kind kind;
	int (*tell)(struct teller *t, const struct metric *m);
	size_t field;
};

static int tell(struct teller *t, uint64_t units, unsigned decimals)
{
	t->about.units = units;
	t->about.decimals = decimals;
	return t->fn(t->ctx, &t->about);
}

static void add_label(struct teller *t, const char *name, const char *value)
{
	t->labels[2 * t->about.nlabels] = name;
	t->labels[2 * t->about.nlabels++ + 1] = value;
}

/* ---- of the segment ------------------------------------------------------------------------ */

static int tell_plain(struct teller *t, const struct metric *m)
{
	uint64_t v;

	memcpy(&v, (const char *)t->s + m->field, sizeof(v));
	return tell(t, v, 0);
}

static int tell_stale(struct teller *t, const struct metric *m)
{
	(void)m;
	return tell(t, t->s->stale != 0, 0);
}

static int tell_refused(struct teller *t, const struct metric *m)
{
	const char *reason;
	unsigned i;
	int rc = 0;

	(void)m;
	for (i = 0; !rc && (reason = sm_refused_reason(i)) != NULL; i++) {
		t->about.nlabels = 0;
		add_label(t, "reason", reason);
		rc = tell(t, t->s->refused[i], 0);
	}
	return rc;
}

static int tell_info(struct teller *t, const struct metric *m)
{
	static const char digits[] = "0123456789abcdef";
	const struct sm_segment_info *info = t->s->segment;
	char id[33], layout[48];
	size_t i, n;

	(void)m;
	for (i = 0; i < 16; i++) {
		id[2 * i] = digits[info->segment_id[i] >> 4];
		id[2 * i + 1] = digits[info->segment_id[i] & 15];
	}
	id[32] = '\0';
	n = sm_format_u64(info->layout_major, layout);
	layout[n++] = '.';
	sm_format_u64(info->layout_minor, layout + n);
	add_label(t, "segment_id", id);
	add_label(t, "layout", layout);
	return tell(t, 1, 0);
}

/* ---- of writers ---------------------------------------------------------------------------- */

/* Call one() for each writer that `applies` to. */
static int each_writer(struct teller *t, bool (*applies)(const struct sm_writer *w),
		       int (*one)(struct teller *t, const struct sm_writer *w))
{
	const struct sm_writer *w;
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < t->s->nwriters; i++) {
		w = &t->s->writers[i];
		if (!applies(w))
			continue;
		t->about.writer = (int)i;
		t->about.nlabels = 0;
		add_label(t, "writer", w->name);
		rc = one(t, w);
	}
	return rc;
}

static bool is_process(const struct sm_writer *w)
{
	return w->state != SM_WRITER_COMMON;
}

static bool is_live(const struct sm_writer *w)
{
	return w->state == SM_WRITER_LIVE;
}

static bool has_beat(const struct sm_writer *w)
{
	return is_live(w) && w->heartbeat_boot_ns;
}

static int one_shared(struct teller *t, const struct sm_writer *w)
{
	return tell(t, w->shared_updates, 0);
}

static int tell_shared(struct teller *t, const struct metric *m)
{
	(void)m;
	return each_writer(t, is_process, one_shared);
}

static int one_heartbeat(struct teller *t, const struct sm_writer *w)
{
	uint64_t now = t->s->taken_boot_ns, then = w->heartbeat_boot_ns;

	return tell(t, now > then ? now - then : 0, 9);
}

static int tell_heartbeat(struct teller *t, const struct metric *m)
{
	(void)m;
	return each_writer(t, has_beat, one_heartbeat);
}

/* A metadata key as a label name: what is not allowed becomes '_'. False if it cannot be one. */
static bool label_name(const char *key, char ret_name[SM_LABEL_NAME_MAX + 1])
{
	size_t n = strlen(key), i;

	if (!n || n > SM_LABEL_NAME_MAX)
		return false;
	for (i = 0; i < n; i++)
		ret_name[i] = key[i] == '_' || sm_catalog_name_ok(&key[i], 1, 1) ||
					      (i && key[i] >= '0' && key[i] <= '9')
				      ? key[i]
				      : '_';
	ret_name[n] = '\0';
	return strncmp(ret_name, "__", 2) != 0;
}

static int one_info(struct teller *t, const struct sm_writer *w)
{
	char names[SM_METADATA_MAX][SM_LABEL_NAME_MAX + 1];
	unsigned have = 0, i;
	size_t m;

	add_label(t, "version", w->version);
	for (m = 0; m < w->nmetadata && have < SM_METADATA_MAX; m++) {
		if (!label_name(w->metadata[2 * m], names[have]) ||
		    !strcmp(names[have], "writer") || !strcmp(names[have], "version") ||
		    !strcmp(names[have], "job") || !strcmp(names[have], "instance"))
			continue;
		for (i = 0; i < have && strcmp(names[i], names[have]) != 0; i++)
			;
		if (i < have)
			continue;	/* two keys that differ in what a label cannot show */
		add_label(t, names[have], w->metadata[2 * m + 1]);
		have++;
	}
	return tell(t, 1, 0);
}

static int tell_writer_info(struct teller *t, const struct metric *m)
{
	(void)m;
	return each_writer(t, is_live, one_info);
}

static int one_restarts(struct teller *t, const struct sm_writer *w)
{
	return tell(t, w->restarts, 0);
}

static int tell_restarts(struct teller *t, const struct metric *m)
{
	(void)m;
	return each_writer(t, is_process, one_restarts);
}

static int one_start(struct teller *t, const struct sm_writer *w)
{
	return tell(t, w->start_real_ns, 9);
}

static int tell_start(struct teller *t, const struct metric *m)
{
	(void)m;
	return each_writer(t, is_live, one_start);
}

static int one_up(struct teller *t, const struct sm_writer *w)
{
	return tell(t, is_live(w), 0);
}

static int tell_up(struct teller *t, const struct metric *m)
{
	(void)m;
	return each_writer(t, is_process, one_up);
}

/* ---- the table ----------------------------------------------------------------------------- */

#define COUNTER(name, help, tell)	{ name, help, "", SM_COUNTER, tell, 0 }
#define GAUGE(name, help, unit, tell)	{ name, help, unit, SM_GAUGE, tell, 0 }
#define INFO(name, help, tell)		{ name, help, "", SM_INFO, tell, 0 }
#define PLAIN_COUNTER(name, help, member) \
	{ name, help, "", SM_COUNTER, tell_plain, offsetof(struct sm_snapshot, member) }
#define PLAIN(name, help, unit, member) \
	{ name, help, unit, SM_GAUGE, tell_plain, offsetof(struct sm_snapshot, member) }

static const struct metric metrics[] = {
	COUNTER("shardmeter_refused_total",
		"What was refused or did not fit, by reason; see shardmeter doctor.", tell_refused),
	PLAIN_COUNTER("shardmeter_segment_adoptions_total",
		      "Writers that went on where a dead one of their name had stopped.", adoptions),
	PLAIN("shardmeter_segment_bytes", "Memory behind the segment's file.", "bytes",
	      fill.allocated_bytes),
	PLAIN("shardmeter_segment_cells", "64-bit cells in use in each lane.", "", fill.cells),
	PLAIN("shardmeter_segment_cells_max", "64-bit cells that a lane can have.", "",
	      fill.cells_max),
	PLAIN_COUNTER("shardmeter_segment_claims_total",
		      "Writer slots that were claimed under a new name.", claims),
	PLAIN_COUNTER("shardmeter_segment_conflicts_total",
		      "Writers that wanted a name which a live writer had.", conflicts),
	PLAIN("shardmeter_segment_damaged_records",
	      "Families, series and writers left out because their record is damaged or there twice.",
	      "", damaged_records),
	PLAIN("shardmeter_segment_exemplars", "Exemplar slots in use.", "", fill.exemplars),
	PLAIN("shardmeter_segment_exemplars_max", "Exemplar slots of the segment.", "",
	      fill.exemplars_max),
	PLAIN("shardmeter_segment_families", "Family records in use, removed ones included.", "",
	      fill.families),
	PLAIN("shardmeter_segment_families_max", "Family records of the segment.", "",
	      fill.families_max),
	PLAIN_COUNTER("shardmeter_segment_folds_total",
		      "Dead writers whose counts were added to the retired totals.", folds),
	INFO("shardmeter_segment_info", "The segment: its random id and the version of its layout.",
	     tell_info),
	PLAIN_COUNTER("shardmeter_segment_recoveries_total",
		      "Changes of the segment that a process left half done and another mended.",
		      recovered),
	PLAIN_COUNTER("shardmeter_segment_removals_total", "Series that were removed.", removals),
	PLAIN("shardmeter_segment_series", "Series records in use, removed ones included.", "",
	      fill.series),
	PLAIN("shardmeter_segment_series_max", "Series records of the segment.", "",
	      fill.series_max),
	PLAIN("shardmeter_segment_strings_bytes", "Text in use: names, label values, bounds.",
	      "bytes", fill.strings),
	PLAIN("shardmeter_segment_strings_bytes_max", "Text that the segment has room for.", "",
	      fill.strings_max),
	PLAIN("shardmeter_segment_writers", "Writer slots in use, dead writers included.", "",
	      fill.writers),
	PLAIN("shardmeter_segment_writers_max", "Writer slots of the segment.", "",
	      fill.writers_max),
	COUNTER("shardmeter_shared_lane_updates_total",
		"Updates that took the slow way for want of a lane; see lanes_per_writer.",
		tell_shared),
	GAUGE("shardmeter_snapshot_stale",
	      "1 if these are the values of an earlier scrape: writers were busy folding.", "",
	      tell_stale),
	GAUGE("shardmeter_writer_heartbeat_age_seconds",
	      "Time since a live writer last said that it works.", "seconds", tell_heartbeat),
	INFO("shardmeter_writer_info", "A live writer, the version of its program and its metadata.",
	     tell_writer_info),
	COUNTER("shardmeter_writer_restarts_total",
		"Times that a process of this name took over from a dead one.", tell_restarts),
	GAUGE("shardmeter_writer_start_time_seconds",
	      "When the process of a live writer started, since 1970.", "seconds", tell_start),
	GAUGE("shardmeter_writer_up", "1 if the writer's process lives, 0 if it is gone.", "",
	      tell_up),
};

int sm_snapshot_about(const struct sm_snapshot *s,
		      int (*fn)(void *ctx, const struct sm_about *about), void *ctx)
{
	struct teller t = { .s = s, .fn = fn, .ctx = ctx };
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		const struct metric *m = &metrics[i];

		t.about = (struct sm_about){ .name = m->name, .help = m->help, .unit = m->unit,
					     .kind = m->kind, .labels = t.labels, .writer = -1 };
		rc = m->tell(&t, m);
	}
	return rc;
}
