/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip.h - compress an answer.
 *
 * Depends on common/buf.h and ISA-L, whose level 1 compresses text as well as zlib's level 1 in a
 * quarter of the time. The same bytes always give the same bytes: no name, no time.
 */
#ifndef EXPOSITION_GZIP_H
#define EXPOSITION_GZIP_H

#include "common/buf.h"

/* gzip_compress - append data, compressed, to out. 0, or -ENOMEM. */
int gzip_compress(struct buf *out, const char *data, size_t len);

#endif /* EXPOSITION_GZIP_H */
