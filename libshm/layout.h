/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h - every byte of a segment that another process can see.
 *
 * NOT A PUBLIC API. Depends on nothing; region.h is built on it.
 *
 * A segment is one sparse file on a tmpfs, native byte order, mapped shared by writers and
 * pread by readers:
 *
 *      offset (from the header)   what                    reserved (fallocate) when
 *      0                          struct sm_header        at creation
 *      off_slots                  struct sm_slot[]        at creation
 *      off_pagemaps               one bitmap per lane     at creation
 *      off_index                  uint32_t[], hash index  at creation
 *      off_families               struct sm_family_rec[]  as used
 *      off_series                 struct sm_series_rec[]  as used
 *      off_strings                names, labels, bounds   as used
 *      off_exemplars              struct sm_exemplar_rec[] as used
 *      off_holds                  one bitmap per slot     at claim
 *      off_rings                  one ring per slot       at claim
 *      off_lanes                  lanes of 64-bit cells   page by page, at resolve
 *
 * Lanes. A lane is an array of 64-bit cells that exactly one thread writes (the shared lane of a
 * slot: all threads, with atomic read-modify-write). A series owns the same cell numbers in
 * every lane, so an update is lane[cell] += n and a scrape is a vertical sum of arrays. Lane 0
 * and 1 are the retired lanes R0 and R1 that hold what dead writers left; slot s owns lanes
 * 2 + s * lanes_per_slot and up, of which the first is its shared lane.
 *
 * Zones. The cells of a lane are cut into three zones, so that a reader may add whole pages
 * without looking at the catalog:
 *
 *      SM_ZONE_ADD    counters, buckets, sums: added over all lanes, folded when a writer dies.
 *                     (Cells that hold the bits of a double also live here; the catalog names
 *                     them and readers add those one by one.)
 *      SM_ZONE_SET    gauges, info, state sets: only in shared lanes, combined by mode.
 *      SM_ZONE_LIVE   up-down gauges: added over the lanes of live writers, never folded.
 *
 * Who writes what. Fields marked [once] are written before the record is published and never
 * again. [lock] fields are written only under the catalog lock. [owner] fields are written only
 * by the live owner of the slot. [any] fields are updated by anyone with atomic operations.
 * Everything a second process may read while it changes is accessed with the atomic helpers of
 * atomics.h; the plain types here only fix size and offset.
 *
 * Locks. Open-file-description locks on bytes far beyond the end of the file: one byte for the
 * catalog, one per slot as proof of life (see slot.c).
 *
 * Readers trust nothing here: see reader.c.
 */
#ifndef SM_LAYOUT_H
#define SM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define SM_MAGIC		UINT64_C(0x3152544d44524853)	/* "SHRDMTR1" in memory */
#define SM_ENDIAN_TAG		UINT32_C(0x01020304)
#define SM_LAYOUT_MAJOR		1	/* another major is another file, see region.c */
#define SM_LAYOUT_MINOR		0	/* additions that old readers may ignore */
#define SM_PAGE			4096u	/* unit of reservation, whatever the kernel's page size */

/* Feature masks: an unknown bit in `incompatible` refuses everyone, in `ro_compatible` writers. */
#define SM_FEATURE_INCOMPATIBLE		UINT32_C(0)
#define SM_FEATURE_RO_COMPATIBLE	UINT32_C(0)
#define SM_FEATURE_COMPATIBLE		UINT32_C(0)

/* Byte offsets of the locks. Far beyond any file size, so no I/O meets them. */
#define SM_LOCK_CATALOG		(INT64_C(1) << 61)
#define SM_LOCK_LIFE(slot)	((INT64_C(1) << 62) + (int64_t)(slot))

/* Hard limits of the format. A geometry beyond them is refused, also by readers. */
#define SM_MAX_SLOTS		4096u
#define SM_MAX_LANES_PER_SLOT	64u
#define SM_MAX_FAMILIES		65535u
#define SM_MAX_SERIES		(1u << 24)
#define SM_MAX_CELLS		(1u << 28)	/* a lane is at most 2 GiB, so a cell's byte offset fits 32 bits */
#define SM_MAX_STRINGS		(1u << 30)
#define SM_MAX_EXEMPLARS	(1u << 20)
#define SM_MAX_RING_ENTRIES	4096u

