/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.c - see region.h.
 *
 * Creation. Without O_CREAT first, then O_CREAT|O_EXCL|O_NOFOLLOW. Whoever holds the catalog lock of
 * a file that is not READY fills it in, from the start; so a creator that dies anywhere leaves a file
 * that the next comer completes, and two creators at once are one. The state word is released
 * last: who sees READY sees all of the header.
 *
 * The file has its full size from the beginning, and no memory: pages are given by fallocate()
 * before anyone writes there, so a full tmpfs is an error of an open or resolve, never SIGBUS.
 */
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "diag.h"
#include "lock.h"
#include "steps.h"

static uint64_t clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int no_permission(const char *path, struct sm_diag *diag)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return sm_diag_set(diag, -EACCES,
				   "%s: no permission to look there; check the directories above it", path);
	return sm_diag_set(diag, -EACCES,
			   "%s belongs to uid %u, gid %u, mode %04o, and this is uid %u: run as that user, or create it with SHARDMETER_GROUP=<group of both users>",
			   path, st.st_uid, st.st_gid, st.st_mode & 07777, geteuid());
}

/* May be mapped for writing? Not what a stranger laid there for all: he could truncate it any time. One of
 * our user, of root, or one that its group lets us write, is of our trust domain. */
static bool is_trusted(const struct stat *st)
{
	uid_t me = geteuid();

	return me == 0 || st->st_uid == me || st->st_uid == 0 || !(st->st_mode & S_IWOTH);
}

static int open_existing(const char *path, struct sm_diag *diag)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 || errno == ENOENT)
		return fd >= 0 ? fd : -ENOENT;
	if (errno == EACCES || errno == EPERM)
		return no_permission(path, diag);
	if (errno == ELOOP)
		return sm_diag_set(diag, -ELOOP, "%s is a symbolic link; a segment must be the file itself", path);
	return sm_diag_set(diag, -errno, "%s: %s", path, strerror(errno));
}

static int open_new(const struct region_options *o, struct sm_diag *diag)
{
	mode_t mode = o->group == (gid_t)-1 ? 0640 : 0660;
	int fd = open(o->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		if (errno == EEXIST)
			return -EEXIST;
		if (errno == ENOENT)
			return sm_diag_set(diag, -ENOENT, "%s: the directory does not exist", o->path);
		return sm_diag_set(diag, -errno, "%s: cannot create: %s", o->path, strerror(errno));
	}
	SM_STEP("create:opened");
	/* A umask must not take the group's bits away. */
	if ((o->group != (gid_t)-1 && fchown(fd, (uid_t)-1, o->group) != 0) || fchmod(fd, mode) != 0) {
		sm_diag_set(diag, -errno, "%s: cannot give it to group %u: %s; be a member of that group",
			    o->path, o->group, strerror(errno));
		unlink(o->path);
		close(fd);
		return diag ? diag->error : -EPERM;
	}
	return fd;
}

/* A file that its creator left before it set the mode; only the owner can. */
static void finish_mode(int fd, const struct region_options *o)
{
	if (o->group != (gid_t)-1 && fchown(fd, (uid_t)-1, o->group) != 0)
		return;
	if (fchmod(fd, o->group == (gid_t)-1 ? 0640 : 0660) != 0)
		return;
}

static void read_boot_id(char *ret, size_t size)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, ret, size - 1) : 0;

	if (fd >= 0)
		close(fd);
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static int reserve_fd(int fd, uint64_t offset, uint64_t bytes)
{
	int rc;

	do
		rc = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes);
	while (rc != 0 && errno == EINTR);
	if (rc == 0)
		return 0;
	/* Not a tmpfs, and a file system without fallocate(): nothing to promise there. */
	return errno == EOPNOTSUPP ? 0 : -errno;
}

