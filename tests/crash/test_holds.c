/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -Wl,--wrap=clock_gettime */
/*
 * test_holds.c - nobody writes to a cell that became another series', and what was refused or
 * removed costs nothing for good. CLOCK_BOOTTIME runs ahead, so that what was removed cools off at
 * once.
 */
#include "harness.h"

#define COOL_OFF_NS (UINT64_C(61) * 1000000000u)

static uint64_t *ahead_ns;	/* shared */

int __real_clock_gettime(clockid_t id, struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = __real_clock_gettime(id, ts);

	if (id == CLOCK_BOOTTIME && ahead_ns)
		ts->tv_sec += (time_t)(load_relaxed(ahead_ns) / 1000000000u);
	return rc;
}

static void let_cool_off(void)
{
	add_relaxed(ahead_ns, COOL_OFF_NS);
}

static struct sm *open_writer(const char *name, unsigned slots)
{
	struct sm_options o = {
		.segment = segment_path, .writer = name, .flags = SM_OPEN_NO_ENVIRONMENT,
		.lock_timeout_ms = 5000, .max_writers = slots, .lanes_per_writer = 3,
		.max_families = 16, .max_series = 64, .max_cells = 1024, .ring_entries = 4,
	};
	struct sm_diag diag;
	struct sm *m = sm_open(&o, &diag);

	if (diag.error)
		FAIL("sm_open(%s): %s", name, diag.message);
	return m;
}

static struct sm_family *declare_as(struct sm *m, enum sm_kind kind, const char *name,
				    enum sm_number number)
{
	struct sm_family_options o = {
		.kind = kind, .name = name, .labels = { "k" }, .number = number,
	};
	struct sm_diag diag;
	struct sm_family *f = sm_declare(m, &o, &diag);

	if (diag.error)
		FAIL("sm_declare(%s): %s", name, diag.message);
	return f;
}

static struct sm_family *declare(struct sm *m, enum sm_kind kind, const char *name)
{
	return declare_as(m, kind, name, SM_NUMBER_U64);
}

/* ---- reading ------------------------------------------------------------------------------- */

static const struct sm_snapshot *take(void)
{
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct sm_diag diag;

	if (sm_reader_open(segment_path, &r, &diag) || sm_snapshot_take(r, 0, &s, &diag))
		FAIL("no snapshot: %s", diag.message);
	sm_reader_close(r);
	return s;
}

static uint64_t total_of(const char *family, const char *label)
{
	const struct sm_snapshot *s = take();
	uint64_t units = read_units(s, family, label, 0);

	sm_snapshot_free(s);
	return units;
}

static bool value_of(const char *family, const char *label, double *ret)
{
	const struct sm_snapshot *s = take();
	bool is_set = read_double(s, family, label, ret);

	sm_snapshot_free(s);
	return is_set;
}

static uint32_t record_of(const char *family, const char *label)
{
	const struct sm_snapshot *s = take();
	const struct sm_series_info *series = find_series(s, family, label);
	uint32_t id = series ? series->id : UINT32_MAX;

	sm_snapshot_free(s);
	return id;
}

static uint64_t refused(unsigned reason)
{
	const struct sm_snapshot *s = take();
	uint64_t n = s->refused[reason];

	sm_snapshot_free(s);
	return n;
}

/* ---- processes that take turns ------------------------------------------------------------- */

