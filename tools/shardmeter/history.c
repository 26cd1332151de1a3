/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - what the exporter remembers: its ticks, one of them, or series over a time.
 *
 * Reads row by row and prints as it goes: nothing is collected, so a long range costs no memory. A
 * row that cannot be read is reported and passed over.
 */
#include "exporter/history/check.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporter/history/place.h"

#include "args.h"
#include "cli.h"
#include "json.h"

enum {
	HISTORY_DIR,
	HISTORY_FROM,
	HISTORY_TO,
	HISTORY_AT,
	HISTORY_LAST,
	HISTORY_SUMMARY,
	HISTORY_CHECK,
	HISTORY_COPY,
	HISTORY_JSON
};

/* One run. */
struct view {
	const struct cli *c;
	struct history *h;
	struct cli_json *json; /* NULL: text */
	bool terminal;
	const char *pattern;
	uint8_t *wanted; /* bits of the series that match it */
	uint32_t wanted_cap; /* bits there is room for */
	bool any_wanted;
	bool values; /* print values, not only the rows */
	size_t printed;
	size_t unreadable;
};

/* ---- text of things ---- */

static char *series_text(const struct history_series *s)
{
	const struct history_family *f = s->family;
	struct sm_family_info family = {
		.name = f->name, .nlabels = f->nlabels, .labels = f->labels
	};
	struct sm_series_info series = { .values = s->values };

	return cli_series_text(&family, &series, s->writer);
}

static bool selected(const struct view *v, const struct history_series *s)
{
	char *text;
	bool matches;

	if (!v->pattern || fnmatch(v->pattern, s->family->name, 0) == 0)
		return true;
	if (!strpbrk(v->pattern, "{}"))
		return false;
	text = series_text(s);
	matches = text && fnmatch(v->pattern, text, 0) == 0;
	free(text);
	return matches;
}

/* Mark the series if it is wanted. 0 or -errno. */
static int mark_wanted(void *ctx, const struct history_series *s)
{
	struct view *v = ctx;
	uint64_t cap = v->wanted_cap ? v->wanted_cap : 4096;
	uint8_t *grown;

	if (!selected(v, s))
		return 0;
	while (cap <= s->id)
		cap *= 2;
	cap = cap < UINT32_MAX ? cap : UINT32_MAX;
	if (cap > v->wanted_cap) {
		grown = realloc(v->wanted, cap / 8 + 1);
		if (!grown)
			return -ENOMEM;
		memset(grown + v->wanted_cap / 8, 0, cap / 8 + 1 - v->wanted_cap / 8);
		v->wanted = grown;
		v->wanted_cap = (uint32_t)cap;
	}
	v->wanted[s->id / 8] |= (uint8_t)(1u << s->id % 8);
	v->any_wanted = true;
	return 0;
}

/* Ask for the series of the pattern once, not at each of their values. 0 or an exit code after a
 * message. */
static int select_series(struct view *v)
{
	int rc = history_each_series(v->h, mark_wanted, v);

	if (rc == -ENOMEM)
		return cli_fail(v->c, CLI_FAILED, "out of memory");
	if (rc < 0)
		return cli_fail(v->c, cli_code(rc), "%s", history_error(v->h));
	if (v->any_wanted)
		history_want(v->h, v->wanted, v->wanted_cap);
	return 0;
}

static void number_text(const struct history_value *v, char ret_text[CLI_TEXT_MAX])
{
	struct sm_value value = { .is_set = 1,
		.is_integer = v->is_integer,
		.is_signed = v->is_signed,
		.units = v->units,
		.decimals = v->decimals,
		.value = v->value };

	cli_value(&value, ret_text);
}

static void value_text(const struct history_value *v, char *ret_text, size_t size)
{
	char text[CLI_TEXT_MAX];

	if (v->series->family->kind == SM_HISTOGRAM) {
		cli_sum(&v->sum, text);
		snprintf(ret_text, size, "count=%llu sum=%s", (unsigned long long)v->count, text);
		return;
	}
	number_text(v, text);
	if (v->series->family->kind == SM_STATESET && v->value >= 0 &&
		v->value < v->series->family->nstates)
		snprintf(ret_text, size, "%s", v->series->family->states[(unsigned)v->value]);
	else
		snprintf(ret_text, size, "%s", text);
}

/* ---- rows and values ---- */

