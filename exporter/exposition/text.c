/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - the text formats: Prometheus text 0.0.4, which 1.0.0 is with other words in its type, and
 * OpenMetrics 1.0.
 *
 * A sample has the same bytes in both but for doubles that are whole ("1" and "1.0") and for what
 * OpenMetrics adds: `_created`, exemplars, "# EOF". `le` is in its canonical form in both, so that a
 * series keeps its identity whatever a server asks for. Heads differ.
 *
 * A line is: series text, pieces, "} ", value. A series text ends in the comma or brace that the
 * first piece may follow, which is cut off when there is none.
 */
#include <string.h>

#include "exporter/exposition/digits.h"
#include "exporter/exposition/format.h"

#define NUMBER_MAX	64	/* bytes that a number takes at most */

/* ---- escaping ------------------------------------------------------------------------------- */

/* At most twice as long. Returns its end. */
static char *escape(char *to, const char *text, size_t len, int quotes)
{
	size_t i;
	char c;

	for (i = 0; i < len; i++) {
		c = text[i];
		if (c == '\\' || c == '\n' || (c == '"' && quotes)) {
			*to++ = '\\';
			c = c == '\n' ? 'n' : c;
		}
		*to++ = c;
	}
	return to;
}

static void put_escaped(struct buf *b, const char *text, size_t len, int quotes)
{
	if (buf_reserve(b, 2 * len))
		b->len = (size_t)(escape(b->data + b->len, text, len, quotes) - b->data);
}

static void put_piece(struct buf *b, const struct model_label *label)
{
	size_t len = strlen(label->name);
	char *to;

	if (!buf_reserve(b, len + 2 * label->len + 3))
		return;
	to = b->data + b->len;
	memcpy(to, label->name, len);
	to += len;
	*to++ = '=';
	*to++ = '"';
	to = escape(to, label->value, label->len, 1);
	*to++ = '"';
	b->len = (size_t)(to - b->data);
}

static void put_series(struct buf *b, const struct model_family *f, const struct model_label *label,
	size_t nlabels)
{
	size_t i;

	buf_put(b, f->name, f->name_len);
	if (f->type == MODEL_HISTOGRAM)
		buf_put(b, "_bucket", 7);
	for (i = 0; i < nlabels; i++) {
		buf_put(b, i ? "," : "{", 1);
		put_piece(b, &label[i]);
	}
	buf_put(b, nlabels ? "," : "{", 1);
}

/* ---- heads ---------------------------------------------------------------------------------- */

static void put_text_head(struct buf *b, const struct model_family *f)
{
	static const char *const types[MODEL_TYPES] = { [MODEL_COUNTER] = "counter",
		[MODEL_GAUGE] = "gauge", [MODEL_HISTOGRAM] = "histogram", [MODEL_INFO] = "gauge",
		[MODEL_STATESET] = "gauge" };

	if (*f->help) {
		buf_puts(b, "# HELP ");
		buf_puts(b, f->name);
		buf_puts(b, " ");
		put_escaped(b, f->help, strlen(f->help), 0);
		buf_puts(b, "\n");
	}
	buf_puts(b, "# TYPE ");
	buf_puts(b, f->name);
	buf_puts(b, " ");
	buf_puts(b, types[f->type]);
	buf_puts(b, "\n");
}

/* A unit must be how the family's name ends, and infos and state sets have none. */
static int has_unit(const struct model_family *f)
{
	size_t len = strlen(f->unit);

	return len && f->type != MODEL_INFO && f->type != MODEL_STATESET &&
		f->base_len > len + 1 && f->name[f->base_len - len - 1] == '_' &&
		memcmp(f->name + f->base_len - len, f->unit, len) == 0;
}

static void put_openmetrics_line(struct buf *b, const struct model_family *f, const char *what,
	const char *text)
{
	buf_puts(b, what);
	buf_put(b, f->name, f->base_len);
	buf_puts(b, " ");
	put_escaped(b, text, strlen(text), 1);
	buf_puts(b, "\n");
}

