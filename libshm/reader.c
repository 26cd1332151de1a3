/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.c - attaching to a segment, and every access to its file.
 *
 * A reader trusts nothing. It preads (a mapping would fault on truncation and allocate the holes of
 * a sparse file) into aligned buffers, checks the header once, and from then on uses its own copy
 * of the geometry: a header that changes afterwards is damage. Counts that stand in the segment are
 * believed only up to the memory that the file really has, so a small hostile file cannot make a
 * reader allocate or read gigabytes.
 *
 * What a reader does to a segment: nothing. Queries of the life locks are F_OFD_GETLK with
 * F_RDLCK, which takes no lock and works on a read-only descriptor.
 */
#include "reader_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "atomics.h"
#include "catalog_read.h"
#include "diag.h"
#include "lock.h"
#include "paths.h"
#include "snapshot.h"

struct segment_facts *sm_facts_ref(struct segment_facts *f)
{
	add_relaxed(&f->refs, 1);
	return f;
}

void sm_facts_unref(struct segment_facts *f)
{
	if (f && __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(f);
}

int sm_reader_pread(const struct sm_reader *r, void *ret_bytes, size_t len, uint64_t offset,
		    struct sm_diag *diag)
{
	char *to = ret_bytes;
	ssize_t n;

	while (len) {
		n = pread(r->fd, to, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sm_diag_set(diag, -errno, "%s: cannot read: %s", r->facts->path,
					   strerror(errno));
		if (n == 0)
			return sm_diag_set(
				diag, -EBADMSG,
				"%s: truncated at byte %llu; remove it, writers make a new one",
				r->facts->path, (unsigned long long)offset);
		to += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	/* Pairs with the release stores of writers: what was published before what is in this
	 * copy is seen by the next one. */
	fence_acquire();
	return 0;
}

int sm_reader_header(const struct sm_reader *r, struct sm_header *ret_header, struct sm_diag *diag)
{
	const char *now = (const char *)ret_header, *then = (const char *)&r->geo;
	size_t first = offsetof(struct sm_header, slot_size),
	       end = offsetof(struct sm_header, created_boot_ns);
	int rc = sm_reader_pread(r, ret_header, sizeof(*ret_header), 0, diag);

	if (rc)
		return rc;
	if (ret_header->magic != r->geo.magic || ret_header->major != r->geo.major ||
	    memcmp(now + first, then + first, end - first) != 0)
		return sm_diag_set(diag, -EBADMSG,
				   "%s: the header was overwritten after it had been checked",
				   r->facts->path);
	return 0;
}

int sm_reader_measure(struct sm_reader *r, struct sm_diag *diag)
{
	struct statfs fs;
	struct stat st;

	if (fstat(r->fd, &st) != 0)
		return sm_diag_set(diag, -errno, "%s: %s", r->facts->path, strerror(errno));
	r->allocated = (uint64_t)st.st_blocks * 512;
	r->fs_free = r->fs_total = 0;
	if (fstatfs(r->fd, &fs) == 0) {
		r->fs_free = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
		r->fs_total = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
		/* Others may count no blocks for pages that they hold (compression). */
		if (fs.f_type != TMPFS_MAGIC && (unsigned long)fs.f_type != RAMFS_MAGIC)
			r->allocated = (uint64_t)st.st_size < UINT64_C(1) << 30
					       ? (uint64_t)st.st_size
					       : UINT64_C(1) << 30;
	}
	return 0;
}

int sm_reader_afford(struct sm_reader *r, uint64_t bytes, const char *what, struct sm_diag *diag)
{
	int rc;

	if (bytes <= r->allocated + READER_SLACK)
		return 0;
	rc = sm_reader_measure(r, diag);	/* it may have grown since */
	if (rc || bytes <= r->allocated + READER_SLACK)
		return rc;
	return sm_diag_set(diag, -EBADMSG,
			   "%s: damaged: claims %llu bytes of %s, but the file holds only %llu",
			   r->facts->path, (unsigned long long)bytes, what,
			   (unsigned long long)r->allocated);
}

/* ---- attaching ---------------------------------------------------------------------------- */

static bool all_zero(const void *p, size_t n)
{
	const char *c = p;
	size_t i;

	for (i = 0; i < n; i++)
		if (c[i])
			return false;
	return true;
}

/* Text of a write-once field for people: printable ASCII only, NUL-terminated. */
static void copy_printable(char *to, const char *from, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size && from[i] > ' ' && from[i] < 127; i++)
		to[i] = from[i];
	to[i] = '\0';
}

static struct segment_facts *new_facts(const struct sm_header *h, const struct stat *st,
				       const char *path)
{
	size_t len = strlen(path) + 1;
	struct segment_facts *f = calloc(1, sizeof(*f) + len);

	if (!f)
		return NULL;
	f->refs = 1;
	memcpy(f->path, path, len);
	f->pub.path = f->path;
	f->pub.layout_major = h->major;
	f->pub.layout_minor = h->minor;
	memcpy(f->pub.segment_id, h->segment_id, sizeof(f->pub.segment_id));
	copy_printable(f->pub.boot_id, h->boot_id, sizeof(f->pub.boot_id));
	f->pub.created_real_ns = h->created_real_ns;
	f->pub.uid = st->st_uid;
	f->pub.gid = st->st_gid;
	f->pub.mode = st->st_mode & 07777;
	f->pub.file_bytes = (uint64_t)st->st_size;
	f->pub.max_writers = h->nslots - 1;	/* slot 0 is the common writer's */
	f->pub.lanes_per_writer = h->lanes_per_slot;
	f->pub.max_families = h->nfamilies;
	f->pub.max_series = h->nseries;
	f->pub.max_cells = h->cells;
	return f;
}

/* Is this a segment, and one that we can read? 0, SM_NOT_READY, -errno. */
static int check_header(int fd, const char *path, struct sm_header *ret_header,
			struct stat *ret_stat, struct sm_diag *diag)
{
	char text[64];
	ssize_t n;
	int rc;

	memset(ret_header, 0, sizeof(*ret_header));
	if (fstat(fd, ret_stat) != 0)
		return sm_diag_set(diag, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(ret_stat->st_mode))
		return sm_diag_set(diag, -EBADMSG, "%s is not a regular file", path);
	n = pread(fd, ret_header, sizeof(*ret_header), 0);
	if (n < 0)
		return sm_diag_set(diag, -errno, "%s: cannot read: %s", path, strerror(errno));
	fence_acquire();
	/* Between creation and READY: nothing written yet, or all but the state. */
	if (all_zero(ret_header, sizeof(*ret_header)) ||
	    (ret_header->magic == SM_MAGIC && ret_header->state == SM_SEG_EMPTY)) {
		sm_diag_set(diag, 0, "%s is not ready: its creator has not finished", path);
		return SM_NOT_READY;
	}
	if (n < (ssize_t)sizeof(*ret_header))
		return sm_diag_set(diag, -EBADMSG, "%s is too short for a segment", path);
	rc = sm_geometry_check(ret_header, (uint64_t)ret_stat->st_size, path, diag);
	if (rc)
		return rc;
	if (ret_header->state != SM_SEG_READY && ret_header->state != SM_SEG_SUPERSEDED) {
		snprintf(text, sizeof(text), "damaged header: state is %u", ret_header->state);
		return sm_damaged(diag, path, text);
	}
	return 0;
}

int sm_reader_open_fd(int fd, const char *path, struct sm_reader **ret_reader, struct sm_diag *diag)
{
	struct sm_header h;
	struct sm_reader *r;
	struct stat st;
	int rc = check_header(fd, path, &h, &st, diag);

	if (rc) {
		close(fd);
		return rc;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		close(fd);
		return sm_diag_set(diag, -ENOMEM, "no memory");
	}
	r->fd = fd;
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	r->geo = h;
	r->facts = new_facts(&h, &st, path);
	r->chunk = aligned_alloc(64, READER_CHUNK);
	if (!r->facts || !r->chunk) {
		sm_reader_close(r);
		return sm_diag_set(diag, -ENOMEM, "no memory");
	}
	rc = sm_reader_measure(r, diag);
	/* Slots and page maps are reserved at creation, whatever is used of them. */
	if (!rc)
		rc = sm_reader_afford(r, (uint64_t)h.nslots * sizeof(struct sm_slot), "slots",
				      diag);
	if (!rc)
		rc = sm_reader_afford(r, (uint64_t)h.lanes_per_slot * h.pagemap_bytes, "page maps",
				      diag);
	if (!rc) {
		r->slots = calloc((size_t)h.nslots + 1, sizeof(*r->slots));
		r->pagemaps = calloc((size_t)h.lanes_per_slot + 1, h.pagemap_bytes + 8);
		if (!r->slots || !r->pagemaps)
			rc = sm_diag_set(diag, -ENOMEM, "no memory");
	}
	if (rc) {
		sm_reader_close(r);
		return rc;
	}
	*ret_reader = r;
	return 0;
}

static int no_permission(const char *path, struct sm_diag *diag)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return sm_diag_set(
			diag, -EACCES,
			"%s: no permission to look there; check the directories above it", path);
	return sm_diag_set(
		diag, -EACCES,
		"%s belongs to uid %u, gid %u, mode %04o, and this is uid %u: "
		"run as that user or in that group, or let the writers create it "
		"with SHARDMETER_GROUP=<group of both>",
		path, st.st_uid, st.st_gid, st.st_mode & 07777, geteuid());
}

static int open_path(const char *path, struct sm_reader **ret_reader, struct sm_diag *diag)
{
	int fd;

	do
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0)
		return sm_reader_open_fd(fd, path, ret_reader, diag);
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return sm_diag_set(diag, -ENOENT, "no segment at %s", path);
	case EACCES:
	case EPERM:
		return no_permission(path, diag);
	case ELOOP:
		return sm_diag_set(diag, -ELOOP,
				   "%s is a symbolic link; a segment must be the file itself",
				   path);
	default:
		return sm_diag_set(diag, -errno, "%s: %s", path, strerror(errno));
	}
}

