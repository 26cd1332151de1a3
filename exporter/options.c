/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - the table of settings and what is made of it; see options.h.
 *
 * Sources are taken in the order of their rank, so that a later one overwrites; a list remembers the
 * rank that filled it and begins anew for a higher one. The command line is walked twice: the first
 * time only for what decides where the file is.
 */
#include "exporter/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shardmeter_reader.h>

#include "exporter/config.h"
#include "exporter/listen.h"
#include "exporter/options_table.h"
#include "exporter/setting.h"

enum rank { RANK_DEFAULT, RANK_FILE, RANK_ENV, RANK_FLAG };

struct options_text {
	struct options_text *next;
	char text[];
};

#define AT(field) offsetof(struct options, field)
#define SECOND	SETTING_SECOND
#define HOUR	SETTING_HOUR
#define DAY	SETTING_DAY

static const char *check_segment(const char *text)
{
	char path[4096];

	return sm_segment_resolve(text, path, sizeof(path)) < 0 ? "a segment: 1 to 100 of "
		"A-Z a-z 0-9 _ . -, not starting with a dot, or a path with a /" : NULL;
}

static const char *check_listen(const char *text)
{
	return listen_check(text) < 0 ? "of the form ADDRESS:PORT or unix:/PATH" : NULL;
}

static const char *check_file(const char *text)
{
	return *text ? NULL : "the name of a file";
}

static const char *check_path(const char *text)
{
	size_t i;

	for (i = 0; text[i]; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("/._-", text[i]))
			return "a path of letters, digits and / . _ -";
	if (text[0] != '/' || !text[1] || !strncmp(text, "/-/", 3) || !strncmp(text, "/api/", 5))
		return "a path such as /metrics; / and what begins with /-/ or /api/ are taken";
	return NULL;
}

