/* SPDX-License-Identifier: Apache-2.0 */
/* config.c: what is made of a tree; the table of files that are wrong is in test_exporter_server.py. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "exporter/config.h"

static char got[512];
static struct buf errors;

static enum config_key kind(void *ctx, const char *name)
{
	if (strcmp(name, "a") == 0 || strcmp(name, "a.b") == 0)
		return CONFIG_SECTION;
	if (strcmp(name, "list") == 0)
		return CONFIG_LIST;
	return name[0] == 'x' ? CONFIG_UNKNOWN : CONFIG_SETTING;
}

static int set(void *ctx, const char *name, const char *value, char *error, size_t size)
{
	size_t len = strlen(got);

	if (strcmp(value, "bad") == 0) {
		snprintf(error, size, "%s is bad", name);
		return -EINVAL;
	}
	snprintf(got + len, sizeof(got) - len, "%s=%s;", name, value);
	return 0;
}

static int parse(const char *text)
{
	const struct config_reader reader = { .kind = kind, .set = set };

	got[0] = '\0';
	buf_free(&errors);
	errors = (struct buf){ 0 };
	return config_parse(text, strlen(text), "f", &reader, &errors);
}

static int teardown(void **state)
{
	buf_free(&errors);
	errors = (struct buf){ 0 };
	return 0;
}

static void parse__a_tree__is_names_with_dots(void **state)
{
	assert_int_equal(parse("a:\n  b: {c: 1, d: 'two words'}\n  e: ~x\nlist:\n- 1\n- 2\n"), 0);
	assert_string_equal(got, "a.b.c=1;a.b.d=two words;a.e=~x;list=1;list=2;");
	assert_int_equal(errors.len, 0);
	assert_int_equal(parse(""), 0);
	assert_int_equal(parse("list: 5"), 0);
	assert_string_equal(got, "list=5;");
}

static void parse__something_wrong__the_rest_is_looked_at(void **state)
{
	assert_int_equal(parse("x:\n  y: [1, {z: 2}]\nc: bad\nk: 4\nk: 5\nlist: [1, [2], bad, 3]\n"), -EINVAL);
	assert_string_equal(got, "k=4;list=1;list=3;");
	assert_string_equal(errors.data, "f:1:1: unknown setting \"x\"\nf:3:4: c is bad\n"
		"f:5:1: \"k\" is given twice\nf:6:11: a single value is expected here\n"
		"f:6:16: list is bad\n");
}

static void parse__too_much__ends(void **state)
{
	char deep[256];

	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(parse(deep), -EINVAL);
	assert_non_null(strstr(errors.data, "nested too deeply"));
}

static void read__no_file__is_no_error(void **state)
{
	const struct config_reader reader = { .kind = kind, .set = set };

	assert_int_equal(config_read("/nowhere/at/all", &reader, &errors), -ENOENT);
	assert_int_equal(errors.len, 0);
	assert_int_equal(config_read("/dev/null", &reader, &errors), -EINVAL);
	assert_int_equal(config_read("/proc/self/exe", &reader, &errors), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(parse__a_tree__is_names_with_dots, teardown),
		cmocka_unit_test_teardown(parse__something_wrong__the_rest_is_looked_at, teardown),
		cmocka_unit_test_teardown(parse__too_much__ends, teardown),
		cmocka_unit_test_teardown(read__no_file__is_no_error, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
