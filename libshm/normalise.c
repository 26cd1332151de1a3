/* SPDX-License-Identifier: Apache-2.0 */
/*
 * normalise.c - take ids out of label values, so that a label like "guild" has few values.
 *
 * A value is cut into words, runs of ASCII letters and digits. What becomes ":id":
 *
 *      550e8400-e29b-41d4-a716-446655440000   a UUID, of five hexadecimal words
 *      0x1f                                   a hexadecimal number with its mark
 *      9f86d081                               a hexadecimal word of 8 digits or more
 *      01ARZ3NDEKTSV4RRFFQ69G5FAV             a word of 20 or more, with a digit: ULID, token, key
 *      42 in "shard42"                        otherwise each run of decimal digits
 *
 * A hexadecimal word needs a decimal digit, too: "facade" and "deadbeef" are words. Nothing else
 * is touched, so a value of other scripts passes as it is. The result has no ASCII digit left;
 * normalising it again changes nothing.
 */
#include "writer.h"

#define HEX_WORD_MIN 8
#define OPAQUE_WORD_MIN 20
#define UUID_LEN 36

static const char id[] = ":id";

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A UUID at p, with no word character behind it? */
static bool is_uuid(const char *p, size_t len)
{
	size_t i;

	if (len < UUID_LEN || (len > UUID_LEN && is_word(p[UUID_LEN])))
		return false;
	for (i = 0; i < UUID_LEN; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (p[i] != '-')
				return false;
		} else if (!is_hex(p[i])) {
			return false;
		}
	}
	return true;
}

static bool word_is_id(const char *p, size_t len)
{
	size_t i, digits = 0, hex = 0;

	for (i = 0; i < len; i++) {
		digits += is_digit(p[i]);
		hex += is_hex(p[i]);
	}
	if (len >= 3 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && hex == len - 1)
		return true;
	return digits && ((len >= HEX_WORD_MIN && hex == len) || len >= OPAQUE_WORD_MIN);
}

struct out {
	char *text;
	size_t len, size;
	bool full;
};

/* Pieces go in whole or not at all: nothing is cut in the middle of a character or of ":id". */
static void put(struct out *o, const char *p, size_t len)
{
	if (o->full || len > o->size - o->len) {
		o->full = true;
		return;
	}
	memcpy(o->text + o->len, p, len);
	o->len += len;
}

static void put_id(struct out *o)
{
	put(o, id, sizeof(id) - 1);
}

static void put_word(struct out *o, const char *p, size_t len)
{
	size_t i, start;

	if (word_is_id(p, len)) {
		put_id(o);
		return;
	}
	for (i = 0; i < len; ) {
		start = i;
		while (i < len && is_digit(p[i]))
			i++;
		if (i > start)
			put_id(o);
		start = i;
		while (i < len && !is_digit(p[i]))
			i++;
		put(o, p + start, i - start);
	}
}

static size_t character_length(const char *p, size_t len)
{
	size_t n = 1;

	while (n < len && n < 4 && ((unsigned char)p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

bool normalise_default(const char *label)
{
	static const char *const names[] = { "user", "guild", "channel" };
	size_t i, len = strlen(label);

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(label, names[i]))
			return true;
	return len > 3 && !strcmp(label + len - 3, "_id");
}

size_t normalise(struct sm_str value, char *ret_text, size_t size)
{
	struct out o = { ret_text, 0, size, false };
	size_t i = 0, n;

	while (i < value.len && !o.full) {
		const char *p = value.ptr + i;
		size_t left = value.len - i;

		if (!is_word(*p)) {
			n = character_length(p, left);
			put(&o, p, n);
		} else if (is_uuid(p, left)) {
			n = UUID_LEN;
			put_id(&o);
		} else {
			for (n = 1; n < left && is_word(p[n]); )
				n++;
			put_word(&o, p, n);
		}
		i += n;
	}
	return o.len;
}
