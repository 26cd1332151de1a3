/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw.c - from model and view to a screen in memory.
 *
 * What does not fit is left out by priority, never overlapped: each line is a list of items with
 * a weight, each column of the table has a turn at which it goes.
 */
#include "draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct top_glyphs top_glyphs_utf8 = {
	"…", "·", "▲", "▼", "✕", "µ", " · ", { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }
};
const struct top_glyphs top_glyphs_ascii = {
	"..", ".", "^", "v", "x", "u", " | ", { "_", ".", ",", "-", "=", "+", "*", "#" }
};

#define SMALL_WIDTH 40
#define SMALL_HEIGHT 8

/* ---- lines of items ------------------------------------------------------------------------- */

#define ITEMS_MAX 16
#define CUT_MIN 8	/* columns below which a piece of text says nothing */

struct item {
	char text[TOP_NAME];
	unsigned style;
	int weight;	/* the heaviest gets its place first */
	int cut;	/* may be shortened; else it is there or not */
	int width;	/* on the screen; 0: no place */
};

struct line {
	struct item items[ITEMS_MAX];
	int n, right;	/* items from `right` on stand at the right end */
};

static struct item *item(struct line *l, unsigned style, int weight)
{
	struct item *i = &l->items[l->n < ITEMS_MAX ? l->n++ : ITEMS_MAX - 1];

	memset(i, 0, sizeof(*i));
	i->style = style;
	i->weight = weight;
	return i;
}

/* Give places by weight, two columns apart. */
static void place_items(struct line *l, int room)
{
	int used = 0, i, need, left;
	struct item *heaviest, *next;

	for (;;) {
		heaviest = &l->items[0];
		for (i = 1; i < l->n; i++) {
			next = &l->items[i];
			if (next->weight > heaviest->weight)
				heaviest = next;
		}
		if (!heaviest->weight)
			return;
		heaviest->weight = 0;
		need = top_width(heaviest->text);
		left = room - used - (used ? 2 : 0);
		if (need > left)
			need = heaviest->cut && (left >= CUT_MIN || !used) ? left : 0;
		heaviest->width = need;
		if (need)
			used += need + (used ? 2 : 0);
	}
}

static void draw_line(struct top_cells *c, int y, struct line *l, const struct top_glyphs *g)
{
	char cut[4 * TOP_NAME];
	int x = 0, i, right = 0;

	place_items(l, c->width);
	for (i = l->right; i < l->n; i++)
		if (l->items[i].width)
			right += l->items[i].width + (right ? 2 : 0);
	for (i = 0; i < l->n; i++) {
		if (i == l->right && c->width - right > x)
			x = c->width - right;
		if (!l->items[i].width)
			continue;
		top_cut_middle(l->items[i].text, l->items[i].width, g->ellipsis, cut, sizeof(cut));
		top_cells_put(c, x, y, l->items[i].width, l->items[i].style, cut);
		x += l->items[i].width + 2;
	}
}

/* ---- header --------------------------------------------------------------------------------- */

static void add_marks(struct line *l, const struct top_model *m, const struct top_view *v)
{
	const struct top_status *st = &m->status;
	char age[TOP_NUMBER];

	if (v->paused)
		snprintf(item(l, TOP_WARN, 20)->text, TOP_NAME, "PAUSED");
	if (st->stale) {
		top_format_age(st->now_boot_ns > st->boot_ns ? st->now_boot_ns - st->boot_ns : 0,
			       age);
		snprintf(item(l, TOP_BAD, 21)->text, TOP_NAME, "STALE %s", age);
	} else if (st->removed) {
		snprintf(item(l, TOP_WARN, 19)->text, TOP_NAME, "REMOVED");
	}
}

