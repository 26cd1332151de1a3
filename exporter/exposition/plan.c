/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - see plan.h.
 *
 * First the lists of families of all segments, each sorted by name, are merged and what may not stay
 * is left out; then the rest is rendered. Texts go to one growing buffer and are known by offsets
 * until it is complete.
 */
#include "exporter/exposition/plan.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of all names and labels together. Only a falsified segment reaches it: texts of its labels may
 * overlap, so that a small file means a huge exposition. */
#define TEXT_MAX	((size_t)1 << 29)

#define LABELS_MAX	(SM_LABELS_MAX + 1)

/* What a plan was made for: all of it must be the same. The pointer alone might be that of a later
 * catalog, the generation alone that of another file. */
struct plan_key {
	const struct sm_family_info *families;
	size_t nfamilies;
	uint64_t generation;
	uint8_t segment_id[16];
};

struct maker {
	struct plan *plan;
	const struct collection *c;
	const struct values *v;
	const char *allowed_labels;
	struct buf text;
	size_t nat, at_cap, blocks_cap, families_cap, dropped_cap;
	int rc;
};

/* ---- growing -------------------------------------------------------------------------------- */

static int grow(void **list, size_t *cap, size_t n, size_t size)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *grown;

	if (n < *cap)
		return 0;
	while (more <= n)
		more *= 2;
	grown = realloc(*list, more * size);
	if (!grown)
		return -ENOMEM;
	*list = grown;
	*cap = more;
	return 0;
}

/* The text goes on: note where. */
static void mark(struct maker *m)
{
	struct plan *p = m->plan;
	void *at = p->at;

	if (!m->rc)
		m->rc = grow(&at, &m->at_cap, m->nat, sizeof(*p->at));
	p->at = at;
	if (!m->rc)
		p->at[m->nat++] = m->text.len;
}

static struct plan_family *add_family(struct maker *m)
{
	struct plan *p = m->plan;
	void *list = p->families;
	int rc = grow(&list, &m->families_cap, p->nfamilies, sizeof(*p->families));

	p->families = list;
	if (rc < 0) {
		m->rc = rc;
		return NULL;
	}
	memset(&p->families[p->nfamilies], 0, sizeof(*p->families));
	return &p->families[p->nfamilies++];
}

static struct plan_block *add_block(struct maker *m)
{
	struct plan *p = m->plan;
	void *list = p->blocks;
	int rc = grow(&list, &m->blocks_cap, p->nblocks, sizeof(*p->blocks));

	p->blocks = list;
	if (rc < 0) {
		m->rc = rc;
		return NULL;
	}
	memset(&p->blocks[p->nblocks], 0, sizeof(*p->blocks));
	return &p->blocks[p->nblocks++];
}

static void add_drop(struct maker *m, const char *family, size_t segment, enum plan_reason reason)
{
	struct plan *p = m->plan;
	void *list = p->dropped;
	int rc = grow(&list, &m->dropped_cap, p->ndropped, sizeof(*p->dropped));

	p->dropped = list;
	if (rc < 0)
		m->rc = rc;
	else
		p->dropped[p->ndropped++] = (struct plan_drop){ family, segment, reason };
}

/* ---- choosing ------------------------------------------------------------------------------- */

