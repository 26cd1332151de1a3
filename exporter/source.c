/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.c - follow one segment by its name; see source.h.
 *
 * files[0] is the file that the name means now, or the last one it meant; the others are older.
 * A file is kept while the name means it or a life lock is held on it.
 */
#include "exporter/source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct source {
	char path[PATH_MAX];
	struct sm_reader *files[VIEW_PARTS];
	unsigned nfiles;
	int current;			/* does the name mean files[0]? */
	enum source_state state;
	char message[SM_DIAG_MESSAGE];
};

const char *source_state_name(enum source_state state)
{
	static const char *const names[] = { "up", "no_segment", "not_ready", "no_permission",
		"incompatible", "damaged", "error" };

	return names[state];
}

int source_create(const char *segment, struct source **ret_source)
{
	struct source *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	rc = sm_segment_resolve(segment, s->path, sizeof(s->path));
	if (rc < 0) {
		free(s);
		return rc;
	}
	s->state = SOURCE_NO_SEGMENT;
	*ret_source = s;
	return 0;
}

void source_free(struct source *s)
{
	unsigned i;

	if (!s)
		return;
	for (i = 0; i < s->nfiles; i++)
		sm_reader_close(s->files[i]);
	free(s);
}

const char *source_path(const struct source *s)
{
	return s->path;
}

static enum source_state state_of(int rc)
{
	switch (rc) {
	case 0:
		return SOURCE_UP;
	case SM_NOT_READY:
		return SOURCE_NOT_READY;
	case -ENOENT:
	case -ENOTDIR:
		return SOURCE_NO_SEGMENT;
	case -EACCES:
	case -EPERM:
		return SOURCE_NO_PERMISSION;
	case -EPROTONOSUPPORT:
		return SOURCE_INCOMPATIBLE;
	case -EBADMSG:
	case -EINVAL:
	case -ELOOP:
		return SOURCE_DAMAGED;
	default:
		return SOURCE_ERROR;
	}
}

static void set_state(struct source *s, int rc, const char *message)
{
	s->state = state_of(rc);
	if (rc == 0)
		s->message[0] = '\0';
	else if (*message)
		snprintf(s->message, sizeof(s->message), "%s", message);
	else if (rc == SM_NOT_READY)
		snprintf(s->message, sizeof(s->message), "%.400s is being made", s->path);
	else
		snprintf(s->message, sizeof(s->message), "%.300s: %s", s->path, strerror(-rc));
}

static void drop(struct source *s, unsigned at)
{
	unsigned i;

	sm_reader_close(s->files[at]);
	for (i = at; i + 1 < s->nfiles && i + 1 < VIEW_PARTS; i++)
		s->files[i] = s->files[i + 1];
	s->nfiles--;
	if (at == 0)
		s->current = 0;
}

static int has_writers(struct sm_reader *r)
{
	return sm_reader_live_writers(r) > 0;
}

/* Open what the name means now and put it in front. When there is no place, the oldest goes. */
static void attach(struct source *s)
{
	struct sm_diag diag = { 0 };
	struct sm_reader *r;
	unsigned i;
	int rc = sm_reader_open(s->path, &r, &diag);

	set_state(s, rc, diag.message);
	if (rc)
		return;
	if (s->nfiles == VIEW_PARTS)
		drop(s, VIEW_PARTS - 1);
	for (i = s->nfiles++; i > 0; i--)
		s->files[i] = s->files[i - 1];
	s->files[0] = r;
	s->current = 1;
}

/* 1 if another file is in front now. */
static int look(struct source *s)
{
	unsigned i;

	if (s->current && sm_reader_current(s->files[0]) != 0)
		s->current = 0;
	/* Before attaching: the programs of a file may have ended when it was replaced. */
	for (i = s->nfiles; i-- > 0;)
		if (!(i == 0 && s->current) && !has_writers(s->files[i]))
			drop(s, i);
	if (s->current)
		return 0;
	attach(s);
	return s->current;
}

static void fill_id(const struct source_reading *reading, char ret_id[33])
{
	const unsigned char *id;
	unsigned i;

	ret_id[0] = '\0';
	if (!reading->n)
		return;
	id = reading->snapshot[0]->segment->segment_id;
	for (i = 0; i < sizeof(reading->snapshot[0]->segment->segment_id); i++)
		snprintf(ret_id + 2 * i, 3, "%02x", id[i]);
}

static void fill_status(const struct source *s, size_t n, struct source_status *ret_status)
{
	ret_status->state = s->state;
	ret_status->up = s->state == SOURCE_UP || (s->state == SOURCE_NO_SEGMENT && n > 0);
	ret_status->current_files = s->current ? 1 : 0;
	ret_status->removed_files = s->nfiles - ret_status->current_files;
	snprintf(ret_status->message, sizeof(ret_status->message), "%s", s->message);
	snprintf(ret_status->path, sizeof(ret_status->path), "%s", s->path);
}

int source_look(struct source *s, struct source_status *ret_status)
{
	int is_new = look(s);

	fill_status(s, s->nfiles, ret_status);
	ret_status->id[0] = '\0';
	return is_new;
}

void source_read(struct source *s, unsigned flags, struct source_reading *ret_reading)
{
	struct source_reading reading = { .n = 0 };
	struct sm_diag diag = { 0 };
	unsigned i;
	int rc;

	look(s);
	if (s->nfiles > 1)
		flags |= SM_SNAPSHOT_WRITERS;
	for (i = 0; i < s->nfiles;) {
		rc = sm_snapshot_take(s->files[i], flags, &reading.snapshot[reading.n], &diag);
		if (rc == 0) {
			reading.n++;
			i++;
			if (i == 1 && s->current)
				set_state(s, 0, "");
			continue;
		}
		if (i == 0 && s->current) {
			set_state(s, rc, diag.message);
			/* Writers busy folding: it is the same file at the next reading. */
			if (rc == -EAGAIN) {
				i++;
				continue;
			}
		}
		drop(s, i);
	}
	fill_status(s, reading.n, &reading.status);
	fill_id(&reading, reading.status.id);
	*ret_reading = reading;
}

void source_release(struct source_reading *reading)
{
	while (reading->n)
		sm_snapshot_free(reading->snapshot[--reading->n]);
}

struct slow_call {
	int (*fn)(void *ctx, const struct sm_slow *slow);
	void *ctx;
	int stopped;
};

static int pass_on(void *ctx, const struct sm_slow *slow)
{
	struct slow_call *call = ctx;

	call->stopped = call->fn(call->ctx, slow);
	return call->stopped;
}

int source_slow(struct source *s, int (*fn)(void *ctx, const struct sm_slow *slow), void *ctx)
{
	struct slow_call call = { fn, ctx, 0 };
	unsigned i;
	int n = 0, rc;

	look(s);
	for (i = 0; i < s->nfiles && !call.stopped; i++) {
		rc = sm_reader_slow(s->files[i], pass_on, &call);
		n += rc > 0 ? rc : 0;
	}
	return call.stopped ? call.stopped : n;
}
