/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - the table of flags and what is made of it; see options.h.
 */
#include "exporter/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENV_PREFIX "SHARDMETER_EXPORTER_"

#define SECOND	UINT64_C(1000)
#define HOUR	(3600 * SECOND)
#define DAY	(24 * HOUR)

enum option_type { FLAG, TEXT, NUMBER, DURATION, SIZE, CHOICE };

/* One flag. min and max are of the parsed number; choices are for CHOICE, separated by '|'. */
struct option_def {
	const char *name;
	enum option_type type;
	size_t offset;
	const char *arg;
	const char *fallback;
	uint64_t min, max;
	const char *help;
	int hidden;
};

#define AT(field) offsetof(struct options, field)

static const struct option_def table[] = {
	{ "segment", TEXT, AT(segment), "NAME", "", 0, 0,
	  "Segment to serve: a name, or a path if it has a slash. Without it SHARDMETER_SEGMENT, else "
	  "\"default\". It need not exist yet.", 0 },
	{ "web.listen-address", TEXT, AT(listen_address), "ADDRESS:PORT", "127.0.0.1:10464", 0, 0,
	  "Address to serve on; [::1]:10464 for IPv6, :10464 for every address. Port 0 takes a free "
	  "one and logs it.", 0 },
	{ "web.allowed-hosts", TEXT, AT(allowed_hosts), "LIST", "", 0, 0,
	  "Host names, separated by commas, under which requests are answered besides localhost, "
	  "127.0.0.1, [::1] and the listen address. Others get 421, so that a web page cannot "
	  "reach the exporter through a name of its own. * allows all.", 0 },
	{ "web.max-connections", NUMBER, AT(max_connections), "N", "64", 4, 10000,
	  "Connections served at once; more wait.", 0 },
	{ "web.max-connections-per-ip", NUMBER, AT(max_connections_per_ip), "N", "32", 1, 10000,
	  "Connections from one address at once; more are closed.", 0 },
	{ "web.idle-timeout", DURATION, AT(idle_timeout_ms), "TIME", "15s", SECOND, HOUR,
	  "Close a connection that sends or takes nothing for this long. After a complete request "
	  "it may stay idle for 330s, longer than Prometheus keeps it.", 0 },
	{ "storage.path", TEXT, AT(storage_path), "DIRECTORY", "", 0, 0,
	  "Where history is kept. Without it /var/lib/shardmeter if that can be written, else "
	  "$XDG_STATE_HOME/shardmeter or ~/.local/state/shardmeter.", 0 },
	{ "storage.interval", DURATION, AT(storage_interval_ms), "TIME", "10s", SECOND / 10, HOUR,
	  "Time between two rows of history.", 0 },
	{ "storage.retention", DURATION, AT(storage_retention_ms), "TIME", "48h", 10 * SECOND,
	  4000 * DAY, "Delete rows that are older.", 0 },
	{ "storage.max-size", SIZE, AT(storage_max_bytes), "SIZE", "2GB", UINT64_C(1) << 20,
	  UINT64_C(48) << 30, "Delete the oldest rows beyond this size, whatever their age.", 0 },
	{ "no-storage", FLAG, AT(no_storage), NULL, "", 0, 0, "Keep no history.", 0 },
	{ "log.level", CHOICE, AT(log_level), "error|warn|info|debug", "info", 0, 0,
	  "Log events of this level and above.", 0 },
	{ "log.format", CHOICE, AT(log_format), "logfmt|json", "logfmt", 0, 0,
	  "Format of the log on stderr.", 0 },
	{ "once", FLAG, AT(once), NULL, "", 0, 0,
	  "Print the exposition to stdout and exit.", 0 },
	{ "version", FLAG, AT(version), NULL, "", 0, 0, "Print the version and exit.", 0 },
	{ "help", FLAG, AT(help), NULL, "", 0, 0, "Print this list and exit.", 0 },
	{ "help-man", FLAG, AT(help_man), NULL, "", 0, 0, "", 1 },
};

#define NOPTIONS (sizeof(table) / sizeof(table[0]))

/* Flags that would make no sense in the environment. */
static int is_action(const struct option_def *def)
{
	return def->offset >= AT(once);
}

static void env_name(const struct option_def *def, char *ret_name, size_t size)
{
	size_t i, prefix = sizeof(ENV_PREFIX) - 1;

	snprintf(ret_name, size, "%s%s", ENV_PREFIX, def->name);
	for (i = prefix; ret_name[i]; i++)
		ret_name[i] = isalnum((unsigned char)ret_name[i]) ?
			(char)toupper((unsigned char)ret_name[i]) : '_';
}

/* ---- values --------------------------------------------------------------------------------- */

static int parse_number(const char *text, const char **ret_end, uint64_t *ret_number)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return -EINVAL;
	*ret_end = text;
	*ret_number = v;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* The unit that text begins with, as a whole word. */
