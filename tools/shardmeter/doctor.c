/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.c - why do I see no metrics? Looks at everything between a program's update and the
 * exporter's port, in that order, and says what to do about each trouble.
 *
 * Reads only. Goes on after a failure: the other findings may explain it.
 */
#include "doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "sel.h"

/* A writer whose heartbeat is older than this hangs; one that never had any does not send them. */
#define HEARTBEAT_OLD_NS UINT64_C(60000000000)

#define FULL_PERCENT 85

enum { DOCTOR_EXPORTER, DOCTOR_TIMEOUT, DOCTOR_WATCH, DOCTOR_JSON };

void doctor_say(struct doctor *d, enum doctor_level level, int code, const char *check,
	const char *remedy, const char *fmt, ...)
{
	static const char *const words[] = { "ok", "warn", "fail" };
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->warned |= level == DOCTOR_WARN;
	if (level == DOCTOR_FAIL && !d->code)
		d->code = code;
	if (d->json) {
		cli_json_open(d->json, NULL, '{');
		cli_json_text(d->json, "level", words[level]);
		cli_json_text(d->json, "check", check);
		cli_json_text(d->json, "text", text);
		if (remedy)
			cli_json_text(d->json, "remedy", remedy);
		cli_json_close(d->json, '}');
		return;
	}
	if (d->terminal) {
		printf("%-5s %-11s ", words[level], check);
		cli_put_text(stdout, text, strlen(text));
		if (remedy) {
			printf("\n%18s-> ", "");
			cli_put_text(stdout, remedy, strlen(remedy));
		}
	} else {
		printf("%s\t%s\t", words[level], check);
		cli_put_text(stdout, text, strlen(text));
		putchar('\t');
		cli_put_text(stdout, remedy ? remedy : "", remedy ? strlen(remedy) : 0);
	}
	putchar('\n');
}

static void check_environment(struct doctor *d)
{
	const char *disable = getenv("SHARDMETER_DISABLE"),
		   *families = getenv("SHARDMETER_DISABLE_FAMILIES");

	if (disable && *disable && strcmp(disable, "0") != 0)
		doctor_warn(d, "environment", "unset SHARDMETER_DISABLE where the writers start",
			"SHARDMETER_DISABLE=%s: writers with this environment count nothing",
			disable);
	else if (families && *families)
		doctor_warn(d, "environment",
			"unset SHARDMETER_DISABLE_FAMILIES if that is not meant",
			"SHARDMETER_DISABLE_FAMILIES=%s: these families are not counted", families);
	else
		doctor_ok(d, "environment", "nothing is switched off");
}

/* ---- the segment ---- */


static void fail_reading(struct doctor *d, int rc, const char *path, struct sm_diag *diag)
{
	const char *remedy = sel_cut_remedy(diag->message);
	const char *text = diag->message[0] ? diag->message : strerror(-rc);
	char remove[SEL_PATH_MAX + 128];

	snprintf(remove, sizeof(remove),
		"stop its writers, then: shardmeter rm --segment=%s --force", path);
	if (remedy)
		doctor_fail(d, cli_code(rc), "segment", remedy, "%s", text);
	else if (rc == -EPROTONOSUPPORT)
		doctor_fail(d, cli_code(rc), "segment",
			"use programs of the same release; both layouts can exist side by side",
			"%s", text);
	else if (rc == -EACCES)
		doctor_fail(d, cli_code(rc), "segment", "run as the owner or in the file's group",
			"%s", text);
	else if (!sel_is_segment(path))
		doctor_fail(d, cli_code(rc), "segment", "choose another one with -S",
			"%s is not a segment", path);
	else
		doctor_fail(d, cli_code(rc), "segment", remove, "%s", text);
}

