/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extra.h - metrics of ours: about segments, their writers' processes and the exporter.
 *
 * Depends on model.h, query.h and collection.h. They are few, so they are collected anew for every
 * answer: any order, then sorted by name.
 *
 *	struct extra x;
 *	extra_init(&x, &query);
 *	about_segments(&x, collection, values);		// about.c
 *	own_metrics(&x, collection);			// own.c
 *	extra_sort(&x);
 *	... x.family[i], its x.metric[first] ...
 *	extra_release(&x);
 */
#ifndef EXPOSITION_EXTRA_H
#define EXPOSITION_EXTRA_H

#include "exporter/exposition/model.h"
#include "exporter/exposition/query.h"

#define EXTRA_LABELS_MAX 12

struct extra_metric {
	size_t family;
	size_t first_label, nlabels;
	struct sm_value value;
};

struct extra {
	const struct query *query;
	struct model_family *family;
	size_t nfamilies, families_cap;
	size_t at;			/* the family that is added to */
	struct extra_metric *metric;	/* after extra_sort() by family, then as they were added */
	size_t nmetrics, metrics_cap;
	struct model_label *label;
	size_t nlabels, labels_cap;
	struct extra_block *texts;	/* copies of labels' values */
	int failed;			/* memory was short */
	/* Of what is added next. */
	const char *segment;		/* label `segment`, NULL: none */
	int merge;			/* add to a metric of the same labels, or leave that one */
};

void extra_init(struct extra *x, const struct query *q);
void extra_release(struct extra *x);

/* extra_family - the family that is added to from now on: names and texts are not copied, and a name is
 * the same pointer each time. False if the
 * request does not want it: then nothing needs to be added. */
int extra_family(struct extra *x, const char *name, const char *unit, enum model_type type,
	const char *help);

/* extra_add - a metric; labels are nlabels pairs of name and value, which are copied. */
void extra_add(struct extra *x, const char *const *labels, size_t nlabels,
	const struct sm_value *value);
void extra_add_units(struct extra *x, const char *const *labels, size_t nlabels, uint64_t units,
	unsigned decimals);

/* extra_one - a family of one metric without labels. */
void extra_one(struct extra *x, const char *name, const char *unit, enum model_type type,
	const char *help, uint64_t units, unsigned decimals);
/* extra_sort - families by name, metrics by family; families without metrics go. */
void extra_sort(struct extra *x);

#endif /* EXPOSITION_EXTRA_H */
