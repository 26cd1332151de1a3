/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of libshm/size.c: the prediction against segments that real writers made, one process a
 * writer, and against the promise that 16 writers with 360 histograms each fit 48 MB.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <shardmeter_reader.h>

#define MB (1024.0 * 1024.0)

static char dir[64], path[96];

/* Be a writer with these metrics and lanes, then end; the memory stays. */
static void write_all(unsigned number, const struct sm_size_question *q)
{
	struct sm_options o = { .segment = path,
				.thread_lanes = q->lanes_used - 1,
				.flags = SM_OPEN_NO_ENVIRONMENT };
	char writer[32], name[32], label[64];
	struct sm_str value = { label, 0 };
	struct sm_diag diag;
	struct sm_family *f = NULL;
	unsigned i, kind;
	struct sm *m;

	snprintf(writer, sizeof(writer), "writer-%u", number);
	o.writer = writer;
	m = sm_open(&o, &diag);
	if (diag.error) {
		fprintf(stderr, "sm_open: %s\n", diag.message);
		_exit(1);
	}
	for (kind = 0; kind < 3; kind++) {
		static const enum sm_kind kinds[] = { SM_COUNTER, SM_GAUGE, SM_HISTOGRAM };
		unsigned n = kind == 0 ? q->counters : kind == 1 ? q->gauges : q->histograms;

		for (i = 0; i < n; i++) {
			if (i % 10 == 0) {
				snprintf(name, sizeof(name), "%c%u%s", "cgh"[kind], i / 10,
					 kind ? "" : "_total");
				f = sm_declare(m,
					       &(struct sm_family_options){
						       .kind = kinds[kind],
						       .name = name,
						       .help = "A metric to be measured.",
						       .unit = kind == 2 ? SM_SECONDS : "",
						       .labels = { "label" },
						       .grid = q->grid ? SM_GRID_ON : SM_GRID_OFF },
					       &diag);
				if (diag.error)
					_exit(2);
			}
			value.len = (size_t)snprintf(label, sizeof(label), "value-%0*u",
						     (int)q->label_bytes - 6, i);
			if (kind == 0)
				sm_counter_add(sm_counter(f, &value, 1), 1);
			else if (kind == 1)
				sm_gauge_set(sm_gauge(f, &value, 1), 1);
			else
				sm_histogram_observe(sm_histogram(f, &value, 1), 0.5);
		}
	}
	_exit(sm_status(m, NULL) ? 3 : 0);
}

static uint64_t measure(const struct sm_size_question *q)
{
	struct stat st;
	unsigned i;
	int status;
	pid_t child;

	strcpy(dir, "/dev/shm/shardmeter-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/segment", dir);
	for (i = 0; i < q->writers; i++) {
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			write_all(i, q);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
	rmdir(dir);
	return (uint64_t)st.st_blocks * 512;
}

static void compare(const struct sm_size_question *q)
{
	double real = (double)measure(q), predicted = (double)sm_size_predict(q);

	print_message(
		"%u writers x %u lanes, %u counters, %u gauges, %u histograms: %.2f MB, predicted %.2f MB\n",
		q->writers, q->lanes_used, q->counters, q->gauges, q->histograms, real / MB,
		predicted / MB);
	assert_true(predicted > real * 0.95 - 65536);
	assert_true(predicted < real * 1.10 + 131072);
}

static void predict__real_segments__within_a_tenth(void **state)
{
	static const struct sm_size_question questions[] = {
		{ .writers = 1, .lanes_used = 2, .counters = 10, .label_bytes = 12 },
		{ .writers = 4,
		  .lanes_used = 3,
		  .counters = 500,
		  .gauges = 200,
		  .histograms = 50,
		  .grid = 1,
		  .label_bytes = 14 },
		{ .writers = 8,
		  .lanes_used = 2,
		  .counters = 3000,
		  .gauges = 700,
		  .histograms = 100,
		  .label_bytes = 30 },
		{ .writers = 2, .lanes_used = 4, .histograms = 300, .grid = 1, .label_bytes = 40 },
	};
	size_t i;

	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		compare(&questions[i]);
}

static void predict__sixteen_writers_360_histograms__fit_48_mb(void **state)
{
	struct sm_size_question q = {
		.writers = 16, .lanes_used = 3, .histograms = 360, .grid = 1, .label_bytes = 16
	};
	uint64_t real = measure(&q);

	print_message("16 writers x 360 histograms: %.1f MB\n", (double)real / MB);
	assert_true((double)real < 48 * MB);
	assert_true((double)sm_size_predict(&q) < 48 * MB);
	compare(&q);
}

static void predict__zeros__defaults(void **state)
{
	struct sm_size_question q = { .writers = 10, .histograms = 100, .grid = 1 }, same = q;

	same.lanes_used = 3;
	same.bounds = 11;
	same.label_bytes = 32;
	assert_int_equal(sm_size_predict(&q), sm_size_predict(&same));
}

static void predict__more_of_anything__never_less(void **state)
{
	struct sm_size_question q = { .writers = 1 };
	uint64_t last = sm_size_predict(&q), now;
	int i;

	assert_true(last > 0);
	for (i = 0; i < 20; i++) {
		unsigned *fields[] = { &q.writers,    &q.counters, &q.gauges,	  &q.histograms,
				       &q.lanes_used, &q.bounds,   &q.label_bytes };
		unsigned *f = fields[i % 7];

		*f = *f ? *f * 3 : 4;
		now = sm_size_predict(&q);
		assert_true(now >= last);
		last = now;
	}
	/* Beyond every limit it is still a number. */
	memset(&q, 0xff, sizeof(q));
	assert_true(sm_size_predict(&q) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(predict__real_segments__within_a_tenth),
		cmocka_unit_test(predict__sixteen_writers_360_histograms__fit_48_mb),
		cmocka_unit_test(predict__zeros__defaults),
		cmocka_unit_test(predict__more_of_anything__never_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
