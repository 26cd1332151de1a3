/* SPDX-License-Identifier: Apache-2.0 */
/* expose.c - put one exposition together; see expose.h. */
#include "exporter/exposition/expose.h"

#include <errno.h>

int expose_sink(void *ctx, const char *data, size_t len)
{
	struct buf *b = ctx;

	buf_put(b, data, len);
	return b->failed ? -ENOMEM : 0;
}

int expose_text(struct buf *b, const struct expose *e)
{
	const struct source_reading *r = e->reading;
	struct view view;
	int rc = 0;

	if (r->n == 0) {
		expose_own(b, e, NULL);
		return b->failed ? -ENOMEM : 0;
	}
	rc = view_init(&view, r->snapshot, r->n);
	if (rc < 0)
		return rc;
	if (r->n == 1)
		rc = sm_snapshot_text(r->snapshot[0], 0, expose_sink, b);
	else
		rc = expose_merged(b, &view);
	if (rc == 0)
		expose_own(b, e, &view);
	view_release(&view);
	return rc < 0 ? rc : b->failed ? -ENOMEM : 0;
}