static void add_writers(struct line *l, const struct top_status *st)
{
	struct item *i = item(l, st->died ? TOP_BAD : TOP_PLAIN, 8);
	char age[TOP_NUMBER];

	if (st->total)
		snprintf(i->text, TOP_NAME, "%u/%u writers up", st->up, st->total);
	else
		snprintf(i->text, TOP_NAME, "no writers");
	i = item(l, st->silent ? TOP_WARN : TOP_PLAIN, 7);
	if (st->worst_age_ns != UINT64_MAX) {
		top_format_age(st->worst_age_ns, age);
		snprintf(i->text, TOP_NAME, "worst beat %s %.160s", age, st->worst_name);
	}
}

static void add_identity(struct line *l, const struct top_status *st)
{
	struct item *i;

	i = item(l, TOP_TITLE, 9);
	i->cut = 1;
	snprintf(i->text, TOP_NAME, "%s", st->segment);
	i = item(l, TOP_PLAIN, 6);
	if (st->nversions)
		snprintf(i->text, TOP_NAME, "v%.*s%s", TOP_NAME - 4, st->version,
			 st->nversions > 1 ? "+" : "");
	snprintf(item(l, TOP_DIM, 1)->text, TOP_NAME, "layout %u.%u", st->layout_major,
		 st->layout_minor);
}

static void add_judgement(struct line *l, const struct top_status *st, const struct top_glyphs *g,
			  int weight)
{
	struct buf b = { 0 };
	enum top_style style = top_judgement(st, g, &b);
	struct item *i = item(l, style, weight);

	i->cut = 1;
	snprintf(i->text, TOP_NAME, "%s", b.data ? b.data : "");
	buf_free(&b);
}

static void add_counts(struct line *l, const struct top_model *m, const struct top_view *v)
{
	struct item *i;
	struct buf b = { 0 };

	if (v->filter.text[0]) {
		top_escape(&b, v->filter.text, strlen(v->filter.text), m->escape);
		snprintf(item(l, TOP_WARN, 12)->text, TOP_NAME, "/%.60s", b.data ? b.data : "");
		buf_free(&b);
	}
	i = item(l, TOP_PLAIN, 5);
	if (v->filter.text[0])
		snprintf(i->text, TOP_NAME, "%zu of %zu series", v->nshown, m->nshown);
	else
		snprintf(i->text, TOP_NAME, "%zu series", m->nshown);
	if (m->status.fill_what)
		snprintf(item(l, TOP_PLAIN, 3)->text, TOP_NAME, "%u%% used",
			 m->status.fill_percent);
	snprintf(item(l, TOP_PLAIN, 4)->text, TOP_NAME, "every %gs", v->delay_s);
}

/* Returns the lines used. */
static int draw_header(struct top_cells *c, const struct top_model *m, const struct top_view *v,
		       const struct top_glyphs *g, const char *local_time)
{
	const struct top_status *st = &m->status;
	struct line l = { .n = 0 };
	struct item *i;

	if (c->width < SMALL_WIDTH || c->height < SMALL_HEIGHT) {
		if (st->died || st->silent || st->trouble[0])
			add_judgement(&l, st, g, 10);
		i = item(&l, TOP_TITLE, 9);
		i->cut = 1;
		snprintf(i->text, TOP_NAME, "%s", st->segment);
		snprintf(item(&l, TOP_PLAIN, 7)->text, TOP_NAME, "%u/%u up", st->up, st->total);
		l.right = l.n;
		add_marks(&l, m, v);
		snprintf(item(&l, TOP_DIM, 1)->text, TOP_NAME, "%s", local_time);
		draw_line(c, 0, &l, g);
		return 1;
	}
	add_identity(&l, st);
	add_writers(&l, st);
	l.right = l.n;
	snprintf(item(&l, TOP_PLAIN, 5)->text, TOP_NAME, "%s", local_time);
	draw_line(c, 0, &l, g);

	memset(&l, 0, sizeof(l));
	add_judgement(&l, st, g, 11);
	l.right = l.n;
	add_counts(&l, m, v);
	add_marks(&l, m, v);
	draw_line(c, 1, &l, g);
	return 2;
}

