/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of libshm/catalog_read.c and catalog_parse.c: what of a catalog counts. Each damage must
 * cost the damaged record only, and be counted.
 */
#include <math.h>

#include "segment_builder.h"

static const double bounds[] = { 0.1, 1, 10 };

struct fixture {
	struct builder b;
	uint32_t counter, histogram, state;	/* families */
	uint32_t play, stop, plain;		/* series */
};

static void set_up(struct fixture *x)
{
	builder_new(&x->b);
	x->counter = builder_family(&x->b, SM_COUNTER, "commands_total", .help = "Commands.",
				    .labels = { "command", "status" });
	x->histogram = builder_family(&x->b, SM_HISTOGRAM, "wait_seconds", .help = "Waiting.",
				      .unit = "seconds", .bounds = bounds, .nbounds = 3,
				      .sum_decimals = 9);
	x->state = builder_family(&x->b, SM_STATESET, "mode", .states = { "idle", "busy" });
	x->play = builder_series(&x->b, x->counter, "play", "ok", NULL);
	x->stop = builder_series(&x->b, x->counter, "stop", "", NULL);
	x->plain = builder_series(&x->b, x->histogram, NULL);
}

/* Take a snapshot and compare how much of the catalog it has. */
static void expect(struct fixture *x, size_t families, size_t series, unsigned damaged)
{
	struct sm_reader *r = builder_reader(&x->b);
	const struct sm_snapshot *s = builder_take(r, SM_SNAPSHOT_WRITERS);
	size_t n = 0, f;

	for (f = 0; f < s->nfamilies; f++)
		n += s->families[f].nseries;
	assert_int_equal(s->nfamilies, families);
	assert_int_equal(n, series);
	assert_int_equal(s->damaged_records, damaged);
	sm_snapshot_free(s);
	sm_reader_close(r);
}

static void catalog__valid__all_of_it(void **state)
{
	const struct sm_family_info *f;
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct fixture x;

	set_up(&x);
	builder_frec(&x.b, x.counter)->overflow = x.stop + 1;
	builder_frec(&x.b, x.counter)->series_live = 1;
	r = builder_reader(&x.b);
	s = builder_take(r, 0);
	assert_int_equal(s->nfamilies, 3);
	f = &s->families[0];
	assert_string_equal(f->name, "commands_total");
	assert_string_equal(f->help, "Commands.");
	assert_string_equal(f->unit, "");
	assert_int_equal(f->kind, SM_COUNTER);
	assert_int_equal(f->nlabels, 2);
	assert_string_equal(f->labels[0], "command");
	assert_string_equal(f->labels[1], "status");
	assert_int_equal(f->cap, 1000);
	assert_int_equal(f->nseries, 2);
	assert_int_equal(f->series[0].values[0].len, 4);
	assert_string_equal(f->series[0].values[0].ptr, "play");
	assert_string_equal(f->series[0].values[1].ptr, "ok");
	assert_int_equal(f->series[0].overflow, 0);
	assert_int_equal(f->series[0].created_boot_ns, 3000);
	assert_int_equal(f->series[1].values[1].len, 0);
	assert_int_equal(f->series[1].overflow, 1);
	f = &s->families[1];
	assert_string_equal(f->name, "mode");
	assert_int_equal(f->nstates, 2);
	assert_string_equal(f->states[1], "busy");
	f = &s->families[2];
	assert_string_equal(f->name, "wait_seconds");
	assert_string_equal(f->unit, "seconds");
	assert_int_equal(f->nbounds, 3);
	assert_int_equal(f->nunited, 3);
	assert_true(f->bounds[2] == 10);
	assert_int_equal(f->sum_decimals, 9);
	assert_int_equal(s->fill.families, 3);
	assert_int_equal(s->fill.series, 3);
	assert_int_equal(s->fill.series_max, 512);
	sm_snapshot_free(s);
	sm_reader_close(r);
	builder_free(&x.b);
}

