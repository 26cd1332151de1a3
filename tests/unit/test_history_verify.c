/* SPDX-License-Identifier: Apache-2.0 */
/* TIMEOUT: 300 */
/*
 * verify.c against files that LMDB itself made, whole and damaged: the good are accepted, and
 * whatever is accepted of the damaged LMDB reads and writes without a fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/history/guard.h"
#include "exporter/history/verify.h"

#define MAP_BYTES (UINT64_C(64) << 20)

static char dir[64], path[128], copy[128];
static struct verify_result result;
static uint64_t seed = 88172645463325252u;

static uint64_t random_u64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static MDB_env *open_env(const char *file, unsigned flags)
{
	MDB_env *env;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_set_mapsize(env, MAP_BYTES), 0);
	assert_int_equal(mdb_env_set_assert(env, guard_assert), 0);
	if (mdb_env_open(env, file, MDB_NOSUBDIR | flags, 0600) == 0)
		return env;
	mdb_env_close(env);
	return NULL;
}

/* Many small records, some large ones, deletions: branch, overflow and free pages. */
static void make(unsigned records)
{
	static char value[20000];
	MDB_env *env = open_env(path, MDB_NOSYNC);
	MDB_val key, data;
	MDB_txn *txn;
	MDB_dbi dbi[2];
	uint8_t k[8];
	unsigned i, t;

	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "rows", MDB_CREATE, &dbi[0]), 0);
	assert_int_equal(mdb_dbi_open(txn, "series", MDB_CREATE, &dbi[1]), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	for (t = 0; t < 20; t++) {
		assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
		for (i = 0; i < records / 20; i++) {
			memset(k, 0, sizeof(k));
			k[5] = (uint8_t)(t);
			k[6] = (uint8_t)(i >> 8);
			k[7] = (uint8_t)i;
			key = (MDB_val){ sizeof(k), k };
			data = (MDB_val){ i % 7 ? 40 : 5000 + i, value };
			assert_int_equal(mdb_put(txn, dbi[i % 2], &key, &data, 0), 0);
			if (i % 3 == 0)
				assert_int_equal(mdb_del(txn, dbi[i % 2], &key, NULL), 0);
		}
		assert_int_equal(mdb_txn_commit(txn), 0);
	}
	mdb_env_close(env);
}

static int verify(const char *file)
{
	int fd = open(file, O_RDONLY), rc;

	assert_true(fd >= 0);
	rc = verify_file(fd, MAP_BYTES, &result);
	close(fd);
	return rc;
}

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/dev/shm/shardmeter-verify-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/a", dir);
	snprintf(copy, sizeof(copy), "%s/b", dir);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void file__made_by_lmdb__is_good_and_every_page_is_accounted_for(void **state)
{
	const unsigned sizes[] = { 0, 20, 2000, 20000 };
	struct stat st;
	MDB_envinfo info;
	MDB_env *env;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unlink(path);
		make(sizes[i]);
		if (verify(path))
			print_error("%u records: %s\n", sizes[i], result.finding);
		assert_int_equal(verify(path), 0);
		assert_int_equal(stat(path, &st), 0);
		env = open_env(path, MDB_RDONLY);
		assert_int_equal(mdb_env_info(env, &info), 0);
		mdb_env_close(env);
		assert_int_equal(result.pages_used + result.pages_free + 2, info.me_last_pgno + 1);
	}
}

static void file__empty__is_told_apart(void **state)
{
	close(open(path, O_RDWR | O_CREAT, 0600));
	assert_int_equal(verify(path), -ENODATA);
}

static void file__claims_more_than_the_map__is_damaged(void **state)
{
	int fd;

	make(2000);
	fd = open(path, O_RDONLY);
	assert_int_equal(verify_file(fd, 100000, &result), -EBADMSG);
	close(fd);
}

static void file__cut__is_damaged(void **state)
{
	struct stat st;
	off_t size;

	make(2000);
	stat(path, &st);
	for (size = st.st_size - 4096; size > 0; size = size > 70000 ? size - 65536 : size - 1000) {
		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(verify(path), -EBADMSG);
	}
}

