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

#define STORE_FORMAT 1u

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
	struct store_options opts;
	char dir[3072];
	char path[4096];
	int faulted;			/* LMDB faulted: never touch env again */
	struct store_stats stats;
	uint64_t appends;		/* tried, since open */
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

/* store_load - read the dictionary. */
int store_load(struct store *s, MDB_txn *txn);
void store_unload(struct store *s);

/* store_build_row - encode v as of at_ms into s->writer, adding to the dictionary what is new, and
 * record the series that are gone since the row before. */
int store_build_row(struct store *s, MDB_txn *txn, const struct view *v, uint64_t at_ms,
	unsigned flags);

/* store_forget - drop at most limit series that are gone since before oldest_ms. */
int store_forget(struct store *s, MDB_txn *txn, uint64_t oldest_ms, unsigned limit);

/* store_get_number, store_put_number - a u64 of the meta tree; absent is 0. */
int store_get_number(struct store *s, MDB_txn *txn, const char *name, uint64_t *ret_number);
int store_put_number(struct store *s, MDB_txn *txn, const char *name, uint64_t number);

#endif /* HISTORY_STORE_INTERNAL_H */
