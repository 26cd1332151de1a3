/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - take a request apart and judge its form; see request.h.
 *
 * libmicrohttpd 0.9.75 lets through what RFC 9112 tells a server to refuse: requests with two
 * lengths or with a length and chunks, without a Host or with two, and NUL inside a header's value.
 * What cannot be seen in values that end in NUL, http.c looks for in the library's buffer.
 */
#include "exporter/request.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporter/address.h"

#define TIMEOUT_SECONDS_MAX 86400

const char *request_next_param(const struct request *r, const char *key, size_t *position)
{
	while (*position < r->nparams) {
		const struct request_param *param = &r->param[(*position)++];

		if (strcmp(param->key, key) == 0)
			return param->value;
	}
	return NULL;
}

const char *request_param(const struct request *r, const char *key)
{
	size_t position = 0;

	return request_next_param(r, key, &position);
}

/* ---- the target ----------------------------------------------------------------------------- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode in place. */
static int decode(char *text, int is_query)
{
	char *to = text;
	int high, low;

	for (; *text; text++) {
		if (*text == '%') {
			high = hex(text[1]);
			low = high < 0 ? -1 : hex(text[2]);
			if (low < 0 || (high == 0 && low == 0))
				return -EINVAL;
			*to++ = (char)(high * 16 + low);
			text += 2;
		} else {
			*to++ = (char)(is_query && *text == '+' ? ' ' : *text);
		}
	}
	*to = '\0';
	return 0;
}

static int add_param(struct request_target *t, char *key)
{
	char *equals = strchr(key, '=');

	if (t->nparams == REQUEST_PARAMS_MAX)
		return -E2BIG;
	if (equals)
		*equals = '\0';
	if (decode(key, 1) < 0 || (equals && decode(equals + 1, 1) < 0))
		return -EINVAL;
	t->param[t->nparams++] = (struct request_param){ key, equals ? equals + 1 : "" };
	return 0;
}

static int cut(struct request_target *t)
{
	char *query = strchr(t->text, '?'), *next;
	int rc = 0;

	if (query)
		*query++ = '\0';
	for (; query && rc == 0; query = next) {
		next = strchr(query, '&');
		if (next)
			*next++ = '\0';
		if (*query)
			rc = add_param(t, query);
	}
	return rc < 0 ? rc : decode(t->text, 0);
}

int request_target(const char *text, struct request_target *ret_target)
{
	size_t i;
	int rc;

	memset(ret_target, 0, sizeof(*ret_target));
	if (text[0] != '/')
		return -EINVAL;
	for (i = 0; text[i]; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return -EINVAL;
	ret_target->text = strdup(text);
	if (!ret_target->text)
		return -ENOMEM;
	ret_target->path = ret_target->text;
	rc = cut(ret_target);
	if (rc < 0)
		request_target_release(ret_target);
	return rc;
}

void request_target_release(struct request_target *t)
{
	free(t->text);
	memset(t, 0, sizeof(*t));
}

/* ---- headers -------------------------------------------------------------------------------- */

static int is_name(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && (!name[i] || !strchr("!#$%&'*+-.^_`|~", name[i])))
			return 0;
	return len > 0;
}

static int is_value(const char *value, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
			return 0;
	return 1;
}

static void join(struct buf *b, const char *value)
{
	if (b->len)
		buf_puts(b, ", ");
	buf_puts(b, value);
}

static double timeout_seconds(const char *value)
{
	char *end;
	double v = strtod(value, &end);

	return end != value && !*end && isfinite(v) && v > 0 && v <= TIMEOUT_SECONDS_MAX ? v : 0;
}

void request_head_add(struct request_head *h, const char *name, size_t name_len, const char *value,
	size_t value_len)
{
	if (!is_name(name, name_len) || !is_value(value, value_len)) {
		h->is_bad = 1;
		return;
	}
	while (value_len && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
		value_len--;
	if (strcasecmp(name, "Host") == 0) {
		h->nhosts++;
		if (value_len >= sizeof(h->host))
			h->is_bad = 1;
		else
			snprintf(h->host, sizeof(h->host), "%.*s", (int)value_len, value);
	} else if (strcasecmp(name, "Content-Length") == 0) {
		h->nlengths++;
		h->has_body |= strcmp(value, "0") != 0;
	} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
		h->nencodings++;
		h->has_body = 1;
	} else if (strcasecmp(name, "Accept") == 0) {
		join(&h->accept, value);
	} else if (strcasecmp(name, "Accept-Encoding") == 0) {
		join(&h->accept_encoding, value);
	} else if (strcasecmp(name, "X-Prometheus-Scrape-Timeout-Seconds") == 0) {
		h->timeout_seconds = timeout_seconds(value);
	}
}

void request_head_release(struct request_head *h)
{
	buf_free(&h->accept);
	buf_free(&h->accept_encoding);
}

unsigned request_refuse(const struct request_head *h, const char *method, const char *version,
	int any_host, const char *allowed, const char **ret_why)
{
	if (h->is_bad) {
		*ret_why = "A header is malformed.";
		return 400;
	}
	if (h->nlengths > 1 || (h->nlengths && h->nencodings)) {
		*ret_why = "The length of the request is ambiguous.";
		return 400;
	}
	if (h->has_body) {
		*ret_why = "A request body has no meaning here.";
		return 400;
	}
	if (h->nhosts > 1 || (h->nhosts == 0 && strcmp(version, "HTTP/1.0") != 0)) {
		*ret_why = "A request needs one Host header.";
		return 400;
	}
	if (h->nhosts && !any_host && !address_allowed(h->host, allowed)) {
		*ret_why = "This host name is not served; see --web.allowed-hosts.";
		return 421;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		*ret_why = "Only GET and HEAD.";
		return 405;
	}
	return 0;
}
