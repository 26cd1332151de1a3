/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detail_series.c - the page of a series, or of an operation, which is several: what it is, its
 * numbers, a graph, what each writer adds, and the buckets.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cell.h"
#include "table.h"
#include "view.h"

#define GRAPH_LINES 5
#define BAR_MIN 10
#define BARS_MAX 40
#define LEFT 2

static const char *const kind_text[] = { "", "counter", "gauge", "up-down gauge", "histogram",
					 "info", "state set" };

struct subject {
	const struct top_scene *s;
	const struct top_family *f;
	const struct top_op *op;	/* NULL: one series */
	struct top_row *const *rows;
	size_t n;
	int y;
};

/* ---- text ----------------------------------------------------------------------------------- */

static int put(struct subject *p, int x, unsigned style, const char *text)
{
	return x + top_cells_put(p->s->c, x, p->y, p->s->c->width - x, style, text);
}

static int put_foreign(struct subject *p, int x, unsigned style, const char *text)
{
	struct buf b = { 0 };

	top_escape(&b, text, strlen(text), p->s->d->model.escape);
	x = put(p, x, style, b.data ? b.data : "");
	buf_free(&b);
	return x;
}

/* "label number", two columns apart. */
static int put_pair(struct subject *p, int x, const char *label, const char *number)
{
	if (x > LEFT && x + top_width(label) + 1 + top_width(number) > p->s->c->width) {
		p->y++;
		x = LEFT;
	}
	x = put(p, x, TOP_DIM, label) + 1;
	return put(p, x, TOP_PLAIN, number) + 2;
}

static int is_rate(const struct subject *p)
{
	return p->f->kind == SM_COUNTER || p->f->kind == SM_HISTOGRAM;
}

/* States and points in time have no average. */
static int has_graph(const struct subject *p)
{
	return p->f->kind != SM_STATESET && p->f->kind != SM_INFO && !(p->rows[0]->age_s >= 0);
}

static void format_stat(const struct subject *p, double x, char ret[TOP_NUMBER])
{
	if (isnan(x))
		snprintf(ret, TOP_NUMBER, "%s", p->s->g->none);
	else if (is_rate(p))
		top_format_rate(x, p->f->kind == SM_HISTOGRAM ? "" : p->f->unit, ret);
	else
		top_format_quantity(x, p->f->unit, p->s->g->micro, ret);
}

/* ---- what it is ----------------------------------------------------------------------------- */

/* Help text over several lines, broken at spaces. */
static void put_help(struct subject *p)
{
	int room = p->s->c->width - LEFT, lines = 0;
	struct buf b = { 0 };
	char line[1024];
	const char *text;
	size_t n, space;

	top_escape(&b, p->f->help, strlen(p->f->help), p->s->d->model.escape);
	for (text = b.data ? b.data : ""; *text && lines < 6; lines++) {
		snprintf(line, sizeof(line), "%.1000s", text);
		n = strlen(line);
		if (top_width(line) > room) {
			top_cut(text, room, 100, "", line, sizeof(line));
			n = strlen(line);
			for (space = n; space > 0 && line[space] != ' '; space--)
				;
			if (space > n / 2)
				line[n = space] = '\0';
		}
		if (!n)
			break;
		put(p, LEFT, TOP_PLAIN, line);
		p->y++;
		text += n;
		text += strspn(text, " ");
	}
	buf_free(&b);
}

static void put_what(struct subject *p)
{
	time_t made = (time_t)(p->rows[0]->created_real_ns / 1000000000u);
	const char *joint = p->s->g->joint;
	char text[TOP_NAME] = "";
	struct tm tm;
	int x = LEFT;

	x = put(p, x, TOP_DIM, kind_text[p->f->kind <= SM_STATESET ? p->f->kind : 0]);
	if (p->f->unit[0]) {
		x = put(p, x, TOP_DIM, joint);
		x = put_foreign(p, x, TOP_DIM, p->f->unit);
	}
	if (p->n > 1) {
		snprintf(text, sizeof(text), "%s%zu series", joint, p->n);
		x = put(p, x, TOP_DIM, text);
	}
	if (made && localtime_r(&made, &tm)) {
		strftime(text, sizeof(text), "since %Y-%m-%d %H:%M:%S", &tm);
		x = put(p, x, TOP_DIM, joint);
		put(p, x, TOP_DIM, text);
	}
	p->y++;
}

