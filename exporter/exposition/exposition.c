/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposition.c - see exposition.h.
 *
 * An answer is: values of the collection's segments (values.h), names and labels rendered before
 * (plan.h), what is our own (extra.h), all written by one format (format.h), then compressed.
 * Several threads answer at once; what they share is one plan a format, under a mutex that is held
 * to look at it only. Two threads that find a plan missing both make it, and the last one stays.
 */
#include "exporter/exposition/exposition.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/exposition/accept.h"
#include "exporter/exposition/gzip.h"
#include "exporter/exposition/own.h"
#include "exporter/exposition/write.h"

#define PLAIN_TYPE	"text/plain; charset=utf-8"
#define VARY		"Accept, Accept-Encoding"
#define BODY_SPARE	4096	/* a body may be so much longer than the last one */

/* What is kept for a format. */
struct kept {
	struct plan *plan;
	size_t body_len;	/* of the last answer */
};

enum { KEPT_TEXT, KEPT_OPENMETRICS, KEPT_PROTOBUF, KEPT_N };

struct exposition {
	struct exposition_options options;
	pthread_mutex_t lock;
	struct kept kept[KEPT_N];
	struct own_reads reads;
	struct process_table *processes;
};

int exposition_create(const struct exposition_options *o, struct exposition **ret_exposition)
{
	struct exposition *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	if (process_table_create(&x->processes) < 0) {
		free(x);
		return -ENOMEM;
	}
	x->options = *o;
	pthread_mutex_init(&x->lock, NULL);
	*ret_exposition = x;
	return 0;
}

void exposition_free(struct exposition *x)
{
	size_t i;

	if (!x)
		return;
	for (i = 0; i < KEPT_N; i++)
		plan_unref(x->kept[i].plan);
	pthread_mutex_destroy(&x->lock);
	process_table_free(x->processes);
	free(x->reads.segment);
	free(x);
}

/* ---- formats and plans ---------------------------------------------------------------------- */

static const struct format *format_of(enum accept_format f, size_t *ret_kept)
{
	switch (f) {
	case ACCEPT_OPENMETRICS_1_0_0:
	case ACCEPT_OPENMETRICS_0_0_1:
		*ret_kept = KEPT_OPENMETRICS;
		return &format_openmetrics;
	case ACCEPT_PROTOBUF:
		*ret_kept = KEPT_PROTOBUF;
		return &format_protobuf;
	default:
		*ret_kept = KEPT_TEXT;
		return &format_text;
	}
}

unsigned exposition_flags(const struct request *r)
{
	struct query q;
	const char *type;
	char message[256];
	size_t kept;

	if (query_parse(r, &q, message, sizeof(message)) < 0)
		return 0;
	if (q.per_writer)
		return SM_SNAPSHOT_WRITERS;
	return format_of(accept_format(r->accept, &type), &kept)->wants_exemplars ?
		SM_SNAPSHOT_EXEMPLARS : 0;
}

static int find_plan(struct exposition *x, size_t kept, const struct format *format,
	const struct collection *c, const struct values *v, struct plan **ret_plan,
	size_t *ret_body_len)
{
	struct plan *plan = NULL, *old;
	int rc;

	pthread_mutex_lock(&x->lock);
	if (x->kept[kept].plan)
		plan = plan_ref(x->kept[kept].plan);
	*ret_body_len = x->kept[kept].body_len;
	pthread_mutex_unlock(&x->lock);
	if (plan && plan_fits(plan, c, v)) {
		*ret_plan = plan;
		return 0;
	}
	plan_unref(plan);
	rc = plan_make(c, v, format, x->options.allowed_labels, &plan);
	if (rc < 0)
		return rc;
	*ret_plan = plan_ref(plan);
	pthread_mutex_lock(&x->lock);
	old = x->kept[kept].plan;
	x->kept[kept].plan = plan;
	pthread_mutex_unlock(&x->lock);
	plan_unref(old);
	return 0;
}

static void remember_length(struct exposition *x, size_t kept, size_t len)
{
	pthread_mutex_lock(&x->lock);
	x->kept[kept].body_len = len;
	pthread_mutex_unlock(&x->lock);
}

/* ---- answers -------------------------------------------------------------------------------- */

