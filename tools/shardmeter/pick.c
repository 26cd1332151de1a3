/* SPDX-License-Identifier: Apache-2.0 */
/* pick.c - see pick.h. */
#include "pick.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct rows {
	struct pick_row *row;
	size_t n, room;
	bool failed;
};

/* ---- selectors ---- */

/*
 * The C library copies what a + or {m,n} stands behind, so some dozens of + after or around each
 * other take all memory there is. Nobody needs that many.
 */
static bool is_too_complex(const char *pattern)
{
	unsigned plus = 0, intervals = 0;
	const char *p;

	for (p = pattern; *p; p++) {
		if (*p == '\\' && p[1]) {
			p++;
			continue;
		}
		plus += *p == '+';
		if (*p != '{')
			continue;
		intervals++;
		if (atoi(p + 1) > 100 || (strchr(p, ',') && atoi(strchr(p, ',') + 1) > 100))
			return true;
	}
	return plus > 6 || intervals > 1 || p - pattern > 512;
}

static int compile(const struct cli *c, struct pick *p)
{
	char *anchored, why[128];
	int rc;

	for (unsigned i = 0; i < p->s.nlabels; i++) {
		p->by_writer |= strcmp(p->s.label[i].name, "writer") == 0;
		if (p->s.label[i].match != CLI_LIKE && p->s.label[i].match != CLI_NOT_LIKE)
			continue;
		if (is_too_complex(p->s.label[i].value))
			return cli_fail(c, CLI_FAILED,
				"label %s: the regular expression is too complex (at most 512 "
				"characters, six + and one {m,n} up to 100)",
				p->s.label[i].name);
		p->re[i] = calloc(1, sizeof(*p->re[i]));
		if (!p->re[i] || asprintf(&anchored, "^(%s)$", p->s.label[i].value) < 0)
			return cli_fail(c, CLI_FAILED, "out of memory");
		rc = regcomp(p->re[i], anchored, REG_EXTENDED | REG_NOSUB);
		free(anchored);
		if (!rc)
			continue;
		regerror(rc, p->re[i], why, sizeof(why));
		free(p->re[i]);
		p->re[i] = NULL;
		return cli_fail(c, CLI_FAILED, "label %s: \"%s\" is no regular expression: %s",
			p->s.label[i].name, p->s.label[i].value, why);
	}
	p->pattern = p->s.name[strcspn(p->s.name, "*?[")] != '\0';
	return 0;
}

int picks_init(const struct cli *c, char **words, int nwords, struct picks *ret)
{
	struct pick *p = NULL;
	int rc = 0;

	ret->n = 0;
	ret->pick = calloc((size_t)nwords + 1, sizeof(*ret->pick));
	if (!ret->pick)
		return cli_fail(c, CLI_FAILED, "out of memory");
	if (nwords == 0)
		return cli_fail(c, CLI_FAILED, "NAME is missing; see \"shardmeter help %s\"",
			c->command->name);
	for (int i = 0; i < nwords && !rc; i++) {
		if (p && cli_is_label_word(words[i])) {
			rc = cli_selector_label(c, &p->s, words[i]);
			continue;
		}
		p = &ret->pick[ret->n++];
		rc = cli_selector_init(c, words[i], &p->s);
	}
	for (size_t i = 0; i < ret->n && !rc; i++)
		rc = compile(c, &ret->pick[i]);
	return rc;
}

void picks_release(struct picks *p)
{
	for (size_t i = 0; i < p->n; i++) {
		for (unsigned k = 0; k < SM_LABELS_MAX; k++) {
			if (p->pick[i].re[k])
				regfree(p->pick[i].re[k]);
			free(p->pick[i].re[k]);
		}
		cli_series_release(&p->pick[i].s);
	}
	free(p->pick);
	memset(p, 0, sizeof(*p));
}

char *picks_text(char **words, int nwords)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (int i = 0; i < nwords; i++)
		fprintf(f, "%s%s", i ? " " : "", words[i]);
	fclose(f);
	return text;
}

/* ---- matching ---- */

static bool value_matches(const struct pick *p, unsigned i, struct sm_str value)
{
	const char *want = p->s.label[i].value;
	bool same;

	if (p->re[i])
		same = regexec(p->re[i], value.ptr, 0, NULL, 0) == 0;
	else
		same = strlen(want) == value.len && memcmp(want, value.ptr, value.len) == 0;
	return same == (p->s.label[i].match == CLI_EQUAL || p->s.label[i].match == CLI_LIKE);
}

static bool writer_matches(const struct pick *p, const struct sm_writer *w)
{
	for (unsigned i = 0; i < p->s.nlabels; i++)
		if (strcmp(p->s.label[i].name, "writer") == 0 &&
			!value_matches(p, i, SM_STR(w->name)))
			return false;
	return true;
}

static bool labels_match(const struct pick *p, const struct sm_family_info *family,
	const struct sm_series_info *series)
{
	struct sm_str value;
	unsigned k;

	for (unsigned i = 0; i < p->s.nlabels; i++) {
		if (strcmp(p->s.label[i].name, "writer") == 0)
			continue;
		for (k = 0;
			k < family->nlabels && strcmp(family->labels[k], p->s.label[i].name) != 0;
			k++)
			;
		value = k < family->nlabels ? series->values[k] : SM_STR("");
		if (!value_matches(p, i, value))
			return false;
	}
	return true;
}

