/* SPDX-License-Identifier: Apache-2.0 */
/* test_exemplar.c - what is attached, where, and what is refused. */
#include <math.h>
#include <pthread.h>

#include "segment.h"

static const double bounds[] = { .1, 1 };

static struct sm_counter *counter(int exemplars)
{
	return sm_counter(declare(&(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .exemplars = exemplars }), SM_NO_LABELS);
}

static struct sm_histogram *histogram(void)
{
	return sm_histogram(declare(&(struct sm_family_options){ .kind = SM_HISTOGRAM,
				    .name = "h_seconds",
				    .unit = SM_SECONDS,
				    .bounds = bounds,
				    .nbounds = 2,
				    .exemplars = 1 }),
		SM_NO_LABELS);
}

static struct sm_exemplar_rec *slot(const void *pub, unsigned i)
{
	const struct handle *h = handle_of(pub);

	return region_exemplar(
		segment.m->region, region_series(segment.m->region, h->series)->exemplar - 1 + i);
}

#define PAIRS(...) ((const struct sm_str[]){ SM_MAP_(SM_COUNT_(__VA_ARGS__), __VA_ARGS__) }), \
	SM_COUNT_(__VA_ARGS__) / 2

static void exemplar__of_a_counter__is_stored(void **state)
{
	struct sm_counter *c = counter(1);
	struct sm_exemplar_rec *e = slot(c, 0);
	uint64_t now = clock_ns(CLOCK_REALTIME);

	sm_counter_exemplar(c, 2.5, PAIRS("trace_id", "0af7", "span_id", "b7ad"));
	assert_true(bits_double(e->value) == 2.5);
	assert_in_range(e->at_real_ns, now - 50000000, now + 1000000000);
	assert_int_equal(e->text_len, 27);
	assert_memory_equal(e->labels, "trace_id\0000af7\0span_id\0b7ad\0", 27);
	assert_int_equal(e->seq, UINT64_C(1) << 17 | (uint64_t)segment.m->slot << 1);
	sm_counter_exemplar(c, 3, PAIRS("a", ""));
	assert_int_equal(e->seq >> 17, 2);
	assert_int_equal(e->text_len, 3);
	assert_int_equal(refused(SM_REFUSED_EXEMPLAR), 0);
	assert_int_equal(cell_sum(c, 0), 0);	/* it does not count */
}

static void exemplar__of_a_histogram__is_at_its_classic_bucket(void **state)
{
	struct sm_histogram *h = histogram();

	sm_histogram_exemplar(h, .1, PAIRS("id", "low"));
	sm_histogram_exemplar(h, .2, PAIRS("id", "mid"));
	sm_histogram_exemplar(h, 7, PAIRS("id", "top"));
	assert_string_equal(slot(h, 0)->labels + 3, "low");
	assert_string_equal(slot(h, 1)->labels + 3, "mid");
	assert_string_equal(slot(h, 2)->labels + 3, "top");
	assert_int_equal(refused(SM_REFUSED_EXEMPLAR), 0);
}

static void exemplar__that_cannot_be__is_counted(void **state)
{
	struct sm_counter *c = counter(1);
	char long_text[200];
	unsigned n = 0, i;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	sm_counter_exemplar(c, 1, NULL, 0), n++;
	sm_counter_exemplar(c, 1, PAIRS("id", long_text)), n++;
	sm_counter_exemplar(c, 1, PAIRS(long_text, "id")), n++;
	sm_counter_exemplar(c, NAN, PAIRS("id", "x")), n++;
	sm_counter_exemplar(c, 1, PAIRS("", "x")), n++;
	sm_counter_exemplar(c, 1, PAIRS("9a", "x")), n++;
	sm_counter_exemplar(c, 1, PAIRS("a-b", "x")), n++;
	sm_counter_exemplar(c, 1, PAIRS("a\"", "x")), n++;
	sm_counter_exemplar(c, 1, PAIRS("a", "x", "a", "y")), n++;
	sm_counter_exemplar(c, 1, PAIRS("a", "\xff")), n++;
	sm_counter_exemplar(c, 1, (const struct sm_str[]){ { "a", 1 }, { "x\0y", 3 } }, 1), n++;
	sm_counter_exemplar(c, 1, (const struct sm_str[]){ { "a", 1 }, { "x", 1 } }, SIZE_MAX), n++;
	assert_int_equal(refused(SM_REFUSED_EXEMPLAR), n);
	assert_int_equal(slot(c, 0)->seq, 0);

	/* 128 code points fit, of any length; 129 do not. */
	long_text[127] = '\0';
	sm_counter_exemplar(c, 1, PAIRS("a", long_text));
	for (i = 0; i < 63; i++)
		memcpy(long_text + 3 * i, "\xe6\x9d\xb1", 4);
	sm_counter_exemplar(c, 1, PAIRS("a", long_text, "b", long_text));
	assert_int_equal(refused(SM_REFUSED_EXEMPLAR), n);
	assert_int_equal(slot(c, 0)->text_len, 2 * (2 + 3 * 63 + 1));
	sm_counter_exemplar(c, 1, PAIRS("aa", long_text, "b", long_text, "c", ""));
	assert_int_equal(refused(SM_REFUSED_EXEMPLAR), n + 1);
}

