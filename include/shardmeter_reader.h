/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shardmeter_reader.h - read a segment: what is counted, by whom, and how much.
 *
 * For exporters, viewers and tools. A reader only ever opens the file read-only and preads it: it
 * never maps, locks for writing, or writes. It trusts no byte: every offset, length and count is
 * checked before use, every loop is bounded, every text it returns is NUL-terminated. A
 * segment that is being written, is damaged, hostile or truncated gives an error or a value, never
 * a crash or a hang.
 *
 *	struct sm_reader *r;
 *	struct sm_diag diag;
 *	int rc = sm_reader_open("default", &r, &diag);	// 0 ready, SM_NOT_READY, or -errno
 *	if (rc == 0) {
 *		const struct sm_snapshot *s;
 *		rc = sm_snapshot_take(r, 0, &s, &diag);
 *		for (size_t f = 0; f < s->nfamilies; f++)
 *			for (size_t i = 0; i < s->families[f].nseries; i++)
 *				... sm_snapshot_number(s, &s->families[f].series[i], SM_ALL_WRITERS, &n)
 *		sm_snapshot_free(s);
 *	}
 *	sm_reader_close(r);
 *
 * What a reader may see that is "wrong", and why it is harmless:
 * - Two cells have no common instant: a snapshot takes some 10 us per 1,000 series, and writers go on
 *   meanwhile. Each cell is whole, and no counter or bucket ever goes back between snapshots of one
 *   reader.
 * - A histogram's bucket may be ahead of its sum by the observations in flight, or, for a writer
 *   killed between the two stores, by that one for ever.
 * - While a dead writer's lanes are folded a snapshot is retried; after some tries the last good one
 *   is served, marked `stale`.
 *
 * Threads: one reader is for one thread at a time; snapshots are immutable and may be shared.
 * Signals: unsafe. Fork: a child may use neither readers nor snapshots of its parent.
 */
#ifndef SHARDMETER_READER_H
#define SHARDMETER_READER_H

#include <shardmeter.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sm_reader;
__extension__ typedef unsigned __int128 sm_u128;

/* ---- finding and attaching ---------------------------------------------------------------- */

/* sm_segment_resolve - the path that a name means: SHARDMETER_SEGMENT or "default" for NULL or "".
 * Returns 0, -EINVAL (bad name), -ENAMETOOLONG. The file need not exist. */
SM_API int sm_segment_resolve(const char *name, char *ret_path, size_t size);

/* sm_segment_list - call fn for each segment file in the default places, sorted by name; stops
 * when fn returns non-zero and returns that. */
SM_API int sm_segment_list(int (*fn)(void *ctx, const char *name, const char *path), void *ctx);

#define SM_NOT_READY 1

/*
 * sm_reader_open - attach to a segment.
 *
 * segment  a name or path, as in sm_options.
 *
 * Returns 0; SM_NOT_READY if the file is there but its creator has not finished (try again
 * later; no reader is returned); or
 *   -ENOENT   no such segment
 *   -EACCES   no permission to read it (message: owner and remedy)
 *   -EPROTONOSUPPORT  another layout: the message has both versions
 *   -EBADMSG  not a segment, or damaged: the message says where
 *   -ELOOP, -EINVAL, -ENOMEM
 *   or the errno of the system call that failed.
 */
SM_API int sm_reader_open(const char *segment, struct sm_reader **ret_reader, struct sm_diag *diag);
SM_API void sm_reader_close(struct sm_reader *r);

/* sm_reader_current - is the path still this file? 0 yes; 1 it was removed; 2 another file is
 * there now (attach to it, and keep this reader until sm_reader_live_writers() is 0); -errno. */
SM_API int sm_reader_current(struct sm_reader *r);

/* sm_reader_live_writers - how many writers hold their life lock now, without the common writer;
 * or -errno. */
SM_API int sm_reader_live_writers(struct sm_reader *r);

