/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.c - see lock.h.
 *
 * Catalog lock. Taken through a descriptor opened for the purpose, so it is dropped when that is
 * closed or the process dies. The holder writes header.op before its first change and clears it
 * after the last; whoever takes the lock and finds op set knows that a holder died, and mends first.
 *
 * Life lock. An open-file-description lock lives as long as its description. The only
 * reference to the description is a mapping of it that fork does not copy, so the lock lives
 * exactly as long as an address space that can write the lanes: freed by exec and by death,
 * untouched by close() and close_range(), not inherited by a child.
 *	  What remains: a child made by _Fork() or raw clone() by another thread between open and
 * close below inherits the descriptor, and the lock lives until that child execs or ends. (fork()
 * is held off by the process mutex.)
 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "steps.h"

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int catalog_lock(const struct region *r, unsigned timeout_ms)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SM_LOCK_CATALOG, .l_len = 1 };
	struct timespec pause = { 0, 50000 };
	uint64_t until = 0, now;
	int fd = region_reopen(r);

	if (fd < 0)
		return fd;
	while (fcntl(fd, F_OFD_SETLK, &fl) != 0) {
		int e = errno;

		now = monotonic_ns();
		if (!until)
			until = now + timeout_ms * UINT64_C(1000000);
		if ((e != EAGAIN && e != EACCES && e != EINTR) || now >= until) {
			close(fd);
			return e == EAGAIN || e == EACCES || e == EINTR ? -ETIMEDOUT : -e;
		}
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 1000000)
			pause.tv_nsec *= 2;
	}
	/* Pairs with catalog_done(): what the last holder wrote is seen. The lock itself orders it on
	 * every kernel; the fence says so to the compiler and to tools. */
	fence_acquire();
	if (load_relaxed(&r->head->op) != SM_OP_NONE)
		recover(r, fd);
	return fd;
}

void catalog_unlock(const struct region *r, int fd)
{
	struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = SM_LOCK_CATALOG, .l_len = 1 };

	(void)r;
	/* Said explicitly: a child that another thread made meanwhile by _Fork() or clone() has the
	 * descriptor, too, and the lock would stay for as long as it does. */
	fcntl(fd, F_OFD_SETLK, &fl);
	close(fd);
}

void catalog_begin(const struct region *r, uint32_t op, uint32_t arg)
{
	store_relaxed(&r->head->op_arg, arg);
	store_release(&r->head->op, op);
	fence_full();		/* op is set before any of the change is visible to a later holder */
	SM_STEP("op:begun");
}

void catalog_done(const struct region *r, bool changed)
{
	/* Readers acquire catalog_gen before they copy the catalog: pairs with snapshot.c. */
	if (changed)
		store_release(&r->head->catalog_gen, r->head->catalog_gen + 1);
	SM_STEP("op:published");
	store_release(&r->head->op, SM_OP_NONE);
}

int life_take(const struct region *r, unsigned slot, void **ret_page)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SM_LOCK_LIFE(slot), .l_len = 1 };
	int fd = region_reopen(r), rc = 0;
	void *page;

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_OFD_SETLK, &fl) != 0) {
		rc = errno == EACCES ? -EAGAIN : -errno;
		close(fd);
		return rc;
	}
	page = mmap(NULL, SM_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		rc = -errno;
	} else if (madvise(page, SM_PAGE, MADV_DONTFORK) != 0) {
		rc = -errno;
		munmap(page, SM_PAGE);
	} else {
		*ret_page = page;
	}
	close(fd);
	return rc;
}

void life_drop(void *page)
{
	if (page)
		munmap(page, SM_PAGE);
}

int life_held(int fd, unsigned slot)
{
	struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = SM_LOCK_LIFE(slot), .l_len = 1 };

	if (fcntl(fd, F_OFD_GETLK, &fl) != 0)
		return -errno;
	return fl.l_type != F_UNLCK;
}
