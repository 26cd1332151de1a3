/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard.c - turn a fault inside LMDB into an error.
 *
 * A fault is synchronous: it belongs to the instruction of the thread that runs guard_run(), and
 * the jump out of the handler is the same as a jump out of that instruction. What the thread held
 * at that moment stays held: LMDB's writer mutex in the lock file, perhaps the lock of malloc when
 * a damaged page made LMDB write beyond a buffer. The first is harmless, since the environment is
 * abandoned with its lock file. The second is what verify.c is for: pages with wrong sizes are
 * found before LMDB sees them.
 */
#include "exporter/history/guard.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

static pthread_mutex_t install_mutex = PTHREAD_MUTEX_INITIALIZER;
/* A mapping that ends too early, an offset to nowhere, a page size of 0. */
static const int faults[] = { SIGBUS, SIGSEGV, SIGFPE };
#define NFAULTS (sizeof(faults) / sizeof(faults[0]))
static struct sigaction before[NFAULTS];
static __thread sigjmp_buf *landing;

static void on_fault(int sig)
{
	sigjmp_buf *to = landing;
	size_t i;

	if (to) {
		landing = NULL;
		siglongjmp(*to, 1);
	}
	/* Not ours: put the former handler back and let the instruction fault again. */
	for (i = 0; i < NFAULTS; i++)
		if (faults[i] == sig)
			sigaction(sig, &before[i], NULL);
}

/* Make sure that the signals come to us, whoever may have taken them since the last time. */
static void install(void)
{
	struct sigaction now, ours = { .sa_handler = on_fault };
	size_t i;

	sigemptyset(&ours.sa_mask);
	for (i = 0; i < NFAULTS; i++) {
		if (sigaction(faults[i], NULL, &now) < 0 || now.sa_handler == on_fault)
			continue;
		before[i] = now;
		sigaction(faults[i], &ours, NULL);
	}
}

int guard_run(int (*fn)(void *arg), void *arg)
{
	sigjmp_buf here;
	int rc;

	pthread_mutex_lock(&install_mutex);
	install();
	pthread_mutex_unlock(&install_mutex);
	if (sigsetjmp(here, 1))
		return -EFAULT;
	landing = &here;
	rc = fn(arg);
	landing = NULL;
	return rc;
}

int guard_errno(int rc)
{
	switch (rc) {
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_BAD_TXN:
		return -EBADMSG;
	case MDB_VERSION_MISMATCH:
		return -EPROTONOSUPPORT;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return -ENOSPC;
	case MDB_READERS_FULL:
		return -EBUSY;
	default:
		return rc > 0 ? -rc : rc < 0 ? -EIO : 0;
	}
}

void guard_assert(MDB_env *env, const char *text)
{
	sigjmp_buf *to = landing;

	(void)env;
	(void)text;
	if (!to)
		abort();
	landing = NULL;
	siglongjmp(*to, 1);
}

struct abandoned {
	struct abandoned *next;
	void *memory;
};
static _Atomic(struct abandoned *) abandoned_list;

void guard_abandon(void *memory)
{
	struct abandoned *a = memory ? malloc(sizeof(*a)) : NULL;

	if (!a)
		return;
	a->memory = memory;
	a->next = abandoned_list;
	while (!atomic_compare_exchange_weak(&abandoned_list, &a->next, a))
		;
}
