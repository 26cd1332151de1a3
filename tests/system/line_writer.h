/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line_writer.h - a program that counts as the lines of its standard input say, and answers "ok" to
 * each: PROGRAM SEGMENT WRITER. Its counterpart is Writer in process_util.py.
 */
#ifndef LINE_WRITER_H
#define LINE_WRITER_H

#include <shardmeter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sm *m;

static struct sm_family *declare(const struct sm_family_options *o)
{
	struct sm_diag diag;
	struct sm_family *f = sm_declare(m, o, &diag);

	if (diag.error) {
		fprintf(stderr, "%s: %s\n", o->name, diag.message);
		exit(1);
	}
	return f;
}

/* Decode hex digits; the bytes, at most 512, are in a static buffer. */
static struct sm_str from_hex(const char *hex)
{
	static char text[512];
	struct sm_str s = { text, 0 };
	char digits[3] = "";

	for (; s.len < sizeof(text) && hex[0] && hex[1]; hex += 2) {
		memcpy(digits, hex, 2);
		text[s.len++] = (char)strtoul(digits, NULL, 16);
	}
	return s;
}

/* Open, begin, and obey lines until obey() returns 0 or there are no more. The exit code. */
static int serve(int argc, char **argv, struct sm_options o, void (*begin)(void),
	int (*obey)(const char *line))
{
	struct sm_diag diag;
	char line[2048];

	if (argc != 3)
		return 2;
	o.segment = argv[1];
	o.writer = argv[2];
	o.app_version = "2.14.0";
	o.flags = SM_OPEN_NO_ENVIRONMENT;
	m = sm_open(&o, &diag);
	if (diag.error) {
		fprintf(stderr, "%s: %s\n", argv[0], diag.message);
		return 1;
	}
	if (begin)
		begin();
	do {
		printf("ok\n");
		fflush(stdout);
	} while (fgets(line, sizeof(line), stdin) && obey(line));
	sm_close(m);
	return 0;
}

#endif
