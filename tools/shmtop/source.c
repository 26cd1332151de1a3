/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.c - staying with a segment.
 *
 * Before each sample the path is looked at: if another file is there and it is ready, we move
 * to it, but not while only the old file has live writers: those notice the removal at their next
 * heartbeat and follow. A file that was removed without a successor, or does not read any more,
 * stays open: its last values are what the user has.
 */
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int top_source_open(struct top_source *s, const char *path, struct sm_diag *diag)
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->fresh = 1;
	if ((size_t)snprintf(s->path, sizeof(s->path), "%s", path) >= sizeof(s->path))
		return -ENAMETOOLONG;
	rc = sm_reader_open(path, &s->reader, diag);
	if (rc)
		s->reader = NULL;
	return rc;
}

void top_source_close(struct top_source *s)
{
	if (s->reader)
		sm_reader_close(s->reader);
	s->reader = NULL;
}

/* Move to the file that is at the path now, if it is good; the model keeps the old values until the
 * first sample. 1 if so. */
static int follow(struct top_source *s)
{
	struct sm_reader *reader;
	struct sm_diag diag;

	if (sm_reader_open(s->path, &reader, &diag))
		return 0;
	if (sm_reader_live_writers(reader) <= 0 && sm_reader_live_writers(s->reader) > 0) {
		sm_reader_close(reader);
		return 0;
	}
	sm_reader_close(s->reader);
	s->reader = reader;
	s->flags = 0;
	s->fresh = 1;
	return 1;
}

static int take(struct top_source *s, const struct sm_snapshot **ret, struct sm_diag *diag)
{
	int rc;

	if (s->parts && s->parts->nrefs)
		s->flags |= SM_SNAPSHOT_WRITERS;
	rc = sm_snapshot_take(s->reader, s->flags, ret, diag);
	if (!rc && !(s->flags & SM_SNAPSHOT_WRITERS) && top_sample_needs_writers(*ret)) {
		sm_snapshot_free(*ret);
		s->flags |= SM_SNAPSHOT_WRITERS;
		rc = sm_snapshot_take(s->reader, s->flags, ret, diag);
	}
	return rc;
}

static uint64_t boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The values stay; say since when they are old, and why. */
static void keep_old(struct top_model *m, const char *why)
{
	struct buf b = { 0 };

	top_escape(&b, why, strlen(why), m->escape);
	m->status.stale = 1;
	m->status.now_boot_ns = boot_ns();
	snprintf(m->status.trouble, sizeof(m->status.trouble), "%s", b.data ? b.data : "");
	buf_free(&b);
}

int top_source_sample(struct top_source *s, struct top_model *m)
{
	const struct sm_snapshot *snapshot;
	struct sm_diag diag = { 0 };
	int current, replaced, rc;

	current = sm_reader_current(s->reader);
	if (current == 2 && follow(s))
		current = 0;
	rc = take(s, &snapshot, &diag);
	if (rc) {
		keep_old(m, rc == SM_NOT_READY ? "the segment is being created"
			    : diag.message[0] ? diag.message
					      : strerror(-rc));
		return rc < 0 ? rc : -EAGAIN;
	}
	if (snapshot->stale && !s->fresh) {
		sm_snapshot_free(snapshot);
		keep_old(m, "the segment is busy: a dead writer is being folded");
		return -EAGAIN;
	}
	replaced = s->fresh && m->sample;
	if (s->fresh) {
		top_model_reset(m);
		s->refused_before = top_sample_refused(snapshot);
		s->fresh = 0;
	}
	rc = top_sample_series(m, snapshot);
	if (!rc)
		rc = top_sample_status(m, snapshot, s->refused_before);
	if (!rc && s->parts)
		rc = top_parts_sample(s->parts, m, snapshot);
	if (s->slows)
		top_slows_read(s->slows, s->reader);
	sm_snapshot_free(snapshot);
	if (rc) {
		keep_old(m, "out of memory");
		return rc;
	}
	m->status.removed = current > 0;
	return replaced ? TOP_SOURCE_REPLACED : 0;
}

void top_source_look(struct top_source *s, const struct top_model *m)
{
	const struct sm_snapshot *snapshot;
	struct sm_diag diag = { 0 };

	if (s->slows)
		top_slows_read(s->slows, s->reader);
	if (!s->parts || !s->parts->nrefs || take(s, &snapshot, &diag))
		return;
	/* What fails here comes with the next sample. */
	(void)top_parts_sample(s->parts, m, snapshot);
	sm_snapshot_free(snapshot);
}
