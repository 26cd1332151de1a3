/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.c - slow operations, one ring per writer slot, read while it is written.
 *
 * A writer takes the next number from ring_head; entry number % ring_entries is its place. It
 * makes the entry's seq odd (2 * number + 1), writes, and makes it 2 * number + 2. A reader
 * copies an entry and believes it if seq was the same even number before and after.
 *
 * An odd seq that we meet is a whole ring old. If the entry is of this incarnation, its writer is
 * a thread of ours that stands still: the newcomer gives way and is counted. If it is of another,
 * that one died there, and the newcomer takes the place. The incarnation is stored first of all,
 * so that the two are told apart; a thread stopped between making seq odd and that store, for a
 * whole ring, would cost one garbled record.
 *
 * The common writer (short-lived programs) has no ring: nobody would notice which of them died.
 */
#include "ring.h"

#include <errno.h>

#include "trace.h"

#define SECOND_NS UINT64_C(1000000000)

uint64_t ring_threshold(const struct sm *m, const char *operation, uint64_t otherwise)
{
	unsigned i;

	for (i = 0; i < m->nslow; i++)
		if (!strcmp(m->slow[i].operation, operation))
			return m->slow[i].ns;
	return otherwise;
}

bool ring_text(char *field, size_t size, const char *text)
{
	size_t len = text ? strlen(text) : 0, fits = len;

	if (len >= size)
		for (fits = size - 1; fits && ((unsigned char)text[fits] & 0xc0) == 0x80; )
			fits--;
	if (fits)
		memcpy(field, text, fits);
	memset(field + fits, 0, size - fits);
	return fits == len;
}

/* One window of a second for the process. Threads that begin a new one together may let through a
 * few more. */
static bool rate_allows(struct sm *m, uint32_t per_second)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE), window = load_relaxed(&m->slow_window_ns);

	if ((!window || now - window >= SECOND_NS) && cas_relaxed(&m->slow_window_ns, &window, now))
		store_relaxed(&m->slow_count, 0);
	return load_relaxed(&m->slow_count) < per_second &&
	       fetch_add_relaxed(&m->slow_count, 1) < per_second;
}

/* Make the entry ours. */
static bool take(struct sm_ring_entry *to, uint64_t number, uint64_t incarnation)
{
	uint64_t seq = load_acquire(&to->seq);

	if ((seq & 1) && load_relaxed(&to->incarnation) == incarnation)
		return false;
	if (!cas_acq_rel(&to->seq, &seq, 2 * number + 1))
		return false;
	fence_release();	/* odd before anything else; pairs with the reader's second look */
	store_relaxed(&to->incarnation, incarnation);
	return true;
}

int ring_record(struct sm *m, struct sm_ring_entry *e, uint32_t per_second)
{
	struct sm_slot *slot = writer_slot(m);
	const size_t first = offsetof(struct sm_ring_entry, start_real_ns);
	const size_t middle = offsetof(struct sm_ring_entry, incarnation);
	const size_t rest = offsetof(struct sm_ring_entry, ncheckpoints);
	struct region *r = load_acquire(&m->region);
	struct sm_ring_entry *to;
	uint64_t number;

	if (m->error || m->null)
		return m->error;
	if (!slot && writer_claim_in_child(m))
		slot = writer_slot(m);
	if (!slot || r->slot >= r->geo.nslots || (m->flags & SM_OPEN_COMMON) ||
	    !rate_allows(m, per_second)) {
		writer_refuse(m, SM_REFUSED_RING_RATE);
		return -EAGAIN;
	}
	number = fetch_add_relaxed(&slot->ring_head, 1);
	to = region_ring(r, r->slot, number & (r->geo.ring_entries - 1));
	if (!take(to, number, load_relaxed(&slot->incarnation))) {
		writer_refuse(m, SM_REFUSED_RING_RATE);
		return -EAGAIN;
	}
	if (e->parts_refused)
		add_relaxed(&slot->refused[SM_REFUSED_RING_PART], (uint64_t)e->parts_refused);
	memcpy((char *)to + first, (const char *)e + first, middle - first);
	memcpy((char *)to + rest, (const char *)e + rest, sizeof(*e) - rest);
	/* Whoever sees this number sees the entry. Killed before: the place is odd until the ring
	 * comes round. */
	store_release(&to->seq, 2 * number + 2);
	return 0;
}

/* Lines "key=value" as the ring's "key=value\0"; those that do not fit are counted. */
static void put_lines(struct sm_ring_entry *e, const char *lines)
{
	size_t len;

	for (; lines && *lines; lines += len + (lines[len] != '\0')) {
		len = strcspn(lines, "\n");
		if (!len)
			continue;
		if (len >= sizeof(e->attributes) - e->attributes_len) {
			e->parts_refused++;
			continue;
		}
		memcpy(e->attributes + e->attributes_len, lines, len);
		e->attributes_len += (uint32_t)len;
		e->attributes[e->attributes_len++] = '\0';
	}
}

int sm_slow_record(struct sm *m, const char *operation, const char *status, uint64_t duration_ns,
		   const char *traceparent, const char *attributes)
{
	struct sm_ring_entry e;
	struct trace_parent parent;

	memset(&e, 0, sizeof(e));
	e.parts_refused += !ring_text(e.operation, sizeof(e.operation), operation);
	e.parts_refused += !ring_text(e.status, sizeof(e.status), status);
	e.duration_ns = duration_ns;
	e.start_real_ns = clock_ns(CLOCK_REALTIME) - duration_ns;
	e.threshold_ns = ring_threshold(m, e.operation, 0);
	if (trace_parse(traceparent, &parent) == 0) {
		memcpy(e.trace_id, parent.trace_id, sizeof(e.trace_id));
		memcpy(e.parent_id, parent.parent_id, sizeof(e.parent_id));
		e.flags = RING_REMOTE;
	} else {
		trace_id(e.trace_id, sizeof(e.trace_id));
	}
	trace_id(e.span_id, sizeof(e.span_id));
	put_lines(&e, attributes);
	return ring_record(m, &e, m->slow_per_second);
}