static const struct option_def table[] = {
	{ "segment", LIST, 0, AT(segments), "NAME", "", 0, 0, check_segment,
	  "Segment to serve: a name, or a path if it has a slash. Without it SHARDMETER_SEGMENT, else "
	  "\"default\". It need not exist yet. Repeat the flag to serve several: then every sample of "
	  "a segment has a label segment." },
	{ "web.listen-address", LIST, 0, AT(listen_addresses), "ADDRESS:PORT", "127.0.0.1:10464",
	  0, 0, check_listen,
	  "Address to serve on; [::1]:10464 for IPv6, :10464 for every address, unix:/PATH for a "
	  "socket in the file system. Port 0 takes a free one and logs it. Can be repeated." },
	{ "web.socket-mode", MODE, 0, AT(socket_mode), "MODE", "0660", 0, 0, NULL,
	  "Permissions of a socket in the file system." },
	{ "web.systemd-socket", FLAG, 0, AT(systemd_socket), NULL, "", 0, 0, NULL,
	  "Serve on the sockets that systemd hands over, instead of --web.listen-address." },
	{ "web.telemetry-path", TEXT, 0, AT(telemetry_path), "PATH", "/metrics", 0, 0, check_path,
	  "Path under which the values are served to Prometheus." },
	{ "web.allowed-hosts", LIST, OPTION_LIVE, AT(allowed_hosts), "LIST", "", 0, 0, NULL,
	  "Host names, separated by commas, under which requests are answered besides localhost, "
	  "the hosts of the listen addresses, and any IP address. Others get 421, so that a web page "
	  "cannot reach the exporter through a name of its own. * allows all." },
	{ "web.max-connections", NUMBER, OPTION_LIVE, AT(max_connections), "N", "256", 8, 10000,
	  NULL, "Connections open at once. A new one beyond that takes the place of the one that has "
	  "waited longest without a complete request, or of the one that has been idle longest. A "
	  "share of them is kept for clients on this machine." },
	{ "web.max-connections-per-ip", NUMBER, OPTION_LIVE, AT(max_connections_per_ip), "N", "64",
	  1, 10000, NULL, "Connections from one address at once; the same beyond that." },
	{ "web.max-requests", NUMBER, OPTION_LIVE, AT(max_requests), "N", "40", 1, 10000, NULL,
	  "Scrapes answered at once. One more takes the place of the answer that a client "
	  "has been taking longest, if for more than 2 s; else it gets 503." },
	{ "web.header-timeout", DURATION, OPTION_LIVE, AT(header_timeout_ms), "TIME", "5s",
	  SECOND / 10, HOUR, NULL, "Time for a complete request from its first byte, or from the "
	  "beginning of the connection." },
	{ "web.response-timeout", DURATION, OPTION_LIVE, AT(response_timeout_ms), "TIME", "30s",
	  SECOND / 10, HOUR, NULL, "Time in which a client has to take its answer, unless it says "
	  "how long it waits (X-Prometheus-Scrape-Timeout-Seconds)." },
	{ "web.idle-timeout", DURATION, 0, AT(idle_timeout_ms), "TIME", "15s", SECOND, HOUR, NULL,
	  "Close a connection that sends or takes nothing for this long. After a complete request "
	  "it may stay idle for 330s, longer than Prometheus keeps it." },
	{ "web.timeout-offset", DURATION, OPTION_LIVE, AT(timeout_offset_ms), "TIME", "250ms",
	  0, 60 * SECOND, NULL, "Subtracted from the time that Prometheus waits, for the way back: a "
	  "scrape that would take longer gets 503." },
	{ "web.disable-exporter-metrics", FLAG, 0, AT(disable_exporter_metrics), NULL, "", 0, 0, NULL,
	  "Leave out the exporter's own metrics (process_*, shardmeter_store_*, ...)." },
	{ "web.openmetrics.created", FLAG, 0, AT(openmetrics_created), NULL, "", 0, 0, NULL,
	  "Write _created samples in OpenMetrics text. Prometheus without a feature flag for them "
	  "takes each for a series of its own." },
	{ "labels.allowed", TEXT, 0, AT(allowed_labels), "LIST", "", 0, 0, NULL,
	  "Names of labels that families may have, separated by commas, * and ? as in a shell: "
	  "\"command,shard,*_type\". A family with another label is left out and counted "
	  "(shardmeter_exposition_families_left_out), so that nobody's label of user ids gets "
	  "into Prometheus. Without it all are allowed." },
	{ "storage.path", TEXT, 0, AT(storage_path), "DIRECTORY", "", 0, 0, NULL,
	  "Where history is kept, in a directory for each segment. Without it /var/lib/shardmeter if "
	  "that can be written, else $XDG_STATE_HOME/shardmeter or ~/.local/state/shardmeter." },
	{ "storage.interval", DURATION, 0, AT(storage_interval_ms), "TIME", "10s", SECOND / 10, HOUR,
	  NULL, "Time between two rows of history." },
	{ "storage.retention", DURATION, 0, AT(storage_retention_ms), "TIME", "48h", 10 * SECOND,
	  4000 * DAY, NULL, "Delete rows that are older." },
	{ "storage.max-size", SIZE, 0, AT(storage_max_bytes), "SIZE", "2GB", UINT64_C(1) << 20,
	  UINT64_C(48) << 30, NULL,
	  "Delete the oldest rows beyond this size, whatever their age. For each segment." },
	{ "no-storage", FLAG, 0, AT(no_storage), NULL, "", 0, 0, NULL, "Keep no history." },
	{ "log.level", CHOICE, OPTION_LIVE, AT(log_level), "error|warn|info|debug", "info", 0, 0,
	  NULL, "Log events of this level and above." },
	{ "log.format", CHOICE, OPTION_LIVE, AT(log_format), "logfmt|json", "logfmt", 0, 0, NULL,
	  "Format of the log on stderr." },
	{ "allow-root", FLAG, 0, AT(allow_root), NULL, "", 0, 0, NULL,
	  "Serve although the user is root, which nothing here needs." },
	{ "config", TEXT, OPTION_NO_FILE, AT(config), "FILE", "", 0, 0, check_file,
	  "Configuration file; see CONFIGURATION FILE in the manual page. Without it " OPTIONS_CONFIG_PATH ", if that "
	  "exists." },
	{ "config.check", FLAG, OPTION_ACTION, AT(config_check), NULL, "", 0, 0, NULL,
	  "Say everything that is wrong with flags, environment and configuration file, and exit: 0 "
	  "if nothing is, else 2." },
	{ "once", FLAG, OPTION_ACTION, AT(once), NULL, "", 0, 0, NULL,
	  "Print the exposition and exit." },
	{ "output", TEXT, OPTION_ACTION, AT(output), "FILE", "", 0, 0, check_file,
	  "With --once: write to this file instead of standard output. It is replaced as a whole, so "
	  "that a textfile collector never sees a part." },
	{ "version", FLAG, OPTION_ACTION, AT(version), NULL, "", 0, 0, NULL,
	  "Print the version and exit." },
	{ "help", FLAG, OPTION_ACTION, AT(help), NULL, "", 0, 0, NULL, "Print this list and exit." },
	{ "help-man", FLAG, OPTION_ACTION | OPTION_HIDDEN, AT(help_man), NULL, "", 0, 0, NULL, "" },
};

