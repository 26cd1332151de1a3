/* SPDX-License-Identifier: Apache-2.0 */
/* extra.c - see extra.h. */
#include "exporter/exposition/extra.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 8192

struct extra_block {
	struct extra_block *next;
	size_t used;
	char text[BLOCK_BYTES];
};

void extra_init(struct extra *x, const struct query *q)
{
	memset(x, 0, sizeof(*x));
	x->query = q;
}

void extra_release(struct extra *x)
{
	struct extra_block *next;

	for (; x->texts; x->texts = next) {
		next = x->texts->next;
		free(x->texts);
	}
	free(x->family);
	free(x->metric);
	free(x->label);
	memset(x, 0, sizeof(*x));
}

static int grow(struct extra *x, void **list, size_t *cap, size_t n, size_t size)
{
	size_t more = *cap ? *cap * 2 : 128;
	void *grown;

	if (n < *cap)
		return 1;
	grown = realloc(*list, more * size);
	if (!grown) {
		x->failed = 1;
		return 0;
	}
	*list = grown;
	*cap = more;
	return 1;
}

static const char *keep(struct extra *x, const char *text, size_t len)
{
	struct extra_block *b = x->texts;
	char *copy;

	if (len >= BLOCK_BYTES)
		len = BLOCK_BYTES - 1;	/* no text of ours is nearly as long */
	if (!b || BLOCK_BYTES - b->used <= len) {
		b = malloc(sizeof(*b));
		if (!b) {
			x->failed = 1;
			return "";
		}
		b->next = x->texts;
		b->used = 0;
		x->texts = b;
	}
	copy = b->text + b->used;
	memcpy(copy, text, len);
	copy[len] = '\0';
	b->used += len + 1;
	return copy;
}

int extra_family(struct extra *x, const char *name, const char *unit, enum model_type type,
	const char *help)
{
	void *list = x->family;

	if (x->query->by_name && !query_wants_family(x->query, name, 0))
		return 0;
	/* Mostly it is the last one or new; with several segments or files it may be any. */
	if (x->at < x->nfamilies && x->family[x->at].name == name)
		return 1;
	for (x->at = 0; x->at < x->nfamilies; x->at++)
		if (x->family[x->at].name == name)
			return 1;
	if (!grow(x, &list, &x->families_cap, x->nfamilies, sizeof(*x->family)))
		return 0;
	x->family = list;
	model_family_init(&x->family[x->nfamilies++], name, help, unit, type);
	return 1;
}

static int same_labels(const struct extra *x, const struct extra_metric *m,
	const struct model_label *label, size_t n)
{
	const struct model_label *own = x->label + m->first_label;
	size_t i;

	if (m->nlabels != n)
		return 0;
	for (i = 0; i < n; i++)
		if (strcmp(own[i].name, label[i].name) != 0 ||
		    strcmp(own[i].value, label[i].value) != 0)
			return 0;
	return 1;
}

/* Of an older file of a segment: counters are added, of the others the newer one stays. */
static int merge(struct extra *x, const struct model_label *label, size_t n,
	const struct sm_value *value)
{
	struct extra_metric *m;
	size_t i;

	for (i = 0; i < x->nmetrics; i++) {
		m = &x->metric[i];
		if (m->family != x->at || !same_labels(x, m, label, n))
			continue;
		if (x->family[x->at].type == MODEL_COUNTER) {
			m->value.units += value->units;
			m->value.value += value->value;
		}
		return 1;
	}
	return 0;
}

void extra_add(struct extra *x, const char *const *labels, size_t nlabels,
	const struct sm_value *value)
{
	struct model_label label[EXTRA_LABELS_MAX + 1];
	void *list;
	size_t i, n = 0;

	if (x->segment)
		label[n++] = (struct model_label){ "segment", x->segment, 0 };
	for (i = 0; i < nlabels && n < EXTRA_LABELS_MAX; i++)
		label[n++] = (struct model_label){
			x->segment && strcmp(labels[2 * i], "segment") == 0 ? "exported_segment" :
			labels[2 * i], labels[2 * i + 1], 0 };
	if (x->merge && merge(x, label, n, value))
		return;
	list = x->metric;
	if (!grow(x, &list, &x->metrics_cap, x->nmetrics, sizeof(*x->metric)))
		return;
	x->metric = list;
	x->metric[x->nmetrics] = (struct extra_metric){ .family = x->at,
		.first_label = x->nlabels, .nlabels = n, .value = *value };
	x->nmetrics++;
	for (i = 0; i < n; i++) {
		list = x->label;
		if (!grow(x, &list, &x->labels_cap, x->nlabels, sizeof(*x->label)))
			return;
		x->label = list;
		label[i].len = strlen(label[i].value);
		label[i].name = keep(x, label[i].name, strlen(label[i].name));
		label[i].value = keep(x, label[i].value, label[i].len);
		x->label[x->nlabels++] = label[i];
	}
}

void extra_add_units(struct extra *x, const char *const *labels, size_t nlabels, uint64_t units,
	unsigned decimals)
{
	struct sm_value value = { .is_set = 1, .is_integer = 1, .units = units,
		.decimals = decimals, .value = (double)units };

	for (; decimals; decimals--)
		value.value /= 10;
	extra_add(x, labels, nlabels, &value);
}

void extra_one(struct extra *x, const char *name, const char *unit, enum model_type type,
	const char *help, uint64_t units, unsigned decimals)
{
	if (extra_family(x, name, unit, type, help))
		extra_add_units(x, NULL, 0, units, decimals);
}

/* ---- order ---------------------------------------------------------------------------------- */

static int compare_families(const void *a, const void *b, void *ctx)
{
	const struct extra *x = ctx;

	return strcmp(x->family[*(const size_t *)a].name, x->family[*(const size_t *)b].name);
}

/* The metrics in the order of their families; place has a zero for each family. */
static void put_in_order(struct extra *x, size_t *order, size_t *place, struct extra_metric *sorted)
{
	size_t i, next = 0, n;

	for (i = 0; i < x->nfamilies; i++)
		order[i] = i;
	qsort_r(order, x->nfamilies, sizeof(*order), compare_families, x);
	for (i = 0; i < x->nmetrics; i++)
		place[x->metric[i].family]++;
	for (i = 0; i < x->nfamilies; i++) {
		n = place[order[i]];
		place[order[i]] = next;
		next += n;
	}
	for (i = 0; i < x->nmetrics; i++)
		sorted[place[x->metric[i].family]++] = x->metric[i];
}

/* Only families are compared; metrics are counted and put where they belong. */
void extra_sort(struct extra *x)
{
	size_t *order = malloc((x->nfamilies + 1) * sizeof(*order));
	size_t *place = calloc(x->nfamilies + 1, sizeof(*place));
	struct extra_metric *sorted = malloc((x->nmetrics + 1) * sizeof(*sorted));

	if (order && place && sorted) {
		put_in_order(x, order, place, sorted);
		free(x->metric);
		x->metric = sorted;
		x->metrics_cap = x->nmetrics + 1;
	} else {
		x->failed = 1;
		free(sorted);
	}
	free(order);
	free(place);
}