/* Does the selector say what every label is? */
static bool names_one(const struct pick *p, const struct sm_family_info *family)
{
	unsigned k;

	for (unsigned l = 0; l < family->nlabels; l++) {
		for (k = 0; k < p->s.nlabels; k++)
			if (p->s.label[k].match == CLI_EQUAL &&
				strcmp(p->s.label[k].name, family->labels[l]) == 0)
				break;
		if (k == p->s.nlabels)
			return false;
	}
	for (k = 0; k < p->s.nlabels; k++)
		if (strcmp(p->s.label[k].name, "writer") == 0 && p->s.label[k].match != CLI_EQUAL)
			return false;
	return !p->pattern;
}

static bool part_matches(const char *name, const struct sm_family_info *family, const char *ending)
{
	size_t n = strlen(family->name);

	return family->kind == SM_HISTOGRAM && strncmp(name, family->name, n) == 0 &&
	       strcmp(name + n, ending) == 0;
}

static bool family_matches(
	const struct pick *p, const struct sm_family_info *family, enum pick_part *ret_part)
{
	*ret_part = PICK_WHOLE;
	if (p->pattern)
		return fnmatch(p->s.name, family->name, 0) == 0;
	if (strcmp(p->s.name, family->name) == 0)
		return true;
	*ret_part = PICK_COUNT;
	if (part_matches(p->s.name, family, "_count"))
		return true;
	*ret_part = PICK_SUM;
	return part_matches(p->s.name, family, "_sum");
}

static void add_row(struct rows *r, const struct pick_row *row)
{
	struct pick_row *more;

	if (r->n == r->room) {
		r->room = r->room ? 2 * r->room : 64;
		more = reallocarray(r->row, r->room, sizeof(*more));
		if (!more) {
			r->failed = true;
			r->room = r->n;
			return;
		}
		r->row = more;
	}
	r->row[r->n++] = *row;
}

/* Of a histogram only those writers that observed something. */
static bool has_value(const struct sm_snapshot *s, const struct pick_row *row)
{
	uint64_t *counts;
	struct sm_value v;
	bool any;

	if (row->family->kind != SM_HISTOGRAM)
		return sm_snapshot_number(s, row->series, row->writer, &v) == 0 && v.is_set;
	if (row->writer == SM_ALL_WRITERS)
		return true;
	counts = calloc(row->family->nbounds + 1u, sizeof(*counts));
	any = counts && sm_snapshot_classic(s, row->series, row->writer, counts, NULL) == 0 &&
	      counts[row->family->nbounds];
	free(counts);
	return any;
}

enum how { SERIES, VALUE, EACH_WRITER };

static void add_series(const struct pick *p, const struct sm_snapshot *s, struct pick_row *row,
	enum how how, struct rows *r)
{
	bool exact = row->exact;

	row->writer = SM_ALL_WRITERS;
	if (how != EACH_WRITER) {
		if (how == SERIES || has_value(s, row))
			add_row(r, row);
		return;
	}
	row->exact = exact && p->by_writer;
	for (size_t w = 0; w < s->nwriters; w++) {
		row->writer = (int)w;
		if (writer_matches(p, &s->writers[w]) && has_value(s, row))
			add_row(r, row);
	}
	row->exact = exact;
}

static bool only_by_writer(const struct sm_family_info *family)
{
	return family->kind == SM_STATESET ||
	       (family->kind == SM_GAUGE && family->mode == SM_MODE_ALL);
}

static int collect(const struct picks *p, const struct sm_snapshot *s, bool values,
	struct pick_row **ret_rows, size_t *ret_n)
{
	struct rows r = { 0 };
	enum how how;

	for (size_t i = 0; i < p->n; i++) {
		for (size_t f = 0; f < s->nfamilies; f++) {
			struct pick_row row = { .family = &s->families[f], .pick = i };

			if (!family_matches(&p->pick[i], row.family, &row.part))
				continue;
			how = p->pick[i].by_writer || only_by_writer(row.family) ? EACH_WRITER
										 : VALUE;
			row.exact = p->n == 1 && names_one(&p->pick[i], row.family);
			for (size_t k = 0; k < row.family->nseries; k++) {
				row.series = &row.family->series[k];
				if (labels_match(&p->pick[i], row.family, row.series))
					add_series(&p->pick[i], s, &row, values ? how : SERIES, &r);
			}
		}
	}
	if (r.failed) {
		free(r.row);
		return -ENOMEM;
	}
	*ret_rows = r.row;
	*ret_n = r.n;
	return 0;
}

int picks_rows(const struct picks *p, const struct sm_snapshot *s, struct pick_row **ret_rows,
	size_t *ret_n)
{
	return collect(p, s, true, ret_rows, ret_n);
}

int picks_series(const struct picks *p, const struct sm_snapshot *s, struct pick_row **ret_rows,
	size_t *ret_n)
{
	return collect(p, s, false, ret_rows, ret_n);
}

