/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_screen.c - the interactive screen.
 *
 * One loop: sample -> arrange -> draw into cells -> flush. Only this file and term.c know time,
 * signals and the terminal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "segments.h"
#include "settings.h"
#include "term.h"

static void redraw(struct top_program *p, int all)
{
	int width, height;

	top_term_size(&width, &height);
	if (top_program_draw(p, width, height, top_monotonic_ns()) == 0)
		top_term_flush(&p->cells, all);
}

static void take_sample(struct top_program *p)
{
	if (top_program_sample(p) == TOP_SOURCE_REPLACED)
		top_view_note(&p->view, top_monotonic_ns() + TOP_NOTE_NS,
			      "the segment was made anew: values start over");
}

static void click(struct top_program *p, int x, int y)
{
	struct top_scene scene = { .c = &p->cells, .d = &p->data, .v = &p->view, .g = p->glyphs,
				   .local_time = "" };

	top_view_click(&p->view, top_draw_hit(&scene, x, y), top_monotonic_ns());
}

/* Handle what was typed. -1 if the terminal is gone. */
static int read_keys(struct top_program *p)
{
	int key, x, y, mouse = p->view.mouse;

	while ((key = top_term_key()) != TOP_TERM_NONE) {
		if (key == TOP_TERM_GONE)
			return -1;
		if (key == TOP_TERM_RESIZE) {
			p->view.redraw = 1;
		} else if (key == TOP_TERM_CLICK) {
			top_term_clicked(&x, &y);
			click(p, x, y);
		} else {
			top_view_key(&p->view, key, top_monotonic_ns());
		}
		top_program_serve(p, top_monotonic_ns());
		/* The next key may look at the list that this one has changed. */
		if (top_view_arrange(&p->view, &p->data))
			return -1;
	}
	if (p->view.mouse != mouse)
		top_term_mouse(p->view.mouse);
	return 0;
}

/* How long nothing happens by itself. */
static uint64_t idle_ns(const struct top_program *p, uint64_t now, uint64_t next)
{
	uint64_t until = p->view.paused ? UINT64_MAX : next;

	if (p->view.note_until_ns > now && p->view.note_until_ns < until)
		until = p->view.note_until_ns;
	if (until == UINT64_MAX)
		return UINT64_MAX;
	return until > now ? until - now : 0;
}

static void loop(struct top_program *p)
{
	uint64_t now = top_monotonic_ns(), delay = (uint64_t)(p->view.delay_s * 1e9);
	uint64_t next = now + delay;
	double delay_s = p->view.delay_s;

	while (!p->view.quit && !top_term_signal()) {
		now = top_monotonic_ns();
		delay = (uint64_t)(p->view.delay_s * 1e9);
		if (p->view.sample_now || (!p->view.paused && now >= next)) {
			take_sample(p);
			/* Late by more than an interval (stopped, suspended): do not catch up. */
			next = now >= next && now - next < delay ? next + delay : now + delay;
		} else if (p->view.delay_s != delay_s) {
			next = now + delay;
		}
		delay_s = p->view.delay_s;
		redraw(p, p->view.redraw);
		p->view.redraw = 0;
		top_term_wait(idle_ns(p, top_monotonic_ns(), next));
		if (read_keys(p))
			break;
	}
}

int top_run_screen(struct top_program *p)
{
	const char *term = getenv("TERM");
	char error[200];
	int rc;

	rc = top_settings_load(&p->view, &p->options);
	if (rc)
		top_view_note(&p->view, top_monotonic_ns() + TOP_NOTE_NS,
			      "settings not read: %s", strerror(-rc));
	/* The first sample before the screen: if it fails, the message shall stay readable. */
	rc = top_program_sample(p);
	if (rc < 0) {
		top_complain(p->escape, p->data.model.status.trouble, top_remedy(rc));
		return top_exit_of(rc);
	}
	/* The Linux console has no font for the bars. */
	if (!strcmp(term ? term : "", "linux"))
		p->glyphs = &top_glyphs_ascii;
	top_term_catch();
	if (top_term_open(p->options.color, error, sizeof(error))) {
		top_complain(p->escape, error, NULL);
		return TOP_EXIT_ERROR;
	}
	top_term_mouse(p->view.mouse);
	loop(p);
	top_term_close();
	return TOP_EXIT_OK;
}
