/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shardmeter.h - count things in a program that runs as many processes.
 *
 * Each process writes counters, gauges and histograms into one named shared-memory segment at
 * the cost of a plain memory write. shardmeter-exporter serves the segment to Prometheus,
 * shmtop(1) shows it live, shardmeter(1) reads and updates it from a shell. Readers use
 * <shardmeter_reader.h>.
 *
 * Calling sequence: open once, declare each family once, resolve a handle once per label set,
 * then update as often as you like.
 *
 *	struct sm_diag diag;
 *	struct sm *m = sm_open(NULL, &diag);		// names from the environment
 *	if (diag.error)
 *		fprintf(stderr, "metrics are off: %s\n", diag.message);
 *	struct sm_family *f = sm_declare(m, &(struct sm_family_options){
 *		.kind = SM_COUNTER, .name = "commands_total",
 *		.help = "Commands handled.", .labels = { "command", "status" } }, NULL);
 *	struct sm_counter *ok = sm_counter(f, SM_LABELS("play", "ok"));
 *	sm_counter_add(ok, 1);
 *
 * What holds everywhere:
 *
 * - Nothing here ever aborts, prints, or needs the exporter. A failed open, declaration or
 *   resolve gives a *null object*: a real pointer whose updates go nowhere, so no return value
 *   has to be checked. Why it failed stands in the sm_diag and in a counter that the exporter
 *   shows (shardmeter_refused_total).
 * - An update (sm_counter_add(), sm_gauge_set(), sm_histogram_observe(), ...) is one plain store,
 *   on a histogram two: no system call, lock, clock, allocation, string hash. The first update
 *   of a thread, and updates of threads beyond the writer's lanes, cost more; see lanes below. So do
 *   those of a second writer in the same process, see sm_open().
 *
 * Threads: every function may be called from any thread, unless it says otherwise.
 *
 * Signals: updates may be called in signal handlers. They never deadlock or corrupt. On x86-64
 * integer updates are exact there; elsewhere use the sm_*_signal() forms, which are. Opening,
 * declaring and resolving are not for signal handlers.
 *
 * Fork: a child is a writer of its own. It takes a slot of its own (name "shard-3" becomes
 * "shard-3~2" while the parent lives) at its first update or resolve, so a child that only execs
 * costs nothing. Handles stay valid in it. A vfork child shares its parent's memory and must not
 * update; nor must a thread made by clone(CLONE_VM) that shares its maker's thread-local storage.
 *
 * Death: nothing has to be called. A kernel lock proves that a writer lives; when it is gone the
 * writer's gauges vanish from the exposition and its counters stay in the totals. The next
 * process of the same name goes on where it stopped.
 *
 * Lanes: each thread writes to a lane of its own. A writer has few (4 by default, one of them
 * shared); threads beyond that share one lane with atomic adds (about 5 ns alone, 15 contended).
 * Lanes of ended threads are reused.
 *
 * Writers trust the segment: whoever may write it may falsify it and may truncate it, which is
 * SIGBUS for those that have it mapped. One segment per trust domain.
 *
 * Environment, read by sm_open(): SHARDMETER_SEGMENT, SHARDMETER_WRITER, SHARDMETER_APP_VERSION,
 * SHARDMETER_GROUP, SHARDMETER_SLOW ("op=500ms,other=2s"), SHARDMETER_DISABLE=1,
 * SHARDMETER_DISABLE_FAMILIES ("cache_*,debug_*"), SHARDMETER_ALLOWED_LABELS ("command,*_type").
 */
#ifndef SHARDMETER_H
#define SHARDMETER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SM_VERSION_MAJOR 0
#define SM_VERSION_MINOR 1
#define SM_VERSION_PATCH 0

#define SM_API __attribute__((visibility("default")))

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SM_THREAD_SANITIZER_ 1
#endif
#endif

struct sm;		/* an open segment, as a writer */
struct sm_family;	/* a declared family: name, type, labels */
struct sm_stateset;

/* A string that need not end in NUL. */
struct sm_str {
	const char *ptr;
	size_t len;
};

#define SM_DIAG_MESSAGE 512

/*
 * What went wrong, for people. error is 0 or a negative errno; message names the thing, what was
 * wrong and what to do. Written by every function that takes one, also on success (0, "").
 */
struct sm_diag {
	int error;
	char message[SM_DIAG_MESSAGE];
};

/* ---- opening ------------------------------------------------------------------------------ */

#define SM_METADATA_MAX 8

/* Flags of sm_options. */
#define SM_OPEN_NO_CREATE	0x1u	/* fail with -ENOENT instead of creating the segment */
#define SM_OPEN_COMMON		0x2u	/* write as the common writer: for short-lived programs such as
					   shell commands. All updates are atomic adds in a lane that
					   belongs to nobody; no slot is used, gauges stay. Families
					   that exist are never replaced by it. */
#define SM_OPEN_DISABLED	0x4u	/* as SHARDMETER_DISABLE=1: null objects, no error */
#define SM_OPEN_NO_ENVIRONMENT	0x8u	/* ignore the environment variables */
#define SM_OPEN_TSC		0x10u	/* time with the processor's invariant time-stamp counter
					   where there is one (9 ns a read instead of 22) */

/*
 * Options of sm_open(). Zero means default, for every field. Explicit fields win over the
 * environment.
 */
