/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept.c - see accept.h.
 *
 * A header is a list of elements, an element a name and parameters:
 *
 *	application/openmetrics-text ; version=1.0.0 ; escaping=allow-utf-8 ; q=0.6 , text/plain ...
 *
 * Each is cut out by one scanner that knows quoted values. Names and parameter names are compared
 * without regard to case. Of several q parameters the last counts.
 */
#include "exporter/exposition/accept.h"

#include <string.h>
#include <strings.h>

#define PARAMS_MAX	8	/* of one element; more are read but not kept */
#define ELEMENTS_MAX	64	/* of one header */
#define WEIGHT_ONE	1000

struct span {
	const char *at;
	size_t len;
};

struct param {
	struct span name, value;
};

struct element {
	struct span name;
	unsigned nparams;
	struct param param[PARAMS_MAX];
	int weight;			/* 0 to 1000 */
};

/* ---- scanning ------------------------------------------------------------------------------- */

static int is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(const char *from, const char *end)
{
	while (from < end && is_blank(*from))
		from++;
	while (end > from && is_blank(end[-1]))
		end--;
	return (struct span){ from, (size_t)(end - from) };
}

static int is(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

/* The first such character outside of quotes, or the end. */
static const char *find(const char *p, const char *end, char c)
{
	int quoted = 0;

	for (; p < end; p++) {
		if (quoted && *p == '\\' && p + 1 < end)
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && *p == c)
			break;
	}
	return p;
}

/* "0", "0.75", "1.000" to thousandths; what is more than 1 is 1. -1: not a weight. */
static int parse_weight(struct span s)
{
	int weight = 0, digit, place = 100;
	size_t i = 0;

	for (; i < s.len && s.at[i] >= '0' && s.at[i] <= '9'; i++)
		weight = weight > WEIGHT_ONE ? weight : weight * 10 + (s.at[i] - '0');
	if (i == 0 || (i < s.len && s.at[i] != '.'))
		return -1;
	weight = weight > 1 ? WEIGHT_ONE : weight * WEIGHT_ONE;
	for (i++; i < s.len; i++) {
		digit = s.at[i] - '0';
		if (digit < 0 || digit > 9)
			return -1;
		weight += digit * place;
		/* Too small to be told, but not nothing: 0.0001 is no refusal. */
		if (place == 0 && digit && weight == 0)
			weight = 1;
		place /= 10;
	}
	return weight > WEIGHT_ONE ? WEIGHT_ONE : weight;
}