/* Fill in an empty file. The catalog lock is held. begun: another creator died in here. */
static int fill_in(int fd, const struct region_options *o, bool begun, struct sm_diag *diag)
{
	struct rlimit limit;
	struct sm_header h;
	struct sm_slot common;
	uint64_t eager;
	int rc;

	memset(&h, 0, sizeof(h));
	rc = sm_geometry_init(&h, &o->wish, diag);
	if (rc)
		return rc;
	h.magic = SM_MAGIC;
	h.endian = SM_ENDIAN_TAG;
	h.header_size = sizeof(h);
	h.major = SM_LAYOUT_MAJOR;
	h.minor = SM_LAYOUT_MINOR;
	h.state = SM_SEG_EMPTY;
	h.incompatible = SM_FEATURE_INCOMPATIBLE;
	h.ro_compatible = SM_FEATURE_RO_COMPATIBLE;
	h.compatible = SM_FEATURE_COMPATIBLE;
	h.created_real_ns = clock_of(CLOCK_REALTIME);
	h.created_boot_ns = clock_of(CLOCK_BOOTTIME);
	h.creator_uid = geteuid();
	if (getrandom(h.segment_id, sizeof(h.segment_id), 0) != sizeof(h.segment_id))
		return sm_diag_set(diag, -errno, "%s: no random numbers for it: %s", o->path, strerror(errno));
	read_boot_id(h.boot_id, sizeof(h.boot_id));
	h.families_used = h.series_used = 0;
	h.strings_used = 16;			/* offset 0 means none */
	h.cells_used[SM_ZONE_ADD] = 8;		/* nor is cell 0 given out; start on a cache line */
	h.cells_used[SM_ZONE_SET] = h.cells_used[SM_ZONE_LIVE] = 8;
	h.recovered[SM_OP_CREATE] = begun;

	memset(&common, 0, sizeof(common));
	common.state = SM_SLOT_COMMON;
	common.incarnation = 1;
	common.lanes = 1;
	common.uid = geteuid();
	common.claimed_boot_ns = common.first_boot_ns = h.created_boot_ns;
	strcpy(common.name, "common");

	eager = h.off_families;			/* header, slots, page maps, index */
	/* Beyond this limit ftruncate() is SIGXFSZ, which ends the program. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < h.file_bytes)
		return sm_diag_set(diag, -EFBIG,
				   "%s: a segment may grow to %llu bytes, and this process may make files of %llu (ulimit -f): raise it, or let another process create the segment",
				   o->path, (unsigned long long)h.file_bytes,
				   (unsigned long long)limit.rlim_cur);
	if (ftruncate(fd, 0) != 0 || ftruncate(fd, (off_t)h.file_bytes) != 0)
		return sm_diag_set(diag, -errno, "%s: cannot set its size to %llu bytes: %s", o->path,
				   (unsigned long long)h.file_bytes, strerror(errno));
	SM_STEP("create:sized");
	rc = reserve_fd(fd, 0, eager);
	if (!rc)
		rc = reserve_fd(fd, h.off_holds, h.hold_bytes);
	if (rc)
		return sm_diag_set(diag, rc, "%s: the file system has no %llu KiB free for a segment: %s; enlarge it (docker: --shm-size)",
				   o->path, (unsigned long long)eager / 1024, strerror(-rc));
	SM_STEP("create:reserved");
	if (pwrite(fd, &h, sizeof(h), 0) != sizeof(h) ||
	    pwrite(fd, &common, sizeof(common), (off_t)h.off_slots) != sizeof(common))
		return sm_diag_set(diag, -errno, "%s: cannot write: %s", o->path, strerror(errno));
	SM_STEP("create:filled");
	/*
	 * Publish. The writes above are system calls on the same file, seen in order by pread;
	 * mapped openers acquire the state word. Killed before: the next comer starts over.
	 */
	h.state = SM_SEG_READY;
	if (pwrite(fd, &h.state, sizeof(h.state), offsetof(struct sm_header, state)) != sizeof(h.state))
		return sm_diag_set(diag, -errno, "%s: cannot write: %s", o->path, strerror(errno));
	SM_STEP("create:ready");
	return 0;
}

