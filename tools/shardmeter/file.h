/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - a file that is replaced at one stroke, for readers such as node_exporter's textfile
 * collector: written beside its place, mode 0644, fsync, rename.
 *
 * The new file has no name until it is complete (O_TMPFILE), so a process that is killed leaves
 * nothing behind; then it is PATH.shardmeter-XXXXXX for the moment between link and rename. File systems that
 * cannot do that (NFS, old overlayfs) have PATH.shardmeter-XXXXXX from the beginning. Those of processes that
 * died are removed by the next cli_file_open() of the same PATH: nobody holds their lock any more.
 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include "cli.h"

struct cli_file {
	FILE *f;	      /* NULL: not open */
	const char *path;     /* the caller's, or what it leads to */
	char target[4096];    /* of a symbolic link */
	char temporary[4096]; /* "" as long as it has no name */
	int direct;	      /* a device, pipe or socket: written as it is, not replaced */
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
