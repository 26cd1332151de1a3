/* SPDX-License-Identifier: Apache-2.0 */
/* select.c - see select.h. */
#include "exporter/api/select.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/api/pattern.h"

#define NAME_LABEL "__name__"

enum op { OP_IS, OP_IS_NOT, OP_LIKE, OP_NOT_LIKE };

struct matcher {
	const char *label;		/* in the selector's text */
	enum op op;
	const char *value;
	size_t len;
	struct pattern *pattern;	/* OP_LIKE, OP_NOT_LIKE */
};

struct selector {
	const char *name;		/* NULL: any */
	size_t name_len;
	int is_prefix;
	unsigned nmatchers;
	struct matcher matcher[SELECT_MATCHERS_MAX];
	char text[SELECT_TEXT_MAX + 1];	/* taken apart in place */
};

struct parser {
	struct selector *s;
	char *at;
	char *message;
	size_t size;
};

static int bad(const struct parser *p, const char *why)
{
	snprintf(p->message, p->size, "%s, at byte %zu", why, (size_t)(p->at - p->s->text) + 1);
	return -EINVAL;
}

static void skip_blanks(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
		p->at++;
}

static size_t name_length(const char *text, int colon)
{
	size_t n = 0;

	while ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= 'A' && text[n] <= 'Z') ||
		text[n] == '_' || (colon && text[n] == ':') ||
		(n && text[n] >= '0' && text[n] <= '9'))
		n++;
	return n;
}

static int parse_op(struct parser *p, enum op *ret_op)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = { { "=~", OP_LIKE }, { "!~", OP_NOT_LIKE }, { "!=", OP_IS_NOT },
		{ "=", OP_IS } };
	size_t i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strncmp(p->at, ops[i].text, strlen(ops[i].text)) != 0)
			continue;
		p->at += strlen(ops[i].text);
		*ret_op = ops[i].op;
		return 0;
	}
	return bad(p, "one of = != =~ !~ must stand here");
}

/* A quoted value; \\, \", \', \n, and in patterns \ before anything else is left for the pattern. */
static int parse_value(struct parser *p, struct matcher *m)
{
	char quote = *p->at, *to;
	int pattern = m->op == OP_LIKE || m->op == OP_NOT_LIKE;

	if (quote != '"' && quote != '\'')
		return bad(p, "a value in quotes must stand here");
	m->value = to = ++p->at;
	for (; *p->at != quote; p->at++) {
		if (*p->at == '\0')
			return bad(p, "a value without its closing quote");
		if (*p->at == '\\') {
			p->at++;
			if (*p->at == 'n')
				*to++ = '\n';
			else if (*p->at == '\\' || *p->at == '"' || *p->at == '\'')
				*to++ = *p->at;
			else if (*p->at && pattern) {
				*to++ = '\\';
				*to++ = *p->at;
			} else
				return bad(p, "after a backslash only \\ \" ' n may stand here");
			continue;
		}
		*to++ = *p->at;
	}
	m->len = (size_t)(to - m->value);
	p->at++;
	*to = '\0';
	return 0;
}

static int compile(const struct parser *p, struct matcher *m)
{
	const char *why = NULL;

	m->pattern = malloc(sizeof(*m->pattern));
	if (!m->pattern)
		return -ENOMEM;
	if (pattern_compile(m->pattern, m->value, m->len, &why) == 0)
		return 0;
	snprintf(p->message, p->size, "the pattern of label %.64s: %s", m->label, why);
	return -EINVAL;
}

static int parse_matcher(struct parser *p)
{
	size_t n = name_length(p->at, 0);
	struct matcher *m;
	char *end;
	int rc;

	if (!n)
		return bad(p, "a label's name must stand here");
	if (p->s->nmatchers == SELECT_MATCHERS_MAX)
		return bad(p, "more than 16 labels");
	m = &p->s->matcher[p->s->nmatchers++];
	m->label = p->at;
	end = p->at += n;
	skip_blanks(p);
	rc = parse_op(p, &m->op);
	if (rc == 0) {
		skip_blanks(p);
		rc = parse_value(p, m);
	}
	*end = '\0';
	if (rc == 0 && (m->op == OP_LIKE || m->op == OP_NOT_LIKE))
		rc = compile(p, m);
	return rc;
}