#define SM_NAME_MAX		200u	/* family names, bytes */
#define SM_LABEL_NAME_MAX	100u
#define SM_LABEL_VALUE_MAX	1024u
#define SM_HELP_MAX		2048u
#define SM_UNIT_MAX		32u
#define SM_MAX_LABELS		16u
#define SM_MAX_STATES		64u
#define SM_MAX_BOUNDS		256u	/* classic bounds of one family */
#define SM_MAX_BUCKETS		1024u	/* united bounds + over, one family */
#define SM_WRITER_NAME_MAX	63u
#define SM_VERSION_MAX		63u

/* header.state: released last, acquired first. */
#define SM_SEG_EMPTY		0u	/* being created, or its creator died: not ready */
#define SM_SEG_READY		1u
#define SM_SEG_SUPERSEDED	2u	/* complete, but writers moved on to header.superseded_by */

/* slot.state, [lock]. "Alive" also needs the life lock and an unchanged incarnation. */
#define SM_SLOT_FREE		0u	/* lanes hold nothing */
#define SM_SLOT_CLAIMING	1u	/* was FREE; being filled in */
#define SM_SLOT_LIVE		2u	/* claimed; dead as soon as the life lock is gone */
#define SM_SLOT_ADOPTING	3u	/* was LIVE and dead; a successor of the same name takes it */
#define SM_SLOT_COMMON		4u	/* slot 0: shell commands, every update atomic, never locked */

/* family.state and series.state, [lock]. */
#define SM_REC_FREE		0u
#define SM_REC_INIT		1u	/* being filled in; recovery frees it */
#define SM_REC_LIVE		2u
#define SM_REC_TOMB		3u	/* removed; reused after SM_COOL_OFF_NS when nobody holds it */

#define SM_COOL_OFF_NS		(UINT64_C(60) * 1000000000u)

/* header.op, [lock]: what the holder of the catalog lock is doing. Non-zero when the lock is
 * free means that it died there, and tells recovery (recover.c) where to look. */
enum {
	SM_OP_NONE, SM_OP_CREATE, SM_OP_REGISTER, SM_OP_CLAIM, SM_OP_ADOPT, SM_OP_FOLD,
	SM_OP_REMOVE, SM_OP_GC, SM_OP_COUNT
};

enum { SM_ZONE_ADD, SM_ZONE_SET, SM_ZONE_LIVE, SM_ZONES };

/* series.cell[]: which cell holds what. 0 means not allocated (cell 0 is never given out). */
#define SM_CELL_U64		0	/* counter: whole units */
#define SM_CELL_FIXED		1	/* counter: units of 10^-decimals */
#define SM_CELL_DOUBLE		2	/* counter: bits of a double */
#define SM_CELL_GAUGE		0	/* set gauge: bits ^ SM_UNSET; mostrecent: see below */
#define SM_CELL_BUCKETS		0	/* histogram: nbuckets cells, then the sum */
#define SM_CELLS_PER_SERIES	4

/* A gauge cell holds the double's bits XOR this, so that a zero page means "never set". The
 * pattern is a signalling NaN that no arithmetic produces. */
#define SM_UNSET		UINT64_C(0x7ff4d5e7a11e57ed)

/* A mostrecent gauge has three cells: sequence (odd while written), value ^ SM_UNSET, boottime ns. */
#define SM_RECENT_SEQ		0
#define SM_RECENT_VALUE		1
#define SM_RECENT_TIME		2
#define SM_RECENT_CELLS		3

/* A state set's cell holds 1 + the index of the current state. An info cell holds 1. */

