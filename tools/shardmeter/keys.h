/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.h - number texts in the order in which they are first seen: 0, 1, 2, ... Depends on nothing.
 * A hash table with chains by index; texts are copied.
 */
#ifndef CLI_KEYS_H
#define CLI_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keys_entry;

/* Zero is the empty set. */
struct keys {
	struct keys_entry *entry;
	size_t n, room;
	uint32_t *bucket; /* index + 1 of the first one; 0: none */
	size_t nbuckets;
};

/* The number of the text a followed by b, added if it is new (*ret_new); SIZE_MAX without memory.
 * ("ab","c") and ("a","bc") are two texts. */
size_t keys_number(
	struct keys *k, const char *a, size_t a_len, const char *b, size_t b_len, bool *ret_new);

/* The same, but SIZE_MAX if it is not there. */
size_t keys_find(const struct keys *k, const char *a, size_t a_len, const char *b, size_t b_len);

void keys_clear(struct keys *k);

#endif