/* Facts about the segment, valid until sm_reader_close(). */
struct sm_segment_info {
	const char *path;
	unsigned layout_major, layout_minor;
	uint8_t segment_id[16];
	char boot_id[40];
	uint64_t created_real_ns;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	uint64_t file_bytes;		/* size; sparse */
	uint64_t max_writers, lanes_per_writer, max_families, max_series, max_cells;
};
SM_API const struct sm_segment_info *sm_reader_info(struct sm_reader *r);

/* ---- snapshots ---------------------------------------------------------------------------- */

enum sm_writer_state {
	SM_WRITER_LIVE,		/* lock held */
	SM_WRITER_DEAD,		/* gone; its counters wait for a successor or to be folded */
	SM_WRITER_COMMON	/* slot 0: what shell commands wrote */
};

struct sm_usage {
	uint64_t at_boot_ns;	/* 0: never reported */
	uint64_t cpu_user_ns, cpu_system_ns;
	uint64_t resident_bytes, virtual_bytes;
	uint64_t threads, open_fds, max_fds;
};

/* What was refused, by reason; names by sm_refused_reason(). */
#define SM_REFUSED_REASONS 16

struct sm_writer {
	unsigned slot;
	enum sm_writer_state state;
	const char *name;
	const char *version;		/* of the application */
	const char *const *metadata;	/* nmetadata pairs: key, value, key, value ... */
	size_t nmetadata;
	uint64_t incarnation;
	uint64_t pid;
	uint64_t pidns;			/* pid means something only where this is our pid namespace */
	uint64_t uid;
	uint64_t start_real_ns, start_boot_ns;
	uint64_t claimed_boot_ns;
	uint64_t heartbeat_boot_ns;	/* 0: never */
	uint64_t heartbeats;
	uint64_t exited_boot_ns;	/* 0: not by sm_close() */
	uint64_t restarts;
	uint64_t lanes_in_use;
	uint64_t shared_updates;	/* updates of threads that had no lane */
	uint64_t refused[SM_REFUSED_REASONS];
	struct sm_usage usage;
};

#define SM_FAMILY_FINE_GRID	0x1u
#define SM_FAMILY_SUM_DOUBLE	0x2u
#define SM_FAMILY_KEEP		0x4u
#define SM_FAMILY_EXEMPLARS	0x8u
#define SM_FAMILY_SIGNED	0x10u

struct sm_series_info {
	uint32_t id;			/* record number: stable while the series lives */
	uint64_t incarnation;		/* +1 when the record is used for another series */
	const struct sm_str *values;	/* of the family's labels; NUL-terminated, too */
	uint64_t created_real_ns;
	uint64_t created_boot_ns;
	int overflow;			/* the family's __other__ series */
	/* private */
	uint32_t family;
	uint32_t cell[4];
	uint32_t exemplar, nexemplars;
};

struct sm_family_info {
	uint32_t id;
	uint64_t incarnation;
	enum sm_kind kind;
	const char *name, *help, *unit;		/* unit "" if none */
	unsigned nlabels;
	const char *const *labels;
	enum sm_gauge_mode mode;
	unsigned flags;				/* SM_FAMILY_* */
	unsigned decimals, sum_decimals;
	unsigned nstates;
	const char *const *states;
	unsigned nbounds;			/* classic bounds, without +Inf */
	const double *bounds;
	unsigned nunited;			/* classic bounds united with the grid, without +Inf */
	const double *united;
	int grid_lo, grid_hi;
	uint64_t created_real_ns;
	unsigned cap;
	size_t nseries;
	const struct sm_series_info *series;	/* in order of registration */
};

/* How full the segment is. */
struct sm_fill {
	uint64_t families, families_max;
	uint64_t series, series_max;		/* records used, tombstones included */
	uint64_t cells, cells_max;
	uint64_t strings, strings_max;		/* bytes */
	uint64_t exemplars, exemplars_max;
	uint64_t writers, writers_max;		/* slots in use, dead ones included */
	uint64_t allocated_bytes;		/* real memory behind the file */
	uint64_t fs_free_bytes, fs_total_bytes;
};

