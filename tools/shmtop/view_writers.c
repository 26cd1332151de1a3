/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_writers.c - the writers: who is well, since when, what they use.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "view.h"

enum { NAME, STATE, BEAT, UP, VERSION, PID, CPU, MEMORY, THREADS, FILES, RESTARTS, REFUSED,
       COLUMNS };

static const struct top_column columns[COLUMNS] = {
	[NAME] = { "WRITER", "name", 0, 0, 0, TOP_COL_NAME },
	[STATE] = { "STATE", "state", 12, 2, 0, TOP_COL_LEFT },
	[BEAT] = { "BEAT", "beat", 7, 1, 9, 0 },
	[UP] = { "UP", "up", 7, 1, 8, 0 },
	[VERSION] = { "VERSION", NULL, 10, 2, 6, TOP_COL_LEFT },
	[PID] = { "PID", "pid", 8, 1, 5, TOP_COL_ASCENDS },
	[CPU] = { "CPU", "cpu", 6, 1, 7, 0 },
	[MEMORY] = { "MEMORY", "memory", 7, 1, 4, 0 },
	[THREADS] = { "THR", "threads", 4, 1, 1, 0 },
	[FILES] = { "FDS", "files", 5, 1, 2, 0 },
	[RESTARTS] = { "RESTARTS", "restarts", 8, 1, 3, 0 },
	[REFUSED] = { "REFUSED", "refused", 8, 1, 0, 0 },
};

static uint64_t refused(const struct top_writer *w)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < SM_REFUSED_REASONS; i++)
		sum += w->refused[i];
	return sum;
}

static int collect(struct top_list *l, const struct top_view *v, const struct top_data *d)
{
	const struct top_status *st = &d->model.status;
	const struct top_writer *w;
	char text[TOP_NAME];
	size_t i;

	for (i = 0; i < st->nwriters; i++) {
		w = &st->writers[i];
		/* The one for shell commands is there even when nobody ever used it. */
		if (w->state == SM_WRITER_COMMON && !w->last_boot_ns && !w->lanes)
			continue;
		l->all++;
		snprintf(text, sizeof(text), "%s{state=%s,version=%s}", w->name,
			 top_writer_state(w), w->version);
		if (top_filter_match(&v->filter, text) && top_list_add(l, w))
			return -ENOMEM;
	}
	return 0;
}

static struct top_key_of key(const void *item)
{
	const struct top_writer *w = item;

	return (struct top_key_of){ w->slot, w->incarnation };
}

/* The worse, the more. */
static double rank(const struct top_writer *w)
{
	if (w->state == SM_WRITER_DEAD)
		return w->ended ? 0 : 3;
	return w->silent ? 2 : w->state == SM_WRITER_LIVE;
}

static double number(const struct top_data *d, const void *item, unsigned column)
{
	const struct top_writer *w = item;

	switch (column) {
	case STATE:
		return rank(w);
	case BEAT:
		return w->heartbeat_age_ns == UINT64_MAX ? NAN : (double)w->heartbeat_age_ns;
	case UP:
		return w->start_boot_ns && w->state == SM_WRITER_LIVE
			       ? (double)(d->model.status.boot_ns - w->start_boot_ns)
			       : NAN;
	case PID:
		return (double)w->pid;
	case CPU:
		return w->state == SM_WRITER_LIVE ? w->cpu : NAN;
	case MEMORY:
		return w->usage.at_boot_ns ? (double)w->usage.resident_bytes : NAN;
	case THREADS:
		return w->usage.at_boot_ns ? (double)w->usage.threads : NAN;
	case FILES:
		return w->usage.at_boot_ns ? (double)w->usage.open_fds : NAN;
	case RESTARTS:
		return (double)w->restarts;
	case REFUSED:
		return (double)refused(w);
	default:
		return NAN;
	}
}

static int compare(const void *pa, const void *pb)
{
	const struct top_writer *a = pa, *b = pb;
	int c = strverscmp(a->name, b->name);

	return c ? c : (int)a->slot - (int)b->slot;
}

