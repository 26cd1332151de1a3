/* SPDX-License-Identifier: Apache-2.0 */
/* family.c - see family.h. */
#include "family.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define DECLARE_TRIES 3

static bool is_disabled(void)
{
	const char *v = getenv("SHARDMETER_DISABLE");

	return v && *v && strcmp(v, "0") != 0;
}

int fam_open(const struct cli *c, bool create, struct fam *f)
{
	struct sm_options options = { .flags = SM_OPEN_COMMON };
	struct sm_diag diag = { 0 };
	int rc;

	memset(f, 0, sizeof(*f));
	f->disabled = is_disabled();
	if (f->disabled)
		return 0;
	rc = sel_choose(c, create, &f->sel);
	if (rc)
		return rc;
	if (!create)
		options.flags |= SM_OPEN_NO_CREATE;
	options.segment = f->sel.path;
	f->sm = sm_open(&options, &diag);
	if (diag.error == -ENOENT && !create)
		return cli_fail(c, CLI_NO_SEGMENT,
			"no segment %s; start the program that counts, or use --create",
			f->sel.path);
	if (diag.error)
		return cli_fail(c, cli_code(diag.error), "%s", diag.message);
	if (diag.message[0] && create)
		cli_note(c, "%s", diag.message);
	rc = sel_attach(c, f->sel.path, &f->reader);
	if (rc)
		return rc;
	rc = sm_snapshot_take(f->reader, 0, &f->snapshot, &diag);
	if (rc)
		return cli_fail(c, cli_code(rc), "cannot read %s: %s", f->sel.path, diag.message);
	return 0;
}

void fam_close(struct fam *f)
{
	sm_snapshot_free(f->snapshot);
	sm_reader_close(f->reader);
	sm_close(f->sm);
	memset(f, 0, sizeof(*f));
}

/* ---- labels ---- */

