/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dict.c - encode and decode the text of families and series; see dict.h for the format.
 *
 * A decoded record is one block: the struct, then its arrays, then its texts. Decoding is two
 * passes over the same bytes by the same code: the first, without memory, counts.
 */
#include "exporter/history/dict.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MAX	64u	/* of a family; a segment's own limit is lower */
#define STATES_MAX	255u
#define BOUNDS_MAX	1024u

static size_t text_length(const char *text)
{
	return text ? strlen(text) : 0;
}

static void put_string(struct bytes_out *out, const char *text)
{
	bytes_put_text(out, text ? text : "", text_length(text));
}

void dict_put_family(struct bytes_out *out, const struct sm_family_info *f)
{
	unsigned i;

	bytes_put_u8(out, DICT_VERSION);
	bytes_put_u8(out, (uint8_t)f->kind);
	bytes_put_u8(out, (uint8_t)f->mode);
	bytes_put_u8(out, (uint8_t)f->nlabels);
	bytes_put_u8(out, (uint8_t)f->nstates);
	bytes_put_u16(out, (uint16_t)f->nbounds);
	bytes_put_u16(out, (uint16_t)f->nunited);
	put_string(out, f->name);
	put_string(out, f->help);
	put_string(out, f->unit);
	for (i = 0; i < f->nlabels; i++)
		put_string(out, f->labels[i]);
	for (i = 0; i < f->nstates; i++)
		put_string(out, f->states[i]);
	for (i = 0; i < f->nbounds; i++)
		bytes_put_double(out, f->bounds[i]);
	for (i = 0; i < f->nunited; i++)
		bytes_put_double(out, f->united[i]);
}

void dict_put_series(struct bytes_out *out, uint32_t family_id, const struct sm_str *values,
	size_t nvalues, const char *writer, uint64_t created_real_ns)
{
	size_t i;

	bytes_put_u8(out, DICT_VERSION);
	bytes_put_u32(out, family_id);
	bytes_put_u64(out, created_real_ns);
	bytes_put_u8(out, (uint8_t)nvalues);
	put_string(out, writer);
	for (i = 0; i < nvalues; i++)
		bytes_put_text(out, values[i].ptr, values[i].len);
}

/* The block that a record is decoded into; without memory it only counts. */
struct block {
	char *at, *text;
	size_t array_bytes, text_bytes;
};

/* Room for n elements of an array; every size used here is a multiple of 8. */
static void *take_array(struct block *b, size_t n, size_t size)
{
	char *at = b->at;

	b->array_bytes += n * size;
	if (at)
		b->at += n * size;
	return at;
}

/* The next text of the record, copied with a NUL. */
static struct sm_str take_text(struct block *b, struct bytes_in *in)
{
	struct sm_str s;
	char *copy = b->text;

	s.ptr = bytes_get_text(in, &s.len);
	if (s.len > DICT_TEXT_MAX || !bytes_is_text(s.ptr, s.len))
		in->failed = 1;
	b->text_bytes += s.len + 1;
	if (!copy)
		return (struct sm_str){ "", 0 };
	memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	b->text += s.len + 1;
	return (struct sm_str){ copy, s.len };
}

static const char *const *take_texts(struct block *b, struct bytes_in *in, size_t n)
{
	const char **list = take_array(b, n, sizeof(*list));
	size_t i;

	for (i = 0; i < n; i++) {
		struct sm_str s = take_text(b, in);

		if (list)
			list[i] = s.ptr;
	}
	return list;
}

/* Ascending and finite, or the record is refused. */
static const double *take_bounds(struct block *b, struct bytes_in *in, size_t n)
{
	double *list = take_array(b, n, sizeof(*list));
	double v, last = -INFINITY;
	size_t i;

	for (i = 0; i < n; i++) {
		v = bytes_get_double(in);
		if (!isfinite(v) || v <= last)
			in->failed = 1;
		last = v;
		if (list)
			list[i] = v;
	}
	return list;
}

