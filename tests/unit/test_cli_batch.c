/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch is taken apart by: lines, keys, numbers, statsd, exposition text. */
#include "test_cli.h"

#include <errno.h>
#include <stdlib.h>

#include "tools/shardmeter/batch.h"
#include "tools/shardmeter/lines.h"

static struct capture cap;
static const struct sm_snapshot empty;
static const struct fam no_segment = { .snapshot = &empty };

/* ---- lines ---- */

static struct lines in;

static void give(const char *data, size_t len)
{
	memset(&in, 0, sizeof(in));
	in.fd = memfd_create("lines", MFD_CLOEXEC);
	assert_int_equal(write(in.fd, data, len), len);
	assert_int_equal(lseek(in.fd, 0, SEEK_SET), 0);
}

static void expect_line(const char *text)
{
	char *line;
	size_t len;

	assert_int_equal(lines_next(&in, &line, &len), 1);
	assert_string_equal(line, text);
	assert_int_equal(len, strlen(text));
}

static void lines__each_end__is_cut_off(void **state)
{
	static const char data[] = "a\n\nb c\r\n\r\nlast";
	char *line;
	size_t len;

	give(data, sizeof(data) - 1);
	expect_line("a");
	expect_line("");
	expect_line("b c");
	expect_line("");
	expect_line("last");
	assert_int_equal(lines_next(&in, &line, &len), 0);
	assert_int_equal(lines_next(&in, &line, &len), 0);
	close(in.fd);
}

static void lines__too_long__is_passed_over(void **state)
{
	static const char first[] = { 'o', 'n', 'e', '\n' }, last[] = { '\n', 'e', 'n', 'd', '\n' };
	size_t size = 5 * LINE_MAX_BYTES;
	char *data = malloc(size), *line;
	size_t len;

	memset(data, 'x', size);
	memcpy(data, first, sizeof(first));
	memcpy(data + size - sizeof(last), last, sizeof(last));
	give(data, size);
	expect_line("one");
	assert_int_equal(lines_next(&in, &line, &len), -EMSGSIZE);
	expect_line("end");
	assert_int_equal(lines_next(&in, &line, &len), 0);
	close(in.fd);
	give(data + 4, size - 10);
	assert_int_equal(lines_next(&in, &line, &len), -EMSGSIZE);
	assert_int_equal(lines_next(&in, &line, &len), 0);
	close(in.fd);
	free(data);
}

static void lines__longest__is_whole(void **state)
{
	char *data = malloc(2 * LINE_MAX_BYTES + 2), *line;
	size_t len;

	memset(data, 'y', 2 * LINE_MAX_BYTES + 2);
	data[LINE_MAX_BYTES] = data[2 * LINE_MAX_BYTES + 1] = '\n';
	give(data, 2 * LINE_MAX_BYTES + 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(lines_next(&in, &line, &len), 1);
		assert_int_equal(len, LINE_MAX_BYTES);
	}
	assert_int_equal(lines_next(&in, &line, &len), 0);
	close(in.fd);
	free(data);
}

/* ---- keys ---- */

static void keys__many__are_numbered_in_order(void **state)
{
	struct keys k = { 0 };
	char text[16];
	bool is_new;
	size_t len;

	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < 5000; i++) {
			len = (size_t)snprintf(text, sizeof(text), "key%zu", i);
			assert_int_equal(keys_number(&k, text, len, "t", 1, &is_new), i);
			assert_int_equal(is_new, round == 0);
		}
	assert_int_equal(keys_find(&k, "key7", 4, "t", 1), 7);
	assert_int_equal(keys_find(&k, "key7t", 5, "", 0), SIZE_MAX);
	assert_int_equal(keys_find(&k, "nope", 4, "", 0), SIZE_MAX);
	keys_clear(&k);
	assert_int_equal(keys_find(&k, "key7", 4, "t", 1), SIZE_MAX);
}

/* ---- numbers ---- */

