/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/view.c and keys.c: order, filter, cursor, keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "shmtop_feed.h"
#include "tools/shmtop/view.h"

#define ROWS 10

static struct top_data data;
static struct top_view view;
#define model data.model
#define list view.list[TOP_SERIES]
static struct feed_series series[ROWS];
static char names[ROWS][16];

/* x_0 to x_9; x_i has the value i and, from the second sample on, the rate 10 - i. */
static void sample(unsigned t, unsigned rows)
{
	unsigned i;

	top_model_begin(&model, (100 + t) * FEED_SECOND);
	for (i = 0; i < rows; i++)
		feed_count(&model, &series[i], UINT64_C(1000) * i + (10 - i) * t);
	assert_int_equal(top_model_end(&model), 0);
	assert_int_equal(top_view_arrange(&view, &data), 0);
}

static int make_view(void **state)
{
	struct top_options o = { .delay_s = 1, .view = TOP_SERIES };
	unsigned i;

	top_data_init(&data, 0);
	top_view_init(&view, &o);
	for (i = 0; i < ROWS; i++) {
		strcpy(names[i], "x_0");
		names[i][2] = (char)('0' + i);
		feed_series(&series[i], 50 - i, SM_COUNTER, names[i], "", NULL);
	}
	sample(1, ROWS);
	sample(2, ROWS);
	top_view_fit(&view, 4);
	return 0;
}

static int drop_view(void **state)
{
	top_view_release(&view);
	top_data_release(&data);
	return 0;
}

static void key(int code)
{
	top_view_key(&view, code, FEED_SECOND);
	assert_int_equal(top_view_arrange(&view, &data), 0);
}

static void type(const char *text)
{
	for (; *text; text++)
		key(*text);
}

static const char *shown(size_t i)
{
	assert_true(i < list.n);
	return ((const struct top_row *)list.item[i])->wide;
}

static void assert_sane(void)
{
	const struct top_list *l = top_list_of(&view);

	assert_true(l->n == 0 || l->cursor < l->n);
	assert_true(l->top <= l->cursor);
	assert_true(l->cursor < l->top + l->page);
	assert_true(l->n <= l->page ? l->top == 0 : l->top + l->page <= l->n);
}

static void sort__by_name__is_the_default(void **state)
{
	assert_string_equal(shown(0), "x_0");
	assert_string_equal(shown(9), "x_9");
	key('r');
	assert_string_equal(shown(0), "x_9");
}

static void sort__by_number__is_largest_first(void **state)
{
	key('s');
	assert_int_equal(list.sort, TOP_SORT_VALUE);
	assert_string_equal(shown(0), "x_9");
	key('s');
	assert_int_equal(list.sort, TOP_SORT_RATE);
	assert_string_equal(shown(0), "x_0");
	key('r');
	assert_string_equal(shown(0), "x_9");
	/* No histograms: no quantiles to sort by. */
	/* No histograms: the table has no place for quantiles, one cannot sort by them. */
	list.hidden = 1u << TOP_SORT_P50 | 1u << TOP_SORT_P95 | 1u << TOP_SORT_P99;
	list.sort = TOP_SORT_MAX;
	key('s');
	assert_int_equal(list.sort, TOP_SORT_NAME);
	assert_string_equal(shown(0), "x_0");
	key('<');
	assert_int_equal(list.sort, TOP_SORT_MAX);
}

static void sort__hidden_column__is_skipped(void **state)
{
	list.hidden = 1u << TOP_SORT_VALUE;
	key('s');
	assert_int_equal(list.sort, TOP_SORT_RATE);
	key('<');
	assert_int_equal(list.sort, TOP_SORT_NAME);
	list.hidden = ~1u;
	key('s');
	assert_int_equal(list.sort, TOP_SORT_NAME);
	key('s');
	assert_int_equal(list.sort, TOP_SORT_NAME);
}

static void sort__without_the_number__comes_last_in_both_directions(void **state)
{
	struct feed_series g;

	key('s');
	key('s');
	feed_series(&g, 99, SM_GAUGE, "a_gauge", "", NULL);
	top_model_begin(&model, 103 * FEED_SECOND);
	feed_gauge(&model, &g, 1e9);
	feed_count(&model, &series[0], 100);
	feed_count(&model, &series[1], 2000);
	top_model_end(&model);
	top_view_arrange(&view, &data);
	assert_string_equal(shown(2), "a_gauge");
	key('r');
	assert_string_equal(shown(2), "a_gauge");
}

