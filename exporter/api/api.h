/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.h - /api/v1/: JSON for pages and programs; described by docs/openapi.yaml.
 *
 * Depends on collection.h, request.h, view.h and history/. Every answer is an object with `status`:
 * "success" and `data`, or "error", `error` (a word for programs) and `message` (a sentence with the
 * remedy).
 */
#ifndef API_API_H
#define API_API_H

#include "exporter/collection.h"
#include "exporter/request.h"

struct api {
	struct collector *collector;
	/* history_dir - where the history of a segment is; "" without. */
	const char *(*history_dir)(void *ctx, const char *segment);
	void *ctx;
};

/* api_answer - the page at a path below /api/v1/, also where there is none; it may take long (it reads
 * history), up to the request's deadline. 0 or -ENOMEM. Thread: safe. */
int api_answer(const struct api *a, const struct request *r, struct page *ret_page);

#endif /* API_API_H */
