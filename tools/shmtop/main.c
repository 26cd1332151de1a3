/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - shmtop: what the programs on a segment count, live.
 *
 * One loop: sample (source.c) -> model -> arrange (view.c) -> draw into cells (draw.c) -> flush
 * (term.c). Only this file and term.c know time, signals and the terminal. Without a terminal the
 * same model goes to standard output as text (output.c), and signals do what they do by default.
 *
 * Exit status: enum top_exit; ended by a signal, we die of that signal. A reader that closes the
 * pipe is no error.
 */
#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cells.h"
#include "draw.h"
#include "options.h"
#include "output.h"
#include "segments.h"
#include "source.h"
#include "term.h"
#include "view.h"

#define SECOND UINT64_C(1000000000)
#define NOT_READY_NS (3 * SECOND)	/* how long a creator may take before we say so */

struct program {
	struct top_options options;
	struct top_source source;
	struct top_model model;
	struct top_view view;
	struct top_cells cells;
	unsigned escape;
	const struct top_glyphs *glyphs;
};

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void complain(unsigned escape, const char *what, const char *remedy)
{
	struct buf b = { 0 };

	top_escape(&b, what, strlen(what), escape);
	fprintf(stderr, "shmtop: %s%s%s\n", b.data ? b.data : "", remedy ? "\n  " : "",
		remedy ? remedy : "");
	buf_free(&b);
}

