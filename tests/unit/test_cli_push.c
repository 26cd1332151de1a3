/* SPDX-License-Identifier: Apache-2.0 */
/* The URL of a Pushgateway's group. */
#include "test_cli.h"

#include <stdlib.h>

#include "tools/shardmeter/push_url.h"

static struct capture cap;

/* The URL for a base and up to three words; the message if it is refused. shown: without a password. */
static const char *url_of(
	bool shown, const char *base, const char *w1, const char *w2, const char *w3)
{
	static char text[1024];
	const char *words[] = { w1, w2, w3 };
	struct cli_series s = { 0 };
	char copy[3][64], *url = NULL, *other = NULL;
	int rc = 0;

	capture_begin(&cap, stderr);
	for (int i = 0; i < 3 && words[i] && !rc; i++) {
		snprintf(copy[i], sizeof(copy[i]), "%s", words[i]);
		rc = cli_series_label(&test_cli, &s, copy[i]);
	}
	if (!rc)
		rc = push_url(&test_cli, base, &s, &url, &other);
	capture_end(&cap);
	if (rc)
		return cap.text;
	snprintf(text, sizeof(text), "%s", shown ? other : url);
	free(url);
	free(other);
	return text;
}

static void url__job__comes_first(void **state)
{
	assert_string_equal(url_of(false, "http://h:9091", "a=1", "job=b-c_d.e~", "z=2"),
		"http://h:9091/metrics/job/b-c_d.e~/a/1/z/2");
	assert_string_equal(url_of(false, "https://h/prefix//", "job=x", NULL, NULL),
		"https://h/prefix/metrics/job/x");
}

static void url__awkward_values__are_base64(void **state)
{
	assert_string_equal(url_of(false, "http://h", "job=a/b", "x=", "y=."),
		"http://h/metrics/job@base64/YS9i/x@base64/=/y@base64/Lg==");
	assert_string_equal(url_of(false, "http://h", "job=..", "x=a b", "y=%2f"),
		"http://h/metrics/job@base64/Li4=/x@base64/YSBi/y@base64/JTJm");
	/* The two letters in which the alphabet for URLs differs. */
	assert_string_equal(url_of(false, "http://h", "job=\xfb\xff\xfe", NULL, NULL),
		"http://h/metrics/job@base64/-__-");
	assert_string_equal(url_of(false, "http://h", "job=?#\n@", NULL, NULL),
		"http://h/metrics/job@base64/PyMKQA==");
}

static void url__password__is_never_shown(void **state)
{
	assert_string_equal(url_of(true, "http://me:s@cret@h:1/p", "job=x", NULL, NULL),
		"http://h:1/p/metrics/job/x");
	assert_string_equal(url_of(false, "http://me:s@cret@h:1/p", "job=x", NULL, NULL),
		"http://me:s@cret@h:1/p/metrics/job/x");
	assert_string_equal(
		url_of(true, "http://h/a@b", "job=x", NULL, NULL), "http://h/a@b/metrics/job/x");
	assert_null(strstr(url_of(true, "ftp://me:secret@h", "job=x", NULL, NULL), "secret"));
	assert_null(strstr(url_of(true, "http://me:secret@", "job=x", NULL, NULL), "secret"));
}

static void url__malformed__is_refused(void **state)
{
	static const char *const bad[] = { "", "h:9091", "ftp://h", "http://", "http:///x",
		"http://h?x", "http://h#x", "http://h /", "http://h/\n", "http://:9091",
		"http://h/metrics/job/x", "file:///etc/passwd" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(strstr(url_of(false, bad[i], "job=x", NULL, NULL), "URL"));
	assert_non_null(strstr(url_of(false, "http://h", "job", NULL, NULL), "label=value"));
	assert_non_null(strstr(url_of(false, "http://h", "job=a", "job=b", NULL), "given twice"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(url__job__comes_first),
		cmocka_unit_test(url__awkward_values__are_base64),
		cmocka_unit_test(url__password__is_never_shown),
		cmocka_unit_test(url__malformed__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
