/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tools/shmtop/draw.c and judge.c: screens compared as text, at all sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shmtop_feed.h"
#include "tools/shmtop/draw.h"

static struct top_model model;
static struct top_view view;
static struct top_cells cells;

/* A bot that has run for 20 samples: two commands, a gauge that rises, one that is gone. */
static void feed_bot(unsigned escape)
{
	static const uint64_t spikes[] = { 0, 2, 4, 6, 8, 10, 12, 14 };
	static struct feed_series s[7];
	const char *const play[] = { "command", "play", "status", "ok", NULL };
	const char *const search[] = { "command", "search", "status", "ok", NULL };
	uint64_t counts[FEED_BOUNDS + 1] = { 0 }, plays = 141000;
	unsigned t;

	feed_series(&s[0], 1, SM_COUNTER, "commands_total", "", play);
	feed_series(&s[1], 2, SM_COUNTER, "commands_total", "", search);
	s[1].family.id = 1;
	feed_series(&s[2], 3, SM_HISTOGRAM, "command_duration_seconds", "seconds", play);
	feed_series(&s[3], 4, SM_GAUGE, "heap_bytes", "bytes", NULL);
	feed_series(&s[4], 5, SM_GAUGE, "voice_sessions", "", NULL);
	feed_series(&s[5], 6, SM_COUNTER, "errors_total", "", NULL);
	feed_series(&s[6], 7, SM_HISTOGRAM, "db_seconds", "seconds", NULL);
	top_model_init(&model, escape);
	for (t = 0; t < 20; t++) {
		plays += spikes[t % 8];
		counts[1] += 10;
		counts[2] += t % 2;
		top_model_begin(&model, (1000 + t) * FEED_SECOND);
		feed_count(&model, &s[0], plays);
		feed_count(&model, &s[1], t < 19 ? 90 + t : 5);
		feed_buckets(&model, &s[2], counts);
		feed_gauge(&model, &s[3], 1e8 + t * 1e6);
		if (t < 12)
			feed_gauge(&model, &s[4], 3);
		else
			feed_absent(&model, &s[4]);
		feed_count(&model, &s[5], 0);
		feed_buckets(&model, &s[6], (const uint64_t[]){ 5, 5, 0, 0, 0 });
		assert_int_equal(top_model_end(&model), 0);
	}
}

static void set_status(void)
{
	struct top_status *st = &model.status;

	strcpy(st->segment, "default");
	strcpy(st->version, "2.14.0");
	strcpy(st->worst_name, "shard-3");
	st->nversions = 1;
	st->layout_major = 1;
	st->up = 5;
	st->total = 5;
	st->worst_age_ns = 900 * UINT64_C(1000000);
	st->fill_what = "cells";
	st->fill_percent = 12;
	st->boot_ns = st->now_boot_ns = model.boot_ns;
}

static void make(unsigned escape)
{
	struct top_options o = { .delay_s = 1 };

	feed_bot(escape);
	set_status();
	top_view_init(&view, &o);
	assert_int_equal(top_view_arrange(&view, &model), 0);
}

static int make_bot(void **state)
{
	make(0);
	return 0;
}

static int drop_bot(void **state)
{
	top_view_release(&view);
	top_model_release(&model);
	top_cells_release(&cells);
	return 0;
}

static void draw(int width, int height, const struct top_glyphs *g)
{
	assert_int_equal(top_cells_resize(&cells, width, height), 0);
	top_view_fit(&view, top_draw_page(width, height));
	top_draw(&cells, &model, &view, g, "13:21:07", 0);
}

/* The whole screen, a line each. Free it. */
static char *screen(void)
{
	struct buf b = { 0 };
	int y;

	for (y = 0; y < cells.height; y++) {
		top_cells_row(&cells, y, &b);
		buf_puts(&b, "\n");
	}
	return buf_take(&b);
}

static void assert_screen(const char *expected)
{
	char *text = screen();

	if (strcmp(text, expected) != 0)
		fprintf(stderr, "the screen is\n%s\n", text);
	assert_string_equal(text, expected);
	free(text);
}

