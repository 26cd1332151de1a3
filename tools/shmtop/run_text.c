/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_text.c - samples as text on standard output, and the linear mode.
 */
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "accessible.h"
#include "output.h"
#include "program.h"
#include "segments.h"

static void render(struct top_program *p, struct buf *b, unsigned long number, int average)
{
	switch (p->options.format) {
	case TOP_FORMAT_JSON:
		top_output_json(b, &p->data, &p->view);
		break;
	case TOP_FORMAT_CSV:
		if (!number)
			top_output_csv_head(b);
		top_output_csv(b, &p->data, &p->view);
		break;
	case TOP_FORMAT_OPENMETRICS:
		top_output_openmetrics(b, &p->data, &p->view);
		break;
	default:
		if (number)
			buf_puts(b, "\n");
		top_output_table(b, &p->data, &p->view, average);
		break;
	}
}

/* One sample as text. 0, or -1 to stop. */
static int text_sample(struct top_program *p, unsigned long number, int average, int *ret_exit)
{
	struct buf b = { 0 };
	int rc;

	*ret_exit = TOP_EXIT_OK;
	p->view.id = TOP_SERIES;
	if (top_view_arrange(&p->view, &p->data)) {
		top_complain(p->escape, "out of memory", NULL);
		*ret_exit = TOP_EXIT_ERROR;
		return -1;
	}
	if (!p->view.list[TOP_SERIES].n && p->view.filter.text[0]) {
		fprintf(stderr, "shmtop: no series matches the filter \"%s\"\n",
			p->view.filter.text);
		*ret_exit = TOP_EXIT_NOTHING;
	}
	render(p, &b, number, average);
	rc = top_put_out(&b, ret_exit);
	buf_free(&b);
	return rc;
}

/* The terminal that a table is printed on; 0 if it is none. */
static int output_width(const struct top_program *p)
{
	struct winsize size;

	if (p->options.format != TOP_FORMAT_TABLE || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

static int first_sample(struct top_program *p)
{
	int rc = top_program_sample(p);

	if (rc < 0)
		top_complain(p->escape, p->data.model.status.trouble, top_remedy(rc));
	return rc < 0 ? rc : 0;
}

/* Wait for the next sample and take it. */
static int next_sample(struct top_program *p, uint64_t *next_ns)
{
	*next_ns += (uint64_t)(p->options.delay_s * 1e9);
	if (*next_ns < top_monotonic_ns())
		*next_ns = top_monotonic_ns();	/* we were stopped: do not catch up */
	top_sleep_until(*next_ns);
	return top_program_sample(p);
}

int top_run_text(struct top_program *p)
{
	int once = p->options.mode == TOP_MODE_ONCE, status = TOP_EXIT_OK, rc;
	uint64_t next = top_monotonic_ns();
	unsigned long n;

	p->view.text_width = output_width(p);
	rc = first_sample(p);
	if (rc)
		return top_exit_of(rc);
	if (once) {
		text_sample(p, 0, 1, &status);
		return status;
	}
	for (n = 0; !p->options.count || n < p->options.count; n++) {
		if (next_sample(p, &next) < 0)
			top_complain(p->escape, p->data.model.status.trouble, NULL);
		if (text_sample(p, n, 0, &status))
			break;
	}
	return status;
}

int top_run_accessible(struct top_program *p)
{
	uint64_t next = top_monotonic_ns();
	struct top_facts known = { 0 };
	int status = TOP_EXIT_OK, rc;
	struct buf b = { 0 };
	unsigned long n;
	char clock[16];

	rc = first_sample(p);
	if (rc)
		return top_exit_of(rc);
	top_accessible_summary(&b, &p->data, p->glyphs);
	rc = top_accessible_changes(&b, &p->data, &known, "");
	for (n = 0; !rc && !top_put_out(&b, &status) &&
		    (!p->options.count || n < p->options.count);
	     n++) {
		b.len = 0;
		rc = next_sample(p, &next);
		top_local_time(p->data.model.status.real_ns, clock);
		if (rc == TOP_SOURCE_REPLACED)
			buf_printf(&b, "%s the segment was made anew: values start over\n", clock);
		rc = top_accessible_changes(&b, &p->data, &known, clock);
	}
	if (rc) {
		top_complain(p->escape, "out of memory", NULL);
		status = TOP_EXIT_ERROR;
	}
	top_facts_release(&known);
	buf_free(&b);
	return status;
}
