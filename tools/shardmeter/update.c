/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update.c - inc, dec, set, observe.
 *
 * The four share one frame: words to a series and a value, the segment opened, the family as it is
 * or as the verb makes it, one update, and a look whether the segment refused it.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "args.h"
#include "cli.h"
#include "family.h"
#include "text.h"

#define KIND(k) (1u << (k))

/* The last option is --buckets of observe, --mode of the others. */
enum { UPDATE_TYPE = UPDATE_OPTIONS, UPDATE_UNIT, UPDATE_BUCKETS, UPDATE_MODE = UPDATE_BUCKETS };

/* One update, from its words to its handle. */
struct update {
	struct cli_series series;
	const char *value; /* the word that is the value; NULL: none was given */
	struct fam fam;
	struct fam_series target;
	double bounds[256];
	struct fam_want want;
};

static int missing_name(const struct cli *c)
{
	return cli_fail(
		c, CLI_FAILED, "NAME is missing; see \"shardmeter help %s\"", c->command->name);
}

/* NAME label=value ... by N */
static int words_with_by(const struct cli *c, struct update *u)
{
	int rc;

	if (c->nargs == 0)
		return missing_name(c);
	rc = cli_series_init(c, c->args[0], &u->series);
	for (int i = 1; i < c->nargs && !rc; i++) {
		if (strcmp(c->args[i], "by") == 0) {
			if (i + 2 != c->nargs)
				return cli_fail(c, CLI_FAILED, "\"by\" and one number come last");
			u->value = c->args[++i];
		} else if (!strchr(c->args[i], '=')) {
			return cli_fail(c, CLI_FAILED, "\"%s\": expected label=value or \"by N\"",
				c->args[i]);
		} else {
			rc = cli_series_label(c, &u->series, c->args[i]);
		}
	}
	return rc;
}

/* NAME, label=value ..., and one word without '=' that is the value. */
static int words_with_value(const struct cli *c, struct update *u)
{
	int rc;

	if (c->nargs == 0)
		return missing_name(c);
	rc = cli_series_init(c, c->args[0], &u->series);
	for (int i = 1; i < c->nargs && !rc; i++) {
		if (strchr(c->args[i], '='))
			rc = cli_series_label(c, &u->series, c->args[i]);
		else if (u->value)
			return cli_fail(c, CLI_FAILED,
				"two values, \"%s\" and \"%s\"; labels are label=value", u->value,
				c->args[i]);
		else
			u->value = c->args[i];
	}
	if (!rc && !u->value)
		return cli_fail(c, CLI_FAILED, "VALUE is missing");
	return rc;
}

static const struct {
	const char *name;
	enum sm_kind kind;
} types[] = { { "counter", SM_COUNTER }, { "gauge", SM_GAUGE }, { "updown", SM_UPDOWN },
	{ "histogram", SM_HISTOGRAM } };

static int take_type(const struct cli *c, struct update *u)
{
	const char *name = c->value[UPDATE_TYPE];

	if (!name)
		return 0;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].name, name) != 0)
			continue;
		u->want.make = types[i].kind;
		if (u->want.kinds & KIND(types[i].kind))
			return 0;
		return cli_fail(
			c, CLI_FAILED, "--type: %s cannot update a %s", c->command->name, name);
	}
	return cli_fail(
		c, CLI_FAILED, "--type: \"%s\" is none of counter, gauge, updown, histogram", name);
}

static int take_buckets(const struct cli *c, struct update *u)
{
	if (!c->value[UPDATE_BUCKETS])
		return 0;
	u->want.bounds = u->bounds;
	return cli_bounds(c, "--buckets", c->value[UPDATE_BUCKETS], u->bounds,
		sizeof(u->bounds) / sizeof(u->bounds[0]), &u->want.nbounds);
}

static int take_mode(const struct cli *c, struct update *u)
{
	int mode = SM_MODE_MOSTRECENT;

	if (c->value[UPDATE_MODE]) {
		mode = cli_mode_find(c->value[UPDATE_MODE]);
		if (mode < 0)
			return cli_fail(c, CLI_FAILED,
				"--mode: \"%s\" is none of sum, min, max, avg, mostrecent, first, "
				"all",
				c->value[UPDATE_MODE]);
		if (u->want.make != SM_GAUGE)
			return cli_fail(c, CLI_FAILED, "--mode: only a gauge has a mode");
	}
	u->want.mode_exactly = c->value[UPDATE_MODE] != NULL;
	u->want.mode = u->want.make == SM_GAUGE ? (enum sm_gauge_mode)mode : SM_MODE_SUM;
	return 0;
}

