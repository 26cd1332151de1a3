/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rm.c - remove a series, all that match, or a whole segment's file.
 *
 * Only what is a segment is ever unlinked: a regular file that begins with the magic number, or one
 * that stands where segments stand and is too damaged to tell. Programs that have it open go on;
 * writers notice within a heartbeat and make a new one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "cli.h"
#include "family.h"
#include "pick.h"
#include "sel.h"
#include "text.h"

enum { RM_SEGMENT, RM_ALL, RM_FORCE };

/* ---- a series ---- */

static int disabled(const struct cli *c)
{
	return cli_fail(c, CLI_FAILED, "SHARDMETER_DISABLE is set: unset it to remove something");
}

static int no_such_family(const struct cli *c, const struct fam *f, const char *name)
{
	return cli_fail(c, CLI_NOTHING, "there is no family %s in %s", name, f->sel.path);
}

static int remove_series(const struct cli *c, const struct fam *f, const struct cli_series *s)
{
	const struct sm_family_info *info = sel_family(f->snapshot, s->name);
	struct sm_str values[SM_LABELS_MAX];
	struct sm_family *family;
	struct sm_diag diag = { 0 };
	int rc;

	if (!info)
		return no_such_family(c, f, s->name);
	if (s->nlabels == 0 && info->nlabels > 0)
		return cli_fail(c, CLI_FAILED,
			"%s has labels: say which series, or --all for every one", s->name);
	rc = fam_match_labels(c, info, s, values);
	if (rc)
		return rc;
	family = fam_redeclare(f->sm, info, SM_NUMBER_U64, &diag);
	if (diag.error)
		return cli_fail(c, cli_code(diag.error), "%s", diag.message);
	rc = sm_remove(family, values, info->nlabels, c->given[RM_FORCE] ? SM_REMOVE_FORCE : 0);
	switch (rc) {
	case 0: return CLI_OK;
	case -ENOENT:
		return cli_fail(c, CLI_NOTHING,
			"there is no such series of %s; \"shardmeter ls '%s'\" lists them", s->name,
			s->name);
	case -EBUSY:
		return cli_fail(c, CLI_FAILED,
			"a live writer is using this series; with --force it is removed, and what "
			"that writer counts until its next heartbeat is lost");
	default: return cli_fail(c, cli_code(rc), "%s: %s", s->name, strerror(-rc));
	}
}

static int run_series(const struct cli *c)
{
	struct cli_series s = { 0 };
	struct fam f = { 0 };
	int rc;

	if (c->nargs == 0)
		return cli_fail(c, CLI_FAILED,
			"which series? NAME{label=\"value\"}, or --segment for all of it");
	rc = cli_series_init(c, c->args[0], &s);
	for (int i = 1; i < c->nargs && !rc; i++)
		rc = cli_series_label(c, &s, c->args[i]);
	if (!rc)
		rc = fam_open(c, false, &f);
	if (!rc && f.disabled)
		rc = disabled(c);
	if (!rc)
		rc = remove_series(c, &f, &s);
	fam_close(&f);
	cli_series_release(&s);
	return rc;
}

/* ---- all that match ---- */

/* The family's own record stays: empty, as it was declared. */
static int remove_rows(const struct cli *c, const struct fam *f, const struct pick_row *rows,
	size_t nrows, size_t *ret_busy)
{
	const struct sm_family_info *info = NULL;
	struct sm_family *family = NULL;
	struct sm_diag diag = { 0 };
	int rc;

	*ret_busy = 0;
	for (size_t i = 0; i < nrows; i++) {
		if (!info || rows[i].family != info) {
			info = rows[i].family;
			family = fam_redeclare(f->sm, info, SM_NUMBER_U64, &diag);
			if (diag.error)
				return cli_fail(c, cli_code(diag.error), "%s", diag.message);
		}
		rc = sm_remove(family, rows[i].series->values, info->nlabels,
			c->given[RM_FORCE] ? SM_REMOVE_FORCE : 0);
		*ret_busy += rc == -EBUSY;
		/* -ENOENT: somebody was faster, or two selectors mean it. */
		if (rc && rc != -EBUSY && rc != -ENOENT)
			return cli_fail(c, cli_code(rc), "%s: %s", info->name, strerror(-rc));
	}
	return 0;
}

static int remove_all(const struct cli *c, const struct fam *f, const struct picks *picks)
{
	struct pick_row *rows = NULL;
	size_t nrows = 0, busy = 0;
	int rc = picks_series(picks, f->snapshot, &rows, &nrows);

	if (rc)
		rc = cli_fail(c, CLI_FAILED, "out of memory");
	else if (nrows == 0)
		rc = cli_fail(c, CLI_NOTHING,
			"no series of %s matches in %s; \"shardmeter ls -s\" "
			"lists them",
			picks->pick[0].s.name, f->sel.path);
	else
		rc = remove_rows(c, f, rows, nrows, &busy);
	free(rows);
	if (!rc && busy)
		rc = cli_fail(c, CLI_FAILED,
			"%zu of %zu series are in use by live writers and stay; with --force they "
			"are removed, and what those writers count until their next heartbeat is "
			"lost",
			busy, nrows);
	return rc;
}

