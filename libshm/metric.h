/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric.h - what the metric types (counter, gauge, histogram, ...) have in common: the way from
 * a public handle to our own, and fixed point. They stand on writer.h and lane.h.
 */
#ifndef SM_METRIC_H
#define SM_METRIC_H

#include "writer.h"

static inline struct handle *handle_of(const void *pub)
{
	return pub == &sm_null_public ? &sm_null_handle : load_relaxed(handle_owner(pub));
}

/* The index of a histogram. The one in its public part is for the inline code. */
static inline const struct sm_buckets_ *handle_buckets(const struct handle *h)
{
	return &h->family->buckets->pub;
}

/* Where the handle writes; 0 for one that counts into nowhere. Another thread may bind it
 * meanwhile. */
static inline sm_where_ handle_place(const struct handle *h)
{
	return load_relaxed(&h->place);
}

/* Count a value that cannot be counted. */
static inline void handle_refuse_value(const struct handle *h)
{
	writer_refuse(h->family->m, SM_REFUSED_VALUE);
}

/* Amounts of this many units and more are refused, so that sums of a few never wrap unseen. */
#define UNITS_LIMIT 0x1p62

static inline double power_of_ten(unsigned n)
{
	static const double power[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9 };

	return power[n];
}

/* Nearest whole number of 0 <= scaled < 2^62. From 2^52 on a double is whole, and adding a half
 * would round it to an even one. */
static inline uint64_t whole_units(double scaled)
{
	return (uint64_t)(int64_t)(scaled < 0x1p52 ? scaled + 0.5 : scaled);
}

static inline uint64_t double_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static inline double bits_double(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* buckets.c: the index of the null histogram, by which every value takes the slow path. */
extern const struct sm_buckets_ sm_null_buckets;

#endif