struct sm_options {
	size_t size;		/* sizeof(struct sm_options); 0 is taken as that, too */
	const char *segment;	/* name, or a path if it has a '/'. SHARDMETER_SEGMENT, else "default".
				   A name lives in /run/shardmeter/ if that directory exists, else it
				   is /dev/shm/shardmeter.<name>. */
	const char *writer;	/* stable name of this process, e.g. "shard-3", 1 to 60 bytes of
				   [A-Za-z0-9_.:/-]. SHARDMETER_WRITER, else the program's name
				   with an ordinal ("bot-1"). */
	const char *app_version;	/* of your program, e.g. "2.14.0": a change marks a deploy.
					   SHARDMETER_APP_VERSION. At most 63 bytes. */
	const char *group;	/* group that may write, too: the file gets mode 0660 and this
				   group (name or number). SHARDMETER_GROUP, else mode 0640. */
	const char *metadata[SM_METADATA_MAX];	/* "key=value" pairs such as "shard=3", shown in
						   shardmeter_writer_info. At most 440 bytes in all. */
	unsigned flags;		/* SM_OPEN_* */
	unsigned thread_lanes;	/* lanes to prepare at once for threads, 1 to lanes_per_writer - 1; default 1.
				   More are prepared on demand. */
	unsigned lock_timeout_ms;	/* bound of the wait for the catalog lock; default 100 */
	/* Geometry, used only by the process that creates the segment. */
	unsigned max_writers;		/* 2 to 4096, default 128 */
	unsigned lanes_per_writer;	/* 2 to 64, default 4 */
	unsigned max_families;		/* 1 to 65535, default 1024 */
	unsigned max_series;		/* 1 to 2^24, default 65536 */
	unsigned max_cells;		/* 64-bit cells for counters and buckets, default 2^19 */
	unsigned ring_entries;		/* slow operations kept per writer, 2^n up to 4096, default 64 */
	/* Labels */
	const char *allowed_labels;	/* names of labels that families may have, separated by commas, * and ? as
					   in a shell: "command,shard,*_type". A declaration with another one
					   is refused. SHARDMETER_ALLOWED_LABELS, else all. At most 511 bytes. */
};

/*
 * sm_open - become a writer of a segment, creating it if need be.
 *
 * opts  NULL or options; strings are copied.
 * diag  NULL or where to say what happened.
 *
 * Returns a writer, never NULL. On failure it is the null writer: everything made from it counts
 * into nowhere, and diag->error is
 *   -EINVAL   a bad option or environment variable
 *   -EACCES   no permission; the message names the file's owner and the remedy
 *   -ENOSPC   the file system is too full for the segment, or every writer slot is taken
 *   -EPROTONOSUPPORT  the file has another layout; the message has both versions
 *   -EBADMSG  the file is not a segment, or damaged
 *   -ETIMEDOUT  the catalog lock was not free in time (a stopped process holds it)
 *   -ELOOP    the path is a symbolic link
 *   -ENOSYS   the kernel is older than 4.14
 *   or the errno of the system call that failed.
 * A file system that is not a tmpfs is accepted; diag->message then warns, with error 0.
 * Two writers in one process, of one or several segments, are fine; each has a slot. At most 63 in all; a
 * segment whose file was removed while it was open (and made anew, see sm_heartbeat()) is another one.
 * The inline code serves the first of them; updates of another's counters, up-down gauges and histograms are
 * function calls: 4 to 5 ns, observations 6 to 9. When the first is closed the next takes its place at its
 * heartbeat. That is so, too, in a process that has 65,535 opens, forks and replaced files behind it,
 * those of the processes that it descends from included.
 *
 * Thread: safe. Signal: unsafe. Fork: the child is a writer of its own, see above.
 */
SM_API struct sm *sm_open(const struct sm_options *opts, struct sm_diag *diag);

/*
 * sm_close - stop being a writer. Gauges vanish, counters stay. Handles made from m stay valid
 * memory and count into nowhere from now on. No other thread may be updating through m's handles
 * while this runs. NULL is allowed. Thread: external lock. Signal: unsafe.
 */
SM_API void sm_close(struct sm *m);

/*
 * sm_heartbeat - say that this process still works. Call it every few seconds, best from the
 * loop whose health matters. Stores the time and the process' own usage, notices that the segment
 * file was removed (and makes a new one), prepares lanes for threads that wait for one.
 * About 10 us. Returns 0 or -errno (the reason why nothing is counted just now).
 * Thread: safe. Signal: unsafe. Fork: safe.
 */
SM_API int sm_heartbeat(struct sm *m);

/* sm_status - 0 if m counts, else the -errno of the failure, with its text in diag. */
SM_API int sm_status(struct sm *m, struct sm_diag *diag);

/* The name in use ("shard-3", "shard-3~2"), "" for a null writer. Valid until sm_close(). */
SM_API const char *sm_writer_name(struct sm *m);

/* The segment's file. Valid until sm_close(). */
SM_API const char *sm_segment_path(struct sm *m);

/* "0.1.0", and the layout version that this library writes, "1.0". */
SM_API const char *sm_version(void);
SM_API const char *sm_layout_version(void);

/* ---- declaring ---------------------------------------------------------------------------- */

enum sm_kind {
	SM_COUNTER = 1,	/* only goes up; name ends in _total */
	SM_GAUGE,	/* set: one value per process, combined by mode */
	SM_UPDOWN,	/* gauge by add and subtract only: one sum over all threads and live writers */
	SM_HISTOGRAM,
	SM_INFO,	/* constant text as labels, value 1; name ends in _info */
	SM_STATESET	/* one of a fixed list of states */
};

/* How a set gauge of several writers becomes one value. Live writers only, unless .keep. */
enum sm_gauge_mode {
	SM_MODE_SUM,
	SM_MODE_MIN,
	SM_MODE_MAX,
	SM_MODE_AVG,
	SM_MODE_MOSTRECENT,	/* the last one set, by a coarse clock; set costs about 20 ns */
	SM_MODE_FIRST,		/* of the writer that runs longest */
	SM_MODE_ALL		/* each writer's own, with a label `writer` */
};

/* How a counter is stored. Processes that count one family in different ways add up. */
enum sm_number {
	SM_NUMBER_U64,		/* whole units: sm_counter_add() */
	SM_NUMBER_FIXED,	/* units of 10^-decimals: sm_counter_add() in those units, or
				   sm_counter_add_double(); exact, one plain store */
	SM_NUMBER_DOUBLE	/* sm_counter_add_double(); a compare-and-swap, about 5 ns */
};

#define SM_LABELS_MAX 16

/* Units. Any other text is allowed; base units are what Prometheus expects. */
#define SM_SECONDS	"seconds"
#define SM_BYTES	"bytes"
#define SM_RATIO	"ratio"

