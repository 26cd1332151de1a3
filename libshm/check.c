/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - sm_check(): is everything in a segment as layout.h says?
 *
 * Readers survive damage by leaving out what is damaged; this names it. It reads like any reader,
 * so it may look at a segment in use, where a change may be half done at any moment: what a first
 * look finds counts only if a second one, a little later, finds the same.
 *
 * This file: the driver, header and slots. The rest: check_catalog.c, check_lanes.c.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clean.h"
#include "diag.h"
#include "lock.h"
#include "utf8.h"

#define PAUSE_NS	20000000 /* between the looks: a change under the lock takes microseconds */
#define NOT_READY_TRIES	10
#define BOOT_ID_LEN	36

/* What begins so is reported, but no finding: nothing is damaged. */
#define WARNING "warning: "

void sm_check_found(struct check *c, const char *fmt, ...)
{
	char text[512], *clean;
	va_list ap;
	int n;

	if (c->nfound == CHECK_FINDINGS_MAX)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	clean = malloc(sizeof(text));
	if (!clean || n < 0) {
		free(clean);
		c->error = -ENOMEM;
		return;
	}
	sm_clean_text(clean, text, strlen(text));
	c->found[c->nfound++] = clean;
}

void *sm_check_alloc(void *check, size_t bytes)
{
	struct check *c = check;
	struct check_block *b = malloc(sizeof(*b) + bytes);

	if (!b) {
		c->error = -ENOMEM;
		return NULL;
	}
	b->next = c->blocks;
	c->blocks = b;
	return b->data;
}

void *sm_check_copy(struct check *c, uint64_t offset, uint64_t bytes, const char *what)
{
	void *p = NULL;

	c->error = sm_reader_afford(c->r, bytes, what, NULL);
	if (!c->error)
		p = sm_check_alloc(c, (size_t)bytes);
	if (p)
		c->error = sm_reader_pread(c->r, p, (size_t)bytes, offset, NULL);
	return c->error ? NULL : p;
}

/* ---- header -------------------------------------------------------------------------------- */

static bool zero(const void *p, size_t n)
{
	const char *b = p;
	size_t i;

	for (i = 0; i < n && !b[i]; i++)
		;
	return i == n;
}

static void check_boot_id(struct check *c)
{
	size_t n = strnlen(c->h.boot_id, sizeof(c->h.boot_id));

	if (n == sizeof(c->h.boot_id))
		sm_check_found(c, "header: boot id is not terminated");
	else if (n != BOOT_ID_LEN || strspn(c->h.boot_id, "0123456789abcdef-") != n)
		sm_check_found(c, "header: boot id \"%.40s\" is not one", c->h.boot_id);
}

static void check_mark(struct check *c, const char *what, uint32_t *mark, uint32_t least,
		       uint32_t most)
{
	if (*mark > most || *mark < least)
		sm_check_found(c, "header: %s_used is %u, of %u", what, *mark, most);
	if (*mark > most)
		*mark = most;
}

static void check_header(struct check *c)
{
	static const char *const zones[SM_ZONES] = { "add_cells", "set_cells", "live_cells" };
	const struct sm_header *geo = &c->r->geo;
	struct sm_header *h = &c->h;
	unsigned z;

	if (h->state == SM_SEG_SUPERSEDED ? h->superseded_by <= h->major : h->superseded_by != 0)
		sm_check_found(c, "header: state %u does not fit superseded_by %u", h->state,
			       h->superseded_by);
	if (zero(h->segment_id, sizeof(h->segment_id)))
		sm_check_found(c, "header: segment id is empty");
	if (!h->created_real_ns || !h->created_boot_ns)
		sm_check_found(c, "header: creation time is missing");
	check_boot_id(c);
	if (h->op >= SM_OP_COUNT)
		sm_check_found(c, "header: operation %u is unknown", h->op);
	else if (h->op != SM_OP_NONE && c->quiet)
		sm_check_found(
			c,
			"header: operation %u was left half done; shardmeter gc mends it",
			h->op);
	if (h->index_dirty && c->quiet)
		sm_check_found(c, "header: the index was left dirty");
	check_mark(c, "families", &h->families_used, 0, geo->nfamilies);
	check_mark(c, "series", &h->series_used, 0, geo->nseries);
	check_mark(c, "strings", &h->strings_used, 16, geo->strings_bytes);
	check_mark(c, "exemplars", &h->exemplars_used, 0, geo->nexemplars);
	for (z = 0; z < SM_ZONES; z++)
		check_mark(c, zones[z], &h->cells_used[z], 8, geo->zone_cells[z]);
	if (h->minor == SM_LAYOUT_MINOR &&
	    !(zero(h->reserved3, sizeof(h->reserved3)) &&
	      zero(h->reserved4, sizeof(h->reserved4)) &&
	      zero(h->reserved5, sizeof(h->reserved5)) &&
	      zero(h->reserved6, sizeof(h->reserved6)) &&
	      zero(h->reserved7, sizeof(h->reserved7)) && zero(h->reserved8, sizeof(h->reserved8))))
		sm_check_found(c, "header: reserved bytes are not zero");
}