static int read_all(void *arg)
{
	static const char *const names[] = { "rows", "series" };
	MDB_env *env = arg;
	MDB_cursor *cursor;
	MDB_val key, data;
	MDB_txn *txn;
	MDB_dbi dbi;
	unsigned i;
	size_t j;
	volatile uint8_t sum = 0;

	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn))
		return 0;
	for (i = 0; i < 2; i++) {
		if (mdb_dbi_open(txn, names[i], 0, &dbi) || mdb_cursor_open(txn, dbi, &cursor))
			continue;
		while (mdb_cursor_get(cursor, &key, &data, MDB_NEXT) == 0)
			for (j = 0; j < data.mv_size; j++)
				sum = (uint8_t)(sum + ((const uint8_t *)data.mv_data)[j]);
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return 0;
}

static int write_some(void *arg)
{
	MDB_env *env = arg;
	uint8_t k[8] = { 0xff };
	char value[9000] = { 0 };
	MDB_val key = { sizeof(k), k }, data = { sizeof(value), value };
	MDB_txn *txn;
	MDB_dbi dbi;
	unsigned i;

	if (mdb_txn_begin(env, NULL, 0, &txn))
		return 0;
	if (mdb_dbi_open(txn, "rows", MDB_CREATE, &dbi) == 0)
		for (i = 0; i < 50; i++) {
			k[7] = (uint8_t)i;
			if (mdb_put(txn, dbi, &key, &data, 0))
				break;
		}
	mdb_txn_commit(txn);
	return 0;
}

/* Bytes of a good file, changed at random places of pages that hold structure. */
static void damage(const uint8_t *good, size_t size, uint8_t *bad)
{
	unsigned i, n = 1 + random_u64() % 4;
	size_t page, at;

	memcpy(bad, good, size);
	for (i = 0; i < n; i++) {
		/* Mostly meta pages, page headers and offsets, where it matters. */
		page = random_u64() % 3 ? random_u64() % (size / 4096) : random_u64() % 2;
		at = page * 4096 + (random_u64() % 4 ? random_u64() % 160 : random_u64() % 4096);
		bad[at] = random_u64() % 2 ? (uint8_t)random_u64() :
			(uint8_t)(bad[at] ^ 1u << random_u64() % 8);
	}
}

static void write_file(const char *file, const uint8_t *bytes, size_t size)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void file__damaged_at_random__is_found_or_harmless(void **state)
{
	unsigned round, accepted = 0, rounds = getenv("EMULATED") ? 100 : 1500;
	char lock[160];
	uint8_t *good, *bad;
	MDB_env *env;
	struct stat st;
	int fd;

	make(600);
	assert_int_equal(verify(path), 0);
	stat(path, &st);
	good = malloc((size_t)st.st_size);
	bad = malloc((size_t)st.st_size);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, good, (size_t)st.st_size), st.st_size);
	close(fd);
	snprintf(lock, sizeof(lock), "%s-lock", copy);
	for (round = 0; round < rounds; round++) {
		damage(good, (size_t)st.st_size, bad);
		unlink(lock);
		write_file(copy, bad, (size_t)st.st_size);
		if (verify(copy))
			continue;
		accepted++;
		env = open_env(copy, MDB_NOSYNC);
		if (!env)
			continue;
		assert_int_equal(guard_run(read_all, env), 0);
		assert_int_equal(guard_run(write_some, env), 0);
		mdb_env_close(env);
	}
	/* Values may be anything, so some damage is none. */
	assert_true(accepted > 0 && accepted < rounds);
	free(good);
	free(bad);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(file__made_by_lmdb__is_good_and_every_page_is_accounted_for),
		TEST(file__empty__is_told_apart),
		TEST(file__claims_more_than_the_map__is_damaged),
		TEST(file__cut__is_damaged),
		TEST(file__damaged_at_random__is_found_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
