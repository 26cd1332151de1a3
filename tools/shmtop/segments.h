/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments.h - which segments there are, and which one is meant.
 *
 * Depends on options.h and the reader library.
 */
#ifndef TOP_SEGMENTS_H
#define TOP_SEGMENTS_H

#include <limits.h>
#include <shardmeter_reader.h>
#include <stdio.h>

#include "options.h"

struct top_segment {
	char name[NAME_MAX + 1], path[PATH_MAX];
	int rc;			/* of sm_reader_open() */
	int live;		/* writers, if rc is 0 */
	uint64_t created_real_ns;
	struct sm_diag diag;	/* why it cannot be read */
};

/* All segments in the default places, sorted by name; free() the list. -ENOMEM or the number. */
int top_segments_list(struct top_segment **ret_list);
void top_segments_print(FILE *out, const struct top_segment *list, int n, unsigned escape);

/*
 * top_segments_choose - the path of the segment that is meant by `name` (NULL: not said).
 *
 * Not said: the only one with live writers, else the only one. A name without '/' may be the
 * beginning of exactly one. Returns 0; -ENOENT; -EMLINK if several could be meant (*ret_list then
 * has them, *ret_n long, to free()); -ENOMEM, -EINVAL, -ENAMETOOLONG.
 */
int top_segments_choose(const char *name, char ret_path[PATH_MAX], struct top_segment **ret_list,
			int *ret_n);

/* The exit code for an error of the library, and what to do about it. */
enum top_exit top_exit_of(int error);
const char *top_remedy(int error);

#endif
