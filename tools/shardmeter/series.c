/* SPDX-License-Identifier: Apache-2.0 */
/* series.c - see series.h. Texts are unescaped in place, in the one copy that name holds. */
#include "series.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool is_name(const char *s, size_t len)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return len > 0 && !isdigit((unsigned char)s[0]) && strspn(s, letters) >= len;
}

/* A name, or a shell pattern of names. */
static bool is_pattern(const char *s, size_t len)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789*?[]!^-";

	return len > 0 && strspn(s, letters) >= len;
}

/* The length of the comparison at p, 0 if there is none. */
static size_t comparison(const char *p, bool selector, enum cli_match *ret)
{
	if (selector && p[0] == '=' && p[1] == '~')
		return *ret = CLI_LIKE, 2;
	if (selector && p[0] == '!' && (p[1] == '=' || p[1] == '~'))
		return *ret = p[1] == '=' ? CLI_NOT_EQUAL : CLI_NOT_LIKE, 2;
	*ret = CLI_EQUAL;
	return p[0] == '=';
}

static int add_label(const struct cli *c, struct cli_series *s, const char *name, const char *value,
	enum cli_match match, bool selector)
{
	for (unsigned i = 0; i < s->nlabels && !selector; i++)
		if (strcmp(s->label[i].name, name) == 0)
			return cli_fail(c, CLI_FAILED, "label \"%s\" is given twice", name);
	if (s->nlabels == SM_LABELS_MAX)
		return cli_fail(c, CLI_FAILED, "more than %d labels", SM_LABELS_MAX);
	s->label[s->nlabels].name = name;
	s->label[s->nlabels].value = value;
	s->label[s->nlabels].match = match;
	s->nlabels++;
	return 0;
}

/* The quoted text at *in, unescaped in place. Returns it, *in behind the closing quote; or NULL. */
static char *quoted(char **in)
{
	char *from = *in, *to, *start;

	if (*from++ != '"')
		return NULL;
	start = to = from;
	while (*from && *from != '"') {
		if (*from == '\\') {
			from++;
			if (*from != '\\' && *from != '"' && *from != 'n')
				return NULL;
			*to++ = *from == 'n' ? '\n' : *from;
			from++;
		} else {
			*to++ = *from++;
		}
	}
	if (*from != '"')
		return NULL;
	*to = '\0';
	*in = from + 1;
	return start;
}

static char *skip_blanks(char *p)
{
	return p + strspn(p, " \t");
}

/* One label at *in, which is then behind it. */
static int parse_label(
	const struct cli *c, struct cli_series *s, char **in, const char *text, bool selector)
{
	char *name = *in, *value, *p;
	size_t len = strcspn(name, "=! \t},\"{"), operator;
	enum cli_match match;

	p = skip_blanks(name + len);
	operator= comparison(p, selector, &match);
	if (!operator|| !is_name(name, len))
		return cli_fail(c, CLI_FAILED, "\"%s\": expected label=\"value\" at \"%s\"", text,
			text + (name - s->name));
	p = skip_blanks(p + operator);
	name[len] = '\0';
	value = quoted(&p);
	if (!value)
		return cli_fail(c, CLI_FAILED,
			"\"%s\": the value of label \"%s\" is not a complete quoted text; write "
			"'NAME{%s=\"VALUE\"}' in single quotes, or NAME %s=VALUE",
			text, name, name, name);
	*in = p;
	return add_label(c, s, name, value, match, selector);
}

/* label="value",... } at p. */
static int parse_braces(
	const struct cli *c, struct cli_series *s, char *p, const char *text, bool selector)
{
	int rc;

	for (p = skip_blanks(p); *p != '}'; p = skip_blanks(p)) {
		rc = parse_label(c, s, &p, text, selector);
		if (rc)
			return rc;
		p = skip_blanks(p);
		if (*p == ',')
			p++;
		else if (*p != '}')
			return cli_fail(c, CLI_FAILED, "\"%s\": expected , or } after label \"%s\"",
				text, s->label[s->nlabels - 1].name);
	}
	if (*skip_blanks(p + 1))
		return cli_fail(c, CLI_FAILED, "\"%s\": text after the closing }", text);
	return 0;
}

static int init(const struct cli *c, const char *text, struct cli_series *s, bool selector)
{
	size_t len = strcspn(text, "{");

	memset(s, 0, sizeof(*s));
	if (!(selector ? is_pattern(text, len) : is_name(text, len)))
		return cli_fail(c, CLI_FAILED,
			"\"%s\" is not a metric name (letters, digits and _, not starting with a "
			"digit)%s",
			text, selector ? " nor a shell pattern of names" : "");
	s->name = strdup(text);
	if (!s->name)
		return cli_fail(c, CLI_FAILED, "out of memory");
	if (s->name[len] == '\0')
		return 0;
	s->name[len] = '\0';
	return parse_braces(c, s, s->name + len + 1, text, selector);
}

int cli_series_init(const struct cli *c, const char *text, struct cli_series *s)
{
	return init(c, text, s, false);
}

int cli_selector_init(const struct cli *c, const char *text, struct cli_series *s)
{
	return init(c, text, s, true);
}

int cli_series_label(const struct cli *c, struct cli_series *s, char *word)
{
	char *equals = strchr(word, '=');

	if (!equals)
		return cli_fail(c, CLI_FAILED, "\"%s\": expected label=value", word);
	if (!is_name(word, (size_t)(equals - word)))
		return cli_fail(c, CLI_FAILED,
			"\"%.*s\" is not a label's name (letters, digits and _, not starting with a "
			"digit)",
			(int)(equals - word), word);
	*equals = '\0';
	return add_label(c, s, word, equals + 1, CLI_EQUAL, false);
}

bool cli_is_label_word(const char *word)
{
	size_t len = strcspn(word, "=!{");
	enum cli_match match;

	return is_name(word, len) && comparison(word + len, true, &match);
}

int cli_selector_label(const struct cli *c, struct cli_series *s, char *word)
{
	size_t len = strcspn(word, "=!"), operator;
	enum cli_match match;

	if (!cli_is_label_word(word))
		return cli_fail(c, CLI_FAILED, "\"%s\": expected label=value", word);
	operator= comparison(word + len, true, &match);
	word[len] = '\0';
	return add_label(c, s, word, word + len + operator, match, true);
}

void cli_series_release(struct cli_series *s)
{
	free(s->name);
	s->name = NULL;
	s->nlabels = 0;
}
