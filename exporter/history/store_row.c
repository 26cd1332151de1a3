/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_row.c - from a view to a row: collect values, give series ids, encode.
 *
 * A series is known by the bytes of its dictionary record. The usual tick finds nothing new: the
 * catalog's generation is that of the tick before, and the entries remembered in s->plain are
 * taken by position. Values of single writers come and go without the catalog changing, and are
 * looked up each time.
 */
#include "exporter/history/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/history/dict.h"

/* New series in one transaction: more wait for the next tick. It bounds the pages a transaction
 * holds, far below the number at which LMDB begins to spill. */
#define NEW_SERIES_MAX 50000u

struct collect {
	struct store *s;
	MDB_txn *txn;
	const struct view *v;
	const struct view_family *family;
	const struct view_series *series;
	uint32_t family_entry;
	unsigned new_left;
	uint64_t deferred;
};

/* ---- dictionary ----------------------------------------------------------------------------- */

static MDB_val id_key(uint8_t buf[4], uint32_t id)
{
	bytes_key_u32(buf, id);
	return (MDB_val){ .mv_size = 4, .mv_data = buf };
}

/* Find the record in s->record in a tree of the dictionary. 1 found, 0 not, -errno. */
static int find_record(struct store *s, MDB_txn *txn, MDB_dbi dbi, struct ids *ids, uint64_t hash,
	uint32_t *ret_entry)
{
	uint8_t buf[4];
	MDB_val key, data;
	uint32_t at;
	int rc;

	for (at = ids_first(ids, hash); at != IDS_NONE; at = ids_next(ids, at)) {
		key = id_key(buf, ids->entries[at].id);
		rc = mdb_get(txn, dbi, &key, &data);
		if (rc)
			return rc == MDB_NOTFOUND ? -EBADMSG : guard_errno(rc);
		if (data.mv_size == s->record.len &&
		    memcmp(data.mv_data, s->record.data, data.mv_size) == 0) {
			*ret_entry = at;
			return 1;
		}
	}
	return 0;
}

/* Put s->record into a tree of the dictionary under a new id. */
static int add_record(struct store *s, MDB_txn *txn, MDB_dbi dbi, struct ids *ids, uint64_t hash,
	uint32_t *next_id, uint32_t *ret_entry)
{
	uint8_t buf[4];
	MDB_val key = id_key(buf, *next_id), data = { s->record.len, s->record.data };
	uint32_t at;
	int rc;

	if (*next_id == UINT32_MAX)
		return -EOVERFLOW;
	rc = mdb_put(txn, dbi, &key, &data, MDB_APPEND);
	if (rc)
		return guard_errno(rc);
	at = ids_add(ids, hash, *next_id);
	if (at == IDS_NONE)
		return -ENOMEM;
	++*next_id;
	*ret_entry = at;
	return 0;
}

static int resolve_family(struct collect *c)
{
	struct store *s = c->s;
	uint64_t hash;
	int rc;

	if (c->family_entry != IDS_NONE)
		return 0;
	bytes_clear(&s->record);
	dict_put_family(&s->record, c->family->info);
	if (s->record.failed)
		return -ENOMEM;
	hash = ids_hash(s->seed, s->record.data, s->record.len);
	rc = find_record(s, c->txn, s->families, &s->family_ids, hash, &c->family_entry);
	if (rc == 0)
		rc = add_record(s, c->txn, s->families, &s->family_ids, hash, &s->next_family,
			&c->family_entry);
	return rc < 0 ? rc : 0;
}

/* The entry of the current series, or of one writer's value of it; IDS_NONE when there are too many
 * new ones for this tick. */
static int resolve_series(struct collect *c, const char *writer, uint32_t *ret_entry)
{
	struct store *s = c->s;
	uint64_t hash;
	uint32_t at = IDS_NONE;
	int rc = resolve_family(c);

	if (rc < 0)
		return rc;
	bytes_clear(&s->record);
	dict_put_series(&s->record, s->family_ids.entries[c->family_entry].id,
		c->series->info->values, c->family->info->nlabels, writer,
		view_created_real_ns(c->series));
	if (s->record.failed)
		return -ENOMEM;
	hash = ids_hash(s->seed, s->record.data, s->record.len);
	rc = find_record(s, c->txn, s->series, &s->series_ids, hash, ret_entry);
	if (rc)
		return rc < 0 ? rc : 0;
	if (!c->new_left) {
		c->deferred++;
		*ret_entry = IDS_NONE;
		return 0;
	}
	c->new_left--;
	rc = add_record(s, c->txn, s->series, &s->series_ids, hash, &s->next_series, &at);
	if (rc < 0)
		return rc;
	s->series_ids.entries[at].family = c->family_entry;
	s->family_ids.entries[c->family_entry].refs++;
	*ret_entry = at;
	return 0;
}