static int parse_family(struct bytes_in in, struct block *b, uint32_t id,
	struct history_family *f)
{
	uint8_t kind, mode;

	if (bytes_get_u8(&in) > DICT_VERSION)
		return -EPROTONOSUPPORT;
	f->id = id;
	kind = bytes_get_u8(&in);
	mode = bytes_get_u8(&in);
	f->nlabels = bytes_get_u8(&in);
	f->nstates = bytes_get_u8(&in);
	f->nbounds = bytes_get_u16(&in);
	f->nunited = bytes_get_u16(&in);
	if (in.failed || kind < SM_COUNTER || kind > SM_STATESET || mode > SM_MODE_ALL ||
	    f->nlabels > LABELS_MAX || f->nstates > STATES_MAX ||
	    f->nbounds > BOUNDS_MAX || f->nunited > BOUNDS_MAX)
		return -EBADMSG;
	f->kind = (enum sm_kind)kind;
	f->mode = (enum sm_gauge_mode)mode;
	f->name = take_text(b, &in).ptr;
	f->help = take_text(b, &in).ptr;
	f->unit = take_text(b, &in).ptr;
	f->labels = take_texts(b, &in, f->nlabels);
	f->states = take_texts(b, &in, f->nstates);
	f->bounds = take_bounds(b, &in, f->nbounds);
	f->united = take_bounds(b, &in, f->nunited);
	return in.failed || bytes_left(&in) ? -EBADMSG : 0;
}

int dict_get_family(const void *data, size_t len, uint32_t id, struct history_family **ret_family)
{
	struct bytes_in in = bytes_reader(data, len);
	struct history_family counted, *f;
	struct block b = { 0 };
	int rc = parse_family(in, &b, id, &counted);

	if (rc < 0)
		return rc;
	f = malloc(sizeof(*f) + b.array_bytes + b.text_bytes);
	if (!f)
		return -ENOMEM;
	b.at = (char *)(f + 1);
	b.text = b.at + b.array_bytes;
	parse_family(in, &b, id, f);
	*ret_family = f;
	return 0;
}

int dict_series_family(const void *data, size_t len, uint32_t *ret_family_id)
{
	struct bytes_in in = bytes_reader(data, len);
	uint32_t id;

	if (bytes_get_u8(&in) > DICT_VERSION)
		return -EPROTONOSUPPORT;
	id = bytes_get_u32(&in);
	if (in.failed)
		return -EBADMSG;
	*ret_family_id = id;
	return 0;
}

static int parse_series(struct bytes_in in, struct block *b, uint32_t id,
	const struct history_family *family, struct history_series *s)
{
	struct sm_str *values;
	unsigned i, n;

	if (bytes_get_u8(&in) > DICT_VERSION)
		return -EPROTONOSUPPORT;
	s->id = id;
	s->family = family;
	if (bytes_get_u32(&in) != family->id)
		return -EBADMSG;
	s->created_real_ns = bytes_get_u64(&in);
	n = bytes_get_u8(&in);
	if (in.failed || n != family->nlabels)
		return -EBADMSG;
	s->writer = take_text(b, &in).ptr;
	values = take_array(b, n, sizeof(*values));
	for (i = 0; i < n; i++) {
		struct sm_str v = take_text(b, &in);

		if (values)
			values[i] = v;
	}
	s->values = values;
	return in.failed || bytes_left(&in) ? -EBADMSG : 0;
}

int dict_get_series(const void *data, size_t len, uint32_t id, const struct history_family *family,
	struct history_series **ret_series)
{
	struct bytes_in in = bytes_reader(data, len);
	struct history_series counted, *s;
	struct block b = { 0 };
	int rc = parse_series(in, &b, id, family, &counted);

	if (rc < 0)
		return rc;
	s = malloc(sizeof(*s) + b.array_bytes + b.text_bytes);
	if (!s)
		return -ENOMEM;
	b.at = (char *)(s + 1);
	b.text = b.at + b.array_bytes;
	parse_series(in, &b, id, family, s);
	*ret_series = s;
	return 0;
}
