/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/listen.h"

static char dir[64], path[96], address[112], error[256];

static int setup(void **state)
{
	strcpy(dir, "/tmp/shardmeter-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(address, sizeof(address), "unix:%s", path);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static void check__forms__are_told_apart(void **state)
{
	assert_int_equal(listen_check("unix:/run/x"), 0);
	assert_int_equal(listen_check("[::1]:80"), 0);
	assert_int_equal(listen_check(":0"), 0);
	assert_int_equal(listen_check("unix:run/x"), -EINVAL);
	assert_int_equal(listen_check("unix:/"), -EINVAL);
	assert_int_equal(listen_check("unix:"), -EINVAL);
	assert_int_equal(listen_check("localhost"), -EINVAL);
	assert_int_equal(listen_check("localhost:65536"), -EINVAL);
	assert_int_equal(listen_check(""), -EINVAL);
}

static void open__unix__has_its_mode_and_goes(void **state)
{
	struct listener l;
	struct stat st;

	assert_int_equal(listen_open(address, 0640, &l, error, sizeof(error)), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_string_equal(l.text, address);
	assert_true(fcntl(l.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(l.fd, F_GETFL) & O_NONBLOCK);
	listen_close(&l);
	assert_int_equal(lstat(path, &st), -1);
	listen_close(&l);
}

static void open__a_live_socket__is_left_alone(void **state)
{
	struct listener l, other;

	assert_int_equal(listen_open(address, 0600, &l, error, sizeof(error)), 0);
	assert_int_equal(listen_open(address, 0600, &other, error, sizeof(error)), -EADDRINUSE);
	assert_non_null(strstr(error, "another process listens there"));
	listen_close(&l);
}

static void open__a_stale_socket__is_replaced(void **state)
{
	struct listener l, next;
	struct stat before, after;

	assert_int_equal(listen_open(address, 0600, &l, error, sizeof(error)), 0);
	close(l.fd);
	assert_int_equal(lstat(path, &before), 0);
	assert_int_equal(listen_open(address, 0600, &next, error, sizeof(error)), 0);
	assert_int_equal(lstat(path, &after), 0);
	assert_true(before.st_ino != after.st_ino);
	/* The first one does not remove what is not its own any more. */
	l.fd = -1;
	listen_close(&l);
	assert_int_equal(lstat(path, &after), 0);
	listen_close(&next);
}

static void open__another_file__is_left_alone(void **state)
{
	struct listener l;
	char long_address[300];
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	close(fd);
	assert_int_equal(listen_open(address, 0600, &l, error, sizeof(error)), -EEXIST);
	assert_non_null(strstr(error, "not a socket"));
	assert_int_equal(access(path, F_OK), 0);
	snprintf(long_address, sizeof(long_address), "%s/%0120d", address, 0);
	assert_int_equal(listen_open(long_address, 0600, &l, error, sizeof(error)), -ENAMETOOLONG);
	assert_int_equal(listen_open("unix:/nowhere/at/all", 0600, &l, error, sizeof(error)), -ENOENT);
}

static void adopt__only_listening_sockets__are_taken(void **state)
{
	struct listener l, adopted;
	int fds[2], fd;

	assert_int_equal(listen_open("127.0.0.1:0", 0, &l, error, sizeof(error)), 0);
	fd = dup(l.fd);
	fcntl(fd, F_SETFL, 0);
	assert_int_equal(listen_adopt(fd, &adopted, error, sizeof(error)), 0);
	assert_true(adopted.is_inherited);
	assert_string_equal(adopted.text, l.text);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	listen_close(&adopted);
	listen_close(&l);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(listen_adopt(fds[0], &adopted, error, sizeof(error)), -EINVAL);
	assert_int_equal(listen_adopt(-1, &adopted, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "ListenStream="));
	close(fds[0]);
	close(fds[1]);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(check__forms__are_told_apart),
		test(open__unix__has_its_mode_and_goes),
		test(open__a_live_socket__is_left_alone),
		test(open__a_stale_socket__is_replaced),
		test(open__another_file__is_left_alone),
		test(adopt__only_listening_sockets__are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