/*
 * A family. Zero means default, for every field but kind and name. Strings are copied.
 *
 * name     [a-zA-Z_][a-zA-Z0-9_]*, at most 200 bytes, not starting with "shardmeter_" (ours) nor
 *          ending in a suffix that its kind generates (_bucket, _count, _sum, _created; a counter
 *          must end in _total, an info in _info, others may not).
 * labels   names, [a-zA-Z_][a-zA-Z0-9_]*, not starting with "__", not le, quantile, writer or the
 *          family's name (a state set's own label). At most 16.
 * bounds   histogram: upper bounds (`le`), ascending, finite, without +Inf, at most 256; default by
 *          unit: seconds .005 .01 .025 .05 .1 .25 .5 1 2.5 5 10; bytes 256 1024 4096 ... 2^30;
 *          ratio .05 .1 .2 ... .9 .95 .99 1; else the seconds' list.
 * slo      a latency or size target; becomes one of the bounds, so that met and missed are exact.
 * grid     a fine grid of 8 buckets per doubling beside the bounds, for native histograms and
 *          exact quantiles within 9 %: on for unit seconds (2^-20 to 2^10), bytes (2^0 to 2^30)
 *          and ratio; SM_GRID_ON, SM_GRID_OFF to decide.
 *          240 cells more per series and lane.
 * cap      series beyond it go to one overflow series whose labels are all "__other__" (counted).
 *          Default 1000.
 */
struct sm_family_options {
	size_t size;		/* sizeof(struct sm_family_options) or 0 */
	enum sm_kind kind;
	const char *name;
	const char *help;
	const char *unit;
	const char *labels[SM_LABELS_MAX];
	unsigned cap;
	unsigned normalise;	/* SM_NORMALISE_*; or bit i: normalise values of label i */
	/* counter */
	enum sm_number number;
	unsigned decimals;	/* of SM_NUMBER_FIXED: 1 to 9, default 9 for seconds, else 6. Part of the
				   definition: those who count in another way say the same. Of a histogram's
				   sum: default 6, bytes 0, seconds always 9 */
	int exemplars;		/* keep exemplars (counter, histogram) */
	/* gauge */
	enum sm_gauge_mode mode;
	int keep;		/* count values of dead writers, too (sum, min, max, mostrecent, first), each until
				   the next process of that writer's name sets its own */
	/* histogram */
	const double *bounds;
	size_t nbounds;
	double slo;		/* 0: none */
	int grid;		/* SM_GRID_* */
	int is_signed;		/* negative values allowed: classic bounds only, slower */
	/* state set */
	const char *const *states;
	size_t nstates;		/* 1 to 64 */
};

#define SM_GRID_DEFAULT	0
#define SM_GRID_ON	1
#define SM_GRID_OFF	2

/* Label values that carry ids explode. The normaliser turns digits, UUIDs and snowflake ids into
 * ":id" before lookup. 0: on for labels named user, guild, channel and those ending in _id. */
#define SM_NORMALISE_DEFAULT	0u
#define SM_NORMALISE_NONE	0x80000000u

/*
 * sm_declare - declare a family, or find the one that is there.
 *
 * Returns a family, never NULL; the null family on failure, with diag->error
 *   -EINVAL   a bad name, label, bound or combination; the message says which
 *   -EPERM    a label that the operator does not allow (allowed_labels of sm_options)
 *   -EEXIST   the family exists with another definition and a live writer holds it; the message
 *             has both definitions and the writer. (If nobody lives it is replaced, with its
 *             counts, and diag says so with error 0; but not while it holds what shell commands
 *             counted. Help texts may differ: the first one stays.)
 *   -ENOSPC   the segment or its file system is full
 *   -ETIMEDOUT  the catalog lock was not free in time; declare again later
 * Declaring the same thing twice gives the same pointer. The family lives until the process ends.
 * Thread: safe. Signal: unsafe. Fork: valid in the child.
 */
SM_API struct sm_family *sm_declare(struct sm *m, const struct sm_family_options *opts,
				    struct sm_diag *diag);

/* ---- resolving ---------------------------------------------------------------------------- */

/* The handles, as the inline code below sees them; what they hold is private. */
typedef uint64_t sm_where_;
struct sm_counter { sm_where_ where; };
struct sm_gauge { sm_where_ where; };
struct sm_updown { sm_where_ where; };
struct sm_histogram;

/* A C string as struct sm_str; NULL is "". The length of a literal is computed by the compiler. */
static inline struct sm_str sm_string(const char *s)
{
	struct sm_str str = { s ? s : "", s ? strlen(s) : 0 };

	return str;
}
#define SM_STR(s) sm_string(s)

/* Label values in the order of the family's labels, as the two arguments (values, count):
 * SM_LABELS("play", "ok"), up to 8 C strings; SM_NO_LABELS. For (pointer, length) values write
 * the array yourself: const struct sm_str values[] = { { ptr, len }, SM_STR("ok") }. */
