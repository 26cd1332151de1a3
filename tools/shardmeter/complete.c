/* SPDX-License-Identifier: Apache-2.0 */
/* complete.c - see complete.h. Nothing here reports anything: whoever presses TAB wants no messages. */
#include "complete.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "keys.h"
#include "sel.h"
#include "series.h"
#include "text.h"

#define WORDS_MAX      256
#define CANDIDATES_MAX 2000

/* A command line, and what is found for it. */
struct completion {
	char *word[WORDS_MAX]; /* before the current one, unquoted */
	size_t nwords;
	char *current;
	const char *directive;
	struct buf out;
	struct keys seen;
	struct cli c; /* quiet, with the line's -S */
	const struct sm_snapshot *s;
};

/* ---- the line ---- */

static void forget_words(struct completion *p)
{
	for (size_t i = 0; i < p->nwords; i++)
		free(p->word[i]);
	p->nwords = 0;
}

static void end_word(struct completion *p, struct buf *word, bool *started)
{
	char *text = *started ? buf_take(word) : NULL;

	*started = false;
	if (!text)
		return;
	if (p->nwords == WORDS_MAX)
		free(text);
	else
		p->word[p->nwords++] = text;
}

/* Words as a shell takes them, quotes and backslashes cut off; what follows | ; & ( begins anew. */
static void split(struct completion *p, const char *line)
{
	struct buf word = { 0 };
	bool started = false;
	char quote = '\0';

	for (; *line; line++) {
		if (quote ? *line == quote : *line == '\'' || *line == '"') {
			quote = quote ? '\0' : *line;
			started = true;
		} else if (*line == '\\' && quote != '\'' && line[1]) {
			buf_put(&word, ++line, 1);
			started = true;
		} else if (!quote && strchr(" \t\n", *line)) {
			end_word(p, &word, &started);
		} else if (!quote && strchr("|;&(", *line)) {
			end_word(p, &word, &started);
			forget_words(p);
		} else {
			buf_put(&word, line, 1);
			started = true;
		}
	}
	p->current = buf_take(&word);
}

/* Where the program stands in the line: behind sudo, env and the like. */
static size_t find_program(const struct completion *p)
{
	const char *slash;

	for (size_t i = 0; i < p->nwords; i++) {
		slash = strrchr(p->word[i], '/');
		if (strcmp(slash ? slash + 1 : p->word[i], "shardmeter") == 0)
			return i;
	}
	return 0;
}

/* ---- candidates ---- */

static bool is_visible(const char *s, size_t len)
{
	uint32_t code;
	size_t n;

	for (; len; s += n, len -= n) {
		n = utf8_next(s, len, &code);
		if (!n || utf8_is_hidden(code))
			return false;
	}
	return true;
}

/* A list of candidates has no room for more. */
static size_t first_sentence(const char *s)
{
	const char *end = strstr(s, ". ");

	return end ? (size_t)(end - s) + 1 : strlen(s);
}

/* One candidate, if it fits what is there already. */
static void offer(struct completion *p, const char *text, const char *description)
{
	size_t len = strlen(text);
	bool is_new;

	if (strncmp(text, p->current, strlen(p->current)) != 0 || !is_visible(text, len) ||
		p->seen.n == CANDIDATES_MAX)
		return;
	keys_number(&p->seen, text, len, "", 0, &is_new);
	if (!is_new)
		return;
	buf_puts(&p->out, text);
	buf_puts(&p->out, "\t");
	if (description && is_visible(description, strlen(description)))
		buf_put(&p->out, description, first_sentence(description));
	buf_puts(&p->out, "\n");
}

static void offer_choices(struct completion *p, const char *prefix, const char *choices)
{
	char text[128];
	size_t len;

	for (;; choices += len + 1) {
		len = strcspn(choices, "|");
		snprintf(text, sizeof(text), "%s%.*s", prefix, (int)len, choices);
		offer(p, text, NULL);
		if (!choices[len])
			break;
	}
}

static void offer_options(struct completion *p, const struct cli_option *o)
{
	char text[64];

	for (; o->name; o++) {
		snprintf(text, sizeof(text), "--%s", o->name);
		offer(p, text, o->help);
	}
}

static void offer_commands(struct completion *p)
{
	for (const struct cli_command *const *command = cli_commands; *command; command++)
		offer(p, (*command)->name, (*command)->help);
}

struct segment_offer {
	struct completion *p;
	const char *prefix;
};

static int offer_segment(void *ctx, const char *name, const char *path)
{
	struct segment_offer *o = ctx;
	char text[512];

	snprintf(text, sizeof(text), "%s%s", o->prefix, name);
	offer(o->p, text, path);
	return 0;
}

static void offer_segments(struct completion *p, const char *prefix)
{
	struct segment_offer o = { p, prefix };

	if (strchr(p->current + strlen(prefix), '/'))
		p->directive = "files";
	else
		sel_each(offer_segment, &o);
}

