/* SPDX-License-Identifier: Apache-2.0 */
/* diag.h - fill the caller's struct sm_diag. */
#ifndef SM_DIAG_H
#define SM_DIAG_H

#include <shardmeter.h>

/* Stores error (0 or -errno) and the text, returns error. d may be NULL. Long texts are cut. */
int sm_diag_set(struct sm_diag *d, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
