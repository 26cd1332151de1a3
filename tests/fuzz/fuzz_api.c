/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_api.c - any question to the API, over a small segment and a small history.
 *
 * The input is an endpoint's name, a '?', and a query that is not percent-encoded. Whatever it is, the
 * answer has one of our statuses and is JSON: brackets that match, strings that end, numbers, valid
 * UTF-8 without control characters.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/utf8.h"
#include "exporter/api/api.h"
#include "exporter/history/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS	12
#define TICK_MS	10000

static char dir[64];
static struct api api;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_api: %s\n", what);
	abort();
}

static const char *history_dir(void *ctx, const char *segment)
{
	return dir;
}

static void clean_up(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		fprintf(stderr, "fuzz_api: %s stays\n", dir);
}

/* ---- something to ask about ----------------------------------------------------------------- */

static void count(struct sm *m, unsigned n)
{
	static const double bounds[] = { 0.1, 1 };
	struct sm_family_options c = { .kind = SM_COUNTER, .name = "c_total", .help = "Help.",
		.labels = { "l" } };
	struct sm_family_options g = { .kind = SM_GAUGE, .name = "g", .help = "Help.",
		.mode = SM_MODE_ALL };
	struct sm_family_options h = { .kind = SM_HISTOGRAM, .name = "h_seconds", .help = "Help.",
		.unit = SM_SECONDS, .bounds = bounds, .nbounds = 2 };
	struct sm_str value = SM_STR(n % 2 ? "a" : "b\"\n");
	struct sm_diag diag;

	sm_counter_add(sm_counter(sm_declare(m, &c, &diag), &value, 1), n);
	sm_gauge_set(sm_gauge(sm_declare(m, &g, &diag), SM_NO_LABELS), 0.1 * n);
	sm_histogram_observe(sm_histogram(sm_declare(m, &h, &diag), SM_NO_LABELS), 0.3 * n);
	sm_health_set(m, "database", SM_HEALTH_DEGRADED, 1);
	sm_slow_record(m, "play", "ok", 1500000000,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "k=v");
}

static void fill(struct sm *m, struct sm_reader *r)
{
	struct store_options opts = { .dir = dir, .interval_ms = TICK_MS,
		.retention_ms = 1000 * TICK_MS, .max_bytes = 1 << 30,
		.map_bytes = UINT64_C(64) << 20 };
	uint64_t now_ms = (uint64_t)time(NULL) / 10 * TICK_MS - ROWS * TICK_MS;
	const struct sm_snapshot *s;
	struct store_tick tick;
	struct store *store;
	struct sm_diag diag;
	struct view v;
	unsigned i;

	must(store_open(&opts, &store, &diag) == 0, "store_open");
	for (i = 0; i < ROWS; i++) {
		count(m, i);
		must(sm_snapshot_take(r, SM_SNAPSHOT_WRITERS, &s, &diag) == 0, "snapshot");
		must(view_init(&v, &s, 1) == 0, "view");
		now_ms += i == 5 ? 3 * TICK_MS : TICK_MS;
		tick = (struct store_tick){ .now_ms = now_ms, .due_ms = now_ms };
		must(store_append(store, &v, &tick, &diag) == 0, "append");
		view_release(&v);
		sm_snapshot_free(s);
	}
	store_close(store);
}

static void start(void)
{
	char segment[96];
	struct sm_options o = { .segment = segment, .writer = "w", .max_series = 256,
		.max_cells = 1 << 14, .max_families = 32, .ring_entries = 8 };
	const char *name = segment, *bad;
	struct sm_reader *r;
	struct sm_diag diag;
	struct sm *m;

	strcpy(dir, "/dev/shm/shardmeter-fuzz-api-XXXXXX");
	must(mkdtemp(dir) != NULL, "mkdtemp");
	atexit(clean_up);
	snprintf(segment, sizeof(segment), "%s/segment", dir);
	m = sm_open(&o, &diag);
	must(diag.error == 0, diag.message);
	must(sm_reader_open(segment, &r, &diag) == 0, diag.message);
	fill(m, r);
	sm_reader_close(r);
	must(collector_create(&name, 1, &api.collector, &bad) == 0, "collector");
	collector_set_quiet(api.collector);
	api.history_dir = history_dir;
}

/* ---- is it JSON? ---------------------------------------------------------------------------- */

static const char *skip_string(const char *at, const char *end)
{
	uint32_t code = 0;
	size_t n;

	for (at++; at < end && *at != '"'; at += n) {
		n = utf8_next(at, (size_t)(end - at), &code);
		must(n > 0 && !utf8_is_control(code), "a string with hidden bytes");
		if (code == '\\')
			n = 2;
	}
	must(at < end, "a string without its end");
	return at + 1;
}

static void check_json(const char *at, size_t len)
{
	const char *end = at + len;
	char open[64];
	unsigned depth = 0;
	size_t n;

	while (at < end) {
		if (*at == '"') {
			at = skip_string(at, end);
		} else if (*at == '{' || *at == '[') {
			must(depth < sizeof(open), "too deep");
			open[depth++] = *at++;
		} else if (*at == '}' || *at == ']') {
			must(depth > 0 && open[--depth] == (*at == '}' ? '{' : '['), "brackets");
			at++;
		} else if (*at == ',' || *at == ':' || *at == '\n') {
			at++;
		} else {
			n = strspn(at, "0123456789.eE+-");
			n = n ? n : strncmp(at, "null", 4) == 0 || strncmp(at, "true", 4) == 0 ? 4 :
				strncmp(at, "false", 5) == 0 ? 5 : 0;
			must(n > 0, "no value");
			at += n;
		}
	}
	must(depth == 0, "brackets at the end");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned statuses[] = { 200, 400, 404, 422, 503 };
	struct request_param param[32];
	struct request r = { .param = param };
	char *text = malloc(size + 16), *query, *at, *save = NULL, *value;
	struct page page = { 0 };
	size_t i;
	int rc;

	if (!api.collector)
		start();
	must(text != NULL, "malloc");
	strcpy(text, "/api/v1/");
	memcpy(text + strlen(text), data, size);
	text[strlen("/api/v1/") + size] = '\0';
	r.path = text;
	query = strchr(text, '?');
	if (query)
		*query++ = '\0';
	for (at = query ? strtok_r(query, "&", &save) : NULL; at && r.nparams < 32;
	     at = strtok_r(NULL, "&", &save)) {
		value = strchr(at, '=');
		if (value)
			*value++ = '\0';
		param[r.nparams++] = (struct request_param){ at, value ? value : "" };
	}
	rc = api_answer(&api, &r, &page);
	must(rc == 0, "no answer");
	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]) && page.status != statuses[i]; i++)
		;
	must(i < sizeof(statuses) / sizeof(statuses[0]), "a status that is not ours");
	must(strlen(page.body.data) == page.body.len, "NUL in the answer");
	check_json(page.body.data, page.body.len);
	buf_free(&page.body);
	free(text);
	return 0;
}
