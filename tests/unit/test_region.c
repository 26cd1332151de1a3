/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=fallocate -Wl,--wrap=mmap -Wl,--wrap=ftruncate -Wl,--wrap=pwrite
// LDFLAGS: -Wl,--wrap=pread -Wl,--wrap=fchmod -Wl,--wrap=getrandom
/* test_region.c - a segment's file: made, opened, completed, refused; pages reserved. Each
 * system call fails once. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "segment.h"

/* Call number fail_at of those below fails with fail_errno; then none. Counted from 1; 0: none. */
static unsigned fail_at, calls;
static int fail_errno;
static unsigned fallocates;

static bool fails(void)
{
	if (!fail_at || ++calls != fail_at)
		return false;
	errno = fail_errno;
	return true;
}

int __real_fallocate(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t len)
{
	fallocates++;
	return fails() ? -1 : __real_fallocate(fd, mode, offset, len);
}

void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return fails() ? MAP_FAILED : __real_mmap(addr, len, prot, flags, fd, offset);
}

int __real_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len)
{
	return fails() ? -1 : __real_ftruncate(fd, len);
}

ssize_t __real_pwrite(int fd, const void *buf, size_t n, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
	return fails() ? -1 : __real_pwrite(fd, buf, n, offset);
}

ssize_t __real_pread(int fd, void *buf, size_t n, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset)
{
	return fails() ? -1 : __real_pread(fd, buf, n, offset);
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
	return fails() ? -1 : __real_fchmod(fd, mode);
}

ssize_t __real_getrandom(void *buf, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *buf, size_t n, unsigned flags)
{
	return fails() ? -1 : __real_getrandom(buf, n, flags);
}

/* ---- fixture ------------------------------------------------------------------------------- */

static struct region r;
static struct sm_diag diag;

static int dir_set_up(void **state)
{
	(void)state;
	fail_at = 0;
	memset(&r, 0, sizeof(r));
	strcpy(segment.dir, "/dev/shm/shardmeter-test-XXXXXX");
	if (!mkdtemp(segment.dir))
		return -1;
	snprintf(segment.path, sizeof(segment.path), "%s/segment", segment.dir);
	return 0;
}

static int dir_tear_down(void **state)
{
	(void)state;
	fail_at = 0;
	region_close(&r);
	unlink(segment.path);
	return rmdir(segment.dir);
}

#define dir_test(f) cmocka_unit_test_setup_teardown(f, dir_set_up, dir_tear_down)

static struct region_options options(void)
{
	struct region_options o = {
		.path = segment.path,
		.create = true,
		.group = (gid_t)-1,
		.lock_timeout_ms = 100,
		.wish = { .writers = 4,
			.lanes_per_writer = 3,
			.families = 8,
			.series = 64,
			.cells = 4096,
			.ring_entries = 2 },
	};

	return o;
}