/* Attach, saying what was found. NULL if there is nothing to look at. */
static struct sm_reader *check_segment(struct doctor *d, struct sel *ret_sel)
{
	static const char start[] =
		"start the program that counts; it must see the same directory and the same "
		"SHARDMETER_SEGMENT";
	struct cli silent = *d->c;
	struct sm_diag diag = { 0 };
	struct sm_reader *r;
	int rc;

	silent.quiet = true;
	rc = sel_choose(&silent, false, ret_sel);
	if (rc == CLI_SEVERAL) {
		doctor_fail(d, rc, "segment", "choose one with -S; \"shardmeter ls -l\" lists them",
			"there are several");
		return NULL;
	}
	if (rc) {
		doctor_fail(d, rc, "segment", start, "there is none");
		return NULL;
	}
	rc = sm_reader_open(ret_sel->path, &r, &diag);
	if (rc == 0) {
		doctor_ok(d, "segment", "%s (%s)", ret_sel->path, ret_sel->how);
		return r;
	}
	if (rc == SM_NOT_READY)
		doctor_fail(d, CLI_NO_SEGMENT, "segment",
			"start a writer: it finishes or replaces the file",
			"%s was never finished by its creator", ret_sel->path);
	else if (rc == -ENOENT)
		doctor_fail(
			d, CLI_NO_SEGMENT, "segment", start, "%s does not exist", ret_sel->path);
	else
		fail_reading(d, rc, ret_sel->path, &diag);
	return NULL;
}

/* Findings are only counted here, warnings are passed on. */
static void report_warning(void *ctx, const char *finding)
{
	static const char warning[] = "warning: ";
	struct doctor *d = ctx;

	if (strncmp(finding, warning, sizeof(warning) - 1) == 0)
		doctor_warn(d, "structure", "nothing is damaged; ages of that writer mean nothing",
			"%s", finding + sizeof(warning) - 1);
}

static void check_structure(struct doctor *d, const char *path)
{
	struct sm_diag diag = { 0 };
	int found = sm_check(path, report_warning, d, &diag);
	char remedy[SEL_PATH_MAX + 128];

	snprintf(remedy, sizeof(remedy),
		"\"shardmeter check\" lists them; stop its writers, then: shardmeter rm --segment=%s "
		"--force",
		path);
	if (found == 0)
		doctor_ok(d, "structure", "no findings");
	else if (found > 0)
		doctor_fail(d, CLI_DAMAGED, "structure", remedy, "%d finding%s", found,
			found == 1 ? "" : "s");
	else
		doctor_fail(d, cli_code(found), "structure", "\"shardmeter check\" says more", "%s",
			diag.message);
}

static void check_layout(struct doctor *d, const struct sm_segment_info *info)
{
	char age[CLI_TEXT_MAX];

	cli_utc(info->created_real_ns, age);
	doctor_ok(d, "layout", "%u.%u, this program writes %s; created %s", info->layout_major,
		info->layout_minor, sm_layout_version(), age);
}

/* ---- writers ---- */

static void check_heartbeats(struct doctor *d, const struct sm_snapshot *s)
{
	char age[CLI_TEXT_MAX];
	unsigned old = 0, sending = 0;

	for (size_t i = 0; i < s->nwriters; i++) {
		const struct sm_writer *w = &s->writers[i];

		if (w->state != SM_WRITER_LIVE || w->heartbeats == 0)
			continue;
		sending++;
		if (s->taken_boot_ns < w->heartbeat_boot_ns + HEARTBEAT_OLD_NS)
			continue;
		old++;
		cli_age(s->taken_boot_ns - w->heartbeat_boot_ns, age);
		doctor_warn(d, "heartbeats",
			"its process lives: look whether its event loop hangs or it is stopped",
			"%s (pid %llu): the last one %s ago", w->name, (unsigned long long)w->pid,
			age);
	}
	if (old == 0)
		doctor_ok(d, "heartbeats", "%u writer%s, none late", sending,
			sending == 1 ? "" : "s");
}

