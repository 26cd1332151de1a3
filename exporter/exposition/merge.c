/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge.c - the exposition of several files of one segment.
 *
 * Programs' families come from the view, written as sm_snapshot_text() writes them. The metrics
 * about the segment itself (shardmeter_*) exist only as that function's text: it is cut into
 * samples, counters of one key are added, of the others the newest file's stays.
 */
#include "exporter/exposition/expose.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OURS		"shardmeter_"
#define BUCKETS_MAX	1025	/* as in view.c */

/* ---- programs' families --------------------------------------------------------------------- */

struct render {
	struct buf *out;
	struct buf labels;		/* of the series at hand, without braces */
	const struct view *v;
	const struct view_family *f;
	int begun;			/* HELP and TYPE are written with the first sample */
};

static void put_escaped(struct buf *b, const char *text, size_t len, int quotes)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] == '\n')
			buf_put(b, "\\n", 2);
		else if (text[i] == '\\' || (quotes && text[i] == '"'))
			buf_put(b, (char[]){ '\\', text[i] }, 2);
		else
			buf_put(b, &text[i], 1);
	}
}

static void put_label(struct buf *b, const char *name, const char *value, size_t len)
{
	if (b->len)
		buf_put(b, ",", 1);
	buf_puts(b, name);
	buf_put(b, "=\"", 2);
	put_escaped(b, value, len, 1);
	buf_put(b, "\"", 1);
}

static void put_sample(struct render *r, const char *suffix, const char *value)
{
	const struct sm_family_info *f = r->f->info;

	if (!r->begun) {
		if (*f->help) {
			buf_printf(r->out, "# HELP %s ", f->name);
			put_escaped(r->out, f->help, strlen(f->help), 0);
			buf_put(r->out, "\n", 1);
		}
		buf_printf(r->out, "# TYPE %s %s\n", f->name, f->kind == SM_COUNTER ? "counter" :
			f->kind == SM_HISTOGRAM ? "histogram" : "gauge");
		r->begun = 1;
	}
	buf_puts(r->out, f->name);
	buf_puts(r->out, suffix);
	if (r->labels.len) {
		buf_put(r->out, "{", 1);
		buf_put(r->out, r->labels.data, r->labels.len);
		buf_put(r->out, "}", 1);
	}
	buf_put(r->out, " ", 1);
	buf_puts(r->out, value);
	buf_put(r->out, "\n", 1);
	r->out->failed |= r->labels.failed;
}

static void put_value(struct render *r, const struct sm_value *v)
{
	char text[64] = "-";

	if (v->is_integer && v->is_signed && (int64_t)v->units < 0)
		sm_format_units(-v->units, v->decimals, text + 1, sizeof(text) - 1);
	else if (v->is_integer)
		sm_format_units(v->units, v->decimals, text, sizeof(text));
	else
		sm_format_double(v->value, 0, text, sizeof(text));
	put_sample(r, "", text);
}

static void put_histogram(struct render *r, const struct view_series *s)
{
	const struct sm_family_info *f = r->f->info;
	uint64_t cumulative[BUCKETS_MAX];
	size_t mark = r->labels.len;
	struct sm_sum sum;
	char text[64];
	unsigned i;

	if (f->nbounds >= BUCKETS_MAX || view_classic(r->v, r->f, s, cumulative, &sum) < 0)
		return;
	for (i = 0; i <= f->nbounds; i++) {
		if (i < f->nbounds)
			sm_format_double(f->bounds[i], 1, text, sizeof(text));
		else
			snprintf(text, sizeof(text), "+Inf");
		put_label(&r->labels, "le", text, strlen(text));
		snprintf(text, sizeof(text), "%" PRIu64, cumulative[i]);
		put_sample(r, "_bucket", text);
		r->labels.len = mark;
	}
	if (sum.is_integer)
		sm_format_units(sum.units, sum.decimals, text, sizeof(text));
	else
		sm_format_double(sum.value, 0, text, sizeof(text));
	put_sample(r, "_sum", text);
	snprintf(text, sizeof(text), "%" PRIu64, cumulative[f->nbounds]);
	put_sample(r, "_count", text);
}

static int put_writer(void *ctx, const struct sm_writer *writer, const struct sm_value *value)
{
	struct render *r = ctx;
	const struct sm_family_info *f = r->f->info;
	size_t mark = r->labels.len, with_writer;
	unsigned i;

	put_label(&r->labels, "writer", writer->name, strlen(writer->name));
	with_writer = r->labels.len;
	if (f->kind == SM_GAUGE)
		put_value(r, value);
	for (i = 0; f->kind == SM_STATESET && i < f->nstates; i++) {
		put_label(&r->labels, f->name, f->states[i], strlen(f->states[i]));
		put_sample(r, "", value->units == i ? "1" : "0");
		r->labels.len = with_writer;
	}
	r->labels.len = mark;
	return 0;
}

static void put_family(struct render *r)
{
	const struct sm_family_info *f = r->f->info;
	const struct view_series *s;
	struct sm_value value;
	size_t i;
	unsigned l;

	r->begun = 0;
	for (i = 0; i < r->f->nseries; i++) {
		s = &r->f->series[i];
		r->labels.len = 0;
		for (l = 0; l < f->nlabels; l++)
			put_label(&r->labels, f->labels[l], s->info->values[l].ptr,
				s->info->values[l].len);
		if (f->kind == SM_HISTOGRAM)
			put_histogram(r, s);
		else if (view_is_per_writer(r->f))
			view_each_writer(r->v, r->f, s, put_writer, r);
		else if (view_number(r->v, r->f, s, &value) == 0 && value.is_set)
			put_value(r, &value);
	}
}

