/* SPDX-License-Identifier: Apache-2.0 */
/* options_table.h - one setting as options.c and options_print.c see it. Depends on nothing. */
#ifndef EXPORTER_OPTIONS_TABLE_H
#define EXPORTER_OPTIONS_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum option_type { FLAG, TEXT, LIST, NUMBER, DURATION, SIZE, MODE, CHOICE };

#define OPTION_ACTION	0x1u	/* only on the command line */
#define OPTION_NO_FILE	0x2u	/* not in the configuration file */
#define OPTION_LIVE	0x4u	/* SIGHUP changes it */
#define OPTION_HIDDEN	0x8u

/* min and max are of the parsed number; choices are for CHOICE, separated by '|'. check returns
 * what is expected of a text that is wrong, else NULL. */
struct option_def {
	const char *name;
	enum option_type type;
	unsigned flags;
	size_t offset;
	const char *arg;
	const char *fallback;
	uint64_t min, max;
	const char *(*check)(const char *text);
	const char *help;
};

#define OPTIONS_ENV_PREFIX "SHARDMETER_EXPORTER_"

/* options_env_name - the variable of a setting. */
void options_env_name(const struct option_def *def, char *ret_name, size_t size);

#endif /* EXPORTER_OPTIONS_TABLE_H */
