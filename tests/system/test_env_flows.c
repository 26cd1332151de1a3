/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_env_flows.c - a thousand flows open at once, their stages interleaved: every count, every
 * stage, every outcome and met target exact; slow ones in the ring, whole.
 */
#include <pthread.h>

#include "proc.h"

#define FLOWS 1000
#define STAGES 3

static const char *const commands[] = { "play", "skip", "queue", "stop" };
static const char *const stages[STAGES] = { "load_preferences", "search", "answer" };
static const char *const outcomes[] = { "success", "error", "denied" };

static struct sm_flow_type *declare(struct sm *m, const char *name, double slo, uint64_t slow_ns)
{
	struct sm_diag diag;
	struct sm_flow_type *t = sm_flow_declare(m,
		&(struct sm_flow_options){ .name = name,
			.help = "Commands.",
			.labels = { "command" },
			.slo = slo,
			.slow_ns = slow_ns,
			.slow_per_second = 100000 },
		&diag);

	if (diag.error)
		FAIL("%s", diag.message);
	return t;
}

/* Observations of the series with these two label values. */
static uint64_t observed(
	const struct sm_snapshot *s, const char *family, const char *first, const char *second)
{
	const struct sm_family_info *f = find_family(s, family);
	uint64_t counts[64], sum = 0;
	struct sm_sum total;
	size_t i;

	CHECK(f && f->nbounds < 64);
	for (i = 0; i < f->nseries; i++) {
		if (strcmp(f->series[i].values[0].ptr, first) != 0 ||
			strcmp(f->series[i].values[1].ptr, second) != 0)
			continue;
		CHECK(sm_snapshot_classic(s, &f->series[i], SM_ALL_WRITERS, counts, &total) == 0);
		sum += counts[f->nbounds];
	}
	return sum;
}

/* A small generator of numbers, so that the order is the same each time. */
static uint32_t seed = 7;

