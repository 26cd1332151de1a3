/* SPDX-License-Identifier: Apache-2.0 */
/* sel.c - see sel.h. */
#include "sel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READY_TRIES   100
#define READY_WAIT_NS 5000000

/* A segment name that was cut short, and what it may mean. */
struct match {
	const char *prefix; /* "" fits all */
	unsigned found;
	char path[SEL_PATH_MAX];
};

static int match_one(void *ctx, const char *name, const char *path)
{
	struct match *m = ctx;

	if (strncmp(name, m->prefix, strlen(m->prefix)) != 0)
		return 0;
	if (m->found++ == 0)
		snprintf(m->path, sizeof(m->path), "%s", path);
	return 0;
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

static int list_one(void *ctx, const char *name, const char *path)
{
	const struct match *m = ctx;
	int live;

	if (strncmp(name, m->prefix, strlen(m->prefix)) != 0)
		return 0;
	live = live_writers(path);
	if (live < 0)
		fprintf(stderr, "  %-20s %s  (not readable)\n", name, path);
	else
		fprintf(stderr, "  %-20s %s  (%d live writer%s)\n", name, path, live,
			live == 1 ? "" : "s");
	return 0;
}

static int several(const struct cli *c, struct match *m)
{
	cli_note(c, "%u segments%s%s; choose one with -S or SHARDMETER_SEGMENT:", m->found,
		m->prefix[0] ? " begin with " : "", m->prefix);
	if (!c->quiet)
		sm_segment_list(list_one, m);
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
	sm_segment_list(match_one, &m);
	if (m.found > 1)
		return several(c, &m);
	if (m.found == 1)
		memcpy(ret->path, m.path, sizeof(m.path));
	return 0;
}

int sel_choose(const struct cli *c, bool create, struct sel *ret)
{
	const char *env = getenv("SHARDMETER_SEGMENT");
	struct match m = { .prefix = "" };

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
	sm_segment_list(match_one, &m);
	if (m.found > 1)
		return several(c, &m);
	if (m.found == 1) {
		ret->how = "the only one";
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

int sel_attach(const struct cli *c, const char *path, struct sm_reader **ret_reader)
{
	struct timespec wait = { 0, READY_WAIT_NS };
	struct sm_diag diag;
	int rc;

	for (int tries = 0;; tries++) {
		rc = sm_reader_open(path, ret_reader, &diag);
		if (rc != SM_NOT_READY)
			break;
		if (tries == READY_TRIES)
			return cli_fail(c, CLI_NO_SEGMENT,
				"%s is not ready: the process that creates it has not finished; if "
				"that has died, any writer mends it at its start",
				path);
		nanosleep(&wait, NULL);
	}
	if (rc == 0)
		return 0;
	if (rc == -ENOENT)
		return cli_fail(c, CLI_NO_SEGMENT,
			"no segment %s; is the program that counts running? \"shardmeter ls\" "
			"lists what is there",
			path);
	return cli_fail(c, cli_code(rc), "%s", diag.message[0] ? diag.message : strerror(-rc));
}

int sel_snapshot(const struct cli *c, unsigned flags, const struct sm_snapshot **ret_snapshot,
	struct sm_reader **ret_reader)
{
	struct sm_reader *r = NULL;
	struct sm_diag diag = { 0 };
	struct sel sel;
	int rc = sel_choose(c, false, &sel);

	if (!rc)
		rc = sel_attach(c, sel.path, &r);
	if (rc)
		return rc;
	rc = sm_snapshot_take(r, flags, ret_snapshot, &diag);
	if (rc) {
		sm_reader_close(r);
		return cli_fail(c, rc > 0 ? CLI_NO_SEGMENT : cli_code(rc), "cannot read %s: %s",
			sel.path,
			diag.message[0] ? diag.message
			: rc > 0	? "not ready"
					: strerror(-rc));
	}
	if (ret_reader)
		*ret_reader = r;
	else
		sm_reader_close(r);
	return 0;
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
