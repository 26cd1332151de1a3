/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/cells.c: nothing is written outside, rows keep their columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shmtop/cells.h"

static struct top_cells cells;

static int make_screen(void **state)
{
	return top_cells_resize(&cells, 10, 3);
}

static int drop_screen(void **state)
{
	top_cells_release(&cells);
	assert_null(cells.cell);
	return 0;
}

static void assert_row(int y, const char *expected)
{
	struct buf b = { 0 };

	top_cells_row(&cells, y, &b);
	assert_string_equal(b.data ? b.data : "", expected);
	buf_free(&b);
}

/* Every cell is a character, or the right half of a wide one. */
static void assert_sane(void)
{
	const struct top_cell *row;
	int x, y;

	for (y = 0; y < cells.height; y++) {
		row = &cells.cell[y * cells.width];
		for (x = 0; x < cells.width; x++) {
			if (!row[x].ch)
				assert_true(x > 0 && row[x - 1].ch >= 0x1100);
			else if (row[x].ch >= 0x1100 && row[x].ch < 0xffff && row[x].ch != 0x2026)
				assert_true(x + 1 < cells.width && !row[x + 1].ch);
		}
	}
}

static void put__inside__is_there(void **state)
{
	assert_int_equal(top_cells_put(&cells, 2, 1, 100, TOP_BOLD, "abc"), 3);
	assert_row(1, "  abc");
	assert_row(0, "");
	assert_int_equal(cells.cell[12].style, TOP_BOLD);
	assert_int_equal(cells.cell[15].style, TOP_PLAIN);
}

static void put__outside__is_clipped(void **state)
{
	assert_int_equal(top_cells_put(&cells, 8, 0, 100, 0, "abc"), 2);
	assert_int_equal(top_cells_put(&cells, 0, 0, 3, 0, "abcdef"), 3);
	assert_int_equal(top_cells_put(&cells, -1, 0, 3, 0, "abc"), 0);
	assert_int_equal(top_cells_put(&cells, 0, 3, 3, 0, "abc"), 0);
	assert_int_equal(top_cells_put(&cells, 0, -1, 3, 0, "abc"), 0);
	assert_int_equal(top_cells_put(&cells, 10, 0, 3, 0, "abc"), 0);
	assert_int_equal(top_cells_put(&cells, 5, 0, -4, 0, "abc"), 0);
	top_cells_fill(&cells, -5, 1, 100, TOP_SELECTED);
	top_cells_fill(&cells, 0, 99, 100, TOP_SELECTED);
	assert_row(0, "abc     ab");
}

static void put__right__ends_at_the_edge(void **state)
{
	top_cells_put_right(&cells, 2, 0, 6, 0, "abc");
	top_cells_put_right(&cells, 2, 1, 6, 0, "abcdefgh");
	assert_row(0, "     abc");
	assert_row(1, "  abcdef");
}

static void put__wide__takes_two_cells(void **state)
{
	assert_int_equal(top_cells_put(&cells, 0, 0, 10, 0, "\xe6\xbc\xa2x"), 3);
	assert_int_equal(cells.cell[1].ch, 0);
	assert_row(0, "\xe6\xbc\xa2x");
	/* Half of one does not fit. */
	assert_int_equal(top_cells_put(&cells, 9, 1, 10, 0, "\xe6\xbc\xa2"), 0);
	assert_int_equal(top_cells_put(&cells, 0, 2, 3, 0, "\xe6\xbc\xa2\xe6\xbc\xa2"), 2);
	assert_sane();
}

static void put__over_half_of_a_wide__blanks_the_other(void **state)
{
	top_cells_put(&cells, 0, 0, 10, 0, "\xe6\xbc\xa2\xe6\xbc\xa2");
	top_cells_put(&cells, 1, 0, 1, 0, "a");
	assert_row(0, " a\xe6\xbc\xa2");
	top_cells_put(&cells, 2, 0, 1, 0, "b");
	assert_row(0, " ab");
	top_cells_put(&cells, 0, 1, 10, 0, "\xe6\xbc\xa2\xe6\xbc\xa2");
	top_cells_put(&cells, 1, 1, 10, 0, "\xe6\xbc\xa2");
	assert_row(1, " \xe6\xbc\xa2");
	assert_sane();
}

static void put__combining__joins_its_letter(void **state)
{
	assert_int_equal(top_cells_put(&cells, 0, 0, 10, 0,
				       "e\xcc\x81\xcc\x82\xcc\x83\xcc\x84x"), 2);
	assert_row(0, "e\xcc\x81\xcc\x82x");
	/* A mark without a letter has nothing to stand on. */
	assert_int_equal(top_cells_put(&cells, 0, 1, 10, 0, "\xcc\x81x"), 1);
	assert_row(1, "x");
}

static void put__control__never_gets_into_a_cell(void **state)
{
	top_cells_put(&cells, 0, 0, 10, 0, "a\x1b[\xff\xc2\x9b");
	assert_row(0, "a?[??");
}

static void random__puts__keep_the_rows_whole(void **state)
{
	static const char *const texts[] = { "abc", "\xe6\xbc\xa2",
					     "\xe6\xbc\xa2z\xe6\xbc\xa2", "e\xcc\x81" };
	int i;

	srand(7);
	for (i = 0; i < 5000; i++) {
		top_cells_put(&cells, rand() % 14 - 2, rand() % 5 - 1, rand() % 12 - 1, 0,
			      texts[rand() % 4]);
		assert_sane();
	}
}

static void resize__any_size__is_brought_into_bounds(void **state)
{
	assert_int_equal(top_cells_resize(&cells, 0, -5), 0);
	assert_int_equal(cells.width, 1);
	assert_int_equal(cells.height, 1);
	assert_int_equal(top_cells_resize(&cells, 1000000, 1000000), 0);
	assert_int_equal(cells.width, TOP_WIDTH_MAX);
	assert_int_equal(cells.height, TOP_HEIGHT_MAX);
}

static int use_utf8(void **state)
{
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_screen, drop_screen)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(put__inside__is_there),
		TEST(put__outside__is_clipped),
		TEST(put__right__ends_at_the_edge),
		TEST(put__wide__takes_two_cells),
		TEST(put__over_half_of_a_wide__blanks_the_other),
		TEST(put__combining__joins_its_letter),
		TEST(put__control__never_gets_into_a_cell),
		TEST(random__puts__keep_the_rows_whole),
		TEST(resize__any_size__is_brought_into_bounds),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
