/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - a format: how families, labels, numbers and histograms are written.
 *
 * Depends on model.h and common/buf.h. Names and labels are rendered once and kept (plan.h); at a
 * scrape only values are rendered, a batch of series at a time.
 *
 * A "series text" is what a format makes of a family's name and a series' labels; a "piece" is one
 * more label that may stand behind it (the writer's, `le`, a state's). For text they are
 *
 *	commands_total{command="play",		ends in the comma or brace that a label may follow
 *	writer="shard-3"
 *
 * and for protobuf the encoded pairs.
 */
#ifndef EXPOSITION_FORMAT_H
#define EXPOSITION_FORMAT_H

#include "common/buf.h"
#include "exporter/exposition/model.h"

#define FORMAT_SLACK	64	/* bytes beyond the end of a text that may be read, see digits.h */
#define FORMAT_PIECES	2	/* at most, besides `le` */

struct format_span {
	const char *at;
	size_t len;
};

/* Numbers of n series. */
struct format_batch {
	const char *text;
	const size_t *at;		/* n + 1: series i is text + at[i] to at[i + 1] */
	size_t n;
	const struct format_span *piece;
	unsigned npieces;
	const uint64_t *units;		/* plain integers, all set; or NULL and then */
	const struct sm_value *value;	/* those that are not set are left out */
	const uint64_t *created_ns;	/* since 1970, 0: not known; NULL: of none */
	const struct sm_exemplar *const *exemplar;	/* NULL: of none */
};

struct format_histogram {
	struct format_span text;
	const struct format_span *piece;
	unsigned npieces;
	unsigned nbounds;
	const double *bound;
	const struct format_span *le;	/* nbounds + 1 pieces; text formats only */
	const uint64_t *cumulative;	/* nbounds + 1 */
	struct sm_sum sum;
	const struct sm_native *native;	/* NULL: none */
	uint64_t created_ns;
	const struct sm_exemplar *const *exemplar;	/* nbounds + 1, or NULL: of none */
};

struct format;

/* One answer that is being written. */
struct render {
	const struct format *format;
	struct buf *out;
	int created;			/* `_created` in OpenMetrics */
	/* The family at hand: its head is written before its first sample. */
	const struct model_family *family;
	struct format_span head;
	int begun;
	size_t begin;			/* where in out */
	struct buf scratch, more;	/* of the format */
	size_t samples;			/* written so far, a bucket each */
};

struct format {
	/* Rendered once. */
	void (*put_head)(struct buf *b, const struct model_family *f);
	void (*put_series)(struct buf *b, const struct model_family *f,
		const struct model_label *label, size_t nlabels);
	void (*put_piece)(struct buf *b, const struct model_label *label);
	/* At a scrape. end: after a family; finish: after all. */
	void (*numbers)(struct render *r, const struct format_batch *batch);
	void (*histogram)(struct render *r, const struct format_histogram *h);
	void (*end)(struct render *r);
	void (*finish)(struct render *r);
	int wants_native, wants_exemplars, wants_created;
};

extern const struct format format_text, format_openmetrics, format_protobuf;

/* format_begin - start a family; nothing is written yet. */
static inline void format_begin(struct render *r, const struct model_family *f,
	struct format_span head)
{
	r->family = f;
	r->head = head;
	r->begun = 0;
}

#endif /* EXPOSITION_FORMAT_H */
