/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - what can be set: flags, environment, defaults.
 *
 * Depends on nothing. One table (options.c) is the parser, --help and the OPTIONS section
 * of the manual page (`shardmeter-exporter --help-man`, compared by a test). Every flag is also an
 * environment variable: --web.listen-address is SHARDMETER_EXPORTER_WEB_LISTEN_ADDRESS. A flag wins
 * over its variable, the variable over the default.
 */
#ifndef EXPORTER_OPTIONS_H
#define EXPORTER_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

struct options {
	const char *segment;		/* "": SHARDMETER_SEGMENT or "default" */
	const char *listen_address;
	const char *allowed_hosts;
	uint64_t max_connections;
	uint64_t max_connections_per_ip;
	uint64_t idle_timeout_ms;
	int no_storage;
	const char *storage_path;	/* "": the default place */
	uint64_t storage_retention_ms;
	uint64_t storage_max_bytes;
	uint64_t storage_interval_ms;
	uint64_t log_level;		/* index of error, warn, info, debug */
	uint64_t log_format;		/* index of logfmt, json */
	int once, version, help, help_man;
};

/* Exit codes, those of all our tools. */
enum { EXIT_USAGE = 2, EXIT_NO_SEGMENT = 3, EXIT_DAMAGED = 5, EXIT_NO_PERMISSION = 6 };

/*
 * options_parse - fill o from the defaults, the environment and the command line. Texts point into
 * those. Returns 0, or -EINVAL with one specific line in error (of at least 256 bytes).
 */
int options_parse(struct options *o, int argc, char **argv, char *error, size_t size);

/* options_unknown - the next variable SHARDMETER_EXPORTER_* that is no flag's: NULL at the end.
 * *position starts at 0. */
const char *options_unknown(size_t *position);

void options_print_help(FILE *to);
void options_print_man(FILE *to);

/* options_duration, options_size - "90s", "1h30m", "48h" as ms; "2GB", "512MiB" as bytes (powers of
 * 1024). 0 or -EINVAL. */
int options_duration(const char *text, uint64_t *ret_ms);
int options_size(const char *text, uint64_t *ret_bytes);

#endif /* EXPORTER_OPTIONS_H */
