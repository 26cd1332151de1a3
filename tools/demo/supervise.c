/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervise.c - what `make run` shows: the exporter, a bot of several shards, a shell job, all on one
 * segment; now and then a shard is killed and comes back; one line of status.
 *
 * All children die with this process (PR_SET_PDEATHSIG), and Ctrl-C ends them in order: bots first, so
 * that the exporter's last row has their last counts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <shardmeter_reader.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

#define SHARDS_MAX	64
#define JOB_EVERY_S	5

static struct {
	pid_t exporter, job;
	pid_t shard[SHARDS_MAX];
	uint64_t shard_back_ns[SHARDS_MAX];	/* when a killed one is started again; 0: runs */
	unsigned kills;
	uint64_t commands;
	uint64_t at_ns;
	double rate;		/* of commands a second; valid from the second look on */
	int exporter_status;
} run;

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static pid_t start(const char *const *argv, bool quiet)
{
	pid_t parent = getpid(), pid = fork();
	sigset_t none;
	int null;

	if (pid != 0)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	setpgid(0, 0);		/* the terminal's Ctrl-C is for the supervisor alone */
	if (quiet && (null = open("/dev/null", O_WRONLY)) >= 0)
		dup2(null, STDERR_FILENO);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	fprintf(stderr, "demo: cannot start %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static pid_t start_shard(const struct supervise_options *o, unsigned i)
{
	char number[16], count[16];
	const char *argv[] = { o->self, "--shard", number, "--shards", count, NULL };

	snprintf(number, sizeof(number), "%u", i);
	snprintf(count, sizeof(count), "%u", o->shards);
	return start(argv, false);
}

static pid_t start_exporter(const struct supervise_options *o)
{
	const char *argv[] = { o->exporter, "--web.listen-address", o->address, "--storage.path", o->storage,
			       "--log.level", "warn", NULL };

	return start(argv, false);
}

/* The shell job: a script that counts what it does, as a cron job would. */
static pid_t start_job(const struct supervise_options *o)
{
	static const char script[] =
		"\"$0\" inc --create --help-text 'Backups made by the shell job.' bot_backups_total job=nightly\n"
		"\"$0\" set --create --help-text 'When a backup last succeeded.' "
		"bot_backup_last_success_timestamp_seconds job=nightly now\n";
	const char *argv[] = { "/bin/sh", "-c", script, o->shardmeter, NULL };

	return start(argv, false);
}

static uint64_t counter_sum(const struct sm_snapshot *s, const char *family)
{
	uint64_t sum = 0;
	struct sm_value v;
	size_t f, i;

	for (f = 0; f < s->nfamilies; f++) {
		if (strcmp(s->families[f].name, family) != 0)
			continue;
		for (i = 0; i < s->families[f].nseries; i++)
			if (sm_snapshot_number(s, &s->families[f].series[i], SM_ALL_WRITERS, &v) == 0 && v.is_set)
				sum += v.units;
	}
	return sum;
}

static double worst_p95_ms(const struct sm_snapshot *s, const char **ret_command)
{
	double worst = 0, q;
	size_t f, i;

	for (f = 0; f < s->nfamilies; f++) {
		if (strcmp(s->families[f].name, "bot_command_duration_seconds") != 0)
			continue;
		for (i = 0; i < s->families[f].nseries; i++) {
			q = sm_snapshot_quantile(s, &s->families[f].series[i], SM_ALL_WRITERS, .95) * 1e3;
			if (q > worst) {
				worst = q;
				*ret_command = s->families[f].series[i].values[0].ptr;
			}
		}
	}
	return worst;
}

static void status_line(const struct supervise_options *o, bool tty)
{
	const struct sm_snapshot *s;
	const char *slowest = "-";
	struct sm_reader *r;
	unsigned up = 0, i;
	uint64_t commands, now = monotonic_ns();
	char rate[32] = "-";
	double p95;

	if (sm_reader_open(NULL, &r, NULL) != 0)
		return;
	if (sm_snapshot_take(r, 0, &s, NULL) == 0) {
		for (i = 0; i < s->nwriters; i++)
			up += s->writers[i].state == SM_WRITER_LIVE;
		commands = counter_sum(s, "bot_commands_total");
		if (run.at_ns && now > run.at_ns)
			run.rate = (double)(commands - run.commands) * 1e9 / (double)(now - run.at_ns);
		if (run.at_ns)
			snprintf(rate, sizeof(rate), "%.0f", run.rate);
		run.commands = commands;
		run.at_ns = now;
		p95 = worst_p95_ms(s, &slowest);
		printf("%s%u/%u shards up  %llu commands  %s/s  slowest %s p95 %.0f ms  restarts %llu%s", tty ? "\r\033[K" : "",
		       up, o->shards, (unsigned long long)commands, rate, slowest, p95,
		       (unsigned long long)s->adoptions, tty ? "" : "\n");
		fflush(stdout);
		sm_snapshot_free(s);
	}
	sm_reader_close(r);
}

static void reap(const struct supervise_options *o, bool stopping)
{
	unsigned i;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == run.exporter) {
			run.exporter = 0;
			run.exporter_status = status;
		} else if (pid == run.job) {
			run.job = 0;
		}
		for (i = 0; i < o->shards; i++)
			if (run.shard[i] == pid) {
				run.shard[i] = 0;
				if (!stopping && !run.shard_back_ns[i])
					run.shard_back_ns[i] = monotonic_ns() + UINT64_C(1000000000);
			}
	}
}

