/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accessible.c - the linear mode.
 *
 * Operations hover around the limits of the overview. So the end of such a fact is said only after
 * it was missing for some samples, and a fact that comes back before that is no news.
 */
#include "accessible.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUMMARY_OPS 10
#define OP_PATIENCE 10
#define FULL_PERCENT 80

enum kind { LIVE = 1, SILENT, DIED, ENDED, TROUBLE, REMOVED, REFUSED, FULL, AILMENT, OP };

/* ---- facts ---------------------------------------------------------------------------------- */

static uint64_t hash(enum kind kind, uint64_t a, uint64_t b)
{
	uint64_t h = (uint64_t)kind * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ a) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 31 ^ b) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 29;
}

static uint64_t hash_text(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h;
}

static struct top_fact *add(struct top_facts *f, uint64_t key)
{
	struct top_fact *fact;

	if (f->n == f->room) {
		fact = realloc(f->fact, (f->room * 2 + 32) * sizeof(*fact));
		if (!fact)
			return NULL;
		f->fact = fact;
		f->room = f->room * 2 + 32;
	}
	fact = &f->fact[f->n++];
	memset(fact, 0, sizeof(*fact));
	fact->key = key;
	fact->patience = 1;
	return fact;
}

static int add_writers(struct top_facts *f, const struct top_data *d)
{
	const struct top_status *st = &d->model.status;
	const struct top_writer *w;
	char age[TOP_NUMBER] = "";
	struct top_fact *fact;
	struct buf name = { 0 };
	enum kind kind;
	size_t i;
	int rc = 0;

	for (i = 0; i < st->nwriters && !rc; i++) {
		w = &st->writers[i];
		if (w->state == SM_WRITER_COMMON)
			continue;
		kind = w->state == SM_WRITER_LIVE ? LIVE : w->ended ? ENDED : DIED;
		fact = add(f, hash(kind, w->slot, w->incarnation));
		if (!fact)
			return -ENOMEM;
		name.len = 0;
		top_escape(&name, w->name, strlen(w->name), d->model.escape);
		snprintf(fact->text, sizeof(fact->text), "%.200s: %s", name.data ? name.data : "",
			 kind == LIVE	 ? "attached"
			 : kind == ENDED ? "ended"
					 : "died");
		if (!w->silent)
			continue;
		fact = add(f, hash(SILENT, w->slot, w->incarnation));
		if (!fact)
			return -ENOMEM;
		top_format_age(w->heartbeat_age_ns, age);
		snprintf(fact->text, sizeof(fact->text), "%.200s: no heartbeat for %s",
			 name.data ? name.data : "", age);
		if (w->state == SM_WRITER_LIVE)
			snprintf(fact->end, sizeof(fact->end), "%.200s: heartbeat again",
				 name.data ? name.data : "");
	}
	buf_free(&name);
	return rc;
}

static int add_segment(struct top_facts *f, const struct top_data *d)
{
	const struct top_status *st = &d->model.status;
	struct top_fact *fact;

	if (st->trouble[0]) {
		fact = add(f, hash(TROUBLE, 0, 0));
		if (!fact)
			return -ENOMEM;
		snprintf(fact->text, sizeof(fact->text), "no new values: %.200s", st->trouble);
		snprintf(fact->end, sizeof(fact->end), "new values again");
	}
	if (st->removed) {
		fact = add(f, hash(REMOVED, 0, 0));
		if (!fact)
			return -ENOMEM;
		snprintf(fact->text, sizeof(fact->text), "the segment's file was removed");
		snprintf(fact->end, sizeof(fact->end), "attached to the new segment");
	}
	if (st->refused) {
		fact = add(f, hash(REFUSED, 0, 0));
		if (!fact)
			return -ENOMEM;
		snprintf(fact->text, sizeof(fact->text), "%llu refused (%s)",
			 (unsigned long long)st->refused,
			 st->refused_reason ? st->refused_reason : "other");
	}
	if (st->fill_percent >= FULL_PERCENT) {
		fact = add(f, hash(FULL, 0, 0));
		if (!fact)
			return -ENOMEM;
		snprintf(fact->text, sizeof(fact->text), "%s %u%% full", st->fill_what,
			 st->fill_percent);
	}
	return 0;
}

static int add_health(struct top_facts *f, const struct top_data *d)
{
	const struct top_status *st = &d->model.status;
	const struct top_op *op;
	struct top_fact *fact;
	const char *name;
	size_t i;

	for (i = 0; i < st->nailments && i < TOP_AILMENTS; i++) {
		fact = add(f, hash(AILMENT, hash_text(st->ailment[i].text), 0));
		if (!fact)
			return -ENOMEM;
		snprintf(fact->text, sizeof(fact->text), "%s", st->ailment[i].text);
		snprintf(fact->end, sizeof(fact->end), "%.200s: no more", st->ailment[i].text);
	}
	for (i = 0; i < d->ops.n; i++) {
		op = d->ops.op[i];
		if (op->level == TOP_LEVEL_OK)
			continue;
		fact = add(f, hash(OP, op->hash, 0));
		if (!fact)
			return -ENOMEM;
		name = op->name[0] ? op->name : op->group + d->ops.prefix;
		snprintf(fact->text, sizeof(fact->text), "%.180s: %s", name, op->note);
		snprintf(fact->end, sizeof(fact->end), "%.200s: as usual", name);
		fact->patience = OP_PATIENCE;
	}
	return 0;
}

