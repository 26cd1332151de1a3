/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch_frame.c - see watch.h.
 *
 * In place means: the cursor goes up over the lines of the last frame. A frame is one write, with
 * the terminal's line wrapping off at its beginning and on again at its end, so there is nothing to
 * restore whenever the program dies. Numbers are never cut; names are, in their middle.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/utf8.h"
#include "watch.h"

#define NAME_MIN 24 /* below it columns of quantiles are left out */

enum { VALUE, RATE, P50, P95, P99, COLUMNS };

static const char *const headers[COLUMNS] = { "VALUE", "CHANGE/s", "P50", "P95", "P99" };

void watch_rate_text(const struct line *l, char ret_text[CLI_TEXT_MAX])
{
	ret_text[0] = '\0';
	if (l->is_reset)
		snprintf(ret_text, CLI_TEXT_MAX, "reset");
	else if (l->rate.is_set)
		snprintf(ret_text, CLI_TEXT_MAX, "%.6g", l->rate.value);
}

void watch_value_text(const struct line *l, char ret_text[CLI_TEXT_MAX])
{
	const struct sm_family_info *f = l->now.family;

	number_text(&l->value, ret_text);
	if (f->kind == SM_STATESET && l->value.is_set && l->value.value >= 0 &&
		l->value.value < f->nstates)
		snprintf(ret_text, CLI_TEXT_MAX, "%s", f->states[(unsigned)l->value.value]);
}

static void cell_text(const struct line *l, unsigned column, char ret_text[CLI_TEXT_MAX])
{
	const struct number *q = column >= P50 ? &l->quantile[column - P50] : NULL;

	if (column == VALUE)
		watch_value_text(l, ret_text);
	else if (column == RATE)
		watch_rate_text(l, ret_text);
	else
		snprintf(ret_text, CLI_TEXT_MAX, q->is_set ? "%.4g" : "-", q->value);
	if (!ret_text[0])
		strcpy(ret_text, "-");
}

/* Columns and rows of the terminal. */
static void measure(size_t *ret_columns, size_t *ret_rows)
{
	struct winsize size;

	*ret_columns = 80;
	*ret_rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return;
	if (size.ws_col)
		*ret_columns = size.ws_col;
	if (size.ws_row)
		*ret_rows = size.ws_row;
}

/* The bytes of the first characters of s that take at most `columns`. */
static size_t fitting_head(const char *s, size_t len, size_t columns)
{
	size_t at = 0, n;
	uint32_t code;

	while (at < len) {
		n = utf8_next(s + at, len - at, &code);
		n = n ? n : 1;
		if (cli_text_width(s, at + n) > columns)
			break;
		at += n;
	}
	return at;
}

/* Where the last characters begin that take at most `columns`. */
static size_t fitting_tail(const char *s, size_t len, size_t columns)
{
	size_t at = len, before;

	while (at > 0) {
		for (before = at - 1; before > 0 && ((unsigned char)s[before] & 0xc0) == 0x80;
			before--)
			;
		if (cli_text_width(s + before, len - before) > columns)
			break;
		at = before;
	}
	return at;
}

/* With the names of labels only where there is room for all of it. */
static const char *name_for(const struct line *l, size_t columns)
{
	return cli_text_width(l->name, strlen(l->name)) <= columns ? l->name : l->short_name;
}

/* A name in exactly `columns` columns. */
static void put_name(const char *name, size_t columns)
{
	size_t len = strlen(name), width = cli_text_width(name, len), head, tail;

	if (width > columns) {
		head = fitting_head(name, len, columns > 2 ? (columns - 2 + 1) / 2 : 0);
		tail = fitting_tail(name, len, columns > 2 ? (columns - 2) / 2 : 0);
		cli_put_text(stdout, name, head);
		fputs("..", stdout);
		cli_put_text(stdout, name + tail, len - tail);
		width = cli_text_width(name, head) + 2 + cli_text_width(name + tail, len - tail);
	} else {
		cli_put_text(stdout, name, len);
	}
	for (; width < columns; width++)
		putchar(' ');
}

/* How wide each column is for these lines, and all of them with two blanks before each. */
static size_t widths(const struct sample *p, size_t shown, unsigned ncolumns, size_t width[COLUMNS])
{
	char text[CLI_TEXT_MAX];
	size_t n, sum = 0;

	for (unsigned k = 0; k < ncolumns; k++) {
		width[k] = strlen(headers[k]);
		for (size_t i = 0; i < shown; i++) {
			cell_text(&p->line[i], k, text);
			n = cli_text_width(text, strlen(text));
			width[k] = n > width[k] ? n : width[k];
		}
		sum += 2 + width[k];
	}
	return sum;
}

static void put_cell(const char *text, size_t width)
{
	for (size_t n = cli_text_width(text, strlen(text)); n < width + 2; n++)
		putchar(' ');
	cli_put_text(stdout, text, strlen(text));
}

unsigned watch_frame(const struct sample *p, bool quantiles, unsigned lines)
{
	unsigned ncolumns = quantiles ? COLUMNS : P50;
	size_t columns, rows, shown, taken, width[COLUMNS], name = 0, n;
	char text[CLI_TEXT_MAX];

	measure(&columns, &rows);
	shown = rows > 3 ? rows - 3 : 1; /* the header, "more", and the cursor */
	shown = p->n < shown ? p->n : shown;
	taken = widths(p, shown, ncolumns, width);
	while (ncolumns > P50 && taken + NAME_MIN > columns)
		taken -= width[--ncolumns] + 2;
	for (size_t i = 0; i < shown; i++) {
		n = cli_text_width(p->line[i].name, strlen(p->line[i].name));
		name = n > name ? n : name;
	}
	if (name + taken > columns)
		name = columns > taken + 4 ? columns - taken : 4;
	fputs("\033[?7l", stdout);
	if (lines)
		printf("\033[%uA\r\033[J", lines);
	put_name("SERIES", name);
	for (unsigned k = 0; k < ncolumns; k++)
		put_cell(headers[k], width[k]);
	putchar('\n');
	for (size_t i = 0; i < shown; i++) {
		put_name(name_for(&p->line[i], name), name);
		for (unsigned k = 0; k < ncolumns; k++) {
			cell_text(&p->line[i], k, text);
			put_cell(text, width[k]);
		}
		putchar('\n');
	}
	if (shown < p->n)
		printf("... %zu more\n", p->n - shown);
	fputs("\033[?7h", stdout);
	return (unsigned)shown + 1 + (shown < p->n);
}
