/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c - one line that says what is wrong with the segment and its operations, the worst first.
 */
#include "draw.h"

#include <math.h>
#include <stdio.h>

#define FULL_PERCENT 80
#define NAMED 2		/* of what is wrong, so many are named */

struct verdict {
	struct buf *b;
	const struct top_glyphs *g;
	enum top_style style;
	unsigned n;
};

/* Begin the next finding. They come in order of weight: the first one gives the style. */
static struct buf *finding(struct verdict *v, enum top_style style)
{
	if (v->n++) {
		buf_puts(v->b, v->g->joint);
	} else {
		v->style = style;
		buf_puts(v->b, style == TOP_GOOD || style == TOP_PLAIN ? "" : "! ");
	}
	return v->b;
}

static void writers(struct verdict *v, const struct top_status *st)
{
	char age[TOP_NUMBER];

	if (st->died) {
		top_format_age(st->died_age_ns, age);
		if (st->died > 1)
			buf_printf(finding(v, TOP_BAD), "%u writers died, last %s %s ago",
				   st->died, st->died_name, age);
		else
			buf_printf(finding(v, TOP_BAD), "%s died %s ago", st->died_name, age);
	}
	if (st->silent) {
		top_format_age(st->silent_age_ns, age);
		if (st->silent > 1)
			buf_printf(finding(v, TOP_WARN), "%u writers silent, longest %s %s",
				   st->silent, st->silent_name, age);
		else
			buf_printf(finding(v, TOP_WARN), "%s silent for %s", st->silent_name, age);
	}
}

static void ailments(struct verdict *v, const struct top_status *st, int bad)
{
	unsigned i, named = 0, all = bad ? st->nbad : st->nailments - st->nbad;

	for (i = 0; i < st->nailments && i < TOP_AILMENTS; i++) {
		if (st->ailment[i].bad != bad)
			continue;
		if (named++ == NAMED)
			break;
		buf_puts(finding(v, bad ? TOP_BAD : TOP_WARN), st->ailment[i].text);
	}
	if (all > NAMED)
		buf_printf(v->b, ", %u more", all - NAMED);
}

static void operations(struct verdict *v, const struct top_ops *ops, enum top_level level)
{
	const struct top_op *op;
	unsigned named = 0, more = 0;
	size_t i;

	for (i = 0; ops && i < ops->n; i++) {
		op = ops->op[i];
		if (op->level != level)
			continue;
		if (named == NAMED) {
			more++;
			continue;
		}
		named++;
		buf_printf(finding(v, level == TOP_LEVEL_BAD ? TOP_BAD : TOP_WARN), "%s %s",
			   op->name[0] ? op->name : op->group + ops->prefix, op->note);
	}
	if (more)
		buf_printf(v->b, ", %u more", more);
}

static void errors(struct verdict *v, const struct top_ops *ops)
{
	if (!ops || isnan(ops->errors))
		return;
	if (ops->errors > 0.001 && ops->errors > 2 * ops->usual_errors)
		buf_printf(finding(v, TOP_WARN), "errors %.2f%%, usual %.2f%%", ops->errors * 100,
			   ops->usual_errors * 100);
	else
		buf_puts(finding(v, TOP_GOOD), "errors usual");
}

enum top_style top_judgement(const struct top_status *st, const struct top_ops *ops,
			     const struct top_glyphs *g, struct buf *b)
{
	struct verdict v = { b, g, TOP_GOOD, 0 };

	if (st->trouble[0])
		buf_printf(finding(&v, TOP_BAD), "no new values: %s", st->trouble);
	if (st->removed)
		buf_puts(finding(&v, TOP_WARN), "the segment's file was removed");
	writers(&v, st);
	ailments(&v, st, 1);
	operations(&v, ops, TOP_LEVEL_BAD);
	if (st->refused)
		buf_printf(finding(&v, TOP_WARN), "%llu refused (%s)",
			   (unsigned long long)st->refused,
			   st->refused_reason ? st->refused_reason : "other");
	if (st->fill_percent >= FULL_PERCENT)
		buf_printf(finding(&v, TOP_WARN), "%s %u%% full", st->fill_what, st->fill_percent);
	ailments(&v, st, 0);
	operations(&v, ops, TOP_LEVEL_WARN);
	if (st->nversions > 1)
		buf_printf(finding(&v, TOP_PLAIN), "%u versions run", st->nversions);
	if (!st->up && !st->died)
		buf_puts(finding(&v, TOP_PLAIN), "no writer is running");
	if (!v.n)
		buf_puts(finding(&v, TOP_GOOD), "all writers are well");
	errors(&v, ops);
	return v.style;
}
