/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=fsync
/* test_cli_file.c - a file that appears whole or not at all. */
#include "test_cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tools/shardmeter/file.h"

static char dir[64], path[128];
static struct capture cap;

static int setup(void **state)
{
	strcpy(dir, "/dev/shm/test-cli-file.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/out.prom", dir);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir); /* fails if a temporary file was left */
}

static const char *content(void)
{
	static char text[64];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

static unsigned entries(void)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void file__committed__is_there_with_mode_0644(void **state)
{
	struct cli_file f;
	struct stat st;
	mode_t old = umask(077);

	assert_int_equal(cli_file_open(&test_cli, &f, path), 0);
	fputs("new\n", f.f);
	assert_null(content());
	/* The collector reads *.prom: the temporary name must be another. */
	assert_string_not_equal(strrchr(f.temporary, '.'), ".prom");
	assert_int_equal(cli_file_commit(&test_cli, &f), 0);
	umask(old);
	assert_string_equal(content(), "new\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(entries(), 1);
}

static void file__abandoned__leaves_the_old_one(void **state)
{
	struct cli_file f;

	assert_int_equal(cli_file_open(&test_cli, &f, path), 0);
	fputs("old", f.f);
	assert_int_equal(cli_file_commit(&test_cli, &f), 0);
	assert_int_equal(cli_file_open(&test_cli, &f, path), 0);
	fputs("new", f.f);
	cli_file_abandon(&f);
	cli_file_abandon(&f);
	assert_string_equal(content(), "old");
	assert_int_equal(entries(), 1);
}

static int sync_fails;

int __real_fsync(int fd);
int __wrap_fsync(int fd)
{
	if (!sync_fails)
		return __real_fsync(fd);
	errno = ENOSPC;
	return -1;
}

static void file__disk_full__leaves_the_old_one_and_says_so(void **state)
{
	struct cli_file f;
	int rc;

	assert_int_equal(cli_file_open(&test_cli, &f, path), 0);
	fputs("old", f.f);
	assert_int_equal(cli_file_commit(&test_cli, &f), 0);
	assert_int_equal(cli_file_open(&test_cli, &f, path), 0);
	fputs("new", f.f);
	sync_fails = 1;
	capture_begin(&cap, stderr);
	rc = cli_file_commit(&test_cli, &f);
	capture_end(&cap);
	sync_fails = 0;
	assert_int_equal(rc, CLI_FAILED);
	assert_non_null(strstr(cap.text, "No space left on device; what was there is unchanged"));
	assert_string_equal(content(), "old");
	assert_int_equal(entries(), 1);
}

static void file__no_directory__is_one_message(void **state)
{
	struct cli_file f;
	int rc;

	capture_begin(&cap, stderr);
	rc = cli_file_open(&test_cli, &f, "/dev/shm/no-such-directory/x");
	capture_end(&cap);
	assert_int_equal(rc, CLI_FAILED);
	assert_string_equal(cap.text,
		"shardmeter inc: cannot write beside /dev/shm/no-such-directory/x: "
		"No such file or directory\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			file__committed__is_there_with_mode_0644, setup, teardown),
		cmocka_unit_test_setup_teardown(
			file__abandoned__leaves_the_old_one, setup, teardown),
		cmocka_unit_test_setup_teardown(
			file__disk_full__leaves_the_old_one_and_says_so, setup, teardown),
		cmocka_unit_test(file__no_directory__is_one_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
