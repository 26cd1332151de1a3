/* SPDX-License-Identifier: Apache-2.0 */
/* test_open.c - sm_open(): options, environment, what is refused, what a failed open leaves. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "segment.h"

static struct sm_diag diag;

static struct sm_options options(void)
{
	struct sm_options o = {
		.segment = segment.path,
		.writer = "w",
		.max_writers = 4,
		.max_families = 8,
		.max_series = 64,
		.max_cells = 4096,
		.ring_entries = 2,
	};

	return o;
}

static int dir_set_up(void **state)
{
	unsigned i;
	static const char *const names[] = { "SEGMENT", "WRITER", "APP_VERSION", "GROUP", "SLOW",
		"DISABLE", "DISABLE_FAMILIES" };
	char name[48];

	(void)state;
	for (i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "SHARDMETER_%s", names[i]);
		unsetenv(name);
	}
	strcpy(segment.dir, "/dev/shm/shardmeter-test-XXXXXX");
	if (!mkdtemp(segment.dir))
		return -1;
	snprintf(segment.path, sizeof(segment.path), "%s/segment", segment.dir);
	return 0;
}

static int dir_tear_down(void **state)
{
	(void)state;
	unlink(segment.path);
	return rmdir(segment.dir);
}

#define dir_test(f) cmocka_unit_test_setup_teardown(f, dir_set_up, dir_tear_down)

/* A failed open gives a writer from which everything is null, each time with the reason. */
static void refused_(const struct sm_options *o, int error, const char *part, int line)
{
	struct sm *m = sm_open(o, &diag);
	struct sm_family *f;
	struct sm_counter *c;

	if (diag.error != error || !strstr(diag.message, part))
		fail_msg("line %d: %d \"%s\"", line, diag.error, diag.message);
	assert_non_null(m);
	assert_int_equal(sm_status(m, &diag), error);
	assert_non_null(strstr(diag.message, part));
	f = sm_declare(
		m, &(struct sm_family_options){ .kind = SM_COUNTER, .name = "c_total" }, &diag);
	assert_int_equal(diag.error, error);
	c = sm_counter(f, SM_NO_LABELS);
	sm_counter_add(c, 1);
	sm_counter_add_fn(c, 1);
	sm_counter_add_double(c, 1);
	sm_counter_exemplar(c, 1, NULL, 0);
	sm_histogram_observe(sm_histogram(f, SM_NO_LABELS), 1);
	sm_gauge_set(sm_gauge(f, SM_NO_LABELS), 1);
	sm_updown_add(sm_updown(f, SM_NO_LABELS), 1);
	sm_stateset_set(sm_stateset(f, SM_NO_LABELS), 0);
	assert_true(sm_info_set(f, SM_NO_LABELS) < 0);
	assert_true(sm_remove(f, SM_NO_LABELS, 0) < 0);
	assert_int_equal(sm_heartbeat(m), error);
	assert_true(sm_health_set(m, "db", SM_HEALTH_OK, 0) < 0);
	assert_true(sm_slow_record(m, "op", "ok", 1, NULL, NULL) < 0);
	assert_string_equal(sm_writer_name(m), "");
	assert_non_null(sm_segment_path(m));
	sm_close(m);
}

#define REFUSED(o, error, part) refused_(o, error, part, __LINE__)

