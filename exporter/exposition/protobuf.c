/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf.c - the delimited protobuf format: io.prometheus.client.MetricFamily messages, each with
 * its length before it.
 *
 * Written by hand, since it is only ever written and has five kinds of messages:
 *
 *	MetricFamily	name 1, help 2, type 3, metric 4, unit 5
 *	Metric		label 1, gauge 2, counter 3, histogram 7
 *	Gauge		value 1
 *	Counter		value 1, exemplar 2, start 3
 *	Histogram	count 1, sum 2, bucket 3, schema 5, zero threshold 6, zero count 7,
 *			positive spans 12 and deltas 13, start 15, exemplar 16
 *
 * A message's length stands before it, so the inner ones are made first, in the scratch buffers of
 * the render; a family is written in place and moved by the bytes that its length does not need.
 *
 * A histogram has both views: classic buckets, and a native histogram of the fine grid. Its zero
 * threshold is the grid's lower end, always above 0, and an empty one gets a span of no buckets:
 * by the one or the other a server knows that it is native. What is above the grid is in the bucket
 * up to +Inf.
 */
#include <string.h>

#include "exporter/exposition/format.h"

#define LENGTH_ROOM	5	/* bytes of a family's length, at most */
#define GAP		2	/* empty buckets that are cheaper to list than to jump over */
#define SPANS_MAX	(SM_NATIVE_BUCKETS_MAX / GAP + 2)
#define EXPONENTS	1024	/* doublings that a double has above 1 */

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2 };

/* ---- pieces --------------------------------------------------------------------------------- */

static char *varint(char *to, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*to++ = (char)(v | 0x80);
	*to++ = (char)v;
	return to;
}

static char *tag(char *to, unsigned field, enum wire wire)
{
	return varint(to, field << 3 | wire);
}

static void put_varint(struct buf *b, unsigned field, uint64_t v)
{
	char text[20];

	buf_put(b, text, (size_t)(varint(tag(text, field, VARINT), v) - text));
}

static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static char *number(char *to, unsigned field, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	bits = __builtin_bswap64(bits);
#endif
	to = tag(to, field, FIXED64);
	memcpy(to, &bits, sizeof(bits));
	return to + sizeof(bits);
}

static void put_double(struct buf *b, unsigned field, double v)
{
	char text[16];

	buf_put(b, text, (size_t)(number(text, field, v) - text));
}

static void put_length(struct buf *b, unsigned field, size_t len)
{
	char text[20];

	buf_put(b, text, (size_t)(varint(tag(text, field, BYTES), len) - text));
}

static void put_bytes(struct buf *b, unsigned field, const char *data, size_t len)
{
	put_length(b, field, len);
	buf_put(b, data, len);
}

/* A Timestamp: seconds 1, nanoseconds 2. At most 24 bytes. */
static char *timestamp(char *to, unsigned field, uint64_t ns)
{
	char text[24], *end = varint(tag(text, 1, VARINT), ns / 1000000000);

	if (ns % 1000000000)
		end = varint(tag(end, 2, VARINT), ns % 1000000000);
	to = varint(tag(to, field, BYTES), (uint64_t)(end - text));
	memcpy(to, text, (size_t)(end - text));
	return to + (end - text);
}

static void put_time(struct buf *b, unsigned field, uint64_t ns)
{
	char text[32];

	if (ns)
		buf_put(b, text, (size_t)(timestamp(text, field, ns) - text));
}