/* family.flags, [once]. */
#define SM_FF_FINE_GRID		UINT32_C(0x01)	/* histogram: bounds united with the fine grid */
#define SM_FF_SUM_DOUBLE	UINT32_C(0x02)	/* histogram: the sum is the bits of a double */
#define SM_FF_KEEP		UINT32_C(0x04)	/* gauge: values of dead writers count until folded in */
#define SM_FF_EXEMPLARS		UINT32_C(0x08)
#define SM_FF_SIGNED		UINT32_C(0x10)	/* histogram: negative values allowed; no fine grid */
#define SM_FF_CRITICAL		UINT32_C(0x20)	/* reserved for health families */

/* The fine grid: 8 buckets per doubling (native histogram schema 3). */
#define SM_GRID_SCHEMA		3

/* slot.refused[] and header.refused[], [any]: what did not fit, by reason. The texts live once,
 * in reasons.c. */
enum {
	SM_REFUSED_CAP,			/* went to the family's overflow series */
	SM_REFUSED_SERIES_FULL,
	SM_REFUSED_FAMILIES_FULL,
	SM_REFUSED_CELLS_FULL,
	SM_REFUSED_STRINGS_FULL,
	SM_REFUSED_NO_SPACE,		/* the file system is full */
	SM_REFUSED_LABEL_VALUE,		/* too long, or not UTF-8 */
	SM_REFUSED_LOCK_TIMEOUT,
	SM_REFUSED_CONFLICT,		/* redeclared differently */
	SM_REFUSED_VALUE,		/* NaN, negative or out of range */
	SM_REFUSED_WRITERS_FULL,
	SM_REFUSED_EXEMPLAR,
	SM_REFUSED_RING_PART,		/* a part of a slow operation did not fit */
	SM_REFUSED_RING_RATE,		/* a slow operation over the rate limit */
	SM_REFUSED_LOST_UPDATE,		/* an update with no cell to go to */
	SM_REFUSED_INVALID,		/* a bad declaration or name */
	SM_REFUSED_COUNT
};

/*
 * Header, one page. Static part: [once], covered by `fingerprint` where it is geometry.
 *
 *    0  +--------------------+
 *       | magic          u64 |
 *    8  | endian         u32 |  SM_ENDIAN_TAG as the creator wrote it
 *   12  | header_size    u32 |
 *   16  | major, minor   u16 |
 *   20  | state          u32 |  EMPTY -> READY (release, region.c) -> SUPERSEDED
 *   24  | incompatible.. u32 |  three feature masks
 *   36  | superseded_by  u32 |  [lock] layout major of the file that took over
 *   40  | record sizes   u32 |  slot, family, series, ring entry, exemplar
 *   60  | geometry   ...     |  counts and offsets
 *  256  +--------------------+
 *       | segment id, boot id, creation times
 *  512  +--------------------+  dynamic words, each group on its own cache line
 *       | op, recovery counts | high-water marks | fold commit | catalog generation | refusals
 * 4096  +--------------------+
 */
