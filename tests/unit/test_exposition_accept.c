/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of exporter/exposition/accept.c: headers that clients really send, and malformed ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/exposition/accept.h"

#define PROTO "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
#define OM "application/openmetrics-text"

static const struct {
	const char *header;
	enum accept_format format;
	const char *type;	/* NULL: not looked at */
} table[] = {
	/* Prometheus 2.42, and with native histograms. */
	{ OM ";version=1.0.0," OM ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	  ACCEPT_OPENMETRICS_1_0_0,
	  OM "; version=1.0.0; charset=utf-8; escaping=underscores" },
	{ PROTO "," OM ";version=1.0.0;q=0.8," OM
	  ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	  ACCEPT_PROTOBUF, "application/vnd.google.protobuf; "
	  "proto=io.prometheus.client.MetricFamily; encoding=delimited" },
	/* 2.49, whose wildcard has an illegal weight. */
	{ OM ";version=1.0.0;q=0.5," OM
	  ";version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=2",
	  ACCEPT_OPENMETRICS_1_0_0, NULL },
	/* 2.53, 2.55 with UTF-8 names. */
	{ OM ";version=1.0.0;q=0.5," OM
	  ";version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
	  ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ OM ";version=1.0.0;escaping=allow-utf-8;q=0.5," OM
	  ";version=0.0.1;escaping=allow-utf-8;q=0.4,"
	  "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.3,*/*;escaping=allow-utf-8;q=0.2",
	  ACCEPT_OPENMETRICS_1_0_0,
	  OM "; version=1.0.0; charset=utf-8; escaping=allow-utf-8" },
	/* 3.0.0: escaping everywhere, twice for text 1.0.0. */
	{ OM ";version=1.0.0;escaping=allow-utf-8;q=0.6," OM
	  ";version=0.0.1;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;"
	  "escaping=allow-utf-8;escaping=allow-utf-8;q=0.4,"
	  "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.3,*/*;q=0.2",
	  ACCEPT_OPENMETRICS_1_0_0, NULL },
	/* 3.5 and later, and with protobuf first. */
	{ OM ";version=1.0.0;escaping=allow-utf-8;q=0.6," OM
	  ";version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
	  "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
	  ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ PROTO ";q=0.6," OM ";version=1.0.0;escaping=allow-utf-8;q=0.5," OM
	  ";version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
	  "text/plain;version=0.0.4;q=0.2,*/*;q=0.1", ACCEPT_PROTOBUF, NULL },
	/* Others. */
	{ "text/plain;version=0.0.4;q=1,*/*;q=0.1", ACCEPT_TEXT_0_0_4,
	  "text/plain; version=0.0.4; charset=utf-8" },
	{ "*/*", ACCEPT_TEXT_0_0_4, NULL },
	{ NULL, ACCEPT_TEXT_0_0_4, NULL },
	{ "", ACCEPT_TEXT_0_0_4, NULL },
	{ "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
	  ACCEPT_TEXT_0_0_4, NULL },
	{ "text/html", ACCEPT_TEXT_0_0_4, NULL },
	{ "text/*", ACCEPT_TEXT_0_0_4, NULL },
	{ "application/*", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ OM, ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ OM ";version=0.0.1", ACCEPT_OPENMETRICS_0_0_1,
	  OM "; version=0.0.1; charset=utf-8" },
	{ OM ";version=2.0.0", ACCEPT_TEXT_0_0_4, NULL },
	{ OM ";version=2.0.0,text/plain;version=1.0.0;q=0.1", ACCEPT_TEXT_1_0_0,
	  "text/plain; version=1.0.0; charset=utf-8; escaping=underscores" },
	{ "text/plain", ACCEPT_TEXT_0_0_4, NULL },
	{ "text/plain;version=1.0.0", ACCEPT_TEXT_1_0_0, NULL },
	{ "text/plain;version=1.0.0;escaping=allow-utf-8", ACCEPT_TEXT_1_0_0,
	  "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8" },
	{ "text/plain;version=1.0.0;escaping=dots", ACCEPT_TEXT_1_0_0,
	  "text/plain; version=1.0.0; charset=utf-8; escaping=underscores" },
	{ "application/vnd.google.protobuf", ACCEPT_PROTOBUF, NULL },
	{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
	  ACCEPT_TEXT_0_0_4, NULL },
	{ "application/vnd.google.protobuf;proto=other.Message;encoding=delimited",
	  ACCEPT_TEXT_0_0_4, NULL },
	{ "application/json", ACCEPT_TEXT_0_0_4, NULL },
	/* Weights. */
	{ "text/plain;q=0.5," OM ";q=0.6", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ OM ";q=0.6,text/plain;q=0.6", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ "text/plain;q=0.6," OM ";q=0.6", ACCEPT_TEXT_0_0_4, NULL },
	{ OM ";q=0,text/plain", ACCEPT_TEXT_0_0_4, NULL },
	{ "text/plain;q=0,*/*", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ "text/plain;version=0.0.4;q=0,text/plain;q=0.5", ACCEPT_TEXT_1_0_0, NULL },
	{ "*/*;q=0", ACCEPT_TEXT_0_0_4, NULL },
	{ OM ";q=0.0001,text/plain;q=0", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ OM ";q=99999999999999999999,text/plain", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ "text/plain;q=1.000," OM ";q=1.001", ACCEPT_TEXT_0_0_4, NULL },
	{ OM ";q=0.5;q=0.9,text/plain;q=0.8", ACCEPT_OPENMETRICS_1_0_0, NULL },
	/* Blanks, case, quotes. */
	{ "  " OM "\t; VERSION = 1.0.0 ; Q=1.0 ,text/plain;q=0.9", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ "Application/OpenMetrics-Text; Version=\"1.0.0\"", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ OM ";note=\"a,b;q=0\";q=0.9,text/plain;q=0.8", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ OM ";note=\"\\\",text/plain;q=1", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ ",, ," OM ",,", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ OM ";;version=1.0.0;", ACCEPT_OPENMETRICS_1_0_0, NULL },
	/* Malformed elements are passed over. */
	{ OM ";q=x,text/plain;q=0.1", ACCEPT_TEXT_0_0_4, NULL },
	{ OM ";q=,text/plain;q=0.1", ACCEPT_TEXT_0_0_4, NULL },
	{ OM ";q=-1,text/plain;q=0.1", ACCEPT_TEXT_0_0_4, NULL },
	{ OM ";q=0.5x,text/plain;q=0.1", ACCEPT_TEXT_0_0_4, NULL },
	{ OM ";version,text/plain;q=0.1", ACCEPT_TEXT_0_0_4, NULL },
	{ ";q=1," OM ";q=0.1", ACCEPT_OPENMETRICS_1_0_0, NULL },
	{ "/;q=0.1", ACCEPT_TEXT_0_0_4, NULL },
	{ "\"", ACCEPT_TEXT_0_0_4, NULL },
	{ "\xff\x01;=,;;=\"\\", ACCEPT_TEXT_0_0_4, NULL },
};