/* A child that waits for a word before it goes on. */
static pid_t fork_waiting(int *ret_go)
{
	int go[2];
	pid_t pid;
	char c;

	CHECK(pipe(go) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid) {
		close(go[0]);
		*ret_go = go[1];
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(go[1]);
	CHECK(read(go[0], &c, 1) == 1);
	return 0;
}

static void let_go(pid_t pid, int go)
{
	int status;

	CHECK(write(go, "", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(was_fine(status));
	close(go);
}

static void register_b(void *arg)
{
	struct sm_family *f = declare(open_writer("other", 0), SM_COUNTER, "b_total");

	(void)arg;
	sm_counter_add(sm_counter(f, SM_LABELS("b")), 1);
}

/* ---- cases --------------------------------------------------------------------------------- */

/* A child that has not claimed yet holds nothing: its handle's cells may be another series' by
 * now. */
static void child__whose_series_was_removed__counts_in_no_other(void *arg)
{
	struct sm *m = open_writer("parent", 4);
	struct sm_family *f = declare(m, SM_COUNTER, "a_total");
	struct sm_counter *c = sm_counter(f, SM_LABELS("a"));
	uint32_t record;
	pid_t pid;
	int go;

	(void)arg;
	sm_counter_add(c, 1);
	pid = fork_waiting(&go);
	if (pid == 0) {
		sm_counter_add(c, 1000000);	/* claims, and finds that it has no cell */
		sm_counter_add(c, 1000000);
		c = sm_counter(f, SM_LABELS("a"));
		sm_counter_add(c, 5);
		_exit(0);
	}
	record = record_of("a_total", "a");
	CHECK(sm_remove(f, SM_LABELS("a"), 0) == 0);
	let_cool_off();
	run_process_fine(register_b, NULL);
	CHECK_U64(record_of("b_total", "b"), record);	/* else this tests nothing */
	let_go(pid, go);
	CHECK_U64(total_of("b_total", "b"), 1);
	CHECK_U64(total_of("a_total", "a"), 5);
	CHECK_U64(refused(SM_REFUSED_LOST_UPDATE), 1);
}

/* The same where the child gets no slot and would count in the common lane. */
static void child_without_slot__whose_series_was_removed__counts_in_no_other(void *arg)
{
	struct sm *m = open_writer("parent", 2);
	struct sm_family *f = declare(m, SM_COUNTER, "a_total");
	struct sm_counter *c = sm_counter(f, SM_LABELS("a"));
	uint32_t record;
	pid_t pid;
	int go;

	(void)arg;
	pid = fork_waiting(&go);
	if (pid == 0) {
		sm_counter_add(c, 1000000);
		sm_counter_add(c, 1000000);
		_exit(0);
	}
	record = record_of("a_total", "a");
	CHECK(sm_remove(f, SM_LABELS("a"), 0) == 0);
	let_cool_off();
	sm_counter_add(sm_counter(declare(m, SM_COUNTER, "b_total"), SM_LABELS("b")), 1);
	CHECK_U64(record_of("b_total", "b"), record);
	let_go(pid, go);
	CHECK_U64(total_of("b_total", "b"), 1);
	CHECK(refused(SM_REFUSED_LOST_UPDATE) >= 1);
}

/* Counters of a child that gets no slot are in the totals; a gauge would stay there for ever. */
static void child_without_slot__counts_in_the_common_lane__but_sets_no_gauge(void *arg)
{
	struct sm *m = open_writer("parent", 2);
	struct sm_counter *c = sm_counter(declare(m, SM_COUNTER, "a_total"), SM_LABELS("a"));
	struct sm_gauge *g = sm_gauge(declare(m, SM_GAUGE, "level"), SM_LABELS("a"));
	struct sm_updown *u = sm_updown(declare(m, SM_UPDOWN, "open"), SM_LABELS("a"));
	double v;
	pid_t pid;
	int go, i;

	(void)arg;
	sm_counter_add(c, 1);
	pid = fork_waiting(&go);
	if (pid == 0) {
		for (i = 0; i < 3000; i++)
			sm_counter_add(c, 1);
		sm_gauge_set(g, 7);
		sm_updown_add(u, 1);
		_exit(0);
	}
	let_go(pid, go);
	CHECK_U64(total_of("a_total", "a"), 3001);
	CHECK(!value_of("level", "a", &v));
	CHECK(value_of("open", "a", &v) && v == 0);	/* the living parent's */
	CHECK_U64(refused(SM_REFUSED_LOST_UPDATE), 2);
	segment_check_clean();
}

/* One hold bit serves two handles: letting go of one must not give the other's cells away. */
static void series__counted_in_two_ways__is_held_until_both_let_go(void *arg)
{
	struct sm *m = open_writer("x", 4);
	struct sm_family *whole = declare(m, SM_COUNTER, "a_total");
	struct sm_family *fixed = declare_as(m, SM_COUNTER, "a_total", SM_NUMBER_FIXED);
	struct sm_counter *other;
	uint32_t record;

	(void)arg;
	sm_counter(whole, SM_LABELS("a"));
	other = sm_counter(fixed, SM_LABELS("a"));
	record = record_of("a_total", "a");
	CHECK(sm_remove(whole, SM_LABELS("a"), 0) == 0);
	let_cool_off();
	run_process_fine(register_b, NULL);
	CHECK(record_of("b_total", "b") != record);
	sm_counter_add(other, 1000000);		/* to the removed series: lost, but nowhere else */
	CHECK_U64(total_of("b_total", "b"), 1);
	CHECK(sm_heartbeat(m) == 0);		/* notices; now the series begins anew */
	sm_counter_add(other, 1000000);
	CHECK_U64(total_of("a_total", "a"), 1000000);	/* in units of 10^-6 */
	CHECK_U64(total_of("b_total", "b"), 1);
}

static void remove_by_force(void *arg)
{
	struct sm_family *f = declare(open_writer("remover", 0), SM_COUNTER, "a_total");

	(void)arg;
	steps_arm(3);		/* op:begun, remove:stamped, remove:tomb */
	sm_remove(f, SM_LABELS("a"), SM_REMOVE_FORCE);
}

/* A removal whose remover died counts as one: who holds the series must notice. */
static void holder__of_a_series_whose_remover_died__notices(void *arg)
{
	struct sm *m = open_writer("holder", 4);
	struct sm_counter *c = sm_counter(declare(m, SM_COUNTER, "a_total"), SM_LABELS("a"));

	(void)arg;
	sm_counter_add(c, 1);
	CHECK(was_killed(run_process(remove_by_force, NULL)));
	CHECK_U64(record_of("a_total", "a"), UINT32_MAX);
	run_process_fine(register_b, NULL);	/* recovers */
	CHECK(sm_heartbeat(m) == 0);
	sm_counter_add(c, 2);
	CHECK_U64(total_of("a_total", "a"), 2);
	segment_check_clean();
}

/* The unit of an ordinary gauge has no memory in the retired lanes; one that is kept needs it. */
static void kept_gauge__in_a_unit_that_was_another_gauge__is_kept(void *arg)
{
	struct sm *m = open_writer("x", 4);
	struct sm_family *f = declare(m, SM_GAUGE, "level"), *kept;
	struct sm_gc_result result;
	struct sm_diag diag;
	uint32_t record;
	double v;

	(void)arg;
	sm_gauge_set(sm_gauge(f, SM_LABELS("a")), 1);
	record = record_of("level", "a");
	CHECK(sm_remove(f, SM_LABELS("a"), 0) == 0);
	let_cool_off();
	kept = sm_declare(m, &(struct sm_family_options){
		.kind = SM_GAUGE, .name = "peak", .labels = { "k" }, .mode = SM_MODE_MAX,
		.keep = 1 }, &diag);
	sm_gauge_set(sm_gauge(kept, SM_LABELS("a")), 5);
	CHECK_U64(record_of("peak", "a"), record);
	sm_close(m);
	CHECK(sm_gc(segment_path, 0, &result, &diag) == 0 && result.writers == 1);
	CHECK(value_of("peak", "a", &v) && v == 5);
	segment_check_clean();
}

static struct sm_gauge *level_of(struct sm *m, const char *name, enum sm_gauge_mode mode, int keep)
{
	return sm_gauge(sm_declare(m, &(struct sm_family_options){ .kind = SM_GAUGE, .name = name,
		.labels = { "k" }, .mode = mode, .keep = keep }, NULL), SM_LABELS("a"));
}

/* Whoever goes on under a dead writer's name inherits its kept gauges, and no others. */
static void kept_gauge__of_a_writer_that_is_adopted__stays_until_set(void *arg)
{
	struct sm *m = open_writer("x", 4);
	double v;

	(void)arg;
	sm_gauge_set(level_of(m, "last_run", SM_MODE_SUM, 1), 5);
	sm_gauge_set(level_of(m, "latest", SM_MODE_MOSTRECENT, 1), 6);
	sm_gauge_set(level_of(m, "now", SM_MODE_SUM, 0), 7);
	sm_close(m);
	CHECK(value_of("last_run", "a", &v) && v == 5);
	CHECK(!value_of("now", "a", &v));
	m = open_writer("x", 4);
	CHECK(value_of("last_run", "a", &v) && v == 5);
	CHECK(value_of("latest", "a", &v) && v == 6);
	CHECK(!value_of("now", "a", &v));
	sm_gauge_set(level_of(m, "last_run", SM_MODE_SUM, 1), 8);
	CHECK(value_of("last_run", "a", &v) && v == 8);
	segment_check_clean();
	sm_close(m);
}

static void histogram__with_more_exemplars_than_there_are__does_without(void *arg)
{
	struct sm *m = open_writer("x", 4);
	double bounds[100];
	struct sm_histogram *h;
	unsigned i;

	(void)arg;
	for (i = 0; i < 100; i++)
		bounds[i] = i;
	h = sm_histogram(sm_declare(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "wide", .grid = SM_GRID_OFF,
		.bounds = bounds, .nbounds = 100, .exemplars = 1 }, NULL), SM_NO_LABELS);
	CHECK(h->where);
	sm_histogram_observe(h, 99);
	sm_histogram_exemplar(h, 99, (struct sm_str[]){ SM_STR("id"), SM_STR("1") }, 1);
	segment_check_clean();
}

/* Refusals again and again do not use up what others could have. */
static void series__refused_again_and_again__uses_up_nothing(void *arg)
{
	struct sm *m = open_writer("x", 4);
	struct sm_family *f = sm_declare(m, &(struct sm_family_options){
		.kind = SM_HISTOGRAM, .name = "wait_seconds", .unit = SM_SECONDS,
		.labels = { "k" } }, NULL);
	struct sm_header before, after;
	char label[16];
	unsigned i;

	(void)arg;
	for (i = 0; i < 40; i++) {
		snprintf(label, sizeof(label), "%u", i);
		sm_histogram(f, SM_LABELS(label));
		if (i == 9)
			CHECK(segment_header(&before));	/* 1,024 cells are full by then */
	}
	CHECK(segment_header(&after));
	CHECK(refused(SM_REFUSED_CELLS_FULL) > 30);
	CHECK_U64(after.strings_used, before.strings_used);
	CHECK_U64(after.series_used, before.series_used);
	CHECK(sm_gauge(declare(m, SM_GAUGE, "level"), SM_LABELS("a"))->where);
	segment_check_clean();
}

/* Marks of removed series in the index are cleared where no look-up needs them. */
static void index__after_many_removals__is_not_full_of_marks(void *arg)
{
	struct sm *m = open_writer("x", 4);
	struct sm_family *f = declare(m, SM_COUNTER, "a_total");
	uint32_t index[1024], bytes, marks = 0, i;
	struct sm_header h;
	char label[16];
	int fd;

	(void)arg;
	for (i = 0; i < 600; i++) {
		snprintf(label, sizeof(label), "%u", i);
		CHECK(sm_counter(f, SM_LABELS(label))->where);
		CHECK(sm_remove(f, SM_LABELS(label), 0) == 0);
		let_cool_off();
	}
	CHECK(segment_header(&h) && h.index_entries <= 1024);
	fd = open(segment_path, O_RDONLY | O_CLOEXEC);
	bytes = h.index_entries * 4;
	CHECK(pread(fd, index, bytes, (off_t)h.off_index) == (ssize_t)bytes);
	close(fd);
	for (i = 0; i < h.index_entries; i++)
		marks += index[i] == UINT32_MAX;
	CHECK(marks < h.index_entries / 8);
	CHECK(h.series_used <= 2);
	segment_check_clean();
}

static const struct {
	const char *name;
	void (*run)(void *arg);
} cases[] = {
#define CASE(f) { #f, f }
	CASE(child__whose_series_was_removed__counts_in_no_other),
	CASE(child_without_slot__whose_series_was_removed__counts_in_no_other),
	CASE(child_without_slot__counts_in_the_common_lane__but_sets_no_gauge),
	CASE(series__counted_in_two_ways__is_held_until_both_let_go),
	CASE(holder__of_a_series_whose_remover_died__notices),
	CASE(kept_gauge__in_a_unit_that_was_another_gauge__is_kept),
	CASE(kept_gauge__of_a_writer_that_is_adopted__stays_until_set),
	CASE(histogram__with_more_exemplars_than_there_are__does_without),
	CASE(series__refused_again_and_again__uses_up_nothing),
	CASE(index__after_many_removals__is_not_full_of_marks),
};

int main(void)
{
	unsigned i, failed = 0;

	segment_init("holds");
	ahead_ns = shared_memory(sizeof(*ahead_ns));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_context = cases[i].name;
		unlink(segment_path);
		if (was_fine(run_process(cases[i].run, NULL))) {
			printf("ok      %s\n", cases[i].name);
		} else {
			printf("failed  %s\n", cases[i].name);
			failed++;
		}
	}
	return failed != 0;
}
