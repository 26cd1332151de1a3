/* SPDX-License-Identifier: Apache-2.0 */
/* dump_json.c - see dump.h. */
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"

bool dump_matches(const char *pattern, const struct sm_family_info *family,
	const struct sm_series_info *series)
{
	char *text;
	bool matches;

	if (!pattern || fnmatch(pattern, family->name, 0) == 0)
		return true;
	if (!series || !strpbrk(pattern, "{}"))
		return false;
	text = cli_series_text(family, series, "");
	matches = text && fnmatch(pattern, text, 0) == 0;
	free(text);
	return matches;
}

const char *dump_writer_state(const struct sm_writer *w)
{
	if (w->state == SM_WRITER_LIVE)
		return "live";
	if (w->state == SM_WRITER_COMMON)
		return "common";
	return w->exited_boot_ns ? "ended" : "dead";
}

/* The number of one series, of one writer or of all, and the name of the state if it is one. */
static void put_number(
	struct cli_json *j, const struct sm_family_info *family, const struct sm_value *v)
{
	char text[CLI_TEXT_MAX];

	cli_value(v, text);
	cli_json_number(j, "value", text);
	if (family->kind == SM_STATESET && v->is_set && v->value >= 0 && v->value < family->nstates)
		cli_json_text(j, "state", family->states[(unsigned)v->value]);
}

static void put_quantile(struct cli_json *j, const char *key, const struct sm_snapshot *s,
	const struct sm_series_info *series, int writer, double q)
{
	double v = sm_snapshot_quantile(s, series, writer, q);

	if (isnan(v))
		cli_json_null(j, key);
	else
		cli_json_double(j, key, v);
}

static void put_histogram(struct cli_json *j, const struct sm_snapshot *s,
	const struct sm_family_info *family, const struct sm_series_info *series, int writer)
{
	uint64_t *counts = calloc(family->nbounds + 1u, sizeof(*counts));
	char text[CLI_TEXT_MAX];
	struct sm_sum sum;

	if (!counts || sm_snapshot_classic(s, series, writer, counts, &sum) != 0) {
		free(counts);
		return;
	}
	cli_json_u64(j, "count", counts[family->nbounds]);
	cli_sum(&sum, text);
	cli_json_number(j, "sum", text);
	put_quantile(j, "p50", s, series, writer, 0.5);
	put_quantile(j, "p95", s, series, writer, 0.95);
	put_quantile(j, "p99", s, series, writer, 0.99);
	cli_json_open(j, "buckets", '[');
	for (unsigned i = 0; i <= family->nbounds; i++) {
		cli_json_open(j, NULL, '{');
		sm_format_double(
			i < family->nbounds ? family->bounds[i] : INFINITY, 1, text, sizeof(text));
		cli_json_text(j, "le", text);
		cli_json_u64(j, "count", counts[i]);
		cli_json_close(j, '}');
	}
	cli_json_close(j, ']');
	free(counts);
}

/* Has this family no value over all writers? */
static bool only_by_writer(const struct sm_family_info *family)
{
	return family->kind == SM_STATESET ||
	       (family->kind == SM_GAUGE && family->mode == SM_MODE_ALL);
}

static void put_writers(struct cli_json *j, const struct sm_snapshot *s,
	const struct sm_family_info *family, const struct sm_series_info *series)
{
	struct sm_value v;

	cli_json_open(j, "writers", '[');
	for (size_t w = 0; w < s->nwriters; w++) {
		if (family->kind != SM_HISTOGRAM &&
			(sm_snapshot_number(s, series, (int)w, &v) != 0 || !v.is_set))
			continue;
		cli_json_open(j, NULL, '{');
		cli_json_text(j, "writer", s->writers[w].name);
		if (family->kind == SM_HISTOGRAM)
			put_histogram(j, s, family, series, (int)w);
		else
			put_number(j, family, &v);
		cli_json_close(j, '}');
	}
	cli_json_close(j, ']');
}

static void put_series(struct cli_json *j, const struct sm_snapshot *s,
	const struct sm_family_info *family, const struct sm_series_info *series, unsigned flags)
{
	struct sm_value v;

	cli_json_open(j, NULL, '{');
	cli_json_open(j, "labels", '{');
	for (unsigned i = 0; i < family->nlabels; i++)
		cli_json_text_n(j, family->labels[i], series->values[i].ptr, series->values[i].len);
	cli_json_close(j, '}');
	cli_json_time(j, "created", series->created_real_ns);
	if (family->kind == SM_HISTOGRAM)
		put_histogram(j, s, family, series, SM_ALL_WRITERS);
	else if (!only_by_writer(family) && sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0)
		put_number(j, family, &v);
	if ((flags & DUMP_WRITERS) || only_by_writer(family))
		put_writers(j, s, family, series);
	cli_json_close(j, '}');
}

static size_t put_family(struct cli_json *j, const struct sm_snapshot *s,
	const struct sm_family_info *family, const char *pattern, unsigned flags)
{
	size_t n = 0;

	cli_json_open(j, NULL, '{');
	cli_json_text(j, "name", family->name);
	cli_json_text(j, "kind", cli_kind(family->kind));
	cli_json_text(j, "unit", family->unit);
	cli_json_text(j, "help", family->help);
	if (family->kind == SM_GAUGE)
		cli_json_text(j, "mode", cli_mode(family->mode));
	cli_json_open(j, "labels", '[');
	for (unsigned i = 0; i < family->nlabels; i++)
		cli_json_text(j, NULL, family->labels[i]);
	cli_json_close(j, ']');
	cli_json_time(j, "created", family->created_real_ns);
	cli_json_open(j, "series", '[');
	for (size_t i = 0; i < family->nseries; i++) {
		if (!dump_matches(pattern, family, &family->series[i]))
			continue;
		put_series(j, s, family, &family->series[i], flags);
		n++;
	}
	cli_json_close(j, ']');
	cli_json_close(j, '}');
	return n;
}