/* What the options say about a new family. */
static int take_options(const struct cli *c, struct update *u)
{
	int rc = take_type(c, u);

	u->want.exactly = c->given[UPDATE_TYPE];
	u->want.help = c->value[UPDATE_HELP];
	u->want.unit = c->value[UPDATE_UNIT];
	if (rc)
		return rc;
	return c->command == &cli_cmd_observe ? take_buckets(c, u) : take_mode(c, u);
}

/* The arguments make sense: the segment is next. */
static int open_and_declare(struct cli *c, struct update *u)
{
	int rc;

	c->parsed = true;
	rc = fam_open(c, c->given[UPDATE_CREATE], &u->fam);

	if (rc || u->fam.disabled)
		return rc;
	return fam_declare(c, &u->fam, &u->series, &u->want, &u->target);
}

static int finish(const struct cli *c, struct update *u, int rc)
{
	if (!rc && !u->fam.disabled)
		rc = fam_verify(c, &u->fam);
	fam_close(&u->fam);
	cli_series_release(&u->series);
	return rc;
}

/* ---- inc and dec ---- */

static int add_counter(const struct cli *c, const struct update *u, const struct cli_amount *a)
{
	struct sm_counter *counter = sm_counter(u->target.family, u->target.values, u->target.n);
	unsigned decimals = u->target.number == SM_NUMBER_FIXED ? u->target.decimals : 0;
	uint64_t units;

	if (u->target.number == SM_NUMBER_DOUBLE)
		sm_counter_add_double(counter, a->value);
	else if (cli_amount_in(a, decimals, &units))
		sm_counter_add(counter, units);
	else
		return cli_fail(c, CLI_FAILED, "by: %s is counted in whole steps with %u decimals",
			u->series.name, decimals);
	return 0;
}

static int add_updown(
	const struct cli *c, const struct update *u, const struct cli_amount *a, int sign)
{
	uint64_t units;

	if (!cli_amount_in(a, 0, &units) || units > INT64_MAX)
		return cli_fail(c, CLI_FAILED,
			"by: %s is an up-down gauge, which goes in whole steps", u->series.name);
	sm_updown_add(
		sm_updown(u->target.family, u->target.values, u->target.n), sign * (int64_t)units);
	return 0;
}

static int add(const struct cli *c, struct update *u, const struct cli_amount *a, int sign)
{
	switch (u->target.kind) {
	case SM_COUNTER: return add_counter(c, u, a);
	case SM_UPDOWN: return add_updown(c, u, a, sign);
	default:
		sm_gauge_add(
			sm_gauge(u->target.family, u->target.values, u->target.n), sign * a->value);
		return 0;
	}
}

static int run_add(struct cli *c, struct update *u, int sign)
{
	struct cli_amount amount = { .value = 1, .exact = true, .units = 1 };
	int rc = words_with_by(c, u);

	if (!rc && u->value)
		rc = cli_amount(c, "by", u->value, &amount);
	if (!rc)
		rc = take_options(c, u);
	u->want.amount = &amount;
	if (!rc)
		rc = open_and_declare(c, u);
	if (!rc && !u->fam.disabled)
		rc = add(c, u, &amount, sign);
	return finish(c, u, rc);
}

static int run_inc(struct cli *c)
{
	struct update u = { .want = { .kinds = KIND(SM_COUNTER) | KIND(SM_UPDOWN) | KIND(SM_GAUGE),
				    .make = SM_COUNTER } };

	return run_add(c, &u, 1);
}

static int run_dec(struct cli *c)
{
	struct update u = { .want = { .kinds = KIND(SM_UPDOWN) | KIND(SM_GAUGE),
				    .make = SM_UPDOWN } };

	return run_add(c, &u, -1);
}

/* ---- set ---- */

static int parse_set(const struct cli *c, const char *text, double *ret)
{
	if (strcmp(text, "now") != 0)
		return cli_double(c, "VALUE", text, ret);
	*ret = fam_now();
	return 0;
}

static int run_set(struct cli *c)
{
	struct update u = { .want = { .kinds = KIND(SM_GAUGE), .make = SM_GAUGE } };
	double v = 0;
	int rc = words_with_value(c, &u);

	if (!rc)
		rc = parse_set(c, u.value, &v);
	if (!rc)
		rc = take_options(c, &u);
	if (!rc)
		rc = open_and_declare(c, &u);
	if (!rc && !u.fam.disabled)
		sm_gauge_set(sm_gauge(u.target.family, u.target.values, u.target.n), v);
	return finish(c, &u, rc);
}

/* ---- observe ---- */

static int run_observe(struct cli *c)
{
	struct update u = { .want = { .kinds = KIND(SM_HISTOGRAM), .make = SM_HISTOGRAM } };
	double v = 0;
	int rc = words_with_value(c, &u);

	if (!rc)
		rc = cli_real(c, "VALUE", u.value, -INFINITY, INFINITY, &v);
	if (!rc)
		rc = take_options(c, &u);
	if (!rc)
		rc = open_and_declare(c, &u);
	if (!rc && !u.fam.disabled) {
		if (v < 0 && !(u.target.info && u.target.info->flags & SM_FAMILY_SIGNED))
			rc = cli_fail(c, CLI_FAILED,
				"VALUE: %s is negative; this histogram takes 0 and more", u.value);
		else
			sm_histogram_observe(
				sm_histogram(u.target.family, u.target.values, u.target.n), v);
	}
	return finish(c, &u, rc);
}

