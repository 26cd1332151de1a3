/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of libshm/value.c: what the cells mean. The views of histograms are compared with a plain
 * count over the observed values, for random bounds and grids.
 */
#include <math.h>

#include "segment_builder.h"
#include "snapshot.h"

struct fixture {
	struct builder b;
	uint32_t a, c, dead;		/* slots; start times ascend */
};

static void set_up(struct fixture *x)
{
	builder_new(&x->b);
	x->a = builder_writer(&x->b, "a", true);
	x->c = builder_writer(&x->b, "c", true);
	x->dead = builder_writer(&x->b, "dead", false);
}

static struct sm_value take_value(struct fixture *x, uint32_t series, int writer)
{
	struct sm_reader *r = builder_reader(&x->b);
	const struct sm_snapshot *s = builder_take(r, SM_SNAPSHOT_WRITERS);
	struct sm_value v = builder_value(s, series, writer);

	sm_snapshot_free(s);
	sm_reader_close(r);
	return v;
}

static uint32_t gauge(struct fixture *x, enum sm_gauge_mode mode, uint32_t flags)
{
	static unsigned n;
	char name[32];

	snprintf(name, sizeof(name), "gauge_%u", n++);
	return builder_series(
		&x->b, builder_family(&x->b, SM_GAUGE, name, .mode = mode, .flags = flags), NULL);
}

/* ---- counters ------------------------------------------------------------------------------ */

static void counter__units_and_fixed__exact_integer(void **state)
{
	struct sm_value v;
	struct fixture x;
	uint32_t s, *cell;

	set_up(&x);
	s = builder_series(&x.b, builder_family(&x.b, SM_COUNTER, "n_total", .decimals = 6), NULL);
	cell = builder_rec(&x.b, s)->cell;
	*builder_cell(&x.b, x.a, 1, cell[SM_CELL_U64]) = 41;
	v = take_value(&x, s, SM_ALL_WRITERS);
	assert_int_equal(v.is_integer, 1);
	assert_int_equal(v.decimals, 0);
	assert_int_equal(v.units, 41);
	assert_true(v.value == 41);
	*builder_cell(&x.b, x.c, 1, cell[SM_CELL_FIXED]) = 1500000;
	v = take_value(&x, s, SM_ALL_WRITERS);
	assert_int_equal(v.is_integer, 1);
	assert_int_equal(v.decimals, 6);
	assert_int_equal(v.units, 42500000);
	assert_true(v.value == 42.5);
	*builder_cell(&x.b, x.a, 1, cell[SM_CELL_U64]) = UINT64_MAX / 4;
	v = take_value(&x, s, SM_ALL_WRITERS);
	assert_int_equal(v.is_integer, 0);
	assert_int_equal(v.is_set, 1);
	assert_true(v.value == 4611686018427387905.5);
	builder_free(&x.b);
}

static void counter__per_writer__zero_if_held_else_absent(void **state)
{
	struct fixture x;
	uint32_t s;

	set_up(&x);
	s = builder_series(&x.b, builder_family(&x.b, SM_COUNTER, "n_total", ), NULL);
	*builder_cell(&x.b, x.a, 1, builder_rec(&x.b, s)->cell[0]) = 0;
	builder_hold(&x.b, x.a, s);
	assert_int_equal(take_value(&x, s, SM_ALL_WRITERS).is_set, 1);
	assert_int_equal(take_value(&x, s, 1).is_set, 1);
	assert_int_equal(take_value(&x, s, 1).units, 0);
	assert_int_equal(take_value(&x, s, 2).is_set, 0);
	builder_free(&x.b);
}

