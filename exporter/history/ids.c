/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ids.c - the writer's index of the dictionary; see ids.h.
 *
 * A chained hash table over an array of entries. The seed is random: label values come from
 * programs that may want many of them in one chain.
 */
#include "exporter/history/ids.h"

#include <stdlib.h>
#include <string.h>

#define HEADS_MIN 1024u

static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t ids_hash(uint64_t seed, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t h = seed ^ mix(len + UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xd6e8feb86659fd93));
	uint64_t word;

	for (; len >= 8; at += 8, len -= 8) {
		memcpy(&word, at, 8);
		h = mix(h ^ word, UINT64_C(0xa0761d6478bd642f) ^ seed);
	}
	word = 0;
	memcpy(&word, at, len);
	return mix(h ^ word, UINT64_C(0xe7037ed1a0b428db) ^ seed);
}

static uint32_t *head_of(const struct ids *ids, uint64_t hash)
{
	return &ids->heads[hash & (ids->nheads - 1)];
}

static int grow_heads(struct ids *ids)
{
	uint32_t n = ids->nheads ? ids->nheads * 2 : HEADS_MIN, i, *head;
	uint32_t *heads = calloc(n, sizeof(*heads));

	if (!heads)
		return 0;
	free(ids->heads);
	ids->heads = heads;
	ids->nheads = n;
	for (i = 0; i < ids->n; i++) {
		if (!ids->entries[i].id)
			continue;
		head = head_of(ids, ids->entries[i].hash);
		ids->entries[i].next = *head;
		*head = i + 1;
	}
	return 1;
}

static int grow_entries(struct ids *ids)
{
	uint32_t cap = ids->cap ? ids->cap * 2 : HEADS_MIN;
	struct ids_entry *entries = cap < UINT32_MAX / 2 ?
		realloc(ids->entries, cap * sizeof(*entries)) : NULL;

	if (!entries)
		return 0;
	ids->entries = entries;
	ids->cap = cap;
	return 1;
}

uint32_t ids_add(struct ids *ids, uint64_t hash, uint32_t id)
{
	uint32_t at, *head;

	if (ids->live >= ids->nheads && !grow_heads(ids))
		return IDS_NONE;
	if (!ids->first_free && ids->n == ids->cap && !grow_entries(ids))
		return IDS_NONE;
	if (ids->first_free) {
		at = ids->first_free - 1;
		ids->first_free = ids->entries[at].next;
	} else {
		at = ids->n++;
	}
	head = head_of(ids, hash);
	ids->entries[at] = (struct ids_entry){ .hash = hash, .id = id, .family = IDS_NONE,
		.next = *head };
	*head = at + 1;
	ids->live++;
	return at;
}

void ids_remove(struct ids *ids, uint32_t position)
{
	struct ids_entry *e = &ids->entries[position];
	uint32_t *link = head_of(ids, e->hash);

	while (*link != position + 1)
		link = &ids->entries[*link - 1].next;
	*link = e->next;
	*e = (struct ids_entry){ .next = ids->first_free };
	ids->first_free = position + 1;
	ids->live--;
}

static uint32_t same_hash(const struct ids *ids, uint32_t link, uint64_t hash)
{
	while (link && ids->entries[link - 1].hash != hash)
		link = ids->entries[link - 1].next;
	return link ? link - 1 : IDS_NONE;
}

uint32_t ids_first(const struct ids *ids, uint64_t hash)
{
	return ids->nheads ? same_hash(ids, *head_of(ids, hash), hash) : IDS_NONE;
}

uint32_t ids_next(const struct ids *ids, uint32_t position)
{
	const struct ids_entry *e = &ids->entries[position];

	return same_hash(ids, e->next, e->hash);
}

void ids_clear(struct ids *ids)
{
	free(ids->entries);
	free(ids->heads);
	memset(ids, 0, sizeof(*ids));
}
