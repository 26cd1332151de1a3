/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expose.h - what /metrics answers: the segment's families, then the exporter's own.
 *
 * Depends on source.h, recorder.h and view.h. The text format 0.0.4. For one file of the segment
 * it is sm_snapshot_text(); for several (view.h) merge.c writes the same format, so that a series
 * looks the same however many there are.
 */
#ifndef EXPOSITION_EXPOSE_H
#define EXPOSITION_EXPOSE_H

#include "common/buf.h"
#include "exporter/recorder.h"
#include "exporter/source.h"

#define EXPOSE_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What one exposition is made of. */
struct expose {
	const struct source_reading *reading;
	const struct recorder_stats *recorder;
	uint64_t began_ns;		/* CLOCK_MONOTONIC, before the reading */
};

/* expose_text - append the exposition to b. 0, -ENOMEM, or what the library says. */
int expose_text(struct buf *b, const struct expose *e);

/* expose_sink - for sm_snapshot_text(); ctx is a struct buf. */
int expose_sink(void *ctx, const char *data, size_t len);

/* expose_merged - the families of several files and our metrics about them (merge.c). */
int expose_merged(struct buf *b, const struct view *v);

/* expose_own - the exporter's own metrics (own.c). v may be NULL; a name that a program uses in the
 * segment is left to it. */
void expose_own(struct buf *b, const struct expose *e, const struct view *v);

#endif /* EXPOSITION_EXPOSE_H */