/* NAME~2: what a second live process of a name is called. */
static bool is_second(const char *name)
{
	const char *tilde = strrchr(name, '~');

	return tilde && tilde[1] && !tilde[1 + strspn(tilde + 1, "0123456789")];
}

/* Only those that live now: the segment's count of conflicts never goes back. */
static void check_names(struct doctor *d, const struct sm_snapshot *s)
{
	const char *first = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < s->nwriters; i++) {
		if (s->writers[i].state != SM_WRITER_LIVE || !is_second(s->writers[i].name))
			continue;
		if (n++ == 0)
			first = s->writers[i].name;
	}
	if (n)
		doctor_warn(d, "names", "give each process its own SHARDMETER_WRITER",
			"%u live writer%s came second to a name that was in use: %s%s", n,
			n == 1 ? "" : "s", first, n == 1 ? "" : ", ...");
	else
		doctor_ok(d, "names", "every live writer has its own");
}

static void check_writers(struct doctor *d, const struct sm_snapshot *s)
{
	unsigned live = 0, dead = 0, ended = 0;

	for (size_t i = 0; i < s->nwriters; i++) {
		const struct sm_writer *w = &s->writers[i];

		live += w->state == SM_WRITER_LIVE;
		dead += w->state == SM_WRITER_DEAD && !w->exited_boot_ns;
		ended += w->state == SM_WRITER_DEAD && w->exited_boot_ns;
	}
	if (live == 0)
		doctor_warn(d, "writers", "start them; shell commands alone need none",
			"none is alive (%u died, %u ended); what they counted is kept", dead,
			ended);
	else
		doctor_ok(d, "writers", "%u alive, %u died, %u ended", live, dead, ended);
	check_names(d, s);
}

static void check_fill(struct doctor *d, const struct sm_snapshot *s)
{
	const struct sm_fill *f = &s->fill;
	const struct {
		const char *name;
		uint64_t used, max;
	} parts[] = {
		{ "families", f->families, f->families_max },
		{ "series", f->series, f->series_max },
		{ "cells", f->cells, f->cells_max },
		{ "strings", f->strings, f->strings_max },
		{ "exemplars", f->exemplars, f->exemplars_max },
		{ "writers", f->writers, f->writers_max },
	};
	unsigned percent, worst = 0;
	char remedy[SEL_PATH_MAX + 256];
	size_t which = 0;

	snprintf(remedy, sizeof(remedy),
		"remove series or families that nobody needs, look for label values that explode; a "
		"larger segment is made by the first writer after \"shardmeter rm --segment=%s\"",
		s->segment->path);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		percent = parts[i].max
				  ? (unsigned)((double)parts[i].used * 100 / (double)parts[i].max)
				  : 0;
		if (percent > worst) {
			worst = percent;
			which = i;
		}
	}
	if (worst >= FULL_PERCENT)
		doctor_warn(d, "fill", remedy, "%s are %u %% full (%llu of %llu)",
			parts[which].name, worst, (unsigned long long)parts[which].used,
			(unsigned long long)parts[which].max);
	else
		doctor_ok(d, "fill", "at most %u %% (%s)", worst, parts[which].name);
}

/* *ret_first: what there was then, for doctor_refused(). */
static void check_content(
	struct doctor *d, struct sm_reader *r, const struct sm_snapshot **ret_first)
{
	const struct sm_snapshot *s;
	struct sm_diag diag = { 0 };
	int rc = sm_snapshot_take(r, 0, &s, &diag);

	if (rc) {
		doctor_fail(d, rc > 0 ? CLI_NO_SEGMENT : cli_code(rc), "content",
			"\"shardmeter check\" says more", "%s",
			diag.message[0] ? diag.message : "it could not be read");
		return;
	}
	check_writers(d, s);
	check_heartbeats(d, s);
	check_fill(d, s);
	*ret_first = s;
}

