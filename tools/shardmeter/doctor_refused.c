/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_refused.c - see doctor.h.
 *
 * A refusal of the past is no trouble of today: counts of the segment never go back, so a warning
 * about them would never end. Two things are: what is refused while one looks, and what was
 * refused to a writer that still lives, for its handles may count into nowhere since then.
 */
#include <string.h>
#include <time.h>

#include "doctor.h"

/* What a reason's count is made of. */
struct part {
	uint64_t total, more; /* now, and since the first look */
	uint64_t live;	      /* by writers that live */
	const char *most;     /* who was refused most; by whom just now, if anybody was */
};

static uint64_t before(const struct sm_snapshot *first, const struct sm_writer *w, unsigned reason)
{
	for (size_t i = 0; i < first->nwriters; i++)
		if (first->writers[i].slot == w->slot &&
			first->writers[i].incarnation == w->incarnation)
			return first->writers[i].refused[reason];
	return 0;
}

static void count(const struct sm_snapshot *first, const struct sm_snapshot *now, unsigned reason,
	struct part *p)
{
	uint64_t rest = now->refused[reason], rest_before = first->refused[reason], most = 0, of,
		 more;

	memset(p, 0, sizeof(*p));
	p->total = rest;
	p->most = "writers that are gone";
	for (size_t i = 0; i < first->nwriters; i++)
		rest_before -= first->writers[i].refused[reason];
	for (size_t i = 0; i < now->nwriters; i++) {
		const struct sm_writer *w = &now->writers[i];

		of = w->refused[reason];
		more = of > before(first, w, reason) ? of - before(first, w, reason) : 0;
		rest -= of;
		p->more += more;
		p->live += w->state == SM_WRITER_LIVE ? of : 0;
		if (w->state == SM_WRITER_LIVE && of > most) {
			most = of;
			p->most = w->name;
		}
	}
	more = rest > rest_before ? rest - rest_before : 0; /* of those without a slot */
	p->more += more;
	if (rest && (more || most == 0))
		p->most = "shell commands";
}

static void say(struct doctor *d, unsigned reason, const struct part *p, const char *since,
	double watched_s)
{
	const char *name = sm_refused_reason(reason) ? sm_refused_reason(reason) : "?";

	if (p->more)
		doctor_warn(d, "refused", sm_refused_help(reason),
			"%s: %llu in the last %.1f s; %llu since %s, most by %s", name,
			(unsigned long long)p->more, watched_s, (unsigned long long)p->total, since,
			p->most);
	else if (p->live)
		doctor_warn(d, "refused", sm_refused_help(reason),
			"%s: %llu to writers that live, most to %s, none in the last %.1f s; the "
			"warning ends when they are restarted",
			name, (unsigned long long)p->live, p->most, watched_s);
	else
		doctor_ok(d, "refused", "%s: none in the last %.1f s; %llu since %s, by %s", name,
			watched_s, (unsigned long long)p->total, since, p->most);
}

/* Wait until watch_ns after the first look; how long it is really, in seconds. */
static double wait_until(const struct sm_snapshot *first, uint64_t watch_ns)
{
	struct timespec now, left;
	uint64_t now_ns, then_ns = first->taken_boot_ns + watch_ns;

	clock_gettime(CLOCK_BOOTTIME, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (now_ns < then_ns && then_ns - now_ns <= watch_ns) {
		left.tv_sec = (time_t)((then_ns - now_ns) / 1000000000u);
		left.tv_nsec = (long)((then_ns - now_ns) % 1000000000u);
		nanosleep(&left, NULL);
		now_ns = then_ns;
	}
	return (double)(now_ns - first->taken_boot_ns) / 1e9;
}

void doctor_refused(
	struct doctor *d, struct sm_reader *r, const struct sm_snapshot *first, uint64_t watch_ns)
{
	double watched_s = wait_until(first, watch_ns);
	const struct sm_snapshot *now;
	struct sm_diag diag = { 0 };
	char since[CLI_TEXT_MAX];
	struct part p;
	bool any = false;

	if (sm_snapshot_take(r, 0, &now, &diag) != 0) {
		doctor_warn(d, "refused", "\"shardmeter check\" says more",
			"the segment could not be read a second time: %s", diag.message);
		return;
	}
	cli_utc(now->segment->created_real_ns, since);
	for (unsigned i = 0; i < SM_REFUSED_REASONS; i++) {
		count(first, now, i, &p);
		if (p.total == 0)
			continue;
		any = true;
		say(d, i, &p, since, watched_s);
	}
	if (!any)
		doctor_ok(d, "refused", "nothing since %s", since);
	sm_snapshot_free(now);
}
