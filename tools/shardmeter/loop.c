/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - see loop.h. */
#include "loop.h"

#include <stddef.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

uint64_t loop_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

void loop_begin(struct loop *l, uint64_t every_ns)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old;

	l->every_ns = every_ns;
	l->next_ns = loop_clock_ns();
	l->signal = 0;
	sigemptyset(&l->signals);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&l->signals, signals[i]);
	sigprocmask(SIG_BLOCK, &l->signals, &l->before);
}

static bool take_signal(struct loop *l, uint64_t wait_ns)
{
	struct timespec t = { (time_t)(wait_ns / SECOND), (long)(wait_ns % SECOND) };
	int s;

	if (!l->signal) {
		s = sigtimedwait(&l->signals, NULL, &t);
		l->signal = s > 0 ? s : 0;
	}
	return l->signal != 0;
}

bool loop_wait(struct loop *l)
{
	uint64_t now = loop_clock_ns();

	if (l->next_ns <= now)
		l->next_ns += (1 + (now - l->next_ns) / l->every_ns) * l->every_ns;
	while (!take_signal(l, l->next_ns > now ? l->next_ns - now : 0)) {
		now = loop_clock_ns();
		if (now >= l->next_ns)
			return true;
	}
	return false;
}

bool loop_ended(struct loop *l)
{
	return take_signal(l, 0);
}

void loop_end(struct loop *l)
{
	if (l->signal)
		signal(l->signal, SIG_DFL);
	sigprocmask(SIG_SETMASK, &l->before, NULL);
	if (l->signal)
		raise(l->signal);
}