struct sm_header {
	uint64_t magic;
	uint32_t endian;
	uint32_t header_size;
	uint16_t major;
	uint16_t minor;
	uint32_t state;
	uint32_t incompatible;
	uint32_t ro_compatible;
	uint32_t compatible;
	uint32_t superseded_by;
	/* geometry, from here ... */
	uint32_t slot_size;
	uint32_t family_size;
	uint32_t series_size;
	uint32_t ring_entry_size;
	uint32_t exemplar_size;
	uint32_t nslots;
	uint32_t lanes_per_slot;
	uint32_t nfamilies;
	uint32_t nseries;
	uint32_t index_entries;		/* power of two, >= 2 * nseries */
	uint32_t strings_bytes;
	uint32_t nexemplars;
	uint32_t ring_entries;		/* per slot, power of two */
	uint32_t cells;			/* per lane, all zones; a multiple of 512 */
	uint32_t zone_first[SM_ZONES];	/* first cell; multiples of 512 */
	uint32_t zone_cells[SM_ZONES];
	uint32_t pagemap_bytes;		/* per lane, >= cells / 512 / 8 */
	uint32_t hold_bytes;		/* per slot, a multiple of SM_PAGE: nfamilies + nseries bits */
	uint32_t reserved0[2];
	uint64_t off_slots;
	uint64_t off_pagemaps;
	uint64_t off_index;
	uint64_t off_families;
	uint64_t off_series;
	uint64_t off_strings;
	uint64_t off_exemplars;
	uint64_t off_holds;
	uint64_t off_rings;
	uint64_t off_lanes;
	uint64_t file_bytes;
	/* ... to here */
	uint64_t fingerprint;		/* over exactly the geometry fields, see sm_fingerprint() */
	uint8_t reserved1[24];
	uint8_t segment_id[16];		/* at 256: random */
	char boot_id[40];		/* /proc/sys/kernel/random/boot_id, NUL-terminated */
	uint64_t created_real_ns;
	uint64_t created_boot_ns;
	uint32_t creator_uid;
	uint32_t reserved2;
	uint8_t reserved3[176];
	/* at 512: [lock] */
	uint32_t op;			/* SM_OP_*: non-zero while a change is under way */
	uint32_t op_arg;		/* slot or record number the change is about */
	uint64_t recovered[SM_OP_COUNT];	/* deaths inside each operation that a later holder mended */
	uint64_t folds;
	uint64_t adoptions;
	uint64_t claims;
	uint64_t removals;
	uint64_t conflicts;		/* a second live process of one name */
	uint8_t reserved4[16];
	/* at 640: [lock] high-water marks; recovery recomputes them from the records */
	uint32_t families_used;
	uint32_t series_used;
	uint32_t strings_used;
	uint32_t exemplars_used;
	uint32_t cells_used[SM_ZONES];	/* next free cell of each zone, counted from the zone's first */
	uint32_t tombs;			/* hint: tombstoned series records exist */
	uint32_t index_dirty;		/* the hash index is being changed */
	uint8_t reserved5[28];
	/* at 704: [lock] */
	uint64_t fold_commit;		/* g: see fold.c */
	uint8_t reserved6[56];
	/* at 768: [lock] */
	uint64_t catalog_gen;		/* +1, released, after each change of families or series */
	uint8_t reserved7[56];
	/* at 832: [any] */
	uint64_t refused[SM_REFUSED_COUNT];	/* when no slot is at hand */
	uint8_t reserved8[3136];
};

/* Usage as the process itself sees it, for exporters in another pid namespace. [owner] */
struct sm_usage_rec {
	uint64_t at_boot_ns;
	uint64_t cpu_user_ns;
	uint64_t cpu_system_ns;
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	uint64_t threads;
	uint64_t open_fds;
	uint64_t max_fds;
};

/*
 * Writer slot, 1 KiB. Names are stable; a successor of the same name adopts slot and lanes.
 *
 *    0  | state u32 | lanes u32 ...
 *   64  | identity of the process
 *  192  | usage
 *  256  | ring head, refusals
 *  448  | name[64] version[64] metadata[448]
 */
struct sm_slot {
	uint32_t state;			/* [lock] SM_SLOT_* */
	uint32_t metadata_len;
	uint64_t incarnation;		/* [lock] +1 at each claim, adoption and fold */
	uint64_t fold;			/* [lock] commit that takes these lanes, 0 none: see fold.c */
	uint64_t lanes;			/* [owner|lock] bit l: lane l may hold something */
	uint64_t restarts;		/* [lock] adoptions since the slot was claimed */
	uint64_t written;		/* [any] bit l: lane l has, or is just to get, counts: zones ADD, LIVE */
	uint64_t reserved0[2];
	/* at 64 */
	uint64_t pid;
	uint64_t pidns;			/* inode of /proc/self/ns/pid */
	uint64_t start_boot_ns;		/* start of the process */
	uint64_t start_real_ns;
	uint64_t claimed_boot_ns;
	uint64_t first_boot_ns;		/* first claim of this name */
	uint64_t heartbeat_boot_ns;	/* [owner] */
	uint64_t heartbeats;		/* [owner] */
	uint64_t exited_boot_ns;	/* [owner] set by sm_close(): a clean end */
	uint64_t uid;
	uint64_t reserved1[6];
	/* at 192 */
	struct sm_usage_rec usage;
	/* at 256 */
	uint64_t ring_head;		/* [any] entries ever begun */
	uint64_t shared_updates;	/* [any] updates that went to the shared lane for want of a lane */
	uint64_t refused[SM_REFUSED_COUNT];	/* [any] */
	uint64_t reserved2[6];
	/* at 448 */
	char name[64];
	char version[64];
	char metadata[448];		/* "key=value\0key=value\0", at most 8 pairs */
};