static int run_doctor(struct cli *c)
{
	struct cli_json json = { .f = stdout, .indent = true };
	struct doctor d = { .c = c, .terminal = cli_is_terminal(stdout) };
	const struct sm_segment_info *info;
	struct sm_reader *r;
	struct sel sel;
	const struct sm_snapshot *first = NULL;
	uint64_t timeout_ns, watch_ns = 0;
	int rc;

	if (c->nargs)
		return cli_fail(c, CLI_FAILED, "\"%s\": choose the segment with -S", c->args[0]);
	rc = cli_seconds(c, "--timeout", c->value[DOCTOR_TIMEOUT], 0.01, 60, &timeout_ns);
	if (!rc)
		rc = cli_seconds(c, "--watch", c->value[DOCTOR_WATCH], 0, 3600, &watch_ns);
	if (rc)
		return rc;
	if (c->given[DOCTOR_JSON]) {
		d.json = &json;
		cli_json_open(&json, NULL, '{');
		cli_json_u64(&json, "schema", CLI_JSON_SCHEMA);
		cli_json_open(&json, "checks", '[');
	}
	check_environment(&d);
	memset(&sel, 0, sizeof(sel));
	r = check_segment(&d, &sel);
	if (r) {
		info = sm_reader_info(r);
		check_layout(&d, info);
		doctor_rights(&d, info);
		doctor_space(&d, info->path);
		doctor_remove_ipc(&d, info);
		check_content(&d, r, &first);
		check_structure(&d, info->path);
		doctor_exporter(&d, c->value[DOCTOR_EXPORTER], timeout_ns, info);
		if (first)
			doctor_refused(&d, r, first, watch_ns);
		sm_snapshot_free(first);
		sm_reader_close(r);
	} else {
		if (!sel.path[0] && sm_segment_resolve("default", sel.path, sizeof(sel.path)) != 0)
			strcpy(sel.path, "/dev/shm/");
		doctor_space(&d, sel.path);
		doctor_exporter(&d, c->value[DOCTOR_EXPORTER], timeout_ns, NULL);
	}
	rc = d.code ? d.code : d.warned ? CLI_NOTHING : CLI_OK;
	if (d.json) {
		cli_json_close(&json, ']');
		cli_json_u64(&json, "exit_code", (uint64_t)rc);
		cli_json_close(&json, '}');
	}
	return rc;
}

const struct cli_command cli_cmd_doctor = { .name = "doctor",
	.synopsis = "[options]",
	.run = run_doctor,
	.help = "Look for what is wrong between your program and the exporter, and say what to do.",
	.text = "One finding a line: ok, warn or fail, the check, what was found, and the remedy "
		"(elsewhere than on a terminal separated by TABs). Checks: environment, segment, "
		"layout, rights, memory, logind, writers, names, heartbeats, fill, structure, "
		"exporter, refused. Refusals count from the creation of the segment on; they are a "
		"warning if there were some while the doctor watched, or if a live writer had some: "
		"what was refused to it at its start may count into nowhere until it is restarted.\n"
		"\n"
		"Exit code 0 if all is well, 1 with warnings; otherwise that of the first failure: "
		"3 no segment, 4 several, 5 damaged or another layout, 6 no permission or "
		"everybody's, 2 anything else.",
	.options = (const struct cli_option[]){
		[DOCTOR_EXPORTER] = { "exporter", 'e', "ADDRESS", NULL,
			"Address and port of the exporter, unix:/PATH, or \"none\". Without it "
			"SHARDMETER_EXPORTER_WEB_LISTEN_ADDRESS, else 127.0.0.1:10464." },
		[DOCTOR_TIMEOUT] = { "timeout", 0, "SEC", "2",
			"Give the exporter SEC seconds to answer." },
		[DOCTOR_WATCH] = { "watch", 'w', "SEC", "1",
			"Look for SEC seconds whether anything is being refused, 0 to 3600." },
		[DOCTOR_JSON] = { "json", 0, NULL, NULL, "As JSON." },
		{ NULL, 0, NULL, NULL, NULL } } };
