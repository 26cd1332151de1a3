/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.c - many updates from standard input.
 *
 * A line that is wrong is reported with its number and counted, the others are applied. Input is
 * read to its end even when nothing can be counted, so that no pipeline breaks for want of metrics.
 */
#include "batch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lines.h"
#include "loop.h"

/* So many lines are told apart; the rest is only counted. */
#define MESSAGES_MAX 20

/* How often to look whether the segment is still there. */
#define LOOK_EVERY_NS	 UINT64_C(1000000000)
#define LOOK_EVERY_LINES 256

enum { BATCH_OPT_STRICT, BATCH_OPT_CREATE, BATCH_OPT_ADD };

struct counts {
	uint64_t lines, failed, messages;
};

static int drain(int fd)
{
	char data[65536];
	ssize_t n;

	do
		n = read(fd, data, sizeof(data));
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

static int open_segment(struct batch *b)
{
	uint64_t line = b->c.line;
	int rc;

	b->c.line = 0;
	rc = fam_open(&b->c, b->create, &b->fam);
	b->c.line = line;
	return rc;
}

/* The segment may have been removed and made anew. 0 or an exit code after a message. */
static int look_after_segment(struct batch *b)
{
	sm_heartbeat(b->fam.sm);
	if (sm_reader_current(b->fam.reader) == 0)
		return 0;
	batch_forget(b);
	fam_close(&b->fam);
	return open_segment(b);
}

/* One line applied, or reported and counted. */
static void one_line(struct batch *b, struct counts *n, int got, char *line, size_t len)
{
	bool quiet = b->c.quiet;
	int rc;

	b->c.quiet |= n->messages == MESSAGES_MAX;
	if (got == -EMSGSIZE)
		rc = cli_fail(&b->c, CLI_FAILED, "longer than %d bytes", LINE_MAX_BYTES);
	else
		rc = batch_apply(b, line, len);
	b->c.quiet = quiet;
	n->failed += rc != 0;
	if (rc && n->messages < MESSAGES_MAX)
		n->messages++;
}

static int read_all(struct batch *b, struct lines *in, struct counts *n)
{
	uint64_t looked = loop_clock_ns(), now;
	size_t len = 0;
	char *line = NULL;
	int got, rc = 0;

	while (!rc && ((got = lines_next(in, &line, &len)) > 0 || got == -EMSGSIZE)) {
		b->c.line = ++n->lines;
		/* The clock is not for every line of a file, but for each that was waited for. */
		if (n->lines % LOOK_EVERY_LINES == 0 || in->start == in->end) {
			now = loop_clock_ns();
			if (now - looked >= LOOK_EVERY_NS) {
				rc = look_after_segment(b);
				looked = now;
			}
		}
		if (!rc)
			one_line(b, n, got, line, len);
	}
	b->c.line = 0;
	if (rc)
		return rc;
	return got < 0 ? cli_fail(&b->c, CLI_FAILED, "cannot read standard input: %s",
				 strerror(-got))
		       : 0;
}

static int report(const struct batch *b, const struct counts *n)
{
	if (n->failed == 0)
		return 0;
	return cli_fail(&b->c, CLI_FAILED, "%llu of %llu lines were not applied%s",
		(unsigned long long)n->failed, (unsigned long long)n->lines,
		n->failed > n->messages ? "; the first of them are named above" : "");
}

static int run_batch(struct cli *c)
{
	static struct lines in = { .fd = STDIN_FILENO };
	struct batch b = {
		.c = *c, .add = c->given[BATCH_OPT_ADD], .create = c->given[BATCH_OPT_CREATE]
	};
	struct counts n = { 0 };
	int rc = 0, verified;

	if (c->nargs)
		return cli_fail(
			c, CLI_FAILED, "\"%s\": the lines come from standard input", c->args[0]);
	c->parsed = true;
	b.metadata = batch_metadata_new();
	if (!b.metadata)
		rc = cli_fail(c, CLI_FAILED, "out of memory");
	if (!rc)
		rc = open_segment(&b);
	if (!rc && isatty(STDIN_FILENO))
		cli_note(c, "reading lines from the terminal; Ctrl-D ends them");
	if (!rc && !b.fam.disabled)
		rc = read_all(&b, &in, &n);
	if (!rc && !b.fam.disabled) {
		rc = report(&b, &n);
		verified = fam_verify(&b.c, &b.fam);
		rc = rc ? rc : verified;
	}
	if (rc || b.fam.disabled)
		drain(in.fd);
	batch_forget(&b);
	fam_close(&b.fam);
	batch_metadata_free(b.metadata);
	return rc;
}

const struct cli_command cli_cmd_batch = { .name = "batch",
	.synopsis = "[options] < LINES",
	.run = run_batch,
	.help = "Apply many updates from standard input: statsd lines, exposition text.",
	.text = "Each line is applied as it comes and is one of these:\n"
		"\n"
		"\tjobs.done:1|c                     counter jobs_done_total, add 1\n"
		"\tmail.sent:3|c|@0.1|#app:web        sampled: add 30; tags are labels\n"
		"\tqueue:17|g                        gauge, set; queue:+2|g adds, queue:-2|g\n"
		"\t                                  subtracts\n"
		"\tload:320|ms                       histogram load_seconds, observe 0.32\n"
		"\tsize:512:900|h                    histogram, two values; |d is the same\n"
		"\tjobs_total{job=\"backup\"} 42       exposition text: see below\n"
		"\n"
		"In statsd names and tags whatever is not a letter, digit or _ becomes _; a counter "
		"gets the ending _total, a timer _seconds in place of _ms. A tag without a value is "
		"\"true\". Sets (|s), events and service checks are refused.\n"
		"\n"
		"Exposition text (Prometheus 0.0.4 or OpenMetrics) says what totals are: a counter "
		"is raised to the value, so that the same text twice changes nothing; a value below "
		"what shell commands have counted is an error. With --add the value is added, for "
		"text of a program that begins at 0 each time. Gauges are set. TYPE, HELP and UNIT "
		"are used at first use; without TYPE a name in _total is a counter, one in _info "
		"an info, any other a gauge. Timestamps, exemplars, _created and shardmeter_* are "
		"passed over. Histograms and summaries are refused: single observations cannot be "
		"had back from them.\n"
		"\n"
		"A line that is wrong is reported with its number (the first 20 of them), counted, "
		"and the others are applied. All lines of a family have the same labels. What is "
		"counted is what would be counted by inc, set and observe.\n"
		"\n"
		"\tprintf 'deploys:1|c|#app:web\\n' | shardmeter batch\n"
		"\tshardmeter batch --strict < /var/lib/node_exporter/job.prom",
	.options =
		(const struct cli_option[]){
			[BATCH_OPT_STRICT] = { "strict", 0, NULL, NULL,
				"Exit code 2 if a line could not be applied, and that of the "
				"failure if nothing could be counted at all. Without it 0." },
			[BATCH_OPT_CREATE] = { "create", 0, NULL, NULL, UPDATE_CREATE_HELP },
			[BATCH_OPT_ADD] = { "add", 0, NULL, NULL,
				"Exposition text: add the value of a counter to it." },
			{ NULL, 0, NULL, NULL, NULL } },
	.flags = CLI_UPDATE };
