/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.c - from a snapshot of a segment to the model.
 *
 * Most series have one value over all writers. Gauges declared SM_MODE_ALL and state sets have
 * none: they become one row for each live writer.
 *
 * Who is well: a writer whose lock is gone without sm_close() has died. A live one is silent when
 * its heartbeat is older than 10 s and older than three of its own usual intervals. That is sooner
 * than the 60 s of `shardmeter doctor`, on purpose: there a late heartbeat is an exit code that
 * may wake somebody, here it is a line that is gone with the next beat. One that never called
 * sm_heartbeat() is not judged: its heartbeat_boot_ns is when it attached.
 */
#include "sample.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENT_NS UINT64_C(10000000000)
#define VERSIONS_MAX 16

static const char *const bad_states[] = { "critical", "down",	 "failed",    "error", "dead",
					  "crashed",  "offline", "unhealthy", "open",  NULL };
static const char *const warn_states[] = { "degraded",	   "warning",	"disconnected", "reconnecting",
					   "half_open",	   "half-open", "unavailable",	NULL };

static uint64_t age(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static void copy_escaped(char *ret, size_t size, const char *text, unsigned escape)
{
	struct buf b = { 0 };

	top_escape(&b, text, strlen(text), escape);
	snprintf(ret, size, "%s", b.data ? b.data : "");
	buf_free(&b);
}

/* ---- series --------------------------------------------------------------------------------- */

static int one_row_per_writer(const struct sm_family_info *f)
{
	return f->kind == SM_STATESET || (f->kind == SM_GAUGE && f->mode == SM_MODE_ALL);
}

int top_sample_needs_writers(const struct sm_snapshot *s)
{
	size_t i;

	for (i = 0; i < s->nfamilies; i++)
		if (one_row_per_writer(&s->families[i]) && s->families[i].nseries)
			return 1;
	return 0;
}

static void feed_number(struct top_model *m, const struct sm_snapshot *s, struct top_family *family,
			const struct sm_series_info *series, int writer, int absent)
{
	const struct sm_writer *w = writer == SM_ALL_WRITERS ? NULL : &s->writers[writer];
	struct sm_value value;
	struct top_row *row;

	if (absent || sm_snapshot_number(s, series, writer, &value))
		value.is_set = 0;
	row = top_model_row(m, family, series, w, value.is_set);
	if (row)
		top_row_number(m, row, &value);
}

static void feed_each_writer(struct top_model *m, const struct sm_snapshot *s,
			     const struct sm_family_info *info, struct top_family *family,
			     const struct sm_series_info *series)
{
	size_t w;
	int dead;

	for (w = 0; w < s->nwriters; w++) {
		dead = s->writers[w].state == SM_WRITER_DEAD && !(info->flags & SM_FAMILY_KEEP);
		feed_number(m, s, family, series, (int)w, dead);
	}
}

static void feed_histogram(struct top_model *m, const struct sm_snapshot *s,
			   struct top_family *family, const struct sm_series_info *series,
			   uint64_t *counts)
{
	struct top_row *row;
	struct sm_sum sum;

	if (sm_snapshot_buckets(s, series, SM_ALL_WRITERS, counts, &sum))
		return;
	row = top_model_row(m, family, series, NULL, 1);
	if (row)
		top_row_histogram(m, row, counts, &sum);
}

int top_sample_series(struct top_model *m, const struct sm_snapshot *s)
{
	const struct sm_family_info *info;
	struct top_family *family;
	uint64_t *counts;
	unsigned widest = 0;
	size_t f, i;

	for (f = 0; f < s->nfamilies; f++)
		if (s->families[f].nunited > widest)
			widest = s->families[f].nunited;
	counts = calloc(widest + 1, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	top_model_begin(m, m->fake_boot_ns ? m->fake_boot_ns : s->taken_boot_ns);
	m->real_ns = m->fake_boot_ns ? m->fake_real_ns : s->taken_real_ns;
	for (f = 0; f < s->nfamilies; f++) {
		info = &s->families[f];
		family = top_model_family(m, info);
		for (i = 0; family && i < info->nseries; i++) {
			if (info->kind == SM_HISTOGRAM)
				feed_histogram(m, s, family, &info->series[i], counts);
			else if (one_row_per_writer(info))
				feed_each_writer(m, s, info, family, &info->series[i]);
			else
				feed_number(m, s, family, &info->series[i], SM_ALL_WRITERS, 0);
		}
	}
	free(counts);
	return top_model_end(m);
}

/* ---- status --------------------------------------------------------------------------------- */

static void find_version(struct top_status *st, const struct sm_snapshot *s, unsigned escape)
{
	const char *version[VERSIONS_MAX];
	unsigned count[VERSIONS_MAX], n = 0, best = 0, v;
	size_t w;

	for (w = 0; w < s->nwriters; w++) {
		if (s->writers[w].state != SM_WRITER_LIVE || !s->writers[w].version[0])
			continue;
		for (v = 0; v < n; v++)
			if (!strcmp(version[v], s->writers[w].version))
				break;
		if (v == n) {
			if (n == VERSIONS_MAX)
				continue;
			version[n] = s->writers[w].version;
			count[n++] = 0;
		}
		count[v]++;
	}
	for (v = 1; v < n; v++)
		if (count[v] > count[best])
			best = v;
	st->nversions = n;
	if (n)
		copy_escaped(st->version, sizeof(st->version), version[best], escape);
}

/* 1 if it is silent. */
static int judge_live(struct top_status *st, const struct sm_writer *w, uint64_t now,
		      unsigned escape)
{
	uint64_t beat = age(now, w->heartbeat_boot_ns), usual = 0;

	st->up++;
	if (age(now, w->start_boot_ns) > st->up_ns && w->start_boot_ns)
		st->up_ns = age(now, w->start_boot_ns);
	if (!w->heartbeats)
		return 0;
	if (w->heartbeats > 1)
		usual = age(w->heartbeat_boot_ns, w->claimed_boot_ns) / w->heartbeats;
	if (beat < st->best_age_ns)
		st->best_age_ns = beat;
	if (beat > st->worst_age_ns || st->worst_age_ns == UINT64_MAX) {
		st->worst_age_ns = beat;
		copy_escaped(st->worst_name, sizeof(st->worst_name), w->name, escape);
	}
	if (beat > SILENT_NS && beat / 3 > usual) {
		st->silent++;
		if (beat > st->silent_age_ns) {
			st->silent_age_ns = beat;
			copy_escaped(st->silent_name, sizeof(st->silent_name), w->name, escape);
		}
		return 1;
	}
	return 0;
}

/* Named is the one that died last: it is news. */
static void judge_dead(struct top_status *st, const struct sm_writer *w, uint64_t now,
		       unsigned escape)
{
	uint64_t seen = w->heartbeat_boot_ns > w->claimed_boot_ns ? w->heartbeat_boot_ns
								  : w->claimed_boot_ns;

	if (w->exited_boot_ns)
		return;
	if (!st->died || age(now, seen) < st->died_age_ns) {
		st->died_age_ns = age(now, seen);
		copy_escaped(st->died_name, sizeof(st->died_name), w->name, escape);
	}
	st->died++;
}

/* Share of a core between the last two reports of the same process. */
static double cpu_share(const struct top_status *old, const struct sm_writer *w)
{
	const struct sm_usage *u = &w->usage;
	const struct top_writer *t;
	uint64_t then, now = u->cpu_user_ns + u->cpu_system_ns;
	size_t i;

	for (i = 0; i < old->nwriters; i++) {
		t = &old->writers[i];
		if (t->slot != w->slot || t->incarnation != w->incarnation)
			continue;
		then = t->usage.cpu_user_ns + t->usage.cpu_system_ns;
		if (!t->usage.at_boot_ns || u->at_boot_ns < t->usage.at_boot_ns || now < then)
			return NAN;
		if (u->at_boot_ns == t->usage.at_boot_ns)
			return t->cpu;
		return (double)(now - then) / (double)(u->at_boot_ns - t->usage.at_boot_ns);
	}
	return NAN;
}

static int copy_writer(struct top_writer *t, const struct top_status *old,
		       const struct sm_writer *w, uint64_t now)
{
	size_t i;

	snprintf(t->name, sizeof(t->name), "%s", w->name);
	snprintf(t->version, sizeof(t->version), "%s", w->version);
	t->slot = w->slot;
	t->state = w->state;
	t->ended = w->state == SM_WRITER_DEAD && w->exited_boot_ns;
	t->pid = w->pid;
	t->uid = w->uid;
	t->restarts = w->restarts;
	t->incarnation = w->incarnation;
	t->lanes = w->lanes_in_use;
	t->heartbeats = w->heartbeats;
	t->shared_updates = w->shared_updates;
	t->start_real_ns = w->start_real_ns;
	t->start_boot_ns = w->start_boot_ns;
	t->last_boot_ns = w->heartbeat_boot_ns > w->claimed_boot_ns ? w->heartbeat_boot_ns
								   : w->claimed_boot_ns;
	t->usage = w->usage;
	memcpy(t->refused, w->refused, sizeof(t->refused));
	t->cpu = cpu_share(old, w);
	t->heartbeat_age_ns = w->heartbeats ? age(now, w->heartbeat_boot_ns) : UINT64_MAX;
	for (i = 0; i < w->nmetadata && i < TOP_METADATA; i++) {
		t->metadata[2 * i] = strdup(w->metadata[2 * i]);
		t->metadata[2 * i + 1] = strdup(w->metadata[2 * i + 1]);
		t->nmetadata++;
		if (!t->metadata[2 * i] || !t->metadata[2 * i + 1])
			return -ENOMEM;
	}
	return 0;
}

static int find_writers(struct top_status *st, const struct top_status *old,
			const struct sm_snapshot *s, unsigned escape)
{
	const struct sm_writer *w;
	struct top_writer *t;
	size_t i;

	st->writers = calloc(s->nwriters + 1, sizeof(*st->writers));
	if (!st->writers)
		return -ENOMEM;
	st->worst_age_ns = st->best_age_ns = UINT64_MAX;
	for (i = 0; i < s->nwriters; i++) {
		w = &s->writers[i];
		t = &st->writers[st->nwriters++];
		if (copy_writer(t, old, w, s->taken_boot_ns))
			return -ENOMEM;
		if (w->state == SM_WRITER_LIVE)
			t->silent = judge_live(st, w, s->taken_boot_ns, escape);
		else if (w->state == SM_WRITER_DEAD)
			judge_dead(st, w, s->taken_boot_ns, escape);
	}
	st->total = st->up + st->died;
	return 0;
}

/* ---- health --------------------------------------------------------------------------------- */

static int is_state(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strcasecmp(name, *list))
			return 1;
	return 0;
}

static void add_ailment(struct top_status *st, int bad, unsigned escape, const char *who,
			const char *what)
{
	struct top_ailment *a;
	struct buf b = { 0 };

	st->nailments++;
	st->nbad += bad != 0;
	if (st->nailments > TOP_AILMENTS)
		return;
	a = &st->ailment[st->nailments - 1];
	a->bad = bad;
	top_escape(&b, who, strlen(who), escape);
	buf_puts(&b, " ");
	top_escape(&b, what, strlen(what), escape);
	snprintf(a->text, sizeof(a->text), "%s", b.data ? b.data : "");
	buf_free(&b);
}

/* State sets whose state has the name of a trouble, and the health that sm_health_set() keeps: a
 * gauge component_health of 2 ok, 1 degraded, 0 critical. */
static void find_ailments(struct top_status *st, const struct top_model *m)
{
	const struct top_family *f;
	const struct top_row *row;
	const char *state;
	size_t i;

	for (i = 0; i < m->nshown; i++) {
		row = m->rows[i];
		f = row->family;
		if (row->gone_boot_ns)
			continue;
		if (f->kind == SM_STATESET && row->value.units < f->nstates) {
			state = f->states[row->value.units];
			if (is_state(state, bad_states))
				add_ailment(st, 1, m->escape, row->writer ? row->writer : f->name,
					    state);
			else if (is_state(state, warn_states))
				add_ailment(st, 0, m->escape, row->writer ? row->writer : f->name,
					    state);
		} else if (!strcmp(f->name, "component_health") && f->nlabels &&
			   row->value.value < 2) {
			add_ailment(st, row->value.value < 1, m->escape, row->values[0],
				    row->value.value < 1 ? "critical" : "degraded");
		}
	}
}

static void consider(struct top_status *st, const char *what, uint64_t used, uint64_t max)
{
	unsigned percent;

	if (!max)
		return;
	percent = used >= max ? 100 : (unsigned)((double)used * 100 / (double)max);
	if (!st->fill_what || percent > st->fill_percent) {
		st->fill_percent = percent;
		st->fill_what = what;
	}
}

static void find_fill(struct top_status *st, const struct sm_fill *f)
{
	uint64_t fs_used = age(f->fs_total_bytes, f->fs_free_bytes);

	consider(st, "cells", f->cells, f->cells_max);
	consider(st, "series", f->series, f->series_max);
	consider(st, "families", f->families, f->families_max);
	consider(st, "texts", f->strings, f->strings_max);
	consider(st, "writers", f->writers, f->writers_max);
	/* The file system is shared with others: it is our business only when it gets tight. */
	if (f->fs_total_bytes && (double)fs_used > 0.9 * (double)f->fs_total_bytes)
		consider(st, "file system", fs_used, f->fs_total_bytes);
}

uint64_t top_sample_refused(const struct sm_snapshot *s)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < SM_REFUSED_REASONS; i++)
		sum += s->refused[i];
	return sum;
}

