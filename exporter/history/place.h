/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.h - the store's directory: where it is, who owns it, what is set aside.
 *
 * Depends on <shardmeter.h>. A store is a directory with
 *
 *	history.mdb		the LMDB file
 *	history.mdb-lock	LMDB's lock file
 *	history.lock		locked by the one exporter that writes; holds its pid, for messages
 *	history.mdb.corrupt-T	a damaged file that was set aside at time T; the last three are kept
 */
#ifndef HISTORY_PLACE_H
#define HISTORY_PLACE_H

#include <shardmeter.h>
#include <stdint.h>

#define PLACE_DATA	"history.mdb"
#define PLACE_ASIDE	PLACE_DATA ".corrupt-"
#define PLACE_ASIDE_KEPT 3

/* place_path - dir/name. 0 or -ENAMETOOLONG. */
int place_path(const char *dir, const char *name, char *ret_path, size_t size);

/* place_make - make the directory and what is missing above it, mode 0750. 0 or -errno. */
int place_make(const char *dir);

/*
 * place_lock - become the store's only writer, until ret_fd is closed or the process ends. Makes
 * the directory. 0; -EBUSY when another exporter has it (diag names it); or -errno.
 */
int place_lock(const char *dir, int *ret_fd, struct sm_diag *diag);

/*
 * place_set_aside - rename the data file so that a new one can begin; older ones beyond
 * PLACE_ASIDE_KEPT are removed. Nobody in this process may have it open in LMDB. ret_name is the
 * new name. 0, -ENOENT if there was none, or -errno.
 */
int place_set_aside(const char *dir, uint64_t now_ms, char *ret_name, size_t size);

#endif /* HISTORY_PLACE_H */
