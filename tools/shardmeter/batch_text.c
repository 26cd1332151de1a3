/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_text.c - lines of exposition text (Prometheus 0.0.4, OpenMetrics 1.0).
 *
 * Such text says what somebody's totals are, not what happened: counters are raised to the value,
 * gauges set. A histogram's observations cannot be had back from its buckets, so histograms and
 * summaries are refused.
 */
#include "batch.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "common/utf8.h"

#define FAMILIES_MAX 100000

enum type { UNTYPED, COUNTER, GAUGE, HISTOGRAM, SUMMARY, INFO, STATESET };

struct one {
	enum type type;
	bool typed;
	bool said; /* that it is refused */
	char *help, *unit;
};

struct batch_metadata {
	struct keys names;
	struct one *family;
	size_t room;
};

struct batch_metadata *batch_metadata_new(void)
{
	return calloc(1, sizeof(struct batch_metadata));
}

static void clear(struct batch_metadata *m)
{
	for (size_t i = 0; i < m->names.n; i++) {
		free(m->family[i].help);
		free(m->family[i].unit);
	}
	keys_clear(&m->names);
}

void batch_metadata_free(struct batch_metadata *m)
{
	if (!m)
		return;
	clear(m);
	free(m->family);
	free(m);
}

/* ---- # lines ---- */

/* The family of a name, made if it is new; NULL without memory. */
static struct one *family_of(struct batch_metadata *m, const char *name, size_t len)
{
	struct one *more;
	bool is_new;
	size_t i;

	if (m->names.n == FAMILIES_MAX)
		clear(m);
	if (m->names.n == m->room) {
		more = reallocarray(m->family, m->room ? 2 * m->room : 64, sizeof(*more));
		if (!more)
			return NULL;
		m->family = more;
		m->room = m->room ? 2 * m->room : 64;
	}
	i = keys_number(&m->names, name, len, "", 0, &is_new);
	if (i == SIZE_MAX)
		return NULL;
	if (is_new)
		memset(&m->family[i], 0, sizeof(m->family[i]));
	return &m->family[i];
}

static struct one *find(struct batch_metadata *m, const char *name, size_t len)
{
	size_t i = keys_find(&m->names, name, len, "", 0);

	return i == SIZE_MAX ? NULL : &m->family[i];
}

static enum type type_of(const char *word, bool *ret_known)
{
	static const struct {
		const char *name;
		enum type type;
	} types[] = { { "counter", COUNTER }, { "gauge", GAUGE }, { "histogram", HISTOGRAM },
		{ "gaugehistogram", HISTOGRAM }, { "summary", SUMMARY }, { "untyped", UNTYPED },
		{ "unknown", UNTYPED }, { "info", INFO }, { "stateset", STATESET } };

	*ret_known = true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, word) == 0)
			return types[i].type;
	*ret_known = false;
	return UNTYPED;
}

/* A help text without its escapes, which is how families keep it. */
static char *unescaped(const char *s)
{
	char *text = strdup(s), *to = text;

	for (; to && *s; s++) {
		if (*s == '\\' && (s[1] == 'n' || s[1] == '\\' || s[1] == '"'))
			*to++ = *++s == 'n' ? '\n' : *s;
		else
			*to++ = *s;
	}
	if (to)
		*to = '\0';
	return text;
}

int batch_metadata_line(const struct cli *c, struct batch_metadata *m, const char *line)
{
	const char *word = line + 1 + strspn(line + 1, " \t"), *name, *rest;
	size_t word_len = strcspn(word, " \t"), name_len;
	bool type = word_len == 4 && memcmp(word, "TYPE", 4) == 0;
	bool help = word_len == 4 && memcmp(word, "HELP", 4) == 0;
	bool unit = word_len == 4 && memcmp(word, "UNIT", 4) == 0;
	struct one *f;
	bool known;

	if (!type && !help && !unit)
		return 0; /* a comment, or # EOF */
	name = word + word_len + strspn(word + word_len, " \t");
	name_len = strcspn(name, " \t");
	rest = name + name_len + strspn(name + name_len, " \t");
	if (name_len == 0)
		return cli_fail(c, CLI_FAILED, "# %.4s without a name", word);
	f = family_of(m, name, name_len);
	if (!f)
		return cli_fail(c, CLI_FAILED, "out of memory");
	if (type) {
		f->type = type_of(rest, &known);
		f->typed = true;
		if (!known)
			return cli_fail(c, CLI_FAILED, "# TYPE %.*s: \"%s\" is no type",
				(int)name_len, name, rest);
	} else if (help) {
		free(f->help);
		f->help = unescaped(rest);
	} else {
		free(f->unit);
		f->unit = strdup(rest);
	}
	return 0;
}

/* ---- samples ---- */

/* The length of NAME or NAME{...} at the beginning of a line; 0 if the brace is not closed. */
static size_t series_len(const char *line)
{
	size_t i = strcspn(line, " \t{");
	bool quoted = false;

	i += strspn(line + i, " \t");
	if (line[i] != '{')
		return strcspn(line, " \t{");
	for (i++; line[i]; i++) {
		if (quoted && line[i] == '\\' && line[i + 1])
			i++;
		else if (line[i] == '"')
			quoted = !quoted;
		else if (line[i] == '}' && !quoted)
			return i + 1;
	}
	return 0;
}

