/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.h - struct sm, struct sm_family and the handles: the process' own side of a segment.
 *
 * Everything here is in ordinary memory and survives a lost segment. Binding ties it to a
 * region: families get records, handles get cells. sm_open() binds; so do a heartbeat after a
 * failed open, a forked child, and a re-creation after the file was removed. An unbound family or
 * handle is a null object (place = 0), so all of these are one mechanism.
 *
 * Lists are append-only and published with release stores: a forked child may walk them whatever
 * its parent's other threads were doing. All changes are under the process mutex.
 */
#ifndef SM_WRITER_H
#define SM_WRITER_H

#include <shardmeter.h>
#include <stdbool.h>
#include <time.h>
#include "handle.h"
#include "lane.h"
#include "region.h"

/* What a family is, with defaults filled in; the strings belong to it. */
struct family_def {
	enum sm_kind kind;
	const char *name, *help, *unit;
	unsigned nlabels;
	const char *labels[SM_MAX_LABELS];
	unsigned nstates;
	const char *states[SM_MAX_STATES];
	unsigned nbounds;
	double bounds[SM_MAX_BOUNDS];
	unsigned nbuckets;		/* united bounds + 1 */
	uint32_t flags;			/* SM_FF_* */
	int grid_lo, grid_hi;
	enum sm_gauge_mode mode;
	unsigned decimals, sum_decimals;
	uint32_t normalise;
	uint32_t cap;
	enum sm_number number;		/* of this process; not part of the record */
};

struct handle;

/*
 * Label values -> handle, open addressing, read without a lock. At most a quarter full: what a
 * look-up costs beyond reading its values is above all the mispredicted branch of a second try
 * (half full one in three makes one, a quarter full one in seven). Replaced when it grows; old ones
 * are kept, since a reader may still be in them.
 */
struct handle_table {
	struct handle_table *older;
	uint64_t mask;
	uint64_t used;
	struct {
		uint64_t hash;
		struct handle_public *pub;
		struct handle *handle;
	} entry[];
};

/* What family_resolve() is called with. Never 0. */
#define FAMILY_DIRECT(kind, n) ((uint32_t)(kind) << 8 | (uint32_t)(n))

struct sm_family {
	struct sm *m;
	struct sm_family *next;
	struct family_def def;
	bool null;			/* counts into nowhere for good */
	uint32_t direct;		/* FAMILY_DIRECT(kind, labels), if values are looked up as given */
	uint32_t record;		/* bound: its record, and that record's incarnation */
	uint64_t incarnation;		/* 0: not bound */
	struct handle_table *table;
	uint32_t handles;		/* how many, overflow not counted */
	struct handle *overflow;
	struct buckets *buckets;	/* histograms */
};

/*
 * A handle. What the program points to is `pub` (handle.h); its `where` is for the inline code only
 * and 0 whenever that has no way: the functions go by `place`.
 *
 * Up to KEY_LABELS values of up to SM_WORDS_MAX bytes are also here as words (hash.h), with their
 * lengths in key_lens.
 */
#define KEY_LABELS 4
#define KEY_NONE UINT32_MAX		/* key_lens: longer or more; compare values */

struct handle {
	struct handle_public *pub;
	sm_where_ place;		/* region, lane and cell, see lane.h; 0: nowhere */
	uint64_t incarnation;		/* 0: not bound, or (place is not 0) only to a file that was removed */
	uint32_t series;		/* bound: its record, and above that record's incarnation */
	uint32_t key_lens;		/* a byte each, the first value's lowest */
	uint64_t key[2 * KEY_LABELS];
	struct sm_family *family;	/* NULL: the null handle */
	struct handle *next;		/* all handles of the writer */
	uint64_t hash;
	uint64_t retry_ns;		/* not bound: when to try again; 0 was never found wanting */
	bool removed;			/* by sm_remove(): resolve makes a new series */
	unsigned nvalues;
	struct sm_str values[];		/* NUL-terminated copies, behind */
};

/* Has it a cell in the current file? Asked without a lock: publish() stores the place last. */
static inline bool handle_bound(const struct handle *h)
{
	return load_acquire(&h->place) && load_relaxed(&h->incarnation);
}

#define GLOBS_BYTES 512
#define SM_SLOW_RULES 32