static void assert_shows(const char *what, int yes)
{
	char *text = screen();

	if (!strstr(text, what) == !!yes)
		fail_msg("\"%s\" is %sthere:\n%s", what, yes ? "not " : "", text);
	free(text);
}

static void screen__80x14__is_this(void **state)
{
	draw(80, 14, &top_glyphs_utf8);
	assert_screen(
		"default  v2.14.0  layout 1.0  5/5 writers up  worst beat 0.9s shard-3   13:21:07\n"
		"all writers are well                                7 series  12% used  every 1s\n"
		"  SERIES▲                              VALUE  CHANGE/s     p95     p99   LAST 8s\n"
		"  command_duration_…conds{play,ok}       210        11   100ms   820ms  ▃▆▃▆▃▆▃▆\n"
		"  commands_total{play,ok}             141124         6       ·       ·  ▅▆▇█▁▂▃▄\n"
		"! commands_total{search,ok}                5     reset       ·       ·  ▅▅▅▅▅▅▅\n"
		"  db_seconds                              10         0 ~91.0ms ~98.2ms  ▁▁▁▁▁▁▁▁\n"
		"  errors_total                             0         0       ·       ·  ▁▁▁▁▁▁▁▁\n"
		"  heap_bytes                          113MiB         ·       ·       ·  ▃▄▄▄▅▅▅▆\n"
		"✕ voice_sessions                           3 gone 7.0s       ·       ·\n"
		"\n"
		"\n"
		"\n"
		"h Help  q Quit  / Filter  s Sort  r Reverse  Space Pause  +- Interval\n");
}

static void screen__80x14_ascii__is_this(void **state)
{
	drop_bot(NULL);
	make(TOP_ESCAPE_ASCII);
	draw(80, 14, &top_glyphs_ascii);
	assert_screen(
		"default  v2.14.0  layout 1.0  5/5 writers up  worst beat 0.9s shard-3   13:21:07\n"
		"all writers are well                                7 series  12% used  every 1s\n"
		"  SERIES^                              VALUE  CHANGE/s     p95     p99   LAST 8s\n"
		"  command_duration..conds{play,ok}       210        11   100ms   820ms  ,+,+,+,+\n"
		"  commands_total{play,ok}             141124         6       .       .  =+*#_.,-\n"
		"! commands_total{search,ok}                5     reset       .       .  =======\n"
		"  db_seconds                              10         0 ~91.0ms ~98.2ms  ________\n"
		"  errors_total                             0         0       .       .  ________\n"
		"  heap_bytes                          113MiB         .       .       .  ,---===+\n"
		"x voice_sessions                           3 gone 7.0s       .       .\n"
		"\n"
		"\n"
		"\n"
		"h Help  q Quit  / Filter  s Sort  r Reverse  Space Pause  +- Interval\n");
}

static void screen__44x10__is_this(void **state)
{
	draw(44, 10, &top_glyphs_utf8);
	assert_screen(
		"default  v2.14.0  5/5 writers up    13:21:07\n"
		"all writers are well      7 series  every 1s\n"
		"  SERIES▲                    VALUE  CHANGE/s\n"
		"  command_d…nds{play,ok}       210        11\n"
		"  commands_…tal{play,ok}    141124         6\n"
		"! commands…al{search,ok}         5     reset\n"
		"  db_seconds                    10         0\n"
		"  errors_total                   0         0\n"
		"  heap_bytes                113MiB         ·\n"
		"h Help  q Quit  / Filter  s Sort    1-6 of 7\n");
}

static void screen__wide__has_label_names_and_long_sparks(void **state)
{
	draw(130, 12, &top_glyphs_utf8);
	assert_shows("commands_total{command=play,status=ok}", 1);
	assert_shows("p50     p95     p99 ", 1);
	assert_shows("57.4ms   100ms   820ms ", 1);
	assert_shows("LAST 34s\n", 1);
	assert_shows(" ▂▃▄▅▆▇█▁▂▃▄▅▆▇█▁▂▃▄\n", 1);
}

