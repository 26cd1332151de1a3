/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row.c - encode and decode one row of the history; see row.h for the format.
 *
 * A checksum that is right says that the bytes are those that were written, not that an exporter
 * wrote them: the decoder checks every number all the same.
 */
#include "exporter/history/row.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define AT_CRC		0
#define AT_NVALUES	52
#define AT_ID_LIMIT	56
#define AT_BODY_BYTES	60
#define AT_NWRITERS	112
#define AT_WRITER_BYTES	116

static double scale(bytes_u128 units, unsigned decimals)
{
	return decimals ? (double)units / pow(10, decimals) : (double)units;
}

void row_put_key(uint8_t buf[ROW_KEY_BYTES], const struct row_key *key)
{
	bytes_key_u32(buf, key->epoch);
	bytes_key_u64(buf + 4, key->at_ms);
	bytes_key_u64(buf + 12, key->tick);
}

int row_get_key(const void *data, size_t len, struct row_key *ret_key)
{
	const uint8_t *b = data;

	if (len != ROW_KEY_BYTES)
		return -EBADMSG;
	ret_key->epoch = bytes_from_key_u32(b);
	ret_key->at_ms = bytes_from_key_u64(b + 4);
	ret_key->tick = bytes_from_key_u64(b + 12);
	return 0;
}

void row_begin(struct row_writer *w, const struct history_row *head)
{
	bytes_clear(&w->out);
	w->last_id = 0;
	w->nvalues = 0;
	bytes_put_u32(&w->out, 0);
	bytes_put_u16(&w->out, ROW_VERSION);
	bytes_put_u16(&w->out, (uint16_t)head->flags);
	bytes_put_u64(&w->out, head->taken_real_ns);
	bytes_put_u64(&w->out, head->taken_boot_ns);
	bytes_put(&w->out, head->segment_id, sizeof(head->segment_id));
	bytes_put_u64(&w->out, head->catalog_generation);
	bytes_put_u32(&w->out, head->live_writers);
	bytes_put_u32(&w->out, 0);
	bytes_put_u32(&w->out, 0);
	bytes_put_u32(&w->out, 0);
	bytes_put_u64(&w->out, head->tick);
	bytes_put_u64(&w->out, head->due_ms);
	bytes_put_u32(&w->out, head->interval_ms);
	bytes_put_u32(&w->out, head->missed);
	bytes_put_u32(&w->out, head->run);
	bytes_put_u16(&w->out, (uint16_t)head->missed_why);
	bytes_put_u16(&w->out, (uint16_t)head->files);
	bytes_put(&w->out, head->boot_id, sizeof(head->boot_id));
	bytes_put_u32(&w->out, 0);
	bytes_put_u32(&w->out, 0);
	w->nwriters = 0;
	w->writers_end = w->out.len;
}

void row_add_writer(struct row_writer *w, const struct history_writer *writer)
{
	size_t len = strlen(writer->name);

	if (w->nvalues || len > ROW_NAME_MAX) {
		w->out.failed = 1;
		return;
	}
	bytes_put_text(&w->out, writer->name, len);
	bytes_put_varint(&w->out, writer->incarnation);
	bytes_put_u64(&w->out, writer->start_real_ns);
	w->nwriters++;
	w->writers_end = w->out.len;
}

static void add_id(struct row_writer *w, uint32_t id)
{
	if (id <= w->last_id)
		w->out.failed = 1;
	bytes_put_varint(&w->out, id - w->last_id);
	w->last_id = id;
	w->nvalues++;
}

static void add_type(struct row_writer *w, unsigned type, unsigned decimals)
{
	bytes_put_u8(&w->out, (uint8_t)(type | decimals << 3));
}

