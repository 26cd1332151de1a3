/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer.h - HTTP requests by libcurl, which is loaded when it is first needed.
 *
 * Loaded, not linked: libcurl brings some 30 libraries, and every `shardmeter inc` of a script would
 * pay for them at its start (measured: 1.2 ms without, 4.6 ms with).
 *
 * Certificates are always verified, redirects are not followed, only http and https are spoken.
 */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

#include "cli.h"

struct transfer {
	const char *method, *url;
	const char *body; /* NULL: none */
	size_t len;
	const char *type;    /* the body's Content-Type */
	const char *ca_file; /* NULL: the system's */
	const char *netrc;   /* NULL: ~/.netrc, if there is one */
	uint64_t timeout_ns;
	bool (*stop)(void *ctx); /* asked about once a second; NULL: never */
	void *ctx;
};

struct transfer_answer {
	long status;	 /* 0: there was none, see error */
	bool stopped;	 /* by stop() */
	char body[2048]; /* its beginning, NUL-terminated, whatever the server sent */
	char error[256];
};

/* 0 or an exit code after a message. */
int transfer_load(const struct cli *c);

/* 0 if the server answered, with whatever status; else -1. Connections are kept for the next one. */
int transfer_do(const struct transfer *t, struct transfer_answer *ret_answer);

void transfer_end(void);

#endif
