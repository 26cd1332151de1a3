/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_accept.c - any bytes as Accept and as Accept-Encoding, and as parameters of /metrics. The answer
 * is always one of ours, the same one twice, and a header that names one format with nothing else gives
 * that format.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/exposition/accept.h"
#include "exporter/exposition/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAMED ",application/openmetrics-text;version=1.0.0;q=1"

static void check(int right)
{
	if (!right)
		abort();
}

static void try_accept(const char *text)
{
	const char *type = NULL, *again = NULL;
	enum accept_format f = accept_format(text, &type);

	check((unsigned)f < ACCEPT_FORMATS && type && *type);
	check(accept_format(text, &again) == f && again == type);
	check((unsigned)accept_coding(text) <= ACCEPT_GZIP_ONLY);
}

static void try_query(const char *text)
{
	static const char *const keys[] = { "name[]", "writer[]", "aggregate" };
	struct request_param p = { NULL, text };
	struct request r = { .path = "/metrics", .nparams = 1, .param = &p };
	char message[256];
	struct query q;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		p.key = keys[i];
		message[0] = '\0';
		if (query_parse(&r, &q, message, sizeof(message)) < 0) {
			check(message[0] && strlen(message) < sizeof(message));
			continue;
		}
		check(query_wants_family(&q, "a_total", 0) || i == 0);
		check(query_wants_writer(&q, "shard-1") || i == 1);
		query_wants_family(&q, "h", 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + sizeof(NAMED));
	const char *type;
	size_t i;

	if (!text)
		return 0;
	/* A header has no NUL. */
	for (i = 0; i < size; i++)
		text[i] = data[i] ? (char)data[i] : ' ';
	text[size] = '\0';
	try_accept(text);
	try_query(text);
	/* Whatever stands before it, as long as it neither names another format nor leaves a quotation open. */
	if (!strpbrk(text, "\"\\tT*oOvV") && size < 200) {
		memcpy(text + size, NAMED, sizeof(NAMED));
		check(accept_format(text, &type) == ACCEPT_OPENMETRICS_1_0_0);
	}
	free(text);
	return 0;
}
