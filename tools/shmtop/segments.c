/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments.c - finding segments.
 *
 * sm_segment_list() knows the places. A viewer started without arguments shall show what runs, so
 * segments without live writers stand back when one has some.
 */
#include "segments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

struct listing {
	struct top_segment *list;
	int n;
};

static void look(struct top_segment *s)
{
	struct sm_reader *r;

	s->rc = sm_reader_open(s->path, &r, &s->diag);
	if (s->rc)
		return;
	s->live = sm_reader_live_writers(r);
	s->created_real_ns = sm_reader_info(r)->created_real_ns;
	sm_reader_close(r);
}

/* NAME.layout2 is beside NAME, of another layout: opening NAME finds it. */
static int is_beside(const char *path)
{
	char base[PATH_MAX];
	const char *end = strrchr(path, '.');

	if (!end || strncmp(end, ".layout", 7) != 0 || !end[7] ||
	    end[7 + strspn(end + 7, "0123456789")] ||
	    (size_t)snprintf(base, sizeof(base), "%.*s", (int)(end - path), path) >= sizeof(base))
		return 0;
	return access(base, F_OK) == 0;
}

static int add(void *context, const char *name, const char *path)
{
	struct listing *l = context;
	struct top_segment *list, *s;

	if (is_beside(path))
		return 0;
	list = realloc(l->list, (size_t)(l->n + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	l->list = list;
	s = &list[l->n];
	memset(s, 0, sizeof(*s));
	if ((size_t)snprintf(s->name, sizeof(s->name), "%s", name) >= sizeof(s->name) ||
	    (size_t)snprintf(s->path, sizeof(s->path), "%s", path) >= sizeof(s->path))
		return 0;	/* longer than a file's name can be */
	look(s);
	l->n++;
	return 0;
}

int top_segments_list(struct top_segment **ret_list)
{
	struct listing l = { NULL, 0 };
	int rc = sm_segment_list(add, &l);

	if (rc < 0) {
		free(l.list);
		return rc;
	}
	*ret_list = l.list;
	return l.n;
}

static void state_text(const struct top_segment *s, char *ret, size_t size)
{
	if (s->rc == SM_NOT_READY)
		snprintf(ret, size, "being created");
	else if (s->rc == -EACCES || s->rc == -EPERM)
		snprintf(ret, size, "no permission");
	else if (s->rc == -EPROTONOSUPPORT)
		snprintf(ret, size, "other layout");
	else if (s->rc == -EBADMSG)
		snprintf(ret, size, "damaged");
	else if (s->rc)
		snprintf(ret, size, "%s", strerror(-s->rc));
	else if (s->live < 0)
		snprintf(ret, size, "%s", strerror(-s->live));
	else if (!s->live)
		snprintf(ret, size, "no writers");
	else
		snprintf(ret, size, "%d writer%s up", s->live, s->live == 1 ? "" : "s");
}

void top_segments_print(FILE *out, const struct top_segment *list, int n, unsigned escape)
{
	char state[64], age[TOP_NUMBER];
	struct buf name = { 0 }, path = { 0 };
	struct timespec now;
	uint64_t now_ns;
	int i;

	clock_gettime(CLOCK_REALTIME, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	fprintf(out, "%-20s  %-16s  %8s  %s\n", "SEGMENT", "STATE", "AGE", "FILE");
	for (i = 0; i < n; i++) {
		name.len = path.len = 0;
		top_escape(&name, list[i].name, strlen(list[i].name), escape);
		top_escape(&path, list[i].path, strlen(list[i].path), escape);
		state_text(&list[i], state, sizeof(state));
		snprintf(age, sizeof(age), "-");
		if (!list[i].rc && now_ns > list[i].created_real_ns)
			top_format_age(now_ns - list[i].created_real_ns, age);
		fprintf(out, "%-20s  %-16s  %8s  %s\n", name.data ? name.data : "", state, age,
			path.data ? path.data : "");
	}
	buf_free(&name);
	buf_free(&path);
}

/* Keep those that are meant: with live writers if any has, with the prefix if there is one. */
static int keep(struct top_segment *list, int n, const char *prefix, int only_live)
{
	int i, kept = 0;

	for (i = 0; i < n; i++) {
		if (prefix && strncmp(list[i].name, prefix, strlen(prefix)) != 0)
			continue;
		if (only_live && list[i].live <= 0)
			continue;
		if (kept != i)
			list[kept] = list[i];
		kept++;
	}
	return kept;
}

static int any_live(const struct top_segment *list, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (list[i].live > 0)
			return 1;
	return 0;
}

int top_segments_choose(const char *name, char ret_path[PATH_MAX], struct top_segment **ret_list,
			int *ret_n)
{
	struct top_segment *list = NULL;
	int n, rc;

	if (!name)
		name = getenv("SHARDMETER_SEGMENT");
	if (name && !name[0])
		name = NULL;
	if (name) {
		rc = sm_segment_resolve(name, ret_path, PATH_MAX);
		if (rc || strchr(name, '/'))
			return rc;
	}
	n = top_segments_list(&list);
	if (n < 0)
		return n;
	if (name) {
		for (rc = 0; rc < n; rc++)
			if (!strcmp(list[rc].name, name))
				break;
		if (rc < n) {
			free(list);
			return 0;
		}
		n = keep(list, n, name, 0);
	} else {
		n = keep(list, n, NULL, any_live(list, n));
	}
	if (n == 1)
		memcpy(ret_path, list[0].path, PATH_MAX);
	if (n > 1) {
		*ret_list = list;
		*ret_n = n;
		return -EMLINK;
	}
	free(list);
	return n ? 0 : -ENOENT;
}

enum top_exit top_exit_of(int error)
{
	switch (error) {
	case 0:
		return TOP_EXIT_OK;
	case SM_NOT_READY:
	case -ENOENT:
		return TOP_EXIT_NO_SEGMENT;
	case -EMLINK:
		return TOP_EXIT_SEVERAL;
	case -EPROTONOSUPPORT:
	case -EBADMSG:
		return TOP_EXIT_DAMAGED;
	case -EACCES:
	case -EPERM:
		return TOP_EXIT_PERMISSION;
	default:
		return TOP_EXIT_ERROR;
	}
}

const char *top_remedy(int error)
{
	switch (error) {
	case SM_NOT_READY:
		return "its creator has not finished, or died: start the bot, or try again";
	case -ENOENT:
		return "is the bot running? `shmtop --list` shows what there is, --wait waits";
	case -EMLINK:
		return "say which: `shmtop NAME`";
	case -EPROTONOSUPPORT:
		return "use the shmtop that came with the bot's library";
	case -EBADMSG:
		return "`shardmeter check` says what is wrong with it";
	case -EACCES:
	case -EPERM:
		return "run it as the segment's owner or in its group";
	default:
		return NULL;
	}
}
