/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=pread -Wl,--wrap=fcntl
/*
 * Tests of libshm/snapshot.c and lanes_read.c: which lanes count, what a change in the middle of a
 * reading does, and that nothing goes back. The middle is reached by wrapping pread(): a hook runs
 * after the lanes were read, before the second look.
 */
#include "segment_builder.h"
#include "snapshot.h"

ssize_t __real_pread(int fd, void *buf, size_t n, off_t offset);
int __real_fcntl(int fd, int cmd, void *arg);

static void (*hook)(struct builder *b);		/* runs at each slot head's second look */
static struct builder *hooked;
static unsigned hook_runs;
static int lock_error;				/* errno of every F_OFD_GETLK, 0: the real thing */

ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset)
{
	/* Only the second look reads part of a slot. */
	if (hook && n == offsetof(struct sm_slot, pid) &&
	    (uint64_t)offset == hooked->h->off_slots) {
		hook_runs++;
		hook(hooked);
	}
	return __real_pread(fd, buf, n, offset);
}

int __wrap_fcntl(int fd, int cmd, void *arg)
{
	if (cmd == F_OFD_GETLK && lock_error) {
		errno = lock_error;
		return -1;
	}
	return __real_fcntl(fd, cmd, arg);
}

static void hook_on(struct builder *b, void (*fn)(struct builder *b))
{
	hooked = b;
	hook = fn;
	hook_runs = 0;
}

static const double bounds[] = { 1, 2 };

struct fixture {
	struct builder b;
	struct sm_reader *r;
	uint32_t counter, updown, gauge, histogram, fraction;	/* series */
	uint32_t a, dead;					/* slots */
};

static void set_up(struct fixture *x)
{
	uint32_t f;

	hook = NULL;
	lock_error = 0;
	builder_new(&x->b);
	f = builder_family(&x->b, SM_COUNTER, "count_total", .decimals = 3);
	x->counter = builder_series(&x->b, f, NULL);
	f = builder_family(&x->b, SM_UPDOWN, "queue", );
	x->updown = builder_series(&x->b, f, NULL);
	f = builder_family(&x->b, SM_GAUGE, "temperature", );
	x->gauge = builder_series(&x->b, f, NULL);
	f = builder_family(&x->b, SM_HISTOGRAM, "size", .bounds = bounds, .nbounds = 2,
			   .sum_decimals = 9);
	x->histogram = builder_series(&x->b, f, NULL);
	f = builder_family(&x->b, SM_HISTOGRAM, "offset", .bounds = bounds, .nbounds = 2,
			   .flags = SM_FF_SUM_DOUBLE | SM_FF_SIGNED);
	x->fraction = builder_series(&x->b, f, NULL);
	x->a = builder_writer(&x->b, "a", true);
	x->dead = builder_writer(&x->b, "dead", false);
	x->r = builder_reader(&x->b);
}

static void tear_down(struct fixture *x)
{
	hook = NULL;
	lock_error = 0;
	sm_reader_close(x->r);
	builder_free(&x->b);
}

static uint32_t cell_of(struct fixture *x, uint32_t series, unsigned which)
{
	return builder_rec(&x->b, series)->cell[which];
}

static uint64_t counter_units(struct fixture *x)
{
	const struct sm_snapshot *s = builder_take(x->r, 0);
	struct sm_value v = builder_value(s, x->counter, SM_ALL_WRITERS);

	sm_snapshot_free(s);
	return v.units;
}