static int put_own(struct exposition *x, const struct write *w, const struct own_losses *losses,
	struct extra *extra)
{
	const struct collection *c = w->collection;
	int rc;

	own_segments(extra, c, w->values);
	own_writers(extra, c, w->values, x->processes);
	if (w->query->by_writer)
		return 0;
	pthread_mutex_lock(&x->lock);
	rc = own_reads_count(&x->reads, c);
	own_reads(extra, c, &x->reads);
	pthread_mutex_unlock(&x->lock);
	own_losses(extra, c, losses);
	own_store(extra, c);
	if (x->options.own_metrics)
		own_exporter(extra, c, x->processes);
	return rc;
}

static int write_body(struct exposition *x, const struct write *w, struct plan *plan,
	struct buf *body)
{
	struct own_losses losses = { .plan = plan };
	struct extra extra;
	int rc;

	rc = write_families(w, plan, body, &losses);
	if (rc == 0) {
		extra_init(&extra, w->query);
		rc = put_own(x, w, &losses, &extra);
		extra_sort(&extra);
		if (rc == 0)
			rc = write_extra(w, plan, &extra, body);
		extra_release(&extra);
	}
	free(losses.unreadable);
	return rc;
}

static int answer(struct exposition *x, const struct collection *c, const struct values *v,
	const struct query *q, struct page *page)
{
	struct write w = { .collection = c, .values = v, .query = q,
		.native_buckets_max = x->options.native_buckets_max };
	struct plan *plan;
	size_t kept, body_len;
	int rc;

	w.format = format_of(accept_format(q->request->accept, &page->type), &kept);
	w.created = w.format->wants_created ||
		(x->options.created && w.format == &format_openmetrics);
	rc = find_plan(x, kept, w.format, c, v, &plan, &body_len);
	if (rc < 0)
		return rc;
	if (!q->by_name)
		buf_reserve(&page->body, body_len + BODY_SPARE);
	rc = write_body(x, &w, plan, &page->body);
	buf_put(&page->body, "", 0);	/* the formats leave its end as it is */
	plan_unref(plan);
	if (rc == 0 && !q->by_name && !q->per_writer)
		remember_length(x, kept, page->body.len);
	return rc;
}

/* Compress the body if the client takes it and it is worth it. */
static int encode(const struct exposition *x, const struct request *r, struct page *page)
{
	enum accept_coding coding = accept_coding(r->accept_encoding);
	struct buf small = { 0 };
	int rc;

	if (coding == ACCEPT_IDENTITY || page->body.failed ||
	    (coding == ACCEPT_GZIP && page->body.len < x->options.gzip_min_bytes))
		return 0;
	rc = gzip_compress(&small, page->body.data, page->body.len);
	if (rc < 0) {
		buf_free(&small);
		return rc;
	}
	buf_free(&page->body);
	page->body = small;
	page->encoding = "gzip";
	return 0;
}

static int bad_request(const char *message, struct page *page)
{
	page->status = 400;
	page->type = PLAIN_TYPE;
	buf_puts(&page->body, message);
	return 0;
}

static int open_values(const struct collection *c, struct values **ret_values)
{
	struct values *v = calloc(c->nsegments, sizeof(*v));
	size_t s;
	int rc = v ? 0 : -ENOMEM;

	for (s = 0; rc == 0 && s < c->nsegments; s++)
		rc = values_init(&v[s], &c->segment[s].reading);
	*ret_values = v;
	return rc;
}

int exposition_answer(struct exposition *x, const struct collection *c, const struct request *r,
	struct page *ret_page)
{
	struct page page = { .status = 200, .vary = VARY };
	struct values *v = NULL;
	struct query q;
	char message[256];
	size_t s;
	int rc;

	if (query_parse(r, &q, message, sizeof(message)) < 0) {
		rc = bad_request(message, &page);
	} else {
		rc = open_values(c, &v);
		if (rc == 0)
			rc = answer(x, c, v, &q, &page);
		if (rc == 0)
			rc = encode(x, r, &page);
		for (s = 0; v && s < c->nsegments; s++)
			values_release(&v[s]);
		free(v);
	}
	if (rc == 0 && page.body.failed)
		rc = -ENOMEM;
	if (rc < 0)
		buf_free(&page.body);
	else
		*ret_page = page;
	return rc;
}
