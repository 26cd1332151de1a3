/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - what shmtop knows: the series, their last values, rates and recent history.
 *
 * Depends on text.h and on the plain structs of <shardmeter_reader.h>; makes no call into the
 * library. sample.c feeds it, draw.c and output.c read it:
 *
 *	top_model_begin(m, boot_ns);
 *	family = top_model_family(m, &info);
 *	row = top_model_row(m, family, &series, NULL, value.is_set);
 *	if (row)
 *		top_row_number(m, row, &value);
 *	...
 *	top_model_end(m);
 *
 * A row that the sample lists without a value (a gauge whose writers have ended) keeps its
 * last one and is marked as gone. A row that the sample does not list was removed and is dropped.
 */
#ifndef TOP_MODEL_H
#define TOP_MODEL_H

#include <shardmeter_reader.h>

#include "text.h"

#define TOP_HISTORY	60	/* samples kept for the sparks */
#define TOP_QUANTILES	3
#define TOP_WINDOW_NS	UINT64_C(60000000000)	/* quantiles are of the last 30 to 60 s */
#define TOP_NAME	256	/* an escaped writer name or version */

extern const double top_quantile[TOP_QUANTILES];	/* 0.5, 0.95, 0.99 */

struct top_family {
	uint32_t id;
	uint64_t incarnation;
	enum sm_kind kind;
	enum sm_gauge_mode mode;
	char *name, *unit;
	unsigned nlabels, nstates, nbounds, nunited;
	char **labels, **states;
	double *bounds, *united;
	uint64_t seen;		/* number of the last sample that had it */
	struct top_family *next;
};

enum top_rate {
	TOP_RATE_NONE,		/* has no meaning: gauges */
	TOP_RATE_UNKNOWN,	/* not yet: needs two samples */
	TOP_RATE_OK,
	TOP_RATE_RESET		/* the counter went back */
};

struct top_histogram {
	uint64_t *counts;		/* nunited + 1, of the last sample */
	uint64_t *older, *newer;	/* the same at the last two turns of the window */
	uint64_t count;
	struct sm_sum sum;
	double quantile[TOP_QUANTILES];	/* recent, or else of the whole life; NaN if empty */
	double whole[TOP_QUANTILES];	/* of the whole life */
	int recent;			/* quantile[] is recent */
	uint64_t recent_count;
};

struct top_row {
	struct top_family *family;
	double age_s;			/* of a gauge NAME_timestamp_seconds; NaN: it is none */
	uint32_t id;
	uint64_t incarnation;
	int slot;			/* of one writer, or -1: all of them */
	uint64_t writer_incarnation;
	char *wide;			/* name{label=value,...}, escaped */
	char *brief;			/* name{value,...}, escaped */
	int wide_width, brief_width;	/* columns */
	char *writer;			/* as in the segment; NULL if slot is -1 */
	char **values;			/* as in the segment: of family->labels */
	uint64_t created_boot_ns, created_real_ns;

	uint64_t listed, valued;	/* numbers of the last samples that had it, with a value */
	uint64_t at_boot_ns;		/* of the last value */
	uint64_t gone_boot_ns;		/* 0, or since when it has no value */
	uint64_t reset_boot_ns;		/* 0, or when it last went back */
	struct sm_value value;		/* of all but histograms */
	struct top_histogram *histogram;
	enum top_rate rating;
	double rate;			/* per second, if TOP_RATE_OK */
	float history[TOP_HISTORY];	/* a ring, see top_row_history(); NaN: no sample */
	struct top_row *next;
};

struct top_writer {
	char name[64], version[64];	/* as in the segment */
	enum sm_writer_state state;
	int ended;			/* by sm_close() */
	uint64_t pid, restarts, incarnation;
	uint64_t heartbeat_age_ns;	/* UINT64_MAX: never */
	uint64_t start_real_ns;
};

