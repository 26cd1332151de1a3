/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - the one model of a sample that every format is written from.
 *
 * Depends on <shardmeter_reader.h>. A family has a name, help, unit and type; its metrics have
 * labels, rendered by a format once (plan.h), and at a scrape a number or a histogram. What a format
 * makes of them is in format.h.
 */
#ifndef EXPOSITION_MODEL_H
#define EXPOSITION_MODEL_H

#include <shardmeter_reader.h>

enum model_type {
	MODEL_COUNTER,
	MODEL_GAUGE,
	MODEL_HISTOGRAM,
	MODEL_INFO,		/* always 1 */
	MODEL_STATESET,		/* 0 or 1 per state */
	MODEL_TYPES
};

struct model_family {
	const char *name;	/* of its samples; a histogram's without suffix */
	size_t name_len;
	const char *help, *unit;	/* "": none */
	enum model_type type;
	/* In OpenMetrics a counter's and an info's family has a name of its own, the first base_len
	 * bytes of `name`. `plain`: that name is another family's, or `name` does not end as it
	 * must, so this one is of type unknown there. */
	size_t base_len;
	int plain;
};

struct model_label {
	const char *name, *value;
	size_t len;		/* of the value */
};

/* model_type_of - what a kind is shown as. */
enum model_type model_type_of(enum sm_kind kind);

/* model_family_init - texts are not copied. */
void model_family_init(struct model_family *f, const char *name, const char *help, const char *unit,
	enum model_type type);

#endif /* EXPOSITION_MODEL_H */