static void keep_running(const struct supervise_options *o)
{
	uint64_t now = monotonic_ns();
	unsigned i;

	for (i = 0; i < o->shards; i++)
		if (!run.shard[i] && run.shard_back_ns[i] && now >= run.shard_back_ns[i]) {
			run.shard_back_ns[i] = 0;
			run.shard[i] = start_shard(o, i);
		}
}

static void kill_a_shard(const struct supervise_options *o)
{
	unsigned i = 1 + run.kills++ % (o->shards > 1 ? o->shards - 1 : 1);

	if (i >= o->shards || run.shard[i] <= 0)
		return;
	run.shard_back_ns[i] = monotonic_ns() + UINT64_C(4000000000);
	kill(run.shard[i], SIGKILL);
}

static void wait_gone(const struct supervise_options *o, const pid_t *pid, unsigned limit_ms)
{
	struct timespec step = { 0, 20000000 };

	for (; *pid && limit_ms >= 20; limit_ms -= 20) {
		nanosleep(&step, NULL);
		reap(o, true);
	}
	if (*pid)
		kill(*pid, SIGKILL);
}

static void stop_all(const struct supervise_options *o)
{
	unsigned i;

	for (i = 0; i < o->shards; i++)
		if (run.shard[i] > 0)
			kill(run.shard[i], SIGTERM);
	for (i = 0; i < o->shards; i++)
		wait_gone(o, &run.shard[i], 3000);
	if (run.job > 0)
		wait_gone(o, &run.job, 3000);
	if (run.exporter > 0)
		kill(run.exporter, SIGTERM);
	wait_gone(o, &run.exporter, 8000);
}

static int loop(const struct supervise_options *o, int signals)
{
	struct pollfd p = { .fd = signals, .events = POLLIN };
	bool tty = isatty(STDOUT_FILENO);
	unsigned tick = 0, status_every = tty ? 1 : 10;
	struct signalfd_siginfo si;

	for (;;) {
		if (poll(&p, 1, 1000) > 0 && read(signals, &si, sizeof(si)) == sizeof(si)) {
			if (si.ssi_signo != SIGCHLD)
				return 0;
			reap(o, false);
			if (!run.exporter) {
				fprintf(stderr, "\ndemo: the exporter ended (status %d); stopping\n",
					WIFEXITED(run.exporter_status) ? WEXITSTATUS(run.exporter_status) : -1);
				return 1;
			}
			continue;
		}
		keep_running(o);
		if (++tick % JOB_EVERY_S == 0 && !run.job)
			run.job = start_job(o);
		if (o->kill_every_s && tick % o->kill_every_s == 0)
			kill_a_shard(o);
		if (tick % status_every == 0)
			status_line(o, tty);
		if (o->seconds && tick >= o->seconds)
			return 0;
	}
}

/* Does something answer requests at this address? */
static bool answers(const struct sockaddr_in *to)
{
	static const char request[] = "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	struct timeval limit = { .tv_usec = 500000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = false;
	char byte;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0)
		yes = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0 && recv(fd, &byte, 1, 0) == 1;
	close(fd);
	return yes;
}

/* Wait until the exporter serves: 0; -1 when it has ended, or does not within some seconds. What
 * answers may be another one that has the port: ours then ends at once. */
static int wait_for_exporter(const struct supervise_options *o)
{
	struct timespec step = { 0, 100000000 };
	const char *colon = strrchr(o->address, ':');
	struct sockaddr_in to = { .sin_family = AF_INET };
	char host[64];
	int tries;
	bool up = false;

	if (!colon || (size_t)(colon - o->address) >= sizeof(host))
		return 0;	/* the exporter says what is wrong with that */
	snprintf(host, sizeof(host), "%.*s", (int)(colon - o->address), o->address);
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
		return 0;
	for (tries = 0; tries < 100; tries++) {
		nanosleep(&step, NULL);
		reap(o, true);
		if (!run.exporter)
			return -1;
		if (up)
			return 0;
		up = answers(&to);
	}
	return -1;
}

static int exporter_failed(void)
{
	fprintf(stderr, "demo: the exporter could not start (status %d): see its message above\n",
		WIFEXITED(run.exporter_status) ? WEXITSTATUS(run.exporter_status) : -1);
	return 1;
}

int supervise(const struct supervise_options *o)
{
	const char *segment = getenv("SHARDMETER_SEGMENT");
	sigset_t set;
	unsigned i;
	int signals, rc;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0) {
		fprintf(stderr, "demo: signalfd: %s\n", strerror(errno));
		return 2;
	}
	run.exporter = start_exporter(o);
	if (wait_for_exporter(o) != 0) {
		rc = exporter_failed();
		stop_all(o);
		close(signals);
		return rc;
	}
	for (i = 0; i < o->shards; i++)
		run.shard[i] = start_shard(o, i);
	rc = loop(o, signals);
	printf("\nstopping ...\n");
	stop_all(o);
	printf("The segment stays, with its counts, for the next run; \"%s rm --segment=%s\" removes it.\n", o->shardmeter,
	       segment && *segment ? segment : "default");
	close(signals);
	return rc;
}
