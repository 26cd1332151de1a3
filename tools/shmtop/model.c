/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c - the families and rows of a segment.
 *
 * Rows live in a hash table by (series, incarnation, writer): record numbers of a segment are used
 * again, their incarnation then differs. A row stays as long as its series is listed.
 */
#include "model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"

/* ---- families ------------------------------------------------------------------------------- */

static void free_texts(char **texts, unsigned n)
{
	unsigned i;

	for (i = 0; texts && i < n; i++)
		free(texts[i]);
	free(texts);
}

static char **copy_texts(const char *const *texts, unsigned n)
{
	char **copy = calloc(n ? n : 1, sizeof(*copy));
	unsigned i;

	for (i = 0; copy && i < n; i++) {
		copy[i] = strdup(texts[i]);
		if (!copy[i]) {
			free_texts(copy, n);
			return NULL;
		}
	}
	return copy;
}

static double *copy_doubles(const double *numbers, unsigned n)
{
	double *copy = calloc(n ? n : 1, sizeof(*copy));

	if (copy && n)
		memcpy(copy, numbers, n * sizeof(*copy));
	return copy;
}

static void family_free(struct top_family *f)
{
	if (!f)
		return;
	free(f->name);
	free(f->help);
	free(f->unit);
	free_texts(f->labels, f->nlabels);
	free_texts(f->states, f->nstates);
	free(f->bounds);
	free(f->united);
	free(f);
}

static struct top_family *family_new(const struct sm_family_info *info)
{
	struct top_family *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->id = info->id;
	f->incarnation = info->incarnation;
	f->kind = info->kind;
	f->mode = info->mode;
	f->flags = info->flags;
	f->nlabels = info->nlabels;
	f->nstates = info->nstates;
	f->nbounds = info->nbounds;
	f->nunited = info->nunited;
	f->name = strdup(info->name);
	f->help = strdup(info->help ? info->help : "");
	f->unit = strdup(info->unit);
	f->labels = copy_texts(info->labels, info->nlabels);
	f->states = copy_texts(info->states, info->nstates);
	f->bounds = copy_doubles(info->bounds, info->nbounds);
	f->united = copy_doubles(info->united, info->nunited);
	if (!f->name || !f->help || !f->unit || !f->labels || !f->states || !f->bounds ||
	    !f->united) {
		family_free(f);
		return NULL;
	}
	top_role_of(f);
	return f;
}

struct top_family *top_model_family(struct top_model *m, const struct sm_family_info *info)
{
	struct top_family *f;

	/* O(families) for each family of a sample: 1,024 by default, compared by two numbers. */
	for (f = m->families; f; f = f->next) {
		if (f->id == info->id && f->incarnation == info->incarnation) {
			f->seen = m->sample;
			return f;
		}
	}
	f = family_new(info);
	if (!f) {
		m->failed = 1;
		return NULL;
	}
	f->seen = m->sample;
	f->next = m->families;
	m->families = f;
	m->news = 1;
	return f;
}

static void sweep_families(struct top_model *m)
{
	struct top_family **at = &m->families, *f;

	while ((f = *at)) {
		if (f->seen == m->sample) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		family_free(f);
		m->news = 1;
	}
}

/* ---- names ---------------------------------------------------------------------------------- */

void top_row_labels(const struct top_row *row, unsigned escape, struct buf *b)
{
	const struct top_family *f = row->family;
	unsigned i;

	for (i = 0; i < f->nlabels; i++) {
		if (i)
			buf_puts(b, ",");
		top_escape(b, f->labels[i], strlen(f->labels[i]), escape);
		buf_puts(b, "=\"");
		top_escape(b, row->values[i], strlen(row->values[i]), escape | TOP_ESCAPE_QUOTE);
		buf_puts(b, "\"");
	}
}

void top_row_text(const struct top_row *row, unsigned escape, struct buf *b)
{
	top_escape(b, row->family->name, strlen(row->family->name), escape);
	if (!row->family->nlabels && !row->writer)
		return;
	buf_puts(b, "{");
	top_row_labels(row, escape, b);
	if (row->writer) {
		buf_puts(b, row->family->nlabels ? ",writer=\"" : "writer=\"");
		top_escape(b, row->writer, strlen(row->writer), escape | TOP_ESCAPE_QUOTE);
		buf_puts(b, "\"");
	}
	buf_puts(b, "}");
}

