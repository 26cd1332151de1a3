/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/history/guard.h"

static int give(void *arg)
{
	return *(int *)arg;
}

/* A mapping beyond the end of its file: SIGBUS. */
static int touch_beyond_the_end(void *arg)
{
	int fd = memfd_create("guard", MFD_CLOEXEC);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	(void)arg;
	close(fd);
	return *p;
}

static int touch_nothing(void *arg)
{
	volatile char *p = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	return *p;
}

static int fail_assertion(void *arg)
{
	guard_assert(arg, "an assertion");
	return 0;
}

static void run__no_fault__gives_the_result(void **state)
{
	int rc = -17;

	assert_int_equal(guard_run(give, &rc), -17);
}

static void run__fault__is_an_error_each_time(void **state)
{
	int i, zero = 0;

	for (i = 0; i < 3; i++) {
		assert_int_equal(guard_run(touch_beyond_the_end, NULL), -EFAULT);
		assert_int_equal(guard_run(touch_nothing, NULL), -EFAULT);
		assert_int_equal(guard_run(fail_assertion, NULL), -EFAULT);
		assert_int_equal(guard_run(give, &zero), 0);
	}
}

static void *many_faults(void *arg)
{
	int i;

	for (i = 0; i < 200; i++)
		if (guard_run(touch_beyond_the_end, NULL) != -EFAULT)
			*(int *)arg = 1;
	return NULL;
}

static void run__faults_in_threads__stay_in_their_thread(void **state)
{
	pthread_t threads[4];
	int wrong = 0, i;

	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_faults, &wrong), 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
}

static void fault__outside__ends_the_process_as_ever(void **state)
{
	int status, zero = 0;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		guard_run(give, &zero);
		touch_beyond_the_end(NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void errno__of_lmdb__has_a_meaning(void **state)
{
	assert_int_equal(guard_errno(0), 0);
	assert_int_equal(guard_errno(EACCES), -EACCES);
	assert_int_equal(guard_errno(MDB_CORRUPTED), -EBADMSG);
	assert_int_equal(guard_errno(MDB_MAP_FULL), -ENOSPC);
	assert_int_equal(guard_errno(MDB_READERS_FULL), -EBUSY);
	assert_int_equal(guard_errno(MDB_VERSION_MISMATCH), -EPROTONOSUPPORT);
	assert_int_equal(guard_errno(MDB_PANIC), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run__no_fault__gives_the_result),
		cmocka_unit_test(run__fault__is_an_error_each_time),
		cmocka_unit_test(run__faults_in_threads__stay_in_their_thread),
		cmocka_unit_test(fault__outside__ends_the_process_as_ever),
		cmocka_unit_test(errno__of_lmdb__has_a_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
