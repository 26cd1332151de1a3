/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.c - the help: the table of keys, and what the columns say.
 */
#include "draw.h"

static const char *const legend[] = {
	"",
	"CHANGE/s  per second since the last sample, by measured time",
	"AVG MIN MAX  of the change, of gauges: of the value; averages decay",
	"p50 p95   half, 95 % of the observations of the last minute were at most this",
	"          ~ or dim: of the whole life, as none came in that time",
	"2s ago    of gauges NAME_timestamp_seconds: how long that is past",
	"LAST      change (of gauges: value) at each sample, newest right; gap: none",
	"reset !   a counter went back: its series was made anew",
	"stale     the writers of this value have ended; the last one is shown",
	"NOTE      more failures than 5 % or than usual; p95 above that of the whole life",
};

int top_help(const struct top_scene *s)
{
	int y = 0;
	size_t i;

	for (i = 0; i < top_nkeys; i++) {
		if (!top_keys[i].keys)
			continue;
		top_cells_put(s->c, 2, y, 24, TOP_KEY, top_keys[i].keys);
		top_cells_put(s->c, 27, y++, s->c->width, TOP_PLAIN, top_keys[i].help);
	}
	for (i = 0; i < sizeof(legend) / sizeof(legend[0]); i++)
		top_cells_put(s->c, 2, y++, s->c->width, TOP_PLAIN, legend[i]);
	return y;
}
