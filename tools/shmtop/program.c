/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - what the modes share.
 */
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "settings.h"

uint64_t top_monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * TOP_SECOND + (uint64_t)t.tv_nsec;
}

void top_sleep_until(uint64_t then_ns)
{
	struct timespec t = { (time_t)(then_ns / TOP_SECOND), (long)(then_ns % TOP_SECOND) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

void top_complain(unsigned escape, const char *what, const char *remedy)
{
	struct buf b = { 0 };

	top_escape(&b, what, strlen(what), escape);
	fprintf(stderr, "shmtop: %s%s%s\n", b.data ? b.data : "", remedy ? "\n  " : "",
		remedy ? remedy : "");
	buf_free(&b);
}

int top_put_out(const struct buf *b, int *ret_exit)
{
	size_t done = 0;
	ssize_t n;

	if (b->failed) {
		top_complain(0, "out of memory", NULL);
		*ret_exit = TOP_EXIT_ERROR;
		return -1;
	}
	while (done < b->len) {
		n = write(STDOUT_FILENO, b->data + done, b->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EPIPE) {
				fprintf(stderr, "shmtop: cannot write: %s\n", strerror(errno));
				*ret_exit = TOP_EXIT_ERROR;
			}
			return -1;
		}
		done += (size_t)n;
	}
	return 0;
}

void top_local_time(uint64_t real_ns, char ret[16])
{
	time_t seconds = (time_t)(real_ns / TOP_SECOND);
	struct tm tm;

	ret[0] = '\0';
	if (localtime_r(&seconds, &tm))
		strftime(ret, 16, "%H:%M:%S", &tm);
}

/* ---- samples -------------------------------------------------------------------------------- */

static void want(struct top_program *p)
{
	struct top_ref refs[TOP_PARTS_REFS];

	top_parts_want(&p->data.parts, refs, top_view_refs(&p->view, &p->data, refs));
	p->source.parts = &p->data.parts;
	p->source.slows = p->view.id == TOP_SLOW ? &p->data.slows : NULL;
}

int top_program_sample(struct top_program *p)
{
	int rc;

	want(p);
	p->data.model.window = p->view.window;
	rc = top_source_sample(&p->source, &p->data.model);
	if (top_ops_update(&p->data.ops, &p->data.model)) {
		top_ops_release(&p->data.ops);
		rc = rc < 0 ? rc : -ENOMEM;
	}
	p->view.sample_now = 0;
	return rc;
}

void top_program_serve(struct top_program *p, uint64_t now_ns)
{
	char path[TOP_NAME];
	int rc;

	if (p->view.look) {
		want(p);
		top_source_look(&p->source, &p->data.model);
		p->view.look = 0;
	}
	if (p->view.reset) {
		top_model_reset_stats(&p->data.model);
		p->view.reset = 0;
	}
	if (p->view.window != p->data.model.window) {
		top_model_set_window(&p->data.model, p->view.window);
		if (top_ops_update(&p->data.ops, &p->data.model))
			top_ops_release(&p->data.ops);
	}
	if (p->view.save) {
		p->view.save = 0;
		rc = top_settings_save(&p->view, path, sizeof(path));
		if (rc == -ENOENT && !path[0])
			top_view_note(&p->view, now_ns + TOP_NOTE_NS,
				      "not saved: neither XDG_CONFIG_HOME nor HOME is set");
		else if (rc)
			top_view_note(&p->view, now_ns + TOP_NOTE_NS, "not saved: %.150s: %s", path,
				      strerror(-rc));
		else
			top_view_note(&p->view, now_ns + TOP_NOTE_KEY_NS, "saved in %.200s", path);
	}
}

int top_program_draw(struct top_program *p, int width, int height, uint64_t now_ns)
{
	struct top_scene scene = { .c = &p->cells, .d = &p->data, .v = &p->view, .g = p->glyphs,
				   .now_ns = now_ns };
	char clock[16];

	if (top_view_arrange(&p->view, &p->data) || top_cells_resize(&p->cells, width, height))
		return -ENOMEM;
	top_local_time(p->data.model.status.real_ns, clock);
	scene.local_time = clock;
	p->view.list[p->view.id].hidden = top_table_hidden(&scene);
	top_view_fit(&p->view, top_draw_page(p->cells.width, p->cells.height));
	top_draw(&scene);
	return 0;
}
