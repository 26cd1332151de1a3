/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - see trace.h.
 *
 * Ids come from a generator per thread (xoroshiro128+ of Blackman and Vigna), seeded by the
 * kernel. A forked child has the copy of its parent's generator and would repeat its ids; so the
 * seed belongs to an epoch, a random word in a page that fork wipes. A thread whose epoch is not
 * the page's seeds itself again. Without such a page every id comes from the kernel.
 */
#include "trace.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "writer.h"

static uint64_t *epoch_word;		/* first word of the wiped page, NULL: none */

static __thread struct {
	uint64_t epoch;
	uint64_t s[2];
} generator;

/* ---- ids ---------------------------------------------------------------------------------- */

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static uint64_t next(uint64_t s[2])
{
	uint64_t a = s[0], b = s[1], result = a + b;

	b ^= a;
	s[0] = rotate(a, 24) ^ b ^ b << 16;
	s[1] = rotate(b, 37);
	return result;
}

/* From the kernel. Where it has none yet (early at boot), from what differs from thread to
 * thread. */
static void seed(uint64_t s[2])
{
	if (getrandom(s, 2 * sizeof(s[0]), GRND_NONBLOCK) != (ssize_t)(2 * sizeof(s[0]))) {
		s[0] = clock_ns(CLOCK_MONOTONIC) ^ (uint64_t)(uintptr_t)&generator;
		s[1] = clock_ns(CLOCK_REALTIME) ^ clock_ns(CLOCK_THREAD_CPUTIME_ID) << 32;
	}
	s[1] |= s[0] == 0;		/* the one state that never changes */
}

/* This process' epoch, not 0; 0 if there is no page. */
static uint64_t current_epoch(void)
{
	uint64_t *word = load_acquire(&epoch_word), now = 0, s[2];

	if (!word)
		return 0;
	now = load_relaxed(word);
	if (now)
		return now;
	seed(s);
	if (cas_relaxed(word, &now, s[0] | 1))
		return s[0] | 1;
	return now;
}

void trace_init(void)
{
	uint64_t *none = NULL;
	void *page;

	if (load_acquire(&epoch_word))
		return;
	page = mmap(NULL, SM_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return;
	if (madvise(page, SM_PAGE, MADV_WIPEONFORK) != 0 ||
	    !cas_acq_rel(&epoch_word, &none, (uint64_t *)page))
		munmap(page, SM_PAGE);
}

void trace_id(uint8_t *ret_id, size_t n)
{
	uint64_t epoch = current_epoch(), word, any = 0, s[2], *state = s;
	size_t i;

	if (epoch) {
		state = generator.s;
		if (generator.epoch != epoch) {
			seed(generator.s);
			generator.epoch = epoch;
		}
	} else {
		seed(s);
	}
	do {
		for (i = 0; i < n; i += sizeof(word)) {
			word = next(state);
			any |= word;
			memcpy(ret_id + i, &word, sizeof(word));
		}
	} while (!any);
}

/* ---- the header --------------------------------------------------------------------------- */

/* Value of a lower-case hexadecimal digit, or -1. */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n bytes as 2n digits; *ret_any: one of them is not 0. Stops at a NUL. */
static bool parse_hex(const char *p, uint8_t *ret, size_t n, bool *ret_any)
{
	int high, low;
	size_t i;

	*ret_any = false;
	for (i = 0; i < n; i++, p += 2) {
		high = digit(p[0]);
		low = high < 0 ? -1 : digit(p[1]);
		if (low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
		*ret_any |= ret[i] != 0;
	}
	return true;
}

int trace_parse(const char *header, struct trace_parent *ret)
{
	struct trace_parent t;
	uint8_t version;
	bool any;

	if (!header)
		return -EINVAL;
	if (!parse_hex(header, &version, 1, &any) || version == 0xff || header[2] != '-')
		return -EINVAL;
	if (!parse_hex(header + 3, t.trace_id, sizeof(t.trace_id), &any) || !any ||
	    header[35] != '-')
		return -EINVAL;
	if (!parse_hex(header + 36, t.parent_id, sizeof(t.parent_id), &any) || !any ||
	    header[52] != '-')
		return -EINVAL;
	if (!parse_hex(header + 53, &t.flags, 1, &any))
		return -EINVAL;
	/* Later versions may go on after another dash. */
	if (header[55] != '\0' && (version == 0 || header[55] != '-'))
		return -EINVAL;
	*ret = t;
	return 0;
}

static char *put_hex(char *to, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	return to;
}

void trace_format(const uint8_t trace_id[16], const uint8_t span_id[8], uint8_t flags,
		  char ret_header[56])
{
	char *p = ret_header;

	*p++ = '0';
	*p++ = '0';
	*p++ = '-';
	p = put_hex(p, trace_id, 16);
	*p++ = '-';
	p = put_hex(p, span_id, 8);
	*p++ = '-';
	p = put_hex(p, &flags, 1);
	*p = '\0';
}
