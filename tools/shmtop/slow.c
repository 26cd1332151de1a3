/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slow.c - the slow operations.
 */
#include "slow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy(char *ret, size_t size, const char *text, size_t len, unsigned escape)
{
	struct buf b = { 0 };

	top_escape(&b, text, len, escape);
	top_cut(b.data ? b.data : "", (int)size - 1, 100, "", ret, size);
	buf_free(&b);
}

static void hex(char *ret, const uint8_t *bytes, size_t n)
{
	unsigned any = 0;
	size_t i;

	for (i = 0; i < n; i++)
		any |= bytes[i];
	ret[0] = '\0';
	for (i = 0; any && i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static void add_steps(struct top_slow *to, const struct sm_slow *from, unsigned escape)
{
	unsigned i;

	for (i = 0; i < from->ncheckpoints && i < TOP_SLOW_STEPS; i++) {
		copy(to->step[i].name, sizeof(to->step[i].name), from->checkpoint[i].name,
		     strlen(from->checkpoint[i].name), escape);
		to->step[i].duration_ns = from->checkpoint[i].duration_ns;
		if (to->step[i].duration_ns > to->step[to->longest].duration_ns)
			to->longest = i;
	}
	to->nsteps = i;
}

int top_slows_add(struct top_slows *s, const struct sm_slow *slow)
{
	struct buf attributes = { 0 };
	struct top_slow *to;
	size_t i;

	if (s->n == TOP_SLOW_MAX)
		return 0;
	if (s->n == s->room) {
		to = realloc(s->slow, (s->room * 2 + 16) * sizeof(*to));
		if (!to)
			return -ENOMEM;
		s->slow = to;
		s->room = s->room * 2 + 16;
	}
	to = &s->slow[s->n];
	memset(to, 0, sizeof(*to));
	to->slot = slow->slot;
	to->number = slow->number;
	to->incarnation = slow->incarnation;
	to->start_real_ns = slow->start_real_ns;
	to->duration_ns = slow->duration_ns;
	to->threshold_ns = slow->threshold_ns;
	to->parts_refused = slow->parts_refused;
	copy(to->writer, sizeof(to->writer), slow->writer, strlen(slow->writer), s->escape);
	copy(to->operation, sizeof(to->operation), slow->operation, strlen(slow->operation),
	     s->escape);
	copy(to->status, sizeof(to->status), slow->status, strlen(slow->status), s->escape);
	hex(to->trace_id, slow->trace_id, sizeof(slow->trace_id));
	hex(to->span_id, slow->span_id, sizeof(slow->span_id));
	hex(to->parent_id, slow->parent_id, sizeof(slow->parent_id));
	add_steps(to, slow, s->escape);
	for (i = 0; i < slow->nattributes; i++) {
		buf_puts(&attributes, i ? " " : "");
		top_escape(&attributes, slow->attributes[2 * i].ptr, slow->attributes[2 * i].len,
			   s->escape);
		buf_puts(&attributes, "=");
		top_escape(&attributes, slow->attributes[2 * i + 1].ptr,
			   slow->attributes[2 * i + 1].len, s->escape);
	}
	to->attributes = buf_take(&attributes);
	if (!to->attributes)
		return -ENOMEM;
	s->n++;
	return 0;
}

static int add(void *context, const struct sm_slow *slow)
{
	return top_slows_add(context, slow);
}

void top_slows_clear(struct top_slows *s)
{
	while (s->n)
		free(s->slow[--s->n].attributes);
}

void top_slows_read(struct top_slows *s, struct sm_reader *r)
{
	int rc;

	top_slows_clear(s);
	rc = sm_reader_slow(r, add, s);
	s->rc = rc < 0 ? rc : 0;
}

void top_slows_release(struct top_slows *s)
{
	unsigned escape = s->escape;

	top_slows_clear(s);
	free(s->slow);
	memset(s, 0, sizeof(*s));
	s->escape = escape;
}
