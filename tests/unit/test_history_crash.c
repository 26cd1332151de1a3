/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_snapshot_number -Wl,--wrap=sm_snapshot_buckets -Wl,--wrap=sm_snapshot_classic
/*
 * What a death leaves of the store, at every system call that writes, and what a power failure leaves.
 *
 * This program defines write(), pwrite() and so on itself, so that LMDB calls these. In a child they
 * count, and the one whose turn it is kills the process: before the call, or in the middle of
 * what it would write. For the power failure they keep a list of what was written and flushed; files
 * are put together from that as a disk could hold them: all that was flushed, and of the pages
 * written since, any.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/history/history.h"
#include "exporter/history/place.h"
#include "exporter/history/store.h"
#include "exporter/history/verify.h"
#include "tests/unit/fake_snapshot.h"

#define MAP_BYTES	(UINT64_C(256) << 20)
#define OPS_MAX		4096
#define IMAGE_MAX	(UINT64_C(2) << 20)

struct op {
	enum { OP_WRITE, OP_SYNC, OP_ACK } kind;
	uint64_t at, len;	/* of OP_ACK: at is the tick */
	uint8_t *data;
};

/* What child and parent share. */
static struct {
	uint64_t acknowledged;
	long calls;
} *shared;

static char dir[64], data_path[128];
static struct fake fake;
static struct sm_diag diag;

/* The child's. */
static long die_at;		/* 0: never */
static int in_the_middle;

static struct op *ops;		/* NULL: nothing is kept */
static unsigned nops;

/* ---- system calls --------------------------------------------------------------------------- */

static void step(void)
{
	if (!die_at)
		return;
	shared->calls++;
	if (!in_the_middle && shared->calls == die_at)
		kill(getpid(), SIGKILL);
}

/* Is it this call that ends in its middle? */
static int cut(void)
{
	return in_the_middle && die_at && shared->calls == die_at;
}

static int is_data_file(int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(data_path, &b) == 0 && a.st_ino == b.st_ino &&
		a.st_dev == b.st_dev;
}

static void keep(int kind, int fd, const void *data, uint64_t len, uint64_t at)
{
	struct op *op;

	if (!ops || (fd >= 0 && !is_data_file(fd)))
		return;
	assert_true(nops < OPS_MAX);
	op = &ops[nops++];
	op->kind = kind;
	op->at = at;
	op->len = len;
	op->data = malloc(len ? len : 1);
	if (len)
		memcpy(op->data, data, len);
}

/* The C library's declarations have reserved names. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	step();
	if (cut()) {
		syscall(SYS_pwrite64, fd, buf, n / 2, at);
		kill(getpid(), SIGKILL);
	}
	keep(OP_WRITE, fd, buf, n, (uint64_t)at);
	return syscall(SYS_pwrite64, fd, buf, n, at);
}

ssize_t write(int fd, const void *buf, size_t n)
{
	step();
	if (cut()) {
		syscall(SYS_write, fd, buf, n / 2);
		kill(getpid(), SIGKILL);
	}
	keep(OP_WRITE, fd, buf, n, (uint64_t)lseek(fd, 0, SEEK_CUR));
	return syscall(SYS_write, fd, buf, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	uint64_t at = (uint64_t)lseek(fd, 0, SEEK_CUR);
	int i;

	step();
	if (cut()) {
		syscall(SYS_writev, fd, v, (n + 1) / 2);
		kill(getpid(), SIGKILL);
	}
	for (i = 0; i < n; at += v[i++].iov_len)
		keep(OP_WRITE, fd, v[i].iov_base, v[i].iov_len, at);
	return syscall(SYS_writev, fd, v, n);
}

int ftruncate(int fd, off_t len)
{
	step();
	return (int)syscall(SYS_ftruncate, fd, len);
}

int fdatasync(int fd)
{
	step();
	keep(OP_SYNC, fd, NULL, 0, 0);
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	step();
	keep(OP_SYNC, fd, NULL, 0, 0);
	return (int)syscall(SYS_fsync, fd);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* ---- a store whose content says what it must be --------------------------------------------- */

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/dev/shm/shardmeter-crash-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(data_path, sizeof(data_path), "%s/%s", dir, PLACE_DATA);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		0);
	fake_init(&fake, 1);
	fake_family(&fake, "a_total", SM_COUNTER, "n");
	return shared == MAP_FAILED ? -1 : 0;
}

