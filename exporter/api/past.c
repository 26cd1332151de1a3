/* SPDX-License-Identifier: Apache-2.0 */
/* past.c - see past.h. */
#include "exporter/api/past.h"

#include <errno.h>
#include <string.h>

int past_fails(struct call *c, const struct past_segment *s, int rc)
{
	if (rc == CALL_FAILED && c->error)
		return rc;
	if (rc == -ENOMEM)
		return rc;
	if (rc == -EBUSY)
		return call_fail(c, 503, "history_unavailable", NULL, "%s: ask again",
			history_error(s->history));
	return call_fail(c, 503, "history_unavailable", NULL, "%s", history_error(s->history));
}

struct selectable past_selectable(const struct history_series *s)
{
	return (struct selectable){ .name = s->family->name, .nlabels = s->family->nlabels,
		.labels = s->family->labels, .values = s->values, .writer = s->writer };
}

/* How far rows are apart: what the exporter that wrote the last one was told. */
static int find_resolution(struct call *c, struct past_segment *s)
{
	struct history_row row = { 0 };
	int rc = history_seek_last(s->history, s->last_ms);

	if (rc > 0)
		rc = history_next_row(s->history, &row);
	if (rc > 0)
		s->resolution_ms = row.interval_ms;
	/* A damaged row is no reason to know nothing of the others. */
	return rc < 0 && (rc != -EBADMSG || history_damaged(s->history)) ? past_fails(c, s, rc) : 0;
}

static int open_one(struct call *c, const char *dir, struct past_segment *s)
{
	struct history_summary summary;
	struct sm_diag diag = { 0 };
	int rc = history_open(dir, &s->history, &diag);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return call_fail(c, 503, "history_unavailable", NULL, "segment %.128s: %s",
			s->segment, diag.message);
	rc = history_summarise(s->history, &summary);
	if (rc < 0)
		return past_fails(c, s, rc);
	s->first_ms = summary.first_ms;
	s->last_ms = summary.last_ms;
	return summary.rows ? find_resolution(c, s) : 0;
}

int past_open(struct call *c, struct past *ret_past)
{
	const struct collector *k = c->api->collector;
	struct past p = { 0 };
	const char *dir, *name;
	size_t i;
	int rc = call_segment_check(c);

	for (i = 0; i < collector_segments(k) && rc == 0 && p.n < CALL_SEGMENTS; i++) {
		name = collector_name(k, i);
		dir = c->api->history_dir ? c->api->history_dir(c->api->ctx, name) : "";
		if (!call_segment(c, name) || !*dir)
			continue;
		p.of[p.n].segment = name;
		rc = open_one(c, dir, &p.of[p.n++]);
	}
	if (rc == 0 && !p.n)
		rc = call_fail(c, 503, "no_history", NULL, "this exporter keeps no history: start it "
			"without --no-storage");
	if (rc < 0)
		past_close(&p);
	else
		*ret_past = p;
	return rc;
}

void past_close(struct past *p)
{
	while (p->n)
		history_close(p->of[--p->n].history);
}

int past_each_series(struct call *c, const struct past_segment *s,
	int (*fn)(void *ctx, const struct history_series *series), void *ctx)
{
	int rc = history_each_series(s->history, fn, ctx);

	return rc < 0 ? past_fails(c, s, rc) : 0;
}
