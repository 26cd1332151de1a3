/* SPDX-License-Identifier: Apache-2.0 */
/* test_writer.c - being a writer: heartbeat, lanes in stock, holds, moving to a new file,
 * closing. */
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bind.h"
#include "catalog.h"
#include "lock.h"
#include "segment.h"

static struct sm_counter *counter(const char *name)
{
	return sm_counter(declare(&(struct sm_family_options){ .kind = SM_COUNTER, .name = name }),
		SM_NO_LABELS);
}

static bool holds(const void *pub)
{
	uint32_t bit = series_bit(segment.m->region, handle_of(pub)->series);

	return region_holds(segment.m->region, segment.m->slot)[bit / 64] >> (bit % 64) & 1;
}

static void heartbeat__tells_time_and_usage(void **state)
{
	const struct sm_slot *s = writer_slot(segment.m);
	uint64_t first = s->heartbeat_boot_ns, before = clock_ns(CLOCK_BOOTTIME);
	const struct sm_usage_rec *u = &s->usage;
	unsigned fds;
	int fd;

	assert_int_equal(s->heartbeats, 0);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_int_equal(s->heartbeats, 1);
	assert_true(s->heartbeat_boot_ns >= before && before >= first);
	assert_in_range(u->at_boot_ns, before, clock_ns(CLOCK_BOOTTIME));
	assert_true(u->resident_bytes > 100000 && u->virtual_bytes > u->resident_bytes);
	assert_true(u->threads >= 1 && u->max_fds > 3);
	assert_in_range(u->open_fds, 3, 1000);
	assert_true(u->cpu_user_ns + u->cpu_system_ns > 0);
	fds = (unsigned)u->open_fds;
	fd = dup(0);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_int_equal(u->open_fds, fds + (fd >= 0));
	close(fd);
	assert_int_equal(s->heartbeats, 2);
}

static void slot__of_a_writer__has_its_identity(void **state)
{
	const struct sm_slot *s = writer_slot(segment.m);
	struct stat st;

	assert_int_equal(s->state, SM_SLOT_LIVE);
	assert_int_equal(s->incarnation, 1);
	assert_string_equal(s->name, "unit");
	assert_int_equal(s->pid, getpid());
	assert_int_equal(stat("/proc/self/ns/pid", &st), 0);
	assert_int_equal(s->pidns, st.st_ino);
	assert_int_equal(s->uid, geteuid());
	assert_true(s->start_boot_ns > 0 && s->start_boot_ns <= s->claimed_boot_ns + 20000000);
	assert_true(s->start_real_ns > UINT64_C(1500000000) * 1000000000u);
	assert_int_equal(s->lanes, 3);			/* the shared one, and one for a thread */
	assert_int_equal(s->exited_boot_ns, 0);
}

static void handle__bound__is_held_and_has_memory(void **state)
{
	struct sm_counter *c = counter("c_total");
	const struct region *r = segment.m->region;
	uint32_t page = WHERE_BYTE(place_of(c)) / SM_PAGE;
	unsigned l;

	assert_true(holds(c));
	for (l = 0; l < 4; l++)
		assert_int_equal(
			region_page_reserved(r, sm_lane_number(&r->geo, segment.m->slot, l), page),
			l < 2);
	assert_true(region_page_reserved(r, 0, page) && region_page_reserved(r, 1, page));
	assert_int_equal(sm_remove(handle_of(c)->family, SM_NO_LABELS, 0), 0);
	assert_int_equal(c->where, 0);
}

/* A lane that is made later gets memory for all that was resolved before. */
static void lane__prepared_later__has_memory_for_all(void **state)
{
	struct sm_histogram *h = sm_histogram(
		declare(&(struct sm_family_options){
			.kind = SM_HISTOGRAM, .name = "h", .unit = SM_SECONDS, .labels = { "l" } }),
		SM_LABELS("a"));
	struct sm_gauge *g =
		sm_gauge(declare(&(struct sm_family_options){ .kind = SM_GAUGE, .name = "g" }),
			SM_NO_LABELS);
	const struct region *r = segment.m->region;
	unsigned lane = sm_lane_number(&r->geo, segment.m->slot, 2);
	uint32_t last = (WHERE_BYTE(place_of(h)) + handle_cells(handle_of(h)) * 8 - 1) / SM_PAGE;

	assert_int_equal(process_lock(), 0);
	assert_int_equal(writer_prepare_lanes(segment.m, 2), 0);
	process_unlock();
	assert_int_equal(lanes_prepared(segment.m->number), 2);
	assert_true(region_page_reserved(r, lane, WHERE_BYTE(place_of(h)) / SM_PAGE));
	assert_true(region_page_reserved(r, lane, last));
	/* Not for a gauge, which is in the shared lane only. */
	assert_false(region_page_reserved(r, lane, WHERE_BYTE(place_of(g)) / SM_PAGE));
	assert_true(region_page_reserved(r, sm_lane_number(&r->geo, segment.m->slot, 0),
					 WHERE_BYTE(place_of(g)) / SM_PAGE));
	/* No more than there are. */
	assert_int_equal(process_lock(), 0);
	assert_int_equal(writer_prepare_lanes(segment.m, 60), 0);
	process_unlock();
	assert_int_equal(lanes_prepared(segment.m->number), 3);
	assert_int_equal(writer_slot(segment.m)->lanes, 0xf);
}

