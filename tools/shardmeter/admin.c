/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c - check, gc, size. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "cli.h"
#include "json.h"
#include "sel.h"
#include "text.h"

/* ---- check ---- */

static void print_finding(void *ctx, const char *finding)
{
	int *printed = ctx;
	char text[1024];

	/* What to do is said once, at the end. */
	snprintf(text, sizeof(text), "%s", finding);
	sel_cut_remedy(text);
	(*printed)++;
	cli_put_text(stdout, text, strlen(text));
	putchar('\n');
}

static int run_check(struct cli *c)
{
	struct sm_diag diag = { 0 };
	struct sel sel;
	int printed = 0, found,
	    rc = c->nargs
			 ? cli_fail(c, CLI_FAILED, "\"%s\": choose the segment with -S", c->args[0])
			 : sel_choose(c, false, &sel);

	if (rc)
		return rc;
	if (access(sel.path, R_OK) == 0 && !sel_is_segment(sel.path))
		return cli_fail(c, CLI_DAMAGED, "%s is not a segment", sel.path);
	found = sm_check(sel.path, print_finding, &printed, &diag);
	if (found < 0)
		return cli_fail(c, cli_code(found), "%s", diag.message);
	if (found == 0) {
		if (!c->quiet && printed)
			printf("%s: no findings, %d warning%s\n", sel.path, printed,
				printed == 1 ? "" : "s");
		else if (!c->quiet)
			printf("%s: no findings\n", sel.path);
		return CLI_OK;
	}
	return cli_fail(c, CLI_DAMAGED,
		"%s: %d finding%s; stop its writers, then: shardmeter rm --segment=%s --force",
		sel.path, found, found == 1 ? "" : "s", sel.path);
}

const struct cli_command cli_cmd_check = { .name = "check",
	.synopsis = "",
	.run = run_check,
	.help = "Verify the structure of a segment.",
	.text = "Reads only. Each finding is a line on standard output. Exit code 5 if there are "
		"any; they may also come from a layout that this version does not know. A file "
		"that is no segment has exit code 5, too, without findings. A line that begins "
		"with \"warning: \" is no finding: something is odd, but nothing damaged.",
	.options = (const struct cli_option[]){ { NULL, 0, NULL, NULL, NULL } } };

/* ---- gc ---- */

enum { GC_MIN_AGE };

static int run_gc(struct cli *c)
{
	struct sm_gc_result result;
	struct sm_diag diag = { 0 };
	char bytes[CLI_TEXT_MAX];
	struct sel sel;
	uint64_t age;
	int rc;

	if (c->nargs)
		return cli_fail(c, CLI_FAILED, "\"%s\": choose the segment with -S", c->args[0]);
	rc = cli_number(c, "--min-age", c->value[GC_MIN_AGE], 0, UINT_MAX, &age);
	if (!rc)
		rc = sel_choose(c, false, &sel);
	if (rc)
		return rc;
	rc = sm_gc(sel.path, (unsigned)age, &result, &diag);
	if (rc)
		return cli_fail(c, cli_code(rc), "%s", diag.message);
	if (c->quiet)
		return CLI_OK;
	cli_bytes(result.bytes, bytes);
	printf("%u half-done operation%s mended, %u dead writer%s folded, %u removed series freed, "
	       "%s given back\n",
		result.recovered, result.recovered == 1 ? "" : "s", result.writers,
		result.writers == 1 ? "" : "s", result.series, bytes);
	return CLI_OK;
}

const struct cli_command cli_cmd_gc = { .name = "gc",
	.synopsis = "[--min-age SEC]",
	.run = run_gc,
	.help = "Fold dead writers into the totals and free what was removed.",
	.text = "Writers do this by themselves when they need the room; it is never necessary. "
		"Totals stay the same. What single dead writers counted can no longer be told "
		"apart afterwards.",
	.options = (const struct cli_option[]){
		[GC_MIN_AGE] = { "min-age", 0, "SEC", "60",
			"Leave writers alone that were heard of in the last SEC seconds: they may "
			"be restarting." },
		{ NULL, 0, NULL, NULL, NULL } } };

/* ---- size ---- */

enum {
	SIZE_WRITERS,
	SIZE_LANES,
	SIZE_COUNTERS,
	SIZE_GAUGES,
	SIZE_HISTOGRAMS,
	SIZE_BOUNDS,
	SIZE_NO_GRID,
	SIZE_LABEL_BYTES,
	SIZE_JSON
};

/* The parts of the prediction: what each question adds to the ones before it. */
enum { PART_BASE, PART_WRITERS, PART_COUNTERS, PART_GAUGES, PART_HISTOGRAMS, PARTS };

static const char *const part_names[PARTS] = { "base", "writers", "counters", "gauges",
	"histograms" };

