/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages.h - what the HTTP server answers, without HTTP: each page is a text for a state.
 *
 * Depends on collection.h, request.h and exposition/. Thread: safe.
 */
#ifndef EXPORTER_PAGES_H
#define EXPORTER_PAGES_H

#include "exporter/exposition/exposition.h"

/* What pages are made from. */
struct pages {
	struct collector *collector;
	struct exposition *exposition;
};

/* pages_answer - the page at a request's path: fills ret_page and returns 0; -ENOENT when there is
 * none; -ENOMEM. */
int pages_answer(const struct pages *p, const struct request *r, struct page *ret_page);

/* pages_metrics - /metrics of a collection. 0, or -ENOMEM. */
int pages_metrics(const struct pages *p, const struct collection *c, const struct request *r,
	struct page *ret_page);

#endif /* EXPORTER_PAGES_H */
