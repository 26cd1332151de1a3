/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - one or several snapshots seen as one.
 *
 * Depends on <shardmeter_reader.h>. Mostly there is one. When a segment's file was removed or
 * replaced while programs still write to it, their counts are in two files of one name for a
 * while. The view adds counters and histograms, and combines gauges by their mode over the
 * writers of all files; where that cannot be done, the newest file wins.
 *
 *	struct view v;
 *	view_init(&v, snapshots, n);		// newest first
 *	for (f = 0; f < v.nfamilies; f++)
 *		for (s = 0; s < v.families[f].nseries; s++)
 *			view_number(&v, &v.families[f], &v.families[f].series[s], &value);
 *	view_release(&v);			// the snapshots stay
 *
 * A family of an older file with another definition (kind, labels, mode, states) cannot
 * be combined and is left out; v.conflicts counts those.
 * Thread: a view is immutable after view_init().
 */
#ifndef EXPORTER_VIEW_H
#define EXPORTER_VIEW_H

#include <shardmeter_reader.h>

#define VIEW_PARTS 4		/* files of one name at once */

struct view_series {
	const struct sm_series_info *part[VIEW_PARTS];	/* by snapshot; NULL: not there */
	const struct sm_series_info *info;		/* the newest of them */
};

struct view_family {
	const struct sm_family_info *part[VIEW_PARTS];
	const struct sm_family_info *info;
	size_t nseries;
	struct view_series *series;
};

struct view {
	size_t nparts;
	const struct sm_snapshot *part[VIEW_PARTS];	/* newest first */
	size_t nfamilies;
	struct view_family *families;			/* by name */
	unsigned conflicts;
	struct view_series *all_series;
};

/* view_init - 0 or -ENOMEM. n is 1 to VIEW_PARTS. The snapshots must outlive the view. */
int view_init(struct view *v, const struct sm_snapshot *const *snapshots, size_t n);
void view_release(struct view *v);

/* view_number - as sm_snapshot_number() with SM_ALL_WRITERS. */
int view_number(const struct view *v, const struct view_family *f, const struct view_series *s,
	struct sm_value *ret_value);

/* view_is_per_writer - is each writer's value a series of its own (gauges of mode `all`, state
 * sets)? view_each_writer() calls fn for each that has one and stops when fn returns non-zero,
 * which it returns. The snapshots need SM_SNAPSHOT_WRITERS. */
int view_is_per_writer(const struct view_family *f);
int view_each_writer(const struct view *v, const struct view_family *f, const struct view_series *s,
	int (*fn)(void *ctx, const struct sm_writer *writer, const struct sm_value *value),
	void *ctx);

/* view_buckets, view_classic - as sm_snapshot_buckets() and _classic(), for the newest family's
 * bounds. What an older file counted under a bound that the newest does not have is counted
 * under the next higher one. */
int view_buckets(const struct view *v, const struct view_family *f, const struct view_series *s,
	uint64_t *ret_counts, struct sm_sum *ret_sum);
int view_classic(const struct view *v, const struct view_family *f, const struct view_series *s,
	uint64_t *ret_cumulative, struct sm_sum *ret_sum);

/* view_number_of, view_buckets_of, view_classic_of - of one writer, given as its index in each part or
 * -1. For the last two NULL means all writers. The snapshots need SM_SNAPSHOT_WRITERS. */
int view_number_of(const struct view *v, const struct view_family *f, const struct view_series *s,
	const int *writer, struct sm_value *ret_value);
int view_buckets_of(const struct view *v, const struct view_family *f, const struct view_series *s,
	const int *writer, uint64_t *ret_counts, struct sm_sum *ret_sum);
int view_classic_of(const struct view *v, const struct view_family *f, const struct view_series *s,
	const int *writer, uint64_t *ret_cumulative, struct sm_sum *ret_sum);

/* view_created_real_ns - of the oldest part. */
uint64_t view_created_real_ns(const struct view_series *s);

#endif /* EXPORTER_VIEW_H */
