/* SPDX-License-Identifier: Apache-2.0 */
// LDFLAGS: -Wl,--wrap=sm_snapshot_number -Wl,--wrap=sm_snapshot_buckets -Wl,--wrap=sm_snapshot_classic
/* /api/v1/query over real stores with rows made by hand: what is counted when, exactly. */
#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "exporter/clock.h"
#include "exporter/history/history.h"
#include "exporter/history/place.h"
#include "exporter/history/store.h"
#include "tests/unit/api_ask.h"
#include "tests/unit/fake_snapshot.h"

#define TEN	10000
#define BEGIN	UINT64_C(1600000800000)		/* a whole ten minutes, long ago */

static char dir[64];
static struct fake fake;
static struct store *store;
static unsigned missed, missed_why;	/* of the next row */
static uint64_t now_ms, skipped_ms;	/* wall clock; how much of it was set, not lived */

static struct store *open_store(void)
{
	struct store_options opts = { .dir = dir, .interval_ms = TEN,
		.retention_ms = UINT64_C(48) * 3600 * 1000, .max_bytes = 1 << 30,
		.map_bytes = UINT64_C(256) << 20 };
	struct sm_diag diag;
	struct store *s = NULL;

	if (store_open(&opts, &s, &diag))
		fail_msg("%s", diag.message);
	return s;
}

static int setup(void **state)
{
	char segment[128];

	snprintf(dir, sizeof(dir), "/dev/shm/shardmeter-api-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(segment, sizeof(segment), "%s/segment", dir);
	fake_init(&fake, 1);
	now_ms = BEGIN;
	skipped_ms = missed = missed_why = 0;
	store = open_store();
	api_set_up(segment, dir);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	api_tear_down();
	store_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* A row, ms after the one before; it is taken `late` ms after its tick. */
static void row_late(uint64_t ms, uint64_t late)
{
	const struct sm_snapshot *snapshots[] = { &fake.s };
	struct store_tick tick;
	struct sm_diag diag;
	struct view v;

	now_ms += ms;
	tick = (struct store_tick){ .now_ms = now_ms + late, .due_ms = now_ms, .missed = missed,
		.missed_why = missed_why };
	missed = missed_why = 0;
	fake.s.taken_real_ns = (now_ms + late) * 1000000;
	fake.s.taken_boot_ns = (now_ms + late - BEGIN - skipped_ms) * 1000000 + 5000000000;
	assert_int_equal(view_init(&v, snapshots, 1), 0);
	if (store_append(store, &v, &tick, &diag))
		fail_msg("%s", diag.message);
	view_release(&v);
}

static void row(uint64_t ms)
{
	row_late(ms, 3);
}

static unsigned counter(const char *name, const char *label)
{
	return fake_family(&fake, name, SM_COUNTER, label);
}

/* ---- rates ---------------------------------------------------------------------------------- */

static void rate__counter__is_per_second_of_real_time(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", "n"), "1");
	uint64_t n = 100;
	unsigned i;

	for (i = 0; i < 7; i++, n += 25) {
		c->all = fake_units(n);
		row(TEN);
	}
	assert_int_equal(ask("query?match[]=a_total&fn=rate&from=1600000800&to=1600000870"), 200);
	has("\"step\":10,\"resolution\":10,\"rows\":7,\"unreadable_rows\":0,\"times\":["
		"1600000810,1600000820,1600000830,1600000840,1600000850,1600000860,1600000870]");
	has("\"segment\":\"/dev/shm");
	has("\"name\":\"a_total\",\"kind\":\"counter\",\"unit\":\"\",\"labels\":{\"n\":\"1\"},"
		"\"values\":[null,2.5,2.5,2.5,2.5,2.5,2.5],\"min\":[null,2.5,");
	/* The row before the range is what the first step is compared with. */
	assert_int_equal(ask("query?match[]=a_total&fn=rate&from=1600000830&to=1600000850&minmax=false"),
		200);
	has("\"values\":[2.5,2.5]}]}}");
	/* Two rows a step. */
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000800&to=1600000860&step=20s"),
		200);
	has("\"values\":[25,50,50]}]}}");
}

static void rate__rows_some_ms_early_or_late__fall_into_their_steps(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", NULL), NULL);
	static const int late[] = { 5, 0, -1, 40, -2, 3 };
	unsigned i;

	for (i = 0; i < 6; i++) {
		c->all = fake_units(10 * i);
		row_late(TEN, (uint64_t)late[i]);
	}
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000800&to=1600000860"), 200);
	has("\"values\":[null,10,10,10,10,10]");
}

static void rate__short_peak__stays_visible_in_max(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", NULL), NULL);
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < 61; i++) {
		n += i == 33 ? 5000 : 10;
		c->all = fake_units(n);
		row(TEN);
	}
	/* As many points as fit: one, of all rows. */
	assert_int_equal(ask("query?match[]=a_total&fn=rate&from=1600000810&to=1600001400&step=600s"),
		200);
	has("\"values\":[9.457627118644067],\"min\":[1],\"max\":[500]");
}

