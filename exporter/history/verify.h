/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - check an LMDB file before LMDB maps it.
 *
 * Depends on nothing of ours, nor on LMDB: it reads the format of LMDB 0.9 with pread. LMDB itself
 * trusts the sizes and page numbers it finds.
 */
#ifndef HISTORY_VERIFY_H
#define HISTORY_VERIFY_H

#include <stddef.h>
#include <stdint.h>

struct verify_result {
	uint64_t page_bytes;
	uint64_t pages_used;	/* in trees and their values */
	uint64_t pages_free;
	uint64_t transaction;	/* that was looked at */
	uint64_t newest;	/* when that was done: more than one later voids what was found */
	char finding[160];	/* what is wrong, "" */
};

/*
 * verify_file - walk every tree of a database: page types, bounds of every record, depths, order,
 * counts, no page used twice or both used and free. If somebody writes meanwhile, see `newest`.
 *
 * max_bytes bounds the size that it may claim for itself. Returns 0; -EBADMSG, ret_result says what
 * was found; -ENODATA for an empty file; -ENOMEM; or the errno of a read. Costs a read of every
 * tree page and of the first page of every large value: some 10 ms for 20,000 rows in the cache.
 */
int verify_file(int fd, uint64_t max_bytes, struct verify_result *ret_result);

#endif /* HISTORY_VERIFY_H */
