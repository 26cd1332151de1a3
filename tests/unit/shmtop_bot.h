/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shmtop_bot.h - a bot that has run for 20 samples, for the tests of what shmtop draws: commands
 * with failures, a slow one, a counter that went back, gauges, a dead writer, slow operations.
 */
#ifndef SHMTOP_BOT_H
#define SHMTOP_BOT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "shmtop_feed.h"
#include "tools/shmtop/draw.h"

#define BOT_SERIES 10

static struct bot {
	struct top_data data;
	struct top_view view;
	struct top_cells cells;
	struct feed_series s[BOT_SERIES];
	uint64_t t, plays;
	uint64_t ok[FEED_BOUNDS + 1], failed[FEED_BOUNDS + 1], search[FEED_BOUNDS + 1];
} bot;

static inline void bot_series(unsigned escape)
{
	static const char *const states[] = { "connecting", "ready", "degraded" };
	const char *const play[] = { "command", "play", "status", "ok", NULL };
	const char *const fails[] = { "command", "play", "status", "error", NULL };
	const char *const search[] = { "command", "search", "status", "ok", NULL };
	struct feed_series *s = bot.s;

	feed_series(&s[0], 1, SM_COUNTER, "commands_total", "", play);
	feed_series(&s[1], 2, SM_COUNTER, "commands_total", "", search);
	s[1].family.id = 1;
	feed_series(&s[2], 3, SM_HISTOGRAM, "command_duration_seconds", "seconds", play);
	feed_series(&s[3], 4, SM_GAUGE, "heap_bytes", "bytes", NULL);
	feed_series(&s[4], 5, SM_GAUGE, "voice_sessions", "", NULL);
	feed_series(&s[5], 6, SM_COUNTER, "rejects_total", "", NULL);
	feed_series(&s[6], 7, SM_HISTOGRAM, "db_seconds", "seconds", NULL);
	feed_series(&s[7], 8, SM_HISTOGRAM, "command_duration_seconds", "seconds", fails);
	feed_series(&s[8], 9, SM_HISTOGRAM, "command_duration_seconds", "seconds", search);
	s[7].family.id = s[8].family.id = 3;
	s[2].family.help = s[7].family.help = s[8].family.help = "From the request to the answer.";
	feed_series(&s[9], 10, SM_STATESET, "gateway_state", "", NULL);
	s[9].family.states = states;
	s[9].family.nstates = 3;
	top_data_init(&bot.data, escape);
}

/* One sample more. */
static inline void bot_sample(void)
{
	static const uint64_t spikes[] = { 0, 2, 4, 6, 8, 10, 12, 14 };
	struct top_model *m = &bot.data.model;
	struct sm_writer w = { .slot = 1, .incarnation = 1, .name = "shard-1" };
	struct sm_value state = { .is_set = 1, .is_integer = 1, .units = 1, .value = 1 };
	struct feed_series *s = bot.s;
	struct top_family *f;
	uint64_t t = bot.t++;

	bot.plays += spikes[t % 8];
	bot.ok[1] += 10;
	bot.ok[2] += t % 2;
	bot.failed[1] += 1;
	bot.search[0] += 3;
	bot.search[3] += t > 15;
	top_model_begin(m, (1000 + t) * FEED_SECOND);
	feed_count(m, &s[0], bot.plays);
	feed_count(m, &s[1], t < 19 ? 90 + t : 5);
	feed_buckets(m, &s[2], bot.ok);
	feed_gauge(m, &s[3], 1e8 + (double)t * 1e6);
	if (t < 12)
		feed_gauge(m, &s[4], 3);
	else
		feed_absent(m, &s[4]);
	feed_count(m, &s[5], 0);
	feed_buckets(m, &s[6], (const uint64_t[]){ 5, 5, 0, 0, 0 });
	feed_buckets(m, &s[7], bot.failed);
	feed_buckets(m, &s[8], bot.search);
	f = top_model_family(m, &s[9].family);
	top_row_number(m, top_model_row(m, f, &s[9].series, &w, 1), &state);
	if (top_model_end(m) || top_ops_update(&bot.data.ops, m))
		abort();
}

static inline char *bot_text(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		abort();
	return copy;
}

static inline void bot_status(void)
{
	struct top_status *st = &bot.data.model.status;
	struct top_writer *w = calloc(3, sizeof(*w));
	int i;

	if (!w)
		abort();
	for (i = 0; i < 3; i++) {
		w[i] = (struct top_writer){ .slot = (unsigned)i + 1, .incarnation = 1, .pid = 4711,
					    .heartbeats = 9, .start_boot_ns = FEED_SECOND * 100,
					    .heartbeat_age_ns = FEED_SECOND / 2, .cpu = 0.031,
					    .last_boot_ns = 1018 * FEED_SECOND, .lanes = 2 };
		snprintf(w[i].name, sizeof(w[i].name), "shard-%d", i + 1);
		snprintf(w[i].version, sizeof(w[i].version), "2.14.0");
		w[i].usage = (struct sm_usage){ .at_boot_ns = 1, .resident_bytes = 52 << 20,
						.threads = 9, .open_fds = 31, .max_fds = 1024 };
	}
	w[0].metadata[0] = bot_text("node");
	w[0].metadata[1] = bot_text("eu-\x1b");
	w[0].nmetadata = 1;
	w[0].refused[0] = 3;
	w[1].state = SM_WRITER_DEAD;
	w[1].last_boot_ns = 798 * FEED_SECOND;
	w[2].silent = 1;
	w[2].heartbeat_age_ns = 14 * FEED_SECOND;
	st->writers = w;
	st->nwriters = 3;
	strcpy(st->segment, "default");
	strcpy(st->version, "2.14.0");
	strcpy(st->worst_name, "shard-3");
	st->nversions = 1;
	st->layout_major = 1;
	st->up = 5;
	st->total = 5;
	st->worst_age_ns = 900 * UINT64_C(1000000);
	st->up_ns = 7500 * FEED_SECOND;
	st->fill_what = "cells";
	st->fill_percent = 12;
	st->real_ns = UINT64_C(1767323045) * FEED_SECOND;
	st->boot_ns = st->now_boot_ns = bot.data.model.boot_ns;
}