static struct span unquote(struct span s)
{
	/* No value of ours needs a backslash: one that has any is just another value. */
	if (s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"')
		return (struct span){ s.at + 1, s.len - 2 };
	return s;
}

/* One element. False if it is malformed. */
static int parse_element(const char *p, const char *end, struct element *e)
{
	const char *stop = find(p, end, ';'), *equals;
	struct param one;

	e->name = trim(p, stop);
	e->nparams = 0;
	e->weight = WEIGHT_ONE;
	while (stop < end) {
		p = stop + 1;
		stop = find(p, end, ';');
		equals = find(p, stop, '=');
		one.name = trim(p, equals);
		if (one.name.len == 0 && equals == stop)
			continue;	/* "a;;b", "a;" */
		if (equals == stop)
			return 0;
		one.value = unquote(trim(equals + 1, stop));
		if (is(one.name, "q")) {
			e->weight = parse_weight(one.value);
			if (e->weight < 0)
				return 0;
		} else if (e->nparams < PARAMS_MAX) {
			e->param[e->nparams++] = one;
		}
	}
	return e->name.len > 0;
}

/* The next well-formed element; false at the end. */
static int next_element(const char **at, const char *end, unsigned *budget, struct element *e)
{
	const char *stop;

	while (*at < end && *budget) {
		const char *from = *at;

		(*budget)--;
		stop = find(from, end, ',');
		*at = stop < end ? stop + 1 : end;
		if (parse_element(from, stop, e))
			return 1;
	}
	return 0;
}

/* ---- formats -------------------------------------------------------------------------------- */

static const struct {
	const char *type;
	const char *version;		/* NULL: has none */
	const char *answer[2];		/* Content-Type; the second if UTF-8 names are allowed */
} formats[ACCEPT_FORMATS] = {
	[ACCEPT_TEXT_0_0_4] = { "text/plain", "0.0.4",
		{ "text/plain; version=0.0.4; charset=utf-8",
		  "text/plain; version=0.0.4; charset=utf-8" } },
	[ACCEPT_TEXT_1_0_0] = { "text/plain", "1.0.0",
		{ "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
		  "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8" } },
	[ACCEPT_OPENMETRICS_1_0_0] = { "application/openmetrics-text", "1.0.0",
		{ "application/openmetrics-text; version=1.0.0; charset=utf-8; "
		  "escaping=underscores",
		  "application/openmetrics-text; version=1.0.0; charset=utf-8; "
		  "escaping=allow-utf-8" } },
	[ACCEPT_OPENMETRICS_0_0_1] = { "application/openmetrics-text", "0.0.1",
		{ "application/openmetrics-text; version=0.0.1; charset=utf-8",
		  "application/openmetrics-text; version=0.0.1; charset=utf-8" } },
	[ACCEPT_PROTOBUF] = { "application/vnd.google.protobuf", NULL,
		{ "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
		  "encoding=delimited",
		  "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
		  "encoding=delimited" } },
};

/* Does an element name this format? 0: no. Else 1 + the number of parameters that had to match. */
static int names(const struct element *e, enum accept_format f)
{
	int matched = 1;
	unsigned i;

	if (!is(e->name, formats[f].type))
		return 0;
	for (i = 0; i < e->nparams; i++) {
		const struct param *p = &e->param[i];

		if (is(p->name, "version")) {
			if (!formats[f].version || !is(p->value, formats[f].version))
				return 0;
		} else if (is(p->name, "proto")) {
			if (!is(p->value, "io.prometheus.client.MetricFamily"))
				return 0;
		} else if (is(p->name, "encoding")) {
			if (!is(p->value, "delimited"))
				return 0;
		} else {
			continue;	/* charset, escaping and strangers choose no format */
		}
		matched++;
	}
	return matched;
}

static int is_wildcard(const struct element *e, enum accept_format f)
{
	const char *slash = strchr(formats[f].type, '/');
	size_t main_type = (size_t)(slash - formats[f].type) + 1;

	if (is(e->name, "*/*"))
		return 1;
	return e->name.len == main_type + 1 && e->name.at[main_type] == '*' &&
		strncasecmp(e->name.at, formats[f].type, main_type) == 0 ? 2 : 0;
}

/* What a header says of one format: the most specific element about it decides. */
struct verdict {
	int specific;		/* 0: nothing; 1: any, 2: a wildcard of its type, 10 and more: named */
	int weight;
	unsigned position;
	int utf8;
};

static int allows_utf8(const struct element *e)
{
	unsigned i;

	for (i = 0; i < e->nparams; i++)
		if (is(e->param[i].name, "escaping"))
			return is(e->param[i].value, "allow-utf-8");
	return 0;
}

static void judge(struct verdict *v, const struct element *e, enum accept_format f,
	unsigned position)
{
	int specific = names(e, f);

	specific = specific ? 9 + specific : is_wildcard(e, f);
	if (specific <= v->specific)
		return;
	*v = (struct verdict){ specific, e->weight, position, allows_utf8(e) };
}

static int is_better(const struct verdict *a, const struct verdict *b)
{
	int a_named = a->specific >= 10, b_named = b->specific >= 10;

	if (a_named != b_named)
		return a_named;
	if (a->weight != b->weight)
		return a->weight > b->weight;
	return a->position < b->position;
}

enum accept_format accept_format(const char *header, const char **ret_type)
{
	struct verdict verdict[ACCEPT_FORMATS] = { { 0 } }, none = { 0 };
	const struct verdict *best = &none;
	enum accept_format f, found = ACCEPT_TEXT_0_0_4;
	const char *at = header, *end = header ? at + strlen(at) : NULL;
	unsigned budget = ELEMENTS_MAX, position = 0;
	struct element e;

	while (header && next_element(&at, end, &budget, &e)) {
		for (f = 0; f < ACCEPT_FORMATS; f++)
			judge(&verdict[f], &e, f, position);
		position++;
	}
	for (f = 0; f < ACCEPT_FORMATS; f++) {
		if (!verdict[f].specific || !verdict[f].weight)
			continue;
		if (best == &none || is_better(&verdict[f], best)) {
			best = &verdict[f];
			found = f;
		}
	}
	*ret_type = formats[found].answer[best->utf8];
	return found;
}

/* ---- codings -------------------------------------------------------------------------------- */

enum accept_coding accept_coding(const char *header)
{
	const char *at = header, *end = header ? at + strlen(at) : NULL;
	int gzip = -1, identity = -1, any = -1;
	unsigned budget = ELEMENTS_MAX;
	struct element e;

	while (header && next_element(&at, end, &budget, &e)) {
		if (is(e.name, "gzip") || is(e.name, "x-gzip"))
			gzip = e.weight;
		else if (is(e.name, "identity"))
			identity = e.weight;
		else if (is(e.name, "*"))
			any = e.weight;
	}
	if (gzip < 0)
		gzip = any > 0 ? any : 0;
	if (gzip == 0)
		return ACCEPT_IDENTITY;
	if (identity == 0 || (identity < 0 && any == 0))
		return ACCEPT_GZIP_ONLY;
	return identity > gzip ? ACCEPT_IDENTITY : ACCEPT_GZIP;
}
