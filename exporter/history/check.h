/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h - look at a whole store, and copy one; while the exporter writes it, or not.
 *
 * Depends on history.h, verify.h and place.h. For tools: a process that writes a store itself must not
 * copy it, since LMDB forbids to open a file with locks twice in one process.
 */
#ifndef HISTORY_CHECK_H
#define HISTORY_CHECK_H

#include "exporter/history/history.h"

struct history_checked {
	uint64_t pages_used, pages_free, page_bytes;
	uint64_t rows, values, damaged_rows;
	uint64_t missed;		/* ticks without a row */
	uint64_t clock_back;		/* rows before which the clock had been set back */
	uint64_t runs;			/* of exporters that left rows */
	uint64_t first_ms, last_ms, last_tick;
	char finding[SM_DIAG_MESSAGE];	/* the first thing that is wrong, "" */
};

/*
 * history_check - the structure of the file, then every row with its checksum, writers and values. It
 * writes nothing and takes no lock. 0 if all is well; -EBADMSG, ret_checked says what was found;
 * -EBUSY if the exporter wrote faster than the file could be walked; or as history_open().
 */
int history_check(const char *dir, struct history_checked *ret_checked, struct sm_diag *diag);

/*
 * history_copy - copy the store in dir as of one moment to the directory `to`, which is made, and must
 * not have one; compact, on disk when it returns, and checked. The exporter goes on meanwhile; its
 * file grows by what it writes in that time. 0, -EEXIST, or -errno, diag says it in words.
 */
int history_copy(const char *dir, const char *to, struct sm_diag *diag);

#endif /* HISTORY_CHECK_H */