static void counts__whole_units__in_order(void **state)
{
	static const char *const names[] = { "a", "b", "c" };
	struct fixture x;
	const struct sm_snapshot *snap;
	struct sm_reader *r;
	uint64_t counts[3];
	uint32_t f, s[3], i;

	set_up(&x);
	f = builder_family(&x.b, SM_COUNTER, "n_total", .labels = { "l" });
	for (i = 0; i < 3; i++) {
		s[i] = builder_series(&x.b, f, names[i], NULL);
		*builder_cell(&x.b, x.a, 1, builder_rec(&x.b, s[i])->cell[SM_CELL_U64]) = 10 + i;
		*builder_cell(&x.b, x.c, 0, builder_rec(&x.b, s[i])->cell[SM_CELL_U64]) = 100;
	}
	r = builder_reader(&x.b);
	snap = builder_take(r, 0);
	assert_int_equal(sm_snapshot_counts(snap, &snap->families[0], counts), -ENOTSUP);
	sm_snapshot_free(snap);
	for (i = 0; i < 3; i++) {
		builder_rec(&x.b, s[i])->cell[SM_CELL_FIXED] = 0;
		builder_rec(&x.b, s[i])->cell[SM_CELL_DOUBLE] = 0;
	}
	builder_rec(&x.b, s[2])->cell[SM_CELL_U64] = 0;	/* refused for want of cells */
	x.b.h->catalog_gen++;
	snap = builder_take(r, 0);
	assert_int_equal(sm_snapshot_counts(snap, &snap->families[0], counts), 0);
	assert_int_equal(counts[0], 110);
	assert_int_equal(counts[1], 111);
	assert_int_equal(counts[2], 0);
	assert_int_equal(sm_snapshot_counts(snap, snap->families + 1, counts), -EINVAL);
	sm_snapshot_free(snap);
	sm_reader_close(r);
	builder_free(&x.b);
}

static void number__wrong_question__einval(void **state)
{
	static const double bounds[] = { 1 };
	const struct sm_snapshot *plain, *other;
	const struct sm_series_info *info;
	struct sm_series_info stranger;
	struct sm_native native;
	struct sm_value v;
	uint64_t counts[4];
	struct sm_reader *r;
	struct fixture x;
	uint32_t s, h;

	set_up(&x);
	s = builder_series(&x.b, builder_family(&x.b, SM_COUNTER, "n_total", ), NULL);
	h = builder_series(&x.b,
			   builder_family(&x.b, SM_HISTOGRAM, "h", .bounds = bounds, .nbounds = 1),
			   NULL);
	r = builder_reader(&x.b);
	plain = builder_take(r, 0);
	info = builder_find(plain, s);
	assert_int_equal(sm_snapshot_number(plain, info, 1, &v),
			 -EINVAL); /* no values per writer */
	assert_int_equal(sm_snapshot_number(plain, info, -2, &v), -EINVAL);
	assert_int_equal(sm_snapshot_number(plain, info, 99, &v), -EINVAL);
	assert_int_equal(sm_snapshot_number(plain, builder_find(plain, h), SM_ALL_WRITERS, &v),
			 -EINVAL);
	assert_int_equal(sm_snapshot_buckets(plain, info, SM_ALL_WRITERS, counts, NULL), -EINVAL);
	assert_int_equal(sm_snapshot_buckets(plain, builder_find(plain, h), 1, counts, NULL),
			 -EINVAL);
	assert_int_equal(
		sm_snapshot_native(plain, builder_find(plain, h), SM_ALL_WRITERS, 160, &native),
		-ENOENT);
	assert_true(isnan(sm_snapshot_quantile(plain, info, SM_ALL_WRITERS, 0.5)));
	/* A series of another snapshot whose catalog is gone. */
	stranger = *info;
	assert_int_equal(sm_snapshot_number(plain, &stranger, SM_ALL_WRITERS, &v), -EINVAL);
	stranger.family = 1000000;
	assert_int_equal(sm_snapshot_number(plain, &stranger, SM_ALL_WRITERS, &v), -EINVAL);
	x.b.h->catalog_gen++;
	other = builder_take(r, 0);
	assert_int_equal(sm_snapshot_number(other, info, SM_ALL_WRITERS, &v), -EINVAL);
	sm_snapshot_free(other);
	sm_snapshot_free(plain);
	sm_reader_close(r);
	builder_free(&x.b);
}

/* ---- gauges -------------------------------------------------------------------------------- */