static const struct unit *find_unit(const struct unit *units, const char *text, size_t *ret_len)
{
	size_t len = 0;

	while (isalpha((unsigned char)text[len]))
		len++;
	for (; units->name; units++)
		if (strlen(units->name) == len && memcmp(units->name, text, len) == 0) {
			*ret_len = len;
			return units;
		}
	return NULL;
}

int options_duration(const char *text, uint64_t *ret_ms)
{
	static const struct unit units[] = {
		{ "ms", 1 }, { "s", SECOND }, { "m", 60 * SECOND }, { "h", HOUR }, { "d", DAY },
		{ "w", 7 * DAY }, { NULL, 0 },
	};
	const struct unit *unit;
	uint64_t total = 0, v;
	size_t len;

	do {
		if (parse_number(text, &text, &v) < 0)
			return -EINVAL;
		unit = find_unit(units, text, &len);
		if (!unit || __builtin_mul_overflow(v, unit->factor, &v) ||
		    __builtin_add_overflow(total, v, &total))
			return -EINVAL;
		text += len;
	} while (*text);
	*ret_ms = total;
	return 0;
}

int options_size(const char *text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "B", 1 }, { "KB", 1 << 10 }, { "MB", 1 << 20 }, { "GB", 1 << 30 },
		{ "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { NULL, 0 },
	};
	const struct unit *unit;
	uint64_t v;
	size_t len;

	if (parse_number(text, &text, &v) < 0)
		return -EINVAL;
	unit = find_unit(units, text, &len);
	if (!unit || text[len] || __builtin_mul_overflow(v, unit->factor, &v))
		return -EINVAL;
	*ret_bytes = v;
	return 0;
}

