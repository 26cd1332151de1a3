/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_snapshot_number -Wl,--wrap=sm_snapshot_buckets -Wl,--wrap=sm_snapshot_classic
/* The store's writer, read back by history.h: what goes in comes out, within its limits. */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/store_fixture.h"

static void append__every_kind__reads_back_exactly(void **state)
{
	static const double united[] = { 0.5, 1, 2 };
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	unsigned g = fake_family(&fake, "b", SM_GAUGE, NULL);
	unsigned h = fake_family(&fake, "c_seconds", SM_HISTOGRAM, "shard");
	unsigned u = fake_family(&fake, "d", SM_UPDOWN, NULL);
	struct history *history;
	struct history_row row;
	struct history_value v;
	struct fake_cell *cell;
	struct store *s;

	fake_series(&fake, c, "1")->all = fake_units(UINT64_MAX);
	fake_series(&fake, c, "2")->all = fake_fixed(1500000001, 9);
	fake_series(&fake, c, "absent");
	fake_series(&fake, g, NULL)->all = fake_double(-0.25);
	fake.families[h].united = fake.families[h].bounds = united;
	fake.families[h].nunited = fake.families[h].nbounds = 3;
	cell = fake_series(&fake, h, "1");
	cell->counts[1] = 5;
	cell->counts[3] = 2;
	cell->sum = (struct sm_sum){ .is_integer = 1, .decimals = 9,
		.units = (sm_u128)1 << 100, .value = 1 };
	fake_series(&fake, u, NULL)->all = fake_signed(-7);
	fake_writer(&fake, "w");

	s = open_store();
	append(s, &fake, 1000000);
	store_close(s);

	history = open_history();
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(row.at_ms, 1000000);
	assert_int_equal(row.taken_real_ns, 1000000007);
	assert_int_equal(row.flags, 0);
	assert_int_equal(row.nvalues, 5);
	assert_int_equal(row.live_writers, 1);
	assert_int_equal(row.segment_id[15], 1);
	assert_int_equal(history_next_value(history, &v), 1);
	assert_string_equal(v.series->family->name, "a_total");
	assert_string_equal(v.series->family->help, "Help.");
	assert_string_equal(v.series->family->labels[0], "shard");
	assert_string_equal(v.series->values[0].ptr, "1");
	assert_int_equal(v.series->created_real_ns, 77);
	assert_true(v.is_integer && v.units == UINT64_MAX);
	assert_int_equal(history_next_value(history, &v), 1);
	assert_string_equal(v.series->values[0].ptr, "2");
	assert_true(v.units == 1500000001 && v.decimals == 9 && v.value == 1.500000001);
	assert_int_equal(history_next_value(history, &v), 1);
	assert_string_equal(v.series->family->name, "b");
	assert_true(!v.is_integer && v.value == -0.25);
	assert_int_equal(history_next_value(history, &v), 1);
	assert_string_equal(v.series->family->name, "c_seconds");
	assert_int_equal(v.series->family->nunited, 3);
	assert_true(v.series->family->united[2] == 2);
	assert_int_equal(v.nbuckets, 2);
	assert_int_equal(v.buckets[0].index, 1);
	assert_int_equal(v.buckets[0].count, 5);
	assert_int_equal(v.buckets[1].index, 3);
	assert_int_equal(v.buckets[1].count, 2);
	assert_int_equal(v.count, 7);
	assert_true(v.sum.units == (sm_u128)1 << 100 && v.sum.decimals == 9);
	assert_int_equal(history_next_value(history, &v), 1);
	assert_true(v.is_signed && v.value == -7);
	assert_int_equal(history_next_value(history, &v), 0);
	assert_int_equal(history_next_row(history, &row), 0);
	history_close(history);
}

static void append__values_of_single_writers__carry_the_writer(void **state)
{
	unsigned g = fake_family(&fake, "voice", SM_GAUGE, NULL);
	struct history *history;
	struct history_row row;
	struct history_value v;
	struct fake_cell *cell;
	struct store *s = open_store();

	fake.families[g].mode = SM_MODE_ALL;
	cell = fake_series(&fake, g, NULL);
	cell->of[fake_writer(&fake, "shard-1")] = fake_double(1);
	cell->of[fake_writer(&fake, "shard-2")] = fake_double(2);
	append(s, &fake, 1000);
	/* The second one dies without the catalog changing. */
	cell->of[1].is_set = 0;
	append(s, &fake, 2000);
	store_close(s);

	history = open_history();
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(history_next_value(history, &v), 1);
	assert_string_equal(v.series->writer, "shard-1");
	assert_int_equal(history_next_value(history, &v), 1);
	assert_string_equal(v.series->writer, "shard-2");
	assert_true(v.value == 2);
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(row.nvalues, 1);
	assert_int_equal(history_next_value(history, &v), 1);
	assert_string_equal(v.series->writer, "shard-1");
	history_close(history);
}

