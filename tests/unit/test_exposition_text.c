/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of exporter/exposition/text.c: both text formats, byte by byte. That other parsers take them
 * is tested in tests/system.
 */
#include "exposition_zoo.h"

#define PROGRAMS "name[]=b*&name[]=c*&name[]=m*&name[]=n*&name[]=q*&name[]=t*&name[]=wait_seconds"

#define ZOO_SAMPLES_COMMANDS \
	"commands_total{command=\"a\\\\b\\\"c\\n9\",x=\"\xc3\xa9\"} 12345678942\n" \
	"commands_total{command=\"\",x=\"two\"} 1.500000001\n"
#define ZOO_BUCKETS \
	"wait_seconds_bucket{op=\"x\",le=\"1e-05\"} 1\n" \
	"wait_seconds_bucket{op=\"x\",le=\"0.5\"} 3\n" \
	"wait_seconds_bucket{op=\"x\",le=\"1.0\"} 3\n" \
	"wait_seconds_bucket{op=\"x\",le=\"+Inf\"} 7\n" \
	"wait_seconds_sum{op=\"x\"} 12.345678901\n" \
	"wait_seconds_count{op=\"x\"} 7\n"

static void text__every_kind__these_bytes(void **state)
{
	struct zoo z;

	zoo_new(&z, 1);
	zoo_take(&z, 0);
	zoo_expect(&z, PROGRAMS, zoo_text,
		"# HELP build_info B.\n# TYPE build_info gauge\n"
		"build_info{version=\"1.2\"} 1\n"
		"# HELP commands_total Commands \\\\ \"done\".\\nAll.\n"
		"# TYPE commands_total counter\n" ZOO_SAMPLES_COMMANDS
		"# HELP cpu_seconds_total CPU.\n# TYPE cpu_seconds_total counter\n"
		"cpu_seconds_total 3\n"
		"# HELP memory_bytes M.\n# TYPE memory_bytes gauge\n"
		"memory_bytes{kind=\"heap\",writer=\"shard-1\"} 1e+06\n"
		"memory_bytes{kind=\"heap\",writer=\"shard-2\"} 5\n"
		"# HELP mode M.\n# TYPE mode gauge\n"
		"mode{writer=\"shard-1\",mode=\"idle\"} 0\n"
		"mode{writer=\"shard-1\",mode=\"bus\\\"y\"} 1\n"
		"# HELP queue Q.\n# TYPE queue gauge\nqueue -7\n"
		"# HELP temperature T.\n# TYPE temperature gauge\ntemperature -2.5\n"
		"# HELP wait_seconds Waiting.\n# TYPE wait_seconds histogram\n" ZOO_BUCKETS);
	zoo_free(&z);
}

static void openmetrics__every_kind__these_bytes(void **state)
{
	struct zoo z;

	zoo_new(&z, 1);
	zoo_take(&z, 0);
	zoo_expect(&z, PROGRAMS, zoo_openmetrics,
		"# TYPE build info\n# HELP build B.\nbuild_info{version=\"1.2\"} 1\n"
		"# TYPE commands counter\n"
		"# HELP commands Commands \\\\ \\\"done\\\".\\nAll.\n" ZOO_SAMPLES_COMMANDS
		"# TYPE cpu_seconds counter\n# UNIT cpu_seconds seconds\n# HELP cpu_seconds CPU.\n"
		"cpu_seconds_total 3.0\n"
		"# TYPE memory_bytes gauge\n# UNIT memory_bytes bytes\n# HELP memory_bytes M.\n"
		"memory_bytes{kind=\"heap\",writer=\"shard-1\"} 1e+06\n"
		"memory_bytes{kind=\"heap\",writer=\"shard-2\"} 5.0\n"
		"# TYPE mode stateset\n# HELP mode M.\n"
		"mode{writer=\"shard-1\",mode=\"idle\"} 0\n"
		"mode{writer=\"shard-1\",mode=\"bus\\\"y\"} 1\n"
		"# TYPE queue gauge\n# HELP queue Q.\nqueue -7\n"
		"# TYPE temperature gauge\n# HELP temperature T.\ntemperature -2.5\n"
		"# TYPE wait_seconds histogram\n# UNIT wait_seconds seconds\n"
		"# HELP wait_seconds Waiting.\n" ZOO_BUCKETS "# EOF\n");
	zoo_free(&z);
}

