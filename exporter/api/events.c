/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.c - /api/v1/events: what a chart should mark. Programs that started, ticks without a row and
 * why, exporters that started, segments that were made anew, clocks that were set back.
 *
 * All of it stands in the heads of rows. Events are collected, since a program's start is known only
 * from the first row after it, and sorted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/api/past.h"

#define LIMIT_DEFAULT	1000
#define LIMIT_MAX	10000
#define RANGE_DEFAULT_MS 3600000
#define NAME_SIZE	64

enum kind { WRITER_START, GAP, EXPORTER_START, SEGMENT_NEW, CLOCK_BACK };
static const char *const kind_names[] = { "writer_start", "gap", "exporter_start", "segment_new",
	"clock_set_back", NULL };

struct event {
	enum kind kind;
	uint64_t at_ns;			/* Unix time */
	const char *segment;
	size_t number;			/* in the order of finding */
	char writer[NAME_SIZE];		/* WRITER_START */
	uint64_t incarnation;
	uint64_t until_ns;		/* GAP: the row after it; at_ns is the row before */
	uint32_t ticks;
	unsigned why;
};

struct search {
	struct call *c;
	const struct past_segment *past;
	uint64_t from_ms, to_ms, limit;
	int any;			/* of what kind is not asked for */
	unsigned kind;
	size_t n, cap, first;		/* first of the segment */
	struct event *event;
};

/* ---- finding -------------------------------------------------------------------------------- */

static int add(struct search *s, struct event e)
{
	struct event *grown;

	if (!s->any && s->kind != (unsigned)e.kind)
		return 0;
	if (s->n == s->limit)
		return call_fail(s->c, 422, "too_many_events", "limit", "more than %llu events: ask "
			"for a shorter range, for one kind, or raise limit",
			(unsigned long long)s->limit);
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		grown = realloc(s->event, s->cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->event = grown;
	}
	e.segment = s->past->segment;
	e.number = s->n;
	s->event[s->n++] = e;
	return 0;
}

static int is_known(const struct search *s, const struct history_writer *w)
{
	size_t i;

	for (i = s->n; i > s->first; i--)
		if (s->event[i - 1].kind == WRITER_START &&
			s->event[i - 1].incarnation == w->incarnation &&
			strncmp(s->event[i - 1].writer, w->name, NAME_SIZE - 1) == 0)
			return 1;
	return 0;
}