static void put_labels(struct subject *p)
{
	const struct top_row *row = p->rows[0];
	unsigned i;
	int x = LEFT, width = 0, w;

	for (i = 0; i < p->f->nlabels; i++) {
		w = top_width(p->f->labels[i]);
		width = w > width ? w : width;
	}
	width = width < 30 ? width : 30;
	for (i = 0; i < p->f->nlabels; i++) {
		if (p->op && (int)i == p->f->role.outcome)
			continue;
		put_foreign(p, x, TOP_DIM, p->f->labels[i]);
		put_foreign(p, x + width + 2, TOP_PLAIN, row->values[i]);
		p->y++;
	}
	if (row->writer) {
		put(p, x, TOP_DIM, "writer");
		put_foreign(p, x + (width > 6 ? width : 6) + 2, TOP_PLAIN, row->writer);
		p->y++;
	}
}

/* ---- numbers -------------------------------------------------------------------------------- */

static double sum_of(const struct subject *p, double (*of)(const struct top_row *, int), int arg)
{
	double sum = NAN, x;
	size_t i;

	for (i = 0; i < p->n; i++) {
		x = of(p->rows[i], arg);
		if (isfinite(x))
			sum = isfinite(sum) ? sum + x : x;
	}
	return sum;
}

static double rate_of(const struct top_row *row, int arg)
{
	(void)arg;
	return row->rating == TOP_RATE_OK ? row->rate : NAN;
}

static double average_of(const struct top_row *row, int i)
{
	return row->stats.average[i];
}

static void put_numbers(struct subject *p)
{
	static const char *const names[TOP_AVERAGES] = { "10 s", "1 min", "5 min" };
	const struct top_row *row = p->rows[0];
	char number[TOP_NUMBER], value[TOP_NAME];
	struct top_text text = { .style = 0 };
	int x = LEFT, i;

	if (p->n == 1) {
		top_cell_value(row, p->s->g, p->s->v->exact, value);
		x = put_pair(p, x, row->histogram ? "count" : "value", value);
	}
	if (row->gone_boot_ns) {
		top_cell_stale(p->s->d->model.boot_ns - row->gone_boot_ns, &text);
		x = put(p, x, TOP_WARN, text.text) + 2;
	}
	if (is_rate(p)) {
		format_stat(p, sum_of(p, rate_of, 0), number);
		strncat(number, "/s", sizeof(number) - strlen(number) - 1);
		x = put_pair(p, x, "now", row->rating == TOP_RATE_RESET ? "reset" : number);
	}
	for (i = 0; has_graph(p) && i < TOP_AVERAGES; i++) {
		format_stat(p, sum_of(p, average_of, i), number);
		x = put_pair(p, x, names[i], number);
	}
	if (p->n == 1 && isfinite(row->stats.min) && has_graph(p)) {
		format_stat(p, row->stats.min, number);
		x = put_pair(p, x, "min", number);
		format_stat(p, row->stats.max, number);
		put_pair(p, x, "max", number);
	}
	p->y++;
}

