/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sel.h - which segment, and attaching to it.
 *
 * Order: -S, then SHARDMETER_SEGMENT, then the only segment with live writers, then the only one
 * there is, as shmtop does. -S takes a name, a path with a '/', or the beginning of a name that
 * fits one segment only. Several segments and nothing said: they are listed and the exit code is 4.
 */
#ifndef CLI_SEL_H
#define CLI_SEL_H

#include "cli.h"

#define SEL_PATH_MAX 1024

struct sel {
	char path[SEL_PATH_MAX];
	const char *how; /* "-S", "SHARDMETER_SEGMENT", "the only one", "the only one with
			    live writers", "new" */
};

/* create: a segment that does not exist yet may be named, and without any "default" is meant.
 * 0 or an exit code after a message. */
int sel_choose(const struct cli *c, bool create, struct sel *ret_sel);

/* sm_segment_list() without the files that other layouts have beside a segment. */
int sel_each(int (*fn)(void *ctx, const char *name, const char *path), void *ctx);

/* Does the file at path stand where a name would be looked for? */
bool sel_in_place(const char *path);
/* May it be a segment, if a damaged one: it begins with the magic number or is in such a place? */
bool sel_is_segment(const char *path);

/* The library's messages may end in what to do: cut that off and return it; NULL if they do not. */
const char *sel_cut_remedy(char *message);

/* Report why the segment at path cannot be read: cause and remedy. rc and diag of
 * sm_reader_open(). Returns the exit code. */
int sel_fail(const struct cli *c, int rc, const char *path, const struct sm_diag *diag);

/*
 * sel_attach - attach a reader; waits up to half a second for a creator to finish. 0 or an exit
 * code after a message.
 */
int sel_attach(const struct cli *c, const char *path, struct sm_reader **ret_reader);

/* Both, and one snapshot with flags. ret_reader may be NULL. */
int sel_snapshot(const struct cli *c, unsigned flags, const struct sm_snapshot **ret_snapshot,
	struct sm_reader **ret_reader);

/*
 * A segment that is looked at again and again: chosen anew when its file was removed or replaced.
 * Zero to begin with; sel_follow_end() when done.
 */
struct sel_follow {
	struct sm_reader *reader;
	char path[SEL_PATH_MAX]; /* where it was last */
};

/* A snapshot of what is there now. 0 or an exit code after a message. */
int sel_follow_take(const struct cli *c, struct sel_follow *f, unsigned flags,
	const struct sm_snapshot **ret_snapshot);
void sel_follow_end(struct sel_follow *f);

/* The family of that name, NULL if there is none. */
const struct sm_family_info *sel_family(const struct sm_snapshot *s, const char *name);

#endif
