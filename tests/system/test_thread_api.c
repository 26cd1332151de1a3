/* SPDX-License-Identifier: Apache-2.0 */
// LINK: static
/*
 * Many ask the API at once while a program counts and rows of history are written: every answer is
 * whole, and no total goes back.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporter/api/api.h"
#include "exporter/history/store.h"

#define THREADS	4
#define ROUNDS	60
#define SERIES	50

static char dir[64], segment[96];
static struct api api;
static atomic_int stop;
static atomic_ulong answers;

static void must(int ok, const char *what, const char *more)
{
	if (ok)
		return;
	fprintf(stderr, "FAILED: %s: %s\n", what, more ? more : "");
	exit(1);
}

static const char *history_dir(void *ctx, const char *name)
{
	return dir;
}

/* One question; the number after `before` in the answer, or `last` when rows came faster than they
 * could be read: no exporter does that. */
static unsigned long ask(const char *path, const struct request_param *param, size_t n,
	const char *before, unsigned long last)
{
	struct request r = { .path = path, .nparams = n, .param = param };
	unsigned long number = last;
	struct page page = { 0 };
	const char *at;

	must(api_answer(&api, &r, &page) == 0, "no answer", path);
	must(page.status == 200 || strstr(page.body.data, "too fast"), path, page.body.data);
	must(page.status != 200 || strcmp(page.body.data + page.body.len - 3, "}}\n") == 0,
		"an answer without its end", path);
	at = before ? strstr(page.body.data, before) : NULL;
	if (at)
		number = strtoul(at + strlen(before), NULL, 10);
	buf_free(&page.body);
	answers++;
	return number;
}

static void *asker(void *arg)
{
	static const struct request_param one[] = { { "match[]", "c_total{n=\"7\"}" } };
	static const struct request_param sum[] = { { "match[]", "c_total" }, { "by", "" },
		{ "fn", "increase" }, { "points", "1" } };
	static const struct request_param quantiles[] = { { "match[]", "h_seconds" },
		{ "fn", "quantile" } };
	unsigned long last = 0, now, total = 0, increase;

	while (!stop) {
		now = ask("/api/v1/series", one, 1, "\"value\":", last);
		must(now >= last, "a counter went back", NULL);
		last = now;
		increase = ask("/api/v1/query", sum, 4, "\"values\":[", total);
		must(increase >= total, "the increase since the begin went back", NULL);
		total = increase;
		ask("/api/v1/query", quantiles, 2, NULL, 0);
		ask("/api/v1/events", NULL, 0, NULL, 0);
		ask("/api/v1/slow-operations", NULL, 0, NULL, 0);
		ask("/api/v1/writers", NULL, 0, NULL, 0);
		ask("/api/v1/health", NULL, 0, NULL, 0);
	}
	return arg;
}

/* ---- the program and the recorder ----------------------------------------------------------- */

static void count(struct sm *m, struct sm_family *c, struct sm_family *h)
{
	char text[16];
	unsigned i;

	for (i = 0; i < SERIES; i++) {
		struct sm_str value = { text, (size_t)snprintf(text, sizeof(text), "%u", i) };

		sm_counter_add(sm_counter(c, &value, 1), i);
	}
	sm_histogram_observe(sm_histogram(h, SM_NO_LABELS), 0.3);
	sm_slow_record(m, "play", "ok", 2000000000, NULL, "a=b");
}

static void record(struct sm_reader *r, struct store *store, uint64_t now_ms)
{
	struct store_tick tick = { .now_ms = now_ms, .due_ms = now_ms };
	const struct sm_snapshot *s;
	struct sm_diag diag;
	struct view v;

	must(sm_snapshot_take(r, SM_SNAPSHOT_WRITERS, &s, &diag) == 0, "snapshot", diag.message);
	must(view_init(&v, &s, 1) == 0, "view", NULL);
	must(store_append(store, &v, &tick, &diag) == 0, "append", diag.message);
	view_release(&v);
	sm_snapshot_free(s);
}

int main(void)
{
	struct sm_family_options c = { .kind = SM_COUNTER, .name = "c_total", .help = "h",
		.labels = { "n" } };
	struct sm_family_options h = { .kind = SM_HISTOGRAM, .name = "h_seconds", .help = "h",
		.unit = SM_SECONDS };
	struct sm_options o = { .segment = segment, .writer = "w" };
	struct store_options so = { .dir = dir, .interval_ms = 1000, .retention_ms = 3600000,
		.max_bytes = 1 << 30, .map_bytes = UINT64_C(1) << 30 };
	const char *name = segment, *bad;
	uint64_t now_ms = (uint64_t)time(NULL) * 1000 - ROUNDS * 1000;
	pthread_t thread[THREADS];
	struct sm_family *cf, *hf;
	struct sm_reader *r;
	struct store *store;
	struct sm_diag diag;
	unsigned long before;
	char command[96];
	unsigned i;
	struct sm *m;

	strcpy(dir, "/dev/shm/shardmeter-thread-api-XXXXXX");
	must(mkdtemp(dir) != NULL, "mkdtemp", dir);
	snprintf(segment, sizeof(segment), "%s/segment", dir);
	m = sm_open(&o, &diag);
	must(diag.error == 0, "sm_open", diag.message);
	cf = sm_declare(m, &c, &diag);
	hf = sm_declare(m, &h, &diag);
	must(sm_reader_open(segment, &r, &diag) == 0, "reader", diag.message);
	must(store_open(&so, &store, &diag) == 0, "store", diag.message);
	count(m, cf, hf);
	record(r, store, now_ms);
	must(collector_create(&name, 1, &api.collector, &bad) == 0, "collector", NULL);
	collector_set_quiet(api.collector);
	api.history_dir = history_dir;
	for (i = 0; i < THREADS; i++)
		must(pthread_create(&thread[i], NULL, asker, NULL) == 0, "thread", NULL);
	for (i = 0; i < ROUNDS; i++) {
		record(r, store, now_ms += 1000);
		/* Some answers between two rows, as it is with an exporter. */
		for (before = answers; answers < before + 2 * THREADS;)
			count(m, cf, hf);
	}
	stop = 1;
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	printf("%lu answers\n", (unsigned long)answers);
	collector_free(api.collector);
	store_close(store);
	sm_reader_close(r);
	sm_close(m);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}
