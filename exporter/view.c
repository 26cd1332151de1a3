/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - combine the snapshots of several files of one segment; see view.h.
 *
 * Families are merged by name, series by label values: both lists are sorted and walked side by
 * side. With one snapshot every function hands over to the library.
 */
#include "exporter/view.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MAX 1025	/* united bounds and +Inf */

/* ---- building ------------------------------------------------------------------------------- */

static int same_texts(const char *const *a, const char *const *b, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (strcmp(a[i], b[i]) != 0)
			return 0;
	return 1;
}

/* May the values of two families of one name be combined? Bounds may differ. */
static int same_definition(const struct sm_family_info *a, const struct sm_family_info *b)
{
	return a->kind == b->kind && a->mode == b->mode && a->nlabels == b->nlabels &&
		a->nstates == b->nstates && same_texts(a->labels, b->labels, a->nlabels) &&
		same_texts(a->states, b->states, a->nstates) &&
		a->nunited < BUCKETS_MAX && b->nunited < BUCKETS_MAX;
}

static int compare_values(const struct sm_series_info *a, const struct sm_series_info *b,
	unsigned n)
{
	unsigned i;
	size_t len;
	int order;

	for (i = 0; i < n; i++) {
		len = a->values[i].len < b->values[i].len ? a->values[i].len : b->values[i].len;
		order = len ? memcmp(a->values[i].ptr, b->values[i].ptr, len) : 0;
		if (order)
			return order;
		if (a->values[i].len != b->values[i].len)
			return a->values[i].len < b->values[i].len ? -1 : 1;
	}
	return 0;
}

/* A series of one part, while the parts of a family are put together. */
struct loose {
	const struct sm_series_info *info;
	unsigned part;
	unsigned nlabels;
};

static int compare_loose(const void *a, const void *b)
{
	const struct loose *x = a, *y = b;
	int order = compare_values(x->info, y->info, x->nlabels);

	return order ? order : x->part < y->part ? -1 : x->part > y->part;
}

/* By newest part, there in the order of registration. */
static int compare_joined(const void *a, const void *b)
{
	const struct view_series *x = a, *y = b;
	unsigned p = 0;

	while (!x->part[p] && !y->part[p])
		p++;
	if (!x->part[p] || !y->part[p])
		return x->part[p] ? -1 : 1;
	return x->part[p] < y->part[p] ? -1 : x->part[p] > y->part[p];
}

/* Series of the newest part in their order, then those that only older parts have. */
static int join_series(struct view *v, struct view_family *f, struct view_series *to)
{
	struct loose *all;
	size_t n = 0, i, j;
	unsigned p;

	for (p = 0; p < v->nparts; p++)
		n += f->part[p] ? f->part[p]->nseries : 0;
	all = malloc(n ? n * sizeof(*all) : 1);
	if (!all)
		return -ENOMEM;
	n = 0;
	for (p = 0; p < v->nparts; p++)
		for (i = 0; f->part[p] && i < f->part[p]->nseries; i++)
			all[n++] = (struct loose){ &f->part[p]->series[i], p, f->info->nlabels };
	qsort(all, n, sizeof(*all), compare_loose);
	f->series = to;
	f->nseries = 0;
	for (i = 0; i < n; i = j) {
		struct view_series *s = &to[f->nseries++];

		*s = (struct view_series){ .info = all[i].info };
		for (j = i; j < n &&
		     compare_values(all[i].info, all[j].info, all[i].nlabels) == 0; j++)
			s->part[all[j].part] = all[j].info;
	}
	qsort(to, f->nseries, sizeof(*to), compare_joined);
	free(all);
	return 0;
}

static void single_series(struct view_family *f, struct view_series *to)
{
	size_t i;

	f->series = to;
	f->nseries = f->info->nseries;
	for (i = 0; i < f->nseries; i++)
		to[i] = (struct view_series){ .part = { &f->info->series[i] },
			.info = &f->info->series[i] };
}