static void counters__all_lanes_of_all_slots__added(void **state)
{
	const struct sm_snapshot *s;
	struct sm_value v;
	struct fixture x;
	uint32_t cell, claiming;

	set_up(&x);
	cell = cell_of(&x, x.counter, SM_CELL_U64);
	claiming = builder_writer(&x.b, "new", false);
	builder_slot(&x.b, claiming)->state = SM_SLOT_CLAIMING;
	*builder_cell(&x.b, 0, 0, cell) = 1;		/* common */
	*builder_cell(&x.b, x.a, 0, cell) = 10;
	*builder_cell(&x.b, x.a, 1, cell) = 100;
	*builder_cell(&x.b, x.a, 2, cell) = 1000;
	*builder_cell(&x.b, x.dead, 1, cell) = 10000;
	*builder_cell(&x.b, claiming, 1, cell) = 100000;
	*builder_cell(&x.b, RETIRED, 0, cell) = 1000000;
	*builder_cell(&x.b, RETIRED, 1, cell) = 77;	/* not the one that counts */
	*builder_cell(&x.b, 9, 1, cell) = 88;		/* a free slot */
	s = builder_take(x.r, SM_SNAPSHOT_WRITERS);
	v = builder_value(s, x.counter, SM_ALL_WRITERS);
	assert_int_equal(v.is_set, 1);
	assert_int_equal(v.is_integer, 1);
	assert_int_equal(v.units, 1111111);
	assert_int_equal(s->nwriters, 3);		/* common, a, dead */
	assert_int_equal(builder_value(s, x.counter, 0).units, 1);
	assert_int_equal(builder_value(s, x.counter, 1).units, 1110);
	assert_int_equal(builder_value(s, x.counter, 2).units, 10000);
	sm_snapshot_free(s);
	x.b.h->fold_commit = 1;
	assert_int_equal(counter_units(&x), 1111111 - 1000000 + 77);
	tear_down(&x);
}

static void counters__page_not_in_the_map__not_read(void **state)
{
	struct fixture x;
	uint32_t cell;

	set_up(&x);
	cell = cell_of(&x, x.counter, SM_CELL_U64);
	*builder_cell(&x.b, x.a, 1, cell) = 5;
	assert_int_equal(counter_units(&x), 5);
	builder_map(&x.b, sm_lane_number(x.b.h, x.a, 1))[0] = 0;
	assert_int_equal(counter_units(&x), 0);
	builder_map(&x.b, sm_lane_number(x.b.h, x.a, 1))[0] = 1;
	builder_slot(&x.b, x.a)->lanes = 1;		/* and a lane that was never given out */
	assert_int_equal(counter_units(&x), 0);
	tear_down(&x);
}

/* Many pages, some with gaps, against plain addition. */
static void counters__many_pages_with_gaps__each_cell_right(void **state)
{
	static uint64_t expect[8000];
	const struct sm_snapshot *s;
	struct sm_str value;
	struct fixture x;
	uint32_t f, first = 0, i, lane, id;
	char text[16];
	unsigned seed = 1;

	set_up(&x);
	memset(expect, 0, sizeof(expect));
	f = builder_family(&x.b, SM_COUNTER, "many_total", .labels = { "n" });
	for (i = 0; i < 400; i++) {
		snprintf(text, sizeof(text), "%u", i);
		value = SM_STR(text);
		x.b.h->cells_used[SM_ZONE_ADD] += 17;	/* spread them over 16 pages */
		id = builder_add_series(&x.b, f, &value, 1);
		first = i ? first : id;
	}
	for (lane = 0; lane < 6; lane++) {
		for (i = 0; i < 400; i++) {
			uint32_t cell = builder_rec(&x.b, first + i)->cell[0];

			if ((cell / 512 + lane) % 3 == 0)
				continue;
			seed = seed * 1103515245 + 12345;
			*builder_cell(&x.b, lane < 3 ? x.a : x.dead, lane % 3, cell) = seed;
			expect[i] += seed;
		}
	}
	s = builder_take(x.r, SM_SNAPSHOT_WRITERS);
	for (i = 0; i < 400; i++) {
		assert_int_equal(builder_value(s, first + i, SM_ALL_WRITERS).units, expect[i]);
		assert_int_equal(builder_value(s, first + i, 1).units +
					 builder_value(s, first + i, 2).units,
				 expect[i]);
	}
	sm_snapshot_free(s);
	tear_down(&x);
}

