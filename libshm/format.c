/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.c - see format.h.
 *
 * The shortest decimal that reads back as the same double is found with Raffaele Giulietti's
 * Schubfach ("The Schubfach way to render doubles", 2020): three multiplications by a 128-bit
 * power of ten give the ends of the rounding interval and the value itself, in units of a power
 * of ten so chosen that the interval holds at least one multiple of one such unit and at most one
 * of ten such units. Exact, no loop over digits, no big numbers per call.
 *
 * The 617 powers of ten are computed at first use by exact long arithmetic (about 50 us, once)
 * rather than listed.
 */
#include "format.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#define POWER_MIN	(-292)
#define POWER_MAX	324
#define LIMBS		40	/* 32-bit limbs: 10^324 has 1077 bits, 2^1279 / 10^292 still 310 */

#define SIGNIFICAND_BITS	52
#define HIDDEN_BIT		(UINT64_C(1) << SIGNIFICAND_BITS)
#define EXPONENT_BIAS		1075	/* of a whole significand: value = c * 2^(e - 1075) */

/* power[k - POWER_MIN] = ceil(10^k * 2^(127 - floor(log2 10^k))): 128 bits, the top one set. */
static struct { uint64_t hi, lo; } power[POWER_MAX - POWER_MIN + 1];
static pthread_once_t power_once = PTHREAD_ONCE_INIT;

static const uint64_t power10[20] = {
	1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
	UINT64_C(10000000000), UINT64_C(100000000000), UINT64_C(1000000000000),
	UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
	UINT64_C(10000000000000000), UINT64_C(100000000000000000), UINT64_C(1000000000000000000),
	UINT64_C(10000000000000000000),
};

/* The top 128 bits of the number in limb[0..LIMBS), least significant first, rounded up.
 * inexact: the true number is a little larger than what the limbs hold. */
static void power_store(int k, const uint32_t *limb, int inexact)
{
	sm_u128 top = 0;
	int n = LIMBS - 1, i, shift, rest = inexact;

	while (!limb[n])
		n--;
	/* Five limbs cover 128 bits wherever the first set bit is. */
	for (i = n; i > n - 4; i--)
		top = top << 32 | (i >= 0 ? limb[i] : 0);
	shift = __builtin_clz(limb[n]);
	if (shift) {
		uint32_t fifth = i >= 0 ? limb[i] : 0;

		top = top << shift | fifth >> (32 - shift);
		rest |= (uint32_t)(fifth << shift) != 0;
		i--;
	}
	for (; i >= 0; i--)
		rest |= limb[i] != 0;
	top += rest != 0;
	power[k - POWER_MIN].hi = (uint64_t)(top >> 64);
	power[k - POWER_MIN].lo = (uint64_t)top;
}

static void power_fill(void)
{
	uint32_t limb[LIMBS] = { 0 };
	uint64_t carry;
	int k, i;

	limb[0] = 1;
	for (k = 0; k <= POWER_MAX; k++) {
		power_store(k, limb, 0);
		for (i = 0, carry = 0; i < LIMBS; i++) {
			carry += limb[i] * UINT64_C(10);
			limb[i] = (uint32_t)carry;
			carry >>= 32;
		}
	}
	/* floor(floor(x / 10) / 10) = floor(x / 100), so repeated division stays exact. */
	memset(limb, 0, sizeof(limb));
	limb[LIMBS - 1] = UINT32_C(1) << 31;
	for (k = -1; k >= POWER_MIN; k--) {
		for (i = LIMBS - 1, carry = 0; i >= 0; i--) {
			carry = carry << 32 | limb[i];
			limb[i] = (uint32_t)(carry / 10);
			carry %= 10;
		}
		power_store(k, limb, 1);
	}
}

/* floor(log10(2^e)), floor(log10(3/4 * 2^e)), floor(log2(10^e)) for the exponents of doubles. */
static int log10_pow2(int e)
{
	return (e * 1262611) >> 22;
}

static int log10_three_quarters_pow2(int e)
{
	return (e * 1262611 - 524031) >> 22;
}

static int log2_pow10(int e)
{
	return (e * 1741647) >> 19;
}