static void put_quantiles(struct subject *p)
{
	static const char *const names[TOP_QUANTILES] = { "p50", "p95", "p99" };
	const struct top_histogram *h = p->rows[0]->histogram;
	const double *q = p->op ? p->op->quantile : h->quantile;
	int recent = p->op ? p->op->recent : h->recent, x = LEFT, i;
	char number[TOP_NUMBER];
	double sum = 0, count = 0;
	size_t k;

	for (i = 0; i < TOP_QUANTILES; i++) {
		top_format_quantity(q[i], p->f->unit, p->s->g->micro, number);
		x = put_pair(p, x, names[i], isnan(q[i]) ? p->s->g->none : number);
	}
	x = put(p, x - 1, TOP_DIM,
		!recent				      ? "of the whole life"
		: p->s->v->window == TOP_WINDOW_MINUTE	 ? "of the last minute"
		: p->s->v->window == TOP_WINDOW_INTERVAL ? "of the last interval"
							 : "of the whole life") + 2;
	for (k = 0; k < p->n; k++) {
		sum += p->rows[k]->histogram->sum.value;
		count += (double)p->rows[k]->histogram->count;
	}
	if (count > 0) {
		top_format_quantity(sum / count, p->f->unit, p->s->g->micro, number);
		x = put_pair(p, x, "mean", number);
	}
	if (p->op && !isnan(p->op->errors)) {
		snprintf(number, sizeof(number), "%.2f%%", p->op->errors * 100);
		put_pair(p, x, "errors", number);
	}
	p->y++;
}

/* ---- graph ---------------------------------------------------------------------------------- */

static float history(const void *context, unsigned ago)
{
	const struct subject *p = context;
	float sum = NAN, x;
	size_t i;

	for (i = 0; i < p->n; i++) {
		x = top_row_history(&p->s->d->model, p->rows[i], ago);
		if (isfinite(x))
			sum = isfinite(sum) ? sum + x : x;
	}
	return sum;
}

static void put_graph(struct subject *p)
{
	int width = p->s->c->width - LEFT - 9;
	char number[TOP_NUMBER], text[TOP_NAME];
	double low, high;

	if (width < 8 || !has_graph(p))
		return;
	p->y++;
	width = width < TOP_HISTORY ? width : TOP_HISTORY;
	top_graph(p->s->c, LEFT + 9, p->y, width, GRAPH_LINES, p->s->g, history, p, &low, &high);
	if (isnan(low)) {
		p->y--;
		return;
	}
	format_stat(p, high, number);
	top_cells_put_right(p->s->c, LEFT, p->y, 8, TOP_DIM, number);
	format_stat(p, low, number);
	top_cells_put_right(p->s->c, LEFT, p->y + GRAPH_LINES - 1, 8, TOP_DIM, number);
	p->y += GRAPH_LINES;
	snprintf(text, sizeof(text), "%s, last %g s, newest right", is_rate(p) ? "per second" : "value",
		 width * p->s->v->delay_s);
	put(p, LEFT + 9, TOP_DIM, text);
	p->y++;
}

/* ---- by ending ------------------------------------------------------------------------------ */

static void put_endings(struct subject *p)
{
	int outcome = p->f->role.outcome;
	char number[TOP_NUMBER];
	const struct top_row *row;
	struct buf b = { 0 };
	size_t i;

	if (!p->op || outcome < 0)
		return;
	p->y++;
	top_escape(&b, p->f->labels[outcome], strlen(p->f->labels[outcome]),
		   p->s->d->model.escape);
	top_cells_fill(p->s->c, 0, p->y, p->s->c->width, TOP_HEADING);
	top_cells_put(p->s->c, LEFT, p->y, 24, TOP_HEADING, b.data ? b.data : "");
	buf_free(&b);
	top_cells_put_right(p->s->c, LEFT + 24, p->y, 9, TOP_HEADING, "COUNT");
	top_cells_put_right(p->s->c, LEFT + 34, p->y, 9, TOP_HEADING, "1 min/s");
	top_cells_put_right(p->s->c, LEFT + 44, p->y++, 8, TOP_HEADING, "p95");
	for (i = 0; i < p->n; i++) {
		row = p->rows[i];
		put_foreign(p, LEFT, row->failure ? TOP_BAD : TOP_PLAIN, row->values[outcome]);
		top_format_quantity(top_row_value(row), "", p->s->g->micro, number);
		top_cells_put_right(p->s->c, LEFT + 24, p->y, 9, TOP_PLAIN, number);
		format_stat(p, row->stats.average[1], number);
		top_cells_put_right(p->s->c, LEFT + 34, p->y, 9, TOP_PLAIN, number);
		if (row->histogram) {
			top_format_quantity(row->histogram->quantile[1], p->f->unit, p->s->g->micro,
					    number);
			top_cells_put_right(p->s->c, LEFT + 44, p->y, 8, TOP_PLAIN, number);
		}
		p->y++;
	}
}

