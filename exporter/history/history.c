/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - the dictionary and rows of a store; see history.h.
 *
 * Every look (history_env.c) copies one record, which is decoded after it. What was decoded is kept
 * until the end: the dictionary is small beside the rows, and callers may hold on to it.
 */
#include "exporter/history/history_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporter/history/dict.h"

/* ---- decoded records ------------------------------------------------------------------------ */

static void *table_find(const struct table *t, uint32_t id)
{
	size_t i;

	if (!t->cap)
		return NULL;
	for (i = id * UINT32_C(2654435769); t->slots[i & (t->cap - 1)].id; i++)
		if (t->slots[i & (t->cap - 1)].id == id)
			return t->slots[i & (t->cap - 1)].record;
	return NULL;
}

static void table_put(struct table *t, uint32_t id, void *record)
{
	size_t i = id * UINT32_C(2654435769);

	while (t->slots[i & (t->cap - 1)].id)
		i++;
	t->slots[i & (t->cap - 1)] = (struct slot){ id, record };
	t->n++;
}

static int table_add(struct table *t, uint32_t id, void *record)
{
	struct table bigger = { .cap = t->cap ? t->cap * 2 : 1024 };
	size_t i;

	if (t->n * 2 >= t->cap) {
		bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
		if (!bigger.slots)
			return -ENOMEM;
		for (i = 0; i < t->cap; i++)
			if (t->slots[i].id)
				table_put(&bigger, t->slots[i].id, t->slots[i].record);
		free(t->slots);
		*t = bigger;
	}
	table_put(t, id, record);
	return 0;
}

/* ---- dictionary ----------------------------------------------------------------------------- */

struct wanted {
	MDB_dbi dbi;
	uint32_t id;
	int or_next;		/* or the one after it */
};

/* Copy a record of the dictionary to h->record. 1, 0 if it is not there, -errno. */
static int copy_record(struct history *h, void *arg)
{
	const struct wanted *wanted = arg;
	uint8_t buf[4];
	MDB_val key = { sizeof(buf), buf }, data;
	int rc = history_cursor(h, wanted->dbi);

	if (rc < 0)
		return rc;
	bytes_key_u32(buf, wanted->id);
	rc = mdb_cursor_get(h->cursor, &key, &data, wanted->or_next ? MDB_SET_RANGE : MDB_SET_KEY);
	if (rc == 0)
		rc = key.mv_size == 4 ? history_take(h, &h->record, &key, &data) : -EBADMSG;
	else
		rc = rc == MDB_NOTFOUND ? 1 : guard_errno(rc);
	return rc < 0 ? rc : !rc;
}

static int bad_record(struct history *h, int rc)
{
	if (rc == -EBADMSG)
		return history_fail(h, rc, "the dictionary of %.300s is damaged", h->path);
	if (rc == -EPROTONOSUPPORT)
		return history_fail(h, rc, "%.300s was written by a later version", h->path);
	return history_fail(h, rc, "cannot read %.300s: %s", h->path, strerror(-rc));
}

static int load_family(struct history *h, uint32_t id, struct history_family **ret_family)
{
	struct wanted wanted = { .dbi = h->families, .id = id };
	struct history_family *family = table_find(&h->family_table, id);
	int rc = 1;

	if (!family) {
		rc = history_look(h, copy_record, &wanted);
		if (rc <= 0)
			return rc;
		rc = dict_get_family(h->record.data, h->record.len, id, &family);
		if (rc < 0)
			return bad_record(h, rc);
		rc = table_add(&h->family_table, id, family);
		if (rc < 0) {
			free(family);
			return bad_record(h, rc);
		}
	}
	*ret_family = family;
	return 1;
}

/* Decode h->record as a series. 1, 0 if its family was forgotten meanwhile, -errno. */
static int decode_series(struct history *h, uint32_t id, struct history_series **ret_series)
{
	struct copy record = h->record;
	struct history_family *family = NULL;
	struct history_series *series = NULL;
	uint32_t family_id = 0;
	int rc = id ? dict_series_family(record.data, record.len, &family_id) : -EBADMSG;

	if (rc < 0)
		return bad_record(h, rc);
	/* The family's record must not overwrite this one. */
	h->record = (struct copy){ .data = NULL };
	rc = load_family(h, family_id, &family);
	free(h->record.data);
	h->record = record;
	if (rc <= 0)
		return rc;
	rc = dict_get_series(record.data, record.len, id, family, &series);
	if (rc == 0)
		rc = table_add(&h->series_table, id, series);
	if (rc < 0) {
		free(series);
		return bad_record(h, rc);
	}
	*ret_series = series;
	return 1;
}