int sm_reader_open(const char *segment, struct sm_reader **ret_reader, struct sm_diag *diag)
{
	char path[SM_PATH_MAX], beside[SM_PATH_MAX];
	struct stat st;
	int rc;

	sm_diag_set(diag, 0, "%s", "");
	if (!segment || !*segment)
		segment = getenv("SHARDMETER_SEGMENT");
	rc = sm_path_for(segment, path, sizeof(path), diag);
	if (rc)
		return rc;
	rc = open_path(path, ret_reader, diag);
	/* Writers of our layout may have their own file beside one of another: see region.c. */
	if (rc == -EPROTONOSUPPORT &&
	    snprintf(beside, sizeof(beside), "%s.layout%d", path, SM_LAYOUT_MAJOR) <
		    (int)sizeof(beside) &&
	    lstat(beside, &st) == 0)
		rc = open_path(beside, ret_reader, diag);
	return rc;
}

void sm_reader_close(struct sm_reader *r)
{
	if (!r)
		return;
	close(r->fd);
	sm_facts_unref(r->facts);
	sm_catalog_unref(r->catalog);
	sm_snap_data_unref(r->last);
	free(r->doubles);
	free(r->slots);
	free(r->pagemaps);
	free(r->chunk);
	free(r);
}

int sm_reader_current(struct sm_reader *r)
{
	struct stat st;

	if (lstat(r->facts->path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ? 1 : -errno;
	return st.st_dev == r->dev && st.st_ino == r->ino ? 0 : 2;
}

int sm_reader_live_writers(struct sm_reader *r)
{
	struct flock all = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = SM_LOCK_LIFE(1),
			     .l_len = (off_t)r->geo.nslots - 1 };
	unsigned i;
	int n = 0, held;

	/* Most often asked when nobody is left: one query says that. */
	if (fcntl(r->fd, F_OFD_GETLK, &all) != 0)
		return -errno;
	if (all.l_type == F_UNLCK)
		return 0;
	for (i = 1; i < r->geo.nslots; i++) {
		held = life_held(r->fd, i);
		if (held < 0)
			return held;
		n += held;
	}
	return n;
}

const struct sm_segment_info *sm_reader_info(struct sm_reader *r)
{
	return &r->facts->pub;
}
