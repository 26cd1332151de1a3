/* SPDX-License-Identifier: Apache-2.0 */
/* What the API says of a living segment: series, writers, health, slow operations, flows. */
#include <errno.h>
#include <math.h>

#include "exporter/clock.h"
#include "tests/unit/api_ask.h"
#include "tests/unit/segment.h"

static int setup(void **state)
{
	if (segment_set_up(state) < 0)
		return -1;
	api_set_up(segment.path, "");
	return 0;
}

static int teardown(void **state)
{
	api_tear_down();
	return segment_tear_down(state);
}

/* ---- series --------------------------------------------------------------------------------- */

static struct sm_counter *count(const char *name, const char *value, uint64_t n)
{
	struct sm_family_options o = { .kind = SM_COUNTER, .name = name, .help = "Help \"me\".",
		.labels = { "command" } };
	struct sm_str values[1] = { SM_STR(value) };
	struct sm_counter *c = sm_counter(declare(&o), values, 1);

	sm_counter_add(c, n);
	return c;
}

static void series__counters__with_family_labels_and_exact_value(void **state)
{
	count("commands_total", "play", UINT64_C(9007199254740993));
	count("commands_total", "skip", 2);
	count("other_total", "x", 1);
	assert_int_equal(ask("series?match[]=commands_total"), 200);
	has("{\"status\":\"success\",\"data\":{\"families\":[{\"segment\":\"/dev/shm/");
	has("\"name\":\"commands_total\",\"kind\":\"counter\",\"unit\":\"\",\"help\":\"Help \\\"me\\\".\","
		"\"labels\":[\"command\"],\"series\":[{\"labels\":{\"command\":\"play\"},\"created\":\"2");
	has("\"value\":9007199254740993}");
	has("\"shown\":2,\"total\":2}}");
	has_not("other_total");
	assert_int_equal(ask("series?match[]=commands_total{command=~\"s.*\"}&match[]=other_*"), 200);
	has("\"shown\":2,\"total\":2");
	has_not("play");
	assert_int_equal(ask("series?limit=1"), 200);
	has("\"shown\":1,\"total\":3");
	assert_int_equal(ask("series?match[]=nothing"), 200);
	has("\"families\":[],\"segments\":[{\"segment\"");
}

static void series__hostile_labels__are_valid_json(void **state)
{
	count("a_total", "\"\\\n\x1b[31m</script>\xe2\x80\xae", 1);
	assert_int_equal(ask("series"), 200);
	has("{\"command\":\"\\\"\\\\\\u000a\\u001b[31m</script>\\u202e\"}");
}

static void series__gauges__of_every_kind(void **state)
{
	struct sm_family_options g = { .kind = SM_GAUGE, .name = "g", .help = "h" };
	struct sm_family_options all = { .kind = SM_GAUGE, .name = "ping", .help = "h",
		.mode = SM_MODE_ALL };
	static const char *const states[] = { "idle", "busy" };
	struct sm_family_options set = { .kind = SM_STATESET, .name = "st", .help = "h",
		.states = states, .nstates = 2 };
	struct sm_gauge *gauge = sm_gauge(declare(&g), SM_NO_LABELS);

	assert_int_equal(ask("series?match[]=g"), 200);
	has("\"value\":null}");
	sm_gauge_set(gauge, NAN);
	sm_gauge_set(sm_gauge(declare(&all), SM_NO_LABELS), 0.25);
	sm_stateset_set(sm_stateset(declare(&set), SM_NO_LABELS), 1);
	assert_int_equal(ask("series"), 200);
	has("\"value\":null,\"not_a_number\":\"NaN\"}");
	has("\"mode\":\"all\",\"labels\":[],\"series\":[{\"labels\":{\"writer\":\"unit\"}");
	has("\"value\":0.25}");
	has("\"states\":[\"idle\",\"busy\"]");
	has("\"value\":1,\"state\":\"busy\"}");
	sm_gauge_set(gauge, -INFINITY);
	assert_int_equal(ask("series?match[]=g&writers=true"), 200);
	has("\"value\":null,\"not_a_number\":\"-Inf\",\"writers\":[{\"writer\":\"unit\",\"value\":null,"
		"\"not_a_number\":\"-Inf\"}]}");
	assert_int_equal(ask("series?match[]={writer=\"unit\"}"), 200);
	has("\"total\":2");
}

