/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kills.h - writers that are killed all the time, and an account of what must have been counted.
 *
 * A few seats, each with a writer that is killed and started again, under its old name or a new
 * one. The segment has hardly more slots than seats, so that each start is a claim, an adoption or
 * a fold. A writer has up to four threads, and now and then forks a child that counts as well. How
 * they die:
 *
 *	AIMED	by its own hand, at a random step of becoming a writer
 *	EARLY	by a SIGKILL within 2 ms after the fork, so mostly while it becomes one
 *	LATE	by a SIGKILL uniformly 0 to 20 ms after its first update
 *
 * The account. Each thread acknowledges each batch of its updates through a pipe, and announces the
 * next one. It also keeps an odometer in memory that it shares with the manager: `begun` before
 * each update, `done` after it. So of a thread that was killed at most one update is in doubt, and
 * none if it was killed elsewhere. Totals must lie between what was done and what was begun. When
 * all are dead this is looked at, and what was found becomes the new base, so that doubts do not
 * add up and hide a loss.
 *
 * A reader polls all the while and compares each snapshot with the one before.
 */
#ifndef CRASH_KILLS_H
#define CRASH_KILLS_H

#include <pthread.h>

#include "counting.h"

#define SEATS		6
#define WRITER_SLOTS	(SEATS + 4)	/* one of them is the common writer's */
#define THREADS		4

/* ---- seats ----------------------------------------------------------------------------------- */

struct odometer {
	uint64_t begun, done;
	uint64_t acknowledged, announced;	/* as told by the pipe; the manager's own */
	uint64_t reserved[4];
};

/* Shared by manager and writer. [1] is for the child that it may fork. */
struct seat {
	struct odometer odometer[2][THREADS];
	pid_t pid, child;
	uint32_t counting;		/* the first update was made */
	uint32_t life;
};

enum death { AIMED, EARLY, LATE, DEATHS };

/* How one life goes. */
struct life {
	char name[40];
	enum death death;
	uint32_t step;			/* AIMED: at which it dies */
	unsigned threads;
	bool full_rate;
	bool forks;
	uint32_t child_step;		/* != 0: the child dies at that step of becoming a writer */
};

/* What a thread writes to the pipe. */
struct message {
	uint32_t life;
	uint16_t process;		/* 0, or 1: the forked child */
	uint16_t thread;
	uint64_t done, announced;
};

struct crew {
	struct program program;
	struct seat *seat;
	const struct life *life;
	int pipe;
	unsigned process;
	unsigned next_thread;
};

static void tell_manager(const struct crew *crew, unsigned thread, uint64_t done,
			 uint64_t announced)
{
	struct message m = {
		.life = crew->seat->life, .process = (uint16_t)crew->process,
		.thread = (uint16_t)thread, .done = done, .announced = announced,
	};

	CHECK(write(crew->pipe, &m, sizeof(m)) == sizeof(m));
}

/* Count until death. */
static __attribute__((noreturn)) void count_for_ever(struct crew *crew, unsigned thread)
{
	struct odometer *o = &crew->seat->odometer[crew->process][thread];
	const uint64_t batch = crew->life->full_rate ? 4096 : 64;
	struct timespec pause = { 0, 30000 };
	uint64_t i;

	for (i = 0;; i++) {
		if (i % batch == 0) {
			tell_manager(crew, thread, i, i + batch);
			/* Most of those that take their time die outside of an update. */
			if (!crew->life->full_rate && i)
				nanosleep(&pause, NULL);
		}
		store_relaxed(&o->begun, i + 1);
		fence_release();		/* whoever sees the update sees that it was begun */
		program_count(&crew->program, i);
		store_release(&o->done, i + 1);
		if (i == 0 && thread == 0 && crew->process == 0)
			store_release(&crew->seat->counting, 1);
	}
}

static void *thread_main(void *arg)
{
	struct crew *crew = arg;

	count_for_ever(crew, __atomic_fetch_add(&crew->next_thread, 1, __ATOMIC_RELAXED));
}

