/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.c - declaring and resolving, in the process. See writer.h; the segment's side is catalog.c.
 *
 * Resolving is a look-up in the family's own table: hash the label values as they are given, compare
 * with the copies in the handle. No lock, no segment, no allocation. Only a miss goes further.
 * Where labels are normalised, the normal form is looked up.
 *
 * The common case, one or two short values of a series that is bound, has a way of its own that keeps
 * everything in registers (look_up_words()); any other goes through struct key.
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
#include "metric.h"
#include "slot.h"
#include "utf8.h"

struct handle_public sm_null_public;
struct handle sm_null_handle = { .pub = &sm_null_public };
struct sm_family sm_null_family = { .null = true };

static const struct sm_str other = { "__other__", 9 };

/* ---- the process' own table --------------------------------------------------------------- */

/* What is looked up. */
struct key {
	const struct sm_str *values;
	size_t n;
	uint64_t hash;				/* sm_series_hash() of family 0 */
	uint32_t lens;				/* as in a handle */
	uint64_t word[2 * KEY_LABELS];		/* unless lens is KEY_NONE: two for each value */
};

static void make_key(struct key *k, const struct sm_str *values, size_t n)
{
	/* cppcheck-suppress ctuuninitvar ; an address, nothing is read */
	uint64_t *word = k->word, hash = sm_series_seed(0);
	uint32_t lens = 0;
	size_t i;

	k->values = values;
	k->n = n;
	for (i = 0; i < n && i < KEY_LABELS && values[i].len <= SM_WORDS_MAX; i++, word += 2) {
		sm_words(values[i].ptr, values[i].len, &word[0], &word[1]);
		hash = sm_hash_words(hash, word[0], word[1], values[i].len);
		lens |= (uint32_t)values[i].len << 8 * i;
	}
	if (i < n)
		lens = KEY_NONE;
	for (; i < n; i++)
		/* What is too long is refused later, unread. */
		hash = sm_hash_bytes(hash, values[i].ptr,
				     values[i].len <= SM_LABEL_VALUE_MAX ? values[i].len : 0);
	k->hash = hash ? hash : 1;
	k->lens = lens;
}

static bool same_values(const struct handle *h, const struct key *k)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		if (h->values[i].len != k->values[i].len ||
		    memcmp(h->values[i].ptr, k->values[i].ptr, k->values[i].len) != 0)
			return false;
	return true;
}

static bool same_key(const struct handle *h, const struct key *k)
{
	if (k->lens != h->key_lens)
		return false;
	return k->lens == KEY_NONE ? same_values(h, k) :
				     memcmp(h->key, k->word, 2 * k->n * sizeof(k->word[0])) == 0;
}

static struct handle *look_up(const struct sm_family *f, const struct key *k)
{
	const struct handle_table *t = load_acquire(&f->table);
	struct handle_public *pub;
	struct handle *h;
	uint64_t at;

	if (!t)
		return NULL;
	for (at = k->hash & t->mask;; at = (at + 1) & t->mask) {
		pub = load_acquire(&t->entry[at].pub);
		if (!pub)
			return NULL;
		h = t->entry[at].handle;
		if (t->entry[at].hash == k->hash && same_key(h, k))
			return h;
	}
}

/*
 * look_up_words - find the handle of n values, 1 to 3, if they are short and it is bound; else
 * NULL, which is no answer. Reads its public part only, which the update needs anyway. n is constant where this is inlined. Single variables instead of arrays
 * and loops: gcc would have the words in memory, to compare them 16 bytes at a time (4 ns more).
 */
