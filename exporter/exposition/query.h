/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query.h - what a request for /metrics asks for: name[], writer[], aggregate=none.
 *
 * Depends on request.h. name[] and writer[] may be repeated; a `*` at the end stands for any rest.
 * writer[] shows each writer's own values, as aggregate=none does for all writers.
 */
#ifndef EXPOSITION_QUERY_H
#define EXPOSITION_QUERY_H

#include "exporter/request.h"

#define QUERY_PATTERNS_MAX 256		/* of each kind */

struct query {
	const struct request *request;
	int by_name, by_writer;		/* are there any name[], writer[]? */
	int per_writer;			/* aggregate=none, or by_writer */
};

/* query_parse - 0; -EINVAL and in ret_message what is wrong with which parameter. */
int query_parse(const struct request *r, struct query *ret_query, char *ret_message, size_t size);

/* query_wants_family - name as its samples have it: a histogram's without a suffix, though name[]
 * may have one of its suffixes. */
int query_wants_family(const struct query *q, const char *name, int is_histogram);
int query_wants_writer(const struct query *q, const char *name);

#endif /* EXPOSITION_QUERY_H */