struct sm_snapshot {
	uint64_t taken_real_ns;
	uint64_t taken_boot_ns;
	uint64_t catalog_generation;
	uint64_t fold_epoch;
	unsigned retries;		/* torn reads while taking this one */
	int stale;			/* the last good one, served again: writers were busy folding */
	size_t nfamilies;
	const struct sm_family_info *families;	/* sorted by name */
	size_t nwriters;
	const struct sm_writer *writers;	/* by slot; free slots are not here */
	struct sm_fill fill;
	uint64_t folds, adoptions, claims, removals, conflicts, recovered;
	uint64_t refused[SM_REFUSED_REASONS];	/* header and all writers */
	uint64_t damaged_records;	/* families, series and slots left out because they are damaged or
					   there twice: see sm_check() */
	const struct sm_segment_info *segment;
};

/* Flags of sm_snapshot_take(). */
#define SM_SNAPSHOT_WRITERS	0x1u	/* keep per-writer values as well: more memory */
#define SM_SNAPSHOT_EXEMPLARS	0x2u	/* and exemplars */

/*
 * sm_snapshot_take - read everything once.
 *
 * Returns 0 and a snapshot, which may outlive r; SM_NOT_READY; -EBADMSG (damage, truncation; diag
 * says where); -EAGAIN (writers kept folding and there is no earlier snapshot); -ENOMEM.
 * Cost: about the memory read; catalog text is read again only when it changed.
 */
SM_API int sm_snapshot_take(struct sm_reader *r, unsigned flags, const struct sm_snapshot **ret_snapshot,
			    struct sm_diag *diag);
SM_API void sm_snapshot_free(const struct sm_snapshot *s);

#define SM_ALL_WRITERS (-1)

/* A number as stored: integers stay exact. */
struct sm_value {
	int is_set;		/* 0: absent (gauge never set, writer without this series, folded) */
	int is_integer;		/* units holds it: value = units / 10^decimals, exactly */
	uint64_t units;		/* counters; for an up-down gauge as int64_t, see is_signed */
	int is_signed;
	unsigned decimals;
	double value;		/* always filled: the nearest double */
	uint64_t at_boot_ns;	/* mostrecent gauges: when it was set */
};

/*
 * sm_snapshot_number - the value of a counter, gauge, up-down gauge, or info (1), or the number of
 * the current state of a state set.
 *
 * writer  index into s->writers, or SM_ALL_WRITERS for the family's combination (for SM_MODE_ALL
 *         gauges and state sets there is none: absent). Per-writer values of counters and up-down
 *         gauges need SM_SNAPSHOT_WRITERS.
 * Returns 0, or -EINVAL (a histogram, a bad writer, or a snapshot without per-writer values).
 */
SM_API int sm_snapshot_number(const struct sm_snapshot *s, const struct sm_series_info *series,
			      int writer, struct sm_value *ret_value);

/*
 * sm_snapshot_counts - the totals of all series of a counter family at once, in the order of f->series:
 * for readers of very many (1 ns each instead of 10).
 *
 * f           one of s->families
 * ret_counts  f->nseries numbers
 *
 * Returns 0; -ENOTSUP when some of the series count in fractions too, so that sm_snapshot_number() must be
 * asked; -EINVAL (not a counter family of s).
 */
SM_API int sm_snapshot_counts(const struct sm_snapshot *s, const struct sm_family_info *f,
			      uint64_t *ret_counts);

/* A histogram's sum: units / 10^decimals in 128 bits, or a double. */
struct sm_sum {
	int is_integer;
	unsigned decimals;
	sm_u128 units;
	double value;
};

/*
 * sm_snapshot_buckets - the counts of a histogram, not cumulative, one for each of the
 * family's united bounds and one for +Inf: nunited + 1 numbers. Same errors.
 */
SM_API int sm_snapshot_buckets(const struct sm_snapshot *s, const struct sm_series_info *series,
			       int writer, uint64_t *ret_counts, struct sm_sum *ret_sum);

/* sm_snapshot_classic - cumulative counts of the classic bounds: nbounds + 1 numbers, the last of
 * which (+Inf) is the count. */
