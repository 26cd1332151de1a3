/* SPDX-License-Identifier: Apache-2.0 */
/* log.c writes to descriptor 2: each test looks at what came out there. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "exporter/log.h"

static char text[16384];
static int saved, sink;

static void begin(void)
{
	saved = dup(STDERR_FILENO);
	sink = memfd_create("log", MFD_CLOEXEC);
	dup2(sink, STDERR_FILENO);
}

/* What was logged since begin(), without the time. */
static const char *end(void)
{
	ssize_t n = pread(sink, text, sizeof(text) - 1, 0);
	char *level;

	dup2(saved, STDERR_FILENO);
	close(saved);
	close(sink);
	text[n > 0 ? n : 0] = '\0';
	level = strstr(text, "level");
	return level ? level : text;
}

static void logfmt__values__are_quoted_only_where_needed(void **state)
{
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
	begin();
	log_info("listening", "address", "127.0.0.1:1", "empty", "", "none", NULL,
		"text", "a \"b\" \\c", "equals", "a=b");
	assert_string_equal(end(), "level=info msg=listening address=127.0.0.1:1 "
		"text=\"a \\\"b\\\" \\\\c\" equals=\"a=b\"\n");
}

static void json__values__are_escaped(void **state)
{
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	begin();
	log_error("it broke", "error", "a\n\"b\"\t\x1b[31m");
	assert_string_equal(end() - 1, "\"level\":\"error\",\"msg\":\"it broke\","
		"\"error\":\"a\\u000a\\\"b\\\"\\u0009\\u001b[31m\"}\n");
	assert_int_equal(text[0], '{');
}

static void value__hostile__stays_one_printable_line(void **state)
{
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
	begin();
	log_info("m", "a", "x\nlevel=error", "b", "\xff\xc3", "c", "\xc2\x9b" "31m",
		"d", "\xe2\x80\xae" "evil", "e", "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(end(), "level=info msg=m a=\"x\\u000alevel=error\" "
		"b=\"\\ufffd\\ufffd\" c=\"\\u009b31m\" d=\"\\u202eevil\" "
		"e=\"gr\xc3\xbc\xc3\x9f\"\n");
}

static void line__far_too_long__is_cut_and_ends(void **state)
{
	static char huge[10000];
	size_t len;

	memset(huge, '\n', sizeof(huge) - 1);
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	begin();
	log_info("m", "a", huge, "b", huge, "c", "d");
	end();
	len = strlen(text);
	assert_true(len < 4200);
	assert_string_equal(text + len - 3, "\"}\n");
}

static void level__below_the_lowest__is_silent(void **state)
{
	log_setup(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);
	begin();
	log_info("not this");
	log_warn("this");
	assert_string_equal(end(), "level=warn msg=this\n");
}

static void journal__on_stderr__gets_priorities(void **state)
{
	char stream[64];
	struct stat st;

	begin();
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
	log_warn("this");
	unsetenv("JOURNAL_STREAM");
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
	end();
	assert_int_equal(strncmp(text, "<4>ts=", 6), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logfmt__values__are_quoted_only_where_needed),
		cmocka_unit_test(json__values__are_escaped),
		cmocka_unit_test(value__hostile__stays_one_printable_line),
		cmocka_unit_test(line__far_too_long__is_cut_and_ends),
		cmocka_unit_test(level__below_the_lowest__is_silent),
		cmocka_unit_test(journal__on_stderr__gets_priorities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
