/* SPDX-License-Identifier: Apache-2.0 */
/*
 * get.c - print values, for scripts: exact, one line a series, no words around them.
 *
 * Whether names are printed depends on the selector and on the family's definition alone, never on
 * how many series there are just now: a script that works with one series works with two.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "json.h"
#include "pick.h"
#include "reading.h"
#include "sel.h"

enum { GET_FIELD, GET_NAMES, GET_VALUES, GET_TOTAL, GET_JSON };

struct get {
	const struct cli *c;
	const struct sm_snapshot *s;
	struct field fields[FIELDS_MAX];
	size_t nfields; /* 0: all that the kind has */
	bool as_json;
	struct cli_json json;
	size_t printed;
};

/* What a histogram shows when nothing else is asked for. */
static const struct field histogram_fields[] = { { FIELD_COUNT, 0, "count" },
	{ FIELD_SUM, 0, "sum" }, { FIELD_QUANTILE, 0.5, "p50" }, { FIELD_QUANTILE, 0.95, "p95" },
	{ FIELD_QUANTILE, 0.99, "p99" } };
#define HISTOGRAM_FIELDS (sizeof(histogram_fields) / sizeof(histogram_fields[0]))

static const struct field value_field = { FIELD_VALUE, 0, "value" };

/* The fields to show of a row. */
static const struct field *fields_of(
	const struct get *g, const struct reading *r, enum pick_part part, size_t *ret_n)
{
	*ret_n = 1;
	if (part != PICK_WHOLE)
		return &histogram_fields[part == PICK_COUNT ? 0 : 1];
	*ret_n = g->nfields;
	if (g->nfields)
		return g->fields;
	*ret_n = r->is_histogram ? HISTOGRAM_FIELDS : 1;
	return r->is_histogram ? histogram_fields : &value_field;
}

/* The name of a state set's state, NULL for anything else. */
static const char *state_of(const struct reading *r)
{
	double v = r->number.value;

	if (r->family->kind != SM_STATESET || !r->number.is_set || !(v >= 0) ||
		v >= r->family->nstates)
		return NULL;
	return r->family->states[(unsigned)v];
}

static void json_labels(struct cli_json *j, const struct sm_snapshot *s, const struct pick_row *row)
{
	cli_json_text(j, "name", row->family->name);
	cli_json_text(j, "kind", cli_kind(row->family->kind));
	cli_json_open(j, "labels", '{');
	for (unsigned i = 0; i < row->family->nlabels; i++)
		cli_json_text_n(j, row->family->labels[i], row->series->values[i].ptr,
			row->series->values[i].len);
	cli_json_close(j, '}');
	if (row->writer != SM_ALL_WRITERS)
		cli_json_text(j, "writer", s->writers[row->writer].name);
}

/* row NULL: the total of all. */
static void put_json(struct get *g, const struct pick_row *row, const struct reading *r)
{
	const char *state = state_of(r);
	const struct field *f;
	char text[CLI_TEXT_MAX];
	struct number v;
	size_t n;

	f = fields_of(g, r, row ? row->part : PICK_WHOLE, &n);
	cli_json_open(&g->json, NULL, '{');
	if (row)
		json_labels(&g->json, g->s, row);
	for (size_t i = 0; i < n; i++) {
		v = reading_field(r, &f[i]);
		number_text(&v, text);
		cli_json_number(&g->json, f[i].name, text);
	}
	if (state)
		cli_json_text(&g->json, "state", state);
	cli_json_close(&g->json, '}');
	g->printed++;
}

/* The values of a line: bare if they were asked for by name, else a histogram's with theirs. */
static void put_line(struct get *g, const struct pick_row *row, const struct reading *r, bool named)
{
	const char *state = state_of(r);
	const struct field *f;
	char text[CLI_TEXT_MAX], *name;
	struct number v;
	bool any = false;
	size_t n;

	f = fields_of(g, r, row ? row->part : PICK_WHOLE, &n);
	for (size_t i = 0; i < n; i++)
		any |= reading_field(r, &f[i]).is_set;
	if (!any)
		return;
	g->printed++;
	if (named && row) {
		name = pick_text(g->s, row);
		cli_put_text(stdout, name ? name : "?", name ? strlen(name) : 1);
		putchar('\t');
		free(name);
	}
	for (size_t i = 0; i < n; i++) {
		v = reading_field(r, &f[i]);
		number_text(&v, text);
		if (f == histogram_fields && n > 1)
			printf("%s%s=", i ? " " : "", f[i].name);
		else if (i)
			putchar('\t');
		if (state && f[i].kind == FIELD_VALUE)
			cli_put_text(stdout, state, strlen(state));
		else
			fputs(v.is_set ? text : "NaN", stdout);
	}
	putchar('\n');
}

static void put(struct get *g, const struct pick_row *row, const struct reading *r)
{
	bool named = row && (g->c->given[GET_NAMES] || !row->exact) && !g->c->given[GET_VALUES];

	if (g->as_json)
		put_json(g, row, r);
	else
		put_line(g, row, r, named);
}

static int put_total(struct get *g, const struct pick_row *rows, size_t nrows)
{
	struct reading sum, one;

	if (reading_take(g->s, &rows[0], &sum) != 0)
		return -ENOMEM;
	for (size_t i = 1; i < nrows; i++) {
		if (reading_take(g->s, &rows[i], &one) != 0) {
			reading_release(&sum);
			return -ENOMEM;
		}
		reading_add(&sum, &one);
		reading_release(&one);
	}
	put(g, NULL, &sum);
	reading_release(&sum);
	return 0;
}