static struct top_fact *find(const struct top_facts *f, uint64_t key)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->fact[i].key == key)
			return &f->fact[i];
	return NULL;
}

static void say(struct buf *b, const char *local_time, const char *text)
{
	buf_printf(b, "%s %s\n", local_time, text);
}

int top_accessible_changes(struct buf *b, const struct top_data *d, struct top_facts *known,
			   const char *local_time)
{
	struct top_facts now = { 0 };
	struct top_fact *fact, *kept;
	int first = !known->fact;
	size_t i;

	if (!add(&now, 0) || add_writers(&now, d) || add_segment(&now, d) || add_health(&now, d)) {
		top_facts_release(&now);
		return -ENOMEM;
	}
	for (i = 0; i < now.n; i++)
		if (!first && !find(known, now.fact[i].key))
			say(b, local_time, now.fact[i].text);
	for (i = 0; known->fact && i < known->n; i++) {
		fact = &known->fact[i];
		if (find(&now, fact->key))
			continue;
		if (++fact->missing < fact->patience) {
			kept = add(&now, fact->key);
			if (!kept) {
				top_facts_release(&now);
				return -ENOMEM;
			}
			*kept = *fact;
		} else if (fact->end[0]) {
			say(b, local_time, fact->end);
		}
	}
	top_facts_release(known);
	*known = now;
	return 0;
}

void top_facts_release(struct top_facts *f)
{
	free(f->fact);
	memset(f, 0, sizeof(*f));
}

/* ---- summary -------------------------------------------------------------------------------- */

static int worse(const void *pa, const void *pb)
{
	const struct top_op *a = *(const struct top_op *const *)pa;
	const struct top_op *b = *(const struct top_op *const *)pb;
	double x = a->timed && isfinite(a->quantile[1]) ? a->quantile[1] : 0;
	double y = b->timed && isfinite(b->quantile[1]) ? b->quantile[1] : 0;

	if (a->level != b->level)
		return a->level > b->level ? -1 : 1;
	return x != y ? (x > y ? -1 : 1) : strcmp(a->text, b->text);
}

/* There is one sample: rate and failures are of the whole life. */
static void put_op(struct buf *b, const struct top_model *m, const struct top_ops *ops,
		   const struct top_op *op, const struct top_glyphs *g)
{
	double rate = 0, count = 0, failed = 0, x;
	char number[TOP_NUMBER];
	size_t i;

	for (i = 0; i < op->nrows; i++) {
		x = top_row_average(m, op->rows[i]);
		rate += isfinite(x) ? x : 0;
		count += top_row_value(op->rows[i]);
		failed += op->rows[i]->failure ? top_row_value(op->rows[i]) : 0;
	}
	buf_printf(b, "%s%s%s: ", op->group + ops->prefix, op->name[0] ? " " : "", op->name);
	top_format_rate(rate, "", number);
	buf_printf(b, "%s per second", number);
	if (count > 0 && op->rows[0]->family->role.outcome >= 0)
		buf_printf(b, ", %.2f%% errors", failed * 100 / count);
	if (op->timed && !isnan(op->quantile[1])) {
		top_format_quantity(op->quantile[1], "seconds", g->micro, number);
		buf_printf(b, ", p95 %s", number);
	}
	buf_printf(b, "%s%s\n", op->note[0] ? ", " : "", op->note);
}

void top_accessible_summary(struct buf *b, const struct top_data *d, const struct top_glyphs *g)
{
	const struct top_status *st = &d->model.status;
	struct top_glyphs plain = *g;
	const struct top_op **ops = calloc(d->ops.n + 1, sizeof(const struct top_op *));
	size_t i;

	if (!ops) {
		b->failed = 1;
		return;
	}
	plain.joint = ", ";
	buf_printf(b, "segment %s", st->segment);
	if (st->nversions)
		buf_printf(b, ", version %s%s", st->version, st->nversions > 1 ? " and others" : "");
	if (st->total)
		buf_printf(b, ", %u of %u writers up", st->up, st->total);
	else
		buf_puts(b, ", no writers");
	buf_printf(b, ", %zu series", d->model.nshown);
	if (st->fill_what)
		buf_printf(b, ", %u%% used", st->fill_percent);
	buf_puts(b, "\n");
	top_judgement(st, &d->ops, &plain, b);
	buf_puts(b, "\n");
	for (i = 0; i < d->ops.n; i++)
		ops[i] = d->ops.op[i];
	qsort(ops, d->ops.n, sizeof(const struct top_op *), worse);
	for (i = 0; i < d->ops.n && i < SUMMARY_OPS; i++)
		put_op(b, &d->model, &d->ops, ops[i], g);
	if (d->ops.n > SUMMARY_OPS)
		buf_printf(b, "and %zu operations more\n", d->ops.n - SUMMARY_OPS);
	free(ops);
}