static void screen__20x4__is_this(void **state)
{
	draw(20, 4, &top_glyphs_utf8);
	assert_screen(
		"default  5/5 up\n"
		"  SERIES▲      VALUE\n"
		"  comm…ok}       210\n"
		"  comm…ok}    141124\n");
}

static void screen__1x1__has_one_character(void **state)
{
	draw(1, 1, &top_glyphs_utf8);
	assert_screen("d\n");
}

static void screen__help__has_all_keys(void **state)
{
	size_t i;

	view.help = 1;
	draw(80, 30, &top_glyphs_utf8);
	for (i = 0; i < top_nkeys; i++)
		if (top_keys[i].keys) {
			assert_shows(top_keys[i].keys, 1);
			assert_shows(top_keys[i].help, 1);
		}
	/* Scrolled beyond its end it stands at the end. */
	view.help_top = 1000;
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("the writers of this gauge have ended", 1);
	assert_shows("this help", 0);
}

static void screen__exact__has_all_digits(void **state)
{
	view.exact = 1;
	draw(120, 14, &top_glyphs_utf8);
	assert_shows(" 119000000 ", 0);
	assert_shows(" 1.19e+08 ", 1);
}

static void screen__note_and_prompt__take_the_lowest_line(void **state)
{
	top_view_note(&view, 100, "hello");
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("\nhello\n", 1);
	view.typing = 1;
	top_filter_set(&view.filter, "~pl(\x1b");
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("\nFilter: ~pl(\\x1b  not a valid expression; Esc drops it\n", 1);
	assert_int_equal(cells.cursor_y, 9);
	assert_int_equal(cells.cursor_x, 16);
	view.typing = 0;
	top_filter_set(&view.filter, "nowhere");
	top_view_arrange(&view, &model);
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("no series matches the filter", 1);
	assert_shows("0 of 7 series", 1);
}

static void screen__more_rows_than_lines__says_which(void **state)
{
	draw(80, 8, &top_glyphs_utf8);
	assert_shows("1-4 of 7\n", 1);
	view.cursor = 6;
	view.following = 1;
	draw(80, 8, &top_glyphs_utf8);
	assert_shows("4-7 of 7\n", 1);
	assert_int_equal(cells.cursor_y, 6);
	assert_true(cells.cell[6 * 80].style & TOP_SELECTED);
	assert_false(cells.cell[5 * 80].style & TOP_SELECTED);
}

static void screen__marks__are_shown(void **state)
{
	view.paused = 1;
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("every 1s  PAUSED\n", 1);
	model.status.stale = 1;
	model.status.now_boot_ns += 12 * FEED_SECOND;
	strcpy(model.status.trouble, "damaged");
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("STALE 12s", 1);
	assert_shows("! no new values: damaged", 1);
	draw(30, 4, &top_glyphs_utf8);
	assert_shows("STALE 12s", 1);
	model.status.stale = 0;
	model.status.trouble[0] = '\0';
	model.status.removed = 1;
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("REMOVED", 1);
}

static void screen__empty_segment__says_so(void **state)
{
	top_model_begin(&model, 2000 * FEED_SECOND);
	top_model_end(&model);
	top_view_arrange(&view, &model);
	draw(80, 10, &top_glyphs_utf8);
	assert_shows("no values yet", 1);
	assert_shows("0 series", 1);
}

static void assert_judged(const char *expected, enum top_style style)
{
	struct buf b = { 0 };

	assert_int_equal(top_judgement(&model.status, &top_glyphs_ascii, &b), style);
	assert_string_equal(b.data, expected);
	buf_free(&b);
}

