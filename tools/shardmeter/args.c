/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args.c - options by getopt_long() over the tables; strict numbers; moments.
 *
 * getopt_long() runs in its return-in-order mode ("-" first), so that the words between options
 * keep their places and "--" is seen where it stands. Before each call the next word is looked
 * at: "-5" is a value, not five options.
 */
#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* getopt_long() returns VALUE_BASE + i for option i of the command, COMMON_BASE + i for the
 * common. */
#define VALUE_BASE  256
#define COMMON_BASE (VALUE_BASE + CLI_OPTIONS_MAX)

/* The merged tables of one command, as getopt_long() wants them. */
struct getopt_tables {
	struct option longs[CLI_OPTIONS_MAX + CLI_COMMON_OPTIONS + 1];
	char shorts[3 * (CLI_OPTIONS_MAX + CLI_COMMON_OPTIONS) + 3];
	int value_of_letter[128];
	int nlongs;
	int nshorts;
};

static int argument_mode(const struct cli_option *o)
{
	if (!o->arg)
		return no_argument;
	return o->arg[0] == '[' ? optional_argument : required_argument;
}

static bool has_option(const struct cli_option *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return true;
	return false;
}

static void add_long(struct getopt_tables *t, const struct cli_option *o, int value)
{
	t->longs[t->nlongs++] = (struct option){ o->name, argument_mode(o), NULL, value };
}

static void add_letter(struct getopt_tables *t, const struct cli_option *o, int value)
{
	if (!o->letter || t->value_of_letter[(unsigned char)o->letter])
		return;
	t->value_of_letter[(unsigned char)o->letter] = value;
	t->shorts[t->nshorts++] = o->letter;
	for (int i = 0; i < argument_mode(o); i++)
		t->shorts[t->nshorts++] = ':';
}

static void make_tables(struct getopt_tables *t, const struct cli_option *own)
{
	memset(t, 0, sizeof(*t));
	t->shorts[t->nshorts++] = '-';
	t->shorts[t->nshorts++] = ':';
	for (int i = 0; own[i].name; i++) {
		add_long(t, &own[i], VALUE_BASE + i);
		add_letter(t, &own[i], VALUE_BASE + i);
	}
	for (int i = 0; i < CLI_COMMON_OPTIONS; i++) {
		if (!has_option(own, cli_common_options[i].name))
			add_long(t, &cli_common_options[i], COMMON_BASE + i);
		add_letter(t, &cli_common_options[i], COMMON_BASE + i);
	}
}

static const struct cli_option *option_of(const struct cli *c, int value)
{
	if (value >= COMMON_BASE)
		return &cli_common_options[value - COMMON_BASE];
	return &c->command->options[value - VALUE_BASE];
}

static void take_common(struct cli *c, int which)
{
	switch (which) {
	case CLI_OPT_SEGMENT: c->segment = optarg; break;
	case CLI_OPT_QUIET: c->quiet = true; break;
	case CLI_OPT_HELP: c->help = true; break;
	default: c->version = true; break;
	}
}

static void take_option(struct cli *c, int value)
{
	if (value >= COMMON_BASE) {
		take_common(c, value - COMMON_BASE);
		return;
	}
	c->given[value - VALUE_BASE] = true;
	c->value[value - VALUE_BASE] = optarg;
	if (strcmp(option_of(c, value)->name, "strict") == 0)
		c->strict = true;
}

static int bad_option(
	const struct cli *c, const struct getopt_tables *t, int result, const char *word)
{
	int value = optopt > 0 && optopt < 128 ? t->value_of_letter[optopt] : optopt;
	const char *name = c->command->name;

	if (result == ':')
		return cli_fail(
			c, CLI_FAILED, "option %s needs %s", word, option_of(c, value)->arg);
	if (value >= VALUE_BASE)
		return cli_fail(
			c, CLI_FAILED, "option --%s takes no value", option_of(c, value)->name);
	if (optopt > 0 && optopt < 128)
		return cli_fail(c, CLI_FAILED, "unknown option -%c; see \"shardmeter help %s\"",
			optopt, name);
	return cli_fail(c, CLI_FAILED, "unknown or ambiguous option %s; see \"shardmeter help %s\"",
		word, name);
}

static bool is_negative_number(const char *word)
{
	if (word[0] != '-')
		return false;
	if (isdigit((unsigned char)word[1]))
		return true;
	return (word[1] == '.' && isdigit((unsigned char)word[2])) || strcasecmp(word, "-inf") == 0;
}

