/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_env_files.c - what may lie at a segment's path and is none: links, directories, devices,
 * other files, other layouts, random bytes. One clear error each, for writers and readers; what
 * is not ours is left as it is.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "layout.h"
#include "proc.h"

static void write_file(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	CHECK(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
}

static void ignore_finding(void *ctx, const char *finding)
{
	(void)ctx;
	(void)finding;
}

/* Writers and readers are refused with these errors, and a program goes on with null handles. */
static void refused(int writer_error, int reader_error, const char *part)
{
	struct sm_options o = small("w");
	struct sm_family_options c = { .kind = SM_COUNTER, .name = "c_total" };
	struct sm_reader *r = NULL;
	struct sm_diag diag;
	struct sm *m;
	int rc;

	m = sm_open(&o, &diag);
	if (diag.error != writer_error)
		FAIL("sm_open: %d, not %d: %s", diag.error, writer_error, diag.message);
	CHECK_TEXT(diag.message, test_path);
	CHECK_TEXT(diag.message, part);
	sm_counter_add(sm_counter(sm_declare(m, &c, &diag), SM_NO_LABELS), 1);
	CHECK(diag.error == writer_error);
	CHECK(sm_heartbeat(m) == writer_error);
	sm_close(m);
	rc = sm_reader_open(test_path, &r, &diag);
	if (rc != reader_error)
		FAIL("sm_reader_open: %d, not %d: %s", rc, reader_error, diag.message);
	CHECK_TEXT(diag.message, test_path);
	rc = sm_check(test_path, ignore_finding, NULL, &diag);
	CHECK(rc == reader_error || rc > 0);
}

static void link__to_a_segment__is_refused(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/real", test_dir);
	CHECK(symlink(path, test_path) == 0);
	refused(-ELOOP, -ELOOP, "symbolic link");	/* dangling */
	CHECK(access(path, F_OK) != 0);
	write_file(path, "", 0);
	refused(-ELOOP, -ELOOP, "symbolic link");
}

static void directory__at_the_path__is_refused(void)
{
	CHECK(mkdir(test_path, 0755) == 0);
	refused(-EISDIR, -EBADMSG, "irectory");
}

static void fifo__at_the_path__is_refused_at_once(void)
{
	CHECK(mkfifo(test_path, 0640) == 0);
	refused(-EBADMSG, -EBADMSG, "not a regular file");
}

static void socket__at_the_path__is_refused(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, test_path);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	refused(-ENXIO, -ENXIO, "");
}

static void file__of_somebody_else__is_left_as_it_is(void)
{
	static const size_t sizes[] = { 1, 5, 39, 40, 512, 4095, 4096, 5000 };
	char text[5001], back[5001];
	unsigned i, k;
	int fd;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		/* Text, then random bytes, then zeros with something behind them. */
		for (k = 0; k < sizeof(text); k++)
			text[k] = i % 3 == 0   ? "host\n"[k % 5]
				  : i % 3 == 1 ? (char)(k * 2654435761u >> 13)
					       : 0;
		text[sizes[i] - 1] = 'x';
		write_file(test_path, text, sizes[i]);
		refused(-EBADMSG, -EBADMSG, "");
		fd = open(test_path, O_RDONLY);
		CHECK(fd >= 0 && read(fd, back, sizeof(back)) == (ssize_t)sizes[i]);
		CHECK(memcmp(text, back, sizes[i]) == 0);
		close(fd);
	}
}

/* What a creator that died leaves: the next comer completes it. */
static void file__that_is_empty__becomes_a_segment(void)
{
	struct sm_reader *r;
	struct sm_diag diag;
	struct sm *m;

	write_file(test_path, "", 0);
	CHECK(sm_reader_open(test_path, &r, &diag) == SM_NOT_READY);
	m = open_writer("w");
	sm_counter_add(open_counter(m, "c_total"), 1);
	CHECK_U64(count_of(test_path, "c_total"), 1);
	sm_close(m);
	/* Of its full size, and nothing in it. */
	CHECK(truncate(test_path, 0) == 0 && truncate(test_path, 1 << 24) == 0);
	m = open_writer("w");
	sm_counter_add(open_counter(m, "c_total"), 1);
	CHECK_U64(count_of(test_path, "c_total"), 1);
	check_sane(test_path);
}

/* A segment with one byte range changed. */
static void change(size_t offset, const void *bytes, size_t n)
{
	int fd;

	if (access(test_path, F_OK) != 0)
		sm_close(open_writer("w"));
	fd = open(test_path, O_RDWR);
	CHECK(fd >= 0 && pwrite(fd, bytes, n, (off_t)offset) == (ssize_t)n && close(fd) == 0);
}

