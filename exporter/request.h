/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h - a request and its answer, without HTTP.
 *
 * Depends on common/buf.h. http.c fills a request, pages and the API answer with a page. Everything
 * in a request is a stranger's: any bytes but NUL, any number, any order.
 */
#ifndef EXPORTER_REQUEST_H
#define EXPORTER_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct request_param {
	const char *key, *value;	/* percent-decoded; value "" without one */
};

struct request {
	const char *path;		/* percent-decoded, without the query */
	size_t nparams;
	const struct request_param *param;	/* in the order of the query; keys may repeat */
	const char *accept, *accept_encoding;	/* NULL: no such header; repeated ones joined by ", " */
	uint64_t deadline_ns;		/* CLOCK_MONOTONIC; 0: none */
	int stopping;			/* the exporter is draining */
};

/* request_param - the first value of a key, NULL without. request_next_param - each value of a key in
 * turn; *position starts at 0. */
const char *request_param(const struct request *r, const char *key);
const char *request_next_param(const struct request *r, const char *key, size_t *position);

struct page {
	unsigned status;
	const char *type;		/* Content-Type; static or valid as long as the exporter */
	const char *encoding;		/* Content-Encoding, or NULL */
	const char *vary;		/* or NULL */
	struct buf body;		/* the receiver's to free */
};

#endif /* EXPORTER_REQUEST_H */
