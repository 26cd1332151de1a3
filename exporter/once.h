/* SPDX-License-Identifier: Apache-2.0 */
/*
 * once.h - one exposition to a file or to standard output (--once).
 *
 * Depends on pages.h.
 */
#ifndef EXPORTER_ONCE_H
#define EXPORTER_ONCE_H

#include "exporter/pages.h"

/*
 * once - write what a scrape would see now, whatever the segments' state. path "" is standard output;
 * a file is replaced as a whole, and stays as it was when that fails. Logs what is wrong. Returns the
 * program's exit code: 0, or that of the first segment that is not there.
 */
int once(const struct pages *p, const char *path);

#endif /* EXPORTER_ONCE_H */