int cli_parse(struct cli *c, int argc, char **argv, char ***ret_args)
{
	struct getopt_tables t;
	int result;

	make_tables(&t, c->command->options);
	for (int i = 0; c->command->options[i].name; i++)
		c->value[i] = c->command->options[i].preset;
	c->args = calloc((size_t)argc + 1, sizeof(*c->args));
	*ret_args = c->args;
	if (!c->args)
		return cli_fail(c, CLI_FAILED, "out of memory");
	opterr = 0;
	optind = 0; /* start over: the words before the subcommand were parsed already */
	for (;;) {
		if (optind > 0 && optind < argc && is_negative_number(argv[optind])) {
			c->args[c->nargs++] = argv[optind++];
			continue;
		}
		optopt = 0;
		result = getopt_long(argc, argv, t.shorts, t.longs, NULL);
		if (result == -1)
			break;
		if (result == 1)
			c->args[c->nargs++] = optarg;
		else if (result == '?' || result == ':')
			return bad_option(c, &t, result, argv[optind - 1]);
		else
			take_option(c, result < 128 ? t.value_of_letter[result] : result);
	}
	if (optind < argc && (c->command->flags & CLI_RUNS)) {
		c->rest = argv + optind;
		return 0;
	}
	if (strcmp(argv[optind - 1], "--") == 0 && (c->command->flags & CLI_RUNS))
		c->rest = argv + argc;
	while (optind < argc)
		c->args[c->nargs++] = argv[optind++];
	return 0;
}

/* ---- numbers ---- */

int cli_number(const struct cli *c, const char *what, const char *text, uint64_t min, uint64_t max,
	uint64_t *ret_number)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)text[0]) || text[strspn(text, "0123456789")])
		return cli_fail(c, CLI_FAILED, "%s: \"%s\" is not a whole number", what, text);
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno == ERANGE || v < min || v > max)
		return cli_fail(c, CLI_FAILED, "%s: %s is out of range (%llu to %llu)", what, text,
			(unsigned long long)min, (unsigned long long)max);
	*ret_number = v;
	return 0;
}

/* The form [+-]digits[.digits][e[+-]digits]: what strtod() takes, without its oddities. */
static bool is_decimal(const char *s)
{
	size_t whole, part = 0;

	s += *s == '+' || *s == '-';
	whole = strspn(s, "0123456789");
	s += whole;
	if (*s == '.') {
		s++;
		part = strspn(s, "0123456789");
		s += part;
	}
	if (whole + part == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-';
		if (!isdigit((unsigned char)*s))
			return false;
		s += strspn(s, "0123456789");
	}
	return *s == '\0';
}

int cli_double(const struct cli *c, const char *what, const char *text, double *ret_number)
{
	double v;

	if (strcasecmp(text, "nan") == 0) {
		*ret_number = NAN;
		return 0;
	}
	if (strcasecmp(text, "inf") == 0 || strcasecmp(text, "+inf") == 0 ||
		strcasecmp(text, "-inf") == 0) {
		*ret_number = text[0] == '-' ? -INFINITY : INFINITY;
		return 0;
	}
	if (!is_decimal(text))
		return cli_fail(c, CLI_FAILED, "%s: \"%s\" is not a number", what, text);
	v = strtod(text, NULL);
	if (isinf(v))
		return cli_fail(c, CLI_FAILED, "%s: %s is out of range of a double", what, text);
	*ret_number = v;
	return 0;
}

int cli_real(const struct cli *c, const char *what, const char *text, double min, double max,
	double *ret_number)
{
	double v = 0;
	int rc;

	if (!is_decimal(text))
		return cli_fail(c, CLI_FAILED, "%s: \"%s\" is not a finite number", what, text);
	rc = cli_double(c, what, text, &v);
	if (rc)
		return rc;
	if (v < min || v > max)
		return cli_fail(
			c, CLI_FAILED, "%s: %s is out of range (%g to %g)", what, text, min, max);
	*ret_number = v;
	return 0;
}

int cli_seconds(const struct cli *c, const char *what, const char *text, double min, double max,
	uint64_t *ret_ns)
{
	double v = 0;
	int rc = cli_real(c, what, text, min, max, &v);

	if (rc)
		return rc;
	*ret_ns = (uint64_t)(v * 1e9 + 0.5);
	return 0;
}

static const uint64_t power10[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
	1000000000 };

/* digits[.digits] as an exact decimal, if it has at most 9 decimals and fits 64 bits. */
static bool exact_decimal(const char *s, struct cli_amount *a)
{
	bool point = false;
	size_t len = strlen(s);

	if (strchr(s, '.')) {
		while (s[len - 1] == '0')
			len--;
		len -= s[len - 1] == '.';
	}
	a->units = 0;
	a->decimals = 0;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '.') {
			point = true;
			continue;
		}
		if (!isdigit((unsigned char)s[i]))
			return false;
		if (__builtin_mul_overflow(a->units, 10, &a->units) ||
			__builtin_add_overflow(a->units, (uint64_t)(s[i] - '0'), &a->units))
			return false;
		if (point && ++a->decimals > 9)
			return false;
	}
	return true;
}

