/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_writer.c - for test_probes.py: the C one of three writers that understand the same lines on
 * standard input and answer "ok" (the others: probe_writer.js, probe_writer.py), and a reader of
 * what no tool shows.
 *
 *	probe_writer write SEGMENT WRITER LANG
 *		count N		updates for k = 0 to N - 1, see below
 *		file PATH	observe the doubles in a file
 *		level X		set the gauge
 *		beat		heartbeat
 *	probe_writer buckets SEGMENT
 *		bounds and counts of probe_seconds, the fine grid included
 *	probe_writer watch SEGMENT
 *		until the end of standard input: take snapshots, which must show multiples of
 *		2^32 - 1 in probe_whole_total{lang="torn"} and in the sum of
 *		probe_seconds{lang="torn"}. Says how many different values there were.
 */
#include <poll.h>
#include <shardmeter_reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STEP UINT32_MAX

static struct sm *m;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "probe_writer: %s: %s\n", what, why);
	exit(1);
}

static struct sm_family *declare(
	enum sm_kind kind, const char *name, enum sm_number number, unsigned decimals)
{
	struct sm_family_options o = { .kind = kind,
		.name = name,
		.labels = { "lang" },
		.unit = SM_SECONDS,
		.number = number,
		.decimals = decimals };
	struct sm_diag diag;
	struct sm_family *f = sm_declare(m, &o, &diag);

	if (diag.error)
		fail(name, diag.message);
	return f;
}

static void observe_file(struct sm_histogram *h, const char *path)
{
	FILE *file = fopen(path, "rb");
	double v;

	if (!file)
		fail(path, "cannot be read");
	while (fread(&v, sizeof(v), 1, file) == 1)
		sm_histogram_observe(h, v);
	fclose(file);
}

static void do_line(char *line, const char *lang)
{
	struct sm_counter *whole = sm_counter(
		declare(SM_COUNTER, "probe_whole_total", SM_NUMBER_U64, 0), SM_LABELS(lang));
	struct sm_counter *fixed = sm_counter(
		declare(SM_COUNTER, "probe_fixed_total", SM_NUMBER_FIXED, 9), SM_LABELS(lang));
	struct sm_counter *mixed = sm_counter(
		declare(SM_COUNTER, "probe_mixed_total", SM_NUMBER_U64, 3), SM_LABELS(lang));
	struct sm_gauge *level =
		sm_gauge(declare(SM_GAUGE, "probe_level", SM_NUMBER_U64, 0), SM_LABELS(lang));
	struct sm_histogram *seconds = sm_histogram(
		declare(SM_HISTOGRAM, "probe_seconds", SM_NUMBER_U64, 0), SM_LABELS(lang));
	char *argument = strchr(line, ' ');
	uint64_t k, n;

	argument = argument ? argument + 1 : line + strlen(line);
	if (strncmp(line, "count ", 6) == 0) {
		n = strtoull(argument, NULL, 10);
		for (k = 0; k < n; k++) {
			sm_counter_inc(whole);
			sm_counter_add(whole, 3);
			sm_counter_add_double(fixed, (double)(k % 1000) * 0.001);
			sm_counter_add(mixed, 2);
			sm_histogram_observe(seconds, (double)(k * 7919 % 100003) / 8192.0);
		}
	} else if (strncmp(line, "file ", 5) == 0) {
		observe_file(seconds, argument);
	} else if (strncmp(line, "level ", 6) == 0) {
		sm_gauge_set(level, strtod(argument, NULL));
	} else if (strcmp(line, "beat") == 0) {
		if (sm_heartbeat(m) != 0)
			fail("beat", "it failed");
	} else {
		fail(line, "not known");
	}
}

static int write_lines(const char *segment, const char *writer, const char *lang)
{
	struct sm_options o = { .segment = segment, .writer = writer };
	struct sm_diag diag;
	char line[4096];

	m = sm_open(&o, &diag);
	if (diag.error)
		fail(segment, diag.message);
	puts("ok");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		do_line(line, lang);
		puts("ok");
		fflush(stdout);
	}
	return 0;
}

