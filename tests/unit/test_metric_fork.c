/* SPDX-License-Identifier: Apache-2.0 */
// SKIP-UNDER: arm64 qemu-user takes MADV_WIPEONFORK and does nothing
/* test_metric_fork.c - the first thing that a forked child does with each metric type. */
#include <pthread.h>
#include <sys/wait.h>

#include "ring.h"
#include "segment.h"
#include "trace.h"

/* Run f in a child; its result must be 0. */
static void in_child(int (*f)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(f());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static uint32_t parent_slot;
static struct sm_counter *c, *d;
static struct sm_gauge *g, *r;
static struct sm_histogram *h;
static struct sm_flow_type *t;

static int set_up(void **state)
{
	int rc = segment_set_up(state);

	if (rc)
		return rc;
	parent_slot = segment.m->slot;
	c = sm_counter(declare(&(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .exemplars = 1 }), SM_NO_LABELS);
	d = sm_counter(declare(&(struct sm_family_options){
		.kind = SM_COUNTER, .name = "d_total", .number = SM_NUMBER_DOUBLE }), SM_NO_LABELS);
	g = sm_gauge(declare(&(struct sm_family_options){ .kind = SM_GAUGE, .name = "g" }),
		SM_NO_LABELS);
	r = sm_gauge(declare(&(struct sm_family_options){
		.kind = SM_GAUGE, .name = "r", .mode = SM_MODE_MOSTRECENT }), SM_NO_LABELS);
	h = sm_histogram(declare(&(struct sm_family_options){ .kind = SM_HISTOGRAM,
				 .name = "h_seconds",
				 .unit = SM_SECONDS,
				 .grid = SM_GRID_OFF }),
		SM_NO_LABELS);
	t = sm_flow_declare(segment.m, &(struct sm_flow_options){ .name = "flow" }, NULL);
	return 0;
}

#define fork_test(f) cmocka_unit_test_setup_teardown(f, set_up, segment_tear_down)

static bool is_a_child(void)
{
	return segment.m->slot != parent_slot;
}

static int count(void)
{
	sm_counter_add_double(d, 2);
	sm_counter_add(c, 5);
	return is_a_child() && cell_sum(c, 0) == 5 && bits_double(cell_sum(d, 0)) == 2 ? 0 : 1;
}

static void counter__in_a_child__goes_to_its_slot(void **state)
{
	sm_counter_add(c, 1);
	sm_counter_add_double(d, 1);
	in_child(count);
	assert_int_equal(cell_sum(c, 0), 1);
	assert_true(bits_double(cell_sum(d, 0)) == 1);
}

/* The library's own source files have words for their threads, too. Which of them notices the fork
 * first, the other has an inherited one. */
static uint64_t so_far;		/* counted by children before: they have the slot in turn */

static int count_there_first(void)
{
	uint64_t lane = sm_lane_;

	if (c->where || h->where || h->buckets)
		return 1;
	sm_counter_add_fn(c, 5);
	if (!is_a_child() || sm_lane_ != lane || !c->where || c->where >= lane || !h->buckets)
		return 2;
	sm_counter_add(c, 5);
	sm_histogram_observe(h, .001);
	sm_histogram_observe_fn(h, .001);
	return sm_lane_ < lane && cell_sum(c, 0) == so_far + 10 && cell_sum(h, 0) == 2 + so_far / 5
		       ? 0
		       : 3;
}

static int count_here_first(void)
{
	sm_counter_add(c, 5);
	sm_counter_add_fn(c, 5);
	sm_histogram_observe(h, .001);
	sm_histogram_observe_fn(h, .001);
	return is_a_child() && cell_sum(c, 0) == so_far + 10 && cell_sum(h, 0) == 2 + so_far / 5 ? 0
												  : 1;
}

static void words__of_all_source_files__are_not_the_parents(void **state)
{
	unsigned i;

	so_far = 0;
	for (i = 0; i < 3; i++) {
		sm_counter_add(c, 1);
		sm_counter_add_fn(c, 1);
		sm_histogram_observe(h, .001);
		sm_histogram_observe_fn(h, .001);
		in_child(count_there_first);
		so_far += 10;
		in_child(count_here_first);
		so_far += 10;
	}
	assert_int_equal(cell_sum(c, 0), 6);
	assert_int_equal(cell_sum(h, 0), 6);
}

static void *count_in_thread(void *arg)
{
	sm_counter_add(c, 5);
	sm_counter_add_fn(c, 5);
	return arg;
}

/* The claim is another thread's; this one has words of the parent's. And so on, down the line. */
static unsigned generation;

static int count_beside_a_thread(void)
{
	pthread_t thread;
	uint32_t slot = segment.m->slot;

	if (pthread_create(&thread, NULL, count_in_thread, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0 || segment.m->slot == slot)
		return 1;
	sm_counter_add(c, 5);
	sm_counter_add_fn(c, 5);
	if (cell_sum(c, 0) != 20)
		return 2;
	if (++generation < 5)
		in_child(count_beside_a_thread);
	return cell_sum(c, 0) == 20 ? 0 : 3;
}

static void words__of_threads_and_grandchildren__are_their_own(void **state)
{
	sm_counter_add(c, 1);
	sm_counter_add_fn(c, 1);
	in_child(count_beside_a_thread);
	assert_int_equal(cell_sum(c, 0), 2);
}

/* A series that is found without a lock is so in a child, too, before it claims and afterwards. */
static int look_up(void)
{
	struct sm_family *f = segment.m->families;
	struct sm_counter *found;

	while (strcmp(f->def.name, "l_total") != 0)
		f = f->next;
	found = sm_counter(f, SM_LABELS("play", "ok"));
	if (is_a_child() || handle_of(found)->pub->lens)
		return 1;
	sm_counter_add(found, 3);
	return is_a_child() && handle_of(found)->pub->lens &&
			       sm_counter(f, SM_LABELS("play", "ok")) == found &&
			       cell_sum(found, 0) == 3
		       ? 0
		       : 2;
}

static void series__of_the_parent__is_found_in_a_child(void **state)
{
	struct sm_counter *l = sm_counter(declare(&(struct sm_family_options){
		.kind = SM_COUNTER, .name = "l_total", .labels = { "a", "b" } }),
		SM_LABELS("play", "ok"));

	sm_counter_add(l, 1);
	in_child(look_up);
	assert_int_equal(cell_sum(l, 0), 1);
}

static int set_gauge(void)
{
	sm_gauge_set(g, 3);
	return is_a_child() && bits_double(*lane_word(g, 0, 0) ^ SM_UNSET) == 3 ? 0 : 1;
}

static int add_to_gauge(void)
{
	sm_gauge_add(g, 3);	/* from nothing: the child's own value */
	return is_a_child() && bits_double(*lane_word(g, 0, 0) ^ SM_UNSET) == 3 ? 0 : 1;
}

static int set_recent(void)
{
	sm_gauge_set(r, 4);
	return is_a_child() && bits_double(*lane_word(r, 0, SM_RECENT_VALUE) ^ SM_UNSET) == 4 ? 0
											      : 1;
}

static void gauge__in_a_child__is_its_own(void **state)
{
	sm_gauge_set(g, 1);
	sm_gauge_set(r, 1);
	in_child(set_gauge);
	in_child(add_to_gauge);
	in_child(set_recent);
	assert_true(bits_double(*lane_word(g, 0, 0) ^ SM_UNSET) == 1);
	assert_true(bits_double(*lane_word(r, 0, SM_RECENT_VALUE) ^ SM_UNSET) == 1);
}

static int observe(void)
{
	sm_histogram_observe_ns(h, 1);
	sm_histogram_observe(h, .001);
	return is_a_child() && cell_sum(h, 0) == 2 && cell_sum(h, handle_buckets(handle_of(h))->sum) == 1000001 ? 0
											      : 1;
}

static void histogram__in_a_child__goes_to_its_slot(void **state)
{
	sm_histogram_observe(h, .001);
	in_child(observe);
	assert_int_equal(cell_sum(h, 0), 1);
}

static struct sm_exemplar_rec *exemplar(void)
{
	return region_exemplar(segment.m->region,
		region_series(segment.m->region, handle_of(c)->series)->exemplar - 1);
}

static int attach(void)
{
	sm_counter_exemplar(c, 1, SM_LABELS("id", "child") / 2);
	return is_a_child() && (exemplar()->seq >> 1 & 0xffff) == segment.m->slot ? 0 : 1;
}

static void exemplar__in_a_child__names_its_slot(void **state)
{
	in_child(attach);
	assert_string_equal(exemplar()->labels + 3, "child");
}

static int record(void)
{
	int rc = sm_slow_record(segment.m, "child", "ok", 1, NULL, NULL);

	return rc == 0 && is_a_child() &&
			       !strcmp(region_ring(segment.m->region, segment.m->slot, 0)
					       ->operation,
				       "child")
		       ? 0
		       : 1;
}

static void record__of_a_child__is_in_its_own_ring(void **state)
{
	assert_int_equal(sm_slow_record(segment.m, "parent", "ok", 1, NULL, NULL), 0);
	in_child(record);
	assert_string_equal(
		region_ring(segment.m->region, segment.m->slot, 0)->operation, "parent");
}

static struct sm_flow flow;

/* Flows that ended, in this process' slot. */
static uint64_t ended(void)
{
	struct sm_histogram *total = sm_histogram(sm_declare(segment.m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "flow_duration_seconds", .unit = SM_SECONDS,
		.labels = { "status" } }, NULL), SM_LABELS("ok"));
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i <= total->buckets->nbounds; i++)
		n += cell_sum(total, i);
	return n;
}

