/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - see model.h. */
#include "exporter/exposition/model.h"

#include <string.h>

enum model_type model_type_of(enum sm_kind kind)
{
	switch (kind) {
	case SM_COUNTER:
		return MODEL_COUNTER;
	case SM_HISTOGRAM:
		return MODEL_HISTOGRAM;
	case SM_INFO:
		return MODEL_INFO;
	case SM_STATESET:
		return MODEL_STATESET;
	default:
		return MODEL_GAUGE;
	}
}

void model_family_init(struct model_family *f, const char *name, const char *help, const char *unit,
	enum model_type type)
{
	const char *suffix = type == MODEL_COUNTER ? "_total" : type == MODEL_INFO ? "_info" : "";
	size_t len = strlen(name), cut = strlen(suffix);
	int ends = len > cut && memcmp(name + len - cut, suffix, cut) == 0;

	*f = (struct model_family){ .name = name, .name_len = len, .help = help, .unit = unit,
		.type = type, .base_len = ends ? len - cut : len, .plain = !ends };
}
