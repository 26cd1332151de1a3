/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.c - from the cells of a snapshot to values: counters, gauges by mode, buckets, classic and
 * native views, quantiles. Pure arithmetic on immutable memory.
 *
 * Every view of a histogram is made of the same cells, one per united bound: the classic one by
 * adding up to each `le`, the native one by adding what lies between two grid bounds. No view
 * rounds anything.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bounds.h"
#include "format.h"
#include "snapshot.h"

static double to_double(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static const uint64_t power10[10] = { 1,      10,      100,	 1000,	    10000,
				      100000, 1000000, 10000000, 100000000, 1000000000 };

/* The family of a series of this snapshot, or NULL. */
static const struct sm_family_info *family_of(const struct snap_data *d,
					      const struct sm_series_info *s)
{
	const struct sm_family_info *f;

	if (s->family >= d->catalog->nfamilies)
		return NULL;
	f = &d->catalog->families[s->family];
	return s >= f->series && s < f->series + f->nseries ? f : NULL;
}

static bool writer_ok(const struct snap_data *d, int writer)
{
	return writer == SM_ALL_WRITERS || (writer >= 0 && (size_t)writer < d->pub.nwriters);
}

static bool holds(const struct snap_writer *w, uint32_t series)
{
	return w->holds && w->holds[series / 64] >> (series % 64) & 1;
}

/* Where a cell of a zone is counted from. */
static uint32_t in_zone(const struct snap_data *d, unsigned zone, uint32_t cell)
{
	return cell - d->zone_first[zone];
}

/* ---- counters ------------------------------------------------------------------------------ */

static void number_of_units(struct sm_value *v, sm_u128 units, unsigned decimals)
{
	v->is_set = 1;
	v->decimals = decimals;
	v->is_integer = (units >> 64) == 0;
	v->units = v->is_integer ? (uint64_t)units : 0;
	v->value = sm_units_value(units, decimals);
}

static void counter_value(const struct snap_data *d, const struct sm_family_info *f,
			  const struct sm_series_info *s, int writer, struct sm_value *v)
{
	const struct column *c =
		writer < 0 ? &d->total[SM_ZONE_ADD] : &d->more[writer].zone[SM_ZONE_ADD];
	uint64_t part[3] = { 0 };
	unsigned i;

	for (i = 0; i < 3; i++)
		if (s->cell[i])
			part[i] = column_get(c, in_zone(d, SM_ZONE_ADD, s->cell[i]));
	if (writer >= 0 && !part[0] && !part[1] && !part[2] && !holds(&d->more[writer], s->id))
		return;
	if (part[SM_CELL_FIXED])
		number_of_units(
			v, (sm_u128)part[SM_CELL_U64] * power10[f->decimals] + part[SM_CELL_FIXED],
			f->decimals);
	else
		number_of_units(v, part[SM_CELL_U64], 0);
	if (part[SM_CELL_DOUBLE]) {
		v->is_integer = 0;
		v->units = 0;
		v->value += to_double(part[SM_CELL_DOUBLE]);
	}
}

/* ---- gauges -------------------------------------------------------------------------------- */

static void number_of_double(struct sm_value *v, double value)
{
	v->is_set = 1;
	v->value = value;
}

/* Do a writer's set gauges of this family count? */
static bool gauges_count(const struct snap_writer *w, const struct sm_family_info *f)
{
	return w->live || (f->flags & SM_FAMILY_KEEP);
}

/* A set gauge's cell in one column: false if it was never set. */
static bool gauge_read(const struct column *c, uint32_t cell, bool recent, double *ret,
		       uint64_t *ret_at)
{
	uint64_t bits = column_get(c, recent ? cell + SM_RECENT_VALUE : cell);

	if (!bits)
		return false;
	*ret = to_double(bits ^ SM_UNSET);
	*ret_at = recent ? column_get(c, cell + SM_RECENT_TIME) : 0;
	return true;
}

/* Put one more set value into the combination; n of them are in it. */
static void combine(enum sm_gauge_mode mode, struct sm_value *v, unsigned n, double value,
		    uint64_t at)
{
	switch (mode) {
	case SM_MODE_SUM:
	case SM_MODE_AVG:	/* divided at the end */
		v->value = n ? v->value + value : value;
		return;
	case SM_MODE_MIN:	/* a NaN gives way to any number */
		v->value = n ? fmin(v->value, value) : value;
		return;
	case SM_MODE_MAX:
		v->value = n ? fmax(v->value, value) : value;
		return;
	default:
		if (!n || at > v->at_boot_ns) {
			v->value = value;
			v->at_boot_ns = at;
		}
	}
}

static void gauge_total(const struct snap_data *d, const struct sm_family_info *f, uint32_t cell,
			struct sm_value *v)
{
	bool recent = f->mode == SM_MODE_MOSTRECENT;
	uint64_t at, first = UINT64_MAX;
	unsigned n = 0;
	double value;
	size_t i;

	if (f->mode == SM_MODE_ALL)
		return;
	/* Folded writers are older than all that are left, so for `first` theirs is the value. */
	if ((f->flags & SM_FAMILY_KEEP) &&
	    gauge_read(&d->total[SM_ZONE_SET], cell, recent, &value, &at)) {
		combine(f->mode, v, n++, value, at);
		first = 0;
	}
	for (i = 0; i < d->pub.nwriters; i++) {
		if (!gauges_count(&d->more[i], f) ||
		    !gauge_read(&d->more[i].zone[SM_ZONE_SET], cell, recent, &value, &at))
			continue;
		if (f->mode != SM_MODE_FIRST) {
			combine(f->mode, v, n++, value, at);
		} else if (!n || d->writers[i].start_boot_ns < first) {
			first = d->writers[i].start_boot_ns;
			v->value = value;
			n++;
		}
	}
	v->is_set = n > 0;
	if (f->mode == SM_MODE_AVG && n)
		v->value /= n;
}

static void gauge_value(const struct snap_data *d, const struct sm_family_info *f,
			const struct sm_series_info *s, int writer, struct sm_value *v)
{
	uint32_t cell = in_zone(d, SM_ZONE_SET, s->cell[SM_CELL_GAUGE]);
	double value;
	uint64_t at;

	if (writer < 0) {
		gauge_total(d, f, cell, v);
	} else if (gauges_count(&d->more[writer], f) &&
		   gauge_read(&d->more[writer].zone[SM_ZONE_SET], cell,
			      f->mode == SM_MODE_MOSTRECENT, &value, &at)) {
		number_of_double(v, value);
		v->at_boot_ns = at;
	}
}

/*
 * Does this writer have a part in an up-down gauge, be it 0? Its hold bit says so. The common
 * writer has none: there the page of the cell must do.
 */
static bool updown_has(const struct snap_writer *w, uint32_t series, uint32_t cell)
{
	uint32_t run;

	if (!w->live)
		return false;
	return w->common ? column_at(&w->zone[SM_ZONE_LIVE], cell, &run) != NULL : holds(w, series);
}

static void updown_value(const struct snap_data *d, const struct sm_series_info *s, int writer,
			 struct sm_value *v)
{
	uint32_t cell = in_zone(d, SM_ZONE_LIVE, s->cell[SM_CELL_GAUGE]);
	size_t i, first = writer < 0 ? 0 : (size_t)writer,
		  end = writer < 0 ? d->pub.nwriters : first + 1;
	uint64_t units = column_get(
		writer < 0 ? &d->total[SM_ZONE_LIVE] : &d->more[writer].zone[SM_ZONE_LIVE], cell);

	v->is_set = units != 0;
	for (i = first; i < end && !v->is_set; i++)
		v->is_set = updown_has(&d->more[i], s->id, cell);
	if (!v->is_set)
		return;
	v->is_integer = 1;
	v->is_signed = 1;
	v->units = units;
	v->value = (double)(int64_t)units;
}

/* Info: 1 wherever a live writer says so. State set: the number of the state, per writer. */
static void constant_value(const struct snap_data *d, const struct sm_family_info *f,
			   const struct sm_series_info *s, int writer, struct sm_value *v)
{
	uint32_t cell = in_zone(d, SM_ZONE_SET, s->cell[SM_CELL_GAUGE]);
	size_t i, first = writer < 0 ? 0 : (size_t)writer,
		  end = writer < 0 ? d->pub.nwriters : first + 1;
	uint64_t have;

	if (f->kind == SM_STATESET && writer < 0)
		return;
	for (i = first; i < end && !v->is_set; i++) {
		have = d->more[i].live ? column_get(&d->more[i].zone[SM_ZONE_SET], cell) : 0;
		if (!have || (f->kind == SM_STATESET && have > f->nstates))
			continue;
		number_of_units(v, f->kind == SM_STATESET ? have - 1 : 1, 0);
	}
}

int sm_snap_number(const struct snap_data *d, const struct sm_series_info *series, int writer,
		    struct sm_value *ret_value)
{
	const struct sm_family_info *f = family_of(d, series);
	struct sm_value v;

	if (!f || f->kind == SM_HISTOGRAM || !writer_ok(d, writer))
		return -EINVAL;
	if (writer >= 0 && !d->per_writer && (f->kind == SM_COUNTER || f->kind == SM_UPDOWN))
		return -EINVAL;
	memset(&v, 0, sizeof(v));
	if (f->kind == SM_COUNTER)
		counter_value(d, f, series, writer, &v);
	else if (f->kind == SM_GAUGE)
		gauge_value(d, f, series, writer, &v);
	else if (f->kind == SM_UPDOWN)
		updown_value(d, series, writer, &v);
	else
		constant_value(d, f, series, writer, &v);
	*ret_value = v;
	return 0;
}

int sm_snapshot_number(const struct sm_snapshot *s, const struct sm_series_info *series, int writer,
		       struct sm_value *ret_value)
{
	return sm_snap_number(snapshot_data(s), series, writer, ret_value);
}

int sm_snapshot_counts(const struct sm_snapshot *s, const struct sm_family_info *f,
		       uint64_t *ret_counts)
{
	const struct snap_data *d = snapshot_data(s);
	const uint64_t *total = d->total[SM_ZONE_ADD].v;
	const uint32_t *cells;
	size_t i;

	if (f < d->catalog->families || f >= d->catalog->families + d->catalog->nfamilies ||
	    f->kind != SM_COUNTER)
		return -EINVAL;
	cells = d->catalog->more[f - d->catalog->families].whole;
	if (!cells)
		return -ENOTSUP;
	for (i = 0; i < f->nseries; i++)
		ret_counts[i] = cells[i] ? total[cells[i]] : 0;
	return 0;
}

/* ---- histograms ---------------------------------------------------------------------------- */

static void read_sum(const struct column *c, const struct sm_family_info *f,
		     const struct family_more *more, uint32_t cell, struct sm_sum *sum)
{
	uint64_t low = column_get(c, cell);

	memset(sum, 0, sizeof(*sum));
	if (f->flags & SM_FAMILY_SUM_DOUBLE) {
		sum->value = to_double(low);
		return;
	}
	sum->decimals = f->sum_decimals;
	sum->units = ((sm_u128)(__int128)column_carry(c, cell) << 64) + low;
	/* Negative sums have no place in units: then only the double is right. */
	if (more->sum_signed && (__int128)sum->units < 0) {
		sum->value = -sm_units_value(-sum->units, f->sum_decimals);
		sum->units = 0;
		return;
	}
	sum->is_integer = 1;
	sum->value = sm_units_value(sum->units, f->sum_decimals);
}

int sm_snapshot_buckets(const struct sm_snapshot *s, const struct sm_series_info *series,
			int writer, uint64_t *ret_counts, struct sm_sum *ret_sum)
{
	const struct snap_data *d = snapshot_data(s);
	const struct sm_family_info *f = family_of(d, series);
	const struct family_more *more;
	const struct column *c;
	const uint64_t *from;
	uint32_t cell, done = 0, run;

	if (!f || f->kind != SM_HISTOGRAM || !writer_ok(d, writer) ||
	    (writer != SM_ALL_WRITERS && !d->per_writer))
		return -EINVAL;
	more = &d->catalog->more[series->family];
	c = writer < 0 ? &d->total[SM_ZONE_ADD] : &d->more[writer].zone[SM_ZONE_ADD];
	cell = in_zone(d, SM_ZONE_ADD, series->cell[SM_CELL_BUCKETS]);
	/* A column's cells lie together page by page. */
	while (done < more->nbuckets) {
		from = column_at(c, cell + done, &run);
		run = run < more->nbuckets - done ? run : more->nbuckets - done;
		if (from)
			memcpy(ret_counts + done, from, run * sizeof(*from));
		else
			memset(ret_counts + done, 0, run * sizeof(*from));
		done += run;
	}
	if (ret_sum)
		read_sum(c, f, more, cell + more->nbuckets, ret_sum);
	return 0;
}

int sm_snapshot_classic(const struct sm_snapshot *s, const struct sm_series_info *series,
			int writer, uint64_t *ret_cumulative, struct sm_sum *ret_sum)
{
	const struct snap_data *d = snapshot_data(s);
	uint64_t counts[SM_MAX_BUCKETS], total = 0;
	const struct family_more *more;
	unsigned i = 0, b, nbounds;
	int rc = sm_snapshot_buckets(s, series, writer, counts, ret_sum);

	if (rc)
		return rc;
	more = &d->catalog->more[series->family];
	nbounds = d->catalog->families[series->family].nbounds;
	for (b = 0; b < nbounds; b++) {
		for (; i <= more->classic_at[b]; i++)
			total += counts[i];
		ret_cumulative[b] = total;
	}
	for (; i < more->nbuckets; i++)
		total += counts[i];
	ret_cumulative[nbounds] = total;
	return 0;
}

#define NATIVE_SCHEMA_MIN (-4)

/* Halve the resolution: buckets 2i-1 and 2i become bucket i. */
static void native_merge(uint64_t *counts, int *first, unsigned *n)
{
	int begin = (*first + 1) >> 1, end = (*first + (int)*n) >> 1, i, at;
	unsigned j;

	/* Upwards, each target at or before its sources. */
	for (j = 0, at = begin; at <= end; at++) {
		uint64_t sum = 0;

		for (i = 2 * at - 1; i <= 2 * at; i++)
			if (i >= *first && i < *first + (int)*n)
				sum += counts[i - *first];
		counts[j++] = sum;
	}
	*first = begin;
	*n = j;
}

int sm_native_from_buckets(const struct sm_family_info *f, const uint64_t *counts,
			   const struct sm_sum *sum, unsigned max_buckets,
			   struct sm_native *ret_native)
{
	uint64_t grid[SM_MAX_BUCKETS];
	unsigned i = 0, n = 0, skip;
	struct sm_native out;
	int k, first;

	if (f->kind != SM_HISTOGRAM || !max_buckets)
		return -EINVAL;
	if (!(f->flags & SM_FAMILY_FINE_GRID))
		return -ENOENT;
	memset(&out, 0, sizeof(out));
	out.sum = *sum;
	if (max_buckets > SM_NATIVE_BUCKETS_MAX)
		max_buckets = SM_NATIVE_BUCKETS_MAX;
	out.schema = SM_GRID_SCHEMA;
	out.zero_threshold = sm_grid_bound(8 * f->grid_lo);
	for (; i < f->nunited && f->united[i] <= out.zero_threshold; i++)
		out.zero_count += counts[i];
	first = 8 * f->grid_lo + 1;
	for (k = first; k <= 8 * f->grid_hi; k++) {
		double bound = sm_grid_bound(k);

		grid[n] = 0;
		for (; i < f->nunited && f->united[i] <= bound; i++)
			grid[n] += counts[i];
		n++;
	}
	for (; i <= f->nunited; i++)
		out.above += counts[i];
	out.count = out.zero_count + out.above;
	for (i = 0; i < n; i++)
		out.count += grid[i];
	for (;;) {
		while (n && !grid[n - 1])
			n--;
		for (skip = 0; skip < n && !grid[skip]; skip++)
			;
		memmove(grid, grid + skip, (n - skip) * sizeof(*grid));
		n -= skip;
		first += (int)skip;
		if (n <= max_buckets || out.schema == NATIVE_SCHEMA_MIN)
			break;
		native_merge(grid, &first, &n);
		out.schema--;
	}
	if (n > max_buckets)
		return -EINVAL;		/* fewer than the coarsest schema needs */
	out.first_index = n ? first : 0;
	out.ncounts = n;
	memcpy(out.counts, grid, n * sizeof(*grid));
	*ret_native = out;
	return 0;
}

int sm_snapshot_native(const struct sm_snapshot *s, const struct sm_series_info *series, int writer,
		       unsigned max_buckets, struct sm_native *ret_native)
{
	const struct sm_family_info *f = family_of(snapshot_data(s), series);
	uint64_t counts[SM_MAX_BUCKETS];
	struct sm_sum sum;
	int rc;

	if (f && f->kind == SM_HISTOGRAM && !(f->flags & SM_FAMILY_FINE_GRID))
		return -ENOENT;
	rc = sm_snapshot_buckets(s, series, writer, counts, &sum);
	return rc ? rc : sm_native_from_buckets(f, counts, &sum, max_buckets, ret_native);
}

double sm_snapshot_quantile(const struct sm_snapshot *s, const struct sm_series_info *series,
			    int writer, double q)
{
	const struct snap_data *d = snapshot_data(s);
	uint64_t counts[SM_MAX_BUCKETS] = { 0 }, total = 0, below = 0;
	const struct sm_family_info *f;
	double rank, start;
	unsigned i;

	if (sm_snapshot_buckets(s, series, writer, counts, NULL) || isnan(q))
		return NAN;
	f = &d->catalog->families[series->family];
	for (i = 0; i <= f->nunited; i++)
		total += counts[i];
	if (!total || !f->nunited)
		return NAN;
	if (q < 0 || q > 1)
		return q < 0 ? -INFINITY : INFINITY;
	rank = q * (double)total;
	/* The first bucket that reaches the rank. An empty one holds no quantile, not even 0. */
	for (i = 0; i < f->nunited; i++) {
		if (counts[i] && (double)(below + counts[i]) >= rank)
			break;
		below += counts[i];
	}
	if (i == f->nunited)
		return f->united[i - 1]; /* above all bounds: the last is all that is known */
	if (i == 0 && f->united[0] <= 0)
		return f->united[0];
	start = i ? f->united[i - 1] : 0;
	return start + (f->united[i] - start) * ((rank - (double)below) / (double)counts[i]);
}
