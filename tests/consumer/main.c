/* SPDX-License-Identifier: Apache-2.0 */
/* A user of the installed library: count once, look whether it is there. */
#include <shardmeter_reader.h>
#include <stdio.h>

int main(void)
{
	struct sm_diag diag;
	struct sm *m = sm_open(&(struct sm_options){ .writer = "consumer" }, &diag);
	struct sm_family *f = sm_declare(m,
		&(struct sm_family_options){ .kind = SM_COUNTER,
			.name = "runs_total",
			.help = "Runs.",
			.labels = { "kind" } },
		NULL);
	struct sm_reader *r;

	sm_counter_inc(sm_counter(f, SM_LABELS("test")));
	if (diag.error || sm_reader_open(sm_segment_path(m), &r, &diag))
		return fprintf(stderr, "%s\n", diag.message), 1;
	printf("%d writer lives in %s\n", sm_reader_live_writers(r), sm_reader_info(r)->path);
	sm_reader_close(r);
	return 0;
}