/* floor(10^k * cp), its lowest bit set if anything was cut off ("round to odd"). */
static uint64_t scale(int k, uint64_t cp)
{
	sm_u128 low = (sm_u128)power[k - POWER_MIN].lo * cp;
	sm_u128 high = (sm_u128)power[k - POWER_MIN].hi * cp + (uint64_t)(low >> 64);

	/* The table is rounded up: a fraction of at most one unit is that error, not a rest. */
	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* v = *ret_digits * 10^(returned), v positive and finite. */
static int shortest(uint64_t bits, uint64_t *ret_digits)
{
	uint64_t fraction = bits & (HIDDEN_BIT - 1), c, lower, upper, v, s, tens;
	int exponent = (int)(bits >> SIGNIFICAND_BITS), q, k, h, closer, odd, up, down;

	c = exponent ? fraction | HIDDEN_BIT : fraction;
	q = (exponent ? exponent : 1) - EXPONENT_BIAS;
	if (q <= 0 && q > -SIGNIFICAND_BITS - 1 && (c & ((UINT64_C(1) << -q) - 1)) == 0) {
		*ret_digits = c >> -q;		/* a small whole number */
		return 0;
	}
	/* At a power of two the neighbour below is at half the distance. */
	closer = fraction == 0 && exponent > 1;
	odd = c & 1;			/* the ends read back as v only if v is even */
	k = closer ? log10_three_quarters_pow2(q) : log10_pow2(q);
	h = q + log2_pow10(-k) + 1;
	lower = scale(-k, (4 * c - 2 + (uint64_t)closer) << h) + (uint64_t)odd;
	upper = scale(-k, (4 * c + 2) << h) - (uint64_t)odd;
	v = scale(-k, (4 * c) << h);
	s = v / 4;
	tens = s / 10;
	/* One digit less: at most one of the two neighbouring multiples of ten is inside. */
	if (tens) {
		down = lower <= 40 * tens;
		up = 40 * tens + 40 <= upper;
		if (down != up) {
			*ret_digits = tens + (uint64_t)up;
			return k + 1;
		}
	}
	down = lower <= 4 * s;
	up = 4 * s + 4 <= upper;
	if (down == up)			/* both: the nearer one, ties to even */
		up = v > 4 * s + 2 || (v == 4 * s + 2 && (s & 1));
	*ret_digits = s + (uint64_t)up;
	return k;
}

size_t sm_format_u64(uint64_t v, char *ret_text)
{
	char text[20];
	size_t n = 0, i;

	do
		text[n++] = (char)('0' + v % 10);
	while (v /= 10);
	for (i = 0; i < n; i++)
		ret_text[i] = text[n - 1 - i];
	ret_text[n] = '\0';
	return n;
}

static size_t put_fixed(const char *digits, size_t n, int point, char *out)
{
	size_t len = 0, i;

	if (point <= 0) {
		out[len++] = '0';
		out[len++] = '.';
		for (i = 0; i < (size_t)-point; i++)
			out[len++] = '0';
		memcpy(out + len, digits, n);
		return len + n;
	}
	for (i = 0; i < (size_t)point; i++)
		out[len++] = i < n ? digits[i] : '0';
	if (n > (size_t)point) {
		out[len++] = '.';
		memcpy(out + len, digits + point, n - (size_t)point);
		len += n - (size_t)point;
	}
	return len;
}

static size_t put_exponent(const char *digits, size_t n, int exponent, char *out)
{
	size_t len = 0;

	out[len++] = digits[0];
	if (n > 1) {
		out[len++] = '.';
		memcpy(out + len, digits + 1, n - 1);
		len += n - 1;
	}
	out[len++] = 'e';
	out[len++] = exponent < 0 ? '-' : '+';
	exponent = exponent < 0 ? -exponent : exponent;
	if (exponent < 10)
		out[len++] = '0';
	return len + sm_format_u64((uint64_t)exponent, out + len);
}

size_t sm_format_double(double v, int point, char *ret_text, size_t size)
{
	char digits[24];
	uint64_t bits, decimal;
	size_t len = 0, n;
	int exponent;

	if (size < 32)
		return 0;
	if (isnan(v)) {
		memcpy(ret_text, "NaN", 4);
		return 3;
	}
	if (isinf(v)) {
		memcpy(ret_text, v > 0 ? "+Inf" : "-Inf", 5);
		return 4;
	}
	memcpy(&bits, &v, sizeof(bits));
	if (bits >> 63)
		ret_text[len++] = '-';
	bits &= ~(UINT64_C(1) << 63);
	if (!bits) {
		ret_text[len++] = '0';
		exponent = 0;
	} else {
		pthread_once(&power_once, power_fill);
		exponent = shortest(bits, &decimal);
		n = sm_format_u64(decimal, digits);
		exponent += (int)n - 1;		/* of the first digit */
		while (n > 1 && digits[n - 1] == '0')
			n--;
		/* As Go's strconv: an exponent below -4 and from 6 (21 is that of its fmt). */
		if (exponent < -4 || exponent >= 6)
			len += put_exponent(digits, n, exponent, ret_text + len);
		else
			len += put_fixed(digits, n, exponent + 1, ret_text + len);
	}
	ret_text[len] = '\0';
	if (point && exponent > -5 && exponent < 6 && !memchr(ret_text, '.', len)) {
		memcpy(ret_text + len, ".0", 3);
		len += 2;
	}
	return len;
}

size_t sm_format_units(sm_u128 units, unsigned decimals, char *ret_text, size_t size)
{
	char digits[48];
	size_t n = 0, len = 0, i;

	if (size < 48)
		return 0;
	if (decimals > 38)
		decimals = 38;
	/* Least significant digit first, in steps that fit a 64-bit division. */
	do {
		uint64_t part = (uint64_t)(units % power10[19]);
		size_t stop = n + 19;

		units /= power10[19];
		for (; n < stop && (units || part); n++, part /= 10)
			digits[n] = (char)('0' + part % 10);
	} while (units);
	while (n <= decimals)
		digits[n++] = '0';
	for (i = n; i-- > decimals;)
		ret_text[len++] = digits[i];
	for (n = 0; n < decimals && digits[n] == '0'; n++)
		;				/* zeros at the end of the fraction */
	if (n < decimals) {
		ret_text[len++] = '.';
		for (i = decimals; i-- > n;)
			ret_text[len++] = digits[i];
	}
	ret_text[len] = '\0';
	return len;
}

static int leading_zeros(sm_u128 v)
{
	uint64_t hi = (uint64_t)(v >> 64);

	return hi ? __builtin_clzll(hi) : 64 + __builtin_clzll((uint64_t)v);
}

double sm_units_value(sm_u128 units, unsigned decimals)
{
	sm_u128 scaled, quotient;
	uint64_t by;
	int shift;

	if (decimals > 18)
		decimals = 18;
	by = power10[decimals];
	/* Both exact as doubles: one division, rounded once. */
	if (units < HIDDEN_BIT * 2 && decimals <= 15)
		return (double)(uint64_t)units / (double)by;
	shift = leading_zeros(units);
	scaled = units << shift;
	quotient = scaled / by;
	/* At least 68 bits: a rest only matters for ties, so it may live in the lowest bit. */
	quotient |= quotient * by != scaled;
	return ldexp((double)quotient, -shift);
}