SM_API int sm_snapshot_classic(const struct sm_snapshot *s, const struct sm_series_info *series,
			       int writer, uint64_t *ret_cumulative, struct sm_sum *ret_sum);

#define SM_NATIVE_BUCKETS_MAX 512

/* A native (exponential) histogram: bucket i has upper bound 2^(i / 2^schema). */
struct sm_native {
	int schema;
	double zero_threshold;
	uint64_t zero_count;
	int first_index;		/* of counts[0] */
	unsigned ncounts;		/* dense; at most the limit asked for */
	uint64_t counts[SM_NATIVE_BUCKETS_MAX];
	uint64_t above;			/* beyond the grid: belongs to +Inf */
	uint64_t count;			/* all of them */
	struct sm_sum sum;
};

/* sm_snapshot_native - the fine grid as a native histogram, merged down (schema 3, 2, 1, ...) until
 * the span from the first to the last non-empty bucket is at most max_buckets. -ENOENT if
 * the family has no grid. */
SM_API int sm_snapshot_native(const struct sm_snapshot *s, const struct sm_series_info *series,
			      int writer, unsigned max_buckets, struct sm_native *ret_native);

/* sm_native_from_buckets - the same from what sm_snapshot_buckets() gave, for readers that add up several
 * files. counts: f->nunited + 1. */
SM_API int sm_native_from_buckets(const struct sm_family_info *f, const uint64_t *counts,
				  const struct sm_sum *sum, unsigned max_buckets,
				  struct sm_native *ret_native);

/* sm_snapshot_quantile - q (0 to 1) by linear interpolation in the united buckets, as Prometheus'
 * histogram_quantile() does; NaN if empty. */
SM_API double sm_snapshot_quantile(const struct sm_snapshot *s, const struct sm_series_info *series,
				   int writer, double q);

/* An exemplar. bucket: index of the classic bucket (nbounds is +Inf); 0 for counters. */
struct sm_exemplar {
	unsigned bucket;
	double value;
	uint64_t at_real_ns;
	size_t npairs;
	struct sm_str pairs[32];	/* name, value, ... ; 2 * npairs of them */
	char text[513];
};

/* sm_reader_exemplar - read exemplar `bucket` of a series now. 0; -ENOENT if empty; -EAGAIN if
 * torn. */
SM_API int sm_reader_exemplar(struct sm_reader *r, const struct sm_series_info *series, unsigned bucket,
			      struct sm_exemplar *ret_exemplar);

/* sm_snapshot_exemplar - the same out of a snapshot with SM_SNAPSHOT_EXEMPLARS. 0; -ENOENT if there is
 * none; -EAGAIN if it was just being written. */
SM_API int sm_snapshot_exemplar(const struct sm_snapshot *s, const struct sm_series_info *series,
				unsigned bucket, struct sm_exemplar *ret_exemplar);

/* A slow operation. Texts are NUL-terminated and valid UTF-8. */
struct sm_slow {
	unsigned slot;
	uint64_t number;		/* in the slot's sequence, from 0 */
	uint64_t incarnation;
	char writer[64];
	char operation[65];
	char status[33];
	uint64_t start_real_ns, duration_ns, threshold_ns;
	uint8_t trace_id[16], span_id[8], parent_id[8];
	unsigned ncheckpoints;
	struct {
		char name[25];
		uint64_t duration_ns;
	} checkpoint[16];
	size_t nattributes;
	struct sm_str attributes[64];	/* key, value, ... ; 2 * nattributes of them */
	char attribute_text[513];
	unsigned parts_refused;
};

/* sm_reader_slow - call fn for every slow operation still in a ring, oldest first within a writer.
 * Entries that are just being written are passed over. Returns the number of calls or -errno; stops
 * when fn returns non-zero. */
SM_API int sm_reader_slow(struct sm_reader *r, int (*fn)(void *ctx, const struct sm_slow *slow), void *ctx);

/*
 * One of our own metrics about a segment and its writers: shardmeter_segment_*, shardmeter_writer_*,
 * shardmeter_refused_total. Value: units / 10^decimals, exactly.
 */
