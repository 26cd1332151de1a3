/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - the command line: one table makes the parser, --help and the shell's words.
 *
 * Depends on nothing.
 */
#ifndef TOP_OPTIONS_H
#define TOP_OPTIONS_H

#include <stdio.h>

enum top_exit {
	TOP_EXIT_OK,
	TOP_EXIT_NOTHING,	/* the filter matches no series */
	TOP_EXIT_ERROR,		/* usage, or at run time */
	TOP_EXIT_NO_SEGMENT,
	TOP_EXIT_SEVERAL,
	TOP_EXIT_DAMAGED,	/* or another layout */
	TOP_EXIT_PERMISSION
};

enum top_mode {
	TOP_MODE_SCREEN,	/* interactive, if there is a terminal, else once */
	TOP_MODE_ONCE,
	TOP_MODE_BATCH,
	TOP_MODE_ACCESSIBLE,	/* lines, when something changes */
	TOP_MODE_SCRIPT,
	TOP_MODE_LIST,
	TOP_MODE_HELP,
	TOP_MODE_VERSION,
	TOP_MODE_KEYS
};

enum top_format {
	TOP_FORMAT_TABLE,
	TOP_FORMAT_JSON,
	TOP_FORMAT_CSV,
	TOP_FORMAT_OPENMETRICS
};

/* The columns of the series that one can sort by. */
enum top_sort {
	TOP_SORT_NAME,
	TOP_SORT_VALUE,
	TOP_SORT_RATE,
	TOP_SORT_10S,
	TOP_SORT_1M,
	TOP_SORT_5M,
	TOP_SORT_MIN,
	TOP_SORT_MAX,
	TOP_SORT_P50,
	TOP_SORT_P95,
	TOP_SORT_P99,
	TOP_SORTS
};
extern const char *const top_sort_name[TOP_SORTS];

#define TOP_DELAY_MIN 0.1
#define TOP_DELAY_MAX 3600.0

struct top_options {
	enum top_mode mode;
	enum top_format format;
	const char *segment;	/* NULL: find one */
	const char *filter;
	enum top_sort sort;
	int sorted;		/* sort or reverse were given */
	int reverse;
	int view;		/* to begin with, see views.h; -1: not said */
	int mouse;		/* 1 on, -1 off, 0 not said */
	const char *script;
	double delay_s;		/* between samples */
	int delayed;		/* it was given */
	unsigned long count;	/* tables in batch mode, 0: no end */
	double wait_s;		/* for the segment; 0: not at all, negative: for ever */
	int ascii;
	int color;		/* 1 always, 0 auto, -1 never */
};

/* 0, or -EINVAL with one line in error. Strings of *o point into argv. */
int top_options_parse(struct top_options *o, int argc, char **argv, char *error, size_t size);
void top_options_help(FILE *out);

#endif
