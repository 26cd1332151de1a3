/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.h - regular expressions of strangers, in linear time.
 *
 * Depends on common/utf8.h. regcomp() and regexec() are no choice here: nested repetitions make
 * them take any time and memory. This knows what selectors need and nothing that takes more than
 * (length of the pattern) x (length of the text): characters, `.`, `[a-z]`, `[^a-z]`, `\d` `\w` `\s`,
 * a backslash before anything that is no letter or digit, `( )`, `|`, `*`, `+`, `?`. A pattern
 * matches the whole text; `^` at its beginning and `$` at its end may be there.
 */
#ifndef API_PATTERN_H
#define API_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_MAX	256	/* bytes of a pattern */
#define PATTERN_STEPS	640	/* instructions: at most two a byte and one at the end */
#define PATTERN_RANGES	256

struct pattern_step {
	uint8_t op;
	uint8_t negate;		/* of a set */
	int16_t x, y;		/* where to, relative; or first range and number of ranges */
	uint32_t code;
};

struct pattern {
	unsigned nsteps, nranges;
	struct pattern_step step[PATTERN_STEPS];
	uint32_t range[PATTERN_RANGES][2];
};

/* pattern_compile - 0, or -EINVAL and *ret_why: a static text such as "a ) too many". */
int pattern_compile(struct pattern *p, const char *text, size_t len, const char **ret_why);

/* pattern_matches - bytes of text that are no UTF-8 match `.` and negated sets only. */
int pattern_matches(const struct pattern *p, const char *text, size_t len);

#endif /* API_PATTERN_H */