struct sm {
	struct sm *next;
	bool null;			/* disabled: never binds */
	int error;			/* why not bound, 0 bound */
	char message[SM_DIAG_MESSAGE];
	/* what was asked for */
	char path[SM_PATH_MAX];
	char wanted[SM_WRITER_NAME_MAX + 1];
	char name[SM_WRITER_NAME_MAX + 1];	/* in use */
	bool numbered;				/* the name is the program's: add an ordinal */
	char version[SM_VERSION_MAX + 1];
	char metadata[448];
	uint32_t metadata_len;
	unsigned flags;
	bool create;
	gid_t group;
	unsigned thread_lanes;
	unsigned lock_timeout_ms;
	struct sm_geometry_wish wish;
	char disabled[GLOBS_BYTES];		/* globs of families, commas */
	char allowed_labels[GLOBS_BYTES];	/* globs of label names, commas; "": all */
	struct { char operation[64]; uint64_t ns; } slow[SM_SLOW_RULES];
	unsigned nslow;
	/* bound */
	struct region *region;			/* the current one; updates look at it without a lock */
	unsigned number;			/* region->number, and below its slot */
	uint32_t slot;
	uint64_t incarnation;
	/* made from it */
	struct sm_family *families;
	struct handle *handles;
	uint64_t seen_removals;
	uint64_t impatient_until_ns;		/* the lock was not free: try without waiting */
	uint64_t checked_removals;		/* 1 + removals when writer_common_cell() last looked */
	bool pending;				/* some handle could not be bound: try again */
	/* slow ring */
	uint64_t slow_window_ns;
	uint32_t slow_count;
	uint32_t slow_per_second;
};

extern struct handle sm_null_handle;
extern struct sm_family sm_null_family;

/* The slot of this writer in its region, NULL if not bound in this process (also in a forked child
 * that has not claimed yet). */
struct sm_slot *writer_slot(struct sm *m);

/* Bind or re-bind m if that is needed (unbound, forked child, file replaced). Process mutex held.
 * 0 or -errno, also kept in m->error. */
int writer_bind(struct sm *m);

/* The same from an update's slow path in a forked child: no allocation; waits for the catalog lock only
 * (at most lock_timeout_ms). */
bool writer_claim_in_child(struct sm *m);

/*
 * writer_lock - the catalog lock of r, as catalog_lock() gives it. Who waited in vain spares the others the
 * wait for a second: so a stopped holder costs this process a tenth of its time at most, however many
 * series it resolves in how many threads. Process mutex held.
 */
int writer_lock(struct sm *m, const struct region *r);

/* Is a handle bound to this cell of region `number`? A child's claim, and the next function, unbind
 * those whose series was removed while the child held nothing. */
bool writer_has_cell(struct sm *m, unsigned number, uint32_t cell);

/* May a forked child that has no slot write to this cell in the common lane? Not to a gauge: it would
 * stay for ever. */
bool writer_common_cell(struct sm *m, const struct region *r, uint32_t cell);

/* Say that lane i of our slot in region `number` is to get counts: readers pass over lanes that have none.
 * Before the first one. cell: in which zone; gauges are none, and that is false. Signal: safe. */
bool writer_lane_written(struct sm *m, unsigned number, unsigned i, uint32_t cell);

/* Count a refusal, in the slot if there is one, else in the header. Signal: safe. */
void writer_refuse(struct sm *m, unsigned reason);

/* Find or make the handle of a series; never NULL. kind must be the family's. */
struct handle_public *family_resolve(struct sm_family *f, enum sm_kind kind,
				    const struct sm_str *values, size_t n);

/* One look without making anything: NULL if this process has not resolved it. */
struct handle *family_find(struct sm_family *f, const struct sm_str *values, size_t n);

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- buckets.c: the index of a histogram ---- */

/* The united bounds of a definition with their guide table. */
struct buckets {
	struct sm_buckets_ pub;
	uint32_t cells;		/* of the guide */
	/* storage follows */
};

/* 0 and *ret, or -EINVAL (bounds), -ENOMEM. */
int buckets_new(const struct family_def *def, struct buckets **ret);
void buckets_free(struct buckets *b);

/* Bucket of v by binary search: the slow path and the tests' reference. v is not NaN. */
uint32_t buckets_find(const struct sm_buckets_ *b, double v);

/* ---- normalise.c ---- */

/* Should values of a label of this name be normalised by default? */
bool normalise_default(const char *label);

/* Write the normal form of value (runs of digits, UUIDs, hexadecimal and snowflake ids -> ":id") to
 * ret_text; returns its length, at most size. A value without ids is copied as it is. */
size_t normalise(struct sm_str value, char *ret_text, size_t size);

#endif
