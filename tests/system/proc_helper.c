/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_helper.c - a writer and reader driven by lines on stdin, for the Python tests: as another
 * user, in another pid namespace, with this or that environment. Each line is answered by one:
 * "ok ..." or "error NUMBER MESSAGE". An argument "-" stands for none.
 *
 *	open SEGMENT WRITER GROUP	sm_open(), what is "-" comes from the environment
 *	counter NAME LABEL VALUE N	declare, resolve, add
 *	gauge NAME VALUE
 *	flow NAME			start and end one; slow if its threshold is 0
 *	heartbeat | name | path | close | pid
 *	total SEGMENT NAME		over all series and writers
 *	series SEGMENT NAME		label values
 *	writers SEGMENT			name:state:version:pid:pidns ...
 *	slow SEGMENT			operations in the ring
 */
#include "proc.h"

static struct sm *writer;

static const char *optional(const char *arg)
{
	return strcmp(arg, "-") == 0 ? NULL : arg;
}

static void answer(int rc, const char *message)
{
	if (rc)
		printf("error %d %s\n", rc, message);
	else
		printf("ok %s\n", message);
}

static void do_open(char **arg)
{
	struct sm_options o = {
		.segment = optional(arg[1]),
		.writer = optional(arg[2]),
		.group = optional(arg[3]),
		.max_writers = 16,
		.max_families = 64,
		.max_series = 4096,
		.max_cells = 1 << 16,
		.ring_entries = 8,
		.lock_timeout_ms = 5000,
	};
	struct sm_diag diag;

	writer = sm_open(&o, &diag);
	answer(diag.error, diag.message);
}

static void do_counter(char **arg)
{
	struct sm_family_options o = {
		.kind = SM_COUNTER, .name = arg[1], .labels = { optional(arg[2]) }
	};
	struct sm_diag diag;
	struct sm_family *f = sm_declare(writer, &o, &diag);
	struct sm_str value = SM_STR(arg[3]);

	sm_counter_add(sm_counter(f, &value, o.labels[0] ? 1 : 0), strtoull(arg[4], NULL, 10));
	answer(diag.error, diag.message);
}

static void do_gauge(char **arg)
{
	struct sm_family_options o = { .kind = SM_GAUGE, .name = arg[1] };
	struct sm_diag diag;

	sm_gauge_set(sm_gauge(sm_declare(writer, &o, &diag), SM_NO_LABELS), strtod(arg[2], NULL));
	answer(diag.error, diag.message);
}

static void do_flow(char **arg)
{
	struct sm_flow_options o = { .name = arg[1], .slow_ns = UINT64_C(60000000000) };
	struct sm_flow flow;
	struct sm_diag diag;

	sm_flow_start(&flow, sm_flow_declare(writer, &o, &diag), SM_NO_LABELS, NULL);
	pause_ms(1);
	sm_flow_end(&flow, "success");
	answer(diag.error, diag.message);
}

static void do_writers(const struct sm_snapshot *s)
{
	static const char *const states[] = { "live", "dead", "common" };
	size_t i;

	printf("ok");
	for (i = 0; i < s->nwriters; i++)
		printf(" %s:%s:%s:%llu:%llu", s->writers[i].name, states[s->writers[i].state],
			s->writers[i].version, (unsigned long long)s->writers[i].pid,
			(unsigned long long)s->writers[i].pidns);
	printf("\n");
}

static void do_series(const struct sm_snapshot *s, const char *name)
{
	const struct sm_family_info *f = find_family(s, name);
	size_t i;

	printf("ok");
	for (i = 0; f && i < f->nseries; i++)
		printf(" %s", f->nlabels ? f->series[i].values[0].ptr : "{}");
	printf("\n");
}

static int print_slow(void *ctx, const struct sm_slow *slow)
{
	(void)ctx;
	printf(" %s", slow->operation);
	return 0;
}

static void do_slow(const char *segment)
{
	struct sm_reader *r = open_reader(segment);

	printf("ok");
	sm_reader_slow(r, print_slow, NULL);
	printf("\n");
	sm_reader_close(r);
}

/* What looks into a segment. False: no such command. */
static bool read_command(char **arg)
{
	const struct sm_snapshot *s;
	struct sm_reader *r;
	struct sm_diag diag;
	int rc;

	if (strcmp(arg[0], "total") != 0 && strcmp(arg[0], "series") != 0 &&
	    strcmp(arg[0], "writers") != 0 && strcmp(arg[0], "slow") != 0)
		return false;
	rc = sm_reader_open(optional(arg[1]), &r, &diag);
	if (rc) {
		answer(rc, diag.message);
		return true;
	}
	sm_reader_close(r);
	if (!strcmp(arg[0], "slow")) {
		do_slow(arg[1]);
		return true;
	}
	s = snapshot_of(optional(arg[1]));
	if (!strcmp(arg[0], "total"))
		printf("ok %llu\n", (unsigned long long)count_in(s, arg[2], SM_ALL_WRITERS));
	else if (!strcmp(arg[0], "series"))
		do_series(s, arg[2]);
	else
		do_writers(s);
	sm_snapshot_free(s);
	return true;
}

static void command(char **arg)
{
	struct sm_diag diag;
	char text[32];

	if (!strcmp(arg[0], "open"))
		do_open(arg);
	else if (!strcmp(arg[0], "counter"))
		do_counter(arg);
	else if (!strcmp(arg[0], "gauge"))
		do_gauge(arg);
	else if (!strcmp(arg[0], "flow"))
		do_flow(arg);
	else if (!strcmp(arg[0], "heartbeat"))
		answer(sm_heartbeat(writer), (sm_status(writer, &diag), diag.message));
	else if (!strcmp(arg[0], "name"))
		answer(0, sm_writer_name(writer));
	else if (!strcmp(arg[0], "path"))
		answer(0, sm_segment_path(writer));
	else if (!strcmp(arg[0], "close"))
		answer(0, (sm_close(writer), ""));
	else if (!strcmp(arg[0], "pid"))
		answer(0, (snprintf(text, sizeof(text), "%d", (int)getpid()), text));
	else if (!read_command(arg))
		answer(-EINVAL, arg[0]);
}

int main(void)
{
	char line[4096], *arg[8], *save, empty[] = "-";
	unsigned n;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		arg[0] = strtok_r(line, " \n", &save);
		if (!arg[0])
			continue;
		for (n = 1; n < 8; n++) {
			arg[n] = strtok_r(NULL, " \n", &save);
			if (!arg[n])
				arg[n] = empty;
		}
		command(arg);
	}
	return 0;
}
