/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query.c - /api/v1/query: series over time, out of the history.
 *
 * Steps lie on multiples of their length since 1970, so that the points of one question and of the
 * next, some seconds later, are the same ones.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/api/lines.h"

#define RANGE_DEFAULT_MS	3600000
#define POINTS_DEFAULT		700
#define POINTS_MAX		11000
#define LIMIT_DEFAULT		100
#define LIMIT_MAX		2000

struct query {
	struct matches matches;
	uint64_t from_ms, to_ms, step_ms, points;
	uint64_t resolution_ms;
	int minmax;
	struct lines_question lines;
	char by[512];
};

/* ---- parameters ----------------------------------------------------------------------------- */

static int is_label(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	return n > 0 && !text[n] && (text[0] < '0' || text[0] > '9');
}

static int parse_by(struct call *c, struct query *q)
{
	const char *text = request_param(c->request, "by");
	char *label, *save = NULL;
	unsigned i;

	if (!text)
		return 0;
	q->lines.by = 1;
	if (strlen(text) >= sizeof(q->by))
		return call_refuse(c, "by", "by is longer than %zu bytes", sizeof(q->by) - 1);
	strcpy(q->by, text);
	for (label = strtok_r(q->by, ",", &save); label; label = strtok_r(NULL, ",", &save)) {
		if (!is_label(label))
			return call_refuse(c, "by", "by takes names of labels with commas between them, "
				"or nothing; \"%.64s\" is no such name", label);
		for (i = 0; i < q->lines.nby; i++)
			if (strcmp(q->lines.by_label[i], label) == 0)
				return call_refuse(c, "by", "by names %.64s twice", label);
		if (q->lines.nby == LINES_LABELS)
			return call_refuse(c, "by", "by takes at most %d labels", LINES_LABELS);
		q->lines.by_label[q->lines.nby++] = label;
	}
	return 0;
}

static int parse_quantiles(struct call *c, struct query *q)
{
	static const double usual[] = { 0.5, 0.95, 0.99 };
	size_t position = 0, i;
	const char *text;
	char *end;
	double v;

	while ((text = request_next_param(c->request, "q[]", &position)) != NULL) {
		/* Digits and a point only: strtod() knows more, and other points elsewhere. */
		v = strspn(text, "0123456789.") == strlen(text) && *text ?
			strtod(text, &end) : -1;
		if (!(v >= 0 && v <= 1) || *end)
			return call_refuse(c, "q[]", "q[] must be from 0 to 1, such as 0.95, not "
				"\"%.64s\"", text);
		if (q->lines.fn != LINES_QUANTILE)
			return call_refuse(c, "q[]", "q[] is for fn=quantile only");
		if (q->lines.nquantiles == LINES_QUANTILES)
			return call_refuse(c, "q[]", "q[] more than %d times", LINES_QUANTILES);
		q->lines.quantile[q->lines.nquantiles++] = v;
	}
	if (q->lines.nquantiles || q->lines.fn != LINES_QUANTILE)
		return 0;
	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		q->lines.quantile[q->lines.nquantiles++] = usual[i];
	return 0;
}

