/* SPDX-License-Identifier: Apache-2.0 */
/* diag.c - see diag.h. */
#include "diag.h"

#include <stdarg.h>
#include <stdio.h>

int sm_diag_set(struct sm_diag *d, int error, const char *fmt, ...)
{
	va_list ap;

	if (!d)
		return error;
	d->error = error;
	va_start(ap, fmt);
	vsnprintf(d->message, sizeof(d->message), fmt, ap);
	va_end(ap);
	return error;
}