struct sm_about {
	const char *name, *help, *unit;
	enum sm_kind kind;		/* SM_COUNTER, SM_GAUGE or SM_INFO */
	size_t nlabels;
	const char *const *labels;	/* name, value, ...: 2 * nlabels of them */
	int writer;			/* index into s->writers, or -1 */
	uint64_t units;
	unsigned decimals;
};

/* sm_snapshot_about - call fn for each of them: those of one name together, by name. Texts are valid
 * during the call. Stops when fn returns non-zero and returns that. */
SM_API int sm_snapshot_about(const struct sm_snapshot *s,
			     int (*fn)(void *ctx, const struct sm_about *about), void *ctx);

/* sm_refused_reason - "cap", "series_full", ...; NULL beyond the last. The label value in
 * shardmeter_refused_total. sm_refused_help() is a sentence with the remedy. */
SM_API const char *sm_refused_reason(unsigned reason);
SM_API const char *sm_refused_help(unsigned reason);

/* ---- text --------------------------------------------------------------------------------- */

/*
 * sm_snapshot_text - render as Prometheus text format 0.0.4: HELP and TYPE once a family, families
 * by name, escaped, canonical `le`, histograms classic. Also writes our own metrics about the
 * segment (shardmeter_writer_*, shardmeter_segment_*, shardmeter_refused_total).
 * sink returns 0 or -errno, which ends the rendering. Returns 0 or -errno.
 */
SM_API int sm_snapshot_text(const struct sm_snapshot *s, unsigned flags,
			    int (*sink)(void *ctx, const char *data, size_t len), void *ctx);

/* Shortest text that reads back as v, in Go's strconv 'g' form ("0.25", "1e+06", "+Inf", "NaN");
 * `point` forces a point or exponent (OpenMetrics: "1.0"). Returns its length; size >= 32. */
SM_API size_t sm_format_double(double v, int point, char *ret_text, size_t size);

/* Exact decimal of units / 10^decimals without trailing zeros: "1.5", "3". size >= 48. */
SM_API size_t sm_format_units(sm_u128 units, unsigned decimals, char *ret_text, size_t size);

/* ---- housekeeping ------------------------------------------------------------------------- */

/*
 * sm_check - verify a segment's structure: header, geometry, fingerprint, records, strings, indexes,
 * cell ranges, rings, page maps. Calls report for each finding, with what and where. Returns the
 * number of findings, or -errno if it could not be read at all. Read-only; on a segment in
 * use, findings that writers may be causing just now are looked at twice.
 * What is odd but not damaged, such as times of a writer in another time namespace, is reported as a
 * text that begins with "warning: " and not counted.
 */
SM_API int sm_check(const char *segment, void (*report)(void *ctx, const char *finding), void *ctx,
		    struct sm_diag *diag);

struct sm_gc_result {
	unsigned recovered;	/* half-done operations of dead processes, mended */
	unsigned writers;	/* dead writers folded into the retired totals */
	unsigned series;	/* removed series whose storage was freed */
	uint64_t bytes;		/* memory given back */
};

/* sm_gc - recover, fold dead writers that ended more than min_age_s ago, free what was removed.
 * Writes: needs write permission. 0 or -errno. */
SM_API int sm_gc(const char *segment, unsigned min_age_s, struct sm_gc_result *ret_result,
		 struct sm_diag *diag);

/* What a segment of this shape takes. */
struct sm_size_question {
	unsigned writers, lanes_used;	/* lanes a writer really uses, its shared lane included; 0: 3 */
	unsigned counters, gauges, histograms;
	unsigned bounds;		/* classic bounds a histogram; 0: 11 */
	int grid;			/* fine grid */
	unsigned label_bytes;		/* of label values a series; 0: 32 */
};
/* sm_size_predict - bytes of tmpfs that it will take, by the formula in docs/sizing.md. */
SM_API uint64_t sm_size_predict(const struct sm_size_question *q);

#ifdef __cplusplus
}
#endif

#endif /* SHARDMETER_READER_H */
