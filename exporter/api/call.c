/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - see call.h. */
#include "exporter/api/call.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporter/clock.h"

#define SECONDS_MAX UINT64_C(4000000000)	/* of a time or duration: until 2096, in ns below 2^63 */

/* ---- failing -------------------------------------------------------------------------------- */

__attribute__((format(printf, 5, 0)))
static int fail_va(struct call *c, unsigned status, const char *error, const char *parameter,
	const char *format, va_list ap)
{
	/* The first reason is the one to be told. */
	if (c->error)
		return CALL_FAILED;
	c->status = status;
	c->error = error;
	snprintf(c->parameter, sizeof(c->parameter), "%s", parameter ? parameter : "");
	vsnprintf(c->message, sizeof(c->message), format, ap);
	return CALL_FAILED;
}

int call_fail(struct call *c, unsigned status, const char *error, const char *parameter,
	const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fail_va(c, status, error, parameter, format, ap);
	va_end(ap);
	return CALL_FAILED;
}

int call_refuse(struct call *c, const char *parameter, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fail_va(c, 400, "bad_parameter", parameter, format, ap);
	va_end(ap);
	return CALL_FAILED;
}

int call_is_over(struct call *c)
{
	if (c->body.len > CALL_BYTES_MAX)
		return call_fail(c, 422, "answer_too_large", NULL, "the answer would be larger "
			"than %u MiB: narrow match[], or lower limit or points",
			CALL_BYTES_MAX >> 20);
	if (clock_now() < c->deadline_ns)
		return 0;
	return call_fail(c, 503, "deadline", NULL, "the time for this answer is over: ask for a "
		"shorter range or fewer series");
}

/* ---- parameters ----------------------------------------------------------------------------- */

/* Digits with at most nine decimals, in units of 1e-9. 0, or -1. */
static int parse_decimal(const char **at, uint64_t limit, uint64_t *ret_nano)
{
	const char *s = *at;
	uint64_t whole = 0, nano = 0, unit = 1000000000;
	int digits = 0;

	for (; *s >= '0' && *s <= '9'; s++, digits++) {
		whole = whole * 10 + (uint64_t)(*s - '0');
		if (whole > limit)
			return -1;
	}
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, digits++) {
			unit /= 10;
			nano += (uint64_t)(*s - '0') * unit;
		}
	if (!digits)
		return -1;
	*at = s;
	*ret_nano = whole * 1000000000 + nano;
	return 0;
}

static int parse_duration(const char *s, uint64_t *ret_ns)
{
	static const struct {
		const char *text;
		double seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "ms", 1e-3 }, { "m", 60 }, { "h", 3600 },
		{ "d", 86400 }, { "w", 604800 } };
	uint64_t nano;
	size_t i;

	if (parse_decimal(&s, SECONDS_MAX, &nano) < 0)
		return -1;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(s, units[i].text) != 0)
			continue;
		if ((double)nano * units[i].seconds > 1e19 - 1e16)
			return -1;
		*ret_ns = units[i].seconds < 1 ? nano / 1000 :
			nano * (uint64_t)units[i].seconds;
		return *ret_ns ? 0 : -1;
	}
	return -1;
}

