/* SPDX-License-Identifier: Apache-2.0 */
/* bounds.c - see bounds.h. The table was computed with 60 decimal digits and rounded once. */
#include "bounds.h"

#include <math.h>

static const double mantissa[8] = {
	0x1.0000000000000p+0,	/* 2^(0/8) */
	0x1.172b83c7d517bp+0,	/* 2^(1/8) */
	0x1.306fe0a31b715p+0,	/* 2^(2/8) */
	0x1.4bfdad5362a27p+0,	/* 2^(3/8) */
	0x1.6a09e667f3bcdp+0,	/* 2^(4/8) */
	0x1.8ace5422aa0dbp+0,	/* 2^(5/8) */
	0x1.ae89f995ad3adp+0,	/* 2^(6/8) */
	0x1.d5818dcfba487p+0,	/* 2^(7/8) */
};

double sm_grid_bound(int k)
{
	int eighth = (k % 8 + 8) % 8;

	return ldexp(mantissa[eighth], (k - eighth) / 8);
}

unsigned sm_bounds_unite(const double *classic, unsigned n, int grid, int lo, int hi,
			 double *ret_united, unsigned max)
{
	unsigned i = 0, out = 0;
	int k = 8 * lo, last = grid ? 8 * hi : k - 1;
	double g, v;

	while (i < n || k <= last) {
		g = k <= last ? sm_grid_bound(k) : INFINITY;
		v = i < n && classic[i] <= g ? classic[i] : g;
		if (out == max)
			return 0;
		ret_united[out++] = v;
		if (i < n && classic[i] == v)
			i++;
		if (k <= last && g == v)
			k++;
	}
	return out;
}

uint64_t sm_bound_ns(double bound)
{
	uint64_t ns;

	if (!(bound >= 0))
		return 0;
	if (bound >= 0x1p62 / 1e9)
		return UINT64_C(1) << 62;
	ns = (uint64_t)(bound * 1e9);
	while (ns && (double)ns / 1e9 > bound)
		ns--;
	while ((double)(ns + 1) / 1e9 <= bound)
		ns++;
	return ns;
}
