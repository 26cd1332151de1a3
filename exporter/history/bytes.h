/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.h - write and read the store's records: little-endian numbers, varints, texts.
 *
 * Depends on common/utf8.h. Both directions remember a failure and go on harmlessly, so that a record is
 * built or taken apart in a row and `failed` is asked once, at the end. A reader never looks
 * beyond its end: after a failure every number is 0 and every text empty.
 */
#ifndef HISTORY_BYTES_H
#define HISTORY_BYTES_H

#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 bytes_u128;

/* A record being built. Zero-initialise; bytes_free() at the end. */
struct bytes_out {
	uint8_t *data;
	size_t len, cap;
	int failed;		/* out of memory */
};

void bytes_free(struct bytes_out *out);
void bytes_clear(struct bytes_out *out);	/* empty again, the memory stays */
void bytes_put(struct bytes_out *out, const void *data, size_t len);
void bytes_put_u8(struct bytes_out *out, uint8_t v);
void bytes_put_u16(struct bytes_out *out, uint16_t v);
void bytes_put_u32(struct bytes_out *out, uint32_t v);
void bytes_put_u64(struct bytes_out *out, uint64_t v);
void bytes_put_double(struct bytes_out *out, double v);
void bytes_put_varint(struct bytes_out *out, bytes_u128 v);	/* 7 bits a byte, low ones first */
void bytes_put_text(struct bytes_out *out, const char *text, size_t len);	/* u16 length, bytes */
void bytes_set_u32(struct bytes_out *out, size_t at, uint32_t v);

/* A record being read. */
struct bytes_in {
	const uint8_t *at, *end;
	int failed;		/* it ended too early, or a number was out of range */
};

struct bytes_in bytes_reader(const void *data, size_t len);
uint8_t bytes_get_u8(struct bytes_in *in);
uint16_t bytes_get_u16(struct bytes_in *in);
uint32_t bytes_get_u32(struct bytes_in *in);
uint64_t bytes_get_u64(struct bytes_in *in);
double bytes_get_double(struct bytes_in *in);
uint64_t bytes_get_varint(struct bytes_in *in, uint64_t max);	/* above max is a failure */
bytes_u128 bytes_get_varint128(struct bytes_in *in);
void bytes_get(struct bytes_in *in, void *ret, size_t len);
const char *bytes_get_text(struct bytes_in *in, size_t *ret_len);	/* not NUL-terminated */
size_t bytes_left(const struct bytes_in *in);

/* bytes_is_text - valid UTF-8 without NUL? */
int bytes_is_text(const char *text, size_t len);

/* Big-endian: keys, which LMDB sorts as bytes. */
void bytes_key_u32(uint8_t key[4], uint32_t v);
uint32_t bytes_from_key_u32(const uint8_t key[4]);
void bytes_key_u64(uint8_t key[8], uint64_t v);
uint64_t bytes_from_key_u64(const uint8_t key[8]);

/* bytes_crc32c - CRC-32C (Castagnoli) of data. */
uint32_t bytes_crc32c(const void *data, size_t len);

#endif /* HISTORY_BYTES_H */
