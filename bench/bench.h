/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h - what the benchmark programs share; C and C++.
 *
 * A program has cases, functions that do one thing n times. Each is first run until a run takes
 * SAMPLE_NS, which warms up, too; then all of them in turn, so that what disturbs the machine
 * disturbs all alike. Times are CPU time of the thread: waiting for the processor does not
 * count. The thread is pinned and, where that is permitted, SCHED_FIFO.
 *
 * A program ends by printing one line: {"case": [samples in ns per operation], ...}. bench/run
 * starts the programs, several times in turn, and makes medians and ratios of the samples.
 *
 * Environment: BENCH_DIR, where segments go; BENCH_REPETITIONS.
 */
#ifndef BENCH_H
#define BENCH_H

#include <sched.h>
#include <shardmeter.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_NS 4000000
#define RESULTS_MAX 64
#define SAMPLES_MAX 256

/* A case starts on a cache line of its own: less luck with alignment. */
#define BENCH_CASE __attribute__((noinline, aligned(64)))

struct bench_case {
	const char *name;
	void (*run)(uint64_t n);
};

static struct {
	const char *name;
	unsigned n;
	double sample[SAMPLES_MAX];
} bench_result[RESULTS_MAX];

static inline void bench_fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(2);
}

static inline double bench_clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline double bench_cpu_ns(void)
{
	return bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline unsigned bench_repetitions(void)
{
	const char *text = getenv("BENCH_REPETITIONS");
	int n = text ? atoi(text) : 11;

	return n < 1 ? 1 : n > SAMPLES_MAX ? SAMPLES_MAX : (unsigned)n;
}

/* Pin the thread to the nth processor from the last that the program may use; false if there are
 * not as many. */
static inline int bench_pin(unsigned nth)
{
	static cpu_set_t all;
	static int asked;
	struct sched_param real_time;
	cpu_set_t one;
	int cpu;

	if (!asked && sched_getaffinity(0, sizeof(all), &all) != 0)
		return 0;
	asked = 1;
	for (cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
		if (CPU_ISSET(cpu, &all) && nth-- == 0)
			break;
	if (cpu < 0)
		return 0;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	memset(&real_time, 0, sizeof(real_time));
	real_time.sched_priority = 1;
	sched_setscheduler(0, SCHED_FIFO, &real_time);	/* not for everyone: then we do without */
	return sched_setaffinity(0, sizeof(one), &one) == 0;
}

static inline void bench_record(const char *name, double sample)
{
	unsigned i = 0;

	while (i < RESULTS_MAX && bench_result[i].name && strcmp(bench_result[i].name, name) != 0)
		i++;
	if (i == RESULTS_MAX || bench_result[i].n == SAMPLES_MAX)
		bench_fail("too many results");
	bench_result[i].name = name;
	bench_result[i].sample[bench_result[i].n++] = sample;
}

static inline void bench_print(void)
{
	unsigned i, k;

	for (i = 0; i < RESULTS_MAX && bench_result[i].name; i++) {
		printf("%s\"%s\": [", i ? ", " : "{", bench_result[i].name);
		for (k = 0; k < bench_result[i].n; k++)
			printf("%s%.4f", k ? ", " : "", bench_result[i].sample[k]);
		printf("]");
	}
	printf("}\n");
}

static inline double bench_once(const struct bench_case *c, uint64_t n)
{
	double start = bench_cpu_ns();

	c->run(n);
	return bench_cpu_ns() - start;
}

#define BENCH_CASES_MAX 40

static inline void bench_run(const struct bench_case *cases, unsigned ncases)
{
	uint64_t n[BENCH_CASES_MAX];
	unsigned i, r;

	if (ncases > BENCH_CASES_MAX)
		bench_fail("too many cases");
	for (i = 0; i < ncases; i++)
		for (n[i] = 16; bench_once(&cases[i], n[i]) < SAMPLE_NS; )
			n[i] *= 2;
	for (r = 0; r < bench_repetitions(); r++)
		for (i = 0; i < ncases; i++)
			bench_record(cases[i].name, bench_once(&cases[i], n[i]) / (double)n[i]);
}

/* ---- segments ----------------------------------------------------------------------------- */

static inline const char *bench_segment(void)
{
	static char path[512];
	const char *dir = getenv("BENCH_DIR");

	if (!path[0])
		snprintf(path, sizeof(path), "%s/shardmeter-bench-%d", dir ? dir : "/dev/shm",
			 (int)getpid());
	return path;
}

static inline struct sm *bench_open(const char *writer, unsigned flags)
{
	struct sm_options o;
	struct sm_diag diag;
	struct sm *m;

	memset(&o, 0, sizeof(o));
	o.segment = bench_segment();
	o.writer = writer;
	o.flags = flags | SM_OPEN_NO_ENVIRONMENT;
	m = sm_open(&o, &diag);
	if (diag.error)
		bench_fail(diag.message);
	return m;
}

static inline struct sm_family *bench_declare(struct sm *m, const struct sm_family_options *o)
{
	struct sm_diag diag;
	struct sm_family *f = sm_declare(m, o, &diag);

	if (diag.error)
		bench_fail(diag.message);
	return f;
}

/* ---- what is measured with ---------------------------------------------------------------- */

static inline uint64_t bench_random(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Nine bounds, and durations from 30 us to 16 s, equally many in each doubling: nothing that a
 * branch predictor could learn. */
#define BENCH_BOUNDS 9
#define BENCH_VALUES 65536
static const double bench_bounds[BENCH_BOUNDS] = { .001, .005, .01, .05, .1, .5, 1, 5, 10 };
static double bench_seconds[BENCH_VALUES];
static uint64_t bench_ns[BENCH_VALUES];

static inline void bench_make_values(void)
{
	unsigned i;

	for (i = 0; i < BENCH_VALUES; i++) {
		bench_ns[i] = (30000 + bench_random() % 30000) << bench_random() % 19;
		bench_seconds[i] = (double)bench_ns[i] / 1e9;
	}
}

/* Two labels with 50 and 20 values of mixed lengths: 1,000 series. */
#define BENCH_COMMANDS 50
#define BENCH_STATUSES 20
static const char *const bench_commands[BENCH_COMMANDS] = {
	"play", "skip", "stop", "queue", "nowplaying", "leaderboard", "ban", "kick", "mute",
	"unmute", "purge", "rank", "help", "ping", "stats", "lyrics", "volume", "shuffle", "loop",
	"daily", "trivia", "remind", "translate", "weather", "roll", "8ball", "poll", "giveaway",
	"ticket", "userinfo", "serverinfo", "avatar", "warn", "warnings", "slowmode", "autorole",
	"welcome", "starboard", "reactionrole", "levels", "balance", "deposit", "withdraw",
	"inventory", "shop", "afk", "suggest", "birthday", "reload", "moderationlog",
};
static const char *const bench_statuses[BENCH_STATUSES] = {
	"ok", "error", "cooldown", "denied", "timeout", "not_found", "rate_limited",
	"invalid_args", "cancelled", "retried", "cached", "queued", "dropped", "partial",
	"no_permission", "blocked", "expired", "conflict", "unavailable", "aborted",
};

/* 65,536 picks of pairs; the first 4,096 of them are an order that predictors partly learn. */
#define BENCH_PICKS 65536
#define BENCH_PICKS_FEW 4096
static struct sm_str bench_pick[BENCH_PICKS][2];

static inline struct sm_str bench_str(const char *text)
{
	struct sm_str s = { text, strlen(text) };

	return s;
}

static inline void bench_make_picks(void)
{
	unsigned i;

	for (i = 0; i < BENCH_PICKS; i++) {
		bench_pick[i][0] = bench_str(bench_commands[bench_random() % BENCH_COMMANDS]);
		bench_pick[i][1] = bench_str(bench_statuses[bench_random() % BENCH_STATUSES]);
	}
}

#endif