static void fold__each_step__total_stays(void **state)
{
	struct fixture x;
	struct sm_slot *dead;
	uint32_t cell;

	set_up(&x);
	cell = cell_of(&x, x.counter, SM_CELL_U64);
	dead = builder_slot(&x.b, x.dead);
	x.b.h->fold_commit = 4;
	*builder_cell(&x.b, RETIRED, 0, cell) = 1000;
	*builder_cell(&x.b, x.dead, 1, cell) = 30;
	*builder_cell(&x.b, x.a, 1, cell) = 7;
	assert_int_equal(counter_units(&x), 1037);
	dead->fold = 5;
	assert_int_equal(counter_units(&x), 1037);
	*builder_cell(&x.b, RETIRED, 1, cell) = 1030;
	assert_int_equal(counter_units(&x), 1037);
	x.b.h->fold_commit = 5;
	assert_int_equal(counter_units(&x), 1037);
	*builder_cell(&x.b, x.dead, 1, cell) = 0;
	assert_int_equal(counter_units(&x), 1037);
	dead->incarnation++;
	dead->state = SM_SLOT_FREE;
	assert_int_equal(counter_units(&x), 1037);
	dead->fold = 0;
	assert_int_equal(counter_units(&x), 1037);
	tear_down(&x);
}

static void folded__writer__not_in_the_list(void **state)
{
	const struct sm_snapshot *s;
	struct fixture x;

	set_up(&x);
	builder_slot(&x.b, x.dead)->fold = 1;
	s = builder_take(x.r, SM_SNAPSHOT_WRITERS);
	assert_int_equal(s->nwriters, 3);
	sm_snapshot_free(s);
	x.b.h->fold_commit = 1;
	s = builder_take(x.r, SM_SNAPSHOT_WRITERS);
	assert_int_equal(s->nwriters, 2);
	assert_string_equal(s->writers[1].name, "a");
	sm_snapshot_free(s);
	tear_down(&x);
}

/* ---- changes in the middle ----------------------------------------------------------------- */

static void commit_once(struct builder *b)
{
	if (hook_runs == 1)
		b->h->fold_commit++;
}

static void incarnation_once(struct builder *b)
{
	if (hook_runs == 1)
		builder_slot(b, 1)->incarnation++;
}

static void fold_mark_once(struct builder *b)
{
	if (hook_runs == 1)
		builder_slot(b, 2)->fold = b->h->fold_commit + 1;
}

static void state_once(struct builder *b)
{
	if (hook_runs == 1)
		builder_slot(b, 2)->state = SM_SLOT_ADOPTING;
}

static void remove_once(struct builder *b)
{
	if (hook_runs == 1) {
		b->h->removals++;
		b->h->catalog_gen++;
	}
}

static void register_once(struct builder *b)
{
	if (hook_runs == 1)
		b->h->catalog_gen++;
}

static void commit_always(struct builder *b)
{
	b->h->fold_commit++;
}

static void change__while_reading__tried_again(void **state)
{
	void (*const changes[])(struct builder * b) = { commit_once, incarnation_once,
							fold_mark_once, state_once, remove_once };
	const struct sm_snapshot *s;
	struct fixture x;
	unsigned i;

	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		set_up(&x);
		hook_on(&x.b, changes[i]);
		s = builder_take(x.r, 0);
		assert_int_equal(s->retries, 1);
		assert_int_equal(s->stale, 0);
		assert_int_equal(hook_runs, 2);
		sm_snapshot_free(s);
		tear_down(&x);
	}
}

static void change__new_series_while_reading__fine(void **state)
{
	const struct sm_snapshot *s;
	struct fixture x;

	set_up(&x);
	hook_on(&x.b, register_once);
	s = builder_take(x.r, 0);
	assert_int_equal(s->retries, 0);
	sm_snapshot_free(s);
	tear_down(&x);
}

