/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - the parts of the running program: attaching, and one loop a mode.
 *
 * Depends on everything else; nothing but main.c and the loops knows it.
 */
#ifndef TOP_PROGRAM_H
#define TOP_PROGRAM_H

#include "draw.h"
#include "options.h"
#include "source.h"

#define TOP_SECOND UINT64_C(1000000000)

struct top_program {
	struct top_options options;
	struct top_source source;
	struct top_data data;
	struct top_view view;
	struct top_cells cells;
	unsigned escape;
	const struct top_glyphs *glyphs;
};

uint64_t top_monotonic_ns(void);
void top_sleep_until(uint64_t then_ns);
/* To standard error: what is wrong and, if not NULL, what to do. */
void top_complain(unsigned escape, const char *what, const char *remedy);
/* Write to standard output. 0, or -1 to stop: *ret_exit is TOP_EXIT_ERROR then, unless it is just
 * that the reader of a pipe has gone. */
int top_put_out(const struct buf *b, int *ret_exit);
/* "HH:MM:SS" of a sample, local time. */
void top_local_time(uint64_t real_ns, char ret[16]);

/* Find and open the segment that is meant. 0 or an error of the library, which was complained
 * about. */
int top_attach(struct top_program *p);
/* A sample into p->data, with what the view wants of it. As top_source_sample(). */
int top_program_sample(struct top_program *p);
/* What a key asked for beside another picture: details, window, reset, settings. */
void top_program_serve(struct top_program *p, uint64_t now_ns);
/* Arrange and draw into p->cells. 0 or -ENOMEM. */
int top_program_draw(struct top_program *p, int width, int height, uint64_t now_ns);

/* The modes; each returns the exit code. */
int top_run_screen(struct top_program *p);
int top_run_text(struct top_program *p);
int top_run_accessible(struct top_program *p);
int top_run_script(struct top_program *p);

#endif