/* Programs of the row that started within the range. */
static int find_starts(struct search *s)
{
	struct history_writer w;
	struct event e = { .kind = WRITER_START };
	int rc;

	if (!s->any && s->kind != WRITER_START)
		return 0;
	while ((rc = history_next_writer(s->past->history, &w)) > 0) {
		if (w.start_real_ns < s->from_ms * 1000000 || w.start_real_ns > s->to_ms * 1000000 ||
			is_known(s, &w))
			continue;
		e.at_ns = w.start_real_ns;
		e.incarnation = w.incarnation;
		strncpy(e.writer, w.name, NAME_SIZE - 1);
		rc = add(s, e);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* What the row says, compared with the one before, of which there may be none. */
static int find_changes(struct search *s, const struct history_row *before,
	const struct history_row *row)
{
	struct event e = { .at_ns = row->at_ms * 1000000 };
	int rc = 0;

	if (!before->tick)
		return 0;
	if (row->missed) {
		e.at_ns = before->at_ms * 1000000;
		e.kind = GAP;
		e.until_ns = row->at_ms * 1000000;
		e.ticks = row->missed;
		e.why = row->missed_why;
		rc = add(s, e);
		e = (struct event){ .at_ns = row->at_ms * 1000000 };
	}
	e.kind = EXPORTER_START;
	if (rc == 0 && row->run != before->run)
		rc = add(s, e);
	e.kind = SEGMENT_NEW;
	if (rc == 0 && memcmp(row->segment_id, before->segment_id, sizeof(row->segment_id)) != 0)
		rc = add(s, e);
	e.kind = CLOCK_BACK;
	if (rc == 0 && row->flags & HISTORY_CLOCK_BACK)
		rc = add(s, e);
	return rc;
}

static int search(struct search *s)
{
	struct history_row row, before = { 0 };
	struct history *h = s->past->history;
	uint64_t from_ms = s->from_ms;
	int rc = history_seek_last(h, s->from_ms);

	if (rc > 0 && history_next_row(h, &row) > 0)
		from_ms = row.at_ms;
	s->first = s->n;
	history_seek(h, from_ms, s->to_ms);
	while ((rc = history_next_row(h, &row)) != 0) {
		if (call_is_over(s->c) < 0)
			return CALL_FAILED;
		if (rc == -EBADMSG && !history_damaged(h))
			continue;
		if (rc < 0)
			return past_fails(s->c, s->past, rc);
		rc = find_changes(s, &before, &row);
		if (rc == 0)
			rc = find_starts(s);
		if (rc == -EBADMSG && !history_damaged(h))
			rc = 0;
		if (rc < 0)
			return past_fails(s->c, s->past, rc);
		before = row;
	}
	return 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static void put_why(struct json_out *j, unsigned why)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = {
		{ HISTORY_MISSED_STOPPED, "stopped" }, { HISTORY_MISSED_SEGMENT, "segment" },
		{ HISTORY_MISSED_STORE, "store" }, { HISTORY_MISSED_LATE, "late" },
		{ HISTORY_MISSED_SUSPEND, "suspend" },
	};
	size_t i;

	json_open(j, "why", '[');
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (why & names[i].flag)
			json_text(j, NULL, names[i].name);
	json_close(j, ']');
}

static void put_event(struct json_out *j, const struct event *e)
{
	json_open(j, NULL, '{');
	json_text(j, "segment", e->segment);
	json_text(j, "kind", kind_names[e->kind]);
	json_fixed(j, "time", e->at_ns / 1000000, 3);
	if (e->kind == WRITER_START) {
		json_text(j, "writer", e->writer);
		json_u64(j, "incarnation", e->incarnation);
	}
	if (e->kind == GAP) {
		json_fixed(j, "until", e->until_ns / 1000000, 3);
		json_u64(j, "ticks", e->ticks);
		put_why(j, e->why);
	}
	json_close(j, '}');
}

static int parse(struct call *c, struct search *s)
{
	int rc = call_time(c, "to", &s->to_ms);

	s->from_ms = s->to_ms > RANGE_DEFAULT_MS ? s->to_ms - RANGE_DEFAULT_MS : 0;
	if (rc == 0)
		rc = call_time(c, "from", &s->from_ms);
	if (rc == 0 && s->from_ms >= s->to_ms)
		rc = call_refuse(c, "from", "from must be before to");
	if (rc == 0)
		rc = call_word(c, "kind", kind_names, &s->kind);
	if (rc == 0)
		rc = call_u64(c, "limit", 1, LIMIT_MAX, &s->limit);
	return rc;
}

int endpoint_events(struct call *c)
{
	struct search s = { .c = c, .to_ms = c->now_ms, .limit = LIMIT_DEFAULT,
		.any = !request_param(c->request, "kind") };
	struct past past = { 0 };
	size_t i;
	int rc = parse(c, &s);

	if (rc == 0)
		rc = past_open(c, &past);
	if (rc < 0)
		return rc;
	for (i = 0; i < past.n && rc == 0; i++) {
		s.past = &past.of[i];
		rc = search(&s);
	}
	if (s.n)
		qsort(s.event, s.n, sizeof(*s.event), compare);
	json_open(&c->json, "events", '[');
	for (i = 0; i < s.n; i++)
		put_event(&c->json, &s.event[i]);
	json_close(&c->json, ']');
	free(s.event);
	past_close(&past);
	return rc;
}
