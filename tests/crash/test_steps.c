/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -Wl,--wrap=clock_gettime */
/* TIMEOUT: 240 */
/*
 * test_steps.c - a process is killed at every publish step of every operation.
 *
 * A first run of each scene (scenes.h) counts its steps. Then it is played once for each of them,
 * with a process that dies there; and for each of those once more for each step of the recovery,
 * with a next comer that dies in it. Each time:
 *
 *	- a reader sees the right totals of what the dead left behind, before anybody mended it;
 *	- the next comer recovers: no operation is under way any more, the death is counted under
 *	  the operation it fell into, totals are right, sm_check() finds nothing;
 *	- a writer of the same name and one of another name work.
 *
 * At the end every step in the sources must have been passed and have killed somebody.
 */
#include "scenes.h"

static uint64_t deaths_counted(const struct sm_header *h)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < SM_OP_COUNT; i++)
		n += h->recovered[i];
	return n;
}

/* Play the scene with a death at step `at`. Returns what was under way. */
static uint32_t die_at(const struct scene *scene, uint32_t at, struct sm_header *ret_header)
{
	int status;

	begin(scene);
	call->kill_at = at;
	status = run_process(do_act, NULL);
	if (!was_killed(status))
		FAIL("the process was to die at step %u, but ended with status 0x%x", at, status);
	memset(ret_header, 0, sizeof(*ret_header));
	segment_header(ret_header);
	if (ret_header->state != SM_SEG_READY)
		return SM_OP_CREATE;
	return ret_header->op;
}

static void check_counted(uint32_t op, const struct sm_header *before)
{
	struct sm_header now;

	CHECK(segment_header(&now));
	/* An empty file may have been abandoned or just been made: only one with a size counts. */
	if (op == SM_OP_CREATE) {
		CHECK(now.recovered[SM_OP_CREATE] <= 1);
		return;
	}
	CHECK_U64(deaths_counted(&now), deaths_counted(before) + (op != SM_OP_NONE));
	if (op)
		CHECK_U64(now.recovered[op], before->recovered[op] + 1);
}

/* Die at step `at`, and again at each step of recovering from that. */
static unsigned play_step(const struct scene *scene, uint32_t at)
{
	static char context[100];
	struct sm_header before;
	unsigned plays = 1;
	uint32_t op, second;

	snprintf(context, sizeof(context), "[%s, step %u]", scene->name, at);
	check_context = context;
	op = die_at(scene, at, &before);
	check_next_comers();
	check_counted(op, &before);
	if (op == SM_OP_NONE || op == SM_OP_CREATE)
		return plays;
	for (second = 1;; second++) {
		snprintf(context, sizeof(context), "[%s, step %u, then %u of recovery]",
			 scene->name, at, second);
		die_at(scene, at, &before);
		check_totals();
		call->kill_at = second;
		if (!was_killed(run_process(recover_and_die, NULL))) {
			check_totals();
			segment_check_clean();
			return plays;
		}
		plays++;
		check_next_comers();
	}
}

static void play_all(void)
{
	unsigned i, plays = 0, points = 0;
	uint32_t at, n;

	for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		n = count_steps(&scenes[i]);
		for (at = 1; at <= n; at++)
			plays += play_step(&scenes[i], at);
		points += n;
		printf("%-10s %3u steps\n", scenes[i].name, n);
	}
	printf("%u points of death, %u plays\n", points, plays);
}

static void check_all_steps_reached(void)
{
	unsigned i, missing = 0;

	for (i = 0; i < nsteps; i++) {
		if (steps[i].passed && steps[i].killed)
			continue;
		fprintf(stderr, "step \"%s\": passed %u times, killed %u times\n", steps[i].name,
			steps[i].passed, steps[i].killed);
		missing++;
	}
	check_context = "[all]";
	CHECK(missing == 0);
	printf("all %u named steps of the sources were passed and killed somebody\n", nsteps);
}

int main(void)
{
	scenes_init("steps");
	play_all();
	check_all_steps_reached();
	return 0;
}