/* ---- cells of the table --------------------------------------------------------------------- */

void top_cell_value(const struct top_row *row, const struct top_glyphs *g, int exact,
		    char ret[TOP_NAME])
{
	const struct top_family *f = row->family;
	const struct sm_value *v = &row->value;
	struct buf b = { 0 };
	char number[1 + TOP_NUMBER];
	int64_t n = (int64_t)v->units;

	if (row->histogram) {
		snprintf(ret, TOP_NAME, "%llu", (unsigned long long)row->histogram->count);
	} else if (f->kind == SM_INFO) {
		snprintf(ret, TOP_NAME, "%s", g->none);
	} else if (f->kind == SM_STATESET && v->units < f->nstates) {
		top_escape(&b, f->states[v->units], strlen(f->states[v->units]),
			   g == &top_glyphs_ascii ? TOP_ESCAPE_ASCII : 0);
		snprintf(ret, TOP_NAME, "%s", b.data ? b.data : "");
		buf_free(&b);
	} else if (v->is_integer && (exact || !v->decimals)) {
		number[0] = '-';
		sm_format_units(v->is_signed && n < 0 ? -(sm_u128)n : (sm_u128)v->units,
				v->decimals, number + 1, sizeof(number) - 1);
		snprintf(ret, TOP_NAME, "%s", number + !(v->is_signed && n < 0));
	} else if (!exact && row->age_s >= 0) {
		top_format_age((uint64_t)(row->age_s * 1e9), number);
		snprintf(ret, TOP_NAME, "%s ago", number);
	} else if (exact) {
		sm_format_double(v->value, 0, number, sizeof(number));
		snprintf(ret, TOP_NAME, "%s", number);
	} else {
		top_format_quantity(v->value, f->unit, g->micro, number);
		snprintf(ret, TOP_NAME, "%s", number);
	}
}

void top_cell_quantile(const struct top_row *row, int q, const struct top_glyphs *g,
		       char ret[TOP_NAME])
{
	char number[TOP_NUMBER];

	if (!row->histogram || isnan(row->histogram->quantile[q])) {
		snprintf(ret, TOP_NAME, "%s", g->none);
		return;
	}
	top_format_quantity(row->histogram->quantile[q], row->family->unit, g->micro, number);
	snprintf(ret, TOP_NAME, "%s%s", row->histogram->recent ? "" : "~", number);
}

/* Counters that need more columns than there are lose digits, not columns. */
static void value_in(const struct top_row *row, const struct top_glyphs *g, int exact, int room,
		     char ret[TOP_NAME])
{
	char number[TOP_NUMBER], cut[4 * TOP_NAME];

	top_cell_value(row, g, exact, ret);
	if (top_width(ret) <= room)
		return;
	if (row->family->kind == SM_STATESET) {
		top_cut_middle(ret, room, g->ellipsis, cut, sizeof(cut));
		snprintf(ret, TOP_NAME, "%.*s", TOP_NAME - 1, cut);
		return;
	}
	if (row->age_s >= 0 && !exact) {
		top_format_age((uint64_t)(row->age_s * 1e9), number);
		snprintf(ret, TOP_NAME, "%s", number);
		return;
	}
	top_format_quantity(top_row_value(row), row->histogram ? "" : row->family->unit, g->micro,
			    number);
	snprintf(ret, TOP_NAME, "%s", number);
}

static unsigned rate_cell(const struct top_model *m, const struct top_row *row,
			  const struct top_glyphs *g, char ret[TOP_NUMBER])
{
	char age[TOP_NUMBER];

	ret[0] = '\0';
	if (row->gone_boot_ns) {
		top_format_age(m->boot_ns - row->gone_boot_ns, age);
		snprintf(ret, TOP_NUMBER, "gone %.9s", strchr(age, 'h') ? ">1h" : age);
		return TOP_DIM;
	}
	switch (row->rating) {
	case TOP_RATE_NONE:
		snprintf(ret, TOP_NUMBER, "%s", g->none);
		return TOP_DIM;
	case TOP_RATE_RESET:
		snprintf(ret, TOP_NUMBER, "reset");
		return TOP_WARN;
	case TOP_RATE_OK:
		top_format_rate(row->rate, row->histogram ? "" : row->family->unit, ret);
		return row->rate > 0 ? TOP_PLAIN : TOP_DIM;
	default:
		return TOP_DIM;
	}
}