static void exemplar__where_none_are_kept__is_counted(void **state)
{
	struct sm *common;

	sm_counter_exemplar(counter(0), 1, PAIRS("a", "b"));
	assert_int_equal(refused(SM_REFUSED_EXEMPLAR), 1);
	sm_counter_exemplar(sm_counter(&sm_null_family, SM_NO_LABELS), 1, PAIRS("a", "b"));
	sm_histogram_exemplar(sm_histogram(&sm_null_family, SM_NO_LABELS), NAN, PAIRS("a", "b"));
	assert_int_equal(refused(SM_REFUSED_EXEMPLAR), 1);

	common = sm_open(
		&(struct sm_options){ .segment = segment.path, .flags = SM_OPEN_COMMON }, NULL);
	sm_counter_exemplar(
		sm_counter(sm_declare(common,
				   &(struct sm_family_options){
					   .kind = SM_COUNTER, .name = "e_total", .exemplars = 1 },
				   NULL),
			SM_NO_LABELS),
		1, PAIRS("a", "b"));
	assert_int_equal(common->region->head->refused[SM_REFUSED_EXEMPLAR], 1);
	sm_close(common);
}

static void exemplar__at_a_busy_slot__gives_way(void **state)
{
	struct sm_counter *c = counter(1);
	struct sm_exemplar_rec *e = slot(c, 0);

	sm_counter_exemplar(c, 1, PAIRS("id", "first"));
	e->seq |= 1;
	sm_counter_exemplar(c, 2, PAIRS("id", "second"));
	assert_string_equal(e->labels + 3, "first");
	assert_int_equal(refused(SM_REFUSED_EXEMPLAR), 1);
	e->seq &= ~UINT64_C(1);
	sm_counter_exemplar(c, 3, PAIRS("id", "third"));
	assert_string_equal(e->labels + 3, "third");
}

#define ATTACHED 20000

static void *attach_many(void *arg)
{
	struct sm_counter *c = arg;
	char text[32];
	unsigned i;

	for (i = 0; i < ATTACHED; i++) {
		snprintf(text, sizeof(text), "%u", i);
		sm_counter_exemplar(c, i, PAIRS("id", text));
	}
	return NULL;
}

/* Each use has another number; what stands there in the end belongs together. */
static void exemplar__of_threads_at_once__is_whole(void **state)
{
	struct sm_counter *c = counter(1);
	struct sm_exemplar_rec *e = slot(c, 0);
	char text[32];
	pthread_t t[4];
	unsigned i;

	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, attach_many, c), 0);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(e->seq & 1, 0);
	assert_int_equal((e->seq >> 17) + refused(SM_REFUSED_EXEMPLAR), 4 * ATTACHED);
	snprintf(text, sizeof(text), "%u", (unsigned)bits_double(e->value));
	assert_string_equal(e->labels + 3, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(exemplar__of_a_counter__is_stored),
		segment_test(exemplar__of_a_histogram__is_at_its_classic_bucket),
		segment_test(exemplar__that_cannot_be__is_counted),
		segment_test(exemplar__where_none_are_kept__is_counted),
		segment_test(exemplar__at_a_busy_slot__gives_way),
		segment_test(exemplar__of_threads_at_once__is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