static void *add_one(void *arg)
{
	sm_counter_add(arg, 1);
	return NULL;
}

/* The one lane in stock is taken by this thread: a resolve prepares the next. */
static void resolve__without_a_lane_in_stock__prepares_one(void **state)
{
	struct sm_counter *c = counter("c_total");
	pthread_t thread;

	assert_int_equal(lanes_prepared(segment.m->number), 1);
	sm_counter_add(c, 1);
	assert_int_equal(lanes_free(segment.m->number), 0);
	counter("d_total");
	assert_int_equal(lanes_prepared(segment.m->number), 2);
	pthread_create(&thread, NULL, add_one, c);
	pthread_join(thread, NULL);
	assert_int_equal(*lane_word(c, 1, 0), 1);
	assert_int_equal(*lane_word(c, 2, 0), 1);
	assert_int_equal(*lane_word(c, 0, 0), 0);
}

/* ---- another file -------------------------------------------------------------------------- */

static void file__removed__is_followed_by_handles_and_gauges(void **state)
{
	struct sm_counter *c = counter("c_total");
	struct sm_gauge *g =
		sm_gauge(declare(&(struct sm_family_options){ .kind = SM_GAUGE, .name = "g" }),
			SM_NO_LABELS);
	struct sm_gauge *recent = sm_gauge(declare(&(struct sm_family_options){
		.kind = SM_GAUGE, .name = "recent", .mode = SM_MODE_MOSTRECENT }), SM_NO_LABELS);
	const struct region *old = segment.m->region;
	uint64_t *old_cell, *old_gauge;
	sm_where_ old_where = c->where;
	uint64_t old_lane;

	sm_counter_add(c, 5);
	old_lane = sm_lane_;
	sm_gauge_set(g, 2);
	sm_gauge_set(recent, 9);
	old_cell = lane_word(c, 1, 0);
	old_gauge = lane_word(g, 0, 0);
	assert_int_equal(unlink(segment.path), 0);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_ptr_not_equal(segment.m->region, old);
	assert_ptr_equal(segment.m->region->older, old);
	assert_true(c->where != old_where && handle_bound(handle_of(c)));
	assert_true(holds(c) && holds(g));
	assert_int_equal(*old_cell, 5);			/* stays where it was counted */
	assert_int_equal(cell_sum(c, 0), 0);
	assert_int_equal(*old_gauge, 0);		/* moved */
	assert_true(bits_double(*lane_word(g, 0, 0) ^ SM_UNSET) == 2);
	assert_true(bits_double(*lane_word(recent, 0, SM_RECENT_VALUE) ^ SM_UNSET) == 9);
	assert_true(*lane_word(recent, 0, SM_RECENT_TIME) != 0 && !(*lane_word(recent, 0, 0) & 1));
	sm_counter_add(c, 7);
	assert_int_equal(cell_sum(c, 0), 7);
	assert_int_equal(*old_cell, 5);
	/* An update that was on its way goes to the old file. */
	c->where = old_where;
	sm_lane_ = old_lane;
	sm_counter_add(c, 1);
	assert_int_equal(*old_cell, 6);
}

static void file__that_cannot_be_made__is_an_error_each_time(void **state)
{
	struct sm_counter *c = counter("c_total");
	struct region *old = segment.m->region;
	struct sm_diag diag;

	assert_int_equal(unlink(segment.path), 0);
	assert_int_equal(mkdir(segment.path, 0755), 0);
	assert_true(sm_heartbeat(segment.m) < 0);
	assert_true(sm_status(segment.m, &diag) < 0 && strstr(diag.message, segment.path));
	assert_ptr_equal(segment.m->region, old);
	sm_counter_add(c, 1);
	assert_int_equal(cell_sum(c, 0), 1);
	/* A new series finds no place, and is counted as refused. */
	assert_false(handle_bound(handle_of(sm_counter(
		sm_declare(segment.m,
			&(struct sm_family_options){ .kind = SM_COUNTER, .name = "new_total" },
			&diag),
		SM_NO_LABELS))));
	assert_true(diag.error < 0);
	assert_int_equal(rmdir(segment.path), 0);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_int_equal(sm_status(segment.m, &diag), 0);
	assert_ptr_not_equal(segment.m->region, old);
}

/* As often as there are numbers for regions; then one clear error, and counting goes on in the
 * last. */
