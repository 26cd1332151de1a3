/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openmetrics.c - one sample in the OpenMetrics 1.0 text format.
 *
 * The samples of a family stand together, so the selection is put in order by family first. A
 * counter's family is named without "_total", an info's without "_info"; UNIT is only said of a
 * name that ends in it. What is not UTF-8 becomes U+FFFD.
 */
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "output.h"

static const char *const type_name[] = { "unknown", "counter", "gauge", "gauge",
					 "histogram", "info", "stateset" };

static void put_text(struct buf *b, const char *s)
{
	size_t len = strlen(s), used;
	uint32_t c;

	for (; len; s += used, len -= used) {
		used = utf8_next(s, len, &c);
		if (!used) {
			buf_puts(b, "\xef\xbf\xbd");
			used = 1;
		} else if (c == '\n') {
			buf_puts(b, "\\n");
		} else if (c == '"' || c == '\\') {
			buf_put(b, "\\", 1);
			buf_put(b, s, 1);
		} else {
			buf_put(b, s, used);
		}
	}
}

static size_t without(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len > n && !strcmp(name + len - n, end) ? len - n : len;
}

static size_t stem(const struct top_family *f)
{
	return f->kind == SM_COUNTER ? without(f->name, "_total")
	       : f->kind == SM_INFO  ? without(f->name, "_info")
				     : strlen(f->name);
}

static void put_head(struct buf *b, const struct top_family *f)
{
	int n = (int)stem(f);
	size_t unit = strlen(f->unit);

	buf_printf(b, "# TYPE %.*s %s\n", n, f->name,
		   type_name[f->kind <= SM_STATESET ? f->kind : 0]);
	if (unit && (size_t)n > unit && f->name[(size_t)n - unit - 1] == '_' &&
	    !strncmp(f->name + (size_t)n - unit, f->unit, unit))
		buf_printf(b, "# UNIT %.*s %s\n", n, f->name, f->unit);
	if (f->help[0]) {
		buf_printf(b, "# HELP %.*s ", n, f->name);
		put_text(b, f->help);
		buf_puts(b, "\n");
	}
}

static void put_label(struct buf *b, unsigned *n, const char *name, const char *value)
{
	buf_puts(b, (*n)++ ? "," : "{");
	buf_puts(b, name);
	buf_puts(b, "=\"");
	put_text(b, value);
	buf_puts(b, "\"");
}

/* name_suffix{labels,more="..."} and a space; le is a bound. */
static void begin(struct buf *b, const struct top_row *row, const char *suffix, const char *more,
		  const char *value, const double *le)
{
	const struct top_family *f = row->family;
	unsigned i, n = 0;

	buf_printf(b, "%.*s%s", (int)stem(f), f->name, suffix);
	for (i = 0; i < f->nlabels; i++)
		put_label(b, &n, f->labels[i], row->values[i]);
	if (row->writer)
		put_label(b, &n, "writer", row->writer);
	if (more)
		put_label(b, &n, more, value);
	if (le) {
		buf_puts(b, n++ ? ",le=\"" : "{le=\"");
		top_output_le(b, *le);
		buf_puts(b, "\"");
	}
	buf_puts(b, n ? "} " : " ");
}

static void put_histogram(struct buf *b, const struct top_row *row)
{
	const struct top_family *f = row->family;
	const struct top_histogram *h = row->histogram;
	double infinity = (double)__builtin_inff();
	uint64_t sum = 0;
	unsigned i, k = 0;

	for (i = 0; i < f->nunited && k < f->nbounds; i++) {
		sum += h->counts[i];
		if (f->united[i] < f->bounds[k])
			continue;
		k++;
		begin(b, row, "_bucket", NULL, NULL, &f->united[i]);
		buf_printf(b, "%llu\n", (unsigned long long)sum);
	}
	begin(b, row, "_bucket", NULL, NULL, &infinity);
	buf_printf(b, "%llu\n", (unsigned long long)h->count);
	/* What may be negative has no sum in OpenMetrics, and then no count either. */
	if (f->nunited && f->united[0] < 0)
		return;
	begin(b, row, "_count", NULL, NULL, NULL);
	buf_printf(b, "%llu\n", (unsigned long long)h->count);
	begin(b, row, "_sum", NULL, NULL, NULL);
	top_output_sum(b, &h->sum, 0);
	buf_puts(b, "\n");
}

static void put_row(struct buf *b, const struct top_row *row)
{
	const struct top_family *f = row->family;
	unsigned i;

	if (row->histogram) {
		put_histogram(b, row);
		return;
	}
	if (f->kind == SM_STATESET) {
		for (i = 0; i < f->nstates; i++) {
			begin(b, row, "", f->name, f->states[i], NULL);
			buf_puts(b, row->value.units == i ? "1\n" : "0\n");
		}
		return;
	}
	begin(b, row, f->kind == SM_COUNTER ? "_total" : f->kind == SM_INFO ? "_info" : "", NULL,
	      NULL, NULL);
	top_output_value(b, &row->value, 0);
	buf_puts(b, "\n");
}

static int by_family(const void *pa, const void *pb)
{
	const struct top_row *a = *(const struct top_row *const *)pa;
	const struct top_row *b = *(const struct top_row *const *)pb;
	int c = a->family == b->family ? 0 : strcmp(a->family->name, b->family->name);

	return c ? c : top_compare_rows(a, b);
}

void top_output_openmetrics(struct buf *b, const struct top_data *d, const struct top_view *v)
{
	const struct top_list *l = &v->list[TOP_SERIES];
	const struct top_row **rows = calloc(l->n + 1, sizeof(const struct top_row *));
	size_t i, last = l->n;

	(void)d;
	if (!rows) {
		b->failed = 1;
		return;
	}
	if (l->n)
		memcpy(rows, l->item, l->n * sizeof(const struct top_row *));
	qsort(rows, l->n, sizeof(const struct top_row *), by_family);
	for (i = 0; i < l->n; i++) {
		if (rows[i]->gone_boot_ns)
			continue;
		if (last == l->n || rows[i]->family != rows[last]->family)
			put_head(b, rows[i]->family);
		last = i;
		put_row(b, rows[i]);
	}
	buf_puts(b, "# EOF\n");
	free(rows);
}
