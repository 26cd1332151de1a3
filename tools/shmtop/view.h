/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - what the user has chosen to see: view, order, filter, cursor, pause, interval.
 *
 * Depends on views.h, filter.h, keys.h, options.h. Knows no terminal: keys come in as codes.
 *
 * After each sample or key: top_view_arrange() makes the list of items, top_view_fit() moves the
 * window over it, then the drawing only reads.
 */
#ifndef TOP_VIEW_H
#define TOP_VIEW_H

#include "data.h"
#include "filter.h"
#include "keys.h"
#include "options.h"
#include "views.h"

#define TOP_NOTE_KEY_NS	UINT64_C(2000000000)	/* how long a note stays: about a key, */
#define TOP_NOTE_NS	UINT64_C(5000000000)	/* about something that happened */

/* The list of one view. */
struct top_list {
	unsigned sort;		/* a column */
	int reverse;		/* against the column's own direction */
	unsigned hidden;	/* 1 << column for each without place, by the table's plan */
	const void **item;	/* in order; valid until the next sample */
	size_t n, room;
	size_t all;		/* with those that do not pass the filter */
	size_t zeros;		/* left out because they never counted anything */
	int following;		/* the cursor stays with its item; else with the first line */
	struct top_key_of cursor_key;
	size_t cursor, top;	/* index in item: of the cursor, of the first line */
	size_t page;		/* lines that fit */
};

struct top_view {
	enum top_view_id id;
	struct top_list list[TOP_VIEWS];
	struct top_filter filter;
	int typing;		/* the filter is being typed */
	int detail;		/* of this item of the view, */
	struct top_key_of subject;
	int page_top;		/* from this line on; also of the help */
	int help;
	int paused, exact, quit, mouse;
	int zeros;		/* show what never counted anything */
	enum top_window window;	/* of quantiles; program.c tells the model */
	int sample_now, look, redraw, reset, save; /* asked for by a key; program.c clears them */
	int text_width;		/* columns of a table as text; 0: as many as it takes */
	double delay_s;
	char note[TOP_NAME];	/* said for some seconds in the lowest line */
	uint64_t note_until_ns;	/* by the clock of top_view_key() */
};

/* Zeroed view with the defaults of the options. */
void top_view_init(struct top_view *v, const struct top_options *o);
void top_view_release(struct top_view *v);
/* Make the list of the current view. 0 or -ENOMEM. */
int top_view_arrange(struct top_view *v, const struct top_data *d);
/* For collect() of a view: one more item. 0 or -ENOMEM. */
int top_list_add(struct top_list *l, const void *item);
void top_view_fit(struct top_view *v, size_t page);
/* A key came. now_ns: any monotonic clock, for how long a note stays. */
void top_view_key(struct top_view *v, int code, uint64_t now_ns);
void top_view_note(struct top_view *v, uint64_t until_ns, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The series that the detail is about, for top_parts_want(). Returns how many. */
size_t top_view_refs(const struct top_view *v, const struct top_data *d,
		     struct top_ref ret[TOP_PARTS_REFS]);

/* What was clicked on, see top_draw_hit(). */
struct top_hit {
	enum { TOP_HIT_NOTHING, TOP_HIT_VIEW, TOP_HIT_HEAD, TOP_HIT_ROW } what;
	size_t which;
};
void top_view_click(struct top_view *v, struct top_hit hit, uint64_t now_ns);

static inline const struct top_list *top_list_of(const struct top_view *v)
{
	return &v->list[v->id];
}

#endif
