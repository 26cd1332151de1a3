/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libshm/reader.c: attaching, and what is refused with which words. */
#include <grp.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "segment_builder.h"

static int refuse(const char *path, struct sm_diag *diag)
{
	struct sm_reader *r = NULL;
	int rc = sm_reader_open(path, &r, diag);

	assert_null(r);
	assert_int_not_equal(rc, 0);
	if (rc < 0)
		assert_int_equal(diag->error, rc);
	return rc;
}

static void open__ready_segment__facts(void **state)
{
	struct builder b;
	struct sm_reader *r;
	const struct sm_segment_info *info;

	builder_new(&b);
	r = builder_reader(&b);
	info = sm_reader_info(r);
	assert_string_equal(info->path, b.path);
	assert_int_equal(info->layout_major, SM_LAYOUT_MAJOR);
	assert_int_equal(info->layout_minor, SM_LAYOUT_MINOR);
	assert_int_equal(info->segment_id[0], 0xa5);
	assert_string_equal(info->boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	assert_int_equal(info->mode, 0600);
	assert_int_equal(info->uid, geteuid());
	assert_int_equal(info->file_bytes, b.h->file_bytes);
	assert_int_equal(info->max_writers, BUILDER_SLOTS - 1);
	assert_int_equal(info->lanes_per_writer, 3);
	assert_int_equal(info->max_families, 64);
	assert_int_equal(info->max_series, 512);
	assert_int_equal(sm_reader_current(r), 0);
	assert_int_equal(sm_reader_live_writers(r), 0);
	sm_reader_close(r);
	builder_free(&b);
}

static void open__missing__enoent(void **state)
{
	struct sm_diag diag;

	assert_int_equal(refuse("/dev/shm/shardmeter-test-none/x", &diag), -ENOENT);
	assert_non_null(strstr(diag.message, "no segment at /dev/shm/shardmeter-test-none/x"));
	assert_int_equal(refuse("no/../such?", &diag), -ENOENT);
	assert_int_equal(refuse("bad name", &diag), -EINVAL);
}

static void open__not_finished__not_ready(void **state)
{
	struct sm_reader *r = NULL;
	struct sm_diag diag;
	struct builder b;

	builder_new(&b);
	b.h->state = SM_SEG_EMPTY;
	assert_int_equal(sm_reader_open(b.path, &r, &diag), SM_NOT_READY);
	memset(b.h, 0, sizeof(*b.h));
	assert_int_equal(sm_reader_open(b.path, &r, &diag), SM_NOT_READY);
	assert_int_equal(ftruncate(b.fd, 0), 0);
	assert_int_equal(sm_reader_open(b.path, &r, &diag), SM_NOT_READY);
	assert_null(r);
	assert_int_equal(diag.error, 0);
	munmap(b.base, 4096);
	close(b.fd);
	unlink(b.path);
	rmdir(b.dir);
}

static void open__other_layout__both_versions_named(void **state)
{
	struct sm_diag diag;
	struct builder b;

	builder_new(&b);
	b.h->major = SM_LAYOUT_MAJOR + 6;
	b.h->minor = 3;
	assert_int_equal(refuse(b.path, &diag), -EPROTONOSUPPORT);
	assert_non_null(strstr(diag.message, "7.3"));
	assert_non_null(strstr(diag.message, "1.0"));
	b.h->major = SM_LAYOUT_MAJOR;
	b.h->incompatible = 0x80;
	assert_int_equal(refuse(b.path, &diag), -EPROTONOSUPPORT);
	b.h->incompatible = 0;
	/* What only writers must understand does not keep readers out. */
	b.h->ro_compatible = 0x80;
	sm_reader_close(builder_reader(&b));
	builder_free(&b);
}

static void open__damaged_header__ebadmsg(void **state)
{
	struct sm_diag diag;
	struct builder b;

	builder_new(&b);
	b.h->nseries += 512;
	assert_int_equal(refuse(b.path, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, b.path));
	b.h->nseries -= 512;
	b.h->magic ^= 1;
	assert_int_equal(refuse(b.path, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "not a shardmeter segment"));
	b.h->magic ^= 1;
	b.h->state = 77;
	assert_int_equal(refuse(b.path, &diag), -EBADMSG);
	b.h->state = SM_SEG_SUPERSEDED;
	sm_reader_close(builder_reader(&b));
	builder_free(&b);
}

static void open__truncated__ebadmsg(void **state)
{
	struct sm_diag diag;
	struct builder b;
	uint64_t bytes;

	builder_new(&b);
	bytes = b.h->file_bytes;
	assert_int_equal(ftruncate(b.fd, (off_t)bytes - 1), 0);
	assert_int_equal(refuse(b.path, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "truncated"));
	assert_int_equal(ftruncate(b.fd, 100), 0);
	assert_int_equal(refuse(b.path, &diag), -EBADMSG);
	assert_int_equal(ftruncate(b.fd, (off_t)bytes), 0);
	munmap(b.base, bytes);
	close(b.fd);
	unlink(b.path);
	rmdir(b.dir);
}

static void open__no_regular_file__refused(void **state)
{
	char link[128], fifo[128];
	struct sm_diag diag;
	struct builder b;

	builder_new(&b);
	snprintf(link, sizeof(link), "%s/link", b.dir);
	snprintf(fifo, sizeof(fifo), "%s/fifo", b.dir);
	assert_int_equal(symlink(b.path, link), 0);
	assert_int_equal(refuse(link, &diag), -ELOOP);
	assert_non_null(strstr(diag.message, "symbolic link"));
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(refuse(fifo, &diag), -EBADMSG);
	assert_int_equal(refuse(b.dir, &diag), -EBADMSG);
	unlink(link);
	unlink(fifo);
	builder_free(&b);
}

/* As another user, in a child of its own. */
static void open__no_permission__owner_and_remedy(void **state)
{
	struct sm_reader *r;
	struct sm_diag diag;
	struct builder b;
	int status, rc;
	pid_t child;

	if (geteuid() != 0) {
		print_message("only root can become another user\n");
		skip();
	}
	builder_new(&b);
	assert_int_equal(chmod(b.dir, 0755), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
			_exit(1);
		rc = sm_reader_open(b.path, &r, &diag);
		_exit(rc == -EACCES && strstr(diag.message, "belongs to uid 0") &&
				      strstr(diag.message, "SHARDMETER_GROUP")
			      ? 0
			      : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	builder_free(&b);
}

static void current__removed_or_replaced__told(void **state)
{
	struct sm_reader *r;
	struct builder b;
	int fd;

	builder_new(&b);
	r = builder_reader(&b);
	assert_int_equal(unlink(b.path), 0);
	assert_int_equal(sm_reader_current(r), 1);
	fd = open(b.path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(sm_reader_current(r), 2);
	close(fd);
	sm_reader_close(r);
	builder_free(&b);
}

static void live_writers__locks_come_and_go__counted(void **state)
{
	struct sm_reader *r;
	struct builder b;
	uint32_t one, two;

	builder_new(&b);
	r = builder_reader(&b);
	one = builder_writer(&b, "a", true);
	two = builder_writer(&b, "b", true);
	builder_writer(&b, "dead", false);
	assert_int_equal(sm_reader_live_writers(r), 2);
	builder_kill(&b, one);
	assert_int_equal(sm_reader_live_writers(r), 1);
	/* A removed file's writers live on until they notice. */
	unlink(b.path);
	assert_int_equal(sm_reader_live_writers(r), 1);
	builder_kill(&b, two);
	assert_int_equal(sm_reader_live_writers(r), 0);
	sm_reader_close(r);
	builder_free(&b);
}

static void take__header_overwritten_or_cut__damage(void **state)
{
	const struct sm_snapshot *s = NULL;
	struct sm_reader *r;
	struct sm_diag diag;
	struct builder b;
	uint64_t bytes;

	builder_new(&b);
	r = builder_reader(&b);
	sm_snapshot_free(builder_take(r, 0));
	b.h->off_lanes += 4096;
	assert_int_equal(sm_snapshot_take(r, 0, &s, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "overwritten"));
	b.h->off_lanes -= 4096;
	bytes = b.h->file_bytes;
	assert_int_equal(ftruncate(b.fd, 8192), 0);
	assert_int_equal(sm_snapshot_take(r, 0, &s, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "truncated"));
	assert_int_equal(ftruncate(b.fd, 0), 0);
	assert_int_equal(sm_snapshot_take(r, 0, &s, &diag), -EBADMSG);
	assert_null(s);
	sm_reader_close(r);
	assert_int_equal(ftruncate(b.fd, (off_t)bytes), 0);
	munmap(b.base, bytes);
	close(b.fd);
	unlink(b.path);
	rmdir(b.dir);
}

static void close__null__fine(void **state)
{
	sm_reader_close(NULL);
	sm_snapshot_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open__ready_segment__facts),
		cmocka_unit_test(open__missing__enoent),
		cmocka_unit_test(open__not_finished__not_ready),
		cmocka_unit_test(open__other_layout__both_versions_named),
		cmocka_unit_test(open__damaged_header__ebadmsg),
		cmocka_unit_test(open__truncated__ebadmsg),
		cmocka_unit_test(open__no_regular_file__refused),
		cmocka_unit_test(open__no_permission__owner_and_remedy),
		cmocka_unit_test(current__removed_or_replaced__told),
		cmocka_unit_test(live_writers__locks_come_and_go__counted),
		cmocka_unit_test(take__header_overwritten_or_cut__damage),
		cmocka_unit_test(close__null__fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