static uint32_t next_random(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static void flows__of_which_a_thousand_are_open__are_exact(void)
{
	static struct sm_flow flow[FLOWS];
	static unsigned step[FLOWS];
	struct sm *m = open_writer("w");
	struct sm_flow_type *t = declare(m, "command_execution", 3600, UINT64_C(3600000000000));
	uint64_t want[4][3] = { { 0 } }, want_stage[4] = { 0 };
	const struct sm_snapshot *s;
	unsigned i, c, o, open;

	for (i = 0; i < FLOWS; i++) {
		c = i % 4;
		CHECK(sm_flow_start(&flow[i], t, SM_LABELS(commands[c]), NULL) == 0);
		step[i] = 0;
	}
	/* One step of one flow at a time, in no order; every tenth is dropped without an end. */
	for (open = FLOWS; open;) {
		i = next_random(FLOWS);
		c = i % 4;
		if (step[i] < STAGES) {
			sm_flow_checkpoint(&flow[i], stages[step[i]++]);
			want_stage[c]++;
		} else if (step[i] == STAGES) {
			step[i]++;
			open--;
			if (i % 10 == 0)
				continue;
			o = i % 3;
			sm_flow_end(&flow[i], outcomes[o]);
			CHECK(sm_flow_end(&flow[i], "again") == 0);
			want[c][o]++;
		}
	}
	s = snapshot_of(test_path);
	for (c = 0; c < 4; c++) {
		uint64_t have = 0;

		for (o = 0; o < 3; o++)
			CHECK_U64(observed(s, "command_execution_duration_seconds", commands[c],
					  outcomes[o]),
				want[c][o]);
		for (i = 0; i < STAGES; i++)
			have += observed(s, "command_execution_stage_duration_seconds", commands[c],
				stages[i]);
		CHECK_U64(have, want_stage[c]);
	}
	CHECK_U64(count_in(s, "command_execution_duration_seconds", SM_ALL_WRITERS),
		FLOWS - FLOWS / 10);
	CHECK_U64(count_in(s, "command_execution_stage_duration_seconds", SM_ALL_WRITERS),
		FLOWS * STAGES);
	sm_snapshot_free(s);
	check_sane(test_path);
}

/* The same over threads: each flow wanders from one to the next, as requests do. */
static struct sm_flow shared_flow[FLOWS];

static void *step_all(void *arg)
{
	unsigned t = (unsigned)(uintptr_t)arg, i;

	for (i = t; i < FLOWS; i += 4)
		sm_flow_checkpoint(&shared_flow[i], stages[0]);
	return NULL;
}

static void *end_all(void *arg)
{
	unsigned t = (unsigned)(uintptr_t)arg, i;

	for (i = (t + 1) % 4; i < FLOWS; i += 4)
		sm_flow_end(&shared_flow[i], "success");
	return NULL;
}

static void flows__over_threads__are_exact(void)
{
	struct sm *m = open_writer("w");
	struct sm_flow_type *t = declare(m, "job", 3600, 0);
	pthread_t thread[4];
	unsigned i;

	for (i = 0; i < FLOWS; i++)
		CHECK(sm_flow_start(&shared_flow[i], t, SM_LABELS("x"), NULL) == 0);
	for (i = 0; i < 4; i++)
		CHECK(pthread_create(&thread[i], NULL, step_all, (void *)(uintptr_t)i) == 0);
	for (i = 0; i < 4; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	for (i = 0; i < 4; i++)
		CHECK(pthread_create(&thread[i], NULL, end_all, (void *)(uintptr_t)i) == 0);
	for (i = 0; i < 4; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	CHECK_U64(count_of(test_path, "job_duration_seconds"), FLOWS);
	CHECK_U64(count_of(test_path, "job_stage_duration_seconds"), FLOWS);
	check_sane(test_path);
}

/* Ids are all different, and a remote parent's are kept. */
static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void flows__of_one_process__have_ids_of_their_own(void)
{
	static uint8_t ids[FLOWS][16];
	struct sm *m = open_writer("w");
	struct sm_flow_type *t = declare(m, "job", 0, 0);
	char header[56];
	unsigned i;

	for (i = 0; i < FLOWS; i++) {
		CHECK(sm_flow_start(&shared_flow[i], t, SM_LABELS("x"), NULL) == 0);
		memcpy(ids[i], shared_flow[i].trace_id, 16);
	}
	qsort(ids, FLOWS, 16, by_bytes);
	for (i = 1; i < FLOWS; i++)
		CHECK(memcmp(ids[i - 1], ids[i], 16) != 0);
	CHECK(sm_flow_start(&shared_flow[0], t, SM_LABELS("x"),
			    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") == 0);
	sm_flow_traceparent(&shared_flow[0], header);
	CHECK(strncmp(header, "00-0af7651916cd43dd8448eb211c80319c-", 36) == 0 &&
		!strstr(header, "b7ad6b71"));
	CHECK(sm_flow_start(&shared_flow[0], t, SM_LABELS("x"), "00-junk") == -EINVAL);
	sm_flow_end(&shared_flow[0], "success");
	CHECK_U64(count_of(test_path, "job_duration_seconds"), 1);
}

/* The last ones that were slow are in the ring, with all their parts. */
static unsigned seen;

static int look_at(void *ctx, const struct sm_slow *slow)
{
	(void)ctx;
	CHECK(strcmp(slow->operation, "job") == 0 && strcmp(slow->status, "error") == 0);
	CHECK(strcmp(slow->writer, "w") == 0);
	CHECK_U64(slow->ncheckpoints, STAGES);
	CHECK(strcmp(slow->checkpoint[1].name, stages[1]) == 0);
	CHECK(slow->nattributes == 2 && strcmp(slow->attributes[0].ptr, "command") == 0);
	CHECK(strcmp(slow->attributes[2].ptr, "guild") == 0 &&
		strcmp(slow->attributes[3].ptr, "g1") == 0);
	CHECK(slow->duration_ns >= slow->threshold_ns && slow->start_real_ns > 0);
	seen++;
	return 0;
}

static void flows__that_are_slow__leave_whole_records(void)
{
	struct sm *m = open_writer("w");
	struct sm_flow_type *t = declare(m, "job", 0, 1);
	struct sm_reader *r;
	unsigned i, k;

	for (i = 0; i < 100; i++)
		CHECK(sm_flow_start(&shared_flow[i], t, SM_LABELS("play"), NULL) == 0);
	for (k = 0; k < STAGES; k++)
		for (i = 0; i < 100; i++)
			sm_flow_checkpoint(&shared_flow[i], stages[k]);
	for (i = 0; i < 100; i++) {
		sm_flow_attribute(&shared_flow[i], "guild", "g1");
		sm_flow_end(&shared_flow[i], "error");
	}
	r = open_reader(test_path);
	CHECK(sm_reader_slow(r, look_at, NULL) == 8); /* ring_entries of a small segment */
	CHECK_U64(seen, 8);
	sm_reader_close(r);
	CHECK_U64(count_of(test_path, "job_duration_seconds"), 100);
	CHECK_U64(refusals(test_path, "slow_rate"), 0);
	check_sane(test_path);
}

static const struct test_case cases[] = {
	TEST_CASE(flows__of_which_a_thousand_are_open__are_exact),
	TEST_CASE(flows__over_threads__are_exact),
	TEST_CASE(flows__of_one_process__have_ids_of_their_own),
	TEST_CASE(flows__that_are_slow__leave_whole_records),
};

TEST_MAIN(cases)
