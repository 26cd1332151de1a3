/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - values and their rates every so often; on a terminal in place.
 *
 * Each sample is compared with the one before by the series' own text and creation time: a series
 * that was removed and made again begins anew. The snapshot before is kept until then, since
 * readings point into it.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "file.h"
#include "loop.h"
#include "pick.h"
#include "sel.h"
#include "watch.h"

enum { WATCH_INTERVAL, WATCH_COUNT, WATCH_UNTIL, WATCH_FIELD, WATCH_TOTAL };

/* "rate >= 5" */
struct condition {
	bool rate;
	char op[3];
	double limit;
};

struct watch {
	struct cli c;
	struct picks picks;
	char *asked;
	struct field field;
	bool field_given, total, terminal;
	const struct condition *until;
	uint64_t count; /* 0: for ever */
	struct sel_follow segment;
	struct sample last;
	unsigned frame_lines; /* on the screen */
};

static const double quantiles[3] = { 0.5, 0.95, 0.99 };

/* ---- samples ---- */

static void sample_release(struct sample *p)
{
	for (size_t i = 0; p->line && i < p->n; i++) {
		reading_release(&p->line[i].now);
		free(p->line[i].name);
		free(p->line[i].short_name);
	}
	free(p->line);
	sm_snapshot_free(p->s);
	memset(p, 0, sizeof(*p));
}

static struct field field_of(const struct watch *w, enum pick_part part)
{
	if (part == PICK_SUM)
		return (struct field){ .kind = FIELD_SUM };
	if (part == PICK_COUNT)
		return (struct field){ .kind = FIELD_COUNT };
	return w->field;
}

/* Does it only ever go up? */
static bool has_rate(const struct reading *r, const struct field *f)
{
	if (r->is_histogram)
		return f->kind != FIELD_AVG && f->kind != FIELD_QUANTILE;
	return r->family->kind == SM_COUNTER && f->kind == FIELD_VALUE;
}

/* The line of the sample before that this one goes on from, NULL if it is new. */
static const struct line *line_before(const struct watch *w, const struct line *l, size_t at)
{
	const struct sample *p = &w->last;
	size_t i;

	for (size_t k = 0; k < p->n; k++) {
		i = (at + k) % p->n; /* most often the same place */
		if (p->line[i].created_boot_ns == l->created_boot_ns &&
			strcmp(p->line[i].name, l->name) == 0)
			return &p->line[i];
	}
	return NULL;
}

static void set_rate(struct line *l, const struct line *before, const struct field *f, double dt_s)
{
	struct number then = reading_field(&before->now, f), now = reading_field(&l->now, f);
	struct number change = number_subtract(now, then);

	if (!now.is_set || !then.is_set || !has_rate(&l->now, f))
		return;
	l->is_reset = change.value < 0;
	l->rate.is_set = !l->is_reset && dt_s > 0;
	l->rate.value = change.value / dt_s;
}

/* Value, rate and quantiles of a line: quantiles and averages are those of what came since. */
static int fill(struct watch *w, struct line *l, const struct line *before, enum pick_part part,
	double dt_s)
{
	struct field f = field_of(w, part);
	struct reading since = l->now;

	l->value = reading_field(&l->now, &f);
	if (before)
		set_rate(l, before, &f, dt_s);
	if (!l->now.is_histogram)
		return 0;
	since.counts = calloc(l->now.ncounts, sizeof(*since.counts));
	if (!since.counts)
		return -ENOMEM;
	memcpy(since.counts, l->now.counts, l->now.ncounts * sizeof(*since.counts));
	if (before)
		reading_since(&since, &before->now);
	for (size_t i = 0; i < 3; i++)
		l->quantile[i] = reading_field(
			&since, &(struct field){ .kind = FIELD_QUANTILE, .q = quantiles[i] });
	if (f.kind == FIELD_QUANTILE || f.kind == FIELD_AVG)
		l->value = reading_field(&since, &f);
	reading_release(&since);
	return 0;
}

static int add_line(struct watch *w, struct sample *p, const struct pick_row *row, double dt_s)
{
	struct line *l = &p->line[p->n];
	int rc = reading_take(p->s, row, &l->now);

	if (rc)
		return rc;
	p->n++;
	l->name = pick_text(p->s, row);
	l->short_name = pick_short_text(p->s, row);
	l->created_boot_ns = row->series->created_boot_ns;
	p->any_histogram |= l->now.is_histogram;
	return l->name && l->short_name ? fill(w, l, line_before(w, l, p->n - 1), row->part, dt_s)
					: -ENOMEM;
}

static int add_total(
	struct watch *w, struct sample *p, const struct pick_row *rows, size_t nrows, double dt_s)
{
	struct line *l = &p->line[0];
	struct reading one;
	int rc = reading_take(p->s, &rows[0], &l->now);

