/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.c - declaring and resolving, in the process. See writer.h; the segment's side is catalog.c.
 *
 * Resolving is a look-up in the family's own table: hash the label values as they are given, compare
 * with the copies in the handle. No lock, no segment, no allocation. Only a miss goes further.
 * Where labels are normalised, the normal form is looked up.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind.h"
#include "declare.h"
#include "diag.h"
#include "hash.h"
#include "lock.h"
#include "slot.h"
#include "utf8.h"

extern const struct sm_buckets_ sm_null_buckets;

struct handle sm_null_handle = { .pub.histogram = { 0, &sm_null_buckets } };
struct sm_family sm_null_family = { .null = true };

static const struct sm_str other = { "__other__", 9 };

/* ---- the process' own table --------------------------------------------------------------- */

static inline bool same_bytes(const char *a, const char *b, size_t n)
{
	if (n >= 8) {
		size_t i;

		for (i = 0; i + 8 < n; i += 8)
			if (sm_read64(a + i) != sm_read64(b + i))
				return false;
		return sm_read64(a + n - 8) == sm_read64(b + n - 8);
	}
	if (n >= 4)
		return sm_read32(a) == sm_read32(b) && sm_read32(a + n - 4) == sm_read32(b + n - 4);
	return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}

static inline bool same_short(const struct handle *h, const struct sm_str *values, size_t n)
{
	const uint8_t *key = h->short_key;
	size_t i;

	for (i = 0; i < n; key += *key + 1, i++)
		if (*key != values[i].len || !same_bytes((const char *)key + 1, values[i].ptr, *key))
			return false;
	return true;
}

static bool same_values(const struct handle *h, const struct sm_str *values, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (h->values[i].len != values[i].len ||
		    !same_bytes(h->values[i].ptr, values[i].ptr, values[i].len))
			return false;
	return true;
}

static void set_short_key(struct handle *h)
{
	size_t i, at = 0;

	for (i = 0; i < h->nvalues; at += h->values[i].len + 1, i++) {
		if (h->values[i].len + 1 > SHORT_KEY - at)
			return;
		h->short_key[at] = (uint8_t)h->values[i].len;
		memcpy(h->short_key + at + 1, h->values[i].ptr, h->values[i].len);
	}
	h->has_short_key = 1;
}

static inline struct handle *look_up(struct sm_family *f, uint64_t hash, const struct sm_str *values, size_t n)
{
	const struct handle_table *t = load_acquire(&f->table);
	struct handle *h;
	uint64_t at;

	if (!t)
		return NULL;
	for (at = hash & t->mask;; at = (at + 1) & t->mask) {
		h = load_acquire(&t->entry[at].handle);
		if (!h)
			return NULL;
		if (t->entry[at].hash != hash)
			continue;
		if (h->has_short_key ? same_short(h, values, n) : same_values(h, values, n))
			return h;
	}
}

static void table_put(struct handle_table *t, struct handle *h)
{
	uint64_t at = h->hash & t->mask;

	while (t->entry[at].handle)
		at = (at + 1) & t->mask;
	t->entry[at].hash = h->hash;
	store_release(&t->entry[at].handle, h);		/* pairs with look_up(): the hash is there */
	t->used++;
}

static int table_room(struct sm_family *f)
{
	struct handle_table *t = f->table, *bigger;
	uint64_t size = t ? 2 * (t->mask + 1) : 16, i;

	if (t && 4 * (t->used + 1) <= 3 * (t->mask + 1))
		return 0;
	bigger = calloc(1, sizeof(*bigger) + size * sizeof(bigger->entry[0]));
	if (!bigger)
		return -ENOMEM;
	bigger->mask = size - 1;
	bigger->older = t;
	for (i = 0; t && i <= t->mask; i++)
		if (t->entry[i].handle)
			table_put(bigger, t->entry[i].handle);
	store_release(&f->table, bigger);
	return 0;
}

/* ---- making a handle ---------------------------------------------------------------------- */

static struct handle *new_handle(struct sm_family *f, uint64_t hash, const struct sm_str *values, size_t n)
{
	size_t bytes = sizeof(struct handle) + n * sizeof(struct sm_str), i;
	struct handle *h;
	char *text;

	for (i = 0; i < n; i++)
		bytes += values[i].len + 1;
	h = aligned_alloc(64, (bytes + 63) / 64 * 64);
	if (!h)
		return NULL;
	memset(h, 0, bytes);
	h->family = f;
	h->hash = hash;
	h->nvalues = (unsigned)n;
	text = (char *)&h->values[n];
	for (i = 0; i < n; i++) {
		memcpy(text, values[i].ptr, values[i].len);
		h->values[i].ptr = text;
		h->values[i].len = values[i].len;
		text[values[i].len] = '\0';
		text += values[i].len + 1;
	}
	set_short_key(h);
	if (f->def.kind == SM_HISTOGRAM)
		h->pub.histogram.buckets = &f->buckets->pub;
	return h;
}

