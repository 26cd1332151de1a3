/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - the exporter's HTTP server.
 *
 * Depends on collection.h and pages.h. libmicrohttpd with one thread of its own and
 * epoll: a scrape takes milliseconds, and a client that is slow to take its answer holds up nobody.
 *
 *	/metrics	text format 0.0.4, whatever state the segment and the store are in
 *	/-/healthy	200 while the process serves
 *	/-/ready	200, or 503 with the reasons, as JSON
 *	/		a page with links
 *
 * GET and HEAD only, no request bodies, every answer with its length. Thread: safe.
 */
#ifndef EXPORTER_HTTP_H
#define EXPORTER_HTTP_H

#include "exporter/collection.h"
#include "exporter/options.h"

struct http;

/*
 * http_start - serve on a listening socket, which http owns from here on. 0 or -errno.
 */
int http_start(int listen_fd, const struct options *o, struct collector *collector,
	struct http **ret_http);

/* http_drain - be not ready, accept nothing new, let running answers finish, at most for
 * timeout_ms. 0, or -ETIMEDOUT when some were cut. */
int http_drain(struct http *h, uint64_t timeout_ms);

/* http_free - stop. Cuts what is still running. NULL is allowed. */
void http_free(struct http *h);

#endif /* EXPORTER_HTTP_H */
