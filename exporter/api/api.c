/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.c - find the endpoint, check the names of its parameters, put its answer into an envelope.
 *
 * One table says what there is: it routes, refuses what it does not know, and is what /api/v1/
 * itself answers, so that a test can hold it against docs/openapi.yaml.
 */
#include "exporter/api/api.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "exporter/api/call.h"
#include "exporter/clock.h"

#define PREFIX		"/api/v1/"
#define JSON_TYPE	"application/json; charset=utf-8"
#define PARAMETERS_MAX	16

static int endpoint_index(struct call *c);

static const struct endpoint {
	const char *path;
	int (*answer)(struct call *c);
	const char *parameter[PARAMETERS_MAX];	/* those that end in [] may be given more than once */
} endpoints[] = {
	{ PREFIX, endpoint_index, { NULL } },
	{ PREFIX "events", endpoint_events, { "from", "to", "kind", "limit", "segment", NULL } },
	{ PREFIX "flows", endpoint_flows, { "trace_id", "segment", "limit", NULL } },
	{ PREFIX "health", endpoint_health, { "segment", NULL } },
	{ PREFIX "query", endpoint_query, { "match[]", "from", "to", "step", "points", "fn", "q[]",
		"by", "minmax", "limit", "segment", NULL } },
	{ PREFIX "series", endpoint_series, { "match[]", "source", "writers", "buckets", "limit",
		"segment", NULL } },
	{ PREFIX "slow-operations", endpoint_slow_operations, { "limit", "sort", "operation",
		"writer", "status", "min_duration", "segment", NULL } },
	{ PREFIX "writers", endpoint_writers, { "state", "segment", NULL } },
};
#define ENDPOINTS (sizeof(endpoints) / sizeof(endpoints[0]))

static int endpoint_index(struct call *c)
{
	struct json_out *j = &c->json;
	size_t i;
	unsigned p;

	json_u64(j, "version", 1);
	json_open(j, "endpoints", '[');
	for (i = 0; i < ENDPOINTS; i++) {
		json_open(j, NULL, '{');
		json_text(j, "path", endpoints[i].path);
		json_open(j, "parameters", '[');
		for (p = 0; endpoints[i].parameter[p]; p++)
			json_text(j, NULL, endpoints[i].parameter[p]);
		json_close(j, ']');
		json_close(j, '}');
	}
	json_close(j, ']');
	return 0;
}

static int may_repeat(const char *parameter)
{
	size_t len = strlen(parameter);

	return len > 2 && strcmp(parameter + len - 2, "[]") == 0;
}

static int knows(const struct endpoint *e, const char *key)
{
	unsigned i;

	for (i = 0; e->parameter[i]; i++)
		if (strcmp(e->parameter[i], key) == 0)
			return 1;
	return 0;
}

/* What is misspelt or given twice would be ignored in silence otherwise. */
static int check_names(struct call *c, const struct endpoint *e)
{
	const struct request *r = c->request;
	char list[256] = "none";
	size_t i, at = 0;

	for (i = 0; i < r->nparams; i++) {
		if (!knows(e, r->param[i].key))
			break;
		if (!may_repeat(r->param[i].key) &&
			request_param(r, r->param[i].key) != r->param[i].value)
			return call_refuse(c, r->param[i].key, "%.64s is given more than once",
				r->param[i].key);
	}
	if (i == r->nparams)
		return 0;
	for (at = 0; e->parameter[0] && e->parameter[at]; at++)
		strcat(strcat(at ? list : strcpy(list, ""), at ? ", " : ""), e->parameter[at]);
	return call_refuse(c, r->param[i].key, "%s has no parameter \"%.64s\"; it has: %s", e->path,
		r->param[i].key, list);
}

static void put_error(struct call *c)
{
	struct json_out *j = &c->json;

	buf_free(&c->body);
	j->more = 0;
	json_open(j, NULL, '{');
	json_text(j, "status", "error");
	json_text(j, "error", c->error);
	if (*c->parameter)
		json_text(j, "parameter", c->parameter);
	json_text(j, "message", c->message);
	json_close(j, '}');
}

/* e is NULL where there is nothing. */
static int answer(struct call *c, const struct endpoint *e)
{
	struct json_out *j = &c->json;
	int rc = e ? check_names(c, e) : call_fail(c, 404, "not_found", NULL, "there is nothing at "
		"%.256s; " PREFIX " lists what there is", c->request->path);

	json_open(j, NULL, '{');
	json_text(j, "status", "success");
	json_open(j, "data", '{');
	if (rc == 0)
		rc = e->answer(c);
	json_close(j, '}');
	json_close(j, '}');
	if (rc == 0 && c->body.len > CALL_BYTES_MAX)
		rc = call_is_over(c);
	if (rc == CALL_FAILED && c->error) {
		put_error(c);
		rc = 0;
	}
	buf_puts(&c->body, "\n");
	return c->body.failed ? -ENOMEM : rc;
}

int api_answer(const struct api *a, const struct request *r, struct page *ret_page)
{
	struct call c = { .api = a, .request = r, .status = 200 };
	struct timespec now;
	size_t i;
	const char *path = strcmp(r->path, "/api/v1") == 0 ? PREFIX : r->path;
	int rc;

	clock_gettime(CLOCK_REALTIME, &now);
	c.now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	c.deadline_ns = r->deadline_ns ? r->deadline_ns : clock_now() + CALL_TIME_MS * CLOCK_MS;
	c.json.b = &c.body;
	for (i = 0; i < ENDPOINTS && strcmp(endpoints[i].path, path) != 0; i++)
		;
	rc = answer(&c, i < ENDPOINTS ? &endpoints[i] : NULL);
	if (rc < 0) {
		buf_free(&c.body);
		return rc == CALL_FAILED ? -EIO : rc;
	}
	*ret_page = (struct page){ .status = c.status, .type = JSON_TYPE, .body = c.body };
	return 0;
}
