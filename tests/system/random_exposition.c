/* SPDX-License-Identifier: Apache-2.0 */
// LINK: static
/*
 * random_exposition SEGMENT FIRST LAST - random registries with the seeds FIRST to LAST, each in all
 * formats of /metrics, as the exporter would answer. For registry_util.py. On stdout for each seed
 *
 *	SEED LENGTH LENGTH LENGTH LENGTH LENGTH\n
 *
 * and as many bytes: what must be in it (random_registry.h), text 0.0.4, text 1.0.0, OpenMetrics,
 * protobuf. All but the first are compressed for every other seed, so that those must be the same.
 */
#include <errno.h>
#include <unistd.h>

#include "exporter/exposition/exposition.h"
#include "exporter/log.h"
#include "random_registry.h"

static const char *const accept[] = {
	"text/plain;version=0.0.4",
	"text/plain;version=1.0.0",
	"application/openmetrics-text;version=1.0.0",
	"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
};
#define FORMATS (sizeof(accept) / sizeof(accept[0]))

static int complain(const char *what, int rc)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-rc));
	return 1;
}

/* All formats of what the segment holds now. */
static int expose(const char *segment, uint64_t number, struct buf *expected)
{
	struct exposition_options options = EXPOSITION_DEFAULTS;
	struct request request = { .path = "/metrics" };
	const struct collection *c = NULL;
	struct collector *k = NULL;
	struct exposition *x = NULL;
	struct page page[FORMATS] = { 0 };
	const char *bad;
	size_t i;
	int rc;

	options.own_metrics = 0;
	options.created = number % 3 == 0;
	request.accept_encoding = number % 2 ? "gzip" : NULL;
	rc = collector_create(&segment, 1, &k, &bad);
	if (!rc)
		rc = collector_get(k, 0, 0, &c);
	if (!rc)
		rc = exposition_create(&options, &x);
	for (i = 0; !rc && i < FORMATS; i++) {
		request.accept = accept[i];
		rc = exposition_answer(x, c, &request, &page[i]);
		if (!rc && page[i].status != 200)
			rc = -EINVAL;
	}
	if (rc)
		return complain("exposition", rc);
	printf("%llu %zu", (unsigned long long)number, expected->len);
	for (i = 0; i < FORMATS; i++)
		printf(" %zu", page[i].body.len);
	printf("\n");
	fwrite(expected->data, 1, expected->len, stdout);
	for (i = 0; i < FORMATS; i++) {
		fwrite(page[i].body.data, 1, page[i].body.len, stdout);
		buf_free(&page[i].body);
	}
	collection_release(c);
	exposition_free(x);
	collector_free(k);
	return ferror(stdout) != 0;
}

static int one_registry(const char *segment, uint64_t number)
{
	struct sm_options o = { .writer = WRITER,
				.segment = segment,
				.max_cells = 1 << 18,
				.flags = SM_OPEN_NO_ENVIRONMENT };
	struct buf expected = { 0 };
	struct sm_diag diag;
	static char name[24];
	struct sm *m;
	int failed;

	unlink(segment);
	m = sm_open(&o, &diag);
	if (diag.error) {
		fprintf(stderr, "%s\n", diag.message);
		return 1;
	}
	/* Names of their own, so that many registries can stand in one exposition. */
	snprintf(name, sizeof(name), "r%llu_", (unsigned long long)number);
	prefix = name;
	expect = open_memstream(&expected.data, &expected.len);
	if (!expect)
		return complain("open_memstream", -errno);
	failed = random_registry(m, number, 1 + (unsigned)(number % 16));
	fclose(expect);
	if (!failed)
		failed = expose(segment, number, &expected);
	free(expected.data);
	sm_close(m);
	return failed;
}

int main(int argc, char **argv)
{
	uint64_t number, last;

	if (argc != 4) {
		fprintf(stderr, "usage: random_exposition SEGMENT FIRST LAST\n");
		return 2;
	}
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
	last = strtoull(argv[3], NULL, 10);
	for (number = strtoull(argv[2], NULL, 10); number <= last; number++)
		if (one_registry(argv[1], number))
			return 1;
	unlink(argv[1]);
	return fflush(stdout) != 0;
}