static void sort__numbers_in_names__are_natural(void **state)
{
	static const char *const shards[] = { "shard-10", "shard-9" };
	struct feed_series s;
	int i;

	top_model_begin(&model, 103 * FEED_SECOND);
	for (i = 0; i < 2; i++) {
		feed_series(&s, (uint32_t)i, SM_COUNTER, "y_total", "",
			    (const char *const[]){ "shard", shards[i], NULL });
		s.family.id = 7;
		feed_count(&model, &s, 1);
	}
	top_model_end(&model);
	top_view_arrange(&view, &data);
	assert_string_equal(shown(0), "y_total{shard=shard-9}");
}

static void cursor__moved__follows_its_series(void **state)
{
	key('j');
	key(TOP_CODE_DOWN);
	assert_string_equal(shown(list.cursor), "x_2");
	key('r');
	assert_string_equal(shown(list.cursor), "x_2");
	assert_int_equal(list.cursor, 7);
	assert_sane();
	key('k');
	assert_string_equal(shown(list.cursor), "x_3");
}

static void cursor__not_moved__stays_in_the_first_line(void **state)
{
	key('r');
	assert_int_equal(list.cursor, 0);
	key('j');
	key('g');
	key('r');
	assert_int_equal(list.cursor, 0);
}

static void cursor__its_series_vanishes__stays_in_the_list(void **state)
{
	key('G');
	assert_string_equal(shown(list.cursor), "x_9");
	sample(3, 3);
	assert_int_equal(list.n, 3);
	assert_sane();
	sample(4, 0);
	assert_int_equal(list.n, 0);
	key('j');
	key('G');
	assert_sane();
}

static void cursor__pages__move_the_window(void **state)
{
	key(TOP_CODE_PAGE_DOWN);
	assert_int_equal(list.cursor, 3);
	assert_int_equal(list.top, 3);
	key(TOP_CODE_END);
	assert_int_equal(list.cursor, 9);
	assert_int_equal(list.top, 6);
	key(TOP_CODE_PAGE_UP);
	assert_int_equal(list.cursor, 6);
	assert_sane();
	key(TOP_CODE_HOME);
	assert_int_equal(list.top, 0);
}

static void window__grows_and_shrinks__shows_no_gap(void **state)
{
	key('G');
	assert_int_equal(list.top, 6);
	top_view_fit(&view, 8);
	assert_int_equal(list.top, 2);
	top_view_fit(&view, 50);
	assert_int_equal(list.top, 0);
	top_view_fit(&view, 0);
	assert_int_equal(list.page, 1);
	assert_sane();
}

static void filter__typed__works_at_each_key(void **state)
{
	key('/');
	assert_true(view.typing);
	type("x_4");
	assert_int_equal(list.n, 1);
	key(TOP_CODE_BACKSPACE);
	assert_string_equal(view.filter.text, "x_");
	assert_int_equal(list.n, 10);
	/* What would be keys is text now. */
	type("q");
	assert_false(view.quit);
	assert_int_equal(list.n, 0);
	key(TOP_CTRL_U);
	assert_string_equal(view.filter.text, "");
	type("!x_4");
	key(TOP_ENTER);
	assert_false(view.typing);
	assert_int_equal(list.n, 9);
	key(TOP_ESC);
	assert_int_equal(list.n, 10);
	key('f');
	type("x_1");
	key(TOP_ESC);
	assert_false(view.typing);
	assert_int_equal(list.n, 10);
}

static void filter__wrong_expression__keeps_the_prompt(void **state)
{
	key('/');
	type("~x_(");
	key(TOP_ENTER);
	assert_true(view.typing);
	assert_true(view.filter.bad);
	type("4)");
	key(TOP_ENTER);
	assert_false(view.typing);
	assert_int_equal(list.n, 1);
}

static void filter__utf8_typed__is_erased_whole(void **state)
{
	key('/');
	key(0xe9);
	assert_string_equal(view.filter.text, "\xc3\xa9");
	key(0x1f600);
	key(TOP_CODE_BACKSPACE);
	assert_string_equal(view.filter.text, "\xc3\xa9");
	key(TOP_CODE_BACKSPACE);
	assert_string_equal(view.filter.text, "");
	key(TOP_CODE_BACKSPACE);
	assert_false(view.typing);
}