/* n digits at s. */
static int digits(const char *s, int n, int min, int max, int *ret)
{
	int i, v = 0;

	for (i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	*ret = v;
	return v < min || v > max ? -1 : 0;
}

static int days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* 2026-11-20T13:21:07.250Z, or with +01:00 at the end. */
static int parse_rfc3339(const char *s, uint64_t *ret_ms)
{
	struct tm tm = { 0 };
	uint64_t nano = 0;
	int sign, hours, minutes;
	int64_t ms;

	if (strlen(s) < 20 || digits(s, 4, 1970, 9999, &tm.tm_year) < 0 || s[4] != '-' ||
		digits(s + 5, 2, 1, 12, &tm.tm_mon) < 0 || s[7] != '-' ||
		digits(s + 8, 2, 1, days_of(tm.tm_year, tm.tm_mon), &tm.tm_mday) < 0 || (s[10] != 'T' && s[10] != 't') ||
		digits(s + 11, 2, 0, 23, &tm.tm_hour) < 0 || s[13] != ':' ||
		digits(s + 14, 2, 0, 59, &tm.tm_min) < 0 || s[16] != ':' ||
		digits(s + 17, 2, 0, 60, &tm.tm_sec) < 0)
		return -1;
	s += 19;
	if (*s == '.' && parse_decimal(&s, 0, &nano) < 0)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	ms = (int64_t)timegm(&tm) * 1000 + (int64_t)(nano / 1000000);
	if (*s == '+' || *s == '-') {
		sign = *s == '+' ? -1 : 1;
		if (strlen(s) != 6 || digits(s + 1, 2, 0, 23, &hours) < 0 || s[3] != ':' ||
			digits(s + 4, 2, 0, 59, &minutes) < 0)
			return -1;
		ms += sign * (hours * 60 + minutes) * INT64_C(60000);
	} else if (strcmp(s, "Z") != 0 && strcmp(s, "z") != 0) {
		return -1;
	}
	*ret_ms = (uint64_t)ms;
	return ms < 0 ? -1 : 0;
}

static int parse_time(const char *s, uint64_t now_ms, uint64_t *ret_ms)
{
	const char *at = s;
	uint64_t nano;

	if (strcmp(s, "now") == 0) {
		*ret_ms = now_ms;
		return 0;
	}
	if (*s == '-') {
		if (parse_duration(s + 1, &nano) < 0 || nano / 1000000 > now_ms)
			return -1;
		*ret_ms = now_ms - nano / 1000000;
		return 0;
	}
	if (strchr(s, '-'))
		return parse_rfc3339(s, ret_ms);
	if (parse_decimal(&at, SECONDS_MAX, &nano) < 0 || *at)
		return -1;
	*ret_ms = nano / 1000000;
	return 0;
}

int call_u64(struct call *c, const char *parameter, uint64_t min, uint64_t max,
	uint64_t *ret_value)
{
	const char *text = request_param(c->request, parameter), *s = text;
	uint64_t v = 0;

	if (!text)
		return 0;
	for (; *s >= '0' && *s <= '9' && v <= max; s++)
		v = v * 10 + (uint64_t)(*s - '0');
	if (s == text || *s || v < min || v > max)
		return call_refuse(c, parameter, "%s must be a whole number from %llu to %llu, not "
			"\"%.64s\"", parameter, (unsigned long long)min, (unsigned long long)max,
			text);
	*ret_value = v;
	return 0;
}

int call_word(struct call *c, const char *parameter, const char *const *words,
	unsigned *ret_value)
{
	const char *text = request_param(c->request, parameter);
	char list[256] = "";
	size_t at = 0;
	unsigned i;

	if (!text)
		return 0;
	for (i = 0; words[i]; i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret_value = i;
			return 0;
		}
		if (at < sizeof(list))
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", i ? ", " : "",
				words[i]);
	}
	return call_refuse(c, parameter, "%s must be one of %s, not \"%.64s\"", parameter, list,
		text);
}

int call_bool(struct call *c, const char *parameter, int *ret_value)
{
	static const char *const words[] = { "false", "true", "0", "1", NULL };
	unsigned v = (unsigned)*ret_value;
	int rc = call_word(c, parameter, words, &v);

	*ret_value = (int)(v & 1);
	return rc;
}

int call_duration(struct call *c, const char *parameter, uint64_t *ret_ns)
{
	const char *text = request_param(c->request, parameter);

	if (!text || parse_duration(text, ret_ns) == 0)
		return 0;
	return call_refuse(c, parameter, "%s must be a duration such as 15, 15s, 1.5h or 250ms (ms "
		"s m h d w) and not 0, not \"%.64s\"", parameter, text);
}

int call_time(struct call *c, const char *parameter, uint64_t *ret_ms)
{
	const char *text = request_param(c->request, parameter);

	if (!text || parse_time(text, c->now_ms, ret_ms) == 0)
		return 0;
	return call_refuse(c, parameter, "%s must be a time such as 2026-11-20T13:21:07Z, "
		"1795180867, now or -15m (a plus sign in a URL is written %%2B), not \"%.64s\"",
		parameter, text);
}

