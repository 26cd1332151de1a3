/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args.h - what people type: options, numbers, moments.
 *
 * All of these report what is wrong themselves, naming the argument, and return 0 or the exit
 * code. Numbers are decimal, complete and in range, or an error: no leading blanks, no
 * hexadecimal, no trailing text.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli.h"

/*
 * cli_parse - parse argv[0 .. argc), argv[0] being the subcommand's name. Fills *c, whose command,
 * segment and quiet the caller has set. *ret_args holds the memory; free it. A word that looks
 * like a negative number is a positional argument.
 */
int cli_parse(struct cli *c, int argc, char **argv, char ***ret_args);

/* A whole number, min to max. */
int cli_number(const struct cli *c, const char *what, const char *text, uint64_t min, uint64_t max,
	uint64_t *ret_number);

/* A finite number, min to max. */
int cli_real(const struct cli *c, const char *what, const char *text, double min, double max,
	double *ret_number);

/* Any double, also NaN, Inf, +Inf, -Inf. */
int cli_double(const struct cli *c, const char *what, const char *text, double *ret_number);

/* Seconds, fractions allowed, as ns. */
int cli_seconds(const struct cli *c, const char *what, const char *text, double min, double max,
	uint64_t *ret_ns);

/*
 * An amount to add. exact: value is units / 10^decimals, with as few decimals as possible; not so
 * for what has an exponent, more than 9 decimals or 19 digits.
 */
struct cli_amount {
	double value;
	bool exact;
	uint64_t units;
	unsigned decimals; /* 0 to 9 */
};
int cli_amount(
	const struct cli *c, const char *what, const char *text, struct cli_amount *ret_amount);

/* amount in units of 10^-decimals: false if it is not a whole number of them, or too many. */
bool cli_amount_in(const struct cli_amount *a, unsigned decimals, uint64_t *ret_units);

/* A comma-separated list of ascending finite numbers. Returns 0 and how many, at most max. */
int cli_bounds(const struct cli *c, const char *what, const char *text, double *ret_bounds,
	size_t max, size_t *ret_n);

/*
 * A moment, in ms since 1970: "2026-11-20T13:21:07Z" (also with a fraction, without seconds, or
 * with a blank for the T; always UTC), seconds since 1970, "now", or a time before now: "-90s",
 * "-15m", "-2h", "-3d".
 */
int cli_moment(
	const struct cli *c, const char *what, const char *text, uint64_t now_ms, uint64_t *ret_ms);

#endif