/* The last samples, newest right. Levels span from the smallest to the largest of them, but not
 * less than a fifth of the largest: noise on a steady value shall look steady. */
static void draw_spark(struct top_cells *c, int x, int y, int room, const struct top_model *m,
		       const struct top_row *row, const struct top_glyphs *g)
{
	float low = INFINITY, high = -INFINITY, v, missing;
	int i, level;

	for (i = 0; i < room; i++) {
		v = top_row_history(m, row, (unsigned)i);
		if (isfinite(v)) {
			low = fminf(low, v);
			high = fmaxf(high, v);
		}
	}
	missing = fmaxf(fabsf(low), fabsf(high)) * 0.2f - (high - low);
	if (missing > 0) {
		low -= missing / 2;
		high += missing / 2;
	}
	for (i = 0; i < room; i++) {
		v = top_row_history(m, row, (unsigned)(room - 1 - i));
		if (!isfinite(v))
			continue;
		level = high > low ? (int)((v - low) / (high - low) * TOP_SPARK_LEVELS) : 0;
		level = level < 0 ? 0 : level;
		level = level >= TOP_SPARK_LEVELS ? TOP_SPARK_LEVELS - 1 : level;
		top_cells_put(c, x + i, y, 1, TOP_SPARK, g->spark[level]);
	}
}

/* ---- table ---------------------------------------------------------------------------------- */

enum column { COL_NAME, COL_VALUE, COL_RATE, COL_P50, COL_P95, COL_P99, COL_SPARK, COLUMNS };

static const struct {
	const char *head;
	int width, gap;	/* gap: columns of space before it */
} column_defs[COLUMNS] = {
	{ "SERIES", 0, 0 }, { "VALUE", 9, 1 }, { "CHANGE/s", 9, 1 }, { "p50", 7, 1 },
	{ "p95", 7, 1 },    { "p99", 7, 1 },   { "LAST", 8, 2 },
};

/* In this order columns give way to the names. */
static const enum column first_to_go[] = { COL_P50, COL_SPARK, COL_P99, COL_P95, COL_RATE,
					   COL_VALUE };

#define MARK_WIDTH 2
struct table {
	int width[COLUMNS];	/* 0: not shown */
	int x[COLUMNS];
	int wide;		/* names with their labels' names */
	int mark;
};

static int columns_width(const struct table *t)
{
	int sum = t->mark, i;

	for (i = COL_VALUE; i < COLUMNS; i++)
		if (t->width[i])
			sum += t->width[i] + column_defs[i].gap;
	return sum;
}

static int at_most(int a, int b)
{
	return a < b ? a : b;
}

/* Columns that the longest exact value takes. */
static int exact_width(const struct top_model *m, const struct top_glyphs *g)
{
	int width = column_defs[COL_VALUE].width;
	char text[TOP_NAME];
	size_t n;

	for (n = 0; n < m->nshown; n++) {
		top_cell_value(m->rows[n], g, 1, text);
		if (top_width(text) > width)
			width = top_width(text);
	}
	return width;
}

