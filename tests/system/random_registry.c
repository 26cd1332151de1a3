/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_registry SEGMENT SEED FAMILIES [stay] - write a random registry, print its exposition by
 * sm_write_text() on stdout and what must be in it (random_registry.h) on descriptor 3. With `stay` it lives
 * on, so that its gauges do, until its standard input ends. For test_text_parsers.py and
 * test_format_parsers.py.
 */
#include "random_registry.h"

static int print(void *ctx, const char *data, size_t len)
{
	(void)ctx;
	return fwrite(data, 1, len, stdout) == len ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct sm_options o = { .writer = WRITER,
				.max_cells = 1 << 18,
				.flags = SM_OPEN_NO_ENVIRONMENT };
	struct sm_diag diag;
	struct sm *m;

	if ((argc != 4 && argc != 5) || !(expect = fdopen(3, "w"))) {
		fprintf(stderr, "usage: random_registry SEGMENT SEED FAMILIES [stay] 3>EXPECTATION\n");
		return 2;
	}
	o.segment = argv[1];
	m = sm_open(&o, &diag);
	if (diag.error) {
		fprintf(stderr, "%s\n", diag.message);
		return 1;
	}
	if (random_registry(m, strtoul(argv[2], NULL, 10), (unsigned)strtoul(argv[3], NULL, 10)))
		return 1;
	if (sm_write_text(m, print, NULL) || fclose(expect) || fflush(stdout))
		return 1;
	if (argc == 5) {
		fclose(stdout);
		while (getchar() != EOF)
			;
	}
	sm_close(m);
	return 0;
}
