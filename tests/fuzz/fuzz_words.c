/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_words.c - any bytes as input of the shardmeter command: lines of a batch, selectors, numbers, the
 * line that a shell wants completed, labels of a Pushgateway's group.
 *
 * The first byte chooses; the rest is the text. Whatever is accepted is as promised: names of batches
 * are metric names, numbers print as they are read, URLs have only characters that may stand in one.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/shardmeter/batch.h"
#include "tools/shardmeter/complete.h"
#include "tools/shardmeter/pick.h"
#include "tools/shardmeter/push_url.h"
#include "tools/shardmeter/reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sm_snapshot empty;
static const struct fam no_segment = { .snapshot = &empty };
static const struct cli quiet = { .command = &cli_cmd_batch, .quiet = true };

static void check(int right)
{
	if (!right)
		abort();
}

static int is_name(const char *s)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return *s && !strchr("0123456789", *s) && s[strspn(s, letters)] == '\0';
}

static void try_line(struct batch_metadata *md, const char *line)
{
	struct batch_split s;
	struct batch_meaning m = { 0 };
	int rc;

	if (*line == '#') {
		batch_metadata_line(&quiet, md, line);
		return;
	}
	if (batch_is_statsd(line)) {
		rc = batch_split_statsd(&quiet, line, &s);
		rc = rc ? rc : batch_statsd_meaning(&quiet, &s, &m);
	} else {
		rc = batch_split_text(&quiet, line, &s);
		rc = rc ? rc : batch_text_meaning(&quiet, md, &no_segment, false, &s, &m);
	}
	if (!rc) {
		check(is_name(m.series.name) || s.head_len == 0);
		check(m.action != BATCH_UNKNOWN && m.rate.value > 0 && m.rate.value <= 1);
		for (unsigned i = 0; i < m.series.nlabels; i++)
			check(is_name(m.series.label[i].name));
	}
	batch_meaning_release(&m);
}

static void try_batch(char *text)
{
	struct batch_metadata *md = batch_metadata_new();
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		try_line(md, line);
	batch_metadata_free(md);
}

static void try_selector(char *text)
{
	char *words[8], *save = NULL;
	struct pick_row *rows = NULL;
	struct picks p;
	size_t n = 0;
	int nwords = 0;

	for (char *w = strtok_r(text, "\n", &save); w && nwords < 8;
		w = strtok_r(NULL, "\n", &save))
		words[nwords++] = w;
	if (picks_init(&quiet, words, nwords, &p) == 0) {
		check(picks_rows(&p, &empty, &rows, &n) == 0 && n == 0);
		free(rows);
	}
	picks_release(&p);
}

static void try_number(const char *text)
{
	struct number n, again;
	char shown[CLI_TEXT_MAX];

	if (!number_parse(text, strlen(text), &n))
		return;
	check(n.is_set && !isnan(n.value) && !isinf(n.value));
	number_text(&n, shown);
	check(number_parse(shown, strlen(shown), &again));
	check(!n.exact || (again.exact && again.units == n.units && again.decimals == n.decimals));
	check(fabs(again.value - n.value) <= 1e-9 * fabs(n.value));
	number_add(n, again);
	number_subtract(again, n);
}

static void try_completion(const char *text)
{
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);

	complete_line(f, text);
	fclose(f);
	check(strncmp(out, "none\t", 5) == 0 || strncmp(out, "nospace\t", 8) == 0 ||
		strncmp(out, "files\t", 6) == 0 || strncmp(out, "commands\t", 9) == 0);
	check(out[size - 1] == '\n' && strlen(out) == size);
	free(out);
}

static void try_url(char *text)
{
	struct cli_series s = { 0 };
	char *word = strchr(text, '\n'), *url, *shown;
	int rc = 0;

	if (word)
		*word++ = '\0';
	if (word)
		rc = cli_series_label(&quiet, &s, word);
	if (rc || push_url(&quiet, text, &s, &url, &shown) != 0)
		return;
	for (const char *p = url; *p; p++)
		check((unsigned char)*p > ' ' && !strchr("?#\x7f", *p));
	check(strncasecmp(url, "http", 4) == 0);
	free(url);
	free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	/* No segment is there: what is completed must not depend on the machine. */
	if (!getenv("SHARDMETER_SEGMENT"))
		setenv("SHARDMETER_SEGMENT", "/nonexistent/segment", 1);
	if (size == 0)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 5) {
	case 0: try_batch(text); break;
	case 1: try_selector(text); break;
	case 2: try_number(text); break;
	case 3: try_completion(text); break;
	default: try_url(text); break;
	}
	free(text);
	return 0;
}
