/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1,000 random screens of shmtop (ROUNDS): a random size, key, click and sample each, names of
 * strangers among them. Worth most under the address sanitizer. SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>

#include "shmtop_bot.h"

#define STRANGERS 40

static const int keys[] = {
	'1', '2', '3', '4', '5', TOP_CODE_TAB, TOP_CODE_BACKTAB, TOP_ENTER, TOP_ENTER, TOP_ESC, 'h', 'q',
	'j', 'k', 'g', 'G', TOP_CODE_PAGE_UP, TOP_CODE_PAGE_DOWN, TOP_CODE_HOME, TOP_CODE_END,
	's', '<', 'r', '/', '~', '(', '!', 'p', 'l', 'a', TOP_CODE_BACKSPACE, TOP_CTRL_U, ' ', '+',
	'-', 'w', 'e', 'd', '0', 'm', 0x1f600, 0x9b, 0x301, 7,
};

static const char *const texts[] = {
	"\x1b[2J\x9b", "\xe6\xbc\xa2\xe6\xbc\xa2 \xe2\x80\xae x", "e\xcc\x81\xcc\x81\xcc\x81", "", "{}",
	"a{b=c}", "\xff\xfe", "error", "200", "503", "play", "\n", "\"", "true",
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

static unsigned any(unsigned n)
{
	return (unsigned)rand() % n;
}

static uint64_t big(void)
{
	return any(4) ? any(1000) : UINT64_MAX - any(1000);
}

static char long_text[1025];

static const char *a_text(void)
{
	return any(20) ? texts[any(TEXTS)] : long_text;
}

/* Families are as the catalog has them: one name and kind for one id. */
static void feed_stranger(unsigned i)
{
	static const char *const names[] = { "x_total", "y_duration_seconds", "z_bytes", "w_info",
					     "v_state", "x_errors_total", "u_timestamp_seconds" };
	static const enum sm_kind kinds[] = { SM_COUNTER, SM_HISTOGRAM, SM_GAUGE, SM_INFO,
					      SM_STATESET, SM_COUNTER, SM_GAUGE };
	unsigned k = i % 7;
	struct feed_series s;

	feed_series(&s, 1000 + i, kinds[k], names[k], k == 1 ? "seconds" : k == 2 ? "bytes" : "",
		    (const char *const[]){ "command", a_text(), "status", a_text(), NULL });
	s.family.id = 1000 + k;
	s.series.incarnation = 1 + bot.t / 50;
	s.family.help = texts[k];
	s.family.states = texts;
	s.family.nstates = k == 4 ? TEXTS : 0;
	if (kinds[k] == SM_HISTOGRAM)
		feed_buckets(&bot.data.model, &s,
			     (const uint64_t[]){ any(9), any(9), any(9), any(2) ? 0 : 1, any(2) });
	else if (kinds[k] == SM_COUNTER || k == 4)
		feed_count(&bot.data.model, &s, k == 4 ? any(20) : big());
	else if (any(5))
		feed_gauge(&bot.data.model, &s,
			   any(9) ? (double)rand() * (any(2) ? 1e-9 : -1e6) : NAN);
	else
		feed_absent(&bot.data.model, &s);
}

static void a_sample(void)
{
	unsigned i, n = any(STRANGERS);

	if (any(3)) {
		bot_sample();
	} else {
		bot.t++;
		top_model_begin(&bot.data.model, (1000 + bot.t) * FEED_SECOND);
		for (i = 0; i < n; i++)
			feed_stranger(i);
		assert_int_equal(top_model_end(&bot.data.model), 0);
		assert_int_equal(top_ops_update(&bot.data.ops, &bot.data.model), 0);
	}
	if (!any(4))
		bot_slow(bot.t, big());
	bot.data.model.status.boot_ns = bot.data.model.boot_ns;
	bot.data.model.status.died = any(2);
	bot.data.model.status.stale = any(2);
}

static void screens__random__are_sane(void **state)
{
	const char *env_rounds = getenv("ROUNDS"), *env_seed = getenv("SEED");
	unsigned rounds = env_rounds ? (unsigned)atoi(env_rounds) : 1000, i, k;
	unsigned seed = env_seed ? (unsigned)atoi(env_seed) : 20261120;
	const struct top_glyphs *g;
	struct top_scene s;
	int width, height;

	print_message("SEED=%u ROUNDS=%u\n", seed, rounds);
	srand(seed);
	memset(long_text, 'y', sizeof(long_text) - 1);
	for (i = 0; i < rounds; i++) {
		if (i % 250 == 0) {
			if (i)
				bot_drop();
			bot_make(i / 250 % 2 ? TOP_ESCAPE_ASCII : 0);
		}
		if (!any(3)) {
			a_sample();
			assert_int_equal(top_view_arrange(&bot.view, &bot.data), 0);
		}
		bot_key(keys[any(sizeof(keys) / sizeof(keys[0]))]);
		bot.view.quit = 0;
		for (k = any(3); k; k--)
			bot_key(keys[any(sizeof(keys) / sizeof(keys[0]))]);
		if (any(2))
			bot_parts();
		top_model_set_window(&bot.data.model, bot.view.window);
		assert_int_equal(top_ops_update(&bot.data.ops, &bot.data.model), 0);
		width = any(4) ? 1 + (int)any(160) : 1 + (int)any(2100);
		height = 1 + (int)any(70);
		g = bot.data.model.escape ? &top_glyphs_ascii : &top_glyphs_utf8;
		bot_draw(width, height, g);
		bot_assert_sane(width > TOP_WIDTH_MAX ? TOP_WIDTH_MAX : width, height);
		s = bot_scene(g);
		top_view_click(&bot.view,
			       top_draw_hit(&s, (int)any(200) - 5, (int)any(80) - 5), FEED_SECOND);
		bot_key(0);
	}
	bot_drop();
}

static int use_utf8(void **state)
{
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(screens__random__are_sane),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
