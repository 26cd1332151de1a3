/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exemplar.c - examples attached to counters and buckets.
 *
 * A series of a family with exemplars has one slot (counter) or one per classic bucket; all
 * writers share it, the last one wins. The slot's sequence word is (count << 17 | writer slot <<
 * 1 | busy). Who makes it busy by compare-and-swap owns the slot until it clears the bit; the
 * count makes each use another word. A reader copies the slot and believes it if the word was the
 * same, and not busy, before and after.
 *
 * Nobody waits: a busy slot means that somebody is attaching an example at this moment, and one
 * of the two is as good as the other. The loser is counted. A slot that a dead writer left busy
 * is freed when that writer's slot is adopted or folded; the common writer's is never, so it
 * attaches none.
 */
#include "metric.h"
#include "utf8.h"

#define POINTS_MAX 128		/* code points of all names and values, as OpenMetrics has it */
#define PAIRS_MAX 16		/* what a reader hands out */
#define COUNT_SHIFT 17
#define BUSY UINT64_C(1)

/* A label name: [a-zA-Z_][a-zA-Z0-9_]*. */
static bool is_name(const struct sm_str *s)
{
	size_t i;

	for (i = 0; i < s->len; i++) {
		char c = s->ptr[i], lower = (char)(c | 0x20);

		if (!((lower >= 'a' && lower <= 'z') || c == '_' || (i && c >= '0' && c <= '9')))
			return false;
	}
	return s->len > 0;
}

static bool is_new_name(const struct sm_str *pairs, size_t i)
{
	size_t k;

	for (k = 0; k < i; k += 2)
		if (pairs[k].len == pairs[i].len &&
		    !memcmp(pairs[k].ptr, pairs[i].ptr, pairs[i].len))
			return false;
	return true;
}

/* No byte of s is 0 or above 0x7f: the usual case, found out eight at a time. */
static bool is_plain(const struct sm_str *s)
{
	const uint64_t ones = UINT64_MAX / 255;
	uint64_t word;
	size_t i;

	for (i = 0; i + 8 <= s->len; i += 8) {
		memcpy(&word, s->ptr + i, sizeof(word));
		if ((word | (word - ones)) & ones << 7)
			return false;
	}
	for (; i < s->len; i++)
		if ((signed char)s->ptr[i] <= 0)
			return false;
	return true;
}

/* Code points in s, or more than there may be if it is not UTF-8 without NUL. */
static size_t code_points(const struct sm_str *s)
{
	if (is_plain(s))
		return s->len;
	return sm_utf8_valid(s->ptr, s->len) ? sm_utf8_length(s->ptr, s->len) : POINTS_MAX + 1;
}

/* Write "name\0value\0"...; returns the bytes, or 0 if the labels cannot be an exemplar's. */
static size_t format_labels(const struct sm_str *pairs, size_t npairs, char *ret_text, size_t size)
{
	size_t i, points = 0, len = 0;

	if (!npairs || npairs > PAIRS_MAX)
		return 0;
	for (i = 0; i < 2 * npairs; i++) {
		const struct sm_str *s = &pairs[i];

		if (s->len >= size - len)
			return 0;
		points += code_points(s);
		if (points > POINTS_MAX)
			return 0;
		if (i % 2 == 0 && !(is_name(s) && is_new_name(pairs, i)))
			return 0;
		if (s->len)
			memcpy(ret_text + len, s->ptr, s->len);
		len += s->len;
		ret_text[len++] = '\0';
	}
	return len;
}

/* The slot number `which` of the handle's series; NULL if it has none. */
static struct sm_exemplar_rec *find_slot(const struct handle *h, const struct region *r,
					 uint32_t which)
{
	const struct sm_series_rec *s;
	uint32_t series = load_relaxed(&h->series);
	uint64_t first;

	if (!r || series >= r->geo.nseries)
		return NULL;
	s = region_series(r, series);
	first = load_relaxed(&s->exemplar);
	if (!first || which >= load_relaxed(&s->nexemplars) ||
	    first - 1 + which >= r->geo.nexemplars)
		return NULL;
	return region_exemplar(r, (uint32_t)first - 1 + which);
}

static bool publish(struct sm_exemplar_rec *e, uint32_t slot, double value, const char *text,
		    size_t len)
{
	uint64_t old = load_relaxed(&e->seq), ours;

	ours = ((old >> COUNT_SHIFT) + 1) << COUNT_SHIFT | (uint64_t)slot << 1 | BUSY;
	if ((old & BUSY) || !cas_acq_rel(&e->seq, &old, ours))
		return false;
	/* The busy word is seen before what follows, and that before the free word. Pairs with
	 * the two looks of the reader. Killed in between: busy until our slot is adopted or
	 * folded. */
	fence_release();
	store_relaxed(&e->value, double_bits(value));
	store_relaxed(&e->at_real_ns, clock_ns(CLOCK_REALTIME_COARSE));
	memcpy(e->labels, text, len);
	store_relaxed(&e->text_len, (uint32_t)len);
	store_release(&e->seq, ours & ~BUSY);
	return true;
}

static void attach(struct handle *h, uint32_t which, double value, const struct sm_str *pairs,
		   size_t npairs)
{
	struct sm *m = h->family->m;
	const struct region *r;
	struct sm_exemplar_rec *e;
	char text[sizeof(e->labels)];
	size_t len = format_labels(pairs, npairs, text, sizeof(text));

	/* The cell is not needed: asking for it makes a forked child take its slot. */
	if (!len || value != value || (m->flags & SM_OPEN_COMMON) ||
	    !lane_shared_cell(handle_place(h), 1) || !writer_slot(m)) {
		writer_refuse(m, SM_REFUSED_EXEMPLAR);
		return;
	}
	r = load_acquire(&m->region);
	/* Not yet bound to a new file: its series record means nothing there. */
	e = r && WHERE_ENTRY(handle_place(h)) / 2 == r->number ? find_slot(h, r, which) : NULL;
	if (!e || !publish(e, r->slot, value, text, len))
		writer_refuse(m, SM_REFUSED_EXEMPLAR);
}

void sm_counter_exemplar(struct sm_counter *c, double value, const struct sm_str *pairs,
			 size_t npairs)
{
	struct handle *h = handle_of(c);

	if (handle_place(h))
		attach(h, 0, value, pairs, npairs);
}

void sm_histogram_exemplar(struct sm_histogram *hist, double value, const struct sm_str *pairs,
			   size_t npairs)
{
	struct handle *h = handle_of(hist);
	const struct family_def *def;
	uint32_t bucket = 0;

	if (!handle_place(h))
		return;
	def = &h->family->def;
	while (bucket < def->nbounds && value > def->bounds[bucket])
		bucket++;
	attach(h, bucket, value, pairs, npairs);
}
