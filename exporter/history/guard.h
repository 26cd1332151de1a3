/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard.h - survive a memory-mapped file that somebody truncated or damaged.
 *
 * Depends on LMDB's header only. LMDB reads its file through a mapping and checks little: a
 * truncated file is SIGBUS, a wrong offset may be SIGSEGV or a failed assertion. History is never
 * a reason for its process to die, so every call into LMDB runs in here.
 */
#ifndef HISTORY_GUARD_H
#define HISTORY_GUARD_H

#include <lmdb.h>

/*
 * guard_run - fn(arg), or -EFAULT when a SIGBUS, a SIGSEGV, a SIGFPE or a failed assertion of LMDB
 * ended it in the middle. After that nothing fn worked on may be touched again, its LMDB environment
 * least of all: pass it to guard_abandon() and open another.
 *
 * It installs signal handlers if they are not; faults outside go to whoever had the signal before.
 * Thread: safe, a fault concerns its own thread. May not be nested.
 */
int guard_run(int (*fn)(void *arg), void *arg);

/* guard_errno - an LMDB or system error code as -errno; 0 stays 0. */
int guard_errno(int rc);

/* guard_assert - for mdb_env_set_assert(). */
void guard_assert(MDB_env *env, const char *text);

/* guard_abandon - keep memory that nobody can free any more, so that leak checkers know it. */
void guard_abandon(void *memory);

#endif /* HISTORY_GUARD_H */
