/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slow.c - /api/v1/slow-operations and /api/v1/flows: what the writers' rings hold.
 *
 * Rings are read under the collector's eyes and copied: only what is asked for, and no more than
 * twice the limit at any time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/api/call.h"

#define LIMIT_DEFAULT	100
#define LIMIT_MAX	1000
#define TRACE_BYTES	16

struct entry {
	const char *segment;
	struct sm_slow slow;
};

struct pick {
	struct call *c;
	const char *segment;		/* that is being read */
	/* What is wanted. */
	const char *operation, *writer, *status;
	uint64_t min_duration_ns;
	int by_trace;
	uint8_t trace_id[TRACE_BYTES];
	int (*compare)(const void *a, const void *b);
	uint64_t limit;
	/* What there is. */
	uint64_t total;			/* that fit */
	size_t n, cap;
	struct entry **entry;		/* cap of them, the first n are in use */
	struct entry *pool;
};

/* ---- picking -------------------------------------------------------------------------------- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* When all else is equal: the order of the rings. */
static int compare_place(const struct entry *a, const struct entry *b)
{
	int order = strcmp(a->segment, b->segment);

	if (order == 0)
		order = compare_u64(a->slow.slot, b->slow.slot);
	return order ? order : compare_u64(a->slow.number, b->slow.number);
}

static int compare_start(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
	int order = compare_u64(x->slow.start_real_ns, y->slow.start_real_ns);

	return order ? order : compare_place(x, y);
}

static int compare_newest(const void *a, const void *b)
{
	return compare_start(b, a);
}

static int compare_slowest(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
	int order = compare_u64(y->slow.duration_ns, x->slow.duration_ns);

	return order ? order : compare_newest(a, b);
}

static int text_fits(const char *wanted, const char *text)
{
	size_t len = wanted ? strlen(wanted) : 0;

	if (!wanted)
		return 1;
	if (len && wanted[len - 1] == '*')
		return strncmp(wanted, text, len - 1) == 0;
	return strcmp(wanted, text) == 0;
}

static int fits(const struct pick *p, const struct sm_slow *s)
{
	if (p->by_trace && memcmp(s->trace_id, p->trace_id, TRACE_BYTES) != 0)
		return 0;
	return s->duration_ns >= p->min_duration_ns && text_fits(p->operation, s->operation) &&
		text_fits(p->writer, s->writer) && text_fits(p->status, s->status);
}

static void copy(struct entry *to, const char *segment, const struct sm_slow *from)
{
	size_t i;

	to->segment = segment;
	to->slow = *from;
	/* The texts of the attributes are in the record itself. */
	for (i = 0; i < 2 * from->nattributes; i++)
		to->slow.attributes[i].ptr = to->slow.attribute_text +
			(from->attributes[i].ptr - from->attribute_text);
}

/* Sort what there is and keep the limit; what is over stays to be filled again. */
static void sort(struct pick *p)
{
	qsort(p->entry, p->n, sizeof(struct entry *), p->compare);
	if (p->n > p->limit)
		p->n = p->limit;
}

static int take(void *ctx, const struct sm_slow *slow)
{
	struct pick *p = ctx;

	if (!fits(p, slow))
		return 0;
	p->total++;
	if (p->n == p->cap)
		sort(p);
	copy(p->entry[p->n++], p->segment, slow);
	return 0;
}

static int pick(struct pick *p)
{
	struct collector *k = p->c->api->collector;
	size_t i;
	int rc = call_segment_check(p->c);

	if (rc < 0)
		return rc;
	p->cap = 2 * p->limit;
	p->pool = calloc(p->cap, sizeof(*p->pool));
	p->entry = calloc(p->cap, sizeof(struct entry *));
	if (!p->pool || !p->entry)
		return -ENOMEM;
	for (i = 0; i < p->cap; i++)
		p->entry[i] = &p->pool[i];
	for (i = 0; i < collector_segments(k) && rc == 0; i++) {
		p->segment = collector_name(k, i);
		if (call_segment(p->c, p->segment))
			rc = collector_slow(k, i, p->c->deadline_ns, take, p);
		if (rc == -ETIMEDOUT)
			return call_fail(p->c, 503, "deadline", NULL,
				"the rings could not be read in time: try again");
		if (rc == 0)
			rc = call_is_over(p->c);
	}
	sort(p);
	return rc;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* An id as hex; null when it is all zero. */
static void put_id(struct json_out *j, const char *key, const uint8_t *id, size_t n)
{
	char text[2 * TRACE_BYTES + 1] = "";
	uint8_t any = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(text + 2 * i, 3, "%02x", id[i]);
		any |= id[i];
	}
	if (any)
		json_text(j, key, text);
	else
		json_null(j, key);
}

