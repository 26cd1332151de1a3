/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.h - the parts of the batch command.
 *
 * A line goes two steps. First it is split, which is cheap: what is updated (head and tail), and
 * the number. Lines with the same head and tail mean the same series, whose handle is kept; only
 * the first of them takes the second step, from text to a meaning and from there to a handle
 * (batch_apply.c). So 100,000 lines of 1,000 series cost 1,000 resolves.
 *
 * Arrows: batch.c -> batch_apply.c -> batch_statsd.c, batch_text.c. All report what is wrong with a
 * line through cli_fail() and return 0 or its code.
 */
#ifndef CLI_BATCH_H
#define CLI_BATCH_H

#include "family.h"
#include "keys.h"
#include "reading.h"

/* A line in its parts, all inside it. */
struct batch_split {
	bool statsd;
	const char *head; /* NAME, or NAME{...} */
	size_t head_len;
	const char *value; /* statsd: several, separated by ':' */
	size_t value_len;
	const char *tail; /* statsd: "ms|@0.1|#a:b"; else "" */
	size_t tail_len;
};

enum batch_action {
	BATCH_UNKNOWN, /* not made yet */
	BATCH_IGNORE,
	BATCH_REFUSE,  /* said already */
	BATCH_ADD,     /* to a counter */
	BATCH_RAISE,   /* a counter, to the value */
	BATCH_GAUGE,   /* set, or add what has a sign (statsd) */
	BATCH_SET,     /* a gauge */
	BATCH_OBSERVE, /* in a histogram */
	BATCH_INFO
};

/* What head and tail mean. */
struct batch_meaning {
	enum batch_action action;
	struct cli_series series;
	char *memory; /* what series.name and the labels point into, if not series.name itself */
	bool milliseconds;
	struct number rate;	 /* statsd: the sample rate; 1 */
	const char *help, *unit; /* of exposition text; may be NULL */
};
void batch_meaning_release(struct batch_meaning *m);

/* ---- statsd (batch_statsd.c) ---- */

/* Does the line look like NAME:VALUE|TYPE? */
bool batch_is_statsd(const char *line);
int batch_split_statsd(const struct cli *c, const char *line, struct batch_split *ret);
int batch_statsd_meaning(
	const struct cli *c, const struct batch_split *s, struct batch_meaning *ret);

/* ---- exposition text (batch_text.c) ---- */

/* What TYPE, HELP and UNIT lines said. */
struct batch_metadata;
struct batch_metadata *batch_metadata_new(void);
void batch_metadata_free(struct batch_metadata *m);

/* A line that begins with '#'. */
int batch_metadata_line(const struct cli *c, struct batch_metadata *m, const char *line);

int batch_split_text(const struct cli *c, const char *line, struct batch_split *ret);
/* add: counters are added to, not raised. f: for the kinds of families that are there. */
int batch_text_meaning(const struct cli *c, struct batch_metadata *m, const struct fam *f, bool add,
	const struct batch_split *s, struct batch_meaning *ret);

/* ---- applying (batch_apply.c) ---- */

struct batch_target;

struct batch {
	struct cli c; /* line is the current one's; quiet when enough was said */
	bool add, create;
	struct fam fam;
	const struct sm_snapshot *base; /* with writers: what shell commands counted before */
	struct batch_metadata *metadata;
	struct keys keys;
	struct batch_target *target; /* by key */
	size_t ntargets;
	struct keys raised;   /* counters that are raised, by name and values */
	struct number *level; /* where each of them is */
	uint64_t ignored;
};

/* Apply one line, which is changed. 0 or an exit code after a message. */
int batch_apply(struct batch *b, char *line, size_t len);

/* Forget all handles, as when the segment is another one. */
void batch_forget(struct batch *b);

#endif
