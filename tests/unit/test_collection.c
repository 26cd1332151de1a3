/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=source_read -Wl,--wrap=pthread_cond_wait
/* collection.c: who reads, who shares, who gives up. Readings are held up by a gate. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/segment.h"

#include "exporter/clock.h"
#include "exporter/collection.h"
#include "exporter/log.h"

static struct collector *collector;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int closed;		/* readings wait */
static unsigned readings, sharers;	/* sharers: that wait for the reading of another */
static unsigned last_flags;

void __real_source_read(struct source *s, unsigned flags, struct source_reading *ret_reading);

void __wrap_source_read(struct source *s, unsigned flags, struct source_reading *ret_reading)
{
	pthread_mutex_lock(&mutex);
	readings++;
	last_flags = flags;
	pthread_cond_broadcast(&changed);
	while (closed)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	__real_source_read(s, flags, ret_reading);
}

int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	if (m != &mutex) {
		pthread_mutex_lock(&mutex);
		sharers++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mutex);
	}
	return __real_pthread_cond_wait(c, m);
}

static int setup(void **state)
{
	const char *name = segment.path, *bad;

	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
	if (segment_set_up(state))
		return -1;
	readings = sharers = 0;
	closed = 0;
	return collector_create(&name, 1, &collector, &bad);
}

static int teardown(void **state)
{
	collector_free(collector);
	return segment_tear_down(state);
}

struct asker {
	pthread_t thread;
	unsigned flags;
	uint64_t deadline_ns;
	int rc;
	const struct collection *c;
};

static void *ask(void *arg)
{
	struct asker *a = arg;

	a->rc = collector_get(collector, a->flags, a->deadline_ns, &a->c);
	return NULL;
}

static void begin(struct asker *a, unsigned flags)
{
	*a = (struct asker){ .flags = flags };
	assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
}

static void set_gate(int is_closed)
{
	pthread_mutex_lock(&mutex);
	closed = is_closed;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static void await(const unsigned *count, unsigned n)
{
	pthread_mutex_lock(&mutex);
	while (*count < n)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static void get__one_asker__reads_the_segment(void **state)
{
	const struct collection *c;

	assert_int_equal(collector_get(collector, 0, 0, &c), 0);
	assert_int_equal(c->nsegments, 1);
	assert_string_equal(c->segment[0].name, segment.path);
	assert_int_equal(c->segment[0].reading.n, 1);
	assert_int_equal(c->segment[0].reading.status.up, 1);
	assert_true(c->began_ns > 0);
	assert_int_equal(c->exporter.has_config, 0);
	collection_release(c);
	collection_release(NULL);
}

static void get__while_one_is_made__shares_it(void **state)
{
	struct asker a[8];
	unsigned i;

	set_gate(1);
	begin(&a[0], SM_SNAPSHOT_WRITERS);
	await(&readings, 1);
	for (i = 1; i < 8; i++)
		begin(&a[i], i & 1 ? SM_SNAPSHOT_WRITERS : 0);
	/* One that gives up on the way does not disturb the others. */
	struct asker late = { .deadline_ns = clock_now() + 20 * CLOCK_MS };

	ask(&late);
	assert_int_equal(late.rc, -ETIMEDOUT);
	await(&sharers, 7);
	set_gate(0);
	for (i = 0; i < 8; i++) {
		pthread_join(a[i].thread, NULL);
		assert_int_equal(a[i].rc, 0);
		assert_ptr_equal(a[i].c, a[0].c);
	}
	assert_int_equal(readings, 1);
	for (i = 0; i < 8; i++)
		collection_release(a[i].c);
}

static void get__needs_more_than_what_is_made__waits_for_the_next(void **state)
{
	struct asker plain, more;

	set_gate(1);
	begin(&plain, 0);
	await(&readings, 1);
	begin(&more, SM_SNAPSHOT_WRITERS);
	await(&sharers, 1);
	set_gate(0);
	pthread_join(plain.thread, NULL);
	pthread_join(more.thread, NULL);
	assert_int_equal(plain.rc, 0);
	assert_int_equal(more.rc, 0);
	assert_int_equal(readings, 2);
	assert_true(last_flags & SM_SNAPSHOT_WRITERS);
	assert_ptr_not_equal(plain.c, more.c);
	collection_release(plain.c);
	collection_release(more.c);
}

static void get__past_its_deadline__says_so(void **state)
{
	const struct collection *c;

	assert_int_equal(collector_get(collector, 0, 1, &c), -ETIMEDOUT);
	assert_int_equal(collector_get(collector, 0, clock_now() + 60 * CLOCK_S, &c), 0);
	collection_release(c);
}

static void look__file_replaced__attaches_without_a_scrape(void **state)
{
	const struct collection *c;

	collector_look(collector);
	assert_int_equal(readings, 1);		/* it was new */
	collector_look(collector);
	assert_int_equal(readings, 1);
	unlink(segment.path);
	collector_look(collector);
	sm_close(segment.m);
	segment_open_as("other", 0);
	collector_look(collector);
	assert_int_equal(readings, 2);
	assert_int_equal(collector_get(collector, 0, 0, &c), 0);
	assert_int_equal(c->segment[0].reading.status.current_files, 1);
	collection_release(c);
}

static void describe(void *ctx, struct collection_exporter *ret_exporter)
{
	ret_exporter->connections = *(unsigned *)ctx;
}

static void describe__is_set__fills_each_collection(void **state)
{
	const struct collection *c;
	unsigned n = 7;

	collector_describe(collector, describe, &n);
	assert_int_equal(collector_get(collector, 0, 0, &c), 0);
	assert_int_equal(c->exporter.connections, 7);
	collection_release(c);
}

static void create__bad_names__are_told(void **state)
{
	char other[128];
	const char *names[] = { segment.path, "bad name!", other }, *bad = NULL;
	struct collector *k;

	assert_int_equal(collector_create(names, 2, &k, &bad), -EINVAL);
	assert_string_equal(bad, "bad name!");
	/* The same file by another path, and by the same. */
	snprintf(other, sizeof(other), "%s/../%s/segment", segment.dir, strrchr(segment.dir, '/') + 1);
	names[1] = other;
	assert_int_equal(collector_create(names, 2, &k, &bad), -EEXIST);
	assert_string_equal(bad, other);
	names[1] = segment.path;
	assert_int_equal(collector_create(names, 2, &k, &bad), -EEXIST);
	snprintf(other, sizeof(other), "%s/none", segment.dir);
	names[1] = other;
	assert_int_equal(collector_create(names, 2, &k, &bad), 0);
	assert_int_equal(collector_segments(k), 2);
	assert_string_equal(collector_path(k, 1), other);
	assert_string_equal(collector_name(k, 0), segment.path);
	collector_free(k);
	collector_free(NULL);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(get__one_asker__reads_the_segment),
		test(get__while_one_is_made__shares_it),
		test(get__needs_more_than_what_is_made__waits_for_the_next),
		test(get__past_its_deadline__says_so),
		test(look__file_replaced__attaches_without_a_scrape),
		test(describe__is_set__fills_each_collection),
		test(create__bad_names__are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
