/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - what the user has chosen to see: order, filter, cursor, pause, interval.
 *
 * Depends on model.h, filter.h, keys.h. Knows no terminal: keys come in as codes.
 *
 * After each sample or key: top_view_arrange() makes the list of rows, top_view_fit() moves the
 * window over it, then draw.c only reads.
 */
#ifndef TOP_VIEW_H
#define TOP_VIEW_H

#include "filter.h"
#include "keys.h"
#include "model.h"
#include "options.h"

#define TOP_NOTE_KEY_NS	UINT64_C(2000000000)	/* how long a note stays: about a key, */
#define TOP_NOTE_NS	UINT64_C(5000000000)	/* about something that happened */

struct top_view {
	enum top_sort sort;
	int reverse;		/* against the column's own direction */
	struct top_filter filter;
	int typing;		/* the filter is being typed */
	int help, help_top;	/* the help is shown, from this line on */
	int paused, exact, quit;
	int sample_now, redraw;	/* asked for by a key; main.c clears them */
	int histograms;		/* there are some: one can sort by quantiles */
	unsigned hidden;	/* 1 << TOP_SORT_x for each column without place, by draw.c's plan */
	int text_width;		/* columns of a table as text; 0: as many as it takes */
	double delay_s;
	char note[TOP_NAME];	/* said for some seconds in the lowest line */
	uint64_t note_until_ns;	/* by the clock of top_view_key() */

	struct top_row **shown;	/* in order */
	size_t nshown;
	/* The row under the cursor, by what identifies it: it may vanish. */
	int following;		/* the cursor stays with its row; else with the first line */
	uint32_t cursor_id;
	uint64_t cursor_incarnation;
	int cursor_slot;
	size_t cursor, top;	/* index in shown: of the cursor, of the first line */
	size_t page;		/* lines that fit */
};

/* Zeroed view with the defaults of the options. */
void top_view_init(struct top_view *v, const struct top_options *o);
void top_view_release(struct top_view *v);
/* 0 or -ENOMEM. */
int top_view_arrange(struct top_view *v, const struct top_model *m);
void top_view_fit(struct top_view *v, size_t page);
/* A key came. now_ns: any monotonic clock, for how long a note stays. */
void top_view_key(struct top_view *v, int code, uint64_t now_ns);
void top_view_note(struct top_view *v, uint64_t until_ns, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The number that a row is sorted and shown by; NaN if it has none. */
double top_row_key(const struct top_row *row, enum top_sort sort);

#endif
