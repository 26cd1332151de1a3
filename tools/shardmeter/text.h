/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - texts, numbers and times as this program prints them.
 *
 * Numbers never depend on the locale: only LC_CTYPE is ever set.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "cli.h"

#define CLI_TEXT_MAX 64

/*
 * cli_put_text - print with control and invisible characters and bytes that are not UTF-8 as \xNN,
 * byte by byte, so that no text can steer a terminal or add lines. On a terminal whose
 * locale is not UTF-8 (known after cli_is_terminal()), everything beyond ASCII as well.
 */
void cli_put_text(FILE *f, const char *s, size_t len);

/* Columns that cli_put_text() takes on a terminal. */
size_t cli_text_width(const char *s, size_t len);

/* Is f a terminal? Sets LC_CTYPE when it is the first one. */
bool cli_is_terminal(FILE *f);

/* The labels of a series as Prometheus writes them between the braces, and le="..." if le is not
 * NULL. Returns how many there were. */
unsigned cli_put_labels(FILE *f, const struct sm_family_info *family,
	const struct sm_series_info *series, const char *le);

/* NAME, or NAME{label="value",...}, with a label writer if that is not ""; NULL if there is no memory.
 * Free it. */
char *cli_series_text(const struct sm_family_info *family, const struct sm_series_info *series,
	const char *writer);

/* "2026-11-20T13:21:07.123Z". */
void cli_utc(uint64_t real_ns, char ret_text[CLI_TEXT_MAX]);

/* "0.4s", "3m41s", "2h05m", "12d07h". */
void cli_age(uint64_t ns, char ret_text[CLI_TEXT_MAX]);

/* Seconds with three decimals, for scripts. */
void cli_plain_seconds(uint64_t ns, char ret_text[CLI_TEXT_MAX]);

/* "812 B", "1.5 MiB". */
void cli_bytes(uint64_t bytes, char ret_text[CLI_TEXT_MAX]);

/* As it is exposed, integers exactly; "" if it is absent. */
void cli_value(const struct sm_value *value, char ret_text[CLI_TEXT_MAX]);
void cli_sum(const struct sm_sum *sum, char ret_text[CLI_TEXT_MAX]);

/* "counter", "gauge", "updown", "histogram", "info", "stateset"; "unknown" for anything else. */
const char *cli_kind(enum sm_kind kind);

/* "sum", "min", ... */
const char *cli_mode(enum sm_gauge_mode mode);
/* The mode of that name, or -1. */
int cli_mode_find(const char *name);

#endif
