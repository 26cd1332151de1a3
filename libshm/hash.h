/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.h - the hash of names and label values. Part of the format: the hash index in a segment is
 * built with it, so a change is a new layout major.
 *
 * A string of up to 16 bytes becomes two words, a longer one is taken 16 bytes at a time. The words
 * are mixed by 64 x 64 -> 128 bit multiplication, whose halves are folded by XOR (the mixing step
 * of the wyhash family). Not secure against chosen keys: whoever may choose label values may also
 * make a family full.
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

#define SM_WORDS_MAX 16		/* bytes */

/*
 * A string of at most SM_WORDS_MAX bytes as two words. With the length they say what it is, so that
 * comparing the words is comparing the strings.
 *
 *   n      a                          b
 *   0-3    p[0], p[n / 2], p[n - 1]   0
 *   4-7    p[0..3], again             p[n-4..n-1], again
 *   8-15   p[0..3], p[4..7]           p[n-4..n-1], p[n-8..n-5]
 *   16     p[0..3], p[8..11]          p[12..15], p[4..7]
 *
 * All lengths from 4 on are one case, without a branch: lengths are what a branch predictor cannot
 * learn, and a miss costs as much as both words. (Doing so with the short ones, too, costs 2.5 ns
 * more for two labels than the branch does.) Reads nothing beyond the string.
 */
static inline __attribute__((always_inline)) void
sm_words(const char *p, size_t n, uint64_t *a, uint64_t *b)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t half = n >> 1, skip = half & ~(size_t)3;

	if (n < 4) {
		*a = n ? (uint64_t)u[0] | (uint64_t)u[half] << 8 | (uint64_t)u[n - 1] << 16 : 0;
		*b = 0;
		return;
	}
	*a = sm_read32(p) | sm_read32(p + skip) << 32;
	p += n - 4;
	*b = sm_read32(p) | sm_read32(p - skip) << 32;
}

static inline uint64_t sm_hash_words(uint64_t seed, uint64_t a, uint64_t b, size_t n)
{
	return sm_mix(a ^ SM_HASH_K0, b ^ (seed + n));
}

static inline uint64_t sm_hash_bytes(uint64_t seed, const char *p, size_t n)
{
	uint64_t a, b;
	size_t left;

	if (n <= SM_WORDS_MAX) {
		sm_words(p, n, &a, &b);
		return sm_hash_words(seed, a, b, n);
	}
	for (left = n; left > 16; left -= 16, p += 16)
		seed = sm_mix(sm_read64(p) ^ SM_HASH_K0, sm_read64(p + 8) ^ seed);
	p += left;	/* the last 16 bytes, some of them again */
	return sm_hash_words(seed, sm_read64(p - 16), sm_read64(p - 8), n);
}

/* What the hash of a series begins with. */
static inline uint64_t sm_series_seed(uint32_t family)
{
	return family * SM_HASH_K0 + SM_HASH_K1;
}

/* Hash of a series: its family's record number and its label values in order. Never 0. */
static inline uint64_t sm_series_hash(uint32_t family, const struct sm_str *values, size_t n)
{
	uint64_t h = sm_series_seed(family);
	size_t i;

	for (i = 0; i < n; i++)
		h = sm_hash_bytes(h, values[i].ptr, values[i].len);
	return h ? h : 1;
}

#endif