static void empty_dir(void)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
	closedir(d);
}

static int teardown(void **state)
{
	empty_dir();
	munmap(shared, sizeof(*shared));
	return rmdir(dir);
}

static struct store *open_store(void)
{
	struct store_options opts = { .dir = dir, .interval_ms = 10000, .retention_ms = 100000,
		.max_bytes = 600 << 10, .map_bytes = MAP_BYTES };
	struct store *s = NULL;

	return store_open(&opts, &s, &diag) == 0 ? s : NULL;
}

/* The next row: every series has the tick's number, every third tick brings a new series. */
static int append_next(struct store *s)
{
	const struct sm_snapshot *snapshots[] = { &fake.s };
	struct store_stats stats;
	struct store_tick tick = { 0 };
	struct view v;
	uint64_t number;
	unsigned i;
	char name[16];
	int rc;

	store_stats(s, &stats);
	number = stats.last_tick + 1;
	while (fake.families[0].nseries < 40 + number % 120 / 3 &&
	       fake.families[0].nseries < FAKE_SERIES) {
		snprintf(name, sizeof(name), "%u", (unsigned)fake.families[0].nseries);
		fake_series(&fake, 0, name);
		fake.s.catalog_generation++;
	}
	for (i = 0; i < fake.families[0].nseries; i++)
		fake.cells[0][i].all = fake_units(number);
	tick.now_ms = tick.due_ms = number * 10000;
	if (view_init(&v, snapshots, 1) < 0)
		return -ENOMEM;
	rc = store_append(s, &v, &tick, &diag);
	view_release(&v);
	if (rc == 0) {
		shared->acknowledged = number;
		keep(OP_ACK, -1, NULL, 0, number);
	}
	return rc;
}

static int work(unsigned rows)
{
	struct store *s = open_store();
	int rc = s ? 0 : -EIO;

	while (rc == 0 && rows--)
		rc = append_next(s);
	store_close(s);
	return rc;
}

/* Read everything. Returns the last tick, 0 if there is no row; fails on anything damaged. */
static uint64_t read_all(void)
{
	struct history *h;
	struct history_row row;
	struct history_value v;
	uint64_t last = 0;
	int rc = history_open(dir, &h, &diag);

	if (rc)
		print_error("history_open: %d %s\n", rc, diag.message);
	assert_int_equal(rc, 0);
	while ((rc = history_next_row(h, &row)) == 1) {
		assert_true(last == 0 || row.tick == last + 1);
		last = row.tick;
		while ((rc = history_next_value(h, &v)) == 1)
			assert_int_equal(v.units, row.tick);
		assert_int_equal(rc, 0);
	}
	assert_int_equal(rc, 0);
	history_close(h);
	return last;
}

static int verify(void)
{
	struct verify_result result;
	int rc, fd = open(data_path, O_RDONLY);

	if (fd < 0)
		return -errno;
	rc = verify_file(fd, MAP_BYTES, &result);
	close(fd);
	return rc;
}

/* ---- deaths --------------------------------------------------------------------------------- */

/* Run the work in a child that dies at its n-th call; 0 if it had fewer. (A call that only flushes has
 * no middle: then it lives.) */
