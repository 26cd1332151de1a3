/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot.c - see slot.h.
 *
 *	FREE -> CLAIMING -> LIVE        claim of a free slot
 *	LIVE (dead) -> ADOPTING -> LIVE adoption: counters stay, gauges go, incarnation + 1
 *	LIVE (dead) -> FREE             fold
 *
 * Killed in CLAIMING: recovery frees the slot. Killed in ADOPTING: recovery makes it LIVE again, and
 * dead, for the life lock is gone. The incarnation is raised before the identity changes, so a
 * reader that sees half of it also sees another incarnation afterwards and tries again.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "steps.h"

static uint64_t boot_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

bool slot_alive(const struct region *r, int fd, uint32_t slot)
{
	struct sm_slot *s = region_slot(r, slot);

	return load_acquire(&s->state) == SM_SLOT_LIVE && life_held(fd, slot) != 0;
}

bool slot_dead(const struct region *r, int fd, uint32_t slot, uint64_t *ret_last_boot_ns)
{
	const struct sm_slot *s = region_slot(r, slot);
	uint64_t heartbeat;

	if (s->state != SM_SLOT_LIVE || slot_alive(r, fd, slot))
		return false;
	heartbeat = load_relaxed(&s->heartbeat_boot_ns);
	*ret_last_boot_ns = heartbeat > s->claimed_boot_ns ? heartbeat : s->claimed_boot_ns;
	return true;
}

uint32_t slot_holding(const struct region *r, int fd, uint32_t bit, uint32_t except)
{
	uint32_t i;

	for (i = 1; i < r->geo.nslots; i++) {
		if (i == except || load_acquire(&region_slot(r, i)->state) != SM_SLOT_LIVE)
			continue;
		if (load_acquire(&region_holds(r, i)[bit / 64]) >> (bit % 64) & 1 && slot_alive(r, fd, i))
			return i;
	}
	return UINT32_MAX;
}

/* Decimal of n at the end of name, cutting the name so that it fits. */
static void name_with(char *ret, const char *name, char mark, unsigned n)
{
	char digits[12];
	size_t len = strlen(name), d = sizeof(digits);

	do
		digits[--d] = (char)('0' + n % 10);
	while (n /= 10);
	digits[--d] = mark;
	if (len > SM_WRITER_NAME_MAX - (sizeof(digits) - d))
		len = SM_WRITER_NAME_MAX - (sizeof(digits) - d);
	memcpy(ret, name, len);
	memcpy(ret + len, digits + d, sizeof(digits) - d);
	ret[len + sizeof(digits) - d] = '\0';
}

static uint32_t find_name(const struct region *r, const char *name)
{
	uint32_t i;

	for (i = 1; i < r->geo.nslots; i++)
		if (region_slot(r, i)->state == SM_SLOT_LIVE &&
		    strncmp(region_slot(r, i)->name, name, sizeof(region_slot(r, i)->name)) == 0)
			return i;
	return UINT32_MAX;
}

/* The writer that has been dead for longest: nothing but its last sign of life tells. */
static uint32_t longest_dead(const struct region *r, int fd)
{
	uint64_t last, oldest = UINT64_MAX;
	uint32_t i, found = UINT32_MAX;

	for (i = 1; i < r->geo.nslots; i++)
		if (slot_dead(r, fd, i, &last) && last < oldest) {
			oldest = last;
			found = i;
		}
	return found;
}

static uint32_t find_free(const struct region *r)
{
	uint32_t i;

	for (i = 1; i < r->geo.nslots; i++)
		if (region_slot(r, i)->state == SM_SLOT_FREE)
			return i;
	return UINT32_MAX;
}

static bool any_kept(const struct region *r)
{
	uint32_t i, n = r->head->families_used;

	for (i = 0; i < n && i < r->geo.nfamilies; i++)
		if (region_family(r, i)->state == SM_REC_LIVE && (region_family(r, i)->flags & SM_FF_KEEP))
			return true;
	return false;
}

/* Does this gauge go on to count although its writer is dead? One that died in the middle of setting a
 * mostrecent gauge left nothing to keep. */
static bool is_kept(const struct region *r, const uint64_t *shared, const struct sm_series_rec *s)
{
	const struct sm_family_rec *f = region_family(r, s->family);

	return s->state == SM_REC_LIVE && f->kind == SM_GAUGE && (f->flags & SM_FF_KEEP) &&
	       !(f->gauge_mode == SM_MODE_MOSTRECENT && (shared[s->cell[SM_CELL_GAUGE]] & 1));
}

