/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump.c - the dump command: all values once or every so often, to standard output or to a file
 * that is replaced at one stroke; and CSV.
 *
 * With --every a failure (the segment is gone, the disk is full) is reported when it begins and
 * when it ends, and the loop goes on; the file keeps its last content meanwhile.
 */
#include "dump.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "exec.h"
#include "file.h"
#include "loop.h"
#include "sel.h"

/* ---- CSV ---- */

struct csv {
	FILE *f;
	char time[CLI_TEXT_MAX];
	const struct sm_family_info *family;
	const struct sm_series_info *series;
	const char *writer;
};

static void field(FILE *f, const char *s)
{
	cli_csv_field(f, false, s, strlen(s));
}

/* One record. suffix: what the name of this sample has behind the family's; le: a bucket's. */
static void record(const struct csv *c, const char *suffix, const char *le, const char *value)
{
	char *labels = NULL;
	size_t size;
	FILE *m = open_memstream(&labels, &size);

	cli_csv_field(c->f, true, c->time, strlen(c->time));
	fprintf(c->f, ",%s%s", c->family->name, suffix);
	field(c->f, cli_kind(c->family->kind));
	field(c->f, c->family->unit);
	if (m) {
		cli_put_labels(m, c->family, c->series, le);
		fclose(m);
	}
	field(c->f, labels ? labels : "");
	free(labels);
	field(c->f, c->writer);
	field(c->f, value);
	cli_csv_end(c->f);
}

static void histogram_records(const struct csv *c, const struct sm_snapshot *s, int writer)
{
	uint64_t *counts = calloc(c->family->nbounds + 1u, sizeof(*counts));
	char le[CLI_TEXT_MAX], value[CLI_TEXT_MAX];
	struct sm_sum sum;

	if (counts && sm_snapshot_classic(s, c->series, writer, counts, &sum) == 0) {
		for (unsigned i = 0; i <= c->family->nbounds; i++) {
			sm_format_double(i < c->family->nbounds ? c->family->bounds[i] : INFINITY,
				1, le, sizeof(le));
			snprintf(value, sizeof(value), "%llu", (unsigned long long)counts[i]);
			record(c, "_bucket", le, value);
		}
		record(c, "_count", NULL, value);
		cli_sum(&sum, value);
		record(c, "_sum", NULL, value);
	}
	free(counts);
}

static void series_records(const struct csv *c, const struct sm_snapshot *s, int writer)
{
	char value[CLI_TEXT_MAX];
	struct sm_value v;

	if (c->family->kind == SM_HISTOGRAM) {
		histogram_records(c, s, writer);
		return;
	}
	if (sm_snapshot_number(s, c->series, writer, &v) != 0 || !v.is_set)
		return;
	cli_value(&v, value);
	record(c, "", NULL, value);
}

void dump_csv_header(FILE *f)
{
	fputs("time,name,kind,unit,labels,writer,value", f);
	cli_csv_end(f);
}

void dump_csv(FILE *f, const struct sm_snapshot *s, unsigned flags)
{
	struct csv c = { .f = f };
	bool each;

	cli_utc(s->taken_real_ns, c.time);
	for (size_t i = 0; i < s->nfamilies; i++) {
		c.family = &s->families[i];
		each = (flags & DUMP_WRITERS) || c.family->kind == SM_STATESET ||
		       (c.family->kind == SM_GAUGE && c.family->mode == SM_MODE_ALL);
		for (size_t k = 0; k < c.family->nseries; k++) {
			c.series = &c.family->series[k];
			c.writer = "";
			series_records(&c, s, SM_ALL_WRITERS);
			for (size_t w = 0; each && w < s->nwriters; w++) {
				c.writer = s->writers[w].name;
				series_records(&c, s, (int)w);
			}
		}
	}
}

/* ---- the command ---- */

enum {
	DUMP_OPT_FORMAT,
	DUMP_OPT_EVERY,
	DUMP_OPT_OUTPUT,
	DUMP_OPT_EXEC,
	DUMP_OPT_TIMEOUT,
	DUMP_OPT_WRITERS
};
enum format { TEXT, JSON, CSV };

/* What one run of dump does. */
struct dump {
	struct cli c; /* quiet while a failure lasts */
	enum format format;
	unsigned flags;
	uint64_t every_ns;  /* 0: once */
	const char *output; /* NULL: standard output */
	const char *exec;   /* NULL: no command */
	uint64_t timeout_ns;
	struct loop loop;
	struct sel_follow segment;
	bool header_done;
};