static int collect_ids(void *ctx, const struct history_series *series)
{
	uint32_t *ids = ctx;

	ids[++ids[0]] = series->id;
	return 0;
}

static void append__after_a_restart__goes_on_with_the_same_series(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	struct history_summary summary;
	struct history *history;
	struct store *s = open_store();
	uint32_t ids[FAKE_SERIES] = { 0 };
	unsigned values;

	fake_series(&fake, c, "1")->all = fake_units(1);
	append(s, &fake, 1000);
	store_close(s);
	fake_series(&fake, c, "2")->all = fake_units(2);
	s = open_store();
	append(s, &fake, 2000);
	append(s, &fake, 3000);
	store_close(s);

	assert_int_equal(count_history(&values), 3);
	assert_int_equal(values, 5);
	history = open_history();
	assert_int_equal(history_each_series(history, collect_ids, ids), 0);
	assert_int_equal(ids[0], 2);
	assert_int_equal(ids[1], 1);
	assert_int_equal(ids[2], 2);
	assert_int_equal(history_summarise(history, &summary), 0);
	assert_int_equal(summary.rows, 3);
	assert_int_equal(summary.first_ms, 1000);
	assert_int_equal(summary.last_ms, 3000);
	assert_int_equal(summary.series, 2);
	assert_int_equal(summary.families, 1);
	assert_true(summary.used_bytes > 0 && summary.file_bytes >= summary.used_bytes);
	history_close(history);
}

static void append__series_removed_and_made_again__is_another_series(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	struct history *history;
	struct history_row row;
	struct history_value v;
	struct store *s = open_store();
	uint32_t id;

	fake_series(&fake, c, "1")->all = fake_units(100);
	append(s, &fake, 1000);
	fake.series[c][0].created_real_ns = 99;
	fake.s.catalog_generation++;
	fake.cells[c][0].all = fake_units(3);
	append(s, &fake, 2000);
	store_close(s);

	history = open_history();
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(history_next_value(history, &v), 1);
	id = v.series->id;
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(history_next_value(history, &v), 1);
	assert_int_not_equal(v.series->id, id);
	assert_int_equal(v.series->created_real_ns, 99);
	assert_int_equal(v.units, 3);
	history_close(history);
}

static void retention__old_rows__go_with_the_series_only_they_had(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	unsigned d = fake_family(&fake, "b_total", SM_COUNTER, "shard");
	struct store_options opts = options();
	struct store_stats stats;
	struct store *s;
	unsigned values;
	uint64_t at;

	opts.retention_ms = 100000;
	s = open_with(&opts);
	fake_series(&fake, c, "stays")->all = fake_units(1);
	fake_series(&fake, d, "goes")->all = fake_units(2);
	for (at = 10000; at <= 50000; at += 10000)
		append(s, &fake, at);
	fake.families[d].nseries = 0;
	fake.s.catalog_generation++;
	/* A restart in between: the store has to remember by itself when the series went. */
	append(s, &fake, 60000);
	store_close(s);
	s = open_with(&opts);
	for (; at <= 150000; at += 10000)
		append(s, &fake, at);
	store_stats(s, &stats);
	assert_int_equal(stats.series, 2);
	assert_int_equal(stats.first_ms, 50000);
	for (; at <= 400000; at += 10000)
		append(s, &fake, at);
	store_stats(s, &stats);
	assert_int_equal(stats.rows, 11);
	assert_int_equal(stats.first_ms, 300000);
	assert_int_equal(stats.series, 1);
	assert_int_equal(stats.evicted_rows, 0);
	/* Gone and back: the same labels are a new series of the dictionary. */
	fake.families[d].nseries = 1;
	fake.s.catalog_generation++;
	append(s, &fake, at);
	store_stats(s, &stats);
	assert_int_equal(stats.series, 2);
	store_close(s);
	assert_int_equal(count_history(&values), 11);
	assert_int_equal(values, 12);
}

