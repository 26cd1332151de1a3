/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "exporter/history/bytes.h"

static void crc32c__known_vectors__match(void **state)
{
	uint8_t b[32];
	int i;

	/* RFC 3720, B.4. */
	memset(b, 0, sizeof(b));
	assert_int_equal(bytes_crc32c(b, sizeof(b)), 0x8a9136aa);
	memset(b, 0xff, sizeof(b));
	assert_int_equal(bytes_crc32c(b, sizeof(b)), 0x62a8ab43);
	for (i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	assert_int_equal(bytes_crc32c(b, sizeof(b)), 0x46dd794e);
	assert_int_equal(bytes_crc32c("123456789", 9), 0xe3069283);
	assert_int_equal(bytes_crc32c("", 0), 0);
}

static void varint__edges__round_trip(void **state)
{
	const bytes_u128 values[] = { 0, 1, 127, 128, UINT32_MAX, UINT64_MAX,
		(bytes_u128)UINT64_MAX + 1, ~(bytes_u128)0 };
	struct bytes_out out = { 0 };
	struct bytes_in in;
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		bytes_put_varint(&out, values[i]);
	in = bytes_reader(out.data, out.len);
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_true(bytes_get_varint128(&in) == values[i]);
	assert_false(in.failed);
	assert_int_equal(bytes_left(&in), 0);
	bytes_free(&out);
}

static void varint__above_its_maximum__fails(void **state)
{
	struct bytes_out out = { 0 };
	struct bytes_in in;

	bytes_put_varint(&out, 1000);
	in = bytes_reader(out.data, out.len);
	assert_int_equal(bytes_get_varint(&in, 999), 0);
	assert_true(in.failed);
	bytes_free(&out);
}

static void varint__too_long__fails(void **state)
{
	uint8_t b[20];
	struct bytes_in in;

	memset(b, 0x80, sizeof(b));
	in = bytes_reader(b, sizeof(b));
	assert_true(bytes_get_varint128(&in) == 0);
	assert_true(in.failed);
	/* 19 bytes with more than 128 bits. */
	memset(b, 0xff, 18);
	b[18] = 4;
	in = bytes_reader(b, 19);
	assert_true(bytes_get_varint128(&in) == 0);
	assert_true(in.failed);
}

static void reader__beyond_the_end__gives_zero_for_ever(void **state)
{
	struct bytes_in in = bytes_reader("\x01\x02\x03", 3);
	size_t len;

	assert_int_equal(bytes_get_u16(&in), 0x0201);
	assert_int_equal(bytes_get_u32(&in), 0);
	assert_true(in.failed);
	assert_int_equal(bytes_get_u8(&in), 0);
	assert_string_equal(bytes_get_text(&in, &len), "");
	assert_int_equal(len, 0);
	assert_true(bytes_get_double(&in) == 0);
}

static void text__longer_than_the_record__fails(void **state)
{
	struct bytes_in in = bytes_reader("\x05\x00" "abcd", 6);
	size_t len;

	bytes_get_text(&in, &len);
	assert_true(in.failed);
	assert_int_equal(len, 0);
}

static void keys__sorted_as_bytes__are_sorted_as_numbers(void **state)
{
	const uint64_t values[] = { 0, 1, 255, 256, 1ull << 32, UINT64_MAX };
	uint8_t a[8], b[8];
	size_t i;

	for (i = 0; i + 1 < sizeof(values) / sizeof(values[0]); i++) {
		bytes_key_u64(a, values[i]);
		bytes_key_u64(b, values[i + 1]);
		assert_true(memcmp(a, b, 8) < 0);
		assert_int_equal(bytes_from_key_u64(a), values[i]);
	}
}

static void numbers__any_machine__are_little_endian(void **state)
{
	struct bytes_out out = { 0 };

	bytes_put_u16(&out, 0x0102);
	bytes_put_u32(&out, 0x03040506);
	bytes_put_u64(&out, 7);
	bytes_put_double(&out, 1.0);
	bytes_set_u32(&out, 2, 0x0a0b0c0d);
	assert_memory_equal(out.data, "\x02\x01\x0d\x0c\x0b\x0a"
		"\x07\0\0\0\0\0\0\0" "\0\0\0\0\0\0\xf0\x3f", 22);
	bytes_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c__known_vectors__match),
		cmocka_unit_test(varint__edges__round_trip),
		cmocka_unit_test(varint__above_its_maximum__fails),
		cmocka_unit_test(varint__too_long__fails),
		cmocka_unit_test(reader__beyond_the_end__gives_zero_for_ever),
		cmocka_unit_test(text__longer_than_the_record__fails),
		cmocka_unit_test(keys__sorted_as_bytes__are_sorted_as_numbers),
		cmocka_unit_test(numbers__any_machine__are_little_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
