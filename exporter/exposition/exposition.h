/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposition.h - what /metrics answers, in the format that the client asked for.
 *
 * Depends on collection.h and view.h. One model of a sample (model.h), one writer a format.
 */
#ifndef EXPOSITION_EXPOSITION_H
#define EXPOSITION_EXPOSITION_H

#include "exporter/collection.h"
#include "exporter/request.h"

/* Settings that do not change while the exporter runs. */
struct exposition_options {
	int created;			/* --web.openmetrics.created: `_created` in OpenMetrics */
	int own_metrics;		/* 0: --web.disable-exporter-metrics */
	size_t gzip_min_bytes;		/* smaller bodies are not compressed */
	unsigned native_buckets_max;	/* 160 */
	const char *allowed_labels;	/* --labels.allowed: patterns, separated by commas; "": all.
					   As long as the exposition */
};

#define EXPOSITION_DEFAULTS \
	{ .own_metrics = 1, .gzip_min_bytes = 1024, .native_buckets_max = 160, .allowed_labels = "" }

/* An exposition keeps what was rendered once: names and labels of every series, in each format that
 * was asked for. Thread: safe. */
struct exposition;
int exposition_create(const struct exposition_options *o, struct exposition **ret_exposition);
void exposition_free(struct exposition *x);

/* exposition_flags - the snapshot flags that a request needs (writer[], aggregate=none). */
unsigned exposition_flags(const struct request *r);

/*
 * exposition_answer - fill a page for GET /metrics: format by Accept, gzip by Accept-Encoding,
 * name[] (a trailing * is a prefix), writer[], aggregate=none. A bad parameter gives a page with
 * status 400 that says what was wrong. 0, or -ENOMEM.
 */
int exposition_answer(struct exposition *x, const struct collection *c, const struct request *r,
	struct page *ret_page);

#endif /* EXPOSITION_EXPOSITION_H */
