/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -Wl,--wrap=clock_gettime */
/* TIMEOUT: 240 */
/*
 * test_growth.c - deaths use up nothing. Each scene (scenes.h) is played 200 times on one segment,
 * with a death at each of its steps in turn: from the half on, what is used of the segment must not
 * grow.
 */
#include "scenes.h"

#define REPEATS 200
#define UNFINISHED 40

/* ---- growth ---------------------------------------------------------------------------------- */

struct usage {
	uint64_t families, series, strings, exemplars, cells[SM_ZONES], blocks;
};

static struct usage usage_now(void)
{
	struct usage u;
	struct sm_header h;
	unsigned z;

	memset(&u, 0, sizeof(u));
	CHECK(segment_header(&h));
	u.families = h.families_used;
	u.series = h.series_used;
	u.strings = h.strings_used;
	u.exemplars = h.exemplars_used;
	for (z = 0; z < SM_ZONES; z++)
		u.cells[z] = h.cells_used[z];
	u.blocks = segment_blocks();
	return u;
}

static void check_no_growth(const struct usage *end, const struct usage *before)
{
	CHECK_U64(end->families, before->families);
	CHECK_U64(end->series, before->series);
	CHECK_U64(end->strings, before->strings);
	CHECK_U64(end->exemplars, before->exemplars);
	CHECK_U64(end->cells[SM_ZONE_ADD], before->cells[SM_ZONE_ADD]);
	CHECK_U64(end->cells[SM_ZONE_SET], before->cells[SM_ZONE_SET]);
	CHECK_U64(end->cells[SM_ZONE_LIVE], before->cells[SM_ZONE_LIVE]);
	/* Which slots have memory depends on who folded whom, so this is no exact number. */
	CHECK(end->blocks <= before->blocks + 16 * 8);
}

/* Dying at each of the scene's steps in turn, over and over, uses up nothing. */
static void play_often(const struct scene *scene)
{
	uint32_t n = count_steps(scene), i, rounds = REPEATS > 4 * n ? REPEATS : 4 * n;
	static char context[100];
	struct usage half = { 0 }, end;
	int status;

	begin(scene);
	for (i = 0; i < rounds; i++) {
		snprintf(context, sizeof(context), "[%s, repetition %u]", scene->name, i);
		check_context = context;
		call->kill_at = i % n + 1;
		status = run_process(do_act, NULL);
		CHECK(was_killed(status) || was_fine(status));
		run_process_fine(next_comer, (void *)(uintptr_t)scene->writer);
		if (scene->clean)
			run_process_fine(do_clean, NULL);
		run_process_fine(do_prepare, NULL);
		if (i == rounds / 2)
			half = usage_now();
	}
	run_process_fine(next_comer, (void *)(uintptr_t)"another");
	segment_check_clean();
	end = usage_now();
	check_no_growth(&end, &half);
}

/*
 * Dying at one step over and over while a series is registered for the first time, so that nothing
 * that was removed could be used again.
 */
static void play_unfinished(const struct scene *scene)
{
	static char context[100];
	struct usage before = { 0 }, end;
	uint32_t at, i;

	for (at = 1;; at++) {
		snprintf(context, sizeof(context), "[%s, over and over until step %u]",
			 item_names[call->item], at);
		check_context = context;
		begin(scene);
		call->kill_at = at;
		if (!was_killed(run_process(do_act, NULL)))
			return;
		for (i = 1; i < UNFINISHED; i++) {
			run_process(do_act, NULL);
			if (i == 3)
				before = usage_now();
		}
		end = usage_now();
		check_no_growth(&end, &before);
		run_process_fine(next_comer, (void *)(uintptr_t)"another");
		segment_check_clean();
	}
}

int main(void)
{
	unsigned i;

	scenes_init("growth");
	for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (!scenes[i].own_file)
			play_often(&scenes[i]);
	for (call->item = 0; call->item < ITEMS; call->item++)
		play_unfinished(find_scene("one"));
	printf("%d repetitions of each scene use up nothing\n", REPEATS);
	return 0;
}
