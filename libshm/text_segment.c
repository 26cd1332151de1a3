/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_segment.c - our own metrics about a segment and its writers, as part of its exposition:
 * shardmeter_writer_*, shardmeter_segment_*, shardmeter_refused_total.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog_read.h"
#include "format.h"
#include "text.h"

#define FIELD(member) offsetof(struct sm_snapshot, member)

/* Metrics without labels: one uint64_t of the snapshot each, by name. */
static const struct {
	const char *name, *help, *type;
	size_t field;
} plain[] = {
	{ "shardmeter_segment_adoptions_total",
	  "Writers that went on where a dead one of their name had stopped.", "counter",
	  FIELD(adoptions) },
	{ "shardmeter_segment_bytes", "Memory behind the segment's file.", "gauge",
	  FIELD(fill.allocated_bytes) },
	{ "shardmeter_segment_cells", "64-bit cells in use in each lane.", "gauge",
	  FIELD(fill.cells) },
	{ "shardmeter_segment_cells_max", "64-bit cells that a lane can have.", "gauge",
	  FIELD(fill.cells_max) },
	{ "shardmeter_segment_claims_total", "Writer slots that were claimed under a new name.",
	  "counter", FIELD(claims) },
	{ "shardmeter_segment_conflicts_total",
	  "Writers that wanted a name which a live writer had.", "counter", FIELD(conflicts) },
	{ "shardmeter_segment_damaged_records",
	  "Families, series and writers left out because their record is damaged or there twice.",
	  "gauge", FIELD(damaged_records) },
	{ "shardmeter_segment_exemplars", "Exemplar slots in use.", "gauge",
	  FIELD(fill.exemplars) },
	{ "shardmeter_segment_exemplars_max", "Exemplar slots of the segment.", "gauge",
	  FIELD(fill.exemplars_max) },
	{ "shardmeter_segment_families", "Family records in use, removed ones included.", "gauge",
	  FIELD(fill.families) },
	{ "shardmeter_segment_families_max", "Family records of the segment.", "gauge",
	  FIELD(fill.families_max) },
	{ "shardmeter_segment_folds_total",
	  "Dead writers whose counts were added to the retired totals.", "counter", FIELD(folds) },
	{ "shardmeter_segment_recoveries_total",
	  "Changes of the segment that a process left half done and another mended.", "counter",
	  FIELD(recovered) },
	{ "shardmeter_segment_removals_total", "Series that were removed.", "counter",
	  FIELD(removals) },
	{ "shardmeter_segment_series", "Series records in use, removed ones included.", "gauge",
	  FIELD(fill.series) },
	{ "shardmeter_segment_series_max", "Series records of the segment.", "gauge",
	  FIELD(fill.series_max) },
	{ "shardmeter_segment_strings_bytes", "Text in use: names, label values, bounds.", "gauge",
	  FIELD(fill.strings) },
	{ "shardmeter_segment_strings_bytes_max", "Text that the segment has room for.", "gauge",
	  FIELD(fill.strings_max) },
	{ "shardmeter_segment_writers", "Writer slots in use, dead writers included.", "gauge",
	  FIELD(fill.writers) },
	{ "shardmeter_segment_writers_max", "Writer slots of the segment.", "gauge",
	  FIELD(fill.writers_max) },
};

static void put_plain(struct text *t, const struct sm_snapshot *s, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)s + plain[i].field, sizeof(v));
	sm_text_family(t, plain[i].name, plain[i].help, plain[i].type);
	sm_text_sample_u64(t, plain[i].name, NULL, v);
}

static void put_refused(struct text *t, struct text *labels, const struct sm_snapshot *s)
{
	const char *name = "shardmeter_refused_total", *reason;
	unsigned i;

	sm_text_family(t, name,
		       "What was refused or did not fit, by reason; see shardmeter doctor.",
		       "counter");
	for (i = 0; (reason = sm_refused_reason(i)) != NULL; i++) {
		labels->n = 0;
		sm_text_label(labels, "reason", reason, strlen(reason));
		sm_text_sample_u64(t, name, labels, s->refused[i]);
	}
}

static void put_info(struct text *t, struct text *labels, const struct sm_snapshot *s)
{
	static const char digits[] = "0123456789abcdef";
	const char *name = "shardmeter_segment_info";
	char id[33], layout[24];
	size_t i, n;

	for (i = 0; i < 16; i++) {
		id[2 * i] = digits[s->segment->segment_id[i] >> 4];
		id[2 * i + 1] = digits[s->segment->segment_id[i] & 15];
	}
	n = sm_format_u64(s->segment->layout_major, layout);
	layout[n++] = '.';
	n += sm_format_u64(s->segment->layout_minor, layout + n);
	labels->n = 0;
	sm_text_label(labels, "segment_id", id, 32);
	sm_text_label(labels, "layout", layout, n);
	sm_text_family(t, name, "The segment: its random id and the version of its layout.",
		       "gauge");
	sm_text_sample_u64(t, name, labels, 1);
}

static void put_stale(struct text *t, const struct sm_snapshot *s)
{
	const char *name = "shardmeter_snapshot_stale";

	sm_text_family(
		t, name,
		"1 if these are the values of an earlier scrape: writers were busy folding.",
		"gauge");
	sm_text_sample_u64(t, name, NULL, s->stale != 0);
}

