/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reasons.c - why something was refused: the label values of shardmeter_refused_total and a
 * sentence with the remedy for each. The only list of these texts; layout.h numbers the reasons.
 */
#include <shardmeter_reader.h>

#include "layout.h"

_Static_assert((int)SM_REFUSED_REASONS == (int)SM_REFUSED_COUNT, "the public count of reasons");

static const struct {
	const char *name;
	const char *help;
} reasons[SM_REFUSED_COUNT] = {
	[SM_REFUSED_CAP] = { "cap",
		"A family is at its cap: further label sets count in its __other__ series. "
		"Use fewer label values, or raise .cap." },
	[SM_REFUSED_SERIES_FULL] = { "series_full",
		"The segment has no free series record. Remove series, "
		"or create it with a larger max_series." },
	[SM_REFUSED_FAMILIES_FULL] = { "families_full",
		"The segment has no free family record. Create it with a larger max_families." },
	[SM_REFUSED_CELLS_FULL] = { "cells_full",
		"The segment has no free cells. Use fewer histograms, switch fine grids off, "
		"or create it with a larger max_cells." },
	[SM_REFUSED_STRINGS_FULL] = { "strings_full",
		"The segment has no room for label values. Use shorter ones, "
		"or create it with a larger max_series." },
	[SM_REFUSED_NO_SPACE] = { "no_space",
		"The file system of the segment is full. Enlarge it (docker: --shm-size), "
		"or use fewer series or writers." },
	[SM_REFUSED_LABEL_VALUE] = { "label_value",
		"A label value was longer than 1024 bytes or not UTF-8." },
	[SM_REFUSED_LOCK_TIMEOUT] = { "lock_timeout",
		"The catalog lock was not free in time: a process that holds it is stopped. "
		"It was tried again later." },
	[SM_REFUSED_CONFLICT] = { "conflict",
		"A family was declared differently while a live writer holds it. "
		"Use one definition everywhere." },
	[SM_REFUSED_VALUE] = { "value",
		"A value was NaN, negative or too large for what it was added to." },
	[SM_REFUSED_WRITERS_FULL] = { "writers_full",
		"Every writer slot is taken by a live process. "
		"Create the segment with a larger max_writers." },
	[SM_REFUSED_EXEMPLAR] = { "exemplar",
		"An exemplar was over 128 code points, malformed, or met another at its slot." },
	[SM_REFUSED_RING_PART] = { "slow_part",
		"A checkpoint or attribute of a slow operation did not fit its record." },
	[SM_REFUSED_RING_RATE] = { "slow_rate",
		"Slow operations came faster than the rate limit and were not recorded. "
		"Raise the threshold, or .slow_per_second." },
	[SM_REFUSED_LOST_UPDATE] = { "lost_update",
		"An update had no cell to go to: a forked child could claim no slot, "
		"or memory was full." },
	[SM_REFUSED_INVALID] = { "invalid",
		"A declaration, a name, the number of label values or the kind of a handle was not valid. "
		"The diagnostics of sm_declare() and of the command line say what." },
};

const char *sm_refused_reason(unsigned reason)
{
	return reason < SM_REFUSED_COUNT ? reasons[reason].name : NULL;
}

const char *sm_refused_help(unsigned reason)
{
	return reason < SM_REFUSED_COUNT ? reasons[reason].help : NULL;
}