static int sink(void *ctx, const char *data, size_t len)
{
	fwrite(data, 1, len, ctx);
	return 0;
}

static int render(struct dump *d, FILE *f, const struct sm_snapshot *s)
{
	switch (d->format) {
	case TEXT: return sm_snapshot_text(s, 0, sink, f);
	case JSON: dump_json(f, s, NULL, d->flags); return 0;
	default:
		if (!d->header_done || d->output || d->exec)
			dump_csv_header(f);
		d->header_done = true;
		dump_csv(f, s, d->flags);
		return 0;
	}
}

static int write_file(struct dump *d, const struct sm_snapshot *s)
{
	struct cli_file file;
	int rc = cli_file_open(&d->c, &file, d->output);

	if (rc)
		return rc;
	if (render(d, file.f, s) != 0) {
		cli_file_abandon(&file);
		return cli_fail(&d->c, CLI_FAILED, "cannot render %s", d->segment.path);
	}
	return cli_file_commit(&d->c, &file);
}

/* Rendered in memory: the text, which the caller frees; NULL after a message. */
static char *rendered(struct dump *d, const struct sm_snapshot *s, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);
	int rc = f ? render(d, f, s) : -ENOMEM;

	if (f && fclose(f) != 0)
		rc = -ENOMEM;
	if (!rc)
		return text;
	free(text);
	cli_note(&d->c, "cannot render %s: %s", d->segment.path, strerror(-rc));
	return NULL;
}

/* What a program reads is as it is; what a terminal shows must not steer it. */
static int print(struct dump *d, const struct sm_snapshot *s)
{
	const char *line, *end;
	size_t len = 0;
	char *text;

	if (!cli_is_terminal(stdout)) {
		if (render(d, stdout, s) != 0)
			return cli_fail(&d->c, CLI_FAILED, "cannot render %s", d->segment.path);
		fflush(stdout);
		return 0;
	}
	text = rendered(d, s, &len);
	if (!text)
		return CLI_FAILED;
	for (line = text; line < text + len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + len - line));
		if (!end)
			end = text + len;
		cli_put_text(stdout, line, (size_t)(end - line));
		putchar('\n');
	}
	free(text);
	fflush(stdout);
	return 0;
}

static int feed(struct dump *d, const struct sm_snapshot *s)
{
	size_t len = 0;
	char *text = rendered(d, s, &len);
	int rc;

	if (!text)
		return CLI_FAILED;
	setenv("SHARDMETER_SEGMENT", d->segment.path, 1);
	rc = exec_feed(&d->c, d->exec, text, len, d->timeout_ns, &d->loop);
	free(text);
	return rc;
}

static int dump_once(struct dump *d)
{
	const struct sm_snapshot *s;
	int rc = sel_follow_take(&d->c, &d->segment, SM_SNAPSHOT_WRITERS, &s);

	if (rc)
		return rc;
	if (d->output)
		rc = write_file(d, s);
	else if (d->exec)
		rc = feed(d, s);
	else
		rc = print(d, s);
	sm_snapshot_free(s);
	return rc;
}

/* With a signal held back while a file is written or a command runs. */
static int dump_whole(struct dump *d)
{
	int rc;

	loop_begin(&d->loop, 1);
	rc = dump_once(d);
	loop_ended(&d->loop);
	loop_end(&d->loop);
	return rc;
}

static int dump_forever(struct dump *d)
{
	bool quiet = d->c.quiet, failing = false;
	int rc;

	loop_begin(&d->loop, d->every_ns);
	do {
		rc = dump_once(d);
		d->c.quiet = quiet;
		if (failing && !rc)
			cli_note(&d->c, "reading and writing again");
		failing = rc != 0;
		d->c.quiet |= failing; /* said once; it may go on for days */
		if (ferror(stdout))
			return cli_finish(&d->c, CLI_OK);
	} while (loop_wait(&d->loop));
	loop_end(&d->loop);
	return CLI_OK;
}