static inline __attribute__((always_inline)) struct handle_public *
look_up_words(const struct sm_family *f, const struct sm_str *values, size_t n)
{
	const struct handle_table *t = load_acquire(&f->table);
	size_t len0 = values[0].len, len1 = n > 1 ? values[1].len : 0;
	size_t len2 = n > 2 ? values[2].len : 0;
	uint64_t a0, b0, a1 = 0, b1 = 0, a2 = 0, b2 = 0, differ, hash, at;
	struct handle_public *pub;

	if (!t || len0 > SM_WORDS_MAX || len1 > SM_WORDS_MAX || len2 > SM_WORDS_MAX)
		return NULL;
	sm_words(values[0].ptr, len0, &a0, &b0);
	hash = sm_hash_words(sm_series_seed(0), a0, b0, len0);
	if (n > 1) {
		sm_words(values[1].ptr, len1, &a1, &b1);
		hash = sm_hash_words(hash, a1, b1, len1);
	}
	if (n > 2) {
		sm_words(values[2].ptr, len2, &a2, &b2);
		hash = sm_hash_words(hash, a2, b2, len2);
	}
	for (at = hash & t->mask;; at = (at + 1) & t->mask) {
		pub = load_acquire(&t->entry[at].pub);
		if (!pub)
			return NULL;
		if (t->entry[at].hash == hash)
			break;
	}
	/* Acquire: a child writes the words anew, before the lengths. */
	differ = load_acquire(&pub->lens) ^ (PUBLIC_BOUND | len0 | len1 << 8 | len2 << 16);
	differ |= (pub->word[0] ^ a0) | (pub->word[1] ^ b0);
	if (n > 1)
		differ |= (pub->word[2] ^ a1) | (pub->word[3] ^ b1);
	if (n > 2)
		differ |= pub->word[4] ^ a2;
	if (n > 2 && len2 > sizeof(a2))		/* no room for its other word */
		differ |= handle_of(pub)->key[PUBLIC_WORDS] ^ b2;
	return differ ? NULL : pub;
}

static void table_put(struct handle_table *t, struct handle *h)
{
	uint64_t at = h->hash & t->mask;

	while (t->entry[at].pub)
		at = (at + 1) & t->mask;
	t->entry[at].hash = h->hash;
	t->entry[at].handle = h;
	store_release(&t->entry[at].pub, h->pub);	/* pairs with look_up(): the hash is there */
	t->used++;
}

static int table_room(struct sm_family *f)
{
	struct handle_table *t = f->table, *bigger;
	uint64_t size = t ? 4 * (t->mask + 1) : 16, i;

	if (t && 4 * (t->used + 1) <= t->mask + 1)
		return 0;
	bigger = calloc(1, sizeof(*bigger) + size * sizeof(bigger->entry[0]));
	if (!bigger)
		return -ENOMEM;
	bigger->mask = size - 1;
	bigger->older = t;
	for (i = 0; t && i <= t->mask; i++)
		if (t->entry[i].pub)
			table_put(bigger, t->entry[i].handle);
	store_release(&f->table, bigger);
	return 0;
}

/* ---- making a handle ---------------------------------------------------------------------- */

static struct handle *new_handle(struct sm_family *f, const struct key *k)
{
	const struct sm_str *values = k->values;
	size_t n = k->n, bytes = sizeof(struct handle) + n * sizeof(struct sm_str), i;
	struct handle *h;
	char *text;

	for (i = 0; i < n; i++)
		bytes += values[i].len + 1;
	h = aligned_alloc(64, (bytes + 63) / 64 * 64);
	if (!h)
		return NULL;
	memset(h, 0, bytes);
	h->pub = handle_public_new(h);
	if (!h->pub) {
		free(h);
		return NULL;
	}
	h->family = f;
	h->hash = k->hash;
	h->key_lens = k->lens;
	if (k->lens != KEY_NONE)
		memcpy(h->key, k->word, 2 * n * sizeof(k->word[0]));
	h->nvalues = (unsigned)n;
	text = (char *)&h->values[n];
	for (i = 0; i < n; i++) {
		memcpy(text, values[i].ptr, values[i].len);
		h->values[i].ptr = text;
		h->values[i].len = values[i].len;
		text[values[i].len] = '\0';
		text += values[i].len + 1;
	}
	return h;
}

static void list_handle(struct sm *m, struct handle *h)
{
	h->next = m->handles;
	store_release(&m->handles, h);	/* a forked child walks the list */
}

