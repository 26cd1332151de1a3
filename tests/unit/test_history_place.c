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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/history/history.h"
#include "exporter/history/place.h"

static char dir[64], below[128];
static struct sm_diag diag;

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/shardmeter-place-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(below, sizeof(below), "%s/a/b//c", dir);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void make__several_levels__makes_them_all(void **state)
{
	struct stat st;

	assert_int_equal(place_make(below), 0);
	assert_int_equal(place_make(below), 0);
	assert_int_equal(stat(below, &st), 0);
	assert_int_equal(st.st_mode & 07777 & ~0750u, 0);
}

static void make__a_file_in_the_way__says_so(void **state)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/a", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(place_make(below), -ENOTDIR);
	assert_int_equal(place_make(path), -ENOTDIR);
	assert_int_equal(place_make(""), -ENOENT);
}

static void segment_dir__names_and_paths__are_told_apart(void **state)
{
	static const struct {
		const char *segment, *want;	/* want: a pattern's beginning, up to '@' */
	} table[] = {
		{ "bots", "/s/bots" }, { NULL, "/s/default" }, { "", "/s/default" },
		{ "/dev/shm/shardmeter.bots", "/s/bots" }, { "/run/shardmeter/bots", "/s/bots" },
		{ "/dev/shm/shardmeter..x", "/s/shardmeter..x@" }, { "/a/b", "/s/b@" },
		{ "/a/.b c\n", "/s/_b_c_@" }, { "./b", "/s/b@" },
	};
	char path[256], again[256];
	size_t i, len;

	unsetenv("SHARDMETER_SEGMENT");
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(place_segment_dir("/s", table[i].segment, path, sizeof(path)), 0);
		len = strlen(table[i].want);
		assert_memory_equal(path, table[i].want, len);
		assert_int_equal(strlen(path), len + (table[i].want[len - 1] == '@' ? 8 : 0));
	}
	assert_int_equal(place_segment_dir("/s", "/a/b", path, sizeof(path)), 0);
	assert_int_equal(place_segment_dir("/s", "/c/b", again, sizeof(again)), 0);
	assert_string_not_equal(path, again);
	assert_int_equal(place_segment_dir("/s", "//a/.//b", again, sizeof(again)), 0);
	assert_string_equal(path, again);
	assert_int_equal(place_segment_dir("/s", "./.", again, sizeof(again)), 0);
	setenv("SHARDMETER_SEGMENT", "mine", 1);
	assert_int_equal(place_segment_dir("/s", NULL, path, sizeof(path)), 0);
	assert_string_equal(path, "/s/mine");
	unsetenv("SHARDMETER_SEGMENT");
	assert_int_equal(place_segment_dir("/s", "a b", path, sizeof(path)), -EINVAL);
	assert_int_equal(place_segment_dir("/s", ".a", path, sizeof(path)), -EINVAL);
	assert_int_equal(place_segment_dir("/s", "/a/", path, sizeof(path)), -EINVAL);
	assert_int_equal(place_segment_dir("/s", "bots", path, 6), -ENAMETOOLONG);
}

static void make_store(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(place_make(path), 0);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, name, PLACE_DATA);
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

static void find__by_what_there_is__gives_one_or_says_which(void **state)
{
	char want[160], path[160];

	unsetenv("SHARDMETER_SEGMENT");
	snprintf(want, sizeof(want), "%s/default", dir);
	assert_int_equal(place_find(dir, NULL, path, sizeof(path)), -ENOENT);
	assert_string_equal(path, want);
	make_store("bots");
	snprintf(want, sizeof(want), "%s/bots", dir);
	assert_int_equal(place_find(dir, NULL, path, sizeof(path)), 0);
	assert_string_equal(path, want);
	assert_int_equal(place_find(want, NULL, path, sizeof(path)), 0);
	assert_string_equal(path, want);
	make_store("music");
	assert_int_equal(place_find(dir, NULL, path, sizeof(path)), -ENOTUNIQ);
	assert_string_equal(path, dir);
	assert_int_equal(place_find(dir, "bots", path, sizeof(path)), 0);
	assert_string_equal(path, want);
	assert_int_equal(place_find(dir, "none", path, sizeof(path)), -ENOENT);
	setenv("SHARDMETER_SEGMENT", "bots", 1);
	assert_int_equal(place_find(dir, NULL, path, sizeof(path)), 0);
	assert_string_equal(path, want);
	unsetenv("SHARDMETER_SEGMENT");
}

/* In another process: a lock of one's own is never in the way. */
static int lock_in_child(void)
{
	int status, fd;
	pid_t pid = fork();

	if (pid == 0)
		_exit(-place_lock(below, &fd, &diag));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void lock__held__is_refused_until_it_is_let_go(void **state)
{
	int fd, second;
	char want[32];

	assert_int_equal(place_lock(below, &fd, &diag), 0);
	assert_int_equal(lock_in_child(), -EBUSY);
	/* Even in one process: the lock belongs to the open file. */
	assert_int_equal(place_lock(below, &second, &diag), -EBUSY);
	snprintf(want, sizeof(want), "pid %d:", (int)getpid());
	assert_non_null(strstr(diag.message, want));
	assert_non_null(strstr(diag.message, below));
	close(fd);
	assert_int_equal(lock_in_child(), 0);
}

static void lock__not_a_directory__says_why(void **state)
{
	int fd;

	assert_int_equal(place_lock("/dev/null/x", &fd, &diag), -ENOTDIR);
	assert_non_null(strstr(diag.message, "Not a directory"));
}

static void set_aside__nothing_there__is_enoent(void **state)
{
	char name[64];

	assert_int_equal(place_set_aside(dir, 0, name, sizeof(name)), -ENOENT);
}

static void default_dir__follows_xdg_then_home(void **state)
{
	char got[256], store[160];

	if (access("/var/lib/shardmeter", F_OK) == 0 || access("/var/lib", W_OK) == 0) {
		/* For writing the system's place comes first; for reading only with a store in it. */
		assert_int_equal(history_default_dir(1, got, sizeof(got)), 0);
		assert_string_equal(got, "/var/lib/shardmeter");
	}
	if (access("/var/lib/shardmeter/" PLACE_DATA, F_OK) == 0)
		return;
	setenv("XDG_STATE_HOME", dir, 1);
	assert_int_equal(history_default_dir(0, got, sizeof(got)), 0);
	snprintf(store, sizeof(store), "%s/shardmeter", dir);
	assert_string_equal(got, store);
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", "/home/nobody", 1);
	assert_int_equal(history_default_dir(0, got, sizeof(got)), 0);
	assert_string_equal(got, "/home/nobody/.local/state/shardmeter");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	assert_int_equal(history_default_dir(0, got, sizeof(got)), -ENOENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(segment_dir__names_and_paths__are_told_apart),
		TEST(find__by_what_there_is__gives_one_or_says_which),
		TEST(make__several_levels__makes_them_all),
		TEST(make__a_file_in_the_way__says_so),
		TEST(lock__held__is_refused_until_it_is_let_go),
		TEST(lock__not_a_directory__says_why),
		TEST(set_aside__nothing_there__is_enoent),
		TEST(default_dir__follows_xdg_then_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
