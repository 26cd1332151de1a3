/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate.h - the thread that accepts connections, on all listening sockets, and watches the clock.
 *
 * Depends on listen.h. It only accepts and hands over, so that whatever the serving threads do, a
 * full backlog or a late client is dealt with.
 */
#ifndef EXPORTER_GATE_H
#define EXPORTER_GATE_H

#include <stdint.h>

#include "exporter/listen.h"

struct gate;

struct gate_calls {
	void (*accepted)(void *ctx, int fd);	/* fd is the callee's */
	void (*watch)(void *ctx, uint64_t now_ns);	/* some times a second */
	void *ctx;
};

/* gate_open - begin to accept; the listeners stay the caller's, and must not close before
 * gate_close(). 0 or -errno. */
int gate_open(const struct listener *listeners, size_t n, const struct gate_calls *calls,
	struct gate **ret_gate);

/* gate_close - accept what has arrived (but leave it to the next process on an inherited
 * listener), and end. NULL is allowed. */
void gate_close(struct gate *g);

/* gate_beat_ns - CLOCK_MONOTONIC of its last round: it makes one at least every second. */
uint64_t gate_beat_ns(const struct gate *g);

#endif /* EXPORTER_GATE_H */
