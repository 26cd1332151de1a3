/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.c - find the segment that is meant, ask if there are several, wait if there is none.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "segments.h"
#include "term.h"

#define NOT_READY_NS (3 * TOP_SECOND)	/* how long a creator may take before we say so */

static void complain_about(const struct top_program *p, int rc, const char *path,
			   const struct sm_diag *diag)
{
	struct buf b = { 0 };

	if (rc == -ENOENT && !path[0])
		buf_puts(&b, "there is no segment: looked in /run/shardmeter and for "
			     "/dev/shm/shardmeter.*");
	else if (rc == -ENOENT)
		buf_printf(&b, "there is no segment %s", path);
	else if (rc == SM_NOT_READY)
		buf_printf(&b, "the segment %s is not ready", path);
	else if (path[0] && strstr(diag->message, path))
		buf_puts(&b, diag->message);
	else
		buf_printf(&b, "%s%s%s", path, path[0] ? ": " : "",
			   diag->message[0] ? diag->message : strerror(-rc));
	/* The library's own words about permissions say what to do. */
	top_complain(p->escape, b.data ? b.data : "out of memory",
		     rc == -EACCES && diag->message[0] ? NULL : top_remedy(rc));
	buf_free(&b);
}

/* On a terminal, ask which of several segments is meant. 0 or -EMLINK. */
static int ask(const struct top_program *p, const struct top_segment *list, int n,
	       char path[PATH_MAX])
{
	char answer[32];
	long i;

	fprintf(stderr, "shmtop: there are several segments:\n");
	top_segments_print(stderr, list, n, p->escape);
	if (!top_term_usable() || p->options.mode != TOP_MODE_SCREEN) {
		fprintf(stderr, "  %s\n", top_remedy(-EMLINK));
		return -EMLINK;
	}
	fprintf(stderr, "Which one, 1 to %d? ", n);
	if (!fgets(answer, sizeof(answer), stdin))
		return -EMLINK;
	i = strtol(answer, NULL, 10);
	if (i < 1 || i > n) {
		fprintf(stderr, "shmtop: none chosen\n");
		return -EMLINK;
	}
	memcpy(path, list[i - 1].path, PATH_MAX);
	return 0;
}

static int attach_once(struct top_program *p, char path[PATH_MAX], struct sm_diag *diag)
{
	struct top_segment *list = NULL;
	int rc, n = 0;

	path[0] = '\0';
	memset(diag, 0, sizeof(*diag));
	rc = top_segments_choose(p->options.segment, path, &list, &n);
	if (rc == -EMLINK)
		rc = ask(p, list, n, path);
	free(list);
	if (rc)
		return rc;
	return top_source_open(&p->source, path, diag);
}

static void say_waiting(const struct top_program *p, const char *path)
{
	struct buf b = { 0 };

	if (path[0])
		buf_printf(&b, "waiting for the segment %s", path);
	else
		buf_puts(&b, "waiting for a segment in /run/shardmeter or /dev/shm");
	if (p->options.wait_s > 0)
		buf_printf(&b, ", %g s at most", p->options.wait_s);
	else
		buf_puts(&b, "; Ctrl-C ends");
	top_complain(p->escape, b.data ? b.data : "waiting", NULL);
	buf_free(&b);
}

int top_attach(struct top_program *p)
{
	uint64_t start = top_monotonic_ns(), patience;
	char path[PATH_MAX];
	struct sm_diag diag;
	int rc, waits = p->options.wait_s != 0, said = 0;

	for (;;) {
		rc = attach_once(p, path, &diag);
		if (rc != -ENOENT && rc != SM_NOT_READY)
			break;
		patience = rc == SM_NOT_READY ? NOT_READY_NS : 0;
		if (waits)
			patience = p->options.wait_s < 0 ? UINT64_MAX
							 : (uint64_t)(p->options.wait_s * 1e9);
		if (top_monotonic_ns() - start >= patience)
			break;
		if (waits && !said++)
			say_waiting(p, path);
		top_sleep_until(top_monotonic_ns() + TOP_SECOND / 5);
	}
	if (rc && rc != -EMLINK)
		complain_about(p, rc, path, &diag);
	return rc;
}
