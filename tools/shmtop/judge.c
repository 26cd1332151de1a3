/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c - one line that says what is wrong with the segment, the worst thing first.
 */
#include "draw.h"

#include <stdio.h>

#define FULL_PERCENT 80

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
			buf_printf(finding(v, TOP_WARN), "%s silent for %s", st->silent_name,
				       age);
	}
}

enum top_style top_judgement(const struct top_status *st, const struct top_glyphs *g,
			     struct buf *b)
{
	struct verdict v = { b, g, TOP_GOOD, 0 };

	if (st->trouble[0])
		buf_printf(finding(&v, TOP_BAD), "no new values: %s", st->trouble);
	if (st->removed)
		buf_puts(finding(&v, TOP_WARN), "the segment's file was removed");
	writers(&v, st);
	if (st->refused)
		buf_printf(finding(&v, TOP_WARN), "%llu refused (%s)",
			       (unsigned long long)st->refused,
			       st->refused_reason ? st->refused_reason : "other");
	if (st->fill_percent >= FULL_PERCENT)
		buf_printf(finding(&v, TOP_WARN), "%s %u%% full", st->fill_what,
			       st->fill_percent);
	if (st->nversions > 1)
		buf_printf(finding(&v, TOP_PLAIN), "%u versions run", st->nversions);
	if (!st->up && !st->died)
		buf_puts(finding(&v, TOP_PLAIN), "no writer is running");
	if (!v.n)
		buf_puts(finding(&v, TOP_GOOD), "all writers are well");
	return v.style;
}