static void number__each_form__is_exact_or_refused(void **state)
{
	static const struct {
		const char *text, *shown;
		bool exact;
	} good[] = { { "0", "0", true }, { "17", "17", true }, { "-3.50", "-3.5", true },
		{ "+.5", "0.5", true }, { "1.234567e+06", "1234567", true },
		{ "18446744073709551615", "18446744073709551615", true }, { "1e3", "1000", true },
		{ "1e-9", "0.000000001", true }, { "1e-12", "1e-12", false },
		{ "0.1234567891", "0.1234567891", false }, { "1e300", "1e+300", false },
		{ "5.", "5", true }, { "00012", "12", true }, { "0e99999", "0", true } };
	static const char *const bad[] = { "", "-", ".", "e5", "1e", "1e+", "0x10", " 1", "1 ",
		"1,5", "nan", "inf", "1e400", "--1", "1.2.3",
		"11111111111111111111111111111111111111111111111111111111111111111111" };
	struct number n;
	char text[CLI_TEXT_MAX];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(number_parse(good[i].text, strlen(good[i].text), &n));
		number_text(&n, text);
		assert_string_equal(text, good[i].shown);
		assert_int_equal(n.exact, good[i].exact);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(number_parse(bad[i], strlen(bad[i]), &n));
}

/* ---- statsd ---- */

/* "name{label=value,...} rate" of a line, or the message if it is refused. */
static const char *statsd(const char *line)
{
	static char text[512];
	struct batch_split s;
	struct batch_meaning m = { 0 };
	size_t at;
	int rc;

	assert_true(batch_is_statsd(line));
	capture_begin(&cap, stderr);
	rc = batch_split_statsd(&test_cli, line, &s);
	if (!rc)
		rc = batch_statsd_meaning(&test_cli, &s, &m);
	capture_end(&cap);
	if (rc) {
		snprintf(text, sizeof(text), "%s", strchr(cap.text, ':') + 2);
		text[strcspn(text, "\n")] = '\0';
	} else {
		at = (size_t)snprintf(text, sizeof(text), "%s{", m.series.name);
		for (unsigned i = 0; i < m.series.nlabels; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s=%s",
				i ? "," : "", m.series.label[i].name, m.series.label[i].value);
		snprintf(text + at, sizeof(text) - at, "} %d %g", m.action, m.rate.value);
	}
	batch_meaning_release(&m);
	return text;
}

static void statsd__each_kind__is_understood(void **state)
{
	assert_string_equal(statsd("a.b-c:1|c"), "a_b_c_total{} 3 1");
	assert_string_equal(statsd("x_total:1|c|@0.25"), "x_total{} 3 0.25");
	assert_string_equal(statsd("g:1|g|#k:v,k2:v:2,flag"), "g{k=v,k2=v:2,flag=true} 5 1");
	assert_string_equal(statsd("load.time_ms:1|ms"), "load_time_seconds{} 7 1");
	assert_string_equal(statsd("load_seconds:1|ms"), "load_seconds{} 7 1");
	assert_string_equal(statsd("_ms:1|ms"), "_ms_seconds{} 7 1");
	assert_string_equal(statsd("9k:1|h|#9.a:b|c:id|T17"), "_9k{_9_a=b} 7 1");
	assert_string_equal(statsd("9:1|c"), "the name has no letter");
	assert_string_equal(statsd("d:1|d|#"), "d{} 7 1");
	assert_string_equal(statsd("d:1|d|#a:,,b:1"), "d{a=,b=1} 7 1");
}

