/* SPDX-License-Identifier: Apache-2.0 */
/* diag.c - see diag.h. */
#include "diag.h"

#include <stdarg.h>
#include <stdio.h>

/* Names of callers and files go into messages, and messages to terminals. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f ||
		    ((unsigned char)text[0] == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0))
			*text = '?';
}

int sm_diag_set(struct sm_diag *d, int error, const char *fmt, ...)
{
	va_list ap;

	if (!d)
		return error;
	d->error = error;
	va_start(ap, fmt);
	vsnprintf(d->message, sizeof(d->message), fmt, ap);
	va_end(ap);
	make_printable(d->message);
	return error;
}
