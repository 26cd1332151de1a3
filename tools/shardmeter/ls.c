/* SPDX-License-Identifier: Apache-2.0 */
/* ls.c - what is there: segments; families and series of one. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "dump.h"
#include "sel.h"
#include "table.h"

enum { LS_LONG, LS_FAMILIES, LS_SERIES, LS_JSON };

/* ---- segments ---- */

struct listing {
	const struct cli *c;
	struct cli_table *table; /* NULL: names only, or JSON */
	struct cli_json *json;
	const char *done; /* path of one that is listed already */
	size_t n;
	int rc; /* the first that could not be read */
};

/* What the long list says about one segment; NULL values where it cannot be read. */
struct segment_facts {
	const struct sm_snapshot *s;
	unsigned live, dead;
	size_t series;
	struct sm_diag diag;
	int rc;
};

static void look(const char *path, struct segment_facts *f)
{
	struct sm_reader *r;

	memset(f, 0, sizeof(*f));
	f->rc = sm_reader_open(path, &r, &f->diag);
	if (f->rc)
		return;
	f->rc = sm_snapshot_take(r, 0, &f->s, &f->diag);
	sm_reader_close(r);
	if (f->rc)
		return;
	for (size_t i = 0; i < f->s->nwriters; i++) {
		f->live += f->s->writers[i].state == SM_WRITER_LIVE;
		f->dead += f->s->writers[i].state == SM_WRITER_DEAD;
	}
	for (size_t i = 0; i < f->s->nfamilies; i++)
		f->series += f->s->families[i].nseries;
}

/* For JSON, where the path stands beside it. */
static const char *trouble(const struct segment_facts *f)
{
	if (f->rc == SM_NOT_READY)
		return "not ready: its creator has not finished";
	return f->diag.message[0] ? f->diag.message : strerror(-f->rc);
}

/* "-rw-r----- bot bot" as ls(1) says it. */
static void owner(const char *path, char *ret_text, size_t size)
{
	struct stat st;
	const struct passwd *pw;
	const struct group *gr;
	char uid[16], gid[16];

	ret_text[0] = '\0';
	if (lstat(path, &st) != 0)
		return;
	pw = getpwuid(st.st_uid);
	gr = getgrgid(st.st_gid);
	snprintf(uid, sizeof(uid), "%u", st.st_uid);
	snprintf(gid, sizeof(gid), "%u", st.st_gid);
	snprintf(ret_text, size, "%04o %s:%s", st.st_mode & 07777, pw ? pw->pw_name : uid,
		gr ? gr->gr_name : gid);
}

static void table_segment(
	struct cli_table *t, const char *name, const char *path, const struct segment_facts *f)
{
	char text[256];

	cli_table_cell(t, name);
	if (f->rc) {
		for (int i = 0; i < 4; i++)
			cli_table_cell(t, "-");
	} else {
		cli_table_number(t, f->live);
		cli_table_number(t, f->dead);
		cli_table_number(t, f->series);
		cli_table_bytes(t, f->s->fill.allocated_bytes);
	}
	owner(path, text, sizeof(text));
	cli_table_cell(t, text);
	cli_table_cell(t, path);
}

static void json_segment(
	struct cli_json *j, const char *name, const char *path, const struct segment_facts *f)
{
	cli_json_open(j, NULL, '{');
	cli_json_text(j, "name", name);
	cli_json_text(j, "path", path);
	cli_json_bool(j, "readable", f->rc == 0);
	if (f->rc) {
		cli_json_text(j, "error", trouble(f));
	} else {
		cli_json_u64(j, "live_writers", f->live);
		cli_json_u64(j, "dead_writers", f->dead);
		cli_json_u64(j, "series", f->series);
		cli_json_u64(j, "allocated_bytes", f->s->fill.allocated_bytes);
		cli_json_time(j, "created", f->s->segment->created_real_ns);
	}
	cli_json_close(j, '}');
}

