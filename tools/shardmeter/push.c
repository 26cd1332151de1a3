/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push.c - all values to a Pushgateway, for jobs that end before anybody scrapes them.
 *
 * What the server answers is a stranger's text: bounded, and escaped like all others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "loop.h"
#include "push_url.h"
#include "sel.h"
#include "transfer.h"

enum { PUSH_EVERY, PUSH_ADD, PUSH_DELETE, PUSH_TIMEOUT, PUSH_CACERT, PUSH_NETRC };

struct push {
	struct cli c; /* quiet while a failure lasts */
	struct sel_follow segment;
	struct transfer transfer;
	char *url, *shown;
	struct loop *loop; /* NULL: once */
};

static bool signal_came(void *ctx)
{
	struct push *p = ctx;

	return loop_ended(p->loop);
}

/* What to do about an answer that is no success. */
static const char *remedy(const struct push *p, long status)
{
	if (status >= 300 && status < 400)
		return "; redirects are not followed: give the address itself";
	if (status == 401 || status == 403)
		return "; user and password come from ~/.netrc or --netrc";
	if (status == 404 || status == 405)
		return "; is it a Pushgateway? (with --web.route-prefix its path belongs to URL)";
	if (status == 400 && strcmp(p->transfer.method, "DELETE") != 0)
		return "; labels of the group must not be labels of the metrics, too";
	return "";
}

/* Blanks and line ends as one blank, and not too much of it. */
static void shorten(char *text)
{
	char *to = text;

	for (const char *from = text; *from && to < text + 300; from++)
		if (!strchr(" \t\r\n", *from))
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

/* One request. 0 or an exit code after a message. */
static int request(struct push *p, const char *method, const char *body, size_t len)
{
	struct transfer_answer a;

	p->transfer.method = method;
	p->transfer.body = body;
	p->transfer.len = len;
	if (transfer_do(&p->transfer, &a) != 0) {
		if (a.stopped)
			return 0;
		return cli_fail(&p->c, CLI_FAILED, "cannot reach %s: %s", p->shown, a.error);
	}
	if (a.status >= 200 && a.status < 300)
		return 0;
	shorten(a.body);
	return cli_fail(&p->c, CLI_FAILED, "%s %s: the server answered %ld%s%s%s%s", method,
		p->shown, a.status, a.body[0] ? " \"" : "", a.body, a.body[0] ? "\"" : "",
		remedy(p, a.status));
}

static int sink(void *ctx, const char *data, size_t len)
{
	return fwrite(data, 1, len, ctx) == len ? 0 : -EIO;
}

static int push_once(struct push *p)
{
	const struct sm_snapshot *s;
	char *text = NULL;
	size_t len = 0;
	FILE *f;
	int rc = sel_follow_take(&p->c, &p->segment, SM_SNAPSHOT_WRITERS, &s);

	if (rc)
		return rc;
	f = open_memstream(&text, &len);
	rc = f ? sm_snapshot_text(s, 0, sink, f) : -ENOMEM;
	if (f && fclose(f) != 0)
		rc = -ENOMEM;
	if (rc)
		rc = cli_fail(
			&p->c, CLI_FAILED, "cannot render %s: %s", p->segment.path, strerror(-rc));
	else
		rc = request(p, p->c.given[PUSH_ADD] ? "POST" : "PUT", text, len);
	sm_snapshot_free(s);
	free(text);
	return rc;
}

static int push_forever(struct push *p, uint64_t every_ns)
{
	bool quiet = p->c.quiet, failing = false;
	struct loop loop;
	int rc;

	loop_begin(&loop, every_ns);
	p->loop = &loop;
	p->transfer.stop = signal_came;
	p->transfer.ctx = p;
	do {
		rc = push_once(p);
		p->c.quiet = quiet;
		if (failing && !rc && !loop.signal)
			cli_note(&p->c, "pushing again to %s", p->shown);
		failing = rc != 0;
		p->c.quiet |= failing; /* said once; it may go on for days */
	} while (loop_wait(&loop));
	p->c.quiet = quiet;
	p->transfer.stop = NULL;
	if (p->c.given[PUSH_DELETE])
		request(p, "DELETE", NULL, 0);
	p->loop = NULL;
	loop_end(&loop);
	return CLI_OK;
}

/* The segment's name, of /run/shardmeter/NAME or /dev/shm/shardmeter.NAME. */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return strncmp(name, "shardmeter.", 11) == 0 && name[11] ? name + 11 : name;
}

