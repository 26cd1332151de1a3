/* SPDX-License-Identifier: Apache-2.0 */
/* paths.h - from a segment's name to its file. sm_segment_resolve() and _list() are public. */
#ifndef SM_PATHS_H
#define SM_PATHS_H

#include <shardmeter.h>
#include <stddef.h>

#define SM_PATH_MAX 1024

/* Path for a name or path; name NULL or "" means "default". 0, -EINVAL, -ENAMETOOLONG with diag. */
int sm_path_for(const char *name, char *ret_path, size_t size, struct sm_diag *diag);

#endif
