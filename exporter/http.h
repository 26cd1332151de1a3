/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - the exporter's HTTP server.
 *
 * Depends on collection.h, conns.h, gate.h, jobs.h and pages.h. Four serving threads, each a daemon of
 * libmicrohttpd with epoll: two for clients on this machine, two for all others, so that whatever
 * comes from outside, the local agent finds a thread that is free. A fifth (gate.h) accepts, keeps
 * time and makes room; a sixth (jobs.h) answers what takes long.
 *
 * GET and HEAD only, no request bodies, every answer with its length. Thread: one caller.
 */
#ifndef EXPORTER_HTTP_H
#define EXPORTER_HTTP_H

#include "exporter/collection.h"
#include "exporter/listen.h"
#include "exporter/options.h"
#include "exporter/pages.h"

struct http;

/* http_create - the threads that serve pages. http_open - accept connections from here on; the
 * listening sockets stay the caller's, open until http_stop_accepting(). Both 0 or -errno. */
int http_create(const struct options *o, const struct pages *pages, struct http **ret_http);
int http_open(struct http *h, const struct listener *listeners, size_t n);

/* http_configure - take over what OPTION_LIVE allows to change. 0 or -ENOMEM: nothing changed. */
int http_configure(struct http *h, const struct options *o);

/* http_probe - ask every serving thread for a page, inside the process. 0, or -ETIMEDOUT when one has
 * not answered, or the accepting thread stands still. */
int http_probe(struct http *h, uint64_t timeout_ms);

/* http_describe - the connections' part of collection_exporter. Thread: safe. */
void http_describe(struct http *h, struct collection_exporter *ret_exporter);

/* http_stop_accepting - be not ready, and accept nothing new. http_drain - wait for running answers,
 * at most for timeout_ms: 0, or -ETIMEDOUT when some are left. */
void http_stop_accepting(struct http *h);
int http_drain(struct http *h, uint64_t timeout_ms);

/* http_free - stop. Cuts what is still running. NULL is allowed. 0, or -ETIMEDOUT when a job does not
 * end: then the memory belongs to its thread, and the process has to end by _exit(). */
int http_free(struct http *h);

#endif /* EXPORTER_HTTP_H */