static const struct sm_snapshot *snapshot(struct sm_reader *r)
{
	const struct sm_snapshot *s;
	struct sm_diag diag;

	if (sm_snapshot_take(r, 0, &s, &diag) != 0)
		fail("snapshot", diag.message);
	return s;
}

static struct sm_reader *attach(const char *segment)
{
	struct sm_reader *r;
	struct sm_diag diag;

	if (sm_reader_open(segment, &r, &diag) != 0)
		fail(segment, diag.message);
	return r;
}

static const struct sm_series_info *next_series(const struct sm_snapshot *s, const char *family,
	size_t *i, const struct sm_family_info **ret_family)
{
	for (size_t f = 0; f < s->nfamilies; f++)
		if (strcmp(s->families[f].name, family) == 0 && *i < s->families[f].nseries) {
			*ret_family = &s->families[f];
			return &s->families[f].series[(*i)++];
		}
	return NULL;
}

static int print_buckets(const char *segment)
{
	const struct sm_snapshot *s = snapshot(attach(segment));
	const struct sm_series_info *series;
	const struct sm_family_info *f;
	uint64_t counts[1024];
	struct sm_sum sum;
	size_t i = 0;

	while ((series = next_series(s, "probe_seconds", &i, &f))) {
		if (sm_snapshot_buckets(s, series, SM_ALL_WRITERS, counts, &sum) != 0)
			fail("buckets", "it failed");
		if (i == 1) {
			printf("bounds");
			for (unsigned b = 0; b < f->nunited; b++)
				printf(" %a", f->united[b]);
			putchar('\n');
		}
		printf("%s %llu", series->values[0].ptr, (unsigned long long)sum.units);
		for (unsigned b = 0; b <= f->nunited; b++)
			printf(" %llu", (unsigned long long)counts[b]);
		putchar('\n');
	}
	return 0;
}

static void check_whole(const char *what, uint64_t v, uint64_t *last, unsigned long *changes)
{
	if (v % STEP != 0 || v < *last) {
		fprintf(stderr, "probe_writer: %s: %#llx after %#llx\n", what,
			(unsigned long long)v, (unsigned long long)*last);
		exit(1);
	}
	*changes += v != *last;
	*last = v;
}

static int watch(const char *segment)
{
	struct pollfd end = { .fd = STDIN_FILENO, .events = POLLIN };
	struct sm_reader *r = attach(segment);
	uint64_t last[2] = { 0 }, counts[1024];
	unsigned long changes[2] = { 0 };
	const struct sm_series_info *series;
	const struct sm_family_info *f;
	const struct sm_snapshot *s;
	struct sm_value v;
	struct sm_sum sum;
	size_t i;

	while (poll(&end, 1, 0) == 0) {
		s = snapshot(r);
		for (i = 0; (series = next_series(s, "probe_whole_total", &i, &f));)
			if (strcmp(series->values[0].ptr, "torn") == 0 &&
				sm_snapshot_number(s, series, SM_ALL_WRITERS, &v) == 0)
				check_whole("counter", v.units, &last[0], &changes[0]);
		for (i = 0; (series = next_series(s, "probe_seconds", &i, &f));)
			if (strcmp(series->values[0].ptr, "torn") == 0 &&
				sm_snapshot_buckets(s, series, SM_ALL_WRITERS, counts, &sum) == 0)
				check_whole("sum", (uint64_t)sum.units, &last[1], &changes[1]);
		sm_snapshot_free(s);
	}
	printf("%lu %lu\n", changes[0], changes[1]);
	sm_reader_close(r);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "write") == 0)
		return write_lines(argv[2], argv[3], argv[4]);
	if (argc == 3 && strcmp(argv[1], "buckets") == 0)
		return print_buckets(argv[2]);
	if (argc == 3 && strcmp(argv[1], "watch") == 0)
		return watch(argv[2]);
	fail("usage", "see the source");
	return 2;
}