void row_add_number(struct row_writer *w, uint32_t id, const struct sm_value *v)
{
	add_id(w, id);
	if (!v->is_integer || v->decimals > ROW_DECIMALS_MAX) {
		add_type(w, ROW_DOUBLE, 0);
		bytes_put_double(&w->out, v->value);
	} else if (v->is_signed) {
		add_type(w, ROW_SIGNED, v->decimals);
		bytes_put_varint(&w->out,
			v->units << 1 ^ ((int64_t)v->units < 0 ? UINT64_MAX : 0));
	} else {
		add_type(w, ROW_UNSIGNED, v->decimals);
		bytes_put_varint(&w->out, v->units);
	}
}

void row_add_histogram(struct row_writer *w, uint32_t id, const uint64_t *counts, size_t ncounts,
	const struct sm_sum *sum)
{
	int exact = sum->is_integer && sum->decimals <= ROW_DECIMALS_MAX;
	size_t i, used = 0, next = 0;

	if (ncounts > ROW_BUCKETS_MAX) {
		w->out.failed = 1;
		return;
	}
	for (i = 0; i < ncounts; i++)
		used += counts[i] != 0;
	add_id(w, id);
	add_type(w, ROW_HISTOGRAM, exact ? sum->decimals : 0);
	bytes_put_varint(&w->out, used);
	for (i = 0; i < ncounts; i++) {
		if (!counts[i])
			continue;
		bytes_put_varint(&w->out, i - next);
		bytes_put_varint(&w->out, counts[i]);
		next = i + 1;
	}
	bytes_put_u8(&w->out, exact ? 1 : 0);
	if (exact)
		bytes_put_varint(&w->out, sum->units);
	else
		bytes_put_double(&w->out, sum->value);
}

int row_finish(struct row_writer *w, uint32_t id_limit)
{
	struct bytes_out *out = &w->out;

	if (out->failed)
		return -ENOMEM;
	if (out->len > UINT32_MAX / 2)
		return -E2BIG;
	bytes_set_u32(out, AT_NVALUES, w->nvalues);
	bytes_set_u32(out, AT_ID_LIMIT, id_limit);
	bytes_set_u32(out, AT_BODY_BYTES, (uint32_t)(out->len - ROW_HEADER_BYTES));
	bytes_set_u32(out, AT_NWRITERS, w->nwriters);
	bytes_set_u32(out, AT_WRITER_BYTES, (uint32_t)(w->writers_end - ROW_HEADER_BYTES));
	bytes_set_u32(out, AT_CRC, bytes_crc32c(out->data + 4, out->len - 4));
	return 0;
}

void row_free(struct row_writer *w)
{
	bytes_free(&w->out);
}

int row_open(struct row_reader *r, const void *data, size_t len, struct history_row *ret_head)
{
	struct bytes_in in = bytes_reader(data, len);
	struct history_row head = { .bytes = len };
	uint32_t crc, body_bytes, writer_bytes;
	uint16_t version;

	crc = bytes_get_u32(&in);
	version = bytes_get_u16(&in);
	head.flags = bytes_get_u16(&in);
	head.taken_real_ns = bytes_get_u64(&in);
	head.taken_boot_ns = bytes_get_u64(&in);
	bytes_get(&in, head.segment_id, sizeof(head.segment_id));
	head.catalog_generation = bytes_get_u64(&in);
	head.live_writers = bytes_get_u32(&in);
	head.nvalues = bytes_get_u32(&in);
	r->id_limit = bytes_get_u32(&in);
	body_bytes = bytes_get_u32(&in);
	head.tick = bytes_get_u64(&in);
	head.due_ms = bytes_get_u64(&in);
	head.interval_ms = bytes_get_u32(&in);
	head.missed = bytes_get_u32(&in);
	head.run = bytes_get_u32(&in);
	head.missed_why = bytes_get_u16(&in);
	head.files = bytes_get_u16(&in);
	bytes_get(&in, head.boot_id, sizeof(head.boot_id));
	head.nwriters = bytes_get_u32(&in);
	writer_bytes = bytes_get_u32(&in);
	if (in.failed || crc != bytes_crc32c((const uint8_t *)data + 4, len - 4))
		return -EBADMSG;
	if (version != ROW_VERSION)
		return -EPROTONOSUPPORT;
	if (body_bytes != bytes_left(&in) || writer_bytes > body_bytes)
		return -EBADMSG;
	r->writers = bytes_reader(in.at, writer_bytes);
	r->writers_left = head.nwriters;
	r->in = bytes_reader(in.at + writer_bytes, body_bytes - writer_bytes);
	r->last_id = 0;
	r->values_left = head.nvalues;
	*ret_head = head;
	return 0;
}