	if (rc)
		return rc;
	p->n = 1;
	for (size_t i = 1; i < nrows; i++) {
		rc = reading_take(p->s, &rows[i], &one);
		if (rc)
			return rc;
		reading_add(&l->now, &one);
		reading_release(&one);
	}
	l->name = strdup(w->asked);
	l->short_name = strdup(w->asked);
	p->any_histogram = l->now.is_histogram;
	return l->name && l->short_name ? fill(w, l, line_before(w, l, 0), rows[0].part, dt_s)
					: -ENOMEM;
}

/* The next sample, compared with the one before. 0 or an exit code after a message. */
static int take(struct watch *w, struct sample *p)
{
	struct pick_row *rows = NULL;
	size_t nrows = 0;
	double dt_s = 0;
	int rc;

	memset(p, 0, sizeof(*p));
	rc = sel_follow_take(&w->c, &w->segment, SM_SNAPSHOT_WRITERS, &p->s);
	if (rc)
		return rc;
	rc = picks_rows(&w->picks, p->s, &rows, &nrows);
	if (w->last.s)
		dt_s = (double)(p->s->taken_boot_ns - w->last.s->taken_boot_ns) / 1e9;
	if (!rc) {
		p->line = calloc(nrows + 1, sizeof(*p->line));
		rc = p->line ? 0 : -ENOMEM;
	}
	if (!rc && w->total && nrows)
		rc = add_total(w, p, rows, nrows, dt_s);
	for (size_t i = 0; !rc && !w->total && i < nrows; i++)
		rc = add_line(w, p, &rows[i], dt_s);
	free(rows);
	if (!rc)
		return 0;
	sample_release(p);
	return cli_fail(&w->c, CLI_FAILED, "out of memory");
}

/* ---- printing ---- */

static void print_lines(const struct sample *p)
{
	char utc[CLI_TEXT_MAX], text[CLI_TEXT_MAX];

	cli_utc(p->s->taken_real_ns, utc);
	for (size_t i = 0; i < p->n; i++) {
		const struct line *l = &p->line[i];

		printf("%s\t", utc);
		if (l->name)
			cli_put_text(stdout, l->name, strlen(l->name));
		watch_value_text(l, text);
		putchar('\t');
		cli_put_text(stdout, text, strlen(text));
		watch_rate_text(l, text);
		printf("\t%s", text);
		for (size_t k = 0; l->now.is_histogram && k < 3; k++) {
			number_text(&l->quantile[k], text);
			printf("\t%s", text);
		}
		putchar('\n');
	}
}

static void print(struct watch *w, const struct sample *p)
{
	if (w->terminal)
		w->frame_lines =
			watch_frame(p, p->any_histogram && !w->field_given, w->frame_lines);
	else
		print_lines(p);
	fflush(stdout);
}

/* ---- the condition ---- */

static int parse_condition(const struct cli *c, const char *text, struct condition *ret)
{
	static const char *const ops[] = { "<=", ">=", "==", "!=", "<", ">" };
	const char *p = text + strspn(text, " ");

	memset(ret, 0, sizeof(*ret));
	if (strncmp(p, "rate", 4) == 0) {
		ret->rate = true;
		p += 4;
		p += strspn(p, " ");
	} else if (strncmp(p, "value", 5) == 0) {
		p += 5;
		p += strspn(p, " ");
	}
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strncmp(p, ops[i], strlen(ops[i])) != 0)
			continue;
		memcpy(ret->op, ops[i], strlen(ops[i]) + 1);
		p += strlen(ops[i]);
		return cli_real(c, "--until", p + strspn(p, " "), -INFINITY, INFINITY, &ret->limit);
	}
	return cli_fail(c, CLI_FAILED,
		"--until: \"%s\" is not [rate] OP NUMBER with one of < <= > >= == !=", text);
}

static bool holds(const struct condition *u, double v)
{
	bool less = v<u->limit, more = v> u->limit;

	switch (u->op[0]) {
	case '<': return less || (u->op[1] && !more);
	case '>': return more || (u->op[1] && !less);
	case '=': return !less && !more;
	default: return less || more;
	}
}

/* By all that match, and there is something. */
static bool is_met(const struct condition *u, const struct sample *p)
{
	const struct number *n;

	for (size_t i = 0; i < p->n; i++) {
		n = u->rate ? &p->line[i].rate : &p->line[i].value;
		if (!n->is_set || isnan(n->value) || !holds(u, n->value))
			return false;
	}
	return p->n > 0;
}

/* ---- the command ---- */

/* One sample, taken and shown. *ret_met: the condition holds. */
static int tick(struct watch *w, bool *ret_met, bool *ret_any)
{
	struct sample p;
	int rc = take(w, &p);

	if (rc)
		return rc;
	*ret_any = p.n > 0;
	*ret_met = w->until && is_met(w->until, &p);
	if (p.n)
		print(w, &p);
	sample_release(&w->last);
	w->last = p;
	return 0;
}

