/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenes.h - every operation that changes a segment, as a scene: what has to be there before it,
 * and a process that does it and may be told to die at one of its steps. Played by test_steps.c and
 * test_growth.c.
 */
#ifndef CRASH_SCENES_H
#define CRASH_SCENES_H

#include <pthread.h>

#include "stage.h"

/* ---- what a process is told ------------------------------------------------------------------ */

struct scene;

struct call {
	const struct scene *scene;
	uint32_t kill_at;
	enum item item;
	uint32_t passed;		/* what it tells: steps, if it lived */
};

static struct call *call;		/* shared */

/* ---- scenes ---------------------------------------------------------------------------------- */

struct scene {
	const char *name;
	void (*prepare)(void);		/* run in a process of its own */
	void (*act)(uint32_t kill_at);	/* likewise; arms itself */
	void (*clean)(void);		/* after a repetition: what prepare() must find again */
	const char *writer;		/* its name */
	bool own_file;			/* not to be repeated on one segment */
};

static struct sm *play(const char *name)
{
	struct program p;

	declare_all(open_writer(name), &p);
	count(&p);
	return p.m;
}

/* Removes one of whole_total's series, or says why not. */
static int remove_whole(const char *writer, const char *label, unsigned flags)
{
	struct sm *m = open_writer(writer);
	int rc = sm_remove(declare_whole(m, SM_NUMBER_U64), SM_LABELS(label), flags);

	if (rc == 0)
		truth->whole[label[0] != 'a'] = 0;
	return rc;
}

static void before__nothing(void)
{
}

static void before__a_dead_writer(void)
{
	play("x");
}

static void act__create(uint32_t kill_at)
{
	steps_arm(kill_at);
	open_writer("x");
}

static void clean__create(void)
{
	unlink(segment_path);
}

static void act__claim(uint32_t kill_at)
{
	struct sm *m;

	steps_arm(kill_at);
	m = open_writer("fresh");
	steps_disarm();
	CHECK(strcmp(sm_writer_name(m), "fresh") == 0);
}

static void gc_all(void)
{
	struct sm_gc_result result;
	struct sm_diag diag;

	if (sm_gc(segment_path, 0, &result, &diag))
		FAIL("sm_gc(): %s", diag.message);
}

static void clean__fold_all(void)
{
	gc_all();
}

static void act__adopt(uint32_t kill_at)
{
	struct program p;

	steps_arm(kill_at);
	p.m = open_writer("x");
	steps_disarm();
	CHECK(strcmp(sm_writer_name(p.m), "x") == 0);
	check_totals();		/* alive now, and it did not inherit its predecessor's gauges */
	declare_all(p.m, &p);
	count(&p);
}

/* Every slot has a dead writer, whose kept gauges differ. */
static void before__all_slots_dead(void)
{
	static const char *const names[NAMES_FOR_FOLD] = { "f1", "f2", "f3" };
	struct program p;
	unsigned i;

	for (i = 0; i < NAMES_FOR_FOLD; i++) {
		declare_all(open_writer(names[i]), &p);
		count(&p);
		sm_gauge_set(p.kept, 1 << i);
		sm_close(p.m);
	}
	truth->kept = 7;
	truth->has_kept = true;
}

static void act__fold(uint32_t kill_at)
{
	struct program p;

	steps_arm(kill_at);
	p.m = open_writer("fresh");
	steps_disarm();
	declare_all(p.m, &p);
	count(&p);
}

static void act__register(uint32_t kill_at)
{
	struct program p;

	p.m = open_writer("x");
	steps_arm(kill_at);
	declare_all(p.m, &p);
	steps_disarm();
	count(&p);
}

/* The series that act__register() makes; its families stay. */
static void clean__register(void)
{
	struct program p;
	struct sm *m = open_writer("x");
	unsigned i;

	declare_all(m, &p);
	for (i = 0; i < ITEMS; i++) {
		struct sm_family *f = declare_item(m, i);

		if (i == WHOLE_A || i == WHOLE_B)
			CHECK(sm_remove(f, SM_LABELS(i == WHOLE_A ? "a" : "b"), 0) == 0);
		else if (i != FIXED)
			CHECK(sm_remove(f, SM_NO_LABELS, 0) == 0);
	}
	let_cool_off();
	memset(truth, 0, offsetof(struct truth, boot_ahead_ns));
}

static void act__register_one(uint32_t kill_at)
{
	struct sm *m = open_writer("x");
	struct sm_family *f = declare_item(m, call->item);
	struct program p;

	steps_arm(kill_at);
	resolve_item(f, call->item, &p);
	steps_disarm();
}

static struct sm_family *declare_capped(struct sm *m)
{
	return declare(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "capped_total", .labels = { "k" }, .cap = 1 });
}

