/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - what can be set: flags, environment, configuration file, defaults.
 *
 * Depends on common/buf.h, setting.h and config.h. One table (options.c) is the parser of all of them,
 * --help and the OPTIONS section of the manual page (`shardmeter-exporter --help-man`, compared by a
 * test). --web.listen-address is also the variable SHARDMETER_EXPORTER_WEB_LISTEN_ADDRESS and
 * `listen-address` below `web` in the file. A flag wins over its variable, that over the file, that
 * over the default; a list is replaced as a whole.
 */
#ifndef EXPORTER_OPTIONS_H
#define EXPORTER_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "common/buf.h"

#define OPTIONS_MAX		48	/* settings in the table */
#define OPTIONS_CONFIG_PATH	"/etc/shardmeter/exporter.yml"

struct options_list {
	size_t n;
	char **item;
};

struct options {
	struct options_list segments;	/* at least one; "": SHARDMETER_SEGMENT or "default" */
	struct options_list listen_addresses;	/* at least one */
	struct options_list allowed_hosts;	/* items may be lists separated by commas, or "" */
	uint64_t socket_mode;
	int systemd_socket;
	const char *telemetry_path;
	uint64_t max_connections;
	uint64_t max_connections_per_ip;
	uint64_t max_requests;
	uint64_t header_timeout_ms;
	uint64_t idle_timeout_ms;
	uint64_t response_timeout_ms;
	uint64_t timeout_offset_ms;
	int disable_exporter_metrics;
	int openmetrics_created;
	const char *allowed_labels;	/* patterns, separated by commas; "": all */
	int no_storage;
	const char *storage_path;	/* "": the default place */
	uint64_t storage_retention_ms;
	uint64_t storage_max_bytes;
	uint64_t storage_interval_ms;
	uint64_t log_level;		/* index of error, warn, info, debug */
	uint64_t log_format;		/* index of logfmt, json */
	int allow_root;
	const char *config;		/* "": OPTIONS_CONFIG_PATH, if that exists */
	int config_check, once;
	const char *output;		/* of --once; "": standard output */
	int version, help, help_man;

	/* private */
	int has_config;			/* a file was read */
	unsigned char rank[OPTIONS_MAX];	/* where each setting is from */
	struct options_text *texts;	/* what the pointers above point to */
};

/* Exit codes, those of all our tools. */
enum { EXIT_USAGE = 2, EXIT_NO_SEGMENT = 3, EXIT_DAMAGED = 5, EXIT_NO_PERMISSION = 6 };

/*
 * options_parse - fill o from all sources. 0, or -EINVAL with one line in errors for everything that
 * is wrong. options_release() is needed in both cases.
 */
int options_parse(struct options *o, int argc, char **argv, struct buf *errors);
void options_release(struct options *o);

/* options_unknown - the next variable SHARDMETER_EXPORTER_* that is no flag's: NULL at the end.
 * *position starts at 0. */
const char *options_unknown(size_t *position);

/* options_fixed - the name of the next setting that differs between a and b and cannot change while
 * the exporter runs: NULL at the end. *position starts at 0. */
const char *options_fixed(const struct options *a, const struct options *b, size_t *position);

/* options_def - the table (options_table.h): NULL beyond the last. */
struct option_def;
const struct option_def *options_def(size_t i);

void options_print_help(FILE *to);
void options_print_man(FILE *to);

#endif /* EXPORTER_OPTIONS_H */
