/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - see table.h. A table is collected whole, since widths are known only at the end. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

void cli_table_init(
	struct cli_table *t, unsigned ncolumns, const char *const *headers, const char *align)
{
	memset(t, 0, sizeof(*t));
	t->ncolumns = ncolumns;
	t->headers = headers;
	t->align = align;
	t->terminal = cli_is_terminal(stdout);
}

void cli_table_cell(struct cli_table *t, const char *text)
{
	char **cells;

	if (t->ncells == t->room) {
		size_t room = t->room ? t->room * 2 : 64;

		cells = realloc(t->cells, room * sizeof(*cells));
		if (!cells) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->room = room;
	}
	t->cells[t->ncells] = strdup(text);
	if (!t->cells[t->ncells])
		t->failed = true;
	else
		t->ncells++;
}

void cli_table_cell2(struct cli_table *t, const char *people, const char *scripts)
{
	cli_table_cell(t, t->terminal ? people : scripts);
}

void cli_table_number(struct cli_table *t, uint64_t n)
{
	char text[CLI_TEXT_MAX];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	cli_table_cell(t, text);
}

void cli_table_bytes(struct cli_table *t, uint64_t bytes)
{
	char people[CLI_TEXT_MAX], scripts[CLI_TEXT_MAX];

	cli_bytes(bytes, people);
	snprintf(scripts, sizeof(scripts), "%llu", (unsigned long long)bytes);
	cli_table_cell2(t, people, scripts);
}

void cli_table_age(struct cli_table *t, uint64_t ns)
{
	char people[CLI_TEXT_MAX], scripts[CLI_TEXT_MAX];

	cli_age(ns, people);
	cli_plain_seconds(ns, scripts);
	cli_table_cell2(t, people, scripts);
}

static void put_blanks(size_t n)
{
	while (n--)
		putchar(' ');
}

static void put_aligned(const struct cli_table *t, unsigned column, const char *text, size_t width)
{
	size_t len = strlen(text);
	size_t fill = width - cli_text_width(text, len);
	bool right = t->align[column] == 'r';

	if (column)
		put_blanks(2);
	if (right)
		put_blanks(fill);
	cli_put_text(stdout, text, len);
	if (!right && column + 1 < t->ncolumns)
		put_blanks(fill);
}

static int print_aligned(const struct cli_table *t)
{
	size_t *widths = calloc(t->ncolumns, sizeof(*widths));
	size_t w;

	if (!widths)
		return -1;
	for (unsigned i = 0; i < t->ncolumns; i++)
		widths[i] = strlen(t->headers[i]);
	for (size_t i = 0; i < t->ncells; i++) {
		w = cli_text_width(t->cells[i], strlen(t->cells[i]));
		if (w > widths[i % t->ncolumns])
			widths[i % t->ncolumns] = w;
	}
	for (unsigned i = 0; i < t->ncolumns; i++)
		put_aligned(t, i, t->headers[i], widths[i]);
	putchar('\n');
	for (size_t i = 0; i < t->ncells; i++) {
		put_aligned(t, i % t->ncolumns, t->cells[i], widths[i % t->ncolumns]);
		if (i % t->ncolumns == t->ncolumns - 1)
			putchar('\n');
	}
	free(widths);
	return 0;
}

static void print_tabs(const struct cli_table *t)
{
	for (size_t i = 0; i < t->ncells; i++) {
		cli_put_text(stdout, t->cells[i], strlen(t->cells[i]));
		putchar(i % t->ncolumns == t->ncolumns - 1 ? '\n' : '\t');
	}
}

int cli_table_print(const struct cli *c, struct cli_table *t)
{
	if (!t->failed && t->terminal && t->ncells)
		t->failed = print_aligned(t) != 0;
	else if (!t->failed)
		print_tabs(t);
	for (size_t i = 0; i < t->ncells; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->ncells = 0;
	return t->failed ? cli_fail(c, CLI_FAILED, "out of memory") : 0;
}
