/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c - which series make which line; see lines.h. The numbers are in lines_fill.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/api/lines_internal.h"

/* A series that matches, while lines are made of them. */
struct found {
	unsigned segment;
	const struct history_series *series;
	unsigned nlabels;
	struct line_label label[LINES_LABELS];
};

struct search {
	struct call *c;
	const struct matches *matches;
	const struct lines_question *q;
	unsigned segment;
	size_t n, cap;
	struct found *found;
	uint32_t checked_family;	/* fits the function */
};

/* ---- finding -------------------------------------------------------------------------------- */

/* A kind in a sentence. */
static const char *noun(enum sm_kind kind)
{
	static const char *const nouns[] = { "of an unknown kind", "a counter", "a gauge",
		"an up-down gauge", "a histogram", "an info", "a stateset" };

	return nouns[(unsigned)kind < sizeof(nouns) / sizeof(nouns[0]) ? kind : 0];
}

static int check_function(struct search *s, const struct history_family *f)
{
	enum lines_fn fn = s->q->fn;

	if (fn == LINES_VALUE || f->kind == SM_HISTOGRAM ||
		(fn <= LINES_INCREASE && f->kind == SM_COUNTER))
		return 0;
	return call_refuse(s->c, "fn", "fn=%s is for %s; %.128s is %s: use fn=value, or narrow "
		"match[]", request_param(s->c->request, "fn"),
		fn <= LINES_INCREASE ? "counters and histograms" : "histograms", f->name,
		noun(f->kind));
}

static struct sm_str value_of(const struct history_series *s, const char *label)
{
	unsigned i;

	for (i = 0; i < s->family->nlabels; i++)
		if (strcmp(s->family->labels[i], label) == 0)
			return s->values[i];
	return SM_STR(strcmp(label, "writer") == 0 ? s->writer : "");
}

static void set_labels(const struct lines_question *q, struct found *f)
{
	const struct history_series *s = f->series;
	unsigned i;

	if (q->by) {
		for (i = 0; i < q->nby; i++)
			f->label[i] = (struct line_label){ q->by_label[i],
				value_of(s, q->by_label[i]) };
		f->nlabels = q->nby;
		return;
	}
	for (i = 0; i < s->family->nlabels && i < SM_LABELS_MAX; i++)
		f->label[i] = (struct line_label){ s->family->labels[i], s->values[i] };
	if (*s->writer)
		f->label[i++] = (struct line_label){ "writer", SM_STR(s->writer) };
	f->nlabels = i;
}

static int find(void *ctx, const struct history_series *series)
{
	struct selectable as = past_selectable(series);
	struct search *s = ctx;
	struct found *grown;

	if (series->id % 1024 == 0 && call_is_over(s->c) < 0)
		return CALL_FAILED;
	if (!matches_series(s->matches, &as))
		return 0;
	if (series->family->id != s->checked_family && check_function(s, series->family) < 0)
		return CALL_FAILED;
	s->checked_family = series->family->id;
	if (s->n == LINES_SERIES_MAX)
		return call_fail(s->c, 422, "too_many_series", "match[]", "more than %u series match: "
			"narrow match[]", LINES_SERIES_MAX);
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		grown = realloc(s->found, s->cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->found = grown;
	}
	s->found[s->n] = (struct found){ .segment = s->segment, .series = series };
	set_labels(s->q, &s->found[s->n++]);
	return 0;
}

/* ---- grouping ------------------------------------------------------------------------------- */

static int compare_text(struct sm_str a, struct sm_str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.ptr, b.ptr, len) : 0;

	return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

/* What one line is made of is equal here. */
static int compare_lines(const struct found *a, const struct found *b)
{
	const struct history_family *x = a->series->family, *y = b->series->family;
	int order;
	unsigned i;

	if (a->segment != b->segment)
		return a->segment < b->segment ? -1 : 1;
	order = strcmp(x->name, y->name);
	if (order == 0 && x->kind != y->kind)
		order = x->kind < y->kind ? -1 : 1;
	for (i = 0; order == 0 && i < a->nlabels && i < b->nlabels; i++) {
		order = strcmp(a->label[i].name, b->label[i].name);
		if (order == 0)
			order = compare_text(a->label[i].value, b->label[i].value);
	}
	if (order == 0 && a->nlabels != b->nlabels)
		order = a->nlabels < b->nlabels ? -1 : 1;
	return order;
}