static void plan_table(struct table *t, const struct top_model *m, const struct top_view *v,
		       const struct top_glyphs *g, int screen)
{
	int brief = 6, wide = 6, want, left, i, x;
	size_t n;

	memset(t, 0, sizeof(*t));
	for (n = 0; n < m->nshown; n++) {
		brief = m->rows[n]->brief_width > brief ? m->rows[n]->brief_width : brief;
		wide = m->rows[n]->wide_width > wide ? m->rows[n]->wide_width : wide;
	}
	t->mark = screen >= 12 ? MARK_WIDTH : 0;
	for (i = COL_VALUE; i < COLUMNS; i++)
		t->width[i] = column_defs[i].width;
	if (v->exact)
		t->width[COL_VALUE] = exact_width(m, g);
	if (!m->nhistograms)
		t->width[COL_P50] = t->width[COL_P95] = t->width[COL_P99] = 0;
	want = at_most(at_most(brief, screen * 2 / 5), 40);
	for (i = 0; i < (int)(sizeof(first_to_go) / sizeof(first_to_go[0])); i++)
		if (columns_width(t) + want > screen)
			t->width[first_to_go[i]] = 0;
	left = screen - columns_width(t);
	t->wide = wide + 12 <= left;
	t->width[COL_NAME] = at_most(t->wide ? wide : brief, left);
	left -= t->width[COL_NAME];
	if (t->width[COL_SPARK])
		t->width[COL_SPARK] += at_most(left, TOP_HISTORY - t->width[COL_SPARK]);
	for (x = t->mark, i = 0; i < COLUMNS; i++) {
		if (!t->width[i])
			continue;
		x += column_defs[i].gap;
		t->x[i] = x;
		x += t->width[i];
	}
}

unsigned top_draw_hidden(int width, const struct top_model *m, const struct top_view *v,
			 const struct top_glyphs *g)
{
	unsigned hidden = 0;
	struct table t;
	int i;

	plan_table(&t, m, v, g, width);
	for (i = TOP_SORT_NAME + 1; i < TOP_SORTS; i++)
		if (!t.width[i])
			hidden |= 1u << i;
	return hidden;
}

static void draw_heads(struct top_cells *c, int y, const struct table *t,
		       const struct top_view *v, const struct top_glyphs *g)
{
	int descending = (v->sort != TOP_SORT_NAME) != (v->reverse != 0), i;
	char head[TOP_NAME];

	top_cells_fill(c, 0, y, c->width, TOP_HEADING);
	for (i = 0; i < COLUMNS; i++) {
		if (!t->width[i])
			continue;
		snprintf(head, sizeof(head), "%s", column_defs[i].head);
		if (i == (int)v->sort)
			snprintf(head, sizeof(head), "%s%s", column_defs[i].head,
				 descending ? g->descending : g->ascending);
		if (i == COL_SPARK)
			snprintf(head, sizeof(head), "%s %gs", column_defs[i].head,
				 t->width[i] * v->delay_s);
		if (i == COL_NAME)
			top_cells_put(c, t->x[i], y, t->width[i], TOP_HEADING, head);
		else
			top_cells_put_right(c, t->x[i], y, t->width[i], TOP_HEADING, head);
	}
}

void top_cut_name(const char *name, int width, const struct top_glyphs *g, char *ret, size_t size)
{
	const char *labels = strchr(name, '{');
	char family[TOP_NAME];
	int left = labels ? width - top_width(labels) : 0;

	if (top_width(name) <= width || left < 6) {
		top_cut_middle(name, width, g->ellipsis, ret, size);
		return;
	}
	snprintf(family, sizeof(family), "%.*s", (int)(labels - name), name);
	/* Families differ at their beginning; at their end most have a unit. */
	top_cut(family, left, 75, g->ellipsis, ret, size);
	strncat(ret, labels, size - strlen(ret) - 1);
}

