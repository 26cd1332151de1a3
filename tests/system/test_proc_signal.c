/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_proc_signal.c - updates in signal handlers: the first of a thread, and very many. On
 * x86-64 the plain functions are exact there; the sm_*_signal() ones are everywhere.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "proc.h"

#if defined(__x86_64__)
#define PLAIN_IS_EXACT 1
#else
#define PLAIN_IS_EXACT 0
#endif

static struct sm *m;
static struct sm_counter *plain, *atomic_only, *fixed, *as_double;
static struct sm_histogram *histogram, *atomic_histogram;
static struct sm_updown *updown, *atomic_updown;
static struct sm_gauge *gauge;
static uint64_t handled;

static void declare_all(void)
{
	m = open_writer("w");
	plain = open_counter(m, "plain_total");
	atomic_only = open_counter(m, "atomic_total");
	fixed = sm_counter(declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "fixed_total", .number = SM_NUMBER_FIXED,
		.decimals = 3 }),
		SM_NO_LABELS);
	as_double = sm_counter(declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "double_total", .number = SM_NUMBER_DOUBLE }),
		SM_NO_LABELS);
	histogram = open_histogram(m, "h");
	atomic_histogram = open_histogram(m, "atomic_h");
	updown = sm_updown(declare_family(m, &(struct sm_family_options){
		.kind = SM_UPDOWN, .name = "u" }), SM_NO_LABELS);
	atomic_updown = sm_updown(declare_family(m, &(struct sm_family_options){
		.kind = SM_UPDOWN, .name = "atomic_u" }), SM_NO_LABELS);
	gauge = open_gauge(m, "g", SM_MODE_MOSTRECENT);
}

static void update_all(void)
{
	sm_counter_add(plain, 1);
	sm_counter_add_double(fixed, .001);
	sm_counter_add_double(as_double, 1);
	sm_histogram_observe(histogram, .25);
	sm_updown_add(updown, 1);
	sm_counter_add_signal(atomic_only, 1);
	sm_histogram_observe_signal(atomic_histogram, .25);
	sm_updown_add_signal(atomic_updown, 1);
	sm_gauge_set(gauge, 4);
}

/* gone: those that counted are, and their gauges with them. */
static void check_totals(uint64_t n, bool gone)
{
	const struct sm_snapshot *s = snapshot_of(test_path);
	const struct sm_series_info *series = find_series(s, "double_total", NULL);
	struct sm_value v;

	CHECK_U64(count_in(s, "atomic_total", SM_ALL_WRITERS), n);
	CHECK_U64(count_in(s, "atomic_h", SM_ALL_WRITERS), n);
	CHECK_U64(count_in(s, "atomic_u", SM_ALL_WRITERS), gone ? 0 : n);
	CHECK(sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0 && v.value == (double)n);
	if (PLAIN_IS_EXACT) {
		CHECK_U64(count_in(s, "plain_total", SM_ALL_WRITERS), n);
		CHECK_U64(count_in(s, "fixed_total", SM_ALL_WRITERS), n);
		CHECK_U64(count_in(s, "h", SM_ALL_WRITERS), n);
		CHECK_U64(count_in(s, "u", SM_ALL_WRITERS), gone ? 0 : n);
	}
	CHECK(sm_snapshot_number(s, find_series(s, "g", NULL), SM_ALL_WRITERS, &v) == 0);
	CHECK(gone ? !v.is_set : v.is_set && v.value == 4);
	sm_snapshot_free(s);
}

static void on_signal(int sig)
{
	int saved = errno;

	(void)sig;
	update_all();
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
	errno = saved;
}

static void catch(int sig)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	CHECK(sigaction(sig, &action, NULL) == 0);
}

/* ---- the first update of a thread ---------------------------------------------------------- */

static uint32_t ready;

static void *wait_for_signals(void *arg)
{
	uint64_t *n = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	__atomic_fetch_add(&ready, 1, __ATOMIC_RELAXED);
	/* The handler runs before anything of ours in this thread. */
	while (!__atomic_load_n(n, __ATOMIC_RELAXED))
		pause_ms(1);
	update_all();
	return NULL;
}

#define FIRSTS 12

