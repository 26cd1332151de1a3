/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c - /api/v1/writers and /api/v1/health: who counts, and how things stand.
 *
 * The judgement is one sentence, the worst finding first, and the findings by themselves for
 * programs. shmtop says the same of one segment (tools/shmtop/judge.c).
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/api/call.h"
#include "exporter/clock.h"

#define SILENT_NS	(30 * CLOCK_S)	/* without a heartbeat, for a writer that had one */
#define FULL_PERCENT	80
#define FINDINGS_MAX	64

enum { LEVEL_OK, LEVEL_WARN, LEVEL_BAD };
static const char *const level_names[] = { "ok", "warn", "bad" };

/* ---- writers -------------------------------------------------------------------------------- */

enum writer_state { WRITER_LIVE, WRITER_SILENT, WRITER_ENDED, WRITER_DEAD, WRITER_COMMON };
static const char *const writer_states[] = { "live", "silent", "ended", "dead", "common", NULL };

/* UINT64_MAX: it never had one. */
static uint64_t heartbeat_age(const struct sm_snapshot *s, const struct sm_writer *w)
{
	if (!w->heartbeat_boot_ns)
		return UINT64_MAX;
	return s->taken_boot_ns > w->heartbeat_boot_ns ? s->taken_boot_ns - w->heartbeat_boot_ns : 0;
}

static enum writer_state state_of(const struct sm_snapshot *s, const struct sm_writer *w)
{
	uint64_t age = heartbeat_age(s, w);

	if (w->state == SM_WRITER_COMMON)
		return WRITER_COMMON;
	if (w->state == SM_WRITER_LIVE)
		return age != UINT64_MAX && age > SILENT_NS ? WRITER_SILENT : WRITER_LIVE;
	return w->exited_boot_ns ? WRITER_ENDED : WRITER_DEAD;
}

static void put_usage(struct json_out *j, const struct sm_snapshot *s, const struct sm_usage *u)
{
	if (!u->at_boot_ns) {
		json_null(j, "usage");
		return;
	}
	json_open(j, "usage", '{');
	json_seconds(j, "age_seconds", s->taken_boot_ns > u->at_boot_ns ?
		s->taken_boot_ns - u->at_boot_ns : 0);
	json_seconds(j, "cpu_user_seconds", u->cpu_user_ns);
	json_seconds(j, "cpu_system_seconds", u->cpu_system_ns);
	json_u64(j, "resident_bytes", u->resident_bytes);
	json_u64(j, "virtual_bytes", u->virtual_bytes);
	json_u64(j, "threads", u->threads);
	json_u64(j, "open_fds", u->open_fds);
	json_u64(j, "max_fds", u->max_fds);
	json_close(j, '}');
}

static void put_refused(struct json_out *j, const uint64_t refused[SM_REFUSED_REASONS])
{
	const char *name;
	unsigned i;

	json_open(j, "refused", '{');
	for (i = 0; i < SM_REFUSED_REASONS; i++) {
		name = sm_refused_reason(i);
		if (name && refused[i])
			json_u64(j, name, refused[i]);
	}
	json_close(j, '}');
}