static void gauge__modes__combine_live_writers(void **state)
{
	static const struct { enum sm_gauge_mode mode; double expect;
	} modes[] = {
		{ SM_MODE_SUM, 7.5 },  { SM_MODE_MIN, -2 },    { SM_MODE_MAX, 9.5 },
		{ SM_MODE_AVG, 3.75 }, { SM_MODE_FIRST, 9.5 },
	};
	struct sm_value v;
	struct fixture x;
	uint32_t s;
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		set_up(&x);
		s = gauge(&x, modes[i].mode, 0);
		assert_int_equal(take_value(&x, s, SM_ALL_WRITERS).is_set, 0);
		builder_gauge(&x.b, x.a, s, 9.5);
		builder_gauge(&x.b, x.c, s, -2);
		builder_gauge(&x.b, x.dead, s, 1000);
		*builder_cell(&x.b, RETIRED, 0, builder_rec(&x.b, s)->cell[0]) = builder_bits(5000) ^ SM_UNSET;
		v = take_value(&x, s, SM_ALL_WRITERS);
		assert_int_equal(v.is_set, 1);
		assert_int_equal(v.is_integer, 0);
		assert_true(v.value == modes[i].expect);
		assert_true(take_value(&x, s, 1).value == 9.5);
		assert_true(take_value(&x, s, 2).value == -2);
		assert_int_equal(take_value(&x, s, 3).is_set, 0);
		builder_kill(&x.b, x.a);
		assert_true(take_value(&x, s, SM_ALL_WRITERS).value == -2);
		builder_kill(&x.b, x.c);
		assert_int_equal(take_value(&x, s, SM_ALL_WRITERS).is_set, 0);
		builder_free(&x.b);
	}
}

static void gauge__kept__dead_and_folded_count(void **state)
{
	static const struct { enum sm_gauge_mode mode; double expect, unfolded;
	} modes[] = {
		{ SM_MODE_SUM, 117, 17 },
		{ SM_MODE_MIN, 2, 2 },
		{ SM_MODE_MAX, 100, 10 },
		{ SM_MODE_FIRST, 100, 5 },
	};
	struct fixture x;
	uint32_t s, cell;
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		set_up(&x);
		s = gauge(&x, modes[i].mode, SM_FF_KEEP);
		cell = builder_rec(&x.b, s)->cell[0];
		builder_gauge(&x.b, x.a, s, 5);
		builder_gauge(&x.b, x.c, s, 2);
		builder_gauge(&x.b, x.dead, s, 10);
		assert_true(take_value(&x, s, SM_ALL_WRITERS).value == modes[i].unfolded);
		*builder_cell(&x.b, RETIRED, 0, cell) = builder_bits(100) ^ SM_UNSET;
		*builder_cell(&x.b, RETIRED, 1, cell) = builder_bits(7777) ^ SM_UNSET;
		assert_true(take_value(&x, s, SM_ALL_WRITERS).value == modes[i].expect);
		assert_true(take_value(&x, s, 3).value == 10);
		builder_free(&x.b);
	}
}

static void gauge__zero_nan_and_unset__told_apart(void **state)
{
	struct fixture x;
	uint32_t s, t;

	set_up(&x);
	s = gauge(&x, SM_MODE_SUM, 0);
	t = gauge(&x, SM_MODE_MAX, 0);
	builder_gauge(&x.b, x.a, s, 0);
	assert_int_equal(take_value(&x, s, SM_ALL_WRITERS).is_set, 1);
	assert_true(take_value(&x, s, SM_ALL_WRITERS).value == 0);
	builder_gauge(&x.b, x.a, t, (double)NAN);
	assert_int_equal(take_value(&x, t, SM_ALL_WRITERS).is_set, 1);
	assert_true(isnan(take_value(&x, t, SM_ALL_WRITERS).value));
	builder_gauge(&x.b, x.c, t, 3);
	assert_true(take_value(&x, t, SM_ALL_WRITERS).value == 3);
	builder_free(&x.b);
}

static void gauge__all__per_writer_only(void **state)
{
	struct fixture x;
	uint32_t s;

	set_up(&x);
	s = gauge(&x, SM_MODE_ALL, 0);
	builder_gauge(&x.b, x.a, s, 1);
	builder_gauge(&x.b, 0, s, 8);
	assert_int_equal(take_value(&x, s, SM_ALL_WRITERS).is_set, 0);
	assert_true(take_value(&x, s, 0).value == 8);
	assert_true(take_value(&x, s, 1).value == 1);
	assert_int_equal(take_value(&x, s, 2).is_set, 0);
	builder_free(&x.b);
}