static void sleep_until(uint64_t then_ns)
{
	struct timespec t = { (time_t)(then_ns / SECOND), (long)(then_ns % SECOND) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* ---- attaching ------------------------------------------------------------------------------ */

static void complain_about(const struct program *p, int rc, const char *path,
			   const struct sm_diag *diag)
{
	struct buf b = { 0 };

	if (rc == -ENOENT && !path[0])
		buf_puts(&b, "there is no segment: looked in /run/shardmeter and for "
				 "/dev/shm/shardmeter.*");
	else if (rc == -ENOENT)
		buf_printf(&b, "there is no segment %s", path);
	else if (rc == SM_NOT_READY)
		buf_printf(&b, "the segment %s is not ready", path);
	else if (path[0] && strstr(diag->message, path))
		buf_puts(&b, diag->message);
	else
		buf_printf(&b, "%s%s%s", path, path[0] ? ": " : "",
			       diag->message[0] ? diag->message : strerror(-rc));
	/* The library's own words about permissions say what to do. */
	complain(p->escape, b.data ? b.data : "out of memory",
		 rc == -EACCES && diag->message[0] ? NULL : top_remedy(rc));
	buf_free(&b);
}

/* On a terminal, ask which of several segments is meant. 0 or -EMLINK. */
static int ask(const struct program *p, const struct top_segment *list, int n, char path[PATH_MAX])
{
	char answer[32];
	long i;

	fprintf(stderr, "shmtop: there are several segments:\n");
	top_segments_print(stderr, list, n, p->escape);
	if (!top_term_usable() || p->options.mode != TOP_MODE_SCREEN) {
		fprintf(stderr, "  %s\n", top_remedy(-EMLINK));
		return -EMLINK;
	}
	fprintf(stderr, "Which one, 1 to %d? ", n);
	if (!fgets(answer, sizeof(answer), stdin))
		return -EMLINK;
	i = strtol(answer, NULL, 10);
	if (i < 1 || i > n) {
		fprintf(stderr, "shmtop: none chosen\n");
		return -EMLINK;
	}
	memcpy(path, list[i - 1].path, PATH_MAX);
	return 0;
}

static int attach_once(struct program *p, char path[PATH_MAX], struct sm_diag *diag)
{
	struct top_segment *list = NULL;
	int rc, n = 0;

	path[0] = '\0';
	memset(diag, 0, sizeof(*diag));
	rc = top_segments_choose(p->options.segment, path, &list, &n);
	if (rc == -EMLINK)
		rc = ask(p, list, n, path);
	free(list);
	if (rc)
		return rc;
	return top_source_open(&p->source, path, diag);
}

static int attach(struct program *p)
{
	uint64_t start = monotonic_ns(), patience;
	char path[PATH_MAX];
	struct sm_diag diag;
	int rc, waits = p->options.wait_s != 0;

	for (;;) {
		rc = attach_once(p, path, &diag);
		if (rc != -ENOENT && rc != SM_NOT_READY)
			break;
		patience = rc == SM_NOT_READY ? NOT_READY_NS : 0;
		if (waits)
			patience = p->options.wait_s < 0 ? UINT64_MAX
							 : (uint64_t)(p->options.wait_s * 1e9);
		if (monotonic_ns() - start >= patience)
			break;
		sleep_until(monotonic_ns() + SECOND / 5);
	}
	if (rc && rc != -EMLINK)
		complain_about(p, rc, path, &diag);
	return rc;
}

/* ---- text ----------------------------------------------------------------------------------- */

/* Write to standard output. 0, or -1 to stop: *ret_exit is TOP_EXIT_ERROR then, unless it is just
 * that the reader of a pipe has gone. */
static int put_out(const struct buf *b, int *ret_exit)
{
	size_t done = 0;
	ssize_t n;

	if (b->failed) {
		complain(0, "out of memory", NULL);
		*ret_exit = TOP_EXIT_ERROR;
		return -1;
	}
	while (done < b->len) {
		n = write(STDOUT_FILENO, b->data + done, b->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EPIPE) {
				fprintf(stderr, "shmtop: cannot write: %s\n", strerror(errno));
				*ret_exit = TOP_EXIT_ERROR;
			}
			return -1;
		}
		done += (size_t)n;
	}
	return 0;
}

static void render_text(struct program *p, struct buf *b, unsigned long number, int average)
{
	if (p->options.format == TOP_FORMAT_JSON) {
		top_output_json(b, &p->model, &p->view);
	} else if (p->options.format == TOP_FORMAT_CSV) {
		if (!number)
			top_output_csv_head(b);
		top_output_csv(b, &p->model, &p->view);
	} else {
		if (number)
			buf_puts(b, "\n");
		top_output_table(b, &p->model, &p->view, average);
	}
}

/* One sample as text. 0, or -1 to stop. */
static int text_sample(struct program *p, unsigned long number, int average, int *ret_exit)
{
	struct buf b = { 0 };
	int rc;

	*ret_exit = TOP_EXIT_OK;
	if (top_view_arrange(&p->view, &p->model)) {
		complain(p->escape, "out of memory", NULL);
		*ret_exit = TOP_EXIT_ERROR;
		return -1;
	}
	if (!p->view.nshown && p->view.filter.text[0]) {
		fprintf(stderr, "shmtop: no series matches the filter \"%s\"\n",
			p->view.filter.text);
		*ret_exit = TOP_EXIT_NOTHING;
	}
	render_text(p, &b, number, average);
	rc = put_out(&b, ret_exit);
	buf_free(&b);
	return rc;
}

/* The terminal that a table is printed on; 0 if it is none. */
static int output_width(const struct program *p)
{
	struct winsize size;

	if (p->options.format != TOP_FORMAT_TABLE || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

static int run_text(struct program *p)
{
	int once = p->options.mode == TOP_MODE_ONCE, status = TOP_EXIT_OK, rc;
	uint64_t delay = (uint64_t)(p->options.delay_s * 1e9), next = monotonic_ns();
	unsigned long n;

	p->view.text_width = output_width(p);
	rc = top_source_sample(&p->source, &p->model);
	if (rc < 0) {
		complain(p->escape, p->model.status.trouble, top_remedy(rc));
		return top_exit_of(rc);
	}
	if (once) {
		text_sample(p, 0, 1, &status);
		return status;
	}
	for (n = 0; !p->options.count || n < p->options.count; n++) {
		next += delay;
		if (next < monotonic_ns())
			next = monotonic_ns();	/* we were stopped: do not catch up */
		sleep_until(next);
		if (top_source_sample(&p->source, &p->model) < 0)
			complain(p->escape, p->model.status.trouble, NULL);
		if (text_sample(p, n, 0, &status))
			break;
	}
	return status;
}

/* ---- screen --------------------------------------------------------------------------------- */

static void redraw(struct program *p, int all)
{
	time_t seconds = (time_t)(p->model.status.real_ns / SECOND);
	char clock[16] = "";
	struct tm tm;
	int width, height;

	top_term_size(&width, &height);
	if (top_cells_resize(&p->cells, width, height))
		return;
	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	p->view.hidden = top_draw_hidden(p->cells.width, &p->model, &p->view, p->glyphs);
	top_view_fit(&p->view, top_draw_page(p->cells.width, p->cells.height));
	top_draw(&p->cells, &p->model, &p->view, p->glyphs, clock, monotonic_ns());
	top_term_flush(&p->cells, all);
}

static void take_sample(struct program *p)
{
	if (top_source_sample(&p->source, &p->model) == TOP_SOURCE_REPLACED)
		top_view_note(&p->view, monotonic_ns() + TOP_NOTE_NS,
			      "the segment was made anew: values start over");
	p->view.sample_now = 0;
}

/* Handle what was typed. 1 if anything was, -1 if the terminal is gone. */
static int read_keys(struct program *p)
{
	int key, any = 0;

	while ((key = top_term_key()) != TOP_TERM_NONE) {
		if (key == TOP_TERM_GONE)
			return -1;
		if (key == TOP_TERM_RESIZE)
			p->view.redraw = 1;
		else
			top_view_key(&p->view, key, monotonic_ns());
		any = 1;
	}
	return any;
}

/* How long nothing happens by itself. */
static uint64_t idle_ns(const struct program *p, uint64_t now, uint64_t next)
{
	uint64_t until = p->view.paused ? UINT64_MAX : next;

	if (p->view.note_until_ns > now && p->view.note_until_ns < until)
		until = p->view.note_until_ns;
	if (until == UINT64_MAX)
		return UINT64_MAX;
	return until > now ? until - now : 0;
}

static void run_screen(struct program *p)
{
	uint64_t now = monotonic_ns(), next = now, delay;
	double delay_s = p->view.delay_s;
	int keys;

	while (!p->view.quit && !top_term_signal()) {
		now = monotonic_ns();
		delay = (uint64_t)(p->view.delay_s * 1e9);
		if (p->view.sample_now || (!p->view.paused && now >= next)) {
			take_sample(p);
			/* Late by more than an interval (stopped, suspended): do not catch up. */
			next = now >= next && now - next < delay ? next + delay : now + delay;
		} else if (p->view.delay_s != delay_s) {
			next = now + delay;
		}
		delay_s = p->view.delay_s;
		if (top_view_arrange(&p->view, &p->model))
			break;
		redraw(p, p->view.redraw);
		p->view.redraw = 0;
		top_term_wait(idle_ns(p, monotonic_ns(), next));
		keys = read_keys(p);
		if (keys < 0)
			break;
	}
}

static int start_screen(struct program *p)
{
	const char *term = getenv("TERM");
	char error[200];
	int rc;

	/* The first sample before the screen: if it fails, the message shall stay readable. */
	rc = top_source_sample(&p->source, &p->model);
	if (rc < 0) {
		complain(p->escape, p->model.status.trouble, top_remedy(rc));
		return top_exit_of(rc);
	}
	/* The Linux console has no font for the bars. */
	if (!strcmp(term ? term : "", "linux"))
		p->glyphs = &top_glyphs_ascii;
	top_term_catch();
	if (top_term_open(p->options.color, error, sizeof(error))) {
		complain(p->escape, error, NULL);
		return TOP_EXIT_ERROR;
	}
	run_screen(p);
	top_term_close();
	return TOP_EXIT_OK;
}

/* ---- start ---------------------------------------------------------------------------------- */

static int list_segments(unsigned escape)
{
	struct top_segment *list = NULL;
	int n = top_segments_list(&list);

	if (n < 0) {
		complain(escape, strerror(-n), NULL);
		return TOP_EXIT_ERROR;
	}
	if (n)
		top_segments_print(stdout, list, n, escape);
	else
		complain(escape,
			 "there is no segment: looked in /run/shardmeter and for "
			 "/dev/shm/shardmeter.*",
			 "is the bot running?");
	free(list);
	return n ? TOP_EXIT_OK : TOP_EXIT_NO_SEGMENT;
}

static int print_facts(enum top_mode mode)
{
	size_t i;

	if (mode == TOP_MODE_HELP)
		top_options_help(stdout);
	else if (mode == TOP_MODE_VERSION)
		printf("shmtop %s (layout %s)\n", SHARDMETER_VERSION, sm_layout_version());
	else
		for (i = 0; i < top_nkeys; i++)
			if (top_keys[i].keys)
				printf("%s\t%s\n", top_keys[i].keys, top_keys[i].help);
	return fflush(stdout) && errno != EPIPE ? TOP_EXIT_ERROR : TOP_EXIT_OK;
}

static int run(struct program *p)
{
	int rc = attach(p);

	if (rc)
		return top_exit_of(rc);
	top_model_init(&p->model, p->escape);
	top_view_init(&p->view, &p->options);
	if (p->view.filter.bad) {
		complain(p->escape, "the filter is not a valid regular expression",
			 "see regex(7), extended");
		rc = TOP_EXIT_ERROR;
	} else if (p->options.mode == TOP_MODE_SCREEN) {
		rc = start_screen(p);
	} else {
		rc = run_text(p);
	}
	top_view_release(&p->view);
	top_model_release(&p->model);
	top_cells_release(&p->cells);
	top_source_close(&p->source);
	return rc;
}

int main(int argc, char **argv)
{
	static struct program p;
	char error[300];
	int rc;

	/* Only LC_CTYPE: numbers have a point everywhere. */
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	if (top_options_parse(&p.options, argc, argv, error, sizeof(error))) {
		complain(TOP_ESCAPE_ASCII, error, "`shmtop --help` lists the options");
		return TOP_EXIT_ERROR;
	}
	if (p.options.ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		p.escape = TOP_ESCAPE_ASCII;
	p.glyphs = p.escape ? &top_glyphs_ascii : &top_glyphs_utf8;
	if (p.options.mode >= TOP_MODE_HELP)
		return print_facts(p.options.mode);
	if (p.options.mode == TOP_MODE_LIST)
		return list_segments(p.escape);
	if (p.options.mode == TOP_MODE_SCREEN && !top_term_usable())
		p.options.mode = TOP_MODE_ONCE;
	rc = run(&p);
	if (top_term_signal())
		top_term_die();
	return rc;
}