static void put_writer(struct json_out *j, const char *segment, const struct sm_snapshot *s,
	const struct sm_writer *w, int removed)
{
	uint64_t age = heartbeat_age(s, w);
	size_t i;

	json_open(j, NULL, '{');
	json_text(j, "segment", segment);
	json_text(j, "writer", w->name);
	json_text(j, "state", writer_states[state_of(s, w)]);
	json_bool(j, "removed_file", removed);
	json_text(j, "version", w->version);
	/* Keys may be there twice: no object. */
	json_open(j, "metadata", '[');
	for (i = 0; i < w->nmetadata; i++) {
		json_open(j, NULL, '{');
		json_text(j, "key", w->metadata[2 * i]);
		json_text(j, "value", w->metadata[2 * i + 1]);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_u64(j, "pid", w->pid);
	json_u64(j, "pid_namespace", w->pidns);
	json_u64(j, "uid", w->uid);
	json_time(j, "started", w->start_real_ns);
	if (age == UINT64_MAX)
		json_null(j, "heartbeat_age_seconds");
	else
		json_seconds(j, "heartbeat_age_seconds", age);
	json_u64(j, "heartbeats", w->heartbeats);
	json_u64(j, "incarnation", w->incarnation);
	json_u64(j, "restarts", w->restarts);
	json_u64(j, "lanes", w->lanes_in_use);
	json_u64(j, "shared_updates", w->shared_updates);
	put_usage(j, s, &w->usage);
	put_refused(j, w->refused);
	json_close(j, '}');
}

int endpoint_writers(struct call *c)
{
	const struct collection *all = NULL;
	const struct source_reading *r;
	int any = !request_param(c->request, "state");
	unsigned wanted = 0, total = 0;
	size_t i, p, w;
	int rc = call_word(c, "state", writer_states, &wanted);

	if (rc == 0)
		rc = call_collect(c, 0, &all);
	if (rc)
		return rc;
	json_open(&c->json, "writers", '[');
	for (i = 0; i < all->nsegments; i++) {
		r = &all->segment[i].reading;
		for (p = 0; p < r->n && call_segment(c, all->segment[i].name); p++)
			for (w = 0; w < r->snapshot[p]->nwriters; w++) {
				if (!any && state_of(r->snapshot[p], &r->snapshot[p]->writers[w]) !=
					wanted)
					continue;
				put_writer(&c->json, all->segment[i].name, r->snapshot[p],
					&r->snapshot[p]->writers[w],
					p > 0 || !r->status.current_files);
				total++;
			}
	}
	json_close(&c->json, ']');
	json_u64(&c->json, "total", total);
	collection_release(all);
	return 0;
}

/* ---- judgement ------------------------------------------------------------------------------ */

struct finding {
	int level;
	const char *code;
	const char *segment;
	char text[256];
};

struct judgement {
	unsigned n;
	struct finding finding[FINDINGS_MAX];
};

__attribute__((format(printf, 5, 6)))
static void find(struct judgement *j, int level, const char *code, const char *segment,
	const char *format, ...)
{
	struct finding *f = &j->finding[j->n];
	va_list ap;

	if (j->n == FINDINGS_MAX)
		return;
	j->n++;
	f->level = level;
	f->code = code;
	f->segment = segment;
	va_start(ap, format);
	vsnprintf(f->text, sizeof(f->text), format, ap);
	va_end(ap);
}

struct count {
	unsigned of[sizeof(writer_states) / sizeof(writer_states[0])];
	const char *worst[sizeof(writer_states) / sizeof(writer_states[0])];
	uint64_t silent_ns;
};

static void count_writers(const struct source_reading *r, struct count *ret_count)
{
	const struct sm_writer *w;
	enum writer_state state;
	size_t p, i;

	memset(ret_count, 0, sizeof(*ret_count));
	for (p = 0; p < r->n; p++)
		for (i = 0; i < r->snapshot[p]->nwriters; i++) {
			w = &r->snapshot[p]->writers[i];
			state = state_of(r->snapshot[p], w);
			ret_count->of[state]++;
			if (state == WRITER_SILENT &&
				heartbeat_age(r->snapshot[p], w) < ret_count->silent_ns)
				continue;
			if (state == WRITER_SILENT)
				ret_count->silent_ns = heartbeat_age(r->snapshot[p], w);
			ret_count->worst[state] = w->name;
		}
}

static void judge_writers(struct judgement *j, const char *segment, const struct count *n)
{
	if (n->of[WRITER_DEAD] == 1)
		find(j, LEVEL_BAD, "writer_died", segment, "%s died", n->worst[WRITER_DEAD]);
	else if (n->of[WRITER_DEAD])
		find(j, LEVEL_BAD, "writer_died", segment, "%u writers died, one of them %s",
			n->of[WRITER_DEAD], n->worst[WRITER_DEAD]);
	if (n->of[WRITER_SILENT] == 1)
		find(j, LEVEL_WARN, "writer_silent", segment, "%s silent for %llu s",
			n->worst[WRITER_SILENT], (unsigned long long)(n->silent_ns / CLOCK_S));
	else if (n->of[WRITER_SILENT])
		find(j, LEVEL_WARN, "writer_silent", segment, "%u writers silent, longest %s: %llu s",
			n->of[WRITER_SILENT], n->worst[WRITER_SILENT],
			(unsigned long long)(n->silent_ns / CLOCK_S));
	if (!n->of[WRITER_LIVE] && !n->of[WRITER_SILENT] && !n->of[WRITER_DEAD])
		find(j, LEVEL_WARN, "no_writer", segment, "no writer is running");
}

/* What fills up first. */
struct fullest {
	const char *what;
	unsigned percent;
};

static struct fullest fullest_of(const struct sm_fill *f)
{
	const struct {
		const char *what;
		uint64_t used, max;
	} parts[] = {
		{ "families", f->families, f->families_max }, { "series", f->series, f->series_max },
		{ "cells", f->cells, f->cells_max }, { "strings", f->strings, f->strings_max },
		{ "exemplars", f->exemplars, f->exemplars_max },
		{ "writers", f->writers, f->writers_max },
		{ "memory", f->fs_total_bytes - f->fs_free_bytes, f->fs_total_bytes },
	};
	struct fullest worst = { "families", 0 };
	unsigned percent;
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i].max || parts[i].used > parts[i].max)
			continue;
		percent = (unsigned)((double)parts[i].used * 100 / (double)parts[i].max);
		if (percent > worst.percent)
			worst = (struct fullest){ parts[i].what, percent };
	}
	return worst;
}