/* The next family by name over all parts; *at are the positions in each part's sorted list. */
static int next_family(struct view *v, size_t *at, struct view_family *ret_family)
{
	const struct sm_family_info *candidate;
	struct view_family f = { 0 };
	unsigned p;

	for (p = 0; p < v->nparts; p++) {
		if (at[p] == v->part[p]->nfamilies)
			continue;
		candidate = &v->part[p]->families[at[p]];
		if (!f.info || strcmp(candidate->name, f.info->name) < 0)
			f.info = candidate;
	}
	if (!f.info)
		return 0;
	for (p = 0; p < v->nparts; p++) {
		if (at[p] == v->part[p]->nfamilies)
			continue;
		candidate = &v->part[p]->families[at[p]];
		if (strcmp(candidate->name, f.info->name) != 0)
			continue;
		at[p]++;
		if (same_definition(candidate, f.info))
			f.part[p] = candidate;
		else
			v->conflicts++;
	}
	*ret_family = f;
	return 1;
}

int view_init(struct view *v, const struct sm_snapshot *const *snapshots, size_t n)
{
	size_t at[VIEW_PARTS] = { 0 }, families = 0, series = 0, used = 0, i, j;
	struct view_family *f;
	int rc = 0;

	memset(v, 0, sizeof(*v));
	if (n < 1 || n > VIEW_PARTS)
		return -EINVAL;
	v->nparts = n;
	for (i = 0; i < n; i++) {
		v->part[i] = snapshots[i];
		families += snapshots[i]->nfamilies;
		for (j = 0; j < snapshots[i]->nfamilies; j++)
			series += snapshots[i]->families[j].nseries;
	}
	v->families = calloc(families + 1, sizeof(*v->families));
	v->all_series = malloc((series + 1) * sizeof(*v->all_series));
	if (!v->families || !v->all_series)
		rc = -ENOMEM;
	while (rc == 0 && next_family(v, at, &v->families[v->nfamilies])) {
		f = &v->families[v->nfamilies++];
		if (n == 1)
			single_series(f, v->all_series + used);
		else
			rc = join_series(v, f, v->all_series + used);
		used += f->nseries;
	}
	if (rc < 0)
		view_release(v);
	return rc;
}

void view_release(struct view *v)
{
	free(v->families);
	free(v->all_series);
	memset(v, 0, sizeof(*v));
}

/* ---- exact numbers -------------------------------------------------------------------------- */

static sm_u128 power_of_ten(unsigned n)
{
	sm_u128 v = 1;

	while (n--)
		v *= 10;
	return v;
}

/* a += b as units of the finer of both; 0 when that does not fit. */
static int add_units(sm_u128 *a, unsigned *a_decimals, sm_u128 b, unsigned b_decimals)
{
	unsigned finer = *a_decimals > b_decimals ? *a_decimals : b_decimals;
	sm_u128 x, y, sum;

	if (finer > 18 || __builtin_mul_overflow(*a, power_of_ten(finer - *a_decimals), &x) ||
	    __builtin_mul_overflow(b, power_of_ten(finer - b_decimals), &y) ||
	    __builtin_add_overflow(x, y, &sum))
		return 0;
	*a = sum;
	*a_decimals = finer;
	return 1;
}

static void add_value(struct sm_value *a, const struct sm_value *b)
{
	sm_u128 units = a->units;
	unsigned decimals = a->decimals;
	int exact = a->is_integer && b->is_integer && a->is_signed == b->is_signed;

	a->value += b->value;
	if (exact && a->is_signed && a->decimals == b->decimals) {
		a->units += b->units;
	} else if (exact && !a->is_signed && add_units(&units, &decimals, b->units, b->decimals) &&
		   units <= UINT64_MAX) {
		a->units = (uint64_t)units;
		a->decimals = decimals;
	} else {
		a->is_integer = 0;
	}
}

static void add_sum(struct sm_sum *a, const struct sm_sum *b)
{
	a->value += b->value;
	if (!a->is_integer || !b->is_integer ||
	    !add_units(&a->units, &a->decimals, b->units, b->decimals))
		a->is_integer = 0;
}

/* ---- combining ------------------------------------------------------------------------------ */

/* A gauge over the writers of all parts. */
struct gauge {
	enum sm_gauge_mode mode;
	uint64_t n;
	uint64_t since_boot_ns;		/* of the writer whose value is `all` */
	struct sm_value all;
};