/* The members of one operation, without the brackets. */
static void put_slow(struct json_out *j, const struct entry *e)
{
	const struct sm_slow *s = &e->slow;
	size_t i;

	json_text(j, "segment", e->segment);
	json_text(j, "writer", s->writer);
	json_text(j, "operation", s->operation);
	json_text(j, "status", s->status);
	json_time(j, "start", s->start_real_ns);
	json_seconds(j, "duration_seconds", s->duration_ns);
	json_seconds(j, "threshold_seconds", s->threshold_ns);
	put_id(j, "trace_id", s->trace_id, sizeof(s->trace_id));
	put_id(j, "span_id", s->span_id, sizeof(s->span_id));
	put_id(j, "parent_id", s->parent_id, sizeof(s->parent_id));
	json_open(j, "checkpoints", '[');
	for (i = 0; i < s->ncheckpoints; i++) {
		json_open(j, NULL, '{');
		json_text(j, "name", s->checkpoint[i].name);
		json_seconds(j, "duration_seconds", s->checkpoint[i].duration_ns);
		json_close(j, '}');
	}
	json_close(j, ']');
	/* Names may be there twice: no object. */
	json_open(j, "attributes", '[');
	for (i = 0; i < s->nattributes; i++) {
		json_open(j, NULL, '{');
		json_text_n(j, "key", s->attributes[2 * i].ptr, s->attributes[2 * i].len);
		json_text_n(j, "value", s->attributes[2 * i + 1].ptr, s->attributes[2 * i + 1].len);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_u64(j, "parts_refused", s->parts_refused);
}

int endpoint_slow_operations(struct call *c)
{
	static const char *const sorts[] = { "newest", "slowest", NULL };
	struct pick p = { .c = c, .limit = LIMIT_DEFAULT,
		.operation = request_param(c->request, "operation"),
		.writer = request_param(c->request, "writer"),
		.status = request_param(c->request, "status") };
	unsigned sorted = 0;
	size_t i;
	int rc = call_u64(c, "limit", 1, LIMIT_MAX, &p.limit);

	if (rc == 0)
		rc = call_word(c, "sort", sorts, &sorted);
	if (rc == 0)
		rc = call_duration(c, "min_duration", &p.min_duration_ns);
	p.compare = sorted ? compare_slowest : compare_newest;
	if (rc == 0)
		rc = pick(&p);
	if (rc == 0) {
		json_u64(&c->json, "total", p.total);
		json_open(&c->json, "operations", '[');
		for (i = 0; i < p.n; i++) {
			json_open(&c->json, NULL, '{');
			put_slow(&c->json, p.entry[i]);
			json_close(&c->json, '}');
		}
		json_close(&c->json, ']');
	}
	free(p.entry);
	free(p.pool);
	return rc;
}

/* ---- flows ---------------------------------------------------------------------------------- */

struct node {
	size_t parent;			/* index of the entry, or NONE */
	size_t shown_at;		/* place in the answer; NONE: not yet */
};

#define NONE SIZE_MAX

static int parse_trace(struct call *c, uint8_t ret_id[TRACE_BYTES])
{
	const char *text = request_param(c->request, "trace_id");
	uint8_t any = 0;
	unsigned byte;
	size_t i;

	if (!text)
		return call_refuse(c, "trace_id", "trace_id is missing: the 32 hexadecimal digits that "
			"/api/v1/slow-operations shows");
	for (i = 0; i < TRACE_BYTES && strlen(text) == 2 * TRACE_BYTES; i++) {
		if (strspn(text + 2 * i, "0123456789abcdefABCDEF") < 2 ||
			sscanf(text + 2 * i, "%2x", &byte) != 1)
			break;
		ret_id[i] = (uint8_t)byte;
		any |= ret_id[i];
	}
	if (i < TRACE_BYTES || !any)
		return call_refuse(c, "trace_id", "trace_id must be 32 hexadecimal digits and not all "
			"0, not \"%.64s\"", text);
	return 0;
}

static int has_span(const struct sm_slow *s, const uint8_t id[8])
{
	static const uint8_t none[8];

	return memcmp(id, none, 8) != 0 && memcmp(s->span_id, id, 8) == 0;
}

static void put_node(struct pick *p, struct node *node, size_t i, size_t at, unsigned depth)
{
	struct json_out *j = &p->c->json;

	node[i].shown_at = at;
	json_open(j, NULL, '{');
	json_u64(j, "depth", depth);
	if (depth)
		json_u64(j, "parent", node[node[i].parent].shown_at);
	else
		json_null(j, "parent");
	put_slow(j, p->entry[i]);
	json_close(j, '}');
}

/* An operation, and what it called, depth first; entries are sorted by start. */
static size_t put_tree(struct pick *p, struct node *node, size_t root, size_t at)
{
	size_t here = root, child;
	unsigned depth = 0;

	put_node(p, node, root, at++, depth);
	for (;;) {
		for (child = 0; child < p->n; child++)
			if (node[child].parent == here && node[child].shown_at == NONE)
				break;
		if (child < p->n) {
			put_node(p, node, child, at++, ++depth);
			here = child;
		} else if (here != root) {
			here = node[here].parent;
			depth--;
		} else {
			return at;
		}
	}
}

static int put_flow(struct pick *p)
{
	struct node *node = calloc(p->n + 1, sizeof(*node));
	size_t i, k, at = 0;

	if (!node)
		return -ENOMEM;
	for (i = 0; i < p->n; i++) {
		node[i] = (struct node){ NONE, NONE };
		for (k = 0; k < p->n && node[i].parent == NONE; k++)
			if (k != i && has_span(&p->entry[k]->slow, p->entry[i]->slow.parent_id))
				node[i].parent = k;
	}
	json_open(&p->c->json, "operations", '[');
	for (i = 0; i < p->n; i++)
		if (node[i].parent == NONE)
			at = put_tree(p, node, i, at);
	/* Only a lie makes a circle of parents. It is shown all the same. */
	for (i = 0; i < p->n; i++)
		if (node[i].shown_at == NONE)
			at = put_tree(p, node, i, at);
	json_close(&p->c->json, ']');
	free(node);
	return 0;
}

int endpoint_flows(struct call *c)
{
	struct pick p = { .c = c, .limit = LIMIT_MAX, .by_trace = 1, .compare = compare_start };
	int rc = parse_trace(c, p.trace_id);

	if (rc == 0)
		rc = call_u64(c, "limit", 1, LIMIT_MAX, &p.limit);
	if (rc == 0)
		rc = pick(&p);
	if (rc == 0) {
		put_id(&c->json, "trace_id", p.trace_id, sizeof(p.trace_id));
		json_u64(&c->json, "total", p.total);
		rc = put_flow(&p);
	}
	free(p.entry);
	free(p.pool);
	return rc;
}
