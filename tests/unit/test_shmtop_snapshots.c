/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every page of shmtop at sizes from 20x4 to 200x60, in UTF-8 and ASCII, compared with the screens
 * in tests/unit/shmtop_screens/. The 80x24 screens are also compared by style: that is what
 * differs with colour on and off, the characters are the same. UPDATE=1 writes the screens anew:
 * read what changed before you commit it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>

#include "shmtop_bot.h"

static const struct {
	int width, height;
} sizes[] = { { 20, 4 }, { 40, 8 }, { 80, 24 }, { 140, 40 }, { 200, 60 } };

static const char style_letters[] = ".dbthskgwbx";

static void put_styles(struct buf *b)
{
	const struct top_cell *c;
	char line[512];
	int x, y, end;

	for (y = 0; y < bot.cells.height; y++) {
		for (end = 0, x = 0; x < bot.cells.width; x++) {
			c = &bot.cells.cell[y * bot.cells.width + x];
			line[x] = style_letters[c->style & ~TOP_SELECTED];
			if (c->style & TOP_SELECTED)
				line[x] = line[x] == '.' ? '_' : (char)(line[x] - 'a' + 'A');
			end = line[x] != '.' ? x + 1 : end;
		}
		buf_put(b, line, (size_t)end);
		buf_puts(b, "\n");
	}
}

/* The screen without the empty lines at its end. */
static void put_screen(struct buf *b, int width, int height, const char *charset)
{
	char *text = bot_screen();
	size_t n = strlen(text);

	while (n > 1 && text[n - 1] == '\n' && text[n - 2] == '\n')
		text[--n] = '\0';
	buf_printf(b, "---- %dx%d %s\n%s", width, height, charset, text);
	free(text);
}

static void compare(const char *name, const char *text)
{
	const char *dir = getenv("SRCDIR");
	char path[1024], *expected;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/unit/shmtop_screens/%s.txt", dir ? dir : ".", name);
	f = fopen(path, getenv("UPDATE") ? "w" : "r");
	if (!f)
		fail_msg("cannot open %s (SRCDIR=%s)", path, dir ? dir : "");
	if (getenv("UPDATE")) {
		assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
		assert_int_equal(fclose(f), 0);
		return;
	}
	expected = calloc(1, 1 << 20);
	assert_non_null(expected);
	n = fread(expected, 1, (1 << 20) - 1, f);
	fclose(f);
	expected[n] = '\0';
	if (strcmp(text, expected) != 0)
		fprintf(stderr, "%s is\n%s", path, text);
	assert_int_equal(strcmp(text, expected), 0);
	free(expected);
}

static void draw_all(const char *name, void (*prepare)(int), int arg)
{
	struct buf b = { 0 };
	int ascii;
	size_t i;

	for (ascii = 0; ascii < 2; ascii++) {
		bot_make(ascii ? TOP_ESCAPE_ASCII : 0);
		prepare(arg);
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			/* ASCII differs in its characters, not in its plan. */
			if (ascii && i != 0 && i != 2)
				continue;
			bot_draw(sizes[i].width, sizes[i].height,
				 ascii ? &top_glyphs_ascii : &top_glyphs_utf8);
			put_screen(&b, sizes[i].width, sizes[i].height, ascii ? "ascii" : "utf-8");
			if (!ascii && sizes[i].width == 80) {
				buf_puts(&b, "---- its styles\n");
				put_styles(&b);
			}
		}
		bot_drop();
	}
	compare(name, b.data);
	buf_free(&b);
}

static void show_view(int id)
{
	bot.view.id = (enum top_view_id)id;
}

static void show_detail(int id)
{
	bot.view.id = (enum top_view_id)id;
	bot_key(TOP_CODE_HOME);
	bot_key(TOP_ENTER);
	bot_parts();
}

static void show_help(int id)
{
	bot.view.help = 1;
}

static void show_gauge(int id)
{
	bot.view.id = TOP_SERIES;
	top_filter_set(&bot.view.filter, "heap_bytes");
	bot_key(TOP_CODE_HOME);
	bot_key(TOP_ENTER);
	bot_parts();
}

static void views__each__is_as_before(void **state)
{
	int i;

	for (i = 0; i < TOP_VIEWS; i++)
		draw_all(top_views[i]->setting, show_view, i);
}

static void details__each__is_as_before(void **state)
{
	char name[64];
	int i;

	for (i = 0; i < TOP_VIEWS; i++) {
		snprintf(name, sizeof(name), "%s-detail", top_views[i]->setting);
		draw_all(name, show_detail, i);
	}
	draw_all("gauge-detail", show_gauge, 0);
}

static void help__is_as_before(void **state)
{
	draw_all("help", show_help, 0);
}

static int use_utf8(void **state)
{
	setenv("TZ", "UTC", 1);
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(views__each__is_as_before),
		cmocka_unit_test(details__each__is_as_before),
		cmocka_unit_test(help__is_as_before),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
