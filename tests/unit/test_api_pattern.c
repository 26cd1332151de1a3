/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of strangers: what matches, what is refused, and that none takes long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "exporter/api/pattern.h"

static struct pattern p;
static const char *why;

static int matches(const char *pattern, const char *text)
{
	if (pattern_compile(&p, pattern, strlen(pattern), &why) < 0)
		fail_msg("\"%s\": %s", pattern, why);
	return pattern_matches(&p, text, strlen(text));
}

static void refused(const char *pattern, const char *part)
{
	assert_true(pattern_compile(&p, pattern, strlen(pattern), &why) < 0);
	if (!strstr(why, part))
		fail_msg("\"%s\": \"%s\" does not say \"%s\"", pattern, why, part);
}

static void match__table__as_regular_expressions_do(void **state)
{
	static const struct {
		const char *pattern, *yes[6], *no[6];
	} table[] = {
		{ "", { "" }, { "a" } },
		{ "abc", { "abc" }, { "", "ab", "abcd", "xabc" } },
		{ "a.c", { "abc", "a\xc3\xa9" "c", "a\nc" }, { "ac", "abbc" } },
		{ "ab*c", { "ac", "abc", "abbbc" }, { "a", "abb", "bc" } },
		{ "ab+c", { "abc", "abbc" }, { "ac" } },
		{ "ab?c", { "ac", "abc" }, { "abbc" } },
		{ "play|skip|", { "play", "skip", "" }, { "playskip", "pla" } },
		{ "x(a|b(c|d))*y", { "xy", "xay", "xbcbday" }, { "xby", "xcy" } },
		{ "(a*)*b", { "b", "aaab" }, { "a" } },
		{ "(a|a)*", { "", "aaaa" }, { "ab" } },
		{ "(|a)+", { "", "aa" }, { "b" } },
		{ "[a-c]+", { "abccba" }, { "", "d", "ab d" } },
		{ "[^a-c]", { "d", "\xc3\xa9" }, { "a", "dd" } },
		{ "[]a]", { "]", "a" }, { "b" } },
		{ "[a-]", { "a", "-" }, { "b" } },
		{ "[\\]\\\\]", { "]", "\\" }, { "a" } },
		{ "[\xc3\xa0-\xc3\xbf]", { "\xc3\xa9" }, { "e" } },
		{ "\\d+\\.\\d+", { "1.25" }, { "125", "1x5", "1." } },
		{ "\\w[\\s\\d]", { "a ", "_7", "Z\t" }, { " a", "a" } },
		{ "^abc$", { "abc" }, { "^abc$" } },
		{ "a\\$", { "a$" }, { "a" } },
		{ "\\^a\\*\\(\\)", { "^a*()" }, { "a" } },
		{ "(?:ab)+", { "abab" }, { "aba" } },
		{ ".*", { "", "anything", "a\nb" }, { NULL } },
		{ "a**+?b", { "b", "aab" }, { "a" } },
	};
	size_t i, k;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (k = 0; k < 6 && table[i].yes[k]; k++)
			if (!matches(table[i].pattern, table[i].yes[k]))
				fail_msg("\"%s\" does not match \"%s\"", table[i].pattern,
					table[i].yes[k]);
		for (k = 0; k < 6 && table[i].no[k]; k++)
			if (matches(table[i].pattern, table[i].no[k]))
				fail_msg("\"%s\" matches \"%s\"", table[i].pattern, table[i].no[k]);
	}
}

static void match__bytes_that_are_no_utf8__are_characters_nobody_names(void **state)
{
	assert_true(matches(".", "\xff"));
	assert_true(matches("[^a]", "\xff"));
	assert_false(matches("\xef\xbf\xbf", "\xff"));
	assert_true(matches("a..b", "a\xc3\xff" "b"));
}

static void compile__what_is_not_known__is_refused_with_the_reason(void **state)
{
	char text[PATTERN_MAX + 2];
	unsigned i;

	refused("(", "without its )");
	refused(")", "too many");
	refused("a)b", "too many");
	refused("[a", "without its ]");
	refused("[z-a]", "ends before it begins");
	refused("*a", "repetition of nothing");
	refused("(|*)", "repetition of nothing");
	refused("a{3}", "not supported");
	refused("a^b", "inside");
	refused("a$b", "inside");
	refused("a\\", "backslash at the end");
	refused("\\1", "letter or digit");
	refused("\\bx", "letter or digit");
	refused("\xff", "UTF-8");
	memset(text, 'a', sizeof(text));
	text[PATTERN_MAX + 1] = '\0';
	refused(text, "longer than");
	for (i = 0; i < 40; i++) {
		text[i] = '(';
		text[79 - i] = ')';
	}
	text[80] = '\0';
	refused(text, "too deep");
}

static void compile__longest_patterns__fit(void **state)
{
	static const char *const parts[] = { "a*", "a|", "a+", "(a)", "[^a]?", "\\d*" };
	char text[PATTERN_MAX + 1];
	size_t i, n;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (n = 0; n + strlen(parts[i]) <= PATTERN_MAX && n < 240; n += strlen(parts[i]))
			memcpy(text + n, parts[i], strlen(parts[i]));
		text[n] = '\0';
		matches(text, "aaaa");
	}
}

static void match__hostile_patterns__take_no_time(void **state)
{
	static const char *const patterns[] = {
		"(((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+b",
		"(a|aa)+(a|aa)+(a|aa)+(a|aa)+(a|aa)+(a|aa)+(a|aa)+b",
		"(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)x",
		"(a?){1}", "a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?aaaaaaaaaaaaaaaab",
	};
	struct timespec before, after;
	char text[4096];
	size_t i;

	memset(text, 'a', sizeof(text));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (pattern_compile(&p, patterns[i], strlen(patterns[i]), &why) == 0)
			assert_false(pattern_matches(&p, text, sizeof(text)));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	assert_true(after.tv_sec - before.tv_sec <= 2);
}

/* Whatever the bytes: compiled or refused, and matching ends. */
static void compile__random_bytes__never_reads_beyond(void **state)
{
	static const char alphabet[] = "ab|()*+?[]^$.\\d-{}\xc3\xa9";
	uint32_t seed = 7;
	char text[64];
	unsigned i, k, n, good = 0;

	for (i = 0; i < 200000; i++) {
		seed = seed * 1664525 + 1013904223;
		n = seed >> 26;
		for (k = 0; k < n; k++) {
			seed = seed * 1664525 + 1013904223;
			text[k] = alphabet[(seed >> 8) % (sizeof(alphabet) - 1)];
		}
		if (pattern_compile(&p, text, n, &why) == 0) {
			good++;
			pattern_matches(&p, "abbaab", 6);
		}
	}
	assert_true(good > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(match__table__as_regular_expressions_do),
		cmocka_unit_test(match__bytes_that_are_no_utf8__are_characters_nobody_names),
		cmocka_unit_test(compile__what_is_not_known__is_refused_with_the_reason),
		cmocka_unit_test(compile__longest_patterns__fit),
		cmocka_unit_test(match__hostile_patterns__take_no_time),
		cmocka_unit_test(compile__random_bytes__never_reads_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
