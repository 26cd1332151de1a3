/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - the configuration file: YAML to settings by name.
 *
 * Depends on common/buf.h and libyaml. Knows no setting: it walks a tree of mappings, joins their
 * keys with dots ("web.listen-address") and asks whoever knows. The file is the administrator's,
 * but may hold any bytes: size and depth are bounded, aliases and tags are refused.
 */
#ifndef EXPORTER_CONFIG_H
#define EXPORTER_CONFIG_H

#include "common/buf.h"

#define CONFIG_BYTES_MAX	(1u << 20)

enum config_key { CONFIG_UNKNOWN, CONFIG_SECTION, CONFIG_SETTING, CONFIG_LIST };

struct config_reader {
	/* kind - what a dotted name is. set - take a value; 0, or -EINVAL with a sentence in error
	 * (of size bytes). For a list once for each item. */
	enum config_key (*kind)(void *ctx, const char *name);
	int (*set)(void *ctx, const char *name, const char *value, char *error, size_t size);
	void *ctx;
};

/*
 * config_parse - read a text; `where` is the file's name in messages. Adds one line to errors for
 * each thing that is wrong, as FILE:LINE:COLUMN: what. 0, or -EINVAL if there was any.
 */
int config_parse(const char *text, size_t len, const char *where, const struct config_reader *reader,
	struct buf *errors);

/* config_read - config_parse() of a file. -ENOENT without a line in errors if there is none. */
int config_read(const char *path, const struct config_reader *reader, struct buf *errors);

#endif /* EXPORTER_CONFIG_H */
