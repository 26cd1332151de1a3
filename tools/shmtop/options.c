/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - the command line.
 *
 * One table holds what an option is called, what it takes, how it is explained and what it
 * does; the arrays of getopt_long() and the help screen are made from it.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const top_sort_name[TOP_SORTS] = { "name",  "value", "rate", "avg10s", "avg1m", "avg5m",
						"min",	 "max",	  "p50",  "p95",    "p99" };
static const char *const view_name[] = { "overview", "series", "writers", "histograms", "slow" };

struct option_def {
	char letter;		/* 0: none */
	const char *name;
	const char *arg;	/* NULL: none; "[SEC]": may be left out */
	const char *help;	/* NULL: not in the help */
	int (*set)(struct top_options *o, const char *arg);	/* 0 or -EINVAL */
	const char *expected;	/* for the message if it is -EINVAL */
};

static int parse_number(const char *text, double min, double max, double *ret)
{
	char *end;
	double v;

	/* strtod() takes hexadecimal and "nan", people do not. */
	if (!text[0] || strspn(text, "0123456789.") != strlen(text))
		return -EINVAL;
	v = strtod(text, &end);
	if (*end || !(v >= min && v <= max))
		return -EINVAL;
	*ret = v;
	return 0;
}

static int set_segment(struct top_options *o, const char *arg)
{
	if (!arg[0] || o->segment)
		return -EINVAL;
	o->segment = arg;
	return 0;
}

static int set_once(struct top_options *o, const char *arg)
{
	(void)arg;
	o->mode = TOP_MODE_ONCE;
	return 0;
}

static int set_batch(struct top_options *o, const char *arg)
{
	(void)arg;
	o->mode = TOP_MODE_BATCH;
	return 0;
}

static int set_count(struct top_options *o, const char *arg)
{
	double v;

	if (parse_number(arg, 1, 1e9, &v) || v != floor(v))
		return -EINVAL;
	o->count = (unsigned long)v;
	if (o->mode == TOP_MODE_SCREEN)
		o->mode = TOP_MODE_BATCH;
	return 0;
}

static int set_delay(struct top_options *o, const char *arg)
{
	o->delayed = 1;
	return parse_number(arg, TOP_DELAY_MIN, TOP_DELAY_MAX, &o->delay_s);
}

static int set_filter(struct top_options *o, const char *arg)
{
	o->filter = arg;
	return 0;
}