/*
 * Family, 256 bytes. Its strings are one block: name, help, unit, label names, states, each
 * with a NUL; its bounds are another (doubles, ascending, without +Inf).
 */
struct sm_family_rec {
	uint32_t state;			/* [lock] SM_REC_* */
	uint32_t kind;			/* enum sm_kind */
	uint64_t incarnation;		/* [lock] +1 at each use of the record */
	uint64_t created_real_ns;
	uint64_t created_boot_ns;
	uint64_t removed_boot_ns;	/* [lock] */
	uint32_t strings;		/* offset in the string area */
	uint32_t strings_bytes;		/* size class: a power of two >= 16 */
	uint32_t bounds;		/* offset in the string area, a multiple of 8; 0 with nbounds 0 */
	uint32_t bounds_bytes;		/* size class */
	uint16_t name_len;
	uint16_t help_len;
	uint16_t unit_len;
	uint16_t nlabels;
	uint16_t nstates;
	uint16_t nbounds;		/* classic bounds */
	uint16_t nbuckets;		/* cells of one histogram without the sum */
	uint8_t gauge_mode;		/* enum sm_gauge_mode */
	uint8_t decimals;		/* of SM_CELL_FIXED, 0 to 9 */
	uint8_t sum_decimals;		/* of the histogram's sum, 0 to 9 */
	int8_t grid_lo;			/* fine grid: 2^grid_lo to 2^grid_hi */
	int8_t grid_hi;
	uint8_t reserved0;
	uint32_t flags;			/* SM_FF_* */
	uint32_t normalise;		/* bit i: values of label i go through the normaliser */
	uint32_t cap;			/* series without the overflow series */
	uint32_t series_live;		/* [lock] live series, without the overflow series */
	uint32_t overflow;		/* [lock] 1 + the overflow series' number, 0 none yet */
	uint64_t hash;			/* of the name */
	uint64_t declared_slot;		/* slot that declared it, for messages */
	uint32_t text_len;		/* bytes used in the string block */
	uint32_t reserved1;
	uint8_t reserved2[136];
};

/* Series, 128 bytes. Its strings are one block: label values, each with a NUL. */
struct sm_series_rec {
	uint32_t state;			/* [lock] SM_REC_* */
	uint32_t family;
	uint64_t incarnation;		/* [lock] +1 at each use of the record */
	uint64_t family_incarnation;
	uint64_t hash;			/* of family number and label values, see sm_series_hash() */
	uint64_t created_real_ns;
	uint64_t created_boot_ns;
	uint64_t removed_boot_ns;	/* [lock] */
	uint32_t strings;
	uint32_t strings_bytes;		/* size class */
	uint32_t text_len;		/* bytes used in the block */
	uint32_t ncells;		/* cells behind cell[0] */
	uint32_t cell[SM_CELLS_PER_SERIES];	/* [lock] 0 -> number, once */
	uint32_t zone;			/* of cell[0] */
	uint32_t exemplar;		/* 1 + first exemplar slot, 0 none */
	uint32_t nexemplars;
	uint32_t reserved0[7];
};

/* One checkpoint of a slow operation. */
struct sm_ring_checkpoint {
	uint64_t duration_ns;
	char name[24];			/* NUL-padded */
};

/*
 * Slow operation, 1280 bytes. seq is odd while the entry is written; 2 * (number + 1) when it
 * holds entry `number` of the slot's ring_head sequence.
 */
