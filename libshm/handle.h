/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle.h - the public part of a handle: what the program points to, the inline code reads and the
 * fast look-up compares. One cache line.
 *
 * It lies in memory marked MADV_WIPEONFORK, apart from the rest. So a forked child, whoever made
 * it, finds `where` 0 in every handle: no update of the child goes by what its parent wrote there.
 * The child's claim writes them anew (publish_handles() in bind.h).
 *
 * Chunks are aligned to their size. The first half of one is public parts, then come pointers to
 * what they belong to, in ordinary memory: an index leads from one to the other.
 */
#ifndef SM_HANDLE_H
#define SM_HANDLE_H

#include <shardmeter.h>

#define HANDLE_CHUNK	((uintptr_t)1 << 18)	/* address space; pages are taken as they are used */
#define HANDLE_WIPED	(HANDLE_CHUNK / 2)	/* a multiple of every page size there is */

struct handle;

#define PUBLIC_WORDS 5

struct handle_public {
	union {
		sm_where_ where;
		struct sm_counter counter;
		struct sm_gauge gauge;
		struct sm_updown updown;
		struct sm_histogram histogram;
	};
	/* For look_up_words(). 0 unless the handle is bound and has one to three short values; then
	 * PUBLIC_BOUND and their lengths, a byte each, and below the words of the values. */
	uint32_t lens;
	uint32_t reserved;
	uint64_t word[PUBLIC_WORDS];
};

#define PUBLIC_BOUND	UINT32_C(0x80000000)

_Static_assert(sizeof(struct handle_public) == 64, "a cache line");

extern struct handle_public sm_null_public;	/* of sm_null_handle; in no chunk */

/* A public part for h, all zero; NULL without memory. Process mutex held, here and below. */
struct handle_public *handle_public_new(struct handle *h);

/* Nobody was told of it. The next handle gets it. */
void handle_public_free(struct handle_public *pub);

/* What stands beside a public part that is in a chunk. */
static inline struct handle **handle_owner(const void *pub)
{
	uintptr_t at = (uintptr_t)pub & (HANDLE_CHUNK - 1);

	return (struct handle **)((uintptr_t)pub - at + HANDLE_WIPED) +
	       at / sizeof(struct handle_public);
}

#endif
