/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.c - sm_gc(): what writers do at claim and register, on demand. Takes no slot.
 */
#include <errno.h>
#include <shardmeter_reader.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog.h"
#include "diag.h"
#include "geometry.h"
#include "lock.h"
#include "slot.h"

#define LOCK_TIMEOUT_MS 5000u

static uint64_t recoveries(const struct region *r)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < SM_OP_COUNT; i++)
		n += load_relaxed(&r->head->recovered[i]);
	return n;
}

static uint64_t allocated(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static int fold_the_dead(const struct region *r, int fd, uint64_t before_boot_ns, unsigned *ret_folded)
{
	uint64_t last;
	uint32_t i;
	int rc;

	for (i = 1; i < r->geo.nslots; i++) {
		if (!slot_dead(r, fd, i, &last) || last > before_boot_ns)
			continue;
		rc = slot_fold(r, fd, i);
		if (rc)
			return rc;
		++*ret_folded;
	}
	return 0;
}

static void ignore(void *ctx, const char *finding)
{
	(void)ctx;
	(void)finding;
}

/* What a death left half done is ours to mend; with anything else wrong, folding would spread it. */
static bool is_sound(const struct region *r, const char *path)
{
	return load_acquire(&r->head->op) != SM_OP_NONE || sm_check(path, ignore, NULL, NULL) <= 0;
}

int sm_gc(const char *segment, unsigned min_age_s, struct sm_gc_result *ret, struct sm_diag *diag)
{
	struct region_options o = { .group = (gid_t)-1, .lock_timeout_ms = LOCK_TIMEOUT_MS };
	uint64_t now = clock_ns(CLOCK_BOOTTIME), age = min_age_s * UINT64_C(1000000000), before, after, mended;
	char path[SM_PATH_MAX];
	struct region r;
	int fd, rc;

	memset(ret, 0, sizeof(*ret));
	if (!segment || !*segment)
		segment = getenv("SHARDMETER_SEGMENT");
	rc = sm_path_for(segment, path, sizeof(path), diag);
	if (rc)
		return rc;
	o.path = path;
	rc = region_open(&r, &o, diag);
	if (rc)
		return rc;
	if (!is_sound(&r, path)) {
		region_close(&r);
		return sm_damaged(diag, path, "damaged, see shardmeter check");
	}
	mended = recoveries(&r);
	fd = catalog_lock(&r, LOCK_TIMEOUT_MS);
	if (fd < 0) {
		region_close(&r);
		return sm_diag_set(diag, fd, "%s: its lock was not free for %u s; a process that holds it is stopped",
				   path, LOCK_TIMEOUT_MS / 1000);
	}
	before = allocated(fd);
	ret->recovered = (unsigned)(recoveries(&r) - mended);
	rc = fold_the_dead(&r, fd, now > age ? now - age : 0, &ret->writers);
	if (!rc)
		ret->series = catalog_sweep(&r, fd, now);
	after = allocated(fd);
	ret->bytes = before > after ? before - after : 0;
	catalog_unlock(&r, fd);
	region_close(&r);
	return rc ? sm_diag_set(diag, rc, "%s: %s", path, strerror(-rc)) : sm_diag_set(diag, 0, "%s", "");
}