struct sm_ring_entry {
	uint64_t seq;
	uint64_t start_real_ns;
	uint64_t duration_ns;
	uint64_t threshold_ns;
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t parent_id[8];
	uint64_t incarnation;		/* of the slot */
	uint32_t ncheckpoints;
	uint32_t attributes_len;
	uint32_t parts_refused;		/* checkpoints and attributes that did not fit */
	uint32_t flags;			/* bit 0: trace id came from outside */
	char operation[64];
	char status[32];
	struct sm_ring_checkpoint checkpoint[16];
	char attributes[512];		/* key=value\0key=value\0 */
	uint8_t reserved0[72];
};

/*
 * Exemplar slot, 576 bytes; one per counter or classic bucket of a family that wants them.
 * seq: count << 17 | slot << 1 | busy. A slot left busy by a dead owner is cleared when that
 * owner's slot is adopted or folded.
 */
struct sm_exemplar_rec {
	uint64_t seq;
	uint64_t value;			/* bits of a double */
	uint64_t at_real_ns;
	uint32_t text_len;
	uint32_t reserved0;
	char labels[512];		/* "name\0value\0" pairs; at most 128 code points in all */
	uint8_t reserved1[32];
};

#define SM_AT(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define SM_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

_Static_assert(sizeof(void *) == 8, "shardmeter needs a 64-bit system: cells are 64-bit words");
_Static_assert(__atomic_always_lock_free(8, 0), "64-bit atomics must be lock-free");

SM_AT(sm_header, magic, 0);
SM_AT(sm_header, endian, 8);
SM_AT(sm_header, header_size, 12);
SM_AT(sm_header, major, 16);
SM_AT(sm_header, minor, 18);
SM_AT(sm_header, state, 20);
SM_AT(sm_header, incompatible, 24);
SM_AT(sm_header, ro_compatible, 28);
SM_AT(sm_header, compatible, 32);
SM_AT(sm_header, superseded_by, 36);
SM_AT(sm_header, slot_size, 40);
SM_AT(sm_header, family_size, 44);
SM_AT(sm_header, series_size, 48);
SM_AT(sm_header, ring_entry_size, 52);
SM_AT(sm_header, exemplar_size, 56);
SM_AT(sm_header, nslots, 60);
SM_AT(sm_header, lanes_per_slot, 64);
SM_AT(sm_header, nfamilies, 68);
SM_AT(sm_header, nseries, 72);
SM_AT(sm_header, index_entries, 76);
SM_AT(sm_header, strings_bytes, 80);
SM_AT(sm_header, nexemplars, 84);
SM_AT(sm_header, ring_entries, 88);
SM_AT(sm_header, cells, 92);
SM_AT(sm_header, zone_first, 96);
SM_AT(sm_header, zone_cells, 108);
SM_AT(sm_header, pagemap_bytes, 120);
SM_AT(sm_header, hold_bytes, 124);
SM_AT(sm_header, reserved0, 128);
SM_AT(sm_header, off_slots, 136);
SM_AT(sm_header, off_pagemaps, 144);
SM_AT(sm_header, off_index, 152);
SM_AT(sm_header, off_families, 160);
SM_AT(sm_header, off_series, 168);
SM_AT(sm_header, off_strings, 176);
SM_AT(sm_header, off_exemplars, 184);
SM_AT(sm_header, off_holds, 192);
SM_AT(sm_header, off_rings, 200);
SM_AT(sm_header, off_lanes, 208);
SM_AT(sm_header, file_bytes, 216);
SM_AT(sm_header, fingerprint, 224);
SM_AT(sm_header, reserved1, 232);
SM_AT(sm_header, segment_id, 256);
SM_AT(sm_header, boot_id, 272);
SM_AT(sm_header, created_real_ns, 312);
SM_AT(sm_header, created_boot_ns, 320);
SM_AT(sm_header, creator_uid, 328);
SM_AT(sm_header, reserved2, 332);
SM_AT(sm_header, reserved3, 336);
SM_AT(sm_header, op, 512);
SM_AT(sm_header, op_arg, 516);
SM_AT(sm_header, recovered, 520);
SM_AT(sm_header, folds, 584);
SM_AT(sm_header, adoptions, 592);
SM_AT(sm_header, claims, 600);
SM_AT(sm_header, removals, 608);
SM_AT(sm_header, conflicts, 616);
SM_AT(sm_header, reserved4, 624);
SM_AT(sm_header, families_used, 640);
SM_AT(sm_header, series_used, 644);
SM_AT(sm_header, strings_used, 648);
SM_AT(sm_header, exemplars_used, 652);
SM_AT(sm_header, cells_used, 656);
SM_AT(sm_header, tombs, 668);
SM_AT(sm_header, index_dirty, 672);
SM_AT(sm_header, reserved5, 676);
SM_AT(sm_header, fold_commit, 704);
SM_AT(sm_header, reserved6, 712);
SM_AT(sm_header, catalog_gen, 768);
SM_AT(sm_header, reserved7, 776);
SM_AT(sm_header, refused, 832);
SM_AT(sm_header, reserved8, 960);
SM_SIZE(sm_header, 4096);

