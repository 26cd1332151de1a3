/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.h - the store's directory: where it is, who owns it, what is set aside.
 *
 * Depends on <shardmeter.h>. --storage.path holds a directory for each segment, so that a segment may
 * be added or left out without moving anything:
 *
 *	NAME			a segment in its usual place
 *	FILE@XXXXXXXX		a segment given as a path: the file's name and a checksum of the path
 *
 * Such a directory is a store:
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

/* Numbers of the file's tree `meta` that say whose it is. */
#define PLACE_MAGIC	UINT64_C(0x73687264686973f1)	/* "shrdhis", and a byte that is no text */
#define PLACE_FORMAT	2u

/* place_path - dir/name. 0 or -ENAMETOOLONG. */
int place_path(const char *dir, const char *name, char *ret_path, size_t size);

/*
 * place_segment_dir - the directory of a segment's store. storage is --storage.path; segment as in
 * sm_options, NULL or "" for what SHARDMETER_SEGMENT says, else the default. A path to a usual place
 * is the name that it stands for. Nothing needs to exist. 0, -EINVAL (no name), -ENAMETOOLONG.
 */
int place_segment_dir(const char *storage, const char *segment, char *ret_dir, size_t size);

/*
 * place_find - the store that a reader means. storage may itself be a store's directory; NULL or "" is
 * the default place (history.h). Without a segment, neither here nor in SHARDMETER_SEGMENT, the
 * only store there is. 0, -EINVAL, -ENAMETOOLONG, -ENOENT (none, ret_dir is where one was looked
 * for), or -ENOTUNIQ: several, and ret_dir is storage; place_each() names them.
 */
int place_find(const char *storage, const char *segment, char *ret_dir, size_t size);

/* place_each - call fn with the name of every store below storage, in order; stops when fn returns
 * non-zero and returns that. */
int place_each(const char *storage, int (*fn)(void *ctx, const char *name), void *ctx);

/* place_make - make the directory and what is missing above it, mode 0750. 0 or -errno. */
int place_make(const char *dir);

/*
 * place_lock - become the store's only writer, until ret_fd is closed or the process ends. Makes
 * the directory. 0; -EBUSY when another exporter has it (diag names it); or -errno.
 */
int place_lock(const char *dir, int *ret_fd, struct sm_diag *diag);

/* place_locked - 1 while fd of place_lock() still is what another exporter would have to lock; 0 when the
 * lock's file was removed or replaced. */
int place_locked(const char *dir, int fd);

/*
 * place_set_aside - rename the data file so that a new one can begin; older ones beyond
 * PLACE_ASIDE_KEPT are removed. Nobody in this process may have it open in LMDB. ret_name is the
 * new name. 0, -ENOENT if there was none, or -errno.
 */
int place_set_aside(const char *dir, uint64_t now_ms, char *ret_name, size_t size);

#endif /* HISTORY_PLACE_H */