static void gap__rows_missing__is_null_and_loses_nothing(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", NULL), NULL);
	unsigned i;

	for (i = 0; i < 6; i++) {
		c->all = fake_units(i < 3 ? 10 * i : 10 * (i + 3));
		/* The exporter was away for 40 s; the programs counted on. */
		row(i == 3 ? 4 * TEN : TEN);
	}
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000800&to=1600000890"), 200);
	has("\"values\":[null,10,10,null,null,null,40,10,10]");
	assert_int_equal(ask("query?match[]=a_total&fn=rate&from=1600000800&to=1600000890"), 200);
	has("\"values\":[null,1,1,null,null,null,1,1,1]");
	assert_int_equal(ask("query?match[]=a_total&from=1600000800&to=1600000890"), 200);
	has("\"values\":[0,10,20,null,null,null,60,70,80]");
}

static void gap__exporter_restarted__goes_on_counting(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", NULL), NULL);
	unsigned i;

	for (i = 0; i < 4; i++) {
		c->all = fake_units(i);
		row(TEN);
	}
	store_close(store);
	store = open_store();
	c->all = fake_units(8);
	row(2 * TEN);
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000800&to=1600000860"), 200);
	has("\"values\":[null,1,1,1,null,5]");
	/* The row before is looked for as far back as it takes. */
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000845&to=1600000860"), 200);
	has("\"values\":[null,5]");
}

/* ---- resets --------------------------------------------------------------------------------- */

static void reset__series_made_again__counts_from_zero(void **state)
{
	unsigned f = counter("a_total", "n");
	struct fake_cell *c = fake_series(&fake, f, "1");

	c->all = fake_units(1000);
	row(TEN);
	row(TEN);
	/* Removed and made again since: a later creation, a value above or below the last. */
	fake.series[f][0].created_real_ns = (now_ms + 2000) * 1000000;
	fake.series[f][0].incarnation++;
	fake.s.catalog_generation++;
	c->all = fake_units(1200);
	row(TEN);
	c->all = fake_units(1210);
	row(TEN);
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000800&to=1600000840"), 200);
	has("\"labels\":{\"n\":\"1\"},\"values\":[null,0,1200,10]}]}}");
}

static void reset__segment_made_again__counts_from_zero(void **state)
{
	unsigned f = counter("a_total", NULL);
	struct fake_cell *c = fake_series(&fake, f, NULL);

	c->all = fake_units(1000);
	row(TEN);
	memset(fake.segment.segment_id, 9, sizeof(fake.segment.segment_id));
	fake.series[f][0].created_real_ns = (now_ms + 1000) * 1000000;
	fake.s.catalog_generation = 77;
	c->all = fake_units(40);
	row(TEN);
	assert_int_equal(ask("query?match[]=a_total&fn=rate&from=1600000800&to=1600000820"), 200);
	has("\"values\":[null,4]");
}

