/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.c - the table of subcommands, and from argv to the function of one.
 *
 * Whatever stands before the subcommand are common options; everything behind it belongs to the
 * subcommand. Updates (CLI_UPDATE) must not break the script that they are in because metrics are
 * off: unless --strict is given their exit code is 0 once their arguments make sense. A mistake in
 * the arguments is the script's own, and found when it is written.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "file.h"
#include "text.h"

const struct cli_command *const cli_commands[] = { &cli_cmd_ls, &cli_cmd_get, &cli_cmd_watch,
	&cli_cmd_dump, &cli_cmd_push, &cli_cmd_inc, &cli_cmd_dec, &cli_cmd_set, &cli_cmd_observe,
	&cli_cmd_time, &cli_cmd_batch, &cli_cmd_writers, &cli_cmd_history, &cli_cmd_rm, &cli_cmd_gc,
	&cli_cmd_check, &cli_cmd_size, &cli_cmd_doctor, &cli_cmd_completion, &cli_cmd_version,
	&cli_cmd_help, NULL };

const struct cli_option cli_common_options[] = {
	[CLI_OPT_SEGMENT] = { "segment", 'S', "NAME", NULL,
		"The segment: a name, the unambiguous beginning of a name, or a path with a '/'. "
		"Without it SHARDMETER_SEGMENT, else the only segment with live writers, else the only "
		"one there is." },
	[CLI_OPT_QUIET] = { "quiet", 'q', NULL, NULL, "No messages on standard error; the exit code tells. Data is printed all the same." },
	[CLI_OPT_HELP] = { "help", 'h', NULL, NULL, "Show help and exit." },
	[CLI_OPT_VERSION] = { "version", 'V', NULL, NULL, "Show the versions and exit." },
	[CLI_COMMON_OPTIONS] = { NULL, 0, NULL, NULL, NULL }
};

const struct cli_command *cli_command_find(const char *name)
{
	for (const struct cli_command *const *p = cli_commands; *p; p++)
		if (strcmp((*p)->name, name) == 0)
			return *p;
	return NULL;
}

/* How many letters must be put in, left out, changed, or swapped with the next. */
static unsigned distance(const char *a, const char *b)
{
	enum { MAX = 16 };
	unsigned d[MAX + 1][MAX + 1], best;
	size_t n = strlen(a), m = strlen(b);

	if (n > MAX || m > MAX)
		return MAX;
	for (size_t i = 0; i <= n; i++)
		for (size_t j = 0; j <= m; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	return d[n][m];
}

const struct cli_command *cli_command_near(const char *name)
{
	const struct cli_command *near = NULL;
	unsigned least = strlen(name) > 4 ? 3 : 2, one;

	for (const struct cli_command *const *p = cli_commands; *p; p++) {
		one = strncmp((*p)->name, name, strlen(name)) == 0 ? 0 : distance(name, (*p)->name);
		if (one < least) {
			least = one;
			near = *p;
		}
	}
	return near;
}

void cli_note(const struct cli *c, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	if (c->quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cli_is_terminal(stderr);
	fprintf(stderr, "shardmeter%s%s: ", c->command ? " " : "",
		c->command ? c->command->name : "");
	if (c->line)
		fprintf(stderr, "line %llu: ", (unsigned long long)c->line);
	cli_put_text(stderr, text, strlen(text));
	putc('\n', stderr);
}

int cli_code(int error)
{
	switch (error) {
	case 0: return CLI_OK;
	case -ENOENT: return CLI_NO_SEGMENT;
	case -EPROTONOSUPPORT:
	case -EBADMSG: return CLI_DAMAGED;
	case -EACCES:
	case -EPERM:
	case -EROFS: return CLI_DENIED;
	default: return CLI_FAILED;
	}
}

/* The common options before the subcommand; leaves optind at its name. 0 or an exit code. */
static int parse_common(struct cli *c, int argc, char **argv)
{
	static const struct option longs[] = { { "segment", required_argument, NULL, 'S' },
		{ "quiet", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 } };
	int o;

	opterr = 0;
	while ((o = getopt_long(argc, argv, "+:S:qhV", longs, NULL)) != -1) {
		switch (o) {
		case 'S': c->segment = optarg; break;
		case 'q': c->quiet = true; break;
		case 'h': c->help = true; break;
		case 'V': c->version = true; break;
		case ':': return cli_fail(c, CLI_FAILED, "option %s needs NAME", argv[optind - 1]);
		default:
			return cli_fail(c, CLI_FAILED, "unknown option %s; see \"shardmeter help\"",
				argv[optind - 1]);
		}
	}
	return 0;
}

/* --strict and --quiet count also when something before them is wrong. */
static bool said(int argc, char **argv, const char *word, const char *letter)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], word) == 0 || strcmp(argv[i], letter) == 0)
			return true;
	return false;
}

static int run(struct cli *c, int argc, char **argv)
{
	bool update = c->command->flags & CLI_UPDATE;
	char **args = NULL;
	int rc;

	if (update) {
		c->quiet |= said(argc, argv, "--quiet", "-q");
		c->strict = said(argc, argv, "--strict", "--strict");
	}
	if (!(c->command->flags & CLI_RUNS)) {
		signal(SIGPIPE, SIG_IGN); /* writing then fails with EPIPE: see cli_finish() */
		signal(SIGXFSZ, SIG_IGN); /* and with EFBIG beyond a limit of file sizes */
	}
	rc = cli_parse(c, argc, argv, &args);
	if (!rc && c->version)
		cli_print_version(stdout);
	else if (!rc && c->help)
		cli_print_help(stdout, c->command);
	else if (!rc)
		rc = c->command->run(c);
	free(args);
	if (update && c->parsed && !c->strict)
		rc = CLI_OK;
	return cli_finish(c, rc);
}

/* A standard stream that is closed shall fail, not be the next file that is opened. */
static void occupy_streams(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_RDONLY };
	int fd;

	for (int i = 0; i < 3; i++) {
		if (fcntl(i, F_GETFD) >= 0)
			continue;
		fd = open("/dev/null", modes[i] | O_CLOEXEC);
		if (fd >= 0 && fd != i) {
			dup3(fd, i, O_CLOEXEC);
			close(fd);
		}
	}
}

static int no_command(const struct cli *c, const char *name)
{
	const struct cli_command *near = *name ? cli_command_near(name) : NULL;

	return cli_fail(c, CLI_FAILED, "there is no subcommand \"%s\"%s%s; see \"shardmeter help\"",
		name, near ? "; did you mean " : "", near ? near->name : "");
}

int cli_main(int argc, char **argv)
{
	struct cli c = { 0 };
	int rc;

	occupy_streams();
	rc = parse_common(&c, argc, argv);
	if (rc)
		return rc;
	if (c.version || (c.help && optind == argc)) {
		if (c.version)
			cli_print_version(stdout);
		else
			cli_print_usage(stdout);
		return cli_finish(&c, CLI_OK);
	}
	if (optind == argc)
		return cli_fail(&c, CLI_FAILED, "which subcommand? see \"shardmeter help\"");
	c.command = cli_command_find(argv[optind]);
	if (!c.command)
		return no_command(&c, argv[optind]);
	return run(&c, argc - optind, argv + optind);
}