static void recent(struct fixture *x, uint32_t slot, uint32_t s, uint64_t seq, double v,
		   uint64_t at)
{
	uint32_t cell = builder_rec(&x->b, s)->cell[0];

	*builder_cell(&x->b, slot, 0, cell + SM_RECENT_SEQ) = seq;
	*builder_cell(&x->b, slot, 0, cell + SM_RECENT_VALUE) = builder_bits(v) ^ SM_UNSET;
	*builder_cell(&x->b, slot, 0, cell + SM_RECENT_TIME) = at;
}

static void gauge__mostrecent__latest_whole_one(void **state)
{
	struct sm_value v;
	struct fixture x;
	uint32_t s;

	set_up(&x);
	s = gauge(&x, SM_MODE_MOSTRECENT, 0);
	assert_int_equal(take_value(&x, s, SM_ALL_WRITERS).is_set, 0);
	recent(&x, x.a, s, 2, 1.5, 100);
	recent(&x, x.c, s, 6, 2.5, 200);
	recent(&x, x.dead, s, 4, 99, 900);
	v = take_value(&x, s, SM_ALL_WRITERS);
	assert_true(v.value == 2.5);
	assert_int_equal(v.at_boot_ns, 200);
	assert_int_equal(take_value(&x, s, 1).at_boot_ns, 100);
	/* Being written, or its writer died in it: absent, not torn. */
	recent(&x, x.c, s, 7, 3.5, 300);
	v = take_value(&x, s, SM_ALL_WRITERS);
	assert_true(v.value == 1.5);
	assert_int_equal(take_value(&x, s, 2).is_set, 0);
	builder_free(&x.b);
}

static void gauge__mostrecent_across_pages__whole(void **state)
{
	struct sm_geometry_wish wish = {
		.writers = 4, .lanes_per_writer = 2, .families = 4, .series = 1024
	};
	struct sm_value v;
	struct fixture x;
	uint32_t s;

	builder_new_sized(&x.b, &wish);
	x.a = builder_writer(&x.b, "a", true);
	x.b.h->cells_used[SM_ZONE_SET] = 511;		/* the three cells lie in two pages */
	s = gauge(&x, SM_MODE_MOSTRECENT, 0);
	recent(&x, x.a, s, 2, 1.25, 77);
	v = take_value(&x, s, SM_ALL_WRITERS);
	assert_true(v.value == 1.25);
	assert_int_equal(v.at_boot_ns, 77);
	builder_free(&x.b);
}

static void info_and_states__live_writers__shown(void **state)
{
	struct sm_value v;
	struct fixture x;
	uint32_t i, s;

	set_up(&x);
	i = builder_series(&x.b, builder_family(&x.b, SM_INFO, "build_info", .labels = { "v" }),
			   "1", NULL);
	s = builder_series(&x.b,
			   builder_family(&x.b, SM_STATESET, "mode", .states = { "idle", "busy" }),
			   NULL);
	assert_int_equal(take_value(&x, i, SM_ALL_WRITERS).is_set, 0);
	*builder_cell(&x.b, x.dead, 0, builder_rec(&x.b, i)->cell[0]) = 1;
	*builder_cell(&x.b, x.dead, 0, builder_rec(&x.b, s)->cell[0]) = 1;
	assert_int_equal(take_value(&x, i, SM_ALL_WRITERS).is_set, 0);
	*builder_cell(&x.b, x.a, 0, builder_rec(&x.b, i)->cell[0]) = 1;
	*builder_cell(&x.b, x.a, 0, builder_rec(&x.b, s)->cell[0]) = 2;
	*builder_cell(&x.b, x.c, 0, builder_rec(&x.b, s)->cell[0]) = 3;	/* no such state */
	v = take_value(&x, i, SM_ALL_WRITERS);
	assert_int_equal(v.is_set, 1);
	assert_int_equal(v.units, 1);
	assert_int_equal(take_value(&x, s, SM_ALL_WRITERS).is_set, 0);
	assert_int_equal(take_value(&x, s, 1).units, 1);
	assert_int_equal(take_value(&x, s, 2).is_set, 0);
	assert_int_equal(take_value(&x, s, 3).is_set, 0);
	builder_free(&x.b);
}