/* ---- writers -------------------------------------------------------------------------------- */

struct writer_columns {
	int name, value, rate, quantile[TOP_QUANTILES];	/* where they end; 0: no place */
};

static struct writer_columns plan_writers(const struct subject *p)
{
	struct writer_columns c = { .name = 8 };
	int width = p->s->c->width, x, i, w;
	size_t k;

	for (k = 0; k < p->s->d->parts.n; k++) {
		w = top_width(p->s->d->parts.part[k].name);
		c.name = w > c.name ? w : c.name;
	}
	c.name = c.name < width * 2 / 5 ? c.name : width * 2 / 5;
	x = LEFT + c.name;
	if (x + 11 <= width)
		c.value = x += 11;
	if (x + 12 <= width)
		c.rate = x += 12;
	for (i = 0; p->f->kind == SM_HISTOGRAM && i < TOP_QUANTILES; i++)
		if (x + 9 <= width)
			c.quantile[i] = x += 9;
	return c;
}

static void put_end(struct subject *p, int end, unsigned style, const char *text)
{
	if (end)
		top_cells_put_right(p->s->c, end - 11 > 0 ? end - 11 : 0, p->y, 11, style, text);
}

static void put_part(struct subject *p, const struct writer_columns *c, const struct top_part *part)
{
	unsigned style = part->state == SM_WRITER_DEAD ? TOP_DIM : TOP_PLAIN;
	const struct top_status *st = &p->s->d->model.status;
	char number[TOP_NUMBER], value[TOP_NAME], cut[4 * TOP_NAME];
	struct top_text text = { .style = 0 };
	size_t k;
	int i;

	if (part->state == SM_WRITER_DEAD)
		put(p, 0, TOP_DIM, p->s->g->gone);
	else if (part->slow)
		put(p, 0, TOP_WARN, p->s->g->ascending);
	top_cut_middle(part->name, c->name, p->s->g->ellipsis, cut, sizeof(cut));
	put(p, LEFT, style, cut);
	if (part->counts)
		snprintf(value, sizeof(value), "%llu", (unsigned long long)part->count);
	else
		top_cell_number(&part->value, p->f, p->s->g, p->s->v->exact, value);
	if (top_width(value) > 10 && p->f->kind != SM_STATESET)
		top_format_quantity(part->counts ? (double)part->count : part->value.value,
				    p->f->unit, p->s->g->micro, value);
	put_end(p, c->value, style, value);
	if (part->state == SM_WRITER_DEAD) {
		/* Since it was heard of, not since we look. */
		text.text[0] = '\0';
		for (k = 0; k < st->nwriters; k++)
			if (st->writers[k].slot == part->slot &&
			    st->writers[k].incarnation == part->incarnation &&
			    st->boot_ns > st->writers[k].last_boot_ns)
				top_format_age(st->boot_ns - st->writers[k].last_boot_ns, number),
				snprintf(text.text, sizeof(text.text), "stale %s", number);
		put_end(p, c->rate, TOP_DIM, text.text[0] ? text.text : "stale");
	} else if (part->rating == TOP_RATE_OK) {
		top_format_rate(part->rate, p->f->kind == SM_HISTOGRAM ? "" : p->f->unit, number);
		put_end(p, c->rate, part->rate > 0 ? TOP_PLAIN : TOP_DIM, number);
	} else {
		put_end(p, c->rate, part->rating == TOP_RATE_RESET ? TOP_WARN : TOP_DIM,
			part->rating == TOP_RATE_RESET	? "reset"
			: part->rating == TOP_RATE_NONE ? p->s->g->none
							: "");
	}
	for (i = 0; part->counts && i < TOP_QUANTILES; i++) {
		top_format_quantity(part->quantile[i], p->f->unit, p->s->g->micro, number);
		snprintf(value, sizeof(value), "%s%s", part->recent ? "" : "~", number);
		put_end(p, c->quantile[i],
			part->slow && i == 1 ? TOP_WARN
			: part->recent	     ? style
					     : TOP_DIM,
			isnan(part->quantile[i]) ? p->s->g->none : value);
	}
	p->y++;
}