/* name{value,...}, or name{label=value,...} if wide. */
static char *screen_name(const struct top_row *row, unsigned escape, int wide)
{
	const struct top_family *f = row->family;
	struct buf b = { 0 };
	unsigned i;

	top_escape(&b, f->name, strlen(f->name), escape);
	if (f->nlabels || row->writer)
		buf_puts(&b, "{");
	for (i = 0; i < f->nlabels; i++) {
		if (i)
			buf_puts(&b, ",");
		if (wide) {
			top_escape(&b, f->labels[i], strlen(f->labels[i]), escape);
			buf_puts(&b, "=");
		}
		top_escape(&b, row->values[i], strlen(row->values[i]), escape);
	}
	if (row->writer) {
		buf_puts(&b, i ? "," : "");
		buf_puts(&b, wide ? "writer=" : "");
		top_escape(&b, row->writer, strlen(row->writer), escape);
	}
	if (f->nlabels || row->writer)
		buf_puts(&b, "}");
	return buf_take(&b);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void histogram_free(struct top_histogram *h)
{
	if (!h)
		return;
	free(h->counts);
	free(h->before);
	free(h->older);
	free(h->newer);
	free(h);
}

static void row_free(struct top_row *row)
{
	if (!row)
		return;
	free(row->wide);
	free(row->brief);
	free(row->writer);
	free_texts(row->values, row->family->nlabels);
	histogram_free(row->histogram);
	free(row);
}

static struct top_histogram *histogram_new(unsigned nunited)
{
	struct top_histogram *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->counts = calloc(nunited + 1, sizeof(*h->counts));
	h->before = calloc(nunited + 1, sizeof(*h->before));
	h->older = calloc(nunited + 1, sizeof(*h->older));
	h->newer = calloc(nunited + 1, sizeof(*h->newer));
	if (!h->counts || !h->before || !h->older || !h->newer) {
		histogram_free(h);
		return NULL;
	}
	return h;
}

static struct top_row *row_new(struct top_model *m, struct top_family *family,
			       const struct sm_series_info *series, const struct sm_writer *writer)
{
	struct top_row *row = calloc(1, sizeof(*row));
	unsigned i;
	int ok;

	if (!row)
		return NULL;
	row->family = family;
	row->id = series->id;
	row->incarnation = series->incarnation;
	row->slot = writer ? (int)writer->slot : -1;
	row->writer_incarnation = writer ? writer->incarnation : 0;
	row->created_boot_ns = series->created_boot_ns;
	row->created_real_ns = series->created_real_ns;
	row->rating = TOP_RATE_UNKNOWN;
	row->age_s = NAN;
	for (i = 0; i < TOP_HISTORY; i++)
		row->history[i] = NAN;
	for (i = 0; i < TOP_AVERAGES; i++)
		row->stats.average[i] = NAN;
	row->stats.min = row->stats.max = NAN;
	row->values = calloc(family->nlabels ? family->nlabels : 1, sizeof(*row->values));
	ok = row->values != NULL;
	for (i = 0; ok && i < family->nlabels; i++) {
		row->values[i] = strndup(series->values[i].ptr, series->values[i].len);
		ok = row->values[i] != NULL;
	}
	if (ok && writer) {
		row->writer = strdup(writer->name);
		ok = row->writer != NULL;
	}
	if (ok && family->kind == SM_HISTOGRAM) {
		row->histogram = histogram_new(family->nunited);
		ok = row->histogram != NULL;
	}
	if (ok) {
		row->wide = screen_name(row, m->escape, 1);
		row->brief = screen_name(row, m->escape, 0);
		ok = row->wide && row->brief;
	}
	if (ok)
		top_role_of_row(row);
	if (ok) {
		row->wide_width = top_width(row->wide);
		row->brief_width = top_width(row->brief);
	}
	if (!ok) {
		row_free(row);
		return NULL;
	}
	return row;
}

static size_t hash_row(uint32_t id, uint64_t incarnation, int slot, size_t nbuckets)
{
	uint64_t h = id * UINT64_C(0x9e3779b97f4a7c15);

	h ^= (incarnation + (uint64_t)(slot + 1) * UINT64_C(0xbf58476d1ce4e5b9)) *
	     UINT64_C(0x94d049bb133111eb);
	return (size_t)((h ^ h >> 29) & (nbuckets - 1));
}

static int grow(struct top_model *m)
{
	size_t n = m->nbuckets ? m->nbuckets * 2 : 256, i, at;
	struct top_row **buckets = calloc(n, sizeof(struct top_row *)), *row, *next;

	if (!buckets)
		return -ENOMEM;
	for (i = 0; i < m->nbuckets; i++) {
		for (row = m->buckets[i]; row; row = next) {
			next = row->next;
			at = hash_row(row->id, row->incarnation, row->slot, n);
			row->next = buckets[at];
			buckets[at] = row;
		}
	}
	free(m->buckets);
	m->buckets = buckets;
	m->nbuckets = n;
	return 0;
}

struct top_row *top_model_find(const struct top_model *m, const struct top_ref *ref)
{
	struct top_row *row;

	if (!m->nbuckets)
		return NULL;
	row = m->buckets[hash_row(ref->id, ref->incarnation, ref->slot, m->nbuckets)];
	while (row && (row->id != ref->id || row->incarnation != ref->incarnation ||
		       row->slot != ref->slot))
		row = row->next;
	return row;
}

struct top_row *top_model_row(struct top_model *m, struct top_family *family,
			      const struct sm_series_info *series, const struct sm_writer *writer,
			      int create)
{
	int slot = writer ? (int)writer->slot : -1;
	struct top_row *row = NULL;
	size_t at;

	if (m->nbuckets) {
		at = hash_row(series->id, series->incarnation, slot, m->nbuckets);
		row = m->buckets[at];
	}
	for (; row; row = row->next) {
		if (row->id == series->id && row->incarnation == series->incarnation &&
		    row->slot == slot && row->family == family &&
		    (!writer || row->writer_incarnation == writer->incarnation)) {
			row->listed = m->sample;
			return row;
		}
	}
	if (!create)
		return NULL;
	if ((m->nrows >= m->nbuckets && grow(m)) ||
	    !(row = row_new(m, family, series, writer))) {
		m->failed = 1;
		return NULL;
	}
	at = hash_row(series->id, series->incarnation, slot, m->nbuckets);
	row->listed = m->sample;
	row->next = m->buckets[at];
	m->buckets[at] = row;
	m->nrows++;
	m->news = 1;
	return row;
}

/* ---- samples -------------------------------------------------------------------------------- */

void top_model_init(struct top_model *m, unsigned escape)
{
	memset(m, 0, sizeof(*m));
	m->escape = escape;
}

void top_status_release(struct top_status *st)
{
	size_t i, k;

	for (i = 0; i < st->nwriters; i++)
		for (k = 0; k < 2 * st->writers[i].nmetadata; k++)
			free(st->writers[i].metadata[k]);
	free(st->writers);
	memset(st, 0, sizeof(*st));
}

void top_model_reset(struct top_model *m)
{
	struct top_model keep = { .window = m->window, .fake_boot_ns = m->fake_boot_ns,
				  .fake_real_ns = m->fake_real_ns, .escape = m->escape };
	struct top_family *f;
	struct top_row *row;
	size_t i;

	for (i = 0; i < m->nbuckets; i++) {
		while ((row = m->buckets[i])) {
			m->buckets[i] = row->next;
			row_free(row);
		}
	}
	while ((f = m->families)) {
		m->families = f->next;
		family_free(f);
	}
	free(m->buckets);
	free(m->rows);
	top_status_release(&m->status);
	*m = keep;
}

void top_model_release(struct top_model *m)
{
	top_model_reset(m);
}

void top_model_begin(struct top_model *m, uint64_t boot_ns)
{
	m->sample++;
	m->last_boot_ns = m->boot_ns;
	m->boot_ns = boot_ns;
	if (m->sample == 1)
		m->watched_boot_ns = boot_ns;
	m->failed = m->news = 0;
	top_model_decay(m);
	m->turn = boot_ns - m->turn_boot_ns >= TOP_WINDOW_NS / 2;
	if (m->turn)
		m->turn_boot_ns = boot_ns;
}

/* A row was not fed: 1 if it is to be dropped. */
static int row_missed(struct top_model *m, struct top_row *row)
{
	if (row->listed != m->sample && !m->failed)
		return 1;
	if (!row->gone_boot_ns)
		row->gone_boot_ns = m->boot_ns;
	row->history[m->sample % TOP_HISTORY] = NAN;
	return 0;
}

int top_model_end(struct top_model *m)
{
	struct top_row **at, *row, **rows;
	size_t i;

	m->nshown = m->nhistograms = 0;
	rows = realloc(m->rows, (m->nrows + 1) * sizeof(struct top_row *));
	if (rows)
		m->rows = rows;
	else
		m->failed = 1;
	for (i = 0; i < m->nbuckets; i++) {
		at = &m->buckets[i];
		while ((row = *at)) {
			if (row->valued != m->sample && row_missed(m, row)) {
				*at = row->next;
				row_free(row);
				m->nrows--;
				m->news = 1;
				continue;
			}
			if (rows)
				rows[m->nshown++] = row;
			m->nhistograms += row->histogram != NULL;
			at = &row->next;
		}
	}
	if (!m->failed)
		sweep_families(m);
	return m->failed ? -ENOMEM : 0;
}