/* The boot clock begins anew: what tells is the wall clock. */
static void reset__machine_booted__counts_from_zero_over_the_wall_clock(void **state)
{
	unsigned f = counter("a_total", NULL);
	struct fake_cell *c = fake_series(&fake, f, NULL);

	memcpy(fake.segment.boot_id, "11111111-2222-3333-4444-555555555555", 37);
	c->all = fake_units(1000);
	row(TEN);
	memcpy(fake.segment.boot_id, "99999999-2222-3333-4444-555555555555", 37);
	memset(fake.segment.segment_id, 9, sizeof(fake.segment.segment_id));
	fake.series[f][0].created_real_ns = (now_ms + 1000) * 1000000;
	fake.s.catalog_generation = 77;
	c->all = fake_units(40);
	skipped_ms = 20000;
	row(TEN);
	assert_int_equal(ask("query?match[]=a_total&fn=rate&from=1600000800&to=1600000820"), 200);
	has("\"values\":[null,4]");
}

static void reset__value_fell__counts_what_is_there(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", NULL), NULL);

	c->all = fake_units(100);
	row(TEN);
	c->all = fake_units(30);
	row(TEN);
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000800&to=1600000820"), 200);
	has("\"values\":[null,30]");
}

static void begin__series_that_is_older_than_the_row_before__has_no_first_interval(void **state)
{
	unsigned f = counter("a_total", "n");

	fake_series(&fake, f, "1")->all = fake_units(5);
	row(TEN);
	/* One is new, of the other we did not know (created at 77 ns). */
	fake_series(&fake, f, "2")->all = fake_units(7);
	fake.series[f][1].created_real_ns = (now_ms + 4000) * 1000000;
	fake_series(&fake, f, "3")->all = fake_units(9000);
	row(TEN);
	row(TEN);
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000800&to=1600000830"), 200);
	has("{\"n\":\"1\"},\"values\":[null,0,0]");
	has("{\"n\":\"2\"},\"values\":[null,7,0]");
	has("{\"n\":\"3\"},\"values\":[null,null,0]");
}

static void clock__set_while_running__changes_no_rate(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", NULL), NULL);
	unsigned i;

	for (i = 0; i < 6; i++) {
		c->all = fake_units(50 * i);
		/* The wall clock jumps by an hour, the other one does not. */
		skipped_ms = i >= 3 ? 3600000 : 0;
		row(i == 3 ? 3600000 + TEN : TEN);
	}
	assert_int_equal(ask("query?match[]=a_total&fn=rate&from=1600004420&to=1600004460"), 200);
	has("\"values\":[null,5,5,5]");
}

static void clock__set_back__the_later_rows_count(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", NULL), NULL);
	unsigned i;

	for (i = 0; i < 10; i++) {
		c->all = fake_units(i < 6 ? 10 * i : 50 + 20 * (i - 5));
		if (i == 6) {
			now_ms -= 5 * TEN;
			skipped_ms = (uint64_t)0 - 5 * TEN;
		}
		row(TEN);
	}
	/* Ticks 1 to 6, back to 2, then 2 to 5 again. */
	assert_int_equal(ask("query?match[]=a_total&fn=rate&from=1600000800&to=1600000860"), 200);
	has("\"values\":[null,2,2,2,2,1]");
}

/* ---- adding up ------------------------------------------------------------------------------ */

static void by__labels__adds_up_and_keeps_the_peak_of_the_sum(void **state)
{
	unsigned f = counter("a_total", "command");
	struct fake_cell *x = fake_series(&fake, f, "play"), *y = fake_series(&fake, f, "skip");

	x->all = fake_units(0);
	y->all = fake_units(0);
	row(TEN);
	x->all = fake_units(100);
	row(TEN);
	x->all = fake_units(110);
	y->all = fake_units(50);
	row(TEN);
	assert_int_equal(ask("query?match[]=a_total&fn=rate&by=&from=1600000810&to=1600000830&step=20"),
		200);
	/* 10/s, then 6/s: never the 10 of one and the 5 of the other together. */
	has("\"labels\":{},\"values\":[10,6]");
	assert_int_equal(ask("query?match[]=a_total&fn=rate&by=&from=1600000800&to=1600000830&step=60"),
		200);
	has("\"values\":[8],\"min\":[6],\"max\":[10]");
	assert_int_equal(ask("query?match[]=a_total&fn=increase&by=command,none&from=1600000800"
		"&to=1600000830"), 200);
	has("\"labels\":{\"command\":\"play\",\"none\":\"\"},\"values\":[null,100,10]");
	has("\"labels\":{\"command\":\"skip\",\"none\":\"\"},\"values\":[null,0,50]");
}