static void judge_fill(struct judgement *j, const char *segment, const struct sm_snapshot *s)
{
	struct fullest full = fullest_of(&s->fill);
	uint64_t refused = 0, most = 0;
	unsigned i, reason = 0;

	for (i = 0; i < SM_REFUSED_REASONS; i++) {
		refused += s->refused[i];
		if (s->refused[i] > most) {
			most = s->refused[i];
			reason = i;
		}
	}
	if (refused)
		find(j, LEVEL_WARN, "refused", segment, "%llu refused, most for %s",
			(unsigned long long)refused, sm_refused_reason(reason) ?
			sm_refused_reason(reason) : "another reason");
	if (full.percent >= FULL_PERCENT)
		find(j, LEVEL_WARN, "full", segment, "%s %u%% full", full.what, full.percent);
}

static void judge_segment(struct judgement *j, const struct collection_segment *s)
{
	const struct source_status *status = &s->reading.status;
	struct count n;

	if (!status->up)
		find(j, LEVEL_BAD, source_state_name(status->state), s->name, "no values: %.200s",
			status->message);
	else if (status->state != SOURCE_UP)
		find(j, LEVEL_WARN, "segment_removed", s->name, "the segment's file was removed");
	if (s->reading.n) {
		count_writers(&s->reading, &n);
		judge_writers(j, s->name, &n);
		judge_fill(j, s->name, s->reading.snapshot[0]);
	}
	if (s->recorder.enabled && !s->recorder.up)
		find(j, LEVEL_WARN, "store_down", s->name, "history is not written: %.200s",
			s->recorder.message);
}

/* ---- components: what programs say about themselves ------------------------------------------ */

struct components {
	struct call *c;
	struct judgement *judgement;
	const char *segment;
	int write;
};

static const char *component_state(double v)
{
	return v >= 2 ? "ok" : v >= 1 ? "degraded" : "critical";
}

static void one_component(struct components *k, const struct view_series *s,
	const struct sm_value *v)
{
	int critical = strcmp(s->info->values[1].ptr, "true") == 0;
	const char *state = component_state(v->value);
	struct json_out *j = &k->c->json;

	if (!k->write) {
		if (v->value < 2)
			find(k->judgement, v->value < 1 && critical ? LEVEL_BAD : LEVEL_WARN,
				"component", k->segment, "%.64s is %s", s->info->values[0].ptr, state);
		return;
	}
	json_open(j, NULL, '{');
	json_text(j, "segment", k->segment);
	json_text_n(j, "component", s->info->values[0].ptr, s->info->values[0].len);
	json_bool(j, "critical", critical);
	json_text(j, "state", state);
	json_close(j, '}');
}

/* The family that sm_health_set() makes, if it has that shape. */
static int each_component(struct components *k, const struct collection_segment *segment)
{
	const struct view_family *f;
	struct sm_value v;
	struct view view;
	size_t i, s;
	int rc;

	if (!segment->reading.n)
		return 0;
	rc = view_init(&view, segment->reading.snapshot, segment->reading.n);
	if (rc < 0)
		return rc;
	k->segment = segment->name;
	for (i = 0; i < view.nfamilies; i++) {
		f = &view.families[i];
		if (strcmp(f->info->name, "component_health") != 0 || f->info->kind != SM_GAUGE ||
			f->info->nlabels != 2 || strcmp(f->info->labels[0], "component") != 0 ||
			strcmp(f->info->labels[1], "critical") != 0)
			continue;
		for (s = 0; s < f->nseries; s++)
			if (view_number(&view, f, &f->series[s], &v) == 0 && v.is_set &&
				!isnan(v.value))
				one_component(k, &f->series[s], &v);
	}
	view_release(&view);
	return 0;
}

/* ---- health --------------------------------------------------------------------------------- */

static void put_part(struct json_out *j, const char *what, uint64_t used, uint64_t max)
{
	json_open(j, what, '{');
	json_u64(j, "used", used);
	json_u64(j, "max", max);
	json_close(j, '}');
}

static void put_fill(struct json_out *j, const struct sm_snapshot *s)
{
	const struct sm_fill *f = &s->fill;

	json_open(j, "fill", '{');
	put_part(j, "families", f->families, f->families_max);
	put_part(j, "series", f->series, f->series_max);
	put_part(j, "cells", f->cells, f->cells_max);
	put_part(j, "strings_bytes", f->strings, f->strings_max);
	put_part(j, "exemplars", f->exemplars, f->exemplars_max);
	put_part(j, "writers", f->writers, f->writers_max);
	put_part(j, "filesystem_bytes", f->fs_total_bytes - f->fs_free_bytes, f->fs_total_bytes);
	json_u64(j, "allocated_bytes", f->allocated_bytes);
	json_close(j, '}');
}

