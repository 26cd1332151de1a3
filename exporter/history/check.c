/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - look at a whole store, and copy one; see check.h.
 *
 * A file that is being written is walked without a lock, as history_env.c looks into it: what was
 * walked counts if the newest commit afterwards is the one that was walked, or the next.
 */
#include "exporter/history/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/history/guard.h"
#include "exporter/history/place.h"
#include "exporter/history/store.h"
#include "exporter/history/verify.h"

#define WALKS_MAX 20u

__attribute__((format(printf, 3, 4)))
static int explain(struct sm_diag *diag, int rc, const char *format, ...)
{
	va_list ap;

	if (diag) {
		diag->error = rc;
		va_start(ap, format);
		vsnprintf(diag->message, sizeof(diag->message), format, ap);
		va_end(ap);
	}
	return rc;
}

static int check_structure(const char *path, struct verify_result *ret_result, struct sm_diag *diag)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned walks = 0;

	if (fd < 0)
		return errno == ENOENT ? explain(diag, -ENOENT, "no history in %.300s: is an exporter "
			"running that keeps its history there?", path) :
			explain(diag, -errno, "cannot open %.300s: %s", path, strerror(errno));
	do
		rc = verify_file(fd, STORE_MAP_BYTES, ret_result);
	while (ret_result->newest > ret_result->transaction + 1 && ++walks < WALKS_MAX);
	close(fd);
	if (walks == WALKS_MAX)
		return explain(diag, -EBUSY, "%.300s was written too fast to be checked; check a copy",
			path);
	if (rc == -ENODATA)
		return explain(diag, -ENOENT, "%.300s is empty", path);
	if (rc < 0)
		return explain(diag, rc, "%.300s is damaged: %s", path,
			rc == -EBADMSG ? ret_result->finding : strerror(-rc));
	return 0;
}

static void find_first(struct history_checked *c, const char *finding)
{
	if (!c->finding[0])
		snprintf(c->finding, sizeof(c->finding), "%s", finding);
}

/* 0 or -errno, which is about this row. */
static int check_row(struct history *h, const struct history_row *row, uint32_t *run,
	struct history_checked *c)
{
	struct history_writer writer;
	struct history_value value;
	int rc;

	while ((rc = history_next_writer(h, &writer)) > 0)
		;
	while (rc == 0 && (rc = history_next_value(h, &value)) > 0) {
		c->values++;
		rc = 0;
	}
	c->runs += c->rows == 0 || row->run != *run;
	*run = row->run;
	if (c->rows && row->tick != c->last_tick + 1 && rc == 0 && !c->damaged_rows)
		find_first(c, "rows are missing between two that are there");
	c->rows++;
	c->missed += row->missed;
	c->clock_back += (row->flags & HISTORY_CLOCK_BACK) != 0;
	c->first_ms = c->first_ms ? c->first_ms : row->at_ms;
	c->last_ms = row->at_ms;
	c->last_tick = row->tick;
	return rc;
}

static int check_rows(const char *dir, struct history_checked *c, struct sm_diag *diag)
{
	struct history_row row;
	struct history *h;
	uint32_t run = 0;
	int rc = history_open(dir, &h, diag);

	if (rc < 0)
		return rc;
	while ((rc = history_next_row(h, &row)) != 0) {
		if (rc > 0)
			rc = check_row(h, &row, &run, c);
		if (rc == 0)
			continue;
		if (rc != -EBADMSG && rc != -EPROTONOSUPPORT) {
			explain(diag, rc, "%s", history_error(h));
			break;
		}
		c->damaged_rows++;
		find_first(c, history_error(h));
		if (history_damaged(h))
			break;
	}
	history_close(h);
	return rc;
}

int history_check(const char *dir, struct history_checked *ret_checked, struct sm_diag *diag)
{
	struct history_checked c = { .finding = "" };
	struct verify_result structure = { .finding = "" };
	struct sm_diag mine = { 0 };
	char path[PATH_MAX];
	int rc = place_path(dir, PLACE_DATA, path, sizeof(path));

	if (rc == 0)
		rc = check_structure(path, &structure, &mine);
	c.pages_used = structure.pages_used;
	c.pages_free = structure.pages_free;
	c.page_bytes = structure.page_bytes;
	if (rc == 0)
		rc = check_rows(dir, &c, &mine);
	if (rc == -EBADMSG)
		find_first(&c, mine.message);
	*ret_checked = c;
	if (rc == 0 && c.finding[0])
		rc = -EBADMSG;
	return explain(diag, rc, "%s", c.finding[0] ? c.finding : mine.message);
}

/* ---- copying -------------------------------------------------------------------------------- */

struct copying {
	const char *from;
	int fd;
	unsigned flags;		/* MDB_NOLOCK or 0 */
	MDB_env *env;
};

static int copy_env(void *arg)
{
	struct copying *c = arg;
	MDB_envinfo before, after;
	int rc = mdb_env_create(&c->env);

	if (rc == 0)
		rc = mdb_env_set_assert(c->env, guard_assert);
	if (rc == 0)
		rc = mdb_env_open(c->env, c->from, MDB_NOSUBDIR | MDB_RDONLY | c->flags, 0640);
	if (rc == 0)
		rc = mdb_env_info(c->env, &before);
	if (rc == 0)
		rc = mdb_env_copyfd2(c->env, c->fd, MDB_CP_COMPACT);
	if (rc == 0)
		rc = mdb_env_info(c->env, &after);
	/* Nothing held the exporter back. */
	if (rc == 0 && c->flags && after.me_last_txnid > before.me_last_txnid + 1)
		rc = EBUSY;
	mdb_env_close(c->env);
	return guard_errno(rc);
}

/* With LMDB's lock, if we may; else hoping that nobody writes, and making sure. */
static int copy_to(const char *from, int fd)
{
	struct copying c = { .from = from, .fd = fd };
	int rc = guard_run(copy_env, &c);

	if (rc == -EACCES || rc == -EROFS || rc == -EAGAIN) {
		c.flags = MDB_NOLOCK;
		rc = ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 ? -errno :
			guard_run(copy_env, &c);
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	return rc;
}

static int sync_dir(const char *dir)
{
	int rc, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	rc = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

int history_copy(const char *dir, const char *to, struct sm_diag *diag)
{
	struct verify_result structure;
	char from[PATH_MAX], path[PATH_MAX];
	int fd, rc = place_path(dir, PLACE_DATA, from, sizeof(from));

	if (rc == 0)
		rc = place_path(to, PLACE_DATA, path, sizeof(path));
	if (rc < 0)
		return explain(diag, rc, "the path is too long");
	/* Copying follows what the pages say, in threads of its own. */
	rc = check_structure(from, &structure, diag);
	if (rc < 0)
		return rc;
	rc = place_make(to);
	if (rc < 0)
		return explain(diag, rc, "cannot make the directory %.300s: %s", to, strerror(-rc));
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0640);
	if (fd < 0)
		return explain(diag, -errno, "cannot make %.300s: %s", path, strerror(errno));
	rc = copy_to(from, fd);
	if (rc == 0)
		rc = verify_file(fd, STORE_MAP_BYTES, &structure);
	if (rc == 0)
		rc = sync_dir(to);
	close(fd);
	if (rc == 0)
		return explain(diag, 0, "%s", "");
	unlink(path);
	if (rc == -EBUSY)
		return explain(diag, rc, "the exporter writes %.300s, and without permission to write its "
			"lock file it cannot be asked to wait: copy as the exporter's user", from);
	return explain(diag, rc, "cannot copy %.300s: %s", from, strerror(-rc));
}
