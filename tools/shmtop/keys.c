/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.c - the table of keys. A test compares the manual with it.
 */
#include "keys.h"

const struct top_key top_keys[] = {
	{ TOP_DO_HELP, { 'h', '?', TOP_CODE_F1 }, "h ? F1", "this help", "h", "Help" },
	{ TOP_DO_QUIT, { 'q' }, "q Ctrl-C", "quit; in the help: back", "q", "Quit" },
	{ TOP_DO_UP, { TOP_CODE_UP, 'k' }, "Up Down k j", "move by a row", NULL, NULL },
	{ TOP_DO_DOWN, { TOP_CODE_DOWN, 'j' }, NULL, NULL, NULL, NULL },
	{ TOP_DO_PAGE_UP, { TOP_CODE_PAGE_UP, TOP_CTRL_B }, "PgUp PgDn Ctrl-B Ctrl-F",
	  "move by a page", NULL, NULL },
	{ TOP_DO_PAGE_DOWN, { TOP_CODE_PAGE_DOWN, TOP_CTRL_F }, NULL, NULL, NULL, NULL },
	{ TOP_DO_HOME, { TOP_CODE_HOME, 'g' }, "Home End g G", "first row, last row", NULL, NULL },
	{ TOP_DO_END, { TOP_CODE_END, 'G' }, NULL, NULL, NULL, NULL },
	{ TOP_DO_FILTER, { '/', 'f', '\\', TOP_CODE_F4 }, "/ f F4",
	  "filter: text, label=text, ~regex, ! before it: not", "/", "Filter" },
	{ TOP_DO_CLEAR, { TOP_ESC }, "Esc", "drop the filter", NULL, NULL },
	{ TOP_DO_SORT_NEXT, { 's', '>', TOP_CODE_RIGHT, TOP_CODE_F6 }, "s > Right",
	  "sort by the next column", "s", "Sort" },
	{ TOP_DO_SORT_PREVIOUS, { '<', TOP_CODE_LEFT }, "< Left", "sort by the previous column",
	  NULL, NULL },
	{ TOP_DO_REVERSE, { 'r', 'I' }, "r", "reverse the order", "r", "Reverse" },
	{ TOP_DO_PAUSE, { ' ', 'p', 'Z' }, "Space p", "pause, go on", "Space", "Pause" },
	{ TOP_DO_SLOWER, { '+', '=' }, "+ -", "longer, shorter interval", "+-", "Interval" },
	{ TOP_DO_FASTER, { '-', '_' }, NULL, NULL, NULL, NULL },
	{ TOP_DO_EXACT, { 'e' }, "e", "exact numbers, scaled numbers", NULL, NULL },
	{ TOP_DO_SAMPLE, { 'R', TOP_CTRL_L }, "R Ctrl-L", "sample and redraw now", NULL, NULL },
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
