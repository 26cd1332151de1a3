/* SPDX-License-Identifier: Apache-2.0 */
/* test_cli_commands.c - the tables that usage, help and manual page are made from. */
#include "test_cli.h"

#include <errno.h>
#include <getopt.h>

static struct capture cap;

static void commands__each__is_complete_and_found_by_name(void **state)
{
	const struct cli_command *c;

	for (size_t i = 0; cli_commands[i]; i++) {
		c = cli_commands[i];
		assert_non_null(c->run);
		assert_non_null(c->options);
		assert_non_null(c->synopsis);
		assert_non_null(c->text);
		assert_true(strlen(c->name) <= 10);
		assert_int_equal(c->help[strlen(c->help) - 1], '.');
		assert_ptr_equal(cli_command_find(c->name), c);
	}
	assert_null(cli_command_find("nothing"));
	assert_null(cli_command_find(""));
}

static void commands__lines_of_their_text__fit_the_help_buffer(void **state)
{
	for (size_t i = 0; cli_commands[i]; i++)
		for (const char *t = cli_commands[i]->text; *t;
			t += strcspn(t, "\n") + (t[strcspn(t, "\n")] == '\n'))
			assert_true(strcspn(t, "\n") < 2047);
}

static void options__each__is_complete_and_unique(void **state)
{
	for (size_t i = 0; cli_commands[i]; i++) {
		const struct cli_option *o = cli_commands[i]->options;
		size_t n;

		for (n = 0; o[n].name; n++) {
			assert_true(strlen(o[n].help) > 5);
			assert_non_null(strchr(".)", o[n].help[strlen(o[n].help) - 1]));
			assert_true(strlen(o[n].help) < 480);
			for (size_t k = 0; k < n; k++) {
				assert_string_not_equal(o[k].name, o[n].name);
				assert_true(!o[n].letter || o[k].letter != o[n].letter);
			}
			/* -S, -q, -h and -V mean the same everywhere. */
			for (size_t k = 0; k < CLI_COMMON_OPTIONS; k++)
				assert_true(o[n].letter != cli_common_options[k].letter);
			if (o[n].preset)
				assert_non_null(o[n].arg);
		}
		assert_true(n <= CLI_OPTIONS_MAX);
	}
}

static void updates__each__have_strict(void **state)
{
	bool strict;

	for (size_t i = 0; cli_commands[i]; i++) {
		if (!(cli_commands[i]->flags & CLI_UPDATE))
			continue;
		strict = false;
		for (const struct cli_option *o = cli_commands[i]->options; o->name; o++)
			strict |= strcmp(o->name, "strict") == 0;
		assert_true(strict);
	}
}

static void help__of_each__stays_within_80_columns(void **state)
{
	const char *text;
	size_t len;

	for (size_t i = 0; cli_commands[i]; i++) {
		text = PRINTED(f, cli_print_help(f, cli_commands[i]));
		for (; *text; text += len + (text[len] == '\n')) {
			len = strcspn(text, "\n");
			assert_true(len <= 80 || strncmp(text, "usage:", 6) == 0);
		}
	}
	text = PRINTED(f, cli_print_usage(f));
	for (size_t i = 0; cli_commands[i]; i++)
		assert_non_null(strstr(text, cli_commands[i]->name));
}

static void code__of_each_error__is_the_documented_one(void **state)
{
	assert_int_equal(cli_code(0), 0);
	assert_int_equal(cli_code(-EINVAL), 2);
	assert_int_equal(cli_code(-ENOSPC), 2);
	assert_int_equal(cli_code(-ENOENT), 3);
	assert_int_equal(cli_code(-EBADMSG), 5);
	assert_int_equal(cli_code(-EPROTONOSUPPORT), 5);
	assert_int_equal(cli_code(-EACCES), 6);
	assert_int_equal(cli_code(-EPERM), 6);
}

