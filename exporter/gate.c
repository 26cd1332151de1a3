/* SPDX-License-Identifier: Apache-2.0 */
/* gate.c - accept connections; see gate.h. */
#include "exporter/gate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exporter/clock.h"
#include "exporter/log.h"

#define ROUND_MS	250
#define PAUSE_MS	100	/* when descriptors or memory are short */
#define BURST		64	/* connections of one listener before the others get a turn */

struct gate {
	pthread_t thread;
	struct gate_calls calls;
	const struct listener *listeners;
	size_t n;
	struct pollfd *poll;	/* of each listener, then of wake_fd */
	int wake_fd;
	int is_short;		/* it was logged that descriptors are short */
	_Atomic uint64_t beat_ns;
};

/* Take up to `most` connections. 0, or -errno when the system is short of something. */
static int take(struct gate *g, const struct listener *l, unsigned most)
{
	int fd;

	while (most--) {
		fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			g->calls.accepted(g->calls.ctx, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			return -errno;
		/* Whatever else is wrong is that connection's. */
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 0;
	}
	return 0;
}

static void round_of(struct gate *g, struct pollfd *polled)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < g->n && rc == 0; i++)
		if (polled[i].revents)
			rc = take(g, &g->listeners[i], BURST);
	if (rc < 0) {
		if (!g->is_short)
			log_warn("cannot accept connections, trying again", "error", strerror(-rc));
		/* They still wait: poll() would come back at once. */
		poll(&polled[g->n], 1, PAUSE_MS);
	}
	g->is_short = rc < 0;
}

static void *run(void *arg)
{
	struct gate *g = arg;
	uint64_t now_ns, watched_ns = 0;
	size_t i;

	while (!g->poll[g->n].revents) {
		if (poll(g->poll, g->n + 1, ROUND_MS) > 0)
			round_of(g, g->poll);
		now_ns = clock_now();
		atomic_store_explicit(&g->beat_ns, now_ns, memory_order_relaxed);
		if (now_ns - watched_ns >= ROUND_MS * CLOCK_MS) {
			g->calls.watch(g->calls.ctx, now_ns);
			watched_ns = now_ns;
		}
	}
	for (i = 0; i < g->n; i++)
		if (!g->listeners[i].is_inherited)
			take(g, &g->listeners[i], 4 * BURST);
	return NULL;
}

static void release(struct gate *g)
{
	if (g->wake_fd >= 0)
		close(g->wake_fd);
	free(g->poll);
	free(g);
}

int gate_open(const struct listener *listeners, size_t n, const struct gate_calls *calls,
	struct gate **ret_gate)
{
	struct gate *g = calloc(1, sizeof(*g));
	size_t i;
	int rc;

	if (!g)
		return -ENOMEM;
	g->listeners = listeners;
	g->n = n;
	g->calls = *calls;
	g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	g->poll = calloc(n + 1, sizeof(*g->poll));
	if (g->wake_fd < 0 || !g->poll) {
		rc = g->poll ? -errno : -ENOMEM;
		release(g);
		return rc;
	}
	for (i = 0; i <= n; i++)
		g->poll[i] = (struct pollfd){ .fd = i < n ? listeners[i].fd : g->wake_fd,
			.events = POLLIN };
	atomic_init(&g->beat_ns, clock_now());
	rc = -pthread_create(&g->thread, NULL, run, g);
	if (rc < 0) {
		release(g);
		return rc;
	}
	*ret_gate = g;
	return 0;
}

void gate_close(struct gate *g)
{
	const uint64_t one = 1;

	if (!g)
		return;
	if (write(g->wake_fd, &one, sizeof(one)) < 0)
		log_error("the accepting thread cannot be woken", "error", strerror(errno));
	pthread_join(g->thread, NULL);
	release(g);
}

uint64_t gate_beat_ns(const struct gate *g)
{
	return atomic_load_explicit(&g->beat_ns, memory_order_relaxed);
}
