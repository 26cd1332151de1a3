/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.h - which series to show.
 *
 *	play		names and labels that contain "play" (any case, while all is lower case)
 *	command=play	the same: a label is shown as name=value
 *	~^bot_.*total	an extended regular expression
 *	!ping		all but those; also !~expression
 *
 * Double quotes are ignored, so that command="play" copied from elsewhere works.
 */
#ifndef TOP_FILTER_H
#define TOP_FILTER_H

#include <regex.h>

#define TOP_FILTER_MAX 200

struct top_filter {
	char text[TOP_FILTER_MAX];	/* as typed */
	char needle[TOP_FILTER_MAX];
	int negate, regex, ignore_case;
	int bad;			/* the expression is not finished or wrong: matches all */
	int compiled;
	regex_t expression;
};

/* Zero is the filter that shows everything. Text beyond TOP_FILTER_MAX - 1 bytes is cut. */
void top_filter_set(struct top_filter *f, const char *text);
void top_filter_release(struct top_filter *f);
int top_filter_match(const struct top_filter *f, const char *series);

#endif
