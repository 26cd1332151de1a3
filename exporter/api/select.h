/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select.h - selectors: which series a question is about.
 *
 * Depends on pattern.h. A subset of Prometheus' selectors:
 *
 *	command_duration_seconds			all series of a family
 *	command_*					all families that begin so
 *	commands_total{outcome!="ok", command=~"play|skip"}
 *	{__name__=~"command_.*", shard="3"}
 *
 * = != compare, =~ !~ take a pattern (pattern.h) that matches the whole value. A label that a
 * series does not have has the value "". A family has one name here, also a histogram: no _bucket.
 * A value that belongs to one writer has a label `writer`.
 */
#ifndef API_SELECT_H
#define API_SELECT_H

#include <shardmeter.h>

#define SELECT_TEXT_MAX		2048	/* bytes of a selector */
#define SELECT_MATCHERS_MAX	16

struct selector;

/* selector_parse - 0; -EINVAL: message says what is wrong, and where; -ENOMEM. */
int selector_parse(const char *text, struct selector **ret_selector, char *message, size_t size);
void selector_free(struct selector *s);

/* selector_wants_family - may series of a family of this name match? */
int selector_wants_family(const struct selector *s, const char *name);

/* What is asked about: a series' labels, and the writer or "". */
struct selectable {
	const char *name;
	unsigned nlabels;
	const char *const *labels;
	const struct sm_str *values;
	const char *writer;
};
int selector_matches(const struct selector *s, const struct selectable *series);

#endif /* API_SELECT_H */
