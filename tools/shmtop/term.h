/* SPDX-License-Identifier: Apache-2.0 */
/*
 * term.h - the terminal: the only place that knows ncurses.
 *
 * Depends on cells.h and keys.h. One terminal per process. Whatever ends the program, the terminal
 * is as it was before: term.c leaves it on fatal signals as well, and top_term_close() may be
 * called at any time.
 */
#ifndef TOP_TERM_H
#define TOP_TERM_H

#include <stdint.h>

#include "cells.h"

/* Can the screen be used at all: are both ends terminals, is TERM more than "dumb"? */
int top_term_usable(void);
/* 0, or -ENOTTY with one line of what to do in error. color: see top_options. */
int top_term_open(int color, char *error, size_t size);
void top_term_close(void);

void top_term_size(int *ret_width, int *ret_height);
/* Send what has changed; with `all`, everything. */
void top_term_flush(const struct top_cells *c, int all);

#define TOP_TERM_NONE	(-1)	/* no more input */
#define TOP_TERM_RESIZE	(-2)
#define TOP_TERM_GONE	(-3)	/* the terminal was closed */
#define TOP_TERM_CLICK	(-4)	/* top_term_clicked() says where */

/* The next code of keys.h, without waiting. */
int top_term_key(void);
void top_term_clicked(int *ret_x, int *ret_y);
/* Take the mouse's wheel and clicks; while that is on, the terminal cannot copy. */
void top_term_mouse(int on);
/* Wait for input, a signal, or until timeout_ns have passed (UINT64_MAX: for ever). */
void top_term_wait(uint64_t timeout_ns);
/* Make SIGINT, SIGTERM, SIGHUP and SIGQUIT end a wait instead of the program. Before
 * top_term_open(). */
void top_term_catch(void);
/* 0, or the signal that asks us to end. */
int top_term_signal(void);
/* End the program by that signal, as whoever waits for us expects. After top_term_close(). */
void top_term_die(void);

#endif