static void list_handle(struct sm *m, struct handle *h)
{
	h->next = m->handles;
	store_release(&m->handles, h);	/* a forked child walks the list */
}

static struct handle *overflow_handle(struct sm_family *f)
{
	struct sm_str values[SM_MAX_LABELS];
	unsigned i;

	writer_refuse(f->m, SM_REFUSED_CAP);
	if (!f->overflow) {
		for (i = 0; i < f->def.nlabels; i++)
			values[i] = other;
		f->overflow = new_handle(f, 0, values, f->def.nlabels);
		if (!f->overflow)
			return &sm_null_handle;
		if (bind_handle(f->overflow) != 0)
			f->m->pending = true;
		list_handle(f->m, f->overflow);
	}
	return f->overflow;
}

/* A new handle, or one to bind again. Process mutex held. */
static struct handle *make(struct sm_family *f, struct handle *h, uint64_t hash, const struct sm_str *values,
			   size_t n)
{
	struct sm *m = f->m;
	bool fresh = !h;
	int rc;

	if (m->null)
		return h ? h : &sm_null_handle;
	if (fresh && (f->handles >= f->def.cap || table_room(f) != 0))
		return overflow_handle(f);
	if (fresh)
		h = new_handle(f, hash, values, n);
	if (!h)
		return &sm_null_handle;
	rc = writer_bind(m);
	if (!rc)
		rc = bind_handle(h);
	if (rc == -EDQUOT && fresh) {
		free(h);
		return overflow_handle(f);
	}
	if (rc)
		m->pending = true;
	if (fresh) {
		table_put(f->table, h);
		f->handles++;
		list_handle(m, h);
	}
	return h;
}

static bool values_ok(const struct sm_str *values, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (values[i].len > SM_LABEL_VALUE_MAX || !sm_utf8_valid(values[i].ptr, values[i].len))
			return false;
	return true;
}

/* Not bound, or not there. */
static __attribute__((noinline)) struct handle *resolve_slowly(struct sm_family *f, uint64_t hash,
							       const struct sm_str *values, size_t n)
{
	struct handle *h = look_up(f, hash, values, n);

	if (h && (handle_bound(h) ||
		  (load_relaxed(&h->retry_ns) > clock_ns(CLOCK_MONOTONIC_COARSE) && !load_relaxed(&h->removed))))
		return h;
	if (!h && !values_ok(values, n)) {
		writer_refuse(f->m, SM_REFUSED_LABEL_VALUE);
		return &sm_null_handle;
	}
	if (process_lock() != 0)
		return h ? h : &sm_null_handle;
	h = look_up(f, hash, values, n);
	if (!h || !h->incarnation)
		h = make(f, h, hash, values, n);
	/* What cannot be bound is not tried again at each use, but once a second. */
	if (h != &sm_null_handle && !h->incarnation)
		store_relaxed(&h->retry_ns, clock_ns(CLOCK_MONOTONIC_COARSE) + 1000000000u);
	process_unlock();
	return h;
}

static __attribute__((noinline)) struct handle *resolve_normal(struct sm_family *f, const struct sm_str *values,
							       size_t n, bool make_it)
{
	struct sm_str normal[SM_MAX_LABELS];
	char text[SM_MAX_LABELS][SM_LABEL_VALUE_MAX];
	struct handle *h;
	uint64_t hash;
	size_t i;

	for (i = 0; i < n; i++) {
		normal[i] = values[i];
		if ((f->def.normalise >> i & 1) && values[i].len <= SM_LABEL_VALUE_MAX) {
			normal[i].ptr = text[i];
			normal[i].len = normalise(values[i], text[i], sizeof(text[i]));
		}
	}
	hash = sm_series_hash(0, normal, n);
	h = look_up(f, hash, normal, n);
	return (h && handle_bound(h)) || !make_it ? h : resolve_slowly(f, hash, normal, n);
}

struct handle *family_resolve(struct sm_family *f, enum sm_kind kind, const struct sm_str *values, size_t n)
{
	struct handle *h;
	uint64_t hash;

	if (f->null || f->def.kind != kind || n != f->def.nlabels) {
		if (!f->null)
			writer_refuse(f->m, SM_REFUSED_INVALID);
		return &sm_null_handle;
	}
	if (f->def.normalise)
		return resolve_normal(f, values, n, true);
	hash = sm_series_hash(0, values, n);
	h = look_up(f, hash, values, n);
	return h && handle_bound(h) ? h : resolve_slowly(f, hash, values, n);
}

struct handle *family_find(struct sm_family *f, const struct sm_str *values, size_t n)
{
	if (f->null || n != f->def.nlabels)
		return NULL;
	if (f->def.normalise)
		return resolve_normal(f, values, n, false);
	return look_up(f, sm_series_hash(0, values, n), values, n);
}

struct sm_counter *sm_counter(struct sm_family *f, const struct sm_str *values, size_t n)
{
	return &family_resolve(f, SM_COUNTER, values, n)->pub.counter;
}