static int one_segment(void *ctx, const char *name, const char *path)
{
	struct listing *l = ctx;
	struct segment_facts f;
	int rc;

	if (l->done && strcmp(path, l->done) == 0)
		return 0;
	l->n++;
	if (!l->table && !l->json) {
		cli_put_text(stdout, name, strlen(name));
		putchar('\n');
		return 0;
	}
	look(path, &f);
	if (l->table)
		table_segment(l->table, name, path, &f);
	else
		json_segment(l->json, name, path, &f);
	if (f.rc && !l->json) {
		rc = sel_fail(l->c, f.rc, path, &f.diag);
		if (!l->rc)
			l->rc = rc;
	}
	sm_snapshot_free(f.s);
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The one of -S; or all in the usual places and the one that SHARDMETER_SEGMENT has elsewhere. */
static int each_segment(struct listing *l)
{
	const char *env = getenv("SHARDMETER_SEGMENT");
	struct sel sel;
	int rc;

	if (l->c->segment) {
		rc = sel_choose(l->c, false, &sel);
		if (!rc && access(sel.path, F_OK) != 0 && errno == ENOENT)
			rc = sel_fail(l->c, -ENOENT, sel.path, NULL);
		return rc ? rc : one_segment(l, base_name(l->c->segment), sel.path);
	}
	if (env && strchr(env, '/') && access(env, F_OK) == 0) {
		one_segment(l, base_name(env), env);
		l->done = env;
	}
	return sel_each(one_segment, l);
}

static int list_segments(const struct cli *c)
{
	static const char *const headers[] = { "NAME", "LIVE", "DEAD", "SERIES", "MEMORY", "OWNER",
		"PATH" };
	struct listing l = { .c = c };
	struct cli_table table;
	struct cli_json json = { .f = stdout, .indent = true };
	int rc;

	if (c->given[LS_JSON]) {
		l.json = &json;
		cli_json_open(&json, NULL, '{');
		cli_json_u64(&json, "schema", CLI_JSON_SCHEMA);
		cli_json_open(&json, "segments", '[');
	} else if (c->given[LS_LONG]) {
		cli_table_init(&table, 7, headers, "lrrrrll");
		l.table = &table;
	}
	rc = each_segment(&l);
	if (l.json) {
		cli_json_close(&json, ']');
		cli_json_close(&json, '}');
	} else if (l.table && l.n) {
		int printed = cli_table_print(c, &table);

		rc = rc ? rc : printed;
	}
	if (rc)
		return rc;
	if (l.n == 0)
		return cli_fail(c, CLI_NO_SEGMENT,
			"no segment; a program makes one when it starts to count");
	return l.rc;
}

/* ---- families and series ---- */

/* A histogram in a line: how many, their sum, and quantiles. */
static void histogram_text(const struct sm_snapshot *s, const struct sm_family_info *family,
	const struct sm_series_info *series, char *ret_text, size_t size)
{
	static const double quantiles[] = { 0.5, 0.95, 0.99 };
	uint64_t *counts = calloc(family->nbounds + 1u, sizeof(*counts));
	char sum_text[CLI_TEXT_MAX];
	struct sm_sum sum;
	size_t at;
	double v;

	ret_text[0] = '\0';
	if (counts && sm_snapshot_classic(s, series, SM_ALL_WRITERS, counts, &sum) == 0) {
		cli_sum(&sum, sum_text);
		at = (size_t)snprintf(ret_text, size, "count=%llu sum=%s",
			(unsigned long long)counts[family->nbounds], sum_text);
		for (size_t i = 0; i < 3 && counts[family->nbounds] && at < size; i++) {
			v = sm_snapshot_quantile(s, series, SM_ALL_WRITERS, quantiles[i]);
			at += (size_t)snprintf(
				ret_text + at, size - at, " p%g=%.4g", quantiles[i] * 100, v);
		}
	}
	free(counts);
}

/* A point in time, in seconds since 1970, by the naming rules of Prometheus. */
static bool is_timestamp(const struct sm_family_info *family)
{
	static const char end[] = "_timestamp_seconds";
	size_t n = strlen(family->name);

	return family->kind == SM_GAUGE && n >= sizeof(end) &&
	       strcmp(family->name + n - (sizeof(end) - 1), end) == 0;
}

/* For people, how long it is past; scripts get the number. */
static bool ago_text(const struct sm_snapshot *s, double at, char ret_text[CLI_TEXT_MAX])
{
	double ago = (double)s->taken_real_ns / 1e9 - at;
	char age[CLI_TEXT_MAX];

	if (!(at > 0 && ago >= 0))
		return false;
	cli_age((uint64_t)(ago * 1e9), age);
	snprintf(ret_text, CLI_TEXT_MAX, "%.40s ago", age);
	return true;
}

/* What stands behind a series: its value, or each writer's where there is no common one. */
static void value_text(const struct sm_snapshot *s, const struct sm_family_info *family,
	const struct sm_series_info *series, char *ret_text, size_t size)
{
	char text[CLI_TEXT_MAX];
	struct sm_value v;
	size_t at = 0;

	ret_text[0] = '\0';
	if (family->kind == SM_HISTOGRAM) {
		histogram_text(s, family, series, ret_text, size);
		return;
	}
	if (sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0 && v.is_set) {
		if (!cli_is_terminal(stdout) || !is_timestamp(family) ||
			!ago_text(s, v.value, text))
			cli_value(&v, text);
		snprintf(ret_text, size, "%s", text);
		return;
	}
	for (size_t w = 0; w < s->nwriters && at < size; w++) {
		if (sm_snapshot_number(s, series, (int)w, &v) != 0 || !v.is_set)
			continue;
		cli_value(&v, text);
		if (family->kind == SM_STATESET && v.value >= 0 && v.value < family->nstates)
			at += (size_t)snprintf(ret_text + at, size - at, "%s%s=%s", at ? " " : "",
				s->writers[w].name, family->states[(unsigned)v.value]);
		else
			at += (size_t)snprintf(ret_text + at, size - at, "%s%s=%s", at ? " " : "",
				s->writers[w].name, text);
	}
}

static int list_series(const struct cli *c, const struct sm_snapshot *s, const char *pattern)
{
	static const char *const headers[] = { "SERIES", "KIND", "VALUE" };
	static const char *const headers_long[] = { "SERIES", "KIND", "VALUE", "AGE" };
	bool is_long = c->given[LS_LONG];
	struct cli_table t;
	char text[2048];
	char *name;

	cli_table_init(&t, is_long ? 4 : 3, is_long ? headers_long : headers, "lllr");
	for (size_t i = 0; i < s->nfamilies; i++) {
		const struct sm_family_info *family = &s->families[i];

		for (size_t k = 0; k < family->nseries; k++) {
			const struct sm_series_info *series = &family->series[k];

			if (!dump_matches(pattern, family, series))
				continue;
			name = cli_series_text(family, series, "");
			cli_table_cell(&t, name ? name : family->name);
			free(name);
			cli_table_cell(&t, cli_kind(family->kind));
			value_text(s, family, series, text, sizeof(text));
			cli_table_cell(&t, text);
			if (is_long)
				cli_table_age(
					&t, s->taken_boot_ns > series->created_boot_ns
						    ? s->taken_boot_ns - series->created_boot_ns
						    : 0);
		}
	}
	if (t.ncells == 0)
		return cli_fail(c, CLI_NOTHING, "no series%s%s", pattern ? " matches " : "",
			pattern ? pattern : "");
	return cli_table_print(c, &t);
}

static int list_families(const struct cli *c, const struct sm_snapshot *s, const char *pattern)
{
	static const char *const headers[] = { "FAMILY", "KIND", "SERIES", "UNIT", "HELP" };
	struct cli_table t;

	cli_table_init(&t, 5, headers, "llrll");
	for (size_t i = 0; i < s->nfamilies; i++) {
		const struct sm_family_info *family = &s->families[i];

		if (!dump_matches(pattern, family, NULL))
			continue;
		cli_table_cell(&t, family->name);
		cli_table_cell(&t, cli_kind(family->kind));
		cli_table_number(&t, family->nseries);
		cli_table_cell(&t, family->unit);
		cli_table_cell(&t, family->help);
	}
	if (t.ncells == 0)
		return cli_fail(c, CLI_NOTHING, "no family%s%s", pattern ? " matches " : "",
			pattern ? pattern : "");
	return cli_table_print(c, &t);
}

static int run_ls(struct cli *c)
{
	const char *pattern = c->nargs ? c->args[0] : NULL;
	const struct sm_snapshot *s;
	int rc;

	if (c->nargs > 1)
		return cli_fail(
			c, CLI_FAILED, "one PATTERN; quote it so that the shell leaves it alone");
	if (!pattern && !c->given[LS_FAMILIES] && !c->given[LS_SERIES])
		return list_segments(c);
	rc = sel_snapshot(c, SM_SNAPSHOT_WRITERS, &s, NULL);
	if (rc)
		return rc;
	if (c->given[LS_JSON]) {
		if (dump_json(stdout, s, pattern ? pattern : "*", DUMP_INDENT) == 0)
			rc = cli_fail(
				c, CLI_NOTHING, "no series matches %s", pattern ? pattern : "*");
	} else if (c->given[LS_FAMILIES]) {
		rc = list_families(c, s, pattern);
	} else {
		rc = list_series(c, s, pattern);
	}
	sm_snapshot_free(s);
	return rc;
}

const struct cli_command cli_cmd_ls = { .name = "ls",
	.synopsis = "[-l] [-f] [-s] [--json] [PATTERN]",
	.run = run_ls,
	.complete = CLI_COMPLETE_FAMILY,
	.help = "List segments; with -f the families, with -s or a PATTERN the series of one.",
	.text = "PATTERN is a shell pattern (* ? [a-z]) for family names or, if it has a brace, "
		"for NAME{label=\"value\"} as shown. Exit code 1 if nothing matches.\n"
		"\n"
		"On a terminal the output has a header and aligned columns. Elsewhere: one line a "
		"row, fields separated by one TAB, no header, sizes in bytes and times in seconds; "
		"control characters are \\xNN in both. With -l segments have: name, live writers, "
		"dead writers, series, memory, mode and owner, path.\n"
		"\n"
		"\tshardmeter ls -l\n"
		"\tshardmeter ls -S bot 'command_*'",
	.options = (const struct cli_option[]){
		[LS_LONG] = { "long", 'l', NULL, NULL,
			"Segments: writers, series, memory, owner. Series: their age, too." },
		[LS_FAMILIES] = { "families", 'f', NULL, NULL,
			"Families: kind, series, unit, help." },
		[LS_SERIES] = { "series", 's', NULL, NULL, "All series with their values." },
		[LS_JSON] = { "json", 0, NULL, NULL, "As JSON." },
		{ NULL, 0, NULL, NULL, NULL } } };