static void before__family_at_its_cap(void)
{
	sm_counter(declare_capped(open_writer("x")), SM_LABELS("only"));
}

static void act__overflow(uint32_t kill_at)
{
	struct sm_family *f = declare_capped(open_writer("x"));
	struct sm_counter *c;

	steps_arm(kill_at);
	c = sm_counter(f, SM_LABELS("one more"));
	steps_disarm();
	sm_counter_add(bound(c, "overflow"), 1);
	truth->other++;
}

static void clean__overflow(void)
{
	struct sm_family *f = declare_capped(open_writer("x"));
	int rc = sm_remove(f, SM_LABELS("__other__"), 0);

	CHECK(rc == 0 || rc == -ENOENT);
	truth->other = 0;
	let_cool_off();
}

static void before__overflow_counted(void)
{
	struct sm_family *f = declare_capped(open_writer("x"));

	sm_counter(f, SM_LABELS("only"));
	sm_counter_add(bound(sm_counter(f, SM_LABELS("one more")), "overflow"), 1);
	truth->other++;
}

static void act__remove_overflow(uint32_t kill_at)
{
	struct sm_family *f = declare_capped(open_writer("x"));

	steps_arm(kill_at);
	truth->removing = REMOVING_OTHER;
	CHECK(sm_remove(f, SM_LABELS("__other__"), 0) == 0);
	steps_disarm();
	truth->removing = REMOVING_NOTHING;
	truth->other = 0;
}

/* Its unit cools off and serves another family, and is not taken for an overflow any more. */
static void clean__remove_overflow(void)
{
	struct sm *m = open_writer("y");
	struct sm_family *f;

	clean__overflow();
	f = declare_whole(m, SM_NUMBER_U64);
	bound(sm_counter(f, SM_LABELS("c")), "whole c");
	segment_check_clean();
	CHECK(sm_remove(f, SM_LABELS("c"), 0) == 0);
	let_cool_off();
}

static void act__remove(uint32_t kill_at)
{
	struct sm *m = open_writer("x");
	struct sm_family *f = declare_whole(m, SM_NUMBER_U64);
	struct program p;

	steps_arm(kill_at);
	truth->removing = REMOVING_WHOLE;
	CHECK(sm_remove(f, SM_LABELS("a"), 0) == 0);
	steps_disarm();
	truth->removing = REMOVING_NOTHING;
	truth->whole[0] = truth->fixed = 0;
	declare_all(m, &p);
	count(&p);
}

static void clean__remove(void)
{
	let_cool_off();
}

static struct sm_family *declare_changing(struct sm *m, unsigned version)
{
	static const double bounds[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	return declare(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "changing", .grid = SM_GRID_OFF, .labels = { "k" },
		.help = version ? "The longer help of the other version." : "",
		.bounds = bounds, .nbounds = version ? 8 : 5 });
}

static void before__another_definition(void)
{
	struct sm *m = open_writer("x");
	struct sm_family *f = declare_changing(m, 0);

	sm_histogram_observe(bound(sm_histogram(f, SM_LABELS("a")), "changing"), 1);
	sm_histogram_observe(bound(sm_histogram(f, SM_LABELS("b")), "changing"), 1);
}

static void act__redeclare(uint32_t kill_at)
{
	struct sm *m = open_writer("y");
	struct sm_family *f;

	steps_arm(kill_at);
	f = declare_changing(m, 1);
	bound(sm_histogram(f, SM_LABELS("a")), "changing");
	steps_disarm();
}

static void before__removed_and_dead(void)
{
	before__all_slots_dead();
	CHECK(remove_whole("g", "b", 0) == 0);	/* folds one, whose kept gauge stays */
	let_cool_off();
}

static void act__gc(uint32_t kill_at)
{
	steps_arm(kill_at);
	gc_all();
	steps_disarm();
}

static void before__cooled_off(void)
{
	sm_close(play("x"));
	CHECK(remove_whole("x", "b", 0) == 0);
	let_cool_off();
}

static void act__reuse(uint32_t kill_at)
{
	struct sm *m = open_writer("x");
	struct program p;

	/* Its unit is taken by another series of another family, which must begin at 0. */
	steps_arm(kill_at);
	bound(sm_counter(declare_capped(m), SM_LABELS("only")), "capped");
	steps_disarm();
	declare_all(m, &p);
	count(&p);
}

static void clean__reuse(void)
{
	struct sm *m = open_writer("x");
	int rc = sm_remove(declare_capped(m), SM_LABELS("only"), 0);

	CHECK(rc == 0 || rc == -ENOENT);
	let_cool_off();
}

