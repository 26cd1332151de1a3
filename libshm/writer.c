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

struct older_region {
	struct older_region *next;
	struct region *region;
	unsigned number;
	void *life;
};

struct sm_slot *writer_slot(struct sm *m)
{
	return m->region && lanes_claimed(m->number) ? region_slot(m->region, m->slot) : NULL;
}

void writer_refuse(struct sm *m, unsigned reason)
{
	struct sm_slot *s;

	if (!m || !m->region || reason >= SM_REFUSED_COUNT)
		return;
	s = writer_slot(m);
	if (s && m->slot)
		add_relaxed(&s->refused[reason], 1);
	else
		add_relaxed(&m->region->head->refused[reason], 1);
}

/* ---- lanes -------------------------------------------------------------------------------- */

/* Memory in lane i for everything this process has resolved. */
static int reserve_for_handles(struct sm *m, int fd, unsigned i)
{
	unsigned lane = sm_lane_number(&m->region->geo, m->slot, i);
	struct handle *h;
	uint32_t cell, n;
	int rc;

	for (h = load_acquire(&m->handles); h; h = h->next) {
		if (!h->incarnation || WHERE_ENTRY(h->place) / 2 != m->number)
			continue;
		if (i && (WHERE_ENTRY(h->place) & 1))
			continue;		/* a gauge: only in the shared lane */
		cell = WHERE_BYTE(h->place) / 8;
		n = handle_cells(h);
		rc = region_reserve_cells(m->region, fd, lane, cell, n);
		if (rc)
			return rc;
	}
	return 0;
}

static int prepare_lane(struct sm *m, int fd, unsigned i)
{
	unsigned lane = sm_lane_number(&m->region->geo, m->slot, i);
	struct sm_slot *s = region_slot(m->region, m->slot);
	int rc = reserve_for_handles(m, fd, i);

	if (rc)
		return rc;
	fetch_or_full(&s->lanes, UINT64_C(1) << i);
	SM_STEP("claim:lane");
	if (i)
		lanes_publish(m->number, i, (char *)region_lane(m->region, lane));
	else
		lanes_publish_shared(m->number, (char *)region_lane(m->region, lane));
	return 0;
}

