/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random.c - see demo.h. splitmix64 (Steele, Lea, Flood 2014): one addition and three mixing steps
 * a number; good enough for a demo, and short.
 */
#include <math.h>

#include "demo.h"

static uint64_t state;

void random_seed(uint64_t seed)
{
	state = seed;
}

static uint64_t next(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

double random_unit(void)
{
	return (double)(next() >> 11) * 0x1p-53;
}

double random_exponential(double mean)
{
	return -mean * log1p(-random_unit());
}

double random_lognormal(double median, double sigma)
{
	/* Box and Muller's transform; the second number is not kept. */
	double u = 1 - random_unit(), v = random_unit();

	return median * exp(sigma * sqrt(-2 * log(u)) * cos(2 * M_PI * v));
}

unsigned random_weighted(const double *weights, unsigned n)
{
	double total = 0, at;
	unsigned i;

	for (i = 0; i < n; i++)
		total += weights[i];
	at = random_unit() * total;
	for (i = 0; i + 1 < n && at >= weights[i]; i++)
		at -= weights[i];
	return i;
}