static void value__gauge__last_min_and_max_of_each_step(void **state)
{
	struct fake_cell *c = fake_series(&fake, fake_family(&fake, "g", SM_GAUGE, NULL), NULL);
	static const double values[] = { 1.5, -2, 9, 0.25 };
	unsigned i;

	for (i = 0; i < 4; i++) {
		c->all = fake_double(values[i]);
		row(TEN);
	}
	assert_int_equal(ask("query?match[]=g&from=1600000800&to=1600000840&step=20"), 200);
	has("\"values\":[-2,0.25],\"min\":[-2,0.25],\"max\":[1.5,9]");
	refuses("query?match[]=g&fn=rate", 400, "bad_parameter", "fn=rate is for counters");
	refuses("query?match[]=g&fn=quantile", 400, "bad_parameter", "g is a gauge");
}

static void value__nan_and_infinity__are_null(void **state)
{
	struct fake_cell *c = fake_series(&fake, fake_family(&fake, "g", SM_GAUGE, NULL), NULL);
	const double values[] = { NAN, INFINITY, 3, -INFINITY };
	unsigned i;

	for (i = 0; i < 4; i++) {
		c->all = fake_double(values[i]);
		row(TEN);
	}
	assert_int_equal(ask("query?match[]=g&from=1600000800&to=1600000840"), 200);
	has("\"values\":[null,null,3,null]");
}

static void value__integers__keep_every_digit(void **state)
{
	unsigned f = counter("a_total", "n");
	struct fake_cell *a = fake_series(&fake, f, "1"), *b = fake_series(&fake, f, "2");

	a->all = fake_units(UINT64_C(9007199254740993));
	b->all = fake_fixed(1500000001, 9);
	row(TEN);
	a->all = fake_units(UINT64_C(9007199254740994));
	row(TEN);
	assert_int_equal(ask("query?match[]=a_total&from=1600000800&to=1600000820"), 200);
	has("[9007199254740993,9007199254740994]");
	has("[1.500000001,1.500000001]");
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000800&to=1600000820"), 200);
	has("[null,1]");
}

static void value__writers_own__carry_the_writer(void **state)
{
	unsigned f = fake_family(&fake, "ping", SM_GAUGE, NULL);
	struct fake_cell *c = fake_series(&fake, f, NULL);

	fake.families[f].mode = SM_MODE_ALL;
	c->of[fake_writer(&fake, "shard-1")] = fake_double(10);
	c->of[fake_writer(&fake, "shard-2")] = fake_double(20);
	row(TEN);
	row(TEN);
	assert_int_equal(ask("query?match[]=ping{writer!=\"shard-1\"}&from=1600000800&to=1600000820"),
		200);
	has("\"labels\":{\"writer\":\"shard-2\"},\"values\":[20,20]");
	has_not("shard-1\"}");
}

/* ---- histograms ----------------------------------------------------------------------------- */

static const double bounds[] = { 1, 2, 4 };

static unsigned histogram(void)
{
	unsigned f = fake_family(&fake, "h_seconds", SM_HISTOGRAM, "n");

	fake.families[f].unit = "seconds";
	fake.families[f].bounds = fake.families[f].united = bounds;
	fake.families[f].nbounds = fake.families[f].nunited = 3;
	return f;
}

static void counts(struct fake_cell *c, uint64_t a, uint64_t b, uint64_t d, uint64_t e, uint64_t ms)
{
	c->counts[0] = a;
	c->counts[1] = b;
	c->counts[2] = d;
	c->counts[3] = e;
	c->sum = (struct sm_sum){ .is_integer = 1, .decimals = 3, .units = ms,
		.value = (double)ms / 1000 };
}