static void catalog__unchanged__shared_between_snapshots(void **state)
{
	const struct sm_snapshot *one, *two, *three;
	struct sm_reader *r;
	struct fixture x;

	set_up(&x);
	r = builder_reader(&x.b);
	one = builder_take(r, 0);
	two = builder_take(r, 0);
	assert_ptr_equal(one->families, two->families);
	builder_series(&x.b, x.state, NULL);
	three = builder_take(r, 0);
	assert_ptr_not_equal(one->families, three->families);
	assert_int_equal(three->families[1].nseries, 1);
	/* Snapshots outlive the catalog that replaced theirs, and the reader. */
	sm_reader_close(r);
	sm_snapshot_free(three);
	assert_string_equal(one->families[0].series[0].values[0].ptr, "play");
	assert_string_equal(one->segment->path, x.b.path);
	sm_snapshot_free(one);
	sm_snapshot_free(two);
	builder_free(&x.b);
}

static void catalog__records_not_live__left_out_silently(void **state)
{
	struct fixture x;

	set_up(&x);
	builder_rec(&x.b, x.play)->state = SM_REC_TOMB;
	expect(&x, 3, 2, 0);
	builder_rec(&x.b, x.play)->state = SM_REC_INIT;
	expect(&x, 3, 2, 0);
	builder_frec(&x.b, x.counter)->state = SM_REC_TOMB;
	expect(&x, 2, 1, 0);
	/* A series of an earlier family in that record. */
	builder_frec(&x.b, x.counter)->state = SM_REC_LIVE;
	builder_frec(&x.b, x.counter)->incarnation++;
	expect(&x, 3, 1, 0);
	builder_free(&x.b);
}

static void family__text_outside_the_area__left_out(void **state)
{
	struct fixture x;
	struct sm_family_rec *f;

	set_up(&x);
	f = builder_frec(&x.b, x.counter);
	f->strings = x.b.h->strings_used - f->text_len + 1;
	expect(&x, 2, 1, 1);
	f->strings = UINT32_MAX;
	expect(&x, 2, 1, 1);
	f->strings = 0;
	f->text_len = UINT32_MAX;
	expect(&x, 2, 1, 1);
	builder_free(&x.b);
}

/* Change one field of the counter's family to each value in turn. */
#define EXPECT_BAD_FAMILY(field, ...)							\
	do {										\
		const uint64_t bad_[] = { __VA_ARGS__ };				\
		struct fixture x_;							\
		size_t i_;								\
		set_up(&x_);								\
		for (i_ = 0; i_ < sizeof(bad_) / sizeof(bad_[0]); i_++) {		\
			struct sm_family_rec *f_ = builder_frec(&x_.b, x_.histogram);	\
			struct sm_family_rec saved_ = *f_;				\
			f_->field = (__typeof__(f_->field))bad_[i_];			\
			expect(&x_, 2, 2, 1);						\
			*f_ = saved_;							\
		}									\
		expect(&x_, 3, 3, 0);							\
		builder_free(&x_.b);							\
	} while (0)

static void family__bad_field__left_out(void **state)
{
	EXPECT_BAD_FAMILY(kind, 0, 7, UINT32_MAX);
	EXPECT_BAD_FAMILY(name_len, 0, 11, 13, 0xffff);
	EXPECT_BAD_FAMILY(help_len, 0, 9, 0xffff);
	EXPECT_BAD_FAMILY(unit_len, 0, 0xffff);
	EXPECT_BAD_FAMILY(nlabels, 1, 17, 0xffff);
	EXPECT_BAD_FAMILY(nstates, 1, 64, 0xffff);
	EXPECT_BAD_FAMILY(nbounds, 0, 1, 2, 4, 256, 257, 0xffff);
	EXPECT_BAD_FAMILY(nbuckets, 0, 3, 5, 1024, 0xffff);
	EXPECT_BAD_FAMILY(gauge_mode, 7, 255);
	EXPECT_BAD_FAMILY(decimals, 10, 255);
	EXPECT_BAD_FAMILY(sum_decimals, 10, 255);
	EXPECT_BAD_FAMILY(flags, SM_FF_FINE_GRID, SM_FF_FINE_GRID | SM_FF_SIGNED);
	EXPECT_BAD_FAMILY(bounds, 4, 1u << 30, UINT32_MAX);
	EXPECT_BAD_FAMILY(bounds_bytes, 0, 16);
	EXPECT_BAD_FAMILY(strings_bytes, 0, 8);
	EXPECT_BAD_FAMILY(text_len, 0, 5, 29, 31);
}

