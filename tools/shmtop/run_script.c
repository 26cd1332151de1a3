/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_script.c - screens without a terminal, by a script: for tests and for reports of bugs.
 *
 * Not in the help, since it may change. A line is one of
 *
 *	keys TEXT	press keys; <Enter> <Esc> <Tab> <Up> ... are named, <Space> too
 *	resize W H	another size; 80 24 at the start
 *	clock SECONDS	the time of the next sample, since 1970
 *	tick N		N samples, each an interval after the other by the clock, without waiting
 *	dump FILE	append the screen as text; - is standard output
 *	styles FILE	append its styles, a letter a cell: see style_letters
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

/* By enum top_style; a capital is under the cursor. */
static const char style_letters[] = ".dbthskgwbx";

static const struct {
	const char *name;
	int code;
} named_keys[] = {
	{ "Enter", TOP_ENTER },		  { "Esc", TOP_ESC },
	{ "Tab", TOP_CODE_TAB },	  { "BackTab", TOP_CODE_BACKTAB },
	{ "Up", TOP_CODE_UP },		  { "Down", TOP_CODE_DOWN },
	{ "Left", TOP_CODE_LEFT },	  { "Right", TOP_CODE_RIGHT },
	{ "PgUp", TOP_CODE_PAGE_UP },	  { "PgDn", TOP_CODE_PAGE_DOWN },
	{ "Home", TOP_CODE_HOME },	  { "End", TOP_CODE_END },
	{ "Backspace", TOP_CODE_BACKSPACE }, { "Space", ' ' },
};

struct script {
	struct top_program *p;
	int width, height;
	uint64_t boot_ns, real_ns;
};

static int press(struct script *s, int code)
{
	top_view_key(&s->p->view, code, s->boot_ns);
	top_program_serve(s->p, s->boot_ns);
	return top_program_draw(s->p, s->width, s->height, s->boot_ns);
}

static int do_keys(struct script *s, const char *text)
{
	size_t i, n, used, len = strlen(text);
	uint32_t c;
	int rc = 0;

	for (; len && !rc; text += used, len -= used) {
		used = top_utf8_decode(text, len, &c);
		for (i = 0; c == '<' && i < sizeof(named_keys) / sizeof(named_keys[0]); i++) {
			n = strlen(named_keys[i].name);
			if (strncmp(text + 1, named_keys[i].name, n) != 0 || text[1 + n] != '>')
				continue;
			used = n + 2;
			c = (uint32_t)named_keys[i].code;
			break;
		}
		rc = press(s, (int)c);
	}
	return rc;
}

static int do_tick(struct script *s, const char *text)
{
	uint64_t step = (uint64_t)(s->p->view.delay_s * 1e9);
	unsigned long n = strtoul(text, NULL, 10);
	int rc = 0;

	for (; n && !rc; n--) {
		s->boot_ns += step;
		s->real_ns += step;
		if (!s->p->view.paused) {
			s->p->data.model.fake_boot_ns = s->boot_ns;
			s->p->data.model.fake_real_ns = s->real_ns;
			/* A sample that failed is on the screen. */
			if (top_program_sample(s->p) == TOP_SOURCE_REPLACED)
				top_view_note(&s->p->view, s->boot_ns + TOP_NOTE_NS,
					      "the segment was made anew: values start over");
		}
		rc = top_program_draw(s->p, s->width, s->height, s->boot_ns);
	}
	return rc;
}

static void dump_styles(const struct top_cells *c, int y, struct buf *b)
{
	unsigned style;
	char letter;
	int x;

	for (x = 0; x < c->width; x++) {
		style = c->cell[(size_t)y * (size_t)c->width + (size_t)x].style;
		letter = style_letters[style & ~TOP_SELECTED];
		if (style & TOP_SELECTED)
			letter = letter == '.' ? '_' : (char)(letter - 'a' + 'A');
		buf_put(b, &letter, 1);
	}
}

static int do_dump(struct script *s, const char *path, int styles)
{
	int rc = top_program_draw(s->p, s->width, s->height, s->boot_ns), y, status;
	struct buf b = { 0 };
	FILE *f;

	for (y = 0; !rc && y < s->p->cells.height; y++) {
		if (styles)
			dump_styles(&s->p->cells, y, &b);
		else
			top_cells_row(&s->p->cells, y, &b);
		buf_puts(&b, "\n");
	}
	if (!rc && !strcmp(path, "-")) {
		/* Whoever reads the screens has gone: that is the end, and no error. */
		s->p->view.quit |= top_put_out(&b, &status) != 0;
	} else if (!rc) {
		f = fopen(path, "ae");
		if (!f || fwrite(b.data, 1, b.len, f) != b.len)
			rc = -errno;
		if (f && fclose(f) && !rc)
			rc = -errno;
	}
	buf_free(&b);
	return rc;
}

/* 0, -EINVAL: no such line, or another error. */
static int obey(struct script *s, char *line)
{
	char *arg = strchr(line, ' ');

	arg = arg ? arg + 1 : line + strlen(line);
	if (!line[0] || line[0] == '#')
		return 0;
	if (!strncmp(line, "keys ", 5))
		return do_keys(s, arg);
	if (!strncmp(line, "tick ", 5))
		return do_tick(s, arg);
	if (!strncmp(line, "dump ", 5))
		return do_dump(s, arg, 0);
	if (!strncmp(line, "styles ", 7))
		return do_dump(s, arg, 1);
	if (!strncmp(line, "clock ", 6)) {
		s->real_ns = strtoull(arg, NULL, 10) * TOP_SECOND;
		return 0;
	}
	if (!strncmp(line, "resize ", 7) && sscanf(arg, "%d %d", &s->width, &s->height) == 2)
		return top_program_draw(s->p, s->width, s->height, s->boot_ns);
	return -EINVAL;
}

int top_run_script(struct top_program *p)
{
	struct script s = { .p = p, .width = 80, .height = 24 };
	char line[1024], message[1200];
	FILE *f = fopen(p->options.script, "re");
	int rc = top_program_sample(p);

	if (!f || rc < 0) {
		snprintf(message, sizeof(message), "%.500s: %s", p->options.script,
			 f ? p->data.model.status.trouble : strerror(errno));
		top_complain(p->escape, message, NULL);
		if (f)
			fclose(f);
		return TOP_EXIT_ERROR;
	}
	s.boot_ns = p->data.model.boot_ns;
	s.real_ns = p->data.model.status.real_ns;
	rc = top_program_draw(p, s.width, s.height, s.boot_ns);
	while (!rc && !p->view.quit && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		rc = obey(&s, line);
		if (!rc)
			continue;
		snprintf(message, sizeof(message), "%.300s: \"%.500s\": %s", p->options.script, line,
			 rc == -EINVAL ? "what is that?" : strerror(-rc));
		top_complain(p->escape, message, NULL);
	}
	fclose(f);
	return rc ? TOP_EXIT_ERROR : TOP_EXIT_OK;
}