int row_next_writer(struct row_reader *r, struct history_writer *ret_writer)
{
	struct history_writer w = { .name = r->name };
	const char *name;
	size_t len;

	if (!r->writers_left)
		return bytes_left(&r->writers) ? -EBADMSG : 0;
	name = bytes_get_text(&r->writers, &len);
	w.incarnation = bytes_get_varint(&r->writers, UINT64_MAX);
	w.start_real_ns = bytes_get_u64(&r->writers);
	if (r->writers.failed || len > ROW_NAME_MAX || !bytes_is_text(name, len))
		return -EBADMSG;
	memcpy(r->name, name, len);
	r->name[len] = '\0';
	r->writers_left--;
	*ret_writer = w;
	return 1;
}

static void next_histogram(struct row_reader *r, unsigned decimals, struct history_value *v)
{
	struct bytes_in *in = &r->in;
	size_t i, n = bytes_get_varint(in, ROW_BUCKETS_MAX);
	uint64_t index = 0;

	for (i = 0; i < n && !in->failed; i++) {
		index += bytes_get_varint(in, ROW_BUCKETS_MAX);
		if (index >= ROW_BUCKETS_MAX) {
			in->failed = 1;
			return;
		}
		r->buckets[i].index = (uint32_t)index++;
		r->buckets[i].count = bytes_get_varint(in, UINT64_MAX);
		v->count += r->buckets[i].count;
	}
	v->nbuckets = n;
	v->buckets = r->buckets;
	v->sum.is_integer = bytes_get_u8(in) == 1;
	if (v->sum.is_integer) {
		v->sum.decimals = decimals;
		v->sum.units = bytes_get_varint128(in);
		v->sum.value = scale(v->sum.units, decimals);
	} else {
		v->sum.value = bytes_get_double(in);
	}
}

static void next_number(struct row_reader *r, unsigned type, unsigned decimals,
	struct history_value *v)
{
	uint64_t units = bytes_get_varint(&r->in, UINT64_MAX);

	v->is_integer = 1;
	v->decimals = decimals;
	v->is_signed = type == ROW_SIGNED;
	if (v->is_signed) {
		v->units = units >> 1 ^ (units & 1 ? UINT64_MAX : 0);
		v->value = (int64_t)v->units < 0 ? -scale(-v->units, decimals) :
			scale(v->units, decimals);
	} else {
		v->units = units;
		v->value = scale(units, decimals);
	}
}

int row_next(struct row_reader *r, uint32_t *ret_id, struct history_value *ret_value)
{
	struct history_value v = { 0 };
	unsigned type, decimals;
	uint64_t id;

	if (!r->values_left)
		return bytes_left(&r->in) ? -EBADMSG : 0;
	id = r->last_id + bytes_get_varint(&r->in, UINT32_MAX);
	type = bytes_get_u8(&r->in);
	decimals = type >> 3;
	type &= 7;
	if (r->in.failed || id <= r->last_id || id >= r->id_limit || decimals > ROW_DECIMALS_MAX)
		return -EBADMSG;
	if (type == ROW_UNSIGNED || type == ROW_SIGNED)
		next_number(r, type, decimals, &v);
	else if (type == ROW_DOUBLE)
		v.value = bytes_get_double(&r->in);
	else if (type == ROW_HISTOGRAM)
		next_histogram(r, decimals, &v);
	else
		return -EBADMSG;
	if (r->in.failed)
		return -EBADMSG;
	r->last_id = (uint32_t)id;
	r->values_left--;
	*ret_id = (uint32_t)id;
	*ret_value = v;
	return 1;
}