/* A child dies with its maker, whenever that is. */
static void die_with(pid_t maker)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != maker)
		_exit(0);
}

static void fork_child(struct crew *crew)
{
	pid_t self = getpid(), pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return;
	die_with(self);
	store_release(&crew->seat->child, getpid());
	crew->process = 1;
	if (crew->life->child_step)
		steps_arm(crew->life->child_step);
	count_for_ever(crew, 0);
}

#define EXIT_NO_SLOT 3

static __attribute__((noreturn)) void live(struct seat *seat, const struct life *life, int pipe,
					   pid_t manager)
{
	struct crew crew = { .seat = seat, .life = life, .pipe = pipe, .next_thread = 1 };
	pthread_attr_t attr;
	pthread_t thread;
	struct sm_diag diag;
	unsigned i;
	int rc;

	die_with(manager);
	if (life->death == AIMED)
		steps_arm(life->step);
	rc = program_open(&crew.program, life->name, WRITER_SLOTS, &diag);
	if (rc == -ENOSPC)
		_exit(EXIT_NO_SLOT);	/* all are alive, with their children */
	if (rc)
		FAIL("sm_open(%s): %s", life->name, diag.message);
	steps_disarm();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (i = 1; i < life->threads; i++)
		CHECK(pthread_create(&thread, &attr, thread_main, &crew) == 0);
	if (life->forks)
		fork_child(&crew);
	count_for_ever(&crew, 0);
}

/* ---- the manager ----------------------------------------------------------------------------- */

struct place {
	struct seat *seat;		/* shared */
	struct life life;
	int pipe[2];
	bool taken;
	uint64_t kill_at_ns;		/* 0: when it counts, `delay_ns` later */
	uint64_t delay_ns;
};

struct manager {
	struct place place[SEATS];
	struct reading *reading;
	pid_t reader_pid, self;
	struct sm_reader *reader;
	struct totals base;		/* found when all were dead */
	struct totals done, begun;	/* since then, by the dead */
	struct totals acknowledged, announced;	/* the same, by the pipes alone */
	uint64_t kills, by_death[DEATHS], children, turned_away, updates, jobs, checks, rests;
	uint64_t slack, pipe_slack;	/* hits in doubt, added up over all rests */
};

static void drain(struct place *p)
{
	struct message m[256];
	struct odometer *o;
	ssize_t n;
	size_t i;

	while ((n = read(p->pipe[0], m, sizeof(m))) > 0) {
		CHECK(n % (ssize_t)sizeof(m[0]) == 0);
		for (i = 0; i < (size_t)n / sizeof(m[0]); i++) {
			CHECK(m[i].life == p->seat->life);
			CHECK(m[i].process < 2 && m[i].thread < THREADS);
			o = &p->seat->odometer[m[i].process][m[i].thread];
			o->acknowledged = m[i].done;
			o->announced = m[i].announced;
		}
	}
}

static void start(struct manager *mg, struct place *p)
{
	struct seat *seat = p->seat;
	struct life *l = &p->life;
	unsigned seat_number = (unsigned)(p - mg->place), dice = random_below(100);
	pid_t pid;

	memset(l, 0, sizeof(*l));
	if (random_below(100) < 65)
		snprintf(l->name, sizeof(l->name), "shard-%u", seat_number);
	else
		snprintf(l->name, sizeof(l->name), "job-%llu", LLU(++mg->jobs));
	l->death = dice < 45 ? AIMED : dice < 54 ? EARLY : LATE;
	l->step = 1 + random_below(l->name[0] == 's' ? 11 : 24);
	l->threads = 1 + random_below(THREADS);
	l->full_rate = random_below(100) < 40;
	l->forks = random_below(100) < 15;
	l->child_step = random_below(2) ? 1 + random_below(24) : 0;
	memset(seat->odometer, 0, sizeof(seat->odometer));
	seat->child = 0;
	seat->counting = 0;
	seat->life++;
	p->kill_at_ns = l->death == EARLY ? now_ns() + random_below(2000000) : 0;
	p->delay_ns = random_below(20000000);
	random_u64();
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		random_seed(random_u64() + seat_number);
		live(seat, l, p->pipe[1], mg->self);
	}
	seat->pid = pid;
	p->taken = true;
}

