/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - shmtop: what the programs on a segment count, live.
 *
 * The modes are in run_*.c. Exit status: enum top_exit; ended by a signal, we die of that signal.
 * A reader that closes the pipe is no error.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "segments.h"
#include "term.h"

static int list_segments(unsigned escape)
{
	struct top_segment *list = NULL;
	int n = top_segments_list(&list);

	if (n < 0) {
		top_complain(escape, strerror(-n), NULL);
		return TOP_EXIT_ERROR;
	}
	if (n)
		top_segments_print(stdout, list, n, escape);
	else
		top_complain(escape,
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

static int run(struct top_program *p)
{
	int rc = top_attach(p);

	if (rc)
		return top_exit_of(rc);
	top_data_init(&p->data, p->escape);
	top_view_init(&p->view, &p->options);
	if (p->view.filter.bad) {
		top_complain(p->escape, "the filter is not a valid regular expression",
			     "see regex(7), extended");
		rc = TOP_EXIT_ERROR;
	} else if (p->options.mode == TOP_MODE_SCREEN) {
		rc = top_run_screen(p);
	} else if (p->options.mode == TOP_MODE_ACCESSIBLE) {
		rc = top_run_accessible(p);
	} else if (p->options.mode == TOP_MODE_SCRIPT) {
		rc = top_run_script(p);
	} else {
		rc = top_run_text(p);
	}
	top_view_release(&p->view);
	top_data_release(&p->data);
	top_cells_release(&p->cells);
	top_source_close(&p->source);
	return rc;
}

int main(int argc, char **argv)
{
	static struct top_program p;
	const char *accessible;
	char error[300];
	int rc;

	/* Only LC_CTYPE: numbers have a point everywhere. */
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	if (top_options_parse(&p.options, argc, argv, error, sizeof(error))) {
		top_complain(TOP_ESCAPE_ASCII, error, "`shmtop --help` lists the options");
		return TOP_EXIT_ERROR;
	}
	if (p.options.ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		p.escape = TOP_ESCAPE_ASCII;
	p.glyphs = p.escape ? &top_glyphs_ascii : &top_glyphs_utf8;
	if (p.options.mode >= TOP_MODE_HELP)
		return print_facts(p.options.mode);
	if (p.options.mode == TOP_MODE_LIST)
		return list_segments(p.escape);
	accessible = getenv("ACCESSIBLE");
	if (p.options.mode == TOP_MODE_SCREEN && accessible && accessible[0] &&
	    strcmp(accessible, "0") != 0)
		p.options.mode = TOP_MODE_ACCESSIBLE;
	if (p.options.mode == TOP_MODE_SCREEN && !top_term_usable())
		p.options.mode = TOP_MODE_ONCE;
	rc = run(&p);
	if (top_term_signal())
		top_term_die();
	return rc;
}