/* ---- writers ------------------------------------------------------------------------------- */

enum {
	WRITER_SHARED,
	WRITER_HEARTBEAT,
	WRITER_INFO,
	WRITER_RESTARTS,
	WRITER_START,
	WRITER_UP,
	WRITER_METRICS
};

static const struct {
	const char *name, *help, *type;
} of_writer[WRITER_METRICS] = {
	[WRITER_SHARED] = { "shardmeter_shared_lane_updates_total",
			    "Updates that took the slow way for want of a lane; see lanes_per_writer.",
			    "counter" },
	[WRITER_HEARTBEAT] = { "shardmeter_writer_heartbeat_age_seconds",
			       "Time since a live writer last said that it works.", "gauge" },
	[WRITER_INFO] = { "shardmeter_writer_info",
			  "A live writer, the version of its program and its metadata.", "gauge" },
	[WRITER_RESTARTS] = { "shardmeter_writer_restarts_total",
			      "Times that a process of this name took over from a dead one.",
			      "counter" },
	[WRITER_START] = { "shardmeter_writer_start_time_seconds",
			   "When the process of a live writer started, since 1970.", "gauge" },
	[WRITER_UP] = { "shardmeter_writer_up", "1 if the writer's process lives, 0 if it is gone.",
			"gauge" },
};

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

static void info_labels(struct text *labels, const struct sm_writer *w)
{
	char names[SM_METADATA_MAX][SM_LABEL_NAME_MAX + 1];
	unsigned have = 0, i;
	size_t m;

	sm_text_label(labels, "version", w->version, strlen(w->version));
	for (m = 0; m < w->nmetadata && have < SM_METADATA_MAX; m++) {
		if (!label_name(w->metadata[2 * m], names[have]) ||
		    !strcmp(names[have], "writer") || !strcmp(names[have], "version") ||
		    !strcmp(names[have], "job") || !strcmp(names[have], "instance"))
			continue;
		for (i = 0; i < have && strcmp(names[i], names[have]) != 0; i++)
			;
		if (i < have)
			continue;	/* two keys that differ in what a label cannot show */
		sm_text_label(labels, names[have], w->metadata[2 * m + 1],
			      strlen(w->metadata[2 * m + 1]));
		have++;
	}
}

static void put_writer(struct text *t, struct text *labels, const struct sm_snapshot *s,
		       const struct sm_writer *w, unsigned metric)
{
	const char *name = of_writer[metric].name;
	char text[48];
	uint64_t ns;

	labels->n = 0;
	sm_text_label(labels, "writer", w->name, strlen(w->name));
	switch (metric) {
	case WRITER_SHARED:
		sm_text_sample_u64(t, name, labels, w->shared_updates);
		break;
	case WRITER_HEARTBEAT:
		ns = s->taken_boot_ns > w->heartbeat_boot_ns
			     ? s->taken_boot_ns - w->heartbeat_boot_ns
			     : 0;
		sm_text_sample(t, name, "", labels, text,
			       sm_format_units(ns, 9, text, sizeof(text)));
		break;
	case WRITER_INFO:
		info_labels(labels, w);
		sm_text_sample_u64(t, name, labels, 1);
		break;
	case WRITER_RESTARTS:
		sm_text_sample_u64(t, name, labels, w->restarts);
		break;
	case WRITER_START:
		sm_text_sample(t, name, "", labels, text,
			       sm_format_units(w->start_real_ns, 9, text, sizeof(text)));
		break;
	default:
		sm_text_sample_u64(t, name, labels, w->state == SM_WRITER_LIVE);
	}
}

/* Does this metric speak of this writer? */
static bool applies(const struct sm_writer *w, unsigned metric)
{
	switch (metric) {
	case WRITER_SHARED:
	case WRITER_RESTARTS:
	case WRITER_UP:
		return w->state != SM_WRITER_COMMON;
	case WRITER_HEARTBEAT:
		return w->state == SM_WRITER_LIVE && w->heartbeat_boot_ns;
	default:
		return w->state == SM_WRITER_LIVE;
	}
}

static void put_writers(struct text *t, struct text *labels, const struct sm_snapshot *s,
			unsigned metric)
{
	bool begun = false;
	size_t i;

	for (i = 0; i < s->nwriters; i++) {
		if (!applies(&s->writers[i], metric))
			continue;
		if (!begun)
			sm_text_family(t, of_writer[metric].name, of_writer[metric].help,
				       of_writer[metric].type);
		begun = true;
		put_writer(t, labels, s, &s->writers[i], metric);
	}
}

void sm_text_about_segment(struct text *t, const struct sm_snapshot *s)
{
	struct text labels = { 0 };
	unsigned m;
	size_t i;
	bool info = false;

	put_refused(t, &labels, s);
	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (!info && strcmp(plain[i].name, "shardmeter_segment_info") > 0) {
			put_info(t, &labels, s);
			info = true;
		}
		put_plain(t, s, i);
	}
	for (m = 0; m < WRITER_METRICS; m++) {
		if (m == WRITER_HEARTBEAT)
			put_stale(t, s);
		put_writers(t, &labels, s, m);
	}
	free(labels.p);
}