struct handle *family_overflow(struct sm_family *f)
{
	struct sm_str values[SM_MAX_LABELS];
	struct key k;
	unsigned i;

	writer_refuse(f->m, SM_REFUSED_CAP);
	if (!f->overflow) {
		for (i = 0; i < f->def.nlabels; i++)
			values[i] = other;
		make_key(&k, values, f->def.nlabels);
		f->overflow = new_handle(f, &k);
		if (!f->overflow)
			return &sm_null_handle;
		if (bind_handle(f->overflow) != 0)
			f->m->pending = true;
		list_handle(f->m, f->overflow);
	}
	return f->overflow;
}

/* A new handle, or one to bind again. Process mutex held. */
static struct handle *make(struct sm_family *f, struct handle *h, const struct key *k)
{
	struct sm *m = f->m;
	bool fresh = !h;
	int rc;

	if (m->null)
		return h ? h : &sm_null_handle;
	if (fresh && (f->handles >= f->def.cap || table_room(f) != 0))
		return family_overflow(f);
	if (fresh)
		h = new_handle(f, k);
	if (!h)
		return &sm_null_handle;
	rc = writer_bind(m);
	if (!rc)
		rc = fresh ? bind_handle(h) : bind_or_overflow(h);
	if (rc == -EDQUOT && fresh) {
		handle_public_free(h->pub);
		free(h);
		return family_overflow(f);
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
static __attribute__((noinline)) struct handle *
resolve_slowly(struct sm_family *f, const struct key *k)
{
	struct handle *h = look_up(f, k);

	if (h && (handle_bound(h) ||
		  (load_relaxed(&h->retry_ns) > clock_ns(CLOCK_MONOTONIC_COARSE) && !load_relaxed(&h->removed))))
		return h;
	if (!h && !values_ok(k->values, k->n)) {
		writer_refuse(f->m, SM_REFUSED_LABEL_VALUE);
		return &sm_null_handle;
	}
	if (process_lock() != 0)
		return h ? h : &sm_null_handle;
	h = look_up(f, k);
	if (!h || !h->incarnation)
		h = make(f, h, k);
	/* What cannot be bound is not tried again at each use, but once a second. */
	if (h != &sm_null_handle && !h->incarnation)
		store_relaxed(&h->retry_ns, clock_ns(CLOCK_MONOTONIC_COARSE) + 1000000000u);
	process_unlock();
	return h;
}

static __attribute__((noinline)) struct handle *
resolve_key(struct sm_family *f, const struct sm_str *values, size_t n)
{
	struct handle *h;
	struct key k;

	make_key(&k, values, n);
	h = look_up(f, &k);
	return h && handle_bound(h) ? h : resolve_slowly(f, &k);
}

static __attribute__((noinline)) struct handle *
resolve_normal(struct sm_family *f, const struct sm_str *values, size_t n, bool make_it)
{
	struct sm_str normal[SM_MAX_LABELS];
	char text[SM_MAX_LABELS][SM_LABEL_VALUE_MAX];
	struct key k;
	size_t i;

	for (i = 0; i < n; i++) {
		normal[i] = values[i];
		if ((f->def.normalise >> i & 1) && values[i].len <= SM_LABEL_VALUE_MAX) {
			normal[i].ptr = text[i];
			normal[i].len = normalise(values[i], text[i], sizeof(text[i]));
		}
	}
	if (make_it)
		return resolve_key(f, normal, n);
	make_key(&k, normal, n);
	return look_up(f, &k);
}

/* What family_resolve() does not do itself. */
static __attribute__((noinline)) struct handle_public *
resolve_otherwise(struct sm_family *f, enum sm_kind kind, const struct sm_str *values, size_t n)
{
	struct handle_public *pub;

	if (f->null)
		return &sm_null_public;
	if (f->def.kind != kind || n != f->def.nlabels) {
		writer_refuse(f->m, SM_REFUSED_INVALID);
		return &sm_null_public;
	}
	if (f->def.normalise)
		return resolve_normal(f, values, n, true)->pub;
	pub = n == 3 ? look_up_words(f, values, 3) : NULL;
	return pub ? pub : resolve_key(f, values, n)->pub;
}

struct handle_public *family_resolve(struct sm_family *f, enum sm_kind kind,
				    const struct sm_str *values, size_t n)
{
	struct handle_public *pub = NULL;

	if (f->direct == FAMILY_DIRECT(kind, n)) {
		if (n == 2)
			pub = look_up_words(f, values, 2);
		else if (n == 1)
			pub = look_up_words(f, values, 1);
	}
	return pub ? pub : resolve_otherwise(f, kind, values, n);
}

struct handle *family_find(struct sm_family *f, const struct sm_str *values, size_t n)
{
	struct key k;

	if (f->null || n != f->def.nlabels)
		return NULL;
	if (f->def.normalise)
		return resolve_normal(f, values, n, false);
	make_key(&k, values, n);
	return look_up(f, &k);
}

/* A cast instead of the member's address makes a jump of the call. */
struct sm_counter *sm_counter(struct sm_family *f, const struct sm_str *values, size_t n)
{
	return (struct sm_counter *)family_resolve(f, SM_COUNTER, values, n);
}

struct sm_gauge *sm_gauge(struct sm_family *f, const struct sm_str *values, size_t n)
{
	return (struct sm_gauge *)family_resolve(f, SM_GAUGE, values, n);
}

struct sm_updown *sm_updown(struct sm_family *f, const struct sm_str *values, size_t n)
{
	return (struct sm_updown *)family_resolve(f, SM_UPDOWN, values, n);
}

struct sm_histogram *sm_histogram(struct sm_family *f, const struct sm_str *values, size_t n)
{
	return (struct sm_histogram *)family_resolve(f, SM_HISTOGRAM, values, n);
}

/* ---- declaring ---------------------------------------------------------------------------- */

static bool is_listed(const char list[GLOBS_BYTES], const char *name)
{
	char globs[GLOBS_BYTES], *save = NULL, *g;

	memcpy(globs, list, sizeof(globs));
	for (g = strtok_r(globs, ",", &save); g; g = strtok_r(NULL, ",", &save))
		if (fnmatch(g, name, 0) == 0)
			return true;
	return false;
}

/* The first label that families may not have, or NULL. */
static const char *forbidden_label(const struct sm *m, const struct family_def *def)
{
	unsigned i;

	for (i = 0; m->allowed_labels[0] && i < def->nlabels; i++)
		if (!is_listed(m->allowed_labels, def->labels[i]))
			return def->labels[i];
	return NULL;
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
		f->direct = f->def.normalise ? 0 : FAMILY_DIRECT(f->def.kind, f->def.nlabels);
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

static void refuse_declaration(struct sm *m)
{
	if (!m->null && process_lock() == 0) {
		writer_refuse(m, SM_REFUSED_INVALID);
		process_unlock();
	}
}

struct sm_family *sm_declare(struct sm *m, const struct sm_family_options *opts, struct sm_diag *diag)
{
	struct family_def def;
	const char *label;
	struct sm_family *f;
	int rc;

	sm_diag_set(diag, 0, "%s", "");
	rc = def_from_options(opts, &def, diag);
	if (rc) {
		refuse_declaration(m);
		return &sm_null_family;
	}
	if (m->null) {
		if (m->error)
			sm_diag_set(diag, m->error, "%s", m->message);
		return &sm_null_family;
	}
	if (is_listed(m->disabled, def.name))
		return &sm_null_family;
	label = forbidden_label(m, &def);
	if (label) {
		sm_diag_set(diag, -EPERM, "%.80s: label \"%.60s\" is not allowed by SHARDMETER_ALLOWED_LABELS, which is %.200s",
			    def.name, label, m->allowed_labels);
		refuse_declaration(m);
		return &sm_null_family;
	}
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