/* ---- slots --------------------------------------------------------------------------------- */

static void check_metadata(struct check *c, uint32_t i, const struct sm_slot *s)
{
	size_t at, one;

	if (s->metadata_len > sizeof(s->metadata)) {
		sm_check_found(c, "slot %u: metadata_len is %u", i, s->metadata_len);
		return;
	}
	if (s->metadata_len && s->metadata[s->metadata_len - 1]) {
		sm_check_found(c, "slot %u: metadata is not terminated", i);
		return;
	}
	for (at = 0; at < s->metadata_len; at += one + 1) {
		one = strlen(s->metadata + at);
		if (!memchr(s->metadata + at, '=', one) || !sm_utf8_valid(s->metadata + at, one))
			sm_check_found(c, "slot %u: metadata \"%.60s\" is no key=value", i,
				       s->metadata + at);
	}
}

static void check_name(struct check *c, uint32_t i, const struct sm_slot *s)
{
	size_t n = strnlen(s->name, sizeof(s->name));
	uint32_t k;

	if (n == sizeof(s->name)) {
		sm_check_found(c, "slot %u: name is not terminated", i);
		return;
	}
	if (!n || !sm_utf8_valid(s->name, n))
		sm_check_found(c, "slot %u: name \"%s\" is not allowed", i, s->name);
	for (k = 0; k < i; k++)
		if (c->slots[k].state != SM_SLOT_FREE &&
		    strncmp(c->slots[k].name, s->name, sizeof(s->name)) == 0)
			sm_check_found(c, "slot %u: name \"%s\" is that of slot %u, too", i,
				       s->name, k);
	n = strnlen(s->version, sizeof(s->version));
	if (n == sizeof(s->version))
		sm_check_found(c, "slot %u: version is not terminated", i);
	else if (!sm_utf8_valid(s->version, n))
		sm_check_found(c, "slot %u: version is not UTF-8", i);
}

static void check_slot(struct check *c, uint32_t i)
{
	const struct sm_slot *s = &c->slots[i];
	uint64_t now = sm_reader_clock_ns(CLOCK_BOOTTIME) + 1000000000u, g = c->h.fold_commit;
	unsigned lanes = c->r->geo.lanes_per_slot;

	if (s->state > SM_SLOT_COMMON || (s->state == SM_SLOT_COMMON) != (i == 0)) {
		sm_check_found(c, "slot %u: state is %u", i, s->state);
		return;
	}
	if (s->fold > g + 1)
		sm_check_found(c, "slot %u: fold is %llu, but only %llu were committed", i,
			       (unsigned long long)s->fold, (unsigned long long)g);
	else if (s->fold && c->quiet)
		sm_check_found(c, "slot %u: its fold was left half done", i);
	if (s->state == SM_SLOT_FREE) {
		if (s->lanes)
			sm_check_found(c, "slot %u: free, but its lanes are 0x%llx", i,
				       (unsigned long long)s->lanes);
		if (life_held(c->r->fd, i) == 1)
			sm_check_found(c, "slot %u: free, but its life lock is held", i);
		return;
	}
	if ((s->state == SM_SLOT_CLAIMING || s->state == SM_SLOT_ADOPTING) && c->quiet)
		sm_check_found(c, "slot %u: its claim was left half done", i);
	if (s->state == SM_SLOT_CLAIMING)
		return;
	if (!s->incarnation)
		sm_check_found(c, "slot %u: incarnation is 0", i);
	if (lanes < 64 && s->lanes >> lanes)
		sm_check_found(c, "slot %u: lanes 0x%llx, of %u", i, (unsigned long long)s->lanes,
			       lanes);
	if (s->heartbeat_boot_ns > now || s->claimed_boot_ns > now)
		sm_check_found(c,
			       WARNING "slot %u: its times lie in the future: its writer may be in "
				       "another time namespace, where ages cannot be told from here",
			       i);
	check_name(c, i, s);
	check_metadata(c, i, s);
}

/* ---- one look ------------------------------------------------------------------------------ */

static bool lock_is_free(const struct sm_reader *r)
{
	struct flock fl = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = SM_LOCK_CATALOG, .l_len = 1
	};

	return fcntl(r->fd, F_OFD_GETLK, &fl) == 0 && fl.l_type == F_UNLCK;
}