static void put_value_json(struct cli_json *j, const struct history_value *v)
{
	const struct history_family *f = v->series->family;
	char text[CLI_TEXT_MAX], *name = series_text(v->series);

	cli_json_open(j, NULL, '{');
	cli_json_text(j, "series", name ? name : f->name);
	free(name);
	cli_json_text(j, "kind", cli_kind(f->kind));
	if (f->kind != SM_HISTOGRAM) {
		number_text(v, text);
		cli_json_number(j, "value", text);
		cli_json_close(j, '}');
		return;
	}
	cli_json_u64(j, "count", v->count);
	cli_sum(&v->sum, text);
	cli_json_number(j, "sum", text);
	cli_json_open(j, "buckets", '[');
	for (size_t i = 0; i < v->nbuckets; i++) {
		cli_json_open(j, NULL, '{');
		if (v->buckets[i].index < f->nunited)
			sm_format_double(f->united[v->buckets[i].index], 1, text, sizeof(text));
		cli_json_text(j, "le", v->buckets[i].index < f->nunited ? text : "+Inf");
		cli_json_u64(j, "count", v->buckets[i].count);
		cli_json_close(j, '}');
	}
	cli_json_close(j, ']');
	cli_json_close(j, '}');
}

static void put_value(struct view *v, const char *time, const struct history_value *value)
{
	char text[256], *name;

	v->printed++;
	if (v->json) {
		put_value_json(v->json, value);
		return;
	}
	name = series_text(value->series);
	value_text(value, text, sizeof(text));
	printf(v->terminal ? "%s  " : "%s\t", time);
	cli_put_text(stdout, name ? name : "", name ? strlen(name) : 0);
	fputs(v->terminal ? "  " : "\t", stdout);
	cli_put_text(stdout, text, strlen(text));
	putchar('\n');
	free(name);
}

