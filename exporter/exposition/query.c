/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - see query.h. */
#include "exporter/exposition/query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SHOWN 60	/* bytes of a stranger's text in a message */

/* What a pattern may consist of: names of metrics, or of writers. */
#define NAME_CHARS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:"
#define WRITER_CHARS	NAME_CHARS ".-/~#?"

/* Bytes of a stranger that may be shown in plain text. */
static void show(const char *text, char *ret, size_t size)
{
	size_t i;

	for (i = 0; text[i] && i + 1 < size; i++)
		ret[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
	ret[i] = '\0';
}

static int pattern_ok(const char *pattern, const char *chars)
{
	size_t n = strspn(pattern, chars);

	return (n && !pattern[n]) || (pattern[n] == '*' && !pattern[n + 1]);
}

static int check_patterns(const struct request *r, const char *key, const char *chars, int *ret_any,
	char *ret_message, size_t size)
{
	const char *pattern;
	char shown[SHOWN];
	size_t i, n = 0;

	for (i = 0; i < r->nparams; i++) {
		if (strcmp(r->param[i].key, key) != 0)
			continue;
		pattern = r->param[i].value;
		show(pattern, shown, sizeof(shown));
		if (++n > QUERY_PATTERNS_MAX) {
			snprintf(ret_message, size, "more than %d %s\n", QUERY_PATTERNS_MAX, key);
			return -EINVAL;
		}
		if (!pattern_ok(pattern, chars)) {
			snprintf(ret_message, size, "%s=%s: not a name, nor the beginning of one and "
				"a * at its end\n", key, shown);
			return -EINVAL;
		}
	}
	*ret_any = n > 0;
	return 0;
}

int query_parse(const struct request *r, struct query *ret_query, char *ret_message, size_t size)
{
	struct query q = { .request = r };
	char shown[SHOWN];
	size_t i;

	for (i = 0; i < r->nparams; i++) {
		const struct request_param *p = &r->param[i];

		if (strcmp(p->key, "aggregate") == 0) {
			q.per_writer = 1;
			if (strcmp(p->value, "none") == 0)
				continue;
			show(p->value, shown, sizeof(shown));
			snprintf(ret_message, size, "aggregate=%s: only aggregate=none is known: a "
				"value for each writer\n", shown);
			return -EINVAL;
		}
		if (strcmp(p->key, "name[]") == 0 || strcmp(p->key, "writer[]") == 0)
			continue;
		show(p->key, shown, sizeof(shown));
		snprintf(ret_message, size, "%s: no such parameter; there are name[], writer[] and "
			"aggregate\n", shown);
		return -EINVAL;
	}
	if (check_patterns(r, "name[]", NAME_CHARS, &q.by_name, ret_message, size) < 0 ||
	    check_patterns(r, "writer[]", WRITER_CHARS, &q.by_writer, ret_message, size) < 0)
		return -EINVAL;
	q.per_writer |= q.by_writer;
	*ret_query = q;
	return 0;
}

static int matches(const char *pattern, const char *name, const char *suffix)
{
	size_t len = strlen(pattern), name_len = strlen(name), n;

	if (pattern[len - 1] != '*') {
		return len == name_len + strlen(suffix) &&
			memcmp(pattern, name, name_len) == 0 &&
			strcmp(pattern + name_len, suffix) == 0;
	}
	len--;
	n = len < name_len ? len : name_len;
	return memcmp(pattern, name, n) == 0 &&
		(n == len || strncmp(pattern + n, suffix, len - n) == 0);
}

static int wanted(const struct query *q, const char *key, const char *name, const char *suffix)
{
	const struct request_param *p = q->request->param;
	size_t i;

	for (i = 0; i < q->request->nparams; i++)
		if (strcmp(p[i].key, key) == 0 && matches(p[i].value, name, suffix))
			return 1;
	return 0;
}

int query_wants_family(const struct query *q, const char *name, int is_histogram)
{
	static const char *const suffixes[] = { "_bucket", "_count", "_sum" };
	size_t i;

	if (!q->by_name || wanted(q, "name[]", name, ""))
		return 1;
	for (i = 0; is_histogram && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (wanted(q, "name[]", name, suffixes[i]))
			return 1;
	return 0;
}

int query_wants_writer(const struct query *q, const char *name)
{
	return !q->by_writer || wanted(q, "writer[]", name, "");
}