#define NOPTIONS (sizeof(table) / sizeof(table[0]))
_Static_assert(NOPTIONS <= OPTIONS_MAX, "struct options has a rank for each");

const struct option_def *options_def(size_t i)
{
	return i < NOPTIONS ? &table[i] : NULL;
}

void options_env_name(const struct option_def *def, char *ret_name, size_t size)
{
	size_t i, prefix = sizeof(OPTIONS_ENV_PREFIX) - 1;

	snprintf(ret_name, size, "%s%s", OPTIONS_ENV_PREFIX, def->name);
	for (i = prefix; ret_name[i]; i++)
		ret_name[i] = isalnum((unsigned char)ret_name[i]) ?
			(char)toupper((unsigned char)ret_name[i]) : '_';
}

/* ---- one setting ---------------------------------------------------------------------------- */

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
	case MODE:
		return "permissions such as 0660";
	case CHOICE:
		return def->arg;
	case TEXT:
	case LIST:
		break;
	}
	return "a text";
}

static void limit_text(const struct option_def *def, uint64_t v, char *ret_text, size_t size)
{
	if (def->type == DURATION)
		setting_print_duration(v, ret_text, size);
	else if (def->type == SIZE)
		setting_print_size(v, ret_text, size);
	else
		snprintf(ret_text, size, "%llu", (unsigned long long)v);
}

static char *keep(struct options *o, const char *text)
{
	size_t len = strlen(text) + 1;
	struct options_text *t = malloc(sizeof(*t) + len);

	if (!t)
		return NULL;
	memcpy(t->text, text, len);
	t->next = o->texts;
	o->texts = t;
	return t->text;
}