static bool family_selected(const struct sm_family_info *family, const char *pattern)
{
	if (dump_matches(pattern, family, NULL))
		return true;
	for (size_t i = 0; i < family->nseries; i++)
		if (dump_matches(pattern, family, &family->series[i]))
			return true;
	return false;
}

static void put_segment(struct cli_json *j, const struct sm_segment_info *info)
{
	char text[CLI_TEXT_MAX];

	cli_json_open(j, "segment", '{');
	cli_json_text(j, "path", info->path);
	for (unsigned i = 0; i < 16; i++)
		snprintf(text + (size_t)2 * i, 3, "%02x", info->segment_id[i]);
	cli_json_text(j, "id", text);
	snprintf(text, sizeof(text), "%u.%u", info->layout_major, info->layout_minor);
	cli_json_text(j, "layout", text);
	cli_json_time(j, "created", info->created_real_ns);
	cli_json_close(j, '}');
}

size_t dump_json(FILE *f, const struct sm_snapshot *s, const char *pattern, unsigned flags)
{
	struct cli_json j = { .f = f, .indent = (flags & DUMP_INDENT) != 0 };
	size_t n = 0;

	cli_json_open(&j, NULL, '{');
	cli_json_u64(&j, "schema", CLI_JSON_SCHEMA);
	cli_json_time(&j, "time", s->taken_real_ns);
	cli_json_bool(&j, "stale", s->stale);
	put_segment(&j, s->segment);
	cli_json_open(&j, "families", '[');
	for (size_t i = 0; i < s->nfamilies; i++)
		if (family_selected(&s->families[i], pattern))
			n += put_family(&j, s, &s->families[i], pattern, flags);
	cli_json_close(&j, ']');
	if (!pattern) {
		cli_json_open(&j, "writers", '[');
		for (size_t i = 0; i < s->nwriters; i++)
			dump_writer_json(&j, s, &s->writers[i]);
		cli_json_close(&j, ']');
	}
	cli_json_close(&j, '}');
	return n;
}

/* ---- writers ---- */

static void put_age(struct cli_json *j, const char *key, uint64_t now_ns, uint64_t then_ns)
{
	if (then_ns == 0)
		cli_json_null(j, key);
	else
		cli_json_seconds(j, key, now_ns > then_ns ? now_ns - then_ns : 0);
}

static void put_usage(struct cli_json *j, const struct sm_snapshot *s, const struct sm_usage *u)
{
	if (u->at_boot_ns == 0) {
		cli_json_null(j, "usage");
		return;
	}
	cli_json_open(j, "usage", '{');
	put_age(j, "age_seconds", s->taken_boot_ns, u->at_boot_ns);
	cli_json_seconds(j, "cpu_user_seconds", u->cpu_user_ns);
	cli_json_seconds(j, "cpu_system_seconds", u->cpu_system_ns);
	cli_json_u64(j, "resident_bytes", u->resident_bytes);
	cli_json_u64(j, "virtual_bytes", u->virtual_bytes);
	cli_json_u64(j, "threads", u->threads);
	cli_json_u64(j, "open_fds", u->open_fds);
	cli_json_u64(j, "max_fds", u->max_fds);
	cli_json_close(j, '}');
}

static void put_refused(struct cli_json *j, const uint64_t *refused)
{
	cli_json_open(j, "refused", '{');
	for (unsigned i = 0; i < SM_REFUSED_REASONS; i++)
		if (refused[i] && sm_refused_reason(i))
			cli_json_u64(j, sm_refused_reason(i), refused[i]);
	cli_json_close(j, '}');
}

void dump_writer_json(struct cli_json *j, const struct sm_snapshot *s, const struct sm_writer *w)
{
	cli_json_open(j, NULL, '{');
	cli_json_text(j, "name", w->name);
	cli_json_text(j, "state", dump_writer_state(w));
	cli_json_bool(j, "alive", w->state == SM_WRITER_LIVE);
	cli_json_u64(j, "slot", w->slot);
	cli_json_u64(j, "incarnation", w->incarnation);
	cli_json_text(j, "version", w->version);
	cli_json_open(j, "metadata", '{');
	for (size_t i = 0; i < w->nmetadata; i++)
		cli_json_text(j, w->metadata[2 * i], w->metadata[2 * i + 1]);
	cli_json_close(j, '}');
	cli_json_u64(j, "pid", w->pid);
	cli_json_u64(j, "pid_namespace", w->pidns);
	cli_json_u64(j, "uid", w->uid);
	cli_json_time(j, "started", w->start_real_ns);
	put_age(j, "heartbeat_age_seconds", s->taken_boot_ns, w->heartbeat_boot_ns);
	cli_json_u64(j, "heartbeats", w->heartbeats);
	cli_json_u64(j, "restarts", w->restarts);
	cli_json_u64(j, "lanes", w->lanes_in_use);
	cli_json_u64(j, "shared_updates", w->shared_updates);
	put_refused(j, w->refused);
	put_usage(j, s, &w->usage);
	cli_json_close(j, '}');
}
