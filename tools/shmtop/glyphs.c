/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glyphs.c - sparks, bars, graphs.
 */
#include "glyphs.h"

#include <math.h>

const struct top_glyphs top_glyphs_utf8 = {
	"…", "·", "▲", "▼", "✕", "µ", " · ", "≤", "×",
	{ "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" },
	{ "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█" }
};
const struct top_glyphs top_glyphs_ascii = {
	"..", ".", "^", "v", "x", "u", " | ", "<=", "x",
	{ "_", ".", ",", "-", "=", "+", "*", "#" },
	{ "|", "|", "|", "|", "|", "|", "|", "|" }
};

static void find_range(top_series_fn at, const void *context, int n, float *ret_low,
		       float *ret_high)
{
	float low = INFINITY, high = -INFINITY, v;
	int i;

	for (i = 0; i < n; i++) {
		v = at(context, (unsigned)i);
		if (isfinite(v)) {
			low = fminf(low, v);
			high = fmaxf(high, v);
		}
	}
	*ret_low = low;
	*ret_high = high;
}

/* 0 to levels - 1 */
static int level_of(float v, float low, float high, int levels)
{
	int level = high > low ? (int)((v - low) / (high - low) * (float)levels) : 0;

	level = level < 0 ? 0 : level;
	return level >= levels ? levels - 1 : level;
}

void top_spark(struct top_cells *c, int x, int y, int room, const struct top_glyphs *g,
	       unsigned style, top_series_fn at, const void *context)
{
	float low, high, v, missing;
	int i;

	find_range(at, context, room, &low, &high);
	missing = fmaxf(fabsf(low), fabsf(high)) * 0.2f - (high - low);
	if (missing > 0) {
		low -= missing / 2;
		high += missing / 2;
	}
	for (i = 0; i < room; i++) {
		v = at(context, (unsigned)(room - 1 - i));
		if (isfinite(v))
			top_cells_put(c, x + i, y, 1, style,
				      g->spark[level_of(v, low, high, TOP_SPARK_LEVELS)]);
	}
}

void top_graph(struct top_cells *c, int x, int y, int width, int height, const struct top_glyphs *g,
	       top_series_fn at, const void *context, double *ret_low, double *ret_high)
{
	int levels = height * TOP_SPARK_LEVELS, i, line, level;
	float low, high, v;

	find_range(at, context, width, &low, &high);
	*ret_low = *ret_high = NAN;
	if (!(low <= high))
		return;
	low = fminf(low, 0);
	if (!(high > low))
		high = low + 1;
	*ret_low = (double)low;
	*ret_high = (double)high;
	for (i = 0; i < width; i++) {
		v = at(context, (unsigned)(width - 1 - i));
		if (!isfinite(v))
			continue;
		level = level_of(v, low, high, levels) + 1;
		for (line = 0; line < height && level > 0; line++, level -= TOP_SPARK_LEVELS)
			top_cells_put(c, x + i, y + height - 1 - line, 1, TOP_SPARK,
				      g->spark[level >= TOP_SPARK_LEVELS ? TOP_SPARK_LEVELS - 1
									 : level - 1]);
	}
}

void top_bar(struct top_cells *c, int x, int y, int room, const struct top_glyphs *g, unsigned style,
	     double share)
{
	int eighths, i;

	if (!(share > 0))
		return;
	eighths = (int)(fmin(share, 1) * room * TOP_SPARK_LEVELS + 0.5);
	eighths = eighths ? eighths : 1;
	for (i = 0; i < room && eighths > 0; i++, eighths -= TOP_SPARK_LEVELS)
		top_cells_put(c, x + i, y, 1, style,
			      g->bar[eighths >= TOP_SPARK_LEVELS ? TOP_SPARK_LEVELS - 1
								 : eighths - 1]);
}