int writer_prepare_lanes(struct sm *m, unsigned wanted_free)
{
	unsigned i = lanes_prepared(m->number) + 1;
	int rc = 0;

	if (m->flags & SM_OPEN_COMMON)
		return 0;
	for (; !rc && i < m->region->geo.lanes_per_slot && lanes_free(m->number) < wanted_free; i++)
		rc = prepare_lane(m, -1, i);
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

static void hold_handles(struct sm *m)
{
	struct sm_family *f;
	struct handle *h;

	for (f = load_acquire(&m->families); f; f = f->next)
		if (f->incarnation)
			fetch_or_full(&region_holds(m->region, m->slot)[f->record / 64],
				      UINT64_C(1) << (f->record % 64));
	for (h = load_acquire(&m->handles); h; h = h->next)
		if (h->incarnation && WHERE_ENTRY(h->place) / 2 == m->number)
			series_hold(m->region, m->slot, h->series, h->incarnation);
}

/* Take a slot in m->region and prepare lanes. Nothing is allocated. */
static int claim(struct sm *m)
{
	struct slot_identity who = { m->wanted, m->numbered, m->version, m->metadata, m->metadata_len };
	unsigned i;
	int fd, rc;

	if (m->flags & SM_OPEN_COMMON) {
		m->slot = 0;
		m->incarnation = region_slot(m->region, 0)->incarnation;
		strcpy(m->name, "common");
		lanes_publish_shared(m->number, (char *)region_lane(m->region, sm_lane_number(&m->region->geo, 0, 0)));
		return 0;
	}
	fd = catalog_lock(m->region, m->lock_timeout_ms);
	if (fd < 0)
		return fd;
	rc = slot_claim(m->region, fd, &who, &m->slot, &m->life);
	if (rc) {
		catalog_unlock(m->region, fd);
		return rc;
	}
	m->incarnation = region_slot(m->region, m->slot)->incarnation;
	memcpy(m->name, region_slot(m->region, m->slot)->name, sizeof(m->name));
	m->name[sizeof(m->name) - 1] = '\0';
	hold_handles(m);
	/* Thread lanes first: the region counts as claimed from its shared lane on. */
	for (i = 1; !rc && i <= m->thread_lanes && i < m->region->geo.lanes_per_slot; i++)
		rc = prepare_lane(m, fd, i);
	if (!rc)
		rc = prepare_lane(m, fd, 0);
	catalog_unlock(m->region, fd);
	if (rc) {
		lanes_withdraw(m->number);
		life_drop(m->life);
		m->life = NULL;
	}
	return rc;
}

bool writer_claim_in_child(struct sm *m)
{
	bool ok = false;

	if (!process_trylock())
		return false;
	if (lanes_claimed(m->number))
		ok = true;
	else if (m->region && !m->error)
		ok = claim(m) == 0;
	process_unlock();
	return ok;
}

/* ---- binding ------------------------------------------------------------------------------ */

static int open_region(struct sm *m, struct sm_diag *diag)
{
	struct region_options o = {
		.path = m->path, .create = m->create, .group = m->group,
		.lock_timeout_ms = m->lock_timeout_ms, .wish = m->wish,
	};
	struct region *r = calloc(1, sizeof(*r));
	int rc, number;

	if (!r)
		return sm_diag_set(diag, -ENOMEM, "out of memory");
	rc = region_open(r, &o, diag);
	if (rc) {
		free(r);
		return rc;
	}
	number = lanes_region_new(m);
	if (number < 0) {
		region_close(r);
		free(r);
		return sm_diag_set(diag, number,
				   "%s was removed and made anew %d times under this process: restart it", m->path,
				   LANE_REGIONS - 1);
	}
	m->number = (unsigned)number;
	m->region = r;
	return 0;
}

/* The file was removed or replaced: keep what threads may still write to. */
static int set_aside(struct sm *m)
{
	struct older_region *o = malloc(sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->region = m->region;
	o->number = m->number;
	o->life = m->life;
	o->next = m->older;
	m->older = o;
	m->region = NULL;
	m->life = NULL;
	return 0;
}

static int explain(struct sm *m, int rc, struct sm_diag *diag)
{
	if (rc == -EUSERS)
		return sm_diag_set(diag, -ENOSPC,
				   "%s: all %u writer slots are taken by live processes; create the segment with a larger max_writers",
				   m->path, m->region->geo.nslots - 1);
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
	struct region *old = NULL;
	unsigned old_slot = m->slot;
	int rc = 0;

	diag->error = 0;
	diag->message[0] = '\0';
	if (m->region && region_current(m->region) != 0) {
		old = m->region;
		rc = set_aside(m);
		if (rc)
			return sm_diag_set(diag, rc, "out of memory");
	}
	if (!m->region)
		rc = open_region(m, diag);
	if (rc)
		return rc;
	if (!lanes_claimed(m->number)) {
		rc = claim(m);
		if (rc)
			return explain(m, rc, diag);
	}
	bind_all(m, old, old_slot);
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
	if (rc && m->region && !lanes_claimed(m->number)) {
		/* Half bound is not bound: the next try begins anew. */
		if (m->life)
			life_drop(m->life);
		m->life = NULL;
		lanes_region_free(m->number);
		region_close(m->region);
		free(m->region);
		m->region = NULL;
		unbind_all(m);
	}
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
	}
	if (s)
		rebind_removed(m);
	if (s && m->pending)
		bind_all(m, NULL, 0);
	process_unlock();
	return rc;
}

/* ---- closing ------------------------------------------------------------------------------ */

void sm_close(struct sm *m)
{
	struct older_region *o;

	if (!m || m->null || process_lock() != 0)
		return;
	unbind_all(m);
	if (m->region) {
		if (m->slot && writer_slot(m))
			store_relaxed(&writer_slot(m)->exited_boot_ns, clock_ns(CLOCK_BOOTTIME));
		lanes_region_free(m->number);
		life_drop(m->life);
		region_close(m->region);
		free(m->region);
		m->region = NULL;
		m->life = NULL;
	}
	while ((o = m->older)) {
		m->older = o->next;
		lanes_region_free(o->number);
		life_drop(o->life);
		region_close(o->region);
		free(o->region);
		free(o);
	}
	m->null = true;
	m->error = -ESHUTDOWN;
	snprintf(m->message, sizeof(m->message), "closed by sm_close()");
	process_unlock();
}

int sm_status(struct sm *m, struct sm_diag *diag)
{
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
