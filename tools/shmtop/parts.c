/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts.c - what each writer adds to a series.
 */
#include "parts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH 20	/* observations since we look, from which on they are shown alone */
#define SLOWER 2.0

static void drop_parts(struct top_parts *p)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		free(p->part[i].counts);
		free(p->part[i].first);
	}
	free(p->part);
	p->part = NULL;
	p->n = p->room = 0;
	p->nbuckets = 0;
	p->sampled = 0;
}

void top_parts_release(struct top_parts *p)
{
	drop_parts(p);
	p->nrefs = 0;
}

static int same_ref(const struct top_ref *a, const struct top_ref *b)
{
	return a->id == b->id && a->incarnation == b->incarnation && a->slot == b->slot;
}

void top_parts_want(struct top_parts *p, const struct top_ref *refs, size_t n)
{
	size_t i;

	n = n < TOP_PARTS_REFS ? n : TOP_PARTS_REFS;
	for (i = 0; i < n && i < p->nrefs && same_ref(&refs[i], &p->ref[i]); i++)
		;
	if (i == n && n == p->nrefs)
		return;
	top_parts_release(p);
	for (i = 0; i < n; i++)
		p->ref[i] = refs[i];
	p->nrefs = n;
}

static int wanted(const struct top_parts *p, const struct sm_series_info *series)
{
	size_t i;

	for (i = 0; i < p->nrefs; i++)
		if (p->ref[i].id == series->id && p->ref[i].incarnation == series->incarnation)
			return 1;
	return 0;
}

static struct top_part *part_new(struct top_parts *p, const struct top_model *m,
				 const struct sm_writer *w)
{
	struct top_part *part = NULL;
	struct buf name = { 0 };

	if (p->n == p->room) {
		part = realloc(p->part, (p->room * 2 + 8) * sizeof(*part));
		if (!part)
			return NULL;
		p->part = part;
		p->room = p->room * 2 + 8;
	}
	part = &p->part[p->n];
	memset(part, 0, sizeof(*part));
	part->slot = w->slot;
	part->incarnation = w->incarnation;
	part->rating = TOP_RATE_UNKNOWN;
	if (p->nbuckets) {
		part->counts = calloc(p->nbuckets, sizeof(*part->counts));
		part->first = calloc(p->nbuckets, sizeof(*part->first));
		if (!part->counts || !part->first) {
			free(part->counts);
			free(part->first);
			return NULL;
		}
	}
	top_escape(&name, w->name, strlen(w->name), m->escape);
	snprintf(part->name, sizeof(part->name), "%s", name.data ? name.data : "");
	buf_free(&name);
	p->n++;
	return part;
}

static struct top_part *part_of(struct top_parts *p, const struct top_model *m,
				const struct sm_writer *w)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->part[i].slot == w->slot && p->part[i].incarnation == w->incarnation)
			return &p->part[i];
	return part_new(p, m, w);
}

/* The first value of a writer in this sample replaces the last sample's, the others are added. */
static void add_number(struct top_part *part, const struct top_model *m, const struct sm_value *v)
{
	struct sm_value *sum = &part->value;

	if (part->seen != m->sample) {
		part->before = sum->value;
		*sum = *v;
	} else {
		sum->is_integer &= v->is_integer && v->decimals == sum->decimals;
		sum->units += v->units;
		sum->value += v->value;
	}
}

static void add_buckets(struct top_parts *p, struct top_part *part, const struct top_model *m,
			const uint64_t *counts)
{
	unsigned i;

	if (part->seen != m->sample) {
		part->before = (double)part->count;
		part->count = 0;
		memset(part->counts, 0, p->nbuckets * sizeof(*part->counts));
	}
	for (i = 0; i < p->nbuckets; i++) {
		part->counts[i] += counts[i];
		part->count += counts[i];
	}
}

static int add_writer(struct top_parts *p, const struct top_model *m, const struct sm_snapshot *s,
		      const struct sm_series_info *series, int writer, uint64_t *counts)
{
	const struct sm_writer *w = &s->writers[writer];
	struct sm_value v = { 0 };
	struct top_part *part;
	uint64_t count = 0;
	struct sm_sum sum;
	unsigned i;

	if (counts) {
		if (sm_snapshot_buckets(s, series, writer, counts, &sum))
			return 0;
		for (i = 0; i < p->nbuckets; i++)
			count += counts[i];
		if (!count)
			return 0;
	} else if (sm_snapshot_number(s, series, writer, &v) || !v.is_set) {
		return 0;
	}
	part = part_of(p, m, w);
	if (!part)
		return -ENOMEM;
	if (counts)
		add_buckets(p, part, m, counts);
	else
		add_number(part, m, &v);
	if (part->seen != m->sample) {
		part->rating = part->seen ? TOP_RATE_OK : TOP_RATE_UNKNOWN;
		part->seen = m->sample;
		part->before_boot_ns = part->at_boot_ns;
		part->at_boot_ns = m->fake_boot_ns ? m->fake_boot_ns : s->taken_boot_ns;
	}
	return 0;
}