static void draw_row(struct top_cells *c, int y, const struct table *t, const struct top_model *m,
		     const struct top_view *v, const struct top_row *row,
		     const struct top_glyphs *g)
{
	unsigned style = row->gone_boot_ns ? TOP_DIM : TOP_PLAIN, number_style;
	char text[TOP_NAME], cut[8 * TOP_NAME], number[TOP_NUMBER];
	int q;

	if (t->mark && row->gone_boot_ns)
		top_cells_put(c, 0, y, 1, TOP_DIM, g->gone);
	else if (t->mark && row->reset_boot_ns && m->boot_ns - row->reset_boot_ns < TOP_WINDOW_NS)
		top_cells_put(c, 0, y, 1, TOP_WARN, "!");
	top_cut_name(t->wide ? row->wide : row->brief, t->width[COL_NAME], g, cut, sizeof(cut));
	top_cells_put(c, t->x[COL_NAME], y, t->width[COL_NAME], style, cut);
	if (t->width[COL_VALUE]) {
		value_in(row, g, v->exact, t->width[COL_VALUE], text);
		number_style = top_row_value(row) == 0 && row->family->kind != SM_STATESET
				       ? TOP_DIM
				       : style;
		top_cells_put_right(c, t->x[COL_VALUE], y, t->width[COL_VALUE], number_style, text);
	}
	if (t->width[COL_RATE]) {
		number_style = rate_cell(m, row, g, number);
		top_cells_put_right(c, t->x[COL_RATE], y, t->width[COL_RATE], number_style, number);
	}
	for (q = 0; q < TOP_QUANTILES; q++) {
		if (!t->width[COL_P50 + q])
			continue;
		top_cell_quantile(row, q, g, text);
		number_style = row->histogram && row->histogram->recent ? style : TOP_DIM;
		top_cells_put_right(c, t->x[COL_P50 + q], y, t->width[COL_P50 + q], number_style,
				    text);
	}
	if (t->width[COL_SPARK])
		draw_spark(c, t->x[COL_SPARK], y, t->width[COL_SPARK], m, row, g);
}

static void draw_nothing(struct top_cells *c, int y, const struct top_model *m,
			 const struct top_view *v)
{
	const char *text = "no values yet: no program has counted anything here";

	if (m->nshown)
		text = v->filter.bad ? "" : "no series matches the filter; Esc drops it";
	top_cells_put(c, c->width >= 12 ? MARK_WIDTH : 0, y, c->width, TOP_DIM, text);
}

static void draw_table(struct top_cells *c, int y, int lines, const struct top_model *m,
		       const struct top_view *v, const struct top_glyphs *g)
{
	struct table t;
	size_t i;

	plan_table(&t, m, v, g, c->width);
	if (c->height >= 4) {
		draw_heads(c, y++, &t, v, g);
		lines--;
	}
	if (!v->nshown && lines > 0)
		draw_nothing(c, y, m, v);
	for (i = v->top; i < v->nshown && lines > 0; i++, y++, lines--) {
		draw_row(c, y, &t, m, v, v->shown[i], g);
		if (i == v->cursor) {
			top_cells_fill(c, 0, y, c->width, TOP_SELECTED);
			c->cursor_y = y;
		}
	}
}

/* ---- help ----------------------------------------------------------------------------------- */

static const char *const legend[] = {
	"",
	"CHANGE/s  per second since the last sample, by measured time",
	"p50 p95   half, 95 % of the observations of the last minute were at most this",
	"          ~: of the whole life, as none came in the last minute",
	"2s ago    of gauges NAME_timestamp_seconds: how long that is past",
	"LAST      change (of gauges: value) at each sample, newest right; gap: none",
	"reset !   a counter went back: its series was made anew",
	"gone      the writers of this gauge have ended; its last value is shown",
};

static void draw_help(struct top_cells *c, int y, int lines, const struct top_view *v)
{
	int n = (int)(sizeof(legend) / sizeof(legend[0])), total = 0, first, line = 0, i;
	const struct top_key *k;

	for (i = 0; i < (int)top_nkeys; i++)
		total += top_keys[i].keys != NULL;
	total += n;
	first = v->help_top > total - lines ? total - lines : v->help_top;
	first = first < 0 ? 0 : first;
	for (i = 0; i < (int)top_nkeys; i++) {
		k = &top_keys[i];
		if (!k->keys)
			continue;
		if (line >= first && line - first < lines) {
			top_cells_put(c, 2, y + line - first, 24, TOP_KEY, k->keys);
			top_cells_put(c, 27, y + line - first, c->width, TOP_PLAIN, k->help);
		}
		line++;
	}
	for (i = 0; i < n; i++, line++)
		if (line >= first && line - first < lines)
			top_cells_put(c, 2, y + line - first, c->width, TOP_PLAIN, legend[i]);
}