static const char *id_text(const uint8_t id[16], char ret_text[33])
{
	for (unsigned i = 0; i < 16; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", id[i]);
	return ret_text;
}

/* Why ticks have no row, by bit of HISTORY_MISSED_*. */
static const char *const missed_names[] = { "stopped", "segment", "store", "late", "suspend" };

static void put_missed_json(struct cli_json *j, const struct history_row *row)
{
	cli_json_u64(j, "missed", row->missed);
	cli_json_open(j, "missed_why", '[');
	for (unsigned i = 0; i < sizeof(missed_names) / sizeof(missed_names[0]); i++)
		if (row->missed_why & 1u << i)
			cli_json_text(j, NULL, missed_names[i]);
	cli_json_close(j, ']');
}

/* A gap is a line of its own, before the row that ends it. */
static void put_gap(const struct view *v, const char *time, const struct history_row *row)
{
	printf(v->terminal ? "%s  gap: %u ticks missed:" : "%s\tgap\t%u\t", time, row->missed);
	for (unsigned i = 0, n = 0; i < sizeof(missed_names) / sizeof(missed_names[0]); i++)
		if (row->missed_why & 1u << i)
			printf("%s%s", n++ || v->terminal ? " " : "", missed_names[i]);
	putchar('\n');
}

static void put_row_head(struct view *v, const char *time, const struct history_row *row)
{
	struct cli_json *j = v->json;
	char id[33];

	if (j) {
		cli_json_open(j, NULL, '{');
		cli_json_text(j, "time", time);
		cli_json_u64(j, "values_stored", row->nvalues);
		cli_json_u64(j, "live_writers", row->live_writers);
		cli_json_u64(j, "bytes", row->bytes);
		cli_json_bool(j, "clock_back", row->flags & HISTORY_CLOCK_BACK);
		cli_json_bool(j, "stale", row->flags & HISTORY_STALE);
		cli_json_bool(j, "merged", row->flags & HISTORY_MERGED);
		cli_json_u64(j, "tick", row->tick);
		cli_json_time(j, "due", row->due_ms * 1000000u);
		cli_json_u64(j, "run", row->run);
		cli_json_text(j, "segment_id", id_text(row->segment_id, id));
		put_missed_json(j, row);
		return;
	}
	if (v->values)
		return;
	if (row->missed)
		put_gap(v, time, row);
	printf(v->terminal ? "%s  %8u values  %4u writers  %8zu bytes%s%s%s\n"
			   : "%s\t%u\t%u\t%zu\t%s%s%s\n",
		time, row->nvalues, row->live_writers, row->bytes,
		row->flags & HISTORY_CLOCK_BACK ? " clock-back" : "",
		row->flags & HISTORY_STALE ? " stale" : "",
		row->flags & HISTORY_MERGED ? " merged" : "");
}

/* One row, and its values if they are wanted. 0 or -errno. */
static int put_row(struct view *v, const struct history_row *row)
{
	struct history_value value;
	char time[CLI_TEXT_MAX];
	int rc = 0;

	cli_utc(row->at_ms * 1000000u, time);
	put_row_head(v, time, row);
	if (!v->values)
		v->printed++;
	if (v->json && v->values)
		cli_json_open(v->json, "values", '[');
	while (v->values && (rc = history_next_value(v->h, &value)) > 0)
		put_value(v, time, &value);
	if (v->json && v->values)
		cli_json_close(v->json, ']');
	if (v->json)
		cli_json_close(v->json, '}');
	return rc;
}

/* All rows from where the history stands. 0 or an exit code after a message. */
static int put_rows(struct view *v)
{
	struct history_row row;
	int rc;

	for (;;) {
		rc = history_next_row(v->h, &row);
		if (rc > 0)
			rc = put_row(v, &row) < 0 ? -1 : 1;
		if (rc == 0 || ferror(stdout)) /* the end, or nobody reads on */
			return 0;
		if (rc > 0)
			continue;
		v->unreadable++;
		cli_note(v->c, "%s", history_error(v->h));
		if (history_damaged(v->h))
			return CLI_DAMAGED;
	}
}

static int put_summary(struct view *v)
{
	struct history_summary s;
	char first[CLI_TEXT_MAX] = "-", last[CLI_TEXT_MAX] = "-", used[CLI_TEXT_MAX],
	     file[CLI_TEXT_MAX];
	int rc = history_summarise(v->h, &s);

	if (rc < 0)
		return cli_fail(v->c, cli_code(rc), "%s", history_error(v->h));
	if (v->json) {
		cli_json_text(v->json, "path", s.path);
		cli_json_u64(v->json, "rows", s.rows);
		cli_json_time(v->json, "first", s.first_ms * 1000000u);
		cli_json_time(v->json, "last", s.last_ms * 1000000u);
		cli_json_u64(v->json, "series", s.series);
		cli_json_u64(v->json, "families", s.families);
		cli_json_u64(v->json, "used_bytes", s.used_bytes);
		cli_json_u64(v->json, "file_bytes", s.file_bytes);
		return 0;
	}
	if (s.rows) {
		cli_utc(s.first_ms * 1000000u, first);
		cli_utc(s.last_ms * 1000000u, last);
	}
	cli_bytes(s.used_bytes, used);
	cli_bytes(s.file_bytes, file);
	fputs("store     ", stdout);
	cli_put_text(stdout, s.path, strlen(s.path));
	printf("\nrows      %llu\nfirst     %s\nlast      %s\nseries    %llu\nfamilies  "
	       "%llu\nused      %s\n"
	       "file      %s\n",
		(unsigned long long)s.rows, first, last, (unsigned long long)s.series,
		(unsigned long long)s.families, used, file);
	return 0;
}

/* ---- the command ---- */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int option_moment(const struct cli *c, int option, const char *what, uint64_t *ret_ms)
{
	return c->value[option] ? cli_moment(c, what, c->value[option], now_ms(), ret_ms) : 0;
}

/* What the options say about time. */
static int parse_range(const struct cli *c, uint64_t *ret_from, uint64_t *ret_to)
{
	int rc;

	*ret_from = 0;
	*ret_to = UINT64_MAX;
	if (c->given[HISTORY_AT] + c->given[HISTORY_LAST] +
			(c->given[HISTORY_FROM] || c->given[HISTORY_TO]) >
		1)
		return cli_fail(
			c, CLI_FAILED, "--at, --last, and --from with --to exclude each other");
	rc = option_moment(c, HISTORY_FROM, "--from", ret_from);
	if (!rc)
		rc = option_moment(c, HISTORY_TO, "--to", ret_to);
	if (!rc)
		rc = option_moment(c, HISTORY_AT, "--at", ret_to);
	if (!rc && *ret_from > *ret_to)
		rc = cli_fail(c, CLI_FAILED, "--from is after --to");
	return rc;
}

static int view(struct view *v, uint64_t from, uint64_t to)
{
	const struct cli *c = v->c;
	int rc = 0, found = 1;

	if (v->json) {
		cli_json_open(v->json, NULL, '{');
		cli_json_u64(v->json, "schema", CLI_JSON_SCHEMA);
	}
	if (c->given[HISTORY_SUMMARY]) {
		rc = put_summary(v);
		v->printed = 1;
	} else {
		if (c->given[HISTORY_AT] || c->given[HISTORY_LAST])
			found = history_seek_last(v->h, to);
		else
			history_seek(v->h, from, to);
		if (v->pattern && !rc)
			rc = select_series(v);
		if (rc)
			return rc;
		if (found < 0)
			return cli_fail(c, cli_code(found), "%s", history_error(v->h));
		if (v->json)
			cli_json_open(v->json, "rows", '[');
		if (found && (!v->pattern || v->any_wanted))
			rc = put_rows(v);
		if (v->json)
			cli_json_close(v->json, ']');
	}
	if (v->json)
		cli_json_close(v->json, '}');
	if (!rc && v->printed == 0)
		rc = cli_fail(c, CLI_NOTHING,
			v->pattern ? "nothing matches in that time" : "no rows in that time");
	if (!rc && v->unreadable)
		rc = CLI_DAMAGED;
	return rc;
}

static int put_name(void *ctx, const char *name)
{
	const struct cli **c = ctx;

	cli_note(*c, "  %s", name);
	return 0;
}

/* The store that -S and --dir mean. 0 or an exit code after a message. */
static int find_store(const struct cli *c, char *ret_dir, size_t size)
{
	const char *dir = c->value[HISTORY_DIR] ? c->value[HISTORY_DIR]
						: getenv("SHARDMETER_EXPORTER_STORAGE_PATH");
	int rc = place_find(dir, c->segment, ret_dir, size);

	if (rc == 0)
		return 0;
	if (rc == -ENOTUNIQ) {
		cli_note(c, "several stores below %s:", ret_dir);
		place_each(ret_dir, put_name, &c);
		return cli_fail(c, CLI_SEVERAL, "say which one: -S SEGMENT, or --dir with its path");
	}
	if (rc == -ENOENT)
		return cli_fail(c, CLI_NO_SEGMENT, "no history in %s: is an exporter running that keeps "
			"its history there? --dir says which --storage.path it has", ret_dir);
	return cli_fail(c, CLI_FAILED, "%s: %s", c->segment ? c->segment : "--dir", strerror(-rc));
}

static void put_checked(const struct cli *c, const char *dir, const struct history_checked *h)
{
	struct cli_json j = { .f = stdout, .indent = true };
	char first[CLI_TEXT_MAX] = "-", last[CLI_TEXT_MAX] = "-", used[CLI_TEXT_MAX];

	if (c->given[HISTORY_JSON]) {
		cli_json_open(&j, NULL, '{');
		cli_json_u64(&j, "schema", CLI_JSON_SCHEMA);
		cli_json_text(&j, "path", dir);
		cli_json_text(&j, "finding", h->finding);
		cli_json_u64(&j, "rows", h->rows);
		cli_json_u64(&j, "damaged_rows", h->damaged_rows);
		cli_json_u64(&j, "values", h->values);
		cli_json_time(&j, "first", h->first_ms * 1000000u);
		cli_json_time(&j, "last", h->last_ms * 1000000u);
		cli_json_u64(&j, "last_tick", h->last_tick);
		cli_json_u64(&j, "missed", h->missed);
		cli_json_u64(&j, "clock_back", h->clock_back);
		cli_json_u64(&j, "runs", h->runs);
		cli_json_u64(&j, "used_bytes", h->pages_used * h->page_bytes);
		cli_json_u64(&j, "free_bytes", h->pages_free * h->page_bytes);
		cli_json_close(&j, '}');
		return;
	}
	if (h->rows) {
		cli_utc(h->first_ms * 1000000u, first);
		cli_utc(h->last_ms * 1000000u, last);
	}
	cli_bytes(h->pages_used * h->page_bytes, used);
	fputs("store     ", stdout);
	cli_put_text(stdout, dir, strlen(dir));
	printf("\nrows      %llu, %llu of them damaged\nvalues    %llu\nfirst     %s\nlast      %s\n"
	       "missed    %llu ticks\nruns      %llu\nused      %s\n",
		(unsigned long long)h->rows, (unsigned long long)h->damaged_rows,
		(unsigned long long)h->values, first, last, (unsigned long long)h->missed,
		(unsigned long long)h->runs, used);
	if (!h->finding[0])
		puts("all is well");
}

static int check_store(const struct cli *c, const char *dir)
{
	struct history_checked checked;
	struct sm_diag diag = { 0 };
	int rc = history_check(dir, &checked, &diag);

	if (rc == 0 || rc == -EBADMSG)
		put_checked(c, dir, &checked);
	return rc < 0 ? cli_fail(c, cli_code(rc), "%s", diag.message) : 0;
}

static int copy_store(const struct cli *c, const char *dir, const char *to)
{
	struct sm_diag diag = { 0 };
	int rc = history_copy(dir, to, &diag);

	return rc < 0 ? cli_fail(c, cli_code(rc), "%s", diag.message) : 0;
}

static int run_history(struct cli *c)
{
	struct cli_json json = { .f = stdout, .indent = true };
	struct view v = {
		.c = c, .terminal = cli_is_terminal(stdout), .pattern = c->nargs ? c->args[0] : NULL
	};
	char dir[4096];
	struct sm_diag diag = { 0 };
	uint64_t from, to;
	int rc;

	if (c->given[HISTORY_CHECK] && c->given[HISTORY_COPY])
		return cli_fail(c, CLI_FAILED, "--check and --copy exclude each other: check the copy");
	if (c->nargs && (c->given[HISTORY_CHECK] || c->given[HISTORY_COPY]))
		return cli_fail(c, CLI_FAILED, "--check and --copy are about the whole store: no PATTERN");
	if (c->nargs > 1)
		return cli_fail(
			c, CLI_FAILED, "one PATTERN; quote it so that the shell leaves it alone");
	rc = parse_range(c, &from, &to);
	if (rc)
		return rc;
	v.values = v.pattern || c->given[HISTORY_AT] || c->given[HISTORY_LAST];
	v.json = c->given[HISTORY_JSON] ? &json : NULL;
	rc = find_store(c, dir, sizeof(dir));
	if (rc)
		return rc;
	if (c->given[HISTORY_COPY])
		return copy_store(c, dir, c->value[HISTORY_COPY]);
	if (c->given[HISTORY_CHECK])
		return check_store(c, dir);
	rc = history_open(dir, &v.h, &diag);
	if (rc < 0)
		return cli_fail(
			c, cli_code(rc), "%s", diag.message[0] ? diag.message : strerror(-rc));
	rc = view(&v, from, to);
	history_close(v.h);
	free(v.wanted);
	return rc;
}

const struct cli_command cli_cmd_history = { .name = "history",
	.synopsis = "[options] [PATTERN]",
	.run = run_history,
	.complete = CLI_COMPLETE_FAMILY,
	.help = "Show what the exporter remembers: its ticks, one of them, or series over a time.",
	.text = "Without PATTERN and --at: the ticks, each with time, number of values, live "
		"writers, bytes. With PATTERN, as in ls: the values of those series at each tick. "
		"With --at or --last: the values of one tick. Times are UTC.\n"
		"\n"
		"Ticks that left no row are a line of their own before the next row: how many, and "
		"why: stopped (no exporter ran), segment (there was none), store (it could not be "
		"written), late (a tick took longer than the interval), suspend (the machine "
		"slept).\n"
		"\n"
		"Several stores: -S, as in the exporter's --segment, says which one. Only permission to "
		"read the store is needed, and the exporter is never in the way nor hindered.\n"
		"\n"
		"TIME is 2026-11-20T13:21:07Z, seconds since 1970, now, or a time ago: -90s, -15m, "
		"-2h, -3d.\n"
		"\n"
		"\tshardmeter history --from -1h 'command_*'\n"
		"\tshardmeter history --at 2026-11-20T13:21Z",
	.options = (const struct cli_option[]){
		[HISTORY_DIR] = { "dir", 'd', "DIR", NULL,
			"The exporter's --storage.path, or a store in it. Without it "
			"SHARDMETER_EXPORTER_STORAGE_PATH, else the exporter's default: "
			"/var/lib/shardmeter, $XDG_STATE_HOME/shardmeter or "
			"~/.local/state/shardmeter." },
		[HISTORY_FROM] = { "from", 0, "TIME", NULL, "Only ticks at TIME or later." },
		[HISTORY_TO] = { "to", 0, "TIME", NULL, "Only ticks at TIME or earlier." },
		[HISTORY_AT] = { "at", 0, "TIME", NULL,
			"The last tick at or before TIME, with its values." },
		[HISTORY_LAST] = { "last", 0, NULL, NULL, "The last tick, with its values." },
		[HISTORY_SUMMARY] = { "summary", 's', NULL, NULL,
			"Only how much there is, from when to when." },
		[HISTORY_CHECK] = { "check", 0, NULL, NULL,
			"Read all of it, structure, rows and values, and say whether it is whole: exit "
			"code 5 if not. Changes nothing; the exporter may run." },
		[HISTORY_COPY] = { "copy", 0, "TO", NULL,
			"Copy it as of this moment to the directory TO, which is then a store that "
			"--dir takes. The exporter may run." },
		[HISTORY_JSON] = { "json", 0, NULL, NULL,
			"As JSON. A histogram's buckets are those that are not empty, not "
			"cumulative." },
		{ NULL, 0, NULL, NULL, NULL } } };
