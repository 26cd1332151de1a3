/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages.h - what the HTTP server answers, without HTTP: each page is a text for a state.
 *
 * Depends on collection.h, request.h and exposition/. Thread: safe.
 *
 *	/metrics	the values, whatever state the segments and the stores are in; --web.telemetry-path
 *	/-/healthy	200 while the process serves
 *	/-/ready	200, or 503 with the reasons, as JSON
 *	/		a page with links
 *	/api/v1/...	pages.slow
 */
#ifndef EXPORTER_PAGES_H
#define EXPORTER_PAGES_H

#include "exporter/exposition/exposition.h"

/* What pages are made from. */
struct pages {
	struct collector *collector;
	struct exposition *exposition;
	const char *telemetry_path;
	/* slow - the page at a path below /api/v1/, from a thread on which it may take long; returns as
	 * pages_answer(). NULL: there is none. */
	int (*slow)(void *ctx, const struct request *r, struct page *ret_page);
	void *slow_ctx;
};

/* pages_answer - the page at a request's path, but the values: fills ret_page and returns 0; -ENOENT
 * when there is none; -ENOMEM. */
int pages_answer(const struct pages *p, const struct request *r, struct page *ret_page);

/* pages_scrape - the values, collected for this request. pages_metrics - of a collection. 0, or
 * -ENOMEM. */
int pages_scrape(const struct pages *p, const struct request *r, struct page *ret_page);
int pages_metrics(const struct pages *p, const struct collection *c, const struct request *r,
	struct page *ret_page);

#endif /* EXPORTER_PAGES_H */
