/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds.h - the bucket bounds of a histogram: a user's classic bounds united with the fine grid.
 * Writers and readers compute the same list from the family record.
 */
#ifndef SM_BOUNDS_H
#define SM_BOUNDS_H

#include <stdint.h>

/* Bound k of the grid: 2^(k/8), correctly rounded, as Prometheus' schema 3 has it. */
double sm_grid_bound(int k);

/*
 * Ascending union of the classic bounds (n of them, ascending) and, if grid, the bounds
 * sm_grid_bound(8 * lo) to sm_grid_bound(8 * hi). Returns how many, at most max (a longer union is
 * an error: 0). The cell of index `count` holds what is above the last.
 */
unsigned sm_bounds_unite(const double *classic, unsigned n, int grid, int lo, int hi,
			 double *ret_united, unsigned max);

/* Largest whole number of nanoseconds that is <= bound seconds: ns <= this iff ns / 1e9 <= bound. */
uint64_t sm_bound_ns(double bound);

#endif
