/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_snapshot_number -Wl,--wrap=sm_snapshot_buckets -Wl,--wrap=sm_snapshot_classic -Wl,--wrap=mdb_env_info
/* history.h within the process that writes, overtaken by it, and reading only what is wanted. */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/history/history.h"
#include "exporter/history/place.h"
#include "exporter/history/store.h"
#include "tests/unit/fake_snapshot.h"

static char dir[64];
static struct fake fake;
static struct sm_diag diag;
static size_t commits_since;	/* what looks believe */
static unsigned looks_overtaken;	/* so many of them; 0: all */

int __real_mdb_env_info(MDB_env *env, MDB_envinfo *info);
int __wrap_mdb_env_info(MDB_env *env, MDB_envinfo *info)
{
	int rc = __real_mdb_env_info(env, info);

	info->me_last_txnid += commits_since;
	if (looks_overtaken && --looks_overtaken == 0)
		commits_since = 0;
	return rc;
}

static int setup(void **state)
{
	commits_since = looks_overtaken = 0;
	snprintf(dir, sizeof(dir), "/dev/shm/shardmeter-beside-XXXXXX");
	fake_init(&fake, 1);
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct store *open_store(void)
{
	struct store_options opts = { .dir = dir, .interval_ms = 10000, .retention_ms = 3600000,
		.max_bytes = 1 << 30, .map_bytes = UINT64_C(64) << 20 };
	struct store *s = NULL;

	assert_int_equal(store_open(&opts, &s, &diag), 0);
	return s;
}

static void append(struct store *s, uint64_t now_ms)
{
	const struct sm_snapshot *snapshots[] = { &fake.s };
	struct view v;

	assert_int_equal(view_init(&v, snapshots, 1), 0);
	assert_int_equal(store_append(s, &v, &(struct store_tick){ .now_ms = now_ms,
		.due_ms = now_ms }, &diag), 0);
	view_release(&v);
}

static struct store *store_with_rows(unsigned nseries, unsigned nrows)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "n"), i;
	struct store *s = open_store();
	char text[16];

	for (i = 0; i < nseries; i++) {
		snprintf(text, sizeof(text), "%u", i);
		fake_series(&fake, c, text)->all = fake_units(100 + i);
	}
	for (i = 1; i <= nrows; i++)
		append(s, i * 10000);
	return s;
}

static struct history *open_reader(void)
{
	struct history *h = NULL;

	assert_int_equal(history_open(dir, &h, &diag), 0);
	return h;
}