static void first_update__of_a_thread_in_a_handler__counts(void)
{
	pthread_t thread[FIRSTS];
	uint64_t go = 0;
	unsigned i;

	declare_all();
	catch(SIGUSR1);
	for (i = 0; i < FIRSTS; i++)
		CHECK(pthread_create(&thread[i], NULL, wait_for_signals, &go) == 0);
	WAIT_FOR(__atomic_load_n(&ready, __ATOMIC_RELAXED) == FIRSTS);
	for (i = 0; i < FIRSTS; i++)
		CHECK(pthread_kill(thread[i], SIGUSR1) == 0);
	WAIT_FOR(__atomic_load_n(&handled, __ATOMIC_RELAXED) == FIRSTS);
	check_totals(FIRSTS, false);
	__atomic_store_n(&go, 1, __ATOMIC_RELAXED);
	for (i = 0; i < FIRSTS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	check_totals(2 * FIRSTS, false);
}

/* ---- many ---------------------------------------------------------------------------------- */

static timer_t start_timer(int sig, long every_ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig };
	struct itimerspec spec = { { 0, every_ns }, { 0, every_ns } };
	timer_t timer;

	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &spec, NULL) == 0);
	return timer;
}

static void handlers__at_a_high_rate__lose_nothing(void)
{
	struct itimerval profile = { { 0, 1000 }, { 0, 1000 } }, none = { { 0, 0 }, { 0, 0 } };
	uint64_t n = 0;
	timer_t timer;

	declare_all();
	catch(SIGALRM);
	catch(SIGPROF);
	timer = start_timer(SIGALRM, 20000);
	CHECK(setitimer(ITIMER_PROF, &profile, NULL) == 0);
	while (__atomic_load_n(&handled, __ATOMIC_RELAXED) < 20000) {
		update_all();
		n++;
	}
	CHECK(timer_delete(timer) == 0 && setitimer(ITIMER_PROF, &none, NULL) == 0);
	check_totals(n + handled, false);
	printf("%llu updates of each kind, %llu in handlers\n", (unsigned long long)n + handled,
	       (unsigned long long)handled);
}

/* Threads that begin and end while signals fall into their first updates; more than there are
 * lanes. */
static void *short_life(void *arg)
{
	unsigned i;

	(void)arg;
	for (i = 0; i < 50; i++)
		update_all();
	return NULL;
}

static void handlers__in_short_threads__lose_nothing(void)
{
	pthread_t thread[5];
	uint64_t n = 0;
	timer_t timer;
	unsigned i;

	declare_all();
	catch(SIGALRM);
	timer = start_timer(SIGALRM, 20000);
	while (__atomic_load_n(&handled, __ATOMIC_RELAXED) < 5000) {
		for (i = 0; i < 5; i++)
			CHECK(pthread_create(&thread[i], NULL, short_life, NULL) == 0);
		for (i = 0; i < 5; i++)
			CHECK(pthread_join(thread[i], NULL) == 0);
		n += 5 * 50;
	}
	CHECK(timer_delete(timer) == 0);
	check_totals(n + handled, false);
	CHECK_U64(refusals(test_path, "lost_update"), 0);
}

/* Handlers that fall into declaring, resolving, beating: the library's mutex is theirs' owner's. */
static void handlers__that_interrupt_a_resolve__never_wait(void)
{
	struct sm_family *f;
	uint64_t n = 0;
	timer_t timer;
	char text[24];

	declare_all();
	f = declare_family(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "l_total", .labels = { "l" }, .cap = 3000 });
	catch(SIGALRM);
	timer = start_timer(SIGALRM, 30000);
	while (__atomic_load_n(&handled, __ATOMIC_RELAXED) < 5000) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)(n % 2500));
		sm_counter_add(sm_counter(f, SM_LABELS(text)), 1);
		if (n++ % 50 == 0)
			CHECK(sm_heartbeat(m) == 0);
	}
	CHECK(timer_delete(timer) == 0);
	check_totals(handled, false);
	CHECK_U64(count_of(test_path, "l_total"), n);
	check_sane(test_path);
}

/* A forked child whose first update, and whose claim of a slot, is interrupted by updates. */
static void handlers__in_a_forked_child__lose_nothing(void)
{
	unsigned i, k;
	uint64_t *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	timer_t timer;
	pid_t pid;

	CHECK(shared != MAP_FAILED);
	declare_all();
	catch(SIGALRM);
	for (i = 0; i < 40; i++) {
		pid = fork();
		if (pid == 0) {
			timer = start_timer(SIGALRM, 15000);
			for (k = 0; k < 20 || handled < 20; k++)
				update_all();
			CHECK(timer_delete(timer) == 0);
			shared[0] += k + handled;
			_exit(0);
		}
		wait_ok(pid);
	}
	check_totals(shared[0], true);
	CHECK_U64(refusals(test_path, "lost_update"), 0);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(first_update__of_a_thread_in_a_handler__counts),
	TEST_CASE(handlers__at_a_high_rate__lose_nothing),
	TEST_CASE(handlers__in_short_threads__lose_nothing),
	TEST_CASE(handlers__that_interrupt_a_resolve__never_wait),
	TEST_CASE(handlers__in_a_forked_child__lose_nothing),
};

TEST_MAIN(cases)
