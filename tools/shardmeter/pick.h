/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pick.h - from selectors to rows: the series of a snapshot that get, watch and rm --all mean.
 *
 * Selectors compare labels as PromQL does: a label that a family does not have is "", regular
 * expressions (POSIX extended) must match the whole value. A comparison with `writer` asks for the
 * values of single writers, each a row of its own; so are the values of families that have none
 * over all writers (gauges of mode all, state sets). NAME_count and NAME_sum mean that part of the
 * histogram NAME, as in PromQL.
 */
#ifndef CLI_PICK_H
#define CLI_PICK_H

#include <regex.h>

#include "series.h"

enum pick_part { PICK_WHOLE, PICK_COUNT, PICK_SUM };

struct pick {
	struct cli_series s;
	regex_t *re[SM_LABELS_MAX]; /* NULL: not a regular expression */
	bool pattern;		    /* the name is one */
	bool by_writer;
};

struct picks {
	struct pick *pick;
	size_t n;
};

/* words: NAME or NAME{...}, each with label=value words behind it. 0 or an exit code after a
 * message; release in any case. */
int picks_init(const struct cli *c, char **words, int nwords, struct picks *ret_picks);
void picks_release(struct picks *p);

/* One value of a snapshot. */
struct pick_row {
	const struct sm_family_info *family;
	const struct sm_series_info *series;
	int writer; /* index, or SM_ALL_WRITERS */
	enum pick_part part;
	size_t pick; /* which selector it is of */
	bool exact; /* the selector names one series: there can be no other */
};

/*
 * picks_rows - what matches, in the order of the selectors, of the families' names, of registration.
 * The snapshot must have been taken with SM_SNAPSHOT_WRITERS. *ret_rows is malloc'ed and points into
 * the snapshot. 0 or -ENOMEM.
 */
int picks_rows(const struct picks *p, const struct sm_snapshot *s, struct pick_row **ret_rows,
	size_t *ret_n);

/* The same without a look at values: also series that have none, and each only once for all writers. */
int picks_series(const struct picks *p, const struct sm_snapshot *s, struct pick_row **ret_rows,
	size_t *ret_n);

/* NAME{labels} of a row; NULL without memory; free it. */
char *pick_text(const struct sm_snapshot *s, const struct pick_row *row);

/* NAME{values}: shorter, for people who see it beside others of its family. The same otherwise. */
char *pick_short_text(const struct sm_snapshot *s, const struct pick_row *row);

/*
 * Why selectors without a row have none: "; there is a_total, b_total" are families whose names have
 * what a name that no family has asks for; otherwise a label that the family does not have, or a
 * value that no series has. "" if nothing can be said.
 */
void pick_similar(const struct pick *p, const struct sm_snapshot *s, char *ret_text, size_t size);
void picks_similar(const struct picks *p, const struct sm_snapshot *s, char *ret_text, size_t size);

/* The selectors as they were typed, for messages; NULL without memory; free it. */
char *picks_text(char **words, int nwords);

#endif