static int parse(struct call *c, struct query *q)
{
	static const char *const functions[] = { "value", "rate", "increase", "mean", "quantile",
		NULL };
	uint64_t step_ns = 0;
	unsigned fn = LINES_VALUE;
	int rc = call_matches(c, &q->matches);

	if (rc == 0 && !q->matches.n)
		rc = call_refuse(c, "match[]", "match[] is missing: which series? "
			"/api/v1/series lists them");
	if (rc == 0)
		rc = call_word(c, "fn", functions, &fn);
	q->lines.fn = (enum lines_fn)fn;
	if (rc == 0)
		rc = call_time(c, "to", &q->to_ms);
	q->from_ms = q->to_ms > RANGE_DEFAULT_MS ? q->to_ms - RANGE_DEFAULT_MS : 0;
	if (rc == 0)
		rc = call_time(c, "from", &q->from_ms);
	if (rc == 0 && q->from_ms >= q->to_ms)
		rc = call_refuse(c, "from", "from must be before to");
	if (rc == 0)
		rc = call_duration(c, "step", &step_ns);
	q->step_ms = (step_ns + 999999) / 1000000;
	if (rc == 0)
		rc = call_u64(c, "points", 1, POINTS_MAX, &q->points);
	if (rc == 0 && step_ns && request_param(c->request, "points"))
		rc = call_refuse(c, "points", "points and step exclude each other");
	if (rc == 0)
		rc = call_bool(c, "minmax", &q->minmax);
	if (rc == 0)
		rc = call_u64(c, "limit", 1, LIMIT_MAX, &q->lines.limit);
	if (rc == 0)
		rc = parse_by(c, q);
	return rc == 0 ? parse_quantiles(c, q) : rc;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

/* At least `least`, a length that people use, and a whole number of ticks. */
static uint64_t nice_step(uint64_t least_ms, uint64_t tick_ms)
{
	static const unsigned seconds[] = { 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200,
		1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400 };
	size_t i;

	if (least_ms <= tick_ms)
		return tick_ms;
	for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		if (seconds[i] * UINT64_C(1000) >= least_ms &&
			seconds[i] * UINT64_C(1000) % tick_ms == 0)
			return seconds[i] * UINT64_C(1000);
	return round_up(round_up(least_ms, tick_ms), 86400000);
}

/* Lay steps of this length over the range. */
static void lay_steps(struct query *q, uint64_t step_ms)
{
	uint64_t last_ms = round_up(q->to_ms, step_ms);

	q->lines.step_ms = step_ms;
	q->lines.first_ms = q->from_ms / step_ms * step_ms + step_ms;
	q->lines.nsteps = last_ms < q->lines.first_ms ? 1 :
		(size_t)((last_ms - q->lines.first_ms) / step_ms) + 1;
}

/* The range, within what there is: steps before the first row would all be empty, and so would those
 * to come. */
static uint64_t clip(struct call *c, struct query *q, const struct past *past)
{
	uint64_t first_ms = UINT64_MAX, tick_ms;
	unsigned i;

	for (i = 0; i < past->n; i++) {
		if (past->of[i].resolution_ms > q->resolution_ms)
			q->resolution_ms = past->of[i].resolution_ms;
		if (past->of[i].first_ms && past->of[i].first_ms < first_ms)
			first_ms = past->of[i].first_ms;
	}
	tick_ms = q->resolution_ms ? q->resolution_ms : 1000;
	if (first_ms != UINT64_MAX && q->from_ms + tick_ms < first_ms)
		q->from_ms = (first_ms - tick_ms) / tick_ms * tick_ms;
	if (q->to_ms > c->now_ms)
		q->to_ms = c->now_ms;
	if (q->from_ms >= q->to_ms)
		q->from_ms = q->to_ms - 1;
	return tick_ms;
}

static int choose_steps(struct call *c, struct query *q, const struct past *past)
{
	uint64_t tick_ms = clip(c, q, past);

	q->lines.from_ms = q->from_ms;
	q->lines.to_ms = q->to_ms;
	if (!q->step_ms && q->points == 1) {
		/* One number for all of the range: where steps lie does not matter. */
		q->lines.step_ms = q->to_ms - q->from_ms;
		q->lines.first_ms = q->to_ms;
		q->lines.nsteps = 1;
		return 0;
	}
	if (q->step_ms) {
		lay_steps(q, q->step_ms < tick_ms ? tick_ms : q->step_ms);
	} else {
		lay_steps(q, nice_step((q->to_ms - q->from_ms) / q->points, tick_ms));
		/* Both ends may be in the middle of a step: one more than fits. */
		while (q->lines.nsteps > q->points)
			lay_steps(q, nice_step(q->lines.step_ms + 1, tick_ms));
	}
	if (q->lines.nsteps > POINTS_MAX)
		return call_fail(c, 422, "too_many_points", "step", "from, to and step make more than "
			"%d steps: make step longer or leave it out", POINTS_MAX);
	return 0;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void put_quantity(struct call *c, const char *key, const struct quantity *v)
{
	struct sm_value value = { .is_set = v->is_set, .is_integer = v->is_exact, .is_signed = 1,
		.units = (uint64_t)v->units, .decimals = v->decimals, .value = v->value };

	call_value(c, key, &value);
}

static int put_points(struct call *c, const char *key, const struct lines_point *p, size_t n,
	size_t member)
{
	size_t i;

	json_open(&c->json, key, '[');
	for (i = 0; i < n; i++)
		put_quantity(c, NULL, (const struct quantity *)
			(const void *)((const char *)&p[i] + member));
	json_close(&c->json, ']');
	return call_is_over(c);
}

static int put_line(struct call *c, const struct query *q, const struct line *line, unsigned output)
{
	const struct lines_point *p = line->point + output * q->lines.nsteps;
	struct json_out *j = &c->json;
	unsigned i;
	int rc;

	json_open(j, NULL, '{');
	json_text(j, "segment", line->segment);
	json_text(j, "name", line->family->name);
	json_text(j, "kind", call_kind_name(line->family->kind));
	json_text(j, "unit", line->family->unit);
	json_open(j, "labels", '{');
	for (i = 0; i < line->nlabels; i++)
		json_text_n(j, line->label[i].name, line->label[i].value.len ?
			line->label[i].value.ptr : "", line->label[i].value.len);
	json_close(j, '}');
	if (q->lines.fn == LINES_QUANTILE)
		call_double(c, "quantile", q->lines.quantile[output]);
	rc = put_points(c, "values", p, q->lines.nsteps, offsetof(struct lines_point, value));
	if (rc == 0 && q->minmax && q->lines.fn != LINES_INCREASE) {
		rc = put_points(c, "min", p, q->lines.nsteps, offsetof(struct lines_point, min));
		if (rc == 0)
			rc = put_points(c, "max", p, q->lines.nsteps,
				offsetof(struct lines_point, max));
	}
	json_close(j, '}');
	return rc;
}

static int put_answer(struct call *c, const struct query *q, const struct lines *l)
{
	unsigned outputs = q->lines.fn == LINES_QUANTILE ? q->lines.nquantiles : 1, o;
	struct json_out *j = &c->json;
	size_t i;
	int rc = 0;

	json_fixed(j, "from", q->from_ms, 3);
	json_fixed(j, "to", q->to_ms, 3);
	json_fixed(j, "step", q->lines.step_ms, 3);
	if (q->resolution_ms)
		json_fixed(j, "resolution", q->resolution_ms, 3);
	else
		json_null(j, "resolution");
	json_u64(j, "rows", l->rows);
	json_u64(j, "unreadable_rows", l->unreadable);
	json_open(j, "times", '[');
	for (i = 0; i < q->lines.nsteps; i++)
		json_fixed(j, NULL, q->lines.first_ms + i * q->lines.step_ms, 3);
	json_close(j, ']');
	json_open(j, "series", '[');
	for (i = 0; i < l->n && rc == 0; i++)
		for (o = 0; o < outputs && rc == 0; o++)
			rc = put_line(c, q, &l->line[i], o);
	json_close(j, ']');
	return rc;
}

int endpoint_query(struct call *c)
{
	struct query q = { .to_ms = c->now_ms, .points = POINTS_DEFAULT, .minmax = 1,
		.lines.limit = LIMIT_DEFAULT };
	struct lines lines = { 0 };
	struct past past = { 0 };
	int rc = parse(c, &q), opened = 0;

	if (rc == 0) {
		rc = past_open(c, &past);
		opened = rc == 0;
	}
	if (rc == 0)
		rc = choose_steps(c, &q, &past);
	if (rc == 0)
		rc = lines_gather(c, &past, &q.matches, &q.lines, &lines);
	if (rc == 0)
		rc = lines_fill(c, &past, &lines);
	if (rc == 0)
		rc = put_answer(c, &q, &lines);
	lines_free(&lines);
	if (opened)
		past_close(&past);
	matches_free(&q.matches);
	return rc;
}