static void file__removed_too_often__is_told(void **state)
{
	struct sm_counter *c = counter("c_total");
	struct sm_diag diag;
	unsigned i, made = 0;

	for (i = 0; i < LANE_REGIONS + 5; i++) {
		assert_int_equal(unlink(segment.path), 0);
		made += sm_heartbeat(segment.m) == 0;
	}
	assert_int_equal(made, LANE_REGIONS - 2);
	assert_int_equal(sm_status(segment.m, &diag), -ENOSPC);
	assert_non_null(strstr(diag.message, "restart"));
	sm_counter_add(c, 3);
	assert_int_equal(cell_sum(c, 0), 3);
	sm_close(segment.m);
	/* All numbers are free again. */
	segment_open_as("again", 0);
	assert_int_equal(sm_heartbeat(segment.m), 0);
}

/* ---- the lock is not free ------------------------------------------------------------------ */

static void wait__in_vain__is_not_repeated_for_a_second(void **state)
{
	struct sm_family *f = declare(&(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total", .labels = { "l" } });
	int fd = catalog_lock(segment.m->region, 100);
	uint64_t start = clock_ns(CLOCK_MONOTONIC), waited;
	struct sm_counter *a, *b;

	a = sm_counter(f, SM_LABELS("a"));
	waited = clock_ns(CLOCK_MONOTONIC) - start;
	assert_in_range(waited, 100000000, UINT64_C(5000000000));
	start = clock_ns(CLOCK_MONOTONIC);
	b = sm_counter(f, SM_LABELS("b"));
	assert_true(clock_ns(CLOCK_MONOTONIC) - start < waited);
	assert_true(segment.m->impatient_until_ns != 0);
	assert_true(!a->where && !b->where && segment.m->pending);
	assert_int_equal(refused(SM_REFUSED_LOCK_TIMEOUT), 2);
	catalog_unlock(segment.m->region, fd);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_true(a->where && b->where && !segment.m->pending);
	assert_true(segment.m->impatient_until_ns == 0);
}

/* ---- closing ------------------------------------------------------------------------------- */

static void writer__closed__is_dead_at_once_and_its_counts_stay(void **state)
{
	struct sm_counter *c = counter("c_total");
	struct sm *first = segment.m;
	uint32_t slot = first->slot;
	uint64_t incarnation;

	sm_counter_add(c, 5);
	incarnation = first->incarnation;
	segment_open_as("other", 0);
	assert_true(region_slot(segment.m->region, slot)->state == SM_SLOT_LIVE);
	sm_close(first);
	assert_true(region_slot(segment.m->region, slot)->exited_boot_ns > 0);
	assert_int_equal(c->where, 0);
	sm_counter_add(c, 100);
	sm_close(segment.m);
	/* A successor of its name takes the slot, and goes on. */
	segment_open_as("unit", 0);
	assert_int_equal(segment.m->slot, slot);
	assert_int_equal(segment.m->incarnation, incarnation + 1);
	assert_int_equal(writer_slot(segment.m)->restarts, 1);
	c = counter("c_total");
	assert_int_equal(cell_sum(c, 0), 5);
	sm_counter_add(c, 1);
	assert_int_equal(cell_sum(c, 0), 6);
}

/* What another process removed is begun anew at a heartbeat. */
static void series__removed_by_another__begins_anew(void **state)
{
	struct sm_counter *c = counter("c_total");
	struct sm *mine = segment.m;
	int status;
	pid_t pid;

	if (getenv("EMULATED"))
		skip();			/* qemu-user 7.2 does nothing for MADV_WIPEONFORK */
	sm_counter_add(c, 5);
	pid = fork();
	if (pid == 0) {
		segment_open_as("other", 0);
		_exit(sm_remove(declare(&(struct sm_family_options){
			.kind = SM_COUNTER, .name = "c_total" }),
			      SM_NO_LABELS, SM_REMOVE_FORCE) == 0
				? 0
				: 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	segment.m = mine;
	assert_int_equal(sm_heartbeat(mine), 0);
	assert_true(handle_bound(handle_of(c)) && holds(c));
	sm_counter_add(c, 2);
	assert_int_equal(cell_sum(c, 0), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(heartbeat__tells_time_and_usage),
		segment_test(slot__of_a_writer__has_its_identity),
		segment_test(handle__bound__is_held_and_has_memory),
		segment_test(lane__prepared_later__has_memory_for_all),
		segment_test(resolve__without_a_lane_in_stock__prepares_one),
		segment_test(file__removed__is_followed_by_handles_and_gauges),
		segment_test(file__that_cannot_be_made__is_an_error_each_time),
		segment_test(file__removed_too_often__is_told),
		segment_test(wait__in_vain__is_not_repeated_for_a_second),
		segment_test(writer__closed__is_dead_at_once_and_its_counts_stay),
		segment_test(series__removed_by_another__begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
