/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting.h - what people write for a number, a time, a size or a switch. Depends on nothing.
 *
 * All return 0 or -EINVAL and take the whole text or nothing.
 */
#ifndef EXPORTER_SETTING_H
#define EXPORTER_SETTING_H

#include <stddef.h>
#include <stdint.h>

#define SETTING_SECOND	UINT64_C(1000)		/* in ms */
#define SETTING_HOUR	(3600 * SETTING_SECOND)
#define SETTING_DAY	(24 * SETTING_HOUR)

int setting_number(const char *text, uint64_t *ret_number);

/* setting_duration - "90s", "1h30m", "250ms" as ms. setting_size - "2GB", "512MiB" as bytes: powers
 * of 1024. setting_mode - "0660" as permission bits. */
int setting_duration(const char *text, uint64_t *ret_ms);
int setting_size(const char *text, uint64_t *ret_bytes);
int setting_mode(const char *text, uint64_t *ret_mode);

/* setting_switch - 1, true, yes, 0, false, no, or "" for 0. setting_choice - the position of text in
 * "a|b|c". */
int setting_switch(const char *text, int *ret_on);
int setting_choice(const char *choices, const char *text, uint64_t *ret_index);

/* setting_print - in the largest unit that it is a whole number of. */
void setting_print_duration(uint64_t ms, char *ret_text, size_t size);
void setting_print_size(uint64_t bytes, char *ret_text, size_t size);

#endif /* EXPORTER_SETTING_H */
