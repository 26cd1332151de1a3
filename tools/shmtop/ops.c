/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.c - the operations of the overview.
 *
 * What a family and a row are is decided once, when they are new. After each sample the rows are
 * added up into operations, found by the hash of their family and labels; two operations whose
 * hashes are equal would be shown as one.
 *
 * An operation is flagged by comparing it with itself: its failures of the last minute with those
 * of five minutes, its p95 with that of its whole life. The p95 of a few dozen observations of
 * something with a long tail jumps about; so it must also be more than chance (binomial) that so
 * many of them are above what is usual.
 */
#include "ops.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOWER 1.5		/* p95 by which an operation counts as slow */
#define SIGMAS 3.5		/* and so far beyond chance are the observations above the usual p95 */
#define FEW_ERRORS 3		/* failures a minute that flag nothing */
#define ERRORS_WARN 0.01
#define ERRORS_BAD 0.05
#define ERRORS_TIMES 3		/* more errors than usual */

/* ---- roles ---------------------------------------------------------------------------------- */

static int is_in(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (!strcasecmp(text, *list))
			return 1;
	return 0;
}

static size_t without_end(const char *name, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && !strncmp(name + len - n, end, n) ? len - n : len;
}

/* "bot_command_duration_seconds" and "bot_commands_total" both begin with "bot_command". */
static size_t stem_of(const struct top_family *f)
{
	static const char *const ends[] = { "_total", "_seconds", "_duration", "_latency", "_time" };
	size_t len = strlen(f->name), i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		len = without_end(f->name, len, ends[i]);
	if (f->kind == SM_COUNTER)
		len = without_end(f->name, len, "s");
	return len;
}

void top_role_of(struct top_family *f)
{
	static const char *const endings[] = { "status", "outcome", "code", "status_code", "success",
					       "result", "error", NULL };
	static const char *const parts[] = { "stage", "phase", "step", "checkpoint", NULL };
	static const char *const failures[] = { "_error", "_failure", "_exception", "_failed", NULL };
	unsigned i;

	f->role.outcome = -1;
	for (i = 0; i < f->nlabels; i++) {
		if (f->kind == SM_HISTOGRAM && is_in(f->labels[i], parts))
			return;
		if (f->role.outcome < 0 && is_in(f->labels[i], endings))
			f->role.outcome = (int)i;
	}
	f->role.stem = stem_of(f);
	if (f->kind == SM_HISTOGRAM && !strcmp(f->unit, "seconds")) {
		f->role.what = TOP_ROLE_TIMED;
	} else if (f->kind == SM_COUNTER) {
		for (i = 0; failures[i]; i++)
			if (without_end(f->name, f->role.stem, failures[i]) < f->role.stem) {
				f->role.stem = without_end(f->name, f->role.stem, failures[i]);
				f->role.what = TOP_ROLE_ERRORS;
				return;
			}
		/* Results and errors of counters are as often kinds of things: hit, miss. */
		if (f->role.outcome >= 0 && strcmp(f->labels[f->role.outcome], "result") != 0 &&
		    strcmp(f->labels[f->role.outcome], "error") != 0)
			f->role.what = TOP_ROLE_COUNTED;
	}
}

static int is_failure(const char *label, const char *value)
{
	static const char *const words[] = { "error",	"fail",	 "timeout", "timed_out", "exception",
					     "crash",	"abort", "reject",  "refus",	 "denied",
					     "invalid", "dead",	 "unavail", "limited",	 "critical" };
	static const char *const no[] = { "", "0", "none", "false", "no", "ok", NULL };
	static const char *const yes[] = { "true", "1", "yes", NULL };
	size_t i, digits = strspn(value, "0123456789");

	if (!strcasecmp(label, "success"))
		return !is_in(value, yes);
	if (!strcasecmp(label, "error"))
		return !is_in(value, no);
	if (digits == 3 && !value[3])
		return value[0] >= '4';
	if (digits == 1 && !strcasecmp(value + 1, "xx"))
		return value[0] >= '4';
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(value, words[i]))
			return 1;
	return 0;
}

static uint64_t mix(uint64_t h, const char *s)
{
	/* With the NUL, so that "ab","c" is not "a","bc". */
	do {
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	} while (*s++);
	return h ^ h >> 32;
}