static void header__that_is_damaged__is_told(void)
{
	uint32_t swapped = 0x04030201, state = SM_SEG_EMPTY, features = 0x80000000, slots = 1000000;
	uint64_t magic = 42, zero = 0, offset = UINT64_C(1) << 60;
	char page[4096];
	unsigned i, seed = 1;
	int fd;

	change(offsetof(struct sm_header, magic), &magic, 8);
	refused(-EBADMSG, -EBADMSG, "not a shardmeter segment");
	CHECK(unlink(test_path) == 0);
	change(offsetof(struct sm_header, endian), &swapped, 4);
	refused(-EPROTONOSUPPORT, -EPROTONOSUPPORT, "byte order");
	CHECK(unlink(test_path) == 0);
	change(offsetof(struct sm_header, incompatible), &features, 4);
	refused(-EPROTONOSUPPORT, -EPROTONOSUPPORT, "features 0x80000000");
	CHECK(unlink(test_path) == 0);
	change(offsetof(struct sm_header, nslots), &slots, 4);
	refused(-EBADMSG, -EBADMSG, "fingerprint");
	CHECK(unlink(test_path) == 0);
	change(offsetof(struct sm_header, off_lanes), &offset, 8);
	refused(-EBADMSG, -EBADMSG, "fingerprint");
	CHECK(unlink(test_path) == 0);
	change(offsetof(struct sm_header, fingerprint), &zero, 8);
	refused(-EBADMSG, -EBADMSG, "fingerprint");
	CHECK(unlink(test_path) == 0);
	/* An unfinished one is finished by a writer; a reader says not ready. */
	change(offsetof(struct sm_header, state), &state, 4);
	{
		struct sm_reader *r;
		struct sm_diag diag;

		CHECK(sm_reader_open(test_path, &r, &diag) == SM_NOT_READY);
	}
	sm_close(open_writer("w"));
	check_sane(test_path);
	/* Random bytes all over the header's first page. */
	for (i = 0; i < 200; i++) {
		unsigned k;

		for (k = 0; k < sizeof(page); k++)
			page[k] = (char)((seed = seed * 1103515245 + 12345) >> 16);
		memcpy(page, "SHRDMTR1", i % 2 ? 8 : 0);
		fd = open(test_path, O_RDWR);
		CHECK(fd >= 0 && pwrite(fd, page, sizeof(page), 0) == (ssize_t)sizeof(page) &&
			close(fd) == 0);
		{
			struct sm_options o = small("w");
			struct sm_reader *r;
			struct sm_diag diag;

			sm_close(sm_open(&o, &diag));
			CHECK(diag.error == -EBADMSG || diag.error == -EPROTONOSUPPORT);
			CHECK(sm_reader_open(test_path, &r, &diag) < 0);
		}
	}
}

/* A feature that only readers need not know: they read on, writers are refused. */
static void feature__for_writers_only__is_read_all_the_same(void)
{
	struct sm_options o = small("w");
	uint32_t feature = 0x10;
	struct sm_diag diag;
	struct sm *m = open_writer("w");

	sm_counter_add(open_counter(m, "c_total"), 3);
	sm_close(m);
	change(offsetof(struct sm_header, ro_compatible), &feature, 4);
	sm_open(&o, &diag);
	CHECK(diag.error == -EPROTONOSUPPORT);
	CHECK_TEXT(diag.message, "0x10");
	CHECK_U64(count_of(test_path, "c_total"), 3);
}

/* Another layout major: readers name both versions; a writer makes a file of its own beside
 * it, or says so. */
static void layout__of_another_major__is_named(void)
{
	struct sm_options o = small("w");
	uint16_t major = 99;
	struct sm_reader *r;
	struct sm_diag diag;
	struct sm *m;

	change(offsetof(struct sm_header, major), &major, 2);
	CHECK(sm_reader_open(test_path, &r, &diag) == -EPROTONOSUPPORT);
	CHECK_TEXT(diag.message, "99.");
	CHECK_TEXT(diag.message, "1.0");
	o.flags |= SM_OPEN_NO_CREATE;
	sm_open(&o, &diag);
	CHECK(diag.error == -EPROTONOSUPPORT);
	CHECK_TEXT(diag.message, "99.");
	CHECK_TEXT(diag.message, "1.0");
	o.flags &= ~SM_OPEN_NO_CREATE;
	m = sm_open(&o, &diag);
	if (diag.error)
		FAIL("%s", diag.message);
	sm_counter_add(open_counter(m, "c_total"), 2);
	CHECK(strcmp(sm_segment_path(m), test_path) == 0 || strstr(sm_segment_path(m), test_path));
}

static void directory__that_is_not_there__is_told(void)
{
	struct sm_options o = small("w");
	struct sm_diag diag;
	char path[160];

	snprintf(path, sizeof(path), "%s/no/such/segment", test_dir);
	o.segment = path;
	sm_open(&o, &diag);
	CHECK(diag.error == -ENOENT);
	CHECK_TEXT(diag.message, path);
	CHECK_TEXT(diag.message, "directory");
	o.segment = test_path;
	o.flags |= SM_OPEN_NO_CREATE;
	sm_open(&o, &diag);
	CHECK(diag.error == -ENOENT);
	CHECK(access(test_path, F_OK) != 0);
}

/* A file system that is not a tmpfs is accepted, with a word of warning. */
static void file_system__that_is_no_tmpfs__is_warned_of(void)
{
	struct sm_options o = small("w");
	char dir[] = "/var/tmp/shardmeter-test-XXXXXX", path[64];
	struct sm_diag diag;
	struct sm *m;

	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/segment", dir);
	o.segment = path;
	m = sm_open(&o, &diag);
	sm_counter_add(open_counter(m, "c_total"), 4);
	CHECK(diag.error == 0);
	CHECK_U64(count_of(path, "c_total"), 4);
	sm_close(m);
	remove_tree(dir);
	if (!diag.message[0])
		SKIP("/var/tmp is a tmpfs here");
	CHECK_TEXT(diag.message, "tmpfs");
}

static const struct test_case cases[] = {
	TEST_CASE(link__to_a_segment__is_refused),
	TEST_CASE(directory__at_the_path__is_refused),
	TEST_CASE(fifo__at_the_path__is_refused_at_once),
	TEST_CASE(socket__at_the_path__is_refused),
	TEST_CASE(file__of_somebody_else__is_left_as_it_is),
	TEST_CASE(file__that_is_empty__becomes_a_segment),
	TEST_CASE(header__that_is_damaged__is_told),
	TEST_CASE(feature__for_writers_only__is_read_all_the_same),
	TEST_CASE(layout__of_another_major__is_named),
	TEST_CASE(directory__that_is_not_there__is_told),
	TEST_CASE(file_system__that_is_no_tmpfs__is_warned_of),
};

TEST_MAIN(cases)