/* The words: URL and labels; job is the segment's name if it is not one of them. */
static int words(struct push *p, char *job, size_t size)
{
	struct cli_series labels = { 0 };
	const struct cli *c = &p->c;
	struct sel sel;
	bool has_job = false;
	int rc = 0;

	if (c->nargs == 0)
		return cli_fail(c, CLI_FAILED,
			"URL is missing: the Pushgateway's address, such as http://127.0.0.1:9091");
	for (int i = 1; i < c->nargs && !rc; i++)
		rc = cli_series_label(c, &labels, c->args[i]);
	for (unsigned i = 0; i < labels.nlabels && !rc; i++) {
		if (strcmp(labels.label[i].name, "job") != 0)
			continue;
		has_job = true;
		if (!*labels.label[i].value)
			rc = cli_fail(c, CLI_FAILED, "job is empty: a Pushgateway needs one");
	}
	if (!rc && !has_job) {
		rc = sel_choose(c, false, &sel);
		if (!rc && labels.nlabels == SM_LABELS_MAX)
			rc = cli_fail(c, CLI_FAILED, "more than %d labels", SM_LABELS_MAX);
		if (rc)
			return rc;
		snprintf(job, size, "%s", name_of(sel.path));
		labels.label[labels.nlabels].name = "job";
		labels.label[labels.nlabels++].value = job;
	}
	return rc ? rc : push_url(c, c->args[0], &labels, &p->url, &p->shown);
}

static int run_push(struct cli *c)
{
	struct push p = { .c = *c,
		.transfer = { .type = "text/plain; version=0.0.4; charset=utf-8",
			.ca_file = c->value[PUSH_CACERT],
			.netrc = c->value[PUSH_NETRC] } };
	uint64_t every_ns = 0;
	char job[SEL_PATH_MAX];
	int rc = cli_seconds(
		c, "--timeout", c->value[PUSH_TIMEOUT], 0.01, 3600, &p.transfer.timeout_ns);

	if (!rc && c->value[PUSH_EVERY])
		rc = cli_seconds(c, "--every", c->value[PUSH_EVERY], 0.1, 86400, &every_ns);
	if (!rc)
		rc = words(&p, job, sizeof(job));
	if (!rc)
		rc = transfer_load(c);
	p.transfer.url = p.url;
	if (!rc && every_ns)
		rc = push_forever(&p, every_ns);
	else if (!rc)
		rc = c->given[PUSH_DELETE] ? request(&p, "DELETE", NULL, 0) : push_once(&p);
	transfer_end();
	sel_follow_end(&p.segment);
	free(p.url);
	free(p.shown);
	return rc;
}

const struct cli_command cli_cmd_push = { .name = "push",
	.synopsis = "[options] URL [label=value ...]",
	.run = run_push,
	.help = "Push all values to a Pushgateway, once or every so often.",
	.text = "URL is the Pushgateway's address. The labels make the group that the values "
		"replace there; job is the segment's name unless given. A group stays until it is "
		"deleted, also when the programs are gone: programs that run on are better scraped "
		"from shardmeter-exporter.\n"
		"\n"
		"\tshardmeter push http://127.0.0.1:9091 job=backup instance=db1\n"
		"\tshardmeter push --every 15 --delete http://127.0.0.1:9091 job=batch\n"
		"\tshardmeter push --delete http://127.0.0.1:9091 job=backup instance=db1\n"
		"\n"
		"Certificates are verified and redirects not followed. User and password come from "
		"~/.netrc (in URL they would be seen by everybody who can list processes). Proxies "
		"are those of http_proxy, https_proxy and no_proxy. With --every a failure is "
		"reported when it begins and when it ends.",
	.options = (const struct cli_option[]){
		[PUSH_EVERY] = { "every", 0, "SEC", NULL,
			"Again every SEC seconds (0.1 to 86400), until a signal comes. Waits for a "
			"segment that is not there." },
		[PUSH_ADD] = { "add", 0, NULL, NULL,
			"Replace only families of the same name in the group (POST), not the whole "
			"group (PUT)." },
		[PUSH_DELETE] = { "delete", 0, NULL, NULL,
			"Delete the group instead; with --every when a signal ends it." },
		[PUSH_TIMEOUT] = { "timeout", 0, "SEC", "10",
			"Give each request SEC seconds, 0.01 to 3600." },
		[PUSH_CACERT] = { "cacert", 0, "FILE", NULL,
			"Trust the authorities in FILE (PEM) instead of the system's." },
		[PUSH_NETRC] = { "netrc", 0, "FILE", NULL,
			"User and password from FILE instead of ~/.netrc." },
		{ NULL, 0, NULL, NULL, NULL } } };
