/* SPDX-License-Identifier: Apache-2.0 */
/* pages.c - the pages that the HTTP server answers with; see pages.h. */
#include "exporter/pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/utf8.h"
#include "exporter/clock.h"

#define JSON_TYPE	"application/json; charset=utf-8"
#define PLAIN_TYPE	"text/plain; charset=utf-8"
#define HTML_TYPE	"text/html; charset=utf-8"

int pages_metrics(const struct pages *p, const struct collection *c, const struct request *r,
	struct page *ret_page)
{
	return exposition_answer(p->exposition, c, r, ret_page);
}

/* 503 rather than a part: Prometheus would take it for the whole. */
static int too_late(struct page *page)
{
	page->status = 503;
	buf_puts(&page->body, "The values could not be read within the scrape's time.\n");
	return 0;
}

int pages_scrape(const struct pages *p, const struct request *r, struct page *ret_page)
{
	struct page page = { .status = 200, .type = PLAIN_TYPE };
	const struct collection *c;
	int rc = collector_get(p->collector, exposition_flags(r), r->deadline_ns, &c);

	if (rc == 0) {
		rc = pages_metrics(p, c, r, &page);
		collection_release(c);
		if (rc == 0 && r->deadline_ns && clock_now() > r->deadline_ns) {
			buf_free(&page.body);
			page = (struct page){ .type = PLAIN_TYPE };
			rc = -ETIMEDOUT;
		}
	}
	if (rc == -ETIMEDOUT)
		rc = too_late(&page);
	if (rc == 0 && page.body.failed)
		rc = -ENOMEM;
	if (rc == 0)
		*ret_page = page;
	return rc;
}

static int healthy(const struct pages *p, const struct request *r, struct page *page)
{
	(void)p;
	(void)r;
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

/* The reasons of one segment. */
static void put_segment(struct buf *b, const struct collection_segment *segment, unsigned *n)
{
	const struct source_status *status = &segment->reading.status;

	if (!status->up)
		put_reason(b, n, source_state_name(status->state), status->message);
}

static void put_warnings(struct buf *b, const struct collection_segment *segment, unsigned *n)
{
	const struct source_status *status = &segment->reading.status;

	if (status->up && status->state != SOURCE_UP)
		put_reason(b, n, "segment_removed", status->message);
	if (segment->recorder.enabled && !segment->recorder.up)
		put_reason(b, n, "store_down", segment->recorder.message);
}

/*
 * Reasons are why this is not ready: a segment of which there is nothing to show, or shutting down.
 * Warnings are what else is wrong: history that is not written does not make a scrape worse. The
 * segment is told so that one can see whether it is the one that is meant: `shardmeter doctor`
 * compares.
 */
static void put_ready(struct page *page, const struct collection *c, int stopping)
{
	const struct source_status *first = &c->segment[0].reading.status;
	struct buf *b = &page->body;
	unsigned reasons = 0, warnings = 0;
	int up = !stopping;
	size_t i;

	for (i = 0; i < c->nsegments; i++)
		up = up && c->segment[i].reading.status.up;
	page->status = up ? 200 : 503;
	page->type = JSON_TYPE;
	buf_printf(b, "{\"ready\": %s,\n \"segment_id\": \"%s\",\n \"segment\": ",
		up ? "true" : "false", first->id);
	put_json_text(b, first->path);
	buf_puts(b, ",\n \"segments\": [");
	for (i = 0; i < c->nsegments; i++) {
		const struct source_status *status = &c->segment[i].reading.status;

		buf_printf(b, "%s\n  {\"id\": \"%s\", \"path\": ", i ? "," : "", status->id);
		put_json_text(b, status->path);
		buf_puts(b, "}");
	}
	buf_puts(b, "],\n \"reasons\": [");
	for (i = 0; i < c->nsegments; i++)
		put_segment(b, &c->segment[i], &reasons);
	if (stopping)
		put_reason(b, &reasons, "stopping", "the exporter is shutting down");
	buf_puts(b, "],\n \"warnings\": [");
	for (i = 0; i < c->nsegments; i++)
		put_warnings(b, &c->segment[i], &warnings);
	buf_puts(b, "]}\n");
}

static int ready(const struct pages *p, const struct request *r, struct page *page)
{
	const struct collection *c;
	int rc = collector_get(p->collector, 0, r->deadline_ns, &c);

	if (rc == -ETIMEDOUT)
		return too_late(page);
	if (rc < 0)
		return rc;
	put_ready(page, c, r->stopping);
	collection_release(c);
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

static void put_link(struct buf *b, const char *path, const char *what)
{
	buf_printf(b, "<li><a href=\"%s\">%s</a>: %s</li>\n", path, path, what);
}

/* Works offline and without scripts: the strictest policy allows all of it. */
static int landing(const struct pages *p, const struct request *r, struct page *page)
{
	struct buf *b = &page->body;
	size_t i;

	(void)r;
	page->type = HTML_TYPE;
	buf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n"
		"<title>Shardmeter exporter</title>\n</head>\n<body>\n<h1>Shardmeter exporter</h1>\n"
		"<p>Version " SHARDMETER_VERSION "</p>\n<h2>Segments</h2>\n<ul>\n");
	for (i = 0; i < collector_segments(p->collector); i++) {
		buf_puts(b, "<li>");
		put_html_text(b, collector_name(p->collector, i));
		buf_puts(b, ": <code>");
		put_html_text(b, collector_path(p->collector, i));
		buf_puts(b, "</code></li>\n");
	}
	buf_puts(b, "</ul>\n<h2>Pages</h2>\n<ul>\n");
	/* The path has only characters that HTML does not mind: options.c sees to it. */
	put_link(b, p->telemetry_path, "the values, for Prometheus");
	put_link(b, "/-/healthy", "the exporter serves");
	put_link(b, "/-/ready", "there is a segment to serve");
	if (p->slow) {
		put_link(b, "/api/v1/", "what there is for programs, as JSON");
		put_link(b, "/api/v1/health", "how the programs are, as JSON");
		put_link(b, "/api/v1/writers", "who writes, as JSON");
		put_link(b, "/api/v1/series", "what is counted, as JSON");
		put_link(b, "/api/v1/slow-operations", "what took long, as JSON");
	}
	buf_puts(b, "</ul>\n</body>\n</html>\n");
	return 0;
}

static const struct {
	const char *path;
	int (*make)(const struct pages *p, const struct request *r, struct page *page);
} table[] = {
	{ "/-/healthy", healthy },
	{ "/-/ready", ready },
	{ "/", landing },
};

int pages_answer(const struct pages *p, const struct request *r, struct page *ret_page)
{
	struct page page = { .status = 200, .type = PLAIN_TYPE };
	size_t i;
	int rc = -ENOENT;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].path, r->path) == 0)
			rc = table[i].make(p, r, &page);
	if (rc == 0 && page.body.failed)
		rc = -ENOMEM;
	if (rc < 0)
		buf_free(&page.body);
	else
		*ret_page = page;
	return rc;
}
