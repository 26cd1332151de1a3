/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - what JavaScript needs to count by itself: where the cells are that probe.js stores to.
 * What that cannot do (values to be refused, threads without a lane) comes back here as a call.
 * The writer is the process'; each worker thread has an instance of the module, and a lane.
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <shardmeter.h>

NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports);
static struct sm *m;

/* Arguments: handle or number, text or kind, text or value, two numbers; 0 and "" by default. */
struct args {
	napi_value v[5];
	double number[5];
	void *handle;
	char text[3][256];
};

static struct args args_of(napi_env env, napi_callback_info info)
{
	struct args a = { .handle = NULL };
	size_t n = 5;

	napi_get_cb_info(env, info, &n, a.v, NULL, NULL);
	napi_get_value_external(env, a.v[0], &a.handle);
	for (n = 0; n < 5; n++)
		if (napi_get_value_double(env, a.v[n], &a.number[n]) != napi_ok && n < 3)
			napi_get_value_string_utf8(env, a.v[n], a.text[n], sizeof(a.text[n]), NULL);
	return a;
}

static napi_value list(napi_env env, uint32_t n, const napi_value *values)
{
	napi_value ret = NULL;

	napi_create_array(env, &ret);
	while (n--)
		napi_set_element(env, ret, n, values[n]);
	return ret;
}

/* NULL where external buffers are forbidden (Electron): calls only. */
static napi_value map(napi_env env, const void *p, size_t bytes)
{
	napi_value ret = NULL;

	napi_create_external_arraybuffer(env, (void *)(uintptr_t)p, bytes, NULL, NULL, &ret);
	return ret;
}

/* open(0, segment, writer) */
static napi_value probe_open(napi_env env, napi_callback_info info)
{
	struct args a = args_of(env, info);
	struct sm_options o = { .segment = a.text[1], .writer = a.text[2] };
	struct sm_diag diag = { 0 };

	if (!m)
		m = sm_open(&o, &diag);
	if (diag.error)
		napi_throw_error(env, NULL, diag.message);
	return NULL;
}

/* resolve(kind, name, lang, number or mode, decimals): a handle */
static napi_value probe_resolve(napi_env env, napi_callback_info info)
{
	struct args a = args_of(env, info);
	struct sm_family_options o = { .kind = (enum sm_kind)a.number[0], .name = a.text[1],
		.number = (enum sm_number)a.number[3], .decimals = (unsigned)a.number[4],
		.mode = (enum sm_gauge_mode)a.number[3], .unit = SM_SECONDS, .labels = { "lang" } };
	struct sm_str lang = SM_STR(a.text[2]);
	struct sm_diag diag;
	struct sm_family *f = sm_declare(m, &o, &diag);

	if (diag.error)
		napi_throw_error(env, NULL, diag.message);
	switch (o.kind) {
	case SM_COUNTER: a.handle = sm_counter(f, &lang, 1); break;
	case SM_GAUGE: a.handle = sm_gauge(f, &lang, 1); break;
	default: a.handle = sm_histogram(f, &lang, 1); break;
	}
	napi_create_external(env, a.handle, NULL, NULL, &a.v[0]);
	return a.v[0];
}

/* update(handle, kind, value): a call instead of a store */
static napi_value probe_update(napi_env env, napi_callback_info info)
{
	struct args a = args_of(env, info);

	switch ((int)a.number[1]) {
	case SM_COUNTER: sm_counter_add_double(a.handle, a.number[2]); break;
	case SM_GAUGE: sm_gauge_set(a.handle, a.number[2]); break;
	default: sm_histogram_observe(a.handle, a.number[2]); break;
	}
	return NULL;
}

/* where(handle, kind): [cell], of a histogram [first cell, sum's units in 1, bounds] */
static napi_value probe_where(napi_env env, napi_callback_info info)
{
	struct args a = args_of(env, info);
	struct sm_bucket_view b = { .scale = 0 };
	napi_value v[3] = { NULL };
	int64_t cell;

	switch ((int)a.number[1]) {
	case SM_COUNTER: cell = sm_counter_cell(a.handle); break;
	case SM_GAUGE: cell = sm_gauge_cell(a.handle); break;
	default:
		cell = sm_histogram_cell(a.handle);
		sm_histogram_buckets(a.handle, &b);
		v[2] = map(env, b.bounds, b.count * sizeof(double));
	}
	napi_create_int64(env, cell, &v[0]);
	napi_create_double(env, b.scale, &v[1]);
	return list(env, v[2] ? 3 : 1, v);
}

/* view(beat): [lane, shared lane, value of the word], or undefined: this thread has no lane */
static napi_value probe_view(napi_env env, napi_callback_info info)
{
	struct args a = args_of(env, info);
	struct sm_lane_view view;
	napi_value v[3];

	if ((a.number[0] != 0 && sm_heartbeat(m) != 0) || sm_lane_view(m, &view) != 0)
		return NULL;
	v[0] = map(env, view.lane, view.cells * sizeof(uint64_t));
	v[1] = map(env, view.shared, view.cells * sizeof(uint64_t));
	napi_create_int32(env, (int32_t)view.generation, &v[2]);
	return v[0] && v[1] ? list(env, 3, v) : NULL;
}

NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports)
{
	napi_property_descriptor p[] = {
		{ "open", .method = probe_open }, { "resolve", .method = probe_resolve },
		{ "update", .method = probe_update }, { "where", .method = probe_where },
		{ "view", .method = probe_view },
		{ "word", .value = map(env, sm_generation(), sizeof(uint32_t)) } };

	napi_define_properties(env, exports, p[5].value ? 6 : 5, p);
	return exports;
}
