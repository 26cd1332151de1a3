/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_catalog.c - families and series in the segment: made, found, held, removed, used again,
 * recovered.
 */
#include <errno.h>

#include "catalog.h"
#include "declare.h"
#include "hash.h"
#include "lock.h"
#include "segment.h"
#include "slot.h"

static int fd;

static const struct region *r(void)
{
	return segment.m->region;
}

static int set_up(void **state)
{
	int rc = segment_set_up(state);

	catalog_cool_off_ns = SM_COOL_OFF_NS;
	fd = rc ? -1 : catalog_lock(segment.m->region, 1000);
	return fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	catalog_unlock(r(), fd);
	return segment_tear_down(state);
}

#define catalog_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static int declare_def(
	const struct sm_family_options *o, uint32_t slot, uint32_t *ret, struct sm_diag *diag)
{
	struct family_def def;
	unsigned reason = SM_REFUSED_COUNT;

	assert_int_equal(def_from_options(o, &def, diag), 0);
	diag->message[0] = '\0';
	return family_declare(r(), fd, &def, slot, ret, &reason, diag);
}

static uint32_t family_of(const char *name, enum sm_kind kind)
{
	struct sm_diag diag;
	uint32_t record;

	if (declare_def(
		    &(struct sm_family_options){ .kind = kind, .name = name, .labels = { "l" } },
		    segment.m->slot, &record, &diag) != 0)
		fail_msg("%s", diag.message);
	return record;
}

static uint64_t hash_of(uint32_t family, const char *value)
{
	struct sm_str v = SM_STR(value);

	return sm_series_hash(family, &v, 1);
}

static uint32_t find(uint32_t family, const char *value)
{
	struct sm_str v = SM_STR(value);

	return series_find(r(), family, hash_of(family, value), &v, 1);
}

static uint32_t insert(uint32_t family, const char *value)
{
	struct sm_str v = SM_STR(value);
	unsigned reason;
	uint32_t record;

	assert_int_equal(series_insert(r(), fd, family, hash_of(family, value), &v, 1, false,
				 &record, &reason),
		0);
	return record;
}

/* ---- families ------------------------------------------------------------------------------ */

static void family__declared_twice__is_one(void **state)
{
	uint32_t a = family_of("a_total", SM_COUNTER), b = family_of("b_total", SM_COUNTER);
	uint64_t generation = r()->head->catalog_gen;
	const struct sm_family_rec *f = region_family(r(), a);

	assert_int_not_equal(a, b);
	assert_int_equal(family_of("a_total", SM_COUNTER), a);
	assert_int_equal(r()->head->catalog_gen, generation);	/* nothing changed */
	assert_int_equal(f->state, SM_REC_LIVE);
	assert_int_equal(f->incarnation, 1);
	assert_int_equal(f->nlabels, 1);
	assert_int_equal(f->declared_slot, segment.m->slot);
	assert_true(region_holds(r(), segment.m->slot)[a / 64] >> (a % 64) & 1);
	assert_int_equal(r()->head->families_used, 2);
}

/* The record describes itself: name, help, unit, labels, states, bounds. */
static void family__record__holds_all_texts(void **state)
{
	static const char *const states[] = { "up", "down" };
	struct sm_diag diag;
	uint32_t record;
	const struct sm_family_rec *f;
	const char *text;

	assert_int_equal(declare_def(&(struct sm_family_options){
		.kind = SM_STATESET, .name = "s", .help = "Help.", .unit = "u",
		.labels = { "a", "b" }, .states = states, .nstates = 2 },
				 1, &record, &diag),
		0);
	f = region_family(r(), record);
	text = region_string(r(), f->strings, f->text_len);
	assert_int_equal(f->text_len, 2 + 6 + 2 + 2 + 2 + 3 + 5);
	assert_memory_equal(text, "s\0Help.\0u\0a\0b\0up\0down", f->text_len);
	assert_int_equal(declare_def(&(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS }, 1, &record, &diag), 0);
	f = region_family(r(), record);
	assert_int_equal(f->nbounds, 11);
	assert_true(*(double *)(void *)region_string(r(), f->bounds, 8) == .005);
	assert_int_equal(f->grid_lo, -20);
	assert_int_equal(f->flags, SM_FF_FINE_GRID);
}

