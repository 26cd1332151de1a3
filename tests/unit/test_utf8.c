/* SPDX-License-Identifier: Apache-2.0 */
/* test_utf8.c - what is UTF-8, by the table of RFC 3629 and against every sequence of up to
 * three bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "utf8.h"

static bool valid(const char *text)
{
	return sm_utf8_valid(text, strlen(text));
}

static void text__well_formed__is_valid(void **state)
{
	assert_true(sm_utf8_valid("", 0));
	assert_true(valid("plain"));
	assert_true(valid("\x7f"));
	assert_true(valid("\xc2\x80"));			/* U+0080 */
	assert_true(valid("\xdf\xbf"));			/* U+07FF */
	assert_true(valid("\xe0\xa0\x80"));		/* U+0800 */
	assert_true(valid("\xed\x9f\xbf"));		/* U+D7FF */
	assert_true(valid("\xee\x80\x80"));		/* U+E000 */
	assert_true(valid("\xef\xbf\xbf"));		/* U+FFFF */
	assert_true(valid("\xf0\x90\x80\x80"));		/* U+10000 */
	assert_true(valid("\xf4\x8f\xbf\xbf"));		/* U+10FFFF */
	assert_true(valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xb5z"));
}

static void text__malformed__is_not(void **state)
{
	assert_false(valid("\x80"));			/* continuation alone */
	assert_false(valid("\xbf"));
	assert_false(valid("\xc0\x80"));		/* overlong */
	assert_false(valid("\xc1\xbf"));
	assert_false(valid("\xe0\x80\x80"));
	assert_false(valid("\xe0\x9f\xbf"));
	assert_false(valid("\xf0\x80\x80\x80"));
	assert_false(valid("\xf0\x8f\xbf\xbf"));
	assert_false(valid("\xed\xa0\x80"));		/* surrogates */
	assert_false(valid("\xed\xbf\xbf"));
	assert_false(valid("\xf4\x90\x80\x80"));	/* beyond U+10FFFF */
	assert_false(valid("\xf5\x80\x80\x80"));
	assert_false(valid("\xff"));
	assert_false(valid("\xc3"));			/* cut off */
	assert_false(valid("\xe2\x82"));
	assert_false(valid("\xf0\x9f\x8e"));
	assert_false(valid("\xc3" "a"));
	assert_false(valid("a\xc3"));
	assert_false(sm_utf8_valid("a\0b", 3));		/* NUL ends texts in the segment */
}

/* Another way to decide: decode, and encode again. */
static bool decodes(const unsigned char *p, size_t n)
{
	uint32_t c;

	while (n) {
		size_t len = p[0] < 0x80       ? 1
			     : p[0] >> 5 == 6  ? 2
			     : p[0] >> 4 == 14 ? 3
			     : p[0] >> 3 == 30 ? 4
					       : 0,
		       i;
		size_t shortest;

		if (!len || len > n)
			return false;
		c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
		for (i = 1; i < len; i++) {
			if (p[i] >> 6 != 2)
				return false;
			c = c << 6 | (p[i] & 63);
		}
		shortest = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		if (len != shortest || c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return false;
		p += len;
		n -= len;
	}
	return true;
}

static void text__of_up_to_three_bytes__agrees_with_decoding(void **state)
{
	unsigned char b[4];
	unsigned i;

	for (i = 0; i < 1u << 24; i++) {
		/* Every third byte only beside interesting neighbours: all of them take too
		 * long emulated. */
		if (i >> 16 < 0xc0 && (i & 0xff) % 16)
			continue;
		b[0] = (unsigned char)(i >> 16);
		b[1] = (unsigned char)(i >> 8);
		b[2] = (unsigned char)i;
		if (sm_utf8_valid((char *)b, 3) != decodes(b, 3) ||
			sm_utf8_valid((char *)b, 2) != decodes(b, 2))
			fail_msg("%02x %02x %02x", b[0], b[1], b[2]);
	}
}

static void text__of_four_bytes__agrees_with_decoding(void **state)
{
	unsigned char b[4];
	unsigned i, k;

	for (i = 0; i < 1u << 16; i++)
		for (k = 0; k < 256; k += 17) {
			b[0] = (unsigned char)(0xec + (i >> 12));
			b[1] = (unsigned char)(0x70 + (i >> 4 & 0xff));
			b[2] = (unsigned char)k;
			b[3] = (unsigned char)(0x7e + (i & 0xf) * 8);
			if (sm_utf8_valid((char *)b, 4) != decodes(b, 4))
				fail_msg("%02x %02x %02x %02x", b[0], b[1], b[2], b[3]);
		}
}

static void length__of_text__is_in_code_points(void **state)
{
	assert_int_equal(sm_utf8_length("", 0), 0);
	assert_int_equal(sm_utf8_length("abc", 3), 3);
	assert_int_equal(sm_utf8_length("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xb5z", 11), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text__well_formed__is_valid),
		cmocka_unit_test(text__malformed__is_not),
		cmocka_unit_test(text__of_up_to_three_bytes__agrees_with_decoding),
		cmocka_unit_test(text__of_four_bytes__agrees_with_decoding),
		cmocka_unit_test(length__of_text__is_in_code_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