/* ---- what the segment has ---- */

static const struct sm_snapshot *snapshot(struct completion *p)
{
	if (!p->s && sel_snapshot(&p->c, 0, &p->s, NULL) != 0)
		p->s = NULL;
	return p->s;
}

/* The kinds that a verb can update; those of others are all. */
static unsigned kinds_of(const struct cli_command *command)
{
	const unsigned gauge = 1u << SM_GAUGE, updown = 1u << SM_UPDOWN;

	if (command == &cli_cmd_inc)
		return 1u << SM_COUNTER | gauge | updown;
	if (command == &cli_cmd_dec)
		return gauge | updown;
	if (command == &cli_cmd_set)
		return gauge;
	if (command == &cli_cmd_observe || command == &cli_cmd_time)
		return 1u << SM_HISTOGRAM;
	return ~0u;
}

static void offer_families(struct completion *p, const struct cli_command *command)
{
	const struct sm_snapshot *s = snapshot(p);
	unsigned kinds = kinds_of(command);

	for (size_t i = 0; s && i < s->nfamilies; i++)
		if (kinds >> s->families[i].kind & 1)
			offer(p, s->families[i].name, s->families[i].help);
}

/* name= for each label that no word has yet. */
static void offer_labels(struct completion *p, const struct sm_family_info *family, size_t from)
{
	char text[256];
	size_t len, k;

	for (unsigned i = 0; i < family->nlabels; i++) {
		len = strlen(family->labels[i]);
		for (k = from; k < p->nwords; k++)
			if (strncmp(p->word[k], family->labels[i], len) == 0 &&
				strchr("=!", p->word[k][len]) && p->word[k][len])
				break;
		if (k < p->nwords)
			continue;
		snprintf(text, sizeof(text), "%s=", family->labels[i]);
		offer(p, text, "label");
		if (strncmp(text, p->current, strlen(p->current)) == 0)
			p->directive = "nospace";
	}
}

/* label=value for the values that the family's series have. */
static void offer_values(struct completion *p, const struct sm_family_info *family)
{
	size_t name = strcspn(p->current, "=!"), head = name + strspn(p->current + name, "=!~");
	char text[2048];
	unsigned at;

	for (at = 0; at < family->nlabels; at++)
		if (strlen(family->labels[at]) == name &&
			strncmp(family->labels[at], p->current, name) == 0)
			break;
	for (size_t i = 0; at < family->nlabels && i < family->nseries; i++) {
		snprintf(text, sizeof(text), "%.*s%s", (int)head, p->current,
			family->series[i].values[at].ptr);
		offer(p, text, NULL);
	}
}

/* names[]: the positional words so far, as indices into p->word. */
static void complete_series(struct completion *p, const struct cli_command *command,
	const size_t *names, size_t nnames, bool several)
{
	const struct sm_family_info *family = NULL;
	const struct sm_snapshot *s;
	size_t last = 0;

	for (size_t i = 0; i < nnames; i++)
		if (!cli_is_label_word(p->word[names[i]]) && (i == 0 || several))
			last = i;
	s = nnames ? snapshot(p) : NULL;
	if (s)
		family = sel_family(s, p->word[names[last]]);
	if (cli_is_label_word(p->current)) {
		if (family)
			offer_values(p, family);
		return;
	}
	if (family)
		offer_labels(p, family, names[last] + 1);
	if (nnames == 0 || several)
		offer_families(p, command);
}

static void offer_writers(struct completion *p)
{
	const struct sm_snapshot *s = snapshot(p);

	for (size_t i = 0; s && i < s->nwriters; i++)
		offer(p, s->writers[i].name, s->writers[i].version);
}

/* ---- options ---- */

static const struct cli_option *find_in(
	const struct cli_option *table, const char *name, size_t len)
{
	for (; table && table->name; table++)
		if (strlen(table->name) == len && strncmp(table->name, name, len) == 0)
			return table;
	return NULL;
}

static const struct cli_option *find_letter(const struct cli_option *table, char letter)
{
	for (; table && table->name; table++)
		if (table->letter == letter)
			return table;
	return NULL;
}

/* The option that a word is: --name, --name=value or the last of -abc; NULL if it is none. */
static const struct cli_option *option_of(const struct cli_command *command, const char *word)
{
	const struct cli_option *own = command ? command->options : NULL, *o;
	size_t len;

	if (word[0] != '-' || !word[1])
		return NULL;
	if (word[1] == '-') {
		len = strcspn(word + 2, "=");
		o = find_in(own, word + 2, len);
		return o ? o : find_in(cli_common_options, word + 2, len);
	}
	o = find_letter(own, word[strlen(word) - 1]);
	return o ? o : find_letter(cli_common_options, word[strlen(word) - 1]);
}