static void family__that_nobody_holds__is_replaced(void **state)
{
	struct sm_diag diag;
	uint32_t old = family_of("x", SM_GAUGE), record;
	uint32_t series = insert(old, "v");

	/* This writer lives and holds it. */
	assert_int_equal(declare_def(
				 &(struct sm_family_options){
					.kind = SM_UPDOWN, .name = "x", .labels = { "l" } },
				 segment.m->slot, &record, &diag),
		-EEXIST);
	assert_non_null(strstr(diag.message, "gauge{l}"));
	assert_non_null(strstr(diag.message, "updown{l}"));
	assert_non_null(strstr(diag.message, "\"unit\""));
	hold_clear(r(), segment.m->slot, family_bit(old));
	assert_int_equal(declare_def(
				 &(struct sm_family_options){
					.kind = SM_UPDOWN, .name = "x", .labels = { "l" } },
				 segment.m->slot, &record, &diag),
		0);
	assert_non_null(strstr(diag.message, "anew"));
	assert_int_not_equal(record, old);
	assert_int_equal(region_family(r(), old)->state, SM_REC_TOMB);
	assert_int_equal(region_series(r(), series)->state, SM_REC_TOMB);
	assert_int_equal(find(old, "v"), NO_RECORD);
}

static void family__record__is_used_again_when_it_cooled_off(void **state)
{
	struct sm_diag diag;
	uint32_t old = family_of("x", SM_GAUGE), next, third;

	hold_clear(r(), segment.m->slot, family_bit(old));
	assert_int_equal(declare_def(&(struct sm_family_options){ .kind = SM_UPDOWN, .name = "x" },
				 segment.m->slot, &next, &diag),
		0);
	third = family_of("y", SM_GAUGE);
	assert_int_not_equal(third, old);		/* still hot */
	catalog_cool_off_ns = 0;
	assert_int_equal(family_of("z", SM_GAUGE), old);
	assert_int_equal(region_family(r(), old)->incarnation, 2);
}

/* ---- series -------------------------------------------------------------------------------- */

static void series__inserted__is_found_by_its_values_only(void **state)
{
	uint32_t f = family_of("a_total", SM_COUNTER), g = family_of("b_total", SM_COUNTER);
	uint32_t x, y;

	assert_int_equal(find(f, "x"), NO_RECORD);
	x = insert(f, "x");
	y = insert(f, "");
	assert_int_equal(find(f, "x"), x);
	assert_int_equal(find(f, ""), y);
	assert_int_equal(find(f, "xx"), NO_RECORD);
	assert_int_equal(find(g, "x"), NO_RECORD);
	assert_int_equal(region_family(r(), f)->series_live, 2);
	assert_int_equal(region_series(r(), x)->family, f);
	assert_memory_equal(region_string(r(), region_series(r(), x)->strings, 2), "x", 2);
	assert_int_equal(insert(g, "x"), 2);
	assert_int_equal(find(f, "x"), x);
}

