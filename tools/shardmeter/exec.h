/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.h - hand data to a command on its standard input, and wait for it.
 *
 * The command is run by /bin/sh -c in a process group of its own, so that whatever it starts can be
 * ended with it. Nothing that a segment says becomes part of it.
 */
#ifndef CLI_EXEC_H
#define CLI_EXEC_H

#include "cli.h"
#include "loop.h"

/*
 * exec_feed - run command, give it data, wait until it ends. After timeout_ns, or when one of the
 * loop's signals comes, its group gets SIGTERM (or that signal), and SIGKILL two seconds later. A
 * command that does not read all is no error. 0, or an exit code after a message: it ended with
 * another status than 0, by a signal, or was ended.
 */
int exec_feed(const struct cli *c, const char *command, const char *data, size_t len,
	uint64_t timeout_ns, struct loop *loop);

#endif