static void series__histogram__count_sum_quantiles_and_buckets(void **state)
{
	static const double bounds[] = { 0.1, 1 };
	struct sm_family_options o = { .kind = SM_HISTOGRAM, .name = "h_seconds", .help = "h",
		.unit = SM_SECONDS, .bounds = bounds, .nbounds = 2, .grid = SM_GRID_OFF };
	struct sm_histogram *h = sm_histogram(declare(&o), SM_NO_LABELS);
	unsigned i;

	assert_int_equal(ask("series"), 200);
	has("\"count\":0,\"sum\":0,\"p50\":null,\"p95\":null,\"p99\":null}");
	for (i = 0; i < 100; i++)
		sm_histogram_observe(h, i < 50 ? 0.05 : 0.5);
	assert_int_equal(ask("series?buckets=true"), 200);
	has("\"count\":100,\"sum\":27.5,\"p50\":0.1,\"p95\":0.91,\"p99\":0.982,\"buckets\":["
		"{\"le\":0.1,\"count\":50},{\"le\":1,\"count\":100},{\"le\":null,\"count\":100}]}");
	assert_int_equal(ask("series?writers=true"), 200);
	has("\"p99\":0.982,\"writers\":[{\"writer\":\"unit\",\"count\":100,\"sum\":27.5,\"p50\":0.1,"
		"\"p95\":0.91,\"p99\":0.982}]}");
}

/* ---- writers and health --------------------------------------------------------------------- */

static void writers__live__with_version_metadata_and_refusals(void **state)
{
	struct sm_options o = { .segment = segment.path, .writer = "shard-3", .app_version = "1.2.3",
		.metadata = { "shard=3", "node=a\"b" } };
	struct sm_diag diag;
	struct sm *m = sm_open(&o, &diag);

	assert_int_equal(diag.error, 0);
	assert_int_equal(sm_heartbeat(m), 0);
	assert_int_equal(ask("writers"), 200);
	has("\"writer\":\"unit\",\"state\":\"live\",\"removed_file\":false,\"version\":\"\"");
	has("\"writer\":\"shard-3\",\"state\":\"live\",\"removed_file\":false,\"version\":\"1.2.3\","
		"\"metadata\":[{\"key\":\"shard\",\"value\":\"3\"},{\"key\":\"node\",\"value\":\"a\\\"b\"}]");
	has("\"usage\":{\"age_seconds\":0");
	has("\"resident_bytes\":");
	has("\"refused\":{}");
	sm_close(m);
	assert_int_equal(ask("writers?state=ended"), 200);
	has("\"writer\":\"shard-3\",\"state\":\"ended\"");
	has_not("\"writer\":\"unit\"");
	has("\"total\":1");
	refuses("writers?state=lazy", 400, "bad_parameter", "live, silent, ended, dead, common");
}

