/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h - the operations of the overview: what is done how often, how often it fails, how long it
 * takes. A generic rule finds them in the names and labels; shmtop(1) has it for the user:
 *
 * 1. A histogram family of seconds is an operation for each combination of its labels, but for one
 *    label that says how it ended (status, outcome, result, code, ...). A family with a label
 *    stage, phase or step is a part of another and left out.
 * 2. Failures are the observations whose ending is a failing one: an HTTP code from 400, or a word
 *    such as error, failed, timeout. Without such a label they come from the counter family of the
 *    same name: NAME_errors_total, NAME_failures_total, or NAMEs_total with an ending.
 * 3. A counter family with an ending (status, outcome, code, success) that no histogram repeats is
 *    an operation without durations.
 *
 * Depends on model.h.
 */
#ifndef TOP_OPS_H
#define TOP_OPS_H

#include "model.h"

#define TOP_OP_NOTE 40

enum top_level {
	TOP_LEVEL_OK,
	TOP_LEVEL_WARN,
	TOP_LEVEL_BAD
};

struct top_op {
	uint64_t hash;		/* names it */
	uint64_t seen;
	char *name;		/* label values, escaped; "" if it has no labels */
	char *group;		/* family without prefix and unit, escaped */
	char *text;		/* name{label=value,...}: what a filter looks at */
	int name_width, group_width;
	int timed;		/* has durations */
	size_t nrows, room;
	struct top_row **rows;	/* valid until the next sample */

	double rate;		/* per second; NaN: not known yet */
	double minute;		/* the same, average of a minute */
	double errors;		/* share that failed, average of a minute; NaN: not known */
	double usual_errors;	/* average of five minutes */
	double quantile[TOP_QUANTILES];
	int recent;		/* they are of the model's window, not of the whole life */
	double whole[TOP_QUANTILES];
	uint64_t recent_count;	/* observations of the last minute */
	double watched_s;	/* how long we see it, up to a minute */
	double tail;		/* standard deviations by which more are above the usual p95 */
	double error_rate, error_usual, error_of, error_usual_of;	/* sums on the way there */
	enum top_level level;
	char note[TOP_OP_NOTE];	/* what is wrong, or "" */
};

struct top_ops {
	size_t n, room;
	struct top_op **op;
	size_t nbuckets;
	struct top_op **buckets;	/* open addressing by hash */
	uint64_t *counts;		/* scratch */
	size_t ncounts;
	int several_groups;
	size_t prefix;			/* bytes with which all groups begin: "bot_" */
	double rate, errors, usual_errors;	/* of all that are timed */
};

/* Called by model.c for what is new. */
void top_role_of(struct top_family *f);
void top_role_of_row(struct top_row *row);

/* Zero is empty. After each sample. 0 or -ENOMEM. */
int top_ops_update(struct top_ops *ops, struct top_model *m);
void top_ops_release(struct top_ops *ops);
struct top_op *top_ops_find(const struct top_ops *ops, uint64_t hash);
/* The change per second `ago` samples ago, all rows of it. */
float top_op_history(const struct top_model *m, const struct top_op *op, unsigned ago);

#endif
