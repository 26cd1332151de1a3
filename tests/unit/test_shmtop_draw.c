/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what shmtop draws (draw.c, table.c, view_*.c, help.c): screens compared as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>

#include "shmtop_bot.h"

static int make_bot(void **state)
{
	bot_make(0);
	return 0;
}

static int drop_bot(void **state)
{
	bot_drop();
	return 0;
}

static void draw(int width, int height, const struct top_glyphs *g)
{
	bot_draw(width, height, g);
}

static void assert_screen(const char *expected)
{
	char *text = bot_screen();

	if (strcmp(text, expected) != 0)
		fprintf(stderr, "the screen is\n%s\n", text);
	assert_string_equal(text, expected);
	free(text);
}

static void assert_shows(const char *what, int yes)
{
	char *text = bot_screen();

	if (!strstr(text, what) == !!yes)
		fail_msg("\"%s\" is %sthere:\n%s", what, yes ? "not " : "", text);
	free(text);
}

static void screen__more_rows_than_lines__says_which(void **state)
{
	struct top_list *l = &bot.view.list[TOP_SERIES];

	draw(80, 8, &top_glyphs_utf8);
	assert_shows("1-3 of 9, 1 zero hidden\n", 1);
	l->cursor = 8;
	l->following = 1;
	l->cursor_key = top_view_series.key(l->item[8]);
	draw(80, 8, &top_glyphs_utf8);
	assert_shows("7-9 of 9, 1 zero hidden\n", 1);
	assert_int_equal(bot.cells.cursor_y, 6);
	assert_true(bot.cells.cell[6 * 80].style & TOP_SELECTED);
	assert_false(bot.cells.cell[5 * 80].style & TOP_SELECTED);
}

static void screen__1x1__has_one_character(void **state)
{
	draw(1, 1, &top_glyphs_utf8);
	assert_screen("d\n");
}

static void screen__help__has_all_keys(void **state)
{
	size_t i;

	bot.view.help = 1;
	draw(80, 60, &top_glyphs_utf8);
	for (i = 0; i < top_nkeys; i++)
		if (top_keys[i].keys) {
			assert_shows(top_keys[i].keys, 1);
			assert_shows(top_keys[i].help, 1);
		}
	/* Scrolled beyond its end it stands at the end. */
	bot.view.page_top = 1000;
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("the writers of this value have ended", 1);
	assert_shows("this help", 0);
	assert_shows("Esc Back  Up Down Scroll", 1);
}

static void screen__exact__has_all_digits(void **state)
{
	bot.view.exact = 1;
	draw(160, 14, &top_glyphs_utf8);
	assert_shows(" 119000000 ", 0);
	assert_shows(" 1.19e+08 ", 1);
}

static void screen__note_and_prompt__take_the_lowest_line(void **state)
{
	top_view_note(&bot.view, 100, "hello");
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("\nhello\n", 1);
	bot.view.typing = 1;
	top_filter_set(&bot.view.filter, "~pl(\x1b");
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("\nFilter: ~pl(\\x1b  not a valid expression; Esc drops it\n", 1);
	assert_int_equal(bot.cells.cursor_y, 9);
	assert_int_equal(bot.cells.cursor_x, 16);
	bot.view.typing = 0;
	top_filter_set(&bot.view.filter, "nowhere");
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("nothing matches the filter", 1);
	assert_shows("0 of 10  /nowhere\n", 1);
}

static void screen__marks__are_shown(void **state)
{
	struct top_status *st = &bot.data.model.status;

	bot.view.paused = 1;
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("every 1s  PAUSED\n", 1);
	st->stale = 1;
	st->now_boot_ns += 12 * FEED_SECOND;
	strcpy(st->trouble, "damaged");
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("STALE 12s", 1);
	assert_shows("! no new values: damaged", 1);
	draw(30, 4, &top_glyphs_utf8);
	assert_shows("STALE 12s", 1);
	st->stale = 0;
	st->trouble[0] = '\0';
	st->removed = 1;
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("REMOVED", 1);
	st->up = 0;
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("DEAD", 1);
}

static void screen__empty_segment__says_so(void **state)
{
	static const char *const texts[TOP_VIEWS] = { "no operations", "no values yet",
						      "no program has attached", "no histogram",
						      "no operation was slower" };
	int i;

	top_model_begin(&bot.data.model, 2000 * FEED_SECOND);
	top_model_end(&bot.data.model);
	assert_int_equal(top_ops_update(&bot.data.ops, &bot.data.model), 0);
	top_slows_clear(&bot.data.slows);
	top_status_release(&bot.data.model.status);
	for (i = 0; i < TOP_VIEWS; i++) {
		bot.view.id = (enum top_view_id)i;
		draw(80, 10, &top_glyphs_utf8);
		assert_shows(texts[i], 1);
		assert_shows("0 series", 1);
	}
}

static void screen__only_zeros__says_how_to_see_them(void **state)
{
	struct feed_series zero;

	feed_series(&zero, 500, SM_COUNTER, "zero_total", "", NULL);
	top_model_begin(&bot.data.model, 2000 * FEED_SECOND);
	feed_count(&bot.data.model, &zero, 0);
	top_model_end(&bot.data.model);
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("only series that never counted anything; d shows them", 1);
}

static void overview__one_kind__is_not_named(void **state)
{
	bot.view.id = TOP_OVERVIEW;
	draw(80, 12, &top_glyphs_utf8);
	assert_shows("\n  search ", 0);
	assert_shows("command search", 1);
	assert_shows("db ", 1);
}