/* The life in this place is over: what has it counted? */
static void settle(struct manager *mg, struct place *p)
{
	const struct odometer *o;
	unsigned process, t;

	drain(p);
	for (process = 0; process < 2; process++) {
		for (t = 0; t < THREADS; t++) {
			o = &p->seat->odometer[process][t];
			CHECK(o->acknowledged <= o->done && o->begun <= o->announced);
			CHECK(o->done <= o->begun && o->begun <= o->done + 1);
			add_updates(&mg->done, o->done);
			add_updates(&mg->begun, o->begun);
			add_updates(&mg->acknowledged, o->acknowledged);
			add_updates(&mg->announced, o->announced);
			mg->updates += o->done;
		}
	}
	p->taken = false;
}

static void bury(struct manager *mg, struct place *p, int status)
{
	pid_t child;
	int child_status;

	if (was_killed(status)) {
		mg->kills++;
		mg->by_death[p->life.death]++;
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_SLOT) {
		mg->turned_away++;
	} else {
		FAIL("a writer ended with status 0x%x", status);
	}
	child = load_acquire(&p->seat->child);
	if (child) {
		CHECK(waitpid(child, &child_status, 0) == child && was_killed(child_status));
		mg->kills++;
		mg->children++;
	}
	settle(mg, p);
}

static void kill_place(struct manager *mg, struct place *p)
{
	int status;

	kill(p->seat->pid, SIGKILL);
	CHECK(waitpid(p->seat->pid, &status, 0) == p->seat->pid);
	bury(mg, p, status);
}

/* One look at a seat. */
static void attend(struct manager *mg, struct place *p)
{
	uint64_t now = now_ns();
	int status;

	drain(p);
	if (waitpid(p->seat->pid, &status, WNOHANG) == p->seat->pid) {
		bury(mg, p, status);
		return;
	}
	if (!p->kill_at_ns && load_acquire(&p->seat->counting))
		p->kill_at_ns = now + p->delay_ns;
	if (p->kill_at_ns && now >= p->kill_at_ns)
		kill_place(mg, p);
}

/* ---- looking at the totals ------------------------------------------------------------------- */

static void add_totals(struct totals *to, const struct totals *t)
{
	unsigned i;

	for (i = 0; i < NUMBERS; i++)
		to->n[i] += t->n[i];
}

/* What the living have done, or begun, up to now. */
static void add_living(const struct manager *mg, struct totals *to, bool begun)
{
	unsigned i, process, t;
	const struct odometer *o;

	for (i = 0; i < SEATS; i++) {
		for (process = 0; mg->place[i].taken && process < 2; process++) {
			for (t = 0; t < THREADS; t++) {
				o = &mg->place[i].seat->odometer[process][t];
				add_updates(to, load_acquire(begun ? &o->begun : &o->done));
			}
		}
	}
}

static bool take_totals(struct manager *mg, struct totals *ret)
{
	const struct sm_snapshot *s;
	struct sm_diag diag;
	int rc = sm_snapshot_take(mg->reader, 0, &s, &diag);
	bool fresh;

	if (rc == -EAGAIN)
		return false;
	if (rc)
		FAIL("sm_snapshot_take(): %d %s", rc, diag.message);
	fresh = !s->stale;
	*ret = read_totals(s);
	sm_snapshot_free(s);
	return fresh;
}

static void check_between(const struct totals *least, const struct totals *have,
			  const struct totals *most, const char *when)
{
	unsigned i;

	for (i = 0; i < NUMBERS; i++)
		if (have->n[i] < least->n[i] || have->n[i] > most->n[i])
			FAIL("%s: %s is %llu, not between %llu and %llu", when, number_names[i],
			     LLU(have->n[i]), LLU(least->n[i]),
			     LLU(most->n[i]));
}