static size_t varint_size(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

/* ---- labels and heads ----------------------------------------------------------------------- */

/* A LabelPair: name 1, value 2. */
static void put_pair(struct buf *b, const char *name, const char *value, size_t len)
{
	size_t name_len = strlen(name);

	put_length(b, 1, 2 + varint_size(name_len) + name_len + varint_size(len) + len);
	put_bytes(b, 1, name, name_len);
	put_bytes(b, 2, value, len);
}

static void put_piece(struct buf *b, const struct model_label *label)
{
	put_pair(b, label->name, label->value, label->len);
}

static void put_series(struct buf *b, const struct model_family *f, const struct model_label *label,
	size_t nlabels)
{
	size_t i;

	(void)f;
	for (i = 0; i < nlabels; i++)
		put_piece(b, &label[i]);
}

static void put_head(struct buf *b, const struct model_family *f)
{
	static const unsigned types[MODEL_TYPES] = { [MODEL_COUNTER] = 0, [MODEL_GAUGE] = 1,
		[MODEL_HISTOGRAM] = 4, [MODEL_INFO] = 1, [MODEL_STATESET] = 1 };

	put_bytes(b, 1, f->name, f->name_len);
	if (*f->help)
		put_bytes(b, 2, f->help, strlen(f->help));
	put_varint(b, 3, types[f->type]);
	if (*f->unit)
		put_bytes(b, 5, f->unit, strlen(f->unit));
}

static void begin(struct render *r)
{
	static const char nothing[LENGTH_ROOM];

	if (r->begun)
		return;
	r->begun = 1;
	r->begin = r->out->len;
	buf_put(r->out, nothing, sizeof(nothing));
	buf_put(r->out, r->head.at, r->head.len);
}

/* Now the family's length is known. */
static void end_family(struct render *r)
{
	size_t len, need;
	char *at;

	if (!r->begun || r->out->failed)
		return;
	at = r->out->data + r->begin;
	len = r->out->len - r->begin - LENGTH_ROOM;
	need = varint_size(len);
	if (need > LENGTH_ROOM) {
		r->out->failed = 1;
		return;
	}
	memmove(at + need, at + LENGTH_ROOM, len);
	varint(at, len);
	r->out->len -= LENGTH_ROOM - need;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* An Exemplar: label 1, value 2, timestamp 3. */
static void put_exemplar(struct render *r, struct buf *b, unsigned field,
	const struct sm_exemplar *e)
{
	struct buf *text = &r->more;
	size_t i;

	text->len = 0;
	for (i = 0; i < e->npairs; i++)
		put_pair(text, e->pairs[2 * i].ptr, e->pairs[2 * i + 1].ptr,
			e->pairs[2 * i + 1].len);
	put_double(text, 2, e->value);
	put_time(text, 3, e->at_real_ns);
	put_bytes(b, field, text->data, text->len);
}

/* Counter and Gauge begin alike: value 1. */
static void put_value(struct render *r, const struct format_batch *b, size_t i)
{
	int is_counter = r->family->type == MODEL_COUNTER;
	struct buf *value = &r->scratch;
	size_t len = b->at[i + 1] - b->at[i], all;
	unsigned p;

	value->len = 0;
	put_double(value, 1, b->units ? (double)b->units[i] : b->value[i].value);
	if (is_counter && b->exemplar && b->exemplar[i])
		put_exemplar(r, value, 2, b->exemplar[i]);
	if (is_counter && b->created_ns)
		put_time(value, 3, b->created_ns[i]);
	all = len + 1 + varint_size(value->len) + value->len;
	for (p = 0; p < b->npieces; p++)
		all += b->piece[p].len;
	put_length(r->out, 4, all);
	buf_put(r->out, b->text + b->at[i], len);
	for (p = 0; p < b->npieces; p++)
		buf_put(r->out, b->piece[p].at, b->piece[p].len);
	put_bytes(r->out, is_counter ? 3 : 2, value->data, value->len);
	r->samples++;
}

/* The common case without going through the buffers: labels, a number, perhaps a start. */
static void put_plain(struct render *r, const struct format_batch *b)
{
	unsigned field = r->family->type == MODEL_COUNTER ? 3 : 2;
	size_t i, len, inner;
	char text[48], *end, *to;

	if (!buf_reserve(r->out, b->at[b->n] - b->at[0] + b->n * (sizeof(text) + 24)))
		return;
	to = r->out->data + r->out->len;
	for (i = 0; i < b->n; i++) {
		end = number(text, 1, b->units ? (double)b->units[i] : b->value[i].value);
		if (b->created_ns && b->created_ns[i])
			end = timestamp(end, 3, b->created_ns[i]);
		inner = (size_t)(end - text);
		len = b->at[i + 1] - b->at[i];
		to = varint(tag(to, 4, BYTES), len + 2 + inner);
		memcpy(to, b->text + b->at[i], len);
		to = varint(tag(to + len, field, BYTES), inner);
		memcpy(to, text, inner);
		to += inner;
	}
	r->out->len = (size_t)(to - r->out->data);
	r->samples += b->n;
}

static void put_numbers(struct render *r, const struct format_batch *b)
{
	size_t i;

	if (b->units && !b->npieces && !b->exemplar && b->n) {
		begin(r);
		put_plain(r, b);
		return;
	}
	for (i = 0; i < b->n; i++) {
		if (!b->units && !b->value[i].is_set)
			continue;
		begin(r);
		put_value(r, b, i);
	}
}

/* ---- histograms ----------------------------------------------------------------------------- */

/* A Bucket: cumulative count 1, upper bound 2, exemplar 3. */
static void put_buckets(struct render *r, struct buf *out, const struct format_histogram *h)
{
	struct buf bucket = { 0 };
	char text[32], *end;
	unsigned i;

	for (i = 0; i <= h->nbounds; i++) {
		end = varint(tag(text, 1, VARINT), h->cumulative[i]);
		end = number(end, 2, i < h->nbounds ? h->bound[i] : __builtin_inf());
		if (!h->exemplar || !h->exemplar[i]) {
			put_bytes(out, 3, text, (size_t)(end - text));
			continue;
		}
		bucket.len = 0;
		buf_put(&bucket, text, (size_t)(end - text));
		put_exemplar(r, &bucket, 3, h->exemplar[i]);
		put_bytes(out, 3, bucket.data, bucket.len);
		out->failed |= bucket.failed;
	}
	buf_free(&bucket);
}

/* The filled buckets as runs, and the difference of each count to the one before. */
struct spans {
	struct {
		int offset;		/* from the end of the span before */
		unsigned length;
	} span[SPANS_MAX];
	unsigned n;
	int next;			/* index after the last bucket listed */
	uint64_t last;
	struct buf deltas;
};

static void list_bucket(struct spans *s, int index, uint64_t count)
{
	char text[10];
	int gap = index - s->next;

	if (s->n == 0 || gap > GAP) {
		s->span[s->n].offset = gap;
		s->span[s->n++].length = 0;
		s->next = index;
	}
	for (; s->next <= index; s->next++) {
		uint64_t is = s->next == index ? count : 0;

		buf_put(&s->deltas, text,
			(size_t)(varint(text, zigzag((int64_t)(is - s->last))) - text));
		s->last = is;
		s->span[s->n - 1].length++;
	}
}

/* The index of the bucket that ends at +Inf. */
static int overflow_index(int schema)
{
	return 1 + (schema >= 0 ? EXPONENTS << schema : EXPONENTS >> -schema);
}

static void put_native(struct render *r, struct buf *out, const struct sm_native *native)
{
	struct spans s = { .n = 0 };
	char text[24], *end;
	unsigned i;

	for (i = 0; i < native->ncounts; i++)
		if (native->counts[i])
			list_bucket(&s, native->first_index + (int)i, native->counts[i]);
	if (native->above)
		list_bucket(&s, overflow_index(native->schema), native->above);
	put_varint(out, 5, zigzag(native->schema));
	put_double(out, 6, native->zero_threshold);
	put_varint(out, 7, native->zero_count);
	if (s.n == 0)
		put_bytes(out, 12, "\x08\0\x10", 4);	/* offset 0, length 0 */
	for (i = 0; i < s.n; i++) {
		end = varint(tag(text, 1, VARINT), zigzag(s.span[i].offset));
		end = varint(tag(end, 2, VARINT), s.span[i].length);
		put_bytes(out, 12, text, (size_t)(end - text));
	}
	if (s.deltas.len)
		put_bytes(out, 13, s.deltas.data, s.deltas.len);
	r->out->failed |= s.deltas.failed;
	buf_free(&s.deltas);
}

static void put_histogram(struct render *r, const struct format_histogram *h)
{
	struct buf *inner = &r->scratch;
	size_t all = h->text.len, i;

	begin(r);
	inner->len = 0;
	put_varint(inner, 1, h->cumulative[h->nbounds]);
	put_double(inner, 2, h->sum.value);
	put_buckets(r, inner, h);
	if (h->native)
		put_native(r, inner, h->native);
	put_time(inner, 15, h->created_ns);
	/* A native histogram's exemplars must have a time. */
	for (i = 0; h->native && h->exemplar && i <= h->nbounds; i++)
		if (h->exemplar[i] && h->exemplar[i]->at_real_ns)
			put_exemplar(r, inner, 16, h->exemplar[i]);
	all += 1 + varint_size(inner->len) + inner->len;
	for (i = 0; i < h->npieces; i++)
		all += h->piece[i].len;
	put_length(r->out, 4, all);
	buf_put(r->out, h->text.at, h->text.len);
	for (i = 0; i < h->npieces; i++)
		buf_put(r->out, h->piece[i].at, h->piece[i].len);
	put_bytes(r->out, 7, inner->data, inner->len);
	r->samples += h->nbounds + 3;
}

static void finish_nothing(struct render *r)
{
	(void)r;
}

const struct format format_protobuf = {
	.put_head = put_head,
	.put_series = put_series,
	.put_piece = put_piece,
	.numbers = put_numbers,
	.histogram = put_histogram,
	.end = end_family,
	.finish = finish_nothing,
	.wants_native = 1,
	.wants_exemplars = 1,
	.wants_created = 1,
};