static void detail__of_each_view__has_its_heads(void **state)
{
	static const char *const texts[TOP_VIEWS][3] = {
		{ "command_duration_seconds{command=", "status ", "BUCKET" },
		{ "command_duration_seconds{command=\"", "p50 ", "WRITER" },
		{ "shard-1", "restarts", "IT SAYS OF ITSELF" },
		{ "command_duration_seconds{command=\"", "histogram", "BUCKET" },
		{ "command", "WHERE THE TIME WENT", "database" },
	};
	int i, k;

	for (i = 0; i < TOP_VIEWS; i++) {
		bot.view.id = (enum top_view_id)i;
		bot.view.detail = 0;
		bot.view.list[i].sort = i == TOP_WRITERS ? 0 : top_views[i]->sort;
		draw(100, 60, &top_glyphs_utf8);
		bot_key(TOP_CODE_HOME);
		bot_key(TOP_ENTER);
		assert_true(bot.view.detail);
		bot_parts();
		draw(100, 60, &top_glyphs_utf8);
		for (k = 0; k < 3; k++)
			assert_shows(texts[i][k], 1);
		bot_key(TOP_ESC);
	}
}

static void detail__of_what_is_gone__says_so(void **state)
{
	int i;

	for (i = 0; i < TOP_VIEWS; i++) {
		bot.view.id = (enum top_view_id)i;
		bot.view.detail = 1;
		bot.view.subject = (struct top_key_of){ 99999, 77777 };
		draw(80, 12, &top_glyphs_utf8);
		assert_shows(i == TOP_SERIES || i == TOP_HISTOGRAMS ? "was removed"
			     : i == TOP_SLOW			    ? "have taken its place"
								    : "gone",
			     1);
	}
}

static void hit__places__are_what_is_drawn(void **state)
{
	struct top_scene s = bot_scene(&top_glyphs_utf8);
	struct top_hit h;

	draw(80, 24, &top_glyphs_utf8);
	h = top_draw_hit(&s, 2, 2);
	assert_int_equal(h.what, TOP_HIT_VIEW);
	assert_int_equal(h.which, TOP_OVERVIEW);
	h = top_draw_hit(&s, 14, 2);
	assert_int_equal(h.which, TOP_SERIES);
	h = top_draw_hit(&s, 79, 2);
	assert_int_equal(h.what, TOP_HIT_NOTHING);
	h = top_draw_hit(&s, 4, 3);
	assert_int_equal(h.what, TOP_HIT_HEAD);
	assert_int_equal(h.which, TOP_SORT_NAME);
	h = top_draw_hit(&s, 5, 6);
	assert_int_equal(h.what, TOP_HIT_ROW);
	assert_int_equal(h.which, 2);
	h = top_draw_hit(&s, 5, 20);
	assert_int_equal(h.what, TOP_HIT_NOTHING);
	h = top_draw_hit(&s, -5, -1);
	assert_int_equal(h.what, TOP_HIT_NOTHING);
}

/* Names of strangers, longer than any screen. */
static void feed_hostile(void)
{
	static struct feed_series s[4];
	static char big[1025];
	const char *const names[] = { "\x1b[2J\x9b", "\xe6\xbc\xa2\xe6\xbc\xa2 \xe2\x80\xae x",
				      "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81", big };
	int i;

	memset(big, 'y', sizeof(big) - 1);
	top_model_begin(&bot.data.model, 2000 * FEED_SECOND);
	for (i = 0; i < 4; i++) {
		feed_series(&s[i], (uint32_t)(100 + i), SM_COUNTER, names[i], "",
			    (const char *const[]){ names[i], names[i], "status", "{}", NULL });
		s[i].family.help = names[i];
		feed_count(&bot.data.model, &s[i], UINT64_MAX - (uint64_t)i);
	}
	top_model_end(&bot.data.model);
	assert_int_equal(top_ops_update(&bot.data.ops, &bot.data.model), 0);
	strcpy(bot.data.model.status.segment,
	       "a rather long name of a segment, longer than a line is");
}

static void sizes__all__are_drawn(void **state)
{
	static const int widths[] = { 1,  2,  3,  5,  8,  11, 12,  13, 20,
				      30, 39, 40, 41, 60, 80, 132, 250 };
	static const int heights[] = { 1, 2, 3, 4, 5, 7, 8, 9, 24, 60 };
	size_t w, h;
	int i;

	for (i = 0; i < 15; i++) {
		bot.view.id = (enum top_view_id)(i % TOP_VIEWS);
		bot.view.exact = i & 1;
		bot.view.help = i == 10;
		bot.view.typing = i == 11;
		bot.view.detail = i / 5 == 1;
		bot.data.model.status.died = (unsigned)i & 2;
		if (i == 12)
			feed_hostile();
		for (w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
			for (h = 0; h < sizeof(heights) / sizeof(heights[0]); h++) {
				draw(widths[w], heights[h],
				     i % 3 ? &top_glyphs_utf8 : &top_glyphs_ascii);
				bot_assert_sane(widths[w], heights[h]);
			}
		}
	}
}

static int use_utf8(void **state)
{
	setenv("TZ", "UTC", 1);
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_bot, drop_bot)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(screen__more_rows_than_lines__says_which),
		TEST(screen__1x1__has_one_character),
		TEST(screen__help__has_all_keys),
		TEST(screen__exact__has_all_digits),
		TEST(screen__note_and_prompt__take_the_lowest_line),
		TEST(screen__marks__are_shown),
		TEST(screen__empty_segment__says_so),
		TEST(screen__only_zeros__says_how_to_see_them),
		TEST(overview__one_kind__is_not_named),
		TEST(detail__of_each_view__has_its_heads),
		TEST(detail__of_what_is_gone__says_so),
		TEST(hit__places__are_what_is_drawn),
		TEST(sizes__all__are_drawn),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