static void format__table_of_headers__the_right_one(void **state)
{
	const char *type;
	enum accept_format f;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		f = accept_format(table[i].header, &type);
		if (f != table[i].format)
			fail_msg("%s: format %d (%s), not %d", table[i].header, f, type,
				table[i].format);
		if (table[i].type)
			assert_string_equal(type, table[i].type);
		assert_non_null(type);
	}
}

static void format__very_long_header__bounded_and_first_ones_count(void **state)
{
	static char header[200000];
	const char *type;
	size_t i;

	memcpy(header, OM, sizeof(OM) - 1);
	for (i = sizeof(OM) - 1; i + 12 < sizeof(header); i += 11)
		strcpy(header + i, ",text/a;q=1");
	assert_int_equal(accept_format(header, &type), ACCEPT_OPENMETRICS_1_0_0);
}

static void coding__table_of_headers__the_right_one(void **state)
{
	static const struct {
		const char *header;
		enum accept_coding coding;
	} codings[] = {
		{ NULL, ACCEPT_IDENTITY }, { "", ACCEPT_IDENTITY }, { "gzip", ACCEPT_GZIP },
		{ "identity", ACCEPT_IDENTITY }, { "gzip;q=0", ACCEPT_IDENTITY },
		{ "gzip;q=0.0", ACCEPT_IDENTITY }, { "deflate, gzip, br", ACCEPT_GZIP },
		{ "GZIP ; q=0.5", ACCEPT_GZIP }, { "x-gzip", ACCEPT_GZIP },
		{ "*", ACCEPT_GZIP }, { "*;q=0", ACCEPT_IDENTITY },
		{ "*, gzip;q=0", ACCEPT_IDENTITY }, { "gzip, *;q=0", ACCEPT_GZIP_ONLY },
		{ "gzip, identity;q=0", ACCEPT_GZIP_ONLY },
		{ "identity;q=0", ACCEPT_IDENTITY },
		{ "gzip;q=0.5, identity", ACCEPT_IDENTITY },
		{ "identity;q=0.5, gzip;q=0.8", ACCEPT_GZIP },
		{ "br, zstd", ACCEPT_IDENTITY }, { "gzip;q=x", ACCEPT_IDENTITY },
		{ "gzipped", ACCEPT_IDENTITY }, { "compress;q=0.5, gzip;q=1.0", ACCEPT_GZIP },
	};
	size_t i;

	for (i = 0; i < sizeof(codings) / sizeof(codings[0]); i++)
		if (accept_coding(codings[i].header) != codings[i].coding)
			fail_msg("%s: %d", codings[i].header, accept_coding(codings[i].header));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format__table_of_headers__the_right_one),
		cmocka_unit_test(format__very_long_header__bounded_and_first_ones_count),
		cmocka_unit_test(coding__table_of_headers__the_right_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