/* Within a line the latest definition of the family first. */
static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order = compare_lines(x, y);

	if (order == 0 && x->series->family->id != y->series->family->id)
		order = x->series->family->id > y->series->family->id ? -1 : 1;
	return order ? order : x->series->id < y->series->id ? -1 : x->series->id > y->series->id;
}

static size_t outputs(const struct lines_question *q)
{
	return q->fn == LINES_QUANTILE ? q->nquantiles : 1;
}

static int check_limits(struct call *c, const struct lines_question *q, size_t n)
{
	size_t points = n * outputs(q) * q->nsteps;

	if (n > q->limit)
		return call_fail(c, 422, "too_many_series", "limit", "%zu series match, limit is %llu: "
			"narrow match[], add them up with by, or raise limit", n,
			(unsigned long long)q->limit);
	if (points > LINES_POINTS_MAX)
		return call_fail(c, 422, "too_many_points", "step", "%zu points (series x quantiles x "
			"steps) are more than %u: lower points, make step longer, or narrow "
			"match[]", points, LINES_POINTS_MAX);
	return 0;
}

static int make_line(const struct past *past, struct lines *l, const struct found *f)
{
	struct line *line = &l->line[l->n];
	size_t buckets = f->series->family->nunited + 1u;

	*line = (struct line){ .segment = past->of[f->segment].segment,
		.family = f->series->family, .nlabels = f->nlabels,
		.point = l->points + l->n * outputs(l->q) * l->q->nsteps };
	memcpy(line->label, f->label, sizeof(line->label));
	line->state = calloc(1, sizeof(*line->state));
	if (!line->state)
		return -ENOMEM;
	line->state->segment = f->segment;
	l->n++;
	if (l->q->fn != LINES_QUANTILE)
		return 0;
	line->state->counts = calloc(2 * buckets, sizeof(uint64_t));
	if (!line->state->counts)
		return -ENOMEM;
	line->state->row_counts = line->state->counts + buckets;
	return 0;
}

static int group(struct call *c, const struct past *past, struct lines *l, struct found *found,
	size_t nfound)
{
	size_t i, n = 0;
	int rc;

	qsort(found, nfound, sizeof(*found), compare_found);
	for (i = 0; i < nfound; i++)
		n += i == 0 || compare_lines(&found[i - 1], &found[i]) != 0;
	rc = check_limits(c, l->q, n);
	if (rc < 0 || !n)
		return rc;
	l->line = calloc(n, sizeof(*l->line));
	l->member = calloc(nfound, sizeof(*l->member));
	l->points = calloc(n * outputs(l->q) * l->q->nsteps, sizeof(*l->points));
	if (!l->line || !l->member || !l->points)
		return -ENOMEM;
	for (i = 0; i < nfound; i++) {
		if (i == 0 || compare_lines(&found[i - 1], &found[i]) != 0) {
			rc = make_line(past, l, &found[i]);
			if (rc < 0)
				return rc;
		}
		l->member[l->nmembers++] = (struct member){ .series = found[i].series,
			.segment = (uint16_t)found[i].segment, .line = &l->line[l->n - 1],
			.is_histogram = found[i].series->family->kind == SM_HISTOGRAM };
	}
	return 0;
}

int lines_gather(struct call *c, const struct past *past, const struct matches *m,
	const struct lines_question *q, struct lines *ret_lines)
{
	struct search s = { .c = c, .matches = m, .q = q };
	int rc = 0;

	*ret_lines = (struct lines){ .q = q };
	for (s.segment = 0; s.segment < past->n && rc == 0; s.segment++) {
		s.checked_family = 0;
		rc = past_each_series(c, &past->of[s.segment], find, &s);
	}
	if (rc == 0 && s.n)
		rc = group(c, past, ret_lines, s.found, s.n);
	free(s.found);
	return rc;
}

void lines_free(struct lines *l)
{
	size_t i;

	for (i = 0; i < l->nmembers; i++)
		free(l->member[i].histogram);
	for (i = 0; i < l->n; i++)
		if (l->line[i].state) {
			free(l->line[i].state->counts);
			free(l->line[i].state);
		}
	free(l->member);
	free(l->line);
	free(l->points);
}
