/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=stat
/* test_paths.c - from a segment's name to its file. */
#include <errno.h>
#include <setjmp.h>
#include <shardmeter_reader.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "paths.h"

/* Is there a /run/shardmeter? The machine is not asked. */
static bool run_exists;

int __real_stat(const char *path, struct stat *st);

int __wrap_stat(const char *path, struct stat *st)
{
	if (strcmp(path, "/run/shardmeter") != 0)
		return __real_stat(path, st);
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFDIR | 0755;
	errno = ENOENT;
	return run_exists ? 0 : -1;
}

static const char *path_for(const char *name)
{
	static char path[SM_PATH_MAX];
	struct sm_diag diag = { 0 };
	int rc = sm_path_for(name, path, sizeof(path), &diag);

	if (rc)
		fail_msg("%s: %s", name, diag.message);
	return path;
}

static void name__without_a_run_directory__is_in_dev_shm(void **state)
{
	run_exists = false;
	assert_string_equal(path_for("music"), "/dev/shm/shardmeter.music");
	assert_string_equal(path_for(NULL), "/dev/shm/shardmeter.default");
	assert_string_equal(path_for(""), "/dev/shm/shardmeter.default");
}

static void name__with_a_run_directory__is_there(void **state)
{
	run_exists = true;
	assert_string_equal(path_for("music"), "/run/shardmeter/music");
	assert_string_equal(path_for(NULL), "/run/shardmeter/default");
	run_exists = false;
}

static void value__with_a_slash__is_a_path(void **state)
{
	assert_string_equal(path_for("/srv/pod/metrics"), "/srv/pod/metrics");
	assert_string_equal(path_for("./here"), "./here");
}

static void name__that_is_malformed__is_refused(void **state)
{
	static const char *const bad[] = { ".hidden", "..", "a b", "a\nb", "a%b", "\xc3\xa4", "a:b",
		"a~b" };
	char path[SM_PATH_MAX], longest[102];
	struct sm_diag diag;
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(sm_path_for(bad[i], path, sizeof(path), &diag), -EINVAL);
		assert_non_null(strstr(diag.message, "segment name"));
	}
	memset(longest, 'x', 101);
	longest[101] = '\0';
	assert_int_equal(sm_path_for(longest, path, sizeof(path), &diag), -EINVAL);
	longest[100] = '\0';
	assert_int_equal(sm_path_for(longest, path, sizeof(path), &diag), 0);
}

static void path__that_is_too_long__is_refused(void **state)
{
	char path[16];
	struct sm_diag diag;

	assert_int_equal(
		sm_path_for("/a/path/of/20/bytes/", path, sizeof(path), &diag), -ENAMETOOLONG);
	assert_int_equal(diag.error, -ENAMETOOLONG);
	assert_int_equal(sm_path_for("/a/path/of/15/b", path, sizeof(path), &diag), 0);
	assert_int_equal(sm_path_for("/a/path/of/15/b", path, 15, NULL), -ENAMETOOLONG);
}

static void resolve__without_a_name__asks_the_environment(void **state)
{
	char path[SM_PATH_MAX];

	setenv("SHARDMETER_SEGMENT", "from-env", 1);
	assert_int_equal(sm_segment_resolve(NULL, path, sizeof(path)), 0);
	assert_string_equal(path, "/dev/shm/shardmeter.from-env");
	assert_int_equal(sm_segment_resolve("", path, sizeof(path)), 0);
	assert_string_equal(path, "/dev/shm/shardmeter.from-env");
	assert_int_equal(sm_segment_resolve("named", path, sizeof(path)), 0);
	assert_string_equal(path, "/dev/shm/shardmeter.named");
	unsetenv("SHARDMETER_SEGMENT");
	assert_int_equal(sm_segment_resolve(NULL, path, sizeof(path)), 0);
	assert_string_equal(path, "/dev/shm/shardmeter.default");
}

/* ---- listing ------------------------------------------------------------------------------- */

struct found {
	char names[8][64];
	unsigned n;
	int stop_at;
};

static int collect(void *ctx, const char *name, const char *path)
{
	struct found *f = ctx;
	char mine[32];

	snprintf(mine, sizeof(mine), "test-%d-", (int)getpid());
	if (strncmp(name, mine, strlen(mine)) != 0)
		return 0;		/* somebody else's */
	assert_true(f->n < 8);
	snprintf(f->names[f->n++], sizeof(f->names[0]), "%s", name + strlen(mine));
	assert_true(strncmp(path, "/dev/shm/shardmeter.", 20) == 0 && strcmp(path + 20, name) == 0);
	return f->stop_at == (int)f->n ? 42 : 0;
}

/* Make or remove <before>test-<pid>-<after>. */
static void touch(const char *before, const char *after, bool remove)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%stest-%d-%s", before, (int)getpid(), after);
	if (remove) {
		unlink(path);
		return;
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
}

static void list__of_segments__is_sorted_and_clean(void **state)
{
	static const char *const files[][2] = {
		{ "/dev/shm/shardmeter.", "b" },
		{ "/dev/shm/shardmeter.", "a" },
		{ "/dev/shm/shardmeter.", "c" },
		{ "/dev/shm/shardmeter.", "a b" },
		{ "/dev/shm/shardmeter.", "\n" },
		{ "/dev/shm/other.", "x" },
	};
	struct found f = { .n = 0 };
	unsigned i;

	for (i = 0; i < 6; i++)
		touch(files[i][0], files[i][1], false);
	assert_int_equal(sm_segment_list(collect, &f), 0);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.names[0], "a");
	assert_string_equal(f.names[1], "b");
	assert_string_equal(f.names[2], "c");
	f = (struct found){ .stop_at = 2 };
	assert_int_equal(sm_segment_list(collect, &f), 42);
	assert_int_equal(f.n, 2);
	for (i = 0; i < 6; i++)
		touch(files[i][0], files[i][1], true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name__without_a_run_directory__is_in_dev_shm),
		cmocka_unit_test(name__with_a_run_directory__is_there),
		cmocka_unit_test(value__with_a_slash__is_a_path),
		cmocka_unit_test(name__that_is_malformed__is_refused),
		cmocka_unit_test(path__that_is_too_long__is_refused),
		cmocka_unit_test(resolve__without_a_name__asks_the_environment),
		cmocka_unit_test(list__of_segments__is_sorted_and_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
