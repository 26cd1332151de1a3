/* SPDX-License-Identifier: Apache-2.0 */
/* store_fixture.h - a store of fake snapshots in a directory of its own; for programs that link with the
 * --wrap options of fake_snapshot.h. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "exporter/history/history.h"
#include "exporter/history/place.h"
#include "exporter/history/store.h"
#include "tests/unit/fake_snapshot.h"

#define MAP_BYTES (UINT64_C(256) << 20)

static char dir[64];
static struct fake fake, other;
static struct sm_diag diag;

static inline struct store_options options(void)
{
	return (struct store_options){ .dir = dir, .interval_ms = 10000,
		.retention_ms = 48 * 3600 * 1000, .max_bytes = 1 << 30, .map_bytes = MAP_BYTES };
}

static inline struct store *open_with(const struct store_options *opts)
{
	struct store *s = NULL;
	int rc = store_open(opts, &s, &diag);

	if (rc)
		print_error("store_open: %d %s\n", rc, diag.message);
	assert_int_equal(rc, 0);
	return s;
}

static inline struct store *open_store(void)
{
	const struct store_options opts = options();

	return open_with(&opts);
}

static inline int try_append(struct store *s, struct fake *f, uint64_t now_ms)
{
	const struct sm_snapshot *snapshots[] = { &f->s };
	struct view v;
	int rc;

	assert_int_equal(view_init(&v, snapshots, 1), 0);
	rc = store_append(s, &v, &(struct store_tick){ .now_ms = now_ms,
		.due_ms = now_ms }, &diag);
	view_release(&v);
	return rc;
}

static inline void append(struct store *s, struct fake *f, uint64_t now_ms)
{
	int rc = try_append(s, f, now_ms);

	if (rc)
		print_error("store_append: %d %s\n", rc, diag.message);
	assert_int_equal(rc, 0);
}

static inline struct history *open_history(void)
{
	struct history *h = NULL;

	assert_int_equal(history_open(dir, &h, &diag), 0);
	return h;
}

/* Read the whole history; every row must be good. Returns the number of rows, and how many values
 * they have. */
static inline unsigned count_history(unsigned *ret_values)
{
	struct history *h = open_history();
	struct history_row row;
	struct history_value v;
	uint64_t last_ms = 0;
	unsigned rows = 0, values = 0;
	int rc;

	while ((rc = history_next_row(h, &row)) == 1) {
		assert_true(row.at_ms > last_ms);
		last_ms = row.at_ms;
		rows++;
		while ((rc = history_next_value(h, &v)) == 1)
			values++;
		assert_int_equal(rc, 0);
	}
	assert_int_equal(rc, 0);
	history_close(h);
	*ret_values = values;
	return rows;
}

static inline int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/dev/shm/shardmeter-store-XXXXXX");
	fake_init(&fake, 1);
	fake_init(&other, 2);
	return mkdtemp(dir) ? 0 : -1;
}

static inline int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

#endif /* TESTS_STORE_FIXTURE_H */
