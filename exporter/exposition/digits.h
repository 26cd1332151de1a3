/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digits.h - the two things that a text exposition is made of: copies of short texts and decimal
 * integers.
 *
 * Depends on nothing. Both write beyond what they add, up to DIGITS_SLACK bytes, instead of looking
 * at each length: the room must be there. digits_copy() also reads that far.
 */
#ifndef EXPOSITION_DIGITS_H
#define EXPOSITION_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGITS_SLACK 32

/* Copy len bytes, 32 at a time. Returns the end of the copy. */
static inline char *digits_copy(char *to, const char *from, size_t len)
{
	size_t i = 0;

	do {
		memcpy(to + i, from + i, 32);
		i += 32;
	} while (i < len);
	return to + len;
}

/*
 * Eight digits of v < 10^8 as bytes 0 to 9, the first digit in the lowest byte. Three divisions, by
 * 10^4, 100 and 10, each of all parts at once: v is two numbers below 10^4 in 32 bits each, then four
 * below 100 in 16, then eight digits in 8. The multiplications are exact for such small numbers.
 */
static inline uint64_t digits_eight(uint32_t v)
{
	uint64_t quads = v / 10000 | (uint64_t)(v % 10000) << 32;
	uint64_t hundreds = quads * 10486 >> 20 & UINT64_C(0x0000007f0000007f);
	uint64_t pairs = hundreds | (quads - 100 * hundreds) << 16;
	uint64_t tens = pairs * 103 >> 10 & UINT64_C(0x000f000f000f000f);

	return tens | (pairs - 10 * tens) << 8;
}

static inline char *digits_store(char *to, uint64_t digits)
{
	digits |= UINT64_C(0x3030303030303030);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	digits = __builtin_bswap64(digits);
#endif
	memcpy(to, &digits, 8);
	return to + 8;
}

/* v < 10^8 without leading zeros. */
static inline __attribute__((always_inline)) char *digits_small(char *to, uint32_t v)
{
	uint64_t digits = digits_eight(v);
	/* The lowest bit that is set is in the first digit that counts; 0 has one digit. */
	unsigned zeros = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 56) / 8;

	digits_store(to, digits >> (8 * zeros));
	return to + 8 - zeros;
}

/* v in decimal, at most 20 bytes. Returns their end. */
static inline __attribute__((always_inline)) char *digits_put(char *to, uint64_t v)
{
	const uint64_t e8 = 100000000, e16 = e8 * e8;

	if (v < 10) {
		*to = (char)('0' + v);
		return to + 1;
	}
	if (v < e8)
		return digits_small(to, (uint32_t)v);
	if (v < e16) {
		to = digits_small(to, (uint32_t)(v / e8));
		return digits_store(to, digits_eight((uint32_t)(v % e8)));
	}
	to = digits_small(to, (uint32_t)(v / e16));
	to = digits_store(to, digits_eight((uint32_t)(v / e8 % e8)));
	return digits_store(to, digits_eight((uint32_t)(v % e8)));
}

/* units / 10^decimals, decimals <= 9, without zeros at the end. At most 30 bytes. */
static inline char *digits_put_fixed(char *to, uint64_t units, unsigned decimals)
{
	static const uint32_t power[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
		1000000000 };
	uint32_t by = power[decimals], fraction = (uint32_t)(units % by) * power[9 - decimals];

	to = digits_put(to, units / by);
	if (!fraction)
		return to;
	*to++ = '.';
	*to++ = (char)('0' + fraction / 100000000);
	to = digits_store(to, digits_eight(fraction % 100000000));
	while (to[-1] == '0')
		to--;
	return to;
}

#endif /* EXPOSITION_DIGITS_H */
