/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smoke.c - the library in a small program, for other C libraries and processors: open, count in
 * every type, from two threads, a handler and a child; read it back. Exit code 0 if all of it is
 * right.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shardmeter.h>
#include <shardmeter_reader.h>

#define EXPECT(cond) do { \
		if (!(cond)) { \
			fprintf(stderr, "smoke.c:%d: not so: %s\n", __LINE__, #cond); \
			failed = 1; \
		} \
	} while (0)

static int failed;
static struct sm_counter *counter;

static void *count_1000(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 1000; i++)
		sm_counter_add(counter, 1);
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
	sm_counter_add_signal(counter, 1);
}

static struct sm_family *declare(
	struct sm *m, enum sm_kind kind, const char *name, const char *label)
{
	static const char *const states[] = { "idle", "playing", "paused" };
	struct sm_diag diag;
	struct sm_family *f = sm_declare(m,
		&(struct sm_family_options){ .kind = kind,
			.name = name,
			.unit = kind == SM_HISTOGRAM ? SM_SECONDS : NULL,
			.labels = { label },
			.states = kind == SM_STATESET ? states : NULL,
			.nstates = kind == SM_STATESET ? 3 : 0 },
		&diag);

	if (diag.error)
		fprintf(stderr, "%s\n", diag.message);
	EXPECT(!diag.error);
	return f;
}

static void write_all(struct sm *m)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sm_flow flow;
	struct sm_timer timer;
	struct sm_histogram *h = sm_histogram(declare(m, SM_HISTOGRAM, "h", NULL), SM_NO_LABELS);
	pthread_t thread;
	int status = 1;
	pid_t pid;

	counter = sm_counter(declare(m, SM_COUNTER, "c_total", "l"), SM_LABELS("x"));
	sm_counter_add(counter, 1);
	EXPECT(pthread_create(&thread, NULL, count_1000, NULL) == 0 &&
		pthread_join(thread, NULL) == 0);
	EXPECT(sigaction(SIGUSR1, &action, NULL) == 0 && raise(SIGUSR1) == 0);
	pid = fork();
	if (pid == 0) {
		sm_counter_add(counter, 10);
		_exit(0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	sm_gauge_set(sm_gauge(declare(m, SM_GAUGE, "g", NULL), SM_NO_LABELS), -2.5);
	sm_updown_add(sm_updown(declare(m, SM_UPDOWN, "u", NULL), SM_NO_LABELS), -3);
	sm_histogram_observe(h, .25);
	sm_histogram_observe_ns(h, 2500000);
	sm_timer_start(&timer, h);
	sm_timer_stop(&timer);
	EXPECT(sm_info_set(declare(m, SM_INFO, "build_info", "version"), SM_LABELS("1.0")) == 0);
	sm_stateset_set(sm_stateset(declare(m, SM_STATESET, "player", NULL), SM_NO_LABELS), 1);
	sm_flow_start(&flow, sm_flow_declare(m, &(struct sm_flow_options){ .name = "job" }, NULL),
		SM_NO_LABELS, NULL);
	sm_flow_checkpoint(&flow, "one");
	sm_flow_end(&flow, "success");
	EXPECT(sm_health_set(m, "database", SM_HEALTH_DEGRADED, 1) == 0);
	EXPECT(sm_heartbeat(m) == 0);
}

static void print_finding(void *ctx, const char *finding)
{
	(void)ctx;
	fprintf(stderr, "%s\n", finding);
}

static double number(const struct sm_snapshot *s, const char *name, uint64_t *ret_count)
{
	uint64_t counts[64];
	struct sm_value v = { 0 };
	struct sm_sum sum;
	size_t i;

	for (i = 0; i < s->nfamilies && strcmp(s->families[i].name, name) != 0; i++)
		;
	EXPECT(i < s->nfamilies && s->families[i].nseries == 1);
	if (i == s->nfamilies || !s->families[i].nseries)
		return 0;
	if (s->families[i].kind == SM_HISTOGRAM) {
		EXPECT(s->families[i].nbounds < 64);
		EXPECT(sm_snapshot_classic(
			       s, s->families[i].series, SM_ALL_WRITERS, counts, &sum) == 0);
		if (ret_count)
			*ret_count = counts[s->families[i].nbounds];
		return sum.value;
	}
	EXPECT(sm_snapshot_number(s, s->families[i].series, SM_ALL_WRITERS, &v) == 0 && v.is_set);
	return v.value;
}

static void read_all(const char *path)
{
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct sm_diag diag;
	uint64_t n = 0;
	double sum;

	EXPECT(sm_reader_open(path, &r, &diag) == 0);
	if (diag.error) {
		fprintf(stderr, "%s\n", diag.message);
		return;
	}
	EXPECT(sm_reader_live_writers(r) == 1);
	EXPECT(sm_snapshot_take(r, 0, &s, &diag) == 0);
	EXPECT(number(s, "c_total", NULL) == 1012);
	EXPECT(number(s, "g", NULL) == -2.5);
	EXPECT(number(s, "u", NULL) == -3);
	EXPECT(number(s, "build_info", NULL) == 1);
	EXPECT(number(s, "component_health", NULL) == SM_HEALTH_DEGRADED);
	sum = number(s, "h", &n);
	EXPECT(n == 3 && sum >= .2525 && sum < 5);
	number(s, "job_duration_seconds", &n);
	EXPECT(n == 1);
	sm_snapshot_free(s);
	sm_reader_close(r);
	EXPECT(sm_check(path, print_finding, NULL, &diag) == 0);
}

int main(void)
{
	char dir[] = "/dev/shm/shardmeter-smoke-XXXXXX", path[64];
	struct sm_diag diag;
	struct sm *m;

	if (!mkdtemp(dir)) {
		perror(dir);
		return 1;
	}
	snprintf(path, sizeof(path), "%s/segment", dir);
	m = sm_open(
		&(struct sm_options){
			.segment = path, .writer = "smoke", .flags = SM_OPEN_NO_ENVIRONMENT },
		&diag);
	if (diag.error)
		fprintf(stderr, "%s\n", diag.message);
	EXPECT(!diag.error);
	write_all(m);
	read_all(path);
	sm_close(m);
	unlink(path);
	rmdir(dir);
	printf("%s %s, layout %s: %s\n", "shardmeter", sm_version(), sm_layout_version(),
		failed ? "FAILED" : "ok");
	return failed;
}
