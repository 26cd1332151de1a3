/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detail_other.c - the pages of a writer and of a slow operation.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "view.h"

#define LEFT 2
#define VALUES 18	/* where the values begin */

static void fact(const struct top_scene *s, int *y, const char *name, const char *value)
{
	struct buf b = { 0 };

	top_escape(&b, name, strlen(name), s->d->model.escape);
	top_cells_put(s->c, LEFT, *y, VALUES - LEFT - 1, TOP_DIM, b.data ? b.data : "");
	b.len = 0;
	top_escape(&b, value, strlen(value), s->d->model.escape);
	top_cells_put(s->c, VALUES, (*y)++, s->c->width, TOP_PLAIN, b.data ? b.data : "");
	buf_free(&b);
}

static void number(const struct top_scene *s, int *y, const char *name, double x, const char *unit)
{
	char text[TOP_NUMBER];

	if (!isfinite(x))
		return;
	top_format_quantity(x, unit, s->g->micro, text);
	fact(s, y, name, text);
}

static void moment(const struct top_scene *s, int *y, const char *name, uint64_t real_ns)
{
	time_t seconds = (time_t)(real_ns / 1000000000u);
	char text[TOP_NUMBER];
	struct tm tm;

	if (!real_ns || !localtime_r(&seconds, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fact(s, y, name, text);
}

static void heading(const struct top_scene *s, int *y, const char *text)
{
	(*y)++;
	top_cells_fill(s->c, 0, *y, s->c->width, TOP_HEADING);
	top_cells_put(s->c, LEFT, (*y)++, s->c->width, TOP_HEADING, text);
}

static int title(const struct top_scene *s, const char *text)
{
	struct buf b = { 0 };

	top_escape(&b, text, strlen(text), s->d->model.escape);
	top_cells_put(s->c, 0, 0, s->c->width, TOP_TITLE, b.data ? b.data : "");
	buf_free(&b);
	return 1;
}

/* ---- a writer ------------------------------------------------------------------------------- */

static void usage(const struct top_scene *s, int *y, const struct top_writer *w)
{
	const struct sm_usage *u = &w->usage;
	char text[TOP_NUMBER];

	if (!u->at_boot_ns)
		return;
	heading(s, y, "USAGE, as of its last heartbeat");
	number(s, y, "cpu", w->cpu, "ratio");
	number(s, y, "cpu time", (double)(u->cpu_user_ns + u->cpu_system_ns) / 1e9, "seconds");
	number(s, y, "memory", (double)u->resident_bytes, "bytes");
	number(s, y, "virtual", (double)u->virtual_bytes, "bytes");
	number(s, y, "threads", (double)u->threads, "");
	snprintf(text, sizeof(text), "%llu of %llu", (unsigned long long)u->open_fds,
		 (unsigned long long)u->max_fds);
	fact(s, y, "descriptors", text);
}

static void refused(const struct top_scene *s, int *y, const struct top_writer *w)
{
	int any = 0;
	unsigned i;

	for (i = 0; i < SM_REFUSED_REASONS; i++) {
		if (!w->refused[i] || !sm_refused_reason(i))
			continue;
		if (!any++)
			heading(s, y, "REFUSED");
		number(s, y, sm_refused_reason(i), (double)w->refused[i], "");
		top_cells_put(s->c, VALUES + 10, *y - 1, s->c->width, TOP_DIM, sm_refused_help(i));
	}
}

int top_detail_writer(const struct top_scene *s, struct top_key_of key)
{
	const struct top_status *st = &s->d->model.status;
	const struct top_writer *w = NULL;
	char text[TOP_NUMBER];
	size_t i;
	int y;

	for (i = 0; i < st->nwriters && !w; i++)
		if (st->writers[i].slot == key.a && st->writers[i].incarnation == key.b)
			w = &st->writers[i];
	if (!w)
		return title(s, "this writer is gone");
	y = title(s, w->name);
	fact(s, &y, "state", top_writer_state(w));
	if (w->last_boot_ns && st->boot_ns > w->last_boot_ns) {
		top_format_age(st->boot_ns - w->last_boot_ns, text);
		strncat(text, " ago", sizeof(text) - strlen(text) - 1);
		fact(s, &y, "last heard of", text);
	}
	number(s, &y, "heartbeats", (double)w->heartbeats, "");
	if (w->version[0])
		fact(s, &y, "version", w->version);
	if (w->pid)
		number(s, &y, "pid", (double)w->pid, "");
	number(s, &y, "user id", (double)w->uid, "");
	moment(s, &y, "started", w->start_real_ns);
	number(s, &y, "restarts", (double)w->restarts, "");
	number(s, &y, "slot", w->slot, "");
	number(s, &y, "lanes", (double)w->lanes, "");
	if (w->shared_updates)
		number(s, &y, "without a lane", (double)w->shared_updates, "");
	for (i = 0; i < w->nmetadata; i++) {
		if (!i)
			heading(s, &y, "IT SAYS OF ITSELF");
		fact(s, &y, w->metadata[2 * i], w->metadata[2 * i + 1]);
	}
	usage(s, &y, w);
	refused(s, &y, w);
	return y;
}

/* ---- a slow operation ----------------------------------------------------------------------- */

static void steps(const struct top_scene *s, int *y, const struct top_slow *slow)
{
	char text[TOP_NAME], number_text[TOP_NUMBER];
	int at = VALUES, width, w;
	double share;
	unsigned i;

	if (!slow->nsteps)
		return;
	for (i = 0; i < slow->nsteps; i++) {
		w = LEFT + top_width(slow->step[i].name) + 1;
		at = w > at ? w : at;
	}
	at = at < s->c->width / 2 ? at : s->c->width / 2;
	width = s->c->width - at - 20;
	width = width < 60 ? width : 60;
	heading(s, y, "WHERE THE TIME WENT");
	for (i = 0; i < slow->nsteps; i++, (*y)++) {
		share = slow->duration_ns
				? (double)slow->step[i].duration_ns / (double)slow->duration_ns
				: 0;
		top_cells_put(s->c, LEFT, *y, at - LEFT - 1, TOP_PLAIN, slow->step[i].name);
		top_format_quantity((double)slow->step[i].duration_ns / 1e9, "seconds", s->g->micro,
				    number_text);
		snprintf(text, sizeof(text), "%8s %5.1f%%", number_text, share * 100);
		top_cells_put(s->c, at, *y, 17, i == slow->longest ? TOP_BOLD : TOP_PLAIN, text);
		if (width > 4)
			top_bar(s->c, at + 17, *y, width, s->g, TOP_SPARK, share);
	}
}

int top_detail_slow(const struct top_scene *s, struct top_key_of key)
{
	const struct top_slow *slow = NULL;
	char text[TOP_NAME];
	size_t i;
	int y;

	for (i = 0; i < s->d->slows.n && !slow; i++)
		if (s->d->slows.slow[i].number == key.b &&
		    ((uint64_t)s->d->slows.slow[i].slot << 48 ^ s->d->slows.slow[i].incarnation) ==
			    key.a)
			slow = &s->d->slows.slow[i];
	if (!slow)
		return title(s, "newer slow operations have taken its place");
	y = title(s, slow->operation);
	number(s, &y, "took", (double)slow->duration_ns / 1e9, "seconds");
	if (slow->threshold_ns) {
		number(s, &y, "limit", (double)slow->threshold_ns / 1e9, "seconds");
		snprintf(text, sizeof(text), "%.1f times the limit",
			 (double)slow->duration_ns / (double)slow->threshold_ns);
		top_cells_put(s->c, VALUES + 10, y - 1, s->c->width, TOP_DIM, text);
	}
	fact(s, &y, "status", slow->status);
	fact(s, &y, "writer", slow->writer);
	moment(s, &y, "started", slow->start_real_ns);
	if (slow->trace_id[0])
		fact(s, &y, "trace", slow->trace_id);
	if (slow->span_id[0])
		fact(s, &y, "span", slow->span_id);
	if (slow->parent_id[0])
		fact(s, &y, "parent", slow->parent_id);
	if (slow->attributes[0])
		fact(s, &y, "with", slow->attributes);
	if (slow->parts_refused)
		number(s, &y, "parts left out", slow->parts_refused, "");
	steps(s, &y, slow);
	return y;
}
