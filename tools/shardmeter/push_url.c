/* SPDX-License-Identifier: Apache-2.0 */
/* push_url.c - see push_url.h. */
#include "push_url.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

/* May it stand in a path as it is? "." and ".." would be taken for directories. */
static bool is_plain(const char *value)
{
	static const char unreserved[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	return *value && strspn(value, unreserved) == strlen(value) && strcmp(value, ".") != 0 &&
	       strcmp(value, "..") != 0;
}

/* RFC 4648, the alphabet for URLs, padded; "=" for nothing, as the Pushgateway wants it. */
static void put_base64(struct buf *b, const char *value)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t len = strlen(value), n;
	char out[4];

	if (len == 0)
		buf_puts(b, "=");
	for (; len; value += n, len -= n) {
		uint32_t bits = 0;

		n = len < 3 ? len : 3;
		for (size_t i = 0; i < 3; i++)
			bits = bits << 8 | (i < n ? (unsigned char)value[i] : 0);
		for (size_t i = 0; i < 4; i++)
			out[i] = i <= n ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
		buf_put(b, out, 4);
	}
}

static void put_pair(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "/%s", name);
	if (is_plain(value)) {
		buf_printf(b, "/%s", value);
		return;
	}
	buf_puts(b, "@base64/");
	put_base64(b, value);
}

static void put_group(struct buf *b, const struct cli_series *labels)
{
	buf_puts(b, "/metrics");
	for (int job = 1; job >= 0; job--)
		for (unsigned i = 0; i < labels->nlabels; i++)
			if ((strcmp(labels->label[i].name, "job") == 0) == (job == 1))
				put_pair(b, labels->label[i].name, labels->label[i].value);
}

/* Where "user:password@" begins and ends; both the same if there is none. */
static void find_user(const char *base, const char **ret_begin, const char **ret_end)
{
	const char *begin = strstr(base, "//") + 2, *end = begin + strcspn(begin, "/");
	const char *at = memrchr(begin, '@', (size_t)(end - begin));

	*ret_begin = begin;
	*ret_end = at ? at + 1 : begin;
}

static int check_base(const struct cli *c, const char *base)
{
	const char *begin, *end;

	if (strncasecmp(base, "http://", 7) != 0 && strncasecmp(base, "https://", 8) != 0)
		return cli_fail(c, CLI_FAILED,
			"URL must begin with http:// or https://, as in http://127.0.0.1:9091");
	find_user(base, &begin, &end);
	if (!*end || *end == '/' || *end == ':')
		return cli_fail(c, CLI_FAILED, "URL has no host");
	for (const char *p = base; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == '?' || *p == '#' || *p == 0x7f)
			return cli_fail(c, CLI_FAILED,
				"URL is the Pushgateway's address, without blanks, ? and #");
	if (strstr(end, "/metrics"))
		return cli_fail(c, CLI_FAILED,
			"URL is the Pushgateway's address without /metrics; job and labels are "
			"words behind it, as in: push http://127.0.0.1:9091 job=backup");
	return 0;
}

int push_url(const struct cli *c, const char *base, const struct cli_series *labels, char **ret_url,
	char **ret_shown)
{
	struct buf url = { 0 }, shown = { 0 };
	const char *begin, *end;
	size_t len = strlen(base);
	int rc = check_base(c, base);

	if (rc)
		return rc;
	for (; base[len - 1] == '/'; len--)
		;
	find_user(base, &begin, &end);
	buf_put(&url, base, len);
	put_group(&url, labels);
	buf_put(&shown, base, (size_t)(begin - base));
	buf_put(&shown, end, len - (size_t)(end - base));
	put_group(&shown, labels);
	*ret_url = buf_take(&url);
	*ret_shown = buf_take(&shown);
	if (*ret_url && *ret_shown)
		return 0;
	free(*ret_url);
	free(*ret_shown);
	*ret_url = *ret_shown = NULL;
	return cli_fail(c, CLI_FAILED, "out of memory");
}