static void put_openmetrics_head(struct buf *b, const struct model_family *f)
{
	static const char *const types[MODEL_TYPES] = { [MODEL_COUNTER] = "counter",
		[MODEL_GAUGE] = "gauge", [MODEL_HISTOGRAM] = "histogram", [MODEL_INFO] = "info",
		[MODEL_STATESET] = "stateset" };

	put_openmetrics_line(b, f, "# TYPE ",
		!f->plain ? types[f->type] : f->type == MODEL_INFO ? "gauge" : "unknown");
	if (has_unit(f))
		put_openmetrics_line(b, f, "# UNIT ", f->unit);
	if (*f->help)
		put_openmetrics_line(b, f, "# HELP ", f->help);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static int is_openmetrics(const struct render *r)
{
	return r->format == &format_openmetrics;
}

/* Room for len bytes and what digits.h writes beyond; NULL if memory was short. */
static char *room(struct render *r, size_t len)
{
	return buf_reserve(r->out, len + DIGITS_SLACK + FORMAT_SLACK) ?
		r->out->data + r->out->len : NULL;
}

static void begin(struct render *r)
{
	if (!r->begun)
		buf_put(r->out, r->head.at, r->head.len);
	r->begun = 1;
}

/* "} ", or " " after a series text that has no label and so ends in its brace. */
static char *put_close(char *to, int has_labels)
{
	to[0] = has_labels ? '}' : ' ';
	to[1] = ' ';
	return to + 1 + has_labels;
}

static char *put_text(char *to, const char *text, size_t len)
{
	memcpy(to, text, len);
	return to + len;
}

/* Name and labels of a line up to its value. `le` may be NULL. */
static char *put_labels(char *to, struct format_span text, const struct format_span *piece,
	unsigned npieces, const struct format_span *le)
{
	int has_labels = text.at[text.len - 1] == ',';
	unsigned i;

	to = digits_copy(to, text.at, text.len);
	for (i = 0; i < npieces; i++) {
		to = put_text(to, piece[i].at, piece[i].len);
		*to++ = ',';
	}
	if (le) {
		to = digits_copy(to, le->at, le->len);
		return put_close(to, 1);
	}
	return put_close(to - 1, npieces > 0 || has_labels);
}

static size_t labels_room(const struct format_span *piece, unsigned npieces)
{
	size_t len = 4;
	unsigned i;

	for (i = 0; i < npieces; i++)
		len += piece[i].len + 1;
	return len;
}

static char *put_double(char *to, double v, int point)
{
	return to + sm_format_double(v, point, to, NUMBER_MAX);
}

/* Exactly units / 10^decimals. */
static char *put_units_of(char *to, sm_u128 units, unsigned decimals)
{
	return decimals <= 9 && units >> 64 == 0 ? digits_put_fixed(to, (uint64_t)units, decimals) :
		to + sm_format_units(units, decimals, to, NUMBER_MAX);
}

static char *put_value(char *to, const struct sm_value *v, int point)
{
	if (!v->is_integer)
		return put_double(to, v->value, point);
	if (v->is_signed && (int64_t)v->units < 0) {
		*to++ = '-';
		return digits_put(to, -v->units);
	}
	if (v->decimals)
		return put_units_of(to, v->units, v->decimals);
	return digits_put(to, v->units);
}

/* ---- what only OpenMetrics has -------------------------------------------------------------- */

/* Seconds since 1970 to the millisecond, which is as exact as Prometheus takes it. */
static char *put_time(char *to, uint64_t ns)
{
	return put_units_of(to, ns / 1000000, 3);
}

/* " # {labels} value time" */
static void put_exemplar(struct render *r, const struct sm_exemplar *e)
{
	struct model_label label;
	char number[NUMBER_MAX];
	size_t i;

	buf_puts(r->out, " # {");
	for (i = 0; i < e->npairs; i++) {
		label = (struct model_label){ e->pairs[2 * i].ptr, e->pairs[2 * i + 1].ptr,
			e->pairs[2 * i + 1].len };
		if (i)
			buf_puts(r->out, ",");
		put_piece(r->out, &label);
	}
	buf_puts(r->out, "} ");
	buf_put(r->out, number, (size_t)(put_double(number, e->value, 1) - number));
	if (e->at_real_ns) {
		buf_puts(r->out, " ");
		buf_put(r->out, number, (size_t)(put_time(number, e->at_real_ns) - number));
	}
}

static void put_line_end(struct render *r, const struct sm_exemplar *e)
{
	if (e)
		put_exemplar(r, e);
	buf_puts(r->out, "\n");
}

/* The line base_created{labels}: skip bytes of the series text are another suffix. */
static void put_created(struct render *r, struct format_span text, size_t skip,
	const struct format_span *piece, unsigned npieces, uint64_t created_ns)
{
	const struct model_family *f = r->family;
	char *to = room(r, text.len + f->base_len + 16 + labels_room(piece, npieces) + NUMBER_MAX);
	struct format_span rest = { text.at + skip, text.len - skip };

	if (!to || !r->created || !created_ns || f->plain)
		return;
	to = put_text(to, f->name, f->base_len);
	to = put_text(to, "_created", 8);
	to = put_labels(to, rest, piece, npieces, NULL);
	to = put_time(to, created_ns);
	*to++ = '\n';
	r->out->len = (size_t)(to - r->out->data);
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* The common case: integers without anything else. */
static void put_units(struct render *r, const struct format_batch *b)
{
	int has_labels = b->text[b->at[1] - 1] == ',';
	const char *from;
	size_t i, len;
	char *to = room(r, b->at[b->n] - b->at[0] + b->n * 24);

	for (i = 0; to && i < b->n; i++) {
		from = b->text + b->at[i];
		len = b->at[i + 1] - b->at[i] - 1;
		to = put_close(digits_copy(to, from, len), has_labels);
		to = digits_put(to, b->units[i]);
		*to++ = '\n';
	}
	if (to)
		r->out->len = (size_t)(to - r->out->data);
	r->samples += b->n;
}

static void put_one(struct render *r, const struct format_batch *b, size_t i)
{
	const struct sm_exemplar *e = b->exemplar ? b->exemplar[i] : NULL;
	struct format_span text = { b->text + b->at[i], b->at[i + 1] - b->at[i] };
	char *to = room(r, text.len + labels_room(b->piece, b->npieces) + NUMBER_MAX);

	if (!to)
		return;
	to = put_labels(to, text, b->piece, b->npieces, NULL);
	to = b->units ? digits_put(to, b->units[i]) :
		put_value(to, &b->value[i], is_openmetrics(r));
	r->out->len = (size_t)(to - r->out->data);
	put_line_end(r, e);
	if (b->created_ns)
		put_created(r, text, r->family->name_len, b->piece, b->npieces, b->created_ns[i]);
	r->samples++;
}

static void put_numbers(struct render *r, const struct format_batch *b)
{
	size_t i;

	if (b->units && !b->npieces && !b->created_ns && !b->exemplar && b->n) {
		begin(r);
		put_units(r, b);
		return;
	}
	for (i = 0; i < b->n; i++) {
		if (!b->units && !b->value[i].is_set)
			continue;
		begin(r);
		put_one(r, b, i);
	}
}

/* ---- histograms ----------------------------------------------------------------------------- */

/* name + suffix {labels}: the series text is that of the buckets. */
static char *put_named(char *to, const struct render *r, const struct format_histogram *h,
	const char *suffix)
{
	size_t skip = r->family->name_len + 7;
	struct format_span rest = { h->text.at + skip, h->text.len - skip };

	to = digits_copy(to, h->text.at, r->family->name_len);
	to = put_text(to, suffix, strlen(suffix));
	return put_labels(to, rest, h->piece, h->npieces, NULL);
}

static void put_buckets(struct render *r, const struct format_histogram *h, size_t line)
{
	unsigned i;
	char *to;

	for (i = 0; i <= h->nbounds; i++) {
		to = room(r, line + h->le[i].len);
		if (!to)
			return;
		to = put_labels(to, h->text, h->piece, h->npieces, &h->le[i]);
		to = digits_put(to, h->cumulative[i]);
		*to++ = '\n';
		r->out->len = (size_t)(to - r->out->data);
		if (h->exemplar && h->exemplar[i]) {
			r->out->len--;
			put_line_end(r, h->exemplar[i]);
		}
	}
}

static void put_histogram(struct render *r, const struct format_histogram *h)
{
	size_t line = h->text.len + labels_room(h->piece, h->npieces) + NUMBER_MAX;
	char *to;

	begin(r);
	put_buckets(r, h, line);
	r->samples += h->nbounds + 3;
	/* OpenMetrics has no sum, and so no count, where a bound is below 0. */
	if (!is_openmetrics(r) || !h->nbounds || h->bound[0] >= 0) {
		to = room(r, 2 * line);
		if (!to)
			return;
		to = put_named(to, r, h, "_sum");
		to = h->sum.is_integer ?
			put_units_of(to, h->sum.units, h->sum.decimals) :
			put_double(to, h->sum.value, is_openmetrics(r));
		*to++ = '\n';
		to = put_named(to, r, h, "_count");
		to = digits_put(to, h->cumulative[h->nbounds]);
		*to++ = '\n';
		r->out->len = (size_t)(to - r->out->data);
	}
	put_created(r, h->text, r->family->name_len + 7, h->piece, h->npieces, h->created_ns);
}

/* ---- the formats ---------------------------------------------------------------------------- */

static void end_nothing(struct render *r)
{
	(void)r;
}

static void finish_openmetrics(struct render *r)
{
	buf_puts(r->out, "# EOF\n");
}

const struct format format_text = {
	.put_head = put_text_head,
	.put_series = put_series,
	.put_piece = put_piece,
	.numbers = put_numbers,
	.histogram = put_histogram,
	.end = end_nothing,
	.finish = end_nothing,
};

const struct format format_openmetrics = {
	.put_head = put_openmetrics_head,
	.put_series = put_series,
	.put_piece = put_piece,
	.numbers = put_numbers,
	.histogram = put_histogram,
	.end = end_nothing,
	.finish = finish_openmetrics,
	.wants_exemplars = 1,
};