/* About the segment as a whole, for the header. Names are escaped, unless it says otherwise. */
struct top_status {
	char segment[TOP_NAME], path[TOP_NAME];
	unsigned layout_major, layout_minor;
	char id[33];
	char version[TOP_NAME];		/* of the application, most frequent among live writers */
	unsigned nversions;
	unsigned up, total;		/* total: alive or died, without those that ended */
	uint64_t worst_age_ns;		/* oldest heartbeat of live writers; UINT64_MAX: none */
	uint64_t best_age_ns;
	char worst_name[TOP_NAME];
	unsigned died, silent;
	char died_name[TOP_NAME], silent_name[TOP_NAME];
	uint64_t died_age_ns, silent_age_ns;
	uint64_t refused;		/* since we attached */
	const char *refused_reason;	/* NULL, or the most frequent */
	unsigned fill_percent;
	const char *fill_what;		/* what fills up first */
	uint64_t real_ns, boot_ns;	/* of the sample */
	uint64_t now_boot_ns;		/* of the drawing: differs when values are old */
	int stale;			/* values are older than they should be: see trouble */
	int removed;			/* the file was deleted; its writers go on in it */
	char trouble[TOP_NAME];		/* "" or why */
	size_t nwriters;
	struct top_writer *writers;
};

struct top_model {
	unsigned escape;		/* TOP_ESCAPE_ASCII or 0 */
	struct top_status status;
	struct top_family *families;
	struct top_row **buckets;	/* hash table of rows */
	size_t nbuckets, nrows, nhistograms;
	uint64_t sample;		/* number of the current sample, from 1; 0: none yet */
	uint64_t real_ns;		/* of this sample, for ages of timestamps; 0: not known */
	uint64_t boot_ns, last_boot_ns;	/* of this and of the sample before */
	uint64_t turn_boot_ns;		/* when the window of the quantiles turned last */
	int turn;			/* it turns in this sample */
	int failed;			/* memory was short in this sample */
	struct top_row **rows;		/* all rows with a value, in no order; valid after end */
	size_t nshown;
};

void top_model_init(struct top_model *m, unsigned escape);
void top_model_release(struct top_model *m);
/* Forget all series: another segment comes. */
void top_model_reset(struct top_model *m);

void top_model_begin(struct top_model *m, uint64_t boot_ns);
/* NULL if memory is short; the sample then fails at its end. */
struct top_family *top_model_family(struct top_model *m, const struct sm_family_info *info);
/* The row of a series, of all writers (writer NULL) or of one. A new row is only made with
 * `create`. NULL if there is none, or memory is short. */
struct top_row *top_model_row(struct top_model *m, struct top_family *family,
			      const struct sm_series_info *series, const struct sm_writer *writer,
			      int create);
void top_row_number(struct top_model *m, struct top_row *row, const struct sm_value *value);
void top_row_histogram(struct top_model *m, struct top_row *row, const uint64_t *counts,
		       const struct sm_sum *sum);
/* 0 or -ENOMEM. */
int top_model_end(struct top_model *m);

/* The sample `ago` samples before the last one, NaN if there was none. */
float top_row_history(const struct top_model *m, const struct top_row *row, unsigned ago);
/* The number to sort by, and to average: a histogram's is its count. NaN if it has none. */
double top_row_value(const struct top_row *row);
/* Change per second over the series' whole life; NaN for gauges. */
double top_row_average(const struct top_model *m, const struct top_row *row);
/* name{label="value",...} with the quotes and escapes of the Prometheus text format; the row of
 * one writer has the label writer. */
void top_row_text(const struct top_row *row, unsigned escape, struct buf *b);
/* label="value",... without the writer. */
void top_row_labels(const struct top_row *row, unsigned escape, struct buf *b);

/* Quantile q of n buckets by linear interpolation, as Prometheus' histogram_quantile(): bucket i
 * ends at bounds[i], the last one at infinity. NaN if empty. */
double top_buckets_quantile(const uint64_t *counts, const double *bounds, size_t nbounds, double q);

#endif