/* While they all run. */
static void check_running(struct manager *mg)
{
	struct totals least = mg->base, most = mg->base, have;

	add_totals(&least, &mg->done);
	add_living(mg, &least, false);
	if (!take_totals(mg, &have))
		return;
	fence_acquire();
	add_totals(&most, &mg->begun);
	add_living(mg, &most, true);
	check_between(&least, &have, &most, "while all run");
	mg->checks++;
}

static void recover_now(bool fold)
{
	struct sm_gc_result result;
	struct sm_diag diag;

	/* An age that nobody has: recovery only. */
	if (sm_gc(segment_path, fold ? 0 : 1000000000, &result, &diag))
		FAIL("sm_gc(): %s", diag.message);
}

/* Kill all, and look. */
static void rest(struct manager *mg)
{
	struct totals least = mg->base, most = mg->base, have;
	struct totals pipe_least = mg->base, pipe_most = mg->base;
	struct sm_header h;
	unsigned i;

	for (i = 0; i < SEATS; i++)
		if (mg->place[i].taken)
			kill_place(mg, &mg->place[i]);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;		/* children that were killed before they were anybody */
	add_totals(&least, &mg->done);
	add_totals(&most, &mg->begun);
	add_totals(&pipe_least, &mg->acknowledged);
	add_totals(&pipe_most, &mg->announced);
	CHECK(take_totals(mg, &have));
	check_between(&pipe_least, &have, &pipe_most, "all are dead, by the pipes");
	check_between(&least, &have, &most, "all are dead");
	recover_now(mg->rests % 2);
	CHECK(segment_header(&h));
	CHECK_U64(h.op, SM_OP_NONE);
	CHECK(take_totals(mg, &have));
	check_between(&least, &have, &most, "all are dead, recovered");
	segment_check_clean();
	mg->slack += most.n[HITS] - least.n[HITS];
	mg->pipe_slack += pipe_most.n[HITS] - pipe_least.n[HITS];
	mg->base = have;
	memset(&mg->done, 0, sizeof(mg->done));
	memset(&mg->begun, 0, sizeof(mg->begun));
	memset(&mg->acknowledged, 0, sizeof(mg->acknowledged));
	memset(&mg->announced, 0, sizeof(mg->announced));
	mg->rests++;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void make_segment(void *arg)
{
	struct program p;
	struct sm_diag diag;

	(void)arg;
	if (program_open(&p, "maker", WRITER_SLOTS, &diag))
		FAIL("sm_open(): %s", diag.message);
}

static void read_in_child(struct manager *mg)
{
	mg->reader_pid = fork();
	CHECK(mg->reader_pid >= 0);
	if (mg->reader_pid)
		return;
	die_with(mg->self);
	poll_for_ever(mg->reading);
	_exit(0);
}

static void set_up(struct manager *mg)
{
	struct seat *seats = shared_memory(SEATS * sizeof(*seats));
	struct sm_diag diag;
	unsigned i;

	memset(mg, 0, sizeof(*mg));
	mg->self = getpid();
	mg->reading = shared_memory(sizeof(*mg->reading));
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	for (i = 0; i < SEATS; i++) {
		mg->place[i].seat = &seats[i];
		CHECK(pipe2(mg->place[i].pipe, O_CLOEXEC) == 0);
		CHECK(fcntl(mg->place[i].pipe[0], F_SETFL, O_NONBLOCK) == 0);
	}
	run_process_fine(make_segment, NULL);
	if (sm_reader_open(segment_path, &mg->reader, &diag))
		FAIL("sm_reader_open(): %s", diag.message);
	read_in_child(mg);
}

static void finish_reading(struct manager *mg)
{
	int status;

	store_relaxed(&mg->reading->stop, 1);
	CHECK(waitpid(mg->reader_pid, &status, 0) == mg->reader_pid);
	if (!was_fine(status))
		FAIL("the reader ended with status 0x%x", status);
}

static double seconds_since(uint64_t begin_ns)
{
	return (double)(now_ns() - begin_ns) / 1e9;
}

static void summarise(const struct manager *mg, double seconds)
{
	struct sm_header h;
	uint64_t inside, recovered = 0;
	unsigned i;

	CHECK(segment_header(&h));
	for (i = 0; i < SM_OP_COUNT; i++)
		recovered += h.recovered[i];
	inside = h.recovered[SM_OP_CLAIM] + h.recovered[SM_OP_ADOPT] + h.recovered[SM_OP_FOLD];
	printf("%llu kills (%llu aimed, %llu early, %llu late; %llu of them forked children)\n",
	       LLU(mg->kills), LLU(mg->by_death[AIMED]), LLU(mg->by_death[EARLY]),
	       LLU(mg->by_death[LATE]), LLU(mg->children));
	printf("in %.1f s, %.2f ms each\n", seconds, seconds * 1e3 / (double)mg->kills);
	printf("%llu deaths in an operation: claim %llu, adopt %llu, fold %llu, register %llu\n",
	       LLU(recovered), LLU(h.recovered[SM_OP_CLAIM]), LLU(h.recovered[SM_OP_ADOPT]),
	       LLU(h.recovered[SM_OP_FOLD]), LLU(h.recovered[SM_OP_REGISTER]));
	printf("claim, adopt and fold: %llu, %.1f %% of the kills\n", LLU(inside),
	       100.0 * (double)inside / (double)mg->kills);
	printf("%llu claims, %llu adoptions, %llu folds, %llu turned away\n", LLU(h.claims),
	       LLU(h.adoptions), LLU(h.folds), LLU(mg->turned_away));
	printf("%llu updates, all there; hits in doubt %llu, by the pipes alone %llu\n",
	       LLU(mg->updates), LLU(mg->slack), LLU(mg->pipe_slack));
	printf("%llu checks while running, %llu at rest\n", LLU(mg->checks), LLU(mg->rests));
	printf("%llu snapshots, no step back; %llu retries, %llu stale, %llu times none\n",
	       LLU(mg->reading->snapshots), LLU(mg->reading->retries), LLU(mg->reading->stale),
	       LLU(mg->reading->again));
	fflush(stdout);
	/* The point of it all: enough of them died where it hurts. */
	CHECK(inside * 5 >= mg->kills);
	CHECK(h.folds * 20 >= mg->kills);
	CHECK(mg->reading->snapshots > mg->kills / 20);
}

/* Kill so many writers. Fails, or prints what happened. */
static void run_kills(uint64_t kills, unsigned between_rests)
{
	static struct manager mg;
	struct timespec pause = { 0, 200000 };
	uint64_t begin = now_ns(), next_line = begin, next_rest = between_rests, next_check = 0;
	uint64_t blocks = 0;
	const char *seed = getenv("SEED");
	unsigned i;
	int status;

	random_seed(seed ? strtoull(seed, NULL, 0) : begin);
	printf("SEED=%llu\n", seed ? strtoull(seed, NULL, 0) : LLU(begin));
	set_up(&mg);
	while (mg.kills < kills) {
		for (i = 0; i < SEATS; i++) {
			if (!mg.place[i].taken)
				start(&mg, &mg.place[i]);
			attend(&mg, &mg.place[i]);
		}
		if (mg.kills >= next_check) {
			check_running(&mg);
			next_check = mg.kills + 5;
		}
		if (mg.kills >= next_rest) {
			rest(&mg);
			next_rest = mg.kills + between_rests;
			/* All there is to allocate has been by then. */
			if (!blocks && mg.rests == 10)
				blocks = segment_blocks();
			CHECK(!blocks || segment_blocks() <= blocks + 64 * 8);
		}
		if (now_ns() >= next_line) {
			if (next_line != begin)
				printf("  %llu kills, %.0f s\n", LLU(mg.kills),
				       seconds_since(begin));
			fflush(stdout);
			next_line += UINT64_C(10000000000);
		}
		if (waitpid(mg.reader_pid, &status, WNOHANG) == mg.reader_pid)
			FAIL("the reader ended with status 0x%x", status);
		nanosleep(&pause, NULL);
	}
	rest(&mg);
	finish_reading(&mg);
	sm_reader_close(mg.reader);
	summarise(&mg, seconds_since(begin));
}

#endif