/* Cells by type: a counter takes one for each way to count, when somebody counts so. */
static void series__cells__are_as_its_type_needs(void **state)
{
	uint32_t c = insert(family_of("c_total", SM_COUNTER), "x"),
		 g = insert(family_of("g", SM_GAUGE), "x");
	uint32_t u = insert(family_of("u", SM_UPDOWN), "x"),
		 h = insert(family_of("h", SM_HISTOGRAM), "x"), cell[3];
	const struct sm_header *geo = &r()->geo;
	const struct sm_series_rec *s = region_series(r(), c);
	unsigned reason, i;

	assert_true(!s->cell[0] && !s->cell[1] && !s->cell[2] && !s->ncells);
	for (i = 0; i < 3; i++)
		assert_int_equal(
			series_number_cell(r(), fd, c, (enum sm_number)i, &cell[i], &reason), 0);
	assert_true(cell[0] == s->cell[SM_CELL_U64] && cell[1] == s->cell[SM_CELL_FIXED] &&
		    cell[2] == s->cell[SM_CELL_DOUBLE]);
	assert_true(cell[0] != cell[1] && cell[1] != cell[2] &&
		    sm_cells_in_zone(geo, SM_ZONE_ADD, cell[2], 1));
	assert_int_equal(series_number_cell(r(), fd, c, SM_NUMBER_FIXED, &cell[0], &reason), 0);
	assert_int_equal(cell[0], cell[1]);
	s = region_series(r(), g);
	assert_true(sm_cells_in_zone(geo, SM_ZONE_SET, s->cell[0], 1) && s->ncells == 1);
	s = region_series(r(), u);
	assert_true(sm_cells_in_zone(geo, SM_ZONE_LIVE, s->cell[0], 1));
	s = region_series(r(), h);
	assert_int_equal(s->ncells, 13);		/* 11 bounds, +Inf, sum */
	assert_true(sm_cells_in_zone(geo, SM_ZONE_ADD, s->cell[0], 13));
	/* Memory for where dead writers' counts will come to rest. */
	assert_true(region_page_reserved(r(), 0, s->cell[0] / 512) &&
		    region_page_reserved(r(), 1, s->cell[0] / 512));
}

static void series__many_and_removed__are_found_exactly(void **state)
{
	uint32_t f = family_of("a_total", SM_COUNTER), record[600];
	char text[16];
	unsigned i, round;

	catalog_cool_off_ns = 0;
	for (i = 0; i < 600; i++) {
		snprintf(text, sizeof(text), "%u", i);
		record[i] = insert(f, text);
	}
	for (round = 0; round < 3; round++) {
		for (i = round; i < 600; i += 3) {
			assert_int_equal(series_remove(r(), fd, record[i], UINT32_MAX), 0);
		}
		for (i = 0; i < 600; i++) {
			snprintf(text, sizeof(text), "%u", i);
			assert_int_equal(find(f, text), i % 3 == round ? NO_RECORD : record[i]);
		}
		for (i = round; i < 600; i += 3) {
			snprintf(text, sizeof(text), "%u", i);
			record[i] = insert(f, text);
		}
	}
	for (i = 0; i < 600; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(find(f, text), record[i]);
	}
	assert_int_equal(r()->head->series_used, 600);		/* storage came back */
	assert_int_equal(region_family(r(), f)->series_live, 600);
	assert_int_equal(r()->head->removals, 600);
}

static void series__held__by_incarnation(void **state)
{
	uint32_t f = family_of("a_total", SM_COUNTER), x = insert(f, "x"), bit = series_bit(r(), x);
	uint64_t incarnation = region_series(r(), x)->incarnation;

	assert_true(series_hold(r(), segment.m->slot, x, incarnation));
	assert_int_equal(slot_holding(r(), fd, bit, UINT32_MAX), segment.m->slot);
	assert_int_equal(slot_holding(r(), fd, bit, segment.m->slot), UINT32_MAX);
	/* Removing is refused while somebody else holds it; by force it is not. */
	assert_int_equal(series_remove(r(), fd, x, UINT32_MAX), -EBUSY);
	assert_int_equal(find(f, "x"), x);
	assert_int_equal(series_remove(r(), fd, x, segment.m->slot), 0);
	assert_false(series_hold(r(), segment.m->slot, x, incarnation));
	assert_int_equal(slot_holding(r(), fd, bit, UINT32_MAX), UINT32_MAX);	/* let go at once */
	assert_false(series_hold(r(), segment.m->slot, x, incarnation + 1));
	/* The common writer holds nothing. */
	x = insert(f, "y");
	assert_true(series_hold(r(), 0, x, region_series(r(), x)->incarnation));
	assert_int_equal(slot_holding(r(), fd, series_bit(r(), x), UINT32_MAX), UINT32_MAX);
}

