/* SPDX-License-Identifier: Apache-2.0 */
/* write_text.c - sm_write_text(): a reader of the writer's own segment. */
#include <errno.h>
#include <shardmeter_reader.h>

#include "writer.h"

int sm_write_text(struct sm *m, int (*sink)(void *ctx, const char *data, size_t len), void *ctx)
{
	const struct sm_snapshot *s;
	struct sm_reader *r;
	int rc;

	if (m->error || !m->path[0])
		return m->error ? m->error : -ENOENT;
	rc = sm_reader_open(m->path, &r, NULL);
	if (rc)
		return rc < 0 ? rc : -EAGAIN;
	rc = sm_snapshot_take(r, 0, &s, NULL);
	if (!rc) {
		rc = sm_snapshot_text(s, 0, sink, ctx);
		sm_snapshot_free(s);
	}
	sm_reader_close(r);
	return rc < 0 ? rc : rc ? -EAGAIN : 0;
}