/* ---- histograms ---------------------------------------------------------------------------- */

static uint64_t seed;

static double uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(seed >> 11) / 9007199254740992.0;
}

#define VALUES 1000

/* Values over some doublings, some of them exactly on bounds. */
static double pick(const double *bounds, unsigned nbounds, int lo, int hi)
{
	double u = uniform();

	if (u < 0.1 && nbounds)
		return bounds[(unsigned)(uniform() * nbounds)];
	if (u < 0.2)
		return sm_grid_bound(8 * lo + (int)(uniform() * 8 * (hi - lo + 1)));
	if (u < 0.25)
		return 0;
	return exp2(lo - 2 + uniform() * (hi - lo + 4));
}

static unsigned random_bounds(double *bounds, int lo, int hi)
{
	unsigned n = (unsigned)(uniform() * 20), i, k;

	for (i = 0; i < n; i++) {
		double v = uniform() < 0.3
				   ? sm_grid_bound(8 * lo + (int)(uniform() * 8 * (hi - lo)))
				   : exp2(lo - 1 + uniform() * (hi - lo + 2));

		for (k = i; k && bounds[k - 1] > v; k--)
			bounds[k] = bounds[k - 1];
		bounds[k] = v;
	}
	for (i = 1, k = n ? 1 : 0; i < n; i++)
		if (bounds[i] != bounds[k - 1])
			bounds[k++] = bounds[i];
	return k;
}

static void check_classic(const struct sm_snapshot *s, const struct sm_series_info *info,
			  const double *bounds, unsigned nbounds, const double *values)
{
	uint64_t cumulative[SM_MAX_BOUNDS + 1], expect;
	struct sm_sum sum;
	unsigned b, i;

	assert_int_equal(sm_snapshot_classic(s, info, SM_ALL_WRITERS, cumulative, &sum), 0);
	for (b = 0; b < nbounds; b++) {
		for (i = 0, expect = 0; i < VALUES; i++)
			expect += values[i] <= bounds[b];
		assert_int_equal(cumulative[b], expect);
	}
	assert_int_equal(cumulative[nbounds], VALUES);
	assert_true(sum.units == VALUES);
}

static void check_native(const struct sm_snapshot *s, const struct sm_series_info *info, int lo,
			 int hi, const double *values, unsigned max)
{
	struct sm_native n;
	uint64_t zero = 0, above = 0, expect, total = 0;
	unsigned i;
	int k;

	assert_int_equal(sm_snapshot_native(s, info, SM_ALL_WRITERS, max, &n), 0);
	for (i = 0; i < VALUES; i++) {
		zero += values[i] <= exp2(lo);
		above += values[i] > exp2(hi);
	}
	assert_true(n.zero_threshold == exp2(lo));
	assert_int_equal(n.zero_count, zero);
	assert_int_equal(n.above, above);
	assert_int_equal(n.count, VALUES);
	assert_true(n.ncounts <= max);
	assert_true(n.schema <= 3 && n.schema >= -4);
	if (n.ncounts) {
		assert_true(n.counts[0] && n.counts[n.ncounts - 1]);
	}
	for (i = 0; i < n.ncounts; i++) {
		/* Bounds of a coarser schema are bounds of the grid, too; those below it are
		 * clipped. */
		int step = n.schema >= 0 ? 1 << (3 - n.schema) : 8 << -n.schema, v;
		double low, high;

		k = n.first_index + (int)i;
		low = (k - 1) * step < 8 * lo ? exp2(lo) : sm_grid_bound((k - 1) * step);
		high = k * step > 8 * hi ? exp2(hi) : sm_grid_bound(k * step);
		for (v = 0, expect = 0; v < VALUES; v++)
			expect += values[v] > low && values[v] <= high;
		assert_int_equal(n.counts[i], expect);
		total += n.counts[i];
	}
	assert_int_equal(total + zero + above, VALUES);
	/* Not coarser than needed. */
	if (n.schema < 3) {
		struct sm_native finer;

		assert_int_equal(sm_snapshot_native(s, info, SM_ALL_WRITERS, 512, &finer), 0);
		if (finer.schema == 3)
			assert_true(finer.ncounts > max);
	}
}

