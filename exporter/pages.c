/* SPDX-License-Identifier: Apache-2.0 */
/* pages.c - the pages that the HTTP server answers with; see pages.h. */
#include "exporter/pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "common/utf8.h"
#include "exporter/log.h"

#define JSON_TYPE	"application/json; charset=utf-8"
#define PLAIN_TYPE	"text/plain; charset=utf-8"
#define HTML_TYPE	"text/html; charset=utf-8"

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* What to do about a segment that cannot be read; the message of a missing permission says it. */
static const char *remedy(enum source_state state)
{
	switch (state) {
	case SOURCE_INCOMPATIBLE:
		return "use the exporter of the programs' release";
	case SOURCE_DAMAGED:
		return "is it the right file? shardmeter check says what is wrong with it";
	case SOURCE_ERROR:
		return "choose another one with --segment";
	default:
		return NULL;
	}
}

/* One line when what the segment's name means has changed. */
static void log_change(struct pages_state *s, const struct source_status *status)
{
	unsigned files = status->current_files + status->removed_files;
	enum log_level level;
	const char *what;
	char removed[16];

	if (s->logged && s->logged_state == status->state && s->logged_files == files)
		return;
	s->logged = 1;
	s->logged_state = status->state;
	s->logged_files = files;
	snprintf(removed, sizeof(removed), "%u", status->removed_files);
	if (status->state == SOURCE_UP) {
		level = LOG_LEVEL_INFO;
		what = "reading the segment";
	} else if (status->up) {
		level = LOG_LEVEL_WARN;
		what = "the segment was removed, reading it until its programs end";
	} else if (status->state == SOURCE_NO_SEGMENT || status->state == SOURCE_NOT_READY) {
		/* That there is none, or none yet, is no mistake. */
		level = LOG_LEVEL_INFO;
		what = "waiting for the segment, it is made by the first writer";
	} else {
		level = LOG_LEVEL_WARN;
		what = "cannot read the segment";
	}
	log_at(level, what, "path", status->path, "state", source_state_name(status->state),
		"error", status->message, "remedy", status->up ? NULL : remedy(status->state),
		"removed-files", status->removed_files ? removed : "");
}

static void read_source(struct pages_state *s, struct source_reading *ret_reading)
{
	source_read(s->source, 0, ret_reading);
	log_change(s, &ret_reading->status);
}

void pages_look(struct pages_state *s)
{
	struct source_reading reading;

	read_source(s, &reading);
	source_release(&reading);
}

int pages_metrics(struct pages_state *s, struct buf *b, struct source_status *ret_status)
{
	struct source_reading reading;
	struct recorder_stats recorder;
	struct expose e = { .reading = &reading, .recorder = &recorder,
		.began_ns = monotonic_ns() };
	int rc;

	read_source(s, &reading);
	recorder_stats(s->recorder, &recorder);
	rc = expose_text(b, &e);
	*ret_status = reading.status;
	source_release(&reading);
	return rc;
}

static int metrics(struct pages_state *s, struct page *page)
{
	struct source_status status;
	int rc = pages_metrics(s, &page->body, &status);

	if (rc == 0) {
		page->type = EXPOSE_TEXT_TYPE;
		return 0;
	}
	log_error("the exposition could not be written", "error", strerror(-rc));
	buf_free(&page->body);
	page->status = 500;
	buf_printf(&page->body, "The exposition could not be written: %s.\n", strerror(-rc));
	return 0;
}

static int healthy(struct pages_state *s, struct page *page)
{
	(void)s;
	buf_puts(&page->body, "shardmeter-exporter is healthy.\n");
	return 0;
}

static void put_json_text(struct buf *b, const char *text)
{
	size_t n, left = strlen(text);
	char one[JSON_CHAR];

	buf_puts(b, "\"");
	for (; left; text += n, left -= n) {
		n = json_next(text, left, one);
		buf_puts(b, one);
	}
	buf_puts(b, "\"");
}