static int parse_labels(struct parser *p)
{
	int rc;

	p->at++;
	for (skip_blanks(p); *p->at != '}'; skip_blanks(p)) {
		rc = parse_matcher(p);
		if (rc < 0)
			return rc;
		skip_blanks(p);
		if (*p->at == ',')
			p->at++;
		else if (*p->at != '}')
			return bad(p, "a comma or } must stand here");
	}
	p->at++;
	return 0;
}

static int parse(struct parser *p)
{
	struct selector *s = p->s;
	char *name;
	int rc = 0;

	skip_blanks(p);
	name = p->at;
	s->name_len = name_length(p->at, 1);
	p->at += s->name_len;
	if (*p->at == '*') {
		s->is_prefix = 1;
		p->at++;
	}
	if (p->at != name)
		s->name = name;
	skip_blanks(p);
	if (*p->at == '{')
		rc = parse_labels(p);
	else if (!s->name)
		return bad(p, "a name or { must stand here");
	skip_blanks(p);
	if (rc == 0 && *p->at)
		rc = bad(p, "nothing may follow here");
	if (rc == 0 && !s->name && !s->nmatchers)
		return bad(p, "{} selects everything: write * if that is meant");
	return rc;
}

int selector_parse(const char *text, struct selector **ret_selector, char *message, size_t size)
{
	size_t len = strlen(text);
	struct parser p = { .message = message, .size = size };
	int rc;

	if (len > SELECT_TEXT_MAX) {
		snprintf(message, size, "longer than %d bytes", SELECT_TEXT_MAX);
		return -EINVAL;
	}
	p.s = calloc(1, sizeof(*p.s));
	if (!p.s)
		return -ENOMEM;
	memcpy(p.s->text, text, len + 1);
	p.at = p.s->text;
	rc = parse(&p);
	if (rc < 0)
		selector_free(p.s);
	else
		*ret_selector = p.s;
	return rc;
}

void selector_free(struct selector *s)
{
	unsigned i;

	if (!s)
		return;
	for (i = 0; i < s->nmatchers; i++)
		free(s->matcher[i].pattern);
	free(s);
}

static int value_fits(const struct matcher *m, const char *value, size_t len)
{
	int same;

	if (m->pattern)
		same = pattern_matches(m->pattern, value, len);
	else
		same = m->len == len && memcmp(m->value, value, len) == 0;
	return same == (m->op == OP_IS || m->op == OP_LIKE);
}

int selector_wants_family(const struct selector *s, const char *name)
{
	size_t len = strlen(name);
	unsigned i;

	if (s->name && (len < s->name_len || (len > s->name_len && !s->is_prefix) ||
		memcmp(name, s->name, s->name_len) != 0))
		return 0;
	for (i = 0; i < s->nmatchers; i++)
		if (strcmp(s->matcher[i].label, NAME_LABEL) == 0 &&
			!value_fits(&s->matcher[i], name, len))
			return 0;
	return 1;
}

static struct sm_str value_of(const struct selectable *series, const char *label)
{
	unsigned i;

	for (i = 0; i < series->nlabels; i++)
		if (strcmp(series->labels[i], label) == 0)
			return series->values[i];
	return SM_STR(strcmp(label, "writer") == 0 ? series->writer : "");
}

int selector_matches(const struct selector *s, const struct selectable *series)
{
	struct sm_str value;
	unsigned i;

	if (!selector_wants_family(s, series->name))
		return 0;
	for (i = 0; i < s->nmatchers; i++) {
		if (strcmp(s->matcher[i].label, NAME_LABEL) == 0)
			continue;
		value = value_of(series, s->matcher[i].label);
		if (!value_fits(&s->matcher[i], value.len ? value.ptr : "", value.len))
			return 0;
	}
	return 1;
}
