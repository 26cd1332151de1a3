/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h - do something every so often, until a signal ends it.
 *
 * The signals that end a program are blocked from loop_begin() to loop_end(), so that nothing is
 * left half done; loop_end() then lets the program die of the one that came, as everybody expects
 * of Ctrl-C. Those that are ignored (nohup, a job in the background) stay ignored.
 *
 *	loop_begin(&l, every_ns);
 *	do
 *		...
 *	while (loop_wait(&l));
 *	loop_end(&l);
 */
#ifndef CLI_LOOP_H
#define CLI_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct loop {
	uint64_t every_ns, next_ns;
	sigset_t signals, before;
	int signal; /* the one that came; 0: none */
};

uint64_t loop_clock_ns(void);

void loop_begin(struct loop *l, uint64_t every_ns);

/* Sleep until the next time; false if a signal came. Times that are over are passed by. */
bool loop_wait(struct loop *l);

/* Has a signal come meanwhile? For things that take long. */
bool loop_ended(struct loop *l);

/* Does not return if a signal came. */
void loop_end(struct loop *l);

#endif