static void put_writer_counts(struct json_out *j, const struct source_reading *r)
{
	struct count n;
	unsigned i;

	count_writers(r, &n);
	json_open(j, "writers", '{');
	for (i = 0; writer_states[i]; i++)
		if (i != WRITER_COMMON)
			json_u64(j, writer_states[i], n.of[i]);
	json_close(j, '}');
}

static void put_store(struct json_out *j, const struct recorder_stats *r)
{
	json_open(j, "history", '{');
	json_bool(j, "enabled", r->enabled);
	json_bool(j, "up", r->up);
	json_text(j, "message", r->message);
	json_u64(j, "rows", r->store.rows);
	json_time(j, "first", r->store.first_ms * 1000000);
	json_time(j, "last", r->store.last_ms * 1000000);
	json_u64(j, "series", r->store.series);
	json_u64(j, "used_bytes", r->store.used_bytes);
	json_u64(j, "file_bytes", r->store.file_bytes);
	json_u64(j, "errors", r->errors);
	json_close(j, '}');
}

static void put_segment(struct json_out *j, const struct collection_segment *s)
{
	const struct source_status *status = &s->reading.status;
	const struct sm_snapshot *newest = s->reading.n ? s->reading.snapshot[0] : NULL;
	char layout[32] = "";

	json_open(j, NULL, '{');
	json_text(j, "segment", s->name);
	json_text(j, "path", status->path);
	json_bool(j, "up", status->up);
	json_text(j, "state", source_state_name(status->state));
	json_text(j, "message", status->message);
	json_text(j, "id", status->id);
	json_u64(j, "removed_files", status->removed_files);
	if (newest) {
		snprintf(layout, sizeof(layout), "%u.%u", newest->segment->layout_major,
			newest->segment->layout_minor);
		json_text(j, "layout", layout);
		json_time(j, "created", newest->segment->created_real_ns);
		json_time(j, "taken", newest->taken_real_ns);
		json_bool(j, "stale", newest->stale);
		put_fill(j, newest);
		put_writer_counts(j, &s->reading);
		put_refused(j, newest->refused);
	}
	put_store(j, &s->recorder);
	json_close(j, '}');
}

static void put_judgement(struct call *c, const struct judgement *g, int several)
{
	struct buf sentence = { 0 };
	struct json_out *j = &c->json;
	int level, worst = LEVEL_OK;
	unsigned i;

	json_open(j, "findings", '[');
	for (level = LEVEL_BAD; level > LEVEL_OK; level--)
		for (i = 0; i < g->n; i++) {
			if (g->finding[i].level != level)
				continue;
			worst = worst > level ? worst : level;
			buf_puts(&sentence, sentence.len ? "; " : "");
			if (several)
				buf_printf(&sentence, "%s: ", g->finding[i].segment);
			buf_puts(&sentence, g->finding[i].text);
			json_open(j, NULL, '{');
			json_text(j, "level", level_names[level]);
			json_text(j, "code", g->finding[i].code);
			json_text(j, "segment", g->finding[i].segment);
			json_text(j, "text", g->finding[i].text);
			json_close(j, '}');
		}
	json_close(j, ']');
	json_text(j, "level", level_names[worst]);
	json_text(j, "sentence", sentence.data ? sentence.data : "all writers are well");
	c->body.failed |= sentence.failed;
	buf_free(&sentence);
}

static int put_health(struct call *c, const struct collection *all)
{
	struct judgement judgement = { 0 };
	struct components components = { .c = c, .judgement = &judgement };
	size_t i;
	int rc = 0;

	for (i = 0; i < all->nsegments && rc == 0; i++)
		if (call_segment(c, all->segment[i].name)) {
			judge_segment(&judgement, &all->segment[i]);
			rc = each_component(&components, &all->segment[i]);
		}
	json_text(&c->json, "version", SHARDMETER_VERSION);
	json_open(&c->json, "judgement", '{');
	put_judgement(c, &judgement, all->nsegments > 1);
	json_close(&c->json, '}');
	json_open(&c->json, "components", '[');
	components.write = 1;
	for (i = 0; i < all->nsegments && rc == 0; i++)
		if (call_segment(c, all->segment[i].name))
			rc = each_component(&components, &all->segment[i]);
	json_close(&c->json, ']');
	json_open(&c->json, "segments", '[');
	for (i = 0; i < all->nsegments; i++)
		if (call_segment(c, all->segment[i].name))
			put_segment(&c->json, &all->segment[i]);
	json_close(&c->json, ']');
	return rc;
}

int endpoint_health(struct call *c)
{
	const struct collection *all = NULL;
	int rc = call_collect(c, 0, &all);

	if (rc < 0)
		return rc;
	rc = put_health(c, all);
	collection_release(all);
	return rc;
}
