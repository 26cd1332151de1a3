/* SPDX-License-Identifier: Apache-2.0 */
/* exec.c - see exec.h. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_NS UINT64_C(2000000000)

struct run {
	pid_t pid;
	int input;   /* its standard input; -1: closed */
	int signals; /* signalfd: SIGCHLD and those that end us */
	const char *data;
	size_t left;
	int status;
	bool ended, timed_out;
	struct loop *loop;
};

static _Noreturn void become(const char *command, int input, const sigset_t *mask)
{
	dup2(input, STDIN_FILENO);
	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Start it. 0 or -errno. */
static int start(struct run *r, const char *command)
{
	sigset_t set = r->loop->signals;
	int pipes[2], rc = 0;

	sigaddset(&set, SIGCHLD);
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signals < 0)
		return -errno;
	if (pipe2(pipes, O_CLOEXEC) != 0) {
		rc = -errno;
		close(r->signals);
		return rc;
	}
	r->pid = fork();
	if (r->pid == 0)
		become(command, pipes[0], &r->loop->before);
	rc = r->pid < 0 ? -errno : 0;
	close(pipes[0]);
	if (rc) {
		close(pipes[1]);
		close(r->signals);
		return rc;
	}
	setpgid(r->pid, r->pid); /* whoever comes first */
	fcntl(pipes[1], F_SETFL, O_NONBLOCK);
	r->input = pipes[1];
	return 0;
}

static void close_input(struct run *r)
{
	if (r->input >= 0)
		close(r->input);
	r->input = -1;
}

static void feed(struct run *r)
{
	ssize_t n = write(r->input, r->data, r->left);

	if (n > 0) {
		r->data += n;
		r->left -= (size_t)n;
	}
	if (r->left == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_input(r);
}

static void take_signals(struct run *r)
{
	struct signalfd_siginfo info;

	while (read(r->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			r->loop->signal = (int)info.ssi_signo;
	if (waitpid(r->pid, &r->status, WNOHANG) == r->pid)
		r->ended = true;
}

/* Wait for something until then; false if the time is over. */
static bool step(struct run *r, uint64_t until_ns)
{
	struct pollfd p[2] = { { .fd = r->signals, .events = POLLIN },
		{ .fd = r->input, .events = POLLOUT } };
	uint64_t now = loop_clock_ns();

	if (now >= until_ns)
		return false;
	if (poll(p, 2, (int)((until_ns - now) / 1000000 + 1)) < 0)
		return true;
	if (p[1].revents && r->input >= 0)
		feed(r);
	if (p[0].revents)
		take_signals(r);
	return true;
}

static void wait_for(struct run *r, uint64_t timeout_ns)
{
	uint64_t end = loop_clock_ns() + timeout_ns;

	while (!r->ended && !r->loop->signal && !r->timed_out)
		r->timed_out = !step(r, end);
	close_input(r);
	if (r->ended)
		return;
	kill(-r->pid, r->loop->signal ? r->loop->signal : SIGTERM);
	end = loop_clock_ns() + GRACE_NS;
	while (!r->ended && step(r, end))
		;
	if (!r->ended) {
		kill(-r->pid, SIGKILL);
		waitpid(r->pid, &r->status, 0);
	}
}

int exec_feed(const struct cli *c, const char *command, const char *data, size_t len,
	uint64_t timeout_ns, struct loop *loop)
{
	struct run r = { .data = data, .left = len, .loop = loop };
	sigset_t child, before;
	int rc;

	signal(SIGCHLD, SIG_DFL); /* where it is ignored there is no exit status */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &before);
	rc = start(&r, command);
	if (!rc) {
		wait_for(&r, timeout_ns);
		close(r.signals);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return cli_fail(c, CLI_FAILED, "cannot run \"%s\": %s", command, strerror(-rc));
	if (r.timed_out)
		return cli_fail(c, CLI_FAILED,
			"\"%s\" did not end within %g s and was ended; --timeout gives it longer",
			command, (double)timeout_ns / 1e9);
	if (loop->signal || (WIFEXITED(r.status) && WEXITSTATUS(r.status) == 0))
		return 0;
	if (WIFSIGNALED(r.status))
		return cli_fail(c, CLI_FAILED, "\"%s\" was ended by signal %d (%s)", command,
			WTERMSIG(r.status), strsignal(WTERMSIG(r.status)));
	return cli_fail(
		c, CLI_FAILED, "\"%s\" ended with status %d", command, WEXITSTATUS(r.status));
}
