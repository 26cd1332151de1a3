/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - a file that is replaced at one stroke, for readers such as node_exporter's textfile
 * collector: written beside its place as PATH.XXXXXX, mode 0644, fsync, rename. Killed in between,
 * the old file is untouched and the temporary one is left; its name never ends as PATH does.
 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include "cli.h"

struct cli_file {
	FILE *f;	  /* NULL: not open */
	const char *path; /* the caller's */
	char temporary[4096];
};

/* 0 or an exit code, after a message. */
int cli_file_open(const struct cli *c, struct cli_file *file, const char *path);
int cli_file_commit(const struct cli *c, struct cli_file *file);
/* Forget what was written. Does nothing if it is not open. */
void cli_file_abandon(struct cli_file *file);

/* Flush standard output: code, or CLI_FAILED after a message if something could not be written. A
 * reader that went away (EPIPE) is no error and no message. */
int cli_finish(const struct cli *c, int code);

#endif
