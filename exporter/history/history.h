/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.h - read the exporter's history: what was counted, when.
 *
 * For tools; the exporter writes with store.h. Depends on <shardmeter_reader.h>, on row.h and on
 * LMDB, on nothing else of the exporter.
 *
 * The store is a directory with one LMDB file. Once an interval the exporter adds a row to it: the
 * time and the value of every series that had one. A series' text (family, labels) stands once in a
 * dictionary, rows hold numbers. A series that was removed and made again is another series with
 * the same text and a later `created_real_ns`; its counter starts at 0 there.
 *
 *	struct history *h;
 *	struct sm_diag diag;
 *	struct history_row row;
 *	struct history_value v;
 *	int rc = history_open(NULL, &h, &diag);			// NULL: the default place
 *	if (rc < 0)
 *		... diag.message
 *	history_seek(h, from_ms, to_ms);
 *	while ((rc = history_next_row(h, &row)) > 0)
 *		while ((rc = history_next_value(h, &v)) > 0)
 *			printf("%s %.17g\n", v.series->family->name, v.value);
 *	if (rc < 0)
 *		... history_error(h)
 *	history_close(h);
 *
 * A reader takes no lock and no place in LMDB's table of readers, and writes nothing: permission to
 * read the file is enough, also on a disk that is read-only. However slow it is, stopped or in a
 * container of its own, it never makes the file grow nor is in anybody's way, the exporter's own
 * process included. Each call copies what it needs and then makes sure that the exporter has not
 * used those pages again meanwhile, which takes two more rows; else it looks again. Rows that
 * retention deletes meanwhile are passed over.
 *
 * Nothing read is trusted: everything is bounds-checked and rows carry a checksum (CRC32C). Texts
 * are NUL-terminated and valid UTF-8, but may hold control characters: escape them before a
 * terminal sees them.
 *
 * Times are Unix time in ms. Rows are in the order in which they were written, `tick` numbers them
 * without a gap. A row's time is when it was taken. It ascends, but for rows with
 * HISTORY_CLOCK_BACK: the clock was set back before. (By less than an interval: the row's time is
 * one ms after that of the row before, taken_real_ns is what the clock said.) Rows after such a step
 * may have the times of rows before it; history_seek() gives both.
 *
 * A gap says so: `missed` is how many ticks should have left a row since the row before, and
 * missed_why what was not there. A tick that was only slow has a row of its own, taken later than
 * it was due.
 *
 * Errors are -errno: -ENOENT no store, -EACCES no permission, -EBADMSG damaged, -EPROTONOSUPPORT
 * another format, -EBUSY written too fast to be read, -ENOMEM, or that of a system call.
 *
 * Thread: one history is for one thread. Signal: unsafe; while a call runs, SIGBUS and SIGSEGV of
 * its thread mean a damaged file and end the call with -EBADMSG. Fork: not usable in the child.
 */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include <shardmeter_reader.h>

struct history;

/* A family as it was declared. bounds: classic; united: those and the fine grid, without +Inf. */
struct history_family {
	uint32_t id;
	enum sm_kind kind;
	enum sm_gauge_mode mode;
	const char *name, *help, *unit;
	unsigned nlabels;
	const char *const *labels;
	unsigned nstates;
	const char *const *states;
	unsigned nbounds;
	const double *bounds;
	unsigned nunited;
	const double *united;
};

struct history_series {
	uint32_t id;
	const struct history_family *family;
	const struct sm_str *values;	/* of the family's labels */
	const char *writer;		/* "" unless this is one writer's own value (gauges of mode
					   `all`, state sets): then the value of a label `writer` */
	uint64_t created_real_ns;
};

/* Flags of a row. */
#define HISTORY_CLOCK_BACK	0x1u	/* the clock was set back since the row before */
#define HISTORY_STALE		0x2u	/* writers were busy: values of the last good snapshot */
#define HISTORY_MERGED		0x4u	/* a removed segment file still had writers: both added */

struct history_row {
	uint64_t at_ms;
	uint64_t taken_real_ns;		/* by the wall clock */
	uint64_t taken_boot_ns;
	uint64_t tick;			/* its number, from 1 */
	uint64_t due_ms;		/* when it should have been taken, by the wall clock */
	uint32_t interval_ms;
	uint32_t missed;		/* ticks without a row since the row before */
	unsigned missed_why;		/* HISTORY_MISSED_*, several if so */
	uint32_t run;			/* which run of an exporter on this store wrote it, from 1 */
	uint8_t boot_id[16];		/* boottime clocks of the same boot can be compared */
	unsigned flags;
	uint8_t segment_id[16];		/* of the newest file: another one was made anew */
	unsigned files;			/* that were added up; see HISTORY_MERGED */
	uint64_t catalog_generation;
	uint32_t live_writers;
	uint32_t nwriters;		/* in the row: history_next_writer() */
	uint32_t nvalues;
	size_t bytes;			/* of the row in the store */
};

