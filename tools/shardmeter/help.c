/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.c - usage, help and the manual page's COMMANDS section, all from the tables; version.
 *
 * docs/man/shardmeter.1 holds what `shardmeter help --man` prints between two marker comments;
 * tests/system/test_cli.py compares.
 */
#include <string.h>

#include "cli.h"
#include "file.h"
#include "json.h"

#define WIDTH 80

/* Print text, words wrapped, each line indented; the first one starts at `column`. */
static void wrap(FILE *f, const char *text, size_t indent, size_t column)
{
	size_t len;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		len = strcspn(text, " ");
		if (column > indent && column + len + 1 > WIDTH) {
			putc('\n', f);
			column = 0;
		}
		if (column < indent)
			column += (size_t)fprintf(f, "%*s", (int)(indent - column), "");
		else if (column > indent)
			column += (size_t)fprintf(f, " ");
		fwrite(text, 1, len, f);
		column += len;
		text += len;
	}
	putc('\n', f);
}

/* One paragraph or example line of a command's text; returns what follows. */
static const char *next_line(const char *text, char *ret_line, size_t size)
{
	size_t len = strcspn(text, "\n");

	snprintf(ret_line, size, "%.*s", (int)len, text);
	return text[len] ? text + len + 1 : text + len;
}

static void option_head(const struct cli_option *o, char *ret_text, size_t size)
{
	char letter[8] = "    ";
	bool optional = o->arg && o->arg[0] == '[';

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	if (optional)
		snprintf(ret_text, size, "  %s--%s[=%.*s]", letter, o->name,
			(int)strlen(o->arg) - 2, o->arg + 1);
	else
		snprintf(ret_text, size, "  %s--%s%s%s", letter, o->name, o->arg ? " " : "",
			o->arg ? o->arg : "");
}

static void print_option(FILE *f, const struct cli_option *o)
{
	char head[80], text[512];
	size_t column;

	option_head(o, head, sizeof(head));
	column = (size_t)fprintf(f, "%s", head);
	if (column > 26) {
		putc('\n', f);
		column = 0;
	}
	if (o->preset)
		snprintf(text, sizeof(text), "%s Default: %s.", o->help, o->preset);
	else
		snprintf(text, sizeof(text), "%s", o->help);
	wrap(f, text, 28, column);
}

void cli_print_usage(FILE *f)
{
	fputs("usage: shardmeter [-S SEGMENT] COMMAND [options] [arguments]\n\n"
	      "Reads and updates Shardmeter segments from a shell.\n\nCommands:\n",
		f);
	for (const struct cli_command *const *p = cli_commands; *p; p++)
		wrap(f, (*p)->help, 14, (size_t)fprintf(f, "  %s", (*p)->name));
	fputs("\nOptions:\n", f);
	for (const struct cli_option *o = cli_common_options; o->name; o++)
		print_option(f, o);
	fputs("\nExit codes: 0 ok, 1 nothing matched, 2 usage or run-time error, 3 no segment,\n"
	      "4 several segments, 5 damaged or another layout, 6 no permission. Updates exit 0\n"
	      "when nothing could be counted, unless --strict is given.\n\n"
	      "\"shardmeter help COMMAND\" says more.\n",
		f);
}

void cli_print_help(FILE *f, const struct cli_command *command)
{
	char line[2048];
	const char *text = command->text;

	wrap(f, command->synopsis, 8, (size_t)fprintf(f, "usage: shardmeter %s", command->name));
	putc('\n', f);
	wrap(f, command->help, 0, 0);
	while (*text) {
		putc('\n', f);
		do {
			text = next_line(text, line, sizeof(line));
			if (line[0] == '\t')
				fprintf(f, "    %s\n", line + 1);
			else if (line[0])
				wrap(f, line, 0, 0);
		} while (line[0] && *text);
	}
	if (command->options[0].name)
		fputs("\nOptions:\n", f);
	for (const struct cli_option *o = command->options; o->name; o++)
		print_option(f, o);
	fputs("\nAlso -S NAME, -q, -h; see \"shardmeter help\".\n", f);
}

/* ---- manual page ---- */

/* A line of running text for troff: "-" as a real hyphen-minus, no accidental requests. */
static void roff(FILE *f, const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", f);
	for (; *s; s++) {
		if (*s == '\\')
			fputs("\\e", f);
		else if (*s == '-')
			fputs("\\-", f);
		else
			putc(*s, f);
	}
}