static inline void bot_slow(uint64_t number, uint64_t took_ns)
{
	struct sm_slow slow = { .slot = 1, .number = number, .incarnation = 1, .writer = "shard-1",
				.operation = "command", .status = "error",
				.start_real_ns = (UINT64_C(1767323000) + number) * FEED_SECOND,
				.duration_ns = took_ns, .threshold_ns = FEED_SECOND,
				.trace_id = { 1, 2, 3 }, .ncheckpoints = 2 };

	strcpy(slow.checkpoint[0].name, "load");
	slow.checkpoint[0].duration_ns = took_ns / 4;
	strcpy(slow.checkpoint[1].name, "database");
	slow.checkpoint[1].duration_ns = took_ns / 4 * 3;
	slow.nattributes = 1;
	slow.attributes[0] = SM_STR("command");
	slow.attributes[1] = SM_STR("pl\x1b" "ay");
	if (top_slows_add(&bot.data.slows, &slow))
		abort();
}

static inline void bot_make(unsigned escape)
{
	struct top_options o = { .delay_s = 1, .view = TOP_SERIES };
	int t;

	memset(&bot, 0, sizeof(bot));
	bot.plays = 141000;
	bot_series(escape);
	for (t = 0; t < 20; t++)
		bot_sample();
	bot_status();
	bot_slow(0, 1200000000);
	bot_slow(1, 3400000000);
	top_view_init(&bot.view, &o);
	if (top_view_arrange(&bot.view, &bot.data))
		abort();
}

static inline void bot_drop(void)
{
	top_view_release(&bot.view);
	top_data_release(&bot.data);
	top_cells_release(&bot.cells);
}

/* What each writer adds to the subject of the detail, made up. */
static inline void bot_parts(void)
{
	struct top_parts *p = &bot.data.parts;
	struct top_ref refs[TOP_PARTS_REFS];
	int i;

	top_parts_release(p);
	if (!top_view_refs(&bot.view, &bot.data, refs))
		return;
	top_parts_want(p, refs, 1);
	p->part = calloc(3, sizeof(*p->part));
	if (!p->part)
		abort();
	p->room = 3;
	for (i = 0; i < 3; i++) {
		p->part[i] = (struct top_part){ .slot = (unsigned)i + 1, .incarnation = 1,
						.rating = TOP_RATE_OK, .rate = 1.5 * i,
						.value = { .is_set = 1, .value = i } };
		snprintf(p->part[i].name, sizeof(p->part[i].name), "shard-%d", i + 1);
		p->part[i].state = i == 1 ? SM_WRITER_DEAD : SM_WRITER_LIVE;
		p->n++;
	}
}

static inline struct top_scene bot_scene(const struct top_glyphs *g)
{
	return (struct top_scene){ .c = &bot.cells, .d = &bot.data, .v = &bot.view, .g = g,
				   .local_time = "13:21:07" };
}

static inline void bot_draw(int width, int height, const struct top_glyphs *g)
{
	struct top_scene s = bot_scene(g);

	if (top_view_arrange(&bot.view, &bot.data) || top_cells_resize(&bot.cells, width, height))
		abort();
	bot.view.list[bot.view.id].hidden = top_table_hidden(&s);
	top_view_fit(&bot.view, top_draw_page(width, height));
	top_draw(&s);
}

static inline void bot_key(int code)
{
	top_view_key(&bot.view, code, FEED_SECOND);
	bot.view.note_until_ns = 0;
	if (top_view_arrange(&bot.view, &bot.data))
		abort();
}

/* The whole screen, a line each. Free it. */
static inline char *bot_screen(void)
{
	struct buf b = { 0 };
	int y;

	for (y = 0; y < bot.cells.height; y++) {
		top_cells_row(&bot.cells, y, &b);
		buf_puts(&b, "\n");
	}
	return buf_take(&b);
}

/* Whatever the size, names and switches: every row has its columns and no control character. */
static inline void bot_assert_sane(int width, int height)
{
	const struct top_cell *c;
	int x, y;

	assert_int_equal(bot.cells.width, width);
	assert_int_equal(bot.cells.height, height);
	assert_in_range(bot.cells.cursor_x, 0, width - 1);
	assert_in_range(bot.cells.cursor_y, 0, height - 1);
	for (y = 0; y < height; y++) {
		for (x = 0; x < width; x++) {
			c = &bot.cells.cell[y * width + x];
			assert_true((c->style & ~TOP_SELECTED) < TOP_STYLES);
			if (c->ch)
				assert_true(c->ch >= 0x20 && (c->ch < 0x7f || c->ch >= 0xa0));
			else
				assert_true(x > 0);
		}
	}
}

#endif
