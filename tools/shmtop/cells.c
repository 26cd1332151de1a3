/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cells.c - a screen in memory.
 *
 * A wide character takes two cells; the right one has ch 0. Writing over one half of a wide
 * character blanks the other, so that the row always has as many columns as the screen.
 */
#include "cells.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

int top_cells_resize(struct top_cells *c, int width, int height)
{
	struct top_cell *cell;

	width = width < 1 ? 1 : width > TOP_WIDTH_MAX ? TOP_WIDTH_MAX : width;
	height = height < 1 ? 1 : height > TOP_HEIGHT_MAX ? TOP_HEIGHT_MAX : height;
	if (!c->cell || c->width != width || c->height != height) {
		cell = calloc((size_t)width * (size_t)height, sizeof(*cell));
		if (!cell)
			return -ENOMEM;
		free(c->cell);
		c->cell = cell;
		c->width = width;
		c->height = height;
	}
	top_cells_clear(c);
	return 0;
}

void top_cells_release(struct top_cells *c)
{
	free(c->cell);
	memset(c, 0, sizeof(*c));
}

void top_cells_clear(struct top_cells *c)
{
	size_t i, n = (size_t)c->width * (size_t)c->height;

	memset(c->cell, 0, n * sizeof(*c->cell));
	for (i = 0; i < n; i++)
		c->cell[i].ch = ' ';
	c->cursor_x = c->cursor_y = 0;
}

static struct top_cell *cell_at(struct top_cells *c, int x, int y)
{
	if (x < 0 || y < 0 || x >= c->width || y >= c->height)
		return NULL;
	return &c->cell[(size_t)y * (size_t)c->width + (size_t)x];
}

static void blank(struct top_cell *cell)
{
	if (!cell)
		return;
	cell->ch = ' ';
	memset(cell->marks, 0, sizeof(cell->marks));
}

static void set(struct top_cells *c, int x, int y, uint32_t ch, unsigned style)
{
	struct top_cell *cell = cell_at(c, x, y), *right = cell_at(c, x + 1, y);

	if (!cell->ch)
		blank(cell_at(c, x - 1, y));
	else if (right && !right->ch)
		blank(right);
	blank(cell);
	cell->ch = ch;
	cell->style = (uint8_t)style;
}

static void add_mark(struct top_cell *cell, uint32_t mark)
{
	int i;

	for (i = 0; i < TOP_CELL_MARKS; i++) {
		if (!cell->marks[i]) {
			cell->marks[i] = mark;
			return;
		}
	}
}

int top_cells_put(struct top_cells *c, int x, int y, int room, unsigned style, const char *s)
{
	size_t len = strlen(s), used;
	struct top_cell *last = NULL;
	int start = x, width;
	uint32_t ch;

	if (x < 0 || y < 0 || y >= c->height)
		return 0;
	if (room > c->width - x)
		room = c->width - x;
	for (; len; s += used, len -= used) {
		used = top_utf8_decode(s, len, &ch);
		width = ch < 0x80 || ch == UINT32_MAX ? 1 : wcwidth((wchar_t)ch);
		/* What was not escaped is not shown either. */
		if (ch == UINT32_MAX || width < 0 || ch < 0x20) {
			ch = '?';
			width = 1;
		}
		if (!width) {
			if (last)
				add_mark(last, ch);
			continue;
		}
		if (x - start + width > room)
			break;
		if (width == 2) {
			set(c, x + 1, y, ' ', style);
			set(c, x, y, ch, style);
			cell_at(c, x + 1, y)->ch = 0;
		} else {
			set(c, x, y, ch, style);
		}
		last = cell_at(c, x, y);
		x += width;
	}
	return x - start;
}

void top_cells_put_right(struct top_cells *c, int x, int y, int room, unsigned style,
			 const char *s)
{
	int width = top_width(s);

	if (width < room)
		x += room - width;
	top_cells_put(c, x, y, width < room ? width : room, style, s);
}

void top_cells_fill(struct top_cells *c, int x, int y, int room, unsigned style)
{
	struct top_cell *cell;

	for (; room > 0; room--, x++) {
		cell = cell_at(c, x, y);
		if (!cell)
			continue;
		if (style == TOP_SELECTED)
			cell->style |= TOP_SELECTED;
		else
			cell->style = (uint8_t)style;
	}
}

void top_cells_blank(struct top_cells *c, int y)
{
	int x;

	for (x = 0; x < c->width && y >= 0 && y < c->height; x++)
		*cell_at(c, x, y) = (struct top_cell){ .ch = ' ' };
}

void top_cells_copy(struct top_cells *c, int y, int lines, const struct top_cells *page, int first)
{
	int width = page->width < c->width ? page->width : c->width;

	for (; lines > 0 && y < c->height && first < page->height; lines--, y++, first++)
		memcpy(&c->cell[(size_t)y * (size_t)c->width],
		       &page->cell[(size_t)first * (size_t)page->width],
		       (size_t)width * sizeof(*c->cell));
}

void top_cells_row(const struct top_cells *c, int y, struct buf *b)
{
	const struct top_cell *row = &c->cell[(size_t)y * (size_t)c->width];
	int x, i, end = c->width;
	char utf8[4];

	while (end > 0 && row[end - 1].ch == ' ')
		end--;
	for (x = 0; x < end; x++) {
		if (!row[x].ch)
			continue;
		buf_put(b, utf8, top_utf8_encode(row[x].ch, utf8));
		for (i = 0; i < TOP_CELL_MARKS && row[x].marks[i]; i++)
			buf_put(b, utf8, top_utf8_encode(row[x].marks[i], utf8));
	}
}
