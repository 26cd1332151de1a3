/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_snapshot_number -Wl,--wrap=sm_snapshot_buckets -Wl,--wrap=sm_snapshot_classic
/* Any damage to a store's file, at rest, under a reader and under the writer: an error or not, but never
 * a death, and after setting aside there is a store again. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/history/history.h"
#include "exporter/history/place.h"
#include "exporter/history/store.h"
#include "tests/unit/fake_snapshot.h"

#define ROUNDS (getenv("EMULATED") ? 30u : 300u)

static char dir[64], data_path[128];
static struct fake fake;
static struct sm_diag diag;
static uint8_t *good;
static size_t good_len;
static uint64_t random_state = 99;

static uint64_t any(uint64_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (random_state >> 20) % below;
}

static int open_store(struct store **ret_store)
{
	struct store_options opts = { .dir = dir, .interval_ms = 10000, .retention_ms = 1000000,
		.max_bytes = UINT64_C(1) << 30, .map_bytes = UINT64_C(64) << 20 };

	return store_open(&opts, ret_store, &diag);
}

static int append(struct store *s, uint64_t at_ms)
{
	const struct sm_snapshot *snapshots[] = { &fake.s };
	struct store_tick tick = { .now_ms = at_ms, .due_ms = at_ms };
	struct view v;
	int rc = view_init(&v, snapshots, 1);

	if (rc == 0) {
		rc = store_append(s, &v, &tick, &diag);
		view_release(&v);
	}
	return rc;
}

static int setup(void **state)
{
	unsigned family, i;
	struct store *s;
	char text[16];
	int fd;

	snprintf(dir, sizeof(dir), "/dev/shm/shardmeter-damage-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(data_path, sizeof(data_path), "%s/%s", dir, PLACE_DATA);
	fake_init(&fake, 1);
	family = fake_family(&fake, "a_total", SM_COUNTER, "n");
	for (i = 0; i < FAKE_SERIES; i++) {
		snprintf(text, sizeof(text), "%u", i);
		fake_series(&fake, family, text)->all = fake_units(UINT64_MAX - i);
	}
	assert_int_equal(open_store(&s), 0);
	for (i = 1; i <= 120; i++)
		assert_int_equal(append(s, i * 10000), 0);
	store_close(s);
	good = malloc(UINT64_C(8) << 20);
	fd = open(data_path, O_RDONLY);
	good_len = (size_t)read(fd, good, UINT64_C(8) << 20);
	close(fd);
	return good_len > 100 * 1024 ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	free(good);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void restore(void)
{
	int fd = open(data_path, O_CREAT | O_WRONLY | O_TRUNC, 0640);

	assert_int_equal(write(fd, good, good_len), good_len);
	close(fd);
}

/* In place, as a bad disk or another program would. */
static void damage(unsigned kind)
{
	static const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1 } };
	int fd = open(data_path, O_RDWR);
	uint8_t junk[4096];
	struct stat st;
	unsigned i, n = 1 + (unsigned)any(8);

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	for (i = 0; i < sizeof(junk); i++)
		junk[i] = kind % 2 ? (uint8_t)any(256) : 0;
	switch (kind % 6) {
	case 0:		/* cut, at a page or anywhere */
	case 1:
		assert_int_equal(ftruncate(fd, kind % 2 ? (off_t)any((uint64_t)st.st_size) :
			(off_t)any((uint64_t)st.st_size / 4096) * 4096), 0);
		break;
	case 2:		/* pages, lost or overwritten */
	case 3:
		while (n--)
			assert_true(pwrite(fd, junk, sizeof(junk),
				(off_t)any((uint64_t)st.st_size / 4096) * 4096) > 0);
		break;
	default:	/* single bytes, many of them where the structure is */
		for (n *= 8; n--; ) {
			uint64_t page = any((uint64_t)st.st_size / 4096);

			assert_int_equal(pwrite(fd, &junk[any(4096)], 1,
				(off_t)(page * 4096 + any(kind % 2 ? 4096 : 64))), 1);
		}
	}
	/* Files' times have the grain of the clock's ticks: this is not within the same. */
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

/* To the end, or to what cannot be read. */
static void read_all(struct history *h)
{
	struct history_row row;
	struct history_value v;
	struct history_writer w;
	unsigned steps = 0;
	int rc;

	history_seek(h, 0, UINT64_MAX);
	while ((rc = history_next_row(h, &row)) != 0 && steps++ < 1000) {
		if (rc < 0 && (history_damaged(h) || rc != -EBADMSG))
			break;
		while (rc > 0 && history_next_writer(h, &w) > 0)
			;
		while (rc > 0 && history_next_value(h, &v) > 0)
			assert_true(strlen(v.series->family->name) < 4096);
	}
	assert_true(steps < 1000);
	history_seek_last(h, 700000);
}

static void damaged_at_rest__read_and_opened__is_an_error_at_most(void **state)
{
	unsigned i, refused = 0;
	struct history *h;
	struct store *s;
	char name[128];
	int rc;

	for (i = 0; i < ROUNDS; i++) {
		restore();
		damage(i);
		if (history_open(dir, &h, &diag) == 0) {
			read_all(h);
			history_close(h);
		}
		rc = open_store(&s);
		if (rc == 0)
			rc = append(s, 3000000 + i);
		else
			s = NULL;
		store_close(s);
		if (rc == 0)
			continue;
		refused++;
		assert_true(rc == -EBADMSG || rc == -EPROTONOSUPPORT);
		rc = place_set_aside(dir, 1000 + i, name, sizeof(name));
		assert_int_equal(rc, 0);
		assert_int_equal(open_store(&s), 0);
		assert_int_equal(append(s, 1000), 0);
		store_close(s);
	}
	assert_true(refused > ROUNDS / 2);
}

static void damaged_under_a_reader__goes_on_or_says_so(void **state)
{
	struct history_row row;
	struct history *h;
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		restore();
		assert_int_equal(history_open(dir, &h, &diag), 0);
		assert_int_equal(history_next_row(h, &row), 1);
		damage(i);
		read_all(h);
		history_close(h);
	}
}

static void damaged_under_the_writer__goes_on_or_says_so(void **state)
{
	unsigned i, n;
	struct store *s;
	char name[128];
	int rc;

	for (i = 0; i < ROUNDS; i++) {
		restore();
		assert_int_equal(open_store(&s), 0);
		damage(i);
		for (n = 0, rc = 0; n < 5 && rc == 0; n++) {
			fake.s.catalog_generation++;
			rc = append(s, 3000000 + n * 10000);
			if (rc == -ESTALE) {
				store_close(s);
				s = NULL;
				rc = open_store(&s);
			}
		}
		store_close(s);
		/* (The latter when the number of the format was hit.) */
		assert_true(rc == 0 || rc == -EBADMSG || rc == -EPROTONOSUPPORT);
		assert_int_equal(place_set_aside(dir, 5000 + i, name, sizeof(name)), 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(damaged_at_rest__read_and_opened__is_an_error_at_most),
		TEST(damaged_under_a_reader__goes_on_or_says_so),
		TEST(damaged_under_the_writer__goes_on_or_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