/* The series of an id, or with or_next the one after it. 1, 0 without, -errno. */
static int find_series(struct history *h, uint32_t id, int or_next,
	struct history_series **ret_series)
{
	struct wanted wanted = { .dbi = h->series, .id = id, .or_next = or_next };
	struct history_series *series = table_find(&h->series_table, id);
	int rc;

	if (!series) {
		rc = history_look(h, copy_record, &wanted);
		if (rc <= 0)
			return rc;
		id = bytes_from_key_u32(h->record.key);
		series = table_find(&h->series_table, id);
	}
	if (!series)
		return decode_series(h, id, ret_series);
	*ret_series = series;
	return 1;
}

int history_each_series(struct history *h, int (*fn)(void *ctx, const struct history_series *s),
	void *ctx)
{
	struct history_series *series;
	uint32_t id = 1;
	int rc;

	while (id) {
		rc = find_series(h, id, 1, &series);
		if (rc <= 0)
			return rc;
		rc = fn(ctx, series);
		if (rc)
			return rc;
		id = series->id + 1;
	}
	return 0;
}

/* ---- rows ----------------------------------------------------------------------------------- */

void history_seek(struct history *h, uint64_t from_ms, uint64_t to_ms)
{
	h->from_ms = from_ms;
	h->to_ms = to_ms;
	h->next = (struct row_key){ .at_ms = from_ms };
	h->at_end = 0;
	h->in_row = 0;
}

void history_want(struct history *h, const uint8_t *ids, uint32_t limit)
{
	while (limit && !(ids[(limit - 1) / 8] >> (limit - 1) % 8 & 1))
		limit--;
	h->want = ids;
	h->want_limit = limit;
}

static int is_wanted(const struct history *h, uint32_t id)
{
	return !h->want || (id < h->want_limit && h->want[id / 8] >> id % 8 & 1);
}

/* With h->cursor: the first row from *at on whose time is in the range. 1, 0 without, -errno. An epoch's rows
 * ascend in time, so that a step leads to the range or to the next epoch. */
static int find_row(struct history *h, struct row_key *at, MDB_val *ret_key, MDB_val *ret_data)
{
	uint8_t buf[ROW_KEY_BYTES];
	struct row_key found;
	MDB_val key;
	int rc;

	for (;;) {
		row_put_key(buf, at);
		key = (MDB_val){ sizeof(buf), buf };
		rc = mdb_cursor_get(h->cursor, &key, ret_data, MDB_SET_RANGE);
		if (rc)
			return rc == MDB_NOTFOUND ? 0 : guard_errno(rc);
		rc = history_row_key(h, &key, &found);
		/* Never back: what is damaged, or void, shall not hold us for ever. */
		if (rc < 0 || memcmp(key.mv_data, buf, sizeof(buf)) < 0)
			return -EBADMSG;
		if (found.at_ms > h->to_ms) {
			if (found.epoch == UINT32_MAX)
				return 0;
			*at = (struct row_key){ .epoch = found.epoch + 1, .at_ms = h->from_ms };
		} else if (found.at_ms < h->from_ms) {
			*at = (struct row_key){ .epoch = found.epoch, .at_ms = h->from_ms };
		} else {
			*at = found;
			*ret_key = key;
			return 1;
		}
	}
}

static int copy_row(struct history *h, void *arg)
{
	struct row_key at = h->next;
	MDB_val key, data;
	int rc = history_cursor(h, h->rows);

	if (rc < 0)
		return rc;
	rc = find_row(h, &at, &key, &data);
	if (rc <= 0)
		return rc;
	rc = history_take(h, &h->row, &key, &data);
	*(struct row_key *)arg = at;
	return rc < 0 ? rc : 1;
}

struct last {
	uint64_t at_ms;
	struct row_key found;
};