static int run_all(const struct cli *c)
{
	struct picks picks = { 0 };
	struct fam f = { 0 };
	int rc = picks_init(c, c->args, c->nargs, &picks);

	for (size_t i = 0; i < picks.n && !rc; i++)
		if (picks.pick[i].by_writer)
			rc = cli_fail(
				c, CLI_FAILED, "writer: a series is removed for all its writers");
	if (!rc)
		rc = fam_open(c, false, &f);
	if (!rc && f.disabled)
		rc = disabled(c);
	if (!rc)
		rc = remove_all(c, &f, &picks);
	fam_close(&f);
	picks_release(&picks);
	return rc;
}

/* ---- a segment ---- */

/* May this file be taken for a segment? 0 or an exit code after a message. */
static int check_file(const struct cli *c, const char *path)
{
	struct sm_diag diag = { 0 };
	struct sm_reader *r;
	struct stat st;
	int rc;

	if (lstat(path, &st) != 0)
		return sel_fail(c, -errno, path, &diag);
	if (!S_ISREG(st.st_mode))
		return cli_fail(c, CLI_FAILED, "%s is no regular file, so no segment", path);
	rc = sm_reader_open(path, &r, &diag);
	if (rc == 0)
		sm_reader_close(r);
	if (rc == -EACCES || rc == -EPERM)
		return sel_fail(c, rc, path, &diag);
	return sel_is_segment(path)
		       ? 0
		       : cli_fail(c, CLI_DAMAGED, "%s is not a segment; not removed", path);
}

/* Nobody may be using it, or --force. */
static int check_users(const struct cli *c, const char *path)
{
	struct sm_diag diag = { 0 };
	struct sm_reader *r;
	int live, rc = sm_reader_open(path, &r, &diag);

	if (c->given[RM_FORCE]) {
		if (!rc)
			sm_reader_close(r);
		return 0;
	}
	if (rc == SM_NOT_READY)
		return cli_fail(c, CLI_FAILED,
			"%s is just being created, or its creator died; --force removes it", path);
	if (rc) {
		sel_cut_remedy(diag.message);
		return cli_fail(c, cli_code(rc),
			"%s; whether anybody uses it cannot be seen; --force removes it",
			diag.message);
	}
	live = sm_reader_live_writers(r);
	sm_reader_close(r);
	if (live == 0)
		return 0;
	if (live < 0)
		return cli_fail(c, cli_code(live),
			"%s: whether anybody uses it cannot be seen (%s); --force removes it", path,
			strerror(-live));
	return cli_fail(c, CLI_FAILED,
		"%s has %d live writer%s (\"shardmeter writers -l\"); --force removes it, they go "
		"on in a new one",
		path, live, live == 1 ? "" : "s");
}

static int run_segment(struct cli *c)
{
	struct sel sel;
	int rc;

	if (c->nargs > 1 || (c->nargs == 1 && c->value[RM_SEGMENT]))
		return cli_fail(c, CLI_FAILED,
			"--segment removes a whole segment and takes no series; -S chooses the "
			"segment of a series");
	if (c->nargs == 1)
		c->segment = c->args[0];
	if (c->value[RM_SEGMENT])
		c->segment = c->value[RM_SEGMENT];
	rc = sel_choose(c, true, &sel); /* as for creating: the beginning of a name is not enough */
	if (!rc)
		rc = check_file(c, sel.path);
	if (!rc)
		rc = check_users(c, sel.path);
	if (rc)
		return rc;
	if (unlink(sel.path) != 0)
		return cli_fail(c, cli_code(-errno), "cannot remove %s: %s%s", sel.path,
			strerror(errno),
			errno == EACCES || errno == EPERM
				? "; its owner can, or who may write to the directory"
				: "");
	return CLI_OK;
}

static int run_rm(struct cli *c)
{
	if (c->given[RM_SEGMENT] && c->given[RM_ALL])
		return cli_fail(c, CLI_FAILED, "--segment and --all exclude each other");
	if (c->given[RM_SEGMENT])
		return run_segment(c);
	return c->given[RM_ALL] ? run_all(c) : run_series(c);
}

const struct cli_command cli_cmd_rm = { .name = "rm",
	.synopsis = "[--force] [--all] NAME [label=value ...] | --segment[=NAME]",
	.run = run_rm,
	.complete = CLI_COMPLETE_SERIES,
	.help = "Remove a series, all series that match, or with --segment a whole segment.",
	.text = "All labels of the series must be given, as NAME{label=\"value\"} (quote it) or as "
		"NAME label=value. It vanishes at once and starts at 0 if it is counted again. "
		"Exit code 1 if it does not exist. With --all labels may be left out or compared, "
		"and NAME may be a shell pattern, as for get; the family stays declared.\n"
		"\n"
		"\tshardmeter rm jobs_total job=old\n"
		"\tshardmeter rm --all jobs_total\n"
		"\tshardmeter rm --all 'jobs_*' job=~'test.*'\n"
		"\tshardmeter rm --segment bot",
	.options = (const struct cli_option[]){
		[RM_SEGMENT] = { "segment", 0, "[NAME]", NULL,
			"Remove the file of the segment: of NAME, else of the one that is chosen "
			"as always. Everything counted in it is lost. (The segment of a series is "
			"chosen with -S.)" },
		[RM_ALL] = { "all", 0, NULL, NULL, "Every series that matches." },
		[RM_FORCE] = { "force", 0, NULL, NULL,
			"Although live writers use it. They go on in a new series or segment." },
		{ NULL, 0, NULL, NULL, NULL } } };
