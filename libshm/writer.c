/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.c - being a writer: claiming, preparing lanes, binding, the heartbeat. See writer.h.
 *
 * Binding a writer: open or create the file, claim a slot, prepare the shared lane and one for a
 * thread, then give every family a record and every handle a cell. It happens at sm_open(), and
 * again wherever that is found wanting: at a heartbeat or resolve after a failed open, in a forked
 * child, after the file was removed or replaced.
 *
 * After a removal the old file stays mapped and locked for as long as the process lives: a thread may
 * be about to write to it, and readers that still have it open add it to the new one.
 *
 * Pages: the cells of a series get memory in every lane that this process has prepared before its
 * handle is published, and a lane gets memory for all handles before it is. Both under the process
 * mutex, so no thread ever writes to a page that is not there.
 */
#include "writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bind.h"
#include "diag.h"
#include "slot.h"
#include "steps.h"

/* Updates ask while another thread may be moving m to a new file: one look at the pointer tells all. */
static struct sm_slot *slot_in(const struct region *r)
{
	return r && lanes_claimed(r->number) ? region_slot(r, r->slot) : NULL;
}

struct sm_slot *writer_slot(struct sm *m)
{
	return slot_in(load_acquire(&m->region));
}

void writer_refuse(struct sm *m, unsigned reason)
{
	struct region *r = m ? load_acquire(&m->region) : NULL;
	struct sm_slot *s = slot_in(r);

	if (!r || reason >= SM_REFUSED_COUNT)
		return;
	if (s && r->slot)
		add_relaxed(&s->refused[reason], 1);
	else
		add_relaxed(&r->head->refused[reason], 1);
}

/* ---- lanes -------------------------------------------------------------------------------- */

/* Memory in lane i for everything this process has resolved. */
static int reserve_for_handles(struct sm *m, const struct region *r, int fd, unsigned i)
{
	unsigned lane = sm_lane_number(&r->geo, r->slot, i);
	struct handle *h;
	uint32_t cell, n;
	int rc;

	for (h = load_acquire(&m->handles); h; h = h->next) {
		if (!h->incarnation || WHERE_ENTRY(h->place) / 2 != r->number)
			continue;
		if (i && (WHERE_ENTRY(h->place) & 1))
			continue;		/* a gauge: only in the shared lane */
		cell = WHERE_BYTE(h->place) / 8;
		n = handle_cells(h);
		rc = region_reserve_cells(r, fd, lane, cell, n);
		if (rc)
			return rc;
	}
	return 0;
}

static int prepare_lane(struct sm *m, const struct region *r, int fd, unsigned i)
{
	unsigned lane = sm_lane_number(&r->geo, r->slot, i);
	struct sm_slot *s = region_slot(r, r->slot);
	int rc = reserve_for_handles(m, r, fd, i);

	if (rc)
		return rc;
	fetch_or_full(&s->lanes, UINT64_C(1) << i);
	SM_STEP("claim:lane");
	if (i)
		lanes_publish(r->number, i, (char *)region_lane(r, lane));
	else
		lanes_publish_shared(r->number, (char *)region_lane(r, lane));
	return 0;
}

int writer_prepare_lanes(struct sm *m, unsigned wanted_free)
{
	unsigned i = lanes_prepared(m->number) + 1;
	int rc = 0;

	if (m->flags & SM_OPEN_COMMON)
		return 0;
	for (; !rc && i < m->region->geo.lanes_per_slot && lanes_free(m->number) < wanted_free; i++)
		rc = prepare_lane(m, m->region, -1, i);
	return rc;
}

int writer_reserve(struct sm *m, int fd, sm_where_ place, uint32_t ncells)
{
	uint32_t cell = WHERE_BYTE(place) / 8;
	unsigned i, n = WHERE_ENTRY(place) & 1 ? 0 : lanes_prepared(m->number);
	int rc = 0;

	for (i = 0; !rc && i <= n; i++)
		rc = region_reserve_cells(m->region, fd, sm_lane_number(&m->region->geo, m->slot, i), cell, ncells);
	return rc;
}

/* ---- claiming ----------------------------------------------------------------------------- */

#define IMPATIENT_NS UINT64_C(1000000000)

