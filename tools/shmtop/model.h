/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - what shmtop knows: the series, their last values, rates and recent history.
 *
 * model.c keeps families and rows, values.c what is computed of them. Depends on text.h and on the
 * plain structs of <shardmeter_reader.h>; makes no call into the library. sample.c feeds it, ops.c
 * makes the overview of it, everything that draws or prints reads it:
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
#define TOP_WINDOW_NS	UINT64_C(60000000000)	/* "the last minute" is 30 to 60 s */
#define TOP_AVERAGES	3
#define TOP_NAME	256	/* an escaped writer name or version */
#define TOP_METADATA	8	/* pairs of a writer */
#define TOP_AILMENTS	8	/* named; the rest is counted */

extern const double top_quantile[TOP_QUANTILES];	/* 0.5, 0.95, 0.99 */
extern const double top_average_s[TOP_AVERAGES];	/* 10, 60, 300 */

/* What the quantiles on the screen are of. */
enum top_window {
	TOP_WINDOW_MINUTE,
	TOP_WINDOW_INTERVAL,	/* between the last two samples */
	TOP_WINDOW_LIFE,
	TOP_WINDOWS
};

/* What a family is to the overview; ops.c decides. */
struct top_role {
	enum { TOP_ROLE_NONE, TOP_ROLE_TIMED, TOP_ROLE_COUNTED, TOP_ROLE_ERRORS } what;
	int outcome;			/* the label that tells success from failure, or -1 */
	size_t stem;			/* length of what name, without unit and "total", begins with */
	const struct top_family *errors; /* of a timed one without outcome: who counts its failures */
	int covered;			/* a counted one that only repeats what a timed one knows */
};

struct top_family {
	uint32_t id;
	uint64_t incarnation;
	enum sm_kind kind;
	enum sm_gauge_mode mode;
	unsigned flags;		/* SM_FAMILY_* */
	char *name, *help, *unit;
	unsigned nlabels, nstates, nbounds, nunited;
	char **labels, **states;
	double *bounds, *united;
	struct top_role role;	/* in the overview: see ops.h */
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
	uint64_t *before;		/* of the sample before that */
	uint64_t *older, *newer;	/* at the last two turns of the window */
	uint64_t count;
	struct sm_sum sum;
	double quantile[TOP_QUANTILES];	/* of the model's window, or else of the whole life; NaN if
					   empty */
	int recent;			/* quantile[] is of the window */
	uint64_t recent_count;		/* observations in the last minute */
};

/* Since we look, or since the user reset it; of the rate where there is one, else of the value. */
struct top_stats {
	double average[TOP_AVERAGES];	/* decaying over top_average_s; NaN: none yet */
	double min, max;
	uint64_t since_boot_ns;		/* 0: begins with the next sample */
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
	struct top_stats stats;
	int moved;			/* it was once something else than 0 */
	uint64_t op;			/* hash of what it is part of in the overview; 0: nothing */
	int failure;			/* its observations are failures */
	float history[TOP_HISTORY];	/* a ring, see top_row_history(); NaN: no sample */
	struct top_row *next;
};

struct top_writer {
	char name[64], version[64];	/* as in the segment */
	unsigned slot;
	enum sm_writer_state state;
	int ended;			/* by sm_close() */
	int silent;
	uint64_t pid, restarts, incarnation, lanes, heartbeats, uid;
	uint64_t heartbeat_age_ns;	/* UINT64_MAX: never */
	uint64_t last_boot_ns;		/* when it was heard of last */
	uint64_t start_real_ns, start_boot_ns;
	uint64_t shared_updates;
	uint64_t refused[SM_REFUSED_REASONS];
	struct sm_usage usage;
	double cpu;			/* share of a core between its last two reports; NaN */
	size_t nmetadata;
	char *metadata[2 * TOP_METADATA]; /* key, value, ...; as in the segment */
};

/* One line of what is wrong with a component or state. */
struct top_ailment {
	int bad;			/* else it is a warning */
	char text[TOP_NAME];
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
	unsigned nailments, nbad;	/* unwell states; the first of them are named */
	struct top_ailment ailment[TOP_AILMENTS];
	uint64_t created_real_ns;	/* of the segment */
	uint64_t up_ns;			/* of the longest running writer; 0: none runs */
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

/* What names a row, even when it is gone. */
struct top_ref {
	uint32_t id;
	uint64_t incarnation;
	int slot;
};

struct top_model {
	unsigned escape;		/* TOP_ESCAPE_ASCII or 0 */
	enum top_window window;		/* of quantiles; change it by top_model_set_window() */
	uint64_t fake_boot_ns, fake_real_ns; /* for --script: the time of the sample; 0: its own */
	struct top_status status;
	struct top_family *families;
	struct top_row **buckets;	/* hash table of rows */
	size_t nbuckets, nrows, nhistograms;
	uint64_t sample;		/* number of the current sample, from 1; 0: none yet */
	uint64_t real_ns;		/* of this sample, for ages of timestamps; 0: not known */
	uint64_t boot_ns, last_boot_ns;	/* of this and of the sample before */
	uint64_t watched_boot_ns;	/* of the first sample, or of the one when averages began anew */
	uint64_t turn_boot_ns;		/* when the window of the quantiles turned last */
	int turn;			/* it turns in this sample */
	double decay[TOP_AVERAGES];	/* weight of this sample in the averages */
	int news;			/* families or rows came or went in this sample */
	int failed;			/* memory was short in this sample */
	struct top_row **rows;		/* all rows with a value, in no order; valid after end */
	size_t nshown;
};

void top_model_init(struct top_model *m, unsigned escape);
void top_model_release(struct top_model *m);
/* Forget all series: another segment comes. */
void top_model_reset(struct top_model *m);
void top_model_set_window(struct top_model *m, enum top_window window);
/* Averages, minima and maxima begin anew with the next sample. */
void top_model_reset_stats(struct top_model *m);
struct top_row *top_model_find(const struct top_model *m, const struct top_ref *ref);

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
/* Of top_model_begin(): the weights of this sample. */
void top_model_decay(struct top_model *m);
void top_status_release(struct top_status *st);

/* The sample `ago` samples before the last one, NaN if there was none. */
float top_row_history(const struct top_model *m, const struct top_row *row, unsigned ago);
/* The number to sort by, and to average: a histogram's is its count. NaN if it has none. */
double top_row_value(const struct top_row *row);
/* Change per second over the series' whole life; NaN for gauges. */
double top_row_average(const struct top_model *m, const struct top_row *row);
/* Quantiles of the whole life of a histogram. */
void top_row_whole(const struct top_row *row, double ret[TOP_QUANTILES]);
/* name{label="value",...} with the quotes and escapes of the Prometheus text format; the row of
 * one writer has the label writer. */
void top_row_text(const struct top_row *row, unsigned escape, struct buf *b);
/* label="value",... without the writer. */
void top_row_labels(const struct top_row *row, unsigned escape, struct buf *b);

/* nq ascending quantiles q of now[] - before[] (NULL: of now[]) by linear interpolation, as
 * Prometheus' histogram_quantile(): bucket i ends at bounds[i], the last one at infinity. NaN if
 * empty. Returns the number of observations. */
uint64_t top_buckets_quantiles(const uint64_t *now, const uint64_t *before, const double *bounds,
			       size_t nbounds, const double *q, unsigned nq, double *ret);

#endif