static void message__with_control_characters__is_one_harmless_line(void **state)
{
	capture_begin(&cap, stderr);
	assert_int_equal(cli_fail(&test_cli, 5, "bad \"%s\"", "a\n\x1b]0;x\x07"), 5);
	assert_string_equal(capture_end(&cap), "shardmeter inc: bad \"a\\x0a\\x1b]0;x\\x07\"\n");
}

static void message__quiet__is_none(void **state)
{
	struct cli c = { .command = &cli_cmd_inc, .quiet = true };

	capture_begin(&cap, stderr);
	assert_int_equal(cli_fail(&c, 3, "x"), 3);
	assert_string_equal(capture_end(&cap), "");
}

/* The whole program in this process; a word list ends with NULL. */
static int program(char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	optind = 0; /* start over */
	return cli_main(argc, argv);
}

static char *words(char *storage, const char *line, char **argv)
{
	int n = 0;

	strcpy(storage, line);
	for (char *w = strtok(storage, " "); w; w = strtok(NULL, " "))
		argv[n++] = w;
	argv[n] = NULL;
	return storage;
}

static void updates__wrong_words__exit_2_strict_or_not(void **state)
{
	static const struct {
		const char *line;
		int code;
	} table[] = { { "shardmeter inc", 2 }, { "shardmeter inc --strict", 2 },
		{ "shardmeter set x --strict", 2 }, { "shardmeter inc --bogus", 2 },
		{ "shardmeter inc --bogus --strict", 2 },
		{ "shardmeter observe x y z --strict", 2 },
		{ "shardmeter dec x_total by -1 --strict", 2 },
		{ "shardmeter inc x_total by --strict", 2 }, { "shardmeter nothing", 2 },
		{ "shardmeter", 2 }, { "shardmeter time x_seconds", 2 },
		{ "shardmeter time x_seconds --", 2 }, { "shardmeter -S", 2 },
		{ "shardmeter --bogus ls", 2 }, { "shardmeter dump --format yaml", 2 },
		{ "shardmeter dump --every 0", 2 }, { "shardmeter size --writers 5000", 2 },
		{ "shardmeter gc --min-age -1", 2 }, { "shardmeter rm", 2 },
		{ "shardmeter history --from tomorrow", 2 } };
	char storage[128], *argv[16];
	int code;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		words(storage, table[i].line, argv);
		capture_begin(&cap, stderr);
		code = program(argv);
		capture_end(&cap);
		if (code != table[i].code)
			print_error("%s: %s", table[i].line, cap.text);
		assert_int_equal(code, table[i].code);
		/* One specific line, never the whole usage. */
		assert_ptr_equal(strchr(cap.text, '\n'), cap.text + strlen(cap.text) - 1);
		assert_null(strstr(cap.text, "usage:"));
	}
}

static void command__nearly_right__is_suggested(void **state)
{
	static const struct {
		const char *typed, *meant;
	} pairs[] = { { "gte", "get" }, { "batc", "batch" }, { "wacth", "watch" },
		{ "obser", "observe" }, { "compl", "completion" }, { "write", "writers" },
		{ "historx", "history" }, { "xyzzy", NULL }, { "q", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL } };
	const struct cli_command *near;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		near = cli_command_near(pairs[i].typed);
		if (pairs[i].meant)
			assert_string_equal(near ? near->name : "none", pairs[i].meant);
		else
			assert_null(near);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command__nearly_right__is_suggested),
		cmocka_unit_test(commands__each__is_complete_and_found_by_name),
		cmocka_unit_test(commands__lines_of_their_text__fit_the_help_buffer),
		cmocka_unit_test(options__each__is_complete_and_unique),
		cmocka_unit_test(updates__each__have_strict),
		cmocka_unit_test(help__of_each__stays_within_80_columns),
		cmocka_unit_test(code__of_each_error__is_the_documented_one),
		cmocka_unit_test(message__with_control_characters__is_one_harmless_line),
		cmocka_unit_test(message__quiet__is_none),
		cmocka_unit_test(updates__wrong_words__exit_2_strict_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