/* The shared lane's set gauges, but for those that are kept. */
static void clear_set_gauges(const struct region *r, unsigned lane)
{
	uint64_t *shared = region_lane(r, lane);
	const struct sm_series_rec *s;
	uint32_t i, n = r->head->series_used, cell, end;

	for (i = 0; i < n && i < r->geo.nseries; i++) {
		s = region_series(r, i);
		cell = s->cell[SM_CELL_GAUGE];
		end = cell + s->ncells;
		if (s->zone != SM_ZONE_SET || s->family >= r->geo.nfamilies || end < cell ||
		    cell < r->geo.zone_first[SM_ZONE_SET] || end > r->geo.zone_first[SM_ZONE_LIVE] ||
		    !region_page_reserved(r, lane, cell / (SM_PAGE / 8)) || is_kept(r, shared, s))
			continue;
		for (; cell < end; cell++)
			if (region_page_reserved(r, lane, cell / (SM_PAGE / 8)))
				shared[cell] = 0;
	}
}

void slot_clear_gauges(const struct region *r, uint32_t slot)
{
	uint32_t per_page = SM_PAGE / 8, l, page, first, last;
	bool kept = any_kept(r);

	if (kept)
		clear_set_gauges(r, sm_lane_number(&r->geo, slot, 0));
	for (l = 0; l < r->geo.lanes_per_slot; l++) {
		unsigned lane = sm_lane_number(&r->geo, slot, l);

		first = r->geo.zone_first[kept && !l ? SM_ZONE_LIVE : SM_ZONE_SET] / per_page;
		last = (r->geo.zone_first[SM_ZONE_LIVE] + r->geo.zone_cells[SM_ZONE_LIVE]) / per_page;
		for (page = first; page < last; page++)
			if (region_page_reserved(r, lane, page))
				memset(region_lane(r, lane) + (size_t)page * per_page, 0, SM_PAGE);
	}
}

void slot_clear_exemplars(const struct region *r, uint32_t slot)
{
	uint32_t i, n = r->head->exemplars_used;
	uint64_t seq;

	if (n > r->geo.nexemplars)
		n = r->geo.nexemplars;
	for (i = 0; i < n; i++) {
		seq = load_relaxed(&region_exemplar(r, i)->seq);
		if ((seq & 1) && (seq >> 1 & 0xffff) == slot) {
			region_exemplar(r, i)->text_len = 0;
			store_release(&region_exemplar(r, i)->seq, ((seq >> 17) + 1) << 17);
		}
	}
}