SM_AT(sm_usage_rec, at_boot_ns, 0);
SM_AT(sm_usage_rec, cpu_user_ns, 8);
SM_AT(sm_usage_rec, cpu_system_ns, 16);
SM_AT(sm_usage_rec, resident_bytes, 24);
SM_AT(sm_usage_rec, virtual_bytes, 32);
SM_AT(sm_usage_rec, threads, 40);
SM_AT(sm_usage_rec, open_fds, 48);
SM_AT(sm_usage_rec, max_fds, 56);
SM_SIZE(sm_usage_rec, 64);

SM_AT(sm_slot, state, 0);
SM_AT(sm_slot, metadata_len, 4);
SM_AT(sm_slot, incarnation, 8);
SM_AT(sm_slot, fold, 16);
SM_AT(sm_slot, lanes, 24);
SM_AT(sm_slot, restarts, 32);
SM_AT(sm_slot, written, 40);
SM_AT(sm_slot, reserved0, 48);
SM_AT(sm_slot, pid, 64);
SM_AT(sm_slot, pidns, 72);
SM_AT(sm_slot, start_boot_ns, 80);
SM_AT(sm_slot, start_real_ns, 88);
SM_AT(sm_slot, claimed_boot_ns, 96);
SM_AT(sm_slot, first_boot_ns, 104);
SM_AT(sm_slot, heartbeat_boot_ns, 112);
SM_AT(sm_slot, heartbeats, 120);
SM_AT(sm_slot, exited_boot_ns, 128);
SM_AT(sm_slot, uid, 136);
SM_AT(sm_slot, reserved1, 144);
SM_AT(sm_slot, usage, 192);
SM_AT(sm_slot, ring_head, 256);
SM_AT(sm_slot, shared_updates, 264);
SM_AT(sm_slot, refused, 272);
SM_AT(sm_slot, reserved2, 400);
SM_AT(sm_slot, name, 448);
SM_AT(sm_slot, version, 512);
SM_AT(sm_slot, metadata, 576);
SM_SIZE(sm_slot, 1024);

