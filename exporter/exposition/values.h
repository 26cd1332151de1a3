/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.h - the families, series and values of one segment, whether it is in one file or in
 * several.
 *
 * Depends on view.h. Mostly it is one file, whose snapshot is asked directly; several are put
 * together by a view. Writers are those of all files, each name once.
 *
 *	struct values v;
 *	values_init(&v, &reading);
 *	for (f = 0; f < v.nfamilies; f++)
 *		for (s = 0; s < values_nseries(&v, f); s++)
 *			values_number(&v, f, s, VALUES_ALL, &number)
 *	values_release(&v);
 */
#ifndef EXPOSITION_VALUES_H
#define EXPOSITION_VALUES_H

#include <errno.h>

#include "exporter/source.h"

#define VALUES_ALL		SM_ALL_WRITERS
#define VALUES_BUCKETS_MAX	1025	/* united bounds and +Inf */

struct values_writer {
	const struct sm_writer *info;	/* of the newest file that has the name */
	int at[VIEW_PARTS];		/* index in that snapshot, or -1 */
};

struct values {
	size_t nparts;
	const struct sm_snapshot *const *part;
	struct view view;		/* with more than one part */
	size_t nfamilies;
	size_t nwriters;
	struct values_writer *writers;
};

/* values_init - 0 or -ENOMEM. The reading must outlive the values. */
int values_init(struct values *v, const struct source_reading *reading);
void values_release(struct values *v);

static inline const struct sm_family_info *values_family(const struct values *v, size_t f)
{
	return v->nparts == 1 ? &v->part[0]->families[f] : v->view.families[f].info;
}

static inline size_t values_nseries(const struct values *v, size_t f)
{
	return v->nparts == 1 ? v->part[0]->families[f].nseries : v->view.families[f].nseries;
}

static inline const struct sm_series_info *values_series(const struct values *v, size_t f, size_t s)
{
	return v->nparts == 1 ? &v->part[0]->families[f].series[s] :
		v->view.families[f].series[s].info;
}

/* Is each writer's value a series of its own, also when writers are added up? */
static inline int values_is_per_writer(const struct sm_family_info *f)
{
	return f->kind == SM_STATESET || (f->kind == SM_GAUGE && f->mode == SM_MODE_ALL);
}

/* values_counts - as sm_snapshot_counts(); -ENOTSUP also when there are several files. */
static inline int values_counts(const struct values *v, size_t f, uint64_t *ret_counts)
{
	return v->nparts == 1 ? sm_snapshot_counts(v->part[0], &v->part[0]->families[f],
		ret_counts) : -ENOTSUP;
}

/* values_number, values_buckets, values_classic - as the library's calls of these names; writer is an
 * index into v->writers or VALUES_ALL. */
int values_number(const struct values *v, size_t f, size_t s, int writer, struct sm_value *ret);
int values_buckets(const struct values *v, size_t f, size_t s, int writer, uint64_t *ret_counts,
	struct sm_sum *ret_sum);
int values_classic(const struct values *v, size_t f, size_t s, int writer,
	uint64_t *ret_cumulative, struct sm_sum *ret_sum);

/* values_exemplar - as sm_snapshot_exemplar(), of the newest file that has one. -ENOENT also for one that
 * is not inside of its bucket: it could not be shown. */
int values_exemplar(const struct values *v, size_t f, size_t s, unsigned bucket,
	struct sm_exemplar *ret_exemplar);

/* values_created_ns - since 1970; 0 if that is not known. */
uint64_t values_created_ns(const struct values *v, size_t f, size_t s);

#endif /* EXPOSITION_VALUES_H */