/* From the newest epoch back: the last row of it that is not after at_ms. */
static int find_last(struct history *h, void *arg)
{
	struct last *last = arg;
	struct row_key at = { .epoch = UINT32_MAX, .at_ms = UINT64_MAX, .tick = UINT64_MAX };
	uint8_t buf[ROW_KEY_BYTES];
	MDB_val key, data;
	int rc = history_cursor(h, h->rows);

	if (rc < 0)
		return rc;
	do {
		row_put_key(buf, &at);
		key = (MDB_val){ sizeof(buf), buf };
		rc = mdb_cursor_get(h->cursor, &key, &data, MDB_SET_RANGE);
		rc = mdb_cursor_get(h->cursor, &key, &data, rc ? MDB_LAST : MDB_PREV);
		if (rc)
			return rc == MDB_NOTFOUND ? 0 : guard_errno(rc);
		rc = history_row_key(h, &key, &last->found);
		if (rc < 0 || memcmp(key.mv_data, buf, sizeof(buf)) >= 0)
			return -EBADMSG;
		at = (struct row_key){ .epoch = last->found.epoch, .at_ms = last->at_ms,
			.tick = UINT64_MAX };
	} while (last->found.at_ms > last->at_ms);
	return 1;
}

int history_seek_last(struct history *h, uint64_t at_ms)
{
	struct last last = { .at_ms = at_ms };
	int rc = history_look(h, find_last, &last);

	if (rc <= 0)
		return rc;
	history_seek(h, last.found.at_ms, last.found.at_ms);
	h->next = last.found;
	return 1;
}

static int row_fails(struct history *h, int rc, uint64_t at_ms)
{
	time_t seconds = (time_t)(at_ms / 1000);
	char when[64] = "";
	struct tm tm;

	h->in_row = 0;
	if (gmtime_r(&seconds, &tm))
		strftime(when, sizeof(when), " (%Y-%m-%dT%H:%M:%SZ)", &tm);
	return history_fail(h, rc, "the row of %llu%s in %.300s is %s", (unsigned long long)at_ms, when,
		h->path, rc == -EPROTONOSUPPORT ? "of a later version" : "damaged");
}

int history_next_row(struct history *h, struct history_row *ret_row)
{
	struct history_row row;
	struct row_key key = { 0 };
	int rc;

	h->in_row = 0;
	if (h->at_end)
		return 0;
	rc = history_look(h, copy_row, &key);
	if (rc <= 0)
		return rc;
	h->at_ms = key.at_ms;
	h->next = key;
	h->at_end = ++h->next.tick == 0;
	rc = row_open(&h->reader, h->row.data, h->row.len, &row);
	if (rc == 0 && row.tick != key.tick)
		rc = -EBADMSG;
	if (rc < 0)
		return row_fails(h, rc, key.at_ms);
	row.at_ms = key.at_ms;
	h->in_row = 1;
	*ret_row = row;
	return 1;
}

int history_next_writer(struct history *h, struct history_writer *ret_writer)
{
	int rc = h->in_row ? row_next_writer(&h->reader, ret_writer) : 0;

	return rc < 0 ? row_fails(h, rc, h->at_ms) : rc;
}

int history_next_value(struct history *h, struct history_value *ret_value)
{
	struct history_value value;
	struct history_series *series;
	uint32_t id = 0;
	int rc;

	while (h->in_row) {
		rc = row_next(&h->reader, &id, &value);
		if (rc < 0)
			return row_fails(h, rc, h->at_ms);
		if (rc == 0 || (h->want && id >= h->want_limit)) {
			h->in_row = 0;
			break;
		}
		if (!is_wanted(h, id))
			continue;
		series = NULL;
		rc = find_series(h, id, 0, &series);
		if (rc < 0)
			return rc;
		if (!series)
			continue;	/* forgotten since the row was read: no error */
		/* An index beyond the family's bounds is not for this series. */
		if (value.nbuckets && value.buckets[value.nbuckets - 1].index >
			series->family->nunited)
			return row_fails(h, -EBADMSG, h->at_ms);
		value.series = series;
		value.id = id;
		*ret_value = value;
		return 1;
	}
	return 0;
}
