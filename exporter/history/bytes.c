/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.c - little-endian numbers, varints, texts and CRC-32C; see bytes.h.
 *
 * Numbers are put together from single bytes: the same file on every machine, and no alignment.
 */
#include "exporter/history/bytes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

void bytes_free(struct bytes_out *out)
{
	free(out->data);
	memset(out, 0, sizeof(*out));
}

void bytes_clear(struct bytes_out *out)
{
	out->len = 0;
	out->failed = 0;
}

void bytes_put(struct bytes_out *out, const void *data, size_t len)
{
	size_t cap = out->cap ? out->cap : 256;
	uint8_t *grown;

	if (out->failed || len == 0)
		return;
	if (len > SIZE_MAX / 4 - out->len) {
		out->failed = 1;
		return;
	}
	while (cap < out->len + len)
		cap *= 2;
	if (cap > out->cap) {
		grown = realloc(out->data, cap);
		if (!grown) {
			out->failed = 1;
			return;
		}
		out->data = grown;
		out->cap = cap;
	}
	memcpy(out->data + out->len, data, len);
	out->len += len;
}

static void encode(uint8_t *to, uint64_t v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = (uint8_t)(v >> (8 * i));
}

static void put_number(struct bytes_out *out, uint64_t v, size_t n)
{
	uint8_t b[8];

	encode(b, v, n);
	bytes_put(out, b, n);
}

void bytes_put_u8(struct bytes_out *out, uint8_t v)
{
	bytes_put(out, &v, 1);
}

void bytes_put_u16(struct bytes_out *out, uint16_t v)
{
	put_number(out, v, 2);
}

void bytes_put_u32(struct bytes_out *out, uint32_t v)
{
	put_number(out, v, 4);
}

void bytes_put_u64(struct bytes_out *out, uint64_t v)
{
	put_number(out, v, 8);
}

void bytes_put_double(struct bytes_out *out, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_number(out, bits, 8);
}