static void judgement__each_trouble__is_named(void **state)
{
	struct top_status *st = &model.status;

	assert_judged("all writers are well", TOP_GOOD);
	st->nversions = 2;
	assert_judged("2 versions run", TOP_PLAIN);
	st->fill_percent = 93;
	assert_judged("! cells 93% full | 2 versions run", TOP_WARN);
	st->nversions = 1;
	st->refused = 12;
	st->refused_reason = "cap";
	assert_judged("! 12 refused (cap) | cells 93% full", TOP_WARN);
	st->fill_percent = 12;
	st->refused = 0;
	st->silent = 1;
	st->silent_age_ns = 14 * FEED_SECOND;
	strcpy(st->silent_name, "shard-2");
	st->died = 1;
	st->died_age_ns = 221 * FEED_SECOND;
	strcpy(st->died_name, "shard-4");
	assert_judged("! shard-4 died 3m41s ago | shard-2 silent for 14s", TOP_BAD);
	st->died = 3;
	st->silent = 2;
	assert_judged("! 3 writers died, last shard-4 3m41s ago | 2 writers silent, longest "
		      "shard-2 14s", TOP_BAD);
	st->died = st->silent = 0;
	st->up = 0;
	assert_judged("no writer is running", TOP_PLAIN);
}

/* Whatever the size, names and switches: every row has its columns and no control character. */
static void assert_cells_sane(int width, int height)
{
	const struct top_cell *c;
	int x, y;

	assert_int_equal(cells.width, width);
	assert_int_equal(cells.height, height);
	assert_in_range(cells.cursor_x, 0, width - 1);
	assert_in_range(cells.cursor_y, 0, height - 1);
	for (y = 0; y < height; y++) {
		for (x = 0; x < width; x++) {
			c = &cells.cell[y * width + x];
			assert_true((c->style & ~TOP_SELECTED) < TOP_STYLES);
			if (c->ch)
				assert_true(c->ch >= 0x20 && (c->ch < 0x7f || c->ch >= 0xa0));
			else
				assert_true(x > 0);
		}
	}
}

static void feed_hostile(void)
{
	static struct feed_series s[4];
	static char big[1025];
	const char *const names[] = { "\x1b[2J\x9b", "\xe6\xbc\xa2\xe6\xbc\xa2 \xe2\x80\xae x",
				      "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81", big };
	int i;

	memset(big, 'y', sizeof(big) - 1);
	top_model_begin(&model, 2000 * FEED_SECOND);
	for (i = 0; i < 4; i++) {
		feed_series(&s[i], (uint32_t)(100 + i), SM_COUNTER, names[i], "",
			    (const char *const[]){ names[i], names[i], "b", "{}", NULL });
		feed_count(&model, &s[i], UINT64_MAX - (uint64_t)i);
	}
	top_model_end(&model);
	strcpy(model.status.segment, "a rather long name of a segment, longer than a line is");
	top_view_arrange(&view, &model);
}

static void sizes__all__are_drawn(void **state)
{
	static const int widths[] = { 1,  2,  3,  5,  8,  11, 12,  13, 20,
				      30, 39, 40, 41, 60, 80, 132, 250 };
	static const int heights[] = { 1, 2, 3, 4, 5, 7, 8, 9, 24, 60 };
	size_t w, h;
	int i;

	for (i = 0; i < 12; i++) {
		view.exact = i & 1;
		view.help = i == 10;
		view.typing = i == 11;
		model.status.died = (unsigned)i & 2;
		view.sort = (enum top_sort)(i % TOP_SORTS);
		if (i == 6)
			feed_hostile();
		top_view_arrange(&view, &model);
		for (w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
			for (h = 0; h < sizeof(heights) / sizeof(heights[0]); h++) {
				draw(widths[w], heights[h],
				     i % 3 ? &top_glyphs_utf8 : &top_glyphs_ascii);
				assert_cells_sane(widths[w], heights[h]);
			}
		}
	}
}

static int use_utf8(void **state)
{
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_bot, drop_bot)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(screen__80x14__is_this),
		TEST(screen__80x14_ascii__is_this),
		TEST(screen__44x10__is_this),
		TEST(screen__wide__has_label_names_and_long_sparks),
		TEST(screen__20x4__is_this),
		TEST(screen__1x1__has_one_character),
		TEST(screen__help__has_all_keys),
		TEST(screen__exact__has_all_digits),
		TEST(screen__note_and_prompt__take_the_lowest_line),
		TEST(screen__more_rows_than_lines__says_which),
		TEST(screen__marks__are_shown),
		TEST(screen__empty_segment__says_so),
		TEST(judgement__each_trouble__is_named),
		TEST(sizes__all__are_drawn),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
