/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages.h - what the HTTP server answers, without HTTP: each page is a text for a state.
 *
 * Depends on source.h, recorder.h and exposition/. Changes of the segment's state are logged here,
 * once each. Thread: one at a time.
 */
#ifndef EXPORTER_PAGES_H
#define EXPORTER_PAGES_H

#include "exporter/exposition/expose.h"

/* What a page is about. */
struct pages_state {
	struct source *source;
	struct recorder *recorder;
	int stopping;
	/* Of the status that was logged last. */
	int logged;
	enum source_state logged_state;
	unsigned logged_files;
};

struct page {
	unsigned status;
	const char *type;
	struct buf body;	/* the caller's */
};

/* pages_find - the page at a path: fills ret_page and returns 0; -ENOENT when there is none;
 * -ENOMEM. */
int pages_find(struct pages_state *s, const char *path, struct page *ret_page);

/* pages_look - read once, so that the log says at the start what the segment's name means. */
void pages_look(struct pages_state *s);

/* pages_metrics - the exposition; *ret_status is what it was made of. 0 or -errno. */
int pages_metrics(struct pages_state *s, struct buf *b, struct source_status *ret_status);

#endif /* EXPORTER_PAGES_H */