static void change__for_ever__last_good_one_then_eagain(void **state)
{
	const struct sm_snapshot *s = NULL;
	struct sm_diag diag;
	struct fixture x;
	uint32_t cell;

	set_up(&x);
	cell = cell_of(&x, x.counter, SM_CELL_U64);
	*builder_cell(&x.b, x.a, 1, cell) = 5;
	hook_on(&x.b, commit_always);
	assert_int_equal(sm_snapshot_take(x.r, 0, &s, &diag), -EAGAIN);
	assert_null(s);
	assert_non_null(strstr(diag.message, "folding"));
	hook = NULL;
	s = builder_take(x.r, 0);
	assert_int_equal(s->stale, 0);
	sm_snapshot_free(s);
	*builder_cell(&x.b, x.a, 1, cell) = 6;
	hook_on(&x.b, commit_always);
	s = builder_take(x.r, 0);
	assert_int_equal(s->stale, 1);
	assert_true(s->retries >= 8);
	assert_int_equal(builder_value(s, x.counter, SM_ALL_WRITERS).units, 5);
	sm_snapshot_free(s);
	/* The last good one has no values per writer. */
	assert_int_equal(sm_snapshot_take(x.r, SM_SNAPSHOT_WRITERS, &s, &diag), -EAGAIN);
	hook = NULL;
	s = builder_take(x.r, 0);
	assert_int_equal(s->stale, 0);
	assert_int_equal(builder_value(s, x.counter, SM_ALL_WRITERS).units, 6);
	sm_snapshot_free(s);
	tear_down(&x);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void writers__states__by_lock(void **state)
{
	const struct sm_snapshot *s;
	struct fixture x;
	uint32_t adopting;

	set_up(&x);
	adopting = builder_writer(&x.b, "taken-over", true);
	builder_slot(&x.b, adopting)->state = SM_SLOT_ADOPTING;
	s = builder_take(x.r, 0);
	assert_int_equal(s->nwriters, 4);
	assert_int_equal(s->writers[0].state, SM_WRITER_COMMON);
	assert_string_equal(s->writers[0].name, "common");
	assert_int_equal(s->writers[1].state, SM_WRITER_LIVE);
	assert_int_equal(s->writers[1].slot, x.a);
	assert_int_equal(s->writers[1].pid, 1001);
	assert_string_equal(s->writers[1].version, "1.2.3");
	assert_int_equal(s->writers[1].lanes_in_use, 3);
	assert_int_equal(s->writers[2].state, SM_WRITER_DEAD);
	assert_int_equal(s->writers[3].state, SM_WRITER_DEAD);
	assert_int_equal(s->fill.writers, 3);
	assert_int_equal(s->fill.writers_max, BUILDER_SLOTS - 1);
	sm_snapshot_free(s);
	builder_kill(&x.b, x.a);
	s = builder_take(x.r, 0);
	assert_int_equal(s->writers[1].state, SM_WRITER_DEAD);
	sm_snapshot_free(s);
	tear_down(&x);
}

static void life_query__fails__all_alive_and_said_once(void **state)
{
	const struct sm_snapshot *s;
	struct sm_diag diag;
	struct fixture x;

	set_up(&x);
	builder_gauge(&x.b, x.dead, x.gauge, 20);
	lock_error = ENOLCK;
	assert_int_equal(sm_snapshot_take(x.r, 0, &s, &diag), 0);
	assert_int_equal(diag.error, -ENOLCK);
	assert_non_null(strstr(diag.message, "life locks"));
	assert_int_equal(s->writers[2].state, SM_WRITER_LIVE);
	assert_true(builder_value(s, x.gauge, SM_ALL_WRITERS).value == 20);
	sm_snapshot_free(s);
	assert_int_equal(sm_snapshot_take(x.r, 0, &s, &diag), 0);
	assert_int_equal(diag.error, 0);
	sm_snapshot_free(s);
	tear_down(&x);
}

static void updown__dead_writer__does_not_count(void **state)
{
	const struct sm_snapshot *s;
	struct sm_value v;
	struct fixture x;
	uint32_t cell;

	set_up(&x);
	cell = cell_of(&x, x.updown, 0);
	*builder_cell(&x.b, x.a, 1, cell) = (uint64_t)-12;
	*builder_cell(&x.b, x.a, 0, cell) = 5;
	*builder_cell(&x.b, x.dead, 1, cell) = 1000;
	*builder_cell(&x.b, RETIRED, 0, cell) = 1000000;
	s = builder_take(x.r, SM_SNAPSHOT_WRITERS);
	v = builder_value(s, x.updown, SM_ALL_WRITERS);
	assert_int_equal(v.is_signed, 1);
	assert_int_equal((int64_t)v.units, -7);
	assert_true(v.value == -7);
	assert_int_equal((int64_t)builder_value(s, x.updown, 1).units, -7);
	assert_int_equal(builder_value(s, x.updown, 2).is_set, 0);
	sm_snapshot_free(s);
	tear_down(&x);
}

static void updown__zero__there_while_somebody_has_it(void **state)
{
	const struct sm_snapshot *s;
	struct fixture x;
	uint32_t cell;

	set_up(&x);
	cell = cell_of(&x, x.updown, 0);
	*builder_cell(&x.b, x.a, 1, cell) = 0;
	s = builder_take(x.r, SM_SNAPSHOT_WRITERS);
	assert_int_equal(builder_value(s, x.updown, SM_ALL_WRITERS).is_set, 0);
	sm_snapshot_free(s);
	builder_hold(&x.b, x.a, x.updown);
	s = builder_take(x.r, SM_SNAPSHOT_WRITERS);
	assert_int_equal(builder_value(s, x.updown, SM_ALL_WRITERS).is_set, 1);
	assert_int_equal(builder_value(s, x.updown, 0).is_set, 0);
	assert_int_equal(builder_value(s, x.updown, 1).is_set, 1);
	sm_snapshot_free(s);
	builder_kill(&x.b, x.a);
	s = builder_take(x.r, 0);
	assert_int_equal(builder_value(s, x.updown, SM_ALL_WRITERS).is_set, 0);
	sm_snapshot_free(s);
	*builder_cell(&x.b, 0, 0, cell) = 0;		/* a shell command used it once */
	s = builder_take(x.r, 0);
	assert_int_equal(builder_value(s, x.updown, SM_ALL_WRITERS).is_set, 1);
	sm_snapshot_free(s);
	tear_down(&x);
}

/* ---- sums and doubles ---------------------------------------------------------------------- */

static struct sm_sum sum_of(const struct sm_snapshot *s, uint32_t series, int writer)
{
	uint64_t counts[8];
	struct sm_sum sum;

	assert_int_equal(sm_snapshot_buckets(s, builder_find(s, series), writer, counts, &sum), 0);
	return sum;
}

static void sum__over_64_bits__exact(void **state)
{
	const struct sm_snapshot *s;
	struct sm_sum sum;
	struct fixture x;
	uint32_t cell;
	unsigned l;

	set_up(&x);
	cell = cell_of(&x, x.histogram, 0) + 3;
	for (l = 0; l < 3; l++) {
		*builder_cell(&x.b, x.a, l, cell) = UINT64_MAX;
		*builder_cell(&x.b, x.dead, l, cell) = UINT64_MAX - 5;
	}
	s = builder_take(x.r, SM_SNAPSHOT_WRITERS);
	sum = sum_of(s, x.histogram, SM_ALL_WRITERS);
	assert_int_equal(sum.is_integer, 1);
	assert_int_equal(sum.decimals, 9);
	assert_true(sum.units == (sm_u128)UINT64_MAX * 6 - 15);
	assert_true(sum_of(s, x.histogram, 1).units == (sm_u128)UINT64_MAX * 3);
	assert_true(sum_of(s, x.histogram, 2).units == (sm_u128)UINT64_MAX * 3 - 15);
	sm_snapshot_free(s);
	tear_down(&x);
}

static void sum__signed_integers__negative_as_double(void **state)
{
	const struct sm_snapshot *s;
	struct sm_sum sum;
	struct fixture x;
	uint32_t cell;

	set_up(&x);
	builder_frec(&x.b, builder_rec(&x.b, x.fraction)->family)->flags = SM_FF_SIGNED;
	cell = cell_of(&x, x.fraction, 0) + 3;
	*builder_cell(&x.b, x.a, 0, cell) = (uint64_t)-30;
	*builder_cell(&x.b, x.a, 1, cell) = 10;
	s = builder_take(x.r, 0);
	sum = sum_of(s, x.fraction, SM_ALL_WRITERS);
	assert_int_equal(sum.is_integer, 0);
	assert_true(sum.value == -20);
	sm_snapshot_free(s);
	*builder_cell(&x.b, x.a, 2, cell) = 25;
	s = builder_take(x.r, 0);
	sum = sum_of(s, x.fraction, SM_ALL_WRITERS);
	assert_int_equal(sum.is_integer, 1);
	assert_true(sum.units == 5);
	sm_snapshot_free(s);
	tear_down(&x);
}

static void doubles__lanes__added_as_doubles(void **state)
{
	const struct sm_snapshot *s;
	struct sm_value v;
	struct fixture x;
	uint32_t cell, sum;

	set_up(&x);
	cell = cell_of(&x, x.counter, SM_CELL_DOUBLE);
	sum = cell_of(&x, x.fraction, 0) + 3;
	*builder_cell(&x.b, x.a, 0, cell) = builder_bits(0.5);
	*builder_cell(&x.b, x.a, 1, cell) = builder_bits(0.25);
	*builder_cell(&x.b, x.dead, 1, cell) = builder_bits(4);
	*builder_cell(&x.b, RETIRED, 0, cell) = builder_bits(100);
	*builder_cell(&x.b, x.a, 1, sum) = builder_bits(-2.5);
	*builder_cell(&x.b, x.a, 2, sum) = builder_bits(1);
	*builder_cell(&x.b, x.a, 1, cell_of(&x, x.counter, SM_CELL_U64)) = 3;
	*builder_cell(&x.b, x.a, 1, cell_of(&x, x.counter, SM_CELL_FIXED)) = 125;
	s = builder_take(x.r, SM_SNAPSHOT_WRITERS);
	v = builder_value(s, x.counter, SM_ALL_WRITERS);
	assert_int_equal(v.is_integer, 0);
	assert_true(v.value == 107.875);
	assert_true(builder_value(s, x.counter, 1).value == 3.875);
	assert_true(builder_value(s, x.counter, 2).value == 4);
	assert_true(sum_of(s, x.fraction, SM_ALL_WRITERS).value == -1.5);
	assert_true(sum_of(s, x.fraction, 1).value == -1.5);
	sm_snapshot_free(s);
	tear_down(&x);
}

static double double_total(struct fixture *x)
{
	const struct sm_snapshot *s = builder_take(x->r, 0);
	double v = builder_value(s, x->counter, SM_ALL_WRITERS).value;

	sm_snapshot_free(s);
	return v;
}

static void doubles__drop_by_rounding__held_back(void **state)
{
	struct fixture x;
	uint64_t *at;

	set_up(&x);
	at = builder_cell(&x.b, x.a, 1, cell_of(&x, x.counter, SM_CELL_DOUBLE));
	*at = builder_bits(1000);
	assert_true(double_total(&x) == 1000);
	*at = builder_bits(1000 - 1e-10);
	assert_true(double_total(&x) == 1000);
	/* The catalog may be read again in between. */
	builder_family(&x.b, SM_GAUGE, "another", );
	assert_true(double_total(&x) == 1000);
	*at = builder_bits(1000 + 1e-9);
	assert_true(double_total(&x) == 1000 + 1e-9);
	/* More than a rounding is the truth, whatever it means. */
	*at = builder_bits(999);
	assert_true(double_total(&x) == 999);
	/* Another series in that cell begins anew. */
	builder_rec(&x.b, x.counter)->incarnation++;
	x.b.h->catalog_gen++;
	*at = builder_bits(999 - 1e-10);
	assert_true(double_total(&x) == 999 - 1e-10);
	tear_down(&x);
}

/* ---- hostile slots ------------------------------------------------------------------------- */

static void slots__damaged__left_out_and_counted(void **state)
{
	const struct sm_snapshot *s;
	struct fixture x;

	set_up(&x);
	builder_slot(&x.b, 5)->state = 99;
	builder_slot(&x.b, 6)->state = SM_SLOT_COMMON;
	s = builder_take(x.r, SM_SNAPSHOT_WRITERS);
	assert_int_equal(s->nwriters, 3);
	assert_int_equal(s->damaged_records, 2);
	sm_snapshot_free(s);
	tear_down(&x);
}

static void slots__hostile_texts__clean_and_distinct(void **state)
{
	const struct sm_snapshot *s;
	struct fixture x;
	struct sm_slot *slot;

	set_up(&x);
	slot = builder_slot(&x.b, x.dead);
	memset(slot->name, 'x', sizeof(slot->name));
	slot->name[1] = '\x1b';
	memset(slot->version, 0xff, sizeof(slot->version));
	memset(slot->metadata, 'k', sizeof(slot->metadata));
	slot->metadata_len = UINT32_MAX;
	memcpy(slot->metadata, "shard=3\0=x\0none\0a=\x1b[1m\0b=", 26);
	builder_writer(&x.b, "a", false);
	builder_writer(&x.b, "", false);
	s = builder_take(x.r, 0);
	assert_int_equal(s->nwriters, 5);
	assert_string_equal(s->writers[1].name, "a");
	assert_int_equal(strlen(s->writers[2].name), 63);
	assert_memory_equal(s->writers[2].name, "x?xx", 4);
	assert_int_equal(s->writers[2].version[0], '?');
	assert_int_equal(s->writers[2].nmetadata, 3);
	assert_string_equal(s->writers[2].metadata[0], "shard");
	assert_string_equal(s->writers[2].metadata[1], "3");
	assert_string_equal(s->writers[2].metadata[2], "a");
	assert_string_equal(s->writers[2].metadata[3], "?[1m");
	assert_string_equal(s->writers[2].metadata[4], "b");
	assert_string_equal(s->writers[3].name, "a#3");
	assert_string_equal(s->writers[4].name, "?");
	sm_snapshot_free(s);
	tear_down(&x);
}

static void refusals__header_and_slots__added(void **state)
{
	const struct sm_snapshot *s;
	struct fixture x;

	set_up(&x);
	x.b.h->refused[SM_REFUSED_CAP] = 1;
	builder_slot(&x.b, x.a)->refused[SM_REFUSED_CAP] = 10;
	builder_slot(&x.b, x.dead)->refused[SM_REFUSED_CAP] = 100;
	x.b.h->recovered[SM_OP_FOLD] = 2;
	x.b.h->recovered[SM_OP_CLAIM] = 3;
	s = builder_take(x.r, 0);
	assert_int_equal(s->refused[SM_REFUSED_CAP], 111);
	assert_int_equal(s->writers[1].refused[SM_REFUSED_CAP], 10);
	assert_int_equal(s->recovered, 5);
	sm_snapshot_free(s);
	tear_down(&x);
}

static void take__unknown_flags__einval(void **state)
{
	const struct sm_snapshot *s = NULL;
	struct sm_diag diag;
	struct fixture x;

	set_up(&x);
	assert_int_equal(sm_snapshot_take(x.r, 0x80, &s, &diag), -EINVAL);
	assert_int_equal(sm_snapshot_take(x.r, 0, &s, NULL), 0);
	sm_snapshot_free(s);
	tear_down(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters__all_lanes_of_all_slots__added),
		cmocka_unit_test(counters__page_not_in_the_map__not_read),
		cmocka_unit_test(counters__many_pages_with_gaps__each_cell_right),
		cmocka_unit_test(fold__each_step__total_stays),
		cmocka_unit_test(folded__writer__not_in_the_list),
		cmocka_unit_test(change__while_reading__tried_again),
		cmocka_unit_test(change__new_series_while_reading__fine),
		cmocka_unit_test(change__for_ever__last_good_one_then_eagain),
		cmocka_unit_test(writers__states__by_lock),
		cmocka_unit_test(life_query__fails__all_alive_and_said_once),
		cmocka_unit_test(updown__dead_writer__does_not_count),
		cmocka_unit_test(updown__zero__there_while_somebody_has_it),
		cmocka_unit_test(sum__over_64_bits__exact),
		cmocka_unit_test(sum__signed_integers__negative_as_double),
		cmocka_unit_test(doubles__lanes__added_as_doubles),
		cmocka_unit_test(doubles__drop_by_rounding__held_back),
		cmocka_unit_test(slots__damaged__left_out_and_counted),
		cmocka_unit_test(slots__hostile_texts__clean_and_distinct),
		cmocka_unit_test(refusals__header_and_slots__added),
		cmocka_unit_test(take__unknown_flags__einval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
