/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h - a request and its answer, without HTTP.
 *
 * Depends on common/buf.h and address.h. http.c fills a request, pages and the API answer with a page.
 * Everything in a request is a stranger's: any bytes but NUL, any number, any order.
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

/* ---- taking a request apart ----------------------------------------------------------------- */

#define REQUEST_PARAMS_MAX	64

/* The target of a request line: "/metrics?name[]=a". */
struct request_target {
	char *text;			/* what path and params point into; free() it */
	const char *path;
	size_t nparams;
	struct request_param param[REQUEST_PARAMS_MAX];
};

/* request_target - take apart and decode. 0, -EINVAL (not a path, a bad or NUL escape, a control
 * character), -E2BIG (too many parameters), -ENOMEM. */
int request_target(const char *text, struct request_target *ret_target);
void request_target_release(struct request_target *t);

/* What the headers of a request say, gathered one by one; texts end in NUL, besides what is inside. */
struct request_head {
	unsigned nhosts, nlengths, nencodings;
	int has_body;			/* a length other than 0, or chunked */
	int is_bad;			/* a name or value that no header can have */
	char host[256];
	struct buf accept, accept_encoding;
	double timeout_seconds;		/* X-Prometheus-Scrape-Timeout-Seconds; 0: none */
};

void request_head_add(struct request_head *h, const char *name, size_t name_len, const char *value,
	size_t value_len);
void request_head_release(struct request_head *h);

/*
 * request_refuse - the status with which a request is refused before anybody looks at its path, and
 * why; 0 if it is not.
 *
 * version    "HTTP/1.1" or "HTTP/1.0"
 * any_host   do not look at the host's name
 * allowed    the list of address_allowed()
 */
unsigned request_refuse(const struct request_head *h, const char *method, const char *version,
	int any_host, const char *allowed, const char **ret_why);

#endif /* EXPORTER_REQUEST_H */
