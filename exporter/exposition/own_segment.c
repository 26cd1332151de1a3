/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_segment.c - metrics about each segment and its writers.
 *
 * Most are the library's (sm_snapshot_about()). Of several files of one segment counters are added, of
 * the others the newest file's stays. Here come those that a snapshot does not know: is there a
 * segment, how many files.
 */
#include "exporter/exposition/own.h"

#include <errno.h>
#include <stdlib.h>

struct about {
	struct extra *x;
	const struct values *v;
};

static int add_about(void *ctx, const struct sm_about *about)
{
	struct about *a = ctx;
	const struct query *q = a->x->query;

	/* With writer[] only what is about these writers. */
	if (q->by_writer && (about->nlabels == 0 || about->writer < 0 ||
	     !query_wants_writer(q, about->labels[1])))
		return 0;
	if (extra_family(a->x, about->name, about->unit, model_type_of(about->kind), about->help))
		extra_add_units(a->x, about->labels, about->nlabels, about->units,
			about->decimals);
	return 0;
}

static void put_files(struct extra *x, const struct collection_segment *s, const struct values *v)
{
	static const char *const current[] = { "state", "current" };
	static const char *const removed[] = { "state", "removed" };

	extra_one(x, "shardmeter_segment_up", "", MODEL_GAUGE,
		"1 if the segment's values are in this exposition.", s->reading.status.up != 0, 0);
	if (extra_family(x, "shardmeter_segment_files", "", MODEL_GAUGE,
		"Files of the segment that are read: the current one, and removed or replaced ones "
		"that programs still write to.")) {
		extra_add_units(x, current, 1, s->reading.status.current_files, 0);
		extra_add_units(x, removed, 1, s->reading.status.removed_files, 0);
	}
	extra_one(x, "shardmeter_segment_conflicting_families", "", MODEL_GAUGE,
		"Families of removed files that are left out, because the current file has them "
		"with another definition.", v->view.conflicts, 0);
}

void own_segments(struct extra *x, const struct collection *c, const struct values *v)
{
	const struct collection_segment *segment;
	struct about about = { .x = x };
	size_t s, p;

	for (s = 0; s < c->nsegments; s++) {
		segment = &c->segment[s];
		x->segment = c->nsegments > 1 ? segment->name : NULL;
		if (!x->query->by_writer)
			put_files(x, segment, &v[s]);
		about.v = &v[s];
		for (p = 0; p < segment->reading.n; p++) {
			x->merge = p > 0;
			sm_snapshot_about(segment->reading.snapshot[p], add_about, &about);
		}
		x->merge = 0;
	}
	x->segment = NULL;
}

/* ---- readings ------------------------------------------------------------------------------- */

int own_reads_count(struct own_reads *reads, const struct collection *c)
{
	size_t s, p;
	void *grown;

	if (c->began_ns <= reads->began_ns && reads->n)
		return 0;	/* shared with a request before */
	if (c->nsegments > reads->n) {
		grown = realloc(reads->segment, c->nsegments * sizeof(*reads->segment));
		if (!grown)
			return -ENOMEM;
		reads->segment = grown;
		for (; reads->n < c->nsegments; reads->n++)
			reads->segment[reads->n].retries = reads->segment[reads->n].stale = 0;
	}
	reads->began_ns = c->began_ns;
	for (s = 0; s < c->nsegments; s++) {
		for (p = 0; p < c->segment[s].reading.n; p++) {
			reads->segment[s].retries += c->segment[s].reading.snapshot[p]->retries;
			reads->segment[s].stale += c->segment[s].reading.snapshot[p]->stale != 0;
		}
	}
	return 0;
}

void own_reads(struct extra *x, const struct collection *c, const struct own_reads *reads)
{
	size_t s;

	for (s = 0; s < c->nsegments && s < reads->n; s++) {
		x->segment = c->nsegments > 1 ? c->segment[s].name : NULL;
		extra_one(x, "shardmeter_snapshot_retries_total", "", MODEL_COUNTER,
			"Readings for scrapes that were repeated, because a writer changed the "
			"segment meanwhile.", reads->segment[s].retries, 0);
		extra_one(x, "shardmeter_snapshot_stale_scrapes_total", "", MODEL_COUNTER,
			"Scrapes answered with the values of an earlier one: writers were busy "
			"folding.", reads->segment[s].stale, 0);
	}
	x->segment = NULL;
}
