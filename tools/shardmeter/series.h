/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series.h - a series or a selector of series, as people type them.
 *
 * A series is NAME{label="value",...}, or NAME with words label=value behind it, all labels with
 * one value each. A selector may leave labels out, compare them as PromQL does (=, !=, =~, !~), and
 * its NAME may be a shell pattern. Both report what is wrong themselves and return 0 or the exit
 * code.
 */
#ifndef CLI_SERIES_H
#define CLI_SERIES_H

#include "cli.h"

enum cli_match { CLI_EQUAL, CLI_NOT_EQUAL, CLI_LIKE, CLI_NOT_LIKE };

struct cli_series {
	char *name;
	unsigned nlabels;
	struct {
		const char *name;
		const char *value;
		enum cli_match match; /* CLI_EQUAL in a series */
	} label[SM_LABELS_MAX];
};

/* NAME or NAME{...}. The text is copied; release when done (also after an error). */
int cli_series_init(const struct cli *c, const char *text, struct cli_series *ret_series);
/* Add label=value; the word is cut at its '='. */
int cli_series_label(const struct cli *c, struct cli_series *s, char *word);

/* The same for selectors. A label may then be compared several times. */
int cli_selector_init(const struct cli *c, const char *text, struct cli_series *ret_series);
int cli_selector_label(const struct cli *c, struct cli_series *s, char *word);

/* Is the word label=value, label!=value, ... rather than a NAME? */
bool cli_is_label_word(const char *word);

void cli_series_release(struct cli_series *s);

#endif
