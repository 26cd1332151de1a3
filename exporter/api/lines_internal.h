/* SPDX-License-Identifier: Apache-2.0 */
/* lines_internal.h - what lines.c and lines_fill.c share. Depends on lines.h. */
#ifndef API_LINES_INTERNAL_H
#define API_LINES_INTERNAL_H

#include "exporter/api/lines.h"

/* When a row was taken. */
struct moment {
	uint64_t at_ms, real_ns, boot_ns;
	uint8_t boot_id[16];
};

/* The last row of a histogram. */
struct member_histogram {
	uint64_t count;
	struct sm_sum sum;
	uint64_t counts[];		/* LINES_QUANTILE: of the series' own family */
};

/* A series that a line is made of, and its last row. There may be many, and each row reads all of them:
 * small. */
struct member {
	const struct history_series *series;
	struct line *line;
	struct quantity value;
	struct member_histogram *histogram;
	uint16_t segment;
	uint16_t is_histogram;
	uint32_t row;			/* number of the last row that had it, from 1; 0: none yet */
};

/* Of the row and of the step under way. */
struct line_state {
	unsigned segment;
	/* The row: sums over the members. */
	struct quantity row_value, row_increase;	/* to be settled */
	double row_amount;		/* of members that have the row before: not yet by time */
	double row_rate, row_seconds;	/* seconds 0: no member has two rows */
	double row_sum;			/* of observations; LINES_MEAN */
	uint64_t row_count;
	uint64_t *row_counts;
	/* The step: over its rows. */
	struct quantity value, min, max, increase;
	double amount, seconds;		/* rate times time */
	double sum;
	uint64_t count;
	uint64_t *counts;
	struct quantity quantile_min[LINES_QUANTILES], quantile_max[LINES_QUANTILES];
};

#endif /* API_LINES_INTERNAL_H */
