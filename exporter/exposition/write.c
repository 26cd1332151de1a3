/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - see write.h. */
#include "exporter/exposition/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 256		/* values that are read at once: they stay in the cache */

WRITE_MUTABLE size_t write_body_max = (size_t)1 << 30;

/* The writers of a segment as pieces of a format. */
struct pieces {
	struct buf text;
	struct format_span *piece;	/* by writer */
	unsigned char *wanted;
	int ready;
};

struct writing {
	const struct write *w;
	const struct plan *plan;
	struct render r;
	struct own_losses *losses;
	size_t losses_cap;
	struct pieces *pieces;		/* of each segment */
	uint64_t *counts;		/* of the family at hand */
	size_t counts_cap;
	struct exemplars *exemplars;	/* of the series or the histogram at hand */
	int failed;
};

/* Of as many series as are written at once, or of a histogram's buckets. */
struct exemplars {
	const struct sm_exemplar *list[VALUES_BUCKETS_MAX];
	struct sm_exemplar exemplar[VALUES_BUCKETS_MAX];
};

/* The family and block at hand. */
struct place {
	const struct plan_family *family;
	const struct plan_block *block;
	const struct values *v;
	const struct sm_family_info *info;
	int lost;
};

/* ---- writers -------------------------------------------------------------------------------- */

static int make_pieces(struct pieces *p, const struct writing *x, const struct values *v)
{
	size_t i, *at = malloc((v->nwriters + 1) * sizeof(*at));
	struct model_label label = { .name = "writer" };

	p->piece = malloc((v->nwriters + 1) * sizeof(*p->piece));
	p->wanted = malloc(v->nwriters + 1);
	if (!at || !p->piece || !p->wanted) {
		free(at);
		return -ENOMEM;
	}
	for (i = 0; i < v->nwriters; i++) {
		label.value = v->writers[i].info->name;
		label.len = strlen(label.value);
		p->wanted[i] = (unsigned char)query_wants_writer(x->w->query, label.value);
		at[i] = p->text.len;
		x->w->format->put_piece(&p->text, &label);
	}
	at[i] = p->text.len;
	for (i = 0; i < v->nwriters; i++)
		p->piece[i] = (struct format_span){ p->text.data + at[i], at[i + 1] - at[i] };
	free(at);
	p->ready = 1;
	return p->text.failed ? -ENOMEM : 0;
}

static const struct pieces *pieces_of(struct writing *x, const struct place *at)
{
	struct pieces *p = &x->pieces[at->block->segment];

	if (!p->ready && make_pieces(p, x, at->v) < 0)
		x->failed = 1;
	return x->failed ? NULL : p;
}

static void free_pieces(struct writing *x)
{
	size_t s;

	for (s = 0; x->pieces && s < x->w->collection->nsegments; s++) {
		buf_free(&x->pieces[s].text);
		free(x->pieces[s].piece);
		free(x->pieces[s].wanted);
	}
	free(x->pieces);
}

/* ---- losses --------------------------------------------------------------------------------- */

/* Note once a block why a family lacks values. */
static void lose(struct writing *x, struct place *at, enum plan_reason reason)
{
	struct own_losses *l = x->losses;
	struct plan_drop *list = l->unreadable;

	if (at->lost++)
		return;
	if (l->nunreadable == x->losses_cap) {
		x->losses_cap = x->losses_cap ? x->losses_cap * 2 : 16;
		list = realloc(list, x->losses_cap * sizeof(*list));
		if (!list) {
			x->failed = 1;
			return;
		}
		l->unreadable = list;
	}
	list[l->nunreadable++] = (struct plan_drop){ at->family->model.name, at->block->segment,
		reason };
}

static int is_full(struct writing *x, struct place *at)
{
	if (x->r.out->len < write_body_max)
		return 0;
	lose(x, at, PLAN_TOO_LARGE);
	return 1;
}

/* ---- exemplars ------------------------------------------------------------------------------ */

/* Does the format want those of this family? What is added up only: an exemplar tells no writer. */
static int wants_exemplars(struct writing *x, const struct place *at)
{
	if (!x->w->format->wants_exemplars || x->w->query->per_writer ||
	    !(at->info->flags & SM_FAMILY_EXEMPLARS) ||
	    (at->info->kind != SM_COUNTER && at->info->kind != SM_HISTOGRAM) ||
	    at->family->model.plain)
		return 0;
	if (!x->exemplars)
		x->exemplars = malloc(sizeof(*x->exemplars));
	return x->exemplars != NULL;
}