static unsigned patience_ms(const struct sm *m)
{
	return clock_ns(CLOCK_MONOTONIC_COARSE) < m->impatient_until_ns ? 0 : m->lock_timeout_ms;
}

/* What came of waiting, or not waiting, for a lock. */
static void remember_wait(struct sm *m, int rc)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);

	if (rc != -ETIMEDOUT)
		m->impatient_until_ns = 0;
	else if (now >= m->impatient_until_ns)
		m->impatient_until_ns = now + IMPATIENT_NS;
}

int writer_lock(struct sm *m, const struct region *r)
{
	int fd = catalog_lock(r, patience_ms(m));

	remember_wait(m, fd);
	return fd;
}

/* A forked child holds what it inherited. */
static void hold_handles(struct sm *m, const struct region *r)
{
	struct sm_family *f;
	struct handle *h;

	if (r != m->region)
		return;			/* records of another file mean nothing in this one */
	for (f = load_acquire(&m->families); f; f = f->next)
		if (f->incarnation)
			fetch_or_full(&region_holds(r, r->slot)[f->record / 64],
				      UINT64_C(1) << (f->record % 64));
	for (h = load_acquire(&m->handles); h; h = h->next) {
		if (!h->incarnation || WHERE_ENTRY(h->place) / 2 != r->number)
			continue;
		if (!series_hold(r, r->slot, h->series, h->incarnation)) {
			/* Removed while this child held nothing: its cells may be another series'. */
			unbind_handle(h);
			m->pending = true;
		}
	}
}

bool writer_has_cell(struct sm *m, unsigned number, uint32_t cell)
{
	const struct handle *h;
	sm_where_ place;

	for (h = load_acquire(&m->handles); h; h = h->next) {
		place = load_relaxed(&h->place);
		if (place && WHERE_ENTRY(place) / 2 == number && cell - WHERE_BYTE(place) / 8 < handle_cells(h))
			return true;
	}
	return false;
}

bool writer_lane_written(struct sm *m, unsigned number, unsigned i, uint32_t cell)
{
	struct region *r = load_acquire(&m->region);
	struct sm_slot *s;

	while (r && r->number != number)
		r = r->older;
	if (!r || (cell >= r->geo.zone_first[SM_ZONE_SET] && cell < r->geo.zone_first[SM_ZONE_LIVE]))
		return false;
	s = region_slot(r, r->slot);
	if (!(load_relaxed(&s->written) >> i & 1))
		fetch_or_full(&s->written, UINT64_C(1) << i);
	return true;
}

/* Forget handles whose series is gone. While another thread binds it is not looked, but next time. */
static void unbind_gone(struct sm *m, const struct region *r)
{
	uint64_t removals = load_acquire(&r->head->removals);
	const struct sm_series_rec *s;
	struct handle *h;

	if (m->checked_removals == removals + 1 || !process_trylock())
		return;
	for (h = load_acquire(&m->handles); r == m->region && h; h = h->next) {
		if (!h->incarnation)
			continue;
		s = region_series(r, h->series);
		if (load_acquire(&s->state) != SM_REC_LIVE || load_relaxed(&s->incarnation) != h->incarnation) {
			unbind_handle(h);
			m->pending = true;
		}
	}
	store_relaxed(&m->checked_removals, removals + 1);
	process_unlock();
}

bool writer_common_cell(struct sm *m, const struct region *r, uint32_t cell)
{
	uint64_t before = load_relaxed(&m->checked_removals);

	if (cell >= r->geo.zone_first[SM_ZONE_SET] && !(m->flags & SM_OPEN_COMMON))
		return false;
	if (r == load_acquire(&m->region))
		unbind_gone(m, r);
	/* Only the update that came upon the change may be on its way to a series that is gone. */
	return load_relaxed(&m->checked_removals) == before || writer_has_cell(m, r->number, cell);
}

/* m is a writer in r now. */
static void use_region(struct sm *m, struct region *r)
{
	struct sm_slot *s = region_slot(r, r->slot);

	m->number = r->number;
	m->slot = r->slot;
	m->incarnation = s->incarnation;
	memcpy(m->name, s->name, sizeof(m->name));
	m->name[sizeof(m->name) - 1] = '\0';
	if (r == m->region)
		return;
	if (m->region)
		forget_records(m);
	r->older = m->region;
	store_release(&m->region, r);	/* pairs with writer_slot(): what r says of us is there */
}