static void put_writers(struct subject *p)
{
	static const char *const quantiles[TOP_QUANTILES] = { "p50", "p95", "p99" };
	const struct top_parts *parts = &p->s->d->parts;
	struct writer_columns c = plan_writers(p);
	size_t k;
	int i;

	if (!parts->n)
		return;
	p->y++;
	top_cells_fill(p->s->c, 0, p->y, p->s->c->width, TOP_HEADING);
	put(p, LEFT, TOP_HEADING, "WRITER");
	put_end(p, c.value, TOP_HEADING, p->f->kind == SM_HISTOGRAM ? "COUNT" : "VALUE");
	put_end(p, c.rate, TOP_HEADING, "CHANGE/s");
	for (i = 0; i < TOP_QUANTILES; i++)
		put_end(p, c.quantile[i], TOP_HEADING, quantiles[i]);
	p->y++;
	for (k = 0; k < parts->n; k++)
		put_part(p, &c, &parts->part[k]);
}

/* ---- buckets -------------------------------------------------------------------------------- */

/* The observations of the window in bucket i. */
static uint64_t in_window(const struct subject *p, unsigned i)
{
	const struct top_histogram *h;
	const uint64_t *before;
	uint64_t sum = 0;
	size_t k;
	int recent = p->op ? p->op->recent : p->rows[0]->histogram->recent;

	for (k = 0; k < p->n; k++) {
		h = p->rows[k]->histogram;
		before = !recent || p->s->d->model.window == TOP_WINDOW_LIFE ? NULL
			 : p->s->d->model.window == TOP_WINDOW_MINUTE	     ? h->older
									     : h->before;
		sum += h->counts[i] - (before ? before[i] : 0);
	}
	return sum;
}

struct bars {
	unsigned n;
	double bound[BARS_MAX];		/* INFINITY for the last one */
	uint64_t count[BARS_MAX];
	uint64_t total, most;
};

/* The user's own bounds, or if there are none or too many each doubling. */
static void collect_bars(const struct subject *p, struct bars *b)
{
	const struct top_family *f = p->f;
	int own = f->nbounds > 0 && f->nbounds < BARS_MAX;
	uint64_t n, sum = 0;
	unsigned i, k = 0;
	double next = 0;

	memset(b, 0, sizeof(*b));
	for (i = 0; i <= f->nunited; i++) {
		n = in_window(p, i);
		sum += n;
		b->total += n;
		if (i == f->nunited || (own && k < f->nbounds && f->united[i] >= f->bounds[k]) ||
		    (!own && f->united[i] >= next)) {
			if (b->n < BARS_MAX && (sum || own || b->n)) {
				b->bound[b->n] = i < f->nunited ? f->united[i] : INFINITY;
				b->count[b->n++] = sum;
			} else if (b->n == BARS_MAX) {
				b->count[b->n - 1] += sum;
				b->bound[b->n - 1] = i < f->nunited ? f->united[i] : INFINITY;
			}
			sum = 0;
			k += own && i < f->nunited;
			next = i < f->nunited ? f->united[i] * 2 * (1 - 1e-9) : 0;
		}
	}
	/* Nothing more comes after the last one that has something. */
	while (!own && b->n && !b->count[b->n - 1])
		b->n--;
	for (i = 0; i < b->n; i++)
		b->most = b->count[i] > b->most ? b->count[i] : b->most;
}

