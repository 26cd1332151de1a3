/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.c - the table of keys. A test compares the manual with it.
 */
#include "keys.h"

const struct top_key top_keys[] = {
	{ TOP_DO_HELP, { 'h', '?', TOP_CODE_F1 }, "h ? F1", "this help", "h", "Help" },
	{ TOP_DO_FILTER, { '/', 'f', '\\', TOP_CODE_F4 }, "/ f F4",
	  "filter: text, label=text, ~regex, ! before it: not", "/", "Filter" },
	{ TOP_DO_SORT_NEXT, { 's', '>', TOP_CODE_RIGHT, TOP_CODE_F6 }, "s > Right",
	  "sort by the next column", "s", "Sort" },
	{ TOP_DO_SORT_PREVIOUS, { '<', TOP_CODE_LEFT }, "< Left", "sort by the previous column",
	  NULL, NULL },
	{ TOP_DO_REVERSE, { 'r', 'I' }, "r I", "reverse the order", "r", "Reverse" },
	{ TOP_DO_PAUSE, { ' ', 'p', 'Z' }, "Space p Z", "pause, go on", "Space", "Pause" },
	{ TOP_DO_DETAIL, { TOP_ENTER }, "Enter", "all about the selected line", "Enter", "Detail" },
	{ TOP_DO_BACK, { TOP_ESC }, "Esc", "back; in a list: drop the filter", NULL, NULL },
	{ TOP_DO_VIEW_NEXT, { TOP_CODE_TAB }, "Tab Shift-Tab", "next, previous view", NULL, NULL },
	{ TOP_DO_VIEW_PREVIOUS, { TOP_CODE_BACKTAB }, NULL, NULL, NULL, NULL },
	{ TOP_DO_VIEW, { '1', '2', '3', '4', '5' }, "1 2 3 4 5",
	  "Overview, Series, Writers, Histograms, Slow", NULL, NULL },
	{ TOP_DO_UP, { TOP_CODE_UP, 'k' }, "Up Down k j", "move by a line", NULL, NULL },
	{ TOP_DO_DOWN, { TOP_CODE_DOWN, 'j' }, NULL, NULL, NULL, NULL },
	{ TOP_DO_PAGE_UP, { TOP_CODE_PAGE_UP, TOP_CTRL_B }, "PgUp PgDn Ctrl-B Ctrl-F",
	  "move by a page", NULL, NULL },
	{ TOP_DO_PAGE_DOWN, { TOP_CODE_PAGE_DOWN, TOP_CTRL_F }, NULL, NULL, NULL, NULL },
	{ TOP_DO_HOME, { TOP_CODE_HOME, 'g' }, "Home End g G", "first line, last line", NULL, NULL },
	{ TOP_DO_END, { TOP_CODE_END, 'G' }, NULL, NULL, NULL, NULL },
	{ TOP_DO_SLOWER, { '+', '=' }, "+ -", "longer, shorter interval", "+-", "Speed" },
	{ TOP_DO_FASTER, { '-', '_' }, NULL, NULL, NULL, NULL },
	{ TOP_DO_WINDOW, { 'w' }, "w", "quantiles of a minute, an interval, the whole life", NULL,
	  NULL },
	{ TOP_DO_EXACT, { 'e' }, "e", "exact numbers, scaled numbers", NULL, NULL },
	{ TOP_DO_ZEROS, { 'd' }, "d", "show, hide series that never counted", NULL, NULL },
	{ TOP_DO_RESET, { '0' }, "0", "averages, min and max begin anew (here only)", NULL, NULL },
	{ TOP_DO_MOUSE, { 'm' }, "m", "mouse on, off", NULL, NULL },
	{ TOP_DO_SAVE, { 'W' }, "W", "save these settings", NULL, NULL },
	{ TOP_DO_SAMPLE, { 'R', TOP_CTRL_L }, "R Ctrl-L", "sample and redraw now", NULL, NULL },
	{ TOP_DO_QUIT, { 'q' }, "q Ctrl-C", "quit; q in help and detail: back", "q", "Quit" },
};

const size_t top_nkeys = sizeof(top_keys) / sizeof(top_keys[0]);

enum top_action top_key_action(int code)
{
	size_t i, c;

	for (i = 0; i < top_nkeys; i++)
		for (c = 0; c < TOP_KEY_CODES && top_keys[i].codes[c]; c++)
			if (top_keys[i].codes[c] == code)
				return top_keys[i].action;
	return TOP_DO_NOTHING;
}
