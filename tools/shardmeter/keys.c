/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - see keys.h. */
#include "keys.h"

#include <stdlib.h>
#include <string.h>

struct keys_entry {
	uint64_t hash;
	size_t a_len, b_len;
	uint32_t next; /* index + 1 */
	char *text;
};

/* FNV-1a, eight bytes at a time where there are eight. */
static uint64_t mix(uint64_t h, const char *s, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); s += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, s, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	for (; len; s++, len--)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

static uint64_t hash_of(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return mix(mix(UINT64_C(0xcbf29ce484222325) + a_len, a, a_len), b, b_len);
}

static size_t find(const struct keys *k, uint64_t hash, const char *a, size_t a_len, const char *b,
	size_t b_len)
{
	const struct keys_entry *e;
	uint32_t i = k->nbuckets ? k->bucket[hash & (k->nbuckets - 1)] : 0;

	for (; i; i = e->next) {
		e = &k->entry[i - 1];
		if (e->hash == hash && e->a_len == a_len && e->b_len == b_len &&
			memcmp(e->text, a, a_len) == 0 && memcmp(e->text + a_len, b, b_len) == 0)
			return i - 1;
	}
	return SIZE_MAX;
}

size_t keys_find(const struct keys *k, const char *a, size_t a_len, const char *b, size_t b_len)
{
	return find(k, hash_of(a, a_len, b, b_len), a, a_len, b, b_len);
}

static bool grow(struct keys *k)
{
	size_t room = k->room ? 2 * k->room : 256;
	struct keys_entry *entry = reallocarray(k->entry, room, sizeof(*entry));
	uint32_t *bucket = calloc(2 * room, sizeof(*bucket)), *b;

	if (entry)
		k->entry = entry;
	if (!entry || !bucket) {
		free(bucket);
		return false;
	}
	free(k->bucket);
	k->bucket = bucket;
	k->nbuckets = 2 * room;
	k->room = room;
	for (size_t i = 0; i < k->n; i++) {
		b = &bucket[k->entry[i].hash & (k->nbuckets - 1)];
		k->entry[i].next = *b;
		*b = (uint32_t)i + 1;
	}
	return true;
}

size_t keys_number(
	struct keys *k, const char *a, size_t a_len, const char *b, size_t b_len, bool *ret_new)
{
	uint64_t hash = hash_of(a, a_len, b, b_len);
	size_t i = find(k, hash, a, a_len, b, b_len);
	struct keys_entry *e;
	uint32_t *first;

	*ret_new = i == SIZE_MAX;
	if (!*ret_new)
		return i;
	if (k->n == k->room && !grow(k))
		return SIZE_MAX;
	e = &k->entry[k->n];
	e->text = malloc(a_len + b_len + 1);
	if (!e->text)
		return SIZE_MAX;
	memcpy(e->text, a, a_len);
	memcpy(e->text + a_len, b, b_len);
	e->hash = hash;
	e->a_len = a_len;
	e->b_len = b_len;
	first = &k->bucket[hash & (k->nbuckets - 1)];
	e->next = *first;
	*first = (uint32_t)++k->n;
	return k->n - 1;
}

void keys_clear(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->entry[i].text);
	free(k->entry);
	free(k->bucket);
	memset(k, 0, sizeof(*k));
}