static void retention__series_that_came_back__is_kept(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	struct store_options opts = options();
	struct store_stats stats;
	struct store *s;
	uint64_t at;
	unsigned values;

	opts.retention_ms = 100000;
	s = open_with(&opts);
	fake_series(&fake, c, "stays")->all = fake_units(1);
	fake_series(&fake, c, "comes and goes")->all = fake_units(2);
	for (at = 10000; at <= 500000; at += 10000) {
		fake.cells[c][1].all.is_set = at / 10000 % 3 != 0;
		append(s, &fake, at);
	}
	store_stats(s, &stats);
	assert_int_equal(stats.series, 2);
	store_close(s);
	assert_int_equal(count_history(&values), 11);
	assert_int_equal(values, 11 + 8);
}

static void size_limit__reached__evicts_the_oldest_and_the_file_stays(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	struct store_options opts = options();
	struct store_stats stats;
	uint64_t at, file_bytes = 0;
	struct store *s;
	char name[16];
	unsigned i;

	opts.max_bytes = 1 << 20;
	s = open_with(&opts);
	for (i = 0; i < FAKE_SERIES; i++) {
		snprintf(name, sizeof(name), "%u", i);
		fake_series(&fake, c, name)->all = fake_units(UINT64_MAX - i);
	}
	for (at = 1; at <= 4000; at++) {
		append(s, &fake, at * 1000);
		store_stats(s, &stats);
		assert_true(stats.used_bytes <= opts.max_bytes);
		if (at == 2000)
			file_bytes = stats.file_bytes;
	}
	assert_true(stats.evicted_rows > 1000);
	assert_int_equal(stats.evicted_rows + stats.rows, 4000);
	assert_int_equal(stats.last_ms, 4000 * 1000);
	/* Its high-water mark may still move by single pages. */
	assert_true(stats.file_bytes <= file_bytes + (64 << 10));
	assert_true(file_bytes < 2 * opts.max_bytes);
	store_close(s);
}

static void append__file_may_not_grow__fails_and_goes_on_later(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	struct rlimit before, tight = { .rlim_cur = 256 << 10 };
	struct store_stats stats;
	struct store *s = open_store();
	uint64_t at = 0;
	unsigned values, i, rows;
	char name[16];
	int rc;

	getrlimit(RLIMIT_FSIZE, &before);
	tight.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	for (i = 0; i < FAKE_SERIES; i++) {
		snprintf(name, sizeof(name), "%u", i);
		fake_series(&fake, c, name)->all = fake_units(UINT64_MAX - i);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	do
		rc = try_append(s, &fake, ++at * 1000);
	while (rc == 0 && at < 10000);
	assert_true(rc < 0 && rc != -EBADMSG);
	store_stats(s, &stats);
	rows = (unsigned)stats.rows;
	assert_int_equal(rows, at - 1);
	/* What cannot be written is new text as well. */
	fake.series[c][0].created_real_ns = 99;
	fake.s.catalog_generation++;
	assert_true(try_append(s, &fake, ++at * 1000) < 0);
	setrlimit(RLIMIT_FSIZE, &before);
	store_close(s);
	s = open_store();
	append(s, &fake, ++at * 1000);
	append(s, &fake, ++at * 1000);
	store_close(s);
	assert_int_equal(count_history(&values), rows + 2);
	assert_int_equal(values, (rows + 2) * FAKE_SERIES);
}

static void overwrite(off_t at, const char *bytes, size_t len)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, PLACE_DATA);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static void open__garbage__says_damaged_and_begins_anew_after_setting_aside(void **state)
{
	const struct store_options opts = options();
	char path[192], name[128], garbage[8192];
	struct store *s = open_store();
	struct stat st;
	unsigned i;

	store_close(s);
	memset(garbage, 0x5a, sizeof(garbage));
	overwrite(0, garbage, sizeof(garbage));
	assert_int_equal(store_open(&opts, &s, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "damaged"));
	for (i = 0; i < 5; i++) {
		assert_int_equal(place_set_aside(dir, 1700000000000 + i, name, sizeof(name)), 0);
		s = open_store();
		store_close(s);
	}
	/* The last three are kept. */
	snprintf(path, sizeof(path), "%s/%s20231114T221320.001Z", dir, PLACE_ASIDE);
	assert_int_equal(stat(path, &st), -1);
	snprintf(path, sizeof(path), "%s/%s20231114T221320.002Z", dir, PLACE_ASIDE);
	assert_int_equal(stat(path, &st), 0);
	assert_string_equal(name, PLACE_ASIDE "20231114T221320.004Z");
}

