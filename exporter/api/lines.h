/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.h - what a question over time is answered with: a number for each step of each line.
 *
 * Depends on past.h and quantity.h. A line is a series, or the sum of those that have the labels of
 * `by` in common. Rows of history are taken in order of time. What two rows of a series differ by
 * belongs to the step in which the later one lies:
 *
 * - A counter's increase is the difference; all of the later value if the series was created since
 *   the row before (a program removed it and made it again, or the segment was made again), or if
 *   the value fell. Nothing, if a row before is not known.
 * - Time between two rows is CLOCK_BOOTTIME as long as they are of one boot, so a clock that was
 *   set changes no rate. Of rows that have the same time because it was set back the later ones
 *   count.
 * - Rows that are missing leave no point in their steps. What was counted meanwhile is in the first
 *   step after them, and its rate is over all of that time.
 *
 * Histograms are added bucket by bucket, over series and over rows, and only then asked for
 * quantiles. min and max are of the single rows within a step, so that a short peak is seen at any
 * step.
 */
#ifndef API_LINES_H
#define API_LINES_H

#include "exporter/api/past.h"
#include "exporter/api/quantity.h"

enum lines_fn { LINES_VALUE, LINES_RATE, LINES_INCREASE, LINES_MEAN, LINES_QUANTILE };

#define LINES_QUANTILES	8
#define LINES_LABELS	(SM_LABELS_MAX + 1)	/* and writer */
#define LINES_SERIES_MAX 20000u			/* that are looked at */
#define LINES_BUCKETS_MAX (2u << 20)		/* numbers kept for their histograms: 16 MiB */
#define LINES_POINTS_MAX 200000u		/* of an answer: 14 MiB */

struct lines_question {
	enum lines_fn fn;
	unsigned nquantiles;		/* LINES_QUANTILE */
	double quantile[LINES_QUANTILES];
	int by;				/* add up; by these labels */
	unsigned nby;
	const char *by_label[LINES_LABELS];
	uint64_t limit;			/* of lines */
	/* Rows after from_ms, up to to_ms. Step i ends at first_ms + i * step_ms and begins after the end of
	 * the one before. */
	uint64_t from_ms, to_ms;
	uint64_t first_ms, step_ms;
	size_t nsteps;
};

struct lines_point {
	struct quantity value, min, max;
};

struct line_label {
	const char *name;
	struct sm_str value;
};

struct line {
	const char *segment;
	const struct history_family *family;
	unsigned nlabels;
	struct line_label label[LINES_LABELS];
	struct lines_point *point;	/* nsteps for each quantile, or nsteps */
	struct line_state *state;	/* private */
};

struct lines {
	const struct lines_question *q;
	size_t n;
	struct line *line;		/* by segment, name, labels */
	uint64_t rows, unreadable;	/* that were read, that could not be */
	/* private */
	size_t nmembers;
	struct member *member;
	struct lines_point *points;
	size_t nbuckets;
};

/* lines_gather - find the series and make the lines. 0, CALL_FAILED or -ENOMEM. lines_free() in any
 * case. */
int lines_gather(struct call *c, const struct past *past, const struct matches *m,
	const struct lines_question *q, struct lines *ret_lines);
void lines_free(struct lines *l);

/* lines_fill - read the rows of the steps. */
int lines_fill(struct call *c, const struct past *past, struct lines *l);

#endif /* API_LINES_H */