static void histogram_round(int lo, int hi, bool grid)
{
	double bounds[32], united[SM_MAX_BUCKETS], values[VALUES];
	const struct sm_snapshot *s;
	const struct sm_series_info *info;
	unsigned nbounds = random_bounds(bounds, lo, hi), n, i, u;
	struct sm_reader *r;
	struct fixture x;
	uint32_t series, cell;

	set_up(&x);
	series = builder_series(&x.b,
				builder_family(&x.b, SM_HISTOGRAM, "h", .bounds = bounds,
					       .nbounds = nbounds, .grid_lo = grid ? lo : 0,
					       .grid_hi = grid ? hi : 0),
				NULL);
	cell = builder_rec(&x.b, series)->cell[0];
	n = sm_bounds_unite(bounds, nbounds, grid, lo, hi, united, SM_MAX_BUCKETS);
	for (i = 0; i < VALUES; i++) {
		values[i] = pick(bounds, nbounds, lo, hi);
		for (u = 0; u < n && values[i] > united[u]; u++)
			;
		++*builder_cell(&x.b, i % 2 ? x.a : x.dead, i % 3, cell + u);
	}
	*builder_cell(&x.b, x.a, 1, cell + n + 1) = VALUES;
	r = builder_reader(&x.b);
	s = builder_take(r, SM_SNAPSHOT_WRITERS);
	info = builder_find(s, series);
	assert_non_null(info);
	check_classic(s, info, bounds, nbounds, values);
	if (grid) {
		check_native(s, info, lo, hi, values, 512);
		check_native(s, info, lo, hi, values, 160);
		check_native(s, info, lo, hi, values, 20);
		check_native(s, info, lo, hi, values, 5);
	}
	sm_snapshot_free(s);
	sm_reader_close(r);
	builder_free(&x.b);
}

static void histogram__random_bounds_and_grids__as_counted_by_hand(void **state)
{
	int i, rounds = getenv("EMULATED") ? 5 : 40;

	seed = 42;
	for (i = 0; i < rounds; i++) {
		histogram_round(-20, 10, true);
		histogram_round(-7, 2 + i % 5, true);
		histogram_round(0, 30, true);
		histogram_round(-5, 5, false);
	}
}

static void native__too_few_buckets__einval(void **state)
{
	const struct sm_snapshot *s;
	struct sm_native n;
	struct sm_reader *r;
	struct fixture x;
	uint32_t series, cell;

	set_up(&x);
	series = builder_series(
		&x.b, builder_family(&x.b, SM_HISTOGRAM, "h", .grid_lo = -60, .grid_hi = 60), NULL);
	cell = builder_rec(&x.b, series)->cell[0];
	*builder_cell(&x.b, x.a, 1, cell + 1) = 1;
	*builder_cell(&x.b, x.a, 1, cell + 8 * 120) = 1;
	r = builder_reader(&x.b);
	s = builder_take(r, 0);
	assert_int_equal(sm_snapshot_native(s, builder_find(s, series), SM_ALL_WRITERS, 0, &n),
			 -EINVAL);
	assert_int_equal(sm_snapshot_native(s, builder_find(s, series), SM_ALL_WRITERS, 7, &n),
			 -EINVAL);
	assert_int_equal(sm_snapshot_native(s, builder_find(s, series), SM_ALL_WRITERS, 8, &n), 0);
	assert_int_equal(n.schema, -4);
	/* Never more than the struct holds, whatever is asked for. */
	assert_int_equal(sm_snapshot_native(s, builder_find(s, series), SM_ALL_WRITERS, 100000, &n),
			 0);
	assert_int_equal(n.schema, 2);
	assert_int_equal(n.ncounts, 480);
	sm_snapshot_free(s);
	sm_reader_close(r);
	builder_free(&x.b);
}

