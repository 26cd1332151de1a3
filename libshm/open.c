/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c - sm_open(): options, environment, defaults. The work is writer_bind()'s.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "diag.h"
#include "utf8.h"
#include "writer.h"

#define DEFAULT_LOCK_TIMEOUT_MS		100u
#define DEFAULT_SLOW_PER_SECOND		10u

#define WRITER_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/-"

static struct sm no_memory = {
	.null = true, .error = -ENOMEM, .message = "out of memory", .group = (gid_t)-1,
};

/* All writers ever: never freed, since handles outlive sm_close(); reachable, for leak checkers. */
static struct sm *opened;

static const char *from_environment(const struct sm_options *o, const char *value, const char *name)
{
	if (value || (o->flags & SM_OPEN_NO_ENVIRONMENT))
		return value;
	value = getenv(name);
	return value && *value ? value : NULL;
}

static int set_group(struct sm *m, const char *group, struct sm_diag *diag)
{
	struct group g, *found = NULL;
	char buffer[4096], *end;
	unsigned long id;

	m->group = (gid_t)-1;
	if (!group)
		return 0;
	id = strtoul(group, &end, 10);
	if (*group >= '0' && *group <= '9' && !*end && id < (gid_t)-1) {
		m->group = (gid_t)id;
		return 0;
	}
	getgrnam_r(group, &g, buffer, sizeof(buffer), &found);
	if (!found)
		return sm_diag_set(diag, -EINVAL, "SHARDMETER_GROUP: there is no group \"%.60s\" here", group);
	m->group = found->gr_gid;
	return 0;
}

/* "bot" from the program's name; numbered when claimed: "bot-1". */
static void default_name(struct sm *m)
{
	size_t i, n = strlen(program_invocation_short_name);

	n = n < 48 ? n : 48;
	for (i = 0; i < n; i++) {
		char c = program_invocation_short_name[i];

		m->wanted[i] = strchr(WRITER_CHARS, c) ? c : '_';
	}
	if (!n)
		strcpy(m->wanted, "writer");
	m->numbered = true;
}

static int set_writer(struct sm *m, const char *name, struct sm_diag *diag)
{
	if (!name) {
		default_name(m);
		return 0;
	}
	if (!*name || strlen(name) > 60 || name[strspn(name, WRITER_CHARS)])
		return sm_diag_set(diag, -EINVAL, "writer name \"%.80s\": use 1 to 60 of [A-Za-z0-9_.:/-]", name);
	strcpy(m->wanted, name);
	return 0;
}

static int set_version(struct sm *m, const char *version, struct sm_diag *diag)
{
	if (!version)
		return 0;
	if (strlen(version) > SM_VERSION_MAX || !sm_utf8_valid(version, strlen(version)))
		return sm_diag_set(diag, -EINVAL, "app_version \"%.80s\": at most %u bytes of UTF-8", version,
				   SM_VERSION_MAX);
	strcpy(m->version, version);
	return 0;
}

static int set_metadata(struct sm *m, const char *const *pairs, struct sm_diag *diag)
{
	unsigned i;
	size_t n;

	for (i = 0; i < SM_METADATA_MAX && pairs[i]; i++) {
		n = strlen(pairs[i]) + 1;
		if (!strchr(pairs[i], '=') || pairs[i][0] == '=' || !sm_utf8_valid(pairs[i], n - 1))
			return sm_diag_set(diag, -EINVAL, "metadata \"%.80s\": must be key=value", pairs[i]);
		if (n > sizeof(m->metadata) - m->metadata_len)
			return sm_diag_set(diag, -EINVAL, "metadata takes more than %zu bytes", sizeof(m->metadata));
		memcpy(m->metadata + m->metadata_len, pairs[i], n);
		m->metadata_len += (uint32_t)n;
	}
	return 0;
}