/* ---- tables ---- */

#define UNIT_HELP                                                                          \
	"First use: seconds, bytes, ratio or any other. Without it taken from the name's " \
	"ending."
#define MODE_HELP                                                                     \
	"First use of a gauge: how values of several writers become one. Without it " \
	"mostrecent. Later: the mode that it must have."
#define BUCKETS_HELP                                                                       \
	"First use: ascending upper bounds, separated by commas. Without it those of the " \
	"unit."
#define OPTION_MODE \
	[UPDATE_MODE] = { "mode", 0, "sum|min|max|avg|mostrecent|first|all", NULL, MODE_HELP }
#define OPTION_BUCKETS [UPDATE_BUCKETS] = { "buckets", 0, "LIST", NULL, BUCKETS_HELP }
#define OPTIONS(types, last)                                                                                 \
	(const struct cli_option[])                                                                          \
	{                                                                                                    \
		UPDATE_OPTION_STRICT, UPDATE_OPTION_CREATE, UPDATE_OPTION_HELP,                              \
			[UPDATE_TYPE] = { "type", 0, types, NULL,                                            \
				"First use; without it the first one. Later: the type that it must have." }, \
			[UPDATE_UNIT] = { "unit", 0, "UNIT", NULL, UNIT_HELP }, last,                        \
		{                                                                                            \
			NULL, 0, NULL, NULL, NULL                                                            \
		}                                                                                            \
	}

#define TEXT_FIRST_USE                                                                         \
	"The first use of a NAME declares it, with the labels in the order given. Later uses " \
	"may give the labels in any order, but all of them; a program's own families can be "  \
	"updated, too. NAME may also be written with its labels: NAME{label=\"value\"}. The "  \
	"value outlives this command.\n"                                                       \
	"\n"

const struct cli_command cli_cmd_inc = { .name = "inc",
	.synopsis = "[options] NAME [label=value ...] [by N]",
	.run = run_inc,
	.complete = CLI_COMPLETE_SERIES,
	.help = "Add 1, or N, to a counter (or to a gauge that goes up and down).",
	.text = TEXT_FIRST_USE
	"A counter's NAME ends in _total. N may have a fraction: six decimals are counted exactly, "
	"nine in seconds.\n"
	"\n"
	"\tshardmeter inc jobs_total job=backup status=ok\n"
	"\tshardmeter inc received_bytes_total by 1048576",
	.options = OPTIONS("counter|updown|gauge", OPTION_MODE),
	.flags = CLI_UPDATE };

const struct cli_command cli_cmd_dec = { .name = "dec",
	.synopsis = "[options] NAME [label=value ...] [by N]",
	.run = run_dec,
	.complete = CLI_COMPLETE_SERIES,
	.help = "Subtract 1, or N, from a gauge.",
	.text = TEXT_FIRST_USE
	"The first use makes an up-down gauge, which inc and dec move in whole steps. A counter "
	"never goes down.\n"
	"\n"
	"\tshardmeter inc --type updown jobs_running job=backup\n"
	"\tshardmeter dec jobs_running job=backup",
	.options = OPTIONS("updown|gauge", OPTION_MODE),
	.flags = CLI_UPDATE };

const struct cli_command cli_cmd_set = { .name = "set",
	.synopsis = "[options] NAME [label=value ...] VALUE|now",
	.run = run_set,
	.complete = CLI_COMPLETE_SERIES,
	.help = "Set a gauge. \"now\" is the time in seconds since 1970.",
	.text = TEXT_FIRST_USE "\tshardmeter set queue_length queue=mail 17\n"
			       "\tshardmeter set last_success_timestamp_seconds job=backup now",
	.options = OPTIONS("gauge", OPTION_MODE),
	.flags = CLI_UPDATE };

const struct cli_command cli_cmd_observe = { .name = "observe",
	.synopsis = "[options] NAME VALUE [label=value ...]",
	.run = run_observe,
	.complete = CLI_COMPLETE_SERIES,
	.help = "Count a value in a histogram: a duration in seconds, a size in bytes.",
	.text = TEXT_FIRST_USE
	"\tshardmeter observe upload_size_bytes 73821 kind=image\n"
	"\tshardmeter observe --buckets 0.1,0.5,1,5 job_duration_seconds 1.7 job=backup",
	.options = OPTIONS("histogram", OPTION_BUCKETS),
	.flags = CLI_UPDATE };
