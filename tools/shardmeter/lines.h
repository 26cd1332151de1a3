/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.h - lines of a file descriptor as they come, of bounded length. Depends on nothing.
 *
 * A line is handed out as soon as its end is there, so a pipe that stays open works; what follows
 * the last line end is a line, too.
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stddef.h>

#define LINE_MAX_BYTES 65536

struct lines {
	int fd;
	size_t start, end; /* of what was read and not handed out yet */
	int eof;
	int skipping; /* inside a line that was too long */
	char data[2 * LINE_MAX_BYTES];
};

/*
 * lines_next - the next line, without its end (LF or CR LF), NUL-terminated, valid until the next
 * call. Returns 1 and a line; 0 at the end; -errno; or -EMSGSIZE for a line that is too long, which
 * is then passed over: go on.
 */
int lines_next(struct lines *l, char **ret_line, size_t *ret_len);

#endif