static uint64_t hash_start(const struct top_family *f)
{
	return mix(UINT64_C(0xcbf29ce484222325) ^ f->incarnation, f->name);
}

void top_role_of_row(struct top_row *row)
{
	const struct top_family *f = row->family;
	int outcome = f->role.outcome;
	uint64_t h = hash_start(f);
	unsigned i;

	if (f->role.what != TOP_ROLE_TIMED && f->role.what != TOP_ROLE_COUNTED)
		return;
	for (i = 0; i < f->nlabels; i++)
		if ((int)i != outcome)
			h = mix(h, row->values[i]);
	row->op = h ? h : 1;
	row->failure = outcome >= 0 && is_failure(f->labels[outcome], row->values[outcome]);
}

/* Find who counts the failures of timed families that cannot tell them, and counters that only
 * repeat a histogram. O(families^2), when a family came or went. */
static void link_families(struct top_model *m)
{
	struct top_family *f, *t;

	for (f = m->families; f; f = f->next) {
		f->role.errors = NULL;
		f->role.covered = 0;
	}
	for (t = m->families; t; t = t->next) {
		if (t->role.what != TOP_ROLE_TIMED)
			continue;
		for (f = m->families; f; f = f->next) {
			if ((f->role.what != TOP_ROLE_COUNTED && f->role.what != TOP_ROLE_ERRORS) ||
			    f->role.stem != t->role.stem ||
			    strncmp(f->name, t->name, f->role.stem) != 0)
				continue;
			f->role.covered = 1;
			if (t->role.outcome < 0)
				t->role.errors = f;
		}
	}
}

/* ---- the table of operations ---------------------------------------------------------------- */

struct top_op *top_ops_find(const struct top_ops *ops, uint64_t hash)
{
	size_t at;

	if (!ops->nbuckets)
		return NULL;
	for (at = hash & (ops->nbuckets - 1); ops->buckets[at]; at = (at + 1) & (ops->nbuckets - 1))
		if (ops->buckets[at]->hash == hash)
			return ops->buckets[at];
	return NULL;
}

static void op_free(struct top_op *op)
{
	if (!op)
		return;
	free(op->name);
	free(op->group);
	free(op->text);
	free(op->rows);
	free(op);
}

static int rehash(struct top_ops *ops)
{
	size_t n = 64, i, at;
	struct top_op **buckets;

	while (n < 2 * ops->n + 2)
		n *= 2;
	buckets = calloc(n, sizeof(struct top_op *));
	if (!buckets)
		return -ENOMEM;
	for (i = 0; i < ops->n; i++) {
		at = ops->op[i]->hash & (n - 1);
		while (buckets[at])
			at = (at + 1) & (n - 1);
		buckets[at] = ops->op[i];
	}
	free(ops->buckets);
	ops->buckets = buckets;
	ops->nbuckets = n;
	return 0;
}

static struct top_op *op_new(const struct top_model *m, const struct top_row *row)
{
	const struct top_family *f = row->family;
	struct buf name = { 0 }, group = { 0 }, text = { 0 };
	struct top_op *op = calloc(1, sizeof(*op));
	unsigned i, n = 0;

	if (!op)
		return NULL;
	top_escape(&group, f->name, f->role.stem, m->escape);
	top_escape(&text, f->name, strlen(f->name), m->escape);
	buf_puts(&text, "{");
	for (i = 0; i < f->nlabels; i++) {
		if ((int)i == f->role.outcome)
			continue;
		buf_puts(&name, n ? " " : "");
		top_escape(&name, row->values[i], strlen(row->values[i]), m->escape);
		buf_puts(&text, n++ ? "," : "");
		top_escape(&text, f->labels[i], strlen(f->labels[i]), m->escape);
		buf_puts(&text, "=");
		top_escape(&text, row->values[i], strlen(row->values[i]), m->escape);
	}
	buf_puts(&text, "}");
	op->hash = row->op;
	op->timed = f->role.what == TOP_ROLE_TIMED;
	op->name = buf_take(&name);
	op->group = buf_take(&group);
	op->text = buf_take(&text);
	if (!op->name || !op->group || !op->text) {
		op_free(op);
		return NULL;
	}
	op->name_width = top_width(op->name);
	op->group_width = top_width(op->group);
	return op;
}