/* "job, status" for a message; "none" if there are none. */
static const char *name_list(char *text, size_t size, const char *const *names, unsigned n)
{
	size_t at = 0;

	snprintf(text, size, "none");
	for (unsigned i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", names[i]);
	return text;
}

static int find_label(const struct cli_series *s, const char *name)
{
	for (unsigned i = 0; i < s->nlabels; i++)
		if (strcmp(s->label[i].name, name) == 0)
			return (int)i;
	return -1;
}

int fam_match_labels(const struct cli *c, const struct sm_family_info *info,
	const struct cli_series *s, struct sm_str *ret_values)
{
	const char *missing[SM_LABELS_MAX] = { NULL }, *unknown[SM_LABELS_MAX] = { NULL };
	unsigned nmissing = 0, nunknown = 0, j;
	char t1[600], t2[600], t3[600];
	bool both;
	int at;

	for (unsigned i = 0; i < info->nlabels; i++) {
		at = find_label(s, info->labels[i]);
		if (at < 0) {
			missing[nmissing++] = info->labels[i];
			continue;
		}
		ret_values[i] = SM_STR(s->label[at].value);
	}
	for (unsigned i = 0; i < s->nlabels; i++) {
		for (j = 0; j < info->nlabels && strcmp(info->labels[j], s->label[i].name) != 0;
			j++)
			;
		if (j == info->nlabels)
			unknown[nunknown++] = s->label[i].name;
	}
	if (nmissing == 0 && nunknown == 0)
		return 0;
	name_list(t1, sizeof(t1), info->labels, info->nlabels);
	name_list(t2, sizeof(t2), missing, nmissing);
	name_list(t3, sizeof(t3), unknown, nunknown);
	both = nmissing && nunknown;
	return cli_fail(c, CLI_FAILED, "%s has the labels: %s; %s%s%s%s%s", info->name, t1,
		nmissing ? "missing: " : "", nmissing ? t2 : "", both ? "; " : "",
		nunknown ? "not its labels: " : "", nunknown ? t3 : "");
}

/* ---- declaring ---- */

/* Decimals that a fixed-point counter has if nobody says otherwise: those of sm_declare(). */
static unsigned default_decimals(const char *unit)
{
	return unit && strcmp(unit, SM_SECONDS) == 0 ? 9 : 6;
}

/* A counter with other decimals can only be declared, and counted, as SM_NUMBER_FIXED. */
static bool has_own_decimals(const struct sm_family_info *info)
{
	return info->kind == SM_COUNTER && info->decimals != default_decimals(info->unit);
}

/* How to count an amount: exactly wherever that can be had. */
static enum sm_number number_for(
	const struct sm_family_info *info, const struct cli_amount *a, unsigned decimals)
{
	uint64_t units;

	if (info && has_own_decimals(info))
		return SM_NUMBER_FIXED;
	if (!a || cli_amount_in(a, 0, &units))
		return SM_NUMBER_U64;
	return cli_amount_in(a, decimals, &units) ? SM_NUMBER_FIXED : SM_NUMBER_DOUBLE;
}

struct sm_family *fam_redeclare(struct sm *sm, const struct sm_family_info *info,
	enum sm_number number, struct sm_diag *diag)
{
	struct sm_family_options o = { .kind = info->kind,
		.name = info->name,
		.help = info->help,
		.unit = info->unit[0] ? info->unit : NULL,
		.cap = info->cap,
		.number = has_own_decimals(info) ? SM_NUMBER_FIXED : number,
		.decimals = info->decimals,
		.exemplars = (info->flags & SM_FAMILY_EXEMPLARS) != 0,
		.mode = info->mode,
		.keep = (info->flags & SM_FAMILY_KEEP) != 0,
		.bounds = info->nbounds ? info->bounds : NULL,
		.nbounds = info->nbounds,
		.grid = info->flags & SM_FAMILY_FINE_GRID ? SM_GRID_ON : SM_GRID_OFF,
		.is_signed = (info->flags & SM_FAMILY_SIGNED) != 0,
		.states = info->nstates ? info->states : NULL,
		.nstates = info->nstates };

	for (unsigned i = 0; i < info->nlabels && i < SM_LABELS_MAX; i++)
		o.labels[i] = info->labels[i];
	return sm_declare(sm, &o, diag);
}

static bool ends_with(const char *name, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && memcmp(name + len - n, end, n) == 0;
}

const char *fam_unit_of_name(const char *name)
{
	static const char *const units[] = { SM_SECONDS, SM_BYTES, SM_RATIO };
	size_t len = strlen(name);

	if (ends_with(name, len, "_total"))
		len -= strlen("_total");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (ends_with(name, len, units[i]) && name[len - strlen(units[i]) - 1] == '_')
			return units[i];
	return NULL;
}

static const char *unit_for(const struct cli_series *s, const struct fam_want *want)
{
	return want->unit ? want->unit : fam_unit_of_name(s->name);
}

static struct sm_family *declare_new(struct sm *sm, const struct cli_series *s,
	const struct fam_want *want, enum sm_number number, struct sm_diag *diag)
{
	struct sm_family_options o = { .kind = want->make,
		.name = s->name,
		.help = want->help,
		.unit = unit_for(s, want),
		.mode = want->mode,
		.number = number,
		.bounds = want->bounds,
		.nbounds = want->nbounds };

	for (unsigned i = 0; i < s->nlabels; i++)
		o.labels[i] = s->label[i].name;
	return sm_declare(sm, &o, diag);
}

static const char *verb_for(enum sm_kind kind)
{
	switch (kind) {
	case SM_COUNTER: return "use inc";
	case SM_GAUGE: return "use set, inc or dec";
	case SM_UPDOWN: return "use inc or dec";
	case SM_HISTOGRAM: return "use observe or time";
	default: return "it cannot be updated from here";
	}
}

static bool same_bounds(const struct sm_family_info *info, const struct fam_want *want)
{
	if (info->nbounds != want->nbounds)
		return false;
	for (size_t i = 0; i < want->nbounds; i++)
		if (info->bounds[i] < want->bounds[i] || info->bounds[i] > want->bounds[i])
			return false;
	return true;
}

/* Does the family that is there suit the verb and what the options say? */
static int check_existing(
	const struct cli *c, const struct sm_family_info *info, const struct fam_want *want)
{
	if (info->kind > SM_STATESET || !(want->kinds >> info->kind & 1))
		return cli_fail(c, CLI_FAILED, "%s is a %s: %s", info->name, cli_kind(info->kind),
			verb_for(info->kind));
	if (want->exactly && want->make != info->kind)
		return cli_fail(c, CLI_FAILED, "%s is a %s, not a %s", info->name,
			cli_kind(info->kind), cli_kind(want->make));
	if (want->mode_exactly && want->mode != info->mode)
		return cli_fail(c, CLI_FAILED, "%s is a gauge of mode %s, not %s", info->name,
			cli_mode(info->mode), cli_mode(want->mode));
	if (want->unit && strcmp(want->unit, info->unit) != 0)
		return cli_fail(c, CLI_FAILED, "%s has the unit \"%s\", not \"%s\"", info->name,
			info->unit, want->unit);
	if (want->nbounds && info->kind == SM_HISTOGRAM && !same_bounds(info, want))
		return cli_fail(c, CLI_FAILED,
			"%s has other buckets; leave out --buckets to use them", info->name);
	return 0;
}

/* Declare as the snapshot has it, or as it is wanted if it has not. */
static int declare_once(const struct cli *c, const struct fam *f, const struct cli_series *s,
	const struct fam_want *want, struct fam_series *ret, struct sm_diag *diag)
{
	const struct sm_family_info *info = sel_family(f->snapshot, s->name);
	int rc;

	ret->info = info;
	ret->kind = info ? info->kind : want->make;
	ret->n = info ? info->nlabels : s->nlabels;
	ret->decimals = info ? info->decimals : default_decimals(unit_for(s, want));
	ret->number = number_for(info, want->amount, ret->decimals);
	if (!info) {
		for (unsigned i = 0; i < s->nlabels; i++)
			ret->values[i] = SM_STR(s->label[i].value);
		ret->family = declare_new(f->sm, s, want, ret->number, diag);
		return 0;
	}
	rc = check_existing(c, info, want);
	if (!rc)
		rc = fam_match_labels(c, info, s, ret->values);
	if (!rc)
		ret->family = fam_redeclare(f->sm, info, ret->number, diag);
	return rc;
}

int fam_declare(const struct cli *c, struct fam *f, const struct cli_series *s,
	const struct fam_want *want, struct fam_series *ret)
{
	const struct sm_snapshot *now;
	struct sm_diag diag = { 0 };
	int rc;

	for (int tries = 0;; tries++) {
		rc = declare_once(c, f, s, want, ret, &diag);
		if (rc)
			return rc;
		/* Another definition: of one that came between our look and our declaration? */
		if (diag.error != -EEXIST || tries == DECLARE_TRIES ||
			sm_snapshot_take(f->reader, 0, &now, &diag) != 0)
			break;
		sm_snapshot_free(f->snapshot);
		f->snapshot = now;
	}
	if (diag.error)
		return cli_fail(c, cli_code(diag.error), "%s", diag.message);
	if (diag.message[0])
		cli_note(c, "%s", diag.message);
	for (unsigned i = 0; i < ret->n; i++)
		if (ret->values[i].len > 1024)
			return cli_fail(c, CLI_FAILED,
				"the value of label %u is longer than 1024 bytes", i + 1);
	return 0;
}

double fam_now(void)
{
	struct timespec t;
	int64_t ms;

	clock_gettime(CLOCK_REALTIME, &t);
	ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	return (double)ms / 1e3;
}

/* ---- verifying ---- */

/* What the header counts: refusals of those who have no slot, that is, of shell commands. */
static uint64_t refused_without_slot(const struct sm_snapshot *s, unsigned reason)
{
	uint64_t n = s->refused[reason];

	for (size_t i = 0; i < s->nwriters; i++)
		n -= s->writers[i].refused[reason];
	return n;
}

int fam_verify(const struct cli *c, struct fam *f)
{
	const struct sm_snapshot *now;
	struct sm_diag diag;
	const char *reason;
	int rc = 0;

	if (sm_snapshot_take(f->reader, 0, &now, &diag) != 0)
		return cli_fail(c, cli_code(diag.error), "%s", diag.message);
	for (unsigned i = 0; i < SM_REFUSED_REASONS && !rc; i++) {
		if (refused_without_slot(now, i) == refused_without_slot(f->snapshot, i))
			continue;
		reason = sm_refused_reason(i);
		/* Ours have failed in fam_declare(), or it is that of a command beside this one. */
		if (reason && (strcmp(reason, "conflict") == 0 || strcmp(reason, "invalid") == 0))
			continue;
		if (reason && strcmp(reason, "cap") == 0)
			cli_note(c,
				"counted as __other__: the family has as many series as its cap "
				"allows");
		else
			rc = cli_fail(c, CLI_FAILED, "not counted (%s): %s", reason ? reason : "?",
				sm_refused_help(i));
	}
	sm_snapshot_free(now);
	return rc;
}