static int end_flow(void)
{
	sm_flow_checkpoint(&flow, "stage");
	sm_flow_end(&flow, "ok");
	return is_a_child() && ended() == 1 ? 0 : 1;
}

/* A flow is memory: parent and child may both end it. */
static void flow__begun_before_fork__ends_in_both(void **state)
{
	assert_int_equal(sm_flow_start(&flow, t, SM_NO_LABELS, NULL), 0);
	in_child(end_flow);
	assert_int_equal(end_flow(), 1);	/* not a child */
	assert_int_equal(ended(), 1);
}

#define IDS 100

static uint8_t ids[4][IDS][16];
static int pipes[2];

static void make_ids(unsigned part)
{
	unsigned i;

	for (i = 0; i < IDS; i++)
		trace_id(ids[part][i], 16);
}

static int send_ids(void)
{
	make_ids(0);
	return write(pipes[1], ids[0], sizeof(ids[0])) == (ssize_t)sizeof(ids[0]) ? 0 : 1;
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* The generator is a copy in each child; the ids must not be. */
static void ids__of_children__differ(void **state)
{
	uint8_t (*all)[16] = ids[0];
	unsigned i;

	assert_int_equal(pipe(pipes), 0);
	make_ids(0);
	for (i = 1; i <= 2; i++) {
		in_child(send_ids);
		assert_int_equal(read(pipes[0], ids[i], sizeof(ids[i])), sizeof(ids[i]));
	}
	make_ids(3);
	qsort(all, 4 * IDS, sizeof(*all), compare_ids);
	for (i = 1; i < 4 * IDS; i++)
		assert_true(memcmp(all[i], all[i - 1], 16) != 0);
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* Before sm_flow_declare() every id comes from the kernel. */
		cmocka_unit_test(ids__of_children__differ),
		fork_test(counter__in_a_child__goes_to_its_slot),
		fork_test(words__of_all_source_files__are_not_the_parents),
		fork_test(words__of_threads_and_grandchildren__are_their_own),
		fork_test(series__of_the_parent__is_found_in_a_child),
		fork_test(gauge__in_a_child__is_its_own),
		fork_test(histogram__in_a_child__goes_to_its_slot),
		fork_test(exemplar__in_a_child__names_its_slot),
		fork_test(record__of_a_child__is_in_its_own_ring),
		fork_test(flow__begun_before_fork__ends_in_both),
		cmocka_unit_test(ids__of_children__differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