static int parse_format(const struct cli *c, enum format *ret)
{
	static const char *const names[] = { [TEXT] = "text", [JSON] = "json", [CSV] = "csv" };

	for (int i = 0; i < 3; i++)
		if (strcmp(c->value[DUMP_OPT_FORMAT], names[i]) == 0) {
			*ret = (enum format)i;
			return 0;
		}
	return cli_fail(c, CLI_FAILED, "--format: \"%s\" is none of text, json, csv",
		c->value[DUMP_OPT_FORMAT]);
}

static int run_dump(struct cli *c)
{
	struct dump d = {
		.c = *c, .output = c->value[DUMP_OPT_OUTPUT], .exec = c->value[DUMP_OPT_EXEC]
	};
	int rc = parse_format(c, &d.format);

	if (!rc && c->nargs)
		return cli_fail(c, CLI_FAILED,
			"\"%s\": dump takes no arguments; \"ls PATTERN\" shows some series",
			c->args[0]);
	if (!rc && c->value[DUMP_OPT_EVERY])
		rc = cli_seconds(c, "--every", c->value[DUMP_OPT_EVERY], 0.1, 86400, &d.every_ns);
	if (!rc && d.output && d.exec)
		rc = cli_fail(c, CLI_FAILED, "--output and --exec exclude each other");
	if (!rc && d.exec && !*d.exec)
		rc = cli_fail(c, CLI_FAILED, "--exec: the command is empty");
	if (!rc)
		rc = cli_seconds(
			c, "--timeout", c->value[DUMP_OPT_TIMEOUT], 0.01, 86400, &d.timeout_ns);
	if (!rc && c->given[DUMP_OPT_WRITERS]) {
		if (d.format == TEXT)
			rc = cli_fail(c, CLI_FAILED, "--writers: only with --format json or csv");
		d.flags |= DUMP_WRITERS;
	}
	if (rc)
		return rc;
	/* A stream of objects is one object a line. */
	if (!d.every_ns || d.output || d.exec)
		d.flags |= DUMP_INDENT;
	rc = d.every_ns ? dump_forever(&d) : d.exec || d.output ? dump_whole(&d) : dump_once(&d);
	sel_follow_end(&d.segment);
	return rc;
}

const struct cli_command cli_cmd_dump = { .name = "dump",
	.synopsis = "[options]",
	.run = run_dump,
	.help = "Print all values: as Prometheus text, JSON or CSV; once or every so often.",
	.text = "For node_exporter's textfile collector, as a service of its own:\n"
		"\n"
		"\tshardmeter dump --every 15 --output /var/lib/node_exporter/shardmeter.prom\n"
		"\n"
		"To a command, on its standard input (what a segment says never becomes part of the "
		"command):\n"
		"\n"
		"\tshardmeter dump --every 60 --exec 'gzip | ssh backup \"cat > m.gz\"'\n"
		"\n"
		"JSON is one object, with --every on standard output one a line. Integers are "
		"exact, times are UTC; a value that JSON has no number for is one of the strings "
		"\"NaN\", \"+Inf\", \"-Inf\". A change of its meaning changes \"schema\". CSV "
		"follows RFC 4180, with one record for each sample that Prometheus would see.",
	.options = (const struct cli_option[]){
		[DUMP_OPT_FORMAT] = { "format", 'f', "text|json|csv", "text", "What to print." },
		[DUMP_OPT_EVERY] = { "every", 0, "SEC", NULL,
			"Again every SEC seconds (0.1 to 86400), until a signal comes. Waits for a "
			"segment that is not there." },
		[DUMP_OPT_OUTPUT] = { "output", 'o', "FILE", NULL,
			"Write FILE (mode 0644): first beside it, to disk, then renamed, so that a "
			"reader sees all or nothing. If it cannot be written the old one stays." },
		[DUMP_OPT_EXEC] = { "exec", 0, "CMD", NULL,
			"Run CMD each time, by /bin/sh -c, and give it the dump on its standard "
			"input; SHARDMETER_SEGMENT is the path of the segment there. Exit code 2 "
			"if CMD fails; with --every that is reported, and it goes on." },
		[DUMP_OPT_TIMEOUT] = { "timeout", 0, "SEC", "30",
			"End CMD and its process group after SEC seconds: SIGTERM, two seconds "
			"later SIGKILL." },
		[DUMP_OPT_WRITERS] = { "writers", 'w', NULL, NULL,
			"JSON and CSV: also each writer's own value of every series." },
		{ NULL, 0, NULL, NULL, NULL } } };
