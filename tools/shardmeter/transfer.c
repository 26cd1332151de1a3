/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.c - see transfer.h. */
#include "transfer.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

/* What we use of it. */
static struct {
	void *library;
	CURL *handle;
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_easy_init) *init;
	__typeof__(curl_easy_reset) *reset;
	__typeof__(curl_easy_setopt) *setopt;
	__typeof__(curl_easy_perform) *perform;
	__typeof__(curl_easy_getinfo) *getinfo;
	__typeof__(curl_easy_strerror) *strerror;
	__typeof__(curl_easy_cleanup) *cleanup;
	__typeof__(curl_slist_append) *append;
	__typeof__(curl_slist_free_all) *free_all;
} curl;

static const struct {
	const char *name;
	void **where;
} functions[] = { { "curl_global_init", (void **)&curl.global_init },
	{ "curl_easy_init", (void **)&curl.init }, { "curl_easy_reset", (void **)&curl.reset },
	{ "curl_easy_setopt", (void **)&curl.setopt },
	{ "curl_easy_perform", (void **)&curl.perform },
	{ "curl_easy_getinfo", (void **)&curl.getinfo },
	{ "curl_easy_strerror", (void **)&curl.strerror },
	{ "curl_easy_cleanup", (void **)&curl.cleanup },
	{ "curl_slist_append", (void **)&curl.append },
	{ "curl_slist_free_all", (void **)&curl.free_all } };

int transfer_load(const struct cli *c)
{
	if (curl.handle)
		return 0;
	curl.library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!curl.library)
		return cli_fail(c, CLI_FAILED,
			"cannot load " LIBRARY " (%s); install libcurl, Debian's package libcurl4",
			dlerror());
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		*functions[i].where = dlsym(curl.library, functions[i].name);
		if (!*functions[i].where)
			return cli_fail(c, CLI_FAILED, LIBRARY " has no %s; install a newer one",
				functions[i].name);
	}
	if (curl.global_init(CURL_GLOBAL_DEFAULT) == 0)
		curl.handle = curl.init();
	return curl.handle ? 0 : cli_fail(c, CLI_FAILED, "libcurl cannot be initialised");
}

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
	struct transfer_answer *a = ctx;
	size_t have = strlen(a->body), room = sizeof(a->body) - 1 - have, len = size * n;

	if (len > room)
		len = room;
	for (size_t i = 0; i < len; i++)
		a->body[have + i] = (char)(data[i] ? data[i] : ' ');
	a->body[have + len] = '\0';
	return size * n;
}

static int asked_to_stop(
	void *ctx, curl_off_t down, curl_off_t downed, curl_off_t up, curl_off_t upped)
{
	const struct transfer *t = ctx;

	(void)down;
	(void)downed;
	(void)up;
	(void)upped;
	return t->stop && t->stop(t->ctx);
}

static long milliseconds(uint64_t ns)
{
	return (long)(ns / 1000000 + (ns % 1000000 != 0));
}

static void set_options(const struct transfer *t, struct transfer_answer *a)
{
	CURL *h = curl.handle;

	curl.reset(h);
	curl.setopt(h, CURLOPT_URL, t->url);
	curl.setopt(h, CURLOPT_CUSTOMREQUEST, t->method);
	curl.setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl.setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl.setopt(h, CURLOPT_TIMEOUT_MS, milliseconds(t->timeout_ns));
	curl.setopt(h, CURLOPT_USERAGENT, "shardmeter/" SHARDMETER_VERSION);
	curl.setopt(h, CURLOPT_ERRORBUFFER, a->error);
	curl.setopt(h, CURLOPT_WRITEFUNCTION, take_body);
	curl.setopt(h, CURLOPT_WRITEDATA, a);
	curl.setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl.setopt(h, CURLOPT_XFERINFOFUNCTION, asked_to_stop);
	curl.setopt(h, CURLOPT_XFERINFODATA, t);
	curl.setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	if (t->netrc)
		curl.setopt(h, CURLOPT_NETRC_FILE, t->netrc);
	if (t->ca_file)
		curl.setopt(h, CURLOPT_CAINFO, t->ca_file);
	if (t->body) {
		curl.setopt(h, CURLOPT_POSTFIELDS, t->body);
		curl.setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->len);
	}
}

int transfer_do(const struct transfer *t, struct transfer_answer *ret_answer)
{
	struct transfer_answer *a = ret_answer;
	struct curl_slist *headers = curl.append(NULL, "Expect:"); /* or it waits a second */
	char type[128];
	CURLcode rc;

	memset(a, 0, sizeof(*a));
	set_options(t, a);
	if (t->body) {
		snprintf(type, sizeof(type), "Content-Type: %s", t->type);
		headers = curl.append(headers, type);
	}
	curl.setopt(curl.handle, CURLOPT_HTTPHEADER, headers);
	rc = curl.perform(curl.handle);
	if (rc == CURLE_OK)
		curl.getinfo(curl.handle, CURLINFO_RESPONSE_CODE, &a->status);
	curl.free_all(headers);
	a->stopped = rc == CURLE_ABORTED_BY_CALLBACK;
	if (rc && !a->error[0])
		snprintf(a->error, sizeof(a->error), "%s", curl.strerror(rc));
	return rc == CURLE_OK ? 0 : -1;
}

void transfer_end(void)
{
	if (curl.handle)
		curl.cleanup(curl.handle);
	curl.handle = NULL;
}