struct sm_gauge *sm_gauge(struct sm_family *f, const struct sm_str *values, size_t n)
{
	return &family_resolve(f, SM_GAUGE, values, n)->pub.gauge;
}

struct sm_updown *sm_updown(struct sm_family *f, const struct sm_str *values, size_t n)
{
	return &family_resolve(f, SM_UPDOWN, values, n)->pub.updown;
}

struct sm_histogram *sm_histogram(struct sm_family *f, const struct sm_str *values, size_t n)
{
	return &family_resolve(f, SM_HISTOGRAM, values, n)->pub.histogram;
}

/* ---- declaring ---------------------------------------------------------------------------- */

static bool is_disabled(const struct sm *m, const char *name)
{
	char globs[sizeof(m->disabled)], *save = NULL, *g;

	memcpy(globs, m->disabled, sizeof(globs));
	for (g = strtok_r(globs, ",", &save); g; g = strtok_r(NULL, ",", &save))
		if (fnmatch(g, name, 0) == 0)
			return true;
	return false;
}

static struct sm_family *find_declared(struct sm *m, const struct family_def *def)
{
	struct sm_family *f;

	for (f = m->families; f; f = f->next)
		if (strcmp(f->def.name, def->name) == 0 && def_equal(&f->def, def))
			return f;
	return NULL;
}

static struct sm_family *declare_locked(struct sm *m, struct family_def *def, struct sm_diag *diag)
{
	struct sm_family *f = find_declared(m, def);
	bool fresh = !f;
	int rc;

	if (f && f->incarnation)
		return f;
	if (fresh) {
		f = calloc(1, sizeof(*f));
		if (!f || def_copy(def, &f->def) != 0 ||
		    (def->kind == SM_HISTOGRAM && buckets_new(def, &f->buckets) != 0)) {
			if (f)
				def_free(&f->def);
			free(f);
			sm_diag_set(diag, -ENOMEM, "out of memory");
			return &sm_null_family;
		}
		f->m = m;
	}
	rc = writer_bind(m);
	if (rc)
		sm_diag_set(diag, rc, "%s", m->message);
	else
		rc = bind_family(f, diag);
	/* A conflict is for good; anything else may pass, and then the family binds by itself. */
	if (fresh && rc == -EEXIST) {
		buckets_free(f->buckets);
		def_free(&f->def);
		free(f);
		return &sm_null_family;
	}
	if (rc)
		m->pending = true;
	if (fresh) {
		f->next = m->families;
		store_release(&m->families, f);
	}
	return f;
}

struct sm_family *sm_declare(struct sm *m, const struct sm_family_options *opts, struct sm_diag *diag)
{
	struct family_def def;
	struct sm_family *f;
	int rc;

	sm_diag_set(diag, 0, "%s", "");
	rc = def_from_options(opts, &def, diag);
	if (rc) {
		if (!m->null && process_lock() == 0) {
			writer_refuse(m, SM_REFUSED_INVALID);
			process_unlock();
		}
		return &sm_null_family;
	}
	if (m->null) {
		if (m->error)
			sm_diag_set(diag, m->error, "%s", m->message);
		return &sm_null_family;
	}
	if (is_disabled(m, def.name))
		return &sm_null_family;
	rc = process_lock();
	if (rc) {
		sm_diag_set(diag, rc, "another thread has been in the library for 5 s");
		return &sm_null_family;
	}
	f = declare_locked(m, &def, diag);
	process_unlock();
	return f;
}

/* ---- removing ----------------------------------------------------------------------------- */

static int remove_locked(struct sm_family *f, struct handle *h, const struct sm_str *values, size_t n,
			 unsigned flags)
{
	struct sm *m = f->m;
	uint32_t record;
	int rc = writer_bind(m), fd;

	if (rc)
		return rc;
	if (!f->incarnation)
		return -ENOENT;
	fd = writer_lock(m, m->region);
	if (fd < 0)
		return fd;
	record = series_find(m->region, f->record, sm_series_hash(f->record, values, n), values, n);
	if (record == NO_RECORD)
		rc = -ENOENT;
	else
		rc = series_remove(m->region, flags & SM_REMOVE_FORCE ? -1 : fd, record, m->slot);
	if (h && !rc) {
		unbind_handle(h);
		store_relaxed(&h->removed, true);
	}
	if (!rc)
		release_hold(m, h, record);
	catalog_unlock(m->region, fd);
	return rc;
}

int sm_remove(struct sm_family *f, const struct sm_str *values, size_t n, unsigned flags)
{
	struct handle *h;
	int rc;

	if (f->null || n != f->def.nlabels)
		return f->null ? -ENOENT : -EINVAL;
	h = family_find(f, values, n);
	rc = process_lock();
	if (rc)
		return rc;
	/* A handle has the normal form of its values. */
	rc = remove_locked(f, h, h ? h->values : values, n, flags);
	process_unlock();
	return rc;
}