int batch_split_text(const struct cli *c, const char *line, struct batch_split *ret)
{
	const char *rest;
	struct number ignored;

	memset(ret, 0, sizeof(*ret));
	ret->head = line;
	ret->head_len = series_len(line);
	ret->tail = "";
	if (ret->head_len == 0)
		return cli_fail(c, CLI_FAILED, "the labels have no end");
	ret->value = line + ret->head_len + strspn(line + ret->head_len, " \t");
	ret->value_len = strcspn(ret->value, " \t");
	if (ret->value_len == 0)
		return cli_fail(
			c, CLI_FAILED, "expected NAME{labels} VALUE, or statsd's name:value|type");
	rest = ret->value + ret->value_len;
	rest += strspn(rest, " \t");
	if (*rest && *rest != '#') { /* a timestamp, which is not kept */
		size_t len = strcspn(rest, " \t");

		if (!number_parse(rest, len, &ignored))
			return cli_fail(
				c, CLI_FAILED, "\"%s\" after the value is no timestamp", rest);
		rest += len + strspn(rest + len, " \t");
	}
	if (*rest && *rest != '#') /* an exemplar, which is not kept, either */
		return cli_fail(c, CLI_FAILED, "\"%s\" after the timestamp", rest);
	return 0;
}

static bool ends_in(const char *name, const char *ending, size_t *ret_base)
{
	size_t len = strlen(name), n = strlen(ending);

	*ret_base = len > n ? len - n : 0;
	return len > n && strcmp(name + len - n, ending) == 0;
}

/* A creation time of a counter or histogram, which 0.0.4 may call a gauge. */
static bool is_created(struct batch_metadata *m, const char *name)
{
	char total[256];
	struct one *f;
	size_t base;

	if (!ends_in(name, "_created", &base) || base > 200)
		return false;
	snprintf(total, sizeof(total), "%.*s_total", (int)base, name);
	f = find(m, name, base);
	if (!f)
		f = find(m, total, base + strlen("_total"));
	return f && f->typed && f->type != GAUGE && f->type != UNTYPED;
}

/* The family that a sample belongs to, by its name or its name without a suffix that the type
 * generates. NULL: nothing was said about it. */
static struct one *family_of_sample(struct batch_metadata *m, const char *name)
{
	static const char *const endings[] = { "_total", "_info", "_bucket", "_count", "_sum",
		"_gcount", "_gsum" };
	struct one *f = find(m, name, strlen(name));
	size_t base;

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]) && !(f && f->typed); i++) {
		if (ends_in(name, endings[i], &base))
			f = find(m, name, base);
	}
	return f;
}

static enum type type_by_segment(const struct fam *f, const char *name)
{
	const struct sm_family_info *info = sel_family(f->snapshot, name);
	size_t base;

	if (info && info->kind == SM_COUNTER)
		return COUNTER;
	if (info)
		return info->kind == SM_INFO ? INFO : GAUGE;
	if (ends_in(name, "_total", &base))
		return COUNTER;
	return ends_in(name, "_info", &base) ? INFO : GAUGE;
}

static int refuse(const struct cli *c, struct one *f, const char *name, const char *why)
{
	if (f && f->said)
		return CLI_FAILED;
	if (f)
		f->said = true;
	return cli_fail(c, CLI_FAILED, "%s: %s", name, why);
}

/* OpenMetrics' base name: a counter called x has samples x_total. Ours is the sample's name; text
 * 0.0.4 may leave _total out. */
static int finish_name(const struct cli *c, struct batch_meaning *m, enum type type)
{
	size_t base;
	char *name;

	if (type != COUNTER || ends_in(m->series.name, "_total", &base))
		return 0;
	if (asprintf(&name, "%s_total", m->series.name) < 0)
		return cli_fail(c, CLI_FAILED, "out of memory");
	m->memory = m->series.name; /* labels point into it */
	m->series.name = name;
	return 0;
}

static int decide(const struct cli *c, struct batch_metadata *md, const struct fam *fam, bool add,
	struct batch_meaning *m)
{
	struct one *f = family_of_sample(md, m->series.name);
	enum type type = f && f->typed ? f->type : UNTYPED;

	if (is_created(md, m->series.name) || strncmp(m->series.name, "shardmeter_", 11) == 0) {
		m->action = BATCH_IGNORE;
		return 0;
	}
	m->help = f ? f->help : NULL;
	m->unit = f && f->unit && *f->unit ? f->unit : NULL;
	if (type == UNTYPED)
		type = type_by_segment(fam, m->series.name);
	if (type == GAUGE && type_by_segment(fam, m->series.name) == INFO)
		type = INFO; /* 0.0.4 has no type for it */
	switch (type) {
	case HISTOGRAM:
	case SUMMARY:
		return refuse(c, f, m->series.name,
			"the observations of a histogram or summary cannot be had back from its "
			"buckets; send each as statsd's |ms or |h, or use observe");
	case STATESET: return refuse(c, f, m->series.name, "a state set cannot be set from here");
	case COUNTER: m->action = add ? BATCH_ADD : BATCH_RAISE; break;
	case INFO: m->action = BATCH_INFO; break;
	default: m->action = BATCH_SET; break;
	}
	return finish_name(c, m, type);
}

int batch_text_meaning(const struct cli *c, struct batch_metadata *md, const struct fam *f,
	bool add, const struct batch_split *s, struct batch_meaning *ret)
{
	char *text = strndup(s->head, s->head_len), *brace;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->rate = number_of_units(1, 0);
	if (!text)
		return cli_fail(c, CLI_FAILED, "out of memory");
	/* OpenMetrics and 0.0.4 allow no blank before the brace, many writers do. */
	brace = strchr(text, '{');
	if (brace) {
		size_t name = strcspn(text, " \t{");

		memmove(text + name, brace, strlen(brace) + 1);
	}
	rc = cli_series_init(c, text, &ret->series);
	free(text);
	return rc ? rc : decide(c, md, f, add, ret);
}