static void look(struct check *c)
{
	const struct sm_header *geo = &c->r->geo;
	uint32_t i;

	c->error = sm_reader_header(c->r, &c->h, NULL);
	if (!c->error)
		c->error = sm_reader_measure(c->r, NULL);
	if (c->error)
		return;
	c->quiet = lock_is_free(c->r);
	check_header(c);
	c->slots = sm_check_copy(c, geo->off_slots, (uint64_t)geo->nslots * sizeof(*c->slots),
				 "slots");
	for (i = 0; c->slots && i < geo->nslots; i++)
		check_slot(c, i);
	c->nfamilies = c->h.families_used;
	c->nseries = c->h.series_used;
	c->nstrings = c->h.strings_used;
	if (!c->error)
		c->families =
			sm_check_copy(c, geo->off_families,
				      (uint64_t)c->nfamilies * sizeof(*c->families), "families");
	if (!c->error)
		c->series = sm_check_copy(c, geo->off_series,
					  (uint64_t)c->nseries * sizeof(*c->series), "series");
	if (!c->error)
		c->strings = sm_check_copy(c, geo->off_strings, c->nstrings, "strings");
	if (!c->error)
		c->index =
			sm_check_copy(c, geo->off_index, (uint64_t)geo->index_entries * 4, "index");
	if (!c->error)
		sm_check_families(c);
	if (!c->error)
		sm_check_series(c);
	if (!c->error)
		sm_check_blocks(c);
	if (!c->error)
		sm_check_index(c);
	if (!c->error)
		sm_check_pagemaps(c);
	if (!c->error)
		sm_check_cells(c);
	if (!c->error)
		sm_check_holds(c);
	if (!c->error)
		sm_check_rings(c);
	if (!c->error)
		sm_check_exemplars(c);
}

static struct check *new_look(struct sm_reader *r)
{
	struct check *c = calloc(1, sizeof(*c));

	if (c) {
		c->r = r;
		look(c);
	}
	return c;
}

static void free_look(struct check *c)
{
	struct check_block *b, *next;
	size_t i;

	if (!c)
		return;
	for (b = c->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	for (i = 0; i < c->nfound; i++)
		free(c->found[i]);
	free(c);
}

static int is_finding(const char *text)
{
	return strncmp(text, WARNING, strlen(WARNING)) != 0;
}

int sm_check_once(struct sm_reader *r, void (*report)(void *ctx, const char *finding), void *ctx)
{
	struct check *c = new_look(r);
	int n = 0, rc = c ? c->error : -ENOMEM;
	size_t i;

	for (i = 0; !rc && i < c->nfound; i++) {
		report(ctx, c->found[i]);
		n += is_finding(c->found[i]);
	}
	free_look(c);
	return rc ? rc : n;
}

static bool says(const struct check *c, const char *finding)
{
	size_t i;

	for (i = 0; i < c->nfound; i++)
		if (strcmp(c->found[i], finding) == 0)
			return true;
	return false;
}

static void wait_a_little(void)
{
	struct timespec pause = { 0, PAUSE_NS };

	nanosleep(&pause, NULL);
}

static int check_reader(struct sm_reader *r, void (*report)(void *ctx, const char *finding),
			void *ctx, struct sm_diag *diag)
{
	struct check *first = new_look(r), *second = NULL;
	int n = 0, rc = first ? first->error : -ENOMEM;
	size_t i;

	if (!rc && first->nfound) {
		wait_a_little();
		second = new_look(r);
		rc = second ? second->error : -ENOMEM;
		for (i = 0; !rc && i < first->nfound; i++) {
			if (says(second, first->found[i])) {
				report(ctx, first->found[i]);
				n += is_finding(first->found[i]);
			}
		}
	}
	free_look(first);
	free_look(second);
	if (!rc)
		return n;
	return sm_diag_set(diag, rc, "%s: the check could not be finished: %s", r->facts->path,
			   strerror(-rc));
}

int sm_check(const char *segment, void (*report)(void *ctx, const char *finding), void *ctx,
	     struct sm_diag *diag)
{
	struct sm_reader *r;
	struct sm_diag own;
	int rc, tries;

	if (!diag)
		diag = &own;
	for (tries = 0;; tries++) {
		rc = sm_reader_open(segment, &r, diag);
		if (rc != SM_NOT_READY || tries == NOT_READY_TRIES)
			break;
		wait_a_little();
	}
	/* A header that nobody can read is a finding, not a failure to look. */
	if (rc == SM_NOT_READY || rc == -EBADMSG) {
		report(ctx, diag->message);
		return 1;
	}
	if (rc)
		return rc;
	rc = check_reader(r, report, ctx, diag);
	sm_reader_close(r);
	return rc;
}
