/* SPDX-License-Identifier: Apache-2.0 */
/* setting.c - numbers, times, sizes and switches as text; see setting.h. */
#include "exporter/setting.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit times[] = {
	{ "w", 7 * SETTING_DAY }, { "d", SETTING_DAY }, { "h", SETTING_HOUR },
	{ "m", 60 * SETTING_SECOND }, { "s", SETTING_SECOND }, { "ms", 1 }, { NULL, 0 },
};

static const struct unit sizes[] = {
	{ "GB", 1 << 30 }, { "MB", 1 << 20 }, { "KB", 1 << 10 }, { "B", 1 }, { "GiB", 1 << 30 },
	{ "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { NULL, 0 },
};

static int parse_digits(const char *text, const char **ret_end, uint64_t *ret_number)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return -EINVAL;
	*ret_end = text;
	*ret_number = v;
	return 0;
}

/* The unit that text begins with, as a whole word. */
static const struct unit *find_unit(const struct unit *units, const char *text, size_t *ret_len)
{
	size_t len = 0;

	while (isalpha((unsigned char)text[len]))
		len++;
	for (; units->name; units++)
		if (strlen(units->name) == len && memcmp(units->name, text, len) == 0) {
			*ret_len = len;
			return units;
		}
	return NULL;
}

int setting_number(const char *text, uint64_t *ret_number)
{
	const char *end;
	uint64_t v;

	if (parse_digits(text, &end, &v) < 0 || *end)
		return -EINVAL;
	*ret_number = v;
	return 0;
}

int setting_duration(const char *text, uint64_t *ret_ms)
{
	const struct unit *unit;
	uint64_t total = 0, v;
	size_t len;

	do {
		if (parse_digits(text, &text, &v) < 0)
			return -EINVAL;
		unit = find_unit(times, text, &len);
		if (!unit || __builtin_mul_overflow(v, unit->factor, &v) ||
		    __builtin_add_overflow(total, v, &total))
			return -EINVAL;
		text += len;
	} while (*text);
	*ret_ms = total;
	return 0;
}

int setting_size(const char *text, uint64_t *ret_bytes)
{
	const struct unit *unit;
	uint64_t v;
	size_t len;

	if (parse_digits(text, &text, &v) < 0)
		return -EINVAL;
	unit = find_unit(sizes, text, &len);
	if (!unit || text[len] || __builtin_mul_overflow(v, unit->factor, &v))
		return -EINVAL;
	*ret_bytes = v;
	return 0;
}

int setting_mode(const char *text, uint64_t *ret_mode)
{
	size_t len = strspn(text, "01234567"), i;
	uint64_t v = 0;

	if (!len || len > 5 || text[len])
		return -EINVAL;
	for (i = 0; i < len; i++)
		v = v * 8 + (uint64_t)(text[i] - '0');
	if (v > 0777)
		return -EINVAL;
	*ret_mode = v;
	return 0;
}

int setting_switch(const char *text, int *ret_on)
{
	*ret_on = !strcmp(text, "1") || !strcmp(text, "true") || !strcmp(text, "yes");
	return *ret_on || !*text || !strcmp(text, "0") || !strcmp(text, "false") ||
		!strcmp(text, "no") ? 0 : -EINVAL;
}

int setting_choice(const char *choices, const char *text, uint64_t *ret_index)
{
	size_t len = strlen(text), n;
	uint64_t i;

	for (i = 0; *choices; i++, choices += n + (choices[n] == '|')) {
		n = strcspn(choices, "|");
		if (n == len && memcmp(choices, text, n) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	return -EINVAL;
}

static void print(const struct unit *unit, uint64_t v, char *ret_text, size_t size)
{
	while (unit->factor > 1 && v % unit->factor)
		unit++;
	snprintf(ret_text, size, "%llu%s", (unsigned long long)(v / unit->factor), unit->name);
}

void setting_print_duration(uint64_t ms, char *ret_text, size_t size)
{
	print(times + 1, ms, ret_text, size);
}

void setting_print_size(uint64_t bytes, char *ret_text, size_t size)
{
	print(sizes, bytes, ret_text, size);
}