static void statsd__what_cannot_be__says_why(void **state)
{
	assert_non_null(strstr(statsd("u:1|s"), "sets (|s) are not supported"));
	assert_non_null(strstr(statsd("u:1|"), "type \"\" is none of"));
	assert_non_null(strstr(statsd("u:1|cc"), "type \"cc\""));
	assert_non_null(strstr(statsd("u:1|c|@0"), "sample rate"));
	assert_non_null(strstr(statsd("u:1|c|@2"), "sample rate"));
	assert_non_null(strstr(statsd("u:1|c|@x"), "sample rate"));
	assert_non_null(strstr(statsd("u:1|c|#a:1,a:2"), "given twice"));
	assert_non_null(strstr(statsd("u:1|c|#:1"), "has no name"));
	assert_non_null(strstr(statsd("_e{1,2}:t|x"), "events and service checks"));
	assert_non_null(strstr(statsd("_sc|x|0"), "events and service checks"));
	assert_non_null(strstr(statsd("u:1|c|#a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), "more than 16"));
}

/* ---- exposition text ---- */

/* "name value" of a line, or the message. */
static const char *text_parts(const char *line)
{
	static char text[512];
	struct batch_split s;
	int rc;

	assert_false(batch_is_statsd(line));
	capture_begin(&cap, stderr);
	rc = batch_split_text(&test_cli, line, &s);
	capture_end(&cap);
	if (rc)
		return strchr(cap.text, ':') + 2;
	snprintf(text, sizeof(text), "%.*s %.*s", (int)s.head_len, s.head, (int)s.value_len,
		s.value);
	return text;
}

static void text__each_form__is_split(void **state)
{
	assert_string_equal(text_parts("a 1"), "a 1");
	assert_string_equal(text_parts("a\t 1\t1700000000"), "a 1");
	assert_string_equal(
		text_parts("a{b=\"} \\\" \"} NaN 17.5 # {x=\"y\"} 3"), "a{b=\"} \\\" \"} NaN");
	assert_string_equal(text_parts("a {b=\"c:d|e\"} 1"), "a {b=\"c:d|e\"} 1");
	assert_non_null(strstr(text_parts("a{b=\"c} 1"), "no end"));
	assert_non_null(strstr(text_parts("a"), "expected NAME"));
	assert_non_null(strstr(text_parts("a 1 soon"), "no timestamp"));
	assert_non_null(strstr(text_parts("a 1 2 3"), "after the timestamp"));
}

/* What a sample means after the lines before it: "name action". */
static const char *meaning(const char *l1, const char *l2, const char *sample)
{
	static char text[512];
	struct batch_metadata *md = batch_metadata_new();
	struct batch_meaning m = { 0 };
	struct batch_split s;
	int rc;

	capture_begin(&cap, stderr);
	rc = l1 ? batch_metadata_line(&test_cli, md, l1) : 0;
	if (!rc && l2)
		rc = batch_metadata_line(&test_cli, md, l2);
	if (!rc)
		rc = batch_split_text(&test_cli, sample, &s);
	if (!rc)
		rc = batch_text_meaning(&test_cli, md, &no_segment, false, &s, &m);
	capture_end(&cap);
	if (rc)
		snprintf(text, sizeof(text), "%s", strchr(cap.text, ':') + 2);
	else
		snprintf(text, sizeof(text), "%s %d %s", m.series.name, m.action,
			m.help ? m.help : "");
	batch_meaning_release(&m);
	batch_metadata_free(md);
	return text;
}

static void text__types__decide(void **state)
{
	assert_string_equal(meaning(NULL, NULL, "a_total 1"), "a_total 4 ");
	assert_string_equal(meaning(NULL, NULL, "a 1"), "a 6 ");
	assert_string_equal(meaning(NULL, NULL, "a_info 1"), "a_info 8 ");
	assert_string_equal(meaning("# TYPE a counter", "# HELP a A\\nb\\\\c.", "a_total 1"),
		"a_total 4 A\nb\\c.");
	assert_string_equal(meaning("# TYPE a counter", NULL, "a 1"), "a_total 4 ");
	assert_string_equal(meaning("#TYPE a unknown", "# EOF", "a 1"), "a 6 ");
	assert_string_equal(meaning("# TYPE a counter", NULL, "a_created 1"), "a_created 1 ");
	assert_string_equal(meaning(NULL, NULL, "shardmeter_x 1"), "shardmeter_x 1 ");
	assert_non_null(strstr(
		meaning("# TYPE a histogram", NULL, "a_bucket{le=\"1\"} 1"), "cannot be had"));
	assert_non_null(strstr(meaning("# TYPE a summary", NULL, "a_sum 1"), "cannot be had"));
	assert_non_null(strstr(meaning("# TYPE a stateset", NULL, "a{a=\"x\"} 1"), "state set"));
	assert_non_null(strstr(meaning("# TYPE a strange", NULL, "a 1"), "no type"));
	assert_non_null(strstr(meaning("# TYPE", NULL, "a 1"), "without a name"));
	assert_non_null(strstr(meaning(NULL, NULL, "a:b 1"), "not a metric name"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines__each_end__is_cut_off),
		cmocka_unit_test(lines__too_long__is_passed_over),
		cmocka_unit_test(lines__longest__is_whole),
		cmocka_unit_test(keys__many__are_numbered_in_order),
		cmocka_unit_test(number__each_form__is_exact_or_refused),
		cmocka_unit_test(statsd__each_kind__is_understood),
		cmocka_unit_test(statsd__what_cannot_be__says_why),
		cmocka_unit_test(text__each_form__is_split),
		cmocka_unit_test(text__types__decide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