static void filter__typed_without_end__stays_in_bounds(void **state)
{
	int i;

	key('/');
	for (i = 0; i < 1000; i++)
		key(0x1f600);
	assert_true(strlen(view.filter.text) < TOP_FILTER_MAX);
	assert_int_equal(strlen(view.filter.text) % 4, 0);
}

static void interval__plus_minus__walks_the_steps(void **state)
{
	int i;

	key('+');
	assert_true(view.delay_s == 2);
	assert_string_equal(view.note, "a sample every 2 s");
	assert_true(view.note_until_ns > FEED_SECOND);
	key('-');
	key('-');
	assert_true(view.delay_s == 0.5);
	for (i = 0; i < 20; i++)
		key('-');
	assert_true(view.delay_s == TOP_DELAY_MIN);
	for (i = 0; i < 20; i++)
		key('+');
	assert_true(view.delay_s == TOP_DELAY_MAX);
	view.delay_s = 3;
	key('+');
	assert_true(view.delay_s == 5);
	view.delay_s = 3;
	key('-');
	assert_true(view.delay_s == 2);
}

static void keys__others__do_their_work(void **state)
{
	key(' ');
	assert_true(view.paused);
	key('R');
	assert_false(view.sample_now);
	key('p');
	assert_false(view.paused);
	assert_true(view.sample_now);
	key('e');
	assert_true(view.exact);
	key('h');
	assert_true(view.help);
	key('j');
	assert_int_equal(view.page_top, 1);
	key('q');
	assert_false(view.help);
	assert_false(view.quit);
	key('x');
	key(0);
	key(TOP_CODE_F1);
	key(TOP_ESC);
	assert_false(view.help);
	key('w');
	assert_int_equal(view.window, TOP_WINDOW_INTERVAL);
	key('0');
	assert_true(view.reset);
	key('W');
	assert_true(view.save);
	key('m');
	assert_true(view.mouse);
	key('q');
	assert_true(view.quit);
}

static void views__keys__choose_them(void **state)
{
	key('3');
	assert_int_equal(view.id, TOP_WRITERS);
	key(TOP_CODE_TAB);
	assert_int_equal(view.id, TOP_HISTOGRAMS);
	key(TOP_CODE_TAB);
	key(TOP_CODE_TAB);
	assert_int_equal(view.id, TOP_OVERVIEW);
	key(TOP_CODE_BACKTAB);
	assert_int_equal(view.id, TOP_SLOW);
	key('6');
	assert_int_equal(view.id, TOP_SLOW);
	/* Each has an order and a cursor of its own; the filter is common. */
	key('2');
	key('s');
	key('1');
	key('2');
	assert_int_equal(list.sort, TOP_SORT_VALUE);
}

static void detail__enter__is_about_the_line(void **state)
{
	struct top_ref refs[TOP_PARTS_REFS];

	key('j');
	key('j');
	assert_int_equal(top_view_refs(&view, &data, refs), 0);
	key(TOP_ENTER);
	assert_true(view.detail);
	assert_true(view.look);
	assert_int_equal(top_view_refs(&view, &data, refs), 1);
	assert_int_equal(refs[0].id, 48);
	assert_int_equal(refs[0].slot, -1);
	key('j');
	assert_int_equal(view.page_top, 1);
	/* Lists' keys do nothing here. */
	key('/');
	assert_false(view.typing);
	key('q');
	assert_false(view.detail);
	assert_false(view.quit);
	assert_string_equal(shown(list.cursor), "x_2");
	key(TOP_ENTER);
	key('h');
	assert_true(view.help);
	key(TOP_ESC);
	assert_true(view.detail);
	key('1');
	assert_false(view.detail);
}

static void zeros__never_counted__are_hidden_but_counted(void **state)
{
	struct feed_series zero, gauge;

	feed_series(&zero, 98, SM_COUNTER, "zero_total", "", NULL);
	feed_series(&gauge, 99, SM_GAUGE, "gauge", "", NULL);
	top_model_begin(&model, 103 * FEED_SECOND);
	feed_count(&model, &zero, 0);
	feed_gauge(&model, &gauge, 0);
	top_model_end(&model);
	top_view_arrange(&view, &data);
	assert_int_equal(list.n, 1);
	assert_string_equal(shown(0), "gauge");
	assert_int_equal(list.zeros, 1);
	key('d');
	assert_int_equal(list.n, 2);
	assert_int_equal(list.zeros, 0);
	key('d');
	/* A filter looks at everything: nobody shall think that data is missing. */
	key('/');
	type("zero");
	assert_int_equal(list.n, 1);
	assert_string_equal(shown(0), "zero_total");
}