/* Take a slot in r and prepare lanes. Nothing is allocated. */
static int claim(struct sm *m, struct region *r)
{
	struct slot_identity who = { m->wanted, m->numbered, m->version, m->metadata, m->metadata_len };
	unsigned i;
	int fd, rc;

	if (m->flags & SM_OPEN_COMMON) {
		r->slot = 0;
		lanes_publish_shared(r->number, (char *)region_lane(r, sm_lane_number(&r->geo, 0, 0)));
		use_region(m, r);
		publish_handles(m);
		return 0;
	}
	fd = writer_lock(m, r);
	if (fd < 0)
		return fd;
	rc = slot_claim(r, fd, &who, &r->slot, &r->life);
	if (rc) {
		if (rc == -EUSERS)
			add_relaxed(&r->head->refused[SM_REFUSED_WRITERS_FULL], 1);
		catalog_unlock(r, fd);
		return rc;
	}
	hold_handles(m, r);
	/* Thread lanes first: the region counts as claimed from its shared lane on. */
	for (i = 1; !rc && i <= m->thread_lanes && i < r->geo.lanes_per_slot; i++)
		rc = prepare_lane(m, r, fd, i);
	if (!rc)
		rc = prepare_lane(m, r, fd, 0);
	catalog_unlock(r, fd);
	if (rc) {
		lanes_withdraw(r->number);
		life_drop(r->life);
		return rc;
	}
	use_region(m, r);
	publish_handles(m);
	return 0;
}

bool writer_claim_in_child(struct sm *m)
{
	bool ok = false;

	if (!process_trylock())
		return false;
	if (lanes_claimed(m->number))
		ok = true;
	else if (m->region)
		ok = claim(m, m->region) == 0;
	if (ok) {
		m->error = 0;
		m->message[0] = '\0';
	}
	process_unlock();
	return ok;
}

/* ---- binding ------------------------------------------------------------------------------ */

static int open_region(struct sm *m, struct region **ret, struct sm_diag *diag)
{
	struct region_options o = {
		.path = m->path, .create = m->create, .group = m->group,
		.lock_timeout_ms = patience_ms(m), .wish = m->wish,
	};
	struct region *r = calloc(1, sizeof(*r));
	int rc, number;

	if (!r) {
		sm_diag_set(diag, -ENOMEM, "out of memory");
		return -ENOMEM;
	}
	rc = region_open(r, &o, diag);
	remember_wait(m, rc);
	if (rc) {
		free(r);
		return rc;
	}
	number = lanes_region_new(m);
	if (number < 0) {
		region_close(r);
		free(r);
		sm_diag_set(diag, number,
			    "%s: this process has %d segments open, files that were removed under it included: restart it",
			    m->path, LANE_REGIONS - 1);
		return number;
	}
	r->number = (unsigned)number;
	*ret = r;
	return 0;
}

static void drop_region(struct region *r)
{
	bool mine = lanes_claimed(r->number);

	lanes_region_free(r->number);
	/* In a forked child that did not claim, the life page is not mapped: something else may be there. */
	if (mine)
		life_drop(r->life);
	region_close(r);
	free(r);
}

static int explain(const struct sm *m, const struct region *r, int rc, struct sm_diag *diag)
{
	if (rc == -EUSERS)
		return sm_diag_set(diag, -ENOSPC,
				   "%s: all %u writer slots are taken by live processes; create the segment with a larger max_writers",
				   m->path, r->geo.nslots - 1);
	if (rc == -ETIMEDOUT)
		return sm_diag_set(diag, rc, "%s: its lock was not free for %u ms; a process that holds it is stopped (see shardmeter doctor)",
				   m->path, m->lock_timeout_ms);
	if (rc == -ENOSPC)
		return sm_diag_set(diag, rc, "%s: the file system is full; enlarge it (docker: --shm-size) or run shardmeter gc",
				   m->path);
	if (rc == -ESTALE)
		return sm_diag_set(diag, rc, "%s was removed while it was opened; try again", m->path);
	return sm_diag_set(diag, rc, "%s: %s", m->path, strerror(-rc));
}