static void family__huge_grid_with_one_bucket__left_out(void **state)
{
	struct sm_family_rec *f;
	struct fixture x;

	set_up(&x);
	f = builder_frec(&x.b, x.histogram);
	f->flags |= SM_FF_FINE_GRID;
	f->grid_lo = -128;
	f->grid_hi = 127;	/* more buckets than any family may have: the union gives up */
	f->nbuckets = 1;
	expect(&x, 2, 2, 1);
	builder_free(&x.b);
}

static void family__bounds_not_ascending__left_out(void **state)
{
	struct sm_family_rec *f;
	struct fixture x;
	double *d;

	set_up(&x);
	f = builder_frec(&x.b, x.histogram);
	d = (double *)(void *)(x.b.base + x.b.h->off_strings + f->bounds);
	d[1] = 0.1;
	expect(&x, 2, 2, 1);
	d[1] = (double)NAN;
	expect(&x, 2, 2, 1);
	d[1] = 1;
	d[2] = (double)INFINITY;
	expect(&x, 2, 2, 1);
	builder_free(&x.b);
}

static void family__names_that_break_an_exposition__left_out(void **state)
{
	static const char *const names[] = { "",       "1a",	  "a b",
					     "a{x=\"", "a\n",	  "shardmeter_up",
					     "a-b",    "\xc3\xa9" };
	static const char *const labels[] = { "le",  "quantile", "writer",    "__name__",
					      "a b", "",	 "x=\"y\",z", "clash" };
	struct fixture x;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		set_up(&x);
		builder_family(&x.b, SM_GAUGE, names[i], );
		expect(&x, 3, 3, 1);
		builder_free(&x.b);
	}
	for (i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		set_up(&x);
		builder_family(&x.b, SM_GAUGE, "clash", .labels = { "fine", labels[i] });
		expect(&x, 3, 3, 1);
		builder_free(&x.b);
	}
	set_up(&x);
	builder_family(&x.b, SM_GAUGE, "clash", .labels = { "same", "other", "same" });
	builder_family(&x.b, SM_STATESET, "states", .states = { "a", "b", "a" });
	builder_family(&x.b, SM_STATESET, "states2", .states = { "a", "\xff" });
	expect(&x, 3, 3, 3);
	builder_free(&x.b);
}

static void family__help_not_utf8__kept_without_help(void **state)
{
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct builder b;

	builder_new(&b);
	builder_family(&b, SM_GAUGE, "g", .help = "caf\xe9", .unit = "\xff");
	r = builder_reader(&b);
	s = builder_take(r, 0);
	assert_int_equal(s->nfamilies, 1);
	assert_string_equal(s->families[0].help, "");
	assert_string_equal(s->families[0].unit, "");
	sm_snapshot_free(s);
	sm_reader_close(r);
	builder_free(&b);
}

static void family__twice__first_one_stays(void **state)
{
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct fixture x;
	uint32_t twin;

	set_up(&x);
	twin = builder_family(&x.b, SM_GAUGE, "commands_total", .help = "Twin.");
	builder_series(&x.b, twin, NULL);
	expect(&x, 3, 3, 1);
	r = builder_reader(&x.b);
	s = builder_take(r, 0);
	assert_string_equal(s->families[0].help, "Commands.");
	sm_snapshot_free(s);
	sm_reader_close(r);
	builder_free(&x.b);
}