static void find_refused(struct top_status *st, const struct sm_snapshot *s, uint64_t before)
{
	unsigned i, most = 0;

	st->refused = age(top_sample_refused(s), before);
	for (i = 1; i < SM_REFUSED_REASONS; i++)
		if (s->refused[i] > s->refused[most])
			most = i;
	if (st->refused)
		st->refused_reason = sm_refused_reason(most);
}

static void find_segment(struct top_status *st, const struct sm_segment_info *info, unsigned escape)
{
	const char *name = strrchr(info->path, '/');
	unsigned i;

	name = name ? name + 1 : info->path;
	if (!strncmp(name, "shardmeter.", 11) && name[11])
		name += 11;
	copy_escaped(st->segment, sizeof(st->segment), name, escape);
	copy_escaped(st->path, sizeof(st->path), info->path, escape);
	st->layout_major = info->layout_major;
	st->layout_minor = info->layout_minor;
	for (i = 0; i < sizeof(info->segment_id); i++)
		snprintf(st->id + 2 * i, 3, "%02x", info->segment_id[i]);
}

int top_sample_status(struct top_model *m, const struct sm_snapshot *s, uint64_t refused_before)
{
	struct top_status st = { 0 };
	int rc;

	rc = find_writers(&st, &m->status, s, m->escape);
	if (rc) {
		top_status_release(&st);
		return rc;
	}
	find_ailments(&st, m);
	find_segment(&st, s->segment, m->escape);
	find_version(&st, s, m->escape);
	find_fill(&st, &s->fill);
	find_refused(&st, s, refused_before);
	st.created_real_ns = s->segment->created_real_ns;
	st.real_ns = m->fake_boot_ns ? m->fake_real_ns : s->taken_real_ns;
	st.boot_ns = st.now_boot_ns = s->taken_boot_ns;
	top_status_release(&m->status);
	m->status = st;
	return 0;
}