static void get_exemplar(struct writing *x, const struct place *at, size_t series, unsigned bucket,
	size_t to)
{
	struct exemplars *e = x->exemplars;

	e->list[to] = values_exemplar(at->v, at->block->family, series, bucket,
		&e->exemplar[to]) == 0 ? &e->exemplar[to] : NULL;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static struct format_batch batch_of(const struct writing *x, const struct place *at, size_t first,
	size_t n)
{
	return (struct format_batch){ .text = x->plan->text,
		.at = x->plan->at + at->block->first + first, .n = n };
}

/* All series of the block at once, if that can be. */
static const uint64_t *counts_of(struct writing *x, const struct place *at)
{
	size_t n = at->block->nseries;

	if (at->info->kind != SM_COUNTER || !n)
		return NULL;
	if (n > x->counts_cap) {
		free(x->counts);
		x->counts_cap = n + n / 2;
		x->counts = malloc(x->counts_cap * sizeof(*x->counts));
		if (!x->counts) {
			x->counts_cap = 0;
			return NULL;
		}
	}
	return values_counts(at->v, at->block->family, x->counts) == 0 ? x->counts : NULL;
}

static void add_up(struct writing *x, struct place *at, size_t first, size_t n,
	const uint64_t *counts)
{
	struct format_batch batch = batch_of(x, at, first, n);
	struct sm_value value[CHUNK];
	uint64_t created[CHUNK];
	size_t i;

	batch.units = counts ? counts + first : NULL;
	batch.value = value;
	for (i = 0; !counts && i < n; i++) {
		if (values_number(at->v, at->block->family, first + i, VALUES_ALL, &value[i]) < 0) {
			value[i].is_set = 0;
			lose(x, at, PLAN_UNREADABLE);
		}
	}
	if (x->w->created && at->info->kind == SM_COUNTER) {
		for (i = 0; i < n; i++)
			created[i] = values_created_ns(at->v, at->block->family, first + i);
		batch.created_ns = created;
	}
	if (wants_exemplars(x, at)) {
		for (i = 0; i < n; i++)
			get_exemplar(x, at, first + i, 0, i);
		batch.exemplar = x->exemplars->list;
	}
	x->w->format->numbers(&x->r, &batch);
}

static void put_states(struct writing *x, const struct place *at, struct format_batch *batch,
	struct format_span writer, const struct sm_value *v)
{
	struct format_span piece[FORMAT_PIECES] = { writer };
	const size_t *state = x->plan->at + at->block->state;
	uint64_t is;
	unsigned i;

	batch->piece = piece;
	batch->npieces = 2;
	for (i = 0; i < at->block->nstates; i++) {
		piece[1] = (struct format_span){ x->plan->text + state[i], state[i + 1] - state[i] };
		is = v->units == i;
		batch->units = &is;
		x->w->format->numbers(&x->r, batch);
		batch->units = NULL;
	}
	batch->piece = NULL;
}

/* One series, a line for each writer. */
static void each_writer(struct writing *x, struct place *at, size_t series)
{
	const struct pieces *p = pieces_of(x, at);
	struct format_batch batch;
	struct sm_value value;
	uint64_t created;
	size_t w;

	for (w = 0; p && w < at->v->nwriters; w++) {
		if (!p->wanted[w])
			continue;
		if (values_number(at->v, at->block->family, series, (int)w, &value) < 0) {
			lose(x, at, PLAN_UNREADABLE);
			continue;
		}
		if (!value.is_set)
			continue;
		batch = batch_of(x, at, series, 1);
		if (at->info->kind == SM_STATESET) {
			put_states(x, at, &batch, p->piece[w], &value);
			continue;
		}
		batch.piece = &p->piece[w];
		batch.npieces = 1;
		batch.value = &value;
		if (x->w->created && at->info->kind == SM_COUNTER) {
			created = values_created_ns(at->v, at->block->family, series);
			batch.created_ns = &created;
		}
		x->w->format->numbers(&x->r, &batch);
	}
}

/* ---- histograms ----------------------------------------------------------------------------- */

static int get_native(const struct writing *x, const struct place *at, size_t series, int writer,
	struct sm_native *ret_native)
{
	uint64_t counts[VALUES_BUCKETS_MAX];
	struct sm_sum sum;
	int rc = values_buckets(at->v, at->block->family, series, writer, counts, &sum);

	return rc < 0 ? rc : sm_native_from_buckets(at->info, counts, &sum,
		x->w->native_buckets_max, ret_native);
}

static void put_histogram(struct writing *x, struct place *at, size_t series, int writer,
	const struct format_span *piece)
{
	const struct plan *plan = x->plan;
	const size_t *text = plan->at + at->block->first + series, *le = plan->at + at->block->le;
	uint64_t cumulative[VALUES_BUCKETS_MAX];
	struct sm_native native;
	struct format_span les[VALUES_BUCKETS_MAX];
	struct format_histogram h = {
		.text = { plan->text + text[0], text[1] - text[0] },
		.piece = piece, .npieces = piece != NULL,
		.nbounds = at->info->nbounds, .bound = at->info->bounds,
		.le = les, .cumulative = cumulative,
		.created_ns = values_created_ns(at->v, at->block->family, series),
	};
	unsigned i;

	if (h.nbounds >= VALUES_BUCKETS_MAX || values_classic(at->v, at->block->family, series,
	    writer, cumulative, &h.sum) < 0) {
		lose(x, at, PLAN_UNREADABLE);
		return;
	}
	/* A writer that never had a part in it has no histogram. */
	if (writer != VALUES_ALL && !cumulative[h.nbounds])
		return;
	if (x->w->format->wants_native && (at->info->flags & SM_FAMILY_FINE_GRID) &&
	    get_native(x, at, series, writer, &native) == 0)
		h.native = &native;
	if (wants_exemplars(x, at)) {
		for (i = 0; i <= h.nbounds; i++)
			get_exemplar(x, at, series, i, i);
		h.exemplar = x->exemplars->list;
	}
	for (i = 0; i <= h.nbounds; i++)
		les[i] = (struct format_span){ plan->text + le[i], le[i + 1] - le[i] };
	x->w->format->histogram(&x->r, &h);
}

static void put_histograms(struct writing *x, struct place *at)
{
	const struct pieces *p = NULL;
	size_t s, w;

	if (x->w->query->per_writer) {
		p = pieces_of(x, at);
		if (!p)
			return;
	}
	for (s = 0; s < at->block->nseries && !x->failed && !is_full(x, at); s++) {
		if (!p)
			put_histogram(x, at, s, VALUES_ALL, NULL);
		for (w = 0; p && w < at->v->nwriters; w++)
			if (p->wanted[w])
				put_histogram(x, at, s, (int)w, &p->piece[w]);
	}
}

/* ---- families ------------------------------------------------------------------------------- */

static void put_block(struct writing *x, struct place *at)
{
	size_t n = at->block->nseries, i;
	const uint64_t *counts;

	at->v = &x->w->values[at->block->segment];
	at->info = values_family(at->v, at->block->family);
	at->lost = 0;
	if (at->info->kind == SM_HISTOGRAM) {
		put_histograms(x, at);
	} else if (x->w->query->per_writer || values_is_per_writer(at->info)) {
		for (i = 0; i < n && !x->failed && !is_full(x, at); i++)
			each_writer(x, at, i);
	} else {
		counts = counts_of(x, at);
		for (i = 0; i < n && !x->failed && !is_full(x, at); i += CHUNK)
			add_up(x, at, i, n - i < CHUNK ? n - i : CHUNK, counts);
	}
}

static struct render render_of(const struct write *w, struct buf *out)
{
	return (struct render){ .format = w->format, .out = out, .created = w->created };
}

static int end(struct render *r, int failed)
{
	failed |= r->out->failed || r->scratch.failed || r->more.failed;
	buf_free(&r->scratch);
	buf_free(&r->more);
	return failed ? -ENOMEM : 0;
}

int write_families(const struct write *w, const struct plan *plan, struct buf *out,
	struct own_losses *losses)
{
	struct writing x = { .w = w, .plan = plan, .r = render_of(w, out), .losses = losses };
	const struct model_family *model;
	struct place at;
	size_t f, b;

	x.pieces = calloc(w->collection->nsegments, sizeof(*x.pieces));
	if (!x.pieces)
		return -ENOMEM;
	for (f = 0; f < plan->nfamilies && !x.failed; f++) {
		at.family = &plan->families[f];
		model = &at.family->model;
		if (!query_wants_family(w->query, model->name, model->type == MODEL_HISTOGRAM))
			continue;
		format_begin(&x.r, model, (struct format_span){
			plan->text + at.family->head, at.family->head_len });
		for (b = 0; b < at.family->nblocks && !x.failed; b++) {
			at.block = &plan->blocks[at.family->first_block + b];
			put_block(&x, &at);
		}
		w->format->end(&x.r);
	}
	losses->samples = x.r.samples;
	free_pieces(&x);
	free(x.counts);
	free(x.exemplars);
	return end(&x.r, x.failed);
}

/* ---- our own -------------------------------------------------------------------------------- */

static void put_extra(struct render *r, const struct extra *x, const struct extra_metric *m,
	struct buf *text)
{
	size_t at[2] = { 0 };
	struct format_batch batch = { .at = at, .n = 1, .value = &m->value };

	text->len = 0;
	r->format->put_series(text, r->family, x->label + m->first_label, m->nlabels);
	buf_reserve(text, FORMAT_SLACK);
	if (text->failed)
		return;
	at[1] = text->len;
	batch.text = text->data;
	r->format->numbers(r, &batch);
}

int write_extra(const struct write *w, const struct plan *plan, const struct extra *x,
	struct buf *out)
{
	struct render r = render_of(w, out);
	struct buf head = { 0 }, text = { 0 };
	const struct model_family *f;
	size_t i, j;
	int failed = x->failed;

	for (i = 0; i < x->nmetrics && !failed; i = j) {
		f = &x->family[x->metric[i].family];
		for (j = i; j < x->nmetrics && x->metric[j].family == x->metric[i].family; j++)
			;
		if (plan_takes_name(plan, f->name))
			continue;	/* a program may have metrics of its process, too */
		head.len = 0;
		w->format->put_head(&head, f);
		format_begin(&r, f, (struct format_span){ head.data, head.len });
		for (; i < j; i++)
			put_extra(&r, x, &x->metric[i], &text);
		w->format->end(&r);
	}
	w->format->finish(&r);
	failed |= head.failed || text.failed;
	buf_free(&head);
	buf_free(&text);
	return end(&r, failed);
}