void bytes_put_varint(struct bytes_out *out, bytes_u128 v)
{
	uint8_t b[19];
	size_t n = 0;

	while (v >= 0x80) {
		b[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	b[n++] = (uint8_t)v;
	bytes_put(out, b, n);
}

void bytes_put_text(struct bytes_out *out, const char *text, size_t len)
{
	if (len > UINT16_MAX) {
		out->failed = 1;
		return;
	}
	bytes_put_u16(out, (uint16_t)len);
	bytes_put(out, text, len);
}

void bytes_set_u32(struct bytes_out *out, size_t at, uint32_t v)
{
	if (!out->failed && at + 4 <= out->len)
		encode(out->data + at, v, 4);
}

struct bytes_in bytes_reader(const void *data, size_t len)
{
	const uint8_t *at = data;

	return (struct bytes_in){ .at = at, .end = len ? at + len : at };
}

size_t bytes_left(const struct bytes_in *in)
{
	return (size_t)(in->end - in->at);
}

/* The next len bytes, or NULL. */
static const uint8_t *take(struct bytes_in *in, size_t len)
{
	const uint8_t *at = in->at;

	if (in->failed || len > bytes_left(in)) {
		in->failed = 1;
		in->at = in->end;
		return NULL;
	}
	in->at += len;
	return at;
}

static uint64_t get_number(struct bytes_in *in, size_t n)
{
	const uint8_t *b = take(in, n);
	uint64_t v = 0;

	while (b && n--)
		v = v << 8 | b[n];
	return v;
}

uint8_t bytes_get_u8(struct bytes_in *in)
{
	return (uint8_t)get_number(in, 1);
}

uint16_t bytes_get_u16(struct bytes_in *in)
{
	return (uint16_t)get_number(in, 2);
}

uint32_t bytes_get_u32(struct bytes_in *in)
{
	return (uint32_t)get_number(in, 4);
}

uint64_t bytes_get_u64(struct bytes_in *in)
{
	return get_number(in, 8);
}

double bytes_get_double(struct bytes_in *in)
{
	uint64_t bits = get_number(in, 8);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

bytes_u128 bytes_get_varint128(struct bytes_in *in)
{
	bytes_u128 v = 0;
	unsigned shift;

	for (shift = 0; shift < 128; shift += 7) {
		const uint8_t *b = take(in, 1);

		if (!b)
			return 0;
		/* The 19th byte has room for two bits only. */
		if (shift == 126 && *b > 3)
			break;
		v |= (bytes_u128)(*b & 0x7f) << shift;
		if (!(*b & 0x80))
			return v;
	}
	in->failed = 1;
	return 0;
}

uint64_t bytes_get_varint(struct bytes_in *in, uint64_t max)
{
	uint64_t word = 0;
	bytes_u128 v;
	unsigned shift;

	/* Nearly all are short, and rows are made of them. */
	for (shift = 0; shift < 56 && !in->failed && in->at + shift / 7 < in->end; shift += 7) {
		word |= (uint64_t)(in->at[shift / 7] & 0x7f) << shift;
		if (in->at[shift / 7] & 0x80)
			continue;
		if (word > max)
			break;
		in->at += shift / 7 + 1;
		return word;
	}
	v = bytes_get_varint128(in);

	if (v > max) {
		in->failed = 1;
		return 0;
	}
	return (uint64_t)v;
}

void bytes_get(struct bytes_in *in, void *ret, size_t len)
{
	const uint8_t *b = take(in, len);

	if (b)
		memcpy(ret, b, len);
	else
		memset(ret, 0, len);
}

const char *bytes_get_text(struct bytes_in *in, size_t *ret_len)
{
	size_t len = bytes_get_u16(in);
	const uint8_t *b = take(in, len);

	*ret_len = b ? len : 0;
	return b ? (const char *)b : "";
}

int bytes_is_text(const char *text, size_t len)
{
	uint32_t code;
	size_t n;

	for (; len; text += n, len -= n) {
		n = utf8_next(text, len, &code);
		if (!n || !code)
			return 0;
	}
	return 1;
}

void bytes_key_u32(uint8_t key[4], uint32_t v)
{
	int i;

	for (i = 0; i < 4; i++)
		key[i] = (uint8_t)(v >> (24 - 8 * i));
}

uint32_t bytes_from_key_u32(const uint8_t key[4])
{
	return (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
}

void bytes_key_u64(uint8_t key[8], uint64_t v)
{
	int i;

	for (i = 7; i >= 0; i--, v >>= 8)
		key[i] = (uint8_t)v;
}

uint64_t bytes_from_key_u64(const uint8_t key[8])
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = v << 8 | key[i];
	return v;
}

/* Eight tables, so that eight bytes are one step: 2 GB/s. */
static uint32_t crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_setup(void)
{
	uint32_t i, j, c;

	for (i = 0; i < 256; i++) {
		c = i;
		for (j = 0; j < 8; j++)
			c = c & 1 ? c >> 1 ^ UINT32_C(0x82f63b78) : c >> 1;
		crc_table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (j = 1; j < 8; j++)
			crc_table[j][i] = crc_table[j - 1][i] >> 8 ^
				crc_table[0][crc_table[j - 1][i] & 0xff];
}

/* The processor's own instruction is five times as fast, and every look at a row checks it. */
#ifdef __x86_64__
__attribute__((target("sse4.2")))
static uint32_t crc_by_processor(const uint8_t *data, size_t len)
{
	uint64_t crc = UINT32_MAX, word;

	for (; len >= sizeof(word); data += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		crc = __builtin_ia32_crc32di(crc, word);
	}
	for (; len; data++, len--)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *data);
	return ~(uint32_t)crc;
}
#endif

static uint32_t crc_by_table(const void *data, size_t len)
{
	struct bytes_in in = bytes_reader(data, len);
	uint32_t crc = UINT32_MAX;
	uint64_t word;

	pthread_once(&crc_once, crc_setup);
	while (bytes_left(&in) >= 8) {
		word = bytes_get_u64(&in) ^ crc;
		crc = crc_table[7][word & 0xff] ^ crc_table[6][word >> 8 & 0xff] ^
			crc_table[5][word >> 16 & 0xff] ^ crc_table[4][word >> 24 & 0xff] ^
			crc_table[3][word >> 32 & 0xff] ^ crc_table[2][word >> 40 & 0xff] ^
			crc_table[1][word >> 48 & 0xff] ^ crc_table[0][word >> 56];
	}
	while (bytes_left(&in))
		crc = crc >> 8 ^ crc_table[0][(crc ^ bytes_get_u8(&in)) & 0xff];
	return ~crc;
}

uint32_t bytes_crc32c(const void *data, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc_by_processor(data, len);
#endif
	return crc_by_table(data, len);
}
