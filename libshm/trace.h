/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - W3C trace context: the traceparent header, and ids of our own. */
#ifndef SM_TRACE_H
#define SM_TRACE_H

#include <stddef.h>
#include <stdint.h>

#define TRACE_SAMPLED 0x01u	/* of the header's flags, the one we know */

struct trace_parent {
	uint8_t trace_id[16];
	uint8_t parent_id[8];
	uint8_t flags;
};

/* Strict: lower-case hexadecimal, version 00 to fe, ids not all zero. 0, or -EINVAL (also for
 * NULL). */
int trace_parse(const char *header, struct trace_parent *ret);

/* "00-<trace>-<span>-<flags>": 55 characters and a NUL. */
void trace_format(const uint8_t trace_id[16], const uint8_t span_id[8], uint8_t flags,
		  char ret_header[56]);

/* Make trace_id() cheap; it works without. Thread: safe. Signal: unsafe. */
void trace_init(void);

/* n random bytes (8 or 16), not all zero. About 2 ns each word. Other than the parent's after a
 * fork, and in each thread. Not for secrets. Thread: safe. */
void trace_id(uint8_t *ret_id, size_t n);

#endif