static void quantile__two_series__are_merged_before_not_averaged_after(void **state)
{
	unsigned f = histogram();
	struct fake_cell *x = fake_series(&fake, f, "1"), *y = fake_series(&fake, f, "2");

	counts(x, 1000, 0, 0, 0, 500000);
	counts(y, 0, 0, 7, 0, 21000);
	row(TEN);
	/* 98 fast ones of one shard, 2 slow ones of the other. */
	counts(x, 1098, 0, 0, 0, 549000);
	counts(y, 0, 0, 9, 0, 27000);
	row(TEN);
	assert_int_equal(ask("query?match[]=h_seconds&fn=quantile&by=&q[]=0.5&q[]=0.99&from=1600000810"
		"&to=1600000820"), 200);
	has("\"quantile\":0.5,\"values\":[0.5102040816326531]");
	has("\"quantile\":0.99,\"values\":[3]");
	assert_int_equal(ask("query?match[]=h_seconds&fn=quantile&from=1600000810&to=1600000820"), 200);
	has("{\"n\":\"1\"},\"quantile\":0.95,\"values\":[0.95]");
	has("{\"n\":\"2\"},\"quantile\":0.99,\"values\":[3.98]");
	assert_int_equal(ask("query?match[]=h_seconds&fn=mean&by=&from=1600000810&to=1600000820"), 200);
	has("\"values\":[0.55]");
	assert_int_equal(ask("query?match[]=h_seconds&fn=rate&by=&from=1600000810&to=1600000820"), 200);
	has("\"values\":[10]");
	assert_int_equal(ask("query?match[]=h_seconds&fn=value&by=&from=1600000810&to=1600000820"), 200);
	has("\"values\":[1107]");
}

static void quantile__rows_of_a_step__are_merged_and_the_worst_is_kept(void **state)
{
	struct fake_cell *c = fake_series(&fake, histogram(), "1");

	counts(c, 0, 0, 0, 0, 0);
	row(TEN);
	counts(c, 99, 0, 0, 0, 0);
	row(TEN);
	counts(c, 99, 0, 1, 0, 0);
	row(TEN);
	row(TEN);
	assert_int_equal(ask("query?match[]=h_seconds&fn=quantile&q[]=0.5&from=1600000811&to=1600000840"
		"&step=60"), 200);
	has("\"values\":[0.5050505050505051],\"min\":[0.5],\"max\":[3]");
	/* Nothing was observed in the last row: there is no quantile of nothing. */
	assert_int_equal(ask("query?match[]=h_seconds&fn=quantile&q[]=0.5&from=1600000811&to=1600000840"),
		200);
	has("\"values\":[0.5,3,null]");
	assert_int_equal(ask("query?match[]=h_seconds&fn=mean&from=1600000831&to=1600000840"), 200);
	has("\"values\":[null]");
}

static void quantile__bounds_changed__goes_to_the_next_higher(void **state)
{
	static const double finer[] = { 0.5, 1, 3 };
	unsigned f = histogram();
	struct fake_cell *c = fake_series(&fake, f, "1");

	counts(c, 10, 0, 0, 0, 0);
	row(TEN);
	counts(c, 20, 10, 10, 0, 0);
	row(TEN);
	/* Declared anew with other bounds, by a new release. */
	fake.families[f].incarnation++;
	fake.families[f].bounds = fake.families[f].united = finer;
	fake.series[f][0].created_real_ns = (now_ms + 2000) * 1000000;
	fake.series[f][0].incarnation++;
	fake.s.catalog_generation++;
	counts(c, 5, 5, 0, 0, 0);
	row(TEN);
	assert_int_equal(ask("query?match[]=h_seconds&fn=quantile&q[]=1&from=1600000811&to=1600000830"),
		200);
	/* 2 -> 3, 4 -> beyond all bounds, of which the last is what is known. */
	has("\"labels\":{\"n\":\"1\"},\"quantile\":1,\"values\":[3,1]");
	assert_int_equal(ask("query?match[]=h_seconds&fn=rate&from=1600000811&to=1600000830"), 200);
	has("\"values\":[3,1]");
}

/* ---- limits and mistakes -------------------------------------------------------------------- */