static int add_writer(void *ctx, const struct sm_writer *writer, const struct sm_value *value)
{
	struct gauge *g = ctx;
	int takes = 0;

	switch (g->mode) {
	case SM_MODE_SUM:
	case SM_MODE_AVG:
		g->all.value += value->value;
		break;
	case SM_MODE_MIN:
		/* As in the library, a NaN gives way to any number. */
		takes = value->value < g->all.value || isnan(g->all.value);
		break;
	case SM_MODE_MAX:
		takes = value->value > g->all.value || isnan(g->all.value);
		break;
	case SM_MODE_MOSTRECENT:
		takes = value->at_boot_ns > g->all.at_boot_ns;
		break;
	case SM_MODE_FIRST:
		takes = writer->start_boot_ns < g->since_boot_ns;
		break;
	case SM_MODE_ALL:
		break;
	}
	if (takes || g->n == 0) {
		g->all = *value;
		g->since_boot_ns = writer->start_boot_ns;
	}
	g->n++;
	return 0;
}

static int combine_gauge(const struct view *v, const struct view_family *f,
	const struct view_series *s, struct sm_value *ret_value)
{
	struct gauge g = { .mode = f->info->mode };
	int rc = view_each_writer(v, f, s, add_writer, &g);

	if (rc < 0)
		return rc;
	g.all.is_integer = 0;
	if (g.n && g.mode == SM_MODE_AVG)
		g.all.value /= (double)g.n;
	*ret_value = g.all;
	return 0;
}

/* What older parts add to the newest one's value: counters, up-down gauges, info, and gauges that
 * outlive their writers. */
static void combine(const struct view_family *f, struct sm_value *a, const struct sm_value *b)
{
	int takes = 0;

	if (!a->is_set) {
		*a = *b;
	} else if (f->info->kind == SM_GAUGE && f->info->mode != SM_MODE_SUM) {
		takes = f->info->mode == SM_MODE_MIN ? b->value < a->value :
			f->info->mode == SM_MODE_MAX ? b->value > a->value :
			f->info->mode == SM_MODE_MOSTRECENT ? b->at_boot_ns > a->at_boot_ns : 0;
		if (takes)
			*a = *b;
	} else if (f->info->kind != SM_INFO) {
		add_value(a, b);
	}
}

int view_number(const struct view *v, const struct view_family *f, const struct view_series *s,
	struct sm_value *ret_value)
{
	struct sm_value all = { 0 }, value;
	unsigned p;
	int rc;

	if (v->nparts == 1)
		return sm_snapshot_number(v->part[0], s->part[0], SM_ALL_WRITERS, ret_value);
	if (f->info->kind == SM_GAUGE && !(f->info->flags & SM_FAMILY_KEEP))
		return combine_gauge(v, f, s, ret_value);
	for (p = 0; p < v->nparts; p++) {
		if (!s->part[p])
			continue;
		rc = sm_snapshot_number(v->part[p], s->part[p], SM_ALL_WRITERS, &value);
		if (rc < 0)
			return rc;
		if (value.is_set)
			combine(f, &all, &value);
	}
	*ret_value = all;
	return 0;
}

int view_is_per_writer(const struct view_family *f)
{
	return f->info->kind == SM_STATESET ||
		(f->info->kind == SM_GAUGE && f->info->mode == SM_MODE_ALL);
}

/* Is a writer of this name in a newer part? */
static int moved_on(const struct view *v, unsigned part, const struct sm_writer *writer)
{
	unsigned p;
	size_t w;

	for (p = 0; p < part; p++)
		for (w = 0; w < v->part[p]->nwriters; w++)
			if (strcmp(v->part[p]->writers[w].name, writer->name) == 0)
				return 1;
	return 0;
}

int view_each_writer(const struct view *v, const struct view_family *f, const struct view_series *s,
	int (*fn)(void *ctx, const struct sm_writer *writer, const struct sm_value *value),
	void *ctx)
{
	const struct sm_writer *writer;
	struct sm_value value;
	unsigned p;
	size_t w;
	int rc;

	(void)f;
	for (p = 0; p < v->nparts; p++) {
		for (w = 0; s->part[p] && w < v->part[p]->nwriters; w++) {
			writer = &v->part[p]->writers[w];
			rc = sm_snapshot_number(v->part[p], s->part[p], (int)w, &value);
			if (rc == 0 && value.is_set && !moved_on(v, p, writer))
				rc = fn(ctx, writer, &value);
			if (rc)
				return rc;
		}
	}
	return 0;
}

