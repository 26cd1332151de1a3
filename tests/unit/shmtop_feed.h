/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmtop_feed.h - feed shmtop's model by hand: a bot without a segment, for the tests of shmtop.
 */
#ifndef SHMTOP_FEED_H
#define SHMTOP_FEED_H

#include <string.h>

#include "tools/shmtop/model.h"

#define FEED_SECOND UINT64_C(1000000000)

struct feed_series {
	struct sm_family_info family;
	struct sm_series_info series;
	const char *labels[4];
	struct sm_str values[4];
};

/* A series with up to 4 labels: "name", "value", ..., NULL. */
static inline struct feed_series *feed_series(struct feed_series *s, uint32_t id, enum sm_kind kind,
					      const char *name, const char *unit,
					      const char *const *pairs)
{
	unsigned n;

	memset(s, 0, sizeof(*s));
	for (n = 0; pairs && pairs[2 * n]; n++) {
		s->labels[n] = pairs[2 * n];
		s->values[n] = SM_STR(pairs[2 * n + 1]);
	}
	s->family = (struct sm_family_info){ .id = id, .incarnation = 1, .kind = kind,
					     .name = name, .help = "", .unit = unit, .nlabels = n,
					     .labels = s->labels };
	s->series = (struct sm_series_info){ .id = id, .incarnation = 1, .values = s->values,
					     .created_boot_ns = FEED_SECOND };
	return s;
}

static inline struct top_row *feed_number(struct top_model *m, const struct feed_series *s,
					  const struct sm_value *value)
{
	struct top_family *f = top_model_family(m, &s->family);
	struct top_row *row = top_model_row(m, f, &s->series, NULL, value->is_set);

	if (row)
		top_row_number(m, row, value);
	return row;
}

static inline struct top_row *feed_count(struct top_model *m, const struct feed_series *s,
					 uint64_t n)
{
	struct sm_value v = { .is_set = 1, .is_integer = 1, .units = n, .value = (double)n };

	return feed_number(m, s, &v);
}

static inline struct top_row *feed_gauge(struct top_model *m, const struct feed_series *s, double x)
{
	struct sm_value v = { .is_set = 1, .value = x };

	return feed_number(m, s, &v);
}

static inline struct top_row *feed_absent(struct top_model *m, const struct feed_series *s)
{
	struct sm_value v = { .is_set = 0 };

	return feed_number(m, s, &v);
}

/* The bounds of all histograms here, seconds. */
static const double feed_bounds[] = { 0.01, 0.1, 1, 10 };
#define FEED_BOUNDS 4

static inline struct top_row *feed_buckets(struct top_model *m, struct feed_series *s,
					   const uint64_t counts[FEED_BOUNDS + 1])
{
	struct sm_sum sum = { .is_integer = 1, .decimals = 9, .units = 1500000000, .value = 1.5 };
	struct top_family *f;
	struct top_row *row;

	s->family.bounds = s->family.united = feed_bounds;
	s->family.nbounds = s->family.nunited = FEED_BOUNDS;
	f = top_model_family(m, &s->family);
	row = top_model_row(m, f, &s->series, NULL, 1);
	if (row)
		top_row_histogram(m, row, counts, &sum);
	return row;
}

#endif
