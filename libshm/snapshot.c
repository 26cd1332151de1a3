/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.c - reading everything once, so that no counter is seen twice, missed, or going back.
 *
 *	1  header: g = fold_commit, catalog_gen; the catalog again if that changed
 *	2  slots: state, incarnation, fold; life lock
 *	3  lanes: R[g & 1], and those of every slot that is not free, without 0 < fold <= g
 *	4  header and slots again: another g, incarnation, state or fold, or a removal: start over
 *
 * Why this is exact: a dead writer's counts are in its own lanes up to the commit of their fold
 * and in R[g & 1] from it on (fold.c), and step 4 proves that no commit fell into step 3. A lane
 * only grows, so it does not matter when in step 3 it was read. A lane, page or series that
 * appears after it was looked for holds counts that no earlier snapshot had, either.
 *
 * Writers are not stopped by any of this. If they keep folding, the last good snapshot is served
 * again, marked stale.
 *
 * Double cells. Folding adds a writer's doubles in another order than a reader did before, so
 * their sum may come out lower by a rounding. A counter must not fall: a drop of up to 10^-12 of
 * the value is held back (publish_doubles()).
 */
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "atomics.h"
#include "clean.h"
#include "diag.h"
#include "format.h"
#include "hash.h"
#include "lock.h"

#define TRIES		16
#define PAUSE_FIRST_NS	50000
#define PAUSE_LAST_NS	1000000
#define ROUNDING	1e-12

#define WRITER_NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/~-"
#define NAME_ROOM	  (SM_WRITER_NAME_MAX + 1 + 8) /* "#4095" for a name that is there twice */

/* The texts of one writer. */
struct writer_texts {
	char name[NAME_ROOM];
	char version[SM_VERSION_MAX + 1];
	char metadata[448 + 1];
	const char *pairs[2 * SM_METADATA_MAX];
};

/* A slot that takes part. */
struct used_slot {
	uint32_t slot;
	uint32_t writer;	/* 1 + index in the list, 0: not in it */
	bool counted;		/* its ADD zone belongs to the totals */
	bool alive;
};

struct attempt {
	struct take t;
	struct used_slot *used;
	uint32_t nused;
};

/* ---- lifetime ------------------------------------------------------------------------------ */