static int reached(long n, int middle, unsigned rows)
{
	int status;
	pid_t pid;

	shared->calls = 0;
	pid = fork();
	if (pid == 0) {
		die_at = n;
		in_the_middle = middle;
		_exit(work(rows) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return 1;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return shared->calls >= n;
}

/* After a death: everything is there up to what was acknowledged, at most one more. */
static void check_after_death(void)
{
	uint64_t last, acknowledged = shared->acknowledged;
	int rc = verify();

	if (acknowledged) {
		assert_int_equal(rc, 0);
		last = read_all();
		assert_true(last == acknowledged || last == acknowledged + 1);
	}
	/* And it goes on, after making way for what was dying while it was made. */
	if (rc == -EBADMSG) {
		char name[128];

		assert_int_equal(acknowledged, 0);
		assert_int_equal(place_set_aside(dir, 1, name, sizeof(name)), 0);
	}
	last = acknowledged;
	assert_int_equal(work(2), 0);
	assert_true(shared->acknowledged >= last + 2);
	assert_int_equal(read_all(), shared->acknowledged);
}

static void death__at_every_call_of_a_new_store__loses_nothing_acknowledged(void **state)
{
	int middle;
	long n;

	/* qemu does not tell the kernel of robust mutexes: LMDB's would stay with the dead. */
	if (getenv("EMULATED"))
		skip();
	for (middle = 0; middle < 2; middle++) {
		for (n = 1; shared->acknowledged = 0, reached(n, middle, 6); n++) {
			check_after_death();
			empty_dir();
		}
		assert_true(n > 25);
		empty_dir();
	}
}

/* One with evictions, series that are forgotten, pages that are used again; it is not begun anew
 * after a death, so that what each leaves is what the next one finds. */
static void death__at_every_call_of_an_old_store__loses_nothing_acknowledged(void **state)
{
	int middle;
	long n;

	if (getenv("EMULATED"))
		skip();
	assert_int_equal(work(300), 0);
	for (middle = 0; middle < 2; middle++) {
		for (n = 1; reached(n, middle, 6); n++)
			check_after_death();
		assert_true(n > 25);
	}
}

/* ---- power failures ------------------------------------------------------------------------- */

static uint64_t random_state = 12345;

static unsigned random_bit(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return random_state >> 63;
}

/* Write to the image, whole or only some of the 4 KiB pages. */
static void apply(uint8_t *image, uint64_t *size, const struct op *op, int whole)
{
	uint64_t at = op->at, end = op->at + op->len, n;

	assert_true(end <= IMAGE_MAX);
	for (; at < end; at += n) {
		n = 4096 - at % 4096 < end - at ? 4096 - at % 4096 : end - at;
		if (!whole && random_bit())
			continue;
		memcpy(image + at, op->data + (at - op->at), n);
		*size = *size > at + n ? *size : at + n;
	}
}

/* The file as a disk may have it when the power fails before ops[until]; how many ticks had been
 * acknowledged by then. */
static uint64_t build_image(uint8_t *image, uint64_t *ret_size, unsigned until)
{
	unsigned i, flushed = 0;
	uint64_t acknowledged = 0, size = 0;

	memset(image, 0, IMAGE_MAX);
	for (i = 0; i < until; i++) {
		if (ops[i].kind == OP_SYNC)
			flushed = i;
		if (ops[i].kind == OP_ACK)
			acknowledged = ops[i].at;
	}
	for (i = 0; i < until; i++)
		if (ops[i].kind == OP_WRITE)
			apply(image, &size, &ops[i], i < flushed);
	*ret_size = size;
	return acknowledged;
}

static void write_image(const uint8_t *image, uint64_t size)
{
	int fd;

	empty_dir();
	fd = open(data_path, O_CREAT | O_WRONLY, 0640);
	assert_true(fd >= 0);
	assert_int_equal(syscall(SYS_write, fd, image, size), size);
	close(fd);
}

static void power_failure__at_every_call__loses_the_last_row_at_most(void **state)
{
	uint8_t *image = malloc(IMAGE_MAX);
	struct op *kept;
	uint64_t size, acknowledged, last;
	unsigned until, n, images = 0, lost = 0, rows = getenv("EMULATED") ? 20 : 100;

	kept = ops = calloc(OPS_MAX, sizeof(*ops));
	assert_int_equal(work(rows), 0);
	ops = NULL;
	for (until = 1; until <= nops; until++) {
		for (n = 0; n < 3; n++) {
			ops = kept;
			acknowledged = build_image(image, &size, until);
			ops = NULL;
			write_image(image, size);
			if (acknowledged < 2 && verify() < 0)
				continue;	/* not yet a store that has promised anything */
			assert_int_equal(verify(), 0);
			if (acknowledged == 0)
				continue;
			images++;
			last = read_all();
			assert_true(last + 1 >= acknowledged);
			lost += last < acknowledged;
			assert_int_equal(work(1), 0);
		}
	}
	/* The promise is not better than it says, and images are not all alike. */
	assert_true(images > 3 * rows);
	assert_true(lost > 0 && lost < images);
	for (until = 0; until < nops; until++)
		free(kept[until].data);
	free(kept);
	free(image);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(death__at_every_call_of_a_new_store__loses_nothing_acknowledged),
		TEST(death__at_every_call_of_an_old_store__loses_nothing_acknowledged),
		TEST(power_failure__at_every_call__loses_the_last_row_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
