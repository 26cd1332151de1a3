/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantity.h - a number that stays exact as long as it can: whole units / 10^decimals in 64 bits, or
 * else a double. Depends on <shardmeter_reader.h> only.
 */
#ifndef API_QUANTITY_H
#define API_QUANTITY_H

#include <shardmeter_reader.h>

struct quantity {
	double value;		/* always filled: the nearest double */
	int64_t units;		/* if is_exact */
	uint8_t is_set, is_exact, decimals;
};

static inline struct quantity quantity_double(double v)
{
	return (struct quantity){ .value = v, .is_set = 1 };
}

static inline struct quantity quantity_units(int64_t units, unsigned decimals, double v)
{
	return (struct quantity){ .value = v, .units = units, .is_set = 1, .is_exact = 1,
		.decimals = (uint8_t)decimals };
}

static inline struct quantity quantity_count(uint64_t n)
{
	return n > INT64_MAX ? quantity_double((double)n) : quantity_units((int64_t)n, 0, (double)n);
}

/* a + b or a - b; sign is 1 or -1. One that is not set counts as 0. */
static inline struct quantity quantity_add(struct quantity a, struct quantity b, int sign)
{
	double scale = 1;
	int64_t units;
	unsigned i;

	if (!b.is_set)
		return a;
	if (!a.is_set)
		a = quantity_units(0, b.decimals, 0);
	if (a.is_exact && b.is_exact && a.decimals == b.decimals &&
		!(sign > 0 ? __builtin_add_overflow(a.units, b.units, &units) :
		__builtin_sub_overflow(a.units, b.units, &units))) {
		if (!a.decimals)
			return quantity_units(units, 0, (double)units);
		for (i = 0; i < a.decimals; i++)
			scale *= 10;
		return quantity_units(units, a.decimals, (double)units / scale);
	}
	return quantity_double(a.value + sign * b.value);
}

static inline void quantity_settle(struct quantity *a)
{
	if (a->is_exact)
		*a = quantity_add(*a, quantity_units(0, a->decimals, 0), 1);
}

/*
 * Many in a row: quantity_collect() adds b to a and leaves a->value behind as long as all is exact;
 * quantity_settle() at the end brings it up to date.
 */
static inline void quantity_collect(struct quantity *a, const struct quantity *b)
{
	if (a->is_exact && b->is_exact && a->decimals == b->decimals &&
		!__builtin_add_overflow(a->units, b->units, &a->units))
		return;
	/* An overflow has wrapped: take it back. */
	if (a->is_exact && b->is_exact && a->decimals == b->decimals)
		a->units = (int64_t)((uint64_t)a->units - (uint64_t)b->units);
	quantity_settle(a);
	*a = quantity_add(*a, *b, 1);
}


static inline int quantity_less(struct quantity a, struct quantity b)
{
	if (a.is_exact && b.is_exact && a.decimals == b.decimals)
		return a.units < b.units;
	return a.value < b.value;
}

#endif /* API_QUANTITY_H */
