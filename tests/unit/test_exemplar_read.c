/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=pread
/* Tests of libshm/exemplar_read.c. A writer in the middle of it is played by wrapping pread(). */
#include <math.h>

#include "segment_builder.h"

ssize_t __real_pread(int fd, void *buf, size_t n, off_t offset);

static struct builder b;
static bool busy_writer;

ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset)
{
	ssize_t rc = __real_pread(fd, buf, n, offset);

	if (busy_writer && n == sizeof(struct sm_exemplar_rec))
		builder_exemplar(&b, 0)->seq += UINT64_C(1) << 17;
	return rc;
}

static const double bounds[] = { 1, 2 };
static uint32_t series;
static struct sm_reader *r;
static const struct sm_snapshot *s;

static void put(uint32_t i, const char *labels, size_t len, double v)
{
	struct sm_exemplar_rec *e = builder_exemplar(&b, i);

	memset(e, 0, sizeof(*e));
	e->seq = UINT64_C(1) << 17 | 3 << 1;
	memcpy(&e->value, &v, sizeof(v));
	e->at_real_ns = 1700000000000000123u;
	e->text_len = (uint32_t)len;
	memcpy(e->labels, labels, len);
}

static int set_up(void **state)
{
	uint32_t f;

	busy_writer = false;
	builder_new(&b);
	f = builder_family(&b, SM_HISTOGRAM, "h", .bounds = bounds, .nbounds = 2,
			   .flags = SM_FF_EXEMPLARS);
	series = builder_series(&b, f, NULL);
	r = builder_reader(&b);
	s = builder_take(r, 0);
	return 0;
}

static int tear_down(void **state)
{
	sm_snapshot_free(s);
	sm_reader_close(r);
	builder_free(&b);
	return 0;
}

static int get(unsigned bucket, struct sm_exemplar *e)
{
	return sm_reader_exemplar(r, builder_find(s, series), bucket, e);
}

static void exemplar__whole__pairs_in_the_callers_copy(void **state)
{
	struct sm_exemplar e;

	put(2, "trace_id\0abc\0note\0", 19, 9.5);
	assert_int_equal(get(2, &e), 0);
	assert_int_equal(e.bucket, 2);
	assert_true(e.value == 9.5);
	assert_int_equal(e.at_real_ns, 1700000000000000123u);
	assert_int_equal(e.npairs, 2);
	assert_string_equal(e.pairs[0].ptr, "trace_id");
	assert_string_equal(e.pairs[1].ptr, "abc");
	assert_int_equal(e.pairs[1].len, 3);
	assert_string_equal(e.pairs[2].ptr, "note");
	assert_int_equal(e.pairs[3].len, 0);
	assert_true(e.pairs[0].ptr >= e.text && e.pairs[3].ptr < e.text + sizeof(e.text));
}

static void exemplar__none__enoent(void **state)
{
	struct sm_series_info stranger = *builder_find(s, series);
	struct sm_exemplar e;

	assert_int_equal(get(0, &e), -ENOENT);
	assert_int_equal(get(3, &e), -ENOENT);
	put(0, "a\0b", 4, 1);
	assert_int_equal(get(0, &e), 0);
	builder_exemplar(&b, 0)->text_len = 0;
	assert_int_equal(get(0, &e), -ENOENT);
	/* A series_info that says anything. */
	stranger.exemplar = UINT32_MAX;
	stranger.nexemplars = UINT32_MAX;
	assert_int_equal(sm_reader_exemplar(r, &stranger, 5, &e), -ENOENT);
	assert_int_equal(sm_reader_exemplar(r, &stranger, UINT32_MAX - 1, &e), -ENOENT);
	stranger.exemplar = 1;
	stranger.id = UINT32_MAX;
	assert_int_equal(sm_reader_exemplar(r, &stranger, 0, &e), -ENOENT);
}

static void exemplar__series_gone__enoent(void **state)
{
	struct sm_exemplar e;

	put(0, "a\0b", 4, 1);
	assert_int_equal(get(0, &e), 0);
	builder_rec(&b, series)->incarnation++;
	assert_int_equal(get(0, &e), -ENOENT);
	builder_rec(&b, series)->incarnation--;
	builder_rec(&b, series)->state = SM_REC_TOMB;
	assert_int_equal(get(0, &e), -ENOENT);
}

static void exemplar__busy_or_changing__eagain(void **state)
{
	struct sm_exemplar e;

	put(0, "a\0b", 4, 1);
	builder_exemplar(&b, 0)->seq |= 1;
	assert_int_equal(get(0, &e), -EAGAIN);
	builder_exemplar(&b, 0)->seq &= ~UINT64_C(1);
	busy_writer = true;
	assert_int_equal(get(0, &e), -EAGAIN);
	busy_writer = false;
	assert_int_equal(get(0, &e), 0);
}

static void exemplar__cannot_be_shown__enoent(void **state)
{
	static const struct { const char *labels; size_t len;
	} bad[] = {
		{ "a\0b\0c", 6 }, /* a name without a value */
		{ "a\0b", 3 },	  /* not terminated */
		{ "1a\0b", 5 },	  { "\0b", 3 },		{ "a b\0c", 6 },
		{ "a\0\xff", 4 }, { "\xc3\xa9\0b", 5 }, { "a\0b\0a\0c", 8 }, /* a name twice */
	};
	struct sm_exemplar e;
	char text[600];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(0, bad[i].labels, bad[i].len, 1);
		assert_int_equal(get(0, &e), -ENOENT);
	}
	put(0, "a\0b", 4, (double)NAN);
	assert_int_equal(get(0, &e), -ENOENT);
	put(0, "a\0b", 4, 1);
	builder_exemplar(&b, 0)->text_len = UINT32_MAX;
	assert_int_equal(get(0, &e), -ENOENT);
	/* 128 code points are allowed, of whatever length. */
	text[0] = 'a';
	text[1] = '\0';
	for (i = 0; i < 128; i++)
		memcpy(text + 2 + 3 * i, "\xe2\x82\xac", 3);
	text[2 + 3 * 127] = '\0';
	put(0, text, 2 + 3 * 127 + 1, 1);
	assert_int_equal(get(0, &e), 0);
	text[2 + 3 * 127] = '\xe2';
	text[2 + 3 * 128] = '\0';
	put(0, text, 2 + 3 * 128 + 1, 1);
	assert_int_equal(get(0, &e), -ENOENT);
}

#define exemplar_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		exemplar_test(exemplar__whole__pairs_in_the_callers_copy),
		exemplar_test(exemplar__none__enoent),
		exemplar_test(exemplar__series_gone__enoent),
		exemplar_test(exemplar__busy_or_changing__eagain),
		exemplar_test(exemplar__cannot_be_shown__enoent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
