/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring_read.c - slow operations, out of rings that are being written (ring.c).
 *
 * An entry is copied twice. Two equal copies whose seq is that of the wanted number are an entry
 * that stood whole between them; anything else is passed over: it is being written, was overtaken,
 * or its writer died in it. Entries of an earlier writer of the slot, which had another name, do
 * not count.
 */
#include <errno.h>
#include <string.h>

#include "clean.h"
#include "diag.h"
#include "reader_internal.h"

static size_t bounded(const char *text, size_t size)
{
	const char *nul = memchr(text, '\0', size);

	return nul ? (size_t)(nul - text) : size;
}

/* "key=value\0key=value\0" to pairs; the texts go to out->attribute_text, '=' becomes a NUL. */
static void parse_attributes(const struct sm_ring_entry *e, struct sm_slow *out)
{
	size_t len = e->attributes_len < sizeof(e->attributes) ? e->attributes_len
							       : sizeof(e->attributes);
	size_t at, one, key, to = 0,
			     most = sizeof(out->attributes) / sizeof(out->attributes[0]) / 2;
	const char *equals;
	struct sm_str *pair;

	for (at = 0; at < len && out->nattributes < most; at += one + 1) {
		one = bounded(e->attributes + at, len - at);
		equals = memchr(e->attributes + at, '=', one);
		if (!equals || equals == e->attributes + at)
			continue;
		key = (size_t)(equals - (e->attributes + at));
		pair = &out->attributes[2 * out->nattributes++];
		/* A clean text is never longer than its source, so all of them fit. */
		pair[0].ptr = out->attribute_text + to;
		pair[0].len = sm_clean_text(out->attribute_text + to, e->attributes + at, key);
		to += pair[0].len + 1;
		pair[1].ptr = out->attribute_text + to;
		pair[1].len = sm_clean_text(out->attribute_text + to, equals + 1, one - key - 1);
		to += pair[1].len + 1;
	}
}

static void fill_slow(const struct sm_ring_entry *e, struct sm_slow *out)
{
	unsigned i, n = e->ncheckpoints < 16 ? e->ncheckpoints : 16;

	out->number = e->seq / 2 - 1;
	out->incarnation = e->incarnation;
	sm_clean_text(out->operation, e->operation, bounded(e->operation, sizeof(e->operation)));
	sm_clean_text(out->status, e->status, bounded(e->status, sizeof(e->status)));
	out->start_real_ns = e->start_real_ns;
	out->duration_ns = e->duration_ns;
	out->threshold_ns = e->threshold_ns;
	memcpy(out->trace_id, e->trace_id, sizeof(out->trace_id));
	memcpy(out->span_id, e->span_id, sizeof(out->span_id));
	memcpy(out->parent_id, e->parent_id, sizeof(out->parent_id));
	out->ncheckpoints = n;
	for (i = 0; i < n; i++) {
		sm_clean_text(out->checkpoint[i].name, e->checkpoint[i].name,
			      bounded(e->checkpoint[i].name, sizeof(e->checkpoint[i].name)));
		out->checkpoint[i].duration_ns = e->checkpoint[i].duration_ns;
	}
	parse_attributes(e, out);
	out->parts_refused = e->parts_refused;
}

/* Entry `number` of a slot: 1 and *ret_entry, 0 if it is not there, -errno. */
static int read_entry(const struct sm_reader *r, uint32_t slot, uint64_t number,
		      struct sm_ring_entry *ret_entry)
{
	uint64_t offset =
		sm_ring_offset(&r->geo, slot, (unsigned)(number & (r->geo.ring_entries - 1)));
	struct sm_ring_entry again;
	int rc = sm_reader_pread(r, ret_entry, sizeof(*ret_entry), offset, NULL);

	if (rc || ret_entry->seq != 2 * (number + 1))
		return rc;
	rc = sm_reader_pread(r, &again, sizeof(again), offset, NULL);
	if (rc)
		return rc;
	return memcmp(&again, ret_entry, sizeof(again)) == 0;
}

static int read_ring(const struct sm_reader *r, uint32_t slot, const struct sm_slot *s,
		     int (*fn)(void *ctx, const struct sm_slow *slow), void *ctx, int *count)
{
	uint64_t number =
		s->ring_head > r->geo.ring_entries ? s->ring_head - r->geo.ring_entries : 0;
	struct sm_ring_entry e;
	struct sm_slow slow;
	int rc;

	for (; number < s->ring_head; number++) {
		rc = read_entry(r, slot, number, &e);
		if (rc < 0)
			return rc;
		/* Each adoption raised the incarnation by one, and the claim before them. */
		if (!rc || s->incarnation - e.incarnation > s->restarts)
			continue;
		memset(&slow, 0, sizeof(slow));
		slow.slot = slot;
		sm_clean_text(slow.writer, s->name, bounded(s->name, sizeof(s->name) - 1));
		fill_slow(&e, &slow);
		++*count;
		if (fn(ctx, &slow))
			return 1;
	}
	return 0;
}

int sm_reader_slow(struct sm_reader *r, int (*fn)(void *ctx, const struct sm_slow *slow), void *ctx)
{
	const struct sm_slot *s;
	int rc, count = 0;
	uint32_t i;

	rc = sm_reader_pread(r, r->slots, (size_t)r->geo.nslots * sizeof(*s), r->geo.off_slots,
			     NULL);
	for (i = 0; !rc && i < r->geo.nslots; i++) {
		s = &r->slots[i];
		if (s->state != SM_SLOT_LIVE && s->state != SM_SLOT_ADOPTING &&
		    s->state != SM_SLOT_COMMON)
			continue;
		rc = read_ring(r, i, s, fn, ctx, &count);
	}
	return rc < 0 ? rc : count;
}