static struct top_op *op_of(struct top_ops *ops, const struct top_model *m,
			    const struct top_row *row)
{
	struct top_op *op = top_ops_find(ops, row->op), **list;

	if (op)
		return op;
	if (ops->n == ops->room) {
		list = realloc(ops->op, (ops->room * 2 + 16) * sizeof(struct top_op *));
		if (!list)
			return NULL;
		ops->op = list;
		ops->room = ops->room * 2 + 16;
	}
	op = op_new(m, row);
	if (!op)
		return NULL;
	ops->op[ops->n++] = op;
	if (rehash(ops)) {
		ops->n--;
		op_free(op);
		return NULL;
	}
	return op;
}

static int op_add(struct top_op *op, struct top_row *row)
{
	struct top_row **rows;

	if (op->nrows == op->room) {
		rows = realloc(op->rows, (op->room * 2 + 2) * sizeof(struct top_row *));
		if (!rows)
			return -ENOMEM;
		op->rows = rows;
		op->room = op->room * 2 + 2;
	}
	op->rows[op->nrows++] = row;
	return 0;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static double or_zero(double x)
{
	return isfinite(x) ? x : 0;
}

/* Failures that another family counts: match the labels that both have. Without a common label
 * only an operation that is alone in its family can be meant. */
static void add_errors(struct top_ops *ops, const struct top_family *timed,
		       const struct top_row *row)
{
	const struct top_family *f = row->family;
	uint64_t h = hash_start(timed);
	struct top_op *op;
	unsigned i, k;

	for (i = 0; i < timed->nlabels; i++) {
		for (k = 0; k < f->nlabels && strcmp(timed->labels[i], f->labels[k]) != 0; k++)
			;
		if (k == f->nlabels)
			return;
		h = mix(h, row->values[k]);
	}
	op = top_ops_find(ops, h ? h : 1);
	if (!op)
		return;
	if (f->role.what == TOP_ROLE_COUNTED) {
		op->error_of += or_zero(row->stats.average[1]);
		op->error_usual_of += or_zero(row->stats.average[2]);
	}
	if (f->role.what == TOP_ROLE_ERRORS ||
	    is_failure(f->labels[f->role.outcome], row->values[f->role.outcome])) {
		op->error_rate += or_zero(row->stats.average[1]);
		op->error_usual += or_zero(row->stats.average[2]);
	}
}

static void add_rates(struct top_op *op, const struct top_model *m)
{
	const struct top_row *row;
	int known = 0;
	double age_s;
	size_t i;

	op->rate = op->minute = 0;
	op->error_rate = op->error_usual = op->error_of = op->error_usual_of = 0;
	op->recent_count = 0;
	op->watched_s = 0;
	for (i = 0; i < op->nrows; i++) {
		row = op->rows[i];
		known |= row->rating == TOP_RATE_OK;
		op->rate += row->rating == TOP_RATE_OK ? row->rate : 0;
		op->minute += or_zero(row->stats.average[1]);
		age_s = row->stats.since_boot_ns
				? (double)(m->boot_ns - row->stats.since_boot_ns) / 1e9
				: 0;
		op->watched_s = fmax(op->watched_s, fmin(age_s, top_average_s[1]));
		if (row->histogram)
			op->recent_count += row->histogram->recent_count;
		if (row->family->role.outcome < 0)
			continue;
		op->error_of += or_zero(row->stats.average[1]);
		op->error_usual_of += or_zero(row->stats.average[2]);
		if (row->failure) {
			op->error_rate += or_zero(row->stats.average[1]);
			op->error_usual += or_zero(row->stats.average[2]);
		}
	}
	if (!known)
		op->rate = NAN;
}

/* Quantiles of all rows of the operation, by adding their buckets. */
static void add_quantiles(struct top_ops *ops, const struct top_model *m, struct top_op *op)
{
	const struct top_family *f = op->rows[0]->family;
	const struct top_histogram *h;
	unsigned b, n = f->nunited;
	uint64_t *now = ops->counts, *then = ops->counts + n + 1;
	double usual = 0, usual_above = 0, recent = 0, above = 0, expected;
	const uint64_t *before;
	size_t i;

	memset(now, 0, 2 * (n + 1) * sizeof(*now));
	for (i = 0; i < op->nrows; i++) {
		h = op->rows[i]->histogram;
		before = m->window == TOP_WINDOW_MINUTE ? h->older : h->before;
		for (b = 0; b <= n; b++) {
			now[b] += h->counts[b];
			then[b] += before[b];
		}
	}
	top_buckets_quantiles(now, NULL, f->united, n, top_quantile, TOP_QUANTILES, op->whole);
	op->recent = m->window != TOP_WINDOW_LIFE &&
		     top_buckets_quantiles(now, then, f->united, n, top_quantile, TOP_QUANTILES,
					   op->quantile) > 0;
	if (!op->recent)
		memcpy(op->quantile, op->whole, sizeof(op->quantile));
	if (m->window == TOP_WINDOW_LIFE)
		op->recent = 1;
	op->tail = 0;
	for (b = 0; b <= n && op->whole[1] > 0; b++) {
		if (b && f->united[b - 1] < op->whole[1])
			continue;
		usual_above += (double)now[b];
		above += (double)(now[b] - then[b]);
	}
	for (b = 0; b <= n; b++) {
		usual += (double)now[b];
		recent += (double)(now[b] - then[b]);
	}
	if (usual > 0 && usual_above > 0 && recent > 0) {
		expected = recent * usual_above / usual;
		op->tail = (above - expected - 1) / sqrt(expected);
	}
}

static void judge(struct top_op *op, enum top_window window)
{
	double slower;

	op->level = TOP_LEVEL_OK;
	op->note[0] = '\0';
	if (op->errors >= ERRORS_BAD && op->error_rate * op->watched_s >= FEW_ERRORS) {
		op->level = TOP_LEVEL_BAD;
		snprintf(op->note, sizeof(op->note), "%.0f%% fail", op->errors * 100);
	} else if (op->errors >= ERRORS_WARN && op->error_rate * op->watched_s >= FEW_ERRORS &&
		   op->errors > ERRORS_TIMES * op->usual_errors) {
		op->level = TOP_LEVEL_WARN;
		snprintf(op->note, sizeof(op->note), "err x%.0f", op->errors / op->usual_errors);
	}
	slower = op->timed && op->whole[1] > 0 ? op->quantile[1] / op->whole[1] : 0;
	if (!op->level && window == TOP_WINDOW_MINUTE && op->recent && op->tail >= SIGMAS &&
	    slower >= SLOWER) {
		op->level = TOP_LEVEL_WARN;
		if (slower < 10)
			snprintf(op->note, sizeof(op->note), "p95 +%.0f%%", (slower - 1) * 100);
		else
			snprintf(op->note, sizeof(op->note), "p95 x%.0f", slower);
	}
}

static int scratch(struct top_ops *ops, const struct top_model *m)
{
	const struct top_family *f;
	uint64_t *counts;
	size_t most = 0;

	for (f = m->families; f; f = f->next)
		if (f->role.what == TOP_ROLE_TIMED && f->nunited + 1u > most)
			most = f->nunited + 1u;
	if (2 * most <= ops->ncounts)
		return 0;
	counts = realloc(ops->counts, 2 * most * sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	ops->counts = counts;
	ops->ncounts = 2 * most;
	return 0;
}

/* Distribute the rows. */
static int collect(struct top_ops *ops, struct top_model *m)
{
	struct top_op *op;
	struct top_row *row;
	size_t i;

	for (i = 0; i < ops->n; i++)
		ops->op[i]->nrows = 0;
	for (i = 0; i < m->nshown; i++) {
		row = m->rows[i];
		if (!row->op || row->family->role.covered)
			continue;
		op = op_of(ops, m, row);
		if (!op || op_add(op, row))
			return -ENOMEM;
		op->seen = m->sample;
	}
	return 0;
}

static void drop_unseen(struct top_ops *ops, const struct top_model *m)
{
	size_t i, kept = 0;

	for (i = 0; i < ops->n; i++) {
		if (ops->op[i]->seen == m->sample && ops->op[i]->nrows)
			ops->op[kept++] = ops->op[i];
		else
			op_free(ops->op[i]);
	}
	if (kept == ops->n)
		return;
	ops->n = kept;
	memset(ops->buckets, 0, ops->nbuckets * sizeof(struct top_op *));
	for (i = 0; i < kept; i++) {
		size_t at = ops->op[i]->hash & (ops->nbuckets - 1);

		while (ops->buckets[at])
			at = (at + 1) & (ops->nbuckets - 1);
		ops->buckets[at] = ops->op[i];
	}
}

static void add_foreign_errors(struct top_ops *ops, const struct top_model *m)
{
	const struct top_family *t;
	size_t i;

	for (t = m->families; t; t = t->next) {
		if (t->role.what != TOP_ROLE_TIMED || !t->role.errors)
			continue;
		for (i = 0; i < m->nshown; i++)
			if (m->rows[i]->family == t->role.errors)
				add_errors(ops, t, m->rows[i]);
	}
}

/* Failures without a sum of their own to compare with are a share of the operations. */
static void share(const struct top_family *f, struct top_op *op)
{
	double usual = 0;
	size_t i;

	op->errors = op->usual_errors = NAN;
	for (i = 0; i < op->nrows && isnan(op->rows[i]->stats.average[1]); i++)
		;
	/* Nobody tells failures, or there is no second sample yet. */
	if ((f->role.outcome < 0 && !f->role.errors) || i == op->nrows)
		return;
	if (f->role.errors && f->role.errors->role.what == TOP_ROLE_ERRORS) {
		for (i = 0; i < op->nrows; i++)
			usual += or_zero(op->rows[i]->stats.average[2]);
		op->error_of = op->minute;
		op->error_usual_of = usual;
	}
	op->errors = op->error_of > 0 ? op->error_rate / op->error_of : 0;
	op->usual_errors = op->error_usual_of > 0 ? op->error_usual / op->error_usual_of : 0;
}

/* What all groups begin with, up to an underscore, says nothing on the screen. */
static void find_prefix(struct top_ops *ops)
{
	const char *first, *other;
	size_t i, n, end = 0;

	ops->several_groups = 0;
	ops->prefix = 0;
	if (!ops->n)
		return;
	first = ops->op[0]->group;
	n = strlen(first);
	for (i = 1; i < ops->n; i++) {
		other = ops->op[i]->group;
		ops->several_groups |= strcmp(first, other) != 0;
		for (end = 0; end < n && other[end] == first[end]; end++)
			;
		n = end;
	}
	while (n && first[n - 1] != '_')
		n--;
	ops->prefix = n;
}

int top_ops_update(struct top_ops *ops, struct top_model *m)
{
	double errors = 0, usual = 0, of = 0, usual_of = 0;
	struct top_op *op;
	size_t i;

	if (m->news)
		link_families(m);
	if (scratch(ops, m) || collect(ops, m))
		return -ENOMEM;
	drop_unseen(ops, m);
	for (i = 0; i < ops->n; i++)
		add_rates(ops->op[i], m);
	add_foreign_errors(ops, m);
	ops->rate = 0;
	find_prefix(ops);
	for (i = 0; i < ops->n; i++) {
		op = ops->op[i];
		share(op->rows[0]->family, op);
		if (op->timed)
			add_quantiles(ops, m, op);
		judge(op, m->window);
		if (isnan(op->errors))
			continue;
		ops->rate += or_zero(op->rate);
		errors += op->error_rate;
		usual += op->error_usual;
		of += op->error_of;
		usual_of += op->error_usual_of;
	}
	ops->errors = of > 0 ? errors / of : NAN;
	ops->usual_errors = usual_of > 0 ? usual / usual_of : NAN;
	return 0;
}

void top_ops_release(struct top_ops *ops)
{
	size_t i;

	for (i = 0; i < ops->n; i++)
		op_free(ops->op[i]);
	free(ops->op);
	free(ops->buckets);
	free(ops->counts);
	memset(ops, 0, sizeof(*ops));
}

float top_op_history(const struct top_model *m, const struct top_op *op, unsigned ago)
{
	float sum = NAN, x;
	size_t i;

	for (i = 0; i < op->nrows; i++) {
		x = top_row_history(m, op->rows[i], ago);
		if (isfinite(x))
			sum = isfinite(sum) ? sum + x : x;
	}
	return sum;
}
