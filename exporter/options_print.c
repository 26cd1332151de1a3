/* SPDX-License-Identifier: Apache-2.0 */
/* options_print.c - --help and the OPTIONS of the manual page, from the table; see options.h. */
#include "exporter/options.h"

#include <string.h>

#include "exporter/options_table.h"

/* Words of text, broken before column 80, with an indent. */
static void print_wrapped(FILE *to, const char *text)
{
	size_t column = 0, len;

	while (*text) {
		len = strcspn(text, " ");
		if (!column || column + 1 + len > 76) {
			fprintf(to, column ? "\n        " : "        ");
			column = 4;
		} else {
			fputc(' ', to);
			column++;
		}
		fprintf(to, "%.*s", (int)len, text);
		column += len;
		text += len + (text[len] == ' ');
	}
	fputc('\n', to);
}

void options_print_help(FILE *to)
{
	const struct option_def *def;
	size_t i;

	fprintf(to, "Usage: shardmeter-exporter [flags]\n\n"
		"Serves Shardmeter segments to Prometheus and keeps their history.\n\n");
	for (i = 0; (def = options_def(i)) != NULL; i++) {
		if (def->flags & OPTION_HIDDEN)
			continue;
		fprintf(to, "  --%s%s%s", def->name, def->arg ? "=" : "", def->arg ? def->arg : "");
		if (*def->fallback)
			fprintf(to, " (default %s)", def->fallback);
		fputc('\n', to);
		print_wrapped(to, def->help);
	}
	fprintf(to, "\nEvery setting is also an environment variable, --web.listen-address is\n"
		"%sWEB_LISTEN_ADDRESS, and a key in the configuration file:\n"
		"listen-address below web.\n", OPTIONS_ENV_PREFIX);
}

/* Text with roff's special characters escaped. */
static void print_roff(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", to);
		else if (*text == '\\')
			fputs("\\e", to);
		else if (*text == '~')
			fputs("\\(ti", to);
		else
			fputc(*text, to);
	}
}

void options_print_man(FILE *to)
{
	const struct option_def *def;
	char name[96];
	size_t i;

	for (i = 0; (def = options_def(i)) != NULL; i++) {
		if (def->flags & OPTION_HIDDEN)
			continue;
		fputs(".TP\n\\fB\\-\\-", to);
		print_roff(to, def->name);
		fputs("\\fR", to);
		if (def->arg) {
			fputs("=\\fI", to);
			print_roff(to, def->arg);
			fputs("\\fR", to);
		}
		fputc('\n', to);
		print_roff(to, def->help);
		if (*def->fallback) {
			fputs(" Default: ", to);
			print_roff(to, def->fallback);
			fputc('.', to);
		}
		fputc('\n', to);
		if (def->flags & OPTION_ACTION)
			continue;
		options_env_name(def, name, sizeof(name));
		fprintf(to, "(\\fI%s\\fR)\n", name);
	}
}