int call_matches(struct call *c, struct matches *ret_matches)
{
	size_t position = 0;
	const char *text;
	char why[256];
	int rc;

	ret_matches->n = 0;
	while ((text = request_next_param(c->request, "match[]", &position)) != NULL) {
		if (ret_matches->n == CALL_MATCHES)
			return call_refuse(c, "match[]", "match[] more than %d times",
				CALL_MATCHES);
		rc = selector_parse(text, &ret_matches->selector[ret_matches->n], why,
			sizeof(why));
		if (rc == -EINVAL)
			return call_refuse(c, "match[]", "match[]: %s: \"%.256s\"", why, text);
		if (rc < 0)
			return rc;
		ret_matches->n++;
	}
	return 0;
}

void matches_free(struct matches *m)
{
	while (m->n)
		selector_free(m->selector[--m->n]);
}

int matches_family(const struct matches *m, const char *name)
{
	unsigned i;

	for (i = 0; i < m->n; i++)
		if (selector_wants_family(m->selector[i], name))
			return 1;
	return m->n == 0;
}

int matches_series(const struct matches *m, const struct selectable *series)
{
	unsigned i;

	for (i = 0; i < m->n; i++)
		if (selector_matches(m->selector[i], series))
			return 1;
	return m->n == 0;
}

int call_segment(const struct call *c, const char *name)
{
	const char *wanted = request_param(c->request, "segment");

	return !wanted || strcmp(wanted, name) == 0;
}

int call_segment_check(struct call *c)
{
	size_t i;

	for (i = 0; i < collector_segments(c->api->collector); i++)
		if (call_segment(c, collector_name(c->api->collector, i)))
			return 0;
	return call_refuse(c, "segment", "no segment \"%.128s\" is served here; /api/v1/health lists "
		"those that are", request_param(c->request, "segment"));
}

/* ---- the answer ----------------------------------------------------------------------------- */

int call_collect(struct call *c, unsigned flags, const struct collection **ret_collection)
{
	int rc = call_segment_check(c);

	if (rc == 0)
		rc = collector_get(c->api->collector, flags, c->deadline_ns, ret_collection);
	if (rc == -ETIMEDOUT)
		return call_fail(c, 503, "deadline", NULL,
			"the segments could not be read in time: try again");
	return rc;
}

void call_double(struct call *c, const char *key, double v)
{
	char text[64];

	if (!isfinite(v)) {
		json_null(&c->json, key);
		return;
	}
	sm_format_double(v, 0, text, sizeof(text));
	json_number(&c->json, key, text);
}

void call_value(struct call *c, const char *key, const struct sm_value *v)
{
	int negative = v->is_signed && (int64_t)v->units < 0;
	char text[64] = "-";

	if (!v->is_set) {
		json_null(&c->json, key);
		return;
	}
	if (!v->is_integer) {
		call_double(c, key, v->value);
		return;
	}
	sm_format_units(negative ? 0 - v->units : v->units, v->decimals, text + negative,
		sizeof(text) - 1);
	json_number(&c->json, key, text);
}

void call_sum(struct call *c, const char *key, const struct sm_sum *sum)
{
	char text[64];

	if (!sum->is_integer) {
		call_double(c, key, sum->value);
		return;
	}
	sm_format_units(sum->units, sum->decimals, text, sizeof(text));
	json_number(&c->json, key, text);
}

const char *call_kind_name(enum sm_kind kind)
{
	static const char *const names[] = { "unknown", "counter", "gauge", "updown", "histogram",
		"info", "stateset" };

	return names[(unsigned)kind < sizeof(names) / sizeof(names[0]) ? kind : 0];
}

const char *call_mode_name(enum sm_gauge_mode mode)
{
	static const char *const names[] = { "sum", "min", "max", "avg", "mostrecent", "first",
		"all" };

	return (unsigned)mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "unknown";
}

double call_quantile(const uint64_t *counts, const double *bounds, unsigned nbounds, double q)
{
	uint64_t total = 0, below = 0;
	double rank, start;
	unsigned i;

	for (i = 0; i <= nbounds; i++)
		total += counts[i];
	if (!total || !nbounds)
		return NAN;
	rank = q * (double)total;
	for (i = 0; i < nbounds; i++) {
		if (counts[i] && (double)(below + counts[i]) >= rank)
			break;
		below += counts[i];
	}
	if (i == nbounds)
		return bounds[i - 1];
	if (i == 0 && bounds[0] <= 0)
		return bounds[0];
	start = i ? bounds[i - 1] : 0;
	return start + (bounds[i] - start) * ((rank - (double)below) / (double)counts[i]);
}