static void text__several_segments__label_and_one_head(void **state)
{
	struct zoo z;

	zoo_new(&z, 2);
	zoo_take(&z, 0);
	zoo_expect(&z, "name[]=queue&name[]=cpu_seconds_total&name[]=shardmeter_segment_up",
		zoo_text,
		"# HELP cpu_seconds_total CPU.\n# TYPE cpu_seconds_total counter\n"
		"cpu_seconds_total{segment=\"first\"} 3\n"
		"cpu_seconds_total{segment=\"second\"} 3\n"
		"# HELP queue Q.\n# TYPE queue gauge\n"
		"queue{segment=\"first\"} -7\nqueue{segment=\"second\"} -7\n"
		"# HELP shardmeter_segment_up 1 if the segment's values are in this exposition.\n"
		"# TYPE shardmeter_segment_up gauge\n"
		"shardmeter_segment_up{segment=\"first\"} 1\n"
		"shardmeter_segment_up{segment=\"second\"} 1\n");
	zoo_free(&z);
}

static void text__per_writer__each_ones_own(void **state)
{
	struct zoo z;

	zoo_new(&z, 1);
	zoo_take(&z, SM_SNAPSHOT_WRITERS);
	zoo_expect(&z, "aggregate=none&name[]=queue&name[]=commands_total&name[]=wait_seconds_sum",
		zoo_text,
		"# HELP commands_total Commands \\\\ \"done\".\\nAll.\n"
		"# TYPE commands_total counter\n"
		"commands_total{command=\"a\\\\b\\\"c\\n9\",x=\"\xc3\xa9\",writer=\"shard-1\"} 41\n"
		"commands_total{command=\"a\\\\b\\\"c\\n9\",x=\"\xc3\xa9\",writer=\"shard-2\"} "
		"12345678901\n"
		"commands_total{command=\"\",x=\"two\",writer=\"shard-1\"} 1.500000001\n"
		"# HELP queue Q.\n# TYPE queue gauge\nqueue{writer=\"shard-1\"} -7\n"
		"# HELP wait_seconds Waiting.\n# TYPE wait_seconds histogram\n"
		"wait_seconds_bucket{op=\"x\",writer=\"shard-1\",le=\"1e-05\"} 1\n"
		"wait_seconds_bucket{op=\"x\",writer=\"shard-1\",le=\"0.5\"} 3\n"
		"wait_seconds_bucket{op=\"x\",writer=\"shard-1\",le=\"1.0\"} 3\n"
		"wait_seconds_bucket{op=\"x\",writer=\"shard-1\",le=\"+Inf\"} 7\n"
		"wait_seconds_sum{op=\"x\",writer=\"shard-1\"} 12.345678901\n"
		"wait_seconds_count{op=\"x\",writer=\"shard-1\"} 7\n");
	zoo_expect(&z, "writer[]=shard-2&name[]=temperature&name[]=comm*", zoo_text,
		"# HELP commands_total Commands \\\\ \"done\".\\nAll.\n"
		"# TYPE commands_total counter\n"
		"commands_total{command=\"a\\\\b\\\"c\\n9\",x=\"\xc3\xa9\",writer=\"shard-2\"} "
		"12345678901\n"
		"# HELP temperature T.\n# TYPE temperature gauge\n"
		"temperature{writer=\"shard-2\"} -22.5\n");
	zoo_free(&z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text__every_kind__these_bytes),
		cmocka_unit_test(openmetrics__every_kind__these_bytes),
		cmocka_unit_test(text__several_segments__label_and_one_head),
		cmocka_unit_test(text__per_writer__each_ones_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