static void roff_text(FILE *f, const char *text)
{
	char line[2048];
	bool example = false;

	while (*text) {
		text = next_line(text, line, sizeof(line));
		if ((line[0] == '\t') != example) {
			fputs(example ? ".EE\n.RE\n" : ".RS\n.EX\n", f);
			example = !example;
		}
		if (line[0] == '\0') {
			fputs(".PP\n", f);
			continue;
		}
		roff(f, line + example);
		putc('\n', f);
	}
	if (example)
		fputs(".EE\n.RE\n", f);
}

static void roff_option(FILE *f, const struct cli_option *o)
{
	fputs(".TP\n.B ", f);
	if (o->letter)
		fprintf(f, "\\-%c, ", o->letter);
	fputs("\\-\\-", f);
	roff(f, o->name);
	if (o->arg && o->arg[0] == '[')
		fprintf(f, "\\fR[=\\fI%.*s\\fR]", (int)strlen(o->arg) - 2, o->arg + 1);
	else if (o->arg)
		fprintf(f, " \\fI%s\\fR", o->arg);
	putc('\n', f);
	roff(f, o->help);
	if (o->preset) {
		fputs("\nDefault: ", f);
		roff(f, o->preset);
		putc('.', f);
	}
	putc('\n', f);
}

static void print_manual(FILE *f)
{
	fputs(".SH OPTIONS\n", f);
	for (const struct cli_option *o = cli_common_options; o->name; o++)
		roff_option(f, o);
	fputs(".SH COMMANDS\n", f);
	for (const struct cli_command *const *p = cli_commands; *p; p++) {
		fputs(".SS ", f);
		fprintf(f, "\"%s ", (*p)->name);
		for (const char *s = (*p)->synopsis; *s; s++) {
			if (*s == '"')
				fputs("\\(dq", f);
			else if (*s == '-')
				fputs("\\-", f);
			else
				putc(*s, f);
		}
		fputs("\"\n", f);
		roff(f, (*p)->help);
		putc('\n', f);
		if ((*p)->text[0]) {
			fputs(".PP\n", f);
			roff_text(f, (*p)->text);
		}
		for (const struct cli_option *o = (*p)->options; o->name; o++)
			roff_option(f, o);
	}
}

/* ---- help and version as subcommands ---- */

enum { HELP_MAN };

static int run_help(struct cli *c)
{
	const struct cli_command *command;

	if (c->given[HELP_MAN]) {
		print_manual(stdout);
		return CLI_OK;
	}
	if (c->nargs == 0) {
		cli_print_usage(stdout);
		return CLI_OK;
	}
	if (c->nargs > 1)
		return cli_fail(c, CLI_FAILED, "one subcommand at a time");
	command = cli_command_find(c->args[0]);
	if (!command)
		return cli_fail(c, CLI_FAILED, "there is no subcommand \"%s\"", c->args[0]);
	cli_print_help(stdout, command);
	return CLI_OK;
}

const struct cli_command cli_cmd_help = { .name = "help",
	.synopsis = "[COMMAND]",
	.run = run_help,
	.complete = CLI_COMPLETE_COMMAND,
	.help = "Show help.",
	.text = "",
	.options = (const struct cli_option[]){
		[HELP_MAN] = { "man", 0, NULL, NULL,
			"Print the OPTIONS and COMMANDS sections of the manual page, from which "
			"this help comes, too." },
		{ NULL, 0, NULL, NULL, NULL } } };

void cli_print_version(FILE *f)
{
	fprintf(f, "shardmeter %s (layout %s)\n", sm_version(), sm_layout_version());
}

enum { VERSION_JSON };

static int run_version(struct cli *c)
{
	struct cli_json j = { .f = stdout };

	if (c->nargs)
		return cli_fail(c, CLI_FAILED, "\"%s\": version takes no arguments", c->args[0]);
	if (!c->given[VERSION_JSON]) {
		cli_print_version(stdout);
		return CLI_OK;
	}
	cli_json_open(&j, NULL, '{');
	cli_json_u64(&j, "schema", CLI_JSON_SCHEMA);
	cli_json_text(&j, "version", sm_version());
	cli_json_text(&j, "layout", sm_layout_version());
	cli_json_close(&j, '}');
	return CLI_OK;
}

const struct cli_command cli_cmd_version = { .name = "version",
	.synopsis = "[--json]",
	.run = run_version,
	.help = "Show the version of this program and of the segment layout that it writes.",
	.text = "",
	.options =
		(const struct cli_option[]){ [VERSION_JSON] = { "json", 0, NULL, NULL, "As JSON." },
			{ NULL, 0, NULL, NULL, NULL } } };