static void quantile__table__as_histogram_quantile(void **state)
{
	static const double bounds[] = { 1, 2, 4 };
	static const uint64_t counts[] = { 2, 4, 2, 2 };
	const struct sm_series_info *info;
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct fixture x;
	uint32_t series, empty, cell, f, i;

	set_up(&x);
	f = builder_family(&x.b, SM_HISTOGRAM, "h", .bounds = bounds, .nbounds = 3,
			   .labels = { "l" });
	series = builder_series(&x.b, f, "full", NULL);
	empty = builder_series(&x.b, f, "empty", NULL);
	cell = builder_rec(&x.b, series)->cell[0];
	for (i = 0; i < 4; i++)
		*builder_cell(&x.b, x.a, 1, cell + i) = counts[i];
	r = builder_reader(&x.b);
	s = builder_take(r, 0);
	info = builder_find(s, series);
	assert_true(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, 0) == 0);
	assert_true(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, 0.1) == 0.5);
	assert_true(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, 0.2) == 1);
	assert_true(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, 0.5) == 1.75);
	assert_true(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, 0.7) == 3);
	assert_true(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, 0.8) == 4);
	assert_true(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, 0.95) == 4);
	assert_true(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, 1) == 4);
	assert_true(isinf(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, 1.5)));
	assert_true(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, -1) < 0);
	assert_true(isnan(sm_snapshot_quantile(s, info, SM_ALL_WRITERS, (double)NAN)));
	assert_true(isnan(sm_snapshot_quantile(s, builder_find(s, empty), SM_ALL_WRITERS, 0.5)));
	sm_snapshot_free(s);
	sm_reader_close(r);
	builder_free(&x.b);
}

static void buckets__across_pages__per_writer_right(void **state)
{
	uint64_t counts[256], all[256];
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct fixture x;
	uint32_t series, cell, i;

	set_up(&x);
	x.b.h->cells_used[SM_ZONE_ADD] = 400;
	series = builder_series(
		&x.b, builder_family(&x.b, SM_HISTOGRAM, "h", .grid_lo = -20, .grid_hi = 10), NULL);
	cell = builder_rec(&x.b, series)->cell[0];
	assert_true(cell < 512 && cell + 243 > 512);
	for (i = 0; i < 242; i++)
		*builder_cell(&x.b, x.a, 1, cell + i) = i + 1;
	/* This writer has the second page only. */
	for (i = 512 - cell; i < 242; i++)
		*builder_cell(&x.b, x.c, 1, cell + i) = 1000;
	r = builder_reader(&x.b);
	s = builder_take(r, SM_SNAPSHOT_WRITERS);
	assert_int_equal(sm_snapshot_buckets(s, builder_find(s, series), 1, counts, NULL), 0);
	for (i = 0; i < 242; i++)
		assert_int_equal(counts[i], i + 1);
	assert_int_equal(sm_snapshot_buckets(s, builder_find(s, series), 2, counts, NULL), 0);
	assert_int_equal(sm_snapshot_buckets(s, builder_find(s, series), SM_ALL_WRITERS, all, NULL),
			 0);
	for (i = 0; i < 242; i++) {
		assert_int_equal(counts[i], i < 512 - cell ? 0 : 1000);
		assert_int_equal(all[i], counts[i] + i + 1);
	}
	assert_int_equal(sm_snapshot_buckets(s, builder_find(s, series), 0, counts, NULL), 0);
	for (i = 0; i < 242; i++)
		assert_int_equal(counts[i], 0);
	sm_snapshot_free(s);
	sm_reader_close(r);
	builder_free(&x.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counter__units_and_fixed__exact_integer),
		cmocka_unit_test(counter__per_writer__zero_if_held_else_absent),
		cmocka_unit_test(counts__whole_units__in_order),
		cmocka_unit_test(number__wrong_question__einval),
		cmocka_unit_test(gauge__modes__combine_live_writers),
		cmocka_unit_test(gauge__kept__dead_and_folded_count),
		cmocka_unit_test(gauge__zero_nan_and_unset__told_apart),
		cmocka_unit_test(gauge__all__per_writer_only),
		cmocka_unit_test(gauge__mostrecent__latest_whole_one),
		cmocka_unit_test(gauge__mostrecent_across_pages__whole),
		cmocka_unit_test(info_and_states__live_writers__shown),
		cmocka_unit_test(histogram__random_bounds_and_grids__as_counted_by_hand),
		cmocka_unit_test(native__too_few_buckets__einval),
		cmocka_unit_test(quantile__table__as_histogram_quantile),
		cmocka_unit_test(buckets__across_pages__per_writer_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