static void family__sample_names_of_a_histogram__left_out(void **state)
{
	struct fixture x;

	set_up(&x);
	builder_family(&x.b, SM_GAUGE, "wait_seconds_count", );
	builder_family(&x.b, SM_GAUGE, "wait_seconds_bucket", );
	builder_family(&x.b, SM_HISTOGRAM, "wait_seconds_sum", );
	builder_family(&x.b, SM_GAUGE, "wait_seconds_max", );
	expect(&x, 4, 3, 3);
	builder_free(&x.b);
}

static void series__cells_outside_their_zone__left_out(void **state)
{
	struct sm_series_rec *s;
	struct fixture x;
	uint32_t first, i;
	static const uint32_t bad[] = { 0, 1u << 20, UINT32_MAX, UINT32_MAX - 2 };

	set_up(&x);
	s = builder_rec(&x.b, x.plain);
	first = s->cell[0];
	for (i = 0; i < 4; i++) {
		s->cell[0] = bad[i];
		expect(&x, 3, 2, 1);
	}
	s->cell[0] = first + 1;			/* its end is beyond what is in use */
	expect(&x, 3, 2, 1);
	s->cell[0] = x.b.h->zone_first[SM_ZONE_SET] + 1;
	expect(&x, 3, 2, 1);
	s->cell[0] = first;
	s->ncells--;
	expect(&x, 3, 2, 1);
	s->ncells++;
	s->zone = SM_ZONE_LIVE;
	expect(&x, 3, 2, 1);
	s->zone = UINT32_MAX;
	expect(&x, 3, 2, 1);
	s->zone = SM_ZONE_ADD;
	builder_rec(&x.b, x.play)->cell[2] = UINT32_MAX;
	expect(&x, 3, 2, 1);
	builder_free(&x.b);
}

static void series__bad_text__left_out(void **state)
{
	struct sm_series_rec *s, saved;
	struct fixture x;
	char *text;

	set_up(&x);
	s = builder_rec(&x.b, x.play);
	saved = *s;
	text = x.b.base + x.b.h->off_strings + s->strings;
	text[1] = (char)0xff;
	expect(&x, 3, 2, 1);
	text[1] = '\0';				/* three values where there are two labels */
	expect(&x, 3, 2, 1);
	text[1] = 'l';
	text[4] = 'x';				/* only one */
	expect(&x, 3, 2, 1);
	text[4] = '\0';
	s->text_len--;
	expect(&x, 3, 2, 1);
	s->text_len += 2;
	expect(&x, 3, 2, 1);
	*s = saved;
	s->strings = UINT32_MAX - 3;
	expect(&x, 3, 2, 1);
	*s = saved;
	s->strings_bytes = 4;
	expect(&x, 3, 2, 1);
	*s = saved;
	s->family = 1000000;
	expect(&x, 3, 2, 0);
	builder_free(&x.b);
}

static void series__value_too_long__left_out(void **state)
{
	static char value[SM_LABEL_VALUE_MAX + 2];
	struct builder b;
	struct fixture x;
	uint32_t f;

	memset(value, 'v', SM_LABEL_VALUE_MAX);
	builder_new(&b);
	f = builder_family(&b, SM_GAUGE, "g", .labels = { "l" });
	builder_series(&b, f, value, NULL);
	value[SM_LABEL_VALUE_MAX] = 'v';
	builder_series(&b, f, value, NULL);
	x.b = b;
	expect(&x, 1, 1, 1);
	builder_free(&b);
}