static const char *part_ending(enum pick_part part)
{
	return part == PICK_COUNT ? "_count" : part == PICK_SUM ? "_sum" : "";
}

char *pick_text(const struct sm_snapshot *s, const struct pick_row *row)
{
	struct sm_family_info family = *row->family;
	char *name, *text;

	if (asprintf(&name, "%s%s", family.name, part_ending(row->part)) < 0)
		return NULL;
	family.name = name;
	text = cli_series_text(&family, row->series,
		row->writer == SM_ALL_WRITERS ? "" : s->writers[row->writer].name);
	free(name);
	return text;
}

char *pick_short_text(const struct sm_snapshot *s, const struct pick_row *row)
{
	bool writer = row->writer != SM_ALL_WRITERS;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "%s%s", row->family->name, part_ending(row->part));
	for (unsigned i = 0; i < row->family->nlabels; i++) {
		putc(i ? ',' : '{', f);
		fwrite(row->series->values[i].ptr, 1, row->series->values[i].len, f);
	}
	if (writer)
		fprintf(f, "%c%s", row->family->nlabels ? ',' : '{', s->writers[row->writer].name);
	if (writer || row->family->nlabels)
		putc('}', f);
	fclose(f);
	return text;
}

/* A name without what people leave out or add. */
static size_t stem(const char *name)
{
	static const char *const endings[] = { "_total", "_count", "_sum", "_bucket", "_seconds",
		"s" };
	size_t len = strlen(name), n;

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		n = strlen(endings[i]);
		if (len > n + 2 && strncmp(name + len - n, endings[i], n) == 0)
			return len - n;
	}
	return len;
}

/* "command, status", or at most some of the values of a label. */
static void say_labels(FILE *f, const struct sm_family_info *family)
{
	fprintf(f, "; %s has ", family->name);
	if (family->nlabels == 0)
		fputs("no labels", f);
	else
		fprintf(f, "the label%s ", family->nlabels == 1 ? "" : "s");
	for (unsigned i = 0; i < family->nlabels; i++)
		fprintf(f, "%s%s", i ? ", " : "", family->labels[i]);
}

static bool same_value(struct sm_str a, struct sm_str b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static void say_values(FILE *f, const struct sm_family_info *family, unsigned label)
{
	enum { MAX = 5 };
	struct sm_str shown[MAX];
	unsigned n = 0, k;

	for (size_t i = 0; i < family->nseries; i++) {
		struct sm_str value = family->series[i].values[label];

		for (k = 0; k < n && !same_value(shown[k], value); k++)
			;
		if (k < n)
			continue;
		if (n == MAX) {
			fputs(", ...", f);
			break;
		}
		shown[n] = value;
		fprintf(f, "%s%.*s", n ? ", " : "; there is ", (int)(value.len < 40 ? value.len : 40),
			value.ptr);
		n++;
	}
}

/* The first label that no series of the family satisfies. */
static void say_mismatch(FILE *f, const struct pick *p, const struct sm_family_info *family)
{
	for (unsigned i = 0; i < p->s.nlabels; i++) {
		const char *name = p->s.label[i].name;
		bool any = false;
		unsigned k;

		if (strcmp(name, "writer") == 0)
			continue;
		for (k = 0; k < family->nlabels && strcmp(family->labels[k], name) != 0; k++)
			;
		if (k == family->nlabels && !value_matches(p, i, SM_STR(""))) {
			say_labels(f, family);
			fprintf(f, ", not %s", name);
			return;
		}
		for (size_t j = 0; j < family->nseries && !any && k < family->nlabels; j++)
			any = value_matches(p, i, family->series[j].values[k]);
		if (any || k == family->nlabels || family->nseries == 0)
			continue;
		fprintf(f, "; no series of %s has that %s", family->name, name);
		say_values(f, family, k);
		return;
	}
}

static void say_similar(FILE *f, const struct pick *p, const struct sm_snapshot *s)
{
	enum pick_part ignored;
	unsigned found = 0;
	char part[128];

	if (p->pattern)
		return;
	for (size_t i = 0; i < s->nfamilies; i++)
		if (family_matches(p, &s->families[i], &ignored)) {
			say_mismatch(f, p, &s->families[i]);
			return;
		}
	snprintf(part, sizeof(part), "%.*s", (int)stem(p->s.name), p->s.name);
	for (size_t i = 0; i < s->nfamilies && found < 3; i++)
		if (strcasestr(s->families[i].name, part))
			fprintf(f, "%s%s", found++ ? ", " : "; there is ", s->families[i].name);
}

void pick_similar(const struct pick *p, const struct sm_snapshot *s, char *ret_text, size_t size)
{
	FILE *f;

	memset(ret_text, 0, size);
	f = fmemopen(ret_text, size - 1, "w");
	if (!f)
		return;
	say_similar(f, p, s);
	fclose(f);
}

void picks_similar(const struct picks *p, const struct sm_snapshot *s, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
	for (size_t i = 0; i < p->n && !ret_text[0]; i++)
		pick_similar(&p->pick[i], s, ret_text, size);
}
