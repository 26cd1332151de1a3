/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_internal.h - what store.c (opening, transactions, retention) and store_row.c (a row and its
 * dictionary) share. Everything below runs inside guard_run() and returns 0 or -errno.
 */
#ifndef HISTORY_STORE_INTERNAL_H
#define HISTORY_STORE_INTERNAL_H

#include "exporter/history/guard.h"
#include "exporter/history/ids.h"
#include "exporter/history/row.h"
#include "exporter/history/store.h"

/* A value on its way into a row. */
struct store_item {
	uint32_t id;
	uint32_t entry;			/* of ids */
	const struct view_family *family;
	const struct view_series *histogram;	/* else a number */
	struct sm_value value;
};

struct store {
	MDB_env *env;
	MDB_dbi meta, rows, families, series, gone;
	MDB_cursor *cursor;		/* open just now, or when LMDB faulted */
	struct store_options opts;
	char dir[3072];
	char path[4096];
	int faulted;			/* LMDB faulted: never touch env again */
	int foreign;			/* the file is not one of ours */
	uint64_t dev, ino;		/* of the file */
	struct timespec modified, changed;	/* and when we wrote it last */
	struct store_stats stats;
	struct row_key last;		/* of the last row, 0 without */
	uint32_t run;
	uint8_t boot_id[16];
	pid_t oldest_reader;		/* pid, in a namespace of its own */
	/* The dictionary in memory; dropped after a failed transaction. */
	int loaded;
	uint64_t seed;
	struct ids family_ids, series_ids;
	uint32_t next_family, next_series;	/* ids to give out */
	/* The row being built. */
	struct row_writer writer;
	struct bytes_out record;
	struct store_item *items;
	size_t nitems, items_cap;
	uint64_t counts[ROW_BUCKETS_MAX];
	/* Entries of the plain series of the last view, in its order: as long as the catalog stays
	 * the same, nothing has to be looked up. */
	uint32_t *plain;
	size_t nplain, plain_cap;
	uint8_t plain_segment[16];
	uint64_t plain_generation;
	int plain_valid;
};

/* store_cursor - open s->cursor; store_cursor_close() after use. 0 or -errno. */
int store_cursor(struct store *s, MDB_txn *txn, MDB_dbi dbi);
void store_cursor_close(struct store *s);

/* store_load - read the dictionary. */
int store_load(struct store *s, MDB_txn *txn);
void store_unload(struct store *s);

/* store_build_row - encode v as row head->tick into s->writer, adding to the dictionary what is new,
 * and record the series that are gone since the row before. head has what v does not know. */
int store_build_row(struct store *s, MDB_txn *txn, const struct view *v,
	const struct history_row *head);

/* store_forget - drop at most limit series that are gone since before the tick `oldest`. */
int store_forget(struct store *s, MDB_txn *txn, uint64_t oldest, unsigned limit);

/* store_get_number, store_put_number - a u64 of the meta tree; absent is 0. */
int store_get_number(struct store *s, MDB_txn *txn, const char *name, uint64_t *ret_number);
int store_put_number(struct store *s, MDB_txn *txn, const char *name, uint64_t number);

#endif /* HISTORY_STORE_INTERNAL_H */
