/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time.c - run a program and count how it went.
 *
 * The program runs in this process' group, with its files and signals as they were. Signals that
 * are sent to this process alone are passed on; those that the terminal sends (Ctrl-C) have reached
 * the program already. Nothing is opened before it ends, so that metrics can neither delay nor
 * stop it; --strict changes that. This process then ends as the program did, by the same exit code
 * or the same signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "cli.h"
#include "family.h"

enum { TIME_BUCKETS = UPDATE_OPTIONS };
enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127, EXIT_SIGNAL = 128 };

/* How the program ended. */
struct outcome {
	int status; /* of waitpid() */
	bool ran;   /* false: it could not be started */
	uint64_t ns;
};

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* As a shell's $? says it. */
static int exit_code(const struct outcome *o)
{
	return WIFSIGNALED(o->status) ? EXIT_SIGNAL + WTERMSIG(o->status) : WEXITSTATUS(o->status);
}

/* ---- running ---- */

static void passed_signals(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2,
		SIGALRM };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(set, signals[i]);
	sigaddset(set, SIGCHLD);
}

static _Noreturn void become(char **argv, const sigset_t *mask, int report)
{
	int error;
	ssize_t n;

	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	error = errno;
	n = write(report, &error, sizeof(error));
	(void)n; /* the exit code says it as well */
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* Wait for pid, passing on what is sent to us. */
static void wait_for(pid_t pid, const sigset_t *signals, int *ret_status)
{
	siginfo_t info;
	int s;

	for (;;) {
		s = sigwaitinfo(signals, &info);
		if (s == SIGCHLD) {
			if (waitpid(pid, ret_status, WNOHANG) == pid)
				return;
		} else if (s > 0 && info.si_code <= 0) {
			kill(pid, s);
		}
	}
}

/* 0 or an exit code after a message. */
static int run_program(const struct cli *c, struct outcome *ret)
{
	int report[2], error = 0;
	sigset_t signals, before;
	uint64_t start;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) != 0)
		return cli_fail(
			c, EXIT_CANNOT_RUN, "cannot run %s: %s", c->rest[0], strerror(errno));
	signal(SIGCHLD, SIG_DFL); /* where it is ignored there is no exit status */
	passed_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, &before);
	start = monotonic_ns();
	pid = fork();
	if (pid == 0)
		become(c->rest, &before, report[1]);
	if (pid < 0)
		return cli_fail(
			c, EXIT_CANNOT_RUN, "cannot run %s: %s", c->rest[0], strerror(errno));
	close(report[1]);
	wait_for(pid, &signals, &ret->status);
	ret->ns = monotonic_ns() - start;
	ret->ran = read(report[0], &error, sizeof(error)) != (ssize_t)sizeof(error);
	close(report[0]);
	signal(SIGPIPE, SIG_IGN);
	if (!ret->ran)
		cli_note(c, "cannot run %s: %s", c->rest[0], strerror(error));
	return 0;
}

/* End as the program did. */
static int end_like(const struct outcome *o)
{
	const struct rlimit no_core = { 0, 0 };
	int s;
	sigset_t set;

	if (!WIFSIGNALED(o->status))
		return exit_code(o);
	s = WTERMSIG(o->status);
	setrlimit(RLIMIT_CORE, &no_core); /* the program has left its own */
	signal(s, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, s);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(s);
	return exit_code(o);
}

/* ---- recording ---- */

/* NAME without _duration_seconds or _seconds, with another ending. */
static char *derived_name(const char *name, const char *ending)
{
	static const char *const endings[] = { "_duration_seconds", "_seconds" };
	size_t len = strlen(name), n;
	char *text;

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		n = strlen(endings[i]);
		if (len > n && strcmp(name + len - n, endings[i]) == 0) {
			len -= n;
			break;
		}
	}
	return asprintf(&text, "%.*s%s", (int)len, name, ending) < 0 ? NULL : text;
}

static int record_duration(
	const struct cli *c, struct fam *f, const struct cli_series *s, const struct outcome *o)
{
	static const double bounds[] = { 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400 };
	struct fam_want want = { .kinds = 1u << SM_HISTOGRAM,
		.make = SM_HISTOGRAM,
		.help = c->value[UPDATE_HELP] ? c->value[UPDATE_HELP] : "Duration of a run.",
		.bounds = bounds,
		.nbounds = sizeof(bounds) / sizeof(bounds[0]) };
	double own[256];
	struct fam_series t;
	struct sm_histogram *h;
	bool is_new = !sel_family(f->snapshot, s->name);
	int rc = 0;

	if (c->value[TIME_BUCKETS]) {
		rc = cli_bounds(c, "--buckets", c->value[TIME_BUCKETS], own,
			sizeof(own) / sizeof(own[0]), &want.nbounds);
		want.bounds = own;
	} else if (!is_new) {
		want.nbounds = 0;
	}
	if (is_new)
		want.unit = SM_SECONDS;
	if (!rc)
		rc = fam_declare(c, f, s, &want, &t);
	if (rc || !o || !o->ran)
		return rc;
	h = sm_histogram(t.family, t.values, t.n);
	if (!t.info || strcmp(t.info->unit, SM_SECONDS) == 0)
		sm_histogram_observe_ns(h, o->ns);
	else
		sm_histogram_observe(h, (double)o->ns / 1e9);
	return 0;
}