SM_AT(sm_family_rec, state, 0);
SM_AT(sm_family_rec, kind, 4);
SM_AT(sm_family_rec, incarnation, 8);
SM_AT(sm_family_rec, created_real_ns, 16);
SM_AT(sm_family_rec, created_boot_ns, 24);
SM_AT(sm_family_rec, removed_boot_ns, 32);
SM_AT(sm_family_rec, strings, 40);
SM_AT(sm_family_rec, strings_bytes, 44);
SM_AT(sm_family_rec, bounds, 48);
SM_AT(sm_family_rec, bounds_bytes, 52);
SM_AT(sm_family_rec, name_len, 56);
SM_AT(sm_family_rec, help_len, 58);
SM_AT(sm_family_rec, unit_len, 60);
SM_AT(sm_family_rec, nlabels, 62);
SM_AT(sm_family_rec, nstates, 64);
SM_AT(sm_family_rec, nbounds, 66);
SM_AT(sm_family_rec, nbuckets, 68);
SM_AT(sm_family_rec, gauge_mode, 70);
SM_AT(sm_family_rec, decimals, 71);
SM_AT(sm_family_rec, sum_decimals, 72);
SM_AT(sm_family_rec, grid_lo, 73);
SM_AT(sm_family_rec, grid_hi, 74);
SM_AT(sm_family_rec, reserved0, 75);
SM_AT(sm_family_rec, flags, 76);
SM_AT(sm_family_rec, normalise, 80);
SM_AT(sm_family_rec, cap, 84);
SM_AT(sm_family_rec, series_live, 88);
SM_AT(sm_family_rec, overflow, 92);
SM_AT(sm_family_rec, hash, 96);
SM_AT(sm_family_rec, declared_slot, 104);
SM_AT(sm_family_rec, text_len, 112);
SM_AT(sm_family_rec, reserved1, 116);
SM_AT(sm_family_rec, reserved2, 120);
SM_SIZE(sm_family_rec, 256);

SM_AT(sm_series_rec, state, 0);
SM_AT(sm_series_rec, family, 4);
SM_AT(sm_series_rec, incarnation, 8);
SM_AT(sm_series_rec, family_incarnation, 16);
SM_AT(sm_series_rec, hash, 24);
SM_AT(sm_series_rec, created_real_ns, 32);
SM_AT(sm_series_rec, created_boot_ns, 40);
SM_AT(sm_series_rec, removed_boot_ns, 48);
SM_AT(sm_series_rec, strings, 56);
SM_AT(sm_series_rec, strings_bytes, 60);
SM_AT(sm_series_rec, text_len, 64);
SM_AT(sm_series_rec, ncells, 68);
SM_AT(sm_series_rec, cell, 72);
SM_AT(sm_series_rec, zone, 88);
SM_AT(sm_series_rec, exemplar, 92);
SM_AT(sm_series_rec, nexemplars, 96);
SM_AT(sm_series_rec, reserved0, 100);
SM_SIZE(sm_series_rec, 128);

SM_AT(sm_ring_checkpoint, duration_ns, 0);
SM_AT(sm_ring_checkpoint, name, 8);
SM_SIZE(sm_ring_checkpoint, 32);

SM_AT(sm_ring_entry, seq, 0);
SM_AT(sm_ring_entry, start_real_ns, 8);
SM_AT(sm_ring_entry, duration_ns, 16);
SM_AT(sm_ring_entry, threshold_ns, 24);
SM_AT(sm_ring_entry, trace_id, 32);
SM_AT(sm_ring_entry, span_id, 48);
SM_AT(sm_ring_entry, parent_id, 56);
SM_AT(sm_ring_entry, incarnation, 64);
SM_AT(sm_ring_entry, ncheckpoints, 72);
SM_AT(sm_ring_entry, attributes_len, 76);
SM_AT(sm_ring_entry, parts_refused, 80);
SM_AT(sm_ring_entry, flags, 84);
SM_AT(sm_ring_entry, operation, 88);
SM_AT(sm_ring_entry, status, 152);
SM_AT(sm_ring_entry, checkpoint, 184);
SM_AT(sm_ring_entry, attributes, 696);
SM_AT(sm_ring_entry, reserved0, 1208);
SM_SIZE(sm_ring_entry, 1280);

SM_AT(sm_exemplar_rec, seq, 0);
SM_AT(sm_exemplar_rec, value, 8);
SM_AT(sm_exemplar_rec, at_real_ns, 16);
SM_AT(sm_exemplar_rec, text_len, 24);
SM_AT(sm_exemplar_rec, reserved0, 28);
SM_AT(sm_exemplar_rec, labels, 32);
SM_AT(sm_exemplar_rec, reserved1, 544);
SM_SIZE(sm_exemplar_rec, 576);

#endif /* SM_LAYOUT_H */
