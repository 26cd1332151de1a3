/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.h - the hash of names and label values. Part of the format: the hash index in a segment is
 * built with it, so a change is a new layout major.
 *
 * Each string is read in 8-byte words (the last one overlapping) and mixed by 64 x 64 -> 128 bit
 * multiplication, whose halves are folded by XOR (the mixing step of the wyhash family). Not
 * secure against chosen keys: whoever may choose label values may also make a family full.
 */
#ifndef SM_HASH_H
#define SM_HASH_H

#include <shardmeter.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SM_HASH_K0 UINT64_C(0x9e3779b97f4a7c15)
#define SM_HASH_K1 UINT64_C(0xc2b2ae3d27d4eb4f)

static inline uint64_t sm_mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t sm_read64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t sm_read32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t sm_hash_bytes(uint64_t seed, const char *p, size_t n)
{
	uint64_t a, b;

	seed ^= n * SM_HASH_K1;
	if (n >= 8) {
		for (; n > 16; n -= 16, p += 16)
			seed = sm_mix(sm_read64(p) ^ SM_HASH_K0, sm_read64(p + 8) ^ seed);
		if (n >= 8) {
			a = sm_read64(p);
			b = sm_read64(p + n - 8);
		} else {
			a = sm_read64(p + n - 16);
			b = sm_read64(p + n - 8);
		}
	} else if (n >= 4) {
		a = sm_read32(p);
		b = sm_read32(p + n - 4);
	} else if (n) {
		a = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 |
		    (unsigned char)p[n - 1];
		b = 0;
	} else {
		a = b = 0;
	}
	return sm_mix(a ^ SM_HASH_K0, b ^ seed);
}

/* Hash of a series: its family's record number and its label values in order. Never 0. */
static inline uint64_t sm_series_hash(uint32_t family, const struct sm_str *values, size_t n)
{
	uint64_t h = family * SM_HASH_K0 + SM_HASH_K1;
	size_t i;

	for (i = 0; i < n; i++)
		h = sm_hash_bytes(h, values[i].ptr, values[i].len);
	return h ? h : 1;
}

#endif