static void health__components__are_judged(void **state)
{
	assert_int_equal(ask("health"), 200);
	has("\"judgement\":{\"findings\":[],\"level\":\"ok\",\"sentence\":\"all writers are well\"}");
	has("\"components\":[]");
	has("\"up\":true,\"state\":\"up\"");
	has("\"writers\":{\"live\":1,\"silent\":0,\"ended\":0,\"dead\":0}");
	has("\"history\":{\"enabled\":false");
	assert_int_equal(sm_health_set(segment.m, "database", SM_HEALTH_DEGRADED, 1), 0);
	assert_int_equal(sm_health_set(segment.m, "cache", SM_HEALTH_CRITICAL, 0), 0);
	assert_int_equal(sm_health_set(segment.m, "gateway", SM_HEALTH_OK, 1), 0);
	assert_int_equal(ask("health"), 200);
	has("\"component\":\"database\",\"critical\":true,\"state\":\"degraded\"");
	has("\"component\":\"cache\",\"critical\":false,\"state\":\"critical\"");
	has("\"component\":\"gateway\",\"critical\":true,\"state\":\"ok\"");
	has("\"level\":\"warn\"");
	assert_int_equal(sm_health_set(segment.m, "database", SM_HEALTH_CRITICAL, 1), 0);
	assert_int_equal(ask("health"), 200);
	has("\"level\":\"bad\",\"sentence\":\"database is critical; cache is critical\"");
}

static void health__no_segment__is_an_answer(void **state)
{
	struct collector *keep = api.collector;
	char path[128];

	snprintf(path, sizeof(path), "%s/other", segment.dir);
	api_set_up(path, "");
	assert_int_equal(ask("health"), 200);
	has("\"level\":\"bad\",\"sentence\":\"no values: ");
	has("\"state\":\"no_segment\"");
	assert_int_equal(ask("series"), 200);
	has("\"families\":[],\"segments\":[{\"segment\":");
	assert_int_equal(ask("writers"), 200);
	has("\"writers\":[]");
	assert_int_equal(ask("slow-operations"), 200);
	has("\"operations\":[]");
	collector_free(api.collector);
	api.collector = keep;
}

/* ---- slow operations and flows -------------------------------------------------------------- */

static void slow__sorted_filtered_and_limited(void **state)
{
	assert_int_equal(sm_slow_record(segment.m, "play", "ok", 2000000000, NULL, "guild=1\nx=\"y\""), 0);
	assert_int_equal(sm_slow_record(segment.m, "skip", "error", 5000000000, NULL, NULL), 0);
	assert_int_equal(sm_slow_record(segment.m, "playlist", "ok", 3000000000, NULL, NULL), 0);
	assert_int_equal(ask("slow-operations"), 200);
	has("\"total\":3,\"operations\":[{\"segment\":");
	has("\"writer\":\"unit\",\"operation\":\"play\",\"status\":\"ok\",\"start\":\"2");
	has("\"duration_seconds\":2,");
	has("\"parent_id\":null,\"checkpoints\":[],\"attributes\":[{\"key\":\"guild\",\"value\":\"1\"},"
		"{\"key\":\"x\",\"value\":\"\\\"y\\\"\"}],\"parts_refused\":0}");
	assert_int_equal(ask("slow-operations?sort=slowest&limit=1"), 200);
	has("\"total\":3,\"operations\":[{");
	has("\"operation\":\"skip\"");
	has_not("play");
	assert_int_equal(ask("slow-operations?operation=play*&min_duration=2.5s"), 200);
	has("\"total\":1");
	has("\"operation\":\"playlist\"");
	assert_int_equal(ask("slow-operations?status=error&writer=unit"), 200);
	has("\"total\":1");
	assert_int_equal(ask("slow-operations?writer=nobody"), 200);
	has("\"total\":0,\"operations\":[]");
	refuses("slow-operations?limit=1001", 400, "bad_parameter", "from 1 to 1000");
}

static void flow(struct sm_flow *f, struct sm_flow_type *type, const struct sm_flow *parent)
{
	char header[56];

	if (parent)
		sm_flow_traceparent(parent, header);
	assert_int_equal(sm_flow_start(f, type, SM_NO_LABELS, parent ? header : NULL), 0);
}

