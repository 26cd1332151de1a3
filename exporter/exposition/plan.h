/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - which families and series an exposition has, their names and labels rendered.
 *
 * Depends on format.h and values.h. A plan is made when the catalog of a segment has changed, or a
 * format is asked for the first time, and used by every scrape until the next change. It is
 * immutable and counted. It copies what it needs, but the values are still found by the position of
 * a family and a series in the snapshot: plan_fits() says whether they are the same.
 *
 * Families are by name, over all segments; each has a block per segment that has it. A family that
 * cannot be shown is left out, and named in `dropped`.
 */
#ifndef EXPOSITION_PLAN_H
#define EXPOSITION_PLAN_H

#include "exporter/collection.h"
#include "exporter/exposition/format.h"
#include "exporter/exposition/values.h"

/* The series of a family in one segment. */
struct plan_block {
	size_t segment;		/* index in the collection */
	size_t family;		/* index in that segment's values */
	size_t nseries;
	enum sm_kind kind;
	unsigned nbounds, nstates;
	size_t first;		/* series i is text + at[first + i] to at[first + i + 1] */
	size_t le;		/* the same for nbounds + 1 pieces, text formats only */
	size_t state;		/* and for the pieces of states */
};

struct plan_family {
	struct model_family model;
	size_t head, head_len;	/* in text */
	size_t first_block, nblocks;
};

enum plan_reason {
	PLAN_NAME_CLASH,	/* another family has samples of its name */
	PLAN_TYPE_CLASH,	/* another segment has it with another type */
	PLAN_TOO_LARGE,
	PLAN_LABEL,		/* it has a label that is not on the list of --labels.allowed */
	PLAN_UNREADABLE,	/* not by the plan: its values could not be read */
	PLAN_REASONS
};

struct plan_drop {
	const char *family;	/* its name */
	size_t segment;
	enum plan_reason reason;
};

struct plan_key;

struct plan {
	unsigned refs;		/* atomic */
	const struct format *format;
	struct plan_key *key;
	size_t nkey;
	char *text;		/* with FORMAT_SLACK bytes behind it */
	size_t *at;
	struct plan_family *families;
	size_t nfamilies;
	struct plan_block *blocks;
	size_t nblocks;
	struct plan_drop *dropped;
	size_t ndropped;
	struct buf names;	/* that model_family and dropped point into */
};

/* plan_reason_name - the value of a label. */
const char *plan_reason_name(enum plan_reason reason);

/* plan_make - of all segments of c; v has the values of each. allowed_labels: patterns of the label names
 * that families may have, separated by commas; "" for all. 0 or -ENOMEM. */
int plan_make(const struct collection *c, const struct values *v, const struct format *format,
	const char *allowed_labels, struct plan **ret_plan);
struct plan *plan_ref(struct plan *p);
void plan_unref(struct plan *p);

/* plan_fits - may this plan be used for that collection, whose values are v? */
int plan_fits(const struct plan *p, const struct collection *c, const struct values *v);

/* plan_takes_name - has a family of the plan samples of this name? */
int plan_takes_name(const struct plan *p, const char *name);

#endif /* EXPOSITION_PLAN_H */