#define SM_NO_LABELS NULL, 0
#ifdef __cplusplus
}
template <size_t n> struct sm_labels_ { struct sm_str values[n]; };
extern "C" {
#define SM_LABELS(...) \
	sm_labels_<SM_COUNT_(__VA_ARGS__)>{ { SM_MAP_(SM_COUNT_(__VA_ARGS__), __VA_ARGS__) } }.values, \
	SM_COUNT_(__VA_ARGS__)
#else
#define SM_LABELS(...) \
	((const struct sm_str[]){ SM_MAP_(SM_COUNT_(__VA_ARGS__), __VA_ARGS__) }), SM_COUNT_(__VA_ARGS__)
#endif
#define SM_COUNT_(...) SM_PICK_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define SM_PICK_(a, b, c, d, e, f, g, h, n, ...) n
#define SM_MAP_(n, ...) SM_MAP1_(n, __VA_ARGS__)
#define SM_MAP1_(n, ...) SM_MAP_##n(__VA_ARGS__)
#define SM_MAP_1(a) SM_STR(a)
#define SM_MAP_2(a, ...) SM_STR(a), SM_MAP_1(__VA_ARGS__)
#define SM_MAP_3(a, ...) SM_STR(a), SM_MAP_2(__VA_ARGS__)
#define SM_MAP_4(a, ...) SM_STR(a), SM_MAP_3(__VA_ARGS__)
#define SM_MAP_5(a, ...) SM_STR(a), SM_MAP_4(__VA_ARGS__)
#define SM_MAP_6(a, ...) SM_STR(a), SM_MAP_5(__VA_ARGS__)
#define SM_MAP_7(a, ...) SM_STR(a), SM_MAP_6(__VA_ARGS__)
#define SM_MAP_8(a, ...) SM_STR(a), SM_MAP_7(__VA_ARGS__)

/*
 * sm_counter, sm_gauge, sm_updown, sm_histogram, sm_info, sm_stateset - the handle of one series.
 *
 * values, n  label values, UTF-8, at most 1024 bytes each, exactly as many as the family has labels.
 *
 * Returns a handle, never NULL; the same pointer each time. A null handle (counts into nowhere,
 * counted by reason) if the family is null or of another kind, n is wrong, a value is too long or
 * not UTF-8, the segment is full, or the catalog lock was not free in time (call again later).
 * Beyond the family's cap: the handle of the overflow series.
 *
 * A series that this process has resolved before is found by one lock-free look-up (about 10 ns
 * with two labels): resolving at each use is fine where the labels vary.
 * Thread: safe. Signal: unsafe. Fork: valid in the child.
 */
SM_API struct sm_counter *sm_counter(struct sm_family *f, const struct sm_str *values, size_t n);
SM_API struct sm_gauge *sm_gauge(struct sm_family *f, const struct sm_str *values, size_t n);
SM_API struct sm_updown *sm_updown(struct sm_family *f, const struct sm_str *values, size_t n);
SM_API struct sm_histogram *sm_histogram(struct sm_family *f, const struct sm_str *values, size_t n);
SM_API struct sm_stateset *sm_stateset(struct sm_family *f, const struct sm_str *values, size_t n);

/* sm_info_set - publish an info series of this writer; it vanishes with the writer. 0 or -errno. */
SM_API int sm_info_set(struct sm_family *f, const struct sm_str *values, size_t n);

/*
 * sm_remove - take a series out of the exposition. Its storage is reused after 60 s, once no live
 * writer holds it. This process' handle of it counts into nowhere until it is resolved again, which
 * makes a new series that starts at 0. Returns 0; -ENOENT if there is none; -EBUSY if another live
 * writer holds it (SM_REMOVE_FORCE removes it all the same: that writer notices at its next
 * heartbeat or resolve and what it counts until then is lost); -ETIMEDOUT.
 */
#define SM_REMOVE_FORCE 0x1u
SM_API int sm_remove(struct sm_family *f, const struct sm_str *values, size_t n, unsigned flags);

/* ---- updating ----------------------------------------------------------------------------- */

/*
 * The inline path. A handle's `where` is (key << 48) + the cell's offset in a lane; a thread's own
 * lane is found through one thread-local word per source file, (key << 48) - the lane's address. One
 * subtraction finds the cell and tells whether the two belong together: if the word is older, or there is
 * none, or `where` is 0, it borrows, and the update goes to the library, which returns the word
 * that holds now. Handles lie in memory that a forked child sees as zeros, and keys descend from
 * parent to child, so that a child never writes to its parent's lanes. A gauge's `where` is simply the cell's
 * address. Nothing of this is an interface: use the functions. See libshm/lane.h.
 *
 * A process has it for one writer, see sm_open().
 */
#if defined(__GLIBC__) || !defined(__linux__)
#define SM_TLS_ __thread __attribute__((tls_model("initial-exec")))
#else
#define SM_TLS_ __thread
#endif

#define SM_NO_LANE_ UINT64_MAX	/* greater than any `where` */
static SM_TLS_ uint64_t sm_lane_ __attribute__((unused)) = SM_NO_LANE_;

/* They do the update and return what sm_lane_ shall be. */
SM_API uint64_t sm_counter_add_slow_(struct sm_counter *c, uint64_t n);
SM_API uint64_t sm_updown_add_slow_(struct sm_updown *u, int64_t n);
SM_API uint64_t sm_histogram_observe_slow_(struct sm_histogram *h, double v);
SM_API uint64_t sm_histogram_observe_ns_slow_(struct sm_histogram *h, uint64_t ns);
SM_API void sm_gauge_set_slow_(struct sm_gauge *g, double v);

/* Not inlined, for the sake of their callers: those need no stack frame. `inline` all the same, so that a
 * program that loads the library at run time does not need the functions above at -O0. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"
#define SM_COLD_ static inline __attribute__((noinline, cold))
SM_COLD_ void sm_counter_add_cold_(struct sm_counter *c, uint64_t n)
{
	sm_lane_ = sm_counter_add_slow_(c, n);
}

SM_COLD_ void sm_updown_add_cold_(struct sm_updown *u, int64_t n)
{
	sm_lane_ = sm_updown_add_slow_(u, n);
}

SM_COLD_ void sm_histogram_observe_cold_(struct sm_histogram *h, double v)
{
	sm_lane_ = sm_histogram_observe_slow_(h, v);
}

SM_COLD_ void sm_histogram_observe_ns_cold_(struct sm_histogram *h, uint64_t ns)
{
	sm_lane_ = sm_histogram_observe_ns_slow_(h, ns);
}
#pragma GCC diagnostic pop

#define SM_LIKELY_(x) __builtin_expect(!!(x), 1)

/* The word. Read before any `where`: a signal handler between the two may change it, and a word
 * that is newer than `where` would lead anywhere. */
static inline uint64_t sm_lane_now_(void)
{
	uint64_t lane = __atomic_load_n(&sm_lane_, __ATOMIC_RELAXED);

	__atomic_signal_fence(__ATOMIC_ACQUIRE);
	return lane;
}

/* The address of a handle's cell, or of the first of its cells. False: ask the library. */
static inline int sm_find_(uint64_t lane, sm_where_ where, uintptr_t *ret_cell)
{
	int borrows;

#if defined(__x86_64__) && defined(__GCC_ASM_FLAG_OUTPUTS__) && !defined(__clang__)
	/* gcc 12 finds the one instruction in the C below, too, but forgets what is likely. */
	__asm__("subq %2, %0" : "+r"(where), "=@ccc"(borrows) : "r"(lane));
#else
	borrows = where < lane;
	where -= lane;
#endif
	*ret_cell = (uintptr_t)where;
	return SM_LIKELY_(!borrows);
}

/* The cell at an address held in one register: for such addresses processors forward a store to the
 * next load of the same cell at no cost (measured: 0.4 instead of 1.9 ns an add). Not for buckets,
 * where the next store goes elsewhere: a wrong guess costs more (9 instead of 3 ns). */
static inline uint64_t *sm_cell_(uintptr_t address)
{
	uint64_t *cell = (uint64_t *)address;

	__asm__("" : "+r"(cell));
	return cell;
}

/*
 * Add to a cell that only this thread writes. One unlocked instruction on x86-64, so that a
 * signal handler of the same thread cannot fall between load and store (gcc does not fuse a
 * relaxed load, add, store at every -O level).
 */
static inline void sm_cell_add_(uint64_t *cell, uint64_t n)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(SM_THREAD_SANITIZER_)
	__asm__("addq %1, %0" : "+m"(*cell) : "er"(n) : "cc");
#else
	__atomic_store_n(cell, __atomic_load_n(cell, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
#endif
}

/*
 * sm_counter_add - add n to a counter: whole units, or units of 10^-decimals if the family was
 * declared SM_NUMBER_FIXED. Wraps at 2^64. Cannot fail. On a family declared SM_NUMBER_DOUBLE it is
 * sm_counter_add_double().
 * Thread: safe. Signal: safe. Fork: the child counts as a writer of its own.
 */
static inline void sm_counter_add(struct sm_counter *c, uint64_t n)
{
	uint64_t lane = sm_lane_now_();
	uintptr_t cell;

	if (SM_LIKELY_(sm_find_(lane, __atomic_load_n(&c->where, __ATOMIC_RELAXED), &cell)))
		sm_cell_add_(sm_cell_(cell), n);
	else
		sm_counter_add_cold_(c, n);
}

/* sm_counter_inc - sm_counter_add(c, 1). */
static inline void sm_counter_inc(struct sm_counter *c)
{
	sm_counter_add(c, 1);
}

/*
 * sm_counter_add_double - add a fractional amount, in the family's unit. Negative, NaN and
 * infinite amounts are refused and counted; so is, on an SM_NUMBER_FIXED family, anything at or
 * above 2^62 units of 10^-decimals. On an SM_NUMBER_U64 family v is rounded to whole units.
 * Thread: safe. Signal: safe (a compare-and-swap on SM_NUMBER_DOUBLE).
 */
SM_API void sm_counter_add_double(struct sm_counter *c, double v);

/*
 * sm_gauge_set - this process' value. Any double; NaN is shown as NaN. One plain store for all
 * modes but SM_MODE_MOSTRECENT. Thread: safe, last store wins. Signal: safe.
 */
static inline void sm_gauge_set(struct sm_gauge *g, double v)
{
	uintptr_t cell = (uintptr_t)__atomic_load_n(&g->where, __ATOMIC_RELAXED);
	uint64_t bits;

	if (SM_LIKELY_(cell)) {
		memcpy(&bits, &v, sizeof(bits));
		__atomic_store_n(sm_cell_(cell), bits ^ UINT64_C(0x7ff4d5e7a11e57ed),
				 __ATOMIC_RELAXED);
	} else {
		sm_gauge_set_slow_(g, v);
	}
}

/* sm_gauge_add - add to this process' value (from 0 if never set) by compare-and-swap, about 5 ns
 * alone. For counts that only go up and down, an SM_UPDOWN family is one plain store. */
SM_API void sm_gauge_add(struct sm_gauge *g, double v);

/* sm_gauge_unset - make this process' value absent again. */
SM_API void sm_gauge_unset(struct sm_gauge *g);

/* sm_updown_add - add n, which may be negative. Thread: safe. Signal: safe. */
static inline void sm_updown_add(struct sm_updown *u, int64_t n)
{
	uint64_t lane = sm_lane_now_();
	uintptr_t cell;

	if (SM_LIKELY_(sm_find_(lane, __atomic_load_n(&u->where, __ATOMIC_RELAXED), &cell)))
		sm_cell_add_(sm_cell_(cell), (uint64_t)n);
	else
		sm_updown_add_cold_(u, n);
}

/* sm_stateset_set - make state number `state` (index into the family's states) the current one. */
SM_API void sm_stateset_set(struct sm_stateset *s, unsigned state);

/*
 * A histogram's index: guide tables (Chen and Asau, 1974). Private; see buckets.c.
 *
 * Values are cut into cells by exponent and a few mantissa bits. guide[] has the number of bounds
 * below each cell; two comparisons, and `extra` more if bounds lie close, find the right one.
 *
 * Durations have cells by their highest bit and SM_NS_BITS_ below it, once SM_NS_BASE_ is added for
 * the sake of small ones. A cell has two words. The first is (bounds below the cell << 52) +
 * (2^52 - 1 - its first bound): adding a duration to it carries into the upper part just when the
 * duration is above the bound. The second likewise has the cell's second bound.
 */
#define SM_NS_BITS_ 4
#define SM_NS_BASE_ (1u << 8)
#define SM_NS_LIMIT_ (UINT64_C(1) << 52)	/* 52 days */
#define SM_NS_CELLS_ 864			/* enough for 2^52 + 256 */

struct sm_buckets_ {
	uint64_t limit_bits;	/* values whose bits are at or above go the slow way: negative, NaN, huge */
	uint64_t limit_ns;	/* the same for durations; 0 if they are not in seconds */
	int64_t key_min;	/* of the first guide cell */
	uint8_t shift;		/* 52 - mantissa bits */
	uint8_t reserved0;
	uint16_t extra;		/* comparisons beyond two, for values */
	uint16_t extra_ns;	/* and for durations */
	uint16_t sum;		/* cell of the sum, counted from the first bucket */
	double scale;		/* units of the sum in 1 */
	const double *bounds;	/* finite ones, then +Inf twice */
	const uint16_t *guide;
	const uint64_t *guide_ns;	/* first words, then second words */
	const uint64_t *bounds_ns;	/* largest whole ns that is <= each bound; NULL if not in seconds */
	uint32_t nbounds;	/* finite ones */
};

struct sm_histogram {
	sm_where_ where;
	const struct sm_buckets_ *buckets;	/* good when `where` has been seen not to be 0 */
};

typedef uint64_t sm_bits_ __attribute__((may_alias));

/* Bucket of a value that is not negative, by its bits: those ascend with the value. */
static inline size_t sm_bucket_(const struct sm_buckets_ *b, uint64_t bits)
{
	const sm_bits_ *bounds = (const sm_bits_ *)(const void *)b->bounds;
	int64_t key = (int64_t)(bits >> b->shift) - b->key_min;
	size_t below = b->guide[key < 0 ? 0 : key];
	size_t i = below + (bits > bounds[below]) + (bits > bounds[below + 1]);
	unsigned more;

	for (more = b->extra; more; more--)
		i += bits > bounds[i];
	return i;
}

/* Number of the highest bit that is set in x, which is not 0. */
static inline uint64_t sm_high_bit_(uint64_t x)
{
#if defined(__x86_64__)
	uint64_t n;

	/* The instruction reads its output, too, which the compiler does not know: give it x there, or
	 * it waits for whatever was in that register (1.6 ns). */
	__asm__("bsrq %1, %0" : "=r"(n) : "r"(x), "0"(x) : "cc");
	return n;
#else
	return 63 - (uint64_t)__builtin_clzll(x);
#endif
}

/* Bucket of a duration below SM_NS_LIMIT_. */
static inline size_t sm_bucket_ns_(const struct sm_buckets_ *b, uint64_t ns)
{
	uint64_t from_base = ns + SM_NS_BASE_;
	uint64_t high = sm_high_bit_(from_base);
	uint64_t cell = (high << SM_NS_BITS_) + (from_base << SM_NS_BITS_ >> high);
	size_t i = (size_t)((b->guide_ns[cell] + ns) >> 52) +
		   (size_t)((b->guide_ns[cell + SM_NS_CELLS_] + ns) >> 52);
	unsigned more;

	for (more = b->extra_ns; more; more--)
		i += ns > b->bounds_ns[i];
	return i;
}

/*
 * sm_histogram_observe - count v. It falls into the first bucket whose bound is >= v; the
 * sum grows by v, rounded to the sum's unit (seconds: 1 ns, bytes: 1, else 10^-6 or .decimals). A sum begins
 * anew at 2^64 of those: after 584 years of seconds, 16 EiB, or 1.8e13 with 6 decimals; a family of large
 * values takes fewer. NaN is refused and counted, as are negative values (unless the family is signed)
 * and values at or above 2^62 units of the sum. Two plain stores: first the bucket, then the sum. A reader may see the first without the
 * second; a writer killed between them leaves that one value out of the sum for ever.
 * Thread: safe. Signal: safe.
 */
static inline void sm_histogram_observe(struct sm_histogram *h, double v)
{
	uint64_t lane = sm_lane_now_();
	const struct sm_buckets_ *b;
	uintptr_t cells;
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	if (SM_LIKELY_(sm_find_(lane, __atomic_load_n(&h->where, __ATOMIC_ACQUIRE), &cells) &&
		       bits < (b = h->buckets)->limit_bits)) {
		sm_cell_add_((uint64_t *)cells + sm_bucket_(b, bits), 1);
		sm_cell_add_(sm_cell_(cells + b->sum * sizeof(uint64_t)),
			     (uint64_t)(int64_t)(v * b->scale + 0.5));
	} else {
		sm_histogram_observe_cold_(h, v);
	}
}

/*
 * sm_histogram_observe_ns - count a duration in whole nanoseconds, in a histogram of seconds.
 * Compared as integers, so that 2,500,000 ns is in the bucket le="0.0025" for certain.
 * Refused and counted from 2^62 ns (146 years). Thread: safe. Signal: safe.
 */
static inline void sm_histogram_observe_ns(struct sm_histogram *h, uint64_t ns)
{
	uint64_t lane = sm_lane_now_();
	const struct sm_buckets_ *b;
	uintptr_t cells;

	if (SM_LIKELY_(sm_find_(lane, __atomic_load_n(&h->where, __ATOMIC_ACQUIRE), &cells) &&
		       ns < (b = h->buckets)->limit_ns)) {
		sm_cell_add_((uint64_t *)cells + sm_bucket_ns_(b, ns), 1);
		sm_cell_add_(sm_cell_(cells + b->sum * sizeof(uint64_t)), ns);
	} else {
		sm_histogram_observe_ns_cold_(h, ns);
	}
}

static inline void sm_histogram_observe_ms(struct sm_histogram *h, double ms)
{
	sm_histogram_observe(h, ms / 1e3);
}

static inline void sm_histogram_observe_bytes(struct sm_histogram *h, uint64_t bytes)
{
	sm_histogram_observe(h, (double)bytes);
}

static inline void sm_gauge_set_ms(struct sm_gauge *g, double ms)
{
	sm_gauge_set(g, ms / 1e3);
}

static inline void sm_gauge_set_bytes(struct sm_gauge *g, uint64_t bytes)
{
	sm_gauge_set(g, (double)bytes);
}

static inline void sm_gauge_set_percent(struct sm_gauge *g, double percent)
{
	sm_gauge_set(g, percent / 100.0);
}

/* The same as exported functions, for programs that load the library at run time. */
SM_API void sm_counter_add_fn(struct sm_counter *c, uint64_t n);
SM_API void sm_gauge_set_fn(struct sm_gauge *g, double v);
SM_API void sm_updown_add_fn(struct sm_updown *u, int64_t n);
SM_API void sm_histogram_observe_fn(struct sm_histogram *h, double v);
SM_API void sm_histogram_observe_ns_fn(struct sm_histogram *h, uint64_t ns);

/* Exact in signal handlers on every processor: atomic adds in the writer's shared lane. */
SM_API void sm_counter_add_signal(struct sm_counter *c, uint64_t n);
SM_API void sm_updown_add_signal(struct sm_updown *u, int64_t n);
SM_API void sm_histogram_observe_signal(struct sm_histogram *h, double v);

/*
 * sm_counter_exemplar, sm_histogram_exemplar - attach an example to what was just counted: labels
 * such as trace_id, as names and values in turn (pairs of them). At most 128 code points in all,
 * else dropped and counted. The family must be declared with .exemplars. About 50 ns and a clock
 * read. Does not count: call the update as well.
 */
SM_API void sm_counter_exemplar(struct sm_counter *c, double value, const struct sm_str *pairs,
				size_t npairs);
SM_API void sm_histogram_exemplar(struct sm_histogram *h, double value, const struct sm_str *pairs,
				  size_t npairs);

/* ---- timing ------------------------------------------------------------------------------- */

/* Monotonic nanoseconds: CLOCK_MONOTONIC, or the calibrated time-stamp counter after
 * SM_OPEN_TSC, which may be read some 0.1 us before what stands above it in the program. Only
 * differences mean something. Thread, signal: safe. */
SM_API uint64_t sm_now_ns(void);

/* ns since then, 0 if another thread read that a moment "later". */
static inline uint64_t sm_since_ns_(uint64_t start_ns)
{
	uint64_t now = sm_now_ns();

	return now > start_ns ? now - start_ns : 0;
}

#define SM_TIMER_MARKS 8

/* A running timer. Yours: on the stack, in your request, copied as you like. */
struct sm_timer {
	struct sm_histogram *histogram;
	uint64_t start_ns;
	uint64_t lap_ns;
	uint32_t nmarks;
	uint32_t stopped;
	uint64_t mark_ns[SM_TIMER_MARKS];
};

/* sm_timer_start - start; h may be NULL to only measure. */
static inline void sm_timer_start(struct sm_timer *t, struct sm_histogram *h)
{
	t->histogram = h;
	t->nmarks = 0;
	t->stopped = 0;
	t->start_ns = t->lap_ns = sm_now_ns();
}

/* sm_timer_stop - observe the time since start, once; a second stop does nothing. Returns it, ns. */
static inline uint64_t sm_timer_stop(struct sm_timer *t)
{
	uint64_t ns = sm_since_ns_(t->start_ns);

	if (t->histogram && !t->stopped)
		sm_histogram_observe_ns(t->histogram, ns);
	t->stopped = 1;
	return ns;
}

/* sm_timer_lap - observe the time since the last lap (or start) in h, which may be NULL; ns. */
SM_API uint64_t sm_timer_lap(struct sm_timer *t, struct sm_histogram *h);

/* sm_timer_mark - remember now. Returns the mark's number, 0 to 7, or -ENOSPC. */
SM_API int sm_timer_mark(struct sm_timer *t);

/* sm_timer_measure - ns from mark `from` to mark `to`; -1 as `from` is the start. 0 if a mark is not
 * there or `to` came first. Observed in h unless NULL. */
SM_API uint64_t sm_timer_measure(struct sm_timer *t, int from, int to, struct sm_histogram *h);

struct sm_scope_ {
	struct sm_histogram *histogram;
	uint64_t start;
};

/* The clock as it is read, and ns since a reading: one conversion instead of two. */
SM_API uint64_t sm_clock_(void);
SM_API uint64_t sm_clock_since_(uint64_t reading);

static inline void sm_scope_end_(struct sm_scope_ *s)
{
	sm_histogram_observe_ns(s->histogram, sm_clock_since_(s->start));
}

/* SM_TIME_SCOPE(h); times from here to the end of the block, however it is left. */
#define SM_TIME_SCOPE(h) SM_SCOPE_(h, __LINE__)
#define SM_SCOPE_(h, line) SM_SCOPE2_(h, line)
#define SM_SCOPE2_(h, line) \
	struct sm_scope_ sm_scope_##line __attribute__((cleanup(sm_scope_end_), unused)) = \
		{ (h), sm_clock_() }

/* ---- flows -------------------------------------------------------------------------------- */

/*
 * A flow is an operation with stages and an outcome: a command, a job, a request. One
 * declaration makes
 *   <name>_duration_seconds{labels..., status}        a histogram (bounds, slo as declared)
 *   <name>_stage_duration_seconds{labels..., stage}   a histogram
 * and a flow that took longer than its threshold leaves a record with all its checkpoints in the
 * slow ring. Met and missed targets follow from the slo bound.
 */
struct sm_flow_type;

struct sm_flow_options {
	size_t size;
	const char *name;	/* e.g. "command_execution"; at most 160 bytes */
	const char *help;
	const char *labels[SM_LABELS_MAX - 1];	/* without status and stage */
	unsigned cap;		/* of each histogram */
	const double *bounds;	/* seconds */
	size_t nbounds;
	double slo;		/* seconds */
	int grid;
	uint64_t slow_ns;	/* ring threshold; SHARDMETER_SLOW wins; default slo, else 1 s */
	unsigned slow_per_second;	/* rate limit of ring entries per process; default 10 */
};

SM_API struct sm_flow_type *sm_flow_declare(struct sm *m, const struct sm_flow_options *opts,
					    struct sm_diag *diag);

#define SM_FLOW_CHECKPOINTS 16
#define SM_FLOW_ATTRIBUTES 512

/* A running flow. Yours, about 1.2 KiB; any number may be open at once. Read the ids, leave the
 * rest alone. A flow that is never ended leaves nothing. */
struct sm_flow {
	struct sm_flow_type *type;
	uint64_t start_ns;
	uint64_t last_ns;
	uint64_t start_real_ns;
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t parent_id[8];	/* all zero: none */
	uint32_t ncheckpoints;
	uint32_t attributes_len;
	uint32_t parts_refused;
	uint32_t flags;
	uint32_t nlabels;
	uint32_t labels_len;
	struct {
		uint64_t duration_ns;
		char name[24];
	} checkpoint[SM_FLOW_CHECKPOINTS];
	char attributes[SM_FLOW_ATTRIBUTES];
	char labels[256];	/* label values, each with a NUL */
};

/*
 * sm_flow_start - start. values are copied; together at most 240 bytes, else -E2BIG and the flow
 * counts under "__other__". traceparent is NULL or a W3C trace context header
 * ("00-<32 hex>-<16 hex>-<2 hex>"); a malformed one is ignored and a new trace id made
 * (returns -EINVAL, the flow runs all the same). Thread: one flow, one thread at a time.
 */
SM_API int sm_flow_start(struct sm_flow *flow, struct sm_flow_type *type, const struct sm_str *values,
			 size_t n, const char *traceparent);

/* sm_flow_checkpoint - the stage `name` (at most 23 bytes for the ring; a fixed list, not free text)
 * is done: observes the time since the last checkpoint or start. More than 16 are counted in the
 * stage histogram, but not in the ring record. Returns ns. */
SM_API uint64_t sm_flow_checkpoint(struct sm_flow *flow, const char *name);

/* sm_flow_attribute - key=value for the slow record, at most 512 bytes in all, of which the flow's labels
 * take some; more is refused and counted in the record. */
SM_API void sm_flow_attribute(struct sm_flow *flow, const char *key, const char *value);

/* sm_flow_traceparent - the header to send on: 55 characters and a NUL. */
SM_API void sm_flow_traceparent(const struct sm_flow *flow, char ret_header[56]);

/* sm_flow_end - end with a status from a fixed list ("success", "error"). Returns ns. A second end
 * does nothing and returns 0. */
SM_API uint64_t sm_flow_end(struct sm_flow *flow, const char *status);

/*
 * sm_slow_record - put a finished operation into the slow ring by hand. Rate-limited as flows
 * are. attributes is NULL or lines "key=value", at most 512 bytes. 0, or -EAGAIN if it was over the
 * rate, the ring entry was busy or m is a common writer (counted), or why m is not bound.
 */
SM_API int sm_slow_record(struct sm *m, const char *operation, const char *status,
			  uint64_t duration_ns, const char *traceparent, const char *attributes);

/* ---- health ------------------------------------------------------------------------------- */

enum sm_health { SM_HEALTH_CRITICAL = 0, SM_HEALTH_DEGRADED = 1, SM_HEALTH_OK = 2 };

/*
 * sm_health_set - the state of a component of this process, as
 * component_health{component, critical="true"|"false"} (2 ok, 1 degraded, 0 critical; over
 * writers the worst). component is from a fixed list, at most 64 bytes. 0 or -errno.
 */
SM_API int sm_health_set(struct sm *m, const char *component, enum sm_health state, int critical);

/* ---- for language bindings ---------------------------------------------------------------- */

/*
 * A binding may store to cells by itself, through memory that its language can see (a typed array over
 * the lane). The rules of the inline code hold there, too. A thread lane is written by its thread alone, with
 * whole 64-bit stores. A shared lane holds gauges: whole 64-bit stores; anything else there is an atomic add.
 *
 * Cells move: when the segment's file is replaced, when another process removes a series, in a
 * forked child, at sm_close(). All of that changes one word of this process' memory, whoever caused
 * it. Compare it before each update (below 0.5 ns); if it differs, get the view and all cells anew.
 */
struct sm_lane_view {
	uint64_t *lane;		/* the calling thread's own */
	uint64_t *shared;	/* the writer's shared lane */
	size_t cells;		/* of each; only cells of resolved handles have memory */
	uint32_t generation;	/* the word's value that these belong to; never 0 */
};

/* sm_generation - the word. There as long as the process, even before sm_open(), so that a language can take
 * its address for a constant. NULL: no memory, or the kernel is too old. Thread: safe. Signal: unsafe. */
SM_API const uint32_t *sm_generation(void);

/*
 * sm_lane_view - the calling thread's lanes, good until that thread ends or the word is not `generation` any
 * more. 0; -EAGAIN if every lane is taken (use the functions, ask again after a heartbeat or two); -errno
 * if m does not count.
 * Thread: the view is the calling thread's. Signal: unsafe.
 */
SM_API int sm_lane_view(struct sm *m, struct sm_lane_view *ret_view);

/*
 * The index of a handle's cell in the lane (counters, up-down gauges, histograms: the first bucket) or in
 * the shared lane (gauges: store the double's bits XOR 0x7ff4d5e7a11e57ed). A counter's cell holds what its
 * family's sm_number says. -1: a null handle, for the time being: updates go nowhere. -2: only the functions
 * can update it (mostrecent gauges; a series for which a new file had no room).
 */
SM_API int64_t sm_counter_cell(const struct sm_counter *c);
SM_API int64_t sm_gauge_cell(const struct sm_gauge *g);
SM_API int64_t sm_updown_cell(const struct sm_updown *u);
SM_API int64_t sm_histogram_cell(const struct sm_histogram *h);

/* The bounds of a histogram's buckets, ascending; bucket i counts values <= bounds[i] and above the one
 * before, bucket `count` the rest. The sum is cell `count` + 1, in units of 1 / scale (0: the bits of a
 * double). Valid as long as the process. */
struct sm_bucket_view {
	const double *bounds;
	unsigned count;
	double scale;
};
SM_API void sm_histogram_buckets(const struct sm_histogram *h, struct sm_bucket_view *ret_view);

/* ---- rendering ---------------------------------------------------------------------------- */

/*
 * sm_write_text - render the whole segment, all writers, as Prometheus text format 0.0.4, for a
 * program that must serve /metrics itself. sink is called with pieces and returns 0 or -errno to
 * stop. Returns 0 or -errno. Takes milliseconds and allocates: not for the hot path.
 */
SM_API int sm_write_text(struct sm *m, int (*sink)(void *ctx, const char *data, size_t len), void *ctx);

#ifdef __cplusplus
}
#endif

#endif /* SHARDMETER_H */