static void flows__a_trace__is_a_tree_over_writers(void **state)
{
	struct sm_options o = { .segment = segment.path, .writer = "node" };
	struct sm_flow_options opts = { .name = "command", .help = "h", .slow_ns = 1 };
	struct sm_flow_options node_opts = { .name = "query", .help = "h", .slow_ns = 1 };
	struct sm_flow root, a, b, inner, stranger;
	struct sm_flow_type *type, *node_type;
	struct sm_diag diag;
	struct sm *m = sm_open(&o, &diag);
	char question[64] = "flows?trace_id=", *at = question + strlen(question);
	const char *child;
	unsigned i;

	type = sm_flow_declare(segment.m, &opts, &diag);
	node_type = sm_flow_declare(m, &node_opts, &diag);
	flow(&stranger, type, NULL);
	flow(&root, type, NULL);
	sm_flow_checkpoint(&root, "load");
	flow(&a, node_type, &root);
	flow(&inner, type, &a);
	flow(&b, node_type, &root);
	sm_flow_end(&stranger, "success");
	sm_flow_end(&b, "success");
	sm_flow_end(&inner, "success");
	sm_flow_end(&a, "error");
	sm_flow_end(&root, "success");
	for (i = 0; i < 16; i++)
		at += sprintf(at, "%02X", root.trace_id[i]);
	assert_int_equal(ask(question), 200);
	has("\"total\":4,\"operations\":[{\"depth\":0,\"parent\":null,");
	has("\"checkpoints\":[{\"name\":\"load\",\"duration_seconds\":0");
	/* Which of the two that began at once is first is not said; what `a` called stands behind it. */
	child = strstr(answer.body.data, "{\"depth\":1,\"parent\":0,");
	assert_non_null(child);
	assert_non_null(strstr(child + 1, "{\"depth\":1,\"parent\":0,"));
	child = strstr(answer.body.data, "\"operation\":\"query\",\"status\":\"error\"");
	assert_non_null(child);
	child = strstr(child, "{\"depth\":");
	assert_non_null(child);
	assert_true(!strncmp(child, "{\"depth\":2,\"parent\":1,", 22) ||
		!strncmp(child, "{\"depth\":2,\"parent\":2,", 22));
	refuses("flows", 400, "bad_parameter", "trace_id is missing");
	refuses("flows?trace_id=00000000000000000000000000000000", 400, "bad_parameter", "not all 0");
	refuses("flows?trace_id=xyz", 400, "bad_parameter", "32 hexadecimal digits");
	refuses("flows?trace_id= 123456789012345678901234567890f", 400, "bad_parameter", "not");
	assert_int_equal(ask("flows?trace_id=12345678901234567890123456789012"), 200);
	has("\"total\":0,\"operations\":[]");
	sm_close(m);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static void paths__unknown__are_not_found(void **state)
{
	refuses("nothing", 404, "not_found", "there is nothing at /api/v1/nothing; /api/v1/ lists");
	refuses("series/", 404, "not_found", "");
	refuses("\x1b", 404, "not_found", "\\u001b");
	assert_int_equal(ask(""), 200);
	has("\"version\":1,\"endpoints\":[{\"path\":\"/api/v1/\",\"parameters\":[]}");
	refuses("?x=1", 400, "bad_parameter", "it has: none");
}

static void deadline__over__is_said(void **state)
{
	count("a_total", "x", 1);
	ask_deadline_ns = clock_now() - 1;
	refuses("series", 503, "deadline", "try again");
	refuses("slow-operations", 503, "deadline", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(series__counters__with_family_labels_and_exact_value),
		TEST(series__hostile_labels__are_valid_json),
		TEST(series__gauges__of_every_kind),
		TEST(series__histogram__count_sum_quantiles_and_buckets),
		TEST(writers__live__with_version_metadata_and_refusals),
		TEST(health__components__are_judged),
		TEST(health__no_segment__is_an_answer),
		TEST(slow__sorted_filtered_and_limited),
		TEST(flows__a_trace__is_a_tree_over_writers),
		TEST(paths__unknown__are_not_found),
		TEST(deadline__over__is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