/* ---- the lowest line ------------------------------------------------------------------------ */

static void draw_prompt(struct top_cells *c, int y, const struct top_model *m,
			const struct top_view *v)
{
	struct buf b = { 0 };
	int x;

	top_cells_fill(c, 0, y, c->width, TOP_PLAIN);
	x = top_cells_put(c, 0, y, c->width, TOP_KEY, "Filter: ");
	top_escape(&b, v->filter.text, strlen(v->filter.text), m->escape);
	x += top_cells_put(c, x, y, c->width - x, TOP_BOLD, b.data ? b.data : "");
	buf_free(&b);
	c->cursor_x = at_most(x, c->width - 1);
	c->cursor_y = y;
	if (v->filter.bad)
		top_cells_put(c, x + 2, y, c->width, TOP_BAD, "not a valid expression; Esc drops it");
	else if (!v->filter.text[0])
		top_cells_put(c, x + 2, y, c->width, TOP_DIM, "text  label=text  ~regex  !not");
}

static void draw_bar(struct top_cells *c, int y, const struct top_view *v, size_t page)
{
	char place[64] = "";
	int x = 0, end = c->width, width;
	const struct top_key *k;
	size_t i, last = v->top + page;

	last = last < v->nshown ? last : v->nshown;
	if (v->nshown > page && !v->help)
		snprintf(place, sizeof(place), "%zu-%zu of %zu", v->top + 1, last, v->nshown);
	if (place[0])
		end -= top_width(place) + 2;
	for (i = 0; i < top_nkeys; i++) {
		k = &top_keys[i];
		if (!k->bar)
			continue;
		width = top_width(k->bar) + 1 + top_width(k->bar_help);
		if (x + width > end)
			break;
		x += top_cells_put(c, x, y, c->width, TOP_KEY, k->bar) + 1;
		x += top_cells_put(c, x, y, c->width, TOP_DIM, k->bar_help) + 2;
	}
	if (place[0])
		top_cells_put_right(c, 0, y, c->width, TOP_DIM, place);
}

size_t top_draw_page(int width, int height)
{
	int small = width < SMALL_WIDTH || height < SMALL_HEIGHT;
	int lines = height - (small ? 1 : 3) - (height >= 4 ? 1 : 0);

	return lines > 0 ? (size_t)lines : 0;
}

void top_draw(struct top_cells *c, const struct top_model *m, const struct top_view *v,
	      const struct top_glyphs *g, const char *local_time, uint64_t now_ns)
{
	size_t page = top_draw_page(c->width, c->height);
	int small = c->width < SMALL_WIDTH || c->height < SMALL_HEIGHT;
	int low = c->height - 1, y;
	char cut[4 * TOP_NAME];

	top_cells_clear(c);
	y = draw_header(c, m, v, g, local_time);
	if (v->help)
		draw_help(c, y, c->height - y - !small, v);
	else
		draw_table(c, y, (int)page + (c->height >= 4), m, v, g);
	if (v->typing && low > 0) {
		draw_prompt(c, low, m, v);
	} else if (now_ns < v->note_until_ns && low > 0) {
		top_cells_fill(c, 0, low, c->width, TOP_PLAIN);
		top_cut_middle(v->note, c->width, g->ellipsis, cut, sizeof(cut));
		top_cells_put(c, 0, low, c->width, TOP_BOLD, cut);
	} else if (!small) {
		draw_bar(c, low, v, page);
	}
}