/* Does the option take the word behind it? */
static bool takes_next(const struct cli_option *o, const char *word)
{
	return o && o->arg && o->arg[0] != '[' && !(word[1] == '-' && strchr(word, '='));
}

static void complete_argument(struct completion *p, const struct cli_option *o, const char *prefix)
{
	if (strcmp(o->name, "segment") == 0)
		offer_segments(p, prefix);
	else if (strchr(o->arg, '|'))
		offer_choices(p, prefix, o->arg);
	else if (strcmp(o->arg, "FILE") == 0 || strcmp(o->arg, "DIR") == 0)
		p->directive = "files";
}

/* --name=... as the current word. */
static bool complete_long_argument(struct completion *p, const struct cli_command *command)
{
	const char *equals = strchr(p->current, '=');
	const struct cli_option *o;
	char prefix[128];

	if (strncmp(p->current, "--", 2) != 0 || !equals)
		return false;
	o = option_of(command, p->current);
	snprintf(prefix, sizeof(prefix), "%.*s", (int)(equals + 1 - p->current), p->current);
	if (o && o->arg)
		complete_argument(p, o, prefix);
	return true;
}

/* Remember -S of the line. */
static void note_option(
	struct completion *p, const struct cli_option *o, const char *word, const char *next)
{
	const char *equals = strchr(word, '=');

	if (o && o == &cli_common_options[CLI_OPT_SEGMENT])
		p->c.segment = word[1] == '-' && equals ? equals + 1 : next;
}

/* ---- positions ---- */

/* Behind a subcommand, whose options are done with. */
static void complete_word(
	struct completion *p, const struct cli_command *command, const size_t *names, size_t nnames)
{
	switch (command->complete) {
	case CLI_COMPLETE_SERIES: complete_series(p, command, names, nnames, false); break;
	case CLI_COMPLETE_SELECTORS: complete_series(p, command, names, nnames, true); break;
	case CLI_COMPLETE_FAMILY:
		if (nnames == 0)
			offer_families(p, command);
		break;
	case CLI_COMPLETE_WRITER:
		if (nnames == 0)
			offer_writers(p);
		break;
	case CLI_COMPLETE_COMMAND:
		if (nnames == 0)
			offer_commands(p);
		break;
	case CLI_COMPLETE_SHELL:
		if (nnames == 0)
			offer_choices(p, "", "bash|zsh");
		break;
	default: break;
	}
}

static void complete_command(struct completion *p, const struct cli_command *command, size_t at)
{
	const struct cli_option *o = NULL;
	size_t names[WORDS_MAX], nnames = 0, i;

	for (i = at; i < p->nwords; i++) {
		if (strcmp(p->word[i], "--") == 0 && (command->flags & CLI_RUNS)) {
			p->directive = "commands";
			return;
		}
		o = option_of(command, p->word[i]);
		note_option(p, o, p->word[i], i + 1 < p->nwords ? p->word[i + 1] : NULL);
		if (takes_next(o, p->word[i]))
			i++;
		else if (!o)
			names[nnames++] = i;
	}
	if (i > p->nwords && o) { /* the last word waits for its argument */
		complete_argument(p, o, "");
		return;
	}
	if (complete_long_argument(p, command))
		return;
	if (p->current[0] == '-') {
		offer_options(p, command->options);
		offer_options(p, cli_common_options);
		if (command->flags & CLI_RUNS)
			offer(p, "--", "the program to run");
		return;
	}
	complete_word(p, command, names, nnames);
}

static void complete(struct completion *p)
{
	const struct cli_command *command;
	const struct cli_option *o = NULL;
	size_t i = find_program(p) + 1;

	for (; i < p->nwords && p->word[i][0] == '-'; i++) {
		o = option_of(NULL, p->word[i]);
		note_option(p, o, p->word[i], i + 1 < p->nwords ? p->word[i + 1] : NULL);
		i += takes_next(o, p->word[i]);
	}
	if (i > p->nwords && o) {
		complete_argument(p, o, "");
	} else if (i < p->nwords) {
		command = cli_command_find(p->word[i]);
		if (command)
			complete_command(p, command, i + 1);
	} else if (complete_long_argument(p, NULL)) {
		return;
	} else if (p->current[0] == '-') {
		offer_options(p, cli_common_options);
	} else {
		offer_commands(p);
	}
}

void complete_line(FILE *f, const char *line)
{
	struct completion p = { .directive = "none", .c = { .quiet = true } };

	split(&p, line);
	if (p.current)
		complete(&p);
	fprintf(f, "%s\t%s\n", p.directive,
		p.current && is_visible(p.current, strlen(p.current)) ? p.current : "");
	if (p.out.len && !p.out.failed)
		fwrite(p.out.data, 1, p.out.len, f);
	forget_words(&p);
	free(p.current);
	buf_free(&p.out);
	keys_clear(&p.seen);
	sm_snapshot_free(p.s);
}
