/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cli.h - for the tests of the shardmeter command: what goes to a standard stream, as text.
 *
 *	capture_begin(&cap, stderr);
 *	...
 *	text = capture_end(&cap);	// valid until the next capture_begin()
 */
#ifndef TEST_CLI_H
#define TEST_CLI_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/shardmeter/cli.h"

struct capture {
	FILE *stream;
	int saved, file;
	char text[65536];
};

static inline void capture_begin(struct capture *c, FILE *stream)
{
	fflush(stream);
	c->stream = stream;
	c->saved = dup(fileno(stream));
	c->file = memfd_create("capture", MFD_CLOEXEC);
	assert_true(c->saved >= 0 && c->file >= 0);
	assert_true(dup2(c->file, fileno(stream)) >= 0);
}

static inline const char *capture_end(struct capture *c)
{
	ssize_t n;

	fflush(c->stream);
	n = pread(c->file, c->text, sizeof(c->text) - 1, 0);
	assert_true(n >= 0);
	c->text[n] = '\0';
	assert_true(dup2(c->saved, fileno(c->stream)) >= 0);
	close(c->saved);
	close(c->file);
	return c->text;
}

/* A run of some command, for functions that only report. */
static const struct cli test_cli __attribute__((unused)) = { .command = &cli_cmd_inc };

/* Text that code printed: PRINTED(f, put(f, ...)) gives it, valid until the next one. */
static char printed_text[65536] __attribute__((unused));
#define PRINTED(f, ...)                                                      \
	({                                                                   \
		FILE *f = fmemopen(printed_text, sizeof(printed_text), "w"); \
		assert_non_null(f);                                          \
		__VA_ARGS__;                                                 \
		fclose(f);                                                   \
		printed_text;                                                \
	})

#endif
