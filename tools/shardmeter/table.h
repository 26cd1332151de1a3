/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - rows for people and for scripts.
 *
 * On a terminal: aligned columns under a header, ages and sizes with units. Elsewhere: the same
 * rows, one a line, fields separated by one TAB, no header, plain numbers (seconds, bytes);
 * scripts may rely on the order of the columns, new ones come last. Escaped alike in both.
 *
 *	struct cli_table t;
 *	cli_table_init(&t, 2, (const char *const[]){ "NAME", "SIZE" }, "lr");
 *	cli_table_cell(&t, name);
 *	cli_table_cell2(&t, "1.5 MiB", "1572864");
 *	return cli_table_print(c, &t);
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "text.h"

struct cli_table {
	unsigned ncolumns;
	const char *const *headers;
	const char *align; /* 'l' or 'r' for each column */
	char **cells;	   /* row by row */
	size_t ncells, room;
	bool terminal;
	bool failed; /* out of memory */
};

/* headers and align stay the caller's and must live until the table is printed. */
void cli_table_init(
	struct cli_table *t, unsigned ncolumns, const char *const *headers, const char *align);
void cli_table_cell(struct cli_table *t, const char *text);
void cli_table_cell2(struct cli_table *t, const char *people, const char *scripts);
void cli_table_number(struct cli_table *t, uint64_t n);
void cli_table_bytes(struct cli_table *t, uint64_t bytes);
void cli_table_age(struct cli_table *t, uint64_t ns);

/* Print to standard output and release. 0 or an exit code (out of memory). */
int cli_table_print(const struct cli *c, struct cli_table *t);

#endif