static int map_file(struct region *r, int fd, struct sm_diag *diag)
{
	struct stat st;
	struct sm_header h;
	ssize_t n;
	int rc;

	if (fstat(fd, &st) != 0)
		return sm_diag_set(diag, -errno, "%s: %s", r->path, strerror(errno));
	n = pread(fd, &h, sizeof(h), 0);
	if (n != sizeof(h))
		return sm_diag_set(diag, -EBADMSG, "%s is too short for a segment", r->path);
	rc = sm_geometry_check(&h, (uint64_t)st.st_size, r->path, diag);
	r->other_major = rc == -EPROTONOSUPPORT && h.endian == SM_ENDIAN_TAG && h.major != SM_LAYOUT_MAJOR;
	if (rc)
		return rc;
	if (h.ro_compatible & ~SM_FEATURE_RO_COMPATIBLE)
		return sm_diag_set(diag, -EPROTONOSUPPORT,
				   "%s: layout %u.%u has features 0x%x that writers of layout %d.%d must not touch",
				   r->path, h.major, h.minor, h.ro_compatible, SM_LAYOUT_MAJOR, SM_LAYOUT_MINOR);
	r->geo = h;
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	r->base = mmap(NULL, h.file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (r->base == MAP_FAILED) {
		r->base = NULL;
		return sm_diag_set(diag, -errno, "%s: cannot map %llu MiB of address space: %s; make the segment smaller (max_cells, max_writers) or raise ulimit -v",
				   r->path, (unsigned long long)h.file_bytes >> 20, strerror(errno));
	}
	madvise(r->base, h.file_bytes, MADV_DONTDUMP);
	r->head = (struct sm_header *)(void *)r->base;
	return 0;
}

/* Wait for the catalog lock of a file that need not be mapped (or even filled in) yet. */
static int lock_plain(int fd, unsigned timeout_ms)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SM_LOCK_CATALOG, .l_len = 1 };
	uint64_t until = clock_of(CLOCK_MONOTONIC) + timeout_ms * UINT64_C(1000000);
	struct timespec pause = { 0, 200000 };

	while (fcntl(fd, F_OFD_SETLK, &fl) != 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return -errno;
		if (clock_of(CLOCK_MONOTONIC) >= until)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/*
 * 0: to be filled in; 1: it is ready, or never was ours; -errno. What a creator that died leaves is an
 * empty file, a first page of zeros, or a header in state EMPTY. Any other file is somebody's.
 */
static int ready(int fd)
{
	static const struct sm_header zeros;
	struct sm_header h;
	ssize_t n = pread(fd, &h, sizeof(h), 0);

	if (n <= 0)
		return n < 0 ? -errno : 0;
	if (n != sizeof(h))
		return 1;
	if (memcmp(&h, &zeros, sizeof(h)) == 0)
		return 0;
	return h.magic != SM_MAGIC || h.state != SM_SEG_EMPTY;
}

static int cannot_read(const char *path, int error, struct sm_diag *diag)
{
	return sm_diag_set(diag, -error, "%s: cannot read: %s", path, strerror(error));
}

/* Complete an empty file, or find that another did. */
static int make_ready(int fd, const struct region_options *o, struct sm_diag *diag)
{
	struct stat st;
	int rc;

	rc = ready(fd);
	if (rc > 0)
		return 0;
	if (rc < 0 || fstat(fd, &st) != 0)
		return cannot_read(o->path, rc < 0 ? -rc : errno, diag);
	if (!o->create)
		return sm_diag_set(diag, -ENOENT, "%s is not ready: its creator has not finished", o->path);
	rc = lock_plain(fd, o->lock_timeout_ms);
	if (rc)
		return sm_diag_set(diag, rc, "%s: its creator has held the lock for %u ms: is it stopped?",
				   o->path, o->lock_timeout_ms);
	SM_STEP("create:locked");
	rc = ready(fd);
	if (rc > 0)
		return 0;
	if (rc < 0 || fstat(fd, &st) != 0)
		return cannot_read(o->path, rc < 0 ? -rc : errno, diag);
	if (st.st_uid == geteuid())
		finish_mode(fd, o);
	/* The size is the first thing that a creator sets. */
	rc = fill_in(fd, o, st.st_size != 0, diag);
	if (rc && ftruncate(fd, 0) != 0)	/* what memory it took is of no use to anyone */
		return rc;
	return rc;
}

static void warn_file_system(int fd, const char *path, struct sm_diag *diag)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC && (unsigned long)fs.f_type != RAMFS_MAGIC)
		sm_diag_set(diag, 0, "%s is not on a tmpfs: updates may wait for the disk; use /dev/shm or /run", path);
}