void sm_snap_data_unref(struct snap_data *d)
{
	size_t i;
	unsigned z;

	if (!d || __atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	for (i = 0; d->more && i < d->pub.nwriters; i++) {
		for (z = 0; z < SM_ZONES; z++)
			sm_column_release(&d->more[i].zone[z]);
		free(d->more[i].holds);
	}
	for (z = 0; z < SM_ZONES; z++)
		sm_column_release(&d->total[z]);
	free(d->more);
	free(d->exemplars);
	free(d->writers);
	free(d->texts);
	sm_catalog_unref(d->catalog);
	sm_facts_unref(d->facts);
	free(d);
}

void sm_snapshot_free(const struct sm_snapshot *s)
{
	if (!s)
		return;
	sm_snap_data_unref(((const struct snapshot *)s)->data);
	free((void *)(uintptr_t)s);
}

static int give_out(struct snap_data *d, unsigned retries, int stale,
		    const struct sm_snapshot **ret, struct sm_diag *diag)
{
	struct snapshot *s = malloc(sizeof(*s));

	if (!s)
		return sm_diag_set(diag, -ENOMEM, "no memory");
	s->pub = d->pub;
	s->pub.retries = retries;
	s->pub.stale = stale;
	s->data = d;
	add_relaxed(&d->refs, 1);
	*ret = &s->pub;
	return 0;
}

/* ---- slots --------------------------------------------------------------------------------- */

static const struct sm_slot *slot_copy(const struct sm_reader *r, uint32_t slot)
{
	return &r->slots[slot];
}

static bool ask_alive(struct take *t, uint32_t slot)
{
	int held = life_held(t->r->fd, slot);

	if (held < 0 && !t->r->lock_trouble_told) {
		/* Better a gauge too many than one that vanishes because a query failed. */
		t->r->lock_trouble_told = true;
		sm_diag_set(t->diag, held,
			    "%s: cannot ask for life locks: %s; all writers are shown as alive",
			    t->r->facts->path, strerror(-held));
	}
	return held != 0;
}

/*
 * Read the slots: of those that were free at the last look only when one was claimed since. A claim
 * marks its slot before it counts itself in the header, which was read before this: so a slot that
 * is not looked at here is free, or was claimed after the snapshot began.
 */
static int read_slots(struct take *t)
{
	struct sm_reader *r = t->r;
	uint32_t i;
	int rc = 0;

	if (!r->slots_read || r->slots_claims != t->h.claims) {
		r->slots_read = false;
		rc = sm_reader_pread(r, r->slots, (size_t)r->geo.nslots * sizeof(*r->slots),
				     r->geo.off_slots, t->diag);
		r->slots_read = rc == 0;
		r->slots_claims = t->h.claims;
		return rc;
	}
	for (i = 0; !rc && i < r->geo.nslots; i++)
		if (r->slots[i].state != SM_SLOT_FREE)
			rc = sm_reader_pread(r, &r->slots[i], sizeof(r->slots[i]),
					     r->geo.off_slots + (uint64_t)i * sizeof(r->slots[i]),
					     t->diag);
	return rc;
}

static int find_used(struct attempt *a)
{
	struct take *t = &a->t;
	struct sm_reader *r = t->r;
	uint64_t g = t->h.fold_commit;
	const struct sm_slot *s;
	struct used_slot *u;
	uint32_t i, writers = 0;
	int rc = read_slots(t);

	if (rc)
		return rc;
	a->used = calloc(r->geo.nslots, sizeof(*a->used));
	if (!a->used)
		return sm_diag_set(t->diag, -ENOMEM, "no memory");
	for (i = 0; i < r->geo.nslots; i++) {
		s = slot_copy(r, i);
		/* Slot 0 and only slot 0 is the common writer's. */
		if (s->state == SM_SLOT_FREE)
			continue;
		if (s->state > SM_SLOT_COMMON || (s->state == SM_SLOT_COMMON) != (i == 0)) {
			t->d->pub.damaged_records++;
			continue;
		}
		u = &a->used[a->nused++];
		u->slot = i;
		u->counted = !(s->fold && s->fold <= g);
		u->alive = s->state == SM_SLOT_LIVE && u->counted && ask_alive(t, i);
		if (u->counted && s->state != SM_SLOT_CLAIMING)
			u->writer = ++writers;
	}
	t->d->pub.nwriters = writers;
	return 0;
}

/* Did anything happen to these slots since? -EAGAIN if so. */
static int slots_again(struct attempt *a)
{
	struct sm_reader *r = a->t.r;
	const struct sm_slot *then;
	struct sm_slot now;
	uint32_t i;
	int rc;

	for (i = 0; i < a->nused; i++) {
		then = slot_copy(r, a->used[i].slot);
		rc = sm_reader_pread(r, &now, offsetof(struct sm_slot, pid),
				     r->geo.off_slots + (uint64_t)a->used[i].slot * sizeof(now),
				     a->t.diag);
		if (rc)
			return rc;
		if (now.incarnation != then->incarnation || now.fold != then->fold ||
		    now.state != then->state)
			return -EAGAIN;
	}
	return 0;
}

/* ---- writers ------------------------------------------------------------------------------- */

static size_t bounded(const char *text, size_t size)
{
	const char *nul = memchr(text, '\0', size);

	return nul ? (size_t)(nul - text) : size;
}

/* "key=value\0key=value\0" to pairs of pointers; what is malformed is left out. */
static size_t parse_metadata(const struct sm_slot *s, struct writer_texts *x)
{
	size_t len = s->metadata_len < sizeof(s->metadata) ? s->metadata_len : sizeof(s->metadata),
	       at, one, n = 0, to = 0;
	const char *equals;

	for (at = 0; at < len && n < SM_METADATA_MAX; at += one + 1) {
		one = bounded(s->metadata + at, len - at);
		equals = memchr(s->metadata + at, '=', one);
		if (!equals || equals == s->metadata + at)
			continue;
		/* The cleaned pair is never longer, and its '=' becomes the NUL of the key. */
		x->pairs[2 * n] = x->metadata + to;
		to += sm_clean_text(x->metadata + to, s->metadata + at,
				    (size_t)(equals - (s->metadata + at))) +
		      1;
		x->pairs[2 * n + 1] = x->metadata + to;
		to += sm_clean_text(x->metadata + to, equals + 1,
				    one - (size_t)(equals + 1 - (s->metadata + at))) +
		      1;
		n++;
	}
	return n;
}

static void clean_name(const struct sm_slot *s, char *ret_name)
{
	size_t len = bounded(s->name, SM_WRITER_NAME_MAX), i;

	for (i = 0; i < len; i++)
		ret_name[i] = strchr(WRITER_NAME_CHARS, s->name[i]) ? s->name[i] : '?';
	if (!len)
		ret_name[len++] = '?';
	ret_name[len] = '\0';
}

static void fill_writer(const struct sm_slot *s, const struct used_slot *u, struct writer_texts *x,
			struct sm_writer *w)
{
	unsigned i;

	clean_name(s, x->name);
	sm_clean_text(x->version, s->version, bounded(s->version, SM_VERSION_MAX));
	w->slot = u->slot;
	w->state = s->state == SM_SLOT_COMMON ? SM_WRITER_COMMON
		   : u->alive		      ? SM_WRITER_LIVE
					      : SM_WRITER_DEAD;
	w->name = x->name;
	w->version = x->version;
	w->metadata = x->pairs;
	w->nmetadata = parse_metadata(s, x);
	w->incarnation = s->incarnation;
	w->pid = s->pid;
	w->pidns = s->pidns;
	w->uid = s->uid;
	w->start_real_ns = s->start_real_ns;
	w->start_boot_ns = s->start_boot_ns;
	w->claimed_boot_ns = s->claimed_boot_ns;
	w->heartbeat_boot_ns = s->heartbeat_boot_ns;
	w->heartbeats = s->heartbeats;
	w->exited_boot_ns = s->exited_boot_ns;
	w->restarts = s->restarts;
	w->lanes_in_use = (uint64_t)__builtin_popcountll(s->lanes);
	w->shared_updates = s->shared_updates;
	for (i = 0; i < SM_REFUSED_COUNT; i++)
		w->refused[i] = s->refused[i];
	w->usage.at_boot_ns = s->usage.at_boot_ns;
	w->usage.cpu_user_ns = s->usage.cpu_user_ns;
	w->usage.cpu_system_ns = s->usage.cpu_system_ns;
	w->usage.resident_bytes = s->usage.resident_bytes;
	w->usage.virtual_bytes = s->usage.virtual_bytes;
	w->usage.threads = s->usage.threads;
	w->usage.open_fds = s->usage.open_fds;
	w->usage.max_fds = s->usage.max_fds;
}

/* Two writers of one name would be one series twice: the second gets "#slot". Names have no '#'. */
static int distinct_names(struct snap_data *d)
{
	struct writer_texts *x = d->texts;
	size_t size = 16, i, at, len;
	uint16_t *table;

	while (size < 2 * d->pub.nwriters)
		size *= 2;
	table = calloc(size, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (i = 0; i < d->pub.nwriters; i++) {
		len = strlen(x[i].name);
		at = sm_hash_bytes(0, x[i].name, len) & (size - 1);
		while (table[at] && strcmp(x[table[at] - 1].name, x[i].name) != 0)
			at = (at + 1) & (size - 1);
		if (!table[at]) {
			table[at] = (uint16_t)(i + 1);
			continue;
		}
		x[i].name[len] = '#';
		sm_format_u64(d->writers[i].slot, x[i].name + len + 1);
	}
	free(table);
	return 0;
}

/* Bits of series in the slot's hold map. The common writer has none. */
static int read_holds(struct take *t, uint32_t slot, struct snap_writer *w)
{
	const struct sm_header *geo = &t->r->geo;
	uint32_t n = t->d->catalog->series_used, first = geo->nfamilies, i;
	size_t words = (first % 64 + n + 63) / 64;
	int rc;

	if (!n || first / 64 * 8 + words * 8 > geo->hold_bytes)
		return 0;
	t->bytes += words * 8;
	rc = sm_reader_afford(t->r, t->bytes, "hold bits", t->diag);
	if (rc)
		return rc;
	w->holds = malloc((words + 1) * sizeof(*w->holds));
	if (!w->holds)
		return sm_diag_set(t->diag, -ENOMEM, "no memory");
	rc = sm_reader_pread(t->r, w->holds, words * 8, sm_hold_offset(geo, slot) + first / 64 * 8,
			     t->diag);
	w->holds[words] = 0;
	for (i = 0; first % 64 && i < words; i++)
		w->holds[i] = w->holds[i] >> (first % 64) | w->holds[i + 1] << (64 - first % 64);
	return rc;
}

static int read_lanes(struct attempt *a)
{
	struct take *t = &a->t;
	struct snap_data *d = t->d;
	struct writer_texts *x;
	const struct sm_slot *s;
	struct snap_writer *w;
	uint32_t i;
	int rc;

	d->writers = calloc(d->pub.nwriters + 1, sizeof(*d->writers));
	d->more = calloc(d->pub.nwriters + 1, sizeof(*d->more));
	d->texts = x = malloc((d->pub.nwriters + 1) * sizeof(*x));
	if (!d->writers || !d->more || !x)
		return sm_diag_set(t->diag, -ENOMEM, "no memory");
	rc = sm_take_prepare(t);
	if (!rc)
		rc = sm_take_retired(t);
	for (i = 0; !rc && i < a->nused; i++) {
		struct used_slot *u = &a->used[i];

		if (!u->counted)
			continue;
		s = slot_copy(t->r, u->slot);
		w = NULL;
		if (u->writer) {
			w = &d->more[u->writer - 1];
			w->common = s->state == SM_SLOT_COMMON;
			w->live = u->alive || w->common;
			fill_writer(s, u, &x[u->writer - 1], &d->writers[u->writer - 1]);
			if (!w->common && (d->per_writer || d->catalog->any_updown))
				rc = read_holds(t, u->slot, w);
		}
		if (!rc)
			rc = sm_take_slot(t, u->slot, s, w, w && w->live, w != NULL);
	}
	if (!rc && distinct_names(d))
		rc = sm_diag_set(t->diag, -ENOMEM, "no memory");
	return rc;
}

/* ---- the public part ------------------------------------------------------------------------ */

static void fill_public(struct attempt *a)
{
	struct snap_data *d = a->t.d;
	const struct sm_header *h = &a->t.h;
	const struct sm_catalog *c = d->catalog;
	struct sm_reader *r = a->t.r;
	struct sm_snapshot *s = &d->pub;
	unsigned i, z;
	size_t w;

	s->catalog_generation = h->catalog_gen;
	s->fold_epoch = h->fold_commit;
	s->nfamilies = c->nfamilies;
	s->families = c->families;
	s->writers = d->writers;
	s->fill.families = c->families_used;
	s->fill.families_max = r->geo.nfamilies;
	s->fill.series = c->series_used;
	s->fill.series_max = r->geo.nseries;
	for (z = 0; z < SM_ZONES; z++)
		s->fill.cells += c->cells_used[z];
	s->fill.cells_max = r->geo.cells;
	s->fill.strings = c->strings_used;
	s->fill.strings_max = r->geo.strings_bytes;
	s->fill.exemplars = c->exemplars_used;
	s->fill.exemplars_max = r->geo.nexemplars;
	for (w = 0; w < a->nused; w++)
		s->fill.writers += a->used[w].slot != 0;
	s->fill.writers_max = r->geo.nslots - 1;
	s->fill.allocated_bytes = r->allocated;
	s->fill.fs_free_bytes = r->fs_free;
	s->fill.fs_total_bytes = r->fs_total;
	s->folds = h->folds;
	s->adoptions = h->adoptions;
	s->claims = h->claims;
	s->removals = h->removals;
	s->conflicts = h->conflicts;
	for (i = 0; i < SM_OP_COUNT; i++)
		s->recovered += h->recovered[i];
	for (i = 0; i < SM_REFUSED_COUNT; i++) {
		s->refused[i] = h->refused[i];
		for (w = 0; w < s->nwriters; w++)
			s->refused[i] += d->writers[w].refused[i];
	}
	s->damaged_records += c->damaged;
	s->segment = &d->facts->pub;
}

/*
 * Hold back drops of double counters that are roundings, and remember what is published.
 * r->doubles is sorted by cell, as the catalog's list is; a cell that was given to another series
 * begins anew.
 */
static int publish_doubles(struct sm_reader *r, struct snap_data *d)
{
	const struct sm_catalog *c = d->catalog;
	struct last_double *list;
	size_t i, j = 0, n = 0;
	uint64_t *cell;
	double v;

	for (i = 0; i < c->nspecials; i++)
		n += c->special[i].kind == SPECIAL_DOUBLE;
	if (!n)
		return 0;
	list = malloc(n * sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (i = 0, n = 0; i < c->nspecials; i++) {
		const struct special *s = &c->special[i];

		if (s->kind != SPECIAL_DOUBLE)
			continue;
		cell = &d->total[SM_ZONE_ADD].v[s->cell];
		memcpy(&v, cell, sizeof(v));
		while (j < r->ndoubles && r->doubles[j].cell < s->cell)
			j++;
		if (j < r->ndoubles && r->doubles[j].cell == s->cell &&
		    r->doubles[j].series_incarnation == s->series_incarnation) {
			double last = r->doubles[j].value;

			if (v < last && last - v <= last * ROUNDING) {
				v = last;
				memcpy(cell, &v, sizeof(v));
			}
		}
		list[n].cell = s->cell;
		list[n].series_incarnation = s->series_incarnation;
		list[n++].value = v;
	}
	free(r->doubles);
	r->doubles = list;
	r->ndoubles = n;
	return 0;
}

/* ---- taking -------------------------------------------------------------------------------- */

static int refresh_catalog(struct take *t)
{
	struct sm_reader *r = t->r;
	struct sm_catalog *c;
	int rc;

	if (!r->catalog || r->catalog->generation != t->h.catalog_gen) {
		rc = sm_catalog_read(r, &t->h, &c, t->diag);
		if (rc)
			return rc;
		sm_catalog_unref(r->catalog);
		r->catalog = c;
	}
	t->d->catalog = sm_catalog_ref(r->catalog);
	return 0;
}

static int read_all(struct attempt *a)
{
	struct take *t = &a->t;
	struct sm_header now;
	unsigned z;
	int rc;

	rc = sm_reader_header(t->r, &t->h, t->diag);
	if (!rc)
		rc = sm_reader_measure(t->r, t->diag);
	if (!rc)
		rc = refresh_catalog(t);
	if (rc)
		return rc;
	for (z = 0; z < SM_ZONES; z++)
		t->d->zone_first[z] = t->r->geo.zone_first[z];
	t->d->pub.taken_real_ns = sm_reader_clock_ns(CLOCK_REALTIME);
	t->d->pub.taken_boot_ns = sm_reader_clock_ns(CLOCK_BOOTTIME);
	rc = find_used(a);
	if (!rc)
		rc = read_lanes(a);
	if (!rc && (t->flags & SM_SNAPSHOT_EXEMPLARS))
		rc = sm_take_exemplars(t);
	if (!rc)
		rc = slots_again(a);
	if (!rc)
		rc = sm_reader_header(t->r, &now, t->diag);
	if (rc)
		return rc;
	/* Pairs with slot_fold(): the same g before and after means that no fold was committed. */
	return now.fold_commit != t->h.fold_commit || now.removals != t->h.removals ? -EAGAIN : 0;
}

/* One try; NULL and *ret_error if it failed, -EAGAIN if it met a change. */
static struct snap_data *attempt(struct sm_reader *r, unsigned flags, struct sm_diag *diag,
				 int *ret_error)
{
	struct attempt a = { .t = { .r = r, .diag = diag, .flags = flags } };
	struct snap_data *d = calloc(1, sizeof(*d));
	int rc;

	if (!d) {
		*ret_error = sm_diag_set(diag, -ENOMEM, "no memory");
		return NULL;
	}
	d->refs = 1;
	d->facts = sm_facts_ref(r->facts);
	d->per_writer = flags & SM_SNAPSHOT_WRITERS;
	a.t.d = d;
	rc = read_all(&a);
	if (!rc && publish_doubles(r, d))
		rc = sm_diag_set(diag, -ENOMEM, "no memory");
	if (!rc)
		fill_public(&a);
	free(a.used);
	if (!rc)
		return d;
	sm_snap_data_unref(d);
	*ret_error = rc;
	return NULL;
}

int sm_snapshot_take(struct sm_reader *r, unsigned flags, const struct sm_snapshot **ret_snapshot,
		     struct sm_diag *diag)
{
	struct timespec pause = { 0, PAUSE_FIRST_NS };
	struct snap_data *d;
	unsigned tries;
	int rc = 0;

	sm_diag_set(diag, 0, "%s", "");
	if (flags & ~(SM_SNAPSHOT_WRITERS | SM_SNAPSHOT_EXEMPLARS))
		return sm_diag_set(diag, -EINVAL, "unknown flags 0x%x", flags);
	for (tries = 0; tries < TRIES; tries++) {
		d = attempt(r, flags, diag, &rc);
		if (d) {
			sm_snap_data_unref(r->last);
			r->last = d;
			return give_out(d, tries, 0, ret_snapshot, diag);
		}
		if (rc != -EAGAIN)
			return rc;
		nanosleep(&pause, NULL);
		pause.tv_nsec =
			pause.tv_nsec * 2 < PAUSE_LAST_NS ? pause.tv_nsec * 2 : PAUSE_LAST_NS;
	}
	if (r->last && (r->last->per_writer || !(flags & SM_SNAPSHOT_WRITERS)))
		return give_out(r->last, tries, 1, ret_snapshot, diag);
	return sm_diag_set(diag, -EAGAIN, "%s: writers kept folding during %u tries; try again",
			   r->facts->path, TRIES);
}