/* ---- collecting ----------------------------------------------------------------------------- */

static int grow(void **array, size_t *cap, size_t n, size_t size)
{
	size_t more = *cap ? *cap * 2 : 1024;
	void *grown;

	if (n < *cap)
		return 0;
	grown = realloc(*array, more * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*cap = more;
	return 0;
}

static int add_item(struct collect *c, uint32_t entry, const struct sm_value *value)
{
	struct store *s = c->s;
	struct store_item *item;
	void *items = s->items;
	int rc;

	if (entry == IDS_NONE)
		return 0;
	rc = grow(&items, &s->items_cap, s->nitems, sizeof(*s->items));
	s->items = items;
	if (rc < 0)
		return rc;
	item = &s->items[s->nitems++];
	*item = (struct store_item){ .id = s->series_ids.entries[entry].id, .entry = entry,
		.family = c->family };
	if (value)
		item->value = *value;
	else
		item->histogram = c->series;
	return 0;
}

/* The remembered entry of the plain series at this position; IDS_NONE: not looked up yet. */
static int plain_slot(struct store *s, uint32_t **ret_slot)
{
	void *plain = s->plain;
	int rc = grow(&plain, &s->plain_cap, s->nplain, sizeof(*s->plain));

	s->plain = plain;
	if (rc < 0)
		return rc;
	*ret_slot = &s->plain[s->nplain++];
	if (!s->plain_valid)
		**ret_slot = IDS_NONE;
	return 0;
}

static int add_writer_value(void *ctx, const struct sm_writer *writer, const struct sm_value *value)
{
	struct collect *c = ctx;
	uint32_t entry;
	int rc = resolve_series(c, writer->name, &entry);

	return rc < 0 ? rc : add_item(c, entry, value);
}

static int collect_series(struct collect *c)
{
	int histogram = c->family->info->kind == SM_HISTOGRAM;
	struct sm_value value;
	uint32_t *slot;
	int rc;

	if (view_is_per_writer(c->family))
		return view_each_writer(c->v, c->family, c->series, add_writer_value, c);
	rc = plain_slot(c->s, &slot);
	if (rc < 0)
		return rc;
	if (!histogram) {
		rc = view_number(c->v, c->family, c->series, &value);
		if (rc < 0 || !value.is_set)
			return rc;
	}
	if (*slot == IDS_NONE)
		rc = resolve_series(c, "", slot);
	return rc < 0 ? rc : add_item(c, *slot, histogram ? NULL : &value);
}

/* Are the series of this view those of the last one, at the same positions? */
static void check_plain(struct store *s, const struct view *v)
{
	const struct sm_snapshot *newest = v->part[0];

	s->plain_valid = s->plain_valid && v->nparts == 1 &&
		newest->catalog_generation == s->plain_generation &&
		memcmp(newest->segment->segment_id, s->plain_segment, 16) == 0;
	s->plain_generation = newest->catalog_generation;
	memcpy(s->plain_segment, newest->segment->segment_id, 16);
	s->nplain = 0;
}

static int collect(struct store *s, MDB_txn *txn, const struct view *v)
{
	struct collect c = { .s = s, .txn = txn, .v = v, .new_left = NEW_SERIES_MAX };
	size_t f, i;
	int rc = 0;

	s->nitems = 0;
	check_plain(s, v);
	for (f = 0; f < v->nfamilies && rc == 0; f++) {
		c.family = &v->families[f];
		c.family_entry = IDS_NONE;
		if (c.family->info->nunited >= ROW_BUCKETS_MAX)
			continue;
		for (i = 0; i < c.family->nseries && rc == 0; i++) {
			c.series = &c.family->series[i];
			rc = collect_series(&c);
		}
	}
	s->plain_valid = rc == 0 && v->nparts == 1;
	s->stats.deferred_series = c.deferred;
	return rc;
}

/* ---- the row -------------------------------------------------------------------------------- */

static int compare_items(const void *a, const void *b)
{
	const struct store_item *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void sort_items(struct store *s)
{
	size_t i;

	for (i = 1; i < s->nitems; i++) {
		if (s->items[i].id < s->items[i - 1].id) {
			qsort(s->items, s->nitems, sizeof(*s->items), compare_items);
			return;
		}
	}
}

static int encode(struct store *s, const struct view *v, uint64_t tick)
{
	const struct store_item *item;
	struct sm_sum sum;
	size_t i;
	int rc;

	for (i = 0; i < s->nitems; i++) {
		item = &s->items[i];
		/* A damaged segment may show one series twice. */
		if (i && item->id == s->items[i - 1].id)
			continue;
		if (item->histogram) {
			rc = view_buckets(v, item->family, item->histogram, s->counts, &sum);
			if (rc < 0)
				return rc;
			row_add_histogram(&s->writer, item->id, s->counts,
				item->family->info->nunited + 1, &sum);
		} else {
			row_add_number(&s->writer, item->id, &item->value);
		}
		s->series_ids.entries[item->entry].seen = tick;
	}
	return row_finish(&s->writer, s->next_series);
}

static MDB_val gone_key(uint8_t buf[12], uint64_t tick, uint32_t id)
{
	bytes_key_u64(buf, tick);
	bytes_key_u32(buf + 8, id);
	return (MDB_val){ .mv_size = 12, .mv_data = buf };
}

/* Record the series that were in the row before and are not in this one; take back the record of
 * those that came back. */
static int mark_gone(struct store *s, MDB_txn *txn, uint64_t tick)
{
	struct ids_entry *e;
	uint8_t buf[12];
	MDB_val key, nothing = { 0 };
	uint32_t i;
	int rc;

	for (i = 0; i < s->series_ids.n; i++) {
		e = &s->series_ids.entries[i];
		if (!e->id)
			continue;
		if (e->seen == tick && e->gone) {
			key = gone_key(buf, e->gone, e->id);
			rc = mdb_del(txn, s->gone, &key, NULL);
			e->gone = 0;
		} else if (e->seen != tick && !e->gone) {
			key = gone_key(buf, e->seen, e->id);
			rc = mdb_put(txn, s->gone, &key, &nothing, 0);
			e->gone = e->seen;
		} else {
			continue;
		}
		if (rc && rc != MDB_NOTFOUND)
			return guard_errno(rc);
	}
	return 0;
}

/* Of all files; 0 for add only counts. */
static uint32_t live_writers(struct store *s, const struct view *v, int add)
{
	const struct sm_writer *w;
	uint32_t n = 0;
	size_t p, i;

	for (p = 0; p < v->nparts; p++) {
		for (i = 0; i < v->part[p]->nwriters; i++) {
			w = &v->part[p]->writers[i];
			if (w->state != SM_WRITER_LIVE)
				continue;
			n++;
			if (add)
				row_add_writer(&s->writer, &(struct history_writer){
					.name = w->name, .incarnation = w->incarnation,
					.start_real_ns = w->start_real_ns });
		}
	}
	return n;
}

int store_build_row(struct store *s, MDB_txn *txn, const struct view *v,
	const struct history_row *head)
{
	const struct sm_snapshot *newest = v->part[0];
	struct history_row full = *head;
	size_t p;
	int rc;

	full.taken_real_ns = newest->taken_real_ns;
	full.taken_boot_ns = newest->taken_boot_ns;
	full.catalog_generation = newest->catalog_generation;
	full.live_writers = live_writers(s, v, 0);
	full.files = (unsigned)v->nparts;
	for (p = 0; p < v->nparts; p++)
		full.flags |= v->part[p]->stale ? HISTORY_STALE : 0;
	full.flags |= v->nparts > 1 ? HISTORY_MERGED : 0;
	memcpy(full.segment_id, newest->segment->segment_id, sizeof(full.segment_id));
	row_begin(&s->writer, &full);
	live_writers(s, v, 1);
	rc = collect(s, txn, v);
	if (rc < 0)
		return rc;
	sort_items(s);
	rc = encode(s, v, head->tick);
	return rc < 0 ? rc : mark_gone(s, txn, head->tick);
}

/* ---- loading and forgetting ----------------------------------------------------------------- */

/* Entries are in order of id right after loading. */
static uint32_t entry_by_id(const struct ids *ids, uint32_t id)
{
	uint32_t low = 0, high = ids->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (ids->entries[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ids->n && ids->entries[low].id == id ? low : IDS_NONE;
}

static int load_record(struct store *s, MDB_dbi dbi, const MDB_val *key, const MDB_val *data)
{
	struct ids *ids = dbi == s->families ? &s->family_ids : &s->series_ids;
	uint32_t id, family, at, parent = IDS_NONE;
	int rc;

	if (dbi == s->gone) {
		at = key->mv_size == 12 ?
			entry_by_id(ids, bytes_from_key_u32((const uint8_t *)key->mv_data + 8)) : IDS_NONE;
		if (at == IDS_NONE)
			return -EBADMSG;
		ids->entries[at].gone = bytes_from_key_u64(key->mv_data);
		ids->entries[at].seen = ids->entries[at].gone;
		return 0;
	}
	if (key->mv_size != 4)
		return -EBADMSG;
	id = bytes_from_key_u32(key->mv_data);
	if (!id || id >= (dbi == s->families ? s->next_family : s->next_series))
		return -EBADMSG;
	if (dbi == s->series) {
		rc = dict_series_family(data->mv_data, data->mv_size, &family);
		if (rc < 0)
			return rc;
		parent = entry_by_id(&s->family_ids, family);
		if (parent == IDS_NONE)
			return -EBADMSG;
		s->family_ids.entries[parent].refs++;
	}
	at = ids_add(ids, ids_hash(s->seed, data->mv_data, data->mv_size), id);
	if (at == IDS_NONE)
		return -ENOMEM;
	ids->entries[at].family = parent;
	ids->entries[at].seen = s->last.tick;
	return 0;
}

static int load_tree(struct store *s, MDB_txn *txn, MDB_dbi dbi)
{
	MDB_val key, data;
	int rc = store_cursor(s, txn, dbi), found;

	if (rc < 0)
		return rc;
	while (rc == 0) {
		found = mdb_cursor_get(s->cursor, &key, &data, MDB_NEXT);
		if (found == MDB_NOTFOUND)
			break;
		rc = found ? guard_errno(found) : load_record(s, dbi, &key, &data);
	}
	store_cursor_close(s);
	return rc;
}

int store_load(struct store *s, MDB_txn *txn)
{
	uint64_t next_family = 0, next_series = 0;
	int rc = store_get_number(s, txn, "next_family", &next_family);

	if (rc == 0)
		rc = store_get_number(s, txn, "next_series", &next_series);
	if (rc < 0)
		return rc;
	if (next_family > UINT32_MAX || next_series > UINT32_MAX)
		return -EBADMSG;
	s->next_family = next_family ? (uint32_t)next_family : 1;
	s->next_series = next_series ? (uint32_t)next_series : 1;
	store_unload(s);
	rc = load_tree(s, txn, s->families);
	if (rc == 0)
		rc = load_tree(s, txn, s->series);
	if (rc == 0)
		rc = load_tree(s, txn, s->gone);
	s->loaded = rc == 0;
	return rc;
}

void store_unload(struct store *s)
{
	ids_clear(&s->family_ids);
	ids_clear(&s->series_ids);
	s->loaded = 0;
	s->plain_valid = 0;
}

static int forget_series(struct store *s, MDB_txn *txn, uint32_t id)
{
	struct ids *ids = &s->series_ids;
	struct ids_entry *family;
	uint8_t buf[4];
	MDB_val key = id_key(buf, id), data;
	uint32_t at, parent;
	int rc = mdb_get(txn, s->series, &key, &data);

	if (rc)
		return rc == MDB_NOTFOUND ? -EBADMSG : guard_errno(rc);
	at = ids_first(ids, ids_hash(s->seed, data.mv_data, data.mv_size));
	while (at != IDS_NONE && ids->entries[at].id != id)
		at = ids_next(ids, at);
	if (at == IDS_NONE)
		return -EBADMSG;
	rc = mdb_del(txn, s->series, &key, NULL);
	if (rc)
		return guard_errno(rc);
	parent = ids->entries[at].family;
	ids_remove(ids, at);
	s->plain_valid = 0;
	family = &s->family_ids.entries[parent];
	if (--family->refs)
		return 0;
	key = id_key(buf, family->id);
	ids_remove(&s->family_ids, parent);
	return guard_errno(mdb_del(txn, s->families, &key, NULL));
}

int store_forget(struct store *s, MDB_txn *txn, uint64_t oldest, unsigned limit)
{
	MDB_val key, data;
	int rc = store_cursor(s, txn, s->gone), found;

	if (rc < 0)
		return rc;
	while (limit-- && rc == 0) {
		found = mdb_cursor_get(s->cursor, &key, &data, MDB_FIRST);
		if (found == MDB_NOTFOUND)
			break;
		rc = found ? guard_errno(found) : key.mv_size == 12 ? 0 : -EBADMSG;
		if (rc < 0)
			break;
		if (bytes_from_key_u64(key.mv_data) >= oldest)
			break;
		rc = forget_series(s, txn, bytes_from_key_u32((const uint8_t *)key.mv_data + 8));
		if (rc == 0)
			rc = guard_errno(mdb_cursor_del(s->cursor, 0));
	}
	store_cursor_close(s);
	return rc;
}