/* Why ticks have no row. */
#define HISTORY_MISSED_STOPPED	0x01u	/* no exporter ran, or it was just starting */
#define HISTORY_MISSED_SEGMENT	0x02u	/* there was no segment, or it could not be read */
#define HISTORY_MISSED_STORE	0x04u	/* the store could not be written */
#define HISTORY_MISSED_LATE	0x08u	/* the tick before it took longer than the interval */
#define HISTORY_MISSED_SUSPEND	0x10u	/* the machine slept */

/* A program that was alive when the row was taken. */
struct history_writer {
	const char *name;
	uint64_t incarnation;		/* one more with each program that takes the name over */
	uint64_t start_real_ns;
};

/* One bucket that is not empty: its index counts the united bounds, `nunited` is +Inf. */
struct history_bucket {
	uint32_t index;
	uint64_t count;
};

struct history_value {
	const struct history_series *series;
	uint32_t id;			/* the series', which is not near at hand */
	/* Every kind but histograms. A state set's value is the number of its state. */
	int is_integer;			/* units / 10^decimals, exactly; else only value */
	int is_signed;			/* units is an int64_t */
	unsigned decimals;
	uint64_t units;
	double value;
	/* Histograms: ascending, not cumulative. Valid until the next call. */
	size_t nbuckets;
	const struct history_bucket *buckets;
	uint64_t count;
	struct sm_sum sum;
};

/* history_default_dir - where the exporter keeps its stores (--storage.path) by default:
 * /var/lib/shardmeter if that can be written (or, for readers, holds a store), else
 * $XDG_STATE_HOME/shardmeter or ~/.local/state/shardmeter. 0, -ENAMETOOLONG, or -ENOENT when there is no home either. */
int history_default_dir(int for_writing, char *ret_dir, size_t size);

/*
 * history_open - open a store for reading. dir is its directory (place.h has those of segments), NULL
 * for that of the default segment. The exporter may be writing it meanwhile, or not run at all.
 */
int history_open(const char *dir, struct history **ret_history, struct sm_diag *diag);
void history_close(struct history *h);

/* history_error - text of the last error of h. */
const char *history_error(const struct history *h);

/* What is in the store now. */
struct history_summary {
	char path[4096];		/* of the data file */
	uint64_t rows;
	uint64_t first_ms, last_ms;	/* of the first and last written; 0 without rows */
	uint64_t first_tick, last_tick;
	uint64_t series, families;	/* in the dictionary */
	uint64_t used_bytes;		/* live pages */
	uint64_t file_bytes;
};
int history_summarise(struct history *h, struct history_summary *ret_summary);

/* history_each_series - call fn for every series of the dictionary, by id; stops when fn returns
 * non-zero and returns that. What fn is given stays valid until history_close(). */
int history_each_series(struct history *h, int (*fn)(void *ctx, const struct history_series *s),
	void *ctx);

/* history_seek - go on with the first row at or after from_ms, and end after the last at or before
 * to_ms. 0 and UINT64_MAX for all. Without it reading begins at the first row. */
void history_seek(struct history *h, uint64_t from_ms, uint64_t to_ms);

/*
 * history_want - from now on history_next_value() passes over every series whose bit in `ids` is 0
 * (bit id % 8 of byte id / 8), and ends a row after the last one that is 1. limit is the number of
 * bits, which must stay valid; NULL and 0: all series again.
 */
void history_want(struct history *h, const uint8_t *ids, uint32_t limit);

/*
 * history_seek_last - go on with the row that was written last of those taken at or before at_ms, and
 * end after it. 1, 0 if there is none, or -errno. A few page reads, whatever the distance.
 */
int history_seek_last(struct history *h, uint64_t at_ms);

/* history_next_row - 1 and the next row, 0 at the end, or -errno. -EBADMSG is about this row
 * only (call again for the next one) as long as history_damaged() is 0. */
int history_next_row(struct history *h, struct history_row *ret_row);
int history_damaged(const struct history *h);

/* history_next_writer - 1 and the next writer of the current row, valid until the next call, 0 at the
 * end, or -errno, which ends the row. */
int history_next_writer(struct history *h, struct history_writer *ret_writer);

/* history_next_value - 1 and the next value of the current row, by series id, 0 at its end, or
 * -errno, which ends the row. Valid until the next call. */
int history_next_value(struct history *h, struct history_value *ret_value);

#endif /* HISTORY_HISTORY_H */
