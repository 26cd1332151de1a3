/* SPDX-License-Identifier: Apache-2.0 */
/* test_lock.c - the catalog lock and the life locks: how long they last, and what cannot take
 * them away. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "lock.h"
#include "segment.h"

static const struct region *r(void)
{
	return segment.m->region;
}

static uint64_t now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* In a child: what it exits with. */
static int in_child(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(f());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int lock_catalog(void)
{
	int fd = catalog_lock(r(), 20);

	return fd >= 0 ? 0 : -fd;
}

static void catalog__held__times_out_for_others(void **state)
{
	uint64_t start;
	int fd = catalog_lock(r(), 20);

	assert_true(fd >= 0);
	start = now_ms();
	assert_int_equal(in_child(lock_catalog), ETIMEDOUT);
	assert_in_range(now_ms() - start, 20, 5000);
	/* Also for another description in this process: not as POSIX locks do. */
	assert_int_equal(catalog_lock(r(), 0), -ETIMEDOUT);
	catalog_unlock(r(), fd);
	assert_int_equal(in_child(lock_catalog), 0);
}

static void catalog__unlocked__is_free_though_a_child_has_the_descriptor(void **state)
{
	int fd = catalog_lock(r(), 20), ends[2] = { -1, -1 };
	char c;
	pid_t pid;

	assert_true(fd >= 0 && pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], &c, 1) == 0 ? 0 : 1);	/* lives until the parent is done */
	}
	catalog_unlock(r(), fd);
	fd = catalog_lock(r(), 0);
	assert_true(fd >= 0);
	catalog_unlock(r(), fd);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int die_with_lock(void)
{
	catalog_lock(r(), 20);
	catalog_begin(r(), SM_OP_REGISTER, 0);
	raise(SIGKILL);
	return 0;
}

static void catalog__whose_holder_died__is_recovered_once(void **state)
{
	uint64_t before = r()->head->recovered[SM_OP_REGISTER], generation = r()->head->catalog_gen;
	int status, fd, i;
	pid_t pid = fork();

	if (pid == 0)
		_exit(die_with_lock());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(r()->head->op, SM_OP_REGISTER);
	for (i = 0; i < 2; i++) {
		fd = catalog_lock(r(), 100);
		assert_true(fd >= 0);
		assert_int_equal(r()->head->op, SM_OP_NONE);
		assert_int_equal(r()->head->recovered[SM_OP_REGISTER], before + 1);
		assert_true(r()->head->catalog_gen > generation);	/* readers look again */
		catalog_unlock(r(), fd);
	}
}

static void catalog__of_a_removed_file__is_stale(void **state)
{
	assert_int_equal(unlink(segment.path), 0);
	assert_int_equal(catalog_lock(r(), 20), -ESTALE);
	assert_int_equal(close(open(segment.path, O_CREAT | O_RDWR, 0640)), 0);
	assert_int_equal(catalog_lock(r(), 20), -ESTALE);
}

static void operation__done__raises_the_generation_if_it_changed(void **state)
{
	int fd = catalog_lock(r(), 100);
	uint64_t generation = r()->head->catalog_gen;

	catalog_begin(r(), SM_OP_REMOVE, 17);
	assert_int_equal(r()->head->op, SM_OP_REMOVE);
	assert_int_equal(r()->head->op_arg, 17);
	catalog_done(r(), false);
	assert_int_equal(r()->head->op, SM_OP_NONE);
	assert_int_equal(r()->head->catalog_gen, generation);
	catalog_begin(r(), SM_OP_REMOVE, 17);
	catalog_done(r(), true);
	assert_int_equal(r()->head->catalog_gen, generation + 1);
	catalog_unlock(r(), fd);
}

/* ---- life ---------------------------------------------------------------------------------- */

#define SLOT 5

static bool held(void)
{
	int fd = open(segment.path, O_RDONLY | O_CLOEXEC), rc;

	assert_true(fd >= 0);
	rc = life_held(fd, SLOT);
	close(fd);
	assert_in_range(rc, 0, 1);
	return rc;
}

static int take_life(void)
{
	void *page;

	return -life_take(r(), SLOT, &page);
}

static int close_everything(void)
{
	int fd;

	for (fd = 3; fd < 1024; fd++)
		close(fd);
	return 0;
}