static int run_loop(struct watch *w, struct loop *loop)
{
	bool quiet = w->c.quiet, said = false, any = false, met = false, now;
	char similar[600];
	uint64_t n = 0;
	int rc;

	do {
		now = false;
		rc = tick(w, &met, &now);
		any |= now;
		if (rc && n == 0)
			return rc;	  /* there is no segment, and never was */
		w->c.quiet = quiet || rc; /* said once */
		if (!rc && !now && !said) {
			picks_similar(&w->picks, w->last.s, similar, sizeof(similar));
			cli_note(&w->c,
				"nothing with a value matches %s in %s yet%s; waiting for it",
				w->asked, w->segment.path, similar);
		}
		said |= !rc && !now;
		if (ferror(stdout))
			return cli_finish(&w->c, CLI_OK);
		n++;
	} while (!met && n != w->count && loop_wait(loop));
	w->c.quiet = quiet;
	if (loop->signal || met)
		return CLI_OK;
	if (!any)
		return cli_fail(&w->c, CLI_NOTHING, "nothing with a value matched %s", w->asked);
	if (w->until)
		return cli_fail(&w->c, CLI_NOTHING, "--until was not met within %llu samples",
			(unsigned long long)n);
	return CLI_OK;
}

static int parse(struct watch *w, struct condition *until, uint64_t *ret_every_ns)
{
	const struct cli *c = &w->c;
	size_t n = 0;
	struct field fields[FIELDS_MAX];
	int rc = cli_seconds(c, "--interval", c->value[WATCH_INTERVAL], 0.05, 86400, ret_every_ns);

	if (!rc && c->value[WATCH_COUNT])
		rc = cli_number(c, "--count", c->value[WATCH_COUNT], 1, UINT32_MAX, &w->count);
	if (!rc && c->value[WATCH_FIELD]) {
		rc = fields_parse(c, "--field", c->value[WATCH_FIELD], fields, &n);
		w->field = fields[0];
		w->field_given = c->given[WATCH_FIELD];
		if (!rc && n > 1)
			rc = cli_fail(
				c, CLI_FAILED, "--field: one of them; \"get\" prints several");
	}
	if (!rc && c->value[WATCH_UNTIL]) {
		rc = parse_condition(c, c->value[WATCH_UNTIL], until);
		w->until = until;
	}
	if (!rc)
		rc = picks_init(c, c->args, c->nargs, &w->picks);
	return rc;
}

static int run_watch(struct cli *c)
{
	struct watch w = { .c = *c, .total = c->given[WATCH_TOTAL] };
	struct condition until;
	struct loop loop;
	uint64_t every_ns;
	int rc;

	w.terminal = cli_is_terminal(stdout);
	w.asked = picks_text(c->args, c->nargs);
	rc = w.asked ? parse(&w, &until, &every_ns) : cli_fail(c, CLI_FAILED, "out of memory");
	if (!rc) {
		if (w.terminal)
			setvbuf(stdout, NULL, _IOFBF, 1 << 16);
		loop_begin(&loop, every_ns);
		rc = run_loop(&w, &loop);
		loop_end(&loop);
	}
	sample_release(&w.last);
	sel_follow_end(&w.segment);
	picks_release(&w.picks);
	free(w.asked);
	return rc;
}

const struct cli_command cli_cmd_watch = { .name = "watch",
	.synopsis = "[options] NAME [label=value ...] ...",
	.run = run_watch,
	.complete = CLI_COMPLETE_SELECTORS,
	.help = "Show values and how fast they change, again and again.",
	.text = CLI_SELECTOR_TEXT
	"\n"
	"On a terminal in place; elsewhere a line for each series and sample: time, series, value, "
	"change per second, for histograms p50, p95 and p99, separated by TABs. A rate is over the "
	"time since the sample before, of counters and histograms; \"reset\" if the series went "
	"back. The value of a histogram is its count; its quantiles and averages are those of what "
	"was observed since the sample before.\n"
	"\n"
	"Exit code 0 once --until is met or COUNT samples are shown; 1 if COUNT samples were not "
	"enough for --until, or nothing matched. A segment that goes away is waited for.\n"
	"\n"
	"\tshardmeter watch 'bot_*_total'\n"
	"\tshardmeter watch -n 60 -u '== 0' jobs_running >/dev/null && echo drained\n"
	"\tshardmeter watch --total --until 'rate > 100' bot_commands_total",
	.options = (const struct cli_option[]){
		[WATCH_INTERVAL] = { "interval", 'i', "SEC", "1",
			"A sample every SEC seconds, 0.05 to 86400." },
		[WATCH_COUNT] = { "count", 'n', "COUNT", NULL, "End after COUNT samples." },
		[WATCH_UNTIL] = { "until", 'u', "CONDITION", NULL,
			"End when it holds for all that match: an operator (< <= > >= == !=) and a "
			"number, as in '>= 10'; with the word rate before it for the change per "
			"second." },
		[WATCH_FIELD] = { "field", 'f', "FIELD", "value",
			"What to show of histograms: " FIELD_NAMES "." },
		[WATCH_TOTAL] = { "total", 't', NULL, NULL, "One line: all that match, added up." },
		{ NULL, 0, NULL, NULL, NULL } } };
