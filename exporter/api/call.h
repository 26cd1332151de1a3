/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h - one question to the API: its parameters, its limits, its answer.
 *
 * Depends on api.h, select.h and common/json_out.h. An endpoint reads its parameters, checks
 * call_is_over() in its loops and writes the members of `data` to c->json. What goes wrong is said
 * once, by call_fail(), and ends the endpoint with the code that this returns; what was written so
 * far is thrown away then.
 */
#ifndef API_CALL_H
#define API_CALL_H

#include "common/json_out.h"
#include "exporter/api/api.h"
#include "exporter/api/select.h"

#define CALL_FAILED	(-1)		/* call_fail() has said why */
#define CALL_BYTES_MAX	(16u << 20)	/* of an answer */
#define CALL_TIME_MS	10000u		/* without a deadline of the client */
#define CALL_MATCHES	16		/* selectors */
#define CALL_SEGMENTS	16

struct call {
	const struct api *api;
	const struct request *request;
	uint64_t now_ms;		/* Unix time */
	uint64_t deadline_ns;		/* CLOCK_MONOTONIC */
	struct buf body;
	struct json_out json;		/* into body */
	/* By call_fail(). */
	unsigned status;
	const char *error;
	char parameter[64];
	char message[768];
};

/*
 * call_fail - returns CALL_FAILED. error is a word for programs; parameter the one to blame, or
 * NULL. Text of strangers in a message is escaped when it is written.
 */
int call_fail(struct call *c, unsigned status, const char *error, const char *parameter,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A parameter is wrong: 400 bad_parameter. */
int call_refuse(struct call *c, const char *parameter, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* call_is_over - 0, or CALL_FAILED after "deadline" or "answer_too_large". To be called often: at
 * least each ms of work. */
int call_is_over(struct call *c);

/* ---- parameters ----------------------------------------------------------------------------- */

/* Each: without the parameter *ret_value stays as it is; 0 or CALL_FAILED. */
int call_u64(struct call *c, const char *parameter, uint64_t min, uint64_t max,
	uint64_t *ret_value);
int call_bool(struct call *c, const char *parameter, int *ret_value);
/* One of the words, which end in NULL; *ret_value is its index. */
int call_word(struct call *c, const char *parameter, const char *const *words,
	unsigned *ret_value);
/* A duration: 30, 30s, 1.5h, 250ms (ms s m h d w; seconds without); not 0. */
int call_duration(struct call *c, const char *parameter, uint64_t *ret_ns);
/* A time: Unix seconds, RFC 3339, now, or a duration ago: -15m. */
int call_time(struct call *c, const char *parameter, uint64_t *ret_ms);

/* match[]: the selectors; none selects everything. */
struct matches {
	unsigned n;
	struct selector *selector[CALL_MATCHES];
};
int call_matches(struct call *c, struct matches *ret_matches);
void matches_free(struct matches *m);
int matches_family(const struct matches *m, const char *name);
int matches_series(const struct matches *m, const struct selectable *series);

/* call_segment - is a segment of this name asked for? call_segment_check: fails when none is. */
int call_segment(const struct call *c, const char *name);
int call_segment_check(struct call *c);

/* ---- the answer ----------------------------------------------------------------------------- */

/* call_collect - a collection, to be released; CALL_FAILED or -ENOMEM. */
int call_collect(struct call *c, unsigned flags, const struct collection **ret_collection);

/* A double: null if it is NaN or infinite. */
void call_double(struct call *c, const char *key, double v);
/* A value as /metrics prints it; absent, NaN, infinite: null. */
void call_value(struct call *c, const char *key, const struct sm_value *v);
void call_sum(struct call *c, const char *key, const struct sm_sum *sum);
const char *call_kind_name(enum sm_kind kind);
const char *call_mode_name(enum sm_gauge_mode mode);

/* call_quantile - as sm_snapshot_quantile(), of counts under `bounds` and +Inf, in units. */
double call_quantile(const uint64_t *counts, const double *bounds, unsigned nbounds, double q);

/* ---- endpoints ------------------------------------------------------------------------------ */

int endpoint_events(struct call *c);
int endpoint_series(struct call *c);
int endpoint_query(struct call *c);
int endpoint_slow_operations(struct call *c);
int endpoint_flows(struct call *c);
int endpoint_writers(struct call *c);
int endpoint_health(struct call *c);

#endif /* API_CALL_H */
