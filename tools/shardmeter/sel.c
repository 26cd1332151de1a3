/* SPDX-License-Identifier: Apache-2.0 */
/* sel.c - see sel.h. */
#include "sel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READY_TRIES   100
#define READY_WAIT_NS 5000000

/* A segment name that was cut short, and what it may mean. */
struct match {
	const char *prefix; /* "" fits all */
	bool only_live;	    /* only those with live writers */
	unsigned found;
	char path[SEL_PATH_MAX];
};

/* "bot.layout2": of another layout, beside "bot". */
static bool is_layout_file(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && strncmp(dot, ".layout", 7) == 0 && dot[7] &&
	       !dot[7 + strspn(dot + 7, "0123456789")];
}

/* What sel_each() passes on, and to whom. */
struct each {
	int (*fn)(void *ctx, const char *name, const char *path);
	void *ctx;
};

static int each_one(void *ctx, const char *name, const char *path)
{
	const struct each *e = ctx;

	return is_layout_file(name) ? 0 : e->fn(e->ctx, name, path);
}

int sel_each(int (*fn)(void *ctx, const char *name, const char *path), void *ctx)
{
	struct each e = { fn, ctx };

	return sm_segment_list(each_one, &e);
}

bool sel_is_segment(const char *path)
{
	static const char magic[7] = { 'S', 'H', 'R', 'D', 'M', 'T', 'R' };
	char start[sizeof(magic)] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, start, sizeof(start));

	if (fd >= 0)
		close(fd);
	return (n == sizeof(start) && memcmp(start, magic, sizeof(magic)) == 0) ||
	       sel_in_place(path);
}

bool sel_in_place(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char place[SEL_PATH_MAX];

	/* Only a path that a mere name could have meant. */
	if (strncmp(name, "shardmeter.", 11) == 0 &&
		sm_segment_resolve(name + 11, place, sizeof(place)) == 0 &&
		strcmp(place, path) == 0)
		return true;
	return sm_segment_resolve(name, place, sizeof(place)) == 0 && strcmp(place, path) == 0;
}

static int live_writers(const char *path)
{
	struct sm_reader *r;
	int live;

	if (sm_reader_open(path, &r, NULL) != 0)
		return -1;
	live = sm_reader_live_writers(r);
	sm_reader_close(r);
	return live;
}

static int match_one(void *ctx, const char *name, const char *path)
{
	struct match *m = ctx;

	if (strncmp(name, m->prefix, strlen(m->prefix)) != 0 ||
		(m->only_live && live_writers(path) <= 0))
		return 0;
	if (m->found++ == 0)
		snprintf(m->path, sizeof(m->path), "%s", path);
	return 0;
}

static int list_one(void *ctx, const char *name, const char *path)
{
	const struct match *m = ctx;
	int live;

	if (strncmp(name, m->prefix, strlen(m->prefix)) != 0)
		return 0;
	live = live_writers(path);
	if (m->only_live && live <= 0)
		return 0;
	if (live < 0)
		fprintf(stderr, "  %-20s %s  (not readable)\n", name, path);
	else
		fprintf(stderr, "  %-20s %s  (%d live writer%s)\n", name, path, live,
			live == 1 ? "" : "s");
	return 0;
}

static int several(const struct cli *c, struct match *m)
{
	cli_note(c, "%u segments%s%s%s; choose one with -S or SHARDMETER_SEGMENT:", m->found,
		m->only_live ? " have live writers" : "", m->prefix[0] ? " begin with " : "",
		m->prefix);
	if (!c->quiet)
		sel_each(list_one, m);
	return CLI_SEVERAL;
}

static int no_segment(const struct cli *c)
{
	char path[SEL_PATH_MAX];

	if (sm_segment_resolve("NAME", path, sizeof(path)) != 0)
		path[0] = '\0';
	return cli_fail(c, CLI_NO_SEGMENT,
		"no segment (looked for %s); start the program that counts, or name its segment "
		"with -S or SHARDMETER_SEGMENT",
		path);
}

static int choose_named(const struct cli *c, const char *name, bool create, struct sel *ret)
{
	struct match m = { .prefix = name };

	if (sm_segment_resolve(name, ret->path, sizeof(ret->path)) != 0)
		return cli_fail(c, CLI_FAILED,
			"segment \"%s\": use 1 to 100 of [A-Za-z0-9_.-], or a path with a '/'",
			name);
	if (create || !c->segment || strchr(name, '/') || access(ret->path, F_OK) == 0)
		return 0;
	sel_each(match_one, &m);
	if (m.found > 1)
		return several(c, &m);
	if (m.found == 1)
		memcpy(ret->path, m.path, sizeof(m.path));
	return 0;
}

