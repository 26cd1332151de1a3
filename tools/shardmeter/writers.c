/* SPDX-License-Identifier: Apache-2.0 */
/* writers.c - who is attached, alive, since when. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "dump.h"
#include "sel.h"
#include "table.h"

enum { WRITERS_LIVE, WRITERS_JSON };

static bool selected(const struct cli *c, const struct sm_writer *w)
{
	if (c->given[WRITERS_LIVE] && w->state != SM_WRITER_LIVE)
		return false;
	return c->nargs == 0 || fnmatch(c->args[0], w->name, 0) == 0;
}

/* An age, "-" for never (0). */
static void age_cell(struct cli_table *t, uint64_t now_ns, uint64_t then_ns)
{
	if (then_ns == 0)
		cli_table_cell(t, "-");
	else
		cli_table_age(t, now_ns > then_ns ? now_ns - then_ns : 0);
}

/* "shard=3 node=a"; blanks inside are the writer's own. */
static char *metadata_text(const struct sm_writer *w)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < w->nmetadata; i++)
		fprintf(f, "%s%s=%s", i ? " " : "", w->metadata[2 * i], w->metadata[2 * i + 1]);
	fclose(f);
	return text;
}

static size_t print_table(const struct cli *c, const struct sm_snapshot *s, int *ret_rc)
{
	static const char *const headers[] = { "WRITER", "STATE", "PID", "HEARTBEAT", "RUNNING",
		"RESTARTS", "LANES", "VERSION", "METADATA" };
	struct cli_table t;
	size_t n = 0;
	char *text;

	cli_table_init(&t, 9, headers, "llrrrrrll");
	for (size_t i = 0; i < s->nwriters; i++) {
		const struct sm_writer *w = &s->writers[i];

		if (!selected(c, w))
			continue;
		n++;
		cli_table_cell(&t, w->name);
		cli_table_cell(&t, dump_writer_state(w));
		cli_table_number(&t, w->pid);
		age_cell(&t, s->taken_boot_ns, w->heartbeat_boot_ns);
		age_cell(&t, s->taken_boot_ns, w->state == SM_WRITER_LIVE ? w->start_boot_ns : 0);
		cli_table_number(&t, w->restarts);
		cli_table_number(&t, w->lanes_in_use);
		cli_table_cell(&t, w->version);
		text = metadata_text(w);
		cli_table_cell(&t, text ? text : "");
		free(text);
	}
	*ret_rc = cli_table_print(c, &t);
	return n;
}

static size_t print_json(const struct cli *c, const struct sm_snapshot *s)
{
	struct cli_json j = { .f = stdout, .indent = true };
	size_t n = 0;

	cli_json_open(&j, NULL, '{');
	cli_json_u64(&j, "schema", CLI_JSON_SCHEMA);
	cli_json_time(&j, "time", s->taken_real_ns);
	cli_json_text(&j, "path", s->segment->path);
	cli_json_open(&j, "writers", '[');
	for (size_t i = 0; i < s->nwriters; i++) {
		if (!selected(c, &s->writers[i]))
			continue;
		dump_writer_json(&j, s, &s->writers[i]);
		n++;
	}
	cli_json_close(&j, ']');
	cli_json_close(&j, '}');
	return n;
}

static int none(const struct cli *c, const char *path)
{
	const char *live = c->given[WRITERS_LIVE] ? "live " : "";

	if (c->nargs)
		return cli_fail(c, CLI_NOTHING, "no %swriter matches %s in %s", live, c->args[0], path);
	return cli_fail(c, CLI_NOTHING, "there is no %swriter in %s", live, path);
}

static int run_writers(struct cli *c)
{
	const struct sm_snapshot *s;
	size_t n;
	int rc;

	if (c->nargs > 1)
		return cli_fail(
			c, CLI_FAILED, "one PATTERN; quote it so that the shell leaves it alone");
	rc = sel_snapshot(c, 0, &s, NULL);
	if (rc)
		return rc;
	if (c->given[WRITERS_JSON])
		n = print_json(c, s);
	else
		n = print_table(c, s, &rc);
	if (!rc && n == 0)
		rc = none(c, s->segment->path);
	sm_snapshot_free(s);
	return rc;
}

const struct cli_command cli_cmd_writers = { .name = "writers",
	.synopsis = "[-l] [--json] [PATTERN]",
	.run = run_writers,
	.complete = CLI_COMPLETE_WRITER,
	.help = "List the writers: alive or not, last heartbeat, restarts, version.",
	.text = "State is live (its process holds the life lock), ended (it said goodbye), dead "
		"(it did not), or common (what shell commands counted). Counters of writers that "
		"are gone stay in the totals. PATTERN is a shell pattern for the name.\n"
		"\n"
		"Columns: writer, state, pid (in its own pid namespace), age of the last "
		"heartbeat, how long it runs, restarts under this name, lanes in use, version of "
		"the application, metadata.",
	.options = (const struct cli_option[]){
		[WRITERS_LIVE] = { "live", 'l', NULL, NULL, "Only those that are alive." },
		[WRITERS_JSON] = { "json", 0, NULL, NULL,
			"As JSON, with everything known about each." },
		{ NULL, 0, NULL, NULL, NULL } } };