/* Does its creator just give it to its group? See open_new(). */
static bool is_being_made(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0 && (st.st_mode & 07777) == 0600;
}

static int open_path(struct region *r, const struct region_options *o, struct sm_diag *diag)
{
	struct stat st;
	unsigned naps = 0, tries;
	bool making = true;
	int fd, rc;

	sm_diag_set(diag, 0, "%s", "");
	memset(r, 0, sizeof(*r));
	snprintf(r->path, sizeof(r->path), "%s", o->path);
	/* A bad wish must not leave an empty file behind. */
	rc = sm_geometry_init(&r->geo, &o->wish, diag);
	if (rc)
		return rc;
	for (tries = 0, fd = -ENOENT; fd == -ENOENT && tries < 8;) {
		fd = open_existing(o->path, diag);
		if (fd == -EACCES && making && naps++ < o->lock_timeout_ms) {
			/* Its creator may be through by now: one more try after the last look. */
			making = is_being_made(o->path);
			nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
			fd = -ENOENT;
			continue;
		}
		tries++;
		if (fd == -ENOENT) {
			if (!o->create)
				return sm_diag_set(diag, -ENOENT, "no segment at %s", o->path);
			fd = open_new(o, diag);
			if (fd == -EEXIST)
				fd = -ENOENT;	/* made by another just now: open it */
			else if (fd == -ENOENT)
				return fd;
		}
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return sm_diag_set(diag, -EBADMSG, "%s is not a regular file", o->path);
	}
	if (!is_trusted(&st)) {
		close(fd);
		return sm_diag_set(diag, -EACCES,
				   "%s belongs to uid %u and everyone may write it (mode %04o): whoever made it is not trusted; remove it, or use another SHARDMETER_SEGMENT",
				   o->path, st.st_uid, st.st_mode & 07777);
	}
	rc = make_ready(fd, o, diag);
	/* The mapping keeps this description alive, and with it the lock of make_ready(). */
	fcntl(fd, F_OFD_SETLK, &(struct flock){ .l_type = F_UNLCK, .l_whence = SEEK_SET });
	if (!rc)
		rc = map_file(r, fd, diag);
	if (!rc)
		warn_file_system(fd, o->path, diag);
	close(fd);
	return rc;
}

void region_close(struct region *r)
{
	if (r->base)
		munmap(r->base, r->geo.file_bytes);
	r->base = NULL;
	r->head = NULL;
}

/* Tell readers of the old file where writers went. The first 40 bytes are the same in every major. */
static void supersede(const char *path)
{
	struct sm_header h;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd >= 0 ? pread(fd, &h, offsetof(struct sm_header, slot_size), 0) : 0;

	if (n == (ssize_t)offsetof(struct sm_header, slot_size) && h.magic == SM_MAGIC &&
	    h.endian == SM_ENDIAN_TAG && h.major < SM_LAYOUT_MAJOR && h.state == SM_SEG_READY) {
		h.superseded_by = SM_LAYOUT_MAJOR;
		h.state = SM_SEG_SUPERSEDED;
		if (pwrite(fd, &h.superseded_by, 4, offsetof(struct sm_header, superseded_by)) == 4)
			(void)!pwrite(fd, &h.state, 4, offsetof(struct sm_header, state));
	}
	if (fd >= 0)
		close(fd);
}

