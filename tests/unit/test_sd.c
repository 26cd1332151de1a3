/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/sd.h"

static int setup(void **state)
{
	clearenv();
	return 0;
}

static void set_pid(const char *variable, long pid)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", pid);
	setenv(variable, text, 1);
}

static void listen_fds__meant_for_this_process__are_counted(void **state)
{
	assert_int_equal(sd_listen_fds(), 0);
	set_pid("LISTEN_PID", getpid());
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(sd_listen_fds(), 2);
	assert_null(getenv("LISTEN_FDS"));
	assert_int_equal(sd_listen_fds(), 0);
	set_pid("LISTEN_PID", getpid() + 1);
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(sd_listen_fds(), 0);
	set_pid("LISTEN_PID", getpid());
	setenv("LISTEN_FDS", "99999999999999999999", 1);
	assert_int_equal(sd_listen_fds(), 0);
	set_pid("LISTEN_PID", getpid());
	setenv("LISTEN_FDS", "-1", 1);
	assert_int_equal(sd_listen_fds(), 0);
}

static void watchdog__meant_for_this_process__is_in_ms(void **state)
{
	assert_int_equal(sd_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "3000000", 1);
	assert_int_equal(sd_watchdog_ms(), 3000);
	set_pid("WATCHDOG_PID", getpid());
	assert_int_equal(sd_watchdog_ms(), 3000);
	set_pid("WATCHDOG_PID", getpid() + 1);
	assert_int_equal(sd_watchdog_ms(), 0);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "soon", 1);
	assert_int_equal(sd_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "1", 1);
	assert_int_equal(sd_watchdog_ms(), 1);
}

static void notify__abstract_socket__gets_the_text(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char name[64], got[64] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(name, sizeof(name), "@shardmeter-test-%ld", (long)getpid());
	memcpy(sa.sun_path, name, strlen(name));
	sa.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
	assert_int_equal(sd_notify("READY=1"), 0);	/* nobody asked */
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(sd_notify("READY=1"), 0);
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 7);
	assert_string_equal(got, "READY=1");
	sd_notify_reloading();
	assert_true(recv(fd, got, sizeof(got), MSG_DONTWAIT) > 20);
	assert_memory_equal(got, "RELOADING=1\nMONOTONIC_USEC=", 27);
	close(fd);
	assert_int_equal(sd_notify("READY=1"), -ECONNREFUSED);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(sd_notify("READY=1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(listen_fds__meant_for_this_process__are_counted, setup),
		cmocka_unit_test_setup(watchdog__meant_for_this_process__is_in_ms, setup),
		cmocka_unit_test_setup(notify__abstract_socket__gets_the_text, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