/* A forked child takes its slot in the middle of an update, with what its parent has resolved. */
static void act__child(uint32_t kill_at)
{
	struct program p;
	uint32_t passed;
	int status;
	pid_t pid;

	declare_all(open_writer("x"), &p);
	count(&p);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		steps_arm(kill_at);
		sm_counter_add(p.whole[0], 3);
		truth->whole[0] += 3;
		passed = steps_disarm();
		count(&p);
		_exit(passed < 200 ? (int)passed : 200);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (was_killed(status))
		die_here();
	CHECK(WIFEXITED(status));
	plan.passed = (uint32_t)WEXITSTATUS(status);
}

static void *count_once(void *arg)
{
	count(arg);
	return NULL;
}

/* A heartbeat prepares a lane, since a thread had asked in vain. */
static void act__prepare(uint32_t kill_at)
{
	pthread_t thread;
	struct program p;

	declare_all(open_writer("x"), &p);
	count(&p);		/* the one prepared lane is this thread's */
	CHECK(pthread_create(&thread, NULL, count_once, &p) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	steps_arm(kill_at);
	CHECK(sm_heartbeat(p.m) == 0);
	steps_disarm();
}

static const struct scene scenes[] = {
	{ "create", before__nothing, act__create, clean__create, "x", true },
	{ "claim", before__a_dead_writer, act__claim, clean__fold_all, "fresh", false },
	{ "adopt", before__a_dead_writer, act__adopt, NULL, "x", false },
	{ "fold", before__all_slots_dead, act__fold, clean__fold_all, "fresh", false },
	{ "register", before__nothing, act__register, clean__register, "x", false },
	{ "overflow", before__family_at_its_cap, act__overflow, clean__overflow, "x", false },
	{ "remove", before__a_dead_writer, act__remove, clean__remove, "x", false },
	{ "no more", before__overflow_counted, act__remove_overflow, clean__remove_overflow, "x",
	  false },
	{ "redeclare", before__another_definition, act__redeclare, clean__remove, "y", false },
	{ "gc", before__removed_and_dead, act__gc, clean__remove, "f2", false },
	{ "one", before__nothing, act__register_one, NULL, "x", true },
	{ "reuse", before__cooled_off, act__reuse, clean__reuse, "x", false },
	{ "child", before__nothing, act__child, NULL, "x", false },
	{ "prepare", before__nothing, act__prepare, NULL, "x", false },
};

UNUSED static const struct scene *find_scene(const char *name)
{
	const struct scene *s = scenes;

	while (strcmp(s->name, name) != 0)
		s++;
	return s;
}

UNUSED static void scenes_init(const char *test)
{
	segment_init(test);
	steps_init();
	truth = shared_memory(sizeof(*truth));
	call = shared_memory(sizeof(*call));
}

/* ---- playing --------------------------------------------------------------------------------- */

static void do_prepare(void *arg)
{
	(void)arg;
	call->scene->prepare();
}

static void do_act(void *arg)
{
	(void)arg;
	call->scene->act(call->kill_at);
	call->passed = plan.passed;
}

UNUSED static void do_clean(void *arg)
{
	(void)arg;
	call->scene->clean();
}

/* Recovery and nothing else: nobody has been dead for so long. */
UNUSED static void recover_and_die(void *arg)
{
	struct sm_gc_result result;
	struct sm_diag diag;

	(void)arg;
	steps_arm(call->kill_at);
	if (sm_gc(segment_path, 1000000000, &result, &diag))
		FAIL("sm_gc(): %s", diag.message);
	call->passed = steps_disarm();
}

/* The next comer: same name, then another, both count. */
static void next_comer(void *arg)
{
	const char *name = arg;
	struct program p;

	declare_all(open_writer(name), &p);
	count(&p);
	if (strcmp(name, "f2") == 0)
		truth->has_kept = false;	/* if it was adopted, its kept gauge went */
}

static void check_next_comers(void)
{
	struct sm_header h;

	check_totals();
	run_process_fine(next_comer, (void *)(uintptr_t)call->scene->writer);
	CHECK(segment_header(&h));
	CHECK_U64(h.op, SM_OP_NONE);
	check_totals();
	run_process_fine(next_comer, (void *)(uintptr_t)"another");
	check_totals();
	segment_check_clean();
}

static void begin(const struct scene *scene)
{
	uint64_t ahead = truth->boot_ahead_ns;

	unlink(segment_path);
	memset(truth, 0, sizeof(*truth));
	truth->boot_ahead_ns = ahead;
	call->scene = scene;
	run_process_fine(do_prepare, NULL);
}

static uint32_t count_steps(const struct scene *scene)
{
	static char context[100];

	snprintf(context, sizeof(context), "[%s]", scene->name);
	check_context = context;
	begin(scene);
	call->kill_at = 0;
	run_process_fine(do_act, NULL);
	check_next_comers();
	CHECK(call->passed > 0);
	return call->passed;
}

#endif
