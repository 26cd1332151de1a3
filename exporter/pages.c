/* SPDX-License-Identifier: Apache-2.0 */
/* pages.c - the pages that the HTTP server answers with; see pages.h. */
#include "exporter/pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "exporter/log.h"
#include "exporter/utf8.h"

#define JSON_TYPE	"application/json; charset=utf-8"
#define PLAIN_TYPE	"text/plain; charset=utf-8"
#define HTML_TYPE	"text/html; charset=utf-8"

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
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
	} else {
		/* That there is none, or none yet, is no mistake. */
		level = status->state == SOURCE_NO_SEGMENT || status->state == SOURCE_NOT_READY ?
			LOG_LEVEL_INFO : LOG_LEVEL_ERROR;
		what = "cannot read the segment";
	}
	log_at(level, what, "path", status->path, "state", source_state_name(status->state),
		"error", status->message, "removed-files", status->removed_files ? removed : "");
}

static void read_source(struct pages_state *s, struct source_reading *ret_reading)
{
	source_read(s->source, 0, ret_reading);
	log_change(s, &ret_reading->status);
}

int pages_metrics(struct pages_state *s, struct body *b, struct source_status *ret_status)
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
	body_free(&page->body);
	page->status = 500;
	body_printf(&page->body, "The exposition could not be written: %s.\n", strerror(-rc));
	return 0;
}

static int healthy(struct pages_state *s, struct page *page)
{
	(void)s;
	body_puts(&page->body, "shardmeter-exporter is healthy.\n");
	return 0;
}

static void put_json_text(struct body *b, const char *text)
{
	size_t n, left = strlen(text);
	uint32_t code;

	body_puts(b, "\"");
	for (; left; text += n, left -= n) {
		n = utf8_next(text, left, &code);
		if (!n) {
			n = 1;
			body_puts(b, "\xef\xbf\xbd");
		} else if (*text == '"' || *text == '\\') {
			body_printf(b, "\\%c", *text);
		} else if (!utf8_is_printable(code)) {
			body_printf(b, "\\u%04x", code & 0xffff);
		} else {
			body_put(b, text, n);
		}
	}
	body_puts(b, "\"");
}

static void put_reason(struct body *b, unsigned *n, const char *code, const char *message)
{
	body_puts(b, (*n)++ ? ",\n  {\"code\": " : "\n  {\"code\": ");
	put_json_text(b, code);
	body_puts(b, ", \"message\": ");
	put_json_text(b, message);
	body_puts(b, "}");
}

/*
 * Reasons are why this is not ready: nothing of the segment to show, or shutting down. Warnings are
 * what else is wrong: history that is not written does not make a scrape worse.
 */
static int ready(struct pages_state *s, struct page *page)
{
	struct source_reading reading;
	struct recorder_stats recorder;
	const struct source_status *status = &reading.status;
	struct body *b = &page->body;
	unsigned reasons = 0, warnings = 0;

	read_source(s, &reading);
	source_release(&reading);
	recorder_stats(s->recorder, &recorder);
	page->status = status->up && !s->stopping ? 200 : 503;
	page->type = JSON_TYPE;
	body_printf(b, "{\"ready\": %s,\n \"reasons\": [", page->status == 200 ? "true" : "false");
	if (!status->up)
		put_reason(b, &reasons, source_state_name(status->state), status->message);
	if (s->stopping)
		put_reason(b, &reasons, "stopping", "the exporter is shutting down");
	body_puts(b, "],\n \"warnings\": [");
	if (status->up && status->state != SOURCE_UP)
		put_reason(b, &warnings, "segment_removed", status->message);
	if (recorder.enabled && !recorder.up)
		put_reason(b, &warnings, "store_down", recorder.message);
	body_puts(b, "]}\n");
	return 0;
}

static void put_html_text(struct body *b, const char *text)
{
	size_t n, left = strlen(text);
	uint32_t code;

	for (; left; text += n, left -= n) {
		n = utf8_next(text, left, &code);
		if (!n || !utf8_is_printable(code)) {
			n = n ? n : 1;
			body_puts(b, "\xef\xbf\xbd");
		} else if (strchr("<>&\"'", (int)code) && code < 0x80) {
			body_printf(b, "&#%u;", code);
		} else {
			body_put(b, text, n);
		}
	}
}

static int landing(struct pages_state *s, struct page *page)
{
	struct body *b = &page->body;

	page->type = HTML_TYPE;
	body_puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n"
		"<title>Shardmeter exporter</title>\n</head>\n<body>\n<h1>Shardmeter exporter</h1>\n"
		"<p>Version " SHARDMETER_VERSION ", segment <code>");
	put_html_text(b, source_path(s->source));
	body_puts(b, "</code></p>\n<ul>\n"
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
		body_free(&page.body);
	else
		*ret_page = page;
	return rc;
}
