/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row.h - one row of the history as bytes: every value of one moment, by series id.
 *
 * Depends on bytes.h. A row's key, big-endian, so that LMDB sorts it:
 *
 *    0  u32  epoch: one more each time that the wall clock was set back by more than an interval
 *    4  u64  Unix time, ms; ascends within an epoch
 *   12  u64  tick: its number, one more than that of the row before it
 *
 * A row, little-endian:
 *
 *    0  u32  CRC-32C of everything from byte 4
 *    4  u16  version, 2
 *    6  u16  flags, HISTORY_*
 *    8  u64  taken, wall clock, ns
 *   16  u64  taken, boottime clock, ns
 *   24  16   segment id, of the newest file
 *   40  u64  generation of that segment's catalog
 *   48  u32  live writers
 *   52  u32  values that follow
 *   56  u32  every id is below this: the dictionary that the row was written with
 *   60  u32  bytes that follow the header
 *   64  u64  tick, as in the key
 *   72  u64  when the tick was due, Unix time in ms
 *   80  u32  interval, ms
 *   84  u32  ticks without a row since the row before
 *   88  u32  run: how often an exporter had opened the store
 *   92  u16  why those ticks have no row, HISTORY_MISSED_*
 *   94  u16  files of the segment that were added up
 *   96  16   boot id
 *  112  u32  writers that follow
 *  116  u32  bytes of them
 *  120  writers, each: text name, varint incarnation, u64 start (wall clock, ns)
 *       values, ascending by id, each:
 *       varint  id, minus that of the value before (at least 1)
 *       u8      type in the low 3 bits, decimals above
 *       ROW_UNSIGNED   varint units
 *       ROW_SIGNED     varint units, zigzag
 *       ROW_DOUBLE     8 bytes
 *       ROW_HISTOGRAM  varint number of buckets that are not empty; for each, varint index minus
 *                      (that of the one before, plus 1) and varint count; then the sum: u8 1 and
 *                      varint units (to 128 bits, with the type's decimals), or u8 0 and a double
 *
 * A counter of some size takes 5 to 8 bytes, an idle histogram 6.
 */
#ifndef HISTORY_ROW_H
#define HISTORY_ROW_H

#include "exporter/history/bytes.h"
#include "exporter/history/history.h"

#define ROW_VERSION		2u
#define ROW_HEADER_BYTES	120u
#define ROW_KEY_BYTES		20u
#define ROW_BUCKETS_MAX		1025u
#define ROW_DECIMALS_MAX	18u
#define ROW_NAME_MAX		255u

enum { ROW_UNSIGNED = 1, ROW_SIGNED, ROW_DOUBLE, ROW_HISTOGRAM };

struct row_key {
	uint32_t epoch;
	uint64_t at_ms;
	uint64_t tick;
};

void row_put_key(uint8_t buf[ROW_KEY_BYTES], const struct row_key *key);
/* row_get_key - 0, or -EBADMSG when data is no key. */
int row_get_key(const void *data, size_t len, struct row_key *ret_key);

/* A row being written. Zero-initialise; row_free() at the end; row_begin() starts a new one. */
struct row_writer {
	struct bytes_out out;
	uint32_t last_id;
	uint32_t nvalues, nwriters;
	size_t writers_end;
};

void row_begin(struct row_writer *w, const struct history_row *head);
/* Before the values. */
void row_add_writer(struct row_writer *w, const struct history_writer *writer);
/* Ids ascend. Counts are one per united bound and one for +Inf. */
void row_add_number(struct row_writer *w, uint32_t id, const struct sm_value *v);
void row_add_histogram(struct row_writer *w, uint32_t id, const uint64_t *counts, size_t ncounts,
	const struct sm_sum *sum);
/* row_finish - complete the row. 0, -ENOMEM or -E2BIG; the bytes are w->out.data, w->out.len. */
int row_finish(struct row_writer *w, uint32_t id_limit);
void row_free(struct row_writer *w);

/* A row being read, from bytes that stay where they are meanwhile. */
struct row_reader {
	struct bytes_in in, writers;
	uint32_t writers_left;
	uint32_t last_id;
	uint32_t id_limit;
	uint32_t values_left;
	struct history_bucket buckets[ROW_BUCKETS_MAX];
	char name[ROW_NAME_MAX + 1];
};

/* row_open - check version, sizes and checksum. Fills all of ret_head but at_ms. 0, -EBADMSG, or
 * -EPROTONOSUPPORT for another version. */
int row_open(struct row_reader *r, const void *data, size_t len, struct history_row *ret_head);

/* row_next_writer - 1 and the next writer, valid until the next call, 0 at the end, -EBADMSG. */
int row_next_writer(struct row_reader *r, struct history_writer *ret_writer);

/* row_next - 1 and the next value (all but .series) with its id, 0 at the end, -EBADMSG. */
int row_next(struct row_reader *r, uint32_t *ret_id, struct history_value *ret_value);

#endif /* HISTORY_ROW_H */