/* A good LMDB file of somebody else is neither written to nor taken for a history. */
static void open__database_of_others__is_refused_untouched(void **state)
{
	const struct store_options opts = options();
	char path[128], key[] = "their key", before[16384], after[16384];
	MDB_val k = { sizeof(key), key };
	struct history *h;
	struct store *s;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, PLACE_DATA);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0640), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	assert_int_equal(mdb_put(txn, dbi, &k, &k, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	fd = open(path, O_RDONLY);
	len = pread(fd, before, sizeof(before), 0);
	assert_true(len > 0);
	assert_int_equal(store_open(&opts, &s, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "another program's"));
	assert_int_equal(history_open(dir, &h, &diag), -EBADMSG);
	assert_int_equal(pread(fd, after, sizeof(after), 0), len);
	assert_memory_equal(before, after, (size_t)len);
	close(fd);
}

static void current__file_removed_or_replaced__says_so(void **state)
{
	struct store *s = open_store();
	char path[128], aside[160];

	assert_int_equal(store_current(s), 1);
	snprintf(path, sizeof(path), "%s/%s", dir, PLACE_DATA);
	snprintf(aside, sizeof(aside), "%s.moved", path);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(store_current(s), 0);
	close(open(path, O_CREAT | O_WRONLY, 0640));
	assert_int_equal(store_current(s), 0);
	assert_int_equal(rename(aside, path), 0);
	assert_int_equal(store_current(s), 1);
	store_close(s);
}

/* A reader of LMDB's own kind that never ends: counted, and the file has its bounds. */
static void append__foreign_reader_stuck__is_counted_and_the_file_bounded(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard"), i;
	const uint64_t limit = 2 * (UINT64_C(1) << 20) + (UINT64_C(16) << 20);
	struct store_options opts = options();
	struct store_stats stats;
	struct store *s;
	int pipes[2], status, rc = 0;
	char path[128], name[16], who[40];
	uint64_t at = 0;
	MDB_env *env;
	MDB_txn *txn;
	pid_t pid;

	opts.max_bytes = 1 << 20;
	s = open_with(&opts);
	for (i = 0; i < FAKE_SERIES; i++) {
		snprintf(name, sizeof(name), "%u", i);
		fake_series(&fake, c, name)->all = fake_units(UINT64_MAX - i);
	}
	append(s, &fake, ++at * 1000);
	assert_int_equal(pipe(pipes), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, PLACE_DATA);
	pid = fork();
	if (pid == 0) {
		rc = mdb_env_create(&env) || mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY, 0) ||
			mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
		if (!rc && write(pipes[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(pipes[0], name, 1), 1);
	while (rc == 0 && at < 20000)
		rc = try_append(s, &fake, ++at * 1000);
	assert_int_equal(rc, -ENOSPC);
	snprintf(who, sizeof(who), "process %d ", (int)pid);
	assert_non_null(strstr(diag.message, who));
	store_stats(s, &stats);
	assert_int_equal(stats.readers, 1);
	assert_true(stats.oldest_reader_lag > 100);
	assert_true(stats.file_bytes > limit && stats.file_bytes < limit + (1 << 20));
	assert_true(stats.map_bytes == MAP_BYTES);
	/* Dead, it is forgotten at once, and the file does not grow any more. */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (i = 0; i < 200; i++)
		append(s, &fake, ++at * 1000);
	store_stats(s, &stats);
	assert_int_equal(stats.readers, 0);
	assert_int_equal(stats.oldest_reader_lag, 0);
	assert_int_equal(stats.stale_readers, 1);
	assert_true(stats.file_bytes < limit + (1 << 20));
	assert_true(stats.free_bytes > limit / 2);
	store_close(s);
	close(pipes[0]);
	close(pipes[1]);
}

static void append__file_truncated_meanwhile__says_damaged(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	struct store *s = open_store();
	char path[128];

	fake_series(&fake, c, "1")->all = fake_units(1);
	append(s, &fake, 1000);
	snprintf(path, sizeof(path), "%s/%s", dir, PLACE_DATA);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(try_append(s, &fake, 2000), -EBADMSG);
	assert_int_equal(try_append(s, &fake, 3000), -EBADMSG);
	store_close(s);
}

static void open__symbolic_link__is_refused(void **state)
{
	const struct store_options opts = options();
	struct store *s;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, PLACE_DATA);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(store_open(&opts, &s, &diag), -ELOOP);
}

static void merged__two_files_of_a_segment__are_one_row(void **state)
{
	unsigned a = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	unsigned b = fake_family(&other, "a_total", SM_COUNTER, "shard");
	const struct sm_snapshot *snapshots[] = { &other.s, &fake.s };
	struct history *history;
	struct history_row row;
	struct history_value v;
	struct store *s = open_store();
	struct view view;

	fake_series(&fake, a, "1")->all = fake_units(100);
	append(s, &fake, 1000);
	fake_series(&other, b, "1")->all = fake_units(5);
	other.series[b][0].created_real_ns = 99;
	assert_int_equal(view_init(&view, snapshots, 2), 0);
	assert_int_equal(store_append(s, &view, &(struct store_tick){ .now_ms = 2000 }, &diag), 0);
	view_release(&view);
	/* The old file is dropped: the total falls, and the series says so. */
	append(s, &other, 3000);
	store_close(s);

	history = open_history();
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(row.flags, HISTORY_MERGED);
	assert_int_equal(row.segment_id[0], 2);
	assert_int_equal(history_next_value(history, &v), 1);
	assert_int_equal(v.units, 105);
	assert_int_equal(v.series->id, 1);
	assert_int_equal(history_next_row(history, &row), 1);
	assert_int_equal(history_next_value(history, &v), 1);
	assert_int_equal(v.units, 5);
	assert_int_equal(v.series->created_real_ns, 99);
	history_close(history);
}

static void history__no_store__says_so(void **state)
{
	struct history *h;

	assert_int_equal(history_open(dir, &h, &diag), -ENOENT);
	assert_non_null(strstr(diag.message, dir));
}

static void history__file_truncated_meanwhile__says_damaged(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	struct store *s = open_store();
	struct history *h;
	struct history_row row;
	char path[128];

	fake_series(&fake, c, "1")->all = fake_units(1);
	append(s, &fake, 1000);
	append(s, &fake, 2000);
	store_close(s);
	h = open_history();
	assert_int_equal(history_next_row(h, &row), 1);
	snprintf(path, sizeof(path), "%s/%s", dir, PLACE_DATA);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(history_next_row(h, &row), -EBADMSG);
	assert_int_equal(history_damaged(h), 1);
	assert_int_equal(history_next_row(h, &row), -EBADMSG);
	assert_non_null(strstr(history_error(h), "damaged"));
	history_close(h);
}

static void history__read_while_written__sees_whole_rows(void **state)
{
	unsigned c = fake_family(&fake, "a_total", SM_COUNTER, "shard");
	struct store_options opts = options();
	struct history *h;
	struct history_row row;
	struct history_value v;
	struct store *s;
	uint64_t at, last_ms = 0;
	unsigned i, seen = 0;
	char name[16];

	opts.retention_ms = 50000;
	s = open_with(&opts);
	for (i = 0; i < FAKE_SERIES; i++) {
		snprintf(name, sizeof(name), "%u", i);
		fake_series(&fake, c, name);
	}
	h = NULL;
	for (at = 10000; at < 3000000; at += 10000) {
		for (i = 0; i < FAKE_SERIES; i++)
			fake.cells[c][i].all = fake_units(at);
		append(s, &fake, at);
		h = h ? h : open_history();
		/* A slow reader: one row for two written, so that retention overtakes it. */
		if (at / 10000 % 2)
			continue;
		assert_int_equal(history_next_row(h, &row), 1);
		assert_true(row.at_ms > last_ms);
		last_ms = row.at_ms;
		for (i = 0; history_next_value(h, &v) == 1; i++)
			assert_int_equal(v.units, row.at_ms);
		assert_int_equal(i, FAKE_SERIES);
		seen++;
	}
	assert_int_equal(seen, 149);
	history_close(h);
	store_close(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(append__every_kind__reads_back_exactly),
		TEST(append__values_of_single_writers__carry_the_writer),
		TEST(append__after_a_restart__goes_on_with_the_same_series),
		TEST(append__series_removed_and_made_again__is_another_series),
		TEST(open__database_of_others__is_refused_untouched),
		TEST(current__file_removed_or_replaced__says_so),
		TEST(append__foreign_reader_stuck__is_counted_and_the_file_bounded),
		TEST(retention__old_rows__go_with_the_series_only_they_had),
		TEST(retention__series_that_came_back__is_kept),
		TEST(size_limit__reached__evicts_the_oldest_and_the_file_stays),
		TEST(append__file_may_not_grow__fails_and_goes_on_later),
		TEST(open__garbage__says_damaged_and_begins_anew_after_setting_aside),
		TEST(append__file_truncated_meanwhile__says_damaged),
		TEST(open__symbolic_link__is_refused),
		TEST(merged__two_files_of_a_segment__are_one_row),
		TEST(history__no_store__says_so),
		TEST(history__file_truncated_meanwhile__says_damaged),
		TEST(history__read_while_written__sees_whole_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