static int record_exit(
	const struct cli *c, struct fam *f, const struct cli_series *s, const struct outcome *o)
{
	struct fam_want want = { .kinds = 1u << SM_COUNTER,
		.make = SM_COUNTER,
		.help = "Runs, by exit code as a shell shows it." };
	struct cli_series exits = *s;
	struct fam_series t;
	char code[16];
	int rc;

	snprintf(code, sizeof(code), "%d", o ? exit_code(o) : 0);
	exits.name = derived_name(s->name, "_exits_total");
	if (!exits.name)
		return cli_fail(c, CLI_FAILED, "out of memory");
	exits.label[exits.nlabels].name = "exit_code";
	exits.label[exits.nlabels++].value = code;
	rc = fam_declare(c, f, &exits, &want, &t);
	/* 1, whatever the decimals of somebody's own declaration. */
	if (!rc && o)
		sm_counter_add_double(sm_counter(t.family, t.values, t.n), 1);
	free(exits.name);
	return rc;
}

static int record_success(
	const struct cli *c, struct fam *f, const struct cli_series *s, const struct outcome *o)
{
	struct fam_want want = { .kinds = 1u << SM_GAUGE,
		.make = SM_GAUGE,
		.mode = SM_MODE_MOSTRECENT,
		.help = "End of the last run with exit code 0, in seconds since 1970." };
	struct cli_series last = *s;
	struct fam_series t;
	int rc;

	last.name = derived_name(s->name, "_last_success_timestamp_seconds");
	if (!last.name)
		return cli_fail(c, CLI_FAILED, "out of memory");
	rc = fam_declare(c, f, &last, &want, &t);
	if (!rc && o && exit_code(o) == 0)
		sm_gauge_set(sm_gauge(t.family, t.values, t.n), fam_now());
	free(last.name);
	return rc;
}

/* Write the three; o NULL: only look whether they could be written. The first failure counts. */
static int record(const struct cli *c, const struct cli_series *s, const struct outcome *o)
{
	struct fam f;
	int rc = fam_open(c, c->given[UPDATE_CREATE], &f), one;

	if (!rc && !f.disabled) {
		rc = record_duration(c, &f, s, o);
		one = record_exit(c, &f, s, o);
		rc = rc ? rc : one;
		one = record_success(c, &f, s, o);
		rc = rc ? rc : one;
		if (!rc)
			rc = fam_verify(c, &f);
	}
	fam_close(&f);
	return rc;
}

static int words(const struct cli *c, struct cli_series *s)
{
	int rc;

	if (c->nargs == 0)
		return cli_fail(c, CLI_FAILED, "NAME is missing; see \"shardmeter help time\"");
	rc = cli_series_init(c, c->args[0], s);
	for (int i = 1; i < c->nargs && !rc; i++)
		rc = cli_series_label(c, s, c->args[i]);
	if (!rc && s->nlabels == SM_LABELS_MAX)
		return cli_fail(c, CLI_FAILED, "more than %d labels", SM_LABELS_MAX - 1);
	for (unsigned i = 0; i < s->nlabels && !rc; i++)
		if (strcmp(s->label[i].name, "exit_code") == 0)
			return cli_fail(
				c, CLI_FAILED, "the label exit_code is filled in by time itself");
	return rc;
}

static int run_time(struct cli *c)
{
	struct cli_series s = { 0 };
	struct outcome o = { 0 };
	int bad, rc;

	if (!c->rest || !c->rest[0])
		return cli_fail(c, CLI_FAILED, "which program? it comes last, after \"--\"");
	bad = words(c, &s);
	if (!bad && c->strict)
		bad = record(c, &s, NULL);
	rc = bad && c->strict ? bad : run_program(c, &o);
	if (rc) {
		cli_series_release(&s);
		return rc;
	}
	if (!bad)
		bad = record(c, &s, &o);
	cli_series_release(&s);
	rc = end_like(&o);
	return rc == 0 && c->strict ? bad : rc;
}

const struct cli_command cli_cmd_time = { .name = "time",
	.synopsis = "[options] NAME [label=value ...] -- PROGRAM [ARG ...]",
	.run = run_time,
	.complete = CLI_COMPLETE_SERIES,
	.help = "Run a program; count its duration, exit code and last success.",
	.text = "Three families are updated, declared by the first use. BASE is NAME without "
		"_seconds or _duration_seconds, as in NAME backup_duration_seconds, BASE backup:\n"
		"\n"
		"\tNAME                                   histogram of seconds\n"
		"\tBASE_exits_total{exit_code=\"0\"}        counter\n"
		"\tBASE_last_success_timestamp_seconds    gauge, set when the exit code was 0\n"
		"\n"
		"Each has the labels given. The exit code is as a shell's $? says it: 128 and the "
		"signal's number after a signal, 127 for a program that was not found (its "
		"duration is not observed).\n"
		"\n"
		"Signals sent to this command are passed on, and it ends as the program did: with "
		"its exit code, or by the same signal. If metrics are not available the program "
		"runs all the same; with --strict it is not started then.\n"
		"\n"
		"\tshardmeter time backup_duration_seconds host=db1 -- ./backup.sh --full",
	.options =
		(const struct cli_option[]){
			[UPDATE_STRICT] = { "strict", 0, NULL, NULL,
				"Do not start the program if metrics are not available, and exit "
				"with the code of that failure; the same if counting fails after "
				"the program succeeded." },
			UPDATE_OPTION_CREATE,
			UPDATE_OPTION_HELP,
			[TIME_BUCKETS] = { "buckets", 0, "LIST", NULL,
				"First use: ascending upper bounds in seconds, separated by "
				"commas. Without it 0.1,0.5,1,5,15,60,300,900,3600,14400." },
			{ NULL, 0, NULL, NULL, NULL } },
	.flags = CLI_RUNS };
