/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - follow one segment by its name: attach, re-attach, read.
 *
 * Depends on <shardmeter_reader.h> and view.h. A segment comes and goes: its programs start after
 * the exporter, its file is removed (logind does that at logout) or replaced while some programs
 * still write to the old one. A source looks again at each reading. Files that were removed or
 * replaced are kept, and added by view.h, until no program lives that writes to them.
 *
 *	struct source *s;
 *	struct source_reading reading;
 *	source_create("default", &s);
 *	source_read(s, 0, &reading);		// any state, also without a segment
 *	if (reading.n)
 *		view_init(&v, reading.snapshot, reading.n);
 *	source_release(&reading);
 *
 * Each thread that reads has a source of its own. Thread: one at a time. Nothing here logs.
 */
#ifndef EXPORTER_SOURCE_H
#define EXPORTER_SOURCE_H

#include "exporter/view.h"

struct source;

enum source_state {
	SOURCE_UP,
	SOURCE_NO_SEGMENT,
	SOURCE_NOT_READY,	/* being made just now */
	SOURCE_NO_PERMISSION,
	SOURCE_INCOMPATIBLE,
	SOURCE_DAMAGED,
	SOURCE_ERROR
};

/* source_state_name - "up", "no_segment", ...: what machines read. */
const char *source_state_name(enum source_state state);

struct source_status {
	enum source_state state;	/* of the newest file */
	char message[SM_DIAG_MESSAGE];	/* "" when up */
	char path[4096];
	char id[33];			/* of the newest file that was read, in hex; "": none */
	int up;				/* values of the segment as it should be: from the file that
					   the name means, or it was removed and its programs live */
	unsigned current_files;		/* 1 if the file that the name means is attached */
	unsigned removed_files;		/* attached besides: removed or replaced, with live writers */
};

struct source_reading {
	struct source_status status;
	size_t n;			/* 0 to VIEW_PARTS */
	const struct sm_snapshot *snapshot[VIEW_PARTS];	/* newest first */
};

/* source_create - segment as in sm_options; NULL or "" for the default. 0, -EINVAL, -ENAMETOOLONG,
 * -ENOMEM. The segment need not exist. */
int source_create(const char *segment, struct source **ret_source);
void source_free(struct source *s);
const char *source_path(const struct source *s);

/* source_look - attach, re-attach, drop what nobody writes to any more, and read nothing: 1 if the
 * name means a file that was not attached before. *ret_status has no id. */
int source_look(struct source *s, struct source_status *ret_status);

/*
 * source_read - attach, re-attach, drop what nobody writes to any more; then take a snapshot of
 * each file. A file that cannot be read has none; status says why if it is the newest.
 *
 * flags  of sm_snapshot_take(). With several files the snapshots have per-writer values in any
 *        case, since view.h needs them to combine gauges.
 */
void source_read(struct source *s, unsigned flags, struct source_reading *ret_reading);
void source_release(struct source_reading *reading);

/* source_slow - sm_reader_slow() for each file, the newest first. The number of calls, or what fn
 * returned. A file that cannot be read has none. */
int source_slow(struct source *s, int (*fn)(void *ctx, const struct sm_slow *slow), void *ctx);

#endif /* EXPORTER_SOURCE_H */
