/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump.h - snapshots as JSON and CSV. Depends on json.h and the reader.
 *
 * One series as JSON: labels, created, then value; state for a state set; count, sum, quantiles and
 * cumulative buckets for a histogram. Where writers have no combined value (gauges of mode all,
 * state sets), or when all are asked for, "writers" holds each one's own.
 */
#ifndef CLI_DUMP_H
#define CLI_DUMP_H

#include "json.h"

#define DUMP_WRITERS 0x1u /* each writer's value for every series */
#define DUMP_INDENT  0x2u

/* What is selected: families whose name, or series whose NAME{labels}, match a shell pattern; NULL
 * for all. */
bool dump_matches(const char *pattern, const struct sm_family_info *family,
	const struct sm_series_info *series);

/* One object. Returns how many series it has. */
size_t dump_json(FILE *f, const struct sm_snapshot *s, const char *pattern, unsigned flags);

/* Records: time, name, kind, unit, labels, writer, value; names and labels as exposed. */
void dump_csv_header(FILE *f);
void dump_csv(FILE *f, const struct sm_snapshot *s, unsigned flags);

/* A writer's state in a word: live, ended (by sm_close()), dead, common. */
const char *dump_writer_state(const struct sm_writer *w);

/* One writer as an object. */
void dump_writer_json(struct cli_json *j, const struct sm_snapshot *s, const struct sm_writer *w);

#endif