static uint64_t allocated(void)
{
	struct stat st;

	assert_int_equal(stat(segment.path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* ---- making and opening -------------------------------------------------------------------- */

static void region__made__is_whole_and_sparse(void **state)
{
	struct region_options o = options();
	struct region second;
	struct stat st;

	assert_int_equal(region_open(&r, &o, &diag), 0);
	assert_int_equal(diag.error, 0);
	assert_int_equal(r.head->state, SM_SEG_READY);
	assert_int_equal(r.head->magic, SM_MAGIC);
	assert_int_equal(r.head->creator_uid, geteuid());
	assert_true(r.head->created_real_ns && r.head->created_boot_ns);
	assert_int_equal(region_slot(&r, 0)->state, SM_SLOT_COMMON);
	assert_string_equal(region_slot(&r, 0)->name, "common");
	assert_int_equal(stat(segment.path, &st), 0);
	assert_int_equal(st.st_size, r.geo.file_bytes);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_true(
		allocated() >= r.geo.off_families && allocated() < r.geo.off_families + 64 * 1024);
	/* The second comer's wishes do not count. */
	o.wish.writers = 100;
	assert_int_equal(region_open(&second, &o, &diag), 0);
	assert_int_equal(second.geo.nslots, 4);
	assert_memory_equal(second.geo.segment_id, r.geo.segment_id, 16);
	region_close(&second);
	region_close(&second);
	assert_null(second.base);
}

static void region__with_a_group__is_writable_by_it_whatever_the_umask(void **state)
{
	struct region_options o = options();
	mode_t old = umask(0777);
	struct stat st;
	int rc;

	o.group = getegid();
	rc = region_open(&r, &o, &diag);
	umask(old);
	assert_int_equal(rc, 0);
	assert_int_equal(stat(segment.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_gid, getegid());
}

/* Two segments are never the same one: 128 random bits. */
static void region__made_anew__has_another_id(void **state)
{
	struct region_options o = options();
	uint8_t id[16];

	assert_int_equal(region_open(&r, &o, &diag), 0);
	memcpy(id, r.geo.segment_id, 16);
	assert_int_equal(region_current(&r), 0);
	assert_int_equal(unlink(segment.path), 0);
	assert_int_equal(region_current(&r), -ESTALE);
	assert_int_equal(region_reopen(&r), -ESTALE);
	region_close(&r);
	assert_int_equal(region_open(&r, &o, &diag), 0);
	assert_memory_not_equal(r.geo.segment_id, id, 16);
}

static void file__replaced__is_not_current(void **state)
{
	struct region_options o = options();
	int fd;

	assert_int_equal(region_open(&r, &o, &diag), 0);
	fd = region_reopen(&r);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlink(segment.path), 0);
	assert_int_equal(close(open(segment.path, O_CREAT | O_RDWR, 0640)), 0);
	assert_int_equal(region_current(&r), -ESTALE);
	assert_int_equal(region_reopen(&r), -ESTALE);
	assert_int_equal(unlink(segment.path), 0);
	assert_int_equal(symlink("/dev/null", segment.path), 0);
	assert_int_equal(region_reopen(&r), -ESTALE);
}

static void region__that_may_not_be_made__is_not(void **state)
{
	struct region_options o = options();

	o.create = false;
	assert_int_equal(region_open(&r, &o, &diag), -ENOENT);
	assert_int_not_equal(access(segment.path, F_OK), 0);
	/* Nor completed: an empty file is its creator's. */
	assert_int_equal(close(open(segment.path, O_CREAT | O_RDWR, 0640)), 0);
	assert_int_equal(region_open(&r, &o, &diag), -ENOENT);
	assert_non_null(strstr(diag.message, "not ready"));
	assert_int_equal(region_open(&r, &o, NULL), -ENOENT);
}

/* The torture: fail call 1, 2, 3 ... of a creation. Each time an error, and the next comer
 * completes it. */
static void creation__in_which_any_call_fails__is_completed_by_the_next(void **state)
{
	static const int errors[] = { ENOSPC, EIO };
	struct region_options o = options();
	unsigned n, e, failures = 0;
	int rc;

	for (e = 0; e < 2; e++)
		for (n = 1;; n++) {
			fail_at = n;
			fail_errno = errors[e];
			calls = 0;
			rc = region_open(&r, &o, &diag);
			if (calls < n) {
				assert_int_equal(rc, 0);
				break;		/* all calls were survived */
			}
			fail_at = 0;
			if (rc) {
				failures++;
				assert_int_equal(diag.error, rc);
				assert_non_null(strstr(diag.message, segment.path));
				assert_null(r.base);
				assert_int_equal(region_open(&r, &o, &diag), 0);
			}
			assert_int_equal(r.head->state, SM_SEG_READY);
			region_close(&r);
			assert_int_equal(unlink(segment.path), 0);
		}
	assert_in_range(failures, 12, 40);
}

/* What a creation that failed took is given back: the file system may be full of just that. */
static void creation__without_memory__keeps_none(void **state)
{
	struct region_options o = options();

	unsigned n, kept_none = 0;
	uint32_t ready;
	int fd;

	fail_errno = ENOSPC;
	for (n = 1;; n++) {
		fail_at = n;
		calls = 0;
		ready = SM_SEG_EMPTY;
		region_open(&r, &o, &diag);
		fail_at = 0;
		fd = open(segment.path, O_RDONLY);
		assert_true(fd < 0 || pread(fd, &ready, 4, offsetof(struct sm_header, state)) >= 0);
		if (fd >= 0 && ready != SM_SEG_READY) {
			assert_int_equal(allocated(), 0);
			kept_none++;
		}
		close(fd);
		region_close(&r);
		unlink(segment.path);
		if (calls < n)
			break;
	}
	assert_in_range(kept_none, 5, 40);
}

static void creations__at_the_same_time__are_one(void **state)
{
	struct region_options o = options();
	uint8_t(*ids)[16] =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned round, i;
	int status;

	o.lock_timeout_ms = 5000;
	assert_true((void *)ids != MAP_FAILED);
	for (round = 0; round < 30; round++) {
		for (i = 0; i < 4; i++)
			if (fork() == 0) {
				if (region_open(&r, &o, &diag) != 0)
					_exit(1);
				memcpy(ids[i], r.head->segment_id, 16);
				_exit(r.head->state == SM_SEG_READY ? 0 : 2);
			}
		for (i = 0; i < 4; i++) {
			assert_true(wait(&status) > 0);
			assert_int_equal(status, 0);
		}
		for (i = 1; i < 4; i++)
			assert_memory_equal(ids[0], ids[i], 16);
		assert_int_equal(unlink(segment.path), 0);
	}
	munmap(ids, 4096);
}

/* ---- pages --------------------------------------------------------------------------------- */

static void pages__reserved__are_remembered(void **state)
{
	struct region_options o = options();
	uint32_t per_page = SM_PAGE / 8;
	uint64_t before;

	assert_int_equal(region_open(&r, &o, &diag), 0);
	assert_false(region_page_reserved(&r, 3, 1));
	before = allocated();
	assert_int_equal(region_reserve_cells(&r, -1, 3, per_page + 5, 1), 0);
	assert_true(region_page_reserved(&r, 3, 1));
	assert_false(region_page_reserved(&r, 3, 0));
	assert_false(region_page_reserved(&r, 3, 2));
	assert_false(region_page_reserved(&r, 2, 1));
	assert_int_equal(allocated(), before + SM_PAGE);
	/* Over the edge of a page, both; what is there already costs no call. */
	assert_int_equal(region_reserve_cells(&r, -1, 3, 2 * per_page - 1, 2), 0);
	assert_true(region_page_reserved(&r, 3, 2));
	fallocates = 0;
	assert_int_equal(region_reserve_cells(&r, -1, 3, per_page, 2 * per_page), 0);
	assert_int_equal(fallocates, 0);
	assert_int_equal(allocated(), before + 2 * SM_PAGE);
	/* Holes between are filled in one go each. */
	assert_int_equal(region_reserve_cells(&r, -1, 3, 0, 6 * per_page), 0);
	assert_int_equal(fallocates, 2);
	assert_int_equal(allocated(), before + 6 * SM_PAGE);
	/* The last page of the last lane is inside the file. */
	assert_int_equal(
		region_reserve_cells(&r, -1, sm_lane_count(&r.geo) - 1, r.geo.cells - 1, 1), 0);
	region_lane(&r, sm_lane_count(&r.geo) - 1)[r.geo.cells - 1] = 7;
}

static void pages__without_memory__are_not_marked(void **state)
{
	struct region_options o = options();

	assert_int_equal(region_open(&r, &o, &diag), 0);
	fail_at = 1;
	fail_errno = ENOSPC;
	calls = 0;
	assert_int_equal(region_reserve_cells(&r, -1, 3, 10, 1), -ENOSPC);
	assert_false(region_page_reserved(&r, 3, 0));
	calls = 0;
	fail_errno = EINTR;		/* a signal: tried again */
	assert_int_equal(region_reserve_cells(&r, -1, 3, 10, 1), 0);
	calls = 0;
	fail_errno = EOPNOTSUPP;	/* a file system that cannot: nothing to promise */
	assert_int_equal(region_reserve_cells(&r, -1, 2, 10, 1), 0);
	fail_at = 0;
	assert_int_equal(unlink(segment.path), 0);
	assert_int_equal(region_reserve_cells(&r, -1, 1, 10, 1), -ESTALE);
	assert_int_equal(region_reserve_cells(&r, -1, 3, 10, 1), 0);	/* it has it */
}

static void lane__released__reads_as_zeros(void **state)
{
	struct region_options o = options();
	uint64_t before, *lane;
	unsigned way;
	int fd;

	assert_int_equal(region_open(&r, &o, &diag), 0);
	fd = region_reopen(&r);
	before = allocated();
	lane = region_lane(&r, 4);
	for (way = 0; way < 2; way++) {
		assert_int_equal(region_reserve_cells(&r, fd, 4, 0, 2000), 0);
		lane[0] = lane[777] = lane[1999] = 5;
		fail_at = way;		/* the second time without holes: then by hand */
		fail_errno = EOPNOTSUPP;
		calls = 0;
		assert_int_equal(region_release_lane(&r, fd, 4), 0);
		fail_at = 0;
		assert_true(lane[0] == 0 && lane[777] == 0 && lane[1999] == 0);
		if (!way) {
			assert_false(region_page_reserved(&r, 4, 0));
			assert_true(allocated() <=
				    before + 3 * SM_PAGE); /* looking at a hole fills it */
		}
	}
	/* A lane without pages costs nothing. */
	fallocates = 0;
	assert_int_equal(region_release_lane(&r, fd, 5), 0);
	assert_int_equal(fallocates, 0);
	close(fd);
}

static void string__beyond_the_area__is_null(void **state)
{
	struct region_options o = options();

	assert_int_equal(region_open(&r, &o, &diag), 0);
	assert_non_null(region_string(&r, 0, r.geo.strings_bytes));
	assert_null(region_string(&r, 1, r.geo.strings_bytes));
	assert_null(region_string(&r, 0, r.geo.strings_bytes + 1));
	assert_null(region_string(&r, UINT32_MAX, 2));
	assert_null(region_string(&r, 2, UINT32_MAX));
	assert_ptr_equal(region_string(&r, 16, 1), r.base + r.geo.off_strings + 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		dir_test(region__made__is_whole_and_sparse),
		dir_test(region__with_a_group__is_writable_by_it_whatever_the_umask),
		dir_test(region__made_anew__has_another_id),
		dir_test(file__replaced__is_not_current),
		dir_test(region__that_may_not_be_made__is_not),
		dir_test(creation__in_which_any_call_fails__is_completed_by_the_next),
		dir_test(creation__without_memory__keeps_none),
		dir_test(creations__at_the_same_time__are_one),
		dir_test(pages__reserved__are_remembered),
		dir_test(pages__without_memory__are_not_marked),
		dir_test(lane__released__reads_as_zeros),
		dir_test(string__beyond_the_area__is_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