static int put_rows(struct get *g, const struct pick_row *rows, size_t nrows)
{
	struct reading r;

	if (nrows && g->c->given[GET_TOTAL])
		return put_total(g, rows, nrows);
	for (size_t i = 0; i < nrows; i++) {
		if (reading_take(g->s, &rows[i], &r) != 0)
			return -ENOMEM;
		put(g, &rows[i], &r);
		reading_release(&r);
	}
	return 0;
}

static int nothing(const struct get *g, const struct picks *picks, size_t nrows, const char *asked)
{
	char similar[600];

	picks_similar(picks, g->s, similar, sizeof(similar));
	if (nrows)
		return cli_fail(g->c, CLI_NOTHING,
			"%s: only a histogram has the fields asked for with --field", asked);
	return cli_fail(g->c, CLI_NOTHING,
		"nothing with a value matches %s in %s%s; \"shardmeter ls -s\" lists all series",
		asked, g->s->segment->path, similar);
}

/* Others match, but not this one: a forgotten "=value" makes a NAME of a label, for example. */
static int say_missing(const struct get *g, const struct picks *picks, const struct pick_row *rows,
	size_t nrows)
{
	int rc = CLI_OK;

	for (size_t i = 0; i < picks->n; i++) {
		const char *name = picks->pick[i].s.name;
		char similar[600] = "";
		bool label = false;
		size_t k;

		for (k = 0; k < nrows && rows[k].pick != i; k++)
			;
		if (k < nrows)
			continue;
		for (k = 0; k < nrows && !label; k++)
			for (unsigned l = 0; l < rows[k].family->nlabels; l++)
				label |= strcmp(rows[k].family->labels[l], name) == 0;
		if (label)
			snprintf(similar, sizeof(similar), "; for the label write %s=VALUE", name);
		else
			pick_similar(&picks->pick[i], g->s, similar, sizeof(similar));
		rc = cli_fail(g->c, CLI_NOTHING, "nothing with a value matches %s in %s%s", name,
			g->s->segment->path, similar);
	}
	return rc;
}

static int print(struct get *g, const struct picks *picks, const char *asked)
{
	struct pick_row *rows = NULL;
	size_t nrows = 0;
	int missing = CLI_OK;
	int rc = picks_rows(picks, g->s, &rows, &nrows);

	if (!rc && g->c->given[GET_JSON] && nrows) {
		g->as_json = true;
		cli_json_open(&g->json, NULL, '{');
		cli_json_u64(&g->json, "schema", CLI_JSON_SCHEMA);
		cli_json_time(&g->json, "time", g->s->taken_real_ns);
		cli_json_open(&g->json, "series", '[');
	}
	if (!rc)
		rc = put_rows(g, rows, nrows);
	if (g->as_json) {
		cli_json_close(&g->json, ']');
		cli_json_close(&g->json, '}');
	}
	if (!rc && g->printed)
		missing = say_missing(g, picks, rows, nrows);
	free(rows);
	if (rc)
		return cli_fail(g->c, CLI_FAILED, "out of memory");
	return g->printed ? missing : nothing(g, picks, nrows, asked);
}

static int run_get(struct cli *c)
{
	struct get g = { .c = c, .json = { .f = stdout, .indent = true } };
	struct picks picks = { 0 };
	char *asked = picks_text(c->args, c->nargs);
	int rc = 0;

	if (c->value[GET_FIELD])
		rc = fields_parse(c, "--field", c->value[GET_FIELD], g.fields, &g.nfields);
	if (!rc && c->given[GET_NAMES] && c->given[GET_VALUES])
		rc = cli_fail(c, CLI_FAILED, "--names and --values exclude each other");
	if (!rc)
		rc = picks_init(c, c->args, c->nargs, &picks);
	if (!rc)
		rc = sel_snapshot(c, SM_SNAPSHOT_WRITERS, &g.s, NULL);
	if (!rc)
		rc = print(&g, &picks, asked ? asked : "this");
	sm_snapshot_free(g.s);
	picks_release(&picks);
	free(asked);
	return rc;
}

const struct cli_command cli_cmd_get = { .name = "get",
	.synopsis = "[options] NAME [label=value ...] ...",
	.run = run_get,
	.complete = CLI_COMPLETE_SELECTORS,
	.help = "Print the value of a series, or of all that match.",
	.text = CLI_SELECTOR_TEXT
	"\n"
	"A NAME with a value for every label (or of a family without labels) prints the value "
	"alone. Otherwise each line is the series, a TAB and its value. Numbers are exact; a "
	"histogram shows count, sum and quantiles, a state set the state's name. Exit code 1 if "
	"nothing matches one of the NAMEs, or nothing that matches has a value.\n"
	"\n"
	"\tn=$(shardmeter get jobs_total job=backup status=ok)\n"
	"\tshardmeter get --total 'jobs_total{status!=\"ok\"}'\n"
	"\tshardmeter get -f p99 job_duration_seconds job=backup\n"
	"\tshardmeter get 'bot_*' writer=shard-3",
	.options = (const struct cli_option[]){
		[GET_FIELD] = { "field", 'f', "LIST", NULL,
			"Only these, separated by TABs: " FIELD_NAMES ". All but value "
			"are of histograms." },
		[GET_NAMES] = { "names", 'n', NULL, NULL, "Print names even if there is one." },
		[GET_VALUES] = { "values", 'v', NULL, NULL, "Never print names." },
		[GET_TOTAL] = { "total", 't', NULL, NULL,
			"One line: all that match, added up; quantiles as of one histogram." },
		[GET_JSON] = { "json", 0, NULL, NULL, "As JSON." },
		{ NULL, 0, NULL, NULL, NULL } } };
