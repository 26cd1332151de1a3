/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_config.c - any bytes as a configuration file: no crash, and every complaint is one line with a
 * place and without control characters.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum config_key kind(void *ctx, const char *name)
{
	(void)ctx;
	if (strcmp(name, "web") == 0 || strcmp(name, "web.openmetrics") == 0)
		return CONFIG_SECTION;
	if (strcmp(name, "segment") == 0 || strcmp(name, "web.listen-address") == 0)
		return CONFIG_LIST;
	return name[0] == 'x' ? CONFIG_UNKNOWN : CONFIG_SETTING;
}

static int set(void *ctx, const char *name, const char *value, char *error, size_t size)
{
	(void)ctx;
	if (strlen(name) < 40 && strlen(value) < 40)
		return 0;
	snprintf(error, size, "%s: \"%.60s\" is long", name, value);
	return -1;
}

static void check_errors(const struct buf *errors, int rc)
{
	size_t i;

	if ((rc < 0) != (errors->len > 0))
		abort();
	for (i = 0; i < errors->len; i++)
		if ((unsigned char)errors->data[i] < ' ' && errors->data[i] != '\n')
			abort();
	if (errors->len && errors->data[errors->len - 1] != '\n')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct config_reader reader = { .kind = kind, .set = set };
	struct buf errors = { 0 };
	int rc;

	rc = config_parse((const char *)data, size, "f.yml", &reader, &errors);
	check_errors(&errors, rc);
	buf_free(&errors);
	return 0;
}
