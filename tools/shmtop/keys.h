/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.h - the keys, once: what they do, the help screen, the line of keys and the manual.
 *
 * Depends on nothing. term.c turns what the terminal sends into these codes; characters are
 * their code points.
 */
#ifndef TOP_KEYS_H
#define TOP_KEYS_H

#include <stddef.h>

enum top_code {
	TOP_CTRL_B = 2,
	TOP_CTRL_F = 6,
	TOP_CTRL_L = 12,
	TOP_CTRL_U = 21,
	TOP_ENTER = 13,
	TOP_ESC = 27,
	TOP_CODE_FIRST = 0x200000,	/* beyond Unicode */
	TOP_CODE_UP,
	TOP_CODE_DOWN,
	TOP_CODE_LEFT,
	TOP_CODE_RIGHT,
	TOP_CODE_PAGE_UP,
	TOP_CODE_PAGE_DOWN,
	TOP_CODE_HOME,
	TOP_CODE_END,
	TOP_CODE_BACKSPACE,
	TOP_CODE_F1,
	TOP_CODE_F4,
	TOP_CODE_F6,
	TOP_CODE_TAB,
	TOP_CODE_BACKTAB
};

enum top_action {
	TOP_DO_NOTHING,
	TOP_DO_HELP,
	TOP_DO_QUIT,
	TOP_DO_UP,
	TOP_DO_DOWN,
	TOP_DO_PAGE_UP,
	TOP_DO_PAGE_DOWN,
	TOP_DO_HOME,
	TOP_DO_END,
	TOP_DO_FILTER,
	TOP_DO_BACK,
	TOP_DO_DETAIL,
	TOP_DO_VIEW,		/* by its number: the code says which */
	TOP_DO_VIEW_NEXT,
	TOP_DO_VIEW_PREVIOUS,
	TOP_DO_SORT_NEXT,
	TOP_DO_SORT_PREVIOUS,
	TOP_DO_REVERSE,
	TOP_DO_PAUSE,
	TOP_DO_SLOWER,
	TOP_DO_FASTER,
	TOP_DO_EXACT,
	TOP_DO_ZEROS,
	TOP_DO_WINDOW,
	TOP_DO_RESET,
	TOP_DO_MOUSE,
	TOP_DO_SAVE,
	TOP_DO_SAMPLE
};

#define TOP_KEY_CODES 6

struct top_key {
	enum top_action action;
	int codes[TOP_KEY_CODES];	/* 0 ends them */
	const char *keys;		/* for the help; NULL: told with the key before */
	const char *help;
	const char *bar, *bar_help;	/* for the line of keys, NULL: not there */
};

extern const struct top_key top_keys[];
extern const size_t top_nkeys;

enum top_action top_key_action(int code);

#endif