static int set_sort(struct top_options *o, const char *arg)
{
	int i;

	for (i = 0; i < TOP_SORTS; i++) {
		if (!strcmp(arg, top_sort_name[i])) {
			o->sort = (enum top_sort)i;
			o->sorted = 1;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_reverse(struct top_options *o, const char *arg)
{
	(void)arg;
	o->reverse = o->sorted = 1;
	return 0;
}

static int set_view(struct top_options *o, const char *arg)
{
	size_t i;

	for (i = 0; i < sizeof(view_name) / sizeof(view_name[0]); i++) {
		if (!strcmp(arg, view_name[i])) {
			o->view = (int)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_accessible(struct top_options *o, const char *arg)
{
	(void)arg;
	o->mode = TOP_MODE_ACCESSIBLE;
	return 0;
}

static int set_script(struct top_options *o, const char *arg)
{
	o->script = arg;
	o->mode = TOP_MODE_SCRIPT;
	return 0;
}

static int set_mouse(struct top_options *o, const char *arg)
{
	(void)arg;
	o->mouse = 1;
	return 0;
}

static int set_no_mouse(struct top_options *o, const char *arg)
{
	(void)arg;
	o->mouse = -1;
	return 0;
}

static int set_json(struct top_options *o, const char *arg)
{
	(void)arg;
	o->format = TOP_FORMAT_JSON;
	return 0;
}

static int set_csv(struct top_options *o, const char *arg)
{
	(void)arg;
	o->format = TOP_FORMAT_CSV;
	return 0;
}

static int set_openmetrics(struct top_options *o, const char *arg)
{
	(void)arg;
	o->format = TOP_FORMAT_OPENMETRICS;
	return 0;
}

static int set_list(struct top_options *o, const char *arg)
{
	(void)arg;
	o->mode = TOP_MODE_LIST;
	return 0;
}

static int set_wait(struct top_options *o, const char *arg)
{
	if (arg)
		return parse_number(arg, 0, 1e9, &o->wait_s);
	o->wait_s = -1;
	return 0;
}

static int set_ascii(struct top_options *o, const char *arg)
{
	(void)arg;
	o->ascii = 1;
	return 0;
}

static int set_color(struct top_options *o, const char *arg)
{
	if (!arg || !strcmp(arg, "always"))
		o->color = 1;
	else if (!strcmp(arg, "never"))
		o->color = -1;
	else if (!strcmp(arg, "auto"))
		o->color = 0;
	else
		return -EINVAL;
	return 0;
}

static int set_help(struct top_options *o, const char *arg)
{
	(void)arg;
	o->mode = TOP_MODE_HELP;
	return 0;
}

static int set_version(struct top_options *o, const char *arg)
{
	(void)arg;
	o->mode = TOP_MODE_VERSION;
	return 0;
}

static int set_keys(struct top_options *o, const char *arg)
{
	(void)arg;
	o->mode = TOP_MODE_KEYS;
	return 0;
}

static const struct option_def table[] = {
	{ 'S', "segment", "NAME", "segment: a name, the beginning of one, or a path", set_segment,
	  "one name or path, given once" },
	{ '1', "once", NULL, "print one table of totals and lifetime averages", set_once, NULL },
	{ 'b', "batch", NULL, "print a table at every interval, without end", set_batch, NULL },
	{ 'n', "count", "N", "print N tables, the first after one interval", set_count,
	  "a whole number from 1" },
	{ 'd', "delay", "SEC", "interval, 0.1 to 3600 seconds (1)", set_delay,
	  "seconds, 0.1 to 3600" },
	{ 'f', "filter", "TEXT", "only series with TEXT; !TEXT, ~REGEX, !~REGEX", set_filter, NULL },
	{ 's', "sort", "COLUMN", "name, value, rate, avg10s, avg1m, avg5m, ... p99", set_sort,
	  "name, value, rate, avg10s, avg1m, avg5m, min, max, p50, p95 or p99" },
	{ 'r', "reverse", NULL, "the other way round", set_reverse, NULL },
	{ 'v', "view", "VIEW", "overview, series, writers, histograms or slow", set_view,
	  "overview, series, writers, histograms or slow" },
	{ 0, "json", NULL, "print one JSON object, with -b or -n one a line", set_json, NULL },
	{ 0, "csv", NULL, "print comma-separated values", set_csv, NULL },
	{ 0, "openmetrics", NULL, "print the OpenMetrics text format", set_openmetrics, NULL },
	{ 0, "accessible", NULL, "a summary, then a line for each change", set_accessible, NULL },
	{ 'l', "list", NULL, "list the segments of this machine", set_list, NULL },
	{ 'w', "wait", "[SEC]", "wait for the segment, SEC seconds or for ever", set_wait,
	  "seconds, 0 or more" },
	{ 0, "ascii", NULL, "no characters beyond ASCII", set_ascii, NULL },
	{ 0, "color", "[WHEN]", "auto, always or never; NO_COLOR is heeded", set_color,
	  "auto, always or never" },
	{ 0, "mouse", NULL, "wheel and clicks; --no-mouse: none (the default)", set_mouse, NULL },
	{ 0, "no-mouse", NULL, NULL, set_no_mouse, NULL },
	{ 0, "script", "FILE", NULL, set_script, NULL },
	{ 0, "dump-keys", NULL, NULL, set_keys, NULL },
	{ 'h', "help", NULL, "this text", set_help, NULL },
	{ 'V', "version", NULL, "version of the program and of the layout", set_version, NULL },
};
#define OPTIONS (sizeof(table) / sizeof(table[0]))

static void name_of(const struct option_def *d, char *ret, size_t size)
{
	const char *arg = d->arg ? d->arg : "";

	if (arg[0] == '[')
		snprintf(ret, size, "--%s[=%s", d->name, arg + 1);
	else
		snprintf(ret, size, "--%s%s%s", d->name, *arg ? "=" : "", arg);
}

void top_options_help(FILE *out)
{
	char name[40];
	size_t i;

	fprintf(out, "Usage: shmtop [OPTION]... [SEGMENT]\n"
		     "Show what the programs on a Shardmeter segment count, live.\n");
	for (i = 0; i < OPTIONS; i++) {
		if (!table[i].help)
			continue;
		name_of(&table[i], name, sizeof(name));
		if (table[i].letter)
			fprintf(out, "  -%c, %-18s %s\n", table[i].letter, name, table[i].help);
		else
			fprintf(out, "      %-18s %s\n", name, table[i].help);
	}
	fprintf(out, "Segment: the argument, SHARDMETER_SEGMENT, else the only one there is.\n"
		     "Keys: h shows them. Manual: man shmtop.\n");
}

/* The arrays that getopt_long() wants. */
static void make_getopt(struct option *longs, char *shorts)
{
	char *p = shorts;
	size_t i;

	*p++ = ':';
	for (i = 0; i < OPTIONS; i++) {
		longs[i] = (struct option){ table[i].name, no_argument, NULL, (int)(1000 + i) };
		if (table[i].arg)
			longs[i].has_arg = table[i].arg[0] == '[' ? optional_argument
								  : required_argument;
		if (!table[i].letter)
			continue;
		*p++ = table[i].letter;
		if (table[i].arg)
			*p++ = ':';
		if (table[i].arg && table[i].arg[0] == '[')
			*p++ = ':';
	}
	*p = '\0';
	memset(&longs[OPTIONS], 0, sizeof(longs[0]));
}

static const struct option_def *find(int code)
{
	size_t i;

	if (code >= 1000)
		return &table[code - 1000];
	for (i = 0; i < OPTIONS; i++)
		if (table[i].letter && table[i].letter == code)
			return &table[i];
	return NULL;
}

static int complain(int code, char **argv, char *error, size_t size)
{
	const struct option_def *d = find(optopt);
	char name[40];

	if (code == ':' && d) {
		name_of(d, name, sizeof(name));
		snprintf(error, size, "option %s needs a value", name);
	} else if (optopt && d) {
		snprintf(error, size, "option --%s takes no value", d->name);
	} else if (optopt) {
		snprintf(error, size, "there is no option -%c", optopt);
	} else {
		snprintf(error, size, "there is no option %s", argv[optind - 1]);
	}
	return -EINVAL;
}

int top_options_parse(struct top_options *o, int argc, char **argv, char *error, size_t size)
{
	struct option longs[OPTIONS + 1];
	char shorts[3 * OPTIONS + 2];
	const struct option_def *d;
	int code;

	memset(o, 0, sizeof(*o));
	o->delay_s = 1;
	o->view = -1;
	make_getopt(longs, shorts);
	optind = 0;	/* start over, also after an earlier call */
	opterr = 0;
	while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (code == '?' || code == ':')
			return complain(code, argv, error, size);
		d = find(code);
		if (d->set(o, optarg)) {
			snprintf(error, size, "\"%s\" is not a value for --%s; expected: %s",
				 optarg ? optarg : "", d->name, d->expected);
			return -EINVAL;
		}
		/* These win over everything that follows. */
		if (o->mode == TOP_MODE_HELP || o->mode == TOP_MODE_VERSION)
			return 0;
	}
	if (optind < argc && !o->segment)
		o->segment = argv[optind++];
	if (optind < argc) {
		snprintf(error, size, "one segment only: \"%s\" is too many", argv[optind]);
		return -EINVAL;
	}
	if (o->segment && !o->segment[0]) {
		snprintf(error, size, "the segment's name is empty");
		return -EINVAL;
	}
	if (o->mode == TOP_MODE_SCREEN && o->format != TOP_FORMAT_TABLE)
		o->mode = TOP_MODE_ONCE;
	return 0;
}