static void put_reason(struct buf *b, unsigned *n, const char *code, const char *message)
{
	buf_puts(b, (*n)++ ? ",\n  {\"code\": " : "\n  {\"code\": ");
	put_json_text(b, code);
	buf_puts(b, ", \"message\": ");
	put_json_text(b, message);
	buf_puts(b, "}");
}

/*
 * Reasons are why this is not ready: nothing of the segment to show, or shutting down. Warnings are
 * what else is wrong: history that is not written does not make a scrape worse. The segment is told
 * so that one can see whether it is the one that is meant: `shardmeter doctor` compares.
 */
static int ready(struct pages_state *s, struct page *page)
{
	struct source_reading reading;
	struct recorder_stats recorder;
	const struct source_status *status = &reading.status;
	struct buf *b = &page->body;
	unsigned reasons = 0, warnings = 0;

	read_source(s, &reading);
	source_release(&reading);
	recorder_stats(s->recorder, &recorder);
	page->status = status->up && !s->stopping ? 200 : 503;
	page->type = JSON_TYPE;
	buf_printf(b, "{\"ready\": %s,\n \"segment_id\": \"%s\",\n \"segment\": ",
		page->status == 200 ? "true" : "false", status->id);
	put_json_text(b, status->path);
	buf_puts(b, ",\n \"reasons\": [");
	if (!status->up)
		put_reason(b, &reasons, source_state_name(status->state), status->message);
	if (s->stopping)
		put_reason(b, &reasons, "stopping", "the exporter is shutting down");
	buf_puts(b, "],\n \"warnings\": [");
	if (status->up && status->state != SOURCE_UP)
		put_reason(b, &warnings, "segment_removed", status->message);
	if (recorder.enabled && !recorder.up)
		put_reason(b, &warnings, "store_down", recorder.message);
	buf_puts(b, "]}\n");
	return 0;
}

static void put_html_text(struct buf *b, const char *text)
{
	size_t n, left = strlen(text);
	uint32_t code;

	for (; left; text += n, left -= n) {
		n = utf8_next(text, left, &code);
		if (!n || utf8_is_hidden(code)) {
			n = n ? n : 1;
			buf_puts(b, "\xef\xbf\xbd");
		} else if (strchr("<>&\"'", (int)code) && code < 0x80) {
			buf_printf(b, "&#%u;", code);
		} else {
			buf_put(b, text, n);
		}
	}
}

static int landing(struct pages_state *s, struct page *page)
{
	struct buf *b = &page->body;

	page->type = HTML_TYPE;
	buf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n"
		"<title>Shardmeter exporter</title>\n</head>\n<body>\n<h1>Shardmeter exporter</h1>\n"
		"<p>Version " SHARDMETER_VERSION ", segment <code>");
	put_html_text(b, source_path(s->source));
	buf_puts(b, "</code></p>\n<ul>\n"
		"<li><a href=\"/metrics\">/metrics</a>: for Prometheus</li>\n"
		"<li><a href=\"/-/healthy\">/-/healthy</a>: the exporter serves</li>\n"
		"<li><a href=\"/-/ready\">/-/ready</a>: there is a segment to serve</li>\n"
		"</ul>\n</body>\n</html>\n");
	return 0;
}

static const struct {
	const char *path;
	int (*make)(struct pages_state *s, struct page *page);
} pages[] = {
	{ "/metrics", metrics },
	{ "/-/healthy", healthy },
	{ "/-/ready", ready },
	{ "/", landing },
};

int pages_find(struct pages_state *s, const char *path, struct page *ret_page)
{
	struct page page = { .status = 200, .type = PLAIN_TYPE };
	size_t i;
	int rc = -ENOENT;

	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].path, path) == 0)
			rc = pages[i].make(s, &page);
	if (rc == 0 && page.body.failed)
		rc = -ENOMEM;
	if (rc < 0)
		buf_free(&page.body);
	else
		*ret_page = page;
	return rc;
}