static void limits__exceeded__say_which_and_what_to_do(void **state)
{
	unsigned f = counter("a_total", "n"), i;
	char text[8];

	for (i = 0; i < 24; i++) {
		snprintf(text, sizeof(text), "%u", i);
		fake_series(&fake, f, text)->all = fake_units(1);
	}
	row(TEN);
	row(TEN);
	row(24 * 3600 * 1000);
	row(TEN);
	row(TEN);
	row(TEN);
	row(TEN);
	refuses("query?match[]=a_total&limit=23&from=1600000800&to=1600000830", 422,
		"too_many_series", "24 series match, limit is 23");
	assert_int_equal(ask("query?match[]=a_total&limit=24&from=1600000800&to=1600000830"), 200);
	refuses("query?match[]=a_total&step=1&points=3", 400, "bad_parameter", "exclude each other");
	refuses("query?match[]=a_total&from=0&to=1600087260&step=10s&limit=24", 422,
		"too_many_points", "more than 200000");
	refuses("query?match[]=a_total&points=11001", 400, "bad_parameter", "from 1 to 11000");
	ask_deadline_ns = clock_now();
	refuses("query?match[]=a_total&from=1600000800&to=1600000830", 503, "deadline", "shorter range");
}

static void limits__default_step__gives_no_more_points_than_asked_for(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", NULL), NULL);
	unsigned i, n;
	const char *at;

	c->all = fake_units(1);
	for (i = 0; i < 500; i++)
		row(TEN);
	assert_int_equal(ask("query?match[]=a_total&from=1600000800&to=1600005800&points=100&minmax=0"),
		200);
	has("\"step\":60,\"resolution\":10");
	for (n = 0, at = strstr(answer.body.data, "\"times\""); *at != ']'; at++)
		n += *at == ',';
	assert_in_range(n, 80, 101);
	/* Of the first row at the earliest, of now at the latest. */
	assert_int_equal(ask("query?match[]=a_total&from=0&to=1600005800&minmax=0"), 200);
	has("{\"from\":16000008");
	/* Finer than the rows are is no use. */
	assert_int_equal(ask("query?match[]=a_total&from=1600000800&to=1600000900&step=1"), 200);
	has("\"step\":10,");
}

static void range__not_on_steps__counts_what_is_within(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", NULL), NULL);
	unsigned i;

	for (i = 0; i < 30; i++) {
		c->all = fake_units(i);
		row(TEN);
	}
	/* Rows of ...850 to ...960 in steps that end at 860, 920, 980. */
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000845&to=1600000965&step=60"),
		200);
	has("{\"from\":1600000845,\"to\":1600000965,\"step\":60,");
	has("\"times\":[1600000860,1600000920,1600000980]");
	has("\"values\":[2,6,4]");
	/* One number for all of it. */
	assert_int_equal(ask("query?match[]=a_total&fn=increase&from=1600000845&to=1600000965&points=1"),
		200);
	has("\"step\":120,");
	has("\"times\":[1600000965]");
	has("\"values\":[12]");
	for (i = 2; i < 40; i++) {
		char question[96];
		unsigned n = 1;
		const char *at;

		snprintf(question, sizeof(question), "query?match[]=a_total&from=1600000805"
			"&to=1600001095&points=%u", i);
		assert_int_equal(ask(question), 200);
		for (at = strstr(answer.body.data, "\"times\""); *at != ']'; at++)
			n += *at == ',';
		assert_in_range(n, i < 30 ? i / 3 : 30, i);
	}
}