/* What another process finds on byte 0 of LMDB's lock file: F_UNLCK when ours is lost. */
static int lock_seen_by_others(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	char path[128];
	int status, fd;
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(path, sizeof(path), "%s/" PLACE_DATA "-lock", dir);
		fd = open(path, O_RDWR);
		_exit(fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 ? 99 : lock.l_type);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void beside__opened_and_closed__leaves_the_writers_lock(void **state)
{
	struct store *s = store_with_rows(3, 2);
	struct history *h;
	int before = lock_seen_by_others();

	assert_int_not_equal(before, F_UNLCK);
	h = open_reader();
	assert_int_equal(lock_seen_by_others(), before);
	history_close(h);
	assert_int_equal(lock_seen_by_others(), before);
	store_close(s);
}

static void beside__read_while_written__sees_each_row_whole(void **state)
{
	struct store *s = store_with_rows(FAKE_SERIES, 1);
	struct history *h = open_reader();
	struct history_row row;
	struct history_value v;
	unsigned i, n, at;

	for (at = 2; at < 300; at++) {
		assert_int_equal(history_next_row(h, &row), 1);
		assert_int_equal(row.at_ms, (at - 1) * 10000);
		for (n = 0; history_next_value(h, &v) == 1; n++)
			assert_int_equal(v.units, at == 2 ? 100 + n : at - 1);
		assert_int_equal(n, FAKE_SERIES);
		for (i = 0; i < FAKE_SERIES; i++)
			fake.cells[0][i].all = fake_units(at);
		append(s, at * 10000);
	}
	history_close(h);
	store_close(s);
}

static void look__overtaken__is_void_and_taken_again(void **state)
{
	struct store *s = store_with_rows(3, 4);
	struct history *h = open_reader();
	struct history_row row;
	struct history_value v;

	commits_since = 1;
	assert_int_equal(history_next_row(h, &row), 1);
	assert_int_equal(row.at_ms, 10000);
	commits_since = 2;
	looks_overtaken = 5;
	assert_int_equal(history_next_row(h, &row), 1);
	assert_int_equal(row.at_ms, 20000);
	assert_int_equal(commits_since, 0);
	assert_int_equal(history_next_value(h, &v), 1);
	assert_int_equal(v.units, 100);
	commits_since = 2;
	assert_int_equal(history_next_row(h, &row), -EBUSY);
	assert_non_null(strstr(history_error(h), "too fast"));
	assert_int_equal(history_damaged(h), 0);
	commits_since = 0;
	assert_int_equal(history_next_row(h, &row), 1);
	assert_int_equal(row.at_ms, 30000);
	history_close(h);
	store_close(s);
}

/* As another container sees it, or a disk that is mounted read-only. */
static void open__without_permission_to_write__reads(void **state)
{
	struct store *s = store_with_rows(3, 4);
	struct history_row row;
	struct history *h;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, PLACE_DATA);
	assert_int_equal(chmod(path, 0440), 0);
	snprintf(path, sizeof(path), "%s/%s-lock", dir, PLACE_DATA);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(chmod(dir, 0550), 0);
	h = open_reader();
	assert_int_equal(history_next_row(h, &row), 1);
	history_close(h);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(chmod(dir, 0750), 0);
	store_close(s);
}

static int find_ids(void *ctx, const struct history_series *series)
{
	uint8_t *ids = ctx;

	if (strcmp(series->values[0].ptr, "3") == 0 || strcmp(series->values[0].ptr, "5") == 0)
		ids[series->id / 8] |= (uint8_t)(1u << series->id % 8);
	return 0;
}

static void want__some_series__gives_only_those(void **state)
{
	struct store *s = store_with_rows(20, 3);
	struct history *h = open_reader();
	struct history_row row;
	struct history_value v;
	uint8_t ids[8] = { 0 };
	unsigned rows = 0, n;

	assert_int_equal(history_each_series(h, find_ids, ids), 0);
	history_want(h, ids, 64);
	while (history_next_row(h, &row) == 1) {
		assert_int_equal(row.nvalues, 20);
		assert_int_equal(history_next_value(h, &v), 1);
		assert_string_equal(v.series->values[0].ptr, "3");
		assert_int_equal(v.units, 103);
		assert_int_equal(history_next_value(h, &v), 1);
		assert_string_equal(v.series->values[0].ptr, "5");
		assert_int_equal(history_next_value(h, &v), 0);
		assert_int_equal(history_next_value(h, &v), 0);
		rows++;
	}
	assert_int_equal(rows, 3);
	history_want(h, NULL, 0);
	history_seek(h, 10000, 10000);
	assert_int_equal(history_next_row(h, &row), 1);
	for (n = 0; history_next_value(h, &v) == 1; n++)
		;
	assert_int_equal(n, 20);
	/* None at all. */
	memset(ids, 0, sizeof(ids));
	history_want(h, ids, 64);
	history_seek(h, 0, UINT64_MAX);
	assert_int_equal(history_next_row(h, &row), 1);
	assert_int_equal(history_next_value(h, &v), 0);
	history_close(h);
	store_close(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(beside__opened_and_closed__leaves_the_writers_lock),
		TEST(beside__read_while_written__sees_each_row_whole),
		TEST(look__overtaken__is_void_and_taken_again),
		TEST(open__without_permission_to_write__reads),
		TEST(want__some_series__gives_only_those),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