static void sweep__frees_once_what_cooled_off(void **state)
{
	uint32_t f = family_of("h", SM_HISTOGRAM), x = insert(f, "x"), y = insert(f, "y");
	uint32_t cell = region_series(r(), x)->cell[0];
	uint64_t now;

	region_reserve_cells(r(), fd, 3, cell, 13);
	region_lane(r(), 3)[cell + 4] = 99;
	assert_int_equal(series_remove(r(), fd, x, UINT32_MAX), 0);
	now = clock_ns(CLOCK_BOOTTIME);
	assert_int_equal(catalog_sweep(r(), fd, now), 0);
	assert_int_equal(catalog_sweep(r(), fd, now + SM_COOL_OFF_NS - UINT64_C(1000000000)), 0);
	assert_int_equal(region_lane(r(), 3)[cell + 4], 99);
	assert_int_equal(catalog_sweep(r(), fd, now + SM_COOL_OFF_NS + 1), 1);
	assert_int_equal(region_lane(r(), 3)[cell + 4], 0);
	assert_int_equal(catalog_sweep(r(), fd, now + SM_COOL_OFF_NS + 2), 0);
	assert_int_equal(find(f, "y"), y);
}

/* ---- recovery ------------------------------------------------------------------------------ */

static void recovery__of_anything__keeps_what_was_published(void **state)
{
	uint32_t f = family_of("a_total", SM_COUNTER), g = family_of("h", SM_HISTOGRAM),
		 x = insert(f, "x"), cell;
	uint32_t y = insert(g, "y"), dead = insert(f, "dead"), strings, cells, i;
	struct sm_header before;
	unsigned reason;

	series_number_cell(r(), fd, x, SM_NUMBER_U64, &cell, &reason);
	assert_int_equal(series_remove(r(), fd, dead, UINT32_MAX), 0);
	before = *r()->head;
	strings = r()->head->strings_used;
	cells = r()->head->cells_used[SM_ZONE_ADD];
	/* Marks that are wrong, an index of rubbish, a record that was being made. */
	r()->head->strings_used = 16;
	r()->head->cells_used[SM_ZONE_ADD] = 8;
	r()->head->tombs = 77;
	region_family(r(), f)->series_live = 1000;
	for (i = 0; i < r()->geo.index_entries; i++)
		region_index(r())[i] = i * 2654435761u;
	region_series(r(), 3)->state = SM_REC_INIT;
	region_series(r(), 3)->family = NO_RECORD;
	r()->head->series_used = 4;
	catalog_recover(r());
	assert_int_equal(find(f, "x"), x);
	assert_int_equal(find(g, "y"), y);
	assert_int_equal(find(f, "dead"), NO_RECORD);
	assert_int_equal(region_family(r(), f)->series_live, 1);
	assert_int_equal(region_family(r(), g)->series_live, 1);
	assert_int_equal(r()->head->strings_used, strings);
	assert_int_equal(r()->head->cells_used[SM_ZONE_ADD], cells);
	assert_int_equal(r()->head->families_used, before.families_used);
	assert_int_equal(r()->head->series_used, 3);
	assert_int_equal(r()->head->tombs, 1);
	assert_int_equal(r()->head->index_dirty, 0);
	/* And again, the same. */
	catalog_recover(r());
	assert_int_equal(find(f, "x"), x);
	assert_int_equal(r()->head->strings_used, strings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		catalog_test(family__declared_twice__is_one),
		catalog_test(family__record__holds_all_texts),
		catalog_test(family__that_nobody_holds__is_replaced),
		catalog_test(family__record__is_used_again_when_it_cooled_off),
		catalog_test(series__inserted__is_found_by_its_values_only),
		catalog_test(series__cells__are_as_its_type_needs),
		catalog_test(series__many_and_removed__are_found_exactly),
		catalog_test(series__held__by_incarnation),
		catalog_test(sweep__frees_once_what_cooled_off),
		catalog_test(recovery__of_anything__keeps_what_was_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