static void life__taken__lasts_until_it_is_dropped(void **state)
{
	void *page, *second;

	assert_false(held());
	assert_int_equal(life_take(r(), SLOT, &page), 0);
	assert_true(held());
	assert_int_equal(in_child(take_life), EAGAIN);
	assert_int_equal(life_take(r(), SLOT, &second), -EAGAIN);	/* nor twice here */
	close_everything();
	assert_true(held());
	assert_int_equal(close(open(segment.path, O_RDWR)), 0); /* any close() drops a POSIX lock */
	assert_true(held());
	life_drop(page);
	assert_false(held());
	assert_int_equal(in_child(take_life), 0);
	assert_false(held());						/* it went with the child */
	life_drop(NULL);
}

static void life__of_a_parent__is_not_the_childs(void **state)
{
	void *page;
	int status, go[2] = { -1, -1 }, done[2] = { -1, -1 };
	char c;
	pid_t pid, middle;

	if (getenv("EMULATED"))
		skip();			/* qemu-user 7.2 does nothing for MADV_DONTFORK */
	assert_true(pipe(go) == 0 && pipe(done) == 0);
	/* The holder dies while its child lives. */
	middle = fork();
	if (middle == 0) {
		if (life_take(r(), SLOT, &page) != 0)
			_exit(1);
		pid = fork();
		if (pid == 0) {
			close(go[1]);
			if (write(done[1], "x", 1) != 1 || read(go[0], &c, 1) != 0)
				_exit(1);
			_exit(0);
		}
		_exit(read(done[0], &c, 1) == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(middle, &status, 0), middle);
	assert_int_equal(status, 0);
	assert_false(held());
	close(go[1]);
	close(go[0]);
}

static void life__of_an_executed_program__is_gone(void **state)
{
	void *page;
	int ends[2] = { -1, -1 };
	char c;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		if (life_take(r(), SLOT, &page) != 0 || dup2(ends[1], 1) != 1)
			_exit(1);
		execl("/bin/sh", "sh", "-c", "echo x; sleep 60", NULL);
		_exit(127);
	}
	assert_int_equal(read(ends[0], &c, 1), 1);
	assert_false(held());
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	close(ends[1]);
}

static void life__of_other_slots__is_independent(void **state)
{
	void *page[2];
	int fd;

	assert_int_equal(life_take(r(), SLOT - 1, &page[0]), 0);
	assert_int_equal(life_take(r(), SLOT + 1, &page[1]), 0);
	assert_false(held());
	fd = open(segment.path, O_RDONLY);
	assert_int_equal(life_held(fd, SLOT - 1), 1);
	assert_int_equal(life_held(fd, SLOT + 1), 1);
	assert_int_equal(life_held(-1, SLOT), -EBADF);
	close(fd);
	life_drop(page[0]);
	life_drop(page[1]);
}

/* A reader may only query; if it takes a read lock by mistake, that is seen as life, and as a
 * slot to avoid. */
static void life__read_locked_by_a_reader__is_avoided(void **state)
{
	struct flock fl = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = SM_LOCK_LIFE(SLOT), .l_len = 1
	};
	int fd = open(segment.path, O_RDONLY);
	void *page;

	assert_int_equal(fcntl(fd, F_OFD_SETLK, &fl), 0);
	assert_int_equal(life_take(r(), SLOT, &page), -EAGAIN);
	assert_false(held());		/* the query is for a read lock */
	close(fd);
	assert_int_equal(life_take(r(), SLOT, &page), 0);
	life_drop(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(catalog__held__times_out_for_others),
		segment_test(catalog__unlocked__is_free_though_a_child_has_the_descriptor),
		segment_test(catalog__whose_holder_died__is_recovered_once),
		segment_test(catalog__of_a_removed_file__is_stale),
		segment_test(operation__done__raises_the_generation_if_it_changed),
		segment_test(life__taken__lasts_until_it_is_dropped),
		segment_test(life__of_a_parent__is_not_the_childs),
		segment_test(life__of_an_executed_program__is_gone),
		segment_test(life__of_other_slots__is_independent),
		segment_test(life__read_locked_by_a_reader__is_avoided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
