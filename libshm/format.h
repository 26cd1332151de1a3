/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - numbers to text and fixed point to double, without the locale and without printf.
 * sm_format_double() and sm_format_units() are public, see shardmeter_reader.h.
 */
#ifndef SM_FORMAT_H
#define SM_FORMAT_H

#include <shardmeter_reader.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits of v, at most 20, with a NUL. Returns their number. */
size_t sm_format_u64(uint64_t v, char *ret_text);

/* The double nearest to units / 10^decimals (ties to even). decimals <= 18. */
double sm_units_value(sm_u128 units, unsigned decimals);

#endif
