/* SPDX-License-Identifier: Apache-2.0 */
/* text_segment.c - what sm_snapshot_about() tells, as text. */
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct about_text {
	struct text *out;
	struct text labels;
	const char *family;	/* whose HELP and TYPE are out */
};

static int put_about(void *ctx, const struct sm_about *about)
{
	struct about_text *a = ctx;
	char number[64];
	size_t i;

	if (!a->family || strcmp(a->family, about->name) != 0)
		sm_text_family(a->out, about->name, about->help,
			       about->kind == SM_COUNTER ? "counter" : "gauge");
	a->family = about->name;
	a->labels.n = 0;
	for (i = 0; i < about->nlabels; i++)
		sm_text_label(&a->labels, about->labels[2 * i], about->labels[2 * i + 1],
			      strlen(about->labels[2 * i + 1]));
	sm_text_sample(a->out, about->name, "", &a->labels, number,
		       sm_format_units(about->units, about->decimals, number, sizeof(number)));
	return a->out->error;
}

void sm_text_about_segment(struct text *t, const struct sm_snapshot *s)
{
	struct about_text a = { .out = t };

	sm_snapshot_about(s, put_about, &a);
	free(a.labels.p);
}