static int bind_now(struct sm *m, struct sm_diag *diag)
{
	struct region *r = m->region;
	int rc;

	diag->error = 0;
	diag->message[0] = '\0';
	if (!r || region_current(r) != 0) {
		rc = open_region(m, &r, diag);
		if (rc)
			return rc;
	}
	if (!lanes_claimed(r->number)) {
		rc = claim(m, r);
		if (rc) {
			rc = explain(m, r, rc, diag);
			/* Nobody saw it yet. (But a child keeps what it inherited: its updates go to
			 * the common writer meanwhile.) */
			if (r != m->region)
				drop_region(r);
			return rc;
		}
	}
	bind_all(m);
	return 0;
}

int writer_bind(struct sm *m)
{
	struct sm_diag diag;
	int rc;

	if (m->null)
		return m->error;
	if (m->region && !m->error && lanes_claimed(m->number) && region_current(m->region) == 0)
		return 0;
	rc = bind_now(m, &diag);
	m->error = rc;
	snprintf(m->message, sizeof(m->message), "%s", diag.message);
	return rc;
}

/* ---- heartbeat ---------------------------------------------------------------------------- */

/* First number of a line that starts with key in a small /proc file. */
static uint64_t proc_number(const char *path, const char *key)
{
	char text[2048], *p;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strstr(text, key);
	return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

static uint64_t count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 3 ? n - 3 : 0;	/* ".", ".." and the directory itself */
}

static void store_usage(struct sm_usage_rec *u)
{
	struct rlimit files = { 0, 0 };
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	getrlimit(RLIMIT_NOFILE, &files);
	store_relaxed(&u->cpu_user_ns, (uint64_t)ru.ru_utime.tv_sec * 1000000000u + (uint64_t)ru.ru_utime.tv_usec * 1000u);
	store_relaxed(&u->cpu_system_ns, (uint64_t)ru.ru_stime.tv_sec * 1000000000u + (uint64_t)ru.ru_stime.tv_usec * 1000u);
	store_relaxed(&u->resident_bytes, proc_number("/proc/self/status", "\nVmRSS:") * 1024);
	store_relaxed(&u->virtual_bytes, proc_number("/proc/self/status", "\nVmSize:") * 1024);
	store_relaxed(&u->threads, proc_number("/proc/self/status", "\nThreads:"));
	store_relaxed(&u->open_fds, count_fds());
	store_relaxed(&u->max_fds, (uint64_t)files.rlim_cur);
	store_release(&u->at_boot_ns, clock_ns(CLOCK_BOOTTIME));
}

int sm_heartbeat(struct sm *m)
{
	struct sm_slot *s;
	int rc;

	if (!m || m->null)
		return m ? m->error : -EINVAL;
	rc = process_lock();
	if (rc)
		return rc;
	rc = writer_bind(m);
	s = rc ? NULL : writer_slot(m);
	if (s && m->slot) {
		store_relaxed(&s->heartbeats, s->heartbeats + 1);
		store_release(&s->heartbeat_boot_ns, clock_ns(CLOCK_BOOTTIME));
		store_usage(&s->usage);
		if (lanes_wanted(m->number))
			writer_prepare_lanes(m, 1);
		if (!lanes_inline())
			publish_handles(m);	/* another writer of this process had it */
	}
	if (s)
		rebind_removed(m);
	if (s && m->pending)
		bind_all(m);
	process_unlock();
	return rc;
}

/* ---- closing ------------------------------------------------------------------------------ */

void sm_close(struct sm *m)
{
	struct region *r;

	if (!m || m->null || process_lock() != 0)
		return;
	unbind_all(m);
	if (m->slot && writer_slot(m))
		store_relaxed(&writer_slot(m)->exited_boot_ns, clock_ns(CLOCK_BOOTTIME));
	while ((r = m->region)) {
		store_release(&m->region, r->older);
		drop_region(r);
	}
	m->null = true;
	m->error = -ESHUTDOWN;
	snprintf(m->message, sizeof(m->message), "closed by sm_close()");
	process_unlock();
}

int sm_status(struct sm *m, struct sm_diag *diag)
{
	if (!m)
		return sm_diag_set(diag, -EINVAL, "no writer");
	return sm_diag_set(diag, m->error, "%s", m->message);
}

const char *sm_writer_name(struct sm *m)
{
	return m->region ? m->name : "";
}

const char *sm_segment_path(struct sm *m)
{
	return m->path;
}