/* Field number n (from 1) of /proc/self/stat, without allocation. */
static uint64_t own_stat(unsigned field)
{
	char text[1024], *p;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	unsigned at;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')');		/* the name may hold anything, so count from its end */
	for (at = 2; p && at < field; at++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

static void fill_identity(struct sm_slot *s, const struct slot_identity *who, const char *name)
{
	struct stat st;
	long hz = sysconf(_SC_CLK_TCK);
	uint64_t boot = boot_ns(CLOCK_BOOTTIME), real = boot_ns(CLOCK_REALTIME);

	/* Who adopts a slot has its name. It is left alone, so that a death in here cannot tear it, and
	 * the next one still finds it; the rest is cleared by recovery. */
	if (strncmp(s->name, name, sizeof(s->name)) != 0) {
		memset(s->name, 0, sizeof(s->name));
		strncpy(s->name, name, sizeof(s->name) - 1);
	}
	memset(s->version, 0, sizeof(s->version));
	memset(s->metadata, 0, sizeof(s->metadata));
	SM_STEP("identity:cleared");
	strncpy(s->version, who->version, sizeof(s->version) - 1);
	memcpy(s->metadata, who->metadata, who->metadata_len);
	s->metadata_len = who->metadata_len;
	s->pid = (uint64_t)getpid();
	s->pidns = stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
	s->start_boot_ns = own_stat(22) * (UINT64_C(1000000000) / (uint64_t)(hz > 0 ? hz : 100));
	s->start_real_ns = real - (boot > s->start_boot_ns ? boot - s->start_boot_ns : 0);
	s->claimed_boot_ns = boot;
	store_relaxed(&s->heartbeat_boot_ns, boot);
	s->heartbeats = 0;
	s->exited_boot_ns = 0;
	s->uid = geteuid();
	memset(&s->usage, 0, sizeof(s->usage));
}

static int claim_free(const struct region *r, int fd, uint32_t slot, const struct slot_identity *who,
		      const char *name, void **ret_life)
{
	struct sm_slot *s = region_slot(r, slot);
	void *life;
	int rc;

	catalog_begin(r, SM_OP_CLAIM, slot);
	store_release(&s->state, SM_SLOT_CLAIMING);
	SM_STEP("claim:claiming");
	rc = life_take(r, slot, &life);
	if (rc) {
		store_release(&s->state, SM_SLOT_FREE);
		catalog_done(r, false);
		return rc;
	}
	rc = region_reserve(r, fd, sm_hold_offset(&r->geo, slot), r->geo.hold_bytes);
	if (!rc)
		rc = region_reserve(r, fd, sm_ring_offset(&r->geo, slot, 0),
				    (uint64_t)r->geo.ring_entries * r->geo.ring_entry_size);
	SM_STEP("claim:locked");
	if (rc) {
		store_release(&s->state, SM_SLOT_FREE);
		life_drop(life);
		catalog_done(r, false);
		return rc;
	}
	s->incarnation++;
	fence_release();
	memset(region_holds(r, slot), 0, r->geo.hold_bytes);
	memset(s->refused, 0, sizeof(s->refused));
	s->shared_updates = s->restarts = s->lanes = s->written = 0;
	fill_identity(s, who, name);
	s->first_boot_ns = s->claimed_boot_ns;
	r->head->claims++;
	SM_STEP("claim:filled");
	store_release(&s->state, SM_SLOT_LIVE);	/* readers acquire it: all of the identity is there */
	SM_STEP("claim:live");
	catalog_done(r, false);
	*ret_life = life;
	return 0;
}

static int adopt(const struct region *r, uint32_t slot, const struct slot_identity *who, const char *name,
		 void **ret_life)
{
	struct sm_slot *s = region_slot(r, slot);
	void *life;
	int rc;

	catalog_begin(r, SM_OP_ADOPT, slot);
	/* Before the lock: a reader that finds the lock held and the slot as it was would take the dead
	 * writer for alive, with its gauges. */
	store_release(&s->state, SM_SLOT_ADOPTING);
	SM_STEP("adopt:adopting");
	rc = life_take(r, slot, &life);
	if (rc) {
		store_release(&s->state, SM_SLOT_LIVE);
		catalog_done(r, false);
		return rc;
	}
	SM_STEP("adopt:locked");
	s->incarnation++;
	fence_release();
	SM_STEP("adopt:incarnation");
	slot_clear_gauges(r, slot);
	slot_clear_exemplars(r, slot);
	SM_STEP("adopt:cleared");
	memset(region_holds(r, slot), 0, r->geo.hold_bytes);
	fill_identity(s, who, name);
	s->restarts++;
	r->head->adoptions++;
	SM_STEP("adopt:filled");
	store_release(&s->state, SM_SLOT_LIVE);
	SM_STEP("adopt:live");
	catalog_done(r, false);
	*ret_life = life;
	return 0;
}

/* Try one name: adopt its dead slot, or -EEXIST if it lives, or a free slot. */
static int try_name(const struct region *r, int fd, const struct slot_identity *who, const char *name,
		    uint32_t *ret_slot, void **ret_life)
{
	uint32_t slot = find_name(r, name), tries;
	int rc;

	if (slot != UINT32_MAX) {
		if (slot_alive(r, fd, slot))
			return -EEXIST;
		rc = adopt(r, slot, who, name, ret_life);
		*ret_slot = slot;
		/* Somebody read-locks the byte: leave that slot alone. */
		return rc == -EAGAIN ? -EEXIST : rc;
	}
	for (tries = 0; tries < 8; tries++) {
		slot = find_free(r);
		if (slot == UINT32_MAX) {
			uint32_t dead = longest_dead(r, fd);

			if (dead == UINT32_MAX)
				return -EUSERS;
			rc = slot_fold(r, fd, dead);
			if (rc)
				return rc;
			continue;
		}
		for (; slot < r->geo.nslots; slot++) {
			if (region_slot(r, slot)->state != SM_SLOT_FREE)
				continue;
			rc = claim_free(r, fd, slot, who, name, ret_life);
			*ret_slot = slot;
			if (rc != -EAGAIN)
				return rc;
		}
		return -EUSERS;
	}
	return -EUSERS;
}

int slot_claim(const struct region *r, int fd, const struct slot_identity *who, uint32_t *ret_slot,
	       void **ret_life)
{
	char name[SM_WRITER_NAME_MAX + 1];
	unsigned i;
	int rc = -EUSERS;

	for (i = 1; i <= r->geo.nslots; i++) {
		if (who->numbered)
			name_with(name, who->name, '-', i);
		else if (i == 1)
			strcpy(name, who->name);
		else
			name_with(name, who->name, '~', i);
		rc = try_name(r, fd, who, name, ret_slot, ret_life);
		if (rc != -EEXIST)
			break;
		if (i == 1 && !who->numbered)
			add_relaxed(&r->head->conflicts, 1);
	}
	return rc == -EEXIST ? -EUSERS : rc;
}
