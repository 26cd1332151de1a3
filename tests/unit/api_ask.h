/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_ask.h - ask the API without a server: the collector is real, of one segment that need not
 * exist, and so is the history, in a directory that need not hold one.
 *
 *	api_set_up("/dev/shm/x/segment", "/dev/shm/x");
 *	assert_int_equal(ask("query?match[]=a_total&fn=rate"), 200);
 *	has("\"values\":[null,1.5]");
 */
#ifndef TESTS_API_ASK_H
#define TESTS_API_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/api/api.h"

static struct api api;
static char api_history[128];
static struct page answer;
static uint64_t ask_deadline_ns;

static inline const char *api_history_dir(void *ctx, const char *segment)
{
	return api_history;
}

static inline void api_set_up(const char *segment, const char *history)
{
	const char *bad;

	snprintf(api_history, sizeof(api_history), "%s", history);
	assert_int_equal(collector_create(&segment, 1, &api.collector, &bad), 0);
	collector_set_quiet(api.collector);
	api.history_dir = api_history_dir;
	ask_deadline_ns = 0;
}

static inline void api_tear_down(void)
{
	buf_free(&answer.body);
	collector_free(api.collector);
	api.collector = NULL;
}

/* GET /api/v1/<text>: the status; the body stays in `answer`. Nothing is percent-decoded, but a
 * key or value may not hold & or, for the key, =. */
static inline int ask(const char *text)
{
	char path[64] = "/api/v1/", *copy = strdup(text), *query, *at, *save = NULL, *value;
	struct request_param param[32];
	struct request r = { .path = path, .param = param, .deadline_ns = ask_deadline_ns };
	int rc;

	query = strchr(copy, '?');
	if (query)
		*query++ = '\0';
	strncat(path, copy, sizeof(path) - strlen(path) - 1);
	for (at = query ? strtok_r(query, "&", &save) : NULL; at; at = strtok_r(NULL, "&", &save)) {
		value = strchr(at, '=');
		if (value)
			*value++ = '\0';
		param[r.nparams++] = (struct request_param){ at, value ? value : "" };
	}
	buf_free(&answer.body);
	answer.status = 0;
	rc = api_answer(&api, &r, &answer);
	free(copy);
	return rc < 0 ? rc : (int)answer.status;
}

static inline void has(const char *part)
{
	const char *body = answer.body.data ? answer.body.data : "";

	if (!strstr(body, part))
		fail_msg("no %s in %s", part, body);
}

static inline void has_not(const char *part)
{
	const char *body = answer.body.data ? answer.body.data : "";

	if (strstr(body, part))
		fail_msg("%s in %s", part, body);
}

/* An error of this kind that says this. */
static inline void refuses(const char *question, int status, const char *error, const char *part)
{
	char kind[64];
	int rc = ask(question);

	snprintf(kind, sizeof(kind), "{\"status\":\"error\",\"error\":\"%s\"", error);
	if (rc != status)
		fail_msg("%s: %d, %s", question, rc, rc > 0 ? answer.body.data : "");
	has(kind);
	has(part);
}

#endif /* TESTS_API_ASK_H */
