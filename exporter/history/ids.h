/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ids.h - which record of the dictionary has which id, in the writer's memory.
 *
 * Depends on nothing. The dictionary itself is in the store; this finds a record by the hash of its
 * bytes and remembers when a series was last in a row. Entries are named by their position,
 * which does not change while they live.
 */
#ifndef HISTORY_IDS_H
#define HISTORY_IDS_H

#include <stddef.h>
#include <stdint.h>

#define IDS_NONE UINT32_MAX

struct ids_entry {
	uint64_t hash;
	uint64_t seen;		/* series: tick of the last row with it */
	uint64_t gone;		/* series: recorded as gone since that tick; 0: not */
	uint32_t id;		/* 0: free entry */
	uint32_t family;	/* series: entry of its family */
	uint32_t refs;		/* families: series of it */
	uint32_t next;		/* of the same hash bucket, or of the free list */
};

/* Zero-initialise. */
struct ids {
	struct ids_entry *entries;
	uint32_t n, cap;	/* entries ever used; allocated */
	uint32_t live;
	uint32_t first_free;	/* 1 + position, 0: none */
	uint32_t *heads;	/* 1 + position, 0: empty; a power of two of them */
	uint32_t nheads;
};

uint64_t ids_hash(uint64_t seed, const void *data, size_t len);

/* ids_add - the new entry's position, or IDS_NONE when memory is out. */
uint32_t ids_add(struct ids *ids, uint64_t hash, uint32_t id);
void ids_remove(struct ids *ids, uint32_t position);

/* ids_first, ids_next - positions of the entries with this hash, IDS_NONE at the end. */
uint32_t ids_first(const struct ids *ids, uint64_t hash);
uint32_t ids_next(const struct ids *ids, uint32_t position);

void ids_clear(struct ids *ids);

#endif /* HISTORY_IDS_H */
