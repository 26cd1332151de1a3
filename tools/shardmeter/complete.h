/* SPDX-License-Identifier: Apache-2.0 */
/*
 * complete.h - what could come next on a command line, from the tables and the live segment.
 *
 * The shells' functions (completion.c) hand over the line up to the cursor and get, on standard
 * output, what to do, the word before the cursor as it would be without quotes, and the candidates:
 *
 *	none|nospace|files|commands TAB WORD
 *	CANDIDATE TAB DESCRIPTION
 *
 * Candidates are whole words, not quoted; nospace means that one goes on (label=). What has
 * characters that one cannot see is never a candidate.
 */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "cli.h"

void complete_line(FILE *f, const char *line);

#endif