static const struct plan_family *find_family(const struct plan *p, const char *name, size_t len)
{
	size_t low = 0, high = p->nfamilies, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = strncmp(p->families[middle].model.name, name, len);
		if (order == 0 && p->families[middle].model.name[len])
			order = 1;
		if (order == 0)
			return &p->families[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Has a histogram that is kept samples of this name? */
static int is_of_histogram(const struct plan *p, const char *name, size_t len)
{
	static const char *const suffixes[] = { "_bucket", "_count", "_created", "_sum" };
	const struct plan_family *f;
	size_t i, cut;

	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		cut = strlen(suffixes[i]);
		if (len <= cut || memcmp(name + len - cut, suffixes[i], cut) != 0)
			continue;
		f = find_family(p, name, len - cut);
		if (f && f->model.type == MODEL_HISTOGRAM)
			return 1;
	}
	return 0;
}

static int takes(const struct plan *p, const char *name, size_t len)
{
	return find_family(p, name, len) || is_of_histogram(p, name, len);
}

int plan_takes_name(const struct plan *p, const char *name)
{
	return takes(p, name, strlen(name));
}

/* May a counter's or an info's OpenMetrics family have the shorter name, and `_created` beside it? */
static int is_base_free(const struct plan *p, const struct model_family *f)
{
	char other[256];	/* names have at most 200 bytes */
	size_t len = f->base_len;

	if (len + 9 > sizeof(other) || takes(p, f->name, len))
		return 0;
	memcpy(other, f->name, len);
	if (f->type == MODEL_COUNTER) {
		memcpy(other + len, "_created", 9);
		return !takes(p, other, len + 8);
	}
	memcpy(other + len, "_total", 7);
	return !find_family(p, other, len + 6);
}

/* The next name over all segments; NULL at the end. */
static const struct sm_family_info *next_name(const struct maker *m, const size_t *at)
{
	const struct sm_family_info *first = NULL, *f;
	size_t s;

	for (s = 0; s < m->c->nsegments; s++) {
		if (at[s] >= m->v[s].nfamilies)
			continue;
		f = values_family(&m->v[s], at[s]);
		if (!first || strcmp(f->name, first->name) < 0)
			first = f;
	}
	return first;
}

/* Is this name on a list of patterns, separated by commas? */
static int is_listed(const char *list, const char *name)
{
	char pattern[256];
	size_t len;

	for (; *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		snprintf(pattern, sizeof(pattern), "%.*s", (int)len, list);
		if (len < sizeof(pattern) && fnmatch(pattern, name, 0) == 0)
			return 1;
	}
	return 0;
}

static int has_other_label(const struct maker *m, const struct sm_family_info *f)
{
	unsigned l;

	for (l = 0; l < f->nlabels && *m->allowed_labels; l++)
		if (!is_listed(m->allowed_labels, f->labels[l]))
			return 1;
	return 0;
}

/* Merge the segments' families. Their texts still belong to the snapshots. */
static void choose(struct maker *m, size_t *at)
{
	const struct sm_family_info *first, *f;
	struct plan_family *family;
	struct plan_block *block;
	size_t s;
	int clash;

	while (!m->rc && (first = next_name(m, at)) != NULL) {
		clash = is_of_histogram(m->plan, first->name, strlen(first->name));
		family = clash ? NULL : add_family(m);
		if (family) {
			model_family_init(&family->model, first->name, first->help, first->unit,
				model_type_of(first->kind));
			family->first_block = m->plan->nblocks;
		}
		for (s = 0; !m->rc && s < m->c->nsegments; s++) {
			f = at[s] < m->v[s].nfamilies ? values_family(&m->v[s], at[s]) : NULL;
			if (!f || strcmp(f->name, first->name) != 0)
				continue;
			at[s]++;
			if (clash || model_type_of(f->kind) != family->model.type) {
				add_drop(m, f->name, s, clash ? PLAN_NAME_CLASH : PLAN_TYPE_CLASH);
				continue;
			}
			if (has_other_label(m, f)) {
				add_drop(m, f->name, s, PLAN_LABEL);
				continue;
			}
			block = add_block(m);
			if (block) {
				block->segment = s;
				block->family = at[s] - 1;
				block->nseries = values_nseries(&m->v[s], block->family);
				block->kind = f->kind;
				block->nbounds = f->nbounds;
				block->nstates = f->nstates;
				family->nblocks++;
			}
		}
	}
}

static void settle_names(struct plan *p)
{
	struct model_family *f;
	size_t i;

	for (i = 0; i < p->nfamilies; i++) {
		f = &p->families[i].model;
		if (!f->plain && (f->type == MODEL_COUNTER || f->type == MODEL_INFO))
			f->plain = !is_base_free(p, f);
		if (f->plain)
			f->base_len = f->name_len;
	}
}

/* ---- rendering ------------------------------------------------------------------------------ */

/* The segment's name is a label of everything when there are several; then a program's own label of
 * that name gives way. */
static size_t series_labels(const struct maker *m, const struct plan_block *b,
	const struct sm_family_info *f, const struct sm_series_info *s, struct model_label *ret)
{
	const char *segment = m->c->segment[b->segment].name;
	int several = m->c->nsegments > 1;
	size_t n = 0;
	unsigned l;

	if (several)
		ret[n++] = (struct model_label){ "segment", segment, strlen(segment) };
	for (l = 0; l < f->nlabels && l < SM_LABELS_MAX; l++)
		ret[n++] = (struct model_label){
			several && strcmp(f->labels[l], "segment") == 0 ? "exported_segment" :
			f->labels[l], s->values[l].ptr, s->values[l].len };
	return n;
}

static void put_bounds(struct maker *m, struct plan_block *b, const struct sm_family_info *f)
{
	struct model_label label = { .name = "le" };
	char text[32];
	unsigned i;

	b->le = m->nat;
	for (i = 0; i <= f->nbounds; i++) {
		label.len = sm_format_double(i < f->nbounds ? f->bounds[i] : __builtin_inf(), 1,
			text, sizeof(text));
		label.value = text;
		mark(m);
		m->plan->format->put_piece(&m->text, &label);
	}
	mark(m);
}

static void put_states(struct maker *m, struct plan_block *b, const struct sm_family_info *f)
{
	struct model_label label = { .name = f->name };
	unsigned i;

	b->state = m->nat;
	for (i = 0; i < f->nstates; i++) {
		label.value = f->states[i];
		label.len = strlen(f->states[i]);
		mark(m);
		m->plan->format->put_piece(&m->text, &label);
	}
	mark(m);
}

static void put_block(struct maker *m, const struct plan_family *family, struct plan_block *b)
{
	const struct values *v = &m->v[b->segment];
	const struct sm_family_info *f = values_family(v, b->family);
	struct model_label labels[LABELS_MAX];
	size_t i, n;

	b->first = m->nat;
	for (i = 0; i < b->nseries && !m->rc; i++) {
		n = series_labels(m, b, f, values_series(v, b->family, i), labels);
		mark(m);
		m->plan->format->put_series(&m->text, &family->model, labels, n);
		if (m->text.len > TEXT_MAX)
			m->rc = -E2BIG;
	}
	mark(m);
	if (f->kind == SM_HISTOGRAM)
		put_bounds(m, b, f);
	if (f->kind == SM_STATESET)
		put_states(m, b, f);
}

/* Families are rendered one after another until one would be too much; that one and none of the
 * following that fit is left out. */
static void put_families(struct maker *m)
{
	struct plan *p = m->plan;
	struct plan_family *f;
	size_t i, j, text, nat;

	for (i = 0; i < p->nfamilies && !m->rc; i++) {
		f = &p->families[i];
		text = m->text.len;
		nat = m->nat;
		f->head = text;
		p->format->put_head(&m->text, &f->model);
		f->head_len = m->text.len - text;
		for (j = 0; j < f->nblocks && !m->rc; j++)
			put_block(m, f, &p->blocks[f->first_block + j]);
		if (m->rc != -E2BIG)
			continue;
		m->rc = 0;
		m->text.len = text;
		m->nat = nat;
		for (j = 0; j < f->nblocks; j++)
			add_drop(m, f->model.name, p->blocks[f->first_block + j].segment,
				PLAN_TOO_LARGE);
		f->nblocks = 0;
	}
}

/* ---- lifetime ------------------------------------------------------------------------------- */

const char *plan_reason_name(enum plan_reason reason)
{
	static const char *const names[PLAN_REASONS] = { "name_clash", "type_clash", "too_large",
		"label", "unreadable" };

	return names[reason];
}

/* Names are used after the snapshot may be gone: copy them. */
static int keep_names(struct plan *p)
{
	struct buf names = { 0 };
	size_t i;
	const char *at;

	for (i = 0; i < p->nfamilies; i++)
		buf_put(&names, p->families[i].model.name, p->families[i].model.name_len + 1);
	for (i = 0; i < p->ndropped; i++)
		buf_put(&names, p->dropped[i].family, strlen(p->dropped[i].family) + 1);
	if (names.failed)
		return -ENOMEM;
	at = names.data;
	for (i = 0; i < p->nfamilies; i++) {
		p->families[i].model.name = at;
		p->families[i].model.help = p->families[i].model.unit = "";
		at += p->families[i].model.name_len + 1;
	}
	for (i = 0; i < p->ndropped; i++) {
		p->dropped[i].family = at;
		at += strlen(at) + 1;
	}
	p->names = names;
	return 0;
}

static void fill_key(const struct source_reading *r, struct plan_key *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (r->n == 0)
		return;
	ret->families = r->snapshot[0]->families;
	ret->nfamilies = r->snapshot[0]->nfamilies;
	ret->generation = r->snapshot[0]->catalog_generation;
	memcpy(ret->segment_id, r->snapshot[0]->segment->segment_id, sizeof(ret->segment_id));
}

static int make_key(struct maker *m)
{
	size_t s;

	m->plan->nkey = m->c->nsegments;
	m->plan->key = calloc(m->c->nsegments + 1, sizeof(*m->plan->key));
	for (s = 0; m->plan->key && s < m->c->nsegments; s++)
		fill_key(&m->c->segment[s].reading, &m->plan->key[s]);
	return m->plan->key ? 0 : -ENOMEM;
}

/* The key decides; this keeps a falsified segment from making us read outside of its snapshot. */
static int shapes_fit(const struct plan *p, const struct values *v)
{
	const struct sm_family_info *f;
	const struct plan_block *b;
	size_t i;

	for (i = 0; i < p->nblocks; i++) {
		b = &p->blocks[i];
		if (b->family >= v[b->segment].nfamilies)
			return 0;
		f = values_family(&v[b->segment], b->family);
		if (f->nseries != b->nseries || f->kind != b->kind || f->nbounds != b->nbounds ||
		    f->nstates != b->nstates)
			return 0;
	}
	return 1;
}

int plan_fits(const struct plan *p, const struct collection *c, const struct values *v)
{
	struct plan_key key;
	size_t s;

	if (p->nkey != c->nsegments)
		return 0;
	for (s = 0; s < c->nsegments; s++) {
		/* Several files are merged anew each time, and rare. */
		if (c->segment[s].reading.n > 1)
			return 0;
		fill_key(&c->segment[s].reading, &key);
		if (memcmp(&key, &p->key[s], sizeof(key)) != 0)
			return 0;
	}
	return shapes_fit(p, v);
}

int plan_make(const struct collection *c, const struct values *v, const struct format *format,
	const char *allowed_labels, struct plan **ret_plan)
{
	struct maker m = { .c = c, .v = v, .allowed_labels = allowed_labels, .plan = calloc(1, sizeof(*m.plan)) };
	size_t *at = calloc(c->nsegments + 1, sizeof(*at));

	if (!m.plan || !at) {
		free(m.plan);
		free(at);
		return -ENOMEM;
	}
	m.plan->refs = 1;
	m.plan->format = format;
	m.rc = make_key(&m);
	choose(&m, at);
	free(at);
	settle_names(m.plan);
	put_families(&m);
	mark(&m);
	buf_reserve(&m.text, FORMAT_SLACK);
	if (!m.rc && !m.text.failed)
		m.rc = keep_names(m.plan);
	if (m.text.failed)
		m.rc = -ENOMEM;
	if (m.text.data)
		m.plan->text = realloc(m.text.data, m.text.len + FORMAT_SLACK);
	if (!m.plan->text)
		m.plan->text = m.text.data;
	if (m.rc) {
		plan_unref(m.plan);
		return m.rc;
	}
	*ret_plan = m.plan;
	return 0;
}

struct plan *plan_ref(struct plan *p)
{
	__atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
	return p;
}

void plan_unref(struct plan *p)
{
	if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	free(p->key);
	free(p->text);
	free(p->at);
	free(p->families);
	free(p->blocks);
	free(p->dropped);
	buf_free(&p->names);
	free(p);
}