int cli_amount(
	const struct cli *c, const char *what, const char *text, struct cli_amount *ret_amount)
{
	struct cli_amount a = { 0 };
	int rc;

	if (text[0] == '-')
		return cli_fail(c, CLI_FAILED,
			"%s: %s is negative; use inc and dec to go up and down", what, text);
	rc = cli_real(c, what, text, 0, INFINITY, &a.value);
	if (rc)
		return rc;
	a.exact = exact_decimal(text + (text[0] == '+'), &a);
	*ret_amount = a;
	return 0;
}

bool cli_amount_in(const struct cli_amount *a, unsigned decimals, uint64_t *ret_units)
{
	if (!a->exact || a->decimals > decimals)
		return false;
	return !__builtin_mul_overflow(a->units, power10[decimals - a->decimals], ret_units);
}

int cli_bounds(const struct cli *c, const char *what, const char *text, double *ret_bounds,
	size_t max, size_t *ret_n)
{
	char number[64];
	size_t n = 0, len;
	int rc;

	for (;; text += len + 1) {
		len = strcspn(text, ",");
		if (n == max)
			return cli_fail(c, CLI_FAILED, "%s: more than %zu bounds", what, max);
		if (len >= sizeof(number))
			return cli_fail(
				c, CLI_FAILED, "%s: \"%.20s...\" is not a number", what, text);
		memcpy(number, text, len);
		number[len] = '\0';
		rc = cli_real(c, what, number, -INFINITY, INFINITY, &ret_bounds[n]);
		if (rc)
			return rc;
		if (n > 0 && !(ret_bounds[n] > ret_bounds[n - 1]))
			return cli_fail(c, CLI_FAILED, "%s: bounds must ascend, but %s follows %g",
				what, number, ret_bounds[n - 1]);
		n++;
		if (text[len] == '\0')
			break;
	}
	*ret_n = n;
	return 0;
}

/* ---- moments ---- */

/* "-15m": ms before now; false if it is not of that form. */
static bool relative_ms(const char *text, double *ret_ms)
{
	static const char units[] = "smhd";
	static const double ms[] = { 1e3, 60e3, 3600e3, 86400e3 };
	size_t len = strlen(text);
	const char *unit = len > 2 ? strchr(units, text[len - 1]) : NULL;
	char number[32];

	if (text[0] != '-' || !unit || len >= sizeof(number))
		return false;
	memcpy(number, text + 1, len - 2);
	number[len - 2] = '\0';
	if (!isdigit((unsigned char)number[0]) || !is_decimal(number))
		return false;
	*ret_ms = strtod(number, NULL) * ms[unit - units];
	return true;
}

/* A date and time in UTC, with or without seconds, fraction and Z. */
static bool date_ms(const char *text, double *ret_ms)
{
	struct tm tm = { 0 };
	const char *p = strptime(text, "%Y-%m-%d", &tm);
	double fraction = 0;
	char *end;

	if (!p || (*p && *p != 'T' && *p != ' '))
		return false;
	if (*p) {
		p = strptime(p + 1, "%H:%M", &tm);
		if (p && *p == ':')
			p = strptime(p + 1, "%S", &tm);
		if (!p)
			return false;
	}
	if (*p == '.') {
		if (!isdigit((unsigned char)p[1]))
			return false;
		fraction = strtod(p, &end);
		p = end;
	}
	if (*p == 'Z')
		p++;
	*ret_ms = (double)timegm(&tm) * 1e3 + fraction * 1e3;
	return *p == '\0';
}

int cli_moment(
	const struct cli *c, const char *what, const char *text, uint64_t now_ms, uint64_t *ret_ms)
{
	double ms;

	if (strcmp(text, "now") == 0) {
		*ret_ms = now_ms;
		return 0;
	}
	if (relative_ms(text, &ms))
		ms = (double)now_ms - ms;
	else if (is_decimal(text))
		ms = strtod(text, NULL) * 1e3;
	else if (!date_ms(text, &ms))
		return cli_fail(c, CLI_FAILED,
			"%s: \"%s\" is no time; use 2026-11-20T13:21:07Z, seconds since 1970, now, "
			"or -15m, -2h, -3d",
			what, text);
	if (!(ms >= 0 && ms < 1e15))
		return cli_fail(c, CLI_FAILED, "%s: %s is out of range", what, text);
	*ret_ms = (uint64_t)ms;
	return 0;
}