/* A writer's index in a part; NULL is all of them. */
static int in_part(const int *writer, unsigned part)
{
	return writer ? writer[part] : SM_ALL_WRITERS;
}

/* Its counts are added, its gauges, states and infos are those of the newest part. */
int view_number_of(const struct view *v, const struct view_family *f, const struct view_series *s,
	const int *writer, struct sm_value *ret_value)
{
	int adds = f->info->kind == SM_COUNTER || f->info->kind == SM_UPDOWN, rc = 0;
	struct sm_value all = { 0 }, value = { 0 };
	unsigned p;

	for (p = 0; p < v->nparts; p++) {
		if (writer[p] < 0)
			continue;
		value.is_set = 0;
		if (s->part[p])
			rc = sm_snapshot_number(v->part[p], s->part[p], writer[p], &value);
		if (rc < 0)
			return rc;
		if (value.is_set)
			combine(f, &all, &value);
		if (!adds)
			break;
	}
	*ret_value = all;
	return 0;
}

/* Add the counts of an older part to those of the newest: each bucket to the first one that
 * reaches at least as far. */
static void add_buckets(const struct sm_family_info *to, uint64_t *counts,
	const struct sm_family_info *from, const uint64_t *more)
{
	unsigned i, j = 0;

	for (i = 0; i <= from->nunited; i++) {
		while (j < to->nunited && (i == from->nunited || to->united[j] < from->united[i]))
			j++;
		counts[j] += more[i];
	}
}

int view_buckets_of(const struct view *v, const struct view_family *f, const struct view_series *s,
	const int *writer, uint64_t *ret_counts, struct sm_sum *ret_sum)
{
	uint64_t more[BUCKETS_MAX];
	struct sm_sum sum, all = { .is_integer = 1 };
	unsigned p, parts = 0;
	int rc;

	if (v->nparts == 1)
		return sm_snapshot_buckets(v->part[0], s->part[0], in_part(writer, 0), ret_counts,
			ret_sum);
	memset(ret_counts, 0, (f->info->nunited + 1) * sizeof(*ret_counts));
	for (p = 0; p < v->nparts; p++) {
		if (!s->part[p] || (writer && writer[p] < 0))
			continue;
		rc = sm_snapshot_buckets(v->part[p], s->part[p], in_part(writer, p), more, &sum);
		if (rc < 0)
			return rc;
		add_buckets(f->info, ret_counts, f->part[p], more);
		if (parts++)
			add_sum(&all, &sum);
		else
			all = sum;
	}
	*ret_sum = all;
	return 0;
}

int view_buckets(const struct view *v, const struct view_family *f, const struct view_series *s,
	uint64_t *ret_counts, struct sm_sum *ret_sum)
{
	return view_buckets_of(v, f, s, NULL, ret_counts, ret_sum);
}

int view_classic_of(const struct view *v, const struct view_family *f, const struct view_series *s,
	const int *writer, uint64_t *ret_cumulative, struct sm_sum *ret_sum)
{
	const struct sm_family_info *info = f->info;
	uint64_t counts[BUCKETS_MAX], so_far = 0;
	unsigned i, j = 0;
	int rc;

	if (v->nparts == 1)
		return sm_snapshot_classic(v->part[0], s->part[0], in_part(writer, 0),
			ret_cumulative, ret_sum);
	rc = view_buckets_of(v, f, s, writer, counts, ret_sum);
	if (rc < 0)
		return rc;
	/* Every classic bound is a united one. */
	for (i = 0; i <= info->nunited; i++) {
		so_far += counts[i];
		if (i < info->nunited && j < info->nbounds && info->bounds[j] == info->united[i])
			ret_cumulative[j++] = so_far;
	}
	while (j <= info->nbounds)
		ret_cumulative[j++] = so_far;
	return 0;
}

int view_classic(const struct view *v, const struct view_family *f, const struct view_series *s,
	uint64_t *ret_cumulative, struct sm_sum *ret_sum)
{
	return view_classic_of(v, f, s, NULL, ret_cumulative, ret_sum);
}

uint64_t view_created_real_ns(const struct view_series *s)
{
	uint64_t created = 0;
	unsigned p;

	for (p = 0; p < VIEW_PARTS; p++)
		if (s->part[p] && (!created || s->part[p]->created_real_ns < created))
			created = s->part[p]->created_real_ns;
	return created;
}