static void click__on_heads_rows_views__does_it(void **state)
{
	struct top_hit head = { TOP_HIT_HEAD, TOP_SORT_VALUE }, row = { TOP_HIT_ROW, 3 };
	struct top_hit tab = { TOP_HIT_VIEW, TOP_SLOW }, nothing = { TOP_HIT_NOTHING, 0 };

	top_view_click(&view, nothing, 0);
	top_view_click(&view, head, 0);
	assert_int_equal(list.sort, TOP_SORT_VALUE);
	assert_false(list.reverse);
	top_view_click(&view, head, 0);
	assert_true(list.reverse);
	head.which = TOP_SORTS;		/* sparks are no order */
	top_view_click(&view, head, 0);
	assert_int_equal(list.sort, TOP_SORT_VALUE);
	top_view_click(&view, row, 0);
	assert_int_equal(list.cursor, 3);
	assert_false(view.detail);
	top_view_click(&view, row, 0);
	assert_true(view.detail);
	top_view_click(&view, tab, 0);
	assert_int_equal(view.id, TOP_SLOW);
}

static void keys__random__keep_the_view_sane(void **state)
{
	static const int codes[] = { TOP_CODE_TAB, TOP_CODE_BACKTAB, '2', 'd', 'w', '0', 'm', 'W', 'j', 'k', 'g', 'G', 's', 'r', '<', '/', 'x', '_', '1', '~',
				     '(', TOP_ESC, TOP_ENTER, TOP_CODE_PAGE_UP, TOP_CODE_PAGE_DOWN,
				     TOP_CODE_BACKSPACE, TOP_CODE_HOME, TOP_CODE_END, 'h', 'e',
				     ' ' };
	unsigned i, t = 2;

	srand(11);
	for (i = 0; i < 20000; i++) {
		key(codes[(unsigned)rand() % (sizeof(codes) / sizeof(codes[0]))]);
		if (i % 7 == 0)
			sample(++t, (unsigned)rand() % (ROWS + 1));
		if (i % 5 == 0)
			top_view_fit(&view, (size_t)rand() % 12);
		assert_sane();
	}
}

static void table__each_key__is_in_it_once(void **state)
{
	size_t i, j, a, b;

	for (i = 0; i < top_nkeys; i++)
		for (a = 0; a < TOP_KEY_CODES && top_keys[i].codes[a]; a++)
			for (j = 0; j < top_nkeys; j++)
				for (b = 0; b < TOP_KEY_CODES && top_keys[j].codes[b]; b++)
					if (i != j || a != b)
						assert_int_not_equal(top_keys[i].codes[a],
								     top_keys[j].codes[b]);
	for (i = 0; i < top_nkeys; i++)
		assert_true(!top_keys[i].keys == !top_keys[i].help);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_view, drop_view)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sort__by_name__is_the_default),
		TEST(sort__by_number__is_largest_first),
		TEST(sort__hidden_column__is_skipped),
		TEST(sort__without_the_number__comes_last_in_both_directions),
		TEST(sort__numbers_in_names__are_natural),
		TEST(cursor__moved__follows_its_series),
		TEST(cursor__not_moved__stays_in_the_first_line),
		TEST(cursor__its_series_vanishes__stays_in_the_list),
		TEST(cursor__pages__move_the_window),
		TEST(window__grows_and_shrinks__shows_no_gap),
		TEST(filter__typed__works_at_each_key),
		TEST(filter__wrong_expression__keeps_the_prompt),
		TEST(filter__utf8_typed__is_erased_whole),
		TEST(filter__typed_without_end__stays_in_bounds),
		TEST(interval__plus_minus__walks_the_steps),
		TEST(keys__others__do_their_work),
		TEST(views__keys__choose_them),
		TEST(detail__enter__is_about_the_line),
		TEST(zeros__never_counted__are_hidden_but_counted),
		TEST(click__on_heads_rows_views__does_it),
		TEST(keys__random__keep_the_view_sane),
		TEST(table__each_key__is_in_it_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
