/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.c - which series to show.
 *
 * A filter is set again at every key while it is typed, so a half-typed expression is normal: it
 * is marked and shows everything until it is valid.
 */
#include "filter.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void top_filter_release(struct top_filter *f)
{
	if (f->compiled)
		regfree(&f->expression);
	f->compiled = 0;
}

void top_filter_set(struct top_filter *f, const char *text)
{
	const char *p;
	size_t n = 0;

	top_filter_release(f);
	memset(f, 0, sizeof(*f));
	snprintf(f->text, sizeof(f->text), "%s", text);
	p = f->text;
	if (*p == '!') {
		f->negate = 1;
		p++;
	}
	if (*p == '~') {
		f->regex = 1;
		p++;
	}
	f->ignore_case = 1;
	for (; *p; p++) {
		if (*p == '"')
			continue;
		if (isupper((unsigned char)*p))
			f->ignore_case = 0;
		f->needle[n++] = *p;
	}
	if (!f->regex || !n)
		return;
	if (regcomp(&f->expression, f->needle,
		    REG_EXTENDED | REG_NOSUB | (f->ignore_case ? REG_ICASE : 0)))
		f->bad = 1;
	else
		f->compiled = 1;
}

int top_filter_match(const struct top_filter *f, const char *series)
{
	int found;

	if (!f->needle[0] || f->bad)
		return 1;
	if (f->regex)
		found = !regexec(&f->expression, series, 0, NULL, 0);
	else if (f->ignore_case)
		found = strcasestr(series, f->needle) != NULL;
	else
		found = strstr(series, f->needle) != NULL;
	return found != f->negate;
}