static int ask(const struct cli *c, struct sm_size_question *q)
{
	static const struct {
		int option;
		uint64_t min, max;
		size_t field;
	} numbers[] = {
		{ SIZE_WRITERS, 1, 4096, offsetof(struct sm_size_question, writers) },
		{ SIZE_LANES, 1, 64, offsetof(struct sm_size_question, lanes_used) },
		{ SIZE_COUNTERS, 0, 1u << 24, offsetof(struct sm_size_question, counters) },
		{ SIZE_GAUGES, 0, 1u << 24, offsetof(struct sm_size_question, gauges) },
		{ SIZE_HISTOGRAMS, 0, 1u << 24, offsetof(struct sm_size_question, histograms) },
		{ SIZE_BOUNDS, 1, 256, offsetof(struct sm_size_question, bounds) },
		{ SIZE_LABEL_BYTES, 1, 16384, offsetof(struct sm_size_question, label_bytes) },
	};
	char what[32];
	uint64_t v;
	int rc = 0;

	memset(q, 0, sizeof(*q));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !rc; i++) {
		int o = numbers[i].option;

		snprintf(what, sizeof(what), "--%s", c->command->options[o].name);
		rc = cli_number(c, what, c->value[o], numbers[i].min, numbers[i].max, &v);
		if (!rc)
			*(unsigned *)(void *)((char *)q + numbers[i].field) = (unsigned)v;
	}
	q->grid = !c->given[SIZE_NO_GRID];
	return rc;
}

static uint64_t predict_parts(const struct sm_size_question *q, uint64_t parts[PARTS])
{
	struct sm_size_question step = *q;
	uint64_t before = 0, now = 0;

	step.writers = 0;
	step.counters = step.gauges = step.histograms = 0;
	for (int i = 0; i < PARTS; i++) {
		if (i == PART_WRITERS)
			step.writers = q->writers;
		if (i == PART_COUNTERS)
			step.counters = q->counters;
		if (i == PART_GAUGES)
			step.gauges = q->gauges;
		if (i == PART_HISTOGRAMS)
			step.histograms = q->histograms;
		now = sm_size_predict(&step);
		parts[i] = now - before;
		before = now;
	}
	return now;
}

/* A quarter more than predicted, in whole MiB, at least 1. */
static unsigned long long advised_mib(uint64_t bytes)
{
	return (unsigned long long)((bytes + bytes / 4 + (1u << 20) - 1) >> 20);
}

static int run_size(struct cli *c)
{
	struct cli_json j = { .f = stdout };
	struct sm_size_question q;
	uint64_t parts[PARTS], total;
	char text[CLI_TEXT_MAX];
	int rc;

	if (c->nargs)
		return cli_fail(c, CLI_FAILED, "\"%s\": size takes only options", c->args[0]);
	rc = ask(c, &q);
	if (rc)
		return rc;
	total = predict_parts(&q, parts);
	if (c->given[SIZE_JSON]) {
		cli_json_open(&j, NULL, '{');
		cli_json_u64(&j, "schema", CLI_JSON_SCHEMA);
		for (int i = 0; i < PARTS; i++)
			cli_json_u64(&j, part_names[i], parts[i]);
		cli_json_u64(&j, "total_bytes", total);
		cli_json_u64(&j, "advised_bytes", advised_mib(total) << 20);
		cli_json_close(&j, '}');
		return CLI_OK;
	}
	for (int i = 0; i < PARTS; i++) {
		cli_bytes(parts[i], text);
		printf("%-12s %14llu  %10s", part_names[i], (unsigned long long)parts[i], text);
		if (i == PART_WRITERS)
			printf("  %u, %u lanes each", q.writers, q.lanes_used);
		if (i == PART_COUNTERS)
			printf("  %u series", q.counters);
		if (i == PART_GAUGES)
			printf("  %u series", q.gauges);
		if (i == PART_HISTOGRAMS)
			printf("  %u series, %u bounds%s", q.histograms, q.bounds,
				q.grid ? " and the fine grid" : "");
		putchar('\n');
	}
	cli_bytes(total, text);
	printf("%-12s %14llu  %10s\n", "total", (unsigned long long)total, text);
	printf("\nWith a quarter in reserve: docker run --shm-size=%llum (Docker's default is "
	       "64m); in Kubernetes an\nemptyDir with medium: Memory and sizeLimit: %lluMi.\n",
		advised_mib(total), advised_mib(total));
	return CLI_OK;
}

const struct cli_command cli_cmd_size = { .name = "size",
	.synopsis = "[options]",
	.run = run_size,
	.help = "Predict how much shared memory a segment takes.",
	.text = "Each part is what it adds to those above it. Memory is taken when it is used "
		"first; this is the end of it, by the formula in docs/sizing.md.\n"
		"\n"
		"\tshardmeter size --writers 16 --histograms 360",
	.options = (const struct cli_option[]){ [SIZE_WRITERS] = { "writers", 'w', "N", "8",
							"Processes that write at the same time." },
		[SIZE_LANES] = { "lanes", 0, "N", "3",
			"Lanes that each really uses: its threads that count, and one that is "
			"shared." },
		[SIZE_COUNTERS] = { "counters", 'c', "N", "100", "Series of counters." },
		[SIZE_GAUGES] = { "gauges", 'g', "N", "20", "Series of gauges." },
		[SIZE_HISTOGRAMS] = { "histograms", 'H', "N", "50", "Series of histograms." },
		[SIZE_BOUNDS] = { "bounds", 'b', "N", "11", "Classic bounds of each histogram." },
		[SIZE_NO_GRID] = { "no-grid", 0, NULL, NULL, "Histograms without the fine grid." },
		[SIZE_LABEL_BYTES] = { "label-bytes", 0, "N", "32",
			"Bytes of label values of a series." },
		[SIZE_JSON] = { "json", 0, NULL, NULL, "As JSON, in bytes." },
		{ NULL, 0, NULL, NULL, NULL } } };
