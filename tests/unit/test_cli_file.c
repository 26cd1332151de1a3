/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=fsync,--wrap=access
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
	assert_int_equal(entries(), 0); /* no name until it is complete */
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

static int no_proc;

int __real_access(const char *name, int mode);
int __wrap_access(const char *name, int mode)
{
	if (!no_proc)
		return __real_access(name, mode);
	errno = ENOENT;
	return -1;
}

static void file__without_nameless_files__has_another_name(void **state)
{
	struct cli_file f;

	no_proc = 1;
	assert_int_equal(cli_file_open(&test_cli, &f, path), 0);
	fputs("named", f.f);
	assert_int_equal(entries(), 1);
	/* The collector reads *.prom: the temporary name must be another. */
	assert_string_not_equal(strrchr(f.temporary, '.'), ".prom");
	assert_int_equal(cli_file_commit(&test_cli, &f), 0);
	assert_string_equal(content(), "named");
	assert_int_equal(cli_file_open(&test_cli, &f, path), 0);
	cli_file_abandon(&f);
	no_proc = 0;
	assert_int_equal(entries(), 1);
}

static void make(const char *ending)
{
	char name[sizeof(path) + 32];
	int fd;

	snprintf(name, sizeof(name), "%s%s", path, ending);
	fd = open(name, O_WRONLY | O_CREAT, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static void file__stale_ones__are_removed_others_stay(void **state)
{
	char name[sizeof(path) + 32];
	struct cli_file first, second;

	make(".shardmeter-aB3xYz"); /* of a process that was killed */
	make(".shardmeter-bbbbbb");
	make(".backup");
	make(".shardmeter-a-3xYz");
	no_proc = 1;
	assert_int_equal(cli_file_open(&test_cli, &first, path), 0);
	assert_int_equal(entries(), 3);
	/* One that is being written is not stale. */
	assert_int_equal(cli_file_open(&test_cli, &second, path), 0);
	assert_int_equal(entries(), 4);
	cli_file_abandon(&second);
	fputs("kept", first.f);
	assert_int_equal(cli_file_commit(&test_cli, &first), 0);
	no_proc = 0;
	assert_string_equal(content(), "kept");
	snprintf(name, sizeof(name), "%s.backup", path);
	assert_int_equal(unlink(name), 0);
	snprintf(name, sizeof(name), "%s.shardmeter-a-3xYz", path);
	assert_int_equal(unlink(name), 0);
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

static void file__pipe__is_written_and_stays_one(void **state)
{
	struct cli_file f;
	struct stat st;
	char text[16];
	int fd;

	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR);
	assert_int_equal(cli_file_open(&test_cli, &f, path), 0);
	fputs("into", f.f);
	assert_int_equal(cli_file_commit(&test_cli, &f), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	close(fd);
}

static void file__link__its_target_is_replaced(void **state)
{
	char target[sizeof(path) + 8];
	struct cli_file f;
	struct stat st;

	snprintf(target, sizeof(target), "%s.real", path);
	assert_int_equal(symlink("out.prom.real", path), 0);
	capture_begin(&cap, stderr);
	assert_int_not_equal(cli_file_open(&test_cli, &f, path), 0);	/* it leads to nothing */
	assert_non_null(strstr(capture_end(&cap), "symbolic link to nothing"));
	make(".real");
	assert_int_equal(cli_file_open(&test_cli, &f, path), 0);
	fputs("new", f.f);
	assert_int_equal(cli_file_commit(&test_cli, &f), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_string_equal(content(), "new");
	unlink(target);
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
		cmocka_unit_test_setup_teardown(
			file__without_nameless_files__has_another_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
			file__stale_ones__are_removed_others_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(
			file__pipe__is_written_and_stays_one, setup, teardown),
		cmocka_unit_test_setup_teardown(
			file__link__its_target_is_replaced, setup, teardown),
		cmocka_unit_test(file__no_directory__is_one_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
