/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c - see lines.h. */
#include "lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Read more behind what is there. 1, 0 at the end, -errno. */
static int fill(struct lines *l)
{
	ssize_t n;

	if (l->start > 0) {
		memmove(l->data, l->data + l->start, l->end - l->start);
		l->end -= l->start;
		l->start = 0;
	}
	do
		n = read(l->fd, l->data + l->end, sizeof(l->data) - 1 - l->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	l->eof = n == 0;
	l->end += (size_t)n;
	return n > 0;
}

static int hand_out(struct lines *l, char *end, char **ret_line, size_t *ret_len)
{
	char *line = l->data + l->start;
	size_t len = (size_t)(end - line);

	l->start += len + (end < l->data + l->end);
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	*ret_line = line;
	*ret_len = len;
	return 1;
}

int lines_next(struct lines *l, char **ret_line, size_t *ret_len)
{
	char *end;
	int rc;

	for (;;) {
		end = memchr(l->data + l->start, '\n', l->end - l->start);
		if (end && l->skipping) {
			l->start = (size_t)(end - l->data) + 1;
			l->skipping = 0;
			continue;
		}
		if (end && end - (l->data + l->start) > LINE_MAX_BYTES) {
			l->start = (size_t)(end - l->data) + 1;
			return -EMSGSIZE;
		}
		if (end)
			return hand_out(l, end, ret_line, ret_len);
		if (l->skipping)
			l->start = l->end;
		if (l->end - l->start > LINE_MAX_BYTES) {
			l->skipping = 1;
			return -EMSGSIZE;
		}
		if (l->eof && l->start == l->end)
			return 0;
		if (l->eof)
			return hand_out(l, l->data + l->end, ret_line, ret_len);
		rc = fill(l);
		if (rc < 0)
			return rc;
	}
}
