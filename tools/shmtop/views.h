/* SPDX-License-Identifier: Apache-2.0 */
/*
 * views.h - the views, each a table of columns and functions; one file a view.
 *
 * Depends on data.h, glyphs.h. view.c arranges what a view collects, table.c draws it.
 */
#ifndef TOP_VIEWS_H
#define TOP_VIEWS_H

#include "data.h"
#include "glyphs.h"

enum top_view_id {
	TOP_OVERVIEW,
	TOP_SERIES,
	TOP_WRITERS,
	TOP_HISTOGRAMS,
	TOP_SLOW,
	TOP_VIEWS
};

struct top_view;
struct top_list;

/* What all drawing needs. */
struct top_scene {
	struct top_cells *c;
	const struct top_data *d;
	const struct top_view *v;
	const struct top_glyphs *g;
	const char *local_time;	/* of the sample, "HH:MM:SS" */
	uint64_t now_ns;	/* the clock of top_view_key() */
};

/* Names an item of a list as long as it lives, whatever its place. */
struct top_key_of {
	uint64_t a, b;
};

#define TOP_COL_NAME	0x1u	/* takes what the others leave; sorts by name */
#define TOP_COL_LEFT	0x2u	/* text */
#define TOP_COL_STRETCH	0x4u	/* may take more than its width */
#define TOP_COL_DRAWN	0x8u	/* by the view's draw() */
#define TOP_COL_ASCENDS	0x10u	/* the small ones first */

struct top_column {
	const char *head;
	const char *sort;	/* its name for --sort and the settings; NULL: unsorted */
	int width, gap;		/* columns it takes, and of space before it */
	int turn;		/* 1 gives way first when it is narrow; 0 never */
	unsigned flags;
};

struct top_text {
	char text[1024];
	unsigned style;
};

struct top_view_def {
	const char *title, *setting;
	const char *nothing;		/* said of an empty list */
	const struct top_column *columns;
	unsigned ncolumns, sort;	/* sort: the default */
	int name_min;			/* columns that give way leave the names so much */
	/* Push the items that are to be seen, top_list_add(). 0 or -ENOMEM. */
	int (*collect)(struct top_list *l, const struct top_view *v, const struct top_data *d);
	struct top_key_of (*key)(const void *item);
	/* What a column sorts by; NaN sorts last. Not called for the name. */
	double (*number)(const struct top_data *d, const void *item, unsigned column);
	int (*compare)(const void *a, const void *b);	/* by name; 0 for the same item only */
	int (*name_width)(const struct top_scene *s, const void *item, int wide);
	void (*cell)(const struct top_scene *s, const void *item, unsigned column, int room,
		     struct top_text *ret);
	void (*mark)(const struct top_scene *s, const void *item, struct top_text *ret);
	void (*draw)(const struct top_scene *s, const void *item, unsigned column, int x, int y,
		     int room);
	/* NULL, or: the columns that have no meaning now; another width or head of a column. */
	unsigned (*absent)(const struct top_scene *s);
	int (*width)(const struct top_scene *s, unsigned column);
	void (*head)(const struct top_scene *s, unsigned column, int room, char *ret, size_t size);
	/* The page of an item, drawn from line 0 of s->c on; lines used. NULL: it has none. */
	int (*detail)(const struct top_scene *s, struct top_key_of key);
};

extern const struct top_view_def top_view_overview, top_view_series, top_view_writers,
	top_view_histograms, top_view_slow;
extern const struct top_view_def *const top_views[TOP_VIEWS];

/* Shared by views of series. */
struct top_key_of top_key_of_row(const void *item);
struct top_ref top_ref_of_key(struct top_key_of key);
int top_compare_rows(const void *a, const void *b);
int top_row_name_width(const struct top_scene *s, const void *item, int wide);
void top_row_mark(const struct top_scene *s, const void *item, struct top_text *ret);
int top_detail_row(const struct top_scene *s, struct top_key_of key);
int top_detail_op(const struct top_scene *s, struct top_key_of key);
int top_detail_writer(const struct top_scene *s, struct top_key_of key);
int top_detail_slow(const struct top_scene *s, struct top_key_of key);
/* Quantity into a cell; NaN is `none`. */
void top_text_quantity(struct top_text *ret, const struct top_glyphs *g, double v,
		       const char *unit);
void top_text_none(struct top_text *ret, const struct top_glyphs *g);
/* "live", "silent", "died", "ended", "common" */
const char *top_writer_state(const struct top_writer *w);
/* What the quantiles are of: "1m", "last", "life". */
const char *top_window_name(enum top_window window);

#endif