static void open__with_explicit_fields__uses_them(void **state)
{
	struct sm_options o = options();
	struct stat st;

	setenv("SHARDMETER_SEGMENT", "/nowhere/at/all", 1);
	setenv("SHARDMETER_WRITER", "from-env", 1);
	setenv("SHARDMETER_APP_VERSION", "0", 1);
	o.app_version = "1.2";
	o.metadata[0] = "shard=3";
	o.metadata[1] = "node=a=b";
	segment.m = sm_open(&o, &diag);
	assert_int_equal(diag.error, 0);
	assert_string_equal(diag.message, "");
	assert_string_equal(sm_writer_name(segment.m), "w");
	assert_string_equal(sm_segment_path(segment.m), segment.path);
	assert_string_equal(writer_slot(segment.m)->version, "1.2");
	assert_int_equal(writer_slot(segment.m)->metadata_len, 8 + 9);
	assert_memory_equal(writer_slot(segment.m)->metadata, "shard=3\0node=a=b", 17);
	assert_int_equal(segment.m->region->geo.nslots, 4);
	assert_int_equal(segment.m->region->geo.nfamilies, 8);
	assert_int_equal(stat(segment.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	sm_close(segment.m);
}

static void open__with_the_environment__uses_it(void **state)
{
	struct sm_options o = { .max_writers = 4, .max_cells = 4096 };

	setenv("SHARDMETER_SEGMENT", segment.path, 1);
	setenv("SHARDMETER_WRITER", "from-env", 1);
	setenv("SHARDMETER_APP_VERSION", "9", 1);
	setenv("SHARDMETER_SLOW", "play=500ms,stop=1.5s,a=10us,b=7ns", 1);
	segment.m = sm_open(&o, &diag);
	assert_int_equal(diag.error, 0);
	assert_string_equal(sm_writer_name(segment.m), "from-env");
	assert_string_equal(writer_slot(segment.m)->version, "9");
	assert_int_equal(segment.m->nslow, 4);
	assert_string_equal(segment.m->slow[0].operation, "play");
	assert_int_equal(segment.m->slow[0].ns, 500000000);
	assert_int_equal(segment.m->slow[1].ns, 1500000000);
	assert_int_equal(segment.m->slow[2].ns, 10000);
	assert_int_equal(segment.m->slow[3].ns, 7);
	sm_close(segment.m);
	/* Or does not look at it. */
	o.segment = segment.path;
	o.flags = SM_OPEN_NO_ENVIRONMENT;
	setenv("SHARDMETER_SLOW", "malformed", 1);
	setenv("SHARDMETER_DISABLE", "1", 1);
	segment.m = sm_open(&o, &diag);
	assert_int_equal(diag.error, 0);
	assert_string_equal(sm_writer_name(segment.m), "test_open-1");
	sm_close(segment.m);
}

static void option__that_is_malformed__is_refused(void **state)
{
	struct sm_options o;
	char longest[600];

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	o = options();
	o.size = sizeof(o) + 1;
	REFUSED(&o, -EINVAL, "newer");
	o = options();
	o.segment = "bad name";
	REFUSED(&o, -EINVAL, "segment name");
	o = options();
	o.writer = "";
	REFUSED(&o, -EINVAL, "writer name");
	o.writer = "tilde~2";
	REFUSED(&o, -EINVAL, "writer name");
	o.writer = longest;
	REFUSED(&o, -EINVAL, "writer name");
	o = options();
	o.app_version = longest;
	REFUSED(&o, -EINVAL, "app_version");
	o.app_version = "\xff";
	REFUSED(&o, -EINVAL, "app_version");
	o = options();
	o.metadata[0] = "novalue";
	REFUSED(&o, -EINVAL, "key=value");
	o.metadata[0] = "=x";
	REFUSED(&o, -EINVAL, "key=value");
	o.metadata[0] = "k=\xff";
	REFUSED(&o, -EINVAL, "key=value");
	longest[0] = 'k';
	longest[1] = '=';
	o.metadata[0] = longest;
	REFUSED(&o, -EINVAL, "metadata");
	o = options();
	o.group = "no such group";
	REFUSED(&o, -EINVAL, "no such group");
	o = options();
	o.max_writers = 1;
	REFUSED(&o, -EINVAL, "max_writers");
	o = options();
	o.ring_entries = 3;
	REFUSED(&o, -EINVAL, "ring_entries");
}

/* Programs compiled with an older header give a smaller struct. */
static void option__that_an_old_struct_lacks__is_zero(void **state)
{
	struct sm_options o = options();

	o.size = offsetof(struct sm_options, app_version);
	o.app_version = (const char *)1;
	o.flags = SM_OPEN_DISABLED;
	segment.m = sm_open(&o, &diag);
	assert_int_equal(diag.error, 0);
	assert_string_equal(sm_writer_name(segment.m), "w");
	assert_int_equal(segment.m->region->geo.nslots, 128);
	sm_close(segment.m);
}

static void open__disabled__is_null_without_an_error(void **state)
{
	struct sm_options o = options();
	unsigned i;

	for (i = 0; i < 2; i++) {
		if (i)
			setenv("SHARDMETER_DISABLE", "1", 1);
		else
			o.flags = SM_OPEN_DISABLED;
		segment.m = sm_open(&o, &diag);
		assert_int_equal(diag.error, 0);
		assert_int_equal(sm_status(segment.m, &diag), 0);
		assert_int_equal(sm_heartbeat(segment.m), 0);
		sm_counter_add(sm_counter(sm_declare(segment.m, &(struct sm_family_options){
			.kind = SM_COUNTER, .name = "c_total" }, &diag), SM_NO_LABELS), 1);
		assert_int_equal(diag.error, 0);
		assert_int_equal(sm_health_set(segment.m, "db", SM_HEALTH_OK, 0), 0);
		assert_string_equal(sm_writer_name(segment.m), "");
		sm_close(segment.m);
		assert_int_not_equal(access(segment.path, F_OK), 0);
		o.flags = 0;
	}
	/* A mistake in a declaration is told all the same. */
	segment.m = sm_open(&o, &diag);
	sm_declare(
		segment.m, &(struct sm_family_options){ .kind = SM_COUNTER, .name = "c" }, &diag);
	assert_int_equal(diag.error, -EINVAL);
	sm_close(segment.m);
}

static void open__without_create__fails_where_there_is_none(void **state)
{
	struct sm_options o = options();

	o.flags = SM_OPEN_NO_CREATE;
	REFUSED(&o, -ENOENT, segment.path);
	/* And it binds once somebody made it. */
	{
		struct sm *early = sm_open(&o, &diag), *maker;
		struct sm_counter *c = sm_counter(sm_declare(early, &(struct sm_family_options){
			.kind = SM_COUNTER, .name = "c_total" }, NULL), SM_NO_LABELS);

		sm_counter_add(c, 100);
		o.flags = 0;
		o.writer = "maker";
		maker = sm_open(&o, &diag);
		assert_int_equal(diag.error, 0);
		assert_int_equal(sm_heartbeat(early), 0);
		sm_counter_add(c, 3);
		segment.m = early;
		assert_int_equal(cell_sum(c, 0), 3);
		sm_close(maker);
		sm_close(early);
	}
}

static void open__as_the_common_writer__takes_no_slot(void **state)
{
	struct sm_options o = options();
	struct sm_counter *c;
	uint32_t i;

	o.flags = SM_OPEN_COMMON;
	segment.m = sm_open(&o, &diag);
	assert_int_equal(diag.error, 0);
	assert_string_equal(sm_writer_name(segment.m), "common");
	c = sm_counter(
		declare(&(struct sm_family_options){ .kind = SM_COUNTER, .name = "c_total" }),
		SM_NO_LABELS);
	sm_counter_add(c, 5);
	sm_counter_add(c, 5);
	assert_int_equal(sm_heartbeat(segment.m), 0);
	assert_int_equal(*lane_word(c, 0, 0), 10);
	for (i = 1; i < segment.m->region->geo.nslots; i++)
		assert_int_equal(region_slot(segment.m->region, i)->state, SM_SLOT_FREE);
	sm_close(segment.m);
}

static void close__of_null_or_twice__is_allowed(void **state)
{
	struct sm_options o = options();

	sm_close(NULL);
	segment.m = sm_open(&o, NULL);
	sm_close(segment.m);
	sm_close(segment.m);
	assert_int_equal(sm_heartbeat(segment.m), -ESHUTDOWN);
	assert_string_equal(sm_writer_name(segment.m), "");
	assert_int_equal(sm_heartbeat(NULL), -EINVAL);
}

static void version__is_the_headers(void **state)
{
	assert_string_equal(sm_version(), SHARDMETER_VERSION);
	assert_string_equal(sm_layout_version(), "1.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		dir_test(open__with_explicit_fields__uses_them),
		dir_test(open__with_the_environment__uses_it),
		dir_test(option__that_is_malformed__is_refused),
		dir_test(option__that_an_old_struct_lacks__is_zero),
		dir_test(open__disabled__is_null_without_an_error),
		dir_test(open__without_create__fails_where_there_is_none),
		dir_test(open__as_the_common_writer__takes_no_slot),
		dir_test(close__of_null_or_twice__is_allowed),
		dir_test(version__is_the_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