static void put_buckets(struct subject *p)
{
	int width = p->s->c->width - LEFT - 12 - 18;
	char number[TOP_NUMBER], text[TOP_NAME];
	struct bars b;
	unsigned i;

	collect_bars(p, &b);
	if (!b.total)
		return;
	width = width < 60 ? width : 60;
	p->y++;
	top_cells_fill(p->s->c, 0, p->y, p->s->c->width, TOP_HEADING);
	put(p, LEFT, TOP_HEADING, "BUCKET");
	if (width >= BAR_MIN)
		top_cells_put(p->s->c, LEFT + 12 + width, p->y, 20, TOP_HEADING,
			      "     COUNT      %");
	p->y++;
	for (i = 0; i < b.n; i++, p->y++) {
		if (isinf(b.bound[i]))
			snprintf(number, sizeof(number), "more");
		else
			top_format_quantity(b.bound[i], p->f->unit, p->s->g->micro, number);
		snprintf(text, sizeof(text), "%s %s", isinf(b.bound[i]) ? "" : p->s->g->at_most,
			 number);
		top_cells_put_right(p->s->c, LEFT, p->y, 10, TOP_DIM, text);
		if (width < BAR_MIN)
			continue;
		top_bar(p->s->c, LEFT + 12, p->y, width, p->s->g, TOP_SPARK,
			b.most ? (double)b.count[i] / (double)b.most : 0);
		snprintf(text, sizeof(text), "%10llu %6.1f", (unsigned long long)b.count[i],
			 (double)b.count[i] * 100 / (double)b.total);
		top_cells_put(p->s->c, LEFT + 12 + width, p->y, 20, b.count[i] ? TOP_PLAIN : TOP_DIM,
			      text);
	}
}

/* ---- pages ---------------------------------------------------------------------------------- */

static int page(struct subject *p)
{
	put_help(p);
	put_what(p);
	put_labels(p);
	p->y++;
	put_numbers(p);
	if (p->rows[0]->histogram)
		put_quantiles(p);
	put_graph(p);
	put_endings(p);
	put_writers(p);
	if (p->rows[0]->histogram)
		put_buckets(p);
	return p->y;
}

static int gone(const struct top_scene *s, const char *what)
{
	top_cells_put(s->c, LEFT, 0, s->c->width, TOP_DIM, what);
	return 1;
}

int top_detail_row(const struct top_scene *s, struct top_key_of key)
{
	struct top_ref ref = top_ref_of_key(key);
	struct top_row *row = top_model_find(&s->d->model, &ref);
	struct subject p = { .s = s, .rows = &row, .n = 1 };
	struct buf b = { 0 };
	char cut[4096];

	if (!row)
		return gone(s, "this series was removed");
	p.f = row->family;
	top_row_text(row, s->d->model.escape, &b);
	top_cut_name(b.data ? b.data : "", s->c->width, s->g, cut, sizeof(cut));
	put(&p, 0, TOP_TITLE, cut);
	buf_free(&b);
	p.y++;
	return page(&p);
}

int top_detail_op(const struct top_scene *s, struct top_key_of key)
{
	const struct top_op *op = top_ops_find(&s->d->ops, key.a);
	struct subject p = { .s = s, .op = op };
	char cut[4 * TOP_NAME];

	if (!op || !op->nrows)
		return gone(s, "this operation is gone");
	p.rows = op->rows;
	p.n = op->nrows;
	p.f = op->rows[0]->family;
	top_cut_name(op->text, s->c->width, s->g, cut, sizeof(cut));
	put(&p, 0, TOP_TITLE, cut);
	p.y++;
	if (op->note[0]) {
		put(&p, LEFT, op->level == TOP_LEVEL_BAD ? TOP_BAD : TOP_WARN, op->note);
		p.y++;
	}
	return page(&p);
}