static void escaped(const struct top_scene *s, const char *text, struct top_text *ret)
{
	struct buf b = { 0 };

	top_escape(&b, text, strlen(text), s->d->model.escape);
	snprintf(ret->text, sizeof(ret->text), "%s", b.data ? b.data : "");
	buf_free(&b);
}

static int name_width(const struct top_scene *s, const void *item, int wide)
{
	struct top_text text = { .style = 0 };

	(void)wide;
	escaped(s, ((const struct top_writer *)item)->name, &text);
	return top_width(text.text);
}

static void age_cell(double ns, const struct top_glyphs *g, struct top_text *ret)
{
	char age[TOP_NUMBER];

	if (!(ns >= 0)) {
		top_text_none(ret, g);
		return;
	}
	top_format_age((uint64_t)ns, age);
	snprintf(ret->text, sizeof(ret->text), "%s", age);
}

static void state_cell(const struct top_scene *s, const struct top_writer *w, struct top_text *ret)
{
	const struct top_status *st = &s->d->model.status;
	char age[TOP_NUMBER] = "";

	if (w->state == SM_WRITER_DEAD && st->boot_ns > w->last_boot_ns)
		top_format_age(st->boot_ns - w->last_boot_ns, age);
	snprintf(ret->text, sizeof(ret->text), "%s%s%s", top_writer_state(w), age[0] ? " " : "",
		 age);
	ret->style = w->state == SM_WRITER_DEAD ? w->ended ? TOP_DIM : TOP_BAD
		     : w->silent		? TOP_WARN
		     : w->state == SM_WRITER_LIVE ? TOP_GOOD
						  : TOP_DIM;
}

static void cell(const struct top_scene *s, const void *item, unsigned column, int room,
		 struct top_text *ret)
{
	const struct top_writer *w = item;
	double x = number(s->d, item, column);

	(void)room;
	if (w->state == SM_WRITER_DEAD)
		ret->style = TOP_DIM;
	switch (column) {
	case NAME:
		escaped(s, w->name, ret);
		break;
	case STATE:
		state_cell(s, w, ret);
		break;
	case BEAT:
	case UP:
		age_cell(x, s->g, ret);
		break;
	case VERSION:
		escaped(s, w->version, ret);
		break;
	case CPU:
		top_text_quantity(ret, s->g, x, "ratio");
		break;
	case MEMORY:
		top_text_quantity(ret, s->g, x, "bytes");
		break;
	default:
		if (isnan(x) || (column == PID && !w->pid)) {
			top_text_none(ret, s->g);
			break;
		}
		snprintf(ret->text, sizeof(ret->text), "%.0f", x);
		if (!x && column != PID)
			ret->style = TOP_DIM;
		break;
	}
}

static void mark(const struct top_scene *s, const void *item, struct top_text *ret)
{
	const struct top_writer *w = item;

	if (w->state == SM_WRITER_DEAD) {
		snprintf(ret->text, sizeof(ret->text), "%s", s->g->gone);
		ret->style = w->ended ? TOP_DIM : TOP_BAD;
	} else if (w->silent) {
		snprintf(ret->text, sizeof(ret->text), "!");
		ret->style = TOP_WARN;
	}
}

static unsigned absent(const struct top_scene *s)
{
	const struct top_status *st = &s->d->model.status;
	size_t i;

	for (i = 0; i < st->nwriters; i++)
		if (refused(&st->writers[i]))
			return 0;
	return 1u << REFUSED;
}

const char *top_writer_state(const struct top_writer *w)
{
	if (w->state == SM_WRITER_LIVE)
		return w->silent ? "silent" : "live";
	if (w->state == SM_WRITER_COMMON)
		return "common";
	return w->ended ? "ended" : "died";
}

const struct top_view_def top_view_writers = {
	.title = "Writers", .setting = "writers",
	.nothing = "no program has attached yet",
	.columns = columns, .ncolumns = COLUMNS, .sort = NAME, .name_min = 12,
	.collect = collect, .key = key, .number = number, .compare = compare,
	.name_width = name_width, .cell = cell, .mark = mark, .absent = absent,
	.detail = top_detail_writer,
};