static int parse_choice(const char *choices, const char *text, uint64_t *ret_index)
{
	size_t len = strlen(text), n;
	uint64_t i;

	for (i = 0; *choices; i++, choices += n + (choices[n] == '|')) {
		n = strcspn(choices, "|");
		if (n == len && memcmp(choices, text, n) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_switch(const char *text, int *ret_on)
{
	*ret_on = !strcmp(text, "1") || !strcmp(text, "true") || !strcmp(text, "yes");
	return *ret_on || !*text || !strcmp(text, "0") || !strcmp(text, "false") ||
		!strcmp(text, "no") ? 0 : -EINVAL;
}

static const char *expectation(const struct option_def *def)
{
	switch (def->type) {
	case FLAG:
		return "1 or 0";
	case NUMBER:
		return "a whole number";
	case DURATION:
		return "a time such as 500ms, 15s or 1h30m";
	case SIZE:
		return "a size such as 512MB or 2GB";
	case CHOICE:
		return def->arg;
	case TEXT:
		break;
	}
	return "a text";
}

/* A limit in the largest unit that it is a whole number of. */
static void limit_text(const struct option_def *def, uint64_t v, char *ret_text, size_t size)
{
	static const struct unit times[] = {
		{ "d", DAY }, { "h", HOUR }, { "m", 60 * SECOND }, { "s", SECOND }, { "ms", 1 },
	};
	static const struct unit sizes[] = { { "GB", 1 << 30 }, { "MB", 1 << 20 }, { "B", 1 } };
	static const struct unit none = { "", 1 };
	const struct unit *unit = def->type == DURATION ? times : def->type == SIZE ? sizes : &none;

	while (v % unit->factor)
		unit++;
	snprintf(ret_text, size, "%llu%s", (unsigned long long)(v / unit->factor), unit->name);
}

/* Set one option from text; `by` is what the user wrote, for the message. */
static int set(struct options *o, const struct option_def *def, const char *by, const char *text,
	char *error, size_t size)
{
	char *field = (char *)o + def->offset;
	char limit[40];
	uint64_t v = 0;
	const char *end;
	int on = 0, rc = 0;

	if (def->type == FLAG)
		rc = parse_switch(text, &on);
	else if (def->type == NUMBER)
		rc = parse_number(text, &end, &v) < 0 || *end ? -EINVAL : 0;
	else if (def->type == DURATION)
		rc = options_duration(text, &v);
	else if (def->type == SIZE)
		rc = options_size(text, &v);
	else if (def->type == CHOICE)
		rc = parse_choice(def->arg, text, &v);
	if (rc < 0) {
		snprintf(error, size, "%s: \"%.60s\" is not %s", by, text, expectation(def));
		return rc;
	}
	if (def->max && (v < def->min || v > def->max)) {
		limit_text(def, v < def->min ? def->min : def->max, limit, sizeof(limit));
		snprintf(error, size, "%s: %.60s is too %s; the %s is %s", by, text,
			v < def->min ? "small" : "large", v < def->min ? "minimum" : "maximum",
			limit);
		return -EINVAL;
	}
	if (def->type == TEXT)
		memcpy(field, &text, sizeof(text));
	else if (def->type == FLAG)
		memcpy(field, &on, sizeof(on));
	else
		memcpy(field, &v, sizeof(v));
	return 0;
}

/* ---- parsing -------------------------------------------------------------------------------- */

static int set_defaults(struct options *o, char *error, size_t size)
{
	char name[96];
	const char *value;
	size_t i;
	int rc;

	memset(o, 0, sizeof(*o));
	for (i = 0; i < NOPTIONS; i++) {
		rc = set(o, &table[i], table[i].name, table[i].fallback, error, size);
		if (rc < 0)
			return rc;
		env_name(&table[i], name, sizeof(name));
		value = is_action(&table[i]) ? NULL : getenv(name);
		rc = value ? set(o, &table[i], name, value, error, size) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, char *error, size_t size)
{
	struct option longs[NOPTIONS + 1] = { 0 };
	const struct option_def *def;
	char by[96];
	int i, c, at, rc = set_defaults(o, error, size);

	for (i = 0; i < (int)NOPTIONS; i++)
		longs[i] = (struct option){ table[i].name,
			table[i].type == FLAG ? no_argument : required_argument, NULL, 'o' };
	optind = 0;
	opterr = 0;
	while (rc == 0 && (c = getopt_long(argc, argv, ":h", longs, &at)) != -1) {
		if (c == 'h') {
			o->help = 1;
			continue;
		}
		if (c != 'o') {
			snprintf(error, size, c == ':' ? "%.100s needs a value" :
				"unknown flag %.100s (see --help)", argv[optind - 1]);
			return -EINVAL;
		}
		def = &table[at];
		snprintf(by, sizeof(by), "--%s", def->name);
		rc = set(o, def, by, def->type == FLAG ? "1" : optarg, error, size);
	}
	if (rc == 0 && optind < argc) {
		snprintf(error, size, "unexpected argument \"%.100s\" (see --help)", argv[optind]);
		rc = -EINVAL;
	}
	return rc;
}

const char *options_unknown(size_t *position)
{
	size_t i, len;
	char name[96];
	const char *variable;

	while ((variable = environ[*position]) != NULL) {
		++*position;
		if (strncmp(variable, ENV_PREFIX, sizeof(ENV_PREFIX) - 1) != 0)
			continue;
		len = strcspn(variable, "=");
		for (i = 0; i < NOPTIONS; i++) {
			env_name(&table[i], name, sizeof(name));
			if (!is_action(&table[i]) && strlen(name) == len &&
			    memcmp(name, variable, len) == 0)
				break;
		}
		if (i == NOPTIONS)
			return variable;
	}
	return NULL;
}

/* ---- printing ------------------------------------------------------------------------------- */

/* Words of text, broken before column 80, with an indent. */
static void print_wrapped(FILE *to, const char *text)
{
	size_t column = 0, len;

	while (*text) {
		len = strcspn(text, " ");
		if (!column || column + 1 + len > 76) {
			fprintf(to, column ? "\n        " : "        ");
			column = 4;
		} else {
			fputc(' ', to);
			column++;
		}
		fprintf(to, "%.*s", (int)len, text);
		column += len;
		text += len + (text[len] == ' ');
	}
	fputc('\n', to);
}

void options_print_help(FILE *to)
{
	size_t i;

	fprintf(to, "Usage: shardmeter-exporter [flags]\n\n"
		"Serves a Shardmeter segment to Prometheus and keeps its history.\n\n");
	for (i = 0; i < NOPTIONS; i++) {
		if (table[i].hidden)
			continue;
		fprintf(to, "  --%s%s%s", table[i].name, table[i].arg ? "=" : "",
			table[i].arg ? table[i].arg : "");
		if (*table[i].fallback)
			fprintf(to, " (default %s)", table[i].fallback);
		fputc('\n', to);
		print_wrapped(to, table[i].help);
	}
	fprintf(to, "\nEvery setting is also an environment variable: --web.listen-address is "
		"%sWEB_LISTEN_ADDRESS.\n", ENV_PREFIX);
}

/* Text with roff's special characters escaped. */
static void print_roff(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", to);
		else if (*text == '\\')
			fputs("\\e", to);
		else if (*text == '~')
			fputs("\\(ti", to);
		else
			fputc(*text, to);
	}
}

void options_print_man(FILE *to)
{
	char name[96];
	size_t i;

	for (i = 0; i < NOPTIONS; i++) {
		if (table[i].hidden)
			continue;
		fputs(".TP\n\\fB\\-\\-", to);
		print_roff(to, table[i].name);
		fputs("\\fR", to);
		if (table[i].arg) {
			fputs("=\\fI", to);
			print_roff(to, table[i].arg);
			fputs("\\fR", to);
		}
		fputc('\n', to);
		print_roff(to, table[i].help);
		if (*table[i].fallback) {
			fputs(" Default: ", to);
			print_roff(to, table[i].fallback);
			fputc('.', to);
		}
		fputc('\n', to);
		if (is_action(&table[i]))
			continue;
		env_name(&table[i], name, sizeof(name));
		fprintf(to, "(\\fI%s\\fR)\n", name);
	}
}
