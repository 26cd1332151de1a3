/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - the frame of the shardmeter command: the table of subcommands and what they share.
 *
 * A subcommand is one struct cli_command: name, synopsis, help, text, options, function. Usage,
 * `shardmeter help`, argument parsing and the COMMANDS section of the manual page are made from
 * these tables and from nothing else. Each lives beside its function, commands.c lists them.
 *
 * A function gets a struct cli with everything parsed and returns an exit code. It reports a
 * failure with one line through cli_fail(), which returns the code to pass on:
 *
 *	if (c->nargs == 0)
 *		return cli_fail(c, CLI_USAGE, "NAME is missing");
 *
 * Standard output carries data, standard error everything else. Text that comes from a segment or
 * from the command line goes through the escaping of out.h before a terminal sees it.
 *
 * Arrows: cli <- out, args <- sel <- family <- subcommands. Only public headers of the library.
 */
#ifndef CLI_H
#define CLI_H

#include <shardmeter.h>
#include <shardmeter_reader.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes. Documented in shardmeter(1): scripts depend on them. */
enum {
	CLI_OK = 0,
	CLI_NOTHING = 1, /* nothing matched; doctor: warnings only */
	CLI_FAILED = 2,	 /* usage or run-time error */
	CLI_NO_SEGMENT = 3,
	CLI_SEVERAL = 4, /* several segments and none was named */
	CLI_DAMAGED = 5, /* damaged, or another layout */
	CLI_DENIED = 6	 /* no permission */
};

/* One option. A table ends with name NULL. */
struct cli_option {
	const char *name;   /* long form without dashes */
	char letter;	    /* short form, 0: none */
	const char *arg;    /* what its argument is called; NULL: a flag; "[X]": may be left out */
	const char *preset; /* value if not given; shown in the help */
	const char *help;   /* a sentence or two */
};

#define CLI_OPTIONS_MAX 16

/* What the words of a subcommand are, for completion. */
enum cli_complete {
	CLI_COMPLETE_NOTHING,
	CLI_COMPLETE_SERIES,	/* NAME of a family, then label=value words */
	CLI_COMPLETE_SELECTORS, /* the same, again and again */
	CLI_COMPLETE_FAMILY,	/* one NAME */
	CLI_COMPLETE_WRITER,
	CLI_COMPLETE_COMMAND,
	CLI_COMPLETE_SHELL
};

/* How selectors are written: the first lines of the text of each command that takes them. */
#define CLI_SELECTOR_TEXT                                                                          \
	"NAME is the name of a family or a shell pattern of names. Labels that are not given may " \
	"have any value; besides = there are !=, =~ and !~ (regular expressions of the whole "     \
	"value) as in PromQL, and all of it may be written NAME{label=\"value\",...}. NAME_count " \
	"and NAME_sum are those of a histogram. The label writer asks for what single writers "    \
	"counted.\n"

/* Flags of a subcommand. */
#define CLI_UPDATE 0x1u /* changes a value: exit code 0 once `parsed`, unless --strict */
#define CLI_RUNS   0x2u /* runs the program that follows "--" */

struct cli;

struct cli_command {
	const char *name;
	const char *synopsis; /* what follows the name */
	const char *help;     /* one line */
	const char *text;     /* paragraphs, an empty line between; a line that starts with a TAB is
				   shown as it is (an example) */
	const struct cli_option *options;
	int (*run)(struct cli *c);
	unsigned flags; /* CLI_UPDATE, CLI_RUNS */
	enum cli_complete complete;
};

/* Options of the program itself, before the subcommand; each subcommand has them, too, but for
 * names and letters that it uses itself. */
enum { CLI_OPT_SEGMENT, CLI_OPT_QUIET, CLI_OPT_HELP, CLI_OPT_VERSION, CLI_COMMON_OPTIONS };
extern const struct cli_option cli_common_options[CLI_COMMON_OPTIONS + 1];

/* All subcommands in the order of the help; ends with NULL. */
extern const struct cli_command *const cli_commands[];

extern const struct cli_command cli_cmd_ls, cli_cmd_get, cli_cmd_watch, cli_cmd_dump, cli_cmd_push,
	cli_cmd_writers, cli_cmd_inc, cli_cmd_dec, cli_cmd_set, cli_cmd_observe, cli_cmd_time,
	cli_cmd_batch, cli_cmd_rm, cli_cmd_gc, cli_cmd_check, cli_cmd_size, cli_cmd_doctor,
	cli_cmd_history, cli_cmd_completion, cli_cmd_version, cli_cmd_help;

/* One run of a subcommand. */
struct cli {
	const struct cli_command *command; /* NULL: none yet */
	const char *segment;		   /* -S; NULL: not given */
	bool quiet;
	bool strict;
	bool parsed; /* CLI_UPDATE: nothing is wrong with the arguments themselves */
	bool help;
	bool version;
	uint64_t line;			    /* of the input, named in messages; 0: none */
	const char *value[CLI_OPTIONS_MAX]; /* by index in command->options; presets filled in */
	bool given[CLI_OPTIONS_MAX];
	char **args; /* positional arguments, in order */
	int nargs;
	char **rest; /* CLI_RUNS: what follows "--"; NULL: there is no "--" */
};

/* The whole program, argv as main() gets it. Returns the exit code. */
int cli_main(int argc, char **argv);

/* NULL if there is none. */
const struct cli_command *cli_command_find(const char *name);
/* The one that was most likely meant; NULL if nothing is near. */
const struct cli_command *cli_command_near(const char *name);

/*
 * cli_note - report "shardmeter COMMAND: message" on standard error, control characters escaped.
 * Silent with --quiet. cli_fail() is the same and returns code (a macro, so that analysers see
 * that).
 */
void cli_note(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define cli_fail(c, code, ...)            \
	({                                \
		int cli_code_ = (code);   \
		cli_note(c, __VA_ARGS__); \
		cli_code_;                \
	})

/* The exit code for a -errno of the library. */
int cli_code(int error);

/* help.c: usage of the whole program; help of one subcommand; "shardmeter help" without a name. */
void cli_print_usage(FILE *f);
void cli_print_help(FILE *f, const struct cli_command *command);
void cli_print_version(FILE *f);

#endif