static void series__twice__first_one_stays(void **state)
{
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct fixture x;
	uint32_t twin, w;

	set_up(&x);
	twin = builder_series(&x.b, x.counter, "play", "ok", NULL);
	w = builder_writer(&x.b, "a", true);
	*builder_cell(&x.b, w, 1, builder_rec(&x.b, x.play)->cell[0]) = 1;
	*builder_cell(&x.b, w, 1, builder_rec(&x.b, twin)->cell[0]) = 100;
	expect(&x, 3, 3, 1);
	r = builder_reader(&x.b);
	s = builder_take(r, 0);
	assert_null(builder_find(s, twin));
	assert_int_equal(builder_value(s, x.play, SM_ALL_WRITERS).units, 1);
	sm_snapshot_free(s);
	sm_reader_close(r);
	builder_free(&x.b);
}

static void marks__beyond_the_geometry__damage(void **state)
{
	const struct sm_snapshot *s = NULL;
	struct sm_reader *r;
	struct sm_diag diag;
	struct fixture x;
	uint32_t *marks[] = { NULL, NULL, NULL, NULL, NULL }, i, saved;

	set_up(&x);
	marks[0] = &x.b.h->families_used;
	marks[1] = &x.b.h->series_used;
	marks[2] = &x.b.h->strings_used;
	marks[3] = &x.b.h->exemplars_used;
	marks[4] = &x.b.h->cells_used[SM_ZONE_SET];
	for (i = 0; i < 5; i++) {
		saved = *marks[i];
		*marks[i] = UINT32_MAX;
		r = builder_reader(&x.b);
		assert_int_equal(sm_snapshot_take(r, 0, &s, &diag), -EBADMSG);
		assert_non_null(strstr(diag.message, "damaged"));
		sm_reader_close(r);
		*marks[i] = saved;
	}
	assert_null(s);
	builder_free(&x.b);
}

/* A sparse file may claim anything; memory is spent on what it really holds. */
static void marks__far_beyond_the_memory__damage(void **state)
{
	struct sm_geometry_wish wish = { .writers = 16,
					 .lanes_per_writer = 2,
					 .families = 65535,
					 .series = 1u << 22,
					 .cells = 1u << 27,
					 .ring_entries = 8 };
	const struct sm_snapshot *s = NULL;
	struct sm_reader *r;
	struct sm_diag diag;
	struct builder b;
	unsigned i;

	builder_new_sized(&b, &wish);
	for (i = 0; i < 3; i++) {
		b.h->series_used = i == 0 ? b.h->nseries : 0;
		b.h->strings_used = i == 1 ? b.h->strings_bytes : 16;
		b.h->cells_used[SM_ZONE_ADD] = i == 2 ? b.h->zone_cells[SM_ZONE_ADD] : 8;
		r = builder_reader(&b);
		assert_int_equal(sm_snapshot_take(r, 0, &s, &diag), -EBADMSG);
		assert_non_null(strstr(diag.message, "holds only"));
		sm_reader_close(r);
	}
	assert_null(s);
	builder_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(catalog__valid__all_of_it),
		cmocka_unit_test(catalog__unchanged__shared_between_snapshots),
		cmocka_unit_test(catalog__records_not_live__left_out_silently),
		cmocka_unit_test(family__text_outside_the_area__left_out),
		cmocka_unit_test(family__bad_field__left_out),
		cmocka_unit_test(family__huge_grid_with_one_bucket__left_out),
		cmocka_unit_test(family__bounds_not_ascending__left_out),
		cmocka_unit_test(family__names_that_break_an_exposition__left_out),
		cmocka_unit_test(family__help_not_utf8__kept_without_help),
		cmocka_unit_test(family__twice__first_one_stays),
		cmocka_unit_test(family__sample_names_of_a_histogram__left_out),
		cmocka_unit_test(series__cells_outside_their_zone__left_out),
		cmocka_unit_test(series__bad_text__left_out),
		cmocka_unit_test(series__value_too_long__left_out),
		cmocka_unit_test(series__twice__first_one_stays),
		cmocka_unit_test(marks__beyond_the_geometry__damage),
		cmocka_unit_test(marks__far_beyond_the_memory__damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