/* Add to a list, or begin it anew for a source of higher rank. */
static int add_item(struct options *o, size_t at, struct options_list *list, enum rank rank,
	const char *text)
{
	char **grown;

	if (rank > o->rank[at])
		list->n = 0;
	grown = realloc(list->item, (list->n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->item = grown;
	list->item[list->n] = keep(o, text);
	return list->item[list->n++] ? 0 : -ENOMEM;
}

/* Parse a number, whatever its unit. */
static int parse(const struct option_def *def, const char *text, uint64_t *ret_number)
{
	int on = 0, rc;

	switch (def->type) {
	case FLAG:
		rc = setting_switch(text, &on);
		*ret_number = (uint64_t)on;
		return rc;
	case NUMBER:
		return setting_number(text, ret_number);
	case DURATION:
		return setting_duration(text, ret_number);
	case SIZE:
		return setting_size(text, ret_number);
	case MODE:
		return setting_mode(text, ret_number);
	case CHOICE:
		return setting_choice(def->arg, text, ret_number);
	case TEXT:
	case LIST:
		break;
	}
	return 0;
}

static int store(struct options *o, size_t at, enum rank rank, const char *text, uint64_t v)
{
	char *field = (char *)o + table[at].offset;
	int on = (int)v, rc = 0;
	const char *kept;

	if (table[at].type == LIST) {
		rc = add_item(o, at, (struct options_list *)(void *)field, rank, text);
	} else if (table[at].type == TEXT) {
		kept = keep(o, text);
		memcpy(field, &kept, sizeof(kept));
		rc = kept ? 0 : -ENOMEM;
	} else if (table[at].type == FLAG) {
		memcpy(field, &on, sizeof(on));
	} else {
		memcpy(field, &v, sizeof(v));
	}
	o->rank[at] = (unsigned char)rank;
	return rc;
}

/* "5" for a time or a size: say what is missing, and what is allowed. */
static int lacks_unit(const struct option_def *def, const char *by, const char *text, char *error,
	size_t size)
{
	char min[40], max[40];
	uint64_t v;

	if ((def->type != DURATION && def->type != SIZE) || setting_number(text, &v) < 0)
		return 0;
	limit_text(def, def->min, min, sizeof(min));
	limit_text(def, def->max, max, sizeof(max));
	snprintf(error, size, "%s: \"%.60s\" lacks a unit; %s, from %s to %s", by, text,
		expectation(def), min, max);
	return 1;
}

/* Set one option from text; `by` is what the user wrote, for the message. */
static int set(struct options *o, size_t at, enum rank rank, const char *by, const char *text,
	char *error, size_t size)
{
	const struct option_def *def = &table[at];
	const char *expected = NULL;
	char limit[40];
	uint64_t v = 0;

	if (parse(def, text, &v) < 0)
		expected = expectation(def);
	else if (def->check && rank > RANK_DEFAULT)
		expected = def->check(text);
	if (expected) {
		if (!lacks_unit(def, by, text, error, size))
			snprintf(error, size, "%s: \"%.60s\" is not %s", by, text, expected);
		return -EINVAL;
	}
	if (def->max && (v < def->min || v > def->max)) {
		limit_text(def, v < def->min ? def->min : def->max, limit, sizeof(limit));
		snprintf(error, size, "%s: %.60s is too %s; the %s is %s", by, text,
			v < def->min ? "small" : "large", v < def->min ? "minimum" : "maximum",
			limit);
		return -EINVAL;
	}
	if (store(o, at, rank, text, v) < 0) {
		snprintf(error, size, "%s: out of memory", by);
		return -EINVAL;
	}
	return 0;
}

/* ---- sources -------------------------------------------------------------------------------- */

static int set_defaults(struct options *o, struct buf *errors)
{
	char error[300];
	size_t i;
	int rc = 0;

	memset(o, 0, sizeof(*o));
	for (i = 0; i < NOPTIONS && rc == 0; i++)
		rc = set(o, i, RANK_DEFAULT, table[i].name, table[i].fallback, error,
			sizeof(error));
	if (rc < 0)
		buf_printf(errors, "%s\n", error);
	return rc;
}

/* A variable's value; commas separate the items of a list. */
static int set_from_env(struct options *o, size_t at, const char *name, const char *value,
	struct buf *errors)
{
	char error[300], item[4096];
	int rc = 0, last;
	size_t n;

	do {
		n = table[at].type == LIST ? strcspn(value, ",") : strlen(value);
		last = value[n] == '\0';
		snprintf(item, sizeof(item), "%.*s", (int)n, value);
		if (set(o, at, RANK_ENV, name, n < sizeof(item) ? item : "(too long)", error,
			sizeof(error)) < 0) {
			buf_printf(errors, "%s\n", error);
			rc = -EINVAL;
		}
		value += n + 1;
	} while (!last);
	return rc;
}

static int set_env(struct options *o, struct buf *errors)
{
	const char *value;
	char name[96];
	int rc = 0;
	size_t i;

	for (i = 0; i < NOPTIONS; i++) {
		options_env_name(&table[i], name, sizeof(name));
		value = table[i].flags & OPTION_ACTION ? NULL : getenv(name);
		if (value && set_from_env(o, i, name, value, errors) < 0)
			rc = -EINVAL;
	}
	return rc;
}

static size_t find_in_file(const char *name)
{
	size_t i;

	for (i = 0; i < NOPTIONS; i++)
		if (!(table[i].flags & (OPTION_ACTION | OPTION_NO_FILE)) &&
		    strcmp(table[i].name, name) == 0)
			return i;
	return NOPTIONS;
}

static enum config_key config_kind(void *ctx, const char *name)
{
	size_t i = find_in_file(name), len = strlen(name);

	(void)ctx;
	if (i < NOPTIONS)
		return table[i].type == LIST ? CONFIG_LIST : CONFIG_SETTING;
	for (i = 0; i < NOPTIONS; i++)
		if (!(table[i].flags & (OPTION_ACTION | OPTION_NO_FILE)) &&
		    strncmp(table[i].name, name, len) == 0 && table[i].name[len] == '.')
			return CONFIG_SECTION;
	return CONFIG_UNKNOWN;
}

static int config_set(void *ctx, const char *name, const char *value, char *error, size_t size)
{
	return set(ctx, find_in_file(name), RANK_FILE, name, value, error, size);
}

static int set_file(struct options *o, const char *path, struct buf *errors)
{
	const struct config_reader reader = { .kind = config_kind, .set = config_set, .ctx = o };
	int rc = config_read(*path ? path : OPTIONS_CONFIG_PATH, &reader, errors);

	o->has_config = rc != -ENOENT;
	if (rc == -ENOENT && *path) {
		buf_printf(errors, "--config: %s does not exist\n", path);
		return -EINVAL;
	}
	return rc == -ENOENT ? 0 : rc;
}

/* The flag that getopt_long() has just taken, as it was written: its value may be a word of its own. */
static const char *taken(char **argv)
{
	return argv[optind - (optarg && optarg == argv[optind - 1] ? 2 : 1)];
}

/* Is it written in full? getopt_long() takes any beginning that only one flag has, and what that means
 * changes with every flag that is added. */
static int is_whole(const char *flag, const char *name)
{
	size_t len = strlen(name);

	return strncmp(flag + 2, name, len) == 0 && (!flag[2 + len] || flag[2 + len] == '=');
}

/* One walk over the command line: `only`, if it is a setting, takes nothing else and says nothing. */
static int set_flags(struct options *o, int argc, char **argv, const char *only, struct buf *errors)
{
	struct option longs[NOPTIONS + 1] = { 0 };
	char by[96], error[300];
	int i, c, at, rc = 0;

	for (i = 0; i < (int)NOPTIONS; i++)
		longs[i] = (struct option){ table[i].name,
			table[i].type == FLAG ? optional_argument : required_argument, NULL, 'o' };
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", longs, &at)) != -1) {
		error[0] = '\0';
		if (c == 'h')
			o->help = 1;
		else if (c != 'o')
			snprintf(error, sizeof(error), c == ':' ? "%.100s needs a value" :
				"unknown flag %.100s (see --help)", argv[optind - 1]);
		else if (!is_whole(taken(argv), table[at].name))
			snprintf(error, sizeof(error), "unknown flag %.100s; did you mean --%s?",
				taken(argv), table[at].name);
		else if (!only || strcmp(table[at].name, only) == 0) {
			snprintf(by, sizeof(by), "--%s", table[at].name);
			set(o, (size_t)at, RANK_FLAG, by, optarg ? optarg : "1", error,
				sizeof(error));
		}
		if (*error && !only) {
			buf_printf(errors, "%s\n", error);
			rc = -EINVAL;
		}
	}
	if (optind < argc && !only) {
		buf_printf(errors, "unexpected argument \"%.100s\" (see --help)\n", argv[optind]);
		rc = -EINVAL;
	}
	return rc;
}

int options_parse(struct options *o, int argc, char **argv, struct buf *errors)
{
	const char *config = getenv(OPTIONS_ENV_PREFIX "CONFIG");
	int rc = set_defaults(o, errors);

	if (rc < 0)
		return rc;
	if (config)
		o->config = config;
	set_flags(o, argc, argv, "config", errors);
	if (set_file(o, o->config, errors) < 0)
		rc = -EINVAL;
	if (set_env(o, errors) < 0)
		rc = -EINVAL;
	if (set_flags(o, argc, argv, NULL, errors) < 0)
		rc = -EINVAL;
	if (*o->output && !o->once) {
		buf_puts(errors, "--output is for --once\n");
		rc = -EINVAL;
	}
	return rc;
}

void options_release(struct options *o)
{
	struct options_text *t;
	size_t i;

	for (i = 0; i < NOPTIONS; i++)
		if (table[i].type == LIST)
			free(((struct options_list *)(void *)((char *)o + table[i].offset))->item);
	while ((t = o->texts) != NULL) {
		o->texts = t->next;
		free(t);
	}
	memset(o, 0, sizeof(*o));
}

const char *options_unknown(size_t *position)
{
	size_t i, len;
	char name[96];
	const char *variable;

	while ((variable = environ[*position]) != NULL) {
		++*position;
		if (strncmp(variable, OPTIONS_ENV_PREFIX, sizeof(OPTIONS_ENV_PREFIX) - 1) != 0)
			continue;
		len = strcspn(variable, "=");
		for (i = 0; i < NOPTIONS; i++) {
			options_env_name(&table[i], name, sizeof(name));
			if (!(table[i].flags & OPTION_ACTION) && strlen(name) == len &&
			    memcmp(name, variable, len) == 0)
				break;
		}
		if (i == NOPTIONS)
			return variable;
	}
	return NULL;
}

static int same_lists(const struct options_list *a, const struct options_list *b)
{
	size_t i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->item[i], b->item[i]) != 0)
			return 0;
	return a->n == b->n;
}

static int same(const struct options *a, const struct options *b, const struct option_def *def)
{
	const char *fa = (const char *)a + def->offset, *fb = (const char *)b + def->offset;
	const char *ta, *tb;

	if (def->type == LIST)
		return same_lists((const struct options_list *)(const void *)fa,
			(const struct options_list *)(const void *)fb);
	if (def->type == TEXT) {
		memcpy(&ta, fa, sizeof(ta));
		memcpy(&tb, fb, sizeof(tb));
		return strcmp(ta, tb) == 0;
	}
	return memcmp(fa, fb, def->type == FLAG ? sizeof(int) : sizeof(uint64_t)) == 0;
}

const char *options_fixed(const struct options *a, const struct options *b, size_t *position)
{
	const struct option_def *def;

	while (*position < NOPTIONS) {
		def = &table[(*position)++];
		if (!(def->flags & (OPTION_LIVE | OPTION_ACTION)) && !same(a, b, def))
			return def->name;
	}
	return NULL;
}
