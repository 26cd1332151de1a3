/* SPDX-License-Identifier: Apache-2.0 */
/* values.c - see values.h. */
#include "exporter/exposition/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct values_writer *find_writer(struct values *v, const char *name)
{
	size_t w;

	for (w = 0; w < v->nwriters; w++)
		if (strcmp(v->writers[w].info->name, name) == 0)
			return &v->writers[w];
	return NULL;
}

/* Writers of the newest file first, then those that only older ones have. */
static int list_writers(struct values *v)
{
	struct values_writer *w;
	size_t p, i, n = 0;

	for (p = 0; p < v->nparts; p++)
		n += v->part[p]->nwriters;
	v->writers = malloc((n + 1) * sizeof(*v->writers));
	if (!v->writers)
		return -ENOMEM;
	for (p = 0; p < v->nparts; p++) {
		for (i = 0; i < v->part[p]->nwriters; i++) {
			w = p ? find_writer(v, v->part[p]->writers[i].name) : NULL;
			if (!w) {
				w = &v->writers[v->nwriters++];
				memset(w->at, -1, sizeof(w->at));
				w->info = &v->part[p]->writers[i];
			}
			w->at[p] = (int)i;
		}
	}
	return 0;
}

int values_init(struct values *v, const struct source_reading *reading)
{
	int rc = 0;

	memset(v, 0, sizeof(*v));
	v->nparts = reading->n;
	v->part = reading->snapshot;
	if (v->nparts == 1)
		v->nfamilies = v->part[0]->nfamilies;
	if (v->nparts > 1)
		rc = view_init(&v->view, v->part, v->nparts);
	if (rc == 0 && v->nparts > 1)
		v->nfamilies = v->view.nfamilies;
	if (rc == 0)
		rc = list_writers(v);
	if (rc < 0)
		values_release(v);
	return rc;
}

void values_release(struct values *v)
{
	view_release(&v->view);
	free(v->writers);
	memset(v, 0, sizeof(*v));
}

int values_number(const struct values *v, size_t f, size_t s, int writer, struct sm_value *ret)
{
	const struct view_family *family;

	if (v->nparts == 1)
		return sm_snapshot_number(v->part[0], &v->part[0]->families[f].series[s], writer,
			ret);
	family = &v->view.families[f];
	if (writer == VALUES_ALL)
		return view_number(&v->view, family, &family->series[s], ret);
	return view_number_of(&v->view, family, &family->series[s], v->writers[writer].at, ret);
}

int values_buckets(const struct values *v, size_t f, size_t s, int writer, uint64_t *ret_counts,
	struct sm_sum *ret_sum)
{
	const struct view_family *family;

	if (v->nparts == 1)
		return sm_snapshot_buckets(v->part[0], &v->part[0]->families[f].series[s], writer,
			ret_counts, ret_sum);
	family = &v->view.families[f];
	return view_buckets_of(&v->view, family, &family->series[s],
		writer == VALUES_ALL ? NULL : v->writers[writer].at, ret_counts, ret_sum);
}

int values_classic(const struct values *v, size_t f, size_t s, int writer,
	uint64_t *ret_cumulative, struct sm_sum *ret_sum)
{
	const struct view_family *family;

	if (v->nparts == 1)
		return sm_snapshot_classic(v->part[0], &v->part[0]->families[f].series[s], writer,
			ret_cumulative, ret_sum);
	family = &v->view.families[f];
	return view_classic_of(&v->view, family, &family->series[s],
		writer == VALUES_ALL ? NULL : v->writers[writer].at, ret_cumulative, ret_sum);
}

static int is_inside(const struct sm_family_info *f, const struct sm_exemplar *e)
{
	if (f->kind != SM_HISTOGRAM)
		return e->bucket == 0;
	return e->bucket <= f->nbounds && (e->bucket == 0 || e->value > f->bounds[e->bucket - 1]) &&
		(e->bucket == f->nbounds || e->value <= f->bounds[e->bucket]);
}

int values_exemplar(const struct values *v, size_t f, size_t s, unsigned bucket,
	struct sm_exemplar *ret_exemplar)
{
	const struct sm_series_info *series;
	size_t p;

	for (p = 0; p < v->nparts; p++) {
		series = v->nparts == 1 ? &v->part[0]->families[f].series[s] :
			v->view.families[f].series[s].part[p];
		if (series && sm_snapshot_exemplar(v->part[p], series, bucket, ret_exemplar) == 0)
			return is_inside(values_family(v, f), ret_exemplar) ? 0 : -ENOENT;
	}
	return -ENOENT;
}

uint64_t values_created_ns(const struct values *v, size_t f, size_t s)
{
	return v->nparts == 1 ? v->part[0]->families[f].series[s].created_real_ns :
		view_created_real_ns(&v->view.families[f].series[s]);
}