static void finish_histogram(struct top_parts *p, const struct top_family *f, struct top_part *part)
{
	uint64_t since = 0;
	unsigned i;

	if (part->rating == TOP_RATE_UNKNOWN)
		memcpy(part->first, part->counts, p->nbuckets * sizeof(*part->first));
	for (i = 0; i < p->nbuckets; i++)
		since += part->counts[i] - part->first[i];
	part->recent = since >= ENOUGH;
	top_buckets_quantiles(part->counts, part->recent ? part->first : NULL, f->united,
			      f->nunited, top_quantile, TOP_QUANTILES, part->quantile);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void mark_slow(struct top_parts *p)
{
	double p95[256], median;
	size_t n = 0, i;

	for (i = 0; i < p->n && n < 256; i++)
		if (p->part[i].count >= ENOUGH)
			p95[n++] = p->part[i].quantile[1];
	if (n < 3)
		return;
	qsort(p95, n, sizeof(p95[0]), compare_doubles);
	median = p95[n / 2];
	for (i = 0; i < p->n; i++)
		p->part[i].slow = p->part[i].count >= ENOUGH &&
				  p->part[i].quantile[1] > SLOWER * median;
}

static void finish(struct top_parts *p, const struct top_model *m, const struct top_family *f)
{
	struct top_part *part;
	double now, dt;
	size_t i;

	for (i = 0; i < p->n; i++) {
		part = &p->part[i];
		if (part->seen != m->sample)
			continue;
		part->slow = 0;
		dt = part->at_boot_ns > part->before_boot_ns
			     ? (double)(part->at_boot_ns - part->before_boot_ns) / 1e9
			     : 0;
		now = part->counts ? (double)part->count : part->value.value;
		if (p->kind != SM_COUNTER && p->kind != SM_HISTOGRAM) {
			part->rating = TOP_RATE_NONE;
		} else if (part->rating == TOP_RATE_OK && (now < part->before || dt <= 0)) {
			part->rating = TOP_RATE_RESET;
		} else if (part->rating == TOP_RATE_OK) {
			part->rate = (now - part->before) / dt;
		}
		if (part->counts)
			finish_histogram(p, f, part);
	}
	if (p->kind == SM_HISTOGRAM)
		mark_slow(p);
}

static int compare_parts(const void *a, const void *b)
{
	const struct top_part *x = a, *y = b;

	int c = strverscmp(x->name, y->name);

	if (c || x->slot != y->slot)
		return c ? c : x->slot < y->slot ? -1 : 1;
	return (x->incarnation > y->incarnation) - (x->incarnation < y->incarnation);
}

int top_parts_sample(struct top_parts *p, const struct top_model *m, const struct sm_snapshot *s)
{
	const struct sm_family_info *info;
	const struct top_row *row = NULL;
	uint64_t *counts = NULL;
	size_t f, i, w, k;
	int rc = 0;

	for (i = 0; i < p->nrefs && !row; i++)
		row = top_model_find(m, &p->ref[i]);
	if (!row || p->sampled == m->sample)
		return 0;
	p->kind = row->family->kind;
	if (p->kind == SM_HISTOGRAM) {
		if (p->nbuckets != row->family->nunited + 1)
			drop_parts(p);
		p->nbuckets = row->family->nunited + 1;
		counts = calloc(p->nbuckets, sizeof(*counts));
		if (!counts)
			return -ENOMEM;
	}
	for (f = 0; f < s->nfamilies; f++) {
		info = &s->families[f];
		if (info->id != row->family->id || info->incarnation != row->family->incarnation)
			continue;
		for (i = 0; i < info->nseries && !rc; i++)
			for (w = 0; wanted(p, &info->series[i]) && w < s->nwriters && !rc; w++)
				rc = add_writer(p, m, s, &info->series[i], (int)w, counts);
	}
	for (w = 0; w < s->nwriters; w++)
		for (k = 0; k < p->n; k++)
			if (p->part[k].slot == s->writers[w].slot &&
			    p->part[k].incarnation == s->writers[w].incarnation) {
				p->part[k].state = s->writers[w].state;
				p->part[k].ended = s->writers[w].exited_boot_ns != 0;
			} else if (p->part[k].slot == s->writers[w].slot) {
				p->part[k].state = SM_WRITER_DEAD;
			}
	p->sampled = m->sample;
	finish(p, m, row->family);
	if (p->n)
		qsort(p->part, p->n, sizeof(*p->part), compare_parts);
	free(counts);
	return rc;
}