int sel_choose(const struct cli *c, bool create, struct sel *ret)
{
	const char *env = getenv("SHARDMETER_SEGMENT");
	struct match m = { .prefix = "" }, live;

	if (c->segment) {
		if (!*c->segment)
			return cli_fail(c, CLI_FAILED, "-S: the segment's name is empty");
		ret->how = "-S";
		return choose_named(c, c->segment, create, ret);
	}
	if (env && *env) {
		ret->how = "SHARDMETER_SEGMENT";
		return choose_named(c, env, create, ret);
	}
	sel_each(match_one, &m);
	ret->how = "the only one";
	if (m.found > 1) {
		live = m;
		live.only_live = true;
		live.found = 0;
		sel_each(match_one, &live);
		if (live.found)
			m = live;
		ret->how = "the only one with live writers";
	}
	if (m.found > 1)
		return several(c, &m);
	if (m.found == 1) {
		memcpy(ret->path, m.path, sizeof(m.path));
		return 0;
	}
	if (!create)
		return no_segment(c);
	ret->how = "new";
	if (sm_segment_resolve("default", ret->path, sizeof(ret->path)) != 0)
		return cli_fail(c, CLI_FAILED, "no place for a segment");
	return 0;
}

int sel_fail(const struct cli *c, int rc, const char *path, const struct sm_diag *diag)
{
	if (rc == SM_NOT_READY)
		return cli_fail(c, CLI_NO_SEGMENT,
			"%s is not ready: the process that creates it has not finished; if that has "
			"died, any writer mends it at its start",
			path);
	if (rc == -ENOENT)
		return cli_fail(c, CLI_NO_SEGMENT,
			"no segment %s; is the program that counts running? \"shardmeter ls\" "
			"lists what is there",
			path);
	if (!diag->message[0])
		return cli_fail(c, cli_code(rc), "%s: %s", path, strerror(-rc));
	return cli_fail(c, cli_code(rc), "%s%s%s", strstr(diag->message, path) ? "" : path,
		strstr(diag->message, path) ? "" : ": ", diag->message);
}

const char *sel_cut_remedy(char *message)
{
	static const char *const starts[] = { ": run as ", "; check ", "; stop its writers, then: " };
	char *at;

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		at = strstr(message, starts[i]);
		if (at) {
			*at = '\0';
			return at + 2;
		}
	}
	return NULL;
}

int sel_attach(const struct cli *c, const char *path, struct sm_reader **ret_reader)
{
	struct timespec wait = { 0, READY_WAIT_NS };
	struct sm_diag diag;
	int rc;

	for (int tries = 0;; tries++) {
		rc = sm_reader_open(path, ret_reader, &diag);
		if (rc != SM_NOT_READY || tries == READY_TRIES)
			break;
		nanosleep(&wait, NULL);
	}
	return rc ? sel_fail(c, rc, path, &diag) : 0;
}

static int take(const struct cli *c, struct sm_reader *r, const char *path, unsigned flags,
	const struct sm_snapshot **ret_snapshot)
{
	struct sm_diag diag = { 0 };
	int rc = sm_snapshot_take(r, flags, ret_snapshot, &diag);

	if (!rc)
		return 0;
	return cli_fail(c, rc > 0 ? CLI_NO_SEGMENT : cli_code(rc), "cannot read %s: %s", path,
		diag.message[0] ? diag.message
		: rc > 0	? "not ready"
				: strerror(-rc));
}

int sel_snapshot(const struct cli *c, unsigned flags, const struct sm_snapshot **ret_snapshot,
	struct sm_reader **ret_reader)
{
	struct sm_reader *r = NULL;
	struct sel sel;
	int rc = sel_choose(c, false, &sel);

	if (!rc)
		rc = sel_attach(c, sel.path, &r);
	if (rc)
		return rc;
	rc = take(c, r, sel.path, flags, ret_snapshot);
	if (!rc && ret_reader)
		*ret_reader = r;
	else
		sm_reader_close(r);
	return rc;
}

int sel_follow_take(const struct cli *c, struct sel_follow *f, unsigned flags,
	const struct sm_snapshot **ret_snapshot)
{
	struct sel sel;
	int rc;

	if (f->reader && sm_reader_current(f->reader) != 0)
		sel_follow_end(f);
	if (!f->reader) {
		rc = sel_choose(c, false, &sel);
		if (!rc)
			rc = sel_attach(c, sel.path, &f->reader);
		if (rc)
			return rc;
		memcpy(f->path, sel.path, sizeof(f->path));
	}
	return take(c, f->reader, f->path, flags, ret_snapshot);
}

void sel_follow_end(struct sel_follow *f)
{
	sm_reader_close(f->reader);
	f->reader = NULL;
}

const struct sm_family_info *sel_family(const struct sm_snapshot *s, const char *name)
{
	size_t low = 0, high = s->nfamilies, mid;
	int order;

	while (low < high) {
		mid = low + (high - low) / 2;
		order = strcmp(s->families[mid].name, name);
		if (order == 0)
			return &s->families[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}