/* ---- metrics about the segment -------------------------------------------------------------- */

/* Pieces of the texts below; the texts outlive them. */
struct sample {
	size_t block;
	const char *key;		/* name and labels */
	size_t key_len;
	const char *value;
	size_t value_len;
	uint64_t added;			/* of older files, to a counter */
};

struct block {
	const char *head;		/* HELP and TYPE lines */
	size_t head_len;
	const char *name;
	size_t name_len;
	int counter;
};

struct blocks {
	struct block *block;
	size_t nblocks;
	struct sample *sample;
	size_t nsamples, samples_cap;
	int failed;
};

static int same(const char *a, size_t alen, const char *b, size_t blen)
{
	return alen == blen && memcmp(a, b, alen) == 0;
}

static struct sample *find_sample(struct blocks *all, size_t block, const char *key, size_t len)
{
	size_t i;

	for (i = 0; i < all->nsamples; i++)
		if (all->sample[i].block == block &&
		    same(all->sample[i].key, all->sample[i].key_len, key, len))
			return &all->sample[i];
	return NULL;
}

static void add_sample(struct blocks *all, size_t block, const char *line, size_t len)
{
	const char *space = memrchr(line, ' ', len);
	struct sample *s, *grown;
	size_t key_len;

	if (!space)
		return;
	key_len = (size_t)(space - line);
	s = find_sample(all, block, line, key_len);
	if (s) {
		if (all->block[block].counter)
			s->added += strtoull(space + 1, NULL, 10);
		return;
	}
	if (all->nsamples == all->samples_cap) {
		all->samples_cap = all->samples_cap ? all->samples_cap * 2 : 128;
		grown = realloc(all->sample, all->samples_cap * sizeof(*grown));
		if (!grown) {
			all->failed = 1;
			return;
		}
		all->sample = grown;
	}
	all->sample[all->nsamples++] = (struct sample){ .block = block, .key = line,
		.key_len = key_len, .value = space + 1, .value_len = len - key_len - 1 };
}

/* The block of a "# TYPE" line; `head` is where its family's lines begin. */
static size_t open_block(struct blocks *all, const char *head, const char *line, size_t len)
{
	const char *name = line + 7, *space = memchr(name, ' ', len - 7);
	size_t i, name_len;
	struct block *grown;

	name_len = space ? (size_t)(space - name) : len - 7;
	for (i = 0; i < all->nblocks; i++)
		if (same(all->block[i].name, all->block[i].name_len, name, name_len))
			return i;
	grown = realloc(all->block, (all->nblocks + 1) * sizeof(*grown));
	if (!grown) {
		all->failed = 1;
		return SIZE_MAX;
	}
	all->block = grown;
	all->block[all->nblocks] = (struct block){ .head = head,
		.head_len = (size_t)(line + len + 1 - head), .name = name, .name_len = name_len,
		.counter = space && same(space + 1, len - 8 - name_len, "counter", 7) };
	return all->nblocks++;
}

/* Cut one file's text; only families of ours are looked at. */
static void cut(struct blocks *all, const char *text, size_t len)
{
	const char *end = text + len, *line, *next, *head = NULL;
	size_t n, block = SIZE_MAX;

	for (line = text; line < end; line = next) {
		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next + 1 : end;
		n = (size_t)(next - line) - 1;
		if (n > 7 && memcmp(line, "# HELP ", 7) == 0) {
			head = line;
		} else if (n > 7 && memcmp(line, "# TYPE ", 7) == 0) {
			block = strncmp(line + 7, OURS, sizeof(OURS) - 1) == 0 ?
				open_block(all, head ? head : line, line, n) : SIZE_MAX;
			head = NULL;
		} else if (block != SIZE_MAX) {
			add_sample(all, block, line, n);
		}
	}
}

static void put_blocks(struct buf *b, const struct blocks *all)
{
	const struct sample *s;
	size_t i, j;

	for (i = 0; i < all->nblocks; i++) {
		buf_put(b, all->block[i].head, all->block[i].head_len);
		for (j = 0; j < all->nsamples; j++) {
			s = &all->sample[j];
			if (s->block != i)
				continue;
			buf_put(b, s->key, s->key_len);
			if (s->added)
				buf_printf(b, " %" PRIu64 "\n",
					(uint64_t)(strtoull(s->value, NULL, 10) + s->added));
			else
				buf_printf(b, " %.*s\n", (int)s->value_len, s->value);
		}
	}
}

static int put_ours(struct buf *b, const struct view *v)
{
	struct buf texts[VIEW_PARTS] = { { 0 } };
	struct blocks all = { 0 };
	size_t p;
	int rc = 0;

	for (p = 0; p < v->nparts && rc == 0; p++) {
		rc = sm_snapshot_text(v->part[p], 0, expose_sink, &texts[p]);
		if (rc == 0 && texts[p].len)
			cut(&all, texts[p].data, texts[p].len);
	}
	if (rc == 0)
		put_blocks(b, &all);
	if (all.failed)
		rc = -ENOMEM;
	for (p = 0; p < v->nparts; p++)
		buf_free(&texts[p]);
	free(all.block);
	free(all.sample);
	return rc;
}

int expose_merged(struct buf *b, const struct view *v)
{
	struct render r = { .out = b, .v = v };
	size_t i;

	for (i = 0; i < v->nfamilies; i++) {
		r.f = &v->families[i];
		/* Only a falsified segment has programs' families of our name: put_ours() sees them. */
		if (strncmp(r.f->info->name, OURS, sizeof(OURS) - 1) != 0)
			put_family(&r);
	}
	buf_free(&r.labels);
	return put_ours(b, v);
}
