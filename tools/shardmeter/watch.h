/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - samples of the watch command (watch.c), and how a terminal shows them (watch_frame.c). */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "reading.h"

/* One line of a sample. */
struct line {
	char *name, *short_name;
	uint64_t created_boot_ns;
	struct reading now; /* as it stands in the segment */
	struct number value, rate;
	struct number quantile[3]; /* of what came since the sample before */
	bool is_reset;
};

struct sample {
	const struct sm_snapshot *s;
	struct line *line;
	size_t n;
	bool any_histogram;
};

/* As they are shown; "" if there is nothing to show. */
void watch_value_text(const struct line *l, char ret_text[CLI_TEXT_MAX]);
void watch_rate_text(const struct line *l, char ret_text[CLI_TEXT_MAX]);

/*
 * watch_frame - draw a sample over the frame before, which had `lines` lines (0: there is none).
 * quantiles: with their columns, if there is room. Returns how many lines this one has.
 */
unsigned watch_frame(const struct sample *p, bool quantiles, unsigned lines);

#endif