/* "1.5": digits with an optional fraction, whatever the locale. Returns where it ends; text if none. */
static const char *parse_decimal(const char *text, double *ret)
{
	const char *p = text;
	double v = 0, place = 1;

	for (; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (*p - '0');
	if (p != text && *p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++)
			v += (*p - '0') * (place /= 10);
	*ret = v;
	return p;
}

/* "op=500ms,other=2s" */
static int set_slow(struct sm *m, const char *rules, struct sm_diag *diag)
{
	static const struct { const char *unit; double ns; } units[] = {
		{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 },
	};
	const char *p = rules, *eq, *comma, *end;
	unsigned i;
	double v;

	for (; p && *p; p = *comma ? comma + 1 : comma) {
		comma = p + strcspn(p, ",");
		eq = memchr(p, '=', (size_t)(comma - p));
		if (!eq || eq == p || (size_t)(eq - p) >= sizeof(m->slow[0].operation))
			goto bad;
		if (m->nslow == SM_SLOW_RULES)
			return sm_diag_set(diag, -EINVAL, "SHARDMETER_SLOW has more than %d rules", SM_SLOW_RULES);
		end = parse_decimal(eq + 1, &v);
		for (i = 0; i < 4; i++)
			if ((size_t)(comma - end) == strlen(units[i].unit) &&
			    strncmp(end, units[i].unit, (size_t)(comma - end)) == 0)
				break;
		if (i == 4 || end == eq + 1 || !(v >= 0) || v * units[i].ns > 9e18)
			goto bad;
		memcpy(m->slow[m->nslow].operation, p, (size_t)(eq - p));
		m->slow[m->nslow++].ns = (uint64_t)(v * units[i].ns);
	}
	return 0;
bad:
	return sm_diag_set(diag, -EINVAL, "SHARDMETER_SLOW: \"%.80s\": use operation=duration with ns, us, ms or s, e.g. play=500ms",
			   p);
}

static int set_globs(char ret_globs[GLOBS_BYTES], const char *globs, const char *what, struct sm_diag *diag)
{
	if (globs && strlen(globs) >= GLOBS_BYTES)
		return sm_diag_set(diag, -EINVAL, "%s is longer than %d bytes", what, GLOBS_BYTES - 1);
	if (globs)
		strcpy(ret_globs, globs);
	return 0;
}

static int configure(struct sm *m, const struct sm_options *o, struct sm_diag *diag)
{
	int rc;

	m->flags = o->flags;
	m->create = !(o->flags & SM_OPEN_NO_CREATE);
	m->thread_lanes = o->thread_lanes ? o->thread_lanes : 1;
	m->lock_timeout_ms = o->lock_timeout_ms ? o->lock_timeout_ms : DEFAULT_LOCK_TIMEOUT_MS;
	m->slow_per_second = DEFAULT_SLOW_PER_SECOND;
	m->wish = (struct sm_geometry_wish){
		.writers = o->max_writers, .lanes_per_writer = o->lanes_per_writer, .families = o->max_families,
		.series = o->max_series, .cells = o->max_cells, .ring_entries = o->ring_entries,
	};
	rc = set_globs(m->disabled, from_environment(o, NULL, "SHARDMETER_DISABLE_FAMILIES"),
		       "SHARDMETER_DISABLE_FAMILIES", diag);
	if (!rc)
		rc = set_globs(m->allowed_labels,
			       from_environment(o, o->allowed_labels, "SHARDMETER_ALLOWED_LABELS"),
			       "SHARDMETER_ALLOWED_LABELS", diag);
	if (rc)
		return rc;
	rc = sm_path_for(from_environment(o, o->segment, "SHARDMETER_SEGMENT"), m->path, sizeof(m->path), diag);
	if (!rc)
		rc = set_writer(m, from_environment(o, o->writer, "SHARDMETER_WRITER"), diag);
	if (!rc)
		rc = set_version(m, from_environment(o, o->app_version, "SHARDMETER_APP_VERSION"), diag);
	if (!rc)
		rc = set_group(m, from_environment(o, o->group, "SHARDMETER_GROUP"), diag);
	if (!rc)
		rc = set_metadata(m, o->metadata, diag);
	if (!rc)
		rc = set_slow(m, from_environment(o, NULL, "SHARDMETER_SLOW"), diag);
	return rc;
}

/* 1 yes, 0 no, -EINVAL. */
static int disabled(const struct sm_options *o, struct sm_diag *diag)
{
	static const char *const yes[] = { "1", "true", "yes", "on" }, *const no[] = { "0", "false", "no", "off" };
	const char *v = from_environment(o, NULL, "SHARDMETER_DISABLE");
	unsigned i;

	if (o->flags & SM_OPEN_DISABLED)
		return 1;
	for (i = 0; v && i < 4; i++) {
		if (strcasecmp(v, yes[i]) == 0)
			return 1;
		if (strcasecmp(v, no[i]) == 0)
			return 0;
	}
	return v ? sm_diag_set(diag, -EINVAL, "SHARDMETER_DISABLE=%.20s: use 1 or 0", v) : 0;
}

struct sm *sm_open(const struct sm_options *user, struct sm_diag *diag)
{
	struct sm_options o;
	struct sm_diag own = { 0, "" };
	struct sm *m;
	int rc = 0;

	diag = diag ? diag : &own;
	sm_diag_set(diag, 0, "%s", "");
	memset(&o, 0, sizeof(o));
	m = calloc(1, sizeof(*m));
	if (!m) {
		sm_diag_set(diag, -ENOMEM, "out of memory");
		return &no_memory;
	}
	m->next = load_relaxed(&opened);
	while (!cas_relaxed(&opened, &m->next, m))
		;
	if (user && user->size > sizeof(o))
		rc = sm_diag_set(diag, -EINVAL, "sm_options of %zu bytes: made for a newer library than this (%s)",
				 user->size, sm_version());
	else if (user)
		memcpy(&o, user, user->size ? user->size : sizeof(o));
	if (!rc)
		rc = disabled(&o, diag);
	if (rc > 0) {
		m->null = true;
		return m;
	}
	if (!rc)
		rc = configure(m, &o, diag);
	if (!rc) {
		rc = lanes_init();
		if (rc)
			sm_diag_set(diag, rc, rc == -ENOSYS ? "the kernel is older than 4.14 (no MADV_WIPEONFORK)" :
				    "cannot set up thread lanes: out of memory");
	}
	if (rc) {
		/* A mistake, not a state of things: trying again would not help. */
		m->null = true;
		m->error = rc;
		memcpy(m->message, diag->message, sizeof(m->message));
		return m;
	}
	if (o.flags & SM_OPEN_TSC)
		clock_use_tsc();
	rc = process_lock();
	if (rc) {
		m->error = sm_diag_set(diag, rc, "another thread has been in the library for 5 s");
		memcpy(m->message, diag->message, sizeof(m->message));
		return m;
	}
	rc = writer_bind(m);
	process_unlock();
	sm_diag_set(diag, rc, "%s", m->message);
	return m;
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *sm_version(void)
{
	return TEXT(SM_VERSION_MAJOR) "." TEXT(SM_VERSION_MINOR) "." TEXT(SM_VERSION_PATCH);
}

const char *sm_layout_version(void)
{
	return TEXT(SM_LAYOUT_MAJOR) "." TEXT(SM_LAYOUT_MINOR);
}
