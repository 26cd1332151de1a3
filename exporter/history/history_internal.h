/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history_internal.h - what history_env.c (the file, looks into it) and history.c (the dictionary, rows)
 * share.
 */
#ifndef HISTORY_HISTORY_INTERNAL_H
#define HISTORY_HISTORY_INTERNAL_H

#include <limits.h>

#include "exporter/history/guard.h"
#include "exporter/history/history.h"
#include "exporter/history/row.h"

/* id -> decoded record: open addressing, a power of two, id 0 is empty. */
struct table {
	struct slot {
		uint32_t id;
		void *record;
	} *slots;
	size_t n, cap;
};

/* A record as it was copied. */
struct copy {
	uint8_t key[ROW_KEY_BYTES];
	size_t key_len;
	uint8_t *data;
	size_t len, cap;
};

struct history {
	MDB_env *env;
	MDB_txn *txn;		/* reset between looks */
	MDB_cursor *cursor;	/* of the look that runs, or of one that ended in a fault */
	uintptr_t map_begin, map_end;	/* where LMDB has the file */
	MDB_dbi meta, rows, families, series;
	char path[PATH_MAX];
	int damaged;		/* LMDB cannot go on */
	const uint8_t *want;	/* of history_want() */
	uint32_t want_limit;
	uint64_t from_ms, to_ms;
	struct row_key next;	/* the first row that may be next */
	int at_end;
	int in_row;
	uint64_t at_ms;		/* of the current row */
	struct copy row, record;
	struct row_reader reader;
	struct table family_table, series_table;
	char error[SM_DIAG_MESSAGE];
};

/*
 * history_look - run work in a short transaction, h->txn, as often as it takes until the writer has not
 * overtaken it. What work does to its argument must not build on an earlier try; what it decodes
 * or allocates is for after the look. Returns what work returned (0, 1 or -errno), explained.
 */
int history_look(struct history *h, int (*work)(struct history *h, void *arg), void *arg);

/* history_fail - explain rc for history_error(), and return it. */
__attribute__((format(printf, 3, 4)))
int history_fail(struct history *h, int rc, const char *format, ...);

/* For use in work: a cursor, closed after the look; a record's data, copied; a row's key. LMDB believes
 * offsets and sizes of the file: what they point to has to be in the file, too. 0 or -errno. */
int history_cursor(struct history *h, MDB_dbi dbi);
int history_take(struct history *h, struct copy *c, const MDB_val *key, const MDB_val *data);
int history_row_key(const struct history *h, const MDB_val *key, struct row_key *ret_key);

#endif /* HISTORY_HISTORY_INTERNAL_H */