/* Another layout major is another file beside it: "name" and "name.layout2". */
int region_open(struct region *r, const struct region_options *o, struct sm_diag *diag)
{
	struct region_options beside = *o;
	struct sm_diag first;
	char path[SM_PATH_MAX];
	int rc = open_path(r, o, &first);

	if (rc == -EPROTONOSUPPORT && r->other_major &&
	    snprintf(path, sizeof(path), "%s.layout%d", o->path, SM_LAYOUT_MAJOR) < (int)sizeof(path)) {
		beside.path = path;
		rc = open_path(r, &beside, diag);
		if (!rc)
			supersede(o->path);
		/* Without a file beside it, it is the old one's layout that is worth a word. */
		if (rc != -ENOENT)
			return rc;
		rc = -EPROTONOSUPPORT;
	}
	sm_diag_set(diag, first.error, "%s", first.message);
	return rc;
}

int region_reopen(const struct region *r)
{
	struct stat st;
	int fd = open(r->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENOTDIR ? -ESTALE : -errno;
	if (fstat(fd, &st) == 0 && st.st_dev == r->dev && st.st_ino == r->ino)
		return fd;
	close(fd);
	return -ESTALE;
}

int region_current(const struct region *r)
{
	struct stat st;

	if (stat(r->path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ? -ESTALE : 0;
	return st.st_dev == r->dev && st.st_ino == r->ino ? 0 : -ESTALE;
}

int region_reserve(const struct region *r, int fd, uint64_t offset, uint64_t bytes)
{
	(void)r;
	return reserve_fd(fd, offset, bytes);
}

int region_reserve_cells(const struct region *r, int fd, unsigned lane, uint32_t cell, uint32_t n)
{
	uint64_t *map = region_pagemap(r, lane);
	uint32_t per_page = SM_PAGE / 8, page, last = (cell + n - 1) / per_page, first, p;
	int own = -1, rc = 0;

	for (page = cell / per_page; page <= last; page++) {
		if (region_page_reserved(r, lane, page))
			continue;
		first = page;
		while (page < last && !region_page_reserved(r, lane, page + 1))
			page++;
		if (fd < 0) {
			fd = own = region_reopen(r);
			if (fd < 0)
				return fd;
		}
		rc = reserve_fd(fd, sm_lane_offset(&r->geo, lane) + (uint64_t)first * SM_PAGE,
				(uint64_t)(page - first + 1) * SM_PAGE);
		if (rc)
			break;
		SM_STEP("reserve:allocated");
		/* Published after the memory is there; readers use it to skip holes. */
		for (p = first; p <= page; p++)
			fetch_or_full(&map[p / 64], UINT64_C(1) << (p % 64));
	}
	if (own >= 0)
		close(own);
	return rc;
}

int region_release_lane(const struct region *r, int fd, unsigned lane)
{
	uint64_t *map = region_pagemap(r, lane);
	uint32_t words = r->geo.pagemap_bytes / 8, i;
	bool any = false;

	for (i = 0; i < words; i++)
		any |= load_relaxed(&map[i]) != 0;
	if (!any)
		return 0;
	/* Memory first, map last: a death between leaves bits that cost a reader some zeros; the
	 * caller's recovery comes here again. */
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)sm_lane_offset(&r->geo, lane),
		      (off_t)r->geo.cells * 8) != 0) {
		uint32_t p, pages = r->geo.cells / (SM_PAGE / 8);

		for (p = 0; p < pages; p++)
			if (region_page_reserved(r, lane, p))
				memset(region_lane(r, lane) + p * (SM_PAGE / 8), 0, SM_PAGE);
		return 0;
	}
	SM_STEP("release:punched");
	for (i = 0; i < words; i++)
		store_release(&map[i], 0);
	return 0;
}
