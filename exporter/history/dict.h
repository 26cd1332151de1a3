/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dict.h - the dictionary's records: the text of a family and of a series as bytes.
 *
 * Depends on bytes.h and history.h. Rows hold series ids; what an id means stands once in the
 * store. A record, little-endian, texts as u16 length and bytes without NUL:
 *
 *	family   u8 version, u8 kind, u8 gauge mode, u8 labels, u8 states, u16 bounds, u16 united
 *	         bounds, name, help, unit, label names, state names, bounds (doubles), united bounds
 *	series   u8 version, u32 family id, u64 created (real ns), u8 values, writer ("": all), values
 *
 * Two series with equal records are one series.
 */
#ifndef HISTORY_DICT_H
#define HISTORY_DICT_H

#include "exporter/history/bytes.h"
#include "exporter/history/history.h"

#define DICT_VERSION	1u
#define DICT_TEXT_MAX	4096u	/* of one text; a segment's limits are below it */

/* dict_put_family, dict_put_series - append a record to out (zero-initialised or cleared). */
void dict_put_family(struct bytes_out *out, const struct sm_family_info *f);
void dict_put_series(struct bytes_out *out, uint32_t family_id, const struct sm_str *values,
	size_t nvalues, const char *writer, uint64_t created_real_ns);

/* dict_get_family, dict_get_series - decode a record into one block of memory, for free(). A
 * series' family is looked up by the caller: dict_series_family() gives its id first.
 * 0, -EBADMSG, -EPROTONOSUPPORT (a later version), -ENOMEM. */
int dict_get_family(const void *data, size_t len, uint32_t id, struct history_family **ret_family);
int dict_series_family(const void *data, size_t len, uint32_t *ret_family_id);
int dict_get_series(const void *data, size_t len, uint32_t id, const struct history_family *family,
	struct history_series **ret_series);

#endif /* HISTORY_DICT_H */