static void parameters__wrong__name_the_parameter(void **state)
{
	static const struct {
		const char *question, *part;
	} table[] = {
		{ "query", "match[] is missing" },
		{ "query?match[]=a&nonsense=1", "has no parameter \\\"nonsense\\\"; it has: match[], " },
		{ "query?match[]=a&step=1&step=2", "step is given more than once" },
		{ "query?match[]=a&fn=avg", "fn must be one of value, rate, increase, mean, quantile" },
		{ "query?match[]=a&from=yesterday", "from must be a time such as" },
		{ "query?match[]=a&from=2026-11-31", "from must be a time" },
		{ "query?match[]=a&from=2026-11-20T13:21:07", "from must be a time" },
		{ "query?match[]=a&from=2026-11-20T13:21:07 01:00", "%2B" },
		{ "query?match[]=a&from=1e9", "from must be a time" },
		{ "query?match[]=a&from=now&to=-5m", "from must be before to" },
		{ "query?match[]=a&step=0", "step must be a duration" },
		{ "query?match[]=a&step=-1", "step must be a duration" },
		{ "query?match[]=a&step=1y", "step must be a duration" },
		{ "query?match[]=a&step=99999999999999999999", "step must be a duration" },
		{ "query?match[]=a&points=0", "points must be a whole number from 1" },
		{ "query?match[]=a&limit=99999999999999999999999", "limit must be a whole number" },
		{ "query?match[]=a&fn=quantile&q[]=1.5", "q[] must be from 0 to 1" },
		{ "query?match[]=a&fn=quantile&q[]=0x1", "q[] must be" },
		{ "query?match[]=a&fn=quantile&q[]=0..5", "q[] must be" },
		{ "query?match[]=a&fn=quantile&q[]=nan", "q[] must be" },
		{ "query?match[]=a&q[]=0.5", "fn=quantile only" },
		{ "query?match[]=a&by=a,,b c", "\\\"b c\\\" is no such name" },
		{ "query?match[]=a&by=a,a", "names a twice" },
		{ "query?match[]=a&minmax=maybe", "minmax must be one of" },
		{ "query?match[]=a{", "match[]: a label's name must stand here" },
		{ "query?match[]=a&segment=other", "no segment \\\"other\\\"" },
		{ "query?match[]=a&from=\x1b[31m", "\\u001b[31m" },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		refuses(table[i].question, 400, "bad_parameter", table[i].part);
	has("\"parameter\":\"from\"");
}

static void parameters__times__in_every_form(void **state)
{
	struct fake_cell *c = fake_series(&fake, counter("a_total", NULL), NULL);
	static const char *const from[] = { "1600000800", "1600000800.0", "2020-09-13T12:40:00Z",
		"2020-09-13T12:40:00.000z", "2020-09-13T14:10:00+01:30",
		"2020-09-13T11:40:00-01:00" };
	char question[128];
	unsigned i;

	c->all = fake_units(1);
	row(TEN);
	row(TEN);
	row(TEN);
	for (i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		snprintf(question, sizeof(question), "query?match[]=a_total&to=1600000830&from=%s",
			from[i]);
		assert_int_equal(ask(question), 200);
		has("{\"from\":1600000800,\"to\":1600000830,\"step\":10,");
	}
}

static void history__none__says_why(void **state)
{
	char command[256];

	strcpy(api_history, "");
	refuses("query?match[]=a", 503, "no_history", "--no-storage");
	snprintf(api_history, sizeof(api_history), "%s/nothing", dir);
	refuses("query?match[]=a", 503, "history_unavailable", "no history in");
	snprintf(api_history, sizeof(api_history), "%s", dir);
	/* A store without rows, and nothing that matches: no error. */
	assert_int_equal(ask("query?match[]=a"), 200);
	has("\"resolution\":null,\"rows\":0");
	has("\"series\":[]");
	store_close(store);
	store = NULL;
	snprintf(command, sizeof(command), "dd if=/dev/urandom of=%s/" PLACE_DATA
		" bs=4096 count=4 conv=notrunc status=none", dir);
	assert_int_equal(system(command), 0);
	refuses("query?match[]=a", 503, "history_unavailable", "damaged");
}

/* ---- events --------------------------------------------------------------------------------- */

static void events__of_every_kind__in_order(void **state)
{
	fake_series(&fake, counter("a_total", NULL), NULL)->all = fake_units(1);
	fake_writer(&fake, "shard-1");
	fake.writers[0].incarnation = 3;
	fake.writers[0].start_real_ns = (BEGIN - 1000) * 1000000;
	row(TEN);
	row(TEN);
	/* A second one starts; the first one does so again. */
	fake_writer(&fake, "shard-2");
	fake.writers[1].incarnation = 1;
	fake.writers[1].start_real_ns = (now_ms + 4000) * 1000000;
	fake.writers[0].incarnation = 4;
	fake.writers[0].start_real_ns = (now_ms + 2500) * 1000000;
	row(TEN);
	missed = 3;
	missed_why = HISTORY_MISSED_STOPPED | HISTORY_MISSED_SUSPEND;
	store_close(store);
	store = open_store();
	row(4 * TEN);
	memset(fake.segment.segment_id, 9, sizeof(fake.segment.segment_id));
	fake.s.catalog_generation = 99;
	row(TEN);
	assert_int_equal(ask("events?from=1600000800&to=1600000900"), 200);
	has("\"kind\":\"writer_start\",\"time\":1600000822.5,\"writer\":\"shard-1\",\"incarnation\":4},");
	has("\"kind\":\"writer_start\",\"time\":1600000824,\"writer\":\"shard-2\",\"incarnation\":1},");
	has("\"kind\":\"gap\",\"time\":1600000830.003,\"until\":1600000870.003,\"ticks\":3,\"why\":["
		"\"stopped\",\"suspend\"]},");
	has("\"kind\":\"exporter_start\",\"time\":1600000870.003},");
	has("\"kind\":\"segment_new\",\"time\":1600000880.003}]");
	has_not("\"incarnation\":3");
	assert_int_equal(ask("events?from=1600000800&to=1600000900&kind=gap"), 200);
	has_not("start");
	/* The row before the range is what its first one is compared with. */
	assert_int_equal(ask("events?from=1600000865&to=1600000900&kind=gap"), 200);
	has("\"kind\":\"gap\"");
	assert_int_equal(ask("events?from=1600000872&to=1600000879"), 200);
	has("\"events\":[]");
	refuses("events?from=1600000800&to=1600000900&limit=4", 422, "too_many_events", "more than 4");
	refuses("events?kind=party", 400, "bad_parameter", "writer_start, gap, ");
}

static void series__of_the_history__are_those_it_knows(void **state)
{
	unsigned f = counter("a_total", "n");

	fake_series(&fake, f, "1")->all = fake_units(1);
	fake_series(&fake, f, "<b>\x1b")->all = fake_units(1);
	fake_series(&fake, fake_family(&fake, "g", SM_GAUGE, NULL), NULL)->all = fake_double(1);
	row(TEN);
	assert_int_equal(ask("series?source=history"), 200);
	has("\"shown\":3,\"total\":3");
	has("{\"n\":\"<b>\\u001b\"}");
	has("\"mode\":\"sum\"");
	has("\"first\":\"2020-09-13T12:40:10.003Z\"");
	assert_int_equal(ask("series?source=history&match[]=a_*&limit=1"), 200);
	has("\"shown\":1,\"total\":2");
	has_not("\"name\":\"g\"");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(rate__counter__is_per_second_of_real_time),
		TEST(rate__rows_some_ms_early_or_late__fall_into_their_steps),
		TEST(rate__short_peak__stays_visible_in_max),
		TEST(gap__rows_missing__is_null_and_loses_nothing),
		TEST(gap__exporter_restarted__goes_on_counting),
		TEST(reset__series_made_again__counts_from_zero),
		TEST(reset__segment_made_again__counts_from_zero),
		TEST(reset__machine_booted__counts_from_zero_over_the_wall_clock),
		TEST(reset__value_fell__counts_what_is_there),
		TEST(begin__series_that_is_older_than_the_row_before__has_no_first_interval),
		TEST(clock__set_while_running__changes_no_rate),
		TEST(clock__set_back__the_later_rows_count),
		TEST(by__labels__adds_up_and_keeps_the_peak_of_the_sum),
		TEST(value__gauge__last_min_and_max_of_each_step),
		TEST(value__nan_and_infinity__are_null),
		TEST(value__integers__keep_every_digit),
		TEST(value__writers_own__carry_the_writer),
		TEST(quantile__two_series__are_merged_before_not_averaged_after),
		TEST(quantile__rows_of_a_step__are_merged_and_the_worst_is_kept),
		TEST(quantile__bounds_changed__goes_to_the_next_higher),
		TEST(limits__exceeded__say_which_and_what_to_do),
		TEST(limits__default_step__gives_no_more_points_than_asked_for),
		TEST(range__not_on_steps__counts_what_is_within),
		TEST(parameters__wrong__name_the_parameter),
		TEST(parameters__times__in_every_form),
		TEST(history__none__says_why),
		TEST(events__of_every_kind__in_order),
		TEST(series__of_the_history__are_those_it_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
